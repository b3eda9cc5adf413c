/*
 * ledger-job.c - jobs in the ledger.
 *
 * Owns the admission of a job, its state and the walk over jobs. Guarantees: a job is known by its
 * uuid, so a job that CUPS runs again is the same job; a second job with the same batch is noticed
 * when it is admitted. On failure nothing of the call is on disk.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define JOB(name, kind, member)                                                                    \
	{                                                                                          \
		name, kind, offsetof(struct job_row, member),                                      \
			sizeof(((struct job_row *)0)->member)                                      \
	}

const struct column job_columns[] = {
	JOB("id", COLUMN_I64, id),
	JOB("uuid", COLUMN_TEXT, uuid),
	JOB("cups_id", COLUMN_INT, cups_id),
	JOB("order", COLUMN_TEXT, order),
	JOB("template", COLUMN_TEXT, template_name),
	JOB("batch_hash", COLUMN_TEXT, batch_hash),
	JOB("printer", COLUMN_TEXT, printer),
	JOB("printer_model", COLUMN_TEXT, printer_model),
	JOB("printer_serial", COLUMN_TEXT, printer_serial),
	JOB("station", COLUMN_TEXT, station),
	JOB("user", COLUMN_TEXT, user),
	JOB("n_cards", COLUMN_UNSIGNED, n_cards),
	JOB("state", COLUMN_TEXT, state),
	JOB("started", COLUMN_I64, started),
	JOB("ended", COLUMN_I64, ended),
	JOB("repeats", COLUMN_TEXT, repeats),
	{0},
};

#define JOB_SELECT                                                                                 \
	"SELECT id, uuid, cups_id, \"order\", template, batch_hash, printer, printer_model, "      \
	"printer_serial, station, user, n_cards, state, started, ended, repeats FROM job "

/* 1 = found, 0 = not known. */
static int
job_read(struct ledger *l, const char *uuid, struct job_row *out, struct err *e)
{
	static const char sql[] = JOB_SELECT "WHERE uuid = ?";
	sqlite3_stmt *s = ledger_statement(l, sql, e);

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "t", uuid);
	int rc = ledger_step(l, s, e);
	if (rc == 1) {
		columns_read(job_columns, s, out);
		sqlite3_reset(s);
	}
	return rc;
}

/* The first job that had the same batch, unless it was cancelled before it used a card. */
static int
job_repeats(struct ledger *l, struct job_row *job, struct err *e)
{
	static const char sql[] = "SELECT uuid FROM job WHERE batch_hash = ?1 AND batch_hash <> '' "
				  "AND uuid <> ?2 AND NOT "
				  "(state = 'cancelled' AND NOT EXISTS (SELECT 1 FROM card JOIN "
				  "card_state AS s ON s.name = card.state "
				  "WHERE card.job = job.uuid AND s.fed)) ORDER BY id LIMIT 1";
	sqlite3_stmt *s = ledger_statement(l, sql, e);

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "tt", job->batch_hash, job->uuid);
	int rc = ledger_step(l, s, e);
	job->repeats[0] = '\0';
	if (rc == 1) {
		snprintf(job->repeats, sizeof job->repeats, "%s",
			(const char *)sqlite3_column_text(s, 0));
		sqlite3_reset(s);
	}
	return rc < 0 ? rc : 0;
}

static int
job_enter(struct ledger *l, const struct job_row *job, struct err *e)
{
	static const char sql[] = "SELECT coalesce(max(id), 0) FROM job";
	struct job_row row = *job;
	int rc;

	row.id = ledger_next_id(l, sql, e);
	if (row.id == 0)
		return e ? e->code : ERR_INTERNAL;
	rc = job_repeats(l, &row, e);
	if (rc != 0)
		return rc;
	return ledger_append(
		l, "job-admitted", row.uuid, 0, row.user, columns_json(job_columns, &row), e);
}

/* The same job comes again, perhaps on another printer of its class. Its batch must be the same. */
static int
job_enter_again(
	struct ledger *l, const struct job_row *job, const struct job_row *known, struct err *e)
{
	if (strcmp(job->batch_hash, known->batch_hash) != 0)
		return err_set(e, ERR_INPUT,
			_("Job %s came before with another batch. Queue the batch as a new job."),
			job->uuid);
	return ledger_append(
		l, "job-again", job->uuid, 0, job->user, columns_json(job_columns, job), e);
}

