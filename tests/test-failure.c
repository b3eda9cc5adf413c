/*
 * test-failure.c - the failure log: one record each, kept as it was written.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "ledger-tool.h"

struct rows {
	struct failure_row row[8];
	size_t n;
};

static int
rows_take(void *ctx, const struct failure_row *row)
{
	struct rows *rows = ctx;

	rows->row[rows->n++] = *row;
	return 0;
}

static struct rows
rows_of(struct bench *b, const char *job)
{
	struct rows rows = {.n = 0};

	assert_int_equal(failure_list(b->ledger, job, rows_take, &rows, &b->e), 0);
	return rows;
}

static void
a_record_takes_what_the_job_knows(void **state)
{
	struct failure_row f = {.job_uuid = JOB_A,
		.card = 3,
		.copy = 1,
		.attempt = 2,
		.step = "print",
		.code = "jam-printing",
		.cause = "The card is jammed",
		.raw = "ERROR CARD JAM",
		.holder_masked = "王*"};
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_job(&b, JOB_A, "h1");
	assert_int_equal(failure_record(b.ledger, &f, &b.e), 0);
	assert_int_equal(f.id, 1);
	bench_reopen(&b);
	struct rows rows = rows_of(&b, JOB_A);
	assert_int_equal(rows.n, 1);
	assert_string_equal(rows.row[0].order, "DEMO-1");
	assert_string_equal(rows.row[0].machine, "Evolis Dualys 3");
	assert_string_equal(rows.row[0].serial, "S0001");
	assert_string_equal(rows.row[0].operator_name, "wang");
	assert_string_equal(rows.row[0].raw, "ERROR CARD JAM");
	assert_string_equal(rows.row[0].holder_masked, "王*");
	assert_int_equal(rows.row[0].cups_id, 12);
	assert_int_equal(rows.row[0].attempt, 2);
	assert_true(rows.row[0].at > 0);
	assert_int_equal(rows.row[0].cleared, 0);
	assert_int_equal(rows_of(&b, JOB_B).n, 0);
	bench_verify_clean(&b);
	bench_close(&b);
}

static void
it_is_cleared_once(void **state)
{
	struct failure_row f = {.job_uuid = JOB_A, .code = "jam-printing", .done = "waiting"};
	struct bench b;
	char hash[2 * HASH_LEN + 1];
	int64_t before, after;

	(void)state;
	bench_open(&b);
	bench_job(&b, JOB_A, "h1");
	assert_int_equal(failure_record(b.ledger, &f, &b.e), 0);
	assert_int_equal(failure_cleared(b.ledger, f.id, "rejected, fresh card", &b.e), 0);
	assert_int_equal(ledger_head(b.ledger, &before, hash, &b.e), 0);
	assert_int_equal(failure_cleared(b.ledger, f.id, "something else", &b.e), 0);
	assert_int_equal(ledger_head(b.ledger, &after, hash, &b.e), 0);
	assert_int_equal(before, after);
	struct rows rows = rows_of(&b, NULL);
	assert_string_equal(rows.row[0].done, "rejected, fresh card");
	assert_true(rows.row[0].cleared >= rows.row[0].at);
	assert_int_equal(failure_cleared(b.ledger, 99, NULL, &b.e), ERR_MISSING);
	bench_verify_clean(&b);
	bench_close(&b);
}

static void
clearing_without_words_keeps_them(void **state)
{
	struct failure_row f = {.code = "hopper-empty", .done = "waited"};
	struct bench b;

	(void)state;
	bench_open(&b);
	assert_int_equal(failure_record(b.ledger, &f, &b.e), 0);
	assert_int_equal(failure_cleared(b.ledger, f.id, NULL, &b.e), 0);
	assert_string_equal(rows_of(&b, NULL).row[0].done, "waited");
	bench_close(&b);
}

/* A printer that is gone before the job is known has a record too. */
static void
it_needs_no_job(void **state)
{
	struct failure_row f = {
		.job_uuid = JOB_B, .code = "printer-absent", .machine = "Evolis Pebble"};
	struct bench b;

	(void)state;
	bench_open(&b);
	assert_int_equal(failure_record(b.ledger, &f, &b.e), 0);
	struct rows rows = rows_of(&b, JOB_B);
	assert_int_equal(rows.n, 1);
	assert_string_equal(rows.row[0].machine, "Evolis Pebble");
	bench_verify_clean(&b);
	bench_close(&b);
}

static void
hostile_text_does_no_harm(void **state)
{
	struct failure_row f = {.job_uuid = JOB_A,
		.code = "garbled-reply",
		.cause = "');DROP TABLE card;--",
		.raw = "\x1b[2J\xff\xfe\"\\",
		.operator_name = "<script>",
		.holder_masked = "\xe7\x8e"};
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_job(&b, JOB_A, "h1");
	assert_int_equal(failure_record(b.ledger, &f, &b.e), 0);
	struct rows rows = rows_of(&b, JOB_A);
	assert_string_equal(rows.row[0].cause, "');DROP TABLE card;--");
	assert_string_equal(rows.row[0].raw, "\x1b[2J\xef\xbf\xbd\xef\xbf\xbd\"\\");
	bench_verify_clean(&b);
	bench_close(&b);
}

static void
it_cannot_be_changed(void **state)
{
	static const char *const attempts[] = {
		"UPDATE failure SET cause = 'nothing'",
		"UPDATE failure SET cleared = 5, event = event + 1",
		"DELETE FROM failure",
		"INSERT OR REPLACE INTO failure SELECT * FROM failure",
	};
	struct failure_row f = {.job_uuid = JOB_A, .code = "jam-feed"};
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_job(&b, JOB_A, "h1");
	assert_int_equal(failure_record(b.ledger, &f, &b.e), 0);
	bench_job(&b, JOB_B, "h2"); /* another event is the last one now */
	for (size_t i = 0; i < ARRAY_LEN(attempts); i++)
		assert_string_not_equal(raw_sql(b.path, attempts[i]), "");
	bench_verify_clean(&b);
	bench_close(&b);
}

