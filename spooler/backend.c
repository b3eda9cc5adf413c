/*
 * backend.c - the CUPS backend: discovery, the supervisor, and the only place with CUPS exit codes.
 *
 * Owns two children: keyd, which alone holds the master keys, and the worker, which alone holds
 * device and ledger. Guarantees that a child's death by a signal, or any status the worker did not
 * promise, ends as STOP with a message and never as success; that there is no way to end with
 * FAILED or RETRY, which would run the job again from the start; that no process of it leaves a
 * core file. When cupsd dies, the worker finishes the act under way and leaves the rest to the next
 * run. When only the supervisor dies, worker and keyd go on: the filter still writes, and cupsd
 * would take the job for completed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "config.h"
#include "spooler/spooler.h"

#include "filters/language.h"

#include <cups/backend.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the worker promises to exit with; anything else is a death. */
enum { worker_status_base = 40 };

static const struct {
	enum pass_end end;
	int cups;
} exits[] = {
	{PASS_OK, CUPS_BACKEND_OK},
	{PASS_HOLD, CUPS_BACKEND_HOLD},
	{PASS_STOP, CUPS_BACKEND_STOP},
	{PASS_CANCEL, CUPS_BACKEND_CANCEL},
};

struct child {
	pid_t pid;
	int status;
	bool gone;
};

static void
say(const struct err *e)
{
	sink_cups.message(&sink_cups, true, e->text);
}

/* ---- discovery ---- */

/* cupsd's reader of devices stops when the last backend ends, with whatever is in the pipe then. */
static void
lines_wait(void)
{
	int left = 0;

	fflush(stdout);
	for (unsigned i = 0; i < 50 && ioctl(STDOUT_FILENO, FIONREAD, &left) == 0 && left > 0; i++)
		usleep(10000);
	usleep(50000);
}

/* One line per printer. Nothing is claimed, so that a running job is not disturbed. */
static int
discover(void)
{
	struct usb_printer *list = NULL;
	struct err e = {0};
	size_t n = 0;
	char uri[512];

	if (printers_list(&list, &n, &e) != 0) {
		say(&e);
		return CUPS_BACKEND_OK;
	}
	for (size_t i = 0; i < n; i++) {
		const struct usb_printer *u = &list[i];
		char model[160], info[240], place[48];

		if (uri_build(uri, sizeof(uri), u) != 0)
			continue;
		snprintf(model, sizeof(model), "%s %s", u->make, u->model);
		snprintf(info, sizeof(info), "%s (%s)", model, u->serial[0] ? u->serial : u->path);
		snprintf(place, sizeof(place), "USB %s", u->path);
		/* It quotes: these words are the device's own. */
		cupsBackendReport("direct", uri, model, info, u->device_id, place);
	}
	if (n > 0)
		lines_wait();
	free(list);
	return CUPS_BACKEND_OK;
}

/* ---- what every process of the job gives up ---- */

/* The parent may have died before the kernel was told to watch it. */
static void
watch_parent(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SINK_ORPHAN_SIGNAL);
	if (getppid() != parent)
		raise(SINK_ORPHAN_SIGNAL);
}

/* The folders of lock and ledger, made for the worker while there is still the right to do so. */
static void
folder_make(const char *path, const struct passwd *user)
{
	if (mkdir(path, 0750) == 0 && user && chown(path, user->pw_uid, user->pw_gid) != 0)
		rmdir(path);
}

static void
folders_make(const struct config *c, const struct passwd *user)
{
	char dir[4096];
	char *slash;

	folder_make(config_run(c), user);
	snprintf(dir, sizeof(dir), "%s", config_ledger(c));
	slash = strrchr(dir, '/');
	if (slash && slash != dir) {
		*slash = '\0';
		folder_make(dir, user);
	}
}

/* Becomes the worker's user: its groups, and lp for the printer's USB node. Only root has something
 * to drop. */
static int
become_worker(const struct config *c, struct err *e)
{
	const char *name = config_worker_user(c);
	struct group *lp = getgrnam("lp");
	gid_t groups[64], lp_gid = lp ? lp->gr_gid : 0;
	int n = (int)ARRAY_LEN(groups) - 1;
	struct passwd *user;

	if (geteuid() != 0 || !name || !name[0])
		return 0;
	user = getpwnam(name);
	if (!user)
		return err_set(e, ERR_SYSTEM,
			_("The user %s does not exist. Create it, or name another worker-user in "
			  "cardspool.conf."),
			name);
	folders_make(c, user);
	if (getgrouplist(name, user->pw_gid, groups, &n) < 0)
		n = (int)ARRAY_LEN(groups) - 1;
	if (lp)
		groups[n++] = lp_gid;
	if (setgroups((size_t)n, groups) != 0 || setgid(user->pw_gid) != 0 ||
		setuid(user->pw_uid) != 0)
		return err_set(e, ERR_SYSTEM, _("The worker cannot become user %s: %s."), name,
			strerror(errno));
	if (user->pw_uid != 0 && setuid(0) == 0)
		return err_set(e, ERR_SYSTEM, _("The worker could not give up its rights."));
	return 0;
}

/* ---- the two children ---- */

static void
worker_main(const struct worker_args *args, pid_t parent, const sigset_t *mask)
{
	struct err e = {0};
	enum pass_end end = PASS_STOP;

	prctl(PR_SET_NAME, "cardspool-work");
	sink_cups_arm();
	sigprocmask(SIG_SETMASK, mask, NULL);
	if (become_worker(args->config, &e) == 0) {
		cores_forbid(); /* changing the user sets the flag back, and clears the death signal */
		watch_parent(parent);
		end = worker_run(args, &sink_cups, &e);
	}
	if (end != PASS_OK && e.text[0])
		say(&e);
	_exit(worker_status_base + (int)end);
}

