/*
 * face-text.c - one line or paragraph of text in its box.
 *
 * Owns fonts, fitting and the check that every character has a glyph. Guarantees: text stands
 * upright, wholly inside its box and with every character, or there is an error that names record
 * and field. The coverage is drawn directly in feed orientation, so that it meets the dots of the
 * head exactly.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/face.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

/* What fontconfig keeps until the process ends is not ours to free. */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libfontconfig\nleak:libpangoft2\n";
}

const char *
__lsan_default_options(void)
{
	return "print_suppressions=0";
}
#endif

/* Of a Han character's em box, above the baseline; and the distance of lines, in em. */
static const double em_ascent = 0.88, line_pitch = 1.22;
/* How much smaller the next attempt is. */
static const double shrink_step = 0.97;

/* With fallback off the box's own font draws everything it has; on, any font may help out. */
static void
layout_fallback(PangoLayout *layout, bool on)
{
	PangoAttrList *attributes = pango_attr_list_new();

	pango_attr_list_insert(attributes, pango_attr_fallback_new(on));
	pango_layout_set_attributes(layout, attributes);
	pango_attr_list_unref(attributes);
}

static PangoLayout *
layout_create(PangoContext *context, const struct box *b)
{
	PangoLayout *layout = pango_layout_new(context);
	PangoFontDescription *font = pango_font_description_from_string(b->font);

	pango_layout_set_font_description(layout, font);
	pango_font_description_free(font);
	pango_layout_set_single_paragraph_mode(layout, TRUE);
	/* Arabic or Hebrew first: the whole line runs from the right. */
	pango_layout_set_auto_dir(layout, TRUE);
	pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
	layout_fallback(layout, false);
	return layout;
}

/* Takes the reference to the map. */
static int
text_fonts_init(struct text_fonts *f, const struct template *t, PangoFontMap *map, struct err *e)
{
	/* Artwork turned clockwise; must agree with the matrix in lines_draw(). */
	const PangoMatrix turn = {.xx = 0, .xy = -1, .yx = 1, .yy = 0};

	f->map = map;
	f->layouts = calloc(t->n_boxes ? t->n_boxes : 1, sizeof *f->layouts);
	if (!f->layouts)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	f->context = pango_font_map_create_context(f->map);
	cairo_font_options_t *options = cairo_font_options_create();
	cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
	cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
	cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
	pango_cairo_context_set_font_options(f->context, options);
	cairo_font_options_destroy(options);
	pango_cairo_context_set_resolution(f->context, 72);
	pango_context_set_language(f->context, pango_language_from_string("zh-cn"));
	pango_context_set_base_dir(f->context, PANGO_DIRECTION_LTR);
	pango_context_set_matrix(f->context, &turn);
	for (size_t i = 0; i < t->n_boxes; i++)
		if (t->boxes[i].kind == BOX_TEXT)
			f->layouts[i] = layout_create(f->context, &t->boxes[i]);
	return 0;
}

static void
text_fonts_done(struct text_fonts *f, size_t n)
{
	for (size_t i = 0; f->layouts && i < n; i++)
		g_clear_object(&f->layouts[i]);
	g_clear_object(&f->context);
	g_clear_object(&f->map);
	free(f->layouts);
	*f = (struct text_fonts){0};
}

int
text_engine_init(struct text_engine *te, const struct template *t, bool few, struct err *e)
{
	*te = (struct text_engine){.n = t->n_boxes, .few = few};
	for (size_t i = 0; i < t->n_boxes; i++) {
		size_t pitch =
			(size_t)cairo_format_stride_for_width(CAIRO_FORMAT_A8, (int)t->boxes[i].h);
		size_t need = pitch * t->boxes[i].w;
		te->ink_max = need > te->ink_max ? need : te->ink_max;
	}
	te->ink = malloc(te->ink_max ? te->ink_max : 1);
	if (!te->ink)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	return text_fonts_init(&te->own, t, pango_cairo_font_map_new(), e);
}

void
text_engine_done(struct text_engine *te)
{
	text_fonts_done(&te->own, te->n);
	text_fonts_done(&te->all, te->n);
	free(te->ink);
	*te = (struct text_engine){0};
}

