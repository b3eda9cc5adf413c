/*
 * template-lint.c - what a designer should know of a template before cards are made with it.
 *
 * Owns the rules of a good card: every box where the head can print it, nothing under chip contacts
 * or on the stripe, nothing over each other, text that can be read, fonts that are there.
 * Guarantees: reads on through every problem; each is one line that names drawing and box. Errors
 * would make bad cards, warnings (code ERR_NONE) deserve a look.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/face.h"
#include "filters/ndef.h"
#include "filters/template-svg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_LEN = 4096, LABEL_LEN = 128 };

/* ISO/IEC 7810 ID-1, 7816-2 (contacts with the plate around them), 7811 (three tracks); mm. */
static const double card_w_mm = 85.6, card_h_mm = 53.98, edge_mm = 1.5, readable_mm = 1.2;
static const struct {
	const char *attribute;
	enum side side;
	double x, y, w, h;
	const char *text;
} keep_clear[] = {
	{"chip", SIDE_FRONT, 9.0, 18.0, 12.5, 12.0, N_("lies under the contacts of the chip.")},
	{"stripe", SIDE_BACK, 0, 4.8, 85.6, 11.7, N_("lies on the magnetic stripe.")},
};

struct lint {
	const char *dir;
	struct problems problems;
	struct svg *svg[SIDE_COUNT];
	struct schema *schema;
	unsigned width, height, dpi;
	bool card; /* the size of an ID-1 card, not of a label */
	struct box boxes[TEMPLATE_BOXES_MAX];
	size_t n_boxes;
};

static const char *
box_label(const struct box *b, char label[LABEL_LEN])
{
	snprintf(label, LABEL_LEN, "%s: box %s", template_sources[b->side], box_name(b));
	return label;
}

static void
box_problem(struct lint *l, const struct box *b, int code, const char *text)
{
	char label[LABEL_LEN];
	struct err e = {0};

	err_set(&e, code, "%s: %s", box_label(b, label), text);
	if (code)
		problems_add(&l->problems, &e);
	else
		problems_warn(&l->problems, &e);
}

static unsigned
dots(const struct lint *l, double mm)
{
	return (unsigned)(mm * l->dpi / 25.4 + 0.5);
}

static bool
rectangles_meet(const struct box *b, double x, double y, double w, double h)
{
	return b->x < x + w && x < b->x + b->w && b->y < y + h && y < b->y + b->h;
}

/* ---- one box ----------------------------------------------------------------------------------
 */

static void
place_check(struct lint *l, const struct box *drawn)
{
	bool upright = l->height > l->width;
	unsigned width = upright ? l->height : l->width, height = upright ? l->width : l->height;
	double x0 = (width - dots(l, card_w_mm)) / 2.0, y0 = (height - dots(l, card_h_mm)) / 2.0;
	struct box turned = *drawn, *b = &turned;

	if (upright)
		rect_turn(l->height, &b->x, &b->y, &b->w, &b->h);
	double left = b->x - x0, top = b->y - y0;
	double right = width - x0 - (b->x + b->w), bottom = height - y0 - (b->y + b->h);
	double least = left < right ? left : right;

	least = top < least ? top : least;
	least = bottom < least ? bottom : least;
	if (!l->card || b->kind == BOX_ART)
		return;
	if (least < -1 && b->kind != BOX_SEAL)
		box_problem(l, b, ERR_INPUT, _("reaches beyond the edge of the card."));
	else if (box_has_field(b) && least < dots(l, edge_mm))
		box_problem(l, b, ERR_NONE,
			_("lies within 1.5 mm of the edge, where the head may miss; move it in."));
	for (size_t i = 0; i < ARRAY_LEN(keep_clear); i++) {
		double unit = l->dpi / 25.4;
		if (keep_clear[i].side == (enum side)b->side &&
			svg_declares(l->svg[b->side], keep_clear[i].attribute) &&
			rectangles_meet(b, x0 + keep_clear[i].x * unit, y0 + keep_clear[i].y * unit,
				keep_clear[i].w * unit, keep_clear[i].h * unit))
			box_problem(l, b, ERR_INPUT, _(keep_clear[i].text));
	}
}

static void
text_box_check(struct lint *l, const struct box *b)
{
	struct err e = {0};

	if (!font_installed(b->font, &e))
		box_problem(l, b, ERR_MISSING, e.text);
	if (b->min_size > b->h * TEMPLATE_SIZE_UNIT)
		box_problem(l, b, ERR_INPUT,
			_("is lower than one line of its smallest text; make it higher."));
	if (b->min_size < dots(l, readable_mm) * TEMPLATE_SIZE_UNIT)
		box_problem(l, b, ERR_NONE,
			_("may shrink below 1.2 mm, which nobody can read; raise min-size."));
}

