/*
 * test-emulator-chip.c - the emulated chip's rules and the emulated reader's line.
 *
 * The access bytes were worked out by hand from the data sheet's drawing, the frames from the
 * example in the PN532 user manual's form; neither comes from the code under test.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/pn532.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const uint8_t uid4[4] = {0x04, 0xA1, 0xB2, 0xC3};
static const uint8_t uid7[7] = {0x04, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66};
static const uint8_t transport_key[6] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
static const uint8_t key_a[6] = {0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5};
static const uint8_t key_b[6] = {0xB0, 0xB1, 0xB2, 0xB3, 0xB4, 0xB5};

enum { OK = 0, SILENT = 1, NAK = 0x13, AUTH = 0x14, AUTH_A = 0x60, AUTH_B = 0x61 };

static uint8_t reply[16];
static size_t reply_len;

static int
chip_auth(struct chip *c, uint8_t op, uint8_t block, const uint8_t *key)
{
	uint8_t cmd[12] = {op, block};
	memcpy(cmd + 2, key, 6);
	memcpy(cmd + 8, c->uid + c->uid_len - 4, 4);
	return chip_exchange(c, cmd, sizeof(cmd), reply, &reply_len);
}

static int
chip_read(struct chip *c, uint8_t block)
{
	const uint8_t cmd[2] = {0x30, block};
	return chip_exchange(c, cmd, sizeof(cmd), reply, &reply_len);
}

static int
chip_write(struct chip *c, uint8_t block, const uint8_t *data)
{
	uint8_t cmd[18] = {0xA0, block};
	memcpy(cmd + 2, data, 16);
	return chip_exchange(c, cmd, sizeof(cmd), reply, &reply_len);
}

/* A selected chip whose sector 1 has key_a, key_b and these access bytes. */
static void
chip_prepare(struct chip *c, const uint8_t access[3])
{
	chip_init(c, uid4, 4);
	chip_field(c, true);
	memcpy(c->mem + 7 * 16, key_a, 6);
	memcpy(c->mem + 7 * 16 + 6, access, 3);
	memcpy(c->mem + 7 * 16 + 10, key_b, 6);
	assert_true(chip_select(c, NULL, 0));
}

static int
chip_start(struct chip *c, bool b)
{
	assert_true(chip_select(c, NULL, 0));
	return chip_auth(c, b ? AUTH_B : AUTH_A, 4, b ? key_b : key_a);
}

/* Data conditions with trailer 011, so that key B authenticates. rights: read A, B; write A, B;
 * increment A, B; decrement A, B. */
static const struct data_case {
	const char *condition, *rights;
	uint8_t access[3];
} data_cases[] = {
	{"000", "11 11 11 11", {0x7F, 0x07, 0x88}},
	{"010", "11 00 00 00", {0x0F, 0x07, 0x8F}},
	{"100", "11 01 00 00", {0x78, 0x77, 0x88}},
	{"110", "11 01 01 11", {0x08, 0x77, 0x8F}},
	{"001", "11 00 00 11", {0x7F, 0x00, 0xF8}},
	{"011", "01 01 00 00", {0x0F, 0x00, 0xFF}},
	{"101", "01 00 00 00", {0x78, 0x70, 0xF8}},
	{"111", "00 00 00 00", {0x08, 0x70, 0xFF}},
};

static void
test_data_access(void **state)
{
	static const uint8_t increment[6] = {0xC1, 4, 5}, decrement[6] = {0xC0, 4, 5};
	static const uint8_t value[16] = {
		7, 0, 0, 0, 0xF8, 0xFF, 0xFF, 0xFF, 7, 0, 0, 0, 4, 0xFB, 4, 0xFB};
	(void)state;
	for (size_t i = 0; i < sizeof(data_cases) / sizeof(data_cases[0]); i++) {
		const struct data_case *t = &data_cases[i];
		for (int b = 0; b < 2; b++) {
			struct chip c;
			int got[4];
			chip_prepare(&c, t->access);
			memcpy(c.mem + 4 * 16, value, 16);
			assert_int_equal(chip_start(&c, b), OK);
			got[0] = chip_read(&c, 4);
			assert_int_equal(chip_start(&c, b), OK);
			got[1] = chip_write(&c, 4, value);
			assert_int_equal(chip_start(&c, b), OK);
			got[2] = chip_exchange(&c, increment, 6, reply, &reply_len);
			assert_int_equal(chip_start(&c, b), OK);
			got[3] = chip_exchange(&c, decrement, 6, reply, &reply_len);
			for (int k = 0; k < 4; k++)
				if (got[k] != (t->rights[3 * k + b] == '1' ? OK : NAK))
					fail_msg("data %s, key %c, act %d: %02x", t->condition,
						"AB"[b], k, (unsigned)got[k]);
		}
	}
}

