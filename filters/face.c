/*
 * face.c - drawing one side of a card for a record.
 *
 * Owns the order of things: compiled panels first, then photo, seal and coloured text where they
 * lie, then black text on the exact dots of the K panel with the dye knocked out below. Guarantees:
 * only the panels that the ribbon offers are made, nothing is clipped silently. On failure the face
 * is empty.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/face.h"
#include "filters/look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct renderer {
	const struct template *template;
	struct text_engine text;
	uint32_t *pixels; /* for the picture of a side */
	size_t pixels_max;
	struct print_look look;
	uint8_t *ground[SIDE_COUNT]; /* Y M C of the fixed art by look.dye; NULL: the template's */
};

/* What one call draws. */
struct job {
	struct renderer *r;
	const struct record *rec;
	const uint8_t *photo;
	size_t photo_len;
	enum side side;
	bool dye, k;           /* the ribbon has these panels */
	unsigned line0, line1; /* dye is printed on lines [line0, line1) */
	struct face *face;
	char where[48];
};

static int
create(struct renderer **out, const struct template *t, bool few, struct err *e)
{
	struct renderer *r = calloc(1, sizeof *r);

	*out = NULL;
	if (!r)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	r->template = t;
	int rc = text_engine_init(&r->text, t, few, e);
	if (rc)
		renderer_destroy(r);
	else
		*out = r;
	return rc;
}

int
renderer_create(struct renderer **out, const struct template *t, struct err *e)
{
	return create(out, t, false, e);
}

int
renderer_create_alone(struct renderer **out, const struct template *t, struct err *e)
{
	return create(out, t, fonts_few(t), e);
}

void
renderer_destroy(struct renderer *r)
{
	if (!r)
		return;
	text_engine_done(&r->text);
	for (int side = 0; side < SIDE_COUNT; side++)
		free(r->ground[side]);
	free(r->pixels);
	free(r);
}

/* The fixed art once more through the table, as the compiler does it without. */
static int
ground_make(struct renderer *r, enum side side, struct err *e)
{
	const struct template *t = r->template;
	const struct art *a = &t->art[side];
	size_t dots = (size_t)t->width * t->height;

	if (!a->rgb || !a->k)
		return 0;
	uint8_t *all = malloc(3 * dots);
	if (!all)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	uint8_t *ymc[3] = {all, all + dots, all + 2 * dots};
	dye_convert_table(r->look.dye, ymc, t->height, (const uint32_t *)(const void *)a->rgb,
		t->width, 0, 0, t->width, t->height);
	dye_knock_out(ymc, t->height, a->k, 0, 0, t->width, t->height);
	r->ground[side] = all;
	return 0;
}

int
renderer_look(struct renderer *r, const struct print_look *look, struct err *e)
{
	int rc = 0;

	r->look = look ? *look : (struct print_look){0};
	for (int side = 0; side < SIDE_COUNT; side++) {
		free(r->ground[side]);
		r->ground[side] = NULL;
		if (!rc && r->look.dye)
			rc = ground_make(r, (enum side)side, e);
	}
	return rc;
}

static int
plane_copy(struct plane *p, unsigned bits, const struct template *t, const uint8_t *from,
	struct err *e)
{
	size_t stride = plane_stride(bits, t->height);
	uint8_t *data = malloc(stride * t->width);

	if (!data)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	memcpy(data, from, stride * t->width);
	*p = (struct plane){PLANE_DATA, bits, t->height, t->width, stride, data};
	return 0;
}

/* The fixed art, from the compiled template. */
static int
ground_copy(struct job *j, struct err *e)
{
	const struct template *t = j->r->template;
	const struct art *a = &t->art[j->side];
	const uint8_t *own = j->r->ground[j->side];
	struct plane *plane = j->face->plane;
	int rc = plane_copy(&plane[PANEL_K], 1, t, j->dye ? a->k : a->mono, e);

	for (int i = PANEL_Y; j->dye && !rc && i <= PANEL_C; i++)
		rc = plane_copy(&plane[i], 8, t,
			own ? own + (size_t)i * t->width * t->height : a->ymc[i], e);
	if (rc || !j->dye || (j->line0 == 0 && j->line1 == t->width))
		return rc;
	struct plane *k = &plane[PANEL_K];
	for (unsigned line = 0; line < t->width; line++) {
		if (line >= j->line0 && line < j->line1)
			continue;
		memcpy(k->data + line * k->stride, a->mono + line * k->stride, k->stride);
		for (int i = PANEL_Y; i <= PANEL_C; i++)
			memset(plane[i].data + line * plane[i].stride, 0, plane[i].stride);
	}
	return 0;
}

