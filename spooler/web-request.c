/*
 * web-request.c - one request to the workshop page, from its first line to its answer.
 *
 * Owns the checks before a page is asked, the reading of forms and what each answer carries.
 * Guarantees: a request whose Host is none of ours, whose form came from elsewhere or without its
 * token, or that is too large, reaches no page; no answer may be kept, framed or read by another
 * site, and no page may load anything from outside. Forms are wiped after use. On failure a person
 * gets a plain page.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/web-server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { UPLOAD_BEAR = 64 * 1024 * 1024 };

/* ---- what a request says ---- */

static const char *
header_of(const struct web_request *q, const char *name)
{
	return MHD_lookup_connection_value(q->connection, MHD_HEADER_KIND, name);
}

const char *
web_query(const struct web_request *q, const char *name)
{
	const char *value = MHD_lookup_connection_value(q->connection, MHD_GET_ARGUMENT_KIND, name);

	return value ? value : "";
}

const char *
web_field(const struct web_request *q, const char *name)
{
	for (size_t i = 0; i < q->n_fields; i++)
		if (strcmp(q->fields[i].name, name) == 0)
			return q->fields[i].value;
	return "";
}

int64_t
web_number(const char *text)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 ? n : 0;
}

static bool
host_known(const struct web *w, const char *host)
{
	for (unsigned i = 0; i < w->n_hosts; i++)
		if (strcasecmp(w->hosts[i], host) == 0)
			return true;
	return false;
}

/* A form must come from a page of ours, if the browser says where it comes from. */
static bool
origin_own(const struct web_request *q)
{
	const char *origin = header_of(q, "Origin"), *site = header_of(q, "Sec-Fetch-Site");
	const char *host = origin ? strstr(origin, "://") : NULL;

	if (site && strcmp(site, "same-origin") != 0)
		return false;
	return !origin || (host && host_known(q->web, host + 3));
}

/* ---- what an answer carries ---- */

static const struct {
	const char *name, *value;
} headers[] = {
	{"Content-Security-Policy",
		"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
		"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"},
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
	/* Not no-referrer: browsers would hide the origin of our own forms, too. */
	{"Referrer-Policy", "same-origin"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
	{"Cache-Control", "no-store"},
	{"Vary", "Accept-Language, Cookie"},
};

static enum MHD_Result
answer_send(struct web_request *q)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
		q->html.buf.len, q->html.buf.data, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result sent;

	if (!r)
		return MHD_NO;
	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		MHD_add_response_header(r, headers[i].name, headers[i].value);
	MHD_add_response_header(r, "Content-Type", q->type);
	if (q->web->tls)
		MHD_add_response_header(r, "Strict-Transport-Security", "max-age=31536000");
	if (q->location[0])
		MHD_add_response_header(r, "Location", q->location);
	if (q->cookie[0])
		MHD_add_response_header(r, "Set-Cookie", q->cookie);
	if (q->disposition)
		MHD_add_response_header(r, "Content-Disposition", q->disposition);
	if (q->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, "Allow", "GET, HEAD, POST");
	sent = MHD_queue_response(q->connection, (unsigned)q->status, r);
	MHD_destroy_response(r);
	return sent;
}

void
web_redirect(struct web_request *q, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(q->location, sizeof q->location, format, ap);
	va_end(ap);
	q->status = MHD_HTTP_SEE_OTHER;
}

void
web_plain(struct web_request *q, const char *type, const void *bytes, size_t len)
{
	q->type = type;
	q->html.buf.len = 0;
	if (q->html.rc == 0)
		q->html.rc = buf_append(&q->html.buf, bytes, len, &q->err);
}

/* ---- one request ---- */

static const struct web_route *
route_find(const char *path, bool post, bool *other)
{
	*other = false;
	for (size_t i = 0; i < n_web_routes; i++) {
		if (strcmp(web_routes[i].path, path) != 0)
			continue;
		if (web_routes[i].post == post)
			return &web_routes[i];
		*other = true;
	}
	return NULL;
}

/* The reader's choice, else what the browser prefers. */
static enum language
language_choose(struct web_request *q)
{
	const char *chosen = web_query(q, "lang"), *accept = header_of(q, "Accept-Language");
	const char *kept = MHD_lookup_connection_value(q->connection, MHD_COOKIE_KIND, "lang");
	int l = language_parse(chosen);

	if (l >= 0)
		snprintf(q->cookie, sizeof q->cookie,
			"lang=%s; Path=/; SameSite=Lax; HttpOnly; Max-Age=31536000",
			l == LANGUAGE_ZH ? "zh" : "en");
	if (l < 0 && kept)
		l = language_parse(kept);
	/* The first of the two that is named. */
	for (const char *at = accept; l < 0 && at && *at;
		at += strcspn(at, ",") + (strchr(at, ',') != NULL))
		l = language_parse(at + strspn(at, " "));
	return l < 0 ? LANGUAGE_EN : (enum language)l;
}

