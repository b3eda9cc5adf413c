/*
 * label-sheet.h - sheets of labels as a PDF for an ordinary printer.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_LABEL_SHEET_H
#define CARDSPOOL_LABEL_SHEET_H

#include "filters/card.h"

struct label_sheet {
	unsigned count; /* labels; 0 = one full page */
	unsigned skip;  /* places at the start of the first page that are used up already */
	unsigned pages; /* out */
	unsigned per_page;
};
/* Appends a PDF of A4 pages with dir/front.svg in its own size, side by side. */
int label_sheet_build(struct buf *pdf, const char *dir, struct label_sheet *sheet, struct err *e);

#endif
