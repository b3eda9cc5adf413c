/*
 * test-web-session.c - sessions, locks and tokens of the workshop page, with a clock of our own.
 *
 * The token of a visitor's form was worked out with Python's hmac.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/web.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE INT64_C(60000)

static struct web_sessions s;

static int
fresh(void **state)
{
	(void)state;
	return web_sessions_init(&s, 15 * MINUTE, NULL);
}

static struct web_session *
begin(const char *name, int64_t now)
{
	struct web_session *session;

	assert_int_equal(web_session_begin(&s, name, now, &session, NULL), 0);
	return session;
}

static void
session_idle(void **state)
{
	char token[WEB_TOKEN_TEXT];

	(void)state;
	snprintf(token, sizeof token, "%s", begin("chen", 1000)->token);
	assert_int_equal(strlen(token), 64);
	/* Looking without touching does not lengthen it. */
	assert_non_null(web_session_find(&s, token, 1000 + 14 * MINUTE, false));
	assert_null(web_session_find(&s, token, 1000 + 15 * MINUTE, true));
	assert_null(web_session_find(&s, token, 1000, true));
	/* Touched each time it lives on, until it is too old whatever happens. */
	snprintf(token, sizeof token, "%s", begin("chen", 0)->token);
	for (int64_t now = 0; now < WEB_LIFE_MS; now += 14 * MINUTE)
		assert_non_null(web_session_find(&s, token, now, true));
	assert_null(web_session_find(&s, token, WEB_LIFE_MS, true));
}

static void
session_tokens(void **state)
{
	char token[WEB_TOKEN_TEXT], short_one[8] = "abc";
	struct web_session *a = begin("chen", 0), *b = begin("chen", 0);

	(void)state;
	assert_string_not_equal(a->token, b->token);
	assert_string_not_equal(a->token, a->form);
	assert_null(web_session_find(&s, "", 0, true));
	assert_null(web_session_find(&s, short_one, 0, true));
	snprintf(token, sizeof token, "%s", a->token);
	token[63] = token[63] == '0' ? '1' : '0';
	assert_null(web_session_find(&s, token, 0, true));
	assert_ptr_equal(web_session_find(&s, b->token, 0, true), b);
	web_session_end(b);
	assert_non_null(web_session_find(&s, a->token, 0, true));
	assert_false(web_token_same("", ""));
	assert_false(web_token_same(a->token, ""));
}

static void
sessions_full(void **state)
{
	char first[WEB_TOKEN_TEXT], second[WEB_TOKEN_TEXT];

	(void)state;
	snprintf(first, sizeof first, "%s", begin("first", 1)->token);
	snprintf(second, sizeof second, "%s", begin("second", 2)->token);
	for (int i = 2; i < WEB_SESSIONS_MAX; i++)
		begin("more", 10);
	assert_non_null(web_session_find(&s, first, 20, true));
	begin("one too many", 30);
	/* The one that nobody used longest made room. */
	assert_non_null(web_session_find(&s, first, 40, true));
	assert_null(web_session_find(&s, second, 40, true));
	web_sessions_end(&s, "more");
	assert_non_null(web_session_find(&s, first, 40, true));
	begin("again", 50);
	assert_non_null(web_session_find(&s, first, 60, true));
}

static void
lock_after_three(void **state)
{
	(void)state;
	assert_false(web_wrong(&s, "chen", true, 0));
	assert_false(web_wrong(&s, "chen", true, 1));
	assert_false(web_locked(&s, "chen", 2));
	assert_true(web_wrong(&s, "chen", true, 2));
	assert_true(web_locked(&s, "chen", 2));
	assert_true(web_locked(&s, "chen", 2 + WEB_LOCK_MS - 1));
	assert_false(web_locked(&s, "chen", 2 + WEB_LOCK_MS));
	assert_false(web_locked(&s, "li", 3));
	/* After the lock there are three again. */
	assert_false(web_wrong(&s, "chen", true, WEB_LOCK_MS + 10));
	assert_false(web_wrong(&s, "chen", true, WEB_LOCK_MS + 11));
	assert_true(web_wrong(&s, "chen", true, WEB_LOCK_MS + 12));
}

static void
right_forgets(void **state)
{
	(void)state;
	web_wrong(&s, "chen", true, 0);
	web_wrong(&s, "chen", true, 1);
	web_right(&s, "chen");
	assert_false(web_wrong(&s, "chen", true, 2));
	assert_false(web_wrong(&s, "chen", true, 3));
	/* And so does time: a slip a day locks nobody. */
	assert_false(web_wrong(&s, "chen", true, 24 * 60 * MINUTE));
	assert_false(web_wrong(&s, "chen", true, 48 * 60 * MINUTE));
}

static void
strangers_push_nobody_out(void **state)
{
	char name[16];

	(void)state;
	web_wrong(&s, "chen", true, 0);
	web_wrong(&s, "chen", true, 0);
	for (int i = 0; i < 4 * WEB_TRIES_MAX; i++) {
		snprintf(name, sizeof name, "nobody-%d", i);
		web_wrong(&s, name, false, 1 + i);
	}
	assert_true(web_wrong(&s, "chen", true, 5000));
	/* With real names everywhere, strangers are not counted, real ones are. */
	for (int i = 0; i < 2 * WEB_TRIES_MAX; i++) {
		snprintf(name, sizeof name, "person-%d", i);
		web_wrong(&s, name, true, 6000 + i);
	}
	assert_false(web_wrong(&s, "stranger", false, 7000));
	assert_false(web_wrong(&s, "stranger", false, 7000));
	assert_false(web_wrong(&s, "stranger", false, 7000));
}

static void
visitor_form(void **state)
{
	char form[WEB_TOKEN_TEXT], other[WEB_TOKEN_TEXT];

	(void)state;
	memset(s.secret, 7, sizeof s.secret);
	web_visitor_form(&s, "a cookie", form);
	assert_string_equal(
		form, "d52cb5c7d35af9c1274f72362646bc80ac9a6780730eb8f07105daa92eb25930");
	web_visitor_form(&s, "b cookie", other);
	assert_string_not_equal(form, other);
}

static void
paths(void **state)
{
	static const char *const good[] = {"/", "/record?id=1", "/failures?state=open&n=5"};
	static const char *const bad[] = {"", "record", "//evil.example/", "/\\evil", "/../x",
		"/a b", "/x\r\nSet-Cookie: a=b", "http://evil/"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(web_path_own(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(web_path_own(bad[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(session_idle, fresh),
		cmocka_unit_test_setup(session_tokens, fresh),
		cmocka_unit_test_setup(sessions_full, fresh),
		cmocka_unit_test_setup(lock_after_three, fresh),
		cmocka_unit_test_setup(right_forgets, fresh),
		cmocka_unit_test_setup(strangers_push_nobody_out, fresh),
		cmocka_unit_test_setup(visitor_form, fresh),
		cmocka_unit_test_setup(paths, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
