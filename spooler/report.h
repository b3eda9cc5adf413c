/*
 * report.h - the failure log as pictures and pages: words, figures, charts, HTML, PDF.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_REPORT_H
#define CARDSPOOL_REPORT_H

#include "spooler/failure.h"

/* ---- words (report-words.c): pages speak two languages at once, whatever the locale is ---- */

enum language { LANGUAGE_EN, LANGUAGE_ZH, LANGUAGE_COUNT };
int language_parse(const char *name); /* "en", "zh", "zh-CN" …; -1 */
enum language language_of_locale(void);
const char *say(enum language l, const char *english);
const char *say_fault(enum language l, const char *code);  /* short; the code itself when unknown */
const char *say_remedy(enum language l, const char *code); /* "" when unknown */
void say_duration(enum language l, char *out, size_t max, int64_t ms); /* "7 min" */
void say_time(char *out, size_t max, int64_t ms);                      /* local, "" for 0 */
void say_day(char *out, size_t max, int64_t ms);

/* ---- figures (failure-sum.c, failure-machine.c) ---- */

enum fault_kind { KIND_JAM, KIND_SUPPLY, KIND_CHIP, KIND_OTHER, KIND_COUNT };
extern const char *const fault_kind_names[KIND_COUNT]; /* for say() */
enum fault_kind fault_kind_of(const char *code);

enum {
	REPORT_BINS_MAX = 64,
	REPORT_CAUSES_MAX = 64,
	REPORT_MACHINES_MAX = 64,
	REPORT_ROWS_MAX = 500,
	CLEAR_BINS = 6
};
extern const char *const clear_bin_names[CLEAR_BINS];

struct report_cause {
	char code[32];
	unsigned n, n_cleared;
	int64_t clear_ms; /* of the cleared ones together */
};
/* Both empty: records without a machine, and machines beyond REPORT_MACHINES_MAX together. */
struct report_machine {
	char model[64], serial[64];
	unsigned cards, failures, jams, cards_lost;
	unsigned cleaning_due, cleanings;   /* how often the printer asked; runs that ended well */
	int64_t work_ms;                    /* of its jobs that ended */
	int64_t prints, head_life;          /* over all time; rated life */
	int64_t cleaned_ms, since_cleaning; /* 0: not in the period; good cards since then */
};
enum { RIBBON_LOT_MAX = 32, REPORT_LOTS_MAX = 64 };
#define RIBBON_LOADED "ribbon-loaded"
struct report_lot {
	char lot[RIBBON_LOT_MAX + 1]; /* "": not recorded */
	unsigned cards, failures;
};
struct report_row {
	struct failure_row failure;
	int64_t reviewed_ms;
	char signature[9]; /* its first digits */
	char found[256];   /* the cause that a person found last */
};
struct report {
	int64_t from_ms, to_ms; /* to_ms is not included */
	const char *machine;    /* NULL: all */
	unsigned months;        /* a review is overdue after so many */
	unsigned n, n_open, n_reviewed, n_waiting, n_overdue, n_jams;
	unsigned cards, cards_lost, panels_lost;
	int64_t work_ms, clear_mean_ms, clear_median_ms;
	unsigned n_bins, bin_days;
	struct {
		int64_t begin_ms;
		unsigned n[KIND_COUNT];
	} bins[REPORT_BINS_MAX];
	unsigned n_causes, n_machines, clear_bins[CLEAR_BINS];
	struct report_cause causes[REPORT_CAUSES_MAX]; /* most frequent first */
	struct report_machine machines[REPORT_MACHINES_MAX];
	unsigned n_lots; /* 0: no lot was ever entered */
	struct report_lot lots[REPORT_LOTS_MAX];
	struct report_row *rows; /* the newest; malloc'd */
	size_t n_rows;
	int64_t waiting_since_ms; /* of the oldest record without a review; 0: none */
	char ledger[40];          /* its own name */
	int64_t made_ms;
};
/* from, to and machine are set by the caller; from 0: three calendar months before to, to 0: now.
 * n_rows: how many rows at most, 0 none. report_done frees. */
int report_gather(struct ledger *l, struct report *r, size_t n_rows, struct err *e);
void report_done(struct report *r);
/* The machine of that serial number, made when there is none. */
struct report_machine *report_machine_of(struct report *r, const char *serial, const char *model);
/* Cards, work and cleanings of the period, prints of the heads. */
int report_machines(struct ledger *l, struct report *r, struct err *e);
/* The number of the first event of the period, or of the next that would be. */
int event_first(struct ledger *l, int64_t from_ms, int64_t *seq, struct err *e);

