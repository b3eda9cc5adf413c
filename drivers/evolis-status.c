/*
 * evolis-status.c - what can be seen of an Evolis printer without moving anything.
 *
 * Owns the questions and how their answers become a status. A question the printer does not know is
 * not asked again and its value stays unknown; an answer that makes no sense fails the whole look,
 * because nobody may decide on it. Failures are ERR_DEVICE with the transport's fault.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/evolis.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PORT_READY 0x18 /* selected, no error */
#define PORT_MEDIA 0x20 /* no card or no ribbon */

/*
 * *known is false when this printer has no answer. A bare OK is no value: some firmware gives a
 * stray one before the answer to a ribbon question, so it is asked once more.
 */
int
question_ask(
	struct printer *p, enum question q, struct wire_reply *reply, bool *known, struct err *e)
{
	const struct dialect *d = p->dialect;
	bool value = q != ASK_PLACE && q != ASK_LAST && q != ASK_RIBBON_MARK;
	bool decides = q == ASK_PLACE, sent; /* an act is believed by it: no stale OK before it */
	unsigned bit = 1u << q;

	*known = false;
	wire_reply_init(reply);
	for (int tries = 0; tries < 3 && !(p->refused & bit); tries++) {
		const char *text = p->older_question & bit ? d->older[q] : d->question[q];
		if (!text || command_lacking(p, text))
			return 0;
		int rc = decides ? link_command(&p->link, text, p->m->param_ms, reply, &sent, e)
				 : link_ask(&p->link, text, reply, e);
		if (rc)
			return look_failed(rc, e);
		enum wire_class class = wire_text_find(reply)->class;
		if (class == WIRE_REFUSED && d->older[q] && !(p->older_question & bit)) {
			p->older_question |= bit;
			note_add(p, _("The printer's firmware does not know %s; %s is used."), text,
				d->older[q]);
			continue;
		}
		if (class == WIRE_REFUSED)
			p->refused |= bit;
		*known = class != WIRE_REFUSED && (class != WIRE_OK || !value);
		if (*known)
			return 0;
		if (tries == 1)
			break;
	}
	return 0;
}

/* An answer in the wrong form: a documented complaint means "no answer", anything else is noise. */
static int
answer_odd(struct printer *p, const struct wire_reply *reply, struct err *e)
{
	return wire_text_find(reply)->class == WIRE_UNKNOWN
		       ? look_failed(reply_garbled(p, reply, e), e)
		       : 0;
}

/* *value stays as it is when there is no answer. *fault (may be NULL): what the printer said
 * instead. */
static int
ask_number(struct printer *p, enum question q, int64_t *value, enum fault *fault, struct err *e)
{
	struct wire_reply reply;
	bool known;
	int rc = question_ask(p, q, &reply, &known, e);

	if (rc || !known || wire_number(&reply, value) == 0)
		return rc;
	if (fault)
		*fault = text_fault(p, wire_text_find(&reply));
	return answer_odd(p, &reply, e);
}

static int
ask_volts(struct printer *p, enum question q, unsigned *millivolts, bool *known, struct err *e)
{
	struct wire_reply reply;
	int rc = question_ask(p, q, &reply, known, e);

	if (rc || !*known || wire_volts(&reply, millivolts) == 0)
		return rc;
	*known = false;
	return answer_odd(p, &reply, e);
}

int
question_text(struct printer *p, enum question q, char *out, size_t max, struct err *e)
{
	struct wire_reply reply;
	bool known;
	int rc = question_ask(p, q, &reply, &known, e);

	out[0] = '\0';
	if (rc == 0 && known && !reply.odd && wire_text_find(&reply)->class == WIRE_UNKNOWN)
		snprintf(out, max, "%.*s", (int)max - 1, reply.text);
	return rc;
}

int
place_observe(struct printer *p, struct err *e)
{
	struct wire_reply reply;
	enum card_place place = p->place;
	bool known = false;
	int rc = p->m->place_reported ? question_ask(p, ASK_PLACE, &reply, &known, e) : 0;

	if (rc)
		return rc;
	if (known && wire_place(&reply, &place) != 0) {
		rc = answer_odd(p, &reply, e);
		if (rc)
			return rc;
		place = PLACE_UNKNOWN;
	}
	p->place = place;
	if (place == PLACE_NONE)
		p->marked = false;
	return 0;
}

int
place_confirm(struct printer *p, enum card_place expected, struct err *e)
{
	int rc;

	p->place = expected;
	if (expected == PLACE_NONE)
		p->marked = false;
	rc = place_observe(p, e);
	if (rc)
		return act_failed(ERR_DEVICE, true, e);
	if (p->place == expected || p->place == PLACE_UNKNOWN)
		return 0;
	fault_set(e, FAULT_GARBLED_REPLY, card_place_name(p->place));
	e->code = ERR_DOUBT;
	p->link.owed = true;
	return ERR_DOUBT;
}

int64_t
ribbon_count(struct printer *p)
{
	struct err why;
	int64_t left = -1;

	return ask_number(p, ASK_RIBBON_LEFT, &left, NULL, &why) == 0 ? left : -1;
}

