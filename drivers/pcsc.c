/*
 * pcsc.c - readers behind pcscd.
 *
 * Owns everything that knows pcsc-lite; no other file includes its headers. A card is connected
 * exclusively, so that no second program can speak between two APDUs. Guarantees that no APDU is
 * written anywhere, for they carry keys. On failure the connection is let go: the next connect
 * begins afresh, with a card that has lost all its state.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/pcsc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <reader.h>
#include <winscard.h>

struct pcsc {
	SCARDCONTEXT context;
	SCARDHANDLE card;
	bool has_context, connected;
	DWORD protocol;
	char name[PCSC_NAME_MAX];
	uint8_t atr[PCSC_ATR_MAX];
	size_t atr_len;
};

enum { NAMES_MAX = PCSC_READERS_MAX * PCSC_NAME_MAX };
enum { SETTLE_TRIES = 3, SETTLE_STEP_MS = 200 };

/* pcsc-lite's codes that say more than "it failed". */
static const struct {
	LONG code;
	enum fault fault;
} meanings[] = {
	{SCARD_W_REMOVED_CARD, FAULT_CHIP_REMOVED},
	{SCARD_E_NO_SMARTCARD, FAULT_CHIP_REMOVED},
	{SCARD_W_RESET_CARD, FAULT_CHIP_REMOVED},
	{SCARD_W_UNPOWERED_CARD, FAULT_CHIP_REMOVED},
	{SCARD_W_UNRESPONSIVE_CARD, FAULT_CHIP_TYPE},
	{SCARD_E_INSUFFICIENT_BUFFER, FAULT_GARBLED_REPLY},
	{SCARD_E_UNKNOWN_READER, FAULT_READER_GONE},
	{SCARD_E_READER_UNAVAILABLE, FAULT_READER_GONE},
	{SCARD_E_INVALID_HANDLE, FAULT_READER_GONE},
	{SCARD_E_NO_SERVICE, FAULT_READER_GONE},
};

static int
pcsc_fault(const struct pcsc *p, LONG code, enum fault otherwise, struct err *e)
{
	enum fault fault = otherwise;
	char raw[ERR_RAW_MAX];

	if (code == SCARD_E_SHARING_VIOLATION)
		return err_set(e, ERR_BUSY,
			_("The chip reader %s is in use by another program; end that program, or "
			  "wait "
			  "until it is done."),
			p->name);
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (meanings[i].code == code)
			fault = meanings[i].fault;
	snprintf(raw, sizeof raw, "%.60s: 0x%08lx", p->name, (unsigned long)(uint32_t)code);
	return fault_set(e, fault, raw);
}

static int
context_open(SCARDCONTEXT *out, struct err *e)
{
	LONG rc = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, out);

	if (rc == SCARD_S_SUCCESS)
		return 0;
	int error = fault_set(e, FAULT_READER_ABSENT, pcsc_stringify_error(rc));
	if (e)
		snprintf(e->text, sizeof e->text, "%s",
			_("The reader service pcscd does not answer; start it with "
			  "\"systemctl start pcscd.socket\"."));
	return error;
}

static int
context_list(SCARDCONTEXT context, struct pcsc_list *out, struct err *e)
{
	char names[NAMES_MAX];
	DWORD len = sizeof names;
	LONG rc = SCardListReaders(context, NULL, names, &len);

	out->n = 0;
	if (rc == SCARD_E_NO_READERS_AVAILABLE)
		return 0;
	if (rc != SCARD_S_SUCCESS)
		return fault_set(e, FAULT_READER_ABSENT, pcsc_stringify_error(rc));
	for (size_t at = 0; at < len && names[at] && out->n < PCSC_READERS_MAX;) {
		size_t n = strnlen(names + at, len - at);
		snprintf(out->name[out->n++], PCSC_NAME_MAX, "%.*s", (int)n, names + at);
		at += n + 1;
	}
	return 0;
}

