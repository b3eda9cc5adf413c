/*
 * test-forms-evolis.c - of the forms that a model's row allows, each plane goes out in the
 * smallest.
 *
 * The sizes of all forms are worked out here from the protocol's description: a whole plane is its
 * bits, eight to a byte; a short line is its length, then its bytes up to the last one with a dot.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/evolis.h"
#include "tests/forms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ESC "Db;k;2;" data CR */
static size_t
whole_len(const struct plane *p, unsigned levels)
{
	size_t bits = levels == 2 ? 1 : levels == 32 ? 5 : levels == 64 ? 6 : levels == 128 ? 7 : 8;
	char head[32];

	return 1 + (size_t)snprintf(head, sizeof head, "Db;k;%u;", levels) +
	       (size_t)p->dots * p->lines * bits / 8 + 1;
}

/* ESC "Dbc;k;2;" length ";" lines CR, filled up to a multiple of pad */
static size_t
short_len(const struct plane *p, const struct evolis_model *m)
{
	size_t data = 0, len, line_len = p->dots / 8;
	char head[48];

	for (unsigned y = 0; y < p->lines; y++) {
		const uint8_t *line = p->data + (size_t)y * p->stride;
		size_t last = line_len, ones = 0;

		while (last > 0 && line[last - 1] == 0)
			last--;
		while (ones < line_len && line[ones] == 0xff)
			ones++;
		if (m->short_lines && (last == 0 || ones == line_len))
			data++;
		else
			data += 1 + (last ? last : 1);
	}
	len = 1 + (size_t)snprintf(head, sizeof head, "Dbc;k;2;%zu;", data) + data + 1;
	return m->pad ? (len + m->pad - 1) / m->pad * m->pad : len;
}

static void
model_check(const struct printer_model *model, const struct evolis_model *m)
{
	for (unsigned kind = 0; kind < FORMS_KINDS; kind++)
		for (unsigned bits = 1; bits <= 8; bits += 7) {
			unsigned levels = bits == 1 ? 2 : m->colour_levels;
			struct wire_plane_format format = {.levels = levels,
				.compressed = m->compressed,
				.short_lines = m->short_lines,
				.turned = false,
				.pad = m->pad};
			struct plane p;
			struct err e = {0};
			struct buf out;

			forms_plane(&p, kind, bits, model->head_dots, model->head_lines);
			buf_init(&out, (size_t)1 << 20);
			assert_int_equal(wire_plane(&out, 'k', &p, &format, &e), 0);
			size_t least = whole_len(&p, levels);
			if (bits == 1 && m->compressed && short_len(&p, m) < least)
				least = short_len(&p, m);
			assert_int_equal(out.len, least);
			forms_print(model->name, bits == 1 ? "resin" : "colour", kind,
				memcmp(out.data + 1, "Dbc", 3) == 0 ? "runs (Dbc)"
				: bits == 1                         ? "whole, 1 bit"
				: levels == 128                     ? "whole, 7 bit"
								    : "whole",
				out.len);
			buf_done(&out);
			plane_done(&p);
		}
}

static void
columns_of(const struct printer_model *model, const struct printer_override *set, size_t n,
	struct evolis_model *m)
{
	struct transport t = {.overrides = set, .n_overrides = n};
	struct err e = {0};

	assert_int_equal(evolis_columns(m, model, &t, &e), 0);
}

static void
test_every_model(void **state)
{
	(void)state;
	for (size_t i = 0; i < EVOLIS_MODELS; i++) {
		struct evolis_model m;

		columns_of(&evolis_models[i], NULL, 0, &m);
		model_check(&evolis_models[i], &m);
	}
}

/* What an installation allows beyond the row. */
static void
test_settings(void **state)
{
	static const struct printer_override more[] = {
		{"compressed-resin", "yes"}, {"short-lines", "yes"}, {"colour-levels", "64"}};
	struct evolis_model m;
	(void)state;

	for (size_t i = 0; i < EVOLIS_MODELS; i++) {
		columns_of(&evolis_models[i], more, ARRAY_LEN(more), &m);
		assert_true(m.compressed && m.short_lines);
		model_check(&evolis_models[i], &m);
	}
}

/* Where runs and bits are nearly as long, head and padding decide. */
static void
test_border(void **state)
{
	struct evolis_model m;
	(void)state;

	columns_of(&evolis_models[0], NULL, 0, &m);
	for (unsigned blank = 0; blank <= 1016; blank++) {
		struct wire_plane_format format = {
			.levels = 2, .compressed = m.compressed, .pad = m.pad};
		struct plane p;
		struct err e = {0};
		struct buf out;

		forms_plane(&p, FORMS_DOT, 1, 648, 1016);
		memset(p.data, 0xff, p.stride * p.lines);
		for (unsigned y = 0; y < blank; y++)
			p.data[(y + 1) * p.stride - 1] = 0; /* one byte less in this line */
		buf_init(&out, (size_t)1 << 17);
		assert_int_equal(wire_plane(&out, 'k', &p, &format, &e), 0);
		size_t whole = whole_len(&p, 2), squeezed = short_len(&p, &m);
		assert_int_equal(out.len, squeezed < whole ? squeezed : whole);
		buf_done(&out);
		plane_done(&p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_model),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_border),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
