/*
 * test-emulator-evolis.c - the emulator's parser and plane decoders.
 *
 * Vectors: the tables of the protocol document (sections 2, 4.2, 4.4 and 9.1), the rest worked out
 * by hand.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- framing ---- */

/* One letter an event, each followed by what it carries: C command, B broken, S stray bytes. */
static void
transcript(struct parser *p, const char *in, size_t len, size_t step, char *out, size_t max)
{
	size_t n = 0;
	*out = 0;
	for (size_t at = 0; at < len; at += step) {
		const uint8_t *data = (const uint8_t *)in + at;
		size_t left = len - at < step ? len - at : step;
		enum parse_event e;
		while ((e = parser_next(p, &data, &left)) != PARSE_MORE) {
			if (e == PARSE_STRAY)
				n += (size_t)snprintf(out + n, max - n, "S%zu ", p->stray);
			else
				n += (size_t)snprintf(out + n, max - n, "%c%s/%u/%zu ",
					e == PARSE_COMMAND ? 'C' : 'B', p->name, p->argc,
					p->bin_len);
			p->stray = e == PARSE_STRAY ? 0 : p->stray;
			assert_true(n < max);
		}
	}
}

static void
test_framing(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *events;
	} rows[] = {
#define ROW(text, events) {text, sizeof text - 1, events}
		ROW("\x1bSs\r", "CSs/0/0 "),
		ROW("\x1bPc;k;=;10\r", "CPc/3/0 "),
		ROW("\x1bSs\rSr\r", "CSs/0/0 CSr/0/0 "), /* ESC left out after CR */
		ROW("\x1bSs\r\0\0\0\x1bSe;1\r\0\0", "CSs/0/0 CSe/1/0 "),
		ROW("\x1bSs\r<CARD>\x1bSr\r", "CSs/0/0 S6 CSr/0/0 "),
		ROW("Sr\r\x1bSs\r", "S3 CSs/0/0 "),  /* not after a CR */
		ROW("\x1bPc;k\x1bSs\r", "CSs/0/0 "), /* ESC restarts */
		ROW("\x1b"
		    "Dbc;k;2;3;\x1b\r;\rx\x1bSs\r",
			"CDbc/3/3 S1 CSs/0/0 "),
		ROW("\x1b"
		    "Dbc;k;2;3;abcd\x1bSs\r",
			"BDbc/3/3 S1 CSs/0/0 "),
		ROW("\x1b"
		    "Db;k;3;zz\x1bSs\r",
			"BDb/2/0 S2 CSs/0/0 "),
		ROW("\x1b"
		    "Dbc;k;2;99999999;z\x1bSs\r",
			"BDbc/3/0 S1 CSs/0/0 "),
		ROW("\x1b"
		    "Dbmp;k;0;0;0;BM\x0a\0\0\0abcd\r",
			"CDbmp/4/10 "),
		ROW("\x1b"
		    "Dbmp;k;0;0;0;PNG...\x1bSs\r",
			"BDbmp/4/6 CSs/0/0 "),
		ROW("\x1b\r", "C/0/0 "),
		ROW("\x1b"
		    "Dbx;k;2;450;300;z\x1bSs\r",
			"BDbx/4/0 S1 CSs/0/0 "),
		ROW("\x1b"
		    "Dbp;y;128;0;99999999;z\x1bSs\r",
			"BDbp/4/0 S1 CSs/0/0 "),
#undef ROW
	};
	(void)state;
	for (size_t i = 0; i < EMU_LEN(rows); i++) {
		/* in one piece, and byte by byte */
		for (int whole = 0; whole < 2; whole++) {
			struct parser p;
			char out[256];
			parser_init(&p);
			transcript(&p, rows[i].in, rows[i].len, whole ? rows[i].len : 1, out,
				sizeof out);
			assert_string_equal(out, rows[i].events);
			parser_done(&p);
		}
	}
}

static void
test_framing_redefined(void **state)
{
	struct parser p;
	char out[128];
	(void)state;
	parser_init(&p);
	p.start = 60; /* Psc;60;47;62 */
	p.sep = 47;
	p.end = 62;
	transcript(&p, "<Pc/k/=/10>", 11, 11, out, sizeof out);
	assert_string_equal(out, "CPc/3/0 ");
	assert_string_equal(p.argv[2], "10");
	parser_done(&p);
}

