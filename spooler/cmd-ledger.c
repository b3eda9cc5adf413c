/*
 * cmd-ledger.c - the commands over jobs, failures and the ledger itself.
 *
 * Owns what people and scripts see of the ledger. Guarantees: shows masked values only, because the
 * ledger has no others; --json keeps its keys from release to release (cardspool(1) lists them);
 * nothing here writes to the ledger; verify notes beside it what it found, for the next job.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- jobs ---- */

static int
visit_job_list(void *ctx, const struct job_row *job)
{
	struct listing *list = ctx;
	char id[16], cards[16], good[16], started[40];
	struct tally t;

	list->rc = ledger_tally(list->q->ledger, job->uuid, &t, list->e);
	if (list->rc != 0)
		return 1;
	if (list->q->json) {
		json_t *row = times_json(columns_json(job_columns, job));

		json_object_set_new(row, "tally", tally_json(&t));
		return json_list_row(&list->json, row);
	}
	snprintf(id, sizeof id, "%d", job->cups_id);
	snprintf(cards, sizeof cards, "%u", job->n_cards);
	snprintf(good, sizeof good, "%u", t.good);
	time_show(started, sizeof started, job->started);
	textable_add(list->table, id, text_or_dash(job->order), text_or_dash(job->template_name),
		text_or_dash(job->printer), cards, good, job->state, started,
		text_or_dash(job->user));
	return 0;
}

static job_visitor visit_job_missing;

static int
job_list(int argc, char **argv, struct err *e)
{
	struct request q;
	struct listing list = {.q = &q, .e = e};
	int rc = request_start(&q, job_list, argc, argv, "", 0, LEDGER_READ, e);

	if (rc != 0)
		return request_end(&q, rc);
	list.table = textable_create(9, _("JOB"), _("ORDER"), _("TEMPLATE"), _("PRINTER"),
		_("CARDS"), _("GOOD"), _("STATE"), _("STARTED"), _("USER"));
	if (q.json)
		fputs("{\"jobs\":[", stdout);
	rc = ledger_jobs(q.ledger, NULL, visit_job_list, &list, e);
	if (q.json)
		json_list_end(&list.json, "}");
	else if (textable_rows(list.table) == 0)
		puts(_("There are no jobs yet."));
	else
		textable_print(list.table, stdout);
	if (rc == 0 && !q.json)
		rc = ledger_jobs(q.ledger, NULL, visit_job_missing, &list, e);
	textable_destroy(list.table);
	return request_end(&q, rc ? rc : list.rc);
}

/* Below the table: what a person has to do. A job at work is told too, until its cards are made. */
static int
visit_job_missing(void *ctx, const struct job_row *job)
{
	struct listing *list = ctx;
	char missing[ERR_TEXT_MAX];

	list->rc = unfinished_text(list->q->ledger, job, missing, sizeof missing, list->e);
	if (strcmp(job->state, "cancelled") != 0 && missing[0])
		puts(missing);
	return list->rc;
}

/* ---- failures ---- */

static int
visit_failure_list(void *ctx, const struct failure_row *f)
{
	struct listing *list = ctx;
	char id[24], job[16], label[32], at[40], cleared[40];

	if (list->q->json)
		return json_list_row(&list->json, times_json(columns_json(failure_columns, f)));
	snprintf(id, sizeof id, "%" PRId64, f->id);
	snprintf(job, sizeof job, "%d", f->cups_id);
	card_label(label, sizeof label, f->card, f->copy);
	time_show(at, sizeof at, f->at);
	time_show(cleared, sizeof cleared, f->cleared);
	textable_add(list->table, id, at, text_or_dash(f->machine), job, label,
		text_or_dash(f->step), f->cause[0] ? _(f->cause) : cause_words(f->code),
		f->done[0] ? _(f->done) : "-", f->cleared ? cleared : _("open"));
	return 0;
}

static struct textable *
failures_table(void)
{
	return textable_create(9, _("ID"), _("WHEN"), _("MACHINE"), _("JOB"), _("CARD"), _("STEP"),
		_("CAUSE"), _("WHAT WAS DONE"), _("CLEARED"));
}

/* ---- one job whole ---- */

