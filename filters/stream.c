/*
 * stream.c - writing the card stream (the format is drawn in stream-frame.h).
 *
 * Owns the writer's side. Guarantees: a card is framed and checksummed as it leaves, and a face
 * that the reader would refuse is refused here. On failure the stream is unusable: the caller
 * stops writing, and the reader sees a stream that just stops.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/stream-frame.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int
vector_write(int fd, struct iovec *v, int n, struct err *e)
{
	while (n) {
		ssize_t done = writev(fd, v, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_set(e, errno == EPIPE ? ERR_CANCELLED : ERR_STORAGE,
				_("The cards cannot be handed to the printer's backend: %s."),
				strerror(errno));
		while (n && (size_t)done >= v->iov_len) {
			done -= (ssize_t)v->iov_len;
			v++;
			n--;
		}
		if (n) {
			v->iov_base = (uint8_t *)v->iov_base + done;
			v->iov_len -= (size_t)done;
		}
	}
	return 0;
}

/* Where frames go; chain: the CRC over their CRCs, for DONE. */
struct sink {
	int fd;
	uint32_t chain;
};

/* A payload in two pieces, so that a plane's data is not copied. */
static int
frame_write(struct sink *sink, enum frame_type type, const void *first, size_t first_len,
	const void *second, size_t second_len, struct err *e)
{
	uint8_t head[FRAME_HEAD_LEN], tail[FRAME_CRC_LEN];

	le32_put(head, (uint32_t)type);
	le32_put(head + 4, (uint32_t)(first_len + second_len));
	uint32_t crc = frame_crc(0, head, sizeof head);
	crc = frame_crc(crc, first, first_len);
	if (second_len)
		crc = frame_crc(crc, second, second_len);
	le32_put(tail, crc);
	sink->chain = frame_crc(sink->chain, tail, sizeof tail);
	struct iovec v[4] = {{head, sizeof head}, {(void *)(uintptr_t)first, first_len},
		{(void *)(uintptr_t)second, second_len}, {tail, sizeof tail}};
	return vector_write(sink->fd, v, ARRAY_LEN(v), e);
}

/* Takes the reference to object. */
static int
json_write(struct sink *sink, enum frame_type type, json_t *object, struct err *e)
{
	int rc;
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

	if (!text)
		rc = err_set(e, ERR_INTERNAL, _("A text of this job is not valid UTF-8."));
	else if (strlen(text) > JSON_MAX)
		rc = err_set(e, ERR_INTERNAL, _("A text of this job is too long."));
	else
		rc = frame_write(sink, type, text, strlen(text), NULL, 0, e);
	free(text);
	json_decref(object);
	return rc;
}

int
stream_write_begin(int fd, const struct stream_job *job, struct err *e)
{
	uint8_t head[STREAM_HEAD_LEN] = STREAM_MAGIC;
	struct iovec v = {head, sizeof head};

	char coercivity[] = {job->coercivity, '\0'};

	head[8] = STREAM_VERSION;
	head[9] = STREAM_VERSION >> 8;
	struct sink sink = {.fd = fd};
	int rc = vector_write(fd, &v, 1, e);
	if (rc)
		return rc;
	return json_write(&sink, FRAME_JOB,
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:b, s:b}", "template",
			job->template_name, "template-hash", job->template_hash, "order",
			job->order, "batch-hash", job->batch_hash, "ribbon", job->ribbon, "cards",
			(json_int_t)job->n_cards, "darkness", (json_int_t)job->darkness, "speed",
			(json_int_t)job->speed, "coercivity", coercivity, "chip", job->has_chip,
			"back", job->has_back),
		e);
}

static int
plane_write(
	struct sink *sink, enum side side, enum panel panel, const struct plane *p, struct err *e)
{
	unsigned bits = panel <= PANEL_C ? 8 : 1;
	int rc = plane_shape_check(p->bits, p->dots, p->lines, e);

