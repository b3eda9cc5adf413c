/*
 * pass.c - one card on its way through the machine.
 *
 * Owns the table of steps and the one function that takes a step: intent row (synced), act, outcome
 * row (synced). Nothing else calls an act of a device, but for a card without a row of its own
 * (pass_foreign), which leaves under events of its own. Guarantees that a card is fed, encoded,
 * printed or rejected only under an intent row, that no card is printed twice, and that a job which
 * fed a card ends with one of enum pass_end. On failure it asks pass-fault.c, which waits, rejects,
 * settles or stops.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
pass_label(const struct card_row *row, char *out, size_t max)
{
	if (row->key.copy > 1)
		snprintf(out, max, _("Card %u, copy %u"), row->key.card, row->key.copy);
	else
		snprintf(out, max, _("Card %u"), row->key.card);
}

/* "Card 7: text". A card is named by its number, never by its holder. */
void
pass_say(struct pass_run *r, bool is_error, const char *format, ...)
{
	char label[64], text[ERR_TEXT_MAX], line[ERR_TEXT_MAX + 80];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	pass_label(&r->row, label, sizeof(label));
	snprintf(line, sizeof(line), "%s: %s", label, text);
	r->p->sink->message(r->p->sink, is_error, line);
}

bool
pass_stopped(struct pass *p, struct err *e)
{
	struct sink *s = p->sink;

	if (s->orphaned && s->orphaned(s)) {
		err_set(e, ERR_CANCELLED, "%s",
			_("The printing system stopped; the job goes on when it is back."));
		return true;
	}
	if (s->cancelled(s)) {
		err_set(e, ERR_CANCELLED, "%s", _("The job was cancelled."));
		return true;
	}
	return false;
}

static bool
pass_orphaned(struct pass *p)
{
	return p->sink->orphaned && p->sink->orphaned(p->sink);
}

bool
pass_pause(struct pass *p, struct err *e)
{
	unsigned ms = config_wait_poll_ms(p->config);
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000L};

	if (pass_stopped(p, e))
		return true;
	nanosleep(&t, NULL); /* a signal ends it early, which is what cancelling needs */
	return pass_stopped(p, e);
}

/* A move without an act: an observation, or the end of a card that was never fed. */
int
pass_move(struct pass_run *r, enum card_state to, const char *note, struct err *e)
{
	struct card_facts facts = {
		.actor = r->actor, .note = note, .cause = r->cause[0] ? r->cause : NULL};

	return ledger_card_move(r->p->ledger, &r->row, to, &facts, e);
}

void
pass_run_init(struct pass_run *r, struct pass *p, const struct stream_card *card)
{
	memset(r, 0, sizeof(*r));
	r->p = p;
	r->card = card;
	r->actor = card ? "pass" : "recovery";
}

static const struct pass_step *
step_find(const struct pass_run *r)
{
	bool chip = r->card && r->card->has_chip;

	for (size_t i = 0; i < n_pass_steps; i++) {
		const struct pass_step *s = &pass_steps[i];

		if (r->reject != (s->act == ACT_REJECT))
			continue;
		if (s->from != CARD_STATE_COUNT && s->from != r->row.state)
			continue;
		if (s->kind == STEP_ANY || (s->kind == STEP_CHIP) == chip)
			return s;
	}
	return NULL;
}

/*
 * Takes one step. An intent that is on disk already (a chip to be finished, a reject to be
 * repeated) is not written again. r->acting and r->storage tell the caller how far it came.
 */
static int
step_take(struct pass_run *r, const struct pass_step *s, struct err *e)
{
	struct card_facts facts = {.actor = r->actor, .cause = r->cause[0] ? r->cause : NULL};
	struct card_facts outcome = {.actor = r->actor};
	int rc;

	r->acting = r->storage = false;
	rc = s->prepare(r, &facts, e);
	if (rc != 0)
		return rc;
	if (r->row.state != s->intent) {
		rc = ledger_card_move(r->p->ledger, &r->row, s->intent, &facts, e);
		if (rc != 0) {
			r->storage = true;
			return rc;
		}
	}
	r->acting = true;
	if (card_states[s->intent].fed || s->act == ACT_FEED)
		r->p->card_fed = true;
	rc = s->perform(r, e);
	if (rc != 0)
		return rc;
	rc = ledger_card_move(r->p->ledger, &r->row, s->outcome, &outcome, e);
	r->storage = rc != 0;
	return rc;
}

