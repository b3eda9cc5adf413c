/*
 * pdftocards.c - the CUPS filter from a PDF to the card stream.
 *
 * Owns what a page means: a card, or one side of it. Guarantees: every page is looked at before the
 * first card leaves, so that a page that does not fit holds the whole job and shifts nothing;
 * anything wrong goes into the stream as an error that the backend shows. Fails (exit 1) only when
 * nothing can be written to the stream.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/filter-job.h"
#include "filters/pdf-chip.h"
#include "filters/pdf.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { HEAD_DOTS = 648, HEAD_LINES = 1016, HEAD_DPI = 300, FILE_MAX_MIB = 1024 };

struct filter {
	struct filter_job job;
	struct pdf_jail *jail;
	struct pdf_look look;
	bool duplex, tumble, collate;
	unsigned n_pages;
	unsigned *pages; /* the wanted ones, in order */
	size_t n_wanted;
	char *templates, *folder;
	struct pdf_orders *orders;
	struct stream_job stream;
};

/* ---- options ---- */

struct word {
	const char *text;
	int value;
};

static int
word_find(const struct filter_job *j, const char *option, const struct word *words, int fallback)
{
	const char *text = filter_job_option(j, option);

	for (; text && words->text; words++)
		if (!strcasecmp(words->text, text))
			return words->value;
	return fallback;
}

static bool
word_known(const struct filter_job *j, const char *option, const struct word *words)
{
	return word_find(j, option, words, -1) >= 0 || !filter_job_option(j, option);
}

static void
sides_read(struct filter *f)
{
	static const struct word ppd[] = {
		{"DuplexNoTumble", 1}, {"DuplexTumble", 2}, {"None", 0}, {NULL, 0}};
	static const struct word ipp[] = {{"two-sided-long-edge", 1}, {"two-sided-short-edge", 2},
		{"one-sided", 0}, {NULL, 0}};
	int sides = word_find(&f->job, "Duplex", ppd, 0);

	sides = word_find(&f->job, "sides", ipp, sides);
	f->duplex = sides != 0;
	f->tumble = sides == 2;
}

static int
look_read(struct filter *f, struct err *e)
{
	static const struct word scalings[] = {{"fill", PDF_FILL}, {"auto", PDF_FILL},
		{"auto-fit", PDF_FILL}, {"fit", PDF_FIT}, {"none", PDF_NONE}, {NULL, 0}};
	static const struct word blacks[] = {{"TextInBlack", BLACK_TEXT}, {"AllBlack", BLACK_ALL},
		{"None", BLACK_NO}, {"Threshold", BLACK_DARK}, {"Halftone", BLACK_GRAY}, {NULL, 0}};
	/* The short words that card printing programs use. */
	static const struct word resins[] = {{"text", BLACK_TEXT}, {"all", BLACK_ALL},
		{"none", BLACK_NO}, {"threshold", BLACK_DARK}, {"halftone", BLACK_GRAY}, {NULL, 0}};
	static const struct word halftones[] = {{"Floyd", HALFTONE_FLOYD},
		{"Threshold", HALFTONE_THRESHOLD}, {"Ordered", HALFTONE_ORDERED},
		{"Clustered", HALFTONE_CLUSTERED}, {NULL, 0}};
	static const struct word yes[] = {
		{"true", 1}, {"separate-documents-collated-copies", 1}, {NULL, 0}};
	static const struct word numbers[] = {{"1", 1}, {NULL, 0}};
	const char *fit = filter_job_option(&f->job, "fit-to-page");

	f->look = (struct pdf_look){.width = HEAD_LINES, .height = HEAD_DOTS, .dpi = HEAD_DPI};
	f->look.scaling = (enum pdf_scaling)word_find(&f->job, "print-scaling", scalings, PDF_FILL);
	if (fit && strcasecmp(fit, "false"))
		f->look.scaling = PDF_FIT;
	f->look.black = (enum pdf_black)word_find(&f->job, "CardBlack", blacks, BLACK_TEXT);
	int resin = word_find(&f->job, "resin", resins, (int)f->look.black);
	bool known = word_known(&f->job, "CardBlack", blacks) &&
		     word_known(&f->job, "resin", resins) &&
		     word_known(&f->job, "CardHalftone", halftones);
	if (!known)
		return err_set(e, ERR_INPUT,
			_("Resin or halftone has no choice of that name. Choose one that the "
			  "queue offers."));
	f->look.black = (enum pdf_black)resin;
	f->look.halftone =
		(enum pdf_halftone)word_find(&f->job, "CardHalftone", halftones, HALFTONE_FLOYD);
	f->look.ribbon = &f->job.ribbon;
	f->look.print = &f->job.look;
	f->collate = word_find(&f->job, "multiple-document-handling", yes, 0) ||
		     word_find(&f->job, "Collate", yes, 0);
	sides_read(f);
	if (!word_find(
		    &f->job, "number-up", numbers, filter_job_option(&f->job, "number-up") == NULL))
		return err_set(e, ERR_INPUT,
			_("Several pages cannot be put on one card. Print with one page per "
			  "sheet."));
	if (f->duplex && !f->job.ribbon.back[0])
		return err_set(e, ERR_INPUT,
			_("Two sides were asked for, but this printer with ribbon %s prints one. "
			  "Print "
			  "one-sided, or choose another ribbon."),
			f->job.ribbon.name);
	return 0;
}

