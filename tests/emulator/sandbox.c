/*
 * sandbox.c - a process tree of its own for the client: private mounts, and a filter on system
 * calls.
 *
 * Owns the child. Nothing outside of the child's tree changes, and nothing stays behind: the mount
 * point /dev/bus is removed again by the last emulator that used it. Exit status 77 when the kernel
 * refuses namespaces or seccomp.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_REFUSED 77
#define DEV_BUS      "/dev/bus"
#define FILTER_MAX   256

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

/* ---- /dev/bus: made when missing, shared by emulators that run at once ---- */

/* A descriptor with a shared lock on the folder, or -1 when it cannot be had. */
static int
dev_bus_hold(void)
{
	for (int tries = 0; tries < 100; tries++) {
		if (mkdir(DEV_BUS, 0755) && errno != EEXIST)
			return -1;
		int fd = open(DEV_BUS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct stat mine, now;
		if (fd < 0)
			continue;
		if (!flock(fd, LOCK_SH) && !fstat(fd, &mine) && !stat(DEV_BUS, &now) &&
			mine.st_ino == now.st_ino)
			return fd;
		close(fd);
	}
	return -1;
}

static void
dev_bus_leave(int fd)
{
	if (fd < 0)
		return;
	/* Nobody else holds it: gone, unless real devices live there. */
	if (!flock(fd, LOCK_EX | LOCK_NB))
		rmdir(DEV_BUS);
	close(fd);
}

/* ---- the child's mounts ---- */

static int
bind_over(const char *from, const char *to)
{
	return mount(from, to, NULL, MS_BIND | MS_REC, NULL);
}

/* One entry of a folder that is shown again elsewhere. */
static void
mirror_entry(const char *from, const char *to)
{
	struct stat st;
	char target[256];
	if (lstat(from, &st))
		return;
	if (S_ISLNK(st.st_mode)) {
		ssize_t n = readlink(from, target, sizeof target - 1);
		target[n < 0 ? 0 : n] = 0;
		if (n > 0 && symlink(target, to))
			return;
		return;
	}
	if (S_ISDIR(st.st_mode)) {
		if (mkdir(to, 0755))
			return;
	} else {
		int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd < 0)
			return;
		close(fd);
	}
	bind_over(from, to);
}

/* Puts a writable folder with the same entries in place of one we may not write. */
static int
mirror(struct emu *emu, const char *folder)
{
	char fresh[128], from[512], to[512];
	snprintf(fresh, sizeof fresh, "%s/mirror", emu->root);
	if (mount("tmpfs", fresh, "tmpfs", 0, "mode=0755"))
		return -1;
	DIR *dir = opendir(folder);
	if (!dir)
		return -1;
	for (struct dirent *e; (e = readdir(dir));) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(from, sizeof from, "%.200s/%.255s", folder, e->d_name);
		snprintf(to, sizeof to, "%.200s/%.255s", fresh, e->d_name);
		mirror_entry(from, to);
	}
	closedir(dir);
	return mount(fresh, folder, NULL, MS_MOVE, NULL);
}

/* libudev listens only where a udev seems to run. */
static void
udev_pretend(struct emu *emu)
{
	if (!access("/run/udev/control", F_OK) ||
		(access("/run/udev", F_OK) && mirror(emu, "/run")))
		return;
	if (mkdir("/run/udev", 0755) && errno == EEXIST &&
		mount("tmpfs", "/run/udev", "tmpfs", 0, "mode=0755"))
		return;
	close(open("/run/udev/control", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
}

static int
mounts_make(struct emu *emu, bool dev_bus)
{
	char path[128];
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	snprintf(path, sizeof path, "%s/sys/devices/system", emu->root);
	if (bind_over("/sys/devices/system", path) && errno != ENOENT && errno != EINVAL)
		return -1;
	snprintf(path, sizeof path, "%s/sys", emu->root);
	if (bind_over(path, "/sys"))
		return -1;
	if (!dev_bus) {
		if (mirror(emu, "/dev") || (mkdir(DEV_BUS, 0755) && errno != EEXIST))
			return -1;
		udev_pretend(emu);
	}
	snprintf(path, sizeof path, "%s/dev/bus", emu->root);
	return bind_over(path, DEV_BUS);
}

/* ---- the filter ---- */

static scmp_filter_ctx
filter_build(bool syncs)
{
	static const int opens[] = {
		SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(fstatfs)};
	static const int sync_calls[] = {SCMP_SYS(fsync), SCMP_SYS(fdatasync)};
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	if (!f)
		return NULL;
	int rc = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);
	for (size_t i = 0; i < EMU_LEN(opens); i++)
		rc |= seccomp_rule_add(f, SCMP_ACT_NOTIFY, opens[i], 0);
	for (size_t i = 0; syncs && i < EMU_LEN(sync_calls); i++)
		rc |= seccomp_rule_add(f, SCMP_ACT_NOTIFY, sync_calls[i], 0);
	rc |= seccomp_rule_add(f, SCMP_ACT_NOTIFY, SCMP_SYS(ioctl), 1,
		SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00, 'U' << 8));
	if (!rc)
		return f;
	seccomp_release(f);
	return NULL;
}

