/*
 * tcp.c - a printer's network socket: a raw TCP port on the loopback address.
 *
 * Owns one listener for each printer that has a port, and the one client that is served at a time;
 * others wait, as at a print server. Bytes go the way that those from USB go. An unplugged printer
 * hangs up. On failure the emulator says so and does not start.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_MS   2
#define PIECE_MAX 16384

/* What the printer has to say by now; with the lock. Returns how many bytes. */
static size_t
answers_take(struct usb_device *d, uint8_t *out, size_t max)
{
	struct reply *r = d->replies;
	if (d->babbles) {
		memset(out, 'O', 512);
		return 512;
	}
	if (!r || r->due_ms > now_ms() || d->hang)
		return 0;
	size_t n = r->len - r->sent < max ? r->len - r->sent : max;
	memcpy(out, r->bytes + r->sent, n);
	r->sent += n;
	if (r->sent == r->len) {
		d->replies = r->next;
		free(r);
	}
	return n;
}

/* Takes what there is room for; with the lock. False: the client has gone. */
static bool
bytes_take(struct usb_device *d, int fd)
{
	size_t room = d->hang ? 0 : d->fifo_max - d->fifo_len;
	if (d->unplug_after >= 0 && (uint64_t)d->unplug_after < room)
		room = (size_t)d->unplug_after;
	if (!room)
		return true;
	ssize_t n = recv(fd, d->fifo + d->fifo_len, room, MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	d->fifo_len += (size_t)n;
	d->bytes_out += (uint64_t)n;
	pthread_cond_broadcast(&d->emu->work);
	if (d->unplug_after >= 0 && (d->unplug_after -= n) == 0) {
		d->unplug_after = -1;
		usb_plug(d, false);
	}
	return true;
}

static void
client_serve(struct emu *emu, struct usb_device *d, int fd)
{
	uint8_t out[PIECE_MAX];
	bool alive = true;
	emu_log(emu, "tcp: client");
	pthread_mutex_lock(&emu->lock);
	d->link_was_reset = true;
	while (alive && !emu->stopping && d->plugged) {
		alive = bytes_take(d, fd);
		size_t n = alive && d->plugged ? answers_take(d, out, sizeof out) : 0;
		pthread_mutex_unlock(&emu->lock);
		if (n && send(fd, out, n, MSG_NOSIGNAL) != (ssize_t)n)
			alive = false;
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (!n && alive)
			poll(&p, 1, TICK_MS);
		pthread_mutex_lock(&emu->lock);
	}
	pthread_mutex_unlock(&emu->lock);
	emu_log(emu, "tcp: end");
}

static void
port_serve(struct emu *emu, void *arg)
{
	struct printer *p = arg;
	while (!emu->stopping) {
		struct pollfd ready = {.fd = p->tcp, .events = POLLIN};
		if (poll(&ready, 1, 100) <= 0)
			continue;
		int fd = accept4(p->tcp, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		client_serve(emu, p->usb, fd);
		close(fd);
	}
	close(p->tcp);
}

int
tcp_start(struct printer *p)
{
	const int on = 1;
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)p->tcp_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (!p->tcp_port)
		return 0;
	p->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->tcp < 0)
		return -1;
	setsockopt(p->tcp, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(p->tcp, (struct sockaddr *)&a, sizeof a) || listen(p->tcp, 4) ||
		emu_helper(p->emu, port_serve, p)) {
		close(p->tcp);
		return -1;
	}
	return 0;
}
