/*
 * epcl.c - the dialect of the Zebra card printers (EPCL) over the machine.
 *
 * Owns the dispatch, the answers and the latched error: after a fault everything is refused with
 * its code until "." comes. ACK follows the end of a motion. Lists of commands answer once. What
 * the document leaves open is a switch (model row or console); what it does not allow is logged as
 * a "strict:" line, what is safe under one of its two readings only as "unsafe:".
 *
 *   06                 carried out
 *   15 d d 04          refused: two digits, or "-1"
 *   text t             a report and one terminator
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/epcl.h"

#include <stdlib.h>
#include <string.h>

#define ACK             0x06
#define NACK            0x15
#define EOT             0x04
#define TRANSFER_MAX_MS 10000u /* model value: half a command this old is error 34 */
#define LIST_TIMES_MAX  255

void
epcl_strict(struct epcl *e, const char *what, const char *text)
{
	printer_strict(e->printer, "%s: %.80s", what, text);
}

void
epcl_say(struct epcl_call *c, const char *text)
{
	size_t at = strlen(c->reply);
	c->answers = true;
	snprintf(c->reply + at, sizeof c->reply - at, "%s", text);
}

static void
epcl_remark(void *ctx, enum epcl_remark what, uint64_t at)
{
	struct epcl *e = ctx;
	struct emu *emu = e->printer->emu;
	unsigned long long where = at;
	if (what == REMARK_PREFIX) {
		emu_log(emu, "note: %s at %llu", epcl_remarks[what], where);
	} else if (what == REMARK_CONTROL) {
		e->unsafe++;
		emu_log(emu, "unsafe: %s at %llu: %.40s", epcl_remarks[what], where,
			e->parser.text);
	} else {
		printer_strict(e->printer, "%s at %llu", epcl_remarks[what], where);
	}
}

/* ---- life ---- */

static void *
epcl_create(struct printer *p)
{
	const struct epcl_model *m = p->model->epcl;
	struct epcl *e = calloc(1, sizeof *e);
	if (!e)
		return NULL;
	e->printer = p;
	e->raster = (struct epcl_raster){.dots = m->dots,
		.lines = m->lines,
		.max_dots = m->image_dots,
		.max_lines = m->image_lines};
	epcl_parser_init(&e->parser);
	e->parser.plane_dots = m->dots;
	e->parser.plane_lines = m->lines;
	e->parser.remark = epcl_remark;
	e->parser.ctx = e;
	e->replies = e->port_lines = true;
	e->extended_memory = m->extended_memory;
	e->terminator = m->terminator;
	e->encode_rejects = true;
	for (int a = 0; a < ALIAS_COUNT; a++)
		snprintf(e->alias[a], sizeof e->alias[a], "%s", m->alias[a] ? m->alias[a] : "");
	e->settings = json_object();
	e->seen = json_object();
	return e;
}

static void
epcl_destroy(void *state)
{
	struct epcl *e = state;
	if (!e)
		return;
	epcl_parser_done(&e->parser);
	raster_done(&e->raster);
	json_decref(e->settings);
	json_decref(e->seen);
	free(e);
}

static void
epcl_link_reset(void *state)
{
	struct epcl *e = state;
	epcl_parser_reset(&e->parser);
}

/* Settings are kept in flash; images and a latched error are not. */
static void
epcl_power(void *state)
{
	struct epcl *e = state;
	epcl_parser_reset(&e->parser);
	raster_done(&e->raster);
	e->raster.target[0].declared = e->raster.target[1].declared = false;
	e->latched = 0;
	e->last_len = 0;
	memset(e->track, 0, sizeof e->track);
}

static json_t *
epcl_status(const void *state)
{
	const struct epcl *e = state;
	return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:O, s:O}", "latched", e->latched, "panel",
		(int)e->panel_next, "commands", (int)e->commands, "errors", (int)e->errors,
		"strict", (int)e->printer->strict_lines, "unsafe", (int)e->unsafe, "settings",
		e->settings, "seen", e->seen);
}

