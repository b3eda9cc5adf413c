/*
 * sample-head.c - the heads of people who do not exist: face and hair.
 *
 * Draws what struct look says, in canvas units; the origin is between the eyes. Nothing is chosen
 * here.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/sample-draw.h"

#include <math.h>

static const struct colour black = RGB(0x241C1B), white = RGB(0xFFFFFF);

/* Women's hair that leaves the ears uncovered. */
static const bool ears_free[STYLES] = {[2] = true, [3] = true, [5] = true};

/* ---- the face ---- */

static void
face_path(cairo_t *cr, const struct look *l)
{
	double w = l->half_width, j = l->jaw, c = l->chin;
	cairo_new_path(cr);
	cairo_move_to(cr, 0, -132);
	cairo_curve_to(cr, w * 0.72, -132, w * 1.03, -84, w, -4);
	cairo_curve_to(cr, w * 0.985, 44, j + 6, 66, j - 6, 86);
	cairo_curve_to(cr, j - 24, 112, 30, c, 0, c);
	cairo_curve_to(cr, -30, c, -j + 24, 112, -j + 6, 86);
	cairo_curve_to(cr, -j - 6, 66, -w * 0.985, 44, -w, -4);
	cairo_curve_to(cr, -w * 1.03, -84, -w * 0.72, -132, 0, -132);
	cairo_close_path(cr);
}

static void
ears_draw(cairo_t *cr, const struct look *l)
{
	BOTH_SIDES(s)
	{
		ellipse(cr, s * (l->half_width + 3), 14, 15, 29);
		fill(cr, darker(l->skin, 0.07), 1);
		ellipse(cr, s * (l->half_width + 5), 14, 7, 18);
		fill(cr, darker(l->skin, 0.25), 0.55);
	}
}

static void
face_draw(cairo_t *cr, const struct look *l)
{
	static const struct colour rose = RGB(0xE0736A);
	face_path(cr, l);
	cairo_save(cr);
	cairo_clip_preserve(cr);
	fill(cr, l->skin, 1);
	glow(cr, -30, -60, 130, white, 0.20);
	glow(cr, l->half_width + 40, 40, 130, darker(l->skin, 0.45), 0.42);
	glow(cr, -l->half_width - 50, 60, 120, darker(l->skin, 0.45), 0.22);
	BOTH_SIDES(s)
	{
		glow(cr, s * 56, 48, 40, rose, l->woman ? 0.30 : 0.16);
	}
	if (l->beard || (!l->woman && l->moustache))
		glow(cr, 0, 100, 78, l->hair, 0.22);
	cairo_restore(cr);
}

static void
eye_draw(cairo_t *cr, const struct look *l, int side)
{
	double e = l->eye_size;
	cairo_save(cr);
	cairo_translate(cr, side * l->eye_gap, 0);
	cairo_rotate(cr, side * l->eye_tilt);
	cairo_scale(cr, side * e, e);
	cairo_move_to(cr, -19, 3);
	cairo_curve_to(cr, -11, -11, 10, -12, 20, 0);
	cairo_curve_to(cr, 11, 10, -10, 11, -19, 3);
	cairo_close_path(cr);
	cairo_save(cr);
	cairo_clip_preserve(cr);
	fill(cr, (struct colour)RGB(0xFBF8F5), 1);
	ellipse(cr, 0, -1, 10.2, 10.2);
	fill(cr, (struct colour)RGB(0x3B2419), 1);
	ellipse(cr, 0, -1, 5.2, 5.2);
	fill(cr, black, 1);
	ellipse(cr, -3.4 * side, -4.6, 2.6, 2.6);
	fill(cr, white, 0.95);
	glow(cr, 0, -14, 18, black, 0.35);
	cairo_restore(cr);
	cairo_move_to(cr, -20, 4);
	cairo_curve_to(cr, -11, -11.5, 10, -12.5, 21.5, -1);
	stroke(cr, black, 0.95, l->woman ? 4.2 : 3.0);
	if (l->woman) {
		cairo_move_to(cr, 17, -5);
		cairo_line_to(cr, 26, -9);
		stroke(cr, black, 0.9, 3);
	}
	cairo_move_to(cr, -16, -13);
	cairo_curve_to(cr, -6, -18, 9, -18, 18, -10);
	stroke(cr, darker(l->skin, 0.45), 0.55, 2);
	cairo_restore(cr);
}

