/*
 * test-record.c - record.schema and the rules of one record.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/data.h"

/* The table of the old system, in its order, as the specification lists it. */
static void
schema_is_the_old_table(void **state)
{
	static const struct {
		const char *name;
		size_t bytes;
	} rows[] = {
		{"证号", 20},
		{"姓名", 26},
		{"性别", 2},
		{"文化程度", 10},
		{"工作单位", 32},
		{"单位类别", 16},
		{"通讯地址", 32},
		{"联系电话", 16},
		{"作业类别", 32},
		{"准操项目", 32},
		{"培训单位", 32},
		{"发证机关", 32},
		{"理论成绩", 14},
		{"实操成绩", 14},
		{"初领日期", 8},
		{"发证日期", 8},
		{"本工种工龄", 2},
		{"一次复审期", 8},
		{"二次复审期", 8},
		{"复审记录1", 32},
		{"复审记录2", 32},
		{"有效期从", 8},
		{"有效期到", 8},
		{"证件标识", 14},
		{"复审标识", 1},
		{"备用1", 20},
		{"备用2", 20},
		{"备用3", 20},
		{"备用4", 20},
	};
	static const char *const required[] = {
		"证号", "姓名", "作业类别", "准操项目", "有效期从", "有效期到"};
	struct schema *s = schema_special();
	size_t n_required = 0;

	(void)state;
	assert_int_equal(s->n_fields, ARRAY_LEN(rows));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_string_equal(s->fields[i].name, rows[i].name);
		assert_int_equal(s->fields[i].max_bytes, rows[i].bytes);
		n_required += s->fields[i].required;
	}
	assert_int_equal(n_required, ARRAY_LEN(required));
	for (size_t i = 0; i < ARRAY_LEN(required); i++)
		assert_true(s->fields[schema_field(s, required[i])].required);
	assert_int_equal(s->number_field, 0);
	assert_int_equal(s->name_field, 1);
	assert_true(s->fields[0].unique);
	assert_true(s->photo_required);
	assert_int_equal(s->photo_max_bytes, 20480);
	assert_int_equal(s->photo_ratio_h * 4, s->photo_ratio_w * 5);
	schema_destroy(s);
}

static void
schema_says_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"template t\nfield a 5\n", NULL},
		{"template t # why\n\nfield a 5 text required # a\nphoto required ratio=5:4 "
		 "max=20480\n",
			NULL},
		{"", "names no field"},
		{"field a 5\n", "template NAME"},
		{"template t\nfield a\n", "line 2"},
		{"template t\nfield a 0\n", "line 2"},
		{"template t\nfield a 256\n", "line 2"},
		{"template t\nfield a 99999999999999\n", "line 2"},
		{"template t\nfield a 5\nfield a 6\n", "line 3"},
		{"template t\nfield a 5 colour\n", "line 2"},
		{"template t\nfield a 7 date\n", "line 2"},
		{"template t\nfield 照片 7\n", "line 2"},
		{"template t\nfield a=b 7\n", "line 2"},
		{"template t\nnumber b\nfield a 5\n", "line 2"},
		{"template t\nholder b\nfield a 5\n", "line 2"},
		{"template t\nphoto ratio=5\nfield a 5\n", "line 2"},
		{"template t\nphoto ratio=0:4\nfield a 5\n", "line 2"},
		{"template t\nsurprise\nfield a 5\n", "line 2"},
		{"template\nfield a 5\n", "line 1"},
		{"template t\nfield a\xff 5\n", "line 2"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct schema *s;
		struct err e = {0};
		int rc = schema_parse(
			&s, (const uint8_t *)rows[i].text, strlen(rows[i].text), "r.schema", &e);
		if (!rows[i].says) {
			assert_int_equal(rc, 0);
		} else {
			assert_int_equal(rc, ERR_INPUT);
			assert_null(s);
			assert_non_null(strstr(e.text, "r.schema"));
			if (!strstr(e.text, rows[i].says))
				fail_msg("row %zu says: %s", i, e.text);
		}
		schema_destroy(s);
	}
}

