/*
 * data.h - what the tests of floor 1's data share: the committed template and roster, pictures made
 * in memory, scratch folders.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_TESTS_DATA_H
#define CARDSPOOL_TESTS_DATA_H

#include "filters/card.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <jpeglib.h>

static inline void
source_path(char *out, size_t max, const char *name)
{
	const char *srcdir = getenv("srcdir");

	snprintf(out, max, "%s/%s", srcdir ? srcdir : ".", name);
}

static inline struct schema *
schema_special(void)
{
	char path[1024];
	struct schema *s = NULL;
	struct err e = {0};

	source_path(path, sizeof path, "templates/special-operation/record.schema");
	if (schema_load(&s, path, &e))
		fail_msg("%s", e.text);
	return s;
}

/* A JPEG of plain colour and noise, so that quality changes its size. */
static inline void
jpeg_make(struct buf *out, unsigned width, unsigned height, int quality, unsigned noise)
{
	struct jpeg_compress_struct c;
	struct jpeg_error_mgr errors;
	unsigned char *bytes = NULL;
	unsigned long len = 0;
	unsigned seed = 1;
	JSAMPLE *row = malloc((size_t)width * 3);
	assert_non_null(row);

	c.err = jpeg_std_error(&errors);
	jpeg_create_compress(&c);
	jpeg_mem_dest(&c, &bytes, &len);
	c.image_width = width;
	c.image_height = height;
	c.input_components = 3;
	c.in_color_space = JCS_RGB;
	jpeg_set_defaults(&c);
	jpeg_set_quality(&c, quality, TRUE);
	jpeg_start_compress(&c, TRUE);
	while (c.next_scanline < height) {
		for (unsigned i = 0; i < width * 3; i++) {
			seed = seed * 1103515245u + 12345u;
			row[i] = (JSAMPLE)(250 - (noise ? (seed >> 16) % noise : 0));
		}
		jpeg_write_scanlines(&c, &row, 1);
	}
	jpeg_finish_compress(&c);
	jpeg_destroy_compress(&c);
	assert_int_equal(buf_append(out, bytes, len, NULL), 0);
	free(bytes);
	free(row);
}

static inline void
le_store(uint8_t *out, uint32_t value, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		out[i] = (uint8_t)(value >> (8 * i));
}

/* A BMP with a header of 40 bytes; pixel bytes are 00 for the caller to set. Returns their offset.
 */
static inline size_t
bmp_make(struct buf *out, unsigned width, int height, unsigned bits)
{
	unsigned lines = height < 0 ? (unsigned)-height : (unsigned)height;
	unsigned colours = bits <= 8 ? 1u << bits : 0;
	size_t stride = (width * bits + 31) / 32 * 4, at = 54 + 4 * colours;
	uint8_t *bytes = calloc(1, at + stride * lines);

	assert_non_null(bytes);
	memcpy(bytes, "BM", 2);
	le_store(bytes + 2, (uint32_t)(at + stride * lines), 4);
	le_store(bytes + 10, (uint32_t)at, 4);
	le_store(bytes + 14, 40, 4);
	le_store(bytes + 18, width, 4);
	le_store(bytes + 22, (uint32_t)height, 4);
	le_store(bytes + 26, 1, 2);
	le_store(bytes + 28, bits, 2);
	for (unsigned i = 0; i < colours; i++)
		memset(bytes + 54 + 4 * i, (int)(i * 255 / (colours - 1)), 3);
	assert_int_equal(buf_append(out, bytes, at + stride * lines, NULL), 0);
	free(bytes);
	return at;
}

static inline void
scratch_create(char out[64])
{
	snprintf(out, 64, "%s", "/tmp/cardspool-test.XXXXXX");
	assert_non_null(mkdtemp(out));
}

static inline void
scratch_write(const char *folder, const char *name, const void *bytes, size_t len)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	assert_int_equal(file_write(path, bytes, len, 0600, NULL), 0);
}

#endif
