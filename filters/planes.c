/*
 * planes.c - one ribbon panel's worth of dots, and the faces made of them.
 *
 * Owns the memory layout of a plane in feed orientation, the hash of a face and the picture of what
 * the head will print. Guarantees: the layout is the same for every panel, so that a codec may walk
 * lines without asking; a hash covers letter, fill, geometry and data. On failure nothing is
 * allocated.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/card.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

const char panel_letters[PANEL_COUNT + 1] = "YMCKOU";
const char *const side_names[SIDE_COUNT] = {N_("front"), N_("back")};

enum { DOTS_MAX = 4096, LINES_MAX = 8192 };

size_t
plane_stride(unsigned bits, unsigned dots)
{
	return bits == 8 ? dots : ((size_t)dots + 7) / 8;
}

int
plane_shape_check(unsigned bits, unsigned dots, unsigned lines, struct err *e)
{
	if ((bits == 8 || bits == 1) && dots && dots <= DOTS_MAX && lines && lines <= LINES_MAX)
		return 0;
	return err_set(e, ERR_INTERNAL, _("A panel of %u x %u dots with %u bits is not possible."),
		dots, lines, bits);
}

int
plane_create(struct plane *p, unsigned bits, unsigned dots, unsigned lines, struct err *e)
{
	int rc = plane_shape_check(bits, dots, lines, e);

	*p = (struct plane){.fill = PLANE_ABSENT};
	if (rc)
		return rc;
	size_t stride = plane_stride(bits, dots);
	uint8_t *data = calloc(lines, stride);
	if (!data)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	*p = (struct plane){PLANE_DATA, bits, dots, lines, stride, data};
	return 0;
}

void
plane_blank_find(struct plane *p)
{
	size_t len = p->stride * p->lines;

	if (p->fill != PLANE_DATA || p->data[0] ||
		(len > 1 && memcmp(p->data, p->data + 1, len - 1)))
		return;
	free(p->data);
	p->data = NULL;
	p->fill = PLANE_BLANK;
}

void
plane_done(struct plane *p)
{
	free(p->data);
	*p = (struct plane){.fill = PLANE_ABSENT};
}

void
face_done(struct face *f)
{
	for (int i = 0; i < PANEL_COUNT; i++)
		plane_done(&f->plane[i]);
}

/*
 * What is hashed, for each panel that is not absent, in the order Y M C K O U:
 *   letter 1 | fill 1 | bits 1 | 0 | dots u32 LE | lines u32 LE | data (fill 3 only), stride x
 * lines bytes
 */
void
face_hash(uint8_t out[HASH_LEN], const struct face *f)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);

	for (int i = 0; good && i < PANEL_COUNT; i++) {
		const struct plane *p = &f->plane[i];
		if (p->fill == PLANE_ABSENT)
			continue;
		uint8_t head[12] = {(uint8_t)panel_letters[i], (uint8_t)p->fill, (uint8_t)p->bits};
		for (int b = 0; b < 4; b++) {
			head[4 + b] = (uint8_t)(p->dots >> (8 * b));
			head[8 + b] = (uint8_t)(p->lines >> (8 * b));
		}
		good = EVP_DigestUpdate(ctx, head, sizeof head);
		if (good && p->fill == PLANE_DATA)
			good = EVP_DigestUpdate(ctx, p->data, p->stride * p->lines);
	}
	if (!good || !EVP_DigestFinal_ex(ctx, out, NULL))
		memset(out, 0, HASH_LEN);
	EVP_MD_CTX_free(ctx);
}

static unsigned
plane_dot(const struct plane *p, unsigned line, unsigned dot)
{
	if (p->fill == PLANE_FULL)
		return 255;
	if (p->fill != PLANE_DATA)
		return 0;
	const uint8_t *row = p->data + line * p->stride;
	return p->bits == 8 ? row[dot] : (row[dot / 8] >> (7 - dot % 8) & 1) * 255U;
}

int
face_to_rgb(
	const struct face *f, uint8_t **pixels, unsigned *width, unsigned *height, struct err *e)
{
	const struct plane *any = NULL;

	*pixels = NULL;
	for (int i = 0; i < PANEL_COUNT && !any; i++)
		if (f->plane[i].fill != PLANE_ABSENT)
			any = &f->plane[i];
	if (!any)
		return err_set(e, ERR_MISSING, _("This side is not printed with this ribbon."));
	unsigned w = any->lines, h = any->dots;
	for (int i = 0; i < PANEL_COUNT; i++)
		if (f->plane[i].fill != PLANE_ABSENT &&
			(f->plane[i].lines != w || f->plane[i].dots != h))
			return err_set(e, ERR_INTERNAL, _("The panels of a face differ in size."));
	uint8_t *out = malloc((size_t)w * h * 4);
	if (!out)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	for (unsigned y = 0; y < h; y++)
		for (unsigned x = 0; x < w; x++) {
			unsigned dot = h - 1 - y;
			unsigned keep = 255 - plane_dot(&f->plane[PANEL_K], x, dot);
			uint32_t r = keep * (255 - plane_dot(&f->plane[PANEL_C], x, dot)) / 255;
			uint32_t g = keep * (255 - plane_dot(&f->plane[PANEL_M], x, dot)) / 255;
			uint32_t b = keep * (255 - plane_dot(&f->plane[PANEL_Y], x, dot)) / 255;
			uint32_t word = 0xff000000U | r << 16 | g << 8 | b;
			memcpy(out + 4 * ((size_t)y * w + x), &word, 4);
		}
	*pixels = out;
	*width = w;
	*height = h;
	return 0;
}
