/*
 * ledger-wear.c - what a printer and its reader have done, as far as the ledger saw it.
 *
 * Owns the counting for machines that do not count, and the record of work on the machine itself
 * (cleaning run, test card): an intent event before, an outcome event after, never a card's row.
 * Guarantees that test cards are counted apart from cards. On failure err says why and nothing is
 * filled in.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <sqlite3.h>
#include <string.h>

const char *const service_names[] = {
	[SERVICE_CLEAN] = "cleaning", [SERVICE_TEST_CARD] = "test-card"};

#define SERVICE_BEGUN "service-begun"
#define SERVICE_ENDED "service-ended"

/* Good cards went under the head; a card with a UID was an operation of the reader. A ribbon is
 * taken to be new since the last record of one that ended was cleared. */
static const char wear_sql[] =
	"SELECT (SELECT count(*) FROM card WHERE printer_serial = ?1 AND state IN ('done', "
	"'void')), "
	"(SELECT count(*) FROM card WHERE printer_serial = ?1 AND uid <> ''), "
	"(SELECT count(*) FROM card WHERE printer_serial = ?1 AND state IN ('done', 'void') AND "
	"changed > coalesce((SELECT max(cleared) FROM failure WHERE serial = ?1 AND code IN "
	"('ribbon-end', 'ribbon-missing', 'ribbon-wrong')), 0)), "
	"(SELECT count(*) FROM event WHERE kind = '" SERVICE_ENDED
	"' AND json_extract(data, '$.serial') = ?1 AND json_extract(data, '$.what') = 'test-card' "
	"AND "
	"json_extract(data, '$.outcome') = 'done')";

int
ledger_wear(struct ledger *l, const char *serial, struct wear *out, struct err *e)
{
	sqlite3_stmt *s = ledger_statement(l, wear_sql, e);
	int rc;

	*out = (struct wear){0};
	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "t", serial);
	rc = ledger_step(l, s, e);
	if (rc == 1) {
		out->prints = sqlite3_column_int64(s, 0);
		out->chips = sqlite3_column_int64(s, 1);
		out->ribbon_prints = sqlite3_column_int64(s, 2);
		out->tests = sqlite3_column_int64(s, 3);
		sqlite3_reset(s);
	}
	return rc < 0 ? rc : 0;
}

static int
service_event(struct ledger *l, const char *kind, const char *job_uuid, const char *serial,
	enum printer_service what, const char *outcome, struct err *e)
{
	json_t *data = json_pack("{s:s, s:s, s:s}", "serial", serial, "what", service_names[what],
		"outcome", outcome);
	int rc;

	if (!data)
		return err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	rc = ledger_event(l, kind, job_uuid, data, e);
	json_decref(data);
	return rc;
}

int
ledger_service_begin(struct ledger *l, const char *job_uuid, const char *serial,
	enum printer_service what, struct err *e)
{
	return service_event(l, SERVICE_BEGUN, job_uuid, serial, what, "", e);
}

int
ledger_service_end(struct ledger *l, const char *job_uuid, const char *serial,
	enum printer_service what, const char *outcome, struct err *e)
{
	return service_event(l, SERVICE_ENDED, job_uuid, serial, what, outcome, e);
}

int
ledger_service_seen(struct ledger *l, const char *job_uuid, bool *seen, struct err *e)
{
	static const char sql[] =
		"SELECT 1 FROM event WHERE kind = '" SERVICE_BEGUN "' AND job = ? LIMIT 1";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int rc;

	*seen = false;
	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "t", job_uuid);
	rc = ledger_step(l, s, e);
	*seen = rc == 1;
	if (rc == 1)
		sqlite3_reset(s);
	return rc < 0 ? rc : 0;
}

int
ledger_service_open(
	struct ledger *l, const char *serial, enum printer_service *what, bool *open, struct err *e)
{
	static const char sql[] = "SELECT kind, json_extract(data, '$.what') FROM event WHERE kind "
				  "IN ('" SERVICE_BEGUN "', '" SERVICE_ENDED
				  "') AND json_extract(data, '$.serial') = ? ORDER BY seq DESC "
				  "LIMIT 1";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int rc;

	*open = false;
	*what = SERVICE_CLEAN;
	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "t", serial);
	rc = ledger_step(l, s, e);
	if (rc == 1) {
		*open = strcmp(column_text(s, 0), SERVICE_BEGUN) == 0;
		if (strcmp(column_text(s, 1), service_names[SERVICE_TEST_CARD]) == 0)
			*what = SERVICE_TEST_CARD;
		sqlite3_reset(s);
	}
	return rc < 0 ? rc : 0;
}
