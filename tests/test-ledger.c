/*
 * test-ledger.c - jobs and cards in the ledger: known once, moved only as the table says, counted
 * always.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "ledger-tool.h"

#include <inttypes.h>

/* ---- jobs ---- */

static void
a_job_is_known_once(void **state)
{
	struct job_row again_job = {
		.uuid = JOB_A, .batch_hash = "h1", .printer = "other", .user = "wang"};
	struct bench b;
	bool again = false;

	(void)state;
	bench_open(&b);
	struct job_row job = bench_job(&b, JOB_A, "h1");
	assert_int_equal(job.id, 1);
	assert_string_equal(job.state, "active");
	assert_true(job.started > 0);
	assert_int_equal(ledger_job_state(b.ledger, JOB_A, "held", &b.e), 0);
	bench_reopen(&b);
	assert_int_equal(ledger_job_admit(b.ledger, &again_job, &again, &b.e), 0);
	assert_true(again);
	assert_int_equal(again_job.id, 1);
	assert_string_equal(again_job.state, "active");
	assert_string_equal(again_job.printer, "other");
	assert_string_equal(again_job.order, "DEMO-1");
	assert_int_equal(again_job.started, job.started);
	snprintf(again_job.batch_hash, sizeof again_job.batch_hash, "h2");
	assert_int_equal(ledger_job_admit(b.ledger, &again_job, &again, &b.e), ERR_INPUT);
	assert_int_equal(ledger_job_state(b.ledger, JOB_A, "finished", &b.e), ERR_INTERNAL);
	assert_int_equal(ledger_job_state(b.ledger, "urn:uuid:none", "done", &b.e), ERR_MISSING);
	again_job.uuid[0] = '\0';
	assert_int_equal(ledger_job_admit(b.ledger, &again_job, &again, &b.e), ERR_INTERNAL);
	bench_verify_clean(&b);
	bench_close(&b);
}

/* Columns: what became of the first job, and whether the second one repeats it. */
static void
the_same_batch_is_noticed(void **state)
{
	static const struct {
		const char *first_hash, *first_state, *second_hash;
		bool fed, repeats;
	} cases[] = {
		{"h1", "done", "h1", true, true},
		{"h1", "held", "h1", false, true},
		{"h1", "cancelled", "h1", true, true},
		{"h1", "cancelled", "h1", false, false},
		{"h1", "done", "h2", true, false},
		{"", "done", "", true, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bench b;

		bench_open(&b);
		bench_job(&b, JOB_A, cases[i].first_hash);
		struct card_row card = bench_card(&b, JOB_A, 1, 1);
		bench_move(&b, &card, cases[i].fed ? CARD_FEEDING : CARD_CANCELLED);
		assert_int_equal(ledger_job_state(b.ledger, JOB_A, cases[i].first_state, &b.e), 0);
		struct job_row second = bench_job(&b, JOB_B, cases[i].second_hash);
		assert_string_equal(second.repeats, cases[i].repeats ? JOB_A : "");
		bench_close(&b);
	}
}

static int
count_job(void *ctx, const struct job_row *job)
{
	(void)job;
	++*(int *)ctx;
	return 0;
}

static void
jobs_are_found_by_number_and_uuid(void **state)
{
	static const struct {
		const char *want;
		int n;
	} cases[] = {{NULL, 2}, {JOB_A, 1}, {"aaaaaaaa-0000-4000-8000-000000000001", 1}, {"12", 2},
		{"13", 0}, {"12x", 0}, {"-1", 0}, {"' OR 1=1 --", 0}};
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_job(&b, JOB_A, "h1");
	bench_job(&b, JOB_B, "h2");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int n = 0;

		assert_int_equal(ledger_jobs(b.ledger, cases[i].want, count_job, &n, &b.e), 0);
		assert_int_equal(n, cases[i].n);
	}
	bench_close(&b);
}

/* ---- cards ---- */

