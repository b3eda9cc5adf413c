/*
 * mifare.c - writing and proving one MIFARE Classic 1K.
 *
 * Owns the order of work on a chip and the only builder of sector trailers. Guarantees: nothing is
 * written before every sector has answered to its transport key with transport access conditions;
 * block 0 is never written; a write whose outcome is not known is settled by selecting the same UID
 * again and reading, and repeated once at most; a trailer is written only over a sector that still
 * shows the transport trailer, and only when all data was read back. Each block is read back once
 * and no oftener, for the reader's line is slower than the chip: doc/STATIONS.md says which
 * exchange proves what. On failure err.fault says what the chip is good for; the keys on the
 * stack are wiped on every way out.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/driver.h"

#include <stdio.h>
#include <string.h>

enum {
	trailer_access = MIFARE_KEY_LEN,      /* offset of the access bytes */
	trailer_general = trailer_access + 3, /* of the general-purpose byte */
	trailer_key_b = trailer_general + 1
};

/* C1C2C3 of the three data blocks and the trailer. */
static const uint8_t transport_access[4] = {0, 0, 0, 1};
/* Data 100: A or B reads, B writes. Trailer 011: B writes keys and conditions, neither key can be
 * read. */
static const uint8_t card_access[4] = {4, 4, 4, 3};

/*
 * General-purpose byte of the trailers. In sector 0 its bit 7 (DA) says whether a MAD exists; the
 * MAC stands in the MAD's place, so DA = 0. In the other sectors it has no meaning without a MAD:
 * left as delivered.
 */
static const uint8_t general_byte = 0x69;

static bool
block_in(uint64_t blocks, unsigned block)
{
	return blocks >> block & 1u;
}

static bool
sector_in(uint64_t blocks, unsigned sector)
{
	return blocks >> (sector * CHIP_SECTOR_BLOCKS) & 15u;
}

static int
block_fault(struct err *e, enum fault fault, const char *what, unsigned block)
{
	char raw[ERR_RAW_MAX];

	snprintf(
		raw, sizeof raw, "%s, sector %u block %u", what, block / CHIP_SECTOR_BLOCKS, block);
	return fault_set(e, fault, raw);
}

/* ---- trailers ---- */

/*
 *  0     5 6     8  9   10   15
 * | key A | access | GPB | key B |
 */
static int
trailer_build(uint8_t out[CHIP_BLOCK_LEN], const uint8_t key[2][MIFARE_KEY_LEN], struct err *e)
{
	static const uint8_t zero_key[MIFARE_KEY_LEN];
	uint8_t parsed[4];

	for (unsigned kind = KEY_A; kind <= KEY_B; kind++)
		if (memcmp(key[kind], chip_transport_key, MIFARE_KEY_LEN) == 0 ||
			memcmp(key[kind], zero_key, MIFARE_KEY_LEN) == 0)
			return fault_set(e, FAULT_KEYS, "a sector key is a transport key");
	memcpy(out, key[KEY_A], MIFARE_KEY_LEN);
	access_build(out + trailer_access, card_access);
	out[trailer_general] = general_byte;
	memcpy(out + trailer_key_b, key[KEY_B], MIFARE_KEY_LEN);
	int rc = access_parse(parsed, out + trailer_access, e);
	if (rc == 0 && memcmp(parsed, card_access, sizeof parsed) != 0)
		rc = err_set(
			e, ERR_INTERNAL, "trailer: the access conditions are not the planned ones");
	return rc;
}

/* Every trailer can be built: asked before the first write. */
static int
trailers_check(const struct chip_keys *keys, struct err *e)
{
	uint8_t trailer[CHIP_BLOCK_LEN];
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < CHIP_SECTORS; i++)
		rc = trailer_build(trailer, keys->key[i], e);
	explicit_bzero(trailer, sizeof trailer);
	return rc;
}

/* Are the access conditions of a trailer, as read, these? Contradicting copies are not. */
static bool
trailer_has(const uint8_t trailer[CHIP_BLOCK_LEN], const uint8_t access[4])
{
	uint8_t parsed[4];

	return access_parse(parsed, trailer + trailer_access, NULL) == 0 &&
	       memcmp(parsed, access, sizeof parsed) == 0;
}

/* The write was lost without a trace: the old key opens, and the old conditions stand. */
static bool
trailer_untouched(struct chip_session *c, unsigned sector)
{
	uint8_t seen[CHIP_BLOCK_LEN];

	return session_read(c, chip_trailer(sector), KEY_A, CHIP_KEYS_TRANSPORT, seen, NULL) == 0 &&
	       trailer_has(seen, transport_access);
}

