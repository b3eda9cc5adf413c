/*
 * ledger-event.c - the chain of events.
 *
 * Owns the making of an event: its number, its times, its hash over the hash before it. Guarantees:
 * events are appended within the caller's transaction only, and a clock that was set back is said
 * in the chain itself. On failure the transaction holds nothing that may be committed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <glib.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

int64_t
clock_up_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
text_hash(char hash[2 * HASH_LEN + 1], const char *text, size_t len)
{
	uint8_t bytes[HASH_LEN];

	hash_bytes(bytes, text, len);
	hex_build(hash, bytes, HASH_LEN);
}

int
event_hash(char hash[2 * HASH_LEN + 1], const struct event_head *h)
{
	json_t *j = json_pack("{s:I, s:s, s:I, s:s, s:s, s:s, s:s, s:I, s:I}", "at",
		(json_int_t)h->at, "actor", h->actor, "card", (json_int_t)h->card, "data_hash",
		h->data_hash, "job", h->job, "kind", h->kind, "prev", h->prev, "seq",
		(json_int_t)h->seq, "up", (json_int_t)h->up);
	char *text = j ? json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	json_decref(j);
	if (!text)
		return ERR_INTERNAL;
	text_hash(hash, text, strlen(text));
	free(text);
	return 0;
}

struct chain_end {
	int64_t seq, at;
	char hash[2 * HASH_LEN + 1], boot[40];
};

/* The end of the chain: the last event, its time, and the start of the host it belongs to. */
static int
chain_head(struct ledger *l, struct chain_end *end, struct err *e)
{
	static const char sql[] = "SELECT n_events, head, coalesce((SELECT at FROM event WHERE seq "
				  "= n_events), 0), boot FROM meta";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int rc = s ? ledger_step(l, s, e) : ERR_INTERNAL;

	if (rc == 0)
		rc = err_set(e, ERR_INPUT,
			_("The ledger %s is damaged: its head is missing. Run: cardspool ledger "
			  "verify"),
			l->path);
	if (rc != 1)
		return rc;
	end->seq = sqlite3_column_int64(s, 0);
	snprintf(end->hash, sizeof end->hash, "%s", column_text(s, 1));
	end->at = sqlite3_column_int64(s, 2);
	snprintf(end->boot, sizeof end->boot, "%s", column_text(s, 3));
	sqlite3_reset(s);
	return 0;
}

static int
event_insert(struct ledger *l, struct event_head *h, const char *data, struct err *e)
{
	static const char sql[] =
		"INSERT INTO event (seq, at, up, kind, job, card, actor, data, data_hash, "
		"prev, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
	char data_hash[2 * HASH_LEN + 1], hash[2 * HASH_LEN + 1];
	sqlite3_stmt *s = ledger_statement(l, sql, e);

	if (!s)
		return ERR_INTERNAL;
	text_hash(data_hash, data, strlen(data));
	h->data_hash = data_hash;
	if (event_hash(hash, h) != 0)
		return err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	ledger_bind(s, "iiittittttt", h->seq, h->at, h->up, h->kind, h->job, h->card, h->actor,
		data, data_hash, h->prev, hash);
	return ledger_step(l, s, e);
}

static int
event_chain(struct ledger *l, const char *kind, const char *job_uuid, int64_t card,
	const char *actor, const char *data, int64_t now, struct err *e)
{
	struct chain_end last;
	int rc = chain_head(l, &last, e);

	if (rc != 0)
		return rc;
	char *valid = g_utf8_make_valid(actor && actor[0] ? actor : l->actor, -1);
	char *job = g_utf8_make_valid(job_uuid ? job_uuid : "", -1);
	struct event_head h = {.seq = last.seq + 1,
		.at = now,
		.up = l->up_ms(),
		.card = card,
		.kind = kind,
		.job = job,
		.actor = valid,
		.prev = last.hash};
	rc = event_insert(l, &h, data, e);
	g_free(valid);
	g_free(job);
	return rc;
}

/*
 * Two things that would make the times of events look wrong are said in the chain itself: a clock
 * that was set back, and a start of the host, since which "up" counts anew.
 */
static int
event_clock_check(struct ledger *l, int64_t now, struct err *e)
{
	static const int64_t tolerated_ms = 2000;
	struct chain_end last;
	char text[96];
	int rc = chain_head(l, &last, e);

	if (rc == 0 && last.seq > 0 && strcmp(last.boot, l->boot) != 0) {
		snprintf(text, sizeof text, "{\"boot\":\"%s\"}", l->boot);
		rc = event_chain(l, "host-booted", "", 0, NULL, text, now, e);
	}
	if (rc != 0 || now >= last.at - tolerated_ms)
		return rc;
	snprintf(text, sizeof text, "{\"from\":%" PRId64 ",\"to\":%" PRId64 "}", last.at, now);
	return event_chain(l, "clock-set-back", "", 0, NULL, text, now, e);
}

int
ledger_head(struct ledger *l, int64_t *n_events, char hash[2 * HASH_LEN + 1], struct err *e)
{
	struct chain_end last;
	int rc = chain_head(l, &last, e);

	if (rc == 0) {
		*n_events = last.seq;
		memcpy(hash, last.hash, sizeof last.hash);
	}
	return rc;
}

int
ledger_append(struct ledger *l, const char *kind, const char *job_uuid, int64_t card,
	const char *actor, json_t *data, struct err *e)
{
	int64_t now = l->clock_ms();
	char *text = data ? json_dumps(data, JSON_COMPACT | JSON_SORT_KEYS) : strdup("{}");
	int rc;

	json_decref(data);
	if (!text)
		return err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	rc = event_clock_check(l, now, e);
	if (rc == 0)
		rc = event_chain(l, kind, job_uuid, card, actor, text, now, e);
	free(text);
	return rc;
}

/* Kinds that the triggers act on: only the calls that belong to them may write these. */
static const char *const own_kinds[] = {"ledger-created", "clock-set-back", "job-admitted",
	"job-again", "job-state", "card-admitted", "card-replaced", "card-moved",
	"failure-recorded", "failure-cleared", "failure-noted", "failure-reviewed",
	"failure-purged", "person-added", "person-retired", "ledger-converted", "host-booted"};

int
ledger_event(struct ledger *l, const char *kind, const char *job_uuid, json_t *data, struct err *e)
{
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(own_kinds); i++)
		if (strcmp(own_kinds[i], kind) == 0)
			return err_set(
				e, ERR_INTERNAL, _("The event %s is the ledger's own."), kind);
	rc = ledger_begin(l, e);
	if (rc != 0)
		return rc;
	return ledger_end(l, ledger_append(l, kind, job_uuid, 0, NULL, json_incref(data), e), e);
}
