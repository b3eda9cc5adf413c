/*
 * emulator.h - the seams inside the emulator.
 *
 * The emulator is written from the protocol documents. It shares no code with filters/, drivers/ or
 * spooler/ and includes none of their headers.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_EMULATOR_H
#define CARDSPOOL_EMULATOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- a physical card (card.c) ---- */

enum chip_power { CHIP_OFF, CHIP_IDLE, CHIP_ACTIVE, CHIP_HALT };

/* A MIFARE Classic 1K behind its antenna (mifare.c). */
struct chip {
	uint8_t mem[1024];
	uint8_t uid[7];
	unsigned uid_len; /* 4 or 7 */
	uint8_t atqa[2], sak;
	enum chip_power power;
	int auth_sector; /* -1: none */
	int auth_key;    /* 0x60 or 0x61 */
	bool absent;     /* a card without a chip, or a dead one */
	unsigned writes; /* EEPROM writes so far */
	/* faults */
	int tear_at_write;   /* cut the power in the middle of the n-th write, -1 off */
	int lose_at_write;   /* answer good to the n-th write and keep the old content, -1 off */
	int remove_at_write; /* leave the field before the n-th write, -1 off */
};

struct emu_card {
	unsigned serial; /* 1-based, in the order the cards were put into the hopper */
	struct chip chip;
	/* what the head put on it: artwork upright, RGB 3 bytes a pixel; NULL = that side is untouched */
	uint8_t *side_rgb[2];
	unsigned width, height;
	unsigned panels_used[2];
	char bin[16]; /* "hopper", "inside", "good", "reject", "hand" */
};

void chip_init(struct chip *c, const uint8_t *uid, unsigned uid_len); /* transport state */
void chip_field(struct chip *c, bool on);
/* One ISO 14443-3 / MIFARE command as InDataExchange carries it. Returns the PN532 status byte;
 * reply gets at most 16 bytes. Timing and faults are inside. */
int chip_exchange(struct chip *c, const uint8_t *cmd, size_t len, uint8_t *reply, size_t *reply_len);
bool chip_select(struct chip *c, const uint8_t *uid, unsigned uid_len); /* false: does not answer */

/* ---- the station's antenna: who is in the field now (station.c) ---- */

/* The printer moves cards in and out; the reader asks. One lock covers both. */
#define FIELD_MAX 2
struct field {
	pthread_mutex_t lock;
	struct chip *chip[FIELD_MAX];
	unsigned n;
	bool on;
};
void field_enter(struct field *f, struct chip *c);
void field_leave(struct field *f, struct chip *c);

/* ---- PN532 on a pty (pn532.c) ---- */

struct pn532;
/* Makes the pty and a symbolic link to it at link_path; runs in its own thread. */
struct pn532 *pn532_start(struct field *f, const char *link_path, bool timing);
/* Fault console words for the reader: "mute", "drop N", "garbage", "bad-dcs", "unplug", "clear".
 * Returns a malloc'ed one-line answer. */
char *pn532_control(struct pn532 *p, const char *line);
void pn532_stop(struct pn532 *p);

#endif
