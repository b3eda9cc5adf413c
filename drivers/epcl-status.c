/*
 * epcl-status.c - what can be seen of an EPCL printer without moving anything.
 *
 * Owns the status and the probe. Most of these printers have no question for a card's place: it is
 * then what the last proven act left, and unknown after an act without an answer. A question the
 * printer does not know is not asked again. Failures are ERR_DEVICE with the transport's fault.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/epcl.h"

#include <stdio.h>
#include <string.h>

enum { CODE_CARD_IN = 5, CODE_CARD_OUT = 6, PASSES_MAX = 5 };

static int
ask(struct printer *p, const char *text, struct epcl_reply *reply, struct err *e)
{
	return epcl_look_failed(epcl_link_ask(&p->link, text, reply, e), e);
}

/* By asking, where the printer knows; a docked card is not at the print position and not gone. */
static int
place_observe(struct printer *p, struct err *e)
{
	const char *query = epcl_setting(p, "place-query");
	struct epcl_reply reply;

	if (!query[0] || p->no_place || p->place == PLACE_CONTACT || p->place == PLACE_CONTACTLESS)
		return 0;
	int rc = ask(p, query, &reply, e);
	if (rc)
		return rc;
	if (reply.kind == EPCL_NACK && reply.code == CODE_CARD_IN) {
		p->place = PLACE_PRINT;
		p->maybe_docked = false;
	} else if (reply.kind == EPCL_NACK && reply.code == CODE_CARD_OUT) {
		p->place = p->maybe_docked ? PLACE_UNKNOWN : PLACE_NONE;
		p->marked = p->marked && p->maybe_docked;
	} else if (reply.kind == EPCL_NACK &&
		   epcl_code_fault(reply.code, EPCL_SETUP) == FAULT_REFUSED) {
		p->no_place = true;
	} else if (reply.kind != EPCL_NACK) {
		p->link.owed = true;
		return epcl_look_failed(fault_set(e, FAULT_GARBLED_REPLY, reply.text), e);
	}
	return 0;
}

/* What the printer refuses for now, else what it met last and may not be over. */
static int
fault_observe(struct printer *p, struct printer_status *out, struct err *e)
{
	struct epcl_reply reply;
	int rc = ask(p, "V", &reply, e);

	if (rc)
		return rc;
	if (reply.kind == EPCL_NACK) {
		out->fault = epcl_code_fault(reply.code, EPCL_SETUP);
		epcl_reply_describe(&reply, out->raw, sizeof out->raw);
	} else if (reply.kind == EPCL_BAD || strcmp(reply.text, p->link.version) != 0) {
		p->link.owed = true;
		return epcl_look_failed(fault_set(e, FAULT_GARBLED_REPLY, reply.text), e);
	}
	if (out->fault == FAULT_NONE && p->held_fault && epcl_now_ms() < p->hold_until_ms) {
		out->fault = p->held_fault;
		snprintf(out->raw, sizeof out->raw, "%s", p->held_raw);
	} else {
		p->held_fault = FAULT_NONE;
	}
	return 0;
}

/* The port's status byte is a hint only; that the printer is gone is certain. */
static int
port_observe(struct printer *p, struct err *e)
{
	const struct transport_ops *ops = p->link.transport->ops;
	struct err why = {0};
	uint8_t port;

	if (!ops->port_status || ops->port_status(p->link.transport, &port, &why) == 0 ||
		why.fault != FAULT_UNPLUGGED)
		return 0;
	*e = why;
	return epcl_look_failed(why.code, e);
}

static int
to_int(int64_t v)
{
	return v > INT32_MAX ? INT32_MAX : (int)v;
}

/* Every panel is one pass of the head, so a card costs as many as the ribbon has panels. */
static int
cleaning_observe(struct printer *p, struct printer_status *out, struct err *e)
{
	const char *query = epcl_setting(p, "cleaning-query");
	const struct ribbon *ribbon = p->job.ribbon;
	size_t panels = PASSES_MAX;
	int64_t passes, left;
	struct epcl_reply reply;

	if (!query[0] || p->no_cleaning || out->fault)
		return 0;
	int rc = ask(p, query, &reply, e);
	if (rc)
		return rc;
	if (reply.kind != EPCL_TEXT || epcl_cleaning_parse(reply.text, &passes, &left) != 0) {
		p->no_cleaning = true;
		return 0;
	}
	if (ribbon)
		panels = strlen(ribbon->front) + (p->job.duplex ? strlen(ribbon->back) : 0);
	out->cleaning_left = to_int(left / (int64_t)(panels ? panels : 1));
	out->supply[out->n_supplies++] = (struct supply){
		.kind = SUPPLY_CLEANING, .name = "", .level = out->cleaning_left, .capacity = -1};
	out->counter[out->n_counters] =
		(struct printer_counter){.name = "head-passes", .value = passes};
	out->n_counters++;
	return 0;
}

int
epcl_status(struct printer *p, struct printer_status *out, struct err *e)
{
	struct err own;

	if (!e)
		e = &own;
	*out = (struct printer_status){
		.cards = -1, .cleaning_left = -1, .ribbon = {.level = -1, .capacity = -1}};
	snprintf(out->model, sizeof out->model, "%s", p->model->name);
	snprintf(out->firmware, sizeof out->firmware, "%.63s", p->link.version);
	snprintf(out->ribbon.name, sizeof out->ribbon.name, "%s",
		p->job.ribbon ? p->job.ribbon->name : "");
	out->ribbon.capacity = (int)epcl_setting_number(p, "ribbon-prints", 0);
	if (out->ribbon.capacity == 0)
		out->ribbon.capacity = -1;
	out->supply[out->n_supplies++] = out->ribbon;
	int rc = port_observe(p, e);
	if (rc == 0)
		rc = fault_observe(p, out, e);
	if (rc == 0)
		rc = place_observe(p, e);
	if (rc == 0)
		rc = cleaning_observe(p, out, e);
	out->place = p->place;
	out->unfed = p->unfed;
	out->blind = !epcl_setting(p, "place-query")[0] || p->no_place || p->maybe_docked;
	return rc;
}

/* ---- probe ----------------------------------------------------------------- */

static const struct {
	const char *what, *command;
} questions[] = {
	{N_("version and model"), "V"},
	{N_("magnetic encoder fitted"), "V 12"},
	{N_("chip station fitted"), "V 13"},
	{N_("extended memory fitted"), "V 20"},
	{N_("encoder with extended commands"), "V 30"},
	{N_("a P310"), "V 100"},
	{N_("card in the encoder"), "&P"},
	{N_("passes until cleaning"), "%CLN"},
	{N_("other command initiator"), "!X"},
};

int
epcl_probe(struct printer *p, probe_sink *tell, void *ctx, struct err *e)
{
	char seen[EPCL_TEXT_MAX + 16];
	struct epcl_reply reply;
	struct err own;
	uint8_t port;

	if (!e)
		e = &own;
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		int rc = ask(p, questions[i].command, &reply, e);
		if (rc && e->fault != FAULT_NO_REPLY && e->fault != FAULT_GARBLED_REPLY)
			return rc;
		epcl_reply_describe(&reply, seen, sizeof seen);
		tell(ctx, _(questions[i].what), questions[i].command, rc ? NULL : seen);
	}
	if (p->link.transport->ops->port_status &&
		p->link.transport->ops->port_status(p->link.transport, &port, e) == 0) {
		snprintf(seen, sizeof seen, "%02X", port);
		tell(ctx, _("port status byte"), "GET_PORT_STATUS", seen);
	}
	return 0;
}