/* ---- the port's two error lines ---- */

#define LINES_GOOD    0x18
#define LINES_SYNTAX  0x10
#define LINES_EMPTY   0x38
#define LINES_MACHINE 0x30

uint8_t
epcl_port_status(const void *state)
{
	static const struct {
		int from, to;
		uint8_t lines;
	} classes[] = {{CODE_RIBBON, CODE_RIBBON, LINES_EMPTY},
		{CODE_EMPTY, CODE_EMPTY, LINES_EMPTY},
		{CODE_RIBBON_END, CODE_RIBBON_END, LINES_EMPTY},
		{CODE_PARAMETER, CODE_TIMEOUT, LINES_SYNTAX},
		{CODE_RIBBON_CHECK, CODE_RIBBON_CHECK, LINES_EMPTY},
		{CODE_MAG_DATA, CODE_MAG_DATA, LINES_SYNTAX},
		{CODE_SEQUENCE, CODE_SEQUENCE, LINES_SYNTAX}};
	const struct epcl *e = state;
	const struct printer *p = e->printer;
	if (!e->port_lines)
		return LINES_GOOD;
	for (size_t i = 0; e->latched && i < EMU_LEN(classes); i++)
		if (e->latched >= classes[i].from && e->latched <= classes[i].to)
			return classes[i].lines;
	if (e->latched || p->jammed || p->faults.cover_open || p->faults.head_hot)
		return LINES_MACHINE;
	bool empty = printer_hopper(p) == 0 || !p->reel.kind || p->reel.ended || p->reel.sets == 0;
	return empty ? LINES_EMPTY : LINES_GOOD;
}

/* ---- switches ---- */

static const struct epcl_switch {
	const char *name;
	size_t at;
} switches[] = {
	{"replies", offsetof(struct epcl, replies)},
	{"port-status", offsetof(struct epcl, port_lines)},
	{"extended-memory", offsetof(struct epcl, extended_memory)},
	{"oversize-refused", offsetof(struct epcl, oversize_refused)},
	{"length-prefix", offsetof(struct epcl, parser.takes_prefix)},
	{"escape-images", offsetof(struct epcl, parser.escapes_image)},
};
static const char *const alias_names[ALIAS_COUNT] = {
	"dock-contact", "dock-contactless", "undock-ready", "undock-eject"};

static const char *
epcl_option(void *state, const char *name, const char *value)
{
	struct epcl *e = state;
	const struct epcl_model *m = e->printer->model->epcl;
	for (int a = 0; a < ALIAS_COUNT; a++) {
		if (strcmp(name, alias_names[a]))
			continue;
		snprintf(e->alias[a], sizeof e->alias[a], "%s", value);
		return NULL;
	}
	if (!strcmp(name, "terminator") || !strcmp(name, "magnetic-fault")) {
		long n = strtol(value, NULL, 10);
		if (n < 0 || n > 255)
			return "0 to 255";
		if (*name == 't')
			e->terminator = (uint8_t)n;
		else
			e->mag_fault = (int)n;
		return NULL;
	}
	for (size_t i = 0; i < EMU_LEN(switches); i++) {
		if (strcmp(name, switches[i].name))
			continue;
		if (strcmp(value, "on") && strcmp(value, "off"))
			return "on or off";
		*(bool *)((char *)e + switches[i].at) = !strcmp(value, "on");
		e->raster.max_dots = e->oversize_refused ? m->dots : m->image_dots;
		e->raster.max_lines = e->oversize_refused ? m->lines : m->image_lines;
		return NULL;
	}
	return "no such option";
}

/* ---- dispatch ---- */

static int call_run(struct epcl_call *c, const char *text, size_t len);