/* ---- pages ---- */

/* A pair is never torn: page 1 and 2 are a card, 3 and 4 the next. */
static int
pairs_check(const struct filter *f, struct err *e)
{
	if (!f->duplex)
		return 0;
	if (f->n_pages % 2)
		return err_set(e, ERR_INPUT,
			_("The PDF has %u pages, an odd number, but a card has two sides. Add the "
			  "page "
			  "that is missing, or print "
			  "one-sided."),
			f->n_pages);
	for (size_t i = 0; i < f->n_wanted; i += 2)
		if (f->pages[i] % 2 == 0 || i + 1 == f->n_wanted ||
			f->pages[i + 1] != f->pages[i] + 1)
			return err_set(e, ERR_INPUT,
				_("The range of pages takes one side of a card without the other "
				  "(page "
				  "%u). On two sides a card is an "
				  "odd page and the next one."),
				f->pages[i]);
	return 0;
}

static int
pages_choose(struct filter *f, struct err *e)
{
	f->pages = calloc(f->n_pages, sizeof *f->pages);
	if (!f->pages)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	for (unsigned page = 1; page <= f->n_pages; page++)
		if (filter_job_wants(&f->job, page))
			f->pages[f->n_wanted++] = page;
	if (!f->n_wanted)
		return err_set(e, ERR_INPUT, _("The range names no page of this PDF; it has %u."),
			f->n_pages);
	return pairs_check(f, e);
}

/* The look of a page that is the side of a card. A portrait card is turned like a page of a book
 * too. */
static const struct pdf_look *
side_look(struct filter *f, enum side side)
{
	f->look.side = side;
	f->look.turned = side == SIDE_BACK && f->tumble;
	return &f->look;
}

/* Both sides of a card may carry escapes, but not the same one. */
static int
escapes_join(struct escapes *both, const struct escapes *more, unsigned page, struct err *e)
{
	bool twice = both->chip[0] && more->chip[0];

	for (int i = 0; i < MAGNETIC_TRACKS; i++) {
		twice |= both->track[i][0] && more->track[i][0];
		if (more->track[i][0])
			memcpy(both->track[i], more->track[i], sizeof both->track[i]);
	}
	if (more->chip[0])
		memcpy(both->chip, more->chip, sizeof both->chip);
	if (twice)
		return err_set(e, ERR_INPUT,
			_("Page %u: repeats an escape of the card's other side."), page);
	return 0;
}

static int
escapes_fill(const struct filter *f, struct stream_card *card, const struct escapes *x,
	unsigned page, struct err *e)
{
	memcpy(card->track, x->track, sizeof card->track);
	if (!x->chip[0])
		return 0;
	int rc = pdf_chip_fill(card, x->chip, filter_job_option(&f->job, "cardspool-template"),
		f->templates, f->orders, e);
	if (rc) {
		struct err found = *e;
		err_set(e, found.code, _("Page %u: %s"), page, found.text);
	}
	return rc;
}

/* Looks at or draws the pages of the card whose first page is pages[at]. */
static int
card_make(struct filter *f, size_t at, bool draw, struct stream_card *card, struct err *e)
{
	struct escapes both = {0};
	int rc = 0;

	for (int side = 0; !rc && side <= (int)f->duplex; side++) {
		struct escapes x = {0};
		unsigned page = f->pages[at + (size_t)side];
		rc = pdf_jail_face(f->jail, page, side_look(f, (enum side)side),
			draw ? &card->face[side] : NULL, &x, e);
		if (!rc)
			rc = escapes_join(&both, &x, page, e);
		explicit_bzero(&x, sizeof x);
	}
	card->card = f->duplex ? (f->pages[at] + 1) / 2 : f->pages[at];
	if (!rc)
		rc = escapes_fill(f, card, &both, f->pages[at], e);
	if (!rc)
		rc = filter_job_card(&f->job, card, e);
	explicit_bzero(&both, sizeof both);
	return rc;
}

/* A page without a record is known by its picture. */
static void
record_hash_fill(struct stream_card *card)
{
	uint8_t hash[SIDE_COUNT][HASH_LEN], joined[HASH_LEN];

	if (card->record_hash[0])
		return;
	for (int side = 0; side < SIDE_COUNT; side++)
		face_hash(hash[side], &card->face[side]);
	hash_bytes(joined, hash, sizeof hash);
	hex_build(card->record_hash, joined, HASH_LEN);
}

