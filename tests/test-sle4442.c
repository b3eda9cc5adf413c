/*
 * test-sle4442.c - the life of a memory card, with the power cut at every cell.
 *
 * The release code speaks APDUs to the emulated card of tests/emulator/sle4442.c, which shares no
 * code with it; pcscd is left out here and takes part in check-keys.py.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/sle4442.h"
#include "tests/emulator/slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define READER "ACS ACR39U ICC Reader 00 00"

static const uint8_t transport[] = {0xff, 0xff, 0xff}, serial[] = {1, 2, 3, 4, 5, 6, 7, 8};
static void *card;

/* What the card holds, as its console tells it. */
struct dump {
	unsigned counter;
	uint8_t code[3], memory[SLE4442_LEN];
	uint32_t guard;
};

static void
say(const char *format, unsigned n)
{
	char line[64];

	snprintf(line, sizeof line, format, n);
	char *said = slot_sle4442.control(card, line);
	assert_non_null(said);
	assert_int_equal(strncmp(said, "ok", 2), 0);
	free(said);
}

static void
dump_take(struct dump *d)
{
	char *said = slot_sle4442.control(card, "dump");
	unsigned code[3], guard;

	assert_non_null(said);
	assert_int_equal(sscanf(said, "ok %2x %2x%2x%2x %8x", &d->counter, &code[0], &code[1],
				 &code[2], &guard),
		5);
	for (unsigned i = 0; i < 3; i++)
		d->code[i] = (uint8_t)code[i];
	d->guard = guard;
	assert_int_equal(hex_parse(d->memory, SLE4442_LEN, strrchr(said, ' ') + 1), 0);
	free(said);
}

static int
link_transmit(void *ctx, const uint8_t *apdu, size_t len, uint8_t *reply, size_t max,
	size_t *reply_len, uint16_t *sw, struct err *e)
{
	uint8_t all[APDU_MAX];
	size_t n = slot_sle4442.transmit(ctx, apdu, len, all, sizeof all);

	*sw = 0;
	if (n < 2 || n - 2 > max)
		return fault_set(e, FAULT_CHIP_REMOVED, "test");
	if (n > 2)
		memcpy(reply, all, n - 2);
	*reply_len = n - 2;
	*sw = (uint16_t)(all[n - 2] << 8 | all[n - 1]);
	return 0;
}

static int
link_power(void *ctx, struct err *e)
{
	uint8_t atr[ATR_MAX];

	slot_sle4442.power(ctx, false, atr);
	return slot_sle4442.power(ctx, true, atr) ? 0 : fault_set(e, FAULT_CHIP_REMOVED, "test");
}

static int
attach(struct sle4442 *c, struct err *e)
{
	const struct apdu_link link = {link_transmit, link_power, card};

	*e = (struct err){0};
	int rc = link_power(card, e);
	return rc ? rc : sle4442_attach(c, &link, READER, e);
}

/* Any function of serial, version and data will do; keyd's is proved in test-keys. */
static int
table_keys(void *ctx, const uint8_t s[LOGIC_SERIAL_LEN], unsigned version, const uint8_t *data,
	struct logic_keys *out, struct err *e)
{
	unsigned sum = 0;

	if (ctx)
		return fault_set(e, FAULT_KEYS, "test: no keys");
	*out = (struct logic_keys){.key_version = (uint8_t)(version ? version : 3)};
	for (unsigned i = 0; i < 3; i++)
		out->psc[i] = (uint8_t)(0x20 + s[i] + out->key_version);
	for (unsigned i = 0; data && i < LOGIC_DATA_LEN; i++)
		sum = sum * 31 + data[i];
	memset(out->mac, (int)(sum % 251 + 1), LOGIC_MAC_LEN);
	return 0;
}
static const struct logic_source source = {table_keys, NULL};

