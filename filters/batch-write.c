/*
 * batch-write.c - writes the .cards container.
 *
 * Guarantees: the same roster gives the same bytes (fixed time stamps, fixed order of entries); the
 * file is complete or absent; every photo is checked once more as it goes in. The layout is drawn
 * in batch-layout.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/batch-layout.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

/* 1 January 1980, the first day a ZIP can name. */
#define ZIP_DOS_TIME 0
#define ZIP_DOS_DATE (1 << 5 | 1)

struct writer {
	zip_t *zip;
	const char *path;
	const struct roster *roster;
	char (*photos)[BATCH_NAME_MAX]; /* entry name of each record's photo */
	uint64_t at;                    /* where the next entry's local header will begin */
	struct batch_chunk header, chunks[BATCH_CHUNKS_MAX];
	size_t n_chunks;
	struct buf list;
};

/* Hands a copy of the bytes to the ZIP. */
static int
entry_add(struct writer *w, const char *name, const void *bytes, size_t len, struct err *e)
{
	/* libzip does not free a buffer without bytes. */
	void *copy = len ? malloc(len) : NULL;

	if (len && !copy)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	if (len)
		memcpy(copy, bytes, len);
	zip_source_t *source = zip_source_buffer(w->zip, copy, len, 1);
	if (!source) {
		free(copy);
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	}
	zip_int64_t index = zip_file_add(w->zip, name, source, ZIP_FL_ENC_UTF_8);
	if (index < 0) {
		zip_source_free(source);
		return err_set(e, ERR_INTERNAL, "%s: %s: %s", w->path, name, zip_strerror(w->zip));
	}
	if (zip_set_file_compression(w->zip, (zip_uint64_t)index, ZIP_CM_STORE, 0) ||
		zip_file_set_dostime(w->zip, (zip_uint64_t)index, ZIP_DOS_TIME, ZIP_DOS_DATE, 0) ||
		zip_file_set_external_attributes(
			w->zip, (zip_uint64_t)index, 0, ZIP_OPSYS_UNIX, 0100644u << 16))
		return err_set(e, ERR_INTERNAL, "%s: %s: %s", w->path, name, zip_strerror(w->zip));
	w->at += BATCH_LOCAL_LEN + strlen(name) + len;
	return 0;
}

/* The photo's line of photos.sha256. */
static int
list_add(struct writer *w, const char *name, const struct buf *photo, struct err *e)
{
	uint8_t hash[HASH_LEN];
	char hex[2 * HASH_LEN + 1];

	hash_bytes(hash, photo->data, photo->len);
	hex_build(hex, hash, sizeof hash);
	return buf_printf(&w->list, e, "%s  %s\n", hex, name);
}

static int
photo_add(struct writer *w, const struct schema *s, size_t i, struct err *e)
{
	const struct record *r = &w->roster->records[i];
	struct buf bytes;
	int rc = 0;

	if (!*r->photo)
		return 0;
	size_t max = s->photo_fit ? PHOTO_FIT_MAX : PHOTO_FILE_MAX;
	buf_init(&bytes, max);
	/* Checked once more: the file may have changed since the roster was read. */
	if (file_read(&bytes, r->photo, max, NULL))
		rc = err_set(e, ERR_MISSING, _("the photo cannot be read."));
	else
		rc = photo_fit_check(s, &bytes, NULL, e);
	if (!rc) {
		batch_photo_name(w->photos[i], r->number, photo_suffix(bytes.data, bytes.len)[0]);
		rc = entry_add(w, w->photos[i], bytes.data, bytes.len, e);
		if (!rc)
			rc = list_add(w, w->photos[i], &bytes, e);
	} else {
		err_prefix(e, _("%s: record %u: field %s"), w->path, r->number, COLUMN_PHOTO);
	}
	buf_done(&bytes);
	return rc;
}

static const char *
photo_entry(void *ctx, size_t index)
{
	const struct writer *w = ctx;

	return w->photos[index];
}

/* A chunk's photos go in, and their lines are hashed. */
static int
chunk_photos(struct writer *w, const struct schema *s, size_t chunk, struct err *e)
{
	struct batch_chunk *c = &w->chunks[chunk];
	size_t from = w->list.len, n = w->roster->n_records;
	int rc = 0;

	c->at = (uint32_t)w->at;
	for (size_t i = chunk * BATCH_CHUNK; !rc && i < n && i < (chunk + 1) * BATCH_CHUNK; i++)
		rc = photo_add(w, s, i, e);
	if (rc)
		return rc;
	c->n_photos = (uint32_t)((w->list.len - from) / BATCH_LIST_LINE);
	hash_bytes(c->list, w->list.data + from, w->list.len - from);
	return 0;
}

/* So many lines of the CSV as a piece of the manifest. No value holds a line break. */
static size_t
lines_hash(struct batch_chunk *c, const struct buf *csv, size_t at, unsigned lines)
{
	size_t end = at;

	while (lines && end < csv->len)
		lines -= csv->data[end++] == '\n';
	c->bytes = (uint32_t)(end - at);
	hash_bytes(c->rows, csv->data + at, end - at);
	return end;
}

static int
records_add(struct writer *w, const struct schema *s, struct err *e)
{
	struct buf csv;

	buf_init(&csv, ROSTER_FILE_MAX);
	int rc = roster_build(&csv, s, w->roster, photo_entry, w, e);
	if (rc) {
		err_prefix(e, "%s", w->path);
	} else {
		size_t at = lines_hash(&w->header, &csv, 0, 1);
		for (size_t i = 0; i < w->n_chunks; i++)
			at = lines_hash(&w->chunks[i], &csv, at, BATCH_CHUNK);
		rc = entry_add(w, ENTRY_RECORDS, csv.data, csv.len, e);
	}
	buf_done(&csv);
	return rc;
}

