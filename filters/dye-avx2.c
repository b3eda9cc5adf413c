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

#define WITH_AVX2 __attribute__((target("avx2")))

bool
dye_avx2_runs(void)
{
	return __builtin_cpu_supports("avx2");
}

WITH_AVX2 void
dye_avx2_plain(uint32_t *words, size_t n)
{
	const __m256i light = _mm256_set1_epi32(0xffffff);
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		__m256i *p = (__m256i *)(void *)(words + i);
		_mm256_storeu_si256(p, _mm256_andnot_si256(_mm256_loadu_si256(p), light));
	}
	dye_words_plain(words + i, n - i);
}

/* dye_axis of eight channels, as key and share of the node's place; see axis_key in dye.c. */
WITH_AVX2 static inline __m256i
axis_keys(__m256i light, int step, __m256i *base)
{
	__m256i at = _mm256_add_epi32(_mm256_slli_epi32(light, 5),
		_mm256_srli_epi32(
			_mm256_add_epi32(_mm256_mullo_epi16(light, _mm256_set1_epi32(257)),
				_mm256_set1_epi32(1024)),
			11));
	__m256i node = _mm256_min_epi32(_mm256_srli_epi32(at, 8), _mm256_set1_epi32(DYE_NODES - 2));
	__m256i rest = _mm256_sub_epi32(at, _mm256_slli_epi32(node, 8));

	*base = _mm256_add_epi32(*base, _mm256_mullo_epi16(node, _mm256_set1_epi32(step)));
	return _mm256_or_si256(_mm256_slli_epi32(rest, 11), _mm256_set1_epi32(step));
}

/* Where eight points lie: the four corners of each, and the weights of two corners in one word. */
struct eight {
	__m256i weight[2];
	uint32_t at[3][8]; /* the fourth lies across the cube from the first */
};

WITH_AVX2 static inline void
eight_find(struct eight *out, __m256i rgb)
{
	const __m256i byte = _mm256_set1_epi32(255), steps = _mm256_set1_epi32(2047);
	__m256i base = _mm256_setzero_si256();
	__m256i r =
		axis_keys(_mm256_and_si256(_mm256_srli_epi32(rgb, 16), byte), DYE_STEP_R, &base);
	__m256i g = axis_keys(_mm256_and_si256(_mm256_srli_epi32(rgb, 8), byte), DYE_STEP_G, &base);
	__m256i b = axis_keys(_mm256_and_si256(rgb, byte), DYE_STEP_B, &base);
	__m256i most = _mm256_max_epi32(r, g), least = _mm256_min_epi32(r, g);
	__m256i high = _mm256_max_epi32(most, b), low = _mm256_min_epi32(least, b);
	__m256i mid = _mm256_sub_epi32(
		_mm256_add_epi32(_mm256_add_epi32(r, g), b), _mm256_add_epi32(high, low));
	__m256i first = _mm256_add_epi32(base, _mm256_and_si256(high, steps));
	_mm256_store_si256((__m256i *)(void *)out->at[0], base);
	_mm256_store_si256((__m256i *)(void *)out->at[1], first);
	_mm256_store_si256((__m256i *)(void *)out->at[2],
		_mm256_add_epi32(first, _mm256_and_si256(mid, steps)));
	high = _mm256_srli_epi32(high, 11);
	mid = _mm256_srli_epi32(mid, 11);
	low = _mm256_srli_epi32(low, 11);
	out->weight[0] = _mm256_or_si256(_mm256_sub_epi32(_mm256_set1_epi32(256), high),
		_mm256_slli_epi32(_mm256_sub_epi32(high, mid), 16));
	out->weight[1] = _mm256_or_si256(_mm256_sub_epi32(mid, low), _mm256_slli_epi32(low, 16));
}

/* One corner of two points, which lie in the two halves. Reads 8 bytes more than the second has. */
WITH_AVX2 static inline __m256i
two_load(const uint64_t *one, const uint64_t *other)
{
	return _mm256_inserti128_si256(
		_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)one)),
		_mm_loadu_si128((const __m128i *)(const void *)other), 1);
}