static void
brow_draw(cairo_t *cr, const struct look *l, int side)
{
	double y = -l->brow_lift, t = l->brow_weight;
	cairo_save(cr);
	cairo_scale(cr, side, 1);
	cairo_translate(cr, l->eye_gap, y);
	cairo_move_to(cr, -24, 3);
	cairo_curve_to(cr, -10, -6 - t / 2, 8, -8 - t / 2, 27, 2);
	cairo_curve_to(cr, 10, -4 + t * 0.35, -8, -1 + t / 2, -23, 3 + t * 0.8);
	cairo_close_path(cr);
	fill(cr, mix(l->hair, darker(l->skin, 0.6), l->woman ? 0.35 : 0.12), 0.95);
	cairo_restore(cr);
}

static void
nose_draw(cairo_t *cr, const struct look *l)
{
	double n = l->nose;
	struct colour shade = darker(l->skin, 0.42);
	glow(cr, -4, 18, 26, white, 0.16);
	cairo_move_to(cr, 7 * n, 8);
	cairo_curve_to(cr, 10 * n, 26, 19 * n, 36, 17 * n, 45);
	cairo_curve_to(cr, 14 * n, 53, 5, 53, 0, 53);
	cairo_curve_to(cr, -6, 53, -13 * n, 53, -16 * n, 46);
	stroke(cr, shade, 0.62, 3.2);
	BOTH_SIDES(s)
	{
		ellipse(cr, s * 8.5 * n, 50, 4.2, 2.3);
		fill(cr, darker(l->skin, 0.62), 0.6);
	}
}

static void
mouth_draw(cairo_t *cr, const struct look *l)
{
	double m = l->mouth, s = l->smile, y = 80;
	struct colour lip =
		l->woman ? l->lips : darker(mix(l->skin, (struct colour)RGB(0xB8524A), 0.55), 0.1);
	cairo_move_to(cr, -m, y - s * 0.5);
	cairo_curve_to(cr, -m * 0.5, y - 7, -8, y - 10, 0, y - 6);
	cairo_curve_to(cr, 8, y - 10, m * 0.5, y - 7, m, y - s * 0.5);
	cairo_curve_to(cr, m * 0.5, y + s, -m * 0.5, y + s, -m, y - s * 0.5);
	cairo_close_path(cr);
	fill(cr, darker(lip, 0.12), 1);
	cairo_move_to(cr, -m, y - s * 0.5);
	cairo_curve_to(cr, -m * 0.5, y + s, m * 0.5, y + s, m, y - s * 0.5);
	cairo_curve_to(
		cr, m * 0.55, y + 13 + s * 0.5, -m * 0.55, y + 13 + s * 0.5, -m, y - s * 0.5);
	cairo_close_path(cr);
	fill(cr, mix(lip, white, 0.10), 1);
	cairo_move_to(cr, -m - 3, y - s * 0.5 - 1);
	cairo_curve_to(cr, -m * 0.5, y + s * 0.9, m * 0.5, y + s * 0.9, m + 3, y - s * 0.5 - 1);
	stroke(cr, darker(lip, 0.6), 0.8, 2.4);
	cairo_move_to(cr, -13, y + 25);
	cairo_curve_to(cr, -6, y + 29, 6, y + 29, 13, y + 25);
	stroke(cr, darker(l->skin, 0.4), 0.35, 3);
}

static void
age_draw(cairo_t *cr, const struct look *l)
{
	struct colour line = darker(l->skin, 0.45);
	double alpha = l->age < 36 ? 0 : l->age < 48 ? 0.28 : 0.48;
	BOTH_SIDES(s)
	{
		cairo_move_to(cr, s * 25, 48);
		cairo_curve_to(cr, s * 36, 56, s * 42, 66, s * 44, 80);
		stroke(cr, line, alpha, 2.6);
		cairo_move_to(cr, s * (l->eye_gap - 15), 17);
		cairo_curve_to(cr, s * (l->eye_gap - 6), 22, s * (l->eye_gap + 8), 22,
			s * (l->eye_gap + 16), 15);
		stroke(cr, line, alpha * 0.8, 2.2);
	}
	for (int i = 0; l->age >= 48 && i < 2; i++) {
		cairo_move_to(cr, -40, -72 - 15 * i);
		cairo_curve_to(cr, -16, -78 - 15 * i, 16, -78 - 15 * i, 40, -72 - 15 * i);
		stroke(cr, line, 0.25, 2.2);
	}
}

