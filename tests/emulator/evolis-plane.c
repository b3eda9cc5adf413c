/*
 * evolis-plane.c - from the bytes of a plane back to dots, and from dots to the picture on the
 * card.
 *
 * Pure. Every decoder checks that exactly the dots of the plane and exactly the bytes of the
 * command are used up, and says what was wrong otherwise.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <string.h>

static const struct level {
	unsigned levels, bits;
} level_table[] = {{2, 1}, {32, 5}, {64, 6}, {128, 7}, {256, 8}};

static unsigned
level_bits(unsigned levels)
{
	for (size_t i = 0; i < EMU_LEN(level_table); i++)
		if (level_table[i].levels == levels)
			return level_table[i].bits;
	return 0;
}

size_t
plane_size(unsigned levels, unsigned lines)
{
	return (size_t)level_bits(levels) * LINE_BYTES * lines;
}

static uint8_t
dye_scale(unsigned value, unsigned levels)
{
	return (uint8_t)((value * 255 + (levels - 1) / 2) / (levels - 1));
}

/* Most significant bit first, running on over the whole plane. */
int
plane_unpack(uint8_t *out, unsigned levels, unsigned lines, const uint8_t *in, size_t len,
	const char **why)
{
	unsigned bits = level_bits(levels);
	if (!bits || len != plane_size(levels, lines)) {
		*why = "wrong length for its number of levels";
		return -1;
	}
	unsigned have = 0, word = 0;
	for (size_t dot = 0; dot < (size_t)DOTS * lines; dot++) {
		if (have < bits) {
			word = word << 8 | *in++;
			have += 8;
		}
		have -= bits;
		out[dot] = dye_scale(word >> have & ((1u << bits) - 1), levels);
	}
	return 0;
}

/*
 * K and O, one line after the other:
 *   00            white line
 *   FF            black line
 *   N b1 .. bN    N = 1..81 bytes, the rest of the line white
 */
static int
mono_expand(uint8_t *out, unsigned lines, const uint8_t *in, size_t len, const char **why)
{
	const uint8_t *end = in + len;
	for (unsigned line = 0; line < lines; line++) {
		uint8_t packed[LINE_BYTES] = {0};
		if (in == end) {
			*why = "fewer lines than the plane has";
			return -1;
		}
		uint8_t n = *in++;
		if (n == 0xff) {
			memset(packed, 0xff, sizeof packed);
		} else if (n > LINE_BYTES || n > end - in) {
			*why = "a line longer than the plane is wide, or cut off";
			return -1;
		} else {
			memcpy(packed, in, n);
			in += n;
		}
		for (unsigned dot = 0; dot < DOTS; dot++)
			out[(size_t)line * DOTS + dot] =
				packed[dot / 8] & 0x80 >> dot % 8 ? 255 : 0;
	}
	if (in != end) {
		*why = "bytes left over after the last line";
		return -1;
	}
	return 0;
}

/*
 * Y, M and C: a byte without its top bit is one dot; with it, a run, whose count is in the next
 * byte. The bits between top bit and value add 256 dots each. Count byte 0 = a blank line. 128
 * levels  1vvvvvvv cccccccc 64 levels  1evvvvvv cccccccc     e: + 256 32 levels  1eevvvvv cccccccc
 */
static int
colour_expand(uint8_t *out, unsigned levels, unsigned lines, const uint8_t *in, size_t len,
	const char **why)
{
	const uint8_t *end = in + len;
	unsigned dot = 0, line = 0;
	while (line < lines) {
		if (in == end) {
			*why = "fewer lines than the plane has";
			return -1;
		}
		uint8_t code = *in++;
		unsigned value = code & (levels - 1), run = 1;
		if (!(code & 0x80)) {
			if (code >= levels) {
				*why = "a value above the highest level";
				return -1;
			}
		} else if (in == end) {
			*why = "a run without its count";
			return -1;
		} else {
			unsigned count = *in++;
			run = count;
			for (unsigned bit = levels; bit < 0x80; bit <<= 1)
				run += code & bit ? 256 : 0;
			if (count == 0) {
				if (dot != 0 || run != 0) {
					*why = "a run of count 0 inside a line";
					return -1;
				}
				run = DOTS;
				value = 0;
			}
		}
		if (run > DOTS - dot) {
			*why = "a run past the end of its line";
			return -1;
		}
		memset(out + (size_t)line * DOTS + dot, dye_scale(value, levels), run);
		dot += run;
		if (dot == DOTS) {
			dot = 0;
			line++;
		}
	}
	if (in != end) {
		*why = "bytes left over after the last line";
		return -1;
	}
	return 0;
}

unsigned
plane_lines(unsigned levels, const uint8_t *in, size_t len)
{
	unsigned lines = 0, dot = 0;
	if (levels != 32 && levels != 64 && levels != 128)
		return 0;
	for (size_t at = 0; at < len;) {
		unsigned code = in[at++], run = 1;
		if (code & 0x80) {
			if (at == len)
				return 0;
			run = in[at++];
			for (unsigned bit = levels; run && bit < 0x80; bit <<= 1)
				run += code & bit ? 256 : 0;
			run = run ? run : DOTS - dot;
		}
		dot += run;
		if (dot > DOTS)
			return 0;
		lines += dot == DOTS;
		dot = dot == DOTS ? 0 : dot;
	}
	return dot ? 0 : lines;
}

int
plane_expand(uint8_t *out, unsigned levels, unsigned lines, const uint8_t *in, size_t len,
	const char **why)
{
	if (levels == 2)
		return mono_expand(out, lines, in, len, why);
	if (levels == 32 || levels == 64 || levels == 128)
		return colour_expand(out, levels, lines, in, len, why);
	*why = "no compressed form for this number of levels";
	return -1;
}

/* Stream line x, dot d is artwork pixel (x, DOTS - 1 - d): the artwork went in turned 90 degrees
 * clockwise. */
void
plane_unprint_fine(uint8_t *rgb, unsigned width, const uint8_t *const dye[P_COUNT],
	const unsigned lines[P_COUNT], const uint8_t resin[3])
{
	static const int subtracts[3] = {P_C, P_M, P_Y};
	unsigned every[P_COUNT];
	for (int i = 0; i < P_COUNT; i++)
		every[i] = dye[i] ? width / lines[i] : 1;
	for (size_t y = 0; y < DOTS; y++) {
		for (size_t x = 0; x < width; x++) {
			const size_t dot = DOTS - 1 - y;
			uint8_t *px = rgb + (y * width + x) * 3;
			bool black = dye[P_K] && dye[P_K][x / every[P_K] * DOTS + dot];
			for (int i = 0; i < 3; i++) {
				const uint8_t *d = dye[subtracts[i]];
				size_t at = x / every[subtracts[i]] * DOTS + dot;
				px[i] = black ? resin[i]
					: d   ? (uint8_t)(px[i] * (255 - d[at]) / 255)
					      : px[i];
			}
		}
	}
}

void
plane_unprint(uint8_t *rgb, const uint8_t *const dye[P_COUNT], const uint8_t resin[3])
{
	static const unsigned lines[P_COUNT] = {LINES, LINES, LINES, LINES, LINES};
	plane_unprint_fine(rgb, LINES, dye, lines, resin);
}
