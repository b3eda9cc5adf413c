/*
 * model.c - printer models and ribbons as tables.
 *
 * Owns every figure the protocol document leaves open, one column each. Marked "model value":
 * chosen so that a test has something plausible to meet, not known of any real machine.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <string.h>
#include <strings.h>

const char *const step_names[STEP_COUNT] = {"feed", "station", "print", "flip", "eject", "reject"};
const char *const position_names[] = {"none", "print", "contact", "contactless"};
const char panel_names[P_COUNT + 1] = "ymcko";

const struct model models[] = {
	{.name = "dualys3",
		.title = "Dualys 3",
		.dialect = &dialect_evolis,
		.id1284 = "MFG:EVOLIS ;MDL:Dualys 3;CMD:MP;CLS:PRINTER;",
		.manufacturer = "Evolis",
		.product = "Dualys 3",
		.vid = 0x0f49,
		.pid = 0x0300,           /* invented: no source names it */
		.firmware = "1096",      /* model value */
		.head_kit = "272012345", /* model value: resistance x 10, then serial */
		.duplex = true,
		.levels_256 = false,
		.ribbon_tag = false,
		.ribbon_check = true,  /* inferred */
		.pem_answers = true,   /* inferred */
		.cleaning_stop = NULL, /* inferred: cleaning is advice until the warranty is lost */
		.reject_full = "HOPPER FULL", /* inferred: the texts know only one full box */
		.cleaning_cards = 1000,       /* model value */
		.buffer_bytes = 1u << 20,     /* model value */
		/* model values, about a colour card in 25 s */
		.step_ms = {1500, 1000, 200, 2000, 1500, 1500},
		.panel_ms = {4500, 4500, 4500, 2500, 4000}},
	{.name = NULL},
};

const struct model *
model_find(const char *name)
{
	for (const struct model *m = models; m->name; m++)
		if (!strcasecmp(m->name, name))
			return m;
	return NULL;
}

static const struct ribbon_kind ribbon_kinds[] = {
	{"ymcko", "ymcko", "", {0, 0, 0}},
	{"ymckos", "ymcko", "", {0, 0, 0}},
	{"ymckok", "ymcko", "k", {0, 0, 0}},
	{"k", "k", "k", {0, 0, 0}},
	{"ka", "k", "k", {0, 0, 0}},
	{"ko", "ko", "", {0, 0, 0}},
	{"kb", "k", "k", {20, 60, 160}},
	{"kw", "k", "k", {255, 255, 255}},
	{"kr", "k", "k", {190, 20, 30}},
	{"kbl", "k", "k", {0, 0, 0}},
	{"kgr", "k", "k", {20, 120, 60}},
	{"kgo", "k", "k", {190, 150, 60}},
	{"ksi", "k", "k", {170, 170, 175}},
	{"ksc", "k", "k", {120, 120, 120}},
	{"h", "o", "o", {0, 0, 0}},
	{"ho", "o", "o", {0, 0, 0}},
};

const struct ribbon_kind *
ribbon_kind_find(const char *name)
{
	for (size_t i = 0; i < EMU_LEN(ribbon_kinds); i++)
		if (!strcmp(ribbon_kinds[i].name, name))
			return &ribbon_kinds[i];
	return NULL;
}
