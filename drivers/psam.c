/*
 * psam.c - the commands of a PSAM, and the keys of one card made with it.
 *
 * Owns the APDUs and the factors that a card's UID gives. Guarantees: a key set is complete or is
 * zero; an answer of another length than asked is a refusal; nothing of an APDU is ever written
 * down. On failure err.fault is FAULT_KEYS, which stops before anything is written to a chip.
 *
 *   SELECT      00 A4 04 00 Lc name            9000
 *   DIVERSIFY   80 1A usage version Lc factors 9000; 9403 no such key version
 *   ENCIPHER    80 FA 00 00 Lc blocks          blocks; needs a diversified key
 *   MAC         80 FA 05 00 Lc initial | data  4 bytes; the diversified key is used up
 *
 * Source: PBOC 2.0 security modules as issuers describe them; a module's own manual decides, so
 * name, version and usages are settings.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/psam.h"

#include "drivers/pcsc.h"

#include <stdio.h>
#include <string.h>

enum { APDU_HEAD = 5, APDU_LEN_MAX = APDU_HEAD + PSAM_BLOCK + PSAM_DATA_MAX };
enum { SW_GOOD = 0x9000, SW_NOT_FOUND = 0x6a82, SW_NO_KEY = 0x9403, SW_NO_KEY_2 = 0x6a88 };

static int
psam_fault(struct err *e, uint16_t sw, const char *text)
{
	char raw[ERR_RAW_MAX];

	snprintf(raw, sizeof raw, "security module: %04x", sw);
	return fault_say(e, FAULT_KEYS, raw, text);
}

/* One command; answers exactly want bytes with 9000, or *sw says what it said. */
static int
psam_run(struct psam *p, const uint8_t head[4], const uint8_t *data, size_t len, uint8_t *reply,
	size_t want, uint16_t *sw, struct err *e)
{
	uint8_t apdu[APDU_LEN_MAX];
	struct err cause = {0};
	size_t n = 0;

	if (len > APDU_LEN_MAX - APDU_HEAD)
		return err_set(e, ERR_INTERNAL, "security module: %zu bytes", len);
	memcpy(apdu, head, 4);
	apdu[4] = (uint8_t)len;
	memcpy(apdu + APDU_HEAD, data, len);
	int rc = p->link.transmit(p->link.ctx, apdu, APDU_HEAD + len, reply, want, &n, sw, &cause);
	explicit_bzero(apdu, sizeof apdu);
	if (rc)
		return fault_say(e, FAULT_KEYS, cause.raw,
			_("The security module (PSAM) does not answer; put it back into its "
			  "reader and resume the queue."));
	if (*sw == SW_GOOD && n != want)
		return psam_fault(e, *sw,
			_("The security module (PSAM) answers wrongly; have an administrator check "
			  "which module this is."));
	return 0;
}

int
psam_attach(
	struct psam *p, const struct apdu_link *link, const struct psam_setup *setup, struct err *e)
{
	static const uint8_t select[4] = {0x00, 0xa4, 0x04, 0x00};
	uint16_t sw;

	*p = (struct psam){.link = *link, .setup = *setup};
	int rc = psam_run(p, select, setup->application, setup->application_len, NULL, 0, &sw, e);
	if (rc || sw == SW_GOOD)
		return rc;
	return psam_fault(e, sw,
		sw == SW_NOT_FOUND
			? _("The card in the reader for the security module (PSAM) has no such "
			    "application; check psam-application in cardspool.conf.")
			: _("The security module (PSAM) refuses its application; have an "
			    "administrator check it."));
}

static int
link_transmit(void *ctx, const uint8_t *apdu, size_t len, uint8_t *reply, size_t max,
	size_t *reply_len, uint16_t *sw, struct err *e)
{
	return pcsc_transmit(ctx, apdu, len, reply, max, reply_len, sw, e);
}

int
psam_open(struct psam *p, const struct psam_setup *setup, struct err *e)
{
	struct apdu_link link = {link_transmit, NULL, NULL};
	struct pcsc *reader = NULL;
	struct err cause = {0};
	bool present = false;

	*p = (struct psam){0};
	int rc = pcsc_open(&reader, setup->reader, &cause);
	if (rc == 0)
		rc = pcsc_connect(reader, &present, &cause);
	if (rc || !present) {
		pcsc_close(reader);
		return fault_say(e, FAULT_KEYS, cause.raw,
			rc ? _("The reader of the security module (PSAM) cannot be used; check "
			       "psam-reader in cardspool.conf and that no other program holds it.")
			   : _("There is no security module (PSAM) in its reader; put it in and "
			       "resume the queue."));
	}
	link.ctx = reader;
	rc = psam_attach(p, &link, setup, e);
	p->pcsc = reader;
	if (rc)
		psam_close(p);
	return rc;
}

void
psam_close(struct psam *p)
{
	pcsc_close(p->pcsc);
	*p = (struct psam){0};
}

int
psam_diversify(struct psam *p, uint8_t usage, uint8_t version, const uint8_t *factors,
	size_t n_factors, struct err *e)
{
	const uint8_t head[4] = {0x80, 0x1a, usage, version};
	uint16_t sw;
	int rc = psam_run(p, head, factors, n_factors * PSAM_BLOCK, NULL, 0, &sw, e);

	if (rc || sw == SW_GOOD)
		return rc;
	return psam_fault(e, sw,
		sw == SW_NO_KEY || sw == SW_NO_KEY_2
			? _("The security module (PSAM) has no key of that version; check "
			    "psam-key-version in cardspool.conf.")
			: _("The security module (PSAM) refuses to make the keys of this card; "
			    "have an administrator check it."));
}

