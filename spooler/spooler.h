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
#include "drivers/sle4442.h"

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
 *   [failures] retention-months                how long reviewed records are kept, never less than 3
 *   [station] default = address; SERIAL = address   which reader sits in which printer
 */
struct config;
int config_load(struct config **out, struct err *e);
void config_destroy(struct config *c);
const char *config_ledger(const struct config *c);
const char *config_templates(const struct config *c);
const char *config_ppds(const struct config *c); /* one for each model */
const char *config_path(void);
const char *config_orders(const struct config *c); /* batches that ~C asks for */
const char *config_keys(const struct config *c);
/* A word or path (NULL: not set), or a number, by its place in the file. */
const char *config_text(const struct config *c, const char *group, const char *key);
unsigned config_number(const struct config *c, const char *group, const char *key);
const char *config_run(const struct config *c);
const char *config_worker_user(const struct config *c);
const char *config_station(const struct config *c, const char *printer_serial); /* NULL: none */
unsigned config_attempts_max(const struct config *c);
unsigned config_wait_poll_ms(const struct config *c);
unsigned config_chip_wait_ms(const struct config *c);
unsigned config_retention_months(const struct config *c); /* 3 or more */
const char *config_fit(const struct config *c); /* what a batch that does not fit does; see fit_parse */
const struct printer_limits *config_limits(const struct config *c);
/* The driver's settings of section [printer NAME], else [printer SERIAL], else [printer MODEL]; NULL
 * and 0 when there are none. */
const struct printer_override *config_overrides(
	const struct config *c, const struct usb_printer *printer, size_t *n);
/* Limits and overrides, for printer_connect. */
struct printer_setup config_setup(const struct config *c, const struct usb_printer *printer);

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

/* ---- ledger (ledger.c, ledger-statement.c, ledger-schema.c, ledger-convert.c, ledger-verify.c) ----------- */

#define LEDGER_VERSION 4
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
	int64_t event;          /* number of the event that put it into this state */
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
	/* fed = good + rejected + spoiled + doubt + inside, always. */
	unsigned fed, good, rejected, spoiled, doubt, queued, cancelled, inside;
	unsigned voided; /* of the good ones: declared void since */
};

struct ledger;
enum ledger_mode { LEDGER_READ, LEDGER_WRITE };
/* Opens (LEDGER_WRITE creates). ERR_STORAGE not writable, ERR_BUSY locked, ERR_INPUT of a newer version or
 * not a ledger. WAL, synchronous=FULL: when a call returns 0 its rows survive a power cut. */
int ledger_open(struct ledger **out, const char *path, enum ledger_mode mode, struct err *e);
void ledger_close(struct ledger *l);
/* Asked each time another program has held the file for LEDGER_PATIENCE_MS; true: wait on. */
typedef bool ledger_waiter(void *ctx, const struct err *e);
void ledger_patience(struct ledger *l, ledger_waiter *wait, void *ctx);

/* Idempotent by uuid. *again = the job is known already (a re-run). job->repeats is filled. */
int ledger_job_admit(struct ledger *l, struct job_row *job, bool *again, struct err *e);
int ledger_job_state(struct ledger *l, const char *uuid, const char *state, struct err *e);
/* CUPS runs a job of several files once for each, under one uuid: a file with another batch than the first gets
 * a uuid of its own here, the same one in each run. */
int ledger_job_file(struct ledger *l, struct job_row *job, struct err *e);
/* The earlier job with the same batch that still has cards to make, else the first one. job->repeats is set. */
int ledger_job_rest(struct ledger *l, const struct job_row *job, struct job_row *out, struct err *e);
/* Idempotent by key: a card that is known keeps its row and state; *out is its latest attempt. Different
 * record_hash under the same key = ERR_INPUT. */
int ledger_card_admit(struct ledger *l, const struct card_row *in, struct card_row *out, struct err *e);
/* A fresh attempt (state queued) that replaces a rejected or spoiled one. */
int ledger_card_retry(struct ledger *l, const struct card_row *bad, struct card_row *out, struct err *e);
/* The same on a person's word, also for a void card. reason is kept with the new card's first event. */
int ledger_card_reprint(struct ledger *l, const struct card_row *bad, const char *actor,
	const char *reason, struct card_row *out, struct err *e);
/* Compare-and-swap: row->state must still be the state on disk and the transition legal. Updates *row.
 * ERR_INTERNAL for an illegal transition, ERR_BUSY when somebody else moved it. */
