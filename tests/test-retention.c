/*
 * test-retention.c - how long a record of the failure log is kept, and what is left of it.
 *
 * The days in the table were counted on a calendar by hand.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "ledger-tool.h"

#include "spooler/failure.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define PASS    "correct horse"
#define HOUR_MS INT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)
#define SECRET  "CARD JAM of Mr Planted"

static int64_t now_ms, up_ms;

static int64_t
test_clock(void)
{
	return now_ms;
}

static int64_t
test_up(void)
{
	return up_ms;
}

/* Local time in words; the host stays up, so that the chain can prove what passed. */
static void
clock_to(const char *words)
{
	struct tm tm = {.tm_isdst = -1};
	int64_t was = now_ms;

	assert_non_null(strptime(words, "%Y-%m-%d %H:%M:%S", &tm));
	now_ms = (int64_t)mktime(&tm) * 1000;
	if (was)
		up_ms += now_ms - was;
}

static void
zone_to(const char *name)
{
	assert_int_equal(setenv("TZ", name, 1), 0);
	tzset();
}

static void
desk_open(struct bench *b, const char *words)
{
	struct person p;

	now_ms = 0;
	up_ms = HOUR_MS;
	clock_to(words);
	memset(b, 0, sizeof *b);
	bench_open(b);
	/* The ledger was made by the host's clock; the tests' one runs from its own moment on. */
	b->ledger->clock_ms = test_clock;
	b->ledger->up_ms = test_up;
	assert_int_equal(person_add(b->ledger, "chen", "reviewer", "", PASS, &p, &b->e), 0);
	assert_int_equal(person_add(b->ledger, "keeper", "custodian", "", PASS, &p, &b->e), 0);
}

static void
desk_reopen(struct bench *b)
{
	bench_reopen(b);
	b->ledger->clock_ms = test_clock;
	b->ledger->up_ms = test_up;
}

static int64_t
record_make(struct bench *b, bool reviewed)
{
	struct failure_row f = {.job_uuid = JOB_A,
		.code = "jam-printing",
		.raw = SECRET,
		.holder_masked = "王*",
		.operator_name = "wang"};

	assert_int_equal(failure_record(b->ledger, &f, &b->e), 0);
	assert_int_equal(failure_cleared(b->ledger, f.id, "taken out", &b->e), 0);
	if (reviewed)
		assert_int_equal(failure_review(b->ledger, &f.id, 1, "chen", PASS, NULL, &b->e), 0);
	return f.id;
}

static struct purge
purge_try(struct bench *b, bool dry)
{
	struct purge p = {.months = 3, .dry = dry, .name = "keeper", .pass = PASS};
	int rc = failure_purge(b->ledger, &p, &b->e);

	if (rc != 0)
		print_error("%s\n", b->e.text);
	assert_int_equal(rc, 0);
	return p;
}

static int64_t
count_of(struct bench *b)
{
	const struct failure_filter all = {.limit = 0};
	int64_t n;

	assert_int_equal(failure_count(b->ledger, &all, &n, &b->e), 0);
	return n;
}

