/*
 * evolis-fake.h - a small Evolis printer behind struct transport_ops, for the tests.
 *
 * It takes each write as one command, answers as a good printer does, and misbehaves by rules.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_EVOLIS_FAKE_H
#define CARDSPOOL_EVOLIS_FAKE_H

#include "drivers/evolis.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum trick { ANSWER, MUTE, LATE, BREAK_WRITE, ENDLESS };
struct rule {
	const char *command; /* how the command begins */
	enum trick trick;
	const char *text; /* ANSWER, LATE: the reply */
	enum fault fault; /* BREAK_WRITE: what the transport says after `done` bytes */
	size_t done;
	int times; /* 0 = from now on */
};

struct fake {
	struct transport base;
	struct rule rules[4];
	char log[8192]; /* command texts, each followed by a blank; planes without their dots */
	char pipe[4096], late[64];
	size_t pipe_len, piece; /* piece: bytes a read brings, 0 = all */
	size_t fill;            /* 00 bytes that came outside commands */
	const char *place, *end;
	const char *mdl; /* what Rtp answers */
	bool numbered;   /* the newer firmware: Rrt, but no Rr */
	char tags[1024]; /* text outside commands, without 00 */
	/* Every write that is a command or a tag, with its whole length; NULL: nobody listens. */
	void (*heard)(const char *bytes, size_t len);
	uint8_t port;
	bool endless, closed, unplugged;
};

extern const struct usb_printer fake_dualys;

void fake_answer(struct fake *f, const char *text);
void fake_init(struct fake *f);
/* A front with all panels and a back in black. */
void faces_make(struct face faces[SIDE_COUNT]);
/* A front with yellow from its line first to its line last; the caller frees it with face_done. */
void half_faces(struct face faces[SIDE_COUNT], unsigned first, unsigned last);
/* An open printer, its log empty. */
struct printer *fake_open(struct fake *f);
/* The same as a printer of that name and generation; f is fresh or has been through fake_init. */
struct printer *fake_open_as(struct fake *f, const char *mdl, bool numbered);
/* Begun with ribbon ymckok on both sides, loaded, and a card at place. */
struct printer *fake_ready(struct fake *f, enum card_place place);
struct printer *fake_make_ready(struct printer *p, struct fake *f, enum card_place place);
#endif
