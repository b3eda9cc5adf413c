/*
 * evolis-table.c - what the Evolis family knows: generations, models, settings, commands.
 *
 * Owns the family's data and how settings and overrides become the columns of one connection. Every
 * row carries how sure we are; doc/PRINTERS.md is made of them. On failure err names the setting
 * and what it may be.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/evolis.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- dialogues ------------------------------------------------------------- */

/* Contrast, brightness and heat run from 0 to 20 with 10 as made; brightness has no 0. */
#define TONE_STEPS                                                                                 \
	{STEP_SETTING, "Pc;y;=;$c", 'Y', NULL}, {STEP_SETTING, "Pc;m;=;$c", 'M', NULL},            \
		{STEP_SETTING, "Pc;c;=;$c", 'C', NULL}, {STEP_SETTING, "Pl;y;=;$b", 'Y', NULL},    \
		{STEP_SETTING, "Pl;m;=;$b", 'M', NULL}, {STEP_SETTING, "Pl;c;=;$b", 'C', NULL},    \
		{STEP_SETTING, "Pc;k;=;$d", 'K', NULL},                                            \
	{                                                                                          \
		STEP_MAY, "Pc;o;=;10", 'O', NULL                                                   \
	}

static const struct step classic_begin[] = {
	{STEP_MUST, "Pem;2", '\0', NULL},
	{STEP_MUST, "Pr;$r", '\0', "Pr;$n;t"},
	{STEP_MAY, "Pmi;F", '\0', NULL},
	TONE_STEPS,
	{STEP_MUST, "Pmk;$f;s", 'K', "Pmk;$f"},
	{STEP_MUST, "Pmc;$h", '\0', NULL},
	{STEP_END, NULL, '\0', NULL},
};
static const struct step classic_end[] = {
	{STEP_MAY, "Pmk;$F;s", 'K', "Pmk;$F"},
	{STEP_MUST, "Pem;0", '\0', NULL},
	{STEP_END, NULL, '\0', NULL},
};

/* Without Pcrm a bad card could fall among the good ones; with preloading on the printer would take
 * in a card that nobody asked for. */
static const struct step numbered_begin[] = {
	{STEP_MUST, "Pem;2", '\0', NULL},
	{STEP_MAY, "Pcla;1", '\0', NULL},
	{STEP_MAY, "Psid;2", '\0', NULL},
	{STEP_MUST, "Pr;$n;t", '\0', "Pr;$r"},
	{STEP_MAY, "Pwres;300;300;$n", '\0', NULL},
	{STEP_MAY, "Pcim;F", '\0', "Pmi;F"},
	{STEP_MAY, "Pcem;$e", '\0', NULL},
	{STEP_TELL, "Pcrm;$j", '\0', NULL},
	{STEP_TELL, "Peoic;k;D", '\0', NULL},
	TONE_STEPS,
	{STEP_MUST, "Psk;$s", 'K', NULL},
	{STEP_MUST, "Pmc;$h", '\0', NULL},
	{STEP_END, NULL, '\0', NULL},
};
static const struct step numbered_end[] = {
	{STEP_MAY, "Psk;$S", 'K', NULL},
	{STEP_MAY, "Pcla;0", '\0', NULL},
	{STEP_MAY, "Psid;0", '\0', NULL},
	{STEP_MUST, "Pem;0", '\0', NULL},
	{STEP_END, NULL, '\0', NULL},
};

#define SHARED_MOVES                                                                               \
	.start = "Ss", .side = {[SIDE_FRONT] = "Sr", [SIDE_BACK] = "Sv"}, .finish = "Se",          \
	.feed = {[PLACE_PRINT] = "Si", [PLACE_CONTACT] = "Sis", [PLACE_CONTACTLESS] = "Sic"},      \
	.eject = {[EXIT_HOPPER] = "Se", [EXIT_REJECT] = "Ser"}
