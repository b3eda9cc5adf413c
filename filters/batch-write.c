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
	json_t *entries;
	const char *path;
	const struct roster *roster;
	char (*photos)[BATCH_NAME_MAX]; /* entry name of each record's photo */
};

/* Hands a copy of the bytes to the ZIP and notes the hash for the manifest. */
static int
entry_add(struct writer *w, const char *name, const void *bytes, size_t len, bool stored,
	struct err *e)
{
	uint8_t hash[HASH_LEN];
	char hex[2 * HASH_LEN + 1];
	void *copy = malloc(len ? len : 1);

	if (!copy)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
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
	if (zip_set_file_compression(w->zip, (zip_uint64_t)index,
		    stored ? ZIP_CM_STORE : ZIP_CM_DEFLATE, stored ? 0 : 9) ||
		zip_file_set_dostime(w->zip, (zip_uint64_t)index, ZIP_DOS_TIME, ZIP_DOS_DATE, 0) ||
		zip_file_set_external_attributes(
			w->zip, (zip_uint64_t)index, 0, ZIP_OPSYS_UNIX, 0100644u << 16))
		return err_set(e, ERR_INTERNAL, "%s: %s: %s", w->path, name, zip_strerror(w->zip));
	hash_bytes(hash, bytes, len);
	hex_build(hex, hash, sizeof hash);
	if (json_object_set_new(w->entries, name,
		    json_pack("{s:I, s:s}", "bytes", (json_int_t)len, "sha256", hex)))
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	return 0;
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
		snprintf(w->photos[i], sizeof w->photos[i], "photos/%04u.%s", r->number % 10000,
			photo_suffix(bytes.data, bytes.len));
		rc = entry_add(w, w->photos[i], bytes.data, bytes.len, true, e);
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

static int
manifest_add(struct writer *w, const struct batch_info *info, struct err *e)
{
	/* The manifest cannot hold its own hash, and the type is proved byte by byte. */
	json_t *entries = json_copy(w->entries);
	json_object_del(entries, ENTRY_MIME);
	json_t *root = json_pack("{s:s, s:i, s:s, s:s, s:I, s:o}", "format", BATCH_FORMAT,
		"version", BATCH_VERSION, "template", info->template_name, "order", info->order,
		"records", (json_int_t)w->roster->n_records, "entries", entries);
	char *text = root ? json_dumps(root, JSON_SORT_KEYS | JSON_INDENT(1)) : NULL;
	int rc = text ? entry_add(w, ENTRY_MANIFEST, text, strlen(text), false, e)
		      : err_set(e, ERR_INTERNAL, _("%s: template or order is not UTF-8."), w->path);

	free(text);
	json_decref(root);
	return rc;
}

/* All entries in their fixed order. The manifest needs the others' hashes, so it comes last. */
static int
entries_add(struct writer *w, const struct schema *s, const struct batch_info *info, struct err *e)
{
	struct buf csv;
	int rc = entry_add(w, ENTRY_MIME, BATCH_MIME, strlen(BATCH_MIME), true, e);

	for (size_t i = 0; i < w->roster->n_records && !rc; i++)
		rc = photo_add(w, s, i, e);
	buf_init(&csv, ROSTER_FILE_MAX);
	if (!rc && (rc = roster_build(&csv, s, w->roster, photo_entry, w, e)))
		err_prefix(e, "%s", w->path);
	if (!rc)
		rc = entry_add(w, ENTRY_RECORDS, csv.data, csv.len, false, e);
	buf_done(&csv);
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

int
batch_write(const char *path, const struct schema *s, const struct batch_info *info,
	const struct roster *r, struct err *e)
{
	struct writer w = {.path = path, .roster = r, .entries = json_object()};
	zip_source_t *target = zip_source_buffer_create(NULL, 0, 0, NULL);
	int rc;

	w.photos = calloc(r->n_records ? r->n_records : 1, sizeof *w.photos);
	if (target)
		w.zip = zip_open_from_source(target, ZIP_CREATE | ZIP_TRUNCATE, NULL);
	if (!w.zip || !w.photos || !w.entries) {
		if (!w.zip && target)
			zip_source_free(target);
		rc = err_set(e, ERR_SYSTEM, _("Out of memory."));
		goto out;
	}
	if (!r->n_records || r->n_records > ROSTER_RECORDS_MAX) {
		rc = err_set(e, ERR_INPUT, _("%s: a batch has 1 to %d records."), path,
			ROSTER_RECORDS_MAX);
		goto out;
	}
	rc = entries_add(&w, s, info, e);
	if (!rc)
		rc = writer_store(&w, target, e);
out:
	if (w.zip)
		zip_discard(w.zip);
	json_decref(w.entries);
	free(w.photos);
	return rc;
}
