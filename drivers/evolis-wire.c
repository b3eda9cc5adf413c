/*
 * evolis-wire.c - the bytes of the Evolis command set.
 *
 * Owns building commands, packing planes and reading replies. Pure: no device, no state, every
 * length checked before it is used. On failure nothing is appended that a printer could take for a
 * command.
 *
 * A command:      1B  name ; p1 ; ... ; pn  0D
 * A whole plane:  1B "Db;" letter ";" levels ";"  data  0D
 *                 data: bits most significant first, no gap between lines, 1016 x 648 dots:
 *                 2 levels 82296 bytes, 32 411480, 64 493776, 128 576072, 256 658368
 * A short plane:  1B "Dbc;" letter ";2;" bytes ";"  data  0D  00 ...
 *                 data, line by line:  n, n bytes (n = 1 ... 81, the rest of the line is 0)
 *                                      or 00 (empty line) or FF (full line)
 * A reply:        text, then 00, CR, LF or the end of the transfer
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/evolis.h"

#include <ctype.h>
#include <endian.h>
#include <string.h>

#define LINE_LEN_MAX 81 /* bytes of 648 dots: the largest count a run line can carry */

/* ---- packing --------------------------------------------------------------- */

unsigned
wire_bits(unsigned levels)
{
	static const struct {
		unsigned levels, bits;
	} table[] = {{2, 1}, {32, 5}, {64, 6}, {128, 7}, {256, 8}};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].levels == levels)
			return table[i].bits;
	return 0;
}

/*
 * Eight values in one word, first value in the top byte, become 8 * bits bits at the bottom: pairs
 * are pushed together three times, each time in lanes twice as wide.
 */
static inline uint64_t
word_pack(uint64_t x, unsigned bits)
{
	const uint64_t one = (UINT64_C(1) << bits) - 1, two = (UINT64_C(1) << 2 * bits) - 1,
		       four = (UINT64_C(1) << 4 * bits) - 1;

	x >>= 8 - bits;
	x = ((x >> 8 & one * UINT64_C(0x0001000100010001)) << bits) |
	    (x & one * UINT64_C(0x0001000100010001));
	x = ((x >> 16 & two * UINT64_C(0x0000000100000001)) << 2 * bits) |
	    (x & two * UINT64_C(0x0000000100000001));
	return ((x >> 32 & four) << 4 * bits) | (x & four);
}

/* bits is a constant at every call, so that each depth gets a loop of its own. */
static inline __attribute__((always_inline)) void
depth_pack(uint8_t *out, const uint8_t *in, size_t n, unsigned bits, bool turned)
{
	size_t whole = n / 8, i;
	uint64_t x;

	/* A store of eight bytes reaches 8 - bits bytes into the next groups, so the last ones go
	 * singly. */
	for (i = 0; i + 1 + 8 / bits <= whole; i++) {
		memcpy(&x, turned ? in + n - 8 * (i + 1) : in + 8 * i, sizeof x);
		x = turned ? le64toh(x) : be64toh(x);
		x = htobe64(word_pack(x, bits) << (64 - 8 * bits));
		memcpy(out + i * bits, &x, sizeof x);
	}
	out += i * bits;
	unsigned held = 0, left = 0;
	for (i *= 8; i < n; i++) {
		held = held << bits | in[turned ? n - 1 - i : i] >> (8 - bits);
		for (left += bits; left >= 8; left -= 8)
			*out++ = (uint8_t)(held >> (left - 8));
	}
	if (left > 0)
		*out = (uint8_t)(held << (8 - left));
}

static void
bytes_turn(uint8_t *out, const uint8_t *in, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = in[n - 1 - i];
}

