/*
 * test-supply.c - what wears and runs out: figures completed from the ledger, reasons told once,
 * and whether a batch fits.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a printer that says what it is told to, a sink that remembers ---- */

struct printer {
	struct printer_status st;
};
static struct printer machine;
static struct printer_model model = {.name = "Memory 1", .hopper_cards = 100};

static const struct printer_model *
memory_model(const struct printer *p)
{
	(void)p;
	return &model;
}

static int
memory_status(struct printer *p, struct printer_status *out, struct err *e)
{
	(void)e;
	*out = p->st;
	return 0;
}

static const struct printer_driver driver = {
	.family = "memory", .model = memory_model, .status = memory_status};

static char told[1024]; /* "+reason -reason" */
static char last_message[ERR_TEXT_MAX];
static unsigned shown;

static void
sink_reason(struct sink *s, const char *keyword, bool set)
{
	size_t n = strlen(told);

	(void)s;
	snprintf(told + n, sizeof told - n, "%s%c%s", n ? " " : "", set ? '+' : '-', keyword);
}

static void
sink_supplies(struct sink *s, const struct printer_status *st)
{
	(void)s;
	(void)st;
	shown++;
}

static void
sink_message(struct sink *s, bool is_error, const char *text)
{
	(void)s;
	(void)is_error;
	snprintf(last_message, sizeof last_message, "%s", text);
}

static struct sink sink = {
	.reason = sink_reason, .supplies = sink_supplies, .message = sink_message};

static struct pass
pass_make(void)
{
	memset(&machine.st, 0, sizeof machine.st);
	machine.st.cards = machine.st.cleaning_left = -1;
	machine.st.ribbon = (struct supply){.level = -1, .capacity = -1};
	told[0] = last_message[0] = '\0';
	shown = 0;
	return (struct pass){.driver = &driver, .printer = &machine, .sink = &sink};
}

static const struct supply *
supply_get(const struct printer_status *st, enum supply_kind kind)
{
	for (unsigned i = 0; i < st->n_supplies; i++)
		if (st->supply[i].kind == kind)
			return &st->supply[i];
	return NULL;
}

/* ---- figures ---- */

