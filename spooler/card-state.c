/*
 * card-state.c - the states of a card and the moves between them.
 *
 * Owns the two tables that the pass walks, the ledger enforces and doc/LEDGER.md prints.
 * Guarantees: a move that is not a row here is refused, in C and by a trigger inside the ledger
 * file. Cannot fail.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <string.h>

/* Changing a row or a move changes what a ledger file enforces: raise LEDGER_VERSION with it. */
const struct card_state_row card_states[CARD_STATE_COUNT] = {
	[CARD_QUEUED] = {CARD_QUEUED, "queued", ACT_NONE, false, false, N_("waiting to be made"),
		N_("No card was taken from the hopper for it.")},
	[CARD_FEEDING] = {CARD_FEEDING, "feeding", ACT_FEED, true, false,
		N_("a card is being taken from the hopper"),
		N_("The order to feed is on disk; a blank card may have left the hopper, nothing "
		   "is written or printed on it.")},
	[CARD_AT_STATION] = {CARD_AT_STATION, "at-station", ACT_NONE, true, false,
		N_("in the machine, untouched"),
		N_("The printer confirmed one card inside; nothing is printed on it and its chip "
		   "is not proved.")},
	[CARD_ENCODING] = {CARD_ENCODING, "encoding", ACT_ENCODE, true, false,
		N_("its chip is being written"),
		N_("The chip's number and the hash of what it shall hold are on disk; the chip may "
		   "be blank, partly or completely written, nothing is printed.")},
	[CARD_ENCODED] = {CARD_ENCODED, "encoded", ACT_NONE, true, false,
		N_("its chip is written and proved"),
		N_("The chip was read back under its new keys and is right; nothing is printed.")},
	[CARD_PRINTING] = {CARD_PRINTING, "printing", ACT_PRINT, true, false,
		N_("it is being printed"),
		N_("The hashes of both faces and the printer's counter are on disk; the card may "
		   "be untouched, partly or completely printed.")},
	[CARD_DONE] = {CARD_DONE, "done", ACT_NONE, true, true, N_("finished and good"),
		N_("The printer confirmed the print and the eject; chip and face belong to this "
		   "record. It is never made again.")},
	[CARD_REJECTING] = {CARD_REJECTING, "rejecting", ACT_REJECT, true, false,
		N_("it is being thrown into the reject box"),
		N_("The order to reject and its cause are on disk; the card is inside or in the "
		   "reject box, never among the good ones.")},
	[CARD_REJECTED] = {CARD_REJECTED, "rejected", ACT_NONE, true, true, N_("in the reject box"),
		N_("The printer confirmed that the card went to the reject box; a fresh card may "
		   "take its place.")},
	[CARD_SPOILED] = {CARD_SPOILED, "spoiled", ACT_NONE, true, true,
		N_("taken out by hand and not good"),
		N_("The card was seen gone from the machine after a jam, or a person said so; a "
		   "fresh card may take its place.")},
	[CARD_DOUBT] = {CARD_DOUBT, "doubt", ACT_NONE, true, false,
		N_("held: nobody knows yet what happened to it"),
		N_("An act began and its outcome is unknown. Nothing is made for this record until "
		   "it is observed or a person decides.")},
	[CARD_CANCELLED] = {CARD_CANCELLED, "cancelled", ACT_NONE, false, true,
		N_("cancelled before a card was fed"),
		N_("No card was taken from the hopper for it.")},
	[CARD_VOID] = {CARD_VOID, "void", ACT_NONE, true, true,
		N_("a good card that was declared void"),
		N_("The card was made and must be destroyed; its chip stays on record and a fresh "
		   "card may take its place.")},
};

