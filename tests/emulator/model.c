/*
 * model.c - printer models and ribbons as tables.
 *
 * Owns every figure the protocol document leaves open, one column each. Marked "model value":
 * chosen so that a test has something plausible to meet, not known of any real machine.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <string.h>
#include <strings.h>

const char *const step_names[STEP_COUNT] = {"feed", "station", "print", "flip", "eject", "reject"};
const char *const position_names[] = {"none", "print", "contact", "contactless"};
const char panel_names[P_COUNT + 1] = "ymcko";

/* Zebra: what V answers with ACK (12 magnetic, 13 chip docking, 20 extended memory, 30 extended
 * encoder commands, 100 P310); the commands that dock and undock a card are invented. */
static const uint8_t zebra_plain[] = {20, 0}, zebra_full[] = {12, 13, 20, 30, 0},
		     zebra_p310i[] = {12, 13, 20, 30, 100, 0};
#define ZEBRA_IMAGES                                                                               \
	.dots = 640, .lines = 1024, .image_dots = 645, .image_lines = 1029,                        \
	.extended_memory = true, /* inferred for the i models */                                   \
		.terminator = 4  /* inferred: a report ends like a refusal */
#define ZEBRA_DOCKS .alias = {"SMC 1", "SMC 2", "SME 0", "SME 1"}
static const struct epcl_model epcl_plain = {ZEBRA_IMAGES, .reject_box = false,
				       .configs = zebra_plain},
			       epcl_p310i = {ZEBRA_IMAGES, .reject_box = true,
				       .configs = zebra_p310i, ZEBRA_DOCKS},
			       epcl_full = {ZEBRA_IMAGES, .reject_box = true, .configs = zebra_full,
				       ZEBRA_DOCKS};

/* One Zebra model. Ids and firmware are model values, but where the row says otherwise; the
 * 1284 id is inferred from the queue names of the vendor's driver. */
#define ZEBRA(NAME, TITLE, PID, DUPLEX, ENCODES, EPCL)                                             \
	{                                                                                          \
		.name = NAME, .title = TITLE, .dialect = &dialect_epcl,                            \
		.id1284 = "MFG:Zebra;MDL:" TITLE ";CMD:EPCL;CLS:PRINTER;",                         \
		.manufacturer = "Zebra", .product = TITLE " USB Card Printer", .vid = 0x0a5f,      \
		.pid = PID, .firmware = "V1.00", .head_kit = "3020", .duplex = DUPLEX,             \
		.magnetic = ENCODES, .contact = ENCODES, .contactless = ENCODES,                   \
		.ribbon_check = true, /* inferred: the ribbon's tag is read */                     \
			.reject_full = "HOPPER FULL", .cleaning_cards = 1000,                      \
		.buffer_bytes = 1u << 20, .step_ms = {3000, 1000, 200, 2000, 2000, 2000},          \
		.panel_ms = {4000, 4000, 4000, 3000, 4000}, .epcl = &(EPCL)                        \
	}

/*
 * Evolis. Commands a model does not know: the overview table of the guide for the older ones
 * (Tattoo; Quantum and Kiosk only; Dualys and Quantum only), and what was seen with the newer ones
 * only. That the newer ones know neither Pmi nor Rr is inferred.
 */
#define LACKS_OLD                                                                                  \
	" Dbx Psk Pcim Pcem Pcrm Pkc Peoic Piqla Pida Pwres Pps Pcla Psid Psmgr Psync Pneab Pbc Rrt"
#define LACKS_NOT_QUANTUM " Pfm Piem Prs Rfm Riem Rrs Sk"
#define LACKS_DUALYS      LACKS_OLD LACKS_NOT_QUANTUM " "
#define LACKS_PEBBLE      LACKS_OLD LACKS_NOT_QUANTUM " Scs Sds "
#define LACKS_TATTOO                                                                               \
	LACKS_OLD LACKS_NOT_QUANTUM " Scs Sds Dbp Dbpc Pmk Poc Ppk Psm Psp Rcr Rcs Rks Rmk Roc Rpk " \
				    "Rsm Rsp Sic Sr Sv "
#define LACKS_QUANTUM LACKS_OLD " "
#define LACKS_NEW     LACKS_NOT_QUANTUM " Scs Sds Pmi Rmi Rr "

#define EVOLIS_OLD(LACKS)                                                                          \
	.lacks = LACKS, .magnetic = true, .contact = true, .contactless = true,                    \
	.buffer_bytes = 1u << 20
#define EVOLIS_BARE                                                                                \
	.lacks = LACKS_NEW, .levels_256 = true, .numbered = true, .tags = true, .ribbon_tag = true, \
	.stray_ok = 5, .buffer_bytes = 4u << 20 /* holds the next job */
#define EVOLIS_NEW EVOLIS_BARE, .magnetic = true, .contact = true, .contactless = true

/* Product ids other than Zenius are invented; firmware, head kit, times and intervals are model
 * values; the 1284 ids follow the one that is known (Primacy). */
