/*
 * evolis-pack.c - dots of 8 bits into fewer, and lines into runs.
 *
 * Owns the inner loops of a plane: they have a portable form and, where the processor has AVX2, a
 * wide one that gives the same bytes. Pure, cannot fail; the caller has checked the lengths.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/evolis.h"

#include <endian.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

/*
 * Eight values in one word, first value in the top byte, become 8 * bits bits at the bottom: pairs
 * are pushed together three times, each time in lanes twice as wide.
 */
static inline uint64_t
word_pack(uint64_t x, unsigned bits)
{
	const uint64_t one = (UINT64_C(1) << bits) - 1, two = (UINT64_C(1) << 2 * bits) - 1,
		       four = (UINT64_C(1) << 4 * bits) - 1;

	x >>= 8 - bits;
	x = ((x >> 8 & one * UINT64_C(0x0001000100010001)) << bits) |
	    (x & one * UINT64_C(0x0001000100010001));
	x = ((x >> 16 & two * UINT64_C(0x0000000100000001)) << 2 * bits) |
	    (x & two * UINT64_C(0x0000000100000001));
	return ((x >> 32 & four) << 4 * bits) | (x & four);
}

/* bits is a constant at every call, so that each depth gets a loop of its own. */
static inline __attribute__((always_inline)) void
depth_pack(uint8_t *out, const uint8_t *in, size_t n, unsigned bits, bool turned)
{
	size_t whole = n / 8, i;
	uint64_t x;

	/* A store of eight bytes reaches 8 - bits bytes into the next groups, so the last ones go
	 * singly. */
	for (i = 0; i + 1 + 8 / bits <= whole; i++) {
		memcpy(&x, turned ? in + n - 8 * (i + 1) : in + 8 * i, sizeof x);
		x = turned ? le64toh(x) : be64toh(x);
		x = htobe64(word_pack(x, bits) << (64 - 8 * bits));
		memcpy(out + i * bits, &x, sizeof x);
	}
	out += i * bits;
	unsigned held = 0, left = 0;
	for (i *= 8; i < n; i++) {
		held = held << bits | in[turned ? n - 1 - i : i] >> (8 - bits);
		for (left += bits; left >= 8; left -= 8)
			*out++ = (uint8_t)(held >> (left - 8));
	}
	if (left > 0)
		*out = (uint8_t)(held << (8 - left));
}

static void
bytes_turn(uint8_t *out, const uint8_t *in, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = in[n - 1 - i];
}

void
wire_pack_portable(uint8_t *out, const uint8_t *in, size_t n, unsigned bits, bool turned)
{
	if (bits == 8 && turned)
		bytes_turn(out, in, n);
	else if (bits == 8)
		memcpy(out, in, n);
	else if (bits == 7)
		depth_pack(out, in, n, 7, turned);
	else if (bits == 6)
		depth_pack(out, in, n, 6, turned);
	else if (bits == 5)
		depth_pack(out, in, n, 5, turned);
}

#ifdef __x86_64__
#define WITH_AVX2 __attribute__((target("avx2")))

/* Thirty-two values, the last one first. */
WITH_AVX2 static inline __m256i
values_turn(__m256i x)
{
	const __m256i back = _mm256_broadcastsi128_si256(
		_mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));

	x = _mm256_shuffle_epi8(x, back);
	return _mm256_permute2x128_si256(x, x, 1);
}

/* Which bytes of two 64-bit sums make 2 * bits bytes of the stream. */
static inline __m128i
stream_order(unsigned bits)
{
	int8_t at[16];

	memset(at, -1, sizeof at);
	for (unsigned i = 0; i < bits; i++) {
		at[i] = (int8_t)(bits - 1 - i);
		at[bits + i] = (int8_t)(8 + bits - 1 - i);
	}
	return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/*
 * Neighbours are pushed together three times, each time in lanes twice as wide: the factors are the
 * shifts. Packs whole groups of 32 values as long as a store of 16 bytes stays inside the output;
 * returns how many values that were.
 */
WITH_AVX2 static size_t
wide_pack(uint8_t *out, const uint8_t *in, size_t n, unsigned bits, bool turned)
{
	const size_t len = (n * bits + 7) / 8;
	const __m256i order = _mm256_broadcastsi128_si256(stream_order(bits));
	const __m256i mask = _mm256_set1_epi8((char)((1 << bits) - 1));
	const __m256i two = _mm256_set1_epi16((short)(1 << bits | 1 << 8));
	const __m256i four = _mm256_set1_epi32(1 << 2 * bits | 1 << 16);
	const __m256i low = _mm256_set1_epi64x(0xffffffff);
	const __m128i down = _mm_cvtsi32_si128((int)(8 - bits));
	const __m128i up = _mm_cvtsi32_si128((int)(4 * bits));
	size_t i = 0;

	for (; i + 32 <= n && (i / 8 + 2) * bits + 16 <= len; i += 32) {
		const uint8_t *at = turned ? in + n - i - 32 : in + i;
		__m256i x = _mm256_loadu_si256((const __m256i *)(const void *)at);
		if (turned)
			x = values_turn(x);
		x = _mm256_and_si256(_mm256_srl_epi16(x, down), mask);
		x = _mm256_maddubs_epi16(two, x);
		x = _mm256_madd_epi16(x, four);
		x = _mm256_or_si256(
			_mm256_sll_epi64(_mm256_and_si256(x, low), up), _mm256_srli_epi64(x, 32));
		x = _mm256_shuffle_epi8(x, order);
		uint8_t *to = out + i / 8 * bits;
		_mm_storeu_si128((__m128i *)(void *)to, _mm256_castsi256_si128(x));
		_mm_storeu_si128(
			(__m128i *)(void *)(to + 2 * bits), _mm256_extracti128_si256(x, 1));
	}
	return i;
}
#endif

void
wire_pack(uint8_t *out, const uint8_t *in, size_t n, unsigned bits, bool turned)
{
	size_t done = 0;

#ifdef __x86_64__
	if (bits >= 5 && bits <= 7 && __builtin_cpu_supports("avx2"))
		done = wide_pack(out, in, n, bits, turned);
#endif
	wire_pack_portable(out + done / 8 * bits, turned ? in : in + done, n - done, bits, turned);
}

size_t
wire_squeeze(uint8_t *out, const uint8_t *in, size_t line_len, unsigned lines, bool short_lines)
{
	size_t len = 0;

	for (unsigned line = 0; line < lines; line++, in += line_len) {
		size_t used = line_len, full = 0;
		while (used > 0 && in[used - 1] == 0)
			used--;
		while (short_lines && full < line_len && in[full] == 0xff)
			full++;
		if (short_lines && (used == 0 || full == line_len)) {
			if (out)
				out[len] = used == 0 ? 0x00 : 0xff;
			len++;
			continue;
		}
		if (used == 0)
			used = 1;
		if (out) {
			out[len] = (uint8_t)used;
			memcpy(out + len + 1, in, used);
		}
		len += 1 + used;
	}
	return len;
}
