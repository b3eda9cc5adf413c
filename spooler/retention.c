/*
 * retention.c - letting go of old records of the failure log.
 *
 * Owns which records are due and the tombstone that stands for them. Guarantees: a record goes only
 * when it was reviewed and the day of its last event lies more than the kept months back, by the
 * calendar and by the time that the chain of events proves; a purge is one transaction, all or
 * nothing; what stays says how many records went, which, their hashes and who signed. On failure
 * nothing is gone.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A step of the clock at one event, seen from the event before. */
struct clock_step {
	int64_t seq, ahead_ms;
};

struct due {
	struct ledger *l;
	struct purge *p;
	int64_t now;
	int zone, zone_max;
	struct clock_step *steps;
	size_t n_steps;
	json_t *ids, *events, *files;
};

static const int64_t tolerated_ms = 2000;
static const int64_t off_credit_ms = INT64_C(4) * 86400 * 1000; /* a long weekend switched off */

int64_t
clock_ahead(int64_t at, int64_t up, bool booted, int64_t next_at, int64_t next_up)
{
	int64_t proved = booted || next_up < up ? next_up + off_credit_ms : next_up - up;
	int64_t ahead = next_at - at - proved;

	return ahead > tolerated_ms ? ahead : 0;
}

static int
step_add(struct due *d, int64_t seq, int64_t ahead)
{
	struct clock_step *more;

	if (ahead == 0)
		return 0;
	more = reallocarray(d->steps, d->n_steps + 1, sizeof *more);
	if (!more)
		return ERR_SYSTEM;
	d->steps = more;
	d->steps[d->n_steps++] = (struct clock_step){seq, ahead};
	return 0;
}

static int
steps_read(struct due *d, struct err *e)
{
	static const char sql[] =
		"SELECT seq, at, up, kind = 'host-booted', (SELECT boot FROM meta) FROM event "
		"WHERE "
		"seq >= coalesce((SELECT min(recorded) FROM failure), 1) ORDER BY seq";
	sqlite3_stmt *s = ledger_statement(d->l, sql, e);
	int64_t at = 0, up = 0;
	bool booted = false;
	int rc, kept = 0;

	if (!s)
		return ERR_INTERNAL;
	while ((rc = ledger_step(d->l, s, e)) == 1 && kept == 0) {
		int64_t seq = sqlite3_column_int64(s, 0), next = sqlite3_column_int64(s, 1),
			next_up = sqlite3_column_int64(s, 2);

		if (at)
			kept = step_add(d, seq,
				clock_ahead(at, up, sqlite3_column_int(s, 3), next, next_up));
		at = next;
		up = next_up;
		booted = strcmp(column_text(s, 4), d->l->boot) != 0;
	}
	sqlite3_reset(s);
	if (rc >= 0 && kept == 0 && at)
		kept = step_add(d, INT64_MAX, clock_ahead(at, up, booted, d->now, d->l->up_ms()));
	if (kept != 0)
		return err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	return rc < 0 ? rc : 0;
}

/* How far the clock went ahead unproved since that event. */
static int64_t
ahead_since(const struct due *d, int64_t seq)
{
	int64_t sum = 0;

	for (size_t i = 0; i < d->n_steps; i++)
		if (d->steps[i].seq > seq)
			sum += d->steps[i].ahead_ms;
	return sum;
}

static int
due_open(struct due *d, struct err *e)
{
	static const char sql[] = "SELECT coalesce(max(zone), 0) FROM failure";
	sqlite3_stmt *s = ledger_statement(d->l, sql, e);
	int rc = s ? ledger_step(d->l, s, e) : ERR_INTERNAL;
	int zone = 0;

	if (rc == 1) {
		zone = sqlite3_column_int(s, 0);
		sqlite3_reset(s);
	}
	d->now = d->l->clock_ms();
	d->zone = zone_at(d->now);
	d->zone_max = zone_widest(d->now);
	if (zone > d->zone_max && zone <= 14 * 3600)
		d->zone_max = zone;
	return rc < 0 ? rc : steps_read(d, e);
}

static bool
day_due(const struct due *d, int64_t at, int64_t seq)
{
	return day_kept(day_of(at, d->zone_max), d->p->months) <
	       day_of(d->now - ahead_since(d, seq), d->zone);
}