static int
pages_check(struct filter *f, struct err *e)
{
	int rc = 0;

	for (size_t at = 0; !rc && at < f->n_wanted; at += 1 + f->duplex) {
		struct stream_card card = {0};
		rc = card_make(f, at, false, &card, e);
		stream_card_done(&card);
	}
	return rc;
}

/* *written is not 0 when the stream itself is broken. */
static int
cards_write(void *filter, int *written, struct err *e)
{
	struct filter *f = filter;
	unsigned rounds = f->collate ? f->job.copies : 1, each = f->collate ? 1 : f->job.copies;

	for (unsigned round = 1; round <= rounds; round++)
		for (size_t at = 0; at < f->n_wanted; at += 1 + f->duplex) {
			struct stream_card card = {0};
			int rc = card_make(f, at, true, &card, e);
			if (!rc)
				record_hash_fill(&card);
			for (unsigned copy = 0; !rc && !*written && copy < each; copy++) {
				card.copy = round + copy;
				*written = stream_write_card(STDOUT_FILENO, &card, e);
			}
			fprintf(stderr, "DEBUG: card %u is drawn\n", card.card);
			stream_card_done(&card);
			if (rc || *written)
				return rc ? rc : *written;
		}
	*written = stream_write_end(STDOUT_FILENO, f->stream.n_cards, e);
	return *written;
}

/* ---- the job ---- */

/* Only what a program sends as PDF: text that CUPS would set in type is not a card. */
static int
type_check(struct err *e)
{
	const char *type = getenv("CONTENT_TYPE");

	if (!type || !strcmp(type, "application/pdf") || !strcmp(type, "application/vnd.cups-pdf"))
		return 0;
	return err_set(e, ERR_INPUT,
		_("This queue makes cards from PDF pages and card batches, not from %s. Open the "
		  "file "
		  "in a program and print it "
		  "from there on the page size CR80."),
		type);
}

/* The same file under another job is another order; a second run of this job is not. */
static int
job_name(struct filter *f, const char *id, struct err *e)
{
	const char *uuid = filter_job_option(&f->job, "job-uuid");
	uint8_t hash[2 * HASH_LEN];
	struct buf file;

	buf_init(&file, (size_t)FILE_MAX_MIB << 20);
	int rc = file_read(&file, f->job.path, (size_t)FILE_MAX_MIB << 20, e);
	if (rc == ERR_INPUT)
		err_set(e, ERR_INPUT, _("The PDF is larger than %d MiB. Print it in parts."),
			FILE_MAX_MIB);
	if (!rc) {
		uuid = uuid ? uuid : id;
		hash_bytes(hash, file.data, file.len);
		hash_bytes(hash + HASH_LEN, uuid, strlen(uuid));
		hash_bytes(hash, hash, sizeof hash);
		hex_build(f->stream.batch_hash, hash, HASH_LEN);
		snprintf(f->stream.template_name, sizeof f->stream.template_name, "pdf");
	}
	buf_done(&file);
	return rc;
}

static int
job_begin(void *filter, int argc, char **argv, struct err *e)
{
	struct filter *f = filter;
	int rc = type_check(e);

	if (!rc)
		rc = look_read(f, e);
	if (!rc)
		rc = filter_job_look(&f->job, e);
	f->stream.darkness = f->job.darkness;
	if (!rc)
		rc = filter_job_work(&f->job, &f->stream, e);
	if (!rc)
		rc = filter_job_document(&f->job, argc, argv, e);
	if (!rc)
		rc = job_name(f, argv[1], e);
	if (!rc)
		rc = pdf_jail_open(&f->jail, f->job.path, &f->n_pages, e);
	if (!rc)
		rc = pages_choose(f, e);
	f->templates = filter_job_folder("templates", PKGDATADIR "/templates");
	f->folder = filter_job_folder("orders", LOCALSTATEDIR "/spool/cardspool/orders");
	f->orders = pdf_orders_create(f->templates, f->folder);
	if (!rc)
		rc = pages_check(f, e);
	f->stream.has_back = f->duplex;
	if (!rc)
		f->stream.n_cards = (unsigned)(f->n_wanted / (1 + f->duplex)) * f->job.copies;
	return rc;
}

static void
filter_done(struct filter *f)
{
	pdf_jail_close(f->jail);
	free(f->pages);
	g_free(f->templates);
	pdf_orders_destroy(f->orders);
	g_free(f->folder);
	filter_job_done(&f->job);
}

int
main(int argc, char **argv)
{
	static const struct filter_steps steps = {job_begin, cards_write, NULL};
	struct filter f = {0};

	f.job.spool_fd = -1;
	int status = filter_job_run(&f.job, &f.stream, &steps, &f, argc, argv);
	filter_done(&f);
	return status;
}
