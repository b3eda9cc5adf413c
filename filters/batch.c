/*
 * batch.c - the .cards container as it is read: nothing in it is believed before it is proved.
 *
 * Guarantees: an opened batch has exactly the entries its manifest names, within limits that a ZIP
 * bomb cannot pass, and its records are those of the manifest. A photo is proved when it is read,
 * all of them at once while that is cheap; memory and the time to the first card do not grow with
 * the photos. On failure nothing is handed out. The layout is drawn in batch-layout.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/batch-layout.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

/* A batch up to this size is proved whole before its first card. */
enum {
	PROVE_ENTRIES_MAX = 500,
	PROVE_BYTES_MAX = 16 << 20,
	ROWS_AT_ONCE = 64,
	ROW_MAX = 2 << 20,
	PIECE_LEN = 16384
};

/* What the manifest says about one entry. */
struct entry {
	bool present;
	uint8_t suffix; /* in photo_suffixes */
	uint32_t bytes;
	uint8_t hash[HASH_LEN];
};

/* records.csv as it is read once through. */
struct rows {
	zip_file_t *file;
	struct buf header, text; /* text: the header, then rows */
	uint8_t piece[PIECE_LEN];
	size_t at, len; /* of piece */
	unsigned next;  /* number of the record that comes */
};

