/*
 * report-table.c - the tables of the failure report, for paper and screen.
 *
 * Owns which columns there are and what stands in a cell: a line, and up to three fainter ones
 * below. Guarantees: what is not known is said in words, and a cell that is cut ends at a whole
 * character.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

static void __attribute__((format(printf, 3, 4)))
cell_put(struct report_cell *c, size_t line, const char *format, ...)
{
	char *text = c->line[line];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, REPORT_CELL, format, ap);
	va_end(ap);
	if (n < REPORT_CELL)
		return;
	n = REPORT_CELL - 1;
	while (n > 0 && ((unsigned char)text[n - 1] & 0xc0) == 0x80)
		n--;
	text[n > 0 ? n - 1 : 0] = '\0';
}

static double
per_thousand(unsigned n, unsigned cards)
{
	return cards ? 1000.0 * n / cards : 0;
}

/* ---- machines ---- */

static const char *
machine_name(enum language l, const struct report_machine *m)
{
	return m->serial[0] || m->model[0] ? m->model : say(l, "other machines");
}

static size_t
machines_count(const struct report *r)
{
	return r->n_machines;
}

static void
machine_row(const struct report *r, enum language l, size_t i, struct report_cell *cells)
{
	const struct report_machine *m = &r->machines[i];
	char text[32];

	cell_put(&cells[0], 0, "%s", machine_name(l, m));
	cell_put(&cells[0], 1, "%s", m->serial);
	cell_put(&cells[1], 0, "%u", m->cards);
	cell_put(&cells[2], 0, "%u", m->failures);
	if (m->cards)
		cell_put(&cells[3], 0, "%.1f", per_thousand(m->failures, m->cards));
	else
		cell_put(&cells[3], 0, "-");
	cell_put(&cells[4], 0, "%u", m->jams);
	say_duration(l, text, sizeof text, m->jams ? m->work_ms / m->jams : 0);
	cell_put(&cells[5], 0, "%s", m->jams ? text : say(l, "no jam"));
	cell_put(&cells[6], 0, "%u", m->cards_lost);
}

static void
wear_row(const struct report *r, enum language l, size_t i, struct report_cell *cells)
{
	const struct report_machine *m = &r->machines[i];
	char text[32];

	cell_put(&cells[0], 0, "%s", machine_name(l, m));
	cell_put(&cells[0], 1, "%s", m->serial);
	cell_put(&cells[1], 0, "%" PRId64, m->prints);
	cell_put(&cells[2], 0, "%.1f %%", 100.0 * (double)m->prints / (double)m->head_life);
	cell_put(&cells[2], 1, "%s %" PRId64, say(l, "of"), m->head_life);
	cell_put(&cells[3], 0, "%u", m->cleaning_due);
	cell_put(&cells[4], 0, "%u", m->cleanings);
	say_day(text, sizeof text, m->cleaned_ms);
	cell_put(&cells[5], 0, "%s", m->cleaned_ms ? text : say(l, "none in the period"));
	if (m->cleaned_ms)
		cell_put(&cells[6], 0, "%" PRId64, m->since_cleaning);
	else
		cell_put(&cells[6], 0, "-");
}

/* ---- ribbon lots ---- */

/* Only "not recorded" is no table. */
static size_t
lots_count(const struct report *r)
{
	return r->n_lots == 1 && !r->lots[0].lot[0] ? 0 : r->n_lots;
}

static void
lot_row(const struct report *r, enum language l, size_t i, struct report_cell *cells)
{
	const struct report_lot *lot = &r->lots[i];

	cell_put(&cells[0], 0, "%s", lot->lot[0] ? lot->lot : say(l, "not recorded"));
	cell_put(&cells[1], 0, "%u", lot->cards);
	cell_put(&cells[2], 0, "%u", lot->failures);
	if (lot->cards)
		cell_put(&cells[3], 0, "%.1f", per_thousand(lot->failures, lot->cards));
	else
		cell_put(&cells[3], 0, "-");
}

/* ---- causes ---- */

static size_t
causes_count(const struct report *r)
{
	return r->n_causes;
}

static void
cause_row(const struct report *r, enum language l, size_t i, struct report_cell *cells)
{
	const struct report_cause *c = &r->causes[i];
	char text[32];

	cell_put(&cells[0], 0, "%s", say_fault(l, c->code));
	cell_put(&cells[1], 0, "%s", c->code);
	cell_put(&cells[2], 0, "%u", c->n);
	cell_put(&cells[3], 0, "%.1f %%", 100.0 * c->n / r->n);
	say_duration(l, text, sizeof text, c->n_cleared ? c->clear_ms / c->n_cleared : 0);
	cell_put(&cells[4], 0, "%s", c->n_cleared ? text : "-");
}