static void
data_fill(uint8_t data[LOGIC_DATA_LEN], unsigned seed)
{
	for (unsigned i = 0; i < LOGIC_DATA_LEN; i++)
		data[i] = (uint8_t)(i * 7 + seed);
}

/* One step of a life, as the command does it: attach and go. */
enum step { STEP_INIT, STEP_BURN, STEP_ISSUE, STEP_VOID };

static int
step_run(enum step step, struct err *e)
{
	struct sle4442 c;
	struct logic_card seen;
	uint8_t data[LOGIC_DATA_LEN];
	int rc = attach(&c, e);

	data_fill(data, 5);
	if (rc)
		return rc;
	switch (step) {
	case STEP_INIT:
	case STEP_BURN:
		return logic_init(&c, transport, serial, &source, step == STEP_BURN, &seen, e);
	case STEP_ISSUE:
		return logic_issue(&c, data, &source, &seen, e);
	default:
		return logic_void(&c, &source, &seen, e);
	}
}

static void
test_life(void **state)
{
	struct sle4442 c;
	struct logic_card seen;
	struct dump d;
	struct err e;
	bool genuine;
	uint8_t data[LOGIC_DATA_LEN];

	(void)state;
	say("fresh", 0);
	assert_int_equal(step_run(STEP_ISSUE, &e), ERR_FAULT); /* not ours yet */
	assert_int_equal(e.fault, FAULT_CHIP_USED);
	assert_int_equal(step_run(STEP_INIT, &e), 0);
	dump_take(&d);
	assert_int_equal(d.counter, 7);
	assert_memory_equal(d.code, ((uint8_t[]){0x24, 0x25, 0x26}), 3);
	assert_memory_equal(d.memory + 8, "CSL1\1\2\3\4\5\6\7\10\3", 13);
	assert_int_equal(d.memory[32], 0x2b);
	assert_int_equal(d.guard, 0xfffffff0); /* nothing burnt unasked */
	assert_int_equal(step_run(STEP_INIT, &e), ERR_FAULT);
	assert_int_equal(step_run(STEP_BURN, &e), 0);
	dump_take(&d);
	assert_int_equal(d.guard, 0xffe000f0);
	assert_int_equal(step_run(STEP_ISSUE, &e), 0);
	assert_int_equal(step_run(STEP_ISSUE, &e), ERR_FAULT); /* it has a holder */
	data_fill(data, 5);
	assert_int_equal(attach(&c, &e), 0);
	assert_int_equal(logic_read(&c, &source, &seen, &genuine, &e), 0);
	assert_true(genuine);
	assert_int_equal(seen.key_version, 3);
	assert_memory_equal(seen.data, data, LOGIC_DATA_LEN);
	say("byte %u 5a", 100);
	assert_int_equal(logic_read(&c, &source, &seen, &genuine, &e), 0);
	assert_false(genuine);
	assert_int_equal(step_run(STEP_VOID, &e), 0);
	assert_int_equal(step_run(STEP_VOID, &e), 0);
	assert_int_equal(attach(&c, &e), 0);
	assert_int_equal(logic_read(&c, &source, &seen, &genuine, &e), 0);
	assert_false(genuine);
	assert_int_equal(seen.state, LOGIC_VOID);
	assert_int_equal(step_run(STEP_ISSUE, &e), ERR_FAULT);
	dump_take(&d);
	assert_int_equal(d.counter, 7);
	for (unsigned i = 33; i < SLE4442_LEN; i++)
		assert_int_equal(d.memory[i], 0);
}

