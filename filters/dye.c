/*
 * dye.c - from RGB to the dye panels.
 *
 * Owns the conversion of upright artwork into planes in feed orientation, and the choice of how
 * this machine does it. Guarantees: every way gives the same bytes; without a table dye is the
 * plain complement of light, the same for each, so that grays stay neutral. Cannot fail.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/dye.h"
#include "filters/le.h"

#include <string.h>

/* ---- the portable way ---- */

void
dye_words_plain(uint32_t *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		words[i] = ~words[i] & 0xffffff;
}

static inline uint32_t
max_u32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static inline uint32_t
min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Where a channel lies between its two nodes, with the step to the next node: fraction << 11 |
 * step. */
static inline uint32_t
axis_key(uint32_t light, uint32_t step, uint32_t *base)
{
	uint32_t at = dye_axis(light), node = min_u32(at >> 8, DYE_NODES - 2);

	*base += node * step;
	return (at - (node << 8)) << 11 | step;
}

/* One point of the table: the four corners of the tetrahedron that holds it, weighted. */
static uint32_t
dye_look_up(const struct dye_table *t, uint32_t rgb)
{
	uint32_t base = 0;
	uint32_t r = axis_key(rgb >> 16 & 255, DYE_STEP_R, &base);
	uint32_t g = axis_key(rgb >> 8 & 255, DYE_STEP_G, &base);
	uint32_t b = axis_key(rgb & 255, DYE_STEP_B, &base);
	uint32_t high = max_u32(max_u32(r, g), b), low = min_u32(min_u32(r, g), b);
	uint32_t mid = r + g + b - high - low;
	const uint64_t *node = t->node + base;
	const uint64_t *first = node + (high & 2047), *second = first + (mid & 2047);
	uint64_t sum = node[0] * (256 - (high >> 11)) + *first * ((high >> 11) - (mid >> 11)) +
		       *second * ((mid >> 11) - (low >> 11)) +
		       node[DYE_STEP_R + DYE_STEP_G + DYE_STEP_B] * (low >> 11) + DYE_HALF;

	return (uint32_t)(sum >> 13 & 255) | (uint32_t)(sum >> 26 & 0xff00) |
	       (uint32_t)(sum >> 39 & 0xff0000);
}

void
dye_words_table(const struct dye_table *t, uint32_t *words, size_t n)
{
	uint32_t seen = 0, dye = dye_look_up(t, 0);

	/* Artwork has plain areas: the last colour again is the common case. */
	for (size_t i = 0; i < n; i++) {
		uint32_t rgb = words[i] & 0xffffff;
		if (rgb != seen) {
			seen = rgb;
			dye = dye_look_up(t, rgb);
		}
		words[i] = dye;
	}
}

/* Eight rows of eight words, the lowest row of the artwork first, to eight dots of eight lines. */
static void
turn_portable(const uint32_t *words, size_t pitch, uint8_t *const ymc[3], size_t line)
{
	for (size_t col = 0; col < DYE_TILE_ROWS; col++) {
		uint64_t sum[3] = {0};
		for (unsigned row = 0; row < DYE_TILE_ROWS; row++) {
			uint64_t word = words[row * pitch + col];
			for (int i = 0; i < 3; i++)
				sum[i] |= (word >> (8 * i) & 255) << (8 * row);
		}
		for (int i = 0; i < 3; i++)
			le64_put(ymc[i] + col * line, sum[i]);
	}
}

/* ---- the choice ---- */

static bool
portable_runs(void)
{
	return true;
}

const struct dye_way dye_ways[] = {
#ifdef __x86_64__
	{"avx2", dye_avx2_runs, dye_avx2_plain, dye_avx2_table, dye_avx2_turn},
#endif
	{"portable", portable_runs, dye_words_plain, dye_words_table, turn_portable},
	{NULL, NULL, NULL, NULL, NULL},
};

static const struct dye_way *
way_best(void)
{
	const struct dye_way *way = dye_ways;

	while (!way->runs())
		way++;
	return way;
}

