/*
 * test-evolis-status.c - what the Evolis family sees of a printer, and what it makes of it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/evolis-fake.h"

/* A refused ribbon looks like a good one, so the refusal stands until somebody was seen at it. */
static void
test_ribbon_refused(void **state)
{
	static const struct {
		struct rule sign;
		enum fault then;
	} rows[] = {
		{{0}, FAULT_RIBBON_WRONG},
		{{"Rse;f", ANSWER, "0,00 Volts", 0, 0, 1}, FAULT_RIBBON_WRONG},
		{{"Rse;o", ANSWER, "0,00 Volts", 0, 0, 1}, FAULT_NONE},
		{{"Rco;i", ANSWER, "200", 0, 0, 0}, FAULT_NONE},
		{{"Rcr", ANSWER, "ERROR RIBBON", 0, 0, 1}, FAULT_NONE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fake f;
		struct printer *p = fake_ready(&f, PLACE_CONTACTLESS);
		struct printer_status st;
		struct err e = {0};

		f.rules[0] = (struct rule){"Ss", ANSWER, "ERROR RIBBON", 0, 0, 1};
		assert_int_equal(printer_evolis.print(p, &e), ERR_FAULT);
		assert_int_equal(printer_evolis.status(p, &st, &e), 0);
		assert_int_equal(st.fault, FAULT_RIBBON_WRONG);
		f.rules[0] = rows[i].sign;
		assert_int_equal(printer_evolis.status(p, &st, &e), 0);
		assert_int_equal(printer_evolis.status(p, &st, &e), 0);
		assert_int_equal(st.fault, rows[i].then);
		printer_evolis.close(p);
	}
}

/* A printer that wants cleaning may have obeyed: its sensors decide. */
static void
test_cleaning(void **state)
{
	struct fake f;
	struct printer *p = fake_ready(&f, PLACE_NONE);
	struct printer_status st;
	struct err e = {0};

	(void)state;
	f.rules[0] = (struct rule){.command = "Sic", .text = "NEED CLEANING", .times = 1};
	f.rules[1] = (struct rule){.command = "Rco;r", .text = "0", .times = 1};
	assert_int_equal(printer_evolis.feed(p, PLACE_CONTACTLESS, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_CLEANING_DUE);
	assert_int_equal(printer_evolis.status(p, &st, &e), 0);
	assert_int_equal(st.fault, FAULT_CLEANING_DUE);
	assert_int_equal(printer_evolis.status(p, &st, &e), 0);
	assert_int_equal(st.fault, FAULT_NONE);
	f.rules[0] =
		(struct rule){.command = "Sic", .trick = LATE, .text = "NEED CLEANING", .times = 1};
	assert_int_equal(printer_evolis.feed(p, PLACE_CONTACTLESS, &e), ERR_DOUBT);
	printer_evolis.close(p);
}

static void
test_status(void **state)
{
	static const struct {
		struct rule a, b;
		const char *place;
		uint8_t port;
		int rc;
		enum fault fault;
	} rows[] = {
		{{0}, {0}, "NO CARD", 0x18, 0, FAULT_NONE},
		{{"Rse;o", ANSWER, "0,00 Volts", 0, 0, 0}, {0}, "NO CARD", 0x18, 0,
			FAULT_COVER_OPEN},
		{{"Rse;f", ANSWER, "0,00 Volts", 0, 0, 0}, {0}, "NO CARD", 0x38, 0,
			FAULT_HOPPER_EMPTY},
		{{"Rse;f", ANSWER, "0,00 Volts", 0, 0, 0}, {0}, "CARD", 0x38, 0, FAULT_NONE},
		{{"Rse;f", ANSWER, "ERROR CDE", 0, 0, 0}, {0}, "NO CARD", 0x38, 0,
			FAULT_HOPPER_EMPTY},
		{{"Rcr", ANSWER, "ERROR RIBBON", 0, 0, 0}, {0}, "NO CARD", 0x18, 0,
			FAULT_RIBBON_END},
		{{"Rco;i", ANSWER, "0", 0, 0, 0}, {0}, "NO CARD", 0x18, 0, FAULT_NONE},
		{{"Rco;i", ANSWER, "ERR RIB DETECTION", 0, 0, 0}, {0}, "NO CARD", 0x18, 0,
			FAULT_RIBBON_NONE},
		{{"Rlr", ANSWER, "CARD JAM", 0, 0, 0}, {"Rlr;p", ANSWER, "ERR CARD", 0, 0, 0},
			"CARD", 0x10, 0, FAULT_MECHANICAL},
		{{0}, {0}, "NO CARD", 0x10, 0, FAULT_MECHANICAL},
		{{"Rco;c", ANSWER, "12?4", 0, 0, 0}, {0}, "NO CARD", 0x18, ERR_DEVICE,
			FAULT_GARBLED_REPLY},
		{{"Rlr;p", MUTE, NULL, 0, 0, 0}, {0}, "NO CARD", 0x18, ERR_DEVICE, FAULT_NO_REPLY},
		{{"Rco;i", ANSWER, "OPT NOT AVAILABLE", 0, 0, 0},
			{"Rco", ANSWER, "ERROR CDE", 0, 0, 0}, "NO CARD", 0x18, 0, FAULT_NONE},
		{{"Rco;i", ANSWER, "OK", 0, 0, 1}, {0}, "NO CARD", 0x18, 0, FAULT_NONE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fake f;
		struct printer *p = fake_open(&f);
		struct printer_status st;
		struct err e = {0};
		f.rules[0] = rows[i].b;
		f.rules[1] = rows[i].a;
		f.place = rows[i].place;
		f.port = rows[i].port;
		int rc = printer_evolis.status(p, &st, &e);
		if (rc != rows[i].rc || (rc ? e.fault : (int)st.fault) != (int)rows[i].fault)
			print_error("row %zu: %d, fault %d: %s\n", i, rc,
				rc ? e.fault : (int)st.fault, e.text);
		assert_int_equal(rc, rows[i].rc);
		assert_int_equal(rc ? e.fault : (int)st.fault, rows[i].fault);
		assert_null(strstr(f.log, "Si"));
		printer_evolis.close(p);
	}
}

static void
test_status_values(void **state)
{
	struct fake f;
	struct printer *p = fake_open(&f);
	struct printer_status st;
	struct err e = {0};

	(void)state;
	assert_int_equal(printer_evolis.status(p, &st, &e), 0);
	assert_string_equal(st.serial, "D3-0001");
	assert_string_equal(st.firmware, "1021");
	assert_int_equal(st.cards, 1234);
	assert_int_equal(st.cleaning_left, 400);
	assert_int_equal(st.ribbon.level, 87);
	assert_int_equal(st.ribbon.capacity, -1);
	f.rules[0] = (struct rule){.command = "Rco", .text = "ERROR CDE"};
	assert_int_equal(printer_evolis.status(p, &st, &e), 0);
	assert_int_equal(st.cards, -1);
	assert_int_equal(st.cleaning_left, -1);
	f.log[0] = '\0';
	assert_int_equal(printer_evolis.status(p, &st, &e), 0);
	assert_null(strstr(f.log, "Rco")); /* known not to be known */
	f.unplugged = true;
	assert_int_equal(printer_evolis.status(p, &st, &e), ERR_DEVICE);
	assert_int_equal(e.fault, FAULT_UNPLUGGED);
	printer_evolis.close(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ribbon_refused),
		cmocka_unit_test(test_cleaning),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_status_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
