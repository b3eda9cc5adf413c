/*
 * fuzz-epcl.c - throws random replies at the EPCL family for about a second.
 *
 * Once straight at the parser, from buffers of exact size, and once as whatever a printer answers
 * to a whole card: it fails by crashing (best under the sanitizers), by hanging, or when a card
 * counts as printed although no ACK came. $FUZZ_MS sets the time, $FUZZ_SEED the start.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/epcl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t
random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15U;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return z ^ z >> 31;
}

/* Mostly bytes that mean something. */
static size_t
noise_make(uint8_t *out, size_t max, uint64_t *seed)
{
	static const char common[] =
		"\x06\x15\x04\r\n 0123456789-P310i V2.10Cpt imp:next clean Prn:";
	size_t len = random_next(seed) % max;

	for (size_t i = 0; i < len; i++) {
		uint64_t r = random_next(seed);
		out[i] = r % 8 ? (uint8_t)common[(r >> 8) % sizeof common] : (uint8_t)(r >> 16);
	}
	return len;
}

static int
parser_round(uint64_t *seed)
{
	uint8_t noise[400];
	size_t len = noise_make(noise, sizeof noise, seed), used = 0;
	uint8_t *bytes = malloc(len ? len : 1);
	struct epcl_reply r;
	char text[64];
	int64_t a, b;

	if (!bytes)
		return 1;
	memcpy(bytes, noise, len);
	epcl_reply_init(&r);
	bool whole = epcl_reply_feed(&r, bytes, len, &used);
	epcl_reply_close(&r);
	epcl_reply_describe(&r, text, sizeof text);
	epcl_cleaning_parse(r.text, &a, &b);
	free(bytes);
	if (used > len || r.len > EPCL_TEXT_MAX || strlen(r.text) != r.len ||
		(whole && r.kind == EPCL_NOTHING) || (r.kind == EPCL_NACK && r.code > 255)) {
		fprintf(stderr, "fuzz-epcl: a reply was misread\n");
		return 1;
	}
	return 0;
}

/* A printer that answers right, until it does not. */
struct noisy {
	struct transport base;
	uint64_t *seed;
	unsigned sane; /* so many answers to come that make sense */
	bool question, lied, acked;
	unsigned pending;
};

static int
noisy_write(struct transport *t, const void *bytes, size_t len, size_t *done, unsigned timeout_ms,
	struct err *e)
{
	struct noisy *n = (struct noisy *)t;

	(void)timeout_ms;
	(void)e;
	n->question = len == 3 && memcmp(bytes, "\033V\r", 3) == 0;
	n->pending = 1;
	*done = len;
	return 0;
}

static int
noisy_read(struct transport *t, void *bytes, size_t max, size_t *len, unsigned timeout_ms,
	struct err *e)
{
	struct noisy *n = (struct noisy *)t;

	(void)timeout_ms;
	*len = 0;
	if (n->pending == 0)
		return fault_set(e, FAULT_NO_REPLY, NULL);
	n->pending--;
	if (n->sane > 0) {
		const char *said = n->question ? "P310i V2.10\r" : "\x06";
		n->sane--;
		*len = strlen(said);
		memcpy(bytes, said, *len);
		return 0;
	}
	n->lied = true;
	n->pending = (unsigned)(random_next(n->seed) % 3);
	*len = noise_make(bytes, max < 40 ? max : 40, n->seed);
	n->acked = n->acked || memchr(bytes, 0x06, *len);
	return 0;
}

static void
noisy_close(struct transport *t)
{
	(void)t;
}

static int
printer_round(uint64_t *seed)
{
	static const struct transport_ops ops = {
		.write = noisy_write, .read = noisy_read, .close = noisy_close};
	static const struct ribbon black = {.name = "k", .front = "K", .back = "K"};
	static const struct usb_printer id = {.vendor = 0x0a5f, .device_id = "MDL:P310i;"};
	struct noisy n = {.base = {.ops = &ops, .limits = {1, 1, 1, 1}}, .seed = seed};
	struct face faces[SIDE_COUNT] = {0};
	struct print_job job = {.ribbon = &black};
	struct printer_status st;
	struct printer *p = NULL;
	struct err e = {0};

	faces[0].plane[PANEL_K].fill = PLANE_FULL;
	n.sane = (unsigned)(random_next(seed) % 24);
	int rc = printer_epcl.open(&p, &n.base, &id, &e);
	if (rc)
		return 0;
	rc = printer_epcl.begin(p, &job, &e);
	if (rc == 0)
		rc = printer_epcl.feed(p, PLACE_PRINT, &e);
	if (rc == 0)
		rc = printer_epcl.load(p, faces, &e);
	if (rc == 0)
		rc = printer_epcl.print(p, &e);
	bool believed = rc == 0 && n.lied && !n.acked && n.sane == 0;
	printer_epcl.status(p, &st, &e);
	printer_epcl.close(p);
	if (believed)
		fprintf(stderr, "fuzz-epcl: a card counts as printed without an ACK\n");
	return believed;
}

int
main(void)
{
	const char *ms = getenv("FUZZ_MS"), *start = getenv("FUZZ_SEED");
	uint64_t seed = start ? strtoull(start, NULL, 10) : 1;
	int64_t until = epcl_now_ms() + (ms ? strtol(ms, NULL, 10) : 1000);
	unsigned long parsed = 0, cards = 0;

	while (epcl_now_ms() < until) {
		for (int i = 0; i < 200; i++, parsed++)
			if (parser_round(&seed))
				return 1;
		if (printer_round(&seed))
			return 1;
		cards++;
	}
	printf("fuzz-epcl: %lu replies, %lu cards\n", parsed, cards);
	return 0;
}
