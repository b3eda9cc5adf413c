/*
 * keyd.c - the process that holds the master keys.
 *
 * Owns the master keys from the start of a job to its end. Reads the key file, then gives up every
 * file, device, privilege and core dump, and answers one kind of question: the keys and the MAC of
 * one card. A master key never leaves the process. Guarantees: a start that cannot be made safe
 * enough to hold keys fails with the reason. A malformed question ends keyd, and so does the end of
 * its client, the worker; the end of the supervisor alone does not, because a card may be half
 * written. With a security module it keeps one thing more: the socket to pcscd, opened before the
 * rights are given up.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { start_timeout_ms = 10000 };

static const char *const jail_patterns[] = {
	"/run/cardspool-keyd.XXXXXX", "/tmp/cardspool-keyd.XXXXXX"};

/* All that answering takes; anything else fails with EPERM. */
static const int allowed_calls[] = {
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendto),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(brk),
	SCMP_SYS(mmap),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(futex),
	SCMP_SYS(getrandom),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(close),
};

/* And what a conversation with pcscd takes beside them. */
static const int psam_calls[] = {SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select),
	SCMP_SYS(pselect6), SCMP_SYS(gettimeofday), SCMP_SYS(clock_nanosleep)};

/* Only fd stays open; 0, 1 and 2 lead nowhere. */
static int
files_give_up(int *fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return -1;
	for (int i = 0; i < 3; i++)
		if (*fd != i && null != i && dup2(null, i) < 0)
			return -1;
	if (*fd < 3) {
		int moved = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
		if (moved < 0 || dup2(null, *fd) < 0)
			return -1;
		*fd = moved;
	}
	if (*fd > 3 && close_range(3, (unsigned)*fd - 1, 0) < 0)
		return -1;
	return close_range((unsigned)*fd + 1, ~0u, 0);
}

/* An empty folder that exists no more once we are in it. Best effort: the user change below is the
 * wall. */
static void
root_give_up(void)
{
	for (size_t i = 0; i < ARRAY_LEN(jail_patterns); i++) {
		char jail[64];
		snprintf(jail, sizeof jail, "%s", jail_patterns[i]);
		if (!mkdtemp(jail))
			continue;
		bool inside = chdir(jail) == 0;
		rmdir(jail);
		if (inside && chroot(".") == 0)
			return;
	}
}

static int
user_give_up(const struct passwd *user)
{
	if (geteuid() != 0)
		return 0;
	root_give_up();
	if (setgroups(0, NULL) < 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
		setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
		return -1;
	return setuid(0) == 0 ? -1 : 0;
}

static void
calls_give_up(bool psam)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	for (size_t i = 0; filter && i < ARRAY_LEN(allowed_calls); i++)
		seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_calls[i], 0);
	for (size_t i = 0; filter && psam && i < ARRAY_LEN(psam_calls); i++)
		seccomp_rule_add(filter, SCMP_ACT_ALLOW, psam_calls[i], 0);
	if (filter) {
		seccomp_load(filter); /* best effort: an old kernel has the other walls */
		seccomp_release(filter);
	}
}

/* Everything after which nobody can look into this process. The order matters: changing the user
 * may make the process dumpable again. */
