/*
 * test-roster.c - CSV rosters and their photos.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/data.h"

#define HEADER "证号,姓名,作业类别,准操项目,有效期从,有效期到\n"
#define REST   ",张伟,电工作业,低压电工作业,20210305,20270305\n"
#define GOOD   "T110105199003070017" REST
#define SECOND "T310115198511240022" REST

struct seen {
	unsigned n;
	char text[4096];
};

static void
see(void *ctx, const struct err *e)
{
	struct seen *seen = ctx;
	size_t used = strlen(seen->text);

	seen->n++;
	snprintf(seen->text + used, sizeof seen->text - used, "%s\n", e->text);
}

static int
parse(struct roster **out, const struct schema *s, const char *text, size_t len, struct seen *seen,
	struct err *e)
{
	memset(seen, 0, sizeof *seen);
	return roster_parse(out, s, (const uint8_t *)text, len, "roster.csv", see, seen, e);
}

static void
good_rosters(void **state)
{
	static const struct {
		const char *text;
		size_t n;
	} rows[] = {
		{HEADER GOOD, 1},
		{HEADER GOOD SECOND, 2},
		{"\xef\xbb\xbf" HEADER "\n" GOOD "  \n\n" SECOND ",,,,,\n", 2},
		{"姓名,证号,有效期到,有效期从,作业类别,准操项目,photo,number-kind,\n"
		 "张伟,T110105199003070017,20270305,2021/3/5,\"电工\",\" 低压 \",a.jpg,,\n",
			1},
		{HEADER "T110105199003070017" /* no line end */ ",\"张\"\"伟\",a,b,20210305,"
								"20270305",
			1},
		{"证号,姓名,作业类别,准操项目,有效期从,有效期到\r"
		 "T110105199003070017,张伟,a,b,20210305,20270305\r",
			1},
	};
	struct schema *s = schema_special();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct roster *r;
		struct seen seen;
		if (parse(&r, s, rows[i].text, strlen(rows[i].text), &seen, NULL))
			fail_msg("row %zu: %s", i, seen.text);
		assert_int_equal(r->n_records, rows[i].n);
		assert_string_equal(r->records[0].values[0], "T110105199003070017");
		assert_string_equal(r->records[0].values[schema_field(s, "有效期从")], "20210305");
		assert_int_equal(r->records[0].number, 1);
		roster_destroy(r);
	}
	schema_destroy(s);
}

static void
bad_rosters(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"", "roster.csv: is empty"},
		{HEADER, "roster.csv: holds no record"},
		{GOOD, "line 1: holds no column name"},
		{"证号,姓名,作业类别,准操项目,有效期从\n" GOOD,
			"the required column 有效期到 is missing"},
		{"证号,姓名,作业类别,准操项目,有效期从,有效期到,备注\n" GOOD,
			"the column 备注 is not known"},
		{"证号,姓名,作业类别,准操项目,有效期从,有效期到,姓名\n" GOOD,
			"the column 姓名 is there twice"},
		{HEADER GOOD "T310115198511240022,a,b,c,20210305\n",
			"record 2 (line 3): has 5 cells"},
		{HEADER "T310115198511240022,a,b,c,20210305,20270305,x\n",
			"record 1 (line 2): has 7 cells"},
		{HEADER GOOD GOOD,
			"record 2 (line 3): field 证号: the same value as in record 1 (line 2)"},
		{HEADER "\n\n\"T110105199003070017\",\"张\n伟\",a,b,20210305,20270305\n" SECOND
			",,\n",
			"record 1 (line 4): field 姓名: holds the control character U+000A"},
		{HEADER "T110105199003070017,\"张伟,a,b,20210305,20270305\n",
			"line 2: quotation marks"},
		{HEADER "T110105199003070017,张\"伟,a,b,20210305,20270305\n",
			"line 2: quotation marks"},
		{HEADER "T110105199003070018" REST, "field 证号: the check digit"},
		{HEADER GOOD "\xd6\xa4\xff", "line 3: bytes that are not UTF-8"},
	};
	struct schema *s = schema_special();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct roster *r;
		struct seen seen;
		struct err e = {0};
		assert_int_equal(
			parse(&r, s, rows[i].text, strlen(rows[i].text), &seen, &e), ERR_INPUT);
		assert_null(r);
		if (!strstr(seen.text, rows[i].says))
			fail_msg("row %zu: %s", i, seen.text);
		assert_non_null(strstr(e.text, "nothing was written"));
		/* Names and numbers of holders stay out of every message. */
		assert_null(strstr(seen.text, "T110105"));
		assert_null(strstr(seen.text, "张"));
	}
	schema_destroy(s);
}

