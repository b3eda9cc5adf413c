/*
 * pass-fault.c - what the pass does when a step fails.
 *
 * Owns the table of answers (where the card was x the action of the fault's row in faults[]) and
 * the life of a failure record: made once when the fault is met, cleared when the next step goes
 * well. Waiting has no limit but cancelling, goes on by itself, and survives that printer or reader
 * are unplugged meanwhile. When the ledger cannot be written it stops at once: the truth on disk is
 * then the intent row.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <stdio.h>
#include <string.h>

const char *const act_names[ACT_COUNT] = {
	[ACT_NONE] = "hold",
	[ACT_FEED] = "feed",
	[ACT_ENCODE] = "encode",
	[ACT_PRINT] = "print",
	[ACT_REJECT] = "reject",
};

/* Where the card was when the step failed. */
enum situation {
	NOT_FED,
	BEING_FED,
	HELD,   /* inside, at rest: the step failed before its act */
	ACTING, /* inside, in the middle of an act */
	BEING_REJECTED,
	SITUATIONS
};

enum answer {
	ANSWER_STOP,         /* the queue stops with the message */
	ANSWER_WAIT,         /* until the fault is gone, then the same step again */
	ANSWER_GONE,         /* until the fault is gone and no card is inside, then spoiled */
	ANSWER_REJECT,       /* to the reject box */
	ANSWER_OBSERVE,      /* look where the card is: recovery table */
	ANSWER_OBSERVE_WAIT, /* the same, then wait: a feed that took no card */
	ANSWER_WAIT_OBSERVE  /* the printer must be ready again before looking tells anything */
};

static const enum answer answers[SITUATIONS][FAULT_HALT + 1] = {
	[NOT_FED] = {[FAULT_WAIT] = ANSWER_WAIT,
		[FAULT_REJECT] = ANSWER_STOP,
		[FAULT_SPOIL] = ANSWER_WAIT,
		[FAULT_SETTLE] = ANSWER_WAIT,
		[FAULT_HALT] = ANSWER_STOP},
	[BEING_FED] = {[FAULT_WAIT] = ANSWER_OBSERVE_WAIT,
		[FAULT_REJECT] = ANSWER_REJECT,
		[FAULT_SPOIL] = ANSWER_GONE,
		[FAULT_SETTLE] = ANSWER_OBSERVE,
		[FAULT_HALT] = ANSWER_STOP},
	[HELD] = {[FAULT_WAIT] = ANSWER_WAIT,
		[FAULT_REJECT] = ANSWER_REJECT,
		[FAULT_SPOIL] = ANSWER_GONE,
		[FAULT_SETTLE] = ANSWER_OBSERVE,
		[FAULT_HALT] = ANSWER_STOP},
	[ACTING] = {[FAULT_WAIT] = ANSWER_WAIT_OBSERVE,
		[FAULT_REJECT] = ANSWER_REJECT,
		[FAULT_SPOIL] = ANSWER_GONE,
		[FAULT_SETTLE] = ANSWER_OBSERVE,
		[FAULT_HALT] = ANSWER_STOP},
	[BEING_REJECTED] = {[FAULT_WAIT] = ANSWER_WAIT_OBSERVE,
		[FAULT_REJECT] = ANSWER_OBSERVE,
		[FAULT_SPOIL] = ANSWER_GONE,
		[FAULT_SETTLE] = ANSWER_OBSERVE,
		[FAULT_HALT] = ANSWER_STOP},
};

const char *const fault_action_names[FAULT_HALT + 1] = {
	[FAULT_WAIT] = "wait",
	[FAULT_REJECT] = "reject",
	[FAULT_SPOIL] = "spoil",
	[FAULT_SETTLE] = "settle",
	[FAULT_HALT] = "halt",
};

const char *
pass_situation_name(unsigned situation)
{
	static const char *const names[SITUATIONS] = {
		[NOT_FED] = "not-fed",
		[BEING_FED] = "being-fed",
		[HELD] = "held",
		[ACTING] = "acting",
		[BEING_REJECTED] = "being-rejected",
	};

	return situation < SITUATIONS ? names[situation] : NULL;
}

const char *
pass_answer_name(unsigned situation, enum fault_action action)
{
	static const char *const names[] = {
		[ANSWER_STOP] = "stop",
		[ANSWER_WAIT] = "wait",
		[ANSWER_GONE] = "gone",
		[ANSWER_REJECT] = "reject",
		[ANSWER_OBSERVE] = "observe",
		[ANSWER_OBSERVE_WAIT] = "observe-wait",
		[ANSWER_WAIT_OBSERVE] = "wait-observe",
	};

	if (situation >= SITUATIONS || action > FAULT_HALT)
		return NULL;
	return names[answers[situation][action]];
}

