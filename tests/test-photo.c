/*
 * test-photo.c - probe, rules and decoding of photos. Pictures are made in memory; the expected
 * pixels follow from the BMP format and are written down by hand.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/data.h"

#include <png.h>

static void
png_append(png_structp png, png_bytep bytes, size_t len)
{
	assert_int_equal(buf_append(png_get_io_ptr(png), bytes, len, NULL), 0);
}

static uint32_t
pixel(const struct photo *p, unsigned x, unsigned y)
{
	uint32_t word;

	memcpy(&word, p->pixels + ((size_t)y * p->width + x) * 4, sizeof word);
	return word & 0xffffff;
}

/* 9 x 2 pixels, the top left one red or of palette index 1, all others black or index 0. */
static void
bmp_depths(void **state)
{
	static const struct {
		unsigned bits;
		int height;
		uint32_t corner;
	} rows[] = {
		{1, 2, 0xffffff},
		{1, -2, 0xffffff},
		{4, 2, 0x111111},
		{8, 2, 0x010101},
		{24, 2, 0xff0000},
		{24, -2, 0xff0000},
		{32, 2, 0xff0000},
		{32, -2, 0xff0000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf bmp;
		struct photo p;
		unsigned w, h;
		struct err e = {0};
		buf_init(&bmp, 65536);
		size_t at = bmp_make(&bmp, 9, rows[i].height, rows[i].bits);
		size_t stride = (9 * rows[i].bits + 31) / 32 * 4;
		uint8_t *top = bmp.data + at + (rows[i].height > 0 ? stride : 0);
		if (rows[i].bits >= 24)
			top[2] = 0xff;
		else
			top[0] = (uint8_t)(1u << (8 - rows[i].bits));
		assert_int_equal(photo_probe(bmp.data, bmp.len, &w, &h, &e), 0);
		assert_int_equal(w, 9);
		assert_int_equal(h, 2);
		if (photo_decode(&p, bmp.data, bmp.len, 0, 0, &e))
			fail_msg("%u bits: %s", rows[i].bits, e.text);
		assert_int_equal(pixel(&p, 0, 0), rows[i].corner);
		assert_int_equal(pixel(&p, 1, 0), 0);
		assert_int_equal(pixel(&p, 0, 1), 0);
		assert_int_equal(pixel(&p, 8, 1), 0);
		photo_done(&p);
		/* One byte less is a picture cut off. */
		assert_int_equal(photo_probe(bmp.data, bmp.len - 1, &w, &h, &e), ERR_INPUT);
		buf_done(&bmp);
	}
}

static void
bmp_that_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
		unsigned n;
		const char *says;
	} rows[] = {
		{30, 1, 4, "RLE"},
		{30, 3, 4, "rare kind"},
		{30, 4, 4, "rare kind"},
		{28, 16, 2, "16 bits"},
		{28, 0, 2, "0 bits"},
		{18, 0, 4, "0 x"},
		{18, 0x7fffffff, 4, "claims to be"},
		{22, 0x80000000u, 4, "claims to be"},
		{10, 0xfffffff0u, 4, "damaged"},
		{10, 20, 4, "damaged"},
		{14, 39, 4, "damaged"},
		{14, 0xffffffffu, 4, "damaged"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf bmp;
		unsigned w, h;
		struct err e = {0};
		buf_init(&bmp, 65536);
		bmp_make(&bmp, 9, 2, 24);
		le_store(bmp.data + rows[i].at, rows[i].value, rows[i].n);
		assert_int_equal(photo_probe(bmp.data, bmp.len, &w, &h, &e), ERR_INPUT);
		if (!strstr(e.text, rows[i].says))
			fail_msg("row %zu: %s", i, e.text);
		buf_done(&bmp);
	}
}

