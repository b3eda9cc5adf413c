/*
 * pcsc.h - PC/SC readers of the emulator, and what can lie in one.
 *
 * A reader is a socket of the file system that ifd.c, loaded into a real pcscd, connects to. Behind
 * it lies a slot: the antenna of a printer's station, or a card with contacts. One connection at a
 * time is served; whoever comes next takes its place.
 *
 *   both ways   length (2, big endian) | body
 *   to us       body of one byte: 00 power off, 01 power on, 02 reset (no answer to these three),
 *               04 what is the ATR? (answer: the ATR, empty when nothing lies there, one byte FF
 *               when the reader itself is unplugged),
 *               05 where are you on USB? (answer: bus, address; empty: on no USB)
 *               any other body: an APDU; the answer is data and status word
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_EMULATOR_PCSC_H
#define CARDSPOOL_EMULATOR_PCSC_H

#include "tests/emulator/emulator.h"
#include "tests/emulator/slot.h"

/* How a family of contactless readers differs from another. */
struct reader_model {
	const char *name; /* as the reader calls itself to PC/SC */
	bool contactless;
	uint8_t key_structure; /* P1 of FF 82 that it takes */
	uint8_t key_slots;     /* P2 of FF 82: 0 to key_slots - 1 */
	bool reselects;        /* activates the card again by itself after a refused key */
	bool trailers;         /* writes a sector trailer by FF D6 */
};
extern const struct reader_model reader_models[]; /* ends with a NULL name */
/* By the whole name, or its beginning; NULL: unknown. */
const struct reader_model *reader_model_find(const char *name);

struct pcsc_reader;
/* Listens at socket_path, mode 0666. card goes to the reader, which destroys it. NULL with errno.
 */
struct pcsc_reader *pcsc_reader_start(
	const struct slot_ops *ops, void *card, const char *name, const char *socket_path);
/*
 * unplug, plug     the reader is gone and comes back: pcscd cannot speak to it
 * mute N           the next N APDUs are carried out, their answers lost
 * mute-at N        the N-th APDU from now is carried out, its answer lost
 * unplug-at N      the reader is unplugged while it answers the N-th APDU from now
 * remove, insert   what lies in the slot is taken out, put back
 * count            APDUs so far
 * place BUS N      it is on USB there
 * clear            ends every fault
 * any other line goes to the card's own control
 */
char *pcsc_reader_control(struct pcsc_reader *r, const char *line);
void pcsc_reader_stop(struct pcsc_reader *r);
/* Where it is on USB from now on. */
void pcsc_reader_place(struct pcsc_reader *r, unsigned bus, unsigned address);

/* The antenna of a station as a slot (pcsc-field.c). */
extern const struct slot_ops slot_field;
void *slot_field_create(struct field *f, const struct reader_model *m);

#endif
