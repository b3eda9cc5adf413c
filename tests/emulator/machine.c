/*
 * machine.c - the printer's mechanics: hopper, card path, flipper, ribbon, bins, and what goes
 * wrong there.
 *
 * Owns where every card is. A movement either happens whole, or answers the machine's word for the
 * fault and leaves the card where the fault caught it. Cards are never lost: hopper, inside, good,
 * reject and hand add up to what was put in. All calls with emu->lock held.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <stdlib.h>
#include <string.h>

#define PORT_READY 0x18 /* selected, no error */
#define PORT_EMPTY 0x20
#define PORT_FAULT 0x10 /* selected, error */

unsigned
printer_hopper(const struct printer *p)
{
	return p->faults.hopper_empty ? 0 : p->n_cards - p->next_card;
}

void
printer_add_cards(struct printer *p, unsigned n)
{
	struct emu_card **more = realloc(p->cards, (p->n_cards + n) * sizeof *more);
	if (!more)
		return;
	p->cards = more;
	for (unsigned i = 0; i < n; i++) {
		struct emu_card *c =
			card_create(p->n_cards + 1, &p->emu->random_state, p->cards, p->n_cards);
		if (!c)
			return;
		c->chip.on_write = killer_chip_write;
		c->chip.on_write_ctx = p->emu;
		p->cards[p->n_cards++] = c;
	}
}

static void
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
	p->reel.capacity = colon ? (unsigned)strtoul(colon + 1, NULL, 10) : 200;
	reel_fill(&p->reel);
	return 0;
}

struct printer *
printer_create(struct emu *emu, const struct model *m, const char *serial, unsigned hopper,
	const char *ribbon)
{
	struct printer *p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	p->emu = emu;
	p->model = m;
	snprintf(p->serial, sizeof p->serial, "%s", serial);
	p->output_capacity = 100;
	p->reject_capacity = 30;
	p->powered = true;
	field_init(&p->field);
	if (printer_ribbon(p, ribbon)) {
		free(p);
		return NULL;
	}
	p->spare = p->reel;
	printer_add_cards(p, hopper);
	p->dialect = m->dialect->create(p);
	return p;
}

void
printer_destroy(struct printer *p)
{
	if (!p)
		return;
	p->model->dialect->destroy(p->dialect);
	for (unsigned i = 0; i < p->n_cards; i++)
		card_destroy(p->cards[i]);
	free(p->cards);
	field_done(&p->field);
	free(p);
}

const char *
machine_ready(struct printer *p)
{
	if (p->faults.cover_open)
		return "COVER OPEN";
	if (p->jammed)
		return "CARD JAM";
	return NULL;
}

/* An armed jam catches the card in this step. */
static const char *
step_jam(struct printer *p, enum step s)
{
	if (!p->faults.jam[s])
		return NULL;
	p->faults.jam[s] = false;
	p->jammed = true;
	p->jam_step = s;
	emu_log(p->emu, "jam: %s, card %u", step_names[s], p->inside ? p->inside->serial : 0);
	status_write(p->emu);
	return "CARD JAM";
}

/* Time passes for the step, then it ends or jams. */
static const char *
step_run(struct printer *p, enum step s)
{
	emu_wait(p->emu, p->model->step_ms[s]);
	const char *fault = machine_ready(p);
	return fault ? fault : step_jam(p, s);
}

static void
field_update(struct printer *p, bool in)
{
	if (!p->inside)
		return;
	if (in) {
		field_enter(&p->field, &p->inside->chip);
		if (p->inside->second)
			field_enter(&p->field, p->inside->second);
		return;
	}
	field_leave(&p->field, &p->inside->chip);
	if (p->inside->second)
		field_leave(&p->field, p->inside->second);
}

static const char *
machine_feed(struct printer *p)
{
	if (printer_hopper(p) == 0)
		return "FEEDER EMPTY";
	console_at_card(p->emu, p->next_card + 1);
	const char *fault = machine_ready(p);
	if (fault)
		return fault;
	if (printer_hopper(p) == 0)
		return "FEEDER EMPTY";
	p->inside = p->cards[p->next_card++];
	snprintf(p->inside->bin, sizeof p->inside->bin, "inside");
	p->position = POS_NONE;
	p->back_up = false;
	emu_log(p->emu, "card %u: fed", p->inside->serial);
	fault = step_run(p, STEP_FEED);
	if (!fault)
		p->position = POS_PRINT;
	return fault;
}

const char *
machine_move(struct printer *p, enum position to)
{
	const char *fault = machine_ready(p);
	if (!fault && !p->inside)
		fault = machine_feed(p);
	if (fault)
		return fault;
	if (p->position == to)
		return NULL;
	bool leaving = p->position == POS_CONTACT || p->position == POS_CONTACTLESS;
	field_update(p, false);
	p->position = POS_NONE;
	if (to != POS_PRINT)
		fault = step_run(p, STEP_STATION);
	else if (leaving)
		fault = step_jam(p, STEP_STATION);
	if (fault)
		return fault;
	p->position = to;
	if (to == POS_CONTACTLESS)
		field_update(p, true);
	emu_log(p->emu, "card %u: at %s", p->inside->serial, position_names[to]);
	status_write(p->emu);
	return NULL;
}

const char *
machine_ribbon(struct printer *p, const char *declared)
{
	const struct reel *r = &p->reel;
	if (!r->kind || r->ended || r->sets == 0)
		return "ERROR RIBBON";
	if (p->model->ribbon_check && declared && *declared && strcmp(declared, r->kind->name))
		return "ERROR RIBBON";
	return NULL;
}

