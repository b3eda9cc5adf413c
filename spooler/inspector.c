/*
 * inspector.c - the inspector's key file: what a card is checked with in the field.
 *
 * Owns the file. It holds no master key and no key that writes: for each card the keys A of the
 * sectors to be read and the card's own MAC key, so that a lost file opens the cards it lists for
 * reading, and no others. Guarantees: a file that others could read is refused, and so is a damaged
 * one; an existing one is not replaced. Memory is wiped.
 *
 *   cardspool-inspector 1
 *   made 20261121
 *   sectors 07ff                               bit i: key A of sector i is given
 *   card 04a1b2c3 good|void KEYS MACKEY        hexadecimal; KEYS: 6 bytes a sector, ascending; once
 *                                              for each version of the masters
 *   end 64 hex digits                          SHA-256 of all before this line
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/chip-desk.h"
#include "spooler/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 32 * 1024 * 1024, END_LEN = 4 + 2 * HASH_LEN + 1 };

struct inspector_card {
	uint8_t uid[10];
	size_t uid_len;
	bool is_void;
	const char *keys, *mac; /* in the file's text */
};

struct inspector {
	struct buf text;
	char made[9];
	unsigned sectors, n_sectors;
	unsigned chosen; /* which of a card's keys, from 1; 0: the last, that is of the newest
			    masters */
	struct inspector_card *cards;
	size_t n_cards;
};

void
inspector_destroy(struct inspector *i)
{
	if (!i)
		return;
	if (i->text.data)
		explicit_bzero(i->text.data, i->text.len);
	buf_done(&i->text);
	free(i->cards);
	free(i);
}

const char *
inspector_made(const struct inspector *i)
{
	return i->made;
}

/* ---- reading ---- */

static bool
uid_parse(struct inspector_card *c, const char *hex)
{
	c->uid_len = strlen(hex) / 2;
	return (c->uid_len == 4 || c->uid_len == 7 || c->uid_len == 10) &&
	       hex_parse(c->uid, c->uid_len, hex) == 0;
}

static bool
card_parse(struct inspector *i, char *line)
{
	char *word[5];
	unsigned n = 0;

	for (char *rest = line; n < 5 && (word[n] = lines_word(&rest)); n++)
		continue;
	if (n != 5 || strcmp(word[0], "card") != 0)
		return false;
	struct inspector_card c = {
		.is_void = strcmp(word[2], "void") == 0, .keys = word[3], .mac = word[4]};
	if ((!c.is_void && strcmp(word[2], "good") != 0) || !uid_parse(&c, word[1]) ||
		strlen(c.keys) != (size_t)i->n_sectors * 2 * MIFARE_KEY_LEN ||
		strlen(c.mac) != (size_t)2 * MASTER_KEY_LEN)
		return false;
	struct inspector_card *cards = realloc(i->cards, (i->n_cards + 1) * sizeof *cards);
	if (!cards)
		return false;
	i->cards = cards;
	cards[i->n_cards++] = c;
	return true;
}

static bool
head_parse(struct inspector *i, const char *line, unsigned number)
{
	char *end;

	if (number == 0)
		return strcmp(line, "cardspool-inspector 1") == 0;
	if (number == 1)
		return strncmp(line, "made ", 5) == 0 && date_parse(i->made, line + 5);
	if (strncmp(line, "sectors ", 8) != 0 || strlen(line) != 12)
		return false;
	i->sectors = (unsigned)strtoul(line + 8, &end, 16);
	i->n_sectors = (unsigned)__builtin_popcount(i->sectors);
	return *end == '\0';
}

/* The last line is the hash of the rest; it is cut off. */
static bool
end_check(struct buf *text)
{
	uint8_t want[HASH_LEN], hash[HASH_LEN];
	char hex[2 * HASH_LEN + 1];

	if (text->len < END_LEN + 1 || text->data[text->len - 1] != '\n')
		return false;
	char *end = (char *)text->data + text->len - END_LEN;
	memcpy(hex, end + 4, sizeof hex - 1);
	hex[sizeof hex - 1] = '\0';
	if (memcmp(end, "end ", 4) != 0 || end[-1] != '\n' || hex_parse(want, HASH_LEN, hex))
		return false;
	hash_bytes(hash, text->data, text->len - END_LEN);
	*end = '\0';
	return memcmp(hash, want, HASH_LEN) == 0;
}

