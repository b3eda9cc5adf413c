/*
 * evolis.c - the Evolis printer family.
 *
 * Owns the tables of models and dialogues, which fault a reply means, and opening, beginning and
 * ending. Guarantees that every reply is read and understood before the next command. On failure
 * err names the fault and carries the printer's own words; open closes the transport.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/evolis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLANE_COMMAND_MAX ((size_t)1 << 20)

/* ---- dialogues ------------------------------------------------------------- */

/* Contrast, brightness and heat run from 0 to 20 with 10 as made; brightness has no 0. */
static const struct step classic_begin[] = {
	{STEP_MUST, "Pem;2", '\0'},
	{STEP_MUST, "Pr;$r", '\0'},
	{STEP_MAY, "Pmi;F", '\0'},
	{STEP_SETTING, "Pc;y;=;$c", 'Y'},
	{STEP_SETTING, "Pc;m;=;$c", 'M'},
	{STEP_SETTING, "Pc;c;=;$c", 'C'},
	{STEP_SETTING, "Pl;y;=;$b", 'Y'},
	{STEP_SETTING, "Pl;m;=;$b", 'M'},
	{STEP_SETTING, "Pl;c;=;$b", 'C'},
	{STEP_SETTING, "Pc;k;=;$d", 'K'},
	{STEP_MAY, "Pc;o;=;10", 'O'},
	{STEP_END, NULL, '\0'},
};
static const struct step classic_end[] = {
	{STEP_MUST, "Pem;0", '\0'},
	{STEP_END, NULL, '\0'},
};

/* Pebble, Dualys, Tattoo, Quantum: ribbons by name. */
static const struct dialect classic = {
	.name = "classic",
	.begin = classic_begin,
	.end = classic_end,
	.start = "Ss",
	.side = {[SIDE_FRONT] = "Sr", [SIDE_BACK] = "Sv"},
	.finish = "Se",
	.feed = {[PLACE_PRINT] = "Si", [PLACE_CONTACT] = "Sis", [PLACE_CONTACTLESS] = "Sic"},
	.eject = {[EXIT_HOPPER] = "Se", [EXIT_REJECT] = "Ser"},
	.question = {[ASK_MODEL] = "Rtp",
		[ASK_SERIAL] = "Rsn",
		[ASK_FIRMWARE] = "Rfv",
		[ASK_PLACE] = "Rlr;p",
		[ASK_LAST] = "Rlr",
		[ASK_COVER] = "Rse;o",
		[ASK_FEEDER] = "Rse;f",
		[ASK_RIBBON_MARK] = "Rcr",
		[ASK_RIBBON_LEFT] = "Rco;i", /* a count, no tag: near the end it is a guess */
		[ASK_CARDS] = "Rco;c",
		[ASK_CLEANING] = "Rco;r"},
};

/* ---- models ---------------------------------------------------------------- */

/* Sources and confidence of each column: doc/PRINTERS.md. */
#define CLASSIC_COLUMNS                                                                            \
	.dialect = &classic, .colour_levels = 128, .compressed = true, .short_lines = false,       \
	.pad = 64, .turned = {false, false}, .uv_letter = '\0', .place_reported = true,            \
	.cover_open_below_mv = 2500, .feeder_empty_below_mv = 2500, .reply_gap_ms = 50,            \
	.param_ms = 3000, .plane_ms = 30000, .move_ms = 30000, .print_ms = 120000

static const struct evolis_model dualys3 = {CLASSIC_COLUMNS};
static const struct evolis_model pebble = {CLASSIC_COLUMNS};

static const struct printer_model models[] = {
	{.name = "Evolis Dualys 3",
		.mdl = "Dualys 3",
		.head_dots = 648,
		.head_lines = 1016,
		.dpi = 300,
		.duplex = true,
		.contact = true,
		.contactless = true,
		.magnetic = true,
		.ribbons = "ymckok ymcko ko k",
		.family = &dualys3,
		.confidence = CONFIDENCE_SOURCED},
	{.name = "Evolis Pebble 3",
		.mdl = "Pebble 3",
		.head_dots = 648,
		.head_lines = 1016,
		.dpi = 300,
		.duplex = false,
		.contact = true,
		.contactless = true,
		.magnetic = true,
		.ribbons = "ymcko ko k",
		.family = &pebble,
		.confidence = CONFIDENCE_INFERRED},
	{.name = "Evolis Pebble 4",
		.mdl = "Pebble 4",
		.head_dots = 648,
		.head_lines = 1016,
		.dpi = 300,
		.duplex = false,
		.contact = true,
		.contactless = true,
		.magnetic = true,
		.ribbons = "ymcko ko k",
		.family = &pebble,
		.confidence = CONFIDENCE_INFERRED},
};

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
	size_t n = strlen(word);

	for (const char *at = list; *at; at += strcspn(at, " "), at += strspn(at, " "))
		if (strcspn(at, " ") == n && strncmp(at, word, n) == 0)
			return true;
	return false;
}

