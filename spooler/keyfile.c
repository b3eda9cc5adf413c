/*
 * keyfile.c - the master keys at rest.
 *
 * Owns the key file: its lines, its check values, who may read it. Guarantees: a file that others
 * could read or that somebody else owns is refused; a damaged key is refused by its check value; an
 * existing file is never replaced. On failure no key bytes stay in memory and no message holds one.
 *
 * The file is text, one "name value" a line, "#" begins a comment, names in any order, each exactly
 * once:
 *
 *   cardspool-keys 1              version of this format
 *   key-version    1-255          of the keys; a card made with other masters has another
 *   access-key     32 hex digits  master of the sector keys
 *   access-check   6 hex digits   its check value
 *   mac-key        32 hex digits  master of the MAC keys
 *   mac-check      6 hex digits
 *
 * That is the plain form, of one version. The sealed form (format 2) holds every version, 33 bytes
 * each, as keyseal.c draws: version 1 | access 16 | MAC 16.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { keyfile_max = KEYFILE_MAX, format_version = 1, RING_ENTRY = 1 + 2 * MASTER_KEY_LEN };

#define SEALED_KIND "cardspool-keys 2"

enum line_kind {
	LINE_FORMAT,
	LINE_VERSION,
	LINE_ACCESS,
	LINE_ACCESS_CHECK,
	LINE_MAC,
	LINE_MAC_CHECK
};

struct keyfile {
	uint8_t format, version;
	uint8_t access_check[KEY_CHECK_LEN], mac_check[KEY_CHECK_LEN];
	struct master_keys keys;
};

static const struct {
	const char *name;
	size_t offset, len; /* hex of len bytes; 0: a number of one byte */
} lines[] = {
	[LINE_FORMAT] = {"cardspool-keys", offsetof(struct keyfile, format), 0},
	[LINE_VERSION] = {"key-version", offsetof(struct keyfile, version), 0},
	[LINE_ACCESS] = {"access-key", offsetof(struct keyfile, keys.access), MASTER_KEY_LEN},
	[LINE_ACCESS_CHECK] = {"access-check", offsetof(struct keyfile, access_check),
		KEY_CHECK_LEN},
	[LINE_MAC] = {"mac-key", offsetof(struct keyfile, keys.mac), MASTER_KEY_LEN},
	[LINE_MAC_CHECK] = {"mac-check", offsetof(struct keyfile, mac_check), KEY_CHECK_LEN},
};

