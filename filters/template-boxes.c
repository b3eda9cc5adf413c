/*
 * template-boxes.c - the placeholders of a drawing.
 *
 * Owns what a placeholder may say. Guarantees: each has a place that lies wholly on the card, and a
 * word, a number or a combination that makes no sense is refused with its line. On failure the
 * boxes read so far are of no use.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/template-svg-node.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_words[BOX_KIND_COUNT] = {"text", "photo", "seal", "barcode", "art"};
static const char *const symbology_words[SYM_COUNT] = {
	"qr", "code128", "code39", "pdf417", "datamatrix"};
/* Least dots a module that scanners of phones and desks read from a printed card at 300 dpi. */
static const unsigned symbology_modules[SYM_COUNT] = {3, 2, 2, 2, 3};
static const char *const align_words[ALIGN_COUNT] = {"left", "center", "right"};
static const char *const fit_words[FIT_COUNT] = {"shrink", "wrap"};

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
		{"ink", svg_ink_words, INK_COUNT, INK_RESIN, &b->ink},
		{"barcode", symbology_words, SYM_COUNT, SYM_QR, &b->symbology},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int word = svg_own_word(
			node, rows[i].name, rows[i].words, rows[i].n, rows[i].fallback);
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

	if (!svg_own_get(node, "show-if", text, sizeof text))
		return svg_node_error(s, node, e, _("show-if is too long."));
	if (!text[0])
		return 0;
	char *name = text + (text[0] == '!'), *equal = strchr(name, '=');
	b->show = text[0] == '!' ? SHOW_EMPTY : SHOW_SET;
	if (equal && b->show == SHOW_SET) {
		bool unequal = equal > name && equal[-1] == '!';
		b->show = unequal ? SHOW_UNEQUAL : SHOW_EQUAL;
		equal[unequal ? -1 : 0] = '\0';
		if (strlen(equal + 1) >= sizeof b->show_value)
			return svg_node_error(s, node, e, _("show-if is too long."));
		snprintf(b->show_value, sizeof b->show_value, "%s", equal + 1);
	}
	if (!name[0] || strlen(name) >= sizeof b->show_field)
		return svg_node_error(
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
		return svg_node_error(s, node, e, _("a bar code is printed in resin."));
	if (b->ink == INK_UV && (b->kind == BOX_SEAL || b->kind == BOX_ART))
		return svg_node_error(s, node, e,
			_("a seal or a group of kind art cannot be fluorescent; draw fixed art."));
	if (!svg_own_get(node, "overlay", text, sizeof text) || (text[0] && strcmp(text, "none")))
		return svg_node_error(s, node, e, _("overlay is none or is not there."));
	return 0;
}

static int
barcode_words(const struct svg *s, const xmlNode *node, struct box *b, struct err *e)
{
	double module;

	if (!svg_own_get(node, "field", b->field_name, sizeof b->field_name) || !b->field_name[0])
		return svg_node_error(s, node, e, _("the placeholder must name its field."));
	if (!svg_own_number(node, "module", symbology_modules[b->symbology], 1, 64, &module))
		return svg_node_error(s, node, e, _("module must be 1 to 64 dots."));
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
	if (!svg_own_get(node, "field", b->field_name, sizeof b->field_name) || !b->field_name[0])
		return svg_node_error(s, node, e, _("the placeholder must name its field."));
	if (!svg_own_get(node, "format", b->format, sizeof b->format) ||
		!svg_own_get(node, "font", b->font, sizeof b->font) || !b->font[0])
		return svg_node_error(s, node, e, _("the placeholder must name its font."));
	if (!svg_own_number(node, "size", 0, 4, 1000, &size) ||
		!svg_own_number(node, "min-size", size, 4, size, &min_size))
		return svg_node_error(
			s, node, e, _("size must be 4 to 1000 dots, and min-size at most size."));
	if (!svg_own_number(node, "lines", b->fit == FIT_WRAP ? 2 : 1, 1, 16, &lines))
		return svg_node_error(s, node, e, _("lines must be a number from 1 to 16."));
	b->size = (unsigned)lround(size * TEMPLATE_SIZE_UNIT);
	b->min_size = (unsigned)lround(min_size * TEMPLATE_SIZE_UNIT);
	b->lines = (uint8_t)lround(lines);
	if (!svg_fill(node, &b->colour) && b->ink == INK_DYE)
		return svg_node_error(s, node, e,
			_("the text's colour is the fill of its rectangle; write it as #rrggbb."));
	return 0;
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
		return svg_node_error(s, node, e, no_place);
	double x0 = round(logical.x), y0 = round(logical.y);
	double x1 = round(logical.x + logical.width), y1 = round(logical.y + logical.height);
	if (!(x1 - x0 >= 1 && y1 - y0 >= 1))
		return svg_node_error(s, node, e, no_place);
	if (!(x0 >= 0 && y0 >= 0 && x1 <= width && y1 <= height))
		return svg_node_error(s, node, e, _("the placeholder reaches beyond the card."));
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
				return svg_node_error(s, node, e, _("too many placeholders."));
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