int ledger_card_move(struct ledger *l, struct card_row *row, enum card_state to,
	const struct card_facts *facts, struct err *e);
/*
 * The card that has this UID as its own: done first, then void, then any live one (doubt, inside), then a
 * rejected or spoiled one whose chip had been proved. 0 with row->id 0 when none. A rejected card whose chip
 * never became good does not hold its UID: the blank may go back into the hopper (ledger_uid_cards still
 * lists it).
 */
int ledger_uid_find(struct ledger *l, const char *uid, struct card_row *row, struct err *e);

/* Was the chip of this number made somebody's at a desk (ledger-chip.c), and not voided there since? Initialised
 * it is nobody's. */
int ledger_chip_issued(struct ledger *l, const char *uid, bool *issued, struct err *e);

/* A finished card of the record in->record_hash other than card in->key. 0 with row->id 0 when none. */
int ledger_record_find(struct ledger *l, const struct card_row *in, struct card_row *row, struct err *e);

typedef int card_visitor(void *ctx, const struct card_row *row);
typedef int job_visitor(void *ctx, const struct job_row *row);
/* Filters may be NULL / -1. Order: job, card, copy, attempt. A visitor's non-zero return ends the walk. */
int ledger_cards(struct ledger *l, const char *job_uuid, int state, card_visitor *visit, void *ctx,
	struct err *e);
/* Every card that ever had this UID, oldest first. */
int ledger_uid_cards(struct ledger *l, const char *uid, card_visitor *visit, void *ctx, struct err *e);
int ledger_card_find(struct ledger *l, int64_t id, struct card_row *row, struct err *e); /* ERR_MISSING */
int ledger_jobs(struct ledger *l, const char *uuid_or_id, job_visitor *visit, void *ctx, struct err *e);
int ledger_tally(struct ledger *l, const char *job_uuid, struct tally *out, struct err *e);
int ledger_tally_printer(struct ledger *l, const char *serial, struct tally *out, struct err *e);

/* Any other event worth proving (start, key version, command). data (may be NULL) is stored as it is and stays
 * the caller's. A kind of the ledger's own ("card-moved" …) is ERR_INTERNAL. */
int ledger_event(struct ledger *l, const char *kind, const char *job_uuid, json_t *data, struct err *e);
/* Walks the hash chain and replays it against the tables; problem() gets one line per broken row. 0 when
 * everything holds, ERR_INPUT when anything does not. */
int ledger_verify(struct ledger *l, void (*problem)(void *ctx, const char *line), void *ctx,
	uint64_t *n_events, struct err *e);
/*
 * The cheap proof at the start of a job: what came since the last proof, and the rows of open cards. The last
 * proof is noted beside the file (ledger-check.c); without one everything is verified. ERR_INPUT: changed from
 * outside, or older than the last proof; nothing may be made until a person has put it right.
 */
int ledger_check(struct ledger *l, struct err *e);
/* What ledger_verify found, noted for the next job. sound: its head is the new proof. */
int ledger_check_note(struct ledger *l, bool sound, struct err *e);
/* Number and hash of the last event: whoever keeps them elsewhere can prove later that nothing before was
 * rewritten. hash is hex, with its end. */
int ledger_head(struct ledger *l, int64_t *n_events, char hash[2 * HASH_LEN + 1], struct err *e);
/* Does event number n still have this hash? ERR_INPUT if not. */
int ledger_head_check(struct ledger *l, int64_t n, const char *hash, struct err *e);
typedef int event_visitor(void *ctx, const json_t *event);
/* card 0: all events. Oldest first; a visitor's non-zero return ends the walk. */
int ledger_events(struct ledger *l, int64_t card, event_visitor *visit, void *ctx, struct err *e);
int ledger_export(struct ledger *l, FILE *out, struct err *e); /* JSON lines, oldest first */
int ledger_copy(struct ledger *l, const char *path, struct err *e); /* a closed, self-contained copy */

/* ---- inside the ledger: only ledger*.c, failure.c and their tests use what follows ----------------------- */

struct sqlite3;
struct sqlite3_stmt;

#define LEDGER_STATEMENTS_MAX 64
#define LEDGER_APPLICATION_ID 0x43415244 /* "CARD" */
#define LEDGER_PATIENCE_MS    5000       /* how long another writer is waited for */