#define SHARED_QUESTIONS                                                                           \
	[ASK_MODEL] = "Rtp", [ASK_SERIAL] = "Rsn", [ASK_FIRMWARE] = "Rfv", [ASK_PLACE] = "Rlr;p",  \
	[ASK_LAST] = "Rlr", [ASK_COVER] = "Rse;o", [ASK_FEEDER] = "Rse;f",                         \
	[ASK_RIBBON_MARK] = "Rcr", [ASK_CARDS] = "Rco;c", [ASK_CLEANING] = "Rco;r",                \
	[ASK_PANELS] = "Rco;p", [ASK_CLEANINGS] = "Rco;n", [ASK_CLEANING_MEAN] = "Rco;a",          \
	[ASK_CLEANING_LONGEST] = "Rco;m", [ASK_HEAD] = "Rkn"

/* Pebble, Dualys, Tattoo, Quantum: ribbons by name. Its count of prints left is no tag: near the
 * end it is a guess. */
const struct dialect evolis_classic = {
	.name = "classic",
	.begin = classic_begin,
	.end = classic_end,
	SHARED_MOVES,
	.question = {SHARED_QUESTIONS, [ASK_RIBBON_NAME] = "Rr", [ASK_RIBBON_LEFT] = "Rco;i"},
};

/* Zenius, Primacy and later: ribbons by number, with a tag that counts. */
const struct dialect evolis_numbered = {
	.name = "numbered",
	.numbered = true,
	.begin = numbered_begin,
	.end = numbered_end,
	SHARED_MOVES,
	.question =
		{SHARED_QUESTIONS, [ASK_RIBBON_LEFT] = "Rrt;count", [ASK_RIBBON_SIZE] = "Rrt;qty"},
	.older = {[ASK_RIBBON_LEFT] = "Rco;i"},
};

static const struct {
	const char *name;
	int number;
} ribbon_numbers[] = {{"ymcko", 0}, {"ko", 1}, {"ymckos", 3}, {"ymckok", 4}, {"k", 100},
	{"kb", 100}, {"kbl", 101}, {"kgr", 102}, {"kr", 103}, {"kw", 105}, {"kgo", 106},
	{"ksi", 107}};

int
evolis_ribbon_number(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(ribbon_numbers); i++)
		if (strcmp(ribbon_numbers[i].name, name) == 0)
			return ribbon_numbers[i].number;
	return -1;
}

/* ---- settings -------------------------------------------------------------- */

enum column_kind { COLUMN_YES, COLUMN_NUMBER, COLUMN_WORD };
static const struct column {
	const char *name;
	enum column_kind kind;
	size_t offset;
	unsigned max; /* COLUMN_NUMBER */
	const char
		*only; /* COLUMN_WORD: what it may be, blank separated; NULL: anything printable */
} columns[] = {
	{"dialect", COLUMN_WORD, offsetof(struct evolis_model, dialect), 0, "ask classic numbered"},
	{"colour-levels", COLUMN_NUMBER, offsetof(struct evolis_model, colour_levels), 256, NULL},
	{"compressed-resin", COLUMN_YES, offsetof(struct evolis_model, compressed), 0, NULL},
	{"short-lines", COLUMN_YES, offsetof(struct evolis_model, short_lines), 0, NULL},
	{"pad", COLUMN_NUMBER, offsetof(struct evolis_model, pad), 512, NULL},
	{"turn-front", COLUMN_YES, offsetof(struct evolis_model, turned[SIDE_FRONT]), 0, NULL},
	{"turn-back", COLUMN_YES, offsetof(struct evolis_model, turned[SIDE_BACK]), 0, NULL},
	{"uv-letter", COLUMN_WORD, offsetof(struct evolis_model, uv_letter), 0, "f u v"},
	{"position-query", COLUMN_YES, offsetof(struct evolis_model, place_reported), 0, NULL},
	{"ribbon-count-exact", COLUMN_YES, offsetof(struct evolis_model, ribbon_exact), 0, NULL},
	{"job-tags", COLUMN_YES, offsetof(struct evolis_model, job_tags), 0, NULL},
	{"image-statistics", COLUMN_YES, offsetof(struct evolis_model, image_statistics), 0, NULL},
	{"cover-open-below-mv", COLUMN_NUMBER, offsetof(struct evolis_model, cover_open_below_mv),
		10000, NULL},
	{"feeder-empty-below-mv", COLUMN_NUMBER,
		offsetof(struct evolis_model, feeder_empty_below_mv), 10000, NULL},
	{"reply-gap-ms", COLUMN_NUMBER, offsetof(struct evolis_model, reply_gap_ms), 5000, NULL},
	{"eject-to", COLUMN_WORD, offsetof(struct evolis_model, eject_to), 0, "D M I R K"},
	{"reject-to", COLUMN_WORD, offsetof(struct evolis_model, reject_to), 0, "D R M K I"},
	{"coercivity", COLUMN_WORD, offsetof(struct evolis_model, coercivity), 0, "h l"},
	{"track-formats", COLUMN_WORD, offsetof(struct evolis_model, track_formats), 0, NULL},
	{"status-words", COLUMN_WORD, offsetof(struct evolis_model, status_command), 0, NULL},
};

