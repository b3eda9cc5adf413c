/*
 * pass-recover.c - finding out what became of a card.
 *
 * Owns the recovery table: last state x what is seen = what is true. It serves an act without an
 * answer and a restart after a crash alike. Guarantees that a card whose fate cannot be seen
 * becomes doubt, and that nothing is printed here. When the printer does not answer it asks until
 * it does or is cancelled.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
const struct settle_row settle_rows[] = {
	{CARD_FEEDING, SEEN_GONE, SEEN_ANY, SEEN_ANY, CARD_QUEUED,
		"observed: no card inside, none was fed"},
	{CARD_FEEDING, SEEN_STATION, SEEN_ANY, SEEN_ANY, CARD_AT_STATION,
		"observed: the card is at the station"},
	{CARD_FEEDING, SEEN_INSIDE, SEEN_ANY, SEEN_ANY, CARD_REJECTING,
		"observed: a card stands between feeder and station"},

	{CARD_AT_STATION, SEEN_STATION, SEEN_ANY, SEEN_ANY, CARD_AT_STATION,
		"observed: the card is at the station"},
	{CARD_AT_STATION, SEEN_INSIDE, SEEN_ANY, SEEN_ANY, CARD_REJECTING,
		"observed: the card left the station"},
	{CARD_AT_STATION, SEEN_GONE, SEEN_ANY, SEEN_ANY, CARD_SPOILED,
		"observed: the blank card was taken out"},

	{CARD_ENCODING, SEEN_IN, SEEN_ANY, CHIP_SAME, CARD_ENCODING,
		"observed: the same chip is at the station"},
	{CARD_ENCODING, SEEN_IN, SEEN_ANY, CHIP_NONE | CHIP_UNSEEN, CARD_REJECTING,
		"observed: a card is inside, its chip does not answer"},

	{CARD_ENCODED, SEEN_IN, SEEN_ANY, CHIP_SAME, CARD_ENCODED,
		"observed: the same chip is at the station"},
	{CARD_ENCODED, SEEN_IN, SEEN_ANY, CHIP_NONE | CHIP_UNSEEN, CARD_REJECTING,
		"observed: a card is inside, its chip does not answer"},

	{CARD_PRINTING, SEEN_GONE, COUNT_ONE, SEEN_ANY, CARD_DONE,
		"observed: no card inside, counter one up"},
	{CARD_PRINTING, SEEN_STATION, COUNT_SAME, CHIP_SAME, CARD_ENCODED,
		"observed: same chip still at the station, counter unchanged"},
	{CARD_PRINTING, SEEN_IN, SEEN_ANY, CHIP_SAME | CHIP_NONE | CHIP_UNSEEN, CARD_REJECTING,
		"observed: the card is inside, perhaps printed in part"},

	{CARD_REJECTING, SEEN_GONE, SEEN_ANY, SEEN_ANY, CARD_REJECTED,
		"observed: no card inside after the reject"},
	{CARD_REJECTING, SEEN_IN, SEEN_ANY, SEEN_ANY, CARD_REJECTING,
		"observed: the card is inside still"},
};
/* clang-format on */
const size_t n_settle_rows = ARRAY_LEN(settle_rows);

static const struct settle_row doubt_row = {
	.to = CARD_DOUBT, .why = "observed: what is seen does not prove what happened"};

const struct settle_row *
settle_find(enum card_state state, unsigned place, unsigned count, unsigned chip)
{
	for (size_t i = 0; i < n_settle_rows; i++) {
		const struct settle_row *s = &settle_rows[i];

		if (s->state == state && (s->place & place) && (s->count & count) &&
			(s->chip & chip))
			return s;
	}
	return &doubt_row;
}

/* Both positions at which the pass leaves a card; only at the contactless one nothing was printed
 * yet. */
static unsigned
place_seen(const struct pass_run *r, enum card_place place)
{
	switch (place) {
	case PLACE_NONE:
		return SEEN_GONE;
	case PLACE_CONTACTLESS:
	case PLACE_CONTACT:
		return SEEN_STATION;
	case PLACE_PRINT:
		return r->row.uid[0] || r->row.state == CARD_PRINTING ? SEEN_INSIDE : SEEN_STATION;
	case PLACE_SOMEWHERE:
		return SEEN_INSIDE;
	default:
		return SEEN_NOWHERE;
	}
}

static unsigned
count_seen(const struct pass_run *r, int64_t cards)
{
	if (r->row.counter_before < 0 || cards < 0)
		return COUNT_OTHER;
	if (cards == r->row.counter_before)
		return COUNT_SAME;
	return cards == r->row.counter_before + 1 ? COUNT_ONE : COUNT_OTHER;
}

