/*
 * failure-history.c - months of a simulated workshop in a ledger.
 *
 *   failure-history LEDGER [--months N] [--end YYYY-MM-DD] [--cards N] [--seed N] [--no-reviews]
 *                   [--raw TEXT]
 *
 * Writes through the calls the pass itself makes, with a clock of its own: working days of orders
 * on three machines, cards with every step, failures of every action with the time until they were
 * cleared, notes, and reviews by a person who did not operate. One machine is worn, the feeder jams
 * more on Mondays, and a fortnight had a bad ribbon, so that a report has something to find. The
 * same seed writes the same history, but for keys and signatures. Passphrase of everybody in it:
 * "correct horse".
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/report.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define PASS "correct horse"
enum { MINUTE_MS = 60000, HOUR_MS = 3600000 };

/* Of 10,000 cards so many meet the fault; clear_s: the middle of the time until it is cleared. */
static const struct mishap {
	const char *code, *step, *raw;
	unsigned per_10000, clear_s;
} mishaps[] = {
	{"hopper-empty", "feed", "FEEDER EMPTY", 60, 240},
	{"jam-feeding", "feed", "CARD JAM", 14, 420},
	{"cover-open", "feed", "COVER OPEN", 16, 90},
	{"ribbon-end", "print", "ERROR RIBBON", 32, 360},
	{"ribbon-wrong", "print", "ERROR RIBBON", 2, 600},
	{"jam-printing", "print", "CARD JAM", 11, 780},
	{"jam-ejecting", "print", "ERROR HOPPER", 3, 540},
	{"output-full", "print", "HOPPER FULL", 8, 150},
	{"reject-full", "reject", "HOPPER FULL", 2, 150},
	{"head-hot", "print", "ERROR HEAD", 2, 300},
	{"cleaning-due", "feed", "NEED CLEANING", 9, 900},
	{"no-reply", "print", "", 4, 120},
	{"usb-stall", "print", "", 3, 30},
	{"unplugged", "feed", "", 1, 1500},
	{"mechanical", "print", "ERROR TIME OUT", 1, 5400},
	{"no-chip", "encode", "", 9, 20},
	{"chip-used", "encode", "", 4, 20},
	{"chip-write", "encode", "", 7, 20},
	{"chip-verify", "encode", "", 5, 20},
	{"chip-removed", "encode", "", 2, 20},
};

static const struct machine {
	const char *printer, *model, *serial, *station;
	unsigned wear; /* per cent of the usual failures */
} machines[] = {
	{"dualys-1", "Evolis Dualys 3", "60001234", "nfc:pn532_uart:/dev/ttyUSB0", 80},
	{"dualys-2", "Evolis Dualys 3", "60001377", "nfc:pn532_uart:/dev/ttyUSB1", 170},
	{"zxp", "Zebra P330i", "Z0440917", "nfc:pn532_uart:/dev/ttyUSB2", 100},
};
static const char *const operators[] = {"wang", "li", "zhao"};

struct history {
	struct ledger *ledger;
	struct err e;
	uint64_t random;
	unsigned cards_a_day, n_orders, n_cards, n_failures, n_reviews;
	unsigned weekday, days;
	unsigned lots[ARRAY_LEN(machines)]; /* the ribbon in each machine */
	bool bad_ribbon, reviews;
	const char *raw; /* in place of each machine's reply, "" none */
};

/* The clock of the workshop and the last start of its host. */
static int64_t now_ms, boot_ms;

static int64_t
workshop_clock(void)
{
	return now_ms;
}

static int64_t
workshop_up(void)
{
	return now_ms - boot_ms;
}

static unsigned
dice(struct history *h, unsigned n)
{
	h->random ^= h->random << 13;
	h->random ^= h->random >> 7;
	h->random ^= h->random << 17;
	return (unsigned)(h->random % n);
}

static void
must(const struct history *h, int rc)
{
	if (rc == 0)
		return;
	fprintf(stderr, "failure-history: %s\n", h->e.text);
	exit(1);
}

