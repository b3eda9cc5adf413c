/*
 * cmd-design.c - the commands of a designer: `template check`, `template build`, `label sheet`.
 *
 * Owns their words and how problems are listed. Guarantees: a template with an error is not
 * compiled, and a file is written complete or not at all.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include "filters/label-sheet.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	DRAW_TIME_MAX_S = 60,
	EXIT_DATA = 65,
	PATH_LEN = 4096,
	PDF_MAX = 16 << 20,
	LABELS_MOST = 10000
};
#define LABEL_TEMPLATE "review-label"

struct findings {
	json_t *list; /* NULL: lines for people */
	FILE *out;
	unsigned errors, warnings;
};

static void
finding_add(void *ctx, const struct err *problem)
{
	struct findings *f = ctx;
	const char *kind = problem->code ? "error" : "warning";

	++*(problem->code ? &f->errors : &f->warnings);
	if (f->list)
		json_array_append_new(
			f->list, json_pack("{s:s, s:s}", "kind", kind, "text", problem->text));
	else
		fprintf(f->out, "%s%s\n", problem->code ? "" : _("warning: "), problem->text);
}

static void
time_is_up(int signo)
{
	static const char words[] =
		"cardspool: the drawing takes more than a minute to draw; simplify it.\n";

	(void)signo;
	if (write(STDERR_FILENO, words, sizeof words - 1) < 0)
		_exit(EXIT_DATA);
	_exit(EXIT_DATA);
}

/* A drawing is foreign: it may ask for any amount of work. Only for a process that draws and ends.
 */
static void
work_limit(void)
{
	const struct rlimit seconds = {DRAW_TIME_MAX_S, DRAW_TIME_MAX_S + 5};
	const struct sigaction action = {.sa_handler = time_is_up};

	sigaction(SIGXCPU, &action, NULL);
	setrlimit(RLIMIT_CPU, &seconds);
#ifndef __SANITIZE_ADDRESS__
	const struct rlimit memory = {(rlim_t)4 << 30, (rlim_t)4 << 30};
	setrlimit(RLIMIT_AS, &memory);
#endif
}

static int
check_run(int argc, char **argv, struct err *e)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
	struct findings f = {.out = stdout};
	bool json = false;
	int c;

	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "j", options, NULL)) != -1) {
		if (c != 'j')
			return err_set(
				e, ERR_USAGE, _("template check knows only the option --json."));
		json = true;
	}
	if (optind != argc - 1)
		return err_set(e, ERR_USAGE, _("template check takes one template folder."));
	if (json)
		f.list = json_array();
	work_limit();
	int rc = template_check(argv[optind], finding_add, &f, e);
	if (json) {
		json_t *report = json_pack("{s:s, s:b, s:o}", "template", argv[optind], "good",
			rc == 0, "findings", f.list);
		json_dumpf(report, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(report);
	} else if (!rc) {
		printf(ngettext("%s: good, %u warning.\n", "%s: good, %u warnings.\n", f.warnings),
			argv[optind], f.warnings);
	}
	return rc;
}

static int
build_run(int argc, char **argv, struct err *e)
{
	struct findings f = {.out = stderr};
	const char *out = NULL;
	char path[PATH_LEN];
	int c;

	optind = 0;
	opterr = 0;
	while ((c = getopt(argc, argv, "o:")) != -1) {
		if (c != 'o')
			return err_set(
				e, ERR_USAGE, _("template build knows only the option -o FILE."));
		out = optarg;
	}
	if (optind != argc - 1)
		return err_set(e, ERR_USAGE, _("template build takes one template folder."));
	work_limit();
	int rc = template_check(argv[optind], finding_add, &f, e);
	if (rc || (rc = template_build(argv[optind], out, e)))
		return rc;
	snprintf(path, sizeof path, "%s/template.bin", argv[optind]);
	printf(_("%s: compiled.\n"), out ? out : path);
	return 0;
}

/* ---- labels ---- */

struct sheet_args {
	const char *dir, *out, *templates;
	struct label_sheet sheet;
};

static bool
number_parse(const char *text, unsigned *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	*out = (unsigned)n;
	return !*end && end != text && text[0] != '-' && n <= LABELS_MOST;
}

static int
sheet_words(struct sheet_args *a, int argc, char **argv, struct err *e)
{
	static const struct option options[] = {{"count", required_argument, NULL, 'n'},
		{"skip", required_argument, NULL, 's'}, {"output", required_argument, NULL, 'o'},
		{"templates", required_argument, NULL, 'T'}, {NULL, 0, NULL, 0}};
	int c;

	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "n:s:o:T:", options, NULL)) != -1) {
		bool known = c == 'o' || c == 'T';
		if (c == 'o')
			a->out = optarg;
		else if (c == 'T')
			a->templates = optarg;
		else if (c == 'n')
			known = number_parse(optarg, &a->sheet.count) && a->sheet.count;
		else if (c == 's')
			known = number_parse(optarg, &a->sheet.skip);
		if (!known)
			return err_set(e, ERR_USAGE,
				_("label sheet takes [TEMPLATE] [--count N] [--skip N] -o "
				  "FILE.pdf"));
	}
	if (optind < argc - 1 || !a->out)
		return err_set(e, ERR_USAGE, _("label sheet takes one template and -o FILE.pdf."));
	a->dir = optind < argc ? argv[optind] : LABEL_TEMPLATE;
	return 0;
}

/* A word with a slash is a folder, any other a name in the folder of templates. */
static int
sheet_folder(const struct sheet_args *a, char dir[PATH_LEN], struct err *e)
{
	struct config *config;

	if (strchr(a->dir, '/')) {
		snprintf(dir, PATH_LEN, "%s", a->dir);
		return 0;
	}
	if (a->templates) {
		snprintf(dir, PATH_LEN, "%s/%s", a->templates, a->dir);
		return 0;
	}
	int rc = config_load(&config, e);
	if (rc)
		return rc;
	snprintf(dir, PATH_LEN, "%s/%s", config_templates(config), a->dir);
	config_destroy(config);
	return 0;
}

static int
sheet_run(int argc, char **argv, struct err *e)
{
	struct sheet_args a = {0};
	char dir[PATH_LEN];
	struct buf pdf;
	int rc = sheet_words(&a, argc, argv, e);

	if (rc || (rc = sheet_folder(&a, dir, e)))
		return rc;
	work_limit();
	buf_init(&pdf, PDF_MAX);
	if (!(rc = label_sheet_build(&pdf, dir, &a.sheet, e)) &&
		!(rc = file_write(a.out, pdf.data, pdf.len, 0644, e)))
		printf(_("%s: %u labels on %u sheets of A4; print without scaling.\n"), a.out,
			a.sheet.count, a.sheet.pages);
	buf_done(&pdf);
	return rc;
}

const struct command commands_design[] = {
	{"template", "check", "FOLDER [--json]", N_("find what would make bad cards"), check_run},
	{"template", "build", "FOLDER [-o FILE]", N_("compile a template's drawings"), build_run},
	{"label", "sheet", "[TEMPLATE] [--count N] [--skip N] -o FILE.pdf",
		N_("a sheet of labels for any printer"), sheet_run},
	{NULL, NULL, NULL, NULL, NULL},
};
