/*
 * pdf-place.h - where a page of a PDF lies on the card, for what draws it (pdf-page.c) only.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_PDF_PLACE_H
#define CARDSPOOL_PDF_PLACE_H

#include "filters/pdf.h"

#include <poppler.h>

/* Where the page lies on the artwork. */
struct pdf_place {
	cairo_matrix_t matrix; /* page points to dots */
	struct pdf_rect page;  /* dots that the page surely covers whole */
	bool bleed;            /* the edge is carried on to the end of the artwork */
};

/* ERR_INPUT: the page has no card's size, and the look does not allow another. */
int pdf_place_find(
	struct pdf_place *p, PopplerPage *page, const struct pdf_look *look, struct err *e);
/* Carries the outermost whole dots of the page on to the edge of the artwork, w x h words. */
void pdf_edge_carry(uint32_t *pixels, unsigned w, unsigned h, const struct pdf_rect *page);

#endif
