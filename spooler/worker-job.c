/*
 * worker-job.c - what a job asks for, and whether it may make cards.
 *
 * Owns the job's options, its row in the ledger and the question whether the same cards were made
 * before. Guarantees: a batch or a record that was made is not made again unless a person said so.
 * On failure a sentence names the job or the option, and the job is held, not stopped.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/worker.h"

#include <cups/cups.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The job's word goes before the configuration's. */
static int
fit_read(struct work *w, const char *word, struct err *e)
{
	int fit = fit_parse(word ? word : config_fit(w->args->config));

	if (fit < 0)
		return err_set(e, ERR_USAGE,
			_("fit is \"%s\"; warn, hold and off are known (cardspool.conf, section "
			  "[cards], or the job's option cardspool-fit)."),
			word ? word : config_fit(w->args->config));
	w->pass.fit = (enum fit_policy)fit;
	return 0;
}

int
work_options_read(struct work *w, struct err *e)
{
	cups_option_t *options = NULL;
	int n = cupsParseOptions(w->args->options ? w->args->options : "", 0, &options);
	const char *uuid = cupsGetOption("job-uuid", n, options);
	const char *repeat = cupsGetOption("cardspool-repeat", n, options);
	struct job_row *job = &w->pass.job;
	int rc = 0;

	if (uuid && strncmp(uuid, "urn:uuid:", 9) == 0)
		uuid += 9;
	if (!uuid || strlen(uuid) < 8 || strlen(uuid) >= sizeof(job->uuid))
		rc = err_set(e, ERR_USAGE, "%s",
			_("The job has no job-uuid, so a second run could not be told from a new "
			  "order. Queue it with lp."));
	else
		snprintf(job->uuid, sizeof(job->uuid), "%s", uuid);
	if (rc == 0)
		rc = fit_read(w, cupsGetOption("cardspool-fit", n, options), e);
	w->repeat = repeat && strcasecmp(repeat, "yes") == 0;
	w->rest = repeat && strcasecmp(repeat, "rest") == 0;
	cupsFreeOptions(n, options);
	return rc;
}

int
work_job_fill(struct work *w, struct err *e)
{
	struct job_row *job = &w->pass.job;
	const char *queue = getenv("PRINTER");
	const struct stream_job *s = &w->stream_job;

	job->cups_id = w->args->cups_id;
	job->n_cards = s->n_cards;
	snprintf(job->printer, sizeof(job->printer), "%s", queue ? queue : "");
	snprintf(job->user, sizeof(job->user), "%s", w->args->user ? w->args->user : "");
	snprintf(job->order, sizeof(job->order), "%s", s->order);
	snprintf(job->template_name, sizeof(job->template_name), "%s", s->template_name);
	snprintf(job->batch_hash, sizeof(job->batch_hash), "%s", s->batch_hash);
	snprintf(w->ribbon, sizeof(w->ribbon), "%s", s->ribbon);
	w->pass.print.ribbon = ribbon_find(w->ribbon);
	w->pass.print.darkness = s->darkness;
	w->pass.print.speed = s->speed;
	w->pass.print.coercivity = s->coercivity;
	if (w->pass.print.ribbon)
		return 0;
	return err_set(e, ERR_INPUT,
		_("The job asks for ribbon %s, which is not known. Choose a ribbon of the queue."),
		w->ribbon);
}

enum pass_end
work_end_of(const struct err *e)
{
	switch (e->code) {
	case ERR_CANCELLED:
		return PASS_CANCEL;
	case ERR_INPUT:
	case ERR_PROTOCOL:
		return PASS_HOLD;
	default:
		return PASS_STOP;
	}
}

/*
 * The earlier job is taken up under its own uuid: what it made is skipped, what it left is settled.
 * This job itself makes no card.
 */
static enum pass_end
job_take_up(struct work *w, struct err *e)
{
	struct job_row *job = &w->pass.job;
	struct job_row earlier;
	bool again;

	if (ledger_job_rest(w->pass.ledger, job, &earlier, e) != 0 ||
		ledger_job_state(w->pass.ledger, job->uuid, "done", e) != 0)
		return work_end_of(e);
	snprintf(job->uuid, sizeof(job->uuid), "%s", earlier.uuid);
	job->cups_id = earlier.cups_id; /* it keeps the number that people know */
	if (job->n_cards < earlier.n_cards)
		job->n_cards = earlier.n_cards;
	return ledger_job_admit(w->pass.ledger, job, &again, e) == 0 ? PASS_OK : work_end_of(e);
}

enum pass_end
work_job_admit(struct work *w, struct err *e)
{
	struct job_row *job = &w->pass.job;
	bool again;

	if (ledger_job_file(w->pass.ledger, job, e) != 0 ||
		ledger_job_admit(w->pass.ledger, job, &again, e) != 0)
		return work_end_of(e);
	w->admitted = true;
	if (job->repeats[0] == '\0' || w->repeat)
		return PASS_OK;
	if (w->rest)
		return job_take_up(w, e);
	err_set(e, ERR_INPUT,
		_("This batch (order %s) was queued before, see: cardspool job show %s. Only the "
		  "cards that are "
		  "missing: lp -i %d -o cardspool-repeat=rest -H resume. All of them a second "
		  "time: the same with =yes"),
		job->order[0] ? job->order : "-", job->repeats, job->cups_id);
	return PASS_HOLD;
}

enum pass_end
work_record_made(struct work *w, const struct stream_card *card, struct err *e)
{
	struct card_row in = {.key = {.card = card->card}}, made;

	if (!card->has_chip || w->repeat || strcmp(w->stream_job.template_name, "pdf") != 0)
		return PASS_OK;
	snprintf(in.key.job_uuid, sizeof in.key.job_uuid, "%s", w->pass.job.uuid);
	snprintf(in.record_hash, sizeof in.record_hash, "%s", card->record_hash);
	if (ledger_record_find(w->pass.ledger, &in, &made, e) != 0)
		return PASS_STOP;
	if (made.id == 0)
		return PASS_OK;
	err_set(e, ERR_INPUT,
		_("Card %u: card %" PRId64 " was made of this record already, see: cardspool card "
		  "show %" PRId64 ". If it is lost, declare it void first; for a second one: lp -i "
		  "%d -o cardspool-repeat=yes -H resume"),
		card->card, made.id, made.id, w->pass.job.cups_id);
	return PASS_HOLD;
}
