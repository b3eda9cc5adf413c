/*
 * mifare-session.c - one MIFARE Classic under work at a station.
 *
 * Owns the selection, the standing authentication and the recovery from broken exchanges.
 * Guarantees: after any failure the same UID is selected again, with a field reset at need, before
 * anything else is sent; a lost reply is tolerated once an exchange; nothing here writes. On
 * failure the error tells a refused key (FAULT_CHIP_USED, the chip is there) from a chip that is
 * gone and a reader that is gone.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/driver.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	recoveries_max = 8, /* broken exchanges of one chip before it counts as bad */
	select_pause_ms = 20
};

static const struct {
	uint8_t atqa[2], sak;
	size_t uid_len;
} chip_types[] = {
	{{0x00, 0x04}, 0x08, 4}, {{0x00, 0x44}, 0x08, 7}, {{0x00, 0x04}, 0x88, 4}, /* Infineon's */
};

const uint8_t chip_transport_key[MIFARE_KEY_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

unsigned
chip_trailer(unsigned sector)
{
	return sector * CHIP_SECTOR_BLOCKS + CHIP_SECTOR_BLOCKS - 1;
}

static bool
same_chip(const struct chip_id *a, const struct chip_id *b)
{
	return a->uid_len == b->uid_len && memcmp(a->uid, b->uid, a->uid_len) == 0;
}

/* Selects the chip again, the second time after a field reset. Nothing is authenticated afterwards.
 */
int
session_select(struct chip_session *c, bool reset_first, struct err *e)
{
	struct chip_id seen = {0};
	int rc = 0;

	c->open_set = CHIP_KEYS_NONE;
	for (unsigned i = 0; i < 2; i++) {
		if ((reset_first || i > 0) &&
			(rc = c->station->driver->field_reset(c->station, e)) != 0)
			continue;
		rc = c->station->driver->select(c->station, c->id, &seen, e);
		if (rc == 0 && seen.uid_len && same_chip(&seen, c->id))
			return 0;
	}
	if (rc)
		return rc;
	return fault_set(e, seen.uid_len ? FAULT_CHIP_TWO : FAULT_CHIP_REMOVED,
		seen.uid_len ? "another UID answers" : "the UID does not answer any more");
}

/* After a broken exchange. The chip is there again, or the error says why not. */
static int
session_recover(struct chip_session *c, const struct err *cause, struct err *e)
{
	if (c->recoveries++ >= recoveries_max) {
		if (e && cause)
			*e = *cause;
		return cause ? cause->code : ERR_FAULT;
	}
	return session_select(c, false, e);
}

static const uint8_t *
session_key(
	const struct chip_session *c, unsigned sector, enum key_kind kind, enum chip_key_set set)
{
	return set == CHIP_KEYS_CARD ? c->keys->key[sector][kind] : chip_transport_key;
}

/* One authentication. FAULT_CHIP_USED: refused, and the chip is selected again. */
int
session_try(struct chip_session *c, unsigned sector, enum key_kind kind, enum chip_key_set set,
	struct err *e)
{
	struct err cause = {0};

	for (unsigned i = 0;; i++) {
		c->open_set = CHIP_KEYS_NONE;
		int rc = c->station->driver->authenticate(c->station, c->id, chip_trailer(sector),
			kind, session_key(c, sector, kind, set), &cause);
		if (rc == 0)
			break;
		bool refused = cause.fault == FAULT_CHIP_USED;
		/* A removed chip looks like a refused key: only a chip that still answers refused
		 * it. */
		rc = refused ? session_select(c, false, e) : session_recover(c, &cause, e);
		if (rc)
			return rc;
		if (refused || i > 0) {
			if (e)
				*e = cause;
			return cause.code;
		}
	}
	c->open_sector = sector;
	c->open_kind = kind;
	c->open_set = set;
	return 0;
}

/* Opens a sector with keys that it is known to answer to; noise may refuse once. */
int
session_open(struct chip_session *c, unsigned sector, enum key_kind kind, enum chip_key_set set,
	struct err *e)
{
	struct err cause = {0};

	if (c->open_set == set && c->open_sector == sector && c->open_kind == kind)
		return 0;
	int rc = session_try(c, sector, kind, set, &cause);
	if (rc && cause.fault == FAULT_CHIP_USED)
		rc = session_try(c, sector, kind, set, &cause);
	if (rc && e)
		*e = cause;
	return rc;
}

int
session_read(struct chip_session *c, unsigned block, enum key_kind kind, enum chip_key_set set,
	uint8_t out[CHIP_BLOCK_LEN], struct err *e)
{
	struct err cause = {0};

	for (unsigned i = 0;; i++) {
		int rc = session_open(c, block / CHIP_SECTOR_BLOCKS, kind, set, e);
		if (rc)
			return rc;
		if (c->station->driver->read(c->station, block, out, &cause) == 0)
			return 0;
		rc = session_recover(c, &cause, e);
		if (rc)
			return rc;
		if (i > 0) {
			if (e)
				*e = cause;
			return cause.code;
		}
	}
}

void
session_end(struct chip_session *c)
{
	c->open_set = CHIP_KEYS_NONE;
	if (c->station->driver->forget)
		c->station->driver->forget(c->station);
}

int
chip_read(struct station *s, const struct chip_id *id, const struct chip_keys *keys,
	uint64_t blocks, struct chip_image *out, struct err *e)
{
	struct chip_session c = {.station = s, .id = id, .keys = keys};

	*out = (struct chip_image){0};
	int rc = session_select(&c, false, e);
	for (unsigned b = 0; rc == 0 && b < CHIP_BLOCKS; b++)
		if (blocks >> b & 1u)
			rc = session_read(&c, b, KEY_A, CHIP_KEYS_CARD, out->block[b], e);
	session_end(&c);
	return rc;
}

int
chip_type_check(const struct chip_id *id, struct err *e)
{
	char raw[ERR_RAW_MAX];

	for (size_t i = 0; i < ARRAY_LEN(chip_types); i++)
		if (memcmp(id->atqa, chip_types[i].atqa, sizeof id->atqa) == 0 &&
			id->sak == chip_types[i].sak && id->uid_len == chip_types[i].uid_len)
			return 0;
	snprintf(raw, sizeof raw, "ATQA %02x%02x SAK %02x, UID of %zu bytes", id->atqa[0],
		id->atqa[1], id->sak, id->uid_len);
	return fault_set(e, FAULT_CHIP_TYPE, raw);
}

int
chip_find(struct station *s, unsigned wait_ms, struct chip_id *out, struct err *e)
{
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += wait_ms / 1000;
	end.tv_nsec += wait_ms % 1000 * 1000000L;
	if (end.tv_nsec >= 1000000000L) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000L;
	}
	for (;;) {
		int rc = s->driver->select(s, NULL, out, e);
		if (rc)
			return rc;
		if (out->uid_len)
			break;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end.tv_sec ||
			(now.tv_sec == end.tv_sec && now.tv_nsec >= end.tv_nsec))
			return fault_set(e, FAULT_NO_CHIP, NULL);
		nanosleep(&(struct timespec){.tv_nsec = select_pause_ms * 1000000L}, NULL);
	}
	return out->cards_in_field > 1 ? fault_set(e, FAULT_CHIP_TWO, NULL) : 0;
}

int
chip_select(struct station *s, unsigned wait_ms, struct chip_id *out, struct err *e)
{
	int rc = chip_find(s, wait_ms, out, e);

	return rc ? rc : chip_type_check(out, e);
}
