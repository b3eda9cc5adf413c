/*
 * batch-chunk.c - one chunk of an open batch: its rows, its photos' hashes and places.
 *
 * Guarantees: what it hands out has the hash that the manifest names; memory is that of one chunk
 * however many there are. On failure nothing is loaded, and the message names the entry. The layout
 * is drawn in batch-layout.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/batch-layout.h"

#include <stdio.h>
#include <string.h>

void
batch_photo_name(char out[BATCH_NAME_MAX], unsigned number, char kind)
{
	snprintf(out, BATCH_NAME_MAX, "photos/%04u.%s", number % 10000,
		kind == 'b'   ? "bmp"
		: kind == 'p' ? "png"
			      : "jpg");
}

static unsigned
chunk_first(size_t chunk)
{
	return (unsigned)chunk * BATCH_CHUNK + 1;
}

static unsigned
chunk_last(const struct batch *b, size_t chunk)
{
	unsigned last = ((unsigned)chunk + 1) * BATCH_CHUNK;

	return last < b->info.n_records ? last : b->info.n_records;
}

static int
rows_append(struct batch *b, const struct batch_chunk *c, struct err *e)
{
	uint8_t hash[HASH_LEN];
	int rc = buf_reserve(&b->text, c->bytes, e);

	if (rc)
		return rc;
	uint8_t *to = b->text.data + b->text.len;
	if (batch_zip_read(&b->zip, c->rows_at, to, c->bytes))
		return ERR_INPUT;
	hash_bytes(hash, to, c->bytes);
	if (memcmp(hash, c->rows, HASH_LEN))
		return ERR_INPUT;
	b->text.len += c->bytes;
	return 0;
}

/* The header line and the chunk's rows. No value holds a line break, so lines are records. */
static int
rows_load(struct batch *b, size_t chunk, struct err *e)
{
	unsigned lines = 0;
	char what[128];

	b->text.len = 0;
	if (rows_append(b, &b->header, e))
		return batch_entry_damaged(
			b, e, ENTRY_RECORDS, _("Its first line is not what the manifest says."));
	if (rows_append(b, &b->chunks[chunk], e)) {
		snprintf(what, sizeof what, _("Records %u to %u are not what the manifest says."),
			chunk_first(chunk), chunk_last(b, chunk));
		return batch_entry_damaged(b, e, ENTRY_RECORDS, what);
	}
	for (size_t i = 0; i < b->text.len; i++)
		lines += b->text.data[i] == '\n';
	if (lines != chunk_last(b, chunk) - chunk_first(chunk) + 2)
		return batch_damaged(b, e, _("It does not hold the number of records it names."));
	return 0;
}

/* One line of photos.sha256, in the one spelling that we write. *last is the number of the one
 * before. */
static int
line_parse(struct batch *b, size_t chunk, const char *line, unsigned *last)
{
	char rebuilt[2 * HASH_LEN + BATCH_NAME_MAX + 4], hex[2 * HASH_LEN + 1],
		name[BATCH_NAME_MAX];
	uint8_t hash[HASH_LEN];
	unsigned number = 0;

	memcpy(hex, line, 2 * HASH_LEN);
	hex[2 * HASH_LEN] = '\0';
	for (const char *p = line + 2 * HASH_LEN + 9; p < line + 2 * HASH_LEN + 13; p++)
		number = number * 10 + (unsigned)(*p - '0') % 10;
	char kind = line[2 * HASH_LEN + 14];
	if (hex_parse(hash, sizeof hash, hex) || number <= *last || number < chunk_first(chunk) ||
		number > chunk_last(b, chunk))
		return ERR_INPUT;
	batch_photo_name(name, number, kind);
	hex_build(hex, hash, sizeof hash);
	snprintf(rebuilt, sizeof rebuilt, "%s  %s\n", hex, name);
	if (memcmp(rebuilt, line, BATCH_LIST_LINE))
		return ERR_INPUT;
	struct batch_photo *photo = &b->photos[number - chunk_first(chunk)];
	photo->present = true;
	photo->kind = kind;
	memcpy(photo->hash, hash, sizeof hash);
	*last = number;
	return 0;
}

