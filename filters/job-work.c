/*
 * job-work.c - the options of a job that say what the machine does beside the picture.
 *
 * Owns the words of speed, magnetic stripe and chip. Guarantees: a word that an option does not
 * have is refused by name, never taken for the default; a card without chip data is refused where
 * the job insists on a chip, before any card is fed. What the printer's model cannot do its driver
 * refuses.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/filter-job.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SPEED_MAX = 10 };

/* The first word is what is meant when nobody asks. */
static const char *const stripes[] = {"Card", "High", "Low", "None", NULL};
static const char *const encodes[] = {"Card", "Required", "None", NULL};

/* The word's number, 0 when nobody asks. */
static int
word_number(const struct filter_job *j, const char *option, const char *const *words, int *out,
	struct err *e)
{
	const char *text = filter_job_option(j, option);

	*out = 0;
	if (!text)
		return 0;
	for (int i = 0; words[i]; i++)
		if (strcasecmp(words[i], text) == 0) {
			*out = i;
			return 0;
		}
	return err_set(e, ERR_INPUT,
		_("The option %s has no choice of that name. Choose one that the queue offers."),
		option);
}

static int
speed_read(const struct filter_job *j, unsigned *out, struct err *e)
{
	const char *text = filter_job_option(j, "CardSpeed");
	char *end;

	*out = 0;
	if (!text || strcasecmp(text, "Printer") == 0)
		return 0;
	long n = strtol(text, &end, 10);
	if (end == text || *end || n < 1 || n > SPEED_MAX)
		return err_set(e, ERR_INPUT,
			_("The option CardSpeed is Printer or a whole number from 1 to %d."),
			SPEED_MAX);
	*out = (unsigned)n;
	return 0;
}

int
filter_job_work(struct filter_job *j, struct stream_job *stream, struct err *e)
{
	int stripe = 0, encode = 0, rc = speed_read(j, &j->work.speed, e);

	if (rc == 0)
		rc = word_number(j, "CardMagnetic", stripes, &stripe, e);
	if (rc == 0)
		rc = word_number(j, "CardEncode", encodes, &encode, e);
	if (rc)
		return rc;
	j->work.coercivity = stripe == 1 ? 'h' : stripe == 2 ? 'l' : '\0';
	j->work.no_stripe = stripe == 3;
	j->work.chip_must = encode == 1;
	j->work.no_chip = encode == 2;
	stream->speed = j->work.speed;
	stream->coercivity = j->work.coercivity;
	return 0;
}

int
filter_job_card(const struct filter_job *j, struct stream_card *card, struct err *e)
{
	if (j->work.chip_must && !card->has_chip)
		return err_set(e, ERR_INPUT,
			_("Card %u has no data for a chip, and the job insists on one "
			  "(CardEncode=Required). Choose a template with a chip, or leave the "
			  "option out."),
			card->card);
	if (j->work.no_stripe)
		explicit_bzero(card->track, sizeof card->track);
	if (j->work.no_chip) {
		card->has_chip = card->has_tag = false;
		explicit_bzero(&card->chip, sizeof card->chip);
		explicit_bzero(&card->tag, sizeof card->tag);
	}
	return 0;
}
