/*
 * epcl-link.c - EPCL commands out, replies in, one at a time.
 *
 * Owns keeping commands and replies in step. Guarantees: a reply is never taken for another
 * command's, because before each command what lies in the pipe is thrown away, and after a lost or
 * strange reply the printer is asked for its version until the known text comes back; a latched
 * error is cleared before the next command, which the printer would refuse; a plane that broke off
 * is sent to its end, or the printer would swallow the next command as dots. On failure err carries
 * the transport's fault; the link stays usable.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/epcl.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const unsigned drain_ms = 1;      /* a reply that was already there comes at once */
static const unsigned glance_ms = 0;     /* before a question, which changes nothing */
static const unsigned settle_ms = 300;   /* how long stale replies may trickle in */
static const unsigned drain_reads = 256; /* more than this is a printer that never stops talking */
static const unsigned resync_replies = 16;
static const size_t plane_max = 655360; /* bytes that end any plane, run form or not */

int64_t
epcl_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
epcl_link_init(struct epcl_link *l, struct transport *t)
{
	*l = (struct epcl_link){.transport = t, .reply_ms = 2000, .plane_ms = 30000, .gap_ms = 50};
	buf_init(&l->torn, (size_t)1 << 20);
}

void
epcl_link_done(struct epcl_link *l)
{
	buf_done(&l->torn);
	l->transport->ops->close(l->transport);
}

static int
link_read(struct epcl_link *l, uint8_t *bytes, size_t max, size_t *len, unsigned wait_ms,
	struct err *e)
{
	*len = 0;
	return l->transport->ops->read(l->transport, bytes, max, len, wait_ms, e);
}

static int
link_write(struct epcl_link *l, const void *bytes, size_t len, size_t *done, struct err *e)
{
	*done = 0;
	return l->transport->ops->write(
		l->transport, bytes, len, done, len > 4096 ? l->plane_ms : l->reply_ms, e);
}

/* Throws away what lies in the pipe until it is quiet for quiet_ms. */
static int
link_drain(struct epcl_link *l, unsigned quiet_ms, struct err *e)
{
	uint8_t bytes[512];
	struct err why = {0};
	size_t len;

	l->n_held = 0;
	for (unsigned i = 0; i < drain_reads; i++) {
		int rc = link_read(l, bytes, sizeof bytes, &len, quiet_ms, &why);
		if (rc && why.fault == FAULT_NO_REPLY)
			return 0;
		if (rc) {
			*e = why;
			return rc;
		}
	}
	return fault_set(e, FAULT_GARBLED_REPLY, NULL);
}

/* One reply. Which byte ends a text is not known, so silence ends it too. */
static int
link_reply(struct epcl_link *l, unsigned timeout_ms, struct epcl_reply *reply, struct err *e)
{
	int64_t until = epcl_now_ms() + timeout_ms;
	struct err why = {0};
	size_t used;

	epcl_reply_init(reply);
	while (reply->kind == EPCL_NOTHING) {
		int64_t left = until - epcl_now_ms();
		unsigned wait_ms = reply->begun ? l->gap_ms : left > 1 ? (unsigned)left : 1;
		int rc = 0;
		if (l->n_held == 0)
			rc = link_read(l, l->held, sizeof l->held, &l->n_held, wait_ms, &why);
		if (rc && (why.fault != FAULT_NO_REPLY || !reply->begun)) {
			*e = why;
			return rc;
		}
		if (rc || (l->n_held == 0 && reply->begun)) {
			epcl_reply_close(reply);
			break;
		}
		epcl_reply_feed(reply, l->held, l->n_held, &used);
		l->n_held -= used;
		memmove(l->held, l->held + used, l->n_held);
		if (reply->kind == EPCL_NOTHING && left <= 0)
			return fault_set(e, FAULT_NO_REPLY, NULL);
	}
	if (reply->kind == EPCL_NACK)
		l->latched = reply->code != 5 && reply->code != 6;
	return 0;
}

/* Clears a latched error. What the printer says to it is of no use: the next command tells. */
static int
link_clear(struct epcl_link *l, struct err *e)
{
	struct epcl_reply reply;
	size_t done;
	int rc = link_write(l, "\033.\r", 3, &done, e);

	if (done > 0)
		l->owed = true;
	if (rc == 0)
		rc = link_reply(l, l->reply_ms, &reply, e);
	if (rc == 0)
		l->owed = false;
	l->latched = rc != 0;
	return rc;
}

static int
version_ask(struct epcl_link *l, unsigned timeout_ms, struct epcl_reply *reply, struct err *e)
{
	size_t done;
	int rc = link_write(l, "\033V\r", 3, &done, e);

	return rc ? rc : link_reply(l, timeout_ms, reply, e);
}

/*
 * Asks for the version until the known text comes back: all earlier replies have then been passed
 * over. A printer that answers V with a bare ACK can only be waited out.
 */
static int
link_resync(struct epcl_link *l, struct err *e)
{
	struct epcl_reply reply;
	bool cleared = false;

	if (!l->version[0]) {
		int rc = link_drain(l, settle_ms, e);
		l->owed = rc != 0;
		return rc;
	}
	int rc = version_ask(l, l->reply_ms, &reply, e);
	for (unsigned i = 0; rc == 0 && i < resync_replies; i++) {
		if (reply.kind == EPCL_TEXT && strcmp(reply.text, l->version) == 0) {
			rc = link_drain(l, drain_ms, e);
			l->owed = rc != 0;
			return rc;
		}
		rc = link_reply(l, l->reply_ms, &reply, e);
		if (rc && e->fault == FAULT_NO_REPLY && l->latched && !cleared) {
			cleared = true;
			rc = link_clear(l, e);
			l->owed = true;
			if (rc == 0)
				rc = version_ask(l, l->reply_ms, &reply, e);
		}
	}
	return rc ? rc : fault_set(e, FAULT_GARBLED_REPLY, reply.text);
}

