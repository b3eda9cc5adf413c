/*
 * fuzz-escape.c - throws lines of a page at the reader of escapes for about half a second.
 *
 * Lines are put together from pieces of escapes and broken. It fails by crashing (best under the
 * sanitizers) or when a promise does not hold: what looks like an escape is taken or refused, never
 * ink; a refusal takes nothing; tracks have the characters and lengths of ISO/IEC 7811; no message
 * quotes data; fields end. $FUZZ_MS sets the time, $FUZZ_SEED the start.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/escape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINE_MAX_LEN = 6000, PIECES_MAX = 12 };

static const char *const pieces[] = {"~1", "~2", "~3", "~C", "~1%", "~2;", "~3;",
	"~1=", "~C=", "~7", "~", "~~", " ", "\t", "?", "=", ";", "SECRETNAME", "4929000011112222",
	"name=SECRETNAME", "template=visitor;", "\xe6\x9e\x97", "\xff", "^", "lower", "\x7f",
	":<=>"};

static uint64_t
random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15U;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return z ^ z >> 31;
}

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t
setting(const char *name, uint64_t fallback)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : fallback;
}

static size_t
line_make(char *line, uint64_t *seed)
{
	unsigned n = 1 + (unsigned)(random_next(seed) % PIECES_MAX);
	size_t len = 0;

	while (n--) {
		uint64_t r = random_next(seed);
		const char *piece = pieces[r % ARRAY_LEN(pieces)];
		size_t part = strlen(piece), times = r >> 60 ? 1 : 1 + (r >> 32) % 500;
		for (; times && len + part < LINE_MAX_LEN; times--, len += part)
			memcpy(line + len, piece, part);
	}
	if (len && (random_next(seed) & 3) == 0)
		line[random_next(seed) % len] = (char)random_next(seed);
	return len;
}

static bool
track_good(const char *track, int n)
{
	static const size_t most[MAGNETIC_TRACKS] = {76, 37, 104};
	char first = n ? '0' : ' ', last = n ? '?' : '_';
	size_t len = strnlen(track, MAGNETIC_TRACK_MAX + 1);

	if (len > most[n])
		return false;
	for (size_t i = 0; i < len; i++)
		if (track[i] < first || track[i] > last || track[i] == '?')
			return false;
	return true;
}

/* Every name and value lies in the text, and there are no more of them than separators. */
static bool
fields_good(const char *chip)
{
	char text[ESCAPE_CHIP_MAX], *rest = text, *name, *value;
	size_t len = strlen(chip), n = 0;

	memcpy(text, chip, len + 1);
	while (escape_field(&rest, &name, &value)) {
		if (name < text || name > text + len || rest > text + len || ++n > len + 1 ||
			(value && (value < name || value > text + len)))
			return false;
	}
	return true;
}

/* NULL, or which promise is broken. */
static const char *
line_eat(const char *line, size_t len)
{
	struct escapes x = {0}, empty = {0};
	struct err e = {0};
	size_t at = 0;
	int rc = escape_parse(&x, line, len, &e);

	while (at < len && (line[at] == ' ' || line[at] == '\t'))
		at++;
	bool looks = len - at > 1 && line[at] == '~' && line[at + 1] > ' ' && line[at + 1] < 0x7f;
	if (rc != 0 && rc != 1 && rc != ERR_INPUT)
		return "an answer that is none";
	if (looks && rc == 0)
		return "an escape would be ink";
	if (rc != 1 && memcmp(&x, &empty, sizeof x))
		return "a refused line left something";
	if (rc < 0 && (!e.text[0] || strstr(e.text, "SECRET") || strstr(e.text, "49290000")))
		return "a message without words or with data";
	for (int i = 0; i < MAGNETIC_TRACKS; i++)
		if (!track_good(x.track[i], i))
			return "a track that no stripe can carry";
	if (!memchr(x.chip, 0, sizeof x.chip) || !fields_good(x.chip))
		return "fields outside of the text";
	return NULL;
}

int
main(void)
{
	static char line[LINE_MAX_LEN];
	uint64_t seed = setting("FUZZ_SEED", 1), end = now_ms() + setting("FUZZ_MS", 500);
	unsigned long rounds = 0;

	for (; now_ms() < end; rounds++) {
		uint64_t start = seed;
		size_t len = line_make(line, &seed);
		char *copy = malloc(len + 1); /* the sanitizers see a read behind the line */
		if (!copy)
			return 99;
		memcpy(copy, line, len);
		const char *broken = line_eat(copy, len);
		free(copy);
		if (broken) {
			printf("not ok - %s, FUZZ_SEED=%llu\n", broken, (unsigned long long)start);
			return 1;
		}
	}
	printf("ok - %lu lines\n", rounds);
	return 0;
}
