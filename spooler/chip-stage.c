/*
 * chip-stage.c - how far an MF1 chip has come on its way from blank to somebody's card.
 *
 * Owns the look at every sector with every version of the masters, and the end of an encoding that
 * was broken off between two trailers. Guarantees: looking writes nothing; a chip with a sector
 * that opens with no key at hand is refused; keys are wiped.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/chip-desk.h"

#include <string.h>

/* Looks with the current masters, then with every older version; c->source is left set to those
 * that open it. */
int
chip_stage_look(struct chip_stage *c, struct err *e)
{
	const struct chip_image none = {0};
	struct chip_keys keys;
	int rc = 0;

	c->fresh = c->own = 0;
	for (unsigned version = 0; rc == 0 && version <= UINT8_MAX; version++) {
		c->source->ctx = KEYD_CTX(c->keyd_fd, version);
		rc = c->source->card_keys(c->source->ctx, c->id, &none, &keys, version ? NULL : e);
		if (rc && version) { /* most numbers have no masters */
			rc = 0;
			continue;
		}
		if (rc == 0)
			rc = chip_sectors(c->station, c->id, &keys, &c->fresh, &c->own, e);
		if (c->own || c->fresh == CHIP_SECTORS)
			break;
	}
	if (rc == 0 && !c->own) { /* the current ones, if keyd still has them */
		c->source->ctx = KEYD_CTX(c->keyd_fd, 0);
		rc = c->source->card_keys(c->source->ctx, c->id, &none, &keys, e);
	}
	explicit_bzero(&keys, sizeof keys);
	if (rc == 0 && c->fresh + c->own < CHIP_SECTORS)
		rc = fault_set(e, c->own ? FAULT_CHIP_TRAILER : FAULT_CHIP_USED,
			"sectors that open with no key of ours");
	return rc;
}

/* An encoding that was broken off between two trailers: the sectors that are open still get their
 * keys. */
int
chip_stage_close(const struct chip_stage *c, struct err *e)
{
	const struct chip_image none = {0};

	return c->own && c->fresh ? chip_encode(c->station, c->id, &none, c->source, true, NULL, e)
				  : 0;
}

/* A chip that carries a record with a good MAC is somebody's; the same record once more is no harm.
 */
int
chip_stage_free(const struct chip_stage *c, const struct chip_image *image, struct err *e)
{
	struct chip_image seen = {0};
	struct chip_keys keys = {0};
	unsigned n = 0, n_good = 0, n_other = 0;
	int rc = c->source->card_keys(c->source->ctx, c->id, &seen, &keys, e);

	if (rc == 0)
		rc = chip_read(c->station, c->id, &keys, image->data | image->mac, &seen, e);
	seen.data = image->data;
	if (rc == 0)
		rc = c->source->card_keys(c->source->ctx, c->id, &seen, &keys, e);
	for (unsigned b = 0; rc == 0 && b < CHIP_BLOCKS; b++) {
		if (image->data >> b & 1u)
			n_other += memcmp(seen.block[b], image->block[b], CHIP_BLOCK_LEN) != 0;
		if (!(image->mac >> b & 1u) || n == sizeof keys.mac / CHIP_BLOCK_LEN)
			continue;
		n_good += memcmp(seen.block[b], keys.mac + n * CHIP_BLOCK_LEN, CHIP_BLOCK_LEN) == 0;
		n++;
	}
	explicit_bzero(&keys, sizeof keys);
	explicit_bzero(&seen, sizeof seen);
	if (rc == 0 && n && n_good == n && n_other)
		rc = fault_say(e, FAULT_CHIP_USED, "holds another record",
			_("This chip holds a finished record already. To write another one: "
			  "cardspool chip void, then this command again."));
	return rc;
}
