/*
 * failure-machine.c - what each machine of a report did: cards, work, cleanings, wear of its head.
 *
 * Owns the sums over jobs, cards and service events. Cards and working time of a period are those
 * of the jobs that began in it. Guarantees: every card of the period is counted at one machine.
 * Reads only.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/report.h"

#include <sqlite3.h>
#include <string.h>

static bool
machine_wanted(const struct report *r, const char *serial, const char *model)
{
	return !r->machine || strcmp(r->machine, serial) == 0 || strcmp(r->machine, model) == 0;
}

/* Every machine the ledger knows; those without anything in the period leave at the end. */
static int
jobs_sum(struct ledger *l, struct report *r, struct err *e)
{
	static const char sql[] =
		"SELECT printer_serial, printer_model, sum(CASE WHEN started >= ?1 AND started < "
		"?2 AND ended > started THEN ended - started ELSE 0 END) FROM job WHERE "
		"printer_serial <> '' GROUP BY 1 ORDER BY 1";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int rc;

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "ii", r->from_ms, r->to_ms);
	while ((rc = ledger_step(l, s, e)) == 1) {
		struct report_machine *m;

		if (!machine_wanted(r, column_text(s, 0), column_text(s, 1)))
			continue;
		m = report_machine_of(r, column_text(s, 0), column_text(s, 1));
		m->work_ms += sqlite3_column_int64(s, 2);
		r->work_ms += sqlite3_column_int64(s, 2);
	}
	sqlite3_reset(s);
	return rc;
}

static struct report_machine *
machine_named(struct report *r, const char *serial)
{
	for (unsigned i = 0; i < r->n_machines; i++)
		if (strcmp(r->machines[i].serial, serial) == 0)
			return &r->machines[i];
	return r->machine ? NULL : report_machine_of(r, "", "");
}

static int
cards_sum(struct ledger *l, struct report *r, struct err *e)
{
	static const char sql[] =
		"SELECT c.printer_serial, count(*) FROM job AS j CROSS JOIN card AS c ON c.job = "
		"j.uuid WHERE j.started >= ? AND j.started < ? AND c.state NOT IN ('queued', "
		"'cancelled') GROUP BY 1";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int rc;

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "ii", r->from_ms, r->to_ms);
	while ((rc = ledger_step(l, s, e)) == 1) {
		struct report_machine *m = machine_named(r, column_text(s, 0));

		if (!m)
			continue;
		m->cards += (unsigned)sqlite3_column_int64(s, 1);
		r->cards += (unsigned)sqlite3_column_int64(s, 1);
	}
	sqlite3_reset(s);
	return rc;
}

static int
prints_sum(struct ledger *l, struct report *r, struct err *e)
{
	static const char sql[] = "SELECT printer_serial, count(*) FROM card WHERE state IN "
				  "('done', 'void') GROUP BY 1";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int rc;

	if (!s)
		return ERR_INTERNAL;
	while ((rc = ledger_step(l, s, e)) == 1) {
		struct report_machine *m = machine_named(r, column_text(s, 0));

		if (m)
			m->prints += sqlite3_column_int64(s, 1);
	}
	sqlite3_reset(s);
	return rc;
}

/* ---- cleaning ---- */

static int
event_time(struct ledger *l, int64_t seq, int64_t *at, struct err *e)
{
	sqlite3_stmt *s =
		ledger_statement(l, "SELECT at FROM event WHERE seq >= ? ORDER BY seq LIMIT 1", e);
	int rc;

	*at = INT64_MAX;
	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "i", seq);
	rc = ledger_step(l, s, e);
	if (rc == 1)
		*at = sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	return rc < 0 ? rc : 0;
}

