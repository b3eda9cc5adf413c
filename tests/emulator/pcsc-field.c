/*
 * pcsc-field.c - a contactless reader: the antenna of a station behind pseudo-APDUs.
 *
 * Owns the reader's key slots and which chip it has selected. Speaks what PC/SC part 3 says of
 * storage cards: FF CA UID, FF 82 load a key, FF 86 authenticate, FF B0 read, FF D6 write (a block,
 * or a page of a tag). Where families of readers differ, a column of reader_models[] says how.
 * Anything else is refused with the status word that real readers give.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/pcsc.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { BLOCK_LEN = 16, PAGE_LEN = 4, KEY_LEN = 6, SLOTS_MAX = 32 };
enum { SW_OK = 0x9000, SW_FAILED = 0x6300, SW_WRONG_LENGTH = 0x6700, SW_REFUSED = 0x6982 };
enum { SW_NO_FUNCTION = 0x6a81, SW_WRONG_P = 0x6a86, SW_KEY_STRUCTURE = 0x6986 };
enum { SW_KEY_SLOT = 0x6988, SW_CLASS = 0x6e00, SW_INSTRUCTION = 0x6d00 };

/* Names as the readers call themselves; how they differ is inferred from their manuals' wording. */
const struct reader_model reader_models[] = {
	{"OMNIKEY AG CardMan 5121", true, 0x20, 32, true, true},
	{"HID Global OMNIKEY 5022 Smart Card Reader", true, 0x20, 32, true, true},
	{"SpringCard H663 Contactless", true, 0x00, 16, true, true},
	{"Elyctis CL reader", true, 0x00, 2, false, true},
	{"Identiv uTrust 4701 F Contactless Reader", true, 0x00, 2, true, true},
	{"Identiv CLOUD 4700 F Contactless Reader", true, 0x00, 2, true, false},
	{"ACS ACR122U PICC Interface", true, 0x00, 2, false, true},
	{"ACS ACR38U-CCID", false, 0x00, 0, false, false},
	{"ACS ACR39U ICC Reader", false, 0x00, 0, false, false},
	{"Identiv uTrust 4711 F CL SAM Reader", false, 0x00, 0, false, false},
	{NULL, false, 0, 0, false, false},
};

const struct reader_model *
reader_model_find(const char *name)
{
	for (const struct reader_model *m = reader_models; m->name; m++)
		if (!strncasecmp(m->name, name, strlen(m->name)))
			return m;
	return NULL;
}

/* What part 3 of PC/SC calls a storage card; the rest are cards with ISO 14443-4. */
static const struct {
	uint8_t sak, name[2];
} card_names[] = {
	{0x08, {0x00, 0x01}},
	{0x88, {0x00, 0x01}},
	{0x18, {0x00, 0x02}},
	{0x09, {0x00, 0x26}},
	{0x00, {0x00, 0x03}},
};

struct slot_field_state {
	struct field *field;
	const struct reader_model *model;
	struct chip *card; /* selected; only to be used while the field still holds it */
	bool halted;       /* a key was refused, and the reader does not select again */
	bool loaded[SLOTS_MAX];
	uint8_t key[SLOTS_MAX][KEY_LEN];
};

void *
slot_field_create(struct field *f, const struct reader_model *m)
{
	struct slot_field_state *s = calloc(1, sizeof(*s));

	if (s) {
		s->field = f;
		s->model = m;
	}
	return s;
}

static void
slot_field_destroy(void *card)
{
	free(card);
}

static size_t
atr_build(uint8_t atr[ATR_MAX], const struct chip *c)
{
	static const uint8_t storage[] = {
		0x3b, 0x8f, 0x80, 0x01, 0x80, 0x4f, 0x0c, 0xa0, 0x00, 0x00, 0x03, 0x06, 0x03};
	static const uint8_t part4[] = {0x3b, 0x81, 0x80, 0x01, 0x80, 0x80};
	size_t len = sizeof(storage) + 7;

	for (size_t i = 0; i < sizeof(card_names) / sizeof(card_names[0]); i++) {
		uint8_t check = 0;
		if (card_names[i].sak != c->sak)
			continue;
		memset(atr, 0, len);
		memcpy(atr, storage, sizeof(storage));
		memcpy(atr + sizeof(storage), card_names[i].name, 2);
		for (size_t k = 1; k < len - 1; k++)
			check ^= atr[k];
		atr[len - 1] = check;
		return len;
	}
	memcpy(atr, part4, sizeof(part4));
	return sizeof(part4);
}

/* The field's lock is held. Selects the first chip that answers. */
static struct chip *
card_select(struct slot_field_state *s)
{
	struct chip *found[FIELD_MAX];

	s->halted = false;
	s->card = field_select(s->field, NULL, 0, false, found, 1) ? found[0] : NULL;
	return s->card;
}

static size_t
slot_field_power(void *card, bool on, uint8_t atr[ATR_MAX])
{
	struct slot_field_state *s = card;
	size_t len = 0;

	pthread_mutex_lock(&s->field->lock);
	field_switch(s->field, false);
	s->card = NULL;
	if (on) {
		field_switch(s->field, true);
		len = card_select(s) ? atr_build(atr, s->card) : 0;
	}
	pthread_mutex_unlock(&s->field->lock);
	return len;
}

static size_t
slot_field_look(void *card, uint8_t atr[ATR_MAX])
{
	struct slot_field_state *s = card;
	size_t len = 0;

	pthread_mutex_lock(&s->field->lock);
	for (unsigned i = 0; i < s->field->n && !len; i++)
		if (!s->field->chip[i]->absent && !s->field->chip[i]->away)
			len = atr_build(atr, s->field->chip[i]);
	pthread_mutex_unlock(&s->field->lock);
	return len;
}

