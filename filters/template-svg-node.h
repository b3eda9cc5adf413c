/*
 * template-svg-node.h - the parsed drawing, for template-svg.c and template-words.c only.
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

#endif
