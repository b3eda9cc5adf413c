/*
 * evolis-reply.c - what an Evolis printer answers.
 *
 * Owns the known texts and the reading of numbers, voltages, places and status words. Pure; every
 * length is checked before it is used. On failure nothing is taken from the reply.
 *
 * A reply:  text, then 00, CR, LF or the end of the transfer
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/evolis.h"

#include <ctype.h>
#include <string.h>

void
wire_reply_init(struct wire_reply *r)
{
	r->len = 0;
	r->text[0] = '\0';
	r->odd = false;
}

void
wire_reply_trim(struct wire_reply *r)
{
	size_t skip = 0;

	while (r->len > 0 && r->text[r->len - 1] == ' ')
		r->len--;
	while (skip < r->len && r->text[skip] == ' ')
		skip++;
	r->len -= skip;
	memmove(r->text, r->text + skip, r->len);
	r->text[r->len] = '\0';
}

enum wire_end
wire_reply_feed(struct wire_reply *r, const uint8_t *bytes, size_t len, size_t *used)
{
	bool ended = len == 0 && r->len > 0;

	for (*used = 0; *used < len && !ended; ++*used) {
		uint8_t b = bytes[*used];
		if (b == 0 || b == '\r' || b == '\n') {
			ended = r->len > 0;
			continue;
		}
		if (r->len == WIRE_REPLY_MAX)
			return WIRE_TOO_LONG;
		r->odd |= b < 0x20 || b > 0x7e;
		r->text[r->len++] = (char)b;
		r->text[r->len] = '\0';
	}
	if (!ended)
		return WIRE_MORE;
	wire_reply_trim(r);
	return WIRE_WHOLE;
}

/* The documented texts. A longer one stands before its own beginning. */
static const struct wire_text texts[] = {
	{"OK", WIRE_OK, FAULT_NONE},
	{"ERROR CDE", WIRE_REFUSED, FAULT_REFUSED},
	{"ERROR PARAMETRES", WIRE_REFUSED, FAULT_REFUSED},
	{"OPT NOT AVAILABLE", WIRE_REFUSED, FAULT_REFUSED},
	{"ERROR TIME OUT", WIRE_FAULT, FAULT_MECHANICAL},
	{"CARD JAM", WIRE_JAM, FAULT_MECHANICAL},
	{"FEEDER EMPTY", WIRE_FAULT, FAULT_HOPPER_EMPTY},
	{"COVER OPEN", WIRE_FAULT, FAULT_COVER_OPEN},
	{"HOPPER DOOR", WIRE_FAULT, FAULT_COVER_OPEN},
	{"HOPPER FULL", WIRE_FULL, FAULT_OUTPUT_FULL},
	{"ERROR HOPPER", WIRE_FAULT, FAULT_JAM_EJECT},
	{"ERROR HEAD", WIRE_FAULT, FAULT_HEAD_HOT},
	{"ERROR RIBBON", WIRE_FAULT, FAULT_RIBBON_END},
	{"ERR RIB DETECTION", WIRE_FAULT, FAULT_RIBBON_NONE},
	{"NEED CLEANING", WIRE_FAULT, FAULT_CLEANING_DUE},
	{"ERR NEED CLEANING", WIRE_FAULT, FAULT_CLEANING_DUE},
	{"ERROR FLASH UNKNOW", WIRE_FAULT, FAULT_MECHANICAL},
	{"ERROR CHECKSUM", WIRE_FAULT, FAULT_MECHANICAL},
	{"ERROR MAG DATA", WIRE_FAULT, FAULT_MAGNETIC},
	{"ERROR MAG CHECKSUM", WIRE_FAULT, FAULT_MAGNETIC},
	{"ERROR MAG", WIRE_FAULT, FAULT_MAGNETIC},
	{"ERROR UNKNOW", WIRE_FAULT, FAULT_MECHANICAL},
	{"ERROR", WIRE_FAULT, FAULT_MECHANICAL},
	{NULL, WIRE_UNKNOWN, FAULT_NONE},
};

const struct wire_text *
wire_text_find(const struct wire_reply *r)
{
	const struct wire_text *row = texts;

	for (; row->text && !r->odd; row++) {
		size_t n = strlen(row->text);
		if (strncmp(r->text, row->text, n) == 0 &&
			(!r->text[n] || strchr(" ;(", r->text[n])))
			return row;
	}
	return &texts[ARRAY_LEN(texts) - 1];
}

