/*
 * sample-portrait.c - portraits of people who do not exist, drawn with Cairo.
 *
 * Head and shoulders, dark suit, white or light-blue ground, as an identity photo. Every feature is
 * drawn from a generator that starts from the person's index, so each face is its own and stays so.
 * Coordinates: 480 x 600 units, the origin of a head is between its eyes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/sample-draw.h"
#include "tests/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { CANVAS_W = 480, CANVAS_H = 600 };

static const struct colour skins[] = {
	RGB(0xF6D6BC), RGB(0xF0C8A4), RGB(0xE8B98F), RGB(0xDCA77B), RGB(0xF3CDB0), RGB(0xCF9A6E)};
static const struct colour hairs[] = {
	RGB(0x1E1A1B), RGB(0x2A2220), RGB(0x35281F), RGB(0x17181C), RGB(0x4B3426), RGB(0x5A3F2C)};
static const struct colour greys[] = {RGB(0x6E6D70), RGB(0x8D8B8C), RGB(0x4A484A)};
static const struct colour suits[] = {
	RGB(0x24324A), RGB(0x2F3238), RGB(0x1F2A33), RGB(0x3A2F33), RGB(0x27383A), RGB(0x20242E)};
static const struct colour ties[] = {
	RGB(0x8F2D3B), RGB(0x2F5D8C), RGB(0x3C6B5A), RGB(0x5A4A7D), RGB(0xA8763A), RGB(0x3B4658)};
static const struct colour blouses[] = {
	RGB(0xFFFFFF), RGB(0xDCE9F5), RGB(0xF7E7E3), RGB(0xE9EFE4), RGB(0xF2EAD3)};
static const struct colour lips_woman[] = {RGB(0xC4615F), RGB(0xB9505A), RGB(0xCB7464)};
static const struct colour white = RGB(0xFFFFFF);

/* ---- choosing ---- */

static double
between(uint64_t *random, double low, double high)
{
	return low + (high - low) * (double)(sample_random(random) >> 11) / 9007199254740992.0;
}

#define PICK(list) ((list)[sample_random(random) % COUNT(list)])

static struct look
look_choose(const struct person *p, unsigned index)
{
	uint64_t state = 7001 + index, *random = &state;
	struct look l = {.woman = p->woman, .age = p->age};
	l.skin = skins[(index * 5 + 1) % COUNT(skins)];
	l.hair = PICK(hairs);
	l.suit = PICK(suits);
	l.tie = PICK(ties);
	l.blouse = PICK(blouses);
	l.lips = PICK(lips_woman);
	l.half_width = between(random, 92, 106) - (l.woman ? 6 : 0);
	l.jaw = l.half_width * between(random, 0.72, 0.86) - (l.woman ? 6 : 0);
	l.chin = between(random, 118, 132) - (l.woman ? 5 : 0);
	l.eye_gap = between(random, 40, 47);
	l.eye_size = between(random, 0.88, 1.1) + (l.woman ? 0.1 : 0);
	l.eye_tilt = between(random, -0.10, 0.02);
	l.brow_weight = between(random, 6.5, 10) - (l.woman ? 3 : 0);
	l.brow_lift = between(random, 28, 35);
	l.nose = between(random, 0.85, 1.2) - (l.woman ? 0.1 : 0);
	l.mouth = between(random, 29, 38) - (l.woman ? 2 : 0);
	l.smile = between(random, 3, 9);
	l.style = index % STYLES;
	l.blue_ground = index % 3 != 0;
	l.glasses = index % 4 == 2 || (l.age > 48 && index % 3 == 0);
	l.round_glasses = sample_random(random) & 1;
	l.moustache = !l.woman && index % 7 == 5;
	l.beard = !l.woman && index % 11 == 9;
	l.mirrored = sample_random(random) & 1;
	l.mole = sample_random(random) % 5 == 0;
	if (l.age >= 50)
		l.hair = PICK(greys);
	return l;
}

/* ---- drawing helpers ---- */

struct colour
mix(struct colour a, struct colour b, double share)
{
	struct colour c = {
		a.r + (b.r - a.r) * share, a.g + (b.g - a.g) * share, a.b + (b.b - a.b) * share};
	return c;
}

struct colour
darker(struct colour c, double share)
{
	static const struct colour shade = RGB(0x3A1B16);
	return mix(c, shade, share);
}

void
colour_set(cairo_t *cr, struct colour c, double alpha)
{
	cairo_set_source_rgba(cr, c.r, c.g, c.b, alpha);
}

void
fill(cairo_t *cr, struct colour c, double alpha)
{
	colour_set(cr, c, alpha);
	cairo_fill(cr);
}