static void
it_is_kept_through_the_last_day(void **state)
{
	static const struct {
		const char *zone, *recorded, *last, *due;
	} rows[] = {
		{"UTC", "2026-08-21 12:00:00", "2026-11-21 23:59:59", "2026-11-22 00:00:00"},
		{"UTC", "2026-11-30 00:00:00", "2027-02-28 23:59:59", "2027-03-01 00:00:00"},
		{"UTC", "2027-11-30 23:59:59", "2028-02-29 23:59:59", "2028-03-01 00:00:00"},
		{"UTC", "2026-11-29 12:00:00", "2027-02-28 23:59:59", "2027-03-01 00:00:00"},
		{"UTC", "2026-12-31 12:00:00", "2027-03-31 23:59:59", "2027-04-01 00:00:00"},
		{"UTC", "2028-02-29 12:00:00", "2028-05-29 23:59:59", "2028-05-30 00:00:00"},
		{"UTC", "2026-10-15 12:00:00", "2027-01-15 23:59:59", "2027-01-16 00:00:00"},
		/* 20:00 UTC is the next day there: the station's own days count. */
		{"Asia/Shanghai", "2026-11-30 04:00:00", "2027-02-28 23:59:59",
			"2027-03-01 00:00:00"},
		{"Pacific/Kiritimati", "2026-11-30 00:00:00", "2027-02-28 23:59:59",
			"2027-03-01 00:00:00"},
		{"America/New_York", "2026-11-30 22:00:00", "2027-02-28 23:59:59",
			"2027-03-01 00:00:00"},
		/* The last hour of a winter day is the next day by summer time: a day longer. */
		{"Europe/Berlin", "2026-11-30 23:30:00", "2027-03-01 23:59:59",
			"2027-03-02 00:00:00"},
		{"Europe/Berlin", "2026-08-21 23:30:00", "2026-11-21 23:59:59",
			"2026-11-22 00:00:00"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench b;

		zone_to(rows[i].zone);
		desk_open(&b, rows[i].recorded);
		record_make(&b, true);
		clock_to(rows[i].last);
		int64_t early = purge_try(&b, false).n_purged;
		clock_to(rows[i].due);
		int64_t late = purge_try(&b, false).n_purged;
		if (early != 0 || late != 1)
			print_error("%s %s: %d early, %d late\n", rows[i].zone, rows[i].recorded,
				(int)early, (int)late);
		assert_int_equal(early, 0);
		assert_int_equal(late, 1);
		assert_int_equal(count_of(&b), 0);
		bench_verify_clean(&b);
		bench_close(&b);
	}
	zone_to("UTC");
}

/* The record's time begins with the last thing that was written to it. */
static void
a_late_review_is_kept_too(void **state)
{
	struct bench b;
	int64_t id;

	(void)state;
	desk_open(&b, "2026-01-10 12:00:00");
	id = record_make(&b, false);
	clock_to("2026-08-21 12:00:00");
	assert_int_equal(purge_try(&b, false).n_overdue, 1);
	assert_int_equal(count_of(&b), 1);
	assert_int_equal(failure_review(b.ledger, &id, 1, "chen", PASS, NULL, &b.e), 0);
	clock_to("2026-11-21 12:00:00");
	struct purge p = purge_try(&b, false);
	assert_int_equal(p.n_purged, 0);
	assert_int_equal(p.n_overdue, 0);
	clock_to("2026-11-22 00:00:00");
	assert_int_equal(purge_try(&b, false).n_purged, 1);
	bench_close(&b);
}

static bool
file_has(const char *path, const char *words)
{
	struct buf bytes;
	struct err e;
	bool found;

	buf_init(&bytes, 64 << 20);
	if (file_read(&bytes, path, 64 << 20, &e) != 0)
		return false;
	found = bytes.len > 0 && memmem(bytes.data, bytes.len, words, strlen(words)) != NULL;
	buf_done(&bytes);
	return found;
}

static void
what_is_purged_is_gone_and_the_chain_holds(void **state)
{
	struct bench b;
	char wal[200];
	int64_t left;

	(void)state;
	desk_open(&b, "2026-01-10 12:00:00");
	for (int i = 0; i < 4; i++)
		record_make(&b, true);
	clock_to("2026-04-20 12:00:00");
	left = record_make(&b, true);
	assert_true(left == 5);
	assert_int_equal(purge_try(&b, true).n_due, 4);
	assert_int_equal(count_of(&b), 5);
	assert_int_equal(purge_try(&b, false).n_purged, 4);
	assert_int_equal(count_of(&b), 1);
	bench_verify_clean(&b);
	assert_int_equal(failure_verify(b.ledger, NULL, NULL, NULL, &b.e), 0);
	/* The one that is left still has the words; purge it too and they are nowhere. */
	clock_to("2026-08-20 12:00:00");
	assert_int_equal(purge_try(&b, false).n_purged, 1);
	snprintf(wal, sizeof wal, "%s-wal", b.path);
	assert_false(file_has(b.path, SECRET));
	assert_false(file_has(wal, SECRET));
	/* A number is never given twice. */
	assert_int_equal(record_make(&b, false), 6);
	desk_reopen(&b);
	bench_verify_clean(&b);
	bench_close(&b);
}

static void
a_clock_set_forward_frees_nothing(void **state)
{
	struct bench b;

	(void)state;
	desk_open(&b, "2026-01-10 12:00:00");
	record_make(&b, true);
	/* A year ahead within the same start of the host. */
	now_ms += 365 * DAY_MS;
	up_ms += HOUR_MS;
	struct purge p = purge_try(&b, false);
	assert_int_equal(p.n_due, 0);
	assert_true(p.unproved_ms > 364 * DAY_MS);
	assert_int_equal(count_of(&b), 1);
	/* And over a restart, where four days of being off are believed. */
	snprintf(b.ledger->boot, sizeof b.ledger->boot, "another");
	up_ms = HOUR_MS;
	now_ms += 365 * DAY_MS;
	p = purge_try(&b, false);
	assert_int_equal(p.n_purged, 0);
	bench_verify_clean(&b);
	/* Proved months count as ever. */
	now_ms += 100 * DAY_MS;
	up_ms += 100 * DAY_MS;
	assert_int_equal(purge_try(&b, false).n_purged, 1);
	bench_verify_clean(&b);
	bench_close(&b);
}

/* Days of work, the host switched off each night and over the weekend. */
static void
a_host_that_sleeps_at_night_keeps_time(void **state)
{
	struct bench b;

	(void)state;
	desk_open(&b, "2026-01-12 08:00:00"); /* a Monday */
	record_make(&b, true);
	for (int day = 1; day < 95; day++) {
		now_ms += DAY_MS;
		if (day % 7 == 5 || day % 7 == 6)
			continue;
		up_ms = HOUR_MS;
		snprintf(b.ledger->boot, sizeof b.ledger->boot, "day %d", day);
		assert_int_equal(ledger_event(b.ledger, "worker-started", "", NULL, &b.e), 0);
	}
	struct purge p = purge_try(&b, false);
	assert_int_equal(p.unproved_ms, 0);
	assert_int_equal(p.n_purged, 1);
	bench_verify_clean(&b);
	bench_close(&b);
}

static json_t *
forged_tombstone(int64_t id, int64_t first, int64_t last, int months)
{
	json_t *events = json_array();

	for (int64_t seq = first; seq <= last; seq++)
		json_array_append_new(events, json_integer(seq));
	return json_pack("{s:[I], s:o, s:I, s:I, s:s, s:s, s:s, s:i, s:i, s:i, s:s, s:s, s:I, s:s, "
			 "s:s}",
		"ids", (json_int_t)id, "events", events, "first_id", (json_int_t)id, "last_id",
		(json_int_t)id, "first_hash", "", "last_hash", "", "digest", "", "months", months,
		"zone", 0, "zone_max", 0, "person", "keeper", "fingerprint", "", "at",
		(json_int_t)now_ms, "text", "", "signature", "");
}

/* Through the ledger's own door, past every check of the program. */
static void
the_file_keeps_what_is_young_or_unreviewed(void **state)
{
	struct failure_row row;
	struct bench b;
	int64_t id;

	(void)state;
	desk_open(&b, "2026-08-21 12:00:00");
	id = record_make(&b, true);
	assert_int_equal(failure_show(b.ledger, id, &row, &b.e), 0);
	for (int months = -3; months <= 3; months++) {
		clock_to("2026-11-21 23:59:59");
		assert_int_equal(ledger_begin(b.ledger, &b.e), 0);
		int rc = ledger_append(b.ledger, "failure-purged", "", 0, "x",
			forged_tombstone(id, row.recorded, row.review, months), &b.e);
		assert_int_not_equal(ledger_end(b.ledger, rc, &b.e), 0);
	}
	clock_to("2026-11-22 00:00:00");
	id = record_make(&b, false);
	clock_to("2027-06-01 00:00:00");
	assert_int_equal(failure_show(b.ledger, id, &row, &b.e), 0);
	assert_int_equal(ledger_begin(b.ledger, &b.e), 0);
	int rc = ledger_append(b.ledger, "failure-purged", "", 0, "x",
		forged_tombstone(id, row.recorded, row.closed, 3), &b.e);
	assert_int_not_equal(ledger_end(b.ledger, rc, &b.e), 0);
	assert_int_equal(count_of(&b), 2);
	/* And with plain SQL. */
	static const char *const attempts[] = {
		"DELETE FROM failure",
		"DELETE FROM review",
		"DELETE FROM event WHERE kind LIKE 'failure-%'",
		"UPDATE event SET data = '' WHERE kind = 'failure-recorded'",
		"UPDATE failure SET review = 0",
		"UPDATE failure SET operator = 'li', event = event + 1",
		"UPDATE review SET person = 'li'",
		"DELETE FROM person",
		"UPDATE person SET retired = 1",
		"UPDATE person SET role = 'reviewer'",
		"INSERT INTO tombstone SELECT event, at, 1, 1, 1, '', '', '', '', '', '' FROM "
		"review",
	};
	for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
		if (!raw_sql(b.path, attempts[i])[0])
			print_error("not refused: %s\n", attempts[i]);
		assert_string_not_equal(raw_sql(b.path, attempts[i]), "");
	}
	bench_verify_clean(&b);
	bench_close(&b);
}

