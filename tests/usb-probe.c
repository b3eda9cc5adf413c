/*
 * usb-probe.c - an ordinary libusb client that walks through what a printer driver needs from the
 * bus.
 *
 * Runs inside `cardspool-emulator --run`. Prints one line per check that fails; exit status is
 * their number. Usage: usb-probe [basic | job | plug SOCKET [lost] | faults SOCKET | send FILE... |
 * ask COMMAND ANSWER ...]; SOCKET is the emulator's console. lost: the controller does not know how
 * much of a transfer went out before an unplug.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <libusb.h>
#include <linux/usbdevice_fs.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VENDOR      0x0f49
#define EP_OUT      0x01
#define EP_IN       0x82
#define LIMIT_MS    3000
#define COLOUR_SIZE 576072 /* 648 x 1016 dots of 7 bits */
#define MONO_SIZE   82296

static int failures;

#define CHECK(ok, ...)                                                                             \
	do {                                                                                       \
		if (!(ok)) {                                                                       \
			printf("%s:%d: ", __func__, __LINE__);                                     \
			printf(__VA_ARGS__);                                                       \
			printf("\n");                                                              \
			failures++;                                                                \
		}                                                                                  \
	} while (0)

static libusb_device_handle *
probe_open(libusb_context *ctx)
{
	libusb_device **list;
	libusb_device_handle *h = NULL;
	ssize_t n = libusb_get_device_list(ctx, &list);
	for (ssize_t i = 0; i < n && !h; i++) {
		struct libusb_device_descriptor d;
		if (!libusb_get_device_descriptor(list[i], &d) && d.idVendor == VENDOR &&
			libusb_open(list[i], &h))
			h = NULL;
	}
	libusb_free_device_list(list, 1);
	if (h)
		libusb_set_auto_detach_kernel_driver(h, 1);
	return h;
}

static int
probe_write(libusb_device_handle *h, const void *bytes, size_t len, int *done)
{
	return libusb_bulk_transfer(
		h, EP_OUT, (unsigned char *)(uintptr_t)bytes, (int)len, done, LIMIT_MS);
}

static int
probe_read(libusb_device_handle *h, char *text, size_t max, unsigned limit_ms)
{
	int n = 0;
	memset(text, 0, max);
	int rc = libusb_bulk_transfer(h, EP_IN, (unsigned char *)text, (int)max - 1, &n, limit_ms);
	return rc ? rc : n;
}

/* Sends one command and compares the whole answer, its 00 included. */
static void
ask(libusb_device_handle *h, const char *command, const char *expected)
{
	char line[128], answer[512];
	int done = 0, n = snprintf(line, sizeof line, "\033%s\r", command);
	int rc = probe_write(h, line, (size_t)n, &done);
	CHECK(rc == 0 && done == n, "%s: write %s", command, libusb_error_name(rc));
	rc = probe_read(h, answer, sizeof answer, LIMIT_MS);
	CHECK(rc == (int)strlen(expected) + 1 && !strcmp(answer, expected),
		"%s: \"%s\" (%d), not \"%s\"", command, answer, rc, expected);
}

static void
ask_plane(libusb_device_handle *h, const char *head, const uint8_t *bytes, size_t len,
	const char *expected)
{
	char answer[512];
	size_t n = strlen(head);
	uint8_t *all = malloc(n + len + 2);
	int done = 0;
	if (!all)
		exit(99);
	all[0] = 0x1b;
	memcpy(all + 1, head, n);
	memcpy(all + 1 + n, bytes, len);
	all[1 + n + len] = '\r';
	int rc = probe_write(h, all, n + len + 2, &done);
	CHECK(rc == 0 && done == (int)(n + len + 2), "%s: write %s", head, libusb_error_name(rc));
	rc = probe_read(h, answer, sizeof answer, LIMIT_MS);
	CHECK(rc > 0 && !strcmp(answer, expected), "%s: \"%s\", not \"%s\"", head, answer,
		expected);
	free(all);
}

