/*
 * type2.c - NDEF messages on NTAG21x and MIFARE Ultralight.
 *
 * Owns the pages of a tag: what is read, the order of writes, the locks. Guarantees: the pages of
 * number and maker are never written, locks only by type2_lock; a tag that an interruption left
 * shows an empty message; what is called written was read back after a field reset; the printing
 * pass writes on blank tags only. On failure err.fault says what the tag is good for.
 *
 *   page 0-1 number | 2 ... lock lock | 3 E1 version size/8 access | 4 ... user memory
 *   user memory: TLVs | 03 length message | FE       length: 1 byte, or FF and 2
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/type2.h"

#include <stdio.h>
#include <string.h>

enum { PAGE = 4, PAGE_LOCK = 2, PAGE_CC = 3, PAGE_USER = 4 };
enum { TLV_NULL = 0x00, TLV_NDEF = 0x03, TLV_END = 0xfe, LONG = 0xff };
enum { CC_MAGIC = 0xe1, ACCESS_READ_ONLY = 0x0f };

/* By the size the tag declares: NXP's data sheets of NTAG213/215/216 and Ultralight. */
static const struct tag_kind {
	uint8_t size;
	uint8_t lock_page; /* of the dynamic locks; 0: has none */
	uint8_t lock[3];
	uint8_t lead_len, lead[5]; /* before the message of a new one: the lock control TLV */
} tag_kinds[] = {
	{0x06, 0, {0}, 0, {0}},
	{0x12, 0x28, {0xff, 0x0f, 0x00}, 5, {0x01, 0x03, 0xa0, 0x0c, 0x34}},
	{0x3e, 0x82, {0xff, 0x00, 0x00}, 0, {0}},
	{0x6d, 0xe2, {0xff, 0x3f, 0x00}, 0, {0}},
};

static const struct tag_kind *
tag_kind_find(unsigned capacity)
{
	for (size_t i = 0; i < ARRAY_LEN(tag_kinds); i++)
		if (tag_kinds[i].size * 8u == capacity)
			return &tag_kinds[i];
	return NULL;
}

static int
tag_fault(struct err *e, enum fault fault, const char *what, unsigned page)
{
	char raw[ERR_RAW_MAX];

	snprintf(raw, sizeof raw, "%s, page %u", what, page);
	return fault_set(e, fault, raw);
}

/* ---- selection ---- */

int
type2_type_check(const struct chip_id *id, struct err *e)
{
	return id->sak == 0 && id->uid_len == 7
		       ? 0
		       : fault_set(e, FAULT_CHIP_TYPE, "not a tag of type 2");
}

/* After a broken exchange the tag has to be selected anew. */
static int
tag_again(struct station *s, const struct chip_id *id, bool reset, struct err *e)
{
	struct chip_id seen = {0};
	int rc = reset ? s->driver->field_reset(s, e) : 0;

	if (rc == 0)
		rc = s->driver->select(s, id, &seen, e);
	if (rc == 0 && seen.uid_len == 0)
		rc = fault_set(e, FAULT_CHIP_REMOVED, "the UID does not answer any more");
	return rc;
}

/* ---- reading ---- */

static int
pages_read(struct station *s, unsigned page, uint8_t out[CHIP_BLOCK_LEN], const struct chip_id *id,
	struct err *e)
{
	int rc = s->driver->read(s, page, out, e);

	if (rc && tag_again(s, id, false, e) == 0)
		rc = s->driver->read(s, page, out, e);
	return rc;
}

/* Finds the message's TLV; true if user memory can be understood. */
static bool
message_find(struct type2_tag *t)
{
	size_t at = 0;

	t->tlv_at = t->message_at = t->message_len = 0;
	while (at < t->capacity && t->user[at] != TLV_END) {
		const size_t begin = at;
		if (t->user[at] == TLV_NULL) {
			at++;
			continue;
		}
		if (at + 2 > t->capacity)
			return false;
		size_t len = t->user[at + 1], head = 2;
		if (len == LONG) {
			if (at + 4 > t->capacity)
				return false;
			len = (size_t)t->user[at + 2] << 8 | t->user[at + 3];
			head = 4;
		}
		if (at + head + len > t->capacity)
			return false;
		if (t->user[begin] == TLV_NDEF) {
			t->tlv_at = begin;
			t->message_at = begin + head;
			t->message_len = len;
			return true;
		}
		at += head + len;
	}
	t->tlv_at = at < t->capacity ? at : 0;
	return true;
}

