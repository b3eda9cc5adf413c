/*
 * cmd-chip-tag.c - the command `chip tag`: the NDEF message of a badge's tag.
 *
 * Owns reading it for people and writing it from a batch's record by the template's ndef.map.
 * Guarantees: a tag that holds another message is left alone without --replace, a lock is set only
 * with --lock; the ledger has an event before the first write and one after the proof. A tag is
 * readable by everybody: nothing is secret on it, and nothing on it proves anything.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/type2.h"
#include "filters/ndef.h"
#include "spooler/chip-desk.h"

#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct tagging {
	const char *station_word, *template_word, *batch, *record;
	bool json, lock, replace;
	struct config *config;
	char dir[DESK_PATH_LEN], file[DESK_PATH_LEN + 16];
	struct schema *schema;
	struct ndef_map *map;
	struct buf message;
	struct ledger *ledger;
	struct station *station;
	struct type2_tag tag;
	char uid[UID_HEX_MAX];
	json_t *records;
};

static int
tag_words(struct tagging *t, int argc, char **argv, struct err *e)
{
	static const struct option options[] = {{"station", required_argument, NULL, 's'},
		{"template", required_argument, NULL, 't'}, {"batch", required_argument, NULL, 'b'},
		{"record", required_argument, NULL, 'r'}, {"lock", no_argument, NULL, 'l'},
		{"replace", no_argument, NULL, 'p'}, {"json", no_argument, NULL, 'j'},
		{NULL, 0, NULL, 0}};
	int c;

	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (c == '?' || c == ':')
			return desk_option_refuse("tag", c, argv[optind - 1], e);

		const char **word = c == 's'   ? &t->station_word
				    : c == 't' ? &t->template_word
				    : c == 'b' ? &t->batch
				    : c == 'r' ? &t->record
					       : NULL;
		if (word)
			*word = optarg;
		t->lock |= c == 'l';
		t->replace |= c == 'p';
		t->json |= c == 'j';
	}
	if (t->record) {
		char *rest;
		unsigned long n = strtoul(t->record, &rest, 10);
		if (t->record[0] < '1' || t->record[0] > '9' || *rest || n > UINT_MAX)
			return err_set(e, ERR_USAGE,
				_("--record wants the number of a record, from 1 on, not \"%s\"."),
				t->record);
	}
	if (optind == argc && !t->batch == !t->record && (t->batch || (!t->lock && !t->replace)))
		return 0;
	return err_set(e, ERR_USAGE,
		_("The call is: cardspool chip tag [--batch FILE --record N [--replace] [--lock]]. "
		  "See: cardspool help chip tag"));
}

/* ---- what shall stand on the tag ---- */

static int
message_load(struct tagging *t, struct err *e)
{
	struct batch *b = NULL;
	struct record r;
	const char *word = t->template_word;
	int rc = batch_open(&b, t->batch, e);

	if (rc)
		return rc;
	if (word && (strchr(word, '/') || !strcmp(word, ".")))
		snprintf(t->dir, sizeof t->dir, "%s", word);
	else
		snprintf(t->dir, sizeof t->dir, "%s/%s", config_templates(t->config),
			word ? word : batch_info(b)->template_name);
	snprintf(t->file, sizeof t->file, "%s/record.schema", t->dir);
	rc = schema_load(&t->schema, t->file, e);
	snprintf(t->file, sizeof t->file, "%s/ndef.map", t->dir);
	if (rc == 0 && access(t->file, F_OK) != 0)
		rc = err_set(e, ERR_MISSING,
			_("%s is not there: cards of this template carry no tag. Name another one "
			  "with "
			  "--template, or give it an ndef.map."),
			t->file);
	if (rc == 0)
		rc = ndef_map_load(&t->map, t->file, t->schema, e);
	if (rc == 0)
		rc = batch_record(b, t->schema, (unsigned)strtoul(t->record, NULL, 10), &r, e);
	if (rc == 0) {
		rc = ndef_build(&t->message, t->map, t->schema, &r, e);
		record_done(&r, t->schema);
	}
	batch_close(b);
	return rc;
}

/* ---- the tag ---- */

static int
tag_event(struct tagging *t, const char *phase, struct err *e)
{
	const struct card_row none = {0};

	return ledger_chip_event(t->ledger, "chip-tag", &none, t->uid,
		json_pack("{s:s, s:s, s:b}", "phase", phase, "record", t->record, "lock", t->lock),
		e);
}

