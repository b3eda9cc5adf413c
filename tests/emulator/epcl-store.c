/*
 * epcl-store.c - downloads into the image buffers, stored settings, and what the printer tells of
 * itself.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/epcl.h"

#include <stdlib.h>
#include <string.h>

#define PASSES_PER_CLEANING 5
#define PASSES_ALERT        5000ul

static bool
on_varnish(const struct epcl_call *c)
{
	return c->verb->name[0] == 'v';
}

/* Bitmap and drawing commands have a twin with v for the varnish. */
static enum epcl_buffer
mono_buffer(const struct epcl_call *c)
{
	return on_varnish(c) && c->e->extended_memory ? B_V : B_K;
}

/* ---- buffers ---- */

static int
run_clear(struct epcl_call *c)
{
	static const enum epcl_buffer colours[] = {B_Y, B_M, B_C, B_KS};
	struct epcl_raster *r = &c->e->raster;
	if (c->verb->name[0] != '$') {
		raster_clear(r, mono_buffer(c));
		return 0;
	}
	for (size_t i = 0; i < EMU_LEN(colours); i++)
		if (!c->count || c->n[0] == (long)i)
			raster_clear(r, colours[i]);
	return 0;
}

static enum epcl_buffer
colour_buffer(const struct epcl *e, long plane)
{
	static const enum epcl_buffer buffers[] = {B_Y, B_M, B_C, B_KS};
	return e->extended_memory ? buffers[plane] : B_Y;
}

static void
clipped_tell(struct epcl *e, const char *text)
{
	if (e->raster.clipped)
		epcl_strict(e, "cut at the edge of the buffer", text);
	e->raster.clipped = false;
}

static int
run_gs(struct epcl_call *c)
{
	struct epcl *e = c->e;
	const struct epcl_parser *p = &e->parser;
	if (c->n[0] < 0 || c->n[0] > 3 || (c->n[1] != 30 && c->n[1] != 32))
		return CODE_PARAMETER;
	if (!p->data)
		return CODE_GRAPHIC;
	const long whole[4] = {0, 0, (long)p->plane_lines, (long)p->plane_dots};
	const long part[4] = {c->n[2], c->n[3], c->n[4], c->n[5]};
	int code = raster_colour(&e->raster, colour_buffer(e, c->n[0]),
		c->count == 6 ? part : whole, (unsigned)c->n[1], p->data, p->have);
	clipped_tell(e, c->text);
	return code;
}

static int
run_g(struct epcl_call *c)
{
	return raster_declare(&c->e->raster, on_varnish(c), c->n);
}

static int
run_z(struct epcl_call *c)
{
	struct epcl *e = c->e;
	const struct epcl_area *a = &e->parser.area[on_varnish(c)];
	if (!e->parser.data || !a->line_bytes)
		return CODE_GRAPHIC_START;
	e->raster.target[on_varnish(c)].next_line = 0;
	int code = 0;
	for (size_t line = 0; line < a->lines && !code; line++)
		code = raster_line(
			&e->raster, on_varnish(c), e->parser.data + line * a->line_bytes);
	clipped_tell(e, c->text);
	return code;
}

static int
run_o(struct epcl_call *c)
{
	struct epcl *e = c->e;
	const struct epcl_area *a = &e->parser.area[on_varnish(c)];
	uint8_t line[EPCL_SIDE_MAX];
	if (!a->line_bytes)
		return CODE_GRAPHIC_START;
	int code = epcl_line_expand(line, a->line_bytes, (const uint8_t *)c->rest, c->rest_len,
		a->mode & 2, a->mode & 1);
	if (!code)
		code = raster_line(&e->raster, on_varnish(c), line);
	clipped_tell(e, c->text);
	return code;
}

/* ---- drawing ---- */

static int
run_draw(struct epcl_call *c)
{
	struct epcl_raster *r = &c->e->raster;
	enum epcl_buffer b = mono_buffer(c);
	int code, value = c->n[c->count - 1] ? 255 : 0;
	switch (c->verb->name[on_varnish(c)]) {
	case 'L':
		code = raster_box(r, b, c->n, 0, value);
		break;
	case 'C':
		code = c->n[4] < 1 ? CODE_PARAMETER : raster_box(r, b, c->n, c->n[4], value);
		break;
	case 'D':
		code = raster_diagonal(r, b, c->n, 255);
		break;
	default:
		code = raster_dot(r, b, c->n[0], c->n[1], c->count > 2 ? value : 255);
	}
	clipped_tell(c->e, c->text);
	return code;
}

static int
run_text(struct epcl_call *c)
{
	int code = raster_text(&c->e->raster, mono_buffer(c), c->n, c->rest);
	clipped_tell(c->e, c->text);
	return code;
}

/* Checked and not drawn. */
static int
run_barcode(struct epcl_call *c)
{
	static const long types[] = {0, 1, 2, 3, 4, 5, 7, 8};
	long type = c->n[3] >= 100 ? c->n[3] - 100 : c->n[3];
	bool known = false;
	for (size_t i = 0; i < EMU_LEN(types); i++)
		known = known || types[i] == type;
	if (!known || c->n[3] > 108)
		return CODE_BARCODE;
	if (!*c->rest)
		return CODE_BARCODE_DATA;
	emu_log(c->e->printer->emu, "note: bar codes are not drawn");
	return 0;
}

/* ---- settings ---- */

/* The last number is the value, those before it belong to the name. */
static int
run_set(struct epcl_call *c)
{
	char key[32];
	size_t at = (size_t)snprintf(key, sizeof key, "%s", c->verb->name);
	for (unsigned i = 0; i + 1 < c->count; i++)
		at += (size_t)snprintf(key + at, sizeof key - at, " %ld", c->n[i]);
	json_object_set_new(c->e->settings, key, json_integer(c->count ? c->n[c->count - 1] : 1));
	return 0;
}

