/*
 * test-planes.c - planes, faces, dye and ribbons.
 *
 * The hash vector was worked out with Python's hashlib over the bytes drawn in planes.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/dye.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A card of 3 x 2 artwork pixels: 3 lines of 2 dots. */
enum { W = 3, H = 2 };

static void
test_orientation(void **state)
{
	struct face f = {0};
	uint8_t *pixels;
	unsigned w, h;
	(void)state;

	for (int i = PANEL_Y; i <= PANEL_C; i++)
		assert_int_equal(plane_create(&f.plane[i], 8, H, W, NULL), 0);
	assert_int_equal(plane_create(&f.plane[PANEL_K], 1, H, W, NULL), 0);
	/* Artwork (0, 0), top left, is line 0, dot H - 1; (2, 1), bottom right, is line 2, dot 0.
	 */
	f.plane[PANEL_Y].data[0 * H + 1] = 255;
	f.plane[PANEL_C].data[2 * H + 0] = 100;
	/* (1, 0) is black resin. */
	f.plane[PANEL_K].data[1] = 0x80 >> 1;
	assert_int_equal(face_to_rgb(&f, &pixels, &w, &h, NULL), 0);
	assert_int_equal(w, W);
	assert_int_equal(h, H);
	const uint32_t want[W * H] = {
		0xffffff00, 0xff000000, 0xffffffff, 0xffffffff, 0xffffffff, 0xff9bffff};
	assert_memory_equal(pixels, want, sizeof want);
	free(pixels);
	face_done(&f);
}

static void
test_dye_turns_and_spares_resin(void **state)
{
	const uint32_t rgb[4] = {0xff112233, 0xff445566, 0xff778899, 0xffffffff};
	uint8_t plane[3][W * H];
	uint8_t *ymc[3] = {plane[0], plane[1], plane[2]};
	const uint8_t k[W] = {0, 0x40, 0x80};
	(void)state;

	memset(plane, 7, sizeof plane);
	/* 2 x 2 pixels at x = 1: lines 1 and 2, the first dot of a line being the lower row. */
	dye_convert(ymc, H, rgb, 2, 1, 0, 2, 2);
	const uint8_t yellow[W * H] = {7, 7, 255 - 0x99, 255 - 0x33, 0, 255 - 0x66};
	const uint8_t cyan[W * H] = {7, 7, 255 - 0x77, 255 - 0x11, 0, 255 - 0x44};
	assert_memory_equal(plane[0], yellow, sizeof yellow);
	assert_memory_equal(plane[2], cyan, sizeof cyan);
	dye_knock_out(ymc, H, k, 0, 0, W, H);
	const uint8_t spared[W * H] = {7, 7, 255 - 0x99, 0, 0, 255 - 0x66};
	assert_memory_equal(plane[0], spared, sizeof spared);
	/* Only the rows asked for: the upper row is dot 1. */
	memset(plane, 9, sizeof plane);
	const uint8_t all[W] = {0xc0, 0xc0, 0xc0};
	dye_knock_out(ymc, H, all, 1, 0, 1, 1);
	const uint8_t upper[W * H] = {9, 9, 9, 0, 9, 9};
	assert_memory_equal(plane[1], upper, sizeof upper);
}

static void
test_grays_stay_neutral(void **state)
{
	(void)state;
	for (uint32_t v = 0; v < 256; v++) {
		uint32_t gray = 0xff000000U | v << 16 | v << 8 | v;
		uint8_t dot[3];
		uint8_t *ymc[3] = {&dot[0], &dot[1], &dot[2]};
		dye_convert(ymc, 1, &gray, 1, 0, 0, 1, 1);
		assert_int_equal(dot[0], 255 - v);
		assert_true(dot[0] == dot[1] && dot[1] == dot[2]);
	}
}

/* Every way and the table of a printer without profile: the plain complement, dot for dot. */
static void
test_dye_ways_agree(void **state)
{
	enum { WAY_W = DYE_TILE_COLS + 19, WAY_H = 3 * DYE_TILE_ROWS + 5 };
	static uint32_t rgb[WAY_W * WAY_H];
	static uint8_t want[3][WAY_W * WAY_H], got[3][WAY_W * WAY_H];
	uint8_t *ymc[3] = {want[0], want[1], want[2]}, *other[3] = {got[0], got[1], got[2]};
	const struct dye_tone plain = {0}, dark = {-4, 3, DYE_PERCEPTUAL};
	struct dye_table *table[2];
	uint32_t x = 1;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rgb); i++)
		rgb[i] = x = x * 1664525U + 1013904223U;
	assert_int_equal(dye_table_build(&table[0], &plain, NULL, 0, "", NULL), 0);
	assert_int_equal(dye_table_build(&table[1], &dark, NULL, 0, "", NULL), 0);
	dye_convert(ymc, WAY_H, rgb, WAY_W, 0, 0, WAY_W, WAY_H);
	for (unsigned i = 0; i < WAY_W; i++)
		for (unsigned dot = 0; dot < WAY_H; dot++)
			for (int k = 0; k < 3; k++)
				assert_int_equal(want[k][i * WAY_H + dot],
					255 - (rgb[(WAY_H - 1 - dot) * WAY_W + i] >> (8 * k) &
						      255));
	for (int t = -1; t < 2; t++) {
		const struct dye_way *portable = dye_ways;
		while (portable[1].name)
			portable++;
		if (t == 1)
			dye_convert_by(
				portable, table[1], ymc, WAY_H, rgb, WAY_W, 0, 0, WAY_W, WAY_H);
		for (const struct dye_way *way = dye_ways; way->name; way++) {
			if (!way->runs())
				continue;
			memset(got, 0x5a, sizeof got);
			dye_convert_by(way, t < 0 ? NULL : table[t], other, WAY_H, rgb, WAY_W, 0, 0,
				WAY_W, WAY_H);
			assert_memory_equal(got, want, sizeof want);
		}
	}
	free(table[0]);
	free(table[1]);
}

