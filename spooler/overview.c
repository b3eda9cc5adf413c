/*
 * overview.c - machines and jobs as the ledger knows them at this moment.
 *
 * Owns the choice of what is shown: each machine that ever worked with its latest job and its open
 * failure, and the newest jobs with their counts. Reads only; nothing personal is in it but the
 * names of users.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/overview.h"

#include <string.h>

static struct overview_machine *
machine_of(struct overview *o, const struct job_row *job)
{
	struct overview_machine *m;

	for (unsigned i = 0; i < o->n_machines; i++)
		if (strcmp(o->machines[i].serial, job->printer_serial) == 0)
			return &o->machines[i];
	if (o->n_machines == OVERVIEW_MACHINES_MAX)
		return NULL;
	m = &o->machines[o->n_machines++];
	snprintf(m->serial, sizeof m->serial, "%s", job->printer_serial);
	return m;
}

/* Jobs come oldest first: the list is a ring until all have been seen. */
struct walk {
	struct overview *o;
	unsigned seen;
};

static int
visit_job(void *ctx, const struct job_row *job)
{
	struct walk *w = ctx;
	struct overview_machine *m = job->printer_serial[0] ? machine_of(w->o, job) : NULL;

	if (m) {
		m->job = *job;
		snprintf(m->model, sizeof m->model, "%s", job->printer_model);
		snprintf(m->printer, sizeof m->printer, "%s", job->printer);
	}
	w->o->jobs[w->seen++ % OVERVIEW_JOBS_MAX].job = *job;
	return 0;
}

static void
jobs_turn(struct overview *o, unsigned seen)
{
	struct overview_job ordered[OVERVIEW_JOBS_MAX] = {0};

	o->n_jobs = seen < OVERVIEW_JOBS_MAX ? seen : OVERVIEW_JOBS_MAX;
	for (unsigned i = 0; i < o->n_jobs; i++)
		ordered[i] = o->jobs[(seen - 1 - i) % OVERVIEW_JOBS_MAX];
	memcpy(o->jobs, ordered, o->n_jobs * sizeof ordered[0]);
}

static int
visit_open(void *ctx, const struct failure_row *f)
{
	struct overview *o = ctx;

	for (unsigned i = 0; i < o->n_machines; i++)
		if (strcmp(o->machines[i].serial, f->serial) == 0)
			o->machines[i].fault = *f;
	return 0;
}

static int
counts_read(struct ledger *l, unsigned months, struct overview *o, struct err *e)
{
	struct failure_filter f = {.state = FAILURE_OPEN};
	int rc = failure_count(l, &f, &o->n_open, e);

	f.state = FAILURE_UNREVIEWED;
	if (rc == 0)
		rc = failure_count(l, &f, &o->n_waiting, e);
	f.to_ms = overdue_before_ms(l, months);
	return rc == 0 ? failure_count(l, &f, &o->n_overdue, e) : rc;
}

int
overview_read(struct ledger *l, unsigned months, struct overview *out, struct err *e)
{
	static const struct failure_filter open = {.state = FAILURE_OPEN, .limit = 500};
	struct walk w = {.o = out};
	int rc;

	memset(out, 0, sizeof *out);
	rc = ledger_jobs(l, NULL, visit_job, &w, e);
	jobs_turn(out, w.seen);
	if (rc == 0)
		rc = failure_find(l, &open, visit_open, out, NULL, e);
	for (unsigned i = 0; i < out->n_machines && rc == 0; i++)
		rc = ledger_tally(l, out->machines[i].job.uuid, &out->machines[i].tally, e);
	for (unsigned i = 0; i < out->n_jobs && rc == 0; i++)
		rc = ledger_tally(l, out->jobs[i].job.uuid, &out->jobs[i].tally, e);
	return rc == 0 ? counts_read(l, months, out, e) : rc;
}