/* An answer that is no ribbon's name or number says nothing. */
int
ribbon_check(struct printer *p, struct err *e)
{
	const struct ribbon *ribbon = p->job.ribbon;
	char text[64], lower[64] = "";
	int64_t number = -1;
	int rc = ribbon ? question_text(p, ASK_RIBBON_NAME, text, sizeof text, e) : 0;

	if (rc || !ribbon || !text[0])
		return rc;
	struct wire_reply reply = {.len = strcspn(text, ";")};
	memcpy(reply.text, text, reply.len);
	for (size_t i = 0; i < reply.len; i++)
		lower[i] = (char)tolower((unsigned char)text[i]);
	bool other = ribbon_find(lower) && strcmp(lower, ribbon->name) != 0;
	if (wire_number(&reply, &number) == 0)
		other = number != evolis_ribbon_number(ribbon->name);
	return other ? fault_set(e, FAULT_RIBBON_WRONG, text) : 0;
}

/* The ribbon's end mark, and what its tag says. */
static int
ribbon_observe(struct printer *p, struct printer_status *out, struct err *e)
{
	struct wire_reply reply;
	enum fault fault = FAULT_NONE;
	int64_t left = -1, size = -1;
	bool known;
	int rc = question_ask(p, ASK_RIBBON_MARK, &reply, &known, e);

	if (rc == 0 && known && (rc = reply_judge(p, &reply, e)) == ERR_FAULT) {
		out->fault = out->fault ? out->fault : (enum fault)e->fault;
		snprintf(out->raw, sizeof out->raw, "%.*s", ERR_RAW_MAX - 1, reply.text);
		rc = 0;
	}
	if (rc == 0)
		rc = ask_number(p, ASK_RIBBON_LEFT, &left, &fault, e);
	if (rc == 0)
		rc = ask_number(p, ASK_RIBBON_SIZE, &size, NULL, e);
	if (rc)
		return look_failed(rc, e);
	out->ribbon.level = left <= INT32_MAX ? (int)left : -1;
	out->ribbon.capacity = size <= INT32_MAX ? (int)size : -1;
	if (left == 0 && p->m->ribbon_exact)
		fault = FAULT_RIBBON_END;
	/* A refused ribbon looks like a good one: it stands until somebody was seen at it. */
	if (out->fault == FAULT_COVER_OPEN || out->fault == FAULT_RIBBON_END ||
		left != p->ribbon_left)
		p->ribbon_refused = false;
	if (p->ribbon_refused)
		fault = FAULT_RIBBON_WRONG;
	rc = fault ? 0 : ribbon_check(p, e);
	if (rc == ERR_FAULT)
		fault = FAULT_RIBBON_WRONG;
	else if (rc)
		return look_failed(rc, e);
	if (!out->fault)
		out->fault = fault;
	return 0;
}

enum feeder { FEEDER_UNKNOWN, FEEDER_EMPTY, FEEDER_FILLED };

/*
 * The port status byte says that something is wrong, the last reply says what. The byte's media bit
 * alone means feeder or ribbon: the feeder's own sensor has been asked already.
 */
static int
port_observe(struct printer *p, enum feeder feeder, struct printer_status *out, struct err *e)
{
	const struct transport_ops *ops = p->link.transport->ops;
	struct wire_reply reply;
	struct err why = {0};
	uint8_t port = PORT_READY;
	bool known;

	if (ops->port_status && ops->port_status(p->link.transport, &port, &why) != 0) {
		if (why.fault == FAULT_UNPLUGGED)
			*e = why;
		return why.fault == FAULT_UNPLUGGED ? look_failed(why.code, e) : 0;
	}
	if (out->fault)
		return 0;
	if ((port & PORT_READY) == PORT_READY) {
		if ((port & PORT_MEDIA) && feeder == FEEDER_FILLED)
			out->fault = FAULT_RIBBON_END;
		else if ((port & PORT_MEDIA) && feeder == FEEDER_UNKNOWN && p->place == PLACE_NONE)
			out->fault = FAULT_HOPPER_EMPTY;
		return 0;
	}
	int rc = question_ask(p, ASK_LAST, &reply, &known, e);
	if (rc)
		return rc;
	if (known)
		out->fault = text_fault(p, wire_text_find(&reply));
	snprintf(out->raw, sizeof out->raw, "%.*s", ERR_RAW_MAX - 1, reply.text);
	if (out->fault == FAULT_NONE)
		out->fault = FAULT_MECHANICAL;
	return 0;
}

/* An empty feeder stops nothing while a card is inside. */
static int
sensors_observe(struct printer *p, enum feeder *feeder, struct printer_status *out, struct err *e)
{
	unsigned mv = 0;
	bool known;
	int rc = ask_volts(p, ASK_COVER, &mv, &known, e);

	if (rc == 0 && known && mv < p->m->cover_open_below_mv)
		out->fault = FAULT_COVER_OPEN;
	if (rc == 0)
		rc = ask_volts(p, ASK_FEEDER, &mv, &known, e);
	*feeder = FEEDER_UNKNOWN;
	if (rc == 0 && known)
		*feeder = mv < p->m->feeder_empty_below_mv ? FEEDER_EMPTY : FEEDER_FILLED;
	if (*feeder == FEEDER_EMPTY && !out->fault && p->place == PLACE_NONE)
		out->fault = FAULT_HOPPER_EMPTY;
	return rc;
}