static void
session_take(struct web_request *q, struct err *e)
{
	const char *token =
		MHD_lookup_connection_value(q->connection, MHD_COOKIE_KIND, "cardspool");

	if (!token)
		return;
	q->session = web_session_find(&q->web->sessions, token, web_now_ms(), !q->live);
	/* Who was retired since, or is of another ledger, is out. */
	if (q->session && (person_find(q->ledger, q->session->name, &q->person, e) != 0 ||
				  q->person.retired)) {
		web_session_end(q->session);
		q->session = NULL;
	}
}

/* And then to the record that a link named. */
static void
sign_in_ask(struct web_request *q)
{
	int64_t id = web_number(web_query(q, "id"));

	if (q->route->post)
		web_redirect(q, "/sign-in?ended=1");
	else if (id > 0)
		web_redirect(q, "/sign-in?next=%s%%3Fid%%3D%" PRId64, q->route->path, id);
	else
		web_redirect(q, "/sign-in?next=%s", q->route->path);
}

static void
request_pages(struct web_request *q)
{
	struct err why = {0};

	if (!q->route->open && ledger_open(&q->ledger, q->web->ledger, LEDGER_READ, &why) != 0) {
		web_page_tell(q, MHD_HTTP_SERVICE_UNAVAILABLE,
			"The ledger cannot be read now. Try again.");
		return;
	}
	if (q->ledger)
		session_take(q, &why);
	if (!q->route->open && !q->session) {
		if (q->live)
			web_page_tell(q, MHD_HTTP_FORBIDDEN, "Your session ended. Sign in again.");
		else
			sign_in_ask(q);
		return;
	}
	if (q->route->post && !q->route->open &&
		!web_token_same(q->session->form, web_field(q, "form"))) {
		web_page_tell(
			q, MHD_HTTP_FORBIDDEN, "The page had expired. Go back and try again.");
		return;
	}
	q->route->answer(q);
}

static enum MHD_Result
request_answer(struct web_request *q)
{
	html_init(&q->html, language_choose(q), &q->err);
	q->lang = q->html.lang;
	q->live = web_query(q, "live")[0] != '\0';
	if (q->refused)
		web_page_tell(q, q->refused, "The request was refused.");
	else
		request_pages(q);
	if (q->html.rc != 0) {
		buf_done(&q->html.buf);
		html_init(&q->html, q->lang, NULL);
		web_page_tell(q, MHD_HTTP_SERVICE_UNAVAILABLE,
			"The ledger cannot be read now. Try again.");
	}
	return answer_send(q);
}

static size_t
body_max(const struct web_request *q)
{
	return q->route && q->route->upload ? WEB_UPLOAD_MAX : WEB_FORM_MAX;
}

/* A photo that is too large is read to its end, since a browser listens only then. */
static size_t
body_bear(const struct web_request *q)
{
	return q->route && q->route->upload ? UPLOAD_BEAR : WEB_FORM_MAX;
}

static bool
session_there(const struct web_request *q)
{
	const char *token =
		MHD_lookup_connection_value(q->connection, MHD_COOKIE_KIND, "cardspool");

	return token && web_session_find(&q->web->sessions, token, web_now_ms(), false);
}

/* What can be said before the body comes. */
static void
request_check(struct web_request *q, const char *url, const char *method)
{
	const char *host = header_of(q, "Host"), *length = header_of(q, "Content-Length");
	bool get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0, other;

	q->post = strcmp(method, "POST") == 0;
	q->route = route_find(url, q->post, &other);
	if (!host || !host_known(q->web, host))
		q->refused = MHD_HTTP_MISDIRECTED_REQUEST;
	else if (!get && !q->post)
		q->refused = MHD_HTTP_METHOD_NOT_ALLOWED;
	else if (!q->route)
		q->refused = other ? MHD_HTTP_METHOD_NOT_ALLOWED : MHD_HTTP_NOT_FOUND;
	else if (q->post && (!origin_own(q) || (q->route->upload && !session_there(q))))
		q->refused = MHD_HTTP_FORBIDDEN; /* a stranger's file is not even taken */
	else if (length && strtoull(length, NULL, 10) > (q->post ? body_bear(q) : 0))
		q->refused = MHD_HTTP_CONTENT_TOO_LARGE;
}

/* ---- the body ---- */