int
ledger_job_admit(struct ledger *l, struct job_row *job, bool *again, struct err *e)
{
	struct job_row known;
	int rc;

	if (job->uuid[0] == '\0')
		return err_set(e, ERR_INTERNAL, "%s",
			_("A job without uuid cannot be entered in the ledger."));
	rc = ledger_begin(l, e);
	if (rc != 0)
		return rc;
	int found = job_read(l, job->uuid, &known, e);
	if (found < 0)
		rc = found;
	else
		rc = found ? job_enter_again(l, job, &known, e) : job_enter(l, job, e);
	if (rc == 0 && job_read(l, job->uuid, &known, e) != 1)
		rc = e && e->code ? e->code : ERR_INTERNAL;
	rc = ledger_end(l, rc, e);
	if (rc == 0) {
		*job = known;
		*again = found == 1;
	}
	return rc;
}

int
ledger_job_file(struct ledger *l, struct job_row *job, struct err *e)
{
	struct job_row known;
	size_t len = strlen(job->uuid);
	int found = job_read(l, job->uuid, &known, e);

	if (found == 1 && strcmp(job->batch_hash, known.batch_hash) != 0)
		snprintf(job->uuid + len, sizeof job->uuid - len, "-%.12s", job->batch_hash);
	return found < 0 ? found : 0;
}

int
ledger_job_rest(struct ledger *l, const struct job_row *job, struct job_row *out, struct err *e)
{
	/* Jobs without a card were held, or took an earlier one up themselves. */
	static const char sql[] =
		"SELECT uuid FROM (SELECT uuid, id,"
		" (SELECT count(*) FROM card WHERE job = uuid AND state = 'queued') AS queued,"
		" (SELECT count(*) FROM card WHERE job = uuid AND state IN ('done', 'void')) AS "
		"made,"
		" (SELECT count(*) FROM card WHERE job = uuid) AS cards, n_cards"
		" FROM job WHERE batch_hash = ?1 AND uuid <> ?2)"
		" ORDER BY queued = 0, cards = 0 OR made >= n_cards, uuid <> ?3, id LIMIT 1";
	char uuid[UUID_MAX];
	sqlite3_stmt *s = ledger_statement(l, sql, e);

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "ttt", job->batch_hash, job->uuid, job->repeats);
	int rc = ledger_step(l, s, e);
	snprintf(uuid, sizeof uuid, "%s",
		rc == 1 ? (const char *)sqlite3_column_text(s, 0) : job->repeats);
	if (rc == 1)
		sqlite3_reset(s);
	if (rc >= 0)
		rc = job_read(l, uuid, out, e);
	return rc == 1 ? 0 : rc < 0 ? rc : ERR_INTERNAL;
}

int
ledger_job_state(struct ledger *l, const char *uuid, const char *state, struct err *e)
{
	static const char *const states[] = {"active", "held", "stopped", "done", "cancelled"};
	struct job_row known;
	size_t i = 0;
	int rc;

	while (i < ARRAY_LEN(states) && strcmp(states[i], state) != 0)
		i++;
	if (i == ARRAY_LEN(states))
		return err_set(e, ERR_INTERNAL, _("\"%s\" is not a state of a job."), state);
	rc = ledger_begin(l, e);
	if (rc != 0)
		return rc;
	int found = job_read(l, uuid, &known, e);
	if (found < 0)
		rc = found;
	else if (found == 0)
		rc = err_set(e, ERR_MISSING, _("The ledger knows no job %s."), uuid);
	else if (strcmp(known.state, state) != 0)
		rc = ledger_append(
			l, "job-state", uuid, 0, NULL, json_pack("{s:s}", "state", state), e);
	return ledger_end(l, rc, e);
}

/* CUPS shows a uuid as urn:uuid:…; people may leave that out. */
int
ledger_jobs(struct ledger *l, const char *uuid_or_id, job_visitor *visit, void *ctx, struct err *e)
{
	static const char sql[] = JOB_SELECT "WHERE ?1 = '' OR uuid = ?1 OR uuid = 'urn:uuid:' || "
					     "?1 OR 'urn:uuid:' || uuid = ?1 OR cups_id = ?2 "
					     "ORDER BY id";
	const char *want = uuid_or_id ? uuid_or_id : "";
	char *end;
	long id = strtol(want, &end, 10);
	struct job_row row;
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(l->db, sql, -1, &s, NULL);

	if (rc != SQLITE_OK)
		return ledger_error(l, rc, e);
	ledger_bind(s, "ti", want, want[0] && *end == '\0' ? (int64_t)id : INT64_C(-1));
	while ((rc = ledger_step(l, s, e)) == 1) {
		columns_read(job_columns, s, &row);
		if (visit(ctx, &row) != 0)
			break;
	}
	sqlite3_finalize(s);
	return rc < 0 ? rc : 0;
}
