/*
 * template-svg.c - reading one drawing of a template.
 *
 * Owns the placeholders and the separation into inks. Guarantees: only a checked drawing is used,
 * and what is not understood is refused with its line. On failure nothing is kept. Used while a
 * template is compiled, never while cards are made.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/template-svg-node.h"

#include <libxml/parser.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
node_error(const struct svg *s, const xmlNode *node, struct err *e, const char *what)
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

/* Copies a namespaced attribute; "" when it is not there, false when it is too long. */
static bool
cs_get(const xmlNode *node, const char *name, char *out, size_t max)
{
	xmlChar *value =
		xmlGetNsProp((xmlNode *)node, (const xmlChar *)name, (const xmlChar *)TEMPLATE_NS);
	const char *text = value ? (const char *)value : "";
	bool fits = strlen(text) < max;

	snprintf(out, max, "%s", fits ? text : "");
	xmlFree(value);
	return fits;
}

/* Index of the attribute's word in words, fallback when it is not there, -1 when it is another. */
static int
cs_word(const xmlNode *node, const char *name, const char *const *words, int n, int fallback)
{
	char text[32];

	if (!cs_get(node, name, text, sizeof text))
		return -1;
	if (!text[0])
		return fallback;
	for (int i = 0; i < n; i++)
		if (!strcmp(words[i], text))
			return i;
	return -1;
}

static bool
cs_number(
	const xmlNode *node, const char *name, double fallback, double min, double max, double *out)
{
	char text[32], *end;

	if (!cs_get(node, name, text, sizeof text))
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

	return cs_get(xmlDocGetRootElement(s->doc), attribute, word, sizeof word) &&
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
		return node_error(s, root, e,
			_("viewBox must be \"0 0 WIDTH HEIGHT\" in dots of the print head."));
	if (!cs_number(root, "dpi", 300, 100, 2400, &resolution))
		return node_error(s, root, e, _("dpi must be a number from 100 to 2400."));
	*width = (unsigned)lround(box[2]);
	*height = (unsigned)lround(box[3]);
	*dpi = (unsigned)lround(resolution);
	return 0;
}

/* ---- placeholders
 * --------------------------------------------------------------------------------- */

static const char *const kind_words[BOX_KIND_COUNT] = {"text", "photo", "seal", "barcode", "art"};
static const char *const symbology_words[SYM_COUNT] = {
	"qr", "code128", "code39", "pdf417", "datamatrix"};
/* Least dots a module that scanners of phones and desks read from a printed card at 300 dpi. */
static const unsigned symbology_modules[SYM_COUNT] = {3, 2, 2, 2, 3};
static const char *const align_words[ALIGN_COUNT] = {"left", "center", "right"};
static const char *const fit_words[FIT_COUNT] = {"shrink", "wrap"};
static const char *const ink_words[] = {"resin", "dye", "uv"};
static const char *const only_words[] = {"mono", "colour"};

static int
box_words(const struct svg *s, const xmlNode *node, struct box *b, struct err *e)
{
	const struct {
		const char *name;
		const char *const *words;
		int n, fallback;
		uint8_t *out;
	} rows[] = {
		{"kind", kind_words, BOX_KIND_COUNT, -1, &b->kind},
		{"align", align_words, ALIGN_COUNT, ALIGN_LEFT, &b->align},
		{"fit", fit_words, FIT_COUNT, FIT_SHRINK, &b->fit},
		{"ink", ink_words, INK_COUNT, INK_RESIN, &b->ink},
		{"barcode", symbology_words, SYM_COUNT, SYM_QR, &b->symbology},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int word = cs_word(node, rows[i].name, rows[i].words, rows[i].n, rows[i].fallback);
		if (word < 0)
			return err_set(e, ERR_INPUT,
				_("%s: line %ld: the placeholder's \"%s\" is not a word it may "
				  "be."),
				s->path, xmlGetLineNo((xmlNode *)node), rows[i].name);
		*rows[i].out = (uint8_t)word;
	}
	return 0;
}

