/*
 * template-attributes.c - which attributes a drawing may carry, where, and with which words.
 *
 * Owns the table of attributes and the reading of a place's colour. Guarantees: an attribute that
 * would have no effect where it stands is refused, so that a slip of the pen is found before a card
 * is made and not by looking at it. On failure the message names file and line.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/template-svg-node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where an attribute has a meaning. */
enum where { ON_ROOT, ON_PLACE, ON_ART, ANYWHERE };

static const struct attribute {
	const char *name;
	enum where where;
	const char *words[4]; /* none: any value; what reads it looks closer */
	enum side side;       /* ON_ROOT with words: of this side's drawing only */
} attributes[] = {
	{"dpi", ON_ROOT, {NULL}, SIDE_FRONT},
	{"chip", ON_ROOT, {"contact"}, SIDE_FRONT},
	{"stripe", ON_ROOT, {"back"}, SIDE_BACK},
	{"kind", ON_PLACE, {NULL}, SIDE_FRONT},
	{"field", ON_PLACE, {NULL}, SIDE_FRONT},
	{"font", ON_PLACE, {NULL}, SIDE_FRONT},
	{"size", ON_PLACE, {NULL}, SIDE_FRONT},
	{"min-size", ON_PLACE, {NULL}, SIDE_FRONT},
	{"align", ON_PLACE, {NULL}, SIDE_FRONT},
	{"fit", ON_PLACE, {NULL}, SIDE_FRONT},
	{"lines", ON_PLACE, {NULL}, SIDE_FRONT},
	{"format", ON_PLACE, {NULL}, SIDE_FRONT},
	{"barcode", ON_PLACE, {NULL}, SIDE_FRONT},
	{"module", ON_PLACE, {NULL}, SIDE_FRONT},
	{"show-if", ON_PLACE, {NULL}, SIDE_FRONT},
	{"only", ON_ART, {"mono", "colour"}, SIDE_FRONT},
	{"ink", ANYWHERE, {"resin", "dye", "uv"}, SIDE_FRONT},
	{"overlay", ANYWHERE, {"none"}, SIDE_FRONT},
	{"name", ANYWHERE, {NULL}, SIDE_FRONT},
};

static int
attribute_error(
	const struct svg *s, const xmlNode *node, const char *name, const char *what, struct err *e)
{
	return err_set(e, ERR_INPUT, _("%s: line %ld: \"%s\" %s"), s->path,
		xmlGetLineNo((xmlNode *)node), name, what);
}

static int
place_check(const struct svg *s, enum side side, const xmlNode *node, const struct attribute *a,
	struct err *e)
{
	bool root = node == xmlDocGetRootElement(s->doc);

	if (a->where == ON_ROOT && !root)
		return attribute_error(
			s, node, a->name, _("belongs to the svg element; move it there."), e);
	if (a->where == ON_ROOT && a->words[0] && a->side != side)
		return attribute_error(s, node, a->name,
			a->side == SIDE_FRONT ? _("belongs to front.svg; move it there.")
					      : _("belongs to back.svg; move it there."),
			e);
	if (a->where == ON_PLACE && !placeholder_is(node))
		return attribute_error(s, node, a->name,
			_("is of a placeholder, but the element has no kind; add it."), e);
	if (a->where == ON_ART && placeholder_is(node))
		return attribute_error(
			s, node, a->name, _("is for fixed art, not for a placeholder."), e);
	return 0;
}

static int
words_check(const struct svg *s, const xmlNode *node, const struct attribute *a, struct err *e)
{
	char what[96] = "";
	xmlChar *value = xmlGetNsProp(
		(xmlNode *)node, (const xmlChar *)a->name, (const xmlChar *)TEMPLATE_NS);
	bool found = !a->words[0];

	for (size_t i = 0; i < ARRAY_LEN(a->words) && a->words[i]; i++) {
		found |= value && !strcmp((const char *)value, a->words[i]);
		size_t len = strlen(what);
		snprintf(what + len, sizeof what - len, "%s%s", i ? ", " : "", a->words[i]);
	}
	xmlFree(value);
	if (found)
		return 0;
	return err_set(e, ERR_INPUT, _("%s: line %ld: \"%s\" takes one of these words: %s."),
		s->path, xmlGetLineNo((xmlNode *)node), a->name, what);
}

static int
node_check(const struct svg *s, enum side side, const xmlNode *node, struct err *e)
{
	for (const xmlAttr *p = node->properties; p; p = p->next) {
		const struct attribute *a = NULL;
		int rc;
		if (!p->ns || strcmp((const char *)p->ns->href, TEMPLATE_NS))
			continue;
		for (size_t i = 0; !a && i < ARRAY_LEN(attributes); i++)
			if (!strcmp((const char *)p->name, attributes[i].name))
				a = &attributes[i];
		if (!a)
			return attribute_error(s, node, (const char *)p->name,
				_("is not a template attribute."), e);
		if ((rc = place_check(s, side, node, a, e)) || (rc = words_check(s, node, a, e)))
			return rc;
	}
	return 0;
}

int
svg_attributes_check(const struct svg *s, enum side side, const xmlNode *node, struct err *e)
{
	int rc = 0;

	for (; !rc && node; node = node->next)
		if (node->type == XML_ELEMENT_NODE && !(rc = node_check(s, side, node, e)))
			rc = svg_attributes_check(s, side, node->children, e);
	return rc;
}

/* ---- colour ---- */

/* The fill that this element itself has, "" if none; the style, which programs write, wins. */
static void
fill_own(const xmlNode *node, char *out, size_t max)
{
	xmlChar *plain = xmlGetNoNsProp((xmlNode *)node, (const xmlChar *)"fill");
	xmlChar *style = xmlGetNoNsProp((xmlNode *)node, (const xmlChar *)"style");
	const char *fill = plain ? (const char *)plain : "";

	for (const char *p = style ? (const char *)style : ""; (p = strstr(p, "fill:")); p++)
		if (p == (const char *)style || strchr("; \t\n", p[-1]))
			fill = p + strlen("fill:");
	fill += strspn(fill, " \t\n");
	snprintf(out, max, "%.*s", (int)strcspn(fill, "; \t\n"), fill);
	xmlFree(plain);
	xmlFree(style);
}

bool
svg_fill(const xmlNode *node, uint32_t *colour)
{
	char fill[32] = "";

	*colour = 0;
	for (; node && node->type == XML_ELEMENT_NODE && !fill[0]; node = node->parent)
		fill_own(node, fill, sizeof fill);
	if (!fill[0] || !strcmp(fill, "black"))
		return true;
	size_t digits = strspn(fill + 1, "0123456789abcdefABCDEF");
	if (fill[0] != '#' || fill[1 + digits] || (digits != 3 && digits != 6))
		return false;
	uint32_t c = (uint32_t)strtoul(fill + 1, NULL, 16);
	*colour = digits == 6 ? c : ((c & 0xf00) << 8 | (c & 0xf0) << 4 | (c & 0xf)) * 0x11;
	return true;
}
