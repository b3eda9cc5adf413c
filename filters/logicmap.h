/*
 * logicmap.h - logic.map: which field stands where in the data of a memory card.
 *
 *   证号 20
 *   姓名 26
 *
 * One field a line with its bytes in GBK, padded with blanks, one after the other from the first
 * data byte; what is left stays 00.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_LOGICMAP_H
#define CARDSPOOL_LOGICMAP_H

#include "filters/card.h"

enum { LOGIC_MAP_BYTES = 208, LOGIC_MAP_FIELDS = 64 };

struct logic_map {
	struct {
		int field; /* of the schema */
		unsigned at, len;
	} place[LOGIC_MAP_FIELDS];
	size_t n;
	unsigned used;
};

/* A map that does not fit, cuts a field or names it twice is refused with file and line. */
int logic_map_parse(struct logic_map *out, const uint8_t *bytes, size_t len, const char *name,
	const struct schema *s, struct err *e);
int logic_map_load(struct logic_map *out, const char *path, const struct schema *s, struct err *e);
/* ERR_INPUT names the record and the field whose value does not fit. */
int logic_data_build(uint8_t out[LOGIC_MAP_BYTES], const struct logic_map *m,
	const struct schema *s, const struct record *r, struct err *e);

#endif
