/*
 * test-review.c - people, notes and signatures of the failure log.
 *
 * That plain openssl accepts key and signature is proved by check-review.py.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "ledger-tool.h"

#include "spooler/failure.h"

#define PASS "correct horse"

static void
desk_open(struct bench *b)
{
	struct person p;

	bench_open(b);
	bench_job(b, JOB_A, "h1"); /* its operator is wang */
	assert_int_equal(person_add(b->ledger, "Chen Yu", "reviewer", "chen", PASS, &p, &b->e), 0);
	assert_int_equal(person_add(b->ledger, "wang", "reviewer", "", PASS, &p, &b->e), 0);
	assert_int_equal(person_add(b->ledger, "Wang Wei", "reviewer", "wang", PASS, &p, &b->e), 0);
	assert_int_equal(person_add(b->ledger, "li", "operator", "li", PASS, &p, &b->e), 0);
}

static int64_t
record_make(struct bench *b, const char *raw)
{
	struct failure_row f = {.job_uuid = JOB_A, .code = "jam-printing", .card = 3};

	snprintf(f.raw, sizeof f.raw, "%s", raw);
	assert_int_equal(failure_record(b->ledger, &f, &b->e), 0);
	assert_int_equal(failure_cleared(b->ledger, f.id, "taken out", &b->e), 0);
	return f.id;
}

static int
review(struct bench *b, int64_t id, const char *name, const char *pass)
{
	return failure_review(b->ledger, &id, 1, name, pass, NULL, &b->e);
}

static void
who_may_sign(void **state)
{
	static const char *const at_keyboard[] = {"root", "wang", NULL};
	struct failure_row row;
	struct bench b;

	(void)state;
	desk_open(&b);
	int64_t id = record_make(&b, "CARD JAM");
	assert_int_equal(review(&b, id, "wang", PASS), ERR_DENIED);     /* by name */
	assert_int_equal(review(&b, id, "Wang Wei", PASS), ERR_DENIED); /* by login */
	assert_int_equal(failure_review(b.ledger, &id, 1, "Chen Yu", PASS, at_keyboard, &b.e),
		ERR_DENIED); /* by the account at the keyboard */
	assert_int_equal(review(&b, id, "li", PASS), ERR_DENIED); /* no reviewer */
	assert_int_equal(review(&b, id, "nobody", PASS), ERR_MISSING);
	assert_int_equal(review(&b, id, "Chen Yu", "correct house"), ERR_DENIED);
	assert_int_equal(review(&b, id, "Chen Yu", ""), ERR_DENIED);
	assert_int_equal(review(&b, 77, "Chen Yu", PASS), ERR_MISSING);
	assert_int_equal(failure_show(b.ledger, id, &row, &b.e), 0);
	assert_int_equal(row.review, 0);
	assert_int_equal(review(&b, id, "Chen Yu", PASS), 0);
	assert_int_equal(review(&b, id, "Chen Yu", PASS), ERR_BUSY); /* a second signature */
	assert_int_equal(failure_show(b.ledger, id, &row, &b.e), 0);
	assert_string_equal(row.reviewer, "Chen Yu");
	assert_int_equal(person_retire(b.ledger, "Chen Yu", &b.e), 0);
	assert_int_equal(person_retire(b.ledger, "Chen Yu", &b.e), ERR_INPUT);
	id = record_make(&b, "CARD JAM");
	assert_int_equal(review(&b, id, "Chen Yu", PASS), ERR_DENIED); /* retired */
	assert_int_equal(failure_verify(b.ledger, NULL, NULL, NULL, &b.e), 0);
	bench_verify_clean(&b);
	bench_close(&b);
}

static void
an_open_record_waits(void **state)
{
	struct failure_row f = {.job_uuid = JOB_A, .code = "cover-open"};
	struct bench b;

	(void)state;
	desk_open(&b);
	assert_int_equal(failure_record(b.ledger, &f, &b.e), 0);
	assert_int_equal(review(&b, f.id, "Chen Yu", PASS), ERR_BUSY);
	assert_int_equal(failure_cleared(b.ledger, f.id, NULL, &b.e), 0);
	assert_int_equal(review(&b, f.id, "Chen Yu", PASS), 0);
	bench_close(&b);
}

