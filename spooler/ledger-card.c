/*
 * ledger-card.c - cards in the ledger.
 *
 * Owns admission, moves, replacement and counting of cards. Guarantees: one row for each physical
 * card, one live row for each record and copy, one live row for each chip; a move is a
 * compare-and-swap that either is on disk with its event or did not happen. On failure nothing of
 * the call is on disk.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <string.h>

#define CARD(name, kind, member)                                                                   \
	{                                                                                          \
		name, kind, offsetof(struct card_row, member),                                     \
			sizeof(((struct card_row *)0)->member)                                     \
	}

const struct column card_columns[] = {
	CARD("id", COLUMN_I64, id),
	CARD("job", COLUMN_TEXT, key.job_uuid),
	CARD("card", COLUMN_UNSIGNED, key.card),
	CARD("copy", COLUMN_UNSIGNED, key.copy),
	CARD("attempt", COLUMN_UNSIGNED, attempt),
	CARD("state", COLUMN_STATE, state),
	CARD("number", COLUMN_TEXT, number_masked),
	CARD("name", COLUMN_TEXT, name_masked),
	CARD("record_hash", COLUMN_TEXT, record_hash),
	CARD("uid", COLUMN_TEXT, uid),
	CARD("chip_hash", COLUMN_TEXT, chip_hash),
	CARD("front_hash", COLUMN_TEXT, front_hash),
	CARD("back_hash", COLUMN_TEXT, back_hash),
	CARD("printer_serial", COLUMN_TEXT, printer_serial),
	CARD("counter_before", COLUMN_I64, counter_before),
	CARD("cause", COLUMN_TEXT, cause),
	CARD("replaces", COLUMN_I64, replaces),
	CARD("changed", COLUMN_I64, changed),
	CARD("event", COLUMN_I64, event),
	{0},
};

#define CARD_SELECT                                                                                \
	"SELECT id, job, card, copy, attempt, state, number, name, record_hash, uid, chip_hash, "  \
	"front_hash, back_hash, printer_serial, counter_before, cause, replaces, changed, event " \
	"FROM card "

/* Steps a statement that yields one card at most: 1 = found, 0 = none. */
static int
card_step(struct ledger *l, sqlite3_stmt *s, struct card_row *out, struct err *e)
{
	int rc = ledger_step(l, s, e);

	if (rc == 1) {
		columns_read(card_columns, s, out);
		sqlite3_reset(s);
	}
	return rc;
}

static int
card_read(struct ledger *l, int64_t id, struct card_row *out, struct err *e)
{
	static const char sql[] = CARD_SELECT "WHERE id = ?";
	sqlite3_stmt *s = ledger_statement(l, sql, e);

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "i", id);
	return card_step(l, s, out, e);
}

/* The latest attempt of a record's copy. */
static int
card_latest(struct ledger *l, const struct card_key *key, struct card_row *out, struct err *e)
{
	static const char sql[] =
		CARD_SELECT "WHERE job = ? AND card = ? AND copy = ? ORDER BY attempt DESC LIMIT 1";
	sqlite3_stmt *s = ledger_statement(l, sql, e);

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "tii", key->job_uuid, (int64_t)key->card, (int64_t)key->copy);
	return card_step(l, s, out, e);
}

int
ledger_card_find(struct ledger *l, int64_t id, struct card_row *row, struct err *e)
{
	int rc = card_read(l, id, row, e);

	if (rc == 0)
		return err_set(
			e, ERR_MISSING, _("The ledger knows no card with the id %" PRId64 "."), id);
	return rc < 0 ? rc : 0;
}

/* ---- admission ---- */

static int
card_enter(struct ledger *l, const char *kind, const struct card_row *in, const char *actor,
	const char *reason, struct card_row *out, struct err *e)
{
	static const char sql[] = "SELECT coalesce(max(id), 0) FROM card";
	int64_t id = ledger_next_id(l, sql, e);

	if (id == 0)
		return e ? e->code : ERR_INTERNAL;
	json_t *data =
		json_pack("{s:I, s:I, s:I, s:o, s:o, s:s, s:I}", "card", (json_int_t)in->key.card,
			"copy", (json_int_t)in->key.copy, "attempt", (json_int_t)in->attempt,
			"number", json_text(in->number_masked), "name", json_text(in->name_masked),
			"record_hash", in->record_hash, "replaces", (json_int_t)in->replaces);
	if (!data || (reason && json_object_set_new(data, "reason", json_text(reason)) != 0)) {
		json_decref(data);
		return err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	}
	int rc = ledger_append(l, kind, in->key.job_uuid, id, actor, data, e);
	if (rc == 0 && card_read(l, id, out, e) != 1)
		rc = e && e->code ? e->code : ERR_INTERNAL;
	return rc;
}

