/*
 * proof.c - faces as pictures for people.
 *
 * Owns PNG and PDF output and the marks of a proof: cut line, chip contacts, magnetic stripe, the
 * template's boxes, each panel alone. Guarantees: without marks every pixel is what the head
 * prints; with a panel's letter only that panel's dots are shown, in its colour. A file is written
 * complete or not at all.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/proof.h"

#include <cairo-pdf.h>
#include <pango/pangocairo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { GAP_DOTS = 24, CAPTION_DOTS = 34, LABEL_DOTS = 17, PANELS_A_ROW = 3, FILE_MAX = 256 << 20 };

/* ISO/IEC 7810 and 7816-2, 7811-6, in mm from the upper left corner of an 85.6 x 54 mm card. */
static const double card_w_mm = 85.6, card_h_mm = 53.98, corner_mm = 3.18;
static const double chip_mm[4] = {9.0, 18.3, 13.2, 12.0};
static const double stripe_mm[4] = {0, 4.5, 85.6, 12.7};

static const struct {
	const char *name;
	uint32_t colour;
} panels[PANEL_COUNT] = {{"Y", 0xffe600}, {"M", 0xe6007e}, {"C", 0x009ee3}, {"K", 0x000000},
	{"O", 0xc3c8d0}, {"UV", 0x5a3fbf}};

int
proof_panel(const char *name)
{
	for (int i = 0; i < PANEL_COUNT; i++)
		if (!strcasecmp(name, panels[i].name))
			return i;
	return -1;
}

/* ---- pixels ---- */

static unsigned
dot_value(const struct plane *p, unsigned line, unsigned dot)
{
	if (p->fill != PLANE_DATA)
		return p->fill == PLANE_FULL ? 255 : 0;
	const uint8_t *row = p->data + line * p->stride;
	return p->bits == 8 ? row[dot] : (row[dot / 8] >> (7 - dot % 8) & 1) * 255U;
}

static int
panel_pixels(
	const struct face *f, int panel, uint8_t **pixels, unsigned *w, unsigned *h, struct err *e)
{
	const struct plane *p = &f->plane[panel];
	uint32_t ink = panels[panel].colour;

	if (p->fill == PLANE_ABSENT)
		return err_set(e, ERR_MISSING, _("This side has no panel %s with this ribbon."),
			panels[panel].name);
	uint32_t *out = malloc(4 * (size_t)p->lines * p->dots);
	if (!out)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	for (unsigned y = 0; y < p->dots; y++)
		for (unsigned x = 0; x < p->lines; x++) {
			unsigned v = dot_value(p, x, p->dots - 1 - y);
			uint32_t word = 0;
			for (int c = 0; c < 24; c += 8)
				word |= (255 - v * (255 - (ink >> c & 255)) / 255) << c;
			out[(size_t)y * p->lines + x] = word;
		}
	*pixels = (uint8_t *)out;
	*w = p->lines;
	*h = p->dots;
	return 0;
}

/* ---- marks ---- */

struct colour {
	double r, g, b;
};
static const struct colour cut_colour = {0.86, 0.1, 0.1}, clear_colour = {0.85, 0.45, 0},
			   box_colour = {0, 0.4, 0.85}, caption_colour = {0.35, 0.35, 0.38};

static void
colour_set(cairo_t *cr, const struct colour *c)
{
	cairo_set_source_rgba(cr, c->r, c->g, c->b, 0.9);
}

static void
mark_round(cairo_t *cr, double x, double y, double w, double h, double r)
{
	cairo_new_sub_path(cr);
	cairo_arc(cr, x + w - r, y + r, r, -1.5708, 0);
	cairo_arc(cr, x + w - r, y + h - r, r, 0, 1.5708);
	cairo_arc(cr, x + r, y + h - r, r, 1.5708, 3.14159);
	cairo_arc(cr, x + r, y + r, r, 3.14159, 4.71239);
	cairo_close_path(cr);
}

/* Names are in any script: Pango finds a font for each. size: dots. Its width, drawn if show. */
static double
words_draw(cairo_t *cr, double x, double y, double size, const char *text, bool show)
{
	PangoLayout *layout = pango_cairo_create_layout(cr);
	PangoFontDescription *font = pango_font_description_from_string("Noto Sans CJK SC, Sans");
	int w, h;

	pango_font_description_set_absolute_size(font, size * PANGO_SCALE);
	pango_layout_set_font_description(layout, font);
	pango_layout_set_text(layout, text, -1);
	pango_layout_get_pixel_size(layout, &w, &h);
	if (show) {
		cairo_move_to(cr, x, y - h / 2.0);
		pango_cairo_show_layout(cr, layout);
	}
	pango_font_description_free(font);
	g_object_unref(layout);
	return w;
}

