/*
 * half-panel.c - what of a side needs dye, and where a ribbon's half panel is laid for it.
 *
 * Owns the lines of a side that need dye: boxes of photo, seal, art and coloured text, and fixed
 * art whose colour has no substitute in black. Guarantees: either the half panel holds all of it,
 * or the side is refused with a message that says what does not fit and what to do; no colour
 * vanishes unseen.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/face.h"

/* Pale enough to be paper; how far (0.7 mm) something pale may lie from black that stands for it.
 */
enum { PAPER_LEVEL = 250, WHITE_LEVEL = 255, DARK_LEVEL = 128, NEAR = 8 };

bool
box_is_dye(const struct box *b)
{
	return b->ink != INK_UV && b->kind != BOX_BARCODE &&
	       (b->kind != BOX_TEXT || b->ink == INK_DYE);
}

struct picture
picture_around(const struct template *t, enum side side)
{
	unsigned x0 = t->width, y0 = t->height, x1 = 0, y1 = 0;

	for (size_t i = 0; i < t->n_boxes; i++) {
		const struct box *b = &t->boxes[i];
		if (b->side != side || !box_is_dye(b))
			continue;
		x0 = b->x < x0 ? b->x : x0;
		y0 = b->y < y0 ? b->y : y0;
		x1 = b->x + b->w > x1 ? b->x + b->w : x1;
		y1 = b->y + b->h > y1 ? b->y + b->h : y1;
	}
	if (x1 <= x0 || y1 <= y0)
		return (struct picture){0};
	return (struct picture){x0, y0, x1 - x0, y1 - y0, NULL};
}

/* ---- fixed art ---- */

static bool
mono_dot(const uint8_t *mono, unsigned h, unsigned x, unsigned y)
{
	unsigned dot = h - 1 - y;

	return mono[x * plane_stride(1, h) + dot / 8] >> (7 - dot % 8) & 1;
}

/* What is pale so near to a dot is a rim or a fine stroke of something that black shows too. */
static bool
mono_near(const uint8_t *mono, unsigned w, unsigned h, unsigned x, unsigned y)
{
	for (unsigned u = x > NEAR ? x - NEAR : 0; u <= x + NEAR && u < w; u++)
		for (unsigned v = y > NEAR ? y - NEAR : 0; v <= y + NEAR && v < h; v++)
			if (mono_dot(mono, h, u, v))
				return true;
	return false;
}

/* Black may stand for a colour that is dark once the white blended into its rim is taken out. */
static bool
needs_dye(uint32_t rgb, const uint8_t *mono, unsigned w, unsigned h, unsigned x, unsigned y)
{
	int r = rgb >> 16 & 255, g = rgb >> 8 & 255, b = rgb & 255;
	int most = r > g ? r : g, least = r < g ? r : g;

	most = most > b ? most : b;
	least = least < b ? least : b;
	if (least >= PAPER_LEVEL)
		return false;
	bool vivid = (most - least) * WHITE_LEVEL > DARK_LEVEL * (WHITE_LEVEL - least);
	return mono_dot(mono, h, x, y) ? vivid : !mono_near(mono, w, h, x, y);
}

void
colour_extent(const uint32_t *rgb, size_t pitch, const uint8_t *mono, unsigned w, unsigned h,
	unsigned *x0, unsigned *x1)
{
	unsigned first = w, end = 0;

	for (unsigned y = 0; y < h; y++) {
		const uint32_t *row = rgb + y * pitch;
		for (unsigned x = 0; x < first; x++)
			if (needs_dye(row[x], mono, w, h, x, y))
				first = x;
		for (unsigned x = w; x > end; x--)
			if (needs_dye(row[x - 1], mono, w, h, x - 1, y))
				end = x;
	}
	*x0 = end ? first : 0;
	*x1 = end;
}

/* ---- the panel's place ---- */

/* Names the box that reaches farthest out of the half panel when this begins at the first one. */
static int
box_refuse(const struct template *t, enum side side, unsigned x0, unsigned x1,
	const struct ribbon *ribbon, struct err *e)
{
	const char *name = "";

	for (size_t i = 0; i < t->n_boxes; i++) {
		const struct box *b = &t->boxes[i];
		if (b->side == side && box_is_dye(b) && b->x + b->w == x1)
			name = box_name(b);
	}
	double mm = 25.4 / t->dpi;
	return err_set(e, ERR_INPUT,
		_("Template %s: the colour of box %s reaches %.1f mm beyond the half panel of "
		  "ribbon %s, which is %.1f mm wide. Move it, or use a ribbon with full panels."),
		t->name, name, (x1 - x0 - ribbon->dye_lines) * mm, ribbon->name,
		ribbon->dye_lines * mm);
}

/* The art alone, or together with the boxes, is too wide. */
static int
art_refuse(const struct template *t, enum side side, unsigned x0, unsigned x1,
	const struct ribbon *ribbon, struct err *e)
{
	double mm = 25.4 / t->dpi;

	return err_set(e, ERR_INPUT,
		_("Template %s: coloured art of %s, %.1f to %.1f mm from the left, reaches with "
		  "the boxes %.1f mm beyond the half panel of ribbon %s, which is %.1f mm wide. "
		  "Use a ribbon with full panels, or mark the art only=\"colour\" to have none "
		  "there."),
		t->name, template_sources[side], t->art[side].colour_x0 * mm,
		t->art[side].colour_x1 * mm, (x1 - x0 - ribbon->dye_lines) * mm, ribbon->name,
		ribbon->dye_lines * mm);
}

int
dye_window(const struct template *t, enum side side, const struct ribbon *ribbon, unsigned *line0,
	unsigned *line1, struct err *e)
{
	const struct art *a = &t->art[side];
	struct picture p = picture_around(t, side);
	unsigned x0 = p.x, x1 = p.x + p.w;

	*line0 = 0;
	*line1 = t->width;
	if (!ribbon->dye_lines ||
		ribbon->dye_lines >= (t->width > t->height ? t->width : t->height))
		return 0;
	if (template_upright(t))
		return err_set(e, ERR_INPUT,
			_("Template %s is drawn upright, and the half panel of ribbon %s does not "
			  "go from one long edge to the other. Use a ribbon with full panels."),
			t->name, ribbon->name);
	if (p.w > ribbon->dye_lines)
		return box_refuse(t, side, x0, x1, ribbon, e);
	if (a->colour_x1) {
		x0 = p.w && p.x < a->colour_x0 ? p.x : a->colour_x0;
		x1 = x1 > a->colour_x1 ? x1 : a->colour_x1;
		if (x1 - x0 > ribbon->dye_lines)
			return art_refuse(t, side, x0, x1, ribbon, e);
	}
	unsigned room = ribbon->dye_lines - (x1 - x0);
	unsigned first = x0 > room / 2 ? x0 - room / 2 : 0;
	if (first > t->width - ribbon->dye_lines)
		first = t->width - ribbon->dye_lines;
	*line0 = first;
	*line1 = first + ribbon->dye_lines;
	return 0;
}
