/*
 * test-mifare.c - writing and proving a chip, against a chip in memory.
 *
 * The chip below knows sectors, keys, access conditions and the states a real one has; it can lose,
 * tear or half-answer any write and can leave the field. Its rules are the data sheet's tables,
 * kept apart from drivers/access.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum write_fault {
	WRITE_GOOD,
	WRITE_LOST_ANSWERED, /* not written, the reader says it was */
	WRITE_LOST,          /* not written, no answer */
	WRITE_DONE_UNHEARD,  /* written, no answer */
	WRITE_TORN,          /* half written, the chip loses its power for a moment */
	WRITE_REMOVED        /* the chip is gone before it */
};

struct fake {
	struct station station;
	uint8_t block[CHIP_BLOCKS][CHIP_BLOCK_LEN];
	struct chip_id id;
	bool present, selected, halted, other_uid;
	int open; /* sector, -1 */
	enum key_kind kind;
	unsigned writes, exchanges, first_write_at, auths;
	unsigned fault_at; /* 1-based number of the write */
	unsigned fault_count;
	enum write_fault fault;
	unsigned deaf_at; /* number of an exchange that gets no answer */
	bool reader_gone;
	uint64_t written; /* blocks ever written */
	unsigned order[128], n_order;
	struct chip_id in_field[2];
	unsigned selects_empty;
};

