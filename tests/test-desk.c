/*
 * test-desk.c - desk.rules, the judgement of a record, reviews, NDEF maps and messages, maps of
 * other systems' cards; and random damage to each of these texts.
 *
 * Dates and bytes are worked out by hand from card-products' rules and NFC Forum's NDEF 1.0.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/desk.h"
#include "filters/logic-parse.h"
#include "filters/ndef.h"
#include "tests/data.h"

static const char rules_text[] = "valid 有效期从 有效期到\nreview 一次复审期 复审记录1\n"
				 "review 二次复审期 复审记录2\nmark 复审标识\nfixed 证号 姓名\n"
				 "printed 作业类别\n";

static void
set(struct record *r, const struct schema *s, const char *field, const char *value)
{
	int i = schema_field(s, field);

	assert_true(i >= 0);
	free(r->values[i]);
	r->values[i] = strdup(value);
	assert_non_null(r->values[i]);
}

static const char *
get(const struct record *r, const struct schema *s, const char *field)
{
	return r->values[schema_field(s, field)];
}

static void
rules_make(struct desk_rules *d, const struct schema *s)
{
	struct err e = {0};

	if (desk_rules_parse(
		    d, (const uint8_t *)rules_text, sizeof rules_text - 1, "desk.rules", s, &e))
		fail_msg("%s", e.text);
}

static void
test_rules(void **state)
{
	static const char *const wrong[] = {"valid 有效期从\n", "valid 姓名 有效期到\n",
		"review 一次复审期\n", "review 没有 复审记录1\n", "expires 有效期到\n",
		"fixed 没有\n",
		"review 一次复审期 复审记录1\nreview 一次复审期 复审记录1\nreview 一次复审期 "
		"复审记录1\nreview 一次复审期 复审记录1\nreview 一次复审期 复审记录1\n"};
	struct schema *s = schema_special();
	struct desk_rules d;

	(void)state;
	rules_make(&d, s);
	assert_int_equal(d.n_reviews, 2);
	assert_true(desk_field_fixed(&d, schema_field(s, "证号")));
	assert_false(desk_field_fixed(&d, schema_field(s, "性别")));
	assert_true(desk_field_printed(&d, schema_field(s, "作业类别")));
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct err e = {0};
		assert_int_equal(desk_rules_parse(&d, (const uint8_t *)wrong[i], strlen(wrong[i]),
					 "desk.rules", s, &e),
			ERR_INPUT);
		assert_non_null(strstr(e.text, "line "));
	}
	schema_destroy(s);
}

static void
test_judge(void **state)
{
	static const struct {
		const char *today, *record;
		enum desk_validity want;
	} rows[] = {
		{"20240229", "", DESK_NOT_YET},
		{"20240301", "", DESK_VALID},
		{"20270228", "", DESK_VALID},
		{"20270301", "", DESK_REVIEW_DUE},
		{"20270301", "20270101 合格", DESK_VALID},
		{"20300228", "", DESK_REVIEW_DUE},
		{"20300301", "", DESK_EXPIRED},
		{"20300301", "20270101 合格", DESK_EXPIRED},
	};
	struct schema *s = schema_special();
	struct desk_rules d;
	struct record r;
	enum desk_validity got;
	size_t review;

	(void)state;
	rules_make(&d, s);
	assert_int_equal(record_create(&r, s, NULL), 0);
	assert_int_equal(desk_judge(&got, &review, &d, s, &r, "20260101", NULL), 0);
	assert_int_equal(got, DESK_VALID); /* no date says otherwise */
	set(&r, s, "有效期从", "20240301");
	set(&r, s, "有效期到", "20300228");
	set(&r, s, "一次复审期", "20270228");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		set(&r, s, "复审记录1", rows[i].record);
		assert_int_equal(desk_judge(&got, &review, &d, s, &r, rows[i].today, NULL), 0);
		assert_int_equal(got, rows[i].want);
		assert_int_equal(review, rows[i].record[0] ? 1 : 0);
	}
	set(&r, s, "有效期到", "20300230");
	assert_int_equal(desk_judge(&got, &review, &d, s, &r, "20260101", NULL), ERR_INPUT);
	record_done(&r, s);
	schema_destroy(s);
}

