/*
 * template-build.c - compiling a template folder into template.bin (drawn in template.h).
 *
 * Owns the separation of fixed art into panels at head resolution, so that nothing is drawn twice
 * while cards are made. Guarantees: template.bin is complete or absent, and carries the hashes of
 * everything it was made from. On failure the old template.bin stays.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/face.h"
#include "filters/le.h"
#include "filters/template-svg.h"

#include <pango/pangocairo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	PATH_LEN = 4096,
	RESIN_LEVEL = 128, /* resin art: darker than this is printed */
	MONO_LEVEL = 112,  /* a whole side without dye: only art that is meant to be dark */
	ALIGN = 64
};

struct build {
	const char *dir;
	struct buf out;
	struct svg *svg[SIDE_COUNT];
	unsigned width, height, dpi;
	struct box boxes[TEMPLATE_BOXES_MAX];
	size_t seal_at[TEMPLATE_BOXES_MAX]; /* offset in out, 0 = none */
	size_t n_boxes;
};

static int
path_build(char path[PATH_LEN], const char *dir, const char *name, struct err *e)
{
	int n = snprintf(path, PATH_LEN, "%s/%s", dir, name);

	return n > 0 && n < PATH_LEN ? 0
				     : err_set(e, ERR_USAGE, _("%s: the path is too long."), dir);
}

/* Appends len zero bytes at the next aligned offset, which it returns through *at. */
static int
piece_add(struct build *b, size_t len, size_t *at, struct err *e)
{
	size_t pad = (ALIGN - b->out.len % ALIGN) % ALIGN;
	int rc = buf_reserve(&b->out, pad + len, e);

	if (rc)
		return rc;
	memset(b->out.data + b->out.len, 0, pad + len);
	*at = b->out.len + pad;
	b->out.len += pad + len;
	return 0;
}

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
		rc = piece_add(b, plane_stride(1, b->height) * b->width, at, e);
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
	int rc = surface ? piece_add(b, dots * 4, &at[0], e) : e ? e->code : ERR_INPUT;

	for (int i = 0; !rc && i < 3; i++)
		rc = piece_add(b, dots, &at[1 + i], e);
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
	if (!rc && any && !(rc = piece_add(b, stride * b->width, at, e))) {
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

static int
side_build(struct build *b, enum side side, struct err *e)
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
	char path[PATH_LEN];
	struct svg *svg;
	int rc = path_build(path, b->dir, template_sources[SOURCE_SEAL_SVG], e);

	if (!rc && !access(path, F_OK)) {
		if ((rc = svg_load(&svg, path, e)))
			return rc;
		rc = svg_draw(svg, SVG_ALL, cr, box->w, box->h, NULL, e);
		svg_destroy(svg);
		return rc;
	}
	if (!rc && !(rc = path_build(path, b->dir, template_sources[SOURCE_SEAL_PNG], e)) &&
		access(path, F_OK))
		rc = err_set(e, ERR_MISSING, _("%s: has neither seal.svg nor seal.png."), b->dir);
	return rc ? rc : seal_png_draw(path, cr, box, e);
}

static int
seal_add(struct build *b, size_t index, struct err *e)
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
		rc = piece_add(b, (size_t)box->w * box->h * 4, &b->seal_at[index], e);
	if (!rc)
		for (unsigned y = 0; y < box->h; y++)
			memcpy(b->out.data + b->seal_at[index] + (size_t)y * box->w * 4,
				cairo_image_surface_get_data(surface) +
					(size_t)y * (size_t)cairo_image_surface_get_stride(surface),
				(size_t)box->w * 4);
	cairo_surface_destroy(surface);
	return rc;
}

/* ---- boxes
 * ------------------------------------------------------------------------------------------ */

