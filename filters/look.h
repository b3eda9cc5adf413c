/*
 * look.h - what a queue or a job wants of its cards beyond the artwork: colour, overlay, UV.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_LOOK_H
#define CARDSPOOL_LOOK_H

#include "filters/dye.h"

enum overlay_kind { OVERLAY_FULL, OVERLAY_NONE, OVERLAY_MASK, OVERLAY_KIND_COUNT };

/* All 0: exactly as the template has it, the dye the plain complement of light. */
struct print_look {
	const struct dye_table *dye; /* NULL: the complement; the owner outlives whoever draws */
	enum overlay_kind overlay;
	unsigned areas; /* OVERLAY_MASK: bits of enum card_area that stay bare */
	bool uv_must;   /* fluorescent art without a panel for it is an error, not left out */
};

/* The renderer draws so from now on; look NULL: all 0. Keeps no pointer but look->dye. */
int renderer_look(struct renderer *r, const struct print_look *look, struct err *e);

/* ---- overlay (overlay.c) -------------------------------------------------------------------- */

/* Areas of a card that must not be varnished; each lies on one side. */
enum card_area { AREA_CHIP, AREA_STRIPE, AREA_SIGNATURE, AREA_COUNT };
enum { AREAS_ALL = (1 << AREA_COUNT) - 1 };
struct area_rect {
	unsigned x, y, w, h; /* artwork dots */
};
/* Where an area lies on artwork of width x height dots, in whose middle the card is. False: the
 * area is on the other side. */
bool area_find(enum card_area area, enum side side, unsigned width, unsigned height, unsigned dpi,
	struct area_rect *out);
/* Takes from the overlay o of a side what the look does not want: all of it, or the areas. An o
 * that is absent stays absent. */
int overlay_limit(struct plane *o, const struct print_look *look, enum side side, unsigned dpi,
	struct err *e);
/* Clears a rectangle of artwork on a 1-bit plane that has data. */
void plane_clear(struct plane *p, const struct area_rect *rect);

/* ---- profiles (profile.c) ------------------------------------------------------------------- */

#define PROFILE_FILE_MAX (8 * 1024 * 1024)

/*
 * The table for a printer and ribbon: folder/MODEL-RIBBON.icc, else .tone; with name (NULL: none)
 * the file of that name in the folder, "none" for no profile. model: "Evolis Dualys 3" is looked
 * for as evolis-dualys-3. Nothing found and a plain tone: 0 with *out NULL, the complement. A file
 * that is damaged, or a name that is not there or leads out of the folder, is an error. The caller
 * frees *out.
 */
int profile_load(struct dye_table **out, const char *folder, const char *model, const char *ribbon,
	const char *name, const struct dye_tone *tone, struct err *e);

#endif