const struct card_transition card_transitions[] = {
	{CARD_QUEUED, CARD_FEEDING, N_("intent: feed")},
	{CARD_QUEUED, CARD_CANCELLED, N_("the job was cancelled before the feed")},
	{CARD_CANCELLED, CARD_QUEUED, N_("the job was started again")},

	{CARD_FEEDING, CARD_AT_STATION, N_("outcome: the printer confirmed the feed")},
	{CARD_FEEDING, CARD_QUEUED, N_("outcome: the printer says that nothing was fed")},
	{CARD_FEEDING, CARD_REJECTING, N_("intent: reject a card that stands at no known place")},
	{CARD_FEEDING, CARD_SPOILED, N_("observed: jammed and taken out by hand")},
	{CARD_FEEDING, CARD_DOUBT, N_("outcome unknown")},

	{CARD_AT_STATION, CARD_ENCODING, N_("intent: write the chip")},
	{CARD_AT_STATION, CARD_PRINTING, N_("intent: print a card without chip")},
	{CARD_AT_STATION, CARD_REJECTING, N_("intent: reject")},
	{CARD_AT_STATION, CARD_SPOILED, N_("observed: taken out by hand")},
	{CARD_AT_STATION, CARD_DOUBT, N_("outcome unknown: the card is not where it was")},

	{CARD_ENCODING, CARD_ENCODED, N_("outcome: chip written and proved")},
	{CARD_ENCODING, CARD_AT_STATION, N_("outcome: the chip was not written, write it again")},
	{CARD_ENCODING, CARD_REJECTING, N_("intent: reject, the chip is not good")},
	{CARD_ENCODING, CARD_SPOILED, N_("observed: taken out by hand")},
	{CARD_ENCODING, CARD_DOUBT, N_("outcome unknown")},

	{CARD_ENCODED, CARD_PRINTING, N_("intent: print")},
	{CARD_ENCODED, CARD_REJECTING, N_("intent: reject")},
	{CARD_ENCODED, CARD_SPOILED, N_("observed: taken out by hand")},
	{CARD_ENCODED, CARD_DOUBT, N_("outcome unknown: the card is not where it was")},

	{CARD_PRINTING, CARD_DONE,
		N_("outcome: printed and ejected, by the printer's word or its counter")},
	{CARD_PRINTING, CARD_ENCODED, N_("outcome: known not printed, the chip is good")},
	{CARD_PRINTING, CARD_AT_STATION, N_("outcome: known not printed, a card without chip")},
	{CARD_PRINTING, CARD_REJECTING, N_("intent: reject a misprint")},
	{CARD_PRINTING, CARD_SPOILED, N_("observed: jammed and taken out by hand")},
	{CARD_PRINTING, CARD_DOUBT, N_("outcome unknown")},

	{CARD_REJECTING, CARD_REJECTED, N_("outcome: seen to go to the reject box")},
	{CARD_REJECTING, CARD_REJECTING,
		N_("intent: reject again, the card is known not to have moved")},
	{CARD_REJECTING, CARD_SPOILED, N_("observed: taken out by hand")},
	{CARD_REJECTING, CARD_DOUBT, N_("outcome unknown")},

	{CARD_DOUBT, CARD_DONE, N_("settled: the card is good")},
	{CARD_DOUBT, CARD_REJECTED, N_("settled: the card lies in the reject box")},
	{CARD_DOUBT, CARD_SPOILED, N_("settled: the card is not good and was taken out")},
	{CARD_DOUBT, CARD_QUEUED, N_("settled: no card was used, or it is still blank")},
	{CARD_DOUBT, CARD_AT_STATION, N_("observed: its untouched card stands in the machine")},
	{CARD_DOUBT, CARD_ENCODED,
		N_("observed: its finished chip is at the station, nothing printed")},
	{CARD_DOUBT, CARD_REJECTING, N_("intent: reject a card that was found inside")},

	{CARD_DONE, CARD_VOID, N_("a person declared the card void")},
};
const size_t n_card_transitions = ARRAY_LEN(card_transitions);

bool
card_transition_legal(enum card_state from, enum card_state to)
{
	for (size_t i = 0; i < n_card_transitions; i++)
		if (card_transitions[i].from == from && card_transitions[i].to == to)
			return true;
	return false;
}

int
card_state_parse(const char *name)
{
	for (int i = 0; i < CARD_STATE_COUNT; i++)
		if (strcmp(card_states[i].name, name) == 0)
			return i;
	return -1;
}