static void
tell(const char *socket_path, const char *line)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char answer[256] = "";
	snprintf(a.sun_path, sizeof a.sun_path, "%s", socket_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && !connect(fd, (struct sockaddr *)&a, sizeof a) &&
		  write(fd, line, strlen(line)) == (ssize_t)strlen(line) &&
		  write(fd, "\n", 1) == 1 && read(fd, answer, sizeof answer - 1) > 0;
	CHECK(ok && strstr(answer, "\"ok\":true"), "console: %s: %s", line, answer);
	if (fd >= 0)
		close(fd);
}

static unsigned
elapsed_ms(const struct timespec *since)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned)((now.tv_sec - since->tv_sec) * 1000 +
			  (now.tv_nsec - since->tv_nsec) / 1000000);
}

/* ---- the bus ---- */

static void
check_control(libusb_device_handle *h)
{
	unsigned char id[256] = "", status = 0;
	int n = libusb_control_transfer(h, 0xa1, 0, 0, 0, id, sizeof id - 1, LIMIT_MS);
	CHECK(n > 2 && n == (id[0] << 8 | id[1]), "GET_DEVICE_ID: %d, length field %d", n,
		id[0] << 8 | id[1]);
	CHECK(strstr((char *)id + 2, "MFG:EVOLIS ;MDL:Dualys 3;"), "GET_DEVICE_ID: %s", id + 2);
	n = libusb_control_transfer(h, 0xa1, 1, 0, 0, &status, 1, LIMIT_MS);
	CHECK(n == 1 && (status & 0x18) == 0x18, "GET_PORT_STATUS: %d, %02x", n, status);
	n = libusb_control_transfer(h, 0x21, 2, 0, 0, NULL, 0, LIMIT_MS);
	CHECK(n == 0, "SOFT_RESET: %d", n);
	n = libusb_control_transfer(h, 0xa1, 99, 0, 0, id, 8, LIMIT_MS);
	CHECK(n == LIBUSB_ERROR_PIPE, "a request nobody knows: %d", n);
	struct libusb_device_descriptor d;
	libusb_get_device_descriptor(libusb_get_device(h), &d);
	n = libusb_get_string_descriptor_ascii(h, d.iSerialNumber, id, sizeof id);
	CHECK(n > 0 && !strcmp((char *)id, "D3-0001"), "serial number: %d %s", n, id);
}

static void
check_limits(libusb_device_handle *h)
{
	char answer[64];
	static const unsigned limits[] = {50, 200};
	for (size_t i = 0; i < 2; i++) {
		struct timespec t;
		clock_gettime(CLOCK_MONOTONIC, &t);
		int rc = probe_read(h, answer, sizeof answer, limits[i]);
		unsigned ms = elapsed_ms(&t);
		CHECK(rc == LIBUSB_ERROR_TIMEOUT, "a read with no reply: %d", rc);
		CHECK(ms >= limits[i] && ms < limits[i] + 100, "a limit of %u ms took %u",
			limits[i], ms);
	}
	ask(h, "Rtp", "Dualys 3");
}

/* The claim belongs to the open file: a second one is refused, a re-opened one is not. */
static void
check_claims(libusb_context *ctx, libusb_device_handle *h)
{
	libusb_device_handle *second = probe_open(ctx);
	CHECK(second != NULL, "a second open");
	CHECK(libusb_claim_interface(second, 0) == LIBUSB_ERROR_BUSY,
		"a second claim was not refused");
	libusb_close(second);
	libusb_close(h); /* without release */
	for (int i = 0; i < 50; i++) {
		h = probe_open(ctx);
		int rc = h ? libusb_claim_interface(h, 0) : -1;
		CHECK(rc == 0, "claim after close number %d: %s", i, libusb_error_name(rc));
		if (i % 2 == 0 && !rc)
			libusb_release_interface(h, 0);
		libusb_close(h);
	}
	pid_t child = fork();
	if (child == 0) {
		libusb_context *own;
		if (libusb_init(&own))
			_exit(2);
		libusb_device_handle *mine = probe_open(own);
		_exit(mine && libusb_claim_interface(mine, 0) == 0 ? 0 : 1);
	}
	int status = -1;
	waitpid(child, &status, 0);
	CHECK(status == 0, "a child could not claim");
	h = probe_open(ctx);
	CHECK(libusb_claim_interface(h, 0) == 0, "claim after the owner's death");
	libusb_close(h);
}

