/*
 * chip-stage.c - how far an MF1 chip has come on its way from blank to somebody's card.
 *
 * Owns the look at every sector with every version of the masters, the end of an encoding that was
 * broken off between two trailers, and the record for a chip that was initialised before.
 * Guarantees: looking writes nothing; a chip with a sector that opens with no key at hand is
 * refused, and so is one on which anything stands; keys are wiped.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

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

static uint64_t
blocks_all(void)
{
	uint64_t blocks = 0;

	for (unsigned b = 1; b < CHIP_BLOCKS; b++)
		if (b != chip_trailer(b / CHIP_SECTOR_BLOCKS))
			blocks |= UINT64_C(1) << b;
	return blocks;
}

/* How many blocks hold anything; resume: anything but what image puts there. */
static int
blocks_foreign(const struct chip_stage *c, const struct chip_image *image, bool resume, unsigned *n,
	struct err *e)
{
	static const uint8_t blank[CHIP_BLOCK_LEN];
	struct chip_image seen, want = *image;
	struct chip_keys keys = {0};
	unsigned n_mac = 0;
	int rc = c->source->card_keys(c->source->ctx, c->id, image, &keys, e);

	*n = 0;
	if (rc == 0)
		rc = chip_read(c->station, c->id, &keys, blocks_all(), &seen, e);
	for (unsigned b = 1; rc == 0 && b < CHIP_BLOCKS; b++) {
		const bool mac = image->mac >> b & 1u;
		if (mac && n_mac < sizeof keys.mac / CHIP_BLOCK_LEN)
			memcpy(want.block[b], keys.mac + n_mac++ * CHIP_BLOCK_LEN, CHIP_BLOCK_LEN);
		if (!(blocks_all() >> b & 1u) || memcmp(seen.block[b], blank, sizeof blank) == 0)
			continue;
		*n += !resume || !(mac || image->data >> b & 1u) ||
		      memcmp(seen.block[b], want.block[b], CHIP_BLOCK_LEN) != 0;
	}
	explicit_bzero(&keys, sizeof keys);
	explicit_bzero(&seen, sizeof seen);
	explicit_bzero(&want, sizeof want);
	return rc;
}

int
chip_stage_take(struct station *s, const struct chip_id *id, const struct chip_image *image,
	const struct key_source *keys, bool resume, bool *taken, struct err *e)
{
	struct key_source source = *keys;
	struct chip_stage stage = {.station = s,
		.id = id,
		.keyd_fd = (int)((intptr_t)keys->ctx & KEYD_FD_MASK),
		.source = &source};
	unsigned n = 0;
	int rc = chip_stage_look(&stage, e);

	if (rc == 0 && stage.own == CHIP_SECTORS)
		rc = blocks_foreign(&stage, image, resume, &n, e);
	/* One write may have been torn; more than one block was never under way at a time. */
	*taken = rc == 0 && stage.own == CHIP_SECTORS && n <= (resume ? 1u : 0u);
	return *taken ? chip_update(s, id, image, &source, NULL, e) : rc;
}
