/*
 * desk.h - what a desk and an inspector judge a record by: desk.rules of a template.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_DESK_H
#define CARDSPOOL_DESK_H

#include "filters/card.h"

#define DESK_REVIEWS_MAX 4
#define DESK_FIELDS_MAX  32

/* Fields by their index in the schema; -1: the record has no such field. */
struct desk_rules {
	int valid_from, valid_to, mark;
	struct desk_review {
		int due, record;
	} review[DESK_REVIEWS_MAX];
	size_t n_reviews;
	int fixed[DESK_FIELDS_MAX], printed[DESK_FIELDS_MAX];
	size_t n_fixed, n_printed;
};

/* ERR_INPUT with file and line: an unknown word or field, a field of the wrong kind. */
int desk_rules_parse(struct desk_rules *out, const uint8_t *bytes, size_t len, const char *name,
	const struct schema *s, struct err *e);
/* A template without the file gives rules that judge nothing: every record is valid. */
int desk_rules_load(
	struct desk_rules *out, const char *path, const struct schema *s, struct err *e);

enum desk_validity { DESK_VALID, DESK_REVIEW_DUE, DESK_EXPIRED, DESK_NOT_YET };

/* Judges a record on a day (YYYYMMDD). Expiry goes before a missed review. The day a date names
 * still counts as in time. *review: the review that is due, from 0. ERR_INPUT: a date is none. */
int desk_judge(enum desk_validity *out, size_t *review, const struct desk_rules *d,
	const struct schema *s, const struct record *r, const char *today, struct err *e);

/* The first review that has no record yet; n_reviews when all have one. */
size_t desk_review_next(const struct desk_rules *d, const struct record *r);
/*
 * Records the next review: its text, the count in the mark, and in next_due (may be NULL) the date
 * of the one after it. changed gets the fields that were set. ERR_INPUT: expired, all reviews done,
 * recorded on this day already, a date that is none, no review after this one.
 */
int desk_review_apply(struct record *r, const struct desk_rules *d, const struct schema *s,
	const char *today, const char *text, const char *next_due, bool *changed, struct err *e);

bool desk_field_fixed(const struct desk_rules *d, int field);
bool desk_field_printed(const struct desk_rules *d, int field);

#endif
