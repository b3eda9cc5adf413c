/*
 * remote.h - what USB/IP and usbredir share: a device in the hands of a kernel elsewhere.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_EMULATOR_REMOTE_H
#define CARDSPOOL_EMULATOR_REMOTE_H

#include "tests/emulator/device.h"

/* Bytes of transfers that one link may have in flight; more is refused. */
#define REMOTE_HELD_MAX (64u << 20)
/* How long a link sleeps at most before it looks whether the emulator ends. */
#define REMOTE_TICK_MS 50

/* All with emu->lock held. NULL: unplugged, somebody else's, or no memory. */
struct handle *remote_take(struct usb_device *d);
void remote_leave(struct handle *h);
/*
 * endpoint with its direction bit, setup for endpoint 0 only, data for OUT only. Completes by
 * remote_finished, under this id. 0, or -1: no memory, or too much in flight.
 */
int remote_submit(struct handle *h, uint64_t id, uint8_t endpoint, const uint8_t *setup,
	const void *data, size_t len);
/* True: it was pending, and completes with -ENOENT. */
bool remote_cancel(struct handle *h, uint64_t id);
/* The next finished transfer or NULL; freed by remote_free. */
struct urb *remote_finished(struct handle *h);
void remote_free(struct urb *u);
/* True: the transfer carries data to the other side. */
bool remote_in(const struct urb *u);
/* Both stalls end: a new configuration, a reset. */
void remote_reset(struct handle *h);

/* ---- USB/IP on the wire (usbip-wire.c), pure ---- */

#define USBIP_OP_LEN     8
#define USBIP_BUSID_LEN  32
#define USBIP_RECORD_LEN 312
#define USBIP_PDU_LEN    48
#define USBIP_DATA_MAX   (16u << 20)

enum usbip_op { USBIP_OP_DEVLIST = 0x8005, USBIP_OP_IMPORT = 0x8003 };
enum usbip_command { USBIP_SUBMIT = 1, USBIP_UNLINK = 2 };

struct usbip_pdu {
	enum usbip_command command;
	uint32_t seqnum;
	uint8_t endpoint; /* with the direction bit; 0 is control both ways */
	uint32_t length;  /* of the transfer */
	uint8_t setup[8];
	const uint8_t *data; /* OUT only, inside the bytes given */
	uint32_t unlink;     /* seqnum of the transfer to be taken back */
};

/* Each returns how many bytes it took, 0: more are needed, -1: this is not USB/IP 1.1.1. */
int usbip_op_parse(
	const uint8_t *bytes, size_t len, enum usbip_op *op, char busid[USBIP_BUSID_LEN + 1]);
int64_t usbip_pdu_parse(const uint8_t *bytes, size_t len, struct usbip_pdu *out);
void usbip_op_build(uint8_t out[USBIP_OP_LEN], enum usbip_op answered, bool refused);
void usbip_record_build(uint8_t out[USBIP_RECORD_LEN], const struct usb_device *d);
/* 4 bytes an interface; returns how many there are, at most 1. */
unsigned usbip_interfaces_build(uint8_t out[4], const struct usb_device *d);
void usbip_submitted_build(uint8_t out[USBIP_PDU_LEN], uint32_t seqnum, int status, size_t actual);
void usbip_unlinked_build(uint8_t out[USBIP_PDU_LEN], uint32_t seqnum, int status);
void usbip_u32_put(uint8_t out[4], uint32_t v);

/* ---- the fronts ---- */

/* where: [ADDRESS:]PORT, port 0: a free one. Says on stdout where it listens. 0, or -1 after a
 * line on stderr. any: addresses other than this machine's own are allowed. */
int usbip_start(struct emu *emu, const char *where, bool any);
/* A socket of this name for one printer. 0, or -1 after a line on stderr. */
int usbredir_start(struct printer *p, const char *path);

#endif
