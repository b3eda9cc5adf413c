/*
 * test-epcl.c - the Zebra EPCL family: dialogues.
 *
 * They come from the protocol description, sections 2, 5 and 9.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/epcl-fake.h"

/* The production job of the description, 9.1, in the order of the pass. V proves each move. */
static void
test_job(void **state)
{
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	struct printer *p = fake_ready(&f, &p310i, &ymcko, false);
	assert_string_equal(printer_epcl.model(p)->mdl, "P310i");
	assert_string_equal(f.log,
		"+RIB 0|+$L 0 5|+$L 1 5|+$L 2 5|+$C 0 5|+$C 1 7|+$C 2 7|+C 5|+CV 3|"
		"MC|V|MI|V|$F|F|vF|GS 0 30 0 0 1024 640|GS 1 30 0 0 1024 640|"
		"GS 2 30 0 0 1024 640|G 0 0 12 640 1024 1|Z|vL 0 0 1023 639 1|");
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.print(p, &e), 0);
	assert_string_equal(f.log, "M 1 IS 0[IS 1[IS 2[I[IV 31[MO|V|");
	/* The next card: the path is known to be empty. */
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.feed(p, PLACE_PRINT, &e), 0);
	assert_string_equal(f.log, "MI|V|");
	assert_int_equal(printer_epcl.end(p, &e), 0);
	printer_epcl.close(p);
	assert_true(f.closed);
}

/* The description's bytes of the list in its second form. */
static void
test_list_bytes(void **state)
{
	static const uint8_t want[] = {0x1b, 0x4d, 0x20, 0x31, 0x20, 0x49, 0x53, 0x20, 0x30, 0x5b,
		0x49, 0x53, 0x20, 0x31, 0x5b, 0x49, 0x53, 0x20, 0x32, 0x5b, 0x49, 0x5b, 0x49, 0x56,
		0x20, 0x31, 0x0d};
	struct buf out;

	(void)state;
	buf_init(&out, 256);
	assert_int_equal(epcl_command(&out, "M 1 IS 0[IS 1[IS 2[I[IV 1", NULL), 0);
	assert_int_equal(out.len, sizeof want);
	assert_memory_equal(out.data, want, sizeof want);
	buf_done(&out);
}

static void
test_duplex(void **state)
{
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	f.version = "P430i 1.0\r";
	fake_set(&f, "ribbon-ymckok", "tag");
	struct printer *p = fake_ready(&f, &p430i, &ymckok, true);
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.print(p, &e), 0);
	assert_string_equal(
		f.log, "M 1 IS 0[IS 1[IS 2[I[IV 31|V|MF|V|F|G 0 0 12 640 1024 1|Z|M 1 I[MO|V|");
	printer_epcl.close(p);
}

/* One plane after the other, where the printer holds no more. */
static void
test_standard_memory(void **state)
{
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	fake_set(&f, "memory", "standard");
	struct printer *p = fake_ready(&f, &p310i, &ymcko, false);
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.print(p, &e), 0);
	assert_string_equal(f.log, "$F|GS 0 30 0 0 1024 640|IS 0|V|$F|GS 1 30 0 0 1024 640|IS 1|V|"
				   "$F|GS 2 30 0 0 1024 640|IS 2|V|F|G 0 0 12 640 1024 1|Z|I|V|"
				   "vF|vL 0 0 1023 639 1|IV 31|V|MO|V|");
	printer_epcl.close(p);
}

static void
test_magnetic(void **state)
{
	static const char good[MAGNETIC_TRACKS][MAGNETIC_TRACK_MAX + 1] = {
		"123456^NAME/X^789012", "", "0099"};
	static const char bad[MAGNETIC_TRACKS][MAGNETIC_TRACK_MAX + 1] = {"A[MO", "", ""};
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	struct printer *p = fake_ready(&f, &p310i, &ymcko, false);
	assert_int_equal(printer_epcl.tracks(p, bad, &e), ERR_INPUT);
	assert_int_equal(printer_epcl.tracks(p, good, &e), 0);
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.print(p, &e), 0);
	assert_string_equal(f.log, "&R|&CDEW 0 0|&CDER 0 0|&B 1 123456^NAME/X^789012|&B 3 0099|"
				   "&E*|V|M 1 IS 0[IS 1[IS 2[I[IV 31[MO|V|");
	/* A printer without an encoder says so before anything moves: no jam, no doubt. */
	printer_epcl.close(p);
	fake_init(&f);
	p = fake_ready(&f, &p310i, &ymcko, false);
	assert_int_equal(printer_epcl.tracks(p, good, &e), 0);
	f.rules[0] = (struct rule){"&R", ANSWER,
		"\x15"
		"45\x04",
		0, 1};
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.print(p, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_REFUSED);
	assert_non_null(strstr(e.text, "CardMagnetic"));
	assert_string_equal(e.raw, "NACK 45");
	assert_string_equal(f.log, "&R|");
	printer_epcl.close(p);
}

