/*
 * test-pdf-orders.c - numbers of ~C looked up in a folder of orders.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/pdf-chip.h"
#include "tests/template-fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

struct office {
	struct fixture fixture;
	struct schema *schema;
	char orders[96], paths[3][128];
};

/* An order of n records, numbered from first on. */
static void
order_write(struct office *o, int order, unsigned first, unsigned n)
{
	struct batch_info info = {.n_records = 0};
	struct roster *roster;
	struct err e = {0};
	struct buf csv;

	buf_init(&csv, 1 << 20);
	assert_int_equal(buf_printf(&csv, &e, "证号,姓名\n"), 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(buf_printf(&csv, &e, "N%06u,Zoe %u\n", first + i, i), 0);
	if (roster_parse(&roster, o->schema, csv.data, csv.len, "r.csv", NULL, NULL, &e))
		fail_msg("%s", e.text);
	snprintf(info.template_name, sizeof info.template_name, "%s",
		strrchr(o->fixture.dir, '/') + 1);
	snprintf(o->paths[order], sizeof o->paths[order], "%s/%d.cards", o->orders, order);
	if (batch_write(o->paths[order], o->schema, &info, roster, &e))
		fail_msg("%s", e.text);
	roster_destroy(roster);
	buf_done(&csv);
}

static int
setup(void **state)
{
	struct office *o = calloc(1, sizeof *o);
	struct err e = {0};
	char path[128];

	assert_non_null(o);
	fixture_create(&o->fixture, FIXTURE_SVG("<rect width='9' height='9'/>"), NULL);
	fixture_file(&o->fixture, "record.schema",
		"template fixture\ncharset gbk\nnumber 证号\nholder 姓名\n"
		"field 证号 16 text required mask=number\nfield 姓名 16 text mask=name\n");
	fixture_file(&o->fixture, "chip.map", "1 2 = MAC\n4 = 证号[1,16]\n5 = 姓名[1,16]\n");
	if (template_build(o->fixture.dir, NULL, &e))
		fail_msg("%s", e.text);
	snprintf(path, sizeof path, "%s/record.schema", o->fixture.dir);
	assert_int_equal(schema_load(&o->schema, path, &e), 0);
	snprintf(o->orders, sizeof o->orders, "%s/orders", o->fixture.dir);
	assert_int_equal(mkdir(o->orders, 0700), 0);
	*state = o;
	return 0;
}

static int
teardown(void **state)
{
	struct office *o = *state;

	for (size_t i = 0; i < ARRAY_LEN(o->paths); i++)
		unlink(o->paths[i]);
	rmdir(o->orders);
	fixture_destroy(&o->fixture);
	schema_destroy(o->schema);
	free(o);
	return 0;
}

static int
fill(struct pdf_orders *orders, const char *text, struct stream_card *card, struct err *e)
{
	*card = (struct stream_card){.card = 1};
	*e = (struct err){0};
	return pdf_chip_fill(card, text, NULL, "/tmp", orders, e);
}

static void
test_found_refused_missing(void **state)
{
	struct office *o = *state;
	struct stream_card card;
	struct err e;

	order_write(o, 0, 1, 300);
	order_write(o, 1, 1000, 70);
	struct pdf_orders *orders = pdf_orders_create("/tmp", o->orders);
	assert_int_equal(fill(orders, "N000300", &card, &e), 0);
	assert_true(card.has_chip);
	assert_memory_equal(card.chip.block[4], "N000300         ", 16);
	assert_int_equal(fill(orders, "N001069", &card, &e), 0);
	assert_memory_equal(card.chip.block[4], "N001069         ", 16);
	assert_int_equal(fill(orders, "N000001", &card, &e), 0);
	assert_int_equal(fill(orders, "N000301", &card, &e), ERR_MISSING);
	assert_false(card.has_chip);
	assert_null(strstr(e.text, "N000301"));
	pdf_orders_destroy(orders);
	order_write(o, 2, 1069, 1);
	orders = pdf_orders_create("/tmp", o->orders);
	assert_int_equal(fill(orders, "N001069", &card, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "stands 2 times"));
	assert_int_equal(fill(orders, "N001068", &card, &e), 0);
	pdf_orders_destroy(orders);
	unlink(o->paths[2]);
}

/* All orders are read for the first number; for the next only the one that has it. */
static void
test_read_once(void **state)
{
	struct office *o = *state;
	struct stream_card card;
	struct err e;

	order_write(o, 0, 1, 100);
	order_write(o, 1, 1000, 100);
	struct pdf_orders *orders = pdf_orders_create("/tmp", o->orders);
	assert_int_equal(fill(orders, "N000050", &card, &e), 0);
	unlink(o->paths[1]);
	assert_int_equal(fill(orders, "N000051", &card, &e), 0);
	assert_int_equal(fill(orders, "N000999", &card, &e), ERR_MISSING);
	assert_int_equal(fill(orders, "N001000", &card, &e), ERR_MISSING);
	order_write(o, 1, 2000, 100); /* another order in its place */
	assert_int_equal(fill(orders, "N001000", &card, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "changed"));
	pdf_orders_destroy(orders);
}

/* One order that cannot be read could hold the number a second time. */
static void
test_damaged(void **state)
{
	struct office *o = *state;
	struct stream_card card;
	struct err e;

	order_write(o, 0, 1, 10);
	FILE *f = fopen(o->paths[1], "w");
	assert_non_null(f);
	fputs("PK", f);
	fclose(f);
	struct pdf_orders *orders = pdf_orders_create("/tmp", o->orders);
	assert_true(fill(orders, "N000001", &card, &e) < 0);
	assert_true(fill(orders, "N000001", &card, &e) < 0);
	unlink(o->paths[1]);
	assert_int_equal(fill(orders, "N000001", &card, &e), 0);
	pdf_orders_destroy(orders);
	orders = pdf_orders_create("/tmp", "/nonexistent");
	assert_int_equal(fill(orders, "N000001", &card, &e), ERR_MISSING);
	pdf_orders_destroy(orders);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found_refused_missing),
		cmocka_unit_test(test_read_once),
		cmocka_unit_test(test_damaged),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
