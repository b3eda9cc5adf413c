/*
 * test-epcl-wire.c - the Zebra EPCL codec: runs, levels, planes, replies and error codes.
 *
 * The vectors come from the protocol description, sections 2, 4.3, 5 and 9, or were worked out by
 * hand from its rules; planes are read back by a decoder written here from the description alone.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/epcl.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a decoder of both run forms, from the description -------------------------------------- */

/* How many values came out; stops at max. *used: bytes read. */
static size_t
runs_decode(const uint8_t *in, size_t len, uint8_t *out, size_t max, bool mono, size_t *used)
{
	size_t at = 0, n = 0;

	while (at < len && n < max) {
		uint8_t b = in[at++];
		if (b & 0x80) {
			assert_true(at < len);
			for (unsigned i = 0; i < (b & 0x7fu) && n < max; i++)
				out[n++] = in[at];
			at++;
		} else if (!mono) {
			out[n++] = b;
		} else {
			for (unsigned i = 0; i < b && n < max; i++) {
				assert_true(at < len);
				out[n++] = in[at++];
			}
		}
	}
	*used = at;
	return n;
}

static uint32_t
noise(uint32_t *seed)
{
	return (*seed = *seed * 1664525 + 1013904223) >> 24;
}

static void
test_runs_worked(void **state)
{
	static const uint8_t mono_want[] = {0xd1, 0x00, 0x03, 0xff, 0x01, 0x80, 0x85, 0xff};
	static const uint8_t colour_want[] = {
		0x8a, 0x00, 0x05, 0x06, 0x07, 0xff, 0x1f, 0x83, 0x1f, 0x02};
	uint8_t in[256] = {0}, out[300];

	(void)state;
	in[81] = 0xff;
	in[82] = 0x01;
	in[83] = 0x80;
	memset(in + 84, 0xff, 5);
	assert_int_equal(epcl_mono_pack(out, in, 89), sizeof mono_want);
	assert_memory_equal(out, mono_want, sizeof mono_want);
	memset(in, 0, sizeof in);
	in[10] = 5;
	in[11] = 6;
	in[12] = 7;
	memset(in + 13, 31, 130);
	in[143] = 2;
	assert_int_equal(epcl_colour_pack(out, in, 144), sizeof colour_want);
	assert_memory_equal(out, colour_want, sizeof colour_want);
}

/* The beginning of the manual's figure 1-4, whose literal count of 60 a decoder must take. */
static void
test_runs_figure(void **state)
{
	static const uint8_t head[] = {0x99, 0x00, 0x02, 0x03, 0xf0, 0x84, 0x00, 0x02, 0x0f, 0xfc,
		0x84, 0x00, 0x02, 0x1f, 0xfe, 0x84, 0x00, 0x02, 0x3f, 0xff, 0x84, 0x00, 0x02, 0x3f,
		0xff, 0x84, 0x00};
	uint8_t dots[192], again[256];
	size_t used, n = runs_decode(head, sizeof head, dots, sizeof dots, true, &used);

	(void)state;
	assert_int_equal(n, 25 + 5 * 6);
	assert_int_equal(used, sizeof head);
	assert_int_equal(epcl_mono_pack(again, dots, n), sizeof head);
	assert_memory_equal(again, head, sizeof head);
}

/* Blank planes have the lengths that the description's table 4.2 gives. */
static void
test_runs_blank(void **state)
{
	uint8_t *in = calloc(1, 655360), *out = malloc(EPCL_MONO_MAX(655360));

	(void)state;
	assert_int_equal(epcl_colour_pack(out, in, 655360), 10322);
	assert_int_equal(epcl_mono_pack(out, in, 81920), 1292);
	free(in);
	free(out);
}

/* No run byte, value or count that is sent could be taken for CR, ESC or '['. */
static void
mono_controls_check(const uint8_t *out, size_t len)
{
	for (size_t at = 0; at < len;) {
		uint8_t b = out[at++];
		assert_true(b != 13 && b != 27 && b != 91 && b != 0 && b != 0x80);
		assert_true((b & 0x80) || b <= 31);
		at += b & 0x80 ? 1 : b;
	}
}