/* ---- ribbon lots (failure-lot.c) ---- */

/* ERR_USAGE: no lot. */
int ribbon_load(struct ledger *l, const char *serial, const char *lot, struct err *e);
int ribbon_known(struct ledger *l, const char *serial, struct err *e); /* ERR_MISSING */
struct ribbon_loads;
int ribbon_loads_read(struct ledger *l, struct report *r, struct ribbon_loads **out, struct err *e);
void ribbon_loads_destroy(struct ribbon_loads *loads);
void ribbon_failure(
	const struct ribbon_loads *loads, struct report *r, const char *serial, int64_t at);
/* Cards by lot; lots without anything leave. After report_machines. */
int ribbon_lots_sum(
	const struct ribbon_loads *loads, struct ledger *l, struct report *r, struct err *e);

/* ---- charts (chart.c) on a canvas (chart-svg.c, chart-cairo.c) ---- */

enum anchor { ANCHOR_START, ANCHOR_MIDDLE, ANCHOR_END };
struct canvas {
	void (*rect)(struct canvas *c, double x, double y, double w, double h, const char *colour);
	void (*line)(struct canvas *c, double x1, double y1, double x2, double y2, double width,
		const char *colour);
	/* y: the base line. max_width 0: as wide as it is. */
	void (*text)(struct canvas *c, double x, double y, double size, enum anchor anchor,
		bool bold, const char *colour, double max_width, const char *text);
	void *ctx;
};
struct chart {
	const char *id, *title; /* for say() */
	double height;          /* of a width of CHART_WIDTH; 0: height_of tells */
	double (*height_of)(const struct report *r);
	void (*draw)(struct canvas *c, const struct report *r, enum language l);
};
#define CHART_WIDTH 511.0
extern const struct chart charts[];
extern const size_t n_charts;
double chart_height(const struct chart *c, const struct report *r);

/* Text that grows, with the first error kept. */
struct html {
	struct buf buf;
	int rc;
	struct err *e;
	enum language lang;
};
void html_init(struct html *h, enum language l, struct err *e);
void html_put(struct html *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
void html_text(struct html *h, const char *text); /* escaped, control bytes as a mark */
void html_say(struct html *h, const char *english);
void chart_svg(struct html *h, const struct chart *c, const struct report *r);
struct canvas chart_cairo(void *cairo, enum language l); /* cairo_t *; chart_cairo_done frees */
void chart_cairo_done(struct canvas *c);

/* ---- tables (report-table.c) ---- */

enum { REPORT_COLUMNS = 8, REPORT_LINES = 4, REPORT_CELL = 320 };
struct report_cell {
	char line[REPORT_LINES][REPORT_CELL]; /* "": none */
};
struct report_column {
	const char *head; /* for say() */
	double x, width;  /* on paper */
	bool right;
};
enum { REPORT_MACHINES, REPORT_WEAR, REPORT_LOTS, REPORT_CAUSES, REPORT_RECORDS, REPORT_TABLES };
struct report_table {
	const char *title, *empty,
		*note; /* empty: instead of no rows, NULL: then not even the title */
	const struct report_column *columns;
	size_t n_columns;
	size_t (*count)(const struct report *r);
	/* Fills cells that are empty. */
	void (*row)(const struct report *r, enum language l, size_t i, struct report_cell *cells);
};
extern const struct report_table report_tables[REPORT_TABLES];

/* ---- pages (report-html.c, report-pdf.c): complete files into out ---- */

int report_html(const struct report *r, enum language l, struct buf *out, struct err *e);
int report_pdf(const struct report *r, enum language l, struct buf *out, struct err *e);
/* What both show: figures of the head, a name and a value each. */
struct report_figure {
	const char *name;
	char value[48];
};
enum { REPORT_FIGURES = 8 };
void report_figures(
	const struct report *r, enum language l, struct report_figure out[REPORT_FIGURES]);
void report_range(const struct report *r, enum language l, char *out, size_t max);
/* How the reviews stand, in one line. */
void report_reviews(const struct report *r, enum language l, char *out, size_t max);
void html_report_body(struct html *h, const struct report *r); /* all but the records */
extern const char report_style[];

#endif
