/*
 * batchtocards.c - the CUPS filter from a batch to the card stream.
 *
 * Owns CUPS' filter interface: arguments, options, PPD, messages. Guarantees: the whole batch is
 * verified before the first card leaves; anything wrong goes into the stream as an error that the
 * backend shows, so that the queue's error policy cannot run a job twice; nothing personal in a
 * message. Fails (exit 1) only when nothing can be written to the stream.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/card.h"

#include <glib.h>
#include <cups/cups.h>
#include <cups/ppd.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_LEN = 4096, PHOTO_MAX = 4 << 20, COPIES_MAX = 1000, RANGES_MAX = 64 };

struct range {
	unsigned first, last;
};

struct filter {
	unsigned copies;
	struct range ranges[RANGES_MAX];
	size_t n_ranges;      /* 0 = all cards */
	struct ribbon ribbon; /* as this printer can use it */
	char path[PATH_LEN];  /* of the batch, as CUPS spools it */
	int spool_fd;         /* what came on stdin, without a name */
	struct batch *batch;
	struct template *template;
	struct renderer *renderer;
	struct stream_job job;
};

static bool
number_parse(const char **text, unsigned max, unsigned *out)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	unsigned long n = strtoul(*text, &end, 10);
	if (errno || n < 1 || n > max)
		return false;
	*out = (unsigned)n;
	*text = end;
	return true;
}

/* "1-3,7,9-": cards by number. */
static int
ranges_parse(struct filter *f, const char *text, struct err *e)
{
	const char *p = text;

	while (p && *p) {
		struct range r = {1, UINT32_MAX};
		bool good = f->n_ranges < RANGES_MAX;
		if (*p != '-')
			good = good && number_parse(&p, UINT32_MAX, &r.first);
		if (good && *p == '-') {
			p++;
			if (*p && *p != ',')
				good = number_parse(&p, UINT32_MAX, &r.last);
		} else {
			r.last = r.first;
		}
		if (!good || r.last < r.first || (*p && *p != ','))
			return err_set(e, ERR_INPUT,
				_("The range of cards is not one: write it as 1-3,7 in rising "
				  "order."));
		f->ranges[f->n_ranges++] = r;
		p += *p == ',';
	}
	return 0;
}

static bool
card_wanted(const struct filter *f, unsigned card)
{
	for (size_t i = 0; i < f->n_ranges; i++)
		if (card >= f->ranges[i].first && card <= f->ranges[i].last)
			return true;
	return f->n_ranges == 0;
}

/* The PPD knows the ribbon in the machine and whether it can turn a card. */
static void
ppd_read(int n, cups_option_t *options, char *ribbon, size_t max, bool *duplex)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	const char *path = getenv("PPD");
	ppd_file_t *ppd = path ? ppdOpenFile(path) : NULL;

	if (!ppd)
		return;
	ppdMarkDefaults(ppd);
	cupsMarkOptions(ppd, n, options);
	ppd_choice_t *choice = ppdFindMarkedChoice(ppd, "CardRibbon");
	if (choice)
		snprintf(ribbon, max, "%s", choice->choice);
	ppd_attr_t *turns = ppdFindAttr(ppd, "CardspoolDuplex", NULL);
	*duplex = turns && turns->value && !strcasecmp(turns->value, "true");
	ppdClose(ppd);
#pragma GCC diagnostic pop
}

static int
ribbon_choose(struct filter *f, int n, cups_option_t *options, struct err *e)
{
	char name[64] = "ymcko";
	bool duplex = false;
	const char *word = cupsGetOption("CardRibbon", n, options);

	word = word ? word : cupsGetOption("cardspool-ribbon", n, options);
	if (word && !getenv("PPD"))
		snprintf(name, sizeof name, "%s", word);
	ppd_read(n, options, name, sizeof name, &duplex);
	word = cupsGetOption("cardspool-ribbon", n, options);
	if (word)
		snprintf(name, sizeof name, "%s", word);
	const struct ribbon *found = ribbon_find(name);
	if (!found)
		return err_set(e, ERR_INPUT,
			_("There is no ribbon of that name. Choose one that the queue offers."));
	f->ribbon = *found;
	if (!duplex && getenv("PPD"))
		f->ribbon.back = "";
	return 0;
}

static int
options_read(struct filter *f, int argc, char **argv, struct err *e)
{
	cups_option_t *options = NULL;
	int n = cupsParseOptions(argv[5], 0, &options);
	const char *copies = argv[4];

	f->copies = 1;
	int rc = 0;
	/* Only the first filter of a chain makes the copies, and only the first has a file. */
	if (argc == 7 && (!number_parse(&copies, COPIES_MAX, &f->copies) || *copies))
		rc = err_set(e, ERR_INPUT, _("At most %d copies of a card can be asked for."),
			COPIES_MAX);
	if (!rc)
		rc = ranges_parse(f, cupsGetOption("page-ranges", n, options), e);
	if (!rc)
		rc = ribbon_choose(f, n, options, e);
	cupsFreeOptions(n, options);
	return rc;
}

