/*
 * test-look.c - what a queue wants of its cards: overlay areas, profiles by name, faces drawn by
 * them.
 *
 * The dots of the areas were worked out by hand from the millimetres in overlay.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/look.h"
#include "tests/template-fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { CARD_W = 1016, CARD_H = 648, DPI = 300 };

static bool
bit(const struct plane *p, unsigned x, unsigned y)
{
	unsigned dot = p->dots - 1 - y;

	return p->data[x * p->stride + dot / 8] >> (7 - dot % 8) & 1;
}

static struct plane
overlay_full(void)
{
	return (struct plane){PLANE_FULL, 1, CARD_H, CARD_W, plane_stride(1, CARD_H), NULL};
}

static void
test_overlay_areas(void **state)
{
	/* The card begins 2.49 dots from the left and 5.22 from the top; 1 mm is 11.811 dots. */
	static const struct {
		enum card_area area;
		enum side side;
		unsigned x0, y0, x1, y1;
	} rows[] = {
		{AREA_CHIP, SIDE_FRONT, 102, 211, 269, 366},
		{AREA_STRIPE, SIDE_BACK, 0, 52, 1016, 201},
		{AREA_SIGNATURE, SIDE_BACK, 61, 217, 955, 348},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct print_look look = {
			.overlay = OVERLAY_MASK, .areas = 1U << rows[i].area};
		struct plane o = overlay_full(), other = overlay_full();
		struct area_rect r;
		assert_true(area_find(rows[i].area, rows[i].side, CARD_W, CARD_H, DPI, &r));
		assert_int_equal(r.x, rows[i].x0);
		assert_int_equal(r.y, rows[i].y0);
		assert_int_equal(r.x + r.w, rows[i].x1);
		assert_int_equal(r.y + r.h, rows[i].y1);
		assert_int_equal(overlay_limit(&o, &look, rows[i].side, DPI, NULL), 0);
		assert_int_equal(o.fill, PLANE_DATA);
		assert_false(bit(&o, rows[i].x0, rows[i].y0));
		assert_false(bit(&o, rows[i].x1 - 1, rows[i].y1 - 1));
		assert_true(bit(&o, rows[i].x0, rows[i].y0 - 1));
		assert_true(bit(&o, rows[i].x1 - 1, rows[i].y1));
		/* The other side has no such area. */
		enum side back = rows[i].side == SIDE_FRONT ? SIDE_BACK : SIDE_FRONT;
		assert_int_equal(overlay_limit(&other, &look, back, DPI, NULL), 0);
		assert_int_equal(other.fill, PLANE_FULL);
		plane_done(&o);
	}
}

static void
test_overlay_none(void **state)
{
	const struct print_look none = {.overlay = OVERLAY_NONE}, full = {0};
	struct plane o = overlay_full(), absent = {0};
	(void)state;

	assert_int_equal(overlay_limit(&o, &full, SIDE_FRONT, DPI, NULL), 0);
	assert_int_equal(o.fill, PLANE_FULL);
	assert_int_equal(overlay_limit(&o, &none, SIDE_FRONT, DPI, NULL), 0);
	assert_int_equal(o.fill, PLANE_BLANK);
	assert_int_equal(overlay_limit(&absent, &none, SIDE_FRONT, DPI, NULL), 0);
	assert_int_equal(absent.fill, PLANE_ABSENT);
}

static void
file_put(const char *folder, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	assert_int_equal(file_write(path, text, strlen(text), 0644, NULL), 0);
}