static int
job_print(struct request *q, struct err *e)
{
	const struct job_row *j = &q->job_row;
	char started[40], ended[40], missing[ERR_TEXT_MAX];
	struct tally t;
	int rc = ledger_tally(q->ledger, j->uuid, &t, e);

	if (rc != 0)
		return rc;
	time_show(started, sizeof started, j->started);
	time_show(ended, sizeof ended, j->ended);
	printf(_("Job %d: %s\n"), j->cups_id, j->state);
	printf("  %s\n", j->uuid);
	printf(_("  order %s, template %s, %u cards, by %s\n"), text_or_dash(j->order),
		text_or_dash(j->template_name), j->n_cards, text_or_dash(j->user));
	printf(_("  printer %s, %s, serial number %s\n"), text_or_dash(j->printer),
		text_or_dash(j->printer_model), text_or_dash(j->printer_serial));
	printf(_("  started %s, ended %s\n"), started, ended);
	if (j->repeats[0])
		printf(_("  the same batch was queued before as %s\n"), j->repeats);
	printf(_("  %u fed = %u good + %u rejected + %u spoiled + %u in doubt + %u inside\n"),
		t.fed, t.good, t.rejected, t.spoiled, t.doubt, t.inside);
	if (t.voided)
		printf(_("  %u of the good cards were declared void\n"), t.voided);
	if (t.queued || t.cancelled)
		printf(_("  %u still to be made, %u cancelled\n"), t.queued, t.cancelled);
	rc = unfinished_text(q->ledger, j, missing, sizeof(missing), e);
	if (missing[0])
		printf("  %s.\n", missing);
	putchar('\n');
	return rc;
}

static int
job_show_json(struct request *q, struct err *e)
{
	struct listing list = {.q = q, .e = e};
	struct tally t;
	int rc = ledger_tally(q->ledger, q->job_row.uuid, &t, e);

	if (rc != 0)
		return rc;
	json_t *row = columns_json(job_columns, &q->job_row);
	json_object_set_new(row, "tally", tally_json(&t));
	fputs("{\"job\":", stdout);
	json_dumpf(row, stdout, JSON_COMPACT);
	json_decref(row);
	fputs(",\"cards\":[", stdout);
	rc = ledger_cards(q->ledger, q->job_row.uuid, -1, visit_card_list, &list, e);
	json_list_end(&list.json, ",\"failures\":[");
	list.json.started = false;
	if (rc == 0)
		rc = failure_list(q->ledger, q->job_row.uuid, visit_failure_list, &list, e);
	json_list_end(&list.json, "}");
	return rc;
}

static int
job_show(int argc, char **argv, struct err *e)
{
	struct request q;
	struct listing list = {.q = &q, .e = e};
	int rc = request_start(&q, job_show, argc, argv, "", 1, LEDGER_READ, e);

	if (rc == 0)
		rc = request_job(&q, q.names[0], e);
	if (rc != 0 || q.json)
		return request_end(&q, rc ? rc : job_show_json(&q, e));
	rc = job_print(&q, e);
	list.table = cards_table();
	if (rc == 0)
		rc = ledger_cards(q.ledger, q.job_row.uuid, -1, visit_card_list, &list, e);
	if (textable_rows(list.table) > 0)
		textable_print(list.table, stdout);
	textable_destroy(list.table);
	list.table = failures_table();
	if (rc == 0)
		rc = failure_list(q.ledger, q.job_row.uuid, visit_failure_list, &list, e);
	if (textable_rows(list.table) > 0) {
		putchar('\n');
		textable_print(list.table, stdout);
	}
	textable_destroy(list.table);
	return request_end(&q, rc);
}

/* ---- the ledger itself ---- */

struct findings {
	bool json;
	json_t *lines;
};

static void
finding_take(void *ctx, const char *line)
{
	struct findings *f = ctx;

	if (f->json)
		json_array_append_new(f->lines, json_text(line));
	else
		puts(line);
}

/* "N:HASH" as an earlier verify showed it. */
static int
known_check(struct request *q, struct err *e)
{
	char *end;

	if (!q->known)
		return 0;
	int64_t n = strtoll(q->known, &end, 10);
	if (*end != ':' || n <= 0)
		return err_set(e, ERR_USAGE, "%s",
			_("Write --known NUMBER:HASH as an earlier check showed it."));
	return ledger_head_check(q->ledger, n, end + 1, e);
}

