/*
 * test-pass.c - the pass against a machine of memory.
 *
 * The ledger is the real one. What is checked in the end is the machine's own count of physical
 * cards, never what the pass says of itself.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/pass-machine.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- configuration and sink ---- */

unsigned
config_attempts_max(const struct config *c)
{
	(void)c;
	return 3;
}

unsigned
config_wait_poll_ms(const struct config *c)
{
	(void)c;
	return 0;
}

unsigned
config_chip_wait_ms(const struct config *c)
{
	(void)c;
	return 0;
}

/* Nobody is told. */
const char *
config_text(const struct config *c, const char *group, const char *key)
{
	(void)c, (void)group, (void)key;
	return NULL;
}

unsigned
config_number(const struct config *c, const char *group, const char *key)
{
	(void)c, (void)group, (void)key;
	return 0;
}

static int reasons[FAULT_COUNT];
static unsigned pages;

static void
test_reason(struct sink *s, const char *keyword, bool set)
{
	(void)s;
	for (int i = 1; i < FAULT_COUNT; i++)
		if (strcmp(faults[i].reason, keyword) == 0)
			reasons[i] = set;
}

static void
test_supplies(struct sink *s, const struct printer_status *st)
{
	(void)s;
	(void)st;
}

static void
test_message(struct sink *s, bool is_error, const char *text)
{
	(void)s;
	(void)is_error;
	assert_true(text[0] != '\0');
	assert_null(strstr(text, "Holder"));
	if (getenv("PASS_TALK"))
		print_message("  %s\n", text);
	moment();
}

static void
test_impression(struct sink *s)
{
	(void)s;
	pages++;
}

static bool
test_cancelled(struct sink *s)
{
	(void)s;
	return cancel_now;
}

static bool
test_orphaned(struct sink *s)
{
	(void)s;
	return orphan_now;
}

static struct sink test_sink = {test_reason, test_supplies, test_message, test_impression,
	test_cancelled, test_orphaned, NULL};

/* ---- a job ---- */

static char ledger_file[64];
static struct ledger *ledger;

static int
ledger_fresh(void **state)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	static unsigned n;
	char path[80];

	(void)state;
	if (ledger)
		ledger_close(ledger);
	ledger = NULL;
	for (size_t i = 0; ledger_file[0] && i < ARRAY_LEN(ends); i++) {
		snprintf(path, sizeof(path), "%s%s", ledger_file, ends[i]);
		unlink(path);
	}
	/* In memory where there is such a folder: the test is about the order of writes, not the
	 * disk. */
	snprintf(ledger_file, sizeof(ledger_file), "%s/test-pass-%d-%u.db",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid(), n++);
	memset(&m, 0, sizeof(m));
	memset(reasons, 0, sizeof(reasons));
	m.person_after = 2;
	m.place = PLACE_NONE;
	the_printer.gone = false;
	tick = crash_at = signal_at = pages = 0;
	cancel_now = orphan_now = signal_orphans = false;
	return 0;
}

static bool tags; /* the chips are tags, and nobody has keys */

static void
card_fill(struct stream_card *c, unsigned number, bool chip)
{
	memset(c, 0, sizeof(*c));
	c->card = number;
	c->copy = 1;
	c->has_chip = chip;
	c->has_tag = chip && tags;
	c->tag.message[0] = (uint8_t)number;
	snprintf(c->name_masked, sizeof(c->name_masked), "Holder");
	memset(c->record_hash, '0' + (int)number, 2 * HASH_LEN);
	c->chip.block[4][0] = c->has_tag ? 0 : (uint8_t)number;
	c->face[SIDE_FRONT].plane[PANEL_K] =
		(struct plane){.fill = PLANE_FULL, .bits = 1, .dots = number};
}

static const char *serial = "S1"; /* of the printer that the next run works on */
static bool clock_falls;          /* each look at the clock is earlier than the one before */

static int64_t
clock_falling(void)
{
	static int64_t now_ms = (int64_t)1 << 41;

	return now_ms -= 1000;
}

/* One run of the backend's worker: recovery, then every card of the stream, then the sums. */
static enum pass_end
job_run(const char *uuid, unsigned n, bool chip, struct err *e)
{
	struct ribbon ribbon = {.name = "ymcko"};
	struct pass p = {.driver = &memory_driver,
		.printer = &the_printer,
		.station = &the_station,
		.keys = {.card_keys = tags ? NULL : fake_keys},
		.sink = &test_sink,
		.print = {.ribbon = &ribbon},
		.reopen_printer = fake_reopen_printer,
		.reopen_station = fake_reopen_station};
	struct stream_card card;
	enum pass_end end;
	bool again;

	memset(e, 0, sizeof(*e));
	m.begun = false;
	if (!ledger)
		assert_int_equal(ledger_open(&ledger, ledger_file, LEDGER_WRITE, e), 0);
	if (clock_falls)
		ledger->clock_ms = clock_falling;
	p.ledger = ledger;
	snprintf(p.job.uuid, sizeof(p.job.uuid), "%s", uuid);
	snprintf(p.job.printer_serial, sizeof(p.job.printer_serial), "%s", serial);
	snprintf(p.job.user, sizeof(p.job.user), "ann");
	p.job.n_cards = n;
	assert_int_equal(ledger_job_admit(ledger, &p.job, &again, e), 0);
	end = pass_recover(&p, e);
	for (unsigned i = 1; i <= n && end == PASS_OK; i++) {
		card_fill(&card, i, chip);
		end = pass_card(&p, &card, e);
	}
	if (!orphan_now && end != PASS_STOP) {
		struct err why;
		enum pass_end finish = pass_finish(&p, &why);

		if (end == PASS_OK) {
			end = finish;
			*e = why;
		}
	}
	if (p.card_fed)
		assert_in_range(end, PASS_OK, PASS_CANCEL);
	return end;
}

