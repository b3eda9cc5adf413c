/*
 * template-words.c - the fixed words of a drawing: their fonts and their place.
 *
 * Owns what template check says about text that is the same on every card. Guarantees: each font is
 * named once a drawing, at the first line that asks for it; nothing is changed but ids. Without
 * memory nothing is found.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/template-svg-node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FONTS_MAX = 32, FAMILY_MAX = 96, WORDS_SHOWN = 24 };

struct words {
	const struct svg *svg;
	RsvgHandle *handle;
	RsvgRectangle page;
	problem_sink *told;
	void *ctx;
	char seen[FONTS_MAX][FAMILY_MAX];
	unsigned n_seen, n_named;
};

/* What every desktop has under these names; Pango knows them too. */
static const char *const generic[] = {
	"serif", "sans-serif", "sans", "monospace", "cursive", "fantasy", "system-ui", "inherit"};

/* Copies the first family of a CSS list, without quotes and blanks around it. */
static void
family_first(char out[FAMILY_MAX], const char *list)
{
	list += strspn(list, " \t\n'\"");
	size_t len = strcspn(list, ",;'\"");

	while (len && strchr(" \t\n", list[len - 1]))
		len--;
	len = len < FAMILY_MAX ? len : FAMILY_MAX - 1;
	memcpy(out, list, len);
	out[len] = '\0';
}

/* From the attribute, or from the style, which wins. */
static bool
family_get(const xmlNode *node, char out[FAMILY_MAX])
{
	xmlChar *style = xmlGetNoNsProp((xmlNode *)node, (const xmlChar *)"style");
	xmlChar *plain = xmlGetNoNsProp((xmlNode *)node, (const xmlChar *)"font-family");
	const char *at = style ? strstr((const char *)style, "font-family:") : NULL;

	out[0] = '\0';
	if (at)
		family_first(out, at + strlen("font-family:"));
	else if (plain)
		family_first(out, (const char *)plain);
	xmlFree(style);
	xmlFree(plain);
	return out[0] != '\0';
}

static void
font_tell(struct words *w, const xmlNode *node)
{
	char family[FAMILY_MAX];
	struct err e = {0};

	if (!family_get(node, family))
		return;
	for (size_t i = 0; i < ARRAY_LEN(generic); i++)
		if (!strcmp(generic[i], family))
			return;
	for (unsigned i = 0; i < w->n_seen; i++)
		if (!strcmp(w->seen[i], family))
			return;
	if (w->n_seen < FONTS_MAX)
		memcpy(w->seen[w->n_seen++], family, sizeof family);
	if (font_installed(family, &e))
		return;
	err_prefix(&e, _("%s: line %ld"), w->svg->path, xmlGetLineNo((xmlNode *)node));
	w->told(w->ctx, &e);
}

/* librsvg's rectangle around turned words is far too large. */
static bool
turned(const xmlNode *node)
{
	bool found = false;

	for (; !found && node && node->type == XML_ELEMENT_NODE; node = node->parent) {
		xmlChar *way = xmlGetNoNsProp((xmlNode *)node, (const xmlChar *)"transform");
		found = way && (strstr((const char *)way, "rotate") ||
				       strstr((const char *)way, "matrix") ||
				       strstr((const char *)way, "skew"));
		xmlFree(way);
	}
	return found;
}

/* Words wider than the card are a running band, which is meant to be cut. */
static void
place_tell(struct words *w, xmlNode *node)
{
	RsvgRectangle ink, logical;
	char id[48], words[WORDS_SHOWN * 4 + 1] = "";
	struct err e = {0};

	snprintf(id, sizeof id, "#cardspool-words-%u", ++w->n_named);
	if (!rsvg_handle_get_geometry_for_layer(w->handle, id, &w->page, &ink, &logical, NULL))
		return;
	if (!(ink.width > 0) || !(ink.height > 0) || ink.width > w->page.width || turned(node) ||
		(ink.x >= 0 && ink.y >= 0 && ink.x + ink.width <= w->page.width &&
			ink.y + ink.height <= w->page.height))
		return;
	xmlChar *content = xmlNodeGetContent(node);
	if (content) {
		const char *from = (const char *)content;
		uint32_t cp;
		from += strspn(from, " \t\r\n");
		size_t len = 0, n;
		for (int i = 0; i < WORDS_SHOWN &&
				(n = utf8_next(&cp, from + len, strlen(from + len))) && cp >= ' ';
			i++)
			len += n;
		memcpy(words, from, len);
	}
	xmlFree(content);
	err_set(&e, ERR_NONE,
		_("%s: line %ld: the words \"%s\" reach beyond the edge of the card."),
		w->svg->path, xmlGetLineNo(node), words);
	w->told(w->ctx, &e);
}

static bool
text_is(const xmlNode *node)
{
	return !strcmp((const char *)node->name, "text");
}

/* Names every text, so that its place can be asked for. */
static void
texts_name(xmlNode *node, unsigned *n)
{
	for (; node; node = node->next) {
		char id[48];
		if (node->type != XML_ELEMENT_NODE)
			continue;
		if (text_is(node)) {
			snprintf(id, sizeof id, "cardspool-words-%u", ++*n);
			xmlSetProp(node, (const xmlChar *)"id", (const xmlChar *)id);
		}
		texts_name(node->children, n);
	}
}

static void
tree_walk(struct words *w, xmlNode *node)
{
	for (; node; node = node->next) {
		if (node->type != XML_ELEMENT_NODE)
			continue;
		font_tell(w, node);
		if (text_is(node))
			place_tell(w, node);
		tree_walk(w, node->children);
	}
}

void
svg_words_check(const struct svg *s, unsigned width, unsigned height, problem_sink *told, void *ctx)
{
	struct words w = {.svg = s, .page = {0, 0, width, height}, .told = told, .ctx = ctx};
	char text[16];
	unsigned n = 0;
	xmlDoc *doc = xmlCopyDoc(s->doc, 1);

	if (!doc)
		return;
	xmlNode *root = xmlDocGetRootElement(doc);
	texts_name(root, &n);
	snprintf(text, sizeof text, "%u", width);
	xmlSetProp(root, (const xmlChar *)"width", (const xmlChar *)text);
	snprintf(text, sizeof text, "%u", height);
	xmlSetProp(root, (const xmlChar *)"height", (const xmlChar *)text);
	if ((w.handle = svg_handle_open(s, doc, NULL))) {
		tree_walk(&w, root);
		g_object_unref(w.handle);
	}
	xmlFreeDoc(doc);
}
