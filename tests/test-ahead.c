/*
 * test-ahead.c - the reader that is one card ahead: order, what stays, and leaving early.
 *
 * The stream comes through a real pipe whose room is far below a card, so that a card can only be
 * written to its end when somebody reads it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { DOTS = 648, LINES = 1016 };

/* A hang is a failure too, far above what any machine needs. */
enum { PATIENCE_S = 120 };

static struct ahead *
ahead_begin(int pipe_fd[2], unsigned cards)
{
	struct stream_job job = {.n_cards = cards};
	struct stream_reader *reader;
	struct ahead *a;
	struct err e = {0};

	snprintf(job.template_name, sizeof job.template_name, "sample");
	snprintf(job.ribbon, sizeof job.ribbon, "ymcko");
	alarm(PATIENCE_S);
	assert_int_equal(pipe2(pipe_fd, O_CLOEXEC), 0);
	assert_int_equal(stream_write_begin(pipe_fd[1], &job, &e), 0);
	assert_int_equal(stream_open(&reader, pipe_fd[0], &job, &e), 0);
	assert_int_equal(ahead_open(&a, reader, &e), 0);
	return a;
}

static void
card_write(int fd, unsigned number)
{
	struct stream_card c = {.card = number, .copy = 1};
	struct plane *p = &c.face[SIDE_FRONT].plane[PANEL_Y];
	struct err e = {0};

	memset(c.record_hash, 'a', 2 * HASH_LEN);
	assert_int_equal(plane_create(p, 8, DOTS, LINES, &e), 0);
	memset(p->data, (int)number, DOTS);
	assert_int_equal(stream_write_card(fd, &c, &e), 0);
	stream_card_done(&c);
}

/* Card n was read whole and is handed over once. */
static void
card_expect(struct ahead *a, unsigned number)
{
	enum stream_item item;
	struct stream_card c;
	struct err cause, e = {0};

	assert_int_equal(ahead_next(a, &item, &c, &cause, &e), 0);
	assert_int_equal(item, STREAM_CARD);
	assert_int_equal(c.card, number);
	assert_int_equal(c.face[SIDE_FRONT].plane[PANEL_Y].data[DOTS - 1], number);
	stream_card_done(&c);
}

static void
test_one_ahead(void **state)
{
	struct err cause = {0}, e = {0};
	enum stream_item item;
	struct stream_card c;
	struct ahead *a;
	int fd[2];
	(void)state;

	a = ahead_begin(fd, 3);
	/* none of these writes could end if nothing were read before it is asked for */
	card_write(fd[1], 1);
	card_expect(a, 1);
	card_write(fd[1], 2);
	card_expect(a, 2);
	card_write(fd[1], 3);
	card_expect(a, 3);
	assert_int_equal(stream_write_end(fd[1], 3, &e), 0);
	for (int twice = 0; twice < 2; twice++) {
		assert_int_equal(ahead_next(a, &item, &c, &cause, &e), 0);
		assert_int_equal(item, STREAM_END);
	}
	ahead_close(a);
	close(fd[0]);
	close(fd[1]);
}

/* What is wrong behind a good card is told behind it, and stays told. */
static void
test_error_in_its_place(void **state)
{
	struct err said = {.code = ERR_INPUT, .text = "Record 2: no photo."}, cause, e = {0};
	enum stream_item item;
	struct stream_card c;
	struct ahead *a;
	int fd[2];
	(void)state;

	a = ahead_begin(fd, 2);
	card_write(fd[1], 1);
	assert_int_equal(stream_write_error(fd[1], &said, &e), 0);
	card_expect(a, 1);
	for (int twice = 0; twice < 2; twice++) {
		assert_int_equal(ahead_next(a, &item, &c, &cause, &e), 0);
		assert_int_equal(item, STREAM_ERROR);
		assert_string_equal(cause.text, said.text);
	}
	ahead_close(a);
	close(fd[0]);
	close(fd[1]);
}

static void
test_filter_dies(void **state)
{
	struct err cause, e = {0};
	enum stream_item item;
	struct stream_card c;
	struct ahead *a;
	int fd[2];
	(void)state;

	a = ahead_begin(fd, 2);
	card_write(fd[1], 1);
	close(fd[1]);
	card_expect(a, 1);
	for (int twice = 0; twice < 2; twice++) {
		e = (struct err){0};
		assert_int_equal(ahead_next(a, &item, &c, &cause, &e), ERR_PROTOCOL);
		assert_true(e.text[0] != '\0');
	}
	ahead_close(a);
	close(fd[0]);
}

/* A job that is held ends although its filter says nothing more; a card nobody took is given up. */
static void
test_leaving_early(void **state)
{
	struct ahead *a;
	int fd[2];
	(void)state;

	a = ahead_begin(fd, 2);
	ahead_close(a);
	close(fd[1]);

	a = ahead_begin(fd, 2);
	card_write(fd[1], 1);
	card_expect(a, 1);
	ahead_close(a);
	close(fd[1]);

	a = ahead_begin(fd, 2);
	card_write(fd[1], 1);
	ahead_close(a);
	close(fd[1]);

	/* in the middle of a frame: the rest never comes */
	a = ahead_begin(fd, 2);
	assert_int_equal(write(fd[1], "CARD", 4), 4);
	ahead_close(a);
	close(fd[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_ahead),
		cmocka_unit_test(test_error_in_its_place),
		cmocka_unit_test(test_filter_dies),
		cmocka_unit_test(test_leaving_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