static void
test_framing_plane(void **state)
{
	static const struct {
		unsigned levels;
		size_t bytes;
	} rows[] = {{2, 82296}, {32, 411480}, {64, 493776}, {128, 576072}, {256, 658368}};
	(void)state;
	for (size_t i = 0; i < EMU_LEN(rows); i++) {
		struct parser p;
		char head[32], out[128];
		assert_int_equal(plane_size(rows[i].levels, LINES), rows[i].bytes);
		int n = snprintf(head, sizeof head,
			"\x1b"
			"Db;y;%u;",
			rows[i].levels);
		char *all = calloc(1, (size_t)n + rows[i].bytes + 1);
		assert_non_null(all);
		memcpy(all, head, (size_t)n);
		memset(all + n, 0x1b, rows[i].bytes); /* ESC and CR inside mean nothing */
		all[(size_t)n + rows[i].bytes / 2] = '\r';
		all[(size_t)n + rows[i].bytes] = '\r';
		parser_init(&p);
		transcript(&p, all, (size_t)n + rows[i].bytes + 1, 4096, out, sizeof out);
		snprintf(head, sizeof head, "CDb/2/%zu ", rows[i].bytes);
		assert_string_equal(out, head);
		parser_done(&p);
		free(all);
	}
	assert_int_equal(plane_size(100, LINES), 0);
}

/* ---- planes ---- */

static void
test_unpack(void **state)
{
	uint8_t *out = malloc((size_t)DOTS * LINES), *in = calloc(1, 658368);
	const char *why = NULL;
	(void)state;
	assert_true(out && in);
	/* 7 bits: dots 0,0,0,1,1,1,1,1 then 2,2,2,2,2,3,3,3 */
	static const uint8_t seven[] = {
		0, 0, 0, 0x10, 0x20, 0x40, 0x81, 4, 8, 0x10, 0x20, 0x40, 0xc1, 0x83};
	static const uint8_t value[] = {0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3};
	memcpy(in, seven, sizeof seven);
	assert_int_equal(plane_unpack(out, 128, LINES, in, 576072, &why), 0);
	for (size_t i = 0; i < sizeof value; i++)
		assert_int_equal(out[i], (value[i] * 255 + 63) / 127);
	/* 5 bits: 31, 0, 31 = 11111 00000 11111 */
	memset(in, 0, 16);
	in[0] = 0xf8;
	in[1] = 0x3e;
	assert_int_equal(plane_unpack(out, 32, LINES, in, 411480, &why), 0);
	assert_int_equal(out[0], 255);
	assert_int_equal(out[1], 0);
	assert_int_equal(out[2], 255);
	/* 6 bits: 63, 1 = 111111 000001 */
	in[0] = 0xfc;
	in[1] = 0x10;
	assert_int_equal(plane_unpack(out, 64, LINES, in, 493776, &why), 0);
	assert_int_equal(out[0], 255);
	assert_int_equal(out[1], 4);
	/* 1 bit, and the last dot of the plane */
	memset(in, 0, 82296);
	in[0] = 0x80;
	in[82295] = 0x01;
	assert_int_equal(plane_unpack(out, 2, LINES, in, 82296, &why), 0);
	assert_int_equal(out[0], 255);
	assert_int_equal(out[1], 0);
	assert_int_equal(out[(size_t)DOTS * LINES - 1], 255);
	assert_int_equal(plane_unpack(out, 2, LINES, in, 82295, &why), -1);
	assert_int_equal(plane_unpack(out, 3, LINES, in, 82296, &why), -1);
	free(in);
	free(out);
}

struct run {
	unsigned dots;
	unsigned value;
};

