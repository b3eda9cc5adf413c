/*
 * evolis-link.c - commands out, replies in, one at a time.
 *
 * Owns keeping commands and replies in step. Guarantees: a reply is never taken for another
 * command's, because before each command what lies in the pipe is thrown away, and after a lost or
 * strange reply the printer is asked for its serial number until that comes back. A plane that
 * broke off is filled up with blank dots, or the printer would swallow the next command as dots. On
 * failure err carries the transport's fault; the link stays usable.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/evolis.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const unsigned drain_ms = 1;    /* a reply that was already there comes at once */
static const unsigned glance_ms = 0;   /* before a question, which changes nothing */
static const unsigned settle_ms = 300; /* how long stale replies may trickle in at first contact */
static const unsigned drain_reads = 256; /* more than this is a printer that never stops talking */
static const unsigned resync_replies = 16;
static const size_t plane_max = 658368; /* the largest plane, 256 levels */
static const char serial_question[] = "Rsn";

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int
transport_read(
	struct link *l, uint8_t *bytes, size_t max, size_t *len, unsigned timeout_ms, struct err *e)
{
	*len = 0;
	return l->transport->ops->read(l->transport, bytes, max, len, timeout_ms, e);
}

/* Throws away what lies in the pipe until it is quiet for quiet_ms. */
static int
link_drain(struct link *l, unsigned quiet_ms, struct err *e)
{
	uint8_t bytes[512];
	struct err why = {0};
	size_t len;

	l->n_held = 0;
	for (unsigned i = 0; i < drain_reads; i++) {
		int rc = transport_read(l, bytes, sizeof bytes, &len, quiet_ms, &why);
		if (rc && why.fault == FAULT_NO_REPLY)
			return 0;
		if (rc) {
			if (e)
				*e = why;
			return rc;
		}
	}
	return fault_set(e, FAULT_GARBLED_REPLY, NULL);
}

/*
 * One reply. It ends at an end mark, or when nothing follows for the model's gap: whether replies
 * carry an end mark over USB is not known. A bare OK needs no waiting, nothing longer begins with
 * it.
 */
static int
link_reply(struct link *l, unsigned timeout_ms, struct wire_reply *reply, struct err *e)
{
	int64_t until = now_ms() + timeout_ms;
	enum wire_end end = WIRE_MORE;
	struct err why = {0};
	size_t used;

	wire_reply_init(reply);
	while (end == WIRE_MORE && strcmp(reply->text, "OK") != 0) {
		int64_t left = until - now_ms();
		unsigned wait_ms = reply->len ? l->m->reply_gap_ms : left > 1 ? (unsigned)left : 1;
		int rc = 0;
		if (l->n_held == 0)
			rc = transport_read(l, l->held, sizeof l->held, &l->n_held, wait_ms, &why);
		if (rc && (why.fault != FAULT_NO_REPLY || reply->len == 0)) {
			if (e)
				*e = why;
			return rc;
		}
		if (rc) {
			wire_reply_trim(reply);
			return 0;
		}
		end = wire_reply_feed(reply, l->held, l->n_held, &used);
		l->n_held -= used;
		memmove(l->held, l->held + used, l->n_held);
		if (end == WIRE_MORE && left <= 0)
			return fault_set(e, FAULT_NO_REPLY, NULL);
	}
	if (end != WIRE_TOO_LONG)
		return 0;
	link_drain(l, drain_ms, NULL);
	return fault_set(e, FAULT_GARBLED_REPLY, reply->text);
}

static int
link_write(struct link *l, const void *bytes, size_t len, size_t *done, unsigned timeout_ms,
	struct err *e)
{
	*done = 0;
	return l->transport->ops->write(l->transport, bytes, len, done, timeout_ms, e);
}

/* Blank dots and the closing CR; outside a plane the printer ignores 00. */
static int
link_fill(struct link *l, size_t n, struct err *e)
{
	static const uint8_t blank[16384];
	size_t done;
	int rc = 0;

	l->owed = true;
	while (n > 0 && rc == 0) {
		bool last = n <= sizeof blank;
		size_t len = last ? n - 1 : sizeof blank;
		rc = len ? link_write(l, blank, len, &done, l->m->plane_ms, e) : 0;
		if (rc == 0 && last) {
			rc = link_write(l, "\r", 1, &done, l->m->plane_ms, e);
			len = rc ? len : n;
		} else if (rc) {
			len = done;
		}
		n -= len;
	}
	l->torn = n;
	return rc;
}

/* Asks for the serial number until it comes back: all earlier replies have then been passed over.
 */