/* A font that is not installed would silently become another. */
static bool
font_find(const char *name, char file[TEMPLATE_FONT_FILE_MAX], struct err *e)
{
	PangoFontMap *map = pango_cairo_font_map_new();
	PangoContext *context = pango_font_map_create_context(map);
	PangoFontDescription *want = pango_font_description_from_string(name);
	const char *want_family = pango_font_description_get_family(want);

	pango_font_description_set_absolute_size(want, 32 * PANGO_SCALE);
	PangoFont *font = pango_context_load_font(context, want);
	PangoFontDescription *got = font ? pango_font_describe(font) : NULL;
	const char *got_family = got ? pango_font_description_get_family(got) : NULL;
	bool same = want_family && got_family && !strcmp(want_family, got_family);
	font_file_name(font, file);
	if (!same)
		err_set(e, ERR_MISSING, _("the font \"%s\" is not installed."), name);
	pango_font_description_free(got);
	pango_font_description_free(want);
	g_clear_object(&font);
	g_object_unref(context);
	g_object_unref(map);
	return same;
}

bool
font_installed(const char *name, struct err *e)
{
	char file[TEMPLATE_FONT_FILE_MAX];

	return font_find(name, file, e);
}

static int
font_check(struct box *box, const char *dir, struct err *e)
{
	return font_find(box->font, box->font_file, e)
		       ? 0
		       : err_prefix(e, _("%s: field %s"), dir, box->field_name);
}

int
template_seal_clear(const char *dir, const struct box *box, bool *clear, struct err *e)
{
	struct build b = {.dir = dir};
	int rc;

	b.boxes[0] = *box;
	buf_init(&b.out, TEMPLATE_FILE_MAX);
	rc = seal_add(&b, 0, e);
	*clear = false;
	for (size_t i = 0; !rc && i < (size_t)box->w * box->h; i++)
		*clear |= le32_get(b.out.data + b.seal_at[0] + 4 * i) >> 24 < 0x80;
	buf_done(&b.out);
	return rc;
}

static int
boxes_read(struct build *b, struct err *e)
{
	int rc = 0;

	for (int side = 0; !rc && side < SIDE_COUNT; side++)
		if (b->svg[side])
			rc = svg_boxes(b->svg[side], (enum side)side, b->width, b->height, b->boxes,
				TEMPLATE_BOXES_MAX, &b->n_boxes, e);
	for (size_t i = 0; !rc && i < b->n_boxes; i++) {
		if (b->boxes[i].kind == BOX_TEXT)
			rc = font_check(&b->boxes[i], b->dir, e);
		else if (b->boxes[i].kind == BOX_SEAL || b->boxes[i].kind == BOX_ART)
			rc = seal_add(b, i, e);
	}
	return rc;
}

static int
fields_check(const struct build *b, struct err *e)
{
	char path[PATH_LEN];
	struct schema *schema;
	int rc = path_build(path, b->dir, template_sources[SOURCE_SCHEMA], e);

	if (rc || (rc = schema_load(&schema, path, e)))
		return rc;
	for (size_t i = 0; !rc && i < b->n_boxes; i++) {
		const struct box *x = &b->boxes[i];
		const char *missing = NULL;
		if (box_has_field(x) && schema_field(schema, x->field_name) < 0)
			missing = x->field_name;
		if (x->show && schema_field(schema, x->show_field) < 0)
			missing = x->show_field;
		if (missing)
			rc = err_set(e, ERR_INPUT,
				_("%s/%s: shows a field \"%s\" that record.schema does not have."),
				b->dir, template_sources[x->side], missing);
	}
	schema_destroy(schema);
	return rc;
}

static void
box_write(const struct build *b, size_t index, uint8_t *p)
{
	const struct box *x = &b->boxes[index];
	const uint8_t bytes[7] = {x->side, x->kind, x->align, x->fit, x->ink, x->lines, x->bare};
	const uint32_t words[8] = {x->x, x->y, x->w, x->h, x->size, x->min_size, x->colour,
		(uint32_t)b->seal_at[index]};

	memcpy(p, bytes, sizeof bytes);
	for (int i = 0; i < 8; i++)
		le32_put(p + 8 + 4 * i, words[i]);
	memcpy(p + 40, x->field_name, sizeof x->field_name);
	memcpy(p + 88, x->format, sizeof x->format);
	memcpy(p + 136, x->font, sizeof x->font);
	p[232] = x->symbology;
	p[233] = x->show;
	le32_put(p + 236, x->module);
	memcpy(p + 240, x->show_field, sizeof x->show_field);
	memcpy(p + 288, x->show_value, sizeof x->show_value);
	memcpy(p + 352, x->font_file, sizeof x->font_file);
}

