/*
 * evolis.h - the dialect of the older Evolis printers: its state and the rows of its commands.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_EMULATOR_EVOLIS_H
#define CARDSPOOL_EMULATOR_EVOLIS_H

#include "tests/emulator/device.h"

#define REPLY_MAX 128

struct evolis {
	struct printer *printer;
	struct parser parser;
	struct params *params;
	unsigned mode, mode_saved;
	bool in_sequence, printed;
	int side;
	uint8_t *plane[2][P_COUNT]; /* one byte a dot; NULL = not loaded */
	uint8_t *half;              /* unpacking room */
	char last[REPLY_MAX];
	unsigned long commands, errors;
	json_t *seen; /* command name -> how often */
};

#define HOST_BIT 2u /* the document: treat any value with this bit as host mode */

struct call {
	struct evolis *e;
	struct parser *c;
	char reply[REPLY_MAX];
};

typedef const char *verb_run(struct call *c);

enum verb_kind { READS, SETS, MOVES };

struct verb {
	const char *name;
	enum verb_kind kind;
	unsigned min, max; /* parameters, without the binary part */
	verb_run *run;
};
extern const struct verb evolis_reads[]; /* the questions about the machine (evolis-read.c) */
extern const size_t n_evolis_reads;

#endif
