/*
 * cmd-key.c - the commands over keys.
 *
 * Owns how keys come in: made at random, or entered as two parts by two people, from a terminal
 * that does not show them or from standard input, never from the words of a call. Shows check
 * values and versions and nothing else. On failure no file is left and none is changed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/keys.h"

#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN = 4096 };

struct key_call {
	struct config *config;
	char file[PATH_LEN], secret[PATH_LEN], part[PATH_LEN];
	bool plain, first, second;
	const char *version;
};

/* ---- the words of a call ---- */

static int
paths_set(struct key_call *k, const char *file, struct err *e)
{
	const char *secret;
	int n = 0, m;

	if (!file) {
		file = config_keys(k->config);
		secret = config_text(k->config, "paths", "key-secret");
		n = snprintf(k->secret, sizeof k->secret, "%s", secret);
	} else {
		/* The path stands in the file; it must hold wherever keyd is started. */
		char here[PATH_LEN] = "";
		if (file[0] != '/' && !getcwd(here, sizeof here))
			return err_set(e, ERR_SYSTEM, "%s", strerror(errno));
		n = snprintf(k->secret, sizeof k->secret, "%s%s%s.secret", here, here[0] ? "/" : "",
			file);
	}
	m = snprintf(k->part, sizeof k->part, "%s.part", file);
	snprintf(k->file, sizeof k->file, "%s", file);
	if (n < 0 || n >= PATH_LEN || m < 0 || m >= PATH_LEN)
		return err_set(e, ERR_USAGE, _("%s: the path is too long."), file);
	/* A file that is sealed already keeps its secret. */
	if (access(k->file, F_OK) == 0)
		keyfile_secret_path(k->secret, sizeof k->secret, k->file, NULL);
	return 0;
}

static int
call_parse(struct key_call *k, int argc, char **argv, const char *allowed, struct err *e)
{
	static const struct option options[] = {{"plain", no_argument, NULL, 'p'},
		{"first", no_argument, NULL, '1'}, {"second", no_argument, NULL, '2'},
		{"version", required_argument, NULL, 'v'}, {NULL, 0, NULL, 0}};
	int c;

	*k = (struct key_call){0};
	keys_guard();
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?' || !strchr(allowed, c))
			return err_set(e, ERR_USAGE,
				_("key %s does not know that option. See: cardspool help key %s"),
				argv[0], argv[0]);
		k->plain |= c == 'p';
		k->first |= c == '1';
		k->second |= c == '2';
		if (c == 'v')
			k->version = optarg;
	}
	if (argc - optind > 1)
		return err_set(e, ERR_USAGE, _("key %s takes one file at most."), argv[0]);
	const char *file = optind < argc ? argv[optind] : NULL;
	int rc = config_load(&k->config, file ? NULL : e);
	/* The configured file has the configured secret, however it is named here. */
	if (rc == 0 && file && strcmp(file, config_keys(k->config)) == 0)
		file = NULL;
	if (file)
		rc = 0;
	return rc ? rc : paths_set(k, file, e);
}

static void
call_done(struct key_call *k)
{
	if (k->config)
		config_destroy(k->config);
}

/* The folder of the machine's secret, for root alone; one level, as the default needs it. */
static void
secret_folder(const struct key_call *k)
{
	char copy[PATH_LEN];

	snprintf(copy, sizeof copy, "%s", k->secret);
	mkdir(dirname(copy), 0700);
}

/* ---- what may be shown ---- */

static int
checks_print(const struct master_keys *m, const char *label, struct err *e)
{
	uint8_t check[2][KEY_CHECK_LEN];
	char hex[2][2 * KEY_CHECK_LEN + 1];
	int rc = diversify_check(check[0], m->access, e);

	if (rc == 0)
		rc = diversify_check(check[1], m->mac, e);
	if (rc)
		return rc;
	for (unsigned i = 0; i < 2; i++)
		hex_build(hex[i], check[i], KEY_CHECK_LEN);
	printf(_("%s: check value of the access key %s, of the MAC key %s\n"), label, hex[0],
		hex[1]);
	return 0;
}

static int
ring_print(const struct key_ring *r, struct err *e)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < r->n; i++) {
		char label[96];
		snprintf(label, sizeof label,
			i + 1 == r->n ? _("version %u, makes new cards")
				      : _("version %u, opens older cards"),
			r->pair[i].version);
		rc = checks_print(&r->pair[i], label, e);
	}
	return rc;
}

/* ---- create, show, seal, rotate ---- */

static int
pair_random(struct master_keys *m, unsigned version, struct err *e)
{
	m->version = version;
	if (RAND_priv_bytes(m->access, sizeof m->access) == 1 &&
		RAND_priv_bytes(m->mac, sizeof m->mac) == 1)
		return 0;
	return err_set(e, ERR_SYSTEM, _("No random numbers are to be had."));
}