/* Points i and i + 4, which lie in the two halves of a register as their weights do: Y M C 0 as
 * four words of 32 bits each. near and far: the weights of point i at each of the four. */
WITH_AVX2 static inline __m256i
two_look_up(const struct dye_table *t, const struct eight *e, int i, __m256i near, __m256i far)
{
	const size_t across = DYE_STEP_R + DYE_STEP_G + DYE_STEP_B;
	const uint64_t *a = t->word + e->at[0][i], *b = t->word + e->at[0][i + 4];
	__m256i low = _mm256_unpacklo_epi16(
		two_load(a, b), two_load(t->word + e->at[1][i], t->word + e->at[1][i + 4]));
	__m256i high =
		_mm256_unpacklo_epi16(two_load(t->word + e->at[2][i], t->word + e->at[2][i + 4]),
			two_load(a + across, b + across));
	__m256i sum = _mm256_add_epi32(_mm256_madd_epi16(low, near), _mm256_madd_epi16(high, far));

	return _mm256_srli_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(1 << 12)), 13);
}

/* Bits 2i and 2i + 1 of a selector name the word that comes to place i of each half. */
#define ONE_OF_FOUR(w, i) _mm256_shuffle_epi32((w), (i)*0x55)

WITH_AVX2 static inline __m256i
eight_look_up(const struct dye_table *t, const struct eight *e)
{
	__m256i near = e->weight[0], far = e->weight[1];
	__m256i a =
		_mm256_packs_epi32(two_look_up(t, e, 0, ONE_OF_FOUR(near, 0), ONE_OF_FOUR(far, 0)),
			two_look_up(t, e, 1, ONE_OF_FOUR(near, 1), ONE_OF_FOUR(far, 1)));
	__m256i b =
		_mm256_packs_epi32(two_look_up(t, e, 2, ONE_OF_FOUR(near, 2), ONE_OF_FOUR(far, 2)),
			two_look_up(t, e, 3, ONE_OF_FOUR(near, 3), ONE_OF_FOUR(far, 3)));

	return _mm256_packus_epi16(a, b);
}

/*
 * First all places, then all look-ups: each has a long chain of steps, and a processor sees far
 * enough ahead to do several of one kind at a time but not of both after each other. Most of a card
 * is plain: the same eight words again need no look.
 */
WITH_AVX2 static void
row_look_up(const struct dye_table *t, __m256i *words, size_t n)
{
	const __m256i light = _mm256_set1_epi32(0xffffff);
	__m256i seen = _mm256_setzero_si256(), dye = seen;
	struct eight place[DYE_TILE_COLS / 8];
	bool same[DYE_TILE_COLS / 8];

	for (size_t i = 0; i < n; i++) {
		__m256i now = _mm256_and_si256(_mm256_loadu_si256(words + i), light);
		same[i] = i && _mm256_movemask_epi8(_mm256_cmpeq_epi32(now, seen)) == -1;
		if (!same[i])
			eight_find(&place[i], now);
		seen = now;
	}
	for (size_t i = 0; i < n; i++) {
		if (!same[i])
			dye = eight_look_up(t, &place[i]);
		_mm256_storeu_si256(words + i, dye);
	}
}

WITH_AVX2 void
dye_avx2_table(const struct dye_table *t, uint32_t *words, size_t n)
{
	while (n >= 8) {
		size_t part = n < DYE_TILE_COLS ? n / 8 : DYE_TILE_COLS / 8;
		row_look_up(t, (__m256i *)(void *)words, part);
		words += 8 * part;
		n -= 8 * part;
	}
	dye_words_table(t, words, n);
}

/* Half a register holds one line: Y and M (kind 0) or C (kind 1), eight dots each. */
WITH_AVX2 static inline void
line_store(__m128i dots, int kind, uint8_t *const ymc[3], size_t at)
{
	_mm_storel_epi64((__m128i *)(void *)(ymc[2 * kind] + at), dots);
	if (!kind)
		_mm_storel_epi64((__m128i *)(void *)(ymc[1] + at), _mm_unpackhi_epi64(dots, dots));
}

WITH_AVX2 void
dye_avx2_turn(const uint32_t *words, size_t pitch, uint8_t *const ymc[3], size_t line)
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
#endif