static void
every_problem_is_told(void **state)
{
	static const char text[] = HEADER "T110105199003070018,,a,b,2021-13-01,20270305\n" GOOD
					  "x,张㐀,a,b,20210305,20270305\n";
	struct schema *s = schema_special();
	struct roster *r;
	struct seen seen;
	struct err e = {0};

	(void)state;
	assert_int_equal(parse(&r, s, text, strlen(text), &seen, &e), ERR_INPUT);
	assert_int_equal(seen.n, 5);
	assert_non_null(strstr(seen.text, "record 1 (line 2): field 证号"));
	assert_non_null(strstr(seen.text, "record 1 (line 2): field 姓名"));
	assert_non_null(strstr(seen.text, "record 1 (line 2): field 有效期从"));
	assert_non_null(strstr(seen.text, "record 3 (line 4): field 证号"));
	assert_non_null(strstr(seen.text, "record 3 (line 4): field 姓名: the character U+3400"));
	assert_string_equal(e.text, "roster.csv: 5 problems in 3 records; nothing was written.");
	/* Without a sink the first problem is the answer. */
	assert_int_equal(
		roster_parse(&r, s, (const uint8_t *)text, strlen(text), "r", NULL, NULL, &e),
		ERR_INPUT);
	assert_non_null(strstr(e.text, "r: record 1 (line 2): field 证号"));
	schema_destroy(s);
}

static void
nul_and_huge(void **state)
{
	static const char nul[] = HEADER "T110\0005,a,b,c,d,e\n";
	struct schema *s = schema_special();
	struct roster *r;
	struct seen seen;
	char *huge = malloc(100000);

	(void)state;
	assert_int_equal(parse(&r, s, nul, sizeof nul - 1, &seen, NULL), ERR_INPUT);
	assert_non_null(strstr(seen.text, "line 2: holds a NUL byte"));
	/* one cell of 90 000 bytes */
	assert_non_null(huge);
	memset(huge, 'a', 99999);
	memcpy(huge, HEADER, strlen(HEADER));
	huge[99999] = '\0';
	memcpy(huge + 99990, ",,,,,\n", 6);
	assert_int_equal(parse(&r, s, huge, 99996, &seen, NULL), ERR_INPUT);
	assert_non_null(strstr(seen.text, "a cell has more than 4096 bytes"));
	/* 50 000 columns */
	memset(huge, ',', 99999);
	memcpy(huge, "证号", strlen("证号"));
	assert_int_equal(parse(&r, s, huge, 99999, &seen, NULL), ERR_INPUT);
	assert_non_null(strstr(seen.text, "columns"));
	free(huge);
	schema_destroy(s);
}

static void
gb18030_is_the_same_roster(void **state)
{
	static const char *const names[] = {
		"tests/data/roster.csv", "tests/data/roster-gb18030.csv"};
	struct schema *s = schema_special();
	uint8_t hash[2][HASH_LEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[1024], photos[1024];
		struct roster *r;
		struct seen seen = {0};
		source_path(path, sizeof path, names[i]);
		source_path(photos, sizeof photos, "tests/data/photos");
		if (roster_load(&r, s, path, i ? photos : NULL, see, &seen, NULL))
			fail_msg("%s", seen.text);
		assert_int_equal(r->n_records, 6);
		for (size_t k = 0; k < r->n_records; k++)
			assert_true(*r->records[k].photo == '/');
		assert_string_equal(r->records[5].number_kind, "军官证");
		record_hash(hash[i], s, &r->records[4]);
		roster_destroy(r);
	}
	assert_memory_equal(hash[0], hash[1], HASH_LEN);
	schema_destroy(s);
}

static const char *
no_photo(void *ctx, size_t index)
{
	(void)ctx;
	return index ? "photos/0002.jpg" : "";
}

static void
there_and_back(void **state)
{
	static const char text[] =
		HEADER GOOD "T310115198511240022,\"a,\"\"b\"\"\",x,y,20210305,20270305\n";
	struct schema *s = schema_special();
	struct roster *a, *b;
	struct seen seen;
	struct buf csv;
	uint8_t x[HASH_LEN], y[HASH_LEN];

	(void)state;
	buf_init(&csv, 65536);
	assert_int_equal(parse(&a, s, text, strlen(text), &seen, NULL), 0);
	assert_int_equal(roster_build(&csv, s, a, no_photo, NULL, NULL), 0);
	assert_int_equal(parse(&b, s, (char *)csv.data, csv.len, &seen, NULL), 0);
	assert_int_equal(b->n_records, 2);
	for (size_t i = 0; i < 2; i++) {
		record_hash(x, s, &a->records[i]);
		record_hash(y, s, &b->records[i]);
		assert_memory_equal(x, y, HASH_LEN);
	}
	assert_string_equal(b->records[1].values[1], "a,\"b\"");
	assert_string_equal(b->records[1].photo, "photos/0002.jpg");
	buf_done(&csv);
	roster_destroy(a);
	roster_destroy(b);
	schema_destroy(s);
}