/* "field", "!field", "field=value", "field!=value". */
static int
box_condition(const struct svg *s, const xmlNode *node, struct box *b, struct err *e)
{
	char text[FIELD_NAME_MAX + TEMPLATE_VALUE_MAX + 2];

	if (!cs_get(node, "show-if", text, sizeof text))
		return node_error(s, node, e, _("show-if is too long."));
	if (!text[0])
		return 0;
	char *name = text + (text[0] == '!'), *equal = strchr(name, '=');
	b->show = text[0] == '!' ? SHOW_EMPTY : SHOW_SET;
	if (equal && b->show == SHOW_SET) {
		bool unequal = equal > name && equal[-1] == '!';
		b->show = unequal ? SHOW_UNEQUAL : SHOW_EQUAL;
		equal[unequal ? -1 : 0] = '\0';
		if (strlen(equal + 1) >= sizeof b->show_value)
			return node_error(s, node, e, _("show-if is too long."));
		snprintf(b->show_value, sizeof b->show_value, "%s", equal + 1);
	}
	if (!name[0] || strlen(name) >= sizeof b->show_field)
		return node_error(
			s, node, e, _("show-if is FIELD, !FIELD, FIELD=VALUE or FIELD!=VALUE."));
	snprintf(b->show_field, sizeof b->show_field, "%s", name);
	return 0;
}

/* A box of bar code is printed in resin; the seal is part of the picture. */
static int
ink_check(const struct svg *s, const xmlNode *node, const struct box *b, struct err *e)
{
	char text[16];

	if (b->kind == BOX_BARCODE && b->ink != INK_RESIN)
		return node_error(s, node, e, _("a bar code is printed in resin."));
	if (b->ink == INK_UV && (b->kind == BOX_SEAL || b->kind == BOX_ART))
		return node_error(s, node, e,
			_("a seal or a group of kind art cannot be fluorescent; draw fixed art."));
	if (!cs_get(node, "overlay", text, sizeof text) || (text[0] && strcmp(text, "none")))
		return node_error(s, node, e, _("overlay is none or is not there."));
	return 0;
}

static int
barcode_words(const struct svg *s, const xmlNode *node, struct box *b, struct err *e)
{
	double module;

	if (!cs_get(node, "field", b->field_name, sizeof b->field_name) || !b->field_name[0])
		return node_error(s, node, e, _("the placeholder must name its field."));
	if (!cs_number(node, "module", symbology_modules[b->symbology], 1, 64, &module))
		return node_error(s, node, e, _("module must be 1 to 64 dots."));
	b->module = (unsigned)lround(module);
	return 0;
}