static void
barcode_size_check(struct lint *l, const struct box *b)
{
	struct err e = {0};

	if (barcode_check(b, "0", template_sources[b->side], &e))
		box_problem(l, b, ERR_INPUT,
			_("is too small for any code of this kind with its quiet zone."));
}

static void
photo_shape_check(struct lint *l, const struct box *b)
{
	uint64_t rh = l->schema ? l->schema->photo_ratio_h : 0;
	uint64_t rw = l->schema ? l->schema->photo_ratio_w : 0;
	uint64_t a = b->h * rw, c = b->w * rh;

	if (rh && rw && (a > c ? a - c : c - a) > (rh > rw ? rh : rw)) {
		char text[160];
		snprintf(text, sizeof text,
			_("is %u wide and %u high; photos are %u:%u, so make it %u high."), b->w,
			b->h, (unsigned)rh, (unsigned)rw, (unsigned)(b->w * rh / rw));
		box_problem(l, b, ERR_INPUT, text);
	}
}

/* A seal without a clear dot hides what lies below: the photo. */
static void
seal_clear_check(struct lint *l, const struct box *b)
{
	bool clear = false;
	struct err e = {0};

	if (template_seal_clear(l->dir, b, &clear, &e))
		box_problem(l, b, ERR_MISSING, e.text);
	else if (!clear)
		box_problem(l, b, ERR_INPUT,
			_("has no transparent part and would hide what lies below it."));
}

static void
fields_known_check(struct lint *l, const struct box *b)
{
	const char *names[] = {box_has_field(b) ? b->field_name : "", b->show_field};

	for (size_t i = 0; l->schema && i < ARRAY_LEN(names); i++) {
		char text[160];
		if (!names[i][0] || schema_field(l->schema, names[i]) >= 0)
			continue;
		snprintf(text, sizeof text, _("record.schema has no field \"%s\"."), names[i]);
		box_problem(l, b, ERR_INPUT, text);
	}
}

static void
box_check(struct lint *l, const struct box *b)
{
	place_check(l, b);
	fields_known_check(l, b);
	if (b->kind == BOX_TEXT)
		text_box_check(l, b);
	else if (b->kind == BOX_BARCODE)
		barcode_size_check(l, b);
	else if (b->kind == BOX_PHOTO)
		photo_shape_check(l, b);
	else if (b->kind == BOX_SEAL)
		seal_clear_check(l, b);
}

/* ---- all boxes together -----------------------------------------------------------------------
 */

/* Two boxes with opposite conditions are never filled at once. */
static bool
never_together(const struct box *a, const struct box *b)
{
	if (!a->show || !b->show || strcmp(a->show_field, b->show_field))
		return false;
	if (a->show == SHOW_EQUAL && b->show == SHOW_EQUAL)
		return strcmp(a->show_value, b->show_value) != 0;
	return a->show != b->show && !strcmp(a->show_value, b->show_value);
}

static void
overlaps_check(struct lint *l)
{
	for (size_t i = 0; i < l->n_boxes; i++)
		for (size_t j = 0; j < i; j++) {
			const struct box *a = &l->boxes[i], *b = &l->boxes[j];
			char label[LABEL_LEN], text[LABEL_LEN + 64];
			/* Fluorescent ink lies unseen over anything but its own kind. */
			bool solid = (a->ink == INK_UV) == (b->ink == INK_UV) &&
				     a->kind != BOX_SEAL && a->kind != BOX_ART &&
				     b->kind != BOX_SEAL && b->kind != BOX_ART;
			if (!solid || a->side != b->side || never_together(a, b) ||
				!rectangles_meet(a, b->x, b->y, b->w, b->h))
				continue;
			const char *other = strstr(box_label(b, label), ": ") + 2;
			snprintf(text, sizeof text, _("overlaps %s."), other);
			box_problem(l, a, ERR_INPUT, text);
		}
}

static bool
field_is_shown(const struct lint *l, const char *name)
{
	for (size_t i = 0; i < l->n_boxes; i++)
		if (box_has_field(&l->boxes[i]) && !strcmp(l->boxes[i].field_name, name))
			return true;
	return false;
}

static void
schema_check(struct lint *l)
{
	char path[PATH_LEN];
	bool photo = false;
	struct err e = {0};

	snprintf(path, sizeof path, "%s/%s", l->dir, template_sources[SOURCE_CHIP_MAP]);
	int code = access(path, F_OK) ? ERR_INPUT : ERR_NONE;
	for (size_t i = 0; i < l->n_boxes; i++)
		photo |= l->boxes[i].kind == BOX_PHOTO;
	/* A label is the same for everybody. */
	for (size_t i = 0; l->n_boxes && i < l->schema->n_fields; i++) {
		const struct field_rule *f = &l->schema->fields[i];
		if (!f->required || field_is_shown(l, f->name))
			continue;
		err_set(&e, code, _("%s: no box shows the field %s, which must be filled in."),
			template_sources[SOURCE_FRONT], f->name);
		if (code)
			problems_add(&l->problems, &e);
		else
			problems_warn(&l->problems, &e);
	}
	if (photo == l->schema->photo_required)
		return;
	err_set(&e, l->schema->photo_required ? ERR_INPUT : ERR_NONE,
		l->schema->photo_required
			? _("%s: has no box for the photo, which record.schema requires.")
			: _("%s: has a box for a photo, but record.schema does not require one."),
		template_sources[SOURCE_FRONT]);
	if (e.code)
		problems_add(&l->problems, &e);
	else
		problems_warn(&l->problems, &e);
}

