/*
 * cmd-template.c - the command `preview`.
 *
 * Owns their words and what they say. Guarantees: a picture is written complete or not at all and
 * shows exactly the dots that would be printed. On failure the command's error names the file,
 * record or field.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/proof.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_LEN = 4096, PHOTO_MAX = 4 << 20, OPTIONS_MAX = 32 };

struct preview {
	const char *source, *template_word, *templates, *photo_dir, *ribbon_word, *side_word, *out;
	const char *panel_word, *queue_word, *ppd_word;
	const char *queue_options[OPTIONS_MAX];
	size_t n_queue_options;
	unsigned record;
	bool json, proof;
	const struct ribbon *ribbon;
	char ribbon_name[16];
	char dir[PATH_LEN];
	struct template *template;
	struct batch *batch;
	struct roster *roster;
	struct record own; /* from a batch */
	const struct record *rec;
	struct buf photo;
	struct face faces[SIDE_COUNT];
};

static int
number_parse(const char *text, unsigned *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || end == text || text[0] == '-' || n < 1 || n > 10000000)
		return ERR_USAGE;
	*out = (unsigned)n;
	return 0;
}

static int
preview_words(struct preview *p, int argc, char **argv, struct err *e)
{
	static const struct option options[] = {{"record", required_argument, NULL, 'r'},
		{"side", required_argument, NULL, 's'}, {"ribbon", required_argument, NULL, 'b'},
		{"template", required_argument, NULL, 't'},
		{"templates", required_argument, NULL, 'T'},
		{"photos", required_argument, NULL, 'p'}, {"output", required_argument, NULL, 'o'},
		{"proof", no_argument, NULL, 'P'}, {"panel", required_argument, NULL, 'l'},
		{"queue", required_argument, NULL, 'd'}, {"ppd", required_argument, NULL, 'D'},
		{"option", required_argument, NULL, 'O'}, {"json", no_argument, NULL, 'j'},
		{NULL, 0, NULL, 0}};
	const struct {
		int letter;
		const char **word;
	} words[] = {{'s', &p->side_word}, {'b', &p->ribbon_word}, {'t', &p->template_word},
		{'T', &p->templates}, {'p', &p->photo_dir}, {'o', &p->out}, {'l', &p->panel_word},
		{'d', &p->queue_word}, {'D', &p->ppd_word}};
	int c;

	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "r:s:b:t:p:o:d:j", options, NULL)) != -1) {
		bool known = c == 'j' || c == 'r' || c == 'P';
		if (c == 'r' && number_parse(optarg, &p->record))
			return err_set(e, ERR_USAGE, _("--record takes a card number from 1."));
		p->json |= c == 'j';
		p->proof |= c == 'P';
		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			if (c == words[i].letter) {
				*words[i].word = optarg;
				known = true;
			}
		if (c == 'O' && p->n_queue_options < OPTIONS_MAX) {
			p->queue_options[p->n_queue_options++] = optarg;
			known = true;
		}
		if (!known)
			return err_set(e, ERR_USAGE,
				_("preview does not know that option. See: cardspool help "
				  "preview"));
	}
	if (optind != argc - 1 || !p->out)
		return err_set(e, ERR_USAGE,
			_("preview takes one batch, roster or PDF and -o PICTURE.png."));
	p->source = argv[optind];
	if (p->n_queue_options && !p->queue_word && !p->ppd_word)
		return err_set(e, ERR_USAGE, _("--option is for --queue NAME or --ppd FILE."));
	p->ribbon = ribbon_find(p->ribbon_word ? p->ribbon_word : "ymckok");
	if (!p->ribbon)
		return err_set(e, ERR_USAGE, _("There is no ribbon \"%s\"."), p->ribbon_word);
	if (p->ribbon_word && (p->queue_word || p->ppd_word))
		return err_set(e, ERR_USAGE,
			_("The queue says which ribbon is in; leave --ribbon out, or write "
			  "--option Ribbon=NAME."));
	if (p->panel_word && proof_panel(p->panel_word) < 0)
		return err_set(e, ERR_USAGE, _("--panel is Y, M, C, K, O or UV."));
	if (strcmp(p->side_word, "front") && strcmp(p->side_word, "back") &&
		strcmp(p->side_word, "both"))
		return err_set(e, ERR_USAGE, _("--side is front, back or both."));
	return 0;
}

