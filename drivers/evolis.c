/*
 * evolis.c - the Evolis printer family.
 *
 * Owns which fault a reply means, opening, beginning and ending. Guarantees that every reply is
 * read and understood before the next command, and that a command which the firmware refused is
 * replaced by its older form for the rest of the connection, and told once. On failure err names
 * the fault and carries the printer's own words; open closes the transport.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/evolis.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLANE_COMMAND_MAX ((size_t)1 << 20)

static const uint16_t vendors[] = {0x0f49, 0};

/* ---- the printer ----------------------------------------------------------- */

static const struct {
	enum fault jam, full;
} doings[] = {
	[DOING_SETUP] = {FAULT_MECHANICAL, FAULT_OUTPUT_FULL},
	[DOING_FEED] = {FAULT_JAM_FEED, FAULT_OUTPUT_FULL},
	[DOING_MOVE] = {FAULT_JAM_STATION, FAULT_OUTPUT_FULL},
	[DOING_PRINT] = {FAULT_JAM_PRINT, FAULT_OUTPUT_FULL},
	[DOING_FLIP] = {FAULT_JAM_FLIP, FAULT_OUTPUT_FULL},
	[DOING_EJECT] = {FAULT_JAM_EJECT, FAULT_OUTPUT_FULL},
	[DOING_REJECT] = {FAULT_JAM_REJECT, FAULT_REJECT_FULL},
};

int
act_failed(int rc, bool sent, struct err *e)
{
	if (rc == ERR_FAULT)
		return rc;
	if (sent)
		rc = ERR_DOUBT;
	else if (rc == ERR_DOUBT)
		rc = ERR_FAULT;
	e->code = rc;
	return rc;
}

int
look_failed(int rc, struct err *e)
{
	if (rc == ERR_DOUBT)
		e->code = rc = ERR_DEVICE;
	return rc;
}

int
reply_garbled(struct printer *p, const struct wire_reply *r, struct err *e)
{
	p->link.owed = true;
	return fault_set(e, FAULT_GARBLED_REPLY, r->text);
}

enum fault
text_fault(const struct printer *p, const struct wire_text *text)
{
	if (text->class == WIRE_JAM)
		return doings[p->doing].jam;
	if (text->class == WIRE_FULL)
		return doings[p->doing].full;
	return text->fault;
}

int
reply_judge(struct printer *p, const struct wire_reply *r, struct err *e)
{
	const struct wire_text *text = wire_text_find(r);

	if (text->class == WIRE_OK)
		return 0;
	if (text->class == WIRE_UNKNOWN)
		return reply_garbled(p, r, e);
	fault_set(e, text_fault(p, text), r->text);
	p->wants_cleaning |= text->fault == FAULT_CLEANING_DUE;
	e->code = ERR_FAULT;
	return ERR_FAULT;
}

/*
 * "ERROR RIBBON" is all the classic printers say. At its end mark the ribbon is used up; elsewhere
 * the printer refuses it: another kind than was declared, or torn. Nothing tells those two apart.
 */
static int
ribbon_judge(struct printer *p, struct err *e)
{
	struct wire_reply mark;
	struct err why;
	bool known;
	char raw[ERR_RAW_MAX];

	snprintf(raw, sizeof raw, "%s", e->raw);
	if (question_ask(p, ASK_RIBBON_MARK, &mark, &known, &why) != 0 || !known ||
		wire_text_find(&mark)->class != WIRE_OK)
		return ERR_FAULT;
	p->ribbon_refused = true;
	p->ribbon_left = ribbon_count(p);
	fault_set(e, FAULT_RIBBON_WRONG, raw);
	return ERR_FAULT;
}

int
act_judge(struct printer *p, const struct wire_reply *r, struct err *e)
{
	int rc = reply_judge(p, r, e);

	return rc == ERR_FAULT && e->fault == FAULT_RIBBON_END ? ribbon_judge(p, e) : rc;
}

int
command_run(struct printer *p, enum doing doing, const char *text, unsigned timeout_ms, bool *sent,
	struct err *e)
{
	struct wire_reply reply;

	p->doing = doing;
	int rc = link_command(&p->link, text, timeout_ms, &reply, sent, e);
	return rc ? rc : act_judge(p, &reply, e);
}

