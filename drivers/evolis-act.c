/*
 * evolis-act.c - what moves a card in an Evolis printer, and the planes that go onto it.
 *
 * Owns the verbs feed, load, print and eject. Guarantees: planes reach the printer within the print
 * act only, because it begins to print one panel while the next one comes in; a card that print was
 * broken off on is never printed again; an act counts as done when the printer said OK and its
 * sensors agree. On failure err says whether the act is known not to have happened (ERR_FAULT) or
 * may have (ERR_DOUBT).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/evolis.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Somebody took it out, so whatever should be done to it will not be. */
static int
card_missing(enum fault fault, struct err *e)
{
	err_set(e, ERR_FAULT, _("There is no card in the printer. Look whether it was taken out."));
	e->fault = (int)fault;
	return ERR_FAULT;
}

/* Moves the card, or takes one in. A printer that only asks for cleaning may have obeyed: its
 * sensors say. */
static int
card_move(struct printer *p, enum card_place place, struct err *e)
{
	const char *text = p->m->dialect->feed[place];
	bool inside = p->place != PLACE_NONE && p->place != PLACE_UNKNOWN;
	bool sent;
	int rc = command_run(p, inside ? DOING_MOVE : DOING_FEED, text, p->m->move_ms, &sent, e);

	if (rc == ERR_FAULT && e->fault == FAULT_CLEANING_DUE) {
		struct err later = *e;
		if (place_observe(p, &later) == 0 && p->place == place)
			return 0;
		return rc;
	}
	if (rc) {
		p->place = PLACE_UNKNOWN;
		return act_failed(rc, sent, e);
	}
	return place_confirm(p, place, e);
}

int
evolis_feed(struct printer *p, enum card_place place, struct err *e)
{
	struct err own;
	bool fitted[] = {[PLACE_PRINT] = true,
		[PLACE_CONTACT] = p->model->contact,
		[PLACE_CONTACTLESS] = p->model->contactless,
		[PLACE_SOMEWHERE] = false};

	if (!e)
		e = &own;
	if ((size_t)place >= ARRAY_LEN(fitted) || !fitted[place] || !p->m->dialect->feed[place])
		return err_set(e, ERR_USAGE, _("The %s has no place for a card named '%s'."),
			p->model->name, card_place_name(place));
	int rc = place_observe(p, e);
	if (rc)
		return act_failed(rc == ERR_DEVICE ? ERR_DOUBT : rc, false, e);
	if (p->place == place)
		return 0;
	return card_move(p, place, e);
}

/* One panel of one side as a command, or nothing when it is blank. */
static int
panel_load(struct printer *p, enum side side, size_t slot, int panel, const struct plane *in,
	struct err *e)
{
	bool colour = panel <= PANEL_C;
	struct wire_plane_format format = {.levels = colour ? p->m->colour_levels : 2,
		.compressed = p->m->compressed,
		.short_lines = p->m->short_lines,
		.turned = p->m->turned[side],
		.pad = p->m->pad};
	char letter = panel == PANEL_UV ? p->m->uv_letter : (char)tolower(panel_letters[panel]);
	struct plane plane = *in;

	if (in->fill != PLANE_DATA && in->fill != PLANE_FULL)
		return 0;
	if (in->fill == PLANE_FULL) {
		plane.bits = colour ? 8 : 1;
		plane.dots = p->model->head_dots;
		plane.lines = p->model->head_lines;
	}
	if (!letter)
		return err_set(e, ERR_INPUT, _("The %s cannot print the panel %c."), p->model->name,
			panel_letters[panel]);
	if (plane.dots != p->model->head_dots || plane.lines != p->model->head_lines)
		return err_set(e, ERR_INPUT,
			_("The card was drawn for another print head (%u x %u dots) than the %s "
			  "has (%u x %u)."),
			plane.dots, plane.lines, p->model->name, p->model->head_dots,
			p->model->head_lines);
	return wire_plane(&p->planes[side][slot], letter, &plane, &format, e);
}

static int
side_load(struct printer *p, enum side side, const struct face *face, struct err *e)
{
	const struct ribbon *ribbon = p->job.ribbon;
	const char *panels = side == SIDE_FRONT ? ribbon->front : ribbon->back;
	int rc = 0;

	for (int i = 0; i < PANEL_COUNT; i++) {
		enum plane_fill fill = face->plane[i].fill;
		if ((fill == PLANE_DATA || fill == PLANE_FULL) && !strchr(panels, panel_letters[i]))
			return err_set(e, ERR_INPUT,
				_("The %s of the card needs panel %c, which the ribbon %s lacks "
				  "there."),
				side_names[side], panel_letters[i], ribbon->name);
	}
	for (size_t slot = 0; panels[slot] && rc == 0; slot++) {
		const char *at = strchr(panel_letters, panels[slot]);
		int panel = at ? (int)(at - panel_letters) : PANEL_COUNT;
		if (panel < PANEL_COUNT && slot < PANEL_COUNT)
			rc = panel_load(p, side, slot, panel, &face->plane[panel], e);
	}
	return rc;
}

/*
 * Makes the commands and keeps them. They are sent by print(): the printer starts on a panel as
 * soon as the next one comes in, and a card may only be touched within an act.
 */
int
evolis_load(struct printer *p, const struct face faces[SIDE_COUNT], struct err *e)
{
	struct err own;
	int rc = 0;

	if (!e)
		e = &own;
	if (!p->job.ribbon)
		return err_set(e, ERR_INTERNAL, _("Planes were loaded before the job began."));
	planes_drop(p);
	for (int side = 0; side < SIDE_COUNT && rc == 0; side++)
		if (side == SIDE_FRONT || p->job.duplex)
			rc = side_load(p, side, &faces[side], e);
	if (rc)
		planes_drop(p);
	p->loaded = rc == 0;
	return rc;
}