/* A word with a slash is a folder, any other is a name in the folder of templates. */
static int
template_find(struct preview *p, const char *word, struct err *e)
{
	struct config *config;

	if (strchr(word, '/') || !strcmp(word, ".")) {
		snprintf(p->dir, sizeof p->dir, "%s", word);
	} else if (p->templates) {
		snprintf(p->dir, sizeof p->dir, "%s/%s", p->templates, word);
	} else {
		int rc = config_load(&config, e);
		if (rc)
			return rc;
		snprintf(p->dir, sizeof p->dir, "%s/%s", config_templates(config), word);
		config_destroy(config);
	}
	return template_open(&p->template, p->dir, e);
}

static void
problem_print(void *ctx, const struct err *problem)
{
	(void)ctx;
	if (problem->code != ERR_NONE) /* a warning: the face shows it */
		fprintf(stderr, "%s\n", problem->text);
}

static int
roster_read(struct preview *p, struct err *e)
{
	char folder[PATH_LEN], photos[PATH_LEN];
	const char *slash = strrchr(p->source, '/');

	if (!p->template_word)
		return err_set(e, ERR_USAGE, _("A roster needs --template NAME."));
	int rc = template_find(p, p->template_word, e);
	if (rc)
		return rc;
	snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - p->source) : 1,
		slash ? p->source : ".");
	/* As pack: the folder photos beside the roster; where there is none, beside it. */
	if (snprintf(photos, sizeof photos, "%s/photos", folder) >= (int)sizeof photos ||
		access(photos, X_OK))
		snprintf(photos, sizeof photos, "%s", folder);
	rc = roster_load(&p->roster, template_schema(p->template), p->source,
		p->photo_dir ? p->photo_dir : photos, problem_print, NULL, e);
	if (rc)
		return rc;
	if (p->record > p->roster->n_records)
		return err_set(e, ERR_MISSING, _("%s: has %zu records, not %u."), p->source,
			p->roster->n_records, p->record);
	p->rec = &p->roster->records[p->record - 1];
	return p->rec->photo[0] ? file_read(&p->photo, p->rec->photo, PHOTO_MAX, e) : 0;
}

static int
batch_read(struct preview *p, struct err *e)
{
	int rc = batch_open(&p->batch, p->source, e);

	if (rc)
		return rc;
	const struct batch_info *info = batch_info(p->batch);
	if ((rc = template_find(p, p->template_word ? p->template_word : info->template_name, e)))
		return rc;
	if (p->record > info->n_records)
		return err_set(e, ERR_MISSING, _("%s: has %u records, not %u."), p->source,
			info->n_records, p->record);
	rc = batch_record(p->batch, template_schema(p->template), p->record, &p->own, e);
	if (rc)
		return rc;
	p->rec = &p->own;
	return p->rec->photo[0] ? batch_entry(p->batch, p->rec->photo, &p->photo, PHOTO_MAX, e) : 0;
}

static bool
face_any(const struct face *f)
{
	for (int i = 0; i < PANEL_COUNT; i++)
		if (f->plane[i].fill != PLANE_ABSENT)
			return true;
	return false;
}

static int
faces_draw(struct preview *p, struct err *e)
{
	struct renderer *renderer;
	int rc = renderer_create(&renderer, p->template, e);

	if (rc)
		return rc;
	for (int side = 0; !rc && side < SIDE_COUNT; side++)
		if (!strcmp(p->side_word, "both") || !strcmp(p->side_word, side_names[side]))
			rc = face_render(renderer, p->rec, p->photo.data, p->photo.len,
				(enum side)side, p->ribbon, &p->faces[side], e);
	renderer_destroy(renderer);
	return rc;
}

static bool
name_ends(const char *name, const char *end)
{
	size_t len = strlen(name), n = strlen(end);

	return len > n && !strcasecmp(name + len - n, end);
}