static int
user_read(struct station *s, struct type2_tag *t, struct err *e)
{
	uint8_t four[CHIP_BLOCK_LEN];
	int rc = 0;

	memset(t->user, 0, sizeof t->user);
	for (size_t at = 0; rc == 0 && at < t->capacity; at += CHIP_BLOCK_LEN) {
		size_t n = t->capacity - at < sizeof four ? t->capacity - at : sizeof four;
		rc = pages_read(s, (unsigned)(PAGE_USER + at / PAGE), four, &t->id, e);
		if (rc == 0)
			memcpy(t->user + at, four, n);
	}
	return rc;
}

/* All of the tag with the number out->id. */
static int
tag_load(struct station *s, struct type2_tag *out, struct err *e)
{
	uint8_t head[CHIP_BLOCK_LEN];
	const uint8_t *lock = head + (size_t)PAGE_LOCK * PAGE + 2,
		      *cc = head + (size_t)PAGE_CC * PAGE;
	int rc = pages_read(s, 0, head, &out->id, e);

	if (rc)
		return rc;
	out->capacity = cc[2] * 8u;
	if (cc[0] != CC_MAGIC || out->capacity == 0 || out->capacity > TYPE2_USER_MAX)
		return fault_set(e, FAULT_CHIP_TYPE, "no capability container of an NDEF tag");
	out->locked = (cc[3] & ACCESS_READ_ONLY) != 0 || lock[0] >> PAGE_USER || lock[1];
	rc = user_read(s, out, e);
	if (rc == 0 && !message_find(out))
		out->tlv_at = 0;
	return rc;
}

int
type2_read(struct station *s, unsigned wait_ms, struct type2_tag *out, struct err *e)
{
	*out = (struct type2_tag){0};
	int rc = chip_find(s, wait_ms, &out->id, e);
	if (rc == 0)
		rc = type2_type_check(&out->id, e);
	return rc ? rc : tag_load(s, out, e);
}

/* ---- writing ---- */

static int
page_put(struct station *s, const struct chip_id *id, unsigned page, const uint8_t want[PAGE],
	struct err *e)
{
	uint8_t seen[CHIP_BLOCK_LEN];
	struct err cause = {0};

	for (unsigned i = 0; i < 2; i++) {
		int rc = 0;
		if (s->driver->write_page(s, page, want, &cause) != 0)
			rc = tag_again(s, id, false, e);
		if (rc == 0)
			rc = pages_read(s, page, seen, id, e);
		if (rc)
			return rc;
		if (memcmp(seen, want, PAGE) == 0)
			return 0;
	}
	return tag_fault(e, FAULT_CHIP_WRITE, "not as written after two writes", page);
}

/* Pages of user memory that differ; t->user follows what is on the tag. */
static int
user_put(struct station *s, struct type2_tag *t, const uint8_t *want, struct err *e)
{
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < t->capacity; at += PAGE) {
		if (memcmp(t->user + at, want + at, PAGE) == 0)
			continue;
		rc = page_put(s, &t->id, (unsigned)(PAGE_USER + at / PAGE), want + at, e);
		if (rc == 0)
			memcpy(t->user + at, want + at, PAGE);
	}
	return rc;
}

/* Appends the message with its TLV to the lead bytes that out begins with; the rest becomes zero.
 */
static void
user_build(uint8_t out[TYPE2_USER_MAX], size_t lead, const uint8_t *message, size_t len)
{
	size_t at = lead;

	memset(out + lead, 0, TYPE2_USER_MAX - lead);
	out[at++] = TLV_NDEF;
	if (len >= LONG) {
		out[at++] = LONG;
		out[at++] = (uint8_t)(len >> 8);
	}
	out[at++] = (uint8_t)len;
	if (len)
		memcpy(out + at, message, len);
	if (at + len < TYPE2_USER_MAX)
		out[at + len] = TLV_END;
}

