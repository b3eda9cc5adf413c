/*
 * sample.h - between the parts of cardspool-sample: invented people, their portraits, their files.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_SAMPLE_H
#define CARDSPOOL_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- people (sample-people.c) ---- */

enum { SAMPLE_FIELDS = 29, SAMPLE_VALUE_MAX = 128 };

struct sample_field {
	const char *name;
	unsigned max_bytes; /* in GBK */
};
extern const struct sample_field sample_fields[SAMPLE_FIELDS];

struct person {
	char value[SAMPLE_FIELDS][SAMPLE_VALUE_MAX]; /* UTF-8 */
	bool woman;
	unsigned age;
};

/* Invents person number index (from 0); the same index is always the same person. */
void person_invent(struct person *p, unsigned index);
/* A small generator with good low bits (splitmix64); state may start anywhere. */
uint64_t sample_random(uint64_t *state);

/* ---- portraits (sample-portrait.c) ---- */

/* BGRX, stride 4 * width, height : width = 5 : 4. The caller frees. NULL: no memory. */
uint8_t *portrait_draw(const struct person *p, unsigned index, unsigned width, unsigned height);

#endif
