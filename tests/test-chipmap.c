/*
 * test-chipmap.c - chip.map and the chip image, both ways. The bytes of the golden blocks were
 * written down with Python's gbk codec from the table of the specification.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/data.h"

static struct chip_map *
map_special(const struct schema *s)
{
	char path[1024];
	struct chip_map *m = NULL;
	struct err e = {0};

	source_path(path, sizeof path, "templates/special-operation/chip.map");
	if (chip_map_load(&m, path, s, &e))
		fail_msg("%s", e.text);
	return m;
}

static void
value_set(struct record *r, const struct schema *s, const char *field, const char *value)
{
	char **slot = &r->values[schema_field(s, field)];

	free(*slot);
	*slot = strdup(value);
}

static void
blocks_of_the_specification(void **state)
{
	struct schema *s = schema_special();
	struct chip_map *m = map_special(s);
	uint64_t data, mac;

	(void)state;
	chip_map_blocks(m, &data, &mac);
	assert_true(mac == 0x6);
	/* 1 = 1 and 2 carry the MAC; sectors 1 to 10 have three data blocks each. */
	for (unsigned b = 0; b < CHIP_BLOCKS; b++)
		assert_int_equal(data >> b & 1, b >= 4 && b <= 42 && b % 4 != 3);
	assert_int_equal(__builtin_popcountll(data | mac), 32);
	chip_map_destroy(m);
	schema_destroy(s);
}