/* What the eight by eight pieces leave over. */
static void
turn_rest(const uint32_t *words, size_t pitch, unsigned rows, unsigned cols, uint8_t *const ymc[3],
	size_t line)
{
	for (unsigned col = 0; col < cols; col++)
		for (unsigned row = 0; row < rows; row++)
			for (int i = 0; i < 3; i++)
				ymc[i][col * line + row] =
					(uint8_t)(words[row * pitch + col] >> (8 * i));
}

void
dye_convert_by(const struct dye_way *way, const struct dye_table *table, uint8_t *const ymc[3],
	unsigned card_h, const uint32_t *rgb, size_t pitch, unsigned x, unsigned y, unsigned w,
	unsigned h)
{
	uint32_t tile[DYE_TILE_ROWS * DYE_TILE_COLS];

	for (unsigned row = 0; row < h; row += DYE_TILE_ROWS) {
		unsigned rows = h - row < DYE_TILE_ROWS ? h - row : DYE_TILE_ROWS;
		for (unsigned col = 0; col < w; col += DYE_TILE_COLS) {
			unsigned cols = w - col < DYE_TILE_COLS ? w - col : DYE_TILE_COLS;
			for (unsigned i = 0; i < rows; i++)
				memcpy(tile + i * DYE_TILE_COLS,
					rgb + (size_t)(h - 1 - row - i) * pitch + col,
					cols * sizeof *tile);
			for (unsigned i = 0; i < rows && table; i++)
				way->table(table, tile + i * DYE_TILE_COLS, cols);
			for (unsigned i = 0; i < rows && !table; i++)
				way->plain(tile + i * DYE_TILE_COLS, cols);
			size_t at = (size_t)(x + col) * card_h + (card_h - y - h) + row;
			uint8_t *to[3] = {ymc[0] + at, ymc[1] + at, ymc[2] + at};
			unsigned done = 0;
			for (; rows == DYE_TILE_ROWS && done + DYE_TILE_ROWS <= cols;
				done += DYE_TILE_ROWS) {
				way->turn(tile + done, DYE_TILE_COLS, to, card_h);
				for (int i = 0; i < 3; i++)
					to[i] += (size_t)DYE_TILE_ROWS * card_h;
			}
			turn_rest(tile + done, DYE_TILE_COLS, rows, cols - done, to, card_h);
		}
	}
}

void
dye_convert(uint8_t *const ymc[3], unsigned card_h, const uint32_t *rgb, size_t pitch, unsigned x,
	unsigned y, unsigned w, unsigned h)
{
	dye_convert_by(way_best(), NULL, ymc, card_h, rgb, pitch, x, y, w, h);
}

void
dye_convert_table(const struct dye_table *table, uint8_t *const ymc[3], unsigned card_h,
	const uint32_t *rgb, size_t pitch, unsigned x, unsigned y, unsigned w, unsigned h)
{
	dye_convert_by(way_best(), table, ymc, card_h, rgb, pitch, x, y, w, h);
}

void
dye_knock_out(uint8_t *const ymc[3], unsigned card_h, const uint8_t *k, unsigned x, unsigned y,
	unsigned w, unsigned h)
{
	size_t stride = plane_stride(1, card_h);
	unsigned first = card_h - y - h, last = card_h - y;

	for (unsigned line = x; line < x + w; line++) {
		const uint8_t *bits = k + line * stride;
		for (unsigned dot = first; dot < last;) {
			uint64_t eight;
			if (dot % 8 == 0 && dot + 64 <= last) {
				memcpy(&eight, bits + dot / 8, sizeof eight);
				if (!eight) {
					dot += 64;
					continue;
				}
			}
			if (dot % 8 == 0 && !bits[dot / 8]) {
				dot += 8;
				continue;
			}
			if (bits[dot / 8] >> (7 - dot % 8) & 1)
				for (int i = 0; i < 3; i++)
					ymc[i][(size_t)line * card_h + dot] = 0;
			dot++;
		}
	}
}

unsigned
rgb_luminance(uint32_t rgb)
{
	return (54 * (rgb >> 16 & 255) + 183 * (rgb >> 8 & 255) + 19 * (rgb & 255)) >> 8;
}