/* "M 2 IS 0[IS 1[MO": an error ends M, m goes on and tells the first one. */
static int
run_list(struct epcl_call *c)
{
	bool goes_on = c->verb->name[0] == 'm';
	const char *list = c->rest + (*c->rest == '[');
	int first = 0;
	for (long turn = 0; turn < c->n[0] && !c->e->printer->emu->stopping; turn++) {
		for (const char *at = list; *at;) {
			size_t n = strcspn(at, "[");
			struct epcl_call one = {.e = c->e};
			int code = n < EPCL_TEXT_MAX ? call_run(&one, at, n) : CODE_PARAMETER;
			if (one.answers)
				epcl_say(c, one.reply);
			if (code && !one.passing && !first)
				first = code;
			if (first && !goes_on)
				return first;
			at += n + (at[n] == '[');
		}
	}
	return first;
}

static int
run_reset(struct epcl_call *c)
{
	epcl_power(c->e);
	return 0;
}

static int
run_clear_error(struct epcl_call *c)
{
	c->e->latched = 0;
	return 0;
}

static const struct epcl_verb basic_verbs[] = {
	{"M", 1, 1, 1, LIST_TIMES_MAX, REST_TEXT, run_list},
	{"m", 1, 1, 1, LIST_TIMES_MAX, REST_TEXT, run_list},
	{".", 0, 0, 0, 0, REST_NONE, run_clear_error},
	{"R", 0, 0, 0, 0, REST_NONE, run_reset},
};

/* Does text begin with this name, whole? */
static bool
verb_fits(const struct epcl_verb *v, const char *text)
{
	size_t n = strlen(v->name);
	char next = strncmp(text, v->name, n) ? 'x' : text[n];
	if (strncmp(text, v->name, n))
		return false;
	if (v->rest == REST_TEXT && v->max == 0)
		return true;
	return !next || next == ' ' || next == '-' || (next >= '0' && next <= '9');
}

static const struct epcl_verb *
verb_find(const char *text)
{
	const struct {
		const struct epcl_verb *rows;
		size_t n;
	} tables[] = {{basic_verbs, EMU_LEN(basic_verbs)}, {epcl_print_verbs, n_epcl_print_verbs},
		{epcl_store_verbs, n_epcl_store_verbs},
		{epcl_magnetic_verbs, n_epcl_magnetic_verbs}};
	const struct epcl_verb *best = NULL;
	for (size_t t = 0; t < EMU_LEN(tables); t++)
		for (size_t i = 0; i < tables[t].n; i++)
			if (verb_fits(&tables[t].rows[i], text) &&
				(!best || strlen(tables[t].rows[i].name) > strlen(best->name)))
				best = &tables[t].rows[i];
	return best;
}

static int
verb_run(struct epcl_call *c, const struct epcl_verb *v, size_t len)
{
	c->verb = v;
	c->count = epcl_numbers(c->text + strlen(v->name), c->n, v->max, &c->rest);
	if (v->max == 0) {
		c->rest = c->text + strlen(v->name);
		if (v->rest == REST_NONE)
			c->rest += strspn(c->rest, " ");
	}
	c->rest_len = len - (size_t)(c->rest - c->text);
	if (c->count < v->min || (v->rest == REST_NONE && c->rest_len))
		return CODE_PARAMETER;
	for (unsigned i = 0; i < c->count; i++)
		if ((v->low || v->high) && (c->n[i] < v->low || c->n[i] > v->high))
			return CODE_PARAMETER;
	return v->run(c);
}

/* What the console wants this command to answer: a code, or a text. */
static int
say_run(struct epcl_call *c, const char *text)
{
	char *end;
	long code = strtol(text, &end, 10);
	if (end != text && !*end)
		return (int)code;
	epcl_say(c, text);
	return 0;
}

