/*
 * schema.c - record.schema: the fields of a card product and their rules.
 *
 *   template  special-operation                    photo  required max=20480 ratio=5:4
 * ground=white,blue title     特种作业操作证                       kinds  军官证 士兵证 number 证号
 * field  证号 20 certno required unique mask=number holder    姓名 field  姓名 26 text required
 * mask=name
 *
 * Guarantees: a schema that loads has at least one field, unique names, lengths of 1 to 255 bytes,
 * and a number and a holder field that exist when they are named. Otherwise file and line say what
 * is wrong and nothing is handed out.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/card.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA_FIELDS_MAX 128
#define SCHEMA_KINDS_MAX  64
#define FIELD_BYTES_MAX   255

struct word {
	const char *text;
	unsigned value;
};

static const struct word kind_words[] = {
	{"text", FIELD_TEXT},
	{"date", FIELD_DATE},
	{"certno", FIELD_CERTNO},
	{"sex", FIELD_SEX},
	{"digits", FIELD_DIGITS},
};

static const struct word mask_words[] = {
	{"mask=hide", MASK_HIDE},
	{"mask=show", MASK_SHOW},
	{"mask=name", MASK_NAME},
	{"mask=number", MASK_NUMBER},
};

static const struct word format_words[] = {
	{"jpeg", PHOTO_JPEG},
	{"bmp", PHOTO_BMP},
	{"png", PHOTO_PNG},
};

static const struct word ground_words[] = {
	{"ground=white", PHOTO_WHITE},
	{"ground=blue", PHOTO_BLUE},
	{"ground=white,blue", PHOTO_WHITE | PHOTO_BLUE},
};

static const struct word *
word_find(const struct word *words, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(words[i].text, text))
			return &words[i];
	return NULL;
}

/* A whole decimal number of at most max; false for anything else. */
static bool
number_parse(unsigned *out, const char *text, unsigned max)
{
	unsigned n = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		n = n * 10 + (unsigned)(*text - '0');
		if (n > max)
			return false;
	}
	*out = n;
	return true;
}

/* What a line's handler sees; number and holder are kept by name until all fields are known. */
struct schema_reader {
	struct schema *schema;
	struct lines lines;
	char number[FIELD_NAME_MAX], holder[FIELD_NAME_MAX];
	unsigned number_line, holder_line;
};

static int
line_error(const struct schema_reader *r, struct err *e, const char *text)
{
	return err_set(e, ERR_INPUT, "%s: line %u: %s", r->lines.name, r->lines.number, text);
}

static int
copy_word(const struct schema_reader *r, char *out, size_t max, const char *word, struct err *e)
{
	if (!word || !*word)
		return line_error(r, e, _("a word is missing at the end of the line."));
	if (strlen(word) >= max)
		return line_error(r, e, _("the name is too long."));
	memcpy(out, word, strlen(word) + 1);
	return 0;
}

static int
template_line(struct schema_reader *r, char *rest, struct err *e)
{
	return copy_word(r, r->schema->name, sizeof r->schema->name, lines_word(&rest), e);
}

static int
title_line(struct schema_reader *r, char *rest, struct err *e)
{
	while (*rest == ' ' || *rest == '\t')
		rest++;
	return copy_word(r, r->schema->title, sizeof r->schema->title, rest, e);
}

static int
charset_line(struct schema_reader *r, char *rest, struct err *e)
{
	const char *word = lines_word(&rest);

	if (!word || (strcmp(word, "gbk") && strcmp(word, "utf-8")))
		return line_error(r, e, _("the charset is gbk or utf-8."));
	r->schema->unicode = !strcmp(word, "utf-8");
	return 0;
}

static int
number_line(struct schema_reader *r, char *rest, struct err *e)
{
	r->number_line = r->lines.number;
	return copy_word(r, r->number, sizeof r->number, lines_word(&rest), e);
}

static int
holder_line(struct schema_reader *r, char *rest, struct err *e)
{
	r->holder_line = r->lines.number;
	return copy_word(r, r->holder, sizeof r->holder, lines_word(&rest), e);
}

