/*
 * station-nfc.c - chip readers of the PN53x family, through libnfc.
 *
 * Owns everything that knows libnfc; no other file includes its header. Guarantees: only the reader
 * that the connection string names is opened, never a scan; no exchange waits for ever; libnfc
 * writes no log, because its transmit dump would show keys. A failed exchange leaves the card
 * unselected: the caller selects again before anything else. The fault of a failed exchange is this
 * file's best word only; PN53x chips report a removed card as a refused key, so mifare.c selects
 * again to tell them apart.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/driver.h"

#include <nfc/nfc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	open_tries = 3, /* a lost wake-up is the usual cause of a failed open */
	open_pause_ms = 100,
	exchange_timeout_ms =
		400, /* the slowest write takes 12 ms on air, 5 ms on a 115200 baud line */
	field_pause_ms =
		6, /* ISO 14443-3: at least 5 ms without field, 5 ms before the first command */
	targets_max = 3
};

/* What is sent to the card (MF1S50 data sheet); the PN53x does the cipher and the second half of a
 * write. */
enum { MF_AUTH_A = 0x60, MF_AUTH_B = 0x61, MF_READ = 0x30, MF_WRITE = 0xa0 };

struct station_nfc {
	struct station station;
	nfc_context *context;
	nfc_device *device;
};

static const nfc_modulation iso14443a = {.nmt = NMT_ISO14443A, .nbr = NBR_106};

static const struct {
	nfc_property property;
	bool value;
} properties[] = {
	{NP_INFINITE_SELECT, false}, /* an empty station must answer, not wait */
	{NP_AUTO_ISO14443_4, false}, /* no RATS: it would halt a Classic chip */
	{NP_EASY_FRAMING, true},
};

/* libnfc's codes that mean something else than "this exchange failed". */
static const struct {
	int nfc;
	enum fault fault;
} meanings[] = {
	{NFC_EMFCAUTHFAIL, FAULT_CHIP_USED},
	{NFC_ETGRELEASED, FAULT_CHIP_REMOVED},
	{NFC_EIO, FAULT_READER_GONE},
	{NFC_ENOTSUCHDEV, FAULT_READER_GONE},
	{NFC_ECHIP, FAULT_READER_GONE},
};

