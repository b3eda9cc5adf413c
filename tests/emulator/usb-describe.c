/*
 * usb-describe.c - what a device says about itself on the bus, and the lies it can be told to tell.
 *
 * Owns the descriptors and the strings. A lie is one row; it begins with the next plug.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <errno.h>
#include <string.h>

#define EP_OUT    0x01
#define EP_IN     0x82
#define PACKET_HS 512
#define PACKET_FS 64
#define HUB_VID   0x1d6b
#define HUB_PID   0x0002

#define LE16(v) (uint8_t)((v)&0xff), (uint8_t)((v) >> 8)

/* Places in the configuration: 9 bytes of it, 9 of the interface, 7 of each endpoint. */
enum {
	AT_TOTAL = 2,
	AT_ENDPOINTS = 9 + 4,
	AT_CLASS = 9 + 5,
	AT_PROTOCOL = 9 + 7,
	AT_OUT_LENGTH = 18,
	AT_OUT = 18 + 2,
	AT_IN_LENGTH = 25,
	AT_IN = 25 + 2,
	CONFIG_LEN = 32
};

const struct usb_other usb_hub = {0x05e3, 0x0608, 9, 9, "hub"},
		       usb_reader = {0x076b, 0x5022, 0, 11, "chip reader"};
static const struct usb_other root_hub = {HUB_VID, HUB_PID, 9, 9, "root hub"};

enum id_lie { ID_TRUE, ID_NONE, ID_SHORT, ID_LONG, ID_OTHER };

/* One byte is other than it should be; the last `cut` bytes are missing. at 0: no such byte. */
static const struct lie {
	const char *word;
	uint8_t at, value, cut;
	uint8_t ep_out, ep_in; /* what the device really has then */
	enum id_lie id;
	bool no_serial;
} lies[] = {
	{"ok", 0, 0, 0, EP_OUT, EP_IN, ID_TRUE, false},
	{"no-in", AT_ENDPOINTS, 1, 7, EP_OUT, 0, ID_TRUE, false},
	{"no-endpoints", AT_ENDPOINTS, 0, 14, 0, 0, ID_TRUE, false},
	{"two-out", AT_IN, 0x03, 0, EP_OUT, 0, ID_TRUE, false},
	{"other-endpoints", AT_IN, 0x81, 0, EP_OUT, 0x81, ID_TRUE, false},
	{"wrong-class", AT_CLASS, 0xff, 0, EP_OUT, EP_IN, ID_TRUE, false},
	{"one-way", AT_PROTOCOL, 1, 0, EP_OUT, EP_IN, ID_TRUE, false},
	{"total-long", AT_TOTAL, 200, 0, EP_OUT, EP_IN, ID_TRUE, false},
	{"total-short", AT_TOTAL, 12, 0, EP_OUT, EP_IN, ID_TRUE, false},
	{"cut", 0, 0, 10, EP_OUT, EP_IN, ID_TRUE, false},
	{"zero-length", AT_OUT_LENGTH, 0, 0, EP_OUT, EP_IN, ID_TRUE, false},
	{"long-endpoint", AT_IN_LENGTH, 250, 0, EP_OUT, EP_IN, ID_TRUE, false},
	{"no-serial", 0, 0, 0, EP_OUT, EP_IN, ID_TRUE, true},
	{"id-none", 0, 0, 0, EP_OUT, EP_IN, ID_NONE, false},
	{"id-short", 0, 0, 0, EP_OUT, EP_IN, ID_SHORT, false},
	{"id-long", 0, 0, 0, EP_OUT, EP_IN, ID_LONG, false},
	{"id-other", 0, 0, 0, EP_OUT, EP_IN, ID_OTHER, false},
};

static const struct lie *
lie_find(const char *word)
{
	for (size_t i = 0; i < EMU_LEN(lies); i++)
		if (!strcmp(lies[i].word, word))
			return &lies[i];
	return NULL;
}

