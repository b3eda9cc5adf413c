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

static void
colour_set(cairo_t *cr, const char *colour)
{
	PangoColor rgb = {0};

	pango_color_parse(&rgb, colour);
	cairo_set_source_rgb(cr, rgb.red / 65535.0, rgb.green / 65535.0, rgb.blue / 65535.0);
}

static void
cairo_rect(struct canvas *c, double x, double y, double w, double h, const char *colour)
{
	colour_set(c->ctx, colour);
	cairo_rectangle(c->ctx, x, y, w, h);
	cairo_fill(c->ctx);
}

static void
cairo_stroke_line(struct canvas *c, double x1, double y1, double x2, double y2, double width,
	const char *colour)
{
	colour_set(c->ctx, colour);
	cairo_set_line_width(c->ctx, width);
	cairo_move_to(c->ctx, x1, y1);
	cairo_line_to(c->ctx, x2, y2);
	cairo_stroke(c->ctx);
}

static void
text_draw(struct canvas *c, double x, double y, double size, enum anchor anchor, bool bold,
	const char *colour, double max_width, const char *text, const char *tongue)
{
	cairo_t *cr = c->ctx;
	PangoLayout *layout = pango_cairo_create_layout(cr);
	PangoFontDescription *font = pango_font_description_from_string("sans-serif");
	gchar *valid = g_utf8_make_valid(text, -1);
	PangoRectangle ink;

	pango_context_set_language(
		pango_layout_get_context(layout), pango_language_from_string(tongue));
	pango_font_description_set_absolute_size(font, size * PANGO_SCALE);
	if (bold)
		pango_font_description_set_weight(font, PANGO_WEIGHT_BOLD);
	pango_layout_set_font_description(layout, font);
	pango_layout_set_single_paragraph_mode(layout, TRUE);
	pango_layout_set_text(layout, valid, -1);
	pango_layout_get_extents(layout, NULL, &ink);
	if (max_width > 0 && ink.width > max_width * PANGO_SCALE) {
		pango_layout_set_width(layout, (int)(max_width * PANGO_SCALE));
		pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_END);
		pango_layout_get_extents(layout, NULL, &ink);
	}
	colour_set(cr, colour);
	cairo_move_to(cr, x - (double)ink.width / PANGO_SCALE * anchor / 2,
		y - (double)pango_layout_get_baseline(layout) / PANGO_SCALE);
	pango_cairo_show_layout(cr, layout);
	g_free(valid);
	pango_font_description_free(font);
	g_object_unref(layout);
}

static void
cairo_text_en(struct canvas *c, double x, double y, double size, enum anchor anchor, bool bold,
	const char *colour, double max_width, const char *text)
{
	text_draw(c, x, y, size, anchor, bold, colour, max_width, text, "en");
}

static void
cairo_text_zh(struct canvas *c, double x, double y, double size, enum anchor anchor, bool bold,
	const char *colour, double max_width, const char *text)
{
	text_draw(c, x, y, size, anchor, bold, colour, max_width, text, "zh-cn");
}

struct canvas
chart_cairo(void *cairo, enum language l)
{
	return (struct canvas){.rect = cairo_rect,
		.line = cairo_stroke_line,
		.text = l == LANGUAGE_ZH ? cairo_text_zh : cairo_text_en,
		.ctx = cairo};
}
