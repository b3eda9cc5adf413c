/*
 * test-ledger-tamper.c - changing a ledger from outside: what the file refuses, and what shows in
 * it when somebody got past that.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "ledger-tool.h"

#include <inttypes.h>

static void
the_file_refuses_changes(void **state)
{
	static const char *const attempts[] = {
		"UPDATE event SET actor = 'nobody' WHERE seq = 3",
		"DELETE FROM event WHERE seq = 3",
		"DELETE FROM event",
		"INSERT INTO event SELECT * FROM event WHERE seq = 3",
		"INSERT OR REPLACE INTO event SELECT * FROM event WHERE seq = 3",
		"INSERT INTO event SELECT seq + 1, at, up, kind, job, card, actor, data, "
		"data_hash, prev, hash FROM event WHERE seq = (SELECT max(seq) FROM event)",
		"UPDATE meta SET n_events = 3",
		"UPDATE meta SET head = 'x'",
		"UPDATE meta SET ledger = 'x'",
		"DELETE FROM meta",
		"UPDATE card SET state = 'done' WHERE id = 3",
		"UPDATE card SET state = 'queued' WHERE id = 3",
		"UPDATE card SET state = 'queued', event = event + 100 WHERE id = 3",
		"UPDATE card SET uid = '' WHERE id = 1",
		"DELETE FROM card WHERE id = 1",
		"INSERT INTO card SELECT 50, job, 9, 1, 1, 'queued', '', '', '', '', '', '', '', "
		"'', -1, '', 0, 0, 0, event FROM card WHERE id = 1",
		"UPDATE job SET user = 'x'",
		"DELETE FROM job",
		"UPDATE failure SET cause = 'x'",
		"DELETE FROM failure",
		"INSERT INTO transition VALUES ('doubt', 'printing', 'why not')",
		"UPDATE transition SET to_state = 'printing' WHERE from_state = 'doubt' AND "
		"to_state = 'done'",
		"DELETE FROM transition WHERE from_state = 'doubt'",
		"UPDATE card_state SET fed = 0",
		"INSERT INTO card_state VALUES ('lost', 0, 0)",
	};
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_fill(&b);
	for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
		const char *words = raw_sql(b.path, attempts[i]);

		if (!words[0])
			print_error("not refused: %s\n", attempts[i]);
		assert_string_not_equal(words, "");
	}
	bench_verify_clean(&b);
	bench_close(&b);
}

/* ---- what shows when somebody got past the guards ---- */

static int
trigger_keep(void *ctx, int n, char **values, char **names)
{
	struct buf *keep = ctx;

	(void)n;
	(void)names;
	return buf_printf(keep, NULL, "%s;\n", values[0]);
}

