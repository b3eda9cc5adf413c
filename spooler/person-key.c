/*
 * person-key.c - a person's key.
 *
 * Owns the Ed25519 key pair: made here, sealed by the passphrase as PKCS#8 with PBES2, scrypt and
 * AES-256-CBC (RFC 8018, RFC 7914), so that plain openssl opens it too. Guarantees: the open key
 * lives in OpenSSL's memory for one call only and is never written. On failure nothing of a key is
 * left in the output.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <string.h>

enum { SIGNATURE_LEN = 64, SALT_LEN = 16, SCRYPT_N = 16384, SCRYPT_R = 8, SCRYPT_P = 1 };

static int
pem_take(BIO *bio, char *out, size_t max)
{
	int n = BIO_read(bio, out, (int)max - 1);

	out[n > 0 ? n : 0] = '\0';
	return n > 0 && (size_t)n < max - 1 ? 0 : ERR_INTERNAL;
}

static int
key_public(EVP_PKEY *key, char out[PERSON_PEM_MAX])
{
	BIO *bio = BIO_new(BIO_s_mem());
	int rc = bio && PEM_write_bio_PUBKEY(bio, key) == 1 ? pem_take(bio, out, PERSON_PEM_MAX)
							    : ERR_INTERNAL;

	BIO_free(bio);
	return rc;
}

static int
key_seal(EVP_PKEY *key, const char *pass, char out[PERSON_PEM_MAX])
{
	PKCS8_PRIV_KEY_INFO *open = EVP_PKEY2PKCS8(key);
	X509_ALGOR *way = PKCS5_pbe2_set_scrypt(
		EVP_aes_256_cbc(), NULL, SALT_LEN, NULL, SCRYPT_N, SCRYPT_R, SCRYPT_P);
	X509_SIG *sealed = open && way ? PKCS8_set0_pbe(pass, (int)strlen(pass), open, way) : NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	int rc = ERR_INTERNAL;

	if (sealed)
		way = NULL; /* now it belongs to sealed */
	if (sealed && bio && PEM_write_bio_PKCS8(bio, sealed) == 1)
		rc = pem_take(bio, out, PERSON_PEM_MAX);
	BIO_free(bio);
	X509_SIG_free(sealed);
	X509_ALGOR_free(way);
	PKCS8_PRIV_KEY_INFO_free(open);
	return rc;
}

int
key_fingerprint(const char *public_pem, char out[PERSON_PRINT_MAX])
{
	BIO *bio = BIO_new_mem_buf(public_pem, -1);
	EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
	unsigned char *der = NULL;
	int n = key ? i2d_PUBKEY(key, &der) : -1;
	char hash[2 * HASH_LEN + 1];

	out[0] = '\0';
	if (n > 0) {
		text_hash(hash, (const char *)der, (size_t)n);
		snprintf(out, PERSON_PRINT_MAX, "SHA256:%s", hash);
	}
	OPENSSL_free(der);
	EVP_PKEY_free(key);
	BIO_free(bio);
	return out[0] ? 0 : ERR_INPUT;
}

int
key_make(struct person *p, const char *pass, struct err *e)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	int rc = key ? 0 : ERR_INTERNAL;

	if (rc == 0)
		rc = key_public(key, p->public_pem);
	if (rc == 0)
		rc = key_seal(key, pass, p->sealed_pem);
	if (rc == 0)
		rc = key_fingerprint(p->public_pem, p->fingerprint);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return rc == 0 ? 0
		       : err_set(e, ERR_INTERNAL, "%s",
				 _("The key cannot be made: OpenSSL refuses Ed25519 or scrypt."));
}

/* OpenSSL would ask the terminal when it got no passphrase. */
static int
pass_give(char *buf, int size, int writing, void *pass)
{
	size_t n = strlen(pass);

	(void)writing;
	if (size < 0 || n > (size_t)size)
		return -1;
	memcpy(buf, pass, n);
	return (int)n;
}

static EVP_PKEY *
key_open(const char *sealed_pem, const char *pass)
{
	char copy[PERSON_PASS_MAX + 1];
	BIO *bio = BIO_new_mem_buf(sealed_pem, -1);
	EVP_PKEY *key;

	snprintf(copy, sizeof copy, "%s", pass);
	key = bio ? PEM_read_bio_PrivateKey(bio, NULL, pass_give, copy) : NULL;
	explicit_bzero(copy, sizeof copy);
	BIO_free(bio);
	ERR_clear_error();
	return key;
}

int
key_sign(const struct person *p, const char *pass, const char *text, char signature[SIGNATURE_TEXT],
	struct err *e)
{
	EVP_PKEY *key = key_open(p->sealed_pem, pass);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char bytes[SIGNATURE_LEN];
	size_t n = sizeof bytes;
	int rc = 0;

	signature[0] = '\0';
	if (!key)
		rc = err_set(e, ERR_DENIED, _("The passphrase of %s is wrong. Nothing was signed."),
			p->name);
	else if (!md || EVP_DigestSignInit(md, NULL, NULL, NULL, key) != 1 ||
		 EVP_DigestSign(md, bytes, &n, (const unsigned char *)text, strlen(text)) != 1 ||
		 n != SIGNATURE_LEN)
		rc = err_set(e, ERR_INTERNAL, _("The key of %s cannot sign."), p->name);
	else
		hex_build(signature, bytes, n);
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(key);
	return rc;
}

int
key_verify(const char *public_pem, const char *text, const char *signature)
{
	unsigned char bytes[SIGNATURE_LEN];
	BIO *bio;
	EVP_PKEY *key;
	EVP_MD_CTX *md;
	bool good;

	if (strlen(signature) != SIGNATURE_TEXT - 1 ||
		hex_parse(bytes, sizeof bytes, signature) != 0)
		return ERR_INPUT;
	bio = BIO_new_mem_buf(public_pem, -1);
	key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
	md = EVP_MD_CTX_new();
	good = key && md && EVP_DigestVerifyInit(md, NULL, NULL, NULL, key) == 1 &&
	       EVP_DigestVerify(
		       md, bytes, sizeof bytes, (const unsigned char *)text, strlen(text)) == 1;
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(key);
	BIO_free(bio);
	ERR_clear_error();
	return good ? 0 : ERR_INPUT;
}
