/*
 * test-station-pcsc.c - what a PC/SC station sends, byte for byte, and what it makes of any answer.
 *
 * The calls of drivers/pcsc.h are this file's own here: they record APDUs and answer from a table,
 * or with noise. The expected bytes are those of PC/SC part 3, written by hand.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/pcsc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>

struct pcsc {
	char name[PCSC_NAME_MAX];
	bool present, connected;
	uint8_t atr[PCSC_ATR_MAX];
	size_t atr_len;
	uint8_t uid[10];
	size_t uid_len;
	uint16_t refuse;   /* status word of the next authentication or write, 0: good */
	char sent[64][64]; /* APDUs as hexadecimal text */
	unsigned n_sent, cycles;
	unsigned noise; /* seed; 0: answers as a reader does */
};

static struct pcsc reader;
static const uint8_t atr_1k[] = {0x3b, 0x8f, 0x80, 0x01, 0x80, 0x4f, 0x0c, 0xa0, 0x00, 0x00, 0x03,
	0x06, 0x03, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x6a};

static unsigned
noise_next(void)
{
	reader.noise = reader.noise * 1103515245u + 12345u;
	return reader.noise >> 8 & 0xffffu;
}

int
pcsc_open(struct pcsc **out, const char *name, struct err *e)
{
	(void)e;
	snprintf(reader.name, sizeof reader.name, "%s 00 00", name);
	*out = &reader;
	return 0;
}

void
pcsc_close(struct pcsc *p)
{
	if (p)
		p->connected = false;
}

const char *
pcsc_name(const struct pcsc *p)
{
	return p->name;
}

int
pcsc_connect(struct pcsc *p, bool *present, struct err *e)
{
	(void)e;
	p->connected = *present = p->present;
	return 0;
}

int
pcsc_power_cycle(struct pcsc *p, struct err *e)
{
	p->cycles++;
	p->connected = p->present;
	return p->present ? 0 : fault_set(e, FAULT_CHIP_REMOVED, NULL);
}

const uint8_t *
pcsc_atr(const struct pcsc *p, size_t *len)
{
	*len = p->atr_len;
	return p->atr;
}

int
pcsc_transmit(struct pcsc *p, const uint8_t *apdu, size_t len, uint8_t *reply, size_t max,
	size_t *reply_len, uint16_t *sw, struct err *e)
{
	*reply_len = 0;
	*sw = 0x9000;
	assert_true(len < 32);
	if (p->n_sent < ARRAY_LEN(p->sent))
		hex_build(p->sent[p->n_sent++], apdu, len);
	if (p->noise) {
		*reply_len = noise_next() % (max + 1);
		for (size_t i = 0; i < *reply_len; i++)
			reply[i] = (uint8_t)noise_next();
		*sw = noise_next() % 3 ? 0x9000 : (uint16_t)noise_next();
		return noise_next() % 7 ? 0 : fault_set(e, FAULT_CHIP_REMOVED, NULL);
	}
	if (apdu[1] == 0xca) {
		memcpy(reply, p->uid, p->uid_len);
		*reply_len = p->uid_len;
	} else if (apdu[1] == 0xb0) {
		memset(reply, 0x5a, 16);
		*reply_len = 16;
	} else if (p->refuse && apdu[1] != 0x82) {
		*sw = p->refuse;
		p->refuse = 0;
	}
	return 0;
}

static struct station *
station_begin(const char *name, size_t uid_len)
{
	extern const struct station_driver station_pcsc;
	struct station *s = NULL;
	struct err e = {0};

	reader = (struct pcsc){.present = true, .atr_len = sizeof atr_1k, .uid_len = uid_len};
	memcpy(reader.atr, atr_1k, sizeof atr_1k);
	memcpy(reader.uid, "\x04\xa1\xb2\xc3\xd4\xe5\xf6", 7);
	assert_int_equal(station_pcsc.open(&s, name, &e), 0);
	return s;
}