static void
verify_finds(struct bench *b, const char *words)
{
	struct findings lines = {""};

	assert_int_equal(ledger_verify(b->ledger, lines_take, &lines, NULL, &b->e), ERR_INPUT);
	if (!strstr(lines.text, words))
		print_error("wanted \"%s\", got:\n%s\n", words, lines.text);
	assert_non_null(strstr(lines.text, words));
}

/* Somebody who takes the triggers away, and knows how a chain is made. */
static void
past_the_triggers_it_shows(void **state)
{
	struct failure_row row;
	struct bench b;
	int64_t id;

	(void)state;
	desk_open(&b, "2026-08-21 12:00:00");
	id = record_make(&b, true);
	assert_int_equal(failure_show(b.ledger, id, &row, &b.e), 0);
	assert_int_equal(ledger_schema_loosen(b.ledger->db), SQLITE_OK);
	assert_string_equal(raw_sql(b.path, "DELETE FROM failure"), "");
	verify_finds(&b, "failure 1: was deleted");
	assert_string_equal(
		raw_sql(b.path, "UPDATE event SET data = '' WHERE kind LIKE 'failure-%'"), "");
	verify_finds(&b, "its content was taken away without a tombstone");
	verify_finds(&b, "trigger event_stays: was deleted");
	/* A tombstone of one's own making, a month later: early, and signed by nobody. */
	clock_to("2026-09-21 12:00:00");
	assert_int_equal(ledger_begin(b.ledger, &b.e), 0);
	int rc = ledger_append(b.ledger, "failure-purged", "", 0, "x",
		forged_tombstone(id, row.recorded, row.review, 3), &b.e);
	assert_int_equal(ledger_end(b.ledger, rc, &b.e), 0);
	verify_finds(&b, "purged before their time");
	verify_finds(&b, "is not signed by a custodian");
	bench_close(&b);
}