static int
numbers_add(struct due *d, json_t *list, const char *sql, int64_t review, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(d->l->db, sql, -1, &s, NULL);

	if (rc != SQLITE_OK)
		return ledger_error(d->l, rc, e);
	sqlite3_bind_int64(s, 1, review);
	while ((rc = ledger_step(d->l, s, e)) == 1)
		json_array_append_new(list, sqlite3_column_type(s, 0) == SQLITE_INTEGER
						    ? json_integer(sqlite3_column_int64(s, 0))
						    : json_text(column_text(s, 0)));
	sqlite3_finalize(s);
	return rc;
}

/* All records under one signature go together, because the signed text names them all. */
static int
group_take(struct due *d, int64_t review, struct err *e)
{
	int rc = numbers_add(
		d, d->ids, "SELECT id FROM failure WHERE review = ? ORDER BY id", review, e);

	if (rc == 0)
		rc = numbers_add(d, d->events,
			"SELECT recorded FROM failure WHERE review = ?1 UNION SELECT closed FROM "
			"failure WHERE review = ?1 UNION SELECT event FROM failure_note WHERE "
			"failure IN (SELECT id FROM failure WHERE review = ?1) UNION SELECT ?1",
			review, e);
	if (rc == 0)
		rc = numbers_add(d, d->files,
			"SELECT file FROM failure_note WHERE file <> '' AND failure IN (SELECT id "
			"FROM failure WHERE review = ?)",
			review, e);
	return rc;
}

/* Counts what is due; takes up to a batch of it. */
static int
groups_take(struct due *d, bool take, struct err *e)
{
	static const char sql[] =
		"SELECT f.review, count(*), max(max(f.at), max(v.at)), max(f.at), max(f.event) "
		"FROM "
		"failure AS f JOIN event AS v ON v.seq = f.event WHERE f.review <> 0 GROUP BY "
		"f.review ORDER BY f.review";
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(d->l->db, sql, -1, &s, NULL);

	if (rc != SQLITE_OK)
		return ledger_error(d->l, rc, e);
	d->p->n_due = 0;
	while ((rc = ledger_step(d->l, s, e)) == 1) {
		int64_t review = sqlite3_column_int64(s, 0), n = sqlite3_column_int64(s, 1);

		rc = 0;
		if (!day_due(d, sqlite3_column_int64(s, 2), sqlite3_column_int64(s, 4)))
			continue;
		if (d->p->before_day &&
			day_of(sqlite3_column_int64(s, 3), d->zone_max) >= d->p->before_day)
			continue;
		d->p->n_due += n;
		if (take && (json_array_size(d->ids) == 0 ||
				    json_array_size(d->ids) + (size_t)n <= PURGE_BATCH))
			rc = group_take(d, review, e);
		if (rc != 0)
			break;
	}
	sqlite3_finalize(s);
	return rc < 0 ? rc : 0;
}

static int
overdue_count(struct due *d, struct err *e)
{
	const struct failure_filter filter = {
		.state = FAILURE_UNREVIEWED, .to_ms = overdue_before_ms(d->l, d->p->months)};

	return failure_count(d->l, &filter, &d->p->n_overdue, e);
}

int64_t
overdue_before_ms(struct ledger *l, unsigned months)
{
	int64_t now = l->clock_ms(), today = day_of(now, zone_at(now)), day;

	/* The latest day whose time is over. */
	for (day = today; day_kept(day, months) >= today; day--)
		;
	return day_begin_ms(day + 1);
}