static bool
message_same(const struct tagging *t)
{
	return t->tag.message_len == t->message.len &&
	       memcmp(t->tag.user + t->tag.message_at, t->message.data, t->message.len) == 0;
}

static int
tag_write(struct tagging *t, struct err *e)
{
	const bool same = message_same(t);

	if (same && (!t->lock || t->tag.locked))
		return 0;
	if (t->tag.message_len && !same && !t->replace)
		return fault_say(e, FAULT_CHIP_USED, "the tag holds another message",
			_("This tag holds another message. Nothing was written; with --replace it "
			  "is written over."));
	int rc = ledger_open(&t->ledger, config_ledger(t->config), LEDGER_WRITE, e);
	if (rc == 0)
		rc = tag_event(t, "begun", e);
	if (rc == 0 && !same)
		rc = type2_write(t->station, &t->tag, t->message.data, t->message.len, e);
	if (rc == 0 && t->lock)
		rc = type2_lock(t->station, &t->tag, e);
	if (t->ledger)
		tag_event(t, rc ? "failed" : "done", rc ? NULL : e);
	return rc;
}

static int
record_show(void *ctx, const char *kind, const char *content)
{
	struct tagging *t = ctx;

	if (!t->json)
		printf("  %s: %s\n", kind, content);
	json_array_append_new(t->records,
		json_pack("{s:o, s:o}", "kind", json_text(kind), "content", json_text(content)));
	return 0;
}

static int
tag_show(struct tagging *t, struct err *e)
{
	t->records = json_array();
	if (!t->json)
		printf(_("tag %s: %u bytes, %s%s\n"), t->uid, t->tag.capacity,
			t->tag.locked ? _("read only") : _("writable"),
			t->tag.message_len ? "" : _(", empty"));
	int rc = ndef_parse(t->tag.user + t->tag.message_at, t->tag.message_len, record_show, t, e);
	if (rc == 0 && t->json) {
		json_t *all = json_pack("{s:s, s:i, s:b, s:O}", "uid", t->uid, "capacity",
			(int)t->tag.capacity, "locked", t->tag.locked, "records", t->records);
		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(all);
	}
	json_decref(t->records);
	return rc;
}

/* As drivers/type2.c says it. */
static const char tag_locked[] = "the tag is locked";

static int
chip_tag_run(int argc, char **argv, struct err *e)
{
	struct tagging t = {0};
	const char *address = NULL;
	int rc = tag_words(&t, argc, argv, e);

	if (rc == 0)
		rc = config_load(&t.config, e);
	if (rc == 0 && t.batch)
		rc = message_load(&t, e);
	if (rc == 0)
		address = t.station_word ? t.station_word : config_station(t.config, NULL);
	if (rc == 0 && !address)
		rc = err_set(e, ERR_USAGE,
			_("No chip reader is set; name one with --station or in cardspool.conf."));
	if (rc == 0)
		rc = desk_station(&t.station, address, e);
	if (rc == 0)
		rc = type2_read(t.station, config_chip_wait_ms(t.config), &t.tag, e);
	hex_build(t.uid, t.tag.id.uid, t.tag.id.uid_len);
	if (rc == 0 && t.batch)
		rc = tag_write(&t, e);
	if (rc == 0)
		rc = tag_show(&t, e);
	buf_done(&t.message);
	ndef_map_destroy(t.map);
	station_close(t.station);
	ledger_close(t.ledger);
	if (t.schema)
		schema_destroy(t.schema);
	if (t.config)
		config_destroy(t.config);
	if (rc && e && e->fault == FAULT_CHIP_USED && strcmp(e->raw, tag_locked) == 0)
		rc = fault_say(e, FAULT_CHIP_USED, tag_locked,
			_("This tag is locked: nobody can change it any more. Take another one."));
	return desk_words(rc, e);
}

const struct command commands_chip_tag[] = {
	{"chip", "tag",
		"[--batch FILE --record N [--replace] [--lock]] [--station ADDRESS] [--template "
		"NAME|FOLDER] [--json]",
		N_("Show the NDEF message of a badge's tag, or write a record's by the template"),
		chip_tag_run},
	{NULL, NULL, NULL, NULL, NULL},
};
