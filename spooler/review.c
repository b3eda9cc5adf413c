/*
 * review.c - the reviewer's signature under records of the failure log.
 *
 * Owns who may sign what, and the check of what was signed. Guarantees: a record is signed once,
 * after it was cleared, by a reviewer at work who is not its operator, all of a list or none of it;
 * a signature that no longer fits the records or the key is named. On failure nothing is signed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { REVIEW_TEXT_MAX = 64 * 1024 * 1024 };

/* ---- signing ---- */

/* operator: as the record has it. */
static bool
is_operator(const char *operator_name, const struct person *p, const char *const *logins)
{
	if (operator_name[0] == '\0')
		return false;
	if (strcmp(operator_name, p->name) == 0 || strcmp(operator_name, p->login) == 0)
		return true;
	for (; logins && *logins; logins++)
		if (strcmp(operator_name, *logins) == 0)
			return true;
	return false;
}

static int
reviewable_check(struct ledger *l, int64_t id, const struct person *p, const char *const *logins,
	struct err *e)
{
	struct failure_row row;
	int rc = failure_show(l, id, &row, e);

	if (rc != 0)
		return rc;
	if (row.review)
		return err_set(e, ERR_BUSY,
			_("Record %" PRId64 " was reviewed by %s already. It is signed once."), id,
			row.reviewer);
	if (row.cleared == 0)
		return err_set(e, ERR_BUSY,
			_("Record %" PRId64 " is still open. Review it when the failure is over."),
			id);
	if (is_operator(row.operator_name, p, logins))
		return err_set(e, ERR_DENIED,
			_("Record %" PRId64 " is of %s's own work. Another person has to review "
			  "it."),
			id, row.operator_name);
	return 0;
}

static json_t *
ids_json(const int64_t *ids, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_integer(ids[i]));
	return list;
}

static int
review_sign(struct ledger *l, const int64_t *ids, size_t n, const struct person *p,
	const char *pass, struct err *e)
{
	int64_t at = l->clock_ms();
	char signature[SIGNATURE_TEXT];
	struct buf text;
	int rc;

	buf_init(&text, REVIEW_TEXT_MAX);
	rc = review_text(l, ids, n, p->name, p->fingerprint, at, INT64_MAX, &text, e);
	if (rc == 0)
		rc = key_sign(p, pass, (const char *)text.data, signature, e);
	if (rc == 0)
		rc = ledger_append(l, "failure-reviewed", "", 0, p->name,
			json_pack("{s:o, s:s, s:s, s:I, s:s, s:s}", "ids", ids_json(ids, n),
				"person", p->name, "fingerprint", p->fingerprint, "at",
				(json_int_t)at, "text", (const char *)text.data, "signature",
				signature),
			e);
	buf_done(&text);
	return rc;
}

static int
review_append(struct ledger *l, const int64_t *ids, size_t n, const char *name, const char *pass,
	const char *const *logins, struct err *e)
{
	struct person p;
	int rc = person_find(l, name, &p, e);

	if (rc == 0)
		rc = person_check(&p, "reviewer", e);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = reviewable_check(l, ids[i], &p, logins, e);
	return rc == 0 ? review_sign(l, ids, n, &p, pass, e) : rc;
}

int
failure_review(struct ledger *l, const int64_t *ids, size_t n, const char *name, const char *pass,
	const char *const *logins, struct err *e)
{
	int rc;

	if (n == 0)
		return err_set(e, ERR_MISSING, "%s", _("There is nothing to review."));
	rc = ledger_begin(l, e);
	if (rc != 0)
		return rc;
	return ledger_end(l, review_append(l, ids, n, name, pass, logins, e), e);
}

/* ---- what a day has ---- */

struct id_list {
	int64_t *ids;
	size_t n, room;
};

static int
id_take(struct id_list *list, int64_t id)
{
	if (list->n == list->room) {
		size_t room = list->room ? 2 * list->room : 64;
		int64_t *more = reallocarray(list->ids, room, sizeof *more);

		if (!more)
			return ERR_SYSTEM;
		list->ids = more;
		list->room = room;
	}
	list->ids[list->n++] = id;
	return 0;
}

static int
visit_id(void *ctx, const struct failure_row *row)
{
	return row->cleared ? id_take(ctx, row->id) : 0;
}

