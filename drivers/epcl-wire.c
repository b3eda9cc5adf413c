/*
 * epcl-wire.c - the bytes of the EPCL command language.
 *
 * Owns building commands, turning planes into the printer's order, both run forms, and reading
 * replies. Pure: no device, no state, every length checked before it is used. On failure nothing is
 * appended that a printer could take for a command.
 *
 * A command:     1B  letters p1 p2 ...  0D
 * Colour plane:  1B "GS " index " 30 0 0 " lines " " dots " "  runs  0D
 *                1B "GS " index " 32 0 0 " lines " " dots " "  one byte a dot  0D
 *   colour runs: 80+n value: n times value (n = 1 ... 127, value 0 ... 31); value alone: once.
 *                The first item is a run.
 * One-bit plane: 1B "G 0 0 12 " dots " " lines " 1"  0D    1B "Z"  runs   0D
 *                1B "G 0 0 10 " dots " " lines " 1"  0D    1B "Z"  bytes  0D    (vG, vZ: overlay)
 *   mono runs:   80+n byte: n times byte; n, n bytes: as they are (n = 1 ... 31 here).
 *                The first item is a run.
 * Order of dots: the first line is the right edge of the upright landscape card; a line runs from
 *                top to bottom.
 * A reply:       06 | 15 digits 04 | text and one end byte
 *
 * Colour levels 13 and 27 and literal counts 13 and 27 are never sent: whether the printer goes by
 * count inside data is not certain, and as bytes they are CR and ESC.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/epcl.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ACK = 0x06, NACK = 0x15, EOT = 0x04, ESC = 0x1b, CR = 0x0d, ESCAPE = '[' };

#define RUN_MAX      127
#define LITERALS_MAX 31
#define SIDE_MAX     4096 /* dots or lines; far above any head */

/* ---- run forms ------------------------------------------------------------- */

static bool
is_control(unsigned byte)
{
	return byte == CR || byte == ESC || byte == ESCAPE;
}

void
epcl_levels(uint8_t table[256], unsigned levels)
{
	for (unsigned v = 0; v < 256; v++) {
		unsigned level = (v * (levels - 1) + 127) / 255;
		if (is_control(level))
			level += level == CR ? -1 : 1;
		table[v] = (uint8_t)level;
	}
}

static size_t
run_length(const uint8_t *in, size_t n)
{
	size_t max = n < RUN_MAX ? n : RUN_MAX, len = 1;

	while (len < max && in[len] == in[0])
		len++;
	return len;
}

size_t
epcl_colour_pack(uint8_t *out, const uint8_t *in, size_t n)
{
	size_t len = 0;

	for (size_t at = 0; at < n;) {
		size_t run = run_length(in + at, n - at);
		if (run > 1 || at == 0)
			out[len++] = (uint8_t)(0x80 | run);
		out[len++] = in[at];
		at += run;
	}
	return len;
}

/* How many bytes from here on go as they are. */
static size_t
literal_length(const uint8_t *in, size_t n)
{
	size_t max = n < LITERALS_MAX ? n : LITERALS_MAX, len = 1;

	while (len < max && !(len + 2 < n && in[len] == in[len + 1] && in[len] == in[len + 2]))
		len++;
	return is_control((unsigned)len) ? len - 1 : len;
}

size_t
epcl_mono_pack(uint8_t *out, const uint8_t *in, size_t n)
{
	size_t len = 0;

	for (size_t at = 0; at < n;) {
		size_t run = run_length(in + at, n - at);
		if (run > 2 || at == 0) {
			out[len++] = (uint8_t)(0x80 | run);
			out[len++] = in[at];
			at += run;
			continue;
		}
		size_t literals = literal_length(in + at, n - at);
		out[len++] = (uint8_t)literals;
		memcpy(out + len, in + at, literals);
		len += literals;
		at += literals;
	}
	return len;
}

/* ---- planes ---------------------------------------------------------------- */

int
epcl_command(struct buf *out, const char *text, struct err *e)
{
	for (const char *c = text; *c; c++)
		if (!isprint((unsigned char)*c))
			return err_set(
				e, ERR_INTERNAL, _("A printer command carries a control byte."));
	return buf_printf(out, e, "\033%s\r", text);
}

static int
plane_check(const struct plane *p, unsigned bits, const struct epcl_format *f, struct err *e)
{
	bool drawn = p->fill == PLANE_DATA;

	if (!drawn && p->fill != PLANE_FULL)
		return err_set(e, ERR_INTERNAL, _("A plane cannot be sent in this form."));
	if (f->dots == 0 || f->lines == 0 || f->dots > SIDE_MAX || f->lines > SIDE_MAX ||
		f->dots % 8 || (f->levels != 32 && f->levels != 256))
		return err_set(e, ERR_INTERNAL, _("The print head has an impossible shape."));
	if (drawn && (p->bits != bits || p->dots == 0 || p->lines == 0 || p->dots > SIDE_MAX ||
			     p->lines > SIDE_MAX || p->stride < plane_stride(bits, p->dots)))
		return err_set(e, ERR_INTERNAL, _("A plane has the wrong depth for its panel."));
	return 0;
}

/* The plane lies centred under the head: the first index of each that both have, and how many. */
struct overlap {
	unsigned from, to, n;
};

static struct overlap
overlap_make(unsigned plane, unsigned head)
{
	struct overlap o = {.n = plane < head ? plane : head};

	o.from = (plane - o.n) / 2;
	o.to = (head - o.n) / 2;
	return o;
}