/* The rights are those of the opened file itself. */
int
keyfile_text(char *text, size_t max, const char *path, struct err *e)
{
	struct stat st;
	size_t len = 0;
	ssize_t n;
	int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_MISSING,
			_("%s: there is no key file; make one with \"cardspool key create\"."),
			path);
	if (fd < 0 || fstat(fd, &st) < 0) {
		rc = err_set(e, ERR_DENIED, _("%s: the key file cannot be read: %s."), path,
			strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > (off_t)max) {
		rc = err_set(e, ERR_INPUT, _("%s: is not a key file."), path);
		goto out;
	}
	if (st.st_uid != geteuid()) {
		rc = err_set(e, ERR_DENIED,
			_("%s: the key file belongs to another user; it must belong to the user "
			  "who starts the printing."),
			path);
		goto out;
	}
	if (st.st_mode & 0177) {
		rc = err_set(e, ERR_DENIED,
			_("%s: other users could read the keys (mode %04o); set it to 0600 and "
			  "consider the keys known."),
			path, (unsigned)(st.st_mode & 07777));
		goto out;
	}
	while (len < max && (n = read(fd, text + len, max - len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = err_set(e, ERR_INPUT, _("%s: the key file cannot be read: %s."), path,
				strerror(errno));
			goto out;
		}
		len += (size_t)n;
	}
	text[len] = '\0';
out:
	if (fd >= 0)
		close(fd);
	return rc;
}

/* False if the value is not what the line wants. */
static bool
value_parse(struct keyfile *k, unsigned line, const char *value)
{
	uint8_t *out = (uint8_t *)k + lines[line].offset;

	if (lines[line].len)
		return hex_parse(out, lines[line].len, value) == 0;
	char *end;
	unsigned long number = strtoul(value, &end, 10);
	*out = (uint8_t)number;
	return value[0] >= '0' && value[0] <= '9' && !*end && number > 0 && number < 256;
}

/* One line, "name value"; cut in place. Returns its kind, -1 for an empty one, -2 for nonsense. */
static int
line_parse(struct keyfile *k, char *line)
{
	char *name = line + strspn(line, " \t");

	name[strcspn(name, "#\r")] = '\0';
	size_t len = strcspn(name, " \t");
	if (len == 0)
		return -1;
	char *value = name + len + strspn(name + len, " \t");
	value[strcspn(value, " \t")] = '\0';
	name[len] = '\0';
	for (unsigned i = 0; i < ARRAY_LEN(lines); i++)
		if (strcmp(name, lines[i].name) == 0)
			return value_parse(k, i, value) ? (int)i : -2;
	return -2;
}

static int
keyfile_parse(struct keyfile *k, char *text, const char *path, struct err *e)
{
	unsigned seen = 0, number = 0;

	for (char *line = text; line;) {
		char *next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		number++;
		int kind = line_parse(k, line);
		if (kind < -1 || (kind >= 0 && seen & 1u << kind))
			return err_set(e, ERR_INPUT,
				_("%s: line %u is not right; restore the key file from its copy."),
				path, number);
		if (kind >= 0)
			seen |= 1u << kind;
		line = next;
	}
	for (unsigned i = 0; i < ARRAY_LEN(lines); i++)
		if (!(seen & 1u << i))
			return err_set(e, ERR_INPUT,
				_("%s: the line \"%s\" is missing; put back the copy that is kept "
				  "under lock."),
				path, lines[i].name);
	if (k->format != format_version)
		return err_set(e, ERR_INPUT,
			_("%s: key file of format %u; this program knows format %u."), path,
			k->format, format_version);
	k->keys.version = k->version;
	return 0;
}

static int
check_compare(const uint8_t key[MASTER_KEY_LEN], const uint8_t expected[KEY_CHECK_LEN],
	const char *name, const char *path, struct err *e)
{
	uint8_t check[KEY_CHECK_LEN];
	int rc = diversify_check(check, key, e);

	if (rc == 0 && memcmp(check, expected, sizeof check) != 0)
		rc = err_set(e, ERR_INPUT,
			_("%s: the %s key does not fit its check value; restore the key file from "
			  "its copy."),
			path, name);
	return rc;
}

/* ---- the ring ---- */

const struct master_keys *
keyring_find(const struct key_ring *r, unsigned version)
{
	for (unsigned i = r->n; i-- > 0;)
		if (version == 0 || r->pair[i].version == version)
			return &r->pair[i];
	return NULL;
}

int
keyring_push(struct key_ring *r, const struct master_keys *pair, struct err *e)
{
	if (r->n == KEY_VERSIONS_MAX || pair->version == 0 || pair->version > 255)
		return err_set(e, ERR_USAGE,
			_("There are %u versions of the keys already; take away one that no card "
			  "needs "
			  "any more: cardspool key retire"),
			r->n);
	r->pair[r->n++] = *pair;
	return 0;
}

static int
ring_parse(struct key_ring *out, const uint8_t *plain, size_t len, const char *path, struct err *e)
{
	const size_t n = len / RING_ENTRY;

	if (n == 0 || n > KEY_VERSIONS_MAX || len % RING_ENTRY)
		return err_set(e, ERR_INPUT, _("%s: is damaged; restore it from its copy."), path);
	for (size_t i = 0; i < n; i++) {
		const uint8_t *at = plain + i * RING_ENTRY;
		struct master_keys *m = &out->pair[i];
		if (at[0] == 0 || keyring_find(out, at[0]))
			return err_set(
				e, ERR_INPUT, _("%s: is damaged; restore it from its copy."), path);
		m->version = at[0];
		memcpy(m->access, at + 1, MASTER_KEY_LEN);
		memcpy(m->mac, at + 1 + MASTER_KEY_LEN, MASTER_KEY_LEN);
		out->n++;
	}
	return 0;
}

static int
plain_parse(struct key_ring *out, char *text, const char *path, struct err *e)
{
	struct keyfile k = {0};
	int rc = keyfile_parse(&k, text, path, e);

	if (rc == 0)
		rc = check_compare(k.keys.access, k.access_check, "access", path, e);
	if (rc == 0)
		rc = check_compare(k.keys.mac, k.mac_check, "MAC", path, e);
	if (rc == 0) {
		out->pair[0] = k.keys;
		out->n = 1;
	}
	explicit_bzero(&k, sizeof k);
	return rc;
}

int
keyfile_ring(struct key_ring *out, const char *path, struct err *e)
{
	char text[keyfile_max + 1];
	uint8_t plain[KEY_VERSIONS_MAX * RING_ENTRY];
	size_t len = 0;

	explicit_bzero(out, sizeof *out);
	int rc = keyfile_text(text, keyfile_max, path, e);
	if (rc == 0 && strncmp(text, SEALED_KIND, strlen(SEALED_KIND)) != 0) {
		rc = plain_parse(out, text, path, e);
	} else if (rc == 0) {
		rc = keyseal_parse(plain, sizeof plain, &len, SEALED_KIND, text, path, e);
		if (rc == 0)
			rc = ring_parse(out, plain, len, path, e);
	}
	if (rc)
		explicit_bzero(out, sizeof *out);
	explicit_bzero(plain, sizeof plain);
	explicit_bzero(text, sizeof text);
	return rc;
}

int
keyfile_read(struct master_keys *out, const char *path, struct err *e)
{
	struct key_ring ring;
	int rc = keyfile_ring(&ring, path, e);

	explicit_bzero(out, sizeof *out);
	if (rc == 0)
		*out = *keyring_find(&ring, 0);
	explicit_bzero(&ring, sizeof ring);
	return rc;
}

/* ---- writing ---- */

int
keyfile_place(const char *path, const char *text, bool replace, struct err *e)
{
	char complete[4096];
	int n = snprintf(complete, sizeof complete, "%s.new", path);

	if (n < 0 || (size_t)n >= sizeof complete)
		return err_set(e, ERR_USAGE, _("%s: the path is too long."), path);
	if (replace)
		return file_write(path, text, strlen(text), 0600, e);
	if (access(path, F_OK) == 0)
		return err_set(e, ERR_USAGE,
			_("%s: there is a key file already; it is not replaced."), path);
	int rc = file_write(complete, text, strlen(text), 0600, e);
	/* A link never replaces, whoever was quicker. */
	if (rc == 0 && link(complete, path) < 0)
		rc = err_set(e, errno == EEXIST ? ERR_USAGE : ERR_STORAGE,
			_("%s: the key file cannot be made: %s."), path, strerror(errno));
	unlink(complete);
	/* Cards made with a key whose file a power cut takes away could never be read again. */
	if (rc == 0 && file_folder_sync(path) < 0)
		rc = err_set(e, ERR_STORAGE, _("%s: the key file cannot be made: %s."), path,
			strerror(errno));
	return rc;
}

int
keyfile_save(const struct key_ring *r, const char *path, const char *secret_path, bool replace,
	struct err *e)
{
	uint8_t plain[KEY_VERSIONS_MAX * RING_ENTRY];
	char text[2 * KEYFILE_MAX];

	/* Before the secret is made: a wrong call leaves nothing behind. */
	if (!replace && access(path, F_OK) == 0)
		return err_set(e, ERR_USAGE,
			_("%s: there is a key file already; it is not replaced."), path);
	for (unsigned i = 0; i < r->n; i++) {
		uint8_t *at = plain + i * RING_ENTRY;
		at[0] = (uint8_t)r->pair[i].version;
		memcpy(at + 1, r->pair[i].access, MASTER_KEY_LEN);
		memcpy(at + 1 + MASTER_KEY_LEN, r->pair[i].mac, MASTER_KEY_LEN);
	}
	int rc = keyseal_build(
		text, sizeof text, SEALED_KIND, secret_path, plain, r->n * RING_ENTRY, e);
	explicit_bzero(plain, sizeof plain);
	return rc ? rc : keyfile_place(path, text, replace, e);
}

static int
keyfile_build(char *text, size_t max, const struct master_keys *m, struct err *e)
{
	uint8_t check[2][KEY_CHECK_LEN];
	char key_hex[2][2 * MASTER_KEY_LEN + 1], check_hex[2][2 * KEY_CHECK_LEN + 1];
	int rc = diversify_check(check[0], m->access, e);

	if (rc == 0)
		rc = diversify_check(check[1], m->mac, e);
	if (rc)
		return rc;
	hex_build(key_hex[0], m->access, MASTER_KEY_LEN);
	hex_build(key_hex[1], m->mac, MASTER_KEY_LEN);
	for (unsigned i = 0; i < 2; i++)
		hex_build(check_hex[i], check[i], KEY_CHECK_LEN);
	int n = snprintf(text, max,
		"# Master keys of this site. Whoever reads this file can make cards: mode 0600, "
		"and a\n"
		"# copy under lock. Without it no card that was made with it can be read again.\n"
		"cardspool-keys %u\nkey-version %u\naccess-key %s\naccess-check %s\nmac-key %s\n"
		"mac-check %s\n",
		(unsigned)format_version, m->version, key_hex[0], check_hex[0], key_hex[1],
		check_hex[1]);
	explicit_bzero(key_hex, sizeof key_hex);
	return n > 0 && (size_t)n < max ? 0 : err_set(e, ERR_INTERNAL, "key file too long");
}

int
keyfile_create(const char *path, struct err *e)
{
	struct master_keys m = {.version = 1};
	char text[keyfile_max];
	int rc = 0;

	if (RAND_priv_bytes(m.access, sizeof m.access) != 1 ||
		RAND_priv_bytes(m.mac, sizeof m.mac) != 1)
		rc = err_set(e, ERR_SYSTEM, _("No random numbers are to be had."));
	if (rc == 0)
		rc = keyfile_build(text, sizeof text, &m, e);
	if (rc == 0)
		rc = keyfile_place(path, text, false, e);
	explicit_bzero(&m, sizeof m);
	explicit_bzero(text, sizeof text);
	return rc;
}
