/*
 * test-pass.c - the pass against a machine of memory.
 *
 * The machine below has a hopper, cards with chips, an output and a reject box; it is written from
 * drivers/driver.h and shares nothing with the drivers. The ledger is the real one. What is checked
 * in the end is the machine's own count of physical cards, never what the pass says of itself.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { cards_max = 64, records_max = 4 };

enum place_of { IN_HOPPER, IN_MACHINE, IN_OUTPUT, IN_REJECT, IN_HAND };
struct card {
	enum place_of where;
	unsigned uid, chip, partial; /* chip: the record it carries completely */
	unsigned face, prints;       /* face: the record that was printed on it */
};

/* What happens at one call of a device function. */
enum point {
	AT_NOWHERE,
	AT_STATUS,
	AT_BEGIN,
	AT_FEED,
	AT_SELECT,
	AT_ENCODE,
	AT_LOAD,
	AT_PRINT,
	AT_REJECT
};
enum effect { NOTHING, COMPLETE, STUCK };
struct inject {
	enum point point;
	unsigned nth;
	enum fault fault;
	enum effect effect;
};

static struct machine {
	struct card cards[cards_max];
	unsigned n_cards, fed;
	struct card *inside;
	enum card_place place;
	enum fault fault; /* shown until the person comes */
	unsigned looks, person_after, silent, reader_away;
	int64_t counter;
	bool no_counter, eats; /* eats: an unanswered print leaves no card and no count */
	unsigned loaded;
	struct inject inject;
	unsigned calls[AT_REJECT + 1], acts;
	bool begun, all_bad, swap_at_load;
	unsigned uid_next; /* the number of the next chip, 0: a fresh one */
} m;

/* ---- ticks: a crash or a signal at any moment ---- */

static unsigned tick, crash_at, signal_at;
static bool cancel_now, orphan_now, signal_orphans;
static jmp_buf crash;

static void
moment(void)
{
	tick++;
	if (crash_at && tick == crash_at)
		longjmp(crash, 1);
	if (signal_at && tick >= signal_at) {
		if (signal_orphans)
			orphan_now = true;
		else
			cancel_now = true;
	}
}

/* True when this call goes wrong as ordered; then *rc is what it answers. */
static bool
goes_wrong(enum point p, int *rc, struct err *e)
{
	const struct inject *i = &m.inject;

	m.calls[p]++;
	if (i->point != p || m.calls[p] != i->nth)
		return false;
	if (i->effect == STUCK) {
		m.fault = i->fault;
		m.looks = 0;
		if (m.inside)
			m.place = PLACE_SOMEWHERE;
	}
	if (i->effect != STUCK && fault_row((int)i->fault)->action == FAULT_WAIT) {
		m.fault = i->fault;
		m.looks = 0;
	}
	*rc = fault_set(e, i->fault, "WORDS");
	return true;
}

/* ---- the person at the machine ---- */

static void
person(void)
{
	if (m.fault == FAULT_NONE || ++m.looks < m.person_after)
		return;
	if (fault_row((int)m.fault)->action == FAULT_SPOIL && m.inside) {
		m.inside->where = IN_HAND;
		m.inside = NULL;
		m.place = PLACE_NONE;
	}
	m.fault = FAULT_NONE;
}

/* ---- printer ---- */

struct printer {
	bool gone;
};
static struct printer the_printer;

static const struct printer_model *
fake_model(const struct printer *p)
{
	static const struct printer_model model = {.name = "Memory 1"};

	(void)p;
	return &model;
}

static int
fake_status(struct printer *p, struct printer_status *st, struct err *e)
{
	int rc = 0;

	moment();
	if (p->gone)
		return fault_set(e, FAULT_UNPLUGGED, NULL);
	if (goes_wrong(AT_STATUS, &rc, e))
		return rc;
	if (m.silent > 0) {
		m.silent--;
		return fault_set(e, FAULT_NO_REPLY, NULL);
	}
	person();
	memset(st, 0, sizeof(*st));
	st->place = m.place;
	st->fault = m.fault;
	st->cards = m.no_counter ? -1 : m.counter;
	st->cleaning_left = -1;
	st->ribbon.level = st->ribbon.capacity = -1;
	return 0;
}