/* While usblp has the interface: only a printer's id may be asked. */
static void
check_unclaimed(int fd, struct usbdevfs_ctrltransfer *status)
{
	unsigned char id[64];
	unsigned endpoint = EP_OUT;
	struct usbdevfs_ctrltransfer c = {.bRequestType = 0xa1, .wLength = sizeof id, .data = id};
	struct usbdevfs_ioctl detach = {.ifno = 0, .ioctl_code = USBDEVFS_DISCONNECT};
	struct usbdevfs_ioctl attach = {.ifno = 0, .ioctl_code = USBDEVFS_CONNECT};
	ioctl(fd, USBDEVFS_IOCTL, &attach);
	CHECK(ioctl(fd, USBDEVFS_CONTROL, &c) > 2, "GET_DEVICE_ID beside usblp: %s",
		strerror(errno));
	CHECK(ioctl(fd, USBDEVFS_CONTROL, status) == -1 && errno == EBUSY,
		"GET_PORT_STATUS beside usblp: %s", strerror(errno));
	CHECK(ioctl(fd, USBDEVFS_CLEAR_HALT, &endpoint) == -1 && errno == EBUSY,
		"CLEAR_HALT beside usblp: %s", strerror(errno));
	endpoint = 0x07;
	CHECK(ioctl(fd, USBDEVFS_CLEAR_HALT, &endpoint) == -1 && errno == ENOENT,
		"CLEAR_HALT of nothing: %s", strerror(errno));
	CHECK(ioctl(fd, USBDEVFS_IOCTL, &detach) == 0, "detach: %s", strerror(errno));
	CHECK(ioctl(fd, USBDEVFS_IOCTL, &detach) == -1 && errno == ENODATA, "a second detach: %s",
		strerror(errno));
}

/* What a kernel refuses before anything is sent. */
static void
check_submit(int fd)
{
	struct usbdevfs_urb urb = {
		.type = USBDEVFS_URB_TYPE_BULK, .endpoint = EP_OUT, .buffer_length = 64};
	CHECK(ioctl(fd, USBDEVFS_SUBMITURB, &urb) == -1 && errno == EINVAL, "no buffer: %s",
		strerror(errno));
	urb.buffer_length = 16 << 20;
	urb.buffer = calloc(1, (size_t)urb.buffer_length);
	CHECK(ioctl(fd, USBDEVFS_SUBMITURB, &urb) == -1 && errno == ENOMEM,
		"16 MiB in one piece: %s", strerror(errno));
	free(urb.buffer);
}

