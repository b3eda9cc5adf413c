/*
 * cmd-batch.c - `cardspool pack`: a roster and its photos become a batch, or nothing is written.
 *
 * Owns the words of that command and how problems are listed. Guarantees: everything that can be
 * known without a printer is checked here (records, photos, chip images), and the written batch is
 * opened and proved again before it is praised. What is printed names records and fields, never a
 * holder.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/ndef.h"
#include "spooler/cmd-printer.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PACK_TEMPLATE     "special-operation"
#define PACK_PROBLEMS_MAX 50 /* lines shown; the rest is counted */

struct pack_args {
	const char *template_name, *templates, *photos, *order, *roster, *out, *queue;
	bool json, fit_photos;
};

enum { OPTION_TEMPLATES = 256, OPTION_FIT_PHOTOS, OPTION_QUEUE };

static const struct option pack_options[] = {
	{"template", required_argument, NULL, 't'},
	{"templates", required_argument, NULL, OPTION_TEMPLATES},
	{"photos", required_argument, NULL, 'p'},
	{"fit-photos", no_argument, NULL, OPTION_FIT_PHOTOS},
	{"order", required_argument, NULL, 'n'},
	{"queue", required_argument, NULL, OPTION_QUEUE},
	{"output", required_argument, NULL, 'o'},
	{"json", no_argument, NULL, 'j'},
	{0},
};

static int
pack_args_parse(struct pack_args *a, int argc, char **argv, struct err *e)
{
	int c;

	*a = (struct pack_args){.template_name = PACK_TEMPLATE, .order = ""};
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":t:p:n:o:j", pack_options, NULL)) != -1) {
		switch (c) {
		case 't':
			a->template_name = optarg;
			break;
		case OPTION_FIT_PHOTOS:
			a->fit_photos = true;
			break;
		case OPTION_QUEUE:
			a->queue = optarg;
			break;
		case OPTION_TEMPLATES:
			a->templates = optarg;
			break;
		case 'p':
			a->photos = optarg;
			break;
		case 'n':
			a->order = optarg;
			break;
		case 'o':
			a->out = optarg;
			break;
		case 'j':
			a->json = true;
			break;
		case ':':
			return err_set(
				e, ERR_USAGE, _("pack: %s needs a value."), argv[optind - 1]);
		default:
			return err_set(e, ERR_USAGE, _("pack: the option %s is not known."),
				argv[optind - 1]);
		}
	}
	if (optind != argc - 1)
		return err_set(e, ERR_USAGE,
			_("pack: name one roster, for example: cardspool pack "
			  "roster.csv -o order.cards"));
	if (!a->out || !*a->out)
		return err_set(
			e, ERR_USAGE, _("pack: name the batch to write with -o FILE.cards."));
	a->roster = argv[optind];
	return 0;
}

