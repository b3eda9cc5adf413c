/*
 * test-psam.c - keys and MAC of a card from a security module, and its refusals.
 *
 * The release code speaks APDUs to the emulated module. The vectors were computed with the openssl
 * command (enc -des-ede3 for each block) from the formulas in doc/KEYS.md and the masters of the
 * emulated module.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/psam.h"
#include "tests/emulator/slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void *module;

static const struct psam_setup setup_good = {.application = {0xa0, 0, 0, 0, 3, 0x43, 0x53, 1},
	.application_len = 8,
	.key_version = 1,
	.access_usage = 1,
	.mac_usage = 2};

static const struct {
	const char *uid;
	size_t uid_len;
	unsigned version, sector;
	enum key_kind kind;
	const char *key;
} keys[] = {
	{"04a1b2c3", 4, 1, 0, KEY_A, "37770734bb61"},
	{"04a1b2c3", 4, 1, 7, KEY_B, "fb54b5074dfe"},
	{"04a1b2c3", 4, 1, 15, KEY_A, "28cd560fa8c7"},
	{"04a1b2c3", 4, 2, 0, KEY_A, "e5bb7fbe58fa"},
	{"04a1b2c3", 4, 2, 7, KEY_B, "8c0f30640bc5"},
	{"04112233445566", 7, 1, 0, KEY_A, "dd9fe8a0b99d"},
	{"04112233445566", 7, 1, 7, KEY_B, "a5f3528afa96"},
	{"04112233445566", 7, 2, 15, KEY_A, "b3f3e89d94d1"},
};

static const struct {
	const char *uid;
	size_t uid_len;
	unsigned version;
	const char *mac;
} macs[] = {
	{"04a1b2c3", 4, 1, "db9636649ee9bd1a9eb53a626d227acc0d20576c9c4dbeb15130fff9d684cbb7"},
	{"04a1b2c3", 4, 2, "35b38d86919aba684e4a9501759b534b1745537f6bf8126f1db6d9a0b440bbfd"},
	{"04112233445566", 7, 1,
		"d7b3028f64afb3f59334aa3e917bca4e5ea52cd6a265008a46f3e243a44dfbb7"},
};

static int
link_transmit(void *ctx, const uint8_t *apdu, size_t len, uint8_t *reply, size_t max,
	size_t *reply_len, uint16_t *sw, struct err *e)
{
	uint8_t all[APDU_MAX];
	size_t n = slot_psam.transmit(ctx, apdu, len, all, sizeof all);

	*sw = 0;
	if (n < 2 || n - 2 > max)
		return fault_set(e, n ? FAULT_GARBLED_REPLY : FAULT_CHIP_REMOVED, "test");
	if (n > 2)
		memcpy(reply, all, n - 2);
	*reply_len = n - 2;
	*sw = (uint16_t)(all[n - 2] << 8 | all[n - 1]);
	return 0;
}

static void
say(const char *line)
{
	char *said = slot_psam.control(module, line);

	assert_non_null(said);
	assert_int_equal(strncmp(said, "ok", 2), 0);
	free(said);
}

static int
attach(struct psam *p, const struct psam_setup *setup, struct err *e)
{
	const struct apdu_link link = {link_transmit, NULL, module};
	uint8_t atr[ATR_MAX];

	*e = (struct err){0};
	slot_psam.power(module, true, atr);
	return psam_attach(p, &link, setup, e);
}

static void
id_init(struct chip_id *id, const char *uid, size_t len)
{
	*id = (struct chip_id){.uid_len = len, .sak = 8};
	assert_int_equal(hex_parse(id->uid, len, uid), 0);
}

static void
test_vectors(void **state)
{
	struct chip_keys out;
	uint8_t want[HASH_LEN], digest[HASH_LEN];
	struct chip_id id;
	struct psam p;
	struct err e;

	(void)state;
	for (unsigned i = 0; i < HASH_LEN; i++)
		digest[i] = (uint8_t)i;
	assert_int_equal(attach(&p, &setup_good, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		id_init(&id, keys[i].uid, keys[i].uid_len);
		assert_int_equal(psam_sector_keys(&p, keys[i].version, &id, &out, &e), 0);
		assert_int_equal(hex_parse(want, MIFARE_KEY_LEN, keys[i].key), 0);
		assert_memory_equal(out.key[keys[i].sector][keys[i].kind], want, MIFARE_KEY_LEN);
	}
	for (size_t i = 0; i < ARRAY_LEN(macs); i++) {
		id_init(&id, macs[i].uid, macs[i].uid_len);
		assert_int_equal(psam_card_mac(&p, macs[i].version, &id, digest, &out, &e), 0);
		assert_int_equal(hex_parse(want, HASH_LEN, macs[i].mac), 0);
		assert_memory_equal(out.mac, want, HASH_LEN);
	}
	/* version 0 is the one of the settings */
	id_init(&id, "04a1b2c3", 4);
	assert_int_equal(psam_sector_keys(&p, 0, &id, &out, &e), 0);
	assert_int_equal(hex_parse(want, MIFARE_KEY_LEN, keys[0].key), 0);
	assert_memory_equal(out.key[0][KEY_A], want, MIFARE_KEY_LEN);
	const uint8_t *all = &out.key[0][0][0];
	for (unsigned a = 0; a < 2 * CHIP_SECTORS; a++)
		for (unsigned b = a + 1; b < 2 * CHIP_SECTORS; b++)
			assert_memory_not_equal(
				all + a * MIFARE_KEY_LEN, all + b * MIFARE_KEY_LEN, MIFARE_KEY_LEN);
}

