/*
 * worker.h - one run of the worker, shared by its files.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_WORKER_H
#define CARDSPOOL_WORKER_H

#include "spooler/spooler.h"

struct work {
	const struct worker_args *args;
	struct sink *sink;
	struct pass pass;
	struct ahead *stream;
	struct stream_job stream_job;
	struct usb_printer usb;
	char ribbon[16];
	bool repeat, rest, admitted;
	int lock_fd;
};

/* The queue's and the job's options. ERR_USAGE names the one that is wrong. */
int work_options_read(struct work *w, struct err *e);
/* The job's row and what the printer is told, from the stream's head. ERR_INPUT: no such ribbon. */
int work_job_fill(struct work *w, struct err *e);
/* How an error ends the job. */
enum pass_end work_end_of(const struct err *e);
/* The same cards under a new job: only a person can know whether a second set is wanted. */
enum pass_end work_job_admit(struct work *w, struct err *e);
/* A page can ask for a number's chip again and again, under a job of its own each time: only a
 * person can know whether a second card with one record is wanted. */
enum pass_end work_record_made(struct work *w, const struct stream_card *card, struct err *e);

#endif
