/*
 * test-service.c - command files: what is understood, what is refused whole, and what the ledger
 * says of work on the machine that was broken off.
 *
 * The ledger is the real one; the printer counts what it is told to do.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define SERIAL "S1"

struct printer {
	unsigned looks, begun, cleaned, tested;
	enum fault fault; /* what it shows */
	int rc;           /* of the next service */
};
static struct printer machine;

static const struct printer_model *
memory_model(const struct printer *p)
{
	static const struct printer_model model = {.name = "Memory 1", .ribbons = "ymcko k"};

	(void)p;
	return &model;
}

static int
memory_status(struct printer *p, struct printer_status *out, struct err *e)
{
	(void)e;
	p->looks++;
	*out = (struct printer_status){.fault = p->fault, .cards = -1, .cleaning_left = -1};
	return 0;
}

static int
memory_begin(struct printer *p, const struct print_job *job, struct err *e)
{
	(void)e;
	assert_non_null(job->ribbon);
	p->begun++;
	return 0;
}

static struct ledger *ledger;

/* The intent is on disk before anything moves. */
static int
memory_service(struct printer *p, enum printer_service what, struct err *e)
{
	enum printer_service open_what;
	bool open;

	assert_int_equal(ledger_service_open(ledger, SERIAL, &open_what, &open, e), 0);
	assert_true(open && open_what == what);
	assert_true(p->begun > 0);
	p->cleaned += what == SERVICE_CLEAN;
	p->tested += what == SERVICE_TEST_CARD;
	if (p->rc)
		err_set(e, p->rc, "said so");
	return p->rc;
}

static const struct printer_driver driver = {.family = "memory",
	.model = memory_model,
	.status = memory_status,
	.begin = memory_begin,
	.service = memory_service};

static char words[2048];

static void
sink_reason(struct sink *s, const char *keyword, bool set)
{
	(void)s, (void)keyword, (void)set;
}

static void
sink_supplies(struct sink *s, const struct printer_status *st)
{
	(void)s, (void)st;
}

static void
sink_message(struct sink *s, bool is_error, const char *text)
{
	size_t n = strlen(words);

	(void)s, (void)is_error;
	snprintf(words + n, sizeof words - n, "%s|", text);
}

static struct sink sink = {
	.reason = sink_reason, .supplies = sink_supplies, .message = sink_message};

/* ---- a fresh ledger for each test ---- */

static char file[80];

static int
ledger_fresh(void **state)
{
	static unsigned n;
	struct err e;

	(void)state;
	snprintf(file, sizeof file, "%s/test-service-%d-%u.db",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid(), n++);
	memset(&machine, 0, sizeof machine);
	words[0] = '\0';
	return ledger_open(&ledger, file, LEDGER_WRITE, &e);
}

static int
ledger_gone(void **state)
{
	static const char *const ends[] = {"", "-wal", "-shm"};

	(void)state;
	ledger_close(ledger);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		char name[96];

		snprintf(name, sizeof name, "%s%s", file, ends[i]);
		unlink(name);
	}
	return 0;
}

static enum pass_end
file_run(const char *uuid, const void *text, size_t len, struct err *e)
{
	struct pass p = {.driver = &driver, .printer = &machine, .sink = &sink, .ledger = ledger};
	int fd = memfd_create("commands", MFD_CLOEXEC);
	enum pass_end end;

	memset(e, 0, sizeof *e);
	snprintf(p.job.uuid, sizeof p.job.uuid, "%s", uuid);
	snprintf(p.job.printer_serial, sizeof p.job.printer_serial, SERIAL);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	end = worker_commands(&p, fd, e);
	close(fd);
	return end;
}

static enum pass_end
text_run(const char *uuid, const char *text, struct err *e)
{
	return file_run(uuid, text, strlen(text), e);
}

static void
test_understood(void **state)
{
	struct err e;
	(void)state;

	assert_int_equal(text_run("job-1", "#CUPS-COMMAND\r\nReportLevels\r\n", &e), PASS_OK);
	assert_int_equal(machine.looks, 1);
	assert_int_equal(machine.begun, 0);
	assert_int_equal(
		text_run("job-2", "#CUPS-COMMAND\n# a note\n\n  clean all\nPrintSelfTestPage", &e),
		PASS_OK);
	assert_int_equal(machine.cleaned, 1);
	assert_int_equal(machine.tested, 1);
}

/* Nothing at all is done of a file that has one bad line, wherever it stands. */
static void
test_refused_whole(void **state)
{
	static const char *const bad[] = {"", "Clean\n", "#CUPS-COMMAND\nClean\nFly\n",
		"#CUPS-COMMAND\nClea\n", "#CUPS-COMMAND\nCleanAll\n",
		"#CUPS-"
		"COMMAND\nClean\nClean\nClean\nClean\nClean\nClean\nClean\nClean\nClean\nClean\n"
		"Clean\nClean\nClean\nClean\nClean\nClean\nClean\n"};
	static char huge[5000];
	struct err e;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(text_run("job-1", bad[i], &e), PASS_CANCEL);
		assert_true(e.text[0] != '\0');
	}
	memset(huge, '#', sizeof huge);
	memcpy(huge, "#CUPS-COMMAND\n", 14);
	assert_int_equal(file_run("job-1", huge, sizeof huge, &e), PASS_CANCEL);
	assert_int_equal(file_run("job-1", "#CUPS-COMMAND\nClean\n\0Clean", 26, &e), PASS_CANCEL);
	assert_int_equal(machine.cleaned + machine.tested + machine.begun, 0);
}

