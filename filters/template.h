/*
 * template.h - the compiled template, for its compiler, its reader and the renderer.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_TEMPLATE_H
#define CARDSPOOL_TEMPLATE_H

#include "filters/card.h"

/*
 * template.bin, numbers little-endian:
 *
 *     0  8  "CARDTPL\n"
 *     8  4  version, 4
 *    12  4  bytes in the file
 *    16  4  width     20  4  height     24  4  dpi        of the landscape artwork, dots
 *    28  4  number of boxes             32  4  offset of the box table
 *    36  4  1: chip contacts on the front, 2: magnetic stripe on the back
 *    40 64  name, zero padded
 *   104     7 x 36: source files in the order of template_sources[]: 4 present (0 or 1), 32 SHA-256
 *   356     2 x 40: sides: 4 present, then offsets, 0 = none: 4 RGB, 4 Y, 4 M, 4 C, 4 K, 4 mono,
 *           4 UV, 4 overlay, 4 colour
 *   436     12 zero bytes
 *   448     pieces, then the box table: n x 512
 *
 * RGB: height x width words 0xffRRGGBB, upright: the ground under photo, seal and coloured text.
 * Y M C: 8 bits a dot; K mono UV overlay: 1 bit a dot; all in feed orientation as struct plane.
 * K is what stays sharp beside the dye (knocked out of Y M C); mono is the whole side for a ribbon
 * without dye; overlay has a bit where the overlay is laid, none: everywhere. Colour: first line +
 * 65536 x the line after the last with colour that mono cannot stand for and no only="colour" gives
 * up; 0: none.
 *
 *   box   0 1 side  1 1 kind  2 1 align  3 1 fit  4 1 ink  5 1 lines at most
 *         6 1 overlay left out over the box, 0 or 1     7 1 0
 *         8 4 x    12 4 y    16 4 w     20 4 h
 *        24 4 size 28 4 min size, both in 1/64 dot      32 4 colour 0xRRGGBB
 *        36 4 offset of the seal: w x h words, premultiplied ARGB, 0 = none
 *        40 48 field       88 48 format       136 96 font
 *       232  1 symbology  233 1 show          234 2 0
 *       236  4 least dots a module of a barcode
 *       240 48 show field 288 64 show value   352 160 file of the font when it was compiled, or ""
 */
enum {
	TEMPLATE_VERSION = 4,
	TEMPLATE_SOURCES = 7,
	TEMPLATE_AT_SOURCES = 104,
	TEMPLATE_SOURCE_LEN = 36,
	TEMPLATE_AT_SIDES = 356,
	TEMPLATE_SIDE_LEN = 40,
	TEMPLATE_HEAD_LEN = 448,
	TEMPLATE_BOX_LEN = 512,
	TEMPLATE_BOXES_MAX = 128,
	TEMPLATE_FILE_MAX = 256 << 20,
	TEMPLATE_SOURCE_MAX = 8 << 20,
	TEMPLATE_FONT_MAX = 96,
	TEMPLATE_FONT_FILE_MAX = 160,
	TEMPLATE_FORMAT_MAX = 48,
	TEMPLATE_VALUE_MAX = 64,
	TEMPLATE_SIZE_UNIT = 64
};
#define TEMPLATE_MAGIC "CARDTPL\n"

/* "front.svg", "back.svg", "seal.svg", "seal.png", "record.schema", "chip.map",
 * "ndef.map" */
extern const char *const template_sources[TEMPLATE_SOURCES];
enum {
	SOURCE_FRONT,
	SOURCE_BACK,
	SOURCE_SEAL_SVG,
	SOURCE_SEAL_PNG,
	SOURCE_SCHEMA,
	SOURCE_CHIP_MAP,
	SOURCE_NDEF_MAP
};

