/*
 * textable.c - aligned tables for people.
 *
 * Owns the layout of what the commands print. Guarantees: columns stand under each other also when
 * cells hold Chinese characters, which take two places each; no control character reaches the
 * terminal. Cannot fail.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <glib.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct textable {
	size_t n_columns;
	GPtrArray *cells; /* row by row; the first row is the heading */
};

static char *
cell_create(const char *text)
{
	char *valid = g_utf8_make_valid(text ? text : "", -1);

	for (char *c = valid; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	return valid;
}

static size_t
cell_width(const char *text)
{
	size_t width = 0;

	for (; *text; text = g_utf8_next_char(text)) {
		gunichar c = g_utf8_get_char(text);

		width += g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
	}
	return width;
}

struct textable *
textable_create(size_t n_columns, ...)
{
	struct textable *t = g_new0(struct textable, 1);
	va_list ap;

	t->n_columns = n_columns;
	t->cells = g_ptr_array_new_with_free_func(g_free);
	va_start(ap, n_columns);
	for (size_t i = 0; i < n_columns; i++)
		g_ptr_array_add(t->cells, cell_create(va_arg(ap, const char *)));
	va_end(ap);
	return t;
}

void
textable_add(struct textable *t, ...)
{
	va_list ap;

	va_start(ap, t);
	for (size_t i = 0; i < t->n_columns; i++)
		g_ptr_array_add(t->cells, cell_create(va_arg(ap, const char *)));
	va_end(ap);
}

size_t
textable_rows(const struct textable *t)
{
	return t->cells->len / t->n_columns - 1;
}

void
textable_print(const struct textable *t, FILE *out)
{
	size_t *widths = g_new0(size_t, t->n_columns);

	for (size_t i = 0; i < t->cells->len; i++) {
		size_t width = cell_width(g_ptr_array_index(t->cells, i));

		if (width > widths[i % t->n_columns])
			widths[i % t->n_columns] = width;
	}
	for (size_t i = 0; i < t->cells->len; i++) {
		const char *cell = g_ptr_array_index(t->cells, i);
		bool last = i % t->n_columns == t->n_columns - 1;

		fputs(cell, out);
		if (last)
			fputc('\n', out);
		else
			fprintf(out, "%*s", (int)(widths[i % t->n_columns] - cell_width(cell) + 2),
				"");
	}
	g_free(widths);
}

void
textable_destroy(struct textable *t)
{
	if (!t)
		return;
	g_ptr_array_free(t->cells, TRUE);
	g_free(t);
}

void
time_show(char *out, size_t max, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	if (ms == 0 || !localtime_r(&seconds, &tm) ||
		strftime(out, max, "%Y-%m-%d %H:%M:%S %z", &tm) == 0)
		snprintf(out, max, "-");
}

static json_t *
time_json(int64_t ms)
{
	GDateTime *at = ms ? g_date_time_new_from_unix_local(ms / 1000) : NULL;
	char *text = at ? g_date_time_format(at, "%Y-%m-%dT%H:%M:%S%:z") : NULL;
	json_t *json = json_string(text ? text : "");

	g_free(text);
	if (at)
		g_date_time_unref(at);
	return json;
}

json_t *
times_json(json_t *row)
{
	static const char *const names[] = {"at", "changed", "cleared", "started", "ended"};

	for (size_t i = 0; row && i < G_N_ELEMENTS(names); i++) {
		const json_t *ms = json_object_get(row, names[i]);
		char name[16];

		snprintf(name, sizeof(name), "%s_text", names[i]);
		if (json_is_integer(ms))
			json_object_set_new(row, name, time_json(json_integer_value(ms)));
	}
	return row;
}
