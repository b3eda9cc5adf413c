/*
 * test-keys.c - derivation, the key file, and the key process.
 *
 * Vectors: the example of NXP AN10922 for AES-128; the others were computed with the openssl
 * command (openssl mac ... CMAC and HMAC) from the layout in doc/KEYS.md.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define ACCESS_HEX "00112233445566778899aabbccddeeff"
#define MAC_HEX    "ffeeddccbbaa99887766554433221100"

#define GOOD_FILE                                                                                  \
	"# a comment\ncardspool-keys 1\nkey-version 7\naccess-key " ACCESS_HEX                     \
	"\naccess-check 53e107\nmac-key " MAC_HEX " # and one here\nmac-check 485f5c\n"

static char folder[] = "/tmp/test-keys.XXXXXX";
static char path[64], secret[64];

static const struct {
	const char *uid;
	size_t uid_len;
	unsigned sector;
	enum key_kind kind;
	const char *key;
} sector_keys[] = {
	{"04a1b2c3", 4, 0, KEY_A, "da30c766a7c0"},
	{"04a1b2c3", 4, 0, KEY_B, "8570df57cbad"},
	{"04a1b2c3", 4, 7, KEY_A, "1d61a41365ac"},
	{"04a1b2c3", 4, 7, KEY_B, "630b968168f8"},
	{"04a1b2c3", 4, 15, KEY_A, "a138f9fc7f2b"},
	{"04a1b2c3", 4, 15, KEY_B, "89a0a499c30a"},
	{"04112233445566", 7, 0, KEY_A, "dd3fa66dcb92"},
	{"04112233445566", 7, 7, KEY_B, "75f8ecc8b4c4"},
	{"04112233445566", 7, 15, KEY_B, "207650c174e3"},
};

static const struct {
	const char *uid;
	size_t uid_len;
	const char *mac;
} macs[] = {
	{"04a1b2c3", 4, "5abcb24e9a672371f2835912515299662d8d83eb254455f11da03a00bdd8d55a"},
	{"04112233445566", 7, "a89e44684e45f819512316f602fcf532a0b0ce3eeafa98b56a604412a6b47edd"},
};

static void
id_init(struct chip_id *id, const char *uid, size_t len)
{
	*id = (struct chip_id){.uid_len = len, .sak = 8, .cards_in_field = 1};
	assert_int_equal(hex_parse(id->uid, len, uid), 0);
}

/* Blocks 4 to 42 without trailers, each filled with its own number. */
static void
image_init(struct chip_image *c)
{
	memset(c, 0, sizeof *c);
	for (unsigned b = 4; b <= 42; b++) {
		if (b % 4 == 3)
			continue;
		c->data |= UINT64_C(1) << b;
		memset(c->block[b], (int)b, CHIP_BLOCK_LEN);
	}
	c->mac = 6;
}

static void
masters_init(struct master_keys *m)
{
	m->version = 7;
	assert_int_equal(hex_parse(m->access, MASTER_KEY_LEN, ACCESS_HEX), 0);
	assert_int_equal(hex_parse(m->mac, MASTER_KEY_LEN, MAC_HEX), 0);
}

static void
file_put(const char *text, mode_t mode)
{
	unlink(path);
	assert_int_equal(file_write(path, text, strlen(text), mode, NULL), 0);
}

static void
test_self_test(void **state)
{
	struct err e = {0};
	uint8_t out[MASTER_KEY_LEN], input[40] = {0}, key[MASTER_KEY_LEN] = {0};

	(void)state;
	assert_int_equal(diversify_self_test(&e), 0);
	assert_int_equal(diversify_key(out, key, input, 16, &e), 0);
	assert_int_equal(diversify_key(out, key, input, 31, &e), 0);
	assert_int_equal(diversify_key(out, key, input, 15, &e), ERR_INTERNAL);
	assert_int_equal(diversify_key(out, key, input, 32, &e), ERR_INTERNAL);
}

