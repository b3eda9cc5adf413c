/*
 * peers.c - the same cards as an application without a compiled template makes them.
 *
 * Owns the naive way: librsvg parses and draws the template's drawing for each card, Pango lays out
 * each text from nothing, the photo is decoded whole and scaled by Cairo's good filter, and a plain
 * loop turns pixels into panels. The same drawing code writes the PDF that other programs
 * rasterise. Guarantees: the drawing is the template's own, without placeholders and UV ink. On
 * failure nothing is kept.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/bench/bench.h"

#include <cairo-pdf.h>
#include <librsvg/rsvg.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <pango/pangocairo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS_PER_INCH = 72, PATH_LEN = 4096, DARK = 64, MIDDLE = 128 };

#define TEMPLATE_NS "urn:cardspool:template:1"

struct naive {
	xmlChar *drawing[SIDE_COUNT];
	int drawing_len[SIDE_COUNT];
	struct buf seal;
};

/* ---- the drawings, cleaned once ---- */

static bool
attribute_is(xmlNode *node, const char *name, const char *value)
{
	xmlChar *text = xmlGetNsProp(node, (const xmlChar *)name, (const xmlChar *)TEMPLATE_NS);
	bool same = text && (!value || !strcmp((const char *)text, value));

	xmlFree(text);
	return same;
}

static void
drawing_clean(xmlNode *node, const char *dropped)
{
	while (node) {
		xmlNode *next = node->next;
		if (node->type == XML_ELEMENT_NODE) {
			if (attribute_is(node, "kind", NULL) || attribute_is(node, "ink", "uv") ||
				attribute_is(node, "only", dropped)) {
				xmlUnlinkNode(node);
				xmlFreeNode(node);
			} else {
				drawing_clean(node->children, dropped);
			}
		}
		node = next;
	}
}

static int
drawing_load(struct naive *n, const struct deck *d, enum side side, struct err *e)
{
	static const char *const dropped[SIDE_COUNT] = {"mono", "colour"};
	char path[PATH_LEN];

	snprintf(path, sizeof path, "%s/%s", d->template_dir, template_sources[side]);
	xmlDoc *doc = xmlReadFile(path, NULL, XML_PARSE_NONET);
	if (!doc)
		return err_set(e, ERR_INPUT, "%s: is not an SVG drawing", path);
	drawing_clean(xmlDocGetRootElement(doc), dropped[side]);
	xmlDocDumpMemory(doc, &n->drawing[side], &n->drawing_len[side]);
	xmlFreeDoc(doc);
	return n->drawing[side] ? 0 : err_set(e, ERR_SYSTEM, "out of memory");
}

int
naive_create(struct naive **out, const struct deck *d, struct err *e)
{
	struct naive *n = calloc(1, sizeof *n);
	char path[PATH_LEN];

	*out = n;
	if (!n)
		return err_set(e, ERR_SYSTEM, "out of memory");
	buf_init(&n->seal, TEMPLATE_SOURCE_MAX);
	snprintf(path, sizeof path, "%s/%s", d->template_dir, template_sources[SOURCE_SEAL_SVG]);
	int rc = file_read(&n->seal, path, TEMPLATE_SOURCE_MAX, e);
	for (int side = 0; !rc && side < SIDE_COUNT; side++)
		rc = drawing_load(n, d, (enum side)side, e);
	return rc;
}

void
naive_destroy(struct naive *n)
{
	if (!n)
		return;
	for (int side = 0; side < SIDE_COUNT; side++)
		xmlFree(n->drawing[side]);
	buf_done(&n->seal);
	free(n);
}

/* ---- drawing ---- */

static int
svg_show(cairo_t *cr, const void *bytes, size_t len, double x, double y, double w, double h,
	struct err *e)
{
	GError *error = NULL;
	RsvgHandle *handle = rsvg_handle_new_from_data(bytes, len, &error);
	RsvgRectangle viewport = {x, y, w, h};
	int rc = 0;

