/*
 * evolis-card.c - a card's way through an Evolis printer: planes in, sequence, stations, out.
 *
 * Owns the loaded planes. Guarantees: planes are decoded and checked when they arrive and printed
 * at Se, front before back.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/evolis.h"

#include <stdlib.h>
#include <string.h>

void
evolis_planes_drop(struct evolis *e)
{
	for (int s = 0; s < 2; s++)
		for (int i = 0; i < P_COUNT; i++) {
			free(e->plane[s][i]);
			e->plane[s][i] = NULL;
		}
}

static bool
planes_any(const struct evolis *e, int side)
{
	for (int i = 0; i < P_COUNT; i++)
		if (e->plane[side][i])
			return true;
	return false;
}

static const char *
ok_or(const char *fault)
{
	return fault ? fault : "OK";
}

/* ---- planes ---- */

static int
panel_index(const char *s)
{
	const char *at = s[0] && !s[1] ? strchr(panel_names, s[0]) : NULL;
	return at ? (int)(at - panel_names) : -1;
}

/* The first plane of a sequence brings the card to the print position. */
static const char *
sequence_card(struct evolis *e)
{
	return e->in_sequence ? machine_move(e->printer, POS_PRINT) : NULL;
}

/* What the parameters of a plane say. */
struct plane_form {
	int panel;
	unsigned levels, first, lines, of; /* `of` lines make the whole plane */
	bool compressed;
};

/* Half panels bring dye for so many lines from Psp on. */
#define HALF_LINES 420u

static bool
plane_allowed(const struct evolis *e, const struct plane_form *f, bool part)
{
	bool resin = f->panel == P_K || f->panel == P_O;
	if (f->panel < 0 || resin != (f->levels == 2) || f->first >= f->of ||
		f->lines > f->of - f->first)
		return false;
	if (f->levels == 256 && !e->printer->model->levels_256)
		return false;
	return !part || (!resin && f->lines <= HALF_LINES);
}

static const char *
plane_keep(struct call *c, const struct plane_form *f)
{
	struct evolis *e = c->e;
	struct parser *p = c->c;
	uint8_t **place = &e->plane[e->side][f->panel];
	uint8_t *dye = e->lines[e->side][f->panel] == f->of ? *place : NULL;
	if (!dye)
		dye = calloc(f->of, DOTS);
	if (!dye)
		return "ERROR";
	const char *why = NULL;
	uint8_t *to = dye + (size_t)f->first * DOTS;
	int rc = f->compressed ? plane_expand(to, f->levels, f->lines, p->bin, p->bin_len, &why)
			       : plane_unpack(to, f->levels, f->lines, p->bin, p->bin_len, &why);
	if (rc) {
		evolis_strict(e, why, p->text);
		if (dye != *place)
			free(dye);
		return "ERROR PARAMETRES";
	}
	if (dye != *place)
		free(*place);
	*place = dye;
	e->lines[e->side][f->panel] = f->of;
	e->printer->loaded_ms[e->side][f->panel] = now_ms();
	return ok_or(sequence_card(e));
}

static const char *
plane_store(struct call *c, bool compressed, bool part)
{
	struct parser *p = c->c;
	struct plane_form f = {.panel = panel_index(p->argv[0]),
		.levels = (unsigned)strtoul(p->argv[1], NULL, 10),
		.lines = LINES,
		.of = LINES,
		.compressed = compressed};
	if (part) {
		f.first = (unsigned)strtoul(p->argv[2], NULL, 10);
		f.lines = compressed ? LINES - f.first : (unsigned)strtoul(p->argv[3], NULL, 10);
		if (compressed && f.first < LINES) {
			f.lines = plane_lines(f.levels, p->bin, p->bin_len);
			f.lines = f.lines ? f.lines : LINES;
		}
	}
	if (!plane_allowed(c->e, &f, part)) {
		evolis_strict(c->e, "panel, levels or lines", p->text);
		return "ERROR PARAMETRES";
	}
	return plane_keep(c, &f);
}