static void
a_card_is_admitted_once(void **state)
{
	struct card_row in = card_of(JOB_A, 1, 1), out;
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_job(&b, JOB_A, "h1");
	struct card_row row = bench_card(&b, JOB_A, 1, 1);
	assert_int_equal(row.state, CARD_QUEUED);
	assert_int_equal(row.attempt, 1);
	assert_string_equal(row.name_masked, "王*");
	bench_move(&b, &row, CARD_FEEDING);
	bench_reopen(&b);
	assert_int_equal(ledger_card_admit(b.ledger, &in, &out, &b.e), 0);
	assert_int_equal(out.id, row.id);
	assert_int_equal(out.state, CARD_FEEDING);
	snprintf(in.record_hash, sizeof in.record_hash, "other");
	assert_int_equal(ledger_card_admit(b.ledger, &in, &out, &b.e), ERR_INPUT);
	assert_int_not_equal(bench_card(&b, JOB_A, 1, 2).id, row.id);
	struct card_row stray = card_of(JOB_B, 1, 1);
	assert_int_equal(ledger_card_admit(b.ledger, &stray, &out, &b.e), ERR_INTERNAL);
	bench_verify_clean(&b);
	bench_close(&b);
}

static void
facts_are_kept(void **state)
{
	struct card_facts facts = {.uid = "04a1b2c3",
		.chip_hash = "ch",
		.front_hash = "fh",
		.back_hash = "bh",
		.printer_serial = "S0001",
		.cause = "head-hot",
		.set_counter = true,
		.counter_before = 4711};
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_job(&b, JOB_A, "h1");
	struct card_row row = bench_card(&b, JOB_A, 1, 1);
	bench_move(&b, &row, CARD_FEEDING);
	bench_move(&b, &row, CARD_AT_STATION);
	assert_int_equal(ledger_card_move(b.ledger, &row, CARD_ENCODING, &facts, &b.e), 0);
	bench_move(&b, &row, CARD_ENCODED);
	assert_int_equal(ledger_card_find(b.ledger, row.id, &row, &b.e), 0);
	assert_string_equal(row.uid, "04a1b2c3");
	assert_string_equal(row.chip_hash, "ch");
	assert_string_equal(row.front_hash, "fh");
	assert_string_equal(row.back_hash, "bh");
	assert_string_equal(row.printer_serial, "S0001");
	assert_string_equal(row.cause, "head-hot");
	assert_int_equal(row.counter_before, 4711);
	/* The chip of a card never changes. */
	facts.uid = "04ffffff";
	assert_int_equal(
		ledger_card_move(b.ledger, &row, CARD_PRINTING, &facts, &b.e), ERR_INTERNAL);
	assert_int_equal(ledger_card_find(b.ledger, row.id, &row, &b.e), 0);
	assert_int_equal(row.state, CARD_ENCODED);
	/* A card that goes back into the queue leaves its chip behind. */
	bench_move(&b, &row, CARD_DOUBT);
	bench_move(&b, &row, CARD_QUEUED);
	assert_string_equal(row.uid, "");
	assert_string_equal(row.printer_serial, "");
	assert_int_equal(row.counter_before, -1);
	bench_verify_clean(&b);
	bench_close(&b);
}

static void
a_move_is_compare_and_swap(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_job(&b, JOB_A, "h1");
	struct card_row mine = bench_card(&b, JOB_A, 1, 1), theirs = mine;
	bench_move(&b, &mine, CARD_FEEDING);
	assert_int_equal(ledger_card_move(b.ledger, &theirs, CARD_FEEDING, NULL, &b.e), ERR_BUSY);
	assert_int_equal(theirs.state, CARD_QUEUED);
	assert_non_null(strstr(b.e.text, "feeding"));
	theirs.id = 77;
	assert_int_equal(
		ledger_card_move(b.ledger, &theirs, CARD_FEEDING, NULL, &b.e), ERR_MISSING);
	bench_close(&b);
}

