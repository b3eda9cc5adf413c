/*
 * web-records.c - the list of failures with its filters, and the charts.
 *
 * Owns the words of the query. Guarantees: a word that makes no sense is no filter; a list that is
 * cut says so. Reads only.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/web.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_ROWS = 100, LIST_ROWS_MAX = 1000, DRAWN_MS = 60000 };

struct list {
	struct failure_row *rows;
	size_t n, room;
};

static int64_t
day_of_query(const struct web_request *q, const char *name, int64_t days)
{
	int64_t day;

	return day_parse(web_query(q, name), &day) == 0 ? day_begin_ms(day + days) : 0;
}

static const char *
text_of_query(const struct web_request *q, const char *name)
{
	const char *text = web_query(q, name);

	return text[0] ? text : NULL;
}

static struct failure_filter
filter_of(const struct web_request *q)
{
	struct failure_filter f = {.job_uuid = text_of_query(q, "job"),
		.machine = text_of_query(q, "machine"),
		.code = text_of_query(q, "code"),
		.order = text_of_query(q, "order"),
		.person = text_of_query(q, "person"),
		.from_ms = day_of_query(q, "from", 0),
		.to_ms = day_of_query(q, "to", 1),
		.limit = web_number(web_query(q, "n"))};
	const char *word = web_query(q, "state");
	int state = failure_state_parse(word);

	f.state = state > 0 ? (enum failure_state)state : FAILURE_ANY;
	if (strcmp(word, "overdue") == 0) {
		f.state = FAILURE_UNREVIEWED;
		f.to_ms = overdue_before_ms(q->ledger, web_months(q->web));
	}
	if (f.limit < 1 || f.limit > LIST_ROWS_MAX)
		f.limit = LIST_ROWS;
	return f;
}

/* ---- the form ---- */

static void
select_open(struct html *h, const char *name, const char *label)
{
	html_put(h, "<label>");
	html_say(h, label);
	html_put(h, "<select name=\"%s\"><option value=\"\">", name);
	html_say(h, "All");
	html_put(h, "</option>");
}

static void
select_option(struct html *h, const char *value, const char *shown, const char *chosen)
{
	html_put(h, "<option value=\"");
	html_text(h, value);
	html_put(h, "\"%s>", strcmp(value, chosen) == 0 ? " selected" : "");
	html_text(h, shown);
	html_put(h, "</option>");
}

static void
filter_put(struct web_request *q)
{
	static const char *const states[] = {"open", "unreviewed", "overdue", "reviewed"};
	static const struct {
		const char *name, *label, *type;
	} texts[] = {{"machine", "Machine", "text"}, {"order", "Order", "text"},
		{"person", "Person", "text"}, {"from", "From", "date"}, {"to", "To", "date"}};
	struct html *h = &q->html;

	html_put(h, "<form method=\"get\" action=\"/failures\" class=\"filter\">");
	select_open(h, "state", "State");
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		select_option(h, states[i], say(q->lang, states[i]), web_query(q, "state"));
	html_put(h, "</select></label>");
	select_open(h, "code", "Cause");
	for (int i = 1; i < FAULT_COUNT; i++)
		select_option(h, fault_row(i)->code, say_fault(q->lang, fault_row(i)->code),
			web_query(q, "code"));
	html_put(h, "</select></label>");
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		web_input(h, texts[i].type, texts[i].name, texts[i].label,
			web_query(q, texts[i].name), "");
	html_put(h, "<button>");
	html_say(h, "Show");
	html_put(h, "</button></form>\n");
}

/* ---- the list ---- */

static int
visit_row(void *ctx, const struct failure_row *f)
{
	struct list *list = ctx;

	if (list->n == list->room)
		return 1;
	list->rows[list->n++] = *f;
	return 0;
}

