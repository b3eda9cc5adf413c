/*
 * failure-find.c - looking into the failure log.
 *
 * Owns the filters of a list. Guarantees: each filter finds an index, the order is the order of
 * time, and a list that is cut says how much it left out. Reads only.
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

static const char *const state_terms[FAILURE_STATE_COUNT] = {
	[FAILURE_OPEN] = "cleared = 0",
	[FAILURE_CLEARED] = "cleared <> 0",
	[FAILURE_UNREVIEWED] = "review = 0",
	[FAILURE_REVIEWED] = "review <> 0",
};

/* One text of the filter and what it is compared with; ?N is bound from the same table. */
static const struct {
	size_t offset;
	const char *term;
} text_terms[] = {
	{offsetof(struct failure_filter, job_uuid), "job = ?"},
	{offsetof(struct failure_filter, machine), "serial = ?"},
	{offsetof(struct failure_filter, code), "code = ?"},
	{offsetof(struct failure_filter, order), "\"order\" = ?"},
	{offsetof(struct failure_filter, person), "(operator = ? OR reviewer = ?)"},
};

static const char *
filter_text(const struct failure_filter *f, size_t i)
{
	return *(const char *const *)(const void *)((const char *)f + text_terms[i].offset);
}

/* WHERE and what follows; ends with its NUL. */
static int
filter_where(struct buf *sql, const struct failure_filter *f, bool by_model, struct err *e)
{
	int rc = buf_printf(sql, e, "WHERE 1");

	for (size_t i = 0; i < ARRAY_LEN(text_terms) && rc == 0; i++) {
		const char *term = text_terms[i].term;

		if (!filter_text(f, i))
			continue;
		if (by_model && text_terms[i].offset == offsetof(struct failure_filter, machine))
			term = "machine = ?";
		rc = buf_printf(sql, e, " AND ");
		for (; *term && rc == 0; term++)
			rc = *term == '?' ? buf_printf(sql, e, "?%zu", i + 1)
					  : buf_append(sql, term, 1, e);
	}
	if (rc == 0 && f->from_ms)
		rc = buf_printf(sql, e, " AND at >= %" PRId64, f->from_ms);
	if (rc == 0 && f->to_ms)
		rc = buf_printf(sql, e, " AND at < %" PRId64, f->to_ms);
	if (rc == 0 && f->state != FAILURE_ANY)
		rc = buf_printf(sql, e, " AND %s", state_terms[f->state]);
	return rc;
}

/* A machine is named by its serial number or its model: one of both, so that an index is enough. */
static int
machine_resolve(struct ledger *l, const struct failure_filter *f, bool *by_model, struct err *e)
{
	static const char sql[] = "SELECT 1 FROM failure WHERE serial = ? LIMIT 1";
	sqlite3_stmt *s;
	int rc;

	*by_model = false;
	if (!f->machine)
		return 0;
	s = ledger_statement(l, sql, e);
	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "t", f->machine);
	rc = ledger_step(l, s, e);
	sqlite3_reset(s);
	*by_model = rc == 0;
	return rc < 0 ? rc : 0;
}

int
failure_query(struct ledger *l, const struct failure_filter *f, const char *before,
	const char *after, struct sqlite3_stmt **s, struct err *e)
{
	struct buf sql;
	bool by_model;
	int rc = machine_resolve(l, f, &by_model, e);

	buf_init(&sql, 4096);
	if (rc == 0)
		rc = buf_printf(&sql, e, "%s", before);
	if (rc == 0)
		rc = filter_where(&sql, f, by_model, e);
	if (rc == 0)
		rc = buf_printf(&sql, e, "%s", after);
	if (rc == 0)
		rc = buf_append(&sql, "", 1, e);
	if (rc == 0) {
		int code = sqlite3_prepare_v2(l->db, (const char *)sql.data, -1, s, NULL);

		if (code != SQLITE_OK)
			rc = ledger_error(l, code, e);
	}
	buf_done(&sql);
	for (size_t i = 0; i < ARRAY_LEN(text_terms) && rc == 0; i++)
		if (filter_text(f, i))
			sqlite3_bind_text(*s, (int)i + 1, filter_text(f, i), -1, SQLITE_STATIC);
	return rc;
}

int
failure_count(struct ledger *l, const struct failure_filter *f, int64_t *n, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int rc = failure_query(l, f, "SELECT count(*) FROM failure ", "", &s, e);

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
		return failure_query(l, f, FAILURE_SELECT, " ORDER BY at, id", s, e);
	snprintf(after, sizeof after,
		" ORDER BY at DESC, id DESC LIMIT %" PRId64 ") ORDER BY at, id", f->limit);
	return failure_query(
		l, f, FAILURE_SELECT "WHERE id IN (SELECT id FROM failure ", after, s, e);
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