/* "Dbx;k;2;1200;300;": four times the lines. */
static const char *
run_dbx(struct call *c)
{
	struct parser *p = c->c;
	unsigned across = (unsigned)strtoul(p->argv[2], NULL, 10),
		 dpi = (unsigned)strtoul(p->argv[3], NULL, 10);
	struct plane_form f = {.panel = panel_index(p->argv[0]),
		.levels = (unsigned)strtoul(p->argv[1], NULL, 10)};
	if (dpi == 300 && (across == 300 || across == 600 || across == 1200))
		f.lines = f.of = LINES * across / 300;
	if (!f.of || (across > 300 && !c->e->printer->model->fine) ||
		!plane_allowed(c->e, &f, false)) {
		evolis_strict(c->e, "panel, levels or resolution", p->text);
		return "ERROR PARAMETRES";
	}
	return plane_keep(c, &f);
}

static const char *
run_db(struct call *c)
{
	return plane_store(c, false, false);
}

static const char *
run_dbc(struct call *c)
{
	return plane_store(c, true, false);
}

static const char *
run_dbp(struct call *c)
{
	return plane_store(c, false, true);
}

static const char *
run_dbpc(struct call *c)
{
	return plane_store(c, true, true);
}

/* ---- card sequence ---- */

static const char *
run_ss(struct call *c)
{
	struct evolis *e = c->e;
	struct printer *p = e->printer;
	const char *fault = machine_ready(p);
	if (!fault && p->faults.cleaning_due)
		fault = p->model->cleaning_stop;
	if (!fault)
		fault = machine_ribbon(p, e->declared ? e->declared->name : NULL);
	if (fault)
		return fault;
	evolis_planes_drop(e);
	e->in_sequence = true;
	e->printed = false;
	e->side = 0;
	return "OK";
}

static const char *
run_side(struct call *c)
{
	struct evolis *e = c->e;
	int side = !strcmp(c->c->name, "Sv");
	if (side && !e->printer->model->duplex)
		return "OPT NOT AVAILABLE";
	if (!e->in_sequence)
		evolis_strict(e, "outside of a card sequence", c->c->text);
	e->side = side;
	return "OK";
}

/* On a ribbon with half panels there is dye for some lines only. */
static void
half_cut(struct evolis *e, int side)
{
	const struct ribbon_kind *kind = e->printer->reel.kind;
	if (!kind || !kind->half)
		return;
	const char *set = params_value(e->params, "Psp");
	size_t first = set ? strtoul(set, NULL, 10) : 0, lost = 0;
	for (int i = P_Y; i <= P_C; i++) {
		uint8_t *dye = e->plane[side][i];
		for (size_t line = 0; dye && line < e->lines[side][i]; line++) {
			size_t at = line * LINES / e->lines[side][i];
			if (at >= first && at < first + HALF_LINES)
				continue;
			for (size_t dot = 0; dot < DOTS; dot++)
				lost += dye[line * DOTS + dot] != 0;
			memset(dye + line * DOTS, 0, DOTS);
		}
	}
	if (lost)
		evolis_strict(e, "colour outside of the half panel", set ? set : "no Psp");
}

static const char *
sequence_print(struct evolis *e)
{
	struct printer *p = e->printer;
	const char *fault = NULL;
	for (int side = 0; side < 2 && !fault; side++) {
		if (!planes_any(e, side))
			continue;
		fault = machine_move(p, POS_PRINT);
		if (!fault)
			fault = machine_flip(p, side);
		half_cut(e, side);
		if (!fault)
			fault = machine_print_fine(
				p, side, (const uint8_t *const *)e->plane[side], e->lines[side]);
	}
	return fault;
}

static const char *
run_se(struct call *c)
{
	struct evolis *e = c->e;
	const char *fault = machine_ready(e->printer);
	if (!fault && !e->printed)
		fault = evolis_tracks_write(e);
	if (!fault && !e->printed)
		fault = sequence_print(e);
	if (fault)
		return fault;
	e->printed = true; /* a second Se, after a full hopper, only ejects */
	bool had_card = e->printer->inside != NULL;
	fault = machine_eject(e->printer);
	if (fault)
		return fault;
	if (!had_card) {
		evolis_strict(e, "no card inside", c->c->text);
		return "NO CARD";
	}
	e->in_sequence = e->printed = false;
	evolis_tracks_drop(e);
	evolis_planes_drop(e);
	return "OK";
}