#define SHARED_SETTINGS                                                                            \
	{"dialect", "ask",                                                                         \
		N_("command set: ask (Rrt;count: newer firmware answers), classic, numbered"),     \
		CONFIDENCE_INFERRED},                                                              \
		{"colour-levels", "128", N_("levels of a colour dot"), CONFIDENCE_SOURCED},        \
		{"turn-front", "no", N_("front turned by 180 degrees"), CONFIDENCE_INFERRED},      \
		{"turn-back", "no", N_("back turned by 180 degrees"), CONFIDENCE_INFERRED},        \
		{"short-lines", "no", N_("Dbc sends empty and full lines as one byte"),            \
			CONFIDENCE_ONE_SOURCE},                                                    \
		{"uv-letter", "", N_("letter of the fluorescent panel; empty: not offered"),       \
			CONFIDENCE_INFERRED},                                                      \
		{"position-query", "yes", N_("Rlr;p tells the stations from the print position"),  \
			CONFIDENCE_SOURCED},                                                       \
		{"cover-open-below-mv", "2500", N_("Rse;o below this: cover open"),                \
			CONFIDENCE_ONE_SOURCE},                                                    \
		{"feeder-empty-below-mv", "2500", N_("Rse;f below this: feeder empty"),            \
			CONFIDENCE_ONE_SOURCE},                                                    \
		{"reply-gap-ms", "50", N_("silence that ends a reply without an end mark"),        \
			CONFIDENCE_INFERRED},                                                      \
		{"coercivity", "h", N_("magnetic stripe: h high, l low"), CONFIDENCE_SOURCED},     \
		{"track-formats", "123",                                                           \
			N_("coding of magnetic tracks 1 to 3 (Pmt), a digit each"),                \
			CONFIDENCE_SOURCED},                                                       \
	{                                                                                          \
		"status-words", "",                                                                \
			N_("question that brings the four status words; empty: not known"),        \
			CONFIDENCE_INFERRED                                                        \
	}

static const struct printer_setting classic_settings[] = {
	SHARED_SETTINGS,
	{"compressed-resin", "yes", N_("K and O as runs (Dbc) where that is shorter"),
		CONFIDENCE_SOURCED},
	{"pad", "64", N_("00 bytes behind Dbc up to a multiple of this"), CONFIDENCE_SOURCED},
	{"ribbon-count-exact", "no", N_("0 prints left means the end of the ribbon"),
		CONFIDENCE_ONE_SOURCE},
	{NULL, NULL, NULL, CONFIDENCE_INFERRED},
};

static const struct printer_setting numbered_settings[] = {
	SHARED_SETTINGS,
	{"compressed-resin", "no", N_("K and O as runs (Dbc) where that is shorter"),
		CONFIDENCE_INFERRED},
	{"pad", "0", N_("00 bytes behind Dbc up to a multiple of this"), CONFIDENCE_INFERRED},
	{"ribbon-count-exact", "yes", N_("0 prints left means the end of the ribbon"),
		CONFIDENCE_ONE_SOURCE},
	{"job-tags", "no", N_("the vendor's tags (<CARD>, <FACE>) between the commands"),
		CONFIDENCE_INFERRED},
	{"image-statistics", "yes", N_("Pida before the colour planes; a refusal is ignored"),
		CONFIDENCE_ONE_SOURCE},
	{"eject-to", "D",
		N_("where good cards go: D hopper, M manual feeder, I bezel, R rear, K lower slot"),
		CONFIDENCE_ONE_SOURCE},
	{"reject-to", "R", N_("where bad cards go: R rear or reject box, D hopper, M, K, I"),
		CONFIDENCE_ONE_SOURCE},
	{NULL, NULL, NULL, CONFIDENCE_INFERRED},
};

