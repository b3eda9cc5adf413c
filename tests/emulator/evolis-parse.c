/*
 * evolis-parse.c - framing of the Evolis command stream.
 *
 * Pure: bytes in, commands out, no device behind it. Whatever the input, it never reads past what
 * it was given, never keeps more than one command, and always finds the next start character again.
 *
 *   ESC name [; p1 ; ... pn] [; binary] CR        ESC may be missing directly after a CR
 *   00 ...                                        padding between commands
 *   anything else                                 foreign text, skipped up to the next ESC
 *
 * The binary part has no delimiter: its length follows from the parameters before it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <stdlib.h>
#include <string.h>

enum { OUTSIDE, TEXT, BMP_HEAD, BINARY, BINARY_END };

#define BMP_HEAD_LEN 6 /* "BM" and the file's length, little endian */

/* Commands with a binary part: it begins after this many separators. */
enum binary_size { SIZE_LEVELS, SIZE_LINES, SIZE_RESOLUTION, SIZE_COUNT_4TH, SIZE_BMP };
static const struct binary_form {
	const char *name;
	unsigned seps;
	enum binary_size size;
} binary_forms[] = {
	{"Db", 3, SIZE_LEVELS},
	{"Dbc", 4, SIZE_COUNT_4TH},
	{"Dbx", 5, SIZE_RESOLUTION},
	{"Dbp", 5, SIZE_LINES},
	{"Dbpc", 5, SIZE_COUNT_4TH},
	{"Dbmp", 5, SIZE_BMP},
};

void
parser_init(struct parser *p)
{
	memset(p, 0, sizeof *p);
	p->start = 27;
	p->sep = ';';
	p->end = 13;
}

void
parser_reset(struct parser *p)
{
	p->state = OUTSIDE;
	p->after_end = false;
	p->text_len = p->bin_len = p->bin_need = p->stray = 0;
	p->seps = 0;
	free(p->bin);
	p->bin = NULL;
}

void
parser_done(struct parser *p)
{
	free(p->bin);
	p->bin = NULL;
}

/* Splits text at the separators into name and argv. */
static void
parser_split(struct parser *p)
{
	size_t n = p->text_len < sizeof p->name - 1 ? p->text_len : sizeof p->name - 1;
	memcpy(p->name, p->text, n);
	p->name[n] = 0;
	p->argc = 0;
	for (size_t i = 0; i < n; i++) {
		if (p->name[i] != p->sep)
			continue;
		p->name[i] = 0;
		if (p->argc < COMMAND_ARGS_MAX)
			p->argv[p->argc++] = p->name + i + 1;
	}
}

static enum parse_event
parser_end(struct parser *p, const char *why)
{
	p->why = why;
	p->state = OUTSIDE;
	return why ? PARSE_BROKEN : PARSE_COMMAND;
}

static bool
number_parse(const char *s, unsigned long max, unsigned long *out)
{
	char *rest;
	if (*s < '0' || *s > '9')
		return false;
	*out = strtoul(s, &rest, 10);
	return !*rest && *out <= max;
}

/* At a separator: does the binary part begin here? PARSE_MORE: go on reading. */
static enum parse_event
parser_binary(struct parser *p)
{
	parser_split(p);
	const struct binary_form *f = NULL;
	for (size_t i = 0; i < EMU_LEN(binary_forms); i++)
		if (!strcmp(binary_forms[i].name, p->name) && binary_forms[i].seps == p->seps)
			f = &binary_forms[i];
	if (!f)
		return PARSE_MORE;
	if (p->argc) /* the empty string after the last separator is no parameter */
		p->argc--;
	unsigned long levels = 0, n = 0;
	switch (f->size) {
	case SIZE_LEVELS:
		n = number_parse(p->argv[1], 256, &levels) ? plane_size((unsigned)levels, LINES)
							   : 0;
		break;
	case SIZE_LINES:
		if (!number_parse(p->argv[1], 256, &levels) || !number_parse(p->argv[3], LINES, &n))
			n = 0;
		n = plane_size((unsigned)levels, (unsigned)n);
		break;
	case SIZE_RESOLUTION: /* lines follow the feed's resolution */
		if (!number_parse(p->argv[1], 256, &levels) ||
			!number_parse(p->argv[2], 1200, &n) || n % 300)
			n = 0;
		n = plane_size((unsigned)levels, LINES * (unsigned)(n / 300));
		break;
	case SIZE_COUNT_4TH:
		if (!number_parse(p->argv[p->argc - 1], COMMAND_BIN_MAX, &n))
			n = 0;
		break;
	case SIZE_BMP:
		n = BMP_HEAD_LEN;
		break;
	}
	if (!n)
		return parser_end(p, "the length of the binary part cannot be known");
	free(p->bin);
	p->bin = malloc(n);
	if (!p->bin)
		return parser_end(p, "no memory for the binary part");
	p->bin_need = n;
	p->bin_len = 0;
	p->state = f->size == SIZE_BMP ? BMP_HEAD : BINARY;
	return PARSE_MORE;
}