static void
jpeg_is_scaled_down(void **state)
{
	static const struct {
		unsigned want_w, want_h, width, height;
	} rows[] = {
		{240, 300, 240, 300},
		{0, 0, 60, 75},     /* 1/8 */
		{61, 75, 120, 150}, /* 2/8 */
		{5000, 5000, 480, 600},
	};
	struct buf jpeg;

	(void)state;
	buf_init(&jpeg, PHOTO_FILE_MAX);
	jpeg_make(&jpeg, 480, 600, 80, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct photo p;
		assert_int_equal(
			photo_decode(&p, jpeg.data, jpeg.len, rows[i].want_w, rows[i].want_h, NULL),
			0);
		assert_int_equal(p.width, rows[i].width);
		assert_int_equal(p.height, rows[i].height);
		assert_true((pixel(&p, 3, 3) & 0xff) >= 245);
		photo_done(&p);
	}
	buf_done(&jpeg);
}

static void
jpeg_that_is_refused(void **state)
{
	struct buf jpeg;
	struct photo p;
	unsigned w, h;
	struct err e = {0};

	(void)state;
	buf_init(&jpeg, PHOTO_FILE_MAX);
	jpeg_make(&jpeg, 240, 300, 80, 50);
	/* The second half is missing: the header is good, the face is not. */
	assert_int_equal(photo_probe(jpeg.data, jpeg.len / 2, &w, &h, &e), 0);
	assert_int_equal(photo_decode(&p, jpeg.data, jpeg.len / 2, 0, 0, &e), ERR_INPUT);
	assert_null(p.pixels);
	assert_non_null(strstr(e.text, "damaged"));
	assert_int_equal(photo_probe(jpeg.data, 20, &w, &h, &e), ERR_INPUT);
	/* The header claims 65 500 x 65 500: refused before a byte is decoded. */
	for (size_t i = 0; i + 9 < jpeg.len; i++)
		if (jpeg.data[i] == 0xff && jpeg.data[i + 1] == 0xc0) {
			memcpy(jpeg.data + i + 5, "\xff\xdc\xff\xdc", 4);
			break;
		}
	assert_int_equal(photo_decode(&p, jpeg.data, jpeg.len, 0, 0, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "65500 x 65500"));
	buf_done(&jpeg);
}

static void
not_a_photo(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *says;
	} rows[] = {
		{"", 0, "empty"},
		{"hello world", 11, "neither"},
		{"\x89PNG\r\n\x1a\n", 8, "damaged"},
		{"GIF89a", 6, "GIF"},
		{"RIFF....WEBP", 12, "WebP"},
		{"\0\0\0\x18"
		 "ftypheic",
			12, "HEIC"},
		{"II*\0", 4, "TIFF"},
		{"BM", 2, "damaged"},
		{"\xff\xd8\xff", 3, "damaged"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned w, h;
		struct err e = {0};
		assert_int_equal(
			photo_probe((const uint8_t *)rows[i].bytes, rows[i].len, &w, &h, &e),
			ERR_INPUT);
		if (!strstr(e.text, rows[i].says))
			fail_msg("row %zu: %s", i, e.text);
	}
}

/* A PNG that libpng writes: kind is PNG_COLOR_TYPE_*; the top left pixel is red (or light), the
 * next one half transparent where there is an alpha channel, all others black. */
static void
png_make(struct buf *out, unsigned width, unsigned height, int depth, int kind, bool interlaced)
{
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png_create_info_struct(png);
	static const png_color palette[2] = {{0, 0, 0}, {255, 0, 0}};
	uint8_t *row = calloc(width, 8);

	png_set_write_fn(png, out, png_append, NULL);
	png_set_IHDR(png, info, width, height, depth, kind,
		interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, 0, 0);
	if (kind == PNG_COLOR_TYPE_PALETTE)
		png_set_PLTE(png, info, palette, 2);
	png_write_info(png, info);
	unsigned channels = png_get_channels(png, info), bytes = (unsigned)depth / 8;
	for (int pass = png_set_interlace_handling(png); pass > 0; pass--)
		for (unsigned y = 0; y < height; y++) {
			memset(row, 0, (size_t)width * 8);
			if (!bytes)
				row[0] = y ? 0 : (uint8_t)(1u << (8 - depth));
			else if (!y)
				memset(row, kind == PNG_COLOR_TYPE_PALETTE ? 1 : 0xff, bytes);
			for (unsigned x = 0; kind & PNG_COLOR_MASK_ALPHA && x < width; x++)
				memset(row + ((x + 1) * channels - 1) * bytes,
					x == 1 && !y ? 0x80 : 0xff, bytes);
			png_write_row(png, row);
		}
	png_write_end(png, NULL);
	png_destroy_write_struct(&png, &info);
	free(row);
}