static void
test_begin(void **state)
{
	static const struct ribbon ko = {.name = "ko", .front = "KO", .back = ""};
	struct print_job job = {.ribbon = &black, .darkness = 3};
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	struct printer *p = fake_open(&f, &p310i);
	assert_int_equal(printer_epcl.begin(p, &job, &e), 0);
	assert_string_equal(f.log, "+RIB 4|+C 10|");
	job.ribbon = &ko;
	assert_int_equal(printer_epcl.begin(p, &job, &e), ERR_USAGE);
	assert_non_null(strstr(e.text, "ribbon-ko"));
	job.ribbon = &ymckok;
	assert_int_equal(printer_epcl.begin(p, &job, &e), ERR_USAGE);
	job = (struct print_job){.ribbon = &black, .duplex = true};
	assert_int_equal(printer_epcl.begin(p, &job, &e), ERR_USAGE);
	/* A refused heat matters only when it was asked for. */
	job.duplex = false;
	f.rules[0] = (struct rule){.command = "+C ",
		.bytes = "\x15"
			 "14\x04"};
	assert_int_equal(printer_epcl.begin(p, &job, &e), 0);
	job.darkness = 2;
	assert_int_equal(printer_epcl.begin(p, &job, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_REFUSED);
	printer_epcl.close(p);
}

/* Without the dock commands a card with a chip is refused before anything moves. */
static void
test_station(void **state)
{
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	struct printer *p = fake_open(&f, &p310i);
	assert_int_equal(printer_epcl.reach(p, PLACE_PRINT, &e), 0);
	assert_int_equal(printer_epcl.reach(p, PLACE_CONTACTLESS, &e), ERR_USAGE);
	assert_non_null(strstr(e.text, "dock-contactless"));
	assert_int_equal(printer_epcl.feed(p, PLACE_CONTACT, &e), ERR_USAGE);
	assert_string_equal(f.log, "");
	printer_epcl.close(p);
	fake_init(&f);
	fake_set(&f, "dock-contactless", "XD");
	fake_set(&f, "undock-print", "XU");
	fake_set(&f, "undock-eject", "XE");
	p = fake_ready(&f, &p310i, &ymcko, false);
	assert_int_equal(printer_epcl.feed(p, PLACE_CONTACTLESS, &e), 0);
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.print(p, &e), 0);
	assert_string_equal(f.log, "XU|V|M 1 IS 0[IS 1[IS 2[I[IV 31[MO|V|");
	assert_int_equal(printer_epcl.feed(p, PLACE_CONTACTLESS, &e), 0);
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.eject(p, EXIT_REJECT, &e), 0);
	assert_string_equal(f.log, "XE|V|");
	assert_int_equal(printer_epcl.eject(p, EXIT_REJECT, &e), ERR_FAULT);
	printer_epcl.close(p);
}

/* Opening: what it may find, and what it refuses. */
static void
test_open(void **state)
{
	static const struct usb_printer by_product = {.vendor = 0x0a5f, .product = 0x0050};
	static const struct usb_printer nameless = {.vendor = 0x0a5f};
	static const struct usb_printer labels = {
		.vendor = 0x0a5f, .device_id = "MFG:Zebra;CMD:ZPL;MDL:ZD420;"};
	struct printer *p;
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	f.version = "\x06";
	p = fake_open(&f, &by_product);
	assert_string_equal(printer_epcl.model(p)->mdl, "P120i");
	printer_epcl.close(p);
	fake_init(&f);
	f.latched = "\x15"
		    "03\x04"; /* an earlier program's */
	f.version = "ZEBRA P520i 1.2\r";
	p = fake_open(&f, &nameless);
	assert_string_equal(printer_epcl.model(p)->mdl, "P520i");
	printer_epcl.close(p);
	fake_init(&f);
	f.waits = true;
	f.base.limits.reply_ms = 5;
	p = fake_open(&f, &p310i);
	assert_true(f.fill >= 655360);
	printer_epcl.close(p);
	fake_init(&f);
	f.version = "P999 1.0\r";
	assert_int_equal(printer_epcl.open(&p, &f.base, &nameless, &e), ERR_DEVICE);
	assert_true(f.closed);
	fake_init(&f);
	assert_int_equal(printer_epcl.open(&p, &f.base, &labels, &e), ERR_DEVICE);
	assert_string_equal(f.log, "");
	fake_init(&f);
	fake_set(&f, "replies", "off");
	assert_int_equal(printer_epcl.open(&p, &f.base, &p310i, &e), ERR_USAGE);
	fake_init(&f);
	fake_set(&f, "no_such_setting", "1");
	assert_int_equal(printer_epcl.open(&p, &f.base, &p310i, &e), ERR_USAGE);
	fake_init(&f);
	f.endless = true;
	assert_true(printer_epcl.open(&p, &f.base, &p310i, &e) < 0);
	assert_true(f.closed);
}

