/*
 * test-evolis-wire.c - the Evolis family's bytes: vectors, packing, planes, replies.
 *
 * The vectors come from the protocol description, sections 4.2, 4.4 and 9, or were worked out by
 * hand from its rules.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/evolis.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- codec ---------------------------------------------------------------------------------- */

static void
test_pack_vector(void **state)
{
	/* Levels 0 0 0 1 1 1 1 1, 2 2 2 2 2 3 3 3 of 128; a dot's value is twice its level. */
	static const uint8_t in[] = {0, 1, 0, 2, 3, 2, 2, 3, 4, 5, 4, 4, 4, 6, 7, 6};
	static const uint8_t want[] = {
		0x00, 0x00, 0x00, 0x10, 0x20, 0x40, 0x81, 0x04, 0x08, 0x10, 0x20, 0x40, 0xc1, 0x83};
	uint8_t out[sizeof want];

	(void)state;
	wire_pack(out, in, sizeof in, 7, false);
	assert_memory_equal(out, want, sizeof want);
}

/* The rule written down bit by bit. */
static void
pack_slowly(uint8_t *out, const uint8_t *in, size_t n, unsigned bits, bool turned)
{
	memset(out, 0, (n * bits + 7) / 8);
	for (size_t i = 0; i < n * bits; i++) {
		size_t value = i / bits;
		uint8_t v = in[turned ? n - 1 - value : value];
		if (v >> (7 - i % bits) & 1)
			out[i / 8] |= (uint8_t)(0x80 >> i % 8);
	}
}

static void
test_pack_equals_slow(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (size_t n = 0; n < 200; n++)
		for (unsigned bits = 5; bits <= 8; bits++)
			for (int turned = 0; turned < 2; turned++) {
				size_t len = (n * bits + 7) / 8;
				uint8_t *in = malloc(n + 1), *fast = malloc(len + 1),
					*slow = malloc(len + 1);
				for (size_t i = 0; i < n; i++)
					in[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >>
							  24);
				fast[len] = slow[len] = 0x5a;
				wire_pack(fast, in, n, bits, turned);
				pack_slowly(slow, in, n, bits, turned);
				assert_memory_equal(fast, slow, len + 1);
				free(in);
				free(fast);
				free(slow);
			}
}

static void
test_squeeze_lines(void **state)
{
	static const struct {
		uint8_t line[81];
		bool short_lines;
		size_t len;
		uint8_t head[4];
	} rows[] = {
		{{0}, true, 1, {0x00}}, {{0}, false, 2, {0x01, 0x00}},
		{{0x10}, false, 2, {0x01, 0x10}}, /* dot 3 only */
		{{0xff, 0x00, 0xff}, false, 4, {0x03, 0xff, 0x00, 0xff}},
		{{[80] = 0x01}, false, 82, {0x51, 0x00, 0x00, 0x00}}, /* dot 647 only */
	};
	uint8_t out[82], full[81];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = rows[i].len < 4 ? rows[i].len : 4;
		assert_int_equal(
			wire_squeeze(NULL, rows[i].line, 81, 1, rows[i].short_lines), rows[i].len);
		assert_int_equal(
			wire_squeeze(out, rows[i].line, 81, 1, rows[i].short_lines), rows[i].len);
		assert_memory_equal(out, rows[i].head, n);
	}
	memset(full, 0xff, sizeof full);
	assert_int_equal(wire_squeeze(out, full, 81, 1, true), 1);
	assert_int_equal(out[0], 0xff);
	assert_int_equal(wire_squeeze(out, full, 81, 1, false), 82);
	assert_int_equal(out[0], 0x51);
	assert_memory_equal(out + 1, full, 81);
}

/* A captured driver's card: 510 lines of 81 bytes and 506 of one byte make Dbc;k;2;42832 and 32
 * bytes of padding (description, 9.1). */
static void
test_plane_squeezed(void **state)
{
	struct wire_plane_format format = {.levels = 2, .compressed = true, .pad = 64};
	static const char head[] = "\033Dbc;k;2;42832;";
	struct plane p;
	struct buf out;
	struct err e;

	(void)state;
	assert_int_equal(plane_create(&p, 1, 648, 1016, &e), 0);
	for (unsigned line = 0; line < 1016; line++)
		memset(p.data + line * p.stride, line < 510 ? 0x55 : 0, 81);
	for (unsigned line = 510; line < 1016; line++)
		p.data[line * p.stride] = 0xa0;
	buf_init(&out, 1 << 20);
	assert_int_equal(wire_plane(&out, 'k', &p, &format, &e), 0);
	assert_int_equal(out.len, 0xa7c1 - 0x41);
	assert_memory_equal(out.data, head, 15);
	assert_int_equal(out.data[15], 0x51);
	assert_int_equal(out.data[15 + 42832], '\r');
	for (size_t i = 15 + 42833; i < out.len; i++)
		assert_int_equal(out.data[i], 0);
	buf_done(&out);
	plane_done(&p);
}