static int
ring_create(const struct key_call *k, struct err *e)
{
	struct key_ring ring = {0};
	struct master_keys pair = {0};
	int rc = pair_random(&pair, 1, e);

	if (rc == 0)
		rc = keyring_push(&ring, &pair, e);
	if (rc == 0)
		secret_folder(k);
	if (rc == 0)
		rc = keyfile_save(&ring, k->file, k->secret, false, e);
	explicit_bzero(&pair, sizeof pair);
	explicit_bzero(&ring, sizeof ring);
	return rc;
}

static int
key_create(int argc, char **argv, struct err *e)
{
	struct key_call k;
	int rc = call_parse(&k, argc, argv, "p", e);

	if (rc == 0)
		rc = k.plain ? keyfile_create(k.file, e) : ring_create(&k, e);
	if (rc == 0)
		printf(_("Made the key file %s. Without it no card made with it can be written "
			 "again: keep a copy under lock.\n"),
			k.file);
	if (rc == 0 && !k.plain)
		printf(_("It is sealed to this machine with the secret in %s; a copy opens only "
			 "here. Keys that must outlive this machine are entered in two parts.\n"),
			k.secret);
	call_done(&k);
	return rc;
}

static int
key_show(int argc, char **argv, struct err *e)
{
	struct key_call k;
	struct key_ring ring = {0};
	int rc = call_parse(&k, argc, argv, "", e);

	if (rc == 0)
		rc = keyfile_ring(&ring, k.file, e);
	if (rc == 0)
		rc = ring_print(&ring, e);
	explicit_bzero(&ring, sizeof ring);
	call_done(&k);
	return rc;
}

static int
key_seal(int argc, char **argv, struct err *e)
{
	struct key_call k;
	struct key_ring ring = {0};
	int rc = call_parse(&k, argc, argv, "", e);

	if (rc == 0)
		rc = keyfile_ring(&ring, k.file, e);
	if (rc == 0)
		secret_folder(&k);
	if (rc == 0)
		rc = keyfile_save(&ring, k.file, k.secret, true, e);
	if (rc == 0)
		printf(_("%s is sealed to this machine with the secret in %s.\n"), k.file,
			k.secret);
	explicit_bzero(&ring, sizeof ring);
	call_done(&k);
	return rc;
}

static unsigned
version_next(const struct key_ring *r)
{
	unsigned highest = 0;

	for (unsigned i = 0; i < r->n; i++)
		if (r->pair[i].version > highest)
			highest = r->pair[i].version;
	return highest + 1;
}

static int
ring_add(const struct key_call *k, struct key_ring *ring, const struct master_keys *pair,
	struct err *e)
{
	int rc = keyring_push(ring, pair, e);

	if (rc == 0)
		secret_folder(k);
	if (rc == 0)
		rc = keyfile_save(ring, k->file, k->secret, ring->n > 1, e);
	return rc ? rc : ring_print(ring, e);
}

static int
key_rotate(int argc, char **argv, struct err *e)
{
	struct key_call k;
	struct key_ring ring = {0};
	struct master_keys pair = {0};
	int rc = call_parse(&k, argc, argv, "", e);

	if (rc == 0)
		rc = keyfile_ring(&ring, k.file, e);
	if (rc == 0)
		rc = pair_random(&pair, version_next(&ring), e);
	if (rc == 0)
		rc = ring_add(&k, &ring, &pair, e);
	explicit_bzero(&pair, sizeof pair);
	explicit_bzero(&ring, sizeof ring);
	call_done(&k);
	return rc;
}

/* The version that the call names, which may not be the one that makes new cards. */
static int
version_find(const struct key_ring *r, const char *word, unsigned *at, struct err *e)
{
	char number[16];

	for (*at = 0; word && *at < r->n; ++*at) {
		snprintf(number, sizeof number, "%u", r->pair[*at].version);
		if (strcmp(number, word) == 0)
			break;
	}
	if (!word)
		return err_set(e, ERR_USAGE, "%s",
			_("Say which version is to go: cardspool key retire --version N; key show "
			  "lists them."));
	if (*at == r->n)
		return err_set(e, ERR_MISSING,
			_("There are no keys of version %s; cardspool key show lists them."), word);
	if (*at + 1 == r->n)
		return err_set(e, ERR_USAGE,
			_("Version %s makes the new cards; first cardspool key rotate."), word);
	return 0;
}

