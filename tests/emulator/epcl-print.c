/*
 * epcl-print.c - the Zebra printers' card moves and the burning of panels.
 *
 * Owns the place on the ribbon: a panel that has gone by cannot be had again, so the rest of its
 * group is spooled off and a new one begun. Inferred, no source: which box a bad card goes to at MO
 * and MC, and that every print command fetches a card when none is inside.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/epcl.h"

#include <stdlib.h>
#include <string.h>

/* The machine's words and what the printer sends for them. */
static const struct fault_row {
	const char *word;
	int code;
} fault_rows[] = {
	{"COVER OPEN", CODE_COVER},
	{"FEEDER EMPTY", CODE_EMPTY},
	{"ERROR HEAD", CODE_TEMPERATURE},
	{"HOPPER FULL", CODE_JAM}, /* inferred: no code of its own */
	{"OPT NOT AVAILABLE", CODE_PARAMETER},
};

static int
ribbon_code(const struct reel *r)
{
	if (!r->kind)
		return CODE_RIBBON;
	return r->ended || r->sets == 0 ? CODE_RIBBON_END : CODE_RIBBON_CHECK;
}

int
epcl_fault(const struct printer *p, const char *word)
{
	if (!word)
		return CODE_OK;
	for (size_t i = 0; i < EMU_LEN(fault_rows); i++)
		if (!strcmp(fault_rows[i].word, word))
			return fault_rows[i].code;
	if (!strcmp(word, "CARD JAM"))
		return p->jam_step == STEP_FLIP ? CODE_FLIP : CODE_JAM;
	if (!strcmp(word, "ERROR RIBBON"))
		return ribbon_code(&p->reel);
	return CODE_MACHINE;
}

/* ---- ribbon ---- */

/* Panels of one set in the order in which they come by. */
static void
set_panels(const struct ribbon_kind *k, char out[2 * P_COUNT + 1])
{
	snprintf(out, 2 * P_COUNT + 1, "%s%s", k->front, strcmp(k->front, k->back) ? k->back : "");
}

static void
panel_spend(struct printer *p, char panel)
{
	unsigned *left = &p->reel.left[strchr(panel_names, panel) - panel_names];
	*left -= *left > 0;
}

static void
set_end(struct epcl *e)
{
	struct reel *r = &e->printer->reel;
	e->panel_next = 0;
	r->sets -= r->sets > 0;
}

/* Spools to the panel, and over whatever lies before it. */
static int
ribbon_seek(struct epcl *e, char panel)
{
	struct printer *p = e->printer;
	struct reel *r = &p->reel;
	char set[2 * P_COUNT + 1];
	if (r->kind != e->reel_kind) {
		e->reel_kind = r->kind;
		e->panel_next = 0;
	}
	if (!r->kind || r->ended || r->sets == 0)
		return ribbon_code(r);
	set_panels(r->kind, set);
	if (!strchr(set, panel))
		return CODE_RIBBON_CHECK;
	const char *at = strchr(set + e->panel_next, panel);
	if (!at) {
		emu_log(p->emu, "ribbon: the rest of a set is spooled off for panel %c", panel);
		for (const char *c = set + e->panel_next; *c; c++)
			panel_spend(p, *c);
		set_end(e);
		if (r->sets == 0)
			return CODE_RIBBON_END;
		at = strchr(set, panel);
	}
	for (const char *c = set + e->panel_next; c < at; c++)
		panel_spend(p, *c);
	panel_spend(p, panel);
	e->panel_next = (unsigned)(at - set) + 1;
	if (!set[e->panel_next])
		set_end(e);
	return 0;
}

/* What +RIB said against what is fitted; only two values are known. */
static int
ribbon_check(struct epcl *e)
{
	static const struct {
		int value;
		const char *front;
	} known[] = {{0, "ymcko"}, {4, "k"}};
	const json_t *said = json_object_get(e->settings, "+RIB");
	const struct ribbon_kind *k = e->printer->reel.kind;
	if (!e->printer->model->ribbon_check || !said || !k)
		return 0;
	for (size_t i = 0; i < EMU_LEN(known); i++)
		if (known[i].value == json_integer_value(said) && strcmp(known[i].front, k->front))
			return CODE_RIBBON_CHECK;
	return 0;
}