void
stroke(cairo_t *cr, struct colour c, double alpha, double width)
{
	colour_set(cr, c, alpha);
	cairo_set_line_width(cr, width);
	cairo_stroke(cr);
}

void
ellipse(cairo_t *cr, double x, double y, double rx, double ry)
{
	cairo_save(cr);
	cairo_translate(cr, x, y);
	cairo_scale(cr, rx, ry);
	cairo_new_sub_path(cr);
	cairo_arc(cr, 0, 0, 1, 0, 2 * M_PI);
	cairo_restore(cr);
}

/* A soft spot of light or shade over what is clipped. */
void
glow(cairo_t *cr, double x, double y, double radius, struct colour c, double alpha)
{
	cairo_pattern_t *g = cairo_pattern_create_radial(x, y, 0, x, y, radius);
	cairo_pattern_add_color_stop_rgba(g, 0, c.r, c.g, c.b, alpha);
	cairo_pattern_add_color_stop_rgba(g, 1, c.r, c.g, c.b, 0);
	cairo_set_source(cr, g);
	cairo_rectangle(cr, x - radius, y - radius, 2 * radius, 2 * radius);
	cairo_fill(cr);
	cairo_pattern_destroy(g);
}

/* ---- ground, clothes, neck ---- */

static void
ground_draw(cairo_t *cr, const struct look *l)
{
	cairo_pattern_t *g = cairo_pattern_create_radial(240, 230, 60, 240, 300, 460);
	if (l->blue_ground) {
		cairo_pattern_add_color_stop_rgb(g, 0, 0.84, 0.92, 0.98);
		cairo_pattern_add_color_stop_rgb(g, 1, 0.66, 0.81, 0.94);
	} else {
		cairo_pattern_add_color_stop_rgb(g, 0, 1, 1, 1);
		cairo_pattern_add_color_stop_rgb(g, 1, 0.955, 0.96, 0.97);
	}
	cairo_set_source(cr, g);
	cairo_paint(cr);
	cairo_pattern_destroy(g);
}

static void
shoulders_path(cairo_t *cr, const struct look *l)
{
	double w = l->woman ? 186 : 212, y = l->woman ? 452 : 444;
	cairo_new_path(cr);
	cairo_move_to(cr, 240 - 54, y - 12);
	cairo_curve_to(cr, 240 - 96, y + 22, 240 - w + 40, y + 22, 240 - w, y + 74);
	cairo_curve_to(cr, 240 - w - 18, y + 100, 240 - w - 26, 580, 240 - w - 30, 620);
	cairo_line_to(cr, 240 + w + 30, 620);
	cairo_curve_to(cr, 240 + w + 26, 580, 240 + w + 18, y + 100, 240 + w, y + 74);
	cairo_curve_to(cr, 240 + w - 40, y + 22, 240 + 96, y + 22, 240 + 54, y - 12);
	cairo_close_path(cr);
}

static void
shirt_draw(cairo_t *cr, const struct look *l)
{
	struct colour shirt = l->woman ? l->blouse : white;
	cairo_new_path(cr);
	cairo_move_to(cr, 240 - 66, 424);
	cairo_line_to(cr, 240 + 66, 424);
	cairo_line_to(cr, 240 + 40, 620);
	cairo_line_to(cr, 240 - 40, 620);
	cairo_close_path(cr);
	fill(cr, shirt, 1);
	if (l->woman)
		return;
	cairo_move_to(cr, 240 - 17, 470);
	cairo_line_to(cr, 240 + 17, 470);
	cairo_line_to(cr, 240 + 12, 500);
	cairo_line_to(cr, 240 + 28, 620);
	cairo_line_to(cr, 240 - 28, 620);
	cairo_line_to(cr, 240 - 12, 500);
	cairo_close_path(cr);
	fill(cr, l->tie, 1);
	cairo_move_to(cr, 240 - 12, 500);
	cairo_line_to(cr, 240 + 12, 500);
	stroke(cr, darker(l->tie, 0.5), 0.6, 3);
}

/* The jacket and its lapels. */
static void
jacket_draw(cairo_t *cr, const struct look *l)
{
	double open = l->woman ? 58 : 52, low = l->woman ? 600 : 612;
	BOTH_SIDES(s)
	{
		cairo_move_to(cr, 240 + s * 64, 424);
		cairo_line_to(cr, 240 + s * 4, low + 20);
		cairo_line_to(cr, 240 + s * 300, 640);
		cairo_line_to(cr, 240 + s * 300, 424);
		cairo_close_path(cr);
		fill(cr, l->suit, 1);
		cairo_move_to(cr, 240 + s * (open + 10), 432);
		cairo_line_to(cr, 240 + s * (open + 54), 500);
		cairo_line_to(cr, 240 + s * (open + 30), 514);
		cairo_line_to(cr, 240 + s * (open + 46), 532);
		cairo_line_to(cr, 240 + s * 5, low + 10);
		cairo_close_path(cr);
		fill(cr, mix(l->suit, white, 0.11), 1);
	}
}

