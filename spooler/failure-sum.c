/*
 * failure-sum.c - what the failure log adds up to.
 *
 * Owns the figures of the report: one walk over the records of a period, in memory that does not
 * grow with their number. Guarantees: figures of one call come from one moment of the ledger; what
 * the ledger does not know is 0 and shown as such, never guessed. Reads only.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/report.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum { MONTHS_BACK = 3, CLEAR_MAX_S = 8 * 86400 };
#define OTHER_CAUSES "other causes"

const char *const fault_kind_names[KIND_COUNT] = {
	[KIND_JAM] = "Jams",
	[KIND_SUPPLY] = "Supplies and handling",
	[KIND_CHIP] = "Chip",
	[KIND_OTHER] = "Connection and host",
};

/* By how its code begins; what no row names is KIND_OTHER. */
static const struct {
	const char *prefix;
	enum fault_kind kind;
} kinds[] = {
	{"jam-", KIND_JAM},
	{"mechanical", KIND_JAM},
	{"hopper-", KIND_SUPPLY},
	{"cover-", KIND_SUPPLY},
	{"ribbon-", KIND_SUPPLY},
	{"output-", KIND_SUPPLY},
	{"reject-", KIND_SUPPLY},
	{"cleaning-", KIND_SUPPLY},
	{"head-", KIND_SUPPLY},
	{"no-chip", KIND_CHIP},
	{"chip-", KIND_CHIP},
	{"uid-", KIND_CHIP},
	{"reader-", KIND_CHIP},
};

/* Upper ends of the classes of the time to clear, s; the last class has none, open ones are beside
 * it. */
static const int64_t clear_ends_s[] = {60, 300, 900, 3600};
const char *const clear_bin_names[CLEAR_BINS] = {
	"under 1 min", "1-5 min", "5-15 min", "15-60 min", "over 1 h", "open"};

enum fault_kind
fault_kind_of(const char *code)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strncmp(code, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
			return kinds[i].kind;
	return KIND_OTHER;
}

struct report_machine *
report_machine_of(struct report *r, const char *serial, const char *model)
{
	struct report_machine *m;

	for (unsigned i = 0; i < r->n_machines; i++)
		if (strcmp(r->machines[i].serial, serial) == 0)
			return &r->machines[i];
	/* The last place is for those that find none. */
	if (r->n_machines >= REPORT_MACHINES_MAX - 1 && serial[0])
		return report_machine_of(r, "", "");
	m = &r->machines[r->n_machines++];
	snprintf(m->serial, sizeof m->serial, "%s", serial);
	snprintf(m->model, sizeof m->model, "%s", model);
	return m;
}

static struct report_cause *
cause_of(struct report *r, const char *code)
{
	struct report_cause *c;

	for (unsigned i = 0; i < r->n_causes; i++)
		if (strcmp(r->causes[i].code, code) == 0)
			return &r->causes[i];
	if (r->n_causes >= REPORT_CAUSES_MAX - 1 && strcmp(code, OTHER_CAUSES) != 0)
		return cause_of(r, OTHER_CAUSES);
	c = &r->causes[r->n_causes++];
	snprintf(c->code, sizeof c->code, "%s", code);
	return c;
}

/* ---- the walk over the records ---- */

struct walk {
	struct report *r;
	const struct ribbon_loads *loads;
	uint32_t
		*clear_s; /* how many were cleared after so many seconds; longer ones in the last */
	int64_t clear_ms, overdue_ms;
	unsigned n_clear, bin;
};

struct walk_row {
	int64_t at, cleared, cards_lost, panels_lost, review;
	const char *code, *serial, *model;
};
#define WALK_SELECT                                                                                \
	"SELECT at, cleared, cards_lost, panels_lost, review, code, serial, machine FROM failure "

static void
walk_clear(struct walk *w, const struct walk_row *f, struct report_cause *cause)
{
	int64_t ms = f->cleared > f->at ? f->cleared - f->at : 0;
	unsigned bin = 0;

	if (f->cleared == 0) {
		w->r->n_open++;
		w->r->clear_bins[CLEAR_BINS - 1]++;
		return;
	}
	while (bin < ARRAY_LEN(clear_ends_s) && ms >= clear_ends_s[bin] * 1000)
		bin++;
	w->r->clear_bins[bin]++;
	cause->n_cleared++;
	cause->clear_ms += ms;
	w->clear_s[ms / 1000 < CLEAR_MAX_S ? ms / 1000 : CLEAR_MAX_S]++;
	w->clear_ms += ms;
	w->n_clear++;
}

