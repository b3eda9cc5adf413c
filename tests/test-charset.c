/*
 * test-charset.c - UTF-8, GB18030 and GBK. Bytes were worked out with Python's codecs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/data.h"

static void
gbk_both_ways(void **state)
{
	static const struct {
		const char *text, *hex;
	} rows[] = {
		{"特种作业IC卡", "ccd8d6d6d7f7d2b54943bfa8"},
		{"张伟", "d5c5ceb0"},
		{"阿卜杜拉·买买提", "b0a2b2b7b6c5c0ada1a4c2f2c2f2cce1"},
		{"", ""},
		{"abc 123", "61626320313233"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t out[64];
		char hex[129], back[128];
		size_t len;
		assert_int_equal(charset_to_gbk(out, sizeof out, &len, rows[i].text, NULL), 0);
		hex_build(hex, out, len);
		assert_string_equal(hex, rows[i].hex);
		assert_int_equal(charset_from_gbk(back, sizeof back, out, len, NULL), 0);
		assert_string_equal(back, rows[i].text);
	}
}

static void
gbk_names_what_it_lacks(void **state)
{
	static const struct {
		const char *text, *name;
	} rows[] = {
		{"ab€", "U+20AC"}, /* one byte in CP936: not two-byte GBK */
		{"㐀", "U+3400"},  /* four bytes in GB18030 */
		{"ǹ", "U+01F9"},   /* two bytes in GB18030, none in GBK */
		{"\xf0\xa0\x80\x80", "U+20000"},
		{"阿•提", "U+2022"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t out[64];
		size_t len;
		struct err e = {0};
		assert_int_equal(
			charset_to_gbk(out, sizeof out, &len, rows[i].text, &e), ERR_INPUT);
		assert_non_null(strstr(e.text, rows[i].name));
	}
}

static void
gbk_tells_the_length_needed(void **state)
{
	uint8_t out[4] = {0, 0, 0, 0xee};
	size_t len;

	(void)state;
	assert_int_equal(charset_to_gbk(out, 3, &len, "张伟", NULL), 0);
	assert_int_equal(len, 4);
	assert_int_equal(out[3], 0xee);
	assert_int_equal(charset_to_gbk(NULL, 0, &len, "张伟", NULL), 0);
	assert_int_equal(len, 4);
}

static void
gbk_refuses_broken_bytes(void **state)
{
	static const uint8_t half[] = {0xd5, 0xc5, 0xce}, bad[] = {0xff, 0x41}, nul[] = {'a', 0};
	char out[64];
	struct err e = {0};

	(void)state;
	assert_int_equal(charset_from_gbk(out, sizeof out, half, sizeof half, &e), ERR_INPUT);
	assert_int_equal(charset_from_gbk(out, sizeof out, bad, sizeof bad, &e), ERR_INPUT);
	assert_int_equal(charset_from_gbk(out, sizeof out, nul, sizeof nul, &e), ERR_INPUT);
	assert_int_equal(charset_from_gbk(out, 4, half, 2, &e), 0);
	assert_int_equal(charset_from_gbk(out, 3, half, 2, &e), ERR_INTERNAL);
}

static void
text_becomes_utf8(void **state)
{
	static const struct {
		const char *in, *out, *says; /* out NULL: refused, and says is in the message */
	} rows[] = {
		{"证号,姓名\n", "证号,姓名\n", NULL},
		{"\xef\xbb\xbf证号\n", "证号\n", NULL},
		{"\xd6\xa4\xba\xc5,\xd0\xd5\xc3\xfb\n", "证号,姓名\n", NULL},
		{"a\n\x81\x39\xee\x39\n", "a\n㐀\n", NULL},
		{"a\n\xd6\xa4\n\xff\n", NULL, "line 3"},
		{"\xd6\xa4\n\xba", NULL, "line 2"},
		{"\xef\xbb\xbfok\nbad\xff\n", NULL, "line 2"},
		/* UTF-8 with one broken byte is not taken for GB18030 */
		{"证号姓名性别\n工作单位\xd6\xce\n", NULL, "line 2"},
		{"\xff\xfe\x41", NULL, "UTF-16"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out;
		struct err e = {0};
		buf_init(&out, 4096);
		int rc = charset_to_utf8(
			&out, (const uint8_t *)rows[i].in, strlen(rows[i].in), "x.csv", &e);
		if (rows[i].out) {
			assert_int_equal(rc, 0);
			assert_int_equal(out.len, strlen(rows[i].out));
			assert_memory_equal(out.data, rows[i].out, out.len);
		} else {
			assert_int_equal(rc, ERR_INPUT);
			assert_non_null(strstr(e.text, rows[i].says));
			assert_non_null(strstr(e.text, "x.csv"));
		}
		buf_done(&out);
	}
}

static void
utf8_is_strict(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		uint32_t cp;
	} rows[] = {
		{"a", 1, 'a'},
		{"é", 2, 0xe9},
		{"张", 3, 0x5f20},
		{"\xf0\x9f\x98\x80", 4, 0x1f600},
		{"\xc0\xaf", 0, 0},         /* overlong */
		{"\xe0\x80\xaf", 0, 0},     /* overlong */
		{"\xed\xa0\x80", 0, 0},     /* surrogate */
		{"\xf4\x90\x80\x80", 0, 0}, /* above U+10FFFF */
		{"\xe5\xbc", 0, 0},         /* cut */
		{"\x80", 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t cp = 0;
		assert_int_equal(utf8_next(&cp, rows[i].text, strlen(rows[i].text)), rows[i].n);
		if (rows[i].n)
			assert_int_equal(cp, rows[i].cp);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gbk_both_ways),
		cmocka_unit_test(gbk_names_what_it_lacks),
		cmocka_unit_test(gbk_tells_the_length_needed),
		cmocka_unit_test(gbk_refuses_broken_bytes),
		cmocka_unit_test(text_becomes_utf8),
		cmocka_unit_test(utf8_is_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
