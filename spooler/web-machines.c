/*
 * web-machines.c - machines and batches at this moment.
 *
 * Owns what a person across the room has to see: which machine wants somebody, and how far the
 * batches are. Joins what cupsd says now with what the ledger holds; without an answer of cupsd the
 * ledger's part is shown and the rest called unknown.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/web.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <string.h>

/* A machine as shown: either part may be missing. */
struct machine {
	const struct overview_machine *seen;
	const struct queue_row *queue;
};

static const struct {
	const char *state, *class_name;
} state_classes[] = {{"working", "ok"}, {"idle", "ok"}, {"stopped", "stop"}, {"active", "ok"},
	{"held", "warn"}, {"done", ""}, {"cancelled", ""}};

static const char *
class_of(const char *state)
{
	for (size_t i = 0; i < ARRAY_LEN(state_classes); i++)
		if (strcmp(state_classes[i].state, state) == 0)
			return state_classes[i].class_name;
	return "warn";
}

/* ---- machines ---- */

static void
numbers_put(struct html *h, const struct overview *o)
{
	const struct {
		int64_t n;
		const char *state, *name;
	} numbers[] = {{o->n_open, "open", "still open"},
		{o->n_waiting, "unreviewed", "reviews waiting"},
		{o->n_overdue, "overdue", "overdue"}};

	html_put(h, "<div class=\"numbers\">");
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		html_put(h, "<a href=\"/failures?state=%s\"><b>%" PRId64 "</b>", numbers[i].state,
			numbers[i].n);
		html_say(h, numbers[i].name);
		html_put(h, "</a>");
	}
	html_put(h, "</div>\n");
}

static void
job_line(struct html *h, const struct job_row *job, const struct tally *t)
{
	html_text(h, job->order[0] ? job->order : job->template_name);
	html_put(h, "<progress max=\"%u\" value=\"%u\"></progress>%u / %u ", job->n_cards, t->good,
		t->good, job->n_cards);
	html_say(h, "good");
	if (t->rejected + t->spoiled > 0) {
		html_put(h, " · %u ", t->rejected + t->spoiled);
		html_say(h, "lost");
	}
	if (t->doubt > 0) {
		html_put(h, " · <strong>%u ", t->doubt);
		html_say(h, "doubt");
		html_put(h, "</strong>");
	}
}

static void
fault_put(struct html *h, const struct failure_row *f)
{
	char at[32];

	say_time(at, sizeof at, f->at);
	html_put(h, "<p><strong><a href=\"/record?id=%" PRId64 "\">", f->id);
	html_text(h, say_fault(h->lang, f->code));
	html_put(h, "</a></strong> <span class=\"faint\">%s</span><br>", at);
	html_text(h, say_remedy(h->lang, f->code));
	html_put(h, "</p>");
}

static void
supplies_put(struct html *h, const struct queue_row *row)
{
	for (unsigned i = 0; i < row->n_supplies; i++) {
		int level = row->supply[i].level, low = row->supply[i].low;

		html_put(h, "<dt>");
		html_text(h, row->supply[i].name);
		html_put(h, "</dt><dd>");
		if (level < 0)
			html_say(h, "unknown");
		else
			html_put(h,
				"<meter min=\"0\" max=\"100\" low=\"%d\" value=\"%d\"></meter> "
				"%d %%",
				low > 0 ? low : 0, level, level);
		if (level >= 0 && level <= low) {
			html_put(h, " ");
			web_state(h, "warn", "nearly over");
		}
		html_put(h, "</dd>");
	}
}

/* What it is doing, in one word. */
static const char *
machine_state(const struct machine *m, bool answered)
{
	if (m->seen && m->seen->fault.id)
		return "wants somebody";
	if (m->queue && m->queue->state[0])
		return m->queue->state;
	return answered ? "no queue" : "unknown";
}

static void
machine_put(struct html *h, const struct machine *m, bool answered)
{
	const char *state = machine_state(m, answered);
	bool fault = m->seen && m->seen->fault.id;
	const char *class_name = fault ? "stop" : class_of(state);
	const char *model = m->queue && m->queue->model[0] ? m->queue->model : m->seen->model;

	html_put(h, "<section class=\"sheet %s\"><h2>", class_name);
	html_text(h, model);
	html_put(h, "</h2><p><span class=\"faint\">");
	html_text(h, m->queue ? m->queue->serial : m->seen->serial);
	html_put(h, " · ");
	html_text(h, m->queue ? m->queue->name : m->seen->printer);
	html_put(h, "</span> ");
	web_state(h, class_name, state);
	html_put(h, "</p>");
	if (fault)
		fault_put(h, &m->seen->fault);
	html_put(h, "<dl>");
	if (m->queue && m->queue->message[0] && !fault) {
		html_put(h, "<dt>");
		html_say(h, "Message");
		html_put(h, "</dt><dd>");
		html_text(h, m->queue->message);
		html_put(h, "</dd>");
	}
	if (m->queue && m->queue->jobs >= 0) {
		html_put(h, "<dt>");
		html_say(h, "Jobs in the queue");
		html_put(h, "</dt><dd>%d</dd>", m->queue->jobs);
	}
	if (m->queue)
		supplies_put(h, m->queue);
	if (m->seen) {
		html_put(h, "<dt>");
		html_say(h, "Latest order");
		html_put(h, "</dt><dd>");
		job_line(h, &m->seen->job, &m->seen->tally);
		html_put(h, "</dd>");
	}
	html_put(h, "</dl></section>\n");
}

