/*
 * test-forms-epcl.c - of the forms that a Zebra model's settings allow, each plane goes out in the
 * smallest.
 *
 * One-bit planes have two forms, bytes and runs; colour of 32 levels has one, runs, which is never
 * more than a byte longer than the dots themselves. What a run saves is worked out here.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/epcl.h"
#include "tests/forms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *
setting(const struct printer_model *m, const char *name)
{
	for (const struct printer_setting *s = m->settings; s && s->name; s++)
		if (strcmp(s->name, name) == 0)
			return s->value;
	return "";
}

/* ESC "GS 0 30 0 0 1024 640 " runs CR: equal neighbours, at most 127, cost two bytes, a lone dot
 * one. */
static size_t
colour_len(const struct plane *p, const struct epcl_format *f)
{
	size_t len = (size_t)snprintf(NULL, 0, "\033GS 0 30 0 0 %u %u ", f->lines, f->dots) + 1;
	size_t n = (size_t)f->dots * f->lines;
	uint8_t level[256];

	epcl_levels(level, f->levels);
	for (size_t at = 0, run; at < n; at += run) {
		const uint8_t *in = p->data; /* the last dot of the last line goes first */
		uint8_t v = level[in[n - 1 - at]];
		for (run = 1; run < 127 && at + run < n && level[in[n - 1 - at - run]] == v; run++)
			;
		len += run > 1 || at == 0 ? 2 : 1;
	}
	return len;
}

static void
mono_check(const struct printer_model *m, enum forms_kind kind, const struct epcl_format *f)
{
	size_t whole = f->dots / 8 * f->lines;
	struct epcl_format raw = *f;
	char area[64], raw_area[64];
	struct buf out, bytes;
	struct plane p;
	struct err e = {0};

	raw.mono_raw = true;
	forms_plane(&p, kind, 1, f->dots, f->lines);
	buf_init(&out, (size_t)1 << 18);
	buf_init(&bytes, (size_t)1 << 18);
	assert_int_equal(epcl_mono_plane(&out, area, sizeof area, false, &p, f, &e), 0);
	assert_int_equal(
		epcl_mono_plane(&bytes, raw_area, sizeof raw_area, false, &p, &raw, &e), 0);
	if (!f->escape)
		assert_int_equal(bytes.len, 2 + whole + 1);
	assert_true(out.len <= bytes.len);
	bool runs = strncmp(area, "G 0 0 12", 8) == 0;
	assert_int_equal(runs, out.len < bytes.len);
	if (kind == FORMS_NOISE)
		assert_false(runs);
	else
		assert_true(runs || f->mono_raw);
	forms_print(m->name, "resin", kind, runs ? "runs (12)" : "bytes (10)", out.len);
	buf_done(&out);
	buf_done(&bytes);
	plane_done(&p);
}

static void
colour_check(const struct printer_model *m, enum forms_kind kind, const struct epcl_format *f)
{
	size_t dots = (size_t)f->dots * f->lines;
	struct plane p;
	struct err e = {0};
	struct buf out;

	forms_plane(&p, kind, 8, f->dots, f->lines);
	buf_init(&out, (size_t)1 << 20);
	assert_int_equal(epcl_colour_plane(&out, 0, &p, f, &e), 0);
	assert_int_equal(out.len, colour_len(&p, f));
	assert_true(out.len <= dots + 40);
	if (kind != FORMS_NOISE)
		assert_true(out.len < dots / 2);
	forms_print(m->name, "colour", kind, "runs (30)", out.len);
	buf_done(&out);
	plane_done(&p);
}

static void
test_every_model(void **state)
{
	(void)state;
	for (size_t i = 0; i < EPCL_N_MODELS; i++) {
		const struct printer_model *m = &epcl_models[i];
		struct epcl_format f = {.dots = m->head_dots,
			.lines = m->head_lines,
			.levels = 32,
			.mono_raw = strcmp(setting(m, "mono-compressed"), "off") == 0,
			.escape = strcmp(setting(m, "mono-escape"), "on") == 0};

		for (unsigned kind = 0; kind < FORMS_KINDS; kind++) {
			mono_check(m, kind, &f);
			colour_check(m, kind, &f);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_model)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