static void
dates(void **state)
{
	static const struct {
		const char *text, *out;
	} rows[] = {
		{"20240229", "20240229"},
		{"2024-02-29", "20240229"},
		{"2024/2/29", "20240229"},
		{"2024/02/09", "20240209"},
		{"2024/2/9", "20240209"},
		{"20230229", NULL},
		{"21000229", NULL},
		{"20000229", "20000229"},
		{"2024-2-29", NULL},
		{"2024-13-01", NULL},
		{"2024/0/1", NULL},
		{"2024/1/32", NULL},
		{"2024-01/01", NULL},
		{"2024/1", NULL},
		{"2024/1/", NULL},
		{"2024//11", NULL},
		{"20241", NULL},
		{"2024010", NULL},
		{"2024.01.01", NULL},
		{"2024年1月1", NULL},
		{"18991231", NULL},
		{"2024/1/1 ", NULL},
		{"2024/111/1", NULL},
		{"２０２４", NULL},
		{"", NULL},
		{"+2024-01-1", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[9] = "";
		assert_int_equal(date_parse(out, rows[i].text), rows[i].out != NULL);
		if (rows[i].out)
			assert_string_equal(out, rows[i].out);
	}
}

static void
value_set(struct record *r, const struct schema *s, const char *field, const char *value)
{
	char **slot =
		!strcmp(field, COLUMN_KIND) ? &r->number_kind : &r->values[schema_field(s, field)];

	free(*slot);
	*slot = strdup(value);
}

static void
record_good(struct record *r, const struct schema *s)
{
	assert_int_equal(record_create(r, s, NULL), 0);
	r->number = 7;
	value_set(r, s, "证号", "T110105199003070017");
	value_set(r, s, "姓名", "张伟");
	value_set(r, s, "作业类别", "电工作业");
	value_set(r, s, "准操项目", "低压电工作业");
	value_set(r, s, "有效期从", "2021/3/5");
	value_set(r, s, "有效期到", "2027-03-05");
}

/* One field changed in a good record: either the value kept, or what the message says. */
static void
one_field(void **state)
{
	static const struct {
		const char *field, *value, *kept, *says;
	} rows[] = {
		{"证号", "T110105199003070017", "T110105199003070017", NULL},
		{"证号", "TM51010419880810007x", "TM51010419880810007X", NULL},
		{"证号", " T110105199003070017 ", "T110105199003070017", NULL},
		{"证号", "T110105199003070018", NULL, "check digit"},
		{"证号", "T11010519900307001", NULL, "18 characters"},
		{"证号", "110105199003070017", NULL, "begin with T"},
		{"证号", "t110105199003070017", NULL, "begin with T"},
		{"证号", "T1101051990030700１７", NULL, "18 characters"},
		{"证号", "T11010519900230001X", NULL, "birth date"},
		{"证号", "", NULL, "filled in"},
		{"姓名", "   ", NULL, "filled in"},
		{"姓名", "一二三四五六七八九十一二三", "一二三四五六七八九十一二三", NULL},
		{"姓名", "一二三四五六七八九十一二三四", NULL, "28 bytes in GBK, at most 26 fit"},
		{"姓名", "张㐀", NULL, "U+3400"},
		{"姓名", "张\t伟", NULL, "U+0009"},
		{"姓名", "张\n伟", NULL, "U+000A"},
		{"姓名", "张\xc2\x85", NULL, "U+0085"},
		{"姓名", "张\xff", NULL, "UTF-8"},
		{"性别", "男", "男", NULL},
		{"性别", "女", "女", NULL},
		{"性别", "M", NULL, "男"},
		{"有效期从", "20230229", NULL, "calendar"},
		{"有效期从", "", NULL, "filled in"},
		{"初领日期", "", "", NULL},
		{"本工种工龄", "12", "12", NULL},
		{"本工种工龄", "3年", NULL, "digits"},
		{"本工种工龄", "123", NULL, "3 bytes in GBK, at most 2 fit"},
		{"复审标识", "是", NULL, "2 bytes in GBK, at most 1 fit"},
		{COLUMN_KIND, "身份证", "", NULL},
		{COLUMN_KIND, "飞行证", NULL, "军官证"},
	};
	struct schema *s = schema_special();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct record r;
		struct err e = {0};
		record_good(&r, s);
		value_set(&r, s, rows[i].field, rows[i].value);
		int rc = record_check(&r, s, "roster.csv", 8, &e);
		if (rows[i].kept) {
			if (rc)
				fail_msg("row %zu: %s", i, e.text);
			assert_string_equal(strcmp(rows[i].field, COLUMN_KIND)
						    ? r.values[schema_field(s, rows[i].field)]
						    : r.number_kind,
				rows[i].kept);
			assert_string_equal(r.values[schema_field(s, "有效期到")], "20270305");
		} else {
			char place[128];
			assert_int_equal(rc, ERR_INPUT);
			snprintf(place, sizeof place,
				"roster.csv: record 7 (line 8): field %s: ", rows[i].field);
			assert_memory_equal(e.text, place, strlen(place));
			if (!strstr(e.text, rows[i].says))
				fail_msg("row %zu: %s", i, e.text);
			/* The value itself is nobody's business. */
			assert_true(strlen(rows[i].value) < 4 || !strstr(e.text, rows[i].value));
		}
		record_done(&r, s);
	}
	schema_destroy(s);
}

