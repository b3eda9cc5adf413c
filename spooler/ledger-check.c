/*
 * ledger-check.c - the cheap proof of a ledger, before each job.
 *
 * Owns the note beside the ledger (its path with ".proof": state, number and hash of the last event
 * that was proved). A job looks only at what came after that event, and at the rows of cards that
 * are open or of jobs that are active; the whole is proved when there is no note, or when the note
 * says that something was found. Guarantees that a ledger in which a change was found once is
 * refused until all of it holds, and that one which lost events since the last proof (an old copy
 * put back) is refused until a person has looked. On failure nothing is fed and the error says how
 * to go on.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HASH_TEXT (2 * HASH_LEN + 1)

struct proof {
	bool known, sound;
	int64_t seq;
	char hash[HASH_TEXT];
};

/* ---- the note: one line, "sound NUMBER HASH" or "bad NUMBER HASH" ---- */

static int
note_path(const struct ledger *l, char *out, size_t max, struct err *e)
{
	if ((size_t)snprintf(out, max, "%s.proof", l->path) < max)
		return 0;
	return err_set(e, ERR_USAGE, "%s", _("The path of the ledger is too long."));
}

/* A note that is not there or cannot be read costs time only: everything is verified then. */
static int
note_read(const struct ledger *l, struct proof *p, struct err *e)
{
	char path[4200], word[8];
	int rc = note_path(l, path, sizeof path, e);
	FILE *f;

	memset(p, 0, sizeof *p);
	if (rc != 0 || !(f = fopen(path, "re")))
		return rc;
	p->known = fscanf(f, "%7s %" SCNd64 " %64s", word, &p->seq, p->hash) == 3 && p->seq > 0 &&
		   strlen(p->hash) == HASH_TEXT - 1;
	p->sound = p->known && strcmp(word, "sound") == 0;
	fclose(f);
	return 0;
}

/* Complete or not at all. It need not survive a power cut: an older note costs time only. */
static int
note_write(const struct ledger *l, const struct proof *p, struct err *e)
{
	char path[4200], beside[4300];
	int rc = note_path(l, path, sizeof path, e);
	FILE *f;
	bool good;

	if (rc != 0)
		return rc;
	snprintf(beside, sizeof beside, "%s.%ld", path, (long)getpid());
	f = fopen(beside, "we");
	good = f &&
	       fprintf(f, "%s %" PRId64 " %s\n", p->sound ? "sound" : "bad", p->seq, p->hash) > 0;
	if (f && fclose(f) != 0)
		good = false;
	if (good && rename(beside, path) == 0)
		return 0;
	rc = err_set(e, errno == EACCES ? ERR_DENIED : ERR_STORAGE,
		_("What was found in the ledger cannot be noted in %s: %s. Have an administrator "
		  "check the folder and the disk."),
		path, strerror(errno));
	unlink(beside);
	return rc;
}

int
ledger_check_note(struct ledger *l, bool sound, struct err *e)
{
	struct proof p = {.sound = sound};
	int rc = ledger_head(l, &p.seq, p.hash, e);

	return rc == 0 ? note_write(l, &p, e) : rc;
}

/* ---- what came since ---- */

/* Walks from the proved event, which must be the one it was, to the head. *bad: the first event
 * that does not hold. */
static int
events_check(struct ledger *l, struct proof *p, int64_t *bad, struct err *e)
{
	static const char sql[] = "SELECT seq, at, up, kind, job, card, actor, data, data_hash, "
				  "prev, hash FROM event WHERE seq >= ? ORDER BY seq";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int64_t want = p->seq;
	int rc;

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "i", p->seq);
	while ((rc = ledger_step(l, s, e)) == 1) {
		const char *data = (const char *)sqlite3_column_text(s, 7);
		const char *hash = (const char *)sqlite3_column_text(s, 10);
		char data_hash[HASH_TEXT], computed[HASH_TEXT];
		struct event_head h = {.seq = sqlite3_column_int64(s, 0),
			.at = sqlite3_column_int64(s, 1),
			.up = sqlite3_column_int64(s, 2),
			.kind = (const char *)sqlite3_column_text(s, 3),
			.job = (const char *)sqlite3_column_text(s, 4),
			.card = sqlite3_column_int64(s, 5),
			.actor = (const char *)sqlite3_column_text(s, 6),
			.data_hash = data_hash,
			.prev = (const char *)sqlite3_column_text(s, 9)};
		bool first = want == p->seq;

		if (data[0] == '\0' && failure_event_kind(h.kind))
			snprintf(data_hash, sizeof data_hash, "%s", column_text(s, 8));
		else
			text_hash(data_hash, data, strlen(data));
		if (h.seq != want || event_hash(computed, &h) != 0 || strcmp(computed, hash) != 0 ||
			strcmp(first ? hash : h.prev, p->hash) != 0) {
			*bad = want;
			sqlite3_reset(s);
			return 0;
		}
		memcpy(p->hash, computed, sizeof computed);
		want++;
	}
	p->seq = want - 1;
	return rc;
}