static int
list_load(struct batch *b, size_t chunk)
{
	const struct batch_chunk *c = &b->chunks[chunk];
	char lines[BATCH_CHUNK * BATCH_LIST_LINE];
	size_t len = (size_t)c->n_photos * BATCH_LIST_LINE;
	uint8_t hash[HASH_LEN];
	unsigned last = 0;

	if (len > sizeof lines || batch_zip_read(&b->zip, c->list_at, lines, len))
		return ERR_INPUT;
	hash_bytes(hash, lines, len);
	if (memcmp(hash, c->list, HASH_LEN))
		return ERR_INPUT;
	for (size_t at = 0; at < len; at += BATCH_LIST_LINE)
		if (line_parse(b, chunk, lines + at, &last))
			return ERR_INPUT;
	return 0;
}

/* The photos lie one behind the other, so their local headers lead from each to the next. One that
 * is damaged hides those behind it, and is told when it is asked for: the cards before it are good.
 */
static void
photos_place(struct batch *b, size_t chunk)
{
	uint64_t at = b->chunks[chunk].at;
	char name[BATCH_NAME_MAX];
	struct batch_slot slot;

	for (unsigned i = 0; i < BATCH_CHUNK; i++) {
		struct batch_photo *photo = &b->photos[i];
		if (!photo->present)
			continue;
		batch_photo_name(name, chunk_first(chunk) + i, photo->kind);
		if (batch_zip_slot(&b->zip, at, &slot) || strcmp(slot.name, name))
			return;
		photo->placed = true;
		photo->at = slot.at;
		photo->size = slot.size;
		at = (uint64_t)slot.data_at + slot.size;
	}
}

int
batch_chunk_load(struct batch *b, size_t chunk, struct err *e)
{
	int rc;

	if (b->loaded == chunk + 1)
		return 0;
	b->loaded = 0;
	roster_destroy(b->roster);
	b->roster = NULL;
	memset(b->photos, 0, sizeof b->photos);
	if ((rc = rows_load(b, chunk, e)))
		return rc;
	if (list_load(b, chunk))
		return batch_entry_damaged(
			b, e, ENTRY_LIST, _("This entry is not what the manifest says."));
	photos_place(b, chunk);
	b->loaded = (unsigned)chunk + 1;
	return 0;
}

/* The photo that a record names is its own, and there. */
static int
photos_check(const struct batch *b, const struct schema *s, struct err *e)
{
	char name[BATCH_NAME_MAX];

	for (size_t i = 0; i < b->roster->n_records; i++) {
		const struct record *r = &b->roster->records[i];
		batch_photo_name(name, r->number, b->photos[i].kind);
		if (*r->photo && (!b->photos[i].present || strcmp(r->photo, name)))
			return batch_damaged(b, e, _("A record names a photo that is not there."));
		if (!*r->photo && s->photo_required)
			return err_set(e, ERR_MISSING, _("%s: record %u: field %s: no photo."),
				b->name, r->number, COLUMN_PHOTO);
	}
	return 0;
}

int
batch_chunk_records(struct batch *b, const struct schema *s, struct err *e)
{
	unsigned first = chunk_first(b->loaded - 1), last = chunk_last(b, b->loaded - 1);

	if (b->roster && b->schema == s)
		return 0;
	roster_destroy(b->roster);
	int rc = roster_rows_parse(&b->roster, s, b->text.data, b->text.len, b->name, first - 1, e);
	if (!rc && b->roster->n_records != last - first + 1)
		rc = batch_damaged(b, e, _("It does not hold the number of records it names."));
	if (!rc)
		rc = photos_check(b, s, e);
	if (rc) {
		roster_destroy(b->roster);
		b->roster = NULL;
	}
	b->schema = s;
	return rc;
}