static const uint8_t factory_trailer[CHIP_BLOCK_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0x07, 0x80, 0x69, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* C1C2C3 of block i in its trailer, -1 if the copies disagree. */
static int
condition(const uint8_t *t, unsigned i)
{
	unsigned c1 = t[7] >> (4 + i) & 1, c2 = t[8] >> i & 1, c3 = t[8] >> (4 + i) & 1;
	unsigned n1 = t[6] >> i & 1, n2 = t[6] >> (4 + i) & 1, n3 = t[7] >> i & 1;

	return c1 == n1 || c2 == n2 || c3 == n3 ? -1 : (int)(c1 << 2 | c2 << 1 | c3);
}

static int
fake_fault(struct fake *f, enum fault fault, struct err *e)
{
	f->selected = false;
	f->open = -1;
	return fault_set(e, fault, "fake");
}

/* Counts an exchange; true if it goes unanswered. */
static bool
fake_deaf(struct fake *f)
{
	return ++f->exchanges == f->deaf_at;
}

static int
fake_reset(struct station *s, struct err *e)
{
	struct fake *f = (struct fake *)s;

	f->selected = f->halted = false;
	f->open = -1;
	return f->reader_gone ? fault_set(e, FAULT_READER_GONE, NULL) : 0;
}

static int
fake_select(struct station *s, const struct chip_id *want, struct chip_id *out, struct err *e)
{
	struct fake *f = (struct fake *)s;

	*out = (struct chip_id){0};
	f->selected = false;
	f->open = -1;
	if (f->reader_gone)
		return fault_set(e, FAULT_READER_GONE, NULL);
	if (f->selects_empty) {
		f->selects_empty--;
		return 0;
	}
	if (fake_deaf(f) || !f->present)
		return 0;
	if (want && (f->other_uid || memcmp(want->uid, f->id.uid, f->id.uid_len) != 0))
		return 0;
	*out = f->id;
	f->selected = true;
	f->halted = false;
	return 0;
}

static int
fake_authenticate(struct station *s, const struct chip_id *id, unsigned block, enum key_kind kind,
	const uint8_t key[MIFARE_KEY_LEN], struct err *e)
{
	struct fake *f = (struct fake *)s;
	const uint8_t *t = f->block[block / 4 * 4 + 3];

	f->auths++;
	assert_memory_equal(id->uid, f->id.uid, f->id.uid_len);
	if (fake_deaf(f))
		return fake_fault(f, FAULT_CHIP_REMOVED, e);
	if (!f->present || !f->selected || condition(t, 3) < 0)
		return fake_fault(f, FAULT_CHIP_USED, e);
	bool readable_b = condition(t, 3) == 0 || condition(t, 3) == 2 || condition(t, 3) == 1;
	if (kind == KEY_B && readable_b)
		return fake_fault(f, FAULT_CHIP_USED, e);
	if (memcmp(key, kind == KEY_A ? t : t + 10, MIFARE_KEY_LEN) != 0)
		return fake_fault(f, FAULT_CHIP_USED, e);
	f->open = (int)(block / 4);
	f->kind = kind;
	return 0;
}

static int
fake_read(struct station *s, unsigned block, uint8_t out[CHIP_BLOCK_LEN], struct err *e)
{
	struct fake *f = (struct fake *)s;

	if (fake_deaf(f) || !f->present || f->open != (int)(block / 4))
		return fake_fault(f, FAULT_CHIP_VERIFY, e);
	memcpy(out, f->block[block], CHIP_BLOCK_LEN);
	if (block % 4 == 3) {
		memset(out, 0, 6);
		if (condition(f->block[block], 3) > 2)
			memset(out + 10, 0, 6);
	}
	return 0;
}

static bool
fake_may_write(const struct fake *f, unsigned block)
{
	int c = condition(f->block[block / 4 * 4 + 3], block % 4);

	if (f->open != (int)(block / 4) || block == 0)
		return false;
	if (block % 4 == 3)
		return (c == 1 && f->kind == KEY_A) || (c == 3 && f->kind == KEY_B);
	return c == 0 || (c == 4 && f->kind == KEY_B);
}

static int
fake_write(struct station *s, unsigned block, const uint8_t in[CHIP_BLOCK_LEN], struct err *e)
{
	struct fake *f = (struct fake *)s;
	enum write_fault fault = WRITE_GOOD;

	f->writes++;
	if (f->writes == 1)
		f->first_write_at = f->auths;
	if (f->fault_at && f->writes >= f->fault_at && f->writes < f->fault_at + f->fault_count)
		fault = f->fault;
	if (fault == WRITE_REMOVED)
		f->present = false;
	if (fake_deaf(f) || !f->present || !fake_may_write(f, block))
		return fake_fault(f, FAULT_CHIP_WRITE, e);
	if (fault == WRITE_LOST)
		return fake_fault(f, FAULT_CHIP_WRITE, e);
	if (fault == WRITE_LOST_ANSWERED)
		return 0;
	if (f->n_order < ARRAY_LEN(f->order))
		f->order[f->n_order++] = block;
	f->written |= UINT64_C(1) << block;
	if (fault == WRITE_TORN) {
		for (unsigned i = 0; i < CHIP_BLOCK_LEN; i++)
			f->block[block][i] = i < 8 ? in[i] : (uint8_t)(f->block[block][i] ^ 0x5a);
		return fake_fault(f, FAULT_CHIP_WRITE, e);
	}
	memcpy(f->block[block], in, CHIP_BLOCK_LEN);
	return fault == WRITE_DONE_UNHEARD ? fake_fault(f, FAULT_CHIP_WRITE, e) : 0;
}

static const struct station_driver fake_driver = {
	.name = "fake",
	.field_reset = fake_reset,
	.select = fake_select,
	.authenticate = fake_authenticate,
	.read = fake_read,
	.write = fake_write,
};

static void
fake_init(struct fake *f)
{
	memset(f, 0, sizeof *f);
	f->station.driver = &fake_driver;
	f->id = (struct chip_id){.uid = {0x04, 0xa1, 0xb2, 0xc3},
		.uid_len = 4,
		.atqa = {0, 4},
		.sak = 8,
		.cards_in_field = 1};
	f->present = true;
	f->open = -1;
	memcpy(f->block[0], "\x04\xa1\xb2\xc3\xd4", 5);
	for (unsigned sector = 0; sector < CHIP_SECTORS; sector++)
		memcpy(f->block[sector * 4 + 3], factory_trailer, CHIP_BLOCK_LEN);
}

/* A key source without keyd: every byte tells sector and kind. */
static int
table_keys(void *ctx, const struct chip_id *id, const struct chip_image *image,
	struct chip_keys *out, struct err *e)
{
	(void)image, (void)e;
	assert_int_equal(id->uid_len, 4);
	for (unsigned sector = 0; sector < CHIP_SECTORS; sector++) {
		memset(out->key[sector][KEY_A], 0xa0 + (int)sector, MIFARE_KEY_LEN);
		memset(out->key[sector][KEY_B], 0xb0 + (int)sector, MIFARE_KEY_LEN);
		out->key[sector][KEY_A][0] = 0x11;
		out->key[sector][KEY_B][0] = 0x22;
	}
	if (ctx)
		memset(out->key[*(unsigned *)ctx][KEY_B], 0xff, MIFARE_KEY_LEN);
	memset(out->mac, 0x77, sizeof out->mac);
	out->mac[0] = 1;
	return 0;
}

static const struct key_source table = {.card_keys = table_keys};

/* The certificate's shape: blocks 4 to 42 without trailers, MAC in 1 and 2. */
static void
image_init(struct chip_image *c)
{
	memset(c, 0, sizeof *c);
	for (unsigned b = 4; b <= 42; b++) {
		if (b % 4 == 3)
			continue;
		c->data |= UINT64_C(1) << b;
		memset(c->block[b], (int)b, CHIP_BLOCK_LEN);
	}
	c->mac = 6;
}

static void
expect_finished(const struct fake *f, const struct chip_image *c)
{
	for (unsigned b = 4; b <= 42; b++)
		if (b % 4 != 3)
			assert_memory_equal(f->block[b], c->block[b], CHIP_BLOCK_LEN);
	assert_int_equal(f->block[1][0], 1);
	assert_int_equal(f->block[2][15], 0x77);
	for (unsigned s = 0; s < CHIP_SECTORS; s++) {
		const uint8_t *t = f->block[s * 4 + 3];
		assert_int_equal(t[0], 0x11);
		assert_int_equal(t[5], 0xa0 + s);
		assert_memory_equal(t + 6, "\x78\x77\x88\x69", 4);
		assert_int_equal(t[10], 0x22);
		assert_int_equal(t[15], 0xb0 + s);
	}
	assert_memory_equal(f->block[0], "\x04\xa1\xb2\xc3\xd4", 5);
}

struct rig {
	struct fake f;
	struct chip_image image;
	struct chip_report report;
	struct err e;
};

static void
rig_init(struct rig *r)
{
	memset(r, 0, sizeof *r);
	fake_init(&r->f);
	image_init(&r->image);
}

static int
rig_encode(struct rig *r, bool resume)
{
	return chip_encode(&r->f.station, &r->f.id, &r->image, &table, resume, &r->report, &r->e);
}

static void
test_good(void **state)
{
	struct rig r;
	bool same = false;

	(void)state;
	rig_init(&r);
	assert_int_equal(rig_encode(&r, false), 0);
	expect_finished(&r.f, &r.image);
	assert_true(r.report.proved);
	assert_int_equal(r.report.blocks_written, 32);
	assert_int_equal(r.report.blocks_verified, 32);
	assert_int_equal(r.report.trailers_written, 16);
	assert_int_equal(r.f.writes, 48);
	assert_int_equal(
		r.f.first_write_at, 16); /* every sector was tried before the first write */
	/* 16 tried, 10 more for the data, 16 for the trailers, 32 proved; the first is shared.
	 * Read: 16 conditions found, 32 blocks back, the MAC and 16 conditions proved. Two
	 * selections. */
	assert_int_equal(r.f.exchanges, 2 + r.f.auths + 48 + 16 + 32 + 2 + 16);
	assert_int_equal(r.f.auths, 16 + 10 + 16 + 32);
	assert_int_equal(r.f.order[0], 40);
	assert_int_equal(r.f.order[30], 1);
	assert_int_equal(r.f.order[31], 2);
	assert_int_equal(r.f.order[32], 63);
	assert_int_equal(r.f.order[47], 3);
	assert_int_equal(r.f.written & 1, 0);
	assert_int_equal(chip_verify(&r.f.station, &r.f.id, &r.image, &table, &same, &r.e), 0);
	assert_true(same);
	r.f.block[20][3] ^= 1;
	assert_int_equal(chip_verify(&r.f.station, &r.f.id, &r.image, &table, &same, &r.e), 0);
	assert_false(same);
}

static void
test_refused_before_any_write(void **state)
{
	(void)state;
	for (unsigned sector = 0; sector < CHIP_SECTORS; sector++)
		for (unsigned kind = 0; kind < 2; kind++) {
			struct rig r;
			rig_init(&r);
			if (kind)
				r.f.block[sector * 4 + 3][0] = 0;
			else /* the key opens, but the trailer is frozen: 111 */
				memcpy(r.f.block[sector * 4 + 3] + 6, "\x7f\x07\x88", 3);
			assert_int_equal(rig_encode(&r, false), ERR_FAULT);
			assert_int_equal(r.e.fault, FAULT_CHIP_USED);
			assert_int_equal(r.f.writes, 0);
		}
}

static void
test_used_chip_of_ours(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	assert_int_equal(rig_encode(&r, false), 0);
	r.f.writes = 0;
	assert_int_equal(rig_encode(&r, false), ERR_FAULT);
	assert_int_equal(r.e.fault, FAULT_CHIP_USED);
	/* resumed, it is found finished without a write */
	assert_int_equal(rig_encode(&r, true), 0);
	assert_int_equal(r.f.writes, 0);
	assert_true(r.report.proved);
	/* finished with another record's data, it is not written over */
	r.image.block[9][0] ^= 1;
	assert_int_equal(rig_encode(&r, true), ERR_FAULT);
	assert_int_equal(r.e.fault, FAULT_CHIP_VERIFY);
	assert_int_equal(r.f.writes, 0);
}

/* A write that fails once is found out and made good; a trailer that tears is not. */
static void
test_every_write(void **state)
{
	static const enum write_fault kinds[] = {
		WRITE_LOST_ANSWERED, WRITE_LOST, WRITE_DONE_UNHEARD, WRITE_TORN, WRITE_REMOVED};

	(void)state;
	for (unsigned at = 1; at <= 48; at++)
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
			struct rig r;
			rig_init(&r);
			r.f.fault_at = at;
			r.f.fault_count = 1;
			r.f.fault = kinds[k];
			int rc = rig_encode(&r, false);
			if (kinds[k] == WRITE_REMOVED) {
				assert_int_equal(r.e.fault, FAULT_CHIP_REMOVED);
				assert_false(r.report.proved);
				/* laid back and resumed, the same image results */
				r.f.present = true;
				rc = rig_encode(&r, true);
			} else if (kinds[k] == WRITE_TORN && at > 32) {
				assert_int_equal(rc, ERR_FAULT);
				assert_int_equal(r.e.fault, FAULT_CHIP_TRAILER);
				assert_int_equal(rig_encode(&r, true), ERR_FAULT);
				assert_int_equal(r.e.fault, FAULT_CHIP_TRAILER);
				continue;
			}
			assert_int_equal(rc, 0);
			assert_true(r.report.proved);
			expect_finished(&r.f, &r.image);
		}
}