struct ledger {
	struct sqlite3 *db;
	char path[4096];
	char actor[64]; /* login of the process, for events that name nobody */
	bool writable;
	struct {
		const char *sql; /* identity of the constant, not its text */
		struct sqlite3_stmt *stmt;
	} statements[LEDGER_STATEMENTS_MAX];
	int64_t (*clock_ms)(void); /* Unix time; tests bring their own */
	int64_t (*up_ms)(void);    /* since the host was started */
	char boot[40];             /* which start of the host this is, "" unknown */
	ledger_waiter *wait;       /* NULL: give up */
	void *wait_ctx;
};

/* One column of a table: where it lies in its row struct. NULL name ends a list. */
enum column_kind { COLUMN_TEXT, COLUMN_I64, COLUMN_INT, COLUMN_UNSIGNED, COLUMN_STATE };
struct column {
	const char *name; /* in the table, in events and in --json */
	enum column_kind kind;
	size_t offset, size;
};
/* The order of each is the order of its SELECT list. */
extern const struct column card_columns[], job_columns[], failure_columns[];
void columns_read(const struct column *c, struct sqlite3_stmt *s, void *row);
json_t *columns_json(const struct column *c, const void *row); /* NULL: no memory */
json_t *json_text(const char *text);                          /* broken UTF-8 becomes U+FFFD */

int ledger_error(struct ledger *l, int sqlite_code, struct err *e);
/* The prepared statement of a constant, reset and unbound; NULL with e filled. Belongs to the ledger. */
struct sqlite3_stmt *ledger_statement(struct ledger *l, const char *sql, struct err *e);
/* Binds by letter: t = const char *, i = int64_t. Texts must live until the statement is reset. */
void ledger_bind(struct sqlite3_stmt *s, const char *kinds, ...);
/* 1 = a row, 0 = no more rows, negative = error. */
int ledger_step(struct ledger *l, struct sqlite3_stmt *s, struct err *e);
int ledger_begin(struct ledger *l, struct err *e);
/* Ends what ledger_begin began: commits when rc is 0, else rolls back. Returns rc or the commit's error. */
int ledger_end(struct ledger *l, int rc, struct err *e);
/* Appends an event; the triggers carry it into the tables. Takes data (may be NULL). */
int ledger_append(struct ledger *l, const char *kind, const char *job_uuid, int64_t card,
	const char *actor, json_t *data, struct err *e);
int64_t ledger_next_id(struct ledger *l, const char *sql, struct err *e); /* 0: error */
int64_t clock_real_ms(void);
int64_t clock_up_ms(void);
/* The hash that chains an event row: SHA-256 over its canonical head. hash is hex, with its end. */
struct event_head {
	int64_t seq, at, up, card;
	const char *kind, *job, *actor, *data_hash, *prev;
};
int event_hash(char hash[2 * HASH_LEN + 1], const struct event_head *h);
void text_hash(char hash[2 * HASH_LEN + 1], const char *text, size_t len);
#define CHAIN_START "0000000000000000000000000000000000000000000000000000000000000000"
/* The columns of an event row in the order of EVENT_SELECT. */
enum {
	EV_SEQ,
	EV_AT,
	EV_UP,
	EV_KIND,
	EV_JOB,
	EV_CARD,
	EV_ACTOR,
	EV_DATA,
	EV_DATA_HASH,
	EV_PREV,
	EV_HASH,
	EV_N
};
#define EVENT_SELECT                                                                               \
	"SELECT seq, at, up, kind, job, card, actor, data, data_hash, prev, hash FROM event "
const char *column_text(struct sqlite3_stmt *s, int i); /* "" for NULL */
/* Events about a chip and its number; a query in these very words finds the index event_chip. */
#define EVENT_CHIP        "kind GLOB 'chip-*'"
#define EVENT_CHIP_NUMBER "coalesce(json_extract(data, '$.number'), json_extract(data, '$.uid'))"

/* Ours, not newer, not foreign. *format: 0 = an empty file. */
int ledger_schema_check(struct ledger *l, int *format, struct err *e);
int ledger_schema_convert(struct sqlite3 *db, int format); /* of an older one, without its event; as create */
int ledger_schema_create(struct sqlite3 *db); /* an SQLite code; inside a transaction */
/* Of its parts, for a conversion: one row per statement; the table meta; all that is not a table. */
int ledger_schema_run(struct sqlite3 *db, const char *const *sql, size_t n);
int ledger_schema_meta(struct sqlite3 *db);
int ledger_schema_finish(struct sqlite3 *db);
int ledger_schema_loosen(struct sqlite3 *db); /* drops the guards that only a live ledger needs: for a replay */

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
	int zone;                          /* of the station, seconds east of UTC; failure_record fills it */
	unsigned cards_lost, panels_lost;  /* known when it is cleared; panels_lost: sets of ribbon panels */
	unsigned notes;                    /* what people added */
	char reviewer[64];                 /* who signed, "" = nobody yet */
	int64_t recorded, closed, review, event; /* numbers of its events, 0 = not yet; event: the last */
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
/* The key of one card's MAC alone, for who checks cards and makes none. */
int diversify_mac_key(uint8_t out[MASTER_KEY_LEN], const struct master_keys *m,
	const struct chip_id *id, struct err *e);
