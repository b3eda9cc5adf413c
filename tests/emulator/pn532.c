/*
 * pn532.c - a PN532 on a pseudo terminal: the port, the thread, the faults.
 *
 * Owns the pty and the symbolic link under which hosts find it. The slave stays open here and is
 * raw before the link appears, so that nothing is echoed and a host that is killed leaves the port
 * usable. The reader's own thread does all the work; pn532_control only changes the fault settings
 * under the lock and wakes it. A fault of the host's line is answered as the chip does, never by
 * ending.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/pn532.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { LINE_STALL_MS = 100, CARD_POLL_MS = 5 };

/* ---- the port ---- */

/* Puts the link in place in one step, so that a host never meets a missing or half-made one. */
static bool
link_replace(const char *link_path, const char *target)
{
	size_t size = strlen(link_path) + 16;
	char *temporary = malloc(size);
	if (!temporary)
		return false;
	snprintf(temporary, size, "%s.%u", link_path, (unsigned)getpid());
	unlink(temporary);
	bool good = symlink(target, temporary) == 0 && rename(temporary, link_path) == 0;
	if (!good)
		unlink(temporary);
	free(temporary);
	return good;
}

static void
port_close(struct pn532 *p)
{
	if (p->master < 0)
		return;
	unlink(p->link_path);
	close(p->slave);
	close(p->master);
	p->master = p->slave = -1;
	p->input.len = p->pending_len = p->last_len = 0;
}

static bool
port_open(struct pn532 *p)
{
	char name[64];
	struct termios raw;
	p->slave = -1;
	p->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (p->master < 0)
		return false;
	if (grantpt(p->master) != 0 || unlockpt(p->master) != 0 ||
		ptsname_r(p->master, name, sizeof(name)) != 0)
		goto fail;
	p->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (p->slave < 0 || tcgetattr(p->slave, &raw) != 0)
		goto fail;
	cfmakeraw(&raw);
	if (tcsetattr(p->slave, TCSANOW, &raw) != 0 || fchmod(p->slave, 0666) != 0 ||
		!link_replace(p->link_path, name))
		goto fail;
	return true;
fail:
	if (p->slave >= 0)
		close(p->slave);
	close(p->master);
	p->master = p->slave = -1;
	return false;
}

/* ---- frames out ---- */

static void
log_bytes(struct pn532 *p, const char *what, const char *name, const uint8_t *bytes, size_t len)
{
	pthread_mutex_lock(&p->lock);
	if (p->log) {
		fprintf(p->log, "%s", what);
		for (size_t i = 0; i < len; i++)
			fprintf(p->log, " %02x", bytes[i]);
		fprintf(p->log, "%s%s\n", *name ? "  " : "", name);
		fflush(p->log);
	}
	pthread_mutex_unlock(&p->lock);
}

/* A host that does not read loses the bytes, as on a line without flow control. */
static void
port_send(struct pn532 *p, const uint8_t *bytes, size_t len)
{
	size_t done = 0;
	while (p->master >= 0 && done < len) {
		ssize_t n = write(p->master, bytes + done, len - done);
		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno == EINTR)
			continue;
		else
			break;
	}
}

static void
time_pass(unsigned long us)
{
	struct timespec t = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
	while (nanosleep(&t, &t) != 0 && errno == EINTR)
		;
}

/* Ten bits for each byte on the line. */
static void
line_time_pass(struct pn532 *p, size_t bytes, unsigned more_us)
{
	pthread_mutex_lock(&p->lock);
	bool timing = p->timing;
	unsigned baud = p->baud;
	pthread_mutex_unlock(&p->lock);
	if (timing)
		time_pass(bytes * 10 * 1000000UL / baud + more_us);
}

/* Uses up one of a counted fault. */
static bool
fault_take(struct pn532 *p, unsigned *left)
{
	pthread_mutex_lock(&p->lock);
	bool strikes = *left > 0;
	if (strikes)
		--*left;
	pthread_mutex_unlock(&p->lock);
	return strikes;
}

