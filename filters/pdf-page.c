/*
 * pdf-page.c - one page of a PDF in the dots of the head.
 *
 * Owns the PDF and the watch over what is drawn. Guarantees: nothing is resampled; an escape's text
 * is gone and what lay below it is untouched. On failure the message names the page and nothing is
 * allocated.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/pdf-place.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MAX_ESCAPES = 64, SLACK = 3 };

struct pdf {
	PopplerDocument *document;
	unsigned pages;
};

/* An escape's line on the artwork. */
struct hidden {
	struct pdf_rect rect;
	bool gone;
};

/* What the surface's callbacks know of a page that is being drawn. */
struct watch {
	cairo_t *cr;
	cairo_surface_t *target;
	bool blank_pictures, busy;
	unsigned pictures;
	struct hidden *hidden;
	size_t n_hidden;
	uint32_t *before; /* the target before the operation; NULL without hidden text */
};

void
pdf_picture_done(struct pdf_picture *p)
{
	free(p->smooth);
	free(p->crisp);
	free(p->drawn);
	memset(p, 0, sizeof *p);
}

/* ---- the document ---- */

static int
open_failed(const GError *cause, struct err *e)
{
	bool locked = cause && g_error_matches(cause, POPPLER_ERROR, POPPLER_ERROR_ENCRYPTED);

	return err_set(e, ERR_INPUT, "%s",
		locked ? _("The PDF is locked with a password. Save it without one and print it "
			   "again.")
		       : _("The PDF is damaged and cannot be read. Save it again and print it "
			   "again."));
}

int
pdf_open(struct pdf **out, const char *path, struct err *e)
{
	GError *cause = NULL;
	struct pdf *p = calloc(1, sizeof *p);

	*out = NULL;
	if (!p)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	char *folder = g_get_current_dir();
	char *whole = g_canonicalize_filename(path, folder);
	char *uri = g_filename_to_uri(whole, NULL, &cause);
	if (uri)
		p->document = poppler_document_new_from_file(uri, NULL, &cause);
	g_free(uri);
	g_free(whole);
	g_free(folder);
	int rc = p->document ? 0 : open_failed(cause, e);
	g_clear_error(&cause);
	int n = rc ? 0 : poppler_document_get_n_pages(p->document);
	if (!rc && n < 1)
		rc = err_set(e, ERR_INPUT, _("The PDF has no page."));
	if (!rc && n > PDF_PAGES_MAX)
		rc = err_set(e, ERR_INPUT,
			_("The PDF has %d pages; at most %d are printed in one job."), n,
			PDF_PAGES_MAX);
	if (rc) {
		pdf_close(p);
		return rc;
	}
	p->pages = (unsigned)n;
	*out = p;
	return 0;
}

void
pdf_close(struct pdf *p)
{
	if (!p)
		return;
	if (p->document)
		g_object_unref(p->document);
	free(p);
}

unsigned
pdf_pages(const struct pdf *p)
{
	return p->pages;
}

/* ---- the watch ---- */

/* What the last operation changed; false if nothing. */
static bool
change_find(const struct watch *w, const uint32_t *now, unsigned width, unsigned height,
	struct pdf_rect *r)
{
	*r = (struct pdf_rect){(int)width, (int)height, 0, 0};
	for (unsigned y = 0; y < height; y++) {
		const uint32_t *a = now + (size_t)y * width, *b = w->before + (size_t)y * width;
		if (!memcmp(a, b, 4 * (size_t)width))
			continue;
		unsigned first = 0, last = width - 1;
		while (a[first] == b[first])
			first++;
		while (a[last] == b[last])
			last--;
		r->x0 = (int)first < r->x0 ? (int)first : r->x0;
		r->x1 = (int)last + 1 > r->x1 ? (int)last + 1 : r->x1;
		r->y0 = (int)y < r->y0 ? (int)y : r->y0;
		r->y1 = (int)y + 1;
	}
	return r->x1 > r->x0;
}

static bool
inside(const struct pdf_rect *a, const struct pdf_rect *b)
{
	int slack = (b->y1 - b->y0) / 3 + SLACK;

	return a->x0 >= b->x0 - slack && a->x1 <= b->x1 + slack && a->y0 >= b->y0 - slack &&
	       a->y1 <= b->y1 + slack;
}