static const char *
box_value(const struct job *j, const struct box *b)
{
	return j->rec->values[b->field];
}

/* The text drawn last goes to the K panel, and the dye below it is taken away. */
static void
ink_to_resin(struct job *j, const struct box *b)
{
	struct plane *k = &j->face->plane[PANEL_K];

	text_to_bits(&j->r->text, b, k);
	if (!j->dye)
		return;
	uint8_t *ymc[3] = {j->face->plane[PANEL_Y].data, j->face->plane[PANEL_M].data,
		j->face->plane[PANEL_C].data};
	dye_knock_out(ymc, k->dots, k->data, b->x, b->y, b->w, b->h);
}

static int
photo_check_present(const struct job *j, struct err *e)
{
	if (j->photo_len || !j->r->template->schema->photo_required)
		return 0;
	return err_set(e, ERR_INPUT, _("%s: has no photo."), j->where);
}

static int
picture_compose(struct job *j, struct picture *p, struct err *e)
{
	const struct template *t = j->r->template;
	int rc = 0;

	for (size_t i = 0; !rc && i < t->n_boxes; i++) {
		const struct box *b = &t->boxes[i];
		if (b->side != j->side || !box_is_dye(b) || !box_is_shown(b, j->rec->values))
			continue;
		if (b->kind == BOX_SEAL || b->kind == BOX_ART) {
			picture_seal(p, b);
		} else if (b->kind == BOX_PHOTO) {
			if (!(rc = photo_check_present(j, e)) && j->photo_len &&
				(rc = picture_photo(p, b, j->photo, j->photo_len, e)))
				err_prefix(e, "%s", j->where);
		} else if (j->dye) {
			rc = text_draw(&j->r->text, t, i, box_value(j, b), j->where, e);
			if (!rc)
				picture_text(p, b, j->r->text.ink, j->r->text.pitch);
		}
	}
	return rc;
}

/* Photo, seal and coloured text: composed upright in RGB, and only that rectangle is converted. */
static int
pictures_draw(struct job *j, struct err *e)
{
	const struct template *t = j->r->template;
	struct picture p = picture_around(t, j->side);
	size_t need = (size_t)p.w * p.h;

	if (!need)
		return 0;
	if (need > j->r->pixels_max) {
		uint32_t *pixels = realloc(j->r->pixels, need * sizeof *pixels);
		if (!pixels)
			return err_set(e, ERR_SYSTEM, _("Out of memory."));
		j->r->pixels = pixels;
		j->r->pixels_max = need;
	}
	p.pixels = j->r->pixels;
	const uint8_t *ground = t->art[j->side].rgb;
	if (!j->dye)
		memset(p.pixels, 0xff, need * sizeof *p.pixels);
	for (unsigned y = 0; j->dye && y < p.h; y++)
		memcpy(p.pixels + (size_t)y * p.w,
			ground + 4 * ((size_t)(p.y + y) * t->width + p.x), 4 * (size_t)p.w);
	int rc = picture_compose(j, &p, e);
	struct plane *plane = j->face->plane;
	if (rc || !j->dye)
		return rc ? rc : picture_dither(&p, &plane[PANEL_K], e);
	uint8_t *ymc[3] = {plane[PANEL_Y].data, plane[PANEL_M].data, plane[PANEL_C].data};
	dye_convert_table(j->r->look.dye, ymc, t->height, p.pixels, p.w, p.x, p.y, p.w, p.h);
	dye_knock_out(ymc, t->height, plane[PANEL_K].data, p.x, p.y, p.w, p.h);
	return 0;
}

static int
texts_draw(struct job *j, struct err *e)
{
	const struct template *t = j->r->template;

	for (size_t i = 0; i < t->n_boxes; i++) {
		const struct box *b = &t->boxes[i];
		if (b->side != j->side || !box_has_field(b) || b->ink == INK_UV ||
			(j->dye && box_is_dye(b)))
			continue;
		if (!box_value(j, b)[0] || !box_is_shown(b, j->rec->values))
			continue;
		if (b->kind == BOX_BARCODE) {
			struct plane *plane = j->face->plane;
			int bad = barcode_draw(b, box_value(j, b), j->where, &plane[PANEL_K],
				j->dye ? plane : NULL, e);
			if (bad)
				return bad;
			continue;
		}
		int rc = text_draw(&j->r->text, t, i, box_value(j, b), j->where, e);
		if (rc)
			return rc;
		ink_to_resin(j, b);
	}
	return 0;
}