/* ---- begin and end --------------------------------------------------------- */

static bool
word_listed(const char *list, const char *word)
{
	size_t n = strcspn(word, ";");

	for (const char *at = list; *at; at += strcspn(at, " "), at += strspn(at, " "))
		if (strcspn(at, " ") == n && strncmp(at, word, n) == 0)
			return true;
	return false;
}

bool
command_lacking(const struct printer *p, const char *text)
{
	return p->model && p->model->lacks && word_listed(p->model->lacks, text);
}

void
note_add(struct printer *p, const char *format, ...)
{
	size_t used = strlen(p->note);
	va_list args;

	if (used > 0 && used < sizeof p->note - 1)
		p->note[used++] = ' ';
	va_start(args, format);
	vsnprintf(p->note + used, sizeof p->note - used, format, args);
	va_end(args);
}

static const char *
evolis_note(struct printer *p)
{
	memcpy(p->told, p->note, sizeof p->told);
	p->note[0] = '\0';
	return p->told[0] ? p->told : NULL;
}

int
tag_send(struct printer *p, const char *text, struct err *e)
{
	size_t done;

	return p->m->job_tags && p->dialect->numbered
		       ? p->link.transport->ops->write(
				 p->link.transport, text, strlen(text), &done, p->m->param_ms, e)
		       : 0;
}

static int
level_of(int correction, int least)
{
	int level = 10 + (correction < -10 ? -10 : correction > 10 ? 10 : correction);

	return level < least ? least : level;
}

/* What only a job that asked for it has: "" for others, NULL for other marks. */
static const char *
asked_word(const struct printer *p, char mark, char *speed, size_t max)
{
	const char *fast = p->job.speed > 5 ? "f" : "s";

	snprintf(speed, max, "%u", p->job.speed);
	if (mark == 'h')
		return p->job.coercivity == 'h' ? "h" : p->job.coercivity == 'l' ? "l" : "";
	if (!strchr("sSfF", mark))
		return NULL;
	if (!p->job.speed)
		return "";
	return mark == 's' ? speed : mark == 'f' ? fast : mark == 'S' ? "10" : "s";
}

/* The value behind a '$'. False if there is none for this job. */
static bool
step_value(const struct printer *p, char mark, char *out, size_t max)
{
	char speed[16];
	int number = mark == 'n'   ? evolis_ribbon_number(p->job.ribbon->name)
		     : mark == 'c' ? level_of(p->job.contrast, 0)
		     : mark == 'b' ? level_of(p->job.brightness, 1)
				   : level_of(p->job.darkness, 0);
	const char *word = mark == 'r'   ? p->job.ribbon->name
			   : mark == 'e' ? p->m->eject_to
			   : mark == 'j' ? p->m->reject_to
					 : asked_word(p, mark, speed, sizeof speed);

	if (word)
		snprintf(out, max, "%s", word);
	else
		snprintf(out, max, "%d", number);
	return word ? word[0] != '\0' : number >= 0;
}

/* Writes a command with its value. *plain: the value is the printer's own default. False when this
 * job has no value for it. */
static bool
step_expand(const struct printer *p, const char *command, char *out, size_t max, bool *plain)
{
	const char *mark = strchr(command, '$');
	char value[32] = "";

	if (mark && !step_value(p, mark[1], value, sizeof value))
		return false;
	*plain = mark && strchr("cbd", mark[1]) && strcmp(value, "10") == 0;
	snprintf(out, max, "%.*s%s%s", mark ? (int)(mark - command) : (int)strlen(command), command,
		value, mark ? mark + 2 : "");
	return true;
}

