/*
 * card-fill.c - what of a record goes with its card beside the faces.
 *
 * Owns the choice between a chip of blocks, a tag and none, and what the ledger is told of a
 * record. Guarantees: number and name leave here masked only. On failure the card is not to be
 * used.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/ndef.h"

int
stream_card_fill(
	struct stream_card *card, const struct template *t, const struct record *rec, struct err *e)
{
	const struct schema *s = template_schema(t);
	const struct chip_map *chip = template_chip_map(t);
	const struct ndef_map *tag = template_tag_map(t);
	uint8_t hash[HASH_LEN];

	card->has_tag = tag != NULL;
	card->has_chip = chip || tag;
	record_hash(hash, s, rec);
	hex_build(card->record_hash, hash, HASH_LEN);
	if (s->number_field >= 0)
		record_mask(
			card->number_masked, sizeof card->number_masked, s, rec, s->number_field);
	if (s->name_field >= 0)
		record_mask(card->name_masked, sizeof card->name_masked, s, rec, s->name_field);
	if (chip)
		return chip_image_build(&card->chip, chip, s, rec, e);
	return tag ? tag_image_build(&card->tag, tag, s, rec, e) : 0;
}