static void
test_profile_by_name(void **state)
{
	static const struct {
		const char *model, *ribbon, *name;
		int rc, cyan; /* of black; -1: no table */
	} rows[] = {
		{"Evolis Dualys 3", "ymcko", NULL, 0, 200},
		{"Evolis  Dualys-3", "ymcko", NULL, 0, 200},
		{"Evolis Dualys 3", "ymckok", NULL, 0, -1},
		{"", "ymcko", NULL, 0, -1},
		{NULL, "ymcko", NULL, 0, -1},
		{"Evolis Dualys 3", "ymcko", "none", 0, -1},
		{"Evolis Dualys 3", "k", "mine.tone", 0, 100},
		{"Evolis Dualys 3", "k", "absent.icc", ERR_MISSING, -1},
		{"Evolis Dualys 3", "k", "../mine.tone", ERR_INPUT, -1},
		{"Evolis Dualys 3", "k", "/etc/passwd", ERR_INPUT, -1},
		{"Evolis Dualys 3", "k", ".hidden", ERR_INPUT, -1},
		{"Evolis Dualys 3", "k", "", ERR_INPUT, -1},
		{"Evolis Dualys 3", "k", "text.icc", ERR_INPUT, -1},
		{"Evolis Dualys 3", "k", "empty.icc", ERR_INPUT, -1},
	};
	char folder[] = "/tmp/cs-look.XXXXXX";
	const struct dye_tone plain = {0}, bright = {.brightness = 1};
	static const char *const files[][2] = {
		{"evolis-dualys-3-ymcko.tone", "C 0=0 255=200\n"},
		{"mine.tone", "C 0=0 255=100\n"},
		{"text.icc", "C 0=0 255=100\n"},
		{"empty.icc", ""},
	};
	struct dye_table *t;
	(void)state;

	assert_non_null(mkdtemp(folder));
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		file_put(folder, files[i][0], files[i][1]);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = {0};
		uint32_t black = 0;
		assert_int_equal(profile_load(&t, folder, rows[i].model, rows[i].ribbon,
					 rows[i].name, &plain, &e),
			rows[i].rc);
		assert_int_equal(t != NULL, rows[i].cyan >= 0);
		assert_int_equal(rows[i].rc != 0, e.text[0] != '\0');
		if (t)
			dye_words_table(t, &black, 1);
		assert_true(!t || (int)(black >> 16) == rows[i].cyan);
		free(t);
	}
	/* A tone alone needs a table too. */
	assert_int_equal(profile_load(&t, folder, "x", "y", NULL, &bright, NULL), 0);
	assert_non_null(t);
	free(t);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char path[256];
		snprintf(path, sizeof path, "%s/%s", folder, files[i][0]);
		unlink(path);
	}
	rmdir(folder);
}

/* ---- faces ---- */

static const char front[] = FIXTURE_SVG(
	"<rect width='240' height='144' fill='#c0e0c0'/>"
	"<g cs:ink='uv'><rect x='10' y='10' width='50' height='50'/></g>"
	"<rect cs:kind='text' cs:field='姓名' " FIXTURE_FONT
	" x='10' y='80' width='100' height='30' cs:size='20' cs:ink='dye' fill='#ff0000'/>");

struct card {
	struct fixture fixture;
	struct template *template;
	struct renderer *renderer;
	char *values[3];
	struct record record;
};

static int
setup(void **state)
{
	static char empty[] = "", name[] = "王芳";
	struct err e = {0};
	struct card *c = calloc(1, sizeof *c);

	fixture_create(&c->fixture, front, NULL);
	if (template_build(c->fixture.dir, NULL, &e) ||
		template_open(&c->template, c->fixture.dir, &e) ||
		renderer_create(&c->renderer, c->template, &e)) {
		print_error("%s\n", e.text);
		return -1;
	}
	c->values[0] = c->values[2] = empty;
	c->values[1] = name;
	c->record = (struct record){
		.number = 7, .values = c->values, .number_kind = empty, .photo = empty};
	*state = c;
	return 0;
}

static int
teardown(void **state)
{
	struct card *c = *state;

	renderer_destroy(c->renderer);
	template_close(c->template);
	fixture_destroy(&c->fixture);
	free(c);
	return 0;
}