static bool
word_listed(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = list; *at; at += strcspn(at, " "), at += strspn(at, " "))
		if (strcspn(at, " ") == n && strncmp(at, word, n) == 0)
			return true;
	return false;
}

/* False if the value is none for this column. */
static bool
column_take(struct evolis_model *out, const struct column *c, const char *value)
{
	void *at = (char *)out + c->offset;
	unsigned long n;
	char *end;

	switch (c->kind) {
	case COLUMN_YES:
		*(bool *)at = strcmp(value, "yes") == 0;
		return *(bool *)at || strcmp(value, "no") == 0;
	case COLUMN_NUMBER:
		n = strtoul(value, &end, 10);
		*(unsigned *)at = (unsigned)n;
		return value[0] >= '0' && value[0] <= '9' && !*end && n <= c->max;
	case COLUMN_WORD:
		*(const char **)at = value;
		for (const char *v = value; *v; v++)
			if (*v < 0x20 || *v > 0x7e)
				return false;
		return strlen(value) < 32 && (!c->only || !*value || word_listed(c->only, value));
	}
	return false;
}

int
evolis_columns(struct evolis_model *out, const struct printer_model *m, const struct transport *t,
	struct err *e)
{
	const struct printer_limits *limits = &t->limits;
	char levels[16];

	/* Nothing says how long a card takes at most: times that no good card is known to need. */
	*out = (struct evolis_model){.param_ms = limits->reply_ms ? limits->reply_ms : 3000,
		.move_ms = limits->move_ms ? limits->move_ms : 30000,
		.plane_ms = limits->plane_ms ? limits->plane_ms : 30000,
		.print_ms = limits->print_ms ? limits->print_ms : 120000,
		.eject_to = "",
		.reject_to = ""};
	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		const char *value = printer_setting_value(m, t, columns[i].name);
		if (value && !column_take(out, &columns[i], value))
			return err_set(e, ERR_USAGE,
				_("cardspool.conf: \"%s\" is no value for %s of the %s. See "
				  "doc/PRINTERS.md."),
				value, columns[i].name, m->name);
	}
	snprintf(levels, sizeof levels, "%u", out->colour_levels);
	if (!word_listed(m->levels, levels) || out->colour_levels == 2)
		return err_set(e, ERR_USAGE,
			_("cardspool.conf: colour-levels of the %s may be one of %s, but not %s."),
			m->name, m->levels, levels);
	return 0;
}

/* ---- models ---------------------------------------------------------------- */

#define HEAD .head_dots = 648, .head_lines = 1016, .dpi = 300
#define CLASSIC                                                                                    \
	HEAD, .family = &evolis_classic, .settings = classic_settings, .levels = "2 32 64 128"
#define NUMBERED                                                                                   \
	HEAD, .family = &evolis_numbered, .settings = numbered_settings, .levels = "2 32 64 128 256"
#define STATIONS .contact = true, .contactless = true, .magnetic = true, .coercivity = true
/* Pmk knows standard and fast, Psk ten steps. */
#define CLASSIC_SPEEDS  .speeds = "1 10"
#define NUMBERED_SPEEDS .speeds = "1 2 3 4 5 6 7 8 9 10"
#define RESINS          "k kw kr kbl kgr kgo ksi"

/* "lacks": the guide's overview of commands and models. Network: the guide has the same bytes on
 * TCP 9100 for models with Ethernet, an option of these. */