static int
text_parse(struct inspector *i, const char *path, struct err *e)
{
	unsigned number = 0;
	bool good = !memchr(i->text.data, '\0', i->text.len) && end_check(&i->text);

	for (char *line = (char *)i->text.data; good && *line; number++) {
		char *next = strchr(line, '\n');
		*next = '\0';
		good = number < 3 ? head_parse(i, line, number) : card_parse(i, line);
		line = next + 1;
	}
	if (good && number >= 3)
		return 0;
	return err_set(e, ERR_INPUT,
		_("%s: is damaged or no inspector's key file; have it made again."), path);
}

int
inspector_load(struct inspector **out, const char *path, struct err *e)
{
	struct inspector *i = calloc(1, sizeof *i);
	struct stat st;
	int rc = 0;

	*out = NULL;
	if (!i)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	buf_init(&i->text, FILE_MAX);
	if (stat(path, &st) == 0 && (st.st_mode & 0177))
		rc = err_set(e, ERR_DENIED,
			_("%s: other users could read the keys (mode %04o); set it to 0600."), path,
			(unsigned)(st.st_mode & 07777));
	if (rc == 0)
		rc = file_read(&i->text, path, FILE_MAX, e);
	if (rc == 0)
		rc = text_parse(i, path, e);
	if (rc)
		inspector_destroy(i);
	else
		*out = i;
	return rc;
}

bool
inspector_choose(struct inspector *i, unsigned n)
{
	i->chosen = n;
	return n <= KEY_VERSIONS_MAX;
}

static const struct inspector_card *
card_find(const struct inspector *i, const struct chip_id *id)
{
	const struct inspector_card *found = NULL;
	unsigned count = 0;

	for (size_t n = 0; n < i->n_cards; n++)
		if (i->cards[n].uid_len == id->uid_len &&
			memcmp(i->cards[n].uid, id->uid, id->uid_len) == 0 &&
			(!i->chosen || ++count == i->chosen))
			found = &i->cards[n];
	return found;
}

bool
inspector_void(const struct inspector *i, const struct chip_id *id)
{
	const struct inspector_card *c = card_find(i, id);

	return c && c->is_void;
}

static bool
mac_build(struct chip_keys *out, const uint8_t key[MASTER_KEY_LEN], const struct chip_id *id,
	const struct chip_image *image)
{
	uint8_t bytes[sizeof id->uid + sizeof image->block];
	size_t n = id->uid_len, len = 0;

	memcpy(bytes, id->uid, n);
	for (unsigned b = 0; b < CHIP_BLOCKS; b++)
		if (image->data >> b & 1u) {
			memcpy(bytes + n, image->block[b], CHIP_BLOCK_LEN);
			n += CHIP_BLOCK_LEN;
		}
	bool ok = EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, MASTER_KEY_LEN, bytes, n,
			  out->mac, sizeof out->mac, &len) != NULL;
	explicit_bzero(bytes, sizeof bytes);
	return ok && len == sizeof out->mac;
}

int
inspector_keys(void *inspector, const struct chip_id *id, const struct chip_image *image,
	struct chip_keys *out, struct err *e)
{
	const struct inspector *i = inspector;
	const struct inspector_card *c = card_find(i, id);
	uint8_t mac_key[MASTER_KEY_LEN];
	const char *at = c ? c->keys : NULL;
	char hex[2 * MIFARE_KEY_LEN + 1] = "";
	bool ok = true;

