/*
 * diversify.c - the keys and the MAC of one card from the master keys.
 *
 * Owns the derivation that doc/KEYS.md lays open: NXP AN10922 for AES-128, its inputs, and the MAC
 * over a card's data. Pure: bytes in, bytes out, no file. On failure the output is zero, never half
 * a key set.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/keys.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

/*
 * Input M of AN10922 (19 to 25 bytes):
 *
 *  | UID 4, 7 or 10 | sector 1 | purpose 1 | system 13 |
 */
enum {
	purpose_key_a = 0x0a,
	purpose_key_b = 0x0b,
	purpose_mac = 0x0c,
	purpose_code = 0x0d,
	no_sector = 0xff
};
enum { input_min = 16, input_max = 31, system_len = 13 };

static const char system_id[system_len + 1] = "CARDSPOOL-MF1";
static const char logic_id[system_len + 1] = "CARDSPOOL-SLE"; /* memory cards: serial for UID */

/* One MAC over pieces; name "CMAC" with AES-128-CBC or "HMAC" with SHA256. */
struct piece {
	const void *bytes;
	size_t len;
};

static int
mac_compute(uint8_t *out, size_t out_len, const char *name, const uint8_t key[MASTER_KEY_LEN],
	const struct piece *pieces, size_t n_pieces, struct err *e)
{
	bool cmac = strcmp(name, "CMAC") == 0;
	char what[16];
	size_t len = 0;
	EVP_MAC *mac = EVP_MAC_fetch(NULL, name, NULL);
	EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;

	memcpy(what, cmac ? "AES-128-CBC" : "SHA256", cmac ? 12 : 7);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(
			cmac ? OSSL_MAC_PARAM_CIPHER : OSSL_MAC_PARAM_DIGEST, what, 0),
		OSSL_PARAM_construct_end(),
	};
	bool ok = ctx && EVP_MAC_init(ctx, key, MASTER_KEY_LEN, params) == 1;
	for (size_t i = 0; ok && i < n_pieces; i++)
		ok = EVP_MAC_update(ctx, pieces[i].bytes, pieces[i].len) == 1;
	ok = ok && EVP_MAC_final(ctx, out, &len, out_len) == 1 && len == out_len;
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	if (ok)
		return 0;
	explicit_bzero(out, out_len);
	return err_set(e, ERR_INTERNAL, _("The cryptographic library cannot compute a %s."), name);
}

int
diversify_key(uint8_t out[MASTER_KEY_LEN], const uint8_t master[MASTER_KEY_LEN],
	const uint8_t *input, size_t len, struct err *e)
{
	static const uint8_t constant = 0x01;
	const struct piece pieces[] = {{&constant, 1}, {input, len}};

	if (len < input_min || len > input_max)
		return err_set(e, ERR_INTERNAL, "diversification input of %zu bytes", len);
	return mac_compute(out, MASTER_KEY_LEN, "CMAC", master, pieces, ARRAY_LEN(pieces), e);
}

int
diversify_check(uint8_t out[KEY_CHECK_LEN], const uint8_t key[MASTER_KEY_LEN], struct err *e)
{
	static const uint8_t zero[MASTER_KEY_LEN];
	const struct piece piece = {zero, sizeof zero};
	uint8_t full[MASTER_KEY_LEN];
	int rc = mac_compute(full, sizeof full, "CMAC", key, &piece, 1, e);

	memcpy(out, full, KEY_CHECK_LEN);
	return rc;
}

static int
card_key(uint8_t out[MASTER_KEY_LEN], const uint8_t master[MASTER_KEY_LEN],
	const struct chip_id *id, uint8_t sector, uint8_t purpose, struct err *e)
{
	uint8_t input[sizeof id->uid + 2 + system_len];
	size_t n = id->uid_len;

	memcpy(input, id->uid, n);
	input[n++] = sector;
	input[n++] = purpose;
	memcpy(input + n, system_id, system_len);
	return diversify_key(out, master, input, n + system_len, e);
}

int
diversify_mac_key(uint8_t out[MASTER_KEY_LEN], const struct master_keys *m,
	const struct chip_id *id, struct err *e)
{
	return card_key(out, m->mac, id, no_sector, purpose_mac, e);
}

/* HMAC-SHA-256 under the card's MAC key over the UID and the data blocks in ascending order. */
static int
card_mac(uint8_t out[HASH_LEN], const struct master_keys *m, const struct chip_id *id,
	const struct chip_image *image, struct err *e)
{
	struct piece pieces[1 + CHIP_BLOCKS] = {{id->uid, id->uid_len}};
	size_t n = 1;
	uint8_t key[MASTER_KEY_LEN];

	for (unsigned block = 0; block < CHIP_BLOCKS; block++)
		if (image->data >> block & 1u)
			pieces[n++] = (struct piece){image->block[block], CHIP_BLOCK_LEN};
	int rc = diversify_mac_key(key, m, id, e);
	if (rc == 0)
		rc = mac_compute(out, HASH_LEN, "HMAC", key, pieces, n, e);
	explicit_bzero(key, sizeof key);
	return rc;
}

