/*
 * lines.c - numbered lines of a plain text file that a person writes: record.schema, chip.map.
 *
 * Guarantees: text is terminated, has no comment, no blank at either end, and its number is the one
 * an editor shows. A line that is too long or holds a NUL byte is refused with its number.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/card.h"

#include <string.h>

void
lines_init(struct lines *l, const uint8_t *bytes, size_t len, const char *name)
{
	*l = (struct lines){.at = bytes, .end = bytes + len, .name = name};
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The length of text before a comment; a # between quotation marks is text. */
static size_t
comment_start(const char *text, size_t len)
{
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"')
			quoted = !quoted;
		else if (text[i] == '#' && !quoted)
			return i;
	}
	return len;
}

int
lines_next(struct lines *l, struct err *e)
{
	while (l->at < l->end) {
		const char *start = (const char *)l->at;
		const uint8_t *stop = memchr(l->at, '\n', (size_t)(l->end - l->at));
		size_t len = (size_t)((stop ? stop : l->end) - l->at);

		l->at = stop ? stop + 1 : l->end;
		l->number++;
		if (memchr(start, 0, len))
			return err_set(e, ERR_INPUT,
				_("%s: line %u: holds a NUL byte; save it as plain text."), l->name,
				l->number);
		len = comment_start(start, len);
		while (len && is_blank(start[len - 1]))
			len--;
		while (len && is_blank(*start))
			start++, len--;
		if (!len)
			continue;
		if (len >= sizeof l->text)
			return err_set(e, ERR_INPUT,
				_("%s: line %u: is longer than %zu bytes; shorten it."), l->name,
				l->number, sizeof l->text - 1);
		memcpy(l->text, start, len);
		l->text[len] = '\0';
		return 1;
	}
	return 0;
}

char *
lines_word(char **rest)
{
	char *word = *rest;

	while (is_blank(*word))
		word++;
	if (!*word)
		return NULL;
	char *end = word;
	while (*end && !is_blank(*end))
		end++;
	if (*end)
		*end++ = '\0';
	*rest = end;
	return word;
}