/* Does the sector stand as built? Asked in the standing authentication if there is one. */
static bool
trailer_stands(struct chip_session *c, unsigned sector, enum chip_key_set set, struct err *e)
{
	uint8_t seen[CHIP_BLOCK_LEN];

	return session_read(c, chip_trailer(sector), KEY_A, set, seen, e) == 0 &&
	       trailer_has(seen, card_access) && seen[trailer_general] == general_byte;
}

/* An answered write is believed until the proof; one without an answer is settled here. */
static int
trailer_write(struct chip_session *c, unsigned sector, struct err *e)
{
	uint8_t trailer[CHIP_BLOCK_LEN];
	const unsigned block = chip_trailer(sector);
	struct err cause = {0};
	int rc = trailer_build(trailer, c->keys->key[sector], e);

	for (unsigned i = 0; rc == 0 && i < 2; i++) {
		rc = session_open(c, sector, KEY_A, CHIP_KEYS_TRANSPORT, e);
		if (rc)
			break;
		if (c->station->driver->write(c->station, block, trailer, &cause) == 0)
			goto written;
		rc = session_select(c, false, e);
		if (rc)
			break;
		if (trailer_stands(c, sector, CHIP_KEYS_CARD, &cause))
			goto written;
		rc = session_select(c, false, e);
		if (rc == 0 && (i > 0 || !trailer_untouched(c, sector)))
			rc = block_fault(e, FAULT_CHIP_TRAILER, "trailer torn or refused", block);
	}
	goto out;
written:
	c->report.trailers_written++;
	c->sector[sector] = CHIP_KEYS_CARD;
	c->open_set = CHIP_KEYS_NONE; /* what stands was opened with the key that is gone */
out:
	explicit_bzero(trailer, sizeof trailer);
	return rc;
}

/* ---- data ---- */

/* Writes one block of an open sector and reads it back; settles a doubtful write by the chip
 * itself. */
static int
data_write(
	struct chip_session *c, unsigned block, const uint8_t want[CHIP_BLOCK_LEN], struct err *e)
{
	uint8_t seen[CHIP_BLOCK_LEN];
	const unsigned sector = block / CHIP_SECTOR_BLOCKS;
	struct err cause = {0};

	for (unsigned i = 0; i < 2; i++) {
		int rc = session_open(c, sector, KEY_A, CHIP_KEYS_TRANSPORT, e);
		if (rc)
			return rc;
		bool sent = c->station->driver->write(c->station, block, want, &cause) == 0;
		if (sent && c->station->driver->read(c->station, block, seen, &cause) == 0 &&
			memcmp(seen, want, CHIP_BLOCK_LEN) == 0)
			goto verified;
		rc = session_select(c, false, e);
		if (rc == 0)
			rc = session_read(c, block, KEY_A, CHIP_KEYS_TRANSPORT, seen, e);
		if (rc)
			return rc;
		if (memcmp(seen, want, CHIP_BLOCK_LEN) == 0)
			goto verified;
	}
	if (cause.raw[0])
		return fault_set(e, FAULT_CHIP_WRITE, cause.raw);
	return block_fault(e, FAULT_CHIP_VERIFY, "not as written after two writes", block);
verified:
	c->report.blocks_written++;
	c->report.blocks_verified++;
	return 0;
}

static int
data_place(struct chip_session *c, unsigned block, const uint8_t want[CHIP_BLOCK_LEN], bool look,
	struct err *e)
{
	const enum chip_key_set set = c->sector[block / CHIP_SECTOR_BLOCKS];
	uint8_t seen[CHIP_BLOCK_LEN];

	if (look || set == CHIP_KEYS_CARD) {
		int rc = session_read(c, block, KEY_A, set, seen, e);
		if (rc)
			return rc;
		if (memcmp(seen, want, CHIP_BLOCK_LEN) == 0) {
			c->report.blocks_verified++;
			return 0;
		}
		/* A sector is closed only after its data was right, so this is another card's data.
		 */
		if (set == CHIP_KEYS_CARD)
			return block_fault(e, FAULT_CHIP_VERIFY, "closed with other data", block);
	}
	return data_write(c, block, want, e);
}

/* The image with the MAC filled in. ERR_INPUT: the map asks for what a chip cannot hold. */
static int
image_complete(struct chip_image *out, const struct chip_image *image, const struct chip_keys *keys,
	struct err *e)
{
	unsigned n = 0;

	*out = *image;
	for (unsigned block = 0; block < CHIP_BLOCKS; block++) {
		bool mac = block_in(image->mac, block);
		if (!mac && !block_in(image->data, block))
			continue;
		if (block == 0 || block % CHIP_SECTOR_BLOCKS == CHIP_SECTOR_BLOCKS - 1)
			return err_set(
				e, ERR_INTERNAL, "chip image: block %u is not for data", block);
		if (!mac)
			continue;
		if (block_in(image->data, block) || n == sizeof keys->mac / CHIP_BLOCK_LEN)
			return err_set(e, ERR_INTERNAL, "chip image: too many MAC blocks");
		memcpy(out->block[block], keys->mac + n++ * CHIP_BLOCK_LEN, CHIP_BLOCK_LEN);
	}
	return 0;
}

