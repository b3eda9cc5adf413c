/*
 * epcl-table.c - the EPCL models, their settings, and every command the codec can emit.
 *
 * Data only. What the protocol's sources leave open is a setting with a default that spoils
 * nothing; an installation overrides it by name. Sources, as doc/PRINTERS.md names them: "manual"
 * is the programmer's manual of 1999, "P420 job" a production program's byte stream, "P330i filter"
 * an unfinished CUPS filter, "sample" a printing tool's sample page, "SDK" the vendor's SDK header.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/epcl.h"

#define INFERRED   CONFIDENCE_INFERRED
#define ONE_SOURCE CONFIDENCE_ONE_SOURCE
#define SOURCED    CONFIDENCE_SOURCED

/* clang-format off */
#define COMMON_SETTINGS \
	{"replies", "on", "on: ACK, NACK and texts come back over USB; off: the printer is refused, " \
		"because no card could be proved", INFERRED}, \
	{"place-query", "", "question whose NACK 05 means a card at the print position and NACK 06 none, " \
		"as &P on a printer with magnetic encoder; empty: nobody is asked, people settle doubt", ONE_SOURCE}, \
	{"dock-contact", "", "command that moves the card to the contact station; none: the print position " \
		"is the station; empty: unknown, chip cards are refused", INFERRED}, \
	{"dock-contactless", "", "the same for the contactless station", INFERRED}, \
	{"undock-print", "", "command that moves the card from a station to the print position; none: " \
		"printing does it", INFERRED}, \
	{"undock-eject", "", "command that puts a card out from a station; empty: undock-print, then out", INFERRED}, \
	{"reject-command", "MO", "command that puts a bad card out; without a reject box it falls among the " \
		"finished ones", INFERRED}, \
	{"reject-setup", "", "sent at the start of a job so that reject-command reaches the reject box: +RB 0 1 on a " \
		"P420; empty: as the printer is set", ONE_SOURCE}, \
	{"ribbon-prints", "", "cards on a new ribbon, for what the ledger counts off; empty: unknown", INFERRED}, \
	{"ribbon-ymcko", "0", "number after +RIB; tag: the printer reads the ribbon itself; empty: refused", ONE_SOURCE}, \
	{"ribbon-ymckok", "", "the same", INFERRED}, \
	{"ribbon-ko", "", "the same", INFERRED}, \
	{"ribbon-k", "4", "the same", ONE_SOURCE}, \
	{"intensity-y", "5", "heat of the darkest dot, +$L 0", ONE_SOURCE}, \
	{"intensity-m", "5", "heat of the darkest dot, +$L 1", ONE_SOURCE}, \
	{"intensity-c", "5", "heat of the darkest dot, +$L 2", ONE_SOURCE}, \
	{"contrast-y", "5", "heat of the lightest dot, +$C 0", ONE_SOURCE}, \
	{"contrast-m", "7", "heat of the lightest dot, +$C 1", ONE_SOURCE}, \
	{"contrast-c", "7", "heat of the lightest dot, +$C 2", ONE_SOURCE}, \
	{"intensity-k", "8", "heat of black on a black ribbon, +C", ONE_SOURCE}, \
	{"intensity-k-colour", "5", "heat of black on a colour ribbon, +C", ONE_SOURCE}, \
	{"intensity-varnish", "3", "heat of the overlay, +CV", ONE_SOURCE}, \
	{"intensity-max", "10", "corrections do not go above this", INFERRED}, \
	{"varnish-print", "31", "what follows IV; 31 and 1 are seen", ONE_SOURCE}, \
	{"colour-levels", "32", "32: run form; 256: one byte a dot, no runs", SOURCED}, \
	{"mono-compressed", "on", "off: one-bit planes without runs", SOURCED}, \
	{"mono-escape", "off", "on: [ before 0D, 1B and 5B inside Z data", INFERRED}, \
	{"cleaning-query", "%CLN", "question for passes until cleaning; empty: not asked", ONE_SOURCE}, \
	{"clean-command", "CLNCARD", "starts a cleaning run", ONE_SOURCE}, \
	{"test-command", "A", "prints a test card", ONE_SOURCE}, \
	{"reply-gap-ms", "50", "silence that ends a text without an end byte", INFERRED}, \
	{"reply-ms", "2000", "how long a reply may take", INFERRED}, \
	{"plane-ms", "30000", "how long a plane may take", INFERRED}, \
	{"move-ms", "60000", "how long a card may move", INFERRED}, \
	{"print-ms", "120000", "how long a side may print", INFERRED}, \
	{"fault-hold-ms", "5000", "how long a fault stands before the printer is tried again", INFERRED}
/* clang-format on */

static const struct printer_setting extended[] = {
	{"memory", "extended",
		"extended: a side's planes are all loaded, then printed; standard: one by one",
		INFERRED},
	COMMON_SETTINGS,
	{NULL, NULL, NULL, INFERRED},
};
static const struct printer_setting standard[] = {
	{"memory", "standard",
		"extended: a side's planes are all loaded, then printed; standard: one by one",
		INFERRED},
	COMMON_SETTINGS,
	{NULL, NULL, NULL, INFERRED},
};

/* The head's shape is the manual's for the P3xx and P4xx; the i-models are taken to be the same. */
#define HEAD    .head_dots = 640, .head_lines = 1024, .dpi = 300, .levels = "2 32 256"
#define OPTIONS .contact = true, .contactless = true, .magnetic = true

