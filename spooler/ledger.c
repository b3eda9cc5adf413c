/*
 * ledger.c - the ledger file: made, opened, converted, closed.
 *
 * Owns the SQLite connection. Guarantees: a ledger belongs to its owner alone, what was committed
 * survives a power cut (WAL, synchronous=FULL), and who only reads changes nothing. On failure
 * nothing is open and the error says what a person can do. All access to the file goes through
 * SQLite, so that a test can put a VFS of its own below.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <pwd.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int64_t
clock_real_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
actor_fill(struct ledger *l)
{
	struct passwd pw, *found = NULL;
	char room[4096];

	if (getpwuid_r(getuid(), &pw, room, sizeof room, &found) == 0 && found)
		snprintf(l->actor, sizeof l->actor, "%s", found->pw_name);
	else
		snprintf(l->actor, sizeof l->actor, "uid %u", (unsigned)getuid());
}

/* Empty where the kernel does not tell: then no two starts of the host can be told apart. */
static void
boot_fill(struct ledger *l)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (f && fscanf(f, "%39s", l->boot) != 1)
		l->boot[0] = '\0';
	if (f)
		fclose(f);
}

/* Read by the operator whose worker met it, and by whoever calls the command. */
#define LEDGER_DENIED                                                                              \
	N_("The ledger %s is closed to this user. Have an administrator check the owner of the "   \
	   "file and its folder.")

/* Root at a desk may be the first to write: the file is for the worker, whose the folder is. */
static void
folder_owner_set(int fd, const char *path)
{
	char *folder = g_path_get_dirname(path);
	struct stat st;

	if (geteuid() == 0 && stat(folder, &st) == 0 && fchown(fd, st.st_uid, st.st_gid) != 0)
		errno = 0; /* then the worker says that it is closed to it */
	g_free(folder);
}

/*
 * A new ledger belongs to its owner alone. SQLite gives its -wal and -shm files the mode of the
 * database, so the empty database is made here; a crash right after leaves an empty file, which is
 * a ledger to be made.
 */
static int
file_prepare(struct ledger *l, enum ledger_mode mode, struct err *e)
{
	struct stat st;

	if (stat(l->path, &st) == 0) {
		if (!S_ISREG(st.st_mode))
			return err_set(e, ERR_INPUT, _("%s is not a file. Name the ledger file."),
				l->path);
		return 0;
	}
	if (errno == ENOENT && mode == LEDGER_READ)
		return err_set(e, ERR_MISSING,
			_("There is no ledger %s yet. The first card job makes it; to read another "
			  "one, use --ledger FILE."),
			l->path);
	if (errno == EACCES)
		return err_set(e, ERR_DENIED, _(LEDGER_DENIED), l->path);
	if (errno != ENOENT)
		return err_set(e, ERR_STORAGE, _("The ledger %s cannot be opened: %s."), l->path,
			strerror(errno));
	int fd = open(l->path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd >= 0) {
		folder_owner_set(fd, l->path);
		close(fd);
		return 0;
	}
	if (errno == EEXIST)
		return 0;
	if (errno == ENOENT)
		return err_set(e, ERR_MISSING,
			_("The folder of the ledger %s does not exist. Make it first."), l->path);
	return err_set(e, errno == EACCES ? ERR_DENIED : ERR_STORAGE,
		_("The ledger %s cannot be made: %s. Have an administrator check its folder."),
		l->path, strerror(errno));
}