	if (!handle || !rsvg_handle_render_document(handle, cr, &viewport, &error))
		rc = err_set(e, ERR_INPUT, "drawing: %s", error ? error->message : "no memory");
	g_clear_error(&error);
	g_clear_object(&handle);
	return rc;
}

/* keep_jpeg: a PDF carries the file's own bytes, as applications write them. */
static int
photo_show(cairo_t *cr, const struct box *b, const struct buf *bytes, bool keep_jpeg, struct err *e)
{
	struct photo photo = {0};
	int rc = photo_decode(&photo, bytes->data, bytes->len, UINT16_MAX, UINT16_MAX, e);

	if (rc)
		return rc;
	cairo_surface_t *image = cairo_image_surface_create_for_data(photo.pixels,
		CAIRO_FORMAT_RGB24, (int)photo.width, (int)photo.height, (int)photo.width * 4);
	if (keep_jpeg && bytes->data[0] == 0xff)
		cairo_surface_set_mime_data(
			image, CAIRO_MIME_TYPE_JPEG, bytes->data, bytes->len, NULL, NULL);
	cairo_save(cr);
	cairo_translate(cr, b->x, b->y);
	cairo_scale(cr, (double)b->w / photo.width, (double)b->h / photo.height);
	cairo_set_source_surface(cr, image, 0, 0);
	cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_GOOD);
	cairo_paint(cr);
	cairo_restore(cr);
	cairo_surface_finish(image);
	cairo_surface_destroy(image);
	photo_done(&photo);
	return 0;
}

static void
text_show(cairo_t *cr, const struct box *b, const char *value)
{
	PangoLayout *layout = pango_cairo_create_layout(cr);
	PangoFontDescription *font = pango_font_description_from_string(b->font);
	double size = (double)b->size / TEMPLATE_SIZE_UNIT;
	double least = (double)b->min_size / TEMPLATE_SIZE_UNIT;
	int w = 0, h = 0;

	pango_layout_set_text(layout, value, -1);
	if (b->fit == FIT_WRAP)
		pango_layout_set_width(layout, (int)b->w * PANGO_SCALE);
	for (;; size *= 0.9) {
		pango_font_description_set_absolute_size(font, size * PANGO_SCALE);
		pango_layout_set_font_description(layout, font);
		pango_layout_get_pixel_size(layout, &w, &h);
		if ((unsigned)w <= b->w || size <= least)
			break;
	}
	cairo_set_source_rgb(cr, (b->colour >> 16 & 255) / 255.0, (b->colour >> 8 & 255) / 255.0,
		(b->colour & 255) / 255.0);
	cairo_move_to(cr, b->x, b->y + ((int)b->h - h) / 2.0);
	pango_cairo_show_layout(cr, layout);
	pango_font_description_free(font);
	g_object_unref(layout);
}

static int
side_show(struct naive *n, const struct deck *d, cairo_t *cr, enum side side, size_t index,
	bool keep_jpeg, struct err *e)
{
	const struct template *t = d->template;
	const struct record *rec = &d->records[index % d->n];

	cairo_set_source_rgb(cr, 1, 1, 1);
	cairo_paint(cr);
	int rc = svg_show(
		cr, n->drawing[side], (size_t)n->drawing_len[side], 0, 0, t->width, t->height, e);
	for (size_t i = 0; !rc && i < t->n_boxes; i++) {
		const struct box *b = &t->boxes[i];
		if (b->side != side)
			continue;
		if (b->kind == BOX_PHOTO)
			rc = photo_show(cr, b, &d->photos[index % d->n], keep_jpeg, e);
		else if (b->kind == BOX_SEAL)
			rc = svg_show(cr, n->seal.data, n->seal.len, b->x, b->y, b->w, b->h, e);
		else if (rec->values[b->field][0])
			text_show(cr, b, rec->values[b->field]);
	}
	return rc;
}

