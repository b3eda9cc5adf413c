/*
 * usb-answer.c - what a USB printer says: a request for one packet that always stands.
 *
 * Owns the transfer of the bulk IN pipe. Guarantees that what came in between two reads is seen by
 * the next one without waiting, and that a read which finds nothing in its time leaves the request
 * standing, so that nothing can fall between two reads. One packet at a time: a reply is one short
 * packet, and a longer transfer would wait for more. On failure a call returns libusb's code.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/usb.h"

#include <libusb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#define PACKET_MAX 1024 /* the largest bulk packet USB knows */

struct usb_answer {
	struct libusb_transfer *transfer;
	bool standing;
	int done;        /* libusb's flag: it came back and was not read yet */
	size_t at, held; /* of a packet that did not fit the caller's buffer */
	uint8_t packet[PACKET_MAX];
};

static void LIBUSB_CALL
answer_take(struct libusb_transfer *t)
{
	struct usb_answer *a = t->user_data;

	a->standing = false;
	a->done = 1;
}

struct usb_answer *
usb_answer_create(struct libusb_device_handle *handle, uint8_t endpoint, uint16_t packet_len)
{
	struct usb_answer *a = calloc(1, sizeof *a);

	if (a)
		a->transfer = libusb_alloc_transfer(0);
	if (!a || !a->transfer || packet_len > PACKET_MAX) {
		usb_answer_destroy(NULL, a);
		return NULL;
	}
	libusb_fill_bulk_transfer(
		a->transfer, handle, endpoint, a->packet, packet_len, answer_take, a, 0);
	return a;
}

/* A request that does not come back is left to the system: its memory may still be written to. */
void
usb_answer_destroy(struct libusb_context *context, struct usb_answer *a)
{
	if (!a)
		return;
	if (a->standing)
		libusb_cancel_transfer(a->transfer);
	for (int i = 0; a->standing && i < 50; i++) {
		struct timeval tick = {.tv_usec = 100000};
		libusb_handle_events_timeout_completed(context, &tick, &a->done);
	}
	if (a->standing)
		return;
	libusb_free_transfer(a->transfer);
	free(a);
}

static int
answer_ask(struct usb_answer *a)
{
	if (a->standing || a->done)
		return 0;
	a->transfer->actual_length = 0;
	int rc = libusb_submit_transfer(a->transfer);
	a->standing = rc == 0;
	return rc;
}

static int
status_code(enum libusb_transfer_status status)
{
	switch (status) {
	case LIBUSB_TRANSFER_COMPLETED:
		return 0;
	case LIBUSB_TRANSFER_STALL:
		return LIBUSB_ERROR_PIPE;
	case LIBUSB_TRANSFER_NO_DEVICE:
		return LIBUSB_ERROR_NO_DEVICE;
	case LIBUSB_TRANSFER_OVERFLOW:
		return LIBUSB_ERROR_OVERFLOW;
	default:
		return LIBUSB_ERROR_IO;
	}
}

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Looks at least once. */
static int
answer_wait(struct libusb_context *context, struct usb_answer *a, unsigned timeout_ms)
{
	int64_t until_us = now_us() + (int64_t)timeout_ms * 1000, left_us;
	int rc = answer_ask(a);

	do {
		left_us = until_us - now_us();
		left_us = left_us > 0 ? left_us : 0;
		struct timeval tv = {.tv_sec = left_us / 1000000, .tv_usec = left_us % 1000000};
		if (rc == 0 && !a->done)
			rc = libusb_handle_events_timeout_completed(context, &tv, &a->done);
		rc = rc == LIBUSB_ERROR_INTERRUPTED ? 0 : rc;
	} while (rc == 0 && !a->done && left_us > 0);
	return rc || a->done ? rc : LIBUSB_ERROR_TIMEOUT;
}

int
usb_answer_read(struct libusb_context *context, struct usb_answer *a, void *bytes, size_t max,
	size_t *len, unsigned timeout_ms)
{
	*len = 0;
	if (a->held == 0) {
		int rc = answer_wait(context, a, timeout_ms);
		if (rc)
			return rc;
		a->done = 0;
		rc = status_code(a->transfer->status);
		if (rc && a->transfer->actual_length == 0)
			return rc;
		a->at = 0;
		a->held = (size_t)a->transfer->actual_length;
	}
	*len = a->held < max ? a->held : max;
	memcpy(bytes, a->packet + a->at, *len);
	a->at += *len;
	a->held -= *len;
	if (a->held == 0)
		answer_ask(a); /* what is wrong with that shows at the next read */
	return 0;
}
