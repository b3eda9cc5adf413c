/*
 * evolis-draw.c - commands that draw into a resin or varnish plane: pictures, lines, fills.
 *
 * Invented, for no source tells: places count dots from the upper left corner of the upright card,
 * x along its long edge; a set bit of a BMP file's picture is resin where its colour is the darker
 * one. Text and bar codes are taken and not drawn, with a line in the log.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/evolis.h"

#include <stdlib.h>
#include <string.h>

static uint8_t *
plane_here(struct evolis *e, int panel)
{
	uint8_t **place = &e->plane[e->side][panel];
	if (!*place) {
		*place = calloc(LINES, DOTS);
		e->lines[e->side][panel] = LINES;
	}
	return e->lines[e->side][panel] == LINES ? *place : NULL;
}

static void
dot_set(uint8_t *plane, unsigned long x, unsigned long y, bool on)
{
	if (x < LINES && y < DOTS)
		plane[x * DOTS + (DOTS - 1 - y)] = on ? 255 : 0;
}

static uint32_t
le32(const uint8_t *b)
{
	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* A BMP picture of one bit a pixel, as far as it is needed here. */
struct picture {
	const uint8_t *rows;
	size_t stride;
	unsigned width, height;
	bool dark_bit, top_down;
};

static bool
picture_open(struct picture *b, const uint8_t *f, size_t len)
{
	if (len < 62)
		return false;
	uint32_t at = le32(f + 10), head = le32(f + 14), height = le32(f + 22);
	b->top_down = height > 0x7fffffff;
	b->width = le32(f + 18);
	b->height = b->top_down ? 0u - height : height;
	if (head < 40 || f[28] != 1 || f[29] || le32(f + 30) || b->width > LINES ||
		b->height > LINES || at < 54 || at > len || (uint64_t)head + 22 > len)
		return false;
	b->stride = (b->width + 31) / 32 * 4;
	b->rows = f + at;
	const uint8_t *colours = f + 14 + head;
	b->dark_bit = colours[4] + colours[5] + colours[6] < colours[0] + colours[1] + colours[2];
	return b->stride * b->height <= len - at;
}

static const char *
run_dbmp(struct call *c)
{
	struct evolis *e = c->e;
	char *const *arg = c->c->argv;
	const char *turn = params_value(e->params, "Pwr");
	unsigned long angle = turn ? strtoul(turn, NULL, 10) : 0;
	unsigned long left = strtoul(arg[1], NULL, 10), top = strtoul(arg[2], NULL, 10);
	struct picture b;
	int panel = !strcmp(arg[0], "k") ? P_K : !strcmp(arg[0], "o") ? P_O : -1;
	if (panel < 0 || strcmp(arg[3], "0") || !picture_open(&b, c->c->bin, c->c->bin_len))
		return "ERROR PARAMETRES";
	uint8_t *plane = plane_here(e, panel);
	if (!plane)
		return "ERROR";
	for (unsigned y = 0; y < b.height; y++) {
		const uint8_t *row = b.rows + b.stride * (b.top_down ? y : b.height - 1 - y);
		for (unsigned x = 0; x < b.width; x++) {
			bool bit = row[x / 8] & 0x80 >> x % 8;
			unsigned long u = angle == 90    ? b.height - 1 - y
					  : angle == 180 ? b.width - 1 - x
					  : angle == 270 ? y
							 : x;
			unsigned long v = angle == 90    ? x
					  : angle == 180 ? b.height - 1 - y
					  : angle == 270 ? b.width - 1 - x
							 : y;
			dot_set(plane, left + u, top + v, bit == b.dark_bit);
		}
	}
	return "OK";
}

/* "Wl;x;y;length;width;0/1" */
static const char *
run_wl(struct call *c)
{
	unsigned long n[5];
	char *rest;
	for (int i = 0; i < 5; i++) {
		n[i] = strtoul(c->c->argv[i], &rest, 10);
		if (*rest || rest == c->c->argv[i])
			return "ERROR PARAMETRES";
	}
	const char *target = params_value(c->e->params, "Pwb");
	uint8_t *plane = plane_here(c->e, target && *target == 'o' ? P_O : P_K);
	if (n[4] > 1 || n[2] > LINES || n[3] > LINES)
		return "ERROR PARAMETRES";
	for (unsigned long y = 0; plane && y < n[3]; y++)
		for (unsigned long x = 0; x < n[2]; x++)
			dot_set(plane, n[0] + x, n[1] + y, n[4]);
	return plane ? "OK" : "ERROR";
}

/* "Wcb;o;255": full varnish; without a value the plane is emptied. */
static const char *
run_wcb(struct call *c)
{
	struct evolis *e = c->e;
	const char *at = c->c->argv[0][1] ? NULL : strchr(panel_names, c->c->argv[0][0]);
	unsigned long value = c->c->argc > 1 ? strtoul(c->c->argv[1], NULL, 10) : 0;
	if (!at || !*at || value > 255)
		return "ERROR PARAMETRES";
	if (e->in_sequence && !(e->mode & HOST_BIT))
		evolis_strict(e, "breaks the recovery of errors inside a sequence", c->c->text);
	uint8_t *plane = plane_here(e, (int)(at - panel_names));
	bool resin = at - panel_names >= P_K;
	if (plane)
		memset(plane, resin ? (value ? 255 : 0) : (int)value, (size_t)LINES * DOTS);
	return plane ? "OK" : "ERROR";
}

static const char *
run_undrawn(struct call *c)
{
	emu_log(c->e->printer->emu, "not drawn: %s", c->c->text);
	return "OK";
}

const struct verb evolis_draws[] = {
	{"Dbmp", SETS, 4, 4, run_dbmp},
	{"Wl", SETS, 5, 5, run_wl},
	{"Wcb", SETS, 1, 2, run_wcb},
	{"Wt", SETS, 5, COMMAND_ARGS_MAX, run_undrawn},
	{"Wb", SETS, 8, COMMAND_ARGS_MAX, run_undrawn},
	{NULL, SETS, 0, 0, NULL},
};
