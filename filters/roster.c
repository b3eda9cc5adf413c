/*
 * roster.c - a CSV roster: header, records, problems.
 *
 * Guarantees: every record is looked at and every problem told, each with file, record and line; a
 * roster with a problem is not handed out. Bytes are bounded (ROSTER_FILE_MAX), records too
 * (ROSTER_RECORDS_MAX), so a hostile file costs a bounded amount of memory and time.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/card.h"

#include <csv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROSTER_COLUMNS_MAX 256
#define ROSTER_CELL_MAX    4096

/* What a column is, beside the index of a field. */
enum { COLUMN_IS_PHOTO = -1, COLUMN_IS_KIND = -2, COLUMN_IS_EMPTY = -3 };

static const struct {
	const char *name;
	int column;
} own_columns[] = {
	{COLUMN_PHOTO, COLUMN_IS_PHOTO},
	{"photo", COLUMN_IS_PHOTO},
	{COLUMN_KIND, COLUMN_IS_KIND},
	{"number-kind", COLUMN_IS_KIND},
};

struct roster_reader {
	const struct schema *schema;
	const char *name;
	struct problems *problems;
	unsigned before; /* records of the file that come before these rows */
	struct roster *roster;
	size_t capacity;
	struct csv_parser csv;
	struct buf row;                        /* the cells of this row, each with a NUL */
	size_t cell[ROSTER_COLUMNS_MAX];       /* where each begins in row */
	size_t n_cells;                        /* may pass the end of cell: counted, not kept */
	bool long_cell, row_ended, row_filled; /* of this row */
	unsigned row_line;                     /* the line it begins on */
	bool header_done;
	int column[ROSTER_COLUMNS_MAX];
	size_t n_columns;
	bool stop; /* nothing after this can be understood */
};

static void
reader_problem(struct roster_reader *r, const struct err *e)
{
	problems_add(r->problems, e);
}

static const char *
row_cell(const struct roster_reader *r, size_t i)
{
	return (const char *)r->row.data + r->cell[i];
}

/* ---- header ---- */

static int
column_find(const struct schema *s, const char *name)
{
	if (!*name)
		return COLUMN_IS_EMPTY;
	for (size_t i = 0; i < ARRAY_LEN(own_columns); i++)
		if (!strcmp(own_columns[i].name, name))
			return own_columns[i].column;
	int field = schema_field(s, name);
	return field >= 0 ? field : -100;
}

static void
names_list(struct buf *out, const struct schema *s)
{
	for (size_t i = 0; i < s->n_fields; i++)
		if (buf_printf(out, NULL, "%s, ", s->fields[i].name))
			return;
	buf_printf(out, NULL, "%s, %s", COLUMN_KIND, COLUMN_PHOTO);
}

/* A name from the file as a message may show it: short and without control characters. */
static void
name_show(char out[49], const char *name)
{
	size_t used = 0, left = strlen(name);
	uint32_t cp;

	for (size_t n; left; name += n, left -= n) {
		n = utf8_next(&cp, name, left);
		if (!n || used + n > 48)
			break;
		if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
			out[used++] = '?';
		else
			memcpy(out + used, name, n), used += n;
	}
	out[used] = '\0';
}

static void
header_unknown(struct roster_reader *r, size_t i)
{
	char shown[49];
	struct buf names;
	struct err e;

	name_show(shown, row_cell(r, i));
	buf_init(&names, 8192);
	names_list(&names, r->schema);
	err_set(&e, ERR_INPUT,
		_("%s: line %u: the column %s is not known; take it out. Allowed are: %.*s."),
		r->name, r->row_line, shown, (int)names.len, names.data ? (char *)names.data : "");
	reader_problem(r, &e);
	buf_done(&names);
}

static bool
header_has(const struct roster_reader *r, int column)
{
	for (size_t i = 0; i < r->n_columns; i++)
		if (r->column[i] == column)
			return true;
	return false;
}