/* Any one exchange may go unanswered. */
static void
test_every_exchange(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	assert_int_equal(rig_encode(&r, false), 0);
	unsigned n = r.f.exchanges;
	assert_true(n > 150);
	for (unsigned at = 1; at <= n; at++) {
		rig_init(&r);
		r.f.deaf_at = at;
		assert_int_equal(rig_encode(&r, false), 0);
		assert_true(r.report.proved);
		expect_finished(&r.f, &r.image);
	}
}

static void
test_stubborn_write(void **state)
{
	static const struct {
		enum write_fault fault;
		enum fault expected;
	} rows[] = {
		{WRITE_LOST_ANSWERED, FAULT_CHIP_VERIFY},
		{WRITE_LOST, FAULT_CHIP_WRITE},
		{WRITE_TORN, FAULT_CHIP_WRITE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig r;
		rig_init(&r);
		r.f.fault_at = 5;
		r.f.fault_count = 1000;
		r.f.fault = rows[i].fault;
		assert_int_equal(rig_encode(&r, false), ERR_FAULT);
		assert_int_equal(r.e.fault, rows[i].expected);
		assert_int_equal(r.f.writes, 6); /* repeated once, never more */
		assert_true(r.e.raw[0]);
	}
}

static void
test_other_chip(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.f.other_uid = true; /* a chip that has another UID after each field reset */
	assert_int_equal(rig_encode(&r, false), ERR_FAULT);
	assert_int_equal(r.e.fault, FAULT_CHIP_REMOVED);
	assert_int_equal(r.f.writes, 0);
	rig_init(&r);
	r.f.reader_gone = true;
	assert_true(rig_encode(&r, false) < 0);
	assert_int_equal(r.e.fault, FAULT_READER_GONE);
}

static void
test_bad_keys_and_images(void **state)
{
	struct rig r;

	(void)state;
	for (unsigned sector = 0; sector < CHIP_SECTORS; sector++) {
		rig_init(&r);
		const struct key_source bad = {.card_keys = table_keys, .ctx = &sector};
		assert_true(
			chip_encode(&r.f.station, &r.f.id, &r.image, &bad, false, NULL, &r.e) < 0);
		assert_int_equal(r.e.fault, FAULT_KEYS);
		assert_int_equal(r.f.writes, 0);
	}
	static const uint64_t wrong[] = {1, 8, UINT64_C(1) << 63};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		rig_init(&r);
		r.image.data |= wrong[i];
		assert_int_equal(rig_encode(&r, false), ERR_INTERNAL);
		assert_int_equal(r.f.writes, 0);
	}
	rig_init(&r);
	r.image.mac |= 1 << 4;
	assert_int_equal(rig_encode(&r, false), ERR_INTERNAL);
}

