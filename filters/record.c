/*
 * record.c - one holder's values, checked against the rules of a schema.
 *
 * Guarantees: after record_check every value is valid UTF-8 without control characters, fits its
 * length in GBK, dates are eight digits, a check digit is upper case. Nothing is cut; blanks at
 * both ends, which the chip could not tell from padding, are taken off. Messages name record and
 * field, never the value.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/card.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEX_MALE   "男"
#define SEX_FEMALE "女"

int
record_create(struct record *r, const struct schema *s, struct err *e)
{
	*r = (struct record){.values = calloc(s->n_fields, sizeof *r->values),
		.number_kind = strdup(""),
		.photo = strdup("")};
	bool good = r->values && r->number_kind && r->photo;
	for (size_t i = 0; good && i < s->n_fields; i++)
		good = (r->values[i] = strdup("")) != NULL;
	if (good)
		return 0;
	record_done(r, s);
	return err_set(e, ERR_SYSTEM, _("Out of memory."));
}

int
record_copy(struct record *out, const struct record *r, const struct schema *s, struct err *e)
{
	*out = (struct record){.number = r->number,
		.line = r->line,
		.values = calloc(s->n_fields, sizeof *out->values),
		.number_kind = strdup(r->number_kind),
		.photo = strdup(r->photo)};
	bool good = out->values && out->number_kind && out->photo;
	for (size_t i = 0; good && i < s->n_fields; i++)
		good = (out->values[i] = strdup(r->values[i])) != NULL;
	if (good)
		return 0;
	record_done(out, s);
	return err_set(e, ERR_SYSTEM, _("Out of memory."));
}

void
record_done(struct record *r, const struct schema *s)
{
	for (size_t i = 0; r->values && i < s->n_fields; i++)
		free(r->values[i]);
	free(r->values);
	free(r->number_kind);
	free(r->photo);
	*r = (struct record){0};
}

void
record_place(char *out, size_t max, const char *source, unsigned number, unsigned line)
{
	if (line)
		snprintf(out, max, _("%s: record %u (line %u)"), source, number, line);
	else
		snprintf(out, max, _("%s: record %u"), source, number);
}

/* ---- dates ---- */

static bool
all_digits(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	return true;
}

static unsigned
digits_value(const char *text, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i++)
		n = n * 10 + (unsigned)(text[i] - '0');
	return n;
}

static bool
day_exists(unsigned year, unsigned month, unsigned day)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	if (year < 1900 || year > 2999 || month < 1 || month > 12 || day < 1)
		return false;
	return day <= days[month - 1] + (unsigned)(leap && month == 2);
}

bool
date_parse(char out[9], const char *text)
{
	size_t len = strlen(text), month_len, day_len;
	unsigned year, month, day;

	if (len < 8 || len > 10 || !all_digits(text, 4))
		return false;
	year = digits_value(text, 4);
	if (len == 8 && all_digits(text, 8)) {
		month = digits_value(text + 4, 2);
		day = digits_value(text + 6, 2);
	} else {
		char mark = text[4];
		const char *second = strchr(text + 5, mark);
		if ((mark != '-' && mark != '/') || !second)
			return false;
		month_len = (size_t)(second - text) - 5;
		day_len = len - 6 - month_len;
		if (month_len < 1 || month_len > 2 || day_len < 1 || day_len > 2 ||
			(mark == '-' && (month_len != 2 || day_len != 2)) ||
			!all_digits(text + 5, month_len) || !all_digits(second + 1, day_len))
			return false;
		month = digits_value(text + 5, month_len);
		day = digits_value(second + 1, day_len);
	}
	if (!day_exists(year, month, day))
		return false;
	snprintf(out, 9, "%04u%02u%02u", year % 10000, month % 100, day % 100);
	return true;
}

/* ---- rules ---- */

static bool
is_control(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029;
}

static int
text_problem(const char *value, struct err *e)
{
	size_t left = strlen(value);
	uint32_t cp;

	for (size_t n; left; value += n, left -= n) {
		n = utf8_next(&cp, value, left);
		if (!n)
			return err_set(e, ERR_INPUT, _("holds bytes that are not UTF-8."));
		if (is_control(cp))
			return err_set(e, ERR_INPUT,
				_("holds the control character U+%04X (a line break or a tab, "
				  "perhaps); "
				  "remove it."),
				(unsigned)cp);
	}
	return 0;
}

/* The id after T or TM, or NULL. */
static char *
certno_id(char *value)
{
	if (value[0] != 'T')
		return NULL;
	return value + (value[1] == 'M' ? 2 : 1);
}

