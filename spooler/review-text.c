/*
 * review-text.c - the text that a reviewer signs.
 *
 * Owns its form. It is plain lines, so that a person can read what was signed and openssl can check
 * it without this program:
 *
 *   cardspool failure review, format 1
 *   ledger: UUID                     the ledger's own name
 *   reviewer: NAME
 *   key: SHA256:HEX                  fingerprint of the reviewer's public key
 *   signed: 2026-11-21T04:00:00Z
 *   records: N
 *
 *   record 17
 *   event 123 failure-recorded HASH  each event of the record with its hash in the chain
 *     card: 3                        and all of its data, keys sorted
 *     cause: the card is jammed
 *   event 127 failure-cleared HASH
 *     …
 *
 * A line break, another control character or a backslash in a value is \n or \xHH. Guarantees: the
 * same records give the same bytes, at any time and on any host; a value cannot look like a line.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

void
time_utc(char out[24], int64_t ms)
{
	time_t at = (time_t)(ms / 1000);
	struct tm tm;

	if (!gmtime_r(&at, &tm) || strftime(out, 24, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(out, 24, "-");
}

int
line_escape(struct buf *out, const char *text, struct err *e)
{
	int rc = 0;

	for (const unsigned char *at = (const unsigned char *)text; *at && rc == 0; at++)
		if (*at == '\n')
			rc = buf_append(out, "\\n", 2, e);
		else if (*at < 0x20 || *at == 0x7f || *at == '\\')
			rc = buf_printf(out, e, "\\x%02x", *at);
		else
			rc = buf_append(out, at, 1, e);
	return rc;
}

static int
key_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int
value_add(struct buf *out, const char *key, const json_t *value, struct err *e)
{
	int rc = buf_printf(out, e, "  %s: ", key);

	if (rc == 0 && json_is_integer(value))
		rc = buf_printf(out, e, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (rc == 0 && json_is_string(value))
		rc = line_escape(out, json_string_value(value), e);
	return rc == 0 ? buf_append(out, "\n", 1, e) : rc;
}

static int
data_add(struct buf *out, const char *text, struct err *e)
{
	enum { KEYS_MAX = 64 };
	json_t *data = json_loads(text, 0, NULL), *value;
	const char *keys[KEYS_MAX], *key;
	size_t n = 0;
	int rc = 0;

	json_object_foreach(data, key, value) if (n < KEYS_MAX) keys[n++] = key;
	if (n > 0)
		qsort(keys, n, sizeof keys[0], key_compare);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = value_add(out, keys[i], json_object_get(data, keys[i]), e);
	json_decref(data);
	return rc;
}

static int
record_add(struct ledger *l, int64_t id, int64_t before, struct buf *out, struct err *e)
{
	static const char sql[] =
		"SELECT seq, kind, hash, data FROM event WHERE seq IN (SELECT recorded FROM "
		"failure WHERE id = ?1 UNION SELECT closed FROM failure WHERE id = ?1 UNION SELECT "
		"event FROM failure_note WHERE failure = ?1) AND seq < ?2 ORDER BY seq";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int step = 0, rc;

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "ii", id, before);
	rc = buf_printf(out, e, "\nrecord %" PRId64 "\n", id);
	while (rc == 0 && (step = ledger_step(l, s, e)) == 1) {
		rc = buf_printf(out, e, "event %" PRId64 " %s %s\n",
			(int64_t)sqlite3_column_int64(s, 0), column_text(s, 1), column_text(s, 2));
		if (rc == 0)
			rc = data_add(out, column_text(s, 3), e);
	}
	sqlite3_reset(s);
	return rc == 0 && step < 0 ? step : rc;
}

int
ledger_name(struct ledger *l, char out[40], struct err *e)
{
	static const char sql[] = "SELECT ledger FROM meta";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int rc = s ? ledger_step(l, s, e) : ERR_INTERNAL;

	out[0] = '\0';
	if (rc == 1) {
		snprintf(out, 40, "%s", column_text(s, 0));
		sqlite3_reset(s);
	}
	return rc < 0 ? rc : 0;
}

int
review_text(struct ledger *l, const int64_t *ids, size_t n, const char *person,
	const char *fingerprint, int64_t at, int64_t before, struct buf *out, struct err *e)
{
	char name[40], when[24];
	int rc = ledger_name(l, name, e);

	time_utc(when, at);
	if (rc == 0)
		rc = buf_printf(out, e,
			"cardspool failure review, format 1\nledger: %s\nreviewer: %s\nkey: "
			"%s\nsigned: %s\nrecords: %zu\n",
			name, person, fingerprint, when, n);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = record_add(l, ids[i], before, out, e);
	return rc == 0 ? buf_append(out, "", 1, e) : rc;
}
