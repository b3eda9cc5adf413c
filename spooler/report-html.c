/*
 * report-html.c - the failure report as one HTML file.
 *
 * Owns the figures of the head and the style. Guarantees: the file needs nothing from
 * outside and runs no script; every text of the ledger is escaped; a period without failures is a
 * page that says so.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/report.h"

#include <stdlib.h>
#include <string.h>

const char report_style[] =
	":root{--ink:#1f2937;--faint:#5b6472;--line:#d9dee6;--bar:#1d4e89}"
	"*{box-sizing:border-box}"
	"body{margin:0 auto;max-width:1080px;padding:16px;color:var(--ink);background:#fff;"
	"font:15px/1.5 \"Noto Sans\",\"Noto Sans CJK SC\",\"Microsoft YaHei\",sans-serif}"
	"h1{font-size:24px;margin:8px 0}h2{font-size:18px;margin:28px 0 8px;border-bottom:2px "
	"solid "
	"var(--bar);padding-bottom:4px}"
	".faint{color:var(--faint)}"
	".figures{display:grid;grid-template-columns:repeat(4,1fr);gap:8px;margin:12px 0;padding:0}"
	".figures div{border:1px solid var(--line);border-radius:6px;padding:8px 12px}"
	".figures b{display:block;font-size:20px;white-space:nowrap}"
	".chart{margin:20px 0;padding:0}.chart figcaption{font-weight:bold;margin-bottom:6px}"
	".chart svg{width:100%;height:auto;display:block}"
	".wide{overflow-x:auto}table{border-collapse:collapse;width:100%}"
	"th,td{text-align:left;vertical-align:top;padding:5px 10px 5px 0;border-bottom:1px solid "
	"var(--line)}th{color:var(--faint);font-weight:normal}td.n,th.n{text-align:right}"
	"small{color:var(--faint)}code{font-size:12px;overflow-wrap:anywhere}"
	"@media(max-width:640px){.figures{grid-template-columns:repeat(2,1fr)}"
	".chart{overflow-x:auto}.chart svg{min-width:560px}}"
	"@media print{body{padding:0;font-size:11px}tr{break-inside:avoid}}";

static void
figure_set(struct report_figure *f, const char *name, const char *value)
{
	f->name = name;
	snprintf(f->value, sizeof f->value, "%s", value);
}

void
report_figures(const struct report *r, enum language l, struct report_figure out[REPORT_FIGURES])
{
	const struct {
		const char *name;
		unsigned n;
	} counts[] = {{"failures", r->n}, {"cards made", r->cards}, {"cards lost", r->cards_lost},
		{"reviews waiting", r->n_waiting}, {"still open", r->n_open}};
	char text[48];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		snprintf(text, sizeof text, "%u", counts[i].n);
		figure_set(&out[n++], counts[i].name, text);
	}
	snprintf(text, sizeof text, r->cards ? "%.1f" : "-",
		r->cards ? 1000.0 * r->n / r->cards : 0);
	figure_set(&out[n++], "per 1,000 cards", text);
	say_duration(l, text, sizeof text, r->n_jams ? r->work_ms / r->n_jams : 0);
	figure_set(&out[n++], "working time between jams", r->n_jams ? text : say(l, "no jam"));
	say_duration(l, text, sizeof text, r->clear_median_ms);
	figure_set(&out[n++], "median time to clear", r->n > r->n_open ? text : "-");
}

void
report_range(const struct report *r, enum language l, char *out, size_t max)
{
	char from[16], to[16];

	say_day(from, sizeof from, r->from_ms);
	say_day(to, sizeof to, r->to_ms - 1);
	snprintf(out, max, "%s - %s · %s", from, to,
		r->machine ? r->machine : say(l, "All machines"));
}

void
report_reviews(const struct report *r, enum language l, char *out, size_t max)
{
	char since[40] = "", day[16];

	say_day(day, sizeof day, r->waiting_since_ms);
	if (r->waiting_since_ms)
		snprintf(since, sizeof since, " (%s %s)", say(l, "the oldest of"), day);
	snprintf(out, max, "%u %s · %u %s%s · %u %s", r->n_reviewed, say(l, "signed"), r->n_waiting,
		say(l, "waiting for a reviewer"), since, r->n_overdue, say(l, "overdue"));
}

static void
cell_html(struct html *h, const struct report_cell *c)
{
	html_text(h, c->line[0]);
	for (size_t i = 1; i < REPORT_LINES; i++) {
		if (!c->line[i][0])
			continue;
		html_put(h, c->line[0][0] || i > 1 ? "<br><small>" : "<small>");
		html_text(h, c->line[i]);
		html_put(h, "</small>");
	}
}

static void
rows_html(struct html *h, const struct report *r, const struct report_table *t)
{
	html_put(h, "<div class=\"wide\"><table><thead><tr>");
	for (size_t i = 0; i < t->n_columns; i++) {
		html_put(h, t->columns[i].right ? "<th class=\"n\">" : "<th>");
		html_say(h, t->columns[i].head);
		html_put(h, "</th>");
	}
	html_put(h, "</tr></thead><tbody>\n");
	for (size_t row = 0; row < t->count(r); row++) {
		struct report_cell cells[REPORT_COLUMNS] = {0};

		t->row(r, h->lang, row, cells);
		html_put(h, "<tr>");
		for (size_t i = 0; i < t->n_columns; i++) {
			html_put(h, t->columns[i].right ? "<td class=\"n\">" : "<td>");
			cell_html(h, &cells[i]);
			html_put(h, "</td>");
		}
		html_put(h, "</tr>\n");
	}
	html_put(h, "</tbody></table></div>\n");
}

static void
table_html(struct html *h, const struct report *r, const struct report_table *t)
{
	if (t->count(r) == 0 && !t->empty)
		return;
	html_put(h, "<h2>");
	html_say(h, t->title);
	html_put(h, "</h2>");
	if (t->count(r) > 0)
		rows_html(h, r, t);
	for (int i = 0; i < 2; i++) {
		const char *more = i ? t->note : t->count(r) ? NULL : t->empty;

		if (!more)
			continue;
		html_put(h, "<p class=\"faint\">");
		html_say(h, more);
		html_put(h, "</p>\n");
	}
}

static void
records_html(struct html *h, const struct report *r)
{
	table_html(h, r, &report_tables[REPORT_RECORDS]);
	if (r->n > r->n_rows) {
		html_put(h, "<p>%zu ", r->n - r->n_rows);
		html_say(h, "older records are not listed");
		html_put(h, "</p>");
	}
}

void
html_report_body(struct html *h, const struct report *r)
{
	struct report_figure figures[REPORT_FIGURES];
	char text[256];

	report_figures(r, h->lang, figures);
	html_put(h, "<div class=\"figures\">");
	for (size_t i = 0; i < REPORT_FIGURES; i++) {
		html_put(h, "<div><b>");
		html_text(h, figures[i].value);
		html_put(h, "</b>");
		html_say(h, figures[i].name);
		html_put(h, "</div>");
	}
	html_put(h, "</div>\n");
	if (r->n == 0) {
		html_put(h, "<p><strong>");
		html_say(h, "There are no failures in this period.");
		html_put(h, "</strong></p>");
	}
	for (size_t i = 0; i < n_charts && r->n > 0; i++)
		chart_svg(h, &charts[i], r);
	for (size_t i = 0; i < REPORT_RECORDS; i++)
		table_html(h, r, &report_tables[i]);
	html_put(h, "<h2>");
	html_say(h, "Reviews");
	html_put(h, "</h2><p>");
	report_reviews(r, h->lang, text, sizeof text);
	html_text(h, text);
	html_put(h, "</p>\n");
}

int
report_html(const struct report *r, enum language l, struct buf *out, struct err *e)
{
	int zone = zone_at(r->made_ms);
	char text[160];
	struct html h;

	html_init(&h, l, e);
	html_put(&h,
		"<!DOCTYPE html>\n<html lang=\"%s\"><head><meta charset=\"utf-8\"><meta "
		"name=\"viewport\" "
		"content=\"width=device-width,initial-scale=1\"><title>",
		l == LANGUAGE_ZH ? "zh-CN" : "en");
	html_say(&h, "Failure report");
	html_put(&h, "</title><style>%s</style></head><body>\n<h1>", report_style);
	html_say(&h, "Failure report");
	report_range(r, l, text, sizeof text);
	html_put(&h, "</h1><p>");
	html_text(&h, text);
	say_time(text, sizeof text, r->made_ms);
	html_put(&h, "<br><small>");
	html_say(&h, "Made");
	html_put(&h, " %s · ", text);
	html_say(&h, "Ledger");
	html_put(&h, " ");
	html_text(&h, r->ledger);
	html_put(&h, " · ");
	html_say(&h, "times are local");
	html_put(&h, " (UTC%+d:%02d)</small></p>\n", zone / 3600, abs(zone) / 60 % 60);
	html_report_body(&h, r);
	records_html(&h, r);
	html_put(&h, "<p class=\"faint\">");
	html_say(&h, "Kept for three months and until it is reviewed. Holders are masked.");
	html_put(&h, "</p></body></html>\n");
	if (h.rc != 0)
		buf_done(&h.buf);
	else
		*out = h.buf;
	return h.rc;
}