static void
test_expand_lines(void **state)
{
	static const struct {
		unsigned levels;
		uint8_t in[8];
		size_t len;
		struct run runs[4]; /* value 255 = full */
	} rows[] = {
		{2, {0x00}, 1, {{648, 0}}},
		{2, {0xff}, 1, {{648, 255}}},
		{2, {0x01, 0x10}, 2, {{3, 0}, {1, 255}, {644, 0}}},
		{2, {0x03, 0xff, 0x00, 0xff}, 4, {{8, 255}, {8, 0}, {8, 255}, {624, 0}}},
		{128, {0xc0, 0xff, 0xc0, 0xff, 0xc0, 0x8a}, 6, {{648, (0x40 * 255 + 63) / 127}}},
		{128, {0x7f, 0x01, 0x80, 0xff, 0x80, 0xff, 0x80, 0x88}, 8,
			{{1, 255}, {1, 2}, {646, 0}}},
		{128, {0x80, 0x00}, 2, {{648, 0}}},
		{64, {0x80, 0x00}, 2, {{648, 0}}},
		{32, {0x80, 0x00}, 2, {{648, 0}}},
		{64, {0xd5, 0x2c, 0xc0, 0x5c}, 4, {{300, 85}, {348, 0}}},
		{32, {0xea, 0x88}, 2, {{648, (0x0a * 255 + 15) / 31}}},
	};
	uint8_t out[DOTS];
	const char *why = NULL;
	(void)state;
	for (size_t i = 0; i < EMU_LEN(rows); i++) {
		memset(out, 0x55, sizeof out);
		assert_int_equal(
			plane_expand(out, rows[i].levels, 1, rows[i].in, rows[i].len, &why), 0);
		unsigned dot = 0;
		for (size_t r = 0; r < 4; r++)
			for (unsigned n = 0; n < rows[i].runs[r].dots; n++, dot++)
				assert_int_equal(out[dot], rows[i].runs[r].value);
		assert_int_equal(dot, DOTS);
		/* a byte more or less is refused */
		uint8_t more[16] = {0};
		memcpy(more, rows[i].in, rows[i].len);
		assert_int_equal(
			plane_expand(out, rows[i].levels, 1, more, rows[i].len + 1, &why), -1);
		assert_int_equal(
			plane_expand(out, rows[i].levels, 1, more, rows[i].len - 1, &why), -1);
	}
	static const uint8_t wide[] = {0x52}, past[] = {0xc0, 0xff, 0xc0, 0xff, 0xc0, 0x8b};
	assert_int_equal(plane_expand(out, 2, 1, wide, 1, &why), -1);
	assert_int_equal(plane_expand(out, 128, 1, past, 6, &why), -1);
	assert_int_equal(plane_expand(out, 256, 1, past, 6, &why), -1);
}

/* Whole lines in a compressed part; 0 when the last one is not complete, or too long. */
static void
test_lines(void **state)
{
	static const uint8_t two[] = {0xc0, 0xff, 0xc0, 0xff, 0xc0, 0x8a, 0x80, 0x00},
			     past[] = {0xc0, 0xff, 0xc0, 0xff, 0xc0, 0x8b};
	(void)state;
	assert_int_equal(plane_lines(128, two, sizeof two), 2);
	assert_int_equal(plane_lines(128, two, 6), 1);
	assert_int_equal(plane_lines(128, two, 5), 0);
	assert_int_equal(plane_lines(128, two, 4), 0);
	assert_int_equal(plane_lines(128, past, sizeof past), 0);
	assert_int_equal(plane_lines(2, two, sizeof two), 0);
}

/* Noise with the marks of the language in it: the parser keeps its bounds and finds the next
 * command again, the plane decoders refuse what does not fit. */
static void
test_noise(void **state)
{
	static const char marks[] = "\x1b\r;;DbcxpmP0129k";
	uint64_t seed = 0x5eed;
	uint8_t *dye = malloc((size_t)LINES * DOTS);
	(void)state;
	assert_non_null(dye);
	for (int round = 0; round < 3000; round++) {
		struct parser p;
		char in[96], out[4096];
		size_t n = 0;
		const char *why = NULL;
		for (; n < sizeof in - 16; n++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			unsigned r = (unsigned)(seed >> 33);
			in[n] = r & 1 ? marks[r / 2 % (sizeof marks - 1)] : (char)(r >> 8);
		}
		parser_init(&p);
		transcript(&p, in, n, 7, out, sizeof out);
		parser_reset(&p);
		transcript(&p, "\x1bSs\r", 4, 4, out, sizeof out);
		assert_non_null(strstr(out, "C"));
		parser_done(&p);
		for (unsigned levels = 2; levels <= 128; levels = levels == 2 ? 32 : levels * 2) {
			unsigned lines = plane_lines(levels, (const uint8_t *)in, n);
			assert_true(lines <= n);
			int rc = plane_expand(dye, levels, 4, (const uint8_t *)in, n, &why);
			assert_true(rc == 0 || why);
		}
	}
	free(dye);
}