/* The chip in the field against the row's. A reader that is gone is waited for. */
static int
chip_seen(struct pass_run *r, unsigned place, unsigned *seen, struct err *e)
{
	struct pass *p = r->p;
	struct chip_id id = {0};
	char uid[UID_HEX_MAX];
	struct err why = {0};

	*seen = CHIP_UNSEEN;
	if (!(place & SEEN_IN) || !r->row.uid[0])
		return 0;
	for (unsigned asked = 0;; asked++) {
		if (!p->station || asked > 0) {
			int rc = pass_wait(r, FAULT_READER_GONE, false, e);

			if (rc != 0)
				return rc;
		}
		if (chip_find(p->station, config_chip_wait_ms(p->config), &id, &why) == 0)
			break;
		if (why.fault == FAULT_NO_CHIP || why.fault == FAULT_CHIP_REMOVED)
			*seen = CHIP_NONE;
		if (!fault_at_reader(why.fault) || asked >= config_attempts_max(p->config))
			return 0;
	}
	hex_build(uid, id.uid, id.uid_len);
	*seen = strcmp(uid, r->row.uid) == 0 ? CHIP_SAME : CHIP_OTHER;
	return 0;
}

struct view {
	unsigned place, count, chip;
	int fault;
	char raw[ERR_RAW_MAX];
};

static int
view_take(struct pass_run *r, struct view *v, struct err *e)
{
	struct printer_status st;
	int rc = pass_look(r, &st, e);

	if (rc != 0)
		return rc;
	v->place = place_seen(r, st.place);
	if (st.unfed && r->row.state == CARD_FEEDING)
		v->place = SEEN_GONE;
	v->count = count_seen(r, st.cards);
	v->fault = (int)st.fault;
	snprintf(v->raw, sizeof(v->raw), "%s", st.raw);
	return chip_seen(r, v->place, &v->chip, e);
}

/* A card that may be moving is looked at until two looks agree. */
static int
view_steady(struct pass_run *r, struct view *v, struct err *e)
{
	struct view last;
	int rc = view_take(r, v, e);

	while (rc == 0 && (v->place & (SEEN_IN | SEEN_NOWHERE)) && r->row.state == CARD_PRINTING) {
		last = *v;
		if (pass_pause(r->p, e))
			return e->code;
		rc = view_take(r, v, e);
		if (v->place == last.place && v->count == last.count && v->chip == last.chip)
			break;
	}
	return rc;
}

/* The printer shows a jam, or one was seen before: only an empty machine tells anything. */
static int
settle_jam(struct pass_run *r, const struct view *v, struct err *e)
{
	int fault = r->fault ? r->fault : FAULT_MECHANICAL;
	int rc;

	r->jam = true;
	if (fault_row(v->fault)->action == FAULT_SPOIL && v->fault != FAULT_NONE) {
		struct err jam = {0};

		fault = v->fault;
		fault_set(&jam, (enum fault)v->fault, v->raw);
		rc = pass_fault_record(r, card_states[r->row.state].intent, &jam, e);
		if (rc != 0)
			return rc;
	}
	if (v->place != SEEN_GONE || v->fault != FAULT_NONE) {
		rc = pass_wait(r, fault, true, e);
		if (rc != 0)
			return rc;
	}
	return pass_jam_over(r, e);
}

int
pass_settle(struct pass_run *r, struct err *e)
{
	const struct settle_row *s;
	struct view v = {0};
	int rc = 0;

	if (fault_at_reader(r->fault)) {
		rc = pass_wait(r, r->fault, false, e);
	} else if (r->fault != FAULT_NONE && fault_row(r->fault)->action == FAULT_SETTLE) {
		/* A late answer to the old command must not be taken for the answer to the next. */
		pass_reopen(r->p);
	}
	if (rc == 0)
		rc = view_steady(r, &v, e);
	if (rc != 0)
		return rc;
	if (r->jam || (v.fault != FAULT_NONE && fault_row(v.fault)->action == FAULT_SPOIL)) {
		rc = settle_jam(r, &v, e);
		if (rc == 0)
			pass_fault_over(r);
		return rc;
	}
	s = settle_find(r->row.state, v.place, v.count, v.chip);
	if (s->to == CARD_REJECTING ||
		(s->to == r->row.state && r->settles > config_attempts_max(r->p->config))) {
		r->reject = true;
		return 0;
	}
	r->resume = s->to == CARD_ENCODING;
	if (s->to == r->row.state)
		return 0;
	rc = pass_move(r, s->to, s->why, e);
	if (rc == 0 && s->to != CARD_DOUBT && card_states[s->to].final)
		pass_fault_over(r);
	return rc;
}

struct row_list {
	struct card_row *rows;
	size_t n;
	const char *serial;
};