bool
usb_lie(struct usb_device *d, const char *word)
{
	const struct lie *l = lie_find(word);
	if (l)
		snprintf(d->lie, sizeof d->lie, "%s", l->word);
	return l != NULL;
}

static const struct lie *
lie_told(const struct usb_device *d)
{
	return *d->lie ? lie_find(d->lie) : &lies[0];
}

/* Device descriptor, then the configuration with everything below it, as sysfs shows them. */
void
usb_describe(struct usb_device *d, const char *serial)
{
	const struct model *m = d->printer ? d->printer->model : NULL;
	const struct lie *l = lie_told(d);
	const struct usb_other *o = d->other ? d->other : &root_hub;
	const unsigned packet = m && m->full_speed ? PACKET_FS : PACKET_HS;
	const uint8_t device[] = {18, 1, LE16(0x0200), m ? 0 : o->device_class, 0, m ? 0 : 1, 64,
		LE16(m ? m->vid : o->vid), LE16(m ? m->pid : o->pid), LE16(0x0100), 1, 2,
		l->no_serial ? 0 : 3, 1};
	const uint8_t printer[CONFIG_LEN] = {9, 2, LE16(CONFIG_LEN), 1, 1, 0, 0xc0,
		1,                         /* self-powered */
		9, 4, 0, 0, 2, 7, 1, 2, 0, /* printer, bidirectional */
		7, 5, EP_OUT, 2, LE16(packet), 0, 7, 5, EP_IN, 2, LE16(packet), 0};
	const uint8_t hub[] = {9, 2, LE16(25), 1, 1, 0, 0xe0, 0, 9, 4, 0, 0, 1, o->interface_class,
		0, 0, 0, 7, 5, 0x81, 3, LE16(4), 12};
	const uint8_t *config = m ? printer : hub;
	size_t len = m ? (size_t)CONFIG_LEN - l->cut : sizeof hub;
	d->device_len = sizeof device;
	d->descriptors_len = sizeof device + len;
	memcpy(d->descriptors, device, sizeof device);
	memcpy(d->descriptors + sizeof device, config, len);
	if (m && l->at)
		d->descriptors[sizeof device + l->at] = l->value;
	/* a cut that is meant to be believed says its length */
	if (m && l->at == AT_ENDPOINTS)
		d->descriptors[sizeof device + AT_TOTAL] = (uint8_t)len;
	d->ep_out = m ? l->ep_out : 0;
	d->ep_in = m ? l->ep_in : 0;
	d->strings[1] = m ? m->manufacturer : "emulated";
	d->strings[2] = m ? m->product : o->product;
	d->strings[3] = l->no_serial ? NULL : serial;
}

int
usb_string(const struct usb_device *d, unsigned index, uint8_t *out)
{
	if (index > 3 || (index && !d->strings[index]))
		return -EPIPE;
	const char *s = index ? d->strings[index] : "\x09\x04"; /* US English */
	size_t n = index ? strlen(s) : 1;
	out[0] = (uint8_t)(2 + 2 * n);
	out[1] = 3;
	for (size_t i = 0; i < n; i++) {
		out[2 + 2 * i] = (uint8_t)s[i];
		out[3 + 2 * i] = index ? 0 : (uint8_t)s[1];
	}
	return out[0];
}

/* GET_DEVICE_ID: its length, big endian, itself included, then the text. */
int
usb_device_id(const struct usb_device *d, uint8_t *out)
{
	const struct lie *l = lie_told(d);
	const char *id = l->id == ID_OTHER ? "MFG:Nobody;MDL:Nothing;CLS:PRINTER;"
					   : d->printer->model->id1284;
	size_t len = strlen(id) + 2, said = len;
	if (l->id == ID_NONE)
		return -EPIPE;
	if (l->id == ID_SHORT)
		said = 1;
	if (l->id == ID_LONG)
		said = 0x7fff;
	out[0] = (uint8_t)(said >> 8);
	out[1] = (uint8_t)said;
	memcpy(out + 2, id, len - 2);
	return (int)len;
}
