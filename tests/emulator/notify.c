/*
 * notify.c - the few system calls of the client that are answered here.
 *
 * open of a USB node gets a handle of its own; ioctl on a handle is usbfs; fstatfs below /sys says
 * sysfs; syncs of the watched folder are counted. Every other call goes on as if nobody had looked.
 * A caller that died or was interrupted meanwhile is never mistaken for another: its notification
 * is checked again after its memory was looked at.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define SYSFS_MAGIC 0x62656572
#define NODE_FOLDER "/dev/bus/usb/"
#define PAGE        4096u
#define WORKERS     4
#define POLL_MS     200

#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1u << 1)
#endif

bool
client_read(pid_t tid, uint64_t address, void *to, size_t len)
{
	struct iovec here = {to, len}, there = {(void *)(uintptr_t)address, len};
	return len == 0 || process_vm_readv(tid, &here, 1, &there, 1, 0) == (ssize_t)len;
}

bool
client_write(pid_t tid, uint64_t address, const void *from, size_t len)
{
	struct iovec here = {(void *)(uintptr_t)from, len},
		     there = {(void *)(uintptr_t)address, len};
	return len == 0 || process_vm_writev(tid, &here, 1, &there, 1, 0) == (ssize_t)len;
}

/* A string that may end just before unmapped memory. */
static bool
client_string(pid_t tid, uint64_t address, char *out, size_t max)
{
	size_t first = PAGE - address % PAGE, n = first < max - 1 ? first : max - 1;
	if (!client_read(tid, address, out, n))
		return false;
	out[n] = 0;
	if (strlen(out) == n && n < max - 1 && client_read(tid, address + n, out + n, max - 1 - n))
		out[max - 1] = 0;
	return true;
}