/* Section 9.1: 510 lines of 1 + 81 bytes and 506 of 2 make 42832. */
static void
test_expand_job(void **state)
{
	uint8_t *in = malloc(42832), *out = malloc((size_t)DOTS * LINES);
	const char *why = NULL;
	size_t n = 0;
	(void)state;
	assert_true(in && out);
	for (int line = 0; line < 1016; line++) {
		if (line < 510) {
			in[n++] = 0x51;
			memset(in + n, 0x55, 81);
			n += 81;
		} else {
			in[n++] = 0x01;
			in[n++] = 0xa0;
		}
	}
	assert_int_equal(n, 42832);
	assert_int_equal(plane_expand(out, 2, LINES, in, n, &why), 0);
	assert_int_equal(out[0], 0);
	assert_int_equal(out[1], 255);
	assert_int_equal(out[(size_t)DOTS * 1015], 255);
	assert_int_equal(out[(size_t)DOTS * 1015 + 2], 255);
	assert_int_equal(out[(size_t)DOTS * 1015 + 3], 0);
	free(in);
	free(out);
}

static void
test_unprint(void **state)
{
	uint8_t *rgb = malloc((size_t)DOTS * LINES * 3), *y = calloc(LINES, DOTS),
		*k = calloc(LINES, DOTS);
	static const uint8_t black[3] = {0, 0, 0};
	const uint8_t *dye[P_COUNT] = {[P_Y] = y, [P_K] = k};
	(void)state;
	assert_true(rgb && y && k);
	memset(rgb, 255, (size_t)DOTS * LINES * 3);
	y[647] = 255;                       /* line 0, last dot: artwork's top left corner */
	y[0] = 100;                         /* line 0, dot 0: bottom left */
	y[(size_t)1015 * DOTS + 647] = 255; /* top right, under black */
	k[(size_t)1015 * DOTS + 647] = 255;
	plane_unprint(rgb, dye, black);
	assert_memory_equal(rgb, "\xff\xff\x00", 3);
	assert_memory_equal(rgb + (size_t)647 * LINES * 3, "\xff\xff\x9b", 3);
	assert_memory_equal(rgb + (size_t)1015 * 3, "\x00\x00\x00", 3);
	assert_memory_equal(rgb + (size_t)(LINES + 1) * 3, "\xff\xff\xff", 3);
	free(rgb);
	free(y);
	free(k);
}

/* ---- settings ---- */

static void
test_params(void **state)
{
	struct params *p = params_create();
	char *k_plus[] = {(char *)"k", (char *)"+"}, *k_back[] = {(char *)"k", (char *)"="};
	char *k_set[] = {(char *)"k", (char *)"=", (char *)"7"},
	     *none[] = {(char *)"x", (char *)"+"};
	(void)state;
	assert_non_null(p);
	assert_string_equal(params_get(p, "Rc", 1, k_plus), "10");
	assert_string_equal(params_set(p, "Pc", 2, k_plus), "OK");
	assert_string_equal(params_get(p, "Rc", 1, k_plus), "11");
	assert_string_equal(params_set(p, "Pc", 3, k_set), "OK");
	assert_string_equal(params_get(p, "Rc", 1, k_plus), "7");
	assert_string_equal(params_set(p, "Pc", 2, k_back), "OK");
	assert_string_equal(params_get(p, "Rc", 1, k_plus), "10");
	assert_string_equal(params_set(p, "Pc", 2, none), "ERROR PARAMETRES");
	assert_string_equal(params_set(p, "Pc", 0, none), "ERROR PARAMETRES");
	assert_null(params_set(p, "Pzz", 2, k_plus));
	assert_null(params_get(p, "Rzz", 0, NULL));
	params_destroy(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_framing_redefined),
		cmocka_unit_test(test_framing_plane),
		cmocka_unit_test(test_unpack),
		cmocka_unit_test(test_expand_lines),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_expand_job),
		cmocka_unit_test(test_unprint),
		cmocka_unit_test(test_params),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
