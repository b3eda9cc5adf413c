/*
 * chart-cairo.c - charts and words on a page of Cairo's.
 *
 * Owns the fonts of the report: the host's sans-serif, with Chinese forms where the page is
 * Chinese. Guarantees: a text never runs out of the width it was given, it ends with an ellipsis.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/report.h"

#include <pango/pangocairo.h>

struct pen {
	cairo_t *cr;
	PangoLayout *layout;
	PangoFontDescription *fonts[2]; /* plain, bold */
};

static void
colour_set(const struct pen *p, const char *colour)
{
	PangoColor rgb = {0};

	pango_color_parse(&rgb, colour);
	cairo_set_source_rgb(p->cr, rgb.red / 65535.0, rgb.green / 65535.0, rgb.blue / 65535.0);
}

static void
cairo_rect(struct canvas *c, double x, double y, double w, double h, const char *colour)
{
	const struct pen *p = c->ctx;

	colour_set(p, colour);
	cairo_rectangle(p->cr, x, y, w, h);
	cairo_fill(p->cr);
}

static void
cairo_stroke_line(struct canvas *c, double x1, double y1, double x2, double y2, double width,
	const char *colour)
{
	const struct pen *p = c->ctx;

	colour_set(p, colour);
	cairo_set_line_width(p->cr, width);
	cairo_move_to(p->cr, x1, y1);
	cairo_line_to(p->cr, x2, y2);
	cairo_stroke(p->cr);
}

static void
cairo_text(struct canvas *c, double x, double y, double size, enum anchor anchor, bool bold,
	const char *colour, double max_width, const char *text)
{
	const struct pen *p = c->ctx;
	gchar *valid = g_utf8_make_valid(text, -1);
	PangoRectangle ink;

	pango_font_description_set_absolute_size(p->fonts[bold], size * PANGO_SCALE);
	pango_layout_set_font_description(p->layout, p->fonts[bold]);
	pango_layout_set_width(p->layout, -1);
	pango_layout_set_text(p->layout, valid, -1);
	pango_layout_get_extents(p->layout, NULL, &ink);
	if (max_width > 0 && ink.width > max_width * PANGO_SCALE) {
		pango_layout_set_width(p->layout, (int)(max_width * PANGO_SCALE));
		pango_layout_get_extents(p->layout, NULL, &ink);
	}
	colour_set(p, colour);
	cairo_move_to(p->cr, x - (double)ink.width / PANGO_SCALE * anchor / 2,
		y - (double)pango_layout_get_baseline(p->layout) / PANGO_SCALE);
	pango_cairo_show_layout(p->cr, p->layout);
	g_free(valid);
}

struct canvas
chart_cairo(void *cairo, enum language l)
{
	struct pen *p = g_new0(struct pen, 1);

	p->cr = cairo;
	p->layout = pango_cairo_create_layout(cairo);
	pango_context_set_language(pango_layout_get_context(p->layout),
		pango_language_from_string(l == LANGUAGE_ZH ? "zh-cn" : "en"));
	pango_layout_set_single_paragraph_mode(p->layout, TRUE);
	pango_layout_set_ellipsize(p->layout, PANGO_ELLIPSIZE_END);
	for (int bold = 0; bold < 2; bold++) {
		p->fonts[bold] = pango_font_description_from_string("sans-serif");
		pango_font_description_set_weight(
			p->fonts[bold], bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
	}
	return (struct canvas){
		.rect = cairo_rect, .line = cairo_stroke_line, .text = cairo_text, .ctx = p};
}

void
chart_cairo_done(struct canvas *c)
{
	struct pen *p = c->ctx;

	g_object_unref(p->layout);
	pango_font_description_free(p->fonts[0]);
	pango_font_description_free(p->fonts[1]);
	g_free(p);
}
