/*
 * usbfs.c - what a client sees through an open file of a USB node: the kernel's usbfs, answered
 * here.
 *
 * Owns the requests. A handle whose device has left answers ENODEV for ever, whatever is plugged in
 * later. All calls with emu->lock held.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <errno.h>
#include <linux/usbdevice_fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <string.h>

#define TRANSFER_MAX                                                                               \
	(4u << 20) /* a controller without scatter/gather takes no more in one piece               \
		    */
#define USBFS_BULK 3
#define SPEED_FULL 2
#define SPEED_HIGH 3

/* ---- requests ---- */

struct request {
	struct emu *emu;
	struct handle *h;
	struct usb_device *d;
	pid_t tid;
	uint64_t notif, arg;
};

static int64_t
interface_check(struct request *r, unsigned *number)
{
	if (!client_read(r->tid, r->arg, number, sizeof *number))
		return -EFAULT;
	return *number == 0 ? 0 : -ENOENT;
}

static int64_t
request_claim(struct request *r)
{
	unsigned number;
	int64_t rc = interface_check(r, &number);
	if (rc)
		return rc;
	owner_settle(r->d, r->h);
	if (r->d->owner == r->h)
		return 0;
	if (r->d->owner || r->d->kernel_driver)
		return -EBUSY;
	r->d->owner = r->h;
	return 0;
}

static int64_t
request_release(struct request *r)
{
	unsigned number;
	int64_t rc = interface_check(r, &number);
	if (rc)
		return rc;
	if (r->d->owner != r->h)
		return -EINVAL;
	r->d->owner = NULL;
	return 0;
}

static int64_t
request_getdriver(struct request *r)
{
	struct usbdevfs_getdriver g;
	if (!client_read(r->tid, r->arg, &g, sizeof g))
		return -EFAULT;
	owner_settle(r->d, r->h);
	const char *name = r->d->owner ? "usbfs" : r->d->kernel_driver ? "usblp" : NULL;
	if (g.interface != 0 || !name)
		return -ENODATA;
	memset(g.driver, 0, sizeof g.driver);
	memcpy(g.driver, name, strlen(name));
	return client_write(r->tid, r->arg, &g, sizeof g) ? 0 : -EFAULT;
}

static int64_t
request_disconnect_claim(struct request *r)
{
	struct usbdevfs_disconnect_claim c;
	if (!client_read(r->tid, r->arg, &c, sizeof c))
		return -EFAULT;
	if (c.interface != 0)
		return -EINVAL;
	owner_settle(r->d, r->h);
	if (r->d->owner && r->d->owner != r->h)
		return -EBUSY;
	r->d->kernel_driver = false;
	r->d->owner = r->h;
	return 0;
}

static int64_t
request_ioctl(struct request *r)
{
	struct usbdevfs_ioctl i;
	if (!client_read(r->tid, r->arg, &i, sizeof i))
		return -EFAULT;
	if (i.ifno != 0)
		return -EINVAL;
	switch ((unsigned)i.ioctl_code) {
	case USBDEVFS_DISCONNECT:
		if (!r->d->kernel_driver)
			return -ENODATA;
		r->d->kernel_driver = false;
		return 0;
	case USBDEVFS_CONNECT:
		owner_settle(r->d, r->h);
		if (r->d->kernel_driver || r->d->owner)
			return -EBUSY;
		r->d->kernel_driver = r->d->printer != NULL;
		return 1;
	}
	return -ENOTTY;
}

/* The kernel claims on first use, when nobody else has the interface. */
static int64_t
interface_use(struct request *r)
{
	owner_settle(r->d, r->h);
	if (!r->d->owner && !r->d->kernel_driver)
		r->d->owner = r->h;
	return r->d->owner == r->h ? 0 : -EBUSY;
}

/* 0, -ENOENT for an endpoint the device lacks, -EBUSY when another has the interface. */
static int64_t
bulk_check(struct request *r, unsigned endpoint)
{
	if (!r->d->printer || !endpoint || (endpoint != r->d->ep_out && endpoint != r->d->ep_in))
		return -ENOENT;
	return interface_use(r);
}

/* A control transfer to an interface or endpoint needs the claim, too; vendors' own requests and
 * GET_DEVICE_ID of a printer do not. */
