/*
 * secret-line.c - a line that a terminal does not show.
 *
 * Owns the terminal while it is quiet. Guarantees: it shows again what is typed however the line
 * ends, also when the person breaks off by a signal; no copy of the line stays here. The caller
 * wipes its own.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/keys.h"

#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

static const int held_signals[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP};

/* A terminal while it shows nothing. */
struct quiet_terminal {
	bool is_one; /* standard input may be a pipe */
	struct termios before;
	struct sigaction actions[ARRAY_LEN(held_signals)];
	sigset_t mask;
};

static void
signal_noted(int number)
{
	(void)number; /* ends the wait, so that the terminal is put right */
}

/* Whoever breaks off gets a terminal that shows again what is typed. The signals are taken in
 * byte_wait() only. */
static void
signals_hold(struct quiet_terminal *t)
{
	sigset_t held;

	sigemptyset(&held);
	for (size_t i = 0; i < ARRAY_LEN(held_signals); i++) {
		struct sigaction now = {
			.sa_handler = held_signals[i] == SIGTSTP ? SIG_IGN : signal_noted};
		sigaddset(&held, held_signals[i]);
		sigaction(held_signals[i], &now, &t->actions[i]);
	}
	sigprocmask(SIG_BLOCK, &held, &t->mask);
}

static void
signals_release(const struct quiet_terminal *t)
{
	for (size_t i = 0; i < ARRAY_LEN(held_signals); i++)
		sigaction(held_signals[i], &t->actions[i], NULL);
	sigprocmask(SIG_SETMASK, &t->mask, NULL);
}

static void
terminal_hush(struct quiet_terminal *t, const char *prompt)
{
	struct termios quiet;

	t->is_one = tcgetattr(STDIN_FILENO, &t->before) == 0;
	if (!t->is_one)
		return;
	signals_hold(t);
	quiet = t->before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	printf("%s: ", prompt);
	fflush(stdout);
}

static void
terminal_restore(const struct quiet_terminal *t)
{
	if (!t->is_one)
		return;
	tcflush(STDIN_FILENO, TCIFLUSH); /* digits half typed are nobody's command line */
	tcsetattr(STDIN_FILENO, TCSANOW, &t->before);
	signals_release(t);
	putchar('\n');
}

/* 1: a byte, 0: the end, -1: broken off. Unbuffered: no copy of a key stays in a stream's buffer.
 */
static int
byte_read(const struct quiet_terminal *t, char *c)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};

	if (t->is_one && ppoll(&p, 1, NULL, &t->mask) < 0)
		return -1;
	return read(STDIN_FILENO, c, 1) == 1;
}

int
secret_line(char *out, size_t max, const char *prompt, struct err *e)
{
	struct quiet_terminal terminal;
	size_t n = 0;
	int got;
	char c;

	terminal_hush(&terminal, prompt);
	while ((got = byte_read(&terminal, &c)) == 1 && c != '\n' && n < max)
		out[n++] = c;
	terminal_restore(&terminal);
	if (got < 0)
		return err_set(e, ERR_INPUT, "%s", _("Broken off; nothing was kept."));
	if (n == max)
		return err_set(e, ERR_INPUT, "%s", _("That line is too long."));
	out[n] = '\0';
	return 0;
}
