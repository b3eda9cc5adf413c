/*
 * printer.c - finding a family and a model, and the names of places.
 *
 * Pure look-ups over the families' own tables; nothing here talks to a device. Cannot fail but by
 * not finding.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/driver.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

const struct printer_driver *
printer_driver_by_vendor(uint16_t vendor)
{
	for (size_t i = 0; printer_drivers[i]; i++)
		for (const uint16_t *v = printer_drivers[i]->vendors; v && *v; v++)
			if (*v == vendor)
				return printer_drivers[i];
	return NULL;
}

/* How many bytes of text are used up by matching word, blanks and case aside; 0 = text does not
 * begin so. */
static size_t
word_match(const char *text, const char *word)
{
	const char *t = text;

	for (;; word++) {
		while (*word == ' ')
			word++;
		if (!*word)
			return (size_t)(t - text);
		while (*t == ' ')
			t++;
		if (tolower((unsigned char)*t) != tolower((unsigned char)*word))
			return 0;
		t++;
	}
}

/*
 * Exact first, then the longest row that the text begins with, then the first row that begins with
 * the text: printers are seen to call themselves "Dualys3", "Dualys 3 Duplex" or just "Dualys".
 */
const struct printer_model *
printer_model_find(const struct printer_driver *d, const char *mdl)
{
	const struct printer_model *best = NULL, *family = NULL;
	size_t best_len = 0;

	mdl += word_match(mdl, d->family);
	for (size_t i = 0; i < d->n_models && mdl[strspn(mdl, " ")]; i++) {
		const struct printer_model *m = &d->models[i];
		size_t n = word_match(mdl, m->mdl);
		if (n > 0 && !isdigit((unsigned char)mdl[n]) && n > best_len) {
			best = m;
			best_len = n;
		}
		if (!family && word_match(m->mdl, mdl) > 0)
			family = m;
	}
	return best ? best : family;
}

static bool
word_in(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = list; *at; at += strcspn(at, " "), at += strspn(at, " "))
		if (strcspn(at, " ") == n && strncmp(at, word, n) == 0)
			return true;
	return false;
}

void
printer_model_file(char *out, size_t max, const struct printer_model *m)
{
	size_t n = 0;

	for (const char *c = m->mdl; *c && n + 1 < max; c++)
		if (isalnum((unsigned char)*c))
			out[n++] = (char)tolower((unsigned char)*c);
	out[n] = '\0';
}

const char *
card_place_name(enum card_place place)
{
	static const char *const names[] = {
		[PLACE_UNKNOWN] = "unknown",
		[PLACE_NONE] = "none",
		[PLACE_PRINT] = "print",
		[PLACE_CONTACT] = "contact",
		[PLACE_CONTACTLESS] = "contactless",
		[PLACE_SOMEWHERE] = "somewhere",
	};

	return (size_t)place < ARRAY_LEN(names) ? names[place] : names[PLACE_UNKNOWN];
}

const char *
confidence_name(enum confidence c)
{
	static const char *const names[] = {
		[CONFIDENCE_PROVEN] = "proven",
		[CONFIDENCE_SOURCED] = "sourced",
		[CONFIDENCE_ONE_SOURCE] = "one source",
		[CONFIDENCE_INFERRED] = "inferred",
	};

	return (size_t)c < ARRAY_LEN(names) ? names[c] : "unknown";
}

const char *
printer_setting_value(const struct printer_model *m, const struct transport *t, const char *name)
{
	for (size_t i = 0; i < t->n_overrides; i++)
		if (!strcmp(t->overrides[i].name, name))
			return t->overrides[i].value;
	for (const struct printer_setting *s = m->settings; s && s->name; s++)
		if (!strcmp(s->name, name))
			return s->value;
	return NULL;
}

int
print_job_check(const struct printer_model *m, const struct print_job *job, struct err *e)
{
	char speed[16];

	snprintf(speed, sizeof speed, "%u", job->speed);
	if (job->speed && !m->speeds)
		return err_set(e, ERR_USAGE,
			_("The speed of the %s cannot be set. Leave the option CardSpeed out."),
			m->name);
	if (job->speed && !word_in(m->speeds, speed))
		return err_set(e, ERR_USAGE, _("The speed of the %s may be one of %s, but not %s."),
			m->name, m->speeds, speed);
	if (job->coercivity && !m->coercivity)
		return err_set(e, ERR_USAGE,
			_("The %s writes a magnetic stripe with the coercivity its encoder has. "
			  "Leave the option CardMagnetic at Card."),
			m->name);
	return 0;
}

int
printer_overrides_check(const struct printer_model *m, const struct transport *t, struct err *e)
{
	for (size_t i = 0; i < t->n_overrides; i++) {
		const struct printer_setting *s = m->settings;

		while (s && s->name && strcmp(s->name, t->overrides[i].name) != 0)
			s++;
		if (!s || !s->name)
			return err_set(e, ERR_USAGE,
				_("cardspool.conf: the %s has no setting named %s. See "
				  "doc/PRINTERS.md."),
				m->name, t->overrides[i].name);
	}
	return 0;
}
