/*
 * proof.c - faces as pictures for people.
 *
 * Owns PNG and PDF output and the marks of a proof: cut line, chip contacts, magnetic stripe, the
 * template's boxes. Guarantees: without marks every pixel is what the head prints; with a panel's
 * letter only that panel's dots are shown, in its colour. A file is written complete or not at all.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/proof.h"

#include <cairo-pdf.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { GAP_DOTS = 24, FILE_MAX = 256 << 20 };

/* ISO/IEC 7810 and 7816-2, 7811-6, in mm from the upper left corner of an 85.6 x 54 mm card. */
static const double card_w_mm = 85.6, card_h_mm = 53.98, corner_mm = 3.18;
static const double chip_mm[4] = {9.0, 18.3, 13.2, 12.0};
static const double stripe_mm[4] = {0, 4.5, 85.6, 12.7};

static const struct {
	const char *name;
	uint32_t colour;
} panels[PANEL_COUNT] = {{"Y", 0xffe600}, {"M", 0xe6007e}, {"C", 0x009ee3}, {"K", 0x000000},
	{"O", 0x7f7f7f}, {"UV", 0x5a3fbf}};

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

static void
mark_name(cairo_t *cr, double x, double y, const char *text)
{
	cairo_set_font_size(cr, 18);
	cairo_move_to(cr, x + 4, y + 18);
	cairo_show_text(cr, text);
}

static void
boxes_draw(cairo_t *cr, const struct template *t, enum side side)
{
	struct template_box box;

	cairo_set_source_rgba(cr, 0, 0.45, 0.9, 0.9);
	cairo_set_line_width(cr, 2);
	for (size_t i = 0; t && template_box_get(t, i, &box); i++) {
		if (box.side != side)
			continue;
		cairo_rectangle(cr, box.x + 0.5, box.y + 0.5, box.w, box.h);
		cairo_stroke(cr);
		mark_name(cr, box.x, box.y, box.name);
	}
}

/* The card lies in the middle of the head's area. The contacts are on the front, the stripe on the
 * back. */
static void
marks_draw(cairo_t *cr, unsigned w, unsigned h, unsigned dpi, enum side side)
{
	static const double dashes[] = {12, 6};
	double mm = dpi / 25.4, x = (w - card_w_mm * mm) / 2, y = (h - card_h_mm * mm) / 2;
	const double *area = side == SIDE_FRONT ? chip_mm : stripe_mm;

	cairo_set_source_rgba(cr, 0.9, 0, 0, 0.9);
	cairo_set_line_width(cr, 2);
	mark_round(cr, x, y, card_w_mm * mm, card_h_mm * mm, corner_mm * mm);
	cairo_stroke(cr);
	cairo_set_source_rgba(cr, 0.9, 0.5, 0, 0.9);
	cairo_set_dash(cr, dashes, 2, 0);
	cairo_rectangle(cr, x + area[0] * mm, y + area[1] * mm, area[2] * mm, area[3] * mm);
	cairo_stroke(cr);
	cairo_set_dash(cr, NULL, 0, 0);
	mark_name(cr, x + area[0] * mm, y + area[1] * mm,
		side == SIDE_FRONT ? _("chip contacts") : _("magnetic stripe"));
}

/* ---- output ---- */

static cairo_status_t
bytes_take(void *out, const unsigned char *bytes, unsigned len)
{
	return buf_append(out, bytes, len, NULL) ? CAIRO_STATUS_WRITE_ERROR : CAIRO_STATUS_SUCCESS;
}

static int
face_draw(cairo_t *cr, double y, const struct proof *p, size_t i, unsigned *w, unsigned *h,
	struct err *e)
{
	uint8_t *pixels;
	int rc = p->panel >= 0 ? panel_pixels(p->faces[i], p->panel, &pixels, w, h, e)
			       : face_to_rgb(p->faces[i], &pixels, w, h, e);

	if (rc)
		return rc;
	if (cr) {
		cairo_surface_t *s = cairo_image_surface_create_for_data(
			pixels, CAIRO_FORMAT_RGB24, (int)*w, (int)*h, (int)(4 * *w));
		cairo_save(cr);
		cairo_translate(cr, 0, y);
		cairo_set_source_surface(cr, s, 0, 0);
		cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_NEAREST);
		cairo_paint(cr);
		if (p->marks) {
			boxes_draw(cr, p->template, p->sides[i]);
			marks_draw(cr, *w, *h, p->dpi, p->sides[i]);
		}
		cairo_restore(cr);
		cairo_surface_finish(s);
		cairo_surface_destroy(s);
	}
	free(pixels);
	return 0;
}

static int
sheet_draw(cairo_t *cr, const struct proof *p, bool pages, struct err *e)
{
	double y = 0;
	int rc = 0;

	cairo_set_source_rgb(cr, 0.91, 0.91, 0.91);
	if (!pages)
		cairo_paint(cr);
	for (size_t i = 0; !rc && i < p->n; i++) {
		unsigned w, h;
		rc = face_draw(cr, y, p, i, &w, &h, e);
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
	unsigned w, h;
	struct buf out;
	int rc = face_draw(NULL, 0, p, 0, &w, &h, e);

	if (rc)
		return rc;
	buf_init(&out, FILE_MAX);
	double pt = 72.0 / p->dpi;
	cairo_surface_t *s =
		pdf ? cairo_pdf_surface_create_for_stream(bytes_take, &out, w * pt, h * pt)
		    : cairo_image_surface_create(
			      CAIRO_FORMAT_RGB24, (int)w, (int)(h * p->n + GAP_DOTS * (p->n - 1)));
	cairo_t *cr = cairo_create(s);
	if (pdf)
		cairo_scale(cr, pt, pt);
	rc = sheet_draw(cr, p, pdf, e);
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
