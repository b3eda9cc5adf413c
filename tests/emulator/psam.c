/*
 * psam.c - a security module (PSAM) as a card in a PC/SC reader.
 *
 * Owns its masters, of two usages and two versions, and the session key. Written from the reference
 * alone, chapter on keys: 00 A4 select, 00 84 challenge, 80 1A diversify (a step of two-key 3DES
 * for every 8 bytes: left = 3DES(K, X), right = 3DES(K, ~X)), 80 FA encipher or MAC (ISO 9797-1
 * algorithm 3, no padding, 4 bytes), after which the session key is used up.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/slot.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY = 16, BLOCK = 8, VERSIONS = 2, USAGES = 2, NAME_MAX_LEN = 16 };
enum { SW_OK = 0x9000, SW_LENGTH = 0x6700, SW_CONDITIONS = 0x6985, SW_PARAMETER = 0x6a86 };
enum { SW_NOT_FOUND = 0x6a82, SW_NO_KEY = 0x9403, SW_INSTRUCTION = 0x6d00, SW_CLASS = 0x6e00 };

struct psam_card {
	bool powered, selected, ready, away;
	uint8_t session[KEY];
	uint8_t name[NAME_MAX_LEN];
	size_t name_len;
	uint8_t usage[USAGES], version[VERSIONS];
	uint8_t master[USAGES][VERSIONS][KEY];
	unsigned apdus, refuse_from,
		leave_at; /* leave_at: pulled out before the N-th APDU from now */
	uint16_t refuse_with;
};

static const uint8_t atr_shown[] = {
	0x3b, 0x68, 0x00, 0x00, 0x50, 0x53, 0x41, 0x4d, 0x45, 0x4d, 0x55, 0x31};

void *
slot_psam_create(void)
{
	static const uint8_t name[] = {0xa0, 0x00, 0x00, 0x00, 0x03, 0x43, 0x53, 0x01};
	struct psam_card *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	memcpy(c->name, name, sizeof(name));
	c->name_len = sizeof(name);
	for (unsigned u = 0; u < USAGES; u++) {
		c->usage[u] = (uint8_t)(u + 1);
		for (unsigned v = 0; v < VERSIONS; v++) {
			c->version[v] = (uint8_t)(v + 1);
			for (unsigned i = 0; i < KEY; i++)
				c->master[u][v][i] = (uint8_t)(0x11 * i + 0x40 * u + 0x21 * v + 1);
		}
	}
	return c;
}

/* One block of two-key 3DES; single DES when both halves of the key are the same. */
static void
des_block(const uint8_t key[KEY], bool encrypt, const uint8_t in[BLOCK], uint8_t out[BLOCK])
{
	uint8_t full[KEY + BLOCK], both[2 * BLOCK];
	int n = 0;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	memcpy(full, key, KEY);
	memcpy(full + KEY, key, BLOCK);
	if (!ctx || EVP_CipherInit_ex(ctx, EVP_des_ede3_ecb(), NULL, full, NULL, encrypt) != 1 ||
		EVP_CIPHER_CTX_set_padding(ctx, 0) != 1 ||
		EVP_CipherUpdate(ctx, both, &n, in, BLOCK) != 1 || n != BLOCK)
		abort();
	memcpy(out, both, BLOCK);
	EVP_CIPHER_CTX_free(ctx);
}

static void
key_derive(uint8_t key[KEY], const uint8_t factor[BLOCK])
{
	uint8_t turned[BLOCK], made[KEY];

	for (unsigned i = 0; i < BLOCK; i++)
		turned[i] = (uint8_t)~factor[i];
	des_block(key, true, factor, made);
	des_block(key, true, turned, made + BLOCK);
	memcpy(key, made, KEY);
}

/* Single DES with the left half through all blocks, the last one again with the right and left. */
static void
mac_make(const uint8_t key[KEY], const uint8_t *in, size_t len, uint8_t out[BLOCK])
{
	uint8_t left[KEY], right[KEY];

	memcpy(left, key, BLOCK);
	memcpy(left + BLOCK, key, BLOCK);
	memcpy(right, key + BLOCK, BLOCK);
	memcpy(right + BLOCK, key + BLOCK, BLOCK);
	memcpy(out, in, BLOCK);
	for (size_t at = BLOCK; at < len; at += BLOCK) {
		for (unsigned i = 0; i < BLOCK; i++)
			out[i] ^= in[at + i];
		des_block(left, true, out, out);
	}
	des_block(right, false, out, out);
	des_block(left, true, out, out);
}

static size_t
answer(uint8_t *reply, size_t n, uint16_t sw)
{
	reply[n] = (uint8_t)(sw >> 8);
	reply[n + 1] = (uint8_t)sw;
	return n + 2;
}

static size_t
application_select(struct psam_card *c, const uint8_t *a, uint8_t *reply)
{
	c->ready = false;
	c->selected = a[4] == c->name_len && !memcmp(a + 5, c->name, c->name_len);
	return answer(reply, 0, c->selected ? SW_OK : SW_NOT_FOUND);
}

