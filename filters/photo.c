/*
 * photo.c - BMP and JPEG photos: probe and decode; PNG is handed on to photo-png.c.
 *
 * Guarantees: size and kind are known from the header, and a picture of absurd size is refused,
 * before a pixel is decoded; a damaged picture is an error, never half a face. A camera's EXIF
 * orientation is obeyed. On failure nothing is handed out.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/photo-png.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#define JPEG_SCANS_MAX 100

/* What else people hand in, so that the message can name it. */
static const struct {
	const char *magic;
	size_t offset, len;
	const char *name;
} other_formats[] = {
	{"GIF8", 0, 4, "GIF"},
	{"II*\0", 0, 4, "TIFF"},
	{"MM\0*", 0, 4, "TIFF"},
	{"WEBP", 8, 4, "WebP"},
	{"ftyp", 4, 4, "HEIC"},
	{"%PDF", 0, 4, "PDF"},
};

const char *
photo_suffix(const uint8_t *bytes, size_t len)
{
	if (len >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff)
		return "jpg";
	if (len >= 2 && bytes[0] == 'B' && bytes[1] == 'M')
		return "bmp";
	if (len >= 4 && !memcmp(bytes, "\x89PNG", 4))
		return "png";
	return NULL;
}

static int
format_error(const uint8_t *bytes, size_t len, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(other_formats); i++)
		if (len >= other_formats[i].offset + other_formats[i].len &&
			!memcmp(bytes + other_formats[i].offset, other_formats[i].magic,
				other_formats[i].len))
			return err_set(e, ERR_INPUT,
				_("the photo is a %s file; save it as JPEG, PNG or BMP."),
				other_formats[i].name);
	if (!len)
		return err_set(e, ERR_INPUT, _("the photo is an empty file."));
	return err_set(e, ERR_INPUT, _("the photo is neither a JPEG nor a BMP nor a PNG picture."));
}

int
photo_size_check(unsigned width, unsigned height, struct err *e)
{
	if (width && height && width <= PHOTO_SIDE_MAX && height <= PHOTO_SIDE_MAX &&
		width <= PHOTO_PIXELS_MAX / height)
		return 0;
	return err_set(e, ERR_INPUT,
		width && height ? _("the photo claims to be %u x %u pixels; a photo of a face is "
				    "far smaller. Save it again.")
				: _("the photo claims to be %u x %u pixels and shows nothing. Save "
				    "it again."),
		width, height);
}

/* ---- BMP ----
 *
 *   0 "BM"  2 file size  10 offset of the pixels | 14 size of the header that follows (12: OS/2)
 *   18 width  22 height (negative: top line first)  26 planes  28 bits  30 compression
 *   46 colours in the palette | 54 masks (compression 3), else the palette, 4 bytes B G R 0 (OS/2:
 * 3) Little endian; lines are padded to 4 bytes, the bottom line comes first.
 */
struct bmp {
	unsigned width, height, bits;
	bool top_down;
	size_t pixels, stride, palette, colours, entry;
};

static unsigned
le16(const uint8_t *p)
{
	return p[0] | (unsigned)p[1] << 8;
}