static void
only_a_custodian_purges(void **state)
{
	struct purge p = {.months = 3, .name = "chen", .pass = PASS};
	struct bench b;

	(void)state;
	desk_open(&b, "2026-01-10 12:00:00");
	record_make(&b, true);
	clock_to("2026-06-10 12:00:00");
	assert_int_equal(failure_purge(b.ledger, &p, &b.e), ERR_DENIED);
	p.name = "nobody";
	assert_int_equal(failure_purge(b.ledger, &p, &b.e), ERR_MISSING);
	p.name = NULL;
	assert_int_equal(failure_purge(b.ledger, &p, &b.e), ERR_USAGE);
	p.name = "keeper";
	p.pass = "wrong horse";
	assert_int_equal(failure_purge(b.ledger, &p, &b.e), ERR_DENIED);
	p.months = 2;
	assert_int_equal(failure_purge(b.ledger, &p, &b.e), ERR_USAGE);
	assert_int_equal(person_retire(b.ledger, "keeper", &b.e), 0);
	p = (struct purge){.months = 3, .name = "keeper", .pass = PASS};
	assert_int_equal(failure_purge(b.ledger, &p, &b.e), ERR_DENIED);
	assert_int_equal(count_of(&b), 1);
	bench_verify_clean(&b);
	bench_close(&b);
}

/* ---- kill -9 at each statement ---- */

static int kill_at;

static int
statement_seen(unsigned what, void *ctx, void *statement, void *text)
{
	(void)what;
	(void)ctx;
	(void)statement;
	(void)text;
	if (kill_at-- == 0)
		raise(SIGKILL);
	return 0;
}