static int
key_retire(int argc, char **argv, struct err *e)
{
	struct key_call k;
	struct key_ring ring = {0};
	unsigned at = 0;
	int rc = call_parse(&k, argc, argv, "v", e);

	if (rc == 0)
		rc = keyfile_ring(&ring, k.file, e);
	if (rc == 0)
		rc = version_find(&ring, k.version, &at, e);
	if (rc == 0) {
		memmove(&ring.pair[at], &ring.pair[at + 1],
			(ring.n - at - 1) * sizeof ring.pair[0]);
		ring.n--;
		rc = keyfile_save(&ring, k.file, k.secret, true, e);
	}
	if (rc == 0)
		printf(_("The keys of version %s are gone: no card made with them opens any "
			 "more.\n"),
			k.version);
	if (rc == 0)
		rc = ring_print(&ring, e);
	explicit_bzero(&ring, sizeof ring);
	call_done(&k);
	return rc;
}

/* ---- two parts ---- */

static int
half_enter(uint8_t out[MASTER_KEY_LEN], const char *prompt, struct err *e)
{
	char line[4 * MASTER_KEY_LEN];
	size_t n = 0;
	int rc = secret_line(line, sizeof line, prompt, e);

	/* Groups may be set apart by blanks, as they stand on paper. */
	for (size_t i = 0; rc == 0 && line[i]; i++)
		if (line[i] != ' ' && line[i] != '\r')
			line[n++] = line[i];
	if (rc == 0)
		line[n] = '\0';
	if (rc == 0 && (n != 2 * MASTER_KEY_LEN || hex_parse(out, MASTER_KEY_LEN, line) != 0))
		rc = err_set(e, ERR_INPUT, _("A part of a key has %d hexadecimal digits."),
			2 * MASTER_KEY_LEN);
	explicit_bzero(line, sizeof line);
	return rc;
}

static int
part_enter(struct key_part *p, const char *label, struct err *e)
{
	*p = (struct key_part){.login = keypart_login(), .half.version = 1};
	int rc = half_enter(p->half.access, _("Your part of the access key"), e);
	if (rc == 0)
		rc = half_enter(p->half.mac, _("Your part of the MAC key"), e);
	return rc ? rc : checks_print(&p->half, label, e);
}

static int
part_second(const struct key_call *k, struct err *e)
{
	struct key_part first = {0}, second = {0};
	struct key_ring ring = {0};
	struct master_keys pair = {0};
	int rc = keypart_load(&first, k->part, e);

	if (rc == 0 && access(k->file, F_OK) == 0)
		rc = keyfile_ring(&ring, k->file, e);
	if (rc == 0)
		rc = part_enter(&second, _("second part"), e);
	if (rc == 0)
		rc = keypart_join(&pair, &first, &second, e);
	pair.version = version_next(&ring);
	if (rc == 0)
		rc = ring_add(k, &ring, &pair, e);
	if (rc == 0)
		unlink(k->part);
	explicit_bzero(&first, sizeof first);
	explicit_bzero(&second, sizeof second);
	explicit_bzero(&pair, sizeof pair);
	explicit_bzero(&ring, sizeof ring);
	return rc;
}

static int
part_first(const struct key_call *k, struct err *e)
{
	struct key_part part;
	int rc = part_enter(&part, _("first part"), e);

	if (rc == 0)
		secret_folder(k);
	if (rc == 0)
		rc = keypart_save(&part, k->part, k->secret, e);
	if (rc == 0)
		printf(_("The first part waits, sealed, in %s. Now let the second person run "
			 "\"cardspool key part --second\".\n"),
			k->part);
	explicit_bzero(&part, sizeof part);
	return rc;
}

static int
key_part(int argc, char **argv, struct err *e)
{
	struct key_call k;
	int rc = call_parse(&k, argc, argv, "12", e);

	if (rc == 0 && k.first == k.second)
		rc = err_set(e, ERR_USAGE, "%s",
			_("Say whose part it is: cardspool key part --first, then another person "
			  "cardspool key part --second"));
	if (rc == 0)
		rc = k.first ? part_first(&k, e) : part_second(&k, e);
	call_done(&k);
	return rc;
}

const struct command commands_key[] = {
	{"key", "create", "[--plain] [FILE]", N_("make a file with fresh master keys"), key_create},
	{"key", "part", "--first|--second [FILE]",
		N_("enter master keys in two parts, by two people"), key_part},
	{"key", "show", "[FILE]", N_("show versions and check values, never keys"), key_show},
	{"key", "rotate", "[FILE]", N_("add a fresh version; the older ones still open old cards"),
		key_rotate},
	{"key", "retire", "--version N [FILE]",
		N_("take an old version away; cards made with it open no more"), key_retire},
	{"key", "seal", "[FILE]", N_("seal a plain key file to this machine"), key_seal},
	{0},
};