static void
a_list_is_signed_whole_or_not(void **state)
{
	struct bench b;
	int64_t *ids = NULL, three[3];
	size_t n = 0;

	(void)state;
	desk_open(&b);
	for (int i = 0; i < 3; i++)
		three[i] = record_make(&b, "CARD JAM");
	assert_int_equal(review(&b, three[1], "Chen Yu", PASS), 0);
	assert_int_equal(failure_review(b.ledger, three, 3, "Chen Yu", PASS, NULL, &b.e), ERR_BUSY);
	int64_t now = clock_real_ms();
	assert_int_equal(review_day_ids(b.ledger, day_of(now, zone_at(now)), &ids, &n, &b.e), 0);
	assert_int_equal(n, 2);
	assert_int_equal(failure_review(b.ledger, ids, n, "Chen Yu", PASS, NULL, &b.e), 0);
	free(ids);
	/* The same record twice in one list would count double. */
	int64_t twice[2] = {record_make(&b, "x"), 0};
	twice[1] = twice[0];
	assert_int_not_equal(failure_review(b.ledger, twice, 2, "Chen Yu", PASS, NULL, &b.e), 0);
	bench_verify_clean(&b);
	bench_close(&b);
}

static void
problem_take(void *ctx, const char *line)
{
	size_t n = strlen(ctx);

	snprintf((char *)ctx + n, 512 - n, "%s\n", line);
}