/* The points of the collar, over the lapels and around the neck. */
static void
collar_draw(cairo_t *cr, const struct look *l)
{
	BOTH_SIDES(s)
	{
		struct colour shirt = l->woman ? l->blouse : white;
		cairo_move_to(cr, 240 + s * (l->woman ? 49 : 61), 416);
		cairo_line_to(cr, 240 + s * (l->woman ? 76 : 70), l->woman ? 474 : 462);
		cairo_line_to(cr, 240 + s * (l->woman ? 38 : 34), l->woman ? 542 : 502);
		cairo_line_to(cr, 240 + s * (l->woman ? 3 : 2), l->woman ? 516 : 474);
		cairo_close_path(cr);
		fill(cr, mix(shirt, (struct colour)RGB(0xB9C4D2), 0.16), 1);
	}
}

static void
neck_draw(cairo_t *cr, const struct look *l, double y)
{
	double w = l->woman ? 44 : 57;
	cairo_new_path(cr);
	cairo_move_to(cr, 240 - w, y + 60);
	cairo_curve_to(cr, 240 - w, 400, 240 - w, 424, 240 - w - 2, 434);
	cairo_curve_to(
		cr, 240 - 30, 470, 240 - 10, l->woman ? 506 : 478, 240, l->woman ? 512 : 480);
	cairo_curve_to(cr, 240 + 10, l->woman ? 506 : 478, 240 + 30, 470, 240 + w + 2, 434);
	cairo_curve_to(cr, 240 + w, 424, 240 + w, 400, 240 + w, y + 60);
	cairo_close_path(cr);
	cairo_save(cr);
	cairo_clip_preserve(cr);
	fill(cr, darker(l->skin, 0.10), 1);
	glow(cr, 240, y + l->chin - 26, 92, darker(l->skin, 0.5), 0.75);
	cairo_restore(cr);
}

static void
clothes_draw(cairo_t *cr, const struct look *l)
{
	cairo_save(cr);
	shoulders_path(cr, l);
	cairo_clip(cr);
	colour_set(cr, l->suit, 1);
	cairo_paint(cr);
	shirt_draw(cr, l);
	cairo_restore(cr);
}

static void
upper_clothes_draw(cairo_t *cr, const struct look *l)
{
	cairo_save(cr);
	shoulders_path(cr, l);
	cairo_clip(cr);
	jacket_draw(cr, l);
	glow(cr, 80, 480, 180, white, 0.07);
	cairo_restore(cr);
	collar_draw(cr, l);
}

static void
portrait_paint(cairo_t *cr, const struct look *l)
{
	const double eyes_y = 268;
	ground_draw(cr, l);
	cairo_translate(cr, 240, 300);
	cairo_scale(cr, 1.18, 1.18);
	cairo_translate(cr, -240, -300);
	cairo_save(cr);
	cairo_translate(cr, 240, eyes_y);
	cairo_scale(cr, l->mirrored ? -1 : 1, 1);
	hair_back_draw(cr, l);
	cairo_restore(cr);
	clothes_draw(cr, l);
	neck_draw(cr, l, eyes_y);
	upper_clothes_draw(cr, l);
	cairo_save(cr);
	cairo_translate(cr, 240, eyes_y);
	cairo_scale(cr, l->mirrored ? -1 : 1, 1);
	head_draw(cr, l);
	cairo_restore(cr);
}

uint8_t *
portrait_draw(const struct person *p, unsigned index, unsigned width, unsigned height)
{
	uint8_t *pixels = calloc((size_t)width * height, 4);
	if (!pixels)
		return NULL;
	struct look l = look_choose(p, index);
	cairo_surface_t *surface = cairo_image_surface_create_for_data(
		pixels, CAIRO_FORMAT_RGB24, (int)width, (int)height, (int)width * 4);
	cairo_t *cr = cairo_create(surface);
	cairo_scale(cr, (double)width / CANVAS_W, (double)height / CANVAS_H);
	cairo_set_line_cap(cr, CAIRO_LINE_CAP_ROUND);
	cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
	portrait_paint(cr, &l);
	bool good = cairo_status(cr) == CAIRO_STATUS_SUCCESS;
	cairo_destroy(cr);
	cairo_surface_finish(surface);
	cairo_surface_destroy(surface);
	if (!good) {
		free(pixels);
		return NULL;
	}
	return pixels;
}
