/*
 * keyd-client.c - asking keyd for the keys of one card.
 *
 * Owns the client's side of the socket pair. Guarantees: an answer is believed only if it is the
 * answer to this question. A keyd that is dead, silent or talks nonsense is FAULT_KEYS, and no keys
 * are handed out.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/keys.h"

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

/* One question and its answer; q without head. The reply's keys are the caller's to wipe. */
static int
keyd_ask(int fd, struct keyd_request *q, struct keyd_reply *reply, struct err *e)
{
	struct timespec now;
	const char *wrong = NULL;

	/* Unlike any earlier question's on this socket; 0 is the answer to the start. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	q->magic = KEYD_MAGIC;
	q->version = KEYD_VERSION;
	q->serial = (uint32_t)(now.tv_sec * 1000000 + now.tv_nsec / 1000) | 1u << 31;
	if (send(fd, q, sizeof *q, MSG_NOSIGNAL) != (ssize_t)sizeof *q)
		wrong = "the key process has ended";
	else
		/* An answer that came too late for an earlier question is passed over. */
		do
			wrong = reply_receive(fd, reply);
		while (!wrong && reply->serial != q->serial);
	explicit_bzero(q, sizeof *q);
	if (wrong)
		return fault_set(e, FAULT_KEYS, wrong);
	reply->text[sizeof reply->text - 1] = '\0';
	if (reply->code == ERR_FAULT)
		return fault_say(e, FAULT_KEYS, "the key process refuses this card", reply->text);
	if (reply->code)
		return fault_set(e, FAULT_KEYS, "the key process refuses this card");
	return 0;
}

static int
keyd_card_keys(void *ctx, const struct chip_id *id, const struct chip_image *image,
	struct chip_keys *out, struct err *e)
{
	const intptr_t both = (intptr_t)ctx;
	struct keyd_request q = {
		.id = *id, .image = *image, .key_version = (unsigned)(both >> KEYD_VERSION_SHIFT)};
	struct keyd_reply reply = {0};
	int rc = keyd_ask((int)(both & KEYD_FD_MASK), &q, &reply, e);

	if (rc == 0)
		*out = reply.keys;
	explicit_bzero(&reply, sizeof reply);
	return rc;
}

int
keyd_logic_keys(void *ctx, const uint8_t serial[LOGIC_SERIAL_LEN], unsigned key_version,
	const uint8_t *data, struct logic_keys *out, struct err *e)
{
	struct keyd_request q = {.logic = true, .logic_mac = data, .key_version = key_version};
	struct keyd_reply reply = {0};

	memcpy(q.serial_number, serial, LOGIC_SERIAL_LEN);
	if (data)
		memcpy(q.logic_data, data, LOGIC_DATA_LEN);
	int rc = keyd_ask((int)((intptr_t)ctx & KEYD_FD_MASK), &q, &reply, e);
	if (rc == 0)
		*out = reply.logic;
	explicit_bzero(&reply, sizeof reply);
	return rc;
}

const struct key_source keyd_key_source_ops = {.card_keys = keyd_card_keys};
