/*
 * cmd-fault.c - `cardspool fault list`.
 *
 * Owns what people and tests see of the table of faults and of the pass' answers to them. Reads
 * nothing but the program's own tables, so it works anywhere. --json keeps its keys from release to
 * release: faults (code, reason, action, cause, remedy) and answers (situation to action to
 * answer).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <string.h>

static json_t *
faults_json(void)
{
	json_t *list = json_array();

	for (int i = 1; i < FAULT_COUNT; i++)
		json_array_append_new(list,
			json_pack("{s:s, s:s, s:s, s:s, s:s}", "code", faults[i].code, "reason",
				faults[i].reason, "action", fault_action_names[faults[i].action],
				"cause", _(faults[i].cause), "remedy", _(faults[i].remedy)));
	return list;
}

static json_t *
answers_json(void)
{
	json_t *all = json_object();

	for (unsigned s = 0; pass_situation_name(s); s++) {
		json_t *row = json_object();

		for (int a = 0; a <= FAULT_HALT; a++)
			json_object_set_new(row, fault_action_names[a],
				json_string(pass_answer_name(s, (enum fault_action)a)));
		json_object_set_new(all, pass_situation_name(s), row);
	}
	return all;
}

static int
fault_list(int argc, char **argv, struct err *e)
{
	bool json = argc > 1 && strcmp(argv[1], "--json") == 0;

	if (argc > 2 || (argc == 2 && !json))
		return err_set(e, ERR_USAGE,
			_("fault list: %s is not understood. See: cardspool help fault"),
			argv[argc - 1]);
	if (json) {
		json_t *all =
			json_pack("{s:o, s:o}", "faults", faults_json(), "answers", answers_json());
		int rc = all && json_dumpf(all, stdout, JSON_INDENT(2)) == 0
				 ? 0
				 : err_set(e, ERR_SYSTEM, "%s",
					   _("The answer could not be written."));

		putchar('\n');
		json_decref(all);
		return rc;
	}
	for (int i = 1; i < FAULT_COUNT; i++)
		printf("%-16s %s. %s.\n", faults[i].code, _(faults[i].cause), _(faults[i].remedy));
	return 0;
}

const struct command commands_fault[] = {
	{"fault", "list", "[--json]", N_("every fault, what it means and what to do"), fault_list},
	{0},
};