static uint32_t
le32(const uint8_t *p)
{
	return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static int
bmp_damaged(struct err *e)
{
	return err_set(e, ERR_INPUT, _("the BMP photo is damaged or cut off; save it again."));
}

static int
bmp_compression(const uint8_t *bytes, size_t len, size_t header, unsigned bits, struct err *e)
{
	uint32_t compression = le32(bytes + 30);

	if (compression == 0)
		return 0;
	if (compression == 1 || compression == 2)
		return err_set(e, ERR_INPUT,
			_("the BMP photo is compressed (RLE); save it without compression."));
	/* Masks: behind a header of 40 bytes, inside a longer one. Only the common order is read.
	 */
	if (compression == 3 && bits == 32) {
		if (header < 40 || len < 66)
			return bmp_damaged(e);
		if (le32(bytes + 54) == 0xff0000 && le32(bytes + 58) == 0xff00 &&
			le32(bytes + 62) == 0xff)
			return 0;
	}
	return err_set(e, ERR_INPUT,
		_("the BMP photo is of a rare kind (compression %u, %u bits); save it as 24-bit "
		  "BMP or "
		  "as JPEG."),
		(unsigned)compression, bits);
}

static int
bmp_header(struct bmp *b, const uint8_t *bytes, size_t len, struct err *e)
{
	int rc;

	*b = (struct bmp){0};
	if (len < 26)
		return bmp_damaged(e);
	size_t header = le32(bytes + 14);
	b->pixels = le32(bytes + 10);
	if (header == 12) {
		b->width = le16(bytes + 18);
		b->height = le16(bytes + 20);
		b->bits = le16(bytes + 24);
		b->entry = 3;
	} else if (header >= 40 && header <= 124 && len >= 54) {
		uint32_t height = le32(bytes + 22);
		b->width = le32(bytes + 18);
		b->top_down = height >> 31;
		b->height = b->top_down ? 0u - height : height;
		b->bits = le16(bytes + 28);
		b->entry = 4;
		if ((rc = bmp_compression(bytes, len, header, b->bits, e)))
			return rc;
		b->colours = le32(bytes + 46);
	} else {
		return bmp_damaged(e);
	}
	if ((rc = photo_size_check(b->width, b->height, e)))
		return rc;
	if (b->bits != 1 && b->bits != 4 && b->bits != 8 && b->bits != 24 && b->bits != 32)
		return err_set(e, ERR_INPUT,
			_("the BMP photo has %u bits a pixel; save it as 24-bit BMP or as JPEG."),
			b->bits);
	if (b->bits > 8)
		b->colours = 0;
	else if (!b->colours || b->colours > 1u << b->bits)
		b->colours = 1u << b->bits;
	b->stride = ((size_t)b->width * b->bits + 31) / 32 * 4;
	b->palette = 14 + header;
	if (b->pixels < b->palette || b->pixels > len || b->stride * b->height > len - b->pixels ||
		b->palette + b->colours * b->entry > b->pixels)
		return bmp_damaged(e);
	return 0;
}

static void
bgrx_store(uint8_t *out, unsigned blue, unsigned green, unsigned red)
{
	uint32_t word = 0xff000000u | red << 16 | green << 8 | blue;

	memcpy(out, &word, sizeof word);
}

static int
bmp_line(
	const struct bmp *b, const uint8_t *bytes, const uint8_t *line, uint8_t *out, struct err *e)
{
	for (unsigned x = 0; x < b->width; x++, out += 4) {
		const uint8_t *colour;
		if (b->bits >= 24) {
			colour = line + (size_t)x * (b->bits / 8);
		} else {
			unsigned per_byte = 8 / b->bits;
			unsigned shift = 8 - b->bits * (x % per_byte + 1);
			unsigned index = line[x / per_byte] >> shift & ((1u << b->bits) - 1);
			if (index >= b->colours)
				return bmp_damaged(e);
			colour = bytes + b->palette + index * b->entry;
		}
		bgrx_store(out, colour[0], colour[1], colour[2]);
	}
	return 0;
}

static int
bmp_decode(struct photo *out, const uint8_t *bytes, size_t len, struct err *e)
{
	struct bmp b;
	int rc = bmp_header(&b, bytes, len, e);

	if (rc)
		return rc;
	out->width = b.width;
	out->height = b.height;
	out->pixels = malloc((size_t)b.width * b.height * 4);
	if (!out->pixels)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	for (unsigned y = 0; y < b.height && !rc; y++) {
		unsigned from = b.top_down ? y : b.height - 1 - y;
		rc = bmp_line(&b, bytes, bytes + b.pixels + from * b.stride,
			out->pixels + (size_t)y * b.width * 4, e);
	}
	return rc;
}

/* ---- JPEG ---- */

struct jpeg {
	struct jpeg_decompress_struct d;
	struct jpeg_error_mgr errors;
	struct jpeg_progress_mgr progress;
	jmp_buf jump;
	char words[JMSG_LENGTH_MAX];
};

static void
jpeg_fail(j_common_ptr common)
{
	struct jpeg *j = common->client_data;

	common->err->format_message(common, j->words);
	longjmp(j->jump, 1);
}

/* Warnings that leave the pixels whole; any other means that a part of the face is missing. */
static void
jpeg_message(j_common_ptr common, int level)
{
	static const int harmless[] = {JWRN_EXTRANEOUS_DATA, JWRN_ADOBE_XFORM, JWRN_JFIF_MAJOR};

	if (level >= 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(harmless); i++)
		if (common->err->msg_code == harmless[i])
			return;
	jpeg_fail(common);
}

static void
jpeg_progress(j_common_ptr common)
{
	struct jpeg *j = common->client_data;

	if (j->d.input_scan_number > JPEG_SCANS_MAX)
		jpeg_fail(common);
}

static int
jpeg_damaged(struct jpeg *j, struct err *e)
{
	err_set(e, ERR_INPUT, _("the JPEG photo is damaged or cut off; save it again."));
	err_raw(e, j->words, strlen(j->words));
	return ERR_INPUT;
}

static void
jpeg_init(struct jpeg *j)
{
	memset(j, 0, sizeof *j);
	j->d.err = jpeg_std_error(&j->errors);
	j->errors.error_exit = jpeg_fail;
	j->errors.emit_message = jpeg_message;
	j->d.client_data = j;
	j->progress.progress_monitor = jpeg_progress;
}

/* Reads the header inside the caller's setjmp. */
static int
jpeg_header(struct jpeg *j, const uint8_t *bytes, size_t len, struct err *e)
{
	jpeg_create_decompress(&j->d);
	j->d.progress = &j->progress;
	jpeg_mem_src(&j->d, (uint8_t *)(uintptr_t)bytes, len);
	jpeg_read_header(&j->d, TRUE);
	int rc = photo_size_check(j->d.image_width, j->d.image_height, e);
	if (rc)
		return rc;
	if (j->d.jpeg_color_space != JCS_GRAYSCALE && j->d.jpeg_color_space != JCS_YCbCr &&
		j->d.jpeg_color_space != JCS_RGB)
		return err_set(e, ERR_INPUT,
			_("the JPEG photo is in printer's colours (CMYK); save it as RGB."));
	return 0;
}

static int
jpeg_probe(const uint8_t *bytes, size_t len, unsigned *width, unsigned *height, struct err *e)
{
	struct jpeg j;
	int rc;

	jpeg_init(&j);
	if (setjmp(j.jump)) {
		rc = jpeg_damaged(&j, e);
	} else {
		rc = jpeg_header(&j, bytes, len, e);
		*width = j.d.image_width;
		*height = j.d.image_height;
	}
	jpeg_destroy_decompress(&j.d);
	return rc;
}

/* The smallest of 1/8 ... 8/8 that still covers what is wanted. */
static unsigned
jpeg_scale(const struct jpeg *j, unsigned want_w, unsigned want_h)
{
	for (unsigned scale = 1; scale < 8; scale++)
		if ((uint64_t)j->d.image_width * scale / 8 >= want_w &&
			(uint64_t)j->d.image_height * scale / 8 >= want_h)
			return scale;
	return 8;
}

static void
jpeg_lines(struct jpeg *j, struct photo *out)
{
	while (j->d.output_scanline < j->d.output_height) {
		JSAMPROW row = out->pixels + (size_t)j->d.output_scanline * out->width * 4;
		jpeg_read_scanlines(&j->d, &row, 1);
	}
	jpeg_finish_decompress(&j->d);
}

static int
jpeg_decode(struct photo *out, const uint8_t *bytes, size_t len, unsigned want_w, unsigned want_h,
	struct err *e)
{
	struct jpeg j;
	int rc;

	jpeg_init(&j);
	if (setjmp(j.jump)) {
		rc = jpeg_damaged(&j, e);
		goto out;
	}
	if ((rc = jpeg_header(&j, bytes, len, e)))
		goto out;
	j.d.scale_num = jpeg_scale(&j, want_w, want_h);
	j.d.scale_denom = 8;
	j.d.out_color_space =
		__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? JCS_EXT_BGRX : JCS_EXT_XRGB;
	jpeg_start_decompress(&j.d);
	out->width = j.d.output_width;
	out->height = j.d.output_height;
	out->pixels = malloc((size_t)out->width * out->height * 4);
	if (!out->pixels)
		rc = err_set(e, ERR_SYSTEM, _("Out of memory."));
	else
		jpeg_lines(&j, out);
out:
	jpeg_destroy_decompress(&j.d);
	return rc;
}

/* ---- all three ---- */

int
photo_probe(const uint8_t *bytes, size_t len, unsigned *width, unsigned *height, struct err *e)
{
	const char *suffix = photo_suffix(bytes, len);
	struct bmp b;

	*width = *height = 0;
	if (!suffix)
		return format_error(bytes, len, e);
	if (!strcmp(suffix, "jpg")) {
		bool lies = photo_orientation(bytes, len) >= 5;
		return jpeg_probe(bytes, len, lies ? height : width, lies ? width : height, e);
	}
	if (!strcmp(suffix, "png")) {
		int bad = png_probe(bytes, len, width, height, e);
		return bad ? bad : photo_size_check(*width, *height, e);
	}
	int rc = bmp_header(&b, bytes, len, e);
	*width = b.width;
	*height = b.height;
	return rc;
}

int
photo_decode(struct photo *out, const uint8_t *bytes, size_t len, unsigned want_w, unsigned want_h,
	struct err *e)
{
	const char *suffix = photo_suffix(bytes, len);

	*out = (struct photo){0};
	if (!suffix)
		return format_error(bytes, len, e);
	unsigned orientation = photo_orientation(bytes, len);
	bool lies = orientation >= 5;
	int rc = !strcmp(suffix, "bmp")   ? bmp_decode(out, bytes, len, e)
		 : !strcmp(suffix, "png") ? png_decode(out, bytes, len, e)
					  : jpeg_decode(out, bytes, len, lies ? want_h : want_w,
						    lies ? want_w : want_h, e);
	if (!rc)
		rc = photo_turn(out, orientation, e);
	if (rc)
		photo_done(out);
	return rc;
}

void
photo_done(struct photo *p)
{
	free(p->pixels);
	*p = (struct photo){0};
}
