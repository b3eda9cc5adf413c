/*
 * batch.c - the .cards container as it is read: nothing in it is believed before it is proved.
 *
 * Guarantees: an opened batch has exactly the entries its manifest names, each of the size and hash
 * it names, within limits that a ZIP bomb cannot pass. The file is held in memory, so what was
 * proved is what is read later. On failure nothing is handed out. The layout is drawn in
 * batch-layout.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/batch-layout.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

struct batch {
	char *name; /* for messages */
	uint8_t *bytes;
	zip_t *zip;
	struct batch_info info;
	json_t *entries;
	struct roster *roster;       /* parsed at the first batch_record */
	const struct schema *schema; /* the one it was parsed against */
};

/* ---- opening ---- */

static int
damaged(const struct batch *b, struct err *e, const char *what)
{
	return err_set(e, ERR_INPUT,
		_("%s: %s The batch is damaged or was changed; pack the roster again."), b->name,
		what);
}

/* The same about one entry: photos/0007.jpg tells the record. */
static int
entry_damaged(const struct batch *b, struct err *e, const char *name, const char *what)
{
	return err_set(e, ERR_INPUT,
		_("%s: %s: %s The batch is damaged or was changed; pack the roster again."),
		b->name, name, what);
}

/* What may stand in a batch, and how large. */
static size_t
entry_limit(const char *name)
{
	unsigned number;
	char suffix[4], rebuilt[BATCH_NAME_MAX];

	if (!strcmp(name, ENTRY_MIME))
		return sizeof BATCH_MIME - 1;
	if (!strcmp(name, ENTRY_MANIFEST))
		return BATCH_MANIFEST_MAX;
	if (!strcmp(name, ENTRY_RECORDS))
		return ROSTER_FILE_MAX;
	/* Only the one spelling we write: no folders, no "..", nothing else. */
	if (sscanf(name, "photos/%4u.%3s", &number, suffix) != 2 || !number ||
		(strcmp(suffix, "jpg") && strcmp(suffix, "bmp")))
		return 0;
	snprintf(rebuilt, sizeof rebuilt, "photos/%04u.%s", number, suffix);
	return strcmp(rebuilt, name) ? 0 : PHOTO_FILE_MAX;
}

/* Sizes, names and methods of all entries, before a byte is unpacked. */
static int
directory_check(const struct batch *b, struct err *e)
{
	zip_int64_t n = zip_get_num_entries(b->zip, 0);
	uint64_t total = 0;

	if (n < 3 || n > BATCH_ENTRIES_MAX)
		return damaged(b, e, _("It has the wrong number of entries."));
	for (zip_int64_t i = 0; i < n; i++) {
		zip_stat_t st;
		zip_stat_init(&st);
		if (zip_stat_index(b->zip, (zip_uint64_t)i, 0, &st) ||
			!(st.valid & ZIP_STAT_NAME) || !(st.valid & ZIP_STAT_SIZE) ||
			!(st.valid & ZIP_STAT_COMP_METHOD))
			return damaged(b, e, _("An entry cannot be read."));
		if (i == 0 && strcmp(st.name, ENTRY_MIME))
			return damaged(b, e, _("Its first entry does not name its type."));
		if (i == 0 && st.size != sizeof BATCH_MIME - 1)
			return damaged(b, e, _("Its first entry does not name its type."));
		size_t limit = entry_limit(st.name);
		if (!limit)
			return damaged(b, e, _("It holds an entry that no batch has."));
		if (st.size > limit || (total += st.size) > BATCH_FILE_MAX)
			return damaged(b, e, _("An entry is too large."));
		if (st.comp_method != ZIP_CM_STORE && st.comp_method != ZIP_CM_DEFLATE)
			return damaged(b, e, _("An entry is packed in an unknown way."));
		if ((st.valid & ZIP_STAT_ENCRYPTION_METHOD) && st.encryption_method != ZIP_EM_NONE)
			return damaged(b, e, _("An entry is encrypted."));
	}
	return 0;
}

/* Reads an entry of at most max bytes; its size was checked, and is checked again against what
 * comes. */
static int
entry_read(const struct batch *b, const char *name, struct buf *out, size_t max, struct err *e)
{
	zip_stat_t st;
	int rc = 0;

	zip_stat_init(&st);
	if (zip_stat(b->zip, name, 0, &st) || !(st.valid & ZIP_STAT_SIZE))
		return err_set(e, ERR_MISSING, _("%s: has no entry %s."), b->name, name);
	if (st.size > max)
		return err_set(e, ERR_INPUT, _("%s: entry %s has more than %zu bytes."), b->name,
			name, max);
	if ((rc = buf_reserve(out, st.size + 1, e)))
		return rc;
	zip_file_t *f = zip_fopen_index(b->zip, st.index, 0);
	if (!f)
		return entry_damaged(b, e, name, _("This entry cannot be unpacked."));
	zip_int64_t n = zip_fread(f, out->data + out->len, st.size + 1);
	if (zip_fclose(f) || n < 0 || (zip_uint64_t)n != st.size)
		return entry_damaged(b, e, name, _("This entry cannot be unpacked."));
	out->len += st.size;
	return 0;
}