struct batch {
	char *name;     /* for messages */
	uint8_t *bytes; /* of a batch in memory */
	uint64_t size;
	zip_t *zip;
	struct batch_info info;
	struct entry records;
	struct entry *photos; /* by the number in the name, ROSTER_RECORDS_MAX + 1 of them */
	size_t n_entries;     /* that the manifest names */
	struct rows rows;
	struct roster *roster;       /* records from first on */
	unsigned first;              /* 0: none is read yet */
	const struct schema *schema; /* the one they were read against */
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

static const char *const photo_suffixes[] = {"jpg", "bmp", "png"};

/* The number in photos/NNNN.jpg, .bmp or .png, 0 for another name. Only the one spelling we write:
 * no folders, no "..", nothing else. */
static unsigned
photo_number(const char *name, uint8_t *index)
{
	unsigned number;
	char suffix[4], rebuilt[BATCH_NAME_MAX];

	if (sscanf(name, "photos/%4u.%3s", &number, suffix) != 2 || number > ROSTER_RECORDS_MAX)
		return 0;
	for (*index = 0; strcmp(photo_suffixes[*index], suffix); ++*index)
		if (*index + 1u == ARRAY_LEN(photo_suffixes))
			return 0;
	snprintf(rebuilt, sizeof rebuilt, "photos/%04u.%s", number, suffix);
	return strcmp(rebuilt, name) ? 0 : number;
}

/* What may stand in a batch, and how large. */
static size_t
entry_limit(const char *name)
{
	uint8_t suffix;

	if (!strcmp(name, ENTRY_MIME))
		return sizeof BATCH_MIME - 1;
	if (!strcmp(name, ENTRY_MANIFEST))
		return BATCH_MANIFEST_MAX;
	if (!strcmp(name, ENTRY_RECORDS))
		return ROSTER_FILE_MAX;
	return photo_number(name, &suffix) ? PHOTO_FILE_MAX : 0;
}

/* The manifest's word on an entry, NULL if it has none. */
static const struct entry *
entry_find(const struct batch *b, const char *name)
{
	uint8_t suffix = 0;
	unsigned number = photo_number(name, &suffix);
	const struct entry *entry = number ? &b->photos[number] : &b->records;

	if (!number)
		return strcmp(name, ENTRY_RECORDS) ? NULL : entry;
	return entry->present && entry->suffix == suffix ? entry : NULL;
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

/* One row of the manifest's table. */
static int
entry_note(struct batch *b, const char *name, const json_t *row, struct err *e)
{
	const char *hex = json_string_value(json_object_get(row, "sha256"));
	json_int_t bytes = json_integer_value(json_object_get(row, "bytes"));
	uint8_t suffix = 0;
	unsigned number = photo_number(name, &suffix);
	struct entry *entry = number ? &b->photos[number] : &b->records;

	if ((!number && strcmp(name, ENTRY_RECORDS)) || entry->present || !hex ||
		strlen(hex) != 2 * HASH_LEN || hex_parse(entry->hash, HASH_LEN, hex) || bytes < 0 ||
		bytes > (json_int_t)entry_limit(name) || zip_name_locate(b->zip, name, 0) < 0)
		return damaged(b, e, _("Its manifest and its entries differ."));
	entry->present = true;
	entry->suffix = suffix;
	entry->bytes = (uint32_t)bytes;
	b->n_entries++;
	return 0;
}

/* As many entries as the manifest names, beside itself and the type. */
static int
entries_note(struct batch *b, json_t *entries, struct err *e)
{
	const char *name;
	json_t *row;
	int rc = 0;

	b->photos = calloc(ROSTER_RECORDS_MAX + 1, sizeof *b->photos);
	if (!b->photos)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	json_object_foreach(entries, name, row) if ((rc = entry_note(b, name, row, e))) return rc;
	if (!b->records.present || zip_get_num_entries(b->zip, 0) != (zip_int64_t)b->n_entries + 2)
		return damaged(b, e, _("Its manifest and its entries differ."));
	return 0;
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
	rc = entries_note(b, entries, e);
out:
	json_decref(root);
	buf_done(&bytes);
	return rc;
}

/* Size, hash and lines of records.csv, without holding it. Rows of a CSV that roster_build wrote:
 * no value holds a line break, so lines are records. */
static int
records_verify(const struct batch *b, struct err *e)
{
	uint8_t piece[PIECE_LEN], hash[HASH_LEN];
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	zip_file_t *f = zip_fopen(b->zip, ENTRY_RECORDS, 0);
	bool good = sha && EVP_DigestInit_ex(sha, EVP_sha256(), NULL);
	unsigned lines = 0;
	uint64_t total = 0;
	zip_int64_t n = 0;

	while (good && f && total <= ROSTER_FILE_MAX &&
		(n = zip_fread(f, piece, sizeof piece)) > 0) {
		good = EVP_DigestUpdate(sha, piece, (size_t)n);
		total += (uint64_t)n;
		for (zip_int64_t i = 0; i < n; i++)
			lines += piece[i] == '\n';
	}
	good = good && EVP_DigestFinal_ex(sha, hash, NULL);
	EVP_MD_CTX_free(sha);
	if (!f || zip_fclose(f) || n < 0)
		return entry_damaged(b, e, ENTRY_RECORDS, _("This entry cannot be unpacked."));
	if (!good)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	if (total != b->records.bytes || memcmp(hash, b->records.hash, HASH_LEN))
		return entry_damaged(
			b, e, ENTRY_RECORDS, _("This entry is not what the manifest says."));
	if (lines != b->info.n_records + 1)
		return damaged(b, e, _("It does not hold the number of records it names."));
	return 0;
}

/* A local header without extra field, so that `file` and CUPS know the type by its bytes. */
static int
head_check(const struct batch *b, const uint8_t *head, size_t len, struct err *e)
{
	static const char mark[] = ENTRY_MIME BATCH_MIME;

	if (len < 4 || memcmp(head, "PK\3\4", 4))
		return err_set(e, ERR_INPUT,
			_("%s: is not a batch of cards; make one with: cardspool pack."), b->name);
	if (len < 30 + sizeof mark - 1 || memcmp(head + 30, mark, sizeof mark - 1) ||
		memcmp(head + 8, "\0\0", 2) || head[26] != sizeof ENTRY_MIME - 1 || head[27] ||
		head[28] || head[29])
		return err_set(e, ERR_INPUT,
			_("%s: is a ZIP file but not a batch of cards; make one with: cardspool "
			  "pack."),
			b->name);
	return 0;
}

static bool
is_small(const struct batch *b)
{
	return b->n_entries <= PROVE_ENTRIES_MAX && b->size <= PROVE_BYTES_MAX;
}

/* Takes the source. Every local header is compared while that is cheap; a photo's is at its turn.
 */
static int
zip_read(struct batch *b, zip_source_t *source, struct err *e)
{
	int check = b->size <= PROVE_BYTES_MAX ? ZIP_CHECKCONS : 0;

	if (!source)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	b->zip = zip_open_from_source(source, ZIP_RDONLY | check, NULL);
	if (b->zip)
		return 0;
	zip_source_free(source);
	return damaged(b, e, _("Its table of contents cannot be read."));
}

/* Everything after the source is open; takes b. */
static int
batch_begin(struct batch **out, struct batch *b, zip_source_t *source, struct err *e)
{
	int rc;

	if ((rc = zip_read(b, source, e)) || (rc = directory_check(b, e)) ||
		(rc = manifest_read(b, e)) || (rc = records_verify(b, e)))
		goto out;
	if (is_small(b))
		rc = batch_prove(b, e);
out:
	if (rc)
		batch_close(b);
	else
		*out = b;
	return rc;
}

static struct batch *
batch_create(const char *name, uint64_t size)
{
	struct batch *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	b->size = size;
	buf_init(&b->rows.header, ROW_MAX);
	buf_init(&b->rows.text, ROSTER_FILE_MAX);
	if (!(b->name = strdup(name))) {
		free(b);
		return NULL;
	}
	return b;
}

int
batch_parse(struct batch **out, const uint8_t *bytes, size_t len, const char *name, struct err *e)
{
	struct batch *b = batch_create(name, len);

	*out = NULL;
	if (!b || !(b->bytes = malloc(len ? len : 1))) {
		batch_close(b);
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	}
	if (len)
		memcpy(b->bytes, bytes, len);
	int rc = head_check(b, b->bytes, len, e);
	if (rc) {
		batch_close(b);
		return rc;
	}
	return batch_begin(out, b, zip_source_buffer_create(b->bytes, len, 0, NULL), e);
}

/* A file for reading, of a size that a batch may have. */
static int
file_open(FILE **out, const char *path, uint64_t *size, struct err *e)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st)) {
		int cause = errno;
		if (fd >= 0)
			close(fd);
		return err_set(e, cause == EACCES ? ERR_DENIED : ERR_MISSING,
			_("%s: cannot be read: %s."), path, strerror(cause));
	}
	if (!S_ISREG(st.st_mode) || st.st_size > BATCH_FILE_MAX) {
		close(fd);
		return err_set(e, ERR_INPUT, _("%s: is not a file, or larger than %d bytes."), path,
			BATCH_FILE_MAX);
	}
	*size = (uint64_t)st.st_size;
	*out = fdopen(fd, "rb");
	if (*out)
		return 0;
	close(fd);
	return err_set(e, ERR_SYSTEM, _("Out of memory."));
}

