/*
 * failure.c - the failure log: making a record.
 *
 * Owns the record of each jam and failure. A record is an event of the ledger: it cannot be
 * changed, and being cleared is an event of its own. On failure nothing of the call is on disk.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

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
	FAILURE("zone", COLUMN_INT, zone),
	FAILURE("cards_lost", COLUMN_UNSIGNED, cards_lost),
	FAILURE("panels_lost", COLUMN_UNSIGNED, panels_lost),
	FAILURE("notes", COLUMN_UNSIGNED, notes),
	FAILURE("reviewer", COLUMN_TEXT, reviewer),
	FAILURE("recorded", COLUMN_I64, recorded),
	FAILURE("closed", COLUMN_I64, closed),
	FAILURE("review", COLUMN_I64, review),
	FAILURE("event", COLUMN_I64, event),
	{0},
};

/* What an event of the log recorded is about; the rest of a row follows from later events. */
static const char *const failure_later[] = {"cleared", "cards_lost", "panels_lost", "notes",
	"reviewer", "recorded", "closed", "review", "event"};

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
	row->zone = zone_at(row->at);
	return 0;
}

static json_t *
failure_data(const struct failure_row *row)
{
	json_t *data = columns_json(failure_columns, row);

	for (size_t i = 0; data && i < ARRAY_LEN(failure_later); i++)
		json_object_del(data, failure_later[i]);
	return data;
}

static int
failure_read(struct ledger *l, int64_t id, struct failure_row *out, struct err *e)
{
	static const char sql[] = FAILURE_SELECT "WHERE id = ?";
	sqlite3_stmt *s = ledger_statement(l, sql, e);

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "i", id);
	int rc = ledger_step(l, s, e);
	if (rc == 0)
		return err_set(e, ERR_MISSING, _("The failure log has no record %" PRId64 "."), id);
	if (rc < 0)
		return rc;
	columns_read(failure_columns, s, out);
	sqlite3_reset(s);
	return 0;
}

/* Says of a record that is gone when it was purged, if it was. */
static int
purged_say(struct ledger *l, int64_t id, struct err *e)
{
	static const char sql[] =
		"SELECT t.at, t.person FROM tombstone AS t CROSS JOIN event AS e ON e.seq = "
		"t.event "
		"WHERE "
		"EXISTS (SELECT 1 FROM json_each(e.data, '$.ids') WHERE value = ?) LIMIT 1";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	char at[24];
	int rc;

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "i", id);
	rc = ledger_step(l, s, e);
	if (rc == 1) {
		time_utc(at, sqlite3_column_int64(s, 0));
		err_set(e, ERR_MISSING,
			_("Record %" PRId64 " was reviewed and purged by %s on %.10s; its "
			  "tombstone is in the ledger."),
			id, column_text(s, 1), at);
	}
	sqlite3_reset(s);
	return rc < 0 ? rc : ERR_MISSING;
}

int
failure_show(struct ledger *l, int64_t id, struct failure_row *out, struct err *e)
{
	int rc = failure_read(l, id, out, e);

	return rc == ERR_MISSING ? purged_say(l, id, e) : rc;
}

int
failure_record(struct ledger *l, struct failure_row *row, struct err *e)
{
	static const char sql[] = "SELECT max(coalesce((SELECT max(id) FROM failure), 0), "
				  "coalesce((SELECT max(last_id) FROM tombstone), 0))";
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
				failure_data(&full), e);
	}
	if (rc == 0)
		rc = failure_read(l, full.id, &full, e);
	rc = ledger_end(l, rc, e);
	if (rc == 0)
		*row = full;
	return rc;
}

/*
 * What the failure cost, as its card's row says now: a card that will not be handed out is lost,
 * and with it the ribbon's panels if its face was on the way to the head.
 */
static int
failure_cost(struct ledger *l, struct failure_row *row, struct err *e)
{
	static const char sql[] =
		"SELECT EXISTS (SELECT 1 FROM event WHERE event.card = card.id AND event.card <> 0 "
		"AND kind = 'card-moved' AND json_extract(data, '$.to') = 'printing') FROM card "
		"WHERE job = ? AND card = ? "
		"AND "
		"copy = ? AND attempt = ? AND state IN ('rejecting', 'rejected', 'spoiled') AND "
		"NOT EXISTS (SELECT 1 FROM failure AS f WHERE f.job = card.job AND f.card = "
		"card.card AND f.copy = card.copy AND f.attempt = card.attempt AND f.cards_lost > "
		"0)";
	sqlite3_stmt *s = ledger_statement(l, sql, e);

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "tiii", row->job_uuid, (int64_t)row->card, (int64_t)row->copy,
		(int64_t)row->attempt);
	int rc = ledger_step(l, s, e);
	if (rc == 1) {
		row->cards_lost = 1;
		row->panels_lost = sqlite3_column_int(s, 0) != 0;
		sqlite3_reset(s);
	}
	return rc < 0 ? rc : 0;
}

int
failure_cleared(struct ledger *l, int64_t id, const char *done, struct err *e)
{
	struct failure_row row;
	int rc = ledger_begin(l, e);

	if (rc != 0)
		return rc;
	rc = failure_read(l, id, &row, e);
	if (rc == 0 && row.cleared == 0)
		rc = failure_cost(l, &row, e);
	if (rc == 0 && row.cleared == 0) {
		json_t *data = json_pack("{s:I, s:I, s:i, s:i}", "id", (json_int_t)id, "cleared",
			(json_int_t)l->clock_ms(), "cards_lost", (int)row.cards_lost, "panels_lost",
			(int)row.panels_lost);

		if (data && done && done[0])
			json_object_set_new(data, "done", json_text(done));
		rc = data ? ledger_append(l, "failure-cleared", row.job_uuid, 0, "pass", data, e)
			  : err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	}
	return ledger_end(l, rc, e);
}

int
failure_list(
	struct ledger *l, const char *job_uuid, failure_visitor *visit, void *ctx, struct err *e)
{
	const struct failure_filter filter = {.job_uuid = job_uuid};

	return failure_find(l, &filter, visit, ctx, NULL, e);
}