static unsigned
machines_join(
	struct machine *all, size_t max, const struct overview *o, const struct queue_list *queues)
{
	unsigned n = 0;

	for (unsigned i = 0; i < o->n_machines && n < max; i++) {
		all[n] = (struct machine){.seen = &o->machines[i]};
		for (unsigned j = 0; j < queues->n; j++)
			if (strcmp(queues->rows[j].serial, o->machines[i].serial) == 0)
				all[n].queue = &queues->rows[j];
		n++;
	}
	for (unsigned j = 0; j < queues->n && n < max; j++) {
		bool there = false;

		for (unsigned i = 0; i < n; i++)
			there |= all[i].queue &&
				 strcmp(all[i].queue->serial, queues->rows[j].serial) == 0;
		if (!there)
			all[n++] = (struct machine){.queue = &queues->rows[j]};
	}
	return n;
}

void
web_machines(struct web_request *q)
{
	struct machine all[OVERVIEW_MACHINES_MAX + QUEUES_MAX];
	const struct queue_list *queues = web_queues(q->web);
	const struct overview *o;
	unsigned n;

	q->html.rc = web_overview(q, &o);
	if (q->html.rc != 0)
		return;
	n = machines_join(all, ARRAY_LEN(all), o, queues);
	web_page_open(q, "Machines");
	if (!queues->answered) {
		html_put(&q->html, "<p class=\"notice\">");
		html_say(&q->html, "CUPS does not answer: what the machines do now is unknown.");
		html_put(&q->html, "</p>");
	}
	numbers_put(&q->html, o);
	html_put(&q->html, "<div class=\"machines\">\n");
	for (unsigned i = 0; i < n; i++)
		machine_put(&q->html, &all[i], queues->answered);
	html_put(&q->html, "</div>\n");
	if (n == 0) {
		html_put(&q->html, "<p>");
		html_say(&q->html, "Nothing was made yet.");
		html_put(&q->html, "</p>");
	}
	web_page_close(q);
}

/* ---- batches ---- */

/* At the pace of the cards so far; short batches and the first card say nothing. */
static void
rest_put(struct html *h, const struct overview_job *j)
{
	char rest[32];
	int64_t ran_ms = clock_real_ms() - j->job.started;

	if (strcmp(j->job.state, "active") != 0 || j->tally.good < 2 || ran_ms <= 0 ||
		j->tally.good >= j->job.n_cards)
		return;
	say_duration(h->lang, rest, sizeof rest,
		ran_ms / j->tally.good * (j->job.n_cards - j->tally.good));
	html_put(h, "<span class=\"sub\">");
	html_say(h, "left at this pace");
	html_put(h, ": %s</span>", rest);
}

static void
batch_put(struct html *h, const struct overview_job *j)
{
	char started[32], ended[32];

	say_time(started, sizeof started, j->job.started);
	say_time(ended, sizeof ended, j->job.ended);
	html_put(h, "<tr><td data-name=\"%s\">%d</td><td>", say(h->lang, "Job"), j->job.cups_id);
	job_line(h, &j->job, &j->tally);
	html_put(h, "</td><td>");
	web_state(h, class_of(j->job.state), j->job.state);
	rest_put(h, j);
	html_put(h, "</td><td>");
	html_text(h, j->job.printer_model);
	html_put(h, "<span class=\"sub\">");
	html_text(h, j->job.printer_serial);
	html_put(h, "</span></td><td>");
	html_text(h, j->job.template_name);
	html_put(h, "</td><td data-name=\"%s\">", say(h->lang, "Operator"));
	html_text(h, j->job.user);
	html_put(h, "</td><td>%s<span class=\"sub\">%s</span></td><td><a href=\"/failures?job=",
		started, ended);
	web_link_value(h, j->job.uuid);
	html_put(h, "\">");
	html_say(h, "Failures");
	html_put(h, "</a></td></tr>\n");
}

void
web_batches(struct web_request *q)
{
	static const char *const heads[] = {
		"Job", "Order", "State", "Machine", "Template", "Operator", "Period", "Failures"};
	const struct overview *o;
	struct html *h = &q->html;

	h->rc = web_overview(q, &o);
	if (h->rc != 0)
		return;
	web_page_open(q, "Batches");
	html_put(h, "<div class=\"wide\"><table class=\"list\"><thead><tr>");
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		html_put(h, "<th>");
		html_say(h, heads[i]);
		html_put(h, "</th>");
	}
	html_put(h, "</tr></thead><tbody>\n");
	for (unsigned i = 0; i < o->n_jobs; i++)
		batch_put(h, &o->jobs[i]);
	html_put(h, "</tbody></table></div>\n");
	if (o->n_jobs == 0) {
		html_put(h, "<p>");
		html_say(h, "Nothing was made yet.");
		html_put(h, "</p>");
	}
	web_page_close(q);
}
