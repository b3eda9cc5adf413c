/*
 * dye.h - from RGB to dye: the table, and the ways a machine can go through it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_DYE_H
#define CARDSPOOL_DYE_H

#include "filters/template.h"

/*
 * Dye for light at 33 x 33 x 33 nodes, red slowest, blue fastest. A node holds Y M C in lanes of 21
 * bits from bit 0, each in 1/32 of a level, so that a weight of 256 in all and a rounding half fit.
 * Between nodes the tetrahedron that holds the point is interpolated: gray stays on its diagonal.
 */
enum {
	DYE_NODES = 33,
	DYE_STEP_R = DYE_NODES * DYE_NODES,
	DYE_STEP_G = DYE_NODES,
	DYE_STEP_B = 1,
	DYE_LANE = 21,
	DYE_UNIT = 32,
	DYE_TILE_ROWS = 8,
	DYE_TILE_COLS = 128
};
#define DYE_HALF (4096 * ((uint64_t)1 | (uint64_t)1 << DYE_LANE | (uint64_t)1 << (2 * DYE_LANE)))

/*
 * The same values twice, for the two ways: node in lanes of 21 bits, word in lanes of 16 (the last
 * one is there to be read over). axis: a channel's first node << 32 | share of the way to the next
 * << 11 | step to the next, for red, green and blue.
 */
struct dye_table {
	uint64_t node[DYE_NODES * DYE_NODES * DYE_NODES];
	uint64_t word[DYE_NODES * DYE_NODES * DYE_NODES + 1];
	uint64_t axis[3][256];
};

/* 0 ... 255 to 0 ... 32 nodes in 1/256, with integers only, so that all ways round alike. */
static inline uint32_t
dye_axis(uint32_t light)
{
	return light * 32 + ((light * 257 + 1024) >> 11);
}

/* Fills axis, and word from node. */
void dye_table_finish(struct dye_table *t);

/* One way of doing it; all give the same bytes. */
struct dye_way {
	const char *name;
	bool (*runs)(void); /* on this processor */
	/* Words 0xXXRRGGBB to 0x00CCMMYY, in place. */
	void (*plain)(uint32_t *words, size_t n);
	void (*table)(const struct dye_table *t, uint32_t *words, size_t n);
	/* 8 x 8 words, pitch words a row, into 8 dots of 8 lines, line bytes apart. */
	void (*turn)(const uint32_t *words, size_t pitch, uint8_t *const ymc[3], size_t line);
};
extern const struct dye_way dye_ways[]; /* the best first; ends with a NULL name */

void dye_words_plain(uint32_t *words, size_t n);
void dye_words_table(const struct dye_table *t, uint32_t *words, size_t n);
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
void dye_avx2_plain(uint32_t *words, size_t n);
void dye_avx2_table(const struct dye_table *t, uint32_t *words, size_t n);
void dye_avx2_turn(const uint32_t *words, size_t pitch, uint8_t *const ymc[3], size_t line);
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
