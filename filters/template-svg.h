/*
 * template-svg.h - one drawing of a template, for the template compiler only.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_TEMPLATE_SVG_H
#define CARDSPOOL_TEMPLATE_SVG_H

#include "filters/template.h"

#include <cairo.h>
#include <libxml/tree.h>

#define TEMPLATE_NS "urn:cardspool:template:1"

/* What of a drawing is drawn. Placeholders never are. */
enum svg_layer {
	SVG_DYE,   /* all but ink="resin", ink="uv" and only="mono" */
	SVG_RESIN, /* ink="resin", but not only="mono" */
	SVG_MONO,  /* dye and resin, but not only="colour" */
	SVG_UV,    /* ink="uv" */
	SVG_FIRM,  /* dye without "only": what no substitute was drawn for */
	SVG_BARE,  /* overlay="none", whatever its ink */
	SVG_PAPER, /* dye and resin for a printer of any kind, but not only="mono" */
	SVG_ALL    /* as the file is (seals) */
};

/* Refuses what would reach outside the file (template-check.c). */
int svg_tree_check(const char *path, xmlDoc *doc, struct err *e);

struct svg;
/* Reads and checks: no DOCTYPE, no script, nothing from outside the file. */
int svg_load(struct svg **out, const char *path, struct err *e);
void svg_destroy(struct svg *s);
/* Card size in dots and resolution, from width, height (mm) and cs:dpi of the root element. */
int svg_geometry(
	const struct svg *s, unsigned *width, unsigned *height, unsigned *dpi, struct err *e);
/* Appends the placeholders as boxes of a width x height card; returns their number through *n. */
int svg_boxes(struct svg *s, enum side side, unsigned width, unsigned height, struct box *boxes,
	size_t max, size_t *n, struct err *e);
/* Draws into the w x h rectangle at the origin. *any (may be NULL): the layer has something to
 * draw. */
int svg_draw(struct svg *s, enum svg_layer layer, cairo_t *cr, unsigned w, unsigned h, bool *any,
	struct err *e);

/* Draws the one group that the box of kind art stands for, so that the box begins at the origin.
 * Only after svg_boxes. */
int svg_draw_box(struct svg *s, cairo_t *cr, unsigned width, unsigned height, const struct box *box,
	struct err *e);

/* The root element's attribute says that the card has this: chip="contact", stripe="back". */
bool svg_declares(const struct svg *s, const char *attribute);

/*
 * Calls told() for each finding about the drawing's fixed words: a font that is not installed (code
 * ERR_MISSING), and words that reach beyond the width x height page (ERR_NONE). The message names
 * line and words (template-words.c). Only after svg_boxes.
 */
void svg_words_check(
	const struct svg *s, unsigned width, unsigned height, problem_sink *told, void *ctx);

/* ---- of the compiler, for template check (template-build.c, template-art.c) ---- */

/* False, with the reason in e, when another font would stand in. */
bool font_installed(const char *font, struct err *e);
/* *clear: at least one dot of the seal in this box lets through what lies below. */
int template_seal_clear(const char *dir, const struct box *box, bool *clear, struct err *e);

#endif
