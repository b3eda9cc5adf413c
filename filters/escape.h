/*
 * escape.h - what a page's text says to the encoders.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_ESCAPE_H
#define CARDSPOOL_ESCAPE_H

#include "filters/card.h"

#define ESCAPE_CHIP_MAX 4096

/* Everything the pages of one card ask for; zeroed at first. */
struct escapes {
	char track[MAGNETIC_TRACKS][MAGNETIC_TRACK_MAX + 1]; /* "" = nothing, without sentinels */
	char chip[ESCAPE_CHIP_MAX]; /* "" = nothing; fields "name=value;..." or a number */
};

/*
 * One line of a page's text, UTF-8. 1: it holds escapes, which are taken into *x and must not be
 * printed; 0: it is a line to print; ERR_INPUT: it looks like an escape and is none, or a second
 * one for the same encoder. No message quotes data.
 */
int escape_parse(struct escapes *x, const char *line, size_t len, struct err *e);
/* Cuts the next "name=value" off *rest, writing into it. False at the end; *value is NULL without
 * "=". */
bool escape_field(char **rest, char **name, char **value);

#endif
