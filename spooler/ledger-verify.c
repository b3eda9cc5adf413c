/*
 * ledger-verify.c - the proof of a ledger.
 *
 * Owns the walk over the chain of events and the replay of it. Guarantees: an event that was
 * edited, deleted, moved or cut off at the end is named; so is a job, card or failure row, a
 * trigger or a table that is not what the events and this program make of it. Reads only. On
 * failure says why it could not look; that is never the same as "nothing found".
 *
 * What it cannot see: someone who rewrites every event from some point to the end, all hashes, the
 * head and the tables. Against that the head is noted elsewhere: verify shows it, an export and a
 * copy contain it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HASH_TEXT (2 * HASH_LEN + 1)

struct verify {
	struct ledger *l;
	sqlite3 *replay; /* the tables as the events alone make them */
	sqlite3_stmt *into;
	void (*problem)(void *ctx, const char *line);
	void *ctx;
	struct retention_proof *purged;
	uint64_t n_problems, n_events;
	char last_hash[HASH_TEXT];
	int64_t last_seq;
};

static void __attribute__((format(printf, 2, 3)))
verify_problem(struct verify *v, const char *format, ...)
{
	char line[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof line, format, ap);
	va_end(ap);
	v->n_problems++;
	if (v->problem)
		v->problem(v->ctx, line);
}

/* ---- the chain ---- */

static struct event_head
event_head_read(sqlite3_stmt *s)
{
	return (struct event_head){.seq = sqlite3_column_int64(s, EV_SEQ),
		.at = sqlite3_column_int64(s, EV_AT),
		.up = sqlite3_column_int64(s, EV_UP),
		.card = sqlite3_column_int64(s, EV_CARD),
		.kind = column_text(s, EV_KIND),
		.job = column_text(s, EV_JOB),
		.actor = column_text(s, EV_ACTOR),
		.data_hash = column_text(s, EV_DATA_HASH),
		.prev = column_text(s, EV_PREV)};
}

/* The place in the chain an event was written for: right after the one whose hash it names. */
static int64_t
event_origin(struct verify *v, const struct event_head *h, const char *hash)
{
	static const char sql[] = "SELECT seq FROM event WHERE hash = ?";
	sqlite3_stmt *s = ledger_statement(v->l, sql, NULL);
	struct event_head there = *h;
	char computed[HASH_TEXT];

	if (!s)
		return 0;
	ledger_bind(s, "t", h->prev);
	if (sqlite3_step(s) != SQLITE_ROW)
		return 0;
	int64_t before = sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	/* Neighbours that changed places: the one before now stands behind. */
	for (there.seq = before - 1; there.seq <= before + 2; there.seq++)
		if (there.seq != h->seq && event_hash(computed, &there) == 0 &&
			strcmp(computed, hash) == 0)
			return there.seq;
	return 0;
}

static void
event_content_check(struct verify *v, sqlite3_stmt *s, const struct event_head *h)
{
	const char *data = column_text(s, EV_DATA);
	const char *hash = column_text(s, EV_HASH);
	char data_hash[HASH_TEXT], computed[HASH_TEXT];

	text_hash(data_hash, data, strlen(data));
	if (event_hash(computed, h) != 0)
		computed[0] = '\0';
	/* What was purged is judged by its tombstone (retention-proof.c). */
	bool purged = data[0] == '\0' && failure_event_kind(h->kind);
	bool data_same = purged || strcmp(data_hash, h->data_hash) == 0;
	if (data_same && strcmp(computed, hash) == 0)
		return;
	int64_t origin = data_same ? event_origin(v, h, hash) : 0;
	if (origin != 0)
		verify_problem(v,
			_("event %" PRId64
			  " (%s): was moved here; it was written as event %" PRId64),
			h->seq, h->kind, origin);
	else
		verify_problem(v, _("event %" PRId64 " (%s): was edited"), h->seq, h->kind);
}

static void
event_link_check(struct verify *v, const struct event_head *h)
{
	if (h->seq == v->last_seq + 2)
		verify_problem(v, _("event %" PRId64 ": was deleted"), h->seq - 1);
	else if (h->seq != v->last_seq + 1)
		verify_problem(v, _("events %" PRId64 " to %" PRId64 ": were deleted"),
			v->last_seq + 1, h->seq - 1);
	else if (strcmp(h->prev, v->last_hash) != 0 && h->seq == 1)
		verify_problem(v, "%s", _("event 1: is not the first event of a ledger"));
	else if (strcmp(h->prev, v->last_hash) != 0)
		verify_problem(v,
			_("event %" PRId64 " (%s): does not follow event %" PRId64
			  "; one of the two was replaced"),
			h->seq, h->kind, v->last_seq);
}