static void
expect_sent(const char *const *apdus, size_t n)
{
	assert_int_equal(reader.n_sent, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(strcasecmp(reader.sent[i], apdus[i]), 0);
	reader.n_sent = 0;
}

static void
test_types(void **state)
{
	static const struct {
		uint8_t name[2];
		size_t uid_len;
		uint8_t atqa, sak;
	} rows[] = {
		{{0x00, 0x01}, 4, 0x04, 0x08},
		{{0x00, 0x01}, 7, 0x44, 0x08},
		{{0x00, 0x02}, 4, 0x02, 0x18},
		{{0x00, 0x03}, 7, 0x44, 0x00},
		{{0x00, 0x26}, 4, 0x04, 0x09},
		{{0xff, 0x01}, 4, 0x00, 0x20},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct station *s = station_begin("SpringCard H663", rows[i].uid_len);
		struct chip_id id;
		struct err e = {0};
		memcpy(reader.atr + 13, rows[i].name, 2);
		assert_int_equal(s->driver->select(s, NULL, &id, &e), 0);
		assert_int_equal(id.uid_len, rows[i].uid_len);
		assert_int_equal(id.atqa[1], rows[i].atqa);
		assert_int_equal(id.sak, rows[i].sak);
		s->driver->close(s);
	}
}

static void
test_bytes(void **state)
{
	static const uint8_t key[] = {1, 2, 3, 4, 5, 6}, block[16] = {0xd0};
	static const char *const omnikey[] = {"FFCA000000", "FF82200006010203040506",
		"FF860000050100076000", "FFB0000510", "FFD6000610D0000000000000000000000000000000",
		"FF860000050100076100"};
	static const char *const after[] = {"FF860000050100076000", "FFCA000000",
		"FF82200006010203040506", "FF860000050100076000"};
	static const char *const end[] = {"FF82200006FFFFFFFFFFFF"};
	struct station *s = station_begin("HID Global OMNIKEY 5022", 4);
	struct chip_id id;
	struct err e = {0};
	uint8_t seen[16];

	(void)state;
	assert_int_equal(s->driver->select(s, NULL, &id, &e), 0);
	assert_int_equal(s->driver->authenticate(s, &id, 7, KEY_A, key, &e), 0);
	assert_int_equal(s->driver->read(s, 5, seen, &e), 0);
	assert_int_equal(seen[15], 0x5a);
	assert_int_equal(s->driver->write(s, 6, block, &e), 0);
	/* the key is in the reader already */
	assert_int_equal(s->driver->authenticate(s, &id, 7, KEY_B, key, &e), 0);
	expect_sent(omnikey, ARRAY_LEN(omnikey));
	/* after a failure it is loaded anew, and the card loses its power before it is selected */
	reader.refuse = 0x6982;
	assert_int_equal(s->driver->authenticate(s, &id, 7, KEY_A, key, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_CHIP_USED);
	assert_null(strstr(e.raw, "010203"));
	assert_int_equal(s->driver->select(s, &id, &id, &e), 0);
	assert_int_equal(reader.cycles, 1);
	assert_int_equal(s->driver->authenticate(s, &id, 7, KEY_A, key, &e), 0);
	expect_sent(after, ARRAY_LEN(after));
	s->driver->close(s);
	expect_sent(end, 1);
}

/* What reads, proves or changes a chip leaves no key of it in the reader. */
static void
test_forget(void **state)
{
	static const char key[] = "FF82000006010203040506", none[] = "FF82000006FFFFFFFFFFFF";
	struct chip_keys keys;
	struct chip_image image;
	struct err e = {0};
	struct station *s = station_begin("SpringCard H663", 4);
	struct chip_id id;

	(void)state;
	for (unsigned i = 0; i < 2 * CHIP_SECTORS; i++)
		memcpy(keys.key[i / 2][i % 2], "\1\2\3\4\5\6", MIFARE_KEY_LEN);
	assert_int_equal(s->driver->select(s, NULL, &id, &e), 0);
	assert_int_equal(chip_read(s, &id, &keys, 1u << 4 | 1u << 9, &image, &e), 0);
	assert_int_equal(strcasecmp(reader.sent[1], "FFCA000000"), 0);
	assert_int_equal(strcasecmp(reader.sent[2], key), 0);
	assert_int_equal(strcasecmp(reader.sent[reader.n_sent - 1], none), 0);
	reader.n_sent = 0;
	s->driver->forget(s);
	s->driver->close(s);
	assert_int_equal(reader.n_sent, 0);
}

static void
test_other_uid(void **state)
{
	struct station *s = station_begin("Elyctis CL", 4);
	struct chip_id want = {.uid = {9, 9, 9, 9}, .uid_len = 4}, id;
	struct err e = {0};

	(void)state;
	assert_int_equal(s->driver->select(s, &want, &id, &e), 0);
	assert_int_equal(id.uid_len, 0);
	reader.present = false;
	assert_int_equal(s->driver->field_reset(s, &e), 0);
	assert_int_equal(s->driver->select(s, NULL, &id, &e), 0);
	assert_int_equal(id.uid_len, 0);
	s->driver->close(s);
}

/* Whatever a reader says, nothing is read outside the answer and no chip is found where none is. */
static void
test_noise(void **state)
{
	static const uint8_t key[6] = {7};
	uint8_t block[16] = {0};

	(void)state;
	for (unsigned seed = 1; seed <= 5000; seed++) {
		struct station *s = station_begin("ACS ACR122U", 4);
		struct chip_id id;
		struct err e = {0};
		reader.noise = seed * 2654435761u | 1;
		reader.atr_len = noise_next() % (PCSC_ATR_MAX + 1);
		for (size_t i = 13; i < reader.atr_len; i++)
			reader.atr[i] = (uint8_t)noise_next();
		for (unsigned i = 0; i < 8; i++) {
			int rc = s->driver->select(s, NULL, &id, &e);
			assert_true(id.uid_len <= sizeof id.uid);
			assert_true(rc == 0 || e.text[0]);
			if (rc || id.uid_len < 4)
				continue;
			if (s->driver->authenticate(s, &id, 3, KEY_A, key, &e) == 0 &&
				s->driver->read(s, 1, block, &e) == 0)
				s->driver->write(s, 3, block, &e);
		}
		s->driver->close(s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_other_uid),
		cmocka_unit_test(test_noise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
