/*
 * killer.c - ends processes of the tree at an exact moment, and pulls the mains plug.
 *
 * Owns the planned kills, the count of watched syncs and chip writes, and what a power cut would
 * leave of the watched folder: of each file the content at its last sync, nothing of a file that
 * was never synced or was taken away before a later sync. A kill is SIGKILL, and the victims are
 * gone before the moment passes. Takes no lock of the emulator, because the reader's thread comes
 * here with the field locked.
 *
 * A watched sync is not carried out: the copy taken here is what it makes durable.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX   16
#define VICTIMS_MAX 64
#define GONE_MS     1000

static const struct role {
	const char *name, *comm; /* comm: NULL = every process but the one the emulator runs */
	bool device;             /* with it ends who talks to printer and reader */
} roles[] = {
	{"worker", "cardspool-work", true},
	{"supervisor", "cardspool-super", false},
	{"keyd", "cardspool-keyd", false},
	{"filter", "batchtocards", false},
	{"cupsd", "cupsd", false},
	{"all", NULL, true},
	{"power", NULL, true},
};

struct plan {
	struct plan *next;
	enum kill_at at;
	enum kill_when when;
	char command[16];
	unsigned n;
	const struct role *role;
};

struct durable {
	char name[64];
	uint8_t *bytes;
	size_t len;
};

struct killer {
	pthread_mutex_t lock;
	char *folder; /* absolute, NULL: nothing is watched */
	pid_t child;
	ino_t mounts; /* every process of the tree lives in this mount namespace */
	struct plan *plans;
	struct durable file[FILES_MAX];
	unsigned n_files;
	unsigned long syncs, writes, fired, victims;
};

struct killer *
killer_create(const char *folder)
{
	struct killer *k = calloc(1, sizeof *k);
	if (!k)
		return NULL;
	pthread_mutex_init(&k->lock, NULL);
	k->folder = folder ? realpath(folder, NULL) : NULL;
	if (folder && !k->folder) {
		free(k);
		return NULL;
	}
	return k;
}

void
killer_destroy(struct killer *k)
{
	if (!k)
		return;
	killer_forget(k);
	for (unsigned i = 0; i < k->n_files; i++)
		free(k->file[i].bytes);
	free(k->folder);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

bool
killer_watches(const struct killer *k)
{
	return k->folder != NULL;
}

static ino_t
mounts_of(pid_t pid)
{
	char path[64];
	struct stat st;
	snprintf(path, sizeof path, "/proc/%d/ns/mnt", pid);
	return stat(path, &st) ? 0 : st.st_ino;
}

/* After the child has its own mounts. */
void
killer_start(struct killer *k, pid_t child)
{
	k->child = child;
	k->mounts = mounts_of(child);
}

/* ---- what is durable ---- */

static bool
file_read(const char *path, uint8_t **bytes, size_t *len)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode);
	uint8_t *more = ok ? realloc(*bytes, (size_t)st.st_size + 1) : NULL;
	if (more) {
		*bytes = more;
		*len = 0;
		ssize_t n;
		while (*len < (size_t)st.st_size &&
			(n = read(fd, more + *len, (size_t)st.st_size - *len)) > 0)
			*len += (size_t)n;
	}
	if (fd >= 0)
		close(fd);
	return more != NULL;
}

static void
durable_take(struct killer *k, const char *name)
{
	char path[4096];
	unsigned i = 0;
	while (i < k->n_files && strcmp(k->file[i].name, name))
		i++;
	if (i == FILES_MAX || strlen(name) >= sizeof k->file[i].name)
		return;
	snprintf(path, sizeof path, "%s/%s", k->folder, name);
	if (!file_read(path, &k->file[i].bytes, &k->file[i].len))
		return;
	snprintf(k->file[i].name, sizeof k->file[i].name, "%s", name);
	k->n_files += i == k->n_files;
}

/* A name that was taken away before a later sync stays away: file systems keep the order of names.
 */
static void
durable_drop(struct killer *k)
{
	char path[4096];
	for (unsigned i = 0; i < k->n_files;) {
		snprintf(path, sizeof path, "%s/%s", k->folder, k->file[i].name);
		if (!access(path, F_OK)) {
			i++;
			continue;
		}
		free(k->file[i].bytes);
		k->file[i] = k->file[--k->n_files];
		memset(&k->file[k->n_files], 0, sizeof k->file[0]);
	}
}

