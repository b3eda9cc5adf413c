/*
 * test-template.c - compiling and opening templates: what is refused, what is separated, what a
 * damaged or stale file does.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/le.h"
#include "tests/template-fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TEXT_BOX                                                                                   \
	"<g transform='translate(10 20)'><rect x='10' y='4' width='100' height='30' "              \
	"cs:kind='text' "                                                                          \
	"cs:field='姓名' " FIXTURE_FONT " cs:size='24' cs:min-size='12'/></g>"

#define FIXTURE_ROOT(attribute)                                                                    \
	"<svg xmlns='http://www.w3.org/2000/svg' xmlns:cs='urn:cardspool:template:1' "             \
	"viewBox='0 0 240 144' " attribute "/>"

static int
build(const char *front, const char *back, struct fixture *f, struct err *e)
{
	fixture_create(f, front, back);
	return template_build(f->dir, NULL, e);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *svg, *word;
	} rows[] = {
		{"<!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" FIXTURE_SVG(
			 "<text>&x;</text>"),
			"DOCTYPE"},
		{FIXTURE_SVG("<image xlink:href='file:///etc/hostname' width='9' height='9'/>"),
			"outside"},
		{FIXTURE_SVG("<image xlink:href='other.png' width='9' height='9'/>"), "outside"},
		{FIXTURE_SVG("<use href='http://example.org/a.svg#b'/>"), "outside"},
		{FIXTURE_SVG("<rect fill='url(other.svg#a)' width='9' height='9'/>"), "outside"},
		{FIXTURE_SVG("<rect style='fill:URL( \"//x/y\" )' width='9' height='9'/>"),
			"outside"},
		{FIXTURE_SVG("<style>@import 'a.css';</style>"), "style"},
		{FIXTURE_SVG("<script>1</script>"), "scripts"},
		{FIXTURE_SVG("<rect onload='x()' width='9' height='9'/>"), "outside"},
		{"<?xml-stylesheet href='a.css'?>" FIXTURE_SVG(""), "instructions"},
		{"<svg xmlns='http://www.w3.org/2000/svg'/>", "viewBox"},
		{"<html/>", "not an SVG"},
		{"", "not an SVG"},
		{FIXTURE_SVG("<rect cs:kind='txet' width='9' height='9'/>"), "kind"},
		{FIXTURE_SVG("<rect cs:kind='text' width='9' height='9'/>"), "field"},
		{FIXTURE_SVG("<rect cs:kind='text' cs:field='姓名' width='9' height='9'/>"),
			"font"},
		{FIXTURE_SVG(
			 "<rect cs:kind='text' cs:field='姓名' cs:font='No Such Font' cs:size='9' "
			 "width='9' height='9'/>"),
			"not installed"},
		{FIXTURE_SVG("<rect cs:kind='text' cs:field='姓名' " FIXTURE_FONT " width='9' "
			     "height='9'/>"),
			"size"},
		{FIXTURE_SVG("<rect cs:kind='text' cs:field='年龄' " FIXTURE_FONT " cs:size='9' "
			     "width='9' height='9'/>"),
			"年龄"},
		{FIXTURE_SVG("<rect cs:kind='photo' x='200' width='50' height='9'/>"), "beyond"},
		{FIXTURE_SVG("<rect cs:fild='x' width='9' height='9'/>"), "fild"},
		{FIXTURE_SVG("<rect cs:kind='barcode' cs:field='证号' cs:ink='uv' width='90' "
			     "height='90'/>"),
			"resin"},
		{FIXTURE_SVG("<rect cs:kind='seal' cs:ink='uv' width='9' height='9'/>"),
			"fluorescent"},
		{FIXTURE_SVG("<rect cs:kind='photo' cs:overlay='full' width='9' height='9'/>"),
			"overlay"},
		{FIXTURE_SVG("<rect cs:ink='gold' width='9' height='9'/>"), "ink"},
		{FIXTURE_SVG("<rect cs:only='color' width='9' height='9'/>"), "mono, colour"},
		{FIXTURE_SVG("<rect cs:overlay='mask' width='9' height='9'/>"), "none"},
		{FIXTURE_SVG("<rect cs:chip='contact' width='9' height='9'/>"), "svg element"},
		{FIXTURE_SVG("<rect cs:field='姓名' width='9' height='9'/>"), "no kind"},
		{FIXTURE_SVG("<g cs:show-if='姓名'><rect width='9' height='9'/></g>"), "no kind"},
		{FIXTURE_SVG("<rect cs:kind='photo' cs:only='mono' width='9' height='9'/>"),
			"fixed art"},
		{FIXTURE_ROOT("cs:chip='yes'"), "contact"},
		{FIXTURE_ROOT("cs:stripe='back'"), "back.svg"},
		{FIXTURE_SVG("<rect cs:kind='text' cs:field='姓名' " FIXTURE_FONT " cs:size='9' "
			     "cs:ink='dye' fill='url(#a)' width='90' height='30'/>"),
			"#rrggbb"},
		{FIXTURE_SVG(
			 "<g style='fill:red'><rect cs:kind='text' cs:field='姓名' " FIXTURE_FONT
			 " cs:size='9' cs:ink='dye' width='90' height='30'/></g>"),
			"#rrggbb"},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;
		struct err e = {0};
		char path[128];
		int rc = build(rows[i].svg, NULL, &f, &e);
		if (rc == 0 || !strstr(e.text, rows[i].word))
			fail_msg("row %zu: %d %s", i, rc, e.text);
		snprintf(path, sizeof path, "%s/template.bin", f.dir);
		assert_int_not_equal(access(path, F_OK), 0);
		fixture_destroy(&f);
	}
}

static void
test_separated(void **state)
{
	struct fixture f;
	struct err e = {0};
	struct template *t;
	(void)state;

	/* A green ground, a black resin bar, a bar for K-only sides, a bar for colour, fluorescent
	 * ink. */
	assert_int_equal(
		build(FIXTURE_SVG(
			      "<rect width='240' height='144' fill='#d0ffd0'/>"
			      "<rect x='10' y='20' width='30' height='5' cs:ink='resin'/>"
			      "<rect x='60' y='20' width='30' height='5' cs:only='mono'/>"
			      "<g cs:only='colour'><rect x='110' y='20' width='30' height='5'/></g>"
			      "<g cs:ink='uv'><rect x='160' y='20' width='30' height='5'/></g>"),
			NULL, &f, &e),
		0);
	assert_int_equal(template_open(&t, f.dir, &e), 0);
	assert_int_equal(t->width, 240);
	assert_int_equal(t->height, 144);
	assert_true(template_has_side(t, SIDE_FRONT));
	assert_false(template_has_side(t, SIDE_BACK));
	const struct art *a = &t->art[SIDE_FRONT];
	static const struct {
		unsigned x;
		bool k, mono, uv;
		uint8_t yellow;
	} rows[] = {
		{0, false, false, false, 0x2f},
		{20, true, true, false, 0},
		{70, false, true, false, 0x2f},
		{120, false, false, false, 0xff},
		{170, false, false, true, 0x2f},
	};
	unsigned dot = 144 - 1 - 22;
	size_t stride = plane_stride(1, 144);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t bit = rows[i].x * stride + dot / 8;
		uint8_t mask = (uint8_t)(0x80 >> dot % 8);
		assert_int_equal((a->k[bit] & mask) != 0, rows[i].k);
		assert_int_equal((a->mono[bit] & mask) != 0, rows[i].mono);
		assert_int_equal((a->uv[bit] & mask) != 0, rows[i].uv);
		assert_int_equal(a->ymc[0][rows[i].x * 144 + dot], rows[i].yellow);
	}
	/* Below the resin bar the ground is whole again. */
	assert_int_equal(a->ymc[0][20 * 144 + 144 - 1 - 30], 0x2f);
	template_close(t);
	fixture_destroy(&f);
}