/* A counter below full: no code is presented, whichever, and the counter stays as it is. */
static void
test_counter(void **state)
{
	static const uint8_t counters[] = {6, 4, 0};
	struct dump d;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counters); i++) {
		say("fresh", 0);
		say("counter %u", counters[i]);
		assert_int_equal(step_run(STEP_INIT, &e), ERR_FAULT);
		assert_int_equal(e.fault, FAULT_CHIP_USED);
		assert_non_null(strstr(e.text, counters[i] ? "aside" : "locked for ever"));
		dump_take(&d);
		assert_int_equal(d.counter, counters[i]);
		assert_int_equal(d.memory[32], 0xff);
		say("fresh", 0);
		assert_int_equal(step_run(STEP_INIT, &e), 0);
		say("counter %u", counters[i]);
		assert_int_equal(step_run(STEP_ISSUE, &e), ERR_FAULT);
		assert_int_equal(step_run(STEP_VOID, &e), ERR_FAULT);
		dump_take(&d);
		assert_int_equal(d.counter, counters[i]);
	}
}

/* Another transport code: one attempt, then never again. */
static void
test_wrong_code(void **state)
{
	struct dump d;
	struct err e;

	(void)state;
	say("fresh", 0);
	say("code 112233", 0);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(step_run(STEP_INIT, &e), ERR_FAULT);
		dump_take(&d);
		assert_int_equal(d.counter, 6);
		assert_int_equal(d.memory[8], 0xff);
	}
}

