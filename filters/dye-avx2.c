/*
 * dye-avx2.c - RGB to dye eight dots at a time, where the processor has AVX2.
 *
 * Guarantees: the same bytes as the portable way (dye.c); nothing here runs before dye_avx2_runs
 * said yes. Cannot fail.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/dye.h"

#ifdef __x86_64__
#include <immintrin.h>
#include <string.h>

#define WITH_AVX2 __attribute__((target("avx2")))

bool
dye_avx2_runs(void)
{
	return __builtin_cpu_supports("avx2");
}

WITH_AVX2 static void
row_plain(uint32_t *to, const uint32_t *rgb, size_t n)
{
	const __m256i light = _mm256_set1_epi32(0xffffff);
	size_t i = 0;

	for (; i + 8 <= n; i += 8)
		_mm256_storeu_si256((__m256i *)(void *)(to + i),
			_mm256_andnot_si256(
				_mm256_loadu_si256((const __m256i *)(const void *)(rgb + i)),
				light));
	for (; i < n; i++)
		to[i] = ~rgb[i] & 0xffffff;
}

/*
 * Where sixteen points lie, in numbers of 16 bits: each word of 32 bits has a point of the first
 * eight in its lower half and the same one of the second eight in its upper half.
 *
 * Nodes along blue are neighbours in memory, so the four corners of the tetrahedron are looked for
 * among three such pairs: at the cell's first node, a step of red or green further, whichever has
 * the larger share, and both steps further. Of the six weights two or more are 0.
 */
struct sixteen {
	/* Of a pair, side by side: those of numbers 0-3 and 8-11, then those of the others. */
	__m256i weight[3][2];
	uint16_t first[16]; /* node of the cell */
	uint16_t one[16]; /* the same, a step of red less one of green further where red is first */
};

/* A channel's part of the first node's number, and its share of the way to the next node. */
WITH_AVX2 static inline __m256i
axis_find(__m256i light, int step, __m256i *first)
{
	/* dye_axis: a product's bits from 15 on, rounded, are (light * 257 + 1024) >> 11. */
	__m256i at = _mm256_add_epi16(_mm256_slli_epi16(light, 5),
		_mm256_mulhrs_epi16(light, _mm256_set1_epi16(257 * 16)));

	*first = _mm256_add_epi16(*first,
		_mm256_mullo_epi16(_mm256_srli_epi16(at, 8), _mm256_set1_epi16((short)step)));
	return _mm256_and_si256(at, _mm256_set1_epi16(255));
}

WITH_AVX2 static inline void
pair_weigh(__m256i *weight, __m256i node, __m256i next)
{
	weight[0] = _mm256_unpacklo_epi16(node, next);
	weight[1] = _mm256_unpackhi_epi16(node, next);
}

WITH_AVX2 static inline void
sixteen_find(struct sixteen *s, __m256i a, __m256i b)
{
	const __m256i byte = _mm256_set1_epi16(255);
	__m256i first = _mm256_setzero_si256();
	__m256i a_even = _mm256_and_si256(a, byte), b_even = _mm256_and_si256(b, byte);
	__m256i r = axis_find(_mm256_blend_epi16(_mm256_srli_epi32(a_even, 16), b_even, 0xaa),
		DYE_STEP_R, &first);
	__m256i g = axis_find(_mm256_and_si256(byte, _mm256_blend_epi16(_mm256_srli_epi32(a, 8),
							     _mm256_slli_epi32(b, 8), 0xaa)),
		DYE_STEP_G, &first);
	__m256i blue = axis_find(_mm256_blend_epi16(a_even, _mm256_slli_epi32(b_even, 16), 0xaa),
		DYE_STEP_B, &first);
	__m256i red_first = _mm256_and_si256(
		_mm256_cmpgt_epi16(r, g), _mm256_set1_epi16(DYE_STEP_R - DYE_STEP_G));
	__m256i high = _mm256_max_epi16(r, g), low = _mm256_min_epi16(r, g);
	/* How much of blue's share lies beyond either, between them, and below both. */
	__m256i top = _mm256_max_epi16(blue, high), bottom = _mm256_min_epi16(blue, low);
	__m256i mid = _mm256_max_epi16(low, _mm256_min_epi16(blue, high));

	_mm256_storeu_si256((__m256i *)(void *)s->first, first);
	_mm256_storeu_si256((__m256i *)(void *)s->one, _mm256_add_epi16(first, red_first));
	pair_weigh(s->weight[0], _mm256_sub_epi16(_mm256_set1_epi16(256), top),
		_mm256_sub_epi16(top, high));
	pair_weigh(s->weight[1], _mm256_sub_epi16(high, mid), _mm256_sub_epi16(mid, low));
	pair_weigh(s->weight[2], _mm256_sub_epi16(low, bottom), bottom);
}