int
review_day_ids(struct ledger *l, int64_t day, int64_t **ids, size_t *n, struct err *e)
{
	const struct failure_filter filter = {.state = FAILURE_UNREVIEWED,
		.from_ms = day_begin_ms(day),
		.to_ms = day_begin_ms(day + 1)};
	struct id_list list = {.n = 0};
	int rc = failure_find(l, &filter, visit_id, &list, NULL, e);

	*ids = list.ids;
	*n = list.n;
	return rc;
}

/* ---- checking ---- */

struct review_check {
	struct ledger *l;
	void (*problem)(void *ctx, const char *line);
	void *ctx;
	uint64_t n, n_problems;
};

static void __attribute__((format(printf, 2, 3)))
review_problem(struct review_check *c, const char *format, ...)
{
	char line[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof line, format, ap);
	va_end(ap);
	c->n_problems++;
	if (c->problem)
		c->problem(c->ctx, line);
}

/* The records of a review as its event lists them. */
static int
review_ids(struct ledger *l, int64_t event, struct id_list *list, struct err *e)
{
	static const char sql[] =
		"SELECT j.value FROM event, json_each(iif(json_valid(data), data, '{}'), '$.ids') "
		"AS j WHERE seq = ?";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int rc;

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "i", event);
	while ((rc = ledger_step(l, s, e)) == 1)
		if (id_take(list, sqlite3_column_int64(s, 0)) != 0)
			rc = err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	sqlite3_reset(s);
	return rc;
}

static void
review_read(sqlite3_stmt *s, struct review *r)
{
	r->event = sqlite3_column_int64(s, 0);
	r->at = sqlite3_column_int64(s, 1);
	snprintf(r->person, sizeof r->person, "%s", column_text(s, 2));
	snprintf(r->fingerprint, sizeof r->fingerprint, "%s", column_text(s, 3));
	snprintf(r->signature, sizeof r->signature, "%s", column_text(s, 5));
	r->text = strdup(column_text(s, 4));
}
#define REVIEW_SELECT "SELECT event, at, person, fingerprint, text, signature FROM review "

void
review_done(struct review *r)
{
	free(r->text);
	r->text = NULL;
}

static int
review_prove(struct review_check *c, const struct review *r, struct err *e)
{
	struct id_list list = {.n = 0};
	struct person p;
	struct buf text;
	char print[PERSON_PRINT_MAX];
	int rc = person_find(c->l, r->person, &p, e);

	if (rc == ERR_MISSING) {
		review_problem(c, _("review %" PRId64 ": %s is no person of this ledger"), r->event,
			r->person);
		return 0;
	}
	buf_init(&text, REVIEW_TEXT_MAX);
	if (rc == 0)
		rc = review_ids(c->l, r->event, &list, e);
	if (rc == 0)
		rc = review_text(c->l, list.ids, list.n, r->person, r->fingerprint, r->at, r->event,
			&text, e);
	if (rc == 0) {
		if (strcmp(p.fingerprint, r->fingerprint) != 0 ||
			key_fingerprint(p.public_pem, print) != 0 ||
			strcmp(print, r->fingerprint) != 0)
			review_problem(c,
				_("review %" PRId64 ": was made with another key than %s's"),
				r->event, r->person);
		if (!r->text || key_verify(p.public_pem, r->text, r->signature) != 0)
			review_problem(c, _("review %" PRId64 ": the signature of %s does not fit"),
				r->event, r->person);
		else if (strcmp((const char *)text.data, r->text) != 0)
			review_problem(c,
				_("review %" PRId64
				  ": the records are not those that %s signed; one was changed"),
				r->event, r->person);
		if (p.retired && r->at > p.retired)
			review_problem(c, _("review %" PRId64 ": %s was retired before"), r->event,
				r->person);
	}
	buf_done(&text);
	free(list.ids);
	return rc;
}

/* Rows that say they are reviewed by a review that is not there. */
static int
reviews_missing(struct review_check *c, struct err *e)
{
	static const char sql[] = "SELECT id FROM failure WHERE review <> 0 AND review NOT IN "
				  "(SELECT event FROM review)";
	sqlite3_stmt *s = ledger_statement(c->l, sql, e);
	int rc;

	if (!s)
		return ERR_INTERNAL;
	while ((rc = ledger_step(c->l, s, e)) == 1)
		review_problem(c, _("record %" PRId64 ": its review is not there"),
			(int64_t)sqlite3_column_int64(s, 0));
	return rc;
}