static int
rights_give_up(const struct passwd *user, bool psam, struct err *e)
{
	static const struct rlimit none = {0, 0};

	mlockall(MCL_CURRENT | MCL_ONFAULT); /* best effort, limits are low for users */
	if (setrlimit(RLIMIT_CORE, &none) < 0 || user_give_up(user) < 0 ||
		setrlimit(RLIMIT_FSIZE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(
			e, ERR_SYSTEM, _("The keys cannot be kept safe: %s."), strerror(errno));
	calls_give_up(psam);
	return 0;
}

static bool
request_good(const struct keyd_request *q, ssize_t len)
{
	size_t n = q->id.uid_len;

	return len == (ssize_t)sizeof *q && q->magic == KEYD_MAGIC && q->version == KEYD_VERSION &&
	       q->serial != 0 && q->key_version < 256 &&
	       (q->logic ? n == 0 : n == 4 || n == 7 || n == 10);
}

/* A stop is the job's business: the card in the machine may still need its keys. */
static void
signals_ignore(void)
{
	static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM};
	sigset_t all;

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

/* Until the client closes its end or asks nonsense. */
static void
requests_serve(int fd, struct keyd_holder *h)
{
	struct keyd_request q;
	struct keyd_reply reply;

	for (;;) {
		struct err e = {0};
		ssize_t n = recv(fd, &q, sizeof q, MSG_TRUNC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || !request_good(&q, n))
			break;
		memset(&reply, 0, sizeof reply);
		reply.magic = KEYD_MAGIC;
		reply.version = KEYD_VERSION;
		reply.serial = q.serial;
		reply.code = keyd_answer(h, &q, &reply, &e);
		snprintf(reply.text, sizeof reply.text, "%s", e.text);
		if (send(fd, &reply, sizeof reply, MSG_NOSIGNAL) != (ssize_t)sizeof reply)
			break;
		explicit_bzero(&reply, sizeof reply);
		explicit_bzero(&q, sizeof q);
	}
	explicit_bzero(&reply, sizeof reply);
	explicit_bzero(&q, sizeof q);
}

/* What keyd needs before it gives everything up: masters from the file, the module's socket. */
static int
holder_fill(struct keyd_holder *h, const struct keyd_setup *setup, int *fd, struct err *e)
{
	/* The self test also makes the library load what it needs while there still are files. */
	int rc = diversify_self_test(e);

	h->psam_keys = setup->psam_keys;
	h->psam_mac = setup->psam_mac;
	if (rc == 0 && !(h->psam_keys && h->psam_mac))
		rc = keyfile_ring(&h->ring, setup->key_path, e);
	if (rc == 0 && files_give_up(fd) < 0)
		rc = err_set(
			e, ERR_SYSTEM, _("The keys cannot be kept safe: %s."), strerror(errno));
	if (rc == 0 && (h->psam_keys || h->psam_mac))
		rc = psam_open(&h->psam, &setup->psam, e);
	return rc;
}

static _Noreturn void
keyd_main(int fd, const struct keyd_setup *setup, const struct passwd *user)
{
	struct keyd_holder holder = {0};
	struct err e = {0};
	struct keyd_reply hello = {.magic = KEYD_MAGIC, .version = KEYD_VERSION};

	prctl(PR_SET_NAME, "cardspool-keyd");
	signals_ignore();
	keys_guard();
	mlock(&holder, sizeof holder);
	int rc = holder_fill(&holder, setup, &fd, &e);
	if (rc == 0)
		rc = rights_give_up(user, holder.psam_keys || holder.psam_mac, &e);
	hello.code = rc;
	hello.key_version =
		holder.ring.n ? keyring_find(&holder.ring, 0)->version : setup->psam.key_version;
	for (unsigned i = 0; i < holder.ring.n; i++)
		hello.versions[i] = (uint8_t)holder.ring.pair[i].version;
	snprintf(hello.text, sizeof hello.text, "%s", e.text);
	if (send(fd, &hello, sizeof hello, MSG_NOSIGNAL) == (ssize_t)sizeof hello && rc == 0)
		requests_serve(fd, &holder);
	explicit_bzero(&holder, sizeof holder);
	_exit(rc ? err_exit_status(rc) : 0);
}

/* keyd's first word: whether it holds keys. */
static int
start_wait(int fd, struct err *e)
{
	struct keyd_reply hello;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int ready;

	do
		ready = poll(&p, 1, start_timeout_ms);
	while (ready < 0 && errno == EINTR);
	if (ready <= 0 || recv(fd, &hello, sizeof hello, 0) != (ssize_t)sizeof hello ||
		hello.magic != KEYD_MAGIC || hello.version != KEYD_VERSION || hello.serial != 0)
		return fault_set(e, FAULT_KEYS, "no word from the key process");
	hello.text[sizeof hello.text - 1] = '\0';
	if (hello.code == ERR_FAULT)
		return fault_say(e, FAULT_KEYS, "at the start", hello.text);
	return hello.code ? err_set(e, hello.code, "%s", hello.text) : 0;
}

int
keyd_start_setup(
	const struct keyd_setup *setup, const char *run_as, pid_t *pid, int *fd, struct err *e)
{
	int pair[2];
	const char *name = run_as ? run_as : "nobody";
	const struct passwd *user = geteuid() == 0 ? getpwnam(name) : NULL;

	*pid = -1;
	*fd = -1;
	if (geteuid() == 0 && (!user || user->pw_uid == 0))
		return err_set(e, ERR_USAGE, _("There is no user %s for the key process."), name);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(
			e, ERR_SYSTEM, _("The key process cannot start: %s."), strerror(errno));
	*pid = fork();
	if (*pid == 0) {
		close(pair[0]);
		keyd_main(pair[1], setup, user);
	}
	close(pair[1]);
	int rc = *pid < 0 ? err_set(e, ERR_SYSTEM, _("The key process cannot start: %s."),
				    strerror(errno))
			  : start_wait(pair[0], e);
	if (rc == 0) {
		*fd = pair[0];
		return 0;
	}
	close(pair[0]);
	if (*pid > 0) {
		kill(*pid, SIGKILL);
		while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
			continue;
		*pid = -1;
	}
	return rc;
}

int
keyd_start(const char *key_path, const char *run_as, pid_t *pid, int *fd, struct err *e)
{
	struct keyd_setup setup = {0};

	snprintf(setup.key_path, sizeof setup.key_path, "%s", key_path);
	return keyd_start_setup(&setup, run_as, pid, fd, e);
}
