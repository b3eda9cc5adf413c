/*
 * batch-zip.c - the ZIP around a batch's entries, read where it lies.
 *
 * Owns nothing: file or memory belong to the caller. Guarantees: every length is checked before a
 * read; opening costs three short reads however many entries there are, so that neither the first
 * card nor the memory waits for the last photo; a walk finds every byte that no entry covers. Takes
 * only what batch-write.c makes: stored entries without extra fields or comments. On failure
 * ERR_INPUT without words; the caller knows what it looked for.
 *
 * Formats: APPNOTE.TXT of PKWARE, sections 4.3.7, 4.3.12, 4.3.16. Numbers are little-endian.
 *
 *   local header     PK 3 4, version u16, flags u16, method u16, time u32, crc u32, packed u32,
 *                    size u32, name length u16, extra length u16, name
 *   table's record   PK 1 2, made by u16, then as above up to the extra length, comment length u16,
 *                    disk u16, internal u16, external u32, local header's byte u32, name
 *   end              PK 5 6, disk u16, disk u16, entries u16, entries u16, table's bytes u32,
 *                    table's byte u32, comment length u16
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/batch-layout.h"
#include "filters/le.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { RECORD_LEN = 46, END_LEN = 22, TAIL_LEN = 512 };

static unsigned
le16_get(const uint8_t *p)
{
	return p[0] | (unsigned)p[1] << 8;
}

int
batch_zip_read(const struct batch_zip *z, uint64_t at, void *out, size_t len)
{
	uint8_t *to = out;

	if (at > z->size || len > z->size - at)
		return ERR_INPUT;
	if (z->bytes) {
		memcpy(to, z->bytes + at, len);
		return 0;
	}
	while (len) {
		ssize_t n = pread(z->fd, to, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR_INPUT;
		to += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* What both kinds of header say from the flags to the extra length; the name is read by the caller.
 * Flags and method 0: a plain stored entry whose sizes stand here. */
static int
slot_parse(struct batch_slot *out, const uint8_t *p)
{
	unsigned name_len = le16_get(p + 20);

	if (le32_get(p) || le16_get(p + 22) || le32_get(p + 12) != le32_get(p + 16) || !name_len ||
		name_len >= sizeof out->name)
		return ERR_INPUT;
	out->crc = le32_get(p + 8);
	out->size = le32_get(p + 16);
	memset(out->name, 0, sizeof out->name);
	return (int)name_len;
}

static int
slot_name(const struct batch_zip *z, uint64_t at, struct batch_slot *slot, size_t len)
{
	if (batch_zip_read(z, at, slot->name, len) || strlen(slot->name) != len)
		return ERR_INPUT;
	return 0;
}

int
batch_zip_slot(const struct batch_zip *z, uint64_t at, struct batch_slot *out)
{
	uint8_t head[BATCH_LOCAL_LEN];
	int len;

	if (at >= z->directory || batch_zip_read(z, at, head, sizeof head) ||
		memcmp(head, "PK\3\4", 4) || (len = slot_parse(out, head + 6)) < 0 ||
		slot_name(z, at + BATCH_LOCAL_LEN, out, (size_t)len))
		return ERR_INPUT;
	uint64_t data_at = at + BATCH_LOCAL_LEN + (unsigned)len;
	if (data_at + out->size > z->directory)
		return ERR_INPUT;
	out->at = (uint32_t)at;
	out->data_at = (uint32_t)data_at;
	return 0;
}

/* The record of the table at a byte; *end is the byte behind it. Its data_at is not set. */
static int
record_read(const struct batch_zip *z, uint64_t at, struct batch_slot *out, uint64_t *end)
{
	uint8_t head[RECORD_LEN];
	int len;

	if (at < z->directory || batch_zip_read(z, at, head, sizeof head) ||
		memcmp(head, "PK\1\2", 4) || (len = slot_parse(out, head + 8)) < 0 ||
		le32_get(head + 32) || slot_name(z, at + RECORD_LEN, out, (size_t)len))
		return ERR_INPUT;
	out->at = le32_get(head + 42);
	*end = at + RECORD_LEN + (unsigned)len;
	return *end > z->size - END_LEN ? ERR_INPUT : 0;
}

static bool
slots_equal(const struct batch_slot *a, const struct batch_slot *b)
{
	return !strcmp(a->name, b->name) && a->at == b->at && a->size == b->size &&
	       a->crc == b->crc;
}

int
batch_zip_open(struct batch_zip *z, struct batch_slot *manifest)
{
	const size_t last_len = RECORD_LEN + sizeof ENTRY_MANIFEST - 1;
	struct batch_slot record;
	uint8_t end[END_LEN];
	uint64_t record_end;

	if (z->size < END_LEN + last_len || z->size > BATCH_FILE_MAX ||
		batch_zip_read(z, z->size - END_LEN, end, sizeof end) || memcmp(end, "PK\5\6", 4) ||
		le32_get(end + 4) || le16_get(end + 8) != le16_get(end + 10) ||
		le16_get(end + 20) ||
		(uint64_t)le32_get(end + 16) + le32_get(end + 12) != z->size - END_LEN)
		return ERR_INPUT;
	z->n_entries = le16_get(end + 8);
	z->directory = le32_get(end + 16);
	uint64_t last = z->size - END_LEN - last_len;
	if (record_read(z, last, &record, &record_end) || batch_zip_slot(z, record.at, manifest))
		return ERR_INPUT;
	if (strcmp(record.name, ENTRY_MANIFEST) || !slots_equal(&record, manifest))
		return ERR_INPUT;
	return manifest->data_at + manifest->size == z->directory ? 0 : ERR_INPUT;
}

bool
batch_zip_first_version(const struct batch_zip *z)
{
	static const char records[] = ENTRY_RECORDS, list[] = ENTRY_LIST;
	uint8_t tail[TAIL_LEN];
	size_t len = z->size < sizeof tail ? (size_t)z->size : sizeof tail;

	return !batch_zip_read(z, z->size - len, tail, len) &&
	       memmem(tail, len, records, sizeof records - 1) &&
	       !memmem(tail, len, list, sizeof list - 1);
}

int
batch_zip_next(const struct batch_zip *z, struct batch_walk *w, struct batch_slot *out)
{
	struct batch_slot record;
	uint64_t end;

	if (record_read(z, w->directory_at, &record, &end) || record.at != w->at ||
		batch_zip_slot(z, w->at, out) || !slots_equal(&record, out))
		return ERR_INPUT;
	w->at = out->data_at + out->size;
	w->directory_at = (uint32_t)end;
	return 0;
}

int
batch_zip_end(const struct batch_zip *z, const struct batch_walk *w)
{
	return w->at == z->directory && w->directory_at == z->size - END_LEN ? 0 : ERR_INPUT;
}