/* ---- burning ---- */

static void
card_forget(struct epcl *e)
{
	e->encode_failed = e->print_failed = false;
}

static uint8_t *
card_side(struct epcl *e, struct emu_card *c, int side)
{
	size_t n = (size_t)e->raster.lines * e->raster.dots * 3;
	if (!c->side_rgb[side]) {
		c->side_rgb[side] = malloc(n);
		if (c->side_rgb[side])
			memset(c->side_rgb[side], 255, n);
		c->side_width[side] = e->raster.lines;
		c->height = e->raster.dots;
	}
	return c->side_rgb[side];
}

static int
panel_burn(struct epcl *e, enum epcl_buffer b, enum panel_index panel)
{
	struct printer *p = e->printer;
	if (!p->inside)
		card_forget(e);
	int code = epcl_fault(p, machine_move(p, POS_PRINT));
	if (!code)
		code = epcl_fault(p, p->faults.head_hot ? "ERROR HEAD" : NULL);
	if (!code)
		code = ribbon_check(e);
	if (!code)
		code = ribbon_seek(e, panel_names[panel]);
	if (code)
		return code;
	struct emu_card *c = p->inside;
	int side = p->back_up;
	uint8_t *rgb = card_side(e, c, side);
	if (!rgb)
		return CODE_MACHINE;
	emu_log(p->emu, "card %u: burning %c on the %s", c->serial, panel_names[panel],
		side ? "back" : "front");
	const uint8_t *resin = p->reel.kind->rgb; /* a row: stays when the reel goes */
	p->life_panels++;
	e->panels++;
	c->panels_used[side] |= 1u << panel;
	emu_wait(p->emu, p->model->panel_ms[panel]);
	if (p->inside == c)
		raster_unprint(&e->raster, b, resin, rgb);
	code = epcl_fault(p, machine_step(p, STEP_PRINT));
	e->print_failed = e->print_failed || code;
	return code;
}

/* A machine without extended memory has one colour and one mono buffer. */
static enum epcl_buffer
buffer_slot(const struct epcl *e, enum epcl_buffer b)
{
	if (e->extended_memory)
		return b;
	return b <= B_KS ? B_Y : B_K;
}

static int
run_is(struct epcl_call *c)
{
	static const struct {
		enum epcl_buffer buffer;
		enum panel_index panel;
	} planes[] = {{B_Y, P_Y}, {B_M, P_M}, {B_C, P_C}, {B_KS, P_K}};
	struct epcl *e = c->e;
	enum epcl_buffer own = planes[c->n[0]].buffer, b = buffer_slot(e, own);
	if (b == own)
		return panel_burn(e, b, planes[c->n[0]].panel);
	/* the one buffer holds this plane now */
	struct epcl_raster *r = &e->raster;
	uint8_t *keep = r->plane[own];
	r->plane[own] = r->plane[b];
	int code = panel_burn(e, own, planes[c->n[0]].panel);
	r->plane[own] = keep;
	return code;
}

static int
run_i(struct epcl_call *c)
{
	return panel_burn(c->e, B_K, P_K);
}

static int
run_iv(struct epcl_call *c)
{
	return panel_burn(c->e, B_V, P_O);
}

/* No ribbon of the table has a hologram panel. */
static int
run_ih(struct epcl_call *c)
{
	return c->e->printer->reel.kind ? CODE_RIBBON_CHECK : CODE_RIBBON;
}

/* ---- moves ---- */

/* The card leaves: to the reject box where +RB sends its kind of failure. */
static int
card_out(struct epcl *e)
{
	struct printer *p = e->printer;
	bool reject = p->model->epcl->reject_box && ((e->encode_failed && e->encode_rejects) ||
							    (e->print_failed && e->print_rejects));
	int code = epcl_fault(p, reject ? machine_reject(p) : machine_eject(p));
	if (!code)
		card_forget(e);
	return code;
}

