/*
 * test-dye.c - the table from light to dye: tones, tone curves, ICC profiles, hostile ones.
 *
 * The expected levels were worked out by hand from the sRGB curve of IEC 61966-2-1 and the powers
 * that dye-table.c names; the profiles are made by lcms2, not by us.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/look.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#ifdef HAVE_LCMS2
#include <lcms2.h>
#endif

static uint32_t
dye_of(const struct dye_table *t, uint32_t rgb)
{
	dye_words_table(t, &rgb, 1);
	return rgb;
}

/* Words are 0x00CCMMYY. */
static int
cyan_of(const struct dye_table *t, uint32_t rgb)
{
	return (int)(dye_of(t, rgb) >> 16);
}

static void
test_tone_keeps_white_and_black(void **state)
{
	struct dye_table *t;
	(void)state;

	for (int b = -10; b <= 10; b += 5)
		for (int c = -10; c <= 10; c += 5) {
			const struct dye_tone tone = {b, c, DYE_PERCEPTUAL};
			assert_int_equal(dye_table_build(&t, &tone, NULL, 0, "", NULL), 0);
			assert_int_equal(dye_of(t, 0xffffff), 0);
			assert_int_equal(dye_of(t, 0), 0xffffff);
			for (uint32_t v = 0, last = 0xff; v < 256; v++) {
				uint32_t dye = dye_of(t, v << 16 | v << 8 | v);
				assert_int_equal(dye & 255, dye >> 16);
				assert_true((dye & 255) <= last);
				last = dye & 255;
			}
			free(t);
		}
}

static void
test_tone_by_hand(void **state)
{
	static const struct {
		struct dye_tone tone;
		uint32_t light;
		int cyan;
	} rows[] = {
		/* sqrt(64 / 255) is 127.7 / 255 */
		{{10, 0, DYE_PERCEPTUAL}, 64, 127},
		/* (128 / 255) squared is 64.3 / 255 */
		{{-10, 0, DYE_PERCEPTUAL}, 128, 191},
		/* (2 x 64 / 255) squared, halved, is 32.1 / 255 */
		{{0, 10, DYE_PERCEPTUAL}, 64, 223},
		/* sqrt(2 x 64 / 255) / 2 is 90.3 / 255 */
		{{0, -10, DYE_PERCEPTUAL}, 64, 165},
	};
	struct dye_table *t;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t v = rows[i].light;
		assert_int_equal(dye_table_build(&t, &rows[i].tone, NULL, 0, "", NULL), 0);
		assert_in_range(
			cyan_of(t, v << 16 | v << 8 | v), rows[i].cyan - 1, rows[i].cyan + 1);
		free(t);
	}
}

static void
test_tone_file_noise(void **state)
{
	static const char start[] = "Y 0=0 64=58 128=120 255=240\nM 0=0 255=255\n# C\nC 0=5 9=9\n";
	static const char alphabet[] = "YMC 0123456789=#\n\t-\xff";
	const struct dye_tone tone = {0};
	uint32_t x = 5;
	unsigned good = 0, bad = 0;
	(void)state;

	for (int round = 0; round < 400; round++) {
		char text[sizeof start];
		struct dye_table *t;
		struct err e = {0};
		memcpy(text, start, sizeof start);
		for (int i = 0; i < 1 + round % 4; i++) {
			x = x * 1664525U + 1013904223U;
			text[(x >> 8) % (sizeof start - 1)] =
				alphabet[(x >> 20) % (sizeof alphabet - 1)];
		}
		int rc = dye_table_build(
			&t, &tone, (uint8_t *)text, sizeof start - 1, "noise.tone", &e);
		assert_int_equal(rc != 0, t == NULL);
		assert_true(!rc || (rc == ERR_INPUT && strstr(e.text, "noise.tone")));
		assert_null(strchr(e.text, '\n'));
		good += !rc;
		bad += rc != 0;
		assert_true(rc || dye_of(t, 0xffffff) == 0);
		free(t);
	}
	assert_true(good > 20 && bad > 20);
}

#ifdef HAVE_LCMS2
/* An RGB device with primaries that reach share of sRGB's way out from white, and a gamma. */
static uint8_t *
icc_make(double gamma, double share, cmsUInt32Number *len)
{
	const double x = 0.3127, y = 0.3290;
	const cmsCIExyY white = {x, y, 1};
	const cmsCIExyYTRIPLE primaries = {{x + share * (0.64 - x), y + share * (0.33 - y), 1},
		{x + share * (0.30 - x), y + share * (0.60 - y), 1},
		{x + share * (0.15 - x), y + share * (0.06 - y), 1}};
	cmsToneCurve *curve = cmsBuildGamma(NULL, gamma);
	cmsToneCurve *curves[3] = {curve, curve, curve};
	cmsHPROFILE p = cmsCreateRGBProfile(&white, &primaries, curves);

	assert_true(cmsSaveProfileToMem(p, NULL, len));
	uint8_t *bytes = malloc(*len);
	assert_true(cmsSaveProfileToMem(p, bytes, len));
	cmsCloseProfile(p);
	cmsFreeToneCurve(curve);
	return bytes;
}

