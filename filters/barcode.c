/*
 * barcode.c - bar codes in their boxes: QR, Code 128, Code 39, PDF417, Data Matrix.
 *
 * Owns size and place of a symbol; the modules come from libzint. Guarantees: every module is the
 * same whole number of dots, black on bare card with the quiet zone of its standard around it,
 * wholly inside the box; what does not fit or cannot be written is an error that names record and
 * field, never the value. On failure the planes are as they were.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/face.h"

#include <stdlib.h>
#include <string.h>
#include <zint.h>

enum {
	QR_LEVEL_M = 2,      /* a seventh of the symbol may be scratched */
	PDF417_COLUMNS = 18, /* wider rows than this leave no sensible module on a card */
	ECI_UTF8 = 26
};

static const struct {
	const char *name;
	int zint, option_1;
	unsigned quiet_x, quiet_y; /* modules */
	unsigned row;              /* modules a row; 0 = as high as the box */
	bool unicode;
	const char *alphabet; /* NULL: every printable character */
} kinds[SYM_COUNT] = {
	[SYM_QR] = {"QR code", BARCODE_QRCODE, QR_LEVEL_M, 4, 4, 1, true, NULL},
	[SYM_CODE128] = {"Code 128", BARCODE_CODE128, -1, 10, 0, 0, false, NULL},
	[SYM_CODE39] = {"Code 39", BARCODE_CODE39, -1, 10, 0, 0, false,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -.$/+%"},
	[SYM_PDF417] = {"PDF417", BARCODE_PDF417, -1, 2, 2, 3, true, NULL},
	[SYM_DATAMATRIX] = {"Data Matrix", BARCODE_DATAMATRIX, -1, 2, 2, 1, true, NULL},
};

/* A symbol and where it lies, in dots of the upright card. */
struct barcode {
	struct zint_symbol *symbol;
	unsigned module, row_h;  /* dots */
	unsigned x, y, w, h;     /* with the quiet zone */
	unsigned ink_x, ink_y;   /* of the first module */
	unsigned need_w, need_h; /* at the least module */
};

static int
value_check(const struct box *b, const char *value, const char *where, struct err *e)
{
	const char *alphabet = kinds[b->symbology].alphabet;

	for (const char *p = value; *p; p++) {
		unsigned char c = (unsigned char)*p;
		bool bad = c < 0x20 || c == 0x7f || (c >= 0x80 && !kinds[b->symbology].unicode) ||
			   (alphabet && !strchr(alphabet, c));
		uint32_t cp = c;
		if (!bad)
			continue;
		utf8_next(&cp, p, strlen(p));
		return err_set(e, ERR_INPUT,
			_("%s: field %s: a %s cannot hold the character U+%04X. Change the value "
			  "or the kind of bar code."),
			where, b->field_name, kinds[b->symbology].name, (unsigned)cp);
	}
	return 0;
}

static bool
ascii_is(const char *value)
{
	for (; *value; value++)
		if ((unsigned char)*value >= 0x80)
			return false;
	return true;
}

/* Encodes with the given number of columns (PDF417; 0 = the library's choice). */
static struct zint_symbol *
symbol_create(const struct box *b, const char *value, int columns)
{
	struct zint_symbol *s = ZBarcode_Create();

	if (!s)
		return NULL;
	s->symbology = kinds[b->symbology].zint;
	s->input_mode = UNICODE_MODE;
	s->option_1 = kinds[b->symbology].option_1;
	s->option_2 = columns;
	s->eci = kinds[b->symbology].unicode && !ascii_is(value) ? ECI_UTF8 : 0;
	if (b->symbology == SYM_DATAMATRIX)
		s->option_3 = DM_SQUARE;
	if (ZBarcode_Encode(s, (const unsigned char *)value, (int)strlen(value)) < ZINT_ERROR)
		return s;
	ZBarcode_Delete(s);
	return NULL;
}

/* The largest module that lets the symbol fit; 0 when even the least does not. */
static unsigned
module_find(const struct box *b, const struct zint_symbol *s, unsigned *need_w, unsigned *need_h)
{
	unsigned row = kinds[b->symbology].row;
	unsigned wide = (unsigned)s->width + 2 * kinds[b->symbology].quiet_x;
	unsigned high = row ? (unsigned)s->rows * row + 2 * kinds[b->symbology].quiet_y : 0;
	unsigned module = b->w / wide;

	if (high && b->h / high < module)
		module = b->h / high;
	*need_w = wide * b->module;
	*need_h = high * b->module;
	return module >= b->module ? module : 0;
}

static void
symbol_place(struct barcode *c, const struct box *b)
{
	unsigned row = kinds[b->symbology].row;
	unsigned quiet_x = kinds[b->symbology].quiet_x * c->module;
	unsigned quiet_y = kinds[b->symbology].quiet_y * c->module;

	c->row_h = row ? row * c->module : b->h;
	c->w = (unsigned)c->symbol->width * c->module + 2 * quiet_x;
	c->h = (unsigned)c->symbol->rows * c->row_h + 2 * quiet_y;
	c->x = b->x + (b->align == ALIGN_LEFT            ? 0
			      : b->align == ALIGN_CENTER ? (b->w - c->w) / 2
							 : b->w - c->w);
	c->y = b->y + (b->h - c->h) / 2;
	c->ink_x = c->x + quiet_x;
	c->ink_y = c->y + quiet_y;
}

static int
barcode_build(
	struct barcode *c, const struct box *b, const char *value, const char *where, struct err *e)
{
	int last = b->symbology == SYM_PDF417 ? PDF417_COLUMNS : 0;
	int rc = value_check(b, value, where, e);

	*c = (struct barcode){0};
	if (rc)
		return rc;
	for (int columns = last ? 1 : 0; columns <= last; columns++) {
		struct zint_symbol *s = symbol_create(b, value, columns);
		unsigned need_w, need_h;
		if (!s)
			continue;
		unsigned module = module_find(b, s, &need_w, &need_h);
		if (!c->symbol && !c->need_w) {
			c->need_w = need_w;
			c->need_h = need_h;
		}
		if (module <= c->module) {
			ZBarcode_Delete(s);
			continue;
		}
		ZBarcode_Delete(c->symbol);
		c->symbol = s;
		c->module = module;
	}
	if (c->symbol) {
		symbol_place(c, b);
		return 0;
	}
	if (!c->need_w)
		return err_set(e, ERR_INPUT,
			_("%s: field %s: the value is too long for a %s. Shorten it."), where,
			b->field_name, kinds[b->symbology].name);
	return err_set(e, ERR_INPUT,
		_("%s: field %s: the %s needs %u x %u dots with modules of %u dots, its place on "
		  "the %s has %u x %u. Shorten the value or enlarge the place."),
		where, b->field_name, kinds[b->symbology].name, c->need_w,
		c->need_h ? c->need_h : b->h, b->module, _(side_names[b->side]), b->w, b->h);
}

int
barcode_check(const struct box *b, const char *value, const char *where, struct err *e)
{
	struct barcode c;
	int rc = barcode_build(&c, b, value, where, e);

	ZBarcode_Delete(c.symbol);
	return rc;
}

/* Sets or clears n bits from the given one on. */
static void
bits_fill(uint8_t *bits, unsigned first, unsigned n, bool on)
{
	for (unsigned i = first; i < first + n;) {
		if (i % 8 == 0 && first + n - i >= 8) {
			bits[i / 8] = on ? 0xff : 0;
			i += 8;
			continue;
		}
		uint8_t mask = (uint8_t)(0x80 >> i % 8);
		bits[i / 8] = on ? bits[i / 8] | mask : bits[i / 8] & (uint8_t)~mask;
		i++;
	}
}

int
barcode_draw(const struct box *b, const char *value, const char *where, struct plane *k,
	struct plane *dye, struct err *e)
{
	struct barcode c;
	int rc = barcode_build(&c, b, value, where, e);

	if (rc)
		return rc;
	/* Artwork row y is dot k->dots - 1 - y of every line. */
	for (unsigned line = c.x; line < c.x + c.w; line++) {
		unsigned first = k->dots - c.y - c.h;
		bits_fill(k->data + line * k->stride, first, c.h, false);
		for (int i = PANEL_Y; dye && i <= PANEL_C; i++)
			memset(dye[i].data + line * dye[i].stride + first, 0, c.h);
	}
	for (unsigned column = 0; column < (unsigned)c.symbol->width; column++)
		for (unsigned row = 0; row < (unsigned)c.symbol->rows; row++) {
			if (!(c.symbol->encoded_data[row][column / 8] >> column % 8 & 1))
				continue;
			unsigned first = k->dots - c.ink_y - (row + 1) * c.row_h;
			for (unsigned i = 0; i < c.module; i++)
				bits_fill(k->data + (c.ink_x + column * c.module + i) * k->stride,
					first, c.row_h, true);
		}
	ZBarcode_Delete(c.symbol);
	return 0;
}
