/*
 * evolis-read.c - the questions that an Evolis printer answers about itself.
 *
 * Owns the texts of the answers: type, serial number, firmware, ribbon, sensors, counters.
 * Guarantees that asking changes nothing in the machine.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/evolis.h"

#include <string.h>

static const char *
run_rtp(struct call *c)
{
	return c->e->printer->model->title;
}

static const char *
run_rsn(struct call *c)
{
	return c->e->printer->serial;
}

static const char *
run_rfv(struct call *c)
{
	return c->e->printer->model->firmware;
}

static const char *
run_rkn(struct call *c)
{
	return c->e->printer->model->head_kit;
}

static const char *
run_rck(struct call *c)
{
	(void)c;
	return "5A3C"; /* model value */
}

static const char *
run_rlr(struct call *c)
{
	static const char *const card[] = {"CARD", "CARD", "SMART CARD", "CONTACTLESS CARD"};
	const struct printer *p = c->e->printer;
	if (c->c->argc == 0)
		return c->e->last;
	bool good = !strcmp(c->e->last, "OK");
	switch (c->c->argv[0][0]) {
	case 'p':
		return p->inside ? card[p->position] : "NO CARD";
	case 'r':
		return good && printer_cleaning_due(p) ? "ERR NEED CLEANING" : c->e->last;
	case 'c':
		return printer_cleaning_due(p) ? "NEED CLEANING" : "OK";
	case 'h':
		return printer_hopper(p) ? "CARD" : "NO CARD";
	}
	return "ERROR PARAMETRES";
}

static const char *
run_rse(struct call *c)
{
	const struct printer *p = c->e->printer;
	const char sensor = c->c->argv[0][0];
	bool high;
	switch (sensor) {
	case 'o': /* cover: 0 open, 5 closed */
		high = !p->faults.cover_open;
		break;
	case 'f': /* feeder: 0 empty, 5 cards */
		high = printer_hopper(p) > 0;
		break;
	case 'n': /* near empty */
		high = printer_hopper(p) < 10;
		break;
	case 'p':
		high = p->inside != NULL;
		break;
	case 'r': /* ribbon disc */
		high = p->reel.kind != NULL;
		break;
	case 'c':
	case 'm':
	case 'b':
	case 'M':
		high = false;
		break;
	default:
		return "ERROR PARAMETRES";
	}
	return high ? "5,00 Volts" : "0,00 Volts";
}

static const char *
run_rco(struct call *c)
{
	const struct printer *p = c->e->printer;
	unsigned long n = 0, every = p->model->cleaning_cards;
	switch (c->c->argv[0][0]) {
	case 'p':
		n = p->life_panels;
		break;
	case 'c':
		n = p->life_cards;
		break;
	case 'a':
	case 'm':
		n = every;
		break;
	case 'n':
		n = p->cleanings;
		break;
	case 'i':
	case 'I':
	case 'l':
		n = p->reel.sets;
		break;
	case 'r':
		n = printer_cleaning_due(p) ? 0 : every - p->since_cleaning;
		break;
	case 'b': /* seen, undocumented */
	case 'e':
	case 'f':
	case 'k':
	case 's':
		break;
	default:
		return "ERROR PARAMETRES";
	}
	snprintf(c->reply, sizeof c->reply, "%lu", n);
	return c->reply;
}

static const char *
run_rcr(struct call *c)
{
	const struct reel *r = &c->e->printer->reel;
	return !r->kind || r->ended || r->sets == 0 ? "ERROR RIBBON" : "OK";
}

static const char *
run_rrt(struct call *c)
{
	struct printer *p = c->e->printer;
	const struct reel *r = &p->reel;
	const char *what = c->c->argv[0];
	if (!p->model->ribbon_tag)
		return "ERROR CDE";
	if (!r->kind)
		return "ERR RIB DETECTION";
	if (p->model->stray_ok && ++c->e->tag_reads % p->model->stray_ok == 0)
		return "OK";
	if (!strcmp(what, "count"))
		snprintf(c->reply, sizeof c->reply, "%u", r->ended ? 0 : r->sets);
	else if (!strcmp(what, "qty"))
		snprintf(c->reply, sizeof c->reply, "%u", r->capacity);
	else if (!strcmp(what, "zone"))
		snprintf(c->reply, sizeof c->reply, "0"); /* model value */
	else
		return "ERROR PARAMETRES";
	return c->reply;
}

const struct verb evolis_reads[] = {
	{"Rtp", READS, 0, 0, run_rtp},
	{"Rsn", READS, 0, 0, run_rsn},
	{"Rfv", READS, 0, 0, run_rfv},
	{"Rkn", READS, 0, 0, run_rkn},
	{"Rck", READS, 0, 0, run_rck},
	{"Rlr", READS, 0, 1, run_rlr},
	{"Rse", READS, 1, 1, run_rse},
	{"Rco", READS, 1, 1, run_rco},
	{"Rcr", READS, 0, 0, run_rcr},
	{"Rrt", READS, 1, 1, run_rrt},
	{NULL, READS, 0, 0, NULL},
};