/* Found out before an attempt is spent. */
static void
test_refused(void **state)
{
	const struct apdu_link link = {link_transmit, link_power, card};
	const struct logic_source none = {table_keys, &card};
	static const char *const readers[] = {
		"Gemalto PC Twin Reader", "OMNIKEY AG CardMan 3121", "Identiv uTrust 4701 F", ""};
	struct sle4442 c;
	struct logic_card seen;
	struct dump d;
	struct err e;

	(void)state;
	say("fresh", 0);
	for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
		e = (struct err){0};
		assert_int_equal(sle4442_attach(&c, &link, readers[i], &e), ERR_FAULT);
		assert_int_equal(e.fault, FAULT_CHIP_TYPE);
	}
	assert_int_equal(attach(&c, &e), 0);
	assert_int_equal(logic_init(&c, transport, serial, &none, false, &seen, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_KEYS);
	assert_int_equal(c.writes, 0);
	say("byte %u 31", 60); /* somebody's data */
	assert_int_equal(step_run(STEP_INIT, &e), ERR_FAULT);
	assert_non_null(strstr(e.text, "not blank"));
	say("byte %u 00", 0); /* another kind of card */
	assert_int_equal(step_run(STEP_INIT, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_CHIP_TYPE);
	dump_take(&d);
	assert_int_equal(d.counter, 7);
}

/* Writes without the code are ignored with 9000; reading back finds it. So does a weak cell. */
static void
test_silent(void **state)
{
	static const uint8_t bytes[] = {1, 2, 3};
	struct sle4442 c;
	struct err e;

	(void)state;
	say("fresh", 0);
	assert_int_equal(attach(&c, &e), 0);
	assert_int_equal(sle4442_write(&c, 60, bytes, 3, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_CHIP_WRITE);
	assert_int_equal(sle4442_psc_change(&c, bytes, &e), ERR_INTERNAL);
	assert_int_equal(sle4442_protect(&c, 8, bytes, 3, &e), ERR_INTERNAL);
	assert_int_equal(sle4442_present(&c, transport, &e), 0);
	say("ignore %u", 2);
	assert_int_equal(sle4442_write(&c, 60, bytes, 3, &e), ERR_FAULT);
	assert_int_equal(sle4442_write(&c, 60, bytes, 3, &e), 0);
	assert_int_equal(sle4442_protect(&c, 8, bytes, 3, &e), ERR_FAULT); /* not equal */
	assert_int_equal(e.fault, FAULT_CHIP_VERIFY);
	assert_int_equal(sle4442_read(&c, 250, (uint8_t[8]){0}, 8, &e), ERR_INTERNAL);
}

/* A weak cell at every write of a life never gives a card that is called good. */
static void
test_weak(void **state)
{
	struct dump d, whole;
	struct err e;

	(void)state;
	say("fresh", 0);
	assert_int_equal(step_run(STEP_INIT, &e), 0);
	dump_take(&whole);
	for (unsigned i = 1; i < 250; i++) {
		say("fresh", 0);
		say("ignore %u", i);
		int rc = step_run(STEP_INIT, &e);
		dump_take(&d);
		if (rc == 0)
			assert_memory_equal(&d, &whole, sizeof d);
		else
			assert_true(d.counter == 7 || d.counter == 6);
	}
}

/*
 * The power goes at every cell of the last step; then the same step again. Either the card is
 * byte-equal to one that was never interrupted, or it is refused with a reason and with no attempt
 * below the second. Returns how many were refused.
 */
static unsigned
tear_everywhere(enum step before, enum step step, bool erased, unsigned *cells)
{
	struct dump whole, d;
	unsigned refused = 0, n = 0;
	struct err e;

	memset(&whole, 0, sizeof whole);
	for (unsigned tear = 0; tear == 0 || tear <= n; tear++) {
		say("fresh", 0);
		for (enum step s = STEP_INIT; s < before; s++)
			if (s != STEP_BURN)
				assert_int_equal(step_run(s, &e), 0);
		char *said = slot_sle4442.control(card, "cells");
		unsigned start, end;
		assert_int_equal(sscanf(said, "ok %u", &start), 1);
		free(said);
		if (tear)
			say(erased ? "tear %u erased" : "tear %u", tear);
		int rc = step_run(step, &e);
		if (tear == 0) {
			assert_int_equal(rc, 0);
			dump_take(&whole);
			said = slot_sle4442.control(card, "cells");
			assert_int_equal(sscanf(said, "ok %u", &end), 1);
			free(said);
			n = end - start;
			continue;
		}
		assert_int_equal(rc, ERR_FAULT);
		say("back", 0);
		rc = step_run(step, &e);
		dump_take(&d);
		if (rc == 0) {
			assert_memory_equal(&d, &whole, sizeof d);
			continue;
		}
		refused++;
		assert_int_equal(rc, ERR_FAULT);
		assert_true(e.text[0] && e.fault);
		assert_true(d.counter == 7 || d.counter == 6);
	}
	*cells = n;
	return refused;
}

static void
test_tear(void **state)
{
	static const struct {
		enum step before, step;
		const char *name;
		unsigned refused_max; /* counter bits, the code's bytes, the state's byte */
	} rows[] = {
		{STEP_INIT, STEP_INIT, "init", 12},
		{STEP_ISSUE, STEP_ISSUE, "personalise", 5},
		{STEP_VOID, STEP_VOID, "void", 4},
		{STEP_INIT, STEP_BURN, "init --burn", 12},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (unsigned erased = 0; erased < 2; erased++) {
			unsigned cells;
			unsigned refused =
				tear_everywhere(rows[i].before, rows[i].step, erased, &cells);
			printf("# %s%s: power cut at each of %u cells, %u refused with the "
			       "reason\n",
				rows[i].name, erased ? ", erased" : "", cells, refused);
			assert_true(cells > 10);
			assert_true(refused <= rows[i].refused_max);
		}
}

/* Any 256 bytes have a state; none of the parser's reads leaves them. */
static void
test_parse_any(void **state)
{
	uint8_t memory[SLE4442_LEN];
	struct logic_card out;
	unsigned seed = 1;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		for (unsigned k = 0; k < SLE4442_LEN; k++)
			memory[k] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
		if (i % 2)
			memcpy(memory + 8, "CSL1", 4);
		logic_parse(&out, memory);
		assert_true(out.state <= LOGIC_TORN);
		assert_true((out.state == LOGIC_BLANK) == (i % 2 == 0));
		assert_non_null(logic_state_name(out.state));
	}
}

static int
setup(void **state)
{
	(void)state;
	card = slot_sle4442_create();
	return card ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	slot_sle4442.destroy(card);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_counter),
		cmocka_unit_test(test_wrong_code),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_weak),
		cmocka_unit_test(test_tear),
		cmocka_unit_test(test_parse_any),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
