/*
 * test-stream.c - the card stream: what is written is read, and what was touched is refused.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/stream-frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

static const struct stream_job sample_job = {.template_name = "special-operation",
	.order = "2026-001",
	.ribbon = "ymckok",
	.n_cards = 2,
	.darkness = -7,
	.speed = 4,
	.coercivity = 'l',
	.has_chip = true};

static void
card_make(struct stream_card *c, unsigned number)
{
	memset(c, 0, sizeof *c);
	c->card = number;
	c->copy = 1;
	c->has_chip = true;
	snprintf(c->number_masked, sizeof c->number_masked, "T9901**********8515");
	snprintf(c->name_masked, sizeof c->name_masked, "欧**");
	memset(c->record_hash, 'a', 2 * HASH_LEN);
	c->chip.data = 0x70;
	c->chip.mac = 6;
	for (int i = 0; i < CHIP_BLOCK_LEN; i++)
		c->chip.block[4][i] = (uint8_t)(number + (unsigned)i);
	struct plane *front = c->face[SIDE_FRONT].plane;
	assert_int_equal(plane_create(&front[PANEL_Y], 8, 13, 9, NULL), 0);
	assert_int_equal(plane_create(&front[PANEL_K], 1, 13, 9, NULL), 0);
	for (int i = 0; i < 13 * 9; i++)
		front[PANEL_Y].data[i] = (uint8_t)(i * 7);
	front[PANEL_K].data[1] = 0xf8;
	front[PANEL_M] = (struct plane){PLANE_BLANK, 8, 13, 9, 13, NULL};
	front[PANEL_O] = (struct plane){PLANE_FULL, 1, 13, 9, 2, NULL};
	assert_int_equal(plane_create(&c->face[SIDE_BACK].plane[PANEL_K], 1, 13, 9, NULL), 0);
}

static int
memory_open(const void *bytes, size_t len)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* The bytes of a whole stream of two cards; the caller frees. */
static uint8_t *
sample_bytes(size_t *len)
{
	int fd = memory_open("", 0);
	struct err e = {0};

	assert_int_equal(stream_write_begin(fd, &sample_job, &e), 0);
	for (unsigned i = 1; i <= 2; i++) {
		struct stream_card c;
		card_make(&c, i);
		assert_int_equal(stream_write_card(fd, &c, &e), 0);
		stream_card_done(&c);
	}
	assert_int_equal(stream_write_end(fd, 2, &e), 0);
	*len = (size_t)lseek(fd, 0, SEEK_END);
	uint8_t *bytes = malloc(*len);
	assert_int_equal(pread(fd, bytes, *len, 0), (ssize_t)*len);
	close(fd);
	return bytes;
}

/* Reads all; returns the first error, or 0 when the stream ended well. */
static int
read_all(const uint8_t *bytes, size_t len, unsigned *cards, struct err *e)
{
	struct stream_reader *r;
	struct stream_job job;
	struct err cause = {0};
	int fd = memory_open(bytes, len);

	*cards = 0;
	int rc = stream_open(&r, fd, &job, e);
	while (!rc) {
		enum stream_item item;
		struct stream_card c;
		rc = stream_next(r, &item, &c, &cause, e);
		if (rc || item == STREAM_END)
			break;
		if (item == STREAM_ERROR) {
			rc = cause.code;
			break;
		}
		++*cards;
		stream_card_done(&c);
	}
	stream_close(r);
	close(fd);
	return rc;
}

