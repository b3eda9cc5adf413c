/*
 * cmd-failure.h - what the commands over the failure log share: a call and its options.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_CMD_FAILURE_H
#define CARDSPOOL_CMD_FAILURE_H

#include "spooler/failure.h"

enum { FAILURE_IDS_MAX = 256 };

struct failure_call {
	struct request q;
	struct failure_filter filter;
	struct json_list json;
	struct textable *table;
	const char *cause, *note, *file, *as, *export, *day, *before;
	bool csv, overdue, dry;
};

typedef int failure_runner(int argc, char **argv, struct err *e);
/* Parses and opens. allowed: the letters of its options; min, max: how many names; run: of which command. */
int failure_call_start(struct failure_call *c, int argc, char **argv, const char *allowed, int min, int max,
	failure_runner *run, enum ledger_mode mode, struct err *e);
int failure_call_usage(failure_runner *run, struct err *e); /* ERR_USAGE: what the call is */
int failure_id_parse(const char *text, int64_t *id, struct err *e);
int failure_date_parse(const char *text, int64_t *day, struct err *e);
/* How long records are kept: of the configuration. */
unsigned failure_months(const struct failure_call *c);

/* cmd-failure-review.c */
failure_runner failure_review_run, failure_verify_run;

#endif
