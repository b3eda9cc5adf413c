/*
 * dye.h - from RGB to dye: the table, and the ways a machine can go through it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_DYE_H
#define CARDSPOOL_DYE_H

#include "filters/template.h"

/*
 * Dye for light at 33 x 33 x 33 nodes, red slowest, blue fastest. Between nodes the tetrahedron
 * that holds the point is interpolated, in shares of 1/256 of the way: gray stays on its diagonal.
 *
 * A node holds Y M C in lanes of 21 bits, each in 1/32 of a level plus half a level, so that the
 * sum of weights of 256 in all is rounded as it stands, with a dye's byte in the lane's upper 8
 * bits.
 */
enum {
	DYE_NODES = 33,
	DYE_STEP_R = DYE_NODES * DYE_NODES,
	DYE_STEP_G = DYE_NODES,
	DYE_STEP_B = 1,
	/* Behind the last node lies what is read, with weight 0, beyond the end of an axis. */
	DYE_ROOM = DYE_NODES * DYE_NODES * DYE_NODES + DYE_STEP_R + DYE_STEP_G + DYE_STEP_B + 1,
	DYE_LANE_Y = 0,
	DYE_LANE_M = 21,
	DYE_LANE_C = 43,
	DYE_UNIT = 32,
	DYE_TILE_ROWS = 16,
	DYE_TILE_COLS = 128
};

/*
 * The nodes and what is worked out from them. word: the same values in lanes of 16 bits, for
 * vectors. axis: what a channel's light adds to the place of a point. share: of the way from its
 * node to the next. before: for each channel and each order of the shares, from the cell's first
 * node to the edge that this channel goes along. dye.c says more.
 */
struct dye_table {
	uint64_t node[DYE_ROOM], word[DYE_ROOM];
	uint64_t axis[3][256];
	uint8_t share[256];
	size_t before[3][8];
};

/* 0 ... 255 to 0 ... 32 nodes in 1/256, with integers only, so that all ways round alike. */
static inline uint32_t
dye_axis(uint32_t light)
{
	return light * 32 + ((light * 257 + 1024) >> 11);
}

/* Fills the rest from the nodes. */
void dye_table_finish(struct dye_table *t);

/* A part of the artwork, at most DYE_TILE_ROWS x DYE_TILE_COLS words 0xXXRRGGBB, and its dots: the
 * lowest row becomes the first dot of lines that lie line bytes apart. */
struct dye_block {
	const uint32_t *rgb;
	size_t pitch; /* words from a row to the next */
	unsigned rows, cols;
	uint8_t *ymc[3];
	size_t line;
};

/* One way of doing it; all give the same bytes. */
struct dye_way {
	const char *name;
	bool (*runs)(void); /* on this processor */
	/* table NULL: the plain complement */
	void (*convert)(const struct dye_table *table, const struct dye_block *b);
};
extern const struct dye_way dye_ways[]; /* the best first; ends with a NULL name */

/* Words 0xXXRRGGBB to 0x00CCMMYY, in place. */
void dye_words_plain(uint32_t *words, size_t n);
void dye_words_table(const struct dye_table *t, uint32_t *words, size_t n);
/* Turns a block's words, DYE_TILE_COLS a row, the first dot's row first, into its dots; turn does 8
 * x 8. */
void dye_tile_turn(const uint32_t *tile, const struct dye_block *b,
	void (*turn)(const uint32_t *words, size_t pitch, uint8_t *const ymc[3], size_t line));
/* dye_convert with a table, by a given way; table NULL is the plain complement. */
void dye_convert_by(const struct dye_way *way, const struct dye_table *table, uint8_t *const ymc[3],
	unsigned card_h, const uint32_t *rgb, size_t pitch, unsigned x, unsigned y, unsigned w,
	unsigned h);
/* The same by the best way of this machine. */
void dye_convert_table(const struct dye_table *table, uint8_t *const ymc[3], unsigned card_h,
	const uint32_t *rgb, size_t pitch, unsigned x, unsigned y, unsigned w, unsigned h);

/* ---- AVX2 (dye-avx2.c) ---------------------------------------------------------------------- */

#ifdef __x86_64__
bool dye_avx2_runs(void);
void dye_avx2_convert(const struct dye_table *table, const struct dye_block *b);
#endif

/* ---- filling the table (dye-table.c) -------------------------------------------------------- */

/* What becomes of colours that the printer cannot reach; numbers as in ICC.1. */
enum dye_intent {
	DYE_PERCEPTUAL, /* all colours move closer, their order stays */
	DYE_RELATIVE,   /* only they move, to the nearest one */
	DYE_SATURATION,
	DYE_ABSOLUTE,
	DYE_INTENT_COUNT
};

/* What a queue wants of its colours. All 0: as the template has them. */
struct dye_tone {
	int brightness, contrast; /* -10 ... 10 */
	enum dye_intent intent;   /* matters with an ICC profile only */
};

/*
 * A table for a tone and a profile: an ICC profile of an RGB or CMY device, or a text of tone
 * curves (see doc/TEMPLATES.md); no bytes: the plain complement. name: what messages call it. The
 * caller frees *out.
 */
int dye_table_build(struct dye_table **out, const struct dye_tone *tone, const uint8_t *profile,
	size_t len, const char *name, struct err *e);

#endif