int
diversify_card(struct chip_keys *out, const struct master_keys *m, const struct chip_id *id,
	const struct chip_image *image, struct err *e)
{
	static const uint8_t purposes[] = {[KEY_A] = purpose_key_a, [KEY_B] = purpose_key_b};
	uint8_t key[MASTER_KEY_LEN];
	int rc = 0;

	_Static_assert(sizeof out->mac == HASH_LEN, "the MAC fills two blocks");
	if (id->uid_len != 4 && id->uid_len != 7 && id->uid_len != 10)
		return err_set(e, ERR_INTERNAL, "UID of %zu bytes", id->uid_len);
	for (unsigned sector = 0; rc == 0 && sector < CHIP_SECTORS; sector++)
		for (unsigned kind = KEY_A; rc == 0 && kind <= KEY_B; kind++) {
			rc = card_key(key, m->access, id, (uint8_t)sector, purposes[kind], e);
			if (rc == 0)
				memcpy(out->key[sector][kind], key, MIFARE_KEY_LEN);
		}
	if (rc == 0)
		rc = card_mac(out->mac, m, id, image, e);
	explicit_bzero(key, sizeof key);
	if (rc)
		explicit_bzero(out, sizeof *out);
	return rc;
}

int
diversify_digest(uint8_t out[HASH_LEN], const struct chip_id *id, const struct chip_image *image,
	struct err *e)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
		  EVP_DigestUpdate(ctx, id->uid, id->uid_len) == 1;

	for (unsigned block = 0; ok && block < CHIP_BLOCKS; block++)
		if (image->data >> block & 1u)
			ok = EVP_DigestUpdate(ctx, image->block[block], CHIP_BLOCK_LEN) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok ? 0
		  : err_set(e, ERR_INTERNAL, _("The cryptographic library cannot compute a %s."),
			    "SHA-256");
}

static int
logic_key(uint8_t out[MASTER_KEY_LEN], const uint8_t master[MASTER_KEY_LEN],
	const uint8_t serial[LOGIC_SERIAL_LEN], uint8_t purpose, struct err *e)
{
	uint8_t input[LOGIC_SERIAL_LEN + 2 + system_len];

	memcpy(input, serial, LOGIC_SERIAL_LEN);
	input[LOGIC_SERIAL_LEN] = no_sector;
	input[LOGIC_SERIAL_LEN + 1] = purpose;
	memcpy(input + LOGIC_SERIAL_LEN + 2, logic_id, system_len);
	return diversify_key(out, master, input, sizeof input, e);
}

int
diversify_logic(struct logic_keys *out, const struct master_keys *m,
	const uint8_t serial[LOGIC_SERIAL_LEN], const uint8_t *data, struct err *e)
{
	static const uint8_t transport[SLE4442_PSC_LEN] = {0xff, 0xff, 0xff};
	const uint8_t version = (uint8_t)m->version;
	uint8_t key[MASTER_KEY_LEN], full[HASH_LEN];
	const struct piece pieces[] = {
		{serial, LOGIC_SERIAL_LEN}, {&version, 1}, {data, LOGIC_DATA_LEN}};

	*out = (struct logic_keys){.key_version = version};
	int rc = logic_key(key, m->access, serial, purpose_code, e);
	/* One code in 16 million is the transport code: the next three bytes then. */
	if (rc == 0)
		memcpy(out->psc,
			key + (memcmp(key, transport, sizeof transport) ? 0 : SLE4442_PSC_LEN),
			SLE4442_PSC_LEN);
	if (rc == 0 && data) {
		rc = logic_key(key, m->mac, serial, purpose_mac, e);
		if (rc == 0)
			rc = mac_compute(
				full, sizeof full, "HMAC", key, pieces, ARRAY_LEN(pieces), e);
		if (rc == 0)
			memcpy(out->mac, full, LOGIC_MAC_LEN);
	}
	explicit_bzero(key, sizeof key);
	if (rc)
		explicit_bzero(out, sizeof *out);
	return rc;
}

int
diversify_self_test(struct err *e)
{
	/* The example of AN10922, section 2.2. */
	static const uint8_t master[MASTER_KEY_LEN] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66,
		0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
	static const uint8_t input[] = {0x04, 0x78, 0x2e, 0x21, 0x80, 0x1d, 0x80, 0x30, 0x42, 0xf5,
		0x4e, 0x58, 0x50, 0x20, 0x41, 0x62, 0x75};
	static const uint8_t expected[MASTER_KEY_LEN] = {0xa8, 0xdd, 0x63, 0xa3, 0xb8, 0x9d, 0x54,
		0xb3, 0x7c, 0xa8, 0x02, 0x47, 0x3f, 0xda, 0x91, 0x75};
	uint8_t out[MASTER_KEY_LEN];
	int rc = diversify_key(out, master, input, sizeof input, e);

	if (rc == 0 && memcmp(out, expected, sizeof out) != 0)
		rc = err_set(e, ERR_INTERNAL, _("The cryptographic library computes wrong keys."));
	return rc;
}
