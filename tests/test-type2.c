/*
 * test-type2.c - tags of every size in memory: blank ones only, and what an interruption leaves.
 *
 * The tag here keeps pages, locks and one-time bits as NXP's data sheets say. A cut at write n
 * leaves that page with any content at all and the station deaf until a field reset; then the same
 * image is written again with resume. It must end as planned, or be rejected as used, with nothing
 * else written.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/type2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PAGE = 4, PAGES_MAX = 232, USER = 16 };

static struct {
	struct station station;
	uint8_t mem[PAGES_MAX * PAGE];
	unsigned capacity, dynamic; /* bytes of user memory; page of the dynamic locks */
	int cut_at;                 /* at this write; -1: never */
	unsigned writes;
	bool deaf;
	uint32_t random;
} tag;

static const uint8_t number[7] = {0x04, 1, 2, 3, 4, 5, 6};

static uint32_t
draw(uint32_t n)
{
	tag.random = tag.random * 1664525 + 1013904223;
	return (tag.random >> 8) % n;
}

static int
fake_reset(struct station *s, struct err *e)
{
	(void)s;
	(void)e;
	tag.deaf = false;
	return 0;
}

static int
fake_select(struct station *s, const struct chip_id *want, struct chip_id *out, struct err *e)
{
	(void)s;
	(void)want;
	(void)e;
	*out = (struct chip_id){0};
	if (tag.deaf)
		return 0;
	*out = (struct chip_id){.uid_len = 7, .atqa = {0, 0x44}, .cards_in_field = 1};
	memcpy(out->uid, number, sizeof number);
	return 0;
}

static int
fake_read(struct station *s, unsigned page, uint8_t out[CHIP_BLOCK_LEN], struct err *e)
{
	(void)s;
	if (tag.deaf)
		return fault_set(e, FAULT_CHIP_VERIFY, "deaf");
	assert_true(page + 4 <= PAGES_MAX);
	memcpy(out, tag.mem + (size_t)page * PAGE, CHIP_BLOCK_LEN);
	return 0;
}

static int
fake_write_page(struct station *s, unsigned page, const uint8_t in[4], struct err *e)
{
	const bool once = page == 2 || page == 3 || page == tag.dynamic;
	uint8_t *mem = tag.mem + (size_t)page * PAGE;

	(void)s;
	assert_true(page >= 2 && (page < 4 + tag.capacity / PAGE || page == tag.dynamic));
	if (tag.deaf)
		return fault_set(e, FAULT_CHIP_WRITE, "deaf");
	if ((int)++tag.writes == tag.cut_at) {
		tag.deaf = true;
		for (unsigned i = page == 2 ? 2 : 0; i < PAGE; i++)
			mem[i] =
				once ? (uint8_t)(mem[i] | (in[i] & draw(256))) : (uint8_t)draw(256);
		return fault_set(e, FAULT_CHIP_WRITE, "cut");
	}
	for (unsigned i = page == 2 ? 2 : 0; i < PAGE; i++)
		mem[i] = once ? mem[i] | in[i] : in[i];
	return 0;
}

static const struct station_driver fake = {.name = "fake",
	.field_reset = fake_reset,
	.select = fake_select,
	.read = fake_read,
	.write_page = fake_write_page};

static const struct size {
	unsigned capacity, dynamic;
	uint8_t lead[8];
	unsigned lead_len;
} sizes[] = {
	{48, 0, {0x03, 0x00, 0xfe}, 3},
	{144, 0x28, {0x01, 0x03, 0xa0, 0x0c, 0x34, 0x03, 0x00, 0xfe}, 8},
	{496, 0x82, {0x03, 0x00, 0xfe}, 3},
	{872, 0xe2, {0x03, 0x00, 0xfe}, 3},
};

static void
tag_new(const struct size *z)
{
	tag.station.driver = &fake;
	tag.capacity = z->capacity;
	tag.dynamic = z->dynamic ? z->dynamic : 1000;
	tag.cut_at = -1;
	tag.writes = 0;
	tag.deaf = false;
	memset(tag.mem, 0, sizeof tag.mem);
	const uint8_t cc[] = {0xe1, 0x10, (uint8_t)(z->capacity / 8), 0x00};
	memcpy(tag.mem + 12, cc, sizeof cc);
	memcpy(tag.mem + USER, z->lead, z->lead_len);
}

static void
image_make(struct tag_image *t, const struct size *z, size_t len, bool lock)
{
	*t = (struct tag_image){.capacity = z->capacity, .lock = lock, .len = len};
	for (size_t i = 0; i < len; i++)
		t->message[i] = (uint8_t)(draw(255) + 1);
}

