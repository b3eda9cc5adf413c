/*
 * spooler.h - floor 3: state and policy.
 *
 * Owns the pass, the ledger, the failure log, keys, the CUPS backend and the command line. Never touches
 * pixels or wire bytes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_SPOOLER_H
#define CARDSPOOL_SPOOLER_H

#include "drivers/driver.h"

#include <jansson.h>
#include <stdio.h>
#include <time.h>

/* ---- configuration (config.c) ----------------------------------------------------------------------- */

/*
 * cardspool.conf, INI. $CARDSPOOL_CONF names another file (ignored when the program runs with raised
 * rights). Every key has a default, an unknown key is an error that names the line.
 *   [paths]   ledger, templates, keys, run
 *   [process] worker-user                      user of the worker when started as root
 *   [cards]   attempts-max, wait-poll-ms, chip-wait-ms
 *   [station] default = address; SERIAL = address   which reader sits in which printer
 */
struct config;
int config_load(struct config **out, struct err *e);
void config_destroy(struct config *c);
const char *config_ledger(const struct config *c);
const char *config_templates(const struct config *c);
const char *config_keys(const struct config *c);
const char *config_run(const struct config *c);
const char *config_worker_user(const struct config *c);
const char *config_station(const struct config *c, const char *printer_serial); /* NULL: none */
unsigned config_attempts_max(const struct config *c);
unsigned config_wait_poll_ms(const struct config *c);
unsigned config_chip_wait_ms(const struct config *c);

/* ---- states of a card (card-state.c) ------------------------------------------------------------------ */

enum card_state {
	CARD_QUEUED,
	CARD_FEEDING, /* intent */
	CARD_AT_STATION,
	CARD_ENCODING, /* intent */
	CARD_ENCODED,
	CARD_PRINTING, /* intent */
	CARD_DONE,
	CARD_REJECTING, /* intent */
	CARD_REJECTED,
	CARD_SPOILED, /* taken out by hand after a jam, seen gone */
	CARD_DOUBT,
	CARD_CANCELLED,
	CARD_VOID,
	CARD_STATE_COUNT
};

enum act { ACT_NONE, ACT_FEED, ACT_ENCODE, ACT_PRINT, ACT_REJECT, ACT_COUNT };

struct card_state_row {
	enum card_state state;
	const char *name; /* "at-station" */
	enum act intent;  /* the act this state is the intent of, or ACT_NONE */
	bool fed;         /* a physical card belongs to it */
	bool final;
	const char *means;     /* for people (N_) */
	const char *guarantee; /* what is true on disk and in the machine (N_) */
};
extern const struct card_state_row card_states[CARD_STATE_COUNT];

struct card_transition {
	enum card_state from, to;
	const char *why; /* "outcome: printer confirmed", "observed: no card inside" … */
};
extern const struct card_transition card_transitions[];
extern const size_t n_card_transitions;
bool card_transition_legal(enum card_state from, enum card_state to);
int card_state_parse(const char *name); /* -1 */

/* ---- ledger (ledger.c, ledger-schema.c, ledger-verify.c) ------------------------------------------------ */

#define LEDGER_VERSION 1
#define UUID_MAX       64
#define UID_HEX_MAX    21

struct card_key {
	char job_uuid[UUID_MAX];
	unsigned card, copy;
};

/* One row: one physical card (or one still to be fed) for a record. attempt counts the physical cards tried. */
struct card_row {
	int64_t id;
	struct card_key key;
	unsigned attempt;
	enum card_state state;
	char number_masked[64], name_masked[64];
	char record_hash[2 * HASH_LEN + 1];
	char uid[UID_HEX_MAX];
	char chip_hash[2 * HASH_LEN + 1], front_hash[2 * HASH_LEN + 1], back_hash[2 * HASH_LEN + 1];
	char printer_serial[64];
	int64_t counter_before; /* printer's card counter in the intent row of printing; -1 unknown */
	char cause[32];         /* fault code of the last failure, "" = none */
	int64_t replaces;       /* id of the card this one takes the place of, 0 = none */
	int64_t changed;        /* Unix time, ms */
};

struct job_row {
	int64_t id;
	char uuid[UUID_MAX];
	int cups_id;
	char order[64], template_name[64], batch_hash[2 * HASH_LEN + 1];
	char printer[128], printer_model[64], printer_serial[64], station[160];
	char user[64];
	unsigned n_cards;
	char state[16]; /* "active", "held", "done", "cancelled" */
	int64_t started, ended;
	char repeats[UUID_MAX]; /* uuid of an earlier job with the same batch, "" = none */
};

/* What a transition records beside the state. NULL / 0 / -1 = leave as it is. */
struct card_facts {
	const char *uid, *chip_hash, *front_hash, *back_hash, *printer_serial, *cause, *note;
	const char *actor; /* "pass", "recovery", or the person's login */
	bool set_counter;
	int64_t counter_before;
};

