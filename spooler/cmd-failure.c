/*
 * cmd-failure.c - the commands over the failure log.
 *
 * Owns what people and scripts see of records and notes, and letting go of them; signing is
 * cmd-failure-review.c. Guarantees: shows masked values only, because the ledger has no others;
 * --json keeps its keys from release to release. On failure nothing of the call is in the ledger.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/cmd-failure.h"

#include <inttypes.h>
#include <libintl.h>
#include <string.h>

/* ---- list ---- */

static int
visit_record(void *ctx, const struct failure_row *f)
{
	struct failure_call *c = ctx;
	char id[24], job[16], label[32], at[40], cleared[40];

	if (c->csv) {
		failure_csv_row(f);
		return 0;
	}
	if (c->q.json)
		return json_list_row(&c->json, times_json(columns_json(failure_columns, f)));
	snprintf(id, sizeof id, "%" PRId64, f->id);
	snprintf(job, sizeof job, "%d", f->cups_id);
	card_label(label, sizeof label, f->card, f->copy);
	time_show(at, sizeof at, f->at);
	time_show(cleared, sizeof cleared, f->cleared);
	textable_add(c->table, id, at, text_or_dash(f->machine), text_or_dash(f->order), job, label,
		text_or_dash(f->step), f->cause[0] ? _(f->cause) : cause_words(f->code),
		f->done[0] ? _(f->done) : "-", f->cleared ? cleared : _("open"),
		text_or_dash(f->operator_name), text_or_dash(f->reviewer));
	return 0;
}

static const char *
empty_words(const struct failure_call *c)
{
	const struct failure_filter *f = &c->filter;

	if (c->overdue)
		return _("No review is overdue.");
	if (f->job_uuid || f->machine || f->code || f->order || f->person || f->from_ms ||
		f->to_ms || f->state != FAILURE_ANY)
		return _("No record matches.");
	return _("There are no failures.");
}

static int
list_print(struct failure_call *c, struct err *e)
{
	int64_t left_out = 0;
	char rest[48];
	int rc;

	if (c->csv)
		failure_csv_head();
	else if (c->q.json)
		fputs("{\"failures\":[", stdout);
	else
		c->table = textable_create(12, _("ID"), _("WHEN"), _("MACHINE"), _("ORDER"),
			_("JOB"), _("CARD"), _("STEP"), _("CAUSE"), _("WHAT WAS DONE"),
			_("CLEARED"), _("OPERATOR"), _("REVIEWER"));
	rc = failure_find(c->q.ledger, &c->filter, visit_record, c, &left_out, e);
	snprintf(rest, sizeof rest, ",\"left_out\":%" PRId64 "}", left_out);
	if (!c->csv && c->q.json)
		json_list_end(&c->json, rest);
	else if (!c->csv && textable_rows(c->table) == 0)
		puts(empty_words(c));
	else if (!c->csv)
		textable_print(c->table, stdout);
	if (left_out && !c->q.json)
		fprintf(stderr,
			ngettext("%" PRId64 " older one is not shown: --limit 0 shows all.\n",
				"%" PRId64 " older ones are not shown: --limit 0 shows all.\n",
				(unsigned long)left_out),
			left_out);
	textable_destroy(c->table);
	return rc;
}

/* An empty list must not hide a slip of the pen. */
static int
filter_check(const struct failure_call *c, struct err *e)
{
	const struct failure_filter *f = &c->filter, by_code = {.code = f->code};
	int64_t n = 0;
	int rc = 0;

	if (f->from_ms && f->to_ms && f->from_ms >= f->to_ms)
		return err_set(e, ERR_USAGE, "%s", _("The period ends before it begins."));
	if (f->code && !fault_by_code(f->code))
		rc = failure_count(c->q.ledger, &by_code, &n, e);
	if (rc == 0 && f->code && !fault_by_code(f->code) && n == 0)
		rc = err_set(e, ERR_USAGE, _("There is no cause \"%s\". See: cardspool fault list"),
			f->code);
	return rc;
}

static int
failure_list_run(int argc, char **argv, struct err *e)
{
	struct failure_call c;
	int64_t n = 0;
	int rc = failure_call_start(
		&c, argc, argv, "JmcopsftnCO", 0, 0, failure_list_run, LEDGER_READ, e);

	if (rc != 0)
		return request_end(&c.q, rc);
	c.filter.code = c.cause;
	rc = filter_check(&c, e);
	if (rc != 0)
		return request_end(&c.q, rc);
	c.filter.job_uuid = c.q.job ? c.q.job_row.uuid : NULL;
	if (c.overdue) {
		c.filter.state = FAILURE_UNREVIEWED;
		c.filter.to_ms = overdue_before_ms(c.q.ledger, failure_months(&c));
	}
	rc = list_print(&c, e);
	if (rc == 0 && c.overdue)
		rc = failure_count(c.q.ledger, &c.filter, &n, e);
	if (rc == 0 && n > 0)
		rc = err_set(e, ERR_BUSY,
			_("%" PRId64 " records are overdue: they wait for a review. See: cardspool "
			  "failure review"),
			n);
	return request_end(&c.q, rc);
}

