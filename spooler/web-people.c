/*
 * web-people.c - signing in and out, and the judging of passphrases.
 *
 * Owns the way from a name and a passphrase to a session. A passphrase is right when it opens the
 * person's key. Guarantees: three wrong ones lock the name for WEB_LOCK_MS, end its sessions and
 * leave an event in the ledger; an unknown name costs the same time and gets the same answers as a
 * wrong passphrase; the passphrase is in no log and no answer.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/web.h"

#include <microhttpd.h>
#include <string.h>

#define WRONG  "Name or passphrase is wrong."
#define LOCKED "Too many wrong passphrases. Wait five minutes."

/* A key that is nobody's, so that an unknown name takes as long as a known one. */
static const struct person *
nobody(void)
{
	static struct person p;

	if (!p.sealed_pem[0])
		key_make(&p, "a passphrase of nobody", NULL);
	return &p;
}

void
web_pass_wrong(struct web_request *q, const char *name, bool known)
{
	struct ledger *l;
	json_t *data;

	if (!web_wrong(web_sessions_of(q->web), name, known, web_now_ms()))
		return;
	web_sessions_end(web_sessions_of(q->web), name);
	q->session = NULL;
	if (!known || ledger_open(&l, web_ledger_path(q->web), LEDGER_WRITE, NULL) != 0)
		return;
	data = json_pack("{s:s, s:i}", "person", name, "minutes", WEB_LOCK_MS / 60000);
	ledger_event(l, "passphrase-locked", "", data, NULL);
	json_decref(data);
	ledger_close(l);
}

int
web_pass_check(struct web_request *q, const char *name, const char *pass)
{
	char signature[SIGNATURE_TEXT];
	struct person p;
	bool known = person_find(q->ledger, name, &p, NULL) == 0 && !p.retired;

	if (web_locked(web_sessions_of(q->web), name, web_now_ms()))
		return ERR_BUSY;
	if (key_sign(known ? &p : nobody(), pass, "cardspool sign-in", signature, NULL) == 0 &&
		known) {
		web_right(web_sessions_of(q->web), name);
		q->person = p;
		return 0;
	}
	web_pass_wrong(q, name, known);
	return web_locked(web_sessions_of(q->web), name, web_now_ms()) ? ERR_BUSY : ERR_DENIED;
}

/* ---- the form ---- */

/* A visitor's cookie; one that is not ours is replaced. */
static int
visitor_cookie(struct web_request *q, char out[WEB_TOKEN_TEXT])
{
	const char *have =
		MHD_lookup_connection_value(q->connection, MHD_COOKIE_KIND, "cardspool-visitor");
	uint8_t bytes[WEB_TOKEN_LEN];
	int rc;

	if (have && hex_parse(bytes, sizeof bytes, have) == 0) {
		snprintf(out, WEB_TOKEN_TEXT, "%s", have);
		return 0;
	}
	rc = web_token_make(out, &q->err);
	if (rc == 0)
		snprintf(q->cookie, sizeof q->cookie,
			"cardspool-visitor=%s; Path=/; HttpOnly; SameSite=Strict%s", out,
			web_secure(q->web) ? "; Secure" : "");
	return rc;
}

static void
form_show(struct web_request *q, const char *problem)
{
	char cookie[WEB_TOKEN_TEXT], form[WEB_TOKEN_TEXT];
	struct html *h = &q->html;

	q->html.rc = visitor_cookie(q, cookie);
	web_visitor_form(web_sessions_of(q->web), cookie, form);
	web_page_open(q, "Sign in");
	if (problem) {
		html_put(h, "<p class=\"notice\" role=\"alert\">");
		html_say(h, problem);
		html_put(h, "</p>");
	}
	web_form_open(q, "/sign-in", "sheet narrow", false);
	html_put(h, "<input type=\"hidden\" name=\"form\" value=\"%s\">", form);
	html_put(h, "<input type=\"hidden\" name=\"next\" value=\"");
	html_text(h, q->route->post ? web_field(q, "next") : web_query(q, "next"));
	html_put(h, "\">");
	web_input(h, "text", "name", "Name", web_field(q, "name"),
		"required autocomplete=\"username\" autocapitalize=\"off\" maxlength=\"63\" "
		"autofocus");
	web_input(h, "password", "pass", "Passphrase", "",
		"required autocomplete=\"current-password\" maxlength=\"256\"");
	html_put(h, "<button>");
	html_say(h, "Sign in");
	html_put(h, "</button></form>\n<p class=\"faint\">");
	html_say(h, "People and passphrases are made with: cardspool person add");
	html_put(h, "</p>");
	web_page_close(q);
}

void
web_sign_in_form(struct web_request *q)
{
	form_show(q, web_query(q, "ended")[0] ? "Your session ended. Sign in again." : NULL);
}

void
web_sign_in(struct web_request *q)
{
	const char *cookie =
		MHD_lookup_connection_value(q->connection, MHD_COOKIE_KIND, "cardspool-visitor");
	char form[WEB_TOKEN_TEXT];
	struct web_session *session;
	int rc;

	web_visitor_form(web_sessions_of(q->web), cookie ? cookie : "", form);
	if (!cookie || !web_token_same(form, web_field(q, "form"))) {
		q->status = MHD_HTTP_FORBIDDEN;
		form_show(q, "The page had expired. Go back and try again.");
		return;
	}
	if (ledger_open(&q->ledger, web_ledger_path(q->web), LEDGER_READ, NULL) != 0) {
		web_page_tell(q, MHD_HTTP_SERVICE_UNAVAILABLE,
			"The ledger cannot be read now. Try again.");
		return;
	}
	rc = web_pass_check(q, web_field(q, "name"), web_field(q, "pass"));
	if (rc == 0)
		rc = web_session_begin(
			web_sessions_of(q->web), q->person.name, web_now_ms(), &session, &q->err);
	if (rc != 0) {
		q->status = rc == ERR_BUSY ? MHD_HTTP_TOO_MANY_REQUESTS : MHD_HTTP_FORBIDDEN;
		form_show(q, rc == ERR_BUSY ? LOCKED : WRONG);
		return;
	}
	snprintf(q->cookie, sizeof q->cookie, "cardspool=%s; Path=/; HttpOnly; SameSite=Strict%s",
		session->token, web_secure(q->web) ? "; Secure" : "");
	web_redirect(q, "%s", web_path_own(web_field(q, "next")) ? web_field(q, "next") : "/");
}

void
web_sign_out(struct web_request *q)
{
	web_session_end(q->session);
	q->session = NULL;
	snprintf(q->cookie, sizeof q->cookie,
		"cardspool=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0%s",
		web_secure(q->web) ? "; Secure" : "");
	web_redirect(q, "/sign-in");
}
