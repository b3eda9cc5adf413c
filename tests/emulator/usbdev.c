/*
 * usbdev.c - a USB device of the printer class, as the bus sees it: endpoint 0, one bulk pipe each
 * way.
 *
 * Owns the queued transfers. Every transfer that was submitted completes exactly once: with data,
 * cancelled
 * (-ENOENT), stalled (-EPIPE) or because the device left (-ESHUTDOWN). All calls with emu->lock
 * held.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REPLIES_MAX 65536

static void
urb_finish(struct urb *u, int status)
{
	u->status = status;
	handle_complete(u);
}

static struct urb *
queue_pop(struct urb **queue)
{
	struct urb *u = *queue;
	*queue = u->next;
	u->next = NULL;
	return u;
}

static void
queue_push(struct urb **queue, struct urb *u)
{
	while (*queue)
		queue = &(*queue)->next;
	*queue = u;
}

static void
queue_fail(struct urb **queue, int status)
{
	while (*queue)
		urb_finish(queue_pop(queue), status);
}

/* ---- endpoint 0 ---- */

static int
get_descriptor(struct usb_device *d, unsigned value, uint8_t *out)
{
	switch (value >> 8) {
	case 1:
		memcpy(out, d->descriptors, d->device_len);
		return (int)d->device_len;
	case 2:
		memcpy(out, d->descriptors + d->device_len, d->descriptors_len - d->device_len);
		return (int)(d->descriptors_len - d->device_len);
	case 3:
		return usb_string(d, value & 0xff, out);
	}
	return -EPIPE;
}

static bool *
halt_flag(struct usb_device *d, unsigned endpoint)
{
	if (!endpoint)
		return NULL;
	return endpoint == d->ep_out ? &d->halt_out : endpoint == d->ep_in ? &d->halt_in : NULL;
}

/* bmRequestType and bRequest in one number; a length, or -EPIPE. out has room for 512 bytes. */
static int
control_answer(struct usb_device *d, const uint8_t *setup, uint8_t *out)
{
	unsigned value = setup[2] | (unsigned)setup[3] << 8,
		 index = setup[4] | (unsigned)setup[5] << 8;
	bool *halt = halt_flag(d, index & 0xff);
	out[0] = out[1] = 0;
	switch (setup[0] << 8 | setup[1]) {
	case 0x8000: /* GET_STATUS of the device: self-powered */
		out[0] = 1;
		return 2;
	case 0x8100:
		return 2;
	case 0x8200:
		out[0] = halt && *halt;
		return 2;
	case 0x0201: /* CLEAR_FEATURE(halt) */
		if (halt)
			*halt = false;
		return 0;
	case 0x8006:
		return get_descriptor(d, value, out);
	case 0x8008: /* GET_CONFIGURATION */
		out[0] = 1;
		return 1;
	case 0x0009: /* SET_CONFIGURATION */
	case 0x010b: /* SET_INTERFACE */
		return value > 1 ? -EPIPE : 0;
	case 0x810a:
		return 1;
	}
	if (!d->printer)
		return -EPIPE;
	switch (setup[0] << 8 | setup[1]) {
	case 0xa100:
		return usb_device_id(d, out);
	case 0xa101: /* GET_PORT_STATUS */
		out[0] = machine_port_status(d->printer);
		return 1;
	case 0x2102: /* SOFT_RESET */
	case 0x2302:
		d->link_was_reset = true;
		d->fifo_len = 0;
		while (d->replies) {
			struct reply *r = d->replies;
			d->replies = r->next;
			free(r);
		}
		pthread_cond_broadcast(&d->emu->work);
		return 0;
	}
	return -EPIPE;
}

static void
control_run(struct usb_device *d, struct urb *u)
{
	uint8_t out[512];
	int n = control_answer(d, u->setup, out);
	if (n < 0) {
		urb_finish(u, n);
		return;
	}
	if (u->setup[0] & 0x80) {
		u->actual = (size_t)n < u->len ? (size_t)n : u->len;
		memcpy(u->data, out, u->actual);
	} else {
		u->actual = u->len;
	}
	urb_finish(u, 0);
}

