/*
 * evolis.c - the dialect of the older Evolis printers over the machine.
 *
 * Owns the meaning of commands and the answers. In host mode every command is answered; in printer
 * mode only commands that read. A fault in host mode is answered at once; in printer mode the
 * printer waits for the operator, then makes the card again from the planes it still holds.
 * Whatever the document does not allow is logged as a "strict:" line.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/evolis.h"

#include <stdlib.h>
#include <string.h>

static void
strict(struct evolis *e, const char *what, const char *text)
{
	printer_strict(e->printer, "%s: %.80s", what, text);
}

static void
planes_drop(struct evolis *e)
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

static void *
evolis_create(struct printer *p)
{
	struct evolis *e = calloc(1, sizeof *e);
	if (!e)
		return NULL;
	e->printer = p;
	parser_init(&e->parser);
	e->params = params_create();
	e->seen = json_object();
	snprintf(e->last, sizeof e->last, "OK");
	return e;
}

static void
evolis_destroy(void *state)
{
	struct evolis *e = state;

	if (!e)
		return;
	planes_drop(e);
	parser_done(&e->parser);
	params_destroy(e->params);
	json_decref(e->seen);
	free(e);
}

static void
evolis_link_reset(void *state)
{
	struct evolis *e = state;

	parser_reset(&e->parser);
}

static void
evolis_power(void *state)
{
	struct evolis *e = state;

	parser_done(&e->parser);
	parser_init(&e->parser);
	planes_drop(e);
	e->mode = e->mode_saved;
	e->in_sequence = e->printed = false;
	e->side = 0;
	snprintf(e->last, sizeof e->last, "OK");
}

static json_t *
evolis_status(const void *state)
{
	const struct evolis *e = state;

	return json_pack("{s:i, s:b, s:i, s:i, s:i, s:O}", "mode", (int)e->mode, "sequence",
		e->in_sequence, "commands", (int)e->commands, "errors", (int)e->errors, "strict",
		(int)e->printer->strict_lines, "seen", e->seen);
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

static const char *
plane_store(struct call *c, bool compressed, bool part)
{
	struct evolis *e = c->e;
	struct parser *p = c->c;
	int panel = panel_index(p->argv[0]);
	unsigned levels = (unsigned)strtoul(p->argv[1], NULL, 10), first = 0, lines = LINES;
	bool resin = panel == P_K || panel == P_O;
	if (part) {
		first = (unsigned)strtoul(p->argv[2], NULL, 10);
		lines = compressed ? LINES - first : (unsigned)strtoul(p->argv[3], NULL, 10);
	}
	if (panel < 0 || resin != (levels == 2) || (part && resin) || first >= LINES ||
		lines > LINES - first || (levels == 256 && !e->printer->model->levels_256)) {
		strict(e, "panel or levels", p->text);
		return "ERROR PARAMETRES";
	}
	uint8_t *dye = e->plane[e->side][panel];
	if (!dye)
		dye = calloc(LINES, DOTS);
	if (!dye)
		return "ERROR";
	const char *why = NULL;
	int rc = compressed ? plane_expand(dye + (size_t)first * DOTS, levels, lines, p->bin,
				      p->bin_len, &why)
			    : plane_unpack(dye + (size_t)first * DOTS, levels, lines, p->bin,
				      p->bin_len, &why);
	if (rc) {
		strict(e, why, p->text);
		if (!e->plane[e->side][panel])
			free(dye);
		return "ERROR PARAMETRES";
	}
	e->plane[e->side][panel] = dye;
	return ok_or(sequence_card(e));
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
		fault = machine_ribbon(p, params_value(e->params, "Pr"));
	if (fault)
		return fault;
	planes_drop(e);
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
		strict(e, "outside of a card sequence", c->c->text);
	e->side = side;
	return "OK";
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
		if (!fault)
			fault = machine_print(p, side, (const uint8_t *const *)e->plane[side]);
	}
	return fault;
}

static const char *
run_se(struct call *c)
{
	struct evolis *e = c->e;
	const char *fault = machine_ready(e->printer);
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
		strict(e, "no card inside", c->c->text);
		return "NO CARD";
	}
	e->in_sequence = e->printed = false;
	planes_drop(e);
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
	planes_drop(e);
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

static const char *
run_accept(struct call *c)
{
	(void)c;
	return "OK";
}

static const char *
run_ribbon_motor(struct call *c)
{
	static const char words[] = " s + - ! i n = ";
	char word[8];
	snprintf(word, sizeof word, " %.4s ", c->c->argv[0]);
	return strstr(words, word) ? "OK" : "ERROR PARAMETRES";
}

/* ---- modes and framing ---- */

