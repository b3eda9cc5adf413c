/*
 * report-pdf.c - the failure report on A4 pages.
 *
 * Owns the pages: what stands where, where a page ends, and their numbers, for which the report is
 * laid out once before it is drawn. Guarantees: no row is cut in two, a heading never stands alone
 * at the foot, text is text and can be searched. Sent to an office printer as it is.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/report.h"

#include <cairo-pdf.h>
#include <inttypes.h>
#include <string.h>

#define PAGE_W 595.28
#define PAGE_H 841.89
#define LEFT   42.0
#define FOOT   (PAGE_H - 54)
#define INK    "#1f2937"
#define FAINT  "#5b6472"
#define RULE   "#d9dee6"
#define BAND   "#1d4e89"

enum { PDF_MAX = 64 * 1024 * 1024 };

struct sheet {
	const struct report *r;
	enum language l;
	cairo_t *cr;
	struct canvas c;
	double y;
	unsigned page, pages; /* pages 0: not counted yet */
};

static void
text_at(struct sheet *s, double x, double y, double size, const char *colour, double max,
	const char *text)
{
	s->c.text(&s->c, LEFT + x, y, size, ANCHOR_START, false, colour, max, text);
}

static void
text_right(struct sheet *s, double x, double y, double size, const char *colour, const char *text)
{
	s->c.text(&s->c, LEFT + x, y, size, ANCHOR_END, false, colour, 0, text);
}

static void
page_foot(struct sheet *s)
{
	char text[160], made[24];

	say_time(made, sizeof made, s->r->made_ms);
	s->c.line(&s->c, LEFT, FOOT + 12, PAGE_W - LEFT, FOOT + 12, 0.5, RULE);
	snprintf(text, sizeof text, "%s %s · %s %s", say(s->l, "Made"), made, say(s->l, "Ledger"),
		s->r->ledger);
	text_at(s, 0, FOOT + 25, 7.5, FAINT, 420, text);
	snprintf(text, sizeof text, "%s %u / %u", say(s->l, "Page"), s->page, s->pages);
	text_right(s, CHART_WIDTH, FOOT + 25, 7.5, FAINT, text);
}

static void
page_next(struct sheet *s)
{
	char range[160];

	if (s->page > 0) {
		page_foot(s);
		cairo_show_page(s->cr);
	}
	s->page++;
	s->y = 48;
	if (s->page == 1)
		return;
	report_range(s->r, s->l, range, sizeof range);
	text_at(s, 0, 40, 8, FAINT, 0, say(s->l, "Failure report"));
	text_right(s, CHART_WIDTH, 40, 8, FAINT, range);
	s->c.line(&s->c, LEFT, 46, PAGE_W - LEFT, 46, 0.5, RULE);
	s->y = 62;
}

/* A new page unless so much is left; true: a new one was begun. */
static bool
room_have(struct sheet *s, double height)
{
	if (s->y + height <= FOOT)
		return false;
	page_next(s);
	return true;
}

static void
heading(struct sheet *s, const char *name, double with)
{
	room_have(s, with + 30);
	s->y += 16;
	s->c.text(&s->c, LEFT, s->y, 11.5, ANCHOR_START, true, INK, 0, say(s->l, name));
	s->c.line(&s->c, LEFT, s->y + 5, PAGE_W - LEFT, s->y + 5, 1.2, BAND);
	s->y += 16;
}

static void
title_draw(struct sheet *s)
{
	struct report_figure figures[REPORT_FIGURES];
	char text[160];

	s->c.rect(&s->c, 0, 0, PAGE_W, 74, BAND);
	s->c.text(
		&s->c, LEFT, 36, 20, ANCHOR_START, true, "#ffffff", 0, say(s->l, "Failure report"));
	report_range(s->r, s->l, text, sizeof text);
	text_at(s, 0, 57, 10.5, "#ffffff", CHART_WIDTH, text);
	report_figures(s->r, s->l, figures);
	for (size_t i = 0; i < REPORT_FIGURES; i++) {
		double x = (double)(i % 4) * 130, y = 90 + (double)(i / 4) * 46;

		s->c.rect(&s->c, LEFT + x, y, 121, 40, "#f1f5f9");
		s->c.text(&s->c, LEFT + x + 8, y + 18, 13, ANCHOR_START, true, INK, 108,
			figures[i].value);
		text_at(s, x + 8, y + 32, 7.8, FAINT, 110, say(s->l, figures[i].name));
	}
	s->y = 186;
}

static void
charts_draw(struct sheet *s)
{
	for (size_t i = 0; i < n_charts; i++) {
		heading(s, charts[i].title, charts[i].height);
		cairo_save(s->cr);
		cairo_translate(s->cr, LEFT, s->y);
		charts[i].draw(&s->c, s->r, s->l);
		cairo_restore(s->cr);
		s->y += charts[i].height;
	}
}

