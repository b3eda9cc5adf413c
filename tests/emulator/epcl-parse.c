/*
 * epcl-parse.c - framing of the EPCL command stream.
 *
 * Pure: bytes in, commands out, no device behind it. Whatever the input, it never reads past what
 * it was given and keeps no more than one command. Images are read by count, so control bytes
 * inside them mean nothing; an image that does not end where it must is skipped up to the next CR.
 *
 *   ESC name [SP] n1 SP n2 ... CR [LF]                   numbers, one space between
 *   ESC GS p1 p2 p3 p4 p5 p6 SP data CR                  p5 * p6 dots, raw or runs (colour form)
 *   ESC PS p1 p2 SP data CR                              the same for the whole card
 *   ESC Z data [sum] CR                                  the area of the last G, raw or runs
 *   ESC O data [sum] CR                                  one line of it; [ before 1B, 0D and 5B
 *   00 00 00 LL                                          a driver's record length: skipped
 *
 * Runs: 80+n v = n times v. Otherwise the byte is one dot (colour), or n bytes follow (mono).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/epcl.h"

#include <stdlib.h>
#include <string.h>

enum { OUTSIDE, PREFIX, PREFIXED, TEXT, IMAGE, SUM, IMAGE_END, SKIP };
enum { RAW, COLOUR_RUNS, MONO_RUNS };

#define ESC 0x1b
#define CR  0x0d
#define LF  0x0a

const char *const epcl_remarks[REMARK_COUNT] = {
	[REMARK_STRAY] = "bytes outside of a command",
	[REMARK_PREFIX] = "a record length before a command",
	[REMARK_RESTART] = "a command without an end",
	[REMARK_FIRST_RUN] = "compressed data do not begin with a run",
	[REMARK_ZERO] = "a count of 0",
	[REMARK_LEVEL] = "a level above 31",
	[REMARK_CONTROL] = "0D or 1B as a level or count",
};

void
epcl_parser_init(struct epcl_parser *p)
{
	memset(p, 0, sizeof *p);
	p->alternate = -1;
	p->takes_prefix = true;
}

void
epcl_parser_reset(struct epcl_parser *p)
{
	p->state = OUTSIDE;
	p->after_end = p->escaped = false;
	p->len = p->have = p->need = 0;
	free(p->data);
	p->data = NULL;
}

void
epcl_parser_done(struct epcl_parser *p)
{
	epcl_parser_reset(p);
}

bool
epcl_parser_inside(const struct epcl_parser *p)
{
	return p->state != OUTSIDE;
}

static void
remark(struct epcl_parser *p, enum epcl_remark what)
{
	if (p->remarked & 1u << what)
		return;
	p->remarked |= 1u << what;
	if (p->remark)
		p->remark(p->ctx, what, p->at);
}

unsigned
epcl_numbers(const char *text, long *out, unsigned max, const char **rest)
{
	unsigned n = 0;
	const char *at = text;
	while (n < max) {
		const char *digit = at + strspn(at, " ");
		char *end;
		if (!(*digit >= '0' && *digit <= '9') &&
			!(*digit == '-' && digit[1] >= '0' && digit[1] <= '9'))
			break;
		out[n++] = strtol(digit, &end, 10);
		at = end;
	}
	*rest = at + (*at == ' ');
	return n;
}

static bool
area_sides(long height, long lines)
{
	return height > 0 && lines > 0 && height <= (long)EPCL_SIDE_MAX &&
	       lines <= (long)EPCL_SIDE_MAX;
}

/* G tells how much a later Z carries, whether or not the printer takes it. */
static void
area_learn(struct epcl_parser *p)
{
	bool varnish = p->text[0] == 'v';
	const char *params = p->text + varnish + 1, *rest;
	long n[6];
	if (p->text[varnish] != 'G' || (*params != ' ' && (*params < '0' || *params > '9')))
		return;
	struct epcl_area *a = &p->area[varnish];
	*a = (struct epcl_area){0};
	if (epcl_numbers(params, n, 6, &rest) != 6 || !area_sides(n[3], n[4]))
		return;
	bool in_dots = n[2] >= 10 && n[2] <= 13;
	if (!in_dots && (n[2] < 0 || n[2] > 3))
		return;
	a->mode = (unsigned)n[2] % 10;
	a->line_bytes = in_dots ? ((size_t)n[3] + 7) / 8 : (size_t)n[3];
	a->lines = (size_t)n[4];
}