/* ---- the steps of an encoding ---- */

/* A fresh sector opens with the transport key and has the transport conditions. */
static int
probe_sector(struct chip_session *c, unsigned sector, bool resume, struct err *e)
{
	uint8_t seen[CHIP_BLOCK_LEN];
	struct err cause = {0};
	int rc;

	if (resume) {
		rc = session_try(c, sector, KEY_A, CHIP_KEYS_CARD, &cause);
		if (rc == 0) {
			c->sector[sector] = CHIP_KEYS_CARD;
			return 0;
		}
		if (cause.fault != FAULT_CHIP_USED)
			goto failed;
	}
	rc = session_open(c, sector, KEY_A, CHIP_KEYS_TRANSPORT, &cause);
	if (rc == 0)
		rc = session_read(
			c, chip_trailer(sector), KEY_A, CHIP_KEYS_TRANSPORT, seen, &cause);
	if (rc == 0 && trailer_has(seen, transport_access)) {
		c->sector[sector] = CHIP_KEYS_TRANSPORT;
		return 0;
	}
	if (rc && cause.fault != FAULT_CHIP_USED)
		goto failed;
	return block_fault(e, resume ? FAULT_CHIP_TRAILER : FAULT_CHIP_USED,
		rc ? "transport key refused" : "other access conditions", chip_trailer(sector));
failed:
	if (e)
		*e = cause;
	return rc;
}

/* Ends in the sector where the data begins: its authentication serves the first write too. */
static int
probe_sectors(struct chip_session *c, uint64_t blocks, bool resume, struct err *e)
{
	unsigned last = CHIP_SECTORS - 1;
	int rc = 0;

	while (last > 0 && !sector_in(blocks, last))
		last--;
	for (unsigned i = 1; rc == 0 && i <= CHIP_SECTORS; i++)
		rc = probe_sector(c, (last + i) % CHIP_SECTORS, resume, e);
	return rc;
}

static int
place_blocks(struct chip_session *c, const struct chip_image *full, uint64_t blocks, bool resume,
	struct err *e)
{
	int rc = 0;

	for (unsigned i = CHIP_SECTORS; rc == 0 && i-- > 0;)
		for (unsigned b = i * CHIP_SECTOR_BLOCKS; rc == 0 && b < chip_trailer(i); b++)
			if (block_in(blocks, b))
				rc = data_place(c, b, full->block[b], resume, e);
	return rc;
}

/* Both new keys of a sector and its access conditions; blocks: these are compared too. */
static int
prove_sector(struct chip_session *c, const struct chip_image *full, uint64_t blocks,
	unsigned sector, struct err *e)
{
	uint8_t seen[CHIP_BLOCK_LEN];
	struct err cause = {0};
	int rc = session_open(c, sector, KEY_B, CHIP_KEYS_CARD, &cause);

	if (rc == 0)
		rc = session_open(c, sector, KEY_A, CHIP_KEYS_CARD, &cause);
	if (rc && cause.fault == FAULT_CHIP_USED)
		return block_fault(e, FAULT_CHIP_TRAILER, "new key refused", chip_trailer(sector));
	if (rc) {
		if (e)
			*e = cause;
		return rc;
	}
	for (unsigned b = sector * CHIP_SECTOR_BLOCKS; b < chip_trailer(sector); b++) {
		if (!block_in(blocks, b))
			continue;
		rc = session_read(c, b, KEY_A, CHIP_KEYS_CARD, seen, e);
		if (rc)
			return rc;
		if (memcmp(seen, full->block[b], CHIP_BLOCK_LEN) != 0)
			return block_fault(e, FAULT_CHIP_VERIFY, "not as written", b);
	}
	if (trailer_stands(c, sector, CHIP_KEYS_CARD, &cause))
		return 0;
	if (cause.code == 0)
		return block_fault(e, FAULT_CHIP_TRAILER, "other conditions", chip_trailer(sector));
	if (e)
		*e = cause;
	return cause.code;
}

/* A trailer that the reader said was written, and was not: the sector is open as it was. */
static int
trailer_repair(struct chip_session *c, const struct chip_image *full, uint64_t blocks,
	unsigned sector, const struct err *proof, struct err *e)
{
	if (proof->fault != FAULT_CHIP_TRAILER || !trailer_untouched(c, sector)) {
		if (e)
			*e = *proof;
		return proof->code;
	}
	c->report.trailers_written--;
	int rc = trailer_write(c, sector, e);
	if (rc == 0)
		rc = session_select(c, true, e);
	return rc ? rc : prove_sector(c, full, blocks, sector, e);
}