/* ---- the bulk pipes ---- */

static void
pump_in(struct usb_device *d)
{
	while (d->in && d->halt_in)
		urb_finish(queue_pop(&d->in), -EPIPE);
	/* whole packets without end: no short one ever closes the answer */
	while (d->in && d->babbles) {
		struct urb *u = queue_pop(&d->in);
		memset(u->data, 'O', u->len);
		u->actual = u->len;
		d->bytes_in += u->len;
		urb_finish(u, 0);
	}
	while (d->in && d->replies && d->replies->due_ms <= now_ms()) {
		struct reply *r = d->replies;
		struct urb *u = queue_pop(&d->in);
		size_t n = r->len - r->sent < u->len ? r->len - r->sent : u->len;
		memcpy(u->data, r->bytes + r->sent, n);
		r->sent += n;
		u->actual = n;
		d->bytes_in += n;
		if (r->sent == r->len) {
			d->replies = r->next;
			free(r);
		}
		urb_finish(u, 0);
	}
}

/* How many bytes the printer takes now, by buffer space and pace. */
static size_t
out_room(struct usb_device *d)
{
	size_t room = d->fifo_max - d->fifo_len;
	if (d->slow_bps) {
		uint64_t may = (now_ms() - d->slow_since_ms) * d->slow_bps / 1000;
		uint64_t left = may > d->slow_taken ? may - d->slow_taken : 0;
		/* what a silent line could have carried is lost, not saved up */
		uint64_t most = d->slow_bps / 100 + 64;
		if (left > most) {
			d->slow_taken = may - most;
			left = most;
		}
		room = left < room ? (size_t)left : room;
	}
	if (d->unplug_after >= 0 && (uint64_t)d->unplug_after < room)
		room = (size_t)d->unplug_after;
	return room;
}

static void
pump_out(struct usb_device *d)
{
	while (d->out) {
		struct urb *u = d->out;
		if (d->halt_out) {
			urb_finish(queue_pop(&d->out), -EPIPE);
			continue;
		}
		size_t n = u->len - u->actual, room = out_room(d);
		n = n < room ? n : room;
		if (n) {
			memcpy(d->fifo + d->fifo_len, u->data + u->actual, n);
			pthread_cond_broadcast(&d->emu->work);
		}
		d->fifo_len += n;
		u->actual += n;
		d->bytes_out += n;
		d->slow_taken += n;
		if (d->unplug_after >= 0)
			d->unplug_after -= (int64_t)n;
		if (u->actual == u->len)
			urb_finish(queue_pop(&d->out), 0);
		if (d->unplug_after == 0) {
			d->unplug_after = -1;
			usb_plug(d, false);
			return;
		}
		if (u == d->out)
			return;
	}
}

void
usb_pump(struct usb_device *d)
{
	if (!d->plugged || d->hang || !d->printer)
		return;
	pump_out(d);
	pump_in(d);
}

uint64_t
usb_next_due(const struct usb_device *d)
{
	uint64_t due = UINT64_MAX;
	if (!d->plugged || d->hang)
		return due;
	if (d->out && d->slow_bps)
		due = now_ms() + 5;
	if (d->in && d->replies && d->replies->due_ms < due)
		due = d->replies->due_ms;
	for (const struct urb *u = d->out; u; u = u->next)
		if (u->deadline_ms && u->deadline_ms < due)
			due = u->deadline_ms;
	for (const struct urb *u = d->in; u; u = u->next)
		if (u->deadline_ms && u->deadline_ms < due)
			due = u->deadline_ms;
	return due;
}

void
usb_submit(struct usb_device *d, struct urb *u)
{
	if ((u->endpoint & 0x7f) == 0) {
		control_run(d, u);
		return;
	}
	queue_push(u->endpoint == d->ep_out ? &d->out : &d->in, u);
	usb_pump(d);
	pthread_cond_signal(&d->emu->clock);
}