static void
image_begin(struct epcl_parser *p, size_t need, int format, bool sum)
{
	free(p->data);
	p->data = malloc(need ? need : 1);
	p->need = p->data ? need : 0;
	p->have = 0;
	p->format = format;
	p->run = p->literals = 0;
	p->begun = false;
	p->sum = 0;
	p->sum_follows = sum;
	p->state = IMAGE;
	if (!p->need) {
		p->code = CODE_GRAPHIC_START;
		p->state = SKIP;
	}
}

/* After each byte of text: does an image begin here? */
static void
image_look(struct epcl_parser *p)
{
	const char *t = p->text;
	bool varnish = t[0] == 'v';
	long n[7];
	const char *rest;
	if (t[varnish] == 'Z' && p->len == 1u + varnish) {
		const struct epcl_area *a = &p->area[varnish];
		image_begin(
			p, a->line_bytes * a->lines, a->mode & 2 ? MONO_RUNS : RAW, a->mode & 1);
		return;
	}
	bool part = t[0] == 'G', whole = t[0] == 'P';
	if (p->len < 4 || (!part && !whole) || t[1] != 'S' || t[p->len - 1] != ' ')
		return;
	if (epcl_numbers(t + 2, n, 7, &rest) != (part ? 6 : 2))
		return;
	size_t need = p->plane_dots * p->plane_lines;
	if (part)
		need = area_sides(n[5], n[4]) ? (size_t)n[4] * (size_t)n[5] : 0;
	if (n[1] != 30 && n[1] != 32)
		need = 0;
	image_begin(p, need, n[1] == 30 ? COLOUR_RUNS : RAW, false);
}

/* Names whose parameters are data: [ makes the next byte an ordinary one. */
static bool
text_escapes(const struct epcl_parser *p)
{
	bool varnish = p->len && p->text[0] == 'v';
	if (p->len == 0)
		return false;
	if (p->len >= 2 && p->text[0] == '&' && p->text[1] == 'B')
		return true;
	return p->len > varnish && strchr("OTB", p->text[varnish]) && p->text[varnish];
}

static void
text_begin(struct epcl_parser *p)
{
	p->state = TEXT;
	p->len = 0;
	p->text[0] = 0;
	p->code = 0;
	p->remarked = 0;
	p->escaped = p->after_end = false;
	p->have = p->need = 0;
	free(p->data);
	p->data = NULL;
}

static bool
command_end(struct epcl_parser *p)
{
	p->state = OUTSIDE;
	p->after_end = true;
	p->text[p->len] = 0;
	if (!p->need && !p->code)
		area_learn(p);
	return true;
}

/* True: a command is whole; with an initiator inside it, the byte is looked at again. */
static bool
text_byte(struct epcl_parser *p, uint8_t c, bool *again)
{
	if (!p->escaped && c == CR)
		return command_end(p);
	if (!p->escaped && c == ESC) {
		remark(p, REMARK_RESTART);
		p->code = CODE_PARAMETER;
		p->state = OUTSIDE;
		*again = true;
		return true;
	}
	if (!p->escaped && c == '[' && text_escapes(p)) {
		p->escaped = true;
		return false;
	}
	p->escaped = false;
	if (p->len == sizeof p->text - 1) {
		p->code = CODE_PARAMETER;
		p->state = SKIP;
		return false;
	}
	p->text[p->len++] = (char)c;
	p->text[p->len] = 0;
	image_look(p);
	return false;
}

/* ---- image data ---- */

static void
image_put(struct epcl_parser *p, uint8_t value, unsigned n)
{
	if (n > p->need - p->have) {
		p->code = CODE_GRAPHIC;
		p->state = SKIP;
		return;
	}
	memset(p->data + p->have, value, n);
	p->have += n;
}

static void
level_check(struct epcl_parser *p, uint8_t value)
{
	if (value > 31)
		remark(p, REMARK_LEVEL);
	if (value == CR || value == ESC)
		remark(p, REMARK_CONTROL);
}

/* A byte that begins a run, a literal, or is a dot. */
static void
item_byte(struct epcl_parser *p, uint8_t c)
{
	if (!p->begun && !(c & 0x80))
		remark(p, REMARK_FIRST_RUN);
	p->begun = true;
	if (c & 0x80) {
		p->run = c;
		if (c == 0x80)
			remark(p, REMARK_ZERO);
	} else if (p->format == COLOUR_RUNS) {
		level_check(p, c);
		image_put(p, c, 1);
	} else {
		p->literals = c;
		if (c == 0)
			remark(p, REMARK_ZERO);
		if (c == CR || c == ESC || c == '[')
			remark(p, REMARK_CONTROL);
	}
}