static void
test_select(void **state)
{
	static const struct {
		struct chip_id id;
		int fault;
	} rows[] = {
		{{.uid_len = 4, .atqa = {0, 4}, .sak = 8, .cards_in_field = 1}, 0},
		{{.uid_len = 7, .atqa = {0, 0x44}, .sak = 8, .cards_in_field = 1}, 0},
		{{.uid_len = 4, .atqa = {0, 4}, .sak = 0x88, .cards_in_field = 1}, 0},
		{{.uid_len = 4, .atqa = {0, 4}, .sak = 8, .cards_in_field = 2}, FAULT_CHIP_TWO},
		{{.uid_len = 4, .atqa = {0, 2}, .sak = 0x18, .cards_in_field = 1}, FAULT_CHIP_TYPE},
		{{.uid_len = 7, .atqa = {3, 0x44}, .sak = 0x20, .cards_in_field = 1},
			FAULT_CHIP_TYPE},
		{{.uid_len = 0}, FAULT_NO_CHIP},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig r;
		struct chip_id seen;
		rig_init(&r);
		r.f.id = rows[i].id;
		r.f.present = rows[i].id.uid_len > 0;
		int rc = chip_select(&r.f.station, 0, &seen, &r.e);
		assert_int_equal(rc == 0 ? 0 : r.e.fault, rows[i].fault);
	}
	struct rig r;
	struct chip_id seen;
	rig_init(&r);
	r.f.selects_empty = 1;
	assert_int_equal(chip_select(&r.f.station, 1000, &seen, &r.e), 0);
	assert_int_equal(seen.uid_len, 4);
}

