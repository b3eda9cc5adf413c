/*
 * upright.c - cards that are drawn upright, on their way to the head.
 *
 * Owns the turn by 90 degrees clockwise, the same that an upright page of a PDF gets: the drawing's
 * upper edge comes to the right end of the card. Everything of such a template is drawn as it
 * stands and its panels are turned last. Guarantees: no dot is lost or changed. On failure the face
 * is as it was.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/face.h"

#include <stdlib.h>

/* A card as drawings give it: ID-1 with up to so much bleed, or short of it by rounding. */
static const double card_w_mm = 85.6, card_h_mm = 53.98, more_mm = 2.0, less_mm = 0.4;
enum { TILE = 32 };

bool
template_upright(const struct template *t)
{
	return t->height > t->width;
}

static bool
sized(unsigned dots, unsigned dpi, double mm)
{
	double have = dots * 25.4 / dpi;

	return have >= mm - less_mm && have <= mm + more_mm;
}

int
template_card_check(const struct template *t, struct err *e)
{
	unsigned w = template_upright(t) ? t->height : t->width,
		 h = template_upright(t) ? t->width : t->height;

	if (sized(w, t->dpi, card_w_mm) && sized(h, t->dpi, card_h_mm))
		return 0;
	return err_set(e, ERR_INPUT,
		_("Template %s is %.1f x %.1f mm, which is not a card. Print labels with: "
		  "cardspool label sheet"),
		t->name, t->width * 25.4 / t->dpi, t->height * 25.4 / t->dpi);
}

void
rect_turn(unsigned height, unsigned *x, unsigned *y, unsigned *w, unsigned *h)
{
	unsigned left = height - *y - *h, top = *x, wide = *h;

	*h = *w;
	*w = wide;
	*x = left;
	*y = top;
}

/* ---- panels ----
 *
 * A pixel (x, y) drawn upright was put on line x, dot H - 1 - y. Turned it lies at (H - 1 - y, x),
 * which is line H - 1 - y, dot W - 1 - x: old line and dot change places, the line reversed.
 */

static void
bytes_turn(struct plane *out, const struct plane *in)
{
	for (unsigned line0 = 0; line0 < in->lines; line0 += TILE)
		for (unsigned dot0 = 0; dot0 < in->dots; dot0 += TILE)
			for (unsigned dot = dot0; dot < dot0 + TILE && dot < in->dots; dot++) {
				uint8_t *to = out->data + dot * out->stride + in->lines - 1;
				const uint8_t *from = in->data + dot;
				for (unsigned line = line0; line < line0 + TILE && line < in->lines;
					line++)
					to[-(ptrdiff_t)line] = from[line * in->stride];
			}
}

static void
bits_turn(struct plane *out, const struct plane *in)
{
	for (unsigned line = 0; line < in->lines; line++)
		for (unsigned dot = 0; dot < in->dots; dot++) {
			unsigned to = in->lines - 1 - line;
			if (in->data[line * in->stride + dot / 8] >> (7 - dot % 8) & 1)
				out->data[dot * out->stride + to / 8] |= (uint8_t)(0x80 >> to % 8);
		}
}

int
face_turn(struct face *f, struct err *e)
{
	struct face turned = {0};
	int rc = 0;

	for (int i = 0; !rc && i < PANEL_COUNT; i++) {
		const struct plane *in = &f->plane[i];
		struct plane *out = &turned.plane[i];
		*out = (struct plane){in->fill, in->bits, in->lines, in->dots,
			plane_stride(in->bits, in->lines), NULL};
		if (in->fill != PLANE_DATA)
			continue;
		if (!(rc = plane_create(out, in->bits, in->lines, in->dots, e)))
			(in->bits == 8 ? bytes_turn : bits_turn)(out, in);
	}
	face_done(rc ? &turned : f);
	if (!rc)
		*f = turned;
	return rc;
}
