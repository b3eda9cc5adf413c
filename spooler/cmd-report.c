/*
 * cmd-report.c - the command that writes the failure report.
 *
 * Owns the words of the call. Guarantees: the file is complete or not there; its name says its
 * form. Reads the ledger only.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/report.h"

#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define USAGE                                                                                      \
	"-o FILE.pdf|FILE.html [--from DATE] [--to DATE] [--machine MODEL|SERIAL] "                \
	"[--language en|zh] [--json] [--ledger FILE]"

static const struct option options[] = {
	{"json", no_argument, NULL, 'j'},
	{"ledger", required_argument, NULL, 'l'},
	{"output", required_argument, NULL, 'o'},
	{"from", required_argument, NULL, 'f'},
	{"to", required_argument, NULL, 't'},
	{"machine", required_argument, NULL, 'm'},
	{"language", required_argument, NULL, 'L'},
	{0},
};

struct call {
	struct request q;
	struct report report;
	int language;
};

static int
option_take(struct call *c, int option, const char *word, struct err *e)
{
	int64_t day;

	switch (option) {
	case 'j':
		c->q.json = true;
		return 0;
	case 'l':
		c->q.ledger_path = optarg;
		return 0;
	case 'o':
		c->q.out = optarg;
		return 0;
	case 'm':
		c->report.machine = optarg;
		return 0;
	case 'L':
		c->language = language_parse(optarg);
		if (c->language >= 0)
			return 0;
		return err_set(e, ERR_USAGE,
			_("\"%s\" is not a language of the report. Write en or zh."), optarg);
	case 'f':
	case 't':
		if (day_parse(optarg, &day) != 0)
			return err_set(e, ERR_USAGE,
				_("\"%s\" is not a date. Write for example 2026-11-30."), optarg);
		*(option == 'f' ? &c->report.from_ms : &c->report.to_ms) =
			day_begin_ms(option == 'f' ? day : day + 1);
		return 0;
	default:
		return err_set(e, ERR_USAGE,
			_("\"%s\" is not understood. The call is: cardspool failure report %s"),
			word, USAGE);
	}
}

static bool
ends_with(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n > m && strcasecmp(name + n - m, suffix) == 0;
}

static int
call_parse(struct call *c, int argc, char **argv, struct err *e)
{
	int option, rc;

	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		rc = option_take(c, option, argv[optind > 0 ? optind - 1 : 0], e);
		if (rc != 0)
			return rc;
	}
	if (optind != argc || !c->q.out)
		return err_set(e, ERR_USAGE, _("The call is: cardspool failure report %s"), USAGE);
	if (!ends_with(c->q.out, ".pdf") && !ends_with(c->q.out, ".html"))
		return err_set(e, ERR_USAGE,
			_("The name \"%s\" does not say what to write. End it with .pdf or .html."),
			c->q.out);
	return 0;
}

static int
report_run(int argc, char **argv, struct err *e)
{
	struct call c = {.language = (int)language_of_locale()};
	struct buf out;
	int rc = call_parse(&c, argc, argv, e);

	if (rc != 0)
		return rc;
	rc = request_open(&c.q, LEDGER_READ, e);
	c.report.months = c.q.config ? config_retention_months(c.q.config) : RETENTION_MONTHS_MIN;
	if (rc == 0)
		rc = report_gather(c.q.ledger, &c.report, REPORT_ROWS_MAX, e);
	if (rc == 0) {
		rc = (ends_with(c.q.out, ".pdf") ? report_pdf : report_html)(
			&c.report, (enum language)c.language, &out, e);
		if (rc == 0) {
			rc = file_write(c.q.out, out.data, out.len, 0644, e);
			buf_done(&out);
		}
	}
	if (rc == 0 && c.q.json)
		printf("{\"failures\":%u,\"listed\":%zu,\"cards\":%u,\"jams\":%u,\"waiting\":%u,"
		       "\"overdue\":%u,\"open\":%u}\n",
			c.report.n, c.report.n_rows, c.report.cards, c.report.n_jams,
			c.report.n_waiting, c.report.n_overdue, c.report.n_open);
	else if (rc == 0)
		printf(_("%s: %u failures, %u cards.\n"), c.q.out, c.report.n, c.report.cards);
	report_done(&c.report);
	return request_end(&c.q, rc);
}

const struct command commands_report[] = {
	{"failure", "report", USAGE,
		N_("a report to print or to show: charts, machines, causes, records"), report_run},
	{0},
};
