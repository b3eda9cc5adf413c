/*
 * epcl.c - the Zebra EPCL printer family.
 *
 * Owns what a reply means for an act, opening, beginning and ending; the tables of models, settings
 * and commands are in epcl-table.c. Guarantees that every reply is read and understood before the
 * next command. On failure err names the fault and carries the printer's own words; open closes the
 * transport.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/epcl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLANE_COMMAND_MAX ((size_t)2 << 20)

/* ---- settings -------------------------------------------------------------- */

const char *
epcl_setting(const struct printer *p, const char *name)
{
	const char *value = printer_setting_value(p->model, p->link.transport, name);

	return value ? value : "";
}

unsigned
epcl_setting_number(const struct printer *p, const char *name, unsigned otherwise)
{
	const char *value = epcl_setting(p, name);
	char *end;
	unsigned long v = strtoul(value, &end, 10);

	return value[0] < '0' || value[0] > '9' || *end || v > 1000000 ? otherwise : (unsigned)v;
}

/* ---- what a reply means ---------------------------------------------------- */

int
epcl_act_failed(int rc, bool sent, struct err *e)
{
	if (rc == ERR_FAULT)
		return rc;
	if (sent)
		rc = ERR_DOUBT;
	else if (rc == ERR_DOUBT || rc == ERR_DEVICE)
		rc = ERR_FAULT;
	e->code = rc;
	return rc;
}

int
epcl_look_failed(int rc, struct err *e)
{
	if (rc == ERR_DOUBT)
		e->code = rc = ERR_DEVICE;
	return rc;
}

int
epcl_judge(struct printer *p, enum epcl_doing doing, const struct epcl_reply *r, struct err *e)
{
	char raw[EPCL_TEXT_MAX + 16];
	enum fault fault = FAULT_NONE;

	if (r->kind == EPCL_ACK)
		return 0;
	epcl_reply_describe(r, raw, sizeof raw);
	if (r->kind == EPCL_NACK)
		fault = epcl_code_fault(r->code, doing);
	if (fault == FAULT_NONE) {
		p->link.owed = true;
		return fault_set(e, FAULT_GARBLED_REPLY, raw);
	}
	fault_set(e, fault, raw);
	e->code = ERR_FAULT;
	/* The printer shows it no more once it is cleared, and the next command needs it cleared.
	 */
	if (fault_row((int)fault)->action == FAULT_WAIT ||
		fault_row((int)fault)->action == FAULT_SPOIL) {
		if (fault_row((int)fault)->action == FAULT_SPOIL &&
			(p->place == PLACE_CONTACT || p->place == PLACE_CONTACTLESS)) {
			p->place = PLACE_UNKNOWN; /* somebody will take it out, and no question shows it */
			p->maybe_docked = true;
		}
		p->held_fault = fault;
		p->hold_until_ms = epcl_now_ms() + p->hold_ms;
		snprintf(p->held_raw, sizeof p->held_raw, "%.*s", ERR_RAW_MAX - 1, raw);
	}
	return ERR_FAULT;
}

int
epcl_set(struct printer *p, const char *text, struct err *e)
{
	struct epcl_reply reply;
	bool sent;
	int rc = epcl_link_command(&p->link, text, p->link.reply_ms, &reply, &sent, e);

	return epcl_look_failed(rc ? rc : epcl_judge(p, EPCL_SETUP, &reply, e), e);
}

/*
 * ACK may mean "done" or only "taken"; commands are worked off in order, so the answer to V behind
 * it proves that the motion is over and met no error.
 */
int
epcl_act(struct printer *p, enum epcl_doing doing, const char *text, unsigned timeout_ms,
	struct err *e)
{
	struct epcl_reply reply;
	bool sent, asked;
	int rc = epcl_link_command(&p->link, text, timeout_ms, &reply, &sent, e);

