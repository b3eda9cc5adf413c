/*
 * sample.c - cardspool-sample DIR [N]: a roster of N (20) invented people with photos, for trials.
 *
 * Writes DIR/roster.csv (UTF-8 without BOM) and DIR/photos/<certificate number>.jpg or .bmp. The
 * same files come out on every run. Checks its own data (length in GBK, size of a photo) and stops
 * at the first that is wrong, naming it; what was written before stays.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/sample.h"

#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jpeglib.h>

enum { PEOPLE = 20, PHOTO_MAX_BYTES = 20000, PATH_LEN = 4096 };
enum { JPEG_WIDTH = 480, BMP24_WIDTH = 72, BMP8_WIDTH = 112 };

/* ---- the roster ---- */

/* Length in GBK; -1 if a character is not in it. */
static long
gbk_length(iconv_t gbk, const char *utf8)
{
	char in[SAMPLE_VALUE_MAX], out[2 * SAMPLE_VALUE_MAX];
	char *from = in, *to = out;
	size_t from_left = strlen(utf8), to_left = sizeof(out);
	memcpy(in, utf8, from_left + 1);
	if (iconv(gbk, &from, &from_left, &to, &to_left) != 0)
		return -1;
	return (long)(sizeof(out) - to_left);
}

static bool
person_check(iconv_t gbk, const struct person *p, unsigned number)
{
	for (unsigned i = 0; i < SAMPLE_FIELDS; i++) {
		long len = gbk_length(gbk, p->value[i]);
		long max = (long)sample_fields[i].max_bytes;
		/* All fields of eight bytes are dates; a roster may write them with separators. */
		if (len >= 0 && len <= (max == 8 ? 10 : max))
			continue;
		fprintf(stderr,
			"cardspool-sample: person %u: field %s: does not fit its %u bytes of GBK\n",
			number, sample_fields[i].name, sample_fields[i].max_bytes);
		return false;
	}
	return true;
}

static void
csv_value(FILE *f, const char *value, bool first)
{
	if (!first)
		fputc(',', f);
	if (!strpbrk(value, ",\"\r\n")) {
		fputs(value, f);
		return;
	}
	fputc('"', f);
	for (; *value; value++) {
		if (*value == '"')
			fputc('"', f);
		fputc(*value, f);
	}
	fputc('"', f);
}

static bool
roster_write(const char *path, const struct person *people, unsigned n)
{
	FILE *f = fopen(path, "we");
	if (!f)
		return false;
	for (unsigned i = 0; i < SAMPLE_FIELDS; i++)
		csv_value(f, sample_fields[i].name, i == 0);
	fputc('\n', f);
	for (unsigned k = 0; k < n; k++) {
		for (unsigned i = 0; i < SAMPLE_FIELDS; i++)
			csv_value(f, people[k].value[i], i == 0);
		fputc('\n', f);
	}
	bool good = !ferror(f);
	return fclose(f) == 0 && good;
}

/* ---- photos ---- */

static unsigned long
jpeg_build(unsigned char **out, const uint8_t *bgrx, unsigned width, unsigned height, int quality)
{
	struct jpeg_compress_struct jpeg;
	struct jpeg_error_mgr errors;
	unsigned long len = 0;
	jpeg.err = jpeg_std_error(&errors);
	jpeg_create_compress(&jpeg);
	jpeg_mem_dest(&jpeg, out, &len);
	jpeg.image_width = width;
	jpeg.image_height = height;
	jpeg.input_components = 4;
	jpeg.in_color_space = JCS_EXT_BGRX;
	jpeg_set_defaults(&jpeg);
	jpeg_set_quality(&jpeg, quality, TRUE);
	jpeg.optimize_coding = TRUE;
	jpeg.density_unit = 1;
	jpeg.X_density = jpeg.Y_density = 300;
	jpeg_start_compress(&jpeg, TRUE);
	while (jpeg.next_scanline < height) {
		JSAMPROW row = (JSAMPROW)(bgrx + (size_t)jpeg.next_scanline * width * 4);
		jpeg_write_scanlines(&jpeg, &row, 1);
	}
	jpeg_finish_compress(&jpeg);
	jpeg_destroy_compress(&jpeg);
	return len;
}