int
evolis_tracks(
	struct printer *p, const char track[MAGNETIC_TRACKS][MAGNETIC_TRACK_MAX + 1], struct err *e)
{
	if (!p->model->magnetic)
		return err_set(
			e, ERR_INPUT, _("The %s cannot write a magnetic stripe."), p->model->name);
	memcpy(p->track, track, sizeof p->track);
	return 0;
}

/* Within the card sequence, where the printer's own driver puts them; it writes them before it
 * prints. */
static int
tracks_send(struct printer *p, struct err *e)
{
	char text[MAGNETIC_TRACK_MAX + 16];
	bool sent;
	int rc = 0;

	for (int i = 0; i < MAGNETIC_TRACKS && rc == 0; i++) {
		if (!p->track[i][0])
			continue;
		p->marked = true;
		snprintf(text, sizeof text, "Dm;%d;%s", i + 1, p->track[i]);
		rc = command_run(p, DOING_PRINT, text, p->m->move_ms, &sent, e);
	}
	explicit_bzero(text, sizeof text);
	return rc;
}

static int
side_send(struct printer *p, enum side side, struct err *e)
{
	enum doing doing = side == SIDE_FRONT ? DOING_PRINT : DOING_FLIP;
	bool sent;
	int rc = command_run(p, doing, p->m->dialect->side[side], p->m->move_ms, &sent, e);

	if (rc == 0)
		p->doing = DOING_PRINT;
	if (rc == 0 && side == SIDE_FRONT)
		rc = tracks_send(p, e);
	for (int i = 0; i < PANEL_COUNT && rc == 0; i++) {
		const struct buf *plane = &p->planes[side][i];
		struct wire_reply reply;
		if (!plane->len)
			continue;
		p->marked = true;
		rc = link_exchange(
			&p->link, plane->data, plane->len, true, p->m->plane_ms, &reply, &sent, e);
		if (rc == 0)
			rc = act_judge(p, &reply, e);
	}
	return rc;
}

/* What must hold before the card is touched. */
static int
print_ready(struct printer *p, struct err *e)
{
	struct wire_reply reply;
	bool known = false;

	if (!p->loaded)
		return err_set(e, ERR_INTERNAL, _("Nothing was loaded to print."));
	int rc = place_observe(p, e);
	if (rc)
		return rc;
	if (p->place == PLACE_NONE)
		return card_missing(FAULT_JAM_PRINT, e);
	if (p->marked)
		return fault_set(e, FAULT_CARD_MARKED, NULL);
	rc = question_ask(p, ASK_RIBBON_MARK, &reply, &known, e);
	return rc || !known ? rc : reply_judge(p, &reply, e);
}

static int
print_finish(struct printer *p, struct err *e)
{
	bool sent;
	int rc = command_run(p, DOING_PRINT, p->m->dialect->finish, p->m->print_ms, &sent, e);

	if (rc == ERR_FAULT && e->fault == FAULT_CLEANING_DUE) {
		struct err later = *e;
		if (place_observe(p, &later) != 0 || p->place == PLACE_NONE)
			e->code = rc = ERR_DOUBT;
		return rc;
	}
	if (rc) {
		p->place = PLACE_UNKNOWN;
		return act_failed(rc, sent, e);
	}
	return place_confirm(p, PLACE_NONE, e);
}

int
evolis_print(struct printer *p, struct err *e)
{
	struct err own;
	bool sent;

	if (!e)
		e = &own;
	int rc = print_ready(p, e);
	if (rc)
		return act_failed(rc == ERR_DEVICE ? ERR_DOUBT : rc, false, e);
	if (p->place != PLACE_PRINT && (rc = card_move(p, PLACE_PRINT, e)) != 0)
		return act_failed(rc, false, e);
	rc = command_run(p, DOING_PRINT, p->m->dialect->start, p->m->move_ms, &sent, e);
	for (int side = 0; side < SIDE_COUNT && rc == 0; side++)
		if (side == SIDE_FRONT || p->job.duplex)
			rc = side_send(p, side, e);
	if (rc) /* without the finishing command the card stays inside, unfinished */
		return act_failed(rc, false, e);
	rc = print_finish(p, e);
	if (rc == 0)
		planes_drop(p);
	return rc;
}

int
evolis_eject(struct printer *p, enum card_exit where, struct err *e)
{
	struct err own;
	bool sent;

	if (!e)
		e = &own;
	int rc = place_observe(p, e);
	if (rc)
		return act_failed(rc == ERR_DEVICE ? ERR_DOUBT : rc, false, e);
	if (p->place == PLACE_NONE)
		return card_missing(where == EXIT_REJECT ? FAULT_JAM_REJECT : FAULT_JAM_EJECT, e);
	/* It would be finished with what the printer still holds, and pass for a good one. */
	if (where == EXIT_HOPPER && p->marked)
		return fault_set(e, FAULT_CARD_MARKED, NULL);
	rc = command_run(p, where == EXIT_REJECT ? DOING_REJECT : DOING_EJECT,
		p->m->dialect->eject[where], p->m->move_ms, &sent, e);
	if (rc) {
		p->place = PLACE_UNKNOWN;
		return act_failed(rc, sent, e);
	}
	return place_confirm(p, PLACE_NONE, e);
}