static void
test_plane_whole(void **state)
{
	static const struct {
		char letter;
		unsigned levels, bits;
		size_t len;
		const char *head;
	} rows[] = {
		{'k', 2, 1, 82296, "\033Db;k;2;"},
		{'y', 32, 8, 411480, "\033Db;y;32;"},
		{'m', 64, 8, 493776, "\033Db;m;64;"},
		{'c', 128, 8, 576072, "\033Db;c;128;"},
		{'y', 256, 8, 658368, "\033Db;y;256;"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wire_plane_format format = {.levels = rows[i].levels, .compressed = true};
		struct plane full = {PLANE_FULL, rows[i].bits, 648, 1016, 0, NULL};
		size_t head = strlen(rows[i].head);
		struct buf out;
		buf_init(&out, 1 << 20);
		assert_int_equal(wire_plane(&out, rows[i].letter, &full, &format, NULL), 0);
		assert_int_equal(out.len, head + rows[i].len + 1);
		assert_memory_equal(out.data, rows[i].head, head);
		assert_int_equal(out.data[head], 0xff);
		assert_int_equal(out.data[out.len - 2], 0xff);
		assert_int_equal(out.data[out.len - 1], '\r');
		buf_done(&out);
	}
}

/* Turned by 180 degrees the first dot is the last: bit 0 of the last byte (description, 4.3). */
static void
test_plane_turned(void **state)
{
	struct wire_plane_format format = {.levels = 2, .turned = true};
	struct plane p;
	struct buf out;
	struct err e;

	(void)state;
	assert_int_equal(plane_create(&p, 1, 648, 1016, &e), 0);
	p.data[0] = 0x80;
	p.data[1] = 0x40;
	buf_init(&out, 1 << 20);
	assert_int_equal(wire_plane(&out, 'k', &p, &format, &e), 0);
	assert_int_equal(out.data[8 + 82296 - 1], 0x01);
	assert_int_equal(out.data[8 + 82296 - 2], 0x02);
	assert_int_equal(out.data[8], 0);
	buf_done(&out);
	plane_done(&p);
}

static void
test_plane_refused(void **state)
{
	static const struct {
		struct plane p;
		unsigned levels;
	} rows[] = {
		{{PLANE_BLANK, 1, 648, 1016, 81, NULL}, 2},
		{{PLANE_FULL, 1, 648, 0, 81, NULL}, 2},
		{{PLANE_FULL, 1, 1024, 1016, 128, NULL}, 2},
		{{PLANE_FULL, 8, 648, 1016, 648, NULL}, 2},
		{{PLANE_FULL, 1, 648, 1016, 81, NULL}, 128},
		{{PLANE_FULL, 8, 648, 1016, 648, NULL}, 65},
	};
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wire_plane_format format = {.levels = rows[i].levels};
		assert_int_equal(wire_plane(&out, 'k', &rows[i].p, &format, NULL), ERR_INTERNAL);
		assert_int_equal(out.len, 0);
	}
	assert_int_equal(wire_command(&out, "Pr;k\r\033Se", NULL), ERR_INTERNAL);
	buf_done(&out);
}

/* ---- replies -------------------------------------------------------------------------------- */

static void
reply_of(struct wire_reply *r, const char *text)
{
	size_t used;

	wire_reply_init(r);
	wire_reply_feed(r, (const uint8_t *)text, strlen(text) + 1, &used);
}

