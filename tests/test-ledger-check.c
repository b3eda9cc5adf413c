/*
 * test-ledger-check.c - the cheap proof before a job: what it sees, what it leaves to verify, how
 * it ends.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/ledger-tool.h"

static struct bench bench;

static int
bench_begin(void **state)
{
	(void)state;
	bench_open(&bench);
	return 0;
}

static int
bench_finish(void **state)
{
	(void)state;
	bench_close(&bench);
	return 0;
}

static void
job_make(const char *uuid, const char *batch, unsigned n_cards, struct job_row *job)
{
	bool again;

	memset(job, 0, sizeof *job);
	snprintf(job->uuid, sizeof job->uuid, "%s", uuid);
	snprintf(job->batch_hash, sizeof job->batch_hash, "%s", batch);
	job->n_cards = n_cards;
	assert_int_equal(ledger_job_admit(bench.ledger, job, &again, &bench.e), 0);
}

static struct card_row
card_make(const char *uuid, unsigned number, enum card_state last)
{
	static const enum card_state path[] = {
		CARD_FEEDING, CARD_AT_STATION, CARD_PRINTING, CARD_DONE};
	struct card_row in = {.key = {.card = number, .copy = 1}}, row;

	snprintf(in.key.job_uuid, sizeof in.key.job_uuid, "%s", uuid);
	assert_int_equal(ledger_card_admit(bench.ledger, &in, &row, &bench.e), 0);
	for (size_t i = 0; row.state != last && i < ARRAY_LEN(path); i++)
		assert_int_equal(ledger_card_move(bench.ledger, &row, path[i], NULL, &bench.e), 0);
	return row;
}

static void
ledger_reopen(void)
{
	ledger_close(bench.ledger);
	assert_int_equal(ledger_open(&bench.ledger, bench.path, LEDGER_WRITE, &bench.e), 0);
}

/* Past the guards, as somebody with a tool would do it. */
static void
force(const char *sql)
{
	static const char loosen[] =
		"DROP TRIGGER IF EXISTS event_stays; DROP TRIGGER IF EXISTS event_remains;"
		"DROP TRIGGER IF EXISTS card_follows; DROP TRIGGER IF EXISTS card_moves;"
		"DROP TRIGGER IF EXISTS meta_follows;";
	sqlite3 *db;

	ledger_close(bench.ledger);
	assert_int_equal(sqlite3_open(bench.path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, loosen, NULL, NULL, NULL), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	sqlite3_close(db);
	assert_int_equal(ledger_open(&bench.ledger, bench.path, LEDGER_WRITE, &bench.e), 0);
}

static void
a_sound_ledger_passes(void **state)
{
	struct job_row job;

	(void)state;
	assert_int_equal(ledger_check(bench.ledger, &bench.e), 0);
	job_make(JOB_A, "aa", 2, &job);
	card_make(JOB_A, 1, CARD_DONE);
	card_make(JOB_A, 2, CARD_PRINTING);
	assert_int_equal(ledger_check(bench.ledger, &bench.e), 0);
	assert_int_equal(ledger_check(bench.ledger, &bench.e), 0);
	ledger_reopen();
	assert_int_equal(ledger_check(bench.ledger, &bench.e), 0);
}

/* What is new since the proof, and the rows of a job that may go on. */
static void
changes_are_seen(void **state)
{
	static const struct {
		const char *sql, *words;
	} changes[] = {
		{"UPDATE event SET data = data || ' ' WHERE seq = (SELECT max(seq) FROM event) - 1",
			"changed from outside"},
		{"UPDATE event SET kind = 'note' WHERE seq = (SELECT max(seq) FROM event)",
			"changed from outside"},
		{"DELETE FROM event WHERE seq = (SELECT max(seq) FROM event) - 1",
			"changed from outside"},
		{"UPDATE card SET state = 'queued' WHERE id = 1", "card 1"},
		{"UPDATE card SET state = 'done' WHERE id = 2", "card 2"},
		{"UPDATE meta SET head = '" CHAIN_START "'", "changed from outside"},
		{"DELETE FROM event WHERE seq > 2; UPDATE meta SET n_events = 2, head = "
		 "(SELECT hash FROM event WHERE seq = 2)",
			"older"},
	};

	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct job_row job;

		if (i)
			bench_begin(state);
		job_make(JOB_A, "aa", 2, &job);
		card_make(JOB_A, 1, CARD_DONE);
		assert_int_equal(ledger_check(bench.ledger, &bench.e), 0);
		card_make(JOB_A, 2, CARD_PRINTING);
		force(changes[i].sql);
		assert_int_equal(ledger_check(bench.ledger, &bench.e), ERR_INPUT);
		if (!strstr(bench.e.text, changes[i].words))
			fail_msg("%s: %s", changes[i].sql, bench.e.text);
		assert_non_null(strstr(bench.e.text, "ledger verify"));
		assert_int_equal(ledger_check(bench.ledger, &bench.e), ERR_INPUT);
		if (i + 1 < ARRAY_LEN(changes))
			bench_finish(state);
	}
}

