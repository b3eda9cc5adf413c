/*
 * photo-png.h - what photo.c and photo-png.c share.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_PHOTO_PNG_H
#define CARDSPOOL_PHOTO_PNG_H

#include "filters/card.h"

#define PHOTO_SIDE_MAX   10000
#define PHOTO_PIXELS_MAX (16u * 1000 * 1000)

/* ERR_INPUT for a picture that no photo of a face needs to be (photo.c). */
int photo_size_check(unsigned width, unsigned height, struct err *e);

/* The size from the header, which must be whole; it is not checked against any limit. */
int png_probe(const uint8_t *bytes, size_t len, unsigned *width, unsigned *height, struct err *e);
/* Decodes the whole picture onto white. On failure out->pixels may be set; the caller frees it. */
int png_decode(struct photo *out, const uint8_t *bytes, size_t len, struct err *e);

#endif
