/*
 * test-face.c - a record on a card: text upright and whole in its box, black exact, dye knocked
 * out, photo and seal in place, only the panels of the ribbon.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/face.h"
#include "filters/le.h"
#include "tests/template-fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { W = 240, H = 144 };

#define BOX(field, x, y, w, h, more)                                                               \
	"<rect cs:kind='text' cs:field='" field "' " FIXTURE_FONT " x='" #x "' y='" #y             \
	"' width='" #w "' height='" #h "' " more "/>"

static const char front[] = FIXTURE_SVG(
	"<g cs:only='colour'><rect width='240' height='144' fill='#c0e0c0'/>"
	"<rect x='150' y='0' width='90' height='144' fill='#808080'/></g>" BOX("姓名", 10, 10, 100,
		40, "cs:size='32' cs:min-size='12' cs:fit='wrap' cs:lines='2'") BOX("证号", 10, 60,
		100, 30, "cs:size='26' cs:min-size='16'") BOX("日期", 10, 100, 130, 30,
		"cs:size='20' cs:min-size='12' cs:ink='dye' fill='#ff0000' "
		"cs:format='YYYY年MM月DD日'") "<rect cs:kind='photo' x='160' y='20' width='64' "
					      "height='80'/>"
					      "<rect cs:kind='seal' x='180' y='80' width='40' "
					      "height='40'/>");

struct card {
	struct fixture fixture;
	struct template *template;
	struct renderer *renderer;
	char *values[3];
	struct record record;
	uint8_t photo[4096];
	size_t photo_len;
};

/* A 24-bit BMP of 8 x 10, upper half white, lower half blue; rows stand bottom up. */
static size_t
bmp_make(uint8_t *p)
{
	enum { HEAD = 54, ROW = 24, ROWS = 10 };

	memset(p, 0, HEAD + ROW * ROWS);
	p[0] = 'B';
	p[1] = 'M';
	le32_put(p + 2, HEAD + ROW * ROWS);
	le32_put(p + 10, HEAD);
	le32_put(p + 14, 40);
	le32_put(p + 18, 8);
	le32_put(p + 22, ROWS);
	p[26] = 1;
	p[28] = 24;
	le32_put(p + 34, ROW * ROWS);
	for (int i = 0; i < ROW * ROWS; i++)
		p[HEAD + i] = i >= ROW * ROWS / 2 || i % 3 == 0 ? 0xff : 0;
	return HEAD + ROW * ROWS;
}

static int
setup(void **state)
{
	struct err e = {0};
	struct card *c = calloc(1, sizeof *c);

	fixture_create(
		&c->fixture, front, FIXTURE_SVG(BOX("姓名", 10, 10, 200, 40, "cs:size='32'")));
	if (template_build(c->fixture.dir, NULL, &e) ||
		template_open(&c->template, c->fixture.dir, &e) ||
		renderer_create(&c->renderer, c->template, &e)) {
		print_error("%s\n", e.text);
		return -1;
	}
	static char none[] = "";
	c->record = (struct record){
		.number = 7, .values = c->values, .number_kind = none, .photo = none};
	c->photo_len = bmp_make(c->photo);
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
draw(struct card *c, const char *number, const char *name, const char *date, const char *ribbon,
	struct face *f, struct err *e)
{
	c->values[0] = (char *)(uintptr_t)number;
	c->values[1] = (char *)(uintptr_t)name;
	c->values[2] = (char *)(uintptr_t)date;
	memset(e, 0, sizeof *e);
	return face_render(c->renderer, &c->record, c->photo, c->photo_len, SIDE_FRONT,
		ribbon_find(ribbon), f, e);
}

static bool
black(const struct face *f, unsigned x, unsigned y)
{
	unsigned dot = H - 1 - y;

	return f->plane[PANEL_K].data[x * f->plane[PANEL_K].stride + dot / 8] >> (7 - dot % 8) & 1;
}

static unsigned
dye(const struct face *f, enum panel p, unsigned x, unsigned y)
{
	return f->plane[p].data[x * f->plane[p].stride + (H - 1 - y)];
}

static unsigned
ink_count(const struct face *f, unsigned x, unsigned y, unsigned w, unsigned h)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w; i++)
		for (unsigned j = 0; j < h; j++)
			n += black(f, x + i, y + j);
	return n;
}