static void
image_byte(struct epcl_parser *p, uint8_t c)
{
	p->sum ^= c;
	if (p->format == RAW) {
		image_put(p, c, 1);
	} else if (p->run) {
		if (p->format == COLOUR_RUNS)
			level_check(p, c);
		image_put(p, c, p->run & 0x7f);
		p->run = 0;
	} else if (p->literals) {
		image_put(p, c, 1);
		p->literals--;
	} else {
		item_byte(p, c);
	}
	if (p->state != IMAGE || p->have < p->need || p->run)
		return;
	if (p->literals) {
		p->code = CODE_GRAPHIC;
		p->state = SKIP;
	} else {
		p->state = p->sum_follows ? SUM : IMAGE_END;
	}
}

/* Takes the data whole where they are raw. */
static bool
image_copy(struct epcl_parser *p, const uint8_t **data, size_t *len)
{
	if (p->state != IMAGE || p->format != RAW || p->escapes_image || p->sum_follows)
		return false;
	size_t n = p->need - p->have < *len ? p->need - p->have : *len;
	memcpy(p->data + p->have, *data, n);
	p->have += n;
	p->at += n;
	*data += n;
	*len -= n;
	if (p->have == p->need)
		p->state = IMAGE_END;
	return true;
}

static bool
image_escape(struct epcl_parser *p, uint8_t c)
{
	if (p->escapes_image && !p->escaped && c == '[') {
		p->escaped = true;
		return true;
	}
	p->escaped = false;
	return false;
}

static bool
behind_byte(struct epcl_parser *p, uint8_t c)
{
	switch (p->state) {
	case SUM:
		if (image_escape(p, c))
			return false;
		if (c != p->sum)
			p->code = CODE_CHECKSUM;
		p->state = IMAGE_END;
		return false;
	case IMAGE_END:
		if (c == CR)
			return command_end(p);
		p->code = CODE_GRAPHIC; /* more bytes than declared */
		p->state = SKIP;
		return false;
	default: /* SKIP */
		return c == CR && command_end(p);
	}
}

/* ---- outside ---- */

static void
outside_byte(struct epcl_parser *p, uint8_t c)
{
	bool prefixed = p->state == PREFIXED;
	if (c == ESC || (p->alternate >= 0 && c == p->alternate)) {
		text_begin(p);
		return;
	}
	if (prefixed) { /* the sample of this form leaves ESC out */
		bool again = false;
		text_begin(p);
		text_byte(p, c, &again);
		return;
	}
	if (c == LF && p->after_end) {
		p->after_end = false;
		return;
	}
	p->after_end = false;
	if (c == 0 && p->takes_prefix) {
		p->state = PREFIX;
		p->zeros = 1;
		return;
	}
	remark(p, REMARK_STRAY);
}

static void
prefix_byte(struct epcl_parser *p, uint8_t c)
{
	if (c == 0 && p->zeros < 3) {
		p->zeros++;
		return;
	}
	if (p->zeros == 3 && c) {
		p->state = PREFIXED;
		p->remarked = 0;
		remark(p, REMARK_PREFIX);
		return;
	}
	remark(p, REMARK_STRAY);
	p->state = OUTSIDE;
	if (c)
		outside_byte(p, c);
}

bool
epcl_parser_next(struct epcl_parser *p, const uint8_t **data, size_t *len)
{
	while (*len) {
		bool whole = false, again = false;
		if (image_copy(p, data, len))
			continue;
		uint8_t c = **data;
		if (p->state == OUTSIDE || p->state == PREFIXED)
			outside_byte(p, c);
		else if (p->state == PREFIX)
			prefix_byte(p, c);
		else if (p->state == TEXT)
			whole = text_byte(p, c, &again);
		else if (p->state != IMAGE)
			whole = behind_byte(p, c);
		else if (!image_escape(p, c))
			image_byte(p, c);
		if (!again) {
			p->at++;
			++*data;
			--*len;
		}
		if (whole)
			return true;
	}
	return false;
}

int
epcl_line_expand(uint8_t *out, size_t need, const uint8_t *in, size_t len, bool packed, bool sum)
{
	size_t have = 0;
	if (sum) {
		uint8_t x = 0;
		if (!len)
			return CODE_GRAPHIC;
		for (size_t i = 0; i < len; i++)
			x ^= in[i];
		if (x)
			return CODE_CHECKSUM;
		len--;
	}
	for (size_t i = 0; i < len;) {
		size_t n = packed ? in[i] & 0x7f : len;
		bool run = packed && in[i] & 0x80;
		i += packed;
		if (n > need - have || (run ? i >= len : n > len - i))
			return CODE_GRAPHIC;
		if (run)
			memset(out + have, in[i], n);
		else
			memcpy(out + have, in + i, n);
		have += n;
		i += run ? 1 : n;
	}
	return have == need ? 0 : CODE_GRAPHIC;
}
