/*
 * status.c - what an observer may see: "stat" of the console and OUT/printer.json.
 *
 * printer.json is replaced as a whole after every event; a reader never meets half of it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <stdlib.h>
#include <string.h>

static json_t *
ribbon_status(const struct reel *r)
{
	json_t *left = json_object();
	for (int i = 0; r->kind && i < P_COUNT; i++) {
		char name[2] = {panel_names[i], 0};
		if (strchr(r->kind->front, name[0]) || strchr(r->kind->back, name[0]))
			json_object_set_new(left, name, json_integer(r->ended ? 0 : r->left[i]));
	}
	return json_pack("{s:s, s:i, s:i, s:o}", "name", r->kind ? r->kind->name : "none", "left",
		r->ended ? 0 : (int)r->sets, "capacity", (int)r->capacity, "panels", left);
}

static json_t *
printer_status(const struct printer *p)
{
	return json_pack(
		"{s:s, s:s, s:b, s:b, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:o, s:i, s:i, s:b, "
		"s:s, s:b}",
		"model", p->model->name, "serial", p->serial, "powered", p->powered, "plugged",
		p->usb->plugged, "position", p->inside ? position_names[p->position] : "empty",
		"card", p->inside ? (int)p->inside->serial : 0, "hopper", (int)printer_hopper(p),
		"inside", p->inside ? 1 : 0, "good", (int)p->good, "reject", (int)p->rejected,
		"hand", (int)p->by_hand, "total", (int)p->n_cards, "ribbon",
		ribbon_status(&p->reel), "life", (int)p->life_cards, "panels", (int)p->life_panels,
		"jammed", p->jammed, "jam", p->jammed ? step_names[p->jam_step] : "", "cover_open",
		p->faults.cover_open);
}

static json_t *
words_status(const struct printer *p)
{
	uint32_t words[STATUS_WORDS];
	json_t *all = json_object();
	status_words(p, words);
	for (size_t i = 0; i < STATUS_WORDS; i++) {
		char hex[9];
		snprintf(hex, sizeof hex, "%08x", words[i]);
		json_object_set_new(all, status_word_names[i], json_string(hex));
	}
	return all;
}

static json_t *
tracks_status(const struct emu_card *c)
{
	json_t *all = json_array();
	for (int t = 0; t < TRACKS; t++)
		json_array_append_new(all, c->track[t] ? json_string(c->track[t]) : json_null());
	return all;
}

static json_t *
cards_status(const struct printer *p)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < p->n_cards; i++) {
		const struct emu_card *c = p->cards[i];
		char uid[2 * sizeof c->chip.uid + 1] = "";
		for (unsigned b = 0; b < c->chip.uid_len; b++)
			snprintf(uid + 2 * b, 3, "%02x", c->chip.uid[b]);
		json_t *one = json_pack("{s:i, s:s, s:s, s:i}", "serial", (int)c->serial, "uid",
			uid, "bin", c->bin, "chip_writes", (int)c->chip.writes);
		if (c->track[0] || c->track[1] || c->track[2])
			json_object_set_new(one, "tracks", tracks_status(c));
		json_array_append_new(list, one);
	}
	return list;
}

json_t *
status_printer(struct printer *p)
{
	json_t *one = printer_status(p);
	json_object_set_new(one, "cards", cards_status(p));
	json_object_set_new(one, "words", words_status(p));
	json_object_set_new(one, "strict", json_integer((json_int_t)p->strict_lines));
	json_object_set_new(one, "dialect", p->model->dialect->status(p->dialect));
	json_object_set_new(one, "usb",
		json_pack("{s:i, s:I, s:I, s:b}", "devnum", (int)p->usb->devnum, "bytes_out",
			(json_int_t)p->usb->bytes_out, "bytes_in", (json_int_t)p->usb->bytes_in,
			"claimed", p->usb->owner != NULL));
	return one;
}

char *
status_text(struct emu *emu)
{
	json_t *all = json_array();
	for (unsigned i = 0; i < emu->n_printers; i++)
		json_array_append_new(all, status_printer(emu->printer[i]));
	json_t *answer =
		emu->n_printers == 1 ? json_incref(json_array_get(all, 0)) : json_incref(all);
	char *text = json_dumps(answer, JSON_COMPACT);
	json_decref(answer);
	json_decref(all);
	return text;
}

void
status_show(struct printer *p)
{
	char path[sizeof p->out_dir + 32], part[sizeof path];
	if (!*p->out_dir)
		return;
	snprintf(path, sizeof path, "%s/printer.json", p->out_dir);
	snprintf(part, sizeof part, "%s/.printer.json.part", p->out_dir);
	json_t *one = printer_status(p);
	if (json_dump_file(one, part, JSON_INDENT(2)) || rename(part, path))
		emu_log(p->emu, "error: %s cannot be written", path);
	json_decref(one);
}

void
status_write(struct emu *emu)
{
	for (unsigned i = 0; i < emu->n_printers; i++)
		status_show(emu->printer[i]);
}
