/*
 * overlay.c - where the overlay panel is laid, and where it must not be.
 *
 * Owns the areas of a card that contacts, a magnetic head or a pen need bare. Guarantees: an area
 * is cleared in whole dots, rounded outwards; a side without overlay never gets one. On failure the
 * plane is as it was.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/look.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * Millimetres from the upper left corner of the side, card 85.60 x 53.98 (ISO/IEC 7810 ID-1).
 * Contacts: ISO/IEC 7816-2 puts C1 to C8 within 10.25 ... 19.87 by 19.23 ... 28.55; their plate is
 * larger, and half a millimetre is left for the card's play. Stripe: ISO/IEC 7811-6 lets three
 * tracks begin 5.54 mm and end 15.82 mm below the edge at the latest. The signature panel has no
 * standard place; this is the custom of bank cards, below the stripe.
 */
static const double card_w_mm = 85.60, card_h_mm = 53.98;
static const struct {
	enum side side;
	double x_mm, y_mm, w_mm, h_mm;
} areas[AREA_COUNT] = {
	[AREA_CHIP] = {SIDE_FRONT, 8.5, 17.5, 14.0, 13.0},
	[AREA_STRIPE] = {SIDE_BACK, 0, 4.0, 85.60, 12.5},
	[AREA_SIGNATURE] = {SIDE_BACK, 5.0, 18.0, 75.6, 11.0},
};

static unsigned
dots_clip(double dots, unsigned most)
{
	return dots <= 0 ? 0 : dots >= most ? most : (unsigned)dots;
}

bool
area_find(enum card_area area, enum side side, unsigned width, unsigned height, unsigned dpi,
	struct area_rect *out)
{
	double mm = dpi / 25.4, x, y;

	if (area >= AREA_COUNT || areas[area].side != side)
		return false;
	x = (width - card_w_mm * mm) / 2 + areas[area].x_mm * mm;
	y = (height - card_h_mm * mm) / 2 + areas[area].y_mm * mm;
	unsigned x0 = dots_clip(floor(x), width), y0 = dots_clip(floor(y), height);
	unsigned x1 = dots_clip(ceil(x + areas[area].w_mm * mm), width);
	unsigned y1 = dots_clip(ceil(y + areas[area].h_mm * mm), height);
	/* What runs to the card's edge runs to the head's. */
	if (areas[area].w_mm >= card_w_mm) {
		x0 = 0;
		x1 = width;
	}
	*out = (struct area_rect){x0, y0, x1 - x0, y1 - y0};
	return true;
}

void
plane_clear(struct plane *p, const struct area_rect *rect)
{
	for (unsigned x = rect->x; x < rect->x + rect->w && x < p->lines; x++)
		for (unsigned y = rect->y; y < rect->y + rect->h && y < p->dots; y++) {
			unsigned dot = p->dots - 1 - y;
			p->data[x * p->stride + dot / 8] &= (uint8_t) ~(0x80 >> dot % 8);
		}
}

/* A full plane gets its dots, padding bits 0. */
static int
plane_fill_dots(struct plane *p, struct err *e)
{
	struct plane full;
	int rc = plane_create(&full, 1, p->dots, p->lines, e);

	if (rc)
		return rc;
	for (unsigned line = 0; line < full.lines; line++) {
		uint8_t *row = full.data + line * full.stride;
		memset(row, 0xff, full.stride);
		if (full.dots % 8)
			row[full.stride - 1] = (uint8_t)(0xff << (8 - full.dots % 8));
	}
	*p = full;
	return 0;
}

int
overlay_limit(
	struct plane *o, const struct print_look *look, enum side side, unsigned dpi, struct err *e)
{
	struct area_rect rect;
	int rc = 0;

	if (o->fill == PLANE_ABSENT || o->fill == PLANE_BLANK || look->overlay == OVERLAY_FULL)
		return 0;
	if (look->overlay == OVERLAY_NONE) {
		free(o->data);
		o->data = NULL;
		o->fill = PLANE_BLANK;
		return 0;
	}
	for (int a = 0; !rc && a < AREA_COUNT; a++) {
		if (!(look->areas >> a & 1) ||
			!area_find((enum card_area)a, side, o->lines, o->dots, dpi, &rect))
			continue;
		rc = o->fill == PLANE_FULL ? plane_fill_dots(o, e) : 0;
		if (!rc)
			plane_clear(o, &rect);
	}
	return rc;
}
