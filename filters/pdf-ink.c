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

/*
 * BLACK_MAX: of black in a picture. BLACK_DRAWN_MAX: of text and lines, 14 %: what poppler makes of
 * DeviceCMYK with full K, alone (K_ONLY) or with other inks, as programs for print shops write
 * black.
 */
enum { BLACK_MAX = 2, BLACK_DRAWN_MAX = 36, K_ONLY = 0x231f20, WHITE = 0xffffff, HALF = 128 };

/* What a pixel is for the resin. */
enum { MARK_RESIN = 1, MARK_RIM = 2, MARK_GRAY = 4 };

/* Between its channels a gray pixel differs by no more, or it is a colour. */
enum { GRAY_SPREAD = 12 };

/*
 * Levels of light at which a dot is left out, 0 ... 63 in an 8 x 8 tile. Bayer's matrix spreads
 * dots evenly; the clustered one grows round dots of 4 x 4 at 45 degrees, which hold better in
 * resin.
 */
static const uint8_t bayer[64] = {0, 32, 8, 40, 2, 34, 10, 42, 48, 16, 56, 24, 50, 18, 58, 26, 12,
	44, 4, 36, 14, 46, 6, 38, 60, 28, 52, 20, 62, 30, 54, 22, 3, 35, 11, 43, 1, 33, 9, 41, 51,
	19, 59, 27, 49, 17, 57, 25, 15, 47, 7, 39, 13, 45, 5, 37, 63, 31, 55, 23, 61, 29, 53, 21};
static const uint8_t cluster[64] = {24, 10, 12, 26, 35, 47, 49, 37, 8, 0, 2, 14, 45, 59, 61, 51, 22,
	6, 4, 16, 43, 57, 63, 53, 30, 20, 18, 28, 33, 41, 55, 39, 34, 46, 48, 36, 25, 11, 13, 27,
	44, 58, 60, 50, 9, 1, 3, 15, 42, 56, 62, 52, 23, 7, 5, 17, 32, 40, 54, 38, 31, 21, 19, 29};

static bool
pixel_black(uint32_t p, unsigned most)
{
	return ((p & 255) <= most && (p >> 8 & 255) <= most && (p >> 16 & 255) <= most) ||
	       (p & WHITE) == K_ONLY;
}

static bool
pixel_gray(uint32_t p)
{
	int r = p >> 16 & 255, g = p >> 8 & 255, b = p & 255;

	return abs(r - g) <= GRAY_SPREAD && abs(g - b) <= GRAY_SPREAD && abs(r - b) <= GRAY_SPREAD;
}

static void
k_set(struct plane *k, unsigned x, unsigned y)
{
	unsigned dot = k->dots - 1 - y;

	k->data[x * k->stride + dot / 8] |= (uint8_t)(0x80 >> dot % 8);
}

/* Marks every pixel, one byte each. NULL: out of memory. */
static uint8_t *
mark_black(const struct pdf_picture *p, enum pdf_black black)
{
	uint8_t *mark = calloc(p->h, p->w);
	const uint32_t *from = p->drawn ? p->drawn : p->crisp;
	unsigned most = black == BLACK_TEXT ? BLACK_DRAWN_MAX : BLACK_MAX;

	if (!mark || !from)
		return mark;
	for (size_t i = 0; i < (size_t)p->w * p->h; i++)
		mark[i] = pixel_black(from[i], most) ||
			  (black == BLACK_DARK && pixel_gray(p->crisp[i]) &&
				  rgb_luminance(p->crisp[i]) < HALF);
	for (unsigned y = 0; y < p->h; y++)
		for (unsigned x = 0; x < p->w; x++) {
			if (mark[(size_t)y * p->w + x] != MARK_RESIN)
				continue;
			for (unsigned v = y ? y - 1 : 0; v <= y + 1 && v < p->h; v++)
				for (unsigned u = x ? x - 1 : 0; u <= x + 1 && u < p->w; u++)
					mark[(size_t)v * p->w + u] |=
						MARK_RIM * !mark[(size_t)v * p->w + u];
		}
	for (size_t i = 0; black == BLACK_GRAY && i < (size_t)p->w * p->h; i++)
		if (!mark[i] && pixel_gray(p->smooth[i]) && (p->smooth[i] & WHITE) != WHITE)
			mark[i] = MARK_GRAY;
	return mark;
}

/* Resin dots; around them the picture's own crisp colour in place of a blend with black. */
static void
black_split(struct plane *k, const struct pdf_picture *p, const uint8_t *mark)
{
	for (unsigned y = 0; y < p->h; y++)
		for (unsigned x = 0; x < p->w; x++) {
			size_t i = (size_t)y * p->w + x;
			if (mark[i] == MARK_RESIN) {
				k_set(k, x, y);
				p->smooth[i] = WHITE;
			} else if (mark[i] == MARK_RIM) {
				p->smooth[i] = p->crisp[i];
			}
		}
}