/* Moves the ribbon past one set's panels for this side; which panels were burnt is the dyes'
 * matter. */
static void
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

const char *
machine_print(struct printer *p, int side, const uint8_t *const dye[P_COUNT])
{
	const char *fault = machine_ready(p);
	if (!fault && p->faults.head_hot)
		fault = "ERROR HEAD";
	if (!fault)
		fault = machine_ribbon(p, NULL);
	struct emu_card *c = p->inside;
	if (fault || !c)
		return fault ? fault : "ERROR";
	const char *panels = side && *p->reel.kind->back ? p->reel.kind->back : p->reel.kind->front;
	for (int i = 0; i < P_COUNT; i++)
		if (dye[i] && !strchr(panels, panel_names[i]))
			return "ERROR RIBBON";
	if (!c->side_rgb[side]) {
		c->side_rgb[side] = malloc((size_t)DOTS * LINES * 3);
		if (!c->side_rgb[side])
			return "ERROR";
		memset(c->side_rgb[side], 255, (size_t)DOTS * LINES * 3);
	}
	emu_log(p->emu, "card %u: printing %s", c->serial, side ? "back" : "front");
	ribbon_advance(p, side);
	unsigned ms = 0;
	for (int i = 0; i < P_COUNT; i++) {
		ms += dye[i] ? p->model->panel_ms[i] : 0;
		c->panels_used[side] |= dye[i] ? 1u << i : 0;
	}
	emu_wait(p->emu, ms);
	plane_unprint(c->side_rgb[side], dye, p->reel.kind->rgb);
	fault = step_run(p, STEP_PRINT);
	return fault;
}

const char *
machine_flip(struct printer *p, bool back_up)
{
	if (p->back_up == back_up)
		return NULL;
	if (!p->model->duplex)
		return "OPT NOT AVAILABLE";
	const char *fault = machine_ready(p);
	if (!fault)
		fault = step_run(p, STEP_FLIP);
	if (!fault)
		p->back_up = back_up;
	return fault;
}

/* The card is out of the machine's hands. */
static void
card_leaves(struct printer *p, const char *bin, unsigned *count)
{
	struct emu_card *c = p->inside;
	field_update(p, false);
	snprintf(c->bin, sizeof c->bin, "%s", bin);
	p->inside = NULL;
	p->position = POS_NONE;
	p->back_up = false;
	++*count;
	emu_log(p->emu, "card %u: %s", c->serial, bin);
	if (p->emu->out_dir) {
		/* nobody else has this card now, so the console need not wait for its picture */
		pthread_mutex_unlock(&p->emu->lock);
		int rc = card_write(c, p->emu->out_dir);
		pthread_mutex_lock(&p->emu->lock);
		if (rc)
			emu_log(p->emu, "error: card %u could not be written to %s", c->serial,
				p->emu->out_dir);
	}
	for (int side = 0; side < 2; side++) {
		free(c->side_rgb[side]);
		c->side_rgb[side] = NULL;
	}
	status_write(p->emu);
}

static bool
output_full(const struct printer *p)
{
	return p->faults.output_full || p->output_now >= p->output_capacity;
}

static bool
reject_full(const struct printer *p)
{
	return p->faults.reject_full || p->reject_now >= p->reject_capacity;
}

const char *
machine_eject(struct printer *p)
{
	const char *fault = machine_ready(p);
	if (fault || !p->inside)
		return fault;
	p->output_refused = output_full(p);
	if (p->output_refused)
		return "HOPPER FULL";
	field_update(p, false);
	p->position = POS_NONE;
	fault = step_run(p, STEP_EJECT);
	if (fault)
		return fault;
	p->life_cards++;
	p->since_cleaning++;
	p->output_now++;
	card_leaves(p, "good", &p->good);
	return NULL;
}

const char *
machine_reject(struct printer *p)
{
	const char *fault = machine_ready(p);
	if (fault || !p->inside)
		return fault;
	p->reject_refused = reject_full(p);
	if (p->reject_refused)
		return p->model->reject_full;
	field_update(p, false);
	p->position = POS_NONE;
	fault = step_run(p, STEP_REJECT);
	if (fault)
		return fault;
	p->reject_now++;
	card_leaves(p, "reject", &p->rejected);
	return NULL;
}

void
machine_clear(struct printer *p)
{
	bool jammed = p->jammed;
	memset(&p->faults, 0, sizeof p->faults);
	if (!p->reel.kind || p->reel.ended || p->reel.kind != p->spare.kind) {
		p->reel = p->spare;
		reel_fill(&p->reel);
	}
	p->jammed = false;
	if (jammed && p->inside)
		card_leaves(p, "hand", &p->by_hand);
	usb_clear_faults(p->usb);
	pthread_cond_broadcast(&p->emu->work);
	status_write(p->emu);
}

uint8_t
machine_port_status(const struct printer *p)
{
	if (p->jammed || p->faults.cover_open || p->faults.head_hot)
		return PORT_FAULT;
	/* inferred: who waits to put a card out is not ready */
	if (p->inside &&
		((p->output_refused && output_full(p)) || (p->reject_refused && reject_full(p))))
		return PORT_FAULT;
	bool empty = printer_hopper(p) == 0 || !p->reel.kind || p->reel.ended || p->reel.sets == 0;
	return empty ? PORT_READY | PORT_EMPTY : PORT_READY;
}
