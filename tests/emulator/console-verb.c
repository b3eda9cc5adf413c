/*
 * console-verb.c - what each verb of the fault console does to the machine.
 *
 * Owns the table of verbs. Guarantees: a line that is not understood changes nothing and is
 * answered with what is wrong with it. Called under the emulator's lock.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/console.h"

#include <stdlib.h>
#include <string.h>

static const char *
verb_jam(struct emu *emu, struct printer *p, struct words *w)
{
	(void)emu;
	if (!strcmp(w->w[1], "now")) {
		p->jammed = true;
		p->jam_step = STEP_PRINT;
		return NULL;
	}
	for (int s = 0; s < STEP_COUNT; s++) {
		if (!strcmp(w->w[1], step_names[s])) {
			p->faults.jam[s] = true;
			return NULL;
		}
	}
	return "no such step";
}

/* Faults that are a word for on and a word for off. */
static const struct toggle {
	const char *verb, *on, *off;
	size_t at;
} toggles[] = {
	{"cover", "open", "close", offsetof(struct faults, cover_open)},
	{"output", "full", "empty", offsetof(struct faults, output_full)},
	{"reject", "full", "empty", offsetof(struct faults, reject_full)},
	{"head", "hot", "cool", offsetof(struct faults, head_hot)},
	{"cleaning", "due", "done", offsetof(struct faults, cleaning_due)},
	{"mute", NULL, "off", offsetof(struct faults, mute)},
	{"deaf", NULL, "off", offsetof(struct faults, deaf)},
	{"garble", NULL, "off", offsetof(struct faults, garble)},
	{"endless", NULL, "off", offsetof(struct faults, endless)},
	{"magnetic-write", "bad", "good", offsetof(struct faults, magnet_write)},
	{"magnetic-read", "bad", "good", offsetof(struct faults, magnet_read)},
	{"magnetic-checksum", "bad", "good", offsetof(struct faults, magnet_checksum)},
};

static const char *
verb_toggle(struct emu *emu, struct printer *p, struct words *w)
{
	for (size_t i = 0; i < EMU_LEN(toggles); i++) {
		const struct toggle *t = &toggles[i];
		if (strcmp(t->verb, w->w[0]))
			continue;
		const char *word = w->n > 1 ? w->w[1] : NULL;
		bool on = word && t->on ? !strcmp(word, t->on) : !word && !t->on;
		if (!on && (!word || strcmp(word, t->off)))
			return "no such state";
		*(bool *)((char *)&p->faults + t->at) = on;
		if (!on && !strcmp(t->verb, "endless"))
			p->usb->babbles = false;
		if (!on && !strcmp(t->verb, "output"))
			p->output_now = 0;
		if (!on && !strcmp(t->verb, "reject"))
			p->reject_now = 0;
		if (!on && !strcmp(t->verb, "cleaning"))
			p->since_cleaning = 0;
		pthread_cond_broadcast(&emu->work);
		return NULL;
	}
	return "no such word";
}

static const char *
verb_ribbon(struct emu *emu, struct printer *p, struct words *w)
{
	const char *word = w->w[1];
	if (!strcmp(word, "end"))
		p->reel.ended = true;
	else if (!strcmp(word, "none"))
		p->reel.kind = NULL;
	else if (!strcmp(word, "wrong"))
		return w->n > 2 && !printer_ribbon(p, w->w[2]) ? NULL : "no such ribbon";
	else if (!strcmp(word, "unsure")) {
		p->faults.unsure = w->n > 2 ? ribbon_kind_find(w->w[2]) : NULL;
		return p->faults.unsure ? NULL : "no such ribbon";
	} else if (strcmp(word, "new"))
		return "end, none, wrong NAME, unsure NAME or new";
	else {
		char spec[64];
		snprintf(spec, sizeof spec, "%s:%u", p->spare.kind->name, p->spare.capacity);
		printer_ribbon(p, spec);
	}
	pthread_cond_broadcast(&emu->work);
	return NULL;
}

static const char *
verb_hopper(struct emu *emu, struct printer *p, struct words *w)
{
	if (!strcmp(w->w[1], "empty"))
		p->faults.hopper_empty = true;
	else if (!strcmp(w->w[1], "add") && w->n > 2) {
		printer_add_cards(p, (unsigned)strtoul(w->w[2], NULL, 10));
		p->faults.hopper_empty = false;
		pthread_cond_broadcast(&emu->work);
	} else {
		return "empty or add N";
	}
	return NULL;
}

