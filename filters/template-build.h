/*
 * template-build.h - a template.bin in the making, for the files that make it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_TEMPLATE_BUILD_H
#define CARDSPOOL_TEMPLATE_BUILD_H

#include "filters/face.h"
#include "filters/le.h"
#include "filters/template-svg.h"

enum { BUILD_PATH_LEN = 4096 };

struct build {
	const char *dir;
	struct buf out;
	struct svg *svg[SIDE_COUNT];
	unsigned width, height, dpi;
	struct box boxes[TEMPLATE_BOXES_MAX];
	size_t seal_at[TEMPLATE_BOXES_MAX]; /* offset in out, 0 = none */
	size_t n_boxes;
};

/* template-build.c */
int build_path(char path[BUILD_PATH_LEN], const char *dir, const char *name, struct err *e);
/* Appends len zero bytes at the next aligned offset, which it returns through *at. */
int build_piece(struct build *b, size_t len, size_t *at, struct err *e);

/* template-art.c: the panels of a side with its head; the picture of a seal or a group of kind art. */
int build_side(struct build *b, enum side side, struct err *e);
int build_seal(struct build *b, size_t index, struct err *e);

#endif