/* A printed card, seen or proven: one impression for each side that carries anything. */
static void
run_printed(struct pass_run *r)
{
	r->p->wear.prints++;
	r->p->wear.ribbon_prints++;
	r->p->wear.chips += r->card && r->card->has_chip;
	if (r->card)
		for (int side = 0; side < SIDE_COUNT; side++)
			if (face_used(&r->card->face[side]))
				r->p->sink->impression(r->p->sink);
}

/* A bad card left the machine: a fresh one takes its place, up to the limit. */
static enum pass_end
run_retry(struct pass_run *r, bool *over, struct err *e)
{
	struct card_row fresh = {0};

	*over = true;
	if (!r->card)
		return PASS_OK;
	if (r->cancel) {
		err_set(e, ERR_CANCELLED, "%s", _("The job was cancelled."));
		return PASS_CANCEL;
	}
	if (pass_orphaned(r->p))
		return PASS_STOP;
	if (r->tries >= config_attempts_max(r->p->config)) {
		const struct fault_row *f = fault_by_code(r->row.cause);

		err_set(e, ERR_FAULT,
			_("Card %u: %u cards were spent and none became good (last: %s). %s. Then "
			  "release the job."),
			r->row.key.card, r->tries, f ? _(f->cause) : r->row.cause,
			f ? _(f->remedy) : _("Check the blank cards and the printer"));
		return PASS_HOLD;
	}
	if (ledger_card_retry(r->p->ledger, &r->row, &fresh, e) != 0)
		return PASS_STOP;
	r->row = fresh;
	r->reject = r->jam = r->resume = false;
	r->cause[0] = '\0';
	r->settles = 0;
	*over = false;
	return PASS_OK;
}

static enum pass_end
run_doubt(struct pass_run *r, struct err *e)
{
	char label[64];

	pass_label(&r->row, label, sizeof(label));
	err_set(e, ERR_DOUBT,
		_("%s: it is not known whether this card became good. Look in the printer, the "
		  "hopper and the "
		  "reject box, look at the card; then run: cardspool card resolve %" PRId64
		  " --good, --rejected, --spoiled or --blank, with --reason, and release the job."),
		label, r->row.id);
	return PASS_HOLD;
}

/* What a state means for the job. *over: the card needs no further step. */
static enum pass_end
run_state(struct pass_run *r, bool *over, struct err *e)
{
	*over = true;
	switch (r->row.state) {
	case CARD_DONE:
	case CARD_VOID:
		return PASS_OK;
	case CARD_DOUBT:
		return run_doubt(r, e);
	case CARD_REJECTED:
	case CARD_SPOILED:
		return run_retry(r, over, e);
	case CARD_CANCELLED:
		err_set(e, ERR_CANCELLED, "%s", _("The job was cancelled."));
		return PASS_CANCEL;
	case CARD_QUEUED:
		if (!r->card)
			return PASS_OK;
		break;
	default:
		break;
	}
	*over = false;
	return PASS_OK;
}

/* Cancelling brings the card to a known state first: unfed cards are crossed out, others are
 * rejected. */
static enum pass_end
run_stop(struct pass_run *r, bool *over, struct err *e)
{
	*over = true;
	if (pass_orphaned(r->p))
		return PASS_STOP;
	if (r->row.state == CARD_QUEUED) {
		struct err why;

		if (pass_move(r, CARD_CANCELLED, "cancelled before it was fed", &why) != 0) {
			*e = why;
			return PASS_STOP;
		}
		return PASS_CANCEL;
	}
	r->cancel = r->reject = true;
	*over = false;
	return PASS_CANCEL;
}

enum pass_end
pass_run_card(struct pass_run *r, struct err *e)
{
	for (;;) {
		const struct pass_step *s;
		enum pass_end end;
		bool over;

		end = run_state(r, &over, e);
		if (over)
			return end;
		if (!r->reject && pass_stopped(r->p, e)) {
			end = run_stop(r, &over, e);
			if (over)
				return end;
		}
		if (r->row.state == CARD_REJECTING)
			r->reject = true;
		s = step_find(r);
		if (!s) {
			err_set(e, ERR_INTERNAL, _("Card %u: no step leads on from state %s."),
				r->row.key.card, card_states[r->row.state].name);
			return PASS_STOP;
		}
		r->step = s;
		if (step_take(r, s, e) != 0) {
			if (pass_fault(r, &end, e) != 0)
				return end;
		} else {
			pass_fault_over(r);
			r->reject = false;
		}
		if (r->row.state == CARD_DONE)
			run_printed(r);
		if (r->row.state == CARD_REJECTED || r->row.state == CARD_SPOILED)
			r->tries++;
	}
}

