/*
 * failure-find.c - looking into the failure log.
 *
 * Owns the filters of a list and the way to their records. Guarantees: no filter and no
 * combination reads the table through, the order is the order of time, and a list that is cut says
 * how much it left out. Reads only.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <string.h>

const char *const failure_states[FAILURE_STATE_COUNT] = {
	[FAILURE_ANY] = "any",
	[FAILURE_OPEN] = "open",
	[FAILURE_CLEARED] = "cleared",
	[FAILURE_UNREVIEWED] = "unreviewed",
	[FAILURE_REVIEWED] = "reviewed",
};

int
failure_state_parse(const char *name)
{
	for (int i = 0; i < FAILURE_STATE_COUNT; i++)
		if (strcmp(failure_states[i], name) == 0)
			return i;
	return -1;
}

/* So many records are looked up one by one; of more, the index that has every column of a filter is
 * read. */
enum { FEW = 5000, TEXTS = 5, TERMS_MAX = TEXTS + 1 };

/*
 * One thing that is asked. by: its records by an index of their own, in the order of time; a person
 * has two, and leads to records by both. ?N is the filter's text number N.
 */
struct term {
	const char *asks, *by[2], *leads;
};

static const size_t text_offsets[TEXTS] = {
	offsetof(struct failure_filter, job_uuid),
	offsetof(struct failure_filter, order),
	offsetof(struct failure_filter, code),
	offsetof(struct failure_filter, person),
	offsetof(struct failure_filter, machine),
};

#define BY(index, asks)                                                                            \
	{                                                                                          \
		asks, {"INDEXED BY " index " WHERE " asks}, NULL                                   \
	}
static const struct term text_terms[TEXTS] = {
	BY("failure_job", "job = ?1"),
	BY("failure_order", "\"order\" = ?2"),
	BY("failure_code", "code = ?3"),
	{"(operator = ?4 OR reviewer = ?4)",
		{"INDEXED BY failure_operator WHERE operator = ?4",
			"INDEXED BY failure_reviewer WHERE reviewer = ?4"},
		"NOT INDEXED WHERE id IN (SELECT id FROM failure WHERE operator = ?4 UNION ALL "
		"SELECT id FROM failure WHERE reviewer = ?4)"},
	BY("failure_serial", "serial = ?5"),
};
static const struct term model_term = BY("failure_machine", "machine = ?5");

static const struct term state_terms[FAILURE_STATE_COUNT] = {
	[FAILURE_OPEN] = BY("failure_open", "cleared = 0"),
	[FAILURE_CLEARED] = BY("failure_cleared", "cleared <> 0"),
	[FAILURE_UNREVIEWED] = BY("failure_due", "review = 0"),
	[FAILURE_REVIEWED] = BY("failure_signed", "review <> 0"),
};

static const char *
filter_text(const struct failure_filter *f, size_t i)
{
	return *(const char *const *)(const void *)((const char *)f + text_offsets[i]);
}

static int
statement_prepare(struct ledger *l, const struct failure_filter *f, const struct buf *sql,
	sqlite3_stmt **s, struct err *e)
{
	int code = sqlite3_prepare_v2(l->db, (const char *)sql->data, -1, s, NULL);

	if (code != SQLITE_OK)
		return ledger_error(l, code, e);
	for (size_t i = 0; i < TEXTS; i++)
		if (filter_text(f, i))
			sqlite3_bind_text(*s, (int)i + 1, filter_text(f, i), -1, SQLITE_STATIC);
	return 0;
}

/* 1 when more than n records are found by this index, 0 when not. */
static int
records_exceed(
	struct ledger *l, const struct failure_filter *f, const char *by, int n, struct err *e)
{
	sqlite3_stmt *s = NULL;
	struct buf sql;
	int rc;

	buf_init(&sql, 1024);
	rc = buf_printf(&sql, e, "SELECT 1 FROM failure %s LIMIT 1 OFFSET %d%c", by, n, 0);
	if (rc == 0)
		rc = statement_prepare(l, f, &sql, &s, e);
	buf_done(&sql);
	if (rc == 0)
		rc = ledger_step(l, s, e);
	sqlite3_finalize(s);
	return rc;
}

/* A machine is named by its serial number or its model: one of both, so that an index is enough. */
static int
filter_terms(struct ledger *l, const struct failure_filter *f, const struct term **asked, size_t *n,
	struct err *e)
{
	const struct term *machine = &text_terms[TEXTS - 1];
	int rc = f->machine ? records_exceed(l, f, machine->by[0], 0, e) : 0;

	if (rc == 0)
		machine = &model_term;
	*n = 0;
	for (size_t i = 0; i < TEXTS; i++)
		if (filter_text(f, i))
			asked[(*n)++] = i == TEXTS - 1 ? machine : &text_terms[i];
	if (f->state != FAILURE_ANY)
		asked[(*n)++] = &state_terms[f->state];
	return rc < 0 ? rc : 0;
}

