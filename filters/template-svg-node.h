/*
 * template-svg-node.h - the parsed drawing, for the files that read it (template-svg.c,
 * template-boxes.c, template-words.c, template-attributes.c) only.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_TEMPLATE_SVG_NODE_H
#define CARDSPOOL_TEMPLATE_SVG_NODE_H

#include "filters/template-svg.h"

#include <librsvg/rsvg.h>

struct svg {
	char *path;
	xmlDoc *doc;
};

/* doc as a drawing to render; NULL with e filled. The caller unrefs it. */
RsvgHandle *svg_handle_open(const struct svg *s, xmlDoc *doc, struct err *e);

bool placeholder_is(const xmlNode *node);
/* Refuses, from node on with all its siblings, an attribute that is unknown, stands where it means
 * nothing or holds another word than it may. */
int svg_attributes_check(const struct svg *s, enum side side, const xmlNode *node, struct err *e);
/* The fill of an element or of the groups around it as 0xRRGGBB, black if there is none. False: it
 * is written in a way that is not understood. */
bool svg_fill(const xmlNode *node, uint32_t *colour);

/* ---- attributes of our own name space, and their errors (template-svg.c) ---- */

extern const char *const svg_ink_words[INK_COUNT];
int svg_node_error(const struct svg *s, const xmlNode *node, struct err *e, const char *what); /* ERR_INPUT, its line */
/* "" when it is not there, false when it is too long. */
bool svg_own_get(const xmlNode *node, const char *name, char *out, size_t max);
/* Index of its word in words, fallback when it is not there, -1 when it is another. */
int svg_own_word(const xmlNode *node, const char *name, const char *const *words, int n, int fallback);
bool svg_own_number(
	const xmlNode *node, const char *name, double fallback, double min, double max, double *out);

#endif
