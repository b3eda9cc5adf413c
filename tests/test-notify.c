/*
 * test-notify.c - what the journal and a command are told of a failure.
 *
 * The journal is a socket of our own; entries are compared with the bytes that the description of
 * the native protocol asks for.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { WAIT_S = 120 };

static char folder[64];

static const char *
path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static struct failure_row
row_make(void)
{
	struct failure_row f = {.id = 17,
		.at = 1795000000000,
		.cups_id = 42,
		.card = 3,
		.copy = 1,
		.machine = "Evolis Dualys 3",
		.serial = "60001234",
		.order = "2026-0001",
		.holder_masked = "W*",
		.step = "print",
		.code = "jam-printing",
		.cause = "the card is jammed",
		.raw = "CARD JAM",
		.operator_name = "wang"};

	return f;
}

static void
script_write(const char *name, const char *text)
{
	assert_int_equal(file_write(path_of(name), text, strlen(text), 0755, NULL), 0);
}

/* Waits until a file has a whole line. */
static void
line_wait(const char *name, char *out, size_t max)
{
	for (int i = 0; i < WAIT_S * 20; i++) {
		FILE *f = fopen(path_of(name), "re");
		size_t n = f ? fread(out, 1, max - 1, f) : 0;

		if (f)
			fclose(f);
		out[n] = '\0';
		if (n > 0 && strchr(out, '\n'))
			return;
		usleep(50000);
	}
	fail_msg("%s did not come", name);
}

static void
journal_entry(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct failure_row f = row_make();
	char entry[8192];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	(void)state;
	snprintf(at.sun_path, sizeof at.sun_path, "%s", path_of("journal"));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	snprintf(f.raw, sizeof f.raw, "two\nMESSAGE=forged");
	notify_journal(path_of("journal"), NOTIFY_STOPPED, &f);
	assert_int_equal(poll(&wait, 1, WAIT_S * 1000), 1);
	ssize_t n = recv(fd, entry, sizeof entry - 1, 0);
	assert_true(n > 0);
	static const char *const lines[] = {
		"MESSAGE=Evolis Dualys 3 60001234: the card is jammed, stopped\n", "PRIORITY=3\n",
		"SYSLOG_IDENTIFIER=cardspool\n", "\nCARDSPOOL_FAILURE=17\n",
		"\nCARDSPOOL_ORDER=2026-0001\n", "\nCARDSPOOL_CAUSE=jam-printing\n",
		"\nCARDSPOOL_CUPS_ID=42\n", "\nCARDSPOOL_OPERATOR=wang\n"};
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		assert_non_null(memmem(entry, (size_t)n, lines[i], strlen(lines[i])));
	/* A line break does not make a field: its value goes by length. */
	static const char raw[] = "\nCARDSPOOL_REPLY\n\x12\0\0\0\0\0\0\0two\nMESSAGE=forged\n";
	assert_non_null(memmem(entry, (size_t)n, raw, sizeof raw - 1));
	/* The holder is nobody's business there. */
	assert_null(memmem(entry, (size_t)n, "W*", 2));
	close(fd);
}

static void
journal_missing(void **state)
{
	char long_path[300];
	struct failure_row f = row_make();

	(void)state;
	memset(long_path, 'x', sizeof long_path - 1);
	long_path[sizeof long_path - 1] = '\0';
	notify_journal(path_of("no-such-socket"), NOTIFY_CLEARED, &f);
	notify_journal(long_path, NOTIFY_CLEARED, &f);
	notify_failure(NULL, NOTIFY_STOPPED, &f);
}

static void
command_input(void **state)
{
	char script[400], said[4096];
	struct failure_row f = row_make();
	json_t *event;

	(void)state;
	setenv("SECRET", "from the caller", 1);
	snprintf(script, sizeof script,
		"#!/bin/sh\ncat >%s/got; echo >>%s/got\necho \"$# ${SECRET:-none} $(ls "
		"/proc/self/fd "
		"| wc -l)\" >%s/told\n",
		folder, folder, folder);
	script_write("hook", script);
	int extra = open("/dev/null", 0);
	notify_command(path_of("hook"), 60, NOTIFY_STOPPED, &f);
	line_wait("told", said, sizeof said);
	/* No argument, nothing of the caller's environment, no descriptor but 0, 1, 2 and ls' own.
	 */
	assert_string_equal(said, "0 none 4\n");
	close(extra);
	line_wait("got", said, sizeof said);
	event = json_loads(said, 0, NULL);
	assert_non_null(event);
	assert_string_equal(json_string_value(json_object_get(event, "event")), "stopped");
	assert_string_equal(json_string_value(json_object_get(event, "code")), "jam-printing");
	assert_int_equal(json_integer_value(json_object_get(event, "id")), 17);
	assert_non_null(json_object_get(event, "at_text"));
	assert_null(json_object_get(event, "holder"));
	json_decref(event);
}

static void
command_ended(void **state)
{
	char script[300], said[64];
	struct failure_row f = row_make();

	(void)state;
	snprintf(script, sizeof script, "#!/bin/sh\necho $$ >%s/pid\nexec sleep 600\n", folder);
	script_write("slow", script);
	notify_command(path_of("slow"), 2, NOTIFY_STOPPED, &f);
	for (int i = 0; i < WAIT_S * 20 && access(path_of("pid"), F_OK) != 0; i++)
		usleep(50000);
	line_wait("pid", said, sizeof said);
	pid_t pid = (pid_t)strtol(said, NULL, 10);
	assert_true(pid > 1);
	for (int i = 0; i < WAIT_S * 20 && kill(pid, 0) == 0; i++)
		usleep(50000);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

static void
command_missing(void **state)
{
	struct failure_row f = row_make();

	(void)state;
	notify_command("/no/such/command", 5, NOTIFY_STOPPED, &f);
	notify_command(path_of(""), 5, NOTIFY_STOPPED, &f);
}

static int
folder_make(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/cardspool-notify.XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int
folder_remove(void **state)
{
	static const char *const names[] = {"journal", "hook", "got", "told", "slow", "pid"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unlink(path_of(names[i]));
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(journal_entry),
		cmocka_unit_test(journal_missing),
		cmocka_unit_test(command_input),
		cmocka_unit_test(command_ended),
		cmocka_unit_test(command_missing),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
