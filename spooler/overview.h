/*
 * overview.h - the workshop at this moment: queues as cupsd sees them, machines and jobs as the
 * ledger knows them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_OVERVIEW_H
#define CARDSPOOL_OVERVIEW_H

#include "spooler/failure.h"

/* ---- queues (queue-list.c) ---- */

enum { QUEUES_MAX = 32, QUEUE_SUPPLIES_MAX = 8 };

struct queue_row {
	char name[128], device[512], serial[64], model[64];
	char state[16]; /* "idle", "working", "stopped" */
	char message[256], reasons[512];
	int jobs; /* waiting or under way, -1 unknown */
	struct {
		char name[64];
		int level, low; /* per cent, -1 unknown */
	} supply[QUEUE_SUPPLIES_MAX];
	unsigned n_supplies;
};
struct queue_list {
	bool answered; /* cupsd did */
	struct queue_row rows[QUEUES_MAX];
	unsigned n;
};
/* The card queues of cupsd. Waits for it at most timeout_ms for each of three requests. */
void queue_list_read(struct queue_list *out, int timeout_ms);

/* A thread that reads them again and again, as long as somebody looks. */
struct queue_watch;
struct queue_watch *queue_watch_create(void); /* NULL: no thread */
void queue_watch_destroy(struct queue_watch *w);
/* The last reading; asks for a new one. */
void queue_watch_look(struct queue_watch *w, struct queue_list *out);

/* ---- machines and jobs (overview.c) ---- */

enum { OVERVIEW_MACHINES_MAX = 32, OVERVIEW_JOBS_MAX = 60 };

struct overview {
	struct overview_machine {
		char model[64], serial[64], printer[128];
		struct job_row job;       /* its latest */
		struct tally tally;       /* of that job */
		struct failure_row fault; /* the newest that is open; id 0: none */
	} machines[OVERVIEW_MACHINES_MAX];
	unsigned n_machines;
	struct overview_job {
		struct job_row job;
		struct tally tally;
	} jobs[OVERVIEW_JOBS_MAX]; /* the newest first */
	unsigned n_jobs;
	int64_t n_open, n_waiting, n_overdue; /* records of failures */
};
/* months: of retention. */
int overview_read(struct ledger *l, unsigned months, struct overview *out, struct err *e);

#endif
