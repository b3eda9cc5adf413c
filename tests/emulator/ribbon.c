/*
 * ribbon.c - the reel in the printer: how many panels are left, and what the printer takes it for.
 *
 * Guarantees: a panel that has passed the head does not come back but with a new reel. All calls
 * with emu->lock held.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <stdlib.h>
#include <string.h>

#define REEL_SETS 200u /* a reel of the trade; --ribbon NAME:N says otherwise */

void
reel_fill(struct reel *r)
{
	for (int i = 0; i < P_COUNT; i++)
		r->left[i] = 0;
	for (const char *c = r->kind->front; *c; c++)
		r->left[strchr(panel_names, *c) - panel_names] = r->capacity;
	for (const char *c = r->kind->back; *c; c++)
		r->left[strchr(panel_names, *c) - panel_names] +=
			strcmp(r->kind->front, r->kind->back) ? r->capacity : 0;
	r->sets = r->capacity;
	r->ended = false;
}

int
printer_ribbon(struct printer *p, const char *spec)
{
	char name[32];
	const char *colon = strchr(spec, ':');
	snprintf(name, sizeof name, "%.*s", colon ? (int)(colon - spec) : (int)strlen(spec), spec);
	const struct ribbon_kind *kind = ribbon_kind_find(name);
	if (!kind)
		return -1;
	p->reel.kind = kind;
	p->reel.capacity = colon ? (unsigned)strtoul(colon + 1, NULL, 10) : REEL_SETS;
	reel_fill(&p->reel);
	return 0;
}

const struct ribbon_kind *
printer_ribbon_seen(struct printer *p)
{
	if (!p->reel.kind || !p->faults.unsure)
		return p->reel.kind;
	return p->unsure_count++ % 2 ? p->faults.unsure : p->reel.kind;
}

const char *
machine_ribbon(struct printer *p, const char *declared)
{
	const struct reel *r = &p->reel;
	if (!r->kind || r->ended || r->sets == 0)
		return "ERROR RIBBON";
	if (p->model->ribbon_check && declared && *declared &&
		strcmp(declared, printer_ribbon_seen(p)->name))
		return "ERROR RIBBON";
	return NULL;
}

/* Moves the ribbon past one set's panels for this side; which panels were burnt is the dyes'
 * matter. */
void
ribbon_advance(struct printer *p, int side)
{
	struct reel *r = &p->reel;
	bool own = side && *r->kind->back; /* the back has panels of its own in the set */
	const char *panels = own ? r->kind->back : r->kind->front;
	for (const char *c = panels; *c; c++) {
		unsigned *left = &r->left[strchr(panel_names, *c) - panel_names];
		*left -= *left > 0;
		p->life_panels++;
	}
	if (!own || !strcmp(r->kind->front, r->kind->back))
		r->sets -= r->sets > 0;
}