/* "YYYY-MM-DD" and the like, filled from an eight-digit date; any other value stays as it is. */
static void
value_format(char *out, size_t max, const char *format, const char *value)
{
	size_t n = 0;

	if (!format[0] || strlen(value) != 8 || strspn(value, "0123456789") != 8) {
		snprintf(out, max, "%s", value);
		return;
	}
	for (const char *p = format; *p && n + 5 < max;) {
		size_t from, len = !strncmp(p, "YYYY", 4)                         ? 4
				   : !strncmp(p, "MM", 2) || !strncmp(p, "DD", 2) ? 2
										  : 0;
		if (!len) {
			out[n++] = *p++;
			continue;
		}
		from = *p == 'Y' ? 0 : *p == 'M' ? 4 : 6;
		memcpy(out + n, value + from, len);
		n += len;
		p += len;
	}
	out[n] = '\0';
}

static void
layout_size(PangoLayout *layout, double size, int width)
{
	PangoFontDescription *font =
		pango_font_description_copy(pango_layout_get_font_description(layout));

	pango_font_description_set_absolute_size(font, size * PANGO_SCALE);
	pango_layout_set_font_description(layout, font);
	pango_font_description_free(font);
	pango_layout_set_width(layout, width < 0 ? -1 : width * PANGO_SCALE);
}

/* Where line i of n stands: the em boxes together are centred in the box. */
static double
baseline(const struct box *b, double size, int i, int n)
{
	double pitch = line_pitch * size, height = (n - 1) * pitch + size;

	return (b->h - height) / 2 + em_ascent * size + i * pitch;
}

static double
line_left(const struct box *b, const PangoRectangle *ink, const PangoRectangle *logical)
{
	double room = b->w - (double)logical->width / PANGO_SCALE;
	double left = b->align == ALIGN_LEFT ? 0 : b->align == ALIGN_CENTER ? room / 2 : room;
	double first = left + (double)ink->x / PANGO_SCALE;

	/* A glyph may begin before its own origin. */
	return first < 0 ? left - first : left;
}

/* True when the layout as it stands lies wholly inside the box. */
static bool
lines_fit(PangoLayout *layout, const struct box *b, double size)
{
	int n = pango_layout_get_line_count(layout);

	if (n > b->lines)
		return false;
	for (int i = 0; i < n; i++) {
		PangoRectangle ink, logical;
		PangoLayoutLine *line = pango_layout_get_line_readonly(layout, i);
		pango_layout_line_get_extents(line, &ink, &logical);
		double base = baseline(b, size, i, n), left = line_left(b, &ink, &logical);
		double top = base + (double)ink.y / PANGO_SCALE;
		double right = left + (double)(ink.x + ink.width) / PANGO_SCALE;
		if (logical.width > (int)b->w * PANGO_SCALE || right > b->w || top < 0 ||
			top + (double)ink.height / PANGO_SCALE > b->h)
			return false;
	}
	return true;
}

/* The largest size from the box's size down to its min size that fits; 0 = none. */
static double
size_find(PangoLayout *layout, const struct box *b, bool wrapped)
{
	double size = (double)b->size / TEMPLATE_SIZE_UNIT;
	double least = (double)b->min_size / TEMPLATE_SIZE_UNIT;

	for (;;) {
		layout_size(layout, size, wrapped ? (int)b->w : -1);
		if (lines_fit(layout, b, size))
			return size;
		if (size <= least)
			return 0;
		double next = size * shrink_step;
		if (!wrapped) {
			PangoRectangle logical;
			pango_layout_get_extents(layout, NULL, &logical);
			double width = (double)logical.width / PANGO_SCALE;
			if (width > b->w && size * b->w / width < next)
				next = size * b->w / width;
		}
		size = next < least ? least : next;
	}
}

static bool
runs_at_most_one(const PangoLayoutLine *line)
{
	return !line->runs || !line->runs->next;
}

static void
lines_draw(const struct text_engine *te, PangoLayout *layout, const struct box *b, double size)
{
	cairo_surface_t *surface = cairo_image_surface_create_for_data(
		te->ink, CAIRO_FORMAT_A8, (int)b->h, (int)b->w, (int)te->pitch);
	cairo_t *cr = cairo_create(surface);
	/* Artwork (x, y) of the box becomes dot h - y of line x. */
	const cairo_matrix_t turn = {.xx = 0, .yx = 1, .xy = -1, .yy = 0, .x0 = b->h, .y0 = 0};
	int n = pango_layout_get_line_count(layout);

	cairo_set_matrix(cr, &turn);
	/* Cairo joins the glyphs of a run before they meet the ground. So one run on clear ground
	 * gives the same bytes added as laid over, and adding is several times quicker. */
	if (n == 1 && runs_at_most_one(pango_layout_get_line_readonly(layout, 0)))
		cairo_set_operator(cr, CAIRO_OPERATOR_ADD);
	for (int i = 0; i < n; i++) {
		PangoRectangle ink, logical;
		PangoLayoutLine *line = pango_layout_get_line_readonly(layout, i);
		pango_layout_line_get_extents(line, &ink, &logical);
		cairo_move_to(
			cr, round(line_left(b, &ink, &logical)), round(baseline(b, size, i, n)));
		pango_cairo_show_layout_line(cr, line);
	}
	cairo_destroy(cr);
	cairo_surface_destroy(surface);
}

