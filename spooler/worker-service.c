/*
 * worker-service.c - what a CUPS command file asks for: levels, a cleaning run, a test card.
 *
 * Owns the reading of a command file and the rule for work on the machine itself: an intent event,
 * synced, before anything moves; an outcome event after it. Guarantees that a cleaning run or a
 * test card never becomes a row of a card, and that one whose outcome is not known is said to a
 * person before the next one. Unknown commands are refused before the first one is carried out.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { COMMAND_FILE_MAX = 4096, COMMANDS_MAX = 16 };
#define COMMAND_MAGIC "#CUPS-COMMAND"

static const struct command_row {
	const char *name; /* as CUPS writes it; what follows it in the line is not used */
	enum { COMMAND_LEVELS, COMMAND_SERVICE } kind;
	enum printer_service service;
} command_rows[] = {
	{"ReportLevels", COMMAND_LEVELS, SERVICE_CLEAN},
	{"ReportStatus", COMMAND_LEVELS, SERVICE_CLEAN},
	{"Clean", COMMAND_SERVICE, SERVICE_CLEAN},
	{"PrintSelfTestPage", COMMAND_SERVICE, SERVICE_TEST_CARD},
};

struct commands {
	const struct command_row *row[COMMANDS_MAX];
	size_t n;
};

static int
command_take(struct commands *c, const char *line, size_t len, struct err *e)
{
	size_t word = strcspn(line, " \t\r\n");

	word = word < len ? word : len;
	if (word == 0 || line[0] == '#')
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(command_rows); i++)
		if (strlen(command_rows[i].name) == word &&
			strncasecmp(command_rows[i].name, line, word) == 0) {
			if (c->n == COMMANDS_MAX)
				break;
			c->row[c->n++] = &command_rows[i];
			return 0;
		}
	return err_set(e, ERR_INPUT,
		_("The command file asks for \"%.40s\", which is not known here. ReportLevels, "
		  "Clean "
		  "and PrintSelfTestPage are."),
		line);
}

/* text ends with a zero byte. */
static int
commands_parse(struct commands *c, const char *text, struct err *e)
{
	const char *line = text + strcspn(text, "\n");
	int rc = 0;

	*c = (struct commands){.n = 0};
	if (strncmp(text, COMMAND_MAGIC, strlen(COMMAND_MAGIC)) != 0)
		return err_set(e, ERR_INPUT,
			_("This is no command file: it does not begin with %s."), COMMAND_MAGIC);
	while (*line && rc == 0) {
		line += strspn(line, "\r\n \t");
		rc = command_take(c, line, strcspn(line, "\n"), e);
		line += strcspn(line, "\n");
	}
	return rc;
}

/* A service that was begun and never ended moved a card that nobody can name. */
static int
service_settle(struct pass *p, struct err *e)
{
	enum printer_service what;
	bool open;
	int rc = ledger_service_open(p->ledger, p->job.printer_serial, &what, &open, e);

	if (rc != 0 || !open)
		return rc;
	p->sink->message(p->sink, true,
		what == SERVICE_CLEAN ? _("An earlier cleaning run was broken off. Look whether "
					  "the cleaning card is "
					  "still inside.")
				      : _("An earlier test card was broken off. Look whether it is "
					  "still inside."));
	return ledger_service_end(
		p->ledger, p->job.uuid, p->job.printer_serial, what, "unknown", e);
}

/* A cleaning run is for a printer whose ribbon is out and whose hopper has a cleaning card only. */
static bool
service_hindered(enum printer_service what, enum fault fault)
{
	switch (fault) {
	case FAULT_NONE:
	case FAULT_CLEANING_DUE:
		return false;
	case FAULT_RIBBON_END:
	case FAULT_RIBBON_NONE:
	case FAULT_RIBBON_WRONG:
	case FAULT_HOPPER_EMPTY:
		return what != SERVICE_CLEAN;
	default:
		return true;
	}
}

