/*
 * roster-build.c - what surrounds the reading of a roster: counting problems, values that are there
 * twice, and the way back to CSV.
 *
 * Guarantees: what roster_build writes, roster_parse reads as the same records.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/card.h"

#include <stdlib.h>
#include <string.h>

/* ---- problems ---- */

void
problems_add(void *problems, const struct err *e)
{
	struct problems *p = problems;

	if (!p->n++)
		p->first = *e;
	if (p->sink)
		p->sink(p->ctx, e);
}

void
problems_warn(const struct problems *p, const struct err *e)
{
	if (p->sink)
		p->sink(p->ctx, e);
}

int
problems_verdict(const struct problems *p, const char *name, size_t n_records, struct err *e)
{
	if (!p->n)
		return 0;
	if (!p->sink) {
		if (e)
			*e = p->first;
		return p->first.code;
	}
	return err_set(e, p->first.code,
		p->n == 1 ? _("%s: %u problem in %zu records; nothing was written.")
			  : _("%s: %u problems in %zu records; nothing was written."),
		name, p->n, n_records);
}

static int
rows_parse(struct roster **out, const struct schema *s, const uint8_t *bytes, size_t len,
	const char *name, unsigned before, problem_sink *problem, void *ctx, struct err *e)
{
	struct problems problems = {.sink = problem, .ctx = ctx};

	roster_collect(out, s, bytes, len, name, before, &problems);
	int rc = problems_verdict(&problems, name, *out ? (*out)->n_records : 0, e);
	if (rc) {
		roster_destroy(*out);
		*out = NULL;
	}
	return rc;
}

int
roster_parse(struct roster **out, const struct schema *s, const uint8_t *bytes, size_t len,
	const char *name, problem_sink *problem, void *ctx, struct err *e)
{
	return rows_parse(out, s, bytes, len, name, 0, problem, ctx, e);
}

int
roster_rows_parse(struct roster **out, const struct schema *s, const uint8_t *bytes, size_t len,
	const char *name, unsigned before, struct err *e)
{
	return rows_parse(out, s, bytes, len, name, before, NULL, NULL, e);
}

/* ---- the same value twice ---- */

struct value_at {
	const char *value;
	const struct record *record;
};

static int
value_at_compare(const void *a, const void *b)
{
	const struct value_at *x = a, *y = b;
	int order = strcmp(x->value, y->value);

	return order ? order : x->record->number < y->record->number ? -1 : 1;
}

void
roster_field_twice(const struct roster *r, const struct field_rule *rule, size_t field,
	const char *name, struct problems *problems)
{
	size_t n = 0;
	struct value_at *all = calloc(r->n_records, sizeof *all);
	struct err e;

	if (!all) {
		err_set(&e, ERR_SYSTEM, _("Out of memory."));
		problems_add(problems, &e);
		return;
	}
	for (size_t i = 0; i < r->n_records; i++)
		if (*r->records[i].values[field])
			all[n++] = (struct value_at){r->records[i].values[field], &r->records[i]};
	qsort(all, n, sizeof *all, value_at_compare);
	for (size_t i = 1, same = 0; i < n; i++) {
		char place[512];
		if (strcmp(all[same].value, all[i].value)) {
			same = i;
			continue;
		}
		record_place(place, sizeof place, name, all[i].record->number, all[i].record->line);
		err_set(&e, ERR_INPUT,
			_("%s: field %s: the same value as in record %u (line %u); it may be there "
			  "only "
			  "once."),
			place, rule->name, all[same].record->number, all[same].record->line);
		problems_add(problems, &e);
	}
	free(all);
}

/* ---- and back to CSV ---- */

static int
cell_build(struct buf *out, const char *value, bool last, struct err *e)
{
	bool quoted = strpbrk(value, ",\"\r\n") || *value == ' ';
	int rc = quoted ? buf_append(out, "\"", 1, e) : 0;

	for (const char *at = value; *at && !rc; at++)
		rc = *at == '"' ? buf_append(out, "\"\"", 2, e) : buf_append(out, at, 1, e);
	if (!rc && quoted)
		rc = buf_append(out, "\"", 1, e);
	return rc ? rc : buf_append(out, last ? "\r\n" : ",", last ? 2 : 1, e);
}

int
roster_build(struct buf *out, const struct schema *s, const struct roster *r,
	const char *(*photo)(void *ctx, size_t index), void *ctx, struct err *e)
{
	int rc = 0;

	for (size_t f = 0; f < s->n_fields && !rc; f++)
		rc = cell_build(out, s->fields[f].name, false, e);
	if (!rc)
		rc = cell_build(out, COLUMN_KIND, false, e);
	if (!rc)
		rc = cell_build(out, COLUMN_PHOTO, true, e);
	for (size_t i = 0; i < r->n_records && !rc; i++) {
		for (size_t f = 0; f < s->n_fields && !rc; f++)
			rc = cell_build(out, r->records[i].values[f], false, e);
		if (!rc)
			rc = cell_build(out, r->records[i].number_kind, false, e);
		if (!rc)
			rc = cell_build(out, photo(ctx, i), true, e);
	}
	return rc;
}
