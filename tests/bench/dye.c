/*
 * dye.c - the benchmark's look at single kernels: RGB to dye, packing, run lengths, resin.
 *
 *   dye            one line a row: name, nanoseconds a pixel (best of many rounds), and the same of
 *                  a plain copy of the bytes that the row reads
 *   dye count NAME runs one row once in row_count(), for a tool that counts instructions
 *
 * The data: "photo" has noise over a gradient, no two neighbours alike; "card" is a white card with
 * a gradient band, a photo of a ninth of it and lines of text. Exit status 64 for an unknown row.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/evolis.h"
#include "filters/dye.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CARD_W = 1016, CARD_H = 648, PIXELS = CARD_W * CARD_H, ROUNDS = 25 };

struct data {
	uint32_t photo[PIXELS], card[PIXELS];
	uint8_t ymc[3][PIXELS], k[PIXELS / 8];
	struct dye_table *table;
	struct buf wire;
};

static uint32_t
noise_next(uint32_t *state)
{
	return *state = *state * 1664525U + 1013904223U;
}

static void
data_fill(struct data *d)
{
	uint32_t state = 7;

	for (size_t i = 0; i < PIXELS; i++) {
		unsigned x = i % CARD_W, y = (unsigned)(i / CARD_W);
		uint32_t n = noise_next(&state) >> 8 & 0x1f1f1f;
		d->photo[i] = ((x / 5) << 16 | (y / 3) << 8 | (255 - x / 5)) + n;
		bool face = x > 60 && x < 340 && y > 150 && y < 410;
		bool text = y % 60 < 24 && x > 400 && x < 900 && y > 150 &&
			    noise_next(&state) >> 30 == 0;
		d->card[i] = y < 100 ? 0x204060 + x / 8
			     : face  ? d->photo[i]
			     : text  ? 0x404040
				     : 0xffffff;
	}
}

static void
convert(struct data *d, const struct dye_way *way, const uint32_t *rgb)
{
	uint8_t *ymc[3] = {d->ymc[0], d->ymc[1], d->ymc[2]};

	dye_convert_by(way, d->table, ymc, CARD_H, rgb, CARD_W, 0, 0, CARD_W, CARD_H);
}

/* ---- the rows ---- */

static void
photo_avx2(struct data *d)
{
	convert(d, &dye_ways[0], d->photo);
}

static void
card_avx2(struct data *d)
{
	convert(d, &dye_ways[0], d->card);
}

static const struct dye_way *
way_portable(void)
{
	const struct dye_way *way = dye_ways;

	while (way[1].name)
		way++;
	return way;
}

static void
photo_portable(struct data *d)
{
	convert(d, way_portable(), d->photo);
}

static void
card_portable(struct data *d)
{
	convert(d, way_portable(), d->card);
}

/* What a printer without a profile gets. */
static void
card_plain(struct data *d)
{
	uint8_t *ymc[3] = {d->ymc[0], d->ymc[1], d->ymc[2]};

	dye_convert(ymc, CARD_H, d->card, CARD_W, 0, 0, CARD_W, CARD_H);
}

static void
pack7(struct data *d)
{
	wire_pack(d->wire.data, d->ymc[0], PIXELS, 7, false);
}

static void
squeeze(struct data *d)
{
	wire_squeeze(d->wire.data, d->k, CARD_H / 8, CARD_W, true);
}

static void
knock_out(struct data *d)
{
	uint8_t *ymc[3] = {d->ymc[0], d->ymc[1], d->ymc[2]};

	dye_knock_out(ymc, CARD_H, d->k, 0, 0, CARD_W, CARD_H);
}

static const struct row {
	const char *name;
	void (*run)(struct data *d);
	size_t reads; /* bytes */
} rows[] = {
	{"rgb-to-planes-photo-best", photo_avx2, PIXELS * 4},
	{"rgb-to-planes-photo-portable", photo_portable, PIXELS * 4},
	{"rgb-to-planes-card-best", card_avx2, PIXELS * 4},
	{"rgb-to-planes-card-portable", card_portable, PIXELS * 4},
	{"rgb-to-planes-no-profile", card_plain, PIXELS * 4},
	{"pack7", pack7, PIXELS},
	{"run-length-k", squeeze, PIXELS / 8},
	{"k-knock-out", knock_out, PIXELS / 8},
};

/* ---- measuring ---- */

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double
copy_ns(struct data *d, size_t reads)
{
	double start = now_ns();

	memcpy(d->wire.data, d->photo, reads);
	return now_ns() - start;
}

static void
row_measure(struct data *d, const struct row *row)
{
	double best = 1e18, copy = 1e18;

	for (int i = 0; i < ROUNDS; i++) {
		double start = now_ns();
		row->run(d);
		double took = now_ns() - start, moved = copy_ns(d, row->reads);
		best = took < best ? took : best;
		copy = moved < copy ? moved : copy;
	}
	printf("%s %.3f %.3f\n", row->name, best / PIXELS, copy / PIXELS);
}

/* A function of its own, so that callgrind can count inside it alone. */
static __attribute__((noinline)) void
row_count(struct data *d, const struct row *row)
{
	row->run(d);
}

static int
rows_run(struct data *d, const char *counted)
{
	bool found = false;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (counted && strcmp(counted, rows[i].name))
			continue;
		found = true;
		if (counted)
			row_count(d, &rows[i]);
		else
			row_measure(d, &rows[i]);
	}
	return found ? 0 : 64;
}

int
main(int argc, char **argv)
{
	struct data *d = calloc(1, sizeof *d);
	const struct dye_tone tone = {2, 1, DYE_PERCEPTUAL};
	struct err e = {0};
	int status = 71;

	if (!d || dye_table_build(&d->table, &tone, NULL, 0, "", &e))
		goto out;
	buf_init(&d->wire, PIXELS * 4);
	if (buf_reserve(&d->wire, PIXELS * 4, &e))
		goto out;
	data_fill(d);
	for (size_t i = 0; i < sizeof d->k; i++)
		d->k[i] = i % CARD_H / 8 % 9 == 0 ? 0x3c : 0;
	status = rows_run(d, argc == 3 && !strcmp(argv[1], "count") ? argv[2] : NULL);
	buf_done(&d->wire);
out:
	if (d)
		free(d->table);
	free(d);
	return status;
}