	if (rc)
		return rc;
	if (p->bits != bits || (p->fill == PLANE_DATA) != (p->data != NULL) ||
		p->stride != plane_stride(bits, p->dots))
		return err_set(e, ERR_INTERNAL, _("Panel %c is not laid out as a panel."),
			panel_letters[panel]);
	uint8_t head[PLANE_HEAD_LEN] = {
		(uint8_t)side, (uint8_t)panel_letters[panel], (uint8_t)p->fill, (uint8_t)bits};
	le32_put(head + 4, p->dots);
	le32_put(head + 8, p->lines);
	return frame_write(sink, FRAME_PLANE, head, sizeof head, p->data,
		p->fill == PLANE_DATA ? p->stride * p->lines : 0, e);
}

static int
side_write(struct sink *sink, enum side side, const struct face *face, bool *any, struct err *e)
{
	for (int i = 0; i < PANEL_COUNT; i++) {
		if (face->plane[i].fill == PLANE_ABSENT)
			continue;
		int rc = plane_write(sink, side, (enum panel)i, &face->plane[i], e);
		if (rc)
			return rc;
		*any = true;
	}
	return 0;
}

static int
chip_write(struct sink *sink, const struct chip_image *chip, struct err *e)
{
	uint8_t masks[16];

	le64_put(masks, chip->data);
	le64_put(masks + 8, chip->mac);
	return frame_write(
		sink, FRAME_CHIP, masks, sizeof masks, chip->block, sizeof chip->block, e);
}

static int
tag_write(struct sink *sink, const struct tag_image *tag, struct err *e)
{
	const uint8_t head[TAG_HEAD_LEN] = {
		tag->lock, 0, (uint8_t)tag->capacity, (uint8_t)(tag->capacity >> 8)};

	return frame_write(sink, FRAME_TAG, head, sizeof head, tag->message, tag->len, e);
}

static json_t *
card_head(const struct stream_card *card)
{
	json_t *head = json_pack("{s:I, s:I, s:b, s:s, s:s, s:s}", "card", (json_int_t)card->card,
		"copy", (json_int_t)card->copy, "chip", (int)card->has_chip, "number",
		card->number_masked, "name", card->name_masked, "record", card->record_hash);

	if (head && stream_card_magnetic(card) &&
		json_object_set_new(head, "tracks",
			json_pack("[s, s, s]", card->track[0], card->track[1], card->track[2]))) {
		json_decref(head);
		return NULL;
	}
	return head;
}

int
stream_write_card(int fd, const struct stream_card *card, struct err *e)
{
	struct sink sink = {.fd = fd};
	bool any = card->has_chip;
	int rc = json_write(&sink, FRAME_CARD, card_head(card), e);

	if (!rc && card->has_chip)
		rc = card->has_tag ? tag_write(&sink, &card->tag, e)
				   : chip_write(&sink, &card->chip, e);
	for (int s = 0; !rc && s < SIDE_COUNT; s++)
		rc = side_write(&sink, (enum side)s, &card->face[s], &any, e);
	if (rc)
		return rc;
	if (!any)
		return err_set(
			e, ERR_INTERNAL, _("Card %u has neither a face nor a chip."), card->card);
	uint8_t chain[DONE_PAYLOAD_LEN];
	le32_put(chain, sink.chain);
	return frame_write(&sink, FRAME_DONE, chain, sizeof chain, NULL, 0, e);
}

int
stream_write_error(int fd, const struct err *cause, struct err *e)
{
	struct sink sink = {.fd = fd};
	char text[ERR_TEXT_MAX];
	size_t n = strnlen(cause->text, sizeof text - 1);

	/* One line for a person: the reader refuses control characters. */
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)cause->text[i];
		text[i] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
	}
	text[n] = '\0';
	return json_write(&sink, FRAME_ERROR,
		json_pack("{s:i, s:s}", "code", cause->code ? cause->code : ERR_INTERNAL, "text",
			text),
		e);
}

int
stream_write_end(int fd, unsigned n_cards, struct err *e)
{
	struct sink sink = {.fd = fd};

	return json_write(&sink, FRAME_END, json_pack("{s:I}", "cards", (json_int_t)n_cards), e);
}