/* Takes the operation back if it drew within a hidden line. */
static void
hidden_undo(struct watch *w)
{
	unsigned width = (unsigned)cairo_image_surface_get_width(w->target),
		 height = (unsigned)cairo_image_surface_get_height(w->target);
	cairo_surface_flush(w->target);
	uint32_t *now = (uint32_t *)(void *)cairo_image_surface_get_data(w->target);
	struct pdf_rect r;

	if (!change_find(w, now, width, height, &r))
		return;
	bool undo = false;
	for (size_t i = 0; i < w->n_hidden && !undo; i++) {
		undo = inside(&r, &w->hidden[i].rect);
		w->hidden[i].gone |= undo;
	}
	size_t at = (size_t)r.y0 * width, n = (size_t)(r.y1 - r.y0) * width;
	if (undo) {
		memcpy(now + at, w->before + at, 4 * n);
		cairo_surface_mark_dirty(w->target);
	} else {
		memcpy(w->before + at, now + at, 4 * n);
	}
}

/* A picture of the page comes as an image surface; what poppler composed aside does not. */
static bool
draws_picture(cairo_t *cr)
{
	cairo_surface_t *source = NULL;

	return cairo_pattern_get_surface(cairo_get_source(cr), &source) == CAIRO_STATUS_SUCCESS &&
	       cairo_surface_get_type(source) == CAIRO_SURFACE_TYPE_IMAGE;
}

/* Paints white over the picture that was just drawn, within its frame and the clip. */
static void
picture_blank(struct watch *w)
{
	cairo_surface_t *source = NULL;
	cairo_matrix_t m;

	if (!w->blank_pictures)
		return;
	w->busy = true;
	cairo_path_t *path = cairo_copy_path(w->cr);
	cairo_pattern_get_surface(cairo_get_source(w->cr), &source);
	cairo_pattern_get_matrix(cairo_get_source(w->cr), &m);
	cairo_save(w->cr);
	if (cairo_matrix_invert(&m) == CAIRO_STATUS_SUCCESS) {
		cairo_transform(w->cr, &m);
		cairo_new_path(w->cr);
		cairo_rectangle(w->cr, 0, 0, cairo_image_surface_get_width(source),
			cairo_image_surface_get_height(source));
		cairo_set_operator(w->cr, CAIRO_OPERATOR_OVER);
		cairo_set_source_rgb(w->cr, 1, 1, 1);
		cairo_fill(w->cr);
	}
	cairo_restore(w->cr);
	cairo_new_path(w->cr);
	cairo_append_path(w->cr, path);
	cairo_path_destroy(path);
	w->busy = false;
}

static void
drawn(cairo_surface_t *observer, cairo_surface_t *target, void *data)
{
	struct watch *w = data;

	(void)observer;
	(void)target;
	if (w->before && !w->busy)
		hidden_undo(w);
}

static void
drawn_picture(cairo_surface_t *observer, cairo_surface_t *target, void *data)
{
	struct watch *w = data;

	if (!w->busy && draws_picture(w->cr)) {
		w->pictures++;
		picture_blank(w);
	}
	drawn(observer, target, data);
}

/* ---- drawing ---- */

static int
target_create(struct watch *w, const struct pdf_look *look, struct err *e)
{
	size_t n = (size_t)look->width * look->height;

	w->target =
		cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)look->width, (int)look->height);
	cairo_surface_t *observer =
		cairo_surface_create_observer(w->target, CAIRO_SURFACE_OBSERVER_NORMAL);
	cairo_surface_observer_add_fill_callback(observer, drawn_picture, w);
	cairo_surface_observer_add_mask_callback(observer, drawn_picture, w);
	cairo_surface_observer_add_glyphs_callback(observer, drawn, w);
	cairo_surface_observer_add_stroke_callback(observer, drawn, w);
	cairo_surface_observer_add_paint_callback(observer, drawn_picture, w);
	w->busy = true;
	w->cr = cairo_create(observer);
	cairo_surface_destroy(observer);
	cairo_set_source_rgb(w->cr, 1, 1, 1);
	cairo_paint(w->cr);
	if (w->n_hidden) {
		w->before = malloc(4 * n);
		if (w->before)
			memset(w->before, 0xff, 4 * n);
	}
	w->busy = false;
	if (cairo_status(w->cr) || (w->n_hidden && !w->before))
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	return 0;
}

