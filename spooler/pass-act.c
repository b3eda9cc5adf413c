/*
 * pass-act.c - the acts of a pass and what is looked at before each.
 *
 * Owns the table of steps. A prepare function moves nothing: it observes, loads, and fills in what
 * the intent row has to prove later. A perform function makes exactly one act. On failure both
 * return what the device said; pass.c decides nothing from it, pass-fault.c does.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/type2.h"
#include "spooler/failure.h"

#include <stdio.h>
#include <string.h>

int
pass_reopen(struct pass *p)
{
	memset(&p->closed, 0, sizeof(p->closed));
	p->begun = false;
	return p->reopen_printer(p, &p->closed);
}

int
pass_status(struct pass *p, struct printer_status *st, struct err *e)
{
	memset(st, 0, sizeof(*st));
	if (!p->printer && p->closed.fault && p->closed.fault != FAULT_PRINTER_ABSENT) {
		*e = p->closed;
		return e->code;
	}
	if (!p->printer)
		return fault_set(e, FAULT_UNPLUGGED, NULL);
	return p->driver->status(p->printer, st, e);
}

bool
face_used(const struct face *f)
{
	for (int i = 0; i < PANEL_COUNT; i++)
		if (f->plane[i].fill != PLANE_ABSENT)
			return true;
	return false;
}

static void
note_tell(struct pass *p)
{
	const char *note = p->driver->note ? p->driver->note(p->printer) : NULL;

	if (note)
		p->sink->message(p->sink, false, note);
}

/* Tells the printer ribbon and sides, once and again after it was reopened. */
int
pass_begin(struct pass *p, const struct stream_card *card, struct err *e)
{
	bool duplex = card ? face_used(&card->face[SIDE_BACK]) : p->print.duplex;
	int rc;

	if (!p->printer)
		return fault_set(e, FAULT_UNPLUGGED, NULL);
	note_tell(p);
	if (p->begun && p->print.duplex == duplex)
		return 0;
	p->print.duplex = duplex;
	rc = p->driver->begin(p->printer, &p->print, e);
	p->begun = rc == 0;
	note_tell(p);
	return rc;
}

/* Everything that a card with a chip needs is there before a card is touched. A tag has no keys. */
static int
chip_ready(const struct pass_run *r, struct err *e)
{
	struct pass *p = r->p;

	if (!r->card->has_tag && !p->keys.card_keys) {
		fault_set(e, FAULT_KEYS, NULL);
		if (p->keys_error) /* it names the file */
			snprintf(e->text, sizeof(e->text), "%s", p->keys_error->text);
		return e->code;
	}
	if (p->station || p->reopen_station(p, e) == 0)
		return 0;
	if (e->fault == FAULT_NONE && e->code != ERR_MISSING && e->code != ERR_USAGE) {
		e->fault = FAULT_READER_ABSENT; /* its own words are better than the table's */
		e->code = ERR_FAULT;
	}
	return e->code;
}

/* ---- a card that belongs to nobody ---- */

#define FOREIGN_CODE "foreign-card"

static int
foreign_event(struct pass *p, const char *kind, const struct printer_status *st, struct err *e)
{
	json_t *data = json_pack(
		"{s:s, s:s}", "serial", p->job.printer_serial, "place", card_place_name(st->place));
	int rc;

	if (!data)
		return err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	rc = ledger_event(p->ledger, kind, p->job.uuid, data, e);
	json_decref(data);
	return rc;
}

static int
foreign_record(struct pass *p, const char *told, struct err *e)
{
	struct failure_row f = {.at = clock_real_ms()};
	int rc;

	snprintf(f.machine, sizeof(f.machine), "%.63s", p->job.printer);
	snprintf(f.serial, sizeof(f.serial), "%s", p->job.printer_serial);
	snprintf(f.job_uuid, sizeof(f.job_uuid), "%s", p->job.uuid);
	f.cups_id = p->job.cups_id;
	snprintf(f.order, sizeof(f.order), "%s", p->job.order);
	snprintf(f.step, sizeof(f.step), "%s", act_names[ACT_REJECT]);
	snprintf(f.code, sizeof(f.code), "%s", FOREIGN_CODE);
	snprintf(f.cause, sizeof(f.cause), "%.255s", told);
	snprintf(f.done, sizeof(f.done), "%.63s", _("card rejected"));
	snprintf(f.operator_name, sizeof(f.operator_name), "%s", p->job.user);
	rc = failure_record(p->ledger, &f, e);
	if (rc == 0) {
		p->foreign = f.id;
		notify_failure(p->config, NOTIFY_RECORDED, &f);
	}
	return rc;
}

