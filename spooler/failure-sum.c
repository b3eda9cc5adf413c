/*
 * failure-sum.c - what the failure log adds up to.
 *
 * Owns the figures of the report: one walk over the records of a period and two sums over cards and
 * jobs, whatever their number. Guarantees: figures of one call come from one moment of the ledger;
 * what the ledger does not know is 0 and shown as such, never guessed. Reads only.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/report.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_MS = 86400000, HEAD_LIFE = 50000, MONTHS_BACK = 3 };

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

static struct report_machine *
machine_of(struct report *r, const char *serial, const char *model)
{
	struct report_machine *m;

	for (unsigned i = 0; i < r->n_machines; i++)
		if (strcmp(r->machines[i].serial, serial) == 0)
			return &r->machines[i];
	if (r->n_machines == REPORT_MACHINES_MAX)
		return NULL;
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
	if (r->n_causes == REPORT_CAUSES_MAX)
		return NULL;
	c = &r->causes[r->n_causes++];
	snprintf(c->code, sizeof c->code, "%s", code);
	return c;
}

/* ---- the walk over the records ---- */

struct walk {
	struct report *r;
	int32_t *clear_s; /* of each cleared record */
	size_t n_clear, room;
	int64_t clear_ms, overdue_ms;
	int64_t first_day;
	int rc;
};

static int
clear_keep(struct walk *w, int64_t ms)
{
	if (w->n_clear == w->room) {
		size_t room = w->room ? 2 * w->room : 1024;
		int32_t *more = reallocarray(w->clear_s, room, sizeof *more);

		if (!more)
			return ERR_SYSTEM;
		w->clear_s = more;
		w->room = room;
	}
	w->clear_s[w->n_clear++] = ms / 1000 > INT32_MAX ? INT32_MAX : (int32_t)(ms / 1000);
	w->clear_ms += ms;
	return 0;
}

static void
walk_clear(struct walk *w, const struct failure_row *f, struct report_cause *cause)
{
	int64_t ms = f->cleared - f->at;
	unsigned bin = 0;

	if (f->cleared == 0) {
		w->r->n_open++;
		w->r->clear_bins[CLEAR_BINS - 1]++;
		return;
	}
	ms = ms < 0 ? 0 : ms;
	while (bin < ARRAY_LEN(clear_ends_s) && ms >= clear_ends_s[bin] * 1000)
		bin++;
	w->r->clear_bins[bin]++;
	if (cause) {
		cause->n_cleared++;
		cause->clear_ms += ms;
	}
	w->rc = clear_keep(w, ms);
}

static void
walk_machine(struct walk *w, const struct failure_row *f, enum fault_kind kind)
{
	struct report_machine *m = machine_of(w->r, f->serial, f->machine);

	if (!m)
		return;
	m->failures++;
	m->jams += kind == KIND_JAM;
	m->cards_lost += f->cards_lost;
	if (strcmp(f->code, "cleaning-due") == 0) {
		m->cleaning_due++;
		m->cleaned_ms = f->cleared > m->cleaned_ms ? f->cleared : m->cleaned_ms;
	}
}

static int
walk_record(void *ctx, const struct failure_row *f)
{
	struct walk *w = ctx;
	struct report *r = w->r;
	enum fault_kind kind = fault_kind_of(f->code);
	struct report_cause *cause = cause_of(r, f->code);
	int64_t bin = (day_of(f->at, zone_at(f->at)) - w->first_day) / r->bin_days;

	r->n++;
	r->n_jams += kind == KIND_JAM;
	r->cards_lost += f->cards_lost;
	r->panels_lost += f->panels_lost;
	r->n_reviewed += f->review != 0;
	r->n_waiting += f->review == 0;
	r->n_overdue += f->review == 0 && f->at < w->overdue_ms;
	if (bin >= 0 && bin < (int64_t)r->n_bins)
		r->bins[bin].n[kind]++;
	if (cause)
		cause->n++;
	walk_machine(w, f, kind);
	walk_clear(w, f, cause);
	return w->rc;
}