static void
smoothness_set(cairo_t *cr, bool crisp)
{
	cairo_antialias_t antialias = crisp ? CAIRO_ANTIALIAS_NONE : CAIRO_ANTIALIAS_GRAY;
	cairo_font_options_t *options = cairo_font_options_create();

	cairo_font_options_set_antialias(options, antialias);
	cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
	cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
	cairo_set_font_options(cr, options);
	cairo_font_options_destroy(options);
	cairo_set_antialias(cr, antialias);
}

/* One rendering of the page; *pixels is the caller's. */
static int
page_render(struct watch *w, uint32_t **pixels, PopplerPage *page, const struct pdf_place *place,
	const struct pdf_look *look, bool crisp, struct err *e)
{
	size_t n = (size_t)look->width * look->height;
	int rc = target_create(w, look, e);

	*pixels = rc ? NULL : malloc(4 * n);
	if (!rc && !*pixels)
		rc = err_set(e, ERR_SYSTEM, _("Out of memory."));
	if (!rc) {
		smoothness_set(w->cr, crisp);
		cairo_set_matrix(w->cr, &place->matrix);
		poppler_page_render_for_printing(page, w->cr);
		cairo_surface_flush(w->target);
		memcpy(*pixels, cairo_image_surface_get_data(w->target), 4 * n);
		if (cairo_status(w->cr) || cairo_surface_status(w->target))
			rc = err_set(e, ERR_INPUT, _("it cannot be drawn"));
		else if (place->bleed)
			pdf_edge_carry(*pixels, look->width, look->height, &place->page);
	}
	cairo_destroy(w->cr);
	cairo_surface_destroy(w->target);
	free(w->before);
	w->cr = NULL;
	w->target = NULL;
	w->before = NULL;
	return rc;
}

/* ---- escapes ---- */

static void
rect_add(struct pdf_rect *r, const cairo_matrix_t *m, const PopplerRectangle *glyph)
{
	double xs[2] = {glyph->x1, glyph->x2}, ys[2] = {glyph->y1, glyph->y2};

	for (int i = 0; i < 2; i++) {
		cairo_matrix_transform_point(m, &xs[i], &ys[i]);
		int x = (int)fmax(-9999, fmin(9999, xs[i])),
		    y = (int)fmax(-9999, fmin(9999, ys[i]));
		r->x0 = x < r->x0 ? x : r->x0;
		r->y0 = y < r->y0 ? y : r->y0;
		r->x1 = x + 1 > r->x1 ? x + 1 : r->x1;
		r->y1 = y + 1 > r->y1 ? y + 1 : r->y1;
	}
}

/* What a line has beyond the page is not in the page's text, so its last letter must end well
 * within. */
static bool
glyph_at_edge(PopplerPage *page, const PopplerRectangle *glyph)
{
	double w, h, margin = fmin(glyph->x2 - glyph->x1, glyph->y2 - glyph->y1) / 2;

	poppler_page_get_size(page, &w, &h);
	return glyph->x1 < 0 || glyph->y1 < 0 || glyph->x2 > w - margin || glyph->y2 > h;
}

/* Reads the page's lines; those that are escapes become hidden rectangles. */
static int
escapes_read(struct hidden *hidden, size_t *n, struct escapes *x, PopplerPage *page,
	const cairo_matrix_t *m, struct err *e)
{
	bool cut = false;
	PopplerRectangle *glyphs = NULL;
	guint n_glyphs = 0;
	char *text = poppler_page_get_text(page);
	int rc = 0;

	*n = 0;
	if (!text || !strchr(text, '~')) {
		g_free(text);
		return 0;
	}
	poppler_page_get_text_layout(page, &glyphs, &n_glyphs);
	size_t at = 0;
	for (const char *line = text; rc == 0 && *line;) {
		size_t len = strcspn(line, "\n");
		size_t chars = (size_t)g_utf8_strlen(line, (gssize)len);
		rc = escape_parse(x, line, len, e);
		if (rc == 1 && *n == LINES_MAX_ESCAPES)
			rc = err_set(e, ERR_INPUT, _("it has too many escapes"));
		if (rc == 1) {
			struct hidden *h = &hidden[(*n)++];
			*h = (struct hidden){{9999, 9999, -9999, -9999}, false};
			for (size_t i = at; i < at + chars && i < n_glyphs; i++) {
				rect_add(&h->rect, m, &glyphs[i]);
				cut |= glyph_at_edge(page, &glyphs[i]);
			}
			rc = 0;
		}
		at += chars + (line[len] == '\n');
		line += len + (line[len] == '\n');
	}
	g_free(glyphs);
	g_free(text);
	if (!rc && cut)
		rc = err_set(e, ERR_INPUT,
			_("an escape runs to the edge of the page, where its end may be lost; set "
			  "it in smaller letters"));
	return rc;
}

