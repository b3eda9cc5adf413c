/*
 * chipmap.c - chip.map: which bytes of which field stand in which block of the chip, both ways.
 *
 *   4 = 证号[1,16]
 *   5 = 证号[17,4] 姓名[1,12]      pieces follow each other in the block, the rest stays 00
 *   42 = "特种作业IC卡"            a literal
 *   1 2 = MAC                      two blocks, filled at the station
 *
 * A value is taken in GBK and padded with blanks to the field's length; a piece may reach past that
 * length and then holds blanks there.
 * Guarantees: a map that loads never touches block 0 or a trailer, fills no block twice, and gives
 * every byte of each field it names exactly one place, so that no value can be cut. What is wrong
 * is told with file and line, and nothing is handed out.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/card.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAP_PIECES_MAX (CHIP_BLOCKS * CHIP_BLOCK_LEN)
#define MAP_BYTES_MAX  256 /* of a field: FIELD_BYTES_MAX and the blanks behind it */
#define MAC_BLOCKS     2   /* HMAC-SHA-256 */

struct map_piece {
	unsigned block, at; /* first byte in the block */
	unsigned len;
	int field;      /* -1: a literal */
	unsigned first; /* first byte of the field, from 0 */
	unsigned line;
	uint8_t literal[CHIP_BLOCK_LEN];
};

struct chip_map {
	struct map_piece *pieces;
	size_t n_pieces;
	uint64_t data, mac;
};

struct map_reader {
	struct chip_map *map;
	const struct schema *schema;
	struct lines lines;
};

static int
line_error(const struct map_reader *r, struct err *e, const char *text)
{
	return err_set(e, ERR_INPUT, "%s: line %u: %s", r->lines.name, r->lines.number, text);
}

/* A decimal number of at most three digits at *text, which moves behind it; -1 if there is none. */
static int
digits_take(const char **text)
{
	int n = -1;

	for (int i = 0; i < 3 && **text >= '0' && **text <= '9'; i++, (*text)++)
		n = (n < 0 ? 0 : n) * 10 + (**text - '0');
	return n;
}

static const char *
blanks_skip(const char *text)
{
	return text + strspn(text, " \t");
}

/* ---- left of the equals sign ---- */

static int
block_check(const struct map_reader *r, int block, struct err *e)
{
	if (block < 0 || block >= CHIP_BLOCKS)
		return line_error(r, e, _("a line begins with block numbers, 1 to 62."));
	if (block == 0)
		return line_error(
			r, e, _("block 0 belongs to the maker of the chip; take another."));
	if (block % 4 == 3)
		return err_set(e, ERR_INPUT,
			_("%s: line %u: block %d holds the keys of its sector and can carry no "
			  "data; take "
			  "another."),
			r->lines.name, r->lines.number, block);
	if ((r->map->data | r->map->mac) >> block & 1)
		return err_set(e, ERR_INPUT,
			_("%s: line %u: block %d is filled by an earlier line."), r->lines.name,
			r->lines.number, block);
	return 0;
}

/* Blocks up to '='; *text moves behind it. */
static int
blocks_read(
	struct map_reader *r, const char **text, uint64_t *blocks, unsigned *last, struct err *e)
{
	*blocks = 0;
	for (;;) {
		*text = blanks_skip(*text);
		if (**text == '=' && *blocks) {
			(*text)++;
			return 0;
		}
		int block = digits_take(text);
		int rc = block_check(r, block, e);
		if (rc)
			return rc;
		if (*blocks >> block & 1)
			return line_error(r, e, _("names the same block twice."));
		*blocks |= 1ull << block;
		*last = (unsigned)block;
		if (**text != ' ' && **text != '\t' && **text != '=')
			return line_error(
				r, e, _("block numbers are followed by = and what they hold."));
	}
}

/* ---- right of it ---- */

