/*
 * test-ledger-file.c - the ledger as a file: its clock, files that are not as they should be, and
 * copies of it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "ledger-tool.h"

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