static int64_t
control_check(struct request *r, const uint8_t setup[8])
{
	enum { TYPE = 0x60, VENDOR = 0x40, RECIPIENT = 0x1f, INTERFACE = 1, ENDPOINT = 2 };
	if (!r->d->printer || (setup[0] & TYPE) == VENDOR || (setup[0] == 0xa1 && setup[1] == 0))
		return 0;
	switch (setup[0] & RECIPIENT) {
	case INTERFACE:
		return setup[4] == 0 ? interface_use(r) : -ENOENT;
	case ENDPOINT: {
		unsigned endpoint = setup[4];
		int64_t rc = (endpoint & 0x7f) ? bulk_check(r, endpoint) : 0;
		/* some have the number right and the direction wrong */
		return rc == -ENOENT ? bulk_check(r, endpoint ^ 0x80) : rc;
	}
	}
	return 0;
}

static int64_t
request_clear_halt(struct request *r)
{
	unsigned endpoint;
	if (!client_read(r->tid, r->arg, &endpoint, sizeof endpoint))
		return -EFAULT;
	int64_t rc = bulk_check(r, endpoint);
	if (rc)
		return rc;
	if ((endpoint & 0x80) != 0)
		r->d->halt_in = false;
	else
		r->d->halt_out = false;
	usb_pump(r->d);
	return 0;
}

static int64_t
request_submit(struct request *r)
{
	struct usbdevfs_urb k;
	if (!client_read(r->tid, r->arg, &k, sizeof k))
		return -EFAULT;
	bool control = k.type == USBDEVFS_URB_TYPE_CONTROL;
	if (!control && k.type != USBDEVFS_URB_TYPE_BULK && k.type != USBDEVFS_URB_TYPE_INTERRUPT)
		return -EINVAL;
	if (k.buffer_length < 0 || (k.buffer_length > 0 && !k.buffer))
		return -EINVAL;
	int64_t rc = control ? 0 : bulk_check(r, k.endpoint);
	if (rc)
		return rc;
	if (control && k.buffer_length < 8)
		return -EINVAL;
	if ((unsigned)k.buffer_length > TRANSFER_MAX)
		return -ENOMEM;
	struct urb *u = calloc(1, sizeof *u);
	size_t len = (size_t)k.buffer_length;
	uint8_t *bytes = u ? malloc(len + 1) : NULL;
	if (!bytes) {
		free(u);
		return -ENOMEM;
	}
	u->handle = r->h;
	u->tid = r->tid;
	u->client_urb = r->arg;
	u->client_buffer = (uint64_t)(uintptr_t)k.buffer;
	u->endpoint = control ? 0 : k.endpoint;
	u->data = bytes;
	u->len = len;
	if ((control || !(k.endpoint & 0x80)) &&
		!client_read(r->tid, u->client_buffer, bytes, len)) {
		free(bytes);
		free(u);
		return -EFAULT;
	}
	if (control) {
		memcpy(u->setup, bytes, sizeof u->setup);
		memmove(bytes, bytes + sizeof u->setup, len - sizeof u->setup);
		u->len = len - sizeof u->setup;
		rc = control_check(r, u->setup);
	}
	if (rc) {
		free(bytes);
		free(u);
		return rc;
	}
	usb_submit(r->d, u);
	return 0;
}

static int64_t
request_discard(struct request *r)
{
	struct urb *queues[] = {r->d->out, r->d->in};
	for (size_t i = 0; i < EMU_LEN(queues); i++)
		for (struct urb *u = queues[i]; u; u = u->next)
			if (u->handle == r->h && !u->sync && u->client_urb == r->arg)
				return usb_cancel(r->d, u) ? 0 : -EINVAL;
	return -EINVAL;
}

static int64_t
request_bulk(struct request *r)
{
	struct usbdevfs_bulktransfer b;
	if (!client_read(r->tid, r->arg, &b, sizeof b))
		return -EFAULT;
	int64_t rc = bulk_check(r, b.ep);
	if (rc)
		return rc;
	if (b.len > TRANSFER_MAX)
		return -ENOMEM;
	struct urb *u = calloc(1, sizeof *u);
	uint8_t *bytes = u ? malloc(b.len + 1) : NULL;
	if (!bytes || (!(b.ep & 0x80) && !client_read(r->tid, (uintptr_t)b.data, bytes, b.len))) {
		free(bytes);
		free(u);
		return bytes ? -EFAULT : -ENOMEM;
	}
	u->handle = r->h;
	u->tid = r->tid;
	u->client_buffer = (uint64_t)(uintptr_t)b.data;
	u->endpoint = (uint8_t)b.ep;
	u->data = bytes;
	u->len = b.len;
	u->sync = true;
	u->notif = r->notif;
	u->deadline_ms = b.timeout ? now_ms() + b.timeout : 0;
	usb_submit(r->d, u);
	return USBFS_PENDING;
}