/* The listener's number in this process, or -1. */
static int
filter_load(bool syncs)
{
	struct sock_filter code[FILTER_MAX];
	scmp_filter_ctx f = filter_build(syncs);
	int memory = memfd_create("filter", MFD_CLOEXEC), listener = -1;
	if (f && memory >= 0 && !seccomp_export_bpf(f, memory)) {
		ssize_t n = pread(memory, code, sizeof code, 0);
		struct sock_fprog program = {(unsigned short)(n / (ssize_t)sizeof code[0]), code};
		/* Without the killable wait a signal could end an open(2) with EINTR. */
		static const unsigned long flags[] = {
			SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
			SECCOMP_FILTER_FLAG_NEW_LISTENER};
		for (int i = 0; n > 0 && listener < 0 && i < 4; i++) {
			listener = (int)syscall(
				SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags[i % 2], &program);
			if (listener < 0 && errno == EACCES)
				prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		}
	}
	if (memory >= 0)
		close(memory);
	if (f)
		seccomp_release(f);
	return listener;
}

/* ---- the right to do all this ---- */

/* What an administrator may have set against it, and the word that allows it. */
static const struct {
	const char *path;
	char refused;
	const char *allow;
} knobs[] = {
	{"/proc/sys/kernel/unprivileged_userns_clone", '0', "kernel.unprivileged_userns_clone=1"},
	{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1',
		"kernel.apparmor_restrict_unprivileged_userns=0"},
	{"/proc/sys/user/max_user_namespaces", '0', "user.max_user_namespaces=10000"},
};

static int
file_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return ok ? 0 : -1;
}

/* One line: what was refused, and what to do. */
static void
refusal_say(const char *what, int error, bool ordinary)
{
	const char *name = "cardspool-emulator: the kernel refuses";
	if (!ordinary) {
		fprintf(stderr, "%s %s: %s; a container must be started with --privileged\n", name,
			what, strerror(error));
		return;
	}
	for (size_t i = 0; i < EMU_LEN(knobs); i++) {
		char value = 0;
		int fd = open(knobs[i].path, O_RDONLY | O_CLOEXEC);
		bool set = fd >= 0 && read(fd, &value, 1) == 1 && value == knobs[i].refused;
		if (fd >= 0)
			close(fd);
		if (set) {
			fprintf(stderr,
				"%s %s to ordinary users; run this as root, or first: sudo sysctl "
				"%s\n",
				name, what, knobs[i].allow);
			return;
		}
	}
	fprintf(stderr, "%s %s: %s; run this as root\n", name, what, strerror(error));
}

int
sandbox_permit(void)
{
	char map[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();
	if (uid == 0)
		return 0;
	if (unshare(CLONE_NEWUSER)) {
		refusal_say("a user namespace", errno, true);
		return EXIT_REFUSED;
	}
	/* Everybody stays who he is, so that the program loses these rights when it starts. */
	int rc = file_put("/proc/self/setgroups", "deny");
	snprintf(map, sizeof map, "%u %u 1", gid, gid);
	rc |= file_put("/proc/self/gid_map", map);
	snprintf(map, sizeof map, "%u %u 1", uid, uid);
	rc |= file_put("/proc/self/uid_map", map);
	if (!rc)
		return 0;
	refusal_say("a user namespace", errno, true);
	return EXIT_REFUSED;
}

/* ---- parent and child ---- */

static void
child_refused(int pair, const char *what)
{
	int none = -1;
	refusal_say(what, errno, getuid() != 0);
	if (write(pair, &none, sizeof none) < 0)
		_exit(EXIT_REFUSED);
	_exit(EXIT_REFUSED);
}

static void
child_run(struct emu *emu, int pair, bool dev_bus, char **argv)
{
	char go;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (mounts_make(emu, dev_bus))
		child_refused(pair, "private mounts");
	int listener = filter_load(killer_watches(emu->killer));
	if (listener < 0)
		child_refused(pair, "seccomp notification");
	if (write(pair, &listener, sizeof listener) != sizeof listener || read(pair, &go, 1) != 1)
		_exit(EXIT_REFUSED);
	close(listener);
	close(pair);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[0], argv);
	fprintf(stderr, "cardspool-emulator: cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static int
listener_fetch(pid_t child, int pair)
{
	int number = -1;
	if (read(pair, &number, sizeof number) != sizeof number || number < 0)
		return -1;
	int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	if (pidfd >= 0)
		close(pidfd);
	return fd;
}

/* Signals to the emulator go on to the child; its end is ours. */
static int
child_wait(pid_t child)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	for (;;) {
		int status, signal;
		pid_t done = waitpid(child, &status, WNOHANG);
		if (done == child)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		if (done < 0 || sigwait(&set, &signal))
			return EXIT_FAILURE;
		if (signal != SIGCHLD)
			kill(child, signal);
	}
}

int
sandbox_run(struct emu *emu, char **argv)
{
	int pair[2], status = EXIT_REFUSED;
	int dev_bus = dev_bus_hold();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return EXIT_FAILURE;
	pid_t child = fork();
	if (child == 0) {
		close(pair[0]);
		child_run(emu, pair[1], dev_bus >= 0, argv);
	}
	close(pair[1]);
	int listener = child > 0 ? listener_fetch(child, pair[0]) : -1;
	killer_start(emu->killer, child);
	bool started = listener >= 0 && !emu_start(emu);
	if (listener >= 0 && !started)
		status = EXIT_FAILURE;
	if (started)
		notify_root(child);
	started = started && !notify_start(emu, listener) && write(pair[0], "g", 1) == 1;
	close(pair[0]); /* a child that got no word to go ends */
	if (started)
		status = child_wait(child);
	else if (child > 0)
		waitpid(child, NULL, 0);
	dev_bus_leave(dev_bus);
	return status;
}
