/*
 * supply.c - what wears and runs out, and whether a batch fits it.
 *
 * Owns the table of supplies as IPP names them, the completing of a printer's own figures from the
 * ledger, the reasons for what is nearly over, and the sum before the first card: prints and blank
 * cards that are needed against what is there. Guarantees that a figure nobody knows stays -1 and
 * never counts as enough or as too little. Nothing here moves a card.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <stdio.h>
#include <string.h>

/* Rated lives where a model's row has none: the head in cards, the reader in operations. */
enum { HEAD_LIFE = 50000, READER_LIFE = 100000, CLEANING_FULL = 100 };

/* marker-types are those of RFC 3805; neither a print head nor a reader has one of its own. */
const struct supply_row supply_rows[] = {
	[SUPPLY_RIBBON] = {"ribbon", N_("Ribbon"), "ink-ribbon", "marker-supply-low-warning", 10},
	[SUPPLY_CLEANING] = {"cleaning", N_("Cleaning"), "cleaner-unit",
		"cleaner-life-almost-over-warning", 5},
	[SUPPLY_HEAD] = {"head", N_("Print head"), "other", "com.cardspool.head-worn-warning", 5},
	[SUPPLY_READER] = {"reader", N_("Chip reader"), "other",
		"com.cardspool.reader-worn-warning", 5},
};
const size_t n_supply_rows = ARRAY_LEN(supply_rows);

int
supply_percent(const struct supply *s)
{
	int full = s->capacity > 0 ? s->capacity : s->kind == SUPPLY_CLEANING ? CLEANING_FULL : 0;

	if (s->level < 0)
		return -1;
	if (full == 0)
		return s->level > 100 ? 100 : s->level;
	return s->level >= full ? 100 : (int)((int64_t)s->level * 100 / full);
}

static struct supply *
supply_of(struct printer_status *st, enum supply_kind kind)
{
	struct supply *s;

	for (unsigned i = 0; i < st->n_supplies; i++)
		if (st->supply[i].kind == kind)
			return &st->supply[i];
	if (st->n_supplies == SUPPLIES_MAX)
		return NULL;
	s = &st->supply[st->n_supplies++];
	*s = (struct supply){.kind = kind, .level = -1, .capacity = -1};
	return s;
}

static int
life_left(int64_t life, int64_t used)
{
	return used >= life ? 0 : (int)(life - used);
}

static void
ribbon_complete(struct printer_status *st, const struct wear *w)
{
	struct supply *s = supply_of(st, SUPPLY_RIBBON);

	if (s && s->level < 0 && s->capacity > 0)
		s->level = life_left(s->capacity, w->ribbon_prints);
	if (s)
		st->ribbon = *s;
}

unsigned
head_life(const struct printer_model *model)
{
	return model && model->head_life_cards ? model->head_life_cards : HEAD_LIFE;
}

void
supply_complete(struct printer_status *st, const struct printer_model *model, const struct wear *w)
{
	int life = (int)head_life(model);
	struct supply *cleaning, *head, *reader;

	ribbon_complete(st, w);
	cleaning = supply_of(st, SUPPLY_CLEANING);
	if (cleaning && cleaning->level < 0)
		cleaning->level = st->cleaning_left;
	head = supply_of(st, SUPPLY_HEAD);
	if (head && head->capacity < 0)
		head->capacity = life;
	if (head && head->level < 0)
		head->level = life_left(
			head->capacity, st->cards >= 0 ? st->cards : w->prints + w->tests);
	reader = w->chips > 0 ? supply_of(st, SUPPLY_READER) : NULL;
	if (reader) {
		reader->capacity = READER_LIFE;
		reader->level = life_left(READER_LIFE, w->chips);
	}
}

/* Each reason once: set when it is nearly over, taken back when there is enough again. */
static void
reasons_tell(struct sink *s, const struct printer_status *st, unsigned *told)
{
	for (unsigned i = 0; i < st->n_supplies; i++) {
		enum supply_kind kind = st->supply[i].kind;
		int percent = supply_percent(&st->supply[i]);
		bool low = percent >= 0 && percent <= supply_rows[kind].low;
		unsigned bit = 1u << kind;

		if (low == ((*told & bit) != 0))
			continue;
		s->reason(s, supply_rows[kind].reason, low);
		*told = low ? *told | bit : *told & ~bit;
	}
}

