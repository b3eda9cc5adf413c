/*
 * pdf-badge.c - PDFs as programs make them, for tests/check-pdf.py.
 *
 * pdf-badge OUT.pdf WORD...: each word adds a page, "key=value" changes the pages after it.
 *   badge ruler tall text wide      kinds of pages
 *   size=W,H (points)  line=TEXT    the page's size, a line of text at the lower left
 *   locale-free; nothing here comes from the filter
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include <cairo-pdf.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double dot = 72.0 / 300;

struct page {
	double w, h;
	const char *line;
};

/* A picture of 64 x 64 dots with a black middle, on whole dots. */
static void
picture(cairo_t *cr, double x, double y)
{
	cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, 64, 64);
	unsigned char *p = cairo_image_surface_get_data(s);
	int stride = cairo_image_surface_get_stride(s);

	cairo_surface_flush(s);
	for (int v = 0; v < 64; v++)
		for (int u = 0; u < 64; u++) {
			unsigned char *q = p + v * stride + 4 * u;
			int black = u >= 16 && u < 48 && v >= 16 && v < 48;
			q[0] = black ? 0 : (unsigned char)(4 * u);
			q[1] = black ? 0 : (unsigned char)(4 * v);
			q[2] = black ? 0 : 200;
		}
	cairo_surface_mark_dirty(s);
	cairo_save(cr);
	cairo_translate(cr, x * dot, y * dot);
	cairo_scale(cr, dot, dot);
	cairo_set_source_surface(cr, s, 0, 0);
	cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_NEAREST);
	cairo_paint(cr);
	cairo_restore(cr);
	cairo_surface_destroy(s);
}

static void
box(cairo_t *cr, double x, double y, double w, double h, double r, double g, double b)
{
	cairo_set_source_rgb(cr, r, g, b);
	cairo_rectangle(cr, x * dot, y * dot, w * dot, h * dot);
	cairo_fill(cr);
}

static void
words(cairo_t *cr, double x, double y, double size, const char *text)
{
	cairo_select_font_face(
		cr, "Noto Sans CJK SC", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
	cairo_set_font_size(cr, size);
	cairo_move_to(cr, x * dot, y * dot);
	cairo_show_text(cr, text);
}

/* Squares of known colours on whole dots, a picture, black and red text. */
static void
badge(cairo_t *cr, const struct page *p)
{
	double w = p->w / dot, h = p->h / dot;

	box(cr, 0, 0, ceil(w), ceil(h), 0.9, 0.95, 1);
	box(cr, 100, 60, 200, 40, 1, 0, 0);
	box(cr, 100, 120, 200, 40, 0, 0, 0);
	picture(cr, 400, 60);
	cairo_set_source_rgb(cr, 0, 0, 0);
	words(cr, 100, 260, 14, "Anna Lindqvist 林安娜");
	cairo_set_source_rgb(cr, 0.8, 0, 0);
	words(cr, 100, 330, 10, "Visitor 访客");
	cairo_set_source_rgb(cr, 0, 0, 0);
	cairo_set_line_width(cr, 2 * dot);
	cairo_move_to(cr, 100 * dot, 380 * dot);
	cairo_line_to(cr, 500 * dot, 380 * dot);
	cairo_stroke(cr);
	words(cr, 405, 100, 6, "ID");
}

/* 7 points, or what lets the whole line stand on the page. */
static double
line_size(cairo_t *cr, const struct page *p)
{
	cairo_text_extents_t e;

	cairo_select_font_face(
		cr, "Noto Sans CJK SC", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
	cairo_set_font_size(cr, 7);
	cairo_text_extents(cr, p->line, &e);
	return fmin(7, 7 * (p->w - 80 * dot) / e.x_advance);
}

int
main(int argc, char **argv)
{
	struct page p = {243.84, 155.52, NULL};

	if (argc < 2)
		return 2;
	cairo_surface_t *s = cairo_pdf_surface_create(argv[1], p.w, p.h);
	cairo_t *cr = cairo_create(s);
	for (int i = 2; i < argc; i++) {
		if (sscanf(argv[i], "size=%lf,%lf", &p.w, &p.h) == 2)
			continue;
		if (!strncmp(argv[i], "line=", 5)) {
			p.line = argv[i] + 5;
			continue;
		}
		cairo_pdf_surface_set_size(s, p.w, p.h);
		if (!strcmp(argv[i], "badge"))
			badge(cr, &p);
		else
			words(cr, 60, 200, 12, argv[i]);
		cairo_set_source_rgb(cr, 0, 0, 0);
		if (p.line)
			words(cr, 60, 560 < p.h / dot ? 560 : p.h / dot - 40, line_size(cr, &p),
				p.line);
		p.line = NULL;
		cairo_show_page(cr);
	}
	cairo_destroy(cr);
	cairo_surface_finish(s);
	int bad = cairo_surface_status(s) != CAIRO_STATUS_SUCCESS;
	cairo_surface_destroy(s);
	return bad;
}