static void
event_replay(struct verify *v, sqlite3_stmt *s, const struct event_head *h)
{
	for (int i = 0; i < EV_N; i++)
		sqlite3_bind_value(v->into, i + 1, sqlite3_column_value(s, i));
	if (sqlite3_step(v->into) != SQLITE_DONE)
		verify_problem(v, _("event %" PRId64 " (%s): cannot have happened: %s"), h->seq,
			h->kind, sqlite3_errmsg(v->replay));
	sqlite3_reset(v->into);
	/* The triggers look at the latest event only. */
	if (h->seq % 1024 == 0)
		sqlite3_exec(v->replay,
			"DELETE FROM event WHERE seq < (SELECT max(seq) FROM event)", NULL, NULL,
			NULL);
}

static int
verify_chain(struct verify *v, struct err *e)
{
	static const char sql[] = EVENT_SELECT "ORDER BY seq";
	sqlite3_stmt *s = ledger_statement(v->l, sql, e);
	int rc;

	if (!s)
		return ERR_INTERNAL;
	snprintf(v->last_hash, sizeof v->last_hash, "%s", CHAIN_START);
	while ((rc = ledger_step(v->l, s, e)) == 1) {
		struct event_head h = event_head_read(s);

		event_link_check(v, &h);
		event_content_check(v, s, &h);
		event_replay(v, s, &h);
		if (retention_proof_event(v->purged, &h, column_text(s, EV_DATA)) != 0)
			return err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
		snprintf(v->last_hash, sizeof v->last_hash, "%s", column_text(s, EV_HASH));
		v->last_seq = h.seq;
		v->n_events++;
	}
	v->n_problems += retention_proof_finish(v->purged);
	return rc;
}

static int
verify_head(struct verify *v, struct err *e)
{
	static const char sql[] = "SELECT n_events, head FROM meta";
	sqlite3_stmt *s = ledger_statement(v->l, sql, e);
	int rc = s ? ledger_step(v->l, s, e) : ERR_INTERNAL;

	if (rc < 0)
		return rc;
	if (rc == 0) {
		verify_problem(v, "%s", _("the head of the chain: was deleted"));
		return 0;
	}
	int64_t n = sqlite3_column_int64(s, 0);
	if (n == v->last_seq + 1)
		verify_problem(v, _("event %" PRId64 ": was cut off at the end"), n);
	else if (n > v->last_seq)
		verify_problem(v, _("events %" PRId64 " to %" PRId64 ": were cut off at the end"),
			v->last_seq + 1, n);
	else if (n < v->last_seq)
		verify_problem(v,
			_("events %" PRId64 " to %" PRId64 ": were added behind the head"), n + 1,
			v->last_seq);
	else if (strcmp(column_text(s, 1), v->last_hash) != 0)
		verify_problem(v,
			_("event %" PRId64 ": is not the head of the chain; it was replaced"), n);
	sqlite3_reset(s);
	return 0;
}

/* ---- the tables ---- */

/* Tables that must be equal row by row. The first column of each is its key. */
static const struct {
	const char *name, *sql;
} tables[] = {
	{"sqlite_master",
		"SELECT name, type, tbl_name, sql FROM sqlite_master WHERE name <> 'sqlite_stat1' "
		"ORDER BY name"},
	{"card_state", "SELECT * FROM card_state ORDER BY name"},
	{"transition",
		"SELECT from_state || ' ' || to_state AS move, why FROM transition ORDER BY 1"},
	{"job", "SELECT * FROM job ORDER BY id"},
	{"card", "SELECT * FROM card ORDER BY id"},
	{"failure", "SELECT * FROM failure ORDER BY id"},
	{"failure_note", "SELECT * FROM failure_note ORDER BY event"},
	{"review", "SELECT * FROM review ORDER BY event"},
	{"person", "SELECT * FROM person ORDER BY id"},
	{"tombstone", "SELECT * FROM tombstone ORDER BY event"},
};

static int
value_compare(sqlite3_stmt *a, sqlite3_stmt *b, int i)
{
	if (sqlite3_column_type(a, i) == SQLITE_INTEGER &&
		sqlite3_column_type(b, i) == SQLITE_INTEGER) {
		int64_t x = sqlite3_column_int64(a, i), y = sqlite3_column_int64(b, i);

		return x < y ? -1 : x > y;
	}
	return strcmp(column_text(a, i), column_text(b, i));
}

/* Names the columns that differ, with both values. */
static void
row_compare(struct verify *v, const char *table, sqlite3_stmt *real, sqlite3_stmt *replayed)
{
	for (int i = 1; i < sqlite3_column_count(real); i++) {
		if (value_compare(real, replayed, i) == 0)
			continue;
		if (strcmp(table, "sqlite_master") == 0)
			verify_problem(v, _("%s %s: was changed"), column_text(real, 1),
				column_text(real, 0));
		else
			verify_problem(v,
				_("%s %s: %s was edited: it is \"%s\", by the events it is \"%s\""),
				table, column_text(real, 0), sqlite3_column_name(real, i),
				column_text(real, i), column_text(replayed, i));
	}
}

static void
row_alone(struct verify *v, const char *table, sqlite3_stmt *s, bool deleted)
{
	bool schema = strcmp(table, "sqlite_master") == 0;
	const char *kind = schema ? column_text(s, 1) : table;

	if (deleted)
		verify_problem(v, _("%s %s: was deleted"), kind, column_text(s, 0));
	else
		verify_problem(v, _("%s %s: was added without an event"), kind, column_text(s, 0));
}