static void
row_state(struct html *h, const struct failure_row *f)
{
	if (f->cleared == 0)
		web_state(h, "stop", "open");
	else if (f->review == 0)
		web_state(h, "warn", "unreviewed");
	else
		web_state(h, "ok", "reviewed");
	if (f->review) {
		html_put(h, "<span class=\"sub\">");
		html_text(h, f->reviewer);
		html_put(h, "</span>");
	}
}

static void
row_put(struct html *h, const struct failure_row *f)
{
	char at[32], took[32] = "";

	say_time(at, sizeof at, f->at);
	if (f->cleared)
		say_duration(h->lang, took, sizeof took, f->cleared - f->at);
	html_put(h,
		"<tr><td><a class=\"row-link\" href=\"/record?id=%" PRId64 "\">%" PRId64
		"</a></td><td>%s<span class=\"sub\">%s</span></td><td>",
		f->id, f->id, at, took);
	html_text(h, say_fault(h->lang, f->code));
	html_put(h, "<span class=\"sub\">");
	html_text(h, f->raw);
	html_put(h, "</span></td><td>");
	html_text(h, f->machine);
	html_put(h, "<span class=\"sub\">");
	html_text(h, f->serial);
	html_put(h, "</span></td><td data-name=\"%s\">", say(h->lang, "Order"));
	html_text(h, f->order);
	html_put(h, "</td><td data-name=\"%s\">", say(h->lang, "Operator"));
	html_text(h, f->operator_name);
	html_put(h, "</td><td>");
	row_state(h, f);
	html_put(h, "</td></tr>\n");
}

static void
list_put(struct html *h, const struct list *list, int64_t left_out)
{
	static const char *const heads[] = {
		"No.", "When", "Cause", "Machine", "Order", "Operator", "State"};

	html_put(h, "<div class=\"wide\"><table class=\"list\"><thead><tr>");
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		html_put(h, "<th>");
		html_say(h, heads[i]);
		html_put(h, "</th>");
	}
	html_put(h, "</tr></thead><tbody>\n");
	for (size_t i = list->n; i > 0; i--)
		row_put(h, &list->rows[i - 1]);
	html_put(h, "</tbody></table></div>\n");
	if (list->n == 0) {
		html_put(h, "<p>");
		html_say(h, "Nothing matches.");
		html_put(h, "</p>");
	}
	if (left_out > 0) {
		html_put(h, "<p class=\"faint\">%" PRId64 " ", left_out);
		html_say(h, "older ones are not shown; narrow the search");
		html_put(h, "</p>");
	}
}

void
web_failures(struct web_request *q)
{
	struct failure_filter filter = filter_of(q);
	struct list list = {.room = (size_t)filter.limit};
	int64_t left_out = 0, day;

	list.rows = calloc(list.room, sizeof *list.rows);
	q->html.rc =
		list.rows ? failure_find(q->ledger, &filter, visit_row, &list, &left_out, &q->err)
			  : ERR_SYSTEM;
	if (q->html.rc == 0) {
		web_page_open(q, "Failures");
		filter_put(q);
		if (day_parse(web_query(q, "from"), &day) == 0) {
			html_put(&q->html, "<p><a class=\"button plain\" href=\"/day?day=");
			web_link_value(&q->html, web_query(q, "from"));
			html_put(&q->html, "\">");
			html_say(&q->html, "Sign the day's list");
			html_put(&q->html, " ");
			html_text(&q->html, web_query(q, "from"));
			html_put(&q->html, "</a></p>");
		}
		list_put(&q->html, &list, left_out);
		web_page_close(q);
	}
	free(list.rows);
}

/* ---- charts ---- */

static int
report_take(struct web_request *q, struct report *r, size_t n_rows)
{
	*r = (struct report){.from_ms = day_of_query(q, "from", 0),
		.to_ms = day_of_query(q, "to", 1),
		.machine = text_of_query(q, "machine"),
		.months = web_months(q->web)};
	if (report_gather(q->ledger, r, n_rows, &q->err) == 0)
		return 0;
	if (q->err.code == ERR_USAGE)
		web_page_tell(q, MHD_HTTP_BAD_REQUEST, "The period ends before it begins.");
	else
		q->html.rc = q->err.code ? q->err.code : ERR_SYSTEM;
	return ERR_INPUT;
}