/* A half panel holds the dye of so many lines together, and no more. */
static int
half_panel_check(
	const struct pdf_picture *p, const struct ribbon *ribbon, unsigned dpi, struct err *e)
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
	double mm = 25.4 / dpi;
	return err_set(e, ERR_INPUT,
		_("The colour of the page is %.1f mm wide, %.1f mm more than the half panel of "
		  "ribbon %s has. Use a ribbon with full panels."),
		(last - first + 1) * mm, (last - first + 1 - ribbon->dye_lines) * mm, ribbon->name);
}

static int
dye_make(struct face *out, const struct pdf_picture *p, const struct pdf_look *look, struct err *e)
{
	uint8_t *ymc[3];
	const struct dye_table *table = look->print ? look->print->dye : NULL;
	int rc = half_panel_check(p, look->ribbon, look->dpi, e);

	for (int i = PANEL_Y; !rc && i <= PANEL_C; i++) {
		rc = plane_create(&out->plane[i], 8, p->h, p->w, e);
		ymc[i - PANEL_Y] = out->plane[i].data;
	}
	if (!rc)
		dye_convert_table(table, ymc, p->h, p->smooth, p->w, 0, 0, p->w, p->h);
	return rc;
}

/* Floyd and Steinberg, every second row backwards; black text and its rim stay as they are. all:
 * every pixel is printed in resin, else those marked gray. */
static int
gray_diffuse(
	struct plane *k, const struct pdf_picture *p, const uint8_t *mark, bool all, struct err *e)
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
			bool spread = all ? !mark[at] : mark[at] == MARK_GRAY;
			int light = (int)rgb_luminance(p->smooth[at]) + (spread ? now[x] / 16 : 0);
			bool dot = mark[at] == MARK_RESIN || ((all || spread) && light < HALF);
			int left = spread ? light - (dot ? 0 : 255) : 0;
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

/* Each dot by itself, against the middle or a tile of levels. */
static void
gray_tile(struct plane *k, const struct pdf_picture *p, const uint8_t *mark, bool all,
	const uint8_t *tile)
{
	for (unsigned y = 0; y < p->h; y++)
		for (unsigned x = 0; x < p->w; x++) {
			size_t i = (size_t)y * p->w + x;
			bool half = tile && !(mark[i] & (MARK_RESIN | MARK_RIM));
			unsigned level = half ? tile[y % 8 * 8 + x % 8] * 4U + 2 : HALF;
			if (mark[i] == MARK_RESIN || ((all || mark[i] == MARK_GRAY) &&
							     rgb_luminance(p->smooth[i]) < level))
				k_set(k, x, y);
		}
}

/* Grays as dots of resin. all: the ribbon has no dye. */
static int
gray_make(struct plane *k, const struct pdf_picture *p, const uint8_t *mark, bool all,
	enum pdf_halftone halftone, struct err *e)
{
	static const uint8_t *const tiles[HALFTONE_COUNT] = {
		[HALFTONE_ORDERED] = bayer, [HALFTONE_CLUSTERED] = cluster};

	if (halftone == HALFTONE_FLOYD)
		return gray_diffuse(k, p, mark, all, e);
	gray_tile(k, p, mark, all, tiles[halftone]);
	return 0;
}

/* Gray that went to resin leaves no dye. */
static void
gray_clear(const struct pdf_picture *p, const uint8_t *mark)
{
	for (size_t i = 0; i < (size_t)p->w * p->h; i++)
		if (mark[i] == MARK_GRAY)
			p->smooth[i] = WHITE;
}

static int
inks_make(struct face *out, const struct pdf_picture *p, const struct pdf_look *look, bool dye,
	bool k, struct err *e)
{
	enum pdf_black black = dye ? look->black : BLACK_TEXT;
	struct plane *plane = &out->plane[PANEL_K];
	uint8_t *mark = k ? mark_black(p, black) : NULL;
	int rc = k && !mark ? err_set(e, ERR_SYSTEM, _("Out of memory.")) : 0;

	if (!rc && k)
		rc = plane_create(plane, 1, p->h, p->w, e);
	if (!rc && k)
		black_split(plane, p, mark);
	if (!rc && k && (!dye || black == BLACK_GRAY))
		rc = gray_make(plane, p, mark, !dye, look->halftone, e);
	if (!rc && k && dye)
		gray_clear(p, mark);
	if (!rc && dye)
		rc = dye_make(out, p, look, e);
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
		if (look->print)
			rc = overlay_limit(
				&out->plane[PANEL_O], look->print, look->side, look->dpi, e);
	}
	if (strchr(panels, 'U'))
		out->plane[PANEL_UV] = empty;
	for (int i = 0; i < PANEL_COUNT; i++)
		plane_blank_find(&out->plane[i]);
	if (rc)
		face_done(out);
	return rc;
}
