/*
 * cmd-web.c - the command that serves the workshop page.
 *
 * Owns its words, its settings and the signals that end it. Guarantees: says where it listens when
 * it does; never runs as root, since it needs nothing of root. Exit status 0 after SIGTERM or
 * SIGINT.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/web.h"

#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define USAGE "[--listen ADDRESS:PORT] [--json] [--ledger FILE]"

struct call {
	const char *listen, *ledger;
	bool json;
};

static int
call_parse(struct call *c, int argc, char **argv, struct err *e)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"ledger", required_argument, NULL, 'l'},
		{"listen", required_argument, NULL, 'L'},
		{0},
	};
	int option;

	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'j')
			c->json = true;
		else if (option == 'l')
			c->ledger = optarg;
		else if (option == 'L')
			c->listen = optarg;
		else
			return err_set(e, ERR_USAGE,
				_("\"%s\" is not understood. The call is: cardspool web %s"),
				argv[optind > 0 ? optind - 1 : 0], USAGE);
	}
	if (optind != argc)
		return err_set(e, ERR_USAGE, _("The call is: cardspool web %s"), USAGE);
	return 0;
}

/* Started by root, it becomes the ledger's owner. */
static int
root_leave(const struct config *config, struct err *e)
{
	const char *name = config_worker_user(config);
	struct passwd *pw;

	if (geteuid() != 0)
		return 0;
	pw = getpwnam(name);
	if (!pw)
		return err_set(e, ERR_MISSING,
			_("There is no user \"%s\". Name one with worker-user in [process]."),
			name);
	if (pw->pw_uid == 0)
		return 0; /* a test that is root alone */
	if (initgroups(name, pw->pw_gid) != 0 || setgid(pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0)
		return err_set(
			e, ERR_SYSTEM, _("Cannot become user %s: %s."), name, strerror(errno));
	return 0;
}

static int
signals_open(int *fd, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	*fd = signalfd(-1, &set, SFD_CLOEXEC);
	return *fd >= 0 ? 0 : err_set(e, ERR_SYSTEM, "%s", strerror(errno));
}

static int
web_serve(const struct call *c, const struct config *config, struct err *e)
{
	const struct web_settings settings = {
		.listen = c->listen ? c->listen : config_text(config, "web", "listen"),
		.host = config_text(config, "web", "host"),
		.certificate = config_text(config, "web", "certificate"),
		.private_key = config_text(config, "web", "private-key"),
		.ledger = c->ledger ? c->ledger : config_ledger(config),
		.idle_s = config_number(config, "web", "idle-s"),
		.months = config_retention_months(config)};
	struct web *w = NULL;
	int fd = -1, rc = signals_open(&fd, e);

	if (rc == 0)
		rc = web_open(&w, &settings, e);
	if (rc == 0)
		rc = root_leave(config, e);
	if (rc == 0) {
		printf(c->json ? "{\"url\":\"%s\"}\n" : _("The workshop page is at %s\n"),
			web_url(w));
		fflush(stdout);
		rc = web_run(w, fd, e);
	}
	web_close(w);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int
web_run_command(int argc, char **argv, struct err *e)
{
	struct call c = {0};
	struct config *config = NULL;
	int rc = call_parse(&c, argc, argv, e);

	if (rc == 0)
		rc = config_load(&config, e);
	if (rc == 0)
		rc = web_serve(&c, config, e);
	config_destroy(config);
	return rc;
}

const struct command commands_web[] = {
	{"web", NULL, USAGE, N_("the workshop page: machines, failures, reviews, charts"),
		web_run_command},
	{0},
};
