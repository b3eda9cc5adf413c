/*
 * usbip-wire.c - the bytes of USB/IP 1.1.1, from Documentation/usb/usbip_protocol.rst of Linux.
 *
 * Pure: bytes in, bytes out, all numbers big endian. Guarantees that a length is checked before
 * anything behind it is read, and that no transfer above USBIP_DATA_MAX is accepted.
 *
 *   before the import       version 0111h | code (16) | status (32) | bus id [32], import only
 *   device record           path [256] | bus id [32] | bus, device, speed (32 each)
 *                           | vendor, product, release (16 each) | class, subclass, protocol,
 *                           configuration, configurations, interfaces (8 each)
 *   after it, 48 bytes      command | seqnum | devid | direction (1 = IN) | endpoint (32 each)
 *     1 submit              | flags | length | start | packets | interval | setup [8] | OUT data
 *     2 unlink              | seqnum of the transfer | 24 bytes of nothing
 *     3 submit's answer     | status | actual | start | packets | errors | 8 of nothing | IN data
 *     4 unlink's answer     | status | 24 bytes of nothing
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/remote.h"

#include <string.h>

#define VERSION       0x0111
#define SPEED_FULL    2
#define SPEED_HIGH    3
#define RET_SUBMIT    3
#define RET_UNLINK    4
#define INTERFACE_AT  9 /* in the configuration */
#define INTERFACE_LEN 9

enum { AT_COMMAND, AT_SEQNUM, AT_DEVID, AT_DIRECTION, AT_ENDPOINT, AT_BODY };

