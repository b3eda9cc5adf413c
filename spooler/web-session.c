/*
 * web-session.c - who is signed in on the workshop page.
 *
 * Owns sessions, the tokens of forms and the count of wrong passphrases. Guarantees: a token is 32
 * random bytes and is compared in constant time; a session ends when it was idle too long, after
 * WEB_LIFE_MS in any case, and with all others of its person when that name is locked; a name that
 * nobody has is counted and locked like any other, so that an answer does not tell who exists, and
 * never pushes a real person's count out. Nothing here is kept over a restart.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/web.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

/* Wrong passphrases that are older than this are forgotten. */
enum { TRY_MEMORY_MS = 15 * 60 * 1000 };

int
web_token_make(char out[WEB_TOKEN_TEXT], struct err *e)
{
	uint8_t bytes[WEB_TOKEN_LEN];

	out[0] = '\0';
	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return err_set(e, ERR_SYSTEM, "%s", _("The system gives no random numbers."));
	hex_build(out, bytes, sizeof bytes);
	explicit_bzero(bytes, sizeof bytes);
	return 0;
}

bool
web_token_same(const char *a, const char *b)
{
	size_t n = strlen(a);

	return n == WEB_TOKEN_TEXT - 1 && strlen(b) == n && CRYPTO_memcmp(a, b, n) == 0;
}

int
web_sessions_init(struct web_sessions *s, int64_t idle_ms, struct err *e)
{
	memset(s, 0, sizeof *s);
	s->idle_ms = idle_ms;
	if (RAND_bytes(s->secret, sizeof s->secret) != 1)
		return err_set(e, ERR_SYSTEM, "%s", _("The system gives no random numbers."));
	return 0;
}

void
web_visitor_form(const struct web_sessions *s, const char *cookie, char out[WEB_TOKEN_TEXT])
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	out[0] = '\0';
	if (HMAC(EVP_sha256(), s->secret, sizeof s->secret, (const uint8_t *)cookie, strlen(cookie),
		    mac, &len) &&
		len == WEB_TOKEN_LEN)
		hex_build(out, mac, len);
}

/* ---- sessions ---- */

void
web_session_end(struct web_session *session)
{
	explicit_bzero(session, sizeof *session);
}

void
web_sessions_end(struct web_sessions *s, const char *name)
{
	for (size_t i = 0; i < WEB_SESSIONS_MAX; i++)
		if (s->list[i].token[0] && strcmp(s->list[i].name, name) == 0)
			web_session_end(&s->list[i]);
}

static bool
session_over(const struct web_sessions *s, const struct web_session *at, int64_t now_ms)
{
	return now_ms - at->seen_ms >= s->idle_ms || now_ms - at->begun_ms >= WEB_LIFE_MS;
}

int
web_session_begin(struct web_sessions *s, const char *name, int64_t now_ms,
	struct web_session **out, struct err *e)
{
	struct web_session *at = &s->list[0];
	int rc;

	for (size_t i = 0; i < WEB_SESSIONS_MAX && at->token[0]; i++)
		if (!s->list[i].token[0] || session_over(s, &s->list[i], now_ms) ||
			s->list[i].seen_ms < at->seen_ms)
			at = &s->list[i];
	web_session_end(at);
	snprintf(at->name, sizeof at->name, "%s", name);
	at->begun_ms = at->seen_ms = now_ms;
	rc = web_token_make(at->form, e);
	if (rc == 0)
		rc = web_token_make(at->token, e);
	*out = rc == 0 ? at : NULL;
	return rc;
}

struct web_session *
web_session_find(struct web_sessions *s, const char *token, int64_t now_ms, bool touch)
{
	struct web_session *found = NULL;

	for (size_t i = 0; i < WEB_SESSIONS_MAX; i++)
		if (web_token_same(s->list[i].token, token))
			found = &s->list[i];
	if (found && session_over(s, found, now_ms)) {
		web_session_end(found);
		return NULL;
	}
	if (found && touch)
		found->seen_ms = now_ms;
	return found;
}

/* ---- wrong passphrases ---- */

static const struct web_try *
try_find(const struct web_sessions *s, const char *name)
{
	for (size_t i = 0; i < WEB_TRIES_MAX; i++)
		if (s->tries[i].name[0] && strcmp(s->tries[i].name, name) == 0)
			return &s->tries[i];
	return NULL;
}

/* A free row, else the oldest of a name that nobody has, else the oldest. */
static struct web_try *
try_take(struct web_sessions *s, bool known)
{
	struct web_try *at = NULL;

	for (size_t i = 0; i < WEB_TRIES_MAX; i++) {
		struct web_try *t = &s->tries[i];

		if (!t->name[0])
			return t;
		if (t->known && !known)
			continue;
		if (!at || (at->known && !t->known) ||
			(at->known == t->known && t->last_ms < at->last_ms))
			at = t;
	}
	return at;
}

bool
web_locked(const struct web_sessions *s, const char *name, int64_t now_ms)
{
	const struct web_try *t = try_find(s, name);

	return t && now_ms < t->until_ms;
}

bool
web_wrong(struct web_sessions *s, const char *name, bool known, int64_t now_ms)
{
	struct web_try *t = (struct web_try *)(uintptr_t)try_find(s, name);

	if (!t) {
		t = try_take(s, known);
		if (!t) /* only real persons' counts are there */
			return false;
		memset(t, 0, sizeof *t);
		snprintf(t->name, sizeof t->name, "%s", name);
		t->known = known;
	}
	if (now_ms - t->last_ms > TRY_MEMORY_MS)
		t->wrong = 0;
	t->last_ms = now_ms;
	if (++t->wrong < WEB_TRIES)
		return false;
	t->wrong = 0;
	t->until_ms = now_ms + WEB_LOCK_MS;
	return true;
}

void
web_right(struct web_sessions *s, const char *name)
{
	struct web_try *t = (struct web_try *)(uintptr_t)try_find(s, name);

	if (t)
		memset(t, 0, sizeof *t);
}

/* ---- where a redirect may go ---- */

bool
web_path_own(const char *path)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				   "/-._~?&=%+";

	return path[0] == '/' && path[1] != '/' && strlen(path) < 200 &&
	       path[strspn(path, good)] == '\0' && !strstr(path, "..");
}
