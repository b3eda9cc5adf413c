/*
 * logicmap.c - a record as the data of a memory card.
 *
 * Owns the reading of logic.map and the laying out of values. Guarantees: each field has one place
 * that holds its longest value; no value is ever cut. What is wrong is told with file and line or
 * with record and field, and nothing is handed out.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/logicmap.h"

#include <stdlib.h>
#include <string.h>

static int
line_error(const struct lines *l, struct err *e, const char *text)
{
	return err_set(e, ERR_INPUT, "%s: line %u: %s", l->name, l->number, text);
}

static int
line_take(struct logic_map *m, struct lines *l, const struct schema *s, struct err *e)
{
	char *rest = l->text, *end = NULL;
	const char *name = lines_word(&rest), *bytes = lines_word(&rest);
	const unsigned long len = bytes ? strtoul(bytes, &end, 10) : 0;

	if (!name || !bytes || *end || len == 0 || len > LOGIC_MAP_BYTES || lines_word(&rest))
		return line_error(l, e, _("a line names a field and its number of bytes."));
	const int field = schema_field(s, name);
	if (field < 0)
		return line_error(l, e, _("there is no such field in record.schema."));
	if (len < s->fields[field].max_bytes)
		return line_error(
			l, e, _("the field may be longer than that; a value would be cut."));
	for (size_t i = 0; i < m->n; i++)
		if (m->place[i].field == field)
			return line_error(l, e, _("the field has a place already."));
	if (m->n == LOGIC_MAP_FIELDS || m->used + len > LOGIC_MAP_BYTES)
		return line_error(l, e, _("the card has 208 bytes for data; this is too much."));
	m->place[m->n].field = field;
	m->place[m->n].at = m->used;
	m->place[m->n++].len = (unsigned)len;
	m->used += (unsigned)len;
	return 0;
}

int
logic_map_parse(struct logic_map *out, const uint8_t *bytes, size_t len, const char *name,
	const struct schema *s, struct err *e)
{
	struct lines l;
	struct buf text;

	*out = (struct logic_map){0};
	buf_init(&text, 4 * SCHEMA_FILE_MAX);
	int rc = charset_to_utf8(&text, bytes, len, name, e);
	if (rc == 0) {
		lines_init(&l, text.data, text.len, name);
		while ((rc = lines_next(&l, e)) > 0)
			if ((rc = line_take(out, &l, s, e)))
				break;
	}
	buf_done(&text);
	if (rc == 0 && out->n == 0)
		rc = err_set(e, ERR_INPUT, _("%s: puts nothing on the card."), name);
	return rc;
}

int
logic_map_load(struct logic_map *out, const char *path, const struct schema *s, struct err *e)
{
	struct buf bytes;

	buf_init(&bytes, SCHEMA_FILE_MAX);
	int rc = file_read(&bytes, path, SCHEMA_FILE_MAX, e);
	if (rc == 0)
		rc = logic_map_parse(out, bytes.data, bytes.len, path, s, e);
	buf_done(&bytes);
	return rc;
}

int
logic_data_build(uint8_t out[LOGIC_MAP_BYTES], const struct logic_map *m, const struct schema *s,
	const struct record *r, struct err *e)
{
	memset(out, 0, LOGIC_MAP_BYTES);
	for (size_t i = 0; i < m->n; i++) {
		const struct field_rule *f = &s->fields[m->place[i].field];
		size_t len = 0;
		memset(out + m->place[i].at, ' ', m->place[i].len);
		int rc = charset_to_gbk(out + m->place[i].at, m->place[i].len, &len,
			r->values[m->place[i].field], e);
		if (rc == 0 && len > m->place[i].len)
			rc = err_set(e, ERR_INPUT,
				_("%zu bytes in GBK, at most %u fit; shorten it."), len,
				m->place[i].len);
		if (rc) {
			memset(out, 0, LOGIC_MAP_BYTES);
			return err_prefix(e, _("record %u: field %s"), r->number, f->name);
		}
	}
	return 0;
}