/* Events lie in the order of time, but for a clock that was set. */
int
event_first(struct ledger *l, int64_t from_ms, int64_t *seq, struct err *e)
{
	sqlite3_stmt *s = ledger_statement(l, "SELECT coalesce(max(seq), 0) FROM event", e);
	int64_t low = 1, high, at;
	int rc = s ? ledger_step(l, s, e) : ERR_INTERNAL;

	*seq = 0;
	if (rc != 1)
		return rc;
	high = sqlite3_column_int64(s, 0) + 1;
	sqlite3_reset(s);
	for (rc = 0; low < high && rc == 0;) {
		int64_t middle = low + (high - low) / 2;

		rc = event_time(l, middle, &at, e);
		if (at < from_ms)
			low = middle + 1;
		else
			high = middle;
	}
	*seq = low;
	return rc;
}

/* Runs that the ledger saw end well, beside those after which a printer no longer asked. */
static int
cleanings_sum(struct ledger *l, struct report *r, struct err *e)
{
	static const char sql[] =
		"SELECT json_extract(data, '$.serial'), at FROM event WHERE seq >= ? AND kind = "
		"'service-ended' AND at >= ? AND at < ? AND json_extract(data, '$.what') = "
		"'cleaning' AND json_extract(data, '$.outcome') = 'done'";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int64_t first;
	int rc = s ? event_first(l, r->from_ms, &first, e) : ERR_INTERNAL;

	if (rc != 0)
		return rc;
	ledger_bind(s, "iii", first, r->from_ms, r->to_ms);
	while ((rc = ledger_step(l, s, e)) == 1) {
		struct report_machine *m = machine_named(r, column_text(s, 0));
		int64_t at = sqlite3_column_int64(s, 1);

		if (!m)
			continue;
		m->cleanings++;
		m->cleaned_ms = at > m->cleaned_ms ? at : m->cleaned_ms;
	}
	sqlite3_reset(s);
	return rc;
}

static int
since_cleaning(struct ledger *l, struct report_machine *m, struct err *e)
{
	static const char sql[] =
		"SELECT count(*) FROM job AS j CROSS JOIN card AS c ON c.job = j.uuid WHERE "
		"(j.ended = 0 OR j.ended > ?1) AND c.printer_serial = ?2 AND c.changed > ?1 AND "
		"c.state IN ('done', 'void')";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int rc;

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "it", m->cleaned_ms, m->serial);
	rc = ledger_step(l, s, e);
	if (rc == 1)
		m->since_cleaning = sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	return rc < 0 ? rc : 0;
}

static const struct printer_model *
model_named(const char *name)
{
	for (size_t d = 0; printer_drivers[d]; d++)
		for (size_t i = 0; i < printer_drivers[d]->n_models; i++)
			if (strcmp(printer_drivers[d]->models[i].name, name) == 0)
				return &printer_drivers[d]->models[i];
	return NULL;
}

/* A name that nothing ever had is a slip, not a machine without failures. */
static int
machine_check(struct ledger *l, const struct report *r, struct err *e)
{
	const struct failure_filter filter = {.machine = r->machine};
	int64_t n;
	int rc;

	if (!r->machine || r->n_machines > 0)
		return 0;
	rc = failure_count(l, &filter, &n, e);
	if (rc == 0 && n == 0)
		rc = err_set(e, ERR_MISSING,
			_("The ledger knows no machine \"%s\". See: cardspool job list"),
			r->machine);
	return rc;
}

int
report_machines(struct ledger *l, struct report *r, struct err *e)
{
	unsigned kept = 0;
	int rc = jobs_sum(l, r, e);

	if (rc == 0)
		rc = machine_check(l, r, e);
	if (rc == 0)
		rc = cards_sum(l, r, e);
	if (rc == 0)
		rc = prints_sum(l, r, e);
	if (rc == 0)
		rc = cleanings_sum(l, r, e);
	for (unsigned i = 0; i < r->n_machines && rc == 0; i++) {
		struct report_machine *m = &r->machines[i];

		if (m->cards == 0 && m->failures == 0 && m->cleanings == 0)
			continue;
		m->head_life = head_life(model_named(m->model));
		if (m->cleaned_ms)
			rc = since_cleaning(l, m, e);
		r->machines[kept++] = *m;
	}
	r->n_machines = kept;
	return rc;
}