/* Without libusb: descriptors by read(2), the synchronous requests of libusb-0.1. */
static void
check_raw(libusb_context *ctx)
{
	char path[64];
	unsigned char d[128];
	libusb_device_handle *h = probe_open(ctx);
	snprintf(path, sizeof path, "/dev/bus/usb/%03d/%03d",
		libusb_get_bus_number(libusb_get_device(h)),
		libusb_get_device_address(libusb_get_device(h)));
	libusb_close(h);
	int fd = open(path, O_RDWR | O_CLOEXEC), number = 0;
	CHECK(fd >= 0, "%s: %s", path, strerror(errno));
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC, "O_CLOEXEC was lost");
	ssize_t n = read(fd, d, 18);
	CHECK(n == 18 && d[1] == 1 && d[8] == 0x49 && d[9] == 0x0f, "device descriptor: %zd", n);
	n = read(fd, d, sizeof d);
	CHECK(n == 32 && d[1] == 2, "configuration: %zd", n);
	n = read(fd, d, sizeof d);
	CHECK(n == 0, "after the end: %zd", n);
	struct usbdevfs_ctrltransfer c = {
		.bRequestType = 0xa1, .bRequest = 1, .wLength = 1, .data = d};
	check_unclaimed(fd, &c);
	CHECK(ioctl(fd, USBDEVFS_CLAIMINTERFACE, &number) == 0, "claim: %s", strerror(errno));
	CHECK(ioctl(fd, USBDEVFS_CONTROL, &c) == 1 && d[0] == 0x18, "USBDEVFS_CONTROL: %02x", d[0]);
	int one = 1;
	CHECK(ioctl(fd, USBDEVFS_SETCONFIGURATION, &one) == -1 && errno == EBUSY,
		"a configuration below a claim: %s", strerror(errno));
	char question[] = "\033Rok\r";
	struct usbdevfs_bulktransfer out = {
		.ep = EP_OUT, .len = 5, .timeout = 500, .data = question};
	struct usbdevfs_bulktransfer in = {.ep = EP_IN, .len = 64, .timeout = 500, .data = d};
	CHECK(ioctl(fd, USBDEVFS_BULK, &out) == 5, "USBDEVFS_BULK out: %s", strerror(errno));
	CHECK(ioctl(fd, USBDEVFS_BULK, &in) == 3 && !memcmp(d, "OK", 3), "USBDEVFS_BULK in");
	in.timeout = 30;
	CHECK(ioctl(fd, USBDEVFS_BULK, &in) == -1 && errno == ETIMEDOUT, "a limit: %s",
		strerror(errno));
	check_submit(fd);
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	CHECK(poll(&p, 1, 0) == 0, "writable with nothing to reap");
	close(fd);
}

/* ---- cards ---- */

static void
check_commands(libusb_device_handle *h)
{
	char answer[64];
	int done;
	probe_write(h, "\033Pr;ymcko\r", 10, &done);
	CHECK(probe_read(h, answer, sizeof answer, 50) == LIBUSB_ERROR_TIMEOUT,
		"printer mode answered \"%s\"", answer);
	ask(h, "Rsn", "D3-0001");
	ask(h, "Pem;2", "OK");
	ask(h, "Rem", "2;0");
	ask(h, "Pc;y;+", "OK");
	ask(h, "Rc;y", "11");
	ask(h, "Nonsense", "ERROR CDE");
	ask(h, "Pmi;X", "ERROR PARAMETRES");
	ask(h, "Rlr;p", "NO CARD");
	ask(h, "Rlr;h", "CARD");
	ask(h, "Rse;o", "5,00 Volts");
	ask(h, "Pr;ymcko", "OK");
	ask(h, "Rr", "ymcko");
}

/* One duplex-less colour card: yellow top left corner in the artwork, black dot at its top right.
 */
static void
check_job(libusb_device_handle *h)
{
	uint8_t *y = calloc(1, COLOUR_SIZE), *k = calloc(1, MONO_SIZE), *o = malloc(MONO_SIZE);
	if (!y || !k || !o)
		exit(99);
	memset(o, 0xff, MONO_SIZE);
	y[566] = 0x01; /* artwork (0, 0): line 0, dot 647, the last 7 bits of the line */
	y[566] |= 0x7e;
	k[MONO_SIZE - 1] = 0x01; /* artwork (1015, 0): last line, last dot */
	ask(h, "Sic", "OK");
	ask(h, "Rlr;p", "CONTACTLESS CARD");
	ask(h, "Si", "OK");
	ask(h, "Rlr;p", "CARD");
	ask(h, "Ss", "OK");
	ask(h, "Sr", "OK");
	ask_plane(h, "Db;y;128;", y, COLOUR_SIZE, "OK");
	ask_plane(h, "Db;k;2;", k, MONO_SIZE, "OK");
	ask_plane(h, "Db;o;2;", o, MONO_SIZE, "OK");
	ask(h, "Se", "OK");
	ask(h, "Rlr;p", "NO CARD");
	ask(h, "Rco;c", "1");
	ask(h, "Sis", "OK");
	ask(h, "Rlr;p", "SMART CARD");
	ask(h, "Ser", "OK");
	ask(h, "Rco;c", "1");
	free(y);
	free(k);
	free(o);
}

