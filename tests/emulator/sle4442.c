/*
 * sle4442.c - an SLE4442 memory card behind an ACS reader.
 *
 * Owns the card's 256 bytes, its 32 protection bits, its error counter and its code, and every
 * single cell that is written, so that the power can be cut at any of them. Written from the
 * reference alone, chapter on SLE4442 over PC/SC. A torn cell is neither old nor new.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/slot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY = 256, GUARDED = 32, CODE = 3, FULL = 7 };
enum { SW_OK = 0x9000, SW_LENGTH = 0x6700, SW_CONDITIONS = 0x6985, SW_INSTRUCTION = 0x6d00 };
enum { SW_CLASS = 0x6e00, SW_PARAMETER = 0x6a86 };

struct sle4442_card {
	uint8_t memory[MEMORY], code[CODE], counter;
	uint32_t guard; /* bit i clear: byte i can never change */
	bool powered, selected, open, away;
	unsigned written;      /* cells so far */
	unsigned tear, ignore; /* at the cell of that number from now on; 0: never */
	bool tear_erased;      /* torn between erasing and writing: the cell is left FF */
};

static const uint8_t atr_shown[] = {0x3b, 0x04, 0xa2, 0x13, 0x10, 0x91};

static void
card_renew(struct sle4442_card *c)
{
	static const uint8_t maker[] = {0xa2, 0x13, 0x10, 0x91, 0xff, 0xff, 0x81, 0x15};

	*c = (struct sle4442_card){.counter = FULL, .guard = ~UINT32_C(0x0f)};
	memset(c->memory, 0xff, sizeof(c->memory));
	memcpy(c->memory, maker, sizeof(maker));
	memset(c->code, 0xff, sizeof(c->code));
}

void *
slot_sle4442_create(void)
{
	struct sle4442_card *c = calloc(1, sizeof(*c));

	if (c)
		card_renew(c);
	return c;
}

/* One cell of the EEPROM. False: the power went with it. */
static bool
cell_write(struct sle4442_card *c, uint8_t *cell, uint8_t value)
{
	c->written++;
	if (c->ignore && --c->ignore == 0)
		return true;
	if (c->tear && --c->tear == 0) {
		*cell = c->tear_erased ? 0xff : (uint8_t)((*cell & 0xa5) | (value & 0x5a));
		c->away = true;
		c->powered = c->selected = c->open = false;
		return false;
	}
	*cell = value;
	return true;
}

/* A bit of the counter or of the protection: it is written or it is not. */
static bool
bit_write(struct sle4442_card *c)
{
	c->written++;
	if (!c->tear || --c->tear != 0)
		return true;
	c->away = true;
	c->powered = c->selected = c->open = false;
	return false;
}

static size_t
answer(uint8_t *reply, size_t n, uint16_t sw)
{
	reply[n] = (uint8_t)(sw >> 8);
	reply[n + 1] = (uint8_t)sw;
	return n + 2;
}

/* FF B0: past the last byte the protection bits follow. */
static size_t
memory_read(const struct sle4442_card *c, const uint8_t *a, uint8_t *reply)
{
	size_t n = a[4] ? a[4] : 256;

	for (size_t i = 0; i < n; i++) {
		size_t at = a[3] + i;
		reply[i] = at < MEMORY       ? c->memory[at]
			   : at < MEMORY + 4 ? (uint8_t)(c->guard >> (8 * (at - MEMORY)))
					     : 0xff;
	}
	return answer(reply, n, SW_OK);
}

static size_t
security_read(const struct sle4442_card *c, uint8_t *reply)
{
	reply[0] = c->counter;
	for (unsigned i = 0; i < CODE; i++)
		reply[1 + i] = c->open ? c->code[i] : 0;
	return answer(reply, 4, SW_OK);
}

static size_t
guard_read(const struct sle4442_card *c, uint8_t *reply)
{
	for (unsigned i = 0; i < 4; i++)
		reply[i] = (uint8_t)(c->guard >> (8 * i));
	return answer(reply, 4, SW_OK);
}

/* FF 20: a bit of the counter goes first, and comes back when the code is right. */
static size_t
code_present(struct sle4442_card *c, const uint8_t *code, uint8_t *reply)
{
	static const uint8_t next[] = {[7] = 6, [6] = 4, [4] = 0};

	if (c->counter == 0)
		return answer(reply, 0, SW_OK);
	if (!bit_write(c))
		return 0;
	c->counter = next[c->counter];
	if (memcmp(code, c->code, CODE) == 0) {
		if (!bit_write(c))
			return 0;
		c->counter = FULL;
		c->open = true;
	}
	return answer(reply, 0, (uint16_t)(SW_OK | c->counter));
}

static size_t
memory_write(struct sle4442_card *c, const uint8_t *a, uint8_t *reply)
{
	for (unsigned i = 0; c->open && i < a[4]; i++) {
		unsigned at = (a[3] + i) % MEMORY;
		if (at < GUARDED && !(c->guard >> at & 1))
			continue;
		if (!cell_write(c, &c->memory[at], a[5 + i]))
			return 0;
	}
	return answer(reply, 0, SW_OK);
}

static size_t
memory_protect(struct sle4442_card *c, const uint8_t *a, uint8_t *reply)
{
	for (unsigned i = 0; c->open && i < a[4]; i++) {
		unsigned at = a[3] + i;
		if (at >= GUARDED || c->memory[at] != a[5 + i] || !(c->guard >> at & 1))
			continue;
		if (!bit_write(c))
			return 0;
		c->guard &= ~(UINT32_C(1) << at);
	}
	return answer(reply, 0, SW_OK);
}

