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
#include <string.h>

enum { ELEMENTS_MAX = 200000 };

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

static bool
attribute_safe(const xmlNode *node, const xmlAttr *a)
{
	xmlChar *value = xmlNodeListGetString(node->doc, a->children, 1);
	const char *text = value ? (const char *)value : "";
	bool safe = css_safe(text);

	if (!strcmp((const char *)a->name, "href"))
		safe = text[0] == '#' || !strncmp(text, "data:image/png;base64,", 22) ||
		       !strncmp(text, "data:image/jpeg;base64,", 23);
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
					_("a reference to something outside this file is "
					  "refused."));
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
