/*
 * cmd-chip-change.c - the commands that change a finished card: chip review, chip rewrite.
 *
 * Owns their words and what is asked for. Guarantees: values come from a file or standard input,
 * never from the command line, where every user of the computer could read them; only a genuine
 * card that the ledger does not hold as void or bad is changed; a change that was interrupted
 * before is finished first, and then nothing else is done in the same call.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/chip-desk.h"
#include "spooler/keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VALUES_MAX = 64 * 1024 };

/* What one change does with the record. */
struct change {
	const char *verb;
	int (*apply)(struct desk *d, struct record *r, bool *fields, struct err *e);
};

/* ---- before and after ---- */

static int
change_allowed(const struct desk *d, struct err *e)
{
	int rc = desk_refuse(d, e);

	if (rc)
		return rc;
	if (d->logic)
		return err_set(e, ERR_USAGE,
			_("Memory cards are not changed at the desk; convert the card into a new "
			  "record: cardspool chip convert"));
	if (!d->mac_present)
		return err_set(e, ERR_INPUT,
			_("The chip map of this template has no MAC; such cards are not changed."));
	if (d->card.id && d->card.state != CARD_DONE)
		return err_set(e, ERR_DENIED,
			_("chip %s: the ledger has its card as \"%s\" (%s); it is not changed."),
			d->uid, card_states[d->card.state].name,
			_(card_states[d->card.state].means));
	return 0;
}

static void
change_said(const struct desk *d, const char *verb, const bool *fields, bool resumed)
{
	json_t *list = json_array();
	bool face = false;

	for (size_t i = 0; fields && i < d->schema->n_fields; i++) {
		if (!fields[i])
			continue;
		json_array_append_new(list, json_string(d->schema->fields[i].name));
		face |= desk_field_printed(&d->rules, (int)i);
	}
	if (d->json) {
		json_t *all = json_pack("{s:s, s:s, s:b, s:O, s:b, s:s}", "uid", d->uid, "verb",
			verb, "finished_only", resumed, "fields", list, "face_differs", face,
			"date", d->today);
		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(all);
	} else if (resumed) {
		printf(_("chip %s: the interrupted change (%s) is finished and proved. Nothing "
			 "else was done.\n"),
			d->uid, verb);
	} else {
		printf(_("chip %s: changed (%s), with a new MAC, read back and proved.\n"), d->uid,
			verb);
		if (face)
			puts(_("The face of the card shows the old text of what was changed: stick "
			       "on the review label, or make the card anew."));
	}
	json_decref(list);
}

static int
change_new(struct desk *d, const struct change *change, struct err *e)
{
	struct record after;
	bool *fields = calloc(d->schema->n_fields, sizeof *fields);
	int rc = change_allowed(d, e);

	if (rc == 0 && !fields)
		rc = err_set(e, ERR_SYSTEM, _("Out of memory."));
	if (rc == 0)
		rc = record_copy(&after, &d->record, d->schema, e);
	if (rc == 0) {
		rc = change->apply(d, &after, fields, e);
		for (size_t i = 0; rc == 0 && i < d->schema->n_fields; i++)
			if (fields[i] && (rc = record_field_check(&after, d->schema, (int)i, e)))
				err_prefix(e, _("field %s"), d->schema->fields[i].name);
		if (rc == 0)
			rc = chip_change_run(d, change->verb, &after, fields, e);
		record_done(&after, d->schema);
	}
	if (rc == 0)
		change_said(d, change->verb, fields, false);
	free(fields);
	return rc;
}

static int
change_run(struct desk *d, const struct change *change, struct err *e)
{
	int rc = desk_ledger(d, LEDGER_WRITE, e);

	if (rc == 0)
		rc = desk_today(d, e);
	if (rc == 0)
		rc = desk_fetch(d, e);
	if (rc == 0)
		rc = desk_known(d, e);
	if (rc == 0 && d->change.open && !d->logic && d->found <= CHIP_ALTERED) {
		rc = chip_change_finish(d, e);
		if (rc == 0)
			change_said(d, d->change.verb, NULL, true);
		return desk_words(rc, e);
	}
	return rc ? rc : desk_words(change_new(d, change, e), e);
}

