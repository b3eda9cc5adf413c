/*
 * desk.c - desk.rules: validity and reviews of a record, and which of its fields may change.
 *
 *   valid   有效期从 有效期到        first and last day
 *   review  一次复审期 复审记录1     when it is due, where it is recorded; one line each, in order
 *   mark    复审标识                 digit that counts the recorded reviews
 *   fixed   证号 姓名                never changed on a finished card
 *   printed 作业类别 准操项目        stand on the face too: a change makes chip and face differ
 *
 * Guarantees: rules that load name existing fields of the right kind, each word's shape is checked,
 * and a judgement rests on real dates only. On failure nothing is handed out and no record changed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/desk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct rules_reader {
	struct desk_rules *rules;
	const struct schema *schema;
	struct lines lines;
};

static int
rules_error(const struct rules_reader *r, struct err *e, const char *text, const char *what)
{
	return err_set(e, ERR_INPUT, "%s: line %u: %s%s%s", r->lines.name, r->lines.number, what,
		what[0] ? ": " : "", text);
}

/* The next word as a field of one kind, FIELD_TEXT: any. */
static int
field_take(struct rules_reader *r, char **rest, enum field_kind kind, int *out, struct err *e)
{
	const char *word = lines_word(rest);

	if (!word)
		return rules_error(r, e, _("a field's name is missing."), "");
	*out = schema_field(r->schema, word);
	if (*out < 0)
		return rules_error(r, e, _("record.schema has no such field."), word);
	if (kind == FIELD_DATE && r->schema->fields[*out].kind != FIELD_DATE)
		return rules_error(r, e, _("is not a field of dates."), word);
	return 0;
}

static int
list_take(struct rules_reader *r, char *rest, int *list, size_t *n, struct err *e)
{
	int rc;

	for (rest += strspn(rest, " \t"); *rest; rest += strspn(rest, " \t")) {
		if (*n == DESK_FIELDS_MAX)
			return rules_error(r, e, _("too many fields."), "");
		if ((rc = field_take(r, &rest, FIELD_TEXT, &list[*n], e)))
			return rc;
		++*n;
	}
	return 0;
}

static int
valid_take(struct rules_reader *r, char *rest, struct err *e)
{
	int rc = field_take(r, &rest, FIELD_DATE, &r->rules->valid_from, e);

	return rc ? rc : field_take(r, &rest, FIELD_DATE, &r->rules->valid_to, e);
}

static int
review_take(struct rules_reader *r, char *rest, struct err *e)
{
	struct desk_review *review = &r->rules->review[r->rules->n_reviews];

	if (r->rules->n_reviews == DESK_REVIEWS_MAX)
		return rules_error(r, e, _("too many reviews."), "");
	int rc = field_take(r, &rest, FIELD_DATE, &review->due, e);
	if (!rc)
		rc = field_take(r, &rest, FIELD_TEXT, &review->record, e);
	if (!rc)
		r->rules->n_reviews++;
	return rc;
}

static int
mark_take(struct rules_reader *r, char *rest, struct err *e)
{
	return field_take(r, &rest, FIELD_TEXT, &r->rules->mark, e);
}

static int
fixed_take(struct rules_reader *r, char *rest, struct err *e)
{
	return list_take(r, rest, r->rules->fixed, &r->rules->n_fixed, e);
}

static int
printed_take(struct rules_reader *r, char *rest, struct err *e)
{
	return list_take(r, rest, r->rules->printed, &r->rules->n_printed, e);
}

static const struct {
	const char *word;
	int (*take)(struct rules_reader *r, char *rest, struct err *e);
} statements[] = {
	{"valid", valid_take},
	{"review", review_take},
	{"mark", mark_take},
	{"fixed", fixed_take},
	{"printed", printed_take},
};

static int
rules_line(struct rules_reader *r, struct err *e)
{
	char *rest = r->lines.text;
	const char *word = lines_word(&rest);

	for (size_t i = 0; word && i < ARRAY_LEN(statements); i++)
		if (!strcmp(word, statements[i].word))
			return statements[i].take(r, rest, e);
	return rules_error(r, e, _("a line begins with valid, review, mark, fixed or printed."),
		word ? word : "");
}

int
desk_rules_parse(struct desk_rules *out, const uint8_t *bytes, size_t len, const char *name,
	const struct schema *s, struct err *e)
{
	struct rules_reader r = {.rules = out, .schema = s};
	struct buf text;

	*out = (struct desk_rules){.valid_from = -1, .valid_to = -1, .mark = -1};
	buf_init(&text, 4 * SCHEMA_FILE_MAX);
	int rc = charset_to_utf8(&text, bytes, len, name, e);
	if (!rc) {
		lines_init(&r.lines, text.data, text.len, name);
		while ((rc = lines_next(&r.lines, e)) > 0)
			if ((rc = rules_line(&r, e)))
				break;
	}
	buf_done(&text);
	return rc;
}

