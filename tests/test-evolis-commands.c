/*
 * test-evolis-commands.c - the Evolis family: service, probe, supplies, and every command it sends.
 *
 * One test listens to all verbs on all models and wants a row for every command, and a command for
 * every row.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/evolis-fake.h"

static const struct ribbon colour = {.name = "ymcko", .front = "YMCKO", .back = ""};
static const struct ribbon half = {
	.name = "ymckos", .front = "YMCKO", .back = "", .dye_lines = 400};
static const struct ribbon black = {.name = "k", .front = "K", .back = "K"};

/* ---- service, probe, supplies ------------------------------------------------------------------
 */

static void
test_service(void **state)
{
	static const struct {
		enum printer_service what;
		const char *command;
		struct rule rule;
		int rc;
		enum fault fault;
	} rows[] = {
		{SERVICE_CLEAN, "Scp ", {0}, 0, FAULT_NONE},
		{SERVICE_TEST_CARD, "St ", {0}, 0, FAULT_NONE},
		{SERVICE_TEST_CARD, "St ", {"St", ANSWER, "FEEDER EMPTY", 0, 0, 1}, ERR_FAULT,
			FAULT_HOPPER_EMPTY},
		{SERVICE_CLEAN, "Scp ", {"Scp", MUTE, NULL, 0, 0, 1}, ERR_DOUBT, FAULT_NO_REPLY},
		{SERVICE_CLEAN, "Scp ", {"Scp", ANSWER, "ERROR CDE", 0, 0, 1}, ERR_FAULT,
			FAULT_REFUSED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fake f;
		struct printer *p = fake_open(&f);
		struct err e = {0};
		f.rules[0] = rows[i].rule;
		assert_int_equal(printer_evolis.service(p, rows[i].what, &e), rows[i].rc);
		assert_int_equal(e.fault, rows[i].fault);
		assert_non_null(strstr(f.log, rows[i].command));
		printer_evolis.close(p);
	}
	struct fake f;
	struct printer *p = fake_ready(&f, PLACE_PRINT);
	struct err e = {0};
	assert_int_equal(printer_evolis.service(p, SERVICE_CLEAN, &e), ERR_USAGE);
	assert_null(strstr(f.log, "Scp"));
	printer_evolis.close(p);
}

static void
answers_count(void *ctx, const char *what, const char *sent, const char *reply)
{
	unsigned *n = ctx;

	assert_true(what[0] != '\0');
	n[0]++;
	n[1] += reply == NULL;
	for (const char *c = reply ? reply : ""; *c; c++)
		assert_true(*c >= 0x20 && *c <= 0x7e);
	assert_true(sent[0] == '\0' || sent[0] == 'R' || sent[0] == 'G');
}

/* Questions only, whatever comes back. */
static void
test_probe(void **state)
{
	struct fake f;
	struct printer *p = fake_open(&f);
	unsigned n[2] = {0};
	struct err e = {0};

	(void)state;
	f.rules[0] = (struct rule){.command = "Rck", .trick = MUTE, .times = 1};
	f.rules[1] = (struct rule){.command = "Rem", .text = "2;\x1b[0m"};
	assert_int_equal(printer_evolis.probe(p, answers_count, n, &e), 0);
	assert_true(n[0] > 30);
	assert_int_equal(n[1], 1);
	for (const char *c = f.log; *c; c = strchr(c, ' ') + 1)
		assert_int_equal(*c, 'R');
	f.unplugged = true;
	assert_int_equal(printer_evolis.probe(p, answers_count, n, &e), ERR_DEVICE);
	printer_evolis.close(p);
}

static void
test_supplies(void **state)
{
	struct fake f = {0};
	struct printer *p = fake_open_as(&f, "Primacy", true);
	struct printer_status st;
	struct err e = {0};

	(void)state;
	f.rules[0] = (struct rule){.command = "Rrt;qty", .text = "300"};
	f.rules[1] = (struct rule){.command = "Rco;p", .text = "9000"};
	f.rules[2] = (struct rule){.command = "Rkn", .text = "272012345"};
	assert_int_equal(printer_evolis.status(p, &st, &e), 0);
	assert_int_equal(st.n_supplies, 3);
	assert_int_equal(st.supply[0].kind, SUPPLY_RIBBON);
	assert_int_equal(st.supply[0].level, 87);
	assert_int_equal(st.supply[0].capacity, 300);
	assert_int_equal(st.supply[1].level, 400);
	assert_string_equal(st.supply[2].name, "272012345");
	assert_int_equal(st.supply[2].level, -1);
	assert_int_equal(st.n_counters, 1);
	assert_string_equal(st.counter[0].name, "panels");
	assert_int_equal(st.counter[0].value, 9000);
	f.log[0] = '\0';
	assert_int_equal(printer_evolis.status(p, &st, &e), 0);
	assert_null(strstr(f.log, "Rco;p")); /* the slow ones once */
	assert_int_equal(st.n_counters, 1);
	printer_evolis.close(p);
}

/* ---- every command has a row ---------------------------------------------------------------- */

static unsigned used[128];

/* "Pc;<panel>;=;<n>" matches Pc;y;=;10: part by part, <...> anything. Rows of planes end in their
 * binary part. */
static bool
row_matches(const char *row, const char *text, size_t len)
{
	const char *end = text + len;

	for (;;) {
		size_t want = strcspn(row, ";"), have = 0;
		bool last = row[want] == '\0';
		while (text + have < end && text[have] != ';')
			have++;
		if (last && (strcmp(row, "<dots>") == 0 || strcmp(row, "<runs>") == 0))
			return true;
		if (row[0] != '<' && (want != have || memcmp(row, text, want) != 0))
			return false;
		row += want;
		text += have;
		if (last || text == end)
			return last && text == end;
		row++;
		text++;
	}
}

static void
command_heard(const char *bytes, size_t len)
{
	bool tag = bytes[0] == '<';
	const char *text = tag ? bytes : bytes + 1;
	size_t n = 0;

	if (!tag && bytes[0] != 033)
		return;
	/* The parts before the dots suffice; a plane's own bytes may hold anything. */
	while (n + 1 < len && n < 60 && text[n] != '\r' &&
		!(text[0] == 'D' && text[1] == 'b' && n > 4 && (uint8_t)text[n] > 0x7e))
		n++;
	for (size_t i = 0; printer_evolis.commands[i].name; i++) {
		const char *row = printer_evolis.commands[i].name;
		if (tag ? strcmp(row, "<tags>") == 0 : row[0] != '<' && row_matches(row, text, n)) {
			used[i]++;
			return;
		}
	}
	print_error("no row for: %.*s\n", (int)n, text);
	fail();
}

static void
verbs_run(const struct printer_model *m, const struct ribbon *ribbon, const char *setting)
{
	static const char track[MAGNETIC_TRACKS][MAGNETIC_TRACK_MAX + 1] = {"A", "1", "2"};
	static const char *const values[] = {"yes"};
	struct printer_override set = {setting, values[0]};
	struct print_job job = {.ribbon = ribbon,
		.duplex = m->duplex && ribbon->back[0],
		.speed = m->speeds ? 10 : 0,
		.coercivity = m->coercivity ? 'l' : '\0'};
	struct face faces[SIDE_COUNT] = {0};
	struct printer_status st;
	struct fake f;
	struct err e = {0};
	unsigned n[2];

	fake_init(&f);
	f.heard = command_heard;
	f.base.overrides = &set;
	f.base.n_overrides = setting ? 1 : 0;
	struct printer *p = fake_open_as(&f, m->mdl, ((const struct dialect *)m->family)->numbered);
	f.rules[0] = (struct rule){.command = "Rr", .text = "ERROR CDE"};
	f.rules[1] = (struct rule){.command = "Pcim", .text = "ERROR CDE"};
	f.rules[2] = (struct rule){.command = "Rrt;count", .text = "ERROR CDE"};
	assert_int_equal(printer_evolis.begin(p, &job, &e), 0);
	if (ribbon->front[0] == 'Y')
		half_faces(faces, 100, 200);
	assert_int_equal(plane_create(&faces[0].plane[PANEL_K], 1, 648, 1016, &e), 0);
	if (job.duplex)
		faces[1].plane[PANEL_K].fill = PLANE_FULL;
	assert_int_equal(printer_evolis.load(p, faces, &e), 0);
	face_done(&faces[0]);
	if (m->magnetic)
		assert_int_equal(printer_evolis.tracks(p, track, &e), 0);
	for (int place = PLACE_PRINT; place <= PLACE_CONTACTLESS; place++)
		printer_evolis.feed(p, place, &e);
	f.port = 0x10;
	printer_evolis.status(p, &st, &e);
	f.port = 0x18;
	if (printer_evolis.print(p, &e) != 0)
		print_error("%s: %s\n", m->name, e.text);
	assert_int_equal(p->place, PLACE_NONE);
	printer_evolis.feed(p, PLACE_PRINT, &e);
	printer_evolis.eject(p, EXIT_REJECT, &e);
	printer_evolis.service(p, SERVICE_CLEAN, &e);
	printer_evolis.service(p, SERVICE_TEST_CARD, &e);
	printer_evolis.probe(p, answers_count, n, &e);
	assert_int_equal(printer_evolis.end(p, &e), 0);
	printer_evolis.close(p);
}

static bool
fits(const struct printer_model *m, const char *ribbon)
{
	size_t n = strlen(ribbon);

	for (const char *at = m->ribbons; *at; at += strcspn(at, " "), at += strspn(at, " "))
		if (strcspn(at, " ") == n && strncmp(at, ribbon, n) == 0)
			return true;
	return false;
}

static void
test_every_command_has_a_row(void **state)
{
	const struct ribbon *ribbons_tried[] = {&colour, &half, &black};

	(void)state;
	for (size_t i = 0; i < printer_evolis.n_models; i++)
		for (size_t r = 0; r < ARRAY_LEN(ribbons_tried); r++) {
			const struct printer_model *m = &printer_evolis.models[i];
			bool numbered = ((const struct dialect *)m->family)->numbered;
			if (!fits(m, ribbons_tried[r]->name))
				continue;
			verbs_run(m, ribbons_tried[r], NULL);
			verbs_run(m, ribbons_tried[r], numbered ? "job-tags" : "turn-front");
		}
	for (size_t i = 0; printer_evolis.commands[i].name; i++) {
		if (!used[i])
			print_error("never sent: %s\n", printer_evolis.commands[i].name);
		assert_true(used[i] > 0);
	}
}

/* What the guide's overview denies a model is never sent to it. */
static void
test_lacking(void **state)
{
	struct fake f = {0};
	struct printer *p = fake_open_as(&f, "Tattoo", false);
	struct print_job job = {.ribbon = &black};
	struct face faces[SIDE_COUNT] = {0};
	struct printer_status st;
	struct err e = {0};

	(void)state;
	assert_int_equal(plane_create(&faces[0].plane[PANEL_K], 1, 648, 1016, &e), 0);
	assert_int_equal(printer_evolis.begin(p, &job, &e), 0);
	assert_int_equal(printer_evolis.load(p, faces, &e), 0);
	face_done(&faces[0]);
	assert_int_equal(printer_evolis.feed(p, PLACE_CONTACTLESS, &e), ERR_USAGE);
	f.rules[0] = (struct rule){.command = "Rr", .text = "k"};
	assert_int_equal(printer_evolis.feed(p, PLACE_PRINT, &e), 0);
	assert_int_equal(printer_evolis.print(p, &e), 0);
	assert_int_equal(printer_evolis.status(p, &st, &e), 0);
	assert_null(strstr(f.log, "Sr "));
	assert_null(strstr(f.log, "Rcr"));
	assert_null(strstr(f.log, "Sic"));
	assert_non_null(strstr(f.log, "Ss Dbc;k;2; Se "));
	printer_evolis.close(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_service),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_supplies),
		cmocka_unit_test(test_every_command_has_a_row),
		cmocka_unit_test(test_lacking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
