/*
 * emulator-epcl.h - a Zebra dialect with a machine behind it, for tests without USB.
 *
 * The bench stands in for the line, the log and the clock; time passes only as the machine takes
 * it. One bench at a time.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_TESTS_EMULATOR_EPCL_H
#define CARDSPOOL_TESTS_EMULATOR_EPCL_H

#include "tests/emulator/epcl.h"

#define W     1024
#define H     640
#define DOT_N ((size_t)W * H)
#define ACK   "\x06"

struct bench {
	struct emu emu;
	struct usb_device usb;
	struct printer *p;
	uint8_t reply[4096];
	size_t reply_len;
	unsigned strict;
	uint64_t clock_ms;
	uint8_t *shown[2]; /* the sides as they were when the card left */
	char tracks[3][MAG_TRACK_MAX];
};
extern struct bench b;

void bench_open(const char *model, const char *ribbon);
void bench_close(void);
void feed(const void *bytes, size_t len);
/* One command without initiator and end, and its whole answer. */
void ask_bytes(const void *command, size_t len, const char *answer, size_t answer_len);
void ask(const char *command, const char *answer);
void nack(const char *command, int code);
void option(const char *name, const char *value);
struct epcl *dialect_state(void);

#endif