/* The line of the plane that goes out as line i, NULL for a blank one: the last line goes first. */
static const uint8_t *
plane_line(const struct plane *p, const struct overlap *lines, unsigned i)
{
	if (i < lines->to || i - lines->to >= lines->n)
		return NULL;
	return p->data + (size_t)(p->lines - 1 - lines->from - (i - lines->to)) * p->stride;
}

/* Last dot first. out: lines * dots bytes, zeroed. */
static void
colour_dots(uint8_t *out, const struct plane *p, const struct epcl_format *f)
{
	struct overlap lines = overlap_make(p->lines, f->lines);
	struct overlap dots = overlap_make(p->dots, f->dots);
	uint8_t level[256];

	epcl_levels(level, f->levels);
	for (unsigned i = 0; i < f->lines; i++, out += f->dots) {
		const uint8_t *in = plane_line(p, &lines, i);
		if (!in)
			continue;
		in += p->dots - 1 - dots.from;
		for (unsigned d = 0; d < dots.n; d++)
			out[dots.to + d] = level[in[-(ptrdiff_t)d]];
	}
}

static uint8_t
bits_reversed(unsigned b)
{
	b = (b & 0xf0) >> 4 | (b & 0x0f) << 4;
	b = (b & 0xcc) >> 2 | (b & 0x33) << 2;
	return (uint8_t)((b & 0xaa) >> 1 | (b & 0x55) << 1);
}

/* Eight dots of a plane's line in reverse, the first of them at index last; outside it is blank. */
static uint8_t
bits_back(const uint8_t *in, size_t stride, ptrdiff_t last)
{
	ptrdiff_t first = last - 7, byte = first >= 0 ? first / 8 : -((7 - first) / 8);
	unsigned left = byte >= 0 && byte < (ptrdiff_t)stride ? in[byte] : 0;
	unsigned right = byte + 1 >= 0 && byte + 1 < (ptrdiff_t)stride ? in[byte + 1] : 0;
	unsigned shift = (unsigned)(first - 8 * byte);

	return bits_reversed(((left << 8 | right) << shift) >> 8 & 0xff);
}

static void
mono_dots(uint8_t *out, const struct plane *p, const struct epcl_format *f)
{
	struct overlap lines = overlap_make(p->lines, f->lines);
	struct overlap dots = overlap_make(p->dots, f->dots);
	size_t used = plane_stride(1, p->dots), line_len = f->dots / 8;
	ptrdiff_t last = (ptrdiff_t)p->dots - 1 - dots.from + dots.to;

	for (unsigned i = 0; i < f->lines; i++, out += line_len) {
		const uint8_t *in = plane_line(p, &lines, i);
		for (size_t b = 0; in && b < line_len; b++)
			out[b] = bits_back(in, used, last - 8 * (ptrdiff_t)b);
	}
}

int
epcl_colour_plane(struct buf *out, unsigned index, const struct plane *p,
	const struct epcl_format *f, struct err *e)
{
	size_t start = out->len, n = (size_t)f->dots * f->lines;
	uint8_t *dots = NULL;
	int rc = plane_check(p, 8, f, e);

	if (rc)
		return rc;
	dots = calloc(1, n);
	if (!dots)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	if (p->fill == PLANE_FULL)
		memset(dots, (int)f->levels - 1, n);
	else
		colour_dots(dots, p, f);
	rc = buf_printf(out, e, "\033GS %u %u 0 0 %u %u ", index, f->levels == 32 ? 30 : 32,
		f->lines, f->dots);
	if (rc == 0)
		rc = buf_reserve(out, n + 2, e);
	if (rc)
		goto out;
	if (f->levels == 32) {
		out->len += epcl_colour_pack(out->data + out->len, dots, n);
	} else {
		memcpy(out->data + out->len, dots, n);
		out->len += n;
	}
	out->data[out->len++] = CR;
out:
	if (rc)
		out->len = start;
	free(dots);
	return rc;
}

/* '[' before each control byte. */
static int
escaped_append(struct buf *out, const uint8_t *in, size_t n, struct err *e)
{
	int rc = buf_reserve(out, 2 * n, e);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (is_control(in[i]))
			out->data[out->len++] = ESCAPE;
		out->data[out->len++] = in[i];
	}
	return rc;
}

int
epcl_mono_plane(struct buf *out, char *area, size_t area_max, bool varnish, const struct plane *p,
	const struct epcl_format *f, struct err *e)
{
	size_t start = out->len, n = (size_t)f->dots / 8 * f->lines, len = n;
	uint8_t *dots = NULL, *runs = NULL;
	bool packed = false;
	int rc = plane_check(p, 1, f, e);

	if (rc)
		return rc;
	dots = calloc(1, n);
	runs = malloc(EPCL_MONO_MAX(n));
	if (!dots || !runs) {
		rc = err_set(e, ERR_SYSTEM, _("Out of memory."));
		goto out;
	}
	if (p->fill == PLANE_FULL)
		memset(dots, 0xff, n);
	else
		mono_dots(dots, p, f);
	if (!f->mono_raw) {
		len = epcl_mono_pack(runs, dots, n);
		packed = len < n;
	}
	snprintf(area, area_max, "%sG 0 0 %d %u %u 1", varnish ? "v" : "", packed ? 12 : 10,
		f->dots, f->lines);
	rc = buf_printf(out, e, "\033%sZ", varnish ? "v" : "");
	if (rc == 0 && f->escape)
		rc = escaped_append(out, packed ? runs : dots, packed ? len : n, e);
	else if (rc == 0)
		rc = buf_append(out, packed ? runs : dots, packed ? len : n, e);
	if (rc == 0)
		rc = buf_append(out, "\r", 1, e);
out:
	if (rc)
		out->len = start;
	free(dots);
	free(runs);
	return rc;
}