static void
whiskers_draw(cairo_t *cr, const struct look *l)
{
	if (l->moustache || l->beard) {
		cairo_move_to(cr, -l->mouth - 4, 80);
		cairo_curve_to(cr, -28, 60, -8, 58, 0, 63);
		cairo_curve_to(cr, 8, 58, 28, 60, l->mouth + 4, 80);
		cairo_curve_to(cr, 22, 70, 8, 70, 0, 72);
		cairo_curve_to(cr, -8, 70, -22, 70, -l->mouth - 4, 80);
		cairo_close_path(cr);
		fill(cr, l->hair, 0.92);
	}
	if (l->beard) {
		cairo_move_to(cr, -26, 103);
		cairo_curve_to(cr, -12, 98, 12, 98, 26, 103);
		cairo_curve_to(cr, 28, l->chin - 8, 14, l->chin + 7, 0, l->chin + 7);
		cairo_curve_to(cr, -14, l->chin + 7, -28, l->chin - 8, -26, 103);
		cairo_close_path(cr);
		fill(cr, l->hair, 0.92);
	}
}

static void
glasses_draw(cairo_t *cr, const struct look *l)
{
	struct colour frame =
		l->round_glasses ? (struct colour)RGB(0x6A4B2F) : (struct colour)RGB(0x23262C);
	double rx = l->round_glasses ? 31 : 34, ry = l->round_glasses ? 30 : 24;
	BOTH_SIDES(s)
	{
		double x = s * (l->eye_gap + 1);
		cairo_new_path(cr);
		if (l->round_glasses) {
			ellipse(cr, x, 2, rx, ry);
		} else {
			cairo_new_sub_path(cr);
			cairo_arc(cr, x + rx - 11, 2 - ry + 11, 11, -M_PI / 2, 0);
			cairo_arc(cr, x + rx - 14, 2 + ry - 14, 14, 0, M_PI / 2);
			cairo_arc(cr, x - rx + 14, 2 + ry - 14, 14, M_PI / 2, M_PI);
			cairo_arc(cr, x - rx + 11, 2 - ry + 11, 11, M_PI, 1.5 * M_PI);
			cairo_close_path(cr);
		}
		colour_set(cr, white, 0.13);
		cairo_fill_preserve(cr);
		stroke(cr, frame, 0.95, l->round_glasses ? 3.6 : 5);
		cairo_move_to(cr, s * (l->eye_gap + rx), -4);
		cairo_line_to(cr, s * (l->half_width + 4), -8);
		stroke(cr, frame, 0.95, 4.4);
	}
	cairo_move_to(cr, -l->eye_gap + rx - 2, -2);
	cairo_curve_to(cr, -6, -9, 6, -9, l->eye_gap - rx + 2, -2);
	stroke(cr, frame, 0.95, 4.4);
}

/* ---- hair ---- */

void
hair_back_draw(cairo_t *cr, const struct look *l)
{
	static const struct {
		double width, length, tuck;
	} backs[STYLES] = {
		{26, 128, 22}, /* bob */
		{30, 246, 0},  /* long */
		{6, 60, 10},   /* ponytail */
		{6, 60, 10},   /* bun */
		{34, 190, 18}, /* to the shoulders */
		{12, 74, 20},  /* short */
	};
	double w = l->half_width + backs[l->style].width, y = backs[l->style].length;
	if (!l->woman)
		return;
	if (l->style == 3) {
		ellipse(cr, 0, -172, 44, 38);
		fill(cr, mix(l->hair, white, 0.06), 1);
	}
	if (l->style == 2) {
		cairo_move_to(cr, l->half_width - 20, -90);
		cairo_curve_to(cr, l->half_width + 70, -80, l->half_width + 52, 90,
			l->half_width + 30, 170);
		cairo_curve_to(cr, l->half_width + 6, 150, l->half_width + 14, 40,
			l->half_width - 10, -20);
		cairo_close_path(cr);
		fill(cr, mix(l->hair, white, 0.04), 1);
	}
	cairo_move_to(cr, 0, -160);
	cairo_curve_to(cr, w * 0.8, -160, w + 6, -90, w, 0);
	cairo_curve_to(cr, w + 2, y * 0.5, w + 6, y - 20, w - backs[l->style].tuck, y);
	cairo_curve_to(cr, w * 0.5, y + 14, -w * 0.5, y + 14, -w + backs[l->style].tuck, y);
	cairo_curve_to(cr, -w - 6, y - 20, -w - 2, y * 0.5, -w, 0);
	cairo_curve_to(cr, -w - 6, -90, -w * 0.8, -160, 0, -160);
	cairo_close_path(cr);
	fill(cr, darker(l->hair, 0.15), 1);
}

