/*
 * test-report.c - the figures behind the failure report, its words, and the escaping of its page.
 *
 * Figures were worked out by hand from the records that each test writes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/ledger-tool.h"

#include "spooler/report.h"

#define DAY   86400000LL
#define START 1767225600000LL /* 2026-01-01, UTC */

static int64_t now_ms;

static int64_t
test_clock(void)
{
	return now_ms;
}

static int
setup(void **state)
{
	struct bench *b = calloc(1, sizeof *b);

	assert_non_null(b);
	setenv("TZ", "UTC", 1);
	tzset();
	bench_open(b);
	b->ledger->clock_ms = test_clock;
	now_ms = START;
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	bench_close(*state);
	free(*state);
	return 0;
}

/* A record at now_ms; it is cleared after so many seconds, 0: stays open. */
static int64_t
record(struct bench *b, const char *serial, const char *code, int64_t clear_s)
{
	struct failure_row f = {.card = 1};

	snprintf(f.job_uuid, sizeof f.job_uuid, "%s", JOB_A);
	snprintf(f.serial, sizeof f.serial, "%s", serial);
	snprintf(f.machine, sizeof f.machine, "Evolis Dualys 3");
	snprintf(f.code, sizeof f.code, "%s", code);
	snprintf(f.step, sizeof f.step, "feed");
	snprintf(f.operator_name, sizeof f.operator_name, "li");
	assert_int_equal(failure_record(b->ledger, &f, &b->e), 0);
	if (clear_s) {
		int64_t at = now_ms;

		now_ms += clear_s * 1000;
		assert_int_equal(failure_cleared(b->ledger, f.id, "cleared", &b->e), 0);
		now_ms = at;
	}
	return f.id;
}

static void
gather(struct bench *b, struct report *r, int64_t from_ms, int64_t to_ms, size_t n_rows)
{
	*r = (struct report){.from_ms = from_ms, .to_ms = to_ms, .months = 3};
	assert_int_equal(report_gather(b->ledger, r, n_rows, &b->e), 0);
}

static void
test_figures(void **state)
{
	static const int64_t clear_s[] = {59, 60, 299, 300, 3600};
	struct bench *b = *state;
	struct report r;

	for (size_t i = 0; i < ARRAY_LEN(clear_s); i++)
		record(b, "A", i < 3 ? "jam-feeding" : "hopper-empty", clear_s[i]);
	record(b, "B", "no-chip", 0);
	gather(b, &r, START, START + DAY, 10);
	assert_int_equal(r.n, 6);
	assert_int_equal(r.n_jams, 3);
	assert_int_equal(r.n_open, 1);
	assert_int_equal(r.n_waiting, 6);
	assert_int_equal(r.waiting_since_ms, START);
	assert_int_equal(r.clear_median_ms, 299000);
	assert_int_equal(r.clear_mean_ms, (59 + 60 + 299 + 300 + 3600) * 1000 / 5);
	assert_int_equal(r.clear_bins[0], 1);
	assert_int_equal(r.clear_bins[1], 2);
	assert_int_equal(r.clear_bins[2], 1);
	assert_int_equal(r.clear_bins[3], 0);
	assert_int_equal(r.clear_bins[4], 1);
	assert_int_equal(r.clear_bins[5], 1);
	assert_int_equal(r.n_causes, 3);
	assert_string_equal(r.causes[0].code, "jam-feeding");
	assert_int_equal(r.causes[0].n, 3);
	assert_int_equal(r.n_machines, 2);
	assert_int_equal(r.machines[0].failures, 5);
	assert_int_equal(r.n_rows, 6);
	report_done(&r);
}

static void
test_bounds(void **state)
{
	struct bench *b = *state;
	struct report r;

	now_ms = START - 1;
	record(b, "A", "no-chip", 1);
	now_ms = START;
	record(b, "A", "no-chip", 1);
	now_ms = START + 3 * DAY - 1;
	record(b, "A", "no-chip", 1);
	now_ms = START + 3 * DAY;
	record(b, "A", "no-chip", 1);
	gather(b, &r, START, START + 3 * DAY, 10);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.n_bins, 3);
	assert_int_equal(r.bins[0].n[KIND_CHIP], 1);
	assert_int_equal(r.bins[1].n[KIND_CHIP], 0);
	assert_int_equal(r.bins[2].n[KIND_CHIP], 1);
	report_done(&r);
}

