/*
 * face-picture.c - photo, seal and coloured text, composed upright in RGB.
 *
 * Owns scaling, composing and the dithering for ribbons without dye. Guarantees: writes only inside
 * the picture it is given. On failure the picture keeps what it held.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/face.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WEIGHT_BITS = 14, WEIGHT_ONE = 1 << WEIGHT_BITS };

/* One output sample is a sum over taps input samples from first on. */
struct resampler {
	unsigned n, taps;
	unsigned *first;
	int32_t *weight; /* n x taps */
};

static void
resampler_destroy(struct resampler *r)
{
	if (r) {
		free(r->first);
		free(r->weight);
	}
	free(r);
}

/* A triangle filter from the span [from, from + span) of len samples to n samples. */
static struct resampler *
resampler_create(double from, double span, unsigned len, unsigned n)
{
	struct resampler *r = calloc(1, sizeof *r);
	double scale = span / n, reach = scale > 1 ? scale : 1;
	unsigned taps = (unsigned)ceil(2 * reach) + 1;

	if (!r)
		return NULL;
	taps = taps > len ? len : taps;
	r->n = n;
	r->taps = taps;
	r->first = calloc(n, sizeof *r->first);
	r->weight = calloc((size_t)n * taps, sizeof *r->weight);
	if (!r->first || !r->weight) {
		resampler_destroy(r);
		return NULL;
	}
	for (unsigned i = 0; i < n; i++) {
		double centre = from + (i + 0.5) * scale - 0.5, sum = 0;
		double first = ceil(centre - reach);
		first = first < 0 ? 0 : first > len - taps ? len - taps : first;
		r->first[i] = (unsigned)first;
		for (unsigned k = 0; k < taps; k++) {
			double w = 1 - fabs(first + k - centre) / reach;
			sum += w > 0 ? w : 0;
		}
		int32_t left = WEIGHT_ONE, *weight = r->weight + (size_t)i * taps;
		unsigned heaviest = 0;
		for (unsigned k = 0; k < taps; k++) {
			double w = 1 - fabs(first + k - centre) / reach;
			weight[k] = w > 0 && sum > 0 ? (int32_t)lround(w / sum * WEIGHT_ONE) : 0;
			left -= weight[k];
			heaviest = weight[k] > weight[heaviest] ? k : heaviest;
		}
		weight[heaviest] += left;
	}
	return r;
}

static void
row_resample(uint8_t *out, const uint8_t *in, const struct resampler *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		const uint8_t *p = in + 4 * (size_t)r->first[i];
		const int32_t *weight = r->weight + (size_t)i * r->taps;
		int32_t sum[4] = {WEIGHT_ONE / 2, WEIGHT_ONE / 2, WEIGHT_ONE / 2, WEIGHT_ONE / 2};
		for (unsigned k = 0; k < r->taps; k++, p += 4)
			for (int c = 0; c < 4; c++)
				sum[c] += weight[k] * p[c];
		for (int c = 0; c < 4; c++)
			out[4 * i + (unsigned)c] = (uint8_t)(sum[c] >> WEIGHT_BITS);
	}
}

static void
column_resample(uint8_t *out, const uint8_t *in, size_t pitch, unsigned row,
	const struct resampler *r, int32_t *sum)
{
	const int32_t *weight = r->weight + (size_t)row * r->taps;

	for (size_t i = 0; i < pitch; i++)
		sum[i] = WEIGHT_ONE / 2;
	for (unsigned k = 0; k < r->taps; k++) {
		const uint8_t *p = in + (r->first[row] + k) * pitch;
		int32_t w = weight[k];
		for (size_t i = 0; i < pitch; i++)
			sum[i] += w * p[i];
	}
	for (size_t i = 0; i < pitch; i++)
		out[i] = (uint8_t)(sum[i] >> WEIGHT_BITS);
}

/* Scales the middle of the photo that has the box's shape into out, w x h words of the given pitch.
 */
static int
photo_scale(uint32_t *out, size_t out_pitch, unsigned w, unsigned h, const struct photo *photo,
	struct err *e)
{
	double span_w = photo->width, span_h = photo->height;
	int rc = 0;