/* The step's command, or its older form from the moment on that the firmware refused the first. */
static int
step_run(struct printer *p, const struct step *s, uint64_t bit, struct err *e)
{
	bool older = s->older && (p->older_step & bit), plain = false, sent;
	char text[64], first[64];
	int rc;

	if (!step_expand(p, older ? s->older : s->command, text, sizeof text, &plain) ||
		command_lacking(p, text))
		return 0;
	rc = command_run(p, DOING_SETUP, text, p->m->param_ms, &sent, e);
	if (rc != ERR_FAULT || e->fault != FAULT_REFUSED)
		return rc;
	if (s->older && !older) {
		snprintf(first, sizeof first, "%s", text);
		if (!step_expand(p, s->older, text, sizeof text, &plain))
			return rc;
		int again = command_run(p, DOING_SETUP, text, p->m->param_ms, &sent, e);
		if (again == 0) {
			p->older_step |= bit;
			note_add(p, _("The printer's firmware does not know %s; %s is used."),
				first, text);
		}
		if (again != ERR_FAULT || e->fault != FAULT_REFUSED)
			return again;
	}
	if (s->kind == STEP_TELL && !(p->older_step & bit)) {
		p->older_step |= bit;
		note_add(p, _("The printer's firmware does not know %s."), text);
	}
	return s->kind == STEP_MUST || (s->kind == STEP_SETTING && !plain) ? rc : 0;
}

static int
dialogue_run(struct printer *p, const struct step *steps, struct err *e)
{
	const struct ribbon *ribbon = p->job.ribbon;
	uint64_t bit = steps == p->dialect->begin ? 1 : UINT64_C(1) << 32;

	for (const struct step *s = steps; s->kind != STEP_END; s++, bit <<= 1) {
		if (s->panel && !strchr(ribbon->front, s->panel) &&
			!(p->job.duplex && strchr(ribbon->back, s->panel)))
			continue;
		int rc = step_run(p, s, bit, e);
		if (rc)
			return look_failed(rc, e);
	}
	return 0;
}

void
planes_drop(struct printer *p)
{
	for (int side = 0; side < SIDE_COUNT; side++)
		for (int i = 0; i < PANEL_COUNT; i++)
			buf_done(&p->planes[side][i]);
	memset(p->before, 0, sizeof p->before);
	explicit_bzero(p->track, sizeof p->track);
	p->loaded = false;
}

static int
evolis_begin(struct printer *p, const struct print_job *job, struct err *e)
{
	struct err own;

	if (!e)
		e = &own;
	if (!job->ribbon || !word_listed(p->model->ribbons, job->ribbon->name))
		return err_set(e, ERR_USAGE,
			_("The ribbon %s does not fit the %s. Choose one of: %s."),
			job->ribbon ? job->ribbon->name : "-", p->model->name, p->model->ribbons);
	if (job->duplex && !p->model->duplex)
		return err_set(e, ERR_USAGE,
			_("The %s prints one side only. Choose one-sided printing."),
			p->model->name);
	int rc = print_job_check(p->model, job, e);
	if (rc)
		return rc;
	p->job = *job;
	planes_drop(p);
	rc = tag_send(p, "<HEADER>", e);
	if (rc == 0)
		rc = dialogue_run(p, p->dialect->begin, e);
	if (rc == 0)
		rc = tag_send(p,
			job->duplex ? "</HEADER><OPTION Dpi=300x300></OPTION><DOC Duplex=1>"
				    : "</HEADER><OPTION Dpi=300x300></OPTION><DOC Duplex=0>",
			e);
	return rc;
}

static int
evolis_end(struct printer *p, struct err *e)
{
	struct err own;

	if (!e)
		e = &own;
	int rc = tag_send(p, "</DOC>", e);
	if (rc == 0)
		rc = dialogue_run(p, p->dialect->end, e);
	return rc ? rc : tag_send(p, "<END>", e);
}

/* ---- open and close -------------------------------------------------------- */

static void
evolis_close(struct printer *p)
{
	if (!p)
		return;
	planes_drop(p);
	p->link.transport->ops->close(p->link.transport);
	free(p);
}

static const struct printer_model *
evolis_model(const struct printer *p)
{
	return p->model;
}