int
wire_number(const struct wire_reply *r, int64_t *value)
{
	int64_t v = 0;

	if (r->len == 0 || r->len > 12)
		return ERR_PROTOCOL;
	for (size_t i = 0; i < r->len; i++) {
		if (!isdigit((unsigned char)r->text[i]))
			return ERR_PROTOCOL;
		v = 10 * v + (r->text[i] - '0');
	}
	*value = v;
	return 0;
}

int
wire_volts(const struct wire_reply *r, unsigned *millivolts)
{
	const char *c = r->text;
	unsigned mv = 0, digits = 0, scale = 1000;

	for (; isdigit((unsigned char)*c) && digits < 3; c++, digits++)
		mv = 10 * mv + (unsigned)(*c - '0');
	if (digits == 0 || r->odd)
		return ERR_PROTOCOL;
	mv *= 1000;
	if (*c == ',' || *c == '.')
		for (c++; isdigit((unsigned char)*c); c++) {
			scale /= 10;
			mv += (unsigned)(*c - '0') * scale;
		}
	if (strcmp(c, " Volts") != 0)
		return ERR_PROTOCOL;
	*millivolts = mv;
	return 0;
}

int
wire_place(const struct wire_reply *r, enum card_place *place)
{
	static const struct {
		const char *text;
		enum card_place place;
	} places[] = {
		{"OK", PLACE_NONE},
		{"NO CARD", PLACE_NONE},
		{"CARD", PLACE_PRINT},
		{"SMART CARD", PLACE_CONTACT},
		{"CONTACTLESS CARD", PLACE_CONTACTLESS},
		{"ERR CARD", PLACE_SOMEWHERE},
		{"CARD JAM", PLACE_SOMEWHERE},
	};

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (strcmp(r->text, places[i].text) == 0) {
			*place = places[i].place;
			return 0;
		}
	return ERR_PROTOCOL;
}

unsigned
wire_words(const struct wire_reply *r, uint32_t word[4])
{
	unsigned n = 0, digits = 0;
	uint32_t value = 0;

	memset(word, 0, 4 * sizeof *word);
	for (size_t i = 0; i <= r->len && n < 4; i++) {
		int c = (unsigned char)r->text[i];
		if (isxdigit(c) && digits < 9) {
			value = value << 4 |
				(uint32_t)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
			digits++;
			continue;
		}
		if (digits == 8)
			word[n++] = value;
		digits = 0;
		value = 0;
	}
	return n;
}

/* The vendor's names of the bits, in the order of what a person should hear first. */
static const struct {
	unsigned word; /* 2 WAR, 3 ERR */
	uint32_t bit;
	enum fault fault;
} words[] = {
	{3, 0x02000000, FAULT_COVER_OPEN},   /* COVER_OPEN during the job */
	{3, 0x08000000, FAULT_JAM_FEED},     /* FEEDER_ERROR */
	{3, 0x01000000, FAULT_MECHANICAL},   /* MECHANICAL */
	{3, 0x20000000, FAULT_HEAD_HOT},     /* HEAD_TEMP */
	{3, 0x00200000, FAULT_RIBBON_END},   /* RIBBON_ENDED */
	{3, 0x00400000, FAULT_RIBBON_WRONG}, /* BAD_RIBBON */
	{3, 0x04000000, FAULT_RIBBON_WRONG}, /* RIBBON_ERROR */
	{3, 0x00100000, FAULT_OUTPUT_FULL},  /* HOPPER_FULL */
	{3, 0x00800000, FAULT_REJECT_FULL},  /* REJECT_BOX_FULL */
	{3, 0x00000001, FAULT_MECHANICAL},   /* HARDWARE */
	{2, 0x00020000, FAULT_COVER_OPEN},   /* COVER_OPEN */
	{2, 0x00000100, FAULT_COVER_OPEN},   /* FEEDER_OPEN */
	{2, 0x00010000, FAULT_RIBBON_NONE},  /* NO_RIBBON */
	{2, 0x00080000, FAULT_RIBBON_END},   /* RIBBON_ENDED */
	{2, 0x00008000, FAULT_RIBBON_WRONG}, /* UNSUPPORTED_RIBBON */
	{2, 0x00100000, FAULT_OUTPUT_FULL},  /* HOPPER_FULL */
	{2, 0x08000000, FAULT_REJECT_FULL},  /* REJECT_BOX_FULL */
	{2, 0x00200000, FAULT_HEAD_HOT},     /* COOLING */
	{2, 0x01000000, FAULT_HOPPER_EMPTY}, /* FEEDER_EMPTY */
};

enum fault
wire_words_fault(const uint32_t word[4])
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (word[words[i].word] & words[i].bit)
			return words[i].fault;
	return FAULT_NONE;
}