static bool
word_fits(const char *text, size_t max)
{
	size_t left = text ? strlen(text) : max;
	uint32_t cp;

	if (left >= max)
		return false;
	for (size_t n; left; text += n, left -= n)
		if (!(n = utf8_next(&cp, text, left)) || cp < 0x20 || cp == 0x7f)
			return false;
	return true;
}

static int
manifest_read(struct batch *b, struct err *e)
{
	const char *format, *template_name, *order;
	json_int_t version, records;
	json_t *root = NULL, *entries;
	struct buf bytes;
	int rc;

	buf_init(&bytes, BATCH_MANIFEST_MAX + 1);
	if (zip_name_locate(b->zip, ENTRY_MANIFEST, 0) < 0)
		return damaged(b, e, _("It has no entry that is its manifest."));
	if ((rc = entry_read(b, ENTRY_MANIFEST, &bytes, BATCH_MANIFEST_MAX, e)))
		goto out;
	root = json_loadb((char *)bytes.data, bytes.len, JSON_REJECT_DUPLICATES, NULL);
	if (!root || json_unpack(root, "{s:s, s:I, s:s, s:s, s:I, s:o}", "format", &format,
			     "version", &version, "template", &template_name, "order", &order,
			     "records", &records, "entries", &entries)) {
		rc = damaged(b, e, _("Its manifest cannot be read."));
		goto out;
	}
	if (strcmp(format, BATCH_FORMAT) || version != BATCH_VERSION) {
		rc = err_set(e, ERR_INPUT,
			_("%s: is a batch of another version; pack the roster with this release."),
			b->name);
		goto out;
	}
	if (!json_is_object(entries) || records < 1 || records > ROSTER_RECORDS_MAX ||
		!word_fits(template_name, sizeof b->info.template_name) ||
		!word_fits(order, sizeof b->info.order)) {
		rc = damaged(b, e, _("Its manifest says what cannot be."));
		goto out;
	}
	snprintf(b->info.template_name, sizeof b->info.template_name, "%s", template_name);
	snprintf(b->info.order, sizeof b->info.order, "%s", order);
	b->info.n_records = (unsigned)records;
	hash_bytes(b->info.hash, bytes.data, bytes.len);
	b->entries = json_incref(entries);
out:
	json_decref(root);
	buf_done(&bytes);
	return rc;
}

/* Size and hash of one entry as the manifest has them. */
static int
entry_verify(const struct batch *b, const char *name, const json_t *row, struct err *e)
{
	uint8_t want[HASH_LEN], hash[HASH_LEN];
	const char *hex = json_string_value(json_object_get(row, "sha256"));
	size_t limit = entry_limit(name);
	struct buf bytes;

	if (!hex || strlen(hex) != 2 * HASH_LEN || hex_parse(want, HASH_LEN, hex) || !limit ||
		!strcmp(name, ENTRY_MIME) || !strcmp(name, ENTRY_MANIFEST) ||
		zip_name_locate(b->zip, name, 0) < 0)
		return damaged(b, e, _("Its manifest and its entries differ."));
	buf_init(&bytes, limit + 1);
	int rc = entry_read(b, name, &bytes, limit, e);
	if (!rc) {
		hash_bytes(hash, bytes.data, bytes.len);
		if (memcmp(hash, want, HASH_LEN) || json_integer_value(json_object_get(row,
							    "bytes")) != (json_int_t)bytes.len) {
			rc = entry_damaged(
				b, e, name, _("This entry is not what the manifest says."));
		}
	}
	buf_done(&bytes);
	return rc;
}

/* As many entries as the manifest names, beside itself and the type, and each of them proved. */
static int
entries_verify(const struct batch *b, struct err *e)
{
	const char *name;
	json_t *row;
	int rc = 0;

	if (zip_get_num_entries(b->zip, 0) != (zip_int64_t)json_object_size(b->entries) + 2 ||
		!json_object_get(b->entries, ENTRY_RECORDS))
		return damaged(b, e, _("Its manifest and its entries differ."));
	json_object_foreach(
		b->entries, name, row) if ((rc = entry_verify(b, name, row, e))) return rc;
	return 0;
}

/* Rows of a CSV that roster_build wrote: no value holds a line break, so lines are records. */
static int
count_verify(const struct batch *b, struct err *e)
{
	struct buf csv;
	unsigned lines = 0;

	buf_init(&csv, ROSTER_FILE_MAX + 1);
	int rc = entry_read(b, ENTRY_RECORDS, &csv, ROSTER_FILE_MAX, e);
	for (size_t i = 0; i < csv.len && !rc; i++)
		lines += csv.data[i] == '\n';
	if (!rc && lines != b->info.n_records + 1)
		rc = damaged(b, e, _("It does not hold the number of records it names."));
	buf_done(&csv);
	return rc;
}