/* What each key reads and writes of a trailer: a = key A, c = access bits, b = key B; "" = NAK. */
static const struct trailer_case {
	const char *condition;
	bool b_authenticates;
	const char *read[2], *write[2];
	uint8_t access[3];
} trailer_cases[] = {
	{"000", false, {"cb", ""}, {"ab", ""}, {0xFF, 0x0F, 0x00}},
	{"001", false, {"cb", ""}, {"acb", ""}, {0xFF, 0x07, 0x80}},
	{"010", false, {"cb", ""}, {"", ""}, {0x7F, 0x0F, 0x08}},
	{"100", true, {"c", "c"}, {"", "ab"}, {0xF7, 0x8F, 0x00}},
	{"110", true, {"c", "c"}, {"", ""}, {0x77, 0x8F, 0x08}},
	{"011", true, {"c", "c"}, {"", "acb"}, {0x7F, 0x07, 0x88}},
	{"101", true, {"c", "c"}, {"", "c"}, {0xF7, 0x87, 0x80}},
	{"111", true, {"c", "c"}, {"", ""}, {0x77, 0x87, 0x88}},
};

static void
trailer_case_run(const struct trailer_case *t, int b)
{
	static const uint8_t fresh[16] = {
		1, 2, 3, 4, 5, 6, 0x78, 0x77, 0x88, 0x42, 7, 8, 9, 10, 11, 12};
	static const uint8_t zero[6];
	struct chip c;
	const char *want = t->read[b];
	chip_prepare(&c, t->access);
	if (b && !t->b_authenticates) {
		assert_int_equal(chip_start(&c, true), AUTH);
		c.readable_b_late = true;
		assert_int_equal(chip_start(&c, true), OK);
		assert_int_equal(chip_read(&c, 4), NAK);
		return;
	}
	assert_int_equal(chip_start(&c, b), OK);
	assert_int_equal(chip_read(&c, 7), *want ? OK : NAK);
	assert_memory_equal(reply, zero, 6);
	assert_memory_equal(reply + 6, t->access, 3);
	assert_memory_equal(reply + 10, strchr(want, 'b') ? key_b : zero, 6);
	want = t->write[b];
	assert_int_equal(chip_start(&c, b), OK);
	assert_int_equal(chip_write(&c, 7, fresh), *want ? OK : NAK);
	const uint8_t *mem = c.mem + 7 * 16;
	assert_memory_equal(mem, strchr(want, 'a') ? fresh : key_a, 6);
	assert_memory_equal(mem + 6, strchr(want, 'c') ? fresh + 6 : t->access, 3);
	assert_memory_equal(mem + 10, strchr(want, 'b') ? fresh + 10 : key_b, 6);
}

static void
test_trailer_access(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(trailer_cases) / sizeof(trailer_cases[0]); i++)
		for (int b = 0; b < 2; b++)
			trailer_case_run(&trailer_cases[i], b);
}

static void
test_dead_sector(void **state)
{
	static const uint8_t inconsistent[][3] = {
		{0x7F, 0x07, 0x08}, {0x7E, 0x07, 0x88}, {0xFF, 0x07, 0x88}, {0, 0, 0}};
	(void)state;
	for (size_t i = 0; i < sizeof(inconsistent) / sizeof(inconsistent[0]); i++) {
		struct chip c;
		chip_prepare(&c, inconsistent[i]);
		assert_int_equal(chip_start(&c, false), AUTH);
		assert_int_equal(chip_start(&c, true), AUTH);
	}
}

static void
test_states(void **state)
{
	uint8_t data[16] = {1};
	struct chip c;
	(void)state;
	chip_init(&c, uid4, 4);
	assert_false(chip_select(&c, NULL, 0));
	chip_field(&c, true);
	assert_true(chip_select(&c, uid4, 4));
	assert_int_equal(chip_read(&c, 4), NAK);
	assert_int_equal(c.power, CHIP_IDLE);
	assert_int_equal(chip_read(&c, 4), SILENT);
	assert_true(chip_select(&c, NULL, 0));
	assert_int_equal(chip_auth(&c, AUTH_A, 4, key_a), AUTH);
	assert_int_equal(c.power, CHIP_HALT);
	assert_int_equal(chip_auth(&c, AUTH_A, 4, transport_key), AUTH);
	assert_true(chip_select(&c, NULL, 0));
	assert_int_equal(chip_auth(&c, AUTH_A, 0, transport_key), OK);
	assert_int_equal(chip_read(&c, 0), OK);
	assert_memory_equal(reply, uid4, 4);
	assert_int_equal(chip_write(&c, 0, data), NAK);
	assert_int_equal(c.mem[0], 0x04);
	assert_true(chip_select(&c, NULL, 0));
	assert_int_equal(chip_auth(&c, AUTH_A, 4, transport_key), OK);
	assert_int_equal(chip_read(&c, 8), NAK);
	chip_field(&c, false);
	assert_int_equal(chip_read(&c, 4), SILENT);
}