static int
psam_crypt(struct psam *p, uint8_t p1, const uint8_t *in, size_t len, uint8_t *out, size_t want,
	struct err *e)
{
	const uint8_t head[4] = {0x80, 0xfa, p1, 0x00};
	uint16_t sw;
	int rc = psam_run(p, head, in, len, out, want, &sw, e);

	if (rc || sw == SW_GOOD)
		return rc;
	explicit_bzero(out, want);
	return psam_fault(e, sw,
		_("The security module (PSAM) refuses to work with the key of this card; have an "
		  "administrator check it."));
}

int
psam_encipher(struct psam *p, const uint8_t *in, size_t n_blocks, uint8_t *out, struct err *e)
{
	const size_t len = n_blocks * PSAM_BLOCK;

	return psam_crypt(p, 0x00, in, len, out, len, e);
}

int
psam_mac(struct psam *p, const uint8_t initial[PSAM_BLOCK], const uint8_t *data, size_t len,
	uint8_t mac[PSAM_MAC_LEN], struct err *e)
{
	uint8_t all[PSAM_BLOCK + PSAM_DATA_MAX];

	if (len > PSAM_DATA_MAX || len % PSAM_BLOCK)
		return err_set(e, ERR_INTERNAL, "security module: MAC over %zu bytes", len);
	memcpy(all, initial, PSAM_BLOCK);
	memcpy(all + PSAM_BLOCK, data, len);
	return psam_crypt(p, 0x05, all, PSAM_BLOCK + len, mac, PSAM_MAC_LEN, e);
}

/* ---- one card ---- */

/*
 * Two factors from the whole UID, so that a module of either depth makes another key for each UID:
 *
 *   UID of 4:  uid | ~uid                and  the same
 *   UID of 7:  uid | 80                  and  its complement
 */
static int
uid_factors(uint8_t out[2 * PSAM_BLOCK], const struct chip_id *id, struct err *e)
{
	memset(out, 0, 2 * PSAM_BLOCK);
	memcpy(out, id->uid, id->uid_len <= 7 ? id->uid_len : 0);
	if (id->uid_len == 4)
		for (unsigned i = 0; i < 4; i++)
			out[4 + i] = (uint8_t)~id->uid[i];
	else if (id->uid_len == 7)
		out[7] = 0x80;
	else
		return err_set(e, ERR_INTERNAL, "security module: UID of %zu bytes", id->uid_len);
	for (unsigned i = 0; i < PSAM_BLOCK; i++)
		out[PSAM_BLOCK + i] = id->uid_len == 4 ? out[i] : (uint8_t)~out[i];
	return 0;
}

static int
card_diversify(
	struct psam *p, uint8_t usage, unsigned version, const struct chip_id *id, struct err *e)
{
	uint8_t factors[2 * PSAM_BLOCK];
	int rc = uid_factors(factors, id, e);

	if (rc == 0)
		rc = psam_diversify(p, usage, (uint8_t)(version ? version : p->setup.key_version),
			factors, 2, e);
	return rc;
}

/* Block of a sector's key: sector | A or B | "CSPOOL". Its cipher text's first 6 bytes are the key.
 */
static void
sector_block(uint8_t out[PSAM_BLOCK], unsigned sector, unsigned kind)
{
	out[0] = (uint8_t)sector;
	out[1] = kind == KEY_A ? 0x0a : 0x0b;
	memcpy(out + 2, "CSPOOL", 6);
}

int
psam_sector_keys(struct psam *p, unsigned version, const struct chip_id *id, struct chip_keys *out,
	struct err *e)
{
	uint8_t in[CHIP_SECTORS * PSAM_BLOCK], made[CHIP_SECTORS * PSAM_BLOCK];
	int rc = 0;

	for (unsigned kind = KEY_A; rc == 0 && kind <= KEY_B; kind++) {
		for (unsigned s = 0; s < CHIP_SECTORS; s++)
			sector_block(in + s * PSAM_BLOCK, s, kind);
		rc = card_diversify(p, p->setup.access_usage, version, id, e);
		if (rc == 0)
			rc = psam_encipher(p, in, CHIP_SECTORS, made, e);
		for (unsigned s = 0; rc == 0 && s < CHIP_SECTORS; s++)
			memcpy(out->key[s][kind], made + s * PSAM_BLOCK, MIFARE_KEY_LEN);
	}
	explicit_bzero(made, sizeof made);
	if (rc)
		explicit_bzero(out, sizeof *out);
	return rc;
}

int
psam_card_mac(struct psam *p, unsigned version, const struct chip_id *id,
	const uint8_t digest[HASH_LEN], struct chip_keys *out, struct err *e)
{
	uint8_t initial[PSAM_BLOCK] = {0};
	int rc = 0;

	/* A module's MAC has 4 bytes: one for each place of the chip's 32, told apart by the
	 * initial value. */
	for (unsigned i = 0; rc == 0 && i < sizeof out->mac / PSAM_MAC_LEN; i++) {
		initial[0] = (uint8_t)i;
		rc = card_diversify(p, p->setup.mac_usage, version, id, e);
		if (rc == 0)
			rc = psam_mac(p, initial, digest, HASH_LEN, out->mac + i * PSAM_MAC_LEN, e);
	}
	if (rc)
		explicit_bzero(out, sizeof *out);
	return rc;
}