/* A pair of nodes for each of two points, which lie in the two halves: Y Y M M C C 0 0, a dye's two
 * values side by side. */
WITH_AVX2 static inline __m256i
pair_load(const uint64_t *one, const uint64_t *other)
{
	const __m256i sorted = _mm256_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14,
		15, 0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15);
	__m256i both = _mm256_inserti128_si256(
		_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)one)),
		_mm_loadu_si128((const __m128i *)(const void *)other), 1);

	return _mm256_shuffle_epi8(both, sorted);
}

/* Numbers i and i + 8, which lie in the two halves of a register as their weights do: Y M C 0 as
 * four words of 32 bits each. */
WITH_AVX2 static inline __m256i
two_look_up(const uint64_t *word, const struct sixteen *s, int i, __m256i near, __m256i middle,
	__m256i far)
{
	const uint64_t *a = word + s->first[i], *b = word + s->first[i + 8];
	__m256i sum = _mm256_madd_epi16(pair_load(a, b), near);

	sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pair_load(word + DYE_STEP_G + s->one[i],
							      word + DYE_STEP_G + s->one[i + 8]),
					    middle));
	sum = _mm256_add_epi32(sum,
		_mm256_madd_epi16(
			pair_load(a + DYE_STEP_R + DYE_STEP_G, b + DYE_STEP_R + DYE_STEP_G), far));
	return _mm256_srli_epi32(sum, 13);
}

/* Bits 2i and 2i + 1 of a selector name the word that comes to place i of each half. */
#define ONE_OF_FOUR(w, i) _mm256_shuffle_epi32((w), (i)*0x55)
#define LOOK_UP(i, h, k)                                                                           \
	two_look_up(word, s, (i), ONE_OF_FOUR(s->weight[0][h], k),                                 \
		ONE_OF_FOUR(s->weight[1][h], k), ONE_OF_FOUR(s->weight[2][h], k))

WITH_AVX2 static inline void
sixteen_look_up(const uint64_t *word, const struct sixteen *s, __m256i *a, __m256i *b)
{
	*a = _mm256_packus_epi16(_mm256_packs_epi32(LOOK_UP(0, 0, 0), LOOK_UP(2, 0, 2)),
		_mm256_packs_epi32(LOOK_UP(4, 1, 0), LOOK_UP(6, 1, 2)));
	*b = _mm256_packus_epi16(_mm256_packs_epi32(LOOK_UP(1, 0, 1), LOOK_UP(3, 0, 3)),
		_mm256_packs_epi32(LOOK_UP(5, 1, 1), LOOK_UP(7, 1, 3)));
}

/*
 * First all places, then all look-ups: each has a long chain of steps, and a processor sees far
 * enough ahead to do several of one kind at a time but not of both after each other. Most of a card
 * is plain: the same eight words again need no look. What sixteen leave over is done with the last
 * of those before it once more.
 */