struct tally {
	unsigned fed, good, rejected, spoiled, doubt, queued, cancelled, inside;
};

struct ledger;
enum ledger_mode { LEDGER_READ, LEDGER_WRITE };
/* Opens (LEDGER_WRITE creates). ERR_STORAGE not writable, ERR_BUSY locked, ERR_INPUT of a newer version or
 * not a ledger. WAL, synchronous=FULL: when a call returns 0 its rows survive a power cut. */
int ledger_open(struct ledger **out, const char *path, enum ledger_mode mode, struct err *e);
void ledger_close(struct ledger *l);

/* Idempotent by uuid. *again = the job is known already (a re-run). job->repeats is filled. */
int ledger_job_admit(struct ledger *l, struct job_row *job, bool *again, struct err *e);
int ledger_job_state(struct ledger *l, const char *uuid, const char *state, struct err *e);
/* Idempotent by key: a card that is known keeps its row and state; *out is its latest attempt. Different
 * record_hash under the same key = ERR_INPUT. */
int ledger_card_admit(struct ledger *l, const struct card_row *in, struct card_row *out, struct err *e);
/* A fresh attempt (state queued) that replaces a rejected or spoiled one. */
int ledger_card_retry(struct ledger *l, const struct card_row *bad, struct card_row *out, struct err *e);
/* Compare-and-swap: row->state must still be the state on disk and the transition legal. Updates *row.
 * ERR_INTERNAL for an illegal transition, ERR_BUSY when somebody else moved it. */
int ledger_card_move(struct ledger *l, struct card_row *row, enum card_state to,
	const struct card_facts *facts, struct err *e);
/* A card whose UID this is and which is done or otherwise live; 0 with row->id 0 when none. */
int ledger_uid_find(struct ledger *l, const char *uid, struct card_row *row, struct err *e);

typedef int card_visitor(void *ctx, const struct card_row *row);
typedef int job_visitor(void *ctx, const struct job_row *row);
/* Filters may be NULL / -1. Order: job, card, copy, attempt. A visitor's non-zero return ends the walk. */
int ledger_cards(struct ledger *l, const char *job_uuid, int state, card_visitor *visit, void *ctx,
	struct err *e);
int ledger_jobs(struct ledger *l, const char *uuid_or_id, job_visitor *visit, void *ctx, struct err *e);
int ledger_tally(struct ledger *l, const char *job_uuid, struct tally *out, struct err *e);
int ledger_tally_printer(struct ledger *l, const char *serial, struct tally *out, struct err *e);

/* Any other event worth proving (start, key version, command). data is stored as it is. */
int ledger_event(struct ledger *l, const char *kind, const char *job_uuid, json_t *data, struct err *e);
/* Walks the hash chain and replays it against the card table; problem() gets one line per broken row. */
int ledger_verify(struct ledger *l, void (*problem)(void *ctx, const char *line), void *ctx,
	uint64_t *n_events, struct err *e);
int ledger_export(struct ledger *l, FILE *out, struct err *e); /* JSON lines, oldest first */
int ledger_copy(struct ledger *l, const char *path, struct err *e); /* a closed, self-contained copy */

/* ---- failure log (failure.c) ------------------------------------------------------------------------------ */

struct failure_row {
	int64_t id;
	int64_t at, cleared; /* Unix time, ms; cleared 0 = still open */
	char machine[64], serial[64], station[160];
	char order[64], job_uuid[UUID_MAX];
	int cups_id;
	unsigned card, copy, attempt;
	char holder_masked[64];
	char step[16];   /* act name */
	char code[32];   /* fault code */
	char cause[256]; /* plain words at the time */
	char raw[ERR_RAW_MAX];
	char done[64];   /* what the pass did: "rejected, fresh card" … */
	char operator_name[64];
};
int failure_record(struct ledger *l, struct failure_row *row, struct err *e); /* fills id */
int failure_cleared(struct ledger *l, int64_t id, const char *done, struct err *e);
typedef int failure_visitor(void *ctx, const struct failure_row *row);
int failure_list(struct ledger *l, const char *job_uuid, failure_visitor *visit, void *ctx, struct err *e);

/* ---- keys (keyd.c, keyd-client.c, keyfile.c, diversify.c) ---------------------------------------------------- */

#define MASTER_KEY_LEN 16
#define KEY_CHECK_LEN  3

/* What the key file holds. Lives in keyd and, for a moment, in keyfile_create; wiped after use. */
struct master_keys {
	unsigned version; /* of the keys, 1-255: which pair of masters a card was made with */
	uint8_t access[MASTER_KEY_LEN], mac[MASTER_KEY_LEN];
};

/* AN10922 for AES-128: CMAC over 01 | input. len 16 to 31 (doc/KEYS.md says why not shorter). */
int diversify_key(uint8_t out[MASTER_KEY_LEN], const uint8_t master[MASTER_KEY_LEN],
	const uint8_t *input, size_t len, struct err *e);