static void
durable_put(const struct killer *k, const struct durable *f)
{
	char path[4096];
	struct stat st;
	snprintf(path, sizeof path, "%s/%s", k->folder, f->name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return;
	if (write(fd, f->bytes, f->len) != (ssize_t)f->len || stat(k->folder, &st) ||
		fchown(fd, st.st_uid, st.st_gid))
		unlink(path);
	close(fd);
}

/* Each name in the watched folder; a power cut takes those away that were never synced. */
static void
folder_walk(struct killer *k, bool power_cut)
{
	DIR *dir = opendir(k->folder);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		if (e->d_name[0] == '.')
			continue;
		if (power_cut)
			unlinkat(dirfd(dir), e->d_name, 0);
		else if (!strstr(e->d_name, "-shm"))
			durable_take(k, e->d_name);
	}
	if (dir)
		closedir(dir);
}

void
killer_synced(struct killer *k)
{
	if (!k->folder)
		return;
	pthread_mutex_lock(&k->lock);
	for (unsigned i = 0; i < k->n_files; i++)
		free(k->file[i].bytes);
	memset(k->file, 0, sizeof k->file);
	k->n_files = 0;
	folder_walk(k, false);
	pthread_mutex_unlock(&k->lock);
}

/* ---- victims ---- */

static bool
process_comm(pid_t pid, char *comm, size_t max)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/comm", pid);
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(comm, (int)max, f);
	if (f)
		fclose(f);
	if (ok)
		comm[strcspn(comm, "\n")] = 0;
	return ok;
}

static bool
process_alive(pid_t pid)
{
	char path[64], text[256];
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(text, sizeof text, f);
	if (f)
		fclose(f);
	const char *state = ok ? strrchr(text, ')') : NULL;
	return state && state[1] && state[2] != 'Z' && state[2] != 'X';
}

static bool
is_victim(const struct killer *k, const struct role *r, pid_t pid)
{
	char comm[32];
	if (mounts_of(pid) != k->mounts || !process_comm(pid, comm, sizeof comm))
		return false;
	if (r->comm)
		return !strcmp(comm, r->comm);
	return pid != k->child || !strcmp(comm, "cupsd");
}

static unsigned
victims_find(const struct killer *k, const struct role *r, pid_t *pids)
{
	unsigned n = 0;
	DIR *dir = opendir("/proc");
	for (struct dirent *e; dir && n < VICTIMS_MAX && (e = readdir(dir));) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		if (pid > 0 && is_victim(k, r, pid) && process_alive(pid))
			pids[n++] = pid;
	}
	if (dir)
		closedir(dir);
	return n;
}

