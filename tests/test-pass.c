/*
 * test-pass.c - the pass against a machine of memory: what it makes, what it answers to each fault.
 *
 * What is checked in the end is the machine's own count of physical cards.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/pass-job.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
cards_are_made(void **state)
{
	struct err e;

	for (int chip = 0; chip < 2; chip++) {
		ledger_fresh(state);
		assert_int_equal(job_run("job-good", 3, chip, &e), PASS_OK);
		all_adds_up(3, chip, 0);
		assert_int_equal(m.fed, 3);
		assert_int_equal(pages, 3);
		assert_int_equal(failures_of().n, 0);
	}
}

static void
done_cards_are_skipped(void **state)
{
	struct err e;
	unsigned acts;

	(void)state;
	assert_int_equal(job_run("job-again", 3, true, &e), PASS_OK);
	acts = m.acts;
	assert_int_equal(job_run("job-again", 3, true, &e), PASS_OK);
	assert_int_equal(m.acts, acts);
	assert_int_equal(pages, 3);
}

/* fed: cards the job takes for two good ones. Every fault leaves one failure record, closed in the
 * end. */
/* clang-format off */
static const struct fault_case {
	const char *what;
	struct inject inject;
	unsigned fed, rejected, spoiled;
	const char *step;
	unsigned records;
} fault_cases[] = {
	{"hopper empty at feed", {AT_FEED, 2, FAULT_HOPPER_EMPTY, NOTHING}, 2, 0, 0, "feed", 1},
	{"hopper empty before feed", {AT_STATUS, 1, FAULT_HOPPER_EMPTY, NOTHING}, 2, 0, 0, "feed", 1},
	{"cover open at feed", {AT_FEED, 1, FAULT_COVER_OPEN, NOTHING}, 2, 0, 0, "feed", 1},
	{"wrong ribbon", {AT_BEGIN, 1, FAULT_RIBBON_WRONG, NOTHING}, 2, 0, 0, "feed", 1},
	{"jam at feed", {AT_FEED, 1, FAULT_JAM_FEED, STUCK}, 3, 0, 1, "feed", 1},
	{"feed unanswered, nothing fed", {AT_FEED, 1, FAULT_NO_REPLY, NOTHING}, 2, 0, 0, "feed", 1},
	{"feed unanswered, card inside", {AT_FEED, 1, FAULT_NO_REPLY, COMPLETE}, 2, 0, 0, "feed", 1},
	{"feed garbled", {AT_FEED, 2, FAULT_GARBLED_REPLY, COMPLETE}, 2, 0, 0, "feed", 1},
	{"no chip", {AT_SELECT, 1, FAULT_NO_CHIP, NOTHING}, 3, 1, 0, "encode", 1},
	{"wrong chip", {AT_SELECT, 1, FAULT_CHIP_TYPE, NOTHING}, 3, 1, 0, "encode", 1},
	{"two chips", {AT_SELECT, 1, FAULT_CHIP_TWO, NOTHING}, 3, 1, 0, "encode", 1},
	{"reader gone at select", {AT_SELECT, 1, FAULT_READER_GONE, NOTHING}, 2, 0, 0, "encode", 1},
	{"used chip", {AT_ENCODE, 1, FAULT_CHIP_USED, NOTHING}, 3, 1, 0, "encode", 1},
	{"chip removed", {AT_ENCODE, 1, FAULT_CHIP_REMOVED, NOTHING}, 3, 1, 0, "encode", 1},
	{"write lost", {AT_ENCODE, 2, FAULT_CHIP_WRITE, NOTHING}, 3, 1, 0, "encode", 1},
	{"verify mismatch", {AT_ENCODE, 1, FAULT_CHIP_VERIFY, NOTHING}, 3, 1, 0, "encode", 1},
	{"trailer torn", {AT_ENCODE, 1, FAULT_CHIP_TRAILER, NOTHING}, 3, 1, 0, "encode", 1},
	{"reader gone in the write", {AT_ENCODE, 1, FAULT_READER_GONE, NOTHING}, 2, 0, 0, "encode", 1},
	{"reader gone after the write", {AT_ENCODE, 1, FAULT_READER_GONE, COMPLETE}, 2, 0, 0, "encode", 1},
	{"jam at the station", {AT_ENCODE, 1, FAULT_JAM_STATION, STUCK}, 3, 0, 1, "encode", 1},
	{"ribbon end at load", {AT_LOAD, 1, FAULT_RIBBON_END, NOTHING}, 2, 0, 0, "print", 1},
	{"load unanswered", {AT_LOAD, 1, FAULT_NO_REPLY, NOTHING}, 2, 0, 0, "print", 1},
	{"stall at load", {AT_LOAD, 2, FAULT_STALL, NOTHING}, 2, 0, 0, "print", 1},
	{"chip gone before print", {AT_SELECT, 2, FAULT_NO_CHIP, NOTHING}, 3, 1, 0, "print", 1},
	{"print refused, not moved", {AT_PRINT, 1, FAULT_COVER_OPEN, NOTHING}, 2, 0, 0, "print", 1},
	{"ribbon end while printing", {AT_PRINT, 1, FAULT_CARD_MARKED, NOTHING}, 3, 1, 0, "print", 1},
	{"jam while printing", {AT_PRINT, 1, FAULT_JAM_PRINT, STUCK}, 3, 0, 1, "print", 1},
	{"jam while flipping", {AT_PRINT, 1, FAULT_JAM_FLIP, STUCK}, 3, 0, 1, "print", 1},
	{"jam while ejecting", {AT_PRINT, 2, FAULT_JAM_EJECT, STUCK}, 3, 0, 1, "print", 1},
	{"print unanswered, done", {AT_PRINT, 1, FAULT_NO_REPLY, COMPLETE}, 2, 0, 0, "print", 1},
	{"print unplugged, done", {AT_PRINT, 2, FAULT_UNPLUGGED, COMPLETE}, 2, 0, 0, "print", 1},
	{"print unanswered, not begun", {AT_PRINT, 1, FAULT_NO_REPLY, NOTHING}, 2, 0, 0, "print", 1},
};
/* clang-format on */

