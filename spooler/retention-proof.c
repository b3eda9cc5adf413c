/*
 * retention-proof.c - tombstones: what they say, and whether it is true.
 *
 * Owns the text that a custodian signs and the check of purged events while a chain is walked.
 * Guarantees: an event without its content is named unless a tombstone behind it lists it, is
 * signed by a custodian of this ledger, and came late enough by the calendar and by the time that
 * the chain proves. Reads only.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static int
hash_of(struct ledger *l, int64_t seq, char out[2 * HASH_LEN + 1], struct err *e)
{
	static const char sql[] = "SELECT hash FROM event WHERE seq = ?";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int rc;

	out[0] = '\0';
	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "i", seq);
	rc = ledger_step(l, s, e);
	if (rc == 1)
		snprintf(out, 2 * HASH_LEN + 1, "%s", column_text(s, 0));
	sqlite3_reset(s);
	return rc < 0 ? rc : 0;
}

/* first_hash, last_hash and digest: SHA-256 over the hashes of all purged events, one after the
 * other, each as 64 hex digits. */
int
tombstone_hashes(struct ledger *l, json_t *t, struct err *e)
{
	const json_t *events = json_object_get(t, "events"), *seq;
	char hash[2 * HASH_LEN + 1], first[2 * HASH_LEN + 1] = "";
	struct buf all;
	size_t i;
	int rc = 0;

	buf_init(&all, 64 * 1024 * 1024);
	json_array_foreach(events, i, seq)
	{
		rc = hash_of(l, json_integer_value(seq), hash, e);
		if (i == 0)
			memcpy(first, hash, sizeof first);
		if (rc == 0)
			rc = buf_append(&all, hash, strlen(hash), e);
		if (rc != 0)
			break;
	}
	if (rc == 0 && i > 0) {
		json_object_set_new(t, "first_hash", json_string(first));
		json_object_set_new(t, "last_hash", json_string(hash));
		text_hash(hash, (const char *)all.data, all.len);
		json_object_set_new(t, "digest", json_string(hash));
	}
	buf_done(&all);
	return rc;
}

static const char *
text_of(const json_t *t, const char *key)
{
	const char *text = json_string_value(json_object_get(t, key));

	return text ? text : "";
}

static int64_t
number_of(const json_t *t, const char *key)
{
	return json_integer_value(json_object_get(t, key));
}

int
tombstone_text(struct ledger *l, const json_t *t, struct buf *out, struct err *e)
{
	char name[40], when[24], ids_hash[2 * HASH_LEN + 1];
	char *ids = json_dumps(json_object_get(t, "ids"), JSON_COMPACT);
	int rc = ledger_name(l, name, e);

	text_hash(ids_hash, ids ? ids : "", ids ? strlen(ids) : 0);
	free(ids);
	time_utc(when, number_of(t, "at"));
	if (rc == 0)
		rc = buf_printf(out, e,
			"cardspool failure purge, format 1\nledger: %s\ncustodian: %s\nkey: "
			"%s\nsigned: %s\nkept: %" PRId64 " months\nzone: %" PRId64 " %" PRId64
			"\nrecords: %zu\nfirst record: %" PRId64 "\nlast record: %" PRId64
			"\nlist of records: %s\nevents: %zu\nfirst: %s\nlast: %s\ndigest: %s\n",
			name, text_of(t, "person"), text_of(t, "fingerprint"), when,
			number_of(t, "months"), number_of(t, "zone"), number_of(t, "zone_max"),
			json_array_size(json_object_get(t, "ids")), number_of(t, "first_id"),
			number_of(t, "last_id"), ids_hash,
			json_array_size(json_object_get(t, "events")), text_of(t, "first_hash"),
			text_of(t, "last_hash"), text_of(t, "digest"));
	return rc == 0 ? buf_append(out, "", 1, e) : rc;
}

/* ---- the check along a chain ---- */

struct blank {
	int64_t seq, at, ahead; /* ahead: of the clock until then, from the start of the chain */
	bool recorded, covered;
};

struct retention_proof {
	struct ledger *l;
	void (*problem)(void *ctx, const char *line);
	void *ctx;
	uint64_t n_problems;
	int64_t at, up, ahead;
	struct blank *blanks;
	size_t n, room;
};

static void __attribute__((format(printf, 2, 3)))
proof_problem(struct retention_proof *p, const char *format, ...)
{
	char line[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof line, format, ap);
	va_end(ap);
	p->n_problems++;
	if (p->problem)
		p->problem(p->ctx, line);
}