static int
certno_problem(char *value, struct err *e)
{
	char *id = certno_id(value);

	if (!id)
		return err_set(e, ERR_INPUT,
			_("must begin with T (safety supervision) or TM (coal-mine safety)."));
	size_t len = strlen(id);
	if (len != 18)
		return err_set(e, ERR_INPUT,
			_("a resident id number of 18 characters follows T or TM, here are %zu; "
			  "for "
			  "another document name its kind in the column %s."),
			len, COLUMN_KIND);
	if (id[17] == 'x')
		id[17] = 'X';
	char digit = idnumber_check_digit(id);
	if (!digit || !(id[17] == 'X' || (id[17] >= '0' && id[17] <= '9')))
		return err_set(e, ERR_INPUT,
			_("a resident id number is 17 digits and a digit or X; for another "
			  "document "
			  "name its kind in the column %s."),
			COLUMN_KIND);
	if (id[17] != digit)
		return err_set(e, ERR_INPUT,
			_("the check digit of the resident id number is wrong; compare the number "
			  "with "
			  "the document."));
	if (!idnumber_valid(id))
		return err_set(e, ERR_INPUT,
			_("the birth date or the region in the resident id number cannot be; "
			  "compare "
			  "the number with the document."));
	return 0;
}

static int
other_number_problem(const char *value, struct err *e)
{
	if (strchr(value, ' ') || strstr(value, "　"))
		return err_set(e, ERR_INPUT, _("a document's number has no blanks; remove them."));
	return 0;
}

static int
kind_problem(const struct record *r, const struct field_rule *f, char *value, struct err *e)
{
	char date[9];

	switch (f->kind) {
	case FIELD_TEXT:
		return 0;
	case FIELD_DATE:
		if (!date_parse(date, value))
			return err_set(e, ERR_INPUT,
				_("is not a day of the calendar written YYYYMMDD, YYYY-MM-DD or "
				  "YYYY/M/D."));
		memcpy(value, date, sizeof date);
		return 0;
	case FIELD_CERTNO:
		return r->number_kind[0] ? other_number_problem(value, e)
					 : certno_problem(value, e);
	case FIELD_SEX:
		if (strcmp(value, SEX_MALE) && strcmp(value, SEX_FEMALE))
			return err_set(e, ERR_INPUT, _("must be %s or %s."), SEX_MALE, SEX_FEMALE);
		return 0;
	case FIELD_DIGITS:
		if (!all_digits(value, strlen(value)))
			return err_set(e, ERR_INPUT, _("must be digits only."));
		return 0;
	}
	return err_set(e, ERR_INTERNAL, "field kind %d", f->kind);
}

static void
value_trim(char *value)
{
	size_t len = strlen(value), start = 0;

	while (len && value[len - 1] == ' ')
		len--;
	while (start < len && value[start] == ' ')
		start++;
	memmove(value, value + start, len - start);
	value[len - start] = '\0';
}

static int
field_problem(const struct record *r, const struct schema *s, const struct field_rule *f,
	char *value, struct err *e)
{
	size_t bytes;
	int rc;

	if ((rc = text_problem(value, e)))
		return rc;
	value_trim(value);
	if (!*value)
		return f->required ? err_set(e, ERR_INPUT, _("is empty; it must be filled in."))
				   : 0;
	bytes = strlen(value);
	if (!s->unicode && (rc = charset_to_gbk(NULL, 0, &bytes, value, e)))
		return rc;
	if ((rc = kind_problem(r, f, value, e)))
		return rc;
	if (f->kind != FIELD_DATE && bytes > f->max_bytes)
		return err_set(e, ERR_INPUT, _("%zu bytes in %s, at most %zu fit; shorten it."),
			bytes, s->unicode ? "UTF-8" : "GBK", f->max_bytes);
	return 0;
}

int
record_field_check(struct record *r, const struct schema *s, int field, struct err *e)
{
	return field_problem(r, s, &s->fields[field], r->values[field], e);
}