static void
test_review(void **state)
{
	struct schema *s = schema_special();
	struct desk_rules d;
	struct record r;
	bool changed[64] = {false};

	(void)state;
	rules_make(&d, s);
	assert_int_equal(record_create(&r, s, NULL), 0);
	set(&r, s, "有效期到", "20300228");
	assert_int_equal(
		desk_review_apply(&r, &d, s, "20261121", "合格", "20250101", changed, NULL),
		ERR_INPUT);
	assert_int_equal(
		desk_review_apply(&r, &d, s, "20261121", "合格", "2029/12/1", changed, NULL), 0);
	assert_string_equal(get(&r, s, "复审记录1"), "20261121 合格");
	assert_string_equal(get(&r, s, "复审标识"), "1");
	assert_string_equal(get(&r, s, "二次复审期"), "20291201");
	assert_true(changed[schema_field(s, "复审标识")]);
	assert_false(changed[schema_field(s, "复审记录2")]);
	assert_int_equal(
		desk_review_apply(&r, &d, s, "20261121", "合格", NULL, changed, NULL), ERR_INPUT);
	assert_int_equal(
		desk_review_apply(&r, &d, s, "20290101", "合格", "20291231", changed, NULL),
		ERR_INPUT);
	assert_int_equal(desk_review_apply(&r, &d, s, "20290101", "合格", NULL, changed, NULL), 0);
	assert_string_equal(get(&r, s, "复审标识"), "2");
	assert_int_equal(
		desk_review_apply(&r, &d, s, "20290701", "合格", NULL, changed, NULL), ERR_INPUT);
	assert_int_equal(
		desk_review_apply(&r, &d, s, "20300301", "合格", NULL, changed, NULL), ERR_INPUT);
	record_done(&r, s);
	schema_destroy(s);
}

struct seen {
	unsigned n;
	char text[1024];
};

static int
seen_take(void *ctx, const char *kind, const char *content)
{
	struct seen *seen = ctx;

	snprintf(seen->text, sizeof seen->text, "%.64s=%.900s", kind, content);
	seen->n++;
	return 0;
}

static void
test_ndef(void **state)
{
	static const char map[] = "uri https://www.x.example/{证号}\n";
	/* one short well-known record "U", payload 02 "x.example/T1" */
	static const uint8_t want[] = {0xd1, 0x01, 0x0d, 'U', 0x02, 'x', '.', 'e', 'x', 'a', 'm',
		'p', 'l', 'e', '/', 'T', '1'};
	struct schema *s = schema_special();
	struct ndef_map *m = NULL;
	struct record r;
	struct buf out;
	struct seen seen = {0};

	(void)state;
	assert_int_equal(record_create(&r, s, NULL), 0);
	set(&r, s, "证号", "T1");
	assert_int_equal(
		ndef_map_parse(&m, (const uint8_t *)map, sizeof map - 1, "ndef.map", s, NULL), 0);
	assert_int_equal(ndef_build(&out, m, s, &r, NULL), 0);
	assert_int_equal(out.len, sizeof want);
	assert_memory_equal(out.data, want, sizeof want);
	assert_int_equal(ndef_parse(out.data, out.len, seen_take, &seen, NULL), 0);
	assert_string_equal(seen.text, "uri=https://www.x.example/T1");
	for (size_t cut = 1; cut < sizeof want; cut++)
		assert_int_equal(ndef_parse(want, cut, seen_take, &seen, NULL), ERR_INPUT);
	buf_done(&out);
	ndef_map_destroy(m);
	record_done(&r, s);
	schema_destroy(s);
}

/* A map of text records whose message has that many bytes. */
static struct ndef_map *
tag_map(const struct schema *s, const char *pass, size_t len, int *rc, struct err *e)
{
	char map[2048], text[401] = {0};
	struct ndef_map *m;
	memset(text, 'x', sizeof text - 1);
	int n = snprintf(map, sizeof map, "%s\n", pass);

	/* A record's head has 4 bytes, or 7, and 3 for the language; a line may be too short. */
	for (size_t left = len; left > 0;) {
		const size_t record = left > 400 ? 200 : left, head = record > 262 ? 10 : 7;
		n += snprintf(map + n, sizeof map - (size_t)n, "text zh %.*s\n",
			(int)(record - head), text);
		left -= record;
	}
	*rc = ndef_map_parse(&m, (const uint8_t *)map, (size_t)n, "ndef.map", s, e);
	return m;
}