/* After a field reset. repair: what this very encoding lost may be written once more. */
static int
prove_chip(struct chip_session *c, const struct chip_image *full, uint64_t blocks, bool repair,
	struct err *e)
{
	struct err cause = {0};
	int rc = session_select(c, true, e);

	for (unsigned i = CHIP_SECTORS; rc == 0 && i-- > 0;) {
		rc = prove_sector(c, full, blocks, i, &cause);
		if (rc && repair)
			rc = trailer_repair(c, full, blocks, i, &cause, e);
		else if (rc && e)
			*e = cause;
	}
	return rc;
}

int
chip_encode(struct station *s, const struct chip_id *id, const struct chip_image *image,
	const struct key_source *keys, bool resume, struct chip_report *out, struct err *e)
{
	struct chip_keys card_keys = {0};
	struct chip_image full;
	struct chip_session c = {.station = s, .id = id, .keys = &card_keys, .report = {.id = *id}};

	int rc = chip_type_check(id, e);
	if (rc == 0)
		rc = keys->card_keys(keys->ctx, id, image, &card_keys, e);
	if (rc == 0)
		rc = trailers_check(&card_keys, e);
	if (rc == 0)
		rc = image_complete(&full, image, &card_keys, e);
	/* A chip with a new UID after each reset cannot be found again: seen before anything is
	 * written. */
	if (rc == 0)
		rc = session_select(&c, true, e);
	if (rc == 0)
		rc = probe_sectors(&c, full.data | full.mac, resume, e);
	if (rc == 0)
		rc = place_blocks(&c, &full, full.data, resume, e);
	if (rc == 0)
		rc = place_blocks(&c, &full, full.mac, resume, e);
	for (unsigned i = CHIP_SECTORS; rc == 0 && i-- > 0;)
		if (c.sector[i] == CHIP_KEYS_TRANSPORT)
			rc = trailer_write(&c, i, e);
	if (rc == 0)
		rc = prove_chip(&c, &full, full.mac, true, e);
	c.report.proved = rc == 0;
	session_end(&c);
	explicit_bzero(&card_keys, sizeof card_keys);
	if (out)
		*out = c.report;
	return rc;
}

int
chip_verify(struct station *s, const struct chip_id *id, const struct chip_image *image,
	const struct key_source *keys, bool *same, struct err *e)
{
	struct chip_keys card_keys = {0};
	struct chip_image full;
	struct err cause = {0};
	struct chip_session c = {.station = s, .id = id, .keys = &card_keys};

	*same = false;
	int rc = chip_type_check(id, e);
	if (rc == 0)
		rc = keys->card_keys(keys->ctx, id, image, &card_keys, e);
	if (rc == 0)
		rc = image_complete(&full, image, &card_keys, e);
	if (rc)
		goto out;
	rc = prove_chip(&c, &full, full.data | full.mac, false, &cause);
	session_end(&c);
	*same = rc == 0;
	if (rc && (cause.fault == FAULT_CHIP_TRAILER || cause.fault == FAULT_CHIP_VERIFY))
		rc = 0; /* the chip answered: it is another one, or unfinished */
	else if (rc && e)
		*e = cause;
out:
	explicit_bzero(&card_keys, sizeof card_keys);
	return rc;
}

int
chip_blank(struct station *s, const struct chip_id *id, bool *blank, struct err *e)
{
	struct chip_session c = {.station = s, .id = id};
	struct err cause = {0};
	int rc = session_select(&c, false, &cause);

	for (unsigned i = 0; rc == 0 && i < CHIP_SECTORS; i++)
		rc = probe_sector(&c, i, false, &cause);
	*blank = rc == 0;
	if (rc && cause.fault == FAULT_CHIP_USED)
		return 0;
	if (rc && e)
		*e = cause;
	return rc;
}

int
chip_sectors(struct station *s, const struct chip_id *id, const struct chip_keys *keys,
	unsigned *fresh, unsigned *own, struct err *e)
{
	struct chip_session c = {.station = s, .id = id, .keys = keys};
	struct err cause = {0};
	int rc = session_select(&c, true, e);

	*fresh = *own = 0;
	for (unsigned i = 0; rc == 0 && i < CHIP_SECTORS; i++) {
		rc = probe_sector(&c, i, true, &cause);
		*fresh += rc == 0 && c.sector[i] == CHIP_KEYS_TRANSPORT;
		*own += rc == 0 && c.sector[i] == CHIP_KEYS_CARD;
		if (rc && cause.fault == FAULT_CHIP_TRAILER)
			rc = 0;
		else if (rc && e)
			*e = cause;
	}
	session_end(&c);
	return rc;
}