static const char *
run_pem(struct call *c)
{
	struct evolis *e = c->e;
	char *rest;
	unsigned long n = strtoul(c->c->argv[0], &rest, 10);
	bool save = c->c->argc > 1 && !strcmp(c->c->argv[1], "s");
	if (*rest || rest == c->c->argv[0] || n > 63 || (c->c->argc > 1 && !save))
		return "ERROR PARAMETRES";
	if (n != 0 && n != 2)
		strict(e, "only modes 0 and 2 are safe", c->c->text);
	e->mode = (unsigned)n;
	if (save)
		e->mode_saved = e->mode;
	return "OK";
}

static const char *
run_rem(struct call *c)
{
	snprintf(c->reply, sizeof c->reply, "%u;%u", c->e->mode, c->e->mode_saved);
	return c->reply;
}

static const char *
run_psc(struct call *c)
{
	struct parser *p = &c->e->parser;
	unsigned long code[3] = {27, ';', 13};
	if (c->c->argc != 0 && c->c->argc != 3)
		return "ERROR PARAMETRES";
	for (unsigned i = 0; i < c->c->argc; i++) {
		char *rest;
		code[i] = strtoul(c->c->argv[i], &rest, 10);
		if (*rest || code[i] < 1 || code[i] > 255)
			return "ERROR PARAMETRES";
	}
	p->start = (int)code[0];
	p->sep = (int)code[1];
	p->end = (int)code[2];
	return "OK";
}

static const char *
run_rsc(struct call *c)
{
	const struct parser *p = &c->e->parser;
	snprintf(c->reply, sizeof c->reply, "%d;%d;%d", p->start, p->sep, p->end);
	return c->reply;
}

/* ---- the table ---- */

static const struct verb verbs[] = {
	{"Db", SETS, 2, 2, run_db},
	{"Dbc", SETS, 3, 3, run_dbc},
	{"Dbp", SETS, 4, 4, run_dbp},
	{"Dbpc", SETS, 4, 4, run_dbpc},
	{"Dbmp", SETS, 4, 4, run_accept},
	{"Dm", SETS, 2, COMMAND_ARGS_MAX, run_accept},
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
	{"Scs", SETS, 0, 0, run_accept},
	{"Sdm", SETS, 1, 1, run_accept},
	{"Sdu", SETS, 1, 1, run_accept},
	{"Mr", SETS, 1, 2, run_ribbon_motor},
	{"Mh", SETS, 1, 1, run_accept},
	{"Pem", SETS, 1, 2, run_pem},
	{"Psc", SETS, 0, 3, run_psc},
	{"Rem", READS, 0, 0, run_rem},
	{"Rsc", READS, 0, 0, run_rsc},
	{"Rok", READS, 0, 0, run_accept},
};