static void
test_round_trip(void **state)
{
	size_t len;
	uint8_t *bytes = sample_bytes(&len);
	int fd = memory_open(bytes, len);
	struct stream_reader *r;
	struct stream_job job;
	struct err e = {0}, cause;
	enum stream_item item;
	struct stream_card got, want;
	(void)state;

	assert_int_equal(stream_open(&r, fd, &job, &e), 0);
	assert_memory_equal(&job, &sample_job, sizeof job);
	for (unsigned i = 1; i <= 2; i++) {
		card_make(&want, i);
		assert_int_equal(stream_next(r, &item, &got, &cause, &e), 0);
		assert_int_equal(item, STREAM_CARD);
		assert_int_equal(got.card, i);
		assert_int_equal(got.copy, 1);
		assert_true(got.has_chip);
		assert_memory_equal(&got.chip, &want.chip, sizeof got.chip);
		assert_string_equal(got.name_masked, want.name_masked);
		assert_string_equal(got.number_masked, want.number_masked);
		assert_string_equal(got.record_hash, want.record_hash);
		uint8_t hash[HASH_LEN];
		chip_image_hash(hash, &want.chip);
		assert_memory_equal(got.chip_hash, hash, HASH_LEN);
		for (int s = 0; s < SIDE_COUNT; s++) {
			face_hash(hash, &want.face[s]);
			assert_memory_equal(got.face_hash[s], hash, HASH_LEN);
			face_hash(hash, &got.face[s]);
			assert_memory_equal(got.face_hash[s], hash, HASH_LEN);
		}
		assert_int_equal(got.face[SIDE_FRONT].plane[PANEL_C].fill, PLANE_ABSENT);
		assert_int_equal(got.face[SIDE_FRONT].plane[PANEL_M].fill, PLANE_BLANK);
		assert_null(got.face[SIDE_FRONT].plane[PANEL_O].data);
		stream_card_done(&got);
		stream_card_done(&want);
	}
	assert_int_equal(stream_next(r, &item, &got, &cause, &e), 0);
	assert_int_equal(item, STREAM_END);
	assert_int_equal(stream_next(r, &item, &got, &cause, &e), ERR_PROTOCOL);
	stream_close(r);
	close(fd);
	free(bytes);
}

static void
test_stops_early(void **state)
{
	size_t len;
	uint8_t *bytes = sample_bytes(&len);
	unsigned cards;
	(void)state;

	for (size_t cut = 0; cut < len; cut += cut < 64 ? 1 : 37) {
		struct err e = {0};
		assert_int_equal(read_all(bytes, cut, &cards, &e), ERR_PROTOCOL);
		assert_true(e.text[0]);
	}
	free(bytes);
}

static void
test_every_byte_matters(void **state)
{
	size_t len;
	uint8_t *bytes = sample_bytes(&len);
	unsigned cards;
	(void)state;

	for (size_t at = 0; at < len; at += 3) {
		struct err e = {0};
		bytes[at] ^= 0x10;
		assert_int_equal(read_all(bytes, len, &cards, &e), ERR_PROTOCOL);
		bytes[at] ^= 0x10;
	}
	free(bytes);
}

/* Finds the nth frame of a type; returns its offset. */
static size_t
frame_find(const uint8_t *bytes, size_t len, uint32_t type, unsigned nth)
{
	size_t at = STREAM_HEAD_LEN;

	while (at < len) {
		if (le32_get(bytes + at) == type && nth-- == 0)
			return at;
		at += FRAME_HEAD_LEN + le32_get(bytes + at + 4) + FRAME_CRC_LEN;
	}
	fail();
	return 0;
}

static void
frame_seal(uint8_t *bytes, size_t at)
{
	size_t len = FRAME_HEAD_LEN + le32_get(bytes + at + 4);

	le32_put(bytes + at + len, (uint32_t)crc32(0, bytes + at, (uInt)len));
}

/* A forger who knows the CRC still cannot say these things. */
static void
test_sealed_lies(void **state)
{
	static const struct {
		uint32_t type;
		unsigned nth, at;
		uint8_t value;
		const char *what;
	} rows[] = {
		{FRAME_CHIP, 0, 0, 0x71, "a data block 0"},
		{FRAME_CHIP, 0, 0, 0x78, "a trailer as data"},
		{FRAME_CHIP, 0, 8, 0x0e, "a trailer as MAC"},
		{FRAME_CHIP, 0, 8, 0x16, "a block both data and MAC"},
		{FRAME_CHIP, 0, 16 + 64, 99, "other chip data than the end proves"},
		{FRAME_PLANE, 0, 0, 2, "a third side"},
		{FRAME_PLANE, 0, 1, 'X', "an unknown panel"},
		{FRAME_PLANE, 0, 1, 0, "no panel"},
		{FRAME_PLANE, 1, 1, 'Y', "the same panel twice"},
		{FRAME_PLANE, 0, 2, 0, "an absent panel"},
		{FRAME_PLANE, 0, 2, 4, "an unknown fill"},
		{FRAME_PLANE, 0, 3, 1, "a dye panel of 1 bit"},
		{FRAME_PLANE, 0, 4, 14, "other dots than data"},
		{FRAME_PLANE, 1, 4, 14, "panels of different size"},
		{FRAME_PLANE, 2, 13, 0x01, "a bit in the padding"},
		{FRAME_PLANE, 0, 7, 0x7f, "an enormous panel"},
		{FRAME_PLANE, 0, 40, 0xee, "other dots than the end proves"},
		{FRAME_DONE, 0, 0, 0, "another end"},
	};
	unsigned cards;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len;
		uint8_t *bytes = sample_bytes(&len);
		struct err e = {0};
		size_t at = frame_find(bytes, len, rows[i].type, rows[i].nth);
		uint8_t *byte = bytes + at + FRAME_HEAD_LEN + rows[i].at;
		*byte = *byte == rows[i].value ? (uint8_t)~rows[i].value : rows[i].value;
		frame_seal(bytes, at);
		if (read_all(bytes, len, &cards, &e) != ERR_PROTOCOL)
			fail_msg("accepted %s", rows[i].what);
		assert_int_equal(cards, 0);
		free(bytes);
	}
}