static unsigned
key_load(struct slot_field_state *s, const uint8_t *apdu, size_t len)
{
	if (len != 5 + KEY_LEN || apdu[4] != KEY_LEN)
		return SW_WRONG_LENGTH;
	if (apdu[2] != s->model->key_structure)
		return SW_KEY_STRUCTURE;
	if (apdu[3] >= s->model->key_slots)
		return SW_KEY_SLOT;
	memcpy(s->key[apdu[3]], apdu + 5, KEY_LEN);
	s->loaded[apdu[3]] = true;
	return SW_OK;
}

/* 0 on success, else the status word for what went wrong. */
static unsigned
chip_command(struct slot_field_state *s, const uint8_t *cmd, size_t len, uint8_t *reply,
	size_t *reply_len)
{
	*reply_len = 0;
	if (s->halted)
		return SW_REFUSED;
	int status = chip_exchange(s->card, cmd, len, reply, reply_len);
	if (status == 0)
		return 0;
	/* a chip that left the field answers nothing: the caller sees it gone */
	return SW_REFUSED;
}

static unsigned
authenticate(struct slot_field_state *s, const uint8_t *apdu, size_t len)
{
	uint8_t cmd[2 + KEY_LEN + 4], reply[16];
	size_t reply_len;

	if (len != 10 || apdu[4] != 5 || apdu[5] != 1 || apdu[6] != 0)
		return SW_WRONG_LENGTH;
	if (apdu[9] >= s->model->key_slots || !s->loaded[apdu[9]])
		return SW_KEY_SLOT;
	if (apdu[8] != 0x60 && apdu[8] != 0x61)
		return SW_WRONG_P;
	cmd[0] = apdu[8];
	cmd[1] = apdu[7];
	memcpy(cmd + 2, s->key[apdu[9]], KEY_LEN);
	memcpy(cmd + 2 + KEY_LEN, s->card->uid + s->card->uid_len - 4, 4);
	if (chip_command(s, cmd, sizeof(cmd), reply, &reply_len) == 0)
		return SW_OK;
	if (s->model->reselects)
		card_select(s);
	else
		s->halted = true;
	return SW_REFUSED;
}

static unsigned
block_read(struct slot_field_state *s, const uint8_t *apdu, size_t len, uint8_t *reply, size_t *n)
{
	uint8_t cmd[2] = {0x30, apdu[3]};
	unsigned sw;

	if (len != 5 || apdu[4] != BLOCK_LEN)
		return SW_WRONG_LENGTH;
	sw = chip_command(s, cmd, sizeof(cmd), reply, n);
	return sw ? sw : SW_OK;
}

/* Of an Ultralight or NTAG; any other card has no command of that length. */
static unsigned
page_write(struct slot_field_state *s, const uint8_t *apdu)
{
	uint8_t cmd[2 + PAGE_LEN] = {0xa2, apdu[3]}, reply[16];
	size_t n;

	memcpy(cmd + 2, apdu + 5, PAGE_LEN);
	unsigned sw = chip_command(s, cmd, sizeof(cmd), reply, &n);
	return sw ? sw : SW_OK;
}

static unsigned
block_write(struct slot_field_state *s, const uint8_t *apdu, size_t len)
{
	uint8_t cmd[2 + BLOCK_LEN] = {0xa0, apdu[3]}, reply[16];
	size_t n;
	unsigned sw;

	if (len == 5 + PAGE_LEN && apdu[4] == PAGE_LEN)
		return page_write(s, apdu);
	if (len != 5 + BLOCK_LEN || apdu[4] != BLOCK_LEN)
		return SW_WRONG_LENGTH;
	if (!s->model->trailers && apdu[3] % 4 == 3)
		return SW_REFUSED;
	memcpy(cmd + 2, apdu + 5, BLOCK_LEN);
	sw = chip_command(s, cmd, sizeof(cmd), reply, &n);
	return sw ? sw : SW_OK;
}

static unsigned
apdu_run(struct slot_field_state *s, const uint8_t *apdu, size_t len, uint8_t *reply, size_t *n)
{
	if (len < 5)
		return SW_WRONG_LENGTH;
	if (apdu[0] != 0xff)
		return SW_CLASS;
	switch (apdu[1]) {
	case 0xca:
		if (apdu[2] != 0 || apdu[3] != 0)
			return SW_NO_FUNCTION;
		memcpy(reply, s->card->uid, s->card->uid_len);
		*n = s->card->uid_len;
		return SW_OK;
	case 0x82:
		return key_load(s, apdu, len);
	case 0x86:
		return authenticate(s, apdu, len);
	case 0xb0:
		return block_read(s, apdu, len, reply, n);
	case 0xd6:
		return block_write(s, apdu, len);
	default:
		return SW_INSTRUCTION;
	}
}

static size_t
slot_field_transmit(void *card, const uint8_t *apdu, size_t len, uint8_t *reply, size_t max)
{
	struct slot_field_state *s = card;
	size_t n = 0;
	unsigned sw;

	pthread_mutex_lock(&s->field->lock);
	if (max < BLOCK_LEN + 2 || !s->card || !field_holds(s->field, s->card) || s->card->away) {
		s->card = NULL;
		pthread_mutex_unlock(&s->field->lock);
		return 0;
	}
	sw = apdu_run(s, apdu, len, reply, &n);
	if (s->card && s->card->away)
		s->card = NULL;
	pthread_mutex_unlock(&s->field->lock);
	reply[n++] = (uint8_t)(sw >> 8);
	reply[n++] = (uint8_t)sw;
	return n;
}

const struct slot_ops slot_field = {
	.name = "contactless",
	.power = slot_field_power,
	.look = slot_field_look,
	.transmit = slot_field_transmit,
	.destroy = slot_field_destroy,
};
