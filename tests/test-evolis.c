/*
 * test-evolis.c - the Evolis family: dialogues, acts, and printers that misbehave in them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/evolis-fake.h"

/* ---- dialogues --------------------------------------------------------------------------------
 */

static void
test_begin(void **state)
{
	static const struct ribbon colour = {.name = "ymcko", .front = "YMCKO", .back = ""};
	static const struct ribbon wax = {.name = "ka", .front = "K", .back = ""};
	struct print_job job = {.ribbon = &colour, .contrast = 3, .brightness = -12, .darkness = 1};
	struct fake f;
	struct printer *p = fake_open(&f);
	struct err e = {0};

	(void)state;
	assert_int_equal(printer_evolis.begin(p, &job, &e), 0);
	assert_string_equal(f.log,
		"Pem;2 Pr;ymcko Pmi;F Pc;y;=;13 Pc;m;=;13 Pc;c;=;13 Pl;y;=;1 Pl;m;=;1 "
		"Pl;c;=;1 Pc;k;=;11 Pc;o;=;10 ");
	/* A refused setting matters only when it was asked for. */
	f.rules[0] = (struct rule){.command = "Pl;y", .text = "ERROR CDE"};
	assert_int_equal(printer_evolis.begin(p, &job, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_REFUSED);
	job.brightness = 0;
	assert_int_equal(printer_evolis.begin(p, &job, &e), 0);
	f.rules[0] = (struct rule){.command = "Pr;", .text = "ERROR PARAMETRES"};
	assert_int_equal(printer_evolis.begin(p, &job, &e), ERR_FAULT);
	/* Speed and coercivity are sent only when asked for; the usual speed comes back at the end.
	 */
	f.rules[0] = (struct rule){.command = NULL};
	f.log[0] = '\0';
	job.speed = 10;
	job.coercivity = 'l';
	assert_int_equal(printer_evolis.begin(p, &job, &e), 0);
	assert_non_null(strstr(f.log, " Pmk;f;s Pmc;l "));
	f.log[0] = '\0';
	assert_int_equal(printer_evolis.end(p, &e), 0);
	assert_string_equal(f.log, "Pmk;s;s Pem;0 ");
	f.rules[0] = (struct rule){.command = "Pmk;f;s", .text = "ERROR PARAMETRES"};
	f.log[0] = '\0';
	assert_int_equal(printer_evolis.begin(p, &job, &e), 0);
	assert_non_null(strstr(f.log, " Pmk;f;s Pmk;f Pmc;l "));
	f.rules[0] = (struct rule){.command = "Pmc;l", .text = "OPT NOT AVAILABLE"};
	assert_int_equal(printer_evolis.begin(p, &job, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_REFUSED);
	f.log[0] = '\0';
	job.speed = 4; /* a step that this model does not have */
	assert_int_equal(printer_evolis.begin(p, &job, &e), ERR_USAGE);
	assert_string_equal(f.log, "");
	job.speed = 0;
	job.ribbon = &wax;
	assert_int_equal(printer_evolis.begin(p, &job, &e), ERR_USAGE);
	printer_evolis.close(p);
	assert_true(f.closed);
}

static void
test_card(void **state)
{
	struct fake f;
	struct printer *p = fake_ready(&f, PLACE_NONE);
	struct err e = {0};

	(void)state;
	assert_string_equal(f.log, ""); /* loading moves nothing: it sends nothing */
	assert_int_equal(printer_evolis.feed(p, PLACE_CONTACTLESS, &e), 0);
	assert_string_equal(f.log, "Rlr;p Sic Rlr;p ");
	f.log[0] = '\0';
	assert_int_equal(printer_evolis.print(p, &e), 0);
	assert_string_equal(f.log,
		"Rlr;p Rcr Rr Si Rlr;p Ss Sr Db;y;128 Dbc;k;2; Db;o;2;\xff Sv Dbc;k;2; Se Rlr;p ");
	/* Nothing is loaded any more: a card is never printed by accident. */
	assert_int_equal(printer_evolis.print(p, &e), ERR_INTERNAL);
	assert_int_equal(printer_evolis.feed(p, PLACE_PRINT, &e), 0);
	f.log[0] = '\0';
	assert_int_equal(printer_evolis.eject(p, EXIT_REJECT, &e), 0);
	assert_string_equal(f.log, "Rlr;p Ser Rlr;p ");
	assert_int_equal(printer_evolis.end(p, &e), 0);
	printer_evolis.close(p);
}

/* Replies without an end mark, byte by byte, and with other end marks are the same replies. */
static void
test_reply_forms(void **state)
{
	static const struct {
		const char *end;
		size_t piece;
	} rows[] = {{NULL, 1}, {"", 0}, {"", 1}, {"\r\n", 0}, {"\r\n", 3}, {"\n", 1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct printer_status st;
		struct err e = {0};
		struct fake f;
		struct printer *p = fake_open(&f);
		f.end = rows[i].end;
		f.piece = rows[i].piece;
		assert_int_equal(printer_evolis.status(p, &st, &e), 0);
		assert_int_equal(st.cards, 1234);
		assert_int_equal(printer_evolis.feed(p, PLACE_PRINT, &e), 0);
		printer_evolis.close(p);
	}
}

/* What the printer says during which act: code and fault. */
static void
test_act_faults(void **state)
{
	static const struct {
		const char *act; /* f feed from the feeder, m move to print, p print, h eject, r
				    reject */
		struct rule rule;
		int rc;
		enum fault fault;
	} rows[] = {
		{"f", {"Sic", ANSWER, "FEEDER EMPTY", 0, 0, 1}, ERR_FAULT, FAULT_HOPPER_EMPTY},
		{"f", {"Sic", ANSWER, "CARD JAM", 0, 0, 1}, ERR_FAULT, FAULT_JAM_FEED},
		{"f", {"Sic", ANSWER, "COVER OPEN", 0, 0, 1}, ERR_FAULT, FAULT_COVER_OPEN},
		{"f", {"Sic", ANSWER, "ERROR CDE", 0, 0, 1}, ERR_FAULT, FAULT_REFUSED},
		{"f", {"Sic", ANSWER, "O?K", 0, 0, 1}, ERR_DOUBT, FAULT_GARBLED_REPLY},
		{"f", {"Sic", MUTE, NULL, 0, 0, 1}, ERR_DOUBT, FAULT_NO_REPLY},
		{"f", {"Sic", ENDLESS, NULL, 0, 0, 1}, ERR_DOUBT, FAULT_GARBLED_REPLY},
		{"f", {"Sic", BREAK_WRITE, NULL, FAULT_STALL, 0, 1}, ERR_FAULT, FAULT_STALL},
		{"f", {"Sic", BREAK_WRITE, NULL, FAULT_UNPLUGGED, 0, 1}, ERR_DOUBT,
			FAULT_UNPLUGGED},
		{"f", {"Sic", ANSWER, "OK", 0, 0, 1}, ERR_DOUBT,
			FAULT_GARBLED_REPLY}, /* said, not done */
		{"m", {"Si", ANSWER, "CARD JAM", 0, 0, 1}, ERR_FAULT, FAULT_JAM_STATION},
		{"p", {"Si", ANSWER, "CARD JAM", 0, 0, 1}, ERR_FAULT, FAULT_JAM_STATION},
		{"p", {"Rcr", ANSWER, "ERROR RIBBON", 0, 0, 1}, ERR_FAULT, FAULT_RIBBON_END},
		{"p", {"Db;y", ANSWER, "ERROR RIBBON", 0, 0, 1}, ERR_FAULT, FAULT_RIBBON_WRONG},
		{"p", {"Ss", ANSWER, "ERROR RIBBON", 0, 0, 1}, ERR_FAULT, FAULT_RIBBON_WRONG},
		{"p", {"Sv", ANSWER, "CARD JAM", 0, 0, 1}, ERR_FAULT, FAULT_JAM_FLIP},
		{"p", {"Db;y", MUTE, NULL, 0, 0, 1}, ERR_FAULT, FAULT_NO_REPLY},
		{"p", {"Db;y", BREAK_WRITE, NULL, FAULT_UNPLUGGED, 5000, 1}, ERR_FAULT,
			FAULT_UNPLUGGED},
		{"p", {"Se", ANSWER, "CARD JAM", 0, 0, 1}, ERR_FAULT, FAULT_JAM_PRINT},
		{"p", {"Se", ANSWER, "HOPPER FULL", 0, 0, 1}, ERR_FAULT, FAULT_OUTPUT_FULL},
		{"p", {"Se", ANSWER, "ERROR HEAD", 0, 0, 1}, ERR_FAULT, FAULT_HEAD_HOT},
		{"p", {"Se", MUTE, NULL, 0, 0, 1}, ERR_DOUBT, FAULT_NO_REPLY},
		{"p", {"Se", BREAK_WRITE, NULL, FAULT_UNPLUGGED, 0, 1}, ERR_DOUBT, FAULT_UNPLUGGED},
		{"p", {"Se", ANSWER, "\x1bOK", 0, 0, 1}, ERR_DOUBT, FAULT_GARBLED_REPLY},
		{"h", {"Se", ANSWER, "CARD JAM", 0, 0, 1}, ERR_FAULT, FAULT_JAM_EJECT},
		{"r", {"Ser", ANSWER, "CARD JAM", 0, 0, 1}, ERR_FAULT, FAULT_JAM_REJECT},
		{"r", {"Ser", ANSWER, "HOPPER FULL", 0, 0, 1}, ERR_FAULT, FAULT_REJECT_FULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char act = rows[i].act[0];
		struct fake f;
		struct printer *p = fake_ready(&f, act == 'f' ? PLACE_NONE : PLACE_CONTACTLESS);
		struct err e = {0};
		int rc;
		f.rules[0] = rows[i].rule;
		rc = act == 'f'   ? printer_evolis.feed(p, PLACE_CONTACTLESS, &e)
		     : act == 'm' ? printer_evolis.feed(p, PLACE_PRINT, &e)
		     : act == 'p'
			     ? printer_evolis.print(p, &e)
			     : printer_evolis.eject(p, act == 'h' ? EXIT_HOPPER : EXIT_REJECT, &e);
		if (rc != rows[i].rc || e.fault != (int)rows[i].fault)
			print_error("row %zu: %d, fault %d: %s\n", i, rc, e.fault, e.text);
		assert_int_equal(rc, rows[i].rc);
		assert_int_equal(e.code, rows[i].rc);
		assert_int_equal(e.fault, rows[i].fault);
		printer_evolis.close(p);
	}
}

/* The answer to an act that was given up comes in the middle of the next command. */
static void
test_late_reply(void **state)
{
	struct fake f;
	struct printer *p = fake_ready(&f, PLACE_NONE);
	struct printer_status st;
	struct err e = {0};

	(void)state;
	f.rules[0] = (struct rule){.command = "Sic", .trick = LATE, .text = "OK", .times = 1};
	assert_int_equal(printer_evolis.feed(p, PLACE_CONTACTLESS, &e), ERR_DOUBT);
	f.place = "NO CARD";
	f.rules[1] = (struct rule){.command = "Sic", .text = "FEEDER EMPTY", .times = 1};
	assert_int_equal(printer_evolis.status(p, &st, &e), 0);
	assert_int_equal(st.place, PLACE_NONE);
	assert_int_equal(st.cards, 1234);
	/* With the late OK still counted, this would look like success. */
	assert_int_equal(printer_evolis.feed(p, PLACE_CONTACTLESS, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_HOPPER_EMPTY);
	printer_evolis.close(p);
}

/* A printer that stays silent gets no act, and answers again when it comes back. */
static void
test_silence(void **state)
{
	struct fake f;
	struct printer *p = fake_ready(&f, PLACE_NONE);
	struct printer_status st;
	struct err e = {0};

	(void)state;
	f.rules[0] = (struct rule){.command = "", .trick = MUTE};
	assert_int_equal(printer_evolis.status(p, &st, &e), ERR_DEVICE);
	assert_int_equal(e.fault, FAULT_NO_REPLY);
	f.log[0] = '\0';
	assert_int_equal(printer_evolis.feed(p, PLACE_PRINT, &e), ERR_FAULT);
	assert_null(strstr(f.log, "Si"));
	f.rules[0] = (struct rule){0};
	assert_int_equal(printer_evolis.status(p, &st, &e), 0);
	assert_int_equal(printer_evolis.feed(p, PLACE_PRINT, &e), 0);
	printer_evolis.close(p);
}

/* A plane that broke off is filled up, and the card that carries a part of it is not printed again.
 */
static void
test_torn_plane(void **state)
{
	struct fake f;
	struct printer *p = fake_ready(&f, PLACE_PRINT);
	struct err e = {0};

	(void)state;
	f.rules[0] = (struct rule){.command = "Db;y",
		.trick = BREAK_WRITE,
		.fault = FAULT_STALL,
		.done = 262144,
		.times = 1};
	assert_int_equal(printer_evolis.print(p, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_STALL);
	assert_null(strstr(f.log, " Se "));
	assert_int_equal(printer_evolis.print(p, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_CARD_MARKED);
	assert_int_equal(f.fill, 10 + 576072 + 1 - 262144);
	assert_int_equal(printer_evolis.eject(p, EXIT_HOPPER, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_CARD_MARKED);
	assert_int_equal(printer_evolis.eject(p, EXIT_REJECT, &e), 0);
	assert_int_equal(printer_evolis.feed(p, PLACE_PRINT, &e), 0);
	assert_int_equal(printer_evolis.print(p, &e), 0);
	printer_evolis.close(p);
}

/* A refusal before the first plane leaves the card clean. */
static void
test_cover_then_print(void **state)
{
	struct fake f;
	struct printer *p = fake_ready(&f, PLACE_PRINT);
	struct err e = {0};

	(void)state;
	f.rules[0] = (struct rule){.command = "Ss", .text = "COVER OPEN", .times = 1};
	assert_int_equal(printer_evolis.print(p, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_COVER_OPEN);
	assert_string_equal(e.raw, "COVER OPEN");
	assert_int_equal(printer_evolis.print(p, &e), 0);
	printer_evolis.close(p);
}

static void
test_no_card(void **state)
{
	struct fake f;
	struct printer *p = fake_ready(&f, PLACE_CONTACTLESS);
	struct err e = {0};

	(void)state;
	f.place = "NO CARD";
	f.log[0] = '\0';
	assert_int_equal(printer_evolis.print(p, &e), ERR_FAULT);
	assert_int_equal(printer_evolis.eject(p, EXIT_REJECT, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_JAM_REJECT);
	assert_string_equal(f.log, "Rlr;p Rlr;p ");
	printer_evolis.close(p);
}

static void
test_open(void **state)
{
	struct usb_printer other = fake_dualys, unnamed = {.vendor = 0x0f49, .serial = "D3-0001"};
	struct printer *p;
	struct err e = {0};
	struct fake f;

	(void)state;
	/* A stale reply of an earlier program lies in the pipe, and another comes with the first
	 * answer. */
	fake_init(&f);
	fake_answer(&f, "OK");
	snprintf(f.late, sizeof f.late, "CARD JAM");
	assert_int_equal(printer_evolis.open(&p, &f.base, &fake_dualys, &e), 0);
	assert_string_equal(printer_evolis.model(p)->mdl, "Dualys 3");
	printer_evolis.close(p);
	/* The printer still waits for the rest of a plane. */
	fake_init(&f);
	f.rules[0] = (struct rule){.command = "Rsn", .trick = MUTE, .times = 1};
	assert_int_equal(printer_evolis.open(&p, &f.base, &fake_dualys, &e), 0);
	assert_int_equal(f.fill, 658369);
	printer_evolis.close(p);
	/* Without a useful id its own answer tells the model. */
	fake_init(&f);
	assert_int_equal(printer_evolis.open(&p, &f.base, &unnamed, &e), 0);
	printer_evolis.close(p);
	fake_init(&f);
	snprintf(other.device_id, sizeof other.device_id, "MFG:EVOLIS;MDL:Agilia;");
	f.rules[0] = (struct rule){.command = "Rtp", .text = "Agilia"};
	assert_int_equal(printer_evolis.open(&p, &f.base, &other, &e), ERR_DEVICE);
	assert_non_null(strstr(e.text, "Agilia"));
	assert_true(f.closed);
	assert_null(p);
	fake_init(&f);
	f.unplugged = true;
	assert_int_equal(printer_evolis.open(&p, &f.base, &fake_dualys, &e), ERR_DEVICE);
	assert_true(f.closed);
}

static void
test_model_find(void **state)
{
	static const struct {
		const char *mdl, *found;
	} rows[] = {{"Dualys 3", "Dualys 3"}, {"Dualys3", "Dualys 3"},
		{"EVOLIS DUALYS 3", "Dualys 3"}, {"Dualys 3 Duplex", "Dualys 3"},
		{"Dualys", "Dualys 3"}, {"Pebble 4", "Pebble 4"}, {"Pebble 44", NULL},
		{"Zenius", "Zenius"}, {"Zenius 2", "Zenius"}, {"Primacy 2 Duplex", "Primacy 2"},
		{"Primacy", "Primacy"}, {"Agilia", NULL}, {"", NULL}, {"Evolis", NULL}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct printer_model *m = printer_model_find(&printer_evolis, rows[i].mdl);
		assert_int_equal(m != NULL, rows[i].found != NULL);
		if (m)
			assert_string_equal(m->mdl, rows[i].found);
	}
	assert_ptr_equal(printer_driver_by_vendor(0x0f49), &printer_evolis);
	assert_null(printer_driver_by_vendor(0));
}

static void
test_load_refused(void **state)
{
	static const struct ribbon mono = {.name = "k", .front = "K", .back = "K"};
	struct print_job job = {.ribbon = &mono};
	struct face faces[SIDE_COUNT];
	struct fake f;
	struct printer *p = fake_open(&f);
	struct err e = {0};

	(void)state;
	faces_make(faces);
	assert_int_equal(printer_evolis.load(p, faces, &e), ERR_INTERNAL);
	assert_int_equal(printer_evolis.begin(p, &job, &e), 0);
	assert_int_equal(
		printer_evolis.load(p, faces, &e), ERR_INPUT); /* colour on a black ribbon */
	face_done(&faces[0]);
	assert_int_equal(plane_create(&faces[0].plane[PANEL_K], 1, 640, 1016, &e), 0);
	assert_int_equal(printer_evolis.load(p, faces, &e), ERR_INPUT); /* another head */
	face_done(&faces[0]);
	face_done(&faces[1]);
	printer_evolis.close(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begin),
		cmocka_unit_test(test_card),
		cmocka_unit_test(test_reply_forms),
		cmocka_unit_test(test_act_faults),
		cmocka_unit_test(test_late_reply),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_torn_plane),
		cmocka_unit_test(test_cover_then_print),
		cmocka_unit_test(test_no_card),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_model_find),
		cmocka_unit_test(test_load_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
