/*
 * test-escape.c - escapes in a page's text. The spellings are those of the printers' own manuals,
 * the lengths those of ISO/IEC 7811; and a run of broken lines that only has to end.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/escape.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_37 "1234567890123456789012345678901234567"

static const struct {
	const char *line;
	int rc;
	const char *track[MAGNETIC_TRACKS], *chip;
} rows[] = {
	{"Anna Lindqvist", 0, {"", "", ""}, ""},
	{"", 0, {"", "", ""}, ""},
	{"~", 0, {"", "", ""}, ""},
	{"~ 5 km", 0, {"", "", ""}, ""},
	{"a~1b", 0, {"", "", ""}, ""},
	{"~1ENCODED", 1, {"ENCODED", "", ""}, ""},
	{"~1=ENCODED", 1, {"ENCODED", "", ""}, ""},
	{"~1%ENCODED?", 1, {"ENCODED", "", ""}, ""},
	{"  ~1%A B^C/D?  ", 1, {"A B^C/D", "", ""}, ""},
	{"~1lower", 1, {"LOWER", "", ""}, ""},
	{"~2123=456", 1, {"", "123=456", ""}, ""},
	{"~2;123=456?", 1, {"", "123=456", ""}, ""},
	{"~3=123", 1, {"", "", "123"}, ""},
	{"~1A ~2;1? ~3=2", 1, {"A", "1", "2"}, ""},
	{"~2" DIGITS_37, 1, {"", DIGITS_37, ""}, ""},
	{"~2" DIGITS_37 "8", ERR_INPUT, {"", "", ""}, ""},
	{"~CT1234", 1, {"", "", ""}, "T1234"},
	{"~C=T1234", 1, {"", "", ""}, "T1234"},
	{"~Cname=Anna;no=1", 1, {"", "", ""}, "name=Anna;no=1"},
	{"~1", ERR_INPUT, {"", "", ""}, ""},
	{"~C", ERR_INPUT, {"", "", ""}, ""},
	{"~1%", ERR_INPUT, {"", "", ""}, ""},
	{"~1%?", ERR_INPUT, {"", "", ""}, ""},
	{"~1%BROKEN", ERR_INPUT, {"", "", ""}, ""},
	{"~2ABC", ERR_INPUT, {"", "", ""}, ""},
	{"~1A?B", ERR_INPUT, {"", "", ""}, ""},
	{"~1\xe6\x9e\x97", ERR_INPUT, {"", "", ""}, ""},
	{"~4X", ERR_INPUT, {"", "", ""}, ""},
	{"~x", ERR_INPUT, {"", "", ""}, ""},
	{"~~1A", ERR_INPUT, {"", "", ""}, ""},
	{"Name ~1A", ERR_INPUT, {"", "", ""}, ""},
	{"~1A ~1B", ERR_INPUT, {"", "", ""}, ""},
	{"~1A ~9", ERR_INPUT, {"", "", ""}, ""},
};

static void
test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct escapes x = {0};
		struct err e = {0};
		int rc = escape_parse(&x, rows[i].line, strlen(rows[i].line), &e);
		if (rc != rows[i].rc)
			fail_msg("%s: %d", rows[i].line, rc);
		for (int t = 0; t < MAGNETIC_TRACKS; t++)
			assert_string_equal(x.track[t], rows[i].track[t]);
		assert_string_equal(x.chip, rows[i].chip);
		if (rc < 0)
			assert_true(e.text[0] != '\0');
	}
}

static void
test_twice(void **state)
{
	struct escapes x = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(escape_parse(&x, "~1A", 3, &e), 1);
	assert_int_equal(escape_parse(&x, "~1B", 3, &e), ERR_INPUT);
	assert_string_equal(x.track[0], "A");
}

static void
test_fields(void **state)
{
	char text[] = "template=badge; name = Anna Berg ;no=1;;odd";
	char *rest = text, *name, *value;

	(void)state;
	assert_true(escape_field(&rest, &name, &value));
	assert_string_equal(name, "template");
	assert_string_equal(value, "badge");
	assert_true(escape_field(&rest, &name, &value));
	assert_string_equal(name, "name");
	assert_string_equal(value, "Anna Berg");
	assert_true(escape_field(&rest, &name, &value));
	assert_string_equal(value, "1");
	assert_true(escape_field(&rest, &name, &value));
	assert_string_equal(name, "odd");
	assert_null(value);
	assert_false(escape_field(&rest, &name, &value));
}

/* Every byte string is an escape, a line or an error; what is taken obeys the tracks' rules. */
static void
test_noise(void **state)
{
	static const char letters[] = "~~~~123C=%;? \tAz9^\xe6\x9e";
	unsigned seed = 1;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		struct escapes x = {0};
		char line[24];
		size_t len = (seed = seed * 1103515245 + 12345) >> 16 & 15;
		for (size_t c = 0; c < len; c++)
			line[c] = letters[((seed = seed * 1103515245 + 12345) >> 16) %
					  (sizeof letters - 1)];
		char *copy = malloc(len + 1); /* the sanitizers see a read behind the line */
		memcpy(copy, line, len);
		int rc = escape_parse(&x, copy, len, NULL);
		assert_true(rc == 0 || rc == 1 || rc == ERR_INPUT);
		assert_true(strspn(x.track[1], "0123456789:<=>") == strlen(x.track[1]));
		free(copy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines),
		cmocka_unit_test(test_twice), cmocka_unit_test(test_fields),
		cmocka_unit_test(test_noise)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