static int
card_same(const struct card_row *in, const struct card_row *known, struct err *e)
{
	if (strcmp(in->record_hash, known->record_hash) == 0)
		return 0;
	return err_set(e, ERR_INPUT,
		_("Card %u of this job came before with another record. Queue the changed batch as "
		  "a new job."),
		in->key.card);
}

int
ledger_card_admit(struct ledger *l, const struct card_row *in, struct card_row *out, struct err *e)
{
	struct card_row known, row;
	int rc = card_latest(l, &in->key, &known, e);

	/* A job that runs again finds most of its cards: that costs no lock and no sync. */
	if (rc == 0) {
		rc = ledger_begin(l, e);
		if (rc != 0)
			return rc;
		rc = card_latest(l, &in->key, &known, e);
		if (rc == 0) {
			row = *in;
			row.attempt = 1;
			row.replaces = 0;
			int entered = card_enter(l, "card-admitted", &row, "pass", NULL, &known, e);
			rc = entered == 0 ? 1 : entered;
		}
		int ended = ledger_end(l, rc < 0 ? rc : 0, e);
		if (ended != 0)
			return ended;
	}
	if (rc < 0)
		return rc;
	rc = card_same(in, &known, e);
	if (rc == 0)
		*out = known;
	return rc;
}

/* ---- replacement ---- */

static int
card_replace(struct ledger *l, const struct card_row *bad, bool void_too, const char *actor,
	const char *reason, struct card_row *out, struct err *e)
{
	struct card_row latest;
	int rc = card_latest(l, &bad->key, &latest, e);

	if (rc == 0)
		return err_set(e, ERR_MISSING,
			_("The ledger knows no card with the id %" PRId64 "."), bad->id);
	if (rc < 0)
		return rc;
	if (latest.id != bad->id)
		return err_set(e, ERR_BUSY,
			_("Card %u has been replaced already: look at the card with the id %" PRId64
			  "."),
			bad->key.card, latest.id);
	if (latest.state != CARD_REJECTED && latest.state != CARD_SPOILED &&
		!(void_too && latest.state == CARD_VOID))
		return err_set(e, ERR_INTERNAL,
			_("Card %u cannot be replaced: it is %s. Only a rejected, spoiled or void "
			  "card can."),
			bad->key.card, _(card_states[latest.state].means));
	latest.replaces = latest.id;
	latest.attempt++;
	return card_enter(l, "card-replaced", &latest, actor, reason, out, e);
}

int
ledger_card_retry(struct ledger *l, const struct card_row *bad, struct card_row *out, struct err *e)
{
	struct card_row fresh;
	int rc = ledger_begin(l, e);

	if (rc != 0)
		return rc;
	rc = ledger_end(l, card_replace(l, bad, false, "pass", NULL, &fresh, e), e);
	if (rc == 0)
		*out = fresh;
	return rc;
}

int
ledger_card_reprint(struct ledger *l, const struct card_row *bad, const char *actor,
	const char *reason, struct card_row *out, struct err *e)
{
	struct card_row fresh;
	int rc;

	if (!reason || reason[0] == '\0')
		return err_set(
			e, ERR_USAGE, "%s", _("Say why the card is made again (--reason TEXT)."));
	rc = ledger_begin(l, e);
	if (rc != 0)
		return rc;
	rc = ledger_end(l, card_replace(l, bad, true, actor, reason, &fresh, e), e);
	/* Here a person chose the card: that it cannot be replaced is no broken promise of the
	 * program. */
	if (rc == ERR_INTERNAL && e)
		rc = e->code = ERR_USAGE;
	if (rc == 0)
		*out = fresh;
	return rc;
}

/* ---- moves ---- */

static json_t *
move_data(enum card_state from, enum card_state to, const struct card_facts *f)
{
	const struct {
		const char *name, *text;
	} texts[] = {
		{"uid", f->uid},
		{"chip_hash", f->chip_hash},
		{"front_hash", f->front_hash},
		{"back_hash", f->back_hash},
		{"printer_serial", f->printer_serial},
		{"cause", f->cause},
		{"note", f->note},
	};
	json_t *data =
		json_pack("{s:s, s:s}", "from", card_states[from].name, "to", card_states[to].name);
	int bad = data == NULL;

	for (size_t i = 0; i < ARRAY_LEN(texts) && !bad; i++)
		if (texts[i].text)
			bad = json_object_set_new(data, texts[i].name, json_text(texts[i].text));
	if (!bad && f->set_counter)
		bad = json_object_set_new(data, "counter_before", json_integer(f->counter_before));
	if (bad) {
		json_decref(data);
		return NULL;
	}
	return data;
}

