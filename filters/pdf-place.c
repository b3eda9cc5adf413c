/*
 * pdf-place.c - where a page of a PDF lies on the card.
 *
 * Owns the sizes that pass for a card, turning, and the edge. Guarantees: one dot is 1/300 inch of
 * a page that has a card's size, on whole dots, and no white edge remains. On failure the message
 * says the page's size and how it can be printed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/pdf-place.h"

#include <math.h>
#include <string.h>

/* A card as programs write it: 85.5 to 86 mm x 54 to 54.9 mm, the PPD's 244 x 156 pt, and rounding.
 */
static const double page_w_min = 84.9, page_w_max = 86.7, page_h_min = 53.2, page_h_max = 55.6;
static const double mm_per_pt = 25.4 / 72;
enum { PAGE_MM_MAX = 20000 };

static bool
card_sized(double w_mm, double h_mm)
{
	return w_mm >= page_w_min && w_mm <= page_w_max && h_mm >= page_h_min && h_mm <= page_h_max;
}

/* Maps the page, w x h points and turned as it is, on (x, y) of the artwork; nw x nh dots. */
static void
matrix_set(
	struct pdf_place *p, bool portrait, bool turned, double scale, int x, int y, int nw, int nh)
{
	cairo_matrix_t *m = &p->matrix;

	if (!portrait && !turned)
		cairo_matrix_init(m, scale, 0, 0, scale, x, y);
	else if (!portrait)
		cairo_matrix_init(m, -scale, 0, 0, -scale, x + nw, y + nh);
	else if (!turned) /* clockwise, as CUPS turns the other way for its portrait cards */
		cairo_matrix_init(m, 0, scale, -scale, 0, x + nw, y);
	else
		cairo_matrix_init(m, 0, -scale, scale, 0, x, y + nh);
}

/*
 * Where the whole dots of a page begin and end. Programs cut what they draw at their own unit, a
 * fraction of a dot inside the page, so the outermost dots of a page that ends on the artwork are
 * half paper.
 */
static int
edge_low(int at)
{
	return at > 0 ? at + 1 : 0;
}

static int
edge_high(int at, unsigned end)
{
	return at < (int)end ? at - 1 : (int)end;
}

int
pdf_place_find(struct pdf_place *p, PopplerPage *page, const struct pdf_look *look, struct err *e)
{
	double w, h;

	poppler_page_get_size(page, &w, &h);
	bool portrait = h > w;
	double w_mm = (portrait ? h : w) * mm_per_pt, h_mm = (portrait ? w : h) * mm_per_pt;
	double scale = look->dpi / 72.0;
	if (!(w_mm > 1 && h_mm > 1 && w_mm < PAGE_MM_MAX))
		return err_set(e, ERR_INPUT, _("it has no size that can be printed"));
	double long_dots = w_mm / mm_per_pt * scale, short_dots = h_mm / mm_per_pt * scale;
	bool fits = long_dots <= look->width + 1 && short_dots <= look->height + 1;
	if (look->scaling == PDF_FIT && !card_sized(w_mm, h_mm)) {
		double fit = fmin(look->width / long_dots, look->height / short_dots);
		scale *= fit;
		long_dots *= fit;
		short_dots *= fit;
	} else if (!card_sized(w_mm, h_mm) && !(look->scaling == PDF_NONE && fits)) {
		return err_set(e, ERR_INPUT,
			_("it is %.1f x %.1f mm; a card is 85.6 x 54 mm. Set the page size CR80 in "
			  "the "
			  "program, or print with print-scaling=fit"),
			w * mm_per_pt, h * mm_per_pt);
	}
	int nw = (int)floor(long_dots + 0.05), nh = (int)floor(short_dots + 0.05);
	int x = (int)floor(((int)look->width - nw) / 2.0),
	    y = (int)floor(((int)look->height - nh) / 2.0);
	matrix_set(p, portrait, look->turned, scale, x, y, nw, nh);
	p->page = (struct pdf_rect){edge_low(x), edge_low(y), edge_high(x + nw, look->width),
		edge_high(y + nh, look->height)};
	p->bleed = look->scaling != PDF_NONE && card_sized(w_mm, h_mm);
	return 0;
}

void
pdf_edge_carry(uint32_t *pixels, unsigned w, unsigned h, const struct pdf_rect *page)
{
	for (int y = page->y0; y < page->y1; y++) {
		uint32_t *row = pixels + (size_t)y * w;
		for (int x = 0; x < page->x0; x++)
			row[x] = row[page->x0];
		for (int x = page->x1; x < (int)w; x++)
			row[x] = row[page->x1 - 1];
	}
	for (int y = 0; y < page->y0; y++)
		memcpy(pixels + (size_t)y * w, pixels + (size_t)page->y0 * w, 4 * (size_t)w);
	for (int y = page->y1; y < (int)h; y++)
		memcpy(pixels + (size_t)y * w, pixels + (size_t)(page->y1 - 1) * w, 4 * (size_t)w);
}
