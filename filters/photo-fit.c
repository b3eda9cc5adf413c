/*
 * photo-fit.c - a photo made to keep a schema's rules: cropped to its ratio, compressed to its
 * size.
 *
 * Guarantees: the same bytes give the same result; nothing is stretched; the crop keeps the middle
 * across and a little more of what is above. A result always has the ratio and the size of the
 * schema. On failure out is empty and the message says what no crop can mend.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/card.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

enum {
	QUALITY_BEST = 90,
	QUALITY_LEAST = 50,
	QUALITY_STEP = 8,
	HEIGHT_BEST = 640,
	HEIGHT_LEAST = 200
};

struct fit_errors {
	struct jpeg_error_mgr manager;
	jmp_buf jump;
};

static void
fit_fail(j_common_ptr common)
{
	longjmp(((struct fit_errors *)(void *)common->err)->jump, 1);
}

/* The crop at (x, y), w x h, averaged down to out_w x out_h RGB bytes. */
static void
crop_scale(uint8_t *out, const struct photo *p, unsigned x, unsigned y, unsigned w, unsigned h,
	unsigned out_w, unsigned out_h)
{
	for (unsigned v = 0; v < out_h; v++)
		for (unsigned u = 0; u < out_w; u++) {
			unsigned x0 = x + u * w / out_w, x1 = x + (u + 1) * w / out_w;
			unsigned y0 = y + v * h / out_h, y1 = y + (v + 1) * h / out_h;
			uint64_t sum[3] = {0}, n = 0;
			for (unsigned j = y0; j < y1 || j == y0; j++)
				for (unsigned i = x0; i < x1 || i == x0; i++, n++) {
					uint32_t word;
					memcpy(&word, p->pixels + ((size_t)j * p->width + i) * 4,
						4);
					for (int c = 0; c < 3; c++)
						sum[c] += word >> (16 - 8 * c) & 255;
				}
			for (int c = 0; c < 3; c++)
				*out++ = (uint8_t)((sum[c] + n / 2) / n);
		}
}

static int
jpeg_write(struct buf *out, const uint8_t *rgb, unsigned w, unsigned h, int quality, struct err *e)
{
	struct jpeg_compress_struct c;
	struct fit_errors errors;
	unsigned char *volatile bytes = NULL;
	unsigned char *made = NULL;
	unsigned long len = 0;
	int rc;

	c.err = jpeg_std_error(&errors.manager);
	errors.manager.error_exit = fit_fail;
	if (setjmp(errors.jump)) {
		jpeg_destroy_compress(&c);
		free(bytes);
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	}
	jpeg_create_compress(&c);
	jpeg_mem_dest(&c, &made, &len);
	c.image_width = w;
	c.image_height = h;
	c.input_components = 3;
	c.in_color_space = JCS_RGB;
	jpeg_set_defaults(&c);
	jpeg_set_quality(&c, quality, TRUE);
	c.optimize_coding = TRUE;
	jpeg_start_compress(&c, TRUE);
	while (c.next_scanline < h) {
		JSAMPROW row = (JSAMPROW)(uintptr_t)(rgb + (size_t)c.next_scanline * w * 3);
		jpeg_write_scanlines(&c, &row, 1);
	}
	jpeg_finish_compress(&c);
	bytes = made;
	out->len = 0;
	rc = buf_append(out, made, len, e);
	jpeg_destroy_compress(&c);
	free(made);
	return rc;
}

int
photo_fit(const struct schema *s, const uint8_t *bytes, size_t len, struct buf *out, struct err *e)
{
	unsigned rh = s->photo_ratio_h, rw = s->photo_ratio_w;
	size_t max = s->photo_max_bytes ? s->photo_max_bytes : PHOTO_FILE_MAX;
	struct photo p;
	int rc = photo_decode(&p, bytes, len, HEIGHT_BEST, HEIGHT_BEST, e);

	out->len = 0;
	if (rc)
		return rc;
	if (!rh || !rw) {
		rh = p.height;
		rw = p.width;
	}
	bool wide = (uint64_t)p.width * rh > (uint64_t)p.height * rw;
	unsigned w = wide ? (unsigned)((uint64_t)p.height * rw / rh) : p.width;
	unsigned h = wide ? p.height : (unsigned)((uint64_t)p.width * rh / rw);
	unsigned high = h < HEIGHT_BEST ? h : HEIGHT_BEST;
	uint8_t *rgb =
		w && h ? malloc((size_t)(high + 1) * (high + 1) * 3 * (rw > rh ? rw / rh + 1 : 1))
		       : NULL;
	bool fits = false;
	if (!rgb)
		rc = err_set(e, ERR_INPUT, _("the photo cannot be cropped to %u:%u."), rh, rw);
	for (; !rc && !fits && high; high = high * 4 / 5) {
		/* A whole number of the ratio's units, so that the shape is exact. */
		unsigned unit = high / rh ? high / rh : 1, out_h = unit * rh, out_w = unit * rw;
		if (!s->photo_ratio_h || unit * rh > high) {
			out_h = high;
			out_w = (unsigned)((uint64_t)high * rw / rh);
		}
		crop_scale(rgb, &p, (p.width - w) / 2, (p.height - h) / 3, w, h, out_w, out_h);
		for (int q = QUALITY_BEST; !rc && !fits && q >= QUALITY_LEAST; q -= QUALITY_STEP)
			if (!(rc = jpeg_write(out, rgb, out_w, out_h, q, e)))
				fits = out->len <= max;
		if (high <= HEIGHT_LEAST)
			break;
	}
	if (!rc && !fits)
		rc = err_set(
			e, ERR_INPUT, _("the photo cannot be made as small as %zu bytes."), max);
	if (rc)
		out->len = 0;
	free(rgb);
	photo_done(&p);
	return rc;
}