/* Another document's number is judged only by what can be said of it, and only when it is declared.
 */
static void
other_documents(void **state)
{
	static const struct {
		const char *kind, *number;
		bool good;
	} rows[] = {
		{"军官证", "T军字第20190042号", true},
		{"", "T军字第20190042号", false},
		{"军官证", "军字第20190042号", true},
		{"服刑人员编号", "TM1234567", true},
		{"军官证", "T12 34", false},
		{"军官证", "T123456789012345678901", false},
		{"军官证", "", false},
	};
	struct schema *s = schema_special();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct record r;
		struct err e = {0};
		record_good(&r, s);
		value_set(&r, s, COLUMN_KIND, rows[i].kind);
		value_set(&r, s, "证号", rows[i].number);
		assert_int_equal(record_check(&r, s, "r.csv", 0, &e) == 0, rows[i].good);
		if (!rows[i].good)
			assert_memory_equal(e.text, "r.csv: record 7: field ", 23);
		record_done(&r, s);
	}
	schema_destroy(s);
}

static void
count_problem(void *ctx, const struct err *e)
{
	(void)e;
	++*(int *)ctx;
}

static void
all_problems_are_told(void **state)
{
	struct schema *s = schema_special();
	struct record r;
	int n = 0;

	(void)state;
	assert_int_equal(record_create(&r, s, NULL), 0);
	value_set(&r, s, "性别", "x");
	assert_int_equal(record_problems(&r, s, "r.csv", 2, count_problem, &n), ERR_INPUT);
	assert_int_equal(n, 7); /* six required fields and the sex */
	record_done(&r, s);
	schema_destroy(s);
}

static void
masks(void **state)
{
	static const struct {
		enum mask_kind kind;
		const char *value, *shown;
	} rows[] = {
		{MASK_NUMBER, "T110105199003070017", "T11************0017"},
		{MASK_NUMBER, "T军字第20190042号", "T军字******042号"},
		{MASK_NUMBER, "12345678", "1*****78"},
		{MASK_NUMBER, "12345", "*****"},
		{MASK_NAME, "张伟", "张*"},
		{MASK_NAME, "阿卜杜拉·买买提", "阿*******"},
		{MASK_NAME, "张", "*"},
		{MASK_HIDE, "秘密", "**"},
		{MASK_SHOW, "电工作业", "电工作业"},
		{MASK_SHOW, "a\tb", "a*b"},
		{MASK_NUMBER, "", ""},
	};
	char small[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[64];
		value_mask(out, sizeof out, rows[i].kind, rows[i].value);
		assert_string_equal(out, rows[i].shown);
	}
	value_mask(small, sizeof small, MASK_SHOW, "张伟");
	assert_string_equal(small, "张");
}

static void
hash_sees_every_change(void **state)
{
	struct schema *s = schema_special();
	struct record a, b;
	uint8_t x[HASH_LEN], y[HASH_LEN];

	(void)state;
	record_good(&a, s);
	assert_int_equal(record_copy(&b, &a, s, NULL), 0);
	record_hash(x, s, &a);
	record_hash(y, s, &b);
	assert_memory_equal(x, y, HASH_LEN);
	/* A value that moves to the next field is another record. */
	value_set(&b, s, "备用1", "k");
	record_hash(x, s, &b);
	value_set(&b, s, "备用1", "");
	value_set(&b, s, "备用2", "k");
	record_hash(y, s, &b);
	assert_memory_not_equal(x, y, HASH_LEN);
	value_set(&b, s, "备用2", "");
	value_set(&b, s, COLUMN_KIND, "军官证");
	record_hash(x, s, &a);
	record_hash(y, s, &b);
	assert_memory_not_equal(x, y, HASH_LEN);
	record_done(&a, s);
	record_done(&b, s);
	schema_destroy(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schema_is_the_old_table),
		cmocka_unit_test(schema_says_what_is_wrong),
		cmocka_unit_test(dates),
		cmocka_unit_test(one_field),
		cmocka_unit_test(other_documents),
		cmocka_unit_test(all_problems_are_told),
		cmocka_unit_test(masks),
		cmocka_unit_test(hash_sees_every_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
