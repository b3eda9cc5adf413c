/*
 * epcl-load.c - planes and magnetic tracks on their way to an EPCL printer.
 *
 * Owns the verbs load and tracks. A printer with extended memory gets the front's planes at once,
 * which moves nothing and may go on while a chip is written; one with standard memory gets each
 * plane just before its panel is printed. On failure nothing of the card is touched and nothing
 * counts as loaded.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/epcl.h"

#include <stdio.h>
#include <string.h>

static int
panel_missing(const char *panels, enum side side, const struct face *face,
	const struct ribbon *ribbon, struct err *e)
{
	for (int i = 0; i < PANEL_COUNT; i++) {
		enum plane_fill fill = face->plane[i].fill;
		if ((fill == PLANE_DATA || fill == PLANE_FULL) && !strchr(panels, panel_letters[i]))
			return err_set(e, ERR_INPUT,
				_("The %s of the card needs panel %c, which the ribbon %s lacks "
				  "there."),
				_(side_names[side]), panel_letters[i], ribbon->name);
	}
	return 0;
}

static int
panel_load(struct printer *p, enum side side, int panel, const struct plane *in, struct err *e)
{
	struct epcl_format format = {.dots = p->model->head_dots,
		.lines = p->model->head_lines,
		.levels = epcl_setting_number(p, "colour-levels", 32),
		.mono_raw = strcmp(epcl_setting(p, "mono-compressed"), "off") == 0,
		.escape = strcmp(epcl_setting(p, "mono-escape"), "on") == 0};
	struct epcl_panel *out = &p->panels[side][panel];
	bool varnish = panel == PANEL_O;

	if (in->fill != PLANE_DATA && in->fill != PLANE_FULL)
		return 0;
	out->used = true;
	if (panel <= PANEL_C)
		return epcl_colour_plane(&out->data, (unsigned)(panel - PANEL_Y), in, &format, e);
	if (in->fill == PLANE_DATA)
		return epcl_mono_plane(
			&out->data, out->area, sizeof out->area, varnish, in, &format, e);
	snprintf(out->area, sizeof out->area, "%sL 0 0 %u %u 1", varnish ? "v" : "",
		format.lines - 1, format.dots - 1);
	return 0;
}

static int
side_load(struct printer *p, enum side side, const struct face *face, struct err *e)
{
	const struct ribbon *ribbon = p->job.ribbon;
	const char *panels = side == SIDE_FRONT ? ribbon->front : ribbon->back;
	int rc = panel_missing(panels, side, face, ribbon, e);

	for (int i = PANEL_Y; i <= PANEL_O && rc == 0; i++)
		if (strchr(panels, panel_letters[i]))
			rc = panel_load(p, side, i, &face->plane[i], e);
	/* A set of colour panels is used up together: blank ones are printed from cleared planes.
	 */
	struct epcl_panel *of = p->panels[side];
	bool colour = of[PANEL_Y].used || of[PANEL_M].used || of[PANEL_C].used;
	for (int i = PANEL_Y; i <= PANEL_C; i++)
		of[i].used = colour;
	return rc;
}

/* A command of a download. Nothing moves, so there is no doubt about a card. */
static int
bytes_send(struct printer *p, const struct buf *bytes, struct err *e)
{
	struct epcl_reply reply;
	bool sent;
	int rc = epcl_link_exchange(
		&p->link, bytes->data, bytes->len, p->link.plane_ms, &reply, &sent, e);

	return epcl_look_failed(rc ? rc : epcl_judge(p, EPCL_SETUP, &reply, e), e);
}

static int
panel_data_send(struct printer *p, const struct epcl_panel *panel, struct err *e)
{
	int rc = panel->area[0] ? epcl_set(p, panel->area, e) : 0;

	return rc || !panel->data.len ? rc : bytes_send(p, &panel->data, e);
}

static const char *
clear_text(int panel)
{
	return panel <= PANEL_C ? "$F" : panel == PANEL_K ? "F" : "vF";
}

int
epcl_panel_send(struct printer *p, enum side side, int panel, struct err *e)
{
	int rc = epcl_set(p, clear_text(panel), e);

	return rc ? rc : panel_data_send(p, &p->panels[side][panel], e);
}

int
epcl_side_send(struct printer *p, enum side side, struct err *e)
{
	static const int cleared[] = {PANEL_Y, PANEL_K, PANEL_O};
	struct epcl_panel *of = p->panels[side];
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(cleared) && rc == 0; i++)
		if (of[cleared[i]].used)
			rc = epcl_set(p, clear_text(cleared[i]), e);
	for (int i = 0; i < PANEL_COUNT && rc == 0; i++)
		if (of[i].used)
			rc = panel_data_send(p, &of[i], e);
	return rc;
}

int
epcl_load(struct printer *p, const struct face faces[SIDE_COUNT], struct err *e)
{
	struct err own;
	int rc = 0;

	if (!e)
		e = &own;
	if (!p->job.ribbon)
		return err_set(e, ERR_INTERNAL, _("Planes were loaded before the job began."));
	epcl_planes_drop(p);
	for (int side = 0; side < SIDE_COUNT && rc == 0; side++)
		if (side == SIDE_FRONT || p->job.duplex)
			rc = side_load(p, (enum side)side, &faces[side], e);
	if (rc == 0 && p->extended)
		rc = epcl_side_send(p, SIDE_FRONT, e);
	if (rc)
		epcl_planes_drop(p);
	p->loaded = rc == 0;
	return rc;
}

/* Letters a track may carry: the encoder's codes, without '[', which separates commands. */
static bool
track_fits(const char *track, int i)
{
	static const size_t most[MAGNETIC_TRACKS] = {76, 37, 104};
	static const char *const letters[MAGNETIC_TRACKS] = {
		" !\"#$&'()*+,-./0123456789:;<=>@ABCDEFGHIJKLMNOPQRSTUVWXYZ\\]^_", "0123456789:<=>",
		"0123456789:<=>"};

	return strlen(track) <= most[i] && strspn(track, letters[i]) == strlen(track);
}

int
epcl_tracks(
	struct printer *p, const char track[MAGNETIC_TRACKS][MAGNETIC_TRACK_MAX + 1], struct err *e)
{
	if (!p->model->magnetic)
		return err_set(
			e, ERR_INPUT, _("The %s cannot write a magnetic stripe."), p->model->name);
	for (int i = 0; i < MAGNETIC_TRACKS; i++)
		if (!track_fits(track[i], i))
			return err_set(e, ERR_INPUT,
				_("Magnetic track %d is too long or has a letter that a stripe "
				  "cannot carry. Correct the record."),
				i + 1);
	memcpy(p->track, track, sizeof p->track);
	return 0;
}