/* From a day to a century: each record stands in a bin, and there are never too many. */
static void
test_bins(void **state)
{
	static const int days[] = {1, 2, 31, 32, 217, 218, 365, 1000, 36500};
	struct bench *b = *state;

	for (int i = 0; i < 40; i++, now_ms += 7 * DAY / 10)
		record(b, "A", "jam-feeding", 5);
	for (size_t i = 0; i < ARRAY_LEN(days); i++) {
		struct report r;
		unsigned sum = 0;

		gather(b, &r, START, START + days[i] * DAY, 0);
		assert_in_range(r.n_bins, 1, 32);
		assert_true((uint64_t)r.n_bins * r.bin_days >= (uint64_t)days[i]);
		for (unsigned j = 0; j < r.n_bins; j++)
			sum += r.bins[j].n[KIND_JAM];
		assert_int_equal(sum, r.n);
		assert_int_equal(r.n_rows, 0);
		report_done(&r);
	}
}

/* Without dates: the three calendar months up to now, also at the end of a short month. */
static void
test_period(void **state)
{
	struct bench *b = *state;
	struct report r;

	now_ms = START + 58 * DAY + DAY / 2; /* noon of 28 February */
	gather(b, &r, 0, 0, 0);
	assert_int_equal(r.to_ms, now_ms);
	assert_int_equal(r.from_ms, START - 34 * DAY); /* 28 November */
	report_done(&r);
}

static void
test_many_machines(void **state)
{
	struct bench *b = *state;
	struct report r;
	unsigned sum = 0;
	char serial[16];

	for (int i = 0; i < REPORT_MACHINES_MAX + 9; i++) {
		snprintf(serial, sizeof serial, "S%03d", i);
		record(b, serial, "no-chip", 1);
	}
	gather(b, &r, START, START + DAY, 0);
	assert_int_equal(r.n_machines, REPORT_MACHINES_MAX);
	for (unsigned i = 0; i < r.n_machines; i++)
		sum += r.machines[i].failures;
	assert_int_equal(sum, REPORT_MACHINES_MAX + 9);
	report_done(&r);
}

static void
test_many_causes(void **state)
{
	struct bench *b = *state;
	struct report r;
	unsigned sum = 0;
	char code[16];

	for (int i = 0; i < REPORT_CAUSES_MAX + 9; i++) {
		snprintf(code, sizeof code, "new-%03d", i);
		record(b, "A", code, 1);
	}
	gather(b, &r, START, START + DAY, 0);
	assert_int_equal(r.n_causes, REPORT_CAUSES_MAX);
	for (unsigned i = 0; i < r.n_causes; i++)
		sum += r.causes[i].n;
	assert_int_equal(sum, REPORT_CAUSES_MAX + 9);
	report_done(&r);
}

/* Before the first entry nothing is guessed; the moment of an entry belongs to the new ribbon. */
static void
test_lots(void **state)
{
	struct bench *b = *state;
	struct report r;

	record(b, "A", "no-chip", 1);
	gather(b, &r, START, START + 9 * DAY, 0);
	assert_int_equal(report_tables[REPORT_LOTS].count(&r), 0);
	report_done(&r);
	now_ms = START + DAY;
	assert_int_equal(ribbon_load(b->ledger, "A", "R1", &b->e), 0);
	record(b, "A", "no-chip", 1);
	record(b, "B", "no-chip", 1);
	now_ms = START + 2 * DAY;
	record(b, "A", "no-chip", 1);
	assert_int_equal(ribbon_load(b->ledger, "A", "R2", &b->e), 0);
	assert_int_equal(ribbon_load(b->ledger, "B", "R1", &b->e), 0);
	now_ms = START + 3 * DAY;
	record(b, "A", "no-chip", 1);
	record(b, "B", "no-chip", 1);
	gather(b, &r, START, START + 9 * DAY, 0);
	assert_int_equal(r.n_lots, 3);
	assert_string_equal(r.lots[0].lot, "");
	assert_int_equal(r.lots[0].failures, 2);
	assert_string_equal(r.lots[1].lot, "R1");
	assert_int_equal(r.lots[1].failures, 2);
	assert_string_equal(r.lots[2].lot, "R2");
	assert_int_equal(r.lots[2].failures, 2);
	report_done(&r);
	/* The ribbon of before the period is the one that is in. */
	gather(b, &r, START + 3 * DAY - 1, START + 9 * DAY, 0);
	assert_int_equal(r.n_lots, 2);
	assert_int_equal(r.lots[0].failures + r.lots[1].failures, 2);
	report_done(&r);
	assert_int_equal(ribbon_load(b->ledger, "A", "", &b->e), ERR_USAGE);
	assert_int_equal(ribbon_load(b->ledger, "A", "R\x1b[2J", &b->e), ERR_USAGE);
	assert_int_equal(
		ribbon_load(b->ledger, "A", "123456789012345678901234567890123", &b->e), ERR_USAGE);
}

