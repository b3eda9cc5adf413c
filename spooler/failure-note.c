/*
 * failure-note.c - what people add to a record of the failure log.
 *
 * Owns notes and attached files. A note is an event: it adds, it never changes what was recorded. A
 * file is kept beside the ledger under the SHA-256 that the event names (LEDGER.files/HASH), mode
 * 0600, and is there before the event is. On failure nothing of the call is in the ledger.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOTE(name, kind, member)                                                                   \
	{                                                                                          \
		name, kind, offsetof(struct failure_note, member),                                 \
			sizeof(((struct failure_note *)0)->member)                                 \
	}

const struct column note_columns[] = {
	NOTE("event", COLUMN_I64, event),
	NOTE("failure", COLUMN_I64, failure),
	NOTE("at", COLUMN_I64, at),
	NOTE("person", COLUMN_TEXT, person),
	NOTE("cause", COLUMN_TEXT, cause),
	NOTE("note", COLUMN_TEXT, note),
	NOTE("file", COLUMN_TEXT, file),
	NOTE("file_name", COLUMN_TEXT, file_name),
	NOTE("file_size", COLUMN_I64, file_size),
	{0},
};

static int
files_folder(const struct ledger *l, char *out, size_t max, struct err *e)
{
	if ((size_t)snprintf(out, max, "%s.files", l->path) < max)
		return 0;
	return err_set(e, ERR_USAGE, "%s", _("The path of the ledger is too long."));
}

int
attachment_path(const struct ledger *l, const char *hash, char *out, size_t max, struct err *e)
{
	if ((size_t)snprintf(out, max, "%s.files/%s", l->path, hash) < max)
		return 0;
	return err_set(e, ERR_USAGE, "%s", _("The path of the ledger is too long."));
}

static int
attachment_keep(struct ledger *l, const char *path, struct failure_note *n, struct err *e)
{
	char folder[4200], kept[4300];
	const char *slash = strrchr(path, '/');
	struct buf bytes;
	int rc;

	buf_init(&bytes, ATTACHMENT_MAX);
	rc = file_read(&bytes, path, ATTACHMENT_MAX, e);
	if (rc == 0 && bytes.len == 0)
		rc = err_set(e, ERR_INPUT, _("%s is empty."), path);
	if (rc == 0) {
		text_hash(n->file, (const char *)bytes.data, bytes.len);
		n->file_size = (int64_t)bytes.len;
		snprintf(n->file_name, sizeof n->file_name, "%.127s", slash ? slash + 1 : path);
		rc = files_folder(l, folder, sizeof folder, e);
	}
	if (rc == 0)
		rc = attachment_path(l, n->file, kept, sizeof kept, e);
	if (rc == 0 && mkdir(folder, 0700) != 0 && errno != EEXIST)
		rc = err_set(e, errno == EACCES ? ERR_DENIED : ERR_STORAGE,
			_("The folder %s cannot be made: %s."), folder, strerror(errno));
	/* The same bytes have the same name. */
	if (rc == 0 && access(kept, F_OK) != 0)
		rc = file_write(kept, bytes.data, bytes.len, 0600, e);
	buf_done(&bytes);
	return rc;
}

static int
note_take(char *out, size_t max, const char *text, const char *what, struct err *e)
{
	if ((size_t)snprintf(out, max, "%s", text ? text : "") < max)
		return 0;
	return err_set(e, ERR_USAGE, _("The %s is longer than %zu bytes."), what, max - 1);
}

static int
note_append(struct ledger *l, const struct failure_note *n, const char *actor, struct err *e)
{
	struct failure_row row;
	int rc = failure_show(l, n->failure, &row, e);

	if (rc != 0)
		return rc;
	if (row.review)
		return err_set(e, ERR_BUSY,
			_("Record %" PRId64 " was reviewed by %s; nothing is added to it any "
			  "more."),
			row.id, row.reviewer);
	return ledger_append(l, "failure-noted", row.job_uuid, 0, actor,
		json_pack("{s:I, s:o, s:o, s:s, s:o, s:I}", "id", (json_int_t)n->failure, "cause",
			json_text(n->cause), "note", json_text(n->note), "file", n->file,
			"file_name", json_text(n->file_name), "file_size",
			(json_int_t)n->file_size),
		e);
}

int
failure_note(struct ledger *l, int64_t id, const char *actor, const char *cause, const char *note,
	const char *path, struct err *e)
{
	struct failure_note n = {.failure = id};
	struct failure_row row;
	int rc;

	if ((!cause || !cause[0]) && (!note || !note[0]) && !path)
		return err_set(e, ERR_USAGE, "%s",
			_("Say what you found: --cause TEXT, --note TEXT or --file FILE."));
	rc = note_take(n.cause, sizeof n.cause, cause, _("cause"), e);
	if (rc == 0)
		rc = note_take(n.note, sizeof n.note, note, _("note"), e);
	if (rc == 0)
		rc = failure_show(l, id, &row, e); /* before a file is kept for nothing */
	if (rc == 0 && path)
		rc = attachment_keep(l, path, &n, e);
	if (rc == 0)
		rc = ledger_begin(l, e);
	if (rc != 0)
		return rc;
	return ledger_end(l, note_append(l, &n, actor, e), e);
}

int
failure_notes(struct ledger *l, int64_t id, note_visitor *visit, void *ctx, struct err *e)
{
	static const char sql[] =
		"SELECT event, failure, at, person, cause, note, file, file_name, "
		"file_size FROM failure_note WHERE failure = ? ORDER BY event";
	struct failure_note n;
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(l->db, sql, -1, &s, NULL);

	if (rc != SQLITE_OK)
		return ledger_error(l, rc, e);
	sqlite3_bind_int64(s, 1, id);
	while ((rc = ledger_step(l, s, e)) == 1) {
		columns_read(note_columns, s, &n);
		if (visit(ctx, &n) != 0)
			break;
	}
	sqlite3_finalize(s);
	return rc < 0 ? rc : 0;
}