/* What fits is taken, one byte more is refused; the sizes are the data sheets'. */
static void
test_tag(void **state)
{
	static const struct {
		const char *pass;
		unsigned capacity;
		size_t most;
	} rows[] = {
		{"pass ultralight", 48, 46},
		{"pass ntag213 lock", 144, 137},
		{"pass ntag215", 496, 492},
		{"pass ntag216", 872, 868},
	};
	static const char *const wrong[] = {"pass", "pass ntag214", "pass ntag213 block",
		"pass ntag213 lock twice", "pass ntag213\npass ntag213"};
	struct schema *s = schema_special();
	struct record r;
	int rc;

	(void)state;
	assert_int_equal(record_create(&r, s, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int more = 0; more < 2; more++) {
			struct err e = {0};
			struct tag_image t;
			struct ndef_map *m =
				tag_map(s, rows[i].pass, rows[i].most + (size_t)more, &rc, &e);
			assert_int_equal(rc, 0);
			assert_true(ndef_map_pass(m));
			assert_int_equal(tag_image_build(&t, m, s, &r, &e), more ? ERR_INPUT : 0);
			assert_int_equal(tag_image_valid(&t), !more);
			if (more) {
				assert_non_null(strstr(e.text, "ndef.map"));
			} else {
				assert_int_equal(t.capacity, rows[i].capacity);
				assert_int_equal(t.len, rows[i].most);
				assert_int_equal(t.lock, i == 1);
			}
			ndef_map_destroy(m);
		}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct err e = {0};
		assert_null(tag_map(s, wrong[i], 20, &rc, &e));
		assert_int_equal(rc, ERR_INPUT);
		assert_non_null(strstr(e.text, "ndef.map: line"));
	}
	struct ndef_map *m = tag_map(s, "", 20, &rc, NULL);
	assert_false(ndef_map_pass(m));
	ndef_map_destroy(m);
	record_done(&r, s);
	schema_destroy(s);
}

/* ---- damage ---- */

static uint32_t
draw(uint32_t *random, uint32_t n)
{
	*random = *random * 1664525 + 1013904223;
	return (*random >> 8) % n;
}

/* A copy on the heap with its exact length, so that a sanitizer sees every byte too far. */
static uint8_t *
damage(const char *text, size_t len, uint32_t *random, size_t *out_len)
{
	*out_len = draw(random, 4) ? len : draw(random, (uint32_t)len) + 1;
	uint8_t *bytes = malloc(*out_len);

	assert_non_null(bytes);
	memcpy(bytes, text, *out_len);
	for (uint32_t i = draw(random, 6); i > 0; i--)
		bytes[draw(random, (uint32_t)*out_len)] = (uint8_t)draw(random, 256);
	return bytes;
}

static void
test_damage(void **state)
{
	static const char old_map[] = "证号 32 20\n姓名 64 26\n",
			  ndef_text[] = "pass ntag213 lock\nuri tel:{联系电话}\nvcard FN "
					"{姓名}\ntext zh {性别}\n";
	static const char message[] =
		"\x91\x01\x05U\x04x.yz\x12\x0a\x04text/vcardABCD\x51\x01\x04T\x02zhx";
	struct schema *s = schema_special();
	uint8_t card[MEMORY_CARD_LEN];
	uint32_t random = 20261121;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		struct err e[4] = {{0}};
		struct desk_rules d;
		struct ndef_map *m = NULL;
		struct record r;
		struct seen seen = {0};
		size_t len;
		int rc[4];
		uint8_t *bytes = damage(rules_text, sizeof rules_text - 1, &random, &len);

		rc[0] = desk_rules_parse(&d, bytes, len, "x", s, &e[0]);
		free(bytes);
		bytes = damage(ndef_text, sizeof ndef_text - 1, &random, &len);
		rc[1] = ndef_map_parse(&m, bytes, len, "x", s, &e[1]);
		assert_int_equal(rc[1] == 0, m != NULL);
		ndef_map_destroy(m);
		free(bytes);
		bytes = damage(message, sizeof message - 1, &random, &len);
		rc[2] = ndef_parse(bytes, len, seen_take, &seen, &e[2]);
		assert_null(strpbrk(seen.text, "\x1b\r\n"));
		free(bytes);
		for (size_t b = 0; b < sizeof card; b++)
			card[b] = (uint8_t)draw(&random, i % 2 ? 256 : 96);
		bytes = damage(old_map, sizeof old_map - 1, &random, &len);
		rc[3] = old_record_parse(&r, bytes, len, "x", s, card, &e[3]);
		if (rc[3] == 0)
			record_done(&r, s);
		free(bytes);
		for (unsigned k = 0; k < ARRAY_LEN(rc); k++)
			assert_true(rc[k] == 0 || (rc[k] == e[k].code && e[k].text[0]));
	}
	schema_destroy(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_review),
		cmocka_unit_test(test_ndef),
		cmocka_unit_test(test_tag),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