static int
compare_numbers(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int
numbers_sort(json_t *list)
{
	size_t n = json_array_size(list);
	int64_t *numbers = calloc(n + 1, sizeof *numbers);

	if (!numbers)
		return ERR_SYSTEM;
	for (size_t i = 0; i < n; i++)
		numbers[i] = json_integer_value(json_array_get(list, i));
	qsort(numbers, n, sizeof *numbers, compare_numbers);
	for (size_t i = 0; i < n; i++)
		json_array_set_new(list, i, json_integer(numbers[i]));
	free(numbers);
	return 0;
}

static json_t *
tombstone_build(struct due *d, const struct person *who, struct err *e)
{
	size_t n_ids = json_array_size(d->ids);
	json_t *t;

	if (numbers_sort(d->ids) != 0 || numbers_sort(d->events) != 0)
		return NULL;
	t = json_pack("{s:O, s:O, s:o, s:o, s:i, s:i, s:i, s:s, s:s, s:I}", "ids", d->ids, "events",
		d->events, "first_id", json_copy(json_array_get(d->ids, 0)), "last_id",
		json_copy(json_array_get(d->ids, n_ids - 1)), "months", (int)d->p->months, "zone",
		d->zone, "zone_max", d->zone_max, "person", who->name, "fingerprint",
		who->fingerprint, "at", (json_int_t)d->now);
	if (t && tombstone_hashes(d->l, t, e) != 0) {
		json_decref(t);
		t = NULL;
	}
	return t;
}

/* Signs and appends; the triggers take the content away in the same statement. */
static int
tombstone_set(struct due *d, struct err *e)
{
	char signature[SIGNATURE_TEXT];
	struct person who;
	struct buf text;
	json_t *t = NULL;
	int rc = person_find(d->l, d->p->name, &who, e);

	buf_init(&text, 65536);
	if (rc == 0)
		rc = person_check(&who, "custodian", e);
	if (rc == 0 && !(t = tombstone_build(d, &who, e)))
		rc = e && e->code ? e->code
				  : err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	if (rc == 0)
		rc = tombstone_text(d->l, t, &text, e);
	if (rc == 0)
		rc = key_sign(&who, d->p->pass, (const char *)text.data, signature, e);
	if (rc == 0) {
		json_object_set_new(t, "text", json_string((const char *)text.data));
		json_object_set_new(t, "signature", json_string(signature));
		rc = ledger_append(d->l, "failure-purged", "", 0, who.name, json_incref(t), e);
	}
	if (rc == 0)
		d->p->n_purged += (int64_t)json_array_size(d->ids);
	json_decref(t);
	buf_done(&text);
	return rc;
}

/* Files that no note names any more. They are no part of the proof, so a crash here leaves a file
 * that the next purge does not know: harmless, and removed by hand. */
static void
files_remove(struct due *d)
{
	static const char sql[] = "SELECT 1 FROM failure_note WHERE file = ? AND file <> ''";
	size_t i;
	json_t *name;

	json_array_foreach(d->files, i, name)
	{
		char path[4300];
		sqlite3_stmt *s = ledger_statement(d->l, sql, NULL);

		if (!s)
			return;
		ledger_bind(s, "t", json_string_value(name));
		bool used = ledger_step(d->l, s, NULL) != 0;
		sqlite3_reset(s);
		if (!used && attachment_path(
				     d->l, json_string_value(name), path, sizeof path, NULL) == 0)
			unlink(path);
	}
}

static int
batch_purge(struct due *d, struct err *e)
{
	int64_t was = d->p->n_purged;
	int rc = ledger_begin(d->l, e);

	if (rc != 0)
		return rc;
	rc = due_open(d, e);
	if (rc == 0)
		rc = groups_take(d, true, e);
	if (rc == 0 && json_array_size(d->ids) > 0 && !d->p->name)
		rc = err_set(e, ERR_USAGE,
			_("%" PRId64 " records are due. Name the custodian who signs: --as NAME"),
			d->p->n_due);
	if (rc == 0 && json_array_size(d->ids) > 0)
		rc = tombstone_set(d, e);
	/* Each run leaves a mark, so that the chain has a time of each day. */
	if (rc == 0 && json_array_size(d->ids) == 0)
		rc = ledger_append(d->l, "retention-checked", "", 0, NULL,
			json_pack("{s:i, s:I}", "months", (int)d->p->months, "purged",
				(json_int_t)d->p->n_purged),
			e);
	rc = ledger_end(d->l, rc, e);
	if (rc == 0)
		files_remove(d);
	else
		d->p->n_purged = was;
	return rc;
}

static void
due_close(struct due *d)
{
	free(d->steps);
	json_decref(d->ids);
	json_decref(d->events);
	json_decref(d->files);
}

int
failure_purge(struct ledger *l, struct purge *p, struct err *e)
{
	bool more = !p->dry;
	int rc = 0;

	if (p->months < RETENTION_MONTHS_MIN)
		return err_set(e, ERR_USAGE, _("Records are kept %d months at least."),
			RETENTION_MONTHS_MIN);
	p->n_purged = p->unproved_ms = 0;
	while (rc == 0 && more) {
		struct due d = {.l = l,
			.p = p,
			.ids = json_array(),
			.events = json_array(),
			.files = json_array()};

		rc = batch_purge(&d, e);
		more = json_array_size(d.ids) > 0;
		due_close(&d);
	}
	struct due d = {.l = l, .p = p};
	if (rc == 0)
		rc = due_open(&d, e);
	if (rc == 0)
		rc = groups_take(&d, false, e);
	if (rc == 0)
		rc = overdue_count(&d, e);
	p->unproved_ms = ahead_since(&d, 0);
	due_close(&d);
	/* What is gone shall not stay in the write-ahead log either; a reader may delay that. */
	if (rc == 0 && p->n_purged > 0)
		sqlite3_exec(l->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
	return rc;
}