/* The head of a BMP file tells how much follows. */
static enum parse_event
parser_bmp(struct parser *p)
{
	const uint8_t *b = p->bin;
	size_t n = (size_t)b[2] | (size_t)b[3] << 8 | (size_t)b[4] << 16 | (size_t)b[5] << 24;
	if (b[0] != 'B' || b[1] != 'M' || n <= BMP_HEAD_LEN || n > COMMAND_BIN_MAX)
		return parser_end(p, "not a BMP file");
	uint8_t *more = realloc(p->bin, n);
	if (!more)
		return parser_end(p, "no memory for the binary part");
	p->bin = more;
	p->bin_need = n;
	p->state = BINARY;
	return PARSE_MORE;
}

static void
parser_start(struct parser *p)
{
	p->state = TEXT;
	p->text_len = 0;
	p->seps = 0;
	free(p->bin);
	p->bin = NULL;
	p->bin_len = p->bin_need = 0;
}

static enum parse_event
parser_text(struct parser *p, uint8_t c)
{
	if (c == p->start) {
		parser_start(p);
		return PARSE_MORE;
	}
	if (c == p->end) {
		parser_split(p);
		p->after_end = true;
		return parser_end(p, NULL);
	}
	if (p->text_len == sizeof p->text - 1) {
		parser_split(p);
		return parser_end(p, "a command without an end");
	}
	p->text[p->text_len++] = (char)c;
	if (c != p->sep)
		return PARSE_MORE;
	p->seps++;
	return parser_binary(p);
}

static void
parser_stray(struct parser *p, uint8_t c)
{
	if (!p->stray)
		p->stray_at = p->at;
	p->stray_last = (char)c;
	if (p->stray < sizeof p->stray_text - 1) {
		p->stray_text[p->stray] = c >= 0x20 && c < 0x7f ? (char)c : '.';
		p->stray_text[p->stray + 1] = 0;
	}
	p->stray++;
}

enum parse_event
parser_next(struct parser *p, const uint8_t **data, size_t *len)
{
	enum parse_event event = PARSE_MORE;
	while (*len && event == PARSE_MORE) {
		uint8_t c = **data;
		if (p->state == BINARY || p->state == BMP_HEAD) {
			size_t n =
				p->bin_need - p->bin_len < *len ? p->bin_need - p->bin_len : *len;
			memcpy(p->bin + p->bin_len, *data, n);
			p->bin_len += n;
			p->at += n;
			*data += n;
			*len -= n;
			if (p->bin_len == p->bin_need && p->state == BMP_HEAD)
				event = parser_bmp(p);
			else if (p->bin_len == p->bin_need)
				p->state = BINARY_END;
			continue;
		}
		bool starts = p->state == OUTSIDE &&
			      (c == p->start || (p->after_end && c >= 'A' && c <= 'Z'));
		if (p->state == OUTSIDE && p->stray && (starts || c == 0)) {
			event = PARSE_STRAY; /* the byte is looked at again */
			p->after_end = p->after_end && starts && c != p->start;
			return event;
		}
		if (p->state == BINARY_END) {
			p->after_end = c == p->end;
			event = parser_end(
				p, c == p->end ? NULL : "no end character after the binary part");
			if (c != p->end)
				return event; /* the byte may begin something else */
		} else if (starts) {
			parser_start(p);
			p->after_end = false;
			if (c != p->start)
				event = parser_text(p, c);
		} else if (p->state == OUTSIDE) {
			p->after_end = false;
			if (c)
				parser_stray(p, c);
		} else {
			event = parser_text(p, c);
		}
		p->at++;
		++*data;
		--*len;
	}
	return event;
}