/* By the 1284 id; by the printer's own answer when the id says nothing known. */
static int
model_learn(struct printer *p, const struct usb_printer *id, struct err *e)
{
	char mdl[64] = "";
	int rc = question_text(p, ASK_MODEL, p->model_text, sizeof p->model_text, e);

	if (rc)
		return rc;
	if (device_id_get(id->device_id, "MDL", mdl, sizeof mdl) != 0)
		snprintf(mdl, sizeof mdl, "%s", id->model);
	p->model = printer_model_find(&printer_evolis, mdl);
	if (!p->model)
		p->model = printer_model_find(&printer_evolis, p->model_text);
	if (!p->model)
		return err_set(e, ERR_DEVICE,
			_("This printer calls itself \"%s\", a model that is not known here. See "
			  "doc/PRINTERS.md."),
			mdl[0] ? mdl : p->model_text);
	rc = printer_overrides_check(p->model, p->link.transport, e);
	return rc ? rc : evolis_columns(&p->columns, p->model, p->link.transport, e);
}

/*
 * The model says which command set to expect, the printer has the last word: the ribbon's tag can
 * be asked for in the newer one only. No answer, or a stray OK, leaves the expectation.
 */
static int
dialect_learn(struct printer *p, struct err *e)
{
	const struct dialect *expected = p->model->family;
	struct wire_reply reply;
	bool sent;

	p->dialect = expected;
	if (strcmp(p->m->dialect, "ask") != 0) {
		p->dialect =
			strcmp(p->m->dialect, "numbered") == 0 ? &evolis_numbered : &evolis_classic;
		return 0;
	}
	for (int tries = 0; tries < 2; tries++) {
		int rc = link_command(&p->link, evolis_numbered.question[ASK_RIBBON_LEFT],
			p->m->param_ms, &reply, &sent, e);
		if (rc)
			return rc;
		int64_t count;
		const struct wire_text *text = wire_text_find(&reply);
		if (text->class == WIRE_REFUSED)
			p->dialect = &evolis_classic;
		else if (wire_number(&reply, &count) == 0 || text->fault == FAULT_RIBBON_NONE)
			p->dialect = &evolis_numbered;
		if (text->class != WIRE_OK)
			break;
	}
	if (p->dialect != expected)
		note_add(p,
			p->dialect->numbered
				? _("The printer's firmware is newer than the %s is known for; its "
				    "newer commands are used.")
				: _("The printer's firmware does not know the newer commands of "
				    "the %s; the older ones are used."),
			p->model->name);
	return 0;
}

static struct printer *
printer_create(struct transport *t)
{
	struct printer *p = calloc(1, sizeof *p);
	struct err ignored;

	if (!p)
		return NULL;
	p->link.transport = t;
	p->dialect =
		&evolis_classic; /* what both have in common is asked before the model is known */
	p->m = p->link.m = &p->columns;
	const struct transport plain = {.ops = t->ops, .limits = t->limits};
	evolis_columns(&p->columns, &evolis_models[0], &plain, &ignored);
	for (int side = 0; side < SIDE_COUNT; side++)
		for (int i = 0; i < PANEL_COUNT; i++)
			buf_init(&p->planes[side][i], PLANE_COMMAND_MAX);
	return p;
}

static int
evolis_open(struct printer **out, struct transport *t, const struct usb_printer *id, struct err *e)
{
	struct printer *p = printer_create(t);
	struct err own;

	*out = NULL;
	if (!e)
		e = &own;
	if (!p) {
		t->ops->close(t);
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	}
	int rc = link_start(&p->link, id->serial, e);
	if (rc == 0)
		rc = model_learn(p, id, e);
	if (rc == 0)
		rc = dialect_learn(p, e);
	if (rc == 0)
		rc = question_text(p, ASK_FIRMWARE, p->firmware, sizeof p->firmware, e);
	if (rc == 0)
		rc = place_observe(p, e);
	if (rc) {
		rc = look_failed(rc, e);
		evolis_close(p);
		return rc;
	}
	*out = p;
	return 0;
}

const struct printer_driver printer_evolis = {
	.family = "evolis",
	.vendors = vendors,
	.models = evolis_models,
	.n_models = EVOLIS_MODELS,
	.open = evolis_open,
	.close = evolis_close,
	.model = evolis_model,
	.status = evolis_status,
	.begin = evolis_begin,
	.feed = evolis_feed,
	.load = evolis_load,
	.tracks = evolis_tracks,
	.print = evolis_print,
	.eject = evolis_eject,
	.end = evolis_end,
	.service = evolis_service,
	.probe = evolis_probe,
	.commands = evolis_commands,
	.note = evolis_note,
};
