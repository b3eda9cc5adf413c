/*
 * options.h - the words of the command line of cardspool-emulator.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_EMULATOR_OPTIONS_H
#define CARDSPOOL_EMULATOR_OPTIONS_H

#include "tests/emulator/device.h"

/* One printer to be plugged in. */
struct printer_spec {
	char model[32], serial[32], ribbon[48], chip[24], station[256], usbredir[108], lie[16];
	char port[16], reader_port[16];
	unsigned hopper, output, reject, tcp;
};

struct options {
	struct printer_spec base; /* what the plain switches say */
	struct printer_spec printer[PRINTERS_MAX];
	unsigned n_printers; /* --printer so far */
	const char *log, *watch;
	unsigned long seed;
	char **run, **tell;
	int tell_n;
	bool help;
};

/* 0, or -1 after a line on stderr that says what is wrong. Paths go to emu, the rest to o. */
int options_parse(struct options *o, struct emu *emu, int argc, char **argv);
extern const char options_usage[];

#endif