/* Check value of a key, safe to show: the first bytes of CMAC(key, 16 zero bytes). */
int diversify_check(uint8_t out[KEY_CHECK_LEN], const uint8_t key[MASTER_KEY_LEN], struct err *e);
/* Known answers of the public vectors; keyd refuses to serve without them. */
int diversify_self_test(struct err *e);

/* Refused unless owned by the caller, mode 0600 or 0400, and all check values right. */
int keyfile_read(struct master_keys *out, const char *path, struct err *e);

/* Between keyd and its client, one packet each way, in the memory layout of the one program both are. */
#define KEYD_MAGIC   0x6b657964u
#define KEYD_VERSION 2u
struct keyd_request {
	uint32_t magic, version, serial;
	unsigned key_version; /* of the masters; 0: the current one */
	bool logic;           /* a memory card: its number and data below, no id */
	bool logic_mac;
	struct chip_id id;
	struct chip_image image;
	uint8_t serial_number[LOGIC_SERIAL_LEN], logic_data[LOGIC_DATA_LEN];
};
struct keyd_reply {
	uint32_t magic, version, serial; /* serial 0: the answer to the start */
	int32_t code;
	unsigned key_version; /* that this answer was made with */
	uint8_t versions[8];  /* in the answer to the start: all there are, oldest first, then 0 */
	struct chip_keys keys;
	struct logic_keys logic;
	char text[ERR_TEXT_MAX];
};

/* No core dump, no debugger, from here on (keypart.c): for a process that holds keys or personal data. */
void cores_forbid(void);
/* Starts keyd as a child: reads the key file, then gives up files, devices, privileges and core dumps.
 * *fd is this side of the socket pair. */
int keyd_start(const char *key_path, const char *run_as, pid_t *pid, int *fd, struct err *e);
/* As keyd_start, with what [keys] of cardspool.conf says: the file, a security module, or both. The caller may not
 * dump core any more: it will hold the keys of cards. */
int keyd_start_config(const struct config *c, const char *run_as, pid_t *pid, int *fd, struct err *e);
/* A key_source that asks keyd over fd. ctx must be (void *)(intptr_t)fd for the current masters, or
 * KEYD_CTX(fd, version) for a card that was made with an older version. */
#define KEYD_VERSION_SHIFT 24
#define KEYD_FD_MASK       0xffffff
#define KEYD_CTX(fd, version) ((void *)((intptr_t)(version) << KEYD_VERSION_SHIFT | (intptr_t)(fd)))
extern const struct key_source keyd_key_source_ops;
/* struct logic_source's keys; ctx (void *)(intptr_t)fd. */
int keyd_logic_keys(void *ctx, const uint8_t serial[LOGIC_SERIAL_LEN], unsigned key_version,
	const uint8_t *data, struct logic_keys *out, struct err *e);
/* Writes a key file with fresh random master keys, mode 0600. */
int keyfile_create(const char *path, struct err *e);

/* ---- wear and work on the machine itself (ledger-wear.c) ---- */

/* What the ledger saw of one printer: where the machine does not count by itself. */
struct wear {
	int64_t prints, chips; /* good cards; cards whose chip the reader met */
	int64_t ribbon_prints; /* good cards since a ribbon was changed at its end */
	int64_t tests;         /* test cards, which are no cards of anybody's */
};
int ledger_wear(struct ledger *l, const char *serial, struct wear *out, struct err *e);
extern const char *const service_names[];
/* A cleaning run or a test card moves a card: intent before, outcome ("done", "failed", "unknown") after. */
int ledger_service_begin(struct ledger *l, const char *job_uuid, const char *serial,
	enum printer_service what, struct err *e);
int ledger_service_end(struct ledger *l, const char *job_uuid, const char *serial,
	enum printer_service what, const char *outcome, struct err *e);
/* *seen: this job began one, in whatever run. */
int ledger_service_seen(struct ledger *l, const char *job_uuid, bool *seen, struct err *e);
/* *open: the last one has no outcome. */
int ledger_service_open(
	struct ledger *l, const char *serial, enum printer_service *what, bool *open, struct err *e);

