/*
 * buf.c - bytes: the growing buffer, whole files, hashes and hex.
 *
 * Guarantees: a buffer never passes the ceiling it was made with; a file written here is complete
 * or absent. On failure the buffer keeps what it held.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/card.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void
buf_done(struct buf *b)
{
	free(b->data);
	*b = (struct buf){.max = b->max};
}

int
buf_reserve(struct buf *b, size_t more, struct err *e)
{
	if (more > b->max || b->len > b->max - more)
		return err_set(e, ERR_INPUT, _("More than %zu bytes; that is too large."), b->max);
	size_t need = b->len + more, cap = b->cap ? b->cap : 256;
	if (need <= b->cap)
		return 0;
	while (cap < need)
		cap = cap > b->max / 2 ? b->max : cap * 2;
	uint8_t *data = realloc(b->data, cap);
	if (!data)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	b->data = data;
	b->cap = cap;
	return 0;
}

int
buf_append(struct buf *b, const void *bytes, size_t len, struct err *e)
{
	int rc = buf_reserve(b, len, e);

	if (rc)
		return rc;
	if (len)
		memcpy(b->data + b->len, bytes, len);
	b->len += len;
	return 0;
}

int
buf_printf(struct buf *b, struct err *e, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0)
		return err_set(e, ERR_INTERNAL, "vsnprintf: %s", strerror(errno));
	int rc = buf_reserve(b, (size_t)n + 1, e);
	if (rc)
		return rc;
	va_start(args, format);
	vsnprintf((char *)b->data + b->len, (size_t)n + 1, format, args);
	va_end(args);
	b->len += (size_t)n;
	return 0;
}

int
file_read(struct buf *b, const char *path, size_t max, struct err *e)
{
	struct stat st;
	int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0) {
		int code = errno == EACCES ? ERR_DENIED : ERR_MISSING;
		rc = err_set(e, code, _("%s: cannot be read: %s."), path, strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		rc = err_set(e, ERR_INPUT, _("%s: is not a file."), path);
		goto out;
	}
	if ((uintmax_t)st.st_size > max) {
		rc = err_set(e, ERR_INPUT, _("%s: has %jd bytes; at most %zu are allowed."), path,
			(intmax_t)st.st_size, max);
		goto out;
	}
	for (size_t total = 0;;) {
		uint8_t piece[16384];
		ssize_t n = read(fd, piece, sizeof piece);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = err_set(e, ERR_MISSING, _("%s: cannot be read: %s."), path,
				strerror(errno));
			goto out;
		}
		if (n == 0)
			break;
		total += (size_t)n;
		if (total > max) {
			rc = err_set(e, ERR_INPUT, _("%s: more than %zu bytes."), path, max);
			goto out;
		}
		if ((rc = buf_append(b, piece, (size_t)n, e)))
			goto out;
	}
out:
	if (fd >= 0)
		close(fd);
	return rc;
}

static int
write_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

int
file_folder_sync(const char *path)
{
	char folder[4096];
	const char *slash = strrchr(path, '/');

	if (!slash)
		snprintf(folder, sizeof folder, ".");
	else
		snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path),
			path);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	int rc = fsync(fd);
	close(fd);
	return rc;
}

int
file_write(const char *path, const void *bytes, size_t len, unsigned mode, struct err *e)
{
	char temporary[4096];
	int n = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);

	if (n < 0 || (size_t)n >= sizeof temporary)
		return err_set(e, ERR_USAGE, _("%s: the path is too long."), path);
	int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return err_set(
			e, ERR_STORAGE, _("%s: cannot be written: %s."), path, strerror(errno));
	int bad = fchmod(fd, mode) < 0 || write_all(fd, bytes, len) < 0 || fsync(fd) < 0;
	int saved = errno;
	if (close(fd) < 0 && !bad) {
		bad = 1;
		saved = errno;
	}
	if (!bad && rename(temporary, path) < 0) {
		bad = 1;
		saved = errno;
	}
	if (bad) {
		unlink(temporary);
		return err_set(
			e, ERR_STORAGE, _("%s: cannot be written: %s."), path, strerror(saved));
	}
	if (file_folder_sync(path) < 0)
		return err_set(e, ERR_STORAGE, _("%s: cannot be made durable: %s."), path,
			strerror(errno));
	return 0;
}

void
hash_bytes(uint8_t out[HASH_LEN], const void *bytes, size_t len)
{
	/* EVP_Digest with a built-in digest fails only without memory; a zero hash never matches.
	 */
	if (!EVP_Digest(bytes, len, out, NULL, EVP_sha256(), NULL))
		memset(out, 0, HASH_LEN);
}

void
hex_build(char *out, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * len] = '\0';
}

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

int
hex_parse(uint8_t *out, size_t len, const char *hex)
{
	for (size_t i = 0; i < len; i++) {
		int high = hex_digit(hex[2 * i]);
		int low = high < 0 ? -1 : hex_digit(hex[2 * i + 1]);
		if (low < 0)
			return ERR_INPUT;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return hex[2 * len] ? ERR_INPUT : 0;
}