static const char *
verb_line(struct emu *emu, struct printer *p, struct words *w)
{
	struct usb_device *d = p->usb;
	const char *verb = w->w[0];
	unsigned n = w->n > 1 ? (unsigned)strtoul(w->w[1], NULL, 10) : 0;
	(void)emu;
	if (!strcmp(verb, "reply-delay")) {
		d->reply_delay_ms = n;
	} else if (!strcmp(verb, "slow")) {
		d->slow_bps = n;
		d->slow_since_ms = now_ms();
		d->slow_taken = 0;
	} else if (!strcmp(verb, "hang")) {
		d->hang = true;
	} else if (!strcmp(verb, "stall")) {
		bool in = w->n > 1 && !strcmp(w->w[1], "in");
		if (!in && (w->n < 2 || strcmp(w->w[1], "out")))
			return "in or out";
		*(in ? &d->halt_in : &d->halt_out) = true;
	} else if (!strcmp(verb, "unplug")) {
		usb_plug(d, false);
	} else if (!strcmp(verb, "unplug-after")) {
		if (w->n < 2)
			return "how many bytes?";
		d->unplug_after = n;
	} else if (!strcmp(verb, "plug") && p->powered) {
		usb_plug(d, true);
	}
	usb_pump(d);
	return NULL;
}

/* "say Se ERROR TIME OUT": that command is not carried out, this is the answer; "say off" ends it.
 */
static const char *
verb_say(struct emu *emu, struct printer *p, struct words *w)
{
	(void)emu;
	bool off = !strcmp(w->w[1], "off");
	if (!off && w->n < 3)
		return "which words?";
	snprintf(p->faults.say_name, sizeof p->faults.say_name, "%s", off ? "" : w->w[1]);
	size_t at = 0;
	p->faults.say_text[0] = 0;
	for (unsigned i = 2; i < w->n && at < sizeof p->faults.say_text; i++)
		at += (size_t)snprintf(p->faults.say_text + at, sizeof p->faults.say_text - at,
			"%s%s", i > 2 ? " " : "", w->w[i]);
	return NULL;
}

/* "option dock-contact SMC 1": a switch of the printer's language. */
static const char *
verb_option(struct emu *emu, struct printer *p, struct words *w)
{
	const char *value = w->rest + strcspn(w->rest, " ");
	(void)emu;
	if (!p->model->dialect->option)
		return "this family has no options";
	return p->model->dialect->option(p->dialect, w->w[1], value + strspn(value, " "));
}

/* "lacks Psp": that command is answered as unknown from now on; "lacks off" ends it for all. */
static const char *
verb_lacks(struct emu *emu, struct printer *p, struct words *w)
{
	char *list = p->faults.lacks;
	size_t n = strlen(list);
	(void)emu;
	if (!strcmp(w->w[1], "off")) {
		*list = 0;
		return NULL;
	}
	if (n + strlen(w->w[1]) + 3 > sizeof p->faults.lacks)
		return "too many commands";
	snprintf(list + n, sizeof p->faults.lacks - n, n ? "%s " : " %s ", w->w[1]);
	return NULL;
}

static const char *
verb_descriptors(struct emu *emu, struct printer *p, struct words *w)
{
	(void)emu;
	return usb_lie(p->usb, w->w[1]) ? NULL : "no such lie; EMULATOR.md lists them";
}

static const char *
verb_power(struct emu *emu, struct printer *p, struct words *w)
{
	bool on = !strcmp(w->w[1], "on");
	if (!on && strcmp(w->w[1], "off"))
		return "on or off";
	if (on == p->powered)
		return NULL;
	p->powered = on;
	p->power_lost = true;
	p->usb->fifo_len = 0;
	usb_plug(p->usb, on);
	pthread_cond_broadcast(&emu->work);
	return NULL;
}

static const char *
verb_clear(struct emu *emu, struct printer *p, struct words *w)
{
	(void)w;
	machine_clear(p);
	(void)emu;
	free(station_control(p, "clear"));
	return NULL;
}

/* What a reader elsewhere left on it; block 0 of the file names the number. */
static const char *
chip_load(struct chip *c, const char *path)
{
	uint8_t memory[sizeof c->mem];
	FILE *f = fopen(path, "rbe");
	bool whole = f && fread(memory, sizeof memory, 1, f) == 1;
	if (f)
		fclose(f);
	if (!whole)
		return "load: no chip's memory in that file";
	memcpy(c->mem, memory, sizeof memory);
	return NULL;
}