/* A session key serves one MAC, and none is there before a diversification. */
static void
test_used_up(void **state)
{
	static const uint8_t block[PSAM_BLOCK] = {1, 2, 3};
	uint8_t out[PSAM_BLOCK], mac[PSAM_MAC_LEN];
	struct psam p;
	struct err e;

	(void)state;
	assert_int_equal(attach(&p, &setup_good, &e), 0);
	assert_int_equal(psam_encipher(&p, block, 1, out, &e), ERR_FAULT);
	assert_non_null(strstr(e.raw, "6985"));
	assert_int_equal(psam_diversify(&p, 1, 1, block, 1, &e), 0);
	assert_int_equal(psam_mac(&p, block, block, PSAM_BLOCK, mac, &e), 0);
	assert_int_equal(psam_mac(&p, block, block, PSAM_BLOCK, mac, &e), ERR_FAULT);
	assert_int_equal(psam_mac(&p, block, block, 7, mac, &e), ERR_INTERNAL);
	assert_int_equal(psam_mac(&p, block, block, 248, mac, &e), ERR_INTERNAL);
}

/* At every APDU of a card: refused or pulled out, the answer is FAULT_KEYS and the keys are zero.
 */
static void
test_refusals(void **state)
{
	static const struct chip_keys zero;
	static const char *const ways[] = {
		"refuse %u 6985", "refuse %u 6982", "refuse %u 9000", "leave %u"};
	struct chip_keys out;
	struct chip_id id;
	struct psam p;
	struct err e;
	char line[32];

	(void)state;
	id_init(&id, "04a1b2c3", 4);
	for (size_t f = 0; f < ARRAY_LEN(ways); f++)
		for (unsigned n = 1; n <= 21; n++) {
			say("back");
			snprintf(line, sizeof line, ways[f], n);
			say(line);
			int rc = attach(&p, &setup_good, &e);
			memset(&out, 0, sizeof out);
			if (rc == 0)
				rc = psam_sector_keys(&p, 0, &id, &out, &e);
			if (rc == 0)
				rc = psam_card_mac(&p, 0, &id, out.mac, &out, &e);
			assert_int_equal(rc, ERR_FAULT);
			assert_int_equal(e.fault, FAULT_KEYS);
			assert_non_null(strstr(e.text, "PSAM"));
			assert_memory_equal(&out, &zero, sizeof out);
		}
	say("back");
}

static void
test_wrong_module(void **state)
{
	struct psam_setup setup = setup_good;
	struct chip_keys out;
	struct chip_id id;
	struct psam p;
	struct err e;

	(void)state;
	setup.application[7] = 2;
	assert_int_equal(attach(&p, &setup, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_KEYS);
	assert_non_null(strstr(e.text, "psam-application"));
	setup = setup_good;
	setup.key_version = 9;
	id_init(&id, "04a1b2c3", 4);
	assert_int_equal(attach(&p, &setup, &e), 0);
	assert_int_equal(psam_sector_keys(&p, 0, &id, &out, &e), ERR_FAULT);
	assert_non_null(strstr(e.text, "psam-key-version"));
	id.uid_len = 10;
	assert_int_equal(psam_sector_keys(&p, 1, &id, &out, &e), ERR_INTERNAL);
}

/* Any answer of any length: refused or taken, never more than asked. */
static int
noise_transmit(void *ctx, const uint8_t *apdu, size_t len, uint8_t *reply, size_t max,
	size_t *reply_len, uint16_t *sw, struct err *e)
{
	static const uint16_t words[] = {0x9000, 0x9000, 0x6985, 0x9403, 0x6100, 0};
	unsigned *seed = ctx;

	(void)apdu;
	(void)len;
	(void)e;
	*seed = *seed * 1103515245 + 12345;
	*reply_len = (*seed >> 16) % 4 ? max : (*seed >> 8) % (max + 1);
	*sw = words[(*seed >> 20) % ARRAY_LEN(words)];
	for (size_t i = 0; i < *reply_len; i++)
		reply[i] = (uint8_t)(*seed >> (i % 24));
	return 0;
}

static void
test_noise(void **state)
{
	unsigned seed = 7, good = 0;
	const struct apdu_link link = {noise_transmit, NULL, &seed};
	static const struct chip_keys zero;
	struct chip_keys out;
	struct chip_id id;
	struct psam p;
	struct err e;

	(void)state;
	id_init(&id, "04a1b2c3", 4);
	for (unsigned i = 0; i < 20000; i++) {
		e = (struct err){0};
		memset(&out, 0, sizeof out);
		if (psam_attach(&p, &link, &setup_good, &e) == 0 &&
			psam_sector_keys(&p, 0, &id, &out, &e) == 0) {
			good++;
			continue;
		}
		assert_int_equal(e.fault, FAULT_KEYS);
		assert_memory_equal(&out, &zero, sizeof out);
	}
	assert_true(good > 0 && good < 10000);
}

static int
setup(void **state)
{
	(void)state;
	module = slot_psam_create();
	return module ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	slot_psam.destroy(module);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_used_up),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_wrong_module),
		cmocka_unit_test(test_noise),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
