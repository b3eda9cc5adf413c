/*
 * remote.c - a device taken by a kernel elsewhere: the transfers of USB/IP and usbredir.
 *
 * Owns nothing of its own: a remote handle stands in the list of open files and follows its rules.
 * While it is there nobody else gets the interface; an unplug ends its transfers with -ESHUTDOWN
 * and wakes its link by handle->wake. All calls with emu->lock held.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/remote.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

struct handle *
remote_take(struct usb_device *d)
{
	owner_settle(d, NULL);
	if (!d->plugged || !d->printer || d->owner)
		return NULL;
	struct handle *h = calloc(1, sizeof *h);
	if (!h)
		return NULL;
	h->dev = d;
	h->master = -1;
	h->pts = UINT_MAX;
	h->remote = true;
	h->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (h->wake < 0) {
		free(h);
		return NULL;
	}
	h->next = d->emu->handles;
	d->emu->handles = h;
	d->owner = h;
	d->kernel_driver = false;
	d->halt_in = d->halt_out = false;
	return h;
}

void
remote_leave(struct handle *h)
{
	struct usb_device *d = h->dev;
	bool gone = h->gone;
	handle_close(d->emu, h);
	if (!gone)
		d->kernel_driver = true; /* as it was before */
}

int
remote_submit(struct handle *h, uint64_t id, uint8_t endpoint, const uint8_t *setup,
	const void *data, size_t len)
{
	struct usb_device *d = h->dev;
	size_t held = sizeof(struct urb) + len;
	if (h->held + held > REMOTE_HELD_MAX)
		return -1;
	struct urb *u = calloc(1, sizeof *u);
	uint8_t *bytes = u ? calloc(1, len + 1) : NULL;
	if (!bytes) {
		free(u);
		return -1;
	}
	h->held += held;
	u->handle = h;
	u->client_urb = id;
	u->endpoint = endpoint & 0x7f ? endpoint : 0;
	u->data = bytes;
	u->len = len;
	if (data)
		memcpy(bytes, data, len);
	if (setup)
		memcpy(u->setup, setup, sizeof u->setup);
	if (h->gone)
		u->status = -ESHUTDOWN;
	else if (u->endpoint && endpoint != d->ep_out && endpoint != d->ep_in)
		u->status = -EPIPE;
	if (u->status)
		handle_complete(u);
	else
		usb_submit(d, u);
	return 0;
}

bool
remote_cancel(struct handle *h, uint64_t id)
{
	struct urb *queues[] = {h->dev->out, h->dev->in};
	for (size_t i = 0; i < EMU_LEN(queues); i++)
		for (struct urb *u = queues[i]; u; u = u->next)
			if (u->handle == h && u->client_urb == id)
				return usb_cancel(h->dev, u);
	return false;
}

struct urb *
remote_finished(struct handle *h)
{
	struct urb *u = h->done;
	if (!u)
		return NULL;
	h->done = u->next;
	h->held -= sizeof *u + u->len;
	return u;
}

void
remote_free(struct urb *u)
{
	free(u->data);
	free(u);
}

bool
remote_in(const struct urb *u)
{
	return (u->endpoint ? u->endpoint : u->setup[0]) & 0x80;
}

void
remote_reset(struct handle *h)
{
	h->dev->halt_in = h->dev->halt_out = false;
	usb_pump(h->dev);
}