void
wire_pack(uint8_t *out, const uint8_t *in, size_t n, unsigned bits, bool turned)
{
	if (bits == 8 && turned)
		bytes_turn(out, in, n);
	else if (bits == 8)
		memcpy(out, in, n);
	else if (bits == 7)
		depth_pack(out, in, n, 7, turned);
	else if (bits == 6)
		depth_pack(out, in, n, 6, turned);
	else if (bits == 5)
		depth_pack(out, in, n, 5, turned);
}

/* Turns a whole one-bit plane: last byte first, and each byte's bits from the other end. */
static void
bits_turn(uint8_t *out, const uint8_t *in, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned b = in[n - 1 - i];
		b = (b & 0xf0) >> 4 | (b & 0x0f) << 4;
		b = (b & 0xcc) >> 2 | (b & 0x33) << 2;
		out[i] = (uint8_t)((b & 0xaa) >> 1 | (b & 0x55) << 1);
	}
}

size_t
wire_squeeze(uint8_t *out, const uint8_t *in, size_t line_len, unsigned lines, bool short_lines)
{
	size_t len = 0;

	for (unsigned line = 0; line < lines; line++, in += line_len) {
		size_t used = line_len, full = 0;
		while (used > 0 && in[used - 1] == 0)
			used--;
		while (short_lines && full < line_len && in[full] == 0xff)
			full++;
		if (short_lines && (used == 0 || full == line_len)) {
			if (out)
				out[len] = used == 0 ? 0x00 : 0xff;
			len++;
			continue;
		}
		if (used == 0)
			used = 1;
		if (out) {
			out[len] = (uint8_t)used;
			memcpy(out + len + 1, in, used);
		}
		len += 1 + used;
	}
	return len;
}

/* ---- commands -------------------------------------------------------------- */

int
wire_command(struct buf *out, const char *text, struct err *e)
{
	for (const char *c = text; *c; c++)
		if (!isprint((unsigned char)*c))
			return err_set(
				e, ERR_INTERNAL, _("A printer command carries a control byte."));
	return buf_printf(out, e, "\033%s\r", text);
}

/* The dots of a plane as the head wants them, before squeezing. out holds exactly len bytes. */
static void
plane_dots(uint8_t *out, size_t len, const struct plane *p, unsigned bits, bool turned)
{
	if (p->fill == PLANE_FULL) {
		memset(out, 0xff, len);
		return;
	}
	size_t line_len = len / p->lines;
	for (unsigned line = 0; line < p->lines; line++, out += line_len) {
		const uint8_t *in = p->data + (turned ? p->lines - 1 - line : line) * p->stride;
		if (bits > 1)
			wire_pack(out, in, p->dots, bits, turned);
		else if (turned)
			bits_turn(out, in, line_len);
		else
			memcpy(out, in, line_len);
	}
}

/* Whole bytes in every line make every plane gapless; the heads of this family have 648 dots. */
static int
plane_check(const struct plane *p, unsigned bits, struct err *e)
{
	bool drawn = p->fill == PLANE_DATA;

	if (bits == 0 || (p->fill != PLANE_FULL && !drawn))
		return err_set(e, ERR_INTERNAL, _("A plane cannot be sent in this form."));
	if (p->lines == 0 || p->dots == 0 || p->dots % 8 || p->dots / 8 > LINE_LEN_MAX)
		return err_set(e, ERR_INTERNAL,
			_("A plane of %u x %u dots does not fit the print head."), p->dots,
			p->lines);
	if (p->bits != (bits == 1 ? 1 : 8) || (drawn && p->stride < p->dots / 8 * p->bits))
		return err_set(e, ERR_INTERNAL, _("A plane has the wrong depth for its panel."));
	return 0;
}