/* ---- panels, dot by dot ---- */

static int
side_convert(
	struct face *f, cairo_surface_t *surface, const struct template *t, bool dye, struct err *e)
{
	const uint8_t *pixels = cairo_image_surface_get_data(surface);
	size_t pitch = (size_t)cairo_image_surface_get_stride(surface);
	int rc = plane_create(&f->plane[PANEL_K], 1, t->height, t->width, e);

	for (int i = PANEL_Y; dye && !rc && i <= PANEL_C; i++)
		rc = plane_create(&f->plane[i], 8, t->height, t->width, e);
	if (rc)
		return rc;
	struct plane *k = &f->plane[PANEL_K];
	for (unsigned y = 0; y < t->height; y++)
		for (unsigned x = 0; x < t->width; x++) {
			const uint8_t *p = pixels + y * pitch + 4 * (size_t)x;
			unsigned dot = t->height - 1 - y;
			bool black = dye ? p[0] < DARK && p[1] < DARK && p[2] < DARK
					 : p[0] + 2 * p[1] + p[2] < 4 * MIDDLE;
			if (black)
				k->data[x * k->stride + dot / 8] |= (uint8_t)(0x80 >> dot % 8);
			for (int i = 0; dye && !black && i < 3; i++)
				f->plane[i].data[x * f->plane[i].stride + dot] =
					(uint8_t)(255 - p[i]);
		}
	return 0;
}

static int
side_render(struct naive *n, const struct deck *d, enum side side, size_t index, struct face *out,
	struct err *e)
{
	const struct template *t = d->template;
	const char *panels = side == SIDE_FRONT ? d->ribbon->front : d->ribbon->back;

	if (!panels[0] || !n->drawing[side])
		return 0;
	cairo_surface_t *surface =
		cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)t->width, (int)t->height);
	cairo_t *cr = cairo_create(surface);
	int rc = side_show(n, d, cr, side, index, false, e);
	cairo_destroy(cr);
	cairo_surface_flush(surface);
	if (!rc)
		rc = side_convert(out, surface, t, strchr(panels, 'Y') != NULL, e);
	cairo_surface_destroy(surface);
	if (!rc && strchr(panels, 'O'))
		out->plane[PANEL_O] = (struct plane){
			PLANE_FULL, 1, t->height, t->width, plane_stride(1, t->height), NULL};
	return rc;
}

int
naive_card(struct naive *n, const struct deck *d, size_t index, struct stream_card *card,
	struct err *e)
{
	int rc = 0;

	card->card = (unsigned)index + 1;
	card->copy = 1;
	for (int side = 0; !rc && side < SIDE_COUNT; side++)
		rc = side_render(n, d, (enum side)side, index, &card->face[side], e);
	return rc;
}

/* ---- the PDF ---- */

int
naive_pdf(struct naive *n, const struct deck *d, size_t count, const char *path, struct err *e)
{
	const struct template *t = d->template;
	double scale = (double)POINTS_PER_INCH / t->dpi;
	cairo_surface_t *surface =
		cairo_pdf_surface_create(path, t->width * scale, t->height * scale);
	cairo_t *cr = cairo_create(surface);
	int rc = 0;

	for (size_t i = 0; !rc && i < 2 * count; i++) {
		cairo_save(cr);
		cairo_scale(cr, scale, scale);
		rc = side_show(n, d, cr, i % 2 ? SIDE_BACK : SIDE_FRONT, i / 2, true, e);
		cairo_restore(cr);
		cairo_show_page(cr);
	}
	cairo_destroy(cr);
	cairo_surface_finish(surface);
	if (!rc && cairo_surface_status(surface) != CAIRO_STATUS_SUCCESS)
		rc = err_set(e, ERR_STORAGE, "%s: %s", path,
			cairo_status_to_string(cairo_surface_status(surface)));
	cairo_surface_destroy(surface);
	return rc;
}
