/*
 * tree.c - the fake /sys and /dev/bus/usb, and the announcements that something was plugged in.
 *
 * Owns the private folder emu->root. It shows exactly the devices that are plugged, at every
 * moment; what libusb, libudev and lsusb read is there and nothing else.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/netlink.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_LEN   256
#define UDEV_GROUP 2

static void
file_put(const char *folder, const char *name, const void *bytes, size_t len)
{
	char path[PATH_LEN];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	if (write(fd, bytes, len) != (ssize_t)len)
		unlink(path);
	close(fd);
}

static void file_print(const char *folder, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void
file_print(const char *folder, const char *name, const char *format, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	file_put(folder, name, text, (size_t)n);
}

static int
folder_make(const char *root, const char *path)
{
	char full[PATH_LEN];
	snprintf(full, sizeof full, "%s/%s", root, path);
	for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		if (mkdir(full, 0755) && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return mkdir(full, 0755) && errno != EEXIST ? -1 : 0;
}

static int
entry_remove(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	(void)st;
	(void)flag;
	(void)at;
	(void)remove(path); /* the rest goes all the same */
	return 0;
}

int
tree_create(struct emu *emu)
{
	static const char *const folders[] = {"sys/bus/usb/devices", "sys/class", "sys/devices/emu",
		"sys/devices/system", "dev/bus/usb/001", "mirror"};
	const char *tmp = getenv("TMPDIR");
	snprintf(emu->root, sizeof emu->root, "%.40s/cse.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(emu->root) || chmod(emu->root, 0755))
		return -1;
	for (size_t i = 0; i < EMU_LEN(folders); i++)
		if (folder_make(emu->root, folders[i]))
			return -1;
	emu->netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	return 0;
}

void
tree_remove(struct emu *emu)
{
	if (*emu->root)
		nftw(emu->root, entry_remove, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	if (emu->netlink >= 0)
		close(emu->netlink);
}

static void
device_path(char out[PATH_LEN], const struct usb_device *d)
{
	snprintf(out, PATH_LEN, d == &d->emu->hub ? "/devices/emu/usb%u" : "/devices/emu/usb%u/%s",
		d->bus, d->port);
}

int
tree_add(struct emu *emu, struct usb_device *d)
{
	char path[PATH_LEN], folder[PATH_LEN + 8], link[PATH_LEN], target[PATH_LEN];
	if (!emu->sandboxed)
		return 0;
	device_path(path, d);
	snprintf(folder, sizeof folder, "sys%s", path);
	if (folder_make(emu->root, folder))
		return -1;
	snprintf(folder, sizeof folder, "%.60s/sys%.180s", emu->root, path);
	const uint8_t *dev = d->descriptors;
	file_print(folder, "busnum", "%u\n", d->bus);
	file_print(folder, "devnum", "%u\n", d->devnum);
	bool full_speed = d->printer && d->printer->model->full_speed;
	file_print(folder, "speed", full_speed ? "12\n" : "480\n");
	file_print(folder, "bConfigurationValue", "1\n");
	file_print(folder, "bNumConfigurations", "1\n");
	file_print(folder, "bNumInterfaces", " 1\n");
	file_print(folder, "bDeviceClass", "%02x\n", dev[4]);
	file_print(folder, "idVendor", "%02x%02x\n", dev[9], dev[8]);
	file_print(folder, "idProduct", "%02x%02x\n", dev[11], dev[10]);
	file_print(folder, "bcdDevice", "%02x%02x\n", dev[13], dev[12]);
	file_print(folder, "manufacturer", "%s\n", d->strings[1]);
	file_print(folder, "product", "%s\n", d->strings[2]);
	if (d->strings[3])
		file_print(folder, "serial", "%s\n", d->strings[3]);
	file_print(folder, "dev", "189:%u\n", d->devnum - 1);
	file_print(folder, "uevent",
		"MAJOR=189\nMINOR=%u\nDEVNAME=bus/usb/%03u/%03u\nDEVTYPE=usb_device\nBUSNUM=%03u\n"
		"DEVNUM=%03u\n",
		d->devnum - 1, d->bus, d->devnum, d->bus, d->devnum);
	file_put(folder, "descriptors", d->descriptors, d->descriptors_len);
	snprintf(link, sizeof link, "%.200s/subsystem", folder);
	if (symlink(d == &emu->hub ? "../../../bus/usb" : "../../../../bus/usb", link) &&
		errno != EEXIST)
		return -1;
	snprintf(link, sizeof link, "%s/sys/bus/usb/devices/%s", emu->root, d->port);
	snprintf(target, sizeof target, "../../..%.200s", path);
	if (symlink(target, link) && errno != EEXIST)
		return -1;
	/* The node is never opened as a file: opening it is answered by the emulator. */
	snprintf(link, sizeof link, "%s/dev/bus/usb/%03u/%03u", emu->root, d->bus, d->devnum);
	int fd = open(link, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		return -1;
	fchmod(fd, 0666);
	close(fd);
	return 0;
}

void
tree_delete(struct emu *emu, struct usb_device *d)
{
	char path[PATH_LEN], full[PATH_LEN];
	if (!emu->sandboxed)
		return;
	snprintf(full, sizeof full, "%s/dev/bus/usb/%03u/%03u", emu->root, d->bus, d->devnum);
	unlink(full);
	snprintf(full, sizeof full, "%s/sys/bus/usb/devices/%s", emu->root, d->port);
	unlink(full);
	device_path(path, d);
	snprintf(full, sizeof full, "%.60s/sys%.180s", emu->root, path);
	nftw(full, entry_remove, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* MurmurHash2 with seed 0, as libudev filters by. */
static uint32_t
murmur(const char *text)
{
	const uint32_t m = 0x5bd1e995;
	size_t len = strlen(text);
	const uint8_t *s = (const uint8_t *)text;
	uint32_t h = (uint32_t)len;
	for (; len >= 4; len -= 4, s += 4) {
		uint32_t k;
		memcpy(&k, s, sizeof k);
		k *= m;
		k ^= k >> 24;
		h = h * m ^ k * m;
	}
	for (size_t i = len; i-- > 0;)
		h ^= (uint32_t)s[i] << 8 * i;
	if (len)
		h *= m;
	h ^= h >> 13;
	h *= m;
	return h ^ h >> 15;
}

/* A libudev monitor message: this head, then NUL-terminated properties. */
struct monitor_head {
	char prefix[8];
	uint32_t magic, head_size, properties_at, properties_len;
	uint32_t subsystem_hash, devtype_hash, tags[2];
};

void
tree_uevent(struct emu *emu, struct usb_device *d, const char *action)
{
	char path[PATH_LEN], text[512];
	if (!emu->sandboxed)
		return;
	device_path(path, d);
	int n = snprintf(text, sizeof text,
		"ACTION=%s\nDEVPATH=%s\nSUBSYSTEM=usb\nDEVTYPE=usb_device\nDEVNAME=/dev/bus/usb/"
		"%03u/%03u\n"
		"BUSNUM=%03u\nDEVNUM=%03u\nSEQNUM=%llu\nMAJOR=189\nMINOR=%u\n",
		action, path, d->bus, d->devnum, d->bus, d->devnum,
		(unsigned long long)++emu->seqnum, d->devnum - 1);
	for (int i = 0; i < n; i++)
		if (text[i] == '\n')
			text[i] = 0;
	struct monitor_head head = {.prefix = "libudev",
		.magic = htonl(0xfeedcafe),
		.head_size = sizeof head,
		.properties_at = sizeof head,
		.properties_len = (uint32_t)n,
		.subsystem_hash = htonl(murmur("usb")),
		.devtype_hash = htonl(murmur("usb_device"))};
	struct iovec parts[] = {{&head, sizeof head}, {text, (size_t)n}};
	struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_groups = UDEV_GROUP};
	struct msghdr m = {
		.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = parts, .msg_iovlen = 2};
	if (emu->netlink >= 0 && sendmsg(emu->netlink, &m, 0) < 0 && errno != ECONNREFUSED)
		emu_log(emu, "no announcement of %s: %s", action, strerror(errno));
}