static void
png_kinds(void **state)
{
	static const struct {
		int depth, kind;
		bool interlaced;
		uint32_t corner, second;
	} rows[] = {
		{8, PNG_COLOR_TYPE_RGB, false, 0xff0000, 0},
		{8, PNG_COLOR_TYPE_RGB, true, 0xff0000, 0},
		{16, PNG_COLOR_TYPE_RGB, false, 0xff0000, 0},
		{8, PNG_COLOR_TYPE_GRAY, false, 0xffffff, 0},
		{1, PNG_COLOR_TYPE_GRAY, false, 0xffffff, 0},
		{4, PNG_COLOR_TYPE_PALETTE, false, 0xff0000, 0},
		{8, PNG_COLOR_TYPE_PALETTE, true, 0xff0000, 0},
		/* 128 of 255 opaque: 255 * 127 / 255 of the white card shows. */
		{8, PNG_COLOR_TYPE_RGB_ALPHA, false, 0xff0000, 0x7f7f7f},
		{16, PNG_COLOR_TYPE_GRAY_ALPHA, false, 0xffffff, 0x7f7f7f},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf png;
		struct photo p;
		unsigned w, h;
		struct err e = {0};
		buf_init(&png, 65536);
		png_make(&png, 9, 5, rows[i].depth, rows[i].kind, rows[i].interlaced);
		assert_string_equal(photo_suffix(png.data, png.len), "png");
		assert_int_equal(photo_probe(png.data, png.len, &w, &h, &e), 0);
		assert_int_equal(w, 9);
		assert_int_equal(h, 5);
		if (photo_decode(&p, png.data, png.len, 1, 1, &e))
			fail_msg("row %zu: %s", i, e.text);
		assert_int_equal(pixel(&p, 0, 0), rows[i].corner);
		assert_int_equal(pixel(&p, 1, 0), rows[i].second);
		assert_int_equal(pixel(&p, 0, 1), 0);
		assert_int_equal(pixel(&p, 8, 4), 0);
		photo_done(&p);
		for (size_t cut = 0; cut < png.len; cut++) {
			uint8_t *part = malloc(cut ? cut : 1);
			memcpy(part, png.data, cut);
			assert_int_equal(photo_decode(&p, part, cut, 1, 1, &e), ERR_INPUT);
			assert_null(p.pixels);
			free(part);
		}
		buf_done(&png);
	}
}

/* Width and height in the header are another's: refused before anything is unpacked. */
static void
png_that_is_refused(void **state)
{
	static const struct {
		uint32_t width, height;
		const char *says;
	} rows[] = {
		{0, 5, "0 x 5"}, {9, 0, "9 x 0"}, {100000, 5, "100000 x 5"},
		{100000, 100000, "100000 x 100000"}, {9999, 9999, "9999 x 9999"},
		{0x80000000u, 1, "2147483648 x 1"}, {10, 5, "damaged"}, /* the CRC of the header */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf png;
		struct photo p;
		struct err e = {0};
		buf_init(&png, 65536);
		png_make(&png, 9, 5, 8, PNG_COLOR_TYPE_RGB, false);
		for (int byte = 0; byte < 4; byte++) {
			png.data[16 + byte] = (uint8_t)(rows[i].width >> (24 - 8 * byte));
			png.data[20 + byte] = (uint8_t)(rows[i].height >> (24 - 8 * byte));
		}
		assert_int_equal(photo_decode(&p, png.data, png.len, 1, 1, &e), ERR_INPUT);
		if (!strstr(e.text, rows[i].says))
			fail_msg("row %zu: %s", i, e.text);
		buf_done(&png);
	}
}

