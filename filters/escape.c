/*
 * escape.c - the escapes in a page's text: magnetic tracks and the chip.
 *
 * Owns the spellings that programs for other card printers have taught people. Guarantees: what
 * begins like an escape is either understood whole or refused, so that data for an encoder never
 * becomes ink; track data have only the characters and the length of ISO/IEC 7811. On failure
 * nothing is taken.
 *
 *   line   = escape { blanks escape }
 *   track  = "~" n data              as for Eltron and Zebra printers      n = 1, 2, 3
 *          | "~" n "=" data          as for Atlantek printers
 *          | "~" n start data "?"    as for Fargo, Magicard and Datacard;  start: "%" on 1, ";" on
 * 2, 3 chip   = "~C" [ "=" ] ( number | name "=" value { ";" name "=" value } )
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/escape.h"

#include <string.h>

static const struct track_rule {
	char start; /* sentinel; the end is always "?" */
	char first, last;
	size_t max; /* characters between the sentinels */
} tracks[MAGNETIC_TRACKS] = {
	{'%', 0x20, 0x5f, 76},
	{';', 0x30, 0x3f, 37},
	{';', 0x30, 0x3f, 104},
};

static bool
blank(char c)
{
	return c == ' ' || c == '\t';
}

static int
track_put(char *out, const struct track_rule *rule, unsigned n, const char *text, size_t len,
	struct err *e)
{
	if (!len)
		return err_set(e, ERR_INPUT, _("the escape ~%u has no data"), n);
	if (len > rule->max)
		return err_set(e, ERR_INPUT,
			_("the escape ~%u has %zu characters; magnetic track %u takes %zu"), n, len,
			n, rule->max);
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (rule->first == ' ' && c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		if (c < rule->first || c > rule->last || c == rule->start || c == '?')
			return err_set(e, ERR_INPUT,
				_("character %zu of the escape ~%u cannot stand on magnetic track "
				  "%u"),
				i + 1, n, n);
		out[i] = c;
	}
	out[len] = '\0';
	return 0;
}

static int
track_parse(struct escapes *x, unsigned n, const char *text, size_t len, struct err *e)
{
	const struct track_rule *rule = &tracks[n - 1];
	char *out = x->track[n - 1];

	if (out[0])
		return err_set(e, ERR_INPUT, _("the escape ~%u stands there twice"), n);
	if (len && text[0] == '=') {
		text++;
		len--;
	} else if (len && text[0] == rule->start) {
		if (len < 2 || text[len - 1] != '?')
			return err_set(e, ERR_INPUT,
				_("the escape ~%u begins with %c and does not end with ?; it may "
				  "have been broken "
				  "into two lines"),
				n, rule->start);
		text++;
		len -= 2;
	}
	return track_put(out, rule, n, text, len, e);
}

static int
chip_parse(struct escapes *x, const char *text, size_t len, struct err *e)
{
	if (x->chip[0])
		return err_set(e, ERR_INPUT, _("the escape ~C stands there twice"));
	if (len && text[0] == '=') {
		text++;
		len--;
	}
	while (len && blank(text[0])) {
		text++;
		len--;
	}
	if (!len)
		return err_set(e, ERR_INPUT, _("the escape ~C has no data"));
	if (len >= sizeof x->chip || memchr(text, '\0', len))
		return err_set(e, ERR_INPUT, _("the escape ~C is too long"));
	memcpy(x->chip, text, len);
	x->chip[len] = '\0';
	return 0;
}

/* One escape without the "~" and without blanks behind it. */
static int
one_parse(struct escapes *x, const char *text, size_t len, struct err *e)
{
	if (text[0] >= '1' && text[0] <= '0' + MAGNETIC_TRACKS)
		return track_parse(x, (unsigned)(text[0] - '0'), text + 1, len - 1, e);
	if (text[0] == 'C')
		return chip_parse(x, text + 1, len - 1, e);
	return err_set(e, ERR_INPUT,
		_("~%c is not an escape that is known here (~1, ~2, ~3, ~C); to print it, put a "
		  "blank behind "
		  "the ~"),
		text[0]);
}

static bool
escape_begins(const char *text, size_t len)
{
	return len > 1 && text[0] == '~' && text[1] > ' ' && text[1] < 0x7f;
}

/* Where the next escape of the line begins, len if there is none. */
static size_t
escape_next(const char *line, size_t at, size_t len)
{
	for (; at < len; at++)
		if (blank(line[at - 1]) && escape_begins(line + at, len - at))
			return at;
	return len;
}

int
escape_parse(struct escapes *x, const char *line, size_t len, struct err *e)
{
	struct escapes next = *x;

	while (len && blank(line[0])) {
		line++;
		len--;
	}
	if (!escape_begins(line, len)) {
		if (!len || escape_next(line, 1, len) == len)
			return 0;
		return err_set(e, ERR_INPUT,
			_("an escape stands behind other text; give it a line or a text box of its "
			  "own, or put a blank behind the ~ to print it"));
	}
	for (size_t at = 0, end; at < len; at = end) {
		end = escape_next(line, at + 1, len);
		size_t n = end;
		while (n > at + 2 && blank(line[n - 1]))
			n--;
		int rc = one_parse(&next, line + at + 1, n - at - 1, e);
		if (rc)
			return rc;
	}
	*x = next;
	return 1;
}

bool
escape_field(char **rest, char **name, char **value)
{
	char *p = *rest;

	while (blank(*p) || *p == ';')
		p++;
	if (!*p)
		return false;
	*name = p;
	*value = NULL;
	p += strcspn(p, ";");
	*rest = *p ? p + 1 : p;
	*p = '\0';
	while (p > *name && blank(p[-1]))
		*--p = '\0';
	char *equals = strchr(*name, '=');
	if (!equals)
		return true;
	*value = equals + 1;
	while (equals > *name && blank(equals[-1]))
		equals--;
	*equals = '\0';
	while (blank(**value))
		(*value)++;
	return true;
}