/* ---- the file
 * ----------------------------------------------------------------------------------------- */

static int
drawings_load(struct build *b, struct err *e)
{
	for (int side = 0; side < SIDE_COUNT; side++) {
		char path[PATH_LEN];
		unsigned w, h, dpi;
		int rc = path_build(path, b->dir, template_sources[side], e);
		if (rc || (access(path, F_OK) && side == SIDE_BACK))
			return rc;
		if ((rc = svg_load(&b->svg[side], path, e)) ||
			(rc = svg_geometry(b->svg[side], &w, &h, &dpi, e)))
			return rc;
		if (side == SIDE_BACK && (w != b->width || h != b->height || dpi != b->dpi))
			return err_set(
				e, ERR_INPUT, _("%s: front and back differ in size."), b->dir);
		b->width = w;
		b->height = h;
		b->dpi = dpi;
	}
	return 0;
}

/* The folder's own name, as people call the template. */
static int
name_get(const char *dir, char out[64], struct err *e)
{
	char *full = realpath(dir, NULL);
	const char *slash = full ? strrchr(full, '/') : NULL;
	int n = slash ? snprintf(out, 64, "%s", slash + 1) : -1;

	free(full);
	if (n < 1 || n > 63)
		return err_set(e, ERR_MISSING, _("%s: is not a template folder."), dir);
	return 0;
}

static int
sources_write(struct build *b, struct err *e)
{
	for (int i = 0; i < TEMPLATE_SOURCES; i++) {
		uint8_t *p = b->out.data + TEMPLATE_AT_SOURCES + i * TEMPLATE_SOURCE_LEN;
		bool present;
		int rc = template_source_hash(b->dir, i, p + 4, &present, e);
		if (rc)
			return rc;
		le32_put(p, present);
	}
	return 0;
}

static int
file_build(struct build *b, struct err *e)
{
	size_t at;
	char name[64] = "";
	int rc = piece_add(b, TEMPLATE_HEAD_LEN, &at, e);

	if (rc || (rc = name_get(b->dir, name, e)) || (rc = sources_write(b, e)) ||
		(rc = drawings_load(b, e)) || (rc = boxes_read(b, e)) || (rc = fields_check(b, e)))
		return rc;
	for (int side = 0; side < SIDE_COUNT; side++)
		if ((rc = side_build(b, (enum side)side, e)))
			return rc;
	if ((rc = piece_add(b, b->n_boxes * TEMPLATE_BOX_LEN, &at, e)))
		return rc;
	for (size_t i = 0; i < b->n_boxes; i++)
		box_write(b, i, b->out.data + at + i * TEMPLATE_BOX_LEN);
	uint8_t *head = b->out.data;
	memcpy(head, TEMPLATE_MAGIC, 8);
	const uint32_t words[] = {TEMPLATE_VERSION, (uint32_t)b->out.len, b->width, b->height,
		b->dpi, (uint32_t)b->n_boxes, b->n_boxes ? (uint32_t)at : 0,
		(uint32_t)(svg_declares(b->svg[SIDE_FRONT], "chip") |
			   (b->svg[SIDE_BACK] && svg_declares(b->svg[SIDE_BACK], "stripe")) << 1)};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		le32_put(head + 8 + 4 * i, words[i]);
	memcpy(head + 40, name, sizeof name);
	return 0;
}

int
template_build(const char *dir, const char *out_path, struct err *e)
{
	char path[PATH_LEN];
	struct err own = {0};
	struct build *b = calloc(1, sizeof *b);

	if (!b)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	e = e ? e : &own;
	b->dir = dir;
	buf_init(&b->out, TEMPLATE_FILE_MAX);
	int rc = path_build(path, dir, "template.bin", e);
	if (!rc && !(rc = file_build(b, e))) {
		/* What cannot be opened again must not be written. */
		struct template t = {.map = b->out.data, .map_len = b->out.len};
		rc = template_parse(&t, path, e);
		free(t.boxes);
	}
	if (!rc)
		rc = file_write(out_path ? out_path : path, b->out.data, b->out.len, 0644, e);
	for (int side = 0; side < SIDE_COUNT; side++)
		svg_destroy(b->svg[side]);
	buf_done(&b->out);
	free(b);
	return rc;
}
