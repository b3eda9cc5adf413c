/*
 * keyseal.c - bytes that only this machine can read back.
 *
 * Owns the secret of the machine and the form of a sealed text. The key is made from a random
 * secret in a file of root's and from /etc/machine-id; doc/KEYS.md says against what that helps and
 * against what it does not. Guarantees: a changed byte, another machine or another kind of text is
 * an error; a secret that exists is never replaced. On failure nothing is left in memory.
 *
 *   KIND                    "cardspool-keys 2"
 *   secret PATH             where the machine's secret stands
 *   nonce  24 hex digits
 *   sealed HEX              AES-256-GCM of the bytes, its tag of 16 bytes behind; KIND is bound in
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/keys.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NONCE_LEN = 12, TAG_LEN = 16, SEAL_KEY_LEN = 32, MACHINE_MAX = 64 };

#define SECRET_HEAD  "cardspool-secret 1\n"
#define MACHINE_FILE "/etc/machine-id"

/* What is not secret but stays when a disk's files are copied elsewhere one by one; "" if none. */
static size_t
machine_read(char *out)
{
	struct buf b;

	buf_init(&b, MACHINE_MAX);
	size_t n = file_read(&b, MACHINE_FILE, MACHINE_MAX, NULL) == 0 ? b.len : 0;
	while (n > 0 && b.data[n - 1] == '\n')
		n--;
	if (n)
		memcpy(out, b.data, n);
	buf_done(&b);
	return n;
}

static int
secret_read(uint8_t out[KEY_SECRET_LEN], const char *path, struct err *e)
{
	char text[256];
	int rc = keyfile_text(text, sizeof text - 1, path, e);

	if (rc == ERR_MISSING)
		return err_set(e, ERR_MISSING,
			_("%s: the secret that the key file is sealed with is not there; restore "
			  "it, or enter the keys again in two parts."),
			path);
	if (rc == 0) {
		char *hex = text + strlen(SECRET_HEAD);
		bool good = strncmp(text, SECRET_HEAD, strlen(SECRET_HEAD)) == 0;
		if (good)
			hex[strcspn(hex, "\n")] = '\0';
		if (!good || hex_parse(out, KEY_SECRET_LEN, hex) != 0)
			rc = err_set(e, ERR_INPUT,
				_("%s: is not the secret of a key file; restore it from its copy."),
				path);
	}
	explicit_bzero(text, sizeof text);
	return rc;
}

static int
secret_make(const char *path, struct err *e)
{
	uint8_t secret[KEY_SECRET_LEN];
	char text[sizeof SECRET_HEAD + 2 * KEY_SECRET_LEN + 1] = SECRET_HEAD;
	size_t head = strlen(SECRET_HEAD);
	int rc = 0;

	if (access(path, F_OK) == 0)
		return 0;
	if (RAND_priv_bytes(secret, sizeof secret) != 1)
		return err_set(e, ERR_SYSTEM, _("No random numbers are to be had."));
	hex_build(text + head, secret, sizeof secret);
	text[sizeof text - 2] = '\n';
	text[sizeof text - 1] = '\0';
	rc = keyfile_place(path, text, false, e);
	explicit_bzero(secret, sizeof secret);
	explicit_bzero(text, sizeof text);
	return rc;
}

/* HKDF-SHA-256: the secret, salted with the machine's id. */
static int
seal_key(uint8_t out[SEAL_KEY_LEN], const char *secret_path, struct err *e)
{
	static char info[] = "cardspool sealed keys", digest[] = "SHA256";
	uint8_t secret[KEY_SECRET_LEN];
	char machine[MACHINE_MAX + 1] = "-";
	int rc = secret_read(secret, secret_path, e);

	if (rc)
		return rc;
	size_t n = machine_read(machine);
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, sizeof secret),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, machine, n ? n : 1),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, strlen(info)),
		OSSL_PARAM_construct_end(),
	};
	if (!ctx || EVP_KDF_derive(ctx, out, SEAL_KEY_LEN, params) != 1)
		rc = err_set(e, ERR_INTERNAL, _("The cryptographic library cannot compute a %s."),
			"HKDF");
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	explicit_bzero(secret, sizeof secret);
	return rc;
}

/* Both ways; tag is written or compared. */
static bool
gcm_run(bool seal, const uint8_t key[SEAL_KEY_LEN], const uint8_t nonce[NONCE_LEN],
	const char *kind, const uint8_t *in, size_t len, uint8_t *out, uint8_t tag[TAG_LEN])
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, last = 0;
	bool good =
		ctx && EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce, seal) == 1 &&
		EVP_CipherUpdate(ctx, NULL, &n, (const uint8_t *)kind, (int)strlen(kind)) == 1 &&
		EVP_CipherUpdate(ctx, out, &n, in, (int)len) == 1 && n == (int)len &&
		(seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_LEN, tag) == 1) &&
		EVP_CipherFinal_ex(ctx, out + n, &last) == 1 && last == 0 &&
		(!seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_LEN, tag) == 1);

	EVP_CIPHER_CTX_free(ctx);
	return good;
}

