/*
 * epcl-act.c - what moves a card in an EPCL printer.
 *
 * Owns the verbs feed, print, eject and service. Guarantees: no command that moves a card is sent
 * twice; a card on which printing was begun is never printed again; nothing is printed unless an
 * answered act put a card at the print position, because the printer would feed a fresh one by
 * itself. On failure err says whether the act is known not to have happened (ERR_FAULT) or may have
 * (ERR_DOUBT).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/epcl.h"

#include <stdio.h>
#include <string.h>

static bool
docked(const struct printer *p)
{
	return p->place == PLACE_CONTACT || p->place == PLACE_CONTACTLESS;
}

/* A move that was answered leaves the card at place; one that failed, nobody knows where. */
static int
card_move(struct printer *p, enum epcl_doing doing, const char *text, enum card_place place,
	struct err *e)
{
	enum card_place before = p->place;
	bool station = doing == EPCL_DOCK || docked(p) || p->maybe_docked;
	int rc = epcl_act(p, doing, text, p->move_ms, e);

	p->place = rc == 0 ? place : PLACE_UNKNOWN;
	p->maybe_docked = rc != 0 && station;
	if (rc == ERR_FAULT && (e->fault == FAULT_HOPPER_EMPTY || e->fault == FAULT_REFUSED))
		p->place = before; /* it said so before anything moved */
	if (p->place == PLACE_NONE)
		p->marked = false;
	return rc;
}

static const char *
dock_setting(enum card_place place)
{
	return place == PLACE_CONTACT ? "dock-contact" : "dock-contactless";
}

bool
epcl_docks(const struct printer *p)
{
	for (int place = PLACE_CONTACT; place <= PLACE_CONTACTLESS; place++) {
		const char *text = epcl_setting(p, dock_setting((enum card_place)place));
		if (text[0] && strcmp(text, "none") != 0)
			return true;
	}
	return false;
}

int
epcl_reach(const struct printer *p, enum card_place place, struct err *e)
{
	if (place == PLACE_PRINT)
		return 0;
	bool fitted = place == PLACE_CONTACT ? p->model->contact
					     : place == PLACE_CONTACTLESS && p->model->contactless;
	if (!fitted)
		return err_set(e, ERR_USAGE, _("The %s has no place for a card named '%s'."),
			p->model->name, card_place_name(place));
	if (!epcl_setting(p, dock_setting(place))[0])
		return err_set(e, ERR_USAGE,
			_("It is not known how the %s moves a card to its chip station. Set %s to "
			  "that command of the printer's manual."),
			p->model->name, dock_setting(place));
	if (!epcl_setting(p, "undock-print")[0])
		return err_set(e, ERR_USAGE,
			_("It is not known how the %s moves a card from its chip station to the "
			  "print head. Set %s to that command of the printer's manual."),
			p->model->name, "undock-print");
	return 0;
}

/* To the print position, if the card is at a station. */
static int
card_undock(struct printer *p, struct err *e)
{
	const char *text = epcl_setting(p, "undock-print");

	if (!docked(p))
		return 0;
	if (strcmp(text, "none") == 0) {
		p->place = PLACE_PRINT;
		return 0;
	}
	return card_move(p, EPCL_DOCK, text, PLACE_PRINT, e);
}

static int
card_dock(struct printer *p, enum card_place place, struct err *e)
{
	const char *text = epcl_setting(p, dock_setting(place));

	if (strcmp(text, "none") == 0) {
		p->place = place;
		return 0;
	}
	return card_move(p, EPCL_DOCK, text, place, e);
}

int
epcl_feed(struct printer *p, enum card_place place, struct err *e)
{
	struct err own;
	int rc;

	if (!e)
		e = &own;
	p->unfed = false;
	rc = epcl_reach(p, place, e);
	if (rc || p->place == place)
		return rc;
	if (p->place == PLACE_UNKNOWN || p->place == PLACE_SOMEWHERE)
		rc = card_move(p, EPCL_EJECT, "MC", PLACE_NONE, e);
	p->unfed = rc == ERR_FAULT;
	if (rc == 0 && p->place == PLACE_NONE)
		rc = card_move(p, EPCL_FEED, "MI", PLACE_PRINT, e);
	if (rc == 0)
		rc = card_undock(p, e);
	if (rc == 0 && place != PLACE_PRINT)
		rc = card_dock(p, place, e);
	return rc;
}

