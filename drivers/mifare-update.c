/*
 * mifare-update.c - changing the data of a finished MIFARE Classic card.
 *
 * Owns the order of the writes of a change. Guarantees: only data blocks and the blocks of the MAC
 * are written, with key B of the card; trailers and block 0 never. The data goes first and the MAC
 * last, so that whatever an interruption leaves between the old card and the new one has a wrong
 * MAC. A block that already holds what it shall is not written. Each write is read back, and at the
 * end the whole card is proved after a field reset. On failure the chip is old, new, or shows a
 * wrong MAC, and the same call finishes it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/driver.h"

#include <stdio.h>
#include <string.h>

static int
block_put(struct chip_session *c, unsigned block, const uint8_t want[CHIP_BLOCK_LEN], struct err *e)
{
	uint8_t seen[CHIP_BLOCK_LEN];
	struct err cause = {0};
	char raw[ERR_RAW_MAX];
	int rc = session_read(c, block, KEY_B, CHIP_KEYS_CARD, seen, e);

	for (unsigned i = 0; rc == 0 && i < 2; i++) {
		if (memcmp(seen, want, sizeof seen) == 0)
			return 0;
		rc = session_open(c, block / CHIP_SECTOR_BLOCKS, KEY_B, CHIP_KEYS_CARD, e);
		if (rc)
			return rc;
		c->report.blocks_written++;
		/* A write without an answer may have been carried out: the chip itself is asked. */
		if (c->station->driver->write(c->station, block, want, &cause) != 0)
			rc = session_select(c, false, e);
		if (rc == 0)
			rc = session_read(c, block, KEY_B, CHIP_KEYS_CARD, seen, e);
	}
	if (rc || memcmp(seen, want, sizeof seen) == 0)
		return rc;
	snprintf(raw, sizeof raw, "not as written after two writes, block %u", block);
	return fault_set(e, FAULT_CHIP_VERIFY, raw);
}

static int
blocks_put(struct chip_session *c, const struct chip_image *image, uint64_t blocks, struct err *e)
{
	int rc = 0;

	for (unsigned b = 1; rc == 0 && b < CHIP_BLOCKS; b++)
		if (blocks >> b & 1u && b % CHIP_SECTOR_BLOCKS != CHIP_SECTOR_BLOCKS - 1)
			rc = block_put(c, b, image->block[b], e);
	return rc;
}

int
chip_update(struct station *s, const struct chip_id *id, const struct chip_image *image,
	const struct key_source *keys, struct chip_report *out, struct err *e)
{
	struct chip_keys card_keys = {0};
	struct chip_image full = *image;
	struct chip_session c = {.station = s, .id = id, .keys = &card_keys, .report = {.id = *id}};
	unsigned n = 0;
	bool same = false;
	int rc = keys->card_keys(keys->ctx, id, image, &card_keys, e);

	for (unsigned b = 0; rc == 0 && b < CHIP_BLOCKS; b++)
		if (image->mac >> b & 1u && n < sizeof card_keys.mac / CHIP_BLOCK_LEN)
			memcpy(full.block[b], card_keys.mac + n++ * CHIP_BLOCK_LEN, CHIP_BLOCK_LEN);
	if (rc == 0)
		rc = session_select(&c, true, e);
	if (rc == 0)
		rc = blocks_put(&c, &full, image->data, e);
	if (rc == 0)
		rc = blocks_put(&c, &full, image->mac, e);
	session_end(&c);
	if (rc == 0)
		rc = chip_verify(s, id, image, keys, &same, e);
	if (rc == 0 && !same)
		rc = fault_set(e, FAULT_CHIP_VERIFY, "not as written after a field reset");
	c.report.proved = rc == 0;
	explicit_bzero(&card_keys, sizeof card_keys);
	if (out)
		*out = c.report;
	return rc;
}