struct count {
	unsigned good[records_max + 1], output, reject, hand, inside, doubled, mismatched;
};

/* The machine's own truth. */
static struct count
machine_count(bool chip)
{
	struct count c = {0};

	for (unsigned i = 0; i < m.n_cards; i++) {
		const struct card *k = &m.cards[i];

		c.output += k->where == IN_OUTPUT;
		c.reject += k->where == IN_REJECT;
		c.hand += k->where == IN_HAND;
		c.inside += k->where == IN_MACHINE;
		c.doubled += k->prints > 1;
		if (k->where != IN_OUTPUT)
			continue;
		if (k->face == 0 || k->face > records_max || (chip && k->chip != k->face))
			c.mismatched++;
		else
			c.good[k->face]++;
	}
	return c;
}

static struct tally
ledger_count(void)
{
	struct tally t;
	struct err e;

	assert_int_equal(ledger_tally_printer(ledger, "S1", &t, &e), 0);
	return t;
}

/* Nothing lost, doubled or mixed up, and the ledger's numbers are the machine's. */
static void
all_adds_up(unsigned n, bool chip, unsigned foreign)
{
	struct count c = machine_count(chip);
	struct tally t = ledger_count();

	assert_int_equal(c.doubled, 0);
	assert_int_equal(c.mismatched, 0);
	for (unsigned i = 1; i <= n; i++)
		assert_int_equal(c.good[i], 1);
	assert_int_equal(c.inside, 0);
	assert_int_equal(t.good, c.output);
	assert_int_equal(t.rejected + foreign, c.reject);
	assert_int_equal(t.spoiled, c.hand);
	assert_int_equal(t.doubt, 0);
	assert_int_equal(t.fed + foreign, m.fed);
}

struct failures {
	unsigned n, open;
	char code[32], step[16], who[64];
};

static int
failure_count(void *ctx, const struct failure_row *row)
{
	struct failures *f = ctx;

	f->n++;
	f->open += row->cleared == 0;
	snprintf(f->code, sizeof(f->code), "%s", row->code);
	snprintf(f->step, sizeof(f->step), "%s", row->step);
	snprintf(f->who, sizeof(f->who), "%s", row->operator_name);
	return 0;
}

static struct failures
failures_of(void)
{
	struct failures f = {0};
	struct err e;

	assert_int_equal(failure_list(ledger, NULL, failure_count, &f, &e), 0);
	return f;
}

/* ---- the tests ---- */

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

/* Runs a job that is killed at a moment. True when it was; false when it ended before. */
static bool
job_killed(unsigned at, const char *uuid, unsigned n, bool chip)
{
	struct err e;

	crash_at = at;
	if (setjmp(crash) == 0) {
		assert_int_equal(job_run(uuid, n, chip, &e), PASS_OK);
		return false;
	}
	crash_at = 0;
	ledger_close(ledger);
	ledger = NULL;
	return true;
}

/* Kills the run at every moment there is, runs the job again, and asks the machine. */
static void
crashes_are_survived(void **state)
{
	unsigned doubts = 0, kills = 0;

	for (int kind = 0; kind < 3; kind++) {
		const bool chip = kind > 0;
		tags = kind > 1;
		for (unsigned at = 1;; at++) {
			struct err e;
			enum pass_end end;

			ledger_fresh(state);
			if (!job_killed(at, "job-crash", 2, chip))
				break;
			kills++;
			end = job_run("job-crash", 2, chip, &e);
			if (end == PASS_HOLD && ledger_count().doubt == 1) {
				doubts++;
				continue;
			}
			if (end != PASS_OK)
				fail_msg("crash at %u, kind %d: %s", at, kind, e.text);
			all_adds_up(2, chip, 0);
			assert_int_equal(failures_of().open, 0);
		}
	}
	tags = false;
	assert_true(kills > 60);
	assert_int_equal(doubts, 0);
}

/* Two kills, one in the recovery from the other, while the clock runs backwards: nothing is judged
 * by the times of events. */