/* Verify found something old: no job goes on until all of it holds. */
static void
a_bad_mark_stays_until_all_holds(void **state)
{
	struct job_row job;
	struct card_row card;

	(void)state;
	job_make(JOB_A, "aa", 1, &job);
	card = card_make(JOB_A, 1, CARD_DONE);
	assert_int_equal(ledger_job_state(bench.ledger, JOB_A, "done", &bench.e), 0);
	assert_int_equal(ledger_check(bench.ledger, &bench.e), 0);
	force("UPDATE card SET cause = 'none' WHERE id = 1");
	assert_int_equal(ledger_verify(bench.ledger, NULL, NULL, NULL, &bench.e), ERR_INPUT);
	assert_int_equal(ledger_check_note(bench.ledger, false, &bench.e), 0);
	assert_int_equal(ledger_check(bench.ledger, &bench.e), ERR_INPUT);
	assert_int_equal(card.id, 1);
}

/* A person says that an older file is the ledger now. */
static void
an_older_copy_needs_a_word(void **state)
{
	char copy[256];
	struct job_row job;

	(void)state;
	job_make(JOB_A, "aa", 1, &job);
	snprintf(copy, sizeof copy, "%s/copy.db", bench.folder);
	assert_int_equal(ledger_copy(bench.ledger, copy, &bench.e), 0);
	card_make(JOB_A, 1, CARD_DONE);
	assert_int_equal(ledger_check(bench.ledger, &bench.e), 0);
	ledger_close(bench.ledger);
	assert_int_equal(rename(copy, bench.path), 0);
	assert_int_equal(ledger_open(&bench.ledger, bench.path, LEDGER_WRITE, &bench.e), 0);
	assert_int_equal(ledger_check(bench.ledger, &bench.e), ERR_INPUT);
	assert_non_null(strstr(bench.e.text, "older"));
	assert_int_equal(ledger_verify(bench.ledger, NULL, NULL, NULL, &bench.e), 0);
	assert_int_equal(ledger_check_note(bench.ledger, true, &bench.e), 0);
	assert_int_equal(ledger_check(bench.ledger, &bench.e), 0);
}

static void
files_of_a_job_are_told_apart(void **state)
{
	struct job_row one, two;

	(void)state;
	job_make(JOB_A, "aaaaaaaaaaaaaaaa", 1, &one);
	two = one;
	assert_int_equal(ledger_job_file(bench.ledger, &two, &bench.e), 0);
	assert_string_equal(two.uuid, JOB_A);
	snprintf(two.batch_hash, sizeof two.batch_hash, "bbbbbbbbbbbbbbbb");
	assert_int_equal(ledger_job_file(bench.ledger, &two, &bench.e), 0);
	assert_string_equal(two.uuid, JOB_A "-bbbbbbbbbbbb");
}

/* The rest of a batch: the job with a card in the queue, then one with cards missing, then the
 * first. */
static void
rest_takes_up_what_is_missing(void **state)
{
	static const char third[] = "urn:uuid:cccccccc-0000-4000-8000-000000000003";
	struct job_row first, second, now, found;

	(void)state;
	job_make(JOB_A, "aa", 1, &first);
	card_make(JOB_A, 1, CARD_DONE);
	job_make(JOB_B, "aa", 2, &second);
	job_make(third, "aa", 2, &now);
	assert_string_equal(now.repeats, JOB_A);
	assert_int_equal(ledger_job_rest(bench.ledger, &now, &found, &bench.e), 0);
	assert_string_equal(found.uuid, JOB_A);
	card_make(JOB_B, 1, CARD_DONE);
	assert_int_equal(ledger_job_rest(bench.ledger, &now, &found, &bench.e), 0);
	assert_string_equal(found.uuid, JOB_B);
}

static unsigned waits;

static bool
wait_twice(void *ctx, const struct err *e)
{
	assert_int_equal(e->code, ERR_BUSY);
	if (++waits == 2)
		sqlite3_exec(ctx, "ROLLBACK", NULL, NULL, NULL);
	return true;
}

static void
a_locked_ledger_is_waited_for(void **state)
{
	struct job_row job;
	sqlite3 *other;

	(void)state;
	assert_int_equal(sqlite3_open(bench.path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_busy_timeout(bench.ledger->db, 1);
	ledger_patience(bench.ledger, wait_twice, other);
	job_make(JOB_A, "aa", 1, &job);
	assert_int_equal(waits, 2);
	sqlite3_close(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_sound_ledger_passes, bench_begin, bench_finish),
		cmocka_unit_test_setup_teardown(changes_are_seen, bench_begin, bench_finish),
		cmocka_unit_test_setup_teardown(
			a_bad_mark_stays_until_all_holds, bench_begin, bench_finish),
		cmocka_unit_test_setup_teardown(
			an_older_copy_needs_a_word, bench_begin, bench_finish),
		cmocka_unit_test_setup_teardown(
			files_of_a_job_are_told_apart, bench_begin, bench_finish),
		cmocka_unit_test_setup_teardown(
			rest_takes_up_what_is_missing, bench_begin, bench_finish),
		cmocka_unit_test_setup_teardown(
			a_locked_ledger_is_waited_for, bench_begin, bench_finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