/* All pairs: in C, and inside the file by a forged event that is otherwise right. */
static void
illegal_moves_are_refused(void **state)
{
	char sql[512];
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_job(&b, JOB_A, "h1");
	struct card_row row = bench_card(&b, JOB_A, 1, 1);
	for (int from = 0; from < CARD_STATE_COUNT; from++)
		for (int to = 0; to < CARD_STATE_COUNT; to++) {
			struct card_row claim = row;

			claim.state = (enum card_state)from;
			if (card_transition_legal((enum card_state)from, (enum card_state)to))
				continue;
			assert_int_equal(
				ledger_card_move(b.ledger, &claim, (enum card_state)to, NULL, &b.e),
				ERR_INTERNAL);
		}
	for (int to = 0; to < CARD_STATE_COUNT; to++) {
		bool legal = card_transition_legal(CARD_QUEUED, (enum card_state)to);

		snprintf(sql, sizeof sql,
			"BEGIN; INSERT INTO event SELECT n_events + 1, 0, 0, 'card-moved', '%s', "
			"%" PRId64 ", 'x', '{\"from\":\"queued\",\"to\":\"%s\"}', '', head, 'h' "
				   "FROM meta; ROLLBACK",
			JOB_A, row.id, card_states[to].name);
		assert_string_equal(raw_sql(b.path, sql), legal ? "" : "illegal transition");
	}
	bench_verify_clean(&b);
	bench_close(&b);
}

static void
a_fresh_card_replaces_a_bad_one(void **state)
{
	struct card_row fresh, other;
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_job(&b, JOB_A, "h1");
	struct card_row row = bench_card(&b, JOB_A, 1, 1);
	bench_move(&b, &row, CARD_FEEDING);
	assert_int_equal(ledger_card_retry(b.ledger, &row, &fresh, &b.e), ERR_INTERNAL);
	bench_move(&b, &row, CARD_AT_STATION);
	bench_move(&b, &row, CARD_REJECTING);
	bench_move(&b, &row, CARD_REJECTED);
	assert_int_equal(ledger_card_retry(b.ledger, &row, &fresh, &b.e), 0);
	assert_int_equal(fresh.attempt, 2);
	assert_int_equal(fresh.replaces, row.id);
	assert_int_equal(fresh.state, CARD_QUEUED);
	assert_string_equal(fresh.record_hash, row.record_hash);
	assert_string_equal(fresh.uid, "");
	/* Not a second time: that would be two live cards for one record. */
	assert_int_equal(ledger_card_retry(b.ledger, &row, &other, &b.e), ERR_BUSY);
	assert_int_equal(bench_card(&b, JOB_A, 1, 1).id, fresh.id);
	bench_verify_clean(&b);
	bench_close(&b);
}

/* Past the C code, the file itself refuses a second live card for one record. */
static void
a_second_live_card_is_refused(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_job(&b, JOB_A, "h1");
	bench_card(&b, JOB_A, 1, 1);
	const char *words = raw_sql(b.path,
		"INSERT INTO event SELECT n_events + 1, 0, 0, 'card-admitted', '" JOB_A
		"', 50, 'x', '{\"card\":1,\"copy\":1,\"attempt\":2,\"number\":\"\",\"name\":\"\","
		"\"record_hash\":\"record-1\",\"replaces\":0}', '', head, 'h' FROM meta");
	assert_non_null(strstr(words, "UNIQUE constraint failed: card.job, card.card, card.copy"));
	words = raw_sql(b.path,
		"INSERT INTO event SELECT n_events + 1, 0, 0, 'card-replaced', '" JOB_A
		"', 50, 'x', '{\"card\":1,\"copy\":1,\"attempt\":2,\"number\":\"\",\"name\":\"\","
		"\"record_hash\":\"record-1\",\"replaces\":1}', '', head, 'h' FROM meta");
	assert_non_null(strstr(words, "replaces a rejected, spoiled or void one"));
	bench_verify_clean(&b);
	bench_close(&b);
}

static void
a_chip_belongs_to_one_card(void **state)
{
	struct card_facts facts = {.uid = "04aa", .chip_hash = "c1"};
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_job(&b, JOB_A, "h1");
	struct card_row first = bench_done(&b, JOB_A, 1, "04aa");
	struct card_row row = bench_card(&b, JOB_A, 2, 1);
	bench_move(&b, &row, CARD_FEEDING);
	bench_move(&b, &row, CARD_AT_STATION);
	assert_int_equal(ledger_card_move(b.ledger, &row, CARD_ENCODING, &facts, &b.e), ERR_FAULT);
	assert_int_equal(b.e.fault, FAULT_UID_ISSUED);
	assert_non_null(strstr(b.e.text, "04aa"));
	assert_int_equal(row.state, CARD_AT_STATION);
	assert_non_null(strstr(
		raw_sql(b.path, "INSERT INTO event SELECT n_events + 1, 0, 0, 'card-moved', '" JOB_A
				"', 2, 'x', "
				"'{\"from\":\"at-station\",\"to\":\"encoding\",\"uid\":\"04aa\"}', "
				"'', head, 'h' FROM meta"),
		"UNIQUE constraint failed: card.uid"));
	/* A void card lets go of its chip in the index, never in the memory. */
	bench_move(&b, &first, CARD_VOID);
	struct card_row found;
	assert_int_equal(ledger_uid_find(b.ledger, "04aa", &found, &b.e), 0);
	assert_int_equal(found.id, first.id);
	assert_int_equal(ledger_card_move(b.ledger, &row, CARD_ENCODING, &facts, &b.e), 0);
	bench_verify_clean(&b);
	bench_close(&b);
}

