/*
 * template-build.c - compiling a template folder into template.bin (drawn in template.h).
 *
 * Owns the file, its boxes and their fonts; the panels are template-art.c. Guarantees: template.bin
 * is complete or absent, and carries the hashes of everything it was made from. On failure the old
 * template.bin stays.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/template-build.h"

#include <pango/pangocairo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_ALIGN = 64 };

int
build_path(char path[BUILD_PATH_LEN], const char *dir, const char *name, struct err *e)
{
	int n = snprintf(path, BUILD_PATH_LEN, "%s/%s", dir, name);

	return n > 0 && n < BUILD_PATH_LEN
		       ? 0
		       : err_set(e, ERR_USAGE, _("%s: the path is too long."), dir);
}

int
build_piece(struct build *b, size_t len, size_t *at, struct err *e)
{
	size_t pad = (PIECE_ALIGN - b->out.len % PIECE_ALIGN) % PIECE_ALIGN;
	int rc = buf_reserve(&b->out, pad + len, e);

	if (rc)
		return rc;
	memset(b->out.data + b->out.len, 0, pad + len);
	*at = b->out.len + pad;
	b->out.len += pad + len;
	return 0;
}

/* ---- boxes ---- */

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
			rc = build_seal(b, i, e);
	}
	return rc;
}

static int
fields_check(const struct build *b, struct err *e)
{
	char path[BUILD_PATH_LEN];
	struct schema *schema;
	int rc = build_path(path, b->dir, template_sources[SOURCE_SCHEMA], e);

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
		char path[BUILD_PATH_LEN];
		unsigned w, h, dpi;
		int rc = build_path(path, b->dir, template_sources[side], e);
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
	int rc = build_piece(b, TEMPLATE_HEAD_LEN, &at, e);

	if (rc || (rc = name_get(b->dir, name, e)) || (rc = sources_write(b, e)) ||
		(rc = drawings_load(b, e)) || (rc = boxes_read(b, e)) || (rc = fields_check(b, e)))
		return rc;
	for (int side = 0; side < SIDE_COUNT; side++)
		if ((rc = build_side(b, (enum side)side, e)))
			return rc;
	if ((rc = build_piece(b, b->n_boxes * TEMPLATE_BOX_LEN, &at, e)))
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
	char path[BUILD_PATH_LEN];
	struct err own = {0};
	struct build *b = calloc(1, sizeof *b);

	if (!b)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	e = e ? e : &own;
	b->dir = dir;
	buf_init(&b->out, TEMPLATE_FILE_MAX);
	int rc = build_path(path, dir, "template.bin", e);
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