static void
walk_machine(struct walk *w, const struct walk_row *f, enum fault_kind kind)
{
	struct report_machine *m = report_machine_of(w->r, f->serial, f->model);

	m->failures++;
	m->jams += kind == KIND_JAM;
	m->cards_lost += (unsigned)f->cards_lost;
	if (strcmp(f->code, "cleaning-due") == 0) {
		m->cleaning_due++;
		m->cleanings += f->cleared != 0;
		m->cleaned_ms = f->cleared > m->cleaned_ms ? f->cleared : m->cleaned_ms;
	}
}

/* Neighbours in the ledger are neighbours in time: the search goes on from the last place. */
static void
walk_bin(struct walk *w, int64_t at, enum fault_kind kind)
{
	struct report *r = w->r;

	while (w->bin > 0 && at < r->bins[w->bin].begin_ms)
		w->bin--;
	while (w->bin + 1 < r->n_bins && at >= r->bins[w->bin + 1].begin_ms)
		w->bin++;
	r->bins[w->bin].n[kind]++;
}

static void
walk_record(struct walk *w, const struct walk_row *f)
{
	struct report *r = w->r;
	enum fault_kind kind = fault_kind_of(f->code);
	struct report_cause *cause = cause_of(r, f->code);

	r->n++;
	cause->n++;
	r->n_jams += kind == KIND_JAM;
	r->cards_lost += (unsigned)f->cards_lost;
	r->panels_lost += (unsigned)f->panels_lost;
	r->n_reviewed += f->review != 0;
	r->n_waiting += f->review == 0;
	r->n_overdue += f->review == 0 && f->at < w->overdue_ms;
	if (f->review == 0 && (!r->waiting_since_ms || f->at < r->waiting_since_ms))
		r->waiting_since_ms = f->at;
	walk_bin(w, f->at, kind);
	walk_machine(w, f, kind);
	ribbon_failure(w->loads, r, f->serial, f->at);
	walk_clear(w, f, cause);
}

static int
cause_compare(const void *a, const void *b)
{
	const struct report_cause *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? 1 : -1;
	return strcmp(x->code, y->code);
}

static int
machine_compare(const void *a, const void *b)
{
	const struct report_machine *x = a, *y = b;

	return strcmp(x->serial, y->serial);
}

/* As many days to a bar as give at most 32 bars. */
static void
bins_lay(struct report *r)
{
	int64_t last = day_of(r->to_ms - 1, zone_at(r->to_ms - 1));
	int64_t first = day_of(r->from_ms, zone_at(r->from_ms)), days = last - first + 1;

	r->bin_days = days <= 31 ? 1 : days <= 217 ? 7 : (unsigned)((days + 31) / 32);
	r->n_bins = (unsigned)((days + r->bin_days - 1) / r->bin_days);
	for (unsigned i = 0; i < r->n_bins; i++)
		r->bins[i].begin_ms = day_begin_ms(first + (int64_t)i * r->bin_days);
}

static void
clear_figures(struct walk *w)
{
	unsigned before = 0, s = 0;

	if (w->n_clear == 0)
		return;
	while (before + w->clear_s[s] <= w->n_clear / 2)
		before += w->clear_s[s++];
	w->r->clear_median_ms = (int64_t)s * 1000;
	w->r->clear_mean_ms = w->clear_ms / w->n_clear;
}

/* An index leads to a page for each row: for a good part of the table it is faster to read it
 * through. */
static int
walk_prepare(struct ledger *l, struct report *r, sqlite3_stmt **s, struct err *e)
{
	static const struct failure_filter all = {.state = FAILURE_ANY};
	const struct failure_filter filter = {
		.machine = r->machine, .from_ms = r->from_ms, .to_ms = r->to_ms};
	int64_t n, n_all;
	int rc = failure_count(l, &filter, &n, e);

	if (rc == 0)
		rc = failure_count(l, &all, &n_all, e);
	if (rc != 0)
		return rc;
	return failure_query(
		l, &filter, WALK_SELECT, n > n_all / 8 ? "NOT INDEXED" : NULL, "", s, e);
}

static int
failures_walk(struct ledger *l, struct report *r, const struct ribbon_loads *loads, struct err *e)
{
	struct walk w = {.r = r, .loads = loads, .overdue_ms = overdue_before_ms(l, r->months)};
	sqlite3_stmt *s = NULL;
	int rc;

	bins_lay(r);
	w.clear_s = calloc(CLEAR_MAX_S + 1, sizeof *w.clear_s);
	if (!w.clear_s)
		return err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	rc = walk_prepare(l, r, &s, e);
	while (rc == 0 && (rc = ledger_step(l, s, e)) == 1) {
		const struct walk_row row = {.at = sqlite3_column_int64(s, 0),
			.cleared = sqlite3_column_int64(s, 1),
			.cards_lost = sqlite3_column_int64(s, 2),
			.panels_lost = sqlite3_column_int64(s, 3),
			.review = sqlite3_column_int64(s, 4),
			.code = column_text(s, 5),
			.serial = column_text(s, 6),
			.model = column_text(s, 7)};

		walk_record(&w, &row);
		rc = 0;
	}
	sqlite3_finalize(s);
	clear_figures(&w);
	free(w.clear_s);
	return rc;
}

