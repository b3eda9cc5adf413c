/*
 * chip-logic.c - memory cards (SLE4442) at the desk reader: read, judged, converted, never changed.
 *
 * Owns their reading and the roster line that a converted card becomes. Guarantees: no code is
 * presented and nothing is written to such a card; the roster file is readable by its owner only
 * and an existing one is not replaced.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/logic-parse.h"
#include "spooler/chip-desk.h"

#include <string.h>
#include <unistd.h>

static const char prefix[] = "sle4442:";

bool
desk_logic_address(const char *address)
{
	return strncmp(address, prefix, sizeof prefix - 1) == 0;
}

static enum chip_found
found_of(const struct logic_card *card, bool genuine)
{
	if (genuine)
		return CHIP_GENUINE;
	return card->state == LOGIC_BLANK || card->state == LOGIC_INIT_BEGUN ||
			       card->state == LOGIC_INITIALISED
		       ? CHIP_BLANK
		       : CHIP_ALTERED;
}

/* Where reviews are not recorded none can be missed. */
static void
rules_limit(struct desk_rules *rules, const struct logic_map *map)
{
	for (size_t r = 0; r < rules->n_reviews; r++) {
		bool placed = false;
		for (size_t i = 0; i < map->n; i++)
			placed |= map->place[i].field == rules->review[r].record;
		if (!placed)
			rules->n_reviews = r;
	}
}

static int
ours_parse(struct desk *d, const struct logic_card *card, struct err *e)
{
	struct logic_map map;

	snprintf(d->file, sizeof d->file, "%s/logic.map", d->dir);
	int rc = logic_map_load(&map, d->file, d->schema, e);
	if (rc)
		return rc;
	rules_limit(&d->rules, &map);
	if (logic_record_parse(&d->record, &map, d->schema, card->data, &d->parse_error))
		d->record.values = NULL;
	return 0;
}

/* A card of another system, without a MAC. */
static int
other_parse(struct desk *d, struct sle4442 *chip, struct err *e)
{
	uint8_t memory[SLE4442_LEN];
	struct buf map;

	_Static_assert((int)MEMORY_CARD_LEN == (int)SLE4442_LEN, "a map covers the card");
	buf_init(&map, SCHEMA_FILE_MAX);
	int rc = file_read(&map, d->from, SCHEMA_FILE_MAX, e);
	if (rc == 0)
		rc = sle4442_read(chip, 0, memory, sizeof memory, e);
	if (rc == 0)
		rc = old_record_parse(&d->record, map.data, map.len, d->from, d->schema, memory, e);
	if (rc)
		d->record.values = NULL;
	else
		d->found = CHIP_GENUINE;
	buf_done(&map);
	explicit_bzero(memory, sizeof memory);
	return rc;
}

int
desk_logic_fetch(struct desk *d, const char *address, struct err *e)
{
	const struct logic_source source = {keyd_logic_keys, d->source.ctx};
	struct sle4442 chip = {0};
	struct logic_card card = {0};
	bool genuine = false;

	if (d->inspector)
		return err_set(e, ERR_USAGE,
			_("An inspector's key file has no keys for memory cards; check the card at "
			  "the desk."));
	d->logic = true;
	int rc = sle4442_open(&chip, address + sizeof prefix - 1, e);
	if (rc == 0 && d->from) {
		rc = other_parse(d, &chip, e);
	} else if (rc == 0) {
		rc = logic_read(&chip, &source, &card, &genuine, e);
		d->found = found_of(&card, genuine);
		d->mac_present = true;
		hex_build(d->uid, card.serial, sizeof card.serial);
		if (rc == 0 && d->found <= CHIP_ALTERED)
			rc = ours_parse(d, &card, e);
	}
	sle4442_close(&chip);
	explicit_bzero(&card, sizeof card);
	return rc;
}

static const char *
photo_none(void *ctx, size_t index)
{
	(void)ctx;
	(void)index;
	return "";
}

int
desk_roster_write(struct desk *d, struct err *e)
{
	struct roster roster = {
		.n_fields = d->schema->n_fields, .records = &d->record, .n_records = 1};
	struct buf text;

	if (access(d->output, F_OK) == 0)
		return err_set(
			e, ERR_USAGE, _("%s: is there already; it is not replaced."), d->output);
	buf_init(&text, ROSTER_FILE_MAX);
	d->record.number = 1;
	int rc = roster_build(&text, d->schema, &roster, photo_none, NULL, e);
	if (rc == 0)
		rc = file_write(d->output, text.data, text.len, 0600, e);
	if (text.data)
		explicit_bzero(text.data, text.len);
	buf_done(&text);
	return rc;
}
