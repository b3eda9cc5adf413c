/*
 * forms.c - planes of every kind for the tests that look which form a plane goes out in.
 *
 * One dot; lines of text; a photo on white; and noise, which no run can shorten.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/forms.h"

#include <stdio.h>
#include <stdlib.h>

const char *const forms_names[FORMS_KINDS] = {"dot", "text", "photo", "noise"};

static unsigned
value_at(enum forms_kind kind, unsigned dot, unsigned line, uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	switch (kind) {
	case FORMS_DOT:
		return dot == 300 && line == 500 ? 255 : 0;
	case FORMS_TEXT:
		return line % 60 > 20 && dot > 80 && dot < 560 && (dot / 5 + line / 7) % 3 == 0
			       ? 255
			       : 0;
	case FORMS_PHOTO:
		return dot > 200 && dot < 436 && line > 300 && line < 595
			       ? (dot + line) % 200 + (*seed >> 27)
			       : 0;
	default:
		return *seed >> 24;
	}
}

void
forms_plane(struct plane *p, enum forms_kind kind, unsigned bits, unsigned dots, unsigned lines)
{
	struct err e;
	uint32_t seed = 1;

	if (plane_create(p, bits, dots, lines, &e) != 0)
		abort();
	for (unsigned y = 0; y < lines; y++)
		for (unsigned x = 0; x < dots; x++) {
			unsigned v = value_at(kind, x, y, &seed);
			uint8_t *at = p->data + (size_t)y * p->stride + (bits == 1 ? x / 8 : x);
			if (bits == 8)
				*at = (uint8_t)v;
			else if (v > 127)
				*at |= (uint8_t)(0x80 >> x % 8);
		}
}

void
forms_print(
	const char *model, const char *panel, enum forms_kind kind, const char *form, size_t len)
{
	printf("# %-20s %-6s %-5s %-14s %7zu bytes, %.3f s at full speed\n", model, panel,
		forms_names[kind], form, len, (double)len / FORMS_FULL_SPEED_BPS);
}
