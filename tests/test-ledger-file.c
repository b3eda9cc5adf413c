/*
 * test-ledger-file.c - the ledger as a file: what it refuses, what shows in it, what happens when
 * it cannot be written.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "ledger-tool.h"

#include <inttypes.h>

/* One job, card 1 done, card 2 rejected and replaced, a failure: 21 events. */
static void
bench_fill(struct bench *b)
{
	struct failure_row f = {.job_uuid = JOB_A, .code = "jam-feed"};
	struct card_row fresh;

	bench_job(b, JOB_A, "h1");
	bench_done(b, JOB_A, 1, "04aa");
	struct card_row row = bench_card(b, JOB_A, 2, 1);
	bench_move(b, &row, CARD_FEEDING);
	bench_move(b, &row, CARD_AT_STATION);
	assert_int_equal(failure_record(b->ledger, &f, &b->e), 0);
	bench_move(b, &row, CARD_REJECTING);
	bench_move(b, &row, CARD_REJECTED);
	assert_int_equal(failure_cleared(b->ledger, f.id, "rejected", &b->e), 0);
	assert_int_equal(ledger_card_retry(b->ledger, &row, &fresh, &b->e), 0);
	bench_move(b, &fresh, CARD_FEEDING);
	bench_move(b, &fresh, CARD_DOUBT);
	assert_int_equal(ledger_event(b->ledger, "worker-started", JOB_A, NULL, &b->e), 0);
	assert_int_equal(ledger_job_state(b->ledger, JOB_A, "held", &b->e), 0);
}
#define FILL_EVENTS 21

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

/* ---- time ---- */

static int64_t fake_now_ms;

static int64_t
fake_clock(void)
{
	return fake_now_ms;
}

static int
count_set_back(void *ctx, const json_t *event)
{
	if (strcmp(json_string_value(json_object_get(event, "kind")), "clock-set-back") == 0)
		++*(int *)ctx;
	return 0;
}

static void
a_clock_that_goes_back_is_noted(void **state)
{
	struct bench b;
	int n = 0;

	(void)state;
	bench_open(&b);
	b.ledger->clock_ms = fake_clock;
	fake_now_ms = clock_real_ms() + 100000;
	bench_job(&b, JOB_A, "h1");
	fake_now_ms -= 1000; /* a clock that is being steered */
	bench_card(&b, JOB_A, 1, 1);
	fake_now_ms -= 3600000;
	struct card_row row = bench_card(&b, JOB_A, 2, 1);
	bench_move(&b, &row, CARD_FEEDING);
	assert_int_equal(ledger_events(b.ledger, 0, count_set_back, &n, &b.e), 0);
	assert_int_equal(n, 1);
	bench_verify_clean(&b);
	bench_close(&b);
}

/* ---- a file that is not as it should be ---- */