static int
seconds_compare(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
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
bins_lay(struct report *r, struct walk *w)
{
	int64_t last = day_of(r->to_ms - 1, zone_at(r->to_ms - 1));
	int64_t days;

	w->first_day = day_of(r->from_ms, zone_at(r->from_ms));
	days = last - w->first_day + 1;
	r->bin_days = days <= 31 ? 1 : days <= 217 ? 7 : (unsigned)((days + 31) / 32);
	r->n_bins = (unsigned)((days + r->bin_days - 1) / r->bin_days);
	if (r->n_bins > REPORT_BINS_MAX)
		r->n_bins = REPORT_BINS_MAX;
	for (unsigned i = 0; i < r->n_bins; i++)
		r->bins[i].begin_ms = day_begin_ms(w->first_day + (int64_t)i * r->bin_days);
}

static int
failures_walk(struct ledger *l, struct report *r, struct err *e)
{
	const struct failure_filter filter = {
		.machine = r->machine, .from_ms = r->from_ms, .to_ms = r->to_ms};
	struct walk w = {.r = r, .overdue_ms = overdue_before_ms(l, r->months)};
	int rc;

	bins_lay(r, &w);
	rc = failure_find(l, &filter, walk_record, &w, NULL, e);
	if (rc == 0 && w.rc != 0)
		rc = err_set(e, w.rc, "%s", _("There is not enough memory."));
	if (w.n_clear > 0) {
		qsort(w.clear_s, w.n_clear, sizeof *w.clear_s, seconds_compare);
		r->clear_median_ms = (int64_t)w.clear_s[w.n_clear / 2] * 1000;
		r->clear_mean_ms = w.clear_ms / (int64_t)w.n_clear;
	}
	free(w.clear_s);
	return rc;
}

/* ---- cards and jobs ---- */

static bool
machine_wanted(const struct report *r, const char *serial, const char *model)
{
	return !r->machine || strcmp(r->machine, serial) == 0 || strcmp(r->machine, model) == 0;
}

static int
jobs_sum(struct ledger *l, struct report *r, struct err *e)
{
	static const char sql[] =
		"SELECT printer_serial, printer_model, sum(CASE WHEN ended > started THEN ended - "
		"started ELSE 0 END) FROM job WHERE started >= ? AND started < ? AND "
		"printer_serial <> '' GROUP BY 1 ORDER BY 1";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int rc;

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "ii", r->from_ms, r->to_ms);
	while ((rc = ledger_step(l, s, e)) == 1) {
		struct report_machine *m;

		if (!machine_wanted(r, column_text(s, 0), column_text(s, 1)))
			continue;
		m = machine_of(r, column_text(s, 0), column_text(s, 1));
		if (!m)
			continue;
		m->work_ms = sqlite3_column_int64(s, 2);
		r->work_ms += m->work_ms;
	}
	sqlite3_reset(s);
	return rc;
}

/* One pass over all cards: those of the period, and what each head has printed in its life. */
static int
cards_sum(struct ledger *l, struct report *r, struct err *e)
{
	static const char sql[] =
		"SELECT printer_serial, sum(changed >= ?1 AND changed < ?2 AND state NOT IN "
		"('queued', 'cancelled')), sum(state IN ('done', 'void')) FROM card GROUP BY 1";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int rc;

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "ii", r->from_ms, r->to_ms);
	while ((rc = ledger_step(l, s, e)) == 1)
		for (unsigned i = 0; i < r->n_machines; i++) {
			struct report_machine *m = &r->machines[i];

			if (strcmp(m->serial, column_text(s, 0)) != 0)
				continue;
			m->cards = (unsigned)sqlite3_column_int64(s, 1);
			m->prints = sqlite3_column_int64(s, 2);
			r->cards += m->cards;
		}
	sqlite3_reset(s);
	return rc;
}

static int64_t
head_life(const char *model)
{
	for (size_t d = 0; printer_drivers[d]; d++)
		for (size_t i = 0; i < printer_drivers[d]->n_models; i++) {
			const struct printer_model *m = &printer_drivers[d]->models[i];

			if (strcmp(m->name, model) == 0 && m->head_life_cards)
				return m->head_life_cards;
		}
	return HEAD_LIFE;
}

static int
machines_complete(struct ledger *l, struct report *r, struct err *e)
{
	static const char sql[] = "SELECT count(*) FROM card WHERE printer_serial = ? AND changed "
				  "> ? AND state IN ('done', 'void')";
	int rc = 0;

	for (unsigned i = 0; i < r->n_machines && rc == 0; i++) {
		struct report_machine *m = &r->machines[i];
		sqlite3_stmt *s = m->cleaned_ms ? ledger_statement(l, sql, e) : NULL;

		m->head_life = head_life(m->model);
		if (!m->cleaned_ms)
			continue;
		if (!s)
			return ERR_INTERNAL;
		ledger_bind(s, "ti", m->serial, m->cleaned_ms);
		rc = ledger_step(l, s, e);
		if (rc == 1)
			m->since_cleaning = sqlite3_column_int64(s, 0);
		rc = rc < 0 ? rc : 0;
		sqlite3_reset(s);
	}
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
	static const char sql[] = "SELECT at, substr(signature, 1, 16) FROM review WHERE event = ?";
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
	return rc == 0 ? rows_sign(l, r, e) : rc;
}

static int
report_sum(struct ledger *l, struct report *r, size_t n_rows, struct err *e)
{
	int rc = failures_walk(l, r, e);

	if (rc == 0)
		rc = jobs_sum(l, r, e);
	if (rc == 0)
		rc = cards_sum(l, r, e);
	if (rc == 0)
		rc = machines_complete(l, r, e);
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
