/*
 * test-usb.c - what needs no printer: the 1284 id, the choice among printers, what error codes
 * mean.
 *
 * Claiming and transferring are tested with the emulator, through the real libusb.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/usb.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <libusb.h>
#include <stdlib.h>
#include <string.h>

static void
test_device_id_get(void **state)
{
	static const struct {
		const char *id, *key, *value; /* value NULL: not there */
	} rows[] = {
		{"MFG:EVOLIS ;MDL:Primacy;CMD:MP;", "MFG", "EVOLIS"},
		{"MFG:EVOLIS ;MDL:Primacy;CMD:MP;", "MDL", "Primacy"},
		{"MFG:EVOLIS ;MDL:Primacy;CMD:MP", "CMD", "MP"},
		{"MANUFACTURER:Evolis; MODEL: Dualys 3 ;", "MDL", "Dualys 3"},
		{"mfg:a;", "MFG", "a"},
		{"MFG;MDL:x", "MFG", NULL},
		{"XMFG:a;MFG:b", "MFG", "b"},
		{"MDL:", "MDL", ""},
		{"", "MDL", NULL},
		{";;;", "MDL", NULL},
	};
	char out[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int rc = device_id_get(rows[i].id, rows[i].key, out, sizeof out);
		assert_int_equal(rc, rows[i].value ? 0 : ERR_MISSING);
		assert_string_equal(out, rows[i].value ? rows[i].value : "");
	}
	assert_int_equal(
		device_id_get("MDL:a name that is far too long;", "MDL", out, sizeof out), 0);
	assert_string_equal(out, "a name that is");
}

static void
test_device_id_parse(void **state)
{
	char out[16];

	(void)state;
	usb_device_id_parse(out, sizeof out, (const uint8_t *)"\0\007MDL:x", 7);
	assert_string_equal(out, "MDL:x");
	usb_device_id_parse(out, sizeof out, (const uint8_t *)"\0\005MDL:x", 7);
	assert_string_equal(out, "MDL");
	usb_device_id_parse(out, sizeof out, (const uint8_t *)"\007\0MDL:x", 7); /* swapped */
	assert_string_equal(out, "MDL:x");
	usb_device_id_parse(out, sizeof out, (const uint8_t *)"\0\007A\001\377", 5);
	assert_string_equal(out, "A??");
	usb_device_id_parse(out, sizeof out, (const uint8_t *)"\0", 1);
	assert_string_equal(out, "");
	usb_device_id_parse(out, sizeof out, (const uint8_t *)"\0\060123456789012345678901234", 26);
	assert_string_equal(out, "123456789012345");
}

static void
test_choose(void **state)
{
	static const struct usb_printer list[] = {
		{.vendor = 0x0f49, .serial = "A1", .path = "1-1", .model = "Dualys 3"},
		{.vendor = 0x0f49, .serial = "B2", .path = "1-2", .model = "Dualys 3"},
		{.vendor = 0x0f49, .serial = "B2", .path = "1-3", .model = "Dualys 3"},
		{.vendor = 0x0f49, .serial = "", .path = "1-4", .model = "Pebble 4"},
	};
	struct usb_printer a1 = {.serial = "A1"}, b2 = {.serial = "B2"}, c3 = {.serial = "C3"},
			   plug = {.path = "1-4"}, twin = {.serial = "B2", .path = "1-3"},
			   moved = {.serial = "A1", .path = "1-9"},
			   lost = {.serial = "B2", .path = "1-9"};
	size_t i = 99;
	struct err e;

	(void)state;
	assert_int_equal(usb_choose(list, 4, &a1, &i, &e), 0);
	assert_int_equal(i, 0);
	assert_int_equal(usb_choose(list, 4, &plug, &i, &e), 0);
	assert_int_equal(i, 3);
	assert_int_equal(usb_choose(list, 1, NULL, &i, &e), 0);
	assert_int_equal(i, 0);
	assert_int_equal(usb_choose(list, 4, &b2, &i, &e), ERR_USAGE);
	assert_non_null(strstr(e.text, "1-2"));
	assert_non_null(strstr(e.text, "1-3"));
	assert_int_equal(usb_choose(list, 4, &twin, &i, &e), 0);
	assert_int_equal(i, 2);
	assert_int_equal(usb_choose(list, 4, &moved, &i, &e), 0);
	assert_int_equal(i, 0);
	assert_int_equal(usb_choose(list, 4, &lost, &i, &e), ERR_FAULT);
	assert_int_equal(usb_choose(list, 4, NULL, &i, &e), ERR_USAGE);
	assert_non_null(strstr(e.text, "A1"));
	assert_int_equal(usb_choose(list, 4, &c3, &i, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_PRINTER_ABSENT);
	assert_int_equal(usb_choose(list, 0, NULL, &i, &e), ERR_FAULT);
}

static void
test_faults(void **state)
{
	(void)state;
	assert_int_equal(usb_fault(LIBUSB_ERROR_TIMEOUT), FAULT_NO_REPLY);
	assert_int_equal(usb_fault(LIBUSB_ERROR_PIPE), FAULT_STALL);
	assert_int_equal(usb_fault(LIBUSB_ERROR_NO_DEVICE), FAULT_UNPLUGGED);
	assert_int_equal(usb_fault(LIBUSB_ERROR_IO), FAULT_STALL);
	assert_int_equal(usb_fault(LIBUSB_SUCCESS), FAULT_NONE);
}

/* On a computer without USB or without our printers the list is empty or an error, never a crash.
 */
static void
test_nothing_there(void **state)
{
	struct usb_printer none = {.serial = "no such serial number"}, *list = NULL;
	struct transport *t = NULL;
	struct err e;
	size_t n = 0;

	(void)state;
	if (usb_list(&list, &n, &e) == 0)
		assert_non_null(list);
	free(list);
	assert_int_not_equal(usb_open(&t, &none, &e), 0);
	assert_null(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_device_id_get),
		cmocka_unit_test(test_device_id_parse),
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_nothing_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