static void
card_to(struct history *h, const struct machine *m, struct card_row *row, enum card_state to,
	int64_t seconds)
{
	char hash[2 * HASH_LEN + 1], uid[UID_HEX_MAX];
	struct card_facts facts = {.printer_serial = m->serial};

	now_ms += seconds * 1000;
	snprintf(uid, sizeof uid, "04%012llx", (unsigned long long)row->id * 2654435761u);
	if (to == CARD_ENCODING)
		facts.uid = uid;
	text_hash(hash, uid, strlen(uid));
	if (to == CARD_PRINTING)
		facts.front_hash = hash;
	must(h, ledger_card_move(h->ledger, row, to, &facts, &h->e));
}

static const struct mishap *
mishap_draw(struct history *h, const struct machine *m)
{
	unsigned at = dice(h, 10000 * 100), sum = 0;

	for (size_t i = 0; i < ARRAY_LEN(mishaps); i++) {
		unsigned rate = mishaps[i].per_10000 * m->wear;

		if (h->weekday == 1 && strcmp(mishaps[i].code, "jam-feeding") == 0)
			rate *= 3;
		if (h->bad_ribbon && strcmp(mishaps[i].step, "print") == 0 && m == &machines[0])
			rate *= 10;
		sum += rate;
		if (at < sum)
			return &mishaps[i];
	}
	return NULL;
}

/* Half to double of the middle, and one in ten far longer: somebody was at lunch. */
static int64_t
clear_time_ms(struct history *h, const struct mishap *m)
{
	int64_t ms = (int64_t)m->clear_s * (500 + dice(h, 1500));

	return dice(h, 10) == 0 ? ms * 4 : ms;
}

static void
failure_have(struct history *h, const struct card_row *card, const struct mishap *m)
{
	const struct fault_row *fault = fault_by_code(m->code);
	struct failure_row f = {
		.card = card->key.card, .copy = card->key.copy, .attempt = card->attempt};

	snprintf(f.job_uuid, sizeof f.job_uuid, "%s", card->key.job_uuid);
	snprintf(f.holder_masked, sizeof f.holder_masked, "%s", card->name_masked);
	snprintf(f.step, sizeof f.step, "%s", m->step);
	snprintf(f.code, sizeof f.code, "%s", m->code);
	snprintf(f.cause, sizeof f.cause, "%s", fault ? fault->cause : m->code);
	snprintf(f.raw, sizeof f.raw, "%s", h->raw[0] ? h->raw : m->raw);
	must(h, failure_record(h->ledger, &f, &h->e));
	h->n_failures++;
	now_ms += clear_time_ms(h, m);
}

static int
take(void *ctx, const struct failure_row *f)
{
	*(struct failure_row *)ctx = *f;
	return 0;
}

static void
failure_end(struct history *h, const char *done)
{
	static const struct failure_filter open = {.state = FAILURE_OPEN, .limit = 1};
	struct failure_row row = {0};

	must(h, failure_find(h->ledger, &open, take, &row, NULL, &h->e));
	must(h, failure_cleared(h->ledger, row.id, done, &h->e));
	if (dice(h, 12) == 0)
		must(h, failure_note(h->ledger, row.id, row.operator_name,
				"dust on the feed rollers", "wiped with a cleaning card", NULL,
				&h->e));
}