/* Trusted schema stays on: SQLite 3.40 calls json_extract unsafe in a trigger otherwise. */
static int
connection_settle(struct ledger *l, struct err *e)
{
	static const char *const settings[] = {
		"PRAGMA foreign_keys = ON", "PRAGMA cell_size_check = ON",
		"PRAGMA synchronous = FULL",
		"PRAGMA secure_delete = ON", /* what is purged is gone from the pages too */
	};

	sqlite3_extended_result_codes(l->db, 1);
	sqlite3_busy_timeout(l->db, LEDGER_PATIENCE_MS);
	sqlite3_db_config(l->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (sqlite3_exec(l->db, settings[i], NULL, NULL, NULL) != SQLITE_OK)
			return ledger_error(l, sqlite3_extended_errcode(l->db), e);
	return 0;
}

static int
ledger_create(struct ledger *l, struct err *e)
{
	char *name;
	int format, rc = ledger_begin(l, e);

	if (rc != 0)
		return rc;
	/* Another worker may have made it while this one waited. */
	rc = ledger_schema_check(l, &format, e);
	if (rc == 0 && format == 0) {
		if (ledger_schema_create(l->db) != SQLITE_OK) {
			rc = ledger_error(l, sqlite3_extended_errcode(l->db), e);
		} else {
			name = g_uuid_string_random();
			rc = ledger_append(l, "ledger-created", "", 0, NULL,
				json_pack("{s:s, s:i, s:s}", "ledger", name, "version",
					LEDGER_VERSION, "boot", l->boot),
				e);
			g_free(name);
		}
	}
	return ledger_end(l, rc, e);
}

/* All or nothing, and the chain says so: a ledger of an older format becomes one of this. */
static int
ledger_convert(struct ledger *l, struct err *e)
{
	int format, rc = ledger_begin(l, e);

	if (rc != 0)
		return rc;
	rc = ledger_schema_check(l, &format, e);
	if (rc == 0 && format < LEDGER_VERSION) {
		if (ledger_schema_convert(l->db, format) != SQLITE_OK)
			rc = ledger_error(l, sqlite3_extended_errcode(l->db), e);
		else
			rc = ledger_append(l, "ledger-converted", "", 0, NULL,
				json_pack("{s:i, s:i, s:s}", "from", format, "to", LEDGER_VERSION,
					"boot", l->boot),
				e);
	}
	return ledger_end(l, rc, e);
}

/* Who only reads leaves an older file as it is and reads a converted copy in memory. */
static int
ledger_convert_copy(struct ledger *l, int format, struct err *e)
{
	sqlite3 *copy = NULL;
	int rc = sqlite3_open(":memory:", &copy);

	if (rc == SQLITE_OK) {
		sqlite3_backup *b = sqlite3_backup_init(copy, "main", l->db, "main");

		if (b)
			sqlite3_backup_step(b, -1);
		rc = b ? sqlite3_backup_finish(b) : sqlite3_errcode(copy);
	}
	if (rc == SQLITE_OK)
		rc = ledger_schema_convert(copy, format);
	if (rc != SQLITE_OK) {
		sqlite3_close(copy);
		return ledger_error(l, rc, e);
	}
	sqlite3_close(l->db);
	l->db = copy;
	return 0;
}

/* Readers never block a writer in WAL mode, and a commit costs one sync. */
static int
wal_set(struct ledger *l, struct err *e)
{
	static const int pause_ms = 20;
	int rc = SQLITE_BUSY;

	/* SQLite does not wait by itself here. */
	for (int waited = 0; waited < LEDGER_PATIENCE_MS && (rc & 0xff) == SQLITE_BUSY;
		waited += pause_ms) {
		if (waited)
			sqlite3_sleep(pause_ms);
		rc = sqlite3_exec(l->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
	}
	return rc == SQLITE_OK ? 0 : ledger_error(l, sqlite3_extended_errcode(l->db), e);
}

static int
ledger_connect(struct ledger *l, enum ledger_mode mode, struct err *e)
{
	int flags = mode == LEDGER_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
	int format = 0, rc = file_prepare(l, mode, e);

	if (rc != 0)
		return rc;
	int sql = sqlite3_open_v2(l->path, &l->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (sql != SQLITE_OK) {
		if (l->db && sqlite3_system_errno(l->db) == EACCES)
			return err_set(e, ERR_DENIED, _(LEDGER_DENIED), l->path);
		return ledger_error(l, sql, e);
	}
	rc = connection_settle(l, e);
	if (rc == 0 && mode == LEDGER_WRITE && sqlite3_db_readonly(l->db, "main") == 1)
		rc = ledger_error(l, SQLITE_READONLY, e);
	if (rc == 0)
		rc = ledger_schema_check(l, &format, e);
	if (rc != 0)
		return rc;
	l->writable = mode == LEDGER_WRITE;
	if (format == 0 && mode == LEDGER_READ)
		return err_set(e, ERR_MISSING,
			_("The ledger %s is still empty. The first card job fills it."), l->path);
	if (format == 0)
		rc = ledger_create(l, e);
	else if (format < LEDGER_VERSION)
		rc = mode == LEDGER_WRITE ? ledger_convert(l, e)
					  : ledger_convert_copy(l, format, e);
	return rc == 0 && mode == LEDGER_WRITE ? wal_set(l, e) : rc;
}

int
ledger_open(struct ledger **out, const char *path, enum ledger_mode mode, struct err *e)
{
	struct ledger *l = calloc(1, sizeof *l);
	int rc;

	*out = NULL;
	if (!l)
		return err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	l->clock_ms = clock_real_ms;
	l->up_ms = clock_up_ms;
	boot_fill(l);
	actor_fill(l);
	if ((size_t)snprintf(l->path, sizeof l->path, "%s", path) >= sizeof l->path)
		rc = err_set(e, ERR_USAGE, "%s", _("The path of the ledger is too long."));
	else
		rc = ledger_connect(l, mode, e);
	if (rc != 0) {
		ledger_close(l);
		return rc;
	}
	*out = l;
	return 0;
}

void
ledger_close(struct ledger *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < LEDGER_STATEMENTS_MAX; i++)
		sqlite3_finalize(l->statements[i].stmt);
	sqlite3_close(l->db);
	free(l);
}
