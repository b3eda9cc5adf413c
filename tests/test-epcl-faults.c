/*
 * test-epcl-faults.c - Zebra EPCL printers that refuse, fall silent, answer late or are unplugged.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/epcl-fake.h"

/* What a reply to the act, or to the question behind it, says of the card. */
static void
test_print_faults(void **state)
{
	static const struct {
		struct rule rule;
		int rc;
		enum fault fault;
		enum card_place place;
	} rows[] = {
		{{"M 1", ANSWER,
			 "\x15"
			 "08\x04",
			 0, 1},
			ERR_FAULT, FAULT_RIBBON_END, PLACE_PRINT},
		{{"M 1", ANSWER,
			 "\x15"
			 "03\x04",
			 0, 1},
			ERR_FAULT, FAULT_JAM_PRINT, PLACE_UNKNOWN},
		{{"M 1", ANSWER,
			 "\x15"
			 "14\x04",
			 0, 1},
			ERR_FAULT, FAULT_REFUSED, PLACE_PRINT},
		{{"M 1", ANSWER,
			 "\x15"
			 "0",
			 0, 1},
			ERR_DOUBT, FAULT_GARBLED_REPLY, PLACE_UNKNOWN},
		{{"M 1", ANSWER, "HELLO\r", 0, 1}, ERR_DOUBT, FAULT_GARBLED_REPLY, PLACE_UNKNOWN},
		{{"M 1", ANSWER, "\x80\xff", 0, 1}, ERR_DOUBT, FAULT_GARBLED_REPLY, PLACE_UNKNOWN},
		{{"M 1", MUTE, "", 0, 1}, ERR_DOUBT, FAULT_NO_REPLY, PLACE_UNKNOWN},
		{{"M 1", LATE, "\x06", 0, 1}, ERR_DOUBT, FAULT_NO_REPLY, PLACE_UNKNOWN},
		{{"M 1", ENDLESS, "", 0, 1}, ERR_DOUBT, FAULT_GARBLED_REPLY, PLACE_UNKNOWN},
		{{"M 1", UNPLUG, "", 0, 1}, ERR_DOUBT, FAULT_UNPLUGGED, PLACE_UNKNOWN},
		{{"V", ANSWER,
			 "\x15"
			 "03\x04",
			 0, 1},
			ERR_FAULT, FAULT_JAM_PRINT, PLACE_UNKNOWN},
		{{"V", MUTE, "", 0, 1}, ERR_DOUBT, FAULT_NO_REPLY, PLACE_UNKNOWN},
		{{"V", ANSWER, "\x06", 0, 1}, ERR_DOUBT, FAULT_GARBLED_REPLY, PLACE_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fake f;
		struct err e = {0};
		fake_init(&f);
		f.base.limits = (struct printer_limits){5, 5, 5, 5};
		struct printer *p = fake_ready(&f, &p310i, &ymcko, false);
		f.rules[0] = rows[i].rule;
		f.log[0] = '\0';
		assert_int_equal(printer_epcl.print(p, &e), rows[i].rc);
		assert_int_equal(e.fault, rows[i].fault);
		assert_int_equal(p->place, rows[i].place);
		/* Nothing is printed again, whatever happened. */
		f.endless = f.unplugged = false;
		f.rules[0].command = NULL;
		f.log[0] = '\0';
		assert_true(printer_epcl.print(p, &e) < 0);
		assert_null(strstr(f.log, "M 1"));
		printer_epcl.close(p);
	}
}

/* An error is cleared before the next command; an empty hopper leaves the path empty. */
static void
test_feed_empty(void **state)
{
	struct printer_status st;
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	f.overrides[0].value = "60000";
	struct printer *p = fake_open(&f, &p310i);
	f.rules[0] = (struct rule){"MI", ANSWER,
		"\x15"
		"04\x04",
		0, 1};
	assert_int_equal(printer_epcl.feed(p, PLACE_PRINT, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_HOPPER_EMPTY);
	assert_string_equal(e.raw, "NACK 04");
	assert_string_equal(f.log, "MC|V|MI|");
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.status(p, &st, &e), 0);
	assert_string_equal(f.log, ".|V|");
	assert_int_equal(st.fault, FAULT_HOPPER_EMPTY);
	assert_int_equal(st.place, PLACE_NONE);
	p->hold_until_ms = 0;
	assert_int_equal(printer_epcl.status(p, &st, &e), 0);
	assert_int_equal(st.fault, FAULT_NONE);
	assert_int_equal(st.cleaning_left, 800);
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.feed(p, PLACE_PRINT, &e), 0);
	assert_string_equal(f.log, "MI|V|");
	printer_epcl.close(p);
}

/* The answer to a lost command is not taken for the next one's. */
static void
test_late(void **state)
{
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	f.base.limits = (struct printer_limits){5, 5, 5, 5};
	struct printer *p = fake_open(&f, &p310i);
	f.rules[0] = (struct rule){"MC", LATE, "\x06", 0, 1};
	assert_int_equal(printer_epcl.feed(p, PLACE_PRINT, &e), ERR_DOUBT);
	f.rules[1] = (struct rule){"MC", MUTE, "", 0, 1};
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.feed(p, PLACE_PRINT, &e), ERR_DOUBT);
	assert_string_equal(f.log, "V|MC|");
	printer_epcl.close(p);
}

/* A plane that breaks off is sent to its end before anything else. */
static void
test_torn(void **state)
{
	struct print_job job = {.ribbon = &ymcko};
	struct face faces[SIDE_COUNT];
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	struct printer *p = fake_open(&f, &p310i);
	faces_make(faces);
	assert_int_equal(printer_epcl.begin(p, &job, &e), 0);
	f.rules[0] = (struct rule){"GS 1", TEAR, "", 0, 1};
	assert_int_equal(printer_epcl.load(p, faces, &e), ERR_DEVICE);
	assert_int_equal(printer_epcl.print(p, &e), ERR_INTERNAL);
	f.fill = 0;
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.load(p, faces, &e), 0);
	assert_true(f.fill > 5000);
	assert_int_equal(strncmp(f.log, "V|$F|", 5), 0);
	face_done(&faces[0]);
	face_done(&faces[1]);
	printer_epcl.close(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_print_faults),
		cmocka_unit_test(test_feed_empty),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_torn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