static int
piece_push(struct map_reader *r, const struct map_piece *piece, struct err *e)
{
	struct chip_map *m = r->map;

	if (piece->at + piece->len > CHIP_BLOCK_LEN)
		return err_set(e, ERR_INPUT,
			_("%s: line %u: %u bytes for block %u, which holds %d."), r->lines.name,
			r->lines.number, piece->at + piece->len, piece->block, CHIP_BLOCK_LEN);
	if (m->n_pieces == MAP_PIECES_MAX)
		return line_error(r, e, _("too many pieces."));
	struct map_piece *pieces = realloc(m->pieces, (m->n_pieces + 1) * sizeof *pieces);
	if (!pieces)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	m->pieces = pieces;
	pieces[m->n_pieces++] = *piece;
	return 0;
}

static int
literal_read(struct map_reader *r, const char **text, struct map_piece *piece, struct err *e)
{
	char literal[sizeof r->lines.text];
	const char *end = strchr(*text + 1, '"');
	size_t len;

	if (!end || end == *text + 1)
		return line_error(r, e, _("a text stands between two quotation marks."));
	len = (size_t)(end - *text) - 1;
	memcpy(literal, *text + 1, len);
	literal[len] = '\0';
	*text = end + 1;
	int rc = charset_to_gbk(piece->literal, sizeof piece->literal, &len, literal, e);
	if (rc)
		return err_prefix(e, _("%s: line %u"), r->lines.name, r->lines.number);
	piece->field = -1;
	piece->len = len > CHIP_BLOCK_LEN ? CHIP_BLOCK_LEN + 1 : (unsigned)len;
	return 0;
}

/* NAME[first,length] */
static int
field_read(struct map_reader *r, const char **text, struct map_piece *piece, struct err *e)
{
	static const char *const form = N_("a piece is written NAME[first byte,length].");
	char name[FIELD_NAME_MAX];
	size_t len = strcspn(*text, "[ \t");

	if ((*text)[len] != '[')
		return line_error(r, e, _(form));
	if (len >= sizeof name)
		return line_error(r, e, _("the name of the field is too long."));
	memcpy(name, *text, len);
	name[len] = '\0';
	*text += len + 1;
	piece->field = schema_field(r->schema, name);
	if (piece->field < 0)
		return err_set(e, ERR_INPUT,
			_("%s: line %u: there is no field %s in record.schema."), r->lines.name,
			r->lines.number, name);
	int first = digits_take(text), comma = **text == ',';
	*text = blanks_skip(*text + comma);
	int bytes = comma ? digits_take(text) : -1;
	if (first < 1 || bytes < 1 || **text != ']')
		return line_error(r, e, _(form));
	(*text)++;
	piece->first = (unsigned)first - 1;
	piece->len = (unsigned)bytes;
	if (piece->first >= r->schema->fields[piece->field].max_bytes ||
		piece->first + piece->len > MAP_BYTES_MAX)
		return err_set(e, ERR_INPUT,
			_("%s: line %u: field %s has no byte %d; it ends with %zu."), r->lines.name,
			r->lines.number, name,
			first > (int)r->schema->fields[piece->field].max_bytes ? first
									       : first + bytes - 1,
			r->schema->fields[piece->field].max_bytes);
	return 0;
}

static int
pieces_read(struct map_reader *r, const char *text, unsigned block, struct err *e)
{
	unsigned at = 0;

	for (text = blanks_skip(text); *text; text = blanks_skip(text)) {
		struct map_piece piece = {.block = block, .at = at, .line = r->lines.number};
		int rc = *text == '"' ? literal_read(r, &text, &piece, e)
				      : field_read(r, &text, &piece, e);
		if (rc || (rc = piece_push(r, &piece, e)))
			return rc;
		at += piece.len;
	}
	if (!at)
		return line_error(r, e, _("says nothing about what the block holds."));
	r->map->data |= 1ull << block;
	return 0;
}

static int
map_line(struct map_reader *r, struct err *e)
{
	const char *text = r->lines.text;
	uint64_t blocks;
	unsigned last = 0;
	int rc = blocks_read(r, &text, &blocks, &last, e);

	if (rc)
		return rc;
	int n = __builtin_popcountll(blocks);
	if (!strcmp(blanks_skip(text), "MAC")) {
		if (n != MAC_BLOCKS || r->map->mac)
			return line_error(
				r, e, _("the MAC takes two blocks and stands there once."));
		r->map->mac = blocks;
		return 0;
	}
	if (n != 1)
		return line_error(r, e, _("only the MAC may take more than one block."));
	return pieces_read(r, text, last, e);
}

