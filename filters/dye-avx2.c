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

/* One corner of four tetrahedra, weighted, added to the sums of the lower and upper words. */
WITH_AVX2 static inline void
corner_add(const struct dye_table *t, __m128i at, __m128i weight, __m256i *low, __m256i *high)
{
	__m256i node = _mm256_i32gather_epi64((const long long *)(const void *)t->node, at, 8);
	__m256i w = _mm256_cvtepu32_epi64(weight);

	*low = _mm256_add_epi64(*low, _mm256_mul_epu32(node, w));
	*high = _mm256_add_epi64(*high, _mm256_mul_epu32(_mm256_srli_epi64(node, 32), w));
}

/* Four sums to four words 0x00CCMMYY, each in a lane of 64 bits. */
WITH_AVX2 static inline __m256i
four_look_up(const struct dye_table *t, const __m128i at[4], const __m128i weight[4])
{
	__m256i low = _mm256_set1_epi64x((long long)DYE_HALF), high = _mm256_setzero_si256();

	for (int i = 0; i < 4; i++)
		corner_add(t, at[i], weight[i], &low, &high);
	__m256i sum = _mm256_add_epi64(low, _mm256_slli_epi64(high, 32));
	return _mm256_or_si256(
		_mm256_and_si256(_mm256_srli_epi64(sum, 13), _mm256_set1_epi64x(0xff)),
		_mm256_or_si256(
			_mm256_and_si256(_mm256_srli_epi64(sum, 26), _mm256_set1_epi64x(0xff00)),
			_mm256_and_si256(
				_mm256_srli_epi64(sum, 39), _mm256_set1_epi64x(0xff0000))));
}

WITH_AVX2 static inline __m256i
eight_look_up(const struct dye_table *t, __m256i rgb)
{
	const __m256i byte = _mm256_set1_epi32(255), steps = _mm256_set1_epi32(2047);
	__m256i base = _mm256_setzero_si256();
	__m256i r =
		axis_keys(_mm256_and_si256(_mm256_srli_epi32(rgb, 16), byte), DYE_STEP_R, &base);
	__m256i g = axis_keys(_mm256_and_si256(_mm256_srli_epi32(rgb, 8), byte), DYE_STEP_G, &base);
	__m256i b = axis_keys(_mm256_and_si256(rgb, byte), DYE_STEP_B, &base);
	__m256i high = _mm256_max_epi32(_mm256_max_epi32(r, g), b);
	__m256i low = _mm256_min_epi32(_mm256_min_epi32(r, g), b);
	__m256i mid = _mm256_sub_epi32(
		_mm256_add_epi32(_mm256_add_epi32(r, g), b), _mm256_add_epi32(high, low));
	__m256i first = _mm256_add_epi32(base, _mm256_and_si256(high, steps));
	__m256i at[4] = {base, first, _mm256_add_epi32(first, _mm256_and_si256(mid, steps)),
		_mm256_add_epi32(base, _mm256_set1_epi32(DYE_STEP_R + DYE_STEP_G + DYE_STEP_B))};
	high = _mm256_srli_epi32(high, 11);
	mid = _mm256_srli_epi32(mid, 11);
	low = _mm256_srli_epi32(low, 11);
	__m256i weight[4] = {_mm256_sub_epi32(_mm256_set1_epi32(256), high),
		_mm256_sub_epi32(high, mid), _mm256_sub_epi32(mid, low), low};
	__m256i half[2];

	for (int part = 0; part < 2; part++) {
		__m128i at4[4], weight4[4];
		for (int i = 0; i < 4; i++) {
			at4[i] = part ? _mm256_extracti128_si256(at[i], 1)
				      : _mm256_castsi256_si128(at[i]);
			weight4[i] = part ? _mm256_extracti128_si256(weight[i], 1)
					  : _mm256_castsi256_si128(weight[i]);
		}
		half[part] = four_look_up(t, at4, weight4);
	}
	/* The even words of both halves, in order. */
	const __m256i even = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
	return _mm256_blend_epi32(_mm256_permutevar8x32_epi32(half[0], even),
		_mm256_permutevar8x32_epi32(half[1], even), 0xf0);
}

WITH_AVX2 void
dye_avx2_table(const struct dye_table *t, uint32_t *words, size_t n)
{
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		__m256i *p = (__m256i *)(void *)(words + i);
		_mm256_storeu_si256(p, eight_look_up(t, _mm256_loadu_si256(p)));
	}
	dye_words_table(t, words + i, n - i);
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

	for (size_t i = 0; i < 8; i++)
		row[i] = _mm256_loadu_si256((const __m256i *)(const void *)(words + i * pitch));
	/* Bytes of two rows, then of four, then of eight side by side. The halves of a register
	 * stay apart: the lower one holds columns 0 to 3, the upper one 4 to 7. */
	for (int i = 0; i < 4; i++) {
		pair[2 * i] = _mm256_unpacklo_epi8(row[2 * i], row[2 * i + 1]);
		pair[2 * i + 1] = _mm256_unpackhi_epi8(row[2 * i], row[2 * i + 1]);
	}
	for (int half = 0; half < 2; half++)
		for (int i = 0; i < 2; i++) {
			four[4 * half + 2 * i] =
				_mm256_unpacklo_epi16(pair[4 * half + i], pair[4 * half + 2 + i]);
			four[4 * half + 2 * i + 1] =
				_mm256_unpackhi_epi16(pair[4 * half + i], pair[4 * half + 2 + i]);
		}
	for (size_t col = 0; col < 4; col++)
		for (int kind = 0; kind < 2; kind++) {
			__m256i dots = kind ? _mm256_unpackhi_epi32(four[col], four[4 + col])
					    : _mm256_unpacklo_epi32(four[col], four[4 + col]);
			line_store(_mm256_castsi256_si128(dots), kind, ymc, col * line);
			line_store(_mm256_extracti128_si256(dots, 1), kind, ymc, (col + 4) * line);
		}
}
#endif
