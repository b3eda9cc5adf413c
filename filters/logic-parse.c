/*
 * logic-parse.c - from a memory card's bytes back to a record.
 *
 * Owns the taking apart of values. Guarantees: every byte read lies within the card; what is not
 * GBK is refused by the name of its field, and then no record is handed out. Says nothing about who
 * wrote the card: that is its MAC's matter, and the cards of other systems have none.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/logic-parse.h"

#include <stdlib.h>
#include <string.h>

enum { VALUE_MAX = 256 };

static int
value_put(struct record *out, const struct schema *s, int field, const uint8_t *bytes, size_t len,
	struct err *e)
{
	char text[4 * VALUE_MAX];

	while (len && (bytes[len - 1] == ' ' || bytes[len - 1] == 0 || bytes[len - 1] == 0xff))
		len--;
	if (charset_from_gbk(text, sizeof text, bytes, len, e))
		return err_prefix(e, _("field %s"), s->fields[field].name);
	char *copy = strdup(text);
	if (!copy)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	free(out->values[field]);
	out->values[field] = copy;
	return 0;
}

int
logic_record_parse(struct record *out, const struct logic_map *m, const struct schema *s,
	const uint8_t data[LOGIC_MAP_BYTES], struct err *e)
{
	int rc = record_create(out, s, e);

	if (rc)
		return rc;
	for (size_t i = 0; rc == 0 && i < m->n; i++)
		rc = value_put(
			out, s, m->place[i].field, data + m->place[i].at, m->place[i].len, e);
	if (rc)
		record_done(out, s);
	return rc;
}

/* A decimal number below VALUE_MAX + 1; -1 for anything else. */
static int
byte_parse(const char *word)
{
	char *end;
	unsigned long n = word && word[0] >= '0' && word[0] <= '9' ? strtoul(word, &end, 10) : 999;

	return n <= VALUE_MAX && !*end ? (int)n : -1;
}

static int
old_line(struct record *out, struct lines *l, const struct schema *s, const uint8_t *card,
	struct err *e)
{
	char *rest = l->text;
	const char *name = lines_word(&rest);
	const int field = name ? schema_field(s, name) : -1;
	const int first = byte_parse(lines_word(&rest)), len = byte_parse(lines_word(&rest));

	if (field < 0)
		return err_set(e, ERR_INPUT, _("%s: line %u: record.schema has no such field."),
			l->name, l->number);
	if (first < 0 || len < 1 || first + len > MEMORY_CARD_LEN || lines_word(&rest))
		return err_set(e, ERR_INPUT,
			_("%s: line %u: a line reads FIELD FIRST LENGTH, within the 256 bytes of a "
			  "card."),
			l->name, l->number);
	return value_put(out, s, field, card + first, (size_t)len, e);
}

int
old_record_parse(struct record *out, const uint8_t *map, size_t map_len, const char *map_name,
	const struct schema *s, const uint8_t card[MEMORY_CARD_LEN], struct err *e)
{
	struct lines l;
	struct buf text;
	unsigned n = 0;
	int rc = record_create(out, s, e);

	if (rc)
		return rc;
	buf_init(&text, 4 * SCHEMA_FILE_MAX);
	rc = charset_to_utf8(&text, map, map_len, map_name, e);
	if (rc == 0) {
		lines_init(&l, text.data, text.len, map_name);
		for (; (rc = lines_next(&l, e)) > 0; n++)
			if ((rc = old_line(out, &l, s, card, e)))
				break;
	}
	buf_done(&text);
	if (rc == 0 && n == 0)
		rc = err_set(e, ERR_INPUT, _("%s: names no field."), map_name);
	if (rc)
		record_done(out, s);
	return rc;
}