/* ---- printing -------------------------------------------------------------- */

/* Somebody took it out, so whatever should be done to it will not be. */
static int
card_missing(enum fault fault, struct err *e)
{
	err_set(e, ERR_FAULT, _("There is no card in the printer. Look whether it was taken out."));
	e->fault = (int)fault;
	return ERR_FAULT;
}

/* The first question to the encoder moves nothing, so an error of it is no jam. */
static int
encoder_missing(struct err *e)
{
	char raw[ERR_RAW_MAX];

	snprintf(raw, sizeof raw, "%s", e->raw);
	return fault_say(e, FAULT_REFUSED, raw,
		_("The printer's magnetic encoder is missing or does not answer. Have it looked "
		  "at, or "
		  "print with the option CardMagnetic at None."));
}

/* The encoder sits at the print position. What it writes it reads back. */
static int
tracks_write(struct printer *p, struct err *e)
{
	static const char *const setup[] = {"&R", "&CDEW 0 0", "&CDER 0 0"};
	char text[MAGNETIC_TRACK_MAX + 16];
	bool any = false;
	int rc = 0;

	for (int i = 0; i < MAGNETIC_TRACKS && rc == 0; i++) {
		if (!p->track[i][0])
			continue;
		for (size_t s = 0; s < ARRAY_LEN(setup) && rc == 0 && !any; s++)
			rc = epcl_set(p, setup[s], e);
		if (rc == ERR_FAULT && !any &&
			(e->fault == FAULT_JAM_STATION || e->fault == FAULT_MECHANICAL))
			rc = encoder_missing(e);
		any = true;
		snprintf(text, sizeof text, "&B %d %s", i + 1, p->track[i]);
		if (rc == 0)
			rc = epcl_set(p, text, e);
	}
	explicit_bzero(text, sizeof text);
	if (rc || !any)
		return epcl_act_failed(rc, false, e);
	p->marked = true;
	return epcl_act(p, EPCL_DOCK, "&E*", p->move_ms, e);
}

/* The commands that print a side's panels, in the order of the ribbon. */
static void
list_add(char *list, size_t max, const char *command)
{
	size_t n = strlen(list);

	snprintf(list + n, max - n, "%s%s", n ? "[" : "", command);
}

static void
panel_print_text(const struct printer *p, int panel, char *out, size_t max)
{
	if (panel <= PANEL_C)
		snprintf(out, max, "IS %d", panel - PANEL_Y);
	else if (panel == PANEL_K)
		snprintf(out, max, "I");
	else
		snprintf(out, max, "IV %.8s", epcl_setting(p, "varnish-print"));
}

/* All panels of a side lie in the printer: one list prints them, and puts the card out at the end.
 */
static int
side_print(struct printer *p, enum side side, bool last, struct err *e)
{
	char list[128] = "", one[24], text[160];

	for (int i = 0; i < PANEL_COUNT; i++) {
		if (!p->panels[side][i].used)
			continue;
		panel_print_text(p, i, one, sizeof one);
		list_add(list, sizeof list, one);
	}
	if (last)
		list_add(list, sizeof list, "MO");
	if (!list[0])
		return 0;
	snprintf(text, sizeof text, "M 1 %s", list);
	p->marked = true;
	return epcl_act(p, EPCL_PRINT, text, p->print_ms, e);
}