static void
test_text_is_upright(void **state)
{
	struct card *c = *state;
	struct face f;
	struct err e;

	/* An L has its ink at the left and at the bottom; F at the left and at the top. */
	assert_int_equal(draw(c, "L", "", "", "ymcko", &f, &e), 0);
	unsigned left = 0, right = 0, top = 0, bottom = 0;
	for (unsigned x = 10; x < 40; x++)
		for (unsigned y = 60; y < 90; y++)
			if (black(&f, x, y)) {
				*(x < 18 ? &left : &right) += 1;
				*(y < 75 ? &top : &bottom) += 1;
			}
	assert_true(left > right && right > 0);
	assert_true(bottom > top && top > 0);
	assert_int_equal(ink_count(&f, 0, 0, W, H), left + right);
	face_done(&f);
	assert_int_equal(draw(c, "F", "", "", "ymcko", &f, &e), 0);
	assert_true(ink_count(&f, 10, 60, 100, 15) > ink_count(&f, 10, 75, 100, 15));
	face_done(&f);
}

static void
test_black_is_exact(void **state)
{
	struct card *c = *state;
	struct face f;
	struct err e;

	assert_int_equal(draw(c, "T12345", "欧阳建国", "", "ymcko", &f, &e), 0);
	unsigned inside = ink_count(&f, 10, 10, 100, 40) + ink_count(&f, 10, 60, 100, 30);
	assert_true(inside > 400);
	assert_int_equal(ink_count(&f, 0, 0, W, H), inside);
	for (unsigned x = 0; x < 150; x++)
		for (unsigned y = 0; y < 100; y++) {
			unsigned want = black(&f, x, y) ? 0 : 255 - 0xc0;
			if (dye(&f, PANEL_Y, x, y) != want || dye(&f, PANEL_C, x, y) != want)
				fail_msg("dye at %u, %u", x, y);
		}
	/* Grays in the art are the same in all three. */
	assert_int_equal(dye(&f, PANEL_Y, 235, 5), 127);
	assert_int_equal(dye(&f, PANEL_M, 235, 5), 127);
	assert_int_equal(dye(&f, PANEL_C, 235, 5), 127);
	assert_int_equal(f.plane[PANEL_O].fill, PLANE_FULL);
	assert_int_equal(f.plane[PANEL_UV].fill, PLANE_ABSENT);
	face_done(&f);
}