static void
formats(void **state)
{
	struct schema *s = schema_special();
	struct buf png;
	struct err e = {0};

	(void)state;
	buf_init(&png, 65536);
	png_make(&png, 40, 50, 8, PNG_COLOR_TYPE_RGB, false);
	assert_int_equal(s->photo_formats, PHOTO_JPEG | PHOTO_BMP);
	assert_int_equal(photo_check(s, png.data, png.len, NULL, &e), ERR_INPUT);
	assert_non_null(
		strstr(e.text, "PNG file, which this card product does not take; save it as JPEG"));
	/* Asked to make it fit, it becomes what is allowed. */
	s->photo_fit = true;
	assert_int_equal(photo_fit_check(s, &png, NULL, &e), 0);
	assert_string_equal(photo_suffix(png.data, png.len), "jpg");
	buf_done(&png);
	buf_init(&png, 65536);
	png_make(&png, 40, 50, 8, PNG_COLOR_TYPE_RGB, false);
	s->photo_fit = false;
	s->photo_formats = 0;
	assert_int_equal(photo_check(s, png.data, png.len, NULL, &e), 0);
	buf_done(&png);
	schema_destroy(s);
}

/* A box of side 2 n + 1 in both directions, three times: nearly a Gauss of sigma sqrt(n (n + 1)).
 */
static void
photo_blur(struct photo *p, int n)
{
	size_t len = (size_t)p->width * p->height * 4;
	uint8_t *from = malloc(len);

	for (int pass = 0; pass < 6; pass++) {
		memcpy(from, p->pixels, len);
		for (int y = 0; y < (int)p->height; y++)
			for (int x = 0; x < (int)p->width * 4; x++) {
				int sum = 0;
				for (int i = -n; i <= n; i++) {
					int u = pass & 1 ? x : x + 4 * i, v = pass & 1 ? y + i : y;
					u = u < 0                    ? x % 4
					    : u >= (int)p->width * 4 ? (int)p->width * 4 - 4 + x % 4
								     : u;
					v = v < 0                 ? 0
					    : v >= (int)p->height ? (int)p->height - 1
								  : v;
					sum += from[(size_t)v * p->width * 4 + (size_t)u];
				}
				p->pixels[(size_t)y * p->width * 4 + (size_t)x] =
					(uint8_t)(sum / (2 * n + 1));
			}
	}
	free(from);
}