	if (span_w * h > span_h * w)
		span_w = span_h * w / h;
	else
		span_h = span_w * h / w;
	size_t pitch = 4 * (size_t)w;
	struct resampler *across =
		resampler_create((photo->width - span_w) / 2, span_w, photo->width, w);
	struct resampler *down =
		resampler_create((photo->height - span_h) / 2, span_h, photo->height, h);
	uint8_t *narrow = malloc(pitch * photo->height);
	int32_t *sum = malloc(pitch * sizeof *sum);
	if (!across || !down || !narrow || !sum) {
		rc = err_set(e, ERR_SYSTEM, _("Out of memory."));
		goto out;
	}
	for (unsigned y = 0; y < photo->height; y++)
		row_resample(
			narrow + y * pitch, photo->pixels + 4 * (size_t)y * photo->width, across);
	for (unsigned y = 0; y < h; y++)
		column_resample((uint8_t *)(out + y * out_pitch), narrow, pitch, y, down, sum);
out:
	resampler_destroy(across);
	resampler_destroy(down);
	free(narrow);
	free(sum);
	return rc;
}

int
picture_photo(
	struct picture *p, const struct box *box, const uint8_t *bytes, size_t len, struct err *e)
{
	struct photo photo = {0};
	int rc = photo_decode(&photo, bytes, len, box->w, box->h, e);

	if (rc)
		return rc;
	rc = photo_scale(p->pixels + (size_t)(box->y - p->y) * p->w + (box->x - p->x), p->w, box->w,
		box->h, &photo, e);
	photo_done(&photo);
	return rc;
}

static inline uint32_t
over(uint32_t under, uint32_t source, uint32_t keep)
{
	uint32_t out = 0;

	for (int shift = 0; shift < 24; shift += 8) {
		uint32_t u = (under >> shift & 255) * keep + 128;
		uint32_t c = (source >> shift & 255) + ((u + (u >> 8)) >> 8);
		out |= (c > 255 ? 255 : c) << shift;
	}
	return out;
}

void
picture_seal(struct picture *p, const struct box *box)
{
	for (unsigned y = 0; y < box->h; y++) {
		uint32_t *row = p->pixels + (size_t)(box->y - p->y + y) * p->w + (box->x - p->x);
		const uint8_t *seal = box->seal + 4 * (size_t)y * box->w;
		for (unsigned x = 0; x < box->w; x++) {
			uint32_t source;
			memcpy(&source, seal + 4 * (size_t)x, 4);
			if (source >> 24)
				row[x] = over(row[x], source, 255 - (source >> 24));
		}
	}
}

void
picture_text(struct picture *p, const struct box *box, const uint8_t *ink, size_t pitch)
{
	for (unsigned x = 0; x < box->w; x++)
		for (unsigned y = 0; y < box->h; y++) {
			uint32_t a = ink[x * pitch + (box->h - 1 - y)];
			uint32_t *pixel = p->pixels + (size_t)(box->y - p->y + y) * p->w +
					  (box->x - p->x + x);
			if (a)
				*pixel = over(*pixel, over(0xffffff & box->colour, 0, a), 255 - a);
		}
}

int
picture_dither(const struct picture *p, struct plane *k, struct err *e)
{
	/* One row of errors for the row at hand and the next, with a border on both sides. */
	int *errors = calloc(2 * ((size_t)p->w + 2), sizeof *errors);

	if (!errors)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	int *now = errors + 1, *next = errors + p->w + 3;
	for (unsigned y = 0; y < p->h; y++) {
		unsigned dot = k->dots - 1 - (p->y + y);
		memset(next - 1, 0, (p->w + 2) * sizeof *next);
		for (unsigned i = 0; i < p->w; i++) {
			int step = y & 1 ? -1 : 1;
			unsigned x = y & 1 ? p->w - 1 - i : i;
			int light =
				(int)rgb_luminance(p->pixels[(size_t)y * p->w + x]) + now[x] / 16;
			int left = light < 128 ? light : light - 255;
			if (light < 128)
				k->data[(p->x + x) * k->stride + dot / 8] |=
					(uint8_t)(0x80 >> dot % 8);
			now[(int)x + step] += 7 * left;
			next[(int)x - step] += 3 * left;
			next[x] += 5 * left;
			next[(int)x + step] += left;
		}
		int *swap = now;
		now = next;
		next = swap;
	}
	free(errors);
	return 0;
}