static void
test_runs_round_trip(void **state)
{
	uint32_t seed = 3;

	(void)state;
	for (size_t n = 1; n < 700; n++) {
		unsigned spread = 1 + n % 9;
		uint8_t *in = malloc(n), *out = malloc(EPCL_MONO_MAX(n)), *back = malloc(n);
		size_t used;
		for (size_t i = 0; i < n; i++)
			in[i] = i && noise(&seed) % 10 > spread ? in[i - 1] : (uint8_t)noise(&seed);
		size_t len = epcl_mono_pack(out, in, n);
		assert_true(len <= EPCL_MONO_MAX(n));
		assert_true(out[0] & 0x80);
		mono_controls_check(out, len);
		assert_int_equal(runs_decode(out, len, back, n, true, &used), n);
		assert_int_equal(used, len);
		assert_memory_equal(back, in, n);
		for (size_t i = 0; i < n; i++)
			in[i] %= 32;
		len = epcl_colour_pack(out, in, n);
		assert_true(len <= n + 1);
		assert_int_equal(runs_decode(out, len, back, n, false, &used), n);
		assert_int_equal(used, len);
		assert_memory_equal(back, in, n);
		free(in);
		free(out);
		free(back);
	}
}

static void
test_levels(void **state)
{
	uint8_t table[256];

	(void)state;
	epcl_levels(table, 32);
	assert_int_equal(table[0], 0);
	assert_int_equal(table[255], 31);
	assert_int_equal(table[13 * 255 / 31], 12); /* would be 13 */
	assert_int_equal(table[27 * 255 / 31 + 1], 28);
	for (int v = 0; v < 256; v++) {
		assert_true(table[v] <= 31 && table[v] != 13 && table[v] != 27);
		assert_true(v == 0 || table[v] >= table[v - 1]);
	}
	epcl_levels(table, 256);
	for (int v = 0; v < 256; v++) {
		int want = v == 13 ? 12 : v == 27 ? 28 : v == 91 ? 92 : v;
		assert_int_equal(table[v], want);
	}
}

/* ---- planes -----------------------------------------------------------------------------------
 */

static const struct epcl_format head640 = {.dots = 640, .lines = 1024, .levels = 32};

/* Where artwork pixel (x, y), 1016 x 648, lies in a plane. */
static uint8_t *
plane_dot(struct plane *p, unsigned x, unsigned y)
{
	unsigned dot = p->dots - 1 - y;

	return p->data + x * p->stride + (p->bits == 8 ? dot : dot / 8);
}

/*
 * Index of pixel (x, y) of a W x H landscape image is (W-1-x)*H + y. The artwork of 1016 x 648 lies
 * in the middle of 1024 x 640: its x is 4 further right, its y 4 further up.
 */
static size_t
wire_index(unsigned x, unsigned y)
{
	return (size_t)(1024 - 1 - (x + 4)) * 640 + (y - 4);
}

static void
test_plane_colour(void **state)
{
	static const char head[] = "\033GS 1 30 0 0 1024 640 ";
	struct plane p;
	struct buf out;
	struct err e;
	uint8_t *back = malloc(655360);
	size_t used, lit = 0;

	(void)state;
	assert_int_equal(plane_create(&p, 8, 648, 1016, &e), 0);
	*plane_dot(&p, 0, 4) = 255;      /* left edge, top of what the head reaches */
	*plane_dot(&p, 1015, 643) = 255; /* right edge, bottom */
	*plane_dot(&p, 500, 3) = 255;    /* above the head */
	*plane_dot(&p, 500, 644) = 255;  /* below it */
	buf_init(&out, 1 << 20);
	assert_int_equal(epcl_colour_plane(&out, 1, &p, &head640, &e), 0);
	assert_memory_equal(out.data, head, sizeof head - 1);
	assert_int_equal(out.data[out.len - 1], '\r');
	size_t len = out.len - sizeof head;
	assert_int_equal(
		runs_decode(out.data + sizeof head - 1, len, back, 655360, false, &used), 655360);
	assert_int_equal(used, len);
	assert_int_equal(back[wire_index(0, 4)], 31);
	assert_int_equal(back[wire_index(1015, 643)], 31);
	for (size_t i = 0; i < 655360; i++)
		lit += back[i] != 0;
	assert_int_equal(lit, 2);
	for (size_t i = 1; i + 1 < out.len; i++)
		assert_true(out.data[i] != 0x0d && out.data[i] != 0x1b);
	buf_done(&out);
	plane_done(&p);
	free(back);
}

static void
test_plane_colour_plain(void **state)
{
	static const char head[] = "\033GS 0 32 0 0 1024 640 ";
	struct epcl_format format = {.dots = 640, .lines = 1024, .levels = 256};
	struct plane full = {PLANE_FULL, 8, 648, 1016, 0, NULL};
	struct buf out;
	struct err e;

	(void)state;
	buf_init(&out, 1 << 20);
	assert_int_equal(epcl_colour_plane(&out, 0, &full, &format, &e), 0);
	assert_int_equal(out.len, sizeof head - 1 + 655360 + 1);
	assert_memory_equal(out.data, head, sizeof head - 1);
	assert_int_equal(out.data[sizeof head - 1], 255);
	buf_done(&out);
}