/* True when the purge ran to its end. */
static bool
purge_killed_at(struct bench *b, int statement)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct purge p = {.months = 3, .name = "keeper", .pass = PASS};
		struct ledger *l;

		if (ledger_open(&l, b->path, LEDGER_WRITE, &b->e) != 0)
			_exit(3);
		l->clock_ms = test_clock;
		l->up_ms = test_up;
		kill_at = statement;
		sqlite3_trace_v2(l->db, SQLITE_TRACE_STMT, statement_seen, NULL);
		_exit(failure_purge(l, &p, &b->e) == 0 && p.n_purged == 3 ? 0 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return false;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	return true;
}

static void
file_copy(const char *from, const char *to)
{
	struct buf bytes;
	struct err e;

	buf_init(&bytes, 64 << 20);
	assert_int_equal(file_read(&bytes, from, 64 << 20, &e), 0);
	assert_int_equal(file_write(to, bytes.data, bytes.len, 0600, &e), 0);
	buf_done(&bytes);
}

static void
a_killed_purge_leaves_all_or_nothing(void **state)
{
	bool whole = false, all = false, nothing = false;
	struct bench b;
	char kept[200], path[200];

	(void)state;
	desk_open(&b, "2026-01-10 12:00:00");
	for (int i = 0; i < 3; i++)
		record_make(&b, true);
	clock_to("2026-06-10 12:00:00");
	ledger_close(b.ledger);
	snprintf(kept, sizeof kept, "%s/kept", b.folder);
	file_copy(b.path, kept);
	for (int at = 0; !whole; at += 2) {
		static const char *const beside[] = {"", "-wal", "-shm"};

		for (size_t i = 0; i < ARRAY_LEN(beside); i++) {
			snprintf(path, sizeof path, "%s%s", b.path, beside[i]);
			unlink(path);
		}
		file_copy(kept, b.path);
		whole = purge_killed_at(&b, at);
		assert_int_equal(ledger_open(&b.ledger, b.path, LEDGER_WRITE, &b.e), 0);
		int64_t n = count_of(&b);
		assert_true(n == 3 || n == 0);
		all = all || n == 3;
		nothing = nothing || (n == 0 && !whole);
		bench_verify_clean(&b);
		ledger_close(b.ledger);
	}
	b.ledger = NULL;
	assert_true(all && nothing);
	bench_close(&b);
}

static void
days_parse(void **state)
{
	static const char *const bad[] = {"", "2026", "2026-1-1", "2026-13-01", "2026-02-29",
		"2026-00-10", "2026-01-00", "2026-01-32", "2026-01-01x", "20260101", "1969-12-31",
		"-026-01-01", "2026-01-0"};
	int64_t day;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(day_parse(bad[i], &day), -1);
	assert_int_equal(day_parse("1970-01-01", &day), 0);
	assert_int_equal(day, 0);
	assert_int_equal(day_parse("2000-02-29", &day), 0);
	assert_int_equal(day, 11016); /* date -d 2000-02-29 +%s / 86400 */
	assert_int_equal(day_parse("2026-11-21", &day), 0);
	assert_int_equal(day, 20778);
	/* 1,000 years of days against the C library. */
	for (int64_t d = 0; d < 365243; d += 11) {
		time_t at = (time_t)d * 86400;
		struct tm tm;
		char text[32];

		assert_non_null(gmtime_r(&at, &tm));
		strftime(text, sizeof text, "%Y-%m-%d", &tm);
		assert_int_equal(day_parse(text, &day), 0);
		assert_int_equal(day, d);
		assert_true(day_kept(d, 3) - d >= 89 && day_kept(d, 3) - d <= 92);
	}
	assert_int_equal(day_of(-1, 0), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(days_parse),
		cmocka_unit_test(it_is_kept_through_the_last_day),
		cmocka_unit_test(a_late_review_is_kept_too),
		cmocka_unit_test(what_is_purged_is_gone_and_the_chain_holds),
		cmocka_unit_test(a_clock_set_forward_frees_nothing),
		cmocka_unit_test(a_host_that_sleeps_at_night_keeps_time),
		cmocka_unit_test(the_file_keeps_what_is_young_or_unreviewed),
		cmocka_unit_test(past_the_triggers_it_shows),
		cmocka_unit_test(only_a_custodian_purges),
		cmocka_unit_test(a_killed_purge_leaves_all_or_nothing),
	};

	zone_to("UTC");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