static int64_t
request_control(struct request *r)
{
	struct usbdevfs_ctrltransfer c;
	uint8_t setup[8], data[4096];
	if (!client_read(r->tid, r->arg, &c, sizeof c))
		return -EFAULT;
	if (c.wLength > sizeof data)
		return -EINVAL;
	memcpy(setup, &c, sizeof setup); /* the same eight bytes, little endian */
	bool in = c.bRequestType & 0x80;
	int64_t rc = control_check(r, setup);
	if (rc)
		return rc;
	if (!in && !client_read(r->tid, (uintptr_t)c.data, data, c.wLength))
		return -EFAULT;
	struct urb *u = calloc(1, sizeof *u);
	uint8_t *bytes = u ? malloc(c.wLength + 1u) : NULL;
	if (!bytes) {
		free(u);
		return -ENOMEM;
	}
	u->handle = r->h;
	u->tid = r->tid;
	u->client_buffer = (uint64_t)(uintptr_t)c.data;
	u->endpoint = in ? 0x80 : 0x00; /* direction for the answer; the pipe is endpoint 0 */
	u->data = bytes;
	u->len = c.wLength;
	u->sync = true;
	u->notif = r->notif;
	memcpy(u->setup, setup, sizeof setup);
	usb_submit(r->d, u);
	return USBFS_PENDING;
}

static int64_t
request_reap(struct request *r, bool wait)
{
	struct handle *h = r->h;
	if (h->done)
		return handle_reap(h, r->tid, r->arg);
	if (h->gone)
		return -ENODEV;
	if (!wait)
		return -EAGAIN;
	if (h->reap_notif)
		return -EAGAIN;
	h->reap_notif = r->notif;
	h->reap_tid = r->tid;
	h->reap_arg = r->arg;
	return USBFS_PENDING;
}

static int64_t
request_number(struct request *r, uint32_t number)
{
	return client_write(r->tid, r->arg, &number, sizeof number) ? 0 : -EFAULT;
}

int64_t
usbfs_ioctl(struct emu *emu, struct handle *h, pid_t tid, uint64_t notif, unsigned request,
	uint64_t arg)
{
	struct request r = {emu, h, h->dev, tid, notif, arg};
	if (request == USBDEVFS_REAPURB || request == USBDEVFS_REAPURBNDELAY)
		return request_reap(&r, request == USBDEVFS_REAPURB);
	if (h->gone)
		return -ENODEV;
	switch (request) {
	case USBDEVFS_GET_CAPABILITIES:
		return request_number(&r, USBDEVFS_CAP_ZERO_PACKET |
						  USBDEVFS_CAP_BULK_CONTINUATION |
						  USBDEVFS_CAP_NO_PACKET_SIZE_LIM |
						  USBDEVFS_CAP_REAP_AFTER_DISCONNECT);
	case USBDEVFS_GET_SPEED:
		return h->dev->printer && h->dev->printer->model->full_speed ? SPEED_FULL
									     : SPEED_HIGH;
	case USBDEVFS_CONNECTINFO: {
		struct usbdevfs_connectinfo info = {.devnum = r.d->devnum};
		return client_write(tid, arg, &info, sizeof info) ? 0 : -EFAULT;
	}
	case USBDEVFS_CLAIMINTERFACE:
		return request_claim(&r);
	case USBDEVFS_RELEASEINTERFACE:
		return request_release(&r);
	case USBDEVFS_GETDRIVER:
		return request_getdriver(&r);
	case USBDEVFS_DISCONNECT_CLAIM:
		return request_disconnect_claim(&r);
	case USBDEVFS_IOCTL:
		return request_ioctl(&r);
	case USBDEVFS_SETCONFIGURATION:
		if (r.d->owner || r.d->kernel_driver)
			return -EBUSY;
		r.d->halt_in = r.d->halt_out = false;
		return 0;
	case USBDEVFS_SETINTERFACE:
	case USBDEVFS_RESET:
		r.d->halt_in = r.d->halt_out = false;
		return 0;
	case USBDEVFS_CLEAR_HALT:
	case USBDEVFS_RESETEP:
		return request_clear_halt(&r);
	case USBDEVFS_SUBMITURB:
		return request_submit(&r);
	case USBDEVFS_DISCARDURB:
		return request_discard(&r);
	case USBDEVFS_BULK:
		return request_bulk(&r);
	case USBDEVFS_CONTROL:
		return request_control(&r);
	}
	return -ENOTTY;
}
