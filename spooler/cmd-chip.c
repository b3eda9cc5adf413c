/*
 * cmd-chip.c - the commands that look at a chip: chip read, verify, compare and convert.
 *
 * Owns their words and their exit statuses. Guarantees: nothing on a chip is changed; values are
 * shown masked unless --full is allowed; no key reaches the output (a --dump file holds the data
 * and is readable by its owner only). chip verify ends with a status of its own for each verdict
 * (chip-verdict.c); chip read with 0 for a record with a good MAC, 65 for a bad one, 66 for a blank
 * or empty chip, 69 for a chip that does not open or a reader at fault; chip compare with 65 when
 * anything differs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/chip-desk.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* ---- chip read ---- */

static int
chip_read_run(int argc, char **argv, struct err *e)
{
	struct desk d;
	int rc = desk_start(&d, "read", argc, argv, "stdflD", 0, e);

	/* A look at whole values is noted, so that one takes the ledger for writing. */
	if (rc == 0)
		rc = desk_ledger(&d, d.full ? LEDGER_WRITE : LEDGER_READ, e);
	if (rc == 0)
		rc = desk_today(&d, e);
	if (rc == 0)
		rc = desk_fetch(&d, e);
	if (rc == 0)
		rc = desk_known(&d, e);
	if (rc == 0 && d.full)
		rc = desk_full_allow(&d, e);
	if (rc == 0 && d.dump && !d.logic && d.found <= CHIP_ALTERED)
		rc = file_write(d.dump, d.image.block, sizeof d.image.block, 0600, e);
	if (rc == 0) {
		if (d.found != CHIP_FOREIGN)
			desk_print(&d);
		rc = desk_refuse(&d, e);
	}
	desk_end(&d);
	return rc;
}

/* ---- chip verify ---- */

static int
verdict_print(const struct desk *d, enum chip_verdict verdict, const char *why)
{
	char number[DESK_VALUE_LEN] = "", name[DESK_VALUE_LEN] = "";
	const struct chip_verdict_row *row = &chip_verdicts[verdict];
	const bool sentence = why[0] && why[strlen(why) - 1] == '.';

	if (d->record.values && d->schema->number_field >= 0)
		desk_value(d, d->schema->number_field, number, sizeof number);
	if (d->record.values && d->schema->name_field >= 0)
		desk_value(d, d->schema->name_field, name, sizeof name);
	if (!d->json) {
		printf("%s: %.*s; %s%s%s%s%s\n", _(row->words), (int)(strlen(why) - sentence), why,
			d->uid, number[0] ? " " : "", number, name[0] ? " " : "", name);
		return row->status;
	}
	json_t *all = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:b}", "verdict", row->name,
		"status", row->status, "why", why, "uid", d->uid, "number", number, "name", name,
		"date", d->today, "offline", d->inspector != NULL);
	if (all)
		json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
	return row->status;
}

static int
verify_sources(struct desk *d, struct err *e)
{
	if (d->offline)
		return inspector_load(&d->inspector, d->offline, e);
	return desk_ledger(d, LEDGER_READ, e);
}

static int
chip_verify_run(int argc, char **argv, struct err *e)
{
	struct desk d;
	enum chip_verdict verdict;
	char why[ERR_TEXT_MAX];
	int rc = desk_start(&d, "verify", argc, argv, "stODl", 0, e);

	if (rc == 0 && d.offline && d.ledger_path)
		rc = err_set(e, ERR_USAGE, _("--offline asks no ledger; leave out --ledger."));
	if (rc == 0)
		rc = verify_sources(&d, e);
	if (rc == 0)
		rc = desk_today(&d, e);
	if (rc == 0)
		rc = desk_fetch(&d, e);
	if (rc == 0)
		rc = desk_known(&d, e);
	if (rc == 0)
		rc = chip_judge(&d, &verdict, why, sizeof why, e);
	if (rc == 0)
		rc = verdict_print(&d, verdict, why);
	desk_end(&d);
	return rc;
}

/* ---- chip compare ---- */

/* As card show and preview write it. */
static int
face_hash_check(const char *word, struct err *e)
{
	if (strlen(word) == 2 * HASH_LEN && strspn(word, "0123456789abcdef") == 2 * HASH_LEN)
		return 0;
	return err_set(e, ERR_USAGE,
		_("\"%s\" is no hash of a face, which has 64 hexadecimal digits; cardspool card "
		  "show "
		  "has it."),
		word);
}

