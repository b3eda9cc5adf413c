/*
 * cmd-printer-models.c - `cardspool printer models`.
 *
 * Owns what people, programs and doc/PRINTERS.md see of the families' own tables: models, settings
 * and commands, each with how sure we are. Reads nothing else, so it works anywhere. Fails only
 * when the answer cannot be written.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/cmd-printer.h"

#include <string.h>

/* ---- JSON ------------------------------------------------------------------ */

static json_t *
words_json(const char *words)
{
	json_t *list = json_array();

	for (const char *at = words ? words : ""; *at; at += strspn(at, " ")) {
		size_t n = strcspn(at, " ");
		json_array_append_new(list, json_stringn(at, n));
		at += n;
	}
	return list;
}

static json_t *
settings_json(const struct printer_setting *s)
{
	json_t *list = json_array();

	for (; s && s->name; s++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "name", s->name,
						    "value", s->value, "purpose", _(s->purpose),
						    "confidence", confidence_name(s->confidence)));
	return list;
}

/* Zero stands for unknown. */
static void
count_set(json_t *j, const char *key, unsigned value)
{
	json_object_set_new(j, key, value ? json_integer(value) : json_null());
}

static json_t *
model_json(const struct printer_driver *d, const struct printer_model *m)
{
	json_t *j = json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:b, s:b, s:b, s:b, s:s}", "model",
		m->name, "family", d->family, "mdl", m->mdl, "dots", (int)m->head_dots, "lines",
		(int)m->head_lines, "dpi", (int)m->dpi, "duplex", m->duplex, "contact", m->contact,
		"contactless", m->contactless, "magnetic", m->magnetic, "confidence",
		confidence_name(m->confidence));

	json_object_set_new(j, "ribbons", words_json(m->ribbons));
	json_object_set_new(j, "levels", words_json(m->levels));
	json_object_set_new(j, "lacks", words_json(m->lacks));
	json_object_set_new(j, "network", json_boolean(m->network));
	json_object_set_new(j, "coercivity", json_boolean(m->coercivity));
	json_object_set_new(j, "speeds", words_json(m->speeds));
	count_set(j, "product", m->product);
	count_set(j, "hopper_cards", m->hopper_cards);
	count_set(j, "ribbon_cards", m->ribbon_cards);
	count_set(j, "head_life_cards", m->head_life_cards);
	json_object_set_new(j, "settings", settings_json(m->settings));
	return j;
}

static json_t *
models_json(void)
{
	json_t *all = json_array();

	for (size_t d = 0; printer_drivers[d]; d++)
		for (size_t i = 0; i < printer_drivers[d]->n_models; i++)
			json_array_append_new(all,
				model_json(printer_drivers[d], &printer_drivers[d]->models[i]));
	return all;
}

/* ---- for a person at a terminal -------------------------------------------- */

static void
models_print(void)
{
	for (size_t d = 0; printer_drivers[d]; d++)
		for (size_t i = 0; i < printer_drivers[d]->n_models; i++) {
			const struct printer_model *m = &printer_drivers[d]->models[i];

			printf("%-20s %-7s %u x %u, %u dpi%s%s%s%s%s; %s: %s; %s\n", m->name,
				printer_drivers[d]->family, m->head_dots, m->head_lines, m->dpi,
				m->duplex ? _(", both sides") : "",
				m->contact ? _(", contact chip") : "",
				m->contactless ? _(", contactless chip") : "",
				m->magnetic ? _(", magnetic stripe") : "",
				m->network ? _(", network") : "", _("ribbons"), m->ribbons,
				confidence_name(m->confidence));
		}
}

/* ---- doc/PRINTERS.md ------------------------------------------------------- */

/* The manual is English, whatever the language of who builds it: no gettext from here on. */

static void
words_doc(const char *words)
{
	const char *gap = "";

	for (const char *at = words ? words : ""; *at; at += strspn(at, " ")) {
		int n = (int)strcspn(at, " ");
		printf("%s`%.*s`", gap, n, at);
		gap = " ";
		at += n;
	}
}

static const char *
count_text(char *out, size_t max, unsigned value)
{
	if (value)
		snprintf(out, max, "%u", value);
	else
		snprintf(out, max, "?");
	return out;
}