/* Unknown, double and missing columns; any of them ends the reading. */
static void
header_read(struct roster_reader *r)
{
	unsigned before = r->problems->n, known = 0;
	struct err e;

	r->header_done = true;
	if (r->n_cells > ROSTER_COLUMNS_MAX) {
		err_set(&e, ERR_INPUT, _("%s: line %u: has %zu columns, at most %d are read."),
			r->name, r->row_line, r->n_cells, ROSTER_COLUMNS_MAX);
		reader_problem(r, &e);
		r->stop = true;
		return;
	}
	for (size_t i = 0; i < r->n_cells; i++)
		known += column_find(r->schema, row_cell(r, i)) > COLUMN_IS_EMPTY;
	if (!known) {
		/* The cells may well be a holder's data: do not repeat them. */
		err_set(&e, ERR_INPUT,
			_("%s: line %u: holds no column name of this template; the first line must "
			  "be "
			  "the names, such as %s."),
			r->name, r->row_line, r->schema->fields[0].name);
		reader_problem(r, &e);
		r->stop = true;
		return;
	}
	for (size_t i = 0; i < r->n_cells; i++) {
		int column = column_find(r->schema, row_cell(r, i));
		if (column < COLUMN_IS_EMPTY) {
			header_unknown(r, i);
		} else if (column != COLUMN_IS_EMPTY && header_has(r, column)) {
			err_set(&e, ERR_INPUT, _("%s: line %u: the column %s is there twice."),
				r->name, r->row_line, row_cell(r, i));
			reader_problem(r, &e);
		}
		r->column[r->n_columns++] = column;
	}
	for (size_t i = 0; i < r->schema->n_fields; i++) {
		const struct field_rule *f = &r->schema->fields[i];
		if (!f->required || header_has(r, (int)i))
			continue;
		err_set(&e, ERR_INPUT, _("%s: line %u: the required column %s is missing; add it."),
			r->name, r->row_line, f->name);
		reader_problem(r, &e);
	}
	r->stop = r->problems->n != before;
}

/* ---- records ---- */

static struct record *
record_push(struct roster_reader *r, struct err *e)
{
	struct roster *roster = r->roster;

	if (roster->n_records == ROSTER_RECORDS_MAX) {
		err_set(e, ERR_INPUT, _("%s: line %u: more than %d records; split the roster."),
			r->name, r->row_line, ROSTER_RECORDS_MAX);
		return NULL;
	}
	if (roster->n_records == r->capacity) {
		size_t capacity = r->capacity ? r->capacity * 2 : 64;
		struct record *records = realloc(roster->records, capacity * sizeof *records);
		if (!records) {
			err_set(e, ERR_SYSTEM, _("Out of memory."));
			return NULL;
		}
		roster->records = records;
		r->capacity = capacity;
	}
	struct record *record = &roster->records[roster->n_records];
	if (record_create(record, r->schema, e))
		return NULL;
	record->number = r->before + (unsigned)++roster->n_records;
	record->line = r->before + r->row_line;
	return record;
}

/* The shape of a row before its values: every cell under a name, every name with a cell. */
static int
row_problem(const struct roster_reader *r, const struct record *record, struct err *e)
{
	char place[512];

	record_place(place, sizeof place, r->name, record->number, record->line);
	if (r->long_cell)
		return err_set(e, ERR_INPUT,
			_("%s: a cell has more than %d bytes; look for a quotation mark that is "
			  "never "
			  "closed."),
			place, ROSTER_CELL_MAX);
	if (r->n_cells > r->n_columns)
		return err_set(e, ERR_INPUT,
			_("%s: has %zu cells, the header names %zu; put a value that holds a comma "
			  "between quotation marks."),
			place, r->n_cells, r->n_columns);
	if (r->n_cells < r->n_columns)
		return err_set(e, ERR_INPUT,
			_("%s: has %zu cells, the header names %zu; the line may be cut off."),
			place, r->n_cells, r->n_columns);
	for (size_t i = 0; i < r->n_cells; i++)
		if (r->column[i] == COLUMN_IS_EMPTY && *row_cell(r, i))
			return err_set(e, ERR_INPUT,
				_("%s: cell %zu stands under no column name; name the column or "
				  "empty "
				  "the cell."),
				place, i + 1);
	return 0;
}

