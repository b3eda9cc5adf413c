/*
 * failure.c - the failure log.
 *
 * Owns the record of each jam and failure. A record is an event of the ledger: it cannot be changed
 * or deleted, and being cleared is an event of its own. On failure nothing of the call is on disk.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <string.h>

#define FAILURE(name, kind, member)                                                                \
	{                                                                                          \
		name, kind, offsetof(struct failure_row, member),                                  \
			sizeof(((struct failure_row *)0)->member)                                  \
	}

const struct column failure_columns[] = {
	FAILURE("id", COLUMN_I64, id),
	FAILURE("at", COLUMN_I64, at),
	FAILURE("cleared", COLUMN_I64, cleared),
	FAILURE("machine", COLUMN_TEXT, machine),
	FAILURE("serial", COLUMN_TEXT, serial),
	FAILURE("station", COLUMN_TEXT, station),
	FAILURE("order", COLUMN_TEXT, order),
	FAILURE("job", COLUMN_TEXT, job_uuid),
	FAILURE("cups_id", COLUMN_INT, cups_id),
	FAILURE("card", COLUMN_UNSIGNED, card),
	FAILURE("copy", COLUMN_UNSIGNED, copy),
	FAILURE("attempt", COLUMN_UNSIGNED, attempt),
	FAILURE("holder", COLUMN_TEXT, holder_masked),
	FAILURE("step", COLUMN_TEXT, step),
	FAILURE("code", COLUMN_TEXT, code),
	FAILURE("cause", COLUMN_TEXT, cause),
	FAILURE("raw", COLUMN_TEXT, raw),
	FAILURE("done", COLUMN_TEXT, done),
	FAILURE("operator", COLUMN_TEXT, operator_name),
	{0},
};

#define FAILURE_SELECT                                                                             \
	"SELECT id, at, cleared, machine, serial, station, \"order\", job, cups_id, card, copy, "  \
	"attempt, holder, step, code, cause, raw, done, operator FROM failure "

static int
visit_job(void *ctx, const struct job_row *job)
{
	*(struct job_row *)ctx = *job;
	return 1;
}

static void
text_default(char *text, size_t max, const char *value)
{
	if (text[0] == '\0')
		snprintf(text, max, "%s", value);
}

/* What the caller left out is what the job says: order, machine, operator. */
static int
failure_complete(struct ledger *l, struct failure_row *row, struct err *e)
{
	struct job_row job = {0};
	int rc = row->job_uuid[0] ? ledger_jobs(l, row->job_uuid, visit_job, &job, e) : 0;

	if (rc != 0)
		return rc;
	text_default(row->machine, sizeof row->machine, job.printer_model);
	text_default(row->serial, sizeof row->serial, job.printer_serial);
	text_default(row->station, sizeof row->station, job.station);
	text_default(row->order, sizeof row->order, job.order);
	text_default(row->operator_name, sizeof row->operator_name, job.user);
	if (row->cups_id == 0)
		row->cups_id = job.cups_id;
	if (row->at == 0)
		row->at = l->clock_ms();
	row->cleared = 0;
	return 0;
}

int
failure_record(struct ledger *l, struct failure_row *row, struct err *e)
{
	static const char sql[] = "SELECT coalesce(max(id), 0) FROM failure";
	struct failure_row full = *row;
	int rc = ledger_begin(l, e);

	if (rc != 0)
		return rc;
	rc = failure_complete(l, &full, e);
	if (rc == 0) {
		full.id = ledger_next_id(l, sql, e);
		if (full.id == 0)
			rc = e && e->code ? e->code : ERR_INTERNAL;
		else
			rc = ledger_append(l, "failure-recorded", full.job_uuid, 0, "pass",
				columns_json(failure_columns, &full), e);
	}
	rc = ledger_end(l, rc, e);
	if (rc == 0)
		*row = full;
	return rc;
}

/* 1 = open, 0 = cleared already, ERR_MISSING. */
static int
failure_is_open(struct ledger *l, int64_t id, char *job_uuid, size_t max, struct err *e)
{
	static const char sql[] = "SELECT cleared, job FROM failure WHERE id = ?";
	sqlite3_stmt *s = ledger_statement(l, sql, e);

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "i", id);
	int rc = ledger_step(l, s, e);
	if (rc == 0)
		return err_set(e, ERR_MISSING, _("The failure log has no record %" PRId64 "."), id);
	if (rc < 0)
		return rc;
	rc = sqlite3_column_int64(s, 0) == 0;
	snprintf(job_uuid, max, "%s", (const char *)sqlite3_column_text(s, 1));
	sqlite3_reset(s);
	return rc;
}

int
failure_cleared(struct ledger *l, int64_t id, const char *done, struct err *e)
{
	char job_uuid[UUID_MAX];
	int rc = ledger_begin(l, e);

	if (rc != 0)
		return rc;
	rc = failure_is_open(l, id, job_uuid, sizeof job_uuid, e);
	if (rc == 1) {
		json_t *data = json_pack(
			"{s:I, s:I}", "id", (json_int_t)id, "cleared", (json_int_t)l->clock_ms());

		if (data && done && done[0])
			json_object_set_new(data, "done", json_text(done));
		rc = data ? ledger_append(l, "failure-cleared", job_uuid, 0, "pass", data, e)
			  : err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	}
	return ledger_end(l, rc, e);
}

int
failure_list(
	struct ledger *l, const char *job_uuid, failure_visitor *visit, void *ctx, struct err *e)
{
	static const char *const sql[2] = {
		FAILURE_SELECT "ORDER BY id", FAILURE_SELECT "WHERE job = ? ORDER BY id"};
	struct failure_row row;
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(l->db, sql[job_uuid != NULL], -1, &s, NULL);

	if (rc != SQLITE_OK)
		return ledger_error(l, rc, e);
	if (job_uuid)
		sqlite3_bind_text(s, 1, job_uuid, -1, SQLITE_STATIC);
	while ((rc = ledger_step(l, s, e)) == 1) {
		columns_read(failure_columns, s, &row);
		if (visit(ctx, &row) != 0)
			break;
	}
	sqlite3_finalize(s);
	return rc < 0 ? rc : 0;
}