static int
count_card(void *ctx, const struct card_row *row)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

/* Columns: the way of a card with the chip 04bb, and whether that chip counts as issued. */
static void
an_issued_chip_is_found(void **state)
{
	static const struct {
		enum card_state way[8];
		bool issued;
	} cases[] = {
		{{CARD_FEEDING, CARD_AT_STATION, CARD_ENCODING, CARD_STATE_COUNT}, true},
		{{CARD_FEEDING, CARD_AT_STATION, CARD_ENCODING, CARD_DOUBT, CARD_STATE_COUNT},
			true},
		{{CARD_FEEDING, CARD_AT_STATION, CARD_ENCODING, CARD_SPOILED, CARD_STATE_COUNT},
			false},
		{{CARD_FEEDING, CARD_AT_STATION, CARD_ENCODING, CARD_REJECTING, CARD_REJECTED,
			 CARD_STATE_COUNT},
			false},
		{{CARD_FEEDING, CARD_AT_STATION, CARD_ENCODING, CARD_ENCODED, CARD_REJECTING,
			 CARD_REJECTED, CARD_STATE_COUNT},
			true},
		{{CARD_FEEDING, CARD_AT_STATION, CARD_ENCODING, CARD_ENCODED, CARD_PRINTING,
			 CARD_SPOILED, CARD_STATE_COUNT},
			true},
		{{CARD_FEEDING, CARD_AT_STATION, CARD_ENCODING, CARD_DOUBT, CARD_QUEUED,
			 CARD_STATE_COUNT},
			false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct card_facts facts = {.uid = "04bb"}, none = {0};
		struct card_row found;
		struct bench b;
		int n = 0;

		bench_open(&b);
		bench_job(&b, JOB_A, "h1");
		struct card_row row = bench_card(&b, JOB_A, 1, 1);
		for (size_t k = 0; cases[i].way[k] != CARD_STATE_COUNT; k++)
			assert_int_equal(
				ledger_card_move(b.ledger, &row, cases[i].way[k],
					cases[i].way[k] == CARD_ENCODING ? &facts : &none, &b.e),
				0);
		assert_int_equal(ledger_uid_find(b.ledger, "04bb", &found, &b.e), 0);
		assert_int_equal(found.id, cases[i].issued ? row.id : 0);
		assert_int_equal(ledger_uid_find(b.ledger, "04cc", &found, &b.e), 0);
		assert_int_equal(found.id, 0);
		assert_int_equal(ledger_uid_cards(b.ledger, "04bb", count_card, &n, &b.e), 0);
		assert_int_equal(n, row.state == CARD_QUEUED ? 0 : 1);
		bench_close(&b);
	}
}

static void
a_reprint_names_card_and_reason(void **state)
{
	struct card_row fresh;
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_job(&b, JOB_A, "h1");
	struct card_row row = bench_done(&b, JOB_A, 1, "04aa");
	assert_int_equal(
		ledger_card_reprint(b.ledger, &row, "li", "photo", &fresh, &b.e), ERR_USAGE);
	bench_move(&b, &row, CARD_VOID);
	assert_int_equal(ledger_card_retry(b.ledger, &row, &fresh, &b.e), ERR_INTERNAL);
	assert_int_equal(ledger_card_reprint(b.ledger, &row, "li", "", &fresh, &b.e), ERR_USAGE);
	assert_int_equal(ledger_card_reprint(b.ledger, &row, "li", "photo", &fresh, &b.e), 0);
	assert_int_equal(fresh.replaces, row.id);
	assert_int_equal(fresh.state, CARD_QUEUED);
	bench_verify_clean(&b);
	bench_close(&b);
}

/* ---- the numbers add up, whatever happens ---- */

#define WALK_RECORDS 12
#define WALK_STEPS   900

static uint32_t
walk_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static enum card_state
walk_next(enum card_state from, uint32_t pick)
{
	enum card_state to[CARD_STATE_COUNT];
	size_t n = 0;

	for (int i = 0; i < CARD_STATE_COUNT; i++)
		if (card_transition_legal(from, (enum card_state)i))
			to[n++] = (enum card_state)i;
	return n ? to[pick % n] : CARD_STATE_COUNT;
}

static int
count_fed(void *ctx, const struct card_row *row)
{
	if (card_states[row->state].fed)
		++*(unsigned *)ctx;
	return 0;
}

static void
fed_cards_add_up_on_every_walk(void **state)
{
	uint32_t seed = 20261121;
	struct card_row rows[WALK_RECORDS];
	unsigned chips = 0, moved = 0, replaced = 0;
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_job(&b, JOB_A, "h1");
	for (unsigned i = 0; i < WALK_RECORDS; i++)
		rows[i] = bench_card(&b, JOB_A, i + 1, 1);
	for (int step = 0; step < WALK_STEPS; step++) {
		struct card_row *row = &rows[walk_random(&seed) % WALK_RECORDS];
		enum card_state to = walk_next(row->state, walk_random(&seed));
		struct card_facts facts = {0};
		char uid[UID_HEX_MAX];
		struct tally t;
		unsigned fed = 0;

		snprintf(uid, sizeof uid, "04%06x", ++chips);
		if (to == CARD_ENCODING && !row->uid[0])
			facts.uid = uid;
		if (to == CARD_STATE_COUNT) {
			assert_int_equal(
				ledger_card_reprint(b.ledger, row, "li", "walk", row, &b.e), 0);
			replaced++;
		} else {
			assert_int_equal(ledger_card_move(b.ledger, row, to, &facts, &b.e), 0);
			moved++;
		}
		assert_int_equal(ledger_tally(b.ledger, JOB_A, &t, &b.e), 0);
		assert_int_equal(t.fed, t.good + t.rejected + t.spoiled + t.doubt + t.inside);
		assert_int_equal(ledger_cards(b.ledger, JOB_A, -1, count_fed, &fed, &b.e), 0);
		assert_int_equal(t.fed, fed);
		assert_int_equal(t.fed + t.queued + t.cancelled, WALK_RECORDS + replaced);
		assert_true(t.voided <= t.good);
	}
	assert_true(moved > WALK_STEPS / 2 && replaced > 20);
	bench_verify_clean(&b);
	bench_close(&b);
}

static void
a_printer_has_its_own_count(void **state)
{
	struct tally t;
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_job(&b, JOB_A, "h1");
	bench_done(&b, JOB_A, 1, "04aa");
	bench_done(&b, JOB_A, 2, "04ab");
	bench_card(&b, JOB_A, 3, 1);
	assert_int_equal(ledger_tally_printer(b.ledger, "S0001", &t, &b.e), 0);
	assert_int_equal(t.fed, 2);
	assert_int_equal(t.good, 2);
	assert_int_equal(ledger_tally_printer(b.ledger, "S0002", &t, &b.e), 0);
	assert_int_equal(t.fed, 0);
	bench_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_is_known_once),
		cmocka_unit_test(the_same_batch_is_noticed),
		cmocka_unit_test(jobs_are_found_by_number_and_uuid),
		cmocka_unit_test(a_card_is_admitted_once),
		cmocka_unit_test(facts_are_kept),
		cmocka_unit_test(a_move_is_compare_and_swap),
		cmocka_unit_test(illegal_moves_are_refused),
		cmocka_unit_test(a_fresh_card_replaces_a_bad_one),
		cmocka_unit_test(a_second_live_card_is_refused),
		cmocka_unit_test(a_chip_belongs_to_one_card),
		cmocka_unit_test(an_issued_chip_is_found),
		cmocka_unit_test(a_reprint_names_card_and_reason),
		cmocka_unit_test(fed_cards_add_up_on_every_walk),
		cmocka_unit_test(a_printer_has_its_own_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