/* CUPS runs the same job again after a crash: not a second card for it. */
static void
test_not_twice(void **state)
{
	struct err e;
	(void)state;

	assert_int_equal(text_run("job-1", "#CUPS-COMMAND\nPrintSelfTestPage\n", &e), PASS_OK);
	assert_int_equal(text_run("job-1", "#CUPS-COMMAND\nPrintSelfTestPage\n", &e), PASS_CANCEL);
	assert_int_equal(machine.tested, 1);
	assert_int_equal(text_run("job-2", "#CUPS-COMMAND\nPrintSelfTestPage\n", &e), PASS_OK);
	assert_int_equal(machine.tested, 2);
}

/* What was begun and never ended is said to a person once, and counted by nobody. */
static void
test_broken_off(void **state)
{
	struct wear w;
	struct err e;
	(void)state;

	assert_int_equal(ledger_service_begin(ledger, "job-0", SERIAL, SERVICE_TEST_CARD, &e), 0);
	assert_int_equal(text_run("job-1", "#CUPS-COMMAND\nReportLevels\n", &e), PASS_OK);
	assert_non_null(strstr(words, "earlier test card"));
	words[0] = '\0';
	assert_int_equal(text_run("job-2", "#CUPS-COMMAND\nReportLevels\n", &e), PASS_OK);
	assert_null(strstr(words, "earlier"));
	assert_int_equal(ledger_wear(ledger, SERIAL, &w, &e), 0);
	assert_int_equal(w.tests, 0);
}

static void
test_outcomes(void **state)
{
	static const int rcs[] = {0, ERR_FAULT, ERR_DOUBT};
	struct wear w;
	struct err e;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rcs); i++) {
		enum printer_service what;
		char uuid[16];
		bool open;

		snprintf(uuid, sizeof uuid, "job-%zu", i);
		machine.rc = rcs[i];
		assert_int_equal(text_run(uuid, "#CUPS-COMMAND\nPrintSelfTestPage\nClean\n", &e),
			rcs[i] ? PASS_CANCEL : PASS_OK);
		assert_int_equal(ledger_service_open(ledger, SERIAL, &what, &open, &e), 0);
		assert_false(open); /* an outcome was written whatever came of it */
	}
	assert_int_equal(machine.cleaned, 1); /* nothing follows a failure */
	assert_int_equal(ledger_wear(ledger, SERIAL, &w, &e), 0);
	assert_int_equal(w.tests, 1);
}

static void
test_hindered(void **state)
{
	static const struct {
		enum fault fault;
		bool clean, test;
	} rows[] = {{FAULT_NONE, true, true}, {FAULT_CLEANING_DUE, true, true},
		{FAULT_RIBBON_END, true, false}, {FAULT_RIBBON_NONE, true, false},
		{FAULT_HOPPER_EMPTY, true, false}, {FAULT_COVER_OPEN, false, false},
		{FAULT_JAM_PRINT, false, false}, {FAULT_HEAD_HOT, false, false}};
	struct err e;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct printer before = machine;
		char uuid[16];

		machine.fault = rows[i].fault;
		snprintf(uuid, sizeof uuid, "clean-%zu", i);
		assert_int_equal(text_run(uuid, "#CUPS-COMMAND\nClean\n", &e),
			rows[i].clean ? PASS_OK : PASS_CANCEL);
		snprintf(uuid, sizeof uuid, "test-%zu", i);
		assert_int_equal(text_run(uuid, "#CUPS-COMMAND\nPrintSelfTestPage\n", &e),
			rows[i].test ? PASS_OK : PASS_CANCEL);
		assert_int_equal(machine.cleaned - before.cleaned, rows[i].clean);
		assert_int_equal(machine.tested - before.tested, rows[i].test);
	}
}

/* Random bytes behind the magic: refused or understood, never more than a file's worth of acts. */
static void
test_noise(void **state)
{
	static const char alphabet[] = "Clean \r\n#PrintSelfTestPageReportLevels\t\0\xff";
	uint32_t seed = 7;
	struct err e;
	(void)state;

	for (unsigned round = 0; round < 300; round++) {
		char text[200] = "#CUPS-COMMAND\n", uuid[16];
		size_t n = 14;

		while (n < sizeof text) {
			seed = seed * 1664525 + 1013904223;
			text[n++] = alphabet[(seed >> 16) % sizeof alphabet];
		}
		snprintf(uuid, sizeof uuid, "noise-%u", round);
		enum pass_end end = file_run(uuid, text, sizeof text, &e);
		assert_true(end == PASS_OK || (end == PASS_CANCEL && e.text[0]));
	}
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, ledger_fresh, ledger_gone)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FRESH(test_understood),
		FRESH(test_refused_whole),
		FRESH(test_not_twice),
		FRESH(test_broken_off),
		FRESH(test_outcomes),
		FRESH(test_hindered),
		FRESH(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
