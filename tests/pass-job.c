/*
 * pass-job.c - jobs on the machine of memory, with a real ledger.
 *
 * What is counted in the end are the machine's own physical cards, never what the pass says of
 * itself.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/pass-job.h"

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

int reasons[FAULT_COUNT];
unsigned pages;

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

struct sink test_sink = {test_reason, test_supplies, test_message, test_impression, test_cancelled,
	test_orphaned, NULL};

/* ---- a job ---- */

char ledger_file[64];
struct ledger *ledger;

int
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

bool tags;

void
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

const char *serial = "S1";
bool clock_falls;

static int64_t
clock_falling(void)
{
	static int64_t now_ms = (int64_t)1 << 41;

	return now_ms -= 1000;
}

enum pass_end
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

struct count
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

struct tally
ledger_count(void)
{
	struct tally t;
	struct err e;

	assert_int_equal(ledger_tally_printer(ledger, "S1", &t, &e), 0);
	return t;
}

void
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

struct failures
failures_of(void)
{
	struct failures f = {0};
	struct err e;

	assert_int_equal(failure_list(ledger, NULL, failure_count, &f, &e), 0);
	return f;
}