/* The rest of a plane that broke off. */
static int
link_mend(struct epcl_link *l, struct err *e)
{
	size_t done = 0;
	int rc = link_write(l, l->torn.data, l->torn.len, &done, e);

	l->owed = true;
	memmove(l->torn.data, l->torn.data + done, l->torn.len - done);
	l->torn.len -= done;
	return rc;
}

static int
link_settle(struct epcl_link *l, unsigned quiet_ms, struct err *e)
{
	int rc = l->torn.len ? link_mend(l, e) : 0;

	if (rc == 0 && l->owed)
		rc = link_resync(l, e);
	else if (rc == 0)
		rc = link_drain(l, quiet_ms, e);
	if (rc == 0 && l->latched)
		rc = link_clear(l, e);
	return rc;
}

/* What every exchange is. */
static int
link_talk(struct epcl_link *l, unsigned quiet_ms, const uint8_t *bytes, size_t len,
	unsigned timeout_ms, struct epcl_reply *reply, bool *sent, struct err *e)
{
	size_t done = 0;
	struct err ignored, own;

	if (!e)
		e = &own;
	*sent = false;
	epcl_reply_init(reply);
	int rc = link_settle(l, quiet_ms, e);
	if (rc)
		return rc;
	rc = link_write(l, bytes, len, &done, e);
	/* A controller may lose the count of a transfer that an unplug broke off: then nobody
	 * knows. */
	*sent = done == len || (rc && e->fault == FAULT_UNPLUGGED);
	if (done > 0)
		l->owed = true;
	if (rc && done > 0 && done < len) {
		l->torn.len = 0;
		buf_append(&l->torn, bytes + done, len - done, &ignored);
	}
	if (rc == 0)
		rc = link_reply(l, timeout_ms, reply, e);
	if (rc == 0)
		l->owed = false;
	return rc;
}

int
epcl_link_exchange(struct epcl_link *l, const uint8_t *bytes, size_t len, unsigned timeout_ms,
	struct epcl_reply *reply, bool *sent, struct err *e)
{
	return link_talk(l, drain_ms, bytes, len, timeout_ms, reply, sent, e);
}

static int
text_talk(struct epcl_link *l, unsigned quiet_ms, const char *text, unsigned timeout_ms,
	struct epcl_reply *reply, bool *sent, struct err *e)
{
	struct buf out;
	int rc;

	*sent = false;
	buf_init(&out, 512);
	rc = epcl_command(&out, text, e);
	if (rc == 0)
		rc = link_talk(l, quiet_ms, out.data, out.len, timeout_ms, reply, sent, e);
	if (out.data)
		explicit_bzero(out.data, out.len); /* a stripe's text is the holder's */
	buf_done(&out);
	return rc;
}

int
epcl_link_command(struct epcl_link *l, const char *text, unsigned timeout_ms,
	struct epcl_reply *reply, bool *sent, struct err *e)
{
	return text_talk(l, drain_ms, text, timeout_ms, reply, sent, e);
}

int
epcl_link_ask(struct epcl_link *l, const char *text, struct epcl_reply *reply, struct err *e)
{
	bool sent;

	return text_talk(l, glance_ms, text, l->reply_ms, reply, &sent, e);
}

/* Ends any plane that a program which died left unfinished: 01 is a dot, a count and a literal. */
static int
link_fill(struct epcl_link *l, struct err *e)
{
	uint8_t ones[16384];
	size_t done;
	int rc = 0;

	memset(ones, 1, sizeof ones);
	for (size_t n = 0; n < plane_max && rc == 0; n += sizeof ones)
		rc = link_write(l, ones, sizeof ones, &done, e);
	if (rc == 0)
		rc = link_write(l, "\r", 1, &done, e);
	return rc ? rc : link_drain(l, settle_ms, e);
}

int
epcl_link_start(struct epcl_link *l, struct err *e)
{
	struct epcl_reply reply;
	int rc = link_drain(l, drain_ms, e);

	if (rc == 0)
		rc = version_ask(l, l->reply_ms, &reply, e);
	if (rc && e->fault == FAULT_NO_REPLY) {
		rc = link_fill(l, e);
		if (rc == 0)
			rc = version_ask(l, l->reply_ms, &reply, e);
	}
	for (unsigned i = 0; rc == 0 && i < resync_replies; i++) {
		if (reply.kind == EPCL_TEXT && reply.len) {
			snprintf(l->version, sizeof l->version, "%s", reply.text);
			return link_drain(l, drain_ms, e);
		}
		if (reply.kind == EPCL_NACK && l->latched) {
			rc = link_clear(l, e);
			if (rc == 0)
				rc = version_ask(l, l->reply_ms, &reply, e);
			continue;
		}
		rc = link_reply(l, settle_ms, &reply, e);
		if (rc && e->fault == FAULT_NO_REPLY && i == 0)
			return 0;
	}
	return rc ? rc : fault_set(e, FAULT_GARBLED_REPLY, reply.text);
}
