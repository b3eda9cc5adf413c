/*
 * cmd-person.c - the commands over people who sign.
 *
 * Owns the asking for a passphrase: from the terminal without echo, twice when it is new, or one
 * line of the standard input. Guarantees: a passphrase is never an argument, is never shown, and is
 * wiped after use. On failure the ledger is as it was.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <getopt.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static int
line_read(FILE *in, char out[PERSON_PASS_MAX + 2])
{
	size_t n;

	if (!fgets(out, PERSON_PASS_MAX + 2, in))
		return ERR_INPUT;
	n = strlen(out);
	if (n > 0 && out[n - 1] == '\n')
		out[n - 1] = '\0';
	return 0;
}

static int
terminal_read(const char *prompt, char out[PERSON_PASS_MAX + 2])
{
	struct termios was, quiet;
	int rc;

	fprintf(stderr, "%s: ", prompt);
	if (tcgetattr(STDIN_FILENO, &was) != 0)
		return ERR_SYSTEM;
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	rc = line_read(stdin, out);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	fputc('\n', stderr);
	return rc;
}

int
pass_read(const char *prompt, bool fresh, char out[PERSON_PASS_MAX + 2], struct err *e)
{
	char again[PERSON_PASS_MAX + 2];
	int rc = isatty(STDIN_FILENO) ? terminal_read(prompt, out) : line_read(stdin, out);

	if (rc == 0 && fresh && isatty(STDIN_FILENO)) {
		rc = terminal_read(_("Once more"), again);
		if (rc == 0 && strcmp(again, out) != 0)
			rc = err_set(e, ERR_INPUT, "%s", _("The two passphrases differ."));
		explicit_bzero(again, sizeof again);
		if (rc != 0)
			return rc;
	}
	if (rc == 0)
		return 0;
	return err_set(e, ERR_INPUT, "%s",
		_("No passphrase came. Type it at the terminal, or give it as one line on the "
		  "standard input."));
}

/* ---- the commands ---- */

struct call {
	struct request q;
	const char *role, *login;
};

static int
call_start(struct call *c, int argc, char **argv, const char *allowed, int n_names,
	const char *usage, enum ledger_mode mode, struct err *e)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"ledger", required_argument, NULL, 'l'},
		{"role", required_argument, NULL, 'r'},
		{"login", required_argument, NULL, 'g'},
		{0},
	};
	int option;

	*c = (struct call){.login = ""};
	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?' || option == ':' ||
			(!strchr("jl", option) && !strchr(allowed, option)))
			return err_set(e, ERR_USAGE,
				_("\"%s\" is not understood. The call is: cardspool person %s"),
				argv[optind > 0 ? optind - 1 : 0], usage);
		if (option == 'j')
			c->q.json = true;
		else
			*(option == 'l'         ? &c->q.ledger_path
				: option == 'r' ? &c->role
						: &c->login) = optarg;
	}
	c->q.names = argv + optind;
	if (argc - optind != n_names || (strchr(allowed, 'r') && !c->role))
		return err_set(e, ERR_USAGE, _("The call is: cardspool person %s"), usage);
	return request_open(&c->q, mode, e);
}

static json_t *
person_json(const struct person *p)
{
	json_t *row = columns_json(person_columns, p);

	json_object_del(row, "sealed");
	return times_json(row);
}

#define ADD_USAGE "NAME --role ROLE [--login LOGIN] [--json] [--ledger FILE]"

static int
person_add_run(int argc, char **argv, struct err *e)
{
	char pass[PERSON_PASS_MAX + 2] = "";
	struct person p;
	struct call c;
	int rc = call_start(&c, argc, argv, "rg", 1, "add " ADD_USAGE, LEDGER_WRITE, e);

	if (rc == 0)
		rc = pass_read(_("New passphrase"), true, pass, e);
	if (rc == 0)
		rc = person_add(c.q.ledger, c.q.names[0], c.role, c.login, pass, &p, e);
	explicit_bzero(pass, sizeof pass);
	if (rc == 0 && c.q.json) {
		json_t *row = person_json(&p);

		json_dumpf(row, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(row);
	} else if (rc == 0) {
		printf(_("%s can sign as %s. Fingerprint of the key, to be noted on paper:\n%s\n"),
			p.name, p.role, p.fingerprint);
	}
	return request_end(&c.q, rc);
}

static int
person_retire_run(int argc, char **argv, struct err *e)
{
	struct call c;
	int rc = call_start(
		&c, argc, argv, "", 1, "retire NAME [--json] [--ledger FILE]", LEDGER_WRITE, e);

	if (rc == 0)
		rc = person_retire(c.q.ledger, c.q.names[0], e);
	if (rc == 0 && c.q.json)
		puts("{\"retired\":true}");
	return request_end(&c.q, rc);
}

static int
visit_person(void *ctx, const struct person *p)
{
	struct listing *list = ctx;
	char added[40], retired[40];

	if (list->q->json)
		return json_list_row(&list->json, person_json(p));
	time_show(added, sizeof added, p->added);
	time_show(retired, sizeof retired, p->retired);
	textable_add(list->table, p->name, p->role, text_or_dash(p->login), p->fingerprint, added,
		retired);
	return 0;
}

static int
person_list_run(int argc, char **argv, struct err *e)
{
	struct call c;
	struct listing list = {.q = &c.q, .e = e};
	int rc = call_start(&c, argc, argv, "", 0, "list [--json] [--ledger FILE]", LEDGER_READ, e);

	if (rc != 0)
		return request_end(&c.q, rc);
	list.table = textable_create(
		6, _("NAME"), _("ROLE"), _("LOGIN"), _("KEY"), _("ADDED"), _("RETIRED"));
	if (c.q.json)
		fputs("{\"people\":[", stdout);
	rc = person_list(c.q.ledger, visit_person, &list, e);
	if (c.q.json)
		json_list_end(&list.json, "}");
	else if (textable_rows(list.table) == 0)
		puts(_("There are no people yet. See: cardspool help person"));
	else
		textable_print(list.table, stdout);
	textable_destroy(list.table);
	return request_end(&c.q, rc);
}

const struct command commands_person[] = {
	{"person", "add", ADD_USAGE, N_("a person with a key to sign with; asks for a passphrase"),
		person_add_run},
	{"person", "retire", "NAME [--json] [--ledger FILE]",
		N_("from now on this person signs nothing"), person_retire_run},
	{"person", "list", "[--json] [--ledger FILE]", N_("everybody who can or could sign"),
		person_list_run},
	{0},
};