struct retention_proof *
retention_proof_create(struct ledger *l, void (*problem)(void *ctx, const char *line), void *ctx)
{
	struct retention_proof *p = calloc(1, sizeof *p);

	if (p) {
		p->l = l;
		p->problem = problem;
		p->ctx = ctx;
	}
	return p;
}

static int
blank_add(struct retention_proof *p, const struct event_head *h)
{
	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 256;
		struct blank *more = reallocarray(p->blanks, room, sizeof *more);

		if (!more)
			return ERR_SYSTEM;
		p->blanks = more;
		p->room = room;
	}
	p->blanks[p->n++] = (struct blank){.seq = h->seq,
		.at = h->at,
		.ahead = p->ahead,
		.recorded = strcmp(h->kind, "failure-recorded") == 0};
	return 0;
}

static struct blank *
blank_find(struct retention_proof *p, int64_t seq)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (p->blanks[mid].seq < seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low < p->n && p->blanks[low].seq == seq ? &p->blanks[low] : NULL;
}

static void
signature_check(struct retention_proof *p, int64_t seq, json_t *t)
{
	struct person who;
	struct buf text;
	bool good = person_find(p->l, text_of(t, "person"), &who, NULL) == 0 &&
		    strcmp(who.role, "custodian") == 0 &&
		    strcmp(who.fingerprint, text_of(t, "fingerprint")) == 0 &&
		    key_verify(who.public_pem, text_of(t, "text"), text_of(t, "signature")) == 0;
	json_t *again = json_deep_copy(t);

	buf_init(&text, 65536);
	if (good && tombstone_hashes(p->l, again, NULL) == 0 &&
		tombstone_text(p->l, again, &text, NULL) == 0)
		good = strcmp((const char *)text.data, text_of(t, "text")) == 0;
	else
		good = false;
	if (!good)
		proof_problem(p,
			_("tombstone %" PRId64 ": is not signed by a custodian, or not what was "
			  "signed"),
			seq);
	json_decref(again);
	buf_done(&text);
}

static void
tombstone_check(struct retention_proof *p, const struct event_head *h, const char *data)
{
	json_t *t = json_loads(data, 0, NULL), *number;
	unsigned months = (unsigned)number_of(t, "months");
	int64_t zone = number_of(t, "zone"), widest = number_of(t, "zone_max");
	size_t i, n_recorded = 0, n_early = 0, n_kept = 0;

	if (months < RETENTION_MONTHS_MIN)
		months = RETENTION_MONTHS_MIN;
	if (zone > widest || llabs(zone) > 14 * 3600)
		widest = zone = 0;
	json_array_foreach(json_object_get(t, "events"), i, number)
	{
		struct blank *b = blank_find(p, json_integer_value(number));

		if (!b) {
			n_kept++;
			continue;
		}
		b->covered = true;
		n_recorded += b->recorded;
		n_early += day_kept(day_of(b->at, (int)widest), months) >=
			   day_of(h->at - (p->ahead - b->ahead), (int)zone);
	}
	if (n_kept)
		proof_problem(p, _("tombstone %" PRId64 ": %zu of its events were put back"),
			h->seq, n_kept);
	if (n_early)
		proof_problem(p,
			_("tombstone %" PRId64 ": %zu events were purged before their time"),
			h->seq, n_early);
	if (n_recorded != json_array_size(json_object_get(t, "ids")))
		proof_problem(
			p, _("tombstone %" PRId64 ": its number of records is wrong"), h->seq);
	signature_check(p, h->seq, t);
	json_decref(t);
}

int
retention_proof_event(struct retention_proof *p, const struct event_head *h, const char *data)
{
	if (p->at)
		p->ahead += clock_ahead(
			p->at, p->up, strcmp(h->kind, "host-booted") == 0, h->at, h->up);
	p->at = h->at;
	p->up = h->up;
	if (data[0] == '\0' && failure_event_kind(h->kind))
		return blank_add(p, h);
	if (strcmp(h->kind, "failure-purged") == 0)
		tombstone_check(p, h, data);
	return 0;
}

uint64_t
retention_proof_finish(struct retention_proof *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (!p->blanks[i].covered)
			proof_problem(p,
				_("event %" PRId64 ": its content was taken away without a "
				  "tombstone"),
				p->blanks[i].seq);
	return p->n_problems;
}

void
retention_proof_destroy(struct retention_proof *p)
{
	if (p)
		free(p->blanks);
	free(p);
}
