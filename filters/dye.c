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

void
dye_table_finish(struct dye_table *t)
{
	static const uint32_t steps[3] = {DYE_STEP_R, DYE_STEP_G, DYE_STEP_B};
	const uint64_t lane = ((uint64_t)1 << DYE_LANE) - 1;

	for (size_t i = 0; i < ARRAY_LEN(t->node); i++)
		t->word[i] = (t->node[i] & lane) | (t->node[i] >> DYE_LANE & lane) << 16 |
			     (t->node[i] >> (2 * DYE_LANE) & lane) << 32;
	t->word[ARRAY_LEN(t->node)] = 0;
	for (int i = 0; i < 3; i++)
		for (uint32_t light = 0; light < 256; light++) {
			uint32_t at = dye_axis(light), node = min_u32(at >> 8, DYE_NODES - 2);
			t->axis[i][light] = (uint64_t)(node * steps[i]) << 32 |
					    (at - (node << 8)) << 11 | steps[i];
		}
}

/* One point of the table: the four corners of the tetrahedron that holds it, weighted. */
static inline uint32_t
dye_look_up(const struct dye_table *t, uint32_t rgb)
{
	uint64_t red = t->axis[0][rgb >> 16 & 255], green = t->axis[1][rgb >> 8 & 255],
		 blue = t->axis[2][rgb & 255], all = red + green + blue;
	uint32_t r = (uint32_t)red, g = (uint32_t)green, b = (uint32_t)blue;
	uint32_t most = max_u32(r, g), least = min_u32(r, g);
	uint32_t high = max_u32(most, b), low = min_u32(least, b);
	uint32_t mid = (uint32_t)all - high - low;
	const uint64_t *node = t->node + (all >> 32);
	const uint64_t *first = node + (high & 2047), *second = first + (mid & 2047);
	high >>= 11;
	mid >>= 11;
	low >>= 11;
	uint64_t sum = node[0] * (256 - high) + *first * (high - mid) + *second * (mid - low) +
		       node[DYE_STEP_R + DYE_STEP_G + DYE_STEP_B] * low + DYE_HALF;

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

/* Eight rows of eight words, the lowest row of the artwork first, to eight dots of eight lines. A
 * row and the fourth after it share a register, so that bytes of one dye fall into place by shifts
 * of whole registers. */
static void
turn_portable(const uint32_t *words, size_t pitch, uint8_t *const ymc[3], size_t line)
{
	const uint64_t dots = 0x000000ff000000ff;

	for (size_t col = 0; col < DYE_TILE_ROWS; col++) {
		const uint32_t *top = words + col, *rest = top + 4 * pitch;
		uint64_t a = top[0] | (uint64_t)rest[0] << 32;
		uint64_t b = top[pitch] | (uint64_t)rest[pitch] << 32;
		uint64_t c = top[2 * pitch] | (uint64_t)rest[2 * pitch] << 32;
		uint64_t d = top[3 * pitch] | (uint64_t)rest[3 * pitch] << 32;
		le64_put(ymc[0] + col * line,
			(a & dots) | (b & dots) << 8 | (c & dots) << 16 | (d & dots) << 24);
		le64_put(ymc[1] + col * line, (a >> 8 & dots) | (b & dots << 8) |
						      (c & dots << 8) << 8 | (d & dots << 8) << 16);
		le64_put(ymc[2] + col * line, (a >> 16 & dots) | (b >> 8 & dots << 8) |
						      (c & dots << 16) | (d & dots << 16) << 8);
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

	/* Down the rows first: the lines that are written stay in the cache until they are full. */
	for (unsigned col = 0; col < w; col += DYE_TILE_COLS) {
		unsigned cols = w - col < DYE_TILE_COLS ? w - col : DYE_TILE_COLS;
		for (unsigned row = 0; row < h; row += DYE_TILE_ROWS) {
			unsigned rows = h - row < DYE_TILE_ROWS ? h - row : DYE_TILE_ROWS;
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
