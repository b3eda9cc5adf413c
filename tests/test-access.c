/*
 * test-access.c - access conditions of a sector.
 *
 * Vectors: the transport bytes FF 07 80 and the usual 78 77 88, 7F 07 88 are from the MF1S50 data
 * sheet and NXP AN1305; the remaining ones were worked out by hand from the bit table.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const struct {
	uint8_t c[4], bytes[3];
} vectors[] = {
	{{0, 0, 0, 1}, {0xff, 0x07, 0x80}}, /* as delivered */
	{{4, 4, 4, 3}, {0x78, 0x77, 0x88}}, /* A reads, B is master */
	{{0, 0, 0, 3}, {0x7f, 0x07, 0x88}}, /* free data, B is master */
	{{7, 7, 7, 7}, {0x00, 0xf0, 0xff}},
	{{0, 0, 0, 0}, {0xff, 0x0f, 0x00}},
	{{4, 0, 0, 0}, {0xfe, 0x1f, 0x00}},
	{{0, 2, 0, 0}, {0xdf, 0x0f, 0x02}},
	{{0, 0, 1, 0}, {0xff, 0x0b, 0x40}},
};

static void
test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		uint8_t bytes[3], c[4];
		access_build(bytes, vectors[i].c);
		assert_memory_equal(bytes, vectors[i].bytes, 3);
		assert_int_equal(access_parse(c, vectors[i].bytes, NULL), 0);
		assert_memory_equal(c, vectors[i].c, 4);
	}
}

/* All 4096 conditions survive the way there and back. */
static void
test_all(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 4096; n++) {
		uint8_t c[4] = {n & 7, n >> 3 & 7, n >> 6 & 7, n >> 9 & 7}, bytes[3], back[4];
		access_build(bytes, c);
		assert_int_equal(access_parse(back, bytes, NULL), 0);
		assert_memory_equal(back, c, 4);
	}
}

/* Each bit stands twice, so every single flipped bit is noticed. */
static void
test_flipped_bit(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
		for (unsigned bit = 0; bit < 24; bit++) {
			uint8_t bytes[3], c[4];
			struct err e = {0};
			memcpy(bytes, vectors[i].bytes, 3);
			bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_equal(access_parse(c, bytes, &e), ERR_INPUT);
			assert_true(e.text[0]);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_flipped_bit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
