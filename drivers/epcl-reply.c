/*
 * epcl-reply.c - what an EPCL printer answers.
 *
 * Owns reading replies from bytes, what an error code means, and the answer about cleaning. Pure.
 * Guarantees that a reply is whole or bad, never half believed.
 *
 *   06                      accepted, ready for the next command
 *   15  d d  04             refused; the digits name the error ("-1" is one of them)
 *   text, one end byte      the answer to a question
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/epcl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ACK = 0x06, NACK = 0x15, EOT = 0x04 };

void
epcl_reply_init(struct epcl_reply *r)
{
	*r = (struct epcl_reply){.kind = EPCL_NOTHING};
}

/* The digits of a NACK: one to three, or -1. */
static bool
code_parse(const char *text, size_t len, int *code)
{
	int v = 0;

	if (strcmp(text, "-1") == 0) {
		*code = -1;
		return true;
	}
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		v = 10 * v + (text[i] - '0');
	}
	*code = v;
	return len > 0 && len <= 3 && v <= 255;
}

static void
nack_take(struct epcl_reply *r, uint8_t b)
{
	if (b == EOT)
		r->kind = code_parse(r->text, r->len, &r->code) ? EPCL_NACK : EPCL_BAD;
	else if (((b < '0' || b > '9') && b != '-') || r->len == 3)
		r->kind = EPCL_BAD;
	else
		r->text[r->len++] = (char)b;
}

static void
byte_take(struct epcl_reply *r, uint8_t b)
{
	bool text = b >= 0x20 && b < 0x7f;

	if (r->nack) {
		nack_take(r, b);
	} else if (r->begun && !text) {
		r->kind = b >= 0x7f ? EPCL_BAD : EPCL_TEXT;
	} else if (text && r->len == EPCL_TEXT_MAX) {
		r->kind = EPCL_BAD;
	} else if (text) {
		r->text[r->len++] = (char)b;
		r->begun = true;
	} else if (b == ACK) {
		r->kind = EPCL_ACK;
	} else if (b == EOT) { /* an answer that says nothing */
		r->kind = EPCL_TEXT;
	} else if (b == NACK) {
		r->nack = r->begun = true;
	} else if (b != 0 && b != '\r' && b != '\n') {
		r->kind = EPCL_BAD;
	}
}

bool
epcl_reply_feed(struct epcl_reply *r, const uint8_t *bytes, size_t len, size_t *used)
{
	for (*used = 0; *used < len && r->kind == EPCL_NOTHING; ++*used)
		byte_take(r, bytes[*used]);
	return r->kind != EPCL_NOTHING;
}

void
epcl_reply_close(struct epcl_reply *r)
{
	if (r->kind == EPCL_NOTHING && r->begun)
		r->kind = r->nack ? EPCL_BAD : EPCL_TEXT;
}

void
epcl_reply_describe(const struct epcl_reply *r, char *out, size_t max)
{
	if (r->kind == EPCL_ACK)
		snprintf(out, max, "ACK");
	else if (r->kind == EPCL_NACK)
		snprintf(out, max, "NACK %02d", r->code);
	else if (r->kind == EPCL_BAD)
		snprintf(out, max, "? %s", r->text);
	else
		snprintf(out, max, "%s", r->text);
}

/* "name:00025000" somewhere in text. */
static int
count_find(const char *text, const char *name, int64_t *value)
{
	const char *at = strstr(text, name);
	int64_t v = 0;
	size_t n = 0;

	if (!at)
		return ERR_PROTOCOL;
	for (at += strlen(name); *at >= '0' && *at <= '9' && n < 12; at++, n++)
		v = 10 * v + (*at - '0');
	if (n == 0 || (*at && *at != ' '))
		return ERR_PROTOCOL;
	*value = v;
	return 0;
}

int
epcl_cleaning_parse(const char *text, int64_t *passes, int64_t *left)
{
	int64_t seen = 0, next = 0;

	if (count_find(text, "Cpt imp:", &seen) || count_find(text, "next clean Prn:", &next))
		return ERR_PROTOCOL;
	*passes = seen;
	*left = next;
	return 0;
}

/* ---- error codes ----------------------------------------------------------- */

/* A mechanical error is named by what was under way. */
static const enum fault jams[EPCL_DOINGS] = {
	[EPCL_SETUP] = FAULT_MECHANICAL,
	[EPCL_FEED] = FAULT_JAM_FEED,
	[EPCL_DOCK] = FAULT_JAM_STATION,
	[EPCL_PRINT] = FAULT_JAM_PRINT,
	[EPCL_FLIP] = FAULT_JAM_FLIP,
	[EPCL_EJECT] = FAULT_JAM_EJECT,
	[EPCL_REJECT] = FAULT_JAM_REJECT,
};

/* Numbers: the 1999 manual (1-6, 10-14, 20-22, 30) and the vendor's SDK header (all). */
static const struct {
	int from, to;
	enum fault fault; /* FAULT_MECHANICAL: jams[] says which */
} codes[] = {
	{-1, -1, FAULT_MECHANICAL}, /* mechanical error of the printer */
	{1, 1, FAULT_RIBBON_END},   /* ribbon broken or missing */
	{2, 2, FAULT_HEAD_HOT},
	{3, 3, FAULT_MECHANICAL}, /* feeding, jam */
	{4, 4, FAULT_HOPPER_EMPTY},
	{5, 6, FAULT_NONE},       /* card in, not in the encoder: a status */
	{7, 7, FAULT_COVER_OPEN}, /* head open */
	{8, 8, FAULT_RIBBON_END},
	{9, 9, FAULT_RIBBON_WRONG}, /* the ribbon has to come out */
	{10, 14, FAULT_REFUSED},    /* command, coordinates, bar code, font */
	{20, 22, FAULT_REFUSED},    /* data syntax */
	{30, 32, FAULT_REFUSED},    /* image set-up, width, height */
	{33, 34, FAULT_STALL},      /* image checksum, data time-out */
	{35, 35, FAULT_RIBBON_WRONG},
	{40, 42, FAULT_MAGNETIC},
	{43, 44, FAULT_MECHANICAL}, /* encoder */
	{45, 45, FAULT_JAM_STATION},
	{47, 47, FAULT_JAM_FLIP},
	{48, 48, FAULT_COVER_OPEN},
	{49, 51, FAULT_MAGNETIC},
	{52, 52, FAULT_MECHANICAL}, /* flash */
	{53, 54, FAULT_REFUSED},    /* no access, sequence */
	{55, 57, FAULT_CHIP_WRITE},
};

enum fault
epcl_code_fault(int code, enum epcl_doing doing)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (code >= codes[i].from && code <= codes[i].to)
			return codes[i].fault == FAULT_MECHANICAL ? jams[doing] : codes[i].fault;
	return jams[doing];
}