/* A printer that holds one colour plane gets and prints one after the other. */
static int
side_print_singly(struct printer *p, enum side side, bool last, struct err *e)
{
	char text[24];
	int rc = 0;

	for (int i = 0; i < PANEL_COUNT && rc == 0; i++) {
		if (!p->panels[side][i].used)
			continue;
		rc = epcl_act_failed(epcl_panel_send(p, side, i, e), false, e);
		if (rc)
			break;
		panel_print_text(p, i, text, sizeof text);
		p->marked = true;
		rc = epcl_act(p, EPCL_PRINT, text, p->print_ms, e);
	}
	return rc || !last ? rc : epcl_act(p, EPCL_EJECT, "MO", p->move_ms, e);
}

static int
sides_print(struct printer *p, struct err *e)
{
	bool duplex = p->job.duplex;
	int rc = 0;

	for (int side = 0; side < SIDE_COUNT && rc == 0; side++) {
		bool last = side == SIDE_BACK || !duplex;
		if (side == SIDE_BACK) {
			if (!duplex)
				break;
			rc = epcl_act(p, EPCL_FLIP, "MF", p->move_ms, e);
			if (rc == 0 && p->extended)
				rc = epcl_act_failed(epcl_side_send(p, SIDE_BACK, e), false, e);
		}
		if (rc == 0)
			rc = p->extended ? side_print(p, (enum side)side, last, e)
					 : side_print_singly(p, (enum side)side, last, e);
	}
	return rc;
}

int
epcl_print(struct printer *p, struct err *e)
{
	struct err own;
	int rc;

	if (!e)
		e = &own;
	if (!p->loaded)
		return err_set(e, ERR_INTERNAL, _("Nothing was loaded to print."));
	if (p->marked)
		return fault_set(e, FAULT_CARD_MARKED, NULL);
	if (p->place != PLACE_PRINT && !docked(p))
		return card_missing(FAULT_JAM_PRINT, e);
	rc = card_undock(p, e);
	if (rc == 0)
		rc = tracks_write(p, e);
	if (rc == 0)
		rc = sides_print(p, e);
	if (rc == 0) {
		p->place = PLACE_NONE;
		p->marked = false;
		epcl_planes_drop(p);
	} else if (rc == ERR_DOUBT || fault_row(e->fault)->action == FAULT_SPOIL) {
		p->place = PLACE_UNKNOWN;
	}
	return rc;
}

/* ---- out, and service ------------------------------------------------------ */

int
epcl_eject(struct printer *p, enum card_exit where, struct err *e)
{
	enum epcl_doing doing = where == EXIT_REJECT ? EPCL_REJECT : EPCL_EJECT;
	const char *text = where == EXIT_REJECT ? epcl_setting(p, "reject-command") : "MO";
	const char *undock = epcl_setting(p, "undock-eject");
	struct err own;

	if (!e)
		e = &own;
	if (p->place == PLACE_NONE)
		return card_missing(where == EXIT_REJECT ? FAULT_JAM_REJECT : FAULT_JAM_EJECT, e);
	if (where == EXIT_HOPPER && p->marked)
		return fault_set(e, FAULT_CARD_MARKED, NULL);
	if (docked(p) && undock[0] && strcmp(undock, "none") != 0)
		return card_move(p, doing, undock, PLACE_NONE, e);
	int rc = card_undock(p, e);
	return rc ? rc : card_move(p, doing, text, PLACE_NONE, e);
}

int
epcl_service(struct printer *p, enum printer_service what, struct err *e)
{
	const char *text =
		epcl_setting(p, what == SERVICE_CLEAN ? "clean-command" : "test-command");
	struct err own;

	if (!e)
		e = &own;
	if (!text[0])
		return err_set(e, ERR_USAGE,
			_("It is not known how the %s is told to do this. Use the printer's own "
			  "button."),
			p->model->name);
	if (p->place != PLACE_NONE && p->place != PLACE_UNKNOWN)
		return err_set(e, ERR_USAGE,
			_("There is a card in the printer. Take it out or let its job end first."));
	int rc = p->place == PLACE_NONE ? 0 : card_move(p, EPCL_EJECT, "MC", PLACE_NONE, e);
	if (rc == 0)
		rc = epcl_act(p, EPCL_PRINT, text, p->print_ms, e);
	p->place = PLACE_UNKNOWN;
	return rc;
}