static void
test_percent(void **state)
{
	static const struct {
		struct supply s;
		int want;
	} rows[] = {
		{{SUPPLY_RIBBON, "", -1, 200}, -1},
		{{SUPPLY_RIBBON, "", 0, 200}, 0},
		{{SUPPLY_RIBBON, "", 19, 200}, 9},
		{{SUPPLY_RIBBON, "", 200, 200}, 100},
		{{SUPPLY_RIBBON, "", 250, 200}, 100},
		{{SUPPLY_RIBBON, "", 70, -1}, 70}, /* nobody knows of what: cards, at most 100 */
		{{SUPPLY_RIBBON, "", 700, -1}, 100},
		{{SUPPLY_CLEANING, "", 40, -1}, 40},
		{{SUPPLY_HEAD, "", INT32_MAX, INT32_MAX}, 100},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(supply_percent(&rows[i].s), rows[i].want);
}

/* A machine that counts nothing: the ledger does. */
static void
test_from_the_ledger(void **state)
{
	struct wear w = {.prints = 49000, .ribbon_prints = 150, .chips = 99000, .tests = 500};
	struct printer_status st = {.cards = -1,
		.cleaning_left = -1,
		.n_supplies = 1,
		.supply = {{SUPPLY_RIBBON, "ymcko", -1, 200}}};
	(void)state;

	supply_complete(&st, NULL, &w);
	assert_int_equal(st.ribbon.level, 50);
	assert_int_equal(supply_get(&st, SUPPLY_CLEANING)->level, -1);
	assert_int_equal(supply_get(&st, SUPPLY_HEAD)->capacity, 50000);
	assert_int_equal(
		supply_get(&st, SUPPLY_HEAD)->level, 500); /* test cards wear the head too */
	assert_int_equal(supply_get(&st, SUPPLY_READER)->level, 1000);
	w.prints = 60000;
	w.ribbon_prints = 300;
	st.n_supplies = 1;
	st.supply[0].level = -1;
	supply_complete(&st, NULL, &w);
	assert_int_equal(st.ribbon.level, 0); /* never below nothing */
	assert_int_equal(supply_get(&st, SUPPLY_HEAD)->level, 0);
}

/* What the machine says goes before what the ledger counted; no reader is shown that nobody used.
 */
static void
test_from_the_machine(void **state)
{
	struct wear w = {.prints = 3, .ribbon_prints = 3};
	struct printer_status st = {.cards = 1000,
		.cleaning_left = 77,
		.n_supplies = 2,
		.supply = {{SUPPLY_RIBBON, "k", 12, -1}, {SUPPLY_HEAD, "3020", 9, 10}}};
	(void)state;

	supply_complete(&st, &model, &w);
	assert_int_equal(st.ribbon.level, 12);
	assert_int_equal(st.ribbon.capacity, -1);
	assert_int_equal(supply_get(&st, SUPPLY_CLEANING)->level, 77);
	assert_int_equal(supply_get(&st, SUPPLY_HEAD)->level, 9);
	assert_null(supply_get(&st, SUPPLY_READER));
}

/* A machine whose list is full keeps its own. */
static void
test_no_room(void **state)
{
	struct wear w = {.chips = 1};
	struct printer_status st = {.cards = -1, .cleaning_left = 5, .n_supplies = SUPPLIES_MAX};
	(void)state;

	for (unsigned i = 0; i < SUPPLIES_MAX; i++)
		st.supply[i] =
			(struct supply){.kind = SUPPLY_RIBBON, .level = (int)i, .capacity = 9};
	supply_complete(&st, &model, &w);
	assert_int_equal(st.n_supplies, SUPPLIES_MAX);
	assert_int_equal(st.ribbon.level, 0);
}

/* ---- reasons ---- */

static void
test_reasons_once(void **state)
{
	struct pass p = pass_make();
	struct printer_status st;
	(void)state;

	for (int round = 0; round < 3; round++) {
		st = (struct printer_status){.cards = 1,
			.cleaning_left = 4,
			.n_supplies = 1,
			.supply = {{SUPPLY_RIBBON, "ymcko", round < 2 ? 20 : 200, 200}}};
		supply_tell(&p, &st);
		assert_string_equal(told, round == 0   ? "+marker-supply-low-warning "
							 "+cleaner-life-almost-over-warning"
					  : round == 1 ? ""
						       : "-marker-supply-low-warning");
		told[0] = '\0';
	}
	assert_int_equal(shown, 3);
	supply_clear(&sink);
	for (size_t i = 0; i < n_supply_rows; i++)
		assert_non_null(strstr(told, supply_rows[i].reason));
}

/* ---- does it fit? ---- */

static void
test_fit_counts(void **state)
{
	static const struct {
		const char *ribbon;
		bool duplex;
		unsigned cards;
		int left;
		unsigned prints;
		bool ribbon_short, hopper_short;
	} rows[] = {
		{"ymcko", false, 50, 50, 50, false, false},
		{"ymcko", false, 51, 50, 51, true, false},
		{"ymcko", false, 101, -1, 101, false, true}, /* unknown is never too little */
		{"k", false, 100, 100, 100, false, false},
		{"k", true, 100, 100, 200, true, false},       /* each side takes a set */
		{"ymckok", true, 100, 100, 100, false, false}, /* one set has both sides */
		{"ymcko", false, 0, 0, 0, false, false},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct printer_status st = {.ribbon = {.level = rows[i].left}};
		char text[ERR_TEXT_MAX];
		struct fit f;

		fit_count(&f, &st, &model, ribbon_find(rows[i].ribbon), rows[i].duplex,
			rows[i].cards);
		assert_int_equal(f.prints, rows[i].prints);
		assert_int_equal(f.ribbon_short, rows[i].ribbon_short);
		assert_int_equal(f.hopper_short, rows[i].hopper_short);
		fit_text(&f, rows[i].ribbon, text, sizeof text);
		assert_int_equal(text[0] != '\0', rows[i].ribbon_short || rows[i].hopper_short);
	}
	assert_int_equal(fit_parse("warn"), FIT_WARN);
	assert_int_equal(fit_parse("hold"), FIT_HOLD);
	assert_int_equal(fit_parse("off"), FIT_OFF);
	assert_int_equal(fit_parse("Warn"), -1);
	assert_int_equal(fit_parse(NULL), -1);
}

/* Both sentences, and neither cut in the middle of a short buffer's neighbour. */
static void
test_fit_text(void **state)
{
	struct fit f = {.cards = 300,
		.prints = 300,
		.prints_left = 7,
		.hopper = 100,
		.ribbon_short = true,
		.hopper_short = true};
	char text[ERR_TEXT_MAX], small[9];
	(void)state;

	fit_text(&f, "ymcko", text, sizeof text);
	assert_non_null(strstr(text, "300 prints"));
	assert_non_null(strstr(text, "has 7 left"));
	assert_non_null(strstr(text, "holds 100"));
	memset(small, 'x', sizeof small);
	fit_text(&f, "ymcko", small, sizeof small - 1);
	assert_int_equal(strlen(small), sizeof small - 2);
	assert_int_equal(small[sizeof small - 1], 'x');
}

static void
test_fit_check(void **state)
{
	char file[80];
	struct pass p = pass_make();
	struct err e = {0};
	bool again;
	(void)state;

	snprintf(file, sizeof file, "%s/test-supply-%d.db",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
	assert_int_equal(ledger_open(&p.ledger, file, LEDGER_WRITE, &e), 0);
	snprintf(p.job.uuid, sizeof p.job.uuid, "11111111-2222-3333-4444-555555555555");
	p.job.n_cards = 30;
	p.print.ribbon = ribbon_find("ymcko");
	assert_int_equal(ledger_job_admit(p.ledger, &p.job, &again, &e), 0);
	machine.st.n_supplies = 1;
	machine.st.supply[0] = (struct supply){SUPPLY_RIBBON, "ymcko", 29, 200};

	p.fit = FIT_OFF;
	assert_int_equal(fit_check(&p, false, &e), 0);
	assert_string_equal(told, "");
	p.fit = FIT_WARN;
	assert_int_equal(fit_check(&p, false, &e), 0);
	assert_string_equal(told, "+marker-supply-low-warning");
	assert_non_null(strstr(last_message, "30 prints"));
	p.fit = FIT_HOLD;
	assert_int_equal(fit_check(&p, false, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "cardspool-fit=warn"));
	assert_string_equal(told, "+marker-supply-low-warning"); /* said once */
	machine.st.supply[0].level = 30;
	assert_int_equal(fit_check(&p, false, &e), 0);
	assert_string_equal(p.fit_text, "");
	ledger_close(p.ledger);
	for (int i = 0; i < 3; i++) {
		static const char *const ends[] = {"", "-wal", "-shm"};
		char name[96];

		snprintf(name, sizeof name, "%s%s", file, ends[i]);
		unlink(name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_percent),
		cmocka_unit_test(test_from_the_ledger),
		cmocka_unit_test(test_from_the_machine),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_reasons_once),
		cmocka_unit_test(test_fit_counts),
		cmocka_unit_test(test_fit_text),
		cmocka_unit_test(test_fit_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
