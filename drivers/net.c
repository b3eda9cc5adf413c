/*
 * net.c - printers on the network: the same bytes as on USB, over a raw TCP port (9100).
 *
 * Owns one connection and the lock of its address on this computer. Guarantees: no call waits
 * longer than its time limit; what was handed to the system counts as sent, because it may have
 * reached the printer; a peer that closes or vanishes is FAULT_UNPLUGGED, a silent one
 * FAULT_NO_REPLY, so that an act under way becomes doubt as on USB. The port's status byte does not
 * exist here. Another computer is not locked out: only one may have a queue for the printer. On
 * failure err names the fault; the owner closes the transport.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/driver.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const int connect_timeout_ms = 5000;
/* Silence of the network itself, asked for by keep-alive, after which the peer counts as gone. */
static const int alive_idle_s = 5, alive_interval_s = 2, alive_probes = 3;

struct net_transport {
	struct transport base;
	int socket, lock;
};

static struct net_transport *
net_of(struct transport *t)
{
	return (struct net_transport *)((char *)t - offsetof(struct net_transport, base));
}

static int
net_failed(int code, struct err *e)
{
	return fault_set(e, code == ETIMEDOUT || code == EAGAIN ? FAULT_NO_REPLY : FAULT_UNPLUGGED,
		strerror(code));
}

/* 1 when ready, 0 when time is up, -1 on failure. */
static int
net_wait(int fd, short what, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = what};
	struct timespec from, now;
	int left = timeout_ms, rc;

	clock_gettime(CLOCK_MONOTONIC, &from);
	while ((rc = poll(&p, 1, left)) < 0 && errno == EINTR) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		left = timeout_ms - (int)((now.tv_sec - from.tv_sec) * 1000 +
					    (now.tv_nsec - from.tv_nsec) / 1000000);
		left = left > 0 ? left : 0;
	}
	return rc;
}

static int
net_limit(unsigned timeout_ms)
{
	return timeout_ms == 0 ? 1 : timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms;
}

/* As on USB the time limit is for each piece. */
static int
net_write(struct transport *t, const void *bytes, size_t len, size_t *done, unsigned timeout_ms,
	struct err *e)
{
	const struct net_transport *n = net_of(t);
	const uint8_t *at = bytes;

	*done = 0;
	while (*done < len) {
		int ready = net_wait(n->socket, POLLOUT, net_limit(timeout_ms));
		if (ready == 0)
			return fault_set(e, FAULT_NO_REPLY, NULL);
		ssize_t sent = ready < 0 ? -1
					 : send(n->socket, at + *done, len - *done,
						   MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (sent < 0)
			return net_failed(errno == ETIMEDOUT ? EPIPE : errno, e);
		*done += (size_t)sent;
	}
	return 0;
}

static int
net_read(struct transport *t, void *bytes, size_t max, size_t *len, unsigned timeout_ms,
	struct err *e)
{
	const struct net_transport *n = net_of(t);
	int ready = net_wait(n->socket, POLLIN, net_limit(timeout_ms));

	*len = 0;
	if (ready == 0)
		return fault_set(e, FAULT_NO_REPLY, NULL);
	ssize_t got = ready < 0 ? -1 : recv(n->socket, bytes, max, MSG_DONTWAIT);
	if (got > 0) {
		*len = (size_t)got;
		return 0;
	}
	/* ETIMEDOUT here is the keep-alive's verdict, not our limit. */
	return net_failed(got == 0 || errno == ETIMEDOUT ? EPIPE : errno, e);
}

static void
net_close(struct transport *t)
{
	struct net_transport *n = net_of(t);

	if (n->socket >= 0)
		close(n->socket);
	if (n->lock >= 0)
		close(n->lock);
	free(n);
}

static const struct transport_ops net_ops = {net_write, net_read, NULL, net_close};

/* ---- opening ------------------------------------------------------------------ */

static int
address_lock(int *out, const struct usb_printer *which, struct err *e)
{
	char address[96];

	snprintf(address, sizeof address, "%s:%u", which->host, which->port);
	*out = address_lock_file("printer", address);
	if (*out < 0)
		return err_set(e, ERR_STORAGE, _("The lock of the printer at %s: %s."), address,
			strerror(errno));
	if (flock(*out, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return err_set(e, ERR_BUSY,
		_("Another program uses the printer at %s. End it, or wait until it has finished."),
		address);
}

static void
options_set(int fd)
{
	const int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &alive_idle_s, sizeof alive_idle_s);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &alive_interval_s, sizeof alive_interval_s);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &alive_probes, sizeof alive_probes);
}

/* A connected socket, or -1 with errno. */
static int
address_connect(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), code = 0;
	socklen_t len = sizeof code;

	if (fd < 0)
		return -1;
	options_set(fd);
	if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
		return fd;
	code = errno;
	if (code == EINPROGRESS) {
		int ready = net_wait(fd, POLLOUT, connect_timeout_ms);
		code = ready == 0 ? ETIMEDOUT : ready < 0 ? errno : 0;
		if (ready > 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
			code = errno;
		if (code == 0)
			return fd;
	}
	close(fd);
	errno = code;
	return -1;
}

static int
host_connect(int *out, const struct usb_printer *which, struct err *e)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *list = NULL;
	char port[8];
	int code = 0;

	snprintf(port, sizeof port, "%u", which->port);
	int rc = getaddrinfo(which->host, port, &hints, &list);
	if (rc)
		return fault_set(e, FAULT_PRINTER_ABSENT, gai_strerror(rc));
	*out = -1;
	for (const struct addrinfo *a = list; a && *out < 0; a = a->ai_next) {
		*out = address_connect(a);
		code = errno;
	}
	freeaddrinfo(list);
	return *out >= 0 ? 0 : fault_set(e, FAULT_PRINTER_ABSENT, strerror(code));
}

int
net_open(struct transport **out, const struct usb_printer *which, struct err *e)
{
	struct net_transport *n = calloc(1, sizeof *n);

	*out = NULL;
	if (!n)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	*n = (struct net_transport){.base.ops = &net_ops, .socket = -1, .lock = -1};
	int rc = address_lock(&n->lock, which, e);
	if (rc == 0)
		rc = host_connect(&n->socket, which, e);
	if (rc) {
		net_close(&n->base);
		return rc;
	}
	*out = &n->base;
	return 0;
}
