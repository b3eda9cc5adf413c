/*
 * evolis.c - both dialects of Evolis printers over the machine.
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

void
evolis_strict(struct evolis *e, const char *what, const char *text)
{
	printer_strict(e->printer, "%s: %.80s", what, text);
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
	evolis_planes_drop(e);
	evolis_tracks_drop(e);
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

void
evolis_power(void *state)
{
	struct evolis *e = state;

	parser_done(&e->parser);
	parser_init(&e->parser);
	evolis_planes_drop(e);
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
		evolis_strict(e, "only modes 0 and 2 are safe", c->c->text);
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

/* ---- the ribbon that a job is made for ---- */

/* By name ("Pr;ymcko", with 0 or 1 for a hologram) or by number ("Pr;100;t"), never both. */
static const char *
run_pr(struct call *c)
{
	const struct ribbon_kind *kind;
	char **arg = c->c->argv, *rest;
	bool numbered = c->e->printer->model->numbered;
	if (numbered) {
		long n = strtol(arg[0], &rest, 10);
		kind = *rest || rest == arg[0] || c->c->argc != 2 || strcmp(arg[1], "t")
			       ? NULL
			       : ribbon_kind_numbered((int)n);
	} else {
		bool option = c->c->argc == 1 ||
			      (arg[0][0] == 'h' && strlen(arg[1]) == 1 && strchr("01", arg[1][0]));
		kind = option ? ribbon_kind_find(arg[0]) : NULL;
	}
	if (!kind)
		return "ERROR PARAMETRES";
	c->e->declared = kind;
	return "OK";
}

static const char *
run_rr(struct call *c)
{
	return c->e->declared ? c->e->declared->name : "";
}

/* ---- the table ---- */

static const struct verb verbs[] = {
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
	{"Pr", SETS, 1, 2, run_pr},
	{"Rr", READS, 0, 0, run_rr},
	{NULL, SETS, 0, 0, NULL},
};

static const struct verb *
verb_find(const char *name)
{
	static const struct verb *const tables[] = {
		verbs, evolis_reads, evolis_cards, evolis_magnets, evolis_draws};
	for (size_t t = 0; t < EMU_LEN(tables); t++)
		for (const struct verb *v = tables[t]; v->name; v++)
			if (!strcmp(v->name, name))
				return v;
	return NULL;
}

static const char *
command_run(struct call *call)
{
	struct evolis *e = call->e;
	struct parser *c = call->c;
	const struct verb *v = verb_find(c->name);
	const char *text;
	if (printer_lacks(e->printer, c->name))
		return "ERROR CDE";
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
		evolis_strict(e, broken, c->text);
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
		evolis_strict(e, answer, c->text);
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

/* "<CARD>", "</DOC>": the newer drivers put such words between commands. */
static bool
stray_is_tag(const struct parser *c)
{
	const char *t = c->stray_text;
	size_t name = t[1] == '/' ? 2 : 1;
	return t[0] == '<' && t[name] >= 'A' && t[name] <= 'Z' && c->stray_last == '>';
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
			if (e->printer->model->tags && stray_is_tag(c)) {
				c->stray = 0;
				break;
			}
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