static int
run_accept(struct epcl_call *c)
{
	(void)c;
	return 0;
}

/* "+Xc" adds an initiator, a value below 20 takes it away and says so with NACK 10. */
static int
run_initiator(struct epcl_call *c)
{
	uint8_t byte = (uint8_t)c->rest[0];
	if (byte < 0x21) {
		c->e->parser.alternate = -1;
		c->passing = true;
		return CODE_PARAMETER;
	}
	c->e->parser.alternate = byte;
	return 0;
}

static int
run_initiator_tell(struct epcl_call *c)
{
	int alternate = c->e->parser.alternate;
	const char text[2] = {(char)(alternate < 0 ? 0 : alternate), 0};
	epcl_say(c, text);
	return 0;
}

/* ---- reports ---- */

static int
run_version(struct epcl_call *c)
{
	const struct printer *p = c->e->printer;
	const struct epcl_model *m = p->model->epcl;
	char text[64];
	if (!c->count) {
		snprintf(text, sizeof text, "%s %s", p->model->title, p->model->firmware);
		epcl_say(c, text);
		return 0;
	}
	for (size_t i = 0; m->configs[i]; i++)
		if (m->configs[i] == c->n[0])
			return 0;
	c->passing = true;
	return CODE_PARAMETER;
}

static int
run_cleaning_report(struct epcl_call *c)
{
	const struct epcl *e = c->e;
	unsigned long since = e->panels - e->cleaned_at;
	unsigned long left = since < PASSES_ALERT ? PASSES_ALERT - since : 0;
	char text[80];
	snprintf(text, sizeof text, "Cpt imp:%08lu next clean Prn:%08lu nb pass:%d",
		e->printer->life_panels, printer_cleaning_due(e->printer) ? 0 : left,
		PASSES_PER_CLEANING);
	epcl_say(c, text);
	return 0;
}

static int
run_cleaning(struct epcl_call *c)
{
	struct printer *p = c->e->printer;
	if (p->inside)
		return CODE_SEQUENCE;
	p->cleanings++;
	p->since_cleaning = 0;
	p->faults.cleaning_due = false;
	c->e->cleaned_at = c->e->panels;
	return 0;
}

const struct epcl_verb epcl_store_verbs[] = {
	{"F", 0, 0, 0, 0, REST_NONE, run_clear},
	{"vF", 0, 0, 0, 0, REST_NONE, run_clear},
	{"$F", 0, 1, 0, 3, REST_NONE, run_clear},
	{"GS", 6, 6, 0, 0, REST_NONE, run_gs},
	{"PS", 2, 2, 0, 0, REST_NONE, run_gs},
	{"G", 6, 6, 0, 0, REST_NONE, run_g},
	{"vG", 6, 6, 0, 0, REST_NONE, run_g},
	{"Z", 0, 0, 0, 0, REST_NONE, run_z},
	{"vZ", 0, 0, 0, 0, REST_NONE, run_z},
	{"O", 0, 0, 0, 0, REST_TEXT, run_o},
	{"vO", 0, 0, 0, 0, REST_TEXT, run_o},
	{"L", 5, 5, 0, 0, REST_NONE, run_draw},
	{"vL", 5, 5, 0, 0, REST_NONE, run_draw},
	{"C", 6, 6, 0, 0, REST_NONE, run_draw},
	{"vC", 6, 6, 0, 0, REST_NONE, run_draw},
	{"D", 4, 6, 0, 0, REST_NONE, run_draw},
	{"vD", 4, 6, 0, 0, REST_NONE, run_draw},
	{"P", 2, 3, 0, 0, REST_NONE, run_draw},
	{"vP", 2, 3, 0, 0, REST_NONE, run_draw},
	{"T", 7, 7, 0, 0, REST_TEXT, run_text},
	{"vT", 7, 7, 0, 0, REST_TEXT, run_text},
	{"B", 8, 8, 0, 0, REST_TEXT, run_barcode},
	{"vB", 8, 8, 0, 0, REST_TEXT, run_barcode},
	{"+RIB", 1, 1, 0, 99, REST_NONE, run_set},
	{"+C", 1, 1, 0, 31, REST_NONE, run_set},
	{"+$C", 2, 2, 0, 31, REST_NONE, run_set},
	{"+$L", 2, 2, 0, 31, REST_NONE, run_set},
	{"+CV", 1, 1, 0, 31, REST_NONE, run_set},
	{"+CH", 1, 1, 0, 31, REST_NONE, run_set},
	{"+EC", 1, 1, 0, 24, REST_NONE, run_set},
	{"+B", 1, 1, 0, 0, REST_NONE, run_set},
	{"SXY", 1, 1, 0, 0, REST_NONE, run_set},
	{"!R", 1, 1, 0, 9999, REST_NONE, run_set},
	{"!SA", 0, 0, 0, 0, REST_NONE, run_accept},
	{"!X", 0, 0, 0, 0, REST_NONE, run_initiator_tell},
	{"+X", 0, 0, 0, 0, REST_TEXT, run_initiator},
	{"V", 0, 1, 0, 999, REST_NONE, run_version},
	{"%CLN", 0, 0, 0, 0, REST_NONE, run_cleaning_report},
	{"CLNCARD", 0, 0, 0, 0, REST_NONE, run_cleaning},
};
const size_t n_epcl_store_verbs = EMU_LEN(epcl_store_verbs);
