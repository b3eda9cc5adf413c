/*
 * pdf-ink.c - a page's picture as the panels of a ribbon.
 *
 * Owns the choice between resin and dye by pixel. Guarantees: what is black by the rule asked for
 * is resin on whole dots and has neither dye below it nor a gray rim of dye around it; everything
 * else is dye with blended edges. On failure the face is empty.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/pdf.h"
#include "filters/template.h"

#include <stdlib.h>
#include <string.h>

enum { BLACK_MAX = 2, WHITE = 0xffffff, HALF = 128 };

static bool
pixel_black(uint32_t p)
{
	return (p & 255) <= BLACK_MAX && (p >> 8 & 255) <= BLACK_MAX &&
	       (p >> 16 & 255) <= BLACK_MAX;
}

static void
k_set(struct plane *k, unsigned x, unsigned y)
{
	unsigned dot = k->dots - 1 - y;

	k->data[x * k->stride + dot / 8] |= (uint8_t)(0x80 >> dot % 8);
}

/* 1 = resin, 2 = next to resin; one byte a pixel. NULL: out of memory. */
static uint8_t *
mark_black(const struct pdf_picture *p)
{
	uint8_t *mark = calloc(p->h, p->w);
	const uint32_t *from = p->drawn ? p->drawn : p->crisp;

	if (!mark || !from)
		return mark;
	for (size_t i = 0; i < (size_t)p->w * p->h; i++)
		mark[i] = pixel_black(from[i]);
	for (unsigned y = 0; y < p->h; y++)
		for (unsigned x = 0; x < p->w; x++) {
			if (mark[(size_t)y * p->w + x] != 1)
				continue;
			for (unsigned v = y ? y - 1 : 0; v <= y + 1 && v < p->h; v++)
				for (unsigned u = x ? x - 1 : 0; u <= x + 1 && u < p->w; u++)
					mark[(size_t)v * p->w + u] |=
						2 * !mark[(size_t)v * p->w + u];
		}
	return mark;
}

/* Resin dots; around them the picture's own crisp colour in place of a blend with black. */
static void
black_split(struct plane *k, const struct pdf_picture *p, const uint8_t *mark)
{
	for (unsigned y = 0; y < p->h; y++)
		for (unsigned x = 0; x < p->w; x++) {
			size_t i = (size_t)y * p->w + x;
			if (mark[i] == 1) {
				k_set(k, x, y);
				p->smooth[i] = WHITE;
			} else if (mark[i] == 2) {
				p->smooth[i] = p->crisp[i];
			}
		}
}

/* A half panel holds the dye of so many lines together, and no more. */
static int
half_panel_check(const struct pdf_picture *p, const struct ribbon *ribbon, struct err *e)
{
	unsigned first = p->w, last = 0;

	if (!ribbon->dye_lines || ribbon->dye_lines >= p->w)
		return 0;
	for (unsigned y = 0; y < p->h; y++)
		for (unsigned x = 0; x < p->w; x++)
			if ((p->smooth[(size_t)y * p->w + x] & WHITE) != WHITE) {
				first = x < first ? x : first;
				last = x > last ? x : last;
			}
	if (last < first || last - first < ribbon->dye_lines)
		return 0;
	return err_set(e, ERR_INPUT,
		_("The colour of the page is %u dots wide; the half panel of ribbon %s is %u dots. "
		  "Use a ribbon with full panels."),
		last - first + 1, ribbon->name, ribbon->dye_lines);
}

static int
dye_make(struct face *out, const struct pdf_picture *p, const struct ribbon *ribbon, struct err *e)
{
	uint8_t *ymc[3];
	int rc = half_panel_check(p, ribbon, e);

	for (int i = PANEL_Y; !rc && i <= PANEL_C; i++) {
		rc = plane_create(&out->plane[i], 8, p->h, p->w, e);
		ymc[i - PANEL_Y] = out->plane[i].data;
	}
	if (!rc)
		dye_convert(ymc, p->h, p->smooth, p->w, 0, 0, p->w, p->h);
	return rc;
}