static void
respond(struct emu *emu, uint64_t id, int64_t value, uint32_t flags)
{
	struct seccomp_notif_resp r = {.id = id, .flags = flags};
	if (value < 0)
		r.error = (int32_t)value;
	else
		r.val = value;
	/* ENOENT: the caller was interrupted or died; nobody waits any more */
	ioctl(emu->listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

void
notify_answer(struct emu *emu, uint64_t id, int64_t value)
{
	respond(emu, id, value, 0);
}

static void
go_on(struct emu *emu, uint64_t id)
{
	respond(emu, id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

static bool
still_valid(struct emu *emu, uint64_t id)
{
	return ioctl(emu->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

/* The process that a thread belongs to. */
static pid_t
client_process(pid_t tid)
{
	char path[64], line[128];
	pid_t process = tid;
	snprintf(path, sizeof path, "/proc/%d/status", tid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, "Tgid:", 5)) {
			process = (pid_t)strtol(line + 5, NULL, 10);
			break;
		}
	if (f)
		fclose(f);
	return process;
}

/*
 * Who is root only in a namespace of his own may not look into /proc/PID/fd of a process that is
 * not dumpable, as all are that make cards; taking a copy of the descriptor is a matter of ptrace
 * rights, which he has.
 */
static ssize_t
fd_target_copied(pid_t tid, int fd, char *out, size_t max)
{
	char path[64];
	int pidfd = (int)syscall(SYS_pidfd_open, client_process(tid), 0);
	int copy = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", copy);
	ssize_t n = copy < 0 ? -1 : readlink(path, out, max - 1);
	if (copy >= 0)
		close(copy);
	if (pidfd >= 0)
		close(pidfd);
	return n;
}

/*
 * Inside a chroot /proc shows the paths of another mount namespace from that namespace's root on:
 * what then stands before the client's own root is cut off.
 */
static char client_root[PATH_MAX];

void
notify_root(pid_t client)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/root", client);
	ssize_t n = readlink(path, client_root, sizeof client_root - 1);
	client_root[n > 1 ? n : 0] = 0;
}

static bool
fd_target(pid_t tid, uint64_t fd, char *out, size_t out_max)
{
	char path[64], target[PATH_MAX];
	size_t root = strlen(client_root), max = sizeof target;
	snprintf(path, sizeof path, "/proc/%d/fd/%u", tid, (unsigned)fd);
	ssize_t n = readlink(path, target, max - 1);
	if (n < 0 && errno == EACCES)
		n = fd_target_copied(tid, (int)fd, target, max);
	if (n < 0)
		return false;
	target[n] = 0;
	bool below = !strncmp(target, client_root, root) && target[root] == '/';
	snprintf(out, out_max, "%s", target + (below ? root : 0));
	return true;
}

static struct usb_device *
device_find(struct emu *emu, unsigned bus, unsigned devnum)
{
	if (emu->hub.bus == bus && emu->hub.devnum == devnum)
		return &emu->hub;
	for (unsigned i = 0; i < emu->n_others; i++)
		if (emu->other[i].bus == bus && emu->other[i].devnum == devnum)
			return &emu->other[i];
	for (unsigned i = 0; i < emu->n_printers; i++) {
		struct usb_device *d = &emu->device[i];
		if (d->plugged && d->bus == bus && d->devnum == devnum)
			return d;
	}
	return NULL;
}

static void
answer_open(struct emu *emu, const struct seccomp_notif *n)
{
	char path[64];
	unsigned bus, devnum;
	int nr = n->data.nr;
	pid_t tid = (pid_t)n->pid;
	uint64_t at = n->data.args[nr == SYS_open ? 0 : 1],
		 flags = n->data.args[nr == SYS_open ? 1 : 2];
	if (!client_string(tid, at, path, sizeof path) ||
		strncmp(path, NODE_FOLDER, strlen(NODE_FOLDER)) ||
		sscanf(path + strlen(NODE_FOLDER), "%3u/%3u", &bus, &devnum) != 2) {
		go_on(emu, n->id);
		return;
	}
	if (nr == SYS_openat2 && !client_read(tid, n->data.args[2], &flags, sizeof flags))
		flags = 0;
	if (!still_valid(emu, n->id))
		return;
	pthread_mutex_lock(&emu->lock);
	struct usb_device *d = device_find(emu, bus, devnum);
	int slave = d ? handle_open(d) : -ENOENT;
	if (slave < 0) {
		respond(emu, n->id, slave, 0);
	} else {
		struct seccomp_notif_addfd add = {.id = n->id,
			.flags = SECCOMP_ADDFD_FLAG_SEND,
			.srcfd = (uint32_t)slave,
			.newfd_flags = flags & O_CLOEXEC ? O_CLOEXEC : 0};
		if (ioctl(emu->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0)
			respond(emu, n->id, -EMFILE, 0);
		close(slave);
	}
	pthread_mutex_unlock(&emu->lock);
}

static void
answer_ioctl(struct emu *emu, const struct seccomp_notif *n)
{
	char target[64];
	unsigned pts;
	pid_t tid = (pid_t)n->pid;
	if (!fd_target(tid, n->data.args[0], target, sizeof target) ||
		sscanf(target, "/dev/pts/%u", &pts) != 1) {
		go_on(emu, n->id);
		return;
	}
	pthread_mutex_lock(&emu->lock);
	struct handle *h = handle_find(emu, pts);
	if (!h) {
		go_on(emu, n->id);
	} else if (still_valid(emu, n->id)) {
		int64_t value =
			usbfs_ioctl(emu, h, tid, n->id, (unsigned)n->data.args[1], n->data.args[2]);
		if (value != USBFS_PENDING)
			respond(emu, n->id, value, 0);
	}
	pthread_mutex_unlock(&emu->lock);
}

static void
answer_fstatfs(struct emu *emu, const struct seccomp_notif *n)
{
	char target[128];
	pid_t tid = (pid_t)n->pid;
	if (!fd_target(tid, n->data.args[0], target, sizeof target) || strncmp(target, "/sys", 4) ||
		(target[4] && target[4] != '/')) {
		go_on(emu, n->id);
		return;
	}
	struct statfs s = {.f_type = SYSFS_MAGIC, .f_bsize = PAGE, .f_namelen = 255};
	if (!still_valid(emu, n->id))
		return;
	respond(emu, n->id, client_write(tid, n->data.args[1], &s, sizeof s) ? 0 : -EFAULT, 0);
}

struct waiting {
	struct emu *emu;
	uint64_t id;
};

static bool
waiting_valid(void *ctx)
{
	const struct waiting *w = ctx;
	return still_valid(w->emu, w->id);
}

static void
answer_sync(struct emu *emu, const struct seccomp_notif *n)
{
	char target[4096];
	struct waiting w = {emu, n->id};
	if (!fd_target((pid_t)n->pid, n->data.args[0], target, sizeof target) ||
		!killer_sync(emu, target, waiting_valid, &w))
		go_on(emu, n->id);
	else
		respond(emu, n->id, 0, 0);
}

static void
worker_run(struct emu *emu, void *arg)
{
	struct seccomp_notif *n = NULL;
	struct seccomp_notif_resp *unused = NULL;
	(void)arg;
	if (seccomp_notify_alloc(&n, &unused))
		return;
	while (!emu->stopping) {
		struct pollfd p = {.fd = emu->listener, .events = POLLIN};
		if (poll(&p, 1, POLL_MS) <= 0)
			continue;
		if (p.revents & POLLHUP)
			break;
		memset(n, 0, sizeof *n); /* the kernel insists */
		if (seccomp_notify_receive(emu->listener, n))
			continue;
		switch (n->data.nr) {
		case SYS_ioctl:
			answer_ioctl(emu, n);
			break;
		case SYS_fsync:
		case SYS_fdatasync:
			answer_sync(emu, n);
			break;
		case SYS_fstatfs:
			answer_fstatfs(emu, n);
			break;
		default:
			answer_open(emu, n);
		}
	}
	seccomp_notify_free(n, unused);
}

int
notify_start(struct emu *emu, int listener)
{
	emu->listener = listener;
	for (int i = 0; i < WORKERS; i++) {
		if (emu_helper(emu, worker_run, NULL))
			return -1;
	}
	return 0;
}