/* The steps of one card; a mishap comes at its step and answers by the fault's action. */
static void
card_make(struct history *h, const struct machine *m, struct card_row *row)
{
	const struct mishap *bad = mishap_draw(h, m);
	const struct fault_row *fault = bad ? fault_by_code(bad->code) : NULL;
	bool lost = fault && (fault->action == FAULT_REJECT || fault->action == FAULT_SPOIL);
	bool at_feed = bad && strcmp(bad->step, "feed") == 0;
	struct card_row fresh;

	if (at_feed && !lost) {
		failure_have(h, row, bad);
		failure_end(h, NULL);
		bad = NULL;
	}
	card_to(h, m, row, CARD_FEEDING, 1);
	if (!at_feed || !lost) {
		card_to(h, m, row, CARD_AT_STATION, 3);
		card_to(h, m, row, CARD_ENCODING, 1);
	}
	if (bad && strcmp(bad->step, "encode") != 0 && !at_feed) {
		card_to(h, m, row, CARD_ENCODED, 2);
		card_to(h, m, row, CARD_PRINTING, 1);
	}
	if (bad) {
		failure_have(h, row, bad);
		if (lost && fault->action == FAULT_REJECT)
			card_to(h, m, row, CARD_REJECTING, 1);
		if (lost)
			card_to(h, m, row,
				fault->action == FAULT_REJECT ? CARD_REJECTED : CARD_SPOILED, 3);
		failure_end(h, !lost ? NULL
			       : fault->action == FAULT_REJECT
				       ? "card rejected, a fresh one takes its place"
				       : "card taken out by hand, a fresh one takes its place");
	}
	if (lost) {
		must(h, ledger_card_retry(h->ledger, row, &fresh, &h->e));
		*row = fresh;
		card_to(h, m, row, CARD_FEEDING, 1);
		card_to(h, m, row, CARD_AT_STATION, 3);
		card_to(h, m, row, CARD_ENCODING, 1);
	}
	if (row->state == CARD_ENCODING)
		card_to(h, m, row, CARD_ENCODED, 2);
	if (row->state == CARD_ENCODED)
		card_to(h, m, row, CARD_PRINTING, 1);
	card_to(h, m, row, CARD_DONE, 24);
	h->n_cards++;
}

static void
order_make(struct history *h, const struct machine *m, unsigned n_cards)
{
	struct job_row job = {.cups_id = (int)++h->n_orders, .n_cards = n_cards};
	bool again;

	snprintf(job.uuid, sizeof job.uuid, "urn:uuid:00000000-0000-4000-8000-%012x", h->n_orders);
	snprintf(job.batch_hash, sizeof job.batch_hash, "batch-%u", h->n_orders);
	snprintf(job.order, sizeof job.order, "2026-%04u", h->n_orders);
	snprintf(job.template_name, sizeof job.template_name, "special-operation");
	snprintf(job.printer, sizeof job.printer, "%s", m->printer);
	snprintf(job.printer_model, sizeof job.printer_model, "%s", m->model);
	snprintf(job.printer_serial, sizeof job.printer_serial, "%s", m->serial);
	snprintf(job.station, sizeof job.station, "%s", m->station);
	snprintf(job.user, sizeof job.user, "%s", operators[dice(h, ARRAY_LEN(operators))]);
	must(h, ledger_job_admit(h->ledger, &job, &again, &h->e));
	for (unsigned i = 1; i <= n_cards; i++) {
		struct card_row in = {.key.card = i, .key.copy = 1, .counter_before = -1}, row;

		snprintf(in.key.job_uuid, sizeof in.key.job_uuid, "%s", job.uuid);
		snprintf(in.number_masked, sizeof in.number_masked, "T3301**********%02u", i % 100);
		snprintf(in.name_masked, sizeof in.name_masked, "王*");
		snprintf(in.printer_serial, sizeof in.printer_serial, "%s", m->serial);
		snprintf(in.record_hash, sizeof in.record_hash, "record-%u-%u", h->n_orders, i);
		must(h, ledger_card_admit(h->ledger, &in, &row, &h->e));
		card_make(h, m, &row);
	}
	must(h, ledger_job_state(h->ledger, job.uuid, "done", &h->e));
}

/* The reviewer signs yesterday's list in the morning; the last week is still open. */
static void
day_review(struct history *h, int64_t day)
{
	int64_t *ids = NULL;
	size_t n = 0;

	must(h, review_day_ids(h->ledger, day, &ids, &n, &h->e));
	if (n > 0) {
		must(h, failure_review(h->ledger, ids, n, "chen", PASS, NULL, &h->e));
		h->n_reviews++;
	}
	free(ids);
}