static void
faults_are_answered(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(fault_cases); i++) {
		const struct fault_case *c = &fault_cases[i];
		struct failures f;
		struct err e;

		ledger_fresh(state);
		m.inject = c->inject;
		if (getenv("PASS_TALK"))
			print_message("%s\n", c->what);
		if (job_run("job-fault", 2, true, &e) != PASS_OK)
			fail_msg("%s: %s", c->what, e.text);
		all_adds_up(2, true, 0);
		f = failures_of();
		if (m.fed != c->fed || machine_count(true).reject != c->rejected ||
			machine_count(true).hand != c->spoiled || f.n != c->records ||
			f.open != 0 || strcmp(f.step, c->step) != 0)
			fail_msg(
				"%s: fed %u, rejected %u, spoiled %u, records %u, open %u, step %s",
				c->what, m.fed, machine_count(true).reject,
				machine_count(true).hand, f.n, f.open, f.step);
		assert_string_equal(f.who, "ann");
		for (int r = 1; r < FAULT_COUNT; r++)
			assert_int_equal(reasons[r], 0);
	}
}

static void
bad_chips_have_a_limit(void **state)
{
	struct err e;

	(void)state;
	m.all_bad = true;
	assert_int_equal(job_run("job-bad", 2, true, &e), PASS_HOLD);
	assert_non_null(strstr(e.text, "Card 1"));
	assert_int_equal(m.fed, 3);
	assert_int_equal(ledger_count().rejected, 3);
	assert_int_equal(failures_of().n, 3);
	/* The person put in better cards and released the job. */
	m.all_bad = false;
	assert_int_equal(job_run("job-bad", 2, true, &e), PASS_OK);
	all_adds_up(2, true, 0);
}

