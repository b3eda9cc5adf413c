/*
 * fuzz-stream.c - throws mutated card streams at the reader for about a second.
 *
 * Half of the mutants get their checksums right, so that the checks behind them are reached. It
 * fails by crashing (best under the sanitizers) or when a mutant is taken for the original but
 * differs in a face. $FUZZ_MS sets the time, $FUZZ_SEED the start.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/stream-frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum { STREAM_MAX = 16384, MUTATIONS_MAX = 6 };

static uint64_t
random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15U;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return z ^ z >> 31;
}

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static size_t
sample_write(int fd, uint8_t *bytes)
{
	struct stream_job job = {.template_name = "t", .ribbon = "ymcko", .n_cards = 2};
	struct err e = {0};
	int rc = stream_write_begin(fd, &job, &e);

	for (unsigned i = 1; !rc && i <= 2; i++) {
		struct stream_card c = {.card = i, .copy = 1, .has_chip = true, .has_tag = i == 2};
		c.tag = (struct tag_image){.capacity = 144,
			.len = 6,
			.message = {0xd1, 0x01, 0x02, 'U', 0x04, 'x'}};
		memset(c.record_hash, '0', 2 * HASH_LEN);
		rc = plane_create(&c.face[0].plane[PANEL_M], 8, 12, 5, &e);
		if (!rc)
			rc = plane_create(&c.face[0].plane[PANEL_K], 1, 12, 5, &e);
		c.face[0].plane[PANEL_O] = (struct plane){PLANE_FULL, 1, 12, 5, 2, NULL};
		if (!rc)
			rc = stream_write_card(fd, &c, &e);
		stream_card_done(&c);
	}
	if (!rc)
		rc = stream_write_end(fd, 2, &e);
	if (rc)
		fprintf(stderr, "%s\n", e.text);
	ssize_t n = pread(fd, bytes, STREAM_MAX, 0);
	return rc || n < 0 ? 0 : (size_t)n;
}

/* Walks the frames as far as they make sense and corrects their checksums. */
static void
checksums_mend(uint8_t *bytes, size_t len)
{
	size_t at = STREAM_HEAD_LEN;

	while (at + FRAME_HEAD_LEN + FRAME_CRC_LEN <= len) {
		size_t n = le32_get(bytes + at + 4);
		if (n > len - at - FRAME_HEAD_LEN - FRAME_CRC_LEN)
			return;
		n += FRAME_HEAD_LEN;
		le32_put(bytes + at + n, (uint32_t)crc32(0, bytes + at, (uInt)n));
		at += n + FRAME_CRC_LEN;
	}
}

static size_t
mutate(uint8_t *bytes, size_t len, uint64_t *seed)
{
	unsigned n = 1 + (unsigned)(random_next(seed) % MUTATIONS_MAX);

	while (n--) {
		uint64_t r = random_next(seed);
		size_t at = (size_t)(r >> 8) % len, to = (size_t)(r >> 32) % len;
		size_t piece = len - (at > to ? at : to);
		switch (r % 5) {
		case 0:
			bytes[at] ^= (uint8_t)(1U << (r >> 60 & 7));
			break;
		case 1:
			bytes[at] = (uint8_t)(r >> 40);
			break;
		case 2:
			memmove(bytes + at, bytes + to, piece > 40 ? 40 : piece);
			break;
		case 3:
			len = r >> 61 ? len : at + 1;
			break;
		default:
			memset(bytes + at, r & 256 ? 0xff : 0, len - at < 4 ? len - at : 4);
		}
	}
	if (random_next(seed) & 1)
		checksums_mend(bytes, len);
	return len;
}

/* 0 unless a card was delivered whose face does not hash as it says. */
static int
stream_eat(int fd)
{
	struct stream_reader *r;
	struct stream_job job;
	struct err e = {0}, cause = {0};
	int bad = 0;

	if (stream_open(&r, fd, &job, &e))
		return 0;
	for (;;) {
		enum stream_item item;
		struct stream_card c;
		uint8_t hash[HASH_LEN];
		if (stream_next(r, &item, &c, &cause, &e) || item != STREAM_CARD)
			break;
		face_hash(hash, &c.face[0]);
		bad |= c.face[0].plane[PANEL_M].fill && memcmp(hash, c.face_hash[0], HASH_LEN);
		stream_card_done(&c);
	}
	stream_close(r);
	return bad;
}

static uint64_t
setting(const char *name, uint64_t fallback)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : fallback;
}

int
main(void)
{
	static uint8_t sample[STREAM_MAX], bytes[STREAM_MAX];
	int fd = memfd_create("stream", MFD_CLOEXEC);
	size_t len = sample_write(fd, sample);
	uint64_t seed = setting("FUZZ_SEED", 1), end = now_ms() + setting("FUZZ_MS", 700);
	unsigned long rounds = 0;

	if (!len)
		return 99;
	for (; now_ms() < end; rounds++) {
		uint64_t start = seed;
		memcpy(bytes, sample, len);
		size_t n = mutate(bytes, len, &seed);
		if (ftruncate(fd, 0) || pwrite(fd, bytes, n, 0) != (ssize_t)n ||
			lseek(fd, 0, SEEK_SET))
			return 99;
		if (stream_eat(fd)) {
			printf("not ok - a wrong face was delivered, FUZZ_SEED=%llu\n",
				(unsigned long long)start);
			return 1;
		}
	}
	printf("ok - %lu mutated streams\n", rounds);
	close(fd);
	return 0;
}