/* Squeezed form of the dots, with its padding. */
static int
squeezed_append(struct buf *out, char letter, const uint8_t *dots, size_t len, size_t squeezed,
	unsigned lines, const struct wire_plane_format *format, struct err *e)
{
	size_t start = out->len;
	int rc = buf_printf(out, e, "\033Dbc;%c;%u;%zu;", letter, format->levels, squeezed);

	if (rc == 0)
		rc = buf_reserve(out, squeezed + 1 + format->pad, e);
	if (rc)
		return rc;
	wire_squeeze(out->data + out->len, dots, len / lines, lines, format->short_lines);
	out->len += squeezed;
	out->data[out->len++] = '\r';
	while (format->pad && (out->len - start) % format->pad)
		out->data[out->len++] = 0;
	return 0;
}

int
wire_plane(struct buf *out, char letter, const struct plane *p,
	const struct wire_plane_format *format, struct err *e)
{
	unsigned bits = wire_bits(format->levels);
	size_t start = out->len, len;
	struct buf short_form;
	int rc = plane_check(p, bits, e);

	if (rc)
		return rc;
	len = (size_t)p->dots / 8 * bits * p->lines;
	rc = buf_printf(out, e, "\033Db;%c;%u;", letter, format->levels);
	if (rc == 0)
		rc = buf_reserve(out, len + 1, e);
	if (rc)
		goto fail;
	uint8_t *dots = out->data + out->len;
	plane_dots(dots, len, p, bits, format->turned);
	out->len += len;
	out->data[out->len++] = '\r';
	if (bits > 1 || !format->compressed)
		return 0;
	size_t squeezed = wire_squeeze(NULL, dots, len / p->lines, p->lines, format->short_lines);
	if (squeezed >= len)
		return 0;
	buf_init(&short_form, squeezed + 64 + format->pad);
	rc = squeezed_append(&short_form, letter, dots, len, squeezed, p->lines, format, e);
	if (rc == 0) {
		out->len = start;
		rc = buf_append(out, short_form.data, short_form.len, e);
	}
	buf_done(&short_form);
	if (rc == 0)
		return 0;
fail:
	out->len = start;
	return rc;
}

/* ---- replies --------------------------------------------------------------- */

void
wire_reply_init(struct wire_reply *r)
{
	r->len = 0;
	r->text[0] = '\0';
	r->odd = false;
}

void
wire_reply_trim(struct wire_reply *r)
{
	size_t skip = 0;

	while (r->len > 0 && r->text[r->len - 1] == ' ')
		r->len--;
	while (skip < r->len && r->text[skip] == ' ')
		skip++;
	r->len -= skip;
	memmove(r->text, r->text + skip, r->len);
	r->text[r->len] = '\0';
}

enum wire_end
wire_reply_feed(struct wire_reply *r, const uint8_t *bytes, size_t len, size_t *used)
{
	bool ended = len == 0 && r->len > 0;

	for (*used = 0; *used < len && !ended; ++*used) {
		uint8_t b = bytes[*used];
		if (b == 0 || b == '\r' || b == '\n') {
			ended = r->len > 0;
			continue;
		}
		if (r->len == WIRE_REPLY_MAX)
			return WIRE_TOO_LONG;
		r->odd |= b < 0x20 || b > 0x7e;
		r->text[r->len++] = (char)b;
		r->text[r->len] = '\0';
	}
	if (!ended)
		return WIRE_MORE;
	wire_reply_trim(r);
	return WIRE_WHOLE;
}