static const char *const action_done[] = {
	[FAULT_WAIT] = N_("waited until the cause was gone"),
	[FAULT_REJECT] = N_("card rejected, a fresh one takes its place"),
	[FAULT_SPOIL] = N_("card taken out by hand, a fresh one takes its place"),
	[FAULT_SETTLE] = N_("observed what became of the card"),
	[FAULT_HALT] = N_("queue stopped"),
};

bool
fault_at_reader(int fault)
{
	return fault == FAULT_READER_ABSENT || fault == FAULT_READER_GONE;
}

static enum situation
situation_of(const struct pass_run *r)
{
	switch (r->row.state) {
	case CARD_QUEUED:
		return NOT_FED;
	case CARD_FEEDING:
		return BEING_FED;
	case CARD_REJECTING:
		return BEING_REJECTED;
	default:
		return r->acting ? ACTING : HELD;
	}
}

static enum fault_action
action_of(const struct err *e)
{
	enum fault_action a = fault_row(e->fault)->action;

	if (e->fault != FAULT_NONE)
		return a;
	return FAULT_SETTLE;
}

static void
failure_fill(struct failure_row *f, const struct pass_run *r, enum act act, const struct err *cause)
{
	const struct pass *p = r->p;
	const struct fault_row *row = fault_row(cause->fault);
	enum fault_action action =
		cause->fault == FAULT_WORKER_DIED ? FAULT_SETTLE : action_of(cause);

	memset(f, 0, sizeof(*f));
	f->at = clock_real_ms();
	snprintf(f->machine, sizeof(f->machine), "%.63s",
		p->job.printer_model[0] ? p->job.printer_model : p->job.printer);
	snprintf(f->serial, sizeof(f->serial), "%s", p->job.printer_serial);
	snprintf(f->station, sizeof(f->station), "%s", p->job.station);
	snprintf(f->order, sizeof(f->order), "%s", p->job.order);
	snprintf(f->job_uuid, sizeof(f->job_uuid), "%s",
		r->row.key.job_uuid[0] ? r->row.key.job_uuid : p->job.uuid);
	f->cups_id = p->job.cups_id;
	f->card = r->row.key.card;
	f->copy = r->row.key.copy;
	f->attempt = r->row.attempt;
	snprintf(f->holder_masked, sizeof(f->holder_masked), "%s", r->row.name_masked);
	snprintf(f->step, sizeof(f->step), "%s", act_names[act]);
	snprintf(f->code, sizeof(f->code), "%s", cause->fault ? row->code : "doubt");
	snprintf(f->cause, sizeof(f->cause), "%.255s", cause->fault ? _(row->cause) : cause->text);
	snprintf(f->raw, sizeof(f->raw), "%s", cause->raw);
	snprintf(f->done, sizeof(f->done), "%.63s", _(action_done[action]));
	snprintf(f->operator_name, sizeof(f->operator_name), "%s", p->job.user);
}

static void
fault_show(struct pass_run *r, const struct err *cause)
{
	if (cause->fault != FAULT_NONE)
		r->p->sink->reason(r->p->sink, fault_row(cause->fault)->reason, true);
	pass_say(r, true, "%s", cause->text);
}

/* The same fault of the same act, met again before anything went well, is the same failure. */
int
pass_fault_record(struct pass_run *r, enum act act, const struct err *cause, struct err *e)
{
	struct pass *p = r->p;
	struct failure_row row;
	int rc;

	if (r->failure && r->fault == cause->fault && r->fault_act == act) {
		fault_show(r, cause);
		return 0;
	}
	pass_fault_over(r);
	failure_fill(&row, r, act, cause);
	rc = failure_record(p->ledger, &row, e);
	if (rc != 0)
		return rc;
	r->failure = row.id;
	r->fault = cause->fault;
	r->fault_act = act;
	snprintf(r->cause, sizeof(r->cause), "%s", row.code);
	fault_show(r, cause);
	notify_failure(p->config,
		action_of(cause) == FAULT_REJECT ? NOTIFY_RECORDED : NOTIFY_STOPPED, &row);
	return 0;
}