/* An order number travels through CUPS options and forms: one line, no control characters. */
static int
order_check(const char *order, struct err *e)
{
	struct batch_info info;
	size_t left = strlen(order);
	uint32_t cp;

	if (left >= sizeof info.order)
		return err_set(e, ERR_USAGE, _("pack: an order number has at most %zu bytes."),
			sizeof info.order - 1);
	for (size_t n; left; order += n, left -= n) {
		n = utf8_next(&cp, order, left);
		if (!n || cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
			return err_set(e, ERR_USAGE,
				_("pack: the order number holds a control character or broken "
				  "bytes."));
	}
	return 0;
}

/* The batch takes OUT's place by renaming: never the roster's, never a device's. */
static int
out_check(const struct pack_args *a, struct err *e)
{
	struct stat out, roster;

	if (stat(a->out, &out) < 0)
		return 0;
	if (!S_ISREG(out.st_mode))
		return err_set(e, ERR_USAGE,
			_("pack: %s is there and is not a file; name another with -o."), a->out);
	if (!stat(a->roster, &roster) && roster.st_dev == out.st_dev && roster.st_ino == out.st_ino)
		return err_set(e, ERR_USAGE,
			_("pack: %s is the roster itself; name another file with -o."), a->out);
	return 0;
}

/* ---- template ---- */

struct pack_template {
	struct schema *schema;
	struct chip_map *map; /* NULL: the card has no chip of blocks */
	struct ndef_map *tag; /* NULL: nor anything for a tag */
};

static void
template_done(struct pack_template *t)
{
	chip_map_destroy(t->map);
	ndef_map_destroy(t->tag);
	schema_destroy(t->schema);
}

static bool
name_safe(const char *name)
{
	return *name && *name != '.' &&
	       strlen(name) < sizeof((struct batch_info *)0)->template_name && !strchr(name, '/');
}

static bool
has_schema(const char *templates, const char *name)
{
	char path[PATH_MAX];

	return name_safe(name) &&
	       (size_t)snprintf(path, sizeof path, "%s/%s/record.schema", templates, name) <
		       sizeof path &&
	       access(path, F_OK) == 0;
}

static int
name_order(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
template_unknown(const char *templates, const char *name, struct err *e)
{
	struct dirent **entries = NULL;
	struct buf list;
	int n = scandir(templates, &entries, NULL, name_order);

	if (n < 0)
		return err_set(e, ERR_MISSING, _("%s: the folder of templates cannot be read: %s."),
			templates, strerror(errno));
	buf_init(&list, ERR_TEXT_MAX);
	for (int i = 0; i < n; i++) {
		if (has_schema(templates, entries[i]->d_name))
			buf_printf(&list, NULL, "%s%s", list.len ? ", " : "", entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	if (list.len)
		err_set(e, ERR_MISSING, _("There is no template %.64s; known are: %.*s."), name,
			(int)list.len, (char *)list.data);
	else
		err_set(e, ERR_MISSING, _("There is no template %.64s; %s holds none at all."),
			name, templates);
	buf_done(&list);
	return ERR_MISSING;
}

static int
template_load(struct pack_template *t, const char *templates, const char *name, struct err *e)
{
	char path[PATH_MAX];

	if (!has_schema(templates, name))
		return template_unknown(templates, name, e);
	snprintf(path, sizeof path, "%s/%s/record.schema", templates, name);
	int rc = schema_load(&t->schema, path, e);
	if (rc)
		return rc;
	if (strcmp(t->schema->name, name))
		return err_set(e, ERR_INPUT,
			_("%s: calls itself %s; folder and schema must agree."), path,
			t->schema->name);
	snprintf(path, sizeof path, "%s/%s", templates, name);
	return chip_maps_load(&t->map, &t->tag, path, t->schema, e);
}

/* ---- problems ---- */

struct pack_report {
	unsigned n, n_warnings;
	json_t *list, *warnings; /* of strings; NULL when they go to stderr */
};

static void
pack_warning(struct pack_report *r, const struct err *warning)
{
	if (r->n_warnings++ >= PACK_PROBLEMS_MAX)
		return;
	if (r->warnings)
		json_array_append_new(r->warnings, json_string(warning->text));
	else
		fprintf(stderr, _("warning: %s\n"), warning->text);
}

static void
pack_problem(void *ctx, const struct err *problem)
{
	struct pack_report *r = ctx;

	if (problem->code == ERR_NONE) {
		pack_warning(r, problem);
		return;
	}
	if (r->n++ >= PACK_PROBLEMS_MAX)
		return;
	if (r->list)
		json_array_append_new(r->list, json_string(problem->text));
	else
		fprintf(stderr, "%s\n", problem->text);
}

static void
pack_report_close(const struct pack_report *r, const struct err *e)
{
	if (r->list) {
		json_t *root = json_pack("{s:O, s:I, s:I, s:O, s:i, s:s}", "problems", r->list,
			"count", (json_int_t)r->n, "warnings", (json_int_t)r->n_warnings,
			"warning_list", r->warnings, "status", err_exit_status(e->code), "message",
			e->text);
		if (root && !json_dumpf(root, stdout, JSON_INDENT(1)))
			putchar('\n');
		json_decref(root);
	} else if (r->n > PACK_PROBLEMS_MAX) {
		fprintf(stderr, _("… and %u more problems.\n"), r->n - PACK_PROBLEMS_MAX);
	}
}

/* Every chip image once: what cannot be put on a chip is known before a card is fed. */
static int
chips_check(const struct pack_template *t, const struct roster *r, const char *source,
	struct pack_report *report, struct err *e)
{
	const char *slash = strrchr(source, '/');
	unsigned before = report->n;
	const bool pass = t->tag && ndef_map_pass(t->tag);

	for (size_t i = 0; (t->map || pass) && i < r->n_records; i++) {
		const struct record *rec = &r->records[i];
		struct err problem = {0};
		struct chip_image image;
		struct tag_image tag;
		if (!(pass ? tag_image_build(&tag, t->tag, t->schema, rec, &problem)
			   : chip_image_build(&image, t->map, t->schema, rec, &problem)))
			continue;
		err_prefix(&problem, "%s", slash ? slash + 1 : source);
		pack_problem(report, &problem);
	}
	if (report->n == before)
		return 0;
	return err_set(e, ERR_INPUT, _("%s: %u records do not fit the chip; nothing was written."),
		source, report->n - before);
}

/* Every text and bar code is measured: card 500 must not stop a batch because of its name. */
static int
faces_check(const struct pack_args *a, const struct roster *r, struct pack_report *report,
	struct err *e)
{
	char path[PATH_MAX], place[512];
	const char *slash = strrchr(a->roster, '/');
	struct renderer *renderer = NULL;
	struct template *t = NULL;
	unsigned before = report->n;

	if ((size_t)snprintf(path, sizeof path, "%s/%s/template.bin", a->templates,
		    a->template_name) >= sizeof path ||
		(access(path, F_OK) < 0 && errno == ENOENT))
		return 0; /* not compiled here; the filter will ask for it */
	*strrchr(path, '/') = '\0';
	int rc = template_open(&t, path, e);
	if (rc || (rc = renderer_create(&renderer, t, e)))
		goto out;
	for (size_t i = 0; i < r->n_records; i++) {
		const struct record *rec = &r->records[i];
		record_place(
			place, sizeof place, slash ? slash + 1 : a->roster, rec->number, rec->line);
		face_check(renderer, rec, place, pack_problem, report);
	}
	if (report->n > before)
		rc = err_set(e, ERR_INPUT,
			_("%s: %u values do not fit the card; nothing was written."), a->roster,
			report->n - before);
out:
	renderer_destroy(renderer);
	template_close(t);
	return rc;
}

/* ---- result ---- */

/* As a shell reads it back. */
static void
shell_word(char *out, size_t max, const char *word)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-+,:@%=";
	size_t used = 0;

	if (strspn(word, plain) == strlen(word)) {
		snprintf(out, max, "%s", word);
		return;
	}
	out[used++] = '\'';
	for (; *word && used + 6 < max; word++) {
		if (*word == '\'') {
			memcpy(out + used, "'\\''", 4);
			used += 4;
		} else {
			out[used++] = *word;
		}
	}
	out[used++] = '\'';
	out[used] = '\0';
}

static void
pack_print(const struct pack_args *a, const struct batch_info *info, unsigned photos,
	intmax_t bytes, const struct pack_report *report, const char *fit)
{
	char hex[2 * HASH_LEN + 1], word[2 * PATH_MAX];

	hex_build(hex, info->hash, HASH_LEN);
	if (a->json) {
		json_t *root = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:I, s:O}", "batch",
			a->out, "template", info->template_name, "order", info->order, "records",
			(json_int_t)info->n_records, "photos", (json_int_t)photos, "bytes",
			(json_int_t)bytes, "hash", hex, "warnings", (json_int_t)report->n_warnings,
			"warning_list", report->warnings);
		if (root && a->queue)
			json_object_set_new(root, "fit", json_string(fit));
		if (root && !json_dumpf(root, stdout, JSON_INDENT(1)))
			putchar('\n');
		json_decref(root);
		return;
	}
	shell_word(word, sizeof word, a->out);
	printf("%s: ", a->out);
	printf(ngettext("%u record, ", "%u records, ", info->n_records), info->n_records);
	printf(ngettext("%u photo, ", "%u photos, ", photos), photos);
	if (report->n_warnings)
		printf(ngettext("%u warning, ", "%u warnings, ", report->n_warnings),
			report->n_warnings);
	printf(_("%jd bytes, batch %.12s; queue it with: lp -d %s %s\n"), bytes, hex,
		a->queue ? a->queue : "QUEUE", word);
	if (fit[0])
		printf("%s\n", fit);
}

/* Opens what was written, as the filter will, and reads its last record. */
static int
pack_prove(const struct pack_args *a, const struct pack_template *t, struct batch_info *info,
	struct err *e)
{
	struct batch *batch;
	struct record last = {0};
	int rc = batch_open(&batch, a->out, e);

	if (rc)
		return rc;
	*info = *batch_info(batch);
	rc = batch_prove(batch, e);
	if (!rc)
		rc = batch_record(batch, t->schema, info->n_records, &last, e);
	record_done(&last, t->schema);
	batch_close(batch);
	return rc;
}

static int
pack_write(const struct pack_args *a, const struct pack_template *t, const struct roster *roster,
	const struct pack_report *report, struct err *e)
{
	struct batch_info info = {.n_records = (unsigned)roster->n_records};
	struct stat st = {0};
	unsigned photos = 0;
	char fit[ERR_TEXT_MAX] = "";

	snprintf(info.template_name, sizeof info.template_name, "%s", a->template_name);
	snprintf(info.order, sizeof info.order, "%s", a->order);
	int rc = batch_write(a->out, t->schema, &info, roster, e);
	if (rc)
		return rc;
	rc = pack_prove(a, t, &info, e);
	if (rc) {
		unlink(a->out);
		return rc;
	}
	for (size_t i = 0; i < roster->n_records; i++)
		photos += *roster->records[i].photo != '\0';
	if (stat(a->out, &st) < 0)
		return err_set(
			e, ERR_STORAGE, _("%s: is gone again: %s."), a->out, strerror(errno));
	if (a->queue)
		printer_fit(a->queue, info.n_records, fit, sizeof fit);
	pack_print(a, &info, photos, (intmax_t)st.st_size, report, fit);
	return 0;
}

static int
pack_run(int argc, char **argv, struct err *e)
{
	struct pack_report report = {0};
	struct pack_template template = {0};
	struct roster *roster = NULL;
	struct config *config = NULL;
	struct pack_args args;
	int rc;

	if ((rc = pack_args_parse(&args, argc, argv, e)) || (rc = order_check(args.order, e)) ||
		(rc = out_check(&args, e)))
		goto out;
	if (!args.templates) {
		if ((rc = config_load(&config, e)))
			goto out;
		args.templates = config_templates(config);
	}
	if (args.json) {
		report.list = json_array();
		report.warnings = json_array();
	}
	if ((rc = template_load(&template, args.templates, args.template_name, e)))
		goto out;
	template.schema->photo_fit = args.fit_photos;
	if ((rc = roster_load(&roster, template.schema, args.roster, args.photos, pack_problem,
		     &report, e)) ||
		(rc = chips_check(&template, roster, args.roster, &report, e)) ||
		(rc = faces_check(&args, roster, &report, e)))
		goto out;
	rc = pack_write(&args, &template, roster, &report, e);
out:
	if (rc)
		pack_report_close(&report, e);
	roster_destroy(roster);
	template_done(&template);
	config_destroy(config);
	json_decref(report.list);
	json_decref(report.warnings);
	return rc;
}

const struct command commands_batch[] = {
	{"pack", NULL,
		N_("[--template NAME] [--photos DIR] [--fit-photos] [--order NO] [--queue NAME] "
		   "[--templates DIR] [--json] "
		   "ROSTER.csv "
		   "-o OUT.cards"),
		N_("check a roster with its photos and pack it into a batch for lp"), pack_run},
	{0},
};