/* ---- the rows that are listed ---- */

static int
row_take(void *ctx, const struct failure_row *f)
{
	struct report *r = ctx;

	r->rows[r->n_rows++].failure = *f;
	return 0;
}

static int
rows_sign(struct ledger *l, struct report *r, struct err *e)
{
	static const char sql[] = "SELECT at, substr(signature, 1, 8) FROM review WHERE event = ?";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int rc = s ? 0 : ERR_INTERNAL;

	for (size_t i = 0; i < r->n_rows && rc == 0; i++) {
		struct report_row *row = &r->rows[i];

		if (row->failure.review == 0)
			continue;
		ledger_bind(s, "i", row->failure.review);
		rc = ledger_step(l, s, e);
		if (rc == 1) {
			row->reviewed_ms = sqlite3_column_int64(s, 0);
			snprintf(row->signature, sizeof row->signature, "%s", column_text(s, 1));
		}
		rc = rc < 0 ? rc : 0;
		sqlite3_reset(s);
	}
	return rc;
}

static int
rows_found(struct ledger *l, struct report *r, struct err *e)
{
	static const char sql[] = "SELECT cause FROM failure_note WHERE failure = ? AND cause <> "
				  "'' ORDER BY event DESC LIMIT 1";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int rc = s ? 0 : ERR_INTERNAL;

	for (size_t i = 0; i < r->n_rows && rc == 0; i++) {
		struct report_row *row = &r->rows[i];

		if (row->failure.notes == 0)
			continue;
		ledger_bind(s, "i", row->failure.id);
		rc = ledger_step(l, s, e);
		if (rc == 1)
			snprintf(row->found, sizeof row->found, "%s", column_text(s, 0));
		rc = rc < 0 ? rc : 0;
		sqlite3_reset(s);
	}
	return rc;
}

static int
rows_gather(struct ledger *l, struct report *r, size_t n_rows, struct err *e)
{
	const struct failure_filter filter = {.machine = r->machine,
		.from_ms = r->from_ms,
		.to_ms = r->to_ms,
		.limit = (int64_t)n_rows};
	size_t room = r->n < n_rows ? r->n : n_rows;
	int rc;

	if (room == 0)
		return 0;
	r->rows = calloc(room, sizeof *r->rows);
	if (!r->rows)
		return err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	rc = failure_find(l, &filter, row_take, r, NULL, e);
	if (rc == 0)
		rc = rows_sign(l, r, e);
	return rc == 0 ? rows_found(l, r, e) : rc;
}

static int
report_sum(struct ledger *l, struct report *r, size_t n_rows, struct err *e)
{
	struct ribbon_loads *loads = NULL;
	int rc = ribbon_loads_read(l, r, &loads, e);

	if (rc == 0)
		rc = failures_walk(l, r, loads, e);
	if (rc == 0)
		rc = report_machines(l, r, e);
	if (rc == 0)
		rc = ribbon_lots_sum(loads, l, r, e);
	ribbon_loads_destroy(loads);
	if (rc == 0)
		rc = rows_gather(l, r, n_rows, e);
	if (rc == 0)
		rc = ledger_name(l, r->ledger, e);
	qsort(r->causes, r->n_causes, sizeof r->causes[0], cause_compare);
	qsort(r->machines, r->n_machines, sizeof r->machines[0], machine_compare);
	return rc;
}

int
report_gather(struct ledger *l, struct report *r, size_t n_rows, struct err *e)
{
	int64_t day;
	int rc;

	r->made_ms = l->clock_ms();
	if (r->to_ms == 0)
		r->to_ms = r->made_ms;
	if (r->from_ms == 0) {
		int64_t last = day_of(r->to_ms - 1, zone_at(r->to_ms - 1));

		day = last - 31 * MONTHS_BACK;
		while (day_kept(day, MONTHS_BACK) < last)
			day++;
		r->from_ms = day_begin_ms(day);
	}
	if (r->from_ms >= r->to_ms)
		return err_set(e, ERR_USAGE, "%s", _("The period ends before it begins."));
	if (sqlite3_exec(l->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		return ledger_error(l, sqlite3_errcode(l->db), e);
	rc = report_sum(l, r, n_rows, e);
	sqlite3_exec(l->db, "COMMIT", NULL, NULL, NULL);
	if (rc != 0)
		report_done(r);
	return rc;
}

void
report_done(struct report *r)
{
	free(r->rows);
	r->rows = NULL;
	r->n_rows = 0;
}