int
keyseal_build(char *text, size_t max, const char *kind, const char *secret_path,
	const uint8_t *plain, size_t len, struct err *e)
{
	uint8_t key[SEAL_KEY_LEN], nonce[NONCE_LEN], sealed[KEYFILE_MAX / 2];
	char nonce_hex[2 * NONCE_LEN + 1], sealed_hex[KEYFILE_MAX + 1];

	if (len + TAG_LEN > sizeof sealed)
		return err_set(e, ERR_INTERNAL, "seal of %zu bytes", len);
	int rc = secret_make(secret_path, e);
	if (rc == 0)
		rc = seal_key(key, secret_path, e);
	if (rc)
		return rc;
	if (RAND_bytes(nonce, sizeof nonce) != 1 ||
		!gcm_run(true, key, nonce, kind, plain, len, sealed, sealed + len))
		rc = err_set(e, ERR_SYSTEM, _("The keys cannot be sealed."));
	explicit_bzero(key, sizeof key);
	if (rc)
		return rc;
	hex_build(nonce_hex, nonce, sizeof nonce);
	hex_build(sealed_hex, sealed, len + TAG_LEN);
	int n = snprintf(text, max,
		"%s\n"
		"# Sealed to this machine: without the secret file and this machine's id nothing "
		"opens it.\n"
		"secret %s\nnonce %s\nsealed %s\n",
		kind, secret_path, nonce_hex, sealed_hex);
	return n > 0 && (size_t)n < max
		       ? 0
		       : err_set(e, ERR_USAGE, _("%s: the path is too long."), secret_path);
}

/* The value of "name value" in text, without the line's end; false: not there. */
static bool
line_value(char *out, size_t max, const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n'), line += line != NULL) {
		if (strncmp(line, name, len) != 0 || line[len] != ' ')
			continue;
		size_t n = strcspn(line + len + 1, "\r\n");
		if (n == 0 || n >= max)
			return false;
		memcpy(out, line + len + 1, n);
		out[n] = '\0';
		return true;
	}
	return false;
}

int
keyfile_secret_path(char *out, size_t max, const char *path, struct err *e)
{
	char text[KEYFILE_MAX + 1];
	int rc = keyfile_text(text, KEYFILE_MAX, path, e);

	if (rc == 0 && !line_value(out, max, text, "secret"))
		rc = err_set(e, ERR_INPUT, _("%s: is not sealed."), path);
	explicit_bzero(text, sizeof text);
	return rc;
}

int
keyseal_parse(uint8_t *plain, size_t max, size_t *len, const char *kind, const char *text,
	const char *path, struct err *e)
{
	char secret[KEYFILE_MAX], nonce_hex[2 * NONCE_LEN + 2], sealed_hex[KEYFILE_MAX];
	uint8_t key[SEAL_KEY_LEN], nonce[NONCE_LEN], sealed[KEYFILE_MAX / 2];
	const size_t head = strlen(kind);

	*len = 0;
	if (strncmp(text, kind, head) != 0 || (text[head] != '\n' && text[head] != '\r') ||
		!line_value(secret, sizeof secret, text, "secret") ||
		!line_value(nonce_hex, sizeof nonce_hex, text, "nonce") ||
		!line_value(sealed_hex, sizeof sealed_hex, text, "sealed") ||
		hex_parse(nonce, sizeof nonce, nonce_hex) != 0)
		return err_set(e, ERR_INPUT,
			_("%s: is damaged; restore it from its copy, or enter the keys again in "
			  "two parts."),
			path);
	size_t n = strlen(sealed_hex) / 2;
	if (n <= TAG_LEN || n - TAG_LEN > max || hex_parse(sealed, n, sealed_hex) != 0)
		return err_set(e, ERR_INPUT, _("%s: is damaged; restore it from its copy."), path);
	int rc = seal_key(key, secret, e);
	if (rc)
		return rc;
	if (!gcm_run(false, key, nonce, kind, sealed, n - TAG_LEN, plain, sealed + n - TAG_LEN)) {
		explicit_bzero(plain, max);
		rc = err_set(e, ERR_INPUT,
			_("%s: does not open: it is damaged, or was sealed on another machine; "
			  "enter the keys again in two parts."),
			path);
	} else {
		*len = n - TAG_LEN;
	}
	explicit_bzero(key, sizeof key);
	return rc;
}