static void
test_place(void **state)
{
	struct printer_status st;
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	struct printer *p = fake_open(&f, &p310i);
	assert_int_equal(printer_epcl.status(p, &st, &e), 0);
	assert_int_equal(st.place, PLACE_UNKNOWN);
	assert_true(st.blind);
	printer_epcl.close(p);
	fake_init(&f);
	fake_set(&f, "place-query", "&P");
	p = fake_open(&f, &p310i);
	f.rules[0] = (struct rule){"&P", ANSWER,
		"\x15"
		"05\x04",
		0, 1};
	f.rules[1] = (struct rule){"&P", ANSWER,
		"\x15"
		"06\x04",
		0, 1};
	f.rules[2] = (struct rule){"&P", ANSWER,
		"\x15"
		"14\x04",
		0, 1};
	assert_int_equal(printer_epcl.status(p, &st, &e), 0);
	assert_int_equal(st.place, PLACE_PRINT);
	assert_false(st.blind);
	assert_int_equal(printer_epcl.status(p, &st, &e), 0);
	assert_int_equal(st.place, PLACE_NONE);
	assert_int_equal(printer_epcl.status(p, &st, &e), 0);
	assert_true(st.blind);
	printer_epcl.close(p);
}

static void
probe_note(void *ctx, const char *what, const char *sent, const char *reply)
{
	char *text = ctx;

	assert_non_null(what);
	snprintf(text + strlen(text), 2000 - strlen(text), "%s=%s;", sent, reply ? reply : "-");
}

static void
test_probe_and_service(void **state)
{
	char told[2000] = "";
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	f.base.limits.reply_ms = 5;
	struct printer *p = fake_open(&f, &p310i);
	f.rules[0] = (struct rule){"!X", MUTE, "", 0, 1};
	f.rules[1] = (struct rule){"V 13", ANSWER,
		"\x15"
		"10\x04",
		0, 1};
	assert_int_equal(printer_epcl.probe(p, probe_note, told, &e), 0);
	assert_string_equal(told,
		"V=P310i V2.10;V 12=ACK;V 13=NACK 10;V 20=ACK;V 30=ACK;"
		"V 100=ACK;&P=ACK;%CLN=Cpt imp:00025000 next clean Prn:00004000 nb "
		"pass:5;!X=-;GET_PORT_STATUS=18;");
	assert_null(strstr(f.log, "|M"));
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.service(p, SERVICE_CLEAN, &e), 0);
	assert_int_equal(printer_epcl.service(p, SERVICE_TEST_CARD, &e), 0);
	assert_non_null(strstr(f.log, "MC|V|CLNCARD|V|MC|V|A|V|"));
	printer_epcl.close(p);
}

/* What is documented as sent is what the tables say, and each has a source. */
static void
test_tables(void **state)
{
	(void)state;
	for (const struct printer_command *c = printer_epcl.commands; c->name; c++)
		assert_true(c->when && c->purpose && c->source && c->source[0]);
	for (size_t i = 0; i < printer_epcl.n_models; i++) {
		const struct printer_model *m = &printer_epcl.models[i];
		assert_non_null(m->settings);
		for (const struct printer_setting *s = m->settings; s->name; s++)
			assert_true(s->value && s->purpose);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_job),
		cmocka_unit_test(test_list_bytes),
		cmocka_unit_test(test_duplex),
		cmocka_unit_test(test_standard_memory),
		cmocka_unit_test(test_magnetic),
		cmocka_unit_test(test_begin),
		cmocka_unit_test(test_station),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_probe_and_service),
		cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
