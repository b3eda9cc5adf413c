/*
 * stream-read.c - reading the card stream (the format is drawn in stream-frame.h).
 *
 * Owns the reader's side, the first thing in the backend that touches foreign bytes. Guarantees:
 * nothing is believed before its length, order and checksum were checked; never more memory than
 * one card; a card's hashes are those of what was read; a stream that just stops is ERR_PROTOCOL.
 * On failure the card is empty and every later call fails too.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/ndef.h"
#include "filters/stream-frame.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct stream_reader {
	int fd;
	int stop_fd;       /* -1: none */
	bool over;         /* END or ERRO was read, or something was wrong */
	unsigned promised; /* cards the job announced */
	unsigned cards;    /* cards read */
	uint32_t crc;
	uint32_t chain; /* CRC over the CRCs of the card's frames so far */
	uint32_t left;  /* bytes of the payload not read yet */
};

static int
protocol_error(struct err *e, const char *what)
{
	return err_set(e, ERR_PROTOCOL,
		_("The cards did not arrive whole from the filter (%s). Print the job again; what "
		  "is "
		  "made already is not made twice."),
		what);
}

static int
stop_check(const struct stream_reader *r, struct err *e)
{
	struct pollfd p[2] = {
		{.fd = r->fd, .events = POLLIN}, {.fd = r->stop_fd, .events = POLLIN}};

	while (r->stop_fd >= 0 && poll(p, 2, -1) < 0 && errno == EINTR)
		;
	return p[1].revents ? err_set(e, ERR_CANCELLED, "%s", _("The job has ended.")) : 0;
}

static int
bytes_read(struct stream_reader *r, void *out, size_t len, struct err *e)
{
	uint8_t *p = out;

	while (len) {
		int rc = stop_check(r, e);
		if (rc)
			return rc;
		ssize_t n = read(r->fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, ERR_SYSTEM,
				_("The cards cannot be read from the filter: %s."),
				strerror(errno));
		if (n == 0)
			return protocol_error(e, _("the stream stopped early"));
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
payload_read(struct stream_reader *r, void *out, size_t len, struct err *e)
{
	if (len > r->left)
		return protocol_error(e, _("a frame is too short"));
	int rc = bytes_read(r, out, len, e);
	if (rc)
		return rc;
	r->crc = frame_crc(r->crc, out, len);
	r->left -= (uint32_t)len;
	return 0;
}

static int
frame_begin(struct stream_reader *r, uint32_t *type, struct err *e)
{
	uint8_t head[FRAME_HEAD_LEN];
	int rc = bytes_read(r, head, sizeof head, e);

	if (rc)
		return rc;
	*type = le32_get(head);
	r->left = le32_get(head + 4);
	r->crc = frame_crc(0, head, sizeof head);
	return 0;
}

static int
frame_end(struct stream_reader *r, struct err *e)
{
	uint8_t tail[FRAME_CRC_LEN];

	if (r->left)
		return protocol_error(e, _("a frame is too long"));
	int rc = bytes_read(r, tail, sizeof tail, e);
	if (!rc && le32_get(tail) != r->crc)
		rc = protocol_error(e, _("a checksum is wrong"));
	r->chain = frame_crc(r->chain, tail, sizeof tail);
	return rc;
}

/* Reads the whole frame; the caller ends *out with json_decref. */
static int
json_read(struct stream_reader *r, json_t **out, struct err *e)
{
	char text[JSON_MAX];
	size_t len = r->left;

	*out = NULL;
	if (len > sizeof text)
		return protocol_error(e, _("a frame is too long"));
	int rc = payload_read(r, text, len, e);
	if (!rc)
		rc = frame_end(r, e);
	if (rc)
		return rc;
	*out = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(*out)) {
		json_decref(*out);
		*out = NULL;
		return protocol_error(e, _("a frame is not JSON"));
	}
	return 0;
}

static int
text_get(const json_t *object, const char *key, char *out, size_t max, struct err *e)
{
	const json_t *value = json_object_get(object, key);
	size_t len = json_string_length(value);

	if (!json_is_string(value) || len >= max)
		return protocol_error(e, _("a text is missing or too long"));
	memcpy(out, json_string_value(value), len + 1);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)out[i] < 0x20 || out[i] == 0x7f)
			return protocol_error(e, _("a text has control characters"));
	return 0;
}

static int
hash_get(const json_t *object, const char *key, char out[2 * HASH_LEN + 1], bool may_lack,
	struct err *e)
{
	uint8_t hash[HASH_LEN];
	int rc = text_get(object, key, out, 2 * HASH_LEN + 1, e);

