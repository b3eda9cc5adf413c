/*
 * job-options.h - a job's options as CUPS hands them to a filter, and the PPD's choices.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_JOB_OPTIONS_H
#define CARDSPOOL_JOB_OPTIONS_H

#include "filters/card.h"

struct job_option {
	char *name, *value;
};

struct job_options {
	struct job_option *item;
	size_t n;
};

/* What a PPD says of the printer. */
struct job_ppd {
	char model[64]; /* "" = none */
	bool turns;     /* the printer turns cards over */
};

/* Reads "name=value other='a value' flag noflag", the fifth argument of a filter. Ends with
 * job_options_done. */
void job_options_parse(struct job_options *o, const char *text);
/* NULL if there is none; the options keep the text. */
const char *job_options_get(const struct job_options *o, const char *name);
void job_options_set(struct job_options *o, const char *name, const char *value);
void job_options_done(struct job_options *o);

/* Sets, of the n named options, the PPD's choice that the job asks for, or the default. A file that
 * cannot be read says nothing. */
void job_ppd_read(struct job_ppd *ppd, const char *path, const char *const *names, size_t n,
	struct job_options *o);

#endif
