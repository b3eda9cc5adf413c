/*
 * station-pcsc.c - chip readers behind pcscd, by the pseudo-APDUs of PC/SC part 3.
 *
 * The readers that card printers are fitted with hide their radio behind these commands. Owns the
 * table of what is different between families of readers. Guarantees: only the reader that the
 * address names is used, alone; a reader that no row knows is refused unless the address names the
 * row to take ("pcsc:NAME;dialect=part3"); a key is loaded only when it is another than the last,
 * is forgotten here after any failure, and the reader's slot is overwritten before it is left. On
 * failure the card is let go, and the next select begins with one that has lost its state. A reader
 * that refuses the trailer of a chip which still answers serves no second card. PC/SC shows one
 * card only: a second one in the field is not seen here.
 *
 *   FF CA 00 00 00                         UID
 *   FF 82 P1 slot 06 key                   load key
 *   FF 86 00 00 05 01 00 block 60|61 slot  authenticate
 *   FF B0 00 block 10                      read 16 bytes
 *   FF D6 00 block 10 data                 write 16 bytes; 04: a tag's page
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/pcsc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SW_OK = 0x9000, SW_AUTH = 0x6982, SW_FAILED = 0x6300 };

/* What is inferred from the families' manuals stands in doc/STATIONS.md; the first row is what the
 * standard says. */
static const struct dialect {
	const char *name, *reader; /* reader: the beginning of the name it shows, NULL: none */
	uint8_t key_structure, key_slot;
	bool power_cycle; /* a refused key leaves the card deaf until it loses its power */
} dialects[] = {
	{"part3", NULL, 0x00, 0x00, true},
	{"omnikey", "OMNIKEY", 0x20, 0x00, true},
	{"omnikey", "HID Global OMNIKEY", 0x20, 0x00, true},
	{"springcard", "SpringCard", 0x00, 0x00, true},
	{"elyctis", "Elyctis", 0x00, 0x00, true},
	{"identiv", "Identiv", 0x00, 0x00, true},
	{"identiv", "SCM", 0x00, 0x00, true},
	{"acs", "ACS", 0x00, 0x00, true},
};

/* Part 3's names of storage cards: the two bytes behind the registered id in the ATR. */
static const struct card_name {
	uint8_t name[2], sak, atqa;
} card_names[] = {
	{{0x00, 0x01}, 0x08, 0x04},
	{{0x00, 0x02}, 0x18, 0x02},
	{{0x00, 0x03}, 0x00, 0x44},
	{{0x00, 0x26}, 0x09, 0x04},
};
static const uint8_t part3_head[] = {0xa0, 0x00, 0x00, 0x03, 0x06, 0x03};
enum { PART3_HEAD_AT = 7, PART3_NAME_AT = 13, ATQA_UID_7 = 0x40, SAK_PART4 = 0x20 };

struct station_pcsc {
	struct station station;
	struct pcsc *pcsc;
	const struct dialect *dialect;
	bool deaf; /* an exchange failed since the card was selected */
	bool key_loaded;
	uint8_t key[MIFARE_KEY_LEN]; /* in the reader's slot */
	/* What the reader turned out to do with trailers. */
	bool trailer_taken, trailer_doubted, trailer_refused;
};

static void
key_forget(struct station_pcsc *p)
{
	explicit_bzero(p->key, sizeof p->key);
	p->key_loaded = false;
}

static const struct dialect *
dialect_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(dialects); i++)
		if (strcmp(dialects[i].name, name) == 0)
			return &dialects[i];
	return NULL;
}

static const struct dialect *
dialect_by_reader(const char *reader)
{
	for (size_t i = 0; i < ARRAY_LEN(dialects); i++)
		if (dialects[i].reader &&
			strncasecmp(dialects[i].reader, reader, strlen(dialects[i].reader)) == 0)
			return &dialects[i];
	return NULL;
}

static int key_load(
	struct station_pcsc *p, const uint8_t key[MIFARE_KEY_LEN], unsigned block, struct err *e);

const char *
station_pcsc_dialect(const char *reader)
{
	const struct dialect *d = dialect_by_reader(reader);

	return d ? d->name : NULL;
}

/* The slot cannot be emptied; the transport key is no secret. */
static void
pcsc_station_forget(struct station *s)
{
	struct station_pcsc *p = (struct station_pcsc *)s;

	if (p->key_loaded && key_load(p, chip_transport_key, 0, NULL) != 0)
		key_forget(p);
}

static void
pcsc_station_close(struct station *s)
{
	struct station_pcsc *p = (struct station_pcsc *)s;

	pcsc_station_forget(s);
	pcsc_close(p->pcsc);
	explicit_bzero(p, sizeof *p);
	free(p);
}

