/*
 * test-net.c - the raw TCP transport against a peer of our own on the loopback address, and the
 * reader on a printer's hub in a sysfs made by hand.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/driver.h"

#include <ftw.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct peer {
	int listener, client;
	struct usb_printer who;
	struct transport *t;
};

static void
peer_open(struct peer *p)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	struct err e;

	*p = (struct peer){.client = -1};
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(p->listener >= 0);
	assert_int_equal(bind(p->listener, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(p->listener, 1), 0);
	assert_int_equal(getsockname(p->listener, (struct sockaddr *)&a, &len), 0);
	snprintf(p->who.host, sizeof p->who.host, "127.0.0.1");
	p->who.port = ntohs(a.sin_port);
	assert_int_equal(net_open(&p->t, &p->who, &e), 0);
	p->client = accept(p->listener, NULL, NULL);
	assert_true(p->client >= 0);
}

static void
peer_close(struct peer *p)
{
	p->t->ops->close(p->t);
	if (p->client >= 0)
		close(p->client);
	close(p->listener);
}

static unsigned
elapsed_ms(const struct timespec *from)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned)((now.tv_sec - from->tv_sec) * 1000 +
			  (now.tv_nsec - from->tv_nsec) / 1000000);
}

static void
bytes_go_both_ways(void **state)
{
	char text[64];
	struct peer p;
	struct err e;
	size_t n;

	(void)state;
	peer_open(&p);
	assert_null(p.t->ops->port_status);
	assert_int_equal(p.t->ops->write(p.t, "\033Rsn\r", 5, &n, 1000, &e), 0);
	assert_int_equal(n, 5);
	assert_int_equal(recv(p.client, text, sizeof text, 0), 5);
	assert_memory_equal(text, "\033Rsn\r", 5);
	assert_int_equal(send(p.client, "P1\r", 3, 0), 3);
	assert_int_equal(p.t->ops->read(p.t, text, 2, &n, 1000, &e), 0);
	assert_int_equal(n, 2);
	assert_int_equal(p.t->ops->read(p.t, text, sizeof text, &n, 1000, &e), 0);
	assert_int_equal(n, 1);
	assert_int_equal(text[0], '\r');
	peer_close(&p);
}

static void
silence_is_no_reply(void **state)
{
	struct timespec from;
	char text[64];
	struct peer p;
	struct err e;
	size_t n;

	(void)state;
	peer_open(&p);
	clock_gettime(CLOCK_MONOTONIC, &from);
	assert_int_equal(p.t->ops->read(p.t, text, sizeof text, &n, 60, &e), ERR_DOUBT);
	assert_int_equal(e.fault, FAULT_NO_REPLY);
	assert_in_range(elapsed_ms(&from), 55, 2000);
	/* A printer that takes nothing: the buffers fill, then the limit counts. */
	static uint8_t much[8 << 20];
	assert_int_equal(p.t->ops->write(p.t, much, sizeof much, &n, 60, &e), ERR_DOUBT);
	assert_int_equal(e.fault, FAULT_NO_REPLY);
	assert_in_range(n, 1, sizeof much - 1);
	peer_close(&p);
}

static void
a_closed_line_is_unplugged(void **state)
{
	struct peer p;
	char text[64];
	struct err e;
	int rc = 0;
	size_t n;

	(void)state;
	peer_open(&p);
	close(p.client);
	p.client = -1;
	assert_int_equal(p.t->ops->read(p.t, text, sizeof text, &n, 1000, &e), ERR_DOUBT);
	assert_int_equal(e.fault, FAULT_UNPLUGGED);
	assert_int_equal(n, 0);
	/* The first bytes after that may still be taken by the system. */
	for (int i = 0; i < 50 && rc == 0; i++) {
		rc = p.t->ops->write(p.t, "x", 1, &n, 100, &e);
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	assert_int_equal(rc, ERR_DOUBT);
	assert_int_equal(e.fault, FAULT_UNPLUGGED);
	peer_close(&p);
}

static void
one_program_at_a_time(void **state)
{
	struct transport *second;
	struct peer p;
	struct err e;

	(void)state;
	peer_open(&p);
	assert_int_equal(net_open(&second, &p.who, &e), ERR_BUSY);
	assert_null(second);
	p.t->ops->close(p.t);
	assert_int_equal(net_open(&p.t, &p.who, &e), 0);
	struct usb_printer who = p.who;
	peer_close(&p);
	assert_int_equal(net_open(&second, &who, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_PRINTER_ABSENT);
	assert_null(second);
}

/* ---- the reader beside the printer ------------------------------------------------ */

static void
text_put(const char *root, const char *plug, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof path, "%s/bus/usb/devices/%s", root, plug);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/bus/usb/devices/%s/%s", root, plug, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%s\n", text);
	fclose(f);
}

