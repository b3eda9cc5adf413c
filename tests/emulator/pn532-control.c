/*
 * pn532-control.c - the words of the console for the reader.
 *
 * Changes the fault settings under the reader's lock and wakes its thread; a word that is not known
 * changes nothing.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/pn532.h"

#include <stdlib.h>
#include <string.h>

static bool
plug_set(struct pn532 *p, bool want)
{
	p->want_plugged = want;
	reader_wake(p);
	while (p->plugged != want && p->want_plugged == want)
		pthread_cond_wait(&p->settled, &p->lock);
	return p->plugged == want;
}

static bool
log_set(struct pn532 *p, const char *path)
{
	if (p->log)
		fclose(p->log);
	p->log = NULL;
	if (strcmp(path, "off") == 0)
		return true;
	p->log = fopen(path, "ae");
	return p->log != NULL;
}

/* on|off, or another pair of words. */
static bool
choice_set(bool *out, const char *word, const char *yes, const char *no)
{
	*out = strcmp(word, yes) == 0;
	return *out || strcmp(word, no) == 0;
}

static bool
number_set(unsigned *out, const char *word, unsigned otherwise, int base)
{
	char *end;
	*out = otherwise;
	if (*word == '\0')
		return otherwise > 0;
	unsigned long value = strtoul(word, &end, base);
	*out = (unsigned)value;
	return *end == '\0' && value > 0 && value <= 1000000;
}

static bool
status_set(struct pn532 *p, const char *status, const char *count)
{
	unsigned value;
	if (!number_set(&value, status, 0, 16) || value > 0xFF)
		return false;
	p->faults.status = (uint8_t)value;
	return number_set(&p->faults.status_left, count, 1, 10);
}

/* The caller holds the lock. */
static bool
control_apply(struct pn532 *p, const char *word, const char *arg, const char *arg2)
{
	struct pn532_faults *f = &p->faults;
	if (strcmp(word, "mute") == 0)
		return f->mute = true;
	if (strcmp(word, "deaf") == 0)
		return number_set(&f->deaf, arg, 0, 10);
	if (strcmp(word, "drop") == 0)
		return number_set(&f->drop, arg, 0, 10);
	if (strcmp(word, "garbage") == 0)
		return number_set(&f->garbage, arg, 1, 10);
	if (strcmp(word, "bad-dcs") == 0)
		return number_set(&f->bad_dcs, arg, 1, 10);
	if (strcmp(word, "status") == 0)
		return status_set(p, arg, arg2);
	if (strcmp(word, "unplug") == 0)
		return plug_set(p, false);
	if (strcmp(word, "plug") == 0)
		return plug_set(p, true);
	if (strcmp(word, "registers") == 0)
		return choice_set(&p->registers_odd, arg, "odd", "quiet");
	if (strcmp(word, "strict") == 0)
		return choice_set(&p->strict_halt, arg, "on", "off");
	if (strcmp(word, "timing") == 0)
		return choice_set(&p->timing, arg, "on", "off");
	if (strcmp(word, "baud") == 0)
		return number_set(&p->baud, arg, 0, 10);
	if (strcmp(word, "log") == 0)
		return *arg && log_set(p, arg);
	if (strcmp(word, "clear") == 0) {
		memset(f, 0, sizeof(*f));
		return true;
	}
	return strcmp(word, "count") == 0;
}

char *
pn532_control(struct pn532 *p, const char *line)
{
	char word[16] = "", arg[200] = "", arg2[16] = "", *answer = NULL;
	sscanf(line, "%15s %199s %15s", word, arg, arg2);
	pthread_mutex_lock(&p->lock);
	bool good = control_apply(p, word, arg, arg2);
	unsigned frames = p->frames, card_commands = p->core.card_commands;
	pthread_mutex_unlock(&p->lock);
	if (good && strcmp(word, "count") == 0) {
		if (asprintf(&answer, "ok %u frames, %u card commands", frames, card_commands) < 0)
			return NULL;
		return answer;
	}
	return strdup(good ? "ok" : "error: the reader does not know this word or number");
}