/* The outer edge over the skull, from the left temple to the right one. */
static void
skull_path(cairo_t *cr, const struct look *l, double side, double top, double down)
{
	double w = l->half_width + side;
	cairo_new_path(cr);
	cairo_move_to(cr, -w, down);
	cairo_curve_to(cr, -w - 8, -86, -w * 0.72, top, 0, top);
	cairo_curve_to(cr, w * 0.72, top, w + 8, -86, w, down);
}

static void
hair_close(cairo_t *cr, const struct look *l)
{
	cairo_close_path(cr);
	cairo_save(cr);
	cairo_clip_preserve(cr);
	fill(cr, l->hair, 1);
	glow(cr, -36, -138, 74, white, 0.17);
	cairo_restore(cr);
}

static void
hair_man_draw(cairo_t *cr, const struct look *l)
{
	double w = l->half_width;
	switch (l->style) {
	case 0: /* short, straight hairline */
		skull_path(cr, l, 7, -160, 6);
		cairo_line_to(cr, w - 7, 4);
		cairo_curve_to(cr, w - 4, -44, w - 14, -70, w - 20, -84);
		cairo_curve_to(cr, 40, -98, -40, -98, -w + 20, -84);
		cairo_curve_to(cr, -w + 14, -70, -w + 4, -44, -w + 7, 4);
		break;
	case 1: /* parted at the side */
		skull_path(cr, l, 9, -170, 4);
		cairo_line_to(cr, w - 7, 4);
		cairo_curve_to(cr, w - 3, -34, w - 12, -60, w - 22, -68);
		cairo_curve_to(cr, 46, -74, -10, -96, -48, -122);
		cairo_curve_to(cr, -62, -104, -w + 18, -84, -w + 12, -60);
		cairo_curve_to(cr, -w + 6, -40, -w + 5, -20, -w + 7, 4);
		break;
	case 2: /* swept up */
		skull_path(cr, l, 6, -184, 2);
		cairo_line_to(cr, w - 8, 2);
		cairo_curve_to(cr, w - 4, -50, w - 14, -80, w - 26, -98);
		cairo_curve_to(cr, 44, -122, 8, -126, -20, -116);
		cairo_curve_to(cr, -50, -106, -w + 26, -104, -w + 20, -84);
		cairo_curve_to(cr, -w + 8, -60, -w + 5, -30, -w + 8, 2);
		break;
	case 3: /* clipped very short */
		skull_path(cr, l, 3, -148, -6);
		cairo_line_to(cr, w - 8, -8);
		cairo_curve_to(cr, w - 6, -56, w - 20, -82, w - 28, -96);
		cairo_curve_to(cr, 40, -112, -40, -112, -w + 28, -96);
		cairo_curve_to(cr, -w + 20, -82, -w + 6, -56, -w + 8, -8);
		break;
	case RECEDING:
		skull_path(cr, l, 6, -150, 8);
		cairo_line_to(cr, w - 7, 6);
		cairo_curve_to(cr, w - 4, -44, w - 12, -78, w - 30, -112);
		cairo_curve_to(cr, 50, -134, 30, -120, 0, -116);
		cairo_curve_to(cr, -30, -120, -50, -134, -w + 30, -112);
		cairo_curve_to(cr, -w + 12, -78, -w + 4, -44, -w + 7, 6);
		break;
	default: /* parted in the middle, over the temples */
		skull_path(cr, l, 12, -168, 10);
		cairo_curve_to(cr, w - 2, -6, w - 4, -30, w - 10, -46);
		cairo_curve_to(cr, w - 34, -58, 26, -84, 4, -128);
		cairo_curve_to(cr, -18, -84, -w + 34, -58, -w + 10, -46);
		cairo_curve_to(cr, -w + 4, -30, -w + 2, -6, -w - 12, 10);
		break;
	}
	hair_close(cr, l);
}

