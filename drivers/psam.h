/*
 * psam.h - a security module (PSAM) in a PC/SC reader, spoken to in the PBOC style.
 *
 * The module keeps the master keys and gives out nothing but results for one card: psam.c draws the
 * commands, doc/KEYS.md says which inputs make which key.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_PSAM_H
#define CARDSPOOL_PSAM_H

#include "drivers/sle4442.h"

enum { PSAM_BLOCK = 8, PSAM_MAC_LEN = 4, PSAM_NAME_MAX = 16, PSAM_DATA_MAX = 240 };

/* As cardspool.conf gives it. */
struct psam_setup {
	char reader[128];
	uint8_t application[PSAM_NAME_MAX]; /* name (DF) that SELECT takes */
	size_t application_len;
	uint8_t key_version;             /* 1-255 */
	uint8_t access_usage, mac_usage; /* P1 of the diversification: which master */
};

struct psam {
	struct apdu_link link;
	struct pcsc *pcsc; /* NULL: somebody else's link */
	struct psam_setup setup;
};

/* The reader, the module in it and its application; asks for nothing secret. FAULT_KEYS with what
 * is wrong: no reader, no module, no such application. */
int psam_open(struct psam *p, const struct psam_setup *setup, struct err *e);
int psam_attach(struct psam *p, const struct apdu_link *link, const struct psam_setup *setup,
	struct err *e);
void psam_close(struct psam *p);

/*
 * Makes the module's session key from a master and factors of 8 bytes each. FAULT_KEYS when the
 * module does not know that version of the key, refuses, or is gone; then nothing was derived.
 */
int psam_diversify(struct psam *p, uint8_t usage, uint8_t version, const uint8_t *factors,
	size_t n_factors, struct err *e);
/* Enciphers n_blocks blocks of 8 bytes with the session key. */
int psam_encipher(struct psam *p, const uint8_t *in, size_t n_blocks, uint8_t *out, struct err *e);
/* MAC over data, a multiple of 8 bytes, from an initial value; uses the session key up. */
int psam_mac(struct psam *p, const uint8_t initial[PSAM_BLOCK], const uint8_t *data, size_t len,
	uint8_t mac[PSAM_MAC_LEN], struct err *e);

/* All of one MIFARE Classic card: sector keys and, over digest (32 bytes), the MAC (doc/KEYS.md).
 */
int psam_sector_keys(struct psam *p, unsigned version, const struct chip_id *id,
	struct chip_keys *out, struct err *e);
int psam_card_mac(struct psam *p, unsigned version, const struct chip_id *id,
	const uint8_t digest[HASH_LEN], struct chip_keys *out, struct err *e);

#endif