/* A card thrown away before the head costs no ribbon; two failures of one card cost it once. */
static void
it_says_what_was_lost(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_job(&b, JOB_A, "h1");
	for (unsigned card = 1; card <= 2; card++) {
		struct card_row row = bench_card(&b, JOB_A, card, 1);
		struct failure_row f = {.job_uuid = JOB_A, .card = card, .copy = 1, .attempt = 1};
		struct card_facts faces = {.front_hash = "f0"};

		bench_move(&b, &row, CARD_FEEDING);
		bench_move(&b, &row, CARD_AT_STATION);
		assert_int_equal(ledger_card_move(b.ledger, &row, CARD_ENCODING, &faces, &b.e), 0);
		if (card == 2) {
			bench_move(&b, &row, CARD_ENCODED);
			bench_move(&b, &row, CARD_PRINTING);
		}
		assert_int_equal(failure_record(b.ledger, &f, &b.e), 0);
		bench_move(&b, &row, CARD_REJECTING);
		bench_move(&b, &row, CARD_REJECTED);
		assert_int_equal(failure_cleared(b.ledger, f.id, NULL, &b.e), 0);
		f.id = 0;
		assert_int_equal(failure_record(b.ledger, &f, &b.e), 0);
		assert_int_equal(failure_cleared(b.ledger, f.id, NULL, &b.e), 0);
	}
	struct rows rows = rows_of(&b, NULL);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(rows.row[i].cards_lost, i % 2 == 0);
		assert_int_equal(rows.row[i].panels_lost, i == 2);
	}
	bench_verify_clean(&b);
	bench_close(&b);
}

/* ---- a ledger of an older format, as it was written then ---- */

static void
old_file_make(struct bench *b, int format)
{
	const char *srcdir = getenv("srcdir");
	struct buf sql;
	char path[512];
	sqlite3 *db;

	bench_open(b);
	ledger_close(b->ledger);
	b->ledger = NULL;
	assert_int_equal(unlink(b->path), 0);
	snprintf(path, sizeof path, "%s/tests/data/ledger-%d.sql", srcdir ? srcdir : ".", format);
	buf_init(&sql, 1 << 20);
	assert_int_equal(file_read(&sql, path, 1 << 20, &b->e), 0);
	assert_int_equal(buf_append(&sql, "", 1, &b->e), 0);
	assert_int_equal(sqlite3_open(b->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, (char *)sql.data, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	buf_done(&sql);
}

/* Format, number of its last event. */
static const struct old {
	int format, n_events;
} olds[] = {{1, 18}, {2, 21}};

static void
an_old_file_is_converted_when_it_is_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(olds); i++) {
		struct failure_row f = {.job_uuid = JOB_A, .code = "cover-open"};
		struct bench b;

		old_file_make(&b, olds[i].format);
		assert_int_equal(ledger_open(&b.ledger, b.path, LEDGER_WRITE, &b.e), 0);
		struct rows rows = rows_of(&b, NULL);
		assert_int_equal(rows.n, 2);
		assert_string_equal(rows.row[0].code, "jam-feeding");
		assert_string_equal(rows.row[0].holder_masked, "王*");
		assert_int_equal(rows.row[0].recorded, 13);
		assert_int_equal(rows.row[0].closed, 16);
		assert_int_equal(rows.row[0].notes, olds[i].format - 1);
		assert_int_equal(rows.row[1].cleared, 0);
		bench_verify_clean(&b);
		/* It goes on like any other: the open record is cleared, a new one follows. */
		assert_int_equal(failure_cleared(b.ledger, 2, "cards put in", &b.e), 0);
		assert_int_equal(failure_record(b.ledger, &f, &b.e), 0);
		assert_int_equal(f.id, 3);
		bench_reopen(&b);
		assert_int_equal(rows_of(&b, JOB_A).n, 3);
		bench_verify_clean(&b);
		assert_string_not_equal(raw_sql(b.path, "UPDATE failure SET cause = 'x'"), "");
		bench_close(&b);
	}
}

static void
an_old_file_is_only_read_by_who_reads(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(olds); i++) {
		char head[2 * HASH_LEN + 1];
		struct stat before, after;
		struct bench b;
		int64_t n;

		old_file_make(&b, olds[i].format);
		assert_int_equal(stat(b.path, &before), 0);
		assert_int_equal(ledger_open(&b.ledger, b.path, LEDGER_READ, &b.e), 0);
		assert_int_equal(rows_of(&b, NULL).n, 2);
		assert_int_equal(ledger_head(b.ledger, &n, head, &b.e), 0);
		assert_int_equal(n, olds[i].n_events);
		bench_verify_clean(&b);
		assert_int_equal(stat(b.path, &after), 0);
		assert_int_equal(before.st_size, after.st_size);
		assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
		bench_close(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_takes_what_the_job_knows),
		cmocka_unit_test(it_is_cleared_once),
		cmocka_unit_test(clearing_without_words_keeps_them),
		cmocka_unit_test(it_needs_no_job),
		cmocka_unit_test(hostile_text_does_no_harm),
		cmocka_unit_test(it_cannot_be_changed),
		cmocka_unit_test(it_says_what_was_lost),
		cmocka_unit_test(an_old_file_is_converted_when_it_is_written),
		cmocka_unit_test(an_old_file_is_only_read_by_who_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
