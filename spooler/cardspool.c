/*
 * cardspool.c - the command line.
 *
 * Owns the dispatch over the tables of commands, the help and the exit status. Guarantees: every
 * error is one line on stderr, "cardspool: text" or with --json an object, and an exit status of
 * the table in cardspool(1); status 0 means that all output was written.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "config.h"
#include "spooler/spooler.h"

#include "filters/language.h"

#include <errno.h>
#include <string.h>

static const struct command *const command_tables[] = {commands_batch, commands_order,
	commands_template, commands_design, commands_printer, commands_chip, commands_chip_change, commands_chip_tag, commands_key,
	commands_chip_life,
	commands_station, commands_ledger, commands_card, commands_fault,
	commands_failure, commands_person, commands_report, commands_ribbon, commands_web,
	commands_metrics};

static void
command_line_print(const struct command *c, bool with_help)
{
	printf("  cardspool %s%s%s%s%s\n", c->noun, c->verb ? " " : "", c->verb ? c->verb : "",
		c->usage && c->usage[0] ? " " : "", c->usage ? c->usage : "");
	if (with_help)
		printf("        %s\n", _(c->help));
}

/* noun NULL: all commands; verb NULL: all of the noun. Returns how many there were. */
static unsigned
commands_print(const char *noun, const char *verb)
{
	unsigned n = 0;

	for (size_t t = 0; t < ARRAY_LEN(command_tables); t++)
		for (const struct command *c = command_tables[t]; c->noun; c++) {
			if ((noun && strcmp(noun, c->noun) != 0) ||
				(verb && (!c->verb || strcmp(verb, c->verb) != 0)))
				continue;
			command_line_print(c, true);
			n++;
		}
	return n;
}

static int
help_print(int argc, char **argv, struct err *e)
{
	const char *noun = argc > 1 ? argv[1] : NULL, *verb = argc > 2 ? argv[2] : NULL;

	if (!noun)
		printf("%s\n\n", _("Makes ID cards: chip, print and proof in one pass."));
	if (commands_print(noun, verb) == 0)
		return err_set(e, ERR_USAGE,
			_("There is no command \"%s%s%s\". See: cardspool help"), noun,
			verb ? " " : "", verb ? verb : "");
	if (!noun)
		printf("\n  cardspool help [COMMAND]\n  cardspool --version\n\n%s\n",
			_("A batch is printed with lp. Manual: man cardspool"));
	return 0;
}

static const struct command *
command_find(const char *noun, const char *verb, bool *noun_known)
{
	*noun_known = false;
	for (size_t t = 0; t < ARRAY_LEN(command_tables); t++)
		for (const struct command *c = command_tables[t]; c->noun; c++) {
			if (strcmp(c->noun, noun) != 0)
				continue;
			*noun_known = true;
			if (!c->verb || (verb && strcmp(c->verb, verb) == 0))
				return c;
		}
	return NULL;
}

static int
command_run(int argc, char **argv, struct err *e)
{
	const char *verb = argc > 2 ? argv[2] : NULL;
	bool noun_known;
	const struct command *c = command_find(argv[1], verb, &noun_known);
	int first = c && c->verb ? 2 : 1;

	if (!c && noun_known && verb && strcmp(verb, "--help") == 0)
		return help_print(2, argv, e);
	if (!c && noun_known)
		return err_set(e, ERR_USAGE,
			verb ? _("There is no command \"%1$s %2$s\". See: cardspool help %1$s")
			     : _("\"%1$s\" needs a second word. See: cardspool help %1$s"),
			argv[1], verb);
	if (!c)
		return err_set(e, ERR_USAGE, _("There is no command \"%s\". See: cardspool help"),
			argv[1]);
	if (argc > first + 1 && strcmp(argv[first + 1], "--help") == 0) {
		command_line_print(c, true);
		return 0;
	}
	return c->run(argc - first, argv + first, e);
}

static int
main_run(int argc, char **argv, struct err *e)
{
	static const struct {
		const char *word;
		bool help;
	} words[] = {{"help", true}, {"--help", true}, {"-h", true}, {"--version", false},
		{"-V", false}};

	if (argc < 2) {
		help_print(1, argv, e);
		return err_set(e, ERR_USAGE, "%s", _("Say what to do."));
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(argv[1], words[i].word) != 0)
			continue;
		if (words[i].help)
			return help_print(argc - 1, argv + 1, e);
		puts(PACKAGE_STRING);
		return 0;
	}
	return command_run(argc, argv, e);
}

/* The words of a call may be wrong, so --json is looked for by itself. */
static bool
json_asked(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0)
			return true;
	return false;
}

static void
error_print(const struct err *e, int code, bool json)
{
	const char *text = e->text[0] ? e->text : _("The command failed.");
	const char *fault = e->fault ? fault_row(e->fault)->code : "";
	json_t *line = json ? json_object() : NULL;

	if (!line) {
		fprintf(stderr, "cardspool: %s\n", text);
		return;
	}
	json_object_set_new(line, "status", json_integer(err_exit_status(code)));
	json_object_set_new(line, "error", json_text(text));
	json_object_set_new(line, "fault", json_string(fault));
	json_dumpf(line, stderr, JSON_COMPACT);
	fputc('\n', stderr);
	json_decref(line);
}

int
main(int argc, char **argv)
{
	struct err e = {0};

	language_begin();
	int code = main_run(argc, argv, &e);
	if (fflush(stdout) != 0 && code == 0)
		code = err_set(&e, ERR_STORAGE, _("The output could not be written: %s."),
			strerror(errno));
	if (code < 0)
		error_print(&e, code, json_asked(argc, argv));
	return code > 0 ? code : err_exit_status(code);
}