const struct printer_model evolis_models[EVOLIS_MODELS] = {
	{.name = "Evolis Dualys 3",
		.mdl = "Dualys 3",
		.network = true,
		CLASSIC,
		CLASSIC_SPEEDS,
		STATIONS,
		.duplex = true,
		.ribbons = "ymckok ymcko ymckos ko " RESINS,
		.confidence = CONFIDENCE_SOURCED},
	{.name = "Evolis Pebble 3",
		.mdl = "Pebble 3",
		CLASSIC,
		CLASSIC_SPEEDS,
		STATIONS,
		.ribbons = "ymcko ymckos ko " RESINS,
		.confidence = CONFIDENCE_ONE_SOURCE},
	{.name = "Evolis Pebble 4",
		.mdl = "Pebble 4",
		.network = true,
		CLASSIC,
		CLASSIC_SPEEDS,
		STATIONS,
		.ribbons = "ymcko ymckos ko " RESINS,
		.confidence = CONFIDENCE_INFERRED},
	/* Without a colour sensor it cannot find the first panel of a colour ribbon. */
	{.name = "Evolis Tattoo",
		.mdl = "Tattoo",
		CLASSIC,
		.contact = true,
		.magnetic = true,
		.coercivity = true,
		.ribbons = RESINS,
		.lacks = "Dbp Dbpc Pmk Psp Rcr Rsp Sic Sr Sv",
		.confidence = CONFIDENCE_ONE_SOURCE},
	{.name = "Evolis Quantum",
		.mdl = "Quantum",
		.network = true,
		CLASSIC,
		CLASSIC_SPEEDS,
		STATIONS,
		.duplex = true,
		.ribbons = "ymckok ymcko ymckos ko " RESINS,
		.hopper_cards = 500,
		.ribbon_cards = 200,
		.confidence = CONFIDENCE_ONE_SOURCE},
	{.name = "Evolis Zenius",
		.mdl = "Zenius",
		.network = true,
		NUMBERED,
		NUMBERED_SPEEDS,
		STATIONS,
		.ribbons = "ymcko ymckos ko " RESINS,
		.product = 0x0a00,
		.confidence = CONFIDENCE_ONE_SOURCE},
	{.name = "Evolis Primacy",
		.mdl = "Primacy",
		.network = true,
		NUMBERED,
		NUMBERED_SPEEDS,
		STATIONS,
		.duplex = true,
		.ribbons = "ymckok ymcko ymckos ko " RESINS,
		.hopper_cards = 100,
		.confidence = CONFIDENCE_SOURCED},
	{.name = "Evolis Primacy 2",
		.mdl = "Primacy 2",
		.network = true,
		NUMBERED,
		NUMBERED_SPEEDS,
		STATIONS,
		.duplex = true,
		.ribbons = "ymckok ymcko ymckos ko " RESINS,
		.confidence = CONFIDENCE_ONE_SOURCE},
	{.name = "Evolis Badgy",
		.mdl = "Badgy",
		NUMBERED,
		NUMBERED_SPEEDS,
		.ribbons = "ymcko k",
		.confidence = CONFIDENCE_INFERRED},
};

/* ---- commands -------------------------------------------------------------- */

#define GUIDE  "guide"
#define FILTER "vendor's CUPS filter, seen"