static void
test_icc_by_hand(void **state)
{
	const struct dye_tone tone = {0};
	cmsUInt32Number len;
	uint8_t *icc = icc_make(1.0, 1.0, &len);
	struct dye_table *t;
	(void)state;

	assert_int_equal(dye_table_build(&t, &tone, icc, len, "linear.icc", NULL), 0);
	/* sRGB 128 is 0.2158 of light, 188 is 0.5028: a linear device takes 55 and 128. */
	assert_in_range(cyan_of(t, 0x808080), 199, 202);
	assert_in_range(cyan_of(t, 0xbcbcbc), 126, 129);
	assert_int_equal(dye_of(t, 0xffffff), 0);
	assert_in_range(cyan_of(t, 0x00ffff), 253, 255);
	free(t);
	free(icc);
}

/* Colours that the device cannot reach end at the most of a dye, in order, never wrapped. */
static void
test_icc_out_of_gamut(void **state)
{
	cmsUInt32Number len;
	uint8_t *icc = icc_make(2.2, 0.6, &len);
	(void)state;

	for (int intent = 0; intent < DYE_INTENT_COUNT; intent++) {
		const struct dye_tone tone = {0, 0, (enum dye_intent)intent};
		struct dye_table *t;
		int last = 0;
		assert_int_equal(dye_table_build(&t, &tone, icc, len, "narrow.icc", NULL), 0);
		for (uint32_t v = 0; v < 256; v++) {
			int cyan = cyan_of(t, (255 - v) << 16 | 0xff << 8 | (255 - v));
			assert_true(cyan + 1 >= last);
			last = cyan;
		}
		assert_int_equal(last, 255);
		/* Half the way to green is out of reach already. */
		assert_int_equal(cyan_of(t, 0x40ff40), 255);
		assert_int_equal(dye_of(t, 0xffffff), 0);
		free(t);
	}
	const struct dye_tone wild = {0, 0, DYE_INTENT_COUNT};
	struct dye_table *t;
	assert_int_equal(dye_table_build(&t, &wild, icc, len, "narrow.icc", NULL), ERR_INPUT);
	free(icc);
}

static void
test_icc_noise(void **state)
{
	const struct dye_tone tone = {0};
	cmsUInt32Number len;
	uint8_t *icc = icc_make(2.2, 1.0, &len), *copy = malloc(len);
	uint32_t x = 11;
	unsigned bad = 0;
	(void)state;

	for (int round = 0; round < 300; round++) {
		struct dye_table *t;
		struct err e = {0};
		memcpy(copy, icc, len);
		for (int i = 0; i < 1 + round % 8; i++) {
			x = x * 1664525U + 1013904223U;
			size_t at = (x >> 4) % len;
			copy[at] = (uint8_t)(x >> 24);
		}
		size_t cut = round % 5 ? len : (x >> 7) % len;
		int rc = dye_table_build(&t, &tone, copy, cut, "noise.icc", &e);
		assert_int_equal(rc != 0, t == NULL);
		assert_true(!rc || (rc == ERR_INPUT && !strncmp(e.text, "noise.icc: ", 11)));
		assert_null(strchr(e.text, '\n'));
		assert_true(rc || dye_of(t, 0xffffff) == 0);
		bad += rc != 0;
		free(t);
	}
	assert_true(bad > 20);
	free(copy);
	free(icc);
}

/* A profile of another kind of device, whole in itself. */
static void
test_icc_of_another_device(void **state)
{
	const struct dye_tone tone = {0};
	const cmsCIExyY white = {0.3127, 0.3290, 1};
	cmsToneCurve *curve = cmsBuildGamma(NULL, 2.2);
	cmsHPROFILE p = cmsCreateGrayProfile(&white, curve);
	uint8_t bytes[4096];
	cmsUInt32Number len = sizeof bytes;
	struct dye_table *t;
	struct err e = {0};
	(void)state;

	assert_true(cmsSaveProfileToMem(p, bytes, &len));
	assert_int_equal(dye_table_build(&t, &tone, bytes, len, "gray.icc", &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "gray.icc: is damaged, or not an ICC profile of an RGB"));
	cmsCloseProfile(p);
	cmsFreeToneCurve(curve);
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tone_keeps_white_and_black),
		cmocka_unit_test(test_tone_by_hand),
		cmocka_unit_test(test_tone_file_noise),
#ifdef HAVE_LCMS2
		cmocka_unit_test(test_icc_by_hand),
		cmocka_unit_test(test_icc_out_of_gamut),
		cmocka_unit_test(test_icc_noise),
		cmocka_unit_test(test_icc_of_another_device),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
