/*
 * state.c - what a machine remembers while it is switched off: its counters and its ribbon.
 *
 * One JSON file for all printers of a run, by serial number; numbers that are not there begin anew,
 * other machines' are kept. The file is replaced as a whole; a reader never meets half of it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Counters as fields of struct printer. */
static const struct counter {
	const char *name;
	size_t at;
} counters[] = {
	{"life_cards", offsetof(struct printer, life_cards)},
	{"life_panels", offsetof(struct printer, life_panels)},
	{"cleanings", offsetof(struct printer, cleanings)},
	{"since_cleaning", offsetof(struct printer, since_cleaning)},
};

static void
ribbon_take(struct printer *p, json_t *ribbon)
{
	const char *name = json_string_value(json_object_get(ribbon, "name"));
	const struct ribbon_kind *kind = name ? ribbon_kind_find(name) : NULL;
	if (!kind)
		return;
	p->reel.kind = kind;
	p->reel.capacity = (unsigned)json_integer_value(json_object_get(ribbon, "capacity"));
	reel_fill(&p->reel);
	p->reel.sets = (unsigned)json_integer_value(json_object_get(ribbon, "left"));
	p->reel.ended = json_is_true(json_object_get(ribbon, "ended"));
	json_t *left = json_object_get(ribbon, "panels");
	for (int i = 0; i < P_COUNT; i++) {
		char panel[2] = {panel_names[i], 0};
		json_t *n = json_object_get(left, panel);
		if (n)
			p->reel.left[i] = (unsigned)json_integer_value(n);
	}
	p->spare.kind = kind;
	p->spare.capacity = p->reel.capacity;
	reel_fill(&p->spare);
}

int
state_read(struct emu *emu, const char *path)
{
	json_error_t e;
	if (access(path, F_OK) && errno == ENOENT)
		return 0;
	json_t *all = json_load_file(path, 0, &e);
	if (!json_is_object(all)) {
		fprintf(stderr, "cardspool-emulator: --state %s: line %d: %s\n", path, e.line,
			all ? "not a table of printers" : e.text);
		json_decref(all);
		return -1;
	}
	for (unsigned i = 0; i < emu->n_printers; i++) {
		struct printer *p = emu->printer[i];
		json_t *one = json_object_get(all, p->serial);
		for (size_t c = 0; one && c < EMU_LEN(counters); c++)
			*(unsigned long *)(void *)((char *)p + counters[c].at) =
				(unsigned long)json_integer_value(
					json_object_get(one, counters[c].name));
		if (one)
			ribbon_take(p, json_object_get(one, "ribbon"));
	}
	json_decref(all);
	return 0;
}

static json_t *
printer_state(const struct printer *p)
{
	json_t *one = json_object(), *left = json_object();
	for (size_t c = 0; c < EMU_LEN(counters); c++)
		json_object_set_new(one, counters[c].name,
			json_integer((json_int_t) *
				     (const unsigned long *)(const void *)((const char *)p +
									   counters[c].at)));
	for (int i = 0; i < P_COUNT; i++) {
		char panel[2] = {panel_names[i], 0};
		json_object_set_new(left, panel, json_integer(p->reel.left[i]));
	}
	json_object_set_new(one, "ribbon",
		json_pack("{s:s, s:i, s:i, s:b, s:o}", "name",
			p->reel.kind ? p->reel.kind->name : "none", "left", (int)p->reel.sets,
			"capacity", (int)p->reel.capacity, "ended", p->reel.ended, "panels", left));
	return one;
}

void
state_write(struct emu *emu)
{
	char part[4096];
	json_t *all = json_load_file(emu->state_path, 0, NULL);
	if (!json_is_object(all)) {
		json_decref(all);
		all = json_object();
	}
	for (unsigned i = 0; i < emu->n_printers; i++)
		json_object_set_new(all, emu->printer[i]->serial, printer_state(emu->printer[i]));
	int n = snprintf(part, sizeof part, "%s.part", emu->state_path);
	if (n < 0 || (size_t)n >= sizeof part || json_dump_file(all, part, JSON_INDENT(2)) ||
		rename(part, emu->state_path))
		emu_log(emu, "error: %s cannot be written: %s", emu->state_path, strerror(errno));
	json_decref(all);
}