static int
fake_begin(struct printer *p, const struct print_job *job, struct err *e)
{
	int rc = 0;

	(void)p;
	(void)job;
	moment();
	if (goes_wrong(AT_BEGIN, &rc, e))
		return rc;
	m.begun = true;
	return 0;
}

static void
card_take(enum card_place place)
{
	assert_null(m.inside);
	assert_true(m.n_cards < cards_max);
	m.inside = &m.cards[m.n_cards++];
	m.inside->where = IN_MACHINE;
	m.inside->uid = m.uid_next ? m.uid_next : m.n_cards;
	m.uid_next = 0;
	m.place = place;
	m.fed++;
}

static int
fake_feed(struct printer *p, enum card_place place, struct err *e)
{
	int rc = 0;

	(void)p;
	moment();
	assert_true(m.begun);
	m.acts++;
	if (goes_wrong(AT_FEED, &rc, e)) {
		if (m.inject.effect != NOTHING)
			card_take(m.inject.effect == STUCK ? PLACE_SOMEWHERE : place);
		return rc;
	}
	card_take(place);
	moment();
	return 0;
}

static int
fake_load(struct printer *p, const struct face faces[SIDE_COUNT], struct err *e)
{
	int rc = 0;

	(void)p;
	moment();
	assert_true(m.begun);
	if (goes_wrong(AT_LOAD, &rc, e))
		return rc;
	if (m.swap_at_load)
		m.inside->uid += 50;
	m.loaded = faces[SIDE_FRONT].plane[PANEL_K].dots;
	return 0;
}

static void
card_print(void)
{
	assert_non_null(m.inside);
	m.inside->face = m.loaded;
	m.inside->prints++;
	m.inside->where = IN_OUTPUT;
	m.inside = NULL;
	m.place = PLACE_NONE;
	m.counter++;
}

static int
fake_print(struct printer *p, struct err *e)
{
	int rc = 0;

	(void)p;
	moment();
	m.acts++;
	if (goes_wrong(AT_PRINT, &rc, e)) {
		if (m.inject.effect == COMPLETE)
			card_print();
		else if (m.inject.effect == STUCK)
			m.inside->prints++;
		if (m.eats) {
			m.inside->where = IN_HAND;
			m.inside = NULL;
			m.place = PLACE_NONE;
		}
		return rc;
	}
	card_print();
	moment();
	return 0;
}

static int
fake_eject(struct printer *p, enum card_exit where, struct err *e)
{
	int rc = 0;

	(void)p;
	moment();
	m.acts++;
	assert_int_equal(where, EXIT_REJECT);
	if (goes_wrong(AT_REJECT, &rc, e) && m.inject.effect != COMPLETE)
		return rc;
	if (m.inside) {
		m.inside->where = IN_REJECT;
		m.inside = NULL;
		m.place = PLACE_NONE;
	}
	moment();
	return rc;
}

static void
fake_close(struct printer *p)
{
	(void)p;
}

static const struct printer_driver memory_driver = {.family = "memory",
	.close = fake_close,
	.model = fake_model,
	.status = fake_status,
	.begin = fake_begin,
	.feed = fake_feed,
	.load = fake_load,
	.print = fake_print,
	.eject = fake_eject};

static int
fake_reopen_printer(struct pass *p, struct err *e)
{
	moment();
	p->printer = NULL;
	p->begun = m.begun = false;
	if (the_printer.gone && m.looks++ < 2)
		return fault_set(e, FAULT_PRINTER_ABSENT, NULL);
	the_printer.gone = false;
	p->printer = &the_printer;
	return 0;
}

/* ---- station and chip: what mifare.c promises ---- */

static struct station the_station;

static int
fake_reopen_station(struct pass *p, struct err *e)
{
	moment();
	p->station = NULL;
	if (m.reader_away > 0) {
		m.reader_away--;
		return fault_set(e, FAULT_READER_ABSENT, NULL);
	}
	p->station = &the_station;
	return 0;
}