static void
hair_woman_draw(cairo_t *cr, const struct look *l)
{
	double w = l->half_width;
	switch (l->style) {
	case 0: /* bob with a fringe */
		skull_path(cr, l, 25, -172, 96);
		cairo_curve_to(cr, w + 2, 112, w - 6, 84, w - 4, 40);
		cairo_curve_to(cr, w, -6, w - 4, -30, w - 12, -46);
		cairo_curve_to(cr, 50, -58, -50, -58, -w + 12, -46);
		cairo_curve_to(cr, -w + 4, -30, -w, -6, -w + 4, 40);
		cairo_curve_to(cr, -w + 6, 84, -w - 2, 112, -w - 25, 96);
		break;
	case 1: /* long, parted in the middle */
		skull_path(cr, l, 26, -172, 180);
		cairo_curve_to(cr, w + 8, 214, w - 6, 140, w, 70);
		cairo_curve_to(cr, w + 2, 0, w - 8, -50, w - 30, -76);
		cairo_curve_to(cr, 46, -98, 14, -112, 2, -134);
		cairo_curve_to(cr, -14, -112, -46, -98, -w + 30, -76);
		cairo_curve_to(cr, -w + 8, -50, -w - 2, 0, -w, 70);
		cairo_curve_to(cr, -w + 6, 140, -w - 8, 214, -w - 26, 180);
		break;
	case 2: /* pulled back, parted at the side */
		skull_path(cr, l, 7, -164, -4);
		cairo_curve_to(cr, w - 4, -34, w - 8, -60, w - 20, -78);
		cairo_curve_to(cr, 50, -104, -6, -118, -36, -126);
		cairo_curve_to(cr, -56, -112, -w + 20, -96, -w + 12, -66);
		cairo_curve_to(cr, -w + 6, -46, -w + 4, -24, -w - 7, -4);
		break;
	case 3: /* bun */
		skull_path(cr, l, 6, -160, -6);
		cairo_curve_to(cr, w - 4, -40, w - 10, -70, w - 24, -90);
		cairo_curve_to(cr, 44, -122, -44, -122, -w + 24, -90);
		cairo_curve_to(cr, -w + 10, -70, -w + 4, -40, -w - 6, -6);
		break;
	case 4: /* to the shoulders, parted at the side */
		skull_path(cr, l, 30, -176, 130);
		cairo_curve_to(cr, w + 2, 156, w - 10, 110, w, 60);
		cairo_curve_to(cr, w + 2, 10, w - 6, -22, w - 22, -42);
		cairo_curve_to(cr, 40, -62, -20, -84, -46, -130);
		cairo_curve_to(cr, -60, -100, -w + 14, -76, -w + 8, -40);
		cairo_curve_to(cr, -w + 2, 0, -w - 2, 30, -w, 60);
		cairo_curve_to(cr, -w + 10, 110, -w - 2, 156, -w - 30, 130);
		break;
	default: /* short, swept to the side */
		skull_path(cr, l, 12, -172, 40);
		cairo_curve_to(cr, w, 46, w - 6, 10, w - 6, -16);
		cairo_curve_to(cr, w - 10, -40, w - 20, -54, w - 40, -60);
		cairo_curve_to(cr, 20, -64, -30, -82, -52, -112);
		cairo_curve_to(cr, -62, -88, -w + 14, -64, -w + 8, -30);
		cairo_curve_to(cr, -w + 6, 0, -w, 46, -w - 12, 40);
		break;
	}
	hair_close(cr, l);
}

/* The shade of the hair on the forehead: the hair once more, lower and soft, clipped to the face.
 */
static void
hair_shade_draw(cairo_t *cr, const struct look *l)
{
	cairo_save(cr);
	face_path(cr, l);
	cairo_clip(cr);
	cairo_pattern_t *g = cairo_pattern_create_linear(0, -130, 0, -40);
	struct colour shade = darker(l->skin, 0.5);
	cairo_pattern_add_color_stop_rgba(g, 0, shade.r, shade.g, shade.b, 0.5);
	cairo_pattern_add_color_stop_rgba(g, 1, shade.r, shade.g, shade.b, 0);
	cairo_set_source(cr, g);
	cairo_paint(cr);
	cairo_pattern_destroy(g);
	cairo_restore(cr);
}

void
head_draw(cairo_t *cr, const struct look *l)
{
	if (!l->woman || ears_free[l->style])
		ears_draw(cr, l);
	if (!l->woman && l->style == RECEDING) {
		skull_path(cr, l, 1, -146, 0);
		cairo_close_path(cr);
		fill(cr, l->skin, 1);
	}
	face_draw(cr, l);
	hair_shade_draw(cr, l);
	age_draw(cr, l);
	BOTH_SIDES(s)
	{
		eye_draw(cr, l, s);
		brow_draw(cr, l, s);
	}
	nose_draw(cr, l);
	whiskers_draw(cr, l);
	mouth_draw(cr, l);
	if (l->mole) {
		ellipse(cr, 46, 66, 2.6, 2.6);
		fill(cr, darker(l->skin, 0.75), 0.8);
	}
	if (l->woman)
		hair_woman_draw(cr, l);
	else
		hair_man_draw(cr, l);
	if (l->glasses)
		glasses_draw(cr, l);
}