/* ---- tables: each cell has a line, and a fainter one below ---- */

struct column_place {
	const char *head;
	double x, width;
	bool right;
};

static void
cell_draw(struct sheet *s, const struct column_place *c, double y, double size, const char *colour,
	const char *text)
{
	double x = LEFT + c->x + (c->right ? c->width : 0);

	s->c.text(&s->c, x, y, size, c->right ? ANCHOR_END : ANCHOR_START, false, colour, c->width,
		text);
}

static void
table_head(struct sheet *s, const struct column_place *columns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cell_draw(s, &columns[i], s->y + 6, 7.5, FAINT, say(s->l, columns[i].head));
	s->c.line(&s->c, LEFT, s->y + 10, PAGE_W - LEFT, s->y + 10, 0.8, FAINT);
	s->y += 12;
}

static void
table_row(struct sheet *s, const struct column_place *columns, size_t n, char cells[][2][160],
	double height)
{
	if (room_have(s, height))
		table_head(s, columns, n);
	for (size_t i = 0; i < n; i++) {
		cell_draw(s, &columns[i], s->y + 9, 8, INK, cells[i][0]);
		if (cells[i][1][0])
			cell_draw(s, &columns[i], s->y + 18.5, 7, FAINT, cells[i][1]);
	}
	s->y += height;
	s->c.line(&s->c, LEFT, s->y - 1, PAGE_W - LEFT, s->y - 1, 0.4, RULE);
}

#define CELL(i, j, ...) snprintf(cells[i][j], sizeof cells[i][j], __VA_ARGS__)

static void
machines_table(struct sheet *s)
{
	static const struct column_place columns[] = {{"Machine", 0, 102, false},
		{"Cards", 104, 38, true}, {"Failures", 144, 40, true},
		{"per 1,000 cards", 186, 58, true}, {"Jams and lost cards", 246, 72, true},
		{"Between jams", 320, 52, true}, {"Print head", 382, 62, false},
		{"Cleaning", 448, 63, false}};

	heading(s, "By machine", 60);
	table_head(s, columns, ARRAY_LEN(columns));
	for (unsigned i = 0; i < s->r->n_machines; i++) {
		const struct report_machine *m = &s->r->machines[i];
		char cells[ARRAY_LEN(columns)][2][160] = {{"", ""}}, text[48];

		CELL(0, 0, "%s", m->model);
		CELL(0, 1, "%s", m->serial);
		CELL(1, 0, "%u", m->cards);
		CELL(2, 0, "%u", m->failures);
		CELL(3, 0, "%.1f", m->cards ? 1000.0 * m->failures / m->cards : 0);
		CELL(4, 0, "%u / %u", m->jams, m->cards_lost);
		say_duration(s->l, text, sizeof text, m->jams ? m->work_ms / m->jams : 0);
		CELL(5, 0, "%s", m->jams ? text : say(s->l, "no jam"));
		CELL(6, 0, "%.1f %%", 100.0 * (double)m->prints / (double)m->head_life);
		CELL(6, 1, "%s", say(s->l, "of rated life"));
		say_day(text, sizeof text, m->cleaned_ms);
		CELL(7, 0, "%s", m->cleaned_ms ? text : say(s->l, "never recorded"));
		if (m->cleaned_ms)
			CELL(7, 1, "%" PRId64 " %s", m->since_cleaning, say(s->l, "cards since"));
		table_row(s, columns, ARRAY_LEN(columns), cells, 24);
	}
	heading(s, "By ribbon lot", 14);
	text_at(s, 0, s->y + 4, 8.5, FAINT, CHART_WIDTH,
		say(s->l, "Not recorded: the printers do not report the lot of a ribbon."));
	s->y += 8;
}

static void
causes_table(struct sheet *s)
{
	static const struct column_place columns[] = {{"Cause", 0, 250, false},
		{"Number", 260, 60, true}, {"Share", 330, 60, true},
		{"Mean time to clear", 400, 111, true}};

	if (s->r->n_causes == 0)
		return;
	heading(s, "Mean time to clear, by cause", 60);
	table_head(s, columns, ARRAY_LEN(columns));
	for (unsigned i = 0; i < s->r->n_causes; i++) {
		const struct report_cause *c = &s->r->causes[i];
		char cells[ARRAY_LEN(columns)][2][160] = {{"", ""}};

		CELL(0, 0, "%s", say_fault(s->l, c->code));
		CELL(1, 0, "%u", c->n);
		CELL(2, 0, "%.1f %%", 100.0 * c->n / s->r->n);
		CELL(3, 0, "-");
		if (c->n_cleared)
			say_duration(
				s->l, cells[3][0], sizeof cells[3][0], c->clear_ms / c->n_cleared);
		table_row(s, columns, ARRAY_LEN(columns), cells, 14);
	}
}