/* A copied folder whose schema still has the old name: pack would refuse it, or find the old one.
 */
static void
name_check(struct lint *l)
{
	struct err e = {0};
	char *whole = realpath(l->dir, NULL);
	const char *slash = whole ? strrchr(whole, '/') : NULL;

	if (slash && slash[1] && strcmp(slash + 1, l->schema->name)) {
		err_set(&e, ERR_NONE,
			_("%s: calls the template %s, but its folder is %s; cards are packed only "
			  "when they agree."),
			template_sources[SOURCE_SCHEMA], l->schema->name, slash + 1);
		problems_warn(&l->problems, &e);
	}
	free(whole);
}

static void
words_told(void *ctx, const struct err *e)
{
	struct lint *l = ctx;

	if (e->code)
		problems_add(&l->problems, e);
	else
		problems_warn(&l->problems, e);
}

/* The maps of chip and tag: cards could not be made with wrong ones. */
static void
maps_check(struct lint *l)
{
	struct chip_map *chip;
	struct ndef_map *tag;
	struct err e = {0};

	if (chip_maps_load(&chip, &tag, l->dir, l->schema, &e))
		problems_add(&l->problems, &e);
	chip_map_destroy(chip);
	ndef_map_destroy(tag);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static void
side_read(struct lint *l, enum side side)
{
	char path[PATH_LEN];
	unsigned w, h, dpi;
	struct err e = {0};

	snprintf(path, sizeof path, "%s/%s", l->dir, template_sources[side]);
	if (side == SIDE_BACK && access(path, F_OK))
		return;
	if (svg_load(&l->svg[side], path, &e) || svg_geometry(l->svg[side], &w, &h, &dpi, &e)) {
		problems_add(&l->problems, &e);
		return;
	}
	if (l->width && (w != l->width || h != l->height || dpi != l->dpi)) {
		err_set(&e, ERR_INPUT, _("%s: front and back differ in size."), path);
		problems_add(&l->problems, &e);
		return;
	}
	l->width = w;
	l->height = h;
	l->dpi = dpi;
	if (svg_boxes(l->svg[side], side, w, h, l->boxes, TEMPLATE_BOXES_MAX, &l->n_boxes, &e)) {
		problems_add(&l->problems, &e);
		return;
	}
	svg_words_check(l->svg[side], w, h, words_told, l);
}

/* A card as the head has it, across or upright; else a label. */
static bool
card_sized(const struct lint *l)
{
	unsigned w = l->width > l->height ? l->width : l->height,
		 h = l->width > l->height ? l->height : l->width;

	return l->dpi && w + 4 >= dots(l, card_w_mm) && w <= dots(l, card_w_mm) + 24 &&
	       h + 4 >= dots(l, card_h_mm) && h <= dots(l, card_h_mm) + 24;
}

int
template_check(const char *dir, problem_sink *sink, void *ctx, struct err *e)
{
	char path[PATH_LEN];
	struct err own = {0};
	struct lint *l = calloc(1, sizeof *l);

	if (!l)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	l->dir = dir;
	l->problems = (struct problems){.sink = sink, .ctx = ctx};
	snprintf(path, sizeof path, "%s/%s", dir, template_sources[SOURCE_SCHEMA]);
	if (schema_load(&l->schema, path, &own))
		problems_add(&l->problems, &own);
	for (int side = 0; side < SIDE_COUNT; side++)
		side_read(l, (enum side)side);
	l->card = card_sized(l);
	for (size_t i = 0; i < l->n_boxes; i++)
		box_check(l, &l->boxes[i]);
	overlaps_check(l);
	if (l->schema && !l->problems.n)
		schema_check(l);
	if (l->schema) {
		name_check(l);
		maps_check(l);
	}
	unsigned n = l->problems.n;
	int rc = !n      ? 0
		 : !sink ? err_set(e, l->problems.first.code, "%s", l->problems.first.text)
			 : err_set(e, ERR_INPUT,
				   n == 1 ? _("%s: %u problem; the cards would be bad.")
					  : _("%s: %u problems; the cards would be bad."),
				   dir, n);
	for (int side = 0; side < SIDE_COUNT; side++)
		svg_destroy(l->svg[side]);
	if (l->schema)
		schema_destroy(l->schema);
	free(l);
	return rc;
}