static void
newer_and_foreign_files_are_left_alone(void **state)
{
	static const struct {
		const char *sql, *words;
		int code;
	} cases[] = {
		{"PRAGMA user_version = 5", "newer cardspool", ERR_INPUT},
		{"PRAGMA application_id = 7", "another program", ERR_INPUT},
		{"PRAGMA user_version = 0", "damaged", ERR_INPUT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (int mode = LEDGER_READ; mode <= LEDGER_WRITE; mode++) {
			struct ledger *l;
			struct bench b;

			bench_open(&b);
			assert_string_equal(raw_sql(b.path, cases[i].sql), "");
			assert_int_equal(ledger_open(&l, b.path, (enum ledger_mode)mode, &b.e),
				cases[i].code);
			assert_null(l);
			assert_non_null(strstr(b.e.text, cases[i].words));
			assert_non_null(strstr(b.e.text, b.path));
			bench_close(&b);
		}
}

/* Format 2 had no index by which chips are found. */
static void
format_2_gets_the_index_of_chips(void **state)
{
	static const char plan[] = "EXPLAIN QUERY PLAN SELECT 1 FROM event WHERE " EVENT_CHIP
				   " AND " EVENT_CHIP_NUMBER " = 'x' AND kind = 'chip-life'";
	json_t *data = json_pack(
		"{s:s, s:s, s:s}", "verb", "personalise", "phase", "done", "number", "04a1");
	sqlite3_stmt *s = NULL;
	bool issued = false;
	struct bench b;

	(void)state;
	bench_open(&b);
	assert_int_equal(ledger_event(b.ledger, "chip-life", NULL, data, &b.e), 0);
	json_decref(data);
	ledger_close(b.ledger);
	assert_string_equal(raw_sql(b.path, "DROP INDEX event_chip; PRAGMA user_version = 2"), "");
	assert_int_equal(ledger_open(&b.ledger, b.path, LEDGER_READ, &b.e), 0);
	assert_int_equal(ledger_chip_issued(b.ledger, "04a1", &issued, &b.e), 0);
	assert_true(issued);
	bench_reopen(&b);
	bench_verify_clean(&b);
	assert_int_equal(ledger_chip_issued(b.ledger, "04a2", &issued, &b.e), 0);
	assert_false(issued);
	assert_int_equal(sqlite3_prepare_v2(b.ledger->db, plan, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	assert_non_null(strstr((const char *)sqlite3_column_text(s, 3), "event_chip"));
	sqlite3_finalize(s);
	bench_close(&b);
}

static void
files_that_are_no_ledger_are_refused(void **state)
{
	char path[256];
	struct ledger *l;
	struct bench b;
	FILE *f;

	(void)state;
	bench_open(&b);
	snprintf(path, sizeof path, "%s/missing.db", b.folder);
	assert_int_equal(ledger_open(&l, path, LEDGER_READ, &b.e), ERR_MISSING);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof path, "%s/none/ledger.db", b.folder);
	assert_int_equal(ledger_open(&l, path, LEDGER_WRITE, &b.e), ERR_MISSING);
	assert_int_equal(ledger_open(&l, b.folder, LEDGER_WRITE, &b.e), ERR_INPUT);
	snprintf(path, sizeof path, "%s/text", b.folder);
	f = fopen(path, "w");
	assert_non_null(f);
	for (int i = 0; i < 100; i++)
		fputs("this is a shopping list, not a ledger\n", f);
	fclose(f);
	assert_int_equal(ledger_open(&l, path, LEDGER_WRITE, &b.e), ERR_INPUT);
	assert_non_null(strstr(b.e.text, "not a ledger"));
	/* A crash between the making of the file and the making of the tables leaves it empty. */
	snprintf(path, sizeof path, "%s/empty.db", b.folder);
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(ledger_open(&l, path, LEDGER_READ, &b.e), ERR_MISSING);
	assert_int_equal(ledger_open(&l, path, LEDGER_WRITE, &b.e), 0);
	ledger_close(l);
	bench_close(&b);
}

static void
it_belongs_to_its_owner_alone(void **state)
{
	struct stat st;
	struct bench b;
	char wal[200];

	(void)state;
	bench_open(&b);
	bench_job(&b, JOB_A, "h1");
	assert_int_equal(stat(b.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snprintf(wal, sizeof wal, "%s-wal", b.path);
	assert_int_equal(stat(wal, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	bench_close(&b);
}

static void
a_locked_ledger_says_so(void **state)
{
	sqlite3 *other;
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_job(&b, JOB_A, "h1");
	struct card_row row = bench_card(&b, JOB_A, 1, 1);
	sqlite3_busy_timeout(b.ledger->db, 5);
	assert_int_equal(sqlite3_open(b.path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(ledger_card_move(b.ledger, &row, CARD_FEEDING, NULL, &b.e), ERR_BUSY);
	assert_non_null(strstr(b.e.text, "in use"));
	assert_int_equal(row.state, CARD_QUEUED);
	/* Reading goes on. */
	assert_int_equal(ledger_card_find(b.ledger, row.id, &row, &b.e), 0);
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	bench_move(&b, &row, CARD_FEEDING);
	bench_close(&b);
}

static void
a_full_disk_loses_nothing(void **state)
{
	struct bench b;
	unsigned n = 1;
	int rc = 0;

	(void)state;
	bench_open(&b);
	bench_job(&b, JOB_A, "h1");
	assert_int_equal(sqlite3_exec(b.ledger->db, "PRAGMA max_page_count = 60", NULL, NULL, NULL),
		SQLITE_OK);
	while (rc == 0 && n < 1000) {
		struct card_row in = card_of(JOB_A, n, 1), out;

		rc = ledger_card_admit(b.ledger, &in, &out, &b.e);
		n += rc == 0;
	}
	assert_int_equal(rc, ERR_STORAGE);
	assert_non_null(strstr(b.e.text, "full"));
	bench_verify_clean(&b);
	assert_int_equal(
		sqlite3_exec(b.ledger->db, "PRAGMA max_page_count = 100000", NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(bench_card(&b, JOB_A, n, 1).id, n);
	bench_verify_clean(&b);
	bench_close(&b);
}

/* As root nothing is read-only: the test becomes nobody for a moment. */
static void
a_read_only_ledger_says_so(void **state)
{
	struct card_row row;
	struct ledger *l;
	char copy[256];
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_fill(&b);
	assert_int_equal(ledger_open(&l, b.path, LEDGER_READ, &b.e), 0);
	assert_int_equal(ledger_card_find(l, 3, &row, &b.e), 0);
	assert_int_equal(ledger_card_move(l, &row, CARD_SPOILED, NULL, &b.e), ERR_STORAGE);
	assert_non_null(strstr(b.e.text, "read-only"));
	ledger_close(l);
	snprintf(copy, sizeof copy, "%s/copy.db", b.folder);
	assert_int_equal(ledger_copy(b.ledger, copy, &b.e), 0);
	ledger_close(b.ledger);
	b.ledger = NULL;
	chmod(b.path, 0444);
	chmod(copy, 0444);
	chmod(b.folder, 0555);
	bool root = geteuid() == 0;
	if (root)
		assert_int_equal(seteuid(65534), 0);
	int write_code = ledger_open(&l, b.path, LEDGER_WRITE, &b.e);
	bool write_words = strstr(b.e.text, "read-only") != NULL;
	int copy_code = ledger_open(&l, copy, LEDGER_READ, &b.e);
	int verify_code = copy_code == 0 ? ledger_verify(l, NULL, NULL, NULL, &b.e) : -1;
	ledger_close(l);
	if (root)
		assert_int_equal(seteuid(0), 0);
	chmod(b.folder, 0700);
	assert_int_equal(write_code, ERR_STORAGE);
	assert_true(write_words);
	assert_int_equal(copy_code, 0);
	assert_int_equal(verify_code, 0);
	bench_close(&b);
}

/* ---- export and copy ---- */

static void
an_export_is_json_lines(void **state)
{
	char line[4096], path[256];
	unsigned n = 0;
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_fill(&b);
	snprintf(path, sizeof path, "%s/export", b.folder);
	FILE *f = fopen(path, "w+");
	assert_non_null(f);
	assert_int_equal(ledger_export(b.ledger, f, &b.e), 0);
	rewind(f);
	while (fgets(line, sizeof line, f)) {
		json_t *j = json_loads(line, 0, NULL);

		assert_non_null(j);
		assert_int_equal(json_integer_value(json_object_get(j, "seq")), ++n);
		assert_true(json_is_object(json_object_get(j, "data")));
		json_decref(j);
	}
	fclose(f);
	assert_int_equal(n, FILL_EVENTS);
	f = fopen("/dev/full", "w");
	assert_non_null(f);
	assert_int_equal(ledger_export(b.ledger, f, &b.e), ERR_STORAGE);
	fclose(f);
	bench_close(&b);
}

static void
a_copy_is_whole_and_never_overwrites(void **state)
{
	struct ledger *l;
	char copy[256], beside[300];
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_fill(&b);
	snprintf(copy, sizeof copy, "%s/copy.db", b.folder);
	assert_int_equal(ledger_copy(b.ledger, copy, &b.e), 0);
	assert_int_equal(ledger_copy(b.ledger, copy, &b.e), ERR_USAGE);
	snprintf(beside, sizeof beside, "%s-wal", copy);
	assert_int_equal(access(beside, F_OK), -1);
	assert_int_equal(ledger_open(&l, copy, LEDGER_READ, &b.e), 0);
	assert_int_equal(ledger_verify(l, NULL, NULL, NULL, &b.e), 0);
	ledger_close(l);
	snprintf(copy, sizeof copy, "%s/none/copy.db", b.folder);
	assert_int_equal(ledger_copy(b.ledger, copy, &b.e), ERR_STORAGE);
	bench_close(&b);
}

static void
events_of_its_own_stay_its_own(void **state)
{
	struct bench b;
	json_t *data = json_pack("{s:i}", "version", 3);

	(void)state;
	bench_open(&b);
	assert_int_equal(ledger_event(b.ledger, "keys-loaded", NULL, data, &b.e), 0);
	assert_int_equal(ledger_event(b.ledger, "card-moved", JOB_A, data, &b.e), ERR_INTERNAL);
	json_decref(data);
	bench_verify_clean(&b);
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
		cmocka_unit_test(a_clock_that_goes_back_is_noted),
		cmocka_unit_test(newer_and_foreign_files_are_left_alone),
		cmocka_unit_test(format_2_gets_the_index_of_chips),
		cmocka_unit_test(files_that_are_no_ledger_are_refused),
		cmocka_unit_test(it_belongs_to_its_owner_alone),
		cmocka_unit_test(a_locked_ledger_says_so),
		cmocka_unit_test(a_full_disk_loses_nothing),
		cmocka_unit_test(a_read_only_ledger_says_so),
		cmocka_unit_test(an_export_is_json_lines),
		cmocka_unit_test(a_copy_is_whole_and_never_overwrites),
		cmocka_unit_test(events_of_its_own_stay_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