static int
ledger_verify_run(int argc, char **argv, struct err *e)
{
	struct request q;
	struct err note = {0};
	char head[2 * HASH_LEN + 1] = "";
	int64_t n = 0;
	uint64_t n_events = 0;
	int rc = request_start(&q, ledger_verify_run, argc, argv, "k", 0, LEDGER_READ, e);
	struct findings f = {.json = q.json};

	if (rc != 0)
		return request_end(&q, rc);
	f.lines = json_array();
	rc = ledger_verify(q.ledger, finding_take, &f, &n_events, e);
	if (!q.ledger_path && (rc == 0 || rc == ERR_INPUT) &&
		ledger_check_note(q.ledger, rc == 0, &note) != 0)
		fprintf(stderr, "%s\n", note.text);
	if (rc == 0)
		rc = ledger_head(q.ledger, &n, head, e);
	if (rc == 0 && (rc = known_check(&q, e)) == ERR_INPUT && q.json)
		finding_take(&f, e->text);
	if (q.json) {
		json_t *j = json_pack("{s:s, s:b, s:I, s:s, s:O}", "ledger", q.ledger->path, "ok",
			rc == 0, "events", (json_int_t)n_events, "head", head, "problems", f.lines);

		json_dumpf(j, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(j);
	} else if (rc == 0) {
		printf(_("The ledger %s is sound: %" PRIu64
			 " events.\nTo prove it later, note: %" PRId64 ":%s\n"),
			q.ledger->path, n_events, n, head);
	}
	json_decref(f.lines);
	return request_end(&q, rc);
}

/* Complete or not at all: written beside, then renamed. */
static int
export_file(struct ledger *l, const char *path, struct err *e)
{
	char beside[4096];
	FILE *out = NULL;
	int fd, rc = 0;

	if ((size_t)snprintf(beside, sizeof beside, "%s.XXXXXX", path) >= sizeof beside)
		return err_set(e, ERR_USAGE, "%s", _("The name of the file is too long."));
	fd = mkstemp(beside); /* mode 0600 */
	if (fd < 0 || !(out = fdopen(fd, "w")))
		rc = err_set(e, errno == EACCES ? ERR_DENIED : ERR_STORAGE,
			_("%s cannot be written: %s."), path, strerror(errno));
	if (rc == 0)
		rc = ledger_export(l, out, e);
	if (rc == 0 && (fsync(fd) != 0 || rename(beside, path) != 0 || file_folder_sync(path) != 0))
		rc = err_set(e, ERR_STORAGE, _("%s cannot be written: %s."), path, strerror(errno));
	if (out)
		fclose(out);
	if (rc != 0 && fd >= 0)
		unlink(beside);
	return rc;
}

static int
ledger_export_run(int argc, char **argv, struct err *e)
{
	struct request q;
	int rc = request_start(&q, ledger_export_run, argc, argv, "o", 0, LEDGER_READ, e);

	if (rc == 0)
		rc = q.out && strcmp(q.out, "-") != 0 ? export_file(q.ledger, q.out, e)
						      : ledger_export(q.ledger, stdout, e);
	return request_end(&q, rc);
}

static int
ledger_copy_run(int argc, char **argv, struct err *e)
{
	struct request q;
	int rc = request_start(&q, ledger_copy_run, argc, argv, "", 1, LEDGER_READ, e);

	if (rc == 0)
		rc = ledger_copy(q.ledger, q.names[0], e);
	if (rc == 0 && q.json)
		printf("{\"copy\":true}\n");
	return request_end(&q, rc);
}

const struct command commands_ledger[] = {
	{"job", "list", "[--json] [--ledger FILE]", N_("all jobs, one line each"), job_list},
	{"job", "show", "UUID|CUPS-ID [--json] [--ledger FILE]",
		N_("one job with its cards and failures"), job_show},
	{"ledger", "verify", "[--known NUMBER:HASH] [--json] [--ledger FILE]",
		N_("prove that nobody changed the ledger"), ledger_verify_run},
	{"ledger", "export", "[-o FILE] [--ledger FILE]",
		N_("all events as JSON lines, for an auditor"), ledger_export_run},
	{"ledger", "copy", "FILE [--json] [--ledger FILE]",
		N_("a copy in one closed file, also while cards are made"), ledger_copy_run},
	{0},
};