static bool
queue_take(struct urb **queue, struct urb *u)
{
	for (; *queue; queue = &(*queue)->next) {
		if (*queue == u) {
			*queue = u->next;
			u->next = NULL;
			return true;
		}
	}
	return false;
}

bool
usb_cancel(struct usb_device *d, struct urb *u)
{
	if (!queue_take(&d->out, u) && !queue_take(&d->in, u))
		return false;
	urb_finish(u, -ENOENT);
	return true;
}

/* Time limits of synchronous transfers. */
void
usb_expire(struct usb_device *d)
{
	uint64_t now = now_ms();
	struct urb **queues[] = {&d->out, &d->in};
	for (size_t i = 0; i < EMU_LEN(queues); i++) {
		for (struct urb *u = *queues[i], *next; u; u = next) {
			next = u->next;
			if (u->deadline_ms && u->deadline_ms <= now && queue_take(queues[i], u))
				urb_finish(u, -ETIMEDOUT);
		}
	}
}

/* The client closed: nobody will reap these. */
void
usb_drop_handle(struct usb_device *d, struct handle *h)
{
	struct urb **queues[] = {&d->out, &d->in};
	for (size_t i = 0; i < EMU_LEN(queues); i++) {
		for (struct urb **at = queues[i]; *at;) {
			struct urb *u = *at;
			if (u->handle != h) {
				at = &u->next;
				continue;
			}
			*at = u->next;
			free(u->data);
			free(u);
		}
	}
	if (d->owner == h)
		d->owner = NULL;
}

void
usb_reply(struct usb_device *d, const void *bytes, size_t len)
{
	size_t held = 0;
	struct reply **at = &d->replies;
	for (; *at; at = &(*at)->next)
		held += (*at)->len;
	if (!d->plugged || held + len > REPLIES_MAX)
		return;
	struct reply *r = calloc(1, sizeof *r + len);
	if (!r)
		return;
	r->len = len;
	r->due_ms = now_ms() + d->reply_delay_ms;
	memcpy(r->bytes, bytes, len);
	*at = r;
	usb_pump(d);
	pthread_cond_signal(&d->emu->clock);
}

void
usb_babble(struct usb_device *d)
{
	d->babbles = true;
	usb_pump(d);
}

void
usb_done(struct usb_device *d)
{
	while (d->replies) {
		struct reply *r = d->replies;
		d->replies = r->next;
		free(r);
	}
	free(d->fifo);
	d->fifo = NULL;
}

void
usb_plug(struct usb_device *d, bool on)
{
	struct emu *emu = d->emu;
	if (d->plugged == on)
		return;
	emu_log(emu, "usb %s: %s", d->port, on ? "plugged" : "unplugged");
	if (on) {
		d->devnum = emu->next_devnum++;
		d->kernel_driver = d->printer != NULL;
		d->halt_out = d->halt_in = d->hang = false;
		d->link_was_reset = true;
		d->babbles = false;
		d->fifo_len = 0;
		if (d->printer)
			usb_describe(d, d->printer->serial);
		d->plugged = true;
		if (!tree_add(emu, d))
			tree_uevent(emu, d, "add");
		return;
	}
	d->plugged = false;
	queue_fail(&d->out, -ESHUTDOWN);
	queue_fail(&d->in, -ESHUTDOWN);
	while (d->replies) {
		struct reply *r = d->replies;
		d->replies = r->next;
		free(r);
	}
	for (struct handle *h = emu->handles; h; h = h->next)
		if (h->dev == d)
			handle_gone(h);
	d->owner = NULL;
	tree_delete(emu, d);
	tree_uevent(emu, d, "remove");
}

void
usb_clear_faults(struct usb_device *d)
{
	d->hang = d->halt_in = d->halt_out = d->babbles = false;
	d->reply_delay_ms = 0;
	d->slow_bps = d->line_bps;
	d->slow_since_ms = now_ms();
	d->slow_taken = 0;
	d->unplug_after = -1;
	if (d->printer->powered)
		usb_plug(d, true);
	usb_pump(d);
	pthread_cond_signal(&d->emu->clock);
}
