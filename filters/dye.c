/*
 * dye.c - from RGB to the dye panels.
 *
 * Owns the conversion: one curve for the three dyes, the same for each, so that grays stay neutral.
 * Cannot fail.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/template.h"

/* How much dye one channel's light needs. The printer's own colour tables work on top of it. */
static inline uint8_t
dye_curve(uint32_t light)
{
	return (uint8_t)(255 - (light & 255));
}

void
dye_convert(uint8_t *const ymc[3], unsigned card_h, const uint32_t *rgb, size_t pitch, unsigned x,
	unsigned y, unsigned w, unsigned h)
{
	for (unsigned col = 0; col < w; col++) {
		size_t at = (size_t)(x + col) * card_h + (card_h - y - h);
		const uint32_t *in = rgb + (size_t)(h - 1) * pitch + col;
		uint8_t *yellow = ymc[0] + at, *magenta = ymc[1] + at, *cyan = ymc[2] + at;
		for (unsigned row = 0; row < h; row++, in -= pitch) {
			yellow[row] = dye_curve(*in);
			magenta[row] = dye_curve(*in >> 8);
			cyan[row] = dye_curve(*in >> 16);
		}
	}
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