struct comparison {
	const struct desk *d;
	json_t *lines;
	bool different;
};

static void
compared(struct comparison *c, const char *what, bool same, const char *detail)
{
	c->different |= !same;
	json_array_append_new(c->lines, json_pack("{s:s, s:b, s:o}", "what", what, "same", same,
						"detail", json_text(detail)));
	if (!c->d->json)
		printf("%s: %s%s%s\n", what, same ? _("agrees") : _("DIFFERS"),
			detail[0] ? ", " : "", detail);
}

/* The ledger's hash of the chip is that of the last change, else of the making. */
static void
compare_ledger(struct comparison *c)
{
	const struct desk *d = c->d;
	uint8_t hash[HASH_LEN];
	char hex[2 * HASH_LEN + 1], detail[160];
	const char *want = d->change.began ? d->change.after : d->card.chip_hash;

	chip_image_hash(hash, &d->image);
	hex_build(hex, hash, sizeof hash);
	if (!d->card.id && !d->change.began) {
		compared(c, _("ledger"), false, _("it does not know this chip"));
		return;
	}
	compared(c, _("ledger, chip"), strcmp(hex, want) == 0 && !d->change.open,
		d->change.open    ? _("a change was interrupted")
		: d->change.began ? _("as changed at the desk")
				  : _("as made"));
	if (!d->card.id)
		return;
	snprintf(detail, sizeof detail, _("card %" PRId64 ": %s"), d->card.id,
		_(card_states[d->card.state].means));
	compared(c, _("ledger, state"), d->card.state == CARD_DONE, detail);
	compared(c, _("ledger, face"), d->card.front_hash[0] != '\0',
		d->card.front_hash[0] ? d->card.front_hash : _("no face was printed"));
}

/* The record of the batch with the number that is on the chip; *number 0: none. */
static int
batch_find(
	struct batch *b, const struct desk *d, struct record *out, unsigned *number, struct err *e)
{
	const int field = d->schema->number_field;

	for (*number = 1; *number <= batch_info(b)->n_records; ++*number) {
		int rc = batch_record(b, d->schema, *number, out, e);
		if (rc)
			return rc;
		if (field >= 0 && strcmp(out->values[field], d->record.values[field]) == 0)
			return 0;
		record_done(out, d->schema);
	}
	*number = 0;
	return 0;
}

static void
compare_record(struct comparison *c, const struct record *r)
{
	const struct desk *d = c->d;
	char what[FIELD_NAME_MAX + 32], chip[DESK_VALUE_LEN], batch[DESK_VALUE_LEN],
		detail[2 * DESK_VALUE_LEN + 32];
	unsigned n = 0, n_same = 0;

	for (size_t i = 0; i < d->schema->n_fields; i++) {
		if (!chip_map_has(d->map, (int)i))
			continue;
		n++;
		if (strcmp(r->values[i], d->record.values[i]) == 0) {
			n_same++;
			continue;
		}
		record_mask(chip, sizeof chip, d->schema, &d->record, (int)i);
		record_mask(batch, sizeof batch, d->schema, r, (int)i);
		snprintf(what, sizeof what, _("batch, %s"), d->schema->fields[i].name);
		snprintf(detail, sizeof detail, _("chip \"%s\", batch \"%s\""), chip, batch);
		compared(c, what, false, detail);
	}
	snprintf(detail, sizeof detail, _("%u of %u fields"), n_same, n);
	compared(c, _("batch, fields"), n_same == n, detail);
}

static int
compare_batch(struct comparison *c, struct err *e)
{
	const struct desk *d = c->d;
	struct batch *b = NULL;
	struct record r;
	unsigned number = 0;
	int rc = batch_open(&b, d->batch, e);

	if (rc == 0)
		rc = batch_find(b, d, &r, &number, e);
	if (rc == 0 && number == 0)
		compared(c, _("batch"), false, _("no record has the number on the chip"));
	if (rc == 0 && number > 0) {
		compare_record(c, &r);
		record_done(&r, d->schema);
	}
	batch_close(b);
	return rc;
}

/* The hash of a face as printed, from a preview or another ledger, against the one this ledger has.
 */