int
failure_verify(struct ledger *l, void (*problem)(void *ctx, const char *line), void *ctx,
	uint64_t *n_reviews, struct err *e)
{
	struct review_check c = {.l = l, .problem = problem, .ctx = ctx};
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(l->db, REVIEW_SELECT "ORDER BY event", -1, &s, NULL);

	if (rc != SQLITE_OK)
		return ledger_error(l, rc, e);
	while ((rc = ledger_step(l, s, e)) == 1) {
		struct review r;

		review_read(s, &r);
		rc = review_prove(&c, &r, e);
		review_done(&r);
		c.n++;
		if (rc != 0)
			break;
	}
	sqlite3_finalize(s);
	if (rc == 0)
		rc = reviews_missing(&c, e);
	if (n_reviews)
		*n_reviews = c.n;
	if (rc == 0 && c.n_problems > 0)
		rc = err_set(e, ERR_INPUT,
			_("%" PRIu64 " problems with signatures in %s. Run: cardspool ledger "
			  "verify"),
			c.n_problems, l->path);
	return rc;
}

/* ---- for others ---- */

int
review_of(struct ledger *l, int64_t failure_id, struct review *out, struct err *e)
{
	static const char sql[] = REVIEW_SELECT "WHERE event = ?";
	struct failure_row row;
	sqlite3_stmt *s;
	int rc = failure_show(l, failure_id, &row, e);

	memset(out, 0, sizeof *out);
	if (rc != 0)
		return rc;
	s = ledger_statement(l, sql, e);
	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "i", row.review);
	rc = ledger_step(l, s, e);
	if (rc == 0)
		return err_set(
			e, ERR_MISSING, _("Record %" PRId64 " is not reviewed yet."), failure_id);
	if (rc < 0)
		return rc;
	review_read(s, out);
	sqlite3_reset(s);
	return out->text ? 0 : err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
}

static int
export_write(const char *folder, const char *stem, const char *suffix, const void *bytes,
	size_t len, unsigned mode, struct err *e)
{
	char path[4200];

	if ((size_t)snprintf(path, sizeof path, "%s/%s%s", folder, stem, suffix) >= sizeof path)
		return err_set(e, ERR_USAGE, "%s", _("The name of the folder is too long."));
	return file_write(path, bytes, len, mode, e);
}

int
review_export(struct ledger *l, int64_t failure_id, const char *folder, struct err *e)
{
	char stem[32], line[256];
	uint8_t signature[(SIGNATURE_TEXT - 1) / 2];
	struct review r;
	struct person p;
	int rc = review_of(l, failure_id, &r, e);

	if (rc == 0)
		rc = person_find(l, r.person, &p, e);
	if (rc == 0 && hex_parse(signature, sizeof signature, r.signature) < 0)
		rc = err_set(e, ERR_INPUT, _("The signature of record %" PRId64 " is damaged."),
			failure_id);
	if (rc == 0 && mkdir(folder, 0755) != 0 && errno != EEXIST)
		rc = err_set(e, errno == EACCES ? ERR_DENIED : ERR_STORAGE,
			_("The folder %s cannot be made: %s."), folder, strerror(errno));
	if (rc == 0) {
		snprintf(stem, sizeof stem, "review-%" PRId64, r.event);
		snprintf(line, sizeof line,
			"#!/bin/sh\nopenssl pkeyutl -verify -pubin -inkey %s.pem -rawin -in "
			"%s.txt -sigfile %s.sig\n",
			stem, stem, stem);
		rc = export_write(folder, stem, ".txt", r.text, strlen(r.text), 0644, e);
	}
	if (rc == 0)
		rc = export_write(folder, stem, ".sig", signature, sizeof signature, 0644, e);
	if (rc == 0)
		rc = export_write(
			folder, stem, ".pem", p.public_pem, strlen(p.public_pem), 0644, e);
	if (rc == 0)
		rc = export_write(folder, stem, ".sh", line, strlen(line), 0755, e);
	review_done(&r);
	return rc;
}
