/*
 * sle4442.c - the commands of an SLE4442 memory card through a reader.
 *
 * Owns the dialects of readers and the rule of the security code: the error counter is read first,
 * and a code is presented once, only while the counter is full. Guarantees that a write that was
 * not read back is never called done, since the card ignores a write without the code silently. On
 * failure the card keeps what was written so far; nothing is tried twice that costs an attempt.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/sle4442.h"

#include "drivers/pcsc.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { READ_MAX = 128, WRITE_MAX = 32, APDU_HEAD = 5, SECURITY_LEN = 4, PROTECTION_LEN = 4 };
enum { SW_GOOD = 0x9000, SW_COUNTER = 0x9000, SW_COUNTER_MASK = 0xff00 };

/*
 * The pseudo-APDUs of a family of readers:
 *
 *   select   FF ins 00 00 01 type     powers the card anew; before all else
 *   read     FF ins 00 at len         memory; past its end the protection bits
 *   security FF ins 00 00 04          counter | PSC (zero until it was accepted)
 *   guard    FF ins 00 00 04          protection bits, byte 0 in bit 0; 0 = protected
 *   write    FF ins 00 at len bytes   9000 proves nothing
 *   protect  FF ins 00 at len bytes   where card and bytes agree, for ever
 *   present  FF ins 00 00 03 psc      90 and the counter afterwards
 *   change   FF ins 00 01 03 psc
 *
 * Source: reference manuals of the ACR38 and ACR39 families. Other makers reach such cards by
 * tunnels of their own that no open document proves; their rows carry no instructions and are
 * refused with that word.
 */
struct sle4442_dialect {
	const char *reader; /* beginning of the name */
	bool known;
	uint8_t card_type;
	uint8_t select, read, security, guard, write, protect, present, change;
};

#define ACS    true, 0x06, 0xa4, 0xb0, 0xb1, 0xb2, 0xd0, 0xd1, 0x20, 0xd2
#define TUNNEL false, 0, 0, 0, 0, 0, 0, 0, 0, 0
static const struct sle4442_dialect dialects[] = {
	{"ACS ACR38", ACS},
	{"ACS ACR39", ACS},
	{"ACS ACR1281", ACS},
	{"OMNIKEY", TUNNEL},
	{"HID Global OMNIKEY", TUNNEL},
	{"Identiv", TUNNEL},
	{"SCM Microsystems", TUNNEL},
};

const struct sle4442_dialect *
sle4442_dialect_find(const char *reader)
{
	for (size_t i = 0; i < ARRAY_LEN(dialects); i++)
		if (strncasecmp(reader, dialects[i].reader, strlen(dialects[i].reader)) == 0)
			return dialects[i].known ? &dialects[i] : NULL;
	return NULL;
}

static int
apdu_run(struct sle4442 *c, const uint8_t *apdu, size_t len, uint8_t *reply, size_t want,
	uint16_t *sw, struct err *e)
{
	size_t n = 0;
	int rc = c->link.transmit(c->link.ctx, apdu, len, reply, want, &n, sw, e);

	if (rc == 0 && *sw == SW_GOOD && n != want)
		rc = fault_set(e, FAULT_GARBLED_REPLY, "memory card: short answer");
	return rc;
}

/* One whose status word must be 9000. */
static int
apdu_good(struct sle4442 *c, const uint8_t *apdu, size_t len, uint8_t *reply, size_t want,
	enum fault refused, struct err *e)
{
	uint16_t sw;
	char raw[ERR_RAW_MAX];
	int rc = apdu_run(c, apdu, len, reply, want, &sw, e);

	if (rc || sw == SW_GOOD)
		return rc;
	snprintf(raw, sizeof raw, "memory card: %02x answered %04x", apdu[1], sw);
	return fault_set(e, refused, raw);
}

static int
card_select(struct sle4442 *c, struct err *e)
{
	const uint8_t apdu[] = {0xff, c->dialect->select, 0, 0, 1, c->dialect->card_type};

	c->open = false;
	return apdu_good(c, apdu, sizeof apdu, NULL, 0, FAULT_CHIP_TYPE, e);
}

int
sle4442_attach(struct sle4442 *c, const struct apdu_link *link, const char *reader, struct err *e)
{
	static const uint8_t answer_to_reset[] = {0xa2, 0x13, 0x10, 0x91};
	uint8_t head[sizeof answer_to_reset];

	*c = (struct sle4442){.link = *link, .dialect = sle4442_dialect_find(reader)};
	if (!c->dialect)
		return fault_say(e, FAULT_CHIP_TYPE, reader,
			_("This reader is not known to write memory cards (SLE4442); use an ACS "
			  "ACR38 or ACR39."));
	int rc = card_select(c, e);
	if (rc == 0)
		rc = sle4442_read(c, 0, head, sizeof head, e);
	if (rc == 0 && memcmp(head, answer_to_reset, sizeof head) != 0)
		rc = fault_set(e, FAULT_CHIP_TYPE, "no SLE4442: another beginning");
	return rc;
}

