/*
 * label-sheet.c - sheets of labels as a PDF for an ordinary printer.
 *
 * Owns the arrangement on the page: rows and columns of one drawing in its own size, with a gap to
 * cut in and corner marks. Guarantees: the drawing stays vectors, is never scaled, and only a
 * drawing that passes the checks of a template is used. On failure the PDF is empty.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/label-sheet.h"
#include "filters/template-svg.h"

#include <cairo-pdf.h>
#include <math.h>
#include <stdio.h>

static const double page_w_mm = 210, page_h_mm = 297, margin_mm = 9, gap_mm = 3;
static const double points_per_mm = 72 / 25.4, mark_mm = 1.2;

enum { LABELS_MAX = 10000, PATH_LEN = 4096 };

struct grid {
	double w, h, left, top; /* mm */
	unsigned columns, rows;
};

static int
grid_build(struct grid *g, const char *path, unsigned w, unsigned h, unsigned dpi, struct err *e)
{
	g->w = w * 25.4 / dpi;
	g->h = h * 25.4 / dpi;
	g->columns = (unsigned)floor((page_w_mm - 2 * margin_mm + gap_mm) / (g->w + gap_mm));
	g->rows = (unsigned)floor((page_h_mm - 2 * margin_mm + gap_mm) / (g->h + gap_mm));
	if (!g->columns || !g->rows)
		return err_set(e, ERR_INPUT, _("%s: is larger than a sheet of A4."), path);
	g->left = (page_w_mm - g->columns * (g->w + gap_mm) + gap_mm) / 2;
	g->top = (page_h_mm - g->rows * (g->h + gap_mm) + gap_mm) / 2;
	return 0;
}

/* Short strokes in the gaps, outside the label, at its four corners. */
static void
marks_draw(cairo_t *cr, const struct grid *g)
{
	cairo_set_line_width(cr, 0.1);
	cairo_set_source_rgb(cr, 0.55, 0.55, 0.55);
	for (int i = 0; i < 4; i++) {
		double x = i & 1 ? g->w : 0, y = i & 2 ? g->h : 0;
		double dx = i & 1 ? mark_mm : -mark_mm, dy = i & 2 ? mark_mm : -mark_mm;
		cairo_move_to(cr, x, y + dy * 0.2);
		cairo_line_to(cr, x, y + dy);
		cairo_move_to(cr, x + dx * 0.2, y);
		cairo_line_to(cr, x + dx, y);
	}
	cairo_stroke(cr);
}

static int
label_draw(cairo_t *cr, cairo_surface_t *label, const struct grid *g, unsigned place)
{
	cairo_save(cr);
	cairo_translate(cr, g->left + place % g->columns * (g->w + gap_mm),
		g->top + place / g->columns % g->rows * (g->h + gap_mm));
	marks_draw(cr, g);
	cairo_scale(cr, 1 / points_per_mm, 1 / points_per_mm);
	cairo_set_source_surface(cr, label, 0, 0);
	cairo_paint(cr);
	cairo_restore(cr);
	return cairo_status(cr);
}

static cairo_status_t
pdf_write(void *closure, const unsigned char *bytes, unsigned len)
{
	return buf_append(closure, bytes, len, NULL) ? CAIRO_STATUS_WRITE_ERROR
						     : CAIRO_STATUS_SUCCESS;
}

/* The drawing as a recording, in points, so that every copy of it on the pages is the same object.
 */
static cairo_surface_t *
label_record(struct svg *svg, const struct grid *g, unsigned w, unsigned h, struct err *e)
{
	cairo_rectangle_t extents = {0, 0, g->w * points_per_mm, g->h * points_per_mm};
	cairo_surface_t *surface =
		cairo_recording_surface_create(CAIRO_CONTENT_COLOR_ALPHA, &extents);
	cairo_t *cr = cairo_create(surface);

	cairo_scale(cr, extents.width / w, extents.height / h);
	int rc = svg_draw(svg, SVG_PAPER, cr, w, h, NULL, e);
	cairo_destroy(cr);
	if (!rc)
		return surface;
	cairo_surface_destroy(surface);
	return NULL;
}

static int
pages_draw(struct buf *pdf, cairo_surface_t *label, const struct grid *g, struct label_sheet *sheet,
	struct err *e)
{
	cairo_surface_t *surface = cairo_pdf_surface_create_for_stream(
		pdf_write, pdf, page_w_mm * points_per_mm, page_h_mm * points_per_mm);
	cairo_t *cr = cairo_create(surface);

	cairo_scale(cr, points_per_mm, points_per_mm);
	for (unsigned i = 0; i < sheet->count; i++) {
		unsigned place = sheet->skip + i;
		if (i && place % sheet->per_page == 0)
			cairo_show_page(cr);
		label_draw(cr, label, g, place % sheet->per_page);
	}
	sheet->pages = (sheet->skip + sheet->count + sheet->per_page - 1) / sheet->per_page;
	cairo_show_page(cr);
	bool bad = cairo_status(cr) != CAIRO_STATUS_SUCCESS;
	cairo_destroy(cr);
	cairo_surface_finish(surface);
	bad |= cairo_surface_status(surface) != CAIRO_STATUS_SUCCESS;
	cairo_surface_destroy(surface);
	return bad ? err_set(e, ERR_SYSTEM, _("The sheet of labels cannot be drawn.")) : 0;
}

int
label_sheet_build(struct buf *pdf, const char *dir, struct label_sheet *sheet, struct err *e)
{
	char path[PATH_LEN];
	unsigned w, h, dpi;
	struct grid g = {0};
	struct svg *svg;

	snprintf(path, sizeof path, "%s/%s", dir, template_sources[SOURCE_FRONT]);
	int rc = svg_load(&svg, path, e);
	if (rc)
		return rc;
	if ((rc = svg_geometry(svg, &w, &h, &dpi, e)) || (rc = grid_build(&g, path, w, h, dpi, e)))
		goto out;
	sheet->per_page = g.columns * g.rows;
	if (sheet->skip >= sheet->per_page || sheet->count > LABELS_MAX) {
		rc = err_set(e, ERR_USAGE,
			_("A sheet has %u labels: leave out fewer than that, and print at most "
			  "%u."),
			sheet->per_page, LABELS_MAX);
		goto out;
	}
	if (!sheet->count)
		sheet->count = sheet->per_page - sheet->skip;
	cairo_surface_t *label = label_record(svg, &g, w, h, e);
	rc = label ? pages_draw(pdf, label, &g, sheet, e) : ERR_INPUT;
	if (label)
		cairo_surface_destroy(label);
out:
	svg_destroy(svg);
	return rc;
}