static void
test_long_uid(void **state)
{
	uint8_t wrong[12] = {AUTH_A, 4, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x04, 0x11, 0x22, 0x33};
	struct chip c;
	(void)state;
	chip_init(&c, uid7, 7);
	chip_field(&c, true);
	assert_int_equal(c.atqa[1], 0x44);
	assert_false(chip_select(&c, uid4, 4));
	assert_true(chip_select(&c, uid7, 7));
	assert_int_equal(chip_exchange(&c, wrong, 12, reply, &reply_len), AUTH);
	assert_true(chip_select(&c, uid7, 7));
	assert_int_equal(chip_auth(&c, AUTH_A, 4, transport_key), OK);
}

static void
test_faults(void **state)
{
	uint8_t data[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, old[16];
	struct chip c;
	(void)state;
	chip_prepare(&c, (const uint8_t[]){0x7F, 0x07, 0x88});
	memcpy(old, c.mem + 5 * 16, 16);
	c.lose_at_write = 2;
	c.tear_at_write = 3;
	c.remove_at_write = 4;
	assert_int_equal(chip_start(&c, true), OK);
	assert_int_equal(chip_write(&c, 4, data), OK);
	assert_memory_equal(c.mem + 4 * 16, data, 16);
	assert_int_equal(chip_write(&c, 5, data), OK);
	assert_memory_equal(c.mem + 5 * 16, old, 16);
	assert_int_equal(chip_write(&c, 5, data), SILENT);
	assert_memory_not_equal(c.mem + 5 * 16, old, 16);
	assert_memory_not_equal(c.mem + 5 * 16, data, 16);
	assert_int_equal(chip_start(&c, true), OK);
	memcpy(old, c.mem + 6 * 16, 16);
	assert_int_equal(chip_write(&c, 6, data), SILENT);
	assert_memory_equal(c.mem + 6 * 16, old, 16);
	assert_false(chip_select(&c, NULL, 0));
	assert_int_equal(c.writes, 3);
	c.absent = true;
	chip_field(&c, true);
	assert_false(chip_select(&c, NULL, 0));
	chip_init(&c, uid4, 4);
	chip_set_keys(&c, key_a, key_b);
	chip_field(&c, true);
	assert_true(chip_select(&c, NULL, 0));
	assert_int_equal(chip_auth(&c, AUTH_A, 8, transport_key), AUTH);
}

/* A torn trailer leaves access bits that no longer agree. */
static void
test_torn_trailer(void **state)
{
	static const uint8_t trailer[16] = {
		1, 2, 3, 4, 5, 6, 0x78, 0x77, 0x88, 0x69, 7, 8, 9, 10, 11, 12};
	struct chip c;
	(void)state;
	chip_init(&c, uid4, 4);
	chip_field(&c, true);
	c.tear_at_write = 1;
	assert_true(chip_select(&c, NULL, 0));
	assert_int_equal(chip_auth(&c, AUTH_A, 7, transport_key), OK);
	assert_int_equal(chip_write(&c, 7, trailer), SILENT);
	assert_true(chip_select(&c, NULL, 0));
	assert_int_equal(chip_auth(&c, AUTH_A, 7, trailer), AUTH);
}

static void
test_value_block(void **state)
{
	static const uint8_t increment[6] = {0xC1, 4, 5}, transfer[2] = {0xB0, 4};
	struct chip c;
	(void)state;
	chip_prepare(&c, (const uint8_t[]){0x7F, 0x07, 0x88});
	assert_int_equal(chip_start(&c, true), OK);
	assert_int_equal(chip_exchange(&c, increment, 6, reply, &reply_len), NAK);
	memcpy(c.mem + 64, "\x07\0\0\0\xF8\xFF\xFF\xFF\x07\0\0\0\x04\xFB\x04\xFB", 16);
	assert_int_equal(chip_start(&c, true), OK);
	assert_int_equal(chip_exchange(&c, increment, 6, reply, &reply_len), OK);
	assert_int_equal(chip_exchange(&c, transfer, 2, reply, &reply_len), OK);
	assert_memory_equal(c.mem + 64, "\x0C\0\0\0\xF3\xFF\xFF\xFF\x0C\0\0\0\x04\xFB\x04\xFB", 16);
}

/* ---- the line ---- */

struct bench {
	struct field field;
	struct chip chips[2];
	struct pn532 *reader;
	char dir[64], link[96];
	int fd;
};

static int
bench_open(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	snprintf(b->dir, sizeof(b->dir), "/tmp/test-emulator-chip.XXXXXX");
	if (!mkdtemp(b->dir))
		return -1;
	snprintf(b->link, sizeof(b->link), "%s/port", b->dir);
	field_init(&b->field);
	chip_init(&b->chips[0], uid4, 4);
	chip_init(&b->chips[1], uid7, 7);
	field_enter(&b->field, &b->chips[0]);
	b->reader = pn532_start(&b->field, b->link, false);
	b->fd = open(b->link, O_RDWR | O_NOCTTY);
	*state = b;
	return b->reader && b->fd >= 0 ? 0 : -1;
}

static int
bench_close(void **state)
{
	struct bench *b = *state;
	close(b->fd);
	pn532_stop(b->reader);
	field_done(&b->field);
	bool link_left = access(b->link, F_OK) == 0;
	rmdir(b->dir);
	free(b);
	return link_left ? -1 : 0;
}

/* "55 0000 ff" -> bytes. */
static size_t
bytes_parse(uint8_t *out, const char *hex)
{
	size_t n = 0;
	int used;
	while (sscanf(hex, " %2hhx%n", &out[n], &used) == 1) {
		hex += used;
		n++;
	}
	return n;
}

/* Sends bytes and compares everything that comes back; want "" = nothing for 15 ms. */
static void
line_check(int fd, const char *send, const char *want)
{
	uint8_t bytes[300], expected[300], got[300];
	size_t n = bytes_parse(bytes, send), expected_len = bytes_parse(expected, want),
	       got_len = 0;
	assert_int_equal(write(fd, bytes, n), n);
	while (got_len < (expected_len > 0 ? expected_len : 1)) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (poll(&p, 1, expected_len > 0 ? 1000 : 15) <= 0)
			break;
		ssize_t r = read(fd, got + got_len, sizeof(got) - got_len);
		if (r <= 0)
			break;
		got_len += (size_t)r;
	}
	assert_int_equal(got_len, expected_len);
	assert_memory_equal(got, expected, expected_len);
}

