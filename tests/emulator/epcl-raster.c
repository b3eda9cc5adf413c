/*
 * epcl-raster.c - the image buffers of the Zebra printers, and from a buffer to the picture on the
 * card.
 *
 * Pure. Owns the mapping: line 0 is the right edge of the landscape card, the dots of a line run
 * from its top. Whatever lies beyond the buffer is cut and remembered in `clipped`; beyond what an
 * image may declare it is refused and nothing is stored.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/epcl.h"

#include <stdlib.h>
#include <string.h>

void
raster_clear(struct epcl_raster *r, enum epcl_buffer b)
{
	free(r->plane[b]);
	r->plane[b] = NULL;
}

void
raster_done(struct epcl_raster *r)
{
	for (int b = 0; b < B_COUNT; b++)
		raster_clear(r, (enum epcl_buffer)b);
}

static uint8_t *
plane_get(struct epcl_raster *r, enum epcl_buffer b)
{
	if (!r->plane[b])
		r->plane[b] = calloc(r->lines, r->dots);
	return r->plane[b];
}

static int
area_check(const struct epcl_raster *r, long x, long y, long lines, long dots)
{
	if (x < 0 || y < 0 || x >= (long)r->max_lines || y >= (long)r->max_dots)
		return CODE_COORDINATES;
	if (lines < 1 || lines > (long)r->max_lines - x)
		return CODE_WIDTH;
	if (dots < 1 || dots > (long)r->max_dots - y)
		return CODE_HEIGHT;
	return 0;
}

/* area: X start, Y start, lines, dots of a line. levels: n = lines * dots. */
int
raster_colour(struct epcl_raster *r, enum epcl_buffer b, const long area[4], unsigned mode,
	const uint8_t *levels, size_t n)
{
	int code = area_check(r, area[0], area[1], area[2], area[3]);
	if (code)
		return code;
	uint8_t *plane = plane_get(r, b);
	if (!plane || n != (size_t)area[2] * (size_t)area[3])
		return CODE_GRAPHIC;
	for (size_t i = 0; i < n; i++) {
		size_t line = (size_t)area[0] + i / (size_t)area[3];
		size_t dot = (size_t)area[1] + i % (size_t)area[3];
		unsigned value = levels[i];
		if (mode == 30)
			value = value > 31 ? 255 : (value * 255 + 15) / 31;
		if (line >= r->lines || dot >= r->dots)
			r->clipped = true;
		else
			plane[line * r->dots + dot] = (uint8_t)value;
	}
	return 0;
}

static void
area_fill(struct epcl_raster *r, uint8_t *plane, const struct epcl_target *t, int value)
{
	for (size_t line = t->x; line < t->x + t->lines && line < r->lines; line++)
		for (size_t dot = t->y; dot < t->y + t->height && dot < r->dots; dot++)
			plane[line * r->dots + dot] = (uint8_t)value;
}

/* p: X, Y, mode, height, width in lines, 0 reverse, 1 standard, 2 merge. */
int
raster_declare(struct epcl_raster *r, int v, const long p[6])
{
	bool in_dots = p[2] >= 10 && p[2] <= 13;
	struct epcl_target *t = &r->target[v];
	t->declared = false;
	if ((!in_dots && (p[2] < 0 || p[2] > 3)) || p[5] < 0 || p[5] > 2)
		return CODE_PARAMETER;
	if (p[0] < 0 || p[1] < 0 || p[1] >= (long)r->max_dots)
		return CODE_COORDINATES;
	long dots = in_dots || p[3] < 0 || p[3] > (long)EPCL_SIDE_MAX ? p[3] : p[3] * 8;
	/* whole bytes may stand over the edge by less than one */
	long over = dots - ((long)r->max_dots - p[1]);
	if (!in_dots && over > 0 && over < 8)
		dots -= over;
	int code = area_check(r, p[0], p[1], p[4], dots);
	if (code)
		return code;
	uint8_t *plane = plane_get(r, v ? B_V : B_K);
	if (!plane)
		return CODE_GRAPHIC_START;
	*t = (struct epcl_target){.x = (unsigned)p[0],
		.y = (unsigned)p[1],
		.height = (unsigned)dots,
		.lines = (unsigned)p[4],
		.mode = (unsigned)p[2] % 10,
		.declared = true,
		.invert = p[5] == 0};
	if (p[5] != 2)
		area_fill(r, plane, t, 0);
	return 0;
}

