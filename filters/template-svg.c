/*
 * template-svg.c - reading one drawing of a template.
 *
 * Owns the attributes of our own and the separation into inks; placeholders are template-boxes.c.
 * Guarantees: only a checked drawing is used, and what is not understood is refused with its line.
 * On failure nothing is kept. Used while a template is compiled, never while cards are made.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/template-svg-node.h"

#include <libxml/parser.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
svg_node_error(const struct svg *s, const xmlNode *node, struct err *e, const char *what)
{
	return err_set(
		e, ERR_INPUT, _("%s: line %ld: %s"), s->path, xmlGetLineNo((xmlNode *)node), what);
}

static bool
name_is(const xmlNode *node, const char *name)
{
	return !strcmp((const char *)node->name, name);
}

static void
xml_silent(void *ctx, const char *format, ...)
{
	(void)ctx;
	(void)format;
}

int
svg_load(struct svg **out, const char *path, struct err *e)
{
	struct buf b;
	struct svg *s = calloc(1, sizeof *s);

	*out = NULL;
	buf_init(&b, TEMPLATE_SOURCE_MAX);
	if (!s || !(s->path = strdup(path))) {
		free(s);
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	}
	int rc = file_read(&b, path, TEMPLATE_SOURCE_MAX, e);
	if (rc)
		goto out;
	xmlSetGenericErrorFunc(NULL, xml_silent);
	s->doc = xmlReadMemory((const char *)b.data, (int)b.len, NULL, NULL,
		XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_BIG_LINES);
	xmlNode *root = s->doc ? xmlDocGetRootElement(s->doc) : NULL;
	if (!root || !name_is(root, "svg")) {
		const xmlError *why = xmlGetLastError();
		rc = err_set(e, ERR_INPUT, _("%s: line %d: is not an SVG drawing."), path,
			why ? why->line : 1);
		goto out;
	}
	rc = svg_tree_check(path, s->doc, e);
out:
	buf_done(&b);
	if (rc)
		svg_destroy(s);
	else
		*out = s;
	return rc;
}

void
svg_destroy(struct svg *s)
{
	if (!s)
		return;
	xmlFreeDoc(s->doc);
	free(s->path);
	free(s);
}

/* ---- attributes ---------------------------------------------------------------------------------
 */

bool
svg_own_get(const xmlNode *node, const char *name, char *out, size_t max)
{
	xmlChar *value =
		xmlGetNsProp((xmlNode *)node, (const xmlChar *)name, (const xmlChar *)TEMPLATE_NS);
	const char *text = value ? (const char *)value : "";
	bool fits = strlen(text) < max;

	snprintf(out, max, "%s", fits ? text : "");
	xmlFree(value);
	return fits;
}

int
svg_own_word(const xmlNode *node, const char *name, const char *const *words, int n, int fallback)
{
	char text[32];

	if (!svg_own_get(node, name, text, sizeof text))
		return -1;
	if (!text[0])
		return fallback;
	for (int i = 0; i < n; i++)
		if (!strcmp(words[i], text))
			return i;
	return -1;
}

bool
svg_own_number(
	const xmlNode *node, const char *name, double fallback, double min, double max, double *out)
{
	char text[32], *end;

	if (!svg_own_get(node, name, text, sizeof text))
		return false;
	*out = fallback;
	if (text[0]) {
		*out = strtod(text, &end);
		if (*end)
			return false;
	}
	return *out >= min && *out <= max;
}

bool
placeholder_is(const xmlNode *node)
{
	return node->type == XML_ELEMENT_NODE &&
	       xmlHasNsProp((xmlNode *)node, (const xmlChar *)"kind", (const xmlChar *)TEMPLATE_NS);
}

bool
svg_declares(const struct svg *s, const char *attribute)
{
	char word[16];

	return svg_own_get(xmlDocGetRootElement(s->doc), attribute, word, sizeof word) &&
	       (!strcmp(word, "contact") || !strcmp(word, "back"));
}

int
svg_geometry(const struct svg *s, unsigned *width, unsigned *height, unsigned *dpi, struct err *e)
{
	const xmlNode *root = xmlDocGetRootElement(s->doc);
	double resolution, box[4];
	xmlChar *view = xmlGetNoNsProp((xmlNode *)root, (const xmlChar *)"viewBox");
	int n = view ? sscanf((const char *)view, "%lf %lf %lf %lf", &box[0], &box[1], &box[2],
			       &box[3])
		     : 0;

	xmlFree(view);
	if (n != 4 || fabs(box[0]) > 0 || fabs(box[1]) > 0 || !(box[2] >= 1 && box[2] <= 8192) ||
		!(box[3] >= 1 && box[3] <= 4096))
		return svg_node_error(s, root, e,
			_("viewBox must be \"0 0 WIDTH HEIGHT\" in dots of the print head."));
	if (!svg_own_number(root, "dpi", 300, 100, 2400, &resolution))
		return svg_node_error(s, root, e, _("dpi must be a number from 100 to 2400."));
	*width = (unsigned)lround(box[2]);
	*height = (unsigned)lround(box[3]);
	*dpi = (unsigned)lround(resolution);
	return 0;
}

RsvgHandle *
svg_handle_open(const struct svg *s, xmlDoc *doc, struct err *e)
{
	xmlChar *text = NULL;
	int len = 0;
	GError *error = NULL;

	xmlDocDumpMemory(doc, &text, &len);
	RsvgHandle *handle = text ? rsvg_handle_new_from_data(text, (gsize)len, &error) : NULL;
	if (!handle)
		err_set(e, ERR_INPUT, _("%s: cannot be drawn: %s"), s->path,
			error ? error->message : "");
	g_clear_error(&error);
	xmlFree(text);
	return handle;
}

