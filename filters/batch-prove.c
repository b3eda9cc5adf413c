/*
 * batch-prove.c - a whole batch proved, from its first byte to its last.
 *
 * Owns the walk over all entries in the order in which they must lie. Guarantees: every byte
 * belongs to an entry, every entry to the manifest, and every hash is right; what is not so is
 * named. Nothing is kept, nothing is changed but the loaded chunk.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/batch-layout.h"

#include <string.h>

/* The next entry has this name and begins where it should; at 0: anywhere. */
static int
walk_expect(
	const struct batch *b, struct batch_walk *w, const char *name, uint32_t at, struct err *e)
{
	struct batch_slot slot;

	if (batch_zip_next(&b->zip, w, &slot) || strcmp(slot.name, name) || (at && slot.at != at))
		return batch_entry_damaged(
			b, e, name, _("The table of contents and this entry differ."));
	return 0;
}

static int
chunk_prove(struct batch *b, size_t chunk, struct batch_walk *w, struct buf *photo, struct err *e)
{
	int rc = batch_chunk_load(b, chunk, e);

	if (!rc && w->at != b->chunks[chunk].at)
		rc = batch_damaged(b, e, _("Its manifest and its entries differ."));
	for (unsigned i = 0; !rc && i < BATCH_CHUNK; i++) {
		char name[BATCH_NAME_MAX];
		const struct batch_photo *p = &b->photos[i];
		if (!p->present)
			continue;
		batch_photo_name(name, (unsigned)chunk * BATCH_CHUNK + i + 1, p->kind);
		photo->len = 0;
		rc = walk_expect(b, w, name, p->at, e);
		if (!rc)
			rc = batch_photo_read(b, p, name, photo, PHOTO_FILE_MAX, e);
	}
	return rc;
}

int
batch_prove(struct batch *b, struct err *e)
{
	struct batch_walk walk = {.directory_at = b->zip.directory};
	struct buf photo;

	buf_init(&photo, PHOTO_FILE_MAX);
	int rc = walk_expect(b, &walk, ENTRY_MIME, 0, e);
	for (size_t i = 0; !rc && i < b->n_chunks; i++)
		rc = chunk_prove(b, i, &walk, &photo, e);
	if (!rc)
		rc = walk_expect(b, &walk, ENTRY_LIST, 0, e);
	if (!rc)
		rc = walk_expect(b, &walk, ENTRY_RECORDS, 0, e);
	if (!rc)
		rc = walk_expect(b, &walk, ENTRY_MANIFEST, b->manifest.at, e);
	if (!rc && batch_zip_end(&b->zip, &walk))
		rc = batch_damaged(b, e, _("It holds bytes that belong to no entry."));
	buf_done(&photo);
	return rc;
}
