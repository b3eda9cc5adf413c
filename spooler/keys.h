/*
 * keys.h - what keyd and the key commands share among themselves: the ring of master keys at rest,
 * its seal, and what keyd is set up with.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_KEYS_H
#define CARDSPOOL_KEYS_H

#include "drivers/psam.h"
#include "spooler/spooler.h"

enum { KEY_VERSIONS_MAX = 8, KEYFILE_MAX = 4096, KEY_SECRET_LEN = 32 };

/* Every pair of masters of a site, oldest first; the last one makes new cards. */
struct key_ring {
	unsigned n;
	struct master_keys pair[KEY_VERSIONS_MAX];
};
/* version 0: the current one. NULL: there is none of that version. */
const struct master_keys *keyring_find(const struct key_ring *r, unsigned version);
/* ERR_USAGE when the ring is full or no version number is left. Takes a copy. */
int keyring_push(struct key_ring *r, const struct master_keys *pair, struct err *e);

/* A plain file (format 1) or a sealed one (format 2). Refused as keyfile_read says. */
int keyfile_ring(struct key_ring *out, const char *path, struct err *e);
/* Writes a sealed file; replace: over the one that is there, complete or not at all. */
int keyfile_save(const struct key_ring *r, const char *path, const char *secret_path, bool replace,
	struct err *e);
/* Writes text under a name that must not exist yet. */
int keyfile_place(const char *path, const char *text, bool replace, struct err *e);
/* A file for nobody but its owner, as text; text has room for max + 1 bytes. */
int keyfile_text(char *text, size_t max, const char *path, struct err *e);
/* The secret that a sealed file names, into out. */
int keyfile_secret_path(char *out, size_t max, const char *path, struct err *e);

/*
 * keyseal.c: bytes sealed to this machine (AES-256-GCM; doc/KEYS.md). kind is the first line of the
 * text: "cardspool-keys 2". The secret file is made when there is none.
 */
int keyseal_build(char *text, size_t max, const char *kind, const char *secret_path,
	const uint8_t *plain, size_t len, struct err *e);
/* text as read from path, which messages name. ERR_INPUT: damaged, or sealed on another machine. */
int keyseal_parse(uint8_t *plain, size_t max, size_t *len, const char *kind, const char *text,
	const char *path, struct err *e);

/* keypart.c: a master pair from two people, each of whom knows one part. */
struct key_part {
	struct master_keys half;
	uint32_t login; /* who entered it, as the kernel knows; UINT32_MAX: it does not */
};
int keypart_save(
	const struct key_part *p, const char *path, const char *secret_path, struct err *e);
int keypart_load(struct key_part *out, const char *path, struct err *e);
/* out = a xor b. ERR_USAGE when both are the same, or the same person entered both. */
int keypart_join(
	struct master_keys *out, const struct key_part *a, const struct key_part *b, struct err *e);
uint32_t keypart_login(void);

/* No core dump, no debugger, nothing paged out: for a process that is about to hold keys. */
void keys_guard(void);

/* secret-line.c: a line of standard input, without its end; a terminal shows the prompt and not the
 * line. ERR_INPUT: longer than max - 1, or broken off. */
int secret_line(char *out, size_t max, const char *prompt, struct err *e);

/* Where keyd takes keys and MACs from. */
struct keyd_setup {
	char key_path[4096];
	bool psam_keys, psam_mac; /* false: software */
	struct psam_setup psam;
};
/* From [paths] keys and [keys] of cardspool.conf. */
int keyd_setup_load(struct keyd_setup *out, const struct config *c, struct err *e);
int keyd_start_setup(
	const struct keyd_setup *setup, const char *run_as, pid_t *pid, int *fd, struct err *e);

/* What keyd holds, and its answer to one question (keyd-answer.c). */
struct keyd_holder {
	struct key_ring ring; /* n 0: every key is the module's */
	struct psam psam;
	bool psam_keys, psam_mac;
};
int keyd_answer(struct keyd_holder *h, const struct keyd_request *q, struct keyd_reply *reply,
	struct err *e);

/* User code and MAC of a memory card: data NULL: no MAC. */
int diversify_logic(struct logic_keys *out, const struct master_keys *m,
	const uint8_t serial[LOGIC_SERIAL_LEN], const uint8_t *data, struct err *e);
/* SHA-256 over UID and data blocks: what a security module makes its MAC over. */
int diversify_digest(uint8_t out[HASH_LEN], const struct chip_id *id,
	const struct chip_image *image, struct err *e);

#endif