	if (rc == 0)
		rc = epcl_judge(p, doing, &reply, e);
	if (rc)
		return epcl_act_failed(rc, sent, e);
	rc = epcl_link_command(&p->link, "V", timeout_ms, &reply, &asked, e);
	if (rc == 0 && reply.kind == EPCL_TEXT && strcmp(reply.text, p->link.version) == 0)
		return 0;
	if (rc == 0 && (reply.kind == EPCL_ACK) && p->link.version[0])
		rc = fault_set(e, FAULT_GARBLED_REPLY, "ACK");
	else if (rc == 0)
		rc = epcl_judge(p, doing, &reply, e);
	if (rc == ERR_DOUBT && e->fault == FAULT_GARBLED_REPLY)
		p->link.owed = true;
	return rc ? epcl_act_failed(rc, true, e) : 0;
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

/* The value that the setting has as made, corrected by -10 to 10, within what the printer takes. */
static unsigned
level_of(const struct printer *p, const char *setting, int correction)
{
	int base = (int)epcl_setting_number(p, setting, 5);
	int most = (int)epcl_setting_number(p, "intensity-max", 10);
	int level = base + base * (correction < -10 ? -10 : correction > 10 ? 10 : correction) / 10;

	return (unsigned)(level < 0 ? 0 : level > most && most >= base ? most : level);
}

static const struct {
	const char *command; /* %u: the level */
	const char *setting;
	char panel, without; /* sent only when the ribbon has panel and has not without */
	enum { BY_BRIGHTNESS, BY_CONTRAST, BY_DARKNESS, AS_MADE } by;
} levels[] = {
	{"+$L 0 %u", "intensity-y", 'Y', '-', BY_BRIGHTNESS},
	{"+$L 1 %u", "intensity-m", 'M', '-', BY_BRIGHTNESS},
	{"+$L 2 %u", "intensity-c", 'C', '-', BY_BRIGHTNESS},
	{"+$C 0 %u", "contrast-y", 'Y', '-', BY_CONTRAST},
	{"+$C 1 %u", "contrast-m", 'M', '-', BY_CONTRAST},
	{"+$C 2 %u", "contrast-c", 'C', '-', BY_CONTRAST},
	{"+C %u", "intensity-k", 'K', 'Y', BY_DARKNESS},
	{"+C %u", "intensity-k-colour", 'K', '\0', BY_DARKNESS},
	{"+CV %u", "intensity-varnish", 'O', '-', AS_MADE},
};

/* A printer that does not know a setting is used as it is, unless another value was asked for. */
static int
levels_send(struct printer *p, struct err *e)
{
	const char *panels = p->job.ribbon->front;
	bool colour = strchr(panels, 'Y') != NULL;
	int rc = 0;
	char text[32];

	for (size_t i = 0; i < ARRAY_LEN(levels) && rc == 0; i++) {
		int by[] = {p->job.brightness, p->job.contrast, p->job.darkness, 0};
		if (!strchr(panels, levels[i].panel) || (levels[i].without == 'Y' && colour) ||
			(levels[i].without == '\0' && !colour))
			continue;
		snprintf(text, sizeof text, "%.*s%u", (int)strcspn(levels[i].command, "%"),
			levels[i].command, level_of(p, levels[i].setting, by[levels[i].by]));
		rc = epcl_set(p, text, e);
		if (rc == ERR_FAULT && e->fault == FAULT_REFUSED && by[levels[i].by] == 0)
			rc = 0;
	}
	return rc;
}

static int
ribbon_send(struct printer *p, struct err *e)
{
	char name[64], text[48];

	snprintf(name, sizeof name, "ribbon-%.32s", p->job.ribbon->name);
	const char *value = epcl_setting(p, name);
	if (!value[0])
		return err_set(e, ERR_USAGE,
			_("It is not known how to name the ribbon %s to the %s. Set %s to the "
			  "number after +RIB in the printer's manual, or to tag if the printer "
			  "reads it from the ribbon."),
			p->job.ribbon->name, p->model->name, name);
	if (strcmp(value, "tag") == 0)
		return 0;
	snprintf(text, sizeof text, "+RIB %.16s", value);
	return epcl_set(p, text, e);
}

static int
epcl_begin(struct printer *p, const struct print_job *job, struct err *e)
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
	epcl_planes_drop(p);
	rc = ribbon_send(p, e);
	if (rc == 0 && epcl_setting(p, "reject-setup")[0])
		rc = epcl_set(p, epcl_setting(p, "reject-setup"), e);
	return rc ? rc : levels_send(p, e);
}

/* Nothing of what begin() set outlives the next begin(). */
static int
epcl_end(struct printer *p, struct err *e)
{
	(void)p;
	(void)e;
	return 0;
}

void
epcl_planes_drop(struct printer *p)
{
	for (int side = 0; side < SIDE_COUNT; side++)
		for (int i = 0; i < PANEL_COUNT; i++) {
			struct epcl_panel *panel = &p->panels[side][i];
			buf_done(&panel->data);
			*panel = (struct epcl_panel){.area = ""};
			buf_init(&panel->data, PLANE_COMMAND_MAX);
		}
	explicit_bzero(p->track, sizeof p->track);
	p->loaded = false;
}

/* ---- open and close -------------------------------------------------------- */

static void
epcl_close(struct printer *p)
{
	if (!p)
		return;
	epcl_planes_drop(p);
	epcl_link_done(&p->link);
	free(p);
}

static const struct printer_model *
epcl_model(const struct printer *p)
{
	return p->model;
}

