/*
 * ribbon.c - which panels one card's worth of ribbon offers to each side.
 *
 * Owns the table of ribbons by the name that the PPD and the printer use. A side with an empty list
 * is not printed. Cannot fail: an unknown name is NULL.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/card.h"

#include <string.h>

/* The half panel of newer Evolis machines spans 400 stream lines; older ones take up to 420. */
enum { HALF_PANEL_LINES = 400 };

const struct ribbon ribbons[] = {
	{"ymcko", "YMCKO", "", 0},
	{"ymckok", "YMCKO", "K", 0},
	{"ymckos", "YMCKO", "", HALF_PANEL_LINES},
	{"ymckoks", "YMCKO", "K", HALF_PANEL_LINES},
	{"ymcko2", "YMCKO", "YMCKO", 0}, /* two sets of panels a card, duplex in colour */
	{"ymckou", "YMCKOU", "", 0},
	{"ko", "KO", "", 0},
	{"kok", "KO", "K", 0},
	{"k", "K", "K", 0},
	{"kb", "K", "K", 0},
	{"kw", "K", "K", 0},
	{"kr", "K", "K", 0},
	{"kbl", "K", "K", 0},
	{"kgr", "K", "K", 0},
	{"kgo", "K", "K", 0},
	{"ksi", "K", "K", 0},
	{NULL, NULL, NULL, 0},
};

const struct ribbon *
ribbon_find(const char *name)
{
	for (const struct ribbon *r = ribbons; r->name; r++)
		if (name && !strcmp(r->name, name))
			return r;
	return NULL;
}
