/*
 * report-html.c - the failure report as one HTML file.
 *
 * Owns the figures of the head, the tables and the style. Guarantees: the file needs nothing from
 * outside and runs no script; every text of the ledger is escaped; a period without failures is a
 * page that says so.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/report.h"

#include <inttypes.h>
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

/* Cells of a head: names for say(); one that begins with '#' is a number's. */
static void
table_open(struct html *h, const char *const *heads, size_t n)
{
	html_put(h, "<div class=\"wide\"><table><thead><tr>");
	for (size_t i = 0; i < n; i++) {
		bool number = heads[i][0] == '#';

		html_put(h, number ? "<th class=\"n\">" : "<th>");
		html_say(h, heads[i] + number);
		html_put(h, "</th>");
	}
	html_put(h, "</tr></thead><tbody>\n");
}

static void
table_close(struct html *h)
{
	html_put(h, "</tbody></table></div>\n");
}

static void
machines_put(struct html *h, const struct report *r)
{
	static const char *const heads[] = {"Machine", "#Cards", "#Failures", "#per 1,000 cards",
		"#Jams and lost cards", "#Between jams", "Print head", "Cleaning"};

	html_put(h, "<h2>");
	html_say(h, "By machine");
	html_put(h, "</h2>");
	table_open(h, heads, ARRAY_LEN(heads));
	for (unsigned i = 0; i < r->n_machines; i++) {
		const struct report_machine *m = &r->machines[i];
		char between[32], cleaned[24];

		say_duration(h->lang, between, sizeof between, m->jams ? m->work_ms / m->jams : 0);
		say_day(cleaned, sizeof cleaned, m->cleaned_ms);
		html_put(h, "<tr><td>");
		html_text(h, m->model);
		html_put(h, "<br><small>");
		html_text(h, m->serial);
		html_put(h,
			"</small></td><td class=\"n\">%u</td><td class=\"n\">%u</td><td "
			"class=\"n\">%.1f</td><td class=\"n\">%u / %u</td><td class=\"n\">",
			m->cards, m->failures, m->cards ? 1000.0 * m->failures / m->cards : 0,
			m->jams, m->cards_lost);
		html_text(h, m->jams ? between : say(h->lang, "no jam"));
		html_put(h, "</td><td>%.1f %% <small>",
			100.0 * (double)m->prints / (double)m->head_life);
		html_say(h, "of rated life");
		html_put(h, "<br>%" PRId64 " / %" PRId64 "</small></td><td>", m->prints,
			m->head_life);
		if (m->cleaned_ms) {
			html_put(h, "%s<br><small>%" PRId64 " ", cleaned, m->since_cleaning);
			html_say(h, "cards since");
			html_put(h, " · %u ", m->cleaning_due);
			html_say(h, "due");
			html_put(h, "</small>");
		} else {
			html_say(h, "never recorded");
		}
		html_put(h, "</td></tr>\n");
	}
	table_close(h);
	html_put(h, "<h2>");
	html_say(h, "By ribbon lot");
	html_put(h, "</h2><p class=\"faint\">");
	html_say(h, "Not recorded: the printers do not report the lot of a ribbon.");
	html_put(h, "</p>\n");
}

static void
causes_put(struct html *h, const struct report *r)
{
	static const char *const heads[] = {"Cause", "#Number", "#Share", "#Mean time to clear"};

	if (r->n_causes == 0)
		return;
	html_put(h, "<h2>");
	html_say(h, "Mean time to clear, by cause");
	html_put(h, "</h2>");
	table_open(h, heads, ARRAY_LEN(heads));
	for (unsigned i = 0; i < r->n_causes; i++) {
		const struct report_cause *c = &r->causes[i];
		char mean[32] = "-";

		if (c->n_cleared)
			say_duration(h->lang, mean, sizeof mean, c->clear_ms / c->n_cleared);
		html_put(h, "<tr><td>");
		html_text(h, say_fault(h->lang, c->code));
		html_put(h, " <small>");
		html_text(h, c->code);
		html_put(h,
			"</small></td><td class=\"n\">%u</td><td class=\"n\">%.1f %%</td><td "
			"class=\"n\">%s</td></tr>\n",
			c->n, 100.0 * c->n / r->n, mean);
	}
	table_close(h);
}

static void
record_put(struct html *h, const struct report_row *row)
{
	const struct failure_row *f = &row->failure;
	char at[32], text[32];

	say_time(at, sizeof at, f->at);
	html_put(h, "<tr><td>%" PRId64 "</td><td>%s<br><small>", f->id, at);
	say_duration(h->lang, text, sizeof text, f->cleared - f->at);
	if (f->cleared)
		html_say(h, "cleared after");
	html_put(h, " ");
	html_text(h, f->cleared ? text : say(h->lang, "open"));
	html_put(h, "</small></td><td>");
	html_text(h, f->machine);
	html_put(h, "<br><small>");
	html_text(h, f->serial);
	html_put(h, "</small></td><td>");
	html_text(h, f->order);
	html_put(h, "<br><small>%u · ", f->card);
	html_text(h, f->holder_masked);
	html_put(h, "</small></td><td>");
	html_text(h, say_fault(h->lang, f->code));
	html_put(h, "<br><small>");
	html_text(h, f->raw);
	html_put(h, "%s", f->raw[0] && f->done[0] ? " · " : "");
	html_text(h, f->done);
	html_put(h, "</small></td><td>");
	html_text(h, f->operator_name);
	html_put(h, "</td><td>");
	if (f->review) {
		say_time(at, sizeof at, row->reviewed_ms);
		html_text(h, f->reviewer);
		html_put(h, "<br><small>%s<br><code>%s…</code></small>", at, row->signature);
	} else {
		html_put(h, "<small>");
		html_say(h, "not signed");
		html_put(h, "</small>");
	}
	html_put(h, "</td></tr>\n");
}

static void
records_put(struct html *h, const struct report *r)
{
	static const char *const heads[] = {"No.", "When", "Machine", "Order, card",
		"Cause, what was done", "Operator", "Reviewed by"};

	if (r->n_rows == 0)
		return;
	html_put(h, "<h2>");
	html_say(h, "Records");
	html_put(h, "</h2>");
	if (r->n > r->n_rows) {
		html_put(h, "<p>%zu ", r->n - r->n_rows);
		html_say(h, "older records are not listed");
		html_put(h, "</p>");
	}
	table_open(h, heads, ARRAY_LEN(heads));
	for (size_t i = 0; i < r->n_rows; i++)
		record_put(h, &r->rows[i]);
	table_close(h);
}

void
html_report_body(struct html *h, const struct report *r)
{
	struct report_figure figures[REPORT_FIGURES];

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
	machines_put(h, r);
	causes_put(h, r);
	html_put(h, "<h2>");
	html_say(h, "Reviews");
	html_put(h, "</h2><p>%u ", r->n_reviewed);
	html_say(h, "signed");
	html_put(h, " · %u ", r->n_waiting);
	html_say(h, "waiting for a reviewer");
	html_put(h, " · %u ", r->n_overdue);
	html_say(h, "overdue");
	html_put(h, "</p>\n");
}

int
report_html(const struct report *r, enum language l, struct buf *out, struct err *e)
{
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
	html_put(&h, "</small></p>\n");
	html_report_body(&h, r);
	records_put(&h, r);
	html_put(&h, "<p class=\"faint\">");
	html_say(&h, "Kept for three months and until it is reviewed. Holders are masked.");
	html_put(&h, "</p></body></html>\n");
	if (h.rc != 0)
		buf_done(&h.buf);
	else
		*out = h.buf;
	return h.rc;
}