static int
pcsc_station_open(struct station **out, const char *address, struct err *e)
{
	static const char key[] = ";dialect=";
	extern const struct station_driver station_pcsc;
	const char *word = strstr(address, key);
	const char *rest = word ? word + 1 + strcspn(word + 1, ";") : "";
	char name[PCSC_NAME_MAX + PCSC_PLUG_MAX], dialect[16] = "";
	struct station_pcsc *p;
	int rc;

	snprintf(name, sizeof name, "%.*s%s", word ? (int)(word - address) : (int)strlen(address),
		address, rest);
	if (word)
		snprintf(dialect, sizeof dialect, "%.*s", (int)(rest - word - (sizeof key - 1)),
			word + sizeof key - 1);
	p = calloc(1, sizeof *p);
	if (!p)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	p->station.driver = &station_pcsc;
	rc = pcsc_open(&p->pcsc, name, e);
	if (rc == 0) {
		p->dialect =
			word ? dialect_by_name(dialect) : dialect_by_reader(pcsc_name(p->pcsc));
		if (!p->dialect && word)
			rc = err_set(e, ERR_USAGE,
				_("%s: no such way of speaking to a chip reader."), dialect);
		else if (!p->dialect)
			rc = err_set(e, ERR_DEVICE,
				_("The chip reader %s is not one that is known. If it speaks plain "
				  "PC/SC part 3, name it as \"pcsc:%s;dialect=part3\"."),
				pcsc_name(p->pcsc), name);
	}
	if (rc) {
		pcsc_station_close(&p->station);
		return rc;
	}
	*out = &p->station;
	return 0;
}

static int
pcsc_station_field_reset(struct station *s, struct err *e)
{
	struct station_pcsc *p = (struct station_pcsc *)s;
	struct err ignored;

	key_forget(p);
	/* an empty field has nothing to lose: the next select says that nothing is there */
	p->deaf = false;
	int rc = pcsc_power_cycle(p->pcsc, &ignored);
	if (rc == 0 || ignored.fault == FAULT_CHIP_REMOVED)
		return 0;
	if (e)
		*e = ignored;
	return rc;
}

static void
chip_id_from_atr(struct chip_id *out, const uint8_t *atr, size_t len)
{
	out->sak = SAK_PART4;
	if (len <= PART3_NAME_AT + 2 || memcmp(atr + PART3_HEAD_AT, part3_head, sizeof part3_head))
		return;
	for (size_t i = 0; i < ARRAY_LEN(card_names); i++) {
		if (memcmp(card_names[i].name, atr + PART3_NAME_AT, 2) != 0)
			continue;
		out->sak = card_names[i].sak;
		out->atqa[1] = card_names[i].atqa;
		if (out->uid_len == 7)
			out->atqa[1] |= ATQA_UID_7;
	}
}

/* Connected, or *present false. A card that stopped listening is woken by taking its power. */
static int
card_wake(struct station_pcsc *p, bool *present, struct err *e)
{
	int rc;

	if (p->deaf && p->dialect->power_cycle) {
		struct err ignored;
		rc = pcsc_power_cycle(p->pcsc, &ignored);
		if (rc && ignored.fault != FAULT_CHIP_REMOVED) {
			if (e)
				*e = ignored;
			return rc;
		}
	}
	p->deaf = false;
	return pcsc_connect(p->pcsc, present, e);
}

static int
trailer_fault(const struct station_pcsc *p, struct err *e)
{
	int rc = fault_set(e, FAULT_KEYS, pcsc_name(p->pcsc));

	if (e)
		snprintf(e->text, sizeof e->text,
			_("The chip reader %s refuses to set the keys of a chip; use another "
			  "reader."),
			pcsc_name(p->pcsc));
	return rc;
}

static int
pcsc_station_select(
	struct station *s, const struct chip_id *want, struct chip_id *out, struct err *e)
{
	static const uint8_t ask[] = {0xff, 0xca, 0x00, 0x00, 0x00};
	struct station_pcsc *p = (struct station_pcsc *)s;
	const uint8_t *atr;
	size_t atr_len;
	uint16_t sw = 0;
	bool present;

	*out = (struct chip_id){0};
	if (p->trailer_refused)
		return trailer_fault(p, e);
	for (int try = 0; try < 2; try++) {
		struct err why = {0};
		int rc = card_wake(p, &present, e);
		if (rc || !present)
			return rc;
		rc = pcsc_transmit(p->pcsc, ask, sizeof ask, out->uid, sizeof out->uid,
			&out->uid_len, &sw, &why);
		if (rc == 0 && sw == SW_OK)
			break;
		out->uid_len = 0;
		if (rc && why.fault != FAULT_CHIP_REMOVED) {
			if (e)
				*e = why;
			return rc;
		}
		p->deaf = true;
	}
	if (!out->uid_len)
		return 0;
	if (want &&
		(want->uid_len != out->uid_len || memcmp(want->uid, out->uid, out->uid_len) != 0)) {
		*out = (struct chip_id){0};
		return 0;
	}
	atr = pcsc_atr(p->pcsc, &atr_len);
	chip_id_from_atr(out, atr, atr_len);
	out->cards_in_field = 1;
	return 0;
}

/* Sends; a status word other than "good" is the given fault, with the word as the reader's own. */
static int
apdu_send(struct station_pcsc *p, const uint8_t *apdu, size_t len, uint8_t *reply, size_t max,
	enum fault otherwise, const char *what, unsigned block, struct err *e)
{
	char raw[ERR_RAW_MAX];
	size_t n;
	uint16_t sw;
	int rc = pcsc_transmit(p->pcsc, apdu, len, reply, max, &n, &sw, e);