int
pcsc_list(struct pcsc_list *out, struct err *e)
{
	SCARDCONTEXT context;

	out->n = 0;
	int rc = context_open(&context, e);
	if (rc)
		return rc;
	rc = context_list(context, out, e);
	SCardReleaseContext(context);
	return rc;
}

/* Where on the bus the reader hangs, as its driver says it; ERR_BUSY: another program has it alone.
 */
static int
plug_ask(SCARDCONTEXT context, const char *name, char *out, size_t max, struct err *e)
{
	enum { CHANNEL_USB = 0x20 };
	uint8_t bytes[16];
	uint32_t channel = 0; /* 0020 | bus | address */
	SCARDHANDLE reader;
	DWORD protocol, len = sizeof bytes;
	LONG rc = SCardConnect(context, name, SCARD_SHARE_DIRECT, 0, &reader, &protocol);

	out[0] = '\0';
	if (rc == SCARD_E_SHARING_VIOLATION)
		return err_set(e, ERR_BUSY,
			_("The chip reader %s is in use by another program, so its place on USB "
			  "cannot be asked; end that program, or wait until it is done."),
			name);
	if (rc == SCARD_S_SUCCESS) {
		rc = SCardGetAttrib(reader, SCARD_ATTR_CHANNEL_ID, bytes, &len);
		SCardDisconnect(reader, SCARD_LEAVE_CARD);
	}
	if (rc == SCARD_S_SUCCESS && len >= sizeof channel)
		memcpy(&channel, bytes, sizeof channel);
	if (channel >> 16 != CHANNEL_USB)
		return err_set(e, ERR_MISSING,
			_("The driver of the chip reader %s does not say where it is."), name);
	return usb_plug_find(out, max, (uint8_t)(channel >> 8), (uint8_t)channel, e);
}

int
pcsc_plug(const char *reader, char *out, size_t max, struct err *e)
{
	SCARDCONTEXT context;

	out[0] = '\0';
	int rc = context_open(&context, e);
	if (rc)
		return rc;
	rc = plug_ask(context, reader, out, max, e);
	SCardReleaseContext(context);
	return rc;
}

struct hits {
	const char *name[2];
	size_t n;
	struct err busy; /* a reader that could not be asked */
};

/* Does the reader hang where it is wanted? */
static bool
plug_fits(struct pcsc *p, const struct pcsc_want *w, const char *name, struct hits *h)
{
	char plug[PCSC_PLUG_MAX];
	struct err why = {0};

	if (!w->by_plug)
		return true;
	int rc = plug_ask(p->context, name, plug, sizeof plug, &why);
	if (rc == ERR_BUSY)
		h->busy = why;
	return rc == 0 && usb_plug_fits(plug, w->plug);
}

static int
hits_tell(const struct hits *h, const struct pcsc_want *w, const char *address, struct err *e)
{
	char text[ERR_TEXT_MAX];

	if (h->n > 1)
		return w->by_plug
			       ? err_set(e, ERR_USAGE,
					 _("Two chip readers are at USB %s: \"%s\" and \"%s\". "
					   "Name "
					   "the one you mean: pcsc:NAME;usb=%s"),
					 w->plug, h->name[0], h->name[1], w->plug)
			       : err_set(e, ERR_USAGE,
					 _("Two chip readers are called %s: \"%s\" and \"%s\". "
					   "Name "
					   "the one you mean in full, with its numbers, or by its "
					   "place: "
					   "pcsc:%s;usb=PLUG, as cardspool station list shows it."),
					 w->name, h->name[0], h->name[1], w->name);
	if (h->n == 1)
		return 0;
	if (h->busy.code) {
		if (e)
			*e = h->busy;
		return h->busy.code;
	}
	if (!w->by_plug)
		return fault_set(e, FAULT_READER_ABSENT, address);
	if (w->name[0])
		snprintf(text, sizeof text,
			_("No chip reader %s is plugged in at USB %s. Where each one is: cardspool "
			  "station list"),
			w->name, w->plug);
	else
		snprintf(text, sizeof text,
			_("No chip reader of pcscd is plugged in at USB %s. Where each one is: "
			  "cardspool station list"),
			w->plug);
	return fault_say(e, FAULT_READER_ABSENT, address, text);
}