static void
mono_bit_set(struct plane *p, unsigned x, unsigned y)
{
	*plane_dot(p, x, y) |= (uint8_t)(0x80 >> (p->dots - 1 - y) % 8);
}

/* Every dot of one column and one row, and the form without runs. */
static void
test_plane_mono(void **state)
{
	struct epcl_format raw = {.dots = 640, .lines = 1024, .levels = 32, .mono_raw = true};
	uint8_t *back = malloc(81920), *want = calloc(1, 81920);
	char area[48];
	struct plane p;
	struct buf out;
	struct err e;
	size_t used;

	(void)state;
	assert_int_equal(plane_create(&p, 1, 648, 1016, &e), 0);
	for (unsigned y = 4; y < 644; y += 3)
		mono_bit_set(&p, 7, y);
	for (unsigned x = 0; x < 1016; x += 5)
		mono_bit_set(&p, x, 100);
	for (unsigned y = 4; y < 644; y++)
		for (unsigned x = 0; x < 1016; x++)
			if ((x == 7 && (y - 4) % 3 == 0) || (y == 100 && x % 5 == 0))
				want[wire_index(x, y) / 8] |=
					(uint8_t)(0x80 >> wire_index(x, y) % 8);
	buf_init(&out, 1 << 20);
	assert_int_equal(epcl_mono_plane(&out, area, sizeof area, false, &p, &head640, &e), 0);
	assert_string_equal(area, "G 0 0 12 640 1024 1");
	assert_memory_equal(out.data, "\033Z", 2);
	assert_int_equal(runs_decode(out.data + 2, out.len - 3, back, 81920, true, &used), 81920);
	assert_int_equal(used, out.len - 3);
	assert_memory_equal(back, want, 81920);
	out.len = 0;
	assert_int_equal(epcl_mono_plane(&out, area, sizeof area, true, &p, &raw, &e), 0);
	assert_string_equal(area, "vG 0 0 10 640 1024 1");
	assert_int_equal(out.len, 3 + 81920 + 1);
	assert_memory_equal(out.data, "\033vZ", 3);
	assert_memory_equal(out.data + 3, want, 81920);
	raw.escape = true;
	out.len = 0;
	memset(p.data, 0xd8, p.stride); /* backwards and 4 dots on: B1 B1 ... */
	assert_int_equal(epcl_mono_plane(&out, area, sizeof area, false, &p, &raw, &e), 0);
	assert_true(out.len >= 3 + 81920);
	buf_done(&out);
	plane_done(&p);
	free(back);
	free(want);
}

/* A plane smaller than the head gets blank edges, one of the head's own size none. */
static void
test_plane_shapes(void **state)
{
	struct epcl_format small = {.dots = 16, .lines = 3, .levels = 32, .mono_raw = true};
	static const uint8_t want[] = {0x00, 0x00, 0x10, 0x08, 0x00, 0x00};
	char area[48];
	struct plane p;
	struct buf out;
	struct err e;

	(void)state;
	assert_int_equal(plane_create(&p, 1, 10, 1, &e), 0);
	p.data[0] = 0x80; /* dot 0 of 10, at 3 of 16, goes out as dot 12 */
	p.data[1] = 0x40; /* dot 9 goes out as dot 3 */
	buf_init(&out, 4096);
	assert_int_equal(epcl_mono_plane(&out, area, sizeof area, false, &p, &small, &e), 0);
	assert_int_equal(out.len, 2 + 6 + 1);
	assert_memory_equal(out.data + 2, want, sizeof want);
	out.len = 0;
	p.bits = 8;
	assert_int_equal(
		epcl_mono_plane(&out, area, sizeof area, false, &p, &small, &e), ERR_INTERNAL);
	assert_int_equal(out.len, 0);
	assert_int_equal(epcl_command(&out, "MI\r\033MO", &e), ERR_INTERNAL);
	buf_done(&out);
	plane_done(&p);
}

/* ---- replies ----------------------------------------------------------------------------------
 */