/* ---- drawing
 * ---------------------------------------------------------------------------------------- */

const char *const svg_ink_words[INK_COUNT] = {"resin", "dye", "uv"};
static const char *const only_words[] = {"mono", "colour"};
static const char *const drawn_elements[] = {
	"path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "image", "use"};
static const char *const untouched_elements[] = {"defs", "symbol", "clipPath", "mask", "pattern",
	"marker", "linearGradient", "radialGradient", "filter", "style", "metadata", "title",
	"desc", "namedview"};

static bool
name_among(const xmlNode *node, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (name_is(node, names[i]))
			return true;
	return false;
}

static bool
layer_keeps(enum svg_layer layer, int ink, int only, bool bare)
{
	static const struct {
		bool resin, dye, uv, mono, colour;
	} keeps[] = {
		[SVG_DYE] = {.dye = true, .colour = true},
		[SVG_RESIN] = {.resin = true, .colour = true},
		[SVG_MONO] = {.dye = true, .resin = true, .mono = true},
		[SVG_PAPER] = {.dye = true, .resin = true, .colour = true},
		[SVG_FIRM] = {.dye = true},
		[SVG_UV] = {.uv = true, .mono = true, .colour = true},
		[SVG_BARE] = {0},
		[SVG_ALL] = {true, true, true, true, true},
	};
	if (layer == SVG_BARE)
		return bare;
	bool inks[] = {keeps[layer].resin, keeps[layer].dye, keeps[layer].uv};

	return inks[ink] && (only < 0 || (only == 0 ? keeps[layer].mono : keeps[layer].colour));
}

/* Unlinks what another layer draws. ink, only and bare are inherited from the groups above; kept
 * counts leaves. */
static int
tree_prune(const struct svg *s, xmlNode *node, enum svg_layer layer, int ink, int only, bool bare,
	unsigned *kept, struct err *e)
{
	while (node) {
		xmlNode *next = node->next;
		if (node->type == XML_ELEMENT_NODE &&
			!name_among(node, untouched_elements, ARRAY_LEN(untouched_elements))) {
			int own_ink = svg_own_word(node, "ink", svg_ink_words, INK_COUNT, ink);
			int own_only =
				svg_own_word(node, "only", only_words, ARRAY_LEN(only_words), only);
			char text[32];
			bool own_bare = bare || xmlHasNsProp(node, (const xmlChar *)"overlay",
							(const xmlChar *)TEMPLATE_NS);
			if (own_ink < 0 ||
				(own_only < 0 &&
					(!svg_own_get(node, "only", text, sizeof text) || text[0])))
				return svg_node_error(s, node, e,
					_("ink is resin, dye or uv; only is mono or colour."));
			bool leaf = name_among(node, drawn_elements, ARRAY_LEN(drawn_elements));
			bool drop = layer != SVG_ALL && placeholder_is(node);
			if (drop || (leaf && !layer_keeps(layer, own_ink, own_only, own_bare))) {
				xmlUnlinkNode(node);
				xmlFreeNode(node);
			} else if (leaf) {
				++*kept;
			} else {
				int rc = tree_prune(s, node->children, layer, own_ink, own_only,
					own_bare, kept, e);
				if (rc)
					return rc;
			}
		}
		node = next;
	}
	return 0;
}

int
svg_draw(struct svg *s, enum svg_layer layer, cairo_t *cr, unsigned w, unsigned h, bool *any,
	struct err *e)
{
	unsigned kept = 0;
	GError *error = NULL;
	RsvgHandle *handle = NULL;
	xmlDoc *doc = xmlCopyDoc(s->doc, 1);
	int rc = doc ? 0 : err_set(e, ERR_SYSTEM, _("Out of memory."));

	if (!rc)
		rc = tree_prune(s, xmlDocGetRootElement(doc), layer, INK_DYE, -1, false, &kept, e);
	if (any)
		*any = kept > 0;
	if (rc || !kept)
		goto out;
	if (!(handle = svg_handle_open(s, doc, e))) {
		rc = ERR_INPUT;
		goto out;
	}
	RsvgRectangle viewport = {0, 0, w, h};
	if (!rsvg_handle_render_document(handle, cr, &viewport, &error))
		rc = err_set(e, ERR_INPUT, _("%s: cannot be drawn: %s"), s->path,
			error ? error->message : "");
	g_clear_error(&error);
out:
	if (handle)
		g_object_unref(handle);
	xmlFreeDoc(doc);
	return rc;
}

int
svg_draw_box(struct svg *s, cairo_t *cr, unsigned width, unsigned height, const struct box *box,
	struct err *e)
{
	GError *error = NULL;
	int rc = 0;
	const RsvgRectangle viewport = {0, 0, width, height};
	RsvgHandle *handle = svg_handle_open(s, s->doc, e);

	if (!handle)
		return ERR_INPUT;
	cairo_translate(cr, -(double)box->x, -(double)box->y);
	if (!rsvg_handle_render_layer(handle, cr, box->format, &viewport, &error))
		rc = err_set(e, ERR_INPUT, _("%s: cannot be drawn: %s"), s->path,
			error ? error->message : "");
	g_clear_error(&error);
	g_object_unref(handle);
	return rc;
}