static const struct verb *
verb_find(const char *name)
{
	for (size_t i = 0; i < EMU_LEN(verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	for (size_t i = 0; i < n_evolis_reads; i++)
		if (!strcmp(evolis_reads[i].name, name))
			return &evolis_reads[i];
	return NULL;
}

static const char *
command_run(struct call *call)
{
	struct evolis *e = call->e;
	struct parser *c = call->c;
	const struct verb *v = verb_find(c->name);
	const char *text;
	if (v && (c->argc < v->min || c->argc > v->max))
		text = "ERROR PARAMETRES";
	else if (v)
		text = v->run(call);
	else if (c->name[0] == 'P')
		text = params_set(e->params, c->name, c->argc, c->argv);
	else
		text = params_get(e->params, c->name, c->argc, c->argv);
	return text ? text : "ERROR CDE";
}

/* Printer mode: nobody is told, so the printer waits for the operator and makes the card again. */
static const char *
recover(struct call *call, const char *text)
{
	struct evolis *e = call->e;
	struct emu *emu = e->printer->emu;
	while (!emu->stopping && e->printer->powered && strcmp(text, "OK") &&
		strcmp(text, "NO CARD") && strncmp(text, "ERROR PARAM", 11) &&
		strcmp(text, "ERROR CDE")) {
		emu_log(emu, "waiting for the operator: %s", text);
		emu_pause(emu, 1000);
		text = command_run(call);
	}
	return text;
}

static void
command_handle(struct evolis *e, const char *broken)
{
	struct parser *c = &e->parser;
	struct printer *p = e->printer;
	struct call call = {.e = e, .c = c};
	const struct verb *v = verb_find(c->name);
	bool reads = v ? v->kind == READS : c->name[0] == 'R';
	bool host = e->mode & HOST_BIT;
	e->commands++;
	json_object_set_new(e->seen, c->name,
		json_integer(json_integer_value(json_object_get(e->seen, c->name)) + 1));
	console_at_command(p, c->name);
	bool sender_gone = killer_command(p->emu, c->name, KILL_BEFORE);
	if (p->faults.deaf || !p->powered || sender_gone)
		return;
	const char *text;
	if (broken) {
		strict(e, broken, c->text);
		text = "ERROR PARAMETRES";
	} else {
		bool said = p->faults.say_name[0] && !strcmp(p->faults.say_name, c->name);
		text = said ? p->faults.say_text : command_run(&call);
		if (!said && v && v->kind == MOVES && !host)
			text = recover(&call, text);
	}
	char answer[REPLY_MAX];
	snprintf(answer, sizeof answer, "%s", text);
	bool error = !strncmp(answer, "ERR", 3);
	if (error)
		e->errors++;
	if (!strcmp(answer, "ERROR CDE") || !strcmp(answer, "ERROR PARAMETRES"))
		strict(e, answer, c->text);
	emu_log(p->emu, "%.*s -> %s", (int)c->text_len, c->text, answer);
	if (!reads)
		memcpy(e->last, answer, sizeof answer);
	if (killer_command(p->emu, c->name, KILL_AFTER))
		return;
	host = host || e->mode & HOST_BIT;
	bool pem = v && v->run == run_pem;
	if (reads || (pem ? host && p->model->pem_answers : host))
		printer_reply(p, answer, strlen(answer) + 1); /* the text and one 00 */
}

static void
evolis_feed(void *state, const uint8_t *data, size_t len)
{
	struct evolis *e = state;
	struct parser *c = &e->parser;
	for (;;) {
		enum parse_event event = parser_next(c, &data, &len);
		switch (event) {
		case PARSE_MORE:
			return;
		case PARSE_STRAY:
			printer_strict(e->printer, "%zu bytes outside of a command at %llu: %s",
				c->stray, (unsigned long long)c->stray_at, c->stray_text);
			c->stray = 0;
			break;
		case PARSE_COMMAND:
		case PARSE_BROKEN:
			c->text[c->text_len] = 0;
			command_handle(e, event == PARSE_BROKEN ? c->why : NULL);
			break;
		}
	}
}

const struct dialect dialect_evolis = {
	.name = "evolis",
	.create = evolis_create,
	.destroy = evolis_destroy,
	.feed = evolis_feed,
	.link_reset = evolis_link_reset,
	.power = evolis_power,
	.status = evolis_status,
};