static int
record_fill(struct roster_reader *r, struct record *record, struct err *e)
{
	for (size_t i = 0; i < r->n_cells; i++) {
		int column = r->column[i];
		char **value = column >= 0                 ? &record->values[column]
			       : column == COLUMN_IS_PHOTO ? &record->photo
			       : column == COLUMN_IS_KIND  ? &record->number_kind
							   : NULL;
		if (!value || !*row_cell(r, i))
			continue;
		char *copy = strdup(row_cell(r, i));
		if (!copy)
			return err_set(e, ERR_SYSTEM, _("Out of memory."));
		free(*value);
		*value = copy;
	}
	return 0;
}

static void
record_read(struct roster_reader *r)
{
	struct err e = {0};
	struct record *record = record_push(r, &e);

	if (!record || record_fill(r, record, &e)) {
		reader_problem(r, &e);
		r->stop = true;
		return;
	}
	record_problems(record, r->schema, r->name, record->line, problems_add, r->problems);
}

static void
row_read(struct roster_reader *r)
{
	struct err e = {0};

	if (!r->header_done) {
		header_read(r);
		return;
	}
	/* A spreadsheet leaves rows of nothing but commas behind; they hold nothing to lose. */
	if (!r->row_filled)
		return;
	struct record shape = {.number = r->before + (unsigned)r->roster->n_records + 1,
		.line = r->before + r->row_line};
	if (row_problem(r, &shape, &e)) {
		reader_problem(r, &e);
		if (!record_push(r, &e)) {
			reader_problem(r, &e);
			r->stop = true;
		}
		return;
	}
	record_read(r);
}

/* ---- CSV ---- */

static void
cell_seen(void *text, size_t len, void *ctx)
{
	struct roster_reader *r = ctx;
	static const char end = '\0';
	struct err e = {0};

	r->row_filled = r->row_filled || len;
	if (len > ROSTER_CELL_MAX) {
		r->long_cell = true;
		len = 0;
	}
	if (r->n_cells < ROSTER_COLUMNS_MAX && !r->stop) {
		r->cell[r->n_cells] = r->row.len;
		if (buf_append(&r->row, text, len, &e) || buf_append(&r->row, &end, 1, &e)) {
			reader_problem(r, &e);
			r->stop = true;
		}
	}
	r->n_cells++;
}

static void
row_seen(int c, void *ctx)
{
	struct roster_reader *r = ctx;

	(void)c;
	if (!r->stop)
		row_read(r);
	r->row.len = 0;
	r->n_cells = 0;
	r->long_cell = r->row_filled = false;
	r->row_ended = true;
}

/* The end of the line that begins at text: behind LF, CR LF, or a CR alone. */
static size_t
line_length(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n')
			return i + 1;
		if (text[i] == '\r')
			return i + 1 < len && text[i + 1] == '\n' ? i + 2 : i + 1;
	}
	return len;
}

static size_t
blanks_length(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && strchr(" \t\r\n", text[n]))
		n++;
	return n;
}

static void
quote_problem(struct roster_reader *r, unsigned line)
{
	struct err e;

	err_set(&e, ERR_INPUT,
		_("%s: line %u: quotation marks do not match; a mark inside a value is written "
		  "twice and "
		  "the value stands between marks."),
		r->name, line);
	reader_problem(r, &e);
	r->stop = true;
}