/* Its outcome, seen after the act or after a person's hand. */
static int
foreign_over(struct pass *p, const char *kind, const struct printer_status *st, struct err *e)
{
	int rc = foreign_event(p, kind, st, e);

	if (rc == 0)
		rc = failure_cleared(p->ledger, p->foreign, NULL, e);
	if (rc == 0)
		p->foreign = 0;
	return rc;
}

int
pass_foreign(struct pass *p, const struct printer_status *st, struct err *e)
{
	const char *told = _("A card that this system did not feed was found in the printer; it "
			     "goes to the reject box.");
	int rc = foreign_event(p, "foreign-card-rejecting", st, e);

	if (rc == 0 && p->foreign == 0)
		rc = foreign_record(p, told, e);
	if (rc != 0)
		return rc;
	p->sink->message(p->sink, true, told);
	rc = p->driver->eject(p->printer, EXIT_REJECT, e);
	return rc == 0 ? foreign_over(p, "foreign-card-rejected", st, e) : rc;
}

static int
visit_foreign(void *ctx, const struct failure_row *f)
{
	struct pass *p = ctx;

	if (f->cleared == 0 && strcmp(f->code, FOREIGN_CODE) == 0 &&
		strcmp(f->serial, p->job.printer_serial) == 0)
		p->foreign = f->id;
	return 0;
}

int
pass_foreign_resume(struct pass *p, struct err *e)
{
	p->foreign = 0;
	return failure_list(p->ledger, NULL, visit_foreign, p, e);
}

/* ---- the steps ---- */

/* Asked before a card is fed: it would have to be rejected. */
static int
magnetic_ready(const struct pass *p, const struct stream_card *card, struct err *e)
{
	const struct printer_model *model = p->driver->model(p->printer);

	if (!stream_card_magnetic(card) || (model->magnetic && p->driver->tracks))
		return 0;
	return err_set(e, ERR_INPUT,
		_("The card has data for a magnetic stripe, which the %s cannot write. Print it on "
		  "another printer, or take the "
		  "escapes ~1, ~2, ~3 out of the page."),
		model->name);
}

static enum card_place
feed_place(const struct pass_run *r)
{
	return r->card->has_chip ? PLACE_CONTACTLESS : PLACE_PRINT;
}

static int
feed_prepare(struct pass_run *r, struct card_facts *facts, struct err *e)
{
	struct pass *p = r->p;
	struct printer_status st;
	int rc;

	if (r->card->has_chip && (rc = chip_ready(r, e)) != 0)
		return rc;
	rc = pass_status(p, &st, e);
	if (rc != 0)
		return rc;
	supply_tell(p, &st); /* with the one look that each card needs anyway */
	if (st.fault != FAULT_NONE)
		return fault_set(e, st.fault, st.raw);
	if (st.place == PLACE_UNKNOWN && !st.blind)
		return fault_set(e, FAULT_GARBLED_REPLY, st.raw);
	rc = magnetic_ready(p, r->card, e);
	if (rc == 0 && p->driver->reach)
		rc = p->driver->reach(p->printer, feed_place(r), e);
	if (rc != 0)
		return rc;
	rc = pass_begin(p, r->card, e); /* before it, a printer obeys without a word */
	if (rc != 0)
		return rc;
	if (st.place != PLACE_NONE && st.place != PLACE_UNKNOWN) {
		rc = pass_foreign(p, &st, e);
	} else if (p->foreign != 0 && st.place == PLACE_NONE) {
		rc = foreign_over(p, "foreign-card-gone", &st, e);
	}
	if (rc != 0)
		return rc;
	facts->printer_serial = p->job.printer_serial;
	return 0;
}

