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
	const char *kind; /* as chip_set_kind names it */
	bool random_uid;  /* another number after each loss of the field */
	enum chip_power power;
	int auth_sector; /* -1: none */
	int auth_key;    /* 0x60 or 0x61 */
	bool absent;     /* a card without a chip, or a dead one */
	bool away;       /* a fault took it out of the field; field_enter brings it back */
	unsigned writes; /* EEPROM writes so far */
	int value_block; /* block whose value waits for a transfer, -1: none */
	int32_t value;
	/* A key B that can be read cannot authenticate. Some chips refuse the authentication
	 * (default), others accept it and refuse every access after it (true). */
	bool readable_b_late;
	/* faults; writes are counted from 1 over the chip's life: "the next one" is writes + 1 */
	int tear_at_write;   /* cut the power in the middle of the n-th write, -1 off */
	int lose_at_write;   /* answer good to the n-th write and keep the old content, -1 off */
	int remove_at_write; /* leave the field before the n-th write, -1 off */
	/* told before and after each write; true before it: the write does not come about */
	bool (*on_write)(void *ctx, bool after);
	void *on_write_ctx;
	/* a worn chip: from the n-th write on all are lost, or answered with a NAK; -1 off */
	int lose_from_write, refuse_from_write;
};

struct emu_card {
	unsigned serial; /* 1-based, in the order the cards were put into the hopper */
	struct chip chip;
	/* what the head put on it: artwork upright, RGB 3 bytes a pixel; NULL = that side is
	 * untouched */
	uint8_t *side_rgb[2];
	unsigned side_width[2], height;
	char *track[3];          /* magnetic tracks; NULL = blank */
	unsigned panels_used[2]; /* bit i = panel "ymcko"[i] was used on that side */
	struct chip
		*second; /* a second chip that comes into the field with this card, NULL = none */
	char bin[16];    /* "hopper", "inside", "good", "reject", "hand" */
};

void chip_init(struct chip *c, const uint8_t *uid, unsigned uid_len); /* transport state */
/* Another type: "classic-1k", "classic-1k-infineon", "classic-ev1", "classic-ev1-random",
 * "classic-4k", "classic-mini", "ntag213", "desfire". "classic-4k", "classic-mini" and "desfire"
 * answer no command after their selection. False: unknown name. */
bool chip_set_kind(struct chip *c, const char *kind);
const char *chip_kind(const struct chip *c); /* what chip_set_kind made of it */
bool chip_has_long_uid(const char *kind);    /* such chips have numbers of 7 bytes */
/* A used chip: every trailer gets these keys in place of the transport keys. */
void chip_set_keys(struct chip *c, const uint8_t key_a[6], const uint8_t key_b[6]);
/* ntag.c: the memory as delivered; one command, as chip_exchange hands it on. */
void ntag_init(struct chip *c);
int ntag_exchange(
	struct chip *c, const uint8_t *cmd, size_t len, uint8_t *reply, size_t *reply_len);
void chip_field(struct chip *c, bool on);
/* One ISO 14443-3 / MIFARE command as InDataExchange carries it. Returns the PN532 status byte;
 * reply gets at most 16 bytes. The chip's faults are inside; the reader adds the time. */
int chip_exchange(
	struct chip *c, const uint8_t *cmd, size_t len, uint8_t *reply, size_t *reply_len);
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
void field_init(struct field *f);
void field_done(struct field *f);
/* A chip whose card rests in front of the antenna; a third one is ignored. */
void field_enter(struct field *f, struct chip *c);
/* Must return before the chip's memory is freed. */
void field_leave(struct field *f, struct chip *c);
/* The reader's side; the caller holds the lock. */
void field_switch(struct field *f, bool on);
bool field_holds(const struct field *f, const struct chip *c);
/* Selects up to max chips into found[], by UID if uid_len > 0. strict: a halted chip wakes only
 * when it is called by its UID. Returns how many answered. */
unsigned field_select(struct field *f, const uint8_t *uid, unsigned uid_len, bool strict,
	struct chip *found[], unsigned max);

/* ---- PN532 on a pty (pn532.c) ---- */

struct pn532;
/* Makes the pty and a symbolic link to it at link_path; runs in its own thread. */
struct pn532 *pn532_start(struct field *f, const char *link_path, bool timing);
/*
 * One line of the console for the reader; returns a malloc'ed one-line answer, "ok..." or
 *"error...". mute             nothing is answered, not even an ACK, until clear deaf N the next N
 *frames are not heard drop N           the N-th InDataExchange from now is carried out, its
 *response is lost garbage [N]      the next N (1) responses are noise bad-dcs [N]      the next N
 *(1) responses carry a wrong check byte status XX [N]    the next N (1) InDataExchange are not
 *carried out and answer status XX (hex) unplug, plug     the port vanishes, and comes back under
 *the same link registers quiet|odd   reset values that libnfc accepts, or wants to change (next
 *wake-up) strict on|off    halted chips wake only when called by UID, or on any call (default)
 *	timing on|off, baud N   the time model and the speed of its serial line
 *	log FILE|off     every frame, as hexadecimal text
 *	count            frames and card commands so far
 *	clear            ends every fault but unplug
 */
char *pn532_control(struct pn532 *p, const char *line);
void pn532_stop(struct pn532 *p);

#endif
