/*
 * test-evolis-family.c - the Evolis family's tables: both generations, every model, settings,
 * firmware that refuses commands, half panels, tags.
 *
 * The dialogues are the protocol description's (sections 3, 4.6 and 9.2).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/evolis-fake.h"

static const struct ribbon colour = {.name = "ymcko", .front = "YMCKO", .back = ""};
static const struct ribbon half = {
	.name = "ymckos", .front = "YMCKO", .back = "", .dye_lines = 400};

/* Vendor's own setting-up, without what only its supervisor needs (description, 9.2). */
static void
test_numbered_begin(void **state)
{
	struct print_job job = {.ribbon = &colour};
	struct fake f = {0};
	struct printer *p = fake_open_as(&f, "Primacy", true);
	struct err e = {0};

	(void)state;
	assert_int_equal(printer_evolis.begin(p, &job, &e), 0);
	assert_string_equal(f.log,
		"Pem;2 Pcla;1 Psid;2 Pr;0;t Pwres;300;300;0 Pcim;F Pcem;D Pcrm;R Peoic;k;D "
		"Pc;y;=;10 Pc;m;=;10 Pc;c;=;10 Pl;y;=;10 Pl;m;=;10 Pl;c;=;10 Pc;k;=;10 Pc;o;=;10 ");
	assert_null(printer_evolis.note(p));
	f.log[0] = '\0';
	assert_int_equal(printer_evolis.end(p, &e), 0);
	assert_string_equal(f.log, "Pcla;0 Psid;0 Pem;0 ");
	printer_evolis.close(p);
}

static void
test_numbered_card(void **state)
{
	struct fake f = {0};
	struct printer *p =
		fake_make_ready(fake_open_as(&f, "Primacy 2", true), &f, PLACE_CONTACTLESS);
	struct err e = {0};

	(void)state;
	assert_int_equal(printer_evolis.print(p, &e), 0);
	/* faces_make leaves the colour planes without dye; K and O go out whole. */
	assert_string_equal(f.log, "Rlr;p Rcr Si Rlr;p Ss Sr Pida;100;0;0;0 Db;y;128 Db;k;2;\xa0 "
				   "Db;o;2;\xff Sv Db;k;2;\xa0 Se Rlr;p ");
	assert_string_equal(f.tags, "");
	printer_evolis.close(p);
}