/* A ribbon without K shows black as the dyes of black. */
static void
resin_to_dye(struct face *f, const struct dye_table *table)
{
	struct plane *k = &f->plane[PANEL_K];
	uint32_t black = 0;

	if (table)
		dye_words_table(table, &black, 1);
	else
		dye_words_plain(&black, 1);

	for (unsigned line = 0; line < k->lines; line++)
		for (unsigned dot = 0; dot < k->dots; dot++)
			if (k->data[line * k->stride + dot / 8] >> (7 - dot % 8) & 1)
				for (int i = PANEL_Y; i <= PANEL_C; i++)
					f->plane[i].data[line * f->plane[i].stride + dot] =
						(uint8_t)(black >> (8 * i));
	plane_done(k);
}

/* A side asks for fluorescent ink by its art or by a box. */
static bool
side_has_uv(const struct template *t, enum side side)
{
	bool uv = t->art[side].uv != NULL;

	for (size_t i = 0; i < t->n_boxes; i++)
		uv |= t->boxes[i].side == side && t->boxes[i].ink == INK_UV;
	return uv;
}

static int
uv_check(const struct job *j, const struct ribbon *ribbon, const char *panels, struct err *e)
{
	const struct template *t = j->r->template;

	if (!j->r->look.uv_must || strchr(panels, 'U') || !side_has_uv(t, j->side))
		return 0;
	return err_set(e, ERR_INPUT,
		_("The %s of template %s has fluorescent (UV) ink, but ribbon %s has no panel for "
		  "it there. Put in a ribbon with a UV panel and choose it."),
		_(side_names[j->side]), t->name, ribbon->name);
}

static int
extras_add(const struct job *j, const char *panels, struct err *e)
{
	const struct template *t = j->r->template;
	struct plane *uv = &j->face->plane[PANEL_UV];
	const uint8_t *art = t->art[j->side].uv;
	int rc = 0;

	if (strchr(panels, 'O'))
		rc = overlay_make(&j->face->plane[PANEL_O], t, j->side, j->rec, e);
	if (rc || !strchr(panels, 'U'))
		return rc;
	rc = art ? plane_copy(uv, 1, t, art, e) : plane_create(uv, 1, t->height, t->width, e);
	if (!rc)
		rc = uv_draw(
			&j->r->text, t, j->side, j->rec, j->photo, j->photo_len, j->where, uv, e);
	return rc;
}

int
face_render(struct renderer *r, const struct record *rec, const uint8_t *photo, size_t photo_len,
	enum side side, const struct ribbon *ribbon, struct face *out, struct err *e)
{
	const char *panels = side == SIDE_FRONT ? ribbon->front : ribbon->back;
	struct job j = {.r = r,
		.rec = rec,
		.photo = photo,
		.photo_len = photo_len,
		.side = side,
		.dye = strchr(panels, 'Y') && strchr(panels, 'M') && strchr(panels, 'C'),
		.k = strchr(panels, 'K') != NULL,
		.face = out};

	memset(out, 0, sizeof *out);
	if (!panels[0] || !r->template->art[side].present)
		return 0;
	snprintf(j.where, sizeof j.where, _("record %u"), rec->number);
	int rc = uv_check(&j, ribbon, panels, e);
	if (rc)
		goto out;
	if ((j.dye || j.k) &&
		((rc = dye_window(r->template, side, ribbon, &j.line0, &j.line1, e)) ||
			(rc = ground_copy(&j, e)) || (rc = pictures_draw(&j, e)) ||
			(rc = texts_draw(&j, e))))
		goto out;
	if (j.dye && !j.k)
		resin_to_dye(out, r->look.dye);
	rc = extras_add(&j, panels, e);
	if (!rc && template_upright(r->template))
		rc = face_turn(out, e);
	if (!rc)
		rc = overlay_limit(&out->plane[PANEL_O], &r->look, side, r->template->dpi, e);
	for (int i = 0; i < PANEL_COUNT; i++)
		plane_blank_find(&out->plane[i]);
out:
	if (rc)
		face_done(out);
	return rc;
}

int
face_check(struct renderer *r, const struct record *rec, const char *where, problem_sink *problem,
	void *ctx)
{
	const struct template *t = r->template;
	int first = 0;

	for (size_t i = 0; i < t->n_boxes; i++) {
		const struct box *b = &t->boxes[i];
		struct err e = {0};
		if (!box_has_field(b) || !rec->values[b->field][0] || !box_is_shown(b, rec->values))
			continue;
		const char *value = rec->values[b->field];
		int rc = b->kind == BOX_BARCODE ? barcode_check(b, value, where, &e)
						: text_check(&r->text, t, i, value, where, &e);
		if (rc)
			problem(ctx, &e);
		first = first ? first : rc;
	}
	return first;
}