void
pass_fault_over(struct pass_run *r)
{
	struct pass *p = r->p;
	struct failure_row row;
	struct err ignored; /* the record stays open then, which a person sees */

	if (!r->failure)
		return;
	if (failure_cleared(p->ledger, r->failure, NULL, &ignored) == 0 &&
		failure_show(p->ledger, r->failure, &row, &ignored) == 0)
		notify_failure(p->config, NOTIFY_CLEARED, &row);
	if (r->fault != FAULT_NONE)
		p->sink->reason(p->sink, fault_row(r->fault)->reason, false);
	r->failure = 0;
	r->fault = FAULT_NONE;
	r->cause[0] = '\0';
}

/* Asks until the printer answers: reopens it after each poll interval. */
int
pass_look(struct pass_run *r, struct printer_status *st, struct err *e)
{
	struct pass *p = r->p;
	struct err why = {0};
	int shown = FAULT_NONE;

	while (pass_status(p, st, &why) != 0) {
		int fault = why.fault ? why.fault : FAULT_NO_REPLY;

		if (fault != shown) {
			if (shown)
				p->sink->reason(p->sink, fault_row(shown)->reason, false);
			p->sink->reason(p->sink, fault_row(fault)->reason, true);
			pass_say(r, true, "%s", why.text);
			shown = fault;
		}
		if (pass_pause(p, e)) {
			p->sink->reason(p->sink, fault_row(shown)->reason, false);
			return e->code;
		}
		pass_reopen(p);
	}
	if (shown)
		p->sink->reason(p->sink, fault_row(shown)->reason, false);
	supply_tell(p, st);
	return 0;
}

/* What the waiting person reads changes with what the printer shows: a jam, then an open cover. */
static void
wait_show(struct pass_run *r, int *shown, int now)
{
	struct sink *s = r->p->sink;
	const struct fault_row *row = fault_row(now);

	if (*shown == now || now == FAULT_NONE)
		return;
	if (*shown != r->fault)
		s->reason(s, fault_row(*shown)->reason, false);
	s->reason(s, row->reason, true);
	pass_say(r, true, "%s. %s.", _(row->cause), _(row->remedy));
	*shown = now;
}

static int
wait_reader(struct pass_run *r, struct err *e)
{
	struct err why;

	while (r->p->reopen_station(r->p, &why) != 0)
		if (pass_pause(r->p, e))
			return e->code;
	return 0;
}

/* No look will ever show whether the card was taken out. */
static bool
blind_to(const struct printer_status *st)
{
	return st->blind && st->place == PLACE_UNKNOWN;
}

static int
wait_printer(struct pass_run *r, int fault, bool gone, struct err *e)
{
	struct printer_status st;
	int shown = fault;
	bool told = false;

	for (;;) {
		if (pass_pause(r->p, e))
			break;
		if (pass_look(r, &st, e) != 0)
			break;
		if (st.fault == FAULT_NONE && (!gone || st.place == PLACE_NONE || blind_to(&st)))
			break;
		wait_show(r, &shown, (int)st.fault);
		if (st.fault == FAULT_NONE && !told) {
			pass_say(r, true, "%s",
				_("A card is still in the printer. Open the cover, take it out, "
				  "close the cover."));
			told = true;
		}
	}
	if (shown != fault)
		r->p->sink->reason(r->p->sink, fault_row(shown)->reason, false);
	return e->code == ERR_CANCELLED ? e->code : 0;
}

int
pass_wait(struct pass_run *r, int fault, bool gone, struct err *e)
{
	int rc;

	memset(e, 0, sizeof(*e));
	if (fault_at_reader(fault)) {
		rc = wait_reader(r, e);
	} else {
		if (fault_row(fault)->action == FAULT_SETTLE || fault == FAULT_PRINTER_ABSENT) {
			pass_reopen(r->p);
		}
		rc = wait_printer(r, fault, gone, e);
	}
	if (rc != 0)
		return rc;
	r->p->sink->reason(r->p->sink, fault_row(fault)->reason, false);
	pass_say(r, false, "%s", _("The fault is cleared; going on."));
	return 0;
}

int
pass_jam_over(struct pass_run *r, struct err *e)
{
	struct printer_status st;
	int rc = pass_look(r, &st, e);

	if (rc != 0)
		return rc;
	if (blind_to(&st))
		return pass_move(r, CARD_DOUBT, "the printer cannot tell whether the card is out", e);
	return pass_move(r, CARD_SPOILED, "observed: taken out after a jam, no card inside", e);
}