static void
expect_card(const struct chip_keys *k, const char *uid)
{
	uint8_t expected[HASH_LEN];
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(sector_keys); i++) {
		if (strcmp(sector_keys[i].uid, uid) != 0)
			continue;
		assert_int_equal(hex_parse(expected, MIFARE_KEY_LEN, sector_keys[i].key), 0);
		assert_memory_equal(k->key[sector_keys[i].sector][sector_keys[i].kind], expected,
			MIFARE_KEY_LEN);
		n++;
	}
	for (size_t i = 0; i < ARRAY_LEN(macs); i++)
		if (strcmp(macs[i].uid, uid) == 0) {
			assert_int_equal(hex_parse(expected, HASH_LEN, macs[i].mac), 0);
			assert_memory_equal(k->mac, expected, HASH_LEN);
			n++;
		}
	assert_true(n > 2);
}

static void
test_card(void **state)
{
	struct master_keys m;
	struct chip_image image;
	struct chip_keys keys;
	struct chip_id id;
	struct err e = {0};

	(void)state;
	masters_init(&m);
	image_init(&image);
	for (size_t i = 0; i < ARRAY_LEN(macs); i++) {
		id_init(&id, macs[i].uid, macs[i].uid_len);
		assert_int_equal(diversify_card(&keys, &m, &id, &image, &e), 0);
		expect_card(&keys, macs[i].uid);
	}
	uint8_t before[HASH_LEN];
	memcpy(before, keys.mac, sizeof before);
	image.block[42][15] ^= 1;
	assert_int_equal(diversify_card(&keys, &m, &id, &image, &e), 0);
	assert_memory_not_equal(keys.mac, before, sizeof before);
	id.uid_len = 5;
	assert_int_equal(diversify_card(&keys, &m, &id, &image, &e), ERR_INTERNAL);
}

/* No two of the 32 sector keys of a card are the same. */
static void
test_distinct(void **state)
{
	struct master_keys m;
	struct chip_image image = {0};
	struct chip_keys keys;
	struct chip_id id;

	(void)state;
	masters_init(&m);
	id_init(&id, "04a1b2c3", 4);
	assert_int_equal(diversify_card(&keys, &m, &id, &image, NULL), 0);
	const uint8_t *all = &keys.key[0][0][0];
	for (unsigned a = 0; a < 2 * CHIP_SECTORS; a++)
		for (unsigned b = a + 1; b < 2 * CHIP_SECTORS; b++)
			assert_memory_not_equal(
				all + a * MIFARE_KEY_LEN, all + b * MIFARE_KEY_LEN, MIFARE_KEY_LEN);
}

static void
test_file_good(void **state)
{
	struct master_keys m, expected;
	struct err e = {0};

	(void)state;
	masters_init(&expected);
	file_put(GOOD_FILE, 0600);
	assert_int_equal(keyfile_read(&m, path, &e), 0);
	assert_int_equal(m.version, 7);
	assert_memory_equal(m.access, expected.access, MASTER_KEY_LEN);
	assert_memory_equal(m.mac, expected.mac, MASTER_KEY_LEN);
	file_put(GOOD_FILE, 0400);
	assert_int_equal(keyfile_read(&m, path, &e), 0);
}

