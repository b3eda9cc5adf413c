/*
 * web.h - the workshop page: a small HTTP server over the ledger.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_WEB_H
#define CARDSPOOL_WEB_H

#include "spooler/overview.h"
#include "spooler/report.h"

/* ---- who is signed in (web-session.c): no HTTP, no ledger, the time comes from the caller ---- */

enum {
	WEB_SESSIONS_MAX = 64,
	WEB_TRIES_MAX = 128,
	WEB_TRIES = 3, /* wrong passphrases until a name is locked */
	WEB_TOKEN_LEN = 32,
	WEB_TOKEN_TEXT = 2 * WEB_TOKEN_LEN + 1,
	WEB_LOCK_MS = 5 * 60 * 1000,
	WEB_LIFE_MS = 12 * 3600 * 1000 /* of a session, however busy */
};

struct web_session {
	char token[WEB_TOKEN_TEXT]; /* "" = free */
	char form[WEB_TOKEN_TEXT];  /* what its forms carry */
	char name[64];
	int64_t begun_ms, seen_ms;
};
struct web_sessions {
	struct web_session list[WEB_SESSIONS_MAX];
	struct web_try {
		char name[64]; /* "" = free */
		bool known;    /* is a person of the ledger */
		unsigned wrong;
		int64_t last_ms, until_ms;
	} tries[WEB_TRIES_MAX];
	int64_t idle_ms;
	uint8_t secret[WEB_TOKEN_LEN];
};
/* ERR_SYSTEM: no random bytes. */
int web_sessions_init(struct web_sessions *s, int64_t idle_ms, struct err *e);
/* A fresh one; the one that was idle longest makes room. */
int web_session_begin(struct web_sessions *s, const char *name, int64_t now_ms,
	struct web_session **out, struct err *e);
/* NULL: unknown, idle too long or too old. touch: a person asked for this. */
struct web_session *web_session_find(
	struct web_sessions *s, const char *token, int64_t now_ms, bool touch);
void web_session_end(struct web_session *session);
void web_sessions_end(struct web_sessions *s, const char *name); /* all of a person's */
bool web_locked(const struct web_sessions *s, const char *name, int64_t now_ms);
/* Counts a wrong passphrase; true: this one locked the name. */
bool web_wrong(struct web_sessions *s, const char *name, bool known, int64_t now_ms);
void web_right(struct web_sessions *s, const char *name);
int web_token_make(char out[WEB_TOKEN_TEXT], struct err *e);
/* What the sign-in form carries for a visitor's cookie: nobody without the secret can make it. */
void web_visitor_form(const struct web_sessions *s, const char *cookie, char out[WEB_TOKEN_TEXT]);
bool web_token_same(const char *a, const char *b); /* in constant time */
/* May stand in a redirect: a path of this page, nothing else. */
bool web_path_own(const char *path);

/* ---- one server (web-server.c) ---- */

struct web_settings {
	const char *listen;      /* ADDRESS:PORT, port 0: any */
	const char *host;        /* a name that browsers may use besides, NULL: none */
	const char *certificate; /* PEM files, NULL: plain HTTP, on loopback only */
	const char *private_key;
	const char *ledger;
	unsigned idle_s, months;
};
struct web;
int web_open(struct web **out, const struct web_settings *s, struct err *e);
const char *web_url(const struct web *w);
/* Serves until stop_fd can be read. */
int web_run(struct web *w, int stop_fd, struct err *e);
void web_close(struct web *w);

/* ---- one request ---- */