static void
test_reply_texts(void **state)
{
	static const struct {
		const char *text;
		enum wire_class class;
		enum fault fault;
	} rows[] = {
		{"OK", WIRE_OK, FAULT_NONE},
		{" OK  ", WIRE_OK, FAULT_NONE},
		{"ERROR CDE", WIRE_REFUSED, FAULT_REFUSED},
		{"ERROR PARAMETRES", WIRE_REFUSED, FAULT_REFUSED},
		{"OPT NOT AVAILABLE", WIRE_REFUSED, FAULT_REFUSED},
		{"ERROR TIME OUT", WIRE_FAULT, FAULT_MECHANICAL},
		{"NEED CLEANING", WIRE_FAULT, FAULT_CLEANING_DUE},
		{"ERR NEED CLEANING", WIRE_FAULT, FAULT_CLEANING_DUE},
		{"ERROR HOPPER", WIRE_FAULT, FAULT_JAM_EJECT},
		{"HOPPER FULL", WIRE_FULL, FAULT_OUTPUT_FULL},
		{"HOPPER DOOR", WIRE_FAULT, FAULT_COVER_OPEN},
		{"ERROR HEAD", WIRE_FAULT, FAULT_HEAD_HOT},
		{"COVER OPEN", WIRE_FAULT, FAULT_COVER_OPEN},
		{"FEEDER EMPTY", WIRE_FAULT, FAULT_HOPPER_EMPTY},
		{"CARD JAM", WIRE_JAM, FAULT_MECHANICAL},
		{"ERROR RIBBON", WIRE_FAULT, FAULT_RIBBON_END},
		{"ERR RIB DETECTION", WIRE_FAULT, FAULT_RIBBON_NONE},
		{"ERROR FLASH UNKNOW", WIRE_FAULT, FAULT_MECHANICAL},
		{"ERROR CHECKSUM", WIRE_FAULT, FAULT_MECHANICAL},
		{"ERROR MAG", WIRE_FAULT, FAULT_MAGNETIC},
		{"ERROR MAG DATA", WIRE_FAULT, FAULT_MAGNETIC},
		{"ERROR MAG CHECKSUM", WIRE_FAULT, FAULT_MAGNETIC},
		{"ERROR", WIRE_FAULT, FAULT_MECHANICAL},
		{"ERROR UNKNOW(7)", WIRE_FAULT, FAULT_MECHANICAL},
		{"OKAY", WIRE_UNKNOWN, FAULT_NONE},
		{"O", WIRE_UNKNOWN, FAULT_NONE},
		{"ok", WIRE_UNKNOWN, FAULT_NONE},
		{"COVER OPENED", WIRE_UNKNOWN, FAULT_NONE},
		{"\x80OK", WIRE_UNKNOWN, FAULT_NONE},
		{"Evolis", WIRE_UNKNOWN, FAULT_NONE},
	};
	struct wire_reply r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		reply_of(&r, rows[i].text);
		assert_int_equal(wire_text_find(&r)->class, rows[i].class);
		assert_int_equal(wire_text_find(&r)->fault, rows[i].fault);
	}
}

static void
test_reply_values(void **state)
{
	static const struct {
		const char *text;
		int rc;
		unsigned mv;
	} volts[] = {{"0,00 Volts", 0, 0}, {"5,00 Volts", 0, 5000}, {"3,9 Volts", 0, 3900},
		{"4.17 Volts", 0, 4170}, {"Volts", ERR_PROTOCOL, 0}, {"5,00", ERR_PROTOCOL, 0},
		{"-1,0 Volts", ERR_PROTOCOL, 0}, {"12345 Volts", ERR_PROTOCOL, 0}};
	static const struct {
		const char *text;
		int rc;
		int64_t value;
	} numbers[] = {{"0", 0, 0}, {"42910", 0, 42910}, {"", ERR_PROTOCOL, 0},
		{"-1", ERR_PROTOCOL, 0}, {"12x", ERR_PROTOCOL, 0},
		{"9999999999999", ERR_PROTOCOL, 0}};
	static const struct {
		const char *text;
		enum card_place place;
	} places[] = {{"OK", PLACE_NONE}, {"NO CARD", PLACE_NONE}, {"CARD", PLACE_PRINT},
		{"SMART CARD", PLACE_CONTACT}, {"CONTACTLESS CARD", PLACE_CONTACTLESS},
		{"ERR CARD", PLACE_SOMEWHERE}};
	struct wire_reply r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(volts); i++) {
		unsigned mv = 0;
		reply_of(&r, volts[i].text);
		assert_int_equal(wire_volts(&r, &mv), volts[i].rc);
		assert_int_equal(mv, volts[i].mv);
	}
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		int64_t v = 0;
		reply_of(&r, numbers[i].text);
		assert_int_equal(wire_number(&r, &v), numbers[i].rc);
		assert_int_equal(v, numbers[i].value);
	}
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		enum card_place place = PLACE_UNKNOWN;
		reply_of(&r, places[i].text);
		assert_int_equal(wire_place(&r, &place), 0);
		assert_int_equal(place, places[i].place);
	}
	reply_of(&r, "CARDS");
	enum card_place place;
	assert_int_equal(wire_place(&r, &place), ERR_PROTOCOL);
}

