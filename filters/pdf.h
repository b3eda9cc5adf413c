/*
 * pdf.h - pages of a PDF as faces of a card, for its files.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_PDF_H
#define CARDSPOOL_PDF_H

#include "filters/escape.h"
#include "filters/look.h"

enum pdf_scaling { PDF_FILL, PDF_FIT, PDF_NONE };
/* What goes to resin beside dye: black text and lines, all that is black, nothing, all dark gray,
 * or every gray as dots. */
enum pdf_black { BLACK_TEXT, BLACK_ALL, BLACK_NO, BLACK_DARK, BLACK_GRAY };
enum pdf_halftone {
	HALFTONE_FLOYD,
	HALFTONE_THRESHOLD,
	HALFTONE_ORDERED,
	HALFTONE_CLUSTERED,
	HALFTONE_COUNT
};

/* What is wanted of a page. */
struct pdf_look {
	unsigned width, height, dpi; /* of the head, landscape */
	enum pdf_scaling scaling;
	enum pdf_black black;
	enum pdf_halftone halftone;
	const struct ribbon *ribbon;
	const struct print_look *print; /* NULL: all 0; filled before the jail opens, its memory
					   is the child's too */
	enum side side;
	bool turned; /* by 180 degrees: the back of a card that is turned over upwards */
};

struct pdf_rect {
	int x0, y0, x1, y1; /* dots of the artwork, x1 and y1 excluded */
};

/* A page in dots, upright landscape artwork, words 0xXXRRGGBB, w a row. */
struct pdf_picture {
	unsigned w, h;
	uint32_t *smooth; /* edges blended */
	uint32_t *crisp;  /* edges on whole dots */
	uint32_t *drawn;  /* the same, pictures left white: what is black here is text or a line */
};
void pdf_picture_done(struct pdf_picture *p);

/* ---- pages (pdf-page.c) ---- */

#define PDF_PAGES_MAX 20000

struct pdf;
/* A path that cairo and poppler may read again and again. ERR_INPUT: damaged, locked, no page, too
 * many. */
int pdf_open(struct pdf **out, const char *path, struct err *e);
void pdf_close(struct pdf *p);
unsigned pdf_pages(const struct pdf *p);
/* Draws page number (from 1) without its escapes, which go into *x. Messages begin with the page.
 * out NULL: only looks whether size and escapes are right. */
int pdf_page_draw(struct pdf_picture *out, struct escapes *x, struct pdf *p, unsigned number,
	const struct pdf_look *look, struct err *e);

/* ---- panels (pdf-ink.c) ---- */

/* The panels that the ribbon offers to the side. The caller ends *out with face_done. */
int pdf_ink(
	struct face *out, const struct pdf_picture *p, const struct pdf_look *look, struct err *e);

/* ---- a process of their own (pdf-jail.c) ---- */

/*
 * The same in a child with limited memory and time that cannot write a file: what kills it becomes
 * a message.
 */
struct pdf_jail;
int pdf_jail_open(struct pdf_jail **out, const char *path, unsigned *pages, struct err *e);
/* out NULL: only looks, as pdf_page_draw. The caller ends *out with face_done. */
int pdf_jail_face(struct pdf_jail *j, unsigned page, const struct pdf_look *look, struct face *out,
	struct escapes *x, struct err *e);
void pdf_jail_close(struct pdf_jail *j);

#endif
