/*
 * failure.h - the failure log: records, people, reviews, retention.
 *
 * A record is made by failure_record() and failure_cleared() of spooler.h; here is what people do
 * with it afterwards.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_FAILURE_H
#define CARDSPOOL_FAILURE_H

#include "spooler/spooler.h"

/* ---- its part of the schema (failure-schema.c), run by ledger-schema.c ---- */

extern const char *const failure_tables[], *const failure_indexes[], *const failure_rules[], *const failure_guards[];
extern const size_t n_failure_tables, n_failure_indexes, n_failure_rules, n_failure_guards;
#define FAILURE_SELECT                                                                             \
	"SELECT id, at, cleared, machine, serial, station, \"order\", job, cups_id, card, copy, "  \
	"attempt, holder, step, code, cause, raw, done, operator, zone, cards_lost, panels_lost, " \
	"notes, reviewer, recorded, closed, review, event FROM failure "
/* Kinds whose data a purge takes away. */
bool failure_event_kind(const char *kind);

/* ---- looking (failure-find.c) ---- */

enum failure_state {
	FAILURE_ANY,
	FAILURE_OPEN,
	FAILURE_CLEARED,
	FAILURE_UNREVIEWED,
	FAILURE_REVIEWED,
	FAILURE_STATE_COUNT
};
extern const char *const failure_states[FAILURE_STATE_COUNT];
int failure_state_parse(const char *name); /* -1 */

/* NULL and 0: not asked. machine: serial number or model; person: operator or reviewer; limit: the newest so
 * many. Times are Unix ms, to_ms is not included. */
struct failure_filter {
	const char *job_uuid, *machine, *code, *order, *person;
	int64_t from_ms, to_ms, limit;
	enum failure_state state;
};
/* In the order of time. left_out (may be NULL): older ones that the limit cut off. */
int failure_find(struct ledger *l, const struct failure_filter *f, failure_visitor *visit, void *ctx,
	int64_t *left_out, struct err *e);
int failure_count(struct ledger *l, const struct failure_filter *f, int64_t *n, struct err *e);
/* before and after the filter's WHERE: "SELECT at FROM failure ", "". source: the index to use, NULL: the one that
 * fits. The caller finalizes *s. */
int failure_query(struct ledger *l, const struct failure_filter *f, const char *before, const char *source,
	const char *after, struct sqlite3_stmt **s, struct err *e);
int failure_show(struct ledger *l, int64_t id, struct failure_row *out, struct err *e); /* ERR_MISSING */

/* ---- showing (failure-print.c), on the standard output ---- */

void failure_csv_head(void);
void failure_csv_row(const struct failure_row *f);
/* One record with its review and its notes. */
int failure_print(struct ledger *l, const struct failure_row *f, struct err *e);

/* ---- days (retention-day.c): all pure ---- */

int zone_at(int64_t ms);  /* the station's zone then, seconds east of UTC */
int zone_widest(int64_t ms); /* the largest of the year around ms: summer time counts */
/* Days since 1970-01-01 of a moment in a zone, and of the last day on which it is kept: the same day so many
 * months later, or the last one of that month when it is shorter. */
int64_t day_of(int64_t ms, int zone_s);
int64_t day_kept(int64_t day, unsigned months);
int day_parse(const char *text, int64_t *day); /* "2026-11-30"; -1 */
/* First moment of a day in the zone of the station. */
int64_t day_begin_ms(int64_t day);

/* ---- people (person.c, person-key.c) ---- */

enum { PERSON_PASS_MIN = 8, PERSON_PASS_MAX = 256, PERSON_PEM_MAX = 1024, PERSON_PRINT_MAX = 72 };

struct person {
	int64_t id;
	char name[64], role[16], login[64];
	char fingerprint[PERSON_PRINT_MAX]; /* "SHA256:" and hex over the public key (DER) */
	char public_pem[PERSON_PEM_MAX], sealed_pem[PERSON_PEM_MAX];
	int64_t added, retired, event;
};
extern const struct column person_columns[];
extern const char *const person_roles[]; /* operator, reviewer, custodian; NULL ends */
/* Makes a key and seals it by the passphrase. ERR_INPUT: name or login taken, passphrase too short. */
int person_add(struct ledger *l, const char *name, const char *role, const char *login,
	const char *pass, struct person *out, struct err *e);
int person_retire(struct ledger *l, const char *name, struct err *e);
int person_find(struct ledger *l, const char *name, struct person *out, struct err *e); /* ERR_MISSING */
typedef int person_visitor(void *ctx, const struct person *p);
int person_list(struct ledger *l, person_visitor *visit, void *ctx, struct err *e);
/* Of use for role now: ERR_DENIED retired or another role. */
int person_check(const struct person *p, const char *role, struct err *e);

/* person-key.c: Ed25519; sealed = PKCS#8, PBES2 with scrypt and AES-256-CBC (RFC 8018, RFC 7914), PEM. */
int key_make(struct person *p, const char *pass, struct err *e);
/* signature: hex of 64 bytes over text. ERR_DENIED: wrong passphrase. */
enum { SIGNATURE_TEXT = 129 };
int key_sign(const struct person *p, const char *pass, const char *text, char signature[SIGNATURE_TEXT],
	struct err *e);
int key_verify(const char *public_pem, const char *text, const char *signature); /* 0 or ERR_INPUT */
int key_fingerprint(const char *public_pem, char out[PERSON_PRINT_MAX]);

