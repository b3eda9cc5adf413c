/*
 * test-uri.c - device URIs there and back, and the printers they name. The encoded forms are worked
 * out by hand from RFC 3986.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct usb_printer printers[] = {
	{.make = "EVOLIS", .model = "Dualys 3", .serial = "100001", .path = "1-2"},
	{.make = "EVOLIS", .model = "Dualys 3", .serial = "100002", .path = "1-3"},
	{.make = "EVOLIS", .model = "Primacy/2", .serial = "A %1?", .path = "1-4"},
	{.make = "Zebra", .model = "P310i", .serial = "", .path = "2-1"},
	{.make = "EVOLIS", .model = "Pebble 4", .serial = "77", .path = "2-2"},
	{.make = "EVOLIS", .model = "Pebble 4", .serial = "77", .path = "2-3"},
};

static const char *const uris[] = {
	"cardspool://EVOLIS/Dualys%203?serial=100001",
	"cardspool://EVOLIS/Dualys%203?serial=100002",
	"cardspool://EVOLIS/Primacy%2F2?serial=A%20%251%3F",
	"cardspool://Zebra/P310i",
};

static void
printers_and_back(void **state)
{
	char uri[512];
	const struct usb_printer *found;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(uris); i++) {
		assert_int_equal(uri_build(uri, sizeof(uri), &printers[i]), 0);
		assert_string_equal(uri, uris[i]);
		assert_int_equal(uri_match(uri, printers, ARRAY_LEN(printers), &found, &e), 0);
		assert_ptr_equal(found, &printers[i]);
	}
}

static void
small_buffers_are_refused(void **state)
{
	char uri[512];

	(void)state;
	for (size_t max = 1; max <= strlen(uris[2]); max++)
		assert_int_not_equal(uri_build(uri, max, &printers[2]), 0);
	assert_int_equal(uri_build(uri, strlen(uris[2]) + 1, &printers[2]), 0);
}

static const struct {
	const char *uri;
	int code;
	const char *one, *two;
} refused[] = {
	{"cardspool://EVOLIS/Dualys%203", ERR_USAGE, "100001", "100002"},
	{"cardspool://EVOLIS/Pebble%204?serial=77", ERR_USAGE, "2-2", "2-3"},
	{"cardspool:///", ERR_USAGE, "100001", "100002"},
	{"cardspool://EVOLIS/Dualys%203?serial=999", ERR_FAULT, NULL, NULL},
	{"cardspool://Zebra/Dualys%203?serial=100001", ERR_FAULT, NULL, NULL},
	{"usb://EVOLIS/Dualys%203?serial=100001", ERR_USAGE, "cardspool://", NULL},
	{"cardspool://EVOLIS", ERR_USAGE, NULL, NULL},
	{"cardspool://EVOLIS/Dualys%2", ERR_USAGE, NULL, NULL},
	{"cardspool://EVOLIS/Dualys%zz", ERR_USAGE, NULL, NULL},
	{"cardspool://EVOLIS/Dualys%00", ERR_USAGE, NULL, NULL},
	{"cardspool://EVOLIS/Dualys%203?port=1", ERR_USAGE, NULL, NULL},
	{"", ERR_USAGE, NULL, NULL},
};

static void
wrong_addresses_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		const struct usb_printer *found;
		struct err e = {0};

		assert_int_equal(
			uri_match(refused[i].uri, printers, ARRAY_LEN(printers), &found, &e),
			refused[i].code);
		assert_null(found);
		if (refused[i].one)
			assert_non_null(strstr(e.text, refused[i].one));
		if (refused[i].two)
			assert_non_null(strstr(e.text, refused[i].two));
		if (refused[i].code == ERR_FAULT)
			assert_int_equal(e.fault, FAULT_PRINTER_ABSENT);
	}
}

static void
one_printer_needs_no_serial(void **state)
{
	const struct usb_printer *found;
	struct err e;

	(void)state;
	assert_int_equal(uri_match("cardspool://EVOLIS/Dualys%203", printers, 1, &found, &e), 0);
	assert_int_equal(uri_match("cardspool:///", printers, 1, &found, &e), 0);
	assert_int_equal(uri_match("cardspool:///", printers, 0, &found, &e), ERR_FAULT);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(printers_and_back),
		cmocka_unit_test(small_buffers_are_refused),
		cmocka_unit_test(wrong_addresses_are_refused),
		cmocka_unit_test(one_printer_needs_no_serial),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