/* More lots than there is room: the rest stands together, and none is lost. */
static void
test_many_lots(void **state)
{
	struct bench *b = *state;
	struct report r;
	unsigned sum = 0;
	char lot[16];

	for (int i = 0; i < REPORT_LOTS_MAX + 9; i++) {
		snprintf(lot, sizeof lot, "R%03d", i);
		assert_int_equal(ribbon_load(b->ledger, "A", lot, &b->e), 0);
		now_ms += 1000;
		record(b, "A", "no-chip", 1);
		now_ms += 1000;
	}
	gather(b, &r, START, START + DAY, 0);
	assert_in_range(r.n_lots, REPORT_LOTS_MAX - 1, REPORT_LOTS_MAX);
	for (unsigned i = 0; i < r.n_lots; i++)
		sum += r.lots[i].failures;
	assert_int_equal(sum, REPORT_LOTS_MAX + 9);
	report_done(&r);
}

/* ---- words ---- */

static void
spoken(const char *english)
{
	if (english && strcmp(say(LANGUAGE_ZH, english), english) == 0)
		fail_msg("no Chinese for \"%s\"", english);
}

static void
test_words(void **state)
{
	(void)state;
	for (int i = 1; i < FAULT_COUNT; i++) {
		const struct fault_row *f = fault_row((enum fault)i);

		if (strcmp(say_fault(LANGUAGE_ZH, f->code), f->cause) == 0 ||
			strcmp(say_remedy(LANGUAGE_ZH, f->code), f->remedy) == 0)
			fail_msg("no Chinese for the fault %s", f->code);
	}
	for (size_t i = 0; i < n_charts; i++)
		spoken(charts[i].title);
	for (int i = 0; i < KIND_COUNT; i++)
		spoken(fault_kind_names[i]);
	for (int i = 0; i < CLEAR_BINS; i++)
		spoken(clear_bin_names[i]);
	for (int i = 0; i < REPORT_TABLES; i++) {
		spoken(report_tables[i].title);
		spoken(report_tables[i].empty);
		spoken(report_tables[i].note);
		for (size_t j = 0; j < report_tables[i].n_columns; j++)
			spoken(report_tables[i].columns[j].head);
	}
}

/* ---- escaping: whatever the bytes, no mark, no quote, no control comes out, and it is UTF-8 ----
 */

static void
test_escape(void **state)
{
	struct err e = {0};
	struct html h;
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char text[32];
		size_t n = seed % (sizeof text - 1), left;
		const char *at;

		for (size_t i = 0; i < n; i++) {
			seed = seed * 1103515245u + 12345u;
			text[i] = (char)(seed >> 16);
			if (!text[i])
				text[i] = '<';
		}
		text[n] = '\0';
		seed++;
		html_init(&h, LANGUAGE_EN, &e);
		html_text(&h, text);
		assert_int_equal(h.rc, 0);
		at = (const char *)h.buf.data;
		for (left = h.buf.len; left > 0;) {
			uint32_t cp = 0;
			size_t step = utf8_next(&cp, at, left);

			assert_true(step > 0 && cp >= 0x20 && cp != 0x7f);
			assert_null(strchr("<>\"'", (int)(cp < 0x80 ? cp : 'a')));
			at += step;
			left -= step;
		}
		buf_done(&h.buf);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_figures, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bins, setup, teardown),
		cmocka_unit_test_setup_teardown(test_period, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_machines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_causes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lots, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_lots, setup, teardown),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_escape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