WITH_AVX2 static void
row_look_up(const struct dye_table *t, uint32_t *to, const uint32_t *rgb, size_t n)
{
	enum { GROUPS = (DYE_TILE_COLS + 15) / 16 };
	__m256i seen = _mm256_setzero_si256(), a, b = seen;
	struct sixteen place[GROUPS];
	bool same[GROUPS];
	size_t groups = (n + 15) / 16;

	for (size_t i = 0; i < groups; i++) {
		const uint32_t *from = rgb + (16 * i + 16 <= n ? 16 * i : n - 16);
		a = _mm256_loadu_si256((const __m256i *)(const void *)from);
		b = _mm256_loadu_si256((const __m256i *)(const void *)(from + 8));
		__m256i as_seen =
			_mm256_and_si256(_mm256_cmpeq_epi32(a, seen), _mm256_cmpeq_epi32(b, seen));
		same[i] = i && _mm256_movemask_epi8(as_seen) == -1;
		if (!same[i])
			sixteen_find(&place[i], a, b);
		seen = b;
	}
	for (size_t i = 0; i < groups; i++) {
		uint32_t *at = to + (16 * i + 16 <= n ? 16 * i : n - 16);
		if (same[i])
			a = b;
		else
			sixteen_look_up(t->word, &place[i], &a, &b);
		_mm256_storeu_si256((__m256i *)(void *)at, a);
		_mm256_storeu_si256((__m256i *)(void *)(at + 8), b);
	}
}

/* Half a register holds one line: Y and M (kind 0) or C (kind 1), eight dots each. */
WITH_AVX2 static inline void
line_store(__m128i dots, int kind, uint8_t *const ymc[3], size_t at)
{
	_mm_storel_epi64((__m128i *)(void *)(ymc[2 * kind] + at), dots);
	if (!kind)
		_mm_storel_epi64((__m128i *)(void *)(ymc[1] + at), _mm_unpackhi_epi64(dots, dots));
}

WITH_AVX2 static void
turn_eight(const uint32_t *words, size_t pitch, uint8_t *const ymc[3], size_t line)
{
	__m256i row[8], pair[8], four[8];

#pragma GCC unroll 8
	for (size_t i = 0; i < 8; i++)
		row[i] = _mm256_loadu_si256((const __m256i *)(const void *)(words + i * pitch));
		/* Bytes of two rows, then of four, then of eight side by side. The halves of a
		 * register stay apart: the lower one holds columns 0 to 3, the upper one 4 to 7. */
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		pair[2 * i] = _mm256_unpacklo_epi8(row[2 * i], row[2 * i + 1]);
		pair[2 * i + 1] = _mm256_unpackhi_epi8(row[2 * i], row[2 * i + 1]);
	}
#pragma GCC unroll 2
	for (int half = 0; half < 2; half++)
#pragma GCC unroll 2
		for (int i = 0; i < 2; i++) {
			four[4 * half + 2 * i] =
				_mm256_unpacklo_epi16(pair[4 * half + i], pair[4 * half + 2 + i]);
			four[4 * half + 2 * i + 1] =
				_mm256_unpackhi_epi16(pair[4 * half + i], pair[4 * half + 2 + i]);
		}
#pragma GCC unroll 4
	for (size_t col = 0; col < 4; col++)
#pragma GCC unroll 2
		for (int kind = 0; kind < 2; kind++) {
			__m256i dots = kind ? _mm256_unpackhi_epi32(four[col], four[4 + col])
					    : _mm256_unpacklo_epi32(four[col], four[4 + col]);
			line_store(_mm256_castsi256_si128(dots), kind, ymc, col * line);
			line_store(_mm256_extracti128_si256(dots, 1), kind, ymc, (col + 4) * line);
		}
}

WITH_AVX2 void
dye_avx2_convert(const struct dye_table *table, const struct dye_block *b)
{
	uint32_t tile[DYE_TILE_ROWS * DYE_TILE_COLS];

	for (unsigned i = 0; i < b->rows; i++) {
		const uint32_t *rgb = b->rgb + (b->rows - 1 - i) * b->pitch;
		uint32_t *row = tile + i * DYE_TILE_COLS;
		if (!table) {
			row_plain(row, rgb, b->cols);
		} else if (b->cols >= 16) {
			row_look_up(table, row, rgb, b->cols);
		} else {
			memcpy(row, rgb, b->cols * sizeof *row);
			dye_words_table(table, row, b->cols);
		}
	}
	dye_tile_turn(tile, b, turn_eight);
}
#endif