static int
feed_perform(struct pass_run *r, struct err *e)
{
	return r->p->driver->feed(r->p->printer, feed_place(r), e);
}

/* The chip at the station, which is of the kind that the card asks for. */
static int
run_chip_select(const struct pass_run *r, struct chip_id *out, struct err *e)
{
	int rc = chip_find(r->p->station, config_chip_wait_ms(r->p->config), out, e);

	if (rc != 0)
		return rc;
	return r->card->has_tag ? type2_type_check(out, e) : chip_type_check(out, e);
}

/* One chip, of a UID that no live card has and no desk gave to somebody, or the very chip of this
 * row. */
static int
encode_prepare(struct pass_run *r, struct card_facts *facts, struct err *e)
{
	static const struct chip_id none;
	struct pass *p = r->p;
	struct card_row other = {0};
	char uid[UID_HEX_MAX];
	bool issued = false;
	int rc;

	rc = chip_ready(r, e);
	if (rc != 0)
		return rc;
	r->chip = none;
	rc = run_chip_select(r, &r->chip, e);
	if (rc != 0)
		return rc;
	hex_build(uid, r->chip.uid, r->chip.uid_len);
	if (r->row.uid[0] && strcmp(uid, r->row.uid) != 0)
		return err_set(e, ERR_DOUBT, "%s", _("Another card lies at the station."));
	rc = ledger_uid_find(p->ledger, uid, &other, e);
	if (rc == 0)
		rc = ledger_chip_issued(p->ledger, uid, &issued, e);
	if (rc != 0) {
		r->storage = true;
		return rc;
	}
	if (other.id != 0 && other.id != r->row.id)
		return fault_set(e, FAULT_UID_ISSUED, NULL);
	if (issued)
		return fault_say(e, FAULT_UID_ISSUED, "personalised at a desk",
			_("The chip of this card was personalised for somebody at a desk reader. "
			  "Keep the "
			  "rejected card aside and show it to the supervisor."));
	snprintf(r->row.uid, sizeof(r->row.uid), "%s", uid);
	hex_build(r->row.chip_hash, r->card->chip_hash, HASH_LEN);
	hex_build(r->row.front_hash, r->card->face_hash[SIDE_FRONT], HASH_LEN);
	hex_build(r->row.back_hash, r->card->face_hash[SIDE_BACK], HASH_LEN);
	if (r->card->has_tag)
		facts->note = r->card->tag.lock ? "NDEF tag, to be locked" : "NDEF tag";
	facts->uid = r->row.uid;
	facts->chip_hash = r->row.chip_hash;
	facts->front_hash = r->row.front_hash;
	facts->back_hash = r->row.back_hash;
	facts->printer_serial = p->job.printer_serial;
	return 0;
}

/* A chip that was initialised before has the keys of this site, which chip_encode takes for another
 * card's. Nobody else's chip is touched: then the first answer stands. */
static int
chip_issue(struct pass_run *r, bool resume, struct err *e)
{
	struct pass *p = r->p;
	struct err other = {0};
	bool taken = false;
	int rc = chip_encode(p->station, &r->chip, &r->card->chip, &p->keys, resume, NULL, e);

	if (rc == 0 || (e->fault != FAULT_CHIP_USED &&
			       !(resume && (e->fault == FAULT_CHIP_VERIFY ||
						   e->fault == FAULT_CHIP_TRAILER))))
		return rc;
	int again = chip_stage_take(
		p->station, &r->chip, &r->card->chip, &p->keys, resume, &taken, &other);
	if (!taken)
		return rc;
	if (again)
		*e = other;
	return again;
}

static int
encode_perform(struct pass_run *r, struct err *e)
{
	bool resume = r->resume;

	/* Whatever comes of this, the chip may now carry a part of the image. */
	r->resume = true;
	if (r->card->has_tag)
		return type2_encode(r->p->station, &r->chip, &r->card->tag, resume, e);
	return chip_issue(r, resume, e);
}

