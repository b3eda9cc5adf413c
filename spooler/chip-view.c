/*
 * chip-view.c - a chip's record on the screen.
 *
 * Owns who may see whole values and what the summary looks like. Guarantees: a value is masked as
 * the schema says unless --full was allowed, and each such look is an event of the ledger.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/chip-desk.h"

#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char full_group[] = "cardspool-desk";

static bool
caller_in_group(const char *name)
{
	const struct group *g = getgrnam(name);
	gid_t wanted = g ? g->gr_gid : 0;
	int n = g ? getgroups(0, NULL) : -1;
	gid_t *groups = n > 0 ? calloc((size_t)n, sizeof *groups) : NULL;
	bool in = g && getgid() == wanted;

	n = groups ? getgroups(n, groups) : 0;
	for (int i = 0; i < n; i++)
		in |= groups[i] == wanted;
	free(groups);
	return in;
}

int
desk_full_allow(struct desk *d, struct err *e)
{
	if (getuid() != 0 && !caller_in_group(full_group))
		return err_set(e, ERR_DENIED,
			_("Whole values are shown to members of the group %s only; without --full "
			  "they are masked."),
			full_group);
	if (!d->ledger || !d->ledger->writable)
		return err_set(e, ERR_DENIED,
			_("Whole values are shown only where the ledger can note it; without "
			  "--full they are masked."));
	return ledger_chip_event(d->ledger, "chip-shown", &d->card, d->uid, json_object(), e);
}

void
desk_value(const struct desk *d, int field, char *out, size_t max)
{
	if (d->full)
		snprintf(out, max, "%s", d->record.values[field]);
	else
		record_mask(out, max, d->schema, &d->record, field);
}

static const char *
mac_word(const struct desk *d)
{
	if (d->found > CHIP_ALTERED || !d->mac_present)
		return "none";
	return d->found == CHIP_GENUINE ? "good" : "bad";
}

static const char *
state_word(const struct desk *d)
{
	static const char *const words[] = {[CHIP_GENUINE] = "written",
		[CHIP_ALTERED] = "written",
		[CHIP_FOREIGN] = "closed",
		[CHIP_BLANK] = "blank",
		[CHIP_EMPTY] = "empty",
		[CHIP_UNKNOWN] = "unknown"};

	return words[d->found];
}

static json_t *
verdict_json(const struct desk *d)
{
	enum chip_verdict verdict;
	char why[ERR_TEXT_MAX];

	if (chip_judge(d, &verdict, why, sizeof why, NULL))
		return json_null();
	return json_pack("{s:s, s:s, s:s}", "verdict", chip_verdicts[verdict].name, "why", why,
		"date", d->today);
}

static void
print_json(const struct desk *d)
{
	json_t *fields = json_object();

	for (size_t i = 0; d->record.values && i < d->schema->n_fields; i++) {
		char value[DESK_VALUE_LEN];
		desk_value(d, (int)i, value, sizeof value);
		json_object_set_new(fields, d->schema->fields[i].name, json_text(value));
	}
	json_t *all = json_pack("{s:s, s:s, s:s, s:s, s:b, s:I, s:b, s:o, s:o}", "uid", d->uid,
		"state", state_word(d), "template", d->schema->name, "mac", mac_word(d), "full",
		d->full, "card", (json_int_t)d->card.id, "change_open", d->change.open, "judgement",
		verdict_json(d), "fields", fields);
	if (all)
		json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
}

static void
print_fields(const struct desk *d)
{
	struct textable *t = textable_create(2, _("FIELD"), _("ON THE CHIP"));

	for (size_t i = 0; i < d->schema->n_fields; i++) {
		char value[DESK_VALUE_LEN];
		desk_value(d, (int)i, value, sizeof value);
		if (value[0])
			textable_add(t, d->schema->fields[i].name, value);
	}
	textable_print(t, stdout);
	textable_destroy(t);
}

static void
print_text(const struct desk *d)
{
	enum chip_verdict verdict;
	char why[ERR_TEXT_MAX];

	printf(_("chip %s: %s\n"), d->uid,
		d->found == CHIP_BLANK   ? _("blank, never written")
		: d->found == CHIP_EMPTY ? _("empty, with keys of this site")
					 : d->schema->title);
	if (d->record.values)
		print_fields(d);
	if (d->found <= CHIP_ALTERED)
		printf(_("MAC: %s\n"), mac_word(d));
	if (d->card.id)
		printf(_("ledger: card %" PRId64 ", %s\n"), d->card.id,
			_(card_states[d->card.state].means));
	if (d->change.open)
		printf(_("ledger: a change (%s) was interrupted and is not finished\n"),
			d->change.verb);
	if (chip_judge(d, &verdict, why, sizeof why, NULL) == 0)
		printf("%s: %s\n", _(chip_verdicts[verdict].words), why);
}

void
desk_print(const struct desk *d)
{
	if (d->json)
		print_json(d);
	else
		print_text(d);
}
