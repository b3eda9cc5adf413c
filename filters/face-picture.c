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

enum { WEIGHT_ONE = 256 };

/* A pixel's four channels in 16-bit lanes, so that one multiplication serves all of them. */
static const uint64_t lanes = 0x00ff00ff00ff00ffU, half = 0x0080008000800080U;

/* One output sample is a sum over taps input samples from first on; the weights of each add up to
 * 256. */
struct resampler {
	unsigned n, taps;
	unsigned *first;
	uint16_t *weight; /* n x taps */
};

static void
resampler_done(struct resampler *r)
{
	free(r->first);
	free(r->weight);
}

/* Weights of a triangle around centre, rounded so that a plain area stays exactly as it is. */
static void
weights_fill(uint16_t *weight, unsigned taps, double first, double centre, double reach)
{
	double sum = 0;
	int left = WEIGHT_ONE;
	unsigned heaviest = 0;

	for (unsigned k = 0; k < taps; k++)
		sum += fmax(0, 1 - fabs(first + k - centre) / reach);
	for (unsigned k = 0; k < taps; k++) {
		double w = fmax(0, 1 - fabs(first + k - centre) / reach);
		weight[k] = sum > 0 ? (uint16_t)(w / sum * WEIGHT_ONE) : 0;
		left -= weight[k];
		heaviest = weight[k] > weight[heaviest] ? k : heaviest;
	}
	weight[heaviest] = (uint16_t)(weight[heaviest] + left);
}

/* From the span [from, from + span) of len samples to n samples. */
static int
resampler_init(struct resampler *r, double from, double span, unsigned len, unsigned n)
{
	double scale = span / n, reach = scale > 1 ? scale : 1;
	unsigned taps = (unsigned)ceil(2 * reach);

	r->n = n;
	r->taps = taps > len ? len : taps;
	r->first = calloc(n, sizeof *r->first);
	r->weight = calloc((size_t)n * r->taps, sizeof *r->weight);
	if (!r->first || !r->weight)
		return ERR_SYSTEM;
	for (unsigned i = 0; i < n; i++) {
		double centre = from + (i + 0.5) * scale - 0.5, first = ceil(centre - reach);
		first = first < 0 ? 0 : first > len - r->taps ? len - r->taps : first;
		r->first[i] = (unsigned)first;
		weights_fill(r->weight + (size_t)i * r->taps, r->taps, first, centre, reach);
	}
	return 0;
}

static void
row_resample(uint64_t *out, const uint32_t *in, const struct resampler *r)
{
	const uint16_t *weight = r->weight;

	for (unsigned i = 0; i < r->n; i++) {
		const uint32_t *p = in + r->first[i];
		uint64_t sum = half;
		for (unsigned k = 0; k < r->taps; k++)
			sum += ((p[k] | (uint64_t)p[k] << 24) & lanes) * *weight++;
		out[i] = sum >> 8 & lanes;
	}
}

static void
column_resample(
	uint32_t *out, const uint64_t *in, unsigned pitch, unsigned row, const struct resampler *r)
{
	const uint16_t *weight = r->weight + (size_t)row * r->taps;
	const uint64_t *from = in + (size_t)r->first[row] * pitch;

	for (unsigned x = 0; x < pitch; x++) {
		uint64_t sum = half;
		for (unsigned k = 0; k < r->taps; k++)
			sum += from[(size_t)k * pitch + x] * weight[k];
		sum = sum >> 8 & lanes;
		out[x] = (uint32_t)(sum | sum >> 24);
	}
}

/* Scales the middle of the photo that has the box's shape into out, w x h words of the given pitch.
 */
static int
photo_scale(uint32_t *out, size_t out_pitch, unsigned w, unsigned h, const struct photo *photo,
	struct err *e)
{
	double span_w = photo->width, span_h = photo->height;
	struct resampler across = {0}, down = {0};

	if (span_w * h > span_h * w)
		span_w = span_h * w / h;
	else
		span_h = span_w * h / w;
	int rc = resampler_init(&across, (photo->width - span_w) / 2, span_w, photo->width, w);
	if (!rc)
		rc = resampler_init(&down, (photo->height - span_h) / 2, span_h, photo->height, h);
	uint64_t *narrow = calloc(photo->height, w * sizeof *narrow);
	if (rc || !narrow) {
		rc = err_set(e, ERR_SYSTEM, _("Out of memory."));
		goto out;
	}
	const uint32_t *pixels = (const uint32_t *)(const void *)photo->pixels;
	for (unsigned y = 0; y < photo->height; y++)
		row_resample(narrow + (size_t)y * w, pixels + (size_t)y * photo->width, &across);
	for (unsigned y = 0; y < h; y++)
		column_resample(out + y * out_pitch, narrow, w, y, &down);
out:
	resampler_done(&across);
	resampler_done(&down);
	free(narrow);
	return rc;
}

/* libjpeg's own sizes hit most boxes almost: a rim this thin is cut off instead of scaled away. */
enum { RIM_PER_MILLE = 20 };

static bool
photo_fits(const struct photo *photo, const struct box *box)
{
	return photo->width >= box->w && photo->height >= box->h &&
	       (photo->width - box->w) * 1000 <= box->w * RIM_PER_MILLE &&
	       (photo->height - box->h) * 1000 <= box->h * RIM_PER_MILLE;
}

static void
photo_cut(uint32_t *out, size_t pitch, const struct box *box, const struct photo *photo)
{
	const uint8_t *from =
		photo->pixels + 4 * ((size_t)((photo->height - box->h) / 2) * photo->width +
					    (photo->width - box->w) / 2);

	for (unsigned y = 0; y < box->h; y++)
		memcpy(out + y * pitch, from + 4 * (size_t)y * photo->width, 4 * (size_t)box->w);
}

int
picture_photo(
	struct picture *p, const struct box *box, const uint8_t *bytes, size_t len, struct err *e)
{
	struct photo photo = {0};
	int rc = photo_decode(&photo, bytes, len, box->w, box->h, e);

	if (rc)
		return rc;
	uint32_t *to = p->pixels + (size_t)(box->y - p->y) * p->w + (box->x - p->x);
	if (photo_fits(&photo, box))
		photo_cut(to, p->w, box, &photo);
	else
		rc = photo_scale(to, p->w, box->w, box->h, &photo, e);
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