static void
issued_chip_is_refused(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(job_run("job-first", 1, true, &e), PASS_OK);
	m.uid_next = m.cards[0].uid;
	assert_int_equal(job_run("job-second", 1, true, &e), PASS_OK);
	assert_int_equal(ledger_count().rejected, 1);
	assert_int_equal(m.cards[1].partial, 0);
	assert_string_equal(failures_of().code, "uid-issued");
}

static void
desk_event(const char *verb, const char *phase)
{
	struct ledger *l;
	struct err e;
	json_t *data = json_pack("{s:s, s:s, s:s, s:s}", "verb", verb, "phase", phase, "chip",
		"mf1", "number", "00000009");

	assert_int_equal(ledger_open(&l, ledger_file, LEDGER_WRITE, &e), 0);
	assert_int_equal(ledger_event(l, "chip-life", NULL, data, &e), 0);
	ledger_close(l);
	json_decref(data);
}

/* The desk's deeds on chip 9, in their order; then the pass meets it. */
static void
desk_decides_over_its_chips(void **state)
{
	static const struct {
		const char *deed[4][2];
		unsigned rejected;
	} cases[] = {
		{{{"init", "begun"}, {"init", "done"}}, 0},
		{{{"personalise", "begun"}, {"personalise", "failed"}}, 0},
		{{{"init", "done"}, {"personalise", "done"}}, 1},
		{{{"personalise", "done"}, {"personalise", "failed"}, {"void", "failed"}}, 1},
		{{{"personalise", "done"}, {"init", "done"}}, 1}, /* of a blank twin */
		{{{"personalise", "done"}, {"void", "done"}}, 0},
		{{{"personalise", "done"}, {"void", "done"}, {"personalise", "done"}}, 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e;

		ledger_fresh(state);
		for (size_t n = 0; n < 4 && cases[i].deed[n][0]; n++)
			desk_event(cases[i].deed[n][0], cases[i].deed[n][1]);
		m.uid_next = 9;
		assert_int_equal(job_run("job-desk", 1, true, &e), PASS_OK);
		assert_int_equal(ledger_count().rejected, cases[i].rejected);
		assert_int_equal(m.cards[0].partial == 0, cases[i].rejected);
		assert_string_equal(failures_of().code, cases[i].rejected ? "uid-issued" : "");
	}
}

static void
swapped_card_is_doubt(void **state)
{
	struct err e;

	(void)state;
	m.swap_at_load = true;
	assert_int_equal(job_run("job-swap", 1, true, &e), PASS_HOLD);
	assert_int_equal(ledger_count().doubt, 1);
	assert_int_equal(m.calls[AT_PRINT], 0);
}

static void
print_without_proof_is_doubt(void **state)
{
	struct err e;
	unsigned acts;

	(void)state;
	m.inject = (struct inject){AT_PRINT, 1, FAULT_NO_REPLY, NOTHING};
	m.eats = true;
	assert_int_equal(job_run("job-doubt", 2, true, &e), PASS_HOLD);
	assert_non_null(strstr(e.text, "Card 1"));
	assert_non_null(strstr(e.text, "cardspool card resolve"));
	assert_int_equal(ledger_count().doubt, 1);
	acts = m.acts;
	m.eats = false;
	assert_int_equal(job_run("job-doubt", 2, true, &e), PASS_HOLD);
	assert_int_equal(m.acts, acts);
	assert_int_equal(failures_of().open, 1);
}

static void
no_counter_is_doubt(void **state)
{
	struct err e;

	(void)state;
	m.no_counter = true;
	m.inject = (struct inject){AT_PRINT, 1, FAULT_NO_REPLY, COMPLETE};
	assert_int_equal(job_run("job-blind", 1, true, &e), PASS_HOLD);
	assert_int_equal(ledger_count().doubt, 1);
}

static void
unplugged_and_plugged_goes_on(void **state)
{
	struct err e;

	(void)state;
	the_printer.gone = true;
	m.reader_away = 2;
	assert_int_equal(job_run("job-plug", 2, true, &e), PASS_OK);
	all_adds_up(2, true, 0);
}

static int
reopen_fails(struct pass *p, struct err *e)
{
	return fault_set(e, p->card_fed ? FAULT_GARBLED_REPLY : FAULT_PRINTER_ABSENT, NULL);
}

/* A printer that is there and talks nonsense is not said to be unplugged. */
static void
closed_printer_says_why(void **state)
{
	struct pass p = {.reopen_printer = reopen_fails};
	struct printer_status st;
	struct err e = {0};

	(void)state;
	assert_int_not_equal(pass_reopen(&p), 0);
	assert_int_not_equal(pass_status(&p, &st, &e), 0);
	assert_int_equal(e.fault, FAULT_UNPLUGGED);
	p.card_fed = true;
	assert_int_not_equal(pass_reopen(&p), 0);
	assert_int_not_equal(pass_status(&p, &st, &e), 0);
	assert_int_equal(e.fault, FAULT_GARBLED_REPLY);
}

static void
foreign_card_is_rejected(void **state)
{
	struct err e;

	(void)state;
	card_take(PLACE_PRINT);
	assert_int_equal(job_run("job-foreign", 1, true, &e), PASS_OK);
	all_adds_up(1, true, 1);
	assert_string_equal(failures_of().code, "foreign-card");
}

static int
visit_open(void *ctx, const struct failure_row *f)
{
	*(unsigned *)ctx += f->cleared == 0;
	return 0;
}

static void
foreign_card_that_jams_leaves_nothing_open(void **state)
{
	struct err e;
	unsigned open = 0;

	(void)state;
	card_take(PLACE_PRINT);
	m.inject = (struct inject){AT_REJECT, 1, FAULT_JAM_REJECT, STUCK};
	assert_int_equal(job_run("job-foreign-jam", 1, true, &e), PASS_OK);
	assert_int_equal(m.fed, 2);
	assert_int_equal(m.cards[0].where, IN_HAND);
	assert_int_equal(m.cards[1].where, IN_OUTPUT);
	assert_int_equal(failure_list(ledger, NULL, visit_open, &open, &e), 0);
	assert_int_equal(open, 0);
}

static void
missing_keys_feed_nothing(void **state)
{
	struct pass p = {.driver = &memory_driver,
		.printer = &the_printer,
		.station = &the_station,
		.sink = &test_sink,
		.reopen_printer = fake_reopen_printer,
		.reopen_station = fake_reopen_station};
	struct stream_card card;
	struct err e = {0};
	bool again;

	(void)state;
	assert_int_equal(ledger_open(&ledger, ledger_file, LEDGER_WRITE, &e), 0);
	p.ledger = ledger;
	snprintf(p.job.uuid, sizeof(p.job.uuid), "job-keys");
	assert_int_equal(ledger_job_admit(ledger, &p.job, &again, &e), 0);
	card_fill(&card, 1, true);
	assert_int_equal(pass_card(&p, &card, &e), PASS_STOP);
	assert_int_equal(e.fault, FAULT_KEYS);
	assert_int_equal(m.fed, 0);
}

static void
waiting_can_be_cancelled(void **state)
{
	struct err e;
	struct tally t;

	(void)state;
	m.inject = (struct inject){AT_FEED, 1, FAULT_HOPPER_EMPTY, NOTHING};
	m.person_after = 1000000;
	signal_at = 30;
	assert_int_equal(job_run("job-wait", 2, true, &e), PASS_CANCEL);
	assert_int_equal(ledger_tally(ledger, "job-wait", &t, &e), 0);
	assert_int_equal(t.cancelled, 1);
	assert_int_equal(m.fed, 0);
}

static void
steps_are_legal_moves(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_pass_steps; i++) {
		const struct pass_step *s = &pass_steps[i];

		assert_int_equal(card_states[s->intent].intent, s->act);
		assert_true(card_transition_legal(s->intent, s->outcome));
		if (s->from != CARD_STATE_COUNT && s->from != s->intent)
			assert_true(card_transition_legal(s->from, s->intent));
	}
}