static int
kinds_line(struct schema_reader *r, char *rest, struct err *e)
{
	struct schema *s = r->schema;

	for (char *word; (word = lines_word(&rest));) {
		if (s->n_number_kinds == SCHEMA_KINDS_MAX)
			return line_error(r, e, _("too many kinds of documents."));
		char **kinds = realloc(s->number_kinds, (s->n_number_kinds + 1) * sizeof *kinds);
		if (!kinds)
			return err_set(e, ERR_SYSTEM, _("Out of memory."));
		s->number_kinds = kinds;
		if (!(kinds[s->n_number_kinds] = strdup(word)))
			return err_set(e, ERR_SYSTEM, _("Out of memory."));
		s->n_number_kinds++;
	}
	return 0;
}

static bool
ratio_parse(struct schema *s, char *text)
{
	char *colon = strchr(text, ':');

	if (!colon)
		return false;
	*colon = '\0';
	return number_parse(&s->photo_ratio_h, text, 1000) && s->photo_ratio_h &&
	       number_parse(&s->photo_ratio_w, colon + 1, 1000) && s->photo_ratio_w;
}

/* "jpeg,bmp": the words may stand in any order. */
static bool
formats_parse(struct schema *s, char *text)
{
	char *word;

	s->photo_formats = 0;
	while ((word = strsep(&text, ","))) {
		const struct word *format = word_find(format_words, ARRAY_LEN(format_words), word);
		if (!format)
			return false;
		s->photo_formats |= format->value;
	}
	return s->photo_formats != 0;
}

static int
photo_line(struct schema_reader *r, char *rest, struct err *e)
{
	struct schema *s = r->schema;

	for (char *word; (word = lines_word(&rest));) {
		const struct word *ground = word_find(ground_words, ARRAY_LEN(ground_words), word);
		if (ground)
			s->photo_grounds = ground->value;
		else if (!strcmp(word, "other-ground=warn") || !strcmp(word, "other-ground=refuse"))
			s->photo_ground_strict = !strcmp(word, "other-ground=refuse");
		else if (!strcmp(word, "required"))
			s->photo_required = true;
		else if (!strncmp(word, "max=", 4) &&
			 number_parse(&s->photo_max_bytes, word + 4, PHOTO_FILE_MAX))
			continue;
		else if (!strncmp(word, "formats=", 8) && formats_parse(s, word + 8))
			continue;
		else if (!strncmp(word, "ratio=", 6) && ratio_parse(s, word + 6))
			continue;
		else
			return line_error(r, e,
				_("a photo rule is one of required, max=BYTES, ratio=HEIGHT:WIDTH, "
				  "formats=jpeg,png,bmp, ground=white,blue, "
				  "other-ground=warn or refuse."));
	}
	return 0;
}

static int
field_rules(struct schema_reader *r, struct field_rule *f, char *rest, struct err *e)
{
	for (char *word; (word = lines_word(&rest));) {
		const struct word *kind = word_find(kind_words, ARRAY_LEN(kind_words), word);
		const struct word *mask = word_find(mask_words, ARRAY_LEN(mask_words), word);
		if (kind)
			f->kind = (enum field_kind)kind->value;
		else if (mask)
			f->mask = (enum mask_kind)mask->value;
		else if (!strcmp(word, "required"))
			f->required = true;
		else if (!strcmp(word, "unique"))
			f->unique = true;
		else
			return line_error(r, e,
				_("a field rule is one of text, date, certno, sex, digits, "
				  "required, "
				  "unique, mask=hide, mask=show, mask=name, mask=number."));
	}
	if (f->kind == FIELD_DATE && f->max_bytes < 8)
		return line_error(r, e, _("a date needs 8 bytes."));
	return 0;
}

/* A name that CSV, chip.map or a message could not carry is no name. */
static bool
name_plain(const char *name)
{
	return !strpbrk(name, "\",=[]:;") && strcmp(name, COLUMN_PHOTO) &&
	       strcmp(name, COLUMN_KIND) && strcmp(name, "photo") && strcmp(name, "number-kind");
}

