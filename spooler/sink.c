/*
 * sink.c - the status sink that speaks CUPS.
 *
 * Owns the lines on stderr that cupsd reads: STATE:, ATTR:, PAGE:, INFO:, ERROR:. Each line goes
 * out in one write, so that lines of two processes never mix. Guarantees that no line carries
 * control characters or more than cupsd takes. A cupsd that is gone is not an error here; the
 * parent's death signal tells it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { line_max = 2047 }; /* CUPS_MAX_MESSAGE */

static volatile sig_atomic_t asked_to_cancel, lost_parent;
static int cupsd_pidfd = -1;

static void
sink_line(const char *key, const char *text)
{
	char line[line_max];
	int n = snprintf(line, sizeof(line), "%s %s", key, text);
	size_t len = n < 0 ? 0 : (size_t)n;

	if (len > sizeof(line) - 2) {
		len = sizeof(line) - 2;
		while (len > 0 && ((unsigned char)line[len] & 0xc0) == 0x80)
			len--; /* never half a character */
	}
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ')
			line[i] = ' ';
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

static void
cups_reason(struct sink *s, const char *keyword, bool set)
{
	char text[160];

	(void)s;
	snprintf(text, sizeof(text), "%c%s", set ? '+' : '-', keyword);
	sink_line("STATE:", text);
}

static int
percent(int level, int capacity)
{
	if (level < 0)
		return -1;
	if (capacity <= 0)
		return level > 100 ? 100 : level;
	return level >= capacity ? 100 : (int)((long)level * 100 / capacity);
}

/* Two markers: the ribbon in per cent, and the cards until cleaning, of which 100 count as full. */
static void
cups_supplies(struct sink *s, const struct printer_status *st)
{
	char text[320], name[sizeof(st->ribbon.name)];
	size_t n = 0;

	(void)s;
	for (const char *c = st->ribbon.name; *c && n < sizeof(name) - 1; c++)
		name[n++] = *c == '"' || *c == '\\' || *c == ',' || *c == '\'' ? ' ' : *c;
	name[n] = '\0';
	snprintf(text, sizeof(text),
		"marker-names='\"Ribbon%s%s\",\"Cleaning\"' marker-types=ink-ribbon,cleaner-unit "
		"marker-colors=#00FFFF#FF00FF#FFFF00#000000,none marker-levels=%d,%d "
		"marker-low-levels=10,5 marker-high-levels=100,100",
		n ? " " : "", name, percent(st->ribbon.level, st->ribbon.capacity),
		percent(st->cleaning_left, 0));
	sink_line("ATTR:", text);
}

static void
cups_message(struct sink *s, bool is_error, const char *text)
{
	(void)s;
	sink_line(is_error ? "ERROR:" : "INFO:", text);
}

static void
cups_impression(struct sink *s)
{
	static unsigned
		sides; /* cupsd adds the second number up; the first one is for the page log */
	char text[32];

	(void)s;
	snprintf(text, sizeof(text), "%u 1", ++sides);
	sink_line("PAGE:", text);
}

static bool
cups_cancelled(struct sink *s)
{
	(void)s;
	return asked_to_cancel != 0;
}

/* Without its supervisor the worker goes on as long as cupsd lives. */
static bool
cups_orphaned(struct sink *s)
{
	struct pollfd p = {.fd = cupsd_pidfd, .events = POLLIN};

	(void)s;
	return lost_parent != 0 && (cupsd_pidfd < 0 || poll(&p, 1, 0) != 0);
}

static bool
cups_alone(struct sink *s)
{
	(void)s;
	return lost_parent != 0;
}

struct sink sink_cups = {
	.reason = cups_reason,
	.supplies = cups_supplies,
	.message = cups_message,
	.impression = cups_impression,
	.cancelled = cups_cancelled,
	.orphaned = cups_orphaned,
	.alone = cups_alone,
};

static void
on_cancel(int signo)
{
	(void)signo;
	asked_to_cancel = 1;
}

static void
on_orphan(int signo)
{
	(void)signo;
	lost_parent = 1;
}

void
sink_cups_watch(pid_t cupsd)
{
	cupsd_pidfd = (int)syscall(SYS_pidfd_open, cupsd, 0);
}

void
sink_cups_arm(void)
{
	struct sigaction cancel = {.sa_handler = on_cancel}, orphan = {.sa_handler = on_orphan};
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGTERM, &cancel, NULL);
	sigaction(SIGINT, &cancel, NULL);
	sigaction(SINK_ORPHAN_SIGNAL, &orphan, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

void
sink_clear(struct sink *s)
{
	for (int i = 1; i < FAULT_COUNT; i++) {
		bool told = false;

		for (int j = 1; j < i && !told; j++)
			told = strcmp(faults[i].reason, faults[j].reason) == 0;
		if (!told)
			s->reason(s, faults[i].reason, false);
	}
	s->reason(s, "connecting-to-device", false);
}