/* In host mode every command is answered; before it a printer may obey without a word. */
static int
service_ready(struct pass *p, enum printer_service what, struct err *e)
{
	struct printer_status st;
	const struct printer_model *model = p->driver->model(p->printer);
	struct tally t;
	char first[32];
	int rc = ledger_tally_printer(p->ledger, p->job.printer_serial, &t, e);

	if (rc == 0 && t.inside > 0)
		rc = err_set(e, ERR_USAGE,
			_("A card of an earlier job is still in the printer. Let that job end "
			  "first."));
	if (rc == 0)
		rc = pass_status(p, &st, e);
	if (rc != 0)
		return rc;
	if (service_hindered(what, st.fault))
		return fault_set(e, st.fault, st.raw);
	if (!p->print.ribbon) {
		snprintf(first, sizeof(first), "%.*s", (int)strcspn(model->ribbons, " "),
			model->ribbons);
		p->print.ribbon = ribbon_find(st.ribbon.name[0] ? st.ribbon.name : first);
	}
	if (!p->print.ribbon)
		return err_set(e, ERR_USAGE, _("The ribbon of the %s is not known."), model->name);
	return pass_begin(p, NULL, e);
}

static int
service_run(struct pass *p, enum printer_service what, struct err *e)
{
	const char *serial = p->job.printer_serial;
	struct err why = {0};
	int rc;

	if (!p->driver->service)
		return err_set(e, ERR_USAGE, _("The %s cannot do this on command."),
			p->driver->model(p->printer)->name);
	rc = service_ready(p, what, e);
	if (rc == 0)
		rc = ledger_service_begin(p->ledger, p->job.uuid, serial, what, e);
	if (rc != 0)
		return rc;
	p->sink->message(p->sink, false,
		what == SERVICE_CLEAN ? _("Cleaning.") : _("Printing a test card."));
	p->card_fed = true;
	rc = p->driver->service(p->printer, what, e);
	if (ledger_service_end(p->ledger, p->job.uuid, serial, what,
		    rc == 0           ? "done"
		    : rc == ERR_DOUBT ? "unknown"
				      : "failed",
		    &why) != 0) {
		*e = why;
		return why.code;
	}
	p->wear.tests += rc == 0 && what == SERVICE_TEST_CARD;
	return rc;
}

static int
levels_report(struct pass *p, struct err *e)
{
	struct printer_status st;
	int rc = pass_status(p, &st, e);

	if (rc == 0)
		supply_tell(p, &st);
	return rc;
}

/* Returns 0 with a text that ends. */
static int
commands_read(int fd, char text[COMMAND_FILE_MAX], struct err *e)
{
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, text + n, COMMAND_FILE_MAX - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	if (got < 0)
		return err_set(e, ERR_SYSTEM, _("The command file cannot be read."));
	if (n == COMMAND_FILE_MAX - 1 || strlen(text) != n)
		return err_set(e, ERR_INPUT, _("The command file is too long, or no text."));
	return 0;
}

/* CUPS runs a job again from its start after a crash; a cleaning run or a test card is not made
 * again for it. */
static int
service_again(struct pass *p, struct err *e)
{
	bool seen;
	int rc = ledger_service_seen(p->ledger, p->job.uuid, &seen, e);

	if (rc != 0 || !seen)
		return rc;
	return err_set(e, ERR_INPUT,
		_("This was begun in an earlier run. If it is still needed, ask for it anew."));
}

enum pass_end
worker_commands(struct pass *p, int fd, struct err *e)
{
	char text[COMMAND_FILE_MAX];
	struct commands c;
	int rc = commands_read(fd, text, e);

	if (rc == 0)
		rc = commands_parse(&c, text, e);
	if (rc == 0)
		rc = service_settle(p, e);
	if (rc == 0)
		rc = service_again(p, e);
	if (rc != 0)
		return PASS_CANCEL;
	for (size_t i = 0; i < c.n && rc == 0; i++) {
		if (c.row[i]->kind == COMMAND_SERVICE)
			rc = service_run(p, c.row[i]->service, e);
		if (rc == 0)
			rc = levels_report(p, e);
	}
	if (rc == 0)
		p->sink->message(p->sink, false, _("Done."));
	/* Nothing of a command file is done twice: it ends, and the person reads why. */
	return rc == 0 ? PASS_OK : PASS_CANCEL;
}
