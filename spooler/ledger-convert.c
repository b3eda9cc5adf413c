/*
 * ledger-convert.c - which format a ledger file is of, and one of an older format made new.
 *
 * Owns the check of a file that is opened and what changed from format to format. Guarantees: a
 * file of a newer format or of another program is never touched; a converted file has the schema
 * of a new one, to the letter, and its rows are what a replay of its events gives. On failure the
 * caller's transaction has to be rolled back.
 *
 * 1  no people, reviews and notes; a record does not say the zone nor what was lost
 * 2  no index of chips
 * 3  no index for records that are cleared or reviewed, none that several filters share
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <sqlite3.h>

/* Runs what a query makes, until it makes nothing more. */
static int
schema_drop(struct sqlite3 *db, const char *next)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db, next, -1, &s, NULL);

	while (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		char *drop = sqlite3_mprintf("%s", sqlite3_column_text(s, 0));

		sqlite3_reset(s);
		rc = drop ? sqlite3_exec(db, drop, NULL, NULL, NULL) : SQLITE_NOMEM;
		sqlite3_free(drop);
	}
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The two tables that grew are filled anew from what they held, as a replay of the events would. */
static int
tables_grow(struct sqlite3 *db)
{
	static const char *const away[] = {
		"CREATE TEMP TABLE meta_1 AS SELECT * FROM main.meta",
		"CREATE TEMP TABLE failure_1 AS SELECT * FROM main.failure",
		"DROP TABLE main.meta",
		"DROP TABLE main.failure",
	};
	static const char *const back[] = {
		"INSERT INTO main.meta SELECT only_row, ledger, n_events, head, '' FROM meta_1",
		"INSERT INTO main.failure SELECT id, at, cleared, 0, machine, serial, station, "
		"\"order\", job, cups_id, card, copy, attempt, holder, step, code, cause, raw, "
		"done, "
		"operator, 0, 0, 0, '', (SELECT seq FROM event WHERE kind = 'failure-recorded' AND "
		"json_extract(data, '$.id') = f.id), iif(cleared <> 0, event, 0), 0, event FROM "
		"failure_1 AS f",
		"DROP TABLE meta_1",
		"DROP TABLE failure_1",
	};
	int rc = ledger_schema_run(db, away, ARRAY_LEN(away));

	if (rc == SQLITE_OK)
		rc = ledger_schema_meta(db);
	if (rc == SQLITE_OK)
		rc = ledger_schema_run(db, failure_tables, n_failure_tables);
	return rc == SQLITE_OK ? ledger_schema_run(db, back, ARRAY_LEN(back)) : rc;
}

int
ledger_schema_convert(struct sqlite3 *db, int format)
{
	/* Whatever the format: all that stands in the file, then all that belongs there. */
	static const char trigger[] =
		"SELECT 'DROP TRIGGER \"' || replace(name, '\"', '\"\"') || '\"' FROM "
		"sqlite_master WHERE type = 'trigger' LIMIT 1";
	static const char index[] = "SELECT 'DROP INDEX \"' || replace(name, '\"', '\"\"') || '\"' "
				    "FROM sqlite_master WHERE type = "
				    "'index' AND (tbl_name = 'failure' OR name = 'event_chip') AND "
				    "sql IS NOT NULL LIMIT 1";
	int rc = schema_drop(db, trigger);

	if (rc == SQLITE_OK)
		rc = schema_drop(db, index);
	if (rc == SQLITE_OK && format == 1)
		rc = tables_grow(db);
	return rc == SQLITE_OK ? ledger_schema_finish(db) : rc;
}

static int
pragma_read(struct ledger *l, const char *sql, int64_t *value, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(l->db, sql, -1, &s, NULL);

	*value = 0;
	if (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		*value = sqlite3_column_int64(s, 0);
		rc = SQLITE_OK;
	} else if (rc == SQLITE_DONE) {
		rc = SQLITE_OK;
	}
	sqlite3_finalize(s);
	return rc == SQLITE_OK ? 0 : ledger_error(l, rc, e);
}

int
ledger_schema_check(struct ledger *l, int *format, struct err *e)
{
	int64_t objects, application, version;
	int rc = pragma_read(l, "SELECT count(*) FROM sqlite_master", &objects, e);

	if (rc == 0)
		rc = pragma_read(l, "PRAGMA application_id", &application, e);
	if (rc == 0)
		rc = pragma_read(l, "PRAGMA user_version", &version, e);
	if (rc != 0)
		return rc;
	*format = 0;
	if (objects == 0 && application == 0 && version == 0)
		return 0;
	if (application != LEDGER_APPLICATION_ID)
		return err_set(e, ERR_INPUT,
			_("%s is a database of another program, not a ledger. Name the right "
			  "file."),
			l->path);
	if (version > LEDGER_VERSION)
		return err_set(e, ERR_INPUT,
			_("The ledger %s was written by a newer cardspool (format %lld, this one "
			  "knows %d). "
			  "Install the newer cardspool."),
			l->path, (long long)version, LEDGER_VERSION);
	if (version < 1)
		return err_set(e, ERR_INPUT,
			_("The ledger %s has no format number; it is damaged."), l->path);
	*format = (int)version;
	return 0;
}