static bool
jpeg_write(FILE *f, const uint8_t *bgrx, unsigned width, unsigned height)
{
	for (int quality = 94; quality >= 50; quality -= 3) {
		unsigned char *bytes = NULL;
		unsigned long len = jpeg_build(&bytes, bgrx, width, height, quality);
		bool fits = len <= PHOTO_MAX_BYTES;
		bool good = fits && fwrite(bytes, len, 1, f) == 1;
		free(bytes);
		if (fits)
			return good;
	}
	return false;
}

static void
le_put(uint8_t *at, unsigned bytes, unsigned value)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

/* BITMAPFILEHEADER and BITMAPINFOHEADER, rows from the bottom up. */
static void
bmp_header_build(uint8_t h[54], unsigned width, unsigned height, unsigned bits, unsigned colours)
{
	unsigned stride = (width * bits / 8 + 3) & ~3u, start = 54 + 4 * colours;
	memset(h, 0, 54);
	h[0] = 'B';
	h[1] = 'M';
	le_put(h + 2, 4, start + stride * height);
	le_put(h + 10, 4, start);
	le_put(h + 14, 4, 40);
	le_put(h + 18, 4, width);
	le_put(h + 22, 4, height);
	le_put(h + 26, 2, 1);
	le_put(h + 28, 2, bits);
	le_put(h + 34, 4, stride * height);
	le_put(h + 38, 4, 11811);
	le_put(h + 42, 4, 11811);
	le_put(h + 46, 4, colours);
}

static bool
bmp24_write(FILE *f, const uint8_t *bgrx, unsigned width, unsigned height)
{
	static const uint8_t padding[3];
	uint8_t header[54];
	unsigned pad = (4 - width * 3 % 4) % 4;
	bmp_header_build(header, width, height, 24, 0);
	bool good = fwrite(header, sizeof(header), 1, f) == 1;
	for (unsigned y = height; y-- > 0;) {
		for (unsigned x = 0; x < width; x++)
			good &= fwrite(bgrx + ((size_t)y * width + x) * 4, 3, 1, f) == 1;
		good &= fwrite(padding, 1, pad, f) == pad;
	}
	return good;
}

struct shade {
	unsigned count, key; /* key: 5 bits each of blue, green, red */
	unsigned sum[3];
};

static unsigned
shade_key(const uint8_t *bgrx)
{
	return (unsigned)(bgrx[0] >> 3) << 10 | (unsigned)(bgrx[1] >> 3) << 5 | bgrx[2] >> 3;
}

static int
shade_compare(const void *a, const void *b)
{
	const struct shade *x = a, *y = b;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x->key < y->key ? -1 : x->key > y->key;
}

/* The means of the 256 most frequent groups of colours. */
static void
palette_choose(uint8_t palette[256][4], const uint8_t *bgrx, size_t pixels, struct shade *shades)
{
	for (unsigned i = 0; i < 32768; i++)
		shades[i] = (struct shade){.key = i};
	for (size_t i = 0; i < pixels; i++) {
		struct shade *s = &shades[shade_key(bgrx + 4 * i)];
		s->count++;
		for (unsigned k = 0; k < 3; k++)
			s->sum[k] += bgrx[4 * i + k];
	}
	qsort(shades, 32768, sizeof(*shades), shade_compare);
	for (unsigned i = 0; i < 256; i++) {
		for (unsigned k = 0; k < 3; k++)
			palette[i][k] =
				(uint8_t)(shades[i].count ? shades[i].sum[k] / shades[i].count : 0);
		palette[i][3] = 0;
	}
}

static uint8_t
palette_nearest(uint8_t palette[256][4], const uint8_t *bgrx)
{
	unsigned best = 0, best_distance = ~0u;
	for (unsigned i = 0; i < 256; i++) {
		unsigned distance = 0;
		for (unsigned k = 0; k < 3; k++) {
			int d = palette[i][k] - bgrx[k];
			distance += (unsigned)(d * d);
		}
		if (distance < best_distance) {
			best_distance = distance;
			best = i;
		}
	}
	return (uint8_t)best;
}

