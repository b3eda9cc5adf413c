/*
 * ndef.h - NDEF messages: what a telephone reads from a badge's tag.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_NDEF_H
#define CARDSPOOL_NDEF_H

#include "filters/card.h"

/* ndef.map of a template: which records a tag gets, with {FIELD} in their text. */
struct ndef_map;
int ndef_map_parse(struct ndef_map **out, const uint8_t *bytes, size_t len, const char *name,
	const struct schema *s, struct err *e);
int ndef_map_load(struct ndef_map **out, const char *path, const struct schema *s, struct err *e);
void ndef_map_destroy(struct ndef_map *m);
/* Appends the message of one record. ERR_INPUT: longer than NDEF_MESSAGE_MAX. */
int ndef_build(struct buf *out, const struct ndef_map *m, const struct schema *s,
	const struct record *r, struct err *e);

/* The map has a line "pass KIND": the printing pass writes the tag. */
bool ndef_map_pass(const struct ndef_map *m);
/* The tag of one record for the pass. ERR_INPUT: more than that kind of tag holds. */
int tag_image_build(struct tag_image *out, const struct ndef_map *m, const struct schema *s,
	const struct record *r, struct err *e);
/* False: no kind of tag has that size, or the message is none. */
bool tag_image_valid(const struct tag_image *t);

/* The maps beside a schema in a template's folder (template.c); NULL: there is none. ERR_INPUT:
 * both would write the card's only chip. The caller destroys both. */
int chip_maps_load(struct chip_map **chip, struct ndef_map **tag, const char *dir,
	const struct schema *s, struct err *e);
/* What the printing pass writes on the card's tag; NULL: nothing. */
const struct ndef_map *template_tag_map(const struct template *t);

/* Each record of a message as text for people: "uri", "text", "text/vcard" …, and its content;
 * content that is no text comes as its length. ERR_INPUT: not a whole message. */
typedef int ndef_visitor(void *ctx, const char *kind, const char *content);
int ndef_parse(const uint8_t *message, size_t len, ndef_visitor *visit, void *ctx, struct err *e);

#endif