static int
draw(struct card *c, const struct ribbon *ribbon, struct face *f, struct err *e)
{
	memset(e, 0, sizeof *e);
	return face_render(c->renderer, &c->record, NULL, 0, SIDE_FRONT, ribbon, f, e);
}

/* Through a table that is the plain complement a face is the same, dot for dot; through another it
 * is not, and without it is as before. */
static void
test_face_by_profile(void **state)
{
	struct card *c = *state;
	const struct dye_tone plain = {0}, dark = {.brightness = -5};
	struct dye_table *same, *darker;
	struct face f;
	struct err e;
	uint8_t hash[4][HASH_LEN];
	(void)state;

	assert_int_equal(dye_table_build(&same, &plain, NULL, 0, "", NULL), 0);
	assert_int_equal(dye_table_build(&darker, &dark, NULL, 0, "", NULL), 0);
	const struct dye_table *const tables[4] = {NULL, same, darker, NULL};
	for (int i = 0; i < 4; i++) {
		const struct print_look look = {.dye = tables[i]};
		assert_int_equal(renderer_look(c->renderer, &look, NULL), 0);
		assert_int_equal(draw(c, ribbon_find("ymcko"), &f, &e), 0);
		face_hash(hash[i], &f);
		face_done(&f);
	}
	assert_memory_equal(hash[0], hash[1], HASH_LEN);
	assert_memory_not_equal(hash[0], hash[2], HASH_LEN);
	assert_memory_equal(hash[0], hash[3], HASH_LEN);
	free(same);
	free(darker);
}

static void
test_face_uv(void **state)
{
	struct card *c = *state;
	const struct print_look must = {.uv_must = true};
	struct face f;
	struct err e;

	assert_int_equal(draw(c, ribbon_find("ymcko"), &f, &e), 0);
	assert_int_equal(f.plane[PANEL_UV].fill, PLANE_ABSENT);
	face_done(&f);
	assert_int_equal(renderer_look(c->renderer, &must, NULL), 0);
	assert_int_equal(draw(c, ribbon_find("ymcko"), &f, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "fluorescent (UV) ink, but ribbon ymcko has no panel"));
	assert_int_equal(draw(c, ribbon_find("ymckou"), &f, &e), 0);
	assert_int_equal(f.plane[PANEL_UV].fill, PLANE_DATA);
	assert_true(bit(&f.plane[PANEL_UV], 20, 20));
	assert_false(bit(&f.plane[PANEL_UV], 100, 20));
	face_done(&f);
	assert_int_equal(renderer_look(c->renderer, NULL, NULL), 0);
}

static void
test_face_overlay(void **state)
{
	struct card *c = *state;
	const struct print_look none = {.overlay = OVERLAY_NONE};
	struct face f;
	struct err e;

	assert_int_equal(renderer_look(c->renderer, &none, NULL), 0);
	assert_int_equal(draw(c, ribbon_find("ymcko"), &f, &e), 0);
	assert_int_equal(f.plane[PANEL_O].fill, PLANE_BLANK);
	face_done(&f);
	assert_int_equal(renderer_look(c->renderer, NULL, NULL), 0);
}

/* The box is 100 dots wide, the panel 76: 24 dots of 300 dpi are 2.0 mm. */
static void
test_face_half_panel(void **state)
{
	const struct ribbon narrow = {"narrow", "YMCKO", "", 76};
	struct card *c = *state;
	struct face f;
	struct err e;

	assert_int_equal(draw(c, &narrow, &f, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "box 姓名 reaches 2.0 mm beyond the half panel"));
	assert_non_null(strstr(e.text, "which is 6.4 mm wide"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overlay_areas),
		cmocka_unit_test(test_overlay_none),
		cmocka_unit_test(test_profile_by_name),
		cmocka_unit_test(test_face_by_profile),
		cmocka_unit_test(test_face_uv),
		cmocka_unit_test(test_face_overlay),
		cmocka_unit_test(test_face_half_panel),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