static json_t *
chunk_build(const struct batch_chunk *c)
{
	char rows[2 * HASH_LEN + 1], list[2 * HASH_LEN + 1];

	hex_build(rows, c->rows, HASH_LEN);
	hex_build(list, c->list, HASH_LEN);
	return json_pack("{s:I, s:I, s:s, s:I, s:s}", "at", (json_int_t)c->at, "bytes",
		(json_int_t)c->bytes, "list", list, "photos", (json_int_t)c->n_photos, "rows",
		rows);
}

static int
manifest_add(struct writer *w, const struct batch_info *info, struct err *e)
{
	char rows[2 * HASH_LEN + 1];
	json_t *chunks = json_array();
	int rc = 0;

	for (size_t i = 0; i < w->n_chunks; i++)
		rc |= json_array_append_new(chunks, chunk_build(&w->chunks[i]));
	if (rc) {
		json_decref(chunks);
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	}
	hex_build(rows, w->header.rows, HASH_LEN);
	json_t *root = json_pack("{s:s, s:i, s:s, s:s, s:I, s:{s:I, s:s}, s:o}", "format",
		BATCH_FORMAT, "version", BATCH_VERSION, "template", info->template_name, "order",
		info->order, "records", (json_int_t)w->roster->n_records, "header", "bytes",
		(json_int_t)w->header.bytes, "rows", rows, "chunks", chunks);
	char *text = root ? json_dumps(root, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
	rc = text ? entry_add(w, ENTRY_MANIFEST, text, strlen(text), e)
		  : err_set(e, ERR_INTERNAL, _("%s: template or order is not UTF-8."), w->path);
	free(text);
	json_decref(root);
	return rc;
}

/* All entries in their fixed order. The manifest needs the others' hashes, so it comes last. */
static int
entries_add(struct writer *w, const struct schema *s, const struct batch_info *info, struct err *e)
{
	int rc = entry_add(w, ENTRY_MIME, BATCH_MIME, strlen(BATCH_MIME), e);

	w->n_chunks = (w->roster->n_records + BATCH_CHUNK - 1) / BATCH_CHUNK;
	for (size_t i = 0; i < w->n_chunks && !rc; i++)
		rc = chunk_photos(w, s, i, e);
	if (!rc)
		rc = entry_add(w, ENTRY_LIST, w->list.data, w->list.len, e);
	if (!rc)
		rc = records_add(w, s, e);
	return rc ? rc : manifest_add(w, info, e);
}

/* Closes the ZIP into its source and moves the bytes to disk. */
static int
writer_store(struct writer *w, zip_source_t *target, struct err *e)
{
	zip_stat_t st;
	uint8_t *bytes = NULL;
	int rc = 0;

	zip_source_keep(target);
	if (zip_close(w->zip)) {
		rc = err_set(e, ERR_SYSTEM, _("%s: cannot be put together: %s."), w->path,
			zip_strerror(w->zip));
		zip_discard(w->zip);
		w->zip = NULL;
		zip_source_free(target);
		return rc;
	}
	w->zip = NULL;
	zip_stat_init(&st);
	if (zip_source_stat(target, &st) || !(st.valid & ZIP_STAT_SIZE) || st.size > BATCH_FILE_MAX)
		rc = err_set(e, ERR_INPUT,
			_("%s: would be larger than %d bytes; split the roster."), w->path,
			BATCH_FILE_MAX);
	else if (!(bytes = malloc(st.size ? st.size : 1)) || zip_source_open(target))
		rc = err_set(e, ERR_SYSTEM, _("Out of memory."));
	else if (zip_source_read(target, bytes, st.size) != (zip_int64_t)st.size)
		rc = err_set(e, ERR_INTERNAL, "%s: zip_source_read", w->path);
	else
		rc = file_write(w->path, bytes, st.size, 0600, e);
	free(bytes);
	zip_source_free(target);
	return rc;
}

static int
batch_store(struct writer *w, const struct schema *s, const struct batch_info *info, struct err *e)
{
	zip_source_t *target = zip_source_buffer_create(NULL, 0, 0, NULL);

	w->photos = calloc(w->roster->n_records, sizeof *w->photos);
	if (target)
		w->zip = zip_open_from_source(target, ZIP_CREATE | ZIP_TRUNCATE, NULL);
	if (!w->zip || !w->photos) {
		if (!w->zip && target)
			zip_source_free(target);
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	}
	int rc = entries_add(w, s, info, e);
	return rc ? rc : writer_store(w, target, e);
}

int
batch_write(const char *path, const struct schema *s, const struct batch_info *info,
	const struct roster *r, struct err *e)
{
	if (!r->n_records || r->n_records > ROSTER_RECORDS_MAX)
		return err_set(e, ERR_INPUT, _("%s: a batch has 1 to %d records."), path,
			ROSTER_RECORDS_MAX);
	struct writer *w = calloc(1, sizeof *w);
	if (!w)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	w->path = path;
	w->roster = r;
	buf_init(&w->list, BATCH_LIST_LINE * (ROSTER_RECORDS_MAX + 1));
	int rc = batch_store(w, s, info, e);
	if (w->zip)
		zip_discard(w->zip);
	buf_done(&w->list);
	free(w->photos);
	free(w);
	return rc;
}