int
desk_rules_load(struct desk_rules *out, const char *path, const struct schema *s, struct err *e)
{
	struct buf bytes;

	*out = (struct desk_rules){.valid_from = -1, .valid_to = -1, .mark = -1};
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return 0;
	buf_init(&bytes, SCHEMA_FILE_MAX);
	int rc = file_read(&bytes, path, SCHEMA_FILE_MAX, e);
	if (!rc)
		rc = desk_rules_parse(out, bytes.data, bytes.len, path, s, e);
	buf_done(&bytes);
	return rc;
}

/* ---- judging ---- */

/* Text of a field; "" when the rules have none. */
static const char *
value_of(const struct record *r, int field)
{
	return field < 0 ? "" : r->values[field];
}

/* A date's text, or "" for none. ERR_INPUT names the field. */
static int
date_of(char out[9], const struct schema *s, const struct record *r, int field, struct err *e)
{
	const char *text = value_of(r, field);

	out[0] = '\0';
	if (!text[0] || date_parse(out, text))
		return 0;
	return err_set(e, ERR_INPUT, _("field %s does not hold a date."), s->fields[field].name);
}

int
desk_judge(enum desk_validity *out, size_t *review, const struct desk_rules *d,
	const struct schema *s, const struct record *r, const char *today, struct err *e)
{
	char from[9], to[9], due[9] = "";
	size_t next = desk_review_next(d, r);
	int rc = date_of(from, s, r, d->valid_from, e);

	if (!rc)
		rc = date_of(to, s, r, d->valid_to, e);
	if (!rc && next < d->n_reviews)
		rc = date_of(due, s, r, d->review[next].due, e);
	if (rc)
		return rc;
	*review = next;
	if (to[0] && strcmp(today, to) > 0)
		*out = DESK_EXPIRED;
	else if (from[0] && strcmp(today, from) < 0)
		*out = DESK_NOT_YET;
	else
		*out = due[0] && strcmp(today, due) > 0 ? DESK_REVIEW_DUE : DESK_VALID;
	return 0;
}

size_t
desk_review_next(const struct desk_rules *d, const struct record *r)
{
	size_t i = 0;

	while (i < d->n_reviews && value_of(r, d->review[i].record)[0])
		i++;
	return i;
}

/* ---- changing ---- */

static int
value_set(struct record *r, int field, const char *text, bool *changed, struct err *e)
{
	char *copy = strdup(text);

	if (!copy)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	changed[field] = true;
	free(r->values[field]);
	r->values[field] = copy;
	return 0;
}

static int
review_allowed(const struct desk_rules *d, const struct schema *s, const struct record *r,
	const char *today, size_t next, struct err *e)
{
	enum desk_validity validity;
	size_t due;
	int rc = desk_judge(&validity, &due, d, s, r, today, e);

	if (rc)
		return rc;
	if (validity == DESK_EXPIRED)
		return err_set(e, ERR_INPUT,
			_("The certificate has expired; a review cannot prolong it. Issue a new "
			  "one."));
	if (next == d->n_reviews)
		return err_set(e, ERR_INPUT,
			_("All %zu reviews of this certificate are recorded; nothing was changed."),
			d->n_reviews);
	if (next > 0 && !strncmp(value_of(r, d->review[next - 1].record), today, 8))
		return err_set(e, ERR_INPUT,
			_("A review was recorded on this card on the same day; nothing was "
			  "changed."));
	return 0;
}

int
desk_review_apply(struct record *r, const struct desk_rules *d, const struct schema *s,
	const char *today, const char *text, const char *next_due, bool *changed, struct err *e)
{
	size_t next = desk_review_next(d, r);
	char mark[2] = {(char)('1' + next), '\0'}, due[9], line[96];
	int rc = review_allowed(d, s, r, today, next, e);

	if (rc)
		return rc;
	if (next_due && (next + 1 == d->n_reviews || !date_parse(due, next_due)))
		return err_set(e, ERR_INPUT,
			next + 1 == d->n_reviews
				? _("There is no review after this one; leave out the next date.")
				: _("The date of the next review is not a date."));
	if (next_due && strcmp(due, today) <= 0)
		return err_set(e, ERR_INPUT, _("The next review must lie in the future."));
	int n = snprintf(line, sizeof line, "%s %s", today, text);
	if (n < 0 || (size_t)n >= sizeof line)
		return err_set(e, ERR_INPUT,
			_("The text of the review is too long; day and text have one field of the "
			  "chip."));
	rc = value_set(r, d->review[next].record, line, changed, e);
	if (!rc && d->mark >= 0)
		rc = value_set(r, d->mark, mark, changed, e);
	if (!rc && next_due)
		rc = value_set(r, d->review[next + 1].due, due, changed, e);
	return rc;
}

static bool
list_has(const int *list, size_t n, int field)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == field)
			return true;
	return false;
}

bool
desk_field_fixed(const struct desk_rules *d, int field)
{
	return list_has(d->fixed, d->n_fixed, field);
}

bool
desk_field_printed(const struct desk_rules *d, int field)
{
	return list_has(d->printed, d->n_printed, field);
}