/* In a folder of its own under a harmless name, which the note keeps. */
static void
upload_open(struct web_request *q, const char *name)
{
	static const char good[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	size_t used;

	snprintf(q->upload_folder, sizeof q->upload_folder, "/tmp/cardspool-photo.XXXXXX");
	if (!mkdtemp(q->upload_folder)) {
		q->upload_folder[0] = '\0';
		return;
	}
	used = (size_t)snprintf(q->upload_path, sizeof q->upload_path, "%s/", q->upload_folder);
	name += strspn(name, ".");
	for (; *name && used < sizeof q->upload_path - 1; name++)
		if (strchr(good, *name))
			q->upload_path[used++] = *name;
	if (q->upload_path[used - 1] == '/')
		q->upload_path[used++] = 'p';
	q->upload_path[used] = '\0';
	q->upload_fd = open(q->upload_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static enum MHD_Result
upload_take(struct web_request *q, const char *name, const char *bytes, uint64_t at, size_t len)
{
	if (!q->route->upload) {
		q->refused = MHD_HTTP_BAD_REQUEST;
		return MHD_NO;
	}
	if (q->upload_fd < 0 && len > 0) {
		upload_open(q, name);
	}
	if (len > 0 && (at + len > ATTACHMENT_MAX || q->upload_fd < 0 ||
			       pwrite(q->upload_fd, bytes, len, (off_t)at) != (ssize_t)len)) {
		q->refused = at + len > ATTACHMENT_MAX ? MHD_HTTP_CONTENT_TOO_LARGE
						       : MHD_HTTP_INSUFFICIENT_STORAGE;
		return MHD_NO;
	}
	return MHD_YES;
}

static enum MHD_Result
field_take(void *ctx, enum MHD_ValueKind kind, const char *name, const char *file, const char *type,
	const char *encoding, const char *bytes, uint64_t at, size_t len)
{
	struct web_request *q = ctx;
	struct web_field *f = NULL;

	(void)kind, (void)type, (void)encoding;
	if (file && file[0])
		return upload_take(q, file, bytes, at, len);
	for (size_t i = 0; i < q->n_fields; i++)
		if (strcmp(q->fields[i].name, name) == 0)
			f = &q->fields[i];
	if (!f && q->n_fields < WEB_FIELDS_MAX && strlen(name) < sizeof f->name) {
		f = &q->fields[q->n_fields++];
		snprintf(f->name, sizeof f->name, "%s", name);
	}
	/* A second value under one name, a NUL, or too much: somebody plays. */
	if (!f || at != f->len || f->len + len >= sizeof f->value || memchr(bytes, '\0', len)) {
		q->refused = MHD_HTTP_BAD_REQUEST;
		return MHD_NO;
	}
	memcpy(f->value + f->len, bytes, len);
	f->len += len;
	f->value[f->len] = '\0';
	return MHD_YES;
}

static void
body_take(struct web_request *q, const char *bytes, size_t len)
{
	q->received += len;
	if (q->received > body_max(q))
		q->refused = MHD_HTTP_CONTENT_TOO_LARGE;
	if (q->refused || !q->post)
		return;
	if (MHD_post_process(q->post_processor, bytes, len) != MHD_YES && !q->refused)
		q->refused = MHD_HTTP_BAD_REQUEST;
}

static int
body_begin(struct web_request *q)
{
	q->fields = calloc(WEB_FIELDS_MAX, sizeof *q->fields);
	q->post_processor = MHD_create_post_processor(q->connection, 4096, field_take, q);
	if (!q->fields)
		return ERR_SYSTEM;
	if (!q->post_processor)
		q->refused = MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
	return 0;
}

static void
body_end(struct web_request *q)
{
	if (q->post_processor && MHD_destroy_post_processor(q->post_processor) != MHD_YES &&
		!q->refused)
		q->refused = MHD_HTTP_BAD_REQUEST;
	q->post_processor = NULL;
}

enum MHD_Result
web_request_step(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
	const char *version, const char *bytes, size_t *len, void **state)
{
	struct web_request *q = *state;

	(void)version;
	if (q && *len > 0) {
		body_take(q, bytes, *len);
		*len = 0;
		return MHD_YES;
	}
	if (q) {
		body_end(q);
		return request_answer(q);
	}
	q = calloc(1, sizeof *q);
	if (!q)
		return MHD_NO;
	*state = q;
	q->web = cls;
	q->connection = connection;
	q->status = MHD_HTTP_OK;
	q->type = "text/html; charset=utf-8";
	q->upload_fd = -1;
	request_check(q, url, method);
	if (q->refused)
		return request_answer(q);
	if (q->route->upload)
		web_visitor_patient(connection);
	return q->post && body_begin(q) != 0 ? MHD_NO : MHD_YES;
}

void
web_request_done(void *cls, struct MHD_Connection *connection, void **state,
	enum MHD_RequestTerminationCode code)
{
	struct web_request *q = *state;

	(void)cls, (void)code;
	if (!q)
		return;
	body_end(q);
	if (q->fields)
		explicit_bzero(q->fields, WEB_FIELDS_MAX * sizeof *q->fields);
	free(q->fields);
	if (q->upload_fd >= 0) {
		close(q->upload_fd);
		unlink(q->upload_path);
	}
	if (q->upload_folder[0])
		rmdir(q->upload_folder);
	web_visitor_ready(connection);
	buf_done(&q->html.buf);
	ledger_close(q->ledger);
	free(q);
	*state = NULL;
}