/* The chip that was encoded is still the one in the machine. */
static int
print_same_chip(struct pass_run *r, struct err *e)
{
	struct chip_id id = {0};
	char uid[UID_HEX_MAX];
	int rc = chip_ready(r, e);

	if (rc == 0)
		rc = run_chip_select(r, &id, e);
	if (rc != 0)
		return e->fault == FAULT_NO_CHIP ? fault_set(e, FAULT_CHIP_REMOVED, NULL) : rc;
	hex_build(uid, id.uid, id.uid_len);
	if (strcmp(uid, r->row.uid) != 0)
		return err_set(e, ERR_DOUBT, "%s", _("Another card lies at the station."));
	return 0;
}

/* Faults that do not keep the card which is inside already from being printed. */
static bool
print_unhindered(int fault)
{
	return fault == FAULT_NONE || fault == FAULT_HOPPER_EMPTY || fault == FAULT_REJECT_FULL;
}

static int
print_prepare(struct pass_run *r, struct card_facts *facts, struct err *e)
{
	struct pass *p = r->p;
	struct printer_status st;
	int rc = pass_begin(p, r->card, e);

	if (rc == 0)
		rc = p->driver->load(p->printer, r->card->face, e);
	if (rc == 0 && stream_card_magnetic(r->card))
		rc = p->driver->tracks(p->printer, r->card->track, e);
	if (rc == 0 && r->card->has_chip)
		rc = print_same_chip(r, e);
	if (rc == 0)
		rc = pass_status(p, &st, e);
	if (rc != 0)
		return rc;
	if (!print_unhindered(st.fault))
		return fault_set(e, st.fault, st.raw);
	if (st.place == PLACE_NONE)
		return err_set(e, ERR_DOUBT, "%s", _("The card is not in the printer any more."));
	if (!r->card->has_chip) {
		hex_build(r->row.front_hash, r->card->face_hash[SIDE_FRONT], HASH_LEN);
		hex_build(r->row.back_hash, r->card->face_hash[SIDE_BACK], HASH_LEN);
		facts->front_hash = r->row.front_hash;
		facts->back_hash = r->row.back_hash;
	}
	facts->printer_serial = p->job.printer_serial;
	facts->set_counter = true;
	facts->counter_before = st.cards;
	return 0;
}

static int
print_perform(struct pass_run *r, struct err *e)
{
	return r->p->driver->print(r->p->printer, e);
}

static int
reject_prepare(struct pass_run *r, struct card_facts *facts, struct err *e)
{
	int rc;

	facts->note = r->cancel ? "cancelled" : NULL;
	if (!r->p->printer)
		return fault_set(e, FAULT_UNPLUGGED, NULL);
	/* After a restart the printer is not in host mode: it would obey without a word. A job that
	 * does not fit the printer is no reason to keep an earlier one's card inside. */
	rc = pass_begin(r->p, NULL, e);
	return rc != 0 && e->fault == FAULT_NONE ? 0 : rc;
}

static int
reject_perform(struct pass_run *r, struct err *e)
{
	return r->p->driver->eject(r->p->printer, EXIT_REJECT, e);
}

/* The first row that fits is taken; the order of the acts of a card is the order of the rows. */
const struct pass_step pass_steps[] = {
	{CARD_QUEUED, STEP_ANY, ACT_FEED, CARD_FEEDING, CARD_AT_STATION, feed_prepare,
		feed_perform},
	{CARD_AT_STATION, STEP_CHIP, ACT_ENCODE, CARD_ENCODING, CARD_ENCODED, encode_prepare,
		encode_perform},
	{CARD_AT_STATION, STEP_PLAIN, ACT_PRINT, CARD_PRINTING, CARD_DONE, print_prepare,
		print_perform},
	{CARD_ENCODING, STEP_CHIP, ACT_ENCODE, CARD_ENCODING, CARD_ENCODED, encode_prepare,
		encode_perform},
	{CARD_ENCODED, STEP_CHIP, ACT_PRINT, CARD_PRINTING, CARD_DONE, print_prepare,
		print_perform},
	{CARD_STATE_COUNT, STEP_ANY, ACT_REJECT, CARD_REJECTING, CARD_REJECTED, reject_prepare,
		reject_perform},
};
const size_t n_pass_steps = ARRAY_LEN(pass_steps);