static void
check_faults(libusb_device_handle *h, const char *console)
{
	char answer[64];
	unsigned char status = 0;
	int done;
	ask(h, "Pem;2", "OK");
	tell(console, "cover open");
	ask(h, "Si", "COVER OPEN");
	libusb_control_transfer(h, 0xa1, 1, 0, 0, &status, 1, LIMIT_MS);
	CHECK(status == 0x10, "port status with the cover open: %02x", status);
	ask(h, "Rse;o", "0,00 Volts");
	tell(console, "clear");
	tell(console, "at card 2 jam feed");
	ask(h, "Si", "OK");
	ask(h, "Se", "OK");
	ask(h, "Si", "CARD JAM");
	ask(h, "Se", "CARD JAM");
	tell(console, "clear");
	ask(h, "Rlr;p", "NO CARD");
	tell(console, "hopper empty");
	ask(h, "Si", "FEEDER EMPTY");
	tell(console, "clear");
	tell(console, "ribbon end");
	ask(h, "Ss", "ERROR RIBBON");
	tell(console, "ribbon new");
	tell(console, "output full");
	ask(h, "Si", "OK");
	ask(h, "Se", "HOPPER FULL");
	tell(console, "output empty");
	ask(h, "Se", "OK");
	tell(console, "mute");
	probe_write(h, "\033Rok\r", 5, &done);
	CHECK(probe_read(h, answer, sizeof answer, 50) == LIBUSB_ERROR_TIMEOUT, "mute answered");
	tell(console, "clear");
	tell(console, "stall out");
	CHECK(probe_write(h, "\033Rok\r", 5, &done) == LIBUSB_ERROR_PIPE, "no stall");
	libusb_clear_halt(h, EP_OUT);
	ask(h, "Rok", "OK");
	tell(console, "hang for 100");
	int rc = libusb_bulk_transfer(h, EP_OUT, (unsigned char *)answer, 5, &done, 30);
	CHECK(rc == LIBUSB_ERROR_TIMEOUT && done == 0, "hang: %d, %d bytes", rc, done);
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	ask(h, "Rok", "OK");
	CHECK(elapsed_ms(&t) >= 40, "the fault ended early");
	tell(console, "reply-delay 60");
	CHECK(probe_write(h, "\033Rok\r", 5, &done) == 0, "write");
	CHECK(probe_read(h, answer, sizeof answer, 20) == LIBUSB_ERROR_TIMEOUT, "no delay");
	CHECK(probe_read(h, answer, sizeof answer, LIMIT_MS) == 3, "a delayed reply");
	tell(console, "clear");
	tell(console, "at cmd Rsn#2 cover open");
	ask(h, "Rsn", "D3-0001");
	ask(h, "Rse;o", "5,00 Volts");
	ask(h, "Rsn", "D3-0001");
	ask(h, "Rse;o", "0,00 Volts");
	tell(console, "clear");
}

static int
hotplug_seen(libusb_context *ctx, libusb_device *dev, libusb_hotplug_event event, void *counts)
{
	(void)ctx;
	(void)dev;
	((int *)counts)[event == LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED]++;
	return 0;
}