/* One record, one folder: what the column says and what lies there. */
static void
photos(void **state)
{
	static const struct {
		const char *cell, *file;
		unsigned width, height, noise;
		int code;
		const char *says;
	} rows[] = {
		{"", "T110105199003070017.JPG", 240, 300, 0, 0, NULL},
		{"", "0001.jpeg", 240, 300, 0, 0, NULL},
		{"me.jpg", "me.jpg", 240, 300, 0, 0, NULL},
		{"", "0002.jpg", 240, 300, 0, ERR_MISSING, "field 照片: no photo"},
		{"me.jpg", "0001.jpg", 240, 300, 0, ERR_MISSING,
			"field 照片 (me.jpg): the photo cannot be read"},
		{"../secret.jpg", "0001.jpg", 240, 300, 0, ERR_INPUT, "leads out of the folder"},
		{"/etc/passwd", "0001.jpg", 240, 300, 0, ERR_INPUT, "inside the folder"},
		{"link.jpg", "0001.jpg", 240, 300, 0, ERR_INPUT, "leads out of the folder"},
		{"", "0001.jpg", 300, 300, 0, ERR_INPUT,
			"(0001.jpg): the photo is 300 wide and 300 high"},
		{"", "0001.jpg", 960, 1200, 60, ERR_INPUT, "at most 20480 are allowed"},
		{"", "T110105199003070017.jpg", 300, 300, 0, ERR_INPUT,
			"(T11************0017.jpg)"},
		{"张伟.jpg", "张伟.jpg", 300, 300, 0, ERR_INPUT, "(*.jpg)"},
	};
	struct schema *s = schema_special();
	char folder[64], path[256], command[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct roster *r;
		struct seen seen = {0};
		struct err e = {0};
		struct buf jpeg;
		char csv[512];
		int n = snprintf(csv, sizeof csv,
			"证号,姓名,作业类别,准操项目,有效期从,有效期到,照片\n"
			"T110105199003070017,张伟,a,b,20210305,20270305,%s\n",
			rows[i].cell);
		scratch_create(folder);
		scratch_write(folder, "roster.csv", csv, (size_t)n);
		scratch_write(folder, "secret.jpg", "x", 1);
		snprintf(path, sizeof path, "%s/photos", folder);
		assert_int_equal(mkdir(path, 0700), 0);
		buf_init(&jpeg, PHOTO_FILE_MAX);
		jpeg_make(&jpeg, rows[i].width, rows[i].height, 90, rows[i].noise);
		scratch_write(path, rows[i].file, jpeg.data, jpeg.len);
		buf_done(&jpeg);
		snprintf(path, sizeof path, "%s/photos/link.jpg", folder);
		assert_int_equal(symlink("../secret.jpg", path), 0);
		snprintf(path, sizeof path, "%s/roster.csv", folder);
		int rc = roster_load(&r, s, path, NULL, see, &seen, &e);
		if (rc != rows[i].code || (rows[i].says && !strstr(seen.text, rows[i].says)))
			fail_msg("row %zu: %d %s", i, rc, seen.text);
		if (rows[i].says)
			assert_memory_equal(
				seen.text, "roster.csv: record 1 (line 2): field 照片", 41);
		assert_null(strstr(seen.text, "T110105"));
		assert_null(strstr(seen.text, "张"));
		roster_destroy(r);
		snprintf(command, sizeof command, "%s/photos/%s", folder, rows[i].file);
		unlink(command);
		snprintf(command, sizeof command, "%s/photos/link.jpg", folder);
		unlink(command);
		snprintf(command, sizeof command, "%s/photos", folder);
		rmdir(command);
		snprintf(command, sizeof command, "%s/secret.jpg", folder);
		unlink(command);
		unlink(path);
		rmdir(folder);
	}
	schema_destroy(s);
}

static void
missing_things(void **state)
{
	struct schema *s = schema_special();
	struct roster *r;
	struct seen seen = {0};
	struct err e = {0};
	char path[1024];

	(void)state;
	assert_int_equal(
		roster_load(&r, s, "/nonexistent/roster.csv", NULL, see, &seen, &e), ERR_MISSING);
	source_path(path, sizeof path, "tests/data/roster.csv");
	assert_int_equal(
		roster_load(&r, s, path, "/nonexistent/photos", see, &seen, &e), ERR_MISSING);
	assert_int_equal(seen.n, 1);
	assert_non_null(strstr(seen.text, "/nonexistent/photos"));
	schema_destroy(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_rosters),
		cmocka_unit_test(bad_rosters),
		cmocka_unit_test(every_problem_is_told),
		cmocka_unit_test(nul_and_huge),
		cmocka_unit_test(gb18030_is_the_same_roster),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(photos),
		cmocka_unit_test(missing_things),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