/* ---- supplies, and whether a batch fits them (supply.c) ---- */

struct supply_row {
	const char *word;        /* in --json */
	const char *name;        /* for people (N_) */
	const char *marker_type; /* IPP marker-types */
	const char *reason;      /* while it is nearly over */
	int low;                 /* per cent at which it is */
};
extern const struct supply_row supply_rows[]; /* by enum supply_kind */
extern const size_t n_supply_rows;
int supply_percent(const struct supply *s); /* -1 unknown */
unsigned head_life(const struct printer_model *model); /* rated prints; NULL: of any */
/* Fills in what the machine does not report. model may be NULL. */
void supply_complete(
	struct printer_status *st, const struct printer_model *model, const struct wear *w);
struct pass;
void supply_tell(struct pass *p, struct printer_status *st); /* completed, to the sink, with reasons */
struct sink;
void supply_clear(struct sink *s);

enum fit_policy { FIT_OFF, FIT_WARN, FIT_HOLD };
int fit_parse(const char *word); /* -1 */
struct fit {
	unsigned cards, prints; /* needed for what is not made yet */
	int prints_left;        /* -1 unknown */
	unsigned hopper;        /* what it holds, 0 unknown */
	bool ribbon_short, hopper_short;
};
/* st must have been completed. */
void fit_count(struct fit *f, const struct printer_status *st, const struct printer_model *model,
	const struct ribbon *ribbon, bool duplex, unsigned cards);
void fit_text(const struct fit *f, const char *ribbon, char *out, size_t max);
/* Before the first card: tells what is too little. ERR_INPUT under FIT_HOLD. */
int fit_check(struct pass *p, bool duplex, struct err *e);

/* ---- status sink (sink.c) --------------------------------------------------------------------------------------- */

/* Where the pass tells what is going on. The CUPS backend is one, a Printer Application could be another. */
struct sink {
	void (*reason)(struct sink *s, const char *keyword, bool set);
	void (*supplies)(struct sink *s, const struct printer_status *status);
	void (*message)(struct sink *s, bool is_error, const char *text);
	void (*impression)(struct sink *s); /* one printed side */
	bool (*cancelled)(struct sink *s);
	bool (*orphaned)(struct sink *s); /* finish the act under way, leave the rest to the next run */
	bool (*alone)(struct sink *s);    /* nobody tells CUPS how this ends; may be NULL */
};
extern struct sink sink_cups; /* STATE:, ATTR:, INFO:/ERROR:, PAGE: on stderr; SIGTERM = cancelled */
#define SINK_ORPHAN_SIGNAL SIGUSR1 /* the parent died */
void sink_cups_arm(void);                  /* installs the handlers of the two signals */
/* From now on the loss of the parent alone does not make an orphan: cupsd must be gone too. */
void sink_cups_watch(pid_t cupsd);
void sink_clear(struct sink *s);           /* takes back every reason an earlier run may have left */

/* ---- an MF1 chip between blank and finished (chip-stage.c) ---------------------------------------------------- */

struct chip_stage {
	struct station *station;
	const struct chip_id *id;
	int keyd_fd;
	struct key_source *source; /* left set to the version of the masters that opens the chip */
	unsigned fresh, own;       /* sectors as delivered, and with the keys of this site */
};
/* Counts the sectors. FAULT_CHIP_USED: none is ours, FAULT_CHIP_TRAILER: some are, and others open
 * with no key at hand. */
int chip_stage_look(struct chip_stage *c, struct err *e);
/* Sectors that are still open on a chip that was begun get their keys. */
int chip_stage_close(const struct chip_stage *c, struct err *e);
/* FAULT_CHIP_USED: the closed chip carries another record than this, with a good MAC. */
int chip_stage_free(const struct chip_stage *c, const struct chip_image *image, struct err *e);
/*
 * Writes and proves image on a chip that has the keys of this site in every sector and nothing else: initialised,
 * or voided. keys: keyd's. resume: it may carry what an interrupted call of this very image left. *taken false: it
 * is no such chip, nothing was written, the result says nothing.
 */
int chip_stage_take(struct station *s, const struct chip_id *id, const struct chip_image *image,
	const struct key_source *keys, bool resume, bool *taken, struct err *e);

/* ---- the pass (pass.c, pass-recover.c) ------------------------------------------------------------------------------- */

/* How a job ends. The backend maps these to CUPS exit codes; there is no code for "try again". */
enum pass_end { PASS_OK, PASS_HOLD, PASS_STOP, PASS_CANCEL };

