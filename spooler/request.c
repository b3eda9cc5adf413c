/*
 * request.c - the words of a call that asks the ledger.
 *
 * Owns the options that the commands over the ledger share, the opening of the right ledger, and
 * the forms that they print in. Guarantees: an option that a command does not know is refused,
 * never ignored.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPT_GOOD = 1, OPT_REJECTED, OPT_SPOILED, OPT_BLANK };

static const struct {
	int option;
	enum card_state state;
} verdicts[] = {
	{OPT_GOOD, CARD_DONE},
	{OPT_REJECTED, CARD_REJECTED},
	{OPT_SPOILED, CARD_SPOILED},
	{OPT_BLANK, CARD_QUEUED},
};

static const struct option options[] = {
	{"json", no_argument, NULL, 'j'},
	{"ledger", required_argument, NULL, 'l'},
	{"job", required_argument, NULL, 'J'},
	{"state", required_argument, NULL, 's'},
	{"uid", required_argument, NULL, 'u'},
	{"reason", required_argument, NULL, 'r'},
	{"known", required_argument, NULL, 'k'},
	{"output", required_argument, NULL, 'o'},
	{"good", no_argument, NULL, OPT_GOOD},
	{"rejected", no_argument, NULL, OPT_REJECTED},
	{"spoiled", no_argument, NULL, OPT_SPOILED},
	{"blank", no_argument, NULL, OPT_BLANK},
	{0},
};

static int
request_state(struct request *q, const char *name, struct err *e)
{
	q->state = card_state_parse(name);
	if (q->state >= 0)
		return 0;
	struct buf names;
	buf_init(&names, 512);
	for (size_t i = 0; i < CARD_STATE_COUNT; i++)
		buf_printf(&names, NULL, "%s%s", i ? ", " : "", card_states[i].name);
	buf_append(&names, "", 1, NULL);
	err_set(e, ERR_USAGE, _("There is no state \"%s\". The states are: %s."), name,
		names.data ? (char *)names.data : "");
	buf_done(&names);
	return ERR_USAGE;
}

static int
request_option(struct request *q, int option, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++)
		if (verdicts[i].option == option) {
			if (q->verdict != CARD_STATE_COUNT)
				return err_set(e, ERR_USAGE, "%s", _("Give one verdict only."));
			q->verdict = verdicts[i].state;
			return 0;
		}
	switch (option) {
	case 'j':
		q->json = true;
		return 0;
	case 'l':
		q->ledger_path = optarg;
		return 0;
	case 'J':
		q->job = optarg;
		return 0;
	case 's':
		return request_state(q, optarg, e);
	case 'u':
		q->uid = optarg;
		return 0;
	case 'r':
		q->reason = optarg;
		return 0;
	case 'k':
		q->known = optarg;
		return 0;
	default:
		q->out = optarg;
		return 0;
	}
}

static const struct command *
command_of(int (*run)(int argc, char **argv, struct err *e))
{
	static const struct command *const tables[] = {commands_ledger, commands_card};

	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		for (const struct command *c = tables[i]; c->noun; c++)
			if (c->run == run)
				return c;
	return NULL;
}

/* allowed: the options' letters beside j and l; a verdict is 'v'. */
static int
request_parse(struct request *q, const struct command *c, int argc, char **argv,
	const char *allowed, int n_names, struct err *e)
{
	int option;

	*q = (struct request){.state = -1, .verdict = CARD_STATE_COUNT};
	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		char letter = option <= OPT_BLANK ? 'v' : (char)option;

		if (option == '?' || option == ':' ||
			(!strchr("jl", letter) && !strchr(allowed, letter)))
			return err_set(e, ERR_USAGE,
				_("\"%s\" is not understood. The call is: cardspool %s %s %s"),
				argv[optind > 0 ? optind - 1 : 0], c->noun, c->verb, c->usage);
		int rc = request_option(q, option, e);
		if (rc != 0)
			return rc;
	}
	q->names = argv + optind;
	q->n_names = argc - optind;
	if (q->n_names != n_names)
		return err_set(e, ERR_USAGE, _("The call is: cardspool %s %s %s"), c->noun, c->verb,
			c->usage);
	return 0;
}

static int
visit_last_job(void *ctx, const struct job_row *job)
{
	*(struct job_row *)ctx = *job;
	return 0;
}

/* CUPS gives a number again after its history was lost: the newest job of that number is meant. */
int
request_job(struct request *q, const char *name, struct err *e)
{
	int rc = ledger_jobs(q->ledger, name, visit_last_job, &q->job_row, e);

	if (rc == 0 && q->job_row.id == 0)
		rc = err_set(e, ERR_MISSING,
			_("The ledger knows no job \"%s\". See: cardspool job list"), name);
	return rc;
}

int
request_open(struct request *q, enum ledger_mode mode, struct err *e)
{
	const char *path = q->ledger_path;
	struct stat file;
	int rc;

	if (!path) {
		rc = config_load(&q->config, e);
		if (rc != 0)
			return rc;
		path = config_ledger(q->config);
	}
	/* Only a card job makes a ledger; a command on a wrong path, or in an empty file, must not. */
	if (mode == LEDGER_WRITE &&
		(stat(path, &file) == 0 ? file.st_size == 0 : errno == ENOENT))
		mode = LEDGER_READ;
	rc = ledger_open(&q->ledger, path, mode, e);
	return rc == 0 && q->job ? request_job(q, q->job, e) : rc;
}

int
request_start(struct request *q, int (*run)(int, char **, struct err *), int argc, char **argv,
	const char *allowed, int n_names, enum ledger_mode mode, struct err *e)
{
	int rc = request_parse(q, command_of(run), argc, argv, allowed, n_names, e);

	return rc == 0 ? request_open(q, mode, e) : rc;
}

int
request_end(struct request *q, int rc)
{
	ledger_close(q->ledger);
	config_destroy(q->config);
	return rc;
}

/* ---- JSON: one object a line inside one document ---- */

int
json_list_row(struct json_list *list, json_t *row)
{
	fputs(list->started ? ",\n" : "\n", stdout);
	list->started = true;
	int rc = row ? json_dumpf(row, stdout, JSON_COMPACT) : -1;
	json_decref(row);
	return rc;
}

void
json_list_end(const struct json_list *list, const char *rest)
{
	printf("%s]%s\n", list->started ? "\n" : "", rest);
}

json_t *
tally_json(const struct tally *t)
{
	return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "fed", t->fed, "good",
		t->good, "rejected", t->rejected, "spoiled", t->spoiled, "doubt", t->doubt,
		"inside", t->inside, "queued", t->queued, "cancelled", t->cancelled, "void",
		t->voided);
}

/* ---- one row for people ---- */

const char *
text_or_dash(const char *text)
{
	return text[0] ? text : "-";
}

void
card_label(char *out, size_t max, unsigned card, unsigned copy)
{
	if (card == 0)
		snprintf(out, max, "-");
	else if (copy > 1)
		snprintf(out, max, "%u/%u", card, copy);
	else
		snprintf(out, max, "%u", card);
}

/* The fault's own words where its code has some. */
const char *
cause_words(const char *code)
{
	const struct fault_row *f = code[0] ? fault_by_code(code) : NULL;

	return f ? _(f->cause) : text_or_dash(code);
}