/* The first character that no font has; 0 if there is none. */
static uint32_t
unknown_find(PangoLayout *layout)
{
	uint32_t found = 0;
	PangoLayoutIter *iter = pango_layout_get_iter(layout);

	do {
		PangoLayoutRun *run = pango_layout_iter_get_run_readonly(iter);
		for (int i = 0; run && !found && i < run->glyphs->num_glyphs; i++) {
			PangoGlyph glyph = run->glyphs->glyphs[i].glyph;
			if (glyph & PANGO_GLYPH_UNKNOWN_FLAG && glyph != PANGO_GLYPH_EMPTY)
				found = glyph & ~(uint32_t)PANGO_GLYPH_UNKNOWN_FLAG;
		}
	} while (!found && pango_layout_iter_next_run(iter));
	pango_layout_iter_free(iter);
	return found;
}

/* Leaves the layout at the size it is drawn with, through *fit. */
static int
text_fit(PangoLayout *layout, const struct box *b, const char *where, double *fit, struct err *e)
{
	double size = size_find(layout, b, false);

	if (size <= 0 && b->fit == FIT_WRAP)
		size = size_find(layout, b, true);
	if (pango_layout_get_unknown_glyphs_count(layout)) {
		uint32_t c = unknown_find(layout);
		return err_set(e, ERR_INPUT,
			_("%s: field %s: no installed font has the character U+%04X. "
			  "Install a font that has it, or change the text."),
			where, b->field_name, c);
	}
	if (size <= 0)
		return err_set(e, ERR_INPUT,
			_("%s: field %s: the text is too long for its place on the %s of the card. "
			  "Shorten it."),
			where, b->field_name, _(side_names[b->side]));
	*fit = size;
	return 0;
}

/* The box's layout under every font there is. */
static int
rare_layout(struct text_engine *te, const struct template *t, size_t box, PangoLayout **layout,
	struct err *e)
{
	int rc = te->few && !te->all.map ? text_fonts_init(&te->all, t, fonts_all(), e) : 0;

	if (!rc)
		*layout = te->few ? te->all.layouts[box] : te->own.layouts[box];
	return rc;
}

static int
text_set(struct text_engine *te, const struct template *t, size_t box, const char *value,
	const char *where, bool draw, struct err *e)
{
	const struct box *b = &t->boxes[box];
	PangoLayout *layout = te->own.layouts[box];
	char text[1024];
	double size = 0;

	if (!value[0])
		return 0;
	if (strlen(value) >= sizeof text || !g_utf8_validate(value, -1, NULL))
		return err_set(
			e, ERR_INPUT, _("%s: field %s: is not valid text."), where, b->field_name);
	value_format(text, sizeof text, b->format, value);
	/* At the size that is tried first, or all is laid out once more, with other fonts. */
	layout_size(layout, (double)b->size / TEMPLATE_SIZE_UNIT, -1);
	pango_layout_set_text(layout, text, -1);
	bool rare = pango_layout_get_unknown_glyphs_count(layout) > 0;
	int rc = rare ? rare_layout(te, t, box, &layout, e) : 0;
	if (rc)
		return rc;
	if (rare) {
		layout_fallback(layout, true);
		pango_layout_set_text(layout, text, -1);
	}
	rc = text_fit(layout, b, where, &size, e);
	if (!rc && draw)
		lines_draw(te, layout, b, size);
	if (rare)
		layout_fallback(layout, false);
	return rc;
}

int
text_draw(struct text_engine *te, const struct template *t, size_t box, const char *value,
	const char *where, struct err *e)
{
	const struct box *b = &t->boxes[box];

	te->pitch = (size_t)cairo_format_stride_for_width(CAIRO_FORMAT_A8, (int)b->h);
	memset(te->ink, 0, te->pitch * b->w);
	return text_set(te, t, box, value, where, true, e);
}

int
text_check(struct text_engine *te, const struct template *t, size_t box, const char *value,
	const char *where, struct err *e)
{
	return text_set(te, t, box, value, where, false, e);
}