const struct printer_model epcl_models[EPCL_N_MODELS] = {
	{.name = "Zebra P310i",
		.mdl = "P310i",
		HEAD,
		OPTIONS,
		.duplex = false,
		.ribbons = "ymcko ko k",
		.settings = extended,
		.confidence = CONFIDENCE_INFERRED},
	{.name = "Zebra P330i",
		.mdl = "P330i",
		HEAD,
		OPTIONS,
		.duplex = false,
		.ribbons = "ymcko ko k",
		.settings = extended,
		.confidence = CONFIDENCE_ONE_SOURCE},
	{.name = "Zebra P430i",
		.mdl = "P430i",
		HEAD,
		OPTIONS,
		.duplex = true,
		.ribbons = "ymckok ymcko ko k",
		.settings = extended,
		.confidence = CONFIDENCE_INFERRED},
	{.name = "Zebra P120i",
		.mdl = "P120i",
		.product = 0x0050,
		HEAD,
		.magnetic = true,
		.duplex = true,
		.ribbons = "ymckok ymcko ko k",
		.settings = standard,
		.confidence = CONFIDENCE_INFERRED},
	{.name = "Zebra P520i",
		.mdl = "P520i",
		HEAD,
		OPTIONS,
		.duplex = true,
		.ribbons = "ymckok ymcko ko k",
		.settings = extended,
		.confidence = CONFIDENCE_INFERRED},
};

/* clang-format off */
const struct printer_command epcl_commands[] = {
	{"V", "open, status, after each act", "version as text; brings commands and replies back in step",
		"manual p40, SDK sample", SOURCED},
	{".", "after an error", "clears it; until then everything is refused", "manual p32", ONE_SOURCE},
	{"+RIB n", "begin", "kind of ribbon", "P420 job, sample", SOURCED},
	{"+$L p n", "begin", "heat of a colour's darkest dot", "P420 job, SDK", SOURCED},
	{"+$C p n", "begin", "heat of a colour's lightest dot", "P420 job, SDK", SOURCED},
	{"+C n", "begin", "heat of black", "P420 job, sample", SOURCED},
	{"+CV n", "begin", "heat of the overlay", "P420 job", ONE_SOURCE},
	{"+RB p n", "begin, by setting", "where bad cards go", "manual p115", ONE_SOURCE},
	{"MC", "feed and service, when it is not known whether a card is inside", "clears the path", "P330i filter, SDK", SOURCED},
	{"MI", "feed", "takes a card from the hopper to the print position", "SDK sample", ONE_SOURCE},
	{"$F", "load", "clears the colour planes", "P420 job, P330i filter, SDK", SOURCED},
	{"F", "load", "clears the black plane", "manual, P330i filter, sample", SOURCED},
	{"vF", "load", "clears the overlay plane", "manual, P330i filter", SOURCED},
	{"GS p 30 0 0 w h", "load", "colour plane, 32 levels, runs", "manual p21 p88, P420 job", SOURCED},
	{"GS p 32 0 0 w h", "load, by setting", "colour plane, one byte a dot", "manual p88", ONE_SOURCE},
	{"G 0 0 12 h w 1", "load", "black plane follows, runs; mode 10 without", "manual p67, P420 job", SOURCED},
	{"Z", "load", "the black plane's data", "manual p21 p24, P420 job", SOURCED},
	{"vG 0 0 12 h w 1", "load", "overlay plane follows", "manual p67", ONE_SOURCE},
	{"vZ", "load", "the overlay plane's data", "manual p68", ONE_SOURCE},
	{"vL 0 0 w h 1", "load", "overlay over the whole card", "P420 job", ONE_SOURCE},
	{"M 1 a[b[c", "print", "runs commands one after the other, stops at an error", "manual p150, P420 job", SOURCED},
	{"IS p", "print", "prints a colour plane with its panel", "manual p25, P420 job", SOURCED},
	{"I", "print", "prints the black plane", "manual, P420 job, P330i filter", SOURCED},
	{"IV n", "print", "prints the overlay; the number is a setting", "P420 job (31), P330i filter (1)", ONE_SOURCE},
	{"MF", "print", "turns the card over", "P420 job", ONE_SOURCE},
	{"MO", "print, eject, reject by setting", "puts the card out to the output hopper", "P420 job, sample", SOURCED},
	{"&R", "print", "resets the magnetic encoder", "manual p153, sample", SOURCED},
	{"&CDEW 0 0", "print", "magnetic write format ISO", "manual p103, sample", SOURCED},
	{"&CDER 0 0", "print", "magnetic read format ISO", "manual p103, sample", SOURCED},
	{"&B t", "print", "data of a magnetic track", "manual p97, sample", SOURCED},
	{"&E*", "print", "writes the tracks and reads them back", "sample", ONE_SOURCE},
	{"&P", "status, by setting; probe", "is a card in the encoder", "manual p120", ONE_SOURCE},
	{"%CLN", "status", "passes since new and until cleaning", "manual p121", ONE_SOURCE},
	{"CLNCARD", "cleaning", "starts a cleaning run", "manual p121", ONE_SOURCE},
	{"A", "test card", "prints a test card", "manual's list", ONE_SOURCE},
	{"V 10 … V 100", "probe", "is that option fitted", "manual p40", ONE_SOURCE},
	{"!X", "probe", "other command initiator, or nothing", "manual p119", ONE_SOURCE},
	{NULL, NULL, NULL, NULL, INFERRED},
};
/* clang-format on */
