/*
 * template-check.c - what a drawing must not contain.
 *
 * Owns the checks on foreign SVG. Guarantees: a drawing that passes cannot reach outside its own
 * file: no DOCTYPE, entity, processing instruction, script, link or style from elsewhere. On
 * failure the message names file and line.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/template-svg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ELEMENTS_MAX = 200000, PICTURE_SIDE_MAX = 10000, PICTURE_DOTS_MAX = 32 << 20 };

static int
node_error(const char *path, const xmlNode *node, struct err *e, const char *what)
{
	return err_set(
		e, ERR_INPUT, _("%s: line %ld: %s"), path, xmlGetLineNo((xmlNode *)node), what);
}

static bool
name_is(const xmlNode *node, const char *name)
{
	return !strcmp((const char *)node->name, name);
}

/* Every url( must point into this file. */
static bool
css_safe(const char *css)
{
	if (strcasestr(css, "@import") || strchr(css, '\\'))
		return false;
	for (const char *p = css; (p = strcasestr(p, "url(")); p++) {
		const char *target = p + 4 + strspn(p + 4, " \t\n'\"");
		if (*target != '#')
			return false;
	}
	return true;
}

/* Bytes of base64 text, as many as fit; blanks are passed over. */
static size_t
base64_parse(uint8_t *out, size_t max, const char *text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = 0;
	size_t n = 0;
	unsigned have = 0;

	for (; *text && n < max; text++) {
		const char *digit = strchr(digits, *text);
		if (!digit)
			continue;
		bits = bits << 6 | (uint32_t)(digit - digits);
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (uint8_t)(bits >> have);
		}
	}
	return n;
}

/* A picture inside the drawing may not unfold to more than a card can use. The width and height of
 * a PNG stand at bytes 16 and 20, big-endian. */
static bool
picture_safe(const char *base64)
{
	uint64_t w = 0, h = 0;
	size_t len = strlen(base64);
	uint8_t *bytes = malloc(len + 1);

	if (!bytes)
		return false;
	len = base64_parse(bytes, len, base64);
	if (len > 24 && !memcmp(bytes, "\x89PNG", 4)) {
		for (int i = 0; i < 4; i++) {
			w = w << 8 | bytes[16 + i];
			h = h << 8 | bytes[20 + i];
		}
	} else {
		unsigned width, height;
		if (!photo_probe(bytes, len, &width, &height, NULL)) {
			w = width;
			h = height;
		}
	}
	free(bytes);
	return w && h && w <= PICTURE_SIDE_MAX && h <= PICTURE_SIDE_MAX &&
	       w * h <= PICTURE_DOTS_MAX;
}

static bool
attribute_safe(const xmlNode *node, const xmlAttr *a)
{
	xmlChar *value = xmlNodeListGetString(node->doc, a->children, 1);
	const char *text = value ? (const char *)value : "";
	bool safe = css_safe(text);

	if (!strcmp((const char *)a->name, "href"))
		safe = text[0] == '#' || ((!strncmp(text, "data:image/png;base64,", 22) ||
						  !strncmp(text, "data:image/jpeg;base64,", 23)) &&
						 picture_safe(strchr(text, ',') + 1));
	else if ((!a->ns && !strncasecmp((const char *)a->name, "on", 2)) ||
		 !strcmp((const char *)a->name, "base"))
		safe = false;
	xmlFree(value);
	return safe;
}

static int
tree_check(const char *path, xmlNode *node, unsigned *count, struct err *e)
{
	for (; node; node = node->next) {
		int rc = 0;
		if (node->type == XML_PI_NODE || node->type == XML_ENTITY_REF_NODE ||
			node->type == XML_DTD_NODE)
			return node_error(path, node, e,
				_("processing instructions and entities are refused."));
		if (node->type != XML_ELEMENT_NODE)
			continue;
		if (++*count > ELEMENTS_MAX)
			return node_error(path, node, e, _("too many elements."));
		if (name_is(node, "script") || name_is(node, "foreignObject") ||
			name_is(node, "include"))
			return node_error(
				path, node, e, _("scripts and foreign content are refused."));
		for (xmlAttr *a = node->properties; a; a = a->next)
			if (!attribute_safe(node, a))
				return node_error(path, node, e,
					_("a reference to something outside this file, or a "
					  "picture too large for a card, is refused."));
		if (name_is(node, "style")) {
			xmlChar *css = xmlNodeGetContent(node);
			bool safe = !css || css_safe((const char *)css);
			xmlFree(css);
			if (!safe)
				return node_error(path, node, e,
					_("a style from outside this file is refused."));
		}
		if ((rc = tree_check(path, node->children, count, e)))
			return rc;
	}
	return 0;
}

int
svg_tree_check(const char *path, xmlDoc *doc, struct err *e)
{
	unsigned count = 0;

	if (doc->intSubset || doc->extSubset)
		return err_set(
			e, ERR_INPUT, _("%s: a DOCTYPE is refused; delete that line."), path);
	return tree_check(path, doc->children, &count, e);
}