/* Triggers gone, one thing edited, both proofs asked. */
static void
a_changed_record_shows(void **state)
{
	static const struct {
		const char *sql, *found;
	} deeds[] = {
		{"UPDATE event SET data = replace(data, 'jam-printing', 'cover-open') WHERE kind = "
		 "'failure-recorded'",
			"one was changed"},
		{"UPDATE review SET text = replace(text, 'jam-printing', 'cover-open')",
			"does not fit"},
		{"UPDATE review SET signature = replace(signature, 'a', 'b')", "does not fit"},
		{"UPDATE review SET person = 'li'", "another key"},
		{"UPDATE review SET person = 'stranger'", "is no person"},
		{"DELETE FROM review", "its review is not there"},
		{"UPDATE person SET public = (SELECT public FROM person WHERE name = 'li') WHERE "
		 "name = 'Chen Yu'",
			"does not fit"},
		{"UPDATE person SET retired = 1 WHERE name = 'Chen Yu'", "was retired before"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(deeds); i++) {
		char line[512] = "";
		struct bench b;

		desk_open(&b);
		int64_t id = record_make(&b, "CARD JAM");
		assert_int_equal(review(&b, id, "Chen Yu", PASS), 0);
		assert_int_equal(failure_verify(b.ledger, NULL, NULL, NULL, &b.e), 0);
		assert_int_equal(ledger_schema_loosen(b.ledger->db), SQLITE_OK);
		assert_string_equal(raw_sql(b.path, deeds[i].sql), "");
		assert_int_equal(
			failure_verify(b.ledger, problem_take, line, NULL, &b.e), ERR_INPUT);
		if (!strstr(line, deeds[i].found))
			print_error("%s: %s\n", deeds[i].sql, line);
		assert_non_null(strstr(line, deeds[i].found));
		assert_int_equal(ledger_verify(b.ledger, NULL, NULL, NULL, &b.e), ERR_INPUT);
		bench_close(&b);
	}
}

static void
a_person_is_added_once(void **state)
{
	static const struct {
		const char *name, *role, *login, *pass;
		int rc;
	} rows[] = {
		{"Chen Yu", "operator", "", PASS, ERR_INPUT},
		{"Other", "reviewer", "chen", PASS, ERR_INPUT},
		{"Other", "boss", "", PASS, ERR_USAGE},
		{"Other", "reviewer", "", "short", ERR_INPUT},
		{"", "reviewer", "", PASS, ERR_USAGE},
		{"two\nlines", "reviewer", "", PASS, ERR_USAGE},
		{"\xff\xfe", "reviewer", "", PASS, ERR_USAGE},
		{"-x", "reviewer", "", PASS, ERR_USAGE},
		{"陈宇", "reviewer", "", PASS, 0},
	};
	struct person p;
	struct bench b;

	(void)state;
	desk_open(&b);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(person_add(b.ledger, rows[i].name, rows[i].role, rows[i].login,
					 rows[i].pass, &p, &b.e),
			rows[i].rc);
	assert_string_equal(p.name, "陈宇");
	assert_memory_equal(p.sealed_pem, "-----BEGIN ENCRYPTED PRIVATE KEY-----", 37);
	assert_null(strstr(p.sealed_pem, PASS));
	bench_verify_clean(&b);
	bench_close(&b);
}

/* A reply cannot forge a line of the signed text. */
static void
hostile_text_stays_in_its_line(void **state)
{
	struct review r;
	struct bench b;

	(void)state;
	desk_open(&b);
	int64_t id = record_make(&b, "x\nrecord 99\nevent 1 failure-recorded 00\n  raw: \\\x1b[2J");
	assert_int_equal(review(&b, id, "Chen Yu", PASS), 0);
	assert_int_equal(review_of(b.ledger, id, &r, &b.e), 0);
	assert_null(strstr(r.text, "\nrecord 99"));
	assert_null(strchr(r.text, '\x1b'));
	assert_non_null(strstr(r.text, "raw: x\\nrecord 99\\nevent"));
	assert_non_null(strstr(r.text, "\\x5c\\x1b[2J"));
	review_done(&r);
	assert_int_equal(failure_verify(b.ledger, NULL, NULL, NULL, &b.e), 0);
	bench_close(&b);
}

static int
note_take(void *ctx, const struct failure_note *n)
{
	*(struct failure_note *)ctx = *n;
	return 0;
}

static void
a_note_adds_and_never_changes(void **state)
{
	char photo[256], kept[4300];
	struct failure_note note = {.event = 0};
	struct failure_row row;
	struct bench b;
	FILE *f;

	(void)state;
	desk_open(&b);
	int64_t id = record_make(&b, "CARD JAM");
	snprintf(photo, sizeof photo, "%s/photo.jpg", b.folder);
	f = fopen(photo, "we");
	assert_non_null(f);
	fputs("bytes of a photo", f);
	fclose(f);
	assert_int_equal(failure_note(b.ledger, id, "li", "dust", "wiped", photo, &b.e), 0);
	assert_int_equal(failure_note(b.ledger, id, "li", NULL, NULL, NULL, &b.e), ERR_USAGE);
	assert_int_equal(failure_note(b.ledger, 99, "li", "x", NULL, NULL, &b.e), ERR_MISSING);
	assert_int_not_equal(failure_note(b.ledger, id, "li", "x", NULL, "/dev/null", &b.e), 0);
	/* Sparse: a file one byte too long. */
	assert_int_equal(truncate(photo, ATTACHMENT_MAX + 1), 0);
	assert_int_equal(failure_note(b.ledger, id, "li", "x", NULL, photo, &b.e), ERR_INPUT);
	assert_int_equal(failure_notes(b.ledger, id, note_take, &note, &b.e), 0);
	assert_string_equal(note.person, "li");
	assert_string_equal(note.cause, "dust");
	assert_string_equal(note.file_name, "photo.jpg");
	assert_int_equal(note.file_size, 16);
	/* printf 'bytes of a photo' | sha256sum */
	assert_int_equal(attachment_path(b.ledger, note.file, kept, sizeof kept, &b.e), 0);
	assert_int_equal(access(kept, R_OK), 0);
	assert_int_equal(failure_show(b.ledger, id, &row, &b.e), 0);
	assert_int_equal(row.notes, 1);
	assert_string_equal(row.cause, "");
	assert_int_equal(review(&b, id, "Chen Yu", PASS), 0);
	assert_int_equal(failure_note(b.ledger, id, "li", "late", NULL, NULL, &b.e), ERR_BUSY);
	bench_verify_clean(&b);
	unlink(kept);
	snprintf(kept, sizeof kept, "%s.files", b.path);
	rmdir(kept);
	bench_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_may_sign),
		cmocka_unit_test(an_open_record_waits),
		cmocka_unit_test(a_list_is_signed_whole_or_not),
		cmocka_unit_test(a_changed_record_shows),
		cmocka_unit_test(a_person_is_added_once),
		cmocka_unit_test(hostile_text_stays_in_its_line),
		cmocka_unit_test(a_note_adds_and_never_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
