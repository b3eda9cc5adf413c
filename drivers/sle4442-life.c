/*
 * sle4442-life.c - what stands where on a logic card, and the order in which it gets there.
 *
 * Owns the layout of doc/LOGIC-CARDS.md and the states of a card. Guarantees: whatever can be told
 * without the code is told before the code is presented; the code is changed only after the card
 * carries the serial that the new code is made from; protection bits come last, and only on an
 * explicit word; a card that was interrupted is finished or refused with the reason, never called
 * good. On failure the state byte says how far it came.
 *
 *    0      7 8  11 12    19 20      21    31 32    33  40 41   47 48       255
 *   | maker's | CSL1 | serial | version | maker's | state | MAC   | 00    | data     |
 *              `------ protected by init --burn ---'
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/sle4442.h"

#include <string.h>

enum {
	MARK_AT = 8,
	MARK_LEN = 4,
	SERIAL_AT = MARK_AT + MARK_LEN,
	VERSION_AT = SERIAL_AT + LOGIC_SERIAL_LEN,
	FIXED_END = VERSION_AT + 1,
	STATE_AT = 32,
	MAC_AT = 33
};

static const uint8_t mark[MARK_LEN] = {'C', 'S', 'L', '1'};
static const uint8_t zeros[SLE4442_LEN];

/* No value is another one with bits cleared or an erased byte, so a torn one is seen. */
static const struct {
	enum logic_state state;
	uint8_t byte;
	const char *name;
} states[] = {
	{LOGIC_INIT_BEGUN, 0x17, "initialisation broken off"},
	{LOGIC_INITIALISED, 0x2b, "initialised"},
	{LOGIC_WRITING, 0x4d, "half written"},
	{LOGIC_ISSUED, 0x8e, "issued"},
	{LOGIC_VOID, 0x71, "void"},
	{LOGIC_BLANK, 0xff, "blank"},
	{LOGIC_TORN, 0xff, "torn"},
};

const char *
logic_state_name(enum logic_state s)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (states[i].state == s)
			return states[i].name;
	return "unknown";
}

void
logic_parse(struct logic_card *out, const uint8_t memory[SLE4442_LEN])
{
	*out = (struct logic_card){.state = LOGIC_BLANK};
	if (memcmp(memory + MARK_AT, mark, MARK_LEN) != 0)
		return;
	out->state = LOGIC_TORN;
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (states[i].state < LOGIC_TORN && states[i].state != LOGIC_BLANK &&
			states[i].byte == memory[STATE_AT])
			out->state = states[i].state;
	out->key_version = memory[VERSION_AT];
	memcpy(out->serial, memory + SERIAL_AT, LOGIC_SERIAL_LEN);
	memcpy(out->mac, memory + MAC_AT, LOGIC_MAC_LEN);
	memcpy(out->data, memory + LOGIC_DATA_AT, LOGIC_DATA_LEN);
}

static int
card_load(struct sle4442 *c, struct logic_card *out, struct err *e)
{
	uint8_t memory[SLE4442_LEN];
	int rc = sle4442_read(c, 0, memory, sizeof memory, e);

	if (rc == 0)
		logic_parse(out, memory);
	explicit_bzero(memory, sizeof memory);
	return rc;
}

static int
state_write(struct sle4442 *c, enum logic_state s, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (states[i].state == s)
			return sle4442_write(c, STATE_AT, &states[i].byte, 1, e);
	return err_set(e, ERR_INTERNAL, "logic card: state %d", (int)s);
}

