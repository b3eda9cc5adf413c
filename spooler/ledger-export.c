/*
 * ledger-export.c - a ledger's events for others: one by one, as JSON lines, as a copy of the file.
 *
 * Owns the form in which an event leaves the ledger. Guarantees: reads only, in one snapshot, also
 * while cards are made; a copy is one closed file or none, and an existing file is never replaced.
 * On failure says what could not be read or written.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_t *
event_json(sqlite3_stmt *s)
{
	const char *text = column_text(s, EV_DATA);
	json_t *data = json_loads(text, 0, NULL);

	return json_pack("{s:I, s:I, s:I, s:s, s:s, s:I, s:s, s:o, s:s, s:s, s:s}", "seq",
		(json_int_t)sqlite3_column_int64(s, EV_SEQ), "at",
		(json_int_t)sqlite3_column_int64(s, EV_AT), "up",
		(json_int_t)sqlite3_column_int64(s, EV_UP), "kind", column_text(s, EV_KIND), "job",
		column_text(s, EV_JOB), "card", (json_int_t)sqlite3_column_int64(s, EV_CARD),
		"actor", column_text(s, EV_ACTOR), "data", data ? data : json_text(text),
		"data_hash", column_text(s, EV_DATA_HASH), "prev", column_text(s, EV_PREV), "hash",
		column_text(s, EV_HASH));
}

int
ledger_events(struct ledger *l, int64_t card, event_visitor *visit, void *ctx, struct err *e)
{
	static const char *const sql[2] = {EVENT_SELECT "ORDER BY seq",
		EVENT_SELECT "WHERE card = ? AND card <> 0 ORDER BY seq"};
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(l->db, sql[card != 0], -1, &s, NULL);
	int stop = 0;

	if (rc != SQLITE_OK)
		return ledger_error(l, rc, e);
	if (card != 0)
		sqlite3_bind_int64(s, 1, card);
	while (!stop && (rc = ledger_step(l, s, e)) == 1) {
		json_t *j = event_json(s);

		if (!j)
			rc = err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
		stop = j ? visit(ctx, j) : 1;
		json_decref(j);
	}
	sqlite3_finalize(s);
	return rc < 0 ? rc : 0;
}

static int
event_write(void *ctx, const json_t *event)
{
	FILE *out = ctx;

	return json_dumpf(event, out, JSON_COMPACT | JSON_SORT_KEYS) != 0 ||
	       fputc('\n', out) == EOF;
}

int
ledger_export(struct ledger *l, FILE *out, struct err *e)
{
	int rc = ledger_events(l, 0, event_write, out, e);

	if (rc == 0 && (ferror(out) || fflush(out) != 0))
		rc = err_set(
			e, ERR_STORAGE, _("The export cannot be written: %s."), strerror(errno));
	return rc;
}

static int
copy_pages(struct ledger *l, const char *path, struct err *e)
{
	sqlite3 *to = NULL;
	int rc = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE, NULL);

	if (rc == SQLITE_OK) {
		sqlite3_backup *b = sqlite3_backup_init(to, "main", l->db, "main");

		if (b) {
			sqlite3_busy_timeout(to, LEDGER_PATIENCE_MS);
			sqlite3_backup_step(b, -1);
			rc = sqlite3_backup_finish(b);
		} else {
			rc = sqlite3_errcode(to);
		}
	}
	/* One file without companions: it can be read from a read-only disk. */
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		err_set(e, (rc & 0xff) == SQLITE_BUSY ? ERR_BUSY : ERR_STORAGE,
			_("The ledger cannot be copied to %s: %s."), path,
			to ? sqlite3_errmsg(to) : sqlite3_errstr(rc));
	sqlite3_close(to);
	return rc == SQLITE_OK ? 0 : (rc & 0xff) == SQLITE_BUSY ? ERR_BUSY : ERR_STORAGE;
}

int
ledger_copy(struct ledger *l, const char *path, struct err *e)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	int rc;

	if (fd < 0 && errno == EEXIST)
		return err_set(e, ERR_USAGE,
			_("%s is there already. Name a new file for the copy."), path);
	if (fd < 0)
		return err_set(e, errno == EACCES ? ERR_DENIED : ERR_STORAGE,
			_("%s cannot be made: %s."), path, strerror(errno));
	close(fd);
	rc = copy_pages(l, path, e);
	if (rc != 0)
		unlink(path);
	return rc;
}