static const struct {
	const char *text;
	int code;
} bad_files[] = {
	{"", ERR_INPUT}, {"cardspool-keys 1\nkey-version 7\n", ERR_INPUT},
	{GOOD_FILE "key-version 7\n", ERR_INPUT}, /* twice */
	{GOOD_FILE "something 1\n", ERR_INPUT},   /* unknown */
	{"cardspool-keys 2\nkey-version 7\naccess-key " ACCESS_HEX
	 "\naccess-check 53e107\nmac-key " MAC_HEX "\nmac-check 485f5c\n",
		ERR_INPUT}, /* newer */
	{"cardspool-keys 1\nkey-version 0\naccess-key " ACCESS_HEX
	 "\naccess-check 53e107\nmac-key " MAC_HEX "\nmac-check 485f5c\n",
		ERR_INPUT},
	{"cardspool-keys 1\nkey-version 256\naccess-key " ACCESS_HEX
	 "\naccess-check 53e107\nmac-key " MAC_HEX "\nmac-check 485f5c\n",
		ERR_INPUT},
	{"cardspool-keys 1\nkey-version 7\naccess-key " ACCESS_HEX
	 "\naccess-check 53e108\nmac-key " MAC_HEX "\nmac-check 485f5c\n",
		ERR_INPUT}, /* check value */
	{"cardspool-keys 1\nkey-version 7\naccess-key " ACCESS_HEX
	 "\naccess-check 53e107\nmac-key " ACCESS_HEX "\nmac-check 485f5c\n",
		ERR_INPUT},
	{"cardspool-keys 1\nkey-version 7\naccess-key " ACCESS_HEX
	 "00\naccess-check 53e107\nmac-key " MAC_HEX "\nmac-check 485f5c\n",
		ERR_INPUT}, /* too long */
};

static void
test_file_bad(void **state)
{
	static const mode_t modes[] = {0640, 0604, 0660, 0620, 0700, 0666};
	struct master_keys m, zero = {0};
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_files); i++) {
		e = (struct err){0};
		file_put(bad_files[i].text, 0600);
		assert_int_equal(keyfile_read(&m, path, &e), bad_files[i].code);
		assert_memory_equal(&m, &zero, sizeof m);
		assert_null(strstr(e.text, "0011"));
		assert_non_null(strstr(e.text, path));
	}
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		file_put(GOOD_FILE, modes[i]);
		assert_int_equal(keyfile_read(&m, path, &e), ERR_DENIED);
		assert_memory_equal(&m, &zero, sizeof m);
	}
	unlink(path);
	assert_int_equal(keyfile_read(&m, path, &e), ERR_MISSING);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(keyfile_read(&m, path, &e), ERR_DENIED);
	unlink(path);
	if (geteuid() == 0) {
		file_put(GOOD_FILE, 0600);
		assert_int_equal(chown(path, 1234, 0), 0);
		assert_int_equal(keyfile_read(&m, path, &e), ERR_DENIED);
	} else {
		puts("ok - another user's key file # SKIP needs root");
	}
}

