/*
 * web-review.c - what people write on the workshop page: signatures and notes.
 *
 * Owns the forms and their refusals in the reader's language. The signature itself is made by
 * failure_review(), as from the command line, with the reviewer's key opened by the passphrase of
 * this one form. Guarantees: the records that were shown are those that are signed, all or none; a
 * refusal leaves nothing in the ledger.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/web.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIGN_MAX = 200 };

const char *
web_sign_refusal(const struct person *p, const struct failure_row *f)
{
	if (person_check(p, "reviewer", NULL) != 0)
		return "Only a reviewer can sign.";
	if (f->review)
		return "It is signed already.";
	if (f->cleared == 0)
		return "It is still open: it can be signed when the failure is over.";
	if (f->operator_name[0] &&
		(strcmp(f->operator_name, p->name) == 0 || strcmp(f->operator_name, p->login) == 0))
		return "You operated here: another person has to review it.";
	return NULL;
}

void
web_sign_form(struct web_request *q, const char *ids)
{
	struct html *h = &q->html;

	web_form_open(q, "/sign", "sheet narrow", false);
	html_put(h, "<input type=\"hidden\" name=\"ids\" value=\"%s\"><p>", ids);
	html_say(h,
		"Your signature says that you looked at this record. It is made with your own key "
		"and cannot be taken back.");
	html_put(h, "</p>");
	/* So that a keeper of passwords knows whose it is. */
	html_put(h, "<label>");
	html_say(h, "Name");
	html_put(h, "<input readonly autocomplete=\"username\" value=\"");
	html_text(h, q->person.name);
	html_put(h, "\"></label>");
	web_input(h, "password", "pass", "Passphrase", "",
		"required autocomplete=\"current-password\" maxlength=\"256\"");
	html_put(h, "<button id=\"sign\">");
	html_say(h, strchr(ids, ',') ? "Sign these records" : "Sign this record");
	html_put(h, "</button></form>\n");
}

/* ---- a day's list ---- */

static size_t
day_put(struct web_request *q, const int64_t *list, size_t n, char *ids, size_t max)
{
	struct html *h = &q->html;
	size_t used = 0, n_mine = 0;

	html_put(h, "<div class=\"wide\"><table class=\"list\"><tbody>");
	for (size_t i = 0; i < n; i++) {
		struct failure_row f;
		const char *refusal;
		char at[32];

		if (failure_show(q->ledger, list[i], &f, &q->err) != 0)
			continue;
		refusal = web_sign_refusal(&q->person, &f);
		if (!refusal && n_mine < SIGN_MAX && used < max - 24) {
			used += (size_t)snprintf(
				ids + used, max - used, "%s%" PRId64, n_mine ? "," : "", f.id);
			n_mine++;
		}
		say_time(at, sizeof at, f.at);
		html_put(h,
			"<tr><td><a class=\"row-link\" href=\"/record?id=%" PRId64 "\">%" PRId64
			"</a></td><td>%s</td><td>",
			f.id, f.id, at);
		html_text(h, say_fault(q->lang, f.code));
		html_put(h, "</td><td>");
		html_text(h, f.machine);
		html_put(h, "</td><td>");
		html_text(h, f.operator_name);
		html_put(h, "</td><td>");
		if (refusal)
			html_say(h, refusal);
		html_put(h, "</td></tr>\n");
	}
	html_put(h, "</tbody></table></div>\n");
	return n_mine;
}

void
web_day(struct web_request *q)
{
	char ids[WEB_FIELD_MAX] = "";
	int64_t day, *list = NULL;
	size_t n = 0;

	if (day_parse(web_query(q, "day"), &day) != 0) {
		web_page_tell(q, MHD_HTTP_BAD_REQUEST, "The page was not found.");
		return;
	}
	q->html.rc = review_day_ids(q->ledger, day, &list, &n, &q->err);
	if (q->html.rc == 0) {
		web_page_open(q, "Sign the day's list");
		html_put(&q->html, "<p>");
		html_text(&q->html, web_query(q, "day"));
		html_put(&q->html, "</p>");
		if (day_put(q, list, n, ids, sizeof ids) > 0) {
			web_sign_form(q, ids);
		} else {
			html_put(&q->html, "<p class=\"notice\">");
			html_say(&q->html, "Nothing of this day waits for your signature.");
			html_put(&q->html, "</p>");
		}
		web_page_close(q);
	}
	free(list);
}

/* ---- signing ---- */

