/*
 * sample-draw.h - between the parts of a portrait: colours, shapes, and what makes one face.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_SAMPLE_DRAW_H
#define CARDSPOOL_SAMPLE_DRAW_H

#include <stdbool.h>

#include <cairo.h>

struct colour {
	double r, g, b;
};

#define RGB(hex)                                                                                   \
	{                                                                                          \
		((hex) >> 16 & 255) / 255.0, ((hex) >> 8 & 255) / 255.0, ((hex)&255) / 255.0       \
	}

/* Hair; what a number means for a man and for a woman stands beside its shape in sample-head.c. */
enum { STYLES = 6, RECEDING = 4 };

/* What makes one face. Lengths in canvas units. */
struct look {
	struct colour skin, hair, suit, tie, blouse, lips;
	double half_width, jaw, chin;       /* outline of the face */
	double eye_gap, eye_size, eye_tilt; /* eyes */
	double brow_weight, brow_lift, nose, mouth, smile;
	unsigned style; /* hair */
	unsigned age;
	bool woman, blue_ground, glasses, round_glasses, moustache, beard, mole, mirrored;
};

/* The block after it is run for the right side (+1) and for the left one (-1). */
#define BOTH_SIDES(s) for (int s = 1; s >= -1; s -= 2)

/* ---- shapes (sample-portrait.c) ---- */

struct colour mix(struct colour a, struct colour b, double share);
struct colour darker(struct colour c, double share);
void colour_set(cairo_t *cr, struct colour c, double alpha);
void fill(cairo_t *cr, struct colour c, double alpha);
void stroke(cairo_t *cr, struct colour c, double alpha, double width);
void ellipse(cairo_t *cr, double x, double y, double rx, double ry);
void glow(cairo_t *cr, double x, double y, double radius, struct colour c, double alpha);

/* ---- heads (sample-head.c); the origin is between the eyes ---- */

/* Locks behind the neck, for women; drawn before the clothes. */
void hair_back_draw(cairo_t *cr, const struct look *l);
void head_draw(cairo_t *cr, const struct look *l);

#endif
