/*
 * template-art.c - the fixed art of a template as the printer's panels.
 *
 * Owns the separation at head resolution, so that nothing is drawn twice while cards are made, and
 * the seals. Guarantees: a panel is whole or the build fails; what two inks would print on one
 * another is knocked out of the dye. On failure what was added is of no use.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/template-build.h"

#include <string.h>
#include <unistd.h>

enum {
	RESIN_LEVEL = 128, /* resin art: darker than this is printed */
	MONO_LEVEL = 112   /* a whole side without dye: only art that is meant to be dark */
};

static cairo_surface_t *
surface_create(
	unsigned w, unsigned h, cairo_format_t format, bool white, cairo_t **cr, struct err *e)
{
	cairo_surface_t *surface = cairo_image_surface_create(format, (int)w, (int)h);

	*cr = cairo_create(surface);
	if (cairo_status(*cr)) {
		err_set(e, ERR_SYSTEM, _("Out of memory."));
		cairo_destroy(*cr);
		cairo_surface_destroy(surface);
		return NULL;
	}
	if (white) {
		cairo_set_source_rgb(*cr, 1, 1, 1);
		cairo_paint(*cr);
	}
	return surface;
}

/* One layer of a side on white, upright. The caller destroys it. */
static cairo_surface_t *
layer_draw(struct build *b, enum side side, enum svg_layer layer, bool *any, struct err *e)
{
	cairo_t *cr;
	cairo_surface_t *surface =
		surface_create(b->width, b->height, CAIRO_FORMAT_RGB24, true, &cr, e);

	if (!surface)
		return NULL;
	int rc = svg_draw(b->svg[side], layer, cr, b->width, b->height, any, e);
	cairo_destroy(cr);
	cairo_surface_flush(surface);
	if (rc) {
		cairo_surface_destroy(surface);
		return NULL;
	}
	return surface;
}

/* Sets a bit in feed orientation for every pixel that is darker than level. */
static void
bits_from_surface(uint8_t *bits, const struct build *b, cairo_surface_t *surface, unsigned level)
{
	const uint8_t *pixels = cairo_image_surface_get_data(surface);
	size_t pitch = (size_t)cairo_image_surface_get_stride(surface);
	size_t stride = plane_stride(1, b->height);

	for (unsigned y = 0; y < b->height; y++)
		for (unsigned x = 0; x < b->width; x++) {
			uint32_t pixel;
			unsigned dot = b->height - 1 - y;
			memcpy(&pixel, pixels + y * pitch + 4 * (size_t)x, 4);
			if (rgb_luminance(pixel) < level)
				bits[x * stride + dot / 8] |= (uint8_t)(0x80 >> dot % 8);
		}
}

/* Adds a 1-bit piece for the layer; *at stays 0 when optional and there is nothing to draw. */
static int
bits_add(struct build *b, enum side side, enum svg_layer layer, unsigned level, bool optional,
	size_t *at, struct err *e)
{
	bool any = false;
	cairo_surface_t *surface = layer_draw(b, side, layer, &any, e);
	int rc = surface ? 0 : e ? e->code : ERR_INPUT;

	if (!rc && (any || !optional)) {
		rc = build_piece(b, plane_stride(1, b->height) * b->width, at, e);
		if (!rc)
			bits_from_surface(b->out.data + *at, b, surface, level);
	}
	if (surface)
		cairo_surface_destroy(surface);
	return rc;
}

static int
dye_add(struct build *b, enum side side, size_t at[8], struct err *e)
{
	size_t dots = (size_t)b->width * b->height;
	cairo_surface_t *surface = layer_draw(b, side, SVG_DYE, NULL, e);
	int rc = surface ? build_piece(b, dots * 4, &at[0], e) : e ? e->code : ERR_INPUT;

	for (int i = 0; !rc && i < 3; i++)
		rc = build_piece(b, dots, &at[1 + i], e);
	if (!rc) {
		uint32_t *rgb = (uint32_t *)(void *)(b->out.data + at[0]);
		const uint8_t *pixels = cairo_image_surface_get_data(surface);
		size_t pitch = (size_t)cairo_image_surface_get_stride(surface);
		for (unsigned y = 0; y < b->height; y++)
			memcpy(rgb + (size_t)y * b->width, pixels + y * pitch,
				4 * (size_t)b->width);
		for (size_t i = 0; i < dots; i++)
			rgb[i] |= 0xff000000U;
		uint8_t *ymc[3] = {b->out.data + at[1], b->out.data + at[2], b->out.data + at[3]};
		dye_convert(ymc, b->height, rgb, b->width, 0, 0, b->width, b->height);
	}
	if (surface)
		cairo_surface_destroy(surface);
	return rc;
}

/* Notes the lines whose fixed colour a half panel has to hold. */
static int
colour_add(struct build *b, enum side side, const uint8_t *mono, uint8_t *head, struct err *e)
{
	unsigned x0 = 0, x1 = 0;
	cairo_surface_t *surface = layer_draw(b, side, SVG_FIRM, NULL, e);

	if (!surface)
		return e ? e->code : ERR_INPUT;
	colour_extent((const uint32_t *)(const void *)cairo_image_surface_get_data(surface),
		(size_t)cairo_image_surface_get_stride(surface) / 4, mono, b->width, b->height, &x0,
		&x1);
	cairo_surface_destroy(surface);
	le32_put(head + 36, x1 << 16 | x0);
	return 0;
}

/* The overlay without what is drawn with overlay="none", of any colour; *at stays 0 when it is
 * whole. */
