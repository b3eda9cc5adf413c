/*
 * chip-journal.c - blocks on their way to a card, sealed for the ledger.
 *
 * A change that is interrupted can destroy the rest of a block, which only this journal still
 * holds. The ledger may hold nothing personal in clear, so the blocks are sealed with a key made
 * of the card's own sixteen keys B: who can write the card can read its journal, nobody else.
 *
 *   | nonce 12 | AES-256-GCM of ( block number 1 | content 16 ) ... | tag 16 |
 *   key = SHA-256("cardspool chip journal 1" | key B of sector 0 ... 15); bound to the UID's text
 *
 * Guarantees: what opens is whole and belongs to this card. On failure the image is unchanged.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/chip-desk.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

enum { NONCE = 12, TAG = 16, ENTRY = 1 + CHIP_BLOCK_LEN, PLAIN_MAX = ENTRY * CHIP_BLOCKS };

static void
journal_key(uint8_t out[HASH_LEN], const struct chip_keys *keys)
{
	static const char label[] = "cardspool chip journal 1";
	uint8_t bytes[sizeof label - 1 + CHIP_SECTORS * MIFARE_KEY_LEN];
	size_t n = sizeof label - 1;

	memcpy(bytes, label, n);
	for (unsigned i = 0; i < CHIP_SECTORS; i++, n += MIFARE_KEY_LEN)
		memcpy(bytes + n, keys->key[i][KEY_B], MIFARE_KEY_LEN);
	hash_bytes(out, bytes, n);
	explicit_bzero(bytes, sizeof bytes);
}

/* bytes: nonce, text, room for the tag. seal: encrypts text and writes the tag; else the way back.
 */
static bool
cipher_run(uint8_t *bytes, size_t len, const struct chip_keys *keys, const char *uid, bool seal)
{
	uint8_t key[HASH_LEN], *text = bytes + NONCE, *tag = text + len;
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n;

	journal_key(key, keys);
	bool ok = c && EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, bytes, seal) == 1 &&
		  EVP_CipherUpdate(c, NULL, &n, (const uint8_t *)uid, (int)strlen(uid)) == 1 &&
		  EVP_CipherUpdate(c, text, &n, text, (int)len) == 1;
	if (ok && !seal)
		ok = EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1;
	ok = ok && EVP_CipherFinal_ex(c, text + n, &n) == 1;
	if (ok && seal)
		ok = EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG, tag) == 1;
	EVP_CIPHER_CTX_free(c);
	explicit_bzero(key, sizeof key);
	return ok;
}

int
journal_seal(char **out, const struct chip_keys *keys, const char *uid,
	const struct chip_image *image, uint64_t blocks, struct err *e)
{
	uint8_t bytes[NONCE + PLAIN_MAX + TAG];
	size_t len = 0;
	int rc = 0;

	for (unsigned b = 0; b < CHIP_BLOCKS; b++) {
		if (!(blocks >> b & 1u))
			continue;
		bytes[NONCE + len] = (uint8_t)b;
		memcpy(bytes + NONCE + len + 1, image->block[b], CHIP_BLOCK_LEN);
		len += ENTRY;
	}
	*out = malloc(2 * sizeof bytes + 1);
	if (!*out || RAND_bytes(bytes, NONCE) != 1 || !cipher_run(bytes, len, keys, uid, true))
		rc = err_set(e, ERR_SYSTEM,
			_("The change cannot be noted: no memory or no random "
			  "numbers."));
	else
		hex_build(*out, bytes, NONCE + len + TAG);
	explicit_bzero(bytes, sizeof bytes);
	return rc;
}

int
journal_open(struct chip_image *image, const struct chip_keys *keys, const char *uid,
	const char *sealed, struct err *e)
{
	uint8_t bytes[NONCE + PLAIN_MAX + TAG];
	size_t len = sealed ? strlen(sealed) / 2 : 0;
	bool ok = len >= NONCE + TAG + ENTRY && len <= sizeof bytes &&
		  (len - NONCE - TAG) % ENTRY == 0 && hex_parse(bytes, len, sealed) == 0;

	len -= ok ? NONCE + TAG : 0;
	ok = ok && cipher_run(bytes, len, keys, uid, false);
	for (size_t at = 0; ok && at < len; at += ENTRY)
		ok = bytes[NONCE + at] < CHIP_BLOCKS && (image->data >> bytes[NONCE + at] & 1u);
	for (size_t at = 0; ok && at < len; at += ENTRY)
		memcpy(image->block[bytes[NONCE + at]], bytes + NONCE + at + 1, CHIP_BLOCK_LEN);
	explicit_bzero(bytes, sizeof bytes);
	if (ok)
		return 0;
	return err_set(e, ERR_INPUT,
		_("chip %s: the note of the interrupted change does not open with the keys of this "
		  "card."),
		uid);
}
