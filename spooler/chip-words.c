/*
 * chip-words.c - what a person at a desk reader is told, and the folder of the template they name.
 *
 * Owns the desk's sentences for faults of chips and readers. The table of faults speaks to the
 * operator of a printer: feeders, reject boxes, fresh cards; here somebody lays one card on a
 * reader. Guarantees: a sentence that a driver made for one case is left as it is; fault and raw
 * words stay.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/chip-desk.h"

#include <string.h>
#include <unistd.h>

/* %s: the raw words, here the chip's number. */
static const struct {
	enum fault fault;
	const char *text;
} words_of[] = {
	{FAULT_READER_ABSENT, N_("No chip reader answers there. Plug it in, or name another one "
				 "with --station; see: cardspool station list")},
	{FAULT_READER_GONE, N_("The connection to the chip reader was lost. Plug it in and give "
			       "the same command again.")},
	{FAULT_NO_CHIP, N_("No chip answers at the reader. Lay one card on it.")},
	{FAULT_CHIP_TWO,
		N_("More than one chip answers at the reader. Leave only one card there.")},
	{FAULT_CHIP_TYPE,
		N_("The card at the reader has another kind of chip than this command is for.")},
	{FAULT_CHIP_USED,
		N_("This chip is not blank: it has keys already, of this site or of somebody "
		   "else. Nothing was written. cardspool chip void clears a card of this site.")},
	{FAULT_CHIP_REMOVED, N_("The chip stopped answering. Lay the card on the reader again and "
				"give the same command; it finishes what was begun.")},
	{FAULT_CHIP_WRITE, N_("The chip could not be written. Give the same command again; if it "
			      "comes back, put the card aside.")},
	{FAULT_CHIP_VERIFY,
		N_("The chip does not hold what was to be written. Give the same command again; "
		   "if it comes back: cardspool chip void, or put the card aside.")},
	{FAULT_CHIP_TRAILER,
		N_("Sectors of this chip open with no key of this site: its keys were torn while "
		   "they were set, or somebody else's stand there. Put the card aside.")},
	{FAULT_UID_ISSUED, N_("A card with the chip number %s was issued before. Take another "
			      "card; see: cardspool card list")},
};

int
desk_option_refuse(const char *verb, int letter, const char *word, struct err *e)
{
	return err_set(e, ERR_USAGE,
		letter == ':'
			? _("chip %s: %s needs a value behind it. See: cardspool help chip %s")
			: _("chip %s does not know \"%s\". See: cardspool help chip %s"),
		verb, word, verb);
}

int
desk_day(char out[9], const char *option, const char *word, struct err *e)
{
	if (date_parse(out, word))
		return 0;
	return err_set(
		e, ERR_USAGE, _("%s wants a day, like 2026-11-21, not \"%s\"."), option, word);
}

int
desk_words(int rc, struct err *e)
{
	struct err general;

	if (!e || rc == 0 || !e->fault)
		return rc;
	fault_set(&general, (enum fault)e->fault, NULL);
	for (size_t i = 0; i < ARRAY_LEN(words_of); i++)
		if ((int)words_of[i].fault == e->fault && strcmp(e->text, general.text) == 0)
			snprintf(e->text, sizeof e->text, _(words_of[i].text), e->raw);
	return rc;
}

int
desk_station(struct station **out, const char *address, struct err *e)
{
	int rc = desk_words(station_open(out, address, e), e);

	return rc && e && e->fault == FAULT_READER_ABSENT ? err_prefix(e, "%s", address) : rc;
}

int
desk_template(char *out, size_t max, const struct config *config, const char *word, struct err *e)
{
	const char *templates = config_templates(config);
	const bool folder = strchr(word, '/') || !strcmp(word, ".");
	char schema[DESK_PATH_LEN + 16];
	int n = folder ? snprintf(out, max, "%s", word)
		       : snprintf(out, max, "%s/%s", templates, word);

	if (n < 0 || (size_t)n >= max || n >= DESK_PATH_LEN)
		return err_set(e, ERR_USAGE, _("%s: the path is too long."), word);
	snprintf(schema, sizeof schema, "%s/record.schema", out);
	if (access(schema, F_OK) == 0)
		return 0;
	return folder ? err_set(e, ERR_MISSING, _("%s: is no template; it has no record.schema."),
				word)
		      : err_set(e, ERR_MISSING, _("There is no template %s in %s."), word,
				templates);
}