/* ---- records ---- */

static size_t
records_count(const struct report *r)
{
	return r->n_rows;
}

static void
record_cause(const struct report_row *row, enum language l, struct report_cell *c)
{
	const struct failure_row *f = &row->failure;
	size_t line = 0;

	cell_put(c, line++, "%s", say_fault(l, f->code));
	if (f->raw[0])
		cell_put(c, line++, "%s", f->raw);
	if (f->done[0])
		cell_put(c, line++, "%s", say(l, f->done));
	if (row->found[0])
		cell_put(c, line++, "%s: %s", say(l, "found"), row->found);
}

static void
record_row(const struct report *r, enum language l, size_t i, struct report_cell *cells)
{
	const struct report_row *row = &r->rows[i];
	const struct failure_row *f = &row->failure;
	char text[32];

	cell_put(&cells[0], 0, "%" PRId64, f->id);
	say_time(text, sizeof text, f->at);
	cell_put(&cells[1], 0, "%s", text);
	say_duration(l, text, sizeof text, f->cleared - f->at);
	cell_put(&cells[1], 1, "%s %s", say(l, f->cleared ? "cleared after" : "open"),
		f->cleared ? text : "");
	cell_put(&cells[2], 0, "%s", f->machine);
	cell_put(&cells[2], 1, "%s", f->serial);
	cell_put(&cells[3], 0, "%s", f->order);
	if (f->card)
		cell_put(&cells[3], 1, "%u · %s", f->card, f->holder_masked);
	record_cause(row, l, &cells[4]);
	cell_put(&cells[5], 0, "%s", f->operator_name);
	if (!f->review) {
		cell_put(&cells[6], 1, "%s", say(l, "not signed"));
		return;
	}
	say_day(text, sizeof text, row->reviewed_ms);
	cell_put(&cells[6], 0, "%s", f->reviewer);
	cell_put(&cells[6], 1, "%s %s…", text, row->signature);
}

/* ---- what there is ---- */

static const struct report_column machine_columns[] = {{"Machine", 0, 128, false},
	{"Cards", 132, 46, true}, {"Failures", 182, 52, true}, {"per 1,000 cards", 238, 74, true},
	{"Jams", 316, 44, true}, {"Between jams", 364, 70, true}, {"Cards lost", 440, 71, true}};
static const struct report_column wear_columns[] = {{"Machine", 0, 128, false},
	{"Head: prints", 132, 62, true}, {"Rated life used", 198, 74, true},
	{"Cleaning due", 276, 62, true}, {"Cleaned", 342, 48, true},
	{"Last cleaning", 402, 66, false}, {"Cards since", 460, 51, true}};
static const struct report_column lot_columns[] = {{"Ribbon lot", 0, 180, false},
	{"Cards", 184, 60, true}, {"Failures", 250, 60, true}, {"per 1,000 cards", 316, 80, true}};
static const struct report_column cause_columns[] = {{"Cause", 0, 190, false},
	{"Code", 196, 90, false}, {"Number", 290, 50, true}, {"Share", 346, 60, true},
	{"Mean time to clear", 410, 101, true}};
static const struct report_column record_columns[] = {{"No.", 0, 24, false},
	{"When", 26, 72, false}, {"Machine", 102, 70, false}, {"Order, card", 176, 58, false},
	{"Cause, what was done", 238, 150, false}, {"Operator", 392, 38, false},
	{"Reviewed by", 434, 77, false}};

#define COLUMNS(c) c, ARRAY_LEN(c)

const struct report_table report_tables[REPORT_TABLES] = {
	[REPORT_MACHINES] = {"By machine", NULL,
		"Between jams: working time of the jobs that began in the period, by the number of "
		"jams.",
		COLUMNS(machine_columns), machines_count, machine_row},
	[REPORT_WEAR] = {"Print heads and cleaning", NULL,
		"Prints are those of this ledger. A head that was replaced is not known to it.",
		COLUMNS(wear_columns), machines_count, wear_row},
	[REPORT_LOTS] = {"By ribbon lot",
		"Not recorded: the printers do not report it. Enter it with: cardspool ribbon load",
		NULL, COLUMNS(lot_columns), lots_count, lot_row},
	[REPORT_CAUSES] = {"Mean time to clear, by cause", NULL, NULL, COLUMNS(cause_columns),
		causes_count, cause_row},
	[REPORT_RECORDS] = {"Records", NULL, NULL, COLUMNS(record_columns), records_count,
		record_row},
};