/* ---- chip review ---- */

static int
review_apply(struct desk *d, struct record *r, bool *fields, struct err *e)
{
	char due[9];
	int rc = d->rules.n_reviews
			 ? 0
			 : err_set(e, ERR_USAGE, _("%s/desk.rules names no review."), d->dir);

	if (rc == 0 && d->next)
		rc = desk_day(due, "--next", d->next, e);
	if (rc)
		return rc;
	return desk_review_apply(r, &d->rules, d->schema, d->today, d->text ? d->text : "复审合格",
		d->next, fields, e);
}

static int
chip_review_run(int argc, char **argv, struct err *e)
{
	static const struct change review = {"review", review_apply};
	struct desk d;
	int rc = desk_start(&d, "review", argc, argv, "stlDTn", 0, e);

	if (rc == 0)
		rc = change_run(&d, &review, e);
	desk_end(&d);
	return rc;
}

/* ---- chip rewrite ---- */

static int
values_read(struct buf *text, const char *path, struct err *e)
{
	char bytes[4096];
	ssize_t n;
	int rc = 0;

	if (path && strcmp(path, "-") != 0)
		return file_read(text, path, VALUES_MAX, e);
	while (rc == 0 && (n = read(STDIN_FILENO, bytes, sizeof bytes)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		rc = n < 0 ? err_set(e, ERR_INPUT, _("The values cannot be read: %s."),
				     strerror(errno))
			   : buf_append(text, bytes, (size_t)n, e);
	}
	explicit_bzero(bytes, sizeof bytes);
	return rc;
}

/* Names those that may be changed. */
static int
field_refuse(const struct desk *d, const char *name, struct err *e)
{
	char list[400] = "";
	size_t used = 0;

	for (size_t i = 0; i < d->schema->n_fields; i++) {
		if (!chip_map_has(d->map, (int)i) || desk_field_fixed(&d->rules, (int)i))
			continue;
		int n = snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "",
			d->schema->fields[i].name);
		if (n < 0 || (size_t)n >= sizeof list - used) {
			list[used] = '\0';
			break;
		}
		used += (size_t)n;
	}
	return err_set(e, ERR_INPUT,
		_("There is no field %s on the chip. These can be changed: %s."), name, list);
}

/* FIELD=VALUE; an empty value empties the field. */
static int
value_apply(struct desk *d, struct record *r, bool *fields, char *line, struct err *e)
{
	char *value = strchr(line, '=');

	if (!value)
		return err_set(
			e, ERR_INPUT, _("A line has to read FIELD=VALUE; this one has no =."));
	*value++ = '\0';
	int field = schema_field(d->schema, line);
	if (field < 0 || !chip_map_has(d->map, field))
		return field_refuse(d, line, e);
	if (fields[field])
		return err_set(e, ERR_INPUT, _("Field %s is given twice."), line);
	if (desk_field_fixed(&d->rules, field))
		return err_set(e, ERR_DENIED,
			_("Field %s is never changed on a finished card: declare the card void and "
			  "make a new one."),
			line);
	char *copy = strdup(value);
	if (!copy)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	free(r->values[field]);
	r->values[field] = copy;
	fields[field] = true;
	return 0;
}