static void
records_table(struct sheet *s)
{
	static const struct column_place columns[] = {{"No.", 0, 26, false},
		{"When", 28, 74, false}, {"Machine", 106, 82, false},
		{"Order, card", 192, 62, false}, {"Cause, what was done", 258, 118, false},
		{"Operator", 380, 42, false}, {"Reviewed by", 426, 85, false}};
	char text[96];

	if (s->r->n_rows == 0)
		return;
	heading(s, "Records", 60);
	if (s->r->n > s->r->n_rows) {
		snprintf(text, sizeof text, "%zu %s", s->r->n - s->r->n_rows,
			say(s->l, "older records are not listed"));
		text_at(s, 0, s->y + 4, 8.5, FAINT, 0, text);
		s->y += 14;
	}
	table_head(s, columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < s->r->n_rows; i++) {
		const struct failure_row *f = &s->r->rows[i].failure;
		char cells[ARRAY_LEN(columns)][2][160] = {{"", ""}};

		CELL(0, 0, "%" PRId64, f->id);
		say_time(cells[1][0], sizeof cells[1][0], f->at);
		say_duration(s->l, text, sizeof text, f->cleared - f->at);
		CELL(1, 1, "%s %s", f->cleared ? say(s->l, "cleared after") : say(s->l, "open"),
			f->cleared ? text : "");
		CELL(2, 0, "%s", f->machine);
		CELL(2, 1, "%s", f->serial);
		CELL(3, 0, "%s", f->order);
		CELL(3, 1, "%u  %s", f->card, f->holder_masked);
		CELL(4, 0, "%s", say_fault(s->l, f->code));
		CELL(4, 1, "%s%s%s", f->raw, f->raw[0] && f->done[0] ? " · " : "", f->done);
		CELL(5, 0, "%s", f->operator_name);
		CELL(6, 0, "%s", f->review ? f->reviewer : say(s->l, "not signed"));
		if (f->review) {
			say_day(text, sizeof text, s->r->rows[i].reviewed_ms);
			CELL(6, 1, "%s %.8s…", text, s->r->rows[i].signature);
		}
		table_row(s, columns, ARRAY_LEN(columns), cells, 24);
	}
}

static void
reviews_draw(struct sheet *s)
{
	char text[256];

	heading(s, "Reviews", 14);
	snprintf(text, sizeof text, "%u %s · %u %s · %u %s", s->r->n_reviewed, say(s->l, "signed"),
		s->r->n_waiting, say(s->l, "waiting for a reviewer"), s->r->n_overdue,
		say(s->l, "overdue"));
	text_at(s, 0, s->y + 4, 9, INK, CHART_WIDTH, text);
	text_at(s, 0, s->y + 17, 7.5, FAINT, CHART_WIDTH,
		say(s->l, "Kept for three months and until it is reviewed. Holders are masked."));
	s->y += 22;
}

static void
sheets_draw(struct sheet *s)
{
	page_next(s);
	title_draw(s);
	charts_draw(s);
	machines_table(s);
	causes_table(s);
	reviews_draw(s);
	records_table(s);
	page_foot(s);
	cairo_show_page(s->cr);
}

static cairo_status_t
bytes_take(void *ctx, const unsigned char *bytes, unsigned int n)
{
	return ctx && buf_append(ctx, bytes, n, NULL) != 0 ? CAIRO_STATUS_WRITE_ERROR
							   : CAIRO_STATUS_SUCCESS;
}

/* out NULL: only counts the pages. */
static int
document_draw(
	const struct report *r, enum language l, struct buf *out, unsigned *pages, struct err *e)
{
	cairo_surface_t *surface =
		cairo_pdf_surface_create_for_stream(bytes_take, out, PAGE_W, PAGE_H);
	cairo_t *cr = cairo_create(surface);
	struct sheet s = {.r = r, .l = l, .cr = cr, .c = chart_cairo(cr, l), .pages = *pages};
	cairo_status_t status;

	cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_TITLE, say(l, "Failure report"));
	cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATOR, "Cardspool");
	sheets_draw(&s);
	*pages = s.page;
	status = cairo_status(cr);
	cairo_destroy(cr);
	cairo_surface_finish(surface);
	if (status == CAIRO_STATUS_SUCCESS)
		status = cairo_surface_status(surface);
	cairo_surface_destroy(surface);
	if (status == CAIRO_STATUS_SUCCESS)
		return 0;
	return err_set(e, ERR_SYSTEM, _("The report could not be drawn: %s."),
		cairo_status_to_string(status));
}

int
report_pdf(const struct report *r, enum language l, struct buf *out, struct err *e)
{
	unsigned pages = 0;
	int rc;

	buf_init(out, PDF_MAX);
	rc = document_draw(r, l, NULL, &pages, e);
	if (rc == 0)
		rc = document_draw(r, l, out, &pages, e);
	if (rc != 0)
		buf_done(out);
	return rc;
}
