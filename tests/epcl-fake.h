/*
 * epcl-fake.h - a small Zebra printer behind struct transport_ops, for the tests.
 *
 * It takes each write as one command, answers as a good printer does, and misbehaves by rules.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_EPCL_FAKE_H
#define CARDSPOOL_EPCL_FAKE_H

#include "drivers/epcl.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum trick { ANSWER, MUTE, LATE, UNPLUG, TEAR, ENDLESS };
struct rule {
	const char *command; /* how the command begins */
	enum trick trick;
	const char *bytes; /* ANSWER, LATE: the reply */
	int skip, times;   /* skip so many first; times 0 = from now on */
};

struct fake {
	struct transport base;
	struct rule rules[4];
	struct printer_override overrides[8];
	char log[8192]; /* command texts, each followed by '|'; planes without their data */
	char pipe[4096];
	size_t pipe_len, fill; /* fill: bytes that came outside commands */
	const char *version, *latched, *late;
	uint8_t port;
	bool endless, closed, unplugged, waits; /* waits: for the rest of a plane */
};

extern const struct usb_printer p310i;
extern const struct usb_printer p430i;
extern const struct ribbon ymcko;
extern const struct ribbon ymckok;
extern const struct ribbon black;

void fake_init(struct fake *f);
/* A setting of the printer, for the next open. */
void fake_set(struct fake *f, const char *name, const char *value);
/* An open printer, its log empty. */
struct printer *fake_open(struct fake *f, const struct usb_printer *id);
/* A front with all panels and a back in black. */
void faces_make(struct face faces[SIDE_COUNT]);
/* Begun, a card fed, loaded. */
struct printer *fake_ready(struct fake *f, const struct usb_printer *id, const struct ribbon *ribbon, bool duplex);

#endif