static int
name_find(struct pcsc *p, const char *address, struct err *e)
{
	struct pcsc_want want;
	struct pcsc_list list;
	struct hits h = {0};
	int rc = pcsc_want_parse(&want, address, e);

	if (rc == 0)
		rc = context_list(p->context, &list, e);
	for (size_t i = 0; rc == 0 && i < list.n; i++) {
		const bool whole = strcmp(list.name[i], want.name) == 0;
		if (!pcsc_want_names(&want, list.name[i]) || !plug_fits(p, &want, list.name[i], &h))
			continue;
		h.name[whole || h.n == 0 ? 0 : 1] = list.name[i];
		h.n++;
		if (whole) {
			h.n = 1;
			break;
		}
	}
	if (rc == 0)
		rc = hits_tell(&h, &want, address, e);
	if (rc == 0)
		snprintf(p->name, sizeof p->name, "%s", h.name[0]);
	return rc;
}

int
pcsc_open(struct pcsc **out, const char *reader, struct err *e)
{
	struct pcsc *p = calloc(1, sizeof *p);
	int rc;

	*out = NULL;
	if (!p)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	rc = context_open(&p->context, e);
	p->has_context = rc == 0;
	if (rc == 0)
		rc = name_find(p, reader, e);
	if (rc) {
		pcsc_close(p);
		return rc;
	}
	*out = p;
	return 0;
}

void
pcsc_close(struct pcsc *p)
{
	if (!p)
		return;
	pcsc_disconnect(p, false);
	if (p->has_context)
		SCardReleaseContext(p->context);
	free(p);
}

const char *
pcsc_name(const struct pcsc *p)
{
	return p->name;
}

const uint8_t *
pcsc_atr(const struct pcsc *p, size_t *len)
{
	*len = p->connected ? p->atr_len : 0;
	return p->atr;
}

static int
atr_read(struct pcsc *p, struct err *e)
{
	DWORD name_len = 0, state, protocol, len = sizeof p->atr;
	LONG rc = SCardStatus(p->card, NULL, &name_len, &state, &protocol, p->atr, &len);

	p->atr_len = len;
	if (rc == SCARD_S_SUCCESS)
		return 0;
	pcsc_disconnect(p, false);
	return pcsc_fault(p, rc, FAULT_CHIP_REMOVED, e);
}

int
pcsc_connect(struct pcsc *p, bool *present, struct err *e)
{
	LONG rc;

	*present = p->connected;
	if (p->connected)
		return 0;
	rc = SCardConnect(p->context, p->name, SCARD_SHARE_EXCLUSIVE,
		SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &p->card, &p->protocol);
	/* Unpowered: the card that pcscd saw last is gone; it will notice within its half second.
	 */
	if (rc == SCARD_E_NO_SMARTCARD || rc == SCARD_W_REMOVED_CARD ||
		rc == SCARD_W_UNPOWERED_CARD)
		return 0;
	if (rc != SCARD_S_SUCCESS)
		return pcsc_fault(p, rc, FAULT_READER_GONE, e);
	p->connected = *present = true;
	return atr_read(p, e);
}

void
pcsc_disconnect(struct pcsc *p, bool power)
{
	if (p->connected)
		SCardDisconnect(p->card, power ? SCARD_LEAVE_CARD : SCARD_UNPOWER_CARD);
	p->connected = false;
	p->atr_len = 0;
}

/*
 * After a power-up that failed pcscd takes the card for gone at once, but its watcher has its own
 * memory and looks a few times a second: a card that is changed before that look is never seen.
 */
