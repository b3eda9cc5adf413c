/*
 * logic-parse.h - from a memory card's bytes back to a record.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_LOGIC_PARSE_H
#define CARDSPOOL_LOGIC_PARSE_H

#include "filters/logicmap.h"

enum { MEMORY_CARD_LEN = 256 };

/* The way back of logic_data_build: values with the padding off; fields without a place stay empty.
 * The schema's rules are not applied. End it with record_done. ERR_INPUT names a field that is not
 * GBK. */
int logic_record_parse(struct record *out, const struct logic_map *m, const struct schema *s,
	const uint8_t data[LOGIC_MAP_BYTES], struct err *e);
/*
 * A card of another system, by a map that the office wrote: "FIELD FIRST LENGTH" a line, FIRST the
 * byte of the card from 0. Blanks, 00 and FF behind a value are padding.
 */
int old_record_parse(struct record *out, const uint8_t *map, size_t map_len, const char *map_name,
	const struct schema *s, const uint8_t card[MEMORY_CARD_LEN], struct err *e);

#endif
