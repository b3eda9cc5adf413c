/*
 * failure-lot.c - which ribbon lot was in which machine, and what it cost.
 *
 * No printer tells the lot of its ribbon; a person who changes one enters it (`ribbon load`), which
 * is an event of the ledger. Owns the reading of these events and the sums by lot. Guarantees: what
 * happened before the first entry for a machine counts as "not recorded", never as somebody's lot.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/report.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* So many events before the period are searched for the ribbon that was in a machine then. */
enum { EVENTS_BACK = 200000, LOADS_MAX = 100000 };

struct ribbon_load {
	char serial[64];
	int64_t at;
	unsigned lot;
};
struct ribbon_loads {
	struct ribbon_load *rows; /* by machine and time */
	size_t n, room;
};

int
ribbon_load(struct ledger *l, const char *serial, const char *lot, struct err *e)
{
	json_t *data;
	int rc;

	for (const char *at = lot; *at; at++)
		if ((unsigned char)*at < 0x20 || (unsigned char)*at == 0x7f)
			return err_set(e, ERR_USAGE, "%s", _("A lot has no control characters."));
	if (!lot[0] || strlen(lot) > RIBBON_LOT_MAX)
		return err_set(e, ERR_USAGE,
			_("A lot has 1 to %d characters, as printed on the ribbon's box."),
			RIBBON_LOT_MAX);
	data = json_pack("{s:s, s:s}", "serial", serial, "lot", lot);
	if (!data)
		return err_set(e, ERR_USAGE, "%s", _("The lot or the serial number is not UTF-8."));
	rc = ledger_event(l, RIBBON_LOADED, "", data, e);
	json_decref(data);
	return rc;
}

int
ribbon_known(struct ledger *l, const char *serial, struct err *e)
{
	static const char sql[] = "SELECT 1 FROM job WHERE printer_serial = ? LIMIT 1";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int rc;

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "t", serial);
	rc = ledger_step(l, s, e);
	sqlite3_reset(s);
	if (rc == 0)
		return err_set(e, ERR_MISSING,
			_("No job was made on a machine with the serial number \"%s\" yet. See: "
			  "cardspool printer list"),
			serial);
	return rc == 1 ? 0 : rc;
}

static unsigned
lot_of_name(struct report *r, const char *lot)
{
	for (unsigned i = 1; i < r->n_lots; i++)
		if (strcmp(r->lots[i].lot, lot) == 0)
			return i;
	if (r->n_lots == REPORT_LOTS_MAX)
		return REPORT_LOTS_MAX - 1; /* the last one stands for those that find no place */
	snprintf(r->lots[r->n_lots].lot, sizeof r->lots[0].lot, "%s",
		r->n_lots == REPORT_LOTS_MAX - 1 ? "…" : lot);
	return r->n_lots++;
}

static int
load_add(struct ribbon_loads *loads, const struct ribbon_load *row, struct err *e)
{
	if (loads->n == loads->room) {
		size_t room = loads->room ? 2 * loads->room : 64;
		struct ribbon_load *more = reallocarray(loads->rows, room, sizeof *more);

		if (!more)
			return err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
		loads->rows = more;
		loads->room = room;
	}
	loads->rows[loads->n++] = *row;
	return 0;
}

static int
load_compare(const void *a, const void *b)
{
	const struct ribbon_load *x = a, *y = b;
	int serial = strcmp(x->serial, y->serial);

	return serial ? serial : (x->at > y->at) - (x->at < y->at);
}

int
ribbon_loads_read(struct ledger *l, struct report *r, struct ribbon_loads **out, struct err *e)
{
	static const char sql[] =
		"SELECT at, json_extract(data, '$.serial'), json_extract(data, '$.lot') FROM event "
		"WHERE seq >= ? AND kind = '" RIBBON_LOADED "' AND at < ? ORDER BY seq LIMIT ?";
	struct ribbon_loads *loads = calloc(1, sizeof *loads);
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int64_t first = 0;
	int rc = s ? event_first(l, r->from_ms, &first, e) : ERR_INTERNAL;

	*out = loads;
	if (rc == 0 && !loads)
		rc = err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	if (rc != 0)
		return rc;
	r->n_lots = 1; /* the first: not recorded */
	ledger_bind(s, "iii", first > EVENTS_BACK ? first - EVENTS_BACK : 0, r->to_ms,
		(int64_t)LOADS_MAX);
	while (rc == 0 && (rc = ledger_step(l, s, e)) == 1) {
		struct ribbon_load row = {.at = sqlite3_column_int64(s, 0)};

		snprintf(row.serial, sizeof row.serial, "%s", column_text(s, 1));
		row.lot = lot_of_name(r, column_text(s, 2));
		rc = load_add(loads, &row, e);
	}
	sqlite3_reset(s);
	if (loads->n > 0)
		qsort(loads->rows, loads->n, sizeof *loads->rows, load_compare);
	return rc;
}

void
ribbon_loads_destroy(struct ribbon_loads *loads)
{
	if (loads)
		free(loads->rows);
	free(loads);
}

/* The last load of that machine not after a moment. */
static unsigned
lot_at(const struct ribbon_loads *loads, const char *serial, int64_t at)
{
	size_t low = 0, high = loads->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct ribbon_load *row = &loads->rows[middle];
		int order = strcmp(row->serial, serial);

		if (order < 0 || (order == 0 && row->at <= at))
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && strcmp(loads->rows[low - 1].serial, serial) == 0
		       ? loads->rows[low - 1].lot
		       : 0;
}

void
ribbon_failure(const struct ribbon_loads *loads, struct report *r, const char *serial, int64_t at)
{
	if (loads->n > 0)
		r->lots[lot_at(loads, serial, at)].failures++;
}

/* A card belongs to the lot that was in the machine when it was finished. */
static int
cards_sum(const struct ribbon_loads *loads, struct ledger *l, struct report *r, struct err *e)
{
	static const char sql[] =
		"SELECT c.printer_serial, c.changed FROM job AS j CROSS JOIN card AS c ON c.job = "
		"j.uuid WHERE j.started >= ? AND j.started < ? AND c.state NOT IN ('queued', "
		"'cancelled')";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int rc;

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "ii", r->from_ms, r->to_ms);
	while ((rc = ledger_step(l, s, e)) == 1) {
		const char *serial = column_text(s, 0);

		for (unsigned i = 0; i < r->n_machines; i++)
			if (strcmp(r->machines[i].serial, serial) == 0)
				r->lots[lot_at(loads, serial, sqlite3_column_int64(s, 1))].cards++;
	}
	sqlite3_reset(s);
	return rc;
}

int
ribbon_lots_sum(const struct ribbon_loads *loads, struct ledger *l, struct report *r, struct err *e)
{
	unsigned kept = 0;
	int rc = loads->n > 0 ? cards_sum(loads, l, r, e) : 0;

	for (unsigned i = 0; i < r->n_lots && rc == 0; i++)
		if (r->lots[i].cards > 0 || r->lots[i].failures > 0)
			r->lots[kept++] = r->lots[i];
	r->n_lots = kept;
	return rc;
}