static int
overlay_add(struct build *b, enum side side, size_t *at, struct err *e)
{
	bool any = false;
	cairo_t *cr;
	cairo_surface_t *surface =
		surface_create(b->width, b->height, CAIRO_FORMAT_ARGB32, false, &cr, e);

	if (!surface)
		return ERR_SYSTEM;
	int rc = svg_draw(b->svg[side], SVG_BARE, cr, b->width, b->height, &any, e);
	cairo_destroy(cr);
	cairo_surface_flush(surface);
	size_t stride = plane_stride(1, b->height);
	if (!rc && any && !(rc = build_piece(b, stride * b->width, at, e))) {
		const uint8_t *pixels = cairo_image_surface_get_data(surface);
		size_t pitch = (size_t)cairo_image_surface_get_stride(surface);
		for (unsigned x = 0; x < b->width; x++)
			for (unsigned y = 0; y < b->height; y++) {
				unsigned dot = b->height - 1 - y;
				uint32_t pixel;
				memcpy(&pixel, pixels + y * pitch + 4 * (size_t)x, 4);
				if (pixel >> 24 < 0x80)
					b->out.data[*at + x * stride + dot / 8] |=
						(uint8_t)(0x80 >> dot % 8);
			}
	}
	cairo_surface_destroy(surface);
	return rc;
}

int
build_side(struct build *b, enum side side, struct err *e)
{
	size_t at[8] = {0}; /* RGB Y M C K mono UV overlay */

	if (!b->svg[side])
		return 0;
	int rc = dye_add(b, side, at, e);
	if (rc || (rc = bits_add(b, side, SVG_RESIN, RESIN_LEVEL, false, &at[4], e)) ||
		(rc = bits_add(b, side, SVG_MONO, MONO_LEVEL, false, &at[5], e)) ||
		(rc = bits_add(b, side, SVG_UV, RESIN_LEVEL, true, &at[6], e)) ||
		(rc = overlay_add(b, side, &at[7], e)))
		return rc;
	uint8_t *data = b->out.data;
	uint8_t *ymc[3] = {data + at[1], data + at[2], data + at[3]};
	dye_knock_out(ymc, b->height, data + at[4], 0, 0, b->width, b->height);
	uint8_t *head = data + TEMPLATE_AT_SIDES + side * TEMPLATE_SIDE_LEN;
	le32_put(head, 1);
	for (int i = 0; i < 8; i++)
		le32_put(head + 4 + 4 * i, (uint32_t)at[i]);
	return colour_add(b, side, data + at[5], head, e);
}

/* ---- the seal
 * ------------------------------------------------------------------------------------- */

static int
seal_png_draw(const char *path, cairo_t *cr, const struct box *box, struct err *e)
{
	cairo_surface_t *png = cairo_image_surface_create_from_png(path);
	int w = cairo_image_surface_get_width(png), h = cairo_image_surface_get_height(png), rc = 0;

	if (cairo_surface_status(png) || w < 1 || h < 1 || w > 8192 || h > 8192) {
		rc = err_set(e, ERR_INPUT, _("%s: is not a PNG picture of a sensible size."), path);
	} else {
		cairo_scale(cr, (double)box->w / w, (double)box->h / h);
		cairo_set_source_surface(cr, png, 0, 0);
		cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_BEST);
		cairo_paint(cr);
	}
	cairo_surface_destroy(png);
	return rc;
}

static int
seal_draw(const struct build *b, cairo_t *cr, const struct box *box, struct err *e)
{
	char path[BUILD_PATH_LEN];
	struct svg *svg;
	int rc = build_path(path, b->dir, template_sources[SOURCE_SEAL_SVG], e);

	if (!rc && !access(path, F_OK)) {
		if ((rc = svg_load(&svg, path, e)))
			return rc;
		rc = svg_draw(svg, SVG_ALL, cr, box->w, box->h, NULL, e);
		svg_destroy(svg);
		return rc;
	}
	if (!rc && !(rc = build_path(path, b->dir, template_sources[SOURCE_SEAL_PNG], e)) &&
		access(path, F_OK))
		rc = err_set(e, ERR_MISSING, _("%s: has neither seal.svg nor seal.png."), b->dir);
	return rc ? rc : seal_png_draw(path, cr, box, e);
}

int
build_seal(struct build *b, size_t index, struct err *e)
{
	const struct box *box = &b->boxes[index];
	cairo_t *cr;
	cairo_surface_t *surface =
		surface_create(box->w, box->h, CAIRO_FORMAT_ARGB32, false, &cr, e);

	if (!surface)
		return ERR_SYSTEM;
	int rc = box->kind == BOX_ART
			 ? svg_draw_box(b->svg[box->side], cr, b->width, b->height, box, e)
			 : seal_draw(b, cr, box, e);
	cairo_destroy(cr);
	cairo_surface_flush(surface);
	if (!rc)
		rc = build_piece(b, (size_t)box->w * box->h * 4, &b->seal_at[index], e);
	if (!rc)
		for (unsigned y = 0; y < box->h; y++)
			memcpy(b->out.data + b->seal_at[index] + (size_t)y * box->w * 4,
				cairo_image_surface_get_data(surface) +
					(size_t)y * (size_t)cairo_image_surface_get_stride(surface),
				(size_t)box->w * 4);
	cairo_surface_destroy(surface);
	return rc;
}

int
template_seal_clear(const char *dir, const struct box *box, bool *clear, struct err *e)
{
	struct build b = {.dir = dir};
	int rc;

	b.boxes[0] = *box;
	buf_init(&b.out, TEMPLATE_FILE_MAX);
	rc = build_seal(&b, 0, e);
	*clear = false;
	for (size_t i = 0; !rc && i < (size_t)box->w * box->h; i++)
		*clear |= le32_get(b.out.data + b.seal_at[0] + 4 * i) >> 24 < 0x80;
	buf_done(&b.out);
	return rc;
}