/* ---- one record with its story ---- */

static int
visit_note(void *ctx, const struct failure_note *n)
{
	return json_array_append_new(ctx, times_json(columns_json(note_columns, n)));
}

static int
record_json(struct ledger *l, const struct failure_row *f, struct err *e)
{
	json_t *notes = json_array(), *all;
	int rc = failure_notes(l, f->id, visit_note, notes, e);

	all = json_pack("{s:o, s:o}", "failure", times_json(columns_json(failure_columns, f)),
		"notes", notes);
	if (rc == 0) {
		json_dumpf(all, stdout, JSON_COMPACT);
		putchar('\n');
	}
	json_decref(all);
	return rc;
}

static int
failure_show_run(int argc, char **argv, struct err *e)
{
	struct failure_row f;
	struct failure_call c;
	int64_t id;
	int rc = failure_call_start(&c, argc, argv, "", 1, 1, failure_show_run, LEDGER_READ, e);

	if (rc == 0)
		rc = failure_id_parse(c.q.names[0], &id, e);
	if (rc == 0)
		rc = failure_show(c.q.ledger, id, &f, e);
	if (rc == 0)
		rc = (c.q.json ? record_json : failure_print)(c.q.ledger, &f, e);
	return request_end(&c.q, rc);
}

static int
failure_note_run(int argc, char **argv, struct err *e)
{
	struct failure_call c;
	int64_t id;
	int rc = failure_call_start(&c, argc, argv, "cNF", 1, 1, failure_note_run, LEDGER_WRITE, e);

	if (rc == 0)
		rc = failure_id_parse(c.q.names[0], &id, e);
	if (rc == 0)
		rc = failure_note(c.q.ledger, id, NULL, c.cause, c.note, c.file, e);
	if (rc == 0 && c.q.json)
		puts("{\"noted\":true}");
	return request_end(&c.q, rc);
}

/* ---- purge ---- */

static void
purge_print(const struct failure_call *c, const struct purge *p)
{
	if (c->q.json) {
		printf("{\"months\":%u,\"purged\":%" PRId64 ",\"due\":%" PRId64
		       ",\"overdue\":%" PRId64 ",\"clock_ahead_ms\":%" PRId64 "}\n",
			p->months, p->n_purged, p->n_due, p->n_overdue, p->unproved_ms);
		return;
	}
	printf(_("%" PRId64 " records purged, %" PRId64 " due, %" PRId64
		 " overdue without a review (kept %u months).\n"),
		p->n_purged, p->n_due, p->n_overdue, p->months);
	if (p->unproved_ms > 0)
		printf(_("The clock went ahead by %" PRId64
			 " hours that the ledger cannot prove; they do not count.\n"),
			p->unproved_ms / 3600000);
}

static int
failure_purge_run(int argc, char **argv, struct err *e)
{
	char pass[PERSON_PASS_MAX + 2] = "";
	struct failure_call c;
	int rc =
		failure_call_start(&c, argc, argv, "baD", 0, 0, failure_purge_run, LEDGER_WRITE, e);
	struct purge p = {.dry = c.dry, .name = c.as, .pass = pass};

	if (rc == 0 && c.before)
		rc = failure_date_parse(c.before, &p.before_day, e);
	if (rc == 0)
		p.months = failure_months(&c);
	if (rc == 0 && c.as && !c.dry)
		rc = pass_read(_("Passphrase"), false, pass, e);
	if (rc == 0)
		rc = failure_purge(c.q.ledger, &p, e);
	explicit_bzero(pass, sizeof pass);
	if (rc == 0)
		purge_print(&c, &p);
	return request_end(&c.q, rc);
}

const struct command commands_failure[] = {
	{"failure", "list",
		"[--job UUID|CUPS-ID] [--machine MODEL|SERIAL] [--cause CODE] [--order ORDER] "
		"[--person NAME] [--from DATE] [--to DATE] [--state STATE] [--overdue] [--limit N] "
		"[--csv] [--json] [--ledger FILE]",
		N_("jams and failures, one line each"), failure_list_run},
	{"failure", "show", "ID [--json] [--ledger FILE]", N_("one record with its notes"),
		failure_show_run},
	{"failure", "note",
		"ID [--cause TEXT] [--note TEXT] [--file FILE] [--json] [--ledger FILE]",
		N_("add the cause you found, a note, a photo"), failure_note_run},
	{"failure", "review",
		"ID...|--day DATE --as NAME [--export FOLDER] [--json] [--ledger FILE]",
		N_("sign that you looked at it; asks for your passphrase"), failure_review_run},
	{"failure", "verify", "[--json] [--ledger FILE]",
		N_("prove that every signature fits its records"), failure_verify_run},
	{"failure", "purge", "[--before DATE] [--as NAME] [--dry-run] [--json] [--ledger FILE]",
		N_("let go of reviewed records that are old enough"), failure_purge_run},
	{0},
};