static void
test_reply_ends(void **state)
{
	static const uint8_t two[] = "\0\r\nCOVER OPEN\rOK";
	struct wire_reply r;
	size_t used;

	(void)state;
	wire_reply_init(&r);
	assert_int_equal(wire_reply_feed(&r, two, 0, &used), WIRE_MORE);
	assert_int_equal(wire_reply_feed(&r, two, 3, &used), WIRE_MORE);
	assert_int_equal(wire_reply_feed(&r, two + 3, 5, &used), WIRE_MORE);
	assert_int_equal(wire_reply_feed(&r, two + 8, 8, &used), WIRE_WHOLE);
	assert_string_equal(r.text, "COVER OPEN");
	assert_int_equal(used, 6); /* the OK behind it is another reply */
	wire_reply_init(&r);
	assert_int_equal(wire_reply_feed(&r, (const uint8_t *)"87", 2, &used), WIRE_MORE);
	assert_int_equal(wire_reply_feed(&r, (const uint8_t *)"", 0, &used), WIRE_WHOLE);
	assert_string_equal(r.text, "87");
}

/* Random bytes in pieces of exact size: nothing is read beyond them, nothing written beyond the
 * reply. */
static void
test_reply_noise(void **state)
{
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct wire_reply r;
		enum wire_end end = WIRE_MORE;
		wire_reply_init(&r);
		for (int piece = 0; piece < 6 && end == WIRE_MORE; piece++) {
			size_t len = (seed = seed * 1664525 + 1013904223) >> 23;
			uint8_t *bytes = malloc(len ? len : 1);
			size_t used;
			for (size_t i = 0; i < len; i++) {
				bytes[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
				if (round % 2)
					bytes[i] |= 0x40;
			}
			end = wire_reply_feed(&r, bytes, len, &used);
			assert_true(used <= len);
			free(bytes);
		}
		assert_true(r.len <= WIRE_REPLY_MAX);
		assert_int_equal(strlen(r.text), r.len);
		unsigned mv;
		int64_t number;
		enum card_place place;
		wire_text_find(&r);
		wire_volts(&r, &mv);
		wire_number(&r, &number);
		wire_place(&r, &place);
		uint32_t word[4];
		assert_true(wire_words(&r, word) <= 4);
		wire_words_fault(word);
	}
}

/* Torn and garbled planes: refused or turned, never read beyond their end. */
static void
test_plainer_noise(void **state)
{
	static const char *const heads[] = {"\033Dbc;k;2;40;", "\033Db;y;256;",
		"\033Dbc;k;2;99999;", "\033Dbp;y;128;0;1;", "Db;y;256;", "\033Dbc;k;2;"};
	uint32_t seed = 11;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct buf in, out;
		struct err e = {0};
		const char *head = heads[round % ARRAY_LEN(heads)];
		buf_init(&in, 4096);
		buf_init(&out, 1 << 16);
		assert_int_equal(buf_append(&in, head, strlen(head), &e), 0);
		for (size_t n = (seed = seed * 1664525 + 1013904223) >> 24; n > 0; n--) {
			uint8_t b = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
			assert_int_equal(buf_append(&in, &b, 1, &e), 0);
		}
		uint8_t *tight = malloc(in.len); /* so that a sanitizer sees one byte too many */
		memcpy(tight, in.data, in.len);
		struct buf exact = in;
		exact.data = tight;
		wire_plane_plainer(&out, &exact, &e);
		free(tight);
		buf_done(&in);
		buf_done(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pack_vector),
		cmocka_unit_test(test_pack_equals_slow),
		cmocka_unit_test(test_squeeze_lines),
		cmocka_unit_test(test_plane_squeezed),
		cmocka_unit_test(test_plane_whole),
		cmocka_unit_test(test_plane_turned),
		cmocka_unit_test(test_plane_refused),
		cmocka_unit_test(test_reply_texts),
		cmocka_unit_test(test_reply_values),
		cmocka_unit_test(test_reply_ends),
		cmocka_unit_test(test_reply_noise),
		cmocka_unit_test(test_plainer_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