	*out = (struct chip_keys){0};
	if (!c)
		return err_set(e, ERR_MISSING, _("The card is not in the inspector's key file."));
	for (unsigned s = 0; ok && s < CHIP_SECTORS; s++) {
		if (!(i->sectors >> s & 1u))
			continue;
		memcpy(hex, at, sizeof hex - 1);
		ok = hex_parse(out->key[s][KEY_A], MIFARE_KEY_LEN, hex) == 0;
		at += sizeof hex - 1;
	}
	ok = ok && hex_parse(mac_key, sizeof mac_key, c->mac) == 0 &&
	     mac_build(out, mac_key, id, image);
	explicit_bzero(mac_key, sizeof mac_key);
	explicit_bzero(hex, sizeof hex);
	if (ok)
		return 0;
	explicit_bzero(out, sizeof *out);
	return err_set(e, ERR_INPUT, _("The inspector's key file is damaged; have it made again."));
}

/* ---- making ---- */

struct export
{
	struct buf text;
	const struct key_ring *ring;
	unsigned sectors, n;
	struct err *e;
};

static int
export_line(struct export *x, const struct master_keys *m, const struct chip_id *id,
	const char *uid, const char *state)
{
	const struct chip_image none = {0};
	struct chip_keys keys = {0};
	uint8_t mac_key[MASTER_KEY_LEN] = {0};
	char hex[2 * MASTER_KEY_LEN + 1];
	int rc = diversify_card(&keys, m, id, &none, x->e);

	if (rc == 0)
		rc = diversify_mac_key(mac_key, m, id, x->e);
	if (rc == 0)
		rc = buf_printf(&x->text, x->e, "card %s %s ", uid, state);
	for (unsigned s = 0; rc == 0 && s < CHIP_SECTORS; s++) {
		if (!(x->sectors >> s & 1u))
			continue;
		hex_build(hex, keys.key[s][KEY_A], MIFARE_KEY_LEN);
		rc = buf_append(&x->text, hex, (size_t)2 * MIFARE_KEY_LEN, x->e);
	}
	hex_build(hex, mac_key, sizeof mac_key);
	if (rc == 0)
		rc = buf_printf(&x->text, x->e, " %s\n", hex);
	explicit_bzero(&keys, sizeof keys);
	explicit_bzero(mac_key, sizeof mac_key);
	explicit_bzero(hex, sizeof hex);
	return rc;
}

static int
export_card(void *ctx, const char *uid, bool is_void)
{
	struct export *x = ctx;
	struct chip_id id = {.uid_len = strlen(uid) / 2};
	int rc = 0;

	if (id.uid_len > sizeof id.uid || hex_parse(id.uid, id.uid_len, uid))
		return err_set(x->e, ERR_INPUT, _("The ledger has a chip without a number."));
	for (unsigned i = 0; rc == 0 && i < x->ring->n; i++)
		rc = export_line(x, &x->ring->pair[i], &id, uid, is_void ? "void" : "good");
	x->n += rc == 0;
	return rc;
}

int
inspector_export(struct ledger *l, const struct key_ring *ring, unsigned sectors, const char *today,
	const char *path, unsigned *n_cards, struct err *e)
{
	struct export x = {.ring = ring, .sectors = sectors, .e = e};
	uint8_t hash[HASH_LEN];
	char hex[2 * HASH_LEN + 1];

	if (access(path, F_OK) == 0)
		return err_set(e, ERR_USAGE, _("%s: is there already; it is not replaced."), path);
	buf_init(&x.text, FILE_MAX);
	/* Room for all: a buffer that grew would leave keys behind in freed memory. */
	int rc = buf_reserve(&x.text, FILE_MAX / 2, e);
	if (rc == 0)
		rc = buf_printf(&x.text, e, "cardspool-inspector 1\nmade %s\nsectors %04x\n", today,
			sectors);
	if (rc == 0)
		rc = ledger_chips(l, export_card, &x, e);
	if (rc == 0) {
		hash_bytes(hash, x.text.data, x.text.len);
		hex_build(hex, hash, sizeof hash);
		rc = buf_printf(&x.text, e, "end %s\n", hex);
	}
	if (rc == 0)
		rc = file_write(path, x.text.data, x.text.len, 0600, e);
	*n_cards = x.n;
	if (x.text.data)
		explicit_bzero(x.text.data, x.text.len);
	buf_done(&x.text);
	return rc;
}