static void
models_doc(void)
{
	char hopper[16], ribbon[16];

	printf("## What each model can do, and how sure we are\n\n"
	       "What a unit can do depends on the options bought with it as well. ?: not known.\n\n"
	       "Network: a raw TCP port, where the unit has one. Coercivity and speed: what a job "
	       "can choose.\n\n"
	       "| model | family | dots | sides | contact | contactless | magnetic | coercivity | "
	       "speed | network | ribbons | levels | hopper | prints a ribbon | does not know | "
	       "confidence |\n"
	       "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
	for (size_t d = 0; printer_drivers[d]; d++)
		for (size_t i = 0; i < printer_drivers[d]->n_models; i++) {
			const struct printer_model *m = &printer_drivers[d]->models[i];

			printf("| %s | %s | %u x %u | %s | %s | %s | %s | %s | %s | %s | ", m->name,
				printer_drivers[d]->family, m->head_dots, m->head_lines,
				m->duplex ? "2" : "1", m->contact ? "yes" : "no",
				m->contactless ? "yes" : "no", m->magnetic ? "yes" : "no",
				m->coercivity ? "yes" : "no", m->speeds ? m->speeds : "no",
				m->network ? "yes" : "no");
			words_doc(m->ribbons);
			printf(" | %s | %s | %s | ", m->levels ? m->levels : "?",
				count_text(hopper, sizeof hopper, m->hopper_cards),
				count_text(ribbon, sizeof ribbon, m->ribbon_cards));
			words_doc(m->lacks);
			printf(" | %s |\n", confidence_name(m->confidence));
		}
	putchar('\n');
}

/* A part in <> is no HTML inside a code span, but a bar would end the cell. */
static void
commands_doc(const struct printer_driver *d)
{
	printf("## Family %s: commands\n\n", d->family);
	if (!d->commands || !d->commands[0].name) {
		printf("None listed.\n\n");
		return;
	}
	printf("| command | when | what for | source | confidence |\n|---|---|---|---|---|\n");
	for (const struct printer_command *c = d->commands; c->name; c++)
		printf("| `%s` | %s | %s | %s | %s |\n", c->name, c->when, c->purpose, c->source,
			confidence_name(c->confidence));
	putchar('\n');
}

/* Models that share their settings share a table. */
static void
settings_doc(const struct printer_driver *d)
{
	for (size_t i = 0; i < d->n_models; i++) {
		const struct printer_setting *s = d->models[i].settings;
		bool seen = !s;

		for (size_t k = 0; k < i && !seen; k++)
			seen = d->models[k].settings == s;
		if (seen)
			continue;
		printf("## Family %s: settings of ", d->family);
		for (size_t k = i; k < d->n_models; k++)
			if (d->models[k].settings == s)
				printf("%s%s", k > i ? ", " : "", d->models[k].mdl);
		printf("\n\n| setting | default | what for | confidence |\n|---|---|---|---|\n");
		for (; s->name; s++)
			printf("| `%s` | %s%s%s | %s | %s |\n", s->name, s->value[0] ? "`" : "",
				s->value[0] ? s->value : "(empty)", s->value[0] ? "`" : "",
				s->purpose, confidence_name(s->confidence));
		putchar('\n');
	}
}

static void
tables_doc(void)
{
	models_doc();
	for (size_t d = 0; printer_drivers[d]; d++) {
		commands_doc(printer_drivers[d]);
		settings_doc(printer_drivers[d]);
	}
}

int
printer_models(int argc, char **argv, struct err *e)
{
	bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
	bool doc = argc > 1 && strcmp(argv[1], "--doc") == 0;

	if (argc > 2 || (argc == 2 && !json && !doc))
		return err_set(e, ERR_USAGE,
			_("printer %s: %s is not understood. See: cardspool help printer"), argv[0],
			argv[argc - 1]);
	if (json)
		return json_print(models_json(), e);
	if (doc)
		tables_doc();
	else
		models_print();
	return fflush(stdout) == 0 && !ferror(stdout)
		       ? 0
		       : err_set(e, ERR_SYSTEM, "%s", _("The answer could not be written."));
}