static void
golden_blocks(void **state)
{
	static const struct {
		unsigned block;
		const char *hex;
	} rows[] = {
		{4, "544d3531303130343139383830383130"}, /* TM51010419880810 */
		{5, "30303758b0a2b2b7b6c5c0ada1a4c2f2"}, /* 007X + first 12 bytes of the name */
		{6, "c2f2cce120202020202020202020c4d0"}, /* the other 14, and 男 */
		{8, "b8dfd6d02020202020200000000000"
		    "00"}, /* 高中 padded to 10, then 00 */
		{30, "32303231303330352020202020202020"},
		{38, "32303231303330353230323730333035"},
		{40, "545a30303030303520202020202020"
		     "20"},
		{41, "30332000000000000000000000000000"}, /* 0, then the years of service "3 " */
		{42, "ccd8d6d6d7f7d2b54943bfa800000000"},
		{9, "20202020202020202020202020202020"}, /* an empty field is blanks */
		{1, "00000000000000000000000000000000"},
		{3, "00000000000000000000000000000000"},
		{43, "00000000000000000000000000000000"},
	};
	struct schema *s = schema_special();
	struct chip_map *m = map_special(s);
	struct chip_image image;
	struct record r, back;
	struct err e = {0};

	(void)state;
	assert_int_equal(record_create(&r, s, NULL), 0);
	value_set(&r, s, "证号", "TM51010419880810007X");
	value_set(&r, s, "姓名", "阿卜杜拉·买买提");
	value_set(&r, s, "性别", "男");
	value_set(&r, s, "文化程度", "高中");
	value_set(&r, s, "初领日期", "20210305");
	value_set(&r, s, "有效期从", "20210305");
	value_set(&r, s, "有效期到", "20270305");
	value_set(&r, s, "证件标识", "TZ000005");
	value_set(&r, s, "复审标识", "0");
	value_set(&r, s, "本工种工龄", "3");
	assert_int_equal(chip_image_build(&image, m, s, &r, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char hex[2 * CHIP_BLOCK_LEN + 1];
		hex_build(hex, image.block[rows[i].block], CHIP_BLOCK_LEN);
		assert_string_equal(hex, rows[i].hex);
	}
	assert_int_equal(chip_image_parse(&image, m, s, &back, &e), 0);
	for (size_t i = 0; i < s->n_fields; i++)
		assert_string_equal(back.values[i], r.values[i]);
	record_done(&back, s);
	record_done(&r, s);
	chip_map_destroy(m);
	schema_destroy(s);
}

static void
a_chip_that_is_not_ours(void **state)
{
	struct schema *s = schema_special();
	struct chip_map *m = map_special(s);
	struct chip_image good, image = {0};
	struct record r, back;
	struct err e = {0};

	(void)state;
	assert_int_equal(chip_image_parse(&image, m, s, &back, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "block 42"));
	assert_int_equal(record_create(&r, s, NULL), 0);
	assert_int_equal(chip_image_build(&good, m, s, &r, NULL), 0);
	image = good;
	image.block[4][0] = 0xff;
	assert_int_equal(chip_image_parse(&image, m, s, &back, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "证号"));
	image = good;
	image.block[8][15] = 'x';
	assert_int_equal(chip_image_parse(&image, m, s, &back, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "block 8"));
	record_done(&r, s);
	chip_map_destroy(m);
	schema_destroy(s);
}

static void
values_that_do_not_fit(void **state)
{
	struct schema *s = schema_special();
	struct chip_map *m = map_special(s);
	struct chip_image image;
	struct record r;
	struct err e = {0};

	(void)state;
	assert_int_equal(record_create(&r, s, NULL), 0);
	r.number = 3;
	value_set(&r, s, "文化程度", "一二三四五六");
	assert_int_equal(chip_image_build(&image, m, s, &r, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "record 3: field 文化程度: 12 bytes"));
	value_set(&r, s, "文化程度", "㐀");
	assert_int_equal(chip_image_build(&image, m, s, &r, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "U+3400"));
	/* 9 bytes and half a character more: one over, and never cut */
	value_set(&r, s, "文化程度", "123456789十");
	assert_int_equal(chip_image_build(&image, m, s, &r, &e), ERR_INPUT);
	record_done(&r, s);
	chip_map_destroy(m);
	schema_destroy(s);
}

static void
hash_is_over_data_blocks(void **state)
{
	struct schema *s = schema_special();
	struct chip_map *m = map_special(s);
	struct chip_image image;
	struct record r;
	uint8_t a[HASH_LEN], b[HASH_LEN];

	(void)state;
	assert_int_equal(record_create(&r, s, NULL), 0);
	assert_int_equal(chip_image_build(&image, m, s, &r, NULL), 0);
	chip_image_hash(a, &image);
	image.block[1][0] = 1; /* the MAC is not data */
	chip_image_hash(b, &image);
	assert_memory_equal(a, b, HASH_LEN);
	image.block[42][15] = 1;
	chip_image_hash(b, &image);
	assert_memory_not_equal(a, b, HASH_LEN);
	record_done(&r, s);
	chip_map_destroy(m);
	schema_destroy(s);
}

static void
maps_that_are_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"4 = a[1,4]\n", NULL},
		{"1 2 = MAC\n4 = a[1,4] \"x # y\" # why\n", NULL},
		{"4=a[3,2] a[1,2]\n", NULL},
		{"4 = a[1,6]\n", NULL}, /* two blanks behind it */
		{"", "nothing"},
		{"1 2 = MAC\n", "nothing"},
		{"0 = a[1,4]\n", "line 1: block 0"},
		{"7 = a[1,4]\n", "line 1: block 7"},
		{"63 = a[1,4]\n", "line 1: block 63"},
		{"3 4 = MAC\n5 = a[1,4]\n", "line 1: block 3"},
		{"64 = a[1,4]\n", "line 1"},
		{"-4 = a[1,4]\n", "line 1"},
		{"4 = a[1,4]\n4 = b[1,2]\n", "line 2: block 4"},
		{"1 2 = MAC\n2 = a[1,4]\n", "line 2: block 2"},
		{"1 1 = MAC\n4 = a[1,4]\n", "line 1"},
		{"1 = MAC\n4 = a[1,4]\n", "line 1"},
		{"1 2 4 = MAC\n5 = a[1,4]\n", "line 1"},
		{"1 2 = MAC\n4 5 = MAC\n6 = a[1,4]\n", "line 2"},
		{"4 5 = a[1,4]\n", "line 1"},
		{"4 = c[1,4]\n", "no field c"},
		{"4 = a[1,4] \"1234567890123\"\n", "17 bytes for block 4"},
		{"4 = \"12345678901234567890\"\n", "block 4"},
		{"4 = a[1,17]\n", "block 4"},
		{"4 = a[1,2]\n", "byte 3 of field a"},
		{"4 = a[1,4]\n5 = a[4,1]\n", "byte 4 of field a has a place"},
		{"4 = a[5,1]\n", "no byte 5"},
		{"4 = a[0,4]\n", "line 1"},
		{"4 = a[1,0]\n", "line 1"},
		{"4 = a[1]\n", "line 1"},
		{"4 = a\n", "line 1"},
		{"4 = \"x\n", "line 1"},
		{"4 = \"\"\n", "line 1"},
		{"4 = \"㐀\"\n", "U+3400"},
		{"4 =\n", "line 1"},
		{"4 a[1,4]\n", "line 1"},
		{"= a[1,4]\n", "line 1"},
	};
	static const char text[] = "template t\nfield a 4\nfield b 2\n";
	struct schema *s;

	(void)state;
	assert_int_equal(schema_parse(&s, (const uint8_t *)text, strlen(text), "s", NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct chip_map *m;
		struct err e = {0};
		int rc = chip_map_parse(
			&m, (const uint8_t *)rows[i].text, strlen(rows[i].text), "chip.map", s, &e);
		if (!rows[i].says) {
			if (rc)
				fail_msg("row %zu: %s", i, e.text);
		} else {
			assert_int_equal(rc, ERR_INPUT);
			assert_null(m);
			assert_memory_equal(e.text, "chip.map: ", 10);
			if (!strstr(e.text, rows[i].says))
				fail_msg("row %zu: %s", i, e.text);
		}
		chip_map_destroy(m);
	}
	schema_destroy(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_of_the_specification),
		cmocka_unit_test(golden_blocks),
		cmocka_unit_test(a_chip_that_is_not_ours),
		cmocka_unit_test(values_that_do_not_fit),
		cmocka_unit_test(hash_is_over_data_blocks),
		cmocka_unit_test(maps_that_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