static int
level_of(int correction, int least)
{
	int level = 10 + (correction < -10 ? -10 : correction > 10 ? 10 : correction);

	return level < least ? least : level;
}

/* Writes the step's command with its values. *plain: the value is the printer's own default. */
static void
step_expand(const struct printer *p, const struct step *s, char *out, size_t max, bool *plain)
{
	const char *mark = strchr(s->command, '$');
	int head = mark ? (int)(mark - s->command) : (int)strlen(s->command), level = 10;

	*plain = false;
	if (!mark || mark[1] == 'r') {
		snprintf(out, max, "%.*s%s", head, s->command, mark ? p->job.ribbon->name : "");
		return;
	}
	if (mark[1] == 'c')
		level = level_of(p->job.contrast, 0);
	else if (mark[1] == 'b')
		level = level_of(p->job.brightness, 1);
	else if (mark[1] == 'd')
		level = level_of(p->job.darkness, 0);
	snprintf(out, max, "%.*s%d", head, s->command, level);
	*plain = level == 10;
}

static int
dialogue_run(struct printer *p, const struct step *steps, struct err *e)
{
	const struct ribbon *ribbon = p->job.ribbon;
	char text[64];
	bool plain, sent;

	for (const struct step *s = steps; s->kind != STEP_END; s++) {
		if (s->panel && !strchr(ribbon->front, s->panel) &&
			!(p->job.duplex && strchr(ribbon->back, s->panel)))
			continue;
		step_expand(p, s, text, sizeof text, &plain);
		int rc = command_run(p, DOING_SETUP, text, p->m->param_ms, &sent, e);
		bool quiet = s->kind == STEP_MAY || (s->kind == STEP_SETTING && plain);
		if (rc == ERR_FAULT && e->fault == FAULT_REFUSED && quiet)
			rc = 0;
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
	p->job = *job;
	planes_drop(p);
	return dialogue_run(p, p->m->dialect->begin, e);
}

static int
evolis_end(struct printer *p, struct err *e)
{
	struct err own;

	return dialogue_run(p, p->m->dialect->end, e ? e : &own);
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

/* What the administrator set goes before the model's own time limits. */
static void
columns_take(struct printer *p, const struct evolis_model *m)
{
	const struct printer_limits *limits = &p->link.transport->limits;

	p->columns = *m;
	p->columns.param_ms = limits->reply_ms ? limits->reply_ms : m->param_ms;
	p->columns.move_ms = limits->move_ms ? limits->move_ms : m->move_ms;
	p->columns.plane_ms = limits->plane_ms ? limits->plane_ms : m->plane_ms;
	p->columns.print_ms = limits->print_ms ? limits->print_ms : m->print_ms;
	p->m = p->link.m = &p->columns;
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
	columns_take(p, p->model->family);
	return 0;
}

static int
evolis_open(struct printer **out, struct transport *t, const struct usb_printer *id, struct err *e)
{
	struct printer *p = calloc(1, sizeof *p);
	struct err own;

	*out = NULL;
	if (!e)
		e = &own;
	if (!p) {
		t->ops->close(t);
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	}
	p->link.transport = t;
	columns_take(p, models[0].family);
	for (int side = 0; side < SIDE_COUNT; side++)
		for (int i = 0; i < PANEL_COUNT; i++)
			buf_init(&p->planes[side][i], PLANE_COMMAND_MAX);
	int rc = link_start(&p->link, id->serial, e);
	if (rc == 0)
		rc = model_learn(p, id, e);
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
	.models = models,
	.n_models = ARRAY_LEN(models),
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
};