static void
compare_face(struct comparison *c, const char *hash)
{
	const struct card_row *card = &c->d->card;
	/* A side that was not printed has a hash of zeros. */
	bool same = card->id && hash[strspn(hash, "0")] != '\0' &&
		    (strcmp(hash, card->front_hash) == 0 || strcmp(hash, card->back_hash) == 0);

	compared(c, _("printed face"), same, same ? "" : _("the ledger's card has other faces"));
}

static int
compare_all(const struct desk *d, struct err *e)
{
	struct comparison c = {.d = d, .lines = json_array()};
	int rc = 0;

	if (d->ledger)
		compare_ledger(&c);
	if (d->batch)
		rc = compare_batch(&c, e);
	if (rc == 0 && d->n_names)
		compare_face(&c, d->names[0]);
	if (d->json && rc == 0) {
		json_t *all = json_pack("{s:s, s:b, s:O}", "uid", d->uid, "same", !c.different,
			"compared", c.lines);
		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(all);
	}
	json_decref(c.lines);
	if (rc == 0 && c.different)
		rc = err_set(e, ERR_INPUT,
			_("chip %s: the card is not what was compared with it; the lines above "
			  "say where."),
			d->uid);
	return rc;
}

static int
chip_compare_run(int argc, char **argv, struct err *e)
{
	struct desk d;
	int rc = desk_start(&d, "compare", argc, argv, "stlb", 1, e);

	if (rc == 0 && d.n_names)
		rc = face_hash_check(d.names[0], e);
	if (rc == 0)
		rc = desk_ledger(&d, LEDGER_READ, e);
	if (rc == 0 && !d.ledger && !d.batch)
		rc = err_set(e, ERR_USAGE,
			_("There is nothing to compare with: no ledger; name a batch with "
			  "--batch."));
	if (rc == 0)
		rc = desk_fetch(&d, e);
	if (rc == 0)
		rc = desk_known(&d, e);
	if (rc == 0)
		rc = desk_refuse(&d, e);
	if (rc == 0 && d.logic)
		rc = err_set(
			e, ERR_USAGE, _("Memory cards are not compared; read or verify them."));
	if (rc == 0)
		rc = compare_all(&d, e);
	desk_end(&d);
	return rc;
}

/* ---- chip convert ---- */

static int
chip_convert_run(int argc, char **argv, struct err *e)
{
	struct desk d;
	int rc = desk_start(&d, "convert", argc, argv, "stoF", 0, e);

	if (rc == 0 && !d.output)
		rc = err_set(e, ERR_USAGE, _("Say where the roster is to be: --output FILE"));
	if (rc == 0)
		rc = desk_fetch(&d, e);
	if (rc == 0 && d.from && !d.logic)
		rc = err_set(
			e, ERR_USAGE, _("--map is for memory cards (--station sle4442:READER)."));
	if (rc == 0)
		rc = desk_refuse(&d, e);
	if (rc == 0)
		rc = desk_roster_write(&d, e);
	if (rc == 0)
		printf(_("Made %s with one record. Add the photo, look it through, then: cardspool "
			 "pack\n"),
			d.output);
	if (rc == 0 && d.from)
		puts(_("Nothing on such a card proves who wrote it: compare the record with the "
		       "papers."));
	desk_end(&d);
	return rc;
}

const struct command commands_chip[] = {
	{"chip", "read",
		"[--station ADDRESS] [--template NAME|FOLDER] [--full] [--json] [--dump FILE] "
		"[--date DAY] [--ledger FILE]",
		N_("Show the record on a chip, masked, and whether its MAC is good"),
		chip_read_run},
	{"chip", "verify",
		"[--offline FILE] [--date DAY] [--station ADDRESS] [--template NAME|FOLDER] "
		"[--json] "
		"[--ledger FILE]",
		N_("Say in one line whether a card is valid today, with an exit status for each "
		   "verdict"),
		chip_verify_run},
	{"chip", "compare",
		"[FACE-HASH] [--batch FILE] [--station ADDRESS] [--template NAME|FOLDER] [--json] "
		"[--ledger FILE]",
		N_("Compare a chip with the ledger, its record in a batch, its printed face"),
		chip_compare_run},
	{"chip", "convert",
		"--output FILE [--map FILE] [--station ADDRESS] [--template NAME|FOLDER]",
		N_("Make a roster of one record from a card, also from an old memory card"),
		chip_convert_run},
	{NULL, NULL, NULL, NULL, NULL},
};
