/*
 * pass-job.h - jobs on the machine of memory, with a real ledger, and the count of what came of them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_PASS_JOB_H
#define CARDSPOOL_PASS_JOB_H

#include "tests/pass-machine.h"

extern struct ledger *ledger;
extern char ledger_file[64];
extern const char *serial; /* of the printer that the next run works on */
extern bool tags;          /* the chips are tags, and nobody has keys */
extern bool clock_falls;   /* each look at the clock is earlier than the one before */

/* What the sink was told. */
extern struct sink test_sink;
extern int reasons[FAULT_COUNT];
extern unsigned pages;

/* A setup of cmocka: a new ledger, a new machine. ledger is opened by the next job; NULL ends the last one. */
int ledger_fresh(void **state);
void card_fill(struct stream_card *c, unsigned number, bool chip);
/* One run of the backend's worker: recovery, then every card of the stream, then the sums. */
enum pass_end job_run(const char *uuid, unsigned n, bool chip, struct err *e);

struct count {
	unsigned good[records_max + 1], output, reject, hand, inside, doubled, mismatched;
};

/* The machine's own truth. */
struct count machine_count(bool chip);
struct tally ledger_count(void);
/* Nothing lost, doubled or mixed up, and the ledger's numbers are the machine's. */
void all_adds_up(unsigned n, bool chip, unsigned foreign);

struct failures {
	unsigned n, open;
	char code[32], step[16], who[64];
};

struct failures failures_of(void); /* the last one's code, step, operator */

#endif