static void
test_fitting(void **state)
{
	struct card *c = *state;
	static const struct {
		const char *number, *name;
		int code;
		const char *field;
	} rows[] = {
		{"T1234567", "欧阳建国", 0, NULL},
		{"", "买买提艾力阿卜杜热合曼江", 0, NULL}, /* two lines */
		{"", "Abdurehman", 0, NULL},
		{"", "ÅÇÄÑ", 0, NULL},                               /* tall letters */
		{"T99010219900307851512345", "", ERR_INPUT, "证号"}, /* never smaller than 16 */
		{"", "买买提艾力阿卜杜热合曼江买买提艾力阿卜杜热合曼江", ERR_INPUT, "姓名"},
		{"", "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwaren", ERR_INPUT, "姓名"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct face f;
		struct err e;
		int rc = draw(c, rows[i].number, rows[i].name, "", "ymcko", &f, &e);
		if (rc != rows[i].code)
			fail_msg("row %zu: %d %s", i, rc, e.text);
		if (rc) {
			assert_non_null(strstr(e.text, "record 7"));
			assert_non_null(strstr(e.text, rows[i].field));
			assert_int_equal(f.plane[PANEL_K].fill, PLANE_ABSENT);
			continue;
		}
		/* Nothing reaches beyond its box. */
		unsigned inside = ink_count(&f, 10, 10, 100, 40) + ink_count(&f, 10, 60, 100, 30);
		assert_int_equal(ink_count(&f, 0, 0, W, H), inside);
		assert_true(inside > 0);
		face_done(&f);
	}
}

static void
test_shrunk_and_wrapped(void **state)
{
	struct card *c = *state;
	struct face f;
	struct err e;

	/* Short names stay on one line; a long one uses both halves of the box without touching the
	 * middle. */
	assert_int_equal(draw(c, "", "买买提艾力阿卜杜热合曼江", "", "ymcko", &f, &e), 0);
	assert_true(ink_count(&f, 10, 10, 100, 18) > 100);
	assert_true(ink_count(&f, 10, 32, 100, 18) > 100);
	assert_int_equal(ink_count(&f, 60, 60, 50, 30), 0);
	face_done(&f);
}

static void
test_unknown_character(void **state)
{
	struct card *c = *state;
	struct face f;
	struct err e;

	/* A private-use character that no font has. */
	assert_int_equal(draw(c, "", "王\xf3\xb0\x80\x80", "", "ymcko", &f, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "U+F0000"));
	assert_non_null(strstr(e.text, "姓名"));
	assert_int_equal(draw(c, "", "\xff", "", "ymcko", &f, &e), ERR_INPUT);
	/* The renderer is not upset by it. */
	assert_int_equal(draw(c, "", "王芳", "", "ymcko", &f, &e), 0);
	face_done(&f);
}

static void
test_coloured_date(void **state)
{
	struct card *c = *state;
	struct face f;
	struct err e;
	unsigned red = 0;

	assert_int_equal(draw(c, "", "", "20260131", "ymcko", &f, &e), 0);
	assert_int_equal(f.plane[PANEL_K].fill, PLANE_BLANK);
	/* Red is full yellow and magenta without cyan; the ground has 63 of each, so strokes stand
	 * out. */
	for (unsigned x = 10; x < 140; x++)
		for (unsigned y = 100; y < 130; y++)
			red += dye(&f, PANEL_M, x, y) > 230 && dye(&f, PANEL_C, x, y) < 10;
	assert_true(red > 100);
	face_done(&f);
	/* The format makes it longer than eight digits: ink beyond where they alone would end. */
	assert_int_equal(draw(c, "", "", "20260131", "k", &f, &e), 0);
	assert_true(ink_count(&f, 100, 100, 40, 30) > 0);
	face_done(&f);
}

static void
test_photo_and_seal(void **state)
{
	struct card *c = *state;
	struct face f;
	struct err e;

	assert_int_equal(draw(c, "", "", "", "ymcko", &f, &e), 0);
	/* White above, blue (yellow 0, the others full) below. */
	assert_int_equal(dye(&f, PANEL_Y, 165, 25), 0);
	assert_int_equal(dye(&f, PANEL_C, 165, 25), 0);
	assert_int_equal(dye(&f, PANEL_Y, 165, 95), 0);
	assert_int_equal(dye(&f, PANEL_C, 165, 95), 255);
	assert_int_equal(dye(&f, PANEL_M, 165, 95), 255);
	/* Just outside is the ground. */
	assert_int_equal(dye(&f, PANEL_C, 159, 95), 127);
	assert_int_equal(dye(&f, PANEL_C, 165, 100), 127);
	assert_int_equal(dye(&f, PANEL_C, 165, 19), 127);
	/* Half red over blue: half the cyan stays, yellow comes; its lower half is clear. */
	assert_in_range(dye(&f, PANEL_C, 200, 85), 125, 130);
	assert_in_range(dye(&f, PANEL_Y, 200, 85), 125, 130);
	assert_int_equal(dye(&f, PANEL_M, 200, 85), 255);
	assert_int_equal(dye(&f, PANEL_C, 200, 110), 127);
	face_done(&f);
	c->photo[0] = 'X';
	assert_int_equal(draw(c, "", "", "", "ymcko", &f, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "record 7"));
	c->photo[0] = 'B';
}

static void
test_panels_of_the_ribbon(void **state)
{
	static const struct {
		const char *ribbon, *front, *back;
	} rows[] = {
		{"ymcko", "YMCKO", ""},
		{"ymckok", "YMCKO", "K"},
		{"ko", "KO", ""},
		{"k", "K", "K"},
		{"ymckou", "YMCKOU", ""},
	};
	struct card *c = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int side = 0; side < SIDE_COUNT; side++) {
			const char *want = side == SIDE_FRONT ? rows[i].front : rows[i].back;
			struct face f;
			struct err e = {0};
			c->values[0] = c->values[2] = (char *)(uintptr_t) "";
			c->values[1] = (char *)(uintptr_t) "王芳";
			assert_int_equal(
				face_render(c->renderer, &c->record, c->photo, c->photo_len,
					(enum side)side, ribbon_find(rows[i].ribbon), &f, &e),
				0);
			for (int p = 0; p < PANEL_COUNT; p++)
				assert_int_equal(f.plane[p].fill != PLANE_ABSENT,
					strchr(want, panel_letters[p]) != NULL);
			if (side == SIDE_BACK && want[0])
				assert_true(ink_count(&f, 10, 10, 200, 40) > 100);
			face_done(&f);
		}
}

