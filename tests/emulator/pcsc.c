/*
 * pcsc.c - one PC/SC reader: its socket, its thread, its faults.
 *
 * Owns the listening socket of the file system and the connection that pcscd's handler makes.
 * Guarantees that a broken message ends the connection and nothing else, and that a reader can
 * vanish and come back. pcsc.h draws the messages.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/pcsc.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	POWER_OFF = 0,
	POWER_ON = 1,
	POWER_RESET = 2,
	ASK_ATR = 4,
	ASK_PLACE = 5,
	NO_READER = 0xff,
	BODY_MAX = APDU_MAX
};
enum { MESSAGE_WAIT_MS = 1000 };

struct pcsc_reader {
	const struct slot_ops *ops;
	void *card;
	const char *name;
	char *path;
	pthread_t thread;
	pthread_mutex_t lock; /* all below, and the card while it is spoken to */
	int wake[2], listener, client;
	bool plugged, removed, stop;
	uint8_t place[2];                         /* bus and address on USB; 0: none */
	unsigned mute, mute_at, unplug_at, apdus; /* _at: numbers of APDUs, 0: none */
	uint8_t body[BODY_MAX];
};

static int
listener_open(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && chmod(path, 0666) == 0 &&
		listen(fd, 4) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool
body_receive(int fd, uint8_t *to, size_t len)
{
	while (len > 0) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (poll(&p, 1, MESSAGE_WAIT_MS) <= 0)
			return false;
		ssize_t n = recv(fd, to, len, 0);
		if (n <= 0)
			return false;
		to += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
body_send(int fd, const uint8_t *body, size_t len)
{
	uint8_t message[2 + BODY_MAX] = {(uint8_t)(len >> 8), (uint8_t)len};

	memcpy(message + 2, body, len);
	return send(fd, message, 2 + len, MSG_NOSIGNAL) == (ssize_t)(2 + len);
}

/* The lock is held. False: the connection is over. */
static bool
control_answer(struct pcsc_reader *r, uint8_t code)
{
	uint8_t atr[ATR_MAX];
	size_t len = 0;

	switch (code) {
	case POWER_OFF:
	case POWER_ON:
	case POWER_RESET:
		if (!r->removed && r->plugged)
			r->ops->power(r->card, code != POWER_OFF, atr);
		return true;
	case ASK_ATR:
		if (!r->plugged)
			atr[len++] = NO_READER;
		else if (!r->removed)
			len = r->ops->look(r->card, atr);
		return body_send(r->client, atr, len);
	case ASK_PLACE:
		return body_send(r->client, r->place, r->plugged && r->place[0] ? 2 : 0);
	default:
		return false;
	}
}

static bool
message_answer(struct pcsc_reader *r)
{
	uint8_t head[2], reply[BODY_MAX];
	size_t len;
	bool good;

	if (!body_receive(r->client, head, sizeof(head)))
		return false;
	len = (size_t)(head[0] << 8 | head[1]);
	if (len == 0 || len > sizeof(r->body) || !body_receive(r->client, r->body, len))
		return false;
	pthread_mutex_lock(&r->lock);
	if (len == 1) {
		good = control_answer(r, r->body[0]);
	} else {
		size_t n = r->removed || !r->plugged
				   ? 0
				   : r->ops->transmit(r->card, r->body, len, reply, sizeof(reply));
		r->apdus++;
		if (r->mute > 0) {
			r->mute--;
			n = 0;
		}
		if (r->apdus == r->mute_at)
			n = 0;
		if (r->apdus == r->unplug_at)
			r->plugged = false;
		good = body_send(r->client, reply, r->plugged ? n : 0);
	}
	pthread_mutex_unlock(&r->lock);
	return good;
}

static void
client_drop(struct pcsc_reader *r)
{
	if (r->client >= 0)
		close(r->client);
	r->client = -1;
}

static void *
reader_run(void *arg)
{
	struct pcsc_reader *r = arg;

	while (!r->stop) {
		struct pollfd p[3] = {{.fd = r->wake[0], .events = POLLIN},
			{.fd = r->listener, .events = POLLIN}, {.fd = r->client, .events = POLLIN}};
		if (poll(p, 3, -1) < 0 && errno != EINTR)
			break;
		if (p[0].revents) {
			char c;
			if (read(r->wake[0], &c, 1) != 1)
				break;
		}
		if (p[2].revents && !message_answer(r))
			client_drop(r);
		if (p[1].revents) {
			client_drop(r);
			r->client = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);
		}
	}
	return NULL;
}

struct pcsc_reader *
pcsc_reader_start(const struct slot_ops *ops, void *card, const char *name, const char *socket_path)
{
	struct pcsc_reader *r = calloc(1, sizeof(*r));
	int saved;

	if (!r)
		return NULL;
	*r = (struct pcsc_reader){.ops = ops,
		.card = card,
		.name = name,
		.client = -1,
		.listener = -1,
		.plugged = true,
		.path = strdup(socket_path)};
	pthread_mutex_init(&r->lock, NULL);
	r->listener = r->path ? listener_open(r->path) : -1;
	if (r->listener >= 0 && pipe(r->wake) == 0 &&
		pthread_create(&r->thread, NULL, reader_run, r) == 0)
		return r;
	saved = errno;
	if (r->listener >= 0)
		close(r->listener);
	free(r->path);
	free(r);
	errno = saved;
	return NULL;
}

void
pcsc_reader_place(struct pcsc_reader *r, unsigned bus, unsigned address)
{
	pthread_mutex_lock(&r->lock);
	r->place[0] = (uint8_t)bus;
	r->place[1] = (uint8_t)address;
	pthread_mutex_unlock(&r->lock);
}

static void
reader_wake(struct pcsc_reader *r)
{
	if (write(r->wake[1], "", 1) != 1)
		return;
}

static char *
answer(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	return text;
}

char *
pcsc_reader_control(struct pcsc_reader *r, const char *line)
{
	char *said = NULL;
	unsigned n = 1;
	uint8_t atr[ATR_MAX];

	pthread_mutex_lock(&r->lock);
	if (!strcmp(line, "unplug") || !strcmp(line, "plug")) {
		r->plugged = line[0] == 'p';
		if (!r->plugged)
			r->ops->power(r->card, false, atr);
		said = answer("ok");
	} else if (!strcmp(line, "remove") || !strcmp(line, "insert")) {
		r->removed = line[0] == 'r';
		if (r->removed)
			r->ops->power(r->card, false, atr);
		said = answer("ok");
	} else if (sscanf(line, "mute %u", &n) == 1) {
		r->mute = n;
		said = answer("ok");
	} else if (sscanf(line, "mute-at %u", &n) == 1) {
		r->mute_at = r->apdus + n;
		said = answer("ok");
	} else if (sscanf(line, "unplug-at %u", &n) == 1) {
		r->unplug_at = r->apdus + n;
		said = answer("ok");
	} else if (sscanf(line, "place %hhu %hhu", &r->place[0], &r->place[1]) == 2) {
		said = answer("ok");
	} else if (!strcmp(line, "count")) {
		said = answer("ok %u", r->apdus);
	} else if (!strcmp(line, "clear")) {
		r->mute = r->mute_at = r->unplug_at = 0;
		r->removed = false;
		said = answer("ok");
	} else if (r->ops->control) {
		said = r->ops->control(r->card, line);
	} else {
		said = answer("error: no such word for a reader");
	}
	pthread_mutex_unlock(&r->lock);
	return said;
}

void
pcsc_reader_stop(struct pcsc_reader *r)
{
	if (!r)
		return;
	r->stop = true;
	reader_wake(r);
	pthread_join(r->thread, NULL);
	client_drop(r);
	if (r->listener >= 0) {
		close(r->listener);
		unlink(r->path);
	}
	close(r->wake[0]);
	close(r->wake[1]);
	if (r->ops->destroy)
		r->ops->destroy(r->card);
	pthread_mutex_destroy(&r->lock);
	free(r->path);
	free(r);
}