static void
row_from_stream(struct card_row *row, const struct pass *p, const struct stream_card *c)
{
	memset(row, 0, sizeof(*row));
	snprintf(row->key.job_uuid, sizeof(row->key.job_uuid), "%s", p->job.uuid);
	row->key.card = c->card;
	row->key.copy = c->copy;
	row->counter_before = -1;
	snprintf(row->number_masked, sizeof(row->number_masked), "%s", c->number_masked);
	snprintf(row->name_masked, sizeof(row->name_masked), "%s", c->name_masked);
	snprintf(row->record_hash, sizeof(row->record_hash), "%s", c->record_hash);
}

/* The card that an earlier run left inside belongs to another record: it has to leave first. */
static enum pass_end
pass_empty(struct pass *p, struct err *e)
{
	struct pass_run r;
	enum pass_end end;

	if (p->inside.id == 0)
		return PASS_OK;
	pass_run_init(&r, p, NULL);
	r.row = p->inside;
	r.reject = true;
	p->inside.id = 0;
	end = pass_run_card(&r, e);
	return r.row.state == CARD_DOUBT ? PASS_HOLD : end;
}

/* A class gives a job to another member: what an earlier run left in its printer cannot be seen
 * from here. */
static bool
card_elsewhere(const struct pass_run *r, struct err *e)
{
	const struct card_row *row = &r->row;
	char label[64];

	if (!card_states[row->state].fed || card_states[row->state].final ||
		row->state == CARD_DOUBT || row->printer_serial[0] == '\0' ||
		strcmp(row->printer_serial, r->p->job.printer_serial) == 0)
		return false;
	pass_label(row, label, sizeof(label));
	err_set(e, ERR_DOUBT,
		_("%s is still in the printer with serial number %s. The next job on that printer "
		  "clears it; or take the card out and run: cardspool card resolve %" PRId64
		  " --spoiled --reason TEXT. Then release the job."),
		label, row->printer_serial, row->id);
	return true;
}

enum pass_end
pass_card(struct pass *p, const struct stream_card *card, struct err *e)
{
	struct card_row in;
	struct pass_run r;
	enum pass_end end;

	pass_run_init(&r, p, card);
	row_from_stream(&in, p, card);
	if (ledger_card_admit(p->ledger, &in, &r.row, e) != 0)
		return e->code == ERR_INPUT ? PASS_HOLD : PASS_STOP;
	if (r.row.state == CARD_DONE && r.row.id == p->proved)
		run_printed(&r);
	if (r.row.state == CARD_DONE || r.row.state == CARD_VOID)
		return PASS_OK;
	if (card_elsewhere(&r, e))
		return PASS_HOLD;
	if (r.row.state == CARD_CANCELLED &&
		pass_move(&r, CARD_QUEUED, "the job was started again", e) != 0)
		return PASS_STOP;
	if (p->inside.id != 0 && p->inside.id == r.row.id)
		p->inside.id = 0;
	else if ((end = pass_empty(p, e)) != PASS_OK)
		return end;
	if (r.row.state != CARD_QUEUED && card_states[r.row.state].fed &&
		!card_states[r.row.state].final) {
		p->card_fed = true;
		r.resume = r.row.state == CARD_ENCODING;
	}
	/* What stopped an earlier run before this card was fed is over when the card is fed now. */
	if (r.row.state == CARD_QUEUED && pass_fault_resume(&r, e) != 0)
		return PASS_STOP;
	r.jam = false;
	pass_say(&r, false, "%s", _("being made."));
	end = pass_run_card(&r, e);
	if (r.row.state == CARD_CANCELLED || end == PASS_OK)
		pass_fault_over(&r);
	else if (end != PASS_STOP && r.fault != FAULT_NONE)
		p->sink->reason(p->sink, fault_row(r.fault)->reason, false);
	return end;
}

enum pass_end
pass_finish(struct pass *p, struct err *e)
{
	struct tally t;
	struct printer_status st;
	struct err ignored;
	enum pass_end end = pass_empty(p, e);

	if (end != PASS_OK)
		return end;
	if (p->card_fed && pass_status(p, &st, &ignored) == 0)
		supply_tell(p, &st);
	if (ledger_tally(p->ledger, p->job.uuid, &t, e) != 0)
		return PASS_STOP;
	if (t.inside == 0 && t.queued == 0 && t.fed == t.good + t.rejected + t.spoiled + t.doubt &&
		t.doubt == 0)
		return PASS_OK;
	err_set(e, ERR_DOUBT,
		_("The cards do not add up: %u fed, %u good, %u rejected, %u spoiled, %u in doubt, "
		  "%u not made. "
		  "Count the cards and compare with: cardspool job show %d"),
		t.fed, t.good, t.rejected, t.spoiled, t.doubt, t.queued, p->job.cups_id);
	return PASS_HOLD;
}