static size_t
session_make(struct psam_card *c, const uint8_t *a, uint8_t *reply)
{
	unsigned u = 0, v = 0;

	if (!c->selected)
		return answer(reply, 0, SW_CONDITIONS);
	if (a[4] == 0 || a[4] % BLOCK)
		return answer(reply, 0, SW_LENGTH);
	while (u < USAGES && c->usage[u] != a[2])
		u++;
	while (v < VERSIONS && c->version[v] != a[3])
		v++;
	if (u == USAGES || v == VERSIONS)
		return answer(reply, 0, SW_NO_KEY);
	memcpy(c->session, c->master[u][v], KEY);
	for (unsigned at = 0; at < a[4]; at += BLOCK)
		key_derive(c->session, a + 5 + at);
	c->ready = true;
	return answer(reply, 0, SW_OK);
}

static size_t
session_use(struct psam_card *c, const uint8_t *a, uint8_t *reply)
{
	uint8_t mac[BLOCK];

	if (!c->selected || !c->ready)
		return answer(reply, 0, SW_CONDITIONS);
	if (a[4] == 0 || a[4] % BLOCK || (a[2] == 0x05 && a[4] < 2 * BLOCK))
		return answer(reply, 0, SW_LENGTH);
	if (a[2] == 0x00) {
		for (unsigned at = 0; at < a[4]; at += BLOCK)
			des_block(c->session, true, a + 5 + at, reply + at);
		return answer(reply, a[4], SW_OK);
	}
	if (a[2] != 0x05)
		return answer(reply, 0, SW_PARAMETER);
	mac_make(c->session, a + 5, a[4], mac);
	memcpy(reply, mac, 4);
	c->ready = false;
	memset(c->session, 0, KEY);
	return answer(reply, 4, SW_OK);
}

static size_t
challenge_give(const uint8_t *a, uint8_t *reply)
{
	for (unsigned i = 0; i < a[4]; i++)
		reply[i] = (uint8_t)random();
	return answer(reply, a[4], SW_OK);
}

static size_t
psam_transmit(void *card, const uint8_t *a, size_t len, uint8_t *reply, size_t max)
{
	struct psam_card *c = card;

	c->apdus++;
	if (c->leave_at && --c->leave_at == 0)
		c->away = true;
	if (c->away || !c->powered || max < 260)
		return 0;
	if (len < 5)
		return answer(reply, 0, SW_LENGTH);
	if (c->refuse_from && --c->refuse_from == 0) {
		c->refuse_from = 1;
		return answer(reply, 0, c->refuse_with);
	}
	if (a[1] == 0x84 && a[0] == 0x00)
		return challenge_give(a, reply);
	if (len != 5u + a[4])
		return answer(reply, 0, SW_LENGTH);
	if (a[0] == 0x00 && a[1] == 0xa4)
		return application_select(c, a, reply);
	if (a[0] == 0x80 && a[1] == 0x1a)
		return session_make(c, a, reply);
	if (a[0] == 0x80 && a[1] == 0xfa)
		return session_use(c, a, reply);
	return answer(reply, 0, a[0] == 0x00 || a[0] == 0x80 ? SW_INSTRUCTION : SW_CLASS);
}

static size_t
psam_look(void *card, uint8_t atr[ATR_MAX])
{
	const struct psam_card *c = card;

	memcpy(atr, atr_shown, sizeof(atr_shown));
	return c->away ? 0 : sizeof(atr_shown);
}

static size_t
psam_power(void *card, bool on, uint8_t atr[ATR_MAX])
{
	struct psam_card *c = card;

	c->selected = c->ready = false;
	memset(c->session, 0, KEY);
	c->powered = on && !c->away;
	return on ? psam_look(card, atr) : 0;
}

/*
 * refuse N SW   from the N-th APDU on every answer is SW
 * leave N       the module is pulled out before the N-th APDU from now
 * versions A B  numbers of the two key versions
 * apdus         how many so far
 * back          ends all of these
 */
static char *
psam_control(void *card, const char *line)
{
	struct psam_card *c = card;
	unsigned n, sw;
	char *said = NULL;

	if (!strcmp(line, "apdus")) {
		return asprintf(&said, "ok %u", c->apdus) < 0 ? NULL : said;
	} else if (sscanf(line, "refuse %u %4x", &n, &sw) == 2) {
		c->refuse_from = n;
		c->refuse_with = (uint16_t)sw;
	} else if (sscanf(line, "leave %u", &n) == 1) {
		c->leave_at = n;
	} else if (sscanf(line, "versions %u %u", &n, &sw) == 2) {
		c->version[0] = (uint8_t)n;
		c->version[1] = (uint8_t)sw;
	} else if (!strcmp(line, "back")) {
		c->refuse_from = c->leave_at = 0;
		c->away = false;
		c->version[0] = 1;
		c->version[1] = 2;
	} else {
		return strdup("error: no such word for a PSAM");
	}
	return strdup("ok");
}

const struct slot_ops slot_psam = {
	"psam", psam_power, psam_look, psam_transmit, psam_control, free};