static void
test_black_only_photo(void **state)
{
	struct card *c = *state;
	struct face f;
	struct err e;

	assert_int_equal(draw(c, "", "", "", "k", &f, &e), 0);
	/* White stays empty, blue becomes mostly black, and a light ground drops out. */
	assert_int_equal(ink_count(&f, 160, 20, 64, 35), 0);
	assert_true(ink_count(&f, 160, 64, 20, 36) > 20 * 36 / 2);
	assert_int_equal(ink_count(&f, 0, 0, 150, H), 0);
	face_done(&f);
}

static void
test_half_panel(void **state)
{
	struct card *c = *state;
	struct face f;
	struct err e = {0};
	const struct ribbon half = {"half", "YMCKO", "", 220}, narrow = {"narrow", "YMCKO", "", 60};

	c->values[0] = c->values[1] = c->values[2] = (char *)(uintptr_t) "";
	assert_int_equal(face_render(c->renderer, &c->record, c->photo, c->photo_len, SIDE_FRONT,
				 &half, &f, &e),
		0);
	/* The boxes reach from line 10 to 224: the window is [7, 227). */
	assert_int_equal(dye(&f, PANEL_Y, 6, 5), 0);
	assert_int_equal(dye(&f, PANEL_Y, 7, 5), 63);
	assert_int_equal(dye(&f, PANEL_Y, 226, 5), 127);
	assert_int_equal(dye(&f, PANEL_Y, 227, 5), 0);
	face_done(&f);
	assert_int_equal(face_render(c->renderer, &c->record, c->photo, c->photo_len, SIDE_FRONT,
				 &narrow, &f, &e),
		ERR_INPUT);
	assert_non_null(strstr(e.text, "narrow"));
}

/* Fixed colour without "only" is held by the panel or refused; black and its gray rim are neither.
 */
static void
test_half_panel_art(void **state)
{
	static const struct {
		const char *art;
		unsigned x0, x1;
		const char *refused; /* by a panel of 100 lines */
	} rows[] = {
		{"", 0, 0, NULL},
		{"<rect x='20' y='9' width='60' height='9' fill='#0000c0'/>", 20, 80, NULL},
		{"<rect x='20' y='9' width='101' height='9' fill='#c00'/>", 20, 121, "10.2 mm"},
		{"<rect x='5' y='9' width='5' height='9' fill='#ddd'/>"
		 "<rect x='230' y='99' width='5' height='9' fill='#ddd'/>",
			5, 235, "11.0 mm beyond"},
		{"<rect x='20' y='9' width='200' height='9' fill='#c00' cs:only='colour'/>", 0, 0,
			NULL},
		{"<rect x='20' y='9' width='200' height='9' fill='#c00' cs:ink='resin'/>", 0, 0,
			NULL},
		{"<rect x='20' y='9' width='200' height='9' fill='#0d5f3f'/>", 0, 0, NULL},
		{"<path d='M0 3L239 140' stroke='#000' stroke-width='5'/>", 0, 0, NULL},
		{"<rect width='240' height='144' fill='#fefefe'/>", 0, 0, NULL},
	};
	const struct ribbon half = {"half", "YMCKO", "", 100};
	struct card *c = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;
		struct template *t;
		struct renderer *r;
		struct face face;
		struct err e = {0};
		char text[1024];
		snprintf(text, sizeof text, FIXTURE_SVG("%s"), rows[i].art);
		fixture_create(&f, text, NULL);
		assert_int_equal(template_build(f.dir, NULL, &e), 0);
		assert_int_equal(template_open(&t, f.dir, &e), 0);
		assert_int_equal(renderer_create(&r, t, &e), 0);
		assert_int_equal(t->art[SIDE_FRONT].colour_x0, rows[i].x0);
		assert_int_equal(t->art[SIDE_FRONT].colour_x1, rows[i].x1);
		assert_int_equal(face_render(r, &c->record, NULL, 0, SIDE_FRONT, &half, &face, &e),
			rows[i].refused ? ERR_INPUT : 0);
		if (rows[i].refused)
			assert_non_null(strstr(e.text, rows[i].refused));
		face_done(&face);
		renderer_destroy(r);
		template_close(t);
		fixture_destroy(&f);
	}
}

