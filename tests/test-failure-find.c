/*
 * test-failure-find.c - the filters of the failure log: each and every two of them find what they
 * ask for, and none reads the records through to do so.
 *
 * What is read is counted in pages of the file and in steps, not in time. Two logs: in one half of
 * the records match a filter, in the other a handful.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "ledger-tool.h"
#include "spooler/failure.h"

/* The records fill some 2500 pages, the index that has what filters compare some 400: a list and
 * its count read that twice. To look up half of the records one by one is over 30000. */
enum { RECORDS = 22000, PAGES = 1100, LIMIT = 20, HANDFUL = 4, DAY_MS = 86400000 };

/* Records whose number is odd are of one kind, the others of another. */
#define LOG_FILL(odd, open, reviewed)                                                              \
	"PRAGMA foreign_keys = OFF; DROP TRIGGER failure_enters;"                                  \
	"WITH RECURSIVE c (k, odd) AS (SELECT 1, 1 UNION ALL SELECT k + 1, " odd                   \
	" FROM c WHERE k < 22000) INSERT INTO failure SELECT k, 86400000 + k * 7919 % 22000 * "    \
	"86400, iif(" open ", 0, 1), 0, iif(odd, 'Evolis', 'Zebra'), iif(odd, 'E1', 'Z1'), '', "   \
	"iif(odd, 'first', 'second'), iif(odd, 'job-1', 'job-2'), 1, 1, 1, 1, '', 'feed', "        \
	"iif(odd, 'jam-feeding', 'hopper-empty'), '', hex(zeroblob(150)), '', "                    \
	"iif(odd, 'li', 'wang'), 0, 0, 0, iif(" reviewed ", iif(odd, 'wang', 'chen'), ''), 1, 0, " \
	"iif(" reviewed ", 1, 0), 1 FROM c"

static const char *const logs[] = {
	LOG_FILL("(k + 1) % 2", "odd", "k % 4 = 0"),
	LOG_FILL("k + 1 > 4", "k < 3", "k IN (3, 4)"),
};

static const struct failure_filter filters[] = {
	{.job_uuid = "job-1"},
	{.job_uuid = "job-2"},
	{.order = "first"},
	{.order = "second"},
	{.code = "jam-feeding"},
	{.code = "hopper-empty"},
	{.person = "li"},
	{.person = "wang"},
	{.person = "chen"},
	{.person = "nobody"},
	{.machine = "E1"},
	{.machine = "Zebra"},
	{.machine = "none"},
	{.state = FAILURE_OPEN},
	{.state = FAILURE_CLEARED},
	{.state = FAILURE_UNREVIEWED},
	{.state = FAILURE_REVIEWED},
	{.from_ms = 11 * (int64_t)DAY_MS},
	{.to_ms = 11 * (int64_t)DAY_MS},
	{.to_ms = 1},
};

/* false when both ask for the same. */
static bool
filter_join(
	struct failure_filter *out, const struct failure_filter *a, const struct failure_filter *b)
{
	if ((a->job_uuid && b->job_uuid) || (a->order && b->order) || (a->code && b->code) ||
		(a->person && b->person) || (a->machine && b->machine) || (a->state && b->state) ||
		(a->to_ms && b->to_ms))
		return false;
	*out = (struct failure_filter){.job_uuid = a->job_uuid ? a->job_uuid : b->job_uuid,
		.order = a->order ? a->order : b->order,
		.code = a->code ? a->code : b->code,
		.person = a->person ? a->person : b->person,
		.machine = a->machine ? a->machine : b->machine,
		.state = a->state ? a->state : b->state,
		.from_ms = a->from_ms ? a->from_ms : b->from_ms,
		.to_ms = a->to_ms ? a->to_ms : b->to_ms,
		.limit = LIMIT};
	return true;
}

struct all {
	struct kept {
		int64_t id, at, cleared, review;
		char job[8], order[8], code[16], machine[8], serial[4], operator_name[8],
			reviewer[8];
	} row[RECORDS];
	size_t n;
};

static int
all_take(void *ctx, const struct failure_row *f)
{
	struct all *all = ctx;
	struct kept *r = &all->row[all->n++];

	*r = (struct kept){.id = f->id, .at = f->at, .cleared = f->cleared, .review = f->review};
	snprintf(r->job, sizeof r->job, "%.7s", f->job_uuid);
	snprintf(r->order, sizeof r->order, "%.7s", f->order);
	snprintf(r->code, sizeof r->code, "%.15s", f->code);
	snprintf(r->machine, sizeof r->machine, "%.7s", f->machine);
	snprintf(r->serial, sizeof r->serial, "%.3s", f->serial);
	snprintf(r->operator_name, sizeof r->operator_name, "%.7s", f->operator_name);
	snprintf(r->reviewer, sizeof r->reviewer, "%.7s", f->reviewer);
	return 0;
}

static bool
same(const char *asked, const char *is)
{
	return !asked || strcmp(asked, is) == 0;
}

