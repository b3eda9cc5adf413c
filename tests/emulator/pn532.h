/*
 * pn532.h - between the parts of the emulated reader: frames, commands, port.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_EMULATOR_PN532_H
#define CARDSPOOL_EMULATOR_PN532_H

#include "tests/emulator/emulator.h"

#include <stdio.h>

/* ---- frames (pn532-frame.c) ---- */

/* TFI, command code and data of the longest extended frame. */
#define HSU_BODY_MAX  265
#define HSU_FRAME_MAX (HSU_BODY_MAX + 11)

enum hsu_event { HSU_NOTHING, HSU_COMMAND, HSU_ACK, HSU_NACK, HSU_BAD_SUM };

/* What came over the line and is not used yet. */
struct hsu_input {
	uint8_t bytes[2 * HSU_FRAME_MAX];
	size_t len;
	bool woken; /* a wake-up byte (55) went by */
};

void hsu_feed(struct hsu_input *in, uint8_t byte);
/* Takes the next complete frame out of the input. HSU_COMMAND: body gets the bytes after the TFI. A
 * wrong length check is skipped in silence, a wrong data check is HSU_BAD_SUM. */
enum hsu_event hsu_next(struct hsu_input *in, uint8_t body[HSU_BODY_MAX], size_t *body_len);
/* A response frame around body (which begins with the response code); returns its length. */
size_t hsu_build(uint8_t out[HSU_FRAME_MAX], const uint8_t *body, size_t body_len);

extern const uint8_t hsu_ack[6], hsu_error[8];

/* ---- commands (pn532-command.c) ---- */

struct pn532_core {
	struct field *field;
	struct chip *target[2];        /* Tg 1 and 2 */
	uint8_t register_page[2][256]; /* 63xx and FFxx */
	bool registers_odd;            /* the reset values make libnfc write */
	uint8_t passive_retries;       /* FF: a poll waits for a card for ever */
	bool strict_halt;
	bool asleep;
	bool long_uid; /* the last selection took a second cascade level */
	_Atomic unsigned card_commands;
};

enum pn532_outcome { PN532_REPLY, PN532_ERROR_FRAME, PN532_PENDING };

void pn532_core_reset(struct pn532_core *core);
/* Carries out one command (code first, no TFI); reply begins with the response code. PENDING:
 * nothing to say until a card comes; call again with the same bytes. */
enum pn532_outcome pn532_core_run(struct pn532_core *core, const uint8_t *cmd, size_t len,
	uint8_t reply[HSU_BODY_MAX], size_t *reply_len);
/* Time on the air and in the chip for a command, in microseconds, without the serial line. */
unsigned pn532_core_time_us(const struct pn532_core *core, const uint8_t *cmd, size_t len);
/* A command code's name, for the log. */
const char *pn532_command_name(uint8_t code);

/* ---- the port and its thread (pn532.c), and what the console does to them (pn532-control.c) ----
 */

/* Set by pn532_control, used up by the thread; guarded by the lock. */
struct pn532_faults {
	bool mute;
	unsigned deaf, drop, garbage, bad_dcs, status_left;
	uint8_t status;
};

struct pn532 {
	struct pn532_core core; /* the thread's own */
	struct hsu_input input;
	uint8_t last[HSU_FRAME_MAX]; /* the last response, for a NACK */
	size_t last_len;
	uint8_t pending[HSU_BODY_MAX]; /* a poll that waits for a card */
	size_t pending_len;
	int master, slave; /* -1: unplugged */

	char *link_path;
	pthread_t thread;
	int wake[2];
	pthread_mutex_t lock;
	pthread_cond_t settled; /* plugged has become want_plugged */
	bool plugged, want_plugged, stop, timing;
	unsigned baud, frames;
	bool registers_odd, strict_halt;
	struct pn532_faults faults;
	FILE *log;
};

void reader_wake(struct pn532 *p);

#endif