/* Drawn upright: the drawing's upper edge is the card's right end, every dot is there. */
static void
test_upright(void **state)
{
	static const char body[] =
		"<svg xmlns='http://www.w3.org/2000/svg' "
		"xmlns:cs='urn:cardspool:template:1' viewBox='0 0 648 1016'>"
		"<rect x='10' y='20' width='30' height='40' fill='#ff00ff'/>"
		"<rect x='100' y='5' width='1' height='1' cs:ink='resin'/>"
		"<rect x='600' y='900' width='40' height='80' cs:overlay='none' "
		"fill='#ffffff'/>" BOX("姓名", 10, 200, 600, 60, "cs:size='48'") "</svg>";
	struct card *c = *state;
	struct fixture f;
	struct template *t;
	struct renderer *r;
	struct face face;
	struct err e = {0};

	assert_int_equal(template_card_check(c->template, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "20.3 x 12.2 mm"));
	fixture_create(&f, body, NULL);
	assert_int_equal(template_build(f.dir, NULL, &e), 0);
	assert_int_equal(template_open(&t, f.dir, &e), 0);
	assert_int_equal(template_card_check(t, &e), 0);
	assert_int_equal(renderer_create(&r, t, &e), 0);
	c->values[1] = (char *)(uintptr_t) "IIII";
	assert_int_equal(
		face_render(r, &c->record, NULL, 0, SIDE_FRONT, ribbon_find("ymcko"), &face, &e),
		0);
	const struct plane *k = &face.plane[PANEL_K], *m = &face.plane[PANEL_M],
			   *o = &face.plane[PANEL_O];
	unsigned wrong = 0, dots = 0, words = 0;
	for (unsigned line = 0; line < m->lines; line++)
		for (unsigned dot = 0; dot < m->dots; dot++) {
			unsigned x = m->dots - 1 - dot, y = m->lines - 1 - line;
			bool magenta = x >= 10 && x < 40 && y >= 20 && y < 60;
			bool bare = x >= 600 && x < 640 && y >= 900 && y < 980;
			bool ink = k->data[line * k->stride + dot / 8] >> (7 - dot % 8) & 1;
			wrong += m->data[line * m->stride + dot] != (magenta ? 255 : 0);
			wrong += (o->data[line * o->stride + dot / 8] >> (7 - dot % 8) & 1) == bare;
			words += ink && y >= 200 && y < 260;
			dots += ink && x == 100 && y == 5;
			wrong += ink && (x < 10 || x >= 610) ? 1 : 0;
		}
	assert_int_equal(m->lines, 1016);
	assert_int_equal(m->dots, 648);
	assert_int_equal(wrong, 0);
	assert_int_equal(dots, 1);
	assert_in_range(words, 200, 4000);
	face_done(&face);
	assert_int_equal(
		face_render(r, &c->record, NULL, 0, SIDE_FRONT, ribbon_find("ymckos"), &face, &e),
		ERR_INPUT);
	assert_non_null(strstr(e.text, "upright"));
	renderer_destroy(r);
	template_close(t);
	fixture_destroy(&f);
}

