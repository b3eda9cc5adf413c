/*
 * chip-change.c - changing the record on a finished card, and finishing what was interrupted.
 *
 * Owns the order: intent with the sealed new blocks on disk, then the chip, then its proof, then
 * the outcome. Guarantees: the chip is never written before its intent is on disk; between intent
 * and outcome the chip shows the old record, the new one, or a wrong MAC, and never a mixture with
 * a good one; whatever was interrupted is finished from the journal byte for byte, by whichever
 * change is asked for next. A chip that holds anything else is left as it is. On failure the intent
 * stays open and the ledger says why.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/chip-desk.h"

#include <stdlib.h>
#include <string.h>

static void
image_hash_text(char out[2 * HASH_LEN + 1], const struct chip_image *image)
{
	uint8_t hash[HASH_LEN];

	chip_image_hash(hash, image);
	hex_build(out, hash, sizeof hash);
}

static json_t *
fields_json(const struct desk *d, const bool *fields)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->schema->n_fields; i++)
		if (fields[i])
			json_array_append_new(list, json_string(d->schema->fields[i].name));
	return list;
}

/* ---- the intent ---- */

static uint64_t
blocks_differing(const struct chip_image *a, const struct chip_image *b)
{
	uint64_t blocks = 0;

	for (unsigned i = 0; i < CHIP_BLOCKS; i++)
		if ((a->data >> i & 1u) && memcmp(a->block[i], b->block[i], CHIP_BLOCK_LEN) != 0)
			blocks |= UINT64_C(1) << i;
	return blocks;
}

static int
change_begin(struct desk *d, const char *verb, const struct chip_image *after, const bool *fields,
	struct err *e)
{
	struct chip_keys keys;
	char hash[2][2 * HASH_LEN + 1], *sealed = NULL;
	uint64_t blocks = blocks_differing(&d->image, after);

	if (!blocks)
		return err_set(e, ERR_INPUT,
			_("chip %s: holds exactly this already; nothing was changed."), d->uid);
	int rc = d->source.card_keys(d->source.ctx, &d->id, after, &keys, e);
	if (rc == 0)
		rc = journal_seal(&sealed, &keys, d->uid, after, blocks, e);
	explicit_bzero(&keys, sizeof keys);
	image_hash_text(hash[0], &d->image);
	image_hash_text(hash[1], after);
	if (rc == 0)
		rc = ledger_chip_event(d->ledger, "chip-change-began", &d->card, d->uid,
			json_pack("{s:s, s:o, s:s, s:s, s:s, s:s}", "verb", verb, "fields",
				fields_json(d, fields), "before", hash[0], "after", hash[1],
				"sealed", sealed, "reason", d->reason ? d->reason : ""),
			e);
	free(sealed);
	return rc;
}

/* ---- chip and outcome ---- */

static int
change_write(struct desk *d, const char *verb, const struct chip_image *after, bool resumed,
	struct err *e)
{
	struct chip_report report = {0};
	struct err cause = {0};
	char hash[2 * HASH_LEN + 1];
	int rc = chip_update(d->station, &d->id, after, &d->source, &report, &cause);

	image_hash_text(hash, after);
	if (rc == 0)
		return ledger_chip_event(d->ledger, "chip-change-done", &d->card, d->uid,
			json_pack("{s:s, s:s, s:i, s:b}", "verb", verb, "after", hash, "blocks",
				(int)report.blocks_written, "resumed", resumed),
			e);
	/* The try is worth a line, but its loss changes nothing: the intent stands. */
	ledger_chip_event(d->ledger, "chip-change-stopped", &d->card, d->uid,
		json_pack("{s:s, s:s}", "verb", verb, "cause",
			cause.fault ? fault_row(cause.fault)->code : ""),
		NULL);
	return err_set(e, rc,
		_("chip %s: the change was interrupted (%s). The card is not good yet: lay it on "
		  "the reader and give the command again, that finishes it."),
		d->uid, cause.text);
}

int
chip_change_run(struct desk *d, const char *verb, const struct record *after, const bool *fields,
	struct err *e)
{
	struct chip_image image;
	int rc = chip_image_build(&image, d->map, d->schema, after, e);

	if (rc == 0)
		rc = change_begin(d, verb, &image, fields, e);
	if (rc == 0)
		rc = change_write(d, verb, &image, false, e);
	if (rc == 0)
		d->image = image;
	explicit_bzero(&image, sizeof image);
	return rc;
}

int
chip_change_finish(struct desk *d, struct err *e)
{
	struct chip_image image = d->image;
	struct chip_keys keys;
	char hash[2 * HASH_LEN + 1];
	int rc = d->source.card_keys(d->source.ctx, &d->id, &image, &keys, e);

	if (rc == 0)
		rc = journal_open(&image, &keys, d->uid, d->change.sealed, e);
	explicit_bzero(&keys, sizeof keys);
	image_hash_text(hash, &image);
	if (rc == 0 && strcmp(hash, d->change.after) != 0)
		rc = err_set(e, ERR_DOUBT,
			_("chip %s: holds other data than when its change (%s) was interrupted. "
			  "Nothing was written; replace the card."),
			d->uid, d->change.verb);
	if (rc == 0)
		rc = change_write(d, d->change.verb, &image, true, e);
	if (rc == 0)
		d->image = image;
	explicit_bzero(&image, sizeof image);
	return rc;
}
