/*
 * chart.c - the charts of the failure log.
 *
 * Owns what each chart shows and where its marks stand, in units of a page 511 wide. The same calls
 * draw SVG and PDF. Guarantees: no figures give a chart that says so, not an empty frame; nothing
 * depends on colour alone, since each bar carries its number or stands in a legend's order.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/report.h"

#include <string.h>

#define INK   "#1f2937"
#define FAINT "#6b7280"
#define GRID  "#e5e7eb"
#define BAR   "#1d4e89"
#define LINE  "#b45309"

static const char *const kind_colours[KIND_COUNT] = {[KIND_JAM] = "#b3261e",
	[KIND_SUPPLY] = "#e0a030",
	[KIND_CHIP] = "#2f7d6b",
	[KIND_OTHER] = "#64748b"};

static void
label(struct canvas *c, double x, double y, enum anchor anchor, const char *colour,
	const char *text)
{
	c->text(c, x, y, 8.5, anchor, false, colour, 0, text);
}

static void
empty_draw(struct canvas *c, const struct report *r, double height, enum language l)
{
	c->rect(c, 0, 0, CHART_WIDTH, height, "#f8fafc");
	c->text(c, CHART_WIDTH / 2, height / 2, 10, ANCHOR_MIDDLE, false, FAINT, 0,
		say(l, r->n == 0 ? "There are no failures in this period."
				 : "No cards were made in this period."));
}

/* A round step that gives about four lines up to top. */
static unsigned
scale_step(unsigned top)
{
	static const unsigned steps[] = {1, 2, 5};
	unsigned ten = 1;

	for (;; ten *= 10)
		for (size_t i = 0; i < ARRAY_LEN(steps); i++)
			if (steps[i] * ten * 5 >= top || ten >= 100000000)
				return steps[i] * ten;
}

/* ---- failures over time: a bar for each day or week, one colour for each kind ---- */

static unsigned
bin_sum(const struct report *r, unsigned i)
{
	unsigned sum = 0;

	for (int k = 0; k < KIND_COUNT; k++)
		sum += r->bins[i].n[k];
	return sum;
}

static void
legend_draw(struct canvas *c, enum language l)
{
	double x = 28;

	for (int k = 0; k < KIND_COUNT; k++, x += 122) {
		c->rect(c, x, 2, 8, 8, kind_colours[k]);
		label(c, x + 12, 9.5, ANCHOR_START, INK, say(l, fault_kind_names[k]));
	}
}

static void
grid_draw(struct canvas *c, unsigned top, double left, double base, double height)
{
	unsigned step = scale_step(top);
	char text[16];

	for (unsigned v = 0; v <= top; v += step) {
		double y = base - height * v / top;

		c->line(c, left, y, CHART_WIDTH, y, v == 0 ? 0.9 : 0.5, v == 0 ? FAINT : GRID);
		snprintf(text, sizeof text, "%u", v);
		label(c, left - 5, y + 3, ANCHOR_END, FAINT, text);
	}
}

static void
time_draw(struct canvas *c, const struct report *r, enum language l)
{
	const double left = 28, base = 140, height = 114;
	double step = (CHART_WIDTH - left) / (r->n_bins ? r->n_bins : 1), bar = step * 0.68;
	unsigned top = 1, every = r->n_bins / 9 + 1;
	char day[16], text[16];

	if (r->n == 0) {
		empty_draw(c, r, 156, l);
		return;
	}
	for (unsigned i = 0; i < r->n_bins; i++)
		top = bin_sum(r, i) > top ? bin_sum(r, i) : top;
	top = (top / scale_step(top) + 1) * scale_step(top);
	legend_draw(c, l);
	grid_draw(c, top, left, base, height);
	for (unsigned i = 0; i < r->n_bins; i++) {
		double x = left + i * step + (step - bar) / 2, y = base;

		for (int k = 0; k < KIND_COUNT; k++) {
			double h = height * r->bins[i].n[k] / top;

			y -= h;
			if (h > 0)
				c->rect(c, x, y, bar, h, kind_colours[k]);
		}
		snprintf(text, sizeof text, "%u", bin_sum(r, i));
		if (bin_sum(r, i) > 0 && r->n_bins <= 32)
			label(c, x + bar / 2, y - 3, ANCHOR_MIDDLE, INK, text);
		say_day(day, sizeof day, r->bins[i].begin_ms);
		if (i % every == 0)
			label(c, x + bar / 2, base + 12, ANCHOR_MIDDLE, FAINT, day + 5);
	}
}