	if (rc == 0 && sw == SW_OK && n == max)
		return 0;
	p->deaf = true;
	key_forget(p);
	if (rc)
		return rc;
	snprintf(raw, sizeof raw, "%s block %u: %04X", what, block, sw);
	return fault_set(e, sw == SW_OK ? FAULT_GARBLED_REPLY : otherwise, raw);
}

static int
key_load(struct station_pcsc *p, const uint8_t key[MIFARE_KEY_LEN], unsigned block, struct err *e)
{
	uint8_t load[5 + MIFARE_KEY_LEN] = {
		0xff, 0x82, p->dialect->key_structure, p->dialect->key_slot, MIFARE_KEY_LEN};

	if (p->key_loaded && memcmp(p->key, key, MIFARE_KEY_LEN) == 0)
		return 0;
	memcpy(load + 5, key, MIFARE_KEY_LEN);
	int rc =
		apdu_send(p, load, sizeof load, NULL, 0, FAULT_READER_ABSENT, "load key", block, e);
	explicit_bzero(load, sizeof load);
	if (rc)
		return rc;
	memcpy(p->key, key, MIFARE_KEY_LEN);
	p->key_loaded = true;
	return 0;
}

static int
pcsc_station_authenticate(struct station *s, const struct chip_id *id, unsigned block,
	enum key_kind kind, const uint8_t key[MIFARE_KEY_LEN], struct err *e)
{
	struct station_pcsc *p = (struct station_pcsc *)s;
	const uint8_t prove[] = {0xff, 0x86, 0x00, 0x00, 0x05, 0x01, 0x00, (uint8_t)block,
		kind == KEY_A ? 0x60 : 0x61, p->dialect->key_slot};

	if (id->uid_len < 4 || block >= CHIP_BLOCKS)
		return err_set(e, ERR_INTERNAL, "authenticate: uid of %zu bytes, block %u",
			id->uid_len, block);
	int rc = key_load(p, key, block, e);
	return rc ? rc
		  : apdu_send(p, prove, sizeof prove, NULL, 0, FAULT_CHIP_USED, "authenticate",
			    block, e);
}

static int
pcsc_station_read(struct station *s, unsigned block, uint8_t out[CHIP_BLOCK_LEN], struct err *e)
{
	const uint8_t apdu[] = {0xff, 0xb0, 0x00, (uint8_t)block, CHIP_BLOCK_LEN};

	return apdu_send((struct station_pcsc *)s, apdu, sizeof apdu, out, CHIP_BLOCK_LEN,
		FAULT_CHIP_VERIFY, "read", block, e);
}

/* A write the reader refuses twice, while the card lets itself be selected, is the reader's doing.
 */
static void
trailer_judge(struct station_pcsc *p, const struct err *why)
{
	bool present = false;

	if (p->trailer_taken || why->fault != FAULT_CHIP_WRITE)
		return;
	p->trailer_refused = card_wake(p, &present, NULL) == 0 && present && p->trailer_doubted;
	p->trailer_doubted = true;
}

static int
pcsc_station_write(
	struct station *s, unsigned block, const uint8_t in[CHIP_BLOCK_LEN], struct err *e)
{
	struct station_pcsc *p = (struct station_pcsc *)s;
	uint8_t apdu[5 + CHIP_BLOCK_LEN] = {0xff, 0xd6, 0x00, (uint8_t)block, CHIP_BLOCK_LEN};
	const bool trailer = block % CHIP_SECTOR_BLOCKS == CHIP_SECTOR_BLOCKS - 1;
	struct err why = {0};
	int rc;

	memcpy(apdu + 5, in, CHIP_BLOCK_LEN);
	rc = apdu_send(p, apdu, sizeof apdu, NULL, 0, FAULT_CHIP_WRITE, "write", block, &why);
	explicit_bzero(apdu, sizeof apdu); /* a trailer carries keys */
	if (trailer && rc == 0)
		p->trailer_taken = true;
	else if (trailer)
		trailer_judge(p, &why);
	if (rc && e)
		*e = why;
	return rc;
}

static int
pcsc_station_write_page(struct station *s, unsigned page, const uint8_t in[4], struct err *e)
{
	const uint8_t apdu[] = {0xff, 0xd6, 0x00, (uint8_t)page, 4, in[0], in[1], in[2], in[3]};

	return apdu_send((struct station_pcsc *)s, apdu, sizeof apdu, NULL, 0, FAULT_CHIP_WRITE,
		"write page", page, e);
}

const struct station_driver station_pcsc = {
	.name = "pcsc",
	.realm = "PCSCLITE_CSOCK_NAME",
	.open = pcsc_station_open,
	.close = pcsc_station_close,
	.forget = pcsc_station_forget,
	.field_reset = pcsc_station_field_reset,
	.select = pcsc_station_select,
	.authenticate = pcsc_station_authenticate,
	.read = pcsc_station_read,
	.write = pcsc_station_write,
	.write_page = pcsc_station_write_page,
};