static uint32_t
u32_at(const uint8_t *bytes, unsigned word)
{
	const uint8_t *b = bytes + (size_t)word * 4;
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

void
usbip_u32_put(uint8_t out[4], uint32_t v)
{
	out[0] = (uint8_t)(v >> 24);
	out[1] = (uint8_t)(v >> 16);
	out[2] = (uint8_t)(v >> 8);
	out[3] = (uint8_t)v;
}

static void
u16_put(uint8_t out[2], unsigned v)
{
	out[0] = (uint8_t)(v >> 8);
	out[1] = (uint8_t)v;
}

int
usbip_op_parse(const uint8_t *bytes, size_t len, enum usbip_op *op, char busid[USBIP_BUSID_LEN + 1])
{
	if (len < USBIP_OP_LEN)
		return 0;
	unsigned version = (unsigned)bytes[0] << 8 | bytes[1];
	unsigned code = (unsigned)bytes[2] << 8 | bytes[3];
	if (version != VERSION || (code != USBIP_OP_DEVLIST && code != USBIP_OP_IMPORT))
		return -1;
	*op = (enum usbip_op)code;
	busid[0] = 0;
	if (code == USBIP_OP_DEVLIST)
		return USBIP_OP_LEN;
	if (len < USBIP_OP_LEN + USBIP_BUSID_LEN)
		return 0;
	memcpy(busid, bytes + USBIP_OP_LEN, USBIP_BUSID_LEN);
	busid[USBIP_BUSID_LEN] = 0;
	return USBIP_OP_LEN + USBIP_BUSID_LEN;
}

int64_t
usbip_pdu_parse(const uint8_t *bytes, size_t len, struct usbip_pdu *out)
{
	if (len < USBIP_PDU_LEN)
		return 0;
	uint32_t command = u32_at(bytes, AT_COMMAND), direction = u32_at(bytes, AT_DIRECTION);
	uint32_t endpoint = u32_at(bytes, AT_ENDPOINT);
	memset(out, 0, sizeof *out);
	out->seqnum = u32_at(bytes, AT_SEQNUM);
	if (command == USBIP_UNLINK) {
		out->command = USBIP_UNLINK;
		out->unlink = u32_at(bytes, AT_BODY);
		return USBIP_PDU_LEN;
	}
	if (command != USBIP_SUBMIT || direction > 1 || endpoint > 15)
		return -1;
	out->command = USBIP_SUBMIT;
	out->endpoint = (uint8_t)(endpoint | (endpoint && direction ? 0x80 : 0));
	out->length = u32_at(bytes, AT_BODY + 1);
	uint32_t packets = u32_at(bytes, AT_BODY + 3);
	if (out->length > USBIP_DATA_MAX || (packets && packets != UINT32_MAX))
		return -1; /* packets: an isochronous transfer, which no printer has */
	memcpy(out->setup, bytes + 40, sizeof out->setup);
	if (direction)
		return USBIP_PDU_LEN;
	if (len - USBIP_PDU_LEN < out->length)
		return 0;
	out->data = bytes + USBIP_PDU_LEN;
	return (int64_t)USBIP_PDU_LEN + out->length;
}

void
usbip_op_build(uint8_t out[USBIP_OP_LEN], enum usbip_op answered, bool refused)
{
	u16_put(out, VERSION);
	u16_put(out + 2, (unsigned)answered & 0x7fff);
	usbip_u32_put(out + 4, refused);
}

/* Descriptors that lie may be short: what is not there counts as 0. */
static uint8_t
config_byte(const struct usb_device *d, size_t at)
{
	at += d->device_len;
	return at < d->descriptors_len ? d->descriptors[at] : 0;
}

static unsigned
interface_count(const struct usb_device *d)
{
	return d->descriptors_len >= d->device_len + INTERFACE_AT + INTERFACE_LEN;
}

void
usbip_record_build(uint8_t out[USBIP_RECORD_LEN], const struct usb_device *d)
{
	const uint8_t *device = d->descriptors;
	bool full_speed = d->printer && d->printer->model->full_speed;
	memset(out, 0, USBIP_RECORD_LEN);
	snprintf((char *)out, 256, "/sys/devices/emu/usb%u/%s", d->bus, d->port);
	snprintf((char *)out + 256, USBIP_BUSID_LEN, "%s", d->port);
	uint8_t *rest = out + 256 + USBIP_BUSID_LEN;
	usbip_u32_put(rest, d->bus);
	usbip_u32_put(rest + 4, d->devnum);
	usbip_u32_put(rest + 8, full_speed ? SPEED_FULL : SPEED_HIGH);
	u16_put(rest + 12, (unsigned)device[9] << 8 | device[8]);
	u16_put(rest + 14, (unsigned)device[11] << 8 | device[10]);
	u16_put(rest + 16, (unsigned)device[13] << 8 | device[12]);
	memcpy(rest + 18, device + 4, 3);
	rest[21] = config_byte(d, 5);
	rest[22] = device[17];
	rest[23] = (uint8_t)interface_count(d);
}

unsigned
usbip_interfaces_build(uint8_t out[4], const struct usb_device *d)
{
	for (size_t i = 0; i < 3; i++)
		out[i] = config_byte(d, INTERFACE_AT + 5 + i);
	out[3] = 0;
	return interface_count(d);
}

static void
answer_build(uint8_t out[USBIP_PDU_LEN], uint32_t command, uint32_t seqnum, int status)
{
	memset(out, 0, USBIP_PDU_LEN);
	usbip_u32_put(out, command);
	usbip_u32_put(out + 4, seqnum);
	usbip_u32_put(out + 20, (uint32_t)status);
}

void
usbip_submitted_build(uint8_t out[USBIP_PDU_LEN], uint32_t seqnum, int status, size_t actual)
{
	answer_build(out, RET_SUBMIT, seqnum, status);
	usbip_u32_put(out + 24, (uint32_t)actual);
	usbip_u32_put(out + 32, UINT32_MAX); /* not isochronous */
}

void
usbip_unlinked_build(uint8_t out[USBIP_PDU_LEN], uint32_t seqnum, int status)
{
	answer_build(out, RET_UNLINK, seqnum, status);
}