/* ---- causes: bars from the most frequent, and the share that they add up to ---- */

enum { PARETO_BARS = 12 };

static void
pareto_bar(struct canvas *c, unsigned i, const char *name, unsigned n, double share, double sum,
	unsigned most)
{
	const double left = 176, width = 236;
	double y = i * 15.0 + 16, w = width * n / most;
	char text[48];

	c->text(c, left - 8, y + 9, 8.5, ANCHOR_END, false, INK, left - 12, name);
	c->rect(c, left, y, w, 11, BAR);
	snprintf(text, sizeof text, "%u (%.0f %%)", n, share * 100);
	label(c, left + w + 5, y + 9, ANCHOR_START, INK, text);
	snprintf(text, sizeof text, "%.0f %%", sum * 100);
	label(c, CHART_WIDTH, y + 9, ANCHOR_END, LINE, text);
}

static void
pareto_draw(struct canvas *c, const struct report *r, enum language l)
{
	unsigned sum = 0, bars = r->n_causes <= PARETO_BARS ? r->n_causes : PARETO_BARS - 1;

	if (r->n == 0) {
		empty_draw(c, r, 60, l);
		return;
	}
	label(c, CHART_WIDTH, 9, ANCHOR_END, LINE, say(l, "cumulative share"));
	for (unsigned i = 0; i < bars; i++) {
		sum += r->causes[i].n;
		pareto_bar(c, i, say_fault(l, r->causes[i].code), r->causes[i].n,
			(double)r->causes[i].n / r->n, (double)sum / r->n, r->causes[0].n);
	}
	if (bars < r->n_causes)
		pareto_bar(c, bars, say(l, "other causes"), r->n - sum, (double)(r->n - sum) / r->n,
			1, r->causes[0].n > r->n - sum ? r->causes[0].n : r->n - sum);
}

/* ---- machines: the worst first, so many as find room ---- */

enum { MACHINE_BARS = 8 };

static double
machine_rate(const struct report_machine *m)
{
	return m->cards > 0 ? 1000.0 * m->failures / m->cards : 0;
}

static double
machine_wear(const struct report_machine *m)
{
	return m->head_life > 0 ? (double)m->prints / (double)m->head_life : 0;
}

static unsigned
machines_order(const struct report *r, double (*measure)(const struct report_machine *m),
	const struct report_machine *order[MACHINE_BARS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n_machines; i++) {
		const struct report_machine *m = &r->machines[i];
		unsigned place = n;

		while (place > 0 && measure(order[place - 1]) < measure(m))
			place--;
		if (place == MACHINE_BARS)
			continue;
		n += n < MACHINE_BARS;
		memmove(&order[place + 1], &order[place], (n - place - 1) * sizeof order[0]);
		order[place] = m;
	}
	return n;
}

static double
machines_height(const struct report *r)
{
	unsigned n = r->n_machines > MACHINE_BARS ? MACHINE_BARS : r->n_machines;

	return n ? 15.0 * n + 6 : 60;
}

static void
machine_label(struct canvas *c, const struct report_machine *m, double x, double y, enum language l)
{
	char text[144];

	snprintf(text, sizeof text, "%s  %s", m->serial[0] ? m->model : say(l, "other machines"),
		m->serial);
	c->text(c, x - 8, y + 9, 8.5, ANCHOR_END, false, INK, x - 12, text);
}

