/*
 * photo-png.c - PNG photos through libpng.
 *
 * Guarantees: the size is known from the header, and a picture of absurd size is refused, before a
 * pixel is unpacked; what is packed into comments and profiles is never unpacked; a damaged picture
 * is an error. What is transparent shows white, as the card does. On failure the caller frees what
 * out holds.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/photo-png.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/*
 * 0 signature (8) | 8 length of the first chunk, 13  12 "IHDR"  16 width  20 height  24 depth
 * 25 colour type  26 ... 28  29 CRC | further chunks. Big-endian.
 */
enum { PNG_HEAD = 33, CHUNK_BYTES_MAX = 256 * 1024, CHUNKS_MAX = 64 };

static const uint8_t head[16] = {
	0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13, 'I', 'H', 'D', 'R'};

struct png {
	const uint8_t *at, *end;
	uint8_t **rows;
	char words[80]; /* libpng's */
};

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int
png_damaged(const char *words, struct err *e)
{
	err_set(e, ERR_INPUT, _("the PNG photo is damaged or cut off; save it again."));
	err_raw(e, words, strlen(words));
	return ERR_INPUT;
}

int
png_probe(const uint8_t *bytes, size_t len, unsigned *width, unsigned *height, struct err *e)
{
	if (len < PNG_HEAD || memcmp(bytes, head, sizeof head))
		return png_damaged("IHDR", e);
	*width = be32(bytes + 16);
	*height = be32(bytes + 20);
	return 0;
}

static void
png_read(png_structp handle, png_bytep out, size_t n)
{
	struct png *p = png_get_io_ptr(handle);

	if (n > (size_t)(p->end - p->at))
		png_error(handle, "the file ends early");
	memcpy(out, p->at, n);
	p->at += n;
}

static void
png_fail(png_structp handle, png_const_charp words)
{
	struct png *p = png_get_error_ptr(handle);
	size_t n = strnlen(words, sizeof p->words - 1);

	memcpy(p->words, words, n);
	p->words[n] = '\0';
	longjmp(*png_set_longjmp_fn(handle, longjmp, sizeof(jmp_buf)), 1);
}

static void
png_quiet(png_structp handle, png_const_charp words)
{
	(void)handle;
	(void)words;
}

/* Whatever the depth, palette or gray: 8 bits of blue, green, red and alpha. */
static void
png_transforms(png_structp handle)
{
	png_set_expand(handle);
	png_set_scale_16(handle);
	png_set_gray_to_rgb(handle);
	png_set_add_alpha(handle, 0xff, PNG_FILLER_AFTER);
	png_set_bgr(handle);
}

/* B G R A bytes to words on white. */
static void
row_flatten(uint8_t *row, unsigned width)
{
	for (unsigned x = 0; x < width; x++, row += 4) {
		uint32_t word = 0xff, alpha = row[3];
		for (int i = 2; i >= 0; i--) {
			uint32_t over = row[i] * alpha + 255 * (255 - alpha) + 127;
			word = word << 8 | over / 255;
		}
		memcpy(row, &word, sizeof word);
	}
}

/* Inside the caller's setjmp. */
static int
png_pixels(png_structp handle, png_infop info, struct photo *out, struct png *p, struct err *e)
{
	png_read_info(handle, info);
	out->width = png_get_image_width(handle, info);
	out->height = png_get_image_height(handle, info);
	int rc = photo_size_check(out->width, out->height, e);
	if (rc)
		return rc;
	png_transforms(handle);
	png_set_interlace_handling(handle);
	png_read_update_info(handle, info);
	size_t stride = (size_t)out->width * 4;
	if (png_get_rowbytes(handle, info) != stride)
		png_error(handle, "unexpected kind of pixels");
	out->pixels = malloc(stride * out->height);
	p->rows = calloc(out->height, sizeof *p->rows);
	if (!out->pixels || !p->rows)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	for (unsigned y = 0; y < out->height; y++)
		p->rows[y] = out->pixels + y * stride;
	png_read_image(handle, p->rows);
	png_read_end(handle, NULL);
	return 0;
}

int
png_decode(struct photo *out, const uint8_t *bytes, size_t len, struct err *e)
{
	struct png p = {.at = bytes, .end = bytes + len};
	unsigned w, h;
	int rc = png_probe(bytes, len, &w, &h, e);

	if (rc || (rc = photo_size_check(w, h, e)))
		return rc;
	png_structp handle = png_create_read_struct(PNG_LIBPNG_VER_STRING, &p, png_fail, png_quiet);
	png_infop info = handle ? png_create_info_struct(handle) : NULL;
	if (!info) {
		png_destroy_read_struct(&handle, NULL, NULL);
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	}
	png_set_user_limits(handle, PHOTO_SIDE_MAX, PHOTO_SIDE_MAX);
	png_set_chunk_malloc_max(handle, CHUNK_BYTES_MAX);
	png_set_chunk_cache_max(handle, CHUNKS_MAX);
	png_set_keep_unknown_chunks(handle, PNG_HANDLE_CHUNK_NEVER, NULL, 0);
	png_set_read_fn(handle, &p, png_read);
	if (setjmp(png_jmpbuf(handle)))
		rc = png_damaged(p.words, e);
	else
		rc = png_pixels(handle, info, out, &p, e);
	for (unsigned y = 0; !rc && y < out->height; y++)
		row_flatten(p.rows[y], out->width);
	png_destroy_read_struct(&handle, &info, NULL);
	free(p.rows);
	return rc;
}
