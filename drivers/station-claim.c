/*
 * station-claim.c - who holds a chip reader that libnfc would drive.
 *
 * Owns the look into sysfs and /proc: the kernel's own NFC modules, pcscd (an ACR122 is a CCID
 * reader too) and any other program that has the reader open. Guarantees that nothing is changed
 * and no reader is opened. What cannot be read, as another user's processes, counts as free: the
 * reader's own answer decides then.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/driver.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct station_roots station_roots = {"/sys", "/proc", "/dev"};

/* The first line of a small file; "" when there is none. */
static void
line_read(char *out, size_t max, const char *path)
{
	FILE *f = fopen(path, "re");

	out[0] = '\0';
	if (!f)
		return;
	if (fgets(out, (int)max, f))
		out[strcspn(out, "\n")] = '\0';
	fclose(f);
}

static unsigned long
plug_number(const struct station_roots *r, const char *plug, const char *name, int base)
{
	char path[PATH_MAX], text[32];

	snprintf(path, sizeof path, "%s/bus/usb/devices/%s/%s", r->sys, plug, name);
	line_read(text, sizeof text, path);
	return strtoul(text, NULL, base);
}

static bool
link_last(char *out, size_t max, const char *path)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof target - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	const char *slash = strrchr(target, '/');
	snprintf(out, max, "%s", slash ? slash + 1 : target);
	return true;
}

/* A driver of the kernel on one of the reader's interfaces; usbfs is a program, not a driver. */
static bool
kernel_holds(const struct station_roots *r, struct station_claim *c)
{
	char path[PATH_MAX], prefix[sizeof c->plug + 1];
	bool held = false;
	struct dirent *d;

	snprintf(prefix, sizeof prefix, "%s:", c->plug);
	snprintf(path, sizeof path, "%s/bus/usb/devices", r->sys);
	DIR *folder = opendir(path);
	while (folder && !held && (d = readdir(folder))) {
		if (strncmp(d->d_name, prefix, strlen(prefix)) != 0)
			continue;
		snprintf(path, sizeof path, "%s/bus/usb/devices/%s/driver", r->sys, d->d_name);
		held = link_last(c->who, sizeof c->who, path) && strcmp(c->who, "usbfs") != 0;
	}
	if (folder)
		closedir(folder);
	if (held)
		c->holder = CLAIM_KERNEL;
	return held;
}

static bool
process_has(const char *fd_folder, const char *node)
{
	char path[PATH_MAX], target[PATH_MAX];
	bool has = false;
	struct dirent *d;

	DIR *folder = opendir(fd_folder);
	while (folder && !has && (d = readdir(folder))) {
		snprintf(path, sizeof path, "%s/%s", fd_folder, d->d_name);
		ssize_t n = readlink(path, target, sizeof target - 1);
		has = n > 0 && (size_t)n == strlen(node) && memcmp(target, node, (size_t)n) == 0;
	}
	if (folder)
		closedir(folder);
	return has;
}

bool
station_claim_node(struct station_claim *c, const struct station_roots *r, const char *node)
{
	char path[PATH_MAX];
	bool held = false;
	struct dirent *d;

	DIR *folder = opendir(r->proc);
	while (folder && !held && (d = readdir(folder))) {
		long pid = strtol(d->d_name, NULL, 10);
		if (pid <= 0 || pid == (long)getpid())
			continue;
		snprintf(path, sizeof path, "%s/%ld/fd", r->proc, pid);
		if (!process_has(path, node))
			continue;
		snprintf(path, sizeof path, "%s/%ld/comm", r->proc, pid);
		line_read(c->who, sizeof c->who, path);
		c->pid = pid;
		c->holder = strcmp(c->who, "pcscd") == 0 ? CLAIM_PCSCD : CLAIM_PROGRAM;
		held = true;
	}
	if (folder)
		closedir(folder);
	return held;
}

size_t
station_claims(struct station_claim *out, size_t max, const struct station_roots *r)
{
	char path[PATH_MAX];
	size_t n = 0;
	struct dirent *d;

	snprintf(path, sizeof path, "%s/bus/usb/devices", r->sys);
	DIR *folder = opendir(path);
	while (folder && n < max && (d = readdir(folder))) {
		if (strchr(d->d_name, ':') || strlen(d->d_name) >= sizeof out->plug)
			continue;
		const struct station_usb *s =
			station_usb_find((uint16_t)plug_number(r, d->d_name, "idVendor", 16),
				(uint16_t)plug_number(r, d->d_name, "idProduct", 16));
		if (!s || s->kind != STATION_USB_NFC)
			continue;
		struct station_claim *c = &out[n++];
		*c = (struct station_claim){.usb = s};
		snprintf(c->plug, sizeof c->plug, "%s", d->d_name);
		if (kernel_holds(r, c))
			continue;
		snprintf(path, sizeof path, "%s/bus/usb/%03lu/%03lu", r->dev,
			plug_number(r, c->plug, "busnum", 10),
			plug_number(r, c->plug, "devnum", 10));
		station_claim_node(c, r, path);
	}
	if (folder)
		closedir(folder);
	return n;
}

int
station_claim_tell(const struct station_claim *c, struct err *e)
{
	const char *name = c->usb ? c->usb->name : c->plug;

	switch (c->holder) {
	case CLAIM_KERNEL:
		return err_set(e, ERR_BUSY,
			_("The kernel module %s holds the chip reader %s; run \"modprobe -r %s\" "
			  "and put \"blacklist %s\" into /etc/modprobe.d/cardspool.conf."),
			c->who, name, c->who, c->who);
	case CLAIM_PCSCD:
		return err_set(e, ERR_BUSY,
			_("pcscd holds the chip reader %s; name it in cardspool.conf as "
			  "\"cardspool "
			  "station list\" shows it under pcsc:, or stop pcscd."),
			name);
	case CLAIM_PROGRAM:
		return err_set(e, ERR_BUSY,
			_("The program %s (process %ld) holds the chip reader %s; end it."), c->who,
			c->pid, name);
	case CLAIM_FREE:
		break;
	}
	return 0;
}

int
station_claim_address(const char *connection, const struct station_roots *r, struct err *e)
{
	struct station_claim list[STATION_CLAIMS_MAX];
	const size_t word = strcspn(connection, ":");
	size_t n = station_claims(list, ARRAY_LEN(list), r);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		if (strlen(list[i].usb->driver) == word &&
			memcmp(list[i].usb->driver, connection, word) == 0)
			rc = station_claim_tell(&list[i], e);
	return rc;
}