static void
machines_draw(struct canvas *c, const struct report *r, enum language l)
{
	const struct report_machine *order[MACHINE_BARS];
	const double left = 176, width = 250;
	unsigned n = machines_order(r, machine_rate, order);
	char text[64];

	if (r->cards == 0 || n == 0) {
		empty_draw(c, r, machines_height(r), l);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct report_machine *m = order[i];
		double most = machine_rate(order[0]), y = i * 15.0 + 2;
		double w = most > 0 ? width * machine_rate(m) / most : 0;

		machine_label(c, m, left, y, l);
		c->rect(c, left, y, w, 11, BAR);
		snprintf(text, sizeof text, "%.1f   (%u / %u)", machine_rate(m), m->failures,
			m->cards);
		label(c, left + w + 5, y + 9, ANCHOR_START, INK, text);
	}
}

/* The whole of a bar is the rated life. */
static void
wear_draw(struct canvas *c, const struct report *r, enum language l)
{
	const struct report_machine *order[MACHINE_BARS];
	const double left = 176, width = 150;
	unsigned n = machines_order(r, machine_wear, order);
	char text[96];

	if (n == 0) {
		empty_draw(c, r, machines_height(r), l);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct report_machine *m = order[i];
		double y = i * 15.0 + 2, part = machine_wear(m) < 1 ? machine_wear(m) : 1;
		bool behind = m->cleanings < m->cleaning_due;

		machine_label(c, m, left, y, l);
		c->rect(c, left, y, width, 11, GRID);
		c->rect(c, left, y, width * part, 11, part < 0.95 ? BAR : kind_colours[KIND_JAM]);
		snprintf(text, sizeof text, "%.1f %%", 100 * machine_wear(m));
		label(c, left + width + 5, y + 9, ANCHOR_START, INK, text);
		snprintf(text, sizeof text, "%s %u / %u", say(l, "cleaned / due"), m->cleanings,
			m->cleaning_due);
		label(c, CHART_WIDTH, y + 9, ANCHOR_END, behind ? kind_colours[KIND_JAM] : INK,
			text);
	}
}

/* ---- how long it took ---- */

static void
clear_draw(struct canvas *c, const struct report *r, enum language l)
{
	const double base = 84, height = 66, step = CHART_WIDTH / CLEAR_BINS, bar = step * 0.6;
	unsigned top = 1;
	char text[16];

	if (r->n == 0) {
		empty_draw(c, r, 102, l);
		return;
	}
	for (int i = 0; i < CLEAR_BINS; i++)
		top = r->clear_bins[i] > top ? r->clear_bins[i] : top;
	c->line(c, 0, base, CHART_WIDTH, base, 0.9, FAINT);
	for (int i = 0; i < CLEAR_BINS; i++) {
		double h = height * r->clear_bins[i] / top, x = i * step + (step - bar) / 2;

		if (h > 0)
			c->rect(c, x, base - h, bar, h,
				i == CLEAR_BINS - 1 ? kind_colours[KIND_JAM] : BAR);
		snprintf(text, sizeof text, "%u", r->clear_bins[i]);
		label(c, x + bar / 2, base - h - 4, ANCHOR_MIDDLE, INK, text);
		label(c, x + bar / 2, base + 13, ANCHOR_MIDDLE, INK, say(l, clear_bin_names[i]));
	}
}

static double
pareto_height(const struct report *r)
{
	return r->n_causes ? 15.0 * (r->n_causes < PARETO_BARS ? r->n_causes : PARETO_BARS) + 18
			   : 60;
}

const struct chart charts[] = {
	{"time", "Failures over time", 156, NULL, time_draw},
	{"causes", "Causes, most frequent first", 0, pareto_height, pareto_draw},
	{"machines", "Failures per 1,000 cards, by machine", 0, machines_height, machines_draw},
	{"wear", "Print heads: share of rated life", 0, machines_height, wear_draw},
	{"clear", "Time until cleared", 102, NULL, clear_draw},
};
const size_t n_charts = ARRAY_LEN(charts);

double
chart_height(const struct chart *c, const struct report *r)
{
	return c->height_of ? c->height_of(r) : c->height;
}
