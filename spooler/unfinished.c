/*
 * unfinished.c - jobs that ended without all of their cards.
 *
 * Owns the words for such a job and its failure record, which stays open until the job is done. A
 * job ends so when its supervisor was killed and CUPS takes it for completed, or when everything
 * died and nobody resumed it. Guarantees that the next job on the printer says so; nothing here
 * keeps that job from running.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char unfinished_code[] = "job-unfinished";

int
unfinished_text(struct ledger *l, const struct job_row *job, char *out, size_t max, struct err *e)
{
	struct tally t;
	int rc = ledger_tally(l, job->uuid, &t, e);
	const char *queue = job->printer[0] ? job->printer : "PRINTER";
	unsigned missing;

	out[0] = '\0';
	if (rc != 0 || strcmp(job->state, "done") == 0 || t.good >= job->n_cards)
		return rc;
	missing = job->n_cards - t.good;
	snprintf(out, max,
		_("Job %d (order %s): %u of %u cards are not made. If the job is still in the "
		  "queue, resume it: cupsenable %s, or lp -i %d -H resume. If not: lp -d %s -o "
		  "cardspool-repeat=rest, with the same batch"),
		job->cups_id, job->order[0] ? job->order : "-", missing, job->n_cards, queue,
		job->cups_id, queue);
	return 0;
}

/* ---- its failure record ---- */

struct seen {
	const char *job_uuid;
	int64_t id; /* the open record, 0 none */
};

static int
record_find(void *ctx, const struct failure_row *f)
{
	struct seen *r = ctx;

	if (f->cleared == 0 && strcmp(f->code, unfinished_code) == 0)
		r->id = f->id;
	return 0;
}

static int
record_open(struct ledger *l, struct seen *r, struct err *e)
{
	return failure_list(l, r->job_uuid, record_find, r, e);
}

int
unfinished_record(struct pass *p, const struct job_row *job, struct err *e)
{
	struct seen open = {.job_uuid = job->uuid};
	struct failure_row f = {.at = (int64_t)time(NULL) * 1000};
	char text[ERR_TEXT_MAX];
	int rc = unfinished_text(p->ledger, job, text, sizeof(text), e);

	if (rc != 0 || text[0] == '\0')
		return rc;
	p->sink->message(p->sink, true, text);
	rc = record_open(p->ledger, &open, e);
	if (rc != 0 || open.id != 0)
		return rc;
	snprintf(f.machine, sizeof(f.machine), "%.63s",
		job->printer_model[0] ? job->printer_model : job->printer);
	snprintf(f.serial, sizeof(f.serial), "%s", job->printer_serial);
	snprintf(f.job_uuid, sizeof(f.job_uuid), "%s", job->uuid);
	f.cups_id = job->cups_id;
	snprintf(f.order, sizeof(f.order), "%s", job->order);
	snprintf(f.step, sizeof(f.step), "%s", act_names[ACT_NONE]);
	snprintf(f.code, sizeof(f.code), "%s", unfinished_code);
	snprintf(f.cause, sizeof(f.cause), "%.255s", text);
	snprintf(f.operator_name, sizeof(f.operator_name), "%s", job->user);
	rc = failure_record(p->ledger, &f, e);
	if (rc == 0)
		notify_failure(p->config, NOTIFY_STOPPED, &f);
	return rc;
}

void
unfinished_clear(struct pass *p)
{
	struct seen open = {.job_uuid = p->job.uuid};
	struct err ignored; /* it stays open then, which a person sees */

	if (record_open(p->ledger, &open, &ignored) == 0 && open.id != 0)
		failure_cleared(p->ledger, open.id, _("the cards were made"), &ignored);
}

/* ---- the others of this printer ---- */

struct others {
	const struct job_row *mine;
	struct job_row *jobs;
	size_t n;
};

static int
other_collect(void *ctx, const struct job_row *job)
{
	struct others *o = ctx;
	struct job_row *more;

	if (strcmp(job->state, "active") != 0 || strcmp(job->uuid, o->mine->uuid) == 0 ||
		strcmp(job->printer_serial, o->mine->printer_serial) != 0)
		return 0;
	more = realloc(o->jobs, (o->n + 1) * sizeof(*more));
	if (!more)
		return ERR_SYSTEM;
	o->jobs = more;
	o->jobs[o->n++] = *job;
	return 0;
}

/* Whoever holds the lock of the printer is its only worker, so no other active job is at work. */
int
unfinished_look(struct pass *p, struct err *e)
{
	struct others o = {.mine = &p->job};
	int rc = ledger_jobs(p->ledger, NULL, other_collect, &o, e);

	for (size_t i = 0; rc == 0 && i < o.n; i++)
		rc = unfinished_record(p, &o.jobs[i], e);
	free(o.jobs);
	return rc;
}
