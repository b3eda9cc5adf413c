/*
 * console.h - a line of the fault console and the verbs that it may begin with.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_EMULATOR_CONSOLE_H
#define CARDSPOOL_EMULATOR_CONSOLE_H

#include "tests/emulator/device.h"

#define WORDS_MAX 12
#define LINE_MAX_ 512

struct words {
	char text[LINE_MAX_];
	const char *rest; /* of the original line, after the first word */
	char *w[WORDS_MAX];
	unsigned n;
};

/* A verb returns NULL, or what is wrong with the line. */
struct console_verb {
	const char *name;
	unsigned min; /* words, the verb included */
	const char *(*run)(struct emu *emu, struct printer *p, struct words *w);
};
extern const struct console_verb console_verbs[];
extern const size_t n_console_verbs;

#endif