/* A name on a white label above what it names, so that it hides nothing of it. */
static void
mark_name(cairo_t *cr, double x, double y, const struct colour *c, const char *text)
{
	double w = words_draw(cr, 0, 0, LABEL_DOTS, text, false);

	y -= LABEL_DOTS * 0.7;
	y = y < LABEL_DOTS ? LABEL_DOTS : y;
	mark_round(cr, x + 8, y - LABEL_DOTS * 0.7, w + 12, LABEL_DOTS * 1.4, 5);
	cairo_set_source_rgba(cr, 1, 1, 1, 0.88);
	cairo_fill(cr);
	colour_set(cr, c);
	words_draw(cr, x + 14, y, LABEL_DOTS, text, true);
}

static void
boxes_draw(cairo_t *cr, const struct template *t, enum side side)
{
	struct template_box box;

	cairo_set_line_width(cr, 2);
	for (int names = 0; t && names < 2; names++)
		for (size_t i = 0; template_box_get(t, i, &box); i++) {
			if (box.side != side)
				continue;
			if (names) {
				mark_name(cr, box.x, box.y, &box_colour, box.name);
				continue;
			}
			colour_set(cr, &box_colour);
			cairo_rectangle(cr, box.x, box.y, box.w, box.h);
			cairo_stroke(cr);
		}
}

/* Contacts on the front, stripe on the back, where the template has them; a page of a PDF does not
 * say. */
static void
clear_draw(cairo_t *cr, const struct proof *p, double x, double y, double mm, enum side side)
{
	static const double dashes[] = {12, 6};
	const double *area = side == SIDE_FRONT ? chip_mm : stripe_mm;
	const char *name = side == SIDE_FRONT ? _("chip contacts") : _("magnetic stripe");
	char text[128];

	if (p->template && !template_keeps_clear(p->template, side))
		return;
	snprintf(text, sizeof text, p->template ? "%s" : _("%s, if the card has one"), name);
	colour_set(cr, &clear_colour);
	cairo_set_dash(cr, dashes, 2, 0);
	cairo_rectangle(cr, x + area[0] * mm, y + area[1] * mm, area[2] * mm, area[3] * mm);
	cairo_stroke(cr);
	cairo_set_dash(cr, NULL, 0, 0);
	mark_name(cr, x + area[0] * mm, y + area[1] * mm, &clear_colour, text);
}

/* The card lies in the middle of the head's area; what is beyond the cut is pale. */
static void
marks_draw(cairo_t *cr, const struct proof *p, unsigned w, unsigned h, enum side side)
{
	double mm = p->dpi / 25.4, x = (w - card_w_mm * mm) / 2, y = (h - card_h_mm * mm) / 2;

	if (x < 0 || y < 0) /* a label */
		return;
	cairo_rectangle(cr, 0, 0, w, h);
	mark_round(cr, x, y, card_w_mm * mm, card_h_mm * mm, corner_mm * mm);
	cairo_set_fill_rule(cr, CAIRO_FILL_RULE_EVEN_ODD);
	cairo_set_source_rgba(cr, 1, 1, 1, 0.6);
	cairo_fill(cr);
	colour_set(cr, &cut_colour);
	cairo_set_line_width(cr, 2);
	mark_round(cr, x, y, card_w_mm * mm, card_h_mm * mm, corner_mm * mm);
	cairo_stroke(cr);
	clear_draw(cr, p, x, y, mm, side);
}

/* ---- output ---- */

static cairo_status_t
bytes_take(void *out, const unsigned char *bytes, unsigned len)
{
	return buf_append(out, bytes, len, NULL) ? CAIRO_STATUS_WRITE_ERROR : CAIRO_STATUS_SUCCESS;
}

/* One face, whole or one panel of it (-1: whole), its corner at (x, y), a dot scale units wide. */
static int
pixels_draw(cairo_t *cr, double x, double y, double scale, const struct face *f, int panel,
	struct err *e)
{
	uint8_t *pixels;
	unsigned w, h;
	int rc = panel >= 0 ? panel_pixels(f, panel, &pixels, &w, &h, e)
			    : face_to_rgb(f, &pixels, &w, &h, e);

	if (rc)
		return rc;
	cairo_surface_t *s = cairo_image_surface_create_for_data(
		pixels, CAIRO_FORMAT_RGB24, (int)w, (int)h, (int)(4 * w));
	cairo_save(cr);
	cairo_translate(cr, x, y);
	cairo_scale(cr, scale, scale);
	cairo_set_source_surface(cr, s, 0, 0);
	cairo_pattern_set_filter(
		cairo_get_source(cr), scale < 1 ? CAIRO_FILTER_GOOD : CAIRO_FILTER_NEAREST);
	cairo_paint(cr);
	cairo_restore(cr);
	cairo_surface_finish(s);
	cairo_surface_destroy(s);
	free(pixels);
	return 0;
}

static const struct plane *
first_plane(const struct face *f)
{
	for (int i = 0; i < PANEL_COUNT; i++)
		if (f->plane[i].fill != PLANE_ABSENT)
			return &f->plane[i];
	return NULL;
}

