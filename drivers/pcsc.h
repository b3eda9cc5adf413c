/*
 * pcsc.h - a reader behind pcscd: connecting to what lies in it, and APDUs.
 *
 * Only pcsc.c knows pcsc-lite. Stations, PSAMs and memory cards are built on these calls.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_PCSC_H
#define CARDSPOOL_PCSC_H

#include "drivers/driver.h"

enum {
	PCSC_READERS_MAX = 16,
	PCSC_NAME_MAX = 128,
	PCSC_PLUG_MAX = 32,
	PCSC_ATR_MAX = 33,
	PCSC_APDU_MAX = 262
};

struct pcsc;

struct pcsc_list {
	char name[PCSC_READERS_MAX]
		 [PCSC_NAME_MAX]; /* as pcscd shows them, with the numbers behind */
	size_t n;
};
/* No reader is 0 with n 0. FAULT_READER_ABSENT when pcscd does not answer. */
int pcsc_list(struct pcsc_list *out, struct err *e);

/* The plug of a reader, whole name, as the reader's driver and libusb say it: "1-2.4". ERR_BUSY: another program
 * has it alone; ERR_MISSING: it is not on USB, or its driver does not say. */
int pcsc_plug(const char *reader, char *out, size_t max, struct err *e);

/* ---- pcsc-want.c ---- */

struct pcsc_want {
	char name[PCSC_NAME_MAX], plug[PCSC_PLUG_MAX]; /* name "": any at that plug */
	bool by_plug;
};
int pcsc_want_parse(struct pcsc_want *out, const char *address, struct err *e);
bool pcsc_want_names(const struct pcsc_want *w, const char *full);

/* ---- pcsc.c ---- */

/*
 * The reader of that name: the whole one, or without pcscd's numbers ("ACS ACR122U" for
 * "ACS ACR122U 00 00"), or "serial=AB12" for the one that has "(AB12)" in its name; "NAME;usb=1-2.4"
 * or "usb=1-2.4" for the one in that plug, "usb=1-2.*" for the one on that hub. Only one may match;
 * two are ERR_USAGE naming both. No card needs to lie in it. The caller closes it.
 */
int pcsc_open(struct pcsc **out, const char *reader, struct err *e);
void pcsc_close(struct pcsc *p); /* also takes the power from the card; p may be NULL */
const char *pcsc_name(const struct pcsc *p);
/* How that chip reader is spoken to (station-pcsc.c); NULL: it is not known. */
const char *station_pcsc_dialect(const char *reader);

/* Connects, alone, to the card that lies there now. No card is 0 with *present false. ERR_BUSY when
 * another program holds it. Does nothing when it stands already. */
int pcsc_connect(struct pcsc *p, bool *present, struct err *e);
/* Lets go; power: the card stays powered. */
void pcsc_disconnect(struct pcsc *p, bool power);
/* Power off and on, and the card connected again. FAULT_CHIP_REMOVED when it is gone. */
int pcsc_power_cycle(struct pcsc *p, struct err *e);
const uint8_t *pcsc_atr(const struct pcsc *p, size_t *len); /* len 0: not connected */

/*
 * One APDU. reply (may be NULL with max 0) gets what comes before the status word. 0 whatever the
 * status word says; FAULT_CHIP_REMOVED, FAULT_READER_GONE, or FAULT_GARBLED_REPLY for an answer
 * that does not fit; then nothing is known of what the card did. Nothing of an APDU is ever logged.
 */
int pcsc_transmit(struct pcsc *p, const uint8_t *apdu, size_t len, uint8_t *reply, size_t max,
	size_t *reply_len, uint16_t *sw, struct err *e);

#endif
