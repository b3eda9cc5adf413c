/*
 * usbip.c - a USB/IP server: every printer can be attached by a Linux kernel, over TCP.
 *
 * Owns the listening socket and one thread a connection. The protocol knows no passwords, so only
 * this machine may connect unless the caller said otherwise. An unplug closes the connection, as
 * the protocol wants it; a connection that closes leaves the printer for the next one. Bytes that
 * are not USB/IP end their connection and nothing else.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINKS_MAX  32
#define READ_BYTES 65536u
/* No more is read while this much waits to be sent. */
#define UNSENT_MAX (8u << 20)

struct bytes {
	uint8_t *at;
	size_t len, size;
};

struct link {
	struct emu *emu;
	int fd;
	struct handle *h; /* NULL: nothing imported yet */
	struct bytes in, out;
	size_t sent;  /* of out */
	bool closing; /* what is left goes out, then the connection ends */
};

/* ---- buffers ---- */

/* Room for len more bytes behind what is there, or NULL. */
static uint8_t *
bytes_room(struct bytes *b, size_t len)
{
	if (b->size - b->len < len) {
		size_t size = (b->len + len) * 2;
		uint8_t *more = realloc(b->at, size);
		if (!more)
			return NULL;
		b->at = more;
		b->size = size;
	}
	return b->at + b->len;
}

static void
link_put(struct link *l, const void *bytes, size_t len)
{
	uint8_t *to = bytes_room(&l->out, len);
	if (!to) {
		l->closing = true;
		return;
	}
	memcpy(to, bytes, len);
	l->out.len += len;
}

/* ---- before the import ---- */

static void
devlist_put(struct link *l)
{
	struct emu *emu = l->emu;
	uint8_t head[USBIP_OP_LEN + 4], record[USBIP_RECORD_LEN], interface[4];
	uint32_t n = 0;
	for (unsigned i = 0; i < emu->n_printers; i++)
		n += emu->device[i].plugged;
	usbip_op_build(head, USBIP_OP_DEVLIST, false);
	usbip_u32_put(head + USBIP_OP_LEN, n);
	link_put(l, head, sizeof head);
	for (unsigned i = 0; i < emu->n_printers; i++) {
		const struct usb_device *d = &emu->device[i];
		if (!d->plugged)
			continue;
		usbip_record_build(record, d);
		link_put(l, record, sizeof record);
		if (usbip_interfaces_build(interface, d))
			link_put(l, interface, sizeof interface);
	}
	l->closing = true;
}

static void
import_put(struct link *l, const char *busid)
{
	struct emu *emu = l->emu;
	uint8_t head[USBIP_OP_LEN], record[USBIP_RECORD_LEN];
	struct usb_device *d = NULL;
	for (unsigned i = 0; i < emu->n_printers; i++)
		if (!strcmp(emu->device[i].port, busid))
			d = &emu->device[i];
	l->h = d ? remote_take(d) : NULL;
	usbip_op_build(head, USBIP_OP_IMPORT, !l->h);
	link_put(l, head, sizeof head);
	l->closing = !l->h;
	emu_log(emu, "usbip: import of %s %s", busid, l->h ? "granted" : "refused");
	if (!l->h)
		return;
	usbip_record_build(record, d);
	link_put(l, record, sizeof record);
}

/* ---- after it ---- */

static void
finished_put(struct link *l)
{
	uint8_t head[USBIP_PDU_LEN];
	for (struct urb *u; (u = remote_finished(l->h)); remote_free(u)) {
		if (u->status == -ENOENT) /* taken back: the unlink was its answer */
			continue;
		usbip_submitted_build(head, (uint32_t)u->client_urb, u->status, u->actual);
		link_put(l, head, sizeof head);
		if (remote_in(u))
			link_put(l, u->data, u->actual);
	}
	if (l->h->gone)
		l->closing = true;
}

static void
pdu_take(struct link *l, const struct usbip_pdu *p)
{
	if (p->command == USBIP_UNLINK) {
		uint8_t head[USBIP_PDU_LEN];
		bool pending = remote_cancel(l->h, p->unlink);
		finished_put(l); /* an answer that is there already comes first */
		usbip_unlinked_build(head, p->seqnum, pending ? -ECONNRESET : 0);
		link_put(l, head, sizeof head);
		return;
	}
	if (remote_submit(l->h, p->seqnum, p->endpoint, p->setup, p->data, p->length))
		l->closing = true;
}

/* Acts on every whole message that is there. */
static void
link_parse(struct link *l)
{
	size_t at = 0;
	int64_t n = 1;
	while (n > 0 && !l->closing) {
		if (l->h) {
			struct usbip_pdu p;
			n = usbip_pdu_parse(l->in.at + at, l->in.len - at, &p);
			if (n > 0)
				pdu_take(l, &p);
		} else {
			enum usbip_op op;
			char busid[USBIP_BUSID_LEN + 1];
			n = usbip_op_parse(l->in.at + at, l->in.len - at, &op, busid);
			if (n > 0 && op == USBIP_OP_DEVLIST)
				devlist_put(l);
			else if (n > 0)
				import_put(l, busid);
		}
		at += n > 0 ? (size_t)n : 0;
	}
	if (n < 0) {
		emu_log(l->emu, "usbip: not the protocol; the connection ends");
		l->closing = true;
	}
	if (at)
		memmove(l->in.at, l->in.at + at, l->in.len - at);
	l->in.len -= at;
}

/* False: the other side has closed. */
static bool
link_read(struct link *l)
{
	for (;;) {
		uint8_t *to = bytes_room(&l->in, READ_BYTES);
		ssize_t n = to ? recv(l->fd, to, READ_BYTES, 0) : 0;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		if (n == 0)
			return false;
		l->in.len += (size_t)n;
		if ((size_t)n < READ_BYTES || l->in.len > USBIP_DATA_MAX)
			return true;
	}
}

