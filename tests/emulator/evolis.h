/*
 * evolis.h - the dialects of Evolis printers: their state and the rows of its commands.
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
	unsigned lines[2][P_COUNT]; /* of each: LINES, or more with Dbx */
	const struct ribbon_kind *declared;
	char *track[TRACKS]; /* loaded, not yet written */
	char read[TRACKS][COMMAND_TEXT_MAX];
	unsigned tag_reads;
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
/* Each ends with a row without a name. */
extern const struct verb evolis_reads[];   /* the questions about the machine (evolis-read.c) */
extern const struct verb evolis_cards[];   /* a card's way (evolis-card.c) */
extern const struct verb evolis_magnets[]; /* evolis-magnet.c */
extern const struct verb evolis_draws[];   /* evolis-draw.c */

void evolis_strict(struct evolis *e, const char *what, const char *text);
void evolis_power(void *state);
void evolis_planes_drop(struct evolis *e);
void evolis_tracks_drop(struct evolis *e);
/* Puts the loaded tracks on the card inside. NULL, or the answer that tells the fault. */
const char *evolis_tracks_write(struct evolis *e);

#endif