/* True for the last one of a count that was set: "the N-th from now". */
static bool
fault_reach(struct pn532 *p, unsigned *left)
{
	pthread_mutex_lock(&p->lock);
	bool strikes = *left == 1;
	if (*left > 0)
		--*left;
	pthread_mutex_unlock(&p->lock);
	return strikes;
}

static void
response_send(struct pn532 *p, const uint8_t *body, size_t len)
{
	static const uint8_t noise[] = {0x5A, 0x00, 0x00, 0xFE, 0xA5, 0x13, 0x37, 0xFF, 0x00, 0x80};
	p->last_len = hsu_build(p->last, body, len);
	if (fault_take(p, &p->faults.garbage)) {
		log_bytes(p, "#", "garbage instead of the response", noise, sizeof(noise));
		port_send(p, noise, sizeof(noise));
		return;
	}
	if (fault_take(p, &p->faults.bad_dcs)) {
		uint8_t spoiled[HSU_FRAME_MAX];
		memcpy(spoiled, p->last, p->last_len);
		spoiled[p->last_len - 2] ^= 0x55;
		log_bytes(p, "#", "wrong check byte", spoiled, p->last_len);
		port_send(p, spoiled, p->last_len);
		return;
	}
	log_bytes(p, "<", "", body, len);
	port_send(p, p->last, p->last_len);
}

static void
error_frame_send(struct pn532 *p)
{
	memcpy(p->last, hsu_error, sizeof(hsu_error));
	p->last_len = sizeof(hsu_error);
	log_bytes(p, "<", "error frame", NULL, 0);
	port_send(p, hsu_error, sizeof(hsu_error));
}

/* ---- frames in ---- */

enum { IN_DATA_EXCHANGE = 0x40 };

static void
command_answer(struct pn532 *p, const uint8_t *cmd, size_t len)
{
	uint8_t reply[HSU_BODY_MAX];
	size_t reply_len = 0;
	bool exchange = len > 0 && cmd[0] == IN_DATA_EXCHANGE;
	if (exchange && fault_take(p, &p->faults.status_left)) {
		const uint8_t body[] = {IN_DATA_EXCHANGE + 1, p->faults.status};
		response_send(p, body, sizeof(body));
		return;
	}
	enum pn532_outcome outcome = pn532_core_run(&p->core, cmd, len, reply, &reply_len);
	if (outcome == PN532_PENDING) {
		memmove(p->pending, cmd, len);
		p->pending_len = len;
		return;
	}
	p->pending_len = 0;
	line_time_pass(p, reply_len + 8, pn532_core_time_us(&p->core, cmd, len));
	if (exchange && fault_reach(p, &p->faults.drop)) {
		log_bytes(p, "#", "response lost", reply, reply_len);
		return;
	}
	if (outcome == PN532_ERROR_FRAME)
		error_frame_send(p);
	else
		response_send(p, reply, reply_len);
}

static void
command_handle(struct pn532 *p, const uint8_t *cmd, size_t len)
{
	pthread_mutex_lock(&p->lock);
	bool mute = p->faults.mute;
	p->frames++;
	p->core.strict_halt = p->strict_halt;
	p->core.registers_odd = p->registers_odd;
	pthread_mutex_unlock(&p->lock);
	if (p->input.woken && p->core.asleep) {
		pn532_core_reset(&p->core);
		p->core.asleep = false;
	}
	p->input.woken = false;
	log_bytes(p, ">", len > 0 ? pn532_command_name(cmd[0]) : "", cmd, len);
	if (mute || p->core.asleep || fault_take(p, &p->faults.deaf)) {
		log_bytes(p, "#", "not heard", NULL, 0);
		return;
	}
	p->pending_len = 0;
	line_time_pass(p, len + 8 + sizeof(hsu_ack), 0);
	port_send(p, hsu_ack, sizeof(hsu_ack));
	command_answer(p, cmd, len);
}