static void
watcher_wait(const struct pcsc *p)
{
	SCARD_READERSTATE seen = {.szReader = p->name};
	DWORD looks = 0;

	for (unsigned i = 0; i <= SETTLE_TRIES; i++) {
		LONG rc = SCardGetStatusChange(p->context, i ? SETTLE_STEP_MS : 0, &seen, 1);
		if (rc != SCARD_S_SUCCESS && rc != SCARD_E_TIMEOUT)
			return;
		if (i && seen.dwEventState >> 16 != looks)
			return;
		looks = seen.dwEventState >> 16;
		seen.dwCurrentState = seen.dwEventState & ~(DWORD)SCARD_STATE_CHANGED;
	}
}

int
pcsc_power_cycle(struct pcsc *p, struct err *e)
{
	bool present;
	LONG rc;

	if (!p->connected) {
		int error = pcsc_connect(p, &present, e);
		if (error || present)
			return error;
		return fault_set(e, FAULT_CHIP_REMOVED, p->name);
	}
	rc = SCardReconnect(p->card, SCARD_SHARE_EXCLUSIVE, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1,
		SCARD_UNPOWER_CARD, &p->protocol);
	if (rc != SCARD_S_SUCCESS) {
		watcher_wait(p);
		pcsc_disconnect(p, false);
		return pcsc_fault(p, rc, FAULT_CHIP_REMOVED, e);
	}
	return atr_read(p, e);
}

/*
 * What became of the card after a failed exchange: pcscd looks at its readers a few times a second,
 * so that a card or a reader that has left is known as such only a while later.
 */
static LONG
failure_settle(const struct pcsc *p, LONG code)
{
	SCARD_READERSTATE seen = {.szReader = p->name,
		.dwCurrentState = SCARD_STATE_PRESENT | SCARD_STATE_EXCLUSIVE | SCARD_STATE_INUSE};
	const DWORD gone = SCARD_STATE_UNAVAILABLE | SCARD_STATE_UNKNOWN | SCARD_STATE_IGNORE;

	for (unsigned i = 0; i < SETTLE_TRIES; i++) {
		LONG rc = SCardGetStatusChange(p->context, SETTLE_STEP_MS, &seen, 1);
		if (rc == SCARD_E_UNKNOWN_READER || rc == SCARD_E_READER_UNAVAILABLE)
			return SCARD_E_READER_UNAVAILABLE;
		if (rc != SCARD_S_SUCCESS && rc != SCARD_E_TIMEOUT)
			break;
		if (seen.dwEventState & gone)
			return SCARD_E_READER_UNAVAILABLE;
		if (seen.dwEventState & SCARD_STATE_EMPTY)
			return SCARD_W_REMOVED_CARD;
		seen.dwCurrentState = seen.dwEventState;
	}
	return code;
}

int
pcsc_transmit(struct pcsc *p, const uint8_t *apdu, size_t len, uint8_t *reply, size_t max,
	size_t *reply_len, uint16_t *sw, struct err *e)
{
	uint8_t answer[PCSC_APDU_MAX];
	DWORD n = sizeof answer;
	LONG rc;
	int error = 0;

	if (reply_len)
		*reply_len = 0;
	*sw = 0;
	if (!p->connected)
		return fault_set(e, FAULT_CHIP_REMOVED, p->name);
	rc = SCardTransmit(p->card, p->protocol == SCARD_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1,
		apdu, len, NULL, answer, &n);
	if (rc != SCARD_S_SUCCESS) {
		pcsc_disconnect(p, false);
		error = pcsc_fault(p, failure_settle(p, rc), FAULT_CHIP_REMOVED, e);
	} else if (n < 2 || n - 2 > (reply ? max : 0)) {
		error = fault_set(e, FAULT_GARBLED_REPLY, p->name);
	} else {
		*sw = (uint16_t)(answer[n - 2] << 8 | answer[n - 1]);
		if (reply)
			memcpy(reply, answer, n - 2);
		if (reply_len)
			*reply_len = n - 2;
	}
	explicit_bzero(answer, sizeof answer);
	return error;
}
