/*
 * slot.h - what can lie in a PC/SC reader of the emulator.
 *
 * pcsc.c gives a slot to a real pcscd; a test may also speak to what lies in it directly.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_EMULATOR_SLOT_H
#define CARDSPOOL_EMULATOR_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ATR_MAX = 33, APDU_MAX = 4096 };

/* What lies in a slot. The server calls one of these at a time. */
struct slot_ops {
	const char *name; /* "contactless", "psam", "sle4442" */
	/* Power on (after a reset too) or off. Returns the ATR's length, 0: nothing there. */
	size_t (*power)(void *card, bool on, uint8_t atr[ATR_MAX]);
	/* Is something there now? The ATR's length as power() would give it; changes nothing. */
	size_t (*look)(void *card, uint8_t atr[ATR_MAX]);
	/* One APDU; reply is data and status word. 0: no answer, the card is gone. */
	size_t (*transmit)(void *card, const uint8_t *apdu, size_t len, uint8_t *reply, size_t max);
	/* One line of the console for this card; a malloc'ed answer, "ok..." or "error...". May be
	 * NULL. */
	char *(*control)(void *card, const char *line);
	void (*destroy)(void *card); /* may be NULL */
};

/* Cards with contacts: a memory card (sle4442.c) and a security module (psam.c). */
extern const struct slot_ops slot_sle4442, slot_psam;
void *slot_sle4442_create(void);
void *slot_psam_create(void);

#endif