static void
check_plug(libusb_context *ctx, libusb_device_handle *h, const char *console, bool lost)
{
	char answer[64];
	int done = 0, seen[2] = {0, 0};
	libusb_hotplug_callback_handle callback;
	int rc = libusb_hotplug_register_callback(ctx,
		LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT, 0, VENDOR,
		LIBUSB_HOTPLUG_MATCH_ANY, LIBUSB_HOTPLUG_MATCH_ANY, hotplug_seen, seen, &callback);
	CHECK(rc == 0, "hotplug: %s", libusb_error_name(rc));
	tell(console, "at ms 50 unplug");
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	rc = probe_read(h, answer, sizeof answer, LIMIT_MS);
	CHECK(rc == LIBUSB_ERROR_NO_DEVICE || rc == LIBUSB_ERROR_IO, "read during unplug: %s",
		libusb_error_name(rc));
	CHECK(elapsed_ms(&t) < 1000, "the reader slept for %u ms", elapsed_ms(&t));
	rc = probe_write(h, "\033Rok\r", 5, &done);
	CHECK(rc == LIBUSB_ERROR_NO_DEVICE, "write after unplug: %s", libusb_error_name(rc));
	tell(console, "plug");
	rc = probe_write(h, "\033Rok\r", 5, &done);
	CHECK(rc == LIBUSB_ERROR_NO_DEVICE, "the old handle reached the new device: %s",
		libusb_error_name(rc));
	libusb_device_handle *again = NULL;
	clock_gettime(CLOCK_MONOTONIC, &t);
	while (!again && elapsed_ms(&t) < 2000) {
		struct timeval tick = {0, 10000};
		libusb_handle_events_timeout(ctx, &tick);
		again = probe_open(ctx);
	}
	CHECK(again && libusb_claim_interface(again, 0) == 0, "no device after replug");
	if (again)
		ask(again, "Rok", "OK");
	CHECK(seen[0] == 1 && seen[1] == 1, "hotplug: %d left, %d arrived", seen[0], seen[1]);
	rc = probe_write(h, "\033Rok\r", 5, &done);
	CHECK(rc == LIBUSB_ERROR_NO_DEVICE, "the old handle came back: %s", libusb_error_name(rc));
	libusb_close(h);
	tell(console, "unplug-after 100000");
	uint8_t *zeros = calloc(1, 300000);
	rc = again ? probe_write(again, zeros, 300000, &done) : 0;
	CHECK(rc != 0 && (done == 100000 || (lost && done == 0)),
		"unplug after 100000 bytes: %s, %d", libusb_error_name(rc), done);
	free(zeros);
	if (again)
		libusb_close(again);
	tell(console, "plug");
	libusb_hotplug_deregister_callback(ctx, callback);
}

/* A whole job, blind, as a spooler's backend sends it. */
static void
send_file(libusb_device_handle *h, const char *path)
{
	static uint8_t piece[65536];
	FILE *f = fopen(path, "rbe");
	size_t n;
	CHECK(f, "%s: %s", path, strerror(errno));
	while (f && (n = fread(piece, 1, sizeof piece, f)) > 0) {
		int done = 0, rc = probe_write(h, piece, n, &done);
		CHECK(rc == 0 && done == (int)n, "%s: write %s", path, libusb_error_name(rc));
	}
	if (f)
		fclose(f);
}

int
main(int argc, char **argv)
{
	libusb_context *ctx;
	const char *what = argc > 1 ? argv[1] : "basic", *console = argc > 2 ? argv[2] : "";
	if (libusb_init(&ctx))
		return 98;
	libusb_device_handle *h = probe_open(ctx);
	if (!h) {
		printf("no device of vendor %04x\n", VENDOR);
		return 97;
	}
	int rc = libusb_claim_interface(h, 0);
	CHECK(rc == 0, "claim: %s", libusb_error_name(rc));
	if (!strcmp(what, "basic")) {
		check_control(h);
		check_limits(h);
		check_claims(ctx, h);
		check_raw(ctx);
	} else if (!strcmp(what, "job")) {
		check_commands(h);
		check_job(h);
		libusb_close(h);
	} else if (!strcmp(what, "faults")) {
		check_faults(h, console);
		libusb_close(h);
	} else if (!strcmp(what, "send")) {
		for (int i = 2; i < argc; i++)
			send_file(h, argv[i]);
		libusb_close(h);
	} else if (!strcmp(what, "ask")) {
		for (int i = 2; i + 1 < argc; i += 2)
			ask(h, argv[i], argv[i + 1]);
		libusb_close(h);
	} else if (!strcmp(what, "plug")) {
		check_plug(ctx, h, console, argc > 3 && !strcmp(argv[3], "lost"));
	}
	libusb_exit(ctx);
	return failures > 90 ? 90 : failures;
}
