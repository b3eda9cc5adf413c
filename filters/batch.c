/*
 * batch.c - the .cards container as it is read: nothing in it is believed before it is proved.
 *
 * Guarantees: opening costs the same for one card and for ten thousand, and so does the memory. The
 * manifest is read when the batch is opened, a chunk of records when its first is asked for, a
 * photo when it is; each is compared with its hash before a byte of it is used. What is small is
 * proved whole when it is opened. On failure nothing is handed out. The layout is drawn in
 * batch-layout.h.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/batch-layout.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* A batch up to this size is proved whole before its first card; it costs a few milliseconds. */
enum { PROVE_PHOTOS_MAX = 100, PROVE_BYTES_MAX = 4 << 20 };

/* Entries beside the photos: type, list, records, manifest. */
enum { OTHER_ENTRIES = 4 };

/* ---- opening ---- */

int
batch_damaged(const struct batch *b, struct err *e, const char *what)
{
	return err_set(e, ERR_INPUT,
		_("%s: %s The batch is damaged or was changed; pack the roster again."), b->name,
		what);
}

int
batch_entry_damaged(const struct batch *b, struct err *e, const char *name, const char *what)
{
	return err_set(e, ERR_INPUT,
		_("%s: %s: %s The batch is damaged or was changed; pack the roster again."),
		b->name, name, what);
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

/* A piece of records.csv and its hash. */
static bool
piece_parse(uint32_t *bytes, uint8_t hash[HASH_LEN], json_int_t told, const char *hex)
{
	if (told < 1 || told > ROSTER_FILE_MAX || strlen(hex) != 2 * HASH_LEN ||
		hex_parse(hash, HASH_LEN, hex))
		return false;
	*bytes = (uint32_t)told;
	return true;
}

static bool
chunk_parse(struct batch_chunk *c, json_t *row)
{
	json_int_t at, bytes, photos;
	const char *rows, *list;

	if (json_unpack(row, "{s:I, s:I, s:s, s:I, s:s}", "at", &at, "bytes", &bytes, "list", &list,
		    "photos", &photos, "rows", &rows) ||
		!piece_parse(&c->bytes, c->rows, bytes, rows) || at < 0 || at > BATCH_FILE_MAX ||
		photos < 0 || photos > BATCH_CHUNK || strlen(list) != 2 * HASH_LEN ||
		hex_parse(c->list, HASH_LEN, list))
		return false;
	c->at = (uint32_t)at;
	c->n_photos = (uint32_t)photos;
	return true;
}

/* The chunks that the manifest names; their number follows from that of the records. */
static int
chunks_parse(struct batch *b, json_t *header, json_t *chunks, struct err *e)
{
	json_int_t bytes;
	const char *rows;

	b->n_chunks = (b->info.n_records + BATCH_CHUNK - 1) / BATCH_CHUNK;
	b->chunks = calloc(b->n_chunks, sizeof *b->chunks);
	if (!b->chunks)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	bool good = json_array_size(chunks) == b->n_chunks &&
		    !json_unpack(header, "{s:I, s:s}", "bytes", &bytes, "rows", &rows) &&
		    piece_parse(&b->header.bytes, b->header.rows, bytes, rows);
	for (size_t i = 0; good && i < b->n_chunks; i++) {
		good = chunk_parse(&b->chunks[i], json_array_get(chunks, i));
		b->n_photos += b->chunks[i].n_photos;
	}
	return good ? 0 : batch_damaged(b, e, _("Its manifest says what cannot be."));
}

static int
version_refuse(const struct batch *b, struct err *e)
{
	return err_set(e, ERR_INPUT,
		_("%s: is a batch of another version; pack the roster with this release."),
		b->name);
}

static int
manifest_parse(struct batch *b, json_t *root, struct err *e)
{
	const char *format, *template_name, *order;
	json_int_t version, records;
	json_t *header, *chunks;

	if (json_unpack(root, "{s:s, s:I}", "format", &format, "version", &version))
		return batch_damaged(b, e, _("Its manifest cannot be read."));
	if (strcmp(format, BATCH_FORMAT) || version != BATCH_VERSION)
		return version_refuse(b, e);
	if (json_unpack(root, "{s:s, s:s, s:I, s:o, s:o}", "template", &template_name, "order",
		    &order, "records", &records, "header", &header, "chunks", &chunks))
		return batch_damaged(b, e, _("Its manifest cannot be read."));
	if (records < 1 || records > ROSTER_RECORDS_MAX ||
		!word_fits(template_name, sizeof b->info.template_name) ||
		!word_fits(order, sizeof b->info.order))
		return batch_damaged(b, e, _("Its manifest says what cannot be."));
	snprintf(b->info.template_name, sizeof b->info.template_name, "%s", template_name);
	snprintf(b->info.order, sizeof b->info.order, "%s", order);
	b->info.n_records = (unsigned)records;
	return chunks_parse(b, header, chunks, e);
}

static int
manifest_read(struct batch *b, struct err *e)
{
	json_t *root = NULL;
	struct buf bytes;

	if (b->manifest.size > BATCH_MANIFEST_MAX)
		return batch_damaged(b, e, _("Its manifest is too large."));
	buf_init(&bytes, BATCH_MANIFEST_MAX + 1);
	int rc = buf_reserve(&bytes, b->manifest.size, e);
	/* Nothing above the manifest tells its hash; the ZIP's own sum finds what an accident did.
	 */
	if (!rc && (batch_zip_read(&b->zip, b->manifest.data_at, bytes.data, b->manifest.size) ||
			   crc32(0, bytes.data, b->manifest.size) != b->manifest.crc))
		rc = batch_damaged(b, e, _("Its manifest cannot be read."));
	if (!rc) {
		hash_bytes(b->info.hash, bytes.data, b->manifest.size);
		root = json_loadb(
			(const char *)bytes.data, b->manifest.size, JSON_REJECT_DUPLICATES, NULL);
		rc = manifest_parse(b, root, e);
	}
	json_decref(root);
	buf_done(&bytes);
	return rc;
}

/* Steps back from *at over an entry of this name and size; false unless its local header is there.
 * On success *at is the header's byte and *data_at that of the entry's first. */
static bool
entry_before(
	const struct batch *b, const char *name, uint64_t size, uint64_t *at, uint32_t *data_at)
{
	struct batch_slot slot;
	uint64_t head = BATCH_LOCAL_LEN + strlen(name);

	if (*at < size + head || batch_zip_slot(&b->zip, *at - size - head, &slot) ||
		strcmp(slot.name, name) || slot.size != size)
		return false;
	*at = slot.at;
	*data_at = slot.data_at;
	return true;
}

/* Records and list lie behind the photos and before the manifest, as long as the manifest says. */
static int
entries_place(struct batch *b, struct err *e)
{
	uint64_t bytes = b->header.bytes, list = (uint64_t)b->n_photos * BATCH_LIST_LINE;
	uint64_t at = b->manifest.at;
	uint32_t rows_at = 0, list_at = 0;

	for (size_t i = 0; i < b->n_chunks; i++)
		bytes += b->chunks[i].bytes;
	if (bytes > ROSTER_FILE_MAX || b->zip.n_entries != b->n_photos + OTHER_ENTRIES ||
		!entry_before(b, ENTRY_RECORDS, bytes, &at, &rows_at) ||
		!entry_before(b, ENTRY_LIST, list, &at, &list_at))
		return batch_damaged(b, e, _("Its manifest and its entries differ."));
	b->header.rows_at = rows_at;
	rows_at += b->header.bytes;
	for (size_t i = 0; i < b->n_chunks; i++) {
		b->chunks[i].rows_at = rows_at;
		b->chunks[i].list_at = list_at;
		rows_at += b->chunks[i].bytes;
		list_at += b->chunks[i].n_photos * BATCH_LIST_LINE;
	}
	return 0;
}

/* A local header without extra field, so that `file` and CUPS know the type by its bytes. */
static int
head_check(const struct batch *b, struct err *e)
{
	static const char mark[] = ENTRY_MIME BATCH_MIME;
	uint8_t head[BATCH_LOCAL_LEN + sizeof mark - 1];

	if (batch_zip_read(&b->zip, 0, head, 4) || memcmp(head, "PK\3\4", 4))
		return err_set(e, ERR_INPUT,
			_("%s: is not a batch of cards; make one with: cardspool pack."), b->name);
	if (batch_zip_read(&b->zip, 0, head, sizeof head) ||
		memcmp(head + BATCH_LOCAL_LEN, mark, sizeof mark - 1) ||
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
	return b->n_photos <= PROVE_PHOTOS_MAX && b->zip.size <= PROVE_BYTES_MAX;
}

/* Everything after the bytes are there; takes b. */
static int
batch_begin(struct batch **out, struct batch *b, struct err *e)
{
	int rc = head_check(b, e);

	if (!rc && batch_zip_open(&b->zip, &b->manifest))
		rc = batch_zip_first_version(&b->zip)
			     ? version_refuse(b, e)
			     : batch_damaged(
				       b, e, _("It is cut off, or another program packed it."));
	if (!rc)
		rc = manifest_read(b, e);
	if (!rc)
		rc = entries_place(b, e);
	if (!rc && is_small(b))
		rc = batch_prove(b, e);
	if (rc)
		batch_close(b);
	else
		*out = b;
	return rc;
}

static struct batch *
batch_create(const char *name)
{
	struct batch *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	b->zip.fd = -1;
	buf_init(&b->text, ROSTER_FILE_MAX);
	if (!(b->name = strdup(name))) {
		free(b);
		return NULL;
	}
	return b;
}

int
batch_parse(struct batch **out, const uint8_t *bytes, size_t len, const char *name, struct err *e)
{
	struct batch *b = batch_create(name);

	*out = NULL;
	if (!b || !(b->bytes = malloc(len ? len : 1))) {
		batch_close(b);
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	}
	if (len)
		memcpy(b->bytes, bytes, len);
	b->zip.bytes = b->bytes;
	b->zip.size = len;
	return batch_begin(out, b, e);
}

/* A file for reading, of a size that a batch may have. */
static int
file_open(struct batch_zip *z, const char *path, struct err *e)
{
	struct stat st;

	z->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (z->fd < 0 || fstat(z->fd, &st)) {
		int cause = errno;
		return err_set(e, cause == EACCES ? ERR_DENIED : ERR_MISSING,
			_("%s: cannot be read: %s."), path, strerror(cause));
	}
	if (!S_ISREG(st.st_mode) || st.st_size > BATCH_FILE_MAX)
		return err_set(e, ERR_INPUT, _("%s: is not a file, or larger than %d bytes."), path,
			BATCH_FILE_MAX);
	z->size = (uint64_t)st.st_size;
	return 0;
}

int
batch_open(struct batch **out, const char *path, struct err *e)
{
	struct batch *b = batch_create(path);

	*out = NULL;
	if (!b)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	int rc = file_open(&b->zip, path, e);
	if (rc) {
		batch_close(b);
		return rc;
	}
	return batch_begin(out, b, e);
}

void
batch_close(struct batch *b)
{
	if (!b)
		return;
	buf_done(&b->text);
	roster_destroy(b->roster);
	if (b->zip.fd >= 0)
		close(b->zip.fd);
	free(b->chunks);
	free(b->bytes);
	free(b->name);
	free(b);
}

const struct batch_info *
batch_info(const struct batch *b)
{
	return &b->info;
}

/* ---- photos ---- */

/* The number in photos/NNNN.jpg, .bmp or .png, 0 for another name. Only the one spelling we write:
 * no folders, no "..", nothing else. */
static unsigned
photo_number(const char *name, char *kind)
{
	unsigned number;
	char suffix[4], rebuilt[BATCH_NAME_MAX];

	if (sscanf(name, "photos/%4u.%3s", &number, suffix) != 2 || number > ROSTER_RECORDS_MAX)
		return 0;
	*kind = suffix[0];
	batch_photo_name(rebuilt, number, *kind);
	return strcmp(rebuilt, name) ? 0 : number;
}

int
batch_photo_read(const struct batch *b, const struct batch_photo *photo, const char *name,
	struct buf *out, size_t max, struct err *e)
{
	uint8_t hash[HASH_LEN];

	if (!photo->placed)
		return batch_entry_damaged(b, e, name, _("It is not where the manifest says."));
	if (photo->size > max || photo->size > PHOTO_FILE_MAX)
		return err_set(e, ERR_INPUT, _("%s: entry %s has more than %zu bytes."), b->name,
			name, max < PHOTO_FILE_MAX ? max : (size_t)PHOTO_FILE_MAX);
	int rc = buf_reserve(out, photo->size, e);
	if (rc)
		return rc;
	uint8_t *to = out->data + out->len;
	if (batch_zip_read(&b->zip, photo->at + BATCH_LOCAL_LEN + strlen(name), to, photo->size))
		return batch_entry_damaged(b, e, name, _("This entry cannot be read."));
	hash_bytes(hash, to, photo->size);
	if (memcmp(hash, photo->hash, HASH_LEN))
		return batch_entry_damaged(
			b, e, name, _("This entry is not what the manifest says."));
	out->len += photo->size;
	return 0;
}

int
batch_entry(struct batch *b, const char *name, struct buf *out, size_t max, struct err *e)
{
	char kind = 0;
	unsigned number = photo_number(name, &kind);

	/* The manifest's names only. */
	if (!number || number > b->info.n_records)
		return err_set(e, ERR_MISSING, _("%s: has no entry %s."), b->name, name);
	int rc = batch_chunk_load(b, (number - 1) / BATCH_CHUNK, e);
	if (rc)
		return rc;
	const struct batch_photo *photo = &b->photos[(number - 1) % BATCH_CHUNK];
	if (!photo->present || photo->kind != kind)
		return err_set(e, ERR_MISSING, _("%s: has no entry %s."), b->name, name);
	return batch_photo_read(b, photo, name, out, max, e);
}

/* ---- records ---- */

/* A small batch is read whole once, so that a record that does not suit the template feeds nothing.
 */
static int
records_suit(struct batch *b, const struct schema *s, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < b->n_chunks; i++) {
		rc = batch_chunk_load(b, i, e);
		if (!rc)
			rc = batch_chunk_records(b, s, e);
	}
	b->suits = rc ? NULL : s;
	return rc;
}

int
batch_record(
	struct batch *b, const struct schema *s, unsigned number, struct record *out, struct err *e)
{
	int rc = 0;

	*out = (struct record){0};
	if (number < 1 || number > b->info.n_records)
		return err_set(e, ERR_MISSING, _("%s: has no record %u; it has %u."), b->name,
			number, b->info.n_records);
	if (is_small(b) && b->suits != s)
		rc = records_suit(b, s, e);
	if (!rc)
		rc = batch_chunk_load(b, (number - 1) / BATCH_CHUNK, e);
	if (!rc)
		rc = batch_chunk_records(b, s, e);
	return rc ? rc : record_copy(out, &b->roster->records[(number - 1) % BATCH_CHUNK], s, e);
}
