/*
 * test-logicmap.c - logic.map and a record's bytes on a memory card.
 *
 * The expected bytes were worked out by hand from the GBK table.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/logicmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct schema *schema;

static int
parse(struct logic_map *m, const char *text, struct err *e)
{
	*e = (struct err){0};
	return logic_map_parse(m, (const uint8_t *)text, strlen(text), "logic.map", schema, e);
}

static void
test_good(void **state)
{
	struct logic_map m;
	struct record r;
	struct err e;
	uint8_t data[LOGIC_MAP_BYTES];

	(void)state;
	assert_int_equal(parse(&m, "# a comment\n姓名 26\n性别 4\n", &e), 0);
	assert_int_equal(m.n, 2);
	assert_int_equal(m.used, 30);
	assert_int_equal(record_create(&r, schema, &e), 0);
	free(r.values[schema_field(schema, "姓名")]);
	r.values[schema_field(schema, "姓名")] = strdup("张伟");
	free(r.values[schema_field(schema, "性别")]);
	r.values[schema_field(schema, "性别")] = strdup("男");
	assert_int_equal(logic_data_build(data, &m, schema, &r, &e), 0);
	assert_memory_equal(data, "\xd5\xc5\xce\xb0                      \xc4\xd0  \0\0", 32);
	/* 14 characters of two bytes do not fit into 26 */
	free(r.values[schema_field(schema, "姓名")]);
	r.values[schema_field(schema, "姓名")] = strdup("张张张张张张张张张张张张张张");
	assert_int_equal(logic_data_build(data, &m, schema, &r, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "姓名"));
	for (unsigned i = 0; i < LOGIC_MAP_BYTES; i++)
		assert_int_equal(data[i], 0);
	record_done(&r, schema);
}

static void
test_bad(void **state)
{
	static const char *const bad[] = {"", "# nothing\n", "姓名\n", "姓名 x\n", "姓名 0\n",
		"姓名 25\n", "姓名 26 7\n", "姓名 209\n", "姓名 26x\n", "nobody 8\n",
		"姓名 26\n姓名 26\n", "姓名 200\n性别 9\n", "姓名 99999999999999999999\n",
		"姓名 -26\n", "\xff\xfe\xff\n"};
	struct logic_map m;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(parse(&m, bad[i], &e), ERR_INPUT);
		assert_non_null(strstr(e.text, "logic.map"));
	}
}

/* Any text: a map whose places lie inside the card, or an error. */
static void
test_any(void **state)
{
	static const char *const words[] = {"姓名", "性别", "证号", " ", "\n", "26", "20", "2", "8",
		"#", "\xff", "208", "\t", "x"};
	unsigned seed = 3, good = 0;
	struct logic_map m;
	struct err e;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		char text[256] = "";
		size_t n = 0;
		for (unsigned k = 0; k < 12; k++) {
			seed = seed * 1103515245 + 12345;
			n += (size_t)snprintf(text + n, sizeof text - n, "%s",
				words[(seed >> 16) % ARRAY_LEN(words)]);
		}
		if (parse(&m, text, &e) != 0)
			continue;
		good++;
		for (size_t k = 0; k < m.n; k++)
			assert_true(m.place[k].at + m.place[k].len <= LOGIC_MAP_BYTES);
	}
	assert_true(good > 0);
}

static int
setup(void **state)
{
	const char *source = getenv("srcdir");
	char path[4096];

	(void)state;
	snprintf(path, sizeof path, "%s/templates/special-operation/record.schema",
		source ? source : ".");
	return schema_load(&schema, path, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	schema_destroy(schema);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_any),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