static int
box_build(const struct svg *s, const xmlNode *node, struct box *b, struct err *e)
{
	double size, min_size, lines;
	int rc = box_words(s, node, b, e);

	if (rc || (rc = ink_check(s, node, b, e)) || (rc = box_condition(s, node, b, e)))
		return rc;
	b->bare = xmlHasNsProp((xmlNode *)node, (const xmlChar *)"overlay",
			  (const xmlChar *)TEMPLATE_NS) != NULL;
	if (b->kind == BOX_BARCODE)
		return barcode_words(s, node, b, e);
	if (b->kind != BOX_TEXT)
		return 0;
	if (!cs_get(node, "field", b->field_name, sizeof b->field_name) || !b->field_name[0])
		return node_error(s, node, e, _("the placeholder must name its field."));
	if (!cs_get(node, "format", b->format, sizeof b->format) ||
		!cs_get(node, "font", b->font, sizeof b->font) || !b->font[0])
		return node_error(s, node, e, _("the placeholder must name its font."));
	if (!cs_number(node, "size", 0, 4, 1000, &size) ||
		!cs_number(node, "min-size", size, 4, size, &min_size))
		return node_error(
			s, node, e, _("size must be 4 to 1000 dots, and min-size at most size."));
	if (!cs_number(node, "lines", b->fit == FIT_WRAP ? 2 : 1, 1, 16, &lines))
		return node_error(s, node, e, _("lines must be a number from 1 to 16."));
	b->size = (unsigned)lround(size * TEMPLATE_SIZE_UNIT);
	b->min_size = (unsigned)lround(min_size * TEMPLATE_SIZE_UNIT);
	b->lines = (uint8_t)lround(lines);
	if (!svg_fill(node, &b->colour) && b->ink == INK_DYE)
		return node_error(s, node, e,
			_("the text's colour is the fill of its rectangle; write it as #rrggbb."));
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

/* Where a placeholder ends up on the card, with all transforms of its groups. */
static int
box_place(const struct svg *s, RsvgHandle *handle, const xmlNode *node, unsigned width,
	unsigned height, struct box *b, struct err *e)
{
	RsvgRectangle viewport = {0, 0, width, height}, ink, logical;
	char id[128] = "#";
	const char *no_place =
		_("the placeholder has no place on the card; show its layer if it is hidden.");
	xmlChar *name = xmlGetNoNsProp((xmlNode *)node, (const xmlChar *)"id");

	snprintf(id + 1, sizeof id - 1, "%s", name ? (const char *)name : "");
	xmlFree(name);
	/* The logical rectangle has no stroke in it. */
	if (!rsvg_handle_get_geometry_for_layer(handle, id, &viewport, &ink, &logical, NULL))
		return node_error(s, node, e, no_place);
	double x0 = round(logical.x), y0 = round(logical.y);
	double x1 = round(logical.x + logical.width), y1 = round(logical.y + logical.height);
	if (!(x1 - x0 >= 1 && y1 - y0 >= 1))
		return node_error(s, node, e, no_place);
	if (!(x0 >= 0 && y0 >= 0 && x1 <= width && y1 <= height))
		return node_error(s, node, e, _("the placeholder reaches beyond the card."));
	if (b->kind == BOX_ART)
		snprintf(b->format, sizeof b->format, "%s", id);
	b->x = (unsigned)x0;
	b->y = (unsigned)y0;
	b->w = (unsigned)(x1 - x0);
	b->h = (unsigned)(y1 - y0);
	return 0;
}

/* Walks all elements; gives every placeholder an id so that its geometry can be asked for. */
static void
placeholders_name(xmlNode *node, unsigned *n)
{
	for (; node; node = node->next) {
		if (node->type != XML_ELEMENT_NODE)
			continue;
		if (placeholder_is(node)) {
			char id[32];
			snprintf(id, sizeof id, "cardspool-box-%u", ++*n);
			xmlSetProp(node, (const xmlChar *)"id", (const xmlChar *)id);
		}
		placeholders_name(node->children, n);
	}
}

static int
placeholders_read(const struct svg *s, RsvgHandle *handle, const xmlNode *node,
	const struct box *like, unsigned width, unsigned height, struct box *boxes, size_t max,
	size_t *n, struct err *e)
{
	for (; node; node = node->next) {
		if (node->type != XML_ELEMENT_NODE)
			continue;
		int rc = 0;
		if (placeholder_is(node)) {
			if (*n >= max)
				return node_error(s, node, e, _("too many placeholders."));
			struct box *b = &boxes[*n];
			*b = *like;
			if ((rc = box_build(s, node, b, e)) ||
				(rc = box_place(s, handle, node, width, height, b, e)))
				return rc;
			++*n;
		}
		if ((rc = placeholders_read(
			     s, handle, node->children, like, width, height, boxes, max, n, e)))
			return rc;
	}
	return 0;
}

int
svg_boxes(struct svg *s, enum side side, unsigned width, unsigned height, struct box *boxes,
	size_t max, size_t *n, struct err *e)
{
	const struct box like = {.side = (uint8_t)side, .field = -1, .lines = 1};
	xmlNode *root = xmlDocGetRootElement(s->doc);
	unsigned named = 0;
	int rc = svg_attributes_check(s, side, root, e);
	char text[16];

	if (rc)
		return rc;
	placeholders_name(root, &named);
	if (!named)
		return 0;
	/* librsvg tells places in the drawing's own size, which may be in millimetres. */
	snprintf(text, sizeof text, "%u", width);
	xmlSetProp(root, (const xmlChar *)"width", (const xmlChar *)text);
	snprintf(text, sizeof text, "%u", height);
	xmlSetProp(root, (const xmlChar *)"height", (const xmlChar *)text);
	RsvgHandle *handle = svg_handle_open(s, s->doc, e);
	if (!handle)
		return ERR_INPUT;
	rc = placeholders_read(s, handle, root, &like, width, height, boxes, max, n, e);
	g_object_unref(handle);
	return rc;
}

/* ---- drawing
 * ---------------------------------------------------------------------------------------- */

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
			int own_ink = cs_word(node, "ink", ink_words, ARRAY_LEN(ink_words), ink);
			int own_only =
				cs_word(node, "only", only_words, ARRAY_LEN(only_words), only);
			char text[32];
			bool own_bare = bare || xmlHasNsProp(node, (const xmlChar *)"overlay",
							(const xmlChar *)TEMPLATE_NS);
			if (own_ink < 0 ||
				(own_only < 0 &&
					(!cs_get(node, "only", text, sizeof text) || text[0])))
				return node_error(s, node, e,
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