static void
test_same_again(void **state)
{
	struct card *c = *state;
	uint8_t first[HASH_LEN], again[HASH_LEN];
	struct face f;
	struct err e;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(draw(c, "T1", i == 1 ? "买买提艾力阿卜杜热合曼江" : "王芳",
					 "20260131", "ymcko", &f, &e),
			0);
		face_hash(i ? again : first, &f);
		face_done(&f);
	}
	assert_memory_equal(first, again, HASH_LEN);
}

static bool
bit(const struct plane *p, unsigned x, unsigned y)
{
	unsigned dot = H - 1 - y;

	return p->data[x * p->stride + dot / 8] >> (7 - dot % 8) & 1;
}

/* What lies free of the overlay, and what a record prints in fluorescent ink. */
static void
test_overlay_and_uv(void **state)
{
	static const char drawing[] = FIXTURE_SVG(
		"<rect x='200' y='0' width='40' height='30' fill='#ffffff' cs:overlay='none'/>"
		"<rect x='0' y='100' width='50' height='44' cs:ink='uv'/>" BOX("姓名", 10, 10, 100,
			40, "cs:size='32' cs:ink='uv'") BOX("证号", 10, 60, 100, 30,
			"cs:size='26' cs:overlay='none' cs:show-if='日期'") "<rect "
									    "cs:kind='photo' "
									    "cs:ink='uv' "
									    "x='160' y='40' "
									    "width='64' "
									    "height='80'/>");
	struct card *c = *state;
	struct fixture f;
	struct template *t;
	struct renderer *r;
	struct face face;
	struct err e = {0};
	static char name[] = "王", number[] = "1", date[] = "20200101", none[] = "";
	char *values[3] = {number, name, none};
	struct record record = {.number = 7, .values = values, .number_kind = none, .photo = none};

	fixture_create(&f, drawing, NULL);
	if (template_build(f.dir, NULL, &e) || template_open(&t, f.dir, &e) ||
		renderer_create(&r, t, &e))
		fail_msg("%s", e.text);
	for (int full = 0; full < 2; full++) {
		values[2] = full ? date : none;
		assert_int_equal(face_render(r, &record, c->photo, c->photo_len, SIDE_FRONT,
					 ribbon_find("ymckou"), &face, &e),
			0);
		const struct plane *o = &face.plane[PANEL_O], *uv = &face.plane[PANEL_UV];
		assert_int_equal(o->fill, PLANE_DATA);
		for (unsigned x = 0; x < W; x++)
			for (unsigned y = 0; y < H; y++) {
				bool bare = (x >= 200 && y < 30) ||
					    (full && x >= 10 && x < 110 && y >= 60 && y < 90);
				if (bit(o, x, y) == bare)
					fail_msg("overlay at %u, %u", x, y);
			}
		unsigned words = 0;
		for (unsigned x = 10; x < 110; x++)
			for (unsigned y = 10; y < 50; y++)
				words += bit(uv, x, y);
		assert_in_range(words, 100, 2000);
		assert_true(bit(uv, 20, 120));
		assert_false(bit(uv, 120, 120));
		/* The photo's upper half is white: it glows. Blue is dark. */
		assert_true(bit(uv, 190, 50));
		unsigned glow = 0;
		for (unsigned x = 160; x < 224; x++)
			for (unsigned y = 90; y < 120; y++)
				glow += bit(uv, x, y);
		assert_in_range(glow, 1, 64 * 30 / 3);
		/* Nothing of it in colour or black. */
		assert_int_equal(face.plane[PANEL_Y].fill, PLANE_BLANK);
		if (face.plane[PANEL_K].data)
			assert_int_equal(ink_count(&face, 10, 10, 100, 40), 0);
		face_done(&face);
	}
	/* A ribbon without UV leaves it out; one that has no overlay too. */
	assert_int_equal(face_render(r, &record, c->photo, c->photo_len, SIDE_FRONT,
				 ribbon_find("k"), &face, &e),
		0);
	assert_int_equal(face.plane[PANEL_UV].fill, PLANE_ABSENT);
	assert_int_equal(face.plane[PANEL_O].fill, PLANE_ABSENT);
	face_done(&face);
	renderer_destroy(r);
	template_close(t);
	fixture_destroy(&f);
}

