/*
 * proof.h - faces as pictures for people, and pages of a PDF as faces.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_PROOF_H
#define CARDSPOOL_PROOF_H

#include "spooler/spooler.h"

struct proof {
	const struct face *faces[SIDE_COUNT];
	enum side sides[SIDE_COUNT];
	size_t n;
	unsigned dpi;
	bool marks;                      /* cut line, contacts, stripe, boxes */
	int panel;                       /* this one alone; -1: all as printed */
	const struct template *template; /* for its boxes; NULL: none */
};

/* The panel of that name ("Y" ... "UV"), -1 if there is none. */
int proof_panel(const char *name);
/* A .pdf gets a page a face, anything else is a PNG with the faces below each other. */
int proof_write(const char *path, const struct proof *p, struct err *e);

/* Pages of a PDF as the filter draws them (page-preview.c). page: from 1; the back is the next
 * page. */
int page_faces(const char *path, unsigned page, const char *side, const struct ribbon *ribbon,
	struct face faces[SIDE_COUNT], struct err *e);

/* A card as a queue makes it (queue-preview.c). */
struct queue_preview {
	const char *queue, *ppd;    /* ppd: a file to take in place of a queue's, NULL: ask CUPS */
	const char *source;         /* a batch, or a PDF */
	const char *templates;      /* folder of templates, NULL: the configured one */
	const char *const *options; /* "NAME=VALUE", over the queue's own */
	size_t n_options;
	bool pdf;
	unsigned card;   /* record of a batch, card of a PDF, from 1 */
	char ribbon[16]; /* filled: the one the queue has */
};
int queue_faces(struct queue_preview *q, struct face faces[SIDE_COUNT], struct err *e);

#endif