/* What a face takes on the sheet: itself, or with the marks and every panel alone below it. */
static void
face_size(const struct proof *p, size_t i, unsigned *w, unsigned *h)
{
	const struct face *f = p->faces[i];
	const struct plane *any = first_plane(f);
	unsigned n = 0, thumb_h;

	*w = any->lines;
	*h = any->dots;
	if (!p->marks || p->panel >= 0)
		return;
	for (int panel = 0; panel < PANEL_COUNT; panel++)
		n += f->plane[panel].fill != PLANE_ABSENT;
	thumb_h = *h / PANELS_A_ROW;
	*h += CAPTION_DOTS + (n + PANELS_A_ROW - 1) / PANELS_A_ROW * (thumb_h + CAPTION_DOTS);
	*w += 2 * GAP_DOTS;
}

/* Every panel alone, three in a row, with its letter. */
static int
panels_draw(cairo_t *cr, const struct proof *p, size_t i, double x, double y, struct err *e)
{
	const struct face *f = p->faces[i];
	const struct plane *any = first_plane(f);
	double w = (any->lines - (PANELS_A_ROW - 1.0) * GAP_DOTS) / PANELS_A_ROW;
	double scale = w / any->lines, h = any->dots * scale;
	unsigned n = 0;
	int rc = 0;

	for (int panel = 0; !rc && panel < PANEL_COUNT; panel++) {
		if (f->plane[panel].fill == PLANE_ABSENT)
			continue;
		double left = x + n % PANELS_A_ROW * (w + GAP_DOTS),
		       top = y + n / PANELS_A_ROW * (any->dots / PANELS_A_ROW + CAPTION_DOTS);
		char text[64];
		snprintf(text, sizeof text, _("panel %s"), panels[panel].name);
		colour_set(cr, &caption_colour);
		words_draw(cr, left, top + CAPTION_DOTS / 2.0, LABEL_DOTS, text, true);
		rc = pixels_draw(cr, left, top + CAPTION_DOTS, scale, f, panel, e);
		cairo_rectangle(cr, left, top + CAPTION_DOTS, w, h);
		colour_set(cr, &caption_colour);
		cairo_set_line_width(cr, 1);
		cairo_stroke(cr);
		n++;
	}
	return rc;
}

static int
face_draw(cairo_t *cr, double y, const struct proof *p, size_t i, struct err *e)
{
	const struct plane *any = first_plane(p->faces[i]);
	bool sheet = p->marks && p->panel < 0;
	double x = sheet ? GAP_DOTS : 0;
	double top = y + (sheet ? CAPTION_DOTS : 0);
	int rc = pixels_draw(cr, x, top, 1, p->faces[i], p->panel, e);

	if (rc || !p->marks)
		return rc;
	cairo_save(cr);
	cairo_translate(cr, x, top);
	boxes_draw(cr, p->template, p->sides[i]);
	marks_draw(cr, p, any->lines, any->dots, p->sides[i]);
	cairo_restore(cr);
	if (!sheet)
		return 0;
	colour_set(cr, &caption_colour);
	words_draw(cr, x, y + CAPTION_DOTS / 2.0, LABEL_DOTS,
		p->sides[i] == SIDE_FRONT ? _("front") : _("back"), true);
	return panels_draw(cr, p, i, x, top + any->dots, e);
}

static int
sheet_draw(cairo_t *cr, const struct proof *p, bool pages, struct err *e)
{
	double y = 0;
	int rc = 0;

	for (size_t i = 0; !rc && i < p->n; i++) {
		unsigned w, h;
		if (!i || pages) {
			cairo_set_source_rgb(cr, 0.94, 0.94, 0.94);
			cairo_paint(cr);
		}
		rc = face_draw(cr, y, p, i, e);
		face_size(p, i, &w, &h);
		if (pages)
			cairo_show_page(cr);
		else
			y += h + GAP_DOTS;
	}
	return rc;
}

int
proof_write(const char *path, const struct proof *p, struct err *e)
{
	size_t len = strlen(path);
	bool pdf = len > 4 && !strcasecmp(path + len - 4, ".pdf");
	unsigned w = 0, h = 0, sum = 0;
	double pt = 72.0 / p->dpi;
	struct buf out;

	for (size_t i = 0; i < p->n; i++) {
		unsigned face_w, face_h;
		face_size(p, i, &face_w, &face_h);
		w = face_w > w ? face_w : w;
		h = face_h > h ? face_h : h;
		sum += face_h + (i ? GAP_DOTS : 0);
	}
	buf_init(&out, FILE_MAX);
	cairo_surface_t *s =
		pdf ? cairo_pdf_surface_create_for_stream(bytes_take, &out, w * pt, h * pt)
		    : cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)w, (int)sum);
	cairo_t *cr = cairo_create(s);
	if (pdf)
		cairo_scale(cr, pt, pt);
	int rc = sheet_draw(cr, p, pdf, e);
	cairo_destroy(cr);
	if (!rc && !pdf && cairo_surface_write_to_png_stream(s, bytes_take, &out))
		rc = err_set(e, ERR_SYSTEM, _("The picture cannot be made."));
	cairo_surface_finish(s);
	if (!rc && cairo_surface_status(s))
		rc = err_set(e, ERR_SYSTEM, _("The picture cannot be made."));
	cairo_surface_destroy(s);
	if (!rc)
		rc = file_write(path, out.data, out.len, 0600, e);
	buf_done(&out);
	return rc;
}
