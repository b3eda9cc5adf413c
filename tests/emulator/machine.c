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
	status_show(p);
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

const char *
machine_step(struct printer *p, enum step s)
{
	return step_run(p, s);
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
	console_at_card(p, p->next_card + 1);
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
	p->position_ms = now_ms();
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
	p->position_ms = now_ms();
	if (to == POS_CONTACTLESS)
		field_update(p, true);
	emu_log(p->emu, "card %u: at %s", p->inside->serial, position_names[to]);
	status_show(p);
	return NULL;
}

/* Each panel is printed while the next one is still on the line: no panel begins before it is here
 * or before the one before it has ended. */
static void
panels_wait(struct printer *p, int side, const uint8_t *const dye[P_COUNT])
{
	uint64_t now = now_ms(), end = p->position_ms;
	for (int i = 0; i < P_COUNT; i++) {
		uint64_t here = p->loaded_ms[side][i] ? p->loaded_ms[side][i] : now;
		if (dye[i])
			end = (end > here ? end : here) + p->model->panel_ms[i];
	}
	if (end > now)
		emu_wait(p->emu, (unsigned)(end - now));
	memset(p->loaded_ms[side], 0, sizeof p->loaded_ms[side]);
}

static uint8_t *
side_fill(struct emu_card *c, int side, unsigned width)
{
	uint8_t *rgb = malloc((size_t)DOTS * width * 3);
	if (!rgb)
		return NULL;
	memset(rgb, 255, (size_t)DOTS * width * 3);
	for (size_t y = 0; c->side_rgb[side] && y < DOTS; y++)
		for (size_t x = 0; x < width; x++)
			memcpy(rgb + (y * width + x) * 3,
				c->side_rgb[side] + (y * c->side_width[side] +
							    x * c->side_width[side] / width) *
							    3,
				3);
	free(c->side_rgb[side]);
	c->side_rgb[side] = rgb;
	c->side_width[side] = width;
	return rgb;
}

const char *
machine_print_fine(struct printer *p, int side, const uint8_t *const dye[P_COUNT],
	const unsigned lines[P_COUNT])
{
	const char *fault = machine_ready(p);
	if (!fault && p->faults.head_hot)
		fault = "ERROR HEAD";
	/* the back's own panels are the last ones of a set that the front has begun */
	bool rest = side && p->reel.kind && *p->reel.kind->back && !p->reel.ended && p->reel.left[P_K];
	if (!fault && !rest)
		fault = machine_ribbon(p, NULL);
	struct emu_card *c = p->inside;
	if (fault || !c)
		return fault ? fault : "ERROR";
	const char *panels = side && *p->reel.kind->back ? p->reel.kind->back : p->reel.kind->front;
	unsigned width = c->side_rgb[side] ? c->side_width[side] : LINES;
	for (int i = 0; i < P_COUNT; i++) {
		if (dye[i] && !strchr(panels, panel_names[i]))
			return "ERROR RIBBON";
		width = dye[i] && lines[i] > width ? lines[i] : width;
	}
	if ((!c->side_rgb[side] || width != c->side_width[side]) && !side_fill(c, side, width))
		return "ERROR";
	emu_log(p->emu, "card %u: printing %s", c->serial, side ? "back" : "front");
	ribbon_advance(p, side);
	for (int i = 0; i < P_COUNT; i++)
		c->panels_used[side] |= dye[i] ? 1u << i : 0;
	const uint8_t *resin = p->reel.kind->rgb;
	panels_wait(p, side, dye);
	plane_unprint_fine(c->side_rgb[side], width, dye, lines, resin);
	return step_run(p, STEP_PRINT);
}

const char *
machine_print(struct printer *p, int side, const uint8_t *const dye[P_COUNT])
{
	static const unsigned lines[P_COUNT] = {LINES, LINES, LINES, LINES, LINES};
	return machine_print_fine(p, side, dye, lines);
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
	p->position_ms = now_ms();
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
	if (*p->out_dir) {
		/* nobody else has this card now, so the console need not wait for its picture */
		pthread_mutex_unlock(&p->emu->lock);
		int rc = card_write(c, p->out_dir);
		pthread_mutex_lock(&p->emu->lock);
		if (rc)
			emu_log(p->emu, "error: card %u could not be written to %s", c->serial,
				p->out_dir);
	}
	for (int side = 0; side < 2; side++) {
		free(c->side_rgb[side]);
		c->side_rgb[side] = NULL;
	}
	status_show(p);
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
	status_show(p);
}

void
machine_take(struct printer *p)
{
	if (!p->inside)
		return;
	p->jammed = false;
	card_leaves(p, "hand", &p->by_hand);
}

uint8_t
machine_port_status(const struct printer *p)
{
	if (p->model->dialect->port_status)
		return p->model->dialect->port_status(p->dialect);
	if (p->jammed || p->faults.cover_open || p->faults.head_hot)
		return PORT_FAULT;
	/* inferred: who waits to put a card out is not ready */
	if (p->inside &&
		((p->output_refused && output_full(p)) || (p->reject_refused && reject_full(p))))
		return PORT_FAULT;
	bool empty = printer_hopper(p) == 0 || !p->reel.kind || p->reel.ended || p->reel.sets == 0;
	return empty ? PORT_READY | PORT_EMPTY : PORT_READY;
}
