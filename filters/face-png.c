/*
 * face-png.c - faces as a PNG picture, for people.
 *
 * Owns nothing but the picture's layout: the faces below each other with a gap. Guarantees: every
 * pixel is what face_to_rgb says. On failure out keeps what it held. Linked into the command line
 * only.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/card.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 24, GAP_GRAY = 0xe8, DPI_TO_DPM_1000 = 39370 };

struct sheet {
	uint8_t *rgb; /* 3 bytes a pixel */
	unsigned w, h;
};

struct png_sink {
	struct buf *out;
	struct err *e;
	int rc;
};

static int
sheet_add(struct sheet *s, const struct face *face, struct err *e)
{
	uint8_t *pixels;
	unsigned w, h, gap = s->h ? GAP : 0;
	int rc = face_to_rgb(face, &pixels, &w, &h, e);

	if (rc)
		return rc;
	if (s->h && w != s->w) {
		free(pixels);
		return err_set(e, ERR_INTERNAL, _("The sides differ in size."));
	}
	uint8_t *rgb = realloc(s->rgb, 3 * (size_t)w * (s->h + gap + h));
	if (!rgb) {
		free(pixels);
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	}
	memset(rgb + 3 * (size_t)w * s->h, GAP_GRAY, 3 * (size_t)w * gap);
	uint8_t *to = rgb + 3 * (size_t)w * (s->h + gap);
	for (size_t i = 0; i < (size_t)w * h; i++) {
		uint32_t word;
		memcpy(&word, pixels + 4 * i, 4);
		*to++ = (uint8_t)(word >> 16);
		*to++ = (uint8_t)(word >> 8);
		*to++ = (uint8_t)word;
	}
	free(pixels);
	s->rgb = rgb;
	s->w = w;
	s->h += gap + h;
	return 0;
}

static void
png_append(png_structp png, png_bytep bytes, png_size_t len)
{
	struct png_sink *sink = png_get_io_ptr(png);

	if ((sink->rc = buf_append(sink->out, bytes, len, sink->e)))
		png_error(png, "full");
}

static void
png_no_flush(png_structp png)
{
	(void)png;
}

static void
png_failed(png_structp png, png_const_charp message)
{
	(void)message;
	longjmp(png_jmpbuf(png), 1);
}

static void
png_warned(png_structp png, png_const_charp message)
{
	(void)png;
	(void)message;
}

static int
sheet_write(const struct sheet *s, unsigned dpi, struct png_sink *sink)
{
	png_structp png =
		png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, png_failed, png_warned);
	png_infop info = png ? png_create_info_struct(png) : NULL;

	if (!info || setjmp(png_jmpbuf(png))) {
		if (!sink->rc)
			sink->rc = err_set(sink->e, ERR_SYSTEM, _("The picture cannot be made."));
		png_destroy_write_struct(&png, &info);
		return sink->rc;
	}
	png_set_write_fn(png, sink, png_append, png_no_flush);
	png_set_IHDR(png, info, s->w, s->h, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
		PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	png_uint_32 dpm = (png_uint_32)(((uint64_t)dpi * DPI_TO_DPM_1000 + 500) / 1000);
	png_set_pHYs(png, info, dpm, dpm, PNG_RESOLUTION_METER);
	png_write_info(png, info);
	for (unsigned y = 0; y < s->h; y++)
		png_write_row(png, s->rgb + 3 * (size_t)y * s->w);
	png_write_end(png, info);
	png_destroy_write_struct(&png, &info);
	return 0;
}

int
face_png_build(
	struct buf *out, const struct face *const *faces, size_t n, unsigned dpi, struct err *e)
{
	struct sheet sheet = {0};
	struct png_sink sink = {out, e, 0};
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i++)
		rc = sheet_add(&sheet, faces[i], e);
	if (!rc)
		rc = sheet_write(&sheet, dpi, &sink);
	free(sheet.rgb);
	return rc;
}