#define EVOLIS(NAME, TITLE, PID, DUPLEX, CFG, EX1, ...)                                            \
	{                                                                                          \
		.name = NAME, .title = TITLE, .dialect = &dialect_evolis,                          \
		.id1284 = "MFG:EVOLIS ;MDL:" TITLE ";CMD:MP;CLS:PRINTER;",                         \
		.manufacturer = "Evolis", .product = TITLE, .vid = 0x0f49, .pid = PID,             \
		.firmware = "1096", .head_kit = "272012345", .duplex = DUPLEX, .cfg = CFG,         \
		.ex1 = EX1, .ribbon_check = true, /* inferred */                                   \
		.pem_answers = true,              /* inferred */                                   \
		.cleaning_stop = NULL, /* inferred: advice until the warranty is lost */           \
		.reject_full = "HOPPER FULL", /* inferred: the texts know only one full box */     \
		.cleaning_cards = 1000, .step_ms = {1500, 1000, 200, 2000, 1500, 1500},            \
		.panel_ms = {4500, 4500, 4500, 2500, 4000}, /* a colour card in about 25 s */      \
		__VA_ARGS__                                                                        \
	}

const struct model models[] = {
	/* name, title, product id, duplex, stations, CFG, EX1, the dialect's columns, paces */
	EVOLIS("dualys3", "Dualys 3", 0x0300, true, 0, 0x88000000, EVOLIS_OLD(LACKS_DUALYS)),
	EVOLIS("pebble3", "Pebble 3", 0x0301, false, 0, 0x84000000, EVOLIS_OLD(LACKS_PEBBLE)),
	EVOLIS("pebble4", "Pebble 4", 0x0302, false, 0, 0x84000000, EVOLIS_OLD(LACKS_PEBBLE)),
	EVOLIS("tattoo", "Tattoo", 0x0303, false, 0, 0, EVOLIS_OLD(LACKS_TATTOO)),
	EVOLIS("quantum", "Quantum", 0x0304, true, 0, 0xa0000000, EVOLIS_OLD(LACKS_QUANTUM)),
	EVOLIS("zenius", "Zenius", 0x0a00, false, 0x40000000, 0, EVOLIS_NEW), /* id: usb.ids */
	EVOLIS("primacy", "Primacy", 0x0a01, true, 0x80000000, 0, EVOLIS_NEW, .fine = true),
	EVOLIS("primacy2", "Primacy 2", 0x0a02, true, 0x02000000, 0, EVOLIS_NEW, .fine = true),
	EVOLIS("badgy", "Badgy", 0x0a03, false, 0x04000000, 0, EVOLIS_BARE),
	ZEBRA("p310i", "P310i", 0x0a01, false, true, epcl_p310i),
	ZEBRA("p330i", "P330i", 0x0a02, false, true, epcl_full),
	ZEBRA("p430i", "P430i", 0x0a03, true, true, epcl_full),
	ZEBRA("p120i", "P120i", 0x0050, true, false, epcl_plain), /* the one sourced id */
	ZEBRA("p520i", "P520i", 0x0a04, true, true, epcl_full),
	{.name = NULL},
};

const struct model *
model_find(const char *name)
{
	for (const struct model *m = models; m->name; m++)
		if (!strcasecmp(m->name, name))
			return m;
	return NULL;
}

/* Number -1: known to the older printers only. What a panel of another letter prints like is left
 * out: such ribbons are not listed. */
static const struct ribbon_kind ribbon_kinds[] = {
	{"ymcko", "ymcko", "", {0, 0, 0}, 0, false},
	{"ymckos", "ymcko", "", {0, 0, 0}, 3, true},
	{"ymckok", "ymcko", "k", {0, 0, 0}, 4, false},
	{"ymckos13", "ymcko", "", {0, 0, 0}, 5, true},
	{"ymckoks13", "ymcko", "k", {0, 0, 0}, 9, true},
	{"ymckokos", "ymcko", "ko", {0, 0, 0}, 10, true},
	{"ymckoo", "ymcko", "o", {0, 0, 0}, 13, false},
	{"k", "k", "k", {0, 0, 0}, 100, false},
	{"ka", "k", "k", {0, 0, 0}, 112, false},
	{"ko", "ko", "", {0, 0, 0}, 1, false},
	{"kb", "k", "k", {20, 60, 160}, 101, false},
	{"kw", "k", "k", {255, 255, 255}, 105, false},
	{"kr", "k", "k", {190, 20, 30}, 103, false},
	{"kbl", "k", "k", {0, 0, 0}, -1, false},
	{"kgr", "k", "k", {20, 120, 60}, 102, false},
	{"kgo", "k", "k", {190, 150, 60}, 106, false},
	{"ksi", "k", "k", {170, 170, 175}, 107, false},
	{"ksc", "k", "k", {120, 120, 120}, 108, false},
	{"kpremium", "k", "k", {0, 0, 0}, 115, false},
	{"ktc", "k", "k", {0, 0, 0}, -1, false},
	{"ktp", "k", "k", {0, 0, 0}, -1, false},
	{"h", "o", "o", {0, 0, 0}, 91, false},
	{"ho", "o", "o", {0, 0, 0}, -1, false},
};

const struct ribbon_kind *
ribbon_kind_numbered(int number)
{
	for (size_t i = 0; i < EMU_LEN(ribbon_kinds); i++)
		if (number >= 0 && ribbon_kinds[i].number == number)
			return &ribbon_kinds[i];
	return NULL;
}

const struct ribbon_kind *
ribbon_kind_find(const char *name)
{
	for (size_t i = 0; i < EMU_LEN(ribbon_kinds); i++)
		if (!strcmp(ribbon_kinds[i].name, name))
			return &ribbon_kinds[i];
	return NULL;
}