/* Makes user memory what want says, with the message's TLV at byte at, and proves it. */
static int
user_replace(struct station *s, struct type2_tag *t, const uint8_t want[TYPE2_USER_MAX], size_t at,
	struct err *e)
{
	uint8_t empty[TYPE2_USER_MAX];

	if (!s->driver->write_page)
		return err_set(
			e, ERR_USAGE, _("This kind of reader cannot write tags; use another one."));
	/* First the old message loses its length, so that no page of it is taken for the new one.
	 */
	memcpy(empty, t->user, sizeof empty);
	empty[at] = TLV_NDEF;
	empty[at + 1] = 0;
	int rc = user_put(s, t, empty, e);
	memcpy(empty, want, sizeof empty);
	empty[at + 1] = 0;
	if (rc == 0)
		rc = user_put(s, t, empty, e);
	if (rc == 0)
		rc = user_put(s, t, want, e);
	if (rc == 0)
		rc = tag_again(s, &t->id, true, e);
	if (rc == 0)
		rc = user_read(s, t, e);
	if (rc == 0 && memcmp(t->user, want, t->capacity) != 0)
		rc = fault_set(e, FAULT_CHIP_VERIFY, "not as written after a field reset");
	if (rc == 0)
		message_find(t);
	return rc;
}

int
type2_write(
	struct station *s, struct type2_tag *t, const uint8_t *message, size_t len, struct err *e)
{
	uint8_t want[TYPE2_USER_MAX];
	const size_t head = len < LONG ? 2 : 4, at = t->tlv_at;

	if (t->locked)
		return fault_set(e, FAULT_CHIP_USED, "the tag is locked");
	if (at + head + len > t->capacity)
		return err_set(e, ERR_INPUT,
			_("The message has %zu bytes; this tag holds %zu. Shorten ndef.map or use "
			  "a "
			  "larger tag."),
			len, t->capacity > at + head ? t->capacity - at - head : 0);
	memcpy(want, t->user, at);
	user_build(want, at, message, len);
	return user_replace(s, t, want, at, e);
}

/* ---- the tag of a printing pass ---- */

/* Pages that are neither blank nor as an encoding of want begins and ends: torn ones, or others'.
 */
static unsigned
pages_foreign(const uint8_t *user, const uint8_t *want, size_t lead, size_t capacity, bool resume)
{
	static const uint8_t zero[PAGE];
	uint8_t fresh[TYPE2_USER_MAX], empty[TYPE2_USER_MAX];
	unsigned n = 0;

	memcpy(fresh, want, lead);
	user_build(fresh, lead, NULL, 0);
	memcpy(empty, want, sizeof empty);
	empty[lead + 1] = 0;
	for (size_t at = 0; at < capacity; at += PAGE) {
		const uint8_t *page = user + at;
		bool known = memcmp(page, fresh + at, PAGE) == 0 ||
			     (at >= lead && memcmp(page, zero, PAGE) == 0) ||
			     (resume && (memcmp(page, want + at, PAGE) == 0 ||
						memcmp(page, empty + at, PAGE) == 0));
		n += !known;
	}
	return n;
}

/* Plans the image behind the lead bytes; false: more than most pages are somebody else's. */
static bool
plan_fits(uint8_t want[TYPE2_USER_MAX], const struct type2_tag *t, const uint8_t *lead,
	size_t lead_len, const struct tag_image *image, bool resume, unsigned most)
{
	if (lead_len + (image->len < LONG ? 2 : 4) + image->len > t->capacity)
		return false;
	memmove(want, lead, lead_len);
	user_build(want, lead_len, image->message, image->len);
	return pages_foreign(t->user, want, lead_len, t->capacity, resume) <= most;
}

/*
 * What is to stand on the tag; *at: the message's TLV. What an interrupted tag has before it cannot
 * be believed where it shares a page with the TLV, for that page may be torn: the bytes of a new
 * tag are taken then, and a tag that began otherwise is given up.
 */
