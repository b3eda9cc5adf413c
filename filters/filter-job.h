/*
 * filter-job.h - what CUPS hands to a filter.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_FILTER_JOB_H
#define CARDSPOOL_FILTER_JOB_H

#include "filters/job-options.h"
#include "filters/look.h"

enum { JOB_COPIES_MAX = 1000, JOB_RANGES_MAX = 64, JOB_PATH_LEN = 4096 };

/* What a job says of the machine and of the chip and stripe, beside the picture. */
struct job_work {
	unsigned speed;  /* 0 = as the printer is set, 1 (slow) ... 10 */
	char coercivity; /* 'h', 'l', or 0 = as the printer's settings say */
	bool no_stripe, no_chip, chip_must;
};

struct filter_job {
	struct job_options options; /* the job's own over the queue's defaults */
	unsigned copies;            /* 1 unless this is the chain's first filter */
	struct {
		unsigned first, last;
	} ranges[JOB_RANGES_MAX];
	size_t n_ranges;         /* 0 = everything */
	struct ribbon ribbon;    /* as this printer can use it: no back on a simplex model */
	char path[JOB_PATH_LEN]; /* of the document */
	char model[64];          /* as the PPD names it, "" = none */
	struct print_look look;  /* by filter_job_look; dye is the table below */
	struct dye_table *dye;
	int darkness; /* of the resin, for the printer: -10 ... 10 */
	struct job_work work; /* by filter_job_work */
	int spool_fd; /* what came on stdin, without a name; -1 = none */
};

/* Reads arguments, options and PPD. ERR_INPUT for people. End with filter_job_done in any case. */
int filter_job_read(struct filter_job *j, int argc, char **argv, struct err *e);
/* Finds the document, or puts stdin into a file without a name. */
int filter_job_document(struct filter_job *j, int argc, char **argv, struct err *e);
/* An option of the job or the queue, NULL if none; a PPD's choice too. */
const char *filter_job_option(const struct filter_job *j, const char *name);
bool filter_job_wants(const struct filter_job *j, unsigned number);
/* A folder of cardspool.conf's [paths]; fallback when the file does not name it. The caller frees
 * it. */
char *filter_job_folder(const char *key, const char *fallback);
/* Fills look and darkness from the options and the profile's file (job-look.c). */
int filter_job_look(struct filter_job *j, struct err *e);
/* In job-work.c. Fills work from the options, and what the printer is told of it. */
int filter_job_work(struct filter_job *j, struct stream_job *stream, struct err *e);
/* Takes from the card what the job does not want; ERR_INPUT when it lacks the chip data the job
 * insists on. */
int filter_job_card(const struct filter_job *j, struct stream_card *card, struct err *e);
bool filter_job_banner(void);

/* What differs between the filters; f is the filter's own. */
struct filter_steps {
	/* Everything before the stream's head; fills its struct stream_job. */
	int (*begin)(void *f, int argc, char **argv, struct err *e);
	/* The cards and the end. 0, or the error that belongs into the stream; *written is not 0
	 * when the stream itself is broken. */
	int (*cards)(void *f, int *written, struct err *e);
	/* Words the cause anew for who knows the job only; may be NULL. */
	void (*rename)(const void *f, const char *job, struct err *cause);
};
/* A filter's run from its arguments to the end of its stream on stdout. Reads j; the caller ends it
 * with filter_job_done in any case. Returns the exit status: 0 once the arguments are there,
 * because a failing filter would hide what the backend tells CUPS. */
int filter_job_run(struct filter_job *j, struct stream_job *stream,
	const struct filter_steps *steps, void *f, int argc, char **argv);
void filter_job_done(struct filter_job *j);

#endif