enum box_kind { BOX_TEXT, BOX_PHOTO, BOX_SEAL, BOX_BARCODE, BOX_ART, BOX_KIND_COUNT };
enum symbology { SYM_QR, SYM_CODE128, SYM_CODE39, SYM_PDF417, SYM_DATAMATRIX, SYM_COUNT };
/* When a box is filled: always, or by the value of the show field. */
enum box_show { SHOW_ALWAYS, SHOW_SET, SHOW_EMPTY, SHOW_EQUAL, SHOW_UNEQUAL, SHOW_COUNT };
enum box_align { ALIGN_LEFT, ALIGN_CENTER, ALIGN_RIGHT, ALIGN_COUNT };
enum box_fit { FIT_SHRINK, FIT_WRAP, FIT_COUNT };
enum box_ink { INK_RESIN, INK_DYE, INK_UV, INK_COUNT };

struct box {
	uint8_t side, kind, align, fit, ink, lines, symbology, show;
	bool bare;           /* no overlay over the box */
	unsigned x, y, w, h; /* artwork dots */
	unsigned size, min_size;
	uint32_t colour;
	unsigned module;     /* barcode: least dots a module */
	const uint8_t *seal; /* seal, art: w x h, premultiplied ARGB words */
	int field;           /* index in the schema, -1 = none */
	int show_index;      /* of show_field in the schema */
	char field_name[FIELD_NAME_MAX];
	char format[TEMPLATE_FORMAT_MAX]; /* "YYYY-MM-DD"; "" = as it is */
	char font[TEMPLATE_FONT_MAX];     /* as Pango writes it, without size */
	char show_field[FIELD_NAME_MAX];
	char show_value[TEMPLATE_VALUE_MAX];
	char font_file[TEMPLATE_FONT_FILE_MAX]; /* under all fonts of the host that compiled it */
};

/* A field's value stands in the box: text and barcodes. */
bool box_has_field(const struct box *b);
/* What people call it: its field, or its kind. */
const char *box_name(const struct box *b);
/* The box's condition holds for these values. */
bool box_is_shown(const struct box *b, char *const *values);

/* The fixed art of one side. NULL: there is none of that kind. */
struct art {
	bool present, keep_clear; /* the latter: of the chip's contacts or the stripe */
	const uint8_t *rgb, *ymc[3], *k, *mono, *uv, *overlay;
	unsigned colour_x0, colour_x1; /* lines [x0, x1) that need dye; x1 0: none do */
};

struct template
{
	char name[64];
	unsigned width, height, dpi;
	struct art art[SIDE_COUNT];
	struct box *boxes;
	size_t n_boxes;
	struct schema *schema;
	struct chip_map *chip_map;
	struct ndef_map *ndef_map;
	uint8_t hash[HASH_LEN];
	uint8_t *map;
	size_t map_len;
};

/* SHA-256 of a source file; *present is false when there is none. */
int template_source_hash(
	const char *dir, int source, uint8_t out[HASH_LEN], bool *present, struct err *e);
/* Checks and fills everything that lies in t->map; fields are resolved later. */
int template_parse(struct template *t, const char *path, struct err *e);

/* ---- from RGB to dye (dye.c) ---------------------------------------------------------------- */

/*
 * Converts a w x h piece of upright artwork (words 0xXXRRGGBB, pitch words a row) whose corner lies
 * at (x, y) of a card that is card_h dots high, into Y M C planes in feed orientation.
 */
void dye_convert(uint8_t *const ymc[3], unsigned card_h, const uint32_t *rgb, size_t pitch,
	unsigned x, unsigned y, unsigned w, unsigned h);
/* No dye where the K plane prints, for lines [x, x + w) and dots of artwork rows [y, y + h). */
void dye_knock_out(uint8_t *const ymc[3], unsigned card_h, const uint8_t *k, unsigned x, unsigned y,
	unsigned w, unsigned h);
/* 0 … 255 as the eye sees it. */
unsigned rgb_luminance(uint32_t rgb);

#endif
