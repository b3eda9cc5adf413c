/*
 * notify.c - a failure told where people already look: the journal, and a command of the
 * administrator's.
 *
 * Owns both forms. The journal gets one datagram by its native protocol (systemd.io/
 * JOURNAL_NATIVE_PROTOCOL): FIELD=VALUE lines, or FIELD, a line break, the length in 64 bits little
 * endian and the bytes for a value with a line break in it. The command gets one JSON object on its
 * standard input, no word of it as an argument, and no shell between; after its time
 * it is ended. Guarantees: never waits, never fails the pass; nobody's name goes out but the
 * operator's login. What cannot be told is not told again.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMEOUT_PROGRAM "/usr/bin/timeout"

enum { ENTRY_MAX = 16 * 1024, JSON_MAX = 16 * 1024 };

/* One for each kind of entry, for journalctl MESSAGE_ID=. */
static const char *const message_ids[NOTIFY_COUNT] = {
	[NOTIFY_RECORDED] = "5f0c8c2f5b0f4f6e9a4a86c1d7f7a3e1",
	[NOTIFY_STOPPED] = "8e2b1a5d0c7d4e56b3f4c8a90e1d6b72",
	[NOTIFY_CLEARED] = "c4d7e0a98b354f7e8f0b2d6a1c93e5f4",
};
static const char *const notify_names[NOTIFY_COUNT] = {
	[NOTIFY_RECORDED] = "recorded",
	[NOTIFY_STOPPED] = "stopped",
	[NOTIFY_CLEARED] = "cleared",
};
static const int priorities[NOTIFY_COUNT] = {
	[NOTIFY_RECORDED] = 5, [NOTIFY_STOPPED] = 3, [NOTIFY_CLEARED] = 6};

/* Columns of a record that go out, and what they are called in the journal. */
static const struct {
	const char *column, *field;
} told[] = {
	{"id", "CARDSPOOL_FAILURE"},
	{"machine", "CARDSPOOL_MACHINE"},
	{"serial", "CARDSPOOL_SERIAL"},
	{"station", "CARDSPOOL_STATION"},
	{"order", "CARDSPOOL_ORDER"},
	{"job", "CARDSPOOL_JOB"},
	{"cups_id", "CARDSPOOL_CUPS_ID"},
	{"card", "CARDSPOOL_CARD"},
	{"copy", "CARDSPOOL_COPY"},
	{"attempt", "CARDSPOOL_ATTEMPT"},
	{"step", "CARDSPOOL_STEP"},
	{"code", "CARDSPOOL_CAUSE"},
	{"cause", "CARDSPOOL_CAUSE_TEXT"},
	{"raw", "CARDSPOOL_REPLY"},
	{"done", "CARDSPOOL_DONE"},
	{"operator", "CARDSPOOL_OPERATOR"},
	{"at", NULL},
	{"zone", NULL},
};

/* ---- the journal ---- */

static int
field_add(struct buf *out, const char *name, const char *value)
{
	size_t len = strlen(value);
	uint64_t size = htole64(len);
	int rc;

	if (!strchr(value, '\n'))
		return buf_printf(out, NULL, "%s=%s\n", name, value);
	rc = buf_printf(out, NULL, "%s\n", name);
	if (rc == 0)
		rc = buf_append(out, &size, sizeof size, NULL);
	if (rc == 0)
		rc = buf_append(out, value, len, NULL);
	return rc == 0 ? buf_append(out, "\n", 1, NULL) : rc;
}

static int
entry_build(struct buf *out, enum notify_kind kind, const struct failure_row *f, const json_t *row)
{
	char text[ERR_TEXT_MAX], number[24];
	int rc;

	snprintf(text, sizeof text, "%s %s: %s, %s", f->machine, f->serial, f->cause,
		notify_names[kind]);
	snprintf(number, sizeof number, "%d", priorities[kind]);
	rc = field_add(out, "MESSAGE", text);
	if (rc == 0)
		rc = field_add(out, "MESSAGE_ID", message_ids[kind]);
	if (rc == 0)
		rc = field_add(out, "PRIORITY", number);
	if (rc == 0)
		rc = field_add(out, "SYSLOG_IDENTIFIER", "cardspool");
	for (size_t i = 0; i < ARRAY_LEN(told) && rc == 0; i++) {
		const json_t *v = told[i].field ? json_object_get(row, told[i].column) : NULL;

		snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		if (json_is_string(v) && json_string_length(v) > 0)
			rc = field_add(out, told[i].field, json_string_value(v));
		else if (json_is_integer(v) && json_integer_value(v) != 0)
			rc = field_add(out, told[i].field, number);
	}
	return rc;
}

