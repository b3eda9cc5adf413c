/*
 * emulator-slot.c - cards with contacts in emulated readers, told what to do on standard input.
 *
 *   emulator-slot KIND=SOCKET...      KIND: sle4442, psam
 *
 * A line "KIND words" goes to that reader's console (pcsc.h) or its card's; the answer is one line.
 * Ends with its input. On failure to make a reader says so and ends with 71.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/pcsc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_MAX = 8 };

static const struct {
	const struct slot_ops *ops;
	void *(*create)(void);
} kinds[] = {{&slot_sle4442, slot_sle4442_create}, {&slot_psam, slot_psam_create}};

struct slot {
	const char *name;
	struct pcsc_reader *reader;
};

static bool
slot_open(struct slot *s, const char *word)
{
	const char *path = strchr(word, '=');

	for (size_t i = 0; path && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		s->name = kinds[i].ops->name;
		if (strlen(s->name) != (size_t)(path - word) ||
			strncmp(word, s->name, strlen(s->name)))
			continue;
		void *card = kinds[i].create();
		s->reader = card ? pcsc_reader_start(kinds[i].ops, card, s->name, path + 1) : NULL;
		return s->reader;
	}
	return false;
}

static void
line_answer(struct slot *slots, unsigned n, char *line)
{
	char *words = strchr(line, ' '), *said = NULL;

	line[strcspn(line, "\n")] = '\0';
	if (words) {
		*words++ = '\0';
		for (unsigned i = 0; i < n && !said; i++)
			if (!strcmp(line, slots[i].name))
				said = pcsc_reader_control(slots[i].reader, words);
	}
	puts(said ? said : "error: no such reader");
	fflush(stdout);
	free(said);
}

int
main(int argc, char **argv)
{
	struct slot slots[SLOTS_MAX];
	unsigned n = 0;
	char line[256];

	for (int i = 1; i < argc && n < SLOTS_MAX; i++) {
		if (!slot_open(&slots[n], argv[i])) {
			fprintf(stderr, "emulator-slot: %s: cannot make the reader\n", argv[i]);
			return 71;
		}
		n++;
	}
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		line_answer(slots, n, line);
	for (unsigned i = 0; i < n; i++)
		pcsc_reader_stop(slots[i].reader);
	return 0;
}