/* The printer has the last word about its generation, once for a person to read. */
static void
test_generation_asked(void **state)
{
	static const struct {
		const char *mdl;
		bool numbered;
		const char *ribbon;
		bool told;
	} rows[] = {{"Dualys 3", false, "Pr;ymcko ", false}, {"Primacy", true, "Pr;0;t ", false},
		{"Dualys 3", true, "Pr;0;t ", true}, {"Zenius", false, "Pr;ymcko ", true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct print_job job = {.ribbon = &colour};
		struct fake f = {0};
		struct printer *p = fake_open_as(&f, rows[i].mdl, rows[i].numbered);
		struct err e = {0};
		assert_int_equal(printer_evolis.begin(p, &job, &e), 0);
		assert_non_null(strstr(f.log, rows[i].ribbon));
		assert_int_equal(printer_evolis.note(p) != NULL, rows[i].told);
		assert_null(printer_evolis.note(p));
		printer_evolis.close(p);
	}
}

/* A stray OK decides nothing and is asked again. */
static void
test_generation_stray(void **state)
{
	struct print_job job = {.ribbon = &colour};
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	f.rules[0] = (struct rule){.command = "Rrt;count", .text = "OK", .times = 1};
	struct printer *p = fake_open_as(&f, "Dualys 3", true);
	assert_int_equal(printer_evolis.begin(p, &job, &e), 0);
	assert_non_null(strstr(f.log, "Pr;0;t "));
	printer_evolis.close(p);
	fake_init(&f);
	f.rules[0] = (struct rule){.command = "Rrt;count", .text = "OK"};
	p = fake_open_as(&f, "Primacy", false);
	assert_int_equal(printer_evolis.begin(p, &job, &e), 0);
	assert_non_null(strstr(f.log, "Pr;0;t "));
	printer_evolis.close(p);
}

static void
test_refused_begin(void **state)
{
	static const struct {
		const char *refused, *text, *instead;
	} rows[] = {{"Pcim;F", "ERROR CDE", "Pmi;F "}, {"Pr;0;t", "ERROR PARAMETRES", "Pr;ymcko "},
		{"Pcrm;R", "OPT NOT AVAILABLE", ""}, {"Peoic;k;D", "ERROR CDE", ""}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct print_job job = {.ribbon = &colour};
		struct fake f = {0};
		struct printer *p = fake_open_as(&f, "Primacy", true);
		struct err e = {0};
		char both[64];
		f.rules[0] = (struct rule){.command = rows[i].refused, .text = rows[i].text};
		assert_int_equal(printer_evolis.begin(p, &job, &e), 0);
		snprintf(both, sizeof both, "%s %s", rows[i].refused, rows[i].instead);
		assert_non_null(strstr(f.log, both));
		const char *note = printer_evolis.note(p);
		assert_non_null(note);
		assert_non_null(strstr(note, rows[i].refused));
		f.log[0] = '\0';
		assert_int_equal(printer_evolis.begin(p, &job, &e), 0);
		if (rows[i].instead[0]) {
			assert_null(strstr(f.log, rows[i].refused));
			assert_non_null(strstr(f.log, rows[i].instead));
		}
		assert_null(printer_evolis.note(p));
		printer_evolis.close(p);
	}
}

/* Neither form: the job cannot go on, and nothing was fed. */
static void
test_refused_both(void **state)
{
	struct print_job job = {.ribbon = &colour};
	struct fake f = {0};
	struct printer *p = fake_open_as(&f, "Primacy", true);
	struct err e = {0};

	(void)state;
	f.rules[0] = (struct rule){.command = "Pr;", .text = "ERROR PARAMETRES"};
	assert_int_equal(printer_evolis.begin(p, &job, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_REFUSED);
	assert_null(printer_evolis.note(p));
	printer_evolis.close(p);
}

/* A refused plane is sent once more in its plainest form, with the link back in step before. */
static void
test_refused_plane(void **state)
{
	struct fake f;
	struct printer *p = fake_ready(&f, PLACE_PRINT);
	struct err e = {0};

	(void)state;
	f.rules[0] = (struct rule){.command = "Dbc", .text = "ERROR CDE", .times = 1};
	assert_int_equal(printer_evolis.print(p, &e), 0);
	assert_non_null(strstr(f.log, "Dbc;k;2; Rsn Db;k;2;\xa0 Db;o;2;\xff Sv Db;k;2;\xa0 Se "));
	assert_non_null(strstr(printer_evolis.note(p), "Dbc;k;2"));
	fake_make_ready(p, &f, PLACE_PRINT);
	assert_int_equal(printer_evolis.print(p, &e), 0);
	assert_null(strstr(f.log, "Dbc")); /* remembered */
	/* A plane that is refused in every form: the card is spent. */
	fake_make_ready(p, &f, PLACE_PRINT);
	f.rules[0] = (struct rule){.command = "Db;y", .text = "ERROR PARAMETRES", .times = 1};
	assert_int_equal(printer_evolis.print(p, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_REFUSED);
	assert_int_equal(printer_evolis.print(p, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_CARD_MARKED);
	printer_evolis.close(p);
}

static void
test_plainer_bytes(void **state)
{
	static const struct wire_plane_format forms[][2] = {
		{{.levels = 2, .compressed = true, .pad = 64}, {.levels = 2}},
		{{.levels = 2, .compressed = true, .short_lines = true}, {.levels = 2}},
		{{.levels = 256}, {.levels = 128}}};
	uint32_t seed = 3;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		unsigned bits = forms[i][0].levels == 2 ? 1 : 8;
		struct buf first, plain, want;
		struct plane p;
		struct err e = {0};
		assert_int_equal(plane_create(&p, bits, 648, 1016, &e), 0);
		for (size_t k = 0; k < p.stride * 500; k++)
			p.data[k] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
		memset(p.data + p.stride * 10, 0xff, p.stride);
		buf_init(&first, 1 << 20);
		buf_init(&plain, 1 << 20);
		buf_init(&want, 1 << 20);
		assert_int_equal(wire_plane(&first, 'k', &p, &forms[i][0], &e), 0);
		assert_int_equal(wire_plane(&want, 'k', &p, &forms[i][1], &e), 0);
		assert_int_equal(wire_plane_plainer(&plain, &first, &e), 0);
		assert_int_equal(plain.len, want.len);
		assert_memory_equal(plain.data, want.data, want.len);
		plain.len = 0;
		assert_int_equal(wire_plane_plainer(&plain, &want, &e), ERR_MISSING);
		first.len = 40; /* torn: refused, nothing is read beyond it */
		assert_true(wire_plane_plainer(&plain, &first, &e) != 0 || i == 2);
		buf_done(&first);
		buf_done(&plain);
		buf_done(&want);
		plane_done(&p);
	}
}

/* A question that the firmware does not know is asked in its older form, and never again. */
static void
test_refused_question(void **state)
{
	struct fake f = {0};
	struct printer *p = fake_open_as(&f, "Primacy", true);
	struct printer_status st;
	struct err e = {0};

	(void)state;
	f.rules[0] = (struct rule){.command = "Rrt;", .text = "ERROR CDE"};
	f.rules[1] = (struct rule){.command = "Rco;i", .text = "41"};
	assert_int_equal(printer_evolis.status(p, &st, &e), 0);
	assert_int_equal(st.ribbon.level, 41);
	assert_non_null(printer_evolis.note(p));
	f.log[0] = '\0';
	assert_int_equal(printer_evolis.status(p, &st, &e), 0);
	assert_null(strstr(f.log, "Rrt"));
	assert_null(printer_evolis.note(p));
	printer_evolis.close(p);
}

/* ---- half panels ---------------------------------------------------------------------------- */

static void
test_half_panel(void **state)
{
	static const struct {
		const char *mdl;
		bool numbered;
		unsigned first, last;
		int rc;
		const char *want;
	} rows[] = {
		/* raster rows 300 to 399 of a portrait page (description, 4.6) */
		{"Primacy", true, 616, 715, 0, "Sr Psp;616 Pida;99;0;0;0 Db;y;128 Se "},
		{"Primacy", true, 616, 1015, 0, "Psp;616 "},
		{"Primacy", true, 615, 1015, ERR_INPUT, ""},
		{"Primacy", true, 900, 950, 0, "Psp;616 "}, /* the panel ends at the card's edge */
		{"Dualys 3", false, 100, 499, 0, "Sr Psp;100 Dbp;y;12 Se "},
		{"Dualys 3", false, 0, 400, ERR_INPUT, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct print_job job = {.ribbon = &half};
		struct fake f = {0};
		struct printer *p = fake_open_as(&f, rows[i].mdl, rows[i].numbered);
		struct face faces[SIDE_COUNT];
		struct err e = {0};
		f.rules[0] = (struct rule){.command = "Rr", .text = "ymckos"};
		f.rules[1] = (struct rule){.command = "Rrt", .text = "50"};
		half_faces(faces, rows[i].first, rows[i].last);
		assert_int_equal(printer_evolis.begin(p, &job, &e), 0);
		assert_int_equal(printer_evolis.load(p, faces, &e), rows[i].rc);
		face_done(&faces[0]);
		if (rows[i].rc == 0) {
			assert_int_equal(printer_evolis.feed(p, PLACE_PRINT, &e), 0);
			assert_int_equal(printer_evolis.print(p, &e), 0);
			if (!strstr(f.log, rows[i].want))
				print_error("row %zu: %s\n", i, f.log);
			assert_non_null(strstr(f.log, rows[i].want));
		}
		printer_evolis.close(p);
	}
}

/* The part's size: 400 lines of 648 dots at 7 bits. */
static void
test_half_bytes(void **state)
{
	struct wire_plane_format format = {.levels = 128, .first = 100, .lines = 400};
	struct face faces[SIDE_COUNT];
	struct buf out;
	struct err e = {0};

	(void)state;
	half_faces(faces, 100, 499);
	buf_init(&out, 1 << 20);
	assert_int_equal(wire_plane(&out, 'y', &faces[0].plane[PANEL_Y], &format, &e), 0);
	assert_memory_equal(out.data, "\033Dbp;y;128;100;400;", 19);
	assert_int_equal(out.len, 19 + 400 * 567 + 1);
	assert_int_equal(out.data[19 + 566], 0x7f);       /* dot 647 of the first line */
	assert_int_equal(out.data[19 + 399 * 567], 0xfe); /* dot 0 of the last */
	format.first = 617;
	assert_int_equal(
		wire_plane(&out, 'y', &faces[0].plane[PANEL_Y], &format, &e), ERR_INTERNAL);
	buf_done(&out);
	face_done(&faces[0]);
}

/* Gray 128 gives 0;127;127;127 (description, 4.6). */
static void
test_statistics(void **state)
{
	struct print_job job = {.ribbon = &colour};
	struct fake f = {0};
	struct printer *p = fake_open_as(&f, "Primacy", true);
	struct face faces[SIDE_COUNT] = {0};
	struct err e = {0};

	(void)state;
	for (int i = PANEL_Y; i <= PANEL_C; i++) {
		assert_int_equal(plane_create(&faces[0].plane[i], 8, 648, 1016, &e), 0);
		memset(faces[0].plane[i].data, 127, faces[0].plane[i].stride * 1016);
	}
	assert_int_equal(printer_evolis.begin(p, &job, &e), 0);
	assert_int_equal(printer_evolis.load(p, faces, &e), 0);
	face_done(&faces[0]);
	assert_string_equal(p->before[SIDE_FRONT][1], "Pida;0;127;127;127");
	printer_evolis.close(p);
}

/* ---- settings ------------------------------------------------------------------------------- */

static int
open_with(struct fake *f, const char *name, const char *value, struct printer **p, struct err *e)
{
	struct usb_printer id = {.vendor = 0x0f49, .serial = "D3-0001", .model = "Primacy"};
	static struct printer_override set;

	set = (struct printer_override){name, value};
	fake_init(f);
	f->numbered = true;
	f->base.overrides = &set;
	f->base.n_overrides = 1;
	return printer_evolis.open(p, &f->base, &id, e);
}

static void
test_settings_refused(void **state)
{
	static const char *const rows[][2] = {{"colour-levels", "65"}, {"colour-levels", "2"},
		{"colour-levels", ""}, {"turn-front", "maybe"}, {"pad", "-1"}, {"pad", "9999"},
		{"reject-to", "X"}, {"dialect", "french"}, {"colour-level", "128"},
		{"status-words", "\x01"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct printer *p = NULL;
		struct fake f;
		struct err e = {0};
		assert_int_equal(open_with(&f, rows[i][0], rows[i][1], &p, &e), ERR_USAGE);
		assert_non_null(strstr(e.text, rows[i][0]));
		assert_null(p);
		assert_true(f.closed);
	}
}

static void
test_settings_taken(void **state)
{
	struct print_job job = {.ribbon = &colour};
	struct printer_status st;
	struct printer *p;
	struct fake f;
	struct err e = {0};

	(void)state;
	assert_int_equal(open_with(&f, "dialect", "classic", &p, &e), 0);
	assert_null(strstr(f.log, "Rrt")); /* told, not asked */
	assert_int_equal(printer_evolis.begin(p, &job, &e), 0);
	assert_non_null(strstr(f.log, "Pr;ymcko "));
	printer_evolis.close(p);
	assert_int_equal(open_with(&f, "colour-levels", "256", &p, &e), 0);
	fake_make_ready(p, &f, PLACE_PRINT);
	f.rules[0] = (struct rule){.command = "Db;y;256", .text = "ERROR PARAMETRES"};
	assert_int_equal(printer_evolis.print(p, &e), 0);
	assert_non_null(strstr(f.log, "Db;y;256 Rsn Db;y;128 "));
	printer_evolis.close(p);
	assert_int_equal(open_with(&f, "status-words", "Rxx", &p, &e), 0);
	f.rules[0] = (struct rule){.command = "Rxx", .text = "81000000 02000000 00080000 00000000"};
	assert_int_equal(printer_evolis.status(p, &st, &e), 0);
	assert_int_equal(st.fault, FAULT_RIBBON_END);
	assert_string_equal(st.status_words, "81000000 02000000 00080000 00000000");
	printer_evolis.close(p);
}

/* The vendor's tags stand between the commands in its own order (description, 9.2). */
static void
test_tags(void **state)
{
	struct printer *p;
	struct fake f;
	struct err e = {0};

	(void)state;
	assert_int_equal(open_with(&f, "job-tags", "yes", &p, &e), 0);
	fake_make_ready(p, &f, PLACE_PRINT);
	assert_int_equal(printer_evolis.print(p, &e), 0);
	assert_int_equal(printer_evolis.end(p, &e), 0);
	assert_string_equal(f.tags,
		"<HEADER></HEADER><OPTION Dpi=300x300></OPTION><DOC Duplex=1><CARD><FACE>"
		"<BINARY Size=576083></BINARY><BINARY Size=82305></BINARY>"
		"<BINARY Size=82305></BINARY></FACE><FACE><BINARY Size=82305></BINARY></FACE>"
		"</CARD></DOC><END>");
	printer_evolis.close(p);
}

static void
test_status_words(void **state)
{
	static const struct {
		const char *text;
		unsigned n;
		uint32_t war, err;
		enum fault fault;
	} rows[] = {
		{"80000000;02000000;00000000;00000000", 4, 0, 0, FAULT_NONE},
		{"80000000 00000000 01000000 00000000", 4, 0x01000000, 0, FAULT_HOPPER_EMPTY},
		{"80000000,00000000,01000000,02000000,1234", 4, 0x01000000, 0x02000000,
			FAULT_COVER_OPEN},
		{"800000000 00000000", 1, 0, 0, FAULT_NONE}, /* nine digits are no word */
		{"", 0, 0, 0, FAULT_NONE},
		{"OK", 0, 0, 0, FAULT_NONE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wire_reply r;
		uint32_t word[4];
		wire_reply_init(&r);
		r.len = strlen(rows[i].text);
		memcpy(r.text, rows[i].text, r.len + 1);
		assert_int_equal(wire_words(&r, word), rows[i].n);
		assert_int_equal(word[2], rows[i].war);
		assert_int_equal(word[3], rows[i].err);
		assert_int_equal(wire_words_fault(word), rows[i].fault);
	}
}

static void
test_ribbon_changes(void **state)
{
	static const struct {
		const char *answer;
		enum fault fault;
	} rows[] = {{"YMCKOK", FAULT_NONE}, {"ymcko", FAULT_RIBBON_WRONG},
		{"k", FAULT_RIBBON_WRONG}, {"4", FAULT_NONE}, {"0", FAULT_RIBBON_WRONG},
		{"something", FAULT_NONE}, {"ERROR CDE", FAULT_NONE}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fake f;
		struct printer *p = fake_ready(&f, PLACE_PRINT);
		struct printer_status st;
		struct err e = {0};
		f.rules[0] = (struct rule){.command = "Rr", .text = rows[i].answer};
		f.rules[1] = f.rules[0];
		f.rules[0] = (struct rule){.command = "Rrt", .text = "ERROR CDE"};
		assert_int_equal(printer_evolis.status(p, &st, &e), 0);
		assert_int_equal(st.fault, rows[i].fault);
		int rc = printer_evolis.print(p, &e);
		assert_int_equal(rc, rows[i].fault ? ERR_FAULT : 0);
		assert_int_equal(rc ? e.fault : 0, rows[i].fault);
		assert_int_equal(strstr(f.log, "Ss ") != NULL, rc == 0); /* no ink */
		printer_evolis.close(p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbered_begin),
		cmocka_unit_test(test_numbered_card),
		cmocka_unit_test(test_generation_asked),
		cmocka_unit_test(test_generation_stray),
		cmocka_unit_test(test_refused_begin),
		cmocka_unit_test(test_refused_both),
		cmocka_unit_test(test_refused_plane),
		cmocka_unit_test(test_plainer_bytes),
		cmocka_unit_test(test_refused_question),
		cmocka_unit_test(test_half_panel),
		cmocka_unit_test(test_half_bytes),
		cmocka_unit_test(test_statistics),
		cmocka_unit_test(test_settings_refused),
		cmocka_unit_test(test_settings_taken),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_status_words),
		cmocka_unit_test(test_ribbon_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
