/*
 * status-word.c - the machine's state as the status words of the vendor's software.
 *
 * Pure. How these words travel on the wire is not known, so no command answers them; observers of
 * the emulator find them in its status. Bits: tables 5.1 to 5.5 of the protocol document.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <string.h>

enum { CFG, INF, WAR, ERR, EX1 };
const char *const status_word_names[STATUS_WORDS] = {"cfg", "inf", "war", "err", "ex1"};

#define RIBBON_LOW_SETS 10u /* model value */
#define HOPPER_LOW      10u /* model value */

static void
bits_set(uint32_t *word, bool is, uint32_t bits)
{
	if (is)
		*word |= bits;
}

/* Waiting, nothing is lost. */
static uint32_t
word_war(const struct printer *p)
{
	const struct reel *r = &p->reel;
	uint32_t w = 0;
	bits_set(&w, p->faults.reject_full || p->reject_now >= p->reject_capacity, 0x08000000);
	bits_set(&w, printer_hopper(p) == 0, 0x01000000);
	bits_set(&w, p->faults.head_hot, 0x00200000);
	bits_set(&w, p->faults.output_full || p->output_now >= p->output_capacity, 0x00100000);
	bits_set(&w, r->kind && (r->ended || r->sets == 0), 0x00080000);
	bits_set(&w, p->faults.cover_open, 0x00020000);
	bits_set(&w, !r->kind, 0x00010000);
	return w;
}

/* A job is broken: a card is inside. */
static uint32_t
word_err(const struct printer *p)
{
	uint32_t w = 0;
	bits_set(&w, p->faults.head_hot, 0x20000000);
	bits_set(&w, p->jammed && p->jam_step == STEP_FEED, 0x08000000);
	bits_set(&w, p->faults.cover_open, 0x02000000);
	bits_set(&w, p->jammed, 0x01000000);
	bits_set(&w, p->reject_refused, 0x00800000);
	bits_set(&w, p->reel.kind && (p->reel.ended || p->reel.sets == 0), 0x00200000);
	bits_set(&w, p->output_refused, 0x00100000);
	bits_set(&w, p->faults.magnet_checksum, 0x00040000);
	bits_set(&w, p->faults.magnet_read, 0x00020000);
	bits_set(&w, p->faults.magnet_write, 0x00010000);
	return p->inside ? w : 0;
}

static uint32_t
word_inf(const struct printer *p)
{
	uint32_t w = 0;
	bool due = printer_cleaning_due(p);
	bits_set(&w, printer_hopper(p) > 0, 0x20000000);
	bits_set(&w, p->position == POS_CONTACTLESS, 0x08000000);
	bits_set(&w, p->position == POS_CONTACT, 0x04000000);
	bits_set(&w, p->position == POS_PRINT, 0x02000000);
	bits_set(&w, p->reel.kind && p->reel.sets < RIBBON_LOW_SETS, 0x00080000);
	bits_set(&w, due, 0x00020000 | 0x00000100);
	bits_set(&w, p->busy, 0x00000001);
	return w;
}

void
status_words(const struct printer *p, uint32_t out[STATUS_WORDS])
{
	const struct model *m = p->model;
	memset(out, 0, STATUS_WORDS * sizeof *out);
	out[CFG] = m->cfg;
	bits_set(&out[CFG], m->ex1 != 0, 0x08000000);
	bits_set(&out[CFG], m->duplex, 0x00100000);
	bits_set(&out[CFG], m->contactless, 0x00080000);
	bits_set(&out[CFG], m->contact, 0x00040000);
	bits_set(&out[CFG], m->magnetic, 0x00020000);
	bits_set(&out[CFG], m->fine, 0x00000400);
	out[INF] = word_inf(p);
	out[WAR] = word_war(p);
	out[ERR] = word_err(p);
	out[EX1] = m->ex1;
	bits_set(&out[EX1], m->ex1 && printer_hopper(p) > 0 && printer_hopper(p) < HOPPER_LOW,
		0x00000100);
}