/* Each machine's ribbons are of one lot for a while; the bad ones are of a lot of their own. */
static void
ribbons_load(struct history *h)
{
	char lot[24];

	for (unsigned m = 0; m < ARRAY_LEN(machines); m++) {
		unsigned now = h->bad_ribbon && m == 0 ? 99 : h->days / 20 + 1;

		if (now == h->lots[m])
			continue;
		h->lots[m] = now;
		snprintf(lot, sizeof lot, "R26%02u", now);
		must(h, ribbon_load(h->ledger, machines[m].serial, lot, &h->e));
	}
	h->days++;
}

static void
day_make(struct history *h, int64_t day, bool reviewed)
{
	int64_t morning = day_begin_ms(day) + 8 * HOUR_MS;

	h->weekday = (unsigned)((day + 4) % 7);
	if (h->weekday == 0)
		return;
	boot_ms = morning - 20 * MINUTE_MS;
	now_ms = morning;
	snprintf(h->ledger->boot, sizeof h->ledger->boot, "start-%lld", (long long)day);
	ribbons_load(h);
	if (reviewed)
		for (int64_t back = 3; back >= 1; back--)
			day_review(h, day - back);
	/* The machines work one after the other here: the ledger has one order of events. */
	for (size_t m = 0; m < ARRAY_LEN(machines); m++)
		for (unsigned left = h->cards_a_day; left > 0;) {
			unsigned n = 20 + dice(h, 60);

			n = n < left ? n : left;
			order_make(h, &machines[m], n);
			left -= n;
		}
}

static void
people_make(struct history *h)
{
	struct person p;

	for (size_t i = 0; i < ARRAY_LEN(operators); i++)
		must(h, person_add(h->ledger, operators[i], "operator", operators[i], PASS, &p,
				&h->e));
	must(h, person_add(h->ledger, "chen", "reviewer", "chen", PASS, &p, &h->e));
	must(h, person_add(h->ledger, "retention", "custodian", "", PASS, &p, &h->e));
}

static const char *
option(int argc, char **argv, const char *name, const char *fallback)
{
	for (int i = 2; i + 1 < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return argv[i + 1];
	return fallback;
}

int
main(int argc, char **argv)
{
	struct history h = {.reviews = true};
	int64_t end = 0;

	if (argc < 2 || day_parse(option(argc, argv, "--end", "2026-11-20"), &end) != 0) {
		fprintf(stderr, "failure-history LEDGER [--months N] [--end YYYY-MM-DD] [--cards "
				"A-DAY] [--seed N] [--no-reviews]\n");
		return 64;
	}
	unsigned months = (unsigned)strtoul(option(argc, argv, "--months", "3"), NULL, 10);
	h.cards_a_day = (unsigned)strtoul(option(argc, argv, "--cards", "40"), NULL, 10);
	h.random = strtoull(option(argc, argv, "--seed", "7"), NULL, 10) * 2654435769u + 1;
	h.raw = option(argc, argv, "--raw", "");
	for (int i = 2; i < argc; i++)
		h.reviews = h.reviews && strcmp(argv[i], "--no-reviews") != 0;
	must(&h, ledger_open(&h.ledger, argv[1], LEDGER_WRITE, &h.e));
	h.ledger->clock_ms = workshop_clock;
	h.ledger->up_ms = workshop_up;
	sqlite3_exec(h.ledger->db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
	int64_t first = end;
	while (day_kept(first, months) >= end)
		first--;
	now_ms = day_begin_ms(first) + 7 * HOUR_MS;
	boot_ms = now_ms - HOUR_MS;
	people_make(&h);
	for (int64_t day = first + 1; day <= end; day++) {
		h.bad_ribbon = day - first > 40 && day - first < 54;
		day_make(&h, day, h.reviews && day < end - 6);
	}
	ledger_close(h.ledger);
	printf("%u orders, %u cards, %u failures, %u signatures\n", h.n_orders, h.n_cards,
		h.n_failures, h.n_reviews);
	return 0;
}
