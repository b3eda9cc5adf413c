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

/*
 * The place of a point. Each channel's axis entry holds, for its light:
 *   bits 0-26   three lanes of 9 bits, in which the sum over the channels compares their shares:
 *               red with green, green with blue, blue with red; the top bit of a lane is set where
 *               the first is as large (blue and red: larger), so no two orders contradict
 *   bits 32-    its part of the number of the cell's first node
 */
enum { AT_NODE = 32, COMPARE_LANE = 9, COMPARE_HALF = 256 };

/* The top bits of the three lanes, and what brings them to bits 29, 30 and 31. */
enum { ORDER_BITS = 1 << 8 | 1 << 17 | 1 << 26, ORDER_GATHER = 1 << 21 | 1 << 13 | 1 << 5 };

static uint64_t
axis_entry(unsigned channel, uint32_t node, uint64_t share)
{
	uint32_t half = channel == 2 ? COMPARE_HALF - 1 : COMPARE_HALF;

	/* A channel is the first in its own lane, the second in the lane before. */
	return ((uint64_t)node << AT_NODE) + ((half + share) << (COMPARE_LANE * channel)) -
	       (share << (COMPARE_LANE * ((channel + 2) % 3)));
}

void
dye_table_finish(struct dye_table *t)
{
	static const uint32_t steps[3] = {DYE_STEP_R, DYE_STEP_G, DYE_STEP_B};
	const uint64_t lane = ((uint64_t)1 << DYE_LANE_M) - 1;
	const size_t nodes = DYE_NODES * DYE_STEP_R;

	memset(t->node + nodes, 0, sizeof t->node - nodes * sizeof *t->node);
	for (size_t i = 0; i < DYE_ROOM; i++)
		t->word[i] = (t->node[i] & lane) | (t->node[i] >> DYE_LANE_M & lane) << 16 |
			     (t->node[i] >> DYE_LANE_C & lane) << 32;
	for (unsigned i = 0; i < 3; i++)
		for (uint32_t light = 0; light < 256; light++) {
			uint32_t at = dye_axis(light);
			t->share[light] = (uint8_t)at;
			t->axis[i][light] = axis_entry(i, (at >> 8) * steps[i], at & 255);
		}
	/* The larger a share, the earlier its step. Bit i of an order: channel i's share is larger
	 * than that of the next channel. */
	for (unsigned order = 0; order < 8; order++)
		for (unsigned i = 0; i < 3; i++) {
			unsigned next = (i + 1) % 3, last = (i + 2) % 3;
			t->before[i][order] = (order >> i & 1 ? 0 : steps[next]) +
					      (order >> last & 1 ? steps[last] : 0);
		}
}

/* Where the bytes of a word lie. */
#if defined __BYTE_ORDER__ && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
enum { AT_RED = 1, AT_GREEN = 2, AT_BLUE = 3, LOW_FIRST = false };
#else
enum { AT_RED = 2, AT_GREEN = 1, AT_BLUE = 0, LOW_FIRST = true };
#endif

static inline uint64_t
place_find(const struct dye_table *t, const uint32_t *rgb)
{
	const uint8_t *light = (const uint8_t *)rgb;

	return t->axis[0][light[AT_RED]] + t->axis[1][light[AT_GREEN]] + t->axis[2][light[AT_BLUE]];
}

/* One point of the table, in the lanes of a node, 256 times as large: from the cell's first node
 * each channel's share of the edge along it. All lanes at once; what a falling edge borrows from
 * the next lane is given back in the sum. */
static inline uint64_t
dye_look_up(const struct dye_table *t, const uint32_t *rgb, uint64_t place)
{
	const uint8_t *light = (const uint8_t *)rgb;
	uint32_t order = ((uint32_t)place & ORDER_BITS) * ORDER_GATHER >> 29;
	const uint64_t *cell = t->node + (place >> AT_NODE);
	const uint64_t *r = cell + t->before[0][order], *g = cell + t->before[1][order],
		       *b = cell + t->before[2][order];

	return (*cell << 8) + t->share[light[AT_RED]] * (r[DYE_STEP_R] - *r) +
	       t->share[light[AT_GREEN]] * (g[DYE_STEP_G] - *g) +
	       t->share[light[AT_BLUE]] * (b[DYE_STEP_B] - *b);
}