static size_t
code_change(struct sle4442_card *c, const uint8_t *code, uint8_t *reply)
{
	for (unsigned i = 0; c->open && i < CODE; i++)
		if (!cell_write(c, &c->code[i], code[i]))
			return 0;
	return answer(reply, 0, SW_OK);
}

static size_t
card_select(struct sle4442_card *c, const uint8_t *a, uint8_t *reply)
{
	c->open = false;
	c->selected = a[5] == 0x06;
	return answer(reply, 0, c->selected ? SW_OK : SW_PARAMETER);
}

/* Instructions with the length that Lc must have; 0: any. reads: no data follow. */
static const struct {
	uint8_t ins, lc;
	bool reads;
} commands[] = {
	{0xa4, 1, false},
	{0xb0, 0, true},
	{0xb1, 4, true},
	{0xb2, 4, true},
	{0x20, 3, false},
	{0xd0, 0, false},
	{0xd1, 0, false},
	{0xd2, 3, false},
};

static uint16_t
shape_check(const struct sle4442_card *c, const uint8_t *a, size_t len)
{
	if (len < 5)
		return SW_LENGTH;
	if (a[0] != 0xff)
		return SW_CLASS;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (commands[i].ins != a[1])
			continue;
		if (len != 5 + (commands[i].reads ? 0u : a[4]) ||
			(commands[i].lc && commands[i].lc != a[4]))
			return SW_LENGTH;
		return c->selected || a[1] == 0xa4 ? SW_OK : SW_CONDITIONS;
	}
	return SW_INSTRUCTION;
}

static size_t
sle4442_transmit(void *card, const uint8_t *a, size_t len, uint8_t *reply, size_t max)
{
	struct sle4442_card *c = card;

	if (c->away || !c->powered || max < 260)
		return 0;
	uint16_t sw = shape_check(c, a, len);
	if (sw != SW_OK)
		return answer(reply, 0, sw);
	switch (a[1]) {
	case 0xa4:
		return card_select(c, a, reply);
	case 0xb0:
		return memory_read(c, a, reply);
	case 0xb1:
		return security_read(c, reply);
	case 0xb2:
		return guard_read(c, reply);
	case 0x20:
		return code_present(c, a + 5, reply);
	case 0xd0:
		return memory_write(c, a, reply);
	case 0xd1:
		return memory_protect(c, a, reply);
	default:
		return code_change(c, a + 5, reply);
	}
}

static size_t
sle4442_look(void *card, uint8_t atr[ATR_MAX])
{
	const struct sle4442_card *c = card;

	memcpy(atr, atr_shown, sizeof(atr_shown));
	return c->away ? 0 : sizeof(atr_shown);
}

static size_t
sle4442_power(void *card, bool on, uint8_t atr[ATR_MAX])
{
	struct sle4442_card *c = card;

	c->selected = c->open = false;
	c->powered = on && !c->away;
	return on ? sle4442_look(card, atr) : 0;
}

static char *
card_dump(const struct sle4442_card *c)
{
	char *text = malloc(2 * MEMORY + 64);
	size_t n = 0;

	if (!text)
		return NULL;
	n += (size_t)snprintf(text, 64, "ok %02x %02x%02x%02x %08x ", c->counter, c->code[0],
		c->code[1], c->code[2], c->guard);
	for (unsigned i = 0; i < MEMORY; i++)
		n += (size_t)snprintf(text + n, 3, "%02x", c->memory[i]);
	return text;
}

/*
 * tear N [erased]   the power goes at the N-th cell written from now on
 * ignore N          the N-th cell written from now on keeps its old value
 * back              puts the card back after a tear
 * fresh             another card, as delivered
 * counter N         the error counter, 7 6 4 0
 * code HEX          the code
 * byte AT HEX       one byte of the memory
 * cells             cells written so far
 * dump              counter, code, protection bits, memory
 */
static char *
sle4442_control(void *card, const char *line)
{
	struct sle4442_card *c = card;
	unsigned n, v, b[CODE];
	char word[16], *said = NULL;

	if (!strcmp(line, "dump"))
		return card_dump(c);
	if (!strcmp(line, "fresh")) {
		card_renew(c);
	} else if (!strcmp(line, "back")) {
		c->away = false;
		c->tear = c->ignore = 0;
	} else if (!strcmp(line, "cells")) {
		return asprintf(&said, "ok %u", c->written) < 0 ? NULL : said;
	} else if (sscanf(line, "tear %u %15s", &n, word) == 2 && !strcmp(word, "erased")) {
		c->tear = n;
		c->tear_erased = true;
	} else if (sscanf(line, "tear %u", &n) == 1) {
		c->tear = n;
		c->tear_erased = false;
	} else if (sscanf(line, "ignore %u", &n) == 1) {
		c->ignore = n;
	} else if (sscanf(line, "counter %u", &n) == 1 && (n == 7 || n == 6 || n == 4 || n == 0)) {
		c->counter = (uint8_t)n;
	} else if (sscanf(line, "code %2x%2x%2x", &b[0], &b[1], &b[2]) == CODE) {
		for (unsigned i = 0; i < CODE; i++)
			c->code[i] = (uint8_t)b[i];
	} else if (sscanf(line, "byte %u %2x", &n, &v) == 2 && n < MEMORY) {
		c->memory[n] = (uint8_t)v;
	} else {
		return strdup("error: no such word for an SLE4442");
	}
	return strdup("ok");
}

const struct slot_ops slot_sle4442 = {
	"sle4442", sle4442_power, sle4442_look, sle4442_transmit, sle4442_control, free};
