/*
 * cmd-ribbon.c - the command that notes which ribbon is in a machine.
 *
 * Owns the words of the call. Guarantees: on failure nothing is in the ledger.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/report.h"

#include <getopt.h>

#define USAGE "SERIAL --lot LOT [--json] [--ledger FILE]"

static const struct option options[] = {
	{"json", no_argument, NULL, 'j'},
	{"ledger", required_argument, NULL, 'l'},
	{"lot", required_argument, NULL, 'L'},
	{0},
};

static int
ribbon_load_run(int argc, char **argv, struct err *e)
{
	struct request q = {.ledger_path = NULL};
	const char *lot = NULL;
	int option, rc;

	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'j')
			q.json = true;
		else if (option == 'l')
			q.ledger_path = optarg;
		else if (option == 'L')
			lot = optarg;
		else
			return err_set(e, ERR_USAGE,
				_("\"%s\" is not understood. The call is: cardspool ribbon load "
				  "%s"),
				argv[optind > 0 ? optind - 1 : 0], USAGE);
	}
	if (argc - optind != 1 || !lot)
		return err_set(e, ERR_USAGE, _("The call is: cardspool ribbon load %s"), USAGE);
	rc = request_open(&q, LEDGER_WRITE, e);
	if (rc == 0)
		rc = ribbon_known(q.ledger, argv[optind], e);
	if (rc == 0)
		rc = ribbon_load(q.ledger, argv[optind], lot, e);
	if (rc == 0 && q.json)
		puts("{\"loaded\":true}");
	else if (rc == 0)
		printf(_("%s: from now on ribbon lot %s.\n"), argv[optind], lot);
	return request_end(&q, rc);
}

const struct command commands_ribbon[] = {
	{"ribbon", "load", USAGE, N_("note the lot of the ribbon that was put into a machine"),
		ribbon_load_run},
	{0},
};