static int
link_transmit(void *ctx, const uint8_t *apdu, size_t len, uint8_t *reply, size_t max,
	size_t *reply_len, uint16_t *sw, struct err *e)
{
	return pcsc_transmit(ctx, apdu, len, reply, max, reply_len, sw, e);
}

static int
link_power_cycle(void *ctx, struct err *e)
{
	return pcsc_power_cycle(ctx, e);
}

int
sle4442_open(struct sle4442 *c, const char *reader, struct err *e)
{
	struct apdu_link link = {link_transmit, link_power_cycle, NULL};
	struct pcsc *p = NULL;
	bool present = false;

	*c = (struct sle4442){0};
	int rc = pcsc_open(&p, reader, e);
	if (rc == 0)
		rc = pcsc_connect(p, &present, e);
	if (rc == 0 && !present)
		rc = fault_set(e, FAULT_NO_CHIP, reader);
	if (rc == 0) {
		link.ctx = p;
		rc = sle4442_attach(c, &link, pcsc_name(p), e);
	}
	c->pcsc = p;
	return rc;
}

void
sle4442_close(struct sle4442 *c)
{
	pcsc_close(c->pcsc);
	*c = (struct sle4442){0};
}

int
sle4442_reset(struct sle4442 *c, struct err *e)
{
	int rc = c->link.power_cycle(c->link.ctx, e);

	return rc ? rc : card_select(c, e);
}

int
sle4442_read(struct sle4442 *c, unsigned at, uint8_t *out, size_t len, struct err *e)
{
	if (at + len > SLE4442_LEN)
		return err_set(e, ERR_INTERNAL, "memory card: read of %zu at %u", len, at);
	for (size_t done = 0; done < len;) {
		const size_t n = len - done < READ_MAX ? len - done : READ_MAX;
		const uint8_t apdu[] = {
			0xff, c->dialect->read, 0, (uint8_t)(at + done), (uint8_t)n};
		int rc = apdu_good(c, apdu, sizeof apdu, out + done, n, FAULT_CHIP_REMOVED, e);
		if (rc)
			return rc;
		done += n;
	}
	return 0;
}

static int
security_read(struct sle4442 *c, uint8_t out[SECURITY_LEN], struct err *e)
{
	const uint8_t apdu[] = {0xff, c->dialect->security, 0, 0, SECURITY_LEN};

	return apdu_good(c, apdu, sizeof apdu, out, SECURITY_LEN, FAULT_CHIP_REMOVED, e);
}

int
sle4442_counter(struct sle4442 *c, uint8_t *counter, struct err *e)
{
	uint8_t security[SECURITY_LEN] = {0};
	int rc = security_read(c, security, e);

	*counter = security[0] & SLE4442_COUNTER_FULL;
	explicit_bzero(security, sizeof security);
	return rc;
}

int
sle4442_protection(struct sle4442 *c, uint32_t *bits, struct err *e)
{
	const uint8_t apdu[] = {0xff, c->dialect->guard, 0, 0, PROTECTION_LEN};
	uint8_t raw[PROTECTION_LEN] = {0};
	int rc = apdu_good(c, apdu, sizeof apdu, raw, sizeof raw, FAULT_CHIP_REMOVED, e);

	*bits = (uint32_t)raw[3] << 24 | (uint32_t)raw[2] << 16 | (uint32_t)raw[1] << 8 | raw[0];
	return rc;
}

static int
counter_check(uint8_t counter, struct err *e)
{
	char raw[ERR_RAW_MAX];

	if (counter == SLE4442_COUNTER_FULL)
		return 0;
	snprintf(raw, sizeof raw, "memory card: error counter %02x", counter);
	return fault_say(e, FAULT_CHIP_USED, raw,
		counter ? _("A wrong code was tried on this card before, or a check was broken "
			    "off; its code is not tried again. Put the card aside.")
			: _("This card is locked for ever: its code was tried wrongly too often. "
			    "Destroy the card."));
}

int
sle4442_present(struct sle4442 *c, const uint8_t psc[SLE4442_PSC_LEN], struct err *e)
{
	uint8_t apdu[APDU_HEAD + SLE4442_PSC_LEN] = {
		0xff, c->dialect->present, 0, 0, SLE4442_PSC_LEN};
	uint8_t counter;
	uint16_t sw;
	int rc = sle4442_counter(c, &counter, e);

	if (rc == 0)
		rc = counter_check(counter, e);
	if (rc)
		return rc;
	memcpy(apdu + APDU_HEAD, psc, SLE4442_PSC_LEN);
	rc = apdu_run(c, apdu, sizeof apdu, NULL, 0, &sw, e);
	explicit_bzero(apdu, sizeof apdu);
	if (rc == 0 && (sw & SW_COUNTER_MASK) != SW_COUNTER)
		rc = fault_set(e, FAULT_CHIP_WRITE, "memory card: code not taken");
	/* The counter itself is asked: a reader's status word alone opens nothing. */
	if (rc == 0)
		rc = sle4442_counter(c, &counter, e);
	if (rc == 0 && counter != SLE4442_COUNTER_FULL)
		rc = fault_say(e, FAULT_CHIP_USED, "memory card: code refused",
			_("The code of this card is another one; it is not tried again. Put the "
			  "card aside."));
	c->open = rc == 0;
	return rc;
}

