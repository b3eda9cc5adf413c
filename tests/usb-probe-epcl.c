/*
 * usb-probe-epcl.c - an ordinary libusb client of an emulated Zebra printer.
 *
 * Runs inside `cardspool-emulator --model p330i --run`. Makes one card after a fault that it clears
 * by the console. Usage: usb-probe-epcl PRODUCT_ID SOCKET. Prints one line per check that fails;
 * exit status is their number.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include <libusb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define VENDOR   0x0a5f
#define EP_OUT   0x01
#define EP_IN    0x82
#define LIMIT_MS 3000
#define LINES    1024
#define DOTS     640

static int failures;

#define CHECK(ok, ...)                                                                             \
	do {                                                                                       \
		if (!(ok)) {                                                                       \
			printf(__VA_ARGS__);                                                       \
			printf("\n");                                                              \
			failures++;                                                                \
		}                                                                                  \
	} while (0)

/* Writes a command and compares its whole answer. */
static void
ask_bytes(libusb_device_handle *h, const char *head, const uint8_t *data, size_t len,
	const char *expected)
{
	size_t n = strlen(head);
	unsigned char *all = malloc(n + len + 2), answer[512] = "";
	int done = 0, got = 0;
	if (!all)
		exit(99);
	all[0] = 0x1b;
	memcpy(all + 1, head, n);
	if (len)
		memcpy(all + 1 + n, data, len);
	all[1 + n + len] = '\r';
	int rc = libusb_bulk_transfer(h, EP_OUT, all, (int)(n + len + 2), &done, LIMIT_MS);
	CHECK(rc == 0, "%s: write: %s", head, libusb_error_name(rc));
	rc = libusb_bulk_transfer(h, EP_IN, answer, sizeof answer - 1, &got, LIMIT_MS);
	CHECK(rc == 0 && got == (int)strlen(expected) && !memcmp(answer, expected, (size_t)got),
		"%s: %s, %d bytes, first %02x", head, libusb_error_name(rc), got, answer[0]);
	free(all);
}

static void
ask(libusb_device_handle *h, const char *command, const char *expected)
{
	ask_bytes(h, command, NULL, 0, expected);
}

static void
port(libusb_device_handle *h, unsigned expected)
{
	unsigned char status = 0;
	int n = libusb_control_transfer(h, 0xa1, 1, 0, 0, &status, 1, LIMIT_MS);
	CHECK(n == 1 && status == expected, "GET_PORT_STATUS: %d, %02x, not %02x", n, status,
		expected);
}

static void
tell(const char *path, const char *line)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char answer[256] = "";
	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && !connect(fd, (struct sockaddr *)&a, sizeof a) &&
		  write(fd, line, strlen(line)) == (ssize_t)strlen(line) &&
		  read(fd, answer, sizeof answer - 1) > 0;
	CHECK(ok && strstr(answer, "\"ok\":true"), "console: %s: %s", line, answer);
	if (fd >= 0)
		close(fd);
}

/* Yellow: the right half of the card full. Black: its last line, the left edge. */
static void
card_make(libusb_device_handle *h)
{
	uint8_t *plane = calloc(LINES, DOTS);
	if (!plane)
		exit(99);
	memset(plane, 0xff, (size_t)LINES / 2 * DOTS);
	ask_bytes(h, "GS 0 32 0 0 1024 640 ", plane, (size_t)LINES * DOTS, "\x06");
	memset(plane, 0, (size_t)LINES * DOTS);
	memset(plane + (size_t)(LINES - 1) * (DOTS / 8), 0xff, DOTS / 8);
	ask(h, "G 0 0 10 640 1024 1", "\x06");
	ask_bytes(h, "Z", plane, (size_t)LINES * (DOTS / 8), "\x06");
	ask(h, "M 1 IS 0[I[IV 31[MO", "\x06");
	free(plane);
}

int
main(int argc, char **argv)
{
	libusb_context *ctx;
	unsigned char id[256] = "";
	if (argc != 3 || libusb_init(&ctx))
		return 99;
	libusb_device_handle *h =
		libusb_open_device_with_vid_pid(ctx, VENDOR, (uint16_t)strtoul(argv[1], NULL, 16));
	if (!h) {
		printf("no printer with product id %s\n", argv[1]);
		return 98;
	}
	libusb_set_auto_detach_kernel_driver(h, 1);
	CHECK(!libusb_claim_interface(h, 0), "claim");
	int n = libusb_control_transfer(h, 0xa1, 0, 0, 0, id, sizeof id - 1, LIMIT_MS);
	CHECK(n > 2 && strstr((char *)id + 2, "MFG:Zebra;MDL:P"), "GET_DEVICE_ID: %s", id + 2);
	port(h, 0x18);
	ask(h, "MC", "\x06");
	tell(argv[2], "cover open\n");
	ask(h, "MI",
		"\x15"
		"48\x04");
	port(h, 0x30);
	tell(argv[2], "clear\n");
	ask(h, "MI",
		"\x15"
		"48\x04");
	ask(h, ".", "\x06");
	port(h, 0x18);
	card_make(h);
	tell(argv[2], "option terminator 13\n");
	ask(h, "%CLN", "Cpt imp:00000003 next clean Prn:00004997 nb pass:5\r");
	tell(argv[2], "option dock-contactless GO\n");
	/* the P120i has no station: an unknown command */
	ask(h, "GO",
		strcmp(argv[1], "0050") ? "\x06"
					: "\x15"
					  "14\x04");
	ask(h, ".", "\x06");
	ask(h, "Nonsense",
		"\x15"
		"14\x04");
	libusb_close(h);
	libusb_exit(ctx);
	return failures;
}