/* Takes all triggers away, does the deed, puts the triggers back as they were. */
static void
tamper(const char *path, const char *sql)
{
	struct buf keep, drop;
	sqlite3 *db;

	buf_init(&keep, 65536);
	buf_init(&drop, 65536);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_exec(db, "SELECT sql FROM sqlite_master WHERE type = 'trigger'", trigger_keep,
		&keep, NULL);
	sqlite3_exec(db, "SELECT 'DROP TRIGGER ' || name FROM sqlite_master WHERE type = 'trigger'",
		trigger_keep, &drop, NULL);
	buf_append(&keep, "", 1, NULL);
	buf_append(&drop, "", 1, NULL);
	assert_int_equal(sqlite3_exec(db, (char *)drop.data, NULL, NULL, NULL), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
		print_error("%s: %s\n", sql, sqlite3_errmsg(db));
		fail();
	}
	assert_int_equal(sqlite3_exec(db, (char *)keep.data, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	buf_done(&keep);
	buf_done(&drop);
}

#define SWAP(a, b)                                                                                 \
	"UPDATE event SET seq = -1 WHERE seq = " #a ";UPDATE event SET seq = " #a                  \
	" WHERE seq = " #b ";UPDATE event SET seq = " #b " WHERE seq = -1"

static void
every_deed_is_named(void **state)
{
	static const struct {
		const char *sql;
		const char *named[3];
	} cases[] = {
		{"UPDATE event SET data = replace(data, 'record-1', 'record-9') WHERE seq = 3",
			{"event 3 (card-admitted): was edited"}},
		{"UPDATE event SET at = at + 1 WHERE seq = 4",
			{"event 4 (card-moved): was edited"}},
		{"UPDATE event SET actor = 'li' WHERE seq = 5",
			{"event 5 (card-moved): was edited"}},
		{"UPDATE event SET card = 2 WHERE seq = 6", {"event 6 (card-moved): was edited"}},
		{"UPDATE event SET data = '{}' WHERE kind = 'worker-started'", {NULL}},
		{"UPDATE event SET data = '{\"a\":1}' WHERE kind = 'worker-started'",
			{"(worker-started): was edited"}},
		{"DELETE FROM event WHERE seq = 6", {"event 6: was deleted"}},
		{"DELETE FROM event WHERE seq BETWEEN 6 AND 8", {"events 6 to 8: were deleted"}},
		{"DELETE FROM event WHERE seq = 1", {"event 1: was deleted"}},
		{"DELETE FROM event", {"events 1 to 21: were cut off at the end"}},
		{"DELETE FROM event WHERE seq = 21", {"event 21: was cut off at the end"}},
		{"DELETE FROM event WHERE seq > 18", {"events 19 to 21: were cut off at the end"}},
		{"DELETE FROM event WHERE seq > 20; UPDATE meta SET n_events = 20, head = "
		 "(SELECT hash FROM event WHERE seq = 20)",
			{"job 1: state was edited: it is \"held\", by the events it is "
			 "\"active\""}},
		{SWAP(6, 7),
			{"event 6 (card-moved): was moved here; it was written as event 7",
				"event 7 (card-moved): was moved here; it was written as event 6"}},
		{SWAP(5, 8),
			{"event 5 (card-moved): was moved here; it was written as event 8",
				"event 8 (card-moved): was moved here; it was written as event 5"}},
		{"UPDATE event SET seq = 30 WHERE seq = 8",
			{"event 8: was deleted", "event 30 (card-moved): was moved here; it was "
						 "written as event 8"}},
		{"UPDATE card SET state = 'done' WHERE id = 3",
			{"card 3: state was edited: it is \"done\", by the events it is "
			 "\"doubt\""}},
		{"UPDATE card SET uid = '04ab' WHERE id = 1", {"card 1: uid was edited"}},
		{"UPDATE card SET record_hash = 'x', front_hash = 'y' WHERE id = 2",
			{"card 2: record_hash was edited", "card 2: front_hash was edited"}},
		{"DELETE FROM card WHERE id = 2", {"card 2: was deleted"}},
		{"INSERT INTO card SELECT 50, job, 9, 1, 1, state, '', '', '', '', '', '', '', '', "
		 "-1, '', 0, 0, 0, event FROM card WHERE id = 1",
			{"card 50: was added without an event"}},
		{"UPDATE job SET user = 'li'",
			{"job 1: user was edited: it is \"li\", by the events it is \"wang\""}},
		{"UPDATE failure SET cause = 'nothing'", {"failure 1: cause was edited"}},
		{"DELETE FROM failure", {"failure 1: was deleted"}},
		{"INSERT INTO transition VALUES ('doubt', 'printing', 'x')",
			{"transition doubt printing: was added without an event"}},
		{"UPDATE card_state SET fed = 0 WHERE name = 'rejected'",
			{"card_state rejected: fed was edited"}},
		{"DELETE FROM meta", {"the head of the chain: was deleted"}},
		{"UPDATE meta SET head = 'x'", {"event 21: is not the head of the chain"}},
		{"DROP INDEX card_one_live", {"index card_one_live: was deleted"}},
		{"CREATE TABLE extra (x)", {"table extra: was added without an event"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct findings lines = {""};
		uint64_t n = 0;
		struct bench b;

		bench_open(&b);
		bench_fill(&b);
		bench_verify_clean(&b);
		tamper(b.path, cases[i].sql);
		int rc = ledger_verify(b.ledger, lines_take, &lines, &n, &b.e);
		for (size_t k = 0; k < ARRAY_LEN(cases[i].named) && cases[i].named[k]; k++) {
			if (!strstr(lines.text, cases[i].named[k]))
				print_error("%s\n  wanted: %s\n  got: %s", cases[i].sql,
					cases[i].named[k], lines.text);
			assert_non_null(strstr(lines.text, cases[i].named[k]));
		}
		assert_int_equal(rc, cases[i].named[0] ? ERR_INPUT : 0);
		bench_close(&b);
	}
}

static void
missing_guards_are_named(void **state)
{
	struct findings lines = {""};
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_fill(&b);
	assert_string_equal(raw_sql(b.path, "DROP TRIGGER event_remains"), "");
	assert_string_equal(
		raw_sql(b.path,
			"DROP TRIGGER card_moves; CREATE TRIGGER card_moves BEFORE UPDATE ON "
			"card BEGIN SELECT 1; END"),
		"");
	assert_int_equal(ledger_verify(b.ledger, lines_take, &lines, NULL, &b.e), ERR_INPUT);
	assert_non_null(strstr(lines.text, "trigger event_remains: was deleted"));
	assert_non_null(strstr(lines.text, "trigger card_moves: was changed"));
	bench_close(&b);
}

/* An event rewritten with all its own hashes does not fit the one that follows; the last one not
 * the head. */
static void
rewritten_events_do_not_fit(void **state)
{
	static const struct {
		int64_t seq;
		const char *named;
	} cases[] = {{20, "event 21 (job-state): does not follow event 20"},
		{21, "event 21: is not the head of the chain; it was replaced"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		static const char data[] = "{\"state\":\"done\"}";
		char data_hash[2 * HASH_LEN + 1], prev[2 * HASH_LEN + 1], hash[2 * HASH_LEN + 1],
			sql[1024];
		struct findings lines = {""};
		struct bench b;
		sqlite3_stmt *s;

		bench_open(&b);
		bench_fill(&b);
		assert_int_equal(
			sqlite3_prepare_v2(b.ledger->db,
				"SELECT at, up, kind, job, actor, prev FROM event WHERE seq = ?",
				-1, &s, NULL),
			SQLITE_OK);
		sqlite3_bind_int64(s, 1, cases[i].seq);
		assert_int_equal(sqlite3_step(s), SQLITE_ROW);
		text_hash(data_hash, data, strlen(data));
		snprintf(prev, sizeof prev, "%s", (const char *)sqlite3_column_text(s, 5));
		struct event_head h = {.seq = cases[i].seq,
			.at = sqlite3_column_int64(s, 0),
			.up = sqlite3_column_int64(s, 1),
			.kind = (const char *)sqlite3_column_text(s, 2),
			.job = (const char *)sqlite3_column_text(s, 3),
			.actor = (const char *)sqlite3_column_text(s, 4),
			.data_hash = data_hash,
			.prev = prev};
		assert_int_equal(event_hash(hash, &h), 0);
		sqlite3_finalize(s);
		snprintf(sql, sizeof sql,
			"UPDATE event SET data = '%s', data_hash = '%s', hash = '%s' WHERE seq = "
			"%" PRId64,
			data, data_hash, hash, cases[i].seq);
		tamper(b.path, sql);
		assert_int_equal(
			ledger_verify(b.ledger, lines_take, &lines, NULL, &b.e), ERR_INPUT);
		assert_non_null(strstr(lines.text, cases[i].named));
		bench_close(&b);
	}
}

/* Both hashes computed with Python's hashlib and json (sorted keys, no blanks, UTF-8). */
static void
the_chain_is_plain_sha256(void **state)
{
	static const char data[] = "{\"from\":\"queued\",\"to\":\"feeding\"}";
	char data_hash[2 * HASH_LEN + 1], hash[2 * HASH_LEN + 1];

	(void)state;
	text_hash(data_hash, data, strlen(data));
	assert_string_equal(
		data_hash, "0740cd087be26f5f793ac6dbda0d09a95386809b8d158b2d0eec559cc2a6ae2e");
	struct event_head h = {.seq = 3,
		.at = INT64_C(1763712576123),
		.up = 99,
		.card = 7,
		.kind = "card-moved",
		.job = "urn:uuid:x",
		.actor = "王",
		.data_hash = data_hash,
		.prev = CHAIN_START};
	assert_int_equal(event_hash(hash, &h), 0);
	assert_string_equal(
		hash, "8b8fdf2b4817540e29127a1bf021c0aae14ea5f43adeaf3f0bb1c927450ae254");
}

static void
a_noted_head_proves_the_past(void **state)
{
	char head[2 * HASH_LEN + 1];
	int64_t n;
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_fill(&b);
	assert_int_equal(ledger_head(b.ledger, &n, head, &b.e), 0);
	assert_int_equal(n, FILL_EVENTS);
	bench_job(&b, JOB_B, "h2");
	assert_int_equal(ledger_head_check(b.ledger, n, head, &b.e), 0);
	assert_int_equal(ledger_head_check(b.ledger, n + 1, head, &b.e), ERR_INPUT);
	assert_int_equal(ledger_head_check(b.ledger, n + 50, head, &b.e), ERR_INPUT);
	bench_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_file_refuses_changes),
		cmocka_unit_test(every_deed_is_named),
		cmocka_unit_test(missing_guards_are_named),
		cmocka_unit_test(rewritten_events_do_not_fit),
		cmocka_unit_test(the_chain_is_plain_sha256),
		cmocka_unit_test(a_noted_head_proves_the_past),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
