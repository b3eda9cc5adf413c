/*
 * evolis-service.c - work on the printer itself, and questions for somebody who studies it.
 *
 * Owns the verbs service and probe. service moves a card that the person has put in and claims
 * nothing that the printer did not confirm; probe sends questions only and concludes nothing. On
 * failure err says what to do first, or that the outcome is not known.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/evolis.h"

#include <stdio.h>
#include <string.h>

int
evolis_service(struct printer *p, enum printer_service what, struct err *e)
{
	static const char *const commands[] = {[SERVICE_CLEAN] = "Scp", [SERVICE_TEST_CARD] = "St"};
	struct err own;
	bool sent;

	if (!e)
		e = &own;
	if ((size_t)what >= ARRAY_LEN(commands))
		return err_set(e, ERR_USAGE, _("The %s has no such service."), p->model->name);
	int rc = place_observe(p, e);
	if (rc)
		return act_failed(rc == ERR_DEVICE ? ERR_DOUBT : rc, false, e);
	if (p->place != PLACE_NONE && p->place != PLACE_UNKNOWN)
		return err_set(e, ERR_USAGE,
			_("There is a card in the printer. Take it out or let its job end first."));
	rc = command_run(p, DOING_FEED, commands[what], p->m->print_ms, &sent, e);
	p->counted = false;
	if (rc) {
		p->place = PLACE_UNKNOWN;
		return act_failed(rc, sent, e);
	}
	return place_confirm(p, PLACE_NONE, e);
}

static const struct {
	const char *what, *command;
} questions[] = {
	{N_("model"), "Rtp"},
	{N_("serial number"), "Rsn"},
	{N_("firmware"), "Rfv"},
	{N_("check sum of the firmware"), "Rck"},
	{N_("print head"), "Rkn"},
	{N_("alive"), "Rok"},
	{N_("last reply"), "Rlr"},
	{N_("place of the card"), "Rlr;p"},
	{N_("cleaning"), "Rlr;r"},
	{N_("need for cleaning"), "Rlr;c"},
	{N_("card at the hopper"), "Rlr;h"},
	{N_("cover sensor"), "Rse;o"},
	{N_("feeder sensor"), "Rse;f"},
	{N_("feeder nearly empty"), "Rse;n"},
	{N_("card sensor"), "Rse;p"},
	{N_("colour sensor"), "Rse;c"},
	{N_("ribbon disc sensor"), "Rse;r"},
	{N_("magnetic or feeder stop sensor"), "Rse;m"},
	{N_("ribbon off its end mark"), "Rcr"},
	{N_("ribbon that is set"), "Rr"},
	{N_("ribbon tag: prints left"), "Rrt;count"},
	{N_("ribbon tag: prints when new"), "Rrt;qty"},
	{N_("ribbon tag: sales zone"), "Rrt;zone"},
	{N_("counter: panels"), "Rco;p"},
	{N_("counter: cards"), "Rco;c"},
	{N_("counter: mean cleaning interval"), "Rco;a"},
	{N_("counter: longest cleaning interval"), "Rco;m"},
	{N_("counter: cleanings"), "Rco;n"},
	{N_("counter: prints left on the ribbon"), "Rco;i"},
	{N_("counter: cards until cleaning"), "Rco;r"},
	{N_("error handling"), "Rem"},
	{N_("card input"), "Rmi"},
	{N_("contrast of black"), "Rc;k"},
	{N_("coercivity"), "Rmc"},
};

/* A reply may carry any byte. */
static void
reply_printable(struct wire_reply *r)
{
	for (size_t i = 0; i < r->len; i++)
		if (r->text[i] < 0x20 || r->text[i] > 0x7e)
			r->text[i] = '?';
}

int
evolis_probe(struct printer *p, probe_sink *tell, void *ctx, struct err *e)
{
	const struct transport_ops *ops = p->link.transport->ops;
	struct wire_reply reply;
	char text[16];
	uint8_t port;
	bool sent;

	if (ops->port_status && ops->port_status(p->link.transport, &port, e) == 0) {
		snprintf(text, sizeof text, "0x%02x", port);
		tell(ctx, _("port status byte"), "GET_PORT_STATUS", text);
	}
	tell(ctx, _("command set chosen"), "", p->dialect->name);
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		int rc = link_command(
			&p->link, questions[i].command, p->m->param_ms, &reply, &sent, e);
		if (rc && e->fault != FAULT_NO_REPLY && e->fault != FAULT_GARBLED_REPLY)
			return look_failed(rc, e);
		reply_printable(&reply);
		tell(ctx, _(questions[i].what), questions[i].command, rc ? NULL : reply.text);
	}
	return 0;
}
