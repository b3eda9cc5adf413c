/*
 * pass-machine.c - a card printer with a chip station, in memory.
 *
 * It has a hopper, cards with chips, an output and a reject box, and a person who clears its
 * faults. Written from drivers/driver.h, it shares nothing with the drivers. One call of one
 * function can be made to go wrong (m.inject), and the run can be cut off at any moment (crash_at,
 * signal_at).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/type2.h"
#include "tests/pass-machine.h"

#include <string.h>

struct machine m;

/* ---- ticks: a crash or a signal at any moment ---- */

unsigned tick, crash_at, signal_at;
bool cancel_now, orphan_now, signal_orphans;
jmp_buf crash;

void
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

struct printer the_printer;

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

void
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

const struct printer_driver memory_driver = {.family = "memory",
	.close = fake_close,
	.model = fake_model,
	.status = fake_status,
	.begin = fake_begin,
	.feed = fake_feed,
	.load = fake_load,
	.print = fake_print,
	.eject = fake_eject};

int
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

struct station the_station;

int
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
chip_find(struct station *s, unsigned wait_ms, struct chip_id *out, struct err *e)
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
chip_type_check(const struct chip_id *id, struct err *e)
{
	(void)id;
	(void)e;
	return 0;
}

int
type2_type_check(const struct chip_id *id, struct err *e)
{
	(void)id;
	(void)e;
	return 0;
}

/* A chip that carries a part of a record takes that record only, and only when it is resumed. */
static int
record_encode(const struct chip_id *id, unsigned record, bool resume, struct err *e)
{
	int rc = 0;

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
chip_encode(struct station *s, const struct chip_id *id, const struct chip_image *image,
	const struct key_source *keys, bool resume, struct chip_report *out, struct err *e)
{
	(void)s;
	(void)out;
	assert_non_null(keys->card_keys);
	return record_encode(id, image->block[4][0], resume, e);
}

/* None is initialised. */
int
chip_stage_take(struct station *s, const struct chip_id *id, const struct chip_image *image,
	const struct key_source *keys, bool resume, bool *taken, struct err *e)
{
	(void)s;
	(void)id;
	(void)image;
	(void)keys;
	(void)resume;
	(void)e;
	*taken = false;
	return 0;
}

int
type2_encode(struct station *s, const struct chip_id *id, const struct tag_image *image,
	bool resume, struct err *e)
{
	assert_ptr_equal(s, &the_station);
	return record_encode(id, image->message[0], resume, e);
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

int
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