static void
input_handle(struct pn532 *p)
{
	uint8_t bytes[256], body[HSU_BODY_MAX];
	size_t body_len;
	ssize_t n = read(p->master, bytes, sizeof(bytes));
	for (ssize_t i = 0; i < n; i++) {
		hsu_feed(&p->input, bytes[i]);
		switch (hsu_next(&p->input, body, &body_len)) {
		case HSU_COMMAND:
			command_handle(p, body, body_len);
			break;
		case HSU_ACK:
			p->pending_len = 0;
			break;
		case HSU_NACK:
			port_send(p, p->last, p->last_len);
			break;
		case HSU_BAD_SUM:
			error_frame_send(p);
			break;
		case HSU_NOTHING:
			break;
		}
	}
}

/* ---- the thread ---- */

/* Follows want_plugged. False: time to end. */
static bool
plug_follow(struct pn532 *p)
{
	pthread_mutex_lock(&p->lock);
	bool want = p->want_plugged && !p->stop, stop = p->stop;
	pthread_mutex_unlock(&p->lock);
	if (!want && p->master >= 0) {
		port_close(p);
		pn532_core_reset(&p->core);
	} else if (want && p->master < 0) {
		port_open(p);
	}
	pthread_mutex_lock(&p->lock);
	p->plugged = p->master >= 0;
	p->want_plugged = p->plugged;
	pthread_cond_broadcast(&p->settled);
	pthread_mutex_unlock(&p->lock);
	return !stop;
}

static void *
reader_main(void *arg)
{
	struct pn532 *p = arg;
	while (plug_follow(p)) {
		struct pollfd fds[2] = {
			{.fd = p->wake[0], .events = POLLIN}, {.fd = p->master, .events = POLLIN}};
		int wait_ms = p->pending_len > 0 ? CARD_POLL_MS
			      : p->input.len > 0 ? LINE_STALL_MS
						 : -1;
		int n = poll(fds, 2, wait_ms);
		if (n == 0 && p->pending_len > 0)
			command_answer(p, p->pending, p->pending_len);
		else if (n == 0)
			p->input.len = 0;
		if (n > 0 && fds[0].revents) {
			uint8_t drain[16];
			(void)!read(p->wake[0], drain, sizeof(drain));
		}
		if (n > 0 && fds[1].revents)
			input_handle(p);
	}
	return NULL;
}

void
reader_wake(struct pn532 *p)
{
	(void)!write(p->wake[1], "", 1);
}

struct pn532 *
pn532_start(struct field *f, const char *link_path, bool timing)
{
	struct pn532 *p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->core.field = f;
	p->master = p->slave = p->wake[0] = p->wake[1] = -1;
	p->timing = timing;
	p->baud = 115200;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->settled, NULL);
	pn532_core_reset(&p->core);
	p->link_path = strdup(link_path);
	if (!p->link_path || pipe2(p->wake, O_CLOEXEC | O_NONBLOCK) != 0 || !port_open(p))
		goto fail;
	p->plugged = p->want_plugged = true;
	if (pthread_create(&p->thread, NULL, reader_main, p) == 0)
		return p;
	port_close(p);
fail:
	if (p->wake[0] >= 0) {
		close(p->wake[0]);
		close(p->wake[1]);
	}
	free(p->link_path);
	free(p);
	return NULL;
}

void
pn532_stop(struct pn532 *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_mutex_unlock(&p->lock);
	reader_wake(p);
	pthread_join(p->thread, NULL);
	close(p->wake[0]);
	close(p->wake[1]);
	if (p->log)
		fclose(p->log);
	pthread_cond_destroy(&p->settled);
	pthread_mutex_destroy(&p->lock);
	free(p->link_path);
	free(p);
}