/* Floyd and Steinberg, every second row backwards; black text and its rim stay as they are. */
static int
gray_diffuse(struct plane *k, const struct pdf_picture *p, const uint8_t *mark, struct err *e)
{
	int *error = calloc(2 * ((size_t)p->w + 2), sizeof *error);

	if (!error)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	for (unsigned y = 0; y < p->h; y++) {
		int *now = error + (y & 1) * (p->w + 2) + 1,
		    *next = error + !(y & 1) * (p->w + 2) + 1;
		int step = y & 1 ? -1 : 1;
		memset(next - 1, 0, (p->w + 2) * sizeof *next);
		for (unsigned i = 0; i < p->w; i++) {
			int x = (int)(y & 1 ? p->w - 1 - i : i);
			size_t at = (size_t)y * p->w + (size_t)x;
			int light =
				(int)rgb_luminance(p->smooth[at]) + (mark[at] ? 0 : now[x] / 16);
			bool dot = mark[at] == 1 || light < HALF;
			int left = mark[at] ? 0 : light - (dot ? 0 : 255);
			if (dot)
				k_set(k, (unsigned)x, y);
			now[x + step] += 7 * left;
			next[x - step] += 3 * left;
			next[x] += 5 * left;
			next[x + step] += left;
		}
	}
	free(error);
	return 0;
}

static void
gray_cut(struct plane *k, const struct pdf_picture *p, const uint8_t *mark)
{
	for (unsigned y = 0; y < p->h; y++)
		for (unsigned x = 0; x < p->w; x++) {
			size_t i = (size_t)y * p->w + x;
			if (mark[i] == 1 || rgb_luminance(p->smooth[i]) < HALF)
				k_set(k, x, y);
		}
}

static void
blank_find(struct plane *p)
{
	size_t len = p->stride * p->lines;

	if (p->fill != PLANE_DATA || p->data[0] ||
		(len > 1 && memcmp(p->data, p->data + 1, len - 1)))
		return;
	free(p->data);
	p->data = NULL;
	p->fill = PLANE_BLANK;
}

static int
inks_make(struct face *out, const struct pdf_picture *p, const struct pdf_look *look, bool dye,
	bool k, struct err *e)
{
	uint8_t *mark = k ? mark_black(p) : NULL;
	int rc = k && !mark ? err_set(e, ERR_SYSTEM, _("Out of memory.")) : 0;

	if (!rc && k)
		rc = plane_create(&out->plane[PANEL_K], 1, p->h, p->w, e);
	if (!rc && k)
		black_split(&out->plane[PANEL_K], p, mark);
	if (!rc && dye)
		rc = dye_make(out, p, look->ribbon, e);
	else if (!rc && k && look->halftone == HALFTONE_FLOYD)
		rc = gray_diffuse(&out->plane[PANEL_K], p, mark, e);
	else if (!rc && k)
		gray_cut(&out->plane[PANEL_K], p, mark);
	free(mark);
	return rc;
}

int
pdf_ink(struct face *out, const struct pdf_picture *p, const struct pdf_look *look, struct err *e)
{
	const char *panels = look->side == SIDE_FRONT ? look->ribbon->front : look->ribbon->back;
	bool dye = strchr(panels, 'Y') && strchr(panels, 'M') && strchr(panels, 'C');
	const struct plane empty = {PLANE_BLANK, 1, p->h, p->w, plane_stride(1, p->h), NULL};

	memset(out, 0, sizeof *out);
	int rc = inks_make(out, p, look, dye, strchr(panels, 'K') != NULL, e);
	if (rc) {
		face_done(out);
		return rc;
	}
	if (strchr(panels, 'O')) {
		out->plane[PANEL_O] = empty;
		out->plane[PANEL_O].fill = PLANE_FULL;
	}
	if (strchr(panels, 'U'))
		out->plane[PANEL_UV] = empty;
	for (int i = 0; i < PANEL_COUNT; i++)
		blank_find(&out->plane[i]);
	return 0;
}