int
batch_open(struct batch **out, const char *path, struct err *e)
{
	uint8_t head[128];
	uint64_t size = 0;
	FILE *file = NULL;

	*out = NULL;
	int rc = file_open(&file, path, &size, e);
	if (rc)
		return rc;
	struct batch *b = batch_create(path, size);
	rc = b ? head_check(b, head, fread(head, 1, sizeof head, file), e)
	       : err_set(e, ERR_SYSTEM, _("Out of memory."));
	zip_source_t *source = rc ? NULL : zip_source_filep_create(file, 0, -1, NULL);
	if (!source) {
		fclose(file);
		batch_close(b);
		return rc ? rc : err_set(e, ERR_SYSTEM, _("Out of memory."));
	}
	return batch_begin(out, b, source, e);
}

static void
rows_stop(struct rows *r)
{
	if (r->file)
		zip_fclose(r->file);
	r->file = NULL;
	r->at = r->len = 0;
	r->next = 0;
}

void
batch_close(struct batch *b)
{
	if (!b)
		return;
	rows_stop(&b->rows);
	buf_done(&b->rows.header);
	buf_done(&b->rows.text);
	roster_destroy(b->roster);
	if (b->zip)
		zip_discard(b->zip);
	free(b->photos);
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
	const struct entry *entry = entry_find(b, name);
	uint8_t hash[HASH_LEN];
	size_t before = out->len;

	/* The manifest's names only. */
	if (!entry)
		return err_set(e, ERR_MISSING, _("%s: has no entry %s."), b->name, name);
	int rc = entry_read(b, name, out, max, e);
	if (rc)
		return rc;
	hash_bytes(hash, out->data + before, out->len - before);
	if (!memcmp(hash, entry->hash, HASH_LEN) && out->len - before == entry->bytes)
		return 0;
	out->len = before;
	return entry_damaged(b, e, name, _("This entry is not what the manifest says."));
}

