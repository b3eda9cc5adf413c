/*
 * chip-desk.h - one card at a desk reader: the words of the call, what is on the chip, what is
 * known of it. Only chip-*.c, cmd-chip*.c, cmd-station.c and inspector.c use it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_CHIP_DESK_H
#define CARDSPOOL_CHIP_DESK_H

#include "filters/desk.h"
#include "spooler/spooler.h"

enum { DESK_PATH_LEN = 4096, DESK_VALUE_LEN = 512 };

/* What the chip itself says. */
enum chip_found {
	CHIP_GENUINE, /* opens with its keys and the MAC is good */
	CHIP_ALTERED, /* opens, and the MAC is wrong: changed, or a change was interrupted */
	CHIP_FOREIGN, /* does not open */
	CHIP_BLANK,   /* opens with the transport keys */
	CHIP_EMPTY,   /* opens with its keys and holds nothing: initialised, or cleared */
	CHIP_UNKNOWN  /* the inspector's file does not list it */
};

struct chip_change {
	int64_t began; /* number of the event; 0: the chip was never changed */
	bool open;     /* no outcome yet */
	char verb[16], before[2 * HASH_LEN + 1], after[2 * HASH_LEN + 1];
	char *sealed; /* the blocks to be written, hexadecimal; free with the row */
};

struct inspector;
struct key_ring;

struct desk {
	/* the call; NULL: not given */
	const char *station_word, *template_word, *dump, *offline, *date_word, *ledger_path,
		*reason, *from, *text, *next, *batch, *output;
	bool json, full;
	char **names;
	int n_names;
	/* opened for it */
	struct config *config;
	char dir[DESK_PATH_LEN], file[DESK_PATH_LEN + 16];
	struct schema *schema;
	struct chip_map *map;
	struct desk_rules rules;
	struct inspector *inspector;
	struct ledger *ledger; /* NULL: there is none, or it may not be read */
	struct station *station;
	struct key_source source;
	pid_t keyd;
	int keyd_fd;
	char today[9];
	/* the card */
	struct chip_id id;
	char uid[UID_HEX_MAX];
	enum chip_found found;
	bool mac_present, logic; /* logic: a memory card; it has no image */
	struct chip_image image;
	struct record record;   /* values NULL: not parsed */
	struct err parse_error; /* why not */
	struct card_row card;   /* id 0: the ledger does not know it */
	struct chip_change change;
};

/* ---- chip-desk.c ---- */

/* Parses the words against the letters allowed (s station, t template, d dump, f full, O offline, D
 * date, l ledger, r reason, F from, T text, n next, b batch, o output; --json always) and loads
 * configuration and template. Call desk_end in any case. */
int desk_start(struct desk *d, const char *verb, int argc, char **argv, const char *allowed,
	int n_names, struct err *e);
/* The day of the call: --date or the clock, which may not lag behind what is known to have been. */
int desk_today(struct desk *d, struct err *e);
/* Keys, reader, one chip, its blocks, its MAC, its record. What is wrong with the chip is in
 * d->found and no error; an error is a reader, a key process or a file at fault. */
int desk_fetch(struct desk *d, struct err *e);
/* The sentence for a chip that is not genuine, as an error. */
int desk_refuse(const struct desk *d, struct err *e);
/* Opens the ledger: for reading if there is one, for writing in any case (then it is made at need).
 */
int desk_ledger(struct desk *d, enum ledger_mode mode, struct err *e);
/* d->card and d->change by the chip's UID; needs the ledger. */
int desk_known(struct desk *d, struct err *e);
void desk_end(struct desk *d);

/* ---- chip-words.c ---- */

/* What getopt_long refused: ':' a value that is missing, else a word. optstring begins with a colon. */
int desk_option_refuse(const char *verb, int letter, const char *word, struct err *e);
/* A day of the call, as eight digits. ERR_USAGE: it is none. */
int desk_day(char out[9], const char *option, const char *word, struct err *e);

/* Puts the desk's sentence for a fault in the place of the printer's. Returns rc. */
int desk_words(int rc, struct err *e);
/* station_open; a reader that does not answer is named. */
int desk_station(struct station **out, const char *address, struct err *e);
/* The folder of a template by name, or by path where word has a slash. ERR_MISSING: no template. */
int desk_template(
	char *out, size_t max, const struct config *config, const char *word, struct err *e);