static void
test_frames_out_of_order(void **state)
{
	static const uint32_t drop[] = {
		FRAME_JOB, FRAME_CARD, FRAME_CHIP, FRAME_PLANE, FRAME_DONE, FRAME_END};
	unsigned cards;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(drop); i++) {
		size_t len;
		uint8_t *bytes = sample_bytes(&len);
		struct err e = {0};
		size_t at = frame_find(bytes, len, drop[i], 0);
		size_t n = FRAME_HEAD_LEN + le32_get(bytes + at + 4) + FRAME_CRC_LEN;
		memmove(bytes + at, bytes + at + n, len - at - n);
		assert_int_equal(read_all(bytes, len - n, &cards, &e), ERR_PROTOCOL);
		free(bytes);
	}
}

/* A stream of one card with a tag; the caller frees. */
static uint8_t *
tag_bytes(size_t *len, const struct tag_image *tag)
{
	struct stream_job job = sample_job;
	struct stream_card c;
	struct err e = {0};
	int fd = memory_open("", 0);

	job.n_cards = 1;
	card_make(&c, 1);
	c.has_tag = true;
	c.tag = *tag;
	assert_int_equal(stream_write_begin(fd, &job, &e), 0);
	assert_int_equal(stream_write_card(fd, &c, &e), 0);
	assert_int_equal(stream_write_end(fd, 1, &e), 0);
	stream_card_done(&c);
	*len = (size_t)lseek(fd, 0, SEEK_END);
	uint8_t *bytes = malloc(*len);
	assert_int_equal(pread(fd, bytes, *len, 0), (ssize_t)*len);
	close(fd);
	return bytes;
}

static const struct tag_image sample_tag = {
	.capacity = 144, .lock = true, .len = 6, .message = {0xd1, 0x01, 0x02, 'U', 0x04, 'x'}};

static void
test_tag_round_trip(void **state)
{
	size_t len;
	uint8_t *bytes = tag_bytes(&len, &sample_tag), hash[HASH_LEN];
	int fd = memory_open(bytes, len);
	struct stream_reader *r;
	struct stream_job job;
	struct stream_card got;
	struct err e = {0}, cause;
	enum stream_item item;
	(void)state;

	assert_int_equal(stream_open(&r, fd, &job, &e), 0);
	assert_int_equal(stream_next(r, &item, &got, &cause, &e), 0);
	assert_true(got.has_chip && got.has_tag && got.tag.lock);
	assert_int_equal(got.tag.capacity, 144);
	assert_int_equal(got.tag.len, 6);
	assert_memory_equal(got.tag.message, sample_tag.message, 6);
	hash_bytes(hash, sample_tag.message, 6);
	assert_memory_equal(got.chip_hash, hash, HASH_LEN);
	assert_int_equal(got.chip.data, 0);
	stream_card_done(&got);
	stream_close(r);
	close(fd);
	free(bytes);
}

/* The writer does not look; the reader must. */
static void
test_job_lies(void **state)
{
	struct stream_job lies[] = {sample_job, sample_job, sample_job, sample_job};
	unsigned cards;
	(void)state;

	lies[0].speed = 11;
	lies[1].coercivity = 'x';
	lies[2].darkness = 11;
	lies[3].darkness = -11;
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		struct err e = {0};
		uint8_t bytes[1024];
		int fd = memory_open("", 0);

		assert_int_equal(stream_write_begin(fd, &lies[i], &e), 0);
		ssize_t len = pread(fd, bytes, sizeof bytes, 0);
		close(fd);
		assert_int_equal(read_all(bytes, (size_t)len, &cards, &e), ERR_PROTOCOL);
		assert_non_null(strstr(e.text, i == 1 ? "a word" : "a number"));
	}
}