static void
pause_ms(unsigned ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

/* raw becomes "read block 7: RF Transmission Error". */
static int
nfc_fault(struct station_nfc *n, int code, enum fault otherwise, const char *what, unsigned block,
	struct err *e)
{
	enum fault fault = otherwise;
	char raw[ERR_RAW_MAX];

	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (meanings[i].nfc == code)
			fault = meanings[i].fault;
	snprintf(raw, sizeof raw, "%s block %u: %s (%d)", what, block, nfc_strerror(n->device),
		code);
	return fault_set(e, fault, raw);
}

/* One try: 0, or -1 with nothing left open. */
static int
device_open(struct station_nfc *n, const char *connection)
{
	nfc_connstring string;

	snprintf(string, sizeof string, "%s", connection);
	n->device = nfc_open(n->context, string);
	if (!n->device)
		return -1;
	bool ok = nfc_initiator_init(n->device) >= 0;
	for (size_t i = 0; ok && i < ARRAY_LEN(properties); i++)
		ok = nfc_device_set_property_bool(
			     n->device, properties[i].property, properties[i].value) >= 0;
	if (ok)
		return 0;
	nfc_close(n->device);
	n->device = NULL;
	return -1;
}

static void
nfc_station_close(struct station *s)
{
	struct station_nfc *n = (struct station_nfc *)s;

	if (n->device)
		nfc_close(n->device);
	if (n->context)
		nfc_exit(n->context);
	free(n);
}

static int
nfc_station_open(struct station **out, const char *address, struct err *e)
{
	extern const struct station_driver station_nfc;

	if (strlen(address) >= sizeof(nfc_connstring) || !address[0])
		return err_set(e, ERR_USAGE,
			_("nfc:%s: not the address of a chip reader; write it like "
			  "nfc:pn532_uart:/dev/ttyUSB0:115200 or nfc:pn53x_usb."),
			address);
	struct station_nfc *n = calloc(1, sizeof *n);
	if (!n)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	n->station.driver = &station_nfc;
	setenv("LIBNFC_LOG_LEVEL", "0", 1);
	nfc_init(&n->context);
	for (unsigned i = 0; n->context && i < open_tries; i++) {
		if (i)
			pause_ms(open_pause_ms);
		if (device_open(n, address) == 0) {
			*out = &n->station;
			return 0;
		}
	}
	nfc_station_close(&n->station);
	int rc = station_claim_address(address, &station_roots, e);
	return rc ? rc : fault_set(e, FAULT_READER_ABSENT, address);
}

static int
nfc_station_field_reset(struct station *s, struct err *e)
{
	struct station_nfc *n = (struct station_nfc *)s;
	int rc = nfc_device_set_property_bool(n->device, NP_ACTIVATE_FIELD, false);

	if (rc >= 0) {
		pause_ms(field_pause_ms);
		rc = nfc_device_set_property_bool(n->device, NP_ACTIVATE_FIELD, true);
		pause_ms(field_pause_ms);
	}
	return rc < 0 ? nfc_fault(n, rc, FAULT_READER_GONE, "field", 0, e) : 0;
}

static void
chip_id_fill(struct chip_id *out, const nfc_target *t, int n_targets)
{
	const nfc_iso14443a_info *a = &t->nti.nai;

	*out = (struct chip_id){.cards_in_field = (unsigned)n_targets};
	out->uid_len = a->szUidLen <= sizeof out->uid ? a->szUidLen : sizeof out->uid;
	memcpy(out->uid, a->abtUid, out->uid_len);
	memcpy(out->atqa, a->abtAtqa, sizeof out->atqa);
	out->sak = a->btSak;
}

/* Without a wanted UID the chips are counted: libnfc halts each one it finds and looks for the
 * next. */
static int
nfc_station_select(
	struct station *s, const struct chip_id *want, struct chip_id *out, struct err *e)
{
	struct station_nfc *n = (struct station_nfc *)s;
	nfc_target targets[targets_max];
	int found;

	*out = (struct chip_id){0};
	memset(targets, 0, sizeof targets); /* libnfc compares whole targets, padding included */
	if (want)
		found = nfc_initiator_select_passive_target(
			n->device, iso14443a, want->uid, want->uid_len, &targets[0]);
	else
		found = nfc_initiator_list_passive_targets(
			n->device, iso14443a, targets, targets_max);
	if (found < 0)
		return nfc_fault(n, found, FAULT_READER_GONE, "select", 0, e);
	if (found == 0)
		return 0;
	chip_id_fill(out, &targets[0], want ? 1 : found);
	return 0;
}

static int
nfc_station_authenticate(struct station *s, const struct chip_id *id, unsigned block,
	enum key_kind kind, const uint8_t key[MIFARE_KEY_LEN], struct err *e)
{
	struct station_nfc *n = (struct station_nfc *)s;
	uint8_t command[2 + MIFARE_KEY_LEN + 4], answer[CHIP_BLOCK_LEN + 2];

	if (id->uid_len < 4 || id->uid_len > sizeof id->uid || block >= CHIP_BLOCKS)
		return err_set(e, ERR_INTERNAL, "authenticate: uid of %zu bytes, block %u",
			id->uid_len, block);
	command[0] = kind == KEY_A ? MF_AUTH_A : MF_AUTH_B;
	command[1] = (uint8_t)block;
	memcpy(command + 2, key, MIFARE_KEY_LEN);
	memcpy(command + 2 + MIFARE_KEY_LEN, id->uid + id->uid_len - 4, 4);
	int rc = nfc_initiator_transceive_bytes(
		n->device, command, sizeof command, answer, sizeof answer, exchange_timeout_ms);
	explicit_bzero(command, sizeof command);
	return rc < 0 ? nfc_fault(n, rc, FAULT_CHIP_REMOVED, "authenticate", block, e) : 0;
}

static int
nfc_station_read(struct station *s, unsigned block, uint8_t out[CHIP_BLOCK_LEN], struct err *e)
{
	struct station_nfc *n = (struct station_nfc *)s;
	uint8_t command[2] = {MF_READ, (uint8_t)block}, answer[CHIP_BLOCK_LEN + 2];

	int rc = nfc_initiator_transceive_bytes(
		n->device, command, sizeof command, answer, sizeof answer, exchange_timeout_ms);
	if (rc < 0)
		return nfc_fault(n, rc, FAULT_CHIP_VERIFY, "read", block, e);
	if (rc != CHIP_BLOCK_LEN)
		return fault_set(e, FAULT_CHIP_VERIFY, "read: short answer");
	memcpy(out, answer, CHIP_BLOCK_LEN);
	return 0;
}

static int
nfc_station_write(
	struct station *s, unsigned block, const uint8_t in[CHIP_BLOCK_LEN], struct err *e)
{
	struct station_nfc *n = (struct station_nfc *)s;
	uint8_t command[2 + CHIP_BLOCK_LEN] = {MF_WRITE, (uint8_t)block},
			    answer[CHIP_BLOCK_LEN + 2];

	memcpy(command + 2, in, CHIP_BLOCK_LEN);
	int rc = nfc_initiator_transceive_bytes(
		n->device, command, sizeof command, answer, sizeof answer, exchange_timeout_ms);
	explicit_bzero(command, sizeof command); /* a trailer carries keys */
	return rc < 0 ? nfc_fault(n, rc, FAULT_CHIP_WRITE, "write", block, e) : 0;
}

static int
nfc_station_write_page(struct station *s, unsigned page, const uint8_t in[4], struct err *e)
{
	enum { TAG_WRITE = 0xa2 };
	struct station_nfc *n = (struct station_nfc *)s;
	const uint8_t command[] = {TAG_WRITE, (uint8_t)page, in[0], in[1], in[2], in[3]};
	uint8_t answer[CHIP_BLOCK_LEN + 2];

	int rc = nfc_initiator_transceive_bytes(
		n->device, command, sizeof command, answer, sizeof answer, exchange_timeout_ms);
	return rc < 0 ? nfc_fault(n, rc, FAULT_CHIP_WRITE, "write page", page, e) : 0;
}

const struct station_driver station_nfc = {
	.name = "nfc",
	.open = nfc_station_open,
	.close = nfc_station_close,
	.field_reset = nfc_station_field_reset,
	.select = nfc_station_select,
	.authenticate = nfc_station_authenticate,
	.read = nfc_station_read,
	.write = nfc_station_write,
	.write_page = nfc_station_write_page,
};
