/*
 * keypart.c - master keys that no single person knows.
 *
 * Owns the two halves while the second person is on the way: the first half waits in a sealed file.
 * The masters are the xor of both halves, so that one half alone says nothing. Guarantees: equal
 * halves (their xor is zero) and, where the kernel knows who logged in, the same person twice are
 * refused. On failure nothing is joined.
 *
 * A half at rest: version 1 | access 16 | MAC 16 | login 4, little endian, sealed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define PART_KIND "cardspool-key-part 1"

enum { PART_LEN = 1 + 2 * MASTER_KEY_LEN + 4 };

/* The limit alone does not stop a core that the kernel pipes into a program. */
void
cores_forbid(void)
{
	static const struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
}

void
keys_guard(void)
{
	/* Best effort: the commands go on where a limit forbids it; keyd checks what it needs. */
	mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
	cores_forbid();
}

/* Kept by the kernel from the login on, whatever su or sudo did since. */
uint32_t
keypart_login(void)
{
	char text[16] = "";
	uint32_t login = UINT32_MAX;
	FILE *f = fopen("/proc/self/loginuid", "re");

	if (f && fgets(text, sizeof text, f))
		login = (uint32_t)strtoul(text, NULL, 10);
	if (f)
		fclose(f);
	return login;
}

int
keypart_save(const struct key_part *p, const char *path, const char *secret_path, struct err *e)
{
	uint8_t plain[PART_LEN];
	char text[2 * KEYFILE_MAX];

	plain[0] = (uint8_t)p->half.version;
	memcpy(plain + 1, p->half.access, MASTER_KEY_LEN);
	memcpy(plain + 1 + MASTER_KEY_LEN, p->half.mac, MASTER_KEY_LEN);
	for (unsigned i = 0; i < 4; i++)
		plain[1 + 2 * MASTER_KEY_LEN + i] = (uint8_t)(p->login >> (8 * i));
	int rc = keyseal_build(text, sizeof text, PART_KIND, secret_path, plain, sizeof plain, e);
	explicit_bzero(plain, sizeof plain);
	return rc ? rc : keyfile_place(path, text, true, e);
}

int
keypart_load(struct key_part *out, const char *path, struct err *e)
{
	uint8_t plain[PART_LEN];
	char text[KEYFILE_MAX + 1];
	size_t len = 0;

	*out = (struct key_part){0};
	int rc = keyfile_text(text, KEYFILE_MAX, path, e);
	if (rc == ERR_MISSING)
		return err_set(e, ERR_MISSING,
			_("%s: no first part waits here; begin with \"cardspool key part "
			  "--first\"."),
			path);
	if (rc == 0)
		rc = keyseal_parse(plain, sizeof plain, &len, PART_KIND, text, path, e);
	if (rc == 0 && len != sizeof plain)
		rc = err_set(e, ERR_INPUT, _("%s: is damaged; begin again."), path);
	if (rc == 0) {
		out->half.version = plain[0];
		memcpy(out->half.access, plain + 1, MASTER_KEY_LEN);
		memcpy(out->half.mac, plain + 1 + MASTER_KEY_LEN, MASTER_KEY_LEN);
		for (unsigned i = 0; i < 4; i++)
			out->login |= (uint32_t)plain[1 + 2 * MASTER_KEY_LEN + i] << (8 * i);
	}
	explicit_bzero(plain, sizeof plain);
	explicit_bzero(text, sizeof text);
	return rc;
}

int
keypart_join(
	struct master_keys *out, const struct key_part *a, const struct key_part *b, struct err *e)
{
	if (a->login != UINT32_MAX && a->login == b->login)
		return err_set(e, ERR_DENIED,
			_("The first part was entered by the same person; let somebody else enter "
			  "the second."));
	if (memcmp(a->half.access, b->half.access, MASTER_KEY_LEN) == 0 ||
		memcmp(a->half.mac, b->half.mac, MASTER_KEY_LEN) == 0)
		return err_set(e, ERR_USAGE,
			_("Both parts are the same; each person makes one of their own."));
	out->version = a->half.version;
	for (unsigned i = 0; i < MASTER_KEY_LEN; i++) {
		out->access[i] = a->half.access[i] ^ b->half.access[i];
		out->mac[i] = a->half.mac[i] ^ b->half.mac[i];
	}
	return 0;
}