static void
charts_head(struct web_request *q, const struct report *r)
{
	static const char *const names[] = {"from", "to", "machine"};
	struct html *h = &q->html;
	char text[160], from[16], to[16];

	say_day(from, sizeof from, r->from_ms);
	say_day(to, sizeof to, r->to_ms - 1);
	html_put(h, "<form method=\"get\" action=\"/charts\" class=\"filter\">");
	web_input(h, "date", "from", "From", from, "");
	web_input(h, "date", "to", "To", to, "");
	web_input(h, "text", "machine", "Machine", web_query(q, "machine"), "");
	html_put(h, "<button>");
	html_say(h, "Show");
	html_put(h, "</button><a class=\"button plain\" href=\"/report.pdf?a=1");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!web_query(q, names[i])[0])
			continue;
		html_put(h, "&amp;%s=", names[i]);
		web_link_value(h, web_query(q, names[i]));
	}
	html_put(h, "\">");
	html_say(h, "Report (PDF)");
	html_put(h, "</a></form>\n<p>");
	report_range(r, q->lang, text, sizeof text);
	html_text(h, text);
	html_put(h, "</p>\n");
}

static bool
charts_kept(struct web_request *q, char *key, size_t max)
{
	const struct web_drawn *d = web_drawn(q->web);

	snprintf(key, max, "%d|%.80s|%.80s|%.80s", q->lang, web_query(q, "from"),
		web_query(q, "to"), web_query(q, "machine"));
	if (strcmp(d->key, key) != 0 || web_now_ms() - d->at_ms >= DRAWN_MS)
		return false;
	web_page_open(q, "Charts");
	if (q->html.rc == 0)
		q->html.rc = buf_append(&q->html.buf, d->body.data, d->body.len, &q->err);
	web_page_close(q);
	return true;
}

/* From start on, what the page has now. */
static void
charts_keep(struct web_request *q, const char *key, size_t start)
{
	struct web_drawn *d = web_drawn(q->web);

	d->key[0] = '\0';
	buf_done(&d->body);
	buf_init(&d->body, q->html.buf.len);
	if (q->html.rc != 0 ||
		buf_append(&d->body, q->html.buf.data + start, q->html.buf.len - start, NULL) != 0)
		return;
	snprintf(d->key, sizeof d->key, "%s", key);
	d->at_ms = web_now_ms();
}

void
web_charts(struct web_request *q)
{
	struct report *r;
	char key[sizeof web_drawn(q->web)->key];
	size_t start;

	if (charts_kept(q, key, sizeof key))
		return;
	r = malloc(sizeof *r);
	if (!r) {
		q->html.rc = ERR_SYSTEM;
		return;
	}
	if (report_take(q, r, 0) == 0) {
		web_page_open(q, "Charts");
		start = q->html.buf.len;
		charts_head(q, r);
		html_report_body(&q->html, r);
		charts_keep(q, key, start);
		web_page_close(q);
		report_done(r);
	}
	free(r);
}

void
web_report_file(struct web_request *q)
{
	struct report *r = malloc(sizeof *r);
	struct buf pdf;

	if (!r) {
		q->html.rc = ERR_SYSTEM;
		return;
	}
	if (report_take(q, r, REPORT_ROWS_MAX) == 0) {
		q->html.rc = report_pdf(r, q->lang, &pdf, &q->err);
		if (q->html.rc == 0) {
			web_plain(q, "application/pdf", pdf.data, pdf.len);
			buf_done(&pdf);
			q->disposition = "inline; filename=\"cardspool-failures.pdf\"";
		}
		report_done(r);
	}
	free(r);
}