/* ---- the page ---- */

/* One colour all over: text of the same colour, or invisible, was written there at most. */
static bool
plain(const struct pdf_picture *p, const struct pdf_rect *r)
{
	int x0 = r->x0 < 0 ? 0 : r->x0, x1 = r->x1 > (int)p->w ? (int)p->w : r->x1;
	int y0 = r->y0 < 0 ? 0 : r->y0, y1 = r->y1 > (int)p->h ? (int)p->h : r->y1;

	for (int y = y0; y < y1; y++)
		for (int x = x0; x < x1; x++)
			if (p->smooth[(size_t)y * p->w + (size_t)x] !=
				p->smooth[(size_t)y0 * p->w + (size_t)x0])
				return false;
	return true;
}

/* Dots of an escape that stay are ink that nobody meant: an escape drawn as outlines or within a
 * group. */
static int
hidden_check(
	const struct hidden *hidden, size_t n, const struct pdf_picture *picture, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (!hidden[i].gone && !plain(picture, &hidden[i].rect))
			return err_set(e, ERR_INPUT,
				_("an escape cannot be taken out of the picture; write it as plain "
				  "text, "
				  "without effects, on a line of its own"));
	return 0;
}

static int
page_draw(struct pdf_picture *out, struct escapes *x, PopplerPage *page,
	const struct pdf_look *look, struct err *e)
{
	struct hidden hidden[LINES_MAX_ESCAPES];
	struct watch w = {.hidden = hidden};
	struct pdf_place place;
	int rc = pdf_place_find(&place, page, look, e);

	if (!rc)
		rc = escapes_read(hidden, &w.n_hidden, x, page, &place.matrix, e);
	if (!rc)
		rc = page_render(&w, &out->smooth, page, &place, look, false, e);
	if (!rc)
		rc = hidden_check(hidden, w.n_hidden, out, e);
	if (!rc && look->black != BLACK_NO)
		rc = page_render(&w, &out->crisp, page, &place, look, true, e);
	w.blank_pictures = true;
	if (!rc && look->black == BLACK_TEXT && w.pictures)
		rc = page_render(&w, &out->drawn, page, &place, look, true, e);
	return rc;
}

static int
page_check(struct escapes *x, PopplerPage *page, const struct pdf_look *look, struct err *e)
{
	struct hidden hidden[LINES_MAX_ESCAPES];
	struct pdf_place place;
	size_t n;
	int rc = pdf_place_find(&place, page, look, e);

	return rc ? rc : escapes_read(hidden, &n, x, page, &place.matrix, e);
}

int
pdf_page_draw(struct pdf_picture *out, struct escapes *x, struct pdf *p, unsigned number,
	const struct pdf_look *look, struct err *e)
{
	PopplerPage *page = poppler_document_get_page(p->document, (int)number - 1);
	int rc;

	if (out)
		*out = (struct pdf_picture){.w = look->width, .h = look->height};
	if (!page)
		rc = err_set(e, ERR_INPUT, _("it is damaged and cannot be read"));
	else if (out)
		rc = page_draw(out, x, page, look, e);
	else
		rc = page_check(x, page, look, e);
	if (rc) {
		struct err found = *e;
		err_set(e, found.code, _("Page %u: %s."), number, found.text);
		if (out)
			pdf_picture_done(out);
	}
	if (page)
		g_object_unref(page);
	return rc;
}