static void
test_boxes(void **state)
{
	struct fixture f;
	struct err e = {0};
	struct template *t;
	(void)state;

	assert_int_equal(
		build(FIXTURE_SVG(TEXT_BOX "<rect cs:kind='seal' x='5' y='60' width='40' "
					   "height='40'/>"),
			FIXTURE_SVG("<g style='stroke-width:2; fill: #123'>"
				    "<rect cs:kind='text' cs:field='日期' " FIXTURE_FONT
				    " cs:size='10' cs:ink='dye' cs:align='right' "
				    "cs:format='YYYY-MM-DD' x='1' y='2' width='90' height='20'/>"
				    "</g>"),
			&f, &e),
		0);
	assert_int_equal(template_open(&t, f.dir, &e), 0);
	assert_int_equal(t->n_boxes, 3);
	const struct box *b = t->boxes;
	assert_int_equal(b[0].x, 20);
	assert_int_equal(b[0].y, 24);
	assert_int_equal(b[0].w, 100);
	assert_int_equal(b[0].h, 30);
	assert_int_equal(b[0].size, 24 * 64);
	assert_int_equal(b[0].min_size, 12 * 64);
	assert_int_equal(b[0].field, 1);
	assert_int_equal(b[1].kind, BOX_SEAL);
	/* Premultiplied half-transparent red above, nothing below. */
	assert_int_equal(le32_get(b[1].seal) >> 24, 0x80);
	assert_int_equal(le32_get(b[1].seal) & 0xffff, 0);
	assert_int_equal(le32_get(b[1].seal + 4 * 40 * 30), 0);
	assert_int_equal(b[2].side, SIDE_BACK);
	assert_int_equal(b[2].ink, INK_DYE);
	assert_int_equal(b[2].align, ALIGN_RIGHT);
	assert_int_equal(b[2].colour, 0x112233);
	assert_string_equal(b[2].format, "YYYY-MM-DD");
	template_close(t);
	fixture_destroy(&f);
}