int
chip_select(struct station *s, unsigned wait_ms, struct chip_id *out, struct err *e)
{
	int rc = 0;

	(void)wait_ms;
	moment();
	assert_ptr_equal(s, &the_station);
	if (goes_wrong(AT_SELECT, &rc, e))
		return rc;
	if (m.reader_away > 0)
		return fault_set(e, FAULT_READER_GONE, NULL);
	if (!m.inside || m.place != PLACE_CONTACTLESS)
		return fault_set(e, FAULT_NO_CHIP, NULL);
	memset(out, 0, sizeof(*out));
	out->uid_len = 4;
	out->uid[3] = (uint8_t)m.inside->uid;
	out->cards_in_field = 1;
	return 0;
}

int
chip_encode(struct station *s, const struct chip_id *id, const struct chip_image *image,
	const struct key_source *keys, bool resume, struct chip_report *out, struct err *e)
{
	unsigned record = image->block[4][0];
	int rc = 0;

	(void)s;
	(void)out;
	assert_non_null(keys->card_keys);
	moment();
	m.acts++;
	assert_non_null(m.inside);
	assert_int_equal(id->uid[3], m.inside->uid);
	if (m.all_bad)
		return fault_set(e, FAULT_CHIP_WRITE, NULL);
	if (m.inside->partial && (!resume || m.inside->partial != record))
		return fault_set(e, FAULT_CHIP_USED, NULL);
	m.inside->partial = record;
	moment();
	if (goes_wrong(AT_ENCODE, &rc, e)) {
		if (m.inject.effect == COMPLETE)
			m.inside->chip = record;
		return rc;
	}
	m.inside->chip = record;
	moment();
	return 0;
}

int
chip_verify(struct station *s, const struct chip_id *id, const struct chip_image *image,
	const struct key_source *keys, bool *same, struct err *e)
{
	(void)s;
	(void)id;
	(void)image;
	(void)keys;
	(void)e;
	*same = true;
	return 0;
}

static int
fake_keys(void *ctx, const struct chip_id *id, const struct chip_image *image,
	struct chip_keys *out, struct err *e)
{
	(void)ctx;
	(void)id;
	(void)image;
	(void)out;
	(void)e;
	return 0;
}

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

static struct sink test_sink = {
	test_reason, test_supplies, test_message, test_impression, test_cancelled, test_orphaned};

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

static void
card_fill(struct stream_card *c, unsigned number, bool chip)
{
	memset(c, 0, sizeof(*c));
	c->card = number;
	c->copy = 1;
	c->has_chip = chip;
	snprintf(c->name_masked, sizeof(c->name_masked), "Holder");
	memset(c->record_hash, '0' + (int)number, 2 * HASH_LEN);
	c->chip.block[4][0] = (uint8_t)number;
	c->face[SIDE_FRONT].plane[PANEL_K] =
		(struct plane){.fill = PLANE_FULL, .bits = 1, .dots = number};
}