/* The row whose name stands in text as a word: "Zebra P330i USB Card Printer". */
static const struct printer_model *
model_in(const char *text)
{
	for (size_t i = 0; i < EPCL_N_MODELS; i++) {
		const char *name = epcl_models[i].mdl;
		size_t n = strlen(name);
		for (const char *at = text; *at; at++) {
			bool begins = at == text || strchr(" -_:;,", at[-1]);
			if (begins && strncasecmp(at, name, n) == 0 &&
				(!at[n] || strchr(" -_:;,.()", at[n])))
				return &epcl_models[i];
		}
	}
	return NULL;
}

static const struct printer_model *
model_find(const struct usb_printer *id, const char *version)
{
	const char *texts[] = {id->device_id, id->model, version};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const struct printer_model *m = model_in(texts[i]);
		if (m)
			return m;
	}
	for (size_t i = 0; i < EPCL_N_MODELS; i++)
		if (id->product && epcl_models[i].product == id->product)
			return &epcl_models[i];
	return NULL;
}

/* The vendor id is that of label printers too; those speak another language. */
static bool
is_label_printer(const struct usb_printer *id)
{
	char cmd[64] = "";

	return device_id_get(id->device_id, "CMD", cmd, sizeof cmd) == 0 &&
	       (strstr(cmd, "ZPL") || strcmp(cmd, "EPL") == 0 || strstr(cmd, "CPCL"));
}

static void
settings_take(struct printer *p)
{
	const struct printer_limits *limits = &p->link.transport->limits;

	p->link.reply_ms =
		limits->reply_ms ? limits->reply_ms : epcl_setting_number(p, "reply-ms", 2000);
	p->link.plane_ms =
		limits->plane_ms ? limits->plane_ms : epcl_setting_number(p, "plane-ms", 30000);
	p->move_ms = limits->move_ms ? limits->move_ms : epcl_setting_number(p, "move-ms", 60000);
	p->print_ms =
		limits->print_ms ? limits->print_ms : epcl_setting_number(p, "print-ms", 120000);
	p->link.gap_ms = epcl_setting_number(p, "reply-gap-ms", 50);
	p->hold_ms = epcl_setting_number(p, "fault-hold-ms", 5000);
	p->extended = strcmp(epcl_setting(p, "memory"), "extended") == 0;
	p->replies = strcmp(epcl_setting(p, "replies"), "off") != 0;
}

static int
printer_start(struct printer *p, const struct usb_printer *id, struct err *e)
{
	if (is_label_printer(id))
		return err_set(e, ERR_DEVICE,
			_("This is a label printer, not a card printer. Choose another one."));
	p->model = model_find(id, "");
	if (!p->model)
		p->model = &epcl_models[0]; /* until it was asked */
	settings_take(p);
	if (!p->replies)
		return err_set(e, ERR_USAGE,
			_("The setting replies is off: without replies nobody can tell what became "
			  "of a card. Set it to on, and see doc/PRINTERS.md."));
	int rc = epcl_link_start(&p->link, e);
	if (rc)
		return rc;
	p->model = model_find(id, p->link.version);
	if (!p->model)
		return err_set(e, ERR_DEVICE,
			_("This printer calls itself \"%s\", a model that is not known here. See "
			  "doc/PRINTERS.md."),
			id->model[0] ? id->model : p->link.version);
	settings_take(p);
	p->maybe_docked = epcl_docks(p);
	return printer_overrides_check(p->model, p->link.transport, e);
}

static int
epcl_open(struct printer **out, struct transport *t, const struct usb_printer *id, struct err *e)
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
	epcl_link_init(&p->link, t);
	epcl_planes_drop(p);
	p->place = PLACE_UNKNOWN;
	int rc = printer_start(p, id, e);
	if (rc) {
		rc = epcl_look_failed(rc, e);
		epcl_close(p);
		return rc;
	}
	*out = p;
	return 0;
}

static const uint16_t vendors[] = {0x0a5f, 0};

const struct printer_driver printer_epcl = {
	.family = "epcl",
	.vendors = vendors,
	.vendor_shared = true, /* label printers */
	.models = epcl_models,
	.n_models = EPCL_N_MODELS,
	.open = epcl_open,
	.close = epcl_close,
	.model = epcl_model,
	.status = epcl_status,
	.begin = epcl_begin,
	.feed = epcl_feed,
	.load = epcl_load,
	.tracks = epcl_tracks,
	.print = epcl_print,
	.eject = epcl_eject,
	.end = epcl_end,
	.service = epcl_service,
	.probe = epcl_probe,
	.reach = epcl_reach,
	.commands = epcl_commands,
};
