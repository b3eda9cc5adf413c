/*
 * printer.c - one printer as a whole: made, filled with cards, answering, taken apart.
 *
 * Owns its cards. Answers go out through here, so that a missing, garbled or endless answer is the
 * same with every dialect. All calls with emu->lock held.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

unsigned
printer_hopper(const struct printer *p)
{
	return p->faults.hopper_empty ? 0 : p->n_cards - p->next_card;
}

void
printer_add_cards(struct printer *p, unsigned n)
{
	struct emu_card **more = realloc(p->cards, (p->n_cards + n + 1) * sizeof *more);
	if (!more)
		return;
	p->cards = more;
	for (unsigned i = 0; i < n; i++) {
		struct emu_card *c =
			card_create(p->n_cards + 1, &p->emu->random_state, p->cards, p->n_cards);
		if (!c)
			return;
		if (p->chip_kind)
			card_chip(c, p->chip_kind);
		c->chip.on_write = killer_chip_write;
		c->chip.on_write_ctx = p->emu;
		p->cards[p->n_cards++] = c;
	}
}

bool
printer_chips(struct printer *p, const char *kind)
{
	p->chip_kind = kind;
	for (unsigned i = 0; i < p->n_cards; i++)
		if (!card_chip(p->cards[i], kind))
			return false;
	return true;
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
		field_done(&p->field);
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

bool
printer_cleaning_due(const struct printer *p)
{
	return p->faults.cleaning_due || p->since_cleaning >= p->model->cleaning_cards;
}

bool
printer_lacks(const struct printer *p, const char *name)
{
	char padded[40];
	if (strlen(name) > 32)
		return false;
	snprintf(padded, sizeof padded, " %s ", name);
	return (p->model->lacks && strstr(p->model->lacks, padded)) ||
	       strstr(p->faults.lacks, padded);
}

void
printer_strict(struct printer *p, const char *format, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	p->strict_lines++;
	if (p->emu->n_printers > 1)
		emu_log(p->emu, "strict: %s [%s]", text, p->serial);
	else
		emu_log(p->emu, "strict: %s", text);
}

void
printer_reply(struct printer *p, const void *bytes, size_t len)
{
	static const char noise[] = "\x8f?\x02#\xfe";
	if (p->faults.mute)
		return;
	if (p->faults.garble)
		usb_reply(p->usb, noise, sizeof noise);
	else if (p->faults.endless)
		usb_babble(p->usb);
	else
		usb_reply(p->usb, bytes, len);
}