/* A part in <> stands for a value. */
const struct printer_command evolis_commands[] = {
	{"Rsn", "open", N_("serial number; also brings commands and replies back in step"),
		GUIDE ", DLL samples", CONFIDENCE_SOURCED},
	{"Rtp", "open", N_("model"), GUIDE ", DLL samples", CONFIDENCE_SOURCED},
	{"Rfv", "open", N_("firmware"), GUIDE ", DLL samples", CONFIDENCE_SOURCED},
	{"Rlr;p", "status, before and after each act", N_("where the card is"),
		"two kiosk programs; older printers: wording of the guide", CONFIDENCE_SOURCED},
	{"Rlr", "status when the port byte reports an error", N_("the last reply"), GUIDE,
		CONFIDENCE_ONE_SOURCE},
	{"Rlr;<part>", "probe", N_("parts of the last reply"), GUIDE, CONFIDENCE_ONE_SOURCE},
	{"Rse;o", "status", N_("cover"), "kiosk program", CONFIDENCE_ONE_SOURCE},
	{"Rse;f", "status", N_("feeder"), "kiosk program", CONFIDENCE_ONE_SOURCE},
	{"Rse;<sensor>", "probe", N_("other sensors"), GUIDE, CONFIDENCE_ONE_SOURCE},
	{"Rcr", "status, before print", N_("OK unless at the end mark of a colour ribbon"), GUIDE,
		CONFIDENCE_ONE_SOURCE},
	{"Rr", "status, before print (classic)", N_("the kind of ribbon that is set"), GUIDE,
		CONFIDENCE_ONE_SOURCE},
	{"Rco;c", "status", N_("cards printed"), GUIDE, CONFIDENCE_ONE_SOURCE},
	{"Rco;r", "status", N_("cards until cleaning"), GUIDE, CONFIDENCE_ONE_SOURCE},
	{"Rco;i", "status", N_("prints left on a ribbon without a tag: a guess near the end"),
		GUIDE, CONFIDENCE_ONE_SOURCE},
	{"Rco;<counter>", "first status", N_("panels, cleanings, mean and longest interval"), GUIDE,
		CONFIDENCE_ONE_SOURCE},
	{"Rkn", "first status", N_("serial number of the print head"), GUIDE ", DLL samples",
		CONFIDENCE_SOURCED},
	{"Rrt;count", "open, status",
		N_("prints left by the ribbon's tag; older firmware refuses it"), "kiosk program",
		CONFIDENCE_ONE_SOURCE},
	{"Rrt;qty", "status", N_("prints on a new ribbon of that kind"), "kiosk program",
		CONFIDENCE_ONE_SOURCE},
	{"Rrt;zone", "probe", N_("sales zone of the ribbon"), "kiosk program",
		CONFIDENCE_ONE_SOURCE},
	{"Rck", "probe", N_("check sum of the firmware"), GUIDE, CONFIDENCE_SOURCED},
	{"Rok", "probe", N_("alive"), "kiosk program", CONFIDENCE_ONE_SOURCE},
	{"Rem", "probe", N_("who handles errors"), GUIDE, CONFIDENCE_ONE_SOURCE},
	{"Rmi", "probe", N_("where cards come from"), GUIDE, CONFIDENCE_ONE_SOURCE},
	{"Rc;<panel>", "probe", N_("contrast"), GUIDE, CONFIDENCE_ONE_SOURCE},
	{"Rmc", "probe", N_("coercivity"), GUIDE, CONFIDENCE_ONE_SOURCE},

	{"Pem;2", "begin", N_("host mode: every command is answered, nothing is retried"),
		GUIDE ", DLL samples", CONFIDENCE_SOURCED},
	{"Pem;0", "end", N_("back to printer mode"), GUIDE ", DLL samples", CONFIDENCE_SOURCED},
	{"Pr;<name>", "begin (classic)", N_("ribbon by name"), GUIDE ", captured jobs",
		CONFIDENCE_SOURCED},
	{"Pr;<number>;t", "begin (numbered)", N_("ribbon by number"), FILTER ", SDK",
		CONFIDENCE_SOURCED},
	{"Pmi;F", "begin", N_("cards from the feeder; a refusal is ignored"), GUIDE,
		CONFIDENCE_ONE_SOURCE},
	{"Pcim;F", "begin (numbered)", N_("cards from the feeder"), FILTER ", kiosk program",
		CONFIDENCE_SOURCED},
	{"Pcem;<to>", "begin (numbered)", N_("where good cards go"), FILTER ", kiosk program",
		CONFIDENCE_SOURCED},
	{"Pcrm;<to>", "begin (numbered)", N_("where bad cards go; a refusal is told"),
		FILTER ", kiosk program", CONFIDENCE_SOURCED},
	{"Peoic;k;D", "begin (numbered)", N_("no card taken in ahead"), FILTER,
		CONFIDENCE_ONE_SOURCE},
	{"Pcla;1", "begin (numbered)", N_("claims the printer; meaning inferred"), FILTER,
		CONFIDENCE_INFERRED},
	{"Pcla;0", "end (numbered)", N_("gives it back"), FILTER, CONFIDENCE_INFERRED},
	{"Psid;2", "begin (numbered)", N_("session 2: printing"), FILTER ", SDK",
		CONFIDENCE_INFERRED},
	{"Psid;0", "end (numbered)", N_("no session"), FILTER ", SDK", CONFIDENCE_INFERRED},
	{"Pwres;300;300;<number>", "begin (numbered)", N_("resolution and ribbon of the job"),
		FILTER, CONFIDENCE_ONE_SOURCE},
	{"Pc;<panel>;=;<n>", "begin", N_("contrast, resin heat; 10 as made"), GUIDE ", " FILTER,
		CONFIDENCE_SOURCED},
	{"Pl;<panel>;=;<n>", "begin", N_("brightness; 10 as made"), GUIDE ", " FILTER,
		CONFIDENCE_SOURCED},
	{"Pmk;<s or f>;s", "begin, end, when asked (classic)",
		N_("black standard or fast, no card taken in early; standard again at the end"),
		GUIDE, CONFIDENCE_ONE_SOURCE},
	{"Psk;<1 to 10>", "begin, end, when asked (numbered)",
		N_("speed of black; 10 again at the end, which that filter always sends"), FILTER,
		CONFIDENCE_ONE_SOURCE},
	{"Pmc;<h or l>", "begin, when asked; print with tracks", N_("coercivity of the stripe"),
		GUIDE ", " FILTER, CONFIDENCE_SOURCED},
	{"Pmt;<track>;<coding>", "print with tracks", N_("ISO track coding 1 to 3"),
		GUIDE ", " FILTER, CONFIDENCE_SOURCED},
	{"Psp;<line>", "print on a half-panel ribbon", N_("first line with colour"),
		GUIDE ", " FILTER, CONFIDENCE_SOURCED},
	{"Pida;<blank>;<y>;<m>;<c>", "print (numbered)",
		N_("percent of blank dots, mean of each colour"), FILTER, CONFIDENCE_ONE_SOURCE},

	{"Si", "feed", N_("to the print position"), GUIDE ", SDK, kiosk program",
		CONFIDENCE_SOURCED},
	{"Sis", "feed", N_("to the contact station"), GUIDE ", kiosk program", CONFIDENCE_SOURCED},
	{"Sic", "feed", N_("to the contactless station"), GUIDE ", DLL sample", CONFIDENCE_SOURCED},
	{"Ss", "print", N_("begins the card"), GUIDE ", captured jobs, " FILTER,
		CONFIDENCE_SOURCED},
	{"Sr", "print", N_("planes for the front follow"), GUIDE ", captured jobs, " FILTER,
		CONFIDENCE_SOURCED},
	{"Sv", "print", N_("planes for the back follow"), GUIDE ", " FILTER, CONFIDENCE_SOURCED},
	{"Db;<panel>;<levels>;<dots>", "print",
		N_("a whole plane, 7 bits a colour dot (8, 6 and 5 by setting), 1 bit K and O"),
		GUIDE ", captured jobs, " FILTER, CONFIDENCE_SOURCED},
	{"Dbc;<panel>;2;<bytes>;<runs>", "print (classic)", N_("K or O plane as runs"),
		GUIDE ", captured jobs (K)", CONFIDENCE_SOURCED},
	{"Dbp;<panel>;<levels>;<first>;<lines>;<dots>", "print on a half-panel ribbon (classic)",
		N_("part of a colour plane"), GUIDE, CONFIDENCE_ONE_SOURCE},
	{"Dm;<track>;<text>", "print with tracks", N_("text of a magnetic track"),
		GUIDE ", " FILTER, CONFIDENCE_SOURCED},
	{"Se", "print, eject", N_("prints what is loaded and ejects"),
		GUIDE ", captured jobs, " FILTER, CONFIDENCE_SOURCED},
	{"Ser", "eject", N_("to the reject box"), GUIDE ", DLL sample", CONFIDENCE_SOURCED},
	{"Scp", "service", N_("cleaning run with a cleaning card; the ribbon must be out"), GUIDE,
		CONFIDENCE_ONE_SOURCE},
	{"St", "service", N_("test card"), GUIDE, CONFIDENCE_ONE_SOURCE},
	{"<tags>", "begin, print, end (numbered, setting job-tags)",
		N_("the vendor's tags between the commands; the printer skips them"), FILTER,
		CONFIDENCE_INFERRED},
	{NULL, NULL, NULL, NULL, CONFIDENCE_INFERRED},
};