/* The file would refuse it too; here the message can name the other card. */
static int
move_uid_check(struct ledger *l, const struct card_row *row, const char *uid, struct err *e)
{
	static const char sql[] =
		CARD_SELECT "WHERE uid = ? AND uid <> '' AND id <> ? AND "
			    "state NOT IN ('rejected', 'spoiled', 'cancelled', 'void') LIMIT 1";
	struct card_row other;
	sqlite3_stmt *s = ledger_statement(l, sql, e);

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "ti", uid, row->id);
	int rc = card_step(l, s, &other, e);
	if (rc != 1)
		return rc;
	err_set(e, ERR_FAULT, _("The chip %s belongs to card %u of job %s already."), uid,
		other.key.card, other.key.job_uuid);
	if (e)
		e->fault = FAULT_UID_ISSUED;
	return ERR_FAULT;
}

static int
card_swap(struct ledger *l, struct card_row *row, enum card_state to,
	const struct card_facts *facts, struct card_row *out, struct err *e)
{
	int rc = ledger_card_find(l, row->id, out, e);

	if (rc != 0)
		return rc;
	if (out->state != row->state)
		return err_set(e, ERR_BUSY,
			_("Card %u was changed by somebody else: it is \"%s\" now, not \"%s\". "
			  "Look again."),
			row->key.card, card_states[out->state].name, card_states[row->state].name);
	if (facts->uid && facts->uid[0] && (rc = move_uid_check(l, out, facts->uid, e)) != 0)
		return rc;
	json_t *data = move_data(row->state, to, facts);
	if (!data)
		return err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	rc = ledger_append(l, "card-moved", out->key.job_uuid, row->id, facts->actor, data, e);
	return rc == 0 ? ledger_card_find(l, row->id, out, e) : rc;
}

int
ledger_card_move(struct ledger *l, struct card_row *row, enum card_state to,
	const struct card_facts *facts, struct err *e)
{
	static const struct card_facts none;
	struct card_row moved;
	int rc;

	if (!card_transition_legal(row->state, to))
		return err_set(e, ERR_INTERNAL, _("Card %u cannot go from \"%s\" to \"%s\"."),
			row->key.card, card_states[row->state].name, card_states[to].name);
	rc = ledger_begin(l, e);
	if (rc != 0)
		return rc;
	rc = ledger_end(l, card_swap(l, row, to, facts ? facts : &none, &moved, e), e);
	if (rc == 0)
		*row = moved;
	return rc;
}

/* ---- finding ---- */

int
ledger_uid_find(struct ledger *l, const char *uid, struct card_row *row, struct err *e)
{
	static const char sql[] = CARD_SELECT
		"WHERE uid = ? AND uid <> '' AND (state NOT IN ('rejected', 'spoiled', "
		"'cancelled') OR proved) "
		"ORDER BY CASE state WHEN 'done' THEN 0 WHEN 'void' THEN 1 WHEN 'rejected' THEN 3 "
		"WHEN 'spoiled' THEN 3 ELSE 2 END, id DESC LIMIT 1";
	struct card_row found = {0};
	sqlite3_stmt *s = ledger_statement(l, sql, e);

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "t", uid);
	int rc = card_step(l, s, &found, e);
	if (rc < 0)
		return rc;
	*row = found;
	return 0;
}

int
ledger_record_find(struct ledger *l, const struct card_row *in, struct card_row *row, struct err *e)
{
	static const char sql[] = CARD_SELECT
		"WHERE record_hash = ? AND state = 'done' AND NOT (job = ? AND card = ?) "
		"ORDER BY id DESC LIMIT 1";
	struct card_row found = {0};
	sqlite3_stmt *s = ledger_statement(l, sql, e);

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "tti", in->record_hash, in->key.job_uuid, (int64_t)in->key.card);
	int rc = card_step(l, s, &found, e);
	if (rc < 0)
		return rc;
	*row = found;
	return 0;
}