static void
control(struct bench *b, const char *line)
{
	char *answer = pn532_control(b->reader, line);
	assert_non_null(answer);
	if (strncmp(answer, "ok", 2) != 0)
		fail_msg("%s: %s", line, answer);
	free(answer);
}

#define ACK_FRAME    "0000ff00ff00 "
#define FIRMWARE     "0000ff02fed4022a00"
#define FIRMWARE_IS  "0000ff06fad50332010607e800"
#define SYNTAX_ERROR "0000ff01ff7f8100"
#define WAKE         "5555 0000000000000000000000000000 "
#define SAM          "0000ff03fdd414011700"
#define SAM_IS       "0000ff02fed5151600"
#define FIND_ONE     "0000ff04fcd44a0100e100"
/* d4 40 01 30 04: read block 4 */
#define READ_4 "0000ff05fbd440013004b700"

static void
reader_wake_up(struct bench *b)
{
	line_check(b->fd, WAKE SAM, ACK_FRAME SAM_IS);
}

static void
test_frames(void **state)
{
	struct bench *b = *state;
	line_check(b->fd, FIRMWARE, "");
	reader_wake_up(b);
	line_check(b->fd, FIRMWARE, ACK_FRAME FIRMWARE_IS);
	/* NACK: the last response again */
	line_check(b->fd, "0000ffff0000", FIRMWARE_IS);
	/* extended frame */
	line_check(b->fd, "0000ffffff0002fed4022a00", ACK_FRAME FIRMWARE_IS);
	/* wrong data check, wrong length check, unknown command */
	line_check(b->fd, "0000ff02fed4022b00", SYNTAX_ERROR);
	line_check(b->fd, "0000ff02ffd4022a00", "");
	line_check(b->fd, "0000ff02fed49a9200", ACK_FRAME SYNTAX_ERROR);
	/* noise, then a frame; an abort says nothing */
	line_check(b->fd, "a5 5a 00 ff 11" FIRMWARE, ACK_FRAME FIRMWARE_IS);
	line_check(b->fd, "0000ff00ff00", "");
	/* a frame longer than 255 bytes must be sent as an extended one, and read back */
	uint8_t body[HSU_BODY_MAX] = {0x01}, frame[HSU_FRAME_MAX];
	assert_int_equal(hsu_build(frame, body, 260), 3 + 5 + 261 + 2);
	assert_memory_equal(frame, "\0\0\xFF\xFF\xFF\x01\x05\xFA\xD5\x01", 10);
}

