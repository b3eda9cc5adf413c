/*
 * stream.c - writing the card stream (the format is drawn in stream-frame.h).
 *
 * Owns the writer's side. Guarantees: a card is framed, hashed and checksummed as it leaves, and a
 * face that the reader would refuse is refused here. On failure the stream is unusable: the caller
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
#include <zlib.h>

static const uint8_t no_hash[HASH_LEN];

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

/* A payload in two pieces, so that a plane's data is not copied. */
static int
frame_write(int fd, enum frame_type type, const void *first, size_t first_len, const void *second,
	size_t second_len, struct err *e)
{
	uint8_t head[FRAME_HEAD_LEN], tail[FRAME_CRC_LEN];

	le32_put(head, (uint32_t)type);
	le32_put(head + 4, (uint32_t)(first_len + second_len));
	uLong crc = crc32(0, head, sizeof head);
	crc = crc32_z(crc, first, first_len);
	if (second_len)
		crc = crc32_z(crc, second, second_len);
	le32_put(tail, (uint32_t)crc);
	struct iovec v[4] = {{head, sizeof head}, {(void *)(uintptr_t)first, first_len},
		{(void *)(uintptr_t)second, second_len}, {tail, sizeof tail}};
	return vector_write(fd, v, ARRAY_LEN(v), e);
}

/* Takes the reference to object. */
static int
json_write(int fd, enum frame_type type, json_t *object, struct err *e)
{
	int rc;
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

	if (!text)
		rc = err_set(e, ERR_INTERNAL, _("A text of this job is not valid UTF-8."));
	else if (strlen(text) > JSON_MAX)
		rc = err_set(e, ERR_INTERNAL, _("A text of this job is too long."));
	else
		rc = frame_write(fd, type, text, strlen(text), NULL, 0, e);
	free(text);
	json_decref(object);
	return rc;
}

int
stream_write_begin(int fd, const struct stream_job *job, struct err *e)
{
	uint8_t head[STREAM_HEAD_LEN] = STREAM_MAGIC;
	struct iovec v = {head, sizeof head};

	head[8] = STREAM_VERSION;
	head[9] = STREAM_VERSION >> 8;
	int rc = vector_write(fd, &v, 1, e);
	if (rc)
		return rc;
	return json_write(fd, FRAME_JOB,
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "template", job->template_name,
			"template-hash", job->template_hash, "order", job->order, "batch-hash",
			job->batch_hash, "ribbon", job->ribbon, "cards", (json_int_t)job->n_cards),
		e);
}

static int
plane_write(int fd, enum side side, enum panel panel, const struct plane *p, struct err *e)
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
	return frame_write(fd, FRAME_PLANE, head, sizeof head, p->data,
		p->fill == PLANE_DATA ? p->stride * p->lines : 0, e);
}

static int
side_write(int fd, enum side side, const struct face *face, uint8_t hash[HASH_LEN], struct err *e)
{
	bool any = false;

	for (int i = 0; i < PANEL_COUNT; i++) {
		if (face->plane[i].fill == PLANE_ABSENT)
			continue;
		int rc = plane_write(fd, side, (enum panel)i, &face->plane[i], e);
		if (rc)
			return rc;
		any = true;
	}
	if (any)
		face_hash(hash, face);
	return 0;
}

static int
chip_write(int fd, const struct chip_image *chip, uint8_t hash[HASH_LEN], struct err *e)
{
	uint8_t masks[16];

	le64_put(masks, chip->data);
	le64_put(masks + 8, chip->mac);
	chip_image_hash(hash, chip);
	return frame_write(fd, FRAME_CHIP, masks, sizeof masks, chip->block, sizeof chip->block, e);
}

int
stream_write_card(int fd, const struct stream_card *card, struct err *e)
{
	uint8_t hashes[3][HASH_LEN] = {{0}};
	int rc = json_write(fd, FRAME_CARD,
		json_pack("{s:I, s:I, s:b, s:s, s:s, s:s}", "card", (json_int_t)card->card, "copy",
			(json_int_t)card->copy, "chip", (int)card->has_chip, "number",
			card->number_masked, "name", card->name_masked, "record",
			card->record_hash),
		e);

	if (!rc && card->has_chip)
		rc = chip_write(fd, &card->chip, hashes[0], e);
	for (int s = 0; !rc && s < SIDE_COUNT; s++)
		rc = side_write(fd, (enum side)s, &card->face[s], hashes[1 + s], e);
	if (!rc && !memcmp(hashes[1], no_hash, HASH_LEN) && !memcmp(hashes[2], no_hash, HASH_LEN) &&
		!card->has_chip)
		rc = err_set(
			e, ERR_INTERNAL, _("Card %u has neither a face nor a chip."), card->card);
	if (!rc)
		rc = frame_write(fd, FRAME_DONE, hashes, sizeof hashes, NULL, 0, e);
	return rc;
}

int
stream_write_error(int fd, const struct err *cause, struct err *e)
{
	char text[ERR_TEXT_MAX];
	size_t n = strnlen(cause->text, sizeof text - 1);

	/* One line for a person: the reader refuses control characters. */
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)cause->text[i];
		text[i] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
	}
	text[n] = '\0';
	return json_write(fd, FRAME_ERROR,
		json_pack("{s:i, s:s}", "code", cause->code ? cause->code : ERR_INTERNAL, "text",
			text),
		e);
}

int
stream_write_end(int fd, unsigned n_cards, struct err *e)
{
	return json_write(fd, FRAME_END, json_pack("{s:I}", "cards", (json_int_t)n_cards), e);
}