static void
test_read_and_blank(void **state)
{
	struct rig r;
	struct chip_keys keys;
	struct chip_image seen;
	bool blank = false;

	(void)state;
	rig_init(&r);
	table_keys(NULL, &r.f.id, NULL, &keys, NULL);
	assert_int_equal(chip_blank(&r.f.station, &r.f.id, &blank, &r.e), 0);
	assert_true(blank);
	assert_int_equal(chip_read(&r.f.station, &r.f.id, &keys, 16, &seen, &r.e), ERR_FAULT);
	assert_int_equal(r.e.fault, FAULT_CHIP_USED);
	assert_int_equal(rig_encode(&r, false), 0);
	assert_int_equal(chip_blank(&r.f.station, &r.f.id, &blank, &r.e), 0);
	assert_false(blank);
	assert_int_equal(chip_read(&r.f.station, &r.f.id, &keys, r.image.data, &seen, &r.e), 0);
	for (unsigned b = 0; b < CHIP_BLOCKS; b++)
		assert_memory_equal(seen.block[b], r.image.block[b], CHIP_BLOCK_LEN);
	r.f.present = false;
	assert_true(chip_read(&r.f.station, &r.f.id, &keys, 16, &seen, &r.e) < 0);
	assert_int_equal(r.e.fault, FAULT_CHIP_REMOVED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_refused_before_any_write),
		cmocka_unit_test(test_used_chip_of_ours),
		cmocka_unit_test(test_every_write),
		cmocka_unit_test(test_every_exchange),
		cmocka_unit_test(test_stubborn_write),
		cmocka_unit_test(test_other_chip),
		cmocka_unit_test(test_bad_keys_and_images),
		cmocka_unit_test(test_select),
		cmocka_unit_test(test_read_and_blank),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
