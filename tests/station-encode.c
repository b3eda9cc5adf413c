/*
 * station-encode.c - one deed at a real station address, for check-station.sh.
 *
 *	station-encode ADDRESS encode|resume|verify|select
 *	station-encode ADDRESS twice           encodes, and encodes again whatever came of it
 *	station-encode ADDRESS time            encodes and says how many ms that took
 *	station-encode ADDRESS hold            keeps the chip selected until it is killed
 *	station-encode list                    PC/SC readers
 *	station-encode expect UID-HEX FILE     the memory a finished chip must have, block 0 apart
 * Prints one line: "ok ...", or the fault's word and the device's own words. Keys are a table of
 * this test.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/driver.h"

#include "drivers/pcsc.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* pcscd looks every 400 ms whether a card was laid down. */
enum { pcscd_notices_ms = 3000, retry_ms = 100 };

static int
table_keys(void *ctx, const struct chip_id *id, const struct chip_image *image,
	struct chip_keys *out, struct err *e)
{
	(void)ctx, (void)image, (void)e;
	for (unsigned sector = 0; sector < CHIP_SECTORS; sector++)
		for (unsigned i = 0; i < MIFARE_KEY_LEN; i++) {
			out->key[sector][KEY_A][i] =
				(uint8_t)(id->uid[i % id->uid_len] + sector + i);
			out->key[sector][KEY_B][i] =
				(uint8_t)(id->uid[i % id->uid_len] ^ (sector * 7 + i));
		}
	for (unsigned i = 0; i < sizeof out->mac; i++)
		out->mac[i] = (uint8_t)(0x40 + i);
	return 0;
}

static const struct key_source table = {.card_keys = table_keys};

static void
image_init(struct chip_image *c)
{
	memset(c, 0, sizeof *c);
	for (unsigned b = 4; b <= 42; b++) {
		if (b % 4 == 3)
			continue;
		c->data |= UINT64_C(1) << b;
		for (unsigned i = 0; i < CHIP_BLOCK_LEN; i++)
			c->block[b][i] = (uint8_t)(b * 16 + i);
	}
	c->mac = 6;
}

/* Put together by hand from the data sheet, not with the encoder's builder. */
static int
expect(const char *uid, const char *path)
{
	struct chip_image image;
	struct chip_id id = {.uid_len = strlen(uid) / 2};
	struct chip_keys keys;

	if (id.uid_len > sizeof id.uid || hex_parse(id.uid, id.uid_len, uid))
		return 64;
	image_init(&image);
	table_keys(NULL, &id, &image, &keys, NULL);
	memcpy(image.block[1], keys.mac, sizeof keys.mac);
	for (unsigned s = 0; s < CHIP_SECTORS; s++) {
		uint8_t *t = image.block[s * 4 + 3];
		memcpy(t, keys.key[s][KEY_A], 6);
		memcpy(t + 6, "\x78\x77\x88\x69", 4);
		memcpy(t + 10, keys.key[s][KEY_B], 6);
	}
	return file_write(path, image.block, sizeof image.block, 0600, NULL) ? 74 : 0;
}

static int
deed(struct station *s, const char *verb, unsigned wait_ms, struct err *e)
{
	struct chip_image image;
	struct chip_report report = {0};
	struct chip_id id;
	bool same = false;
	int rc = 0;

	image_init(&image);
	for (unsigned ms = 0; ms <= wait_ms; ms += retry_ms) {
		rc = chip_select(s, wait_ms, &id, e);
		if (rc == 0 || e->fault != FAULT_READER_GONE)
			break;
		usleep(retry_ms * 1000);
	}
	if (rc)
		return rc;
	if (strcmp(verb, "select") == 0) {
		printf("ok %zu\n", id.uid_len);
	} else if (strcmp(verb, "time") == 0) {
		struct timespec from, to;
		clock_gettime(CLOCK_MONOTONIC, &from);
		rc = chip_encode(s, &id, &image, &table, false, &report, e);
		clock_gettime(CLOCK_MONOTONIC, &to);
		if (rc == 0)
			printf("ok proved %d ms %.1f\n", report.proved,
				(double)(to.tv_sec - from.tv_sec) * 1e3 +
					(double)(to.tv_nsec - from.tv_nsec) / 1e6);
	} else if (strcmp(verb, "hold") == 0) {
		pause();
	} else if (strcmp(verb, "verify") == 0) {
		rc = chip_verify(s, &id, &image, &table, &same, e);
		if (rc == 0)
			printf("ok %s\n", same ? "same" : "other");
	} else {
		rc = chip_encode(s, &id, &image, &table, strcmp(verb, "resume") == 0, &report, e);
		if (rc == 0)
			printf("ok proved %d written %u trailers %u\n", report.proved,
				report.blocks_written, report.trailers_written);
	}
	return rc;
}

static int
list(void)
{
	struct pcsc_list l;
	struct err e = {0};
	int rc = pcsc_list(&l, &e);

	for (size_t i = 0; rc == 0 && i < l.n; i++)
		printf("%s\n", l.name[i]);
	return err_exit_status(rc);
}

int
main(int argc, char **argv)
{
	struct station *s = NULL;
	struct err e = {0};

	if (argc == 4 && strcmp(argv[1], "expect") == 0)
		return expect(argv[2], argv[3]);
	if (argc == 2 && strcmp(argv[1], "list") == 0)
		return list();
	if (argc != 3)
		return 64;
	int rc = station_open(&s, argv[1], &e);
	if (rc == 0 && strcmp(argv[2], "twice") == 0)
		deed(s, argv[2], pcscd_notices_ms, &e);
	if (rc == 0)
		rc = deed(s, argv[2], strncmp(argv[1], "pcsc:", 5) ? 50 : pcscd_notices_ms, &e);
	if (rc)
		printf("%s [%s] %s\n", e.fault ? fault_row(e.fault)->code : "error", e.raw, e.text);
	station_close(s);
	return err_exit_status(rc);
}
