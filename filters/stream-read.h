/*
 * stream-read.h - what the files that read a card stream share.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_STREAM_READ_H
#define CARDSPOOL_STREAM_READ_H

#include "filters/stream-frame.h"

#include <jansson.h>

struct stream_reader {
	int fd;
	int stop_fd;       /* -1: none */
	bool over;         /* END or ERRO was read, or something was wrong */
	unsigned promised; /* cards the job announced */
	unsigned cards;    /* cards read */
	uint32_t crc;
	uint32_t chain; /* CRC over the CRCs of the card's frames so far */
	uint32_t left;  /* bytes of the payload not read yet */
};

/* ---- frames and the fields of a JSON frame (stream-wire.c) ---- */

int reader_error(struct err *e, const char *what); /* ERR_PROTOCOL */
int reader_bytes(struct stream_reader *r, void *out, size_t len, struct err *e);
/* Of the frame that was begun; its checksum is proved by its end. */
int reader_payload(struct stream_reader *r, void *out, size_t len, struct err *e);
int reader_frame_begin(struct stream_reader *r, uint32_t *type, struct err *e);
int reader_frame_end(struct stream_reader *r, struct err *e);
/* A whole frame; the caller ends *out with json_decref. */
int reader_json(struct stream_reader *r, json_t **out, struct err *e);
int reader_text_get(const json_t *object, const char *key, char *out, size_t max, struct err *e);
int reader_hash_get(const json_t *object, const char *key, char out[2 * HASH_LEN + 1], bool may_lack, struct err *e);
int reader_number_get(const json_t *object, const char *key, unsigned min, unsigned max, unsigned *out, struct err *e);

/* ---- one card (stream-card.c): from its head to its DONE frame ---- */

int reader_card(struct stream_reader *r, struct stream_card *card, struct err *e);

#endif