/* The bytes of dye in such a sum. */
enum {
	DYE_BYTE = 13,
	BYTE_Y = DYE_LANE_Y + DYE_BYTE,
	BYTE_M = DYE_LANE_M + DYE_BYTE,
	BYTE_C = DYE_LANE_C + DYE_BYTE
};
static const uint64_t dye_bytes =
	(uint64_t)255 << BYTE_Y | (uint64_t)255 << BYTE_M | (uint64_t)255 << BYTE_C;

/* Artwork has plain areas: the last colour again is the common case. */
struct last {
	uint32_t rgb;
	uint64_t dye;
};

static inline uint64_t
dye_next(const struct dye_table *t, struct last *last, const uint32_t *rgb, uint64_t place)
{
	if (*rgb != last->rgb) {
		last->rgb = *rgb;
		last->dye = dye_look_up(t, rgb, place) & dye_bytes;
	}
	return last->dye;
}

void
dye_words_table(const struct dye_table *t, uint32_t *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t dye = dye_look_up(t, words + i, place_find(t, words + i)) & dye_bytes;
		words[i] = (uint32_t)(dye >> BYTE_Y & 255) | (uint32_t)(dye >> BYTE_M & 255) << 8 |
			   (uint32_t)(dye >> BYTE_C) << 16;
	}
}

/* Two dots of a line at once: in each lane the byte of the one that lies first in a number of 16
 * bits comes below that of the other. */
static inline uint64_t
dots_join(uint64_t dot, uint64_t next)
{
	return LOW_FIRST ? dot >> 8 | next : dot | next >> 8;
}

static inline void
dots_put(uint8_t *at, uint64_t two)
{
	uint16_t dots = (uint16_t)two;

	memcpy(at, &dots, sizeof dots);
}

/* The place of each dot is found before the look-up of the dot before it, so that two chains of
 * steps overlap: a processor does not see far enough ahead for several whole ones. */
static inline uint64_t
place_follow(const struct dye_table *t, const uint32_t *rgb, const uint32_t *from, uint64_t place)
{
	return *rgb == *from ? place : place_find(t, rgb);
}

static void
block_look_up(const struct dye_table *t, const struct dye_block *b)
{
	uint8_t *y = b->ymc[0], *m = b->ymc[1], *c = b->ymc[2];
	const size_t pitch = b->pitch, line = b->line;
	const unsigned rows = b->rows, cols = b->cols;
	struct last last = {.rgb = ~b->rgb[(rows - 1) * pitch]};

	for (unsigned col = 0; col < cols; col++, y += line, m += line, c += line) {
		const uint32_t *rgb = b->rgb + (rows - 1) * pitch + col;
		uint64_t place = place_find(t, rgb);
		unsigned row = 0;
		for (; row + 1 < rows; row += 2) {
			const uint32_t *next = rgb - pitch;
			uint64_t next_place = place_follow(t, next, rgb, place);
			uint64_t dot = dye_next(t, &last, rgb, place);
			rgb = row + 2 < rows ? next - pitch : next;
			place = place_follow(t, rgb, next, next_place);
			uint64_t two = dots_join(dot, dye_next(t, &last, next, next_place));
			dots_put(y + row, two >> (BYTE_Y - 8));
			dots_put(m + row, two >> (BYTE_M - 8));
			dots_put(c + row, two >> (BYTE_C - 8));
		}
		if (row < rows) {
			uint64_t dot = dye_next(t, &last, rgb, place);
			y[row] = (uint8_t)(dot >> BYTE_Y);
			m[row] = (uint8_t)(dot >> BYTE_M);
			c[row] = (uint8_t)(dot >> BYTE_C);
		}
	}
}