/* The width must be a multiple of four. */
static bool
bmp8_write(FILE *f, const uint8_t *bgrx, unsigned width, unsigned height)
{
	uint8_t header[54], palette[256][4];
	struct shade *shades = calloc(32768, sizeof(*shades));
	if (!shades)
		return false;
	palette_choose(palette, bgrx, (size_t)width * height, shades);
	free(shades);
	bmp_header_build(header, width, height, 8, 256);
	bool good = fwrite(header, sizeof(header), 1, f) == 1 &&
		    fwrite(palette, sizeof(palette), 1, f) == 1;
	for (unsigned y = height; y-- > 0;)
		for (unsigned x = 0; x < width; x++)
			good &= fputc(palette_nearest(palette, bgrx + ((size_t)y * width + x) * 4),
					f) != EOF;
	return good;
}

static const struct photo_form {
	const char *suffix;
	unsigned width; /* height = width * 5 / 4 */
	bool (*write)(FILE *f, const uint8_t *bgrx, unsigned width, unsigned height);
} jpeg_form = {"jpg", JPEG_WIDTH, jpeg_write}, bmp24_form = {"bmp", BMP24_WIDTH, bmp24_write},
  bmp8_form = {"bmp", BMP8_WIDTH, bmp8_write};

static bool
photo_write(const char *dir, const struct person *p, unsigned index)
{
	const struct photo_form *form = index % 20 == 8   ? &bmp24_form
					: index % 10 == 6 ? &bmp8_form
							  : &jpeg_form;
	unsigned height = form->width * 5 / 4;
	char path[PATH_LEN];
	struct stat st;
	snprintf(path, sizeof(path), "%s/photos/%s.%s", dir, p->value[0], form->suffix);
	uint8_t *pixels = portrait_draw(p, index, form->width, height);
	FILE *f = fopen(path, "we");
	bool good = pixels && f && form->write(f, pixels, form->width, height);
	good = f && fclose(f) == 0 && good;
	free(pixels);
	good = good && stat(path, &st) == 0 && st.st_size <= PHOTO_MAX_BYTES;
	if (!good)
		fprintf(stderr, "cardspool-sample: %s: cannot be written within %d bytes\n", path,
			PHOTO_MAX_BYTES);
	return good;
}

static bool
sample_write(const char *dir, struct person *people, unsigned n)
{
	char path[PATH_LEN];
	iconv_t gbk = iconv_open("GBK", "UTF-8");
	bool good = gbk != (iconv_t)-1;
	snprintf(path, sizeof(path), "%s/photos", dir);
	if ((mkdir(dir, 0777) != 0 && errno != EEXIST) ||
		(mkdir(path, 0777) != 0 && errno != EEXIST)) {
		perror(path);
		good = false;
	}
	for (unsigned i = 0; good && i < n; i++) {
		person_invent(&people[i], i);
		good = person_check(gbk, &people[i], i + 1) && photo_write(dir, &people[i], i);
	}
	if (gbk != (iconv_t)-1)
		iconv_close(gbk);
	snprintf(path, sizeof(path), "%s/roster.csv", dir);
	if (good && !roster_write(path, people, n)) {
		perror(path);
		good = false;
	}
	return good;
}

int
main(int argc, char **argv)
{
	char *end = NULL;
	unsigned long n = argc == 3 ? strtoul(argv[2], &end, 10) : PEOPLE;
	if (argc < 2 || argc > 3 || (end && *end) || n < 1 || n > 20000 ||
		strlen(argv[1]) > PATH_LEN - 64) {
		fprintf(stderr, "usage: cardspool-sample DIR [NUMBER OF PEOPLE, 1 to 20000]\n");
		return 64;
	}
	struct person *people = calloc(n, sizeof(*people));
	bool good = people && sample_write(argv[1], people, (unsigned)n);
	free(people);
	return good ? 0 : 74;
}
