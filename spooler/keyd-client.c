/*
 * keyd-client.c - asking keyd for the keys of one card.
 *
 * Owns the client's side of the socket pair. Guarantees: an answer is believed only if it is the
 * answer to this question. A keyd that is dead, silent or talks nonsense is FAULT_KEYS, and no keys
 * are handed out.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { answer_timeout_ms = 5000 };

/* Waits for one packet. 0 or the raw words of what went wrong. */
static const char *
reply_receive(int fd, struct keyd_reply *reply)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int ready;
	ssize_t n;

	do
		ready = poll(&p, 1, answer_timeout_ms);
	while (ready < 0 && errno == EINTR);
	if (ready <= 0)
		return "the key process does not answer";
	do
		n = recv(fd, reply, sizeof *reply, MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return "the key process has ended";
	if (n != (ssize_t)sizeof *reply || reply->magic != KEYD_MAGIC ||
		reply->version != KEYD_VERSION)
		return "the key process talks nonsense";
	return NULL;
}

static int
keyd_card_keys(void *ctx, const struct chip_id *id, const struct chip_image *image,
	struct chip_keys *out, struct err *e)
{
	const int fd = (int)(intptr_t)ctx;
	struct keyd_request q = {
		.magic = KEYD_MAGIC, .version = KEYD_VERSION, .id = *id, .image = *image};
	struct keyd_reply reply = {0};
	struct timespec now;
	const char *wrong = NULL;
	int rc;

	/* Unlike any earlier question's on this socket; 0 is the answer to the start. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	q.serial = (uint32_t)(now.tv_sec * 1000000 + now.tv_nsec / 1000) | 1u << 31;
	if (send(fd, &q, sizeof q, MSG_NOSIGNAL) != (ssize_t)sizeof q)
		wrong = "the key process has ended";
	else
		/* An answer that came too late for an earlier question is passed over. */
		do
			wrong = reply_receive(fd, &reply);
		while (!wrong && reply.serial != q.serial);
	if (wrong) {
		rc = fault_set(e, FAULT_KEYS, wrong);
	} else if (reply.code) {
		rc = fault_set(e, FAULT_KEYS, "the key process refuses this card");
	} else {
		*out = reply.keys;
		rc = 0;
	}
	explicit_bzero(&reply, sizeof reply);
	explicit_bzero(&q, sizeof q);
	return rc;
}

const struct key_source keyd_key_source_ops = {.card_keys = keyd_card_keys};
