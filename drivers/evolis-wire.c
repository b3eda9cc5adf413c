/*
 * evolis-wire.c - the bytes of the Evolis command set.
 *
 * Owns building commands and framing planes. Pure: no device, no state, every length checked before
 * it is used. On failure nothing is appended that a printer could take for a command.
 *
 * A command:      1B  name ; p1 ; ... ; pn  0D
 * A whole plane:  1B "Db;" letter ";" levels ";"  data  0D
 *                 data: bits most significant first, no gap between lines, 1016 x 648 dots:
 *                 2 levels 82296 bytes, 32 411480, 64 493776, 128 576072, 256 658368
 * A short plane:  1B "Dbc;" letter ";2;" bytes ";"  data  0D  00 ...
 *                 data, line by line:  n, n bytes (n = 1 ... 81, the rest of the line is 0)
 *                                      or 00 (empty line) or FF (full line)
 * A part:         1B "Dbp;" letter ";" levels ";" first line ";" lines ";"  data of these lines  0D
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/evolis.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define LINE_LEN_MAX 81 /* bytes of 648 dots: the largest count a run line can carry */

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

/* The dots of the lines from first on as the head wants them, before squeezing: exactly len bytes.
 */
static void
plane_dots(uint8_t *out, size_t len, const struct plane *p, unsigned bits, bool turned,
	unsigned first, unsigned lines)
{
	size_t line_len = len / lines;

	if (p->fill == PLANE_FULL) {
		memset(out, 0xff, len);
		return;
	}
	if (bits > 1 && p->stride == p->dots) {
		size_t skip = (size_t)(turned ? p->lines - first - lines : first) * p->stride;
		wire_pack(out, p->data + skip, (size_t)p->dots * lines, bits, turned);
		return;
	}
	for (unsigned line = first; line < first + lines; line++, out += line_len) {
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

static int
plane_head(struct buf *out, char letter, const struct wire_plane_format *f, struct err *e)
{
	if (f->lines)
		return buf_printf(
			out, e, "\033Dbp;%c;%u;%u;%u;", letter, f->levels, f->first, f->lines);
	return buf_printf(out, e, "\033Db;%c;%u;", letter, f->levels);
}

int
wire_plane(struct buf *out, char letter, const struct plane *p,
	const struct wire_plane_format *format, struct err *e)
{
	unsigned bits = wire_bits(format->levels), lines = format->lines ? format->lines : p->lines;
	size_t start = out->len, len;
	struct buf short_form;
	int rc = plane_check(p, bits, e);

	if (rc == 0 && (format->first > p->lines || lines > p->lines - format->first))
		rc = err_set(e, ERR_INTERNAL, _("A part of a plane lies outside the card."));
	if (rc)
		return rc;
	len = (size_t)p->dots / 8 * bits * lines;
	rc = plane_head(out, letter, format, e);
	if (rc == 0)
		rc = buf_reserve(out, len + 1, e);
	if (rc)
		goto fail;
	uint8_t *dots = out->data + out->len;
	plane_dots(dots, len, p, bits, format->turned, format->first, lines);
	out->len += len;
	out->data[out->len++] = '\r';
	if (bits > 1 || !format->compressed || format->lines)
		return 0;
	size_t squeezed = wire_squeeze(NULL, dots, len / lines, lines, format->short_lines);
	if (squeezed >= len)
		return 0;
	buf_init(&short_form, squeezed + 64 + format->pad);
	rc = squeezed_append(&short_form, letter, dots, len, squeezed, lines, format, e);
	if (rc == 0 && short_form.len < out->len - start) { /* its head and padding count too */
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

/* ---- a plane again, plainer ------------------------------------------------ */

/* Runs back into lines of 81 bytes. in holds len bytes of wire_squeeze. */
static int
runs_expand(struct buf *out, const uint8_t *in, size_t len, struct err *e)
{
	uint8_t line[LINE_LEN_MAX];
	int rc = 0;

	for (size_t at = 0; at < len && rc == 0;) {
		uint8_t n = in[at++];
		memset(line, n == 0xff ? 0xff : 0, sizeof line);
		if (n != 0xff && (n > LINE_LEN_MAX || n > len - at))
			return err_set(e, ERR_INTERNAL, _("A plane cannot be sent in this form."));
		if (n != 0xff) {
			memcpy(line, in + at, n);
			at += n;
		}
		rc = buf_append(out, line, sizeof line, e);
	}
	return rc;
}

/* "Db;y;256;" and the like at the start of in: name, letter and numbers; how long it is, 0 = none.
 */
static size_t
head_parse(const struct buf *in, char name[4], char *letter, unsigned long number[2])
{
	char text[40];
	int used = 0;
	size_t n = in->len < sizeof text - 1 ? in->len : sizeof text - 1;

	memcpy(text, in->data, n);
	text[n] = '\0';
	number[1] = 0;
	if (sscanf(text, "\033%3[A-Za-z];%c;%lu;%n", name, letter, number, &used) != 3 || !used)
		return 0;
	if (strcmp(name, "Dbc") == 0) {
		int more = 0;
		if (sscanf(text + used, "%lu;%n", &number[1], &more) != 1 || !more)
			return 0;
		used += more;
	}
	return (size_t)used;
}

int
wire_plane_plainer(struct buf *out, const struct buf *in, struct err *e)
{
	char name[4], letter;
	unsigned long number[2];
	size_t head = head_parse(in, name, &letter, number);
	int rc;

	if (!head || in->len <= head || number[1] > in->len - head)
		return err_set(e, ERR_INTERNAL, _("A plane cannot be sent in this form."));
	if (strcmp(name, "Dbc") == 0) {
		rc = buf_printf(out, e, "\033Db;%c;%lu;", letter, number[0]);
		if (rc == 0)
			rc = runs_expand(out, in->data + head, number[1], e);
		return rc ? rc : buf_append(out, "\r", 1, e);
	}
	if (strcmp(name, "Db") != 0 || number[0] != 256)
		return ERR_MISSING;
	size_t dots = in->len - head - 1;
	rc = buf_printf(out, e, "\033Db;%c;128;", letter);
	if (rc == 0)
		rc = buf_reserve(out, (dots * 7 + 7) / 8 + 1, e);
	if (rc)
		return rc;
	wire_pack(out->data + out->len, in->data + head, dots, 7, false);
	out->len += (dots * 7 + 7) / 8;
	out->data[out->len++] = '\r';
	return 0;
}