/* Walks have a statement of their own, so that a visitor may call the ledger. Takes s. */
static int
cards_walk(struct ledger *l, sqlite3_stmt *s, card_visitor *visit, void *ctx, struct err *e)
{
	struct card_row row;
	int rc;

	while ((rc = ledger_step(l, s, e)) == 1) {
		columns_read(card_columns, s, &row);
		if (visit(ctx, &row) != 0)
			break;
	}
	sqlite3_finalize(s);
	return rc < 0 ? rc : 0;
}

int
ledger_uid_cards(struct ledger *l, const char *uid, card_visitor *visit, void *ctx, struct err *e)
{
	static const char sql[] = CARD_SELECT "WHERE uid = ? AND uid <> '' ORDER BY id";
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(l->db, sql, -1, &s, NULL);

	if (rc != SQLITE_OK)
		return ledger_error(l, rc, e);
	ledger_bind(s, "t", uid);
	return cards_walk(l, s, visit, ctx, e);
}

int
ledger_cards(struct ledger *l, const char *job_uuid, int state, card_visitor *visit, void *ctx,
	struct err *e)
{
	/* One text for each set of filters, so that each finds its index. In all of them ?1 = job,
	 * ?2 = state. */
	static const char *const sql[2][2] = {
		{CARD_SELECT "ORDER BY job, card, copy, attempt",
			CARD_SELECT "WHERE state = ?2 ORDER BY job, card, copy, attempt"},
		{CARD_SELECT "WHERE job = ?1 ORDER BY card, copy, attempt",
			CARD_SELECT "WHERE job = ?1 AND state = ?2 ORDER BY card, copy, attempt"},
	};
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(l->db, sql[job_uuid != NULL][state >= 0], -1, &s, NULL);

	if (rc != SQLITE_OK)
		return ledger_error(l, rc, e);
	if (job_uuid)
		sqlite3_bind_text(s, 1, job_uuid, -1, SQLITE_STATIC);
	if (state >= 0 && state < CARD_STATE_COUNT)
		sqlite3_bind_text(s, 2, card_states[state].name, -1, SQLITE_STATIC);
	return cards_walk(l, s, visit, ctx, e);
}

/* ---- counting ---- */

/* Where a state is counted. A state that is fed and stands nowhere else is a card inside a machine.
 */
static const size_t tally_offsets[CARD_STATE_COUNT] = {
	[CARD_QUEUED] = offsetof(struct tally, queued),
	[CARD_FEEDING] = offsetof(struct tally, inside),
	[CARD_AT_STATION] = offsetof(struct tally, inside),
	[CARD_ENCODING] = offsetof(struct tally, inside),
	[CARD_ENCODED] = offsetof(struct tally, inside),
	[CARD_PRINTING] = offsetof(struct tally, inside),
	[CARD_DONE] = offsetof(struct tally, good),
	[CARD_REJECTING] = offsetof(struct tally, inside),
	[CARD_REJECTED] = offsetof(struct tally, rejected),
	[CARD_SPOILED] = offsetof(struct tally, spoiled),
	[CARD_DOUBT] = offsetof(struct tally, doubt),
	[CARD_CANCELLED] = offsetof(struct tally, cancelled),
	[CARD_VOID] = offsetof(struct tally, good),
};

static int
tally_read(struct ledger *l, const char *sql, const char *what, struct tally *out, struct err *e)
{
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	struct tally t = {0};
	int rc;

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "t", what);
	while ((rc = ledger_step(l, s, e)) == 1) {
		int state = card_state_parse((const char *)sqlite3_column_text(s, 0));
		unsigned n = (unsigned)sqlite3_column_int64(s, 1);

		if (state < 0)
			continue; /* the file refuses such a state */
		*(unsigned *)(void *)((char *)&t + tally_offsets[state]) += n;
		if (card_states[state].fed)
			t.fed += n;
		if (state == CARD_VOID)
			t.voided += n;
	}
	if (rc == 0)
		*out = t;
	return rc;
}

int
ledger_tally(struct ledger *l, const char *job_uuid, struct tally *out, struct err *e)
{
	static const char sql[] = "SELECT state, count(*) FROM card WHERE job = ? GROUP BY state";

	return tally_read(l, sql, job_uuid, out, e);
}

int
ledger_tally_printer(struct ledger *l, const char *serial, struct tally *out, struct err *e)
{
	static const char sql[] =
		"SELECT state, count(*) FROM card WHERE printer_serial = ? GROUP BY state";

	return tally_read(l, sql, serial, out, e);
}