/* A dye of a light by the book: from the cell's first node along the channels, the largest share of
 * the way first, each corner weighted with what is left between its share and the one before. */
static unsigned
dye_by_the_book(const struct dye_table *t, uint32_t rgb, int dye)
{
	static const size_t steps[3] = {DYE_STEP_B, DYE_STEP_G, DYE_STEP_R};
	uint32_t share[3], left = 256;
	size_t node = 0;
	uint64_t sum = 0;

	for (int i = 0; i < 3; i++) {
		uint32_t at = dye_axis(rgb >> (8 * i) & 255), first = at >> 8;
		first = first < DYE_NODES - 1 ? first : DYE_NODES - 2;
		share[i] = at - 256 * first;
		node += first * steps[i];
	}
	for (int corner = 0; corner < 4; corner++) {
		int most = 0;
		for (int i = 1; i < 3; i++)
			most = share[i] + 1 > share[most] + 1 ? i : most; /* done: 0 */
		uint32_t next = corner < 3 ? share[most] : 0;
		sum += (t->word[node] >> (16 * dye) & 0xffff) * (left - next);
		node += corner < 3 ? steps[most] : 0;
		left = next;
		share[most] = UINT32_MAX;
	}
	return (unsigned)(sum >> 13);
}

/* Every way, for pictures that leave some over of all pieces, with plain areas and equal shares. */
static void
test_dye_by_the_book(void **state)
{
	static const char curves[] =
		"Y 0=0 64=90 128=60 255=240\nM 0=255 255=0\nC 0=9 40=255 41=0\n";
	static const unsigned sizes[][2] = {{1, 1}, {1, 2}, {3, 2}, {7, 9}, {8, 8}, {15, 1},
		{16, 7}, {17, DYE_TILE_ROWS}, {31, DYE_TILE_ROWS + 1}, {40, 2 * DYE_TILE_ROWS - 1},
		{DYE_TILE_COLS + 5, 3}, {DYE_TILE_COLS + 23, DYE_TILE_ROWS + 9}};
	enum { DOTS_MOST = 1 << 13 };
	static uint32_t rgb[DOTS_MOST];
	static uint8_t got[3][DOTS_MOST];
	uint8_t *ymc[3] = {got[0], got[1], got[2]};
	const struct dye_tone tone = {3, -2, DYE_PERCEPTUAL};
	struct dye_table *t;
	uint32_t x = 9;
	(void)state;

	assert_int_equal(
		dye_table_build(&t, &tone, (const uint8_t *)curves, strlen(curves), "t", NULL), 0);
	for (size_t i = 0; i < DOTS_MOST; i++) {
		x = x * 1664525U + 1013904223U;
		/* plain, as before, two channels alike, gray with white, any */
		rgb[i] = x >> 30 == 0   ? 0xff9fe31cU
			 : x >> 29 == 2 ? rgb[i - !!i]
			 : x >> 29 == 3 ? (x >> 8 & 255) * 0x10100 + (x & 255)
			 : x >> 29 == 4 ? (x >> 8 & 1 ? 255 : x & 255) * 0x10101
					: x;
	}
	/* One above its complement, the fourth byte too: nothing was seen before the first dot. */
	rgb[0] = ~rgb[1];
	for (size_t s = 0; s < ARRAY_LEN(sizes); s++)
		for (const struct dye_way *way = dye_ways; way->name; way++) {
			unsigned w = sizes[s][0], h = sizes[s][1];
			assert_true(w * h <= DOTS_MOST);
			if (!way->runs())
				continue;
			memset(got, 0x5a, sizeof got);
			dye_convert_by(way, t, ymc, h, rgb, w, 0, 0, w, h);
			for (unsigned i = 0; i < 3 * w * h; i++) {
				unsigned dot = i / 3 % h, line = i / 3 / h;
				assert_int_equal(got[i % 3][line * h + dot],
					dye_by_the_book(
						t, rgb[(h - 1 - dot) * w + line], (int)(i % 3)));
			}
			assert_true(w * h == DOTS_MOST || got[2][w * h] == 0x5a);
		}
	free(t);
}

