/*
 * chip-verdict.c - is this card to be accepted today?
 *
 * Owns the order in which what is known decides: the chip's own proof first, then what the ledger
 * or the inspector's file knows against it, then its dates. Pure over what was read.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/chip-desk.h"

#include <string.h>

const struct chip_verdict_row chip_verdicts[VERDICT_COUNT] = {
	[VERDICT_VALID] = {"valid", 0, N_("VALID")},
	[VERDICT_REVIEW_DUE] = {"review-due", 10, N_("REVIEW DUE")},
	[VERDICT_EXPIRED] = {"expired", 11, N_("EXPIRED")},
	[VERDICT_NOT_YET] = {"not-yet-valid", 12, N_("NOT YET VALID")},
	[VERDICT_NOT_GENUINE] = {"not-genuine", 13, N_("NOT GENUINE")},
	[VERDICT_VOID] = {"void", 14, N_("VOID")},
	[VERDICT_UNFINISHED] = {"unfinished", 15, N_("UNFINISHED")},
	[VERDICT_UNKNOWN] = {"unknown", 16, N_("UNKNOWN")},
};

static bool
is_void(const struct desk *d)
{
	return d->card.id ? d->card.state == CARD_VOID
			  : d->inspector && inspector_void(d->inspector, &d->id);
}

/* What decides before any date is looked at; false: nothing does. */
static bool
judge_chip(const struct desk *d, enum chip_verdict *out, char *why, size_t max)
{
	struct err e = {0};

	if (d->change.open && d->found <= CHIP_ALTERED) {
		*out = VERDICT_UNFINISHED;
		snprintf(why, max, _("a change (%s) was interrupted; bring the card to the desk"),
			d->change.verb);
		return true;
	}
	if (d->found == CHIP_UNKNOWN || desk_refuse(d, &e)) {
		*out = d->found == CHIP_UNKNOWN ? VERDICT_UNKNOWN : VERDICT_NOT_GENUINE;
		if (d->found == CHIP_UNKNOWN)
			desk_refuse(d, &e);
		snprintf(why, max, "%s", e.text);
		return true;
	}
	/* Without a MAC anybody could have written it. */
	if (!d->mac_present) {
		*out = VERDICT_NOT_GENUINE;
		snprintf(why, max, _("the chip map of this template has no MAC"));
		return true;
	}
	if (is_void(d)) {
		*out = VERDICT_VOID;
		snprintf(why, max, _("the card was declared void; keep it"));
		return true;
	}
	/* A good chip whose card never came out good: stolen from the reject box, or in the
	 * machine. */
	if (d->card.id && d->card.state != CARD_DONE) {
		*out = VERDICT_NOT_GENUINE;
		snprintf(why, max, _("the ledger has this card as: %s"),
			_(card_states[d->card.state].means));
		return true;
	}
	return false;
}

static const char *
date_text(const struct desk *d, int field)
{
	return field < 0 || !d->record.values[field][0] ? "-" : d->record.values[field];
}

int
chip_judge(const struct desk *d, enum chip_verdict *out, char *why, size_t max, struct err *e)
{
	static const enum chip_verdict of[] = {[DESK_VALID] = VERDICT_VALID,
		[DESK_REVIEW_DUE] = VERDICT_REVIEW_DUE,
		[DESK_EXPIRED] = VERDICT_EXPIRED,
		[DESK_NOT_YET] = VERDICT_NOT_YET};
	enum desk_validity validity;
	size_t review = 0;

	if (judge_chip(d, out, why, max))
		return 0;
	int rc = desk_judge(&validity, &review, &d->rules, d->schema, &d->record, d->today, e);
	if (rc)
		return e ? err_prefix(e, _("chip %s"), d->uid) : rc;
	*out = of[validity];
	int n = snprintf(why, max, _("valid from %s to %s"), date_text(d, d->rules.valid_from),
		date_text(d, d->rules.valid_to));
	if (n < 0 || (size_t)n >= max)
		return 0;
	if (review < d->rules.n_reviews)
		snprintf(why + n, max - (size_t)n, _(", review %zu due by %s"), review + 1,
			date_text(d, d->rules.review[review].due));
	else if (review)
		snprintf(why + n, max - (size_t)n, _(", all reviews recorded"));
	return 0;
}
