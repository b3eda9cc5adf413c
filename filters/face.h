/*
 * face.h - the renderer's state, for its three files.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_FACE_H
#define CARDSPOOL_FACE_H

#include "filters/template.h"

#include <pango/pangocairo.h>

/* ---- where dye is needed (half-panel.c)
 * ---------------------------------------------------------
 */

bool box_is_dye(const struct box *b);
/*
 * Of upright artwork, words 0xXXRRGGBB, pitch words a row: lines [*x0, *x1) hold all that mono
 * (feed orientation, as struct art) does not show, and all bright colour. Both 0: there is none.
 */
void colour_extent(const uint32_t *rgb, size_t pitch, const uint8_t *mono, unsigned w, unsigned h,
	unsigned *x0, unsigned *x1);
/* Dye is printed on lines [*line0, *line1) of a side, the rest of it is black only. ERR_INPUT: the
 * ribbon's half panel does not hold what must be colour. */
int dye_window(const struct template *t, enum side side, const struct ribbon *ribbon,
	unsigned *line0, unsigned *line1, struct err *e);

/* ---- cards drawn upright (upright.c)
 * ---------------------------------------------------------------
 */

bool template_upright(const struct template *t);
/* A rectangle of a drawing so many dots high, as it lies on the turned card. */
void rect_turn(unsigned height, unsigned *x, unsigned *y, unsigned *w, unsigned *h);
/* Panels drawn upright to feed orientation. */
int face_turn(struct face *f, struct err *e);

/* ---- text (face-text.c) -----------------------------------------------------------------------
 */

/* Everything Pango needs, and per box a layout that keeps its font. */
struct text_fonts {
	PangoFontMap *map;
	PangoContext *context;
	PangoLayout **layouts; /* one per box of the template; NULL for photo and seal */
};

struct text_engine {
	struct text_fonts own, all; /* all: for characters that few fonts lack, when one comes */
	bool few;                   /* own has the template's fonts only */
	size_t n;
	uint8_t *ink; /* coverage of the text drawn last: box.w lines of pitch bytes, feed
			 orientation */
	size_t ink_max, pitch;
};

/* few: fonts_few() was true for this template. */
int text_engine_init(struct text_engine *te, const struct template *t, bool few, struct err *e);
void text_engine_done(struct text_engine *te);
/*
 * Draws value into te->ink, as large as the box allows. where: "record 7" for messages. A value
 * that does not fit at the smallest size, or has a character that no font has, is ERR_INPUT.
 */
int text_draw(struct text_engine *te, const struct template *t, size_t box, const char *value,
	const char *where, struct err *e);

/* The same without drawing. */
int text_check(struct text_engine *te, const struct template *t, size_t box, const char *value,
	const char *where, struct err *e);

/* ---- fonts (face-fonts.c) ---------------------------------------------------------------------
 */

/* The file of a font, "" when the font is more than its file. */
void font_file_name(PangoFont *font, char out[TEMPLATE_FONT_FILE_MAX]);
/* Lets this process know the fonts only that the template was compiled with. False: nothing was
 * changed, because they are not there as they were. */
bool fonts_few(const struct template *t);
/* A map of all installed fonts whatever this process knows; the caller unrefs it. */
PangoFontMap *fonts_all(void);

/* ---- overlay and fluorescent ink (face-extra.c) -----------------------------------------------
 */

/* Sets the bits of a 1-bit plane under the text drawn last. */
void text_to_bits(const struct text_engine *te, const struct box *b, struct plane *p);
/* The overlay of a side: PLANE_FULL, or dots where the template leaves places free of it. */
int overlay_make(struct plane *o, const struct template *t, enum side side,
	const struct record *rec, struct err *e);
/* Adds the record's texts and photo in UV to the plane, which has its dots. */
int uv_draw(struct text_engine *te, const struct template *t, enum side side,
	const struct record *rec, const uint8_t *photo, size_t photo_len, const char *where,
	struct plane *uv, struct err *e);

/* ---- barcodes (barcode.c) ---------------------------------------------------------------------
 */

/* The value's symbol fits the box; else ERR_INPUT that names record and field. */
int barcode_check(const struct box *b, const char *value, const char *where, struct err *e);
/* Clears the symbol and its quiet zone on k and on the planes Y M C at dye (NULL: none), and prints
 * the modules on k, each a whole number of dots. */
int barcode_draw(const struct box *b, const char *value, const char *where, struct plane *k,
	struct plane *dye, struct err *e);

/* ---- photo and seal (face-picture.c) ----------------------------------------------------------
 */

/* A piece of upright artwork at (x, y) of the card, words 0xXXRRGGBB. */
struct picture {
	unsigned x, y, w, h;
	uint32_t *pixels; /* pitch = w */
};

/* The smallest rectangle around all boxes of a side that need dye; w = 0 if there is none. */
struct picture picture_around(const struct template *t, enum side side);
/* Fills the box's part of the picture with the photo, cropped in the middle to the box's shape. */
int picture_photo(
	struct picture *p, const struct box *box, const uint8_t *photo, size_t len, struct err *e);
/* Lays the seal over the box's part of the picture. */
void picture_seal(struct picture *p, const struct box *box);
/* Lays text (coverage as te->ink) in the box's colour over the picture. */
void picture_text(struct picture *p, const struct box *box, const uint8_t *ink, size_t pitch);
/* Adds the picture to a 1-bit plane by error diffusion. */
int picture_dither(const struct picture *p, struct plane *k, struct err *e);

#endif