static const char *
run_move(struct call *c)
{
	static const struct {
		const char *name;
		enum position to;
	} moves[] = {{"Si", POS_PRINT}, {"Sib", POS_PRINT}, {"Sis", POS_CONTACT},
		{"Sic", POS_CONTACTLESS}};
	const struct model *m = c->e->printer->model;
	if ((!strcmp(c->c->name, "Sis") && !m->contact) ||
		(!strcmp(c->c->name, "Sic") && !m->contactless))
		return "OPT NOT AVAILABLE";
	for (size_t i = 0; i < EMU_LEN(moves); i++)
		if (!strcmp(moves[i].name, c->c->name))
			return ok_or(machine_move(c->e->printer, moves[i].to));
	return "ERROR CDE";
}

static const char *
run_sie(struct call *c)
{
	const char *fault = machine_move(c->e->printer, POS_PRINT);
	return ok_or(fault ? fault : machine_eject(c->e->printer));
}

static const char *
run_reject(struct call *c)
{
	struct evolis *e = c->e;
	bool had_card = e->printer->inside != NULL;
	const char *fault = machine_reject(e->printer);
	if (fault)
		return fault;
	e->in_sequence = e->printed = false;
	evolis_tracks_drop(e);
	evolis_planes_drop(e);
	return had_card ? "OK" : "NO CARD";
}

static const char *
run_reset(struct call *c)
{
	evolis_power(c->e);
	return "OK";
}

static const char *
run_cleaning(struct call *c)
{
	struct printer *p = c->e->printer;
	if (p->reel.kind || p->inside)
		return "ERROR";
	p->cleanings++;
	p->since_cleaning = 0;
	p->faults.cleaning_due = false;
	return "OK";
}

/* A frame of black on a fresh card; the real picture is not known. */
static const char *
run_test_card(struct call *c)
{
	struct printer *p = c->e->printer;
	uint8_t *frame = calloc(1, (size_t)DOTS * LINES);
	const uint8_t *dye[P_COUNT] = {NULL};
	const char *fault = p->inside ? "ERROR" : NULL;
	if (!frame)
		return "ERROR";
	for (size_t i = 0; i < (size_t)DOTS * LINES; i++)
		if (i / DOTS < 8 || i / DOTS >= LINES - 8)
			frame[i] = 255;
	dye[P_K] = frame;
	if (!fault)
		fault = machine_ribbon(p, NULL);
	if (!fault)
		fault = machine_move(p, POS_PRINT);
	if (!fault)
		fault = machine_print(p, 0, dye);
	if (!fault)
		fault = machine_eject(p);
	free(frame);
	return fault ? fault : "OK";
}

/* The plane stays loaded for the next card. */
static const char *
run_again(struct call *c)
{
	if (panel_index(c->c->argv[0]) < 0)
		return "ERROR PARAMETRES";
	return c->e->plane[c->e->side][panel_index(c->c->argv[0])] ? "OK" : "ERROR";
}

const struct verb evolis_cards[] = {
	{"Db", SETS, 2, 2, run_db},
	{"Dbc", SETS, 3, 3, run_dbc},
	{"Dbp", SETS, 4, 4, run_dbp},
	{"Dbpc", SETS, 4, 4, run_dbpc},
	{"Dbx", SETS, 4, 4, run_dbx},
	{"Ss", MOVES, 0, 0, run_ss},
	{"Se", MOVES, 0, 1, run_se},
	{"Sr", SETS, 0, 0, run_side},
	{"Sv", SETS, 0, 0, run_side},
	{"Si", MOVES, 0, 0, run_move},
	{"Sib", MOVES, 0, 0, run_move},
	{"Sie", MOVES, 0, 0, run_sie},
	{"Sis", MOVES, 0, 0, run_move},
	{"Sic", MOVES, 0, 0, run_move},
	{"Ser", MOVES, 0, 0, run_reject},
	{"Seb", MOVES, 0, 0, run_reject},
	{"Srs", SETS, 0, 0, run_reset},
	{"Scp", SETS, 0, 0, run_cleaning},
	{"St", MOVES, 0, 0, run_test_card},
	{"Ssd", SETS, 1, 1, run_again},
	{NULL, SETS, 0, 0, NULL},
};
