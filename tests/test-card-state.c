/*
 * test-card-state.c - what must hold of the tables of states and moves, whatever rows they get.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void
states_are_complete(void **state)
{
	(void)state;
	for (int i = 0; i < CARD_STATE_COUNT; i++) {
		const struct card_state_row *row = &card_states[i];

		assert_int_equal(row->state, i);
		assert_int_equal(card_state_parse(row->name), i);
		assert_true(strlen(row->means) > 5 && strlen(row->guarantee) > 20);
	}
	assert_int_equal(card_state_parse("printed"), -1);
	assert_int_equal(card_state_parse(""), -1);
}

static void
acts_have_one_intent_each(void **state)
{
	unsigned n[ACT_COUNT] = {0};

	(void)state;
	for (int i = 0; i < CARD_STATE_COUNT; i++)
		n[card_states[i].intent]++;
	for (int act = ACT_NONE + 1; act < ACT_COUNT; act++)
		assert_int_equal(n[act], 1);
}

/* An intent may end in doubt, and in something that is no doubt. */
static void
intents_have_outcomes(void **state)
{
	(void)state;
	for (int i = 0; i < CARD_STATE_COUNT; i++) {
		bool known = false;

		if (card_states[i].intent == ACT_NONE)
			continue;
		assert_true(card_transition_legal((enum card_state)i, CARD_DOUBT));
		for (int to = 0; to < CARD_STATE_COUNT; to++)
			known |= to != CARD_DOUBT && to != i &&
				 card_transition_legal((enum card_state)i, (enum card_state)to);
		assert_true(known);
	}
}

static void
only_unfed_cards_are_waiting_or_cancelled(void **state)
{
	(void)state;
	for (int i = 0; i < CARD_STATE_COUNT; i++)
		assert_int_equal(card_states[i].fed, i != CARD_QUEUED && i != CARD_CANCELLED);
}

/* A card that was fed leaves the count of fed cards only where it was seen that none was used. */
static void
fed_cards_are_not_forgotten(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_card_transitions; i++) {
		const struct card_transition *t = &card_transitions[i];

		if (card_states[t->from].fed && !card_states[t->to].fed) {
			assert_true(t->from == CARD_FEEDING || t->from == CARD_DOUBT);
			assert_int_equal(t->to, CARD_QUEUED);
		}
		assert_true(strlen(t->why) > 10);
		for (size_t j = 0; j < i; j++)
			assert_false(t->from == card_transitions[j].from &&
				     t->to == card_transitions[j].to);
	}
}

/* No act follows doubt: something must have been observed or said in between. Reject harms nobody.
 */
static void
doubt_never_leads_into_an_act(void **state)
{
	(void)state;
	assert_false(card_transition_legal(CARD_DOUBT, CARD_FEEDING));
	assert_false(card_transition_legal(CARD_DOUBT, CARD_ENCODING));
	assert_false(card_transition_legal(CARD_DOUBT, CARD_PRINTING));
	assert_false(card_transition_legal(CARD_PRINTING, CARD_PRINTING));
	assert_false(card_transition_legal(CARD_FEEDING, CARD_FEEDING));
	assert_false(card_transition_legal(CARD_PRINTING, CARD_QUEUED));
	assert_false(card_transition_legal(CARD_PRINTING, CARD_FEEDING));
}

/* What is over is over: only a person's void, and a job that is started again. */
static void
final_states_stay(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_card_transitions; i++) {
		const struct card_transition *t = &card_transitions[i];

		if (card_states[t->from].final)
			assert_true((t->from == CARD_DONE && t->to == CARD_VOID) ||
				    (t->from == CARD_CANCELLED && t->to == CARD_QUEUED));
	}
}

static void
every_state_is_reached(void **state)
{
	bool reached[CARD_STATE_COUNT] = {[CARD_QUEUED] = true};

	(void)state;
	for (int round = 0; round < CARD_STATE_COUNT; round++)
		for (size_t i = 0; i < n_card_transitions; i++)
			reached[card_transitions[i].to] |= reached[card_transitions[i].from];
	for (int i = 0; i < CARD_STATE_COUNT; i++)
		assert_true(reached[i]);
}

/* doc/LEDGER.md shows the same rows as the tables. */
static void
the_page_says_the_same(void **state)
{
	static const char *const acts[ACT_COUNT] = {"", "feed", "encode", "print", "reject"};
	const char *top = getenv("srcdir");
	char path[4096], line[1024];
	struct buf page;
	struct err e;

	(void)state;
	buf_init(&page, 1 << 20);
	snprintf(path, sizeof path, "%s/doc/LEDGER.md", top ? top : ".");
	if (!top && file_read(&page, path, 1 << 20, &e) != 0)
		skip();
	if (top)
		assert_int_equal(file_read(&page, path, 1 << 20, &e), 0);
	assert_int_equal(buf_append(&page, "", 1, &e), 0);
	for (int i = 0; i < CARD_STATE_COUNT; i++) {
		const struct card_state_row *r = &card_states[i];

		snprintf(line, sizeof line, "| `%s` | %s | %s | %s | %s |\n", r->name,
			acts[r->intent], r->fed ? "yes" : "no", r->means, r->guarantee);
		if (!strstr((char *)page.data, line))
			print_error("missing: %s", line);
		assert_non_null(strstr((char *)page.data, line));
	}
	for (size_t i = 0; i < n_card_transitions; i++) {
		const struct card_transition *t = &card_transitions[i];

		snprintf(line, sizeof line, "| `%s` | `%s` | %s |\n", card_states[t->from].name,
			card_states[t->to].name, t->why);
		if (!strstr((char *)page.data, line))
			print_error("missing: %s", line);
		assert_non_null(strstr((char *)page.data, line));
	}
	buf_done(&page);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_are_complete),
		cmocka_unit_test(acts_have_one_intent_each),
		cmocka_unit_test(intents_have_outcomes),
		cmocka_unit_test(only_unfed_cards_are_waiting_or_cancelled),
		cmocka_unit_test(fed_cards_are_not_forgotten),
		cmocka_unit_test(doubt_never_leads_into_an_act),
		cmocka_unit_test(final_states_stay),
		cmocka_unit_test(every_state_is_reached),
		cmocka_unit_test(the_page_says_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
