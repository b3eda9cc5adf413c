/*
 * batch-layout.h - what stands where in a .cards container; shared by batch*.c alone.
 *
 * Every entry is stored, without extra field or comment, so that any piece is read where it lies:
 *
 *   mimetype             first: BATCH_MIME stands at byte 38 of the file
 *   photos/NNNN.SUF       NNNN = record number, rising; SUF = jpg, bmp or png
 *   photos.sha256        a line of BATCH_LIST_LINE bytes for each photo, as sha256sum writes it:
 *                        64 digits, two blanks, the entry's name, LF
 *   records.csv          the roster as roster_build writes it: a header line, a line for each
 * record manifest.json        {"chunks":[{"at":A,"bytes":B,"list":HEX,"photos":P,"rows":HEX},...],
 *                        "format":"cardspool.batch","header":{"bytes":B,"rows":HEX},
 *                        "order":O,"records":N,"template":T,"version":2}
 *   table of contents    of the ZIP, its last record that of manifest.json
 *
 * A chunk is BATCH_CHUNK records, the last one what is left: B bytes of records.csv with the hash
 * "rows", P lines of photos.sha256 with the hash "list", the first photo's local header at byte A.
 * So the manifest proves a chunk, a chunk's lines its photos, and no more is read than is used.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_BATCH_LAYOUT_H
#define CARDSPOOL_BATCH_LAYOUT_H

#include "filters/card.h"

#define BATCH_FILE_MAX     (256 * 1024 * 1024)
#define BATCH_MANIFEST_MAX (256 * 1024)
#define BATCH_CHUNK        64
#define BATCH_CHUNKS_MAX   ((ROSTER_RECORDS_MAX + BATCH_CHUNK - 1) / BATCH_CHUNK)
#define BATCH_LIST_LINE    82
#define BATCH_LOCAL_LEN    30 /* a local header without its name */
#define BATCH_NAME_MAX     32
#define BATCH_VERSION      2
#define BATCH_FORMAT       "cardspool.batch"

#define ENTRY_MIME     "mimetype"
#define ENTRY_MANIFEST "manifest.json"
#define ENTRY_RECORDS  "records.csv"
#define ENTRY_LIST     "photos.sha256"

/* A chunk as the manifest tells it. */
struct batch_chunk {
	uint32_t bytes;    /* of records.csv */
	uint32_t n_photos; /* lines of photos.sha256 */
	uint32_t at;       /* byte of the container where its first photo's local header begins */
	uint8_t rows[HASH_LEN], list[HASH_LEN];
	uint32_t rows_at, list_at; /* the reader's: bytes of the container where these begin */
};

/* ---- the ZIP around the entries (batch-zip.c) ---- */

/* The bytes of a container: a file, or memory when bytes is set. The opener owns either. */
struct batch_zip {
	int fd;
	const uint8_t *bytes;
	uint64_t size;
	unsigned n_entries;
	uint32_t directory; /* where the table of contents begins */
};

/* An entry as its local header tells it. */
struct batch_slot {
	char name[BATCH_NAME_MAX];
	uint32_t at, data_at, size, crc; /* at: of the header */
};

/* Where a walk through all entries is. */
struct batch_walk {
	uint32_t at, directory_at;
};

/* Reads the end of the table of contents; manifest is its last entry. 0, or ERR_INPUT when the
 * bytes are no container of this layout; the caller words it. */
int batch_zip_open(struct batch_zip *z, struct batch_slot *manifest);
/* Whether the table ends as version 1 wrote it: records, but no list of photos. Batches of that
 * version were packed, which batch_zip_open does not read. */
bool batch_zip_first_version(const struct batch_zip *z);
/* Exactly len bytes. 0 or ERR_INPUT. */
int batch_zip_read(const struct batch_zip *z, uint64_t at, void *out, size_t len);
/* The local header at a byte. 0 or ERR_INPUT. */
int batch_zip_slot(const struct batch_zip *z, uint64_t at, struct batch_slot *out);
/* The next entry in the order of the bytes; ERR_INPUT unless table and header say the same and no
 * byte lies between. */
int batch_zip_next(const struct batch_zip *z, struct batch_walk *w, struct batch_slot *out);
/* ERR_INPUT unless the walk has passed every entry and every byte. */
int batch_zip_end(const struct batch_zip *z, const struct batch_walk *w);

/* ---- an open batch (batch.c, batch-chunk.c) ---- */

struct batch_photo {
	bool present, placed; /* placed: at and size are known */
	char kind;            /* first letter of its suffix */
	uint32_t at, size;    /* at: of its local header */
	uint8_t hash[HASH_LEN];
};

struct batch {
	char *name;     /* for messages */
	uint8_t *bytes; /* of a batch in memory */
	struct batch_zip zip;
	struct batch_info info;
	struct batch_slot manifest;
	struct batch_chunk header; /* its first line, as a chunk without photos */
	struct batch_chunk *chunks;
	size_t n_chunks;
	unsigned n_photos;
	unsigned loaded; /* the chunk whose text and photos are here, counted from 1; 0 = none */
	struct buf text; /* the header line and the chunk's rows */
	struct batch_photo photos[BATCH_CHUNK];
	struct roster *roster;       /* the loaded chunk's records, NULL = not read yet */
	const struct schema *schema; /* the one they were read against */
	const struct schema
		*suits; /* the one that all records of a small batch were read against */
};

/* "NAME: what The batch is damaged or was changed; pack the roster again." */
int batch_damaged(const struct batch *b, struct err *e, const char *what);
/* The same about one entry: photos/0007.jpg tells the record. */
int batch_entry_damaged(const struct batch *b, struct err *e, const char *name, const char *what);
/* Appends a photo of the loaded chunk, of at most max bytes, proved; name is for messages. */
int batch_photo_read(const struct batch *b, const struct batch_photo *photo, const char *name,
	struct buf *out, size_t max, struct err *e);
/* kind: first letter of the suffix; one that is none counts as jpg. */
void batch_photo_name(char out[BATCH_NAME_MAX], unsigned number, char kind);
/* Makes the chunk (from 0) the loaded one: its rows, its lines of photos.sha256, both proved, and
 * the places of its photos; their bytes are not. ERR_INPUT leaves none loaded. */
int batch_chunk_load(struct batch *b, size_t chunk, struct err *e);
/* The loaded chunk's records, read against a schema. */
int batch_chunk_records(struct batch *b, const struct schema *s, struct err *e);

#endif