/* All stop first, so that none acts on another's end. */
static unsigned
victims_kill(const struct killer *k, const struct role *r)
{
	pid_t pids[VICTIMS_MAX];
	unsigned n = victims_find(k, r, pids);
	for (unsigned i = 0; n > 1 && i < n; i++)
		kill(pids[i], SIGSTOP);
	if (!r->comm) /* somebody may have forked before he stopped */
		n = victims_find(k, r, pids);
	for (unsigned i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	uint64_t end = now_ms() + GONE_MS;
	for (unsigned i = 0; i < n; i++)
		while (process_alive(pids[i]) && now_ms() < end)
			usleep(200);
	return n;
}

/* The host is off: bus and reader lose their current and come back. */
static void
links_drop(struct emu *emu, void *arg)
{
	(void)arg;
	pthread_mutex_lock(&emu->lock);
	for (unsigned i = 0; i < emu->n_printers; i++) {
		usb_plug(&emu->device[i], false);
		if (emu->printer[i]->powered)
			usb_plug(&emu->device[i], true);
		free(station_control(emu->printer[i], "unplug"));
		free(station_control(emu->printer[i], "plug"));
	}
	pthread_mutex_unlock(&emu->lock);
}

static bool
kill_now(struct emu *emu, const struct role *r)
{
	struct killer *k = emu->killer;
	unsigned n = victims_kill(k, r);
	k->fired++;
	k->victims += n;
	emu_log(emu, "killed: %s, %u processes", r->name, n);
	if (strcmp(r->name, "power"))
		return r->device && n;
	if (k->folder) {
		folder_walk(k, true);
		for (unsigned i = 0; i < k->n_files; i++)
			durable_put(k, &k->file[i]);
	}
	emu_helper(emu, links_drop, NULL);
	return true;
}

/* ---- plans ---- */

static const struct role *
role_find(const char *name)
{
	for (size_t i = 0; i < EMU_LEN(roles); i++)
		if (!strcmp(roles[i].name, name))
			return &roles[i];
	return NULL;
}

const char *
killer_plan(struct emu *emu, enum kill_at at, const char *command, unsigned n, const char *who,
	const char *when)
{
	const struct role *role = role_find(who);
	if (!role)
		return "worker, supervisor, keyd, filter, cupsd, all or power";
	if (at == KILL_AT_ONCE) {
		pthread_mutex_lock(&emu->killer->lock);
		kill_now(emu, role);
		pthread_mutex_unlock(&emu->killer->lock);
		return NULL;
	}
	if (when && strcmp(when, "before") && strcmp(when, "after"))
		return "before or after";
	if (n == 0)
		return "which one?";
	struct plan *p = calloc(1, sizeof *p);
	if (!p)
		return "no memory";
	p->at = at;
	p->when = when && !strcmp(when, "after") ? KILL_AFTER : KILL_BEFORE;
	p->n = n;
	p->role = role;
	snprintf(p->command, sizeof p->command, "%s", command ? command : "");
	pthread_mutex_lock(&emu->killer->lock);
	p->next = emu->killer->plans;
	emu->killer->plans = p;
	pthread_mutex_unlock(&emu->killer->lock);
	return NULL;
}

void
killer_forget(struct killer *k)
{
	pthread_mutex_lock(&k->lock);
	while (k->plans) {
		struct plan *p = k->plans;
		k->plans = p->next;
		free(p);
	}
	pthread_mutex_unlock(&k->lock);
}

/* Counts down on KILL_BEFORE; a plan for "after" waits at 0 for the same moment's end. Lock held.
 */
static bool
plans_meet(struct emu *emu, enum kill_at at, const char *command, enum kill_when when)
{
	bool device = false;
	for (struct plan **link = &emu->killer->plans; *link;) {
		struct plan *p = *link;
		bool hit = p->at == at && (!command || !strcmp(p->command, command));
		if (hit && when == KILL_BEFORE)
			p->n -= p->n > 0;
		if (!hit || p->n > 0 || p->when != when) {
			link = &p->next;
			continue;
		}
		*link = p->next;
		device = kill_now(emu, p->role) || device;
		free(p);
	}
	return device;
}

bool
killer_command(struct emu *emu, const char *name, enum kill_when when)
{
	pthread_mutex_lock(&emu->killer->lock);
	bool device = plans_meet(emu, KILL_AT_COMMAND, name, when);
	pthread_mutex_unlock(&emu->killer->lock);
	return device;
}

bool
killer_chip_write(void *ctx, bool after)
{
	struct emu *emu = ctx;
	pthread_mutex_lock(&emu->killer->lock);
	emu->killer->writes += !after;
	bool device = plans_meet(emu, KILL_AT_CHIP_WRITE, NULL, after ? KILL_AFTER : KILL_BEFORE);
	pthread_mutex_unlock(&emu->killer->lock);
	return device;
}

bool
killer_sync(struct emu *emu, const char *path, bool (*waits)(void *), void *ctx)
{
	struct killer *k = emu->killer;
	size_t n = k->folder ? strlen(k->folder) : 0;
	if (n == 0 || strncmp(path, k->folder, n) || (path[n] != '/' && path[n] != 0))
		return false;
	pthread_mutex_lock(&k->lock);
	k->syncs++;
	plans_meet(emu, KILL_AT_SYNC, NULL, KILL_BEFORE);
	if (waits(ctx)) {
		durable_drop(k);
		if (path[n])
			durable_take(k, path + n + 1);
		plans_meet(emu, KILL_AT_SYNC, NULL, KILL_AFTER);
	}
	pthread_mutex_unlock(&k->lock);
	return true;
}

json_t *
killer_status(struct killer *k)
{
	unsigned pending = 0;
	pthread_mutex_lock(&k->lock);
	for (const struct plan *p = k->plans; p; p = p->next)
		pending++;
	json_t *j = json_pack("{s:b, s:I, s:I, s:i, s:I, s:I}", "ok", 1, "fired",
		(json_int_t)k->fired, "victims", (json_int_t)k->victims, "pending", (int)pending,
		"syncs", (json_int_t)k->syncs, "chip_writes", (json_int_t)k->writes);
	pthread_mutex_unlock(&k->lock);
	return j;
}