void
supply_tell(struct pass *p, struct printer_status *st)
{
	supply_complete(st, p->driver->model(p->printer), &p->wear);
	snprintf(st->supply_note, sizeof(st->supply_note), "%s", p->fit_text);
	p->sink->supplies(p->sink, st);
	reasons_tell(p->sink, st, &p->low_told);
}

/* ---- does the batch fit? ---- */

/* A set of panels prints one card; where front and back use the same panels, each side takes a set.
 */
static unsigned
prints_per_card(const struct ribbon *r, bool duplex)
{
	return duplex && r->back[0] && strcmp(r->front, r->back) == 0 ? 2 : 1;
}

void
fit_count(struct fit *f, const struct printer_status *st, const struct printer_model *model,
	const struct ribbon *ribbon, bool duplex, unsigned cards)
{
	*f = (struct fit){.cards = cards,
		.prints = cards * prints_per_card(ribbon, duplex),
		.prints_left = st->ribbon.level,
		.hopper = model ? model->hopper_cards : 0};
	f->ribbon_short = f->prints_left >= 0 && f->prints > (unsigned)f->prints_left;
	f->hopper_short = f->hopper > 0 && f->cards > f->hopper;
}

/* One sentence for each that is too little; empty when all fits or nothing is known. */
void
fit_text(const struct fit *f, const char *ribbon, char *out, size_t max)
{
	size_t n = 0;

	out[0] = '\0';
	if (f->ribbon_short)
		snprintf(out, max,
			_("This batch needs %u prints, the ribbon %s has %d left. Have a new "
			  "ribbon "
			  "ready."),
			f->prints, ribbon, f->prints_left);
	n = strlen(out);
	if (f->hopper_short)
		snprintf(out + n, max - n,
			_("%sThis batch needs %u cards, the hopper holds %u. Fill it up "
			  "meanwhile."),
			n ? " " : "", f->cards, f->hopper);
}

#define FIT_HOPPER_REASON "media-low-warning"

int
fit_check(struct pass *p, bool duplex, struct err *e)
{
	struct printer_status st;
	struct tally t;
	struct fit f;
	unsigned made;

	if (p->fit == FIT_OFF)
		return 0;
	if (ledger_tally(p->ledger, p->job.uuid, &t, e) != 0)
		return e->code;
	if (pass_status(p, &st, e) != 0)
		return 0; /* the card's own step says what is wrong */
	supply_complete(&st, p->driver->model(p->printer), &p->wear);
	made = t.good < p->job.n_cards ? t.good : p->job.n_cards;
	fit_count(&f, &st, p->driver->model(p->printer), p->print.ribbon, duplex,
		p->job.n_cards - made);
	fit_text(&f, p->print.ribbon->name, p->fit_text, sizeof(p->fit_text));
	if (f.ribbon_short && !(p->low_told & 1u << SUPPLY_RIBBON)) {
		p->sink->reason(p->sink, supply_rows[SUPPLY_RIBBON].reason, true);
		p->low_told |= 1u << SUPPLY_RIBBON;
	}
	if (f.hopper_short)
		p->sink->reason(p->sink, FIT_HOPPER_REASON, true);
	snprintf(st.supply_note, sizeof(st.supply_note), "%s", p->fit_text);
	p->sink->supplies(p->sink, &st);
	if (!p->fit_text[0])
		return 0;
	p->sink->message(p->sink, false, p->fit_text);
	if (p->fit != FIT_HOLD)
		return 0;
	return err_set(e, ERR_INPUT,
		_("%s To make it all the same: lp -i %d -o cardspool-fit=warn -H "
		  "resume"),
		p->fit_text, p->job.cups_id);
}

void
supply_clear(struct sink *s)
{
	for (size_t i = 0; i < n_supply_rows; i++)
		s->reason(s, supply_rows[i].reason, false);
	s->reason(s, FIT_HOPPER_REASON, false);
}

int
fit_parse(const char *word)
{
	static const char *const words[] = {
		[FIT_OFF] = "off", [FIT_WARN] = "warn", [FIT_HOLD] = "hold"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (word && strcmp(words[i], word) == 0)
			return (int)i;
	return -1;
}