/* The last test: from here on the process knows the template's fonts only. Thai and Arabic are in
 * other fonts. */
static void
test_few_fonts(void **state)
{
	static const char *const names[] = {"张三", "สมชาย 张", "محمد Li", "Ωmega 〇"};
	struct card *c = *state;
	struct face want[ARRAY_LEN(names)], got;
	struct err e = {0};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(draw(c, "T1", names[i], "20260101", "ymcko", &want[i], &e), 0);
	assert_string_equal(c->template->boxes[0].font_file[0] ? "named" : "", "named");
	assert_true(fonts_few(c->template));
	struct renderer *all = c->renderer;
	assert_int_equal(renderer_create_alone(&c->renderer, c->template, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(draw(c, "T1", names[i], "20260101", "ymcko", &got, &e), 0);
		for (int k = 0; k < PANEL_COUNT; k++) {
			const struct plane *a = &want[i].plane[k], *b = &got.plane[k];
			assert_int_equal(a->fill, b->fill);
			if (a->fill == PLANE_DATA)
				assert_memory_equal(a->data, b->data, a->stride * a->lines);
		}
		face_done(&got);
		face_done(&want[i]);
	}
	assert_int_equal(
		draw(c, "T1", "\xf3\xb0\x80\x80", "20260101", "ymcko", &got, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "U+F0000"));
	/* A font file that went away: all fonts, and the same card. */
	snprintf(c->template->boxes[0].font_file, TEMPLATE_FONT_FILE_MAX, "/nonexistent.ttf");
	assert_false(fonts_few(c->template));
	renderer_destroy(c->renderer);
	c->renderer = all;
}

/* Dots come to their bits wherever a box begins and ends, and what is there stays. */
static void
test_ink_to_bits(void **state)
{
	enum { DOTS = 64, LINES = 3, PITCH = 40 };
	uint8_t ink[LINES * PITCH], bits[LINES * DOTS / 8], want[LINES * DOTS / 8];
	const struct text_engine te = {.ink = ink, .pitch = PITCH};
	uint32_t noise = 3;
	(void)state;

	for (unsigned h = 1; h <= PITCH; h++)
		for (unsigned y = 0; y < 10; y++) {
			const struct box b = {
				.x = 1, .y = (uint16_t)y, .w = LINES - 1, .h = (uint16_t)h};
			struct plane p = {PLANE_DATA, 1, DOTS, LINES, DOTS / 8, bits};
			for (size_t i = 0; i < sizeof ink; i++)
				ink[i] = (uint8_t)((noise = noise * 1664525U + 1013904223U) >> 24);
			for (size_t i = 0; i < sizeof bits; i++)
				bits[i] = want[i] = (uint8_t)(i * 37 & i * 11);
			for (unsigned x = 0; x < b.w; x++)
				for (unsigned i = 0; i < h; i++) {
					unsigned dot = DOTS - y - h + i;
					want[(1 + x) * DOTS / 8 + dot / 8] |=
						(uint8_t)((ink[x * PITCH + i] >= 128)
							  << (7 - dot % 8));
				}
			text_to_bits(&te, &b, &p);
			assert_memory_equal(bits, want, sizeof bits);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ink_to_bits),
		cmocka_unit_test(test_text_is_upright),
		cmocka_unit_test(test_black_is_exact),
		cmocka_unit_test(test_fitting),
		cmocka_unit_test(test_shrunk_and_wrapped),
		cmocka_unit_test(test_unknown_character),
		cmocka_unit_test(test_coloured_date),
		cmocka_unit_test(test_photo_and_seal),
		cmocka_unit_test(test_panels_of_the_ribbon),
		cmocka_unit_test(test_black_only_photo),
		cmocka_unit_test(test_half_panel),
		cmocka_unit_test(test_half_panel_art),
		cmocka_unit_test(test_upright),
		cmocka_unit_test(test_same_again),
		cmocka_unit_test(test_overlay_and_uv),
		cmocka_unit_test(test_few_fonts),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
