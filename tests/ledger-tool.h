/*
 * ledger-tool.h - what the tests of the ledger share: a fresh ledger in a folder of its own, a job
 * with cards, and a way into the file past its guards.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_LEDGER_TOOL_H
#define CARDSPOOL_LEDGER_TOOL_H

#include "spooler/spooler.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOB_A "urn:uuid:aaaaaaaa-0000-4000-8000-000000000001"
#define JOB_B "urn:uuid:bbbbbbbb-0000-4000-8000-000000000002"

struct bench {
	char folder[128], path[160];
	struct ledger *ledger;
	struct err e;
};

/* Memory first: what is tested here is not the disk's speed. */
static inline void
bench_open(struct bench *b)
{
	memset(b, 0, sizeof *b);
	snprintf(b->folder, sizeof b->folder, "%s/cardspool-ledger-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(b->folder));
	snprintf(b->path, sizeof b->path, "%s/ledger.db", b->folder);
	assert_int_equal(ledger_open(&b->ledger, b->path, LEDGER_WRITE, &b->e), 0);
}

static inline void
bench_close(struct bench *b)
{
	struct dirent *entry;
	DIR *dir;

	ledger_close(b->ledger);
	b->ledger = NULL;
	dir = opendir(b->folder);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	rmdir(b->folder);
}

static inline void
bench_reopen(struct bench *b)
{
	ledger_close(b->ledger);
	assert_int_equal(ledger_open(&b->ledger, b->path, LEDGER_WRITE, &b->e), 0);
}

static inline struct job_row
bench_job(struct bench *b, const char *uuid, const char *batch_hash)
{
	struct job_row job = {.cups_id = 12,
		.order = "DEMO-1",
		.template_name = "special-operation",
		.printer = "cards",
		.printer_model = "Evolis Dualys 3",
		.printer_serial = "S0001",
		.station = "nfc:pn532",
		.user = "wang",
		.n_cards = 4};
	bool again;

	snprintf(job.uuid, sizeof job.uuid, "%s", uuid);
	snprintf(job.batch_hash, sizeof job.batch_hash, "%s", batch_hash);
	assert_int_equal(ledger_job_admit(b->ledger, &job, &again, &b->e), 0);
	return job;
}

static inline struct card_row
card_of(const char *uuid, unsigned card, unsigned copy)
{
	struct card_row row = {.key.card = card, .key.copy = copy, .counter_before = -1};

	snprintf(row.key.job_uuid, sizeof row.key.job_uuid, "%s", uuid);
	snprintf(row.record_hash, sizeof row.record_hash, "record-%u", card);
	snprintf(row.number_masked, sizeof row.number_masked, "T3301**********%02u", card);
	snprintf(row.name_masked, sizeof row.name_masked, "王*");
	return row;
}

static inline struct card_row
bench_card(struct bench *b, const char *uuid, unsigned card, unsigned copy)
{
	struct card_row in = card_of(uuid, card, copy), out;

	assert_int_equal(ledger_card_admit(b->ledger, &in, &out, &b->e), 0);
	return out;
}

static inline void
bench_move(struct bench *b, struct card_row *row, enum card_state to)
{
	int rc = ledger_card_move(b->ledger, row, to, NULL, &b->e);

	if (rc != 0)
		print_error("%s\n", b->e.text);
	assert_int_equal(rc, 0);
	assert_int_equal(row->state, to);
}

/* A good card with this chip. */
static inline struct card_row
bench_done(struct bench *b, const char *uuid, unsigned card, const char *uid)
{
	struct card_row row = bench_card(b, uuid, card, 1);
	struct card_facts facts = {.uid = uid, .chip_hash = "c0", .printer_serial = "S0001"};

	bench_move(b, &row, CARD_FEEDING);
	bench_move(b, &row, CARD_AT_STATION);
	assert_int_equal(ledger_card_move(b->ledger, &row, CARD_ENCODING, &facts, &b->e), 0);
	bench_move(b, &row, CARD_ENCODED);
	bench_move(b, &row, CARD_PRINTING);
	bench_move(b, &row, CARD_DONE);
	return row;
}

/* One job, card 1 done, card 2 rejected and replaced, a failure: 21 events. */
static inline void
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

/* Runs SQL on a connection of its own, as a person with sqlite3(1) would. Returns SQLite's words or
 * "". */
static inline const char *
raw_sql(const char *path, const char *sql)
{
	static char words[512];
	sqlite3 *db;

	words[0] = '\0';
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		snprintf(words, sizeof words, "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
	return words;
}

struct findings {
	char text[8192];
};

static inline void
lines_take(void *ctx, const char *line)
{
	struct findings *l = ctx;
	size_t n = strlen(l->text);

	snprintf(l->text + n, sizeof l->text - n, "%s\n", line);
}

static inline void
bench_verify_clean(struct bench *b)
{
	struct findings lines = {""};
	int rc = ledger_verify(b->ledger, lines_take, &lines, NULL, &b->e);

	if (rc != 0)
		print_error("%s\n%s", b->e.text, lines.text);
	assert_int_equal(rc, 0);
	assert_string_equal(lines.text, "");
}

#endif