/* What the queue's own filter makes of it. The template is opened for its boxes only. */
static int
queue_draw(struct preview *p, struct err *e)
{
	struct queue_preview q = {.queue = p->queue_word,
		.ppd = p->ppd_word,
		.source = p->source,
		.templates = p->templates,
		.options = p->queue_options,
		.n_options = p->n_queue_options,
		.pdf = name_ends(p->source, ".pdf"),
		.card = p->record};
	int rc;

	if (name_ends(p->source, ".csv"))
		return err_set(e, ERR_USAGE,
			_("A queue takes a batch or a PDF; pack the roster first: cardspool "
			  "pack."));
	rc = q.pdf ? 0 : batch_read(p, e);
	if (!rc)
		rc = queue_faces(&q, p->faces, e);
	for (int side = 0; !rc && side < SIDE_COUNT; side++)
		if (strcmp(p->side_word, "both") && strcmp(p->side_word, side_names[side]))
			face_done(&p->faces[side]);
	snprintf(p->ribbon_name, sizeof p->ribbon_name, "%s", q.ribbon);
	return rc;
}

static void
preview_report(const struct preview *p)
{
	json_t *panels = json_object();

	for (int side = 0; side < SIDE_COUNT; side++) {
		char letters[PANEL_COUNT + 1] = "";
		size_t n = 0;
		for (int i = 0; i < PANEL_COUNT; i++)
			if (p->faces[side].plane[i].fill != PLANE_ABSENT)
				letters[n++] = panel_letters[i];
		json_object_set_new(panels, side_names[side], json_string(letters));
	}
	json_t *report = json_pack("{s:s, s:s, s:I, s:s, s:o}", "file", p->out, "template",
		p->template ? template_name(p->template) : "pdf", "record", (json_int_t)p->record,
		"ribbon", p->ribbon_name, "panels", panels);
	json_dumpf(report, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(report);
}

static int
preview_write(const struct preview *p, struct err *e)
{
	struct proof proof = {.dpi = p->template ? template_dpi(p->template) : 300,
		.marks = p->proof,
		.panel = p->panel_word ? proof_panel(p->panel_word) : -1,
		.template = p->template};

	for (int side = 0; side < SIDE_COUNT; side++)
		if (face_any(&p->faces[side])) {
			proof.faces[proof.n] = &p->faces[side];
			proof.sides[proof.n++] = (enum side)side;
		}
	if (!proof.n)
		return err_set(e, ERR_MISSING, _("Ribbon %s does not print the %s."),
			p->ribbon_name, p->side_word);
	return proof_write(p->out, &proof, e);
}

static int
preview_run(int argc, char **argv, struct err *e)
{
	struct preview p = {.record = 1, .side_word = "both"};
	int rc = preview_words(&p, argc, argv, e);

	buf_init(&p.photo, PHOTO_MAX);
	if (!rc && p.ribbon)
		snprintf(p.ribbon_name, sizeof p.ribbon_name, "%s", p.ribbon->name);
	if (!rc) {
		if (p.queue_word || p.ppd_word)
			rc = queue_draw(&p, e);
		else if (name_ends(p.source, ".pdf"))
			rc = page_faces(p.source, p.record, p.side_word, p.ribbon, p.faces, e);
		else if (!(rc = name_ends(p.source, ".csv") ? roster_read(&p, e)
							    : batch_read(&p, e)))
			rc = faces_draw(&p, e);
	}
	if (!rc && !(rc = preview_write(&p, e))) {
		if (p.json)
			preview_report(&p);
		else
			printf(_("%s: card %u as ribbon %s prints it.\n"), p.out, p.record,
				p.ribbon_name);
	}
	for (int side = 0; side < SIDE_COUNT; side++)
		face_done(&p.faces[side]);
	buf_done(&p.photo);
	if (p.own.values)
		record_done(&p.own, template_schema(p.template));
	if (p.roster)
		roster_destroy(p.roster);
	if (p.batch)
		batch_close(p.batch);
	template_close(p.template);
	return rc;
}

const struct command commands_template[] = {
	{"preview", NULL,
		"FILE.cards|ROSTER.csv|FILE.pdf -o PICTURE.png|PROOF.pdf [--record N] [--proof] "
		"[--panel Y|M|C|K|O|UV] [--side front|back|both] "
		"[--ribbon NAME | --queue NAME | --ppd FILE [--option NAME=VALUE]...] [--template "
		"NAME|FOLDER] [--templates FOLDER] [--photos FOLDER] "
		"[--json]",
		N_("show a card as the head will print it"), preview_run},
	{NULL, NULL, NULL, NULL, NULL},
};
