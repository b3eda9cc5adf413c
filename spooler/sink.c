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
#include <stdarg.h>
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

/* ---- markers: a list for each attribute, an entry for each supply ---- */

enum { MARKER_NAMES, MARKER_TYPES, MARKER_COLORS, MARKER_LEVELS, MARKER_LOWS, MARKER_HIGHS, MARKERS };

struct markers {
	char list[MARKERS][320];
	char message[ERR_TEXT_MAX];
};

__attribute__((format(printf, 3, 4))) static void
marker_add(struct markers *m, int list, const char *format, ...)
{
	char *at = m->list[list];
	size_t n = strlen(at);
	va_list ap;

	if (n > 0 && n + 1 < sizeof(m->list[list]))
		at[n++] = ',';
	va_start(ap, format);
	vsnprintf(at + n, sizeof(m->list[list]) - n, format, ap);
	va_end(ap);
}

/* cupsd takes quotes and commas apart: a printer's own words must not carry any. */
static void
plain_text(char *out, size_t max, const char *text)
{
	size_t n = 0;

	for (; text[n] && n < max - 1; n++)
		out[n] = strchr("\"\\,'", text[n]) ? ' ' : text[n];
	out[n] = '\0';
}

static const char *
marker_color(const struct supply *s)
{
	const struct ribbon *r = s->kind == SUPPLY_RIBBON ? ribbon_find(s->name) : NULL;

	if (s->kind != SUPPLY_RIBBON)
		return "none";
	return r && !strchr(r->front, 'Y') ? "#000000" : "#00FFFF#FF00FF#FFFF00#000000";
}

static void
marker_put(struct markers *m, const struct supply *s)
{
	const struct supply_row *row = &supply_rows[s->kind];
	char name[sizeof(s->name)];
	size_t n = strlen(m->message);

	plain_text(name, sizeof(name), s->kind == SUPPLY_RIBBON ? s->name : "");
	marker_add(m, MARKER_NAMES, "\"%s%s%s\"", _(row->name), name[0] ? " " : "", name);
	marker_add(m, MARKER_TYPES, "%s", row->marker_type);
	marker_add(m, MARKER_COLORS, "%s", marker_color(s));
	marker_add(m, MARKER_LEVELS, "%d", supply_percent(s));
	marker_add(m, MARKER_LOWS, "%d", row->low);
	marker_add(m, MARKER_HIGHS, "100");
	if (s->level < 0)
		return;
	snprintf(m->message + n, sizeof(m->message) - n, "%s%s %d", n ? "; " : "", _(row->name),
		s->level);
	n = strlen(m->message);
	if (s->capacity > 0)
		snprintf(m->message + n, sizeof(m->message) - n, "/%d", s->capacity);
}

static void
cups_supplies(struct sink *s, const struct printer_status *st)
{
	struct markers m = {0};
	char text[2600], note[ERR_TEXT_MAX], figures[ERR_TEXT_MAX];

	(void)s;
	for (unsigned i = 0; i < st->n_supplies; i++)
		marker_put(&m, &st->supply[i]);
	if (st->n_supplies == 0)
		return;
	plain_text(note, sizeof(note), st->supply_note);
	plain_text(figures, sizeof(figures), m.message);
	snprintf(text, sizeof(text),
		"marker-names='%s' marker-types=%s marker-colors=%s marker-levels=%s "
		"marker-low-levels=%s marker-high-levels=%s marker-message=\"%s%s%s\"",
		m.list[MARKER_NAMES], m.list[MARKER_TYPES], m.list[MARKER_COLORS],
		m.list[MARKER_LEVELS], m.list[MARKER_LOWS], m.list[MARKER_HIGHS], note,
		note[0] ? " " : "", figures);
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
	supply_clear(s);
}