static int
link_resync(struct link *l, struct err *e)
{
	static const char ask[] = "\033Rsn\r";
	struct wire_reply reply;
	size_t done;
	int rc = link_write(l, ask, sizeof ask - 1, &done, l->m->param_ms, e);

	for (unsigned i = 0; rc == 0 && i < resync_replies; i++) {
		rc = link_reply(l, l->m->param_ms, &reply, e);
		if (rc == 0 && strcmp(reply.text, l->serial) == 0) {
			l->owed = false;
			return 0;
		}
		if (rc && e && e->fault == FAULT_GARBLED_REPLY)
			rc = 0;
	}
	return rc ? rc : fault_set(e, FAULT_GARBLED_REPLY, reply.text);
}

static int
link_settle(struct link *l, unsigned quiet_ms, struct err *e)
{
	int rc = l->torn ? link_fill(l, l->torn, e) : 0;

	if (rc == 0 && l->owed && l->serial[0])
		rc = link_resync(l, e);
	else if (rc == 0 && l->owed) {
		rc = link_drain(l, settle_ms, e);
		l->owed = rc != 0;
	}
	return rc ? rc : link_drain(l, quiet_ms, e);
}

/* What every exchange is. */
static int
link_talk(struct link *l, unsigned quiet_ms, const uint8_t *bytes, size_t len, bool plane,
	unsigned timeout_ms, struct wire_reply *reply, bool *sent, struct err *e)
{
	struct err own;
	size_t done = 0;

	if (!e)
		e = &own;
	*sent = false;
	wire_reply_init(reply);
	int rc = link_settle(l, quiet_ms, e);
	if (rc)
		return rc;
	rc = link_write(l, bytes, len, &done, timeout_ms, e);
	/* A controller may lose the count of a transfer that an unplug broke off: then nobody
	 * knows. */
	*sent = done == len || (rc && !plane && e->fault == FAULT_UNPLUGGED);
	if (rc && plane && done > 0)
		l->torn = len - done;
	if (done > 0)
		l->owed = true;
	if (rc == 0)
		rc = link_reply(l, timeout_ms, reply, e);
	if (rc == 0)
		l->owed = false;
	return rc;
}

int
link_exchange(struct link *l, const uint8_t *bytes, size_t len, bool plane, unsigned timeout_ms,
	struct wire_reply *reply, bool *sent, struct err *e)
{
	return link_talk(l, drain_ms, bytes, len, plane, timeout_ms, reply, sent, e);
}

static int
text_talk(struct link *l, unsigned quiet_ms, const char *text, unsigned timeout_ms,
	struct wire_reply *reply, bool *sent, struct err *e)
{
	struct buf out;
	int rc;

	*sent = false;
	buf_init(&out, 256);
	rc = wire_command(&out, text, e);
	if (rc == 0)
		rc = link_talk(l, quiet_ms, out.data, out.len, false, timeout_ms, reply, sent, e);
	buf_done(&out);
	return rc;
}

int
link_command(struct link *l, const char *text, unsigned timeout_ms, struct wire_reply *reply,
	bool *sent, struct err *e)
{
	return text_talk(l, drain_ms, text, timeout_ms, reply, sent, e);
}

int
link_ask(struct link *l, const char *text, struct wire_reply *reply, struct err *e)
{
	bool sent;

	return text_talk(l, glance_ms, text, l->m->param_ms, reply, &sent, e);
}

/* A serial number is one printable word. */
static bool
serial_good(const struct wire_reply *r)
{
	return r->len > 0 && r->len < 64 && !r->odd && wire_text_find(r)->class == WIRE_UNKNOWN;
}

/*
 * What lies in the pipe may belong to a program that ended in the middle of a job. Silence then
 * means that the printer still waits for the rest of a plane.
 */
int
link_start(struct link *l, const char *usb_serial, struct err *e)
{
	struct wire_reply reply;
	bool sent;
	int rc = link_drain(l, drain_ms, e);

	if (rc == 0)
		rc = link_command(l, serial_question, l->m->param_ms, &reply, &sent, e);
	if (rc && e->fault == FAULT_NO_REPLY) {
		rc = link_fill(l, plane_max + 1, e);
		if (rc == 0)
			rc = link_drain(l, settle_ms, e);
		l->owed = false;
		if (rc == 0)
			rc = link_command(l, serial_question, l->m->param_ms, &reply, &sent, e);
	}
	for (unsigned i = 0; rc == 0 && i < resync_replies; i++) {
		if (serial_good(&reply))
			snprintf(l->serial, sizeof l->serial, "%.63s", reply.text);
		if (l->serial[0] && (!usb_serial[0] || strcmp(l->serial, usb_serial) == 0))
			return 0;
		rc = link_reply(l, settle_ms, &reply, e);
	}
	return rc && e->fault != FAULT_NO_REPLY ? rc : 0;
}
