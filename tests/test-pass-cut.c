/*
 * test-pass-cut.c - jobs that are cut off at every moment there is: killed, cancelled, orphaned.
 *
 * What is checked in the end is the machine's own count of physical cards.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/pass-job.h"

#include <string.h>

/* Runs a job that is killed at a moment. True when it was; false when it ended before. */
static bool
job_killed(unsigned at, const char *uuid, unsigned n, bool chip)
{
	struct err e;

	crash_at = at;
	if (setjmp(crash) == 0) {
		assert_int_equal(job_run(uuid, n, chip, &e), PASS_OK);
		return false;
	}
	crash_at = 0;
	ledger_close(ledger);
	ledger = NULL;
	return true;
}

/* Kills the run at every moment there is, runs the job again, and asks the machine. */
static void
crashes_are_survived(void **state)
{
	unsigned doubts = 0, kills = 0;

	for (int kind = 0; kind < 3; kind++) {
		const bool chip = kind > 0;
		tags = kind > 1;
		for (unsigned at = 1;; at++) {
			struct err e;
			enum pass_end end;

			ledger_fresh(state);
			if (!job_killed(at, "job-crash", 2, chip))
				break;
			kills++;
			end = job_run("job-crash", 2, chip, &e);
			if (end == PASS_HOLD && ledger_count().doubt == 1) {
				doubts++;
				continue;
			}
			if (end != PASS_OK)
				fail_msg("crash at %u, kind %d: %s", at, kind, e.text);
			all_adds_up(2, chip, 0);
			assert_int_equal(failures_of().open, 0);
		}
	}
	tags = false;
	assert_true(kills > 60);
	assert_int_equal(doubts, 0);
}

/* Two kills, one in the recovery from the other, while the clock runs backwards: nothing is judged
 * by the times of events. */
static void
clocks_set_back_are_survived(void **state)
{
	unsigned kills = 0;

	for (unsigned at = 1;; at++) {
		unsigned then = 1;

		for (;; then += 3) {
			struct err e;

			ledger_fresh(state);
			clock_falls = true;
			if (!job_killed(at, "job-clock", 2, true))
				break;
			if (!job_killed(tick + then, "job-clock", 2, true))
				break;
			kills++;
			if (job_run("job-clock", 2, true, &e) != PASS_OK)
				fail_msg("crash at %u and %u: %s", at, then, e.text);
			all_adds_up(2, true, 0);
		}
		if (then == 1)
			break;
	}
	clock_falls = false;
	assert_true(kills > 100);
}

/* A different job follows the killed one: the card in the machine must not come out under its name.
 */
static void
another_job_clears_the_machine(void **state)
{
	for (unsigned at = 1;; at++) {
		struct err e;
		struct count c;

		ledger_fresh(state);
		if (!job_killed(at, "job-one", 1, true))
			break;
		assert_int_equal(job_run("job-two", 1, true, &e), PASS_OK);
		c = machine_count(true);
		assert_int_equal(c.doubled + c.mismatched + c.inside, 0);
		assert_int_equal(ledger_count().good, c.output);
		assert_int_equal(ledger_count().fed, m.fed);
	}
}

/* Cut off at every moment and given to another printer (a member of the same class): what lies in
 * the first one is never made there too; when the first one was cleared, the job ends. */
static void
another_printer_waits_for_the_first(void **state)
{
	unsigned held = 0;

	for (unsigned at = 1;; at++) {
		struct machine first;
		struct count c;
		struct err e;
		enum pass_end end;

		ledger_fresh(state);
		if (!job_killed(at, "job-moves", 2, true))
			break;
		first = m;
		m.inside = NULL;
		m.place = PLACE_NONE;
		serial = "S2";
		end = job_run("job-moves", 2, true, &e);
		assert_true(end == PASS_OK || end == PASS_HOLD);
		if (end == PASS_HOLD) {
			held++;
			assert_non_null(strstr(e.text, "S1"));
			assert_int_equal(m.fed, first.fed);
			m = first;
			serial = "S1";
			assert_int_equal(job_run("job-other", 1, true, &e), PASS_OK);
			serial = "S2";
			end = job_run("job-moves", 2, true, &e);
		}
		serial = "S1";
		assert_int_equal(end, PASS_OK);
		c = machine_count(true);
		assert_int_equal(c.doubled + c.mismatched, 0);
	}
	assert_true(held > 5);
}

/* Cancelled at every moment: the machine is empty, the numbers are right, and a restart makes the
 * rest. */
static void
cancelling_leaves_nothing_inside(void **state)
{
	unsigned cancelled = 0;

	for (unsigned at = 1; at < 400; at++) {
		struct err e;
		struct count c;
		enum pass_end end;

		ledger_fresh(state);
		signal_at = at;
		end = job_run("job-cancel", 2, true, &e);
		if (end == PASS_OK)
			break;
		cancelled++;
		assert_int_equal(end, PASS_CANCEL);
		c = machine_count(true);
		assert_int_equal(c.inside + c.doubled + c.mismatched, 0);
		assert_int_equal(ledger_count().fed, m.fed);
		assert_int_equal(ledger_count().good, c.output);
		assert_int_equal(ledger_count().rejected, c.reject);
		signal_at = 0;
		cancel_now = false;
		assert_int_equal(job_run("job-cancel", 2, true, &e), PASS_OK);
		all_adds_up(2, true, 0);
	}
	assert_true(cancelled > 10);
}

/* The supervisor died at any moment: the next run wastes no card. */
static void
orphans_waste_nothing(void **state)
{
	for (unsigned at = 1; at < 400; at++) {
		struct err e;
		enum pass_end end;

		ledger_fresh(state);
		signal_at = at;
		signal_orphans = true;
		end = job_run("job-orphan", 2, true, &e);
		if (end == PASS_OK)
			break;
		signal_at = 0;
		orphan_now = false;
		assert_int_equal(job_run("job-orphan", 2, true, &e), PASS_OK);
		all_adds_up(2, true, 0);
		assert_int_equal(m.fed, 2);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(crashes_are_survived, ledger_fresh),
		cmocka_unit_test_setup(clocks_set_back_are_survived, ledger_fresh),
		cmocka_unit_test_setup(another_job_clears_the_machine, ledger_fresh),
		cmocka_unit_test_setup(another_printer_waits_for_the_first, ledger_fresh),
		cmocka_unit_test_setup(cancelling_leaves_nothing_inside, ledger_fresh),
		cmocka_unit_test_setup(orphans_waste_nothing, ledger_fresh),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	ledger_fresh(NULL);
	return rc;
}
