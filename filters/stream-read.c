/*
 * stream-read.c - reading the card stream (the format is drawn in stream-frame.h).
 *
 * Owns the reader's side, the first thing in the backend that touches foreign bytes; frames are
 * stream-wire.c, a card is stream-card.c. Guarantees: cards are as many as the job announced, and
 * nothing follows the end. On failure the card is empty and every later call fails too.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/stream-read.h"

#include <stdlib.h>
#include <string.h>

/* Of least to 10; a stream that does not say has 0. */
static int
level_get(const json_t *object, const char *key, int least, int *out, struct err *e)
{
	const json_t *value = json_object_get(object, key);
	json_int_t n = json_integer_value(value);

	*out = 0;
	if (value && (!json_is_integer(value) || n < least || n > 10))
		return reader_error(e, _("a number is missing or out of range"));
	*out = (int)n;
	return 0;
}

static int
coercivity_get(const json_t *object, char *out, struct err *e)
{
	const json_t *value = json_object_get(object, "coercivity");
	const char *text = json_string_value(value);

	*out = '\0';
	if (value && (!text || (strcmp(text, "h") && strcmp(text, "l") && text[0])))
		return reader_error(e, _("a word is none that is known"));
	if (text)
		*out = text[0];
	return 0;
}

/* A stream that does not say foresees nothing. */
static int
flag_get(const json_t *object, const char *key, bool *out, struct err *e)
{
	const json_t *value = json_object_get(object, key);

	*out = json_is_true(value);
	if (value && !json_is_boolean(value))
		return reader_error(e, _("a word is none that is known"));
	return 0;
}

static int
job_read(struct stream_reader *r, struct stream_job *job, struct err *e)
{
	json_t *object;
	int speed = 0, rc = reader_json(r, &object, e);

	if (rc)
		return rc;
	if ((rc = reader_text_get(
		     object, "template", job->template_name, sizeof job->template_name, e)) ||
		(rc = reader_hash_get(object, "template-hash", job->template_hash, true, e)) ||
		(rc = reader_text_get(object, "order", job->order, sizeof job->order, e)) ||
		(rc = reader_hash_get(object, "batch-hash", job->batch_hash, true, e)) ||
		(rc = reader_text_get(object, "ribbon", job->ribbon, sizeof job->ribbon, e)))
		goto out;
	if ((rc = level_get(object, "darkness", -10, &job->darkness, e)) ||
		(rc = level_get(object, "speed", 0, &speed, e)) ||
		(rc = coercivity_get(object, &job->coercivity, e)) ||
		(rc = flag_get(object, "chip", &job->has_chip, e)) ||
		(rc = flag_get(object, "back", &job->has_back, e)))
		goto out;
	job->speed = (unsigned)speed;
	rc = reader_number_get(object, "cards", 0, STREAM_CARDS_MAX, &job->n_cards, e);
	r->promised = job->n_cards;
out:
	json_decref(object);
	return rc;
}

int
stream_open(struct stream_reader **out, int fd, struct stream_job *job, struct err *e)
{
	uint8_t head[STREAM_HEAD_LEN];
	uint32_t type;
	struct stream_reader *r = calloc(1, sizeof *r);

	*out = NULL;
	memset(job, 0, sizeof *job);
	if (!r)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	r->fd = fd;
	r->stop_fd = -1;
	int rc = reader_bytes(r, head, sizeof head, e);
	if (!rc && memcmp(head, STREAM_MAGIC, 8))
		rc = reader_error(e, _("it is not a card stream"));
	if (!rc && (head[8] != STREAM_VERSION || head[9] || head[10] || head[11]))
		rc = reader_error(e, _("filter and backend are of different versions"));
	if (!rc)
		rc = reader_frame_begin(r, &type, e);
	if (!rc && type != FRAME_JOB)
		rc = reader_error(e, _("the job's frame is missing"));
	if (!rc)
		rc = job_read(r, job, e);
	if (rc) {
		free(r);
		return rc;
	}
	*out = r;
	return 0;
}

void
stream_stop_at(struct stream_reader *r, int fd)
{
	r->stop_fd = fd;
}

void
stream_close(struct stream_reader *r)
{
	free(r);
}

static int
cause_read(struct stream_reader *r, struct err *cause, struct err *e)
{
	json_t *object;
	int rc = reader_json(r, &object, e);

	if (rc)
		return rc;
	const json_t *code = json_object_get(object, "code");
	json_int_t n = json_integer_value(code);
	char text[ERR_TEXT_MAX];
	if (!json_is_integer(code) || n >= 0 || n < ERR_CANCELLED)
		rc = reader_error(e, _("an error has no code"));
	else if (!(rc = reader_text_get(object, "text", text, sizeof text, e)))
		err_set(cause, (int)n, "%s", text);
	json_decref(object);
	return rc;
}

static int
end_read(struct stream_reader *r, struct err *e)
{
	json_t *object;
	unsigned told;
	int rc = reader_json(r, &object, e);

	if (rc)
		return rc;
	rc = reader_number_get(object, "cards", 0, STREAM_CARDS_MAX, &told, e);
	if (!rc && (told != r->cards || told != r->promised))
		rc = reader_error(e, _("cards are missing"));
	json_decref(object);
	return rc;
}

int
stream_next(struct stream_reader *r, enum stream_item *item, struct stream_card *card,
	struct err *cause, struct err *e)
{
	uint32_t type;

	memset(card, 0, sizeof *card);
	if (r->over)
		return reader_error(e, _("the stream is over"));
	int rc = reader_frame_begin(r, &type, e);
	r->over = true;
	if (rc)
		return rc;
	if (type == FRAME_CARD && r->cards < r->promised) {
		*item = STREAM_CARD;
		rc = reader_card(r, card, e);
		r->over = rc != 0;
		r->cards += rc == 0;
	} else if (type == FRAME_ERROR) {
		*item = STREAM_ERROR;
		rc = cause_read(r, cause, e);
	} else if (type == FRAME_END) {
		*item = STREAM_END;
		rc = end_read(r, e);
	} else {
		rc = reader_error(e, _("a frame is out of order"));
	}
	if (rc)
		stream_card_done(card);
	return rc;
}
