/*
 * usb.h - the parts of the USB transport that need no device, for usb.c and its test.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_USB_H
#define CARDSPOOL_USB_H

#include "drivers/driver.h"

/* Which of the n printers found does `which` (NULL: any) mean? A serial number decides; among
 * several with one, and without one, the place on the bus does. ERR_FAULT with FAULT_PRINTER_ABSENT: none; ERR_USAGE:
 * several, named. */
int usb_choose(const struct usb_printer *list, size_t n, const struct usb_printer *which,
	size_t *index, struct err *e);
/* The 1284 id as the class request returns it: two bytes of length, then text. out is printable. */
void usb_device_id_parse(char *out, size_t max, const uint8_t *bytes, size_t len);
/* Drops blanks at both ends and replaces what is not printable ASCII by '?'. */
void usb_text_clean(char *text);
/* What a libusb error code of a bulk transfer means (usb.c). */
enum fault usb_fault(int libusb_code);

/* ---- what the printer says (usb-answer.c) ---- */

struct libusb_context;
struct libusb_device_handle;
struct usb_answer;
/* The request stands from the first read on. NULL: no memory, or an impossible packet length. */
struct usb_answer *usb_answer_create(
	struct libusb_device_handle *handle, uint8_t endpoint, uint16_t packet_len);
/* Before the handle is closed. */
void usb_answer_destroy(struct libusb_context *context, struct usb_answer *a);
/* One packet, at most max bytes of it; the rest comes with the next read. timeout_ms 0: what is
 * there already. 0 or libusb's code, LIBUSB_ERROR_TIMEOUT when there was nothing. */
int usb_answer_read(struct libusb_context *context, struct usb_answer *a, void *bytes, size_t max,
	size_t *len, unsigned timeout_ms);

#endif