/* A batch on stdin goes to a file without a name: a ZIP is read from its end. */
static int
stdin_spool(struct filter *f, char path[PATH_LEN], struct err *e)
{
	const char *folder = getenv("TMPDIR");
	char piece[65536];
	ssize_t n;

	f->spool_fd = open(folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (f->spool_fd < 0)
		return err_set(e, ERR_STORAGE, _("The batch cannot be kept while it is read: %s."),
			strerror(errno));
	while ((n = read(STDIN_FILENO, piece, sizeof piece)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		for (ssize_t done = 0, put; n > 0 && done < n; done += put) {
			put = write(f->spool_fd, piece + done, (size_t)(n - done));
			if (put < 0 && errno == EINTR)
				put = 0;
			if (put < 0)
				n = -1;
		}
		if (n < 0)
			return err_set(e, ERR_STORAGE,
				_("The batch cannot be kept while it is read: %s."),
				strerror(errno));
	}
	snprintf(path, PATH_LEN, "/proc/self/fd/%d", f->spool_fd);
	return 0;
}

/* The one setting that a filter shares with the floors above: [paths] templates. Whatever is wrong
 * with the file is told by the backend, which reads all of it before a card is fed. Tests name the
 * folder itself. */
static char *
templates_folder(void)
{
	const char *named = getenv("CARDSPOOL_CONF"), *given = getenv("CARDSPOOL_TEMPLATES");
	if (given)
		return g_strdup(given);
	GKeyFile *file = g_key_file_new();
	char *folder = NULL;

	if (g_key_file_load_from_file(file, named ? named : SYSCONFDIR "/cardspool/cardspool.conf",
		    G_KEY_FILE_NONE, NULL))
		folder = g_key_file_get_string(file, "paths", "templates", NULL);
	g_key_file_free(file);
	return folder ? folder : g_strdup(PKGDATADIR "/templates");
}

static int
template_find(struct filter *f, struct err *e)
{
	const char *name = batch_info(f->batch)->template_name;
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	char path[PATH_LEN];

	if (!name[0] || name[0] == '.' || strspn(name, allowed) != strlen(name))
		return err_set(e, ERR_INPUT,
			_("The batch names its template with characters that a "
			  "template's name cannot have."));
	char *folder = templates_folder();
	snprintf(path, sizeof path, "%s/%s", folder, name);
	g_free(folder);
	if (access(path, F_OK) < 0)
		return err_set(e, ERR_MISSING,
			_("The batch is for the card template %s, which is not there: %s. Install "
			  "the template, then release the job."),
			name, path);
	int rc = template_open(&f->template, path, e);
	return rc ? rc : renderer_create(&f->renderer, f->template, e);
}

static int
batch_begin(struct filter *f, int argc, char **argv, struct err *e)
{
	const char *type = getenv("CONTENT_TYPE");
	int rc = 0;

	if (type && strcmp(type, BATCH_MIME))
		return err_set(e, ERR_INPUT,
			_("Only a batch of cards can be printed this way, not %s."), type);
	if (argc == 7)
		snprintf(f->path, sizeof f->path, "%s", argv[6]);
	else
		rc = stdin_spool(f, f->path, e);
	if (rc || (rc = batch_open(&f->batch, f->path, e)))
		return rc;
	if ((rc = template_find(f, e)))
		return rc;
	const struct batch_info *info = batch_info(f->batch);
	uint8_t hash[HASH_LEN];
	snprintf(f->job.template_name, sizeof f->job.template_name, "%s", info->template_name);
	snprintf(f->job.order, sizeof f->job.order, "%s", info->order);
	hex_build(f->job.batch_hash, info->hash, HASH_LEN);
	template_hash(f->template, hash);
	hex_build(f->job.template_hash, hash, HASH_LEN);
	unsigned wanted = 0;
	for (unsigned card = 1; card <= info->n_records; card++)
		wanted += card_wanted(f, card);
	if (!wanted)
		return err_set(e, ERR_INPUT, _("The range names no card of this batch; it has %u."),
			info->n_records);
	f->job.n_cards = wanted * f->copies;
	return 0;
}

static int
card_fill(struct filter *f, unsigned number, struct stream_card *card, struct err *e)
{
	const struct schema *schema = template_schema(f->template);
	const struct chip_map *map = template_chip_map(f->template);
	struct record rec = {0};
	struct buf photo;
	uint8_t hash[HASH_LEN];

	buf_init(&photo, PHOTO_MAX);
	int rc = batch_record(f->batch, schema, number, &rec, e);
	if (rc)
		return rc;
	card->card = number;
	card->has_chip = map != NULL;
	record_hash(hash, schema, &rec);
	hex_build(card->record_hash, hash, HASH_LEN);
	if (schema->number_field >= 0)
		record_mask(card->number_masked, sizeof card->number_masked, schema, &rec,
			schema->number_field);
	if (schema->name_field >= 0)
		record_mask(card->name_masked, sizeof card->name_masked, schema, &rec,
			schema->name_field);
	if (map)
		rc = chip_image_build(&card->chip, map, schema, &rec, e);
	if (!rc && rec.photo[0])
		rc = batch_entry(f->batch, rec.photo, &photo, PHOTO_MAX, e);
	for (int side = 0; !rc && side < SIDE_COUNT; side++)
		rc = face_render(f->renderer, &rec, photo.data, photo.len, (enum side)side,
			&f->ribbon, &card->face[side], e);
	buf_done(&photo);
	record_done(&rec, schema);
	return rc;
}

/* 0, or the error that belongs into the stream; *written is not 0 when the stream itself is broken.
 */
static int
cards_write(struct filter *f, int *written, struct err *e)
{
	unsigned n = batch_info(f->batch)->n_records;

	for (unsigned number = 1; number <= n; number++) {
		struct stream_card card = {0};
		if (!card_wanted(f, number))
			continue;
		int rc = card_fill(f, number, &card, e);
		for (unsigned copy = 1; !rc && !*written && copy <= f->copies; copy++) {
			card.copy = copy;
			*written = stream_write_card(STDOUT_FILENO, &card, e);
		}
		stream_card_done(&card);
		if (rc || *written)
			return rc ? rc : *written;
		fprintf(stderr, "DEBUG: card %u is drawn\n", number);
	}
	*written = stream_write_end(STDOUT_FILENO, f->job.n_cards, e);
	return *written;
}

/* A person knows the batch by its job. The job's title is not shown: a file may be called like a
 * holder. */
static void
cause_rename(const struct filter *f, const char *job, struct err *cause)
{
	const struct err found = *cause;
	size_t len = strlen(f->path);

	if (!len || strncmp(found.text, f->path, len))
		return;
	snprintf(cause->text, sizeof cause->text, _("Batch of job %.12s"), job);
	size_t head = strlen(cause->text);
	snprintf(cause->text + head, sizeof cause->text - head, "%s", found.text + len);
}

static void
filter_done(struct filter *f)
{
	renderer_destroy(f->renderer);
	template_close(f->template);
	if (f->batch)
		batch_close(f->batch);
	if (f->spool_fd >= 0)
		close(f->spool_fd);
}

/* A banner is a page of paper; a card printer has none to give. */
static bool
banner_asked(void)
{
	const char *type = getenv("CUPS_FILETYPE");

	return type && !strcmp(type, "job-sheet");
}

int
main(int argc, char **argv)
{
	struct filter f = {.spool_fd = -1, .copies = 1};
	struct err cause = {0}, e = {0};

	setlocale(LC_ALL, "");
	bindtextdomain("cardspool", LOCALEDIR);
	textdomain("cardspool");
	signal(SIGPIPE, SIG_IGN);
	if (argc < 6 || argc > 7) {
		fprintf(stderr, "ERROR: %s job user title copies options [file]\n", argv[0]);
		return 1;
	}
	bool banner = banner_asked();
	int rc = options_read(&f, argc, argv, &cause);
	snprintf(f.job.ribbon, sizeof f.job.ribbon, "%s", f.ribbon.name ? f.ribbon.name : "");
	if (!rc && !banner)
		rc = batch_begin(&f, argc, argv, &cause);
	int written = stream_write_begin(STDOUT_FILENO, &f.job, &e);
	if (!written && banner)
		written = stream_write_end(STDOUT_FILENO, 0, &e);
	else if (!written && !rc)
		rc = cards_write(&f, &written, &cause);
	cause_rename(&f, argv[1], &cause);
	if (rc && !written && !banner)
		written = stream_write_error(STDOUT_FILENO, &cause, &e);
	if (written)
		fprintf(stderr, "DEBUG: the stream was not taken: %s\n",
			e.text[0] ? e.text : cause.text);
	else if (rc)
		fprintf(stderr, "DEBUG: the job ends early with code %d\n", cause.code);
	filter_done(&f);
	/* A backend that stopped reading has told CUPS why; a failing filter would hide it for
	 * ever. */
	return 0;
}
