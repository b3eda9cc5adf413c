/*
 * epcl-text.c - text that the printer draws itself.
 *
 * Owns a stand-in for the resident fonts: whatever the system calls sans serif, black or white
 * without grey. Size and place follow the command; the shapes are no machine's.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/epcl.h"

#include <cairo.h>

#define AUTO_HEIGHT 40 /* dots: what a height of 0 stands for is not documented */

/* Where pixel (x, y) of a w x h text lies after `turns` quarter turns clockwise. */
static void
turn(int turns, long w, long h, long x, long y, long *out_x, long *out_y)
{
	switch (turns) {
	case 0:
		*out_x = x;
		*out_y = y;
		break;
	case 1:
		*out_x = h - 1 - y;
		*out_y = x;
		break;
	case 2:
		*out_x = w - 1 - x;
		*out_y = h - 1 - y;
		break;
	default:
		*out_x = y;
		*out_y = w - 1 - x;
	}
}

static cairo_surface_t *
text_draw(const char *text, bool bold, long width, long height)
{
	cairo_surface_t *probe = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
	cairo_text_extents_t e;
	cairo_font_extents_t f;
	cairo_t *cr = cairo_create(probe);
	cairo_font_weight_t weight = bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL;
	cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, weight);
	cairo_set_font_size(cr, 100);
	cairo_text_extents(cr, text, &e);
	cairo_font_extents(cr, &f);
	cairo_destroy(cr);
	cairo_surface_destroy(probe);
	double scale_y = (double)height / (f.ascent + f.descent);
	double scale_x = width ? (double)width / f.max_x_advance * 2 : scale_y;
	double advance = e.x_advance * scale_x;
	int w = advance < 1 ? 1 : advance > 4096 ? 4096 : (int)advance + 1;
	cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_A8, w, (int)height);
	cr = cairo_create(s);
	cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, weight);
	cairo_scale(cr, scale_x, scale_y);
	cairo_set_font_size(cr, 100);
	cairo_move_to(cr, 0, f.ascent);
	cairo_show_text(cr, text);
	cairo_destroy(cr);
	cairo_surface_flush(s);
	return s;
}

int
raster_text(struct epcl_raster *r, enum epcl_buffer b, const long p[7], const char *text)
{
	long height = p[5] ? p[5] : AUTO_HEIGHT;
	if (p[0] < 0 || p[1] < 0 || p[0] >= (long)r->max_lines || p[1] >= (long)r->max_dots)
		return CODE_COORDINATES;
	if (p[2] < 0 || p[2] > 7 || height < 1 || height > 1024 || p[4] < 0 || p[4] > 1024)
		return CODE_PARAMETER;
	cairo_surface_t *s = text_draw(text, p[3] != 0, p[4], height);
	if (cairo_surface_status(s) != CAIRO_STATUS_SUCCESS) {
		cairo_surface_destroy(s);
		return CODE_FONT;
	}
	const uint8_t *grey = cairo_image_surface_get_data(s);
	long w = cairo_image_surface_get_width(s), h = cairo_image_surface_get_height(s);
	long stride = cairo_image_surface_get_stride(s);
	int turns = (int)p[2] % 4, value = p[6] ? 255 : 0;
	long left = 0, top = 0;
	if (p[2] > 3) {
		left = (turns % 2 ? h : w) / 2;
		top = (turns % 2 ? w : h) / 2;
	}
	for (long y = 0; y < h; y++) {
		for (long x = 0; x < w; x++) {
			long to_x, to_y;
			if (grey[y * stride + x] < 128)
				continue;
			turn(turns, w, h, x, y, &to_x, &to_y);
			if (raster_dot(r, b, p[0] + to_x - left, p[1] + to_y - top, value))
				r->clipped = true;
		}
	}
	cairo_surface_destroy(s);
	return 0;
}