/* The counters that change seldom, once a connection. */
static int
counters_observe(struct printer *p, struct err *e)
{
	static const struct {
		enum question question;
		const char *name;
	} rows[] = {{ASK_PANELS, "panels"}, {ASK_CLEANINGS, "cleanings"},
		{ASK_CLEANING_MEAN, "cleaning-interval-mean"},
		{ASK_CLEANING_LONGEST, "cleaning-interval-longest"}};
	int rc = 0;

	if (p->counted)
		return 0;
	p->n_counters = 0;
	for (size_t i = 0; i < ARRAY_LEN(rows) && rc == 0; i++) {
		struct printer_counter *c = &p->counter[p->n_counters];
		c->value = -1;
		rc = ask_number(p, rows[i].question, &c->value, NULL, e);
		snprintf(c->name, sizeof c->name, "%s", rows[i].name);
		p->n_counters += rc == 0 && c->value >= 0;
	}
	if (rc == 0)
		rc = question_text(p, ASK_HEAD, p->head, sizeof p->head, e);
	p->counted = rc == 0;
	return rc;
}

/* The four status words, where this installation knows how to ask for them. */
static int
words_observe(struct printer *p, struct printer_status *out, struct err *e)
{
	struct wire_reply reply;
	uint32_t word[4];
	bool sent;

	if (!p->m->status_command[0])
		return 0;
	int rc = link_command(&p->link, p->m->status_command, p->m->param_ms, &reply, &sent, e);
	if (rc)
		return look_failed(rc, e);
	if (wire_words(&reply, word) < 4)
		return answer_odd(p, &reply, e);
	snprintf(out->status_words, sizeof out->status_words, "%08x %08x %08x %08x", word[0],
		word[1], word[2], word[3]);
	if (!out->fault)
		out->fault = wire_words_fault(word);
	return 0;
}

static void
supply_add(struct printer_status *out, enum supply_kind kind, const char *name, int level,
	int capacity)
{
	struct supply *s = &out->supply[out->n_supplies++];

	*s = (struct supply){.kind = kind, .level = level, .capacity = capacity};
	snprintf(s->name, sizeof s->name, "%.31s", name);
}

static void
supplies_fill(const struct printer *p, struct printer_status *out)
{
	const struct printer_model *m = p->model;
	int life = (int)m->head_life_cards;
	int left = life && out->cards >= 0 ? out->cards < life ? life - (int)out->cards : 0 : -1;

	if (out->ribbon.capacity < 0 && m->ribbon_cards)
		out->ribbon.capacity = (int)m->ribbon_cards;
	supply_add(out, SUPPLY_RIBBON, out->ribbon.name, out->ribbon.level, out->ribbon.capacity);
	supply_add(out, SUPPLY_CLEANING, "", out->cleaning_left, -1);
	supply_add(out, SUPPLY_HEAD, p->head, left, life ? life : -1);
	for (unsigned i = 0; i < p->n_counters; i++)
		out->counter[out->n_counters++] = p->counter[i];
}

int
evolis_status(struct printer *p, struct printer_status *out, struct err *e)
{
	struct err own;
	int64_t left = -1;
	enum feeder feeder = FEEDER_UNKNOWN;

	if (!e)
		e = &own;
	*out = (struct printer_status){
		.cards = -1, .cleaning_left = -1, .ribbon = {.level = -1, .capacity = -1}};
	snprintf(out->model, sizeof out->model, "%s", p->model->name);
	snprintf(out->serial, sizeof out->serial, "%s", p->link.serial);
	snprintf(out->firmware, sizeof out->firmware, "%s", p->firmware);
	snprintf(out->ribbon.name, sizeof out->ribbon.name, "%s",
		p->job.ribbon ? p->job.ribbon->name : "");
	int rc = place_observe(p, e);
	if (rc == 0)
		rc = sensors_observe(p, &feeder, out, e);
	if (rc == 0)
		rc = ribbon_observe(p, out, e);
	if (rc == 0)
		rc = port_observe(p, feeder, out, e);
	if (rc == 0)
		rc = ask_number(p, ASK_CARDS, &out->cards, NULL, e);
	if (rc == 0)
		rc = ask_number(p, ASK_CLEANING, &left, NULL, e);
	out->cleaning_left = left <= INT32_MAX ? (int)left : -1;
	p->wants_cleaning = p->wants_cleaning && left <= 0;
	if (p->wants_cleaning && left == 0 && !out->fault)
		out->fault = FAULT_CLEANING_DUE;
	out->place = p->place;
	if (rc == 0)
		rc = words_observe(p, out, e);
	if (rc == 0)
		rc = counters_observe(p, e);
	if (rc == 0)
		supplies_fill(p, out);
	return rc;
}