/* Bytes from at that differ, in one APDU. */
static int
run_write(struct sle4442 *c, unsigned at, const uint8_t *bytes, size_t len, struct err *e)
{
	uint8_t apdu[APDU_HEAD + WRITE_MAX] = {
		0xff, c->dialect->write, 0, (uint8_t)at, (uint8_t)len};

	memcpy(apdu + APDU_HEAD, bytes, len);
	c->writes++;
	int rc = apdu_good(c, apdu, APDU_HEAD + len, NULL, 0, FAULT_CHIP_WRITE, e);
	explicit_bzero(apdu, sizeof apdu);
	return rc;
}

int
sle4442_write(struct sle4442 *c, unsigned at, const uint8_t *bytes, size_t len, struct err *e)
{
	uint8_t seen[SLE4442_LEN];
	char raw[ERR_RAW_MAX];
	int rc = sle4442_read(c, at, seen, len, e);

	for (size_t i = 0; rc == 0 && i < len;) {
		size_t n = 0;
		while (i + n < len && n < WRITE_MAX && seen[i + n] != bytes[i + n])
			n++;
		if (n)
			rc = run_write(c, at + (unsigned)i, bytes + i, n, e);
		i += n ? n : 1;
	}
	if (rc == 0)
		rc = sle4442_read(c, at, seen, len, e);
	for (size_t i = 0; rc == 0 && i < len; i++)
		if (seen[i] != bytes[i]) {
			snprintf(raw, sizeof raw, "memory card: byte %zu not as written", at + i);
			rc = fault_set(e, FAULT_CHIP_WRITE, raw);
		}
	explicit_bzero(seen, sizeof seen);
	return rc;
}

int
sle4442_psc_change(struct sle4442 *c, const uint8_t psc[SLE4442_PSC_LEN], struct err *e)
{
	uint8_t apdu[APDU_HEAD + SLE4442_PSC_LEN] = {
		0xff, c->dialect->change, 0, 1, SLE4442_PSC_LEN};
	uint8_t security[SECURITY_LEN];
	int rc = 0;

	if (!c->open)
		return err_set(e, ERR_INTERNAL, "memory card: code change while closed");
	memcpy(apdu + APDU_HEAD, psc, SLE4442_PSC_LEN);
	c->writes++;
	rc = apdu_good(c, apdu, sizeof apdu, NULL, 0, FAULT_CHIP_WRITE, e);
	explicit_bzero(apdu, sizeof apdu);
	/* Readable only now; once the power is gone the old code is worth nothing. */
	if (rc == 0)
		rc = security_read(c, security, e);
	if (rc == 0 && memcmp(security + 1, psc, SLE4442_PSC_LEN) != 0)
		rc = fault_set(e, FAULT_CHIP_WRITE, "memory card: new code not as written");
	explicit_bzero(security, sizeof security);
	if (rc == 0)
		rc = sle4442_reset(c, e);
	return rc ? rc : sle4442_present(c, psc, e);
}

int
sle4442_protect(struct sle4442 *c, unsigned at, const uint8_t *bytes, size_t len, struct err *e)
{
	uint8_t apdu[APDU_HEAD + SLE4442_PROTECTABLE] = {
		0xff, c->dialect->protect, 0, (uint8_t)at, (uint8_t)len};
	uint8_t seen[SLE4442_PROTECTABLE];
	uint32_t bits;

	if (at + len > SLE4442_PROTECTABLE || !c->open)
		return err_set(e, ERR_INTERNAL, "memory card: protection of %zu at %u", len, at);
	int rc = sle4442_read(c, at, seen, len, e);
	if (rc == 0 && memcmp(seen, bytes, len) != 0)
		rc = fault_set(e, FAULT_CHIP_VERIFY, "memory card: not protected, bytes differ");
	if (rc)
		return rc;
	memcpy(apdu + APDU_HEAD, bytes, len);
	c->writes++;
	rc = apdu_good(c, apdu, APDU_HEAD + len, NULL, 0, FAULT_CHIP_WRITE, e);
	if (rc == 0)
		rc = sle4442_protection(c, &bits, e);
	for (unsigned i = at; rc == 0 && i < at + len; i++)
		if (bits >> i & 1u)
			rc = fault_set(e, FAULT_CHIP_WRITE, "memory card: protection not taken");
	return rc;
}
