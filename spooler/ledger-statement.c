/*
 * ledger-statement.c - statements of a ledger: error, transaction, statement, column.
 *
 * Owns what SQLite's codes mean to a person. Guarantees: when a transaction ends with 0, its event
 * and what follows from it survive a power cut, together or not at all; a row's column never
 * overruns the struct it is read into. On failure nothing of the call is on disk and the error says
 * what a person can do.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <glib.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <string.h>

/* ---- errors ---- */

int
ledger_error(struct ledger *l, int sqlite_code, struct err *e)
{
	switch (sqlite_code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(e, ERR_BUSY,
			_("The ledger %s is in use by another program. Wait until that is finished "
			  "and try again."),
			l->path);
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return err_set(e, ERR_STORAGE,
			_("The ledger %s cannot be written: the file, its folder or the disk is "
			  "read-only."),
			l->path);
	case SQLITE_FULL:
		return err_set(e, ERR_STORAGE,
			_("The disk with the ledger %s is full. Make room, then let the job go "
			  "on."),
			l->path);
	case SQLITE_IOERR:
		return err_set(e, ERR_STORAGE,
			_("The disk with the ledger %s reports an error (%s). Check the disk and "
			  "its space."),
			l->path, sqlite3_errstr(sqlite_code));
	case SQLITE_NOTADB:
		return err_set(
			e, ERR_INPUT, _("%s is not a ledger. Name the right file."), l->path);
	case SQLITE_CORRUPT:
		return err_set(e, ERR_INPUT,
			_("The ledger %s is damaged. Keep the file, and go on with its last copy."),
			l->path);
	case SQLITE_NOMEM:
		return err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	case SQLITE_CANTOPEN:
		return err_set(e, ERR_STORAGE,
			_("The ledger %s cannot be opened (%s). Check the folder and its "
			  "permissions."),
			l->path,
			l->db && sqlite3_system_errno(l->db) ? strerror(sqlite3_system_errno(l->db))
							     : sqlite3_errstr(sqlite_code));
	default:
		return err_set(e, ERR_INTERNAL, _("The ledger %s refused the entry: %s."), l->path,
			l->db ? sqlite3_errmsg(l->db) : sqlite3_errstr(sqlite_code));
	}
}

/* ---- statements ---- */

sqlite3_stmt *
ledger_statement(struct ledger *l, const char *sql, struct err *e)
{
	size_t i = 0;

	while (i < LEDGER_STATEMENTS_MAX && l->statements[i].sql && l->statements[i].sql != sql)
		i++;
	if (i == LEDGER_STATEMENTS_MAX) {
		err_set(e, ERR_INTERNAL, "%s",
			_("The ledger has more statements than it has room for."));
		return NULL;
	}
	if (!l->statements[i].sql) {
		int rc = sqlite3_prepare_v3(
			l->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &l->statements[i].stmt, NULL);

		if (rc != SQLITE_OK) {
			ledger_error(l, rc, e);
			return NULL;
		}
		l->statements[i].sql = sql;
	}
	sqlite3_reset(l->statements[i].stmt);
	sqlite3_clear_bindings(l->statements[i].stmt);
	return l->statements[i].stmt;
}

void
ledger_bind(sqlite3_stmt *s, const char *kinds, ...)
{
	va_list ap;

	va_start(ap, kinds);
	for (int i = 1; *kinds; kinds++, i++) {
		if (*kinds == 't')
			sqlite3_bind_text(s, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
		else
			sqlite3_bind_int64(s, i, va_arg(ap, int64_t));
	}
	va_end(ap);
}

int
ledger_step(struct ledger *l, sqlite3_stmt *s, struct err *e)
{
	int rc = sqlite3_step(s);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE) {
		sqlite3_reset(s);
		return 0;
	}
	/* The message first: a reset may clear it. */
	rc = sqlite3_extended_errcode(l->db);
	int code = ledger_error(l, rc, e);
	sqlite3_reset(s);
	return code;
}

int
ledger_begin(struct ledger *l, struct err *e)
{
	if (!l->writable)
		return ledger_error(l, SQLITE_READONLY, e);
	for (;;) {
		struct err why = {0};
		int rc = sqlite3_exec(l->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

		if (rc == SQLITE_OK)
			return 0;
		rc = ledger_error(l, sqlite3_extended_errcode(l->db), &why);
		if (rc == ERR_BUSY && l->wait && l->wait(l->wait_ctx, &why))
			continue;
		if (e)
			*e = why;
		return rc;
	}
}

void
ledger_patience(struct ledger *l, ledger_waiter *wait, void *ctx)
{
	l->wait = wait;
	l->wait_ctx = ctx;
}

int
ledger_end(struct ledger *l, int rc, struct err *e)
{
	if (rc == 0) {
		int sql = sqlite3_exec(l->db, "COMMIT", NULL, NULL, NULL);

		if (sql != SQLITE_OK)
			rc = ledger_error(l, sqlite3_extended_errcode(l->db), e);
	}
	/* Some errors have rolled back by themselves already. */
	if (rc != 0 && !sqlite3_get_autocommit(l->db))
		sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

int64_t
ledger_next_id(struct ledger *l, const char *sql, struct err *e)
{
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int64_t id = 0;

	if (s && ledger_step(l, s, e) == 1) {
		id = sqlite3_column_int64(s, 0) + 1;
		sqlite3_reset(s);
	}
	return id;
}

/* ---- columns ---- */

const char *
column_text(sqlite3_stmt *s, int i)
{
	const char *text = (const char *)sqlite3_column_text(s, i);

	return text ? text : "";
}

void
columns_read(const struct column *c, sqlite3_stmt *s, void *row)
{
	for (int i = 0; c[i].name; i++) {
		char *at = (char *)row + c[i].offset;
		const char *text = (const char *)sqlite3_column_text(s, i);
		int64_t value = sqlite3_column_int64(s, i);
		int state;

		switch (c[i].kind) {
		case COLUMN_TEXT:
			snprintf(at, c[i].size, "%s", text ? text : "");
			break;
		case COLUMN_I64:
			memcpy(at, &value, sizeof value);
			break;
		case COLUMN_INT:
			*(int *)(void *)at = (int)value;
			break;
		case COLUMN_UNSIGNED:
			*(unsigned *)(void *)at = (unsigned)value;
			break;
		case COLUMN_STATE:
			state = card_state_parse(text ? text : "");
			*(enum card_state *)(void *)at =
				state < 0 ? CARD_DOUBT : (enum card_state)state;
			break;
		}
	}
}

json_t *
json_text(const char *text)
{
	char *valid = g_utf8_make_valid(text ? text : "", -1);
	json_t *j = json_string(valid);

	g_free(valid);
	return j;
}

json_t *
columns_json(const struct column *c, const void *row)
{
	json_t *out = json_object();
	int bad = out == NULL;

	for (; c->name && !bad; c++) {
		const char *at = (const char *)row + c->offset;
		json_t *value = NULL;

		switch (c->kind) {
		case COLUMN_TEXT:
			value = json_text(at);
			break;
		case COLUMN_I64:
			value = json_integer(*(const int64_t *)(const void *)at);
			break;
		case COLUMN_INT:
			value = json_integer(*(const int *)(const void *)at);
			break;
		case COLUMN_UNSIGNED:
			value = json_integer(*(const unsigned *)(const void *)at);
			break;
		case COLUMN_STATE:
			value = json_string(
				card_states[*(const enum card_state *)(const void *)at].name);
			break;
		}
		bad = json_object_set_new(out, c->name, value);
	}
	if (bad) {
		json_decref(out);
		return NULL;
	}
	return out;
}