static unsigned
noise_add(struct photo *p)
{
	uint32_t seed = 1;

	for (size_t i = 0; i < (size_t)p->width * p->height * 4; i++) {
		seed = seed * 1664525 + 1013904223;
		int value = p->pixels[i] + (int)(seed >> 30) - 2;
		p->pixels[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
	}
	return photo_sharpness(p);
}

static void
sharpness(void **state)
{
	static const char *const names[] = {
		"0002.JPG", "0003.jpeg", "0004.jpg", "T110105199003070017.jpg"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[1024], name[128];
		struct buf bytes;
		struct photo p;
		struct err e = {0};
		snprintf(name, sizeof name, "tests/data/photos/%s", names[i]);
		source_path(path, sizeof path, name);
		buf_init(&bytes, PHOTO_FILE_MAX);
		assert_int_equal(file_read(&bytes, path, PHOTO_FILE_MAX, &e), 0);
		assert_int_equal(photo_decode(&p, bytes.data, bytes.len, 10000, 10000, &e), 0);
		unsigned sharp = photo_sharpness(&p);
		photo_blur(&p, 2); /* sigma 2.4 of 300 */
		unsigned soft = photo_sharpness(&p), noisy = noise_add(&p);
		if (sharp < 12 || soft >= 6 || noisy >= 6)
			fail_msg("%s: %u, blurred %u, with noise %u", names[i], sharp, soft, noisy);
		photo_done(&p);
		buf_done(&bytes);
	}
	/* Nothing to judge: a plain picture, and one of a few pixels. */
	for (unsigned side = 1; side < 64; side += 31) {
		struct photo p = {side, side, calloc((size_t)side * side, 4)};
		assert_int_equal(photo_sharpness(&p), 1000);
		photo_done(&p);
	}
}

static void
rules(void **state)
{
	static const struct {
		unsigned width, height, noise;
		const char *says;
	} rows[] = {
		{240, 300, 0, NULL},
		{241, 301, 0, NULL}, /* 301.25 rounded */
		{242, 303, 0, NULL}, /* 302.5 rounded up */
		{242, 302, 0, NULL}, /* and down */
		{240, 302, 0, "Crop it to 240 wide and 300 high"},
		{240, 298, 0, "Crop it to 238 wide and 298 high"},
		{300, 240, 0, "must be 5:4"},
		{800, 1000, 80, "at most 20480"},
	};
	struct schema *s = schema_special();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf jpeg;
		struct err e = {0};
		buf_init(&jpeg, PHOTO_FILE_MAX);
		jpeg_make(&jpeg, rows[i].width, rows[i].height, 90, rows[i].noise);
		int rc = photo_check(s, jpeg.data, jpeg.len, NULL, &e);
		assert_int_equal(rc, rows[i].says ? ERR_INPUT : 0);
		if (rows[i].says && !strstr(e.text, rows[i].says))
			fail_msg("row %zu: %s", i, e.text);
		buf_done(&jpeg);
	}
	schema_destroy(s);
}

/* Exactly 20 KB passes, one byte more does not; what follows the picture in a BMP file does not
 * matter. */
static void
twenty_kilobytes(void **state)
{
	struct schema *s = schema_special();
	struct buf bmp;
	struct err e = {0};
	static const uint8_t zero[1024];

	(void)state;
	buf_init(&bmp, 65536);
	size_t at = bmp_make(&bmp, 72, 90, 24);
	memset(bmp.data + at, 0xff, bmp.len - at);
	assert_int_equal(buf_append(&bmp, zero, 20480 - bmp.len, NULL), 0);
	assert_int_equal(photo_check(s, bmp.data, bmp.len, NULL, &e), 0);
	assert_int_equal(buf_append(&bmp, zero, 1, NULL), 0);
	assert_int_equal(photo_check(s, bmp.data, bmp.len, NULL, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "20481 bytes"));
	buf_done(&bmp);
	schema_destroy(s);
}

static void
grounds(void **state)
{
	static const struct {
		uint8_t blue, green, red;
		bool good;
	} rows[] = {
		{255, 255, 255, true},
		{230, 235, 240, true},
		{219, 142, 67, true},
		{139, 0, 0, true},
		{40, 40, 200, false},
		{60, 160, 60, false},
		{90, 90, 90, false},
		{0, 0, 0, false},
	};
	struct schema *s = schema_special();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf bmp;
		struct err e = {0}, warning;
		buf_init(&bmp, 65536);
		size_t at = bmp_make(&bmp, 40, 50, 24);
		for (size_t p = at; p < bmp.len; p += 3) {
			bmp.data[p] = rows[i].blue;
			bmp.data[p + 1] = rows[i].green;
			bmp.data[p + 2] = rows[i].red;
		}
		assert_int_equal(photo_check(s, bmp.data, bmp.len, &warning, &e), 0);
		if (rows[i].good)
			assert_string_equal(warning.text, "");
		else
			assert_non_null(strstr(warning.text, "does not look white or blue"));
		assert_int_equal(warning.code, ERR_NONE);
		s->photo_ground_strict = true;
		assert_int_equal(photo_check(s, bmp.data, bmp.len, &warning, &e),
			rows[i].good ? 0 : ERR_INPUT);
		assert_string_equal(warning.text, "");
		if (!rows[i].good)
			assert_non_null(strstr(e.text, "is not white or blue"));
		s->photo_grounds = 0;
		assert_int_equal(photo_check(s, bmp.data, bmp.len, NULL, &e), 0);
		s->photo_grounds = PHOTO_WHITE | PHOTO_BLUE;
		s->photo_ground_strict = false;
		buf_done(&bmp);
	}
	schema_destroy(s);
}

