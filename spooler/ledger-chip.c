/*
 * ledger-chip.c - what happened to a chip after its card was made.
 *
 * Owns the events of a change at a desk: chip-change-began is its intent, chip-change-done its
 * outcome, chip-change-stopped a try that failed and leaves the intent open; chip-shown is a look
 * at whole values. They are about a card where the ledger knows one, else about the UID alone.
 * Guarantees: as every event, on disk and chained when the call returns 0.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/chip-desk.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

int
ledger_chip_event(struct ledger *l, const char *kind, const struct card_row *card, const char *uid,
	json_t *data, struct err *e)
{
	if (!data || json_object_set_new(data, "uid", json_string(uid)) != 0) {
		json_decref(data);
		return err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	}
	int rc = ledger_begin(l, e);
	if (rc) {
		json_decref(data);
		return rc;
	}
	rc = ledger_append(l, kind, card->id ? card->key.job_uuid : "", card->id, NULL, data, e);
	return ledger_end(l, rc, e);
}

static void
change_fill(struct chip_change *out, const json_t *data, const char *kind)
{
	const struct {
		const char *name;
		char *text;
		size_t max;
	} texts[] = {{"verb", out->verb, sizeof out->verb},
		{"before", out->before, sizeof out->before},
		{"after", out->after, sizeof out->after}};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const char *text = json_string_value(json_object_get(data, texts[i].name));
		if (text)
			snprintf(texts[i].text, texts[i].max, "%s", text);
	}
	out->open = strcmp(kind, "chip-change-began") == 0;
	const char *sealed = json_string_value(json_object_get(data, "sealed"));
	if (out->open && sealed)
		out->sealed = strdup(sealed);
}

int
ledger_chip_change(struct ledger *l, const char *uid, struct chip_change *out, struct err *e)
{
	static const char sql[] =
		"SELECT seq, kind, data FROM event WHERE " EVENT_CHIP " AND " EVENT_CHIP_NUMBER
		" = ? AND kind IN ('chip-change-began', 'chip-change-done') "
		"ORDER BY seq DESC LIMIT 1";
	sqlite3_stmt *s = ledger_statement(l, sql, e);

	*out = (struct chip_change){0};
	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "t", uid);
	int rc = ledger_step(l, s, e);
	if (rc != 1)
		return rc;
	json_t *data = json_loads(column_text(s, 2), 0, NULL);
	out->began = sqlite3_column_int64(s, 0);
	change_fill(out, data, column_text(s, 1));
	json_decref(data);
	sqlite3_reset(s);
	return 0;
}

int
ledger_chip_issued(struct ledger *l, const char *uid, bool *issued, struct err *e)
{
	/* Only a void takes it back. A change begins on somebody's card only; a tag has no void. */
	static const char sql[] =
		"SELECT kind <> 'chip-life' OR json_extract(data, '$.verb') = 'personalise' FROM "
		"event WHERE " EVENT_CHIP " AND " EVENT_CHIP_NUMBER
		" = ? AND (kind = 'chip-change-began' OR (kind IN ('chip-life', 'chip-tag') AND "
		"json_extract(data, '$.phase') = 'done' AND "
		"coalesce(json_extract(data, '$.verb'), '') <> 'init')) ORDER BY seq DESC LIMIT 1";
	sqlite3_stmt *s = ledger_statement(l, sql, e);

	*issued = false;
	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "t", uid);
	int rc = ledger_step(l, s, e);
	if (rc != 1)
		return rc;
	*issued = sqlite3_column_int(s, 0) != 0;
	sqlite3_reset(s);
	return 0;
}

int
ledger_chips(struct ledger *l, chip_visitor *visit, void *ctx, struct err *e)
{
	/* A chip that was made anew after its card was declared void counts by its last card; one
	 * that no card has, by what was last done to it at a desk. */
	static const char sql[] =
		"WITH life AS (SELECT seq, json_extract(data, '$.number') AS uid, "
		"json_extract(data, '$.verb') AS verb FROM event WHERE kind = 'chip-life' AND "
		"json_extract(data, '$.chip') = 'mf1' AND json_extract(data, '$.phase') = 'done' "
		"AND "
		"json_extract(data, '$.verb') <> 'init') "
		"SELECT uid, state = 'void' FROM card AS c WHERE uid <> '' AND state IN ('done', "
		"'void') AND NOT EXISTS (SELECT 1 FROM card WHERE uid = c.uid AND state IN "
		"('done', "
		"'void') AND id > c.id) "
		"UNION ALL SELECT uid, verb = 'void' FROM life AS f WHERE NOT EXISTS (SELECT 1 "
		"FROM life "
		"WHERE uid = f.uid AND seq > f.seq) AND NOT EXISTS (SELECT 1 FROM card WHERE uid = "
		"f.uid "
		"AND state IN ('done', 'void')) ORDER BY 1";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int rc;

	if (!s)
		return ERR_INTERNAL;
	while ((rc = ledger_step(l, s, e)) == 1) {
		rc = visit(ctx, column_text(s, 0), sqlite3_column_int(s, 1) != 0);
		if (rc) {
			sqlite3_reset(s);
			return rc;
		}
	}
	return rc;
}

int64_t
ledger_last_time(struct ledger *l, struct err *e)
{
	static const char sql[] = "SELECT at FROM event ORDER BY seq DESC LIMIT 1";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int64_t at = 0;

	if (s && ledger_step(l, s, e) == 1) {
		at = sqlite3_column_int64(s, 0);
		sqlite3_reset(s);
	}
	return at;
}