/* ---- the whole ---- */

/* Every byte of a field that is on the chip at all is there once. */
static int
coverage_check(const struct map_reader *r, size_t field, struct err *e)
{
	const struct field_rule *f = &r->schema->fields[field];
	bool taken[MAP_BYTES_MAX] = {false};
	unsigned line = 0;

	for (size_t i = 0; i < r->map->n_pieces; i++) {
		const struct map_piece *p = &r->map->pieces[i];
		if (p->field != (int)field)
			continue;
		line = p->line;
		for (unsigned b = p->first; b < p->first + p->len; b++) {
			if (taken[b])
				return err_set(e, ERR_INPUT,
					_("%s: line %u: byte %u of field %s has a place already."),
					r->lines.name, line, b + 1, f->name);
			taken[b] = true;
		}
	}
	for (unsigned b = 0; line && b < f->max_bytes; b++)
		if (!taken[b])
			return err_set(e, ERR_INPUT,
				_("%s: line %u: byte %u of field %s has no place on the chip; a "
				  "value "
				  "would be cut."),
				r->lines.name, line, b + 1, f->name);
	return 0;
}

static int
map_close(const struct map_reader *r, struct err *e)
{
	int rc = 0;

	if (!r->map->n_pieces)
		return err_set(e, ERR_INPUT, _("%s: puts nothing on the chip."), r->lines.name);
	for (size_t i = 0; i < r->schema->n_fields && !rc; i++)
		rc = coverage_check(r, i, e);
	return rc;
}

int
chip_map_parse(struct chip_map **out, const uint8_t *bytes, size_t len, const char *name,
	const struct schema *s, struct err *e)
{
	struct map_reader r = {.schema = s, .map = calloc(1, sizeof *r.map)};
	struct buf text;
	int rc;

	*out = NULL;
	buf_init(&text, 4 * SCHEMA_FILE_MAX);
	if (!r.map) {
		rc = err_set(e, ERR_SYSTEM, _("Out of memory."));
		goto out;
	}
	if ((rc = charset_to_utf8(&text, bytes, len, name, e)))
		goto out;
	lines_init(&r.lines, text.data, text.len, name);
	while ((rc = lines_next(&r.lines, e)) > 0)
		if ((rc = map_line(&r, e)))
			goto out;
	if (!rc)
		rc = map_close(&r, e);
out:
	buf_done(&text);
	if (rc)
		chip_map_destroy(r.map);
	else
		*out = r.map;
	return rc;
}

int
chip_map_load(struct chip_map **out, const char *path, const struct schema *s, struct err *e)
{
	struct buf bytes;

	*out = NULL;
	buf_init(&bytes, SCHEMA_FILE_MAX);
	int rc = file_read(&bytes, path, SCHEMA_FILE_MAX, e);
	if (!rc)
		rc = chip_map_parse(out, bytes.data, bytes.len, path, s, e);
	buf_done(&bytes);
	return rc;
}

void
chip_map_destroy(struct chip_map *m)
{
	if (!m)
		return;
	free(m->pieces);
	free(m);
}

void
chip_map_blocks(const struct chip_map *m, uint64_t *data, uint64_t *mac)
{
	*data = m->data;
	*mac = m->mac;
}

bool
chip_map_has(const struct chip_map *m, int field)
{
	for (size_t i = 0; i < m->n_pieces; i++)
		if (m->pieces[i].field == field)
			return true;
	return false;
}

/* ---- record to chip ---- */

/* The field in GBK, blanks to the end of what a piece may ask for. */
static int
field_bytes(uint8_t out[MAP_BYTES_MAX], const struct schema *s, const struct record *r, int field,
	struct err *e)
{
	const struct field_rule *f = &s->fields[field];
	size_t len;

	memset(out, ' ', MAP_BYTES_MAX);
	int rc = charset_to_gbk(out, f->max_bytes, &len, r->values[field], e);
	if (!rc && len > f->max_bytes)
		rc = err_set(e, ERR_INPUT, _("%zu bytes in GBK, at most %zu fit; shorten it."), len,
			f->max_bytes);
	if (rc)
		err_prefix(e, _("record %u: field %s"), r->number, f->name);
	return rc;
}