static int
state_refuse(enum logic_state s, struct err *e)
{
	static const struct {
		enum logic_state state;
		const char *text;
	} words[] = {
		{LOGIC_BLANK, N_("This card was not initialised here; begin with \"cardspool chip "
				 "init\".")},
		{LOGIC_INIT_BEGUN, N_("The initialisation of this card was broken off; run "
				      "\"cardspool chip init\" again.")},
		{LOGIC_INITIALISED, N_("This card is initialised already.")},
		{LOGIC_WRITING, N_("This card was left half written; run \"cardspool chip "
				   "personalise\" again or \"cardspool chip void\".")},
		{LOGIC_ISSUED, N_("This card belongs to somebody; void it before it is used "
				  "again.")},
		{LOGIC_VOID, N_("This card is void; take another one.")},
		{LOGIC_TORN, N_("The state of this card is damaged; void it with \"cardspool chip "
				"void\" and take another one.")},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (words[i].state == s)
			return fault_say(e, FAULT_CHIP_USED, logic_state_name(s), _(words[i].text));
	return fault_set(e, FAULT_CHIP_USED, logic_state_name(s));
}

/* Asks for the card's keys and presents its user code. data NULL: no MAC. */
static int
card_open(struct sle4442 *c, const struct logic_card *card, const struct logic_source *source,
	const uint8_t *data, struct logic_keys *keys, struct err *e)
{
	int rc = source->keys(source->ctx, card->serial, card->key_version, data, keys, e);

	return rc ? rc : sle4442_present(c, keys->psc, e);
}

/* ---- initialisation ---- */

/* Free of cost: a card that carries anything, or whose places are protected, is not blank. */
static int
blank_check(struct sle4442 *c, struct err *e)
{
	uint8_t memory[SLE4442_LEN];
	uint32_t bits = 0;
	const uint32_t ours = ((UINT32_C(1) << (FIXED_END - MARK_AT)) - 1) << MARK_AT;
	int rc = sle4442_read(c, 0, memory, sizeof memory, e);

	if (rc == 0)
		rc = sle4442_protection(c, &bits, e);
	if (rc)
		return rc;
	for (unsigned i = MAC_AT + 1; i < SLE4442_LEN; i++)
		if (memory[i] != memory[MAC_AT] || (memory[i] != 0xff && memory[i] != 0))
			rc = -1;
	if (rc == 0 && (bits & ours) == ours)
		return 0;
	return fault_say(e, FAULT_CHIP_USED, rc ? "data on the card" : "bytes protected",
		_("This memory card is not blank: it carries data of another use. Take a blank "
		  "one."));
}

/* With the transport code: state, serial, version, and the mark that makes them count at the end.
 */
static int
identity_write(struct sle4442 *c, const struct logic_card *card, struct err *e)
{
	int rc = state_write(c, LOGIC_INIT_BEGUN, e);

	if (rc == 0)
		rc = sle4442_write(c, SERIAL_AT, card->serial, LOGIC_SERIAL_LEN, e);
	if (rc == 0)
		rc = sle4442_write(c, VERSION_AT, &card->key_version, 1, e);
	return rc ? rc : sle4442_write(c, MARK_AT, mark, MARK_LEN, e);
}

static int
fresh_begin(struct sle4442 *c, const uint8_t transport[SLE4442_PSC_LEN],
	const struct logic_source *source, struct logic_card *card, struct err *e)
{
	struct logic_keys keys = {0};
	int rc = blank_check(c, e);

	/* No attempt is spent before it is certain that there are keys. */
	if (rc == 0)
		rc = source->keys(source->ctx, card->serial, 0, NULL, &keys, e);
	card->key_version = keys.key_version;
	if (rc == 0)
		rc = sle4442_present(c, transport, e);
	if (rc == 0)
		rc = identity_write(c, card, e);
	if (rc == 0)
		rc = sle4442_psc_change(c, keys.psc, e);
	explicit_bzero(&keys, sizeof keys);
	return rc;
}

/* The card has its serial, and one code of two; only the user code is tried. */
static int
broken_continue(struct sle4442 *c, const struct logic_source *source, const struct logic_card *card,
	struct err *e)
{
	struct logic_keys keys = {0};
	struct err cause = {0};
	int rc = card_open(c, card, source, NULL, &keys, &cause);

	explicit_bzero(&keys, sizeof keys);
	if (rc && e)
		*e = cause;
	if (rc && cause.fault == FAULT_CHIP_USED)
		fault_say(e, FAULT_CHIP_USED, cause.raw,
			_("The change of this card's code was broken off, and it does not take the "
			  "new one; put the card aside."));
	return rc;
}

/* Last of all. */
static int
fixed_protect(struct sle4442 *c, struct err *e)
{
	uint8_t fixed[FIXED_END - MARK_AT];
	int rc = sle4442_read(c, MARK_AT, fixed, sizeof fixed, e);

	return rc ? rc : sle4442_protect(c, MARK_AT, fixed, sizeof fixed, e);
}

static int
init_finish(struct sle4442 *c, struct err *e)
{
	int rc = sle4442_write(c, MAC_AT, zeros, SLE4442_LEN - MAC_AT, e);

	return rc ? rc : state_write(c, LOGIC_INITIALISED, e);
}

/* After a power-on: what the card says without a code. */
static int
state_prove(struct sle4442 *c, struct logic_card *card, enum logic_state want, struct err *e)
{
	struct logic_card seen;
	int rc = sle4442_reset(c, e);

	if (rc == 0)
		rc = card_load(c, &seen, e);
	if (rc)
		return rc;
	if (seen.state != want || memcmp(seen.serial, card->serial, LOGIC_SERIAL_LEN) != 0)
		return fault_set(e, FAULT_CHIP_VERIFY, "logic card: not as written");
	*card = seen;
	return 0;
}

int
logic_init(struct sle4442 *c, const uint8_t transport[SLE4442_PSC_LEN],
	const uint8_t serial[LOGIC_SERIAL_LEN], const struct logic_source *source, bool burn,
	struct logic_card *out, struct err *e)
{
	struct logic_keys keys = {0};
	int rc = card_load(c, out, e);

	if (rc)
		return rc;
	switch (out->state) {
	case LOGIC_BLANK:
		memcpy(out->serial, serial, LOGIC_SERIAL_LEN);
		rc = fresh_begin(c, transport, source, out, e);
		if (rc == 0)
			rc = init_finish(c, e);
		break;
	case LOGIC_INIT_BEGUN:
		rc = broken_continue(c, source, out, e);
		if (rc == 0)
			rc = init_finish(c, e);
		break;
	case LOGIC_INITIALISED:
		rc = burn ? card_open(c, out, source, NULL, &keys, e) : state_refuse(out->state, e);
		break;
	default:
		rc = state_refuse(out->state, e);
	}
	explicit_bzero(&keys, sizeof keys);
	if (rc == 0 && burn)
		rc = fixed_protect(c, e);
	return rc ? rc : state_prove(c, out, LOGIC_INITIALISED, e);
}

/* ---- issue, void, read ---- */

int
logic_issue(struct sle4442 *c, const uint8_t data[LOGIC_DATA_LEN],
	const struct logic_source *source, struct logic_card *out, struct err *e)
{
	struct logic_keys keys = {0};
	int rc = card_load(c, out, e);

	if (rc == 0 && out->state != LOGIC_INITIALISED && out->state != LOGIC_WRITING)
		rc = state_refuse(out->state, e);
	if (rc == 0)
		rc = card_open(c, out, source, data, &keys, e);
	if (rc == 0)
		rc = state_write(c, LOGIC_WRITING, e);
	if (rc == 0)
		rc = sle4442_write(c, LOGIC_DATA_AT, data, LOGIC_DATA_LEN, e);
	if (rc == 0)
		rc = sle4442_write(c, MAC_AT, keys.mac, LOGIC_MAC_LEN, e);
	if (rc == 0)
		rc = state_write(c, LOGIC_ISSUED, e);
	if (rc == 0)
		rc = state_prove(c, out, LOGIC_ISSUED, e);
	if (rc == 0 && (memcmp(out->data, data, LOGIC_DATA_LEN) != 0 ||
			       memcmp(out->mac, keys.mac, LOGIC_MAC_LEN) != 0))
		rc = fault_set(e, FAULT_CHIP_VERIFY, "logic card: data not as written");
	explicit_bzero(&keys, sizeof keys);
	return rc;
}

int
logic_void(
	struct sle4442 *c, const struct logic_source *source, struct logic_card *out, struct err *e)
{
	struct logic_keys keys = {0};
	int rc = card_load(c, out, e);

	if (rc == 0 && out->state == LOGIC_VOID)
		return 0;
	if (rc == 0 && (out->state == LOGIC_BLANK || out->state == LOGIC_INIT_BEGUN))
		rc = state_refuse(out->state, e);
	if (rc == 0)
		rc = card_open(c, out, source, NULL, &keys, e);
	explicit_bzero(&keys, sizeof keys);
	/* The MAC goes first: from then on the card is not genuine, whatever happens. */
	if (rc == 0)
		rc = sle4442_write(c, MAC_AT, zeros, LOGIC_MAC_LEN, e);
	if (rc == 0)
		rc = sle4442_write(c, LOGIC_DATA_AT, zeros, LOGIC_DATA_LEN, e);
	if (rc == 0)
		rc = state_write(c, LOGIC_VOID, e);
	return rc ? rc : state_prove(c, out, LOGIC_VOID, e);
}

int
logic_read(struct sle4442 *c, const struct logic_source *source, struct logic_card *out,
	bool *genuine, struct err *e)
{
	struct logic_keys keys = {0};
	int rc = card_load(c, out, e);
	uint8_t differs = 0;

	*genuine = false;
	if (rc || out->state != LOGIC_ISSUED)
		return rc;
	rc = source->keys(source->ctx, out->serial, out->key_version, out->data, &keys, e);
	for (unsigned i = 0; i < LOGIC_MAC_LEN; i++)
		differs |= keys.mac[i] ^ out->mac[i];
	*genuine = rc == 0 && !differs;
	explicit_bzero(&keys, sizeof keys);
	return rc;
}
