/*
 * bench.h - what the benchmark's parts share: a batch in memory and the ways to make cards of it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_BENCH_H
#define CARDSPOOL_BENCH_H

#include "filters/template.h"

/* A whole batch, so that only the way from record to stream is measured. */
struct deck {
	const char *template_dir;
	struct template *template;
	const struct ribbon *ribbon;
	struct record *records;
	struct buf *photos;
	size_t n;
};

/* ---- the peers (peers.c): what an application does with the same drawing, record by record ----
 */

struct naive;
/* Keeps the drawings' text only: reading and cleaning the files is not counted against the peer. */
int naive_create(struct naive **out, const struct deck *d, struct err *e);
void naive_destroy(struct naive *n);
/* Parses and draws both sides anew in RGB, converts them dot by dot. The caller ends it with
 * stream_card_done. */
int naive_card(struct naive *n, const struct deck *d, size_t index, struct stream_card *card,
	struct err *e);
/* The first count cards as a PDF of front and back pages, the records repeating when there are
 * fewer. */
int naive_pdf(struct naive *n, const struct deck *d, size_t count, const char *path, struct err *e);

#endif