static int
plan_build(uint8_t want[TYPE2_USER_MAX], size_t *at, const struct type2_tag *t,
	const struct tag_image *image, bool resume, struct err *e)
{
	const struct tag_kind *kind = tag_kind_find(t->capacity);

	*at = resume && kind ? kind->lead_len : t->tlv_at;
	if (plan_fits(want, t, resume && kind ? kind->lead : t->user, *at, image, resume, resume))
		return 0;
	*at = t->tlv_at;
	if (resume && *at % PAGE == 0 && plan_fits(want, t, t->user, *at, image, true, 1))
		return 0;
	return fault_set(e, FAULT_CHIP_USED, "the tag holds other data");
}

int
type2_encode(struct station *s, const struct chip_id *id, const struct tag_image *image,
	bool resume, struct err *e)
{
	struct type2_tag t = {.id = *id};
	uint8_t want[TYPE2_USER_MAX];
	size_t at = 0;
	int rc = type2_type_check(id, e);

	/* A tag with a new number after each reset cannot be found again: seen before anything is
	 * written. */
	if (rc == 0)
		rc = tag_again(s, id, true, e);
	if (rc == 0)
		rc = tag_load(s, &t, e);
	if (rc == 0 && t.capacity != image->capacity)
		rc = fault_set(e, FAULT_CHIP_TYPE, "a tag of another size than ndef.map asks for");
	if (rc == 0)
		rc = plan_build(want, &at, &t, image, resume, e);
	if (rc)
		return rc;
	const bool stands = memcmp(t.user, want, t.capacity) == 0;
	if (t.locked && !(resume && image->lock && stands))
		return fault_set(e, FAULT_CHIP_USED, "the tag is locked");
	if (!stands)
		rc = user_replace(s, &t, want, at, e);
	if (rc || !image->lock)
		return rc;
	rc = type2_lock(s, &t, e);
	if (rc == 0)
		rc = tag_again(s, id, true, e);
	if (rc == 0)
		rc = tag_load(s, &t, e);
	if (rc == 0 && (!t.locked || memcmp(t.user, want, t.capacity) != 0))
		rc = fault_set(e, FAULT_CHIP_VERIFY, "not as locked after a field reset");
	return rc;
}

/* ---- locking ---- */

/* Bits are only ever added, so a lost or torn write is repeated; what is set is read back. */
static int
bits_put(struct station *s, const struct chip_id *id, unsigned page, const uint8_t bits[PAGE],
	struct err *e)
{
	uint8_t seen[CHIP_BLOCK_LEN];
	struct err cause = {0};

	for (unsigned i = 0; i < 2; i++) {
		bool set = true;
		int rc = 0;
		if (s->driver->write_page(s, page, bits, &cause) != 0)
			rc = tag_again(s, id, false, e);
		if (rc == 0)
			rc = pages_read(s, page, seen, id, e);
		if (rc)
			return rc;
		for (unsigned k = 0; k < PAGE; k++)
			set = set && (seen[k] & bits[k]) == bits[k];
		if (set)
			return 0;
	}
	return tag_fault(e, FAULT_CHIP_WRITE, "the lock did not take", page);
}

int
type2_lock(struct station *s, struct type2_tag *t, struct err *e)
{
	static const uint8_t read_only[PAGE] = {0, 0, 0, ACCESS_READ_ONLY},
			     all[PAGE] = {0, 0, 0xff, 0xff};
	const struct tag_kind *kind = tag_kind_find(t->capacity);

	if (!kind || !s->driver->write_page)
		return fault_set(e, FAULT_CHIP_TYPE, "no known way to lock a tag of this size");
	int rc = bits_put(s, &t->id, PAGE_CC, read_only, e);
	if (rc == 0 && kind->lock_page) {
		const uint8_t bits[PAGE] = {kind->lock[0], kind->lock[1], kind->lock[2], 0};
		rc = bits_put(s, &t->id, kind->lock_page, bits, e);
	}
	/* Last: from here on the lock bits themselves are locked too. */
	if (rc == 0)
		rc = bits_put(s, &t->id, PAGE_LOCK, all, e);
	t->locked = rc == 0;
	return rc;
}