static int
run_mi(struct epcl_call *c)
{
	struct epcl *e = c->e;
	if (e->printer->inside)
		epcl_strict(e, "a card is inside already", c->text);
	else
		card_forget(e);
	return epcl_fault(e->printer, machine_move(e->printer, POS_PRINT));
}

static int
run_mo(struct epcl_call *c)
{
	if (!c->e->printer->inside)
		epcl_strict(c->e, "no card inside", c->text);
	return card_out(c->e);
}

/* What an earlier job left: it is no finished card. */
static int
run_mc(struct epcl_call *c)
{
	struct epcl *e = c->e;
	struct emu_card *card = e->printer->inside;
	if (card && card->side_rgb[0])
		e->print_failed = true;
	else if (card)
		e->encode_failed = true;
	int code = epcl_fault(e->printer, machine_ready(e->printer));
	return code ? code : card_out(e);
}

static int
run_mf(struct epcl_call *c)
{
	struct printer *p = c->e->printer;
	if (!p->inside)
		return CODE_SEQUENCE;
	int code = epcl_fault(p, machine_move(p, POS_PRINT));
	return code ? code : epcl_fault(p, machine_flip(p, !p->back_up));
}

static int
run_rb(struct epcl_call *c)
{
	if (!c->e->printer->model->epcl->reject_box)
		return CODE_UNKNOWN;
	if (c->n[0] > 2 || c->n[1] > 1)
		return CODE_PARAMETER;
	if (c->n[0] != 2)
		c->e->encode_rejects = c->n[1];
	if (c->n[0] != 1)
		c->e->print_rejects = c->n[1];
	return 0;
}

int
epcl_alias_run(struct epcl_call *c, enum epcl_alias a)
{
	static const enum position to[ALIAS_COUNT] = {[DOCK_CONTACT] = POS_CONTACT,
		[DOCK_CONTACTLESS] = POS_CONTACTLESS,
		[UNDOCK_READY] = POS_PRINT,
		[UNDOCK_EJECT] = POS_PRINT};
	struct epcl *e = c->e;
	struct printer *p = e->printer;
	bool docks = a == DOCK_CONTACT || a == DOCK_CONTACTLESS;
	if ((a == DOCK_CONTACT && !p->model->contact) ||
		(a == DOCK_CONTACTLESS && !p->model->contactless))
		return CODE_UNKNOWN;
	if (docks && !p->inside)
		card_forget(e);
	if (!docks && !p->inside)
		return CODE_SEQUENCE;
	int code = epcl_fault(p, machine_move(p, to[a]));
	if (code || a != UNDOCK_EJECT)
		return code;
	e->encode_failed = true;
	return card_out(e);
}

/* ---- tests of the printer itself ---- */

static int
run_test_card(struct epcl_call *c)
{
	struct epcl *e = c->e;
	bool black = !strcmp(c->verb->name, "IMB");
	const long frame[4] = {0, 0, (long)e->raster.lines, (long)e->raster.dots};
	raster_clear(&e->raster, B_K);
	int code = raster_box(&e->raster, B_K, frame, black ? 0 : 8, 255);
	if (!code)
		code = panel_burn(e, B_K, P_K);
	raster_clear(&e->raster, B_K);
	return code ? code : card_out(e);
}

const struct epcl_verb epcl_print_verbs[] = {
	{"IS", 1, 1, 0, 3, REST_NONE, run_is},
	{"I", 0, 1, 0, 99, REST_NONE, run_i},
	{"IV", 0, 1, 0, 99, REST_NONE, run_iv},
	{"IH", 0, 1, 0, 99, REST_NONE, run_ih},
	{"A", 0, 1, 0, 99, REST_NONE, run_test_card},
	{"IMB", 0, 0, 0, 0, REST_NONE, run_test_card},
	{"MI", 0, 0, 0, 0, REST_NONE, run_mi},
	{"MO", 0, 0, 0, 0, REST_NONE, run_mo},
	{"MF", 0, 0, 0, 0, REST_NONE, run_mf},
	{"MC", 0, 0, 0, 0, REST_NONE, run_mc},
	{"+RB", 2, 2, 0, 2, REST_NONE, run_rb},
};
const size_t n_epcl_print_verbs = EMU_LEN(epcl_print_verbs);
