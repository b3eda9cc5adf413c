/*
 * report-pdf.c - the failure report on A4 pages.
 *
 * Owns the pages: what stands where, where a page ends, and their numbers, for which the report is
 * laid out once without ink before it is drawn. Guarantees: no row is cut in two, a heading never
 * stands alone at the foot, text is text and can be searched. Sent to an office printer as it is.
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
	cairo_t *cr; /* NULL: the pages are only counted */
	struct canvas c;
	double y;
	unsigned page, pages;
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
page_end(struct sheet *s)
{
	char text[160], made[24];

	say_time(made, sizeof made, s->r->made_ms);
	s->c.line(&s->c, LEFT, FOOT + 12, PAGE_W - LEFT, FOOT + 12, 0.5, RULE);
	snprintf(text, sizeof text, "%s %s · %s %s", say(s->l, "Made"), made, say(s->l, "Ledger"),
		s->r->ledger);
	text_at(s, 0, FOOT + 25, 7.5, FAINT, 420, text);
	snprintf(text, sizeof text, "%s %u / %u", say(s->l, "Page"), s->page, s->pages);
	text_right(s, CHART_WIDTH, FOOT + 25, 7.5, FAINT, text);
	if (s->cr)
		cairo_show_page(s->cr);
}

static void
page_next(struct sheet *s)
{
	char range[160];

	if (s->page > 0) {
		page_end(s);
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
	if (s->r->n == 0) {
		s->c.text(&s->c, LEFT, s->y + 20, 11.5, ANCHOR_START, true, INK, CHART_WIDTH,
			say(s->l, "There are no failures in this period."));
		s->y += 28;
	}
	for (size_t i = 0; i < n_charts && s->r->n > 0; i++) {
		heading(s, charts[i].title, chart_height(&charts[i], s->r));
		if (s->cr) {
			cairo_save(s->cr);
			cairo_translate(s->cr, LEFT, s->y);
			charts[i].draw(&s->c, s->r, s->l);
			cairo_restore(s->cr);
		}
		s->y += chart_height(&charts[i], s->r);
	}
}

/* ---- tables ---- */

static void
cell_draw(struct sheet *s, const struct report_column *c, double y, double size, const char *colour,
	const char *text)
{
	double x = LEFT + c->x + (c->right ? c->width : 0);

	if (text[0])
		s->c.text(&s->c, x, y, size, c->right ? ANCHOR_END : ANCHOR_START, false, colour,
			c->width, text);
}

static void
table_head(struct sheet *s, const struct report_table *t)
{
	for (size_t i = 0; i < t->n_columns; i++)
		cell_draw(s, &t->columns[i], s->y + 6, 7.5, FAINT, say(s->l, t->columns[i].head));
	s->c.line(&s->c, LEFT, s->y + 10, PAGE_W - LEFT, s->y + 10, 0.8, FAINT);
	s->y += 12;
}

static void
row_draw(struct sheet *s, const struct report_table *t, size_t row)
{
	struct report_cell cells[REPORT_COLUMNS] = {0};
	size_t lines = 1;

	t->row(s->r, s->l, row, cells);
	for (size_t i = 0; i < t->n_columns; i++)
		for (size_t j = lines; j < REPORT_LINES; j++)
			if (cells[i].line[j][0])
				lines = j + 1;
	if (room_have(s, 5 + 9.5 * (double)lines))
		table_head(s, t);
	for (size_t i = 0; i < t->n_columns; i++)
		for (size_t j = 0; j < lines; j++)
			cell_draw(s, &t->columns[i], s->y + 9 + 9.5 * (double)j, j ? 7 : 8,
				j ? FAINT : INK, cells[i].line[j]);
	s->y += 5 + 9.5 * (double)lines;
	s->c.line(&s->c, LEFT, s->y - 1, PAGE_W - LEFT, s->y - 1, 0.4, RULE);
}

static void
table_draw(struct sheet *s, const struct report_table *t)
{
	size_t n = t->count(s->r);

	if (n == 0 && !t->empty)
		return;
	heading(s, t->title, n ? 60 : 14);
	if (n)
		table_head(s, t);
	for (size_t i = 0; i < n; i++)
		row_draw(s, t, i);
	for (int i = 0; i < 2; i++) {
		const char *more = i ? t->note : n ? NULL : t->empty;

		if (!more)
			continue;
		room_have(s, 12);
		text_at(s, 0, s->y + 8, i ? 7.5 : 8.5, FAINT, CHART_WIDTH, say(s->l, more));
		s->y += 12;
	}
}

static void
records_draw(struct sheet *s)
{
	char text[96];

	table_draw(s, &report_tables[REPORT_RECORDS]);
	if (s->r->n <= s->r->n_rows)
		return;
	room_have(s, 14);
	snprintf(text, sizeof text, "%zu %s", s->r->n - s->r->n_rows,
		say(s->l, "older records are not listed"));
	text_at(s, 0, s->y + 9, 8.5, FAINT, 0, text);
	s->y += 14;
}

static void
reviews_draw(struct sheet *s)
{
	char text[256];

	heading(s, "Reviews", 14);
	report_reviews(s->r, s->l, text, sizeof text);
	text_at(s, 0, s->y + 4, 9, INK, CHART_WIDTH, text);
	text_at(s, 0, s->y + 17, 7.5, FAINT, CHART_WIDTH,
		say(s->l, "Kept for three months and until it is reviewed. Holders are masked."));
	s->y += 22;
	room_have(s, 46);
	for (int i = 0; i < 2; i++) {
		double x = i * 266.0;

		text_at(s, x, s->y + 34, 8.5, INK, 90, say(s->l, i ? "Checked by" : "Prepared by"));
		s->c.line(&s->c, LEFT + x + 64, s->y + 36, LEFT + x + 245, s->y + 36, 0.6, FAINT);
	}
	s->y += 46;
}

static void
sheets_draw(struct sheet *s)
{
	page_next(s);
	title_draw(s);
	charts_draw(s);
	for (size_t i = 0; i < REPORT_RECORDS; i++)
		table_draw(s, &report_tables[i]);
	reviews_draw(s);
	records_draw(s);
	page_end(s);
}

static cairo_status_t
bytes_take(void *ctx, const unsigned char *bytes, unsigned int n)
{
	return buf_append(ctx, bytes, n, NULL) == 0 ? CAIRO_STATUS_SUCCESS
						    : CAIRO_STATUS_WRITE_ERROR;
}

static void
blank_rect(struct canvas *c, double x, double y, double w, double h, const char *colour)
{
	(void)c, (void)x, (void)y, (void)w, (void)h, (void)colour;
}

static void
blank_line(struct canvas *c, double x1, double y1, double x2, double y2, double width,
	const char *colour)
{
	(void)c, (void)x1, (void)y1, (void)x2, (void)y2, (void)width, (void)colour;
}

static void
blank_text(struct canvas *c, double x, double y, double size, enum anchor anchor, bool bold,
	const char *colour, double max_width, const char *text)
{
	(void)c, (void)x, (void)y, (void)size, (void)anchor, (void)bold, (void)colour;
	(void)max_width, (void)text;
}

/* Where a page ends does not depend on how wide a text is: nothing needs to be drawn for it. */
static unsigned
pages_count(const struct report *r, enum language l)
{
	struct sheet s = {
		.r = r, .l = l, .c = {.rect = blank_rect, .line = blank_line, .text = blank_text}};

	sheets_draw(&s);
	return s.page;
}

int
report_pdf(const struct report *r, enum language l, struct buf *out, struct err *e)
{
	cairo_surface_t *surface;
	cairo_status_t status;
	struct sheet s = {.r = r, .l = l, .pages = pages_count(r, l)};

	buf_init(out, PDF_MAX);
	surface = cairo_pdf_surface_create_for_stream(bytes_take, out, PAGE_W, PAGE_H);
	s.cr = cairo_create(surface);
	s.c = chart_cairo(s.cr, l);
	cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_TITLE, say(l, "Failure report"));
	cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATOR, "Cardspool");
	sheets_draw(&s);
	chart_cairo_done(&s.c);
	status = cairo_status(s.cr);
	cairo_destroy(s.cr);
	cairo_surface_finish(surface);
	if (status == CAIRO_STATUS_SUCCESS)
		status = cairo_surface_status(surface);
	cairo_surface_destroy(surface);
	if (status == CAIRO_STATUS_SUCCESS)
		return 0;
	buf_done(out);
	return err_set(e, ERR_SYSTEM, _("The report could not be drawn: %s."),
		cairo_status_to_string(status));
}