/*
 * The term that leads to the records: the only one, or the first that few records match. lead is n
 * when there is none: then one index holds all that is compared, so that no record is looked up in
 * vain. It is said in the query, as the planner does not know how many records match.
 */
static int
lead_choose(struct ledger *l, const struct failure_filter *f, const struct term *const *asked,
	size_t n, size_t *lead, struct err *e)
{
	int rc = 1;

	*lead = 0;
	if (n == 1 && !asked[0]->leads)
		return 0;
	while (*lead < n && rc == 1) {
		rc = records_exceed(l, f, asked[*lead]->by[0], FEW, e);
		if (rc == 0 && asked[*lead]->by[1])
			rc = records_exceed(l, f, asked[*lead]->by[1], FEW, e);
		if (rc == 1)
			(*lead)++;
	}
	return rc < 0 ? rc : 0;
}

static int
filter_where(struct ledger *l, struct buf *sql, const struct failure_filter *f, const char *source,
	struct err *e)
{
	const struct term *asked[TERMS_MAX];
	size_t n, lead = TERMS_MAX;
	int rc = filter_terms(l, f, asked, &n, e);

	if (rc == 0 && !source)
		rc = lead_choose(l, f, asked, n, &lead, e);
	if (rc == 0 && lead < n)
		rc = buf_printf(
			sql, e, "%s", asked[lead]->leads ? asked[lead]->leads : asked[lead]->by[0]);
	else if (rc == 0)
		rc = buf_printf(sql, e, "%s WHERE 1",
			source   ? source
			: n == 0 ? "INDEXED BY failure_at"
				 : "INDEXED BY failure_list");
	for (size_t i = 0; i < n && rc == 0; i++)
		if (i != lead)
			rc = buf_printf(sql, e, " AND %s", asked[i]->asks);
	if (rc == 0 && f->from_ms)
		rc = buf_printf(sql, e, " AND at >= %" PRId64, f->from_ms);
	if (rc == 0 && f->to_ms)
		rc = buf_printf(sql, e, " AND at < %" PRId64, f->to_ms);
	return rc;
}

int
failure_query(struct ledger *l, const struct failure_filter *f, const char *before,
	const char *source, const char *after, struct sqlite3_stmt **s, struct err *e)
{
	struct buf sql;
	int rc;

	buf_init(&sql, 4096);
	rc = buf_printf(&sql, e, "%s", before);
	if (rc == 0)
		rc = filter_where(l, &sql, f, source, e);
	if (rc == 0)
		rc = buf_printf(&sql, e, "%s", after);
	if (rc == 0)
		rc = buf_append(&sql, "", 1, e);
	if (rc == 0)
		rc = statement_prepare(l, f, &sql, s, e);
	buf_done(&sql);
	return rc;
}

int
failure_count(struct ledger *l, const struct failure_filter *f, int64_t *n, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int rc = failure_query(l, f, "SELECT count(*) FROM failure ", NULL, "", &s, e);

	*n = 0;
	if (rc == 0 && (rc = ledger_step(l, s, e)) == 1)
		*n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return rc < 0 ? rc : 0;
}

/* The newest come from the end of an index; then they are put in the order of time. */
static int
find_prepare(struct ledger *l, const struct failure_filter *f, sqlite3_stmt **s, struct err *e)
{
	char after[96];

	if (f->limit <= 0)
		return failure_query(l, f, FAILURE_SELECT, NULL, " ORDER BY at, id", s, e);
	snprintf(after, sizeof after,
		" ORDER BY at DESC, id DESC LIMIT %" PRId64 ") ORDER BY at, id", f->limit);
	return failure_query(
		l, f, FAILURE_SELECT "WHERE id IN (SELECT id FROM failure ", NULL, after, s, e);
}

int
failure_find(struct ledger *l, const struct failure_filter *f, failure_visitor *visit, void *ctx,
	int64_t *left_out, struct err *e)
{
	struct failure_row row;
	sqlite3_stmt *s = NULL;
	int64_t n = 0;
	int rc = 0;

	if (left_out)
		*left_out = 0;
	if (left_out && f->limit > 0)
		rc = failure_count(l, f, &n, e);
	if (rc == 0 && n > f->limit)
		*left_out = n - f->limit;
	if (rc == 0)
		rc = find_prepare(l, f, &s, e);
	while (rc == 0 && (rc = ledger_step(l, s, e)) == 1) {
		columns_read(failure_columns, s, &row);
		rc = 0;
		if (visit(ctx, &row) != 0)
			break;
	}
	sqlite3_finalize(s);
	return rc;
}
