/*
 * face-extra.c - the panels beside colour and black: overlay and fluorescent ink.
 *
 * Owns what a template leaves free of the overlay and what a record prints in UV. Guarantees: a box
 * whose condition does not hold changes nothing. On failure the plane may be half done; the face is
 * given up.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/face.h"
#include "filters/le.h"

#include <stdlib.h>
#include <string.h>

/* The box's dots of a 1-bit plane. */
static void
box_clear(struct plane *p, const struct box *b)
{
	unsigned first = p->dots - b->y - b->h;

	for (unsigned x = b->x; x < b->x + b->w; x++)
		for (unsigned dot = first; dot < first + b->h; dot++)
			p->data[x * p->stride + dot / 8] &= (uint8_t) ~(0x80 >> dot % 8);
}

static void
plane_set(struct plane *p)
{
	for (unsigned line = 0; line < p->lines; line++)
		for (unsigned dot = 0; dot < p->dots; dot++)
			p->data[line * p->stride + dot / 8] |= (uint8_t)(0x80 >> dot % 8);
}

int
overlay_make(struct plane *o, const struct template *t, enum side side, const struct record *rec,
	struct err *e)
{
	const uint8_t *art = t->art[side].overlay;
	bool whole = !art;

	for (size_t i = 0; i < t->n_boxes; i++)
		whole &= t->boxes[i].side != side || !t->boxes[i].bare ||
			 !box_is_shown(&t->boxes[i], rec->values);
	if (whole) {
		*o = (struct plane){
			PLANE_FULL, 1, t->height, t->width, plane_stride(1, t->height), NULL};
		return 0;
	}
	int rc = plane_create(o, 1, t->height, t->width, e);
	if (rc)
		return rc;
	if (art)
		memcpy(o->data, art, o->stride * o->lines);
	else
		plane_set(o);
	for (size_t i = 0; i < t->n_boxes; i++)
		if (t->boxes[i].side == side && t->boxes[i].bare &&
			box_is_shown(&t->boxes[i], rec->values))
			box_clear(o, &t->boxes[i]);
	return 0;
}

/* Eight dots of a line from dot on: the top bits of eight bytes of ink, the first one leftmost. */
static void
eight_set(uint8_t *bits, unsigned dot, const uint8_t *ink)
{
	const uint64_t ones = 0x0101010101010101, gather = 0x8040201008040201;
	unsigned eight = (unsigned)((le64_get(ink) >> 7 & ones) * gather >> 56);

	bits[dot / 8] |= (uint8_t)(eight >> dot % 8);
	if (dot % 8)
		bits[dot / 8 + 1] |= (uint8_t)(eight << (8 - dot % 8));
}

void
text_to_bits(const struct text_engine *te, const struct box *b, struct plane *p)
{
	unsigned first = p->dots - b->y - b->h;

	for (unsigned x = 0; x < b->w; x++) {
		const uint8_t *ink = te->ink + x * te->pitch;
		uint8_t *bits = p->data + (b->x + x) * p->stride;
		unsigned i = 0;
		for (; i + 8 <= b->h; i += 8)
			eight_set(bits, first + i, ink + i);
		for (; i < b->h; i++)
			if (ink[i] >= 128)
				bits[(first + i) / 8] |= (uint8_t)(0x80 >> (first + i) % 8);
	}
}

/* Fluorescent ink is light: it is printed where the photo is light. */
static int
photo_to_uv(const struct box *b, const uint8_t *photo, size_t len, struct plane *uv, struct err *e)
{
	struct picture p = {b->x, b->y, b->w, b->h, calloc((size_t)b->w * b->h, 4)};
	int rc = p.pixels ? picture_photo(&p, b, photo, len, e)
			  : err_set(e, ERR_SYSTEM, _("Out of memory."));

	for (size_t i = 0; !rc && i < (size_t)b->w * b->h; i++)
		p.pixels[i] ^= 0xffffff;
	if (!rc)
		rc = picture_dither(&p, uv, e);
	free(p.pixels);
	return rc;
}

int
uv_draw(struct text_engine *te, const struct template *t, enum side side, const struct record *rec,
	const uint8_t *photo, size_t photo_len, const char *where, struct plane *uv, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < t->n_boxes; i++) {
		const struct box *b = &t->boxes[i];
		if (b->side != side || b->ink != INK_UV || !box_is_shown(b, rec->values))
			continue;
		if (b->kind == BOX_PHOTO) {
			if (photo_len && (rc = photo_to_uv(b, photo, photo_len, uv, e)))
				err_prefix(e, "%s", where);
		} else if (rec->values[b->field][0]) {
			rc = text_draw(te, t, i, rec->values[b->field], where, e);
			if (!rc)
				text_to_bits(te, b, uv);
		}
	}
	return rc;
}
