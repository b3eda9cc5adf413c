/*
 * template-svg-node.h - the parsed drawing, for the files that read it (template-svg.c, -words.c,
 * -attributes.c) only.
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

#endif