static const char *
verb_chip(struct emu *emu, struct printer *p, struct words *w)
{
	unsigned serial = (unsigned)strtoul(w->w[1], NULL, 10);
	if (serial < 1 || serial > p->n_cards)
		return "no such card";
	struct emu_card *card = p->cards[serial - 1];
	struct chip *c = &card->chip;
	const char *what = w->w[2];
	int at = (int)c->writes + (w->n > 3 ? (int)strtoul(w->w[3], NULL, 10) : 1);
	const char *problem = NULL;
	pthread_mutex_lock(&p->field.lock);
	if (!strcmp(what, "dead")) {
		c->absent = true;
	} else if (!strcmp(what, "used")) {
		static const uint8_t a[6] = {0xa5, 0x5a, 1, 2, 3, 4},
				     b[6] = {0x5a, 0xa5, 4, 3, 2, 1};
		chip_set_keys(c, a, b);
	} else if (!strcmp(what, "wrong-type")) {
		chip_set_kind(c, w->n > 3 ? w->w[3] : "classic-4k");
	} else if (!strcmp(what, "tear")) {
		c->tear_at_write = at;
	} else if (!strcmp(what, "lose")) {
		c->lose_at_write = at;
	} else if (!strcmp(what, "remove")) {
		c->remove_at_write = at;
	} else if (!strcmp(what, "lose-from")) {
		c->lose_from_write = at;
	} else if (!strcmp(what, "refuse-from")) {
		c->refuse_from_write = at;
	} else if (!strcmp(what, "uid")) {
		if (w->n < 4 || !card_uid(card, w->w[3]))
			problem = "uid: 8 or 14 hexadecimal digits";
	} else if (!strcmp(what, "load")) {
		problem = chip_load(c, w->n > 3 ? w->w[3] : "");
	} else if (!strcmp(what, "two")) {
		struct emu_card *extra =
			card->second ? NULL
				     : card_create(0, &emu->random_state, p->cards, p->n_cards);
		card->second = extra ? malloc(sizeof *card->second) : card->second;
		if (extra && card->second)
			*card->second = extra->chip;
		card_destroy(extra);
	} else {
		problem = "dead, used, wrong-type, tear, lose, remove, lose-from, refuse-from, "
			  "two, load or uid";
	}
	pthread_mutex_unlock(&p->field.lock);
	return problem;
}

static const char *
verb_kill(struct emu *emu, struct printer *p, struct words *w)
{
	(void)p;
	return killer_plan(emu, KILL_AT_ONCE, NULL, 0, w->w[1], NULL);
}

static const char *
verb_forget(struct emu *emu, struct printer *p, struct words *w)
{
	(void)p;
	(void)w;
	killer_forget(emu->killer);
	return NULL;
}

static const char *
verb_synced(struct emu *emu, struct printer *p, struct words *w)
{
	(void)p;
	(void)w;
	killer_synced(emu->killer);
	return NULL;
}

/* A hand through the open cover. */
static const char *
verb_take(struct emu *emu, struct printer *p, struct words *w)
{
	(void)emu;
	(void)w;
	machine_take(p);
	return NULL;
}

const struct console_verb console_verbs[] = {
	{"jam", 2, verb_jam},
	{"cover", 2, verb_toggle},
	{"output", 2, verb_toggle},
	{"reject", 2, verb_toggle},
	{"head", 2, verb_toggle},
	{"cleaning", 2, verb_toggle},
	{"mute", 1, verb_toggle},
	{"deaf", 1, verb_toggle},
	{"garble", 1, verb_toggle},
	{"endless", 1, verb_toggle},
	{"magnetic-write", 2, verb_toggle},
	{"magnetic-read", 2, verb_toggle},
	{"magnetic-checksum", 2, verb_toggle},
	{"ribbon", 2, verb_ribbon},
	{"lacks", 2, verb_lacks},
	{"descriptors", 2, verb_descriptors},
	{"hopper", 2, verb_hopper},
	{"reply-delay", 2, verb_line},
	{"slow", 2, verb_line},
	{"hang", 1, verb_line},
	{"stall", 2, verb_line},
	{"unplug", 1, verb_line},
	{"unplug-after", 2, verb_line},
	{"plug", 1, verb_line},
	{"say", 2, verb_say},
	{"option", 3, verb_option},
	{"power", 2, verb_power},
	{"clear", 1, verb_clear},
	{"take", 1, verb_take},
	{"chip", 3, verb_chip},
	{"kill", 2, verb_kill},
	{"forget", 1, verb_forget},
	{"synced", 1, verb_synced},
};
const size_t n_console_verbs = EMU_LEN(console_verbs);