static void
test_cards(void **state)
{
	struct bench *b = *state;
	reader_wake_up(b);
	line_check(b->fd, FIND_ONE, ACK_FRAME "0000ff0cf4d54b0101000408 0404a1b2c3b400");
	/* two cards */
	field_enter(&b->field, &b->chips[1]);
	line_check(b->fd, "0000ff04fcd44a0200e000",
		ACK_FRAME "0000ff18e8d54b02 01000408 0404a1b2c3 02004408 07041122 33445566f500");
	/* HLTA through InDataExchange */
	line_check(b->fd, "0000ff05fbd4400150009b00", ACK_FRAME SYNTAX_ERROR);
	pthread_mutex_lock(&b->field.lock);
	assert_int_equal(b->chips[0].power, CHIP_HALT);
	pthread_mutex_unlock(&b->field.lock);
	/* no such target */
	field_leave(&b->field, &b->chips[0]);
	field_leave(&b->field, &b->chips[1]);
	line_check(b->fd, READ_4, ACK_FRAME "0000ff03fdd54101e900");
	line_check(b->fd, "0000ff03fdd45200da00", ACK_FRAME "0000ff03fdd55300d800");
	line_check(b->fd, READ_4, ACK_FRAME "0000ff03fdd54127c300");
	/* an endless poll answers when a card comes */
	line_check(b->fd, FIND_ONE, ACK_FRAME);
	line_check(b->fd, "", "");
	field_enter(&b->field, &b->chips[0]);
	line_check(b->fd, "", "0000ff0cf4d54b0101000408 0404a1b2c3b400");
	/* a poll with an end says that there is none */
	field_leave(&b->field, &b->chips[0]);
	line_check(b->fd, "0000ff06fad43205000102f200", ACK_FRAME "0000ff02fed533f800");
	line_check(b->fd, FIND_ONE, ACK_FRAME "0000ff03fdd54b00e000");
}

static void
test_reader_faults(void **state)
{
	struct bench *b = *state;
	reader_wake_up(b);
	control(b, "mute");
	line_check(b->fd, FIRMWARE, "");
	control(b, "clear");
	control(b, "deaf 1");
	line_check(b->fd, FIRMWARE, "");
	control(b, "bad-dcs");
	line_check(b->fd, FIRMWARE, ACK_FRAME "0000ff06fad50332010607bd00");
	line_check(b->fd, "0000ffff0000", FIRMWARE_IS);
	control(b, "garbage");
	line_check(b->fd, FIRMWARE, ACK_FRAME "5a0000fea51337ff0080");
	control(b, "status 14");
	line_check(b->fd, READ_4, ACK_FRAME "0000ff03fdd54114d600");
	line_check(b->fd, FIND_ONE, ACK_FRAME "0000ff0cf4d54b0101000408 0404a1b2c3b400");
	control(b, "drop 2");
	line_check(b->fd, READ_4, ACK_FRAME "0000ff03fdd54113d700");
	line_check(b->fd, READ_4, ACK_FRAME);
	line_check(b->fd, READ_4, ACK_FRAME "0000ff03fdd54101e900");
	char *answer = pn532_control(b->reader, "no-such-word");
	assert_int_equal(strncmp(answer, "error", 5), 0);
	free(answer);
}

static void
test_unplug(void **state)
{
	struct bench *b = *state;
	uint8_t byte;
	reader_wake_up(b);
	control(b, "unplug");
	assert_int_equal(access(b->link, F_OK), -1);
	assert_true(read(b->fd, &byte, 1) <= 0);
	close(b->fd);
	control(b, "plug");
	b->fd = open(b->link, O_RDWR | O_NOCTTY);
	assert_true(b->fd >= 0);
	line_check(b->fd, FIRMWARE, "");
	reader_wake_up(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_data_access),
		cmocka_unit_test(test_trailer_access),
		cmocka_unit_test(test_dead_sector),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_long_uid),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_torn_trailer),
		cmocka_unit_test(test_value_block),
		cmocka_unit_test_setup_teardown(test_frames, bench_open, bench_close),
		cmocka_unit_test_setup_teardown(test_cards, bench_open, bench_close),
		cmocka_unit_test_setup_teardown(test_reader_faults, bench_open, bench_close),
		cmocka_unit_test_setup_teardown(test_unplug, bench_open, bench_close),
	};
	return cmocka_run_group_tests_name("emulator-chip", tests, NULL, NULL);
}