int
chip_image_build(struct chip_image *out, const struct chip_map *m, const struct schema *s,
	const struct record *r, struct err *e)
{
	uint8_t bytes[MAP_BYTES_MAX];
	int current = -1, rc;

	*out = (struct chip_image){.data = m->data, .mac = m->mac};
	for (size_t i = 0; i < m->n_pieces; i++) {
		const struct map_piece *p = &m->pieces[i];
		if (p->field >= 0 && p->field != current) {
			if ((rc = field_bytes(bytes, s, r, p->field, e))) {
				*out = (struct chip_image){0};
				return rc;
			}
			current = p->field;
		}
		memcpy(out->block[p->block] + p->at, p->field < 0 ? p->literal : bytes + p->first,
			p->len);
	}
	return 0;
}

/* ---- chip to record ---- */

/* Literals where the map has them, 00 where it has nothing. */
static int
frame_check(const struct chip_image *c, const struct chip_map *m, struct err *e)
{
	unsigned used[CHIP_BLOCKS] = {0};

	for (size_t i = 0; i < m->n_pieces; i++) {
		const struct map_piece *p = &m->pieces[i];
		used[p->block] = p->at + p->len;
		if (p->field < 0 && memcmp(c->block[p->block] + p->at, p->literal, p->len))
			return err_set(e, ERR_INPUT,
				_("block %u does not hold the text of this kind of card; it is "
				  "empty or "
				  "of another kind."),
				p->block);
	}
	for (unsigned b = 0; b < CHIP_BLOCKS; b++)
		for (unsigned i = used[b]; used[b] && i < CHIP_BLOCK_LEN; i++)
			if (c->block[b][i])
				return err_set(e, ERR_INPUT,
					_("block %u holds more than this kind of card has there."),
					b);
	return 0;
}

/* Joins the pieces of one field; false if it is not on the chip. */
static bool
field_join(uint8_t out[MAP_BYTES_MAX], const struct chip_image *c, const struct chip_map *m,
	int field, size_t *len, unsigned *block)
{
	*len = 0;
	for (size_t i = 0; i < m->n_pieces; i++) {
		const struct map_piece *p = &m->pieces[i];
		if (p->field != field)
			continue;
		memcpy(out + p->first, c->block[p->block] + p->at, p->len);
		if (p->first + p->len > *len)
			*len = p->first + p->len;
		*block = p->first ? *block : p->block;
	}
	return *len > 0;
}

static int
field_parse(struct record *out, const struct chip_image *c, const struct chip_map *m,
	const struct schema *s, int field, struct err *e)
{
	uint8_t bytes[MAP_BYTES_MAX];
	char text[4 * MAP_BYTES_MAX];
	unsigned block = 0;
	size_t len;

	if (!field_join(bytes, c, m, field, &len, &block))
		return 0;
	while (len && bytes[len - 1] == ' ')
		len--;
	if (charset_from_gbk(text, sizeof text, bytes, len, e))
		return err_prefix(e, _("field %s (from block %u)"), s->fields[field].name, block);
	char *copy = strdup(text);
	if (!copy)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	free(out->values[field]);
	out->values[field] = copy;
	return 0;
}

int
chip_image_parse(const struct chip_image *c, const struct chip_map *m, const struct schema *s,
	struct record *out, struct err *e)
{
	int rc = record_create(out, s, e);

	if (rc)
		return rc;
	rc = frame_check(c, m, e);
	for (size_t i = 0; i < s->n_fields && !rc; i++)
		rc = field_parse(out, c, m, s, (int)i, e);
	if (rc)
		record_done(out, s);
	return rc;
}

void
chip_image_hash(uint8_t out[HASH_LEN], const struct chip_image *c)
{
	uint8_t bytes[CHIP_BLOCKS * CHIP_BLOCK_LEN];
	size_t len = 0;

	for (unsigned b = 0; b < CHIP_BLOCKS; b++) {
		if (!(c->data >> b & 1))
			continue;
		memcpy(bytes + len, c->block[b], CHIP_BLOCK_LEN);
		len += CHIP_BLOCK_LEN;
	}
	hash_bytes(out, bytes, len);
}