static enum pass_end
worker_verdict(const struct child *worker)
{
	int code =
		WIFEXITED(worker->status) ? WEXITSTATUS(worker->status) - worker_status_base : -1;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(exits); i++)
		if ((int)exits[i].end == code)
			return exits[i].end;
	fault_set(&e, FAULT_WORKER_DIED, NULL);
	sink_cups.reason(&sink_cups, fault_row(FAULT_WORKER_DIED)->reason, true);
	say(&e);
	return PASS_STOP;
}

/* Forwards what CUPS asks for, until the worker is gone. keyd's end alone is for the worker to
 * notice. */
static void
supervise(struct child *worker, struct child *keyd, const sigset_t *watched)
{
	while (!worker->gone) {
		int status, signo = sigwaitinfo(watched, NULL);
		pid_t pid;

		if (signo == SIGTERM || signo == SIGINT)
			kill(worker->pid, SIGTERM);
		if (signo == SINK_ORPHAN_SIGNAL)
			kill(worker->pid, SINK_ORPHAN_SIGNAL);
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			struct child *c = pid == worker->pid ? worker : keyd;

			c->gone = true;
			c->status = status;
		}
	}
}

/* keyd ends by itself when its socket closes; it is not left behind in any case. */
static void
keyd_end(struct child *keyd, int fd)
{
	if (fd >= 0)
		close(fd);
	if (keyd->pid <= 0 || keyd->gone)
		return;
	kill(keyd->pid, SIGKILL); /* it has nothing to save, and ignores the polite signals */
	waitpid(keyd->pid, NULL, 0);
}

static enum pass_end
job_run(struct worker_args *args)
{
	struct child worker = {0}, keyd = {0};
	sigset_t watched, before;
	struct err keyd_error = {0};
	pid_t self = getpid();
	enum pass_end end;

	sigemptyset(&watched);
	sigaddset(&watched, SIGTERM);
	sigaddset(&watched, SIGINT);
	sigaddset(&watched, SIGCHLD);
	sigaddset(&watched, SINK_ORPHAN_SIGNAL);
	args->keyd_fd = -1;
	if (keyd_start_config(args->config, config_worker_user(args->config), &keyd.pid,
		    &args->keyd_fd, &keyd_error) != 0) {
		args->keyd_fd = -1;
		args->keyd_error = &keyd_error;
	}
	sigprocmask(SIG_BLOCK, &watched, &before);
	worker.pid = fork();
	if (worker.pid == 0)
		worker_main(args, self, &before);
	if (args->keyd_fd >= 0)
		close(args->keyd_fd);
	args->keyd_fd = -1;
	if (worker.pid < 0) {
		struct err e;

		err_set(&e, ERR_SYSTEM, _("The worker cannot be started: %s."), strerror(errno));
		say(&e);
		end = PASS_STOP;
	} else {
		supervise(&worker, &keyd, &watched);
		end = worker_verdict(&worker);
	}
	keyd_end(&keyd, args->keyd_fd);
	return end;
}

/* ---- what CUPS calls ---- */

/* Only our own filter makes the stream: raw jobs and other queues' data end here, before a device
 * is touched. */
static int
type_check(struct err *e)
{
	const char *type = getenv("FINAL_CONTENT_TYPE");

	if (type && strcmp(type, STREAM_MIME) == 0)
		return 0;
	return err_set(e, ERR_PROTOCOL,
		_("This queue makes cards from card batches, not from %s. Make one with cardspool "
		  "pack and queue it without -o raw."),
		type ? type : _("data of unknown kind"));
}

/* The PPD sends command files past the filters, under the stream's type. */
static bool
command_file(void)
{
	const char *type = getenv("CONTENT_TYPE");

	return type && strcmp(type, "application/vnd.cups-command") == 0;
}

static enum pass_end
job_start(int argc, char **argv, struct err *e)
{
	struct worker_args args = {0};
	struct config *config = NULL;
	const char *uri = getenv("DEVICE_URI");
	char *end;
	enum pass_end result;

	if (type_check(e) != 0)
		return PASS_CANCEL;
	if (config_load(&config, e) != 0)
		return PASS_STOP;
	args.config = config;
	args.uri = uri ? uri : argv[0];
	args.cups_id = (int)strtol(argv[1], &end, 10);
	args.user = argv[2];
	args.title = argv[3];
	args.options = argv[5];
	args.commands = command_file();
	args.stream_fd = argc == 7 ? open(argv[6], O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	if (args.stream_fd < 0) {
		err_set(e, ERR_MISSING, _("The job's file cannot be opened: %s."), strerror(errno));
		result = PASS_STOP;
	} else {
		result = job_run(&args);
	}
	config_destroy(config);
	return result;
}

int
main(int argc, char **argv)
{
	struct err e = {0};
	enum pass_end end;
	pid_t parent = getppid();

	language_begin();
	if (argc == 1)
		return discover();
	if (argc != 6 && argc != 7) {
		err_set(&e, ERR_USAGE, "%s",
			_("Usage: cardspool job user title copies options [file]"));
		say(&e);
		return CUPS_BACKEND_CANCEL;
	}
	signal(SIGPIPE, SIG_IGN);
	cores_forbid();
	prctl(PR_SET_NAME, "cardspool-super");
	sink_cups_watch(parent);
	prctl(PR_SET_PDEATHSIG, SINK_ORPHAN_SIGNAL);
	if (getppid() != parent)
		return CUPS_BACKEND_STOP;
	end = job_start(argc, argv, &e);
	if (end != PASS_OK && e.text[0])
		say(&e);
	for (size_t i = 0; i < ARRAY_LEN(exits); i++)
		if (exits[i].end == end)
			return exits[i].cups;
	return CUPS_BACKEND_STOP;
}