static void
test_replies(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum epcl_kind kind, closed;
		int code;
		size_t used;
	} rows[] = {
		{"\x06", 1, EPCL_ACK, EPCL_ACK, 0, 1},
		{"\r\n\x06\x06", 4, EPCL_ACK, EPCL_ACK, 0, 3},
		{"\x15\x30\x35\x04", 4, EPCL_NACK, EPCL_NACK, 5, 4},
		{"\x15-1\x04", 4, EPCL_NACK, EPCL_NACK, -1, 4},
		{"\x15"
		 "255\x04",
			5, EPCL_NACK, EPCL_NACK, 255, 5},
		{"\x15"
		 "999\x04",
			5, EPCL_BAD, EPCL_BAD, 0, 5},
		{"\x15\x04", 2, EPCL_BAD, EPCL_BAD, 0, 2},
		{"\x15"
		 "0",
			2, EPCL_NOTHING, EPCL_BAD, 0, 2},
		{"\x15", 1, EPCL_NOTHING, EPCL_BAD, 0, 1},
		{"\x15"
		 "0\x06",
			3, EPCL_BAD, EPCL_BAD, 0, 3},
		{"P330i V1\r\x06", 10, EPCL_TEXT, EPCL_TEXT, 0, 9},
		{"P330i V1", 8, EPCL_NOTHING, EPCL_TEXT, 0, 8},
		{"P330i\x80", 6, EPCL_BAD, EPCL_BAD, 0, 6},
		{"\xff", 1, EPCL_BAD, EPCL_BAD, 0, 1},
		{"\x02", 1, EPCL_BAD, EPCL_BAD, 0, 1},
		{"\x04", 1, EPCL_TEXT, EPCL_TEXT, 0, 1},
		{"", 0, EPCL_NOTHING, EPCL_NOTHING, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct epcl_reply r;
		size_t used;
		epcl_reply_init(&r);
		assert_int_equal(
			epcl_reply_feed(&r, (const uint8_t *)rows[i].bytes, rows[i].len, &used),
			rows[i].kind != EPCL_NOTHING);
		assert_int_equal(r.kind, rows[i].kind);
		assert_int_equal(used, rows[i].used);
		epcl_reply_close(&r);
		assert_int_equal(r.kind, rows[i].closed);
		if (r.kind == EPCL_NACK)
			assert_int_equal(r.code, rows[i].code);
	}
}

static void
test_cleaning(void **state)
{
	int64_t passes = 0, left = 0;

	(void)state;
	assert_int_equal(epcl_cleaning_parse("Cpt imp:00025000 next clean Prn:00005000 nb pass:5",
				 &passes, &left),
		0);
	assert_int_equal(passes, 25000);
	assert_int_equal(left, 5000);
	assert_int_equal(
		epcl_cleaning_parse("Cpt imp: next clean Prn:5", &passes, &left), ERR_PROTOCOL);
	assert_int_equal(
		epcl_cleaning_parse("Cpt imp:1x next clean Prn:5", &passes, &left), ERR_PROTOCOL);
	assert_int_equal(epcl_cleaning_parse("", &passes, &left), ERR_PROTOCOL);
}

static void
test_codes(void **state)
{
	static const struct {
		int code;
		enum epcl_doing doing;
		enum fault fault;
	} rows[] = {
		{-1, EPCL_PRINT, FAULT_JAM_PRINT},
		{1, EPCL_PRINT, FAULT_RIBBON_END},
		{2, EPCL_PRINT, FAULT_HEAD_HOT},
		{3, EPCL_FEED, FAULT_JAM_FEED},
		{3, EPCL_FLIP, FAULT_JAM_FLIP},
		{3, EPCL_REJECT, FAULT_JAM_REJECT},
		{4, EPCL_FEED, FAULT_HOPPER_EMPTY},
		{5, EPCL_SETUP, FAULT_NONE},
		{7, EPCL_PRINT, FAULT_COVER_OPEN},
		{8, EPCL_PRINT, FAULT_RIBBON_END},
		{10, EPCL_SETUP, FAULT_REFUSED},
		{14, EPCL_SETUP, FAULT_REFUSED},
		{22, EPCL_SETUP, FAULT_REFUSED},
		{30, EPCL_SETUP, FAULT_REFUSED},
		{34, EPCL_SETUP, FAULT_STALL},
		{41, EPCL_DOCK, FAULT_MAGNETIC},
		{47, EPCL_PRINT, FAULT_JAM_FLIP},
		{48, EPCL_FEED, FAULT_COVER_OPEN},
		{55, EPCL_DOCK, FAULT_CHIP_WRITE},
		{99, EPCL_SETUP, FAULT_MECHANICAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(epcl_code_fault(rows[i].code, rows[i].doing), rows[i].fault);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs_worked),
		cmocka_unit_test(test_runs_figure),
		cmocka_unit_test(test_runs_blank),
		cmocka_unit_test(test_runs_round_trip),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_plane_colour),
		cmocka_unit_test(test_plane_colour_plain),
		cmocka_unit_test(test_plane_mono),
		cmocka_unit_test(test_plane_shapes),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_cleaning),
		cmocka_unit_test(test_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
