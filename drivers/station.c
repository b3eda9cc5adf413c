/*
 * station.c - the table of chip stations, and who may use one.
 *
 * Owns the choice of a driver by the first word of an address ("nfc:...") and the exclusive lock of
 * that address. The lock is a flock on the reader's own device node when the address names one, so
 * that two names of one node (a symbolic link) exclude each other; else on a small file named after
 * the address. libnfc does not lock a serial port, and two users of one would abort each other. On
 * failure nothing is left open or locked; the kernel drops the lock of a process that dies.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ADDRESS_MAX 512

/* Sticky and open to all on any Debian; in a container the first is missing, or was made by a
 * package for root alone, and the second serves. */
static const char *const lock_folders[] = {"/run/lock", "/tmp"};

extern const struct station_driver station_nfc, station_pcsc;

const struct station_driver *const station_drivers[] = {
	&station_nfc,
	&station_pcsc,
	NULL,
};

/* "pn532_uart:/dev/ttyUSB0:115200" -> "/dev/ttyUSB0"; false if the address names no device node. */
static bool
address_node(const char *address, char *out, size_t max)
{
	const char *slash = strstr(address, ":/");

	if (!slash)
		return false;
	size_t len = strcspn(slash + 1, ":");
	if (len >= max)
		return false;
	memcpy(out, slash + 1, len);
	out[len] = '\0';
	return true;
}

/* By the folder alone, never by who asks: root and the worker have to meet in the same one. */
static const char *
lock_folder(void)
{
	struct stat st;
	bool shared = stat(lock_folders[0], &st) == 0 && S_ISDIR(st.st_mode) &&
		      (st.st_mode & (S_IWOTH | S_ISVTX)) == (S_IWOTH | S_ISVTX);

	return lock_folders[!shared];
}

/* The folder is shared and sticky, where even root may not open another's file with O_CREAT. */
int
address_lock_file(const char *kind, const char *address)
{
	uint8_t hash[HASH_LEN];
	char hex[2 * 8 + 1], path[96];

	hash_bytes(hash, address, strlen(address));
	hex_build(hex, hash, 8);
	snprintf(path, sizeof path, "%s/cardspool-%s-%s", lock_folder(), kind, hex);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 && errno == EEXIST)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd;
}

static int
station_lock(int *out, const struct station_driver *driver, const char *address, struct err *e)
{
	char node[ADDRESS_MAX], named[2 * ADDRESS_MAX];
	const char *realm = driver->realm ? getenv(driver->realm) : NULL;
	int fd;

	if (address_node(address, node, sizeof node)) {
		fd = open(node, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd < 0 && (errno == EACCES || errno == EPERM)) {
			err_set(e, ERR_DENIED,
				_("The chip reader at %s may not be used by this user; add the "
				  "user "
				  "to the group that owns it."),
				node);
			goto refused;
		}
		if (fd < 0) {
			fault_set(e, FAULT_READER_ABSENT, node);
			goto refused;
		}
	} else {
		snprintf(named, sizeof named, "%s%s%s", address, realm ? "@" : "",
			realm ? realm : "");
		fd = address_lock_file("station", named);
		if (fd < 0) {
			const char *why = strerror(errno);
			return err_set(e, ERR_STORAGE, _("The lock of chip reader %s in %s: %s."),
				address, lock_folder(), why);
		}
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int saved = errno;
		close(fd);
		if (saved == EWOULDBLOCK)
			return err_set(e, ERR_BUSY,
				_("The chip reader %s is in use; wait until the other job is "
				  "done."),
				address);
		return err_set(e, ERR_SYSTEM, _("The chip reader %s cannot be locked: %s."),
			address, strerror(saved));
	}
	*out = fd;
	return 0;
refused:
	return e ? e->code : ERR_DEVICE;
}

int
station_open(struct station **out, const char *address, struct err *e)
{
	const struct station_driver *driver = NULL;
	size_t prefix = strcspn(address, ":");
	int fd;

	*out = NULL;
	for (size_t i = 0; station_drivers[i] && !driver; i++) {
		const char *name = station_drivers[i]->name;
		if (address[prefix] == ':' && strlen(name) == prefix &&
			memcmp(name, address, prefix) == 0)
			driver = station_drivers[i];
	}
	if (!driver || strlen(address) >= ADDRESS_MAX)
		return err_set(e, ERR_USAGE,
			_("%s: not the address of a chip reader; write it like "
			  "nfc:pn532_uart:/dev/ttyUSB0:115200 or pcsc:NAME."),
			address);
	int rc = station_lock(&fd, driver, address, e);
	if (rc)
		return rc;
	rc = driver->open(out, address + prefix + 1, e);
	if (rc) {
		close(fd);
		return rc;
	}
	(*out)->lock = fd + 1;
	return 0;
}

void
station_close(struct station *s)
{
	if (!s)
		return;
	int fd = s->lock - 1;
	s->driver->close(s);
	if (fd >= 0)
		close(fd);
}