/* All sector keys of one card, and the MAC over UID and the data blocks of image. */
int diversify_card(struct chip_keys *out, const struct master_keys *m, const struct chip_id *id,
	const struct chip_image *image, struct err *e);
/* Check value of a key, safe to show: the first bytes of CMAC(key, 16 zero bytes). */
int diversify_check(uint8_t out[KEY_CHECK_LEN], const uint8_t key[MASTER_KEY_LEN], struct err *e);
/* Known answers of the public vectors; keyd refuses to serve without them. */
int diversify_self_test(struct err *e);

/* Refused unless owned by the caller, mode 0600 or 0400, and all check values right. */
int keyfile_read(struct master_keys *out, const char *path, struct err *e);

/* Between keyd and its client, one packet each way, in the memory layout of the one program both are. */
#define KEYD_MAGIC   0x6b657964u
#define KEYD_VERSION 1u
struct keyd_request {
	uint32_t magic, version, serial;
	struct chip_id id;
	struct chip_image image;
};
struct keyd_reply {
	uint32_t magic, version, serial; /* serial 0: the answer to the start */
	int32_t code;
	unsigned key_version;
	struct chip_keys keys;
	char text[ERR_TEXT_MAX];
};

/* Starts keyd as a child: reads the key file, then gives up files, devices, privileges and core dumps.
 * *fd is this side of the socket pair. */
int keyd_start(const char *key_path, const char *run_as, pid_t *pid, int *fd, struct err *e);
/* A key_source that asks keyd over fd. ctx must be (void *)(intptr_t)fd. */
extern const struct key_source keyd_key_source_ops;
/* Writes a key file with fresh random master keys, mode 0600. */
int keyfile_create(const char *path, struct err *e);

/* ---- status sink (sink.c) --------------------------------------------------------------------------------------- */

/* Where the pass tells what is going on. The CUPS backend is one, a Printer Application could be another. */
struct sink {
	void (*reason)(struct sink *s, const char *keyword, bool set);
	void (*supplies)(struct sink *s, const struct printer_status *status);
	void (*message)(struct sink *s, bool is_error, const char *text);
	void (*impression)(struct sink *s); /* one printed side */
	bool (*cancelled)(struct sink *s);
};
extern struct sink sink_cups; /* STATE:, ATTR:, INFO:/ERROR:, PAGE: on stderr; SIGTERM = cancelled */

/* ---- the pass (pass.c, pass-recover.c) ------------------------------------------------------------------------------- */

/* How a job ends. The backend maps these to CUPS exit codes; there is no code for "try again". */
enum pass_end { PASS_OK, PASS_HOLD, PASS_STOP, PASS_CANCEL };

struct pass {
	struct ledger *ledger;
	const struct printer_driver *driver;
	struct printer *printer;
	struct station *station; /* NULL: the cards have no chip */
	struct key_source keys;
	struct sink *sink;
	const struct config *config;
	struct job_row job;
	bool card_fed; /* from now on never FAILED or RETRY */
};

/* Settles every card of this printer that an earlier run left between intent and outcome. */
enum pass_end pass_recover(struct pass *p, struct err *e);
/* Makes one card, or finds that it is made already. */
enum pass_end pass_card(struct pass *p, const struct stream_card *card, struct err *e);

/* ---- worker (worker.c) ------------------------------------------------------------------------------------------------ */

struct worker_args {
	const struct config *config;
	const char *uri; /* cardspool://MAKE/MODEL?serial=S */
	int cups_id;
	const char *user, *title, *options;
	int stream_fd, keyd_fd;
};
/* The whole job in the worker process: lock, ledger, device, recovery, cards. */
enum pass_end worker_run(const struct worker_args *args, struct sink *sink, struct err *e);

/* ---- device URIs (uri.c) --------------------------------------------------------------------------------------------- */

int uri_build(char *out, size_t max, const struct usb_printer *p);
/* Finds the one printer a URI names. None = FAULT_PRINTER_ABSENT; two = ERR_USAGE naming both. */
int uri_find(const char *uri, struct usb_printer *out, struct err *e);

/* ---- the command line (cardspool.c, cmd-*.c) --------------------------------------------------------------------------- */

struct command {
	const char *noun, *verb; /* verb NULL: the noun alone ("pack") */
	const char *usage;       /* what follows */
	const char *help;        /* one line (N_) */
	int (*run)(int argc, char **argv, struct err *e); /* 0 or enum err_code; argv[0] is the verb */
};
/* Each table ends with a NULL noun. */
extern const struct command commands_batch[];    /* pack */
extern const struct command commands_template[]; /* preview, template build */
extern const struct command commands_printer[];  /* printer list */
extern const struct command commands_ledger[];   /* job, card, failure, ledger */
extern const struct command commands_chip[];     /* chip read */

#endif