static void
device_put(const char *root, const char *plug, const char *vendor, const char *product)
{
	text_put(root, plug, "idVendor", vendor);
	text_put(root, plug, "idProduct", product);
}

static int
entry_remove(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static void
reader_on_the_same_hub(void **state)
{
	char root[] = "/tmp/cs.sysfs.XXXXXX", path[256], out[128];
	const char *folders[] = {"bus", "bus/usb", "bus/usb/devices", "bus/usb/devices/1-2.4:1.0",
		"bus/usb/devices/1-2.4:1.0/ttyUSB3"};

	(void)state;
	assert_true(usb_same_hub("1-2.3", "1-2.4"));
	assert_true(usb_same_hub("1-2.3.1", "1-2.3.4"));
	assert_false(usb_same_hub("1-2.3", "1-2.4.1"));
	assert_false(usb_same_hub("1-2.3", "1-20.4"));
	assert_false(usb_same_hub("1-2", "1-3"));
	assert_false(usb_same_hub("", ""));
	assert_non_null(mkdtemp(root));
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		snprintf(path, sizeof path, "%s/%s", root, folders[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	device_put(root, "1-2.3", "0f49", "0a00");
	device_put(root, "1-3", "072f", "2200");
	assert_int_equal(station_usb_beside(out, sizeof out, "1-2.3", root, "/dev"), ERR_MISSING);
	device_put(root, "1-2.4", "10c4", "ea60");
	assert_int_equal(station_usb_beside(out, sizeof out, "1-2.3", root, "/dev"), 0);
	assert_string_equal(out, "nfc:pn532_uart:/dev/ttyUSB3:115200");
	assert_int_equal(station_usb_beside(out, sizeof out, "1-3", root, "/dev"), ERR_MISSING);
	device_put(root, "1-2.1", "04cc", "2533");
	assert_int_equal(station_usb_beside(out, sizeof out, "1-2.3", root, "/dev"), ERR_USAGE);
	assert_int_equal(nftw(root, entry_remove, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void
addresses_of_readers_beside(void **state)
{
	static const struct {
		const char *address, *plug, *whole; /* NULL: refused */
	} cases[] = {
		{"pcsc:usb=", "1-2.3", "pcsc:usb=1-2.*"},
		{"pcsc:ACS X;usb=", "1-2.3.1", "pcsc:ACS X;usb=1-2.3.*"},
		{"pcsc:usb=;dialect=part3", "1-2.3", "pcsc:usb=1-2.*;dialect=part3"},
		{"pcsc:usb=1-9", "1-2", "pcsc:usb=1-9"},
		{"pcsc:ACS usb=", "1-2", "pcsc:ACS usb="},
		{"nfc:pn532_uart:/dev/usb=", "1-2", "nfc:pn532_uart:/dev/usb="},
		{"pcsc:usb=", "1-2", NULL},
		{"pcsc:usb=", "", NULL},
	};
	char out[64];
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int rc = station_address_beside(
			out, sizeof out, cases[i].address, cases[i].plug, &e);
		assert_int_equal(rc, cases[i].whole ? 0 : ERR_USAGE);
		if (cases[i].whole)
			assert_string_equal(out, cases[i].whole);
	}
	assert_int_equal(station_address_beside(out, 8, "pcsc:usb=", "1-2.3", &e), ERR_USAGE);
	assert_true(usb_plug_fits("1-2.4", "1-2.4"));
	assert_false(usb_plug_fits("1-2.4", "1-2"));
	assert_false(usb_plug_fits("", ""));
	assert_true(usb_plug_fits("1-2.4", "1-2.*"));
	assert_false(usb_plug_fits("1-2.4.1", "1-2.*"));
	assert_false(usb_plug_fits("1-20.4", "1-2.*"));
	assert_false(usb_plug_fits("1-2", "1-2.*"));
	assert_false(usb_plug_fits("1-2.", "1-2.*"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_go_both_ways),
		cmocka_unit_test(silence_is_no_reply),
		cmocka_unit_test(a_closed_line_is_unplugged),
		cmocka_unit_test(one_program_at_a_time),
		cmocka_unit_test(reader_on_the_same_hub),
		cmocka_unit_test(addresses_of_readers_beside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