static int
field_line(struct schema_reader *r, char *rest, struct err *e)
{
	struct schema *s = r->schema;
	struct field_rule f = {.mask = MASK_HIDE};
	unsigned bytes = 0;
	int rc = copy_word(r, f.name, sizeof f.name, lines_word(&rest), e);

	if (rc)
		return rc;
	if (!name_plain(f.name))
		return line_error(r, e, _("this name cannot be used for a field."));
	if (schema_field(s, f.name) >= 0)
		return line_error(r, e, _("this field is there already."));
	char *size = lines_word(&rest);
	if (!size || !number_parse(&bytes, size, FIELD_BYTES_MAX) || !bytes)
		return line_error(r, e, _("after the name comes the length in bytes, 1 to 255."));
	f.max_bytes = bytes;
	if ((rc = field_rules(r, &f, rest, e)))
		return rc;
	if (s->n_fields == SCHEMA_FIELDS_MAX)
		return line_error(r, e, _("too many fields."));
	struct field_rule *fields = realloc(s->fields, (s->n_fields + 1) * sizeof *fields);
	if (!fields)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	s->fields = fields;
	fields[s->n_fields++] = f;
	return 0;
}

static const struct {
	const char *word;
	int (*parse)(struct schema_reader *r, char *rest, struct err *e);
} schema_lines[] = {
	{"template", template_line},
	{"title", title_line},
	{"charset", charset_line},
	{"number", number_line},
	{"holder", holder_line},
	{"photo", photo_line},
	{"kinds", kinds_line},
	{"field", field_line},
};

static int
schema_line(struct schema_reader *r, struct err *e)
{
	char *rest = r->lines.text;
	char *word = lines_word(&rest);

	for (size_t i = 0; i < ARRAY_LEN(schema_lines); i++)
		if (!strcmp(schema_lines[i].word, word))
			return schema_lines[i].parse(r, rest, e);
	return line_error(r, e,
		_("a line begins with template, title, charset, number, holder, photo, kinds or "
		  "field."));
}

/* The names that wait for their fields. */
static int
schema_close(struct schema_reader *r, struct err *e)
{
	struct schema *s = r->schema;

	if (!s->n_fields)
		return err_set(e, ERR_INPUT, _("%s: names no field."), r->lines.name);
	if (!s->name[0])
		return err_set(e, ERR_INPUT, _("%s: the line \"template NAME\" is missing."),
			r->lines.name);
	s->number_field = r->number[0] ? schema_field(s, r->number) : -1;
	s->name_field = r->holder[0] ? schema_field(s, r->holder) : -1;
	if ((r->number[0] && s->number_field < 0) || (r->holder[0] && s->name_field < 0))
		return err_set(e, ERR_INPUT, _("%s: line %u: there is no field of this name."),
			r->lines.name,
			r->number[0] && s->number_field < 0 ? r->number_line : r->holder_line);
	return 0;
}

int
schema_parse(struct schema **out, const uint8_t *bytes, size_t len, const char *name, struct err *e)
{
	struct schema_reader r = {0};
	struct buf text;
	int rc;

	*out = NULL;
	buf_init(&text, 4 * SCHEMA_FILE_MAX);
	r.schema = calloc(1, sizeof *r.schema);
	if (!r.schema) {
		rc = err_set(e, ERR_SYSTEM, _("Out of memory."));
		goto out;
	}
	r.schema->number_field = r.schema->name_field = -1;
	if ((rc = charset_to_utf8(&text, bytes, len, name, e)))
		goto out;
	lines_init(&r.lines, text.data, text.len, name);
	while ((rc = lines_next(&r.lines, e)) > 0)
		if ((rc = schema_line(&r, e)))
			goto out;
	if (!rc)
		rc = schema_close(&r, e);
out:
	buf_done(&text);
	if (rc)
		schema_destroy(r.schema);
	else
		*out = r.schema;
	return rc;
}

int
schema_load(struct schema **out, const char *path, struct err *e)
{
	struct buf bytes;

	*out = NULL;
	buf_init(&bytes, SCHEMA_FILE_MAX);
	int rc = file_read(&bytes, path, SCHEMA_FILE_MAX, e);
	if (!rc)
		rc = schema_parse(out, bytes.data, bytes.len, path, e);
	buf_done(&bytes);
	return rc;
}

void
schema_destroy(struct schema *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_number_kinds; i++)
		free(s->number_kinds[i]);
	free(s->number_kinds);
	free(s->fields);
	free(s);
}

int
schema_field(const struct schema *s, const char *name)
{
	for (size_t i = 0; i < s->n_fields; i++)
		if (!strcmp(s->fields[i].name, name))
			return (int)i;
	return -1;
}
