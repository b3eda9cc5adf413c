/*
 * evolis-magnet.c - magnetic tracks: loaded, written on the card, read back.
 *
 * Owns what is loaded for the next card; the tracks themselves are the card's. Loaded tracks are
 * written at Smw, or at Se in a card sequence (inferred: the vendor's filter sends no Smw).
 * Invented: which characters a coding takes beside ISO 1 to 3, and the form of an answer to Rmb.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/evolis.h"

#include <stdlib.h>
#include <string.h>

/* ISO 7811: what each track holds without sentinels and check character. */
static const struct coding {
	const char *name;
	char low, high;
	size_t max;
} codings[] = {
	{"1", 0x20, 0x5f, 76}, {"2", 0x30, 0x3f, 37}, {"3", 0x30, 0x3f, 104},
	{NULL, 0x20, 0x7e, 200}, /* the other codings */
};

static int
track_index(const char *s)
{
	return s[0] >= '1' && s[0] <= '3' && !s[1] ? s[0] - '1' : -1;
}

void
evolis_tracks_drop(struct evolis *e)
{
	for (int t = 0; t < TRACKS; t++) {
		free(e->track[t]);
		e->track[t] = NULL;
	}
}

/* The data may hold separators: everything after "Dm;t;". */
static const char *
run_dm(struct call *c)
{
	struct evolis *e = c->e;
	int t = track_index(c->c->argv[0]);
	if (!e->printer->model->magnetic)
		return "OPT NOT AVAILABLE";
	if (t < 0)
		return "ERROR PARAMETRES";
	const char *data = c->c->text + strlen("Dm;1;");
	char key[] = "Pmt;1";
	key[4] = (char)('1' + t);
	const char *name = params_value(e->params, key);
	const struct coding *k = codings;
	while (k->name && strcmp(k->name, name ? name : c->c->argv[0]))
		k++;
	bool fits = strlen(data) <= k->max;
	for (const char *d = data; *d; d++)
		fits = fits && *d >= k->low && *d <= k->high;
	if (!fits) {
		evolis_strict(e, "characters or length that the track's coding does not take",
			c->c->argv[0]);
		return "ERROR MAG DATA";
	}
	free(e->track[t]);
	e->track[t] = strdup(data);
	return "OK";
}

const char *
evolis_tracks_write(struct evolis *e)
{
	struct printer *p = e->printer;
	bool any = e->track[0] || e->track[1] || e->track[2];
	const char *fault = any ? machine_move(p, POS_PRINT) : NULL;
	if (!any || fault)
		return fault;
	if (p->faults.magnet_write)
		return "ERROR MAG";
	if (p->faults.magnet_checksum)
		return "ERROR MAG CHECKSUM";
	for (int t = 0; t < TRACKS; t++) {
		if (!e->track[t])
			continue;
		free(p->inside->track[t]);
		p->inside->track[t] = e->track[t];
		e->track[t] = NULL;
		emu_log(p->emu, "card %u: track %d written", p->inside->serial, t + 1);
	}
	return NULL;
}

static const char *
run_smw(struct call *c)
{
	if (!c->e->printer->model->magnetic)
		return "OPT NOT AVAILABLE";
	const char *fault = evolis_tracks_write(c->e);
	return fault ? fault : "OK";
}

static const char *
run_smr(struct call *c)
{
	struct evolis *e = c->e;
	struct printer *p = e->printer;
	int t = track_index(c->c->argv[0]);
	if (!p->model->magnetic)
		return "OPT NOT AVAILABLE";
	if (t < 0)
		return "ERROR PARAMETRES";
	const char *fault = machine_move(p, POS_PRINT);
	if (fault)
		return fault;
	e->read[t][0] = 0;
	if (p->faults.magnet_read || !p->inside->track[t])
		return "ERROR MAG"; /* blank, or not to be read */
	if (p->faults.magnet_checksum)
		return "ERROR MAG CHECKSUM";
	snprintf(e->read[t], sizeof e->read[t], "%s", p->inside->track[t]);
	return "OK";
}

static const char *
run_rmb(struct call *c)
{
	int t = track_index(c->c->argv[0]);
	return t < 0 ? "ERROR PARAMETRES" : c->e->read[t];
}

const struct verb evolis_magnets[] = {
	{"Dm", SETS, 2, COMMAND_ARGS_MAX, run_dm},
	{"Smw", MOVES, 0, 0, run_smw},
	{"Smr", MOVES, 1, 1, run_smr},
	{"Rmb", READS, 1, 1, run_rmb},
	{NULL, SETS, 0, 0, NULL},
};