enum {
	WEB_FIELDS_MAX = 12,
	WEB_FIELD_MAX = 4096,
	WEB_FORM_MAX = 16 * 1024,
	WEB_UPLOAD_MAX = ATTACHMENT_MAX + 64 * 1024
};
struct web_field {
	char name[16];
	char value[WEB_FIELD_MAX];
	size_t len;
};
struct web_request {
	struct web *web;
	struct MHD_Connection *connection;
	const struct web_route *route;
	bool post, live; /* live: the page renewed itself, nobody asked */
	enum language lang;
	struct web_session *session;
	struct person person;     /* whose session it is */
	struct ledger *ledger;    /* for reading; NULL where the route needs none */
	struct web_field *fields; /* of the form, WEB_FIELDS_MAX; wiped afterwards */
	size_t n_fields, received;
	int refused;   /* status that the body earned, 0 none */
	int upload_fd; /* a file that came with the form, -1 none */
	char upload_folder[32], upload_path[160];
	struct MHD_PostProcessor *post_processor;
	/* the answer */
	int status;
	const char *type, *disposition;
	char location[256], cookie[256], file_name[64];
	struct html html;
	struct err err;
};
struct web_route {
	const char *path;
	bool post, open; /* open: needs no session */
	bool upload;
	void (*answer)(struct web_request *q);
};
extern const struct web_route web_routes[];
extern const size_t n_web_routes;

const char *web_query(const struct web_request *q, const char *name); /* "" when it is not there */
const char *web_field(const struct web_request *q, const char *name); /* of the form */
int64_t web_number(const char *text);                                 /* 0: is none */
struct web_sessions *web_sessions_of(struct web *w);
const char *web_ledger_path(const struct web *w);
unsigned web_months(const struct web *w);
bool web_secure(const struct web *w);               /* by TLS */
const struct queue_list *web_queues(struct web *w); /* belongs to w until the next call */
/* Machines and jobs; belongs to the server. Read anew when the ledger changed, at most every 2 s. */
int web_overview(struct web_request *q, const struct overview **out);
/* The charts that were drawn last: a long ledger's take a second or two. */
struct web_drawn {
	char key[320]; /* what was asked for, "" nothing yet */
	int64_t at_ms;
	struct buf body;
};
struct web_drawn *web_drawn(struct web *w);
int64_t web_now_ms(void);
void web_redirect(struct web_request *q, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A complete answer that is no page. */
void web_plain(struct web_request *q, const char *type, const void *bytes, size_t len);

/* ---- frame of a page (web-page.c) ---- */

extern const char web_style[], web_script[]; /* made from web.css and web.js */
void web_page_open(struct web_request *q, const char *title);
void web_page_close(struct web_request *q);
/* A whole page that says one thing. */
void web_page_tell(struct web_request *q, int status, const char *english);
void web_state(struct html *h, const char *class_name, const char *english);
void web_form_open(struct web_request *q, const char *path, const char *class_name, bool upload);
void web_input(struct html *h, const char *type, const char *name, const char *label,
	const char *value, const char *more);
/* Puts name=value of a query, escaped for a link. */
void web_link_value(struct html *h, const char *value);

/* ---- pages ---- */

void web_machines(struct web_request *q); /* web-machines.c */
void web_batches(struct web_request *q);
void web_failures(struct web_request *q); /* web-records.c */
void web_charts(struct web_request *q);
void web_report_file(struct web_request *q);
void web_record(struct web_request *q); /* web-record.c */
void web_proof(struct web_request *q);
void web_photo(struct web_request *q);
const char *web_picture_type(const void *bytes, size_t len); /* NULL: is none */
void web_day(struct web_request *q);                         /* web-review.c */
void web_sign(struct web_request *q);
void web_note(struct web_request *q);
void web_sign_in(struct web_request *q); /* web-people.c */
void web_sign_in_form(struct web_request *q);
void web_sign_out(struct web_request *q);
void web_style_file(struct web_request *q);
void web_script_file(struct web_request *q);
void web_icon_file(struct web_request *q);
/* Is the passphrase the person's? Counts wrong ones, locks, records the lock. 0, ERR_DENIED,
 * ERR_BUSY locked. */
int web_pass_check(struct web_request *q, const char *name, const char *pass);
void web_pass_wrong(struct web_request *q, const char *name, bool known);
/* Why this person may not sign this record, for say(); NULL: may. */
const char *web_sign_refusal(const struct person *p, const struct failure_row *f);
void web_sign_form(struct web_request *q, const char *ids);

#endif