static void
test_file_create(void **state)
{
	struct master_keys first, second;
	struct err e = {0};
	struct stat st;

	(void)state;
	unlink(path);
	assert_int_equal(keyfile_create(path, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(keyfile_read(&first, path, &e), 0);
	assert_int_equal(first.version, 1);
	assert_memory_not_equal(first.access, first.mac, MASTER_KEY_LEN);
	assert_int_equal(keyfile_create(path, &e), ERR_USAGE);
	assert_int_equal(keyfile_read(&second, path, &e), 0);
	assert_memory_equal(&first, &second, sizeof first);
	unlink(path);
	assert_int_equal(keyfile_create(path, &e), 0);
	assert_int_equal(keyfile_read(&second, path, &e), 0);
	assert_memory_not_equal(first.access, second.access, MASTER_KEY_LEN);
}

/* A line of /proc/PID/status. */
static void
status_line(pid_t pid, const char *name, char *out, size_t max)
{
	char file[64], line[256];

	snprintf(file, sizeof file, "/proc/%d/status", (int)pid);
	FILE *f = fopen(file, "r");
	assert_non_null(f);
	out[0] = '\0';
	while (fgets(line, sizeof line, f))
		if (strncmp(line, name, strlen(name)) == 0)
			snprintf(out, max, "%s", line + strlen(name));
	fclose(f);
}

static void
keyd_reap(pid_t pid, int fd)
{
	close(fd);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
test_keyd(void **state)
{
	struct chip_image image;
	struct chip_keys keys;
	struct chip_id id;
	struct err e = {0};
	char line[256];
	pid_t pid;
	int fd;

	(void)state;
	file_put(GOOD_FILE, 0600);
	image_init(&image);
	assert_int_equal(keyd_start(path, NULL, &pid, &fd, &e), 0);
	struct key_source source = keyd_key_source_ops;
	source.ctx = (void *)(intptr_t)fd;
	kill(pid, SIGTERM); /* a stop of the job does not take the keys from the card in work */
	for (size_t i = 0; i < ARRAY_LEN(macs); i++) {
		id_init(&id, macs[i].uid, macs[i].uid_len);
		assert_int_equal(source.card_keys(source.ctx, &id, &image, &keys, &e), 0);
		expect_card(&keys, macs[i].uid);
	}
	status_line(pid, "NoNewPrivs:", line, sizeof line);
	assert_non_null(strchr(line, '1'));
	status_line(pid, "Seccomp:", line, sizeof line);
	assert_non_null(strchr(line, '2'));
	if (geteuid() == 0) {
		status_line(pid, "Uid:", line, sizeof line);
		assert_null(strstr(line, "\t0\t"));
		status_line(pid, "CapEff:", line, sizeof line);
		assert_non_null(strstr(line, "0000000000000000"));
		for (int i = 4; i < 64; i++) {
			char file[64];
			snprintf(file, sizeof file, "/proc/%d/fd/%d", (int)pid, i);
			if (readlink(file, line, sizeof line) > 0)
				assert_int_equal(strncmp(line, "socket:", 7), 0);
		}
	} else {
		puts("ok - what keyd has given up # SKIP needs root");
	}
	keyd_reap(pid, fd);
}

static void
test_keyd_dies(void **state)
{
	struct chip_image image;
	struct chip_keys keys, zero = {0};
	struct chip_id id;
	struct err e = {0};
	pid_t pid;
	int fd;

	(void)state;
	file_put(GOOD_FILE, 0600);
	image_init(&image);
	id_init(&id, "04a1b2c3", 4);
	assert_int_equal(keyd_start(path, NULL, &pid, &fd, &e), 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	memset(&keys, 0, sizeof keys);
	assert_int_equal(
		keyd_key_source_ops.card_keys((void *)(intptr_t)fd, &id, &image, &keys, &e),
		ERR_FAULT);
	assert_int_equal(e.fault, FAULT_KEYS);
	assert_memory_equal(&keys, &zero, sizeof keys);
	close(fd);
}

/* Nonsense ends keyd; it never answers it. */
static void
test_keyd_nonsense(void **state)
{
	struct keyd_request good = {.magic = KEYD_MAGIC, .version = KEYD_VERSION, .serial = 5};
	struct err e = {0};

	(void)state;
	good.id.uid_len = 4;
	file_put(GOOD_FILE, 0600);
	for (unsigned kind = 0; kind < 6; kind++) {
		struct keyd_request q = good;
		struct keyd_reply reply;
		size_t len = sizeof q;
		pid_t pid;
		int fd, status;
		q.magic ^= kind == 0;
		q.version += kind == 1;
		q.id.uid_len = kind == 2 ? 11 : kind == 3 ? 0 : 4;
		len -= kind == 4;
		q.serial = kind == 5 ? 0 : 5;
		assert_int_equal(keyd_start(path, NULL, &pid, &fd, &e), 0);
		assert_int_equal(send(fd, &q, len, 0), len);
		assert_true(recv(fd, &reply, sizeof reply, 0) <= 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		close(fd);
	}
}

static void
test_keyd_refused(void **state)
{
	struct err e = {0};
	pid_t pid;
	int fd;

	(void)state;
	file_put(GOOD_FILE, 0644);
	assert_int_equal(keyd_start(path, NULL, &pid, &fd, &e), ERR_DENIED);
	assert_non_null(strstr(e.text, path));
	assert_int_equal(pid, -1);
	assert_int_equal(fd, -1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	if (geteuid() == 0)
		assert_int_equal(keyd_start(path, "root", &pid, &fd, &e), ERR_USAGE);
	else
		puts("ok - keyd that should stay root # SKIP needs root");
}

/* ---- the sealed file, versions, parts, memory cards ---- */

static void
ring_init(struct key_ring *r, unsigned n)
{
	struct master_keys m;

	*r = (struct key_ring){0};
	masters_init(&m);
	for (unsigned i = 1; i <= n; i++) {
		m.version = i;
		m.access[0] = (uint8_t)i;
		assert_int_equal(keyring_push(r, &m, NULL), 0);
	}
}

/* Over the file that is there, without a wait for the disk. */
static void
file_spoil(const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

static void
test_sealed(void **state)
{
	struct key_ring ring, seen, zero = {0};
	struct master_keys m;
	struct err e = {0};
	struct stat st;
	char text[KEYFILE_MAX + 1], hex[2 * MASTER_KEY_LEN + 1];

	(void)state;
	unlink(path);
	for (unsigned n = 1; n <= KEY_VERSIONS_MAX; n++) {
		ring_init(&ring, n);
		assert_int_equal(keyfile_save(&ring, path, secret, n > 1, &e), 0);
		assert_int_equal(keyfile_ring(&seen, path, &e), 0);
		assert_memory_equal(&seen, &ring, sizeof ring);
		assert_int_equal(keyfile_read(&m, path, &e), 0);
		assert_int_equal(m.version, n);
	}
	assert_int_equal(keyring_push(&ring, &m, &e), ERR_USAGE);
	assert_int_equal(keyfile_save(&ring, path, secret, false, &e), ERR_USAGE);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(secret, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(keyfile_text(text, KEYFILE_MAX, path, &e), 0);
	hex_build(hex, ring.pair[0].mac, MASTER_KEY_LEN);
	assert_null(strstr(text, hex));
	/* Any bit of any line: an error or, outside what is sealed, the same keys; never others. */
	const size_t len = strlen(text);
	for (size_t i = 0; i < len; i++) {
		char saved = text[i];
		text[i] ^= 1;
		file_spoil(text, len);
		text[i] = saved;
		if (keyfile_ring(&seen, path, &e) == 0)
			assert_memory_equal(&seen, &ring, sizeof ring);
		else
			assert_memory_equal(&seen, &zero, sizeof zero);
	}
	/* And cut anywhere. */
	for (size_t i = 0; i < len - 1; i++) {
		file_spoil(text, i);
		assert_int_not_equal(keyfile_ring(&seen, path, &e), 0);
		assert_memory_equal(&seen, &zero, sizeof zero);
	}
	file_put(text, 0600);
	assert_int_equal(chmod(secret, 0644), 0);
	assert_int_equal(keyfile_ring(&seen, path, &e), ERR_DENIED);
	unlink(secret);
	assert_int_equal(keyfile_ring(&seen, path, &e), ERR_MISSING);
	assert_non_null(strstr(e.text, secret));
	unlink(path);
}

static void
test_parts(void **state)
{
	struct key_part a = {.login = 1000, .half.version = 1}, b = {.login = 1001}, seen;
	struct master_keys m, joined;
	struct err e = {0};

	(void)state;
	masters_init(&m);
	for (unsigned i = 0; i < MASTER_KEY_LEN; i++) {
		a.half.access[i] = (uint8_t)(i * 3);
		a.half.mac[i] = (uint8_t)(i * 5 + 1);
		b.half.access[i] = m.access[i] ^ a.half.access[i];
		b.half.mac[i] = m.mac[i] ^ a.half.mac[i];
	}
	assert_int_equal(keypart_save(&a, path, secret, &e), 0);
	assert_int_equal(keypart_load(&seen, path, &e), 0);
	assert_memory_equal(&seen, &a, sizeof a);
	assert_int_equal(keypart_join(&joined, &seen, &b, &e), 0);
	assert_memory_equal(joined.access, m.access, MASTER_KEY_LEN);
	assert_memory_equal(joined.mac, m.mac, MASTER_KEY_LEN);
	b.login = 1000;
	assert_int_equal(keypart_join(&joined, &a, &b, &e), ERR_DENIED);
	b.login = UINT32_MAX;
	assert_int_equal(keypart_join(&joined, &a, &b, &e), 0);
	memcpy(b.half.mac, a.half.mac, MASTER_KEY_LEN);
	assert_int_equal(keypart_join(&joined, &a, &b, &e), ERR_USAGE);
	/* A part is no key file, and a key file no part. */
	struct key_ring ring;
	assert_int_not_equal(keyfile_ring(&ring, path, &e), 0);
	ring_init(&ring, 1);
	unlink(path);
	assert_int_equal(keyfile_save(&ring, path, secret, false, &e), 0);
	assert_int_equal(keypart_load(&seen, path, &e), ERR_INPUT);
	unlink(path);
	assert_int_equal(keypart_load(&seen, path, &e), ERR_MISSING);
	unlink(secret);
}

/* keyd answers with the version that is asked for, and has no other. */
static void
test_versions(void **state)
{
	struct key_ring ring;
	struct chip_image image;
	struct chip_keys keys, expected;
	struct logic_keys logic, logic_expected;
	const uint8_t serial[LOGIC_SERIAL_LEN] = {1, 2, 3, 4, 5, 6, 7, 8};
	uint8_t data[LOGIC_DATA_LEN] = {7};
	struct chip_id id;
	struct err e = {0};
	pid_t pid;
	int fd;

	(void)state;
	ring_init(&ring, 3);
	image_init(&image);
	id_init(&id, "04a1b2c3", 4);
	assert_int_equal(keyfile_save(&ring, path, secret, false, &e), 0);
	assert_int_equal(keyd_start(path, NULL, &pid, &fd, &e), 0);
	for (unsigned v = 0; v <= 4; v++) {
		int rc = keyd_key_source_ops.card_keys(KEYD_CTX(fd, v), &id, &image, &keys, &e);
		int logic_rc = keyd_logic_keys(KEYD_CTX(fd, 0), serial, v, data, &logic, &e);
		assert_int_equal(rc, v == 4 ? ERR_FAULT : 0);
		assert_int_equal(logic_rc, rc);
		if (rc) {
			assert_int_equal(e.fault, FAULT_KEYS);
			assert_non_null(strstr(e.text, "version"));
			continue;
		}
		const struct master_keys *m = keyring_find(&ring, v ? v : 3);
		assert_int_equal(diversify_card(&expected, m, &id, &image, &e), 0);
		assert_memory_equal(&keys, &expected, sizeof keys);
		assert_int_equal(diversify_logic(&logic_expected, m, serial, data, &e), 0);
		assert_memory_equal(&logic, &logic_expected, sizeof logic);
		assert_int_equal(logic.key_version, v ? v : 3);
	}
	keyd_reap(pid, fd);
	unlink(path);
	unlink(secret);
}

static int
setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/keys", folder);
	snprintf(secret, sizeof secret, "%s/secret", folder);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_self_test),
		cmocka_unit_test(test_card),
		cmocka_unit_test(test_distinct),
		cmocka_unit_test(test_file_good),
		cmocka_unit_test(test_file_bad),
		cmocka_unit_test(test_file_create),
		cmocka_unit_test(test_keyd),
		cmocka_unit_test(test_keyd_dies),
		cmocka_unit_test(test_keyd_nonsense),
		cmocka_unit_test(test_keyd_refused),
		cmocka_unit_test(test_sealed),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_versions),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
