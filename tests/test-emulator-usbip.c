/*
 * test-emulator-usbip.c - the bytes of USB/IP: the captured examples of Linux' own description of
 * the protocol, hand-made ones for what it does not show, and noise.
 *
 * Vectors: the PDUs under "USB/IP protocol" in Documentation/usb/usbip_protocol.rst (CmdIntrIN,
 * RetIntrIN); requests and records written out by hand from its tables.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/remote.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 200000

static const uint8_t cmd_intr_in[USBIP_PDU_LEN] = {0, 0, 0, 1, 0, 0, 0x0d, 0x05, 0, 1, 0, 0x0f, 0,
	0, 0, 1, 0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0x40, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0,
	4};

static void
submit_reads_the_captured_one(void **state)
{
	struct usbip_pdu p;
	(void)state;
	assert_int_equal(usbip_pdu_parse(cmd_intr_in, sizeof cmd_intr_in, &p), USBIP_PDU_LEN);
	assert_int_equal(p.command, USBIP_SUBMIT);
	assert_int_equal(p.seqnum, 0xd05);
	assert_int_equal(p.endpoint, 0x81);
	assert_int_equal(p.length, 0x40);
	assert_null(p.data);
}

static void
answer_is_the_captured_one(void **state)
{
	uint8_t out[USBIP_PDU_LEN];
	static const uint8_t head[28] = {0, 0, 0, 3, 0, 0, 0x0d, 0x05, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40};
	(void)state;
	usbip_submitted_build(out, 0xd05, 0, 0x40);
	assert_memory_equal(out, head, sizeof head);
	usbip_unlinked_build(out, 7, -ECONNRESET);
	static const uint8_t unlinked[24] = {
		0, 0, 0, 4, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x98};
	assert_memory_equal(out, unlinked, sizeof unlinked);
}

static void
submit_waits_for_its_data(void **state)
{
	uint8_t bytes[USBIP_PDU_LEN + 8] = {0};
	struct usbip_pdu p;
	(void)state;
	memcpy(bytes, cmd_intr_in, sizeof cmd_intr_in);
	bytes[15] = 0; /* OUT */
	bytes[27] = 8;
	memcpy(bytes + USBIP_PDU_LEN, "abcdefgh", 8);
	for (size_t len = 0; len < sizeof bytes; len++)
		assert_int_equal(usbip_pdu_parse(bytes, len, &p), 0);
	assert_int_equal(usbip_pdu_parse(bytes, sizeof bytes, &p), sizeof bytes);
	assert_int_equal(p.endpoint, 0x01);
	assert_memory_equal(p.data, "abcdefgh", 8);
}

static void
submit_refuses(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} wrong[] = {{3, 3}, {3, 9}, {15, 2}, {19, 16}, {24, 1}, {35, 1}};
	(void)state;
	for (size_t i = 0; i < EMU_LEN(wrong); i++) {
		uint8_t bytes[USBIP_PDU_LEN];
		struct usbip_pdu p;
		memcpy(bytes, cmd_intr_in, sizeof bytes);
		bytes[wrong[i].at] = wrong[i].value;
		if (usbip_pdu_parse(bytes, sizeof bytes, &p) != -1)
			fail_msg("byte %zu = %u was accepted", wrong[i].at, wrong[i].value);
	}
}

static void
requests_before_the_import(void **state)
{
	enum usbip_op op;
	char busid[USBIP_BUSID_LEN + 1];
	uint8_t import[USBIP_OP_LEN + USBIP_BUSID_LEN] = {
		1, 0x11, 0x80, 3, 0, 0, 0, 0, '1', '-', '2'};
	static const uint8_t list[] = {1, 0x11, 0x80, 5, 0, 0, 0, 0};
	static const uint8_t other[] = {1, 6, 0x80, 5, 0, 0, 0, 0};
	(void)state;
	assert_int_equal(usbip_op_parse(list, sizeof list, &op, busid), sizeof list);
	assert_int_equal(op, USBIP_OP_DEVLIST);
	assert_int_equal(usbip_op_parse(list, 7, &op, busid), 0);
	assert_int_equal(usbip_op_parse(other, sizeof other, &op, busid), -1);
	assert_int_equal(usbip_op_parse(import, sizeof import - 1, &op, busid), 0);
	assert_int_equal(usbip_op_parse(import, sizeof import, &op, busid), sizeof import);
	assert_string_equal(busid, "1-2");
	memset(import + USBIP_OP_LEN, 'x', USBIP_BUSID_LEN); /* no end of its own */
	assert_int_equal(usbip_op_parse(import, sizeof import, &op, busid), sizeof import);
	assert_int_equal(strlen(busid), USBIP_BUSID_LEN);
}

/* A configuration that ends early gives no interface, whatever it says. */
static void
record_of_a_short_configuration(void **state)
{
	uint8_t out[USBIP_RECORD_LEN], interface[4];
	struct usb_device d = {.port = "1-3", .bus = 1, .devnum = 5, .device_len = 18};
	(void)state;
	memcpy(d.descriptors,
		"\x12\x01\x00\x02\x00\x00\x00\x40\x49\x0f\x00\x08\x00\x01\x01\x02\x03\x01", 18);
	memcpy(d.descriptors + 18,
		"\x09\x02\x20\x00\x01\x01\x00\xc0\x01\x09\x04\x00\x00\x02\x07\x01\x02", 17);
	d.descriptors_len = 18 + 18;
	usbip_record_build(out, &d);
	assert_string_equal((char *)out + 256, "1-3");
	assert_memory_equal(
		out + 288, "\0\0\0\1\0\0\0\5\0\0\0\3\x0f\x49\x08\0\1\0\0\0\0\1\1\1", 24);
	assert_int_equal(usbip_interfaces_build(interface, &d), 1);
	assert_memory_equal(interface, "\7\1\2\0", 4);
	d.descriptors_len = 18 + 9;
	assert_int_equal(usbip_interfaces_build(interface, &d), 0);
}

/* Noise is refused or taken, never read past its end: the buffers are as long as what they hold. */
static void
noise(void **state)
{
	uint64_t seed = 1;
	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		size_t len = (seed >> 33) % 80;
		uint8_t *bytes = malloc(len ? len : 1);
		assert_non_null(bytes);
		for (size_t b = 0; b < len; b++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			bytes[b] = b < sizeof cmd_intr_in && seed >> 61 ? cmd_intr_in[b]
									: (uint8_t)(seed >> 40);
		}
		struct usbip_pdu p;
		enum usbip_op op;
		char busid[USBIP_BUSID_LEN + 1];
		int64_t took = usbip_pdu_parse(bytes, len, &p);
		assert_true(took >= -1 && took <= (int64_t)len);
		if (took > 0 && p.data)
			assert_true(p.data + p.length <= bytes + len);
		assert_true(usbip_op_parse(bytes, len, &op, busid) <= (int)len);
		free(bytes);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(submit_reads_the_captured_one),
		cmocka_unit_test(answer_is_the_captured_one),
		cmocka_unit_test(submit_waits_for_its_data),
		cmocka_unit_test(submit_refuses),
		cmocka_unit_test(requests_before_the_import),
		cmocka_unit_test(record_of_a_short_configuration),
		cmocka_unit_test(noise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