void
notify_journal(const char *path, enum notify_kind kind, const struct failure_row *f)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	json_t *row = columns_json(failure_columns, f);
	struct buf entry;
	int fd = -1;

	buf_init(&entry, ENTRY_MAX);
	if (row && strlen(path) < sizeof to.sun_path && entry_build(&entry, kind, f, row) == 0)
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0) {
		memcpy(to.sun_path, path, strlen(path));
		/* No journal there, or a full one: the record itself is in the ledger. */
		(void)!sendto(fd, entry.data, entry.len, MSG_NOSIGNAL, (const struct sockaddr *)&to,
			sizeof to);
		close(fd);
	}
	buf_done(&entry);
	json_decref(row);
}

/* ---- the command ---- */

static json_t *
event_build(enum notify_kind kind, const struct failure_row *f)
{
	json_t *row = columns_json(failure_columns, f), *out = json_object();
	char at[24];

	time_utc(at, f->at);
	json_object_set_new(out, "event", json_string(notify_names[kind]));
	for (size_t i = 0; row && i < ARRAY_LEN(told); i++)
		json_object_set(out, told[i].column, json_object_get(row, told[i].column));
	json_decref(row);
	json_object_set_new(out, "at_text", json_string(at));
	return out;
}

/* Between fork and exec only what signals allow: the worker may have threads. */
static void
command_exec(const char *command, const char *limit, int in)
{
	static const char *const environment[] = {
		"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", NULL};
	const char *const argv[] = {TIMEOUT_PROGRAM, "--kill-after=5", limit, command, NULL};
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	int null = open("/dev/null", O_WRONLY);
	if (null < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
		dup2(null, STDERR_FILENO) < 0)
		_exit(127);
	close_range(3, ~0U, 0);
	execve(TIMEOUT_PROGRAM, (char *const *)(uintptr_t)argv,
		(char *const *)(uintptr_t)environment);
	_exit(127);
}

void
notify_command(
	const char *command, unsigned limit_s, enum notify_kind kind, const struct failure_row *f)
{
	json_t *event = event_build(kind, f);
	char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0;
	char limit[16];
	int fds[2] = {-1, -1};
	pid_t pid;

	snprintf(limit, sizeof limit, "%u", limit_s);
	json_decref(event);
	/* All of it fits into the pipe, so nobody is waited for. */
	if (len == 0 || len > JSON_MAX || pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0 ||
		write(fds[1], text, len) != (ssize_t)len)
		goto out;
	close(fds[1]);
	fds[1] = -1;
	if (fcntl(fds[0], F_SETFL, 0) != 0) /* it reads as from any pipe */
		goto out;
	pid = fork();
	if (pid == 0) { /* twice, so that it is nobody's child and no zombie */
		setsid();
		if (fork() == 0)
			command_exec(command, limit, fds[0]);
		_exit(0);
	}
	if (pid > 0)
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
out:
	if (fds[0] >= 0)
		close(fds[0]);
	if (fds[1] >= 0)
		close(fds[1]);
	free(text);
}

/* ---- what the pass calls ---- */

void
notify_failure(const struct config *c, enum notify_kind kind, const struct failure_row *f)
{
	const char *command = c ? config_text(c, "notify", "command") : NULL;
	const char *journal = c ? config_text(c, "notify", "journal") : NULL;

	if (journal)
		notify_journal(journal, kind, f);
	if (command && kind == NOTIFY_STOPPED)
		notify_command(command, config_number(c, "notify", "command-timeout-s"), kind, f);
}
