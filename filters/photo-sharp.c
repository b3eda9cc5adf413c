/*
 * photo-sharp.c - how sharp a face is: fine detail of the head, measured against its contrast.
 *
 * The Laplacian answers to detail of one or two pixels, which a lens out of focus or a moving head
 * takes away first. Its variance in the head's region, less that of the plain ground (noise of the
 * camera and of compression, which a blurred picture has too), is set against the variance of the
 * brightness there, so that a pale face counts as much as a dark one. All is measured at the height
 * the card shows, so that a large soft picture that becomes a sharp small one passes.
 *
 * Guarantees: the same pixels give the same number. Memory that is missing counts as sharp: it is
 * a hint, not a rule.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/card.h"

#include <stdlib.h>
#include <string.h>

enum { JUDGED_HEIGHT = 300, PER_MILLE = 1000, SIDE_LEAST = 24 };

/* Brightness at the judged size; the scale only goes down. */
struct gray {
	unsigned width, height;
	uint8_t *at;
};

static unsigned
luminance(const uint8_t *pixel)
{
	uint32_t word;

	memcpy(&word, pixel, sizeof word);
	return ((word >> 16 & 255) * 77 + (word >> 8 & 255) * 150 + (word & 255) * 29) >> 8;
}

static bool
gray_create(struct gray *g, const struct photo *p)
{
	g->height = p->height < JUDGED_HEIGHT ? p->height : JUDGED_HEIGHT;
	g->width = (unsigned)((uint64_t)p->width * g->height / p->height);
	g->at = g->width >= SIDE_LEAST && g->height >= SIDE_LEAST
			? malloc((size_t)g->width * g->height)
			: NULL;
	if (!g->at)
		return false;
	for (unsigned y = 0; y < g->height; y++)
		for (unsigned x = 0; x < g->width; x++) {
			unsigned x0 = x * p->width / g->width, x1 = (x + 1) * p->width / g->width;
			unsigned y0 = y * p->height / g->height;
			unsigned y1 = (y + 1) * p->height / g->height;
			uint64_t sum = 0;
			for (unsigned j = y0; j < y1; j++)
				for (unsigned i = x0; i < x1; i++)
					sum += luminance(
						p->pixels + ((size_t)j * p->width + i) * 4);
			g->at[y * g->width + x] = (uint8_t)(sum / ((x1 - x0) * (y1 - y0)));
		}
	return true;
}

struct spread {
	double sum, squares;
	unsigned n;
};

static void
spread_add(struct spread *s, int value)
{
	s->sum += value;
	s->squares += (double)value * value;
	s->n++;
}

static double
spread_variance(const struct spread *s)
{
	double mean = s->n ? s->sum / s->n : 0;

	return s->n ? s->squares / s->n - mean * mean : 0;
}

/* Of the brightness and of its Laplacian within [x0, x1) x [y0, y1). */
static void
region_measure(const struct gray *g, unsigned x0, unsigned y0, unsigned x1, unsigned y1,
	struct spread *light, struct spread *detail)
{
	for (unsigned y = y0 ? y0 : 1; y < y1 && y + 1 < g->height; y++)
		for (unsigned x = x0 ? x0 : 1; x < x1 && x + 1 < g->width; x++) {
			const uint8_t *p = g->at + (size_t)y * g->width + x;
			spread_add(light, *p);
			spread_add(detail, 4 * *p - p[-1] - p[1] - p[-(int)g->width] - p[g->width]);
		}
}

unsigned
photo_sharpness(const struct photo *p)
{
	struct gray g = {0};
	struct spread light = {0}, detail = {0}, ground = {0}, noise = {0};

	if (!p->width || !p->height || !gray_create(&g, p))
		return PER_MILLE;
	region_measure(&g, g.width / 4, g.height * 3 / 20, g.width * 3 / 4, g.height * 7 / 10,
		&light, &detail);
	region_measure(&g, 0, 0, g.width / 6, g.height / 10, &ground, &noise);
	region_measure(&g, g.width - g.width / 6, 0, g.width, g.height / 10, &ground, &noise);
	free(g.at);
	double contrast = spread_variance(&light);
	double fine = spread_variance(&detail) - spread_variance(&noise);
	if (contrast < 1 || fine < 0)
		return contrast < 1 ? PER_MILLE : 0;
	return fine < contrast ? (unsigned)(fine / contrast * PER_MILLE) : PER_MILLE;
}