/* cmd-person.c: asks the terminal without echo, twice when fresh, or takes one line of the standard input. The
 * caller wipes out. */
int pass_read(const char *prompt, bool fresh, char out[PERSON_PASS_MAX + 2], struct err *e);

/* ---- notes (failure-note.c) ---- */

enum { ATTACHMENT_MAX = 8 * 1024 * 1024 };

struct failure_note {
	int64_t event, failure, at;
	char person[64], cause[256], note[1024];
	char file[2 * HASH_LEN + 1], file_name[128];
	int64_t file_size;
};
extern const struct column note_columns[];
/* cause, note, path: each may be NULL. actor: the login, NULL = the caller's. The file is kept beside the ledger
 * in PATH.files/HASH. ERR_BUSY: the record is reviewed already. */
int failure_note(struct ledger *l, int64_t id, const char *actor, const char *cause, const char *note,
	const char *path, struct err *e);
typedef int note_visitor(void *ctx, const struct failure_note *n);
int failure_notes(struct ledger *l, int64_t id, note_visitor *visit, void *ctx, struct err *e);
int attachment_path(const struct ledger *l, const char *hash, char *out, size_t max, struct err *e);

/* ---- reviews (review.c, review-text.c) ---- */

struct review {
	int64_t event, at;
	char person[64], fingerprint[PERSON_PRINT_MAX], signature[SIGNATURE_TEXT];
	char *text; /* review_done frees it */
};
void review_done(struct review *r);
/* logins: who is at the keyboard, NULL-terminated, besides the person's own login; may be NULL. The web page
 * gives none. ERR_DENIED: self-review, wrong passphrase, retired, no reviewer; ERR_BUSY: still open or signed
 * already. All of ids or none. */
int failure_review(struct ledger *l, const int64_t *ids, size_t n, const char *name, const char *pass,
	const char *const *logins, struct err *e);
/* Records of one local day that are cleared and not signed. *ids is malloc'd. */
int review_day_ids(struct ledger *l, int64_t day, int64_t **ids, size_t *n, struct err *e);
int review_of(struct ledger *l, int64_t failure_id, struct review *out, struct err *e); /* ERR_MISSING */
/* The text that is signed for these records as the events before "before" tell them. */
int review_text(struct ledger *l, const int64_t *ids, size_t n, const char *person,
	const char *fingerprint, int64_t at, int64_t before, struct buf *out, struct err *e);
/* Each signature against its key and each text against the records. problem() gets one line each. */
int failure_verify(struct ledger *l, void (*problem)(void *ctx, const char *line), void *ctx,
	uint64_t *n_reviews, struct err *e);
/* TEXT, signature, public key and verify.sh, names from the review's number. */
int review_export(struct ledger *l, int64_t failure_id, const char *folder, struct err *e);

void time_utc(char out[24], int64_t ms);                              /* review-text.c */
int line_escape(struct buf *out, const char *text, struct err *e);    /* no line break stays */
int ledger_name(struct ledger *l, char out[40], struct err *e);       /* its own uuid */

/* ---- telling others (notify.c): never waits, never fails ---- */

enum notify_kind {
	NOTIFY_RECORDED, /* the pass goes on by itself */
	NOTIFY_STOPPED,  /* somebody has to come */
	NOTIFY_CLEARED,
	NOTIFY_COUNT
};
/* By [notify] of the configuration (NULL: nobody is told). */
void notify_failure(const struct config *c, enum notify_kind kind, const struct failure_row *f);
void notify_journal(const char *path, enum notify_kind kind, const struct failure_row *f);
/* Runs it detached, with the record as JSON on its standard input. */
void notify_command(const char *command, unsigned limit_s, enum notify_kind kind,
	const struct failure_row *f);

/* ---- retention (retention.c) ---- */

enum { RETENTION_MONTHS_MIN = 3, PURGE_BATCH = 500 };

struct purge {
	unsigned months;
	int64_t before_day;  /* only records recorded before this day; 0 = all */
	bool dry;
	const char *name, *pass; /* the custodian who signs; not needed when dry or nothing is due */
	/* filled in: */
	int64_t n_purged, n_due, n_overdue, unproved_ms; /* unproved: how far the clock ran ahead of proof */
};
/* n_overdue: older than the time, without a review; they stay. */
int failure_purge(struct ledger *l, struct purge *p, struct err *e);
/* Moment before which an unreviewed record is overdue. */
int64_t overdue_before_ms(struct ledger *l, unsigned months);
/* What a step from one event to the next says about the clock: ms that it went ahead unproved. */
int64_t clock_ahead(int64_t at, int64_t up, bool booted, int64_t next_at, int64_t next_up);

/* Tombstones and their check along the chain (retention-proof.c). t: the data of a failure-purged event. */
int tombstone_hashes(struct ledger *l, json_t *t, struct err *e);
int tombstone_text(struct ledger *l, const json_t *t, struct buf *out, struct err *e);
struct retention_proof;
struct retention_proof *retention_proof_create(
	struct ledger *l, void (*problem)(void *ctx, const char *line), void *ctx);
/* Each event in its order; data "" for one without content. */
int retention_proof_event(struct retention_proof *p, const struct event_head *h, const char *data);
uint64_t retention_proof_finish(struct retention_proof *p); /* the number of problems */
void retention_proof_destroy(struct retention_proof *p);

#endif