/* What must stand in user memory, put together here anew. */
static bool
tag_holds(const struct size *z, const struct tag_image *t)
{
	uint8_t want[PAGES_MAX * PAGE] = {0};
	size_t at = z->lead_len - 3;

	memcpy(want, z->lead, at);
	want[at++] = 0x03;
	if (t->len > 254) {
		want[at++] = 0xff;
		want[at++] = (uint8_t)(t->len / 256);
	}
	want[at++] = (uint8_t)(t->len % 256);
	memcpy(want + at, t->message, t->len);
	want[at + t->len] = 0xfe;
	return memcmp(tag.mem + USER, want, z->capacity) == 0;
}

static bool
tag_locked(const struct size *z)
{
	return tag.mem[15] == 0x0f && tag.mem[10] == 0xff && tag.mem[11] == 0xff &&
	       (!z->dynamic || tag.mem[z->dynamic * PAGE] == 0xff);
}

static int
encode(const struct tag_image *t, bool resume, struct err *e)
{
	struct chip_id id = {.uid_len = 7, .cards_in_field = 1};

	*e = (struct err){0};
	memcpy(id.uid, number, sizeof number);
	return type2_encode(&tag.station, &id, t, resume, e);
}

static size_t
room(const struct size *z, size_t len)
{
	return z->capacity - (z->lead_len - 3) - (len > 254 ? 4 : 2);
}

static void
test_sizes(void **state)
{
	struct tag_image t;
	struct err e;

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(sizes); k++)
		for (size_t len = 1; len <= room(&sizes[k], len) && len <= NDEF_MESSAGE_MAX;
			len++) {
			tag_new(&sizes[k]);
			image_make(&t, &sizes[k], len, len % 5 == 0);
			if (encode(&t, false, &e) || !tag_holds(&sizes[k], &t) ||
				tag_locked(&sizes[k]) != t.lock)
				fail_msg("%u: %zu bytes: %s", t.capacity, len, e.text);
			const unsigned writes = tag.writes;
			assert_int_equal(encode(&t, true, &e), 0);
			/* finished: nothing but the locks is written again */
			assert_true(tag.writes == writes || (t.lock && tag.writes <= writes + 3));
			assert_int_equal(encode(&t, false, &e), ERR_FAULT);
			assert_int_equal(e.fault, FAULT_CHIP_USED);
		}
}

/* Every cut, each with several contents of the page it struck. */
static void
test_cuts(void **state)
{
	static const size_t lengths[] = {1, 3, 20, 44, 120, 254, 255, 256, 480, 868};
	unsigned cuts = 0, rejected = 0;
	struct tag_image t;
	struct err e;

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(sizes); k++)
		for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
			const size_t len = lengths[i];
			for (int at = 1; len <= room(&sizes[k], len); at++) {
				tag_new(&sizes[k]);
				tag.random = (uint32_t)(at * 7919 + (int)i);
				image_make(&t, &sizes[k], len, i % 2 == 0);
				tag.cut_at = at;
				if (encode(&t, false, &e) == 0 && (int)tag.writes < at)
					break;
				cuts++;
				tag.cut_at = -1;
				tag.deaf = false;
				if (encode(&t, true, &e) == 0) {
					if (!tag_holds(&sizes[k], &t) ||
						tag_locked(&sizes[k]) != t.lock)
						fail_msg("%u: %zu bytes, cut %d: called good",
							t.capacity, len, at);
					continue;
				}
				rejected++;
				if (e.fault != FAULT_CHIP_USED)
					fail_msg("%u: %zu bytes, cut %d: %s", t.capacity, len, at,
						e.text);
			}
		}
	assert_true(cuts > 1000);
	assert_int_equal(rejected, 0);
}

/* Somebody else's data, however little, is never written over; the same for another size. */
static void
test_refusals(void **state)
{
	struct tag_image t;
	struct err e;

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(sizes); k++)
		for (unsigned at = sizes[k].lead_len; at < sizes[k].capacity; at++)
			for (int resume = 0; resume < 2; resume++) {
				tag_new(&sizes[k]);
				image_make(&t, &sizes[k], 20, false);
				tag.mem[USER + at] = 0xa5;
				tag.mem[USER + sizes[k].capacity - 1 - (at + 8) % 24] ^= 0x5a;
				if (resume && at + 32 > sizes[k].capacity)
					continue; /* within one page: a torn one looks so */
				assert_int_equal(encode(&t, resume, &e), ERR_FAULT);
				assert_int_equal(e.fault, FAULT_CHIP_USED);
				assert_int_equal(tag.writes, 0);
			}
	tag_new(&sizes[1]);
	image_make(&t, &sizes[2], 20, false);
	assert_int_equal(encode(&t, false, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_CHIP_TYPE);
	image_make(&t, &sizes[1], 20, true);
	tag.mem[15] = 0x0f;
	assert_int_equal(encode(&t, true, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_CHIP_USED);
	tag_new(&sizes[1]);
	tag.mem[12] = 0;
	assert_int_equal(encode(&t, false, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_CHIP_TYPE);
	assert_int_equal(tag.writes, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