static void
test_tag_lies(void **state)
{
	static const struct {
		unsigned at;
		uint8_t value;
		const char *what;
	} rows[] = {
		{0, 3, "an unknown flag"},
		{1, 1, "a byte that is 0"},
		{2, 143, "a size that no tag has"},
		{4, 0xd9, "a message that is not whole"},
		{6, 200, "a payload beyond the message"},
		{9, 'y', "another message than the end proves"},
	};
	unsigned cards;
	size_t len, at;
	uint8_t *bytes;
	struct err e = {0};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bytes = tag_bytes(&len, &sample_tag);
		at = frame_find(bytes, len, FRAME_TAG, 0);
		bytes[at + FRAME_HEAD_LEN + rows[i].at] = rows[i].value;
		frame_seal(bytes, at);
		if (read_all(bytes, len, &cards, &e) != ERR_PROTOCOL)
			fail_msg("accepted %s", rows[i].what);
		free(bytes);
	}
	struct tag_image empty = sample_tag, wide = sample_tag;
	empty.len = 0;
	wide.len = wide.capacity;
	bytes = tag_bytes(&len, &empty);
	assert_int_equal(read_all(bytes, len, &cards, &e), ERR_PROTOCOL);
	free(bytes);
	bytes = tag_bytes(&len, &wide);
	assert_int_equal(read_all(bytes, len, &cards, &e), ERR_PROTOCOL);
	free(bytes);
	/* both kinds of chip on one card */
	bytes = tag_bytes(&len, &sample_tag);
	at = frame_find(bytes, len, FRAME_TAG, 0);
	le32_put(bytes + at, FRAME_CHIP);
	frame_seal(bytes, at);
	assert_int_equal(read_all(bytes, len, &cards, &e), ERR_PROTOCOL);
	free(bytes);
}

static void
test_cards_are_counted(void **state)
{
	struct err e = {0};
	struct stream_card c;
	uint8_t bytes[8192];
	unsigned cards;
	(void)state;

	/* Two promised, one came, and END tells the truth about one. */
	int fd = memory_open("", 0);
	assert_int_equal(stream_write_begin(fd, &sample_job, &e), 0);
	card_make(&c, 1);
	assert_int_equal(stream_write_card(fd, &c, &e), 0);
	stream_card_done(&c);
	assert_int_equal(stream_write_end(fd, 1, &e), 0);
	ssize_t len = pread(fd, bytes, sizeof bytes, 0);
	close(fd);
	assert_int_equal(read_all(bytes, (size_t)len, &cards, &e), ERR_PROTOCOL);
	assert_int_equal(cards, 1);
}

static void
test_error_frame(void **state)
{
	struct err e = {0}, cause = {0}, got = {0};
	struct stream_reader *r;
	struct stream_job job;
	struct stream_card c;
	enum stream_item item;
	int fd = memory_open("", 0);
	(void)state;

	err_set(&cause, ERR_INPUT, "record 7: field 姓名:\nis empty");
	assert_int_equal(stream_write_begin(fd, &sample_job, &e), 0);
	assert_int_equal(stream_write_error(fd, &cause, &e), 0);
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(stream_open(&r, fd, &job, &e), 0);
	assert_int_equal(stream_next(r, &item, &c, &got, &e), 0);
	assert_int_equal(item, STREAM_ERROR);
	assert_int_equal(got.code, ERR_INPUT);
	assert_string_equal(got.text, "record 7: field 姓名: is empty");
	stream_close(r);
	close(fd);
}

static void
test_writer_refuses(void **state)
{
	struct err e = {0};
	struct stream_card c;
	int fd = memory_open("", 0);
	(void)state;

	card_make(&c, 1);
	c.face[SIDE_FRONT].plane[PANEL_Y].bits = 1;
	assert_int_equal(stream_write_card(fd, &c, &e), ERR_INTERNAL);
	c.face[SIDE_FRONT].plane[PANEL_Y].bits = 8;
	c.face[SIDE_FRONT].plane[PANEL_Y].stride++;
	assert_int_equal(stream_write_card(fd, &c, &e), ERR_INTERNAL);
	stream_card_done(&c);
	c.card = 1;
	assert_int_equal(stream_write_card(fd, &c, &e), ERR_INTERNAL);
	close(fd);
	assert_int_equal(stream_write_end(-1, 0, &e), ERR_STORAGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_stops_early),
		cmocka_unit_test(test_every_byte_matters),
		cmocka_unit_test(test_sealed_lies),
		cmocka_unit_test(test_frames_out_of_order),
		cmocka_unit_test(test_tag_round_trip),
		cmocka_unit_test(test_tag_lies),
		cmocka_unit_test(test_cards_are_counted),
		cmocka_unit_test(test_error_frame),
		cmocka_unit_test(test_job_lies),
		cmocka_unit_test(test_writer_refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