/* One command with everything that may happen at it. */
static int
call_run(struct epcl_call *c, const char *text, size_t len)
{
	struct epcl *e = c->e;
	struct printer *p = e->printer;
	char own[EPCL_TEXT_MAX], name[EPCL_ALIAS_MAX];
	memcpy(own, text, len);
	own[len] = 0;
	c->text = own;
	const struct epcl_verb *v = verb_find(own);
	int alias = -1;
	for (int a = 0; a < ALIAS_COUNT; a++)
		if (*e->alias[a] && !strcmp(e->alias[a], own))
			alias = a;
	snprintf(name, sizeof name, "%s", alias >= 0 ? alias_names[alias] : v ? v->name : own);
	e->commands++;
	json_object_set_new(e->seen, name,
		json_integer(json_integer_value(json_object_get(e->seen, name)) + 1));
	console_at_command(p, name);
	if (killer_command(p->emu, name, KILL_BEFORE) || p->faults.deaf || !p->powered) {
		c->passing = c->silent = true;
		return 0;
	}
	int code;
	if (p->faults.say_name[0] && !strcmp(p->faults.say_name, name))
		code = say_run(c, p->faults.say_text);
	else if (alias >= 0)
		code = epcl_alias_run(c, (enum epcl_alias)alias);
	else
		code = v && !printer_lacks(p, v->name) ? verb_run(c, v, len) : CODE_UNKNOWN;
	c->silent = killer_command(p->emu, name, KILL_AFTER);
	return code;
}

/* ---- answers ---- */

static void
reply_send(struct epcl *e)
{
	if (e->replies && e->last_len)
		printer_reply(e->printer, e->last, e->last_len);
}

static void
reply_make(struct epcl *e, const struct epcl_call *c, int code)
{
	if (code) {
		int n = snprintf((char *)e->last, sizeof e->last, "%c%02d%c", NACK, code, EOT);
		e->last_len = (size_t)n;
	} else if (c->answers) {
		size_t n = strlen(c->reply);
		memcpy(e->last, c->reply, n);
		e->last[n] = e->terminator;
		e->last_len = n + 1;
	} else {
		e->last[0] = ACK;
		e->last_len = 1;
	}
}

static void
command_handle(struct epcl *e)
{
	struct epcl_parser *p = &e->parser;
	struct epcl_call c = {.e = e};
	bool refused = e->latched && strcmp(p->text, ".");
	int code = p->code ? p->code : e->latched;
	bool repeats = !p->code && !strcmp(p->text, "e");
	if (repeats) {
		e->commands++;
		reply_send(e);
		return;
	}
	if (!refused && !p->code)
		code = call_run(&c, p->text, p->len);
	else if (refused)
		code = e->latched;
	emu_log(e->printer->emu, "%.60s -> %d%s%.60s", p->text, code, c.answers ? " " : "",
		c.reply);
	if (code && !c.passing && !refused) {
		e->errors++;
		e->latched = code;
		bool syntax = (code >= CODE_PARAMETER && code <= CODE_TIMEOUT) ||
			      code == CODE_MAG_DATA || code == CODE_SEQUENCE;
		if (syntax)
			epcl_strict(e, "refused", p->text);
	}
	reply_make(e, &c, code);
	if (!c.silent)
		reply_send(e);
}

static void
transfer_check(struct epcl *e)
{
	struct epcl_call c = {.e = e};
	if (!epcl_parser_inside(&e->parser) || now_ms() - e->heard_ms < TRANSFER_MAX_MS)
		return;
	epcl_parser_reset(&e->parser);
	epcl_strict(e, "the rest of a command did not come", e->parser.text);
	e->latched = CODE_TIMEOUT;
	e->errors++;
	reply_make(e, &c, CODE_TIMEOUT);
	reply_send(e);
}

static void
epcl_feed(void *state, const uint8_t *data, size_t len)
{
	struct epcl *e = state;
	transfer_check(e);
	while (epcl_parser_next(&e->parser, &data, &len))
		command_handle(e);
	e->heard_ms = now_ms();
}

const struct dialect dialect_epcl = {
	.name = "epcl",
	.create = epcl_create,
	.destroy = epcl_destroy,
	.feed = epcl_feed,
	.link_reset = epcl_link_reset,
	.power = epcl_power,
	.status = epcl_status,
	.port_status = epcl_port_status,
	.option = epcl_option,
};