/* The stored picture is "ABC" over "DEF"; how it is seen for each orientation follows from
 * EXIF 2.3, table 6. */
static void
turned_upright(void **state)
{
	static const char *const seen[9] = {[1] = "ABC/DEF",
		[2] = "CBA/FED",
		[3] = "FED/CBA",
		[4] = "DEF/ABC",
		[5] = "AD/BE/CF",
		[6] = "DA/EB/FC",
		[7] = "FC/EB/DA",
		[8] = "CF/BE/AD"};

	(void)state;
	for (unsigned n = 1; n <= 8; n++) {
		struct photo p = {3, 2, malloc(3 * 2 * 4)};
		char text[16];
		size_t at = 0;
		for (uint32_t i = 0; i < 6; i++) {
			uint32_t word = 'A' + i;
			memcpy(p.pixels + 4 * i, &word, 4);
		}
		assert_int_equal(photo_turn(&p, n, NULL), 0);
		for (unsigned y = 0; y < p.height; y++) {
			for (unsigned x = 0; x < p.width; x++)
				text[at++] = (char)pixel(&p, x, y);
			text[at++] = y + 1 < p.height ? '/' : '\0';
		}
		assert_string_equal(text, seen[n]);
		photo_done(&p);
	}
}

static void
orientation_is_found(void **state)
{
	static const uint8_t little[] = {0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xe1, 0, 34, 'E',
		'x', 'i', 'f', 0, 0, 'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0,
		6, 0, 0, 0, 0, 0, 0, 0};
	static const uint8_t big[] = {0xff, 0xd8, 0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0, 0, 'M',
		'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0};
	uint8_t copy[sizeof little];
	uint64_t seed = 7;

	(void)state;
	assert_int_equal(photo_orientation(little, sizeof little), 6);
	assert_int_equal(photo_orientation(big, sizeof big), 8);
	for (size_t cut = 0; cut < sizeof little - 8; cut++) {
		uint8_t *short_one = malloc(cut ? cut : 1); /* the sanitizers see a step too far */
		memcpy(short_one, little, cut);
		assert_int_equal(photo_orientation(short_one, cut), 1);
		free(short_one);
	}
	for (unsigned round = 0; round < 5000; round++) {
		memcpy(copy, little, sizeof copy);
		for (int i = 0; i < 3; i++) {
			seed = seed * 6364136223846793005U + 1442695040888963407U;
			copy[2 + (seed >> 33) % (sizeof copy - 2)] = (uint8_t)(seed >> 20);
		}
		assert_in_range(photo_orientation(copy, sizeof copy), 1, 8);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bmp_depths),
		cmocka_unit_test(bmp_that_is_refused),
		cmocka_unit_test(jpeg_is_scaled_down),
		cmocka_unit_test(jpeg_that_is_refused),
		cmocka_unit_test(not_a_photo),
		cmocka_unit_test(png_kinds),
		cmocka_unit_test(png_that_is_refused),
		cmocka_unit_test(formats),
		cmocka_unit_test(sharpness),
		cmocka_unit_test(rules),
		cmocka_unit_test(twenty_kilobytes),
		cmocka_unit_test(grounds),
		cmocka_unit_test(turned_upright),
		cmocka_unit_test(orientation_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
