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
	{"cardspool://EVOLIS/Pebble%204?serial=77&path=2-9", ERR_FAULT, NULL, NULL},
	{"cardspool://EVOLIS/Pebble%204?serial=77&serial=77", ERR_USAGE, NULL, NULL},
	{"cardspool://EVOLIS/Pebble%204?serial", ERR_USAGE, NULL, NULL},
	{"cardspool://EVOLIS/Pebble%204?colour=red", ERR_USAGE, NULL, NULL},
	{"cardspool://EVOLIS/Primacy?host=h&port=9100x", ERR_USAGE, NULL, NULL},
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

/* Twins: by their plug, under a name that says so. */
static void
twins_are_told_apart(void **state)
{
	static const char uri[] = "cardspool://EVOLIS/Pebble%204?serial=77&path=2-3";
	struct usb_printer twin = printers[5];
	const struct usb_printer *found;
	char out[512], name[96];
	struct err e;

	(void)state;
	assert_int_equal(uri_match(uri, printers, ARRAY_LEN(printers), &found, &e), 0);
	assert_ptr_equal(found, &printers[5]);
	assert_int_equal(uri_name(uri, name, sizeof(name)), 0);
	assert_string_equal(name, "77@2-3");
	snprintf(twin.name, sizeof(twin.name), "%s", name);
	assert_int_equal(uri_build(out, sizeof(out), &twin), 0);
	assert_string_equal(out, uri);
}

static const struct {
	const char *uri;
	int code;
	const char *name, *host;
	unsigned port;
} hosts[] = {
	{"cardspool://EVOLIS/Primacy?serial=P1&host=192.0.2.1&port=9101", 0, "P1", "192.0.2.1",
		9101},
	{"cardspool://Evolis/Dualys%203?host=printer.example", 0, "printer.example:9100",
		"printer.example", 9100},
	{"cardspool://EVOLIS/Primacy?host=%3A%3A1", 0, "::1:9100", "::1", 9100},
	{"cardspool://EVOLIS/Badgy?host=h", ERR_USAGE, NULL, NULL, 0},
	{"cardspool://Zebra/P330i?host=h", ERR_USAGE, NULL, NULL, 0},
	{"cardspool://Nobody/Primacy?host=h", ERR_USAGE, NULL, NULL, 0},
	{"cardspool://EVOLIS/Primacy?host=h&port=0", ERR_USAGE, NULL, NULL, 0},
	{"cardspool://EVOLIS/Primacy?host=h&port=65536", ERR_USAGE, NULL, NULL, 0},
	{"cardspool://EVOLIS/Primacy?host=h&port=-1", ERR_USAGE, NULL, NULL, 0},
};

static void
network_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct usb_printer p = {0};
		struct err e;

		assert_int_equal(uri_find(hosts[i].uri, &p, &e), hosts[i].code);
		if (hosts[i].code)
			continue;
		assert_string_equal(p.name, hosts[i].name);
		assert_string_equal(p.host, hosts[i].host);
		assert_int_equal(p.port, hosts[i].port);
		assert_int_equal(p.vendor, 0x0f49);
	}
}

/* What comes out of the parser goes back in as the same printer; bytes drawn from a fixed seed. */
static void
noise_is_refused_or_kept(void **state)
{
	static const char pieces[][16] = {"cardspool://", "EVOLIS", "/", "?",
		"serial=", "path=", "&", "host=", "port=", "9100", "%20", "%", "%zz", "=", "77",
		"@", "\xff", "2-3", "Primacy"};
	unsigned seed = 7;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		char uri[512] = "cardspool://EVOLIS/Primacy", name[96], again[96], built[512];
		struct usb_printer p;
		struct err e;

		for (unsigned i = 0; i < 8; i++) {
			seed = seed * 1103515245u + 12345u;
			const char *piece = pieces[(seed >> 16) % ARRAY_LEN(pieces)];
			snprintf(uri + strlen(uri), sizeof(uri) - strlen(uri), "%s", piece);
		}
		if (uri_name(uri, name, sizeof(name)) != 0 || !strstr(uri, "host=") ||
			uri_find(uri, &p, &e) != 0)
			continue;
		assert_int_equal(uri_build(built, sizeof(built), &p), 0);
		assert_int_equal(uri_name(built, again, sizeof(again)), 0);
		assert_string_equal(again, p.name);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(printers_and_back),
		cmocka_unit_test(small_buffers_are_refused),
		cmocka_unit_test(wrong_addresses_are_refused),
		cmocka_unit_test(one_printer_needs_no_serial),
		cmocka_unit_test(twins_are_told_apart),
		cmocka_unit_test(network_addresses),
		cmocka_unit_test(noise_is_refused_or_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