int
batch_prove(struct batch *b, struct err *e)
{
	char name[BATCH_NAME_MAX];
	struct buf bytes;
	int rc = 0;

	buf_init(&bytes, PHOTO_FILE_MAX + 1);
	for (unsigned i = 1; !rc && i <= ROSTER_RECORDS_MAX; i++) {
		if (!b->photos[i].present)
			continue;
		snprintf(name, sizeof name, "photos/%04u.%s", i,
			photo_suffixes[b->photos[i].suffix]);
		bytes.len = 0;
		rc = batch_entry(b, name, &bytes, PHOTO_FILE_MAX, e);
	}
	buf_done(&bytes);
	return rc;
}

/* ---- records ---- */

/* Appends the next line with its end; nothing at the end of the file. */
static int
line_take(struct batch *b, struct buf *out, struct err *e)
{
	struct rows *r = &b->rows;

	for (;;) {
		const uint8_t *from = r->piece + r->at;
		const uint8_t *end = memchr(from, '\n', r->len - r->at);
		size_t n = end ? (size_t)(end - from) + 1 : r->len - r->at;
		int rc = n ? buf_append(out, from, n, e) : 0;
		r->at += n;
		if (rc || end)
			return rc;
		zip_int64_t got = zip_fread(r->file, r->piece, sizeof r->piece);
		if (got < 0)
			return entry_damaged(
				b, e, ENTRY_RECORDS, _("This entry cannot be unpacked."));
		r->at = 0;
		r->len = (size_t)got;
		if (!got)
			return 0;
	}
}

static int
rows_start(struct batch *b, struct err *e)
{
	struct rows *r = &b->rows;

	rows_stop(r);
	r->header.len = 0;
	r->file = zip_fopen(b->zip, ENTRY_RECORDS, 0);
	if (!r->file)
		return entry_damaged(b, e, ENTRY_RECORDS, _("This entry cannot be unpacked."));
	r->next = 1;
	return line_take(b, &r->header, e);
}

/* The photo that a record names is there. */
static int
photos_check(
	const struct batch *b, const struct schema *s, const struct roster *roster, struct err *e)
{
	for (size_t i = 0; i < roster->n_records; i++) {
		const struct record *r = &roster->records[i];
		if (*r->photo && (!entry_find(b, r->photo) || strncmp(r->photo, "photos/", 7)))
			return damaged(b, e, _("A record names a photo that is not there."));
		if (!*r->photo && s->photo_required)
			return err_set(e, ERR_MISSING, _("%s: record %u: field %s: no photo."),
				b->name, r->number, COLUMN_PHOTO);
	}
	return 0;
}

/* Reads the rows that hold record number; those before it are passed over. A small batch is read
 * whole, so that a record that does not suit the template feeds nothing. */
static int
records_read(struct batch *b, const struct schema *s, unsigned number, struct err *e)
{
	struct rows *r = &b->rows;
	unsigned many = is_small(b) ? ROSTER_RECORDS_MAX : ROWS_AT_ONCE;
	int rc = 0;

	roster_destroy(b->roster);
	b->roster = NULL;
	b->first = 0;
	if (is_small(b) || !r->file || r->next > number)
		rc = rows_start(b, e);
	for (; !rc && !is_small(b) && r->next < number; r->next++) {
		r->text.len = 0;
		rc = line_take(b, &r->text, e);
	}
	r->text.len = 0;
	unsigned first = r->next;
	if (!rc)
		rc = buf_append(&r->text, r->header.data, r->header.len, e);
	for (; !rc && r->next < first + many && r->next <= b->info.n_records; r->next++)
		rc = line_take(b, &r->text, e);
	if (!rc)
		rc = roster_rows_parse(
			&b->roster, s, r->text.data, r->text.len, b->name, first - 1, e);
	if (!rc && b->roster->n_records != r->next - first)
		rc = damaged(b, e, _("It does not hold the number of records it names."));
	if (!rc)
		rc = photos_check(b, s, b->roster, e);
	b->schema = s;
	b->first = rc ? 0 : first;
	return rc;
}

int
batch_record(
	struct batch *b, const struct schema *s, unsigned number, struct record *out, struct err *e)
{
	*out = (struct record){0};
	if (number < 1 || number > b->info.n_records)
		return err_set(e, ERR_MISSING, _("%s: has no record %u; it has %u."), b->name,
			number, b->info.n_records);
	bool there = b->first && b->schema == s && number >= b->first &&
		     number - b->first < b->roster->n_records;
	int rc = there ? 0 : records_read(b, s, number, e);
	return rc ? rc : record_copy(out, &b->roster->records[number - b->first], s, e);
}