/* A jammed card that was seen gone is spoiled, whatever it carries. */
static int
answer_gone(struct pass_run *r, int fault, struct err *e)
{
	int rc;

	r->jam = true;
	rc = pass_wait(r, fault, true, e);
	if (rc == 0)
		rc = pass_jam_over(r, e);
	if (rc == 0)
		pass_fault_over(r);
	return rc;
}

static int
answer_give(struct pass_run *r, enum answer answer, int fault, struct err *e)
{
	int rc = 0;

	switch (answer) {
	case ANSWER_WAIT:
		return pass_wait(r, fault, false, e);
	case ANSWER_GONE:
		return answer_gone(r, fault, e);
	case ANSWER_REJECT:
		r->reject = true;
		return 0;
	case ANSWER_OBSERVE:
		return pass_settle(r, e);
	case ANSWER_OBSERVE_WAIT:
		rc = pass_settle(r, e);
		if (rc == 0 && !card_states[r->row.state].final)
			rc = pass_wait(r, fault, false, e);
		return rc;
	case ANSWER_WAIT_OBSERVE:
		rc = pass_wait(r, fault, false, e);
		return rc == 0 ? pass_settle(r, e) : rc;
	case ANSWER_STOP:
		break;
	}
	return e->code;
}

/* A ledger that cannot be written, or a machine that must not go on. */
static enum pass_end
fault_stop(struct pass_run *r, struct err *e)
{
	struct err ledger;
	char label[64];

	if (!r->storage) {
		pass_label(&r->row, label, sizeof(label));
		err_prefix(e, "%s", label);
		return PASS_STOP;
	}
	ledger = *e;
	fault_set(e, FAULT_LEDGER, NULL);
	snprintf(e->text, sizeof(e->text), "%s", ledger.text); /* it names file and remedy */
	r->p->sink->reason(r->p->sink, fault_row(FAULT_LEDGER)->reason, true);
	return PASS_STOP;
}

/* Cancelled while waiting. An unfed card is crossed out by the caller's next look at the sink. */
static int
fault_cancelled(struct pass_run *r, enum pass_end *end)
{
	if (r->p->sink->orphaned && r->p->sink->orphaned(r->p->sink)) {
		*end = PASS_STOP;
		return -1;
	}
	*end = PASS_CANCEL;
	return r->row.state == CARD_QUEUED ? 0 : -1;
}

/* Data that the driver refuses: the card in the machine is rejected, the job is held. */
static int
fault_data(struct pass_run *r, enum pass_end *end, struct err *e)
{
	struct err why = *e;
	struct pass_run out;

	*end = PASS_HOLD;
	if (!card_states[r->row.state].fed || !r->p->printer)
		return -1;
	pass_run_init(&out, r->p, NULL);
	out.row = r->row;
	out.reject = true;
	if (pass_run_card(&out, e) == PASS_OK)
		*e = why;
	r->row = out.row;
	return -1;
}

int
pass_fault(struct pass_run *r, enum pass_end *end, struct err *e)
{
	struct err cause = *e;
	enum situation where = situation_of(r);
	enum fault_action action = action_of(&cause);
	int rc;

	*end = PASS_STOP;
	if (r->storage || cause.code == ERR_STORAGE || cause.code == ERR_INTERNAL ||
		(cause.code == ERR_SYSTEM && !r->acting)) {
		*end = fault_stop(r, e);
		return -1;
	}
	if (cause.code == ERR_CANCELLED)
		return fault_cancelled(r, end);
	if (!r->acting &&
		(cause.code == ERR_INPUT || cause.code == ERR_USAGE || cause.code == ERR_MISSING))
		return fault_data(r, end, e);
	rc = pass_fault_record(r, r->step->act, &cause, e);
	if (rc != 0) {
		r->storage = true;
		*end = fault_stop(r, e);
		return -1;
	}
	r->settles += action == FAULT_SETTLE;
	*e = cause;
	rc = answer_give(r, answers[where][action], cause.fault, e);
	if (rc == 0 && (r->row.state != CARD_QUEUED || action != FAULT_SETTLE ||
			       r->settles <= config_attempts_max(r->p->config)))
		return 0;
	if (rc == 0) { /* it answers when asked and falls silent whenever it shall feed */
		*e = cause;
		return -1;
	}
	if (e->code == ERR_CANCELLED)
		return fault_cancelled(r, end);
	if (e->code != cause.code || e->fault != cause.fault)
		r->storage = true; /* moving or recording failed, not the machine */
	*end = fault_stop(r, e);
	return -1;
}