static void
clocks_set_back_are_survived(void **state)
{
	unsigned kills = 0;

	for (unsigned at = 1;; at++) {
		unsigned then = 1;

		for (;; then += 3) {
			struct err e;

			ledger_fresh(state);
			clock_falls = true;
			if (!job_killed(at, "job-clock", 2, true))
				break;
			if (!job_killed(tick + then, "job-clock", 2, true))
				break;
			kills++;
			if (job_run("job-clock", 2, true, &e) != PASS_OK)
				fail_msg("crash at %u and %u: %s", at, then, e.text);
			all_adds_up(2, true, 0);
		}
		if (then == 1)
			break;
	}
	clock_falls = false;
	assert_true(kills > 100);
}

/* A different job follows the killed one: the card in the machine must not come out under its name.
 */
static void
another_job_clears_the_machine(void **state)
{
	for (unsigned at = 1;; at++) {
		struct err e;
		struct count c;

		ledger_fresh(state);
		if (!job_killed(at, "job-one", 1, true))
			break;
		assert_int_equal(job_run("job-two", 1, true, &e), PASS_OK);
		c = machine_count(true);
		assert_int_equal(c.doubled + c.mismatched + c.inside, 0);
		assert_int_equal(ledger_count().good, c.output);
		assert_int_equal(ledger_count().fed, m.fed);
	}
}

/* Cut off at every moment and given to another printer (a member of the same class): what lies in
 * the first one is never made there too; when the first one was cleared, the job ends. */
static void
another_printer_waits_for_the_first(void **state)
{
	unsigned held = 0;

	for (unsigned at = 1;; at++) {
		struct machine first;
		struct count c;
		struct err e;
		enum pass_end end;

		ledger_fresh(state);
		if (!job_killed(at, "job-moves", 2, true))
			break;
		first = m;
		m.inside = NULL;
		m.place = PLACE_NONE;
		serial = "S2";
		end = job_run("job-moves", 2, true, &e);
		assert_true(end == PASS_OK || end == PASS_HOLD);
		if (end == PASS_HOLD) {
			held++;
			assert_non_null(strstr(e.text, "S1"));
			assert_int_equal(m.fed, first.fed);
			m = first;
			serial = "S1";
			assert_int_equal(job_run("job-other", 1, true, &e), PASS_OK);
			serial = "S2";
			end = job_run("job-moves", 2, true, &e);
		}
		serial = "S1";
		assert_int_equal(end, PASS_OK);
		c = machine_count(true);
		assert_int_equal(c.doubled + c.mismatched, 0);
	}
	assert_true(held > 5);
}

/* Cancelled at every moment: the machine is empty, the numbers are right, and a restart makes the
 * rest. */
static void
cancelling_leaves_nothing_inside(void **state)
{
	unsigned cancelled = 0;

	for (unsigned at = 1; at < 400; at++) {
		struct err e;
		struct count c;
		enum pass_end end;

		ledger_fresh(state);
		signal_at = at;
		end = job_run("job-cancel", 2, true, &e);
		if (end == PASS_OK)
			break;
		cancelled++;
		assert_int_equal(end, PASS_CANCEL);
		c = machine_count(true);
		assert_int_equal(c.inside + c.doubled + c.mismatched, 0);
		assert_int_equal(ledger_count().fed, m.fed);
		assert_int_equal(ledger_count().good, c.output);
		assert_int_equal(ledger_count().rejected, c.reject);
		signal_at = 0;
		cancel_now = false;
		assert_int_equal(job_run("job-cancel", 2, true, &e), PASS_OK);
		all_adds_up(2, true, 0);
	}
	assert_true(cancelled > 10);
}

/* The supervisor died at any moment: the next run wastes no card. */
static void
orphans_waste_nothing(void **state)
{
	for (unsigned at = 1; at < 400; at++) {
		struct err e;
		enum pass_end end;

		ledger_fresh(state);
		signal_at = at;
		signal_orphans = true;
		end = job_run("job-orphan", 2, true, &e);
		if (end == PASS_OK)
			break;
		signal_at = 0;
		orphan_now = false;
		assert_int_equal(job_run("job-orphan", 2, true, &e), PASS_OK);
		all_adds_up(2, true, 0);
		assert_int_equal(m.fed, 2);
	}
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
		cmocka_unit_test_setup(crashes_are_survived, ledger_fresh),
		cmocka_unit_test_setup(clocks_set_back_are_survived, ledger_fresh),
		cmocka_unit_test_setup(another_job_clears_the_machine, ledger_fresh),
		cmocka_unit_test_setup(another_printer_waits_for_the_first, ledger_fresh),
		cmocka_unit_test_setup(cancelling_leaves_nothing_inside, ledger_fresh),
		cmocka_unit_test_setup(orphans_waste_nothing, ledger_fresh),
		cmocka_unit_test_setup(waiting_can_be_cancelled, ledger_fresh),
		cmocka_unit_test(steps_are_legal_moves),
		cmocka_unit_test(every_sight_has_an_answer),
		cmocka_unit_test(the_page_shows_every_row),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	ledger_fresh(NULL);
	return rc;
}
