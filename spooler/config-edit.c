/*
 * config-edit.c - changing one setting of cardspool.conf.
 *
 * Owns the writing of the file. Guarantees: comments and all other settings stay; the old file
 * stands until the new one is on disk, and keeps its mode; a value that is there already writes
 * nothing. On failure the old file is untouched.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/cmd-printer.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char group[] = "station";

static int
write_failed(const char *path, struct err *e)
{
	int code = errno == EACCES || errno == EPERM ? ERR_DENIED : ERR_STORAGE;

	return err_set(e, code, _("%s cannot be written: %s. Do this as an administrator (sudo)."),
		path, strerror(errno));
}

static int
text_write(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd);
}

static int
file_replace(const char *path, const char *text, size_t len, struct err *e)
{
	char *next = g_strdup_printf("%s.XXXXXX", path);
	struct stat old;
	mode_t mode = stat(path, &old) == 0 ? old.st_mode & 0777 : 0644;
	int fd = mkstemp(next), rc = 0;

	if (fd < 0) {
		rc = write_failed(path, e);
	} else {
		if (fchmod(fd, mode) != 0 || text_write(fd, text, len) != 0 ||
			rename(next, path) != 0) {
			rc = write_failed(path, e);
			unlink(next);
		}
		close(fd);
	}
	g_free(next);
	return rc;
}

int
config_station_set(const char *name, const char *address, bool *changed, struct err *e)
{
	const char *path = config_path();
	GKeyFile *f = g_key_file_new();
	GError *why = NULL;
	char *old = NULL, *text = NULL;
	gsize len = 0;
	int rc = 0;

	*changed = false;
	if (!g_key_file_load_from_file(
		    f, path, G_KEY_FILE_KEEP_COMMENTS | G_KEY_FILE_KEEP_TRANSLATIONS, &why) &&
		!g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
		rc = err_set(e, ERR_INPUT, _("%s cannot be read: %s"), path, why->message);
		goto out;
	}
	old = g_key_file_get_string(f, group, name, NULL);
	if (address ? old && strcmp(g_strstrip(old), address) == 0 : !old)
		goto out;
	if (address)
		g_key_file_set_string(f, group, name, address);
	else
		g_key_file_remove_key(f, group, name, NULL);
	text = g_key_file_to_data(f, &len, NULL);
	rc = file_replace(path, text, len, e);
	*changed = rc == 0;
out:
	g_clear_error(&why);
	g_free(old);
	g_free(text);
	g_key_file_free(f);
	return rc;
}