static bool
link_write(struct link *l)
{
	while (l->sent < l->out.len) {
		ssize_t n = send(l->fd, l->out.at + l->sent, l->out.len - l->sent, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		l->sent += (size_t)n;
	}
	l->sent = l->out.len = 0;
	return true;
}

static void
link_step(struct link *l, bool readable)
{
	uint64_t wakes;
	pthread_mutex_lock(&l->emu->lock);
	if (l->h && read(l->h->wake, &wakes, sizeof wakes) < 0)
		wakes = 0; /* not woken: it is a turn for the socket */
	if (readable)
		link_parse(l);
	if (l->h)
		finished_put(l);
	pthread_mutex_unlock(&l->emu->lock);
}

static void
link_run(struct emu *emu, void *arg)
{
	struct link *l = arg;
	bool open = true;
	while (open && !emu->stopping && !(l->closing && l->sent == l->out.len)) {
		struct pollfd p[] = {{.fd = l->fd}, {.fd = l->h ? l->h->wake : -1}};
		p[0].events |= l->out.len - l->sent < UNSENT_MAX && !l->closing ? POLLIN : 0;
		p[0].events |= l->sent < l->out.len ? POLLOUT : 0;
		p[1].events = POLLIN;
		poll(p, EMU_LEN(p), REMOTE_TICK_MS);
		bool readable = p[0].revents & (POLLIN | POLLHUP | POLLERR);
		open = !readable || l->closing || link_read(l);
		link_step(l, readable);
		open = link_write(l) && open;
	}
	pthread_mutex_lock(&emu->lock);
	if (l->h)
		remote_leave(l->h);
	pthread_mutex_unlock(&emu->lock);
	close(l->fd);
	free(l->in.at);
	free(l->out.at);
	free(l);
	__atomic_sub_fetch(&emu->links, 1, __ATOMIC_SEQ_CST);
}

/* ---- the server ---- */

static void
link_accept(struct emu *emu, int listener)
{
	int on = 1, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	struct link *l = __atomic_load_n(&emu->links, __ATOMIC_SEQ_CST) < LINKS_MAX
				 ? calloc(1, sizeof *l)
				 : NULL;
	if (!l) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	l->emu = emu;
	l->fd = fd;
	__atomic_add_fetch(&emu->links, 1, __ATOMIC_SEQ_CST);
	if (emu_helper(emu, link_run, l)) {
		__atomic_sub_fetch(&emu->links, 1, __ATOMIC_SEQ_CST);
		close(fd);
		free(l);
	}
}

static void
listen_run(struct emu *emu, void *arg)
{
	int listener = *(int *)arg;
	free(arg);
	while (!emu->stopping) {
		struct pollfd p = {.fd = listener, .events = POLLIN};
		if (poll(&p, 1, REMOTE_TICK_MS) > 0)
			link_accept(emu, listener);
	}
	close(listener);
}

static bool
address_own(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >>
			       24 ==
		       127;
	return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

/* "3240", "127.0.0.1:3240", "[::1]:3240" */
static struct addrinfo *
address_find(const char *where)
{
	char host[64] = "127.0.0.1";
	const char *colon = strrchr(where, ':'), *port = colon ? colon + 1 : where;
	const struct addrinfo want = {.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	if (colon) {
		bool bracket = where[0] == '[' && colon > where && colon[-1] == ']';
		size_t n = (size_t)(colon - where) - (bracket ? 2 : 0);
		if (n >= sizeof host)
			return NULL;
		memcpy(host, where + bracket, n);
		host[n] = 0;
	}
	char *rest;
	unsigned long number = strtoul(port, &rest, 10); /* getaddrinfo takes it modulo 65536 */
	if (*port < '0' || *port > '9' || *rest || number > UINT16_MAX)
		return NULL;
	return getaddrinfo(host, port, &want, &found) ? NULL : found;
}

static int
socket_listen(const struct addrinfo *a)
{
	int on = 1, fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (!bind(fd, a->ai_addr, a->ai_addrlen) && !listen(fd, 16))
		return fd;
	int code = errno;
	close(fd);
	errno = code;
	return -1;
}

static void
port_say(int fd)
{
	struct sockaddr_storage s;
	socklen_t len = sizeof s;
	char host[64], port[16];
	if (getsockname(fd, (struct sockaddr *)&s, &len) ||
		getnameinfo((struct sockaddr *)&s, len, host, sizeof host, port, sizeof port,
			NI_NUMERICHOST | NI_NUMERICSERV))
		return;
	printf("USB/IP: %s port %s\n", host, port);
	fflush(stdout);
}

int
usbip_start(struct emu *emu, const char *where, bool any)
{
	struct addrinfo *a = address_find(where);
	if (!a) {
		fprintf(stderr, "cardspool-emulator: --usbip %s: not [ADDRESS:]PORT\n", where);
		return -1;
	}
	if (!any && !address_own(a->ai_addr)) {
		fprintf(stderr,
			"cardspool-emulator: --usbip %s: USB/IP has no passwords; add "
			"--usbip-anyone to let other machines in\n",
			where);
		freeaddrinfo(a);
		return -1;
	}
	int *fd = malloc(sizeof *fd);
	if (fd)
		*fd = socket_listen(a);
	freeaddrinfo(a);
	if (!fd || *fd < 0) {
		fprintf(stderr, "cardspool-emulator: --usbip %s: %s\n", where, strerror(errno));
		free(fd);
		return -1;
	}
	port_say(*fd);
	if (!emu_helper(emu, listen_run, fd))
		return 0;
	close(*fd);
	free(fd);
	return -1;
}