static int
ids_parse(const char *text, int64_t ids[SIGN_MAX], size_t *n)
{
	char *end;

	for (*n = 0; *text && *n < SIGN_MAX; text = end + (*end == ',')) {
		if (*text < '0' || *text > '9')
			return ERR_INPUT;
		ids[*n] = strtoll(text, &end, 10);
		if (ids[*n] <= 0 || (*end && *end != ','))
			return ERR_INPUT;
		(*n)++;
	}
	return *n > 0 && *text == '\0' ? 0 : ERR_INPUT;
}

/* NULL: may be tried. */
static const char *
refusal_of(struct web_request *q, const int64_t *ids, size_t n)
{
	const char *refusal = NULL;
	struct failure_row f;

	for (size_t i = 0; i < n && !refusal; i++)
		refusal = failure_show(q->ledger, ids[i], &f, &q->err) != 0
				  ? "The page was not found."
				  : web_sign_refusal(&q->person, &f);
	return refusal;
}

static int
sign_do(struct web_request *q, const int64_t *ids, size_t n)
{
	const char *const logins[] = {q->person.login[0] ? q->person.login : NULL, NULL};
	struct ledger *l;
	int rc = ledger_open(&l, web_ledger_path(q->web), LEDGER_WRITE, &q->err);

	if (rc != 0)
		return rc;
	rc = failure_review(l, ids, n, q->person.name, web_field(q, "pass"), logins, &q->err);
	ledger_close(l);
	return rc;
}

void
web_sign(struct web_request *q)
{
	int64_t ids[SIGN_MAX];
	size_t n;
	const char *refusal;
	int rc;

	if (ids_parse(web_field(q, "ids"), ids, &n) != 0) {
		web_page_tell(q, MHD_HTTP_BAD_REQUEST, "The request was refused.");
		return;
	}
	refusal = refusal_of(q, ids, n);
	if (refusal) {
		web_page_tell(q, MHD_HTTP_CONFLICT, refusal);
		return;
	}
	if (web_locked(web_sessions_of(q->web), q->person.name, web_now_ms())) {
		web_page_tell(q, MHD_HTTP_TOO_MANY_REQUESTS,
			"Too many wrong passphrases. Wait five minutes.");
		return;
	}
	rc = sign_do(q, ids, n);
	if (rc == 0) {
		web_right(web_sessions_of(q->web), q->person.name);
		if (n == 1)
			web_redirect(q, "/record?id=%" PRId64 "&said=signed", ids[0]);
		else
			web_redirect(q, "/failures?state=reviewed");
	} else if (rc == ERR_DENIED) {
		web_pass_wrong(q, q->person.name, true);
		web_page_tell(q, MHD_HTTP_FORBIDDEN,
			q->session ? "The passphrase is wrong. Nothing was signed."
				   : "Too many wrong passphrases. Wait five minutes.");
	} else {
		web_page_tell(q, MHD_HTTP_SERVICE_UNAVAILABLE,
			"The ledger is busy. Nothing was signed; try again.");
	}
}

/* ---- notes ---- */

static const char *
photo_refusal(struct web_request *q)
{
	unsigned char head[16];
	ssize_t n;

	if (q->upload_fd < 0)
		return NULL;
	n = pread(q->upload_fd, head, sizeof head, 0);
	return n > 0 && web_picture_type(head, (size_t)n)
		       ? NULL
		       : "Only JPEG and PNG pictures can be added.";
}

void
web_note(struct web_request *q)
{
	int64_t id = web_number(web_field(q, "id"));
	const char *refusal = photo_refusal(q);
	struct ledger *l;
	int rc;

	if (refusal) {
		web_page_tell(q, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, refusal);
		return;
	}
	rc = ledger_open(&l, web_ledger_path(q->web), LEDGER_WRITE, &q->err);
	if (rc == 0) {
		rc = failure_note(l, id, q->person.name, web_field(q, "cause"),
			web_field(q, "note"), q->upload_fd >= 0 ? q->upload_path : NULL, &q->err);
		ledger_close(l);
	}
	if (rc == 0)
		web_redirect(q, "/record?id=%" PRId64 "&said=noted", id);
	else if (rc == ERR_MISSING)
		web_page_tell(q, MHD_HTTP_NOT_FOUND, "The page was not found.");
	else if (rc == ERR_USAGE)
		web_page_tell(
			q, MHD_HTTP_BAD_REQUEST, "Write a cause or a note, or choose a photo.");
	else if (q->err.code == ERR_BUSY)
		web_page_tell(q, MHD_HTTP_CONFLICT,
			"It is signed, or the ledger is busy. Nothing was added.");
	else
		web_page_tell(q, MHD_HTTP_SERVICE_UNAVAILABLE,
			"The ledger cannot be written now. Nothing was added.");
}
