/*
 * test-emulator-epcl-image.c - what the emulator's Zebra dialect makes of image data.
 *
 * Vectors: the worked examples of the protocol document (sections 3.1 and 4.3); the parts of its
 * figure that it leaves out are filled with own literals of the same length.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator-epcl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* "P" on its side: 152 bytes for 192. */
static void
test_figure(void **state)
{
	uint8_t z[256] = "Z\x99\x00\x02\x03\xf0\x84\x00\x02\x0f\xfc\x84\x00\x02\x1f\xfe\x84\x00"
			 "\x02\x3f\xff\x84\x00\x02\x3f\xff\x84\x00\x3c\x7f\xff\x80";
	uint8_t plain[192] = {[25] = 0x03,
		0xf0,
		[31] = 0x0f,
		0xfc,
		[37] = 0x1f,
		0xfe,
		[43] = 0x3f,
		0xff,
		[49] = 0x3f,
		0xff,
		[55] = 0x7f,
		0xff,
		0x80};
	size_t at = 28, to = 55;
	(void)state;
	at++; /* behind the count 3C */
	for (size_t i = 3; i < 60; i++)
		plain[to + i] = (uint8_t)(0x11 + i); /* own filler, no 0D, 1B or 5B matters here */
	memcpy(z + at, plain + to, 60);
	at += 60;
	to += 60;
	for (int i = 0; i < 7; i++) {
		static const uint8_t piece[] = {0x84, 0xff, 2, 0, 0};
		memcpy(z + at, piece, sizeof piece);
		memset(plain + to, 0xff, 4);
		at += sizeof piece;
		to += 6;
	}
	z[at++] = 0x84;
	z[at++] = 0xff;
	memset(plain + to, 0xff, 4);
	to += 4;
	z[at++] = 0x18;
	for (size_t i = 0; i < 24; i++)
		plain[to + i] = z[at + i] = (uint8_t)(0xc0 >> i % 3);
	at += 24;
	to += 24;
	z[at++] = 0x87;
	z[at++] = 0;
	assert_int_equal(at - 1, 152);
	assert_int_equal(to + 7, 192);
	bench_open("p330i", "ymcko:10");
	ask("G 100 200 2 6 32 1", ACK);
	ask_bytes(z, at, ACK, 1);
	const uint8_t *k = dialect_state()->raster.plane[B_K];
	for (size_t line = 0; line < 32; line++)
		for (size_t dot = 0; dot < 48; dot++)
			assert_int_equal(k[(100 + line) * H + 200 + dot] != 0,
				!!(plain[line * 6 + dot / 8] & 0x80 >> dot % 8));
	assert_int_equal(k[99 * H + 200] | k[132 * H + 200] | k[125 * H + 199], 0);
	bench_close();
}

static void
test_runs(void **state)
{
	static const uint8_t mono[] = {'Z', 0xd1, 0, 3, 0xff, 1, 0x80, 0x85, 0xff};
	static const char colour[] = "GS 1 30 5 0 18 8 \x8a\0\5\6\7\xff\x1f\x83\x1f\2";
	(void)state;
	bench_open("p330i", "ymcko:10");
	ask("G 0 0 2 1 89 1", ACK); /* 89 lines of one byte */
	ask_bytes(mono, sizeof mono, ACK, 1);
	const uint8_t *k = dialect_state()->raster.plane[B_K];
	static const uint8_t tail[] = {0xff, 1, 0x80, 0xff, 0xff, 0xff, 0xff, 0xff};
	for (size_t line = 0; line < 89; line++)
		for (size_t dot = 0; dot < 8; dot++)
			assert_int_equal(k[line * H + dot] != 0,
				line >= 81 && tail[line - 81] & 0x80 >> dot);
	ask_bytes(colour, sizeof colour - 1, ACK, 1); /* 144 dots */
	const uint8_t *m = dialect_state()->raster.plane[B_M];
	assert_int_equal(m[6 * H + 1], 0);
	assert_int_equal(m[6 * H + 2], (5 * 255 + 15) / 31);
	assert_int_equal(m[6 * H + 4], (7 * 255 + 15) / 31);
	assert_int_equal(m[6 * H + 5], 255);
	assert_int_equal(m[22 * H + 7], (2 * 255 + 15) / 31);
	assert_int_equal(b.strict, 0);
	/* one too many; the end is found again */
	nack("GS 1 32 0 0 2 2 abcde", 22);
	ask(".", ACK);
	/* a run over the end, no run at first, a level above 31 */
	nack("GS 1 30 0 0 2 2 \x85\x01", 22);
	ask(".", ACK);
	b.strict = 0;
	ask("GS 1 30 0 0 2 2 \x01\x83\x20", ACK);
	assert_int_equal(b.strict, 2);
	/* by count: 0D and 1B are dots */
	ask("GS 1 30 0 0 2 2 \x82\r\x82\x1b", ACK);
	assert_int_equal(m[0], (13 * 255 + 15) / 31);
	assert_int_equal(dialect_state()->unsafe, 1);
	option("escape-images", "on");
	ask("GS 1 32 0 0 2 2 [\r[\x1b[[a", ACK);
	assert_int_equal(m[H], '[');
	bench_close();
}

static void
test_lines(void **state)
{
	(void)state;
	bench_open("p330i", "ymcko:10");
	ask("G 200 200 0 2 2 1", ACK);
	ask("O[\r[\x1b", ACK); /* 0D 1B */
	ask("O[[A", ACK);
	const uint8_t *k = dialect_state()->raster.plane[B_K];
	static const uint8_t bits[2][2] = {{0x0d, 0x1b}, {0x5b, 0x41}};
	for (size_t i = 0; i < 32; i++)
		assert_int_equal(k[(200 + i / 16) * H + 200 + i % 16] != 0,
			!!(bits[i / 16][i % 16 / 8] & 0x80 >> i % 8));
	nack("Oab", 22); /* a third line */
	ask(".", ACK);
	ask("G 0 0 1 2 1 1", ACK);
	ask("Oab\x03", ACK); /* 61 ^ 62 */
	ask("G 0 0 1 2 1 1", ACK);
	nack("Oab\x04", 33);
	ask(".", ACK);
	ask("G 0 0 3 1 4 0", ACK); /* reverse: white where set */
	ask_bytes("Z\x84\xf0\x74", 4, ACK, 1);
	assert_int_equal(k[0], 0);
	assert_int_equal(k[4], 255);
	ask("G 0 0 2 1 4 2", ACK); /* merge */
	ask_bytes("Z\x84\x80", 3, ACK, 1);
	assert_int_equal(k[0], 255);
	assert_int_equal(k[4], 255);
	/* drawing begins at the upper left of the card: the last line */
	ask("F", ACK);
	ask("L 0 0 3 2 1", ACK);
	ask("C 10 10 20 20 2 1", ACK);
	k = dialect_state()->raster.plane[B_K];
	assert_int_equal(k[1023 * H], 255);
	assert_int_equal(k[1021 * H + 1], 255);
	assert_int_equal(k[1020 * H], 0);
	assert_int_equal(k[(1023 - 11) * H + 29], 255);
	assert_int_equal(k[(1023 - 12) * H + 12], 0);
	bench_close();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_figure),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
