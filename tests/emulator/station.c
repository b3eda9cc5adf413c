/*
 * station.c - the antenna under the card path: who stands in the reader's field.
 *
 * Owns the list of chips in the field and its lock. The printer's thread moves cards in and out,
 * the reader's thread asks; a chip that has left is never touched again.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/emulator.h"

#include <string.h>

void
field_init(struct field *f)
{
	memset(f, 0, sizeof(*f));
	pthread_mutex_init(&f->lock, NULL);
}

void
field_done(struct field *f)
{
	pthread_mutex_destroy(&f->lock);
}

bool
field_holds(const struct field *f, const struct chip *c)
{
	for (unsigned i = 0; i < f->n; i++)
		if (f->chip[i] == c)
			return true;
	return false;
}

void
field_enter(struct field *f, struct chip *c)
{
	pthread_mutex_lock(&f->lock);
	c->away = false;
	if (!field_holds(f, c) && f->n < FIELD_MAX)
		f->chip[f->n++] = c;
	if (field_holds(f, c))
		chip_field(c, f->on);
	pthread_mutex_unlock(&f->lock);
}

void
field_leave(struct field *f, struct chip *c)
{
	pthread_mutex_lock(&f->lock);
	for (unsigned i = 0; i < f->n; i++) {
		if (f->chip[i] != c)
			continue;
		f->n--;
		memmove(f->chip + i, f->chip + i + 1, (f->n - i) * sizeof(f->chip[0]));
		break;
	}
	chip_field(c, false);
	pthread_mutex_unlock(&f->lock);
}

void
field_switch(struct field *f, bool on)
{
	f->on = on;
	for (unsigned i = 0; i < f->n; i++)
		chip_field(f->chip[i], on);
}

/* Chips that were not halted answer first, so that calling again after a deselect finds the other
 * one of two cards. */
unsigned
field_select(struct field *f, const uint8_t *uid, unsigned uid_len, bool strict,
	struct chip *found[], unsigned max)
{
	bool halted[FIELD_MAX];
	unsigned n = 0;
	for (unsigned i = 0; i < f->n; i++)
		halted[i] = f->chip[i]->power == CHIP_HALT;
	for (int pass = 0; pass < 2; pass++) {
		if (pass == 1 && strict && uid_len == 0)
			break;
		for (unsigned i = 0; i < f->n && n < max; i++)
			if (halted[i] == (pass == 1) && chip_select(f->chip[i], uid, uid_len))
				found[n++] = f->chip[i];
	}
	return n;
}
