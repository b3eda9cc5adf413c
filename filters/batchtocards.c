/*
 * batchtocards.c - the CUPS filter from a batch to the card stream.
 *
 * Owns the way from a batch to its cards. Guarantees: a container that is not whole gives no card,
 * and no card is drawn from an entry whose hash was not proved; anything wrong goes into the stream
 * as an error that the backend shows, so that the queue's error policy cannot run a job twice;
 * nothing personal in a message. Ends with status 0 whatever happens once it has its arguments.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/filter-job.h"
#include "filters/ndef.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PHOTO_MAX = 4 << 20 };

struct filter {
	struct filter_job asked;
	struct batch *batch;
	struct template *template;
	struct renderer *renderer;
	struct stream_job job;
};

/* Tests name the folder itself. */
static char *
templates_folder(void)
{
	const char *given = getenv("CARDSPOOL_TEMPLATES");

	return given ? g_strdup(given) : filter_job_folder("templates", PKGDATADIR "/templates");
}

static void
job_foresee(struct filter *f)
{
	const struct template *t = f->template;
	const char *back = f->asked.ribbon.back;

	f->job.has_chip = !f->asked.work.no_chip && (template_chip_map(t) || template_tag_map(t));
	f->job.has_back = back && back[0] && template_has_side(t, SIDE_BACK);
}

static int
template_find(struct filter *f, struct err *e)
{
	const char *name = batch_info(f->batch)->template_name;
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	char path[JOB_PATH_LEN];

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
	if (!rc)
		rc = template_card_check(f->template, e);
	if (!rc)
		rc = renderer_create_alone(&f->renderer, f->template, e);
	if (!rc)
		rc = filter_job_look(&f->asked, e);
	if (!rc)
		rc = renderer_look(f->renderer, &f->asked.look, e);
	f->job.darkness = f->asked.darkness;
	if (!rc)
		rc = filter_job_work(&f->asked, &f->job, e);
	if (!rc)
		job_foresee(f);
	return rc;
}

static int
batch_begin(void *filter, int argc, char **argv, struct err *e)
{
	struct filter *f = filter;
	const char *type = getenv("CONTENT_TYPE");
	int rc = 0;

	if (type && strcmp(type, BATCH_MIME))
		return err_set(e, ERR_INPUT,
			_("Only a batch of cards can be printed this way, not %s."), type);
	if ((rc = filter_job_document(&f->asked, argc, argv, e)) ||
		(rc = batch_open(&f->batch, f->asked.path, e)))
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
	struct stream_card first = {.card = 1,
		.has_chip = template_chip_map(f->template) || template_tag_map(f->template)};
	if ((rc = filter_job_card(&f->asked, &first, e)))
		return rc;
	unsigned wanted = 0;
	for (unsigned card = 1; card <= info->n_records; card++)
		wanted += filter_job_wants(&f->asked, card);
	if (!wanted)
		return err_set(e, ERR_INPUT, _("The range names no card of this batch; it has %u."),
			info->n_records);
	f->job.n_cards = wanted * f->asked.copies;
	return 0;
}

static int
card_fill(struct filter *f, unsigned number, struct stream_card *card, struct err *e)
{
	const struct schema *schema = template_schema(f->template);
	struct record rec = {0};
	struct buf photo;

	buf_init(&photo, PHOTO_MAX);
	int rc = batch_record(f->batch, schema, number, &rec, e);
	if (rc)
		return rc;
	card->card = number;
	rc = stream_card_fill(card, f->template, &rec, e);
	if (!rc && rec.photo[0])
		rc = batch_entry(f->batch, rec.photo, &photo, PHOTO_MAX, e);
	for (int side = 0; !rc && side < SIDE_COUNT; side++)
		rc = face_render(f->renderer, &rec, photo.data, photo.len, (enum side)side,
			&f->asked.ribbon, &card->face[side], e);
	buf_done(&photo);
	record_done(&rec, schema);
	return rc ? rc : filter_job_card(&f->asked, card, e);
}

/* 0, or the error that belongs into the stream; *written is not 0 when the stream itself is broken.
 */
static int
cards_write(void *filter, int *written, struct err *e)
{
	struct filter *f = filter;
	unsigned n = batch_info(f->batch)->n_records;

	for (unsigned number = 1; number <= n; number++) {
		struct stream_card card = {0};
		if (!filter_job_wants(&f->asked, number))
			continue;
		int rc = card_fill(f, number, &card, e);
		for (unsigned copy = 1; !rc && !*written && copy <= f->asked.copies; copy++) {
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
cause_rename(const void *filter, const char *job, struct err *cause)
{
	const struct filter *f = filter;
	const struct err found = *cause;
	size_t len = strlen(f->asked.path);

	if (!len || strncmp(found.text, f->asked.path, len))
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
	filter_job_done(&f->asked);
}

int
main(int argc, char **argv)
{
	static const struct filter_steps steps = {batch_begin, cards_write, cause_rename};
	struct filter f = {0};

	f.asked.spool_fd = -1;
	int status = filter_job_run(&f.asked, &f.job, &steps, &f, argc, argv);
	filter_done(&f);
	return status;
}
