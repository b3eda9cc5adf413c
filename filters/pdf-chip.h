/*
 * pdf-chip.h - what an escape ~C says, for pdf-chip.c, pdf-orders.c and the filter.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_PDF_CHIP_H
#define CARDSPOOL_PDF_CHIP_H

#include "filters/card.h"

/* ---- orders (pdf-orders.c) ---- */

/* The batches in a folder, read when the first number is asked for. Both names must outlive it. */
struct pdf_orders;
struct pdf_orders *pdf_orders_create(const char *templates, const char *folder);
void pdf_orders_destroy(struct pdf_orders *o);
/* As pdf_chip_fill, from the record that has this number. */
int pdf_orders_fill(
	struct pdf_orders *o, struct stream_card *card, const char *number, struct err *e);

/* ---- the escape's text (pdf-chip.c) ---- */

/* Opens a template of the folder that fills a chip or a tag. name may be NULL or anything. */
int pdf_template_find(struct template **out, const char *folder, const char *name, struct err *e);
/*
 * Fills the card's chip, record hash and masked words from an escape's text: fields for template
 * (may be NULL; the first field may be template=NAME), or a number that one of the orders has.
 * ERR_INPUT, ERR_MISSING; messages do not quote the text.
 */
int pdf_chip_fill(struct stream_card *card, const char *text, const char *template,
	const char *templates, struct pdf_orders *orders, struct err *e);

#endif