static void
test_stale(void **state)
{
	struct fixture f;
	struct err e = {0};
	struct template *t;
	char path[128];
	uint8_t before[HASH_LEN], after[HASH_LEN];
	(void)state;

	assert_int_equal(build(FIXTURE_SVG(TEXT_BOX), NULL, &f, &e), 0);
	assert_int_equal(template_open(&t, f.dir, &e), 0);
	template_hash(t, before);
	template_close(t);
	fixture_file(&f, "front.svg", FIXTURE_SVG(TEXT_BOX " "));
	assert_int_equal(template_open(&t, f.dir, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "front.svg"));
	assert_non_null(strstr(e.text, "cardspool template build"));
	assert_null(t);
	assert_int_equal(template_build(f.dir, NULL, &e), 0);
	assert_int_equal(template_open(&t, f.dir, &e), 0);
	template_hash(t, after);
	assert_memory_not_equal(before, after, HASH_LEN);
	template_close(t);
	/* A drawing may be left out of an installed template; a new chip map may not slip in. */
	snprintf(path, sizeof path, "%s/front.svg", f.dir);
	unlink(path);
	assert_int_equal(template_open(&t, f.dir, &e), 0);
	template_close(t);
	fixture_file(&f, "chip.map", "4 证号[1,16]\n");
	assert_int_equal(template_open(&t, f.dir, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "chip.map"));
	fixture_destroy(&f);
	assert_int_equal(template_open(&t, f.dir, &e), ERR_MISSING);
}

static int
parse(const uint8_t *bytes, size_t len, struct err *e)
{
	struct template t = {.map = malloc(len ? len : 1), .map_len = len};

	memcpy(t.map, bytes, len);
	int rc = template_parse(&t, "t.bin", e);
	if (!rc)
		for (size_t i = 0; i < t.n_boxes; i++) {
			/* The sanitizers see a seal that reaches beyond the file. */
			const struct box *b = &t.boxes[i];
			volatile uint8_t last = 0;
			if (b->seal)
				last = b->seal[(size_t)b->w * b->h * 4 - 1];
			(void)last;
		}
	free(t.boxes);
	free(t.map);
	return rc;
}

static void
test_damaged(void **state)
{
	struct fixture f;
	struct err e = {0};
	struct buf b;
	char path[128];
	uint64_t seed = 1;
	(void)state;

	assert_int_equal(
		build(FIXTURE_SVG(TEXT_BOX
			      "<rect cs:kind='seal' x='5' y='60' width='40' height='40'/>"),
			NULL, &f, &e),
		0);
	snprintf(path, sizeof path, "%s/template.bin", f.dir);
	buf_init(&b, 1 << 20);
	assert_int_equal(file_read(&b, path, 1 << 20, &e), 0);
	assert_int_equal(parse(b.data, b.len, &e), 0);
	for (size_t cut = 0; cut < b.len; cut += cut < 400 ? 1 : 4099)
		assert_int_equal(parse(b.data, cut, &e), ERR_INPUT);
	/* Another version is said to be one. */
	b.data[8]++;
	assert_int_equal(parse(b.data, b.len, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "version"));
	b.data[8]--;
	/* Wild numbers in head and boxes: refused or harmless, never out of the file. */
	size_t table = le32_get(b.data + 32);
	for (unsigned round = 0; round < 3000; round++) {
		seed = seed * 6364136223846793005U + 1442695040888963407U;
		size_t at = (seed >> 33) % (TEMPLATE_HEAD_LEN + 2 * TEMPLATE_BOX_LEN);
		at = at < TEMPLATE_HEAD_LEN ? at : table + at - TEMPLATE_HEAD_LEN;
		uint8_t old = b.data[at];
		b.data[at] = seed >> 60 & 1 ? 0xff : (uint8_t)(seed >> 20);
		parse(b.data, b.len, &e);
		b.data[at] = old;
	}
	/* An offset that ends just behind the file. */
	le32_put(b.data + TEMPLATE_AT_SIDES + 8, (uint32_t)(b.len - 240 * 144 + 4));
	assert_int_equal(parse(b.data, b.len, &e), ERR_INPUT);
	buf_done(&b);
	fixture_destroy(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_separated),
		cmocka_unit_test(test_boxes),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_damaged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