/* A local header without extra field, so that `file` and CUPS know the type by its bytes. */
static int
head_check(const struct batch *b, size_t len, struct err *e)
{
	static const char mark[] = ENTRY_MIME BATCH_MIME;

	if (len < 4 || memcmp(b->bytes, "PK\3\4", 4))
		return err_set(e, ERR_INPUT,
			_("%s: is not a batch of cards; make one with: cardspool pack."), b->name);
	if (len < 30 + sizeof mark - 1 || memcmp(b->bytes + 30, mark, sizeof mark - 1) ||
		memcmp(b->bytes + 8, "\0\0", 2) || b->bytes[26] != sizeof ENTRY_MIME - 1 ||
		b->bytes[27] || b->bytes[28] || b->bytes[29])
		return err_set(e, ERR_INPUT,
			_("%s: is a ZIP file but not a batch of cards; make one with: cardspool "
			  "pack."),
			b->name);
	return 0;
}

static int
zip_read(struct batch *b, size_t len, struct err *e)
{
	zip_error_t error;
	zip_source_t *source = zip_source_buffer_create(b->bytes, len, 0, NULL);

	if (!source)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	zip_error_init(&error);
	b->zip = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error);
	zip_error_fini(&error);
	if (b->zip)
		return 0;
	zip_source_free(source);
	return damaged(b, e, _("Its table of contents cannot be read."));
}

int
batch_parse(struct batch **out, const uint8_t *bytes, size_t len, const char *name, struct err *e)
{
	struct batch *b = calloc(1, sizeof *b);
	int rc;

	*out = NULL;
	if (!b || !(b->name = strdup(name)) || !(b->bytes = malloc(len ? len : 1))) {
		rc = err_set(e, ERR_SYSTEM, _("Out of memory."));
		goto out;
	}
	if (len)
		memcpy(b->bytes, bytes, len);
	if ((rc = head_check(b, len, e)) || (rc = zip_read(b, len, e)) ||
		(rc = directory_check(b, e)) || (rc = manifest_read(b, e)) ||
		(rc = entries_verify(b, e)) || (rc = count_verify(b, e)))
		goto out;
	*out = b;
	b = NULL;
out:
	batch_close(b);
	return rc;
}

int
batch_open(struct batch **out, const char *path, struct err *e)
{
	struct buf bytes;

	*out = NULL;
	buf_init(&bytes, BATCH_FILE_MAX);
	int rc = file_read(&bytes, path, BATCH_FILE_MAX, e);
	if (!rc)
		rc = batch_parse(out, bytes.data, bytes.len, path, e);
	buf_done(&bytes);
	return rc;
}

void
batch_close(struct batch *b)
{
	if (!b)
		return;
	roster_destroy(b->roster);
	json_decref(b->entries);
	if (b->zip)
		zip_discard(b->zip);
	free(b->bytes);
	free(b->name);
	free(b);
}

const struct batch_info *
batch_info(const struct batch *b)
{
	return &b->info;
}

int
batch_entry(struct batch *b, const char *name, struct buf *out, size_t max, struct err *e)
{
	/* The manifest's names only: what is read was proved. */
	if (!json_object_get(b->entries, name))
		return err_set(e, ERR_MISSING, _("%s: has no entry %s."), b->name, name);
	return entry_read(b, name, out, max, e);
}

/* Parses the records once for a schema; later calls only copy. */
static int
records_read(struct batch *b, const struct schema *s, struct err *e)
{
	struct roster *roster = NULL;
	struct buf csv;

	if (b->roster && b->schema == s)
		return 0;
	buf_init(&csv, ROSTER_FILE_MAX + 1);
	int rc = entry_read(b, ENTRY_RECORDS, &csv, ROSTER_FILE_MAX, e);
	if (!rc)
		rc = roster_parse(&roster, s, csv.data, csv.len, b->name, NULL, NULL, e);
	buf_done(&csv);
	if (!rc && roster->n_records != b->info.n_records)
		rc = damaged(b, e, _("It does not hold the number of records it names."));
	for (size_t i = 0; !rc && i < roster->n_records; i++) {
		const char *photo = roster->records[i].photo;
		if (*photo && (!json_object_get(b->entries, photo) || strncmp(photo, "photos/", 7)))
			rc = damaged(b, e, _("A record names a photo that is not there."));
		else if (!*photo && s->photo_required)
			rc = err_set(e, ERR_MISSING, _("%s: record %zu: field %s: no photo."),
				b->name, i + 1, COLUMN_PHOTO);
	}
	if (rc) {
		roster_destroy(roster);
		return rc;
	}
	roster_destroy(b->roster);
	b->roster = roster;
	b->schema = s;
	return 0;
}

int
batch_record(
	struct batch *b, const struct schema *s, unsigned number, struct record *out, struct err *e)
{
	*out = (struct record){0};
	int rc = records_read(b, s, e);
	if (rc)
		return rc;
	if (number < 1 || number > b->roster->n_records)
		return err_set(e, ERR_MISSING, _("%s: has no record %u; it has %zu."), b->name,
			number, b->roster->n_records);
	return record_copy(out, &b->roster->records[number - 1], s, e);
}
