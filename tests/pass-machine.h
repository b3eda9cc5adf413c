/*
 * pass-machine.h - the machine of memory that the tests drive the pass against.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_PASS_MACHINE_H
#define CARDSPOOL_PASS_MACHINE_H

#include "spooler/spooler.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { cards_max = 64, records_max = 4 };

enum place_of { IN_HOPPER, IN_MACHINE, IN_OUTPUT, IN_REJECT, IN_HAND };
struct card {
	enum place_of where;
	unsigned uid, chip, partial; /* chip: the record it carries completely */
	unsigned face, prints;       /* face: the record that was printed on it */
};

/* What happens at one call of a device function. */
enum point {
	AT_NOWHERE,
	AT_STATUS,
	AT_BEGIN,
	AT_FEED,
	AT_SELECT,
	AT_ENCODE,
	AT_LOAD,
	AT_PRINT,
	AT_REJECT
};
enum effect { NOTHING, COMPLETE, STUCK };
struct inject {
	enum point point;
	unsigned nth;
	enum fault fault;
	enum effect effect;
};

struct machine {
	struct card cards[cards_max];
	unsigned n_cards, fed;
	struct card *inside;
	enum card_place place;
	enum fault fault; /* shown until the person comes */
	unsigned looks, person_after, silent, reader_away;
	int64_t counter;
	bool no_counter, eats; /* eats: an unanswered print leaves no card and no count */
	unsigned loaded;
	struct inject inject;
	unsigned calls[AT_REJECT + 1], acts;
	bool begun, all_bad, swap_at_load;
	unsigned uid_next; /* the number of the next chip, 0: a fresh one */
};
extern struct machine m;

/* ---- a crash or a signal at any moment ---- */

extern unsigned tick, crash_at, signal_at; /* 0: never */
extern bool cancel_now, orphan_now, signal_orphans;
extern jmp_buf crash;
void moment(void);

/* ---- what a struct pass is given ---- */

struct printer {
	bool gone; /* unplugged */
};
extern struct printer the_printer;
extern struct station the_station;
extern const struct printer_driver memory_driver;
void card_take(enum card_place place);
int fake_reopen_printer(struct pass *p, struct err *e);
int fake_reopen_station(struct pass *p, struct err *e);
int fake_keys(void *ctx, const struct chip_id *id, const struct chip_image *image,
	struct chip_keys *out, struct err *e);

#endif