/* Every sight of every state has an answer, it is a legal move, and only proof makes a card good.
 */
static void
every_sight_has_an_answer(void **state)
{
	(void)state;
	for (int s = CARD_FEEDING; s <= CARD_REJECTING; s++) {
		if (card_states[s].final)
			continue;
		for (unsigned sight = 0; sight < 4 * 3 * 4; sight++) {
			unsigned place = 1u << (sight & 3), chip = 1u << (sight >> 2 & 3);
			unsigned count = 1u << (sight >> 4);
			enum card_state to =
				settle_find((enum card_state)s, place, count, chip)->to;

			assert_true(to == (enum card_state)s ||
				    card_transition_legal((enum card_state)s, to));
			if (to == CARD_DONE)
				assert_true(s == CARD_PRINTING && place == SEEN_GONE &&
					    count == COUNT_ONE);
			if (s == CARD_PRINTING)
				assert_true(to != CARD_QUEUED && to != CARD_PRINTING);
			if (place == SEEN_NOWHERE)
				assert_int_equal(to, CARD_DOUBT);
		}
	}
}

/* doc/PASS.md shows every row of the tables that the code walks. */
static void
the_page_shows_every_row(void **state)
{
	const char *srcdir = getenv("srcdir");
	char path[4096], row[256];
	struct buf page;
	struct err e;

	(void)state;
	if (!srcdir)
		skip();
	snprintf(path, sizeof(path), "%s/doc/PASS.md", srcdir);
	buf_init(&page, 1 << 20);
	assert_int_equal(file_read(&page, path, 1 << 20, &e), 0);
	assert_int_equal(buf_append(&page, "", 1, &e), 0);
	for (size_t i = 0; i < n_settle_rows; i++) {
		const struct settle_row *r = &settle_rows[i];
		const char *at = (const char *)page.data;
		bool shown = false;

		snprintf(row, sizeof(row), "| %s |", card_states[r->state].name);
		while (!shown && (at = strstr(at, row)) != NULL) {
			const char *end = strchr(at, '\n');
			const char *why = strstr(at, r->why),
				   *to = strstr(at, card_states[r->to].name);

			shown = end && why && why < end && to && to < end;
			at++;
		}
		if (!shown)
			fail_msg("doc/PASS.md lacks: %s: %s", row, r->why);
	}
	for (size_t i = 0; i < n_pass_steps; i++) {
		const struct pass_step *p = &pass_steps[i];

		snprintf(row, sizeof(row), "| %s | %s | %s |", act_names[p->act],
			card_states[p->intent].name, card_states[p->outcome].name);
		if (!strstr((const char *)page.data, row))
			fail_msg("doc/PASS.md lacks: %s", row);
	}
	buf_done(&page);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(cards_are_made, ledger_fresh),
		cmocka_unit_test_setup(done_cards_are_skipped, ledger_fresh),
		cmocka_unit_test_setup(faults_are_answered, ledger_fresh),
		cmocka_unit_test_setup(bad_chips_have_a_limit, ledger_fresh),
		cmocka_unit_test_setup(desk_decides_over_its_chips, ledger_fresh),
		cmocka_unit_test_setup(issued_chip_is_refused, ledger_fresh),
		cmocka_unit_test_setup(swapped_card_is_doubt, ledger_fresh),
		cmocka_unit_test_setup(print_without_proof_is_doubt, ledger_fresh),
		cmocka_unit_test_setup(no_counter_is_doubt, ledger_fresh),
		cmocka_unit_test_setup(unplugged_and_plugged_goes_on, ledger_fresh),
		cmocka_unit_test(closed_printer_says_why),
		cmocka_unit_test_setup(foreign_card_is_rejected, ledger_fresh),
		cmocka_unit_test_setup(foreign_card_that_jams_leaves_nothing_open, ledger_fresh),
		cmocka_unit_test_setup(missing_keys_feed_nothing, ledger_fresh),
		cmocka_unit_test_setup(waiting_can_be_cancelled, ledger_fresh),
		cmocka_unit_test(steps_are_legal_moves),
		cmocka_unit_test(every_sight_has_an_answer),
		cmocka_unit_test(the_page_shows_every_row),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	ledger_fresh(NULL);
	return rc;
}
