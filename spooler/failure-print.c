/*
 * failure-print.c - a record of the failure log for people and for spreadsheets.
 *
 * Owns the lines of one record with its story, and the cells of CSV. Guarantees: a control
 * character of a printer's reply reaches neither the terminal nor a file, and no cell is taken for
 * a formula.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <inttypes.h>
#include <libintl.h>
#include <stdarg.h>
#include <string.h>

enum { LINE_MAX_SHOWN = 4096 };

/* ---- CSV, RFC 4180 ---- */

static void
csv_cell(const char *text, bool last)
{
	struct buf line;

	buf_init(&line, 65536);
	line_escape(&line, text, NULL);
	buf_append(&line, "", 1, NULL);
	putchar('"');
	if (text[0] && strchr("=+-@\t\r", text[0]))
		putchar('\'');
	for (const char *at = line.data ? (const char *)line.data : ""; *at; at++) {
		if (*at == '"')
			putchar('"');
		putchar(*at);
	}
	fputs(last ? "\"\r\n" : "\",", stdout);
	buf_done(&line);
}

void
failure_csv_row(const struct failure_row *f)
{
	json_t *row = times_json(columns_json(failure_columns, f));

	for (const struct column *c = failure_columns; c->name; c++) {
		const json_t *v = json_object_get(row, c->name);
		char number[24];
		const char *text = json_string_value(v);

		snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		if (strcmp(c->name, "at") == 0 || strcmp(c->name, "cleared") == 0)
			text = json_string_value(json_object_get(
				row, c->name[0] == 'a' ? "at_text" : "cleared_text"));
		if (text)
			csv_cell(text, !c[1].name);
		else
			printf("%s%s", number, c[1].name ? "," : "\r\n");
	}
	json_decref(row);
}

void
failure_csv_head(void)
{
	for (const struct column *c = failure_columns; c->name; c++)
		printf("%s%s", c->name, c[1].name ? "," : "\r\n");
}

/* ---- for people ---- */

/* Nothing when the text is empty. */
static void __attribute__((format(printf, 2, 3)))
line_put(const char *name, const char *format, ...)
{
	char text[LINE_MAX_SHOWN];
	struct buf line;
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	buf_init(&line, 65536);
	line_escape(&line, text, NULL);
	buf_append(&line, "", 1, NULL);
	if (line.data && line.data[0])
		printf("  %s: %s\n", name, (const char *)line.data);
	buf_done(&line);
}

static void
cleared_put(const struct failure_row *f)
{
	char at[40];
	int64_t s = (f->cleared - f->at) / 1000;

	time_show(at, sizeof at, f->cleared);
	if (!f->cleared)
		line_put(_("cleared"), "%s", _("open"));
	else if (s < 120)
		line_put(_("cleared"), _("%s, after %d s"), at, (int)s);
	else
		line_put(_("cleared"), _("%s, after %d min"), at, (int)(s / 60));
}

static void
lost_put(const struct failure_row *f)
{
	char cards[48], panels[64];

	if (f->cards_lost + f->panels_lost == 0)
		return;
	snprintf(
		cards, sizeof cards, ngettext("%u card", "%u cards", f->cards_lost), f->cards_lost);
	snprintf(panels, sizeof panels,
		ngettext("%u set of ribbon panels", "%u sets of ribbon panels", f->panels_lost),
		f->panels_lost);
	line_put(_("lost"), "%s, %s", cards, panels);
}

static int
review_put(struct ledger *l, const struct failure_row *f, struct err *e)
{
	struct review r;
	char at[40];
	int rc;

	if (!f->review) {
		line_put(_("reviewed"), "%s", _("not yet"));
		return 0;
	}
	rc = review_of(l, f->id, &r, e);
	if (rc != 0)
		return rc;
	time_show(at, sizeof at, r.at);
	line_put(_("reviewed"), _("by %s, %s"), r.person, at);
	line_put(_("key"), "%s", r.fingerprint);
	line_put(_("signature"), "%s", r.signature);
	review_done(&r);
	return 0;
}

struct notes_print {
	const struct ledger *ledger;
	struct err *e;
};

static int
note_put(void *ctx, const struct failure_note *n)
{
	struct notes_print *p = ctx;
	char at[40], path[LINE_MAX_SHOWN];

	time_show(at, sizeof at, n->at);
	printf(_("note of %s, %s\n"), n->person, at);
	line_put(_("cause found"), "%s", n->cause);
	line_put(_("note"), "%s", n->note);
	if (!n->file[0])
		return 0;
	line_put(_("file"), "%s, %" PRId64 " B", n->file_name, n->file_size);
	if (attachment_path(p->ledger, n->file, path, sizeof path, p->e) != 0)
		return p->e->code;
	line_put(_("kept as"), "%s", path);
	return 0;
}

int
failure_print(struct ledger *l, const struct failure_row *f, struct err *e)
{
	struct notes_print notes = {.ledger = l, .e = e};
	char at[40];
	int rc;

	time_show(at, sizeof at, f->at);
	printf(_("record %" PRId64 "\n"), f->id);
	line_put(_("when"), "%s", at);
	cleared_put(f);
	line_put(_("machine"), "%s %s", f->machine, f->serial);
	line_put(_("chip reader"), "%s", f->station);
	line_put(_("order"), "%s", f->order);
	line_put(_("job"), "%d  %s", f->cups_id, f->job_uuid);
	if (f->card)
		line_put(_("card"), _("%u, copy %u, attempt %u"), f->card, f->copy, f->attempt);
	line_put(_("holder"), "%s", f->holder_masked);
	line_put(_("step"), "%s", f->step);
	line_put(_("cause"), "%s (%s)", f->cause[0] ? _(f->cause) : cause_words(f->code), f->code);
	line_put(_("printer's reply"), "%s", f->raw);
	line_put(_("what was done"), "%s", f->done[0] ? _(f->done) : "");
	lost_put(f);
	line_put(_("operator"), "%s", f->operator_name);
	rc = review_put(l, f, e);
	return rc == 0 ? failure_notes(l, f->id, note_put, &notes, e) : rc;
}
