/*
 * sle4442.h - SLE4442 memory cards in a PC/SC reader.
 *
 * A raw chip of 256 bytes, an error counter and a security code (PSC) of 3 bytes. Readers differ in
 * the pseudo-APDUs that reach it; sle4442.c has a table of them and refuses a reader that it does
 * not name. Keys and files of a card are doc/LOGIC-CARDS.md's matter, in sle4442-life.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_SLE4442_H
#define CARDSPOOL_SLE4442_H

#include "drivers/driver.h"

enum { SLE4442_LEN = 256, SLE4442_PROTECTABLE = 32, SLE4442_PSC_LEN = 3 };
enum { SLE4442_COUNTER_FULL = 7 };

/* The way APDUs take: pcsc.c's in production, an emulated card's in tests. As pcsc_transmit and
 * pcsc_power_cycle. */
struct apdu_link {
	int (*transmit)(void *ctx, const uint8_t *apdu, size_t len, uint8_t *reply, size_t max,
		size_t *reply_len, uint16_t *sw, struct err *e);
	int (*power_cycle)(void *ctx, struct err *e);
	void *ctx;
};

struct sle4442_dialect;
/* The row of the reader of that name; NULL: unknown, and never guessed at. */
const struct sle4442_dialect *sle4442_dialect_find(const char *reader);

struct sle4442 {
	struct apdu_link link;
	const struct sle4442_dialect *dialect;
	struct pcsc *pcsc; /* NULL: somebody else's link */
	bool open;         /* the PSC was accepted since the last power-on */
	unsigned writes;   /* APDUs that change the card, for reports and tests */
};

/* The reader of that name and the card in it. FAULT_CHIP_TYPE for a reader without a row or for
 * another card; FAULT_NO_CHIP when nothing lies there. Close with sle4442_close in any case. */
int sle4442_open(struct sle4442 *c, const char *reader, struct err *e);
/* The same over a given link. */
int sle4442_attach(
	struct sle4442 *c, const struct apdu_link *link, const char *reader, struct err *e);
void sle4442_close(struct sle4442 *c);

/* Power off and on; the PSC has to be presented again. */
int sle4442_reset(struct sle4442 *c, struct err *e);
/* at + len <= 256. */
int sle4442_read(struct sle4442 *c, unsigned at, uint8_t *out, size_t len, struct err *e);
/* The error counter, 0 to 7: free, costs nothing. */
int sle4442_counter(struct sle4442 *c, uint8_t *counter, struct err *e);
/* Bit i is 0 when byte i can never be changed again. */
int sle4442_protection(struct sle4442 *c, uint32_t *bits, struct err *e);
/*
 * Presents the PSC, once, and only when the counter is full. FAULT_CHIP_USED: the counter is not
 * full (the card was not asked) or this code was refused (the counter now shows it).
 */
int sle4442_present(struct sle4442 *c, const uint8_t psc[SLE4442_PSC_LEN], struct err *e);
/* Writes what differs and reads it back: FAULT_CHIP_WRITE when the card did not take it. */
int sle4442_write(struct sle4442 *c, unsigned at, const uint8_t *bytes, size_t len, struct err *e);
/* Replaces the PSC, reads it back while open, powers the card anew and presents the new one. */
int sle4442_psc_change(struct sle4442 *c, const uint8_t psc[SLE4442_PSC_LEN], struct err *e);
/* For ever: protects at .. at + len - 1, all below 32, after comparing them with bytes. */
int sle4442_protect(
	struct sle4442 *c, unsigned at, const uint8_t *bytes, size_t len, struct err *e);

/* ---- the life of a card (sle4442-life.c, doc/LOGIC-CARDS.md) ---- */

enum { LOGIC_SERIAL_LEN = 8, LOGIC_MAC_LEN = 8, LOGIC_DATA_AT = 48, LOGIC_DATA_LEN = 208 };

enum logic_state {
	LOGIC_BLANK,       /* no card of ours: as delivered, or somebody else's */
	LOGIC_INIT_BEGUN,  /* carries a serial; the transport code may still stand */
	LOGIC_INITIALISED, /* user code set, no holder yet */
	LOGIC_WRITING,     /* a holder's data is being written, or was left half written */
	LOGIC_ISSUED,
	LOGIC_VOID,
	LOGIC_TORN /* the state byte itself is damaged */
};
const char *logic_state_name(enum logic_state s);

struct logic_card {
	enum logic_state state;
	uint8_t key_version;
	uint8_t serial[LOGIC_SERIAL_LEN];
	uint8_t mac[LOGIC_MAC_LEN];
	uint8_t data[LOGIC_DATA_LEN];
};
/* Pure: out from the 256 bytes of a card. */
void logic_parse(struct logic_card *out, const uint8_t memory[SLE4442_LEN]);

/* The user code and the MAC of one card: from keyd, or a table in tests. data NULL: no MAC wanted.
 */
struct logic_keys {
	uint8_t psc[SLE4442_PSC_LEN], mac[LOGIC_MAC_LEN];
	uint8_t key_version;
};
struct logic_source {
	/* key_version 0: the current one. */
	int (*keys)(void *ctx, const uint8_t serial[LOGIC_SERIAL_LEN], unsigned key_version,
		const uint8_t *data, struct logic_keys *out, struct err *e);
	void *ctx;
};

/*
 * Transport code checked, user code set, format and serial written and read back; with burn the
 * protection bits of bytes 8 to 20, last and for ever. A card that an interruption left between is
 * finished when it is certain which code it has, else refused. serial is that of a fresh card.
 */
int logic_init(struct sle4442 *c, const uint8_t transport[SLE4442_PSC_LEN],
	const uint8_t serial[LOGIC_SERIAL_LEN], const struct logic_source *keys, bool burn,
	struct logic_card *out, struct err *e);
/* Writes a holder's data to an initialised card. An issued or void one is refused; a half written
 * one is written anew. */
int logic_issue(struct sle4442 *c, const uint8_t data[LOGIC_DATA_LEN],
	const struct logic_source *keys, struct logic_card *out, struct err *e);
/* Clears data and MAC and marks the card void. */
int logic_void(
	struct sle4442 *c, const struct logic_source *keys, struct logic_card *out, struct err *e);
/* Reads without presenting anything. *genuine: issued, and the MAC is right. */
int logic_read(struct sle4442 *c, const struct logic_source *keys, struct logic_card *out,
	bool *genuine, struct err *e);

#endif
