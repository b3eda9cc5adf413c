/*
 * stream-card.c - reading one card of a card stream.
 *
 * Owns the order of a card's frames: head, chip or tag, panels, end. Guarantees: never more memory
 * than one card; its hashes are those of what was read; a chip image names no block that belongs to
 * the maker or to the keys. On failure the caller empties the card.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/ndef.h"
#include "filters/stream-read.h"

#include <string.h>

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
		return reader_error(e, _("a card has not three tracks"));
	for (size_t i = 0; i < MAGNETIC_TRACKS; i++) {
		const json_t *text = json_array_get(tracks, i);
		size_t len = json_string_length(text);
		if (!json_is_string(text) || len > MAGNETIC_TRACK_MAX)
			return reader_error(e, _("a track is not a text or too long"));
		memcpy(card->track[i], json_string_value(text), len + 1);
		for (size_t c = 0; c < len; c++)
			if (card->track[i][c] < 0x20 || card->track[i][c] > 0x5f ||
				(i && (card->track[i][c] < 0x30 || card->track[i][c] > 0x3f)) ||
				strchr(i ? ";?" : "%?", card->track[i][c]))
				return reader_error(e, _("a track has other characters"));
	}
	return 0;
}

static int
card_head_read(struct stream_reader *r, struct stream_card *card, struct err *e)
{
	json_t *object;
	int rc = reader_json(r, &object, e);

	if (rc)
		return rc;
	const json_t *chip = json_object_get(object, "chip");
	card->has_chip = json_is_true(chip);
	if (!json_is_boolean(chip))
		rc = reader_error(e, _("a card does not say whether it has a chip"));
	if (rc || (rc = reader_number_get(object, "card", 1, STREAM_CARDS_MAX, &card->card, e)) ||
		(rc = reader_number_get(object, "copy", 1, STREAM_COPIES_MAX, &card->copy, e)) ||
		(rc = reader_text_get(
			 object, "number", card->number_masked, sizeof card->number_masked, e)) ||
		(rc = reader_text_get(
			 object, "name", card->name_masked, sizeof card->name_masked, e)))
		goto out;
	rc = reader_hash_get(object, "record", card->record_hash, false, e);
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
		return reader_error(e, _("a chip image has the wrong length"));
	int rc = reader_payload(r, masks, sizeof masks, e);
	if (!rc)
		rc = reader_payload(r, chip->block, sizeof chip->block, e);
	if (!rc)
		rc = reader_frame_end(r, e);
	if (rc)
		return rc;
	chip->data = le64_get(masks);
	chip->mac = le64_get(masks + 8);
	if ((chip->data | chip->mac) & (trailers | 1) || chip->data & chip->mac)
		return reader_error(e, _("a chip image names blocks that are not for data"));
	return 0;
}

static int
tag_read(struct stream_reader *r, struct tag_image *tag, struct err *e)
{
	uint8_t head[TAG_HEAD_LEN];

	if (r->left <= sizeof head || r->left - sizeof head > sizeof tag->message)
		return reader_error(e, _("a tag's message has the wrong length"));
	int rc = reader_payload(r, head, sizeof head, e);
	tag->len = r->left;
	if (!rc)
		rc = reader_payload(r, tag->message, tag->len, e);
	if (!rc)
		rc = reader_frame_end(r, e);
	if (rc)
		return rc;
	tag->lock = head[0] & 1;
	tag->capacity = head[2] | (unsigned)head[3] << 8;
	if (head[0] > 1 || head[1] || !tag_image_valid(tag))
		return reader_error(e, _("a tag's message is none"));
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
			return reader_error(e, _("a panel prints beside the card"));
	return 0;
}

/* The planes of a side share one shape. */
static int
shape_agree(const struct face *face, unsigned dots, unsigned lines, struct err *e)
{
	for (int i = 0; i < PANEL_COUNT; i++) {
		const struct plane *p = &face->plane[i];
		if (p->fill != PLANE_ABSENT && (p->dots != dots || p->lines != lines))
			return reader_error(e, _("the panels of a side differ in size"));
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
	int rc = reader_payload(r, head, sizeof head, e);

	if (rc)
		return rc;
	const char *letter = head[1] ? strchr(panel_letters, head[1]) : NULL;
	if (head[0] >= SIDE_COUNT || !letter)
		return reader_error(e, _("a panel has no side or letter"));
	int panel = (int)(letter - panel_letters), place = head[0] * PANEL_COUNT + panel;
	unsigned dots = le32_get(head + 4), lines = le32_get(head + 8),
		 bits = panel <= PANEL_C ? 8 : 1;
	if (place <= *last || head[3] != bits || head[2] < PLANE_BLANK || head[2] > PLANE_DATA)
		return reader_error(e, _("a panel is out of order"));
	if (plane_shape_check(bits, dots, lines, NULL))
		return reader_error(e, _("a panel has an impossible size"));
	size_t len = head[2] == PLANE_DATA ? plane_stride(bits, dots) * lines : 0;
	if (r->left != len || len > CARD_BYTES_MAX - *bytes)
		return reader_error(e, _("a panel has the wrong length"));
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
	if (len && ((rc = reader_payload(r, p->data, len, e)) || (rc = padding_check(p, e))))
		return rc;
	return reader_frame_end(r, e);
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
		return reader_error(e, _("a card's end has the wrong length"));
	int rc = reader_payload(r, told, sizeof told, e);
	if (!rc)
		rc = reader_frame_end(r, e);
	if (rc)
		return rc;
	if (le32_get(told) != chain)
		return reader_error(e, _("a part of a card is missing"));
	if (card->has_tag)
		tag_image_hash(card->chip_hash, &card->tag);
	else if (card->has_chip)
		chip_image_hash(card->chip_hash, &card->chip);
	for (int s = 0; s < SIDE_COUNT; s++)
		if (face_any(&card->face[s]))
			face_hash(card->face_hash[s], &card->face[s]);
	return 0;
}

int
reader_card(struct stream_reader *r, struct stream_card *card, struct err *e)
{
	int last = -1;
	size_t bytes = 0;
	bool chip_seen = false;

	r->chain = 0;
	int rc = card_head_read(r, card, e);

	while (!rc) {
		uint32_t type;
		if ((rc = reader_frame_begin(r, &type, e)))
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
			rc = reader_error(e, _("a frame is out of order"));
		}
	}
	return rc;
}