static int
rewrite_apply(struct desk *d, struct record *r, bool *fields, struct err *e)
{
	struct buf raw, text;
	unsigned n = 0, number = 0;

	buf_init(&raw, VALUES_MAX);
	buf_init(&text, 4 * VALUES_MAX);
	int rc = values_read(&raw, d->from, e);
	if (rc == 0)
		rc = charset_to_utf8(&text, raw.data, raw.len, d->from ? d->from : "-", e);
	if (rc == 0)
		rc = buf_append(&text, "", 1, e);
	for (char *line = (char *)text.data; rc == 0 && line && *line;) {
		char *next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		line[strcspn(line, "\r")] = '\0';
		number++;
		if (line[0]) {
			rc = value_apply(d, r, fields, line, e);
			n++;
		}
		if (rc)
			err_prefix(e, _("%s: line %u"), d->from ? d->from : "-", number);
		line = next;
	}
	if (rc == 0 && n == 0)
		rc = err_set(e, ERR_INPUT, _("No line FIELD=VALUE was given."));
	if (raw.data)
		explicit_bzero(raw.data, raw.len);
	if (text.data)
		explicit_bzero(text.data, text.len);
	buf_done(&raw);
	buf_done(&text);
	return rc;
}

static int
chip_rewrite_run(int argc, char **argv, struct err *e)
{
	static const struct change rewrite = {"rewrite", rewrite_apply};
	struct desk d;
	int rc = desk_start(&d, "rewrite", argc, argv, "stlDFr", 0, e);

	if (rc == 0 && (!d.reason || !d.reason[strspn(d.reason, " \t")]))
		rc = err_set(e, ERR_USAGE, "%s", _("Say why, for the record: --reason TEXT"));
	if (rc == 0)
		rc = change_run(&d, &rewrite, e);
	desk_end(&d);
	return rc;
}

/* ---- key export-inspector ---- */

static unsigned
sectors_of(const struct chip_map *m)
{
	uint64_t data, mac;
	unsigned sectors = 0;

	chip_map_blocks(m, &data, &mac);
	for (unsigned b = 0; b < CHIP_BLOCKS; b++)
		if ((data | mac) >> b & 1u)
			sectors |= 1u << b / CHIP_SECTOR_BLOCKS;
	return sectors;
}

static int
key_export_run(int argc, char **argv, struct err *e)
{
	struct desk d;
	struct key_ring ring = {0};
	unsigned n = 0;
	int rc = desk_start(&d, "export-inspector", argc, argv, "tlo", 0, e);

	if (rc == 0 && !d.output)
		rc = err_set(e, ERR_USAGE, _("Say where the file is to be: --output FILE"));
	if (rc == 0)
		rc = desk_ledger(&d, LEDGER_WRITE, e);
	if (rc == 0)
		rc = desk_today(&d, e);
	keys_guard();
	if (rc == 0)
		rc = keyfile_ring(&ring, config_keys(d.config), e);
	if (rc == 0)
		rc = inspector_export(d.ledger, &ring, sectors_of(d.map), d.today, d.output, &n, e);
	explicit_bzero(&ring, sizeof ring);
	if (rc == 0)
		rc = ledger_event(d.ledger, "inspector-exported", NULL, NULL, e);
	if (rc == 0)
		printf(_("Made %s with the read keys of %u cards. Hand it to inspectors only; it "
			 "writes no card.\n"),
			d.output, n);
	desk_end(&d);
	return rc;
}

const struct command commands_chip_change[] = {
	{"chip", "review",
		"[--text TEXT] [--next DAY] [--date DAY] [--station ADDRESS] [--template "
		"NAME|FOLDER] [--json] [--ledger FILE]",
		N_("Record the next re-review on a card, or finish an interrupted change"),
		chip_review_run},
	{"chip", "rewrite",
		"--reason TEXT [--from FILE] [--date DAY] [--station ADDRESS] [--template "
		"NAME|FOLDER] [--json] [--ledger FILE]",
		N_("Change fields on a card; lines FIELD=VALUE from a file or standard input"),
		chip_rewrite_run},
	{"key", "export-inspector", "--output FILE [--template NAME|FOLDER] [--ledger FILE]",
		N_("Make a key file that reads and checks the cards of the ledger and writes none"),
		key_export_run},
	{NULL, NULL, NULL, NULL, NULL},
};