struct pass {
	struct ledger *ledger;
	const struct printer_driver *driver;
	struct printer *printer;
	struct err closed;       /* why printer is NULL, when it could not be opened again */
	struct station *station; /* NULL: the cards have no chip */
	struct key_source keys;
	struct sink *sink;
	const struct config *config;
	struct job_row job;
	bool card_fed; /* from now on never FAILED or RETRY */

	enum fit_policy fit;
	struct wear wear;             /* at the start of the job, counted on */
	unsigned low_told;            /* supplies whose reason is set, a bit for each kind */
	char fit_text[ERR_TEXT_MAX];  /* what the batch lacks, "" nothing */

	struct print_job print; /* ribbon and correction; the pass fills in duplex from the card */
	bool begun;             /* the printer knows print; false after a reopen */
	int64_t proved;         /* this job's card that recovery found done, 0: none */
	int64_t foreign;        /* open failure record of a card that no row knows, 0: none */
	struct card_row inside; /* this job's card that an earlier run left in the machine; id 0: none */
	/* Close what is open and open anew; NULL in p->printer or p->station when that fails. */
	/* Through pass_reopen, which keeps the reason. */
	int (*reopen_printer)(struct pass *p, struct err *e);
	int (*reopen_station)(struct pass *p, struct err *e);
	void *devices; /* theirs */
	const struct err *keys_error; /* why keys.card_keys is NULL; may be NULL */
};

/* Settles every card of this printer that an earlier run left between intent and outcome. */
enum pass_end pass_recover(struct pass *p, struct err *e);
/* Makes one card, or finds that it is made already. */
enum pass_end pass_card(struct pass *p, const struct stream_card *card, struct err *e);
/* After the last card: a card that nobody asked for leaves the machine, the numbers are compared. */
enum pass_end pass_finish(struct pass *p, struct err *e);

/* ---- jobs that ended without all of their cards (unfinished.c) ---- */

/* One line: how many are missing and what makes them; empty when the job is done. */
int unfinished_text(struct ledger *l, const struct job_row *job, char *out, size_t max, struct err *e);
/* Says it and leaves one failure record that is open until the job is done. */
int unfinished_record(struct pass *p, const struct job_row *job, struct err *e);
void unfinished_clear(struct pass *p); /* p->job is done */
int unfinished_look(struct pass *p, struct err *e); /* the other jobs of this printer */

/* Inside the pass: one card on its way. Only pass*.c use what follows. */
struct pass_run {
	struct pass *p;
	const struct stream_card *card; /* NULL in recovery */
	struct card_row row;
	const char *actor; /* "pass", "recovery" */
	struct chip_id chip;
	bool reject;             /* the next step is the reject box */
	bool jam;                /* a jam was seen: the card must be seen gone */
	bool resume;             /* the chip may carry part of the image already */
	bool cancel;             /* end with PASS_CANCEL when the machine is empty */
	bool acting;             /* the step failed in or after its act */
	bool storage;            /* the step failed in the ledger */
	unsigned tries, settles; /* cards spent; unanswered acts of this card */
	const struct pass_step *step;
	int fault;               /* what the open failure is about, FAULT_NONE when nothing is open */
	enum act fault_act;      /* in which act it arose */
	int64_t failure;         /* its id */
	char cause[32];          /* its code, for the card's row */
};

/* One row of the state machine: what is checked, what is written, what is done. */
struct pass_step {
	enum card_state from; /* CARD_STATE_COUNT: any */
	enum { STEP_ANY, STEP_CHIP, STEP_PLAIN } kind;
	enum act act;
	enum card_state intent, outcome;
	int (*prepare)(struct pass_run *r, struct card_facts *facts, struct err *e);
	int (*perform)(struct pass_run *r, struct err *e);
};
extern const struct pass_step pass_steps[];
extern const size_t n_pass_steps;