/* libcsv does not count lines, so it is fed one at a time. */
static void
csv_read(struct roster_reader *r, const char *text, size_t len)
{
	bool between = true;
	unsigned line = 0;

	while (len && !r->stop) {
		size_t n = line_length(text, len);
		bool blank = blanks_length(text, n) == n;
		line++;
		if (between)
			r->row_line = line;
		r->row_ended = false;
		if (csv_parse(&r->csv, text, n, cell_seen, row_seen, r) != n) {
			if (csv_error(&r->csv) == CSV_EPARSE)
				quote_problem(r, line);
			else
				reader_problem(r, &(struct err){.code = ERR_SYSTEM,
							  .text = "Out of memory."});
			r->stop = true;
			return;
		}
		between = r->row_ended || (between && blank);
		text += n;
		len -= n;
	}
	if (!r->stop && csv_fini(&r->csv, cell_seen, row_seen, r))
		quote_problem(r, r->row_line);
}

/* ---- the whole ---- */

static int
text_read(struct roster_reader *r, const uint8_t *bytes, size_t len, struct err *e)
{
	struct buf text;
	int rc = 0;

	buf_init(&text, 4 * (size_t)ROSTER_FILE_MAX);
	const uint8_t *nul = memchr(bytes, 0, len);
	unsigned line = 1;
	if ((rc = charset_to_utf8(&text, bytes, len, r->name, e)))
		goto out;
	if (nul) {
		for (const uint8_t *at = bytes; at < nul; at++)
			line += *at == '\n';
		rc = err_set(e, ERR_INPUT,
			_("%s: line %u: holds a NUL byte, so this is no CSV text; save it as CSV "
			  "UTF-8."),
			r->name, line);
		goto out;
	}
	csv_read(r, (const char *)text.data, text.len);
out:
	buf_done(&text);
	return rc;
}

static void
roster_read(struct roster_reader *r, const uint8_t *bytes, size_t len)
{
	struct err e = {0};
	int rc;

	if (len > ROSTER_FILE_MAX)
		rc = err_set(&e, ERR_INPUT, _("%s: has %zu bytes; at most %d are allowed."),
			r->name, len, ROSTER_FILE_MAX);
	else if (!len)
		rc = err_set(&e, ERR_INPUT, _("%s: is empty."), r->name);
	else
		rc = text_read(r, bytes, len, &e);
	if (!rc && !r->problems->n && !r->roster->n_records)
		rc = err_set(&e, ERR_INPUT, _("%s: holds no record."), r->name);
	if (rc)
		reader_problem(r, &e);
	for (size_t i = 0; i < r->schema->n_fields && r->roster->n_records; i++)
		if (r->schema->fields[i].unique)
			roster_field_twice(
				r->roster, &r->schema->fields[i], i, r->name, r->problems);
}

void
roster_collect(struct roster **out, const struct schema *s, const uint8_t *bytes, size_t len,
	const char *name, unsigned before, struct problems *problems)
{
	struct roster_reader *r = calloc(1, sizeof *r);
	struct roster *roster = calloc(1, sizeof *roster);
	struct err e;

	*out = NULL;
	if (!r || !roster || csv_init(&r->csv, CSV_STRICT | CSV_STRICT_FINI)) {
		err_set(&e, ERR_SYSTEM, _("Out of memory."));
		problems_add(problems, &e);
		free(r);
		free(roster);
		return;
	}
	*r = (struct roster_reader){.csv = r->csv,
		.schema = s,
		.name = name,
		.problems = problems,
		.roster = roster,
		.before = before};
	roster->n_fields = s->n_fields;
	buf_init(&r->row, 2 * ROSTER_COLUMNS_MAX * ROSTER_CELL_MAX);
	roster_read(r, bytes, len);
	csv_free(&r->csv);
	buf_done(&r->row);
	free(r);
	if (roster->n_records)
		*out = roster;
	else
		roster_destroy(roster);
}

void
roster_destroy(struct roster *r)
{
	if (!r)
		return;
	const struct schema shape = {.n_fields = r->n_fields};
	for (size_t i = 0; i < r->n_records; i++)
		record_done(&r->records[i], &shape);
	free(r->records);
	free(r);
}