/* The documented texts. A longer one stands before its own beginning. */
static const struct wire_text texts[] = {
	{"OK", WIRE_OK, FAULT_NONE},
	{"ERROR CDE", WIRE_REFUSED, FAULT_REFUSED},
	{"ERROR PARAMETRES", WIRE_REFUSED, FAULT_REFUSED},
	{"OPT NOT AVAILABLE", WIRE_REFUSED, FAULT_REFUSED},
	{"ERROR TIME OUT", WIRE_FAULT, FAULT_MECHANICAL},
	{"CARD JAM", WIRE_JAM, FAULT_MECHANICAL},
	{"FEEDER EMPTY", WIRE_FAULT, FAULT_HOPPER_EMPTY},
	{"COVER OPEN", WIRE_FAULT, FAULT_COVER_OPEN},
	{"HOPPER DOOR", WIRE_FAULT, FAULT_COVER_OPEN},
	{"HOPPER FULL", WIRE_FULL, FAULT_OUTPUT_FULL},
	{"ERROR HOPPER", WIRE_FAULT, FAULT_JAM_EJECT},
	{"ERROR HEAD", WIRE_FAULT, FAULT_HEAD_HOT},
	{"ERROR RIBBON", WIRE_FAULT, FAULT_RIBBON_END},
	{"ERR RIB DETECTION", WIRE_FAULT, FAULT_RIBBON_NONE},
	{"NEED CLEANING", WIRE_FAULT, FAULT_CLEANING_DUE},
	{"ERR NEED CLEANING", WIRE_FAULT, FAULT_CLEANING_DUE},
	{"ERROR FLASH UNKNOW", WIRE_FAULT, FAULT_MECHANICAL},
	{"ERROR CHECKSUM", WIRE_FAULT, FAULT_MECHANICAL},
	{"ERROR MAG DATA", WIRE_FAULT, FAULT_MECHANICAL},
	{"ERROR MAG CHECKSUM", WIRE_FAULT, FAULT_MECHANICAL},
	{"ERROR MAG", WIRE_FAULT, FAULT_MECHANICAL},
	{"ERROR UNKNOW", WIRE_FAULT, FAULT_MECHANICAL},
	{"ERROR", WIRE_FAULT, FAULT_MECHANICAL},
	{NULL, WIRE_UNKNOWN, FAULT_NONE},
};

const struct wire_text *
wire_text_find(const struct wire_reply *r)
{
	const struct wire_text *row = texts;

	for (; row->text && !r->odd; row++) {
		size_t n = strlen(row->text);
		if (strncmp(r->text, row->text, n) == 0 &&
			(!r->text[n] || strchr(" ;(", r->text[n])))
			return row;
	}
	return &texts[ARRAY_LEN(texts) - 1];
}

int
wire_number(const struct wire_reply *r, int64_t *value)
{
	int64_t v = 0;

	if (r->len == 0 || r->len > 12)
		return ERR_PROTOCOL;
	for (size_t i = 0; i < r->len; i++) {
		if (!isdigit((unsigned char)r->text[i]))
			return ERR_PROTOCOL;
		v = 10 * v + (r->text[i] - '0');
	}
	*value = v;
	return 0;
}

int
wire_volts(const struct wire_reply *r, unsigned *millivolts)
{
	const char *c = r->text;
	unsigned mv = 0, digits = 0, scale = 1000;

	for (; isdigit((unsigned char)*c) && digits < 3; c++, digits++)
		mv = 10 * mv + (unsigned)(*c - '0');
	if (digits == 0 || r->odd)
		return ERR_PROTOCOL;
	mv *= 1000;
	if (*c == ',' || *c == '.')
		for (c++; isdigit((unsigned char)*c); c++) {
			scale /= 10;
			mv += (unsigned)(*c - '0') * scale;
		}
	if (strcmp(c, " Volts") != 0)
		return ERR_PROTOCOL;
	*millivolts = mv;
	return 0;
}

int
wire_place(const struct wire_reply *r, enum card_place *place)
{
	static const struct {
		const char *text;
		enum card_place place;
	} places[] = {
		{"OK", PLACE_NONE},
		{"NO CARD", PLACE_NONE},
		{"CARD", PLACE_PRINT},
		{"SMART CARD", PLACE_CONTACT},
		{"CONTACTLESS CARD", PLACE_CONTACTLESS},
		{"ERR CARD", PLACE_SOMEWHERE},
		{"CARD JAM", PLACE_SOMEWHERE},
	};

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (strcmp(r->text, places[i].text) == 0) {
			*place = places[i].place;
			return 0;
		}
	return ERR_PROTOCOL;
}