/* A row that could make a card be made again, or not at all, says what its last event says. */
static int
rows_check(struct ledger *l, int64_t *bad, struct err *e)
{
	static const char sql[] =
		"SELECT c.id FROM card AS c WHERE (c.job IN (SELECT uuid FROM job WHERE state NOT "
		"IN "
		"('done', 'cancelled')) OR c.state NOT IN ('done', 'rejected', 'spoiled', "
		"'cancelled', "
		"'void')) AND (c.state <> coalesce((SELECT json_extract(data, '$.to') FROM event "
		"WHERE "
		"card = c.id AND card <> 0 AND kind = 'card-moved' ORDER BY seq DESC LIMIT 1), "
		"'queued') "
		"OR NOT EXISTS (SELECT 1 FROM event WHERE card = c.id AND card <> 0)) LIMIT 1";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	int rc;

	if (!s)
		return ERR_INTERNAL;
	rc = ledger_step(l, s, e);
	if (rc == 1) {
		*bad = sqlite3_column_int64(s, 0);
		sqlite3_reset(s);
	}
	return rc < 0 ? rc : 0;
}

#define GO_ON                                                                                      \
	N_("No card is made from it. Put back its last copy, or move it away to begin a new one; " \
	   "run: cardspool ledger verify; then resume the queue.")

static int
older_set(const struct ledger *l, int64_t now, int64_t was, struct err *e)
{
	return err_set(e, ERR_INPUT,
		_("The ledger %s is older than the one the last job wrote: it ends at event "
		  "%" PRId64 ", not %" PRId64 ". Put the right file back; if there is no "
		  "other, run: cardspool ledger verify; then resume the queue."),
		l->path, now, was);
}

static int
check_since(struct ledger *l, struct proof *p, struct err *e)
{
	struct proof from = *p;
	char head[HASH_TEXT];
	int64_t n, event = 0, card = 0;
	int rc = ledger_head(l, &n, head, e);

	if (rc == 0 && n < from.seq)
		return older_set(l, n, from.seq, e);
	if (rc == 0)
		rc = events_check(l, p, &event, e);
	if (rc == 0)
		rc = rows_check(l, &card, e);
	if (rc != 0)
		return rc;
	if (event == 0 && (p->seq != n || strcmp(p->hash, head) != 0))
		event = p->seq + 1;
	if (event != 0)
		rc = err_set(e, ERR_INPUT,
			_("The ledger %s was changed from outside: event %" PRId64 ". %s"), l->path,
			event, _(GO_ON));
	else if (card != 0)
		rc = err_set(e, ERR_INPUT,
			_("The ledger %s was changed from outside: card %" PRId64 ". %s"), l->path,
			card, _(GO_ON));
	if (rc != 0) {
		from.sound = false;
		note_write(l, &from, NULL);
	}
	return rc;
}

static void
problem_keep(void *ctx, const char *line)
{
	char *first = ctx;

	if (first[0] == '\0')
		snprintf(first, ERR_TEXT_MAX, "%s", line);
}

static int
check_whole(struct ledger *l, struct proof *p, struct err *e)
{
	char first[ERR_TEXT_MAX] = "";
	int64_t was = p->known ? p->seq : 0;
	int rc = ledger_verify(l, problem_keep, first, NULL, e);

	if (rc == ERR_INPUT && first[0])
		err_set(e, ERR_INPUT, _("The ledger %s was changed from outside: %.200s. %s"),
			l->path, first, _(GO_ON));
	if (rc == ERR_INPUT) {
		ledger_check_note(l, false, NULL);
		return rc;
	}
	if (rc == 0)
		rc = ledger_head(l, &p->seq, p->hash, e);
	return rc == 0 && p->seq < was ? older_set(l, p->seq, was, e) : rc;
}

int
ledger_check(struct ledger *l, struct err *e)
{
	struct proof p;
	int rc = note_read(l, &p, e);

	if (rc != 0)
		return rc;
	if (sqlite3_exec(l->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		return ledger_error(l, sqlite3_extended_errcode(l->db), e);
	if (p.sound) {
		int64_t was = p.seq;

		rc = check_since(l, &p, e);
		sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
		if (rc != 0 || p.seq == was)
			return rc;
	} else {
		sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL); /* verify has one of its own */
		rc = check_whole(l, &p, e);
		if (rc != 0)
			return rc;
	}
	p.sound = true;
	return note_write(l, &p, e);
}
