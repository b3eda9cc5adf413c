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
	const char *text = p->dialect->feed[place];
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
	if ((size_t)place >= ARRAY_LEN(fitted) || !fitted[place] || !p->dialect->feed[place])
		return err_set(e, ERR_USAGE, _("The %s has no place for a card named '%s'."),
			p->model->name, card_place_name(place));
	int rc = place_observe(p, e);
	if (rc)
		return act_failed(rc == ERR_DEVICE ? ERR_DOUBT : rc, false, e);
	if (p->place == place)
		return 0;
	return card_move(p, place, e);
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

/* A command that a firmware may not know without the card being any the worse. */
static int
wish_run(struct printer *p, const char *text, struct err *e)
{
	bool sent;

	if (command_lacking(p, text))
		return 0;
	int rc = command_run(p, DOING_PRINT, text, p->m->param_ms, &sent, e);
	return rc == ERR_FAULT && e->fault == FAULT_REFUSED ? 0 : rc;
}

/* How the stripe is written, before the card sequence begins. */
static int
tracks_begin(struct printer *p, struct err *e)
{
	const char *format = p->m->track_formats;
	bool told = false;
	char text[32];
	int rc = 0;

	for (int i = 0; i < MAGNETIC_TRACKS && rc == 0; i++) {
		if (!p->track[i][0])
			continue;
		if (!told && (p->job.coercivity || p->m->coercivity[0])) {
			char asked[] = {p->job.coercivity, '\0'};
			snprintf(text, sizeof text, "Pmc;%s",
				asked[0] ? asked : p->m->coercivity);
			rc = wish_run(p, text, e);
		}
		told = true;
		if (rc == 0 && strlen(format) > (size_t)i) {
			snprintf(text, sizeof text, "Pmt;%d;%c", i + 1, format[i]);
			rc = wish_run(p, text, e);
		}
	}
	return rc;
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
plane_exchange(struct printer *p, const struct buf *plane, struct wire_reply *reply, struct err *e)
{
	char tag[40];
	bool sent;

	snprintf(tag, sizeof tag, "<BINARY Size=%zu>", plane->len);
	int rc = tag_send(p, tag, e);
	if (rc == 0)
		rc = link_exchange(
			&p->link, plane->data, plane->len, true, p->m->plane_ms, reply, &sent, e);
	return rc ? rc : tag_send(p, "</BINARY>", e);
}

/*
 * A firmware that refuses a plane's form gets it in the plainest one, now and for the rest of the
 * connection. It may have taken the dots it refused for commands that it answers: the link gets
 * back in step first.
 */
static int
plane_send(struct printer *p, const struct buf *plane, struct err *e)
{
	struct wire_reply reply;
	struct buf plainer;
	int rc = 0, form;

	buf_init(&plainer, (size_t)1 << 20);
	form = p->plain_planes ? wire_plane_plainer(&plainer, plane, e) : ERR_MISSING;
	if (form && form != ERR_MISSING)
		rc = form;
	if (rc == 0)
		rc = plane_exchange(p, form ? plane : &plainer, &reply, e);
	if (rc == 0 && form && wire_text_find(&reply)->class == WIRE_REFUSED &&
		wire_plane_plainer(&plainer, plane, e) == 0) {
		p->plain_planes = p->link.owed = true;
		note_add(p,
			_("The printer's firmware refused a plane (%.12s); the plainer form is "
			  "used."),
			(const char *)plane->data + 1);
		rc = plane_exchange(p, &plainer, &reply, e);
	}
	if (rc == 0)
		rc = act_judge(p, &reply, e);
	buf_done(&plainer);
	return rc;
}

/* A printer without a flipper has no command for the front. */
static int
side_begin(struct printer *p, enum side side, struct err *e)
{
	enum doing doing = side == SIDE_FRONT ? DOING_PRINT : DOING_FLIP;
	const char *text = p->dialect->side[side];
	bool sent;
	int rc = tag_send(p, "<FACE>", e);

	if (rc == 0 && !command_lacking(p, text))
		rc = command_run(p, doing, text, p->m->move_ms, &sent, e);
	if (rc == 0)
		p->doing = DOING_PRINT;
	return rc;
}

static int
side_send(struct printer *p, enum side side, struct err *e)
{
	int rc = side_begin(p, side, e);

	if (rc == 0 && side == SIDE_FRONT)
		rc = tracks_send(p, e);
	for (size_t i = 0; i < ARRAY_LEN(p->before[side]) && rc == 0; i++)
		if (p->before[side][i][0])
			rc = wish_run(p, p->before[side][i], e);
	for (int i = 0; i < PANEL_COUNT && rc == 0; i++) {
		if (!p->planes[side][i].len)
			continue;
		p->marked = true;
		rc = plane_send(p, &p->planes[side][i], e);
	}
	return rc ? rc : tag_send(p, "</FACE>", e);
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
	if (rc == 0 && known)
		rc = reply_judge(p, &reply, e);
	return rc ? rc : ribbon_check(p, e);
}

static int
print_finish(struct printer *p, struct err *e)
{
	bool sent;
	int rc = command_run(p, DOING_PRINT, p->dialect->finish, p->m->print_ms, &sent, e);

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
	rc = tracks_begin(p, e);
	if (rc == 0)
		rc = tag_send(p, "<CARD>", e);
	if (rc == 0)
		rc = command_run(p, DOING_PRINT, p->dialect->start, p->m->move_ms, &sent, e);
	for (int side = 0; side < SIDE_COUNT && rc == 0; side++)
		if (side == SIDE_FRONT || p->job.duplex)
			rc = side_send(p, side, e);
	if (rc) /* without the finishing command the card stays inside, unfinished */
		return act_failed(rc, false, e);
	rc = print_finish(p, e);
	if (rc)
		return rc;
	planes_drop(p);
	struct err ignored; /* the card is out; a lost tag shows at the next command */
	tag_send(p, "</CARD>", &ignored);
	return 0;
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
		p->dialect->eject[where], p->m->move_ms, &sent, e);
	if (rc) {
		p->place = PLACE_UNKNOWN;
		return act_failed(rc, sent, e);
	}
	return place_confirm(p, PLACE_NONE, e);
}