/* Both sides come in the order of their key. */
static int
table_compare(struct verify *v, size_t t, struct err *e)
{
	sqlite3_stmt *real = NULL, *replayed = NULL;
	int rc = sqlite3_prepare_v2(v->l->db, tables[t].sql, -1, &real, NULL);

	/* A table that is gone was reported with the schema. */
	if (rc != SQLITE_OK ||
		sqlite3_prepare_v2(v->replay, tables[t].sql, -1, &replayed, NULL) != SQLITE_OK) {
		verify_problem(v, _("table %s: cannot be read"), tables[t].name);
		sqlite3_finalize(real);
		return 0;
	}
	rc = sqlite3_step(real);
	int other = sqlite3_step(replayed);
	while (rc == SQLITE_ROW || other == SQLITE_ROW) {
		int order = rc != SQLITE_ROW      ? 1
			    : other != SQLITE_ROW ? -1
						  : value_compare(real, replayed, 0);

		if (order == 0)
			row_compare(v, tables[t].name, real, replayed);
		else
			row_alone(v, tables[t].name, order < 0 ? real : replayed, order > 0);
		if (order <= 0)
			rc = sqlite3_step(real);
		if (order >= 0)
			other = sqlite3_step(replayed);
	}
	sqlite3_finalize(real);
	sqlite3_finalize(replayed);
	return rc == SQLITE_DONE ? 0 : ledger_error(v->l, rc, e);
}

/* SQLite's own look at its pages and indexes. */
static int
verify_pages(struct verify *v, struct err *e)
{
	static const char sql[] = "PRAGMA integrity_check(20)";
	sqlite3_stmt *s = ledger_statement(v->l, sql, e);
	int rc;

	if (!s)
		return ERR_INTERNAL;
	while ((rc = ledger_step(v->l, s, e)) == 1)
		if (strcmp(column_text(s, 0), "ok") != 0)
			verify_problem(v, _("the file is damaged: %s"), column_text(s, 0));
	return rc;
}

/* ---- the whole ---- */

static int
replay_open(struct verify *v, struct err *e)
{
	static const char insert[] = "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
	/* An empty name is a private file of SQLite's that it keeps in memory while it is small. */
	int rc = sqlite3_open_v2("", &v->replay, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(v->replay, "PRAGMA synchronous = OFF; BEGIN", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = ledger_schema_create(v->replay);
	/* While the guards are there, the schemas can be compared. */
	if (rc == SQLITE_OK && table_compare(v, 0, e) != 0)
		return ERR_INPUT;
	if (rc == SQLITE_OK)
		rc = ledger_schema_loosen(v->replay);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(v->replay, insert, -1, &v->into, NULL);
	if (rc != SQLITE_OK)
		return err_set(e, ERR_STORAGE,
			_("The check of the ledger has no room to work: %s."),
			sqlite3_errmsg(v->replay));
	return 0;
}

static int
verify_run(struct verify *v, struct err *e)
{
	int rc = verify_pages(v, e);

	if (rc == 0)
		rc = replay_open(v, e);
	if (rc == 0)
		rc = verify_chain(v, e);
	if (rc == 0)
		rc = verify_head(v, e);
	for (size_t t = 1; t < ARRAY_LEN(tables) && rc == 0; t++)
		rc = table_compare(v, t, e);
	return rc;
}

int
ledger_verify(struct ledger *l, void (*problem)(void *ctx, const char *line), void *ctx,
	uint64_t *n_events, struct err *e)
{
	struct verify v = {.l = l, .problem = problem, .ctx = ctx};
	int rc = sqlite3_exec(l->db, "BEGIN", NULL, NULL, NULL);

	if (rc != SQLITE_OK)
		return ledger_error(l, rc, e);
	v.purged = retention_proof_create(l, problem, ctx);
	rc = v.purged ? verify_run(&v, e)
		      : err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	retention_proof_destroy(v.purged);
	sqlite3_finalize(v.into);
	sqlite3_close(v.replay);
	sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
	if (n_events)
		*n_events = v.n_events;
	if (rc == 0 && v.n_problems > 0)
		rc = err_set(e, ERR_INPUT,
			_("The ledger %s was changed from outside: %" PRIu64
			  " problems. Keep the file as it is and compare it with its last copy."),
			l->path, v.n_problems);
	return rc;
}

int
ledger_head_check(struct ledger *l, int64_t n, const char *hash, struct err *e)
{
	static const char sql[] = "SELECT hash FROM event WHERE seq = ?";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int rc;

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "i", n);
	rc = ledger_step(l, s, e);
	if (rc < 0)
		return rc;
	bool same = rc == 1 && strcmp(column_text(s, 0), hash) == 0;
	sqlite3_reset(s);
	if (same)
		return 0;
	return err_set(e, ERR_INPUT,
		_("Event %" PRId64
		  " of the ledger %s is not the one that was noted: the ledger was "
		  "rewritten or is another one."),
		n, l->path);
}