/* What the filter means, one record at a time. */
static bool
kept_matches(const struct kept *r, const struct failure_filter *f)
{
	const bool states[FAILURE_STATE_COUNT] = {
		true, r->cleared == 0, r->cleared != 0, r->review == 0, r->review != 0};

	return same(f->job_uuid, r->job) && same(f->order, r->order) && same(f->code, r->code) &&
	       (same(f->machine, r->serial) || same(f->machine, r->machine)) &&
	       (same(f->person, r->operator_name) || same(f->person, r->reviewer)) &&
	       r->at >= f->from_ms && (!f->to_ms || r->at < f->to_ms) && states[f->state];
}

struct found {
	int64_t id[LIMIT];
	size_t n;
};

static int
found_take(void *ctx, const struct failure_row *f)
{
	struct found *found = ctx;

	assert_in_range(found->n, 0, LIMIT - 1);
	found->id[found->n++] = f->id;
	return 0;
}

/* all: in the order of time. */
static void
found_compare(const struct all *all, const struct failure_filter *f, const struct found *found,
	int64_t left_out)
{
	size_t left = found->n;
	int64_t n = 0;

	for (size_t i = all->n; i > 0; i--) {
		if (!kept_matches(&all->row[i - 1], f))
			continue;
		n++;
		if (left > 0)
			assert_int_equal(found->id[--left], all->row[i - 1].id);
	}
	assert_int_equal(left, 0);
	assert_int_equal(found->n, n < LIMIT ? n : LIMIT);
	assert_int_equal(left_out, n < LIMIT ? 0 : n - LIMIT);
}

/* Pages asked for since the last call, in the cache or not. */
static int
pages_taken(struct ledger *l)
{
	int hit, miss, high;

	sqlite3_db_status(l->db, SQLITE_DBSTATUS_CACHE_HIT, &hit, &high, 1);
	sqlite3_db_status(l->db, SQLITE_DBSTATUS_CACHE_MISS, &miss, &high, 1);
	return hit + miss;
}

/* The most steps of SQLite's machine that one statement took. */
static int
steps_take(unsigned event, void *ctx, void *statement, void *ns)
{
	int steps = sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 0), *most = ctx;

	(void)event;
	(void)ns;
	*most = steps > *most ? steps : *most;
	return 0;
}

struct cost {
	int pages, steps;
};

static struct cost
log_find(struct bench *b, const struct failure_filter *f, struct found *found, int64_t *left_out)
{
	struct cost cost = {0};

	found->n = 0;
	pages_taken(b->ledger);
	sqlite3_trace_v2(b->ledger->db, SQLITE_TRACE_PROFILE, steps_take, &cost.steps);
	assert_int_equal(failure_find(b->ledger, f, found_take, found, left_out, &b->e), 0);
	sqlite3_trace_v2(b->ledger->db, 0, NULL, NULL);
	cost.pages = pages_taken(b->ledger);
	return cost;
}

static void
log_open(struct bench *b, size_t log, struct all *all)
{
	static const struct failure_filter every = {0};

	bench_open(b);
	assert_string_equal(raw_sql(b->path, logs[log]), "");
	bench_reopen(b);
	all->n = 0;
	assert_int_equal(failure_find(b->ledger, &every, all_take, all, NULL, &b->e), 0);
	assert_int_equal(all->n, RECORDS);
}

static bool
few_match(const struct all *all, const struct failure_filter *f)
{
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		n += kept_matches(&all->row[i], f);
	return n <= HANDFUL;
}

/* i and j the same: one filter alone. */
static void
pair_prove(struct bench *b, const struct all *all, size_t i, size_t j)
{
	static const struct failure_filter none = {0};
	struct failure_filter f;
	struct found found;
	struct cost cost;
	int64_t left_out;

	if (!filter_join(&f, &filters[i], j == i ? &none : &filters[j]))
		return;
	cost = log_find(b, &f, &found, &left_out);
	found_compare(all, &f, &found, left_out);
	if (cost.pages > PAGES)
		fail_msg("filters %zu and %zu: %d pages of the file", i, j, cost.pages);
	if (cost.steps >= RECORDS && (few_match(all, &filters[i]) || few_match(all, &filters[j])))
		fail_msg("filters %zu and %zu: %d steps for a handful", i, j, cost.steps);
}

static void
log_prove(size_t log)
{
	struct all *all = test_malloc(sizeof *all);
	struct bench b;

	log_open(&b, log, all);
	for (size_t i = 0; i < ARRAY_LEN(filters); i++)
		for (size_t j = i; j < ARRAY_LEN(filters); j++)
			pair_prove(&b, all, i, j);
	bench_close(&b);
	test_free(all);
}

static void
no_two_filters_that_half_match_read_the_records(void **state)
{
	(void)state;
	log_prove(0);
}

static void
no_filter_that_a_handful_match_takes_a_step_per_record(void **state)
{
	(void)state;
	log_prove(1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_two_filters_that_half_match_read_the_records),
		cmocka_unit_test(no_filter_that_a_handful_match_takes_a_step_per_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