/* Resident id under its usual names is the empty kind; any other must be one the schema knows. */
static int
number_kind_problem(struct record *r, const struct schema *s, struct err *e)
{
	static const char *const resident[] = {"居民身份证", "身份证", "resident-id"};

	value_trim(r->number_kind);
	for (size_t i = 0; i < ARRAY_LEN(resident); i++)
		if (!strcmp(r->number_kind, resident[i]))
			r->number_kind[0] = '\0';
	if (!r->number_kind[0])
		return 0;
	for (size_t i = 0; i < s->n_number_kinds; i++)
		if (!strcmp(r->number_kind, s->number_kinds[i]))
			return 0;
	struct buf list;
	buf_init(&list, ERR_TEXT_MAX);
	for (size_t i = 0; i < s->n_number_kinds; i++)
		if (buf_printf(&list, NULL, ", %s", s->number_kinds[i]))
			break;
	err_set(e, ERR_INPUT, _("this kind of document is not known; it is one of %s%.*s."),
		resident[0], (int)list.len, list.data ? (char *)list.data : "");
	buf_done(&list);
	return ERR_INPUT;
}

int
record_problems(struct record *r, const struct schema *s, const char *source, unsigned line,
	problem_sink *problem, void *ctx)
{
	char place[512];
	struct err e = {0};
	int first = 0;

	record_place(place, sizeof place, source, r->number, line);
	if (number_kind_problem(r, s, &e)) {
		first = err_prefix(&e, _("%s: field %s"), place, COLUMN_KIND);
		problem(ctx, &e);
	}
	for (size_t i = 0; i < s->n_fields; i++) {
		/* A number whose kind is unknown cannot be judged; one message is enough. */
		if (first && s->fields[i].kind == FIELD_CERTNO)
			continue;
		int rc = field_problem(r, s, &s->fields[i], r->values[i], &e);
		if (!rc)
			continue;
		err_prefix(&e, _("%s: field %s"), place, s->fields[i].name);
		problem(ctx, &e);
		first = first ? first : rc;
	}
	return first;
}

static void
keep_first(void *ctx, const struct err *e)
{
	struct err *first = ctx;

	if (!first->code)
		*first = *e;
}

int
record_check(
	struct record *r, const struct schema *s, const char *source, unsigned line, struct err *e)
{
	struct err first = {0};
	int rc = record_problems(r, s, source, line, keep_first, &first);

	if (rc && e)
		*e = first;
	return rc;
}

/* ---- what others may see ---- */

/* Characters to show at both ends of a value of n characters. */
static void
mask_ends(enum mask_kind kind, size_t n, size_t *head, size_t *tail)
{
	*head = *tail = 0;
	if (kind == MASK_SHOW) {
		*head = n;
	} else if (kind == MASK_NAME) {
		*head = n > 1;
	} else if (kind == MASK_NUMBER && n >= 12) {
		*head = 3;
		*tail = 4;
	} else if (kind == MASK_NUMBER && n >= 6) {
		*head = 1;
		*tail = 2;
	}
}

void
value_mask(char *out, size_t max, enum mask_kind kind, const char *value)
{
	size_t len = strlen(value), chars = 0, head, tail, used = 0, at = 0;
	uint32_t cp;

	if (!max)
		return;
	for (size_t i = 0, n; i < len; i += n, chars++)
		n = utf8_next(&cp, value + i, len - i) ? utf8_next(&cp, value + i, len - i) : 1;
	mask_ends(kind, chars, &head, &tail);
	for (size_t i = 0, n; i < len; i += n, at++) {
		n = utf8_next(&cp, value + i, len - i);
		bool shown = n && !is_control(cp) && (at < head || at >= chars - tail);
		size_t need = shown ? n : 1;
		if (used + need >= max)
			break;
		memcpy(out + used, shown ? value + i : "*", need);
		used += need;
		n = n ? n : 1;
	}
	out[used] = '\0';
}

void
record_mask(char *out, size_t max, const struct schema *s, const struct record *r, int field)
{
	if (field < 0 || (size_t)field >= s->n_fields)
		value_mask(out, max, MASK_HIDE, "");
	else
		value_mask(out, max, s->fields[field].mask, r->values[field]);
}

void
record_hash(uint8_t out[HASH_LEN], const struct schema *s, const struct record *r)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);

	/* Each string with its terminator, so that no two records share one line of bytes. */
	for (size_t i = 0; good && i < s->n_fields; i++)
		good = EVP_DigestUpdate(ctx, s->fields[i].name, strlen(s->fields[i].name) + 1) &&
		       EVP_DigestUpdate(ctx, r->values[i], strlen(r->values[i]) + 1);
	good = good && EVP_DigestUpdate(ctx, COLUMN_KIND, sizeof COLUMN_KIND) &&
	       EVP_DigestUpdate(ctx, r->number_kind, strlen(r->number_kind) + 1) &&
	       EVP_DigestFinal_ex(ctx, out, NULL);
	if (!good)
		memset(out, 0, HASH_LEN);
	EVP_MD_CTX_free(ctx);
}