static int
row_collect(void *ctx, const struct card_row *row)
{
	struct row_list *list = ctx;
	struct card_row *more;

	if (row->printer_serial[0] && strcmp(row->printer_serial, list->serial) != 0)
		return 0;
	more = realloc(list->rows, (list->n + 1) * sizeof(*more));
	if (!more)
		return ERR_SYSTEM;
	list->rows = more;
	list->rows[list->n++] = *row;
	return 0;
}

/* The card that was touched last comes first: it is the one that may be inside. By the number of
 * the event: a clock may have been set back since. */
static int
row_newer(const void *a, const void *b)
{
	const struct card_row *x = a, *y = b;

	return (x->event < y->event) - (x->event > y->event);
}

struct open_failure {
	struct pass_run *r;
};

static int
failure_open(void *ctx, const struct failure_row *f)
{
	struct pass_run *r = ((struct open_failure *)ctx)->r;
	const struct fault_row *row;

	if (f->cleared != 0 || f->card != r->row.key.card || f->copy != r->row.key.copy ||
		f->attempt != r->row.attempt)
		return 0;
	row = fault_by_code(f->code);
	r->failure = f->id;
	r->fault = row ? (int)row->fault : FAULT_NONE;
	r->fault_act = card_states[r->row.state].intent;
	r->jam = r->jam || (row && row->action == FAULT_SPOIL);
	snprintf(r->cause, sizeof(r->cause), "%s", f->code);
	return 0;
}

int
pass_fault_resume(struct pass_run *r, struct err *e)
{
	struct open_failure ctx = {.r = r};

	return failure_list(r->p->ledger, r->row.key.job_uuid, failure_open, &ctx, e);
}

/* The failure that was open when the earlier run ended, else a record of that end itself. */
static int
recover_failure(struct pass_run *r, struct err *e)
{
	struct err died = {0};
	int rc = pass_fault_resume(r, e);

	if (rc != 0 || r->failure)
		return rc;
	fault_set(&died, FAULT_WORKER_DIED, NULL);
	err_set(&died, ERR_FAULT, "%s",
		_("The earlier run ended with this card in the machine; looking what became of "
		  "it."));
	died.fault = FAULT_WORKER_DIED;
	return pass_fault_record(r, card_states[r->row.state].intent, &died, e);
}

static bool
row_inside(enum card_state s)
{
	return s == CARD_AT_STATION || s == CARD_ENCODING || s == CARD_ENCODED;
}

/* Settles one card. Nothing but doubt in this very job keeps the job from going on. */
static enum pass_end
recover_row(struct pass *p, const struct card_row *row, struct err *e)
{
	struct pass_run r;
	enum pass_end end;
	bool ours = strcmp(row->key.job_uuid, p->job.uuid) == 0;

	pass_run_init(&r, p, NULL);
	r.row = *row;
	p->card_fed = p->card_fed || ours;
	if (recover_failure(&r, e) != 0 || pass_settle(&r, e) != 0) {
		if (e->code != ERR_CANCELLED)
			return PASS_STOP;
		return p->sink->orphaned && p->sink->orphaned(p->sink) ? PASS_STOP : PASS_CANCEL;
	}
	if (!r.reject && row_inside(r.row.state) && ours && p->inside.id == 0) {
		pass_fault_over(&r);
		p->inside = r.row;
		return PASS_OK;
	}
	if (row_inside(r.row.state))
		r.reject = true;
	if (r.row.state == CARD_DONE && ours)
		p->proved = r.row.id; /* its sides are counted when its faces come by */
	end = pass_run_card(&r, e);
	if (r.row.state != CARD_DOUBT) {
		if (end == PASS_OK)
			pass_fault_over(&r);
		return end;
	}
	if (ours)
		return PASS_HOLD;
	p->sink->message(p->sink, true, e->text);
	return PASS_OK;
}

static int
recover_list(struct pass *p, struct row_list *list, struct err *e)
{
	int rc = 0;

	for (int s = 0; rc == 0 && s < CARD_STATE_COUNT; s++)
		if (card_states[s].intent != ACT_NONE || row_inside((enum card_state)s))
			rc = ledger_cards(p->ledger, NULL, s, row_collect, list, e);
	if (rc == 0 && list->n > 1)
		qsort(list->rows, list->n, sizeof(*list->rows), row_newer);
	return rc;
}

enum pass_end
pass_recover(struct pass *p, struct err *e)
{
	struct row_list list = {.serial = p->job.printer_serial};
	enum pass_end end = PASS_OK;

	memset(&p->inside, 0, sizeof(p->inside));
	if (pass_foreign_resume(p, e) != 0 || recover_list(p, &list, e) != 0)
		end = PASS_STOP;
	for (size_t i = 0; end == PASS_OK && i < list.n; i++)
		end = recover_row(p, &list.rows[i], e);
	free(list.rows);
	return end;
}
