/*
 * cmd-failure-call.c - a call of a command over the failure log.
 *
 * Owns the options of all of them. Guarantees: an option that a command does not have is refused
 * with the command's usage, and a date or a number that is none is never taken for another.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/cmd-failure.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_LIMIT = 10000 };

/* Every option of the log: its letter, and the text it sets, if it is one. */
static const struct option options[] = {
	{"json", no_argument, NULL, 'j'},
	{"ledger", required_argument, NULL, 'l'},
	{"job", required_argument, NULL, 'J'},
	{"machine", required_argument, NULL, 'm'},
	{"cause", required_argument, NULL, 'c'},
	{"order", required_argument, NULL, 'o'},
	{"person", required_argument, NULL, 'p'},
	{"state", required_argument, NULL, 's'},
	{"from", required_argument, NULL, 'f'},
	{"to", required_argument, NULL, 't'},
	{"limit", required_argument, NULL, 'n'},
	{"csv", no_argument, NULL, 'C'},
	{"overdue", no_argument, NULL, 'O'},
	{"note", required_argument, NULL, 'N'},
	{"file", required_argument, NULL, 'F'},
	{"as", required_argument, NULL, 'a'},
	{"day", required_argument, NULL, 'd'},
	{"export", required_argument, NULL, 'x'},
	{"before", required_argument, NULL, 'b'},
	{"dry-run", no_argument, NULL, 'D'},
	{0},
};
static const struct {
	char letter;
	size_t offset;
} texts[] = {
	{'l', offsetof(struct failure_call, q.ledger_path)},
	{'J', offsetof(struct failure_call, q.job)},
	{'m', offsetof(struct failure_call, filter.machine)},
	{'c', offsetof(struct failure_call, cause)},
	{'o', offsetof(struct failure_call, filter.order)},
	{'p', offsetof(struct failure_call, filter.person)},
	{'N', offsetof(struct failure_call, note)},
	{'F', offsetof(struct failure_call, file)},
	{'a', offsetof(struct failure_call, as)},
	{'d', offsetof(struct failure_call, day)},
	{'x', offsetof(struct failure_call, export)},
	{'b', offsetof(struct failure_call, before)},
};

int
failure_date_parse(const char *text, int64_t *day, struct err *e)
{
	if (day_parse(text, day) == 0)
		return 0;
	return err_set(
		e, ERR_USAGE, _("\"%s\" is not a date. Write for example 2026-11-30."), text);
}

static int
option_take(struct failure_call *c, int option, struct err *e)
{
	int64_t day = 0;
	char *end;
	int state, rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].letter == option)
			*(const char **)(void *)((char *)c + texts[i].offset) = optarg;
	switch (option) {
	case 'j':
		c->q.json = true;
		break;
	case 'C':
		c->csv = true;
		break;
	case 'O':
		c->overdue = true;
		break;
	case 'D':
		c->dry = true;
		break;
	case 's':
		state = failure_state_parse(optarg);
		if (state < 0)
			return err_set(e, ERR_USAGE,
				_("There is no state \"%s\". The states are: any, open, cleared, "
				  "unreviewed, reviewed."),
				optarg);
		c->filter.state = (enum failure_state)state;
		break;
	case 'f':
		rc = failure_date_parse(optarg, &day, e);
		c->filter.from_ms = day_begin_ms(day);
		break;
	case 't':
		rc = failure_date_parse(optarg, &day, e);
		c->filter.to_ms = day_begin_ms(day + 1);
		break;
	case 'n':
		c->filter.limit = strtoll(optarg, &end, 10);
		if (*end || end == optarg || c->filter.limit < 0)
			return err_set(e, ERR_USAGE, _("--limit takes a number; 0 shows all."));
		break;
	default:
		break;
	}
	return rc;
}

static const struct command *
command_of(failure_runner *run)
{
	const struct command *c = commands_failure;

	while (c->noun && c->run != run)
		c++;
	return c;
}

int
failure_call_usage(failure_runner *run, struct err *e)
{
	const struct command *self = command_of(run);

	return err_set(e, ERR_USAGE, _("The call is: cardspool %s %s %s"), self->noun, self->verb,
		self->usage);
}

int
failure_call_start(struct failure_call *c, int argc, char **argv, const char *allowed, int min,
	int max, failure_runner *run, enum ledger_mode mode, struct err *e)
{
	const struct command *self = command_of(run);
	int option, rc;

	*c = (struct failure_call){.filter.limit = LIST_LIMIT};
	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?' || option == ':' ||
			(!strchr("jl", option) && !strchr(allowed, option)))
			return err_set(e, ERR_USAGE,
				_("\"%s\" is not understood. The call is: cardspool %s %s %s"),
				argv[optind > 0 ? optind - 1 : 0], self->noun, self->verb,
				self->usage);
		rc = option_take(c, option, e);
		if (rc != 0)
			return rc;
	}
	c->q.names = argv + optind;
	c->q.n_names = argc - optind;
	if (c->q.n_names < min || c->q.n_names > max)
		return failure_call_usage(run, e);
	return request_open(&c->q, mode, e);
}

int
failure_id_parse(const char *text, int64_t *id, struct err *e)
{
	char *end;

	*id = strtoll(text, &end, 10);
	if (*end == '\0' && *id > 0)
		return 0;
	return err_set(e, ERR_USAGE,
		_("\"%s\" is not the number of a record. See: cardspool failure list"), text);
}

unsigned
failure_months(const struct failure_call *c)
{
	struct config *own = NULL;
	unsigned months = RETENTION_MONTHS_MIN;

	if (c->q.config)
		return config_retention_months(c->q.config);
	if (config_load(&own, NULL) == 0)
		months = config_retention_months(own);
	config_destroy(own);
	return months;
}