/* The next line of the declared area, most significant bit first. */
int
raster_line(struct epcl_raster *r, int v, const uint8_t *packed)
{
	struct epcl_target *t = &r->target[v];
	if (!t->declared)
		return CODE_GRAPHIC_START;
	if (t->next_line >= t->lines)
		return CODE_GRAPHIC;
	uint8_t *plane = plane_get(r, v ? B_V : B_K);
	size_t line = t->x + t->next_line++;
	for (unsigned d = 0; plane && d < t->height; d++) {
		size_t dot = t->y + d;
		if (line >= r->lines || dot >= r->dots)
			r->clipped = true;
		else if (!!(packed[d / 8] & 0x80 >> d % 8) != t->invert)
			plane[line * r->dots + dot] = 255;
	}
	return 0;
}

/* ---- drawing: x along the card from its left edge, y down ---- */

static void
dot_set(struct epcl_raster *r, uint8_t *plane, long x, long y, int value)
{
	if (x < 0 || y < 0 || x >= (long)r->lines || y >= (long)r->dots)
		r->clipped = true;
	else
		plane[(r->lines - 1 - (size_t)x) * r->dots + (size_t)y] = (uint8_t)value;
}

int
raster_dot(struct epcl_raster *r, enum epcl_buffer b, long x, long y, int value)
{
	uint8_t *plane = plane_get(r, b);
	if (!plane)
		return CODE_GRAPHIC_START;
	if (x < 0 || y < 0 || x >= (long)r->max_lines || y >= (long)r->max_dots)
		return CODE_COORDINATES;
	dot_set(r, plane, x, y, value);
	return 0;
}

/* p: x y w h. thick 0: filled. */
int
raster_box(struct epcl_raster *r, enum epcl_buffer b, const long p[4], long thick, int value)
{
	int code = area_check(r, p[0], p[1], p[2], p[3]);
	uint8_t *plane = plane_get(r, b);
	if (code)
		return CODE_COORDINATES;
	if (!plane)
		return CODE_GRAPHIC_START;
	for (long y = 0; y < p[3]; y++) {
		for (long x = 0; x < p[2]; x++) {
			bool inner =
				x >= thick && x < p[2] - thick && y >= thick && y < p[3] - thick;
			if (!thick || !inner)
				dot_set(r, plane, p[0] + x, p[1] + y, value);
		}
	}
	return 0;
}

/* p: x1 y1 x2 y2. */
int
raster_diagonal(struct epcl_raster *r, enum epcl_buffer b, const long p[4], int value)
{
	long dx = p[2] - p[0], dy = p[3] - p[1];
	long n = labs(dx) > labs(dy) ? labs(dx) : labs(dy);
	for (int i = 0; i < 4; i++)
		if (p[i] < 0 || p[i] >= (long)(i % 2 ? r->max_dots : r->max_lines))
			return CODE_COORDINATES;
	for (long i = 0; i <= n; i++) {
		int code = raster_dot(
			r, b, p[0] + (n ? dx * i / n : 0), p[1] + (n ? dy * i / n : 0), value);
		if (code)
			return code;
	}
	return 0;
}

/* ---- the picture ---- */

void
raster_unprint(
	const struct epcl_raster *r, enum epcl_buffer b, const uint8_t resin[3], uint8_t *rgb)
{
	static const int takes[B_COUNT] = {[B_Y] = 2, [B_M] = 1, [B_C] = 0};
	const uint8_t *plane = r->plane[b];
	if (!plane || b == B_V)
		return;
	for (size_t y = 0; y < r->dots; y++) {
		for (size_t x = 0; x < r->lines; x++) {
			unsigned dye = plane[(r->lines - 1 - x) * r->dots + y];
			uint8_t *px = rgb + (y * r->lines + x) * 3;
			if (b == B_K && dye)
				memcpy(px, resin, 3);
			for (int i = 0; i < 3 && dye && b != B_K; i++)
				if (b == B_KS || takes[b] == i)
					px[i] = (uint8_t)(px[i] * (255 - dye) / 255);
		}
	}
}