static void
test_tone_curves(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} rows[] = {
		{"Y 0=0 255=200\nM 0=0 128=100 255=255\n", 0},
		{"Y 0=0\n", ERR_INPUT},
		{"K 0=0 255=255\n", ERR_INPUT},
		{"Y 10=0 10=5\n", ERR_INPUT},
		{"Y 0=0 255=256\n", ERR_INPUT},
		{"Y 0=0 255=255\nY 0=0 255=255\n", ERR_INPUT},
	};
	const struct dye_tone plain = {0}, wild = {.brightness = 11};
	struct dye_table *t;
	struct err e;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const uint8_t *text = (const uint8_t *)rows[i].text;
		int rc = dye_table_build(&t, &plain, text, strlen(rows[i].text), "t.tones", &e);
		assert_int_equal(rc, rows[i].rc);
		if (!rc) {
			uint32_t black = 0;
			dye_words_table(t, &black, 1);
			assert_int_equal(black, 0xffffc8);
		}
		free(t);
	}
	assert_int_equal(dye_table_build(&t, &wild, NULL, 0, "", &e), ERR_INPUT);
}

static void
test_hash(void **state)
{
	struct face f = {0};
	uint8_t hash[HASH_LEN], other[HASH_LEN];
	char hex[2 * HASH_LEN + 1];
	(void)state;

	assert_int_equal(plane_create(&f.plane[PANEL_K], 1, 2, 3, NULL), 0);
	f.plane[PANEL_K].data[0] = 0x80;
	f.plane[PANEL_K].data[2] = 0x40;
	f.plane[PANEL_O] = (struct plane){PLANE_FULL, 1, 2, 3, 1, NULL};
	face_hash(hash, &f);
	hex_build(hex, hash, HASH_LEN);
	assert_string_equal(
		hex, "a85813e38765a3fb5e142b010d69796ecc9cfab9761edd363a9504c2b895478e");
	f.plane[PANEL_O].fill = PLANE_BLANK;
	face_hash(other, &f);
	assert_memory_not_equal(hash, other, HASH_LEN);
	f.plane[PANEL_O].fill = PLANE_FULL;
	f.plane[PANEL_K].data[2] ^= 0x80;
	face_hash(other, &f);
	assert_memory_not_equal(hash, other, HASH_LEN);
	face_done(&f);
}

static void
test_impossible_shapes(void **state)
{
	static const unsigned shapes[][3] = {
		{2, 10, 10}, {8, 0, 10}, {8, 10, 0}, {1, 4097, 10}, {1, 10, 8193}};
	struct plane p;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		struct err e = {0};
		assert_int_equal(plane_create(&p, shapes[i][0], shapes[i][1], shapes[i][2], &e),
			ERR_INTERNAL);
		assert_int_equal(p.fill, PLANE_ABSENT);
		assert_true(e.text[0]);
	}
	assert_int_equal(plane_stride(1, 648), 81);
	assert_int_equal(plane_stride(1, 649), 82);
	assert_int_equal(plane_stride(8, 648), 648);
}

static void
test_nothing_to_show(void **state)
{
	struct face f = {0};
	uint8_t *pixels;
	unsigned w, h;
	(void)state;

	assert_int_equal(face_to_rgb(&f, &pixels, &w, &h, NULL), ERR_MISSING);
	assert_null(pixels);
	f.plane[PANEL_Y] = (struct plane){PLANE_BLANK, 8, 2, 3, 2, NULL};
	f.plane[PANEL_K] = (struct plane){PLANE_BLANK, 1, 3, 2, 1, NULL};
	assert_int_equal(face_to_rgb(&f, &pixels, &w, &h, NULL), ERR_INTERNAL);
}

static void
test_ribbons(void **state)
{
	(void)state;
	assert_null(ribbon_find("YMCKO"));
	assert_null(ribbon_find(NULL));
	assert_string_equal(ribbon_find("ymckok")->back, "K");
	assert_string_equal(ribbon_find("ymcko")->back, "");
	assert_string_equal(ribbon_find("ko")->front, "KO");
	assert_int_equal(ribbon_find("ymckos")->dye_lines, 400);
	for (const struct ribbon *r = ribbons; r->name; r++)
		for (const char *p = r->front; *p; p++)
			assert_non_null(strchr(panel_letters, *p));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orientation),
		cmocka_unit_test(test_dye_turns_and_spares_resin),
		cmocka_unit_test(test_grays_stay_neutral),
		cmocka_unit_test(test_dye_ways_agree),
		cmocka_unit_test(test_dye_by_the_book),
		cmocka_unit_test(test_tone_curves),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_impossible_shapes),
		cmocka_unit_test(test_nothing_to_show),
		cmocka_unit_test(test_ribbons),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
