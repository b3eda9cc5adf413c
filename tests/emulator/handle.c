/*
 * handle.c - the open files of a USB node: each a pty that behaves as usbfs does for poll(2).
 *
 * Owns them. Each belongs to the device that was there when it was opened. When its client has
 * closed it, or died, its transfers and its claim go. All calls with emu->lock held.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define CLOSE_SEEN_MS 50

/* ---- open files ---- */

static int
slave_open(struct handle *h)
{
	return ioctl(h->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

/* Writable for poll(2) exactly while there is something to reap. */
static void
handle_signal(struct handle *h)
{
	bool want = h->done != NULL;
	if (h->signalled == want || h->gone)
		return;
	int slave = slave_open(h);
	if (slave < 0)
		return;
	tcflow(slave, want ? TCOON : TCOOFF);
	h->signalled = want;
	close(slave);
}

void
handle_close(struct emu *emu, struct handle *h)
{
	for (struct handle **at = &emu->handles; *at; at = &(*at)->next) {
		if (*at == h) {
			*at = h->next;
			break;
		}
	}
	usb_drop_handle(h->dev, h);
	while (h->done) {
		struct urb *u = h->done;
		h->done = u->next;
		free(u->data);
		free(u);
	}
	if (h->master >= 0)
		close(h->master);
	if (h->remote)
		close(h->wake);
	free(h);
}

/* A remote link sleeps on its eventfd. */
static void
handle_wake(struct handle *h)
{
	uint64_t one = 1;
	if (write(h->wake, &one, sizeof one) < 0)
		return; /* full: it is awake */
}

int
handle_open(struct usb_device *d)
{
	struct handle *h = calloc(1, sizeof *h);
	if (!h)
		return -ENOMEM;
	h->dev = d;
	h->signalled = true;
	h->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	int slave = -1, unlocked = 0;
	if (h->master < 0 || ioctl(h->master, TIOCSPTLCK, &unlocked) ||
		ioctl(h->master, TIOCGPTN, &h->pts) || (slave = slave_open(h)) < 0) {
		int code = errno;
		if (h->master >= 0)
			close(h->master);
		free(h);
		return -code;
	}
	/* A read gives the descriptors and then the end, as libusb-0.1 wants it. */
	struct termios raw;
	tcgetattr(slave, &raw);
	cfmakeraw(&raw);
	raw.c_cc[VMIN] = raw.c_cc[VTIME] = 0;
	tcsetattr(slave, TCSANOW, &raw);
	ssize_t n = write(h->master, d->descriptors, d->descriptors_len);
	struct pollfd fed = {.fd = slave, .events = POLLIN};
	if (n > 0)
		poll(&fed, 1, 100);
	struct epoll_event watch = {.events = EPOLLHUP, .data.u64 = h->pts};
	epoll_ctl(d->emu->watch, EPOLL_CTL_ADD, h->master, &watch);
	h->next = d->emu->handles;
	d->emu->handles = h;
	handle_signal(h);
	return slave;
}

void
handles_close(struct emu *emu)
{
	while (emu->handles)
		handle_close(emu, emu->handles);
}

struct handle *
handle_find(struct emu *emu, unsigned pts)
{
	for (struct handle *h = emu->handles; h; h = h->next)
		if (h->pts == pts)
			return h;
	return NULL;
}

void
handles_sweep(struct emu *emu)
{
	for (struct handle *h = emu->handles, *next; h; h = next) {
		next = h->next;
		struct pollfd p = {.fd = h->master}; /* a remote one has none and stays */
		/* once the device is gone the client's close cannot be seen; the handle is small
		 * and stays */
		if (!h->gone && poll(&p, 1, 0) > 0 && p.revents & POLLHUP)
			handle_close(emu, h);
	}
}

void
owner_settle(struct usb_device *d, const struct handle *asking)
{
	if (!d->owner || d->owner == asking)
		return;
	struct pollfd p = {.fd = d->owner->master};
	if (!d->owner->gone && p.fd >= 0)
		poll(&p, 1, CLOSE_SEEN_MS);
	handles_sweep(d->emu);
}

/* ---- completion ---- */

int
handle_reap(struct handle *h, pid_t tid, uint64_t arg)
{
	struct urb *u = h->done;
	h->done = u->next;
	handle_signal(h);
	int32_t status = u->status, actual = (int32_t)u->actual;
	uint64_t at = u->client_urb;
	bool ok = client_write(tid, at + offsetof(struct usbdevfs_urb, status), &status,
			  sizeof status) &&
		  client_write(tid, at + offsetof(struct usbdevfs_urb, actual_length), &actual,
			  sizeof actual);
	bool in = u->endpoint & 0x80 || (u->endpoint == 0 && u->setup[0] & 0x80);
	size_t head = u->endpoint == 0 ? sizeof u->setup : 0;
	if (ok && in && u->actual)
		ok = client_write(tid, u->client_buffer + head, u->data, u->actual);
	ok = ok && client_write(tid, arg, &at, sizeof at);
	free(u->data);
	free(u);
	return ok ? 0 : -EFAULT;
}

static void
sync_finish(struct urb *u)
{
	int64_t result = u->status ? u->status : (int64_t)u->actual;
	if (!u->status && u->endpoint & 0x80 && u->actual &&
		!client_write(u->tid, u->client_buffer, u->data, u->actual))
		result = -EFAULT;
	notify_answer(u->handle->dev->emu, u->notif, result);
	free(u->data);
	free(u);
}

void
handle_complete(struct urb *u)
{
	struct handle *h = u->handle;
	if (u->sync) {
		sync_finish(u);
		return;
	}
	struct urb **at = &h->done;
	while (*at)
		at = &(*at)->next;
	*at = u;
	if (h->remote) {
		handle_wake(h);
		return;
	}
	if (h->reap_notif) {
		uint64_t notif = h->reap_notif;
		h->reap_notif = 0;
		notify_answer(h->dev->emu, notif, handle_reap(h, h->reap_tid, h->reap_arg));
		return;
	}
	handle_signal(h);
}

void
handle_gone(struct handle *h)
{
	if (h->gone)
		return;
	h->gone = true;
	if (h->remote) {
		handle_wake(h);
		return;
	}
	if (h->reap_notif)
		notify_answer(h->dev->emu, h->reap_notif, -ENODEV);
	h->reap_notif = 0;
	epoll_ctl(h->dev->emu->watch, EPOLL_CTL_DEL, h->master, NULL);
	close(h->master); /* POLLERR | POLLHUP in the client */
	h->master = -1;
}