/* One run of the backend's worker: recovery, then every card of the stream, then the sums. */
static enum pass_end
job_run(const char *uuid, unsigned n, bool chip, struct err *e)
{
	struct ribbon ribbon = {.name = "ymcko"};
	struct pass p = {.driver = &memory_driver,
		.printer = &the_printer,
		.station = &the_station,
		.keys = {.card_keys = fake_keys},
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
	p.ledger = ledger;
	snprintf(p.job.uuid, sizeof(p.job.uuid), "%s", uuid);
	snprintf(p.job.printer_serial, sizeof(p.job.printer_serial), "S1");
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
static const struct fault_case {
	const char *what;
	struct inject inject;
	unsigned fed, rejected, spoiled;
	const char *step;
	unsigned records;
} fault_cases[] = {
	{"hopper empty at feed", {AT_FEED, 2, FAULT_HOPPER_EMPTY, NOTHING}, 2, 0, 0, "feed", 1},
	{"hopper empty before feed", {AT_STATUS, 1, FAULT_HOPPER_EMPTY, NOTHING}, 2, 0, 0, "feed",
		1},
	{"cover open at feed", {AT_FEED, 1, FAULT_COVER_OPEN, NOTHING}, 2, 0, 0, "feed", 1},
	{"wrong ribbon", {AT_BEGIN, 1, FAULT_RIBBON_WRONG, NOTHING}, 2, 0, 0, "feed", 1},
	{"jam at feed", {AT_FEED, 1, FAULT_JAM_FEED, STUCK}, 3, 0, 1, "feed", 1},
	{"feed unanswered, nothing fed", {AT_FEED, 1, FAULT_NO_REPLY, NOTHING}, 2, 0, 0, "feed", 1},
	{"feed unanswered, card inside", {AT_FEED, 1, FAULT_NO_REPLY, COMPLETE}, 2, 0, 0, "feed",
		1},
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
	{"reader gone in the write", {AT_ENCODE, 1, FAULT_READER_GONE, NOTHING}, 2, 0, 0, "encode",
		1},
	{"reader gone after the write", {AT_ENCODE, 1, FAULT_READER_GONE, COMPLETE}, 2, 0, 0,
		"encode", 1},
	{"jam at the station", {AT_ENCODE, 1, FAULT_JAM_STATION, STUCK}, 3, 0, 1, "encode", 1},
	{"ribbon end at load", {AT_LOAD, 1, FAULT_RIBBON_END, NOTHING}, 2, 0, 0, "print", 1},
	{"load unanswered", {AT_LOAD, 1, FAULT_NO_REPLY, NOTHING}, 2, 0, 0, "print", 1},
	{"stall at load", {AT_LOAD, 2, FAULT_STALL, NOTHING}, 2, 0, 0, "print", 1},
	{"chip gone before print", {AT_SELECT, 2, FAULT_NO_CHIP, NOTHING}, 3, 1, 0, "print", 1},
	{"print refused, not moved", {AT_PRINT, 1, FAULT_COVER_OPEN, NOTHING}, 2, 0, 0, "print", 1},
	{"ribbon end while printing", {AT_PRINT, 1, FAULT_CARD_MARKED, NOTHING}, 3, 1, 0, "print",
		1},
	{"jam while printing", {AT_PRINT, 1, FAULT_JAM_PRINT, STUCK}, 3, 0, 1, "print", 1},
	{"jam while flipping", {AT_PRINT, 1, FAULT_JAM_FLIP, STUCK}, 3, 0, 1, "print", 1},
	{"jam while ejecting", {AT_PRINT, 2, FAULT_JAM_EJECT, STUCK}, 3, 0, 1, "print", 1},
	{"print unanswered, done", {AT_PRINT, 1, FAULT_NO_REPLY, COMPLETE}, 2, 0, 0, "print", 1},
	{"print unplugged, done", {AT_PRINT, 2, FAULT_UNPLUGGED, COMPLETE}, 2, 0, 0, "print", 1},
	{"print unanswered, not begun", {AT_PRINT, 1, FAULT_NO_REPLY, NOTHING}, 2, 0, 0, "print",
		1},
};

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

	for (int chip = 0; chip < 2; chip++) {
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
				fail_msg("crash at %u, chip %d: %s", at, chip, e.text);
			all_adds_up(2, chip, 0);
			assert_int_equal(failures_of().open, 0);
		}
	}
	assert_true(kills > 40);
	assert_int_equal(doubts, 0);
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
		cmocka_unit_test_setup(issued_chip_is_refused, ledger_fresh),
		cmocka_unit_test_setup(swapped_card_is_doubt, ledger_fresh),
		cmocka_unit_test_setup(print_without_proof_is_doubt, ledger_fresh),
		cmocka_unit_test_setup(no_counter_is_doubt, ledger_fresh),
		cmocka_unit_test_setup(unplugged_and_plugged_goes_on, ledger_fresh),
		cmocka_unit_test_setup(foreign_card_is_rejected, ledger_fresh),
		cmocka_unit_test_setup(missing_keys_feed_nothing, ledger_fresh),
		cmocka_unit_test_setup(crashes_are_survived, ledger_fresh),
		cmocka_unit_test_setup(another_job_clears_the_machine, ledger_fresh),
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