/* ---- chip-logic.c: memory cards at "sle4442:READER" ---- */

bool desk_logic_address(const char *address);
/* As desk_fetch; with d->from the card of another system, by the map in that file. */
int desk_logic_fetch(struct desk *d, const char *address, struct err *e);
/* The record as a roster of one line in d->output. */
int desk_roster_write(struct desk *d, struct err *e);

/* ---- chip-view.c ---- */

/* May this caller see whole values? Writes the event chip-shown. */
int desk_full_allow(struct desk *d, struct err *e);
void desk_value(const struct desk *d, int field, char *out, size_t max); /* masked unless --full */
void desk_print(const struct desk *d);

/* ---- chip-verdict.c ---- */

enum chip_verdict {
	VERDICT_VALID,
	VERDICT_REVIEW_DUE,
	VERDICT_EXPIRED,
	VERDICT_NOT_YET,
	VERDICT_NOT_GENUINE,
	VERDICT_VOID,
	VERDICT_UNFINISHED,
	VERDICT_UNKNOWN,
	VERDICT_COUNT
};
struct chip_verdict_row {
	const char *name;
	int status; /* of the program */
	const char *words;
};
extern const struct chip_verdict_row chip_verdicts[VERDICT_COUNT];
/* why: one sentence without personal data. */
int chip_judge(const struct desk *d, enum chip_verdict *out, char *why, size_t max, struct err *e);

/* ---- chip-change.c ---- */

/* Writes after on the chip: intent, writes, proof, outcome. fields: which changed, by schema index.
 */
int chip_change_run(struct desk *d, const char *verb, const struct record *after,
	const bool *fields, struct err *e);
/* Finishes the change that the ledger has open for this chip. */
int chip_change_finish(struct desk *d, struct err *e);

/* ---- chip-journal.c: blocks sealed to the card's own write keys ---- */

/* Blocks of image whose bit is set, hexadecimal; the caller frees *out. */
int journal_seal(char **out, const struct chip_keys *keys, const char *uid,
	const struct chip_image *image, uint64_t blocks, struct err *e);
/* Puts them back over image. ERR_INPUT: not sealed with these keys for this chip, or damaged. */
int journal_open(struct chip_image *image, const struct chip_keys *keys, const char *uid,
	const char *sealed, struct err *e);

/* ---- ledger-chip.c ---- */

/* Any event about a chip; card 0: one that this ledger does not know. Takes data. */
int ledger_chip_event(struct ledger *l, const char *kind, const struct card_row *card,
	const char *uid, json_t *data, struct err *e);
/* The last change of a chip. The caller frees out->sealed. */
int ledger_chip_change(struct ledger *l, const char *uid, struct chip_change *out, struct err *e);
/* UIDs of all cards that are done or void, and of chips personalised or voided at a desk. */
typedef int chip_visitor(void *ctx, const char *uid, bool is_void);
int ledger_chips(struct ledger *l, chip_visitor *visit, void *ctx, struct err *e);
int64_t ledger_last_time(struct ledger *l, struct err *e); /* Unix ms of the last event, 0: none */

/* ---- inspector.c ---- */

/* Keys to read and to check the cards it lists, none to write one. Refused unless only its owner
 * may read it. */
int inspector_load(struct inspector **out, const char *path, struct err *e);
void inspector_destroy(struct inspector *i);
const char *inspector_made(const struct inspector *i); /* YYYYMMDD */
bool inspector_void(const struct inspector *i, const struct chip_id *id);
/* Of several keys that a card may have been made with, the n-th from 1 on; false: no card has so
 * many. */
bool inspector_choose(struct inspector *i, unsigned n);
/* A key_source over it; ERR_MISSING for a card that it does not list. */
int inspector_keys(void *inspector, const struct chip_id *id, const struct chip_image *image,
	struct chip_keys *out, struct err *e);
/* Makes one from the master keys for every card of the ledger. sectors: bits of those to be read.
 */
int inspector_export(struct ledger *l, const struct key_ring *ring, unsigned sectors,
	const char *today, const char *path, unsigned *n_cards, struct err *e);

#endif
