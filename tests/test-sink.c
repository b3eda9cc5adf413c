/*
 * test-sink.c - the lines cupsd reads. Expected lines are written from the filter(7) and backend(7)
 * pages of CUPS 2.4.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int saved = -1, pipe_read = -1;

static void
capture_start(void)
{
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	saved = dup(STDERR_FILENO);
	dup2(fd[1], STDERR_FILENO);
	close(fd[1]);
	pipe_read = fd[0];
}

static size_t
capture_end(char *out, size_t max)
{
	size_t n = 0;
	ssize_t got;

	dup2(saved, STDERR_FILENO);
	close(saved);
	while (n + 1 < max && (got = read(pipe_read, out + n, max - 1 - n)) > 0)
		n += (size_t)got;
	out[n] = '\0';
	close(pipe_read);
	return n;
}

static void
lines_are_as_cups_wants(void **state)
{
	struct printer_status st = {
		.supply = {{.kind = SUPPLY_RIBBON,
				   .name = "ymcko \"x\"",
				   .level = 50,
				   .capacity = 200},
			{.kind = SUPPLY_CLEANING, .level = 7, .capacity = -1},
			{.kind = SUPPLY_HEAD, .level = 25000, .capacity = 50000}},
		.n_supplies = 3,
		.supply_note = "Too 'few', \"they\" say."};
	struct printer_status unknown = {
		.supply = {{.kind = SUPPLY_RIBBON, .name = "k", .level = -1, .capacity = -1}},
		.n_supplies = 1};
	char text[4096];

	(void)state;
	capture_start();
	sink_cups.reason(&sink_cups, "media-jam-error", true);
	sink_cups.reason(&sink_cups, "media-jam-error", false);
	sink_cups.message(&sink_cups, false, "Card 7: being made.");
	sink_cups.message(&sink_cups, true, "two\nlines\r\x1b");
	sink_cups.impression(&sink_cups);
	sink_cups.impression(&sink_cups);
	sink_cups.supplies(&sink_cups, &st);
	sink_cups.supplies(&sink_cups, &unknown);
	capture_end(text, sizeof(text));
	assert_string_equal(text,
		"STATE: +media-jam-error\nSTATE: -media-jam-error\nINFO: Card 7: being made.\n"
		"ERROR: two lines  \nPAGE: 1 1\nPAGE: 2 1\n"
		"ATTR: marker-names='\"Ribbon ymcko  x \",\"Cleaning\",\"Print head\"' "
		"marker-types=ink-ribbon,cleaner-unit,other "
		"marker-colors=#00FFFF#FF00FF#FFFF00#000000,none,none marker-levels=25,7,50 "
		"marker-low-levels=10,5,5 marker-high-levels=100,100,100 "
		"marker-message=\"Too  few    they  say. Ribbon 50/200; Cleaning 7; Print head "
		"25000/50000\"\n"
		"ATTR: marker-names='\"Ribbon k\"' marker-types=ink-ribbon marker-colors=#000000 "
		"marker-levels=-1 marker-low-levels=10 marker-high-levels=100 "
		"marker-message=\"\"\n");
}

static void
long_lines_are_cut_between_characters(void **state)
{
	char text[8192], message[4000];

	(void)state;
	for (size_t shift = 0; shift < 3; shift++) {
		size_t n;

		memset(message, 0, sizeof(message));
		memset(message, 'x', shift);
		for (size_t i = shift; i + 3 < 3990; i += 3)
			memcpy(message + i, "\xe5\x8d\xa1", 3);
		capture_start();
		sink_cups.message(&sink_cups, false, message);
		n = capture_end(text, sizeof(text));
		assert_in_range(n, 2000, 2047);
		assert_int_equal(text[n - 1], '\n');
		assert_int_equal((n - 1 - strlen("INFO: ") - shift) % 3, 0);
	}
}

/* Every keyword of the table is taken back once, and nothing is set. */
static void
clearing_takes_everything_back(void **state)
{
	char text[16384], want[128];

	(void)state;
	capture_start();
	sink_clear(&sink_cups);
	capture_end(text, sizeof(text));
	assert_null(strstr(text, "STATE: +"));
	for (int i = 1; i < FAULT_COUNT; i++) {
		const char *at;

		snprintf(want, sizeof(want), "STATE: -%s\n", faults[i].reason);
		at = strstr(text, want);
		assert_non_null(at);
		assert_null(strstr(at + 1, want));
	}
}

static void
signals_are_remembered(void **state)
{
	(void)state;
	sink_cups_arm();
	assert_false(sink_cups.cancelled(&sink_cups));
	assert_false(sink_cups.orphaned(&sink_cups));
	raise(SIGPIPE);
	raise(SIGTERM);
	assert_true(sink_cups.cancelled(&sink_cups));
	assert_false(sink_cups.orphaned(&sink_cups));
	raise(SINK_ORPHAN_SIGNAL);
	assert_true(sink_cups.orphaned(&sink_cups));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_as_cups_wants),
		cmocka_unit_test(long_lines_are_cut_between_characters),
		cmocka_unit_test(clearing_takes_everything_back),
		cmocka_unit_test(signals_are_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