	if (rc || (may_lack && !out[0]))
		return rc;
	if (strlen(out) != 2 * HASH_LEN || hex_parse(hash, HASH_LEN, out))
		return protocol_error(e, _("a hash is not a hash"));
	return 0;
}

static int
number_get(const json_t *object, const char *key, unsigned min, unsigned max, unsigned *out,
	struct err *e)
{
	const json_t *value = json_object_get(object, key);
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < (json_int_t)min || n > (json_int_t)max)
		return protocol_error(e, _("a number is missing or out of range"));
	*out = (unsigned)n;
	return 0;
}

/* Of least to 10; a stream that does not say has 0. */
static int
level_get(const json_t *object, const char *key, int least, int *out, struct err *e)
{
	const json_t *value = json_object_get(object, key);
	json_int_t n = json_integer_value(value);

	*out = 0;
	if (value && (!json_is_integer(value) || n < least || n > 10))
		return protocol_error(e, _("a number is missing or out of range"));
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
		return protocol_error(e, _("a word is none that is known"));
	if (text)
		*out = text[0];
	return 0;
}

static int
job_read(struct stream_reader *r, struct stream_job *job, struct err *e)
{
	json_t *object;
	int speed = 0, rc = json_read(r, &object, e);

	if (rc)
		return rc;
	if ((rc = text_get(object, "template", job->template_name, sizeof job->template_name, e)) ||
		(rc = hash_get(object, "template-hash", job->template_hash, true, e)) ||
		(rc = text_get(object, "order", job->order, sizeof job->order, e)) ||
		(rc = hash_get(object, "batch-hash", job->batch_hash, true, e)) ||
		(rc = text_get(object, "ribbon", job->ribbon, sizeof job->ribbon, e)))
		goto out;
	if ((rc = level_get(object, "darkness", -10, &job->darkness, e)) ||
		(rc = level_get(object, "speed", 0, &speed, e)) ||
		(rc = coercivity_get(object, &job->coercivity, e)))
		goto out;
	job->speed = (unsigned)speed;
	rc = number_get(object, "cards", 0, STREAM_CARDS_MAX, &job->n_cards, e);
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
	int rc = bytes_read(r, head, sizeof head, e);
	if (!rc && memcmp(head, STREAM_MAGIC, 8))
		rc = protocol_error(e, _("it is not a card stream"));
	if (!rc && (head[8] != STREAM_VERSION || head[9] || head[10] || head[11]))
		rc = protocol_error(e, _("filter and backend are of different versions"));
	if (!rc)
		rc = frame_begin(r, &type, e);
	if (!rc && type != FRAME_JOB)
		rc = protocol_error(e, _("the job's frame is missing"));
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

bool
stream_card_magnetic(const struct stream_card *c)
{
	return c->track[0][0] || c->track[1][0] || c->track[2][0];
}

void
stream_card_done(struct stream_card *c)
{
	for (int s = 0; s < SIDE_COUNT; s++)
		face_done(&c->face[s]);
	memset(c, 0, sizeof *c);
}

/* The characters of a track are the driver's command's too: nothing but what ISO/IEC 7811 has. */
static int
tracks_get(const json_t *object, struct stream_card *card, struct err *e)
{
	const json_t *tracks = json_object_get(object, "tracks");

	if (!tracks)
		return 0;
	if (json_array_size(tracks) != MAGNETIC_TRACKS)
		return protocol_error(e, _("a card has not three tracks"));
	for (size_t i = 0; i < MAGNETIC_TRACKS; i++) {
		const json_t *text = json_array_get(tracks, i);
		size_t len = json_string_length(text);
		if (!json_is_string(text) || len > MAGNETIC_TRACK_MAX)
			return protocol_error(e, _("a track is not a text or too long"));
		memcpy(card->track[i], json_string_value(text), len + 1);
		for (size_t c = 0; c < len; c++)
			if (card->track[i][c] < 0x20 || card->track[i][c] > 0x5f ||
				(i && (card->track[i][c] < 0x30 || card->track[i][c] > 0x3f)) ||
				strchr(i ? ";?" : "%?", card->track[i][c]))
				return protocol_error(e, _("a track has other characters"));
	}
	return 0;
}

static int
card_head_read(struct stream_reader *r, struct stream_card *card, struct err *e)
{
	json_t *object;
	int rc = json_read(r, &object, e);

	if (rc)
		return rc;
	const json_t *chip = json_object_get(object, "chip");
	card->has_chip = json_is_true(chip);
	if (!json_is_boolean(chip))
		rc = protocol_error(e, _("a card does not say whether it has a chip"));
	if (rc || (rc = number_get(object, "card", 1, STREAM_CARDS_MAX, &card->card, e)) ||
		(rc = number_get(object, "copy", 1, STREAM_COPIES_MAX, &card->copy, e)) ||
		(rc = text_get(
			 object, "number", card->number_masked, sizeof card->number_masked, e)) ||
		(rc = text_get(object, "name", card->name_masked, sizeof card->name_masked, e)))
		goto out;
	rc = hash_get(object, "record", card->record_hash, false, e);
	if (!rc)
		rc = tracks_get(object, card, e);
out:
	json_decref(object);
	return rc;
}

/* Block 0 and the trailers belong to the maker and to the keys; no stream may name them. */
static int
chip_read(struct stream_reader *r, struct chip_image *chip, struct err *e)
{
	uint8_t masks[16];
	const uint64_t trailers = 0x8888888888888888U;

	if (r->left != CHIP_PAYLOAD_LEN)
		return protocol_error(e, _("a chip image has the wrong length"));
	int rc = payload_read(r, masks, sizeof masks, e);
	if (!rc)
		rc = payload_read(r, chip->block, sizeof chip->block, e);
	if (!rc)
		rc = frame_end(r, e);
	if (rc)
		return rc;
	chip->data = le64_get(masks);
	chip->mac = le64_get(masks + 8);
	if ((chip->data | chip->mac) & (trailers | 1) || chip->data & chip->mac)
		return protocol_error(e, _("a chip image names blocks that are not for data"));
	return 0;
}

static int
tag_read(struct stream_reader *r, struct tag_image *tag, struct err *e)
{
	uint8_t head[TAG_HEAD_LEN];

	if (r->left <= sizeof head || r->left - sizeof head > sizeof tag->message)
		return protocol_error(e, _("a tag's message has the wrong length"));
	int rc = payload_read(r, head, sizeof head, e);
	tag->len = r->left;
	if (!rc)
		rc = payload_read(r, tag->message, tag->len, e);
	if (!rc)
		rc = frame_end(r, e);
	if (rc)
		return rc;
	tag->lock = head[0] & 1;
	tag->capacity = head[2] | (unsigned)head[3] << 8;
	if (head[0] > 1 || head[1] || !tag_image_valid(tag))
		return protocol_error(e, _("a tag's message is none"));
	return 0;
}

static int
padding_check(const struct plane *p, struct err *e)
{
	unsigned used = p->dots % 8;

	if (p->bits == 8 || !used)
		return 0;
	for (unsigned line = 0; line < p->lines; line++)
		if (p->data[(line + 1) * p->stride - 1] & (0xff >> used))
			return protocol_error(e, _("a panel prints beside the card"));
	return 0;
}

/* The planes of a side share one shape. */
static int
shape_agree(const struct face *face, unsigned dots, unsigned lines, struct err *e)
{
	for (int i = 0; i < PANEL_COUNT; i++) {
		const struct plane *p = &face->plane[i];
		if (p->fill != PLANE_ABSENT && (p->dots != dots || p->lines != lines))
			return protocol_error(e, _("the panels of a side differ in size"));
	}
	return 0;
}

/* last: the side and panel read before, as side * PANEL_COUNT + panel; bytes: planes of this card
 * so far. */
static int
plane_read(
	struct stream_reader *r, struct stream_card *card, int *last, size_t *bytes, struct err *e)
{
	uint8_t head[PLANE_HEAD_LEN];
	int rc = payload_read(r, head, sizeof head, e);

	if (rc)
		return rc;
	const char *letter = head[1] ? strchr(panel_letters, head[1]) : NULL;
	if (head[0] >= SIDE_COUNT || !letter)
		return protocol_error(e, _("a panel has no side or letter"));
	int panel = (int)(letter - panel_letters), place = head[0] * PANEL_COUNT + panel;
	unsigned dots = le32_get(head + 4), lines = le32_get(head + 8),
		 bits = panel <= PANEL_C ? 8 : 1;
	if (place <= *last || head[3] != bits || head[2] < PLANE_BLANK || head[2] > PLANE_DATA)
		return protocol_error(e, _("a panel is out of order"));
	if (plane_shape_check(bits, dots, lines, NULL))
		return protocol_error(e, _("a panel has an impossible size"));
	size_t len = head[2] == PLANE_DATA ? plane_stride(bits, dots) * lines : 0;
	if (r->left != len || len > CARD_BYTES_MAX - *bytes)
		return protocol_error(e, _("a panel has the wrong length"));
	struct face *face = &card->face[head[0]];
	if ((rc = shape_agree(face, dots, lines, e)))
		return rc;
	*last = place;
	*bytes += len;
	struct plane *p = &face->plane[panel];
	*p = (struct plane){
		(enum plane_fill)head[2], bits, dots, lines, plane_stride(bits, dots), NULL};
	if (len && (rc = plane_create(p, bits, dots, lines, e)))
		return rc;
	if (len && ((rc = payload_read(r, p->data, len, e)) || (rc = padding_check(p, e))))
		return rc;
	return frame_end(r, e);
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
done_read(struct stream_reader *r, struct stream_card *card, struct err *e)
{
	uint8_t told[DONE_PAYLOAD_LEN];
	uint32_t chain = r->chain;

	if (r->left != sizeof told)
		return protocol_error(e, _("a card's end has the wrong length"));
	int rc = payload_read(r, told, sizeof told, e);
	if (!rc)
		rc = frame_end(r, e);
	if (rc)
		return rc;
	if (le32_get(told) != chain)
		return protocol_error(e, _("a part of a card is missing"));
	if (card->has_tag)
		tag_image_hash(card->chip_hash, &card->tag);
	else if (card->has_chip)
		chip_image_hash(card->chip_hash, &card->chip);
	for (int s = 0; s < SIDE_COUNT; s++)
		if (face_any(&card->face[s]))
			face_hash(card->face_hash[s], &card->face[s]);
	return 0;
}

static int
card_read(struct stream_reader *r, struct stream_card *card, struct err *e)
{
	int last = -1;
	size_t bytes = 0;
	bool chip_seen = false;

	r->chain = 0;
	int rc = card_head_read(r, card, e);

	while (!rc) {
		uint32_t type;
		if ((rc = frame_begin(r, &type, e)))
			break;
		if (type == FRAME_DONE && card->has_chip == chip_seen &&
			(last >= 0 || card->has_chip))
			return done_read(r, card, e);
		if (type == FRAME_CHIP && card->has_chip && !chip_seen && last < 0) {
			chip_seen = true;
			rc = chip_read(r, &card->chip, e);
		} else if (type == FRAME_TAG && card->has_chip && !chip_seen && last < 0) {
			chip_seen = card->has_tag = true;
			rc = tag_read(r, &card->tag, e);
		} else if (type == FRAME_PLANE && card->has_chip == chip_seen) {
			rc = plane_read(r, card, &last, &bytes, e);
		} else {
			rc = protocol_error(e, _("a frame is out of order"));
		}
	}
	return rc;
}

static int
cause_read(struct stream_reader *r, struct err *cause, struct err *e)
{
	json_t *object;
	int rc = json_read(r, &object, e);

	if (rc)
		return rc;
	const json_t *code = json_object_get(object, "code");
	json_int_t n = json_integer_value(code);
	char text[ERR_TEXT_MAX];
	if (!json_is_integer(code) || n >= 0 || n < ERR_CANCELLED)
		rc = protocol_error(e, _("an error has no code"));
	else if (!(rc = text_get(object, "text", text, sizeof text, e)))
		err_set(cause, (int)n, "%s", text);
	json_decref(object);
	return rc;
}

static int
end_read(struct stream_reader *r, struct err *e)
{
	json_t *object;
	unsigned told;
	int rc = json_read(r, &object, e);

	if (rc)
		return rc;
	rc = number_get(object, "cards", 0, STREAM_CARDS_MAX, &told, e);
	if (!rc && (told != r->cards || told != r->promised))
		rc = protocol_error(e, _("cards are missing"));
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
		return protocol_error(e, _("the stream is over"));
	int rc = frame_begin(r, &type, e);
	r->over = true;
	if (rc)
		return rc;
	if (type == FRAME_CARD && r->cards < r->promised) {
		*item = STREAM_CARD;
		rc = card_read(r, card, e);
		r->over = rc != 0;
		r->cards += rc == 0;
	} else if (type == FRAME_ERROR) {
		*item = STREAM_ERROR;
		rc = cause_read(r, cause, e);
	} else if (type == FRAME_END) {
		*item = STREAM_END;
		rc = end_read(r, e);
	} else {
		rc = protocol_error(e, _("a frame is out of order"));
	}
	if (rc)
		stream_card_done(card);
	return rc;
}