/* Eight rows of eight words, the lowest row of the artwork first, to eight dots of eight lines. A
 * row and the fourth after it share a register, so that bytes of one dye fall into place by shifts
 * of whole registers. */
static void
turn_portable(const uint32_t *words, size_t pitch, uint8_t *const ymc[3], size_t line)
{
	const uint64_t dots = 0x000000ff000000ff;

	for (size_t col = 0; col < 8; col++) {
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

/* What the eight by eight pieces leave over. */
static void
turn_rest(const uint32_t *words, unsigned rows, unsigned cols, uint8_t *const ymc[3], size_t line)
{
	for (unsigned col = 0; col < cols; col++)
		for (unsigned row = 0; row < rows; row++)
			for (int i = 0; i < 3; i++)
				ymc[i][col * line + row] =
					(uint8_t)(words[row * DYE_TILE_COLS + col] >> (8 * i));
}

void
dye_tile_turn(const uint32_t *tile, const struct dye_block *b,
	void (*turn)(const uint32_t *words, size_t pitch, uint8_t *const ymc[3], size_t line))
{
	for (unsigned row = 0; row < b->rows; row += 8, tile += 8 * DYE_TILE_COLS) {
		uint8_t *to[3] = {b->ymc[0] + row, b->ymc[1] + row, b->ymc[2] + row};
		unsigned done = 0;
		for (; row + 8 <= b->rows && done + 8 <= b->cols; done += 8) {
			turn(tile + done, DYE_TILE_COLS, to, b->line);
			for (int i = 0; i < 3; i++)
				to[i] += 8 * b->line;
		}
		turn_rest(tile + done, b->rows - row < 8 ? b->rows - row : 8, b->cols - done, to,
			b->line);
	}
}

static void
portable_convert(const struct dye_table *table, const struct dye_block *b)
{
	uint32_t tile[DYE_TILE_ROWS * DYE_TILE_COLS];

	if (table) {
		block_look_up(table, b);
		return;
	}
	for (unsigned i = 0; i < b->rows; i++) {
		uint32_t *row = tile + i * DYE_TILE_COLS;
		memcpy(row, b->rgb + (b->rows - 1 - i) * b->pitch, b->cols * sizeof *row);
		dye_words_plain(row, b->cols);
	}
	dye_tile_turn(tile, b, turn_portable);
}

/* ---- the choice ---- */

static bool
portable_runs(void)
{
	return true;
}

const struct dye_way dye_ways[] = {
#ifdef __x86_64__
	{"avx2", dye_avx2_runs, dye_avx2_convert},
#endif
	{"portable", portable_runs, portable_convert},
	{NULL, NULL, NULL},
};

static const struct dye_way *
way_best(void)
{
	const struct dye_way *way = dye_ways;

	while (!way->runs())
		way++;
	return way;
}

void
dye_convert_by(const struct dye_way *way, const struct dye_table *table, uint8_t *const ymc[3],
	unsigned card_h, const uint32_t *rgb, size_t pitch, unsigned x, unsigned y, unsigned w,
	unsigned h)
{
	/* Down the rows first: the lines that are written stay in the cache until they are full. */
	for (unsigned col = 0; col < w; col += DYE_TILE_COLS) {
		unsigned cols = w - col < DYE_TILE_COLS ? w - col : DYE_TILE_COLS;
		for (unsigned row = 0; row < h; row += DYE_TILE_ROWS) {
			unsigned rows = h - row < DYE_TILE_ROWS ? h - row : DYE_TILE_ROWS;
			size_t at = (size_t)(x + col) * card_h + (card_h - y - h) + row;
			const struct dye_block b = {rgb + (size_t)(h - row - rows) * pitch + col,
				pitch, rows, cols, {ymc[0] + at, ymc[1] + at, ymc[2] + at}, card_h};
			way->convert(table, &b);
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