void pass_run_init(struct pass_run *r, struct pass *p, const struct stream_card *card);
/* Walks the card through its steps until it is final or the job has to end. */
enum pass_end pass_run_card(struct pass_run *r, struct err *e);
int pass_move(struct pass_run *r, enum card_state to, const char *note, struct err *e);
void pass_say(struct pass_run *r, bool is_error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void pass_label(const struct card_row *row, char *out, size_t max);
bool pass_stopped(struct pass *p, struct err *e); /* cancelled, or the supervisor is gone */
bool pass_pause(struct pass *p, struct err *e);   /* one poll interval; true when stopped */

/* Answers a failed step: 0 = go on, else *end. */
int pass_fault(struct pass_run *r, enum pass_end *end, struct err *e);
void pass_fault_over(struct pass_run *r); /* the step after it went well */
/* The table of answers for who shows it: NULL past the last situation. */
const char *pass_situation_name(unsigned situation);
const char *pass_answer_name(unsigned situation, enum fault_action action);
extern const char *const fault_action_names[FAULT_HALT + 1];
/* Records a fault once, sets its reason, tells the person. */
int pass_fault_record(struct pass_run *r, enum act act, const struct err *cause, struct err *e);
extern const char *const act_names[ACT_COUNT]; /* "feed" */
/* Polls until the machine reports no fault (gone: and no card inside). ERR_CANCELLED. */
int pass_wait(struct pass_run *r, int fault, bool gone, struct err *e);
/* After that wait with gone: spoiled, or doubt when the printer cannot tell whether a card is inside. */
int pass_jam_over(struct pass_run *r, struct err *e);
int pass_status(struct pass *p, struct printer_status *st, struct err *e); /* asks once */
int pass_reopen(struct pass *p); /* the printer, anew; on failure pass_status tells why */
int pass_look(struct pass_run *r, struct printer_status *st, struct err *e); /* asks until it answers */
/* Takes up the open failure record of the run's card, if an earlier run left one. */
int pass_fault_resume(struct pass_run *r, struct err *e);
int pass_begin(struct pass *p, const struct stream_card *card, struct err *e);
bool face_used(const struct face *f); /* any panel carries anything */
bool fault_at_reader(int fault);

enum { SEEN_GONE = 1, SEEN_STATION = 2, SEEN_INSIDE = 4, SEEN_NOWHERE = 8 };
enum { COUNT_SAME = 1, COUNT_ONE = 2, COUNT_OTHER = 4 };
enum { CHIP_SAME = 1, CHIP_OTHER = 2, CHIP_NONE = 4, CHIP_UNSEEN = 8 };
#define SEEN_IN  (SEEN_STATION | SEEN_INSIDE)
#define SEEN_ANY 15
/* One row of the recovery table: a card was in state; place, count and chip were seen; so it is in to. */
struct settle_row {
	enum card_state state;
	unsigned place, count, chip;
	enum card_state to; /* equal to state: the card goes on from there */
	const char *why;
};
extern const struct settle_row settle_rows[];
extern const size_t n_settle_rows;
const struct settle_row *settle_find(enum card_state state, unsigned place, unsigned count,
	unsigned chip);
/* Observes and moves the row to what is proven, or to doubt. */
int pass_settle(struct pass_run *r, struct err *e);
/* A card inside that no row knows goes to the reject box under a failure record of its own. */
int pass_foreign(struct pass *p, const struct printer_status *st, struct err *e);
/* Takes up the open record of one that an earlier run did not see leave. */
int pass_foreign_resume(struct pass *p, struct err *e);

/* ---- the stream, one card ahead of the machine (ahead.c) ---------------------------------------------------------------- */

struct ahead;
/* Takes the reader, also on failure, and begins to read. */
int ahead_open(struct ahead **out, struct stream_reader *stream, struct err *e);
/* As stream_next, from a thread of its own; after an end, an error or a failure the same again. */
int ahead_next(struct ahead *a, enum stream_item *item, struct stream_card *card, struct err *cause,
	struct err *e);
/* Never waits for the filter. */
void ahead_close(struct ahead *a);

/* ---- worker (worker.c) ------------------------------------------------------------------------------------------------ */

struct worker_args {
	const struct config *config;
	const char *uri; /* cardspool://MAKE/MODEL?serial=S */
	int cups_id;
	const char *user, *title, *options;
	int stream_fd, keyd_fd;
	bool commands; /* stream_fd is a CUPS command file */
	const struct err *keyd_error; /* why keyd_fd is -1 */
};
/* The whole job in the worker process: lock, ledger, device, recovery, cards. */
enum pass_end worker_run(const struct worker_args *args, struct sink *sink, struct err *e);

/* What the file asks for, with the printer open (worker-service.c). */
enum pass_end worker_commands(struct pass *p, int fd, struct err *e);

/* ---- device URIs (uri.c) --------------------------------------------------------------------------------------------- */

/* usb_list with the names set: twins, which carry one serial number, are told apart by their plug. */
int printers_list(struct usb_printer **list, size_t *n, struct err *e);
int uri_build(char *out, size_t max, const struct usb_printer *p);
/* The name (struct usb_printer) that a URI gives its printer, which need not be there; "": none. */
int uri_name(const char *uri, char *out, size_t max);
/* Finds the one printer a URI names. None = FAULT_PRINTER_ABSENT; two = ERR_USAGE naming both. */
int uri_find(const char *uri, struct usb_printer *out, struct err *e);
/* The same over a list that is at hand; *out points into it. */
int uri_match(const char *uri, const struct usb_printer *list, size_t n,
	const struct usb_printer **out, struct err *e);

/* ---- the command line (cardspool.c, cmd-*.c) --------------------------------------------------------------------------- */

/* Aligned tables for people (textable.c): so many headings, then so many texts a row, all const char *. */
struct textable;
struct textable *textable_create(size_t n_columns, ...);
void textable_add(struct textable *t, ...);
size_t textable_rows(const struct textable *t); /* without the heading */
void textable_print(const struct textable *t, FILE *out);
void textable_destroy(struct textable *t);
void time_show(char *out, size_t max, int64_t ms); /* local time with zone; "-" for 0 */
/* Adds NAME_text, ISO 8601 with zone, "" for 0, to every time of a row; takes and returns row. */
json_t *times_json(json_t *row);

/* One call of a command over the ledger (request.c): what its words say, and the ledger they mean. */
struct request {
	const char *job, *uid, *reason, *out, *known, *ledger_path;
	int state;               /* -1: any */
	enum card_state verdict; /* CARD_STATE_COUNT: none given */
	bool json;
	char **names; /* the words that are no options */
	int n_names;
	struct config *config;
	struct ledger *ledger;
	struct job_row job_row; /* of --job, id 0: none */
};
/* Parses and opens. run finds the command's own help; allowed: letters of its options (J job, s state, u uid,
 * r reason, k known, o output, v verdict) beside --json and --ledger. Call request_end in any case. */
int request_start(struct request *q, int (*run)(int argc, char **argv, struct err *e), int argc,
	char **argv, const char *allowed, int n_names, enum ledger_mode mode, struct err *e);
int request_job(struct request *q, const char *name, struct err *e); /* fills job_row */
/* The ledger that ledger_path or the configuration names; fills job_row for job. */
int request_open(struct request *q, enum ledger_mode mode, struct err *e);
int request_end(struct request *q, int rc);                          /* closes; returns rc */

/* A walk that prints rows, either as lines of one JSON document or as a table. */
struct json_list {
	bool started;
};
struct listing {
	struct request *q;
	struct textable *table;
	struct json_list json;
	struct err *e;
	int rc;
};
int json_list_row(struct json_list *list, json_t *row); /* takes row */
void json_list_end(const struct json_list *list, const char *rest);
json_t *tally_json(const struct tally *t);
const char *text_or_dash(const char *text);
const char *cause_words(const char *code); /* the fault's own words */
void card_label(char *out, size_t max, unsigned card, unsigned copy);
struct textable *cards_table(void);
int visit_card_list(void *ctx, const struct card_row *card); /* ctx: struct listing */

struct command {
	const char *noun, *verb; /* verb NULL: the noun alone ("pack") */
	const char *usage;       /* what follows */
	const char *help;        /* one line (N_) */
	/* 0 or enum err_code; above 0: an exit status whose reason it has printed. argv[0] is the verb. */
	int (*run)(int argc, char **argv, struct err *e);
};
/* Each table ends with a NULL noun. */
extern const struct command commands_batch[];    /* pack */
extern const struct command commands_template[]; /* preview */
extern const struct command commands_order[];    /* order */
extern const struct command commands_design[];   /* template check, template build, label sheet */
extern const struct command commands_printer[];  /* printer list */
extern const struct command commands_ledger[];   /* job, failure, ledger */
extern const struct command commands_card[];     /* card */
extern const struct command commands_failure[];  /* failure */
extern const struct command commands_person[];   /* person */
extern const struct command commands_report[];   /* failure report */
extern const struct command commands_ribbon[];   /* ribbon load */
extern const struct command commands_web[];      /* web */
extern const struct command commands_metrics[];  /* metrics */
extern const struct command commands_fault[];    /* fault list */
extern const struct command commands_station[];  /* station list, station check */
extern const struct command commands_key[];      /* key create */
extern const struct command commands_chip_life[]; /* chip init, chip personalise, chip void */
extern const struct command commands_chip[];     /* chip read */
extern const struct command commands_chip_change[]; /* chip review, chip rewrite, key export-inspector */
extern const struct command commands_chip_tag[]; /* chip tag */

#endif
