/*
 * keyd-answer.c - one question to keyd, answered.
 *
 * Owns the choice between the masters in memory and the security module, for keys and for the MAC
 * apart, and which version of the masters. Guarantees: an answer is whole or zero, and says the
 * version it was made with; a module that fails is never replaced by the masters in memory.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/keys.h"

#include <string.h>

static int
masters_find(const struct keyd_holder *h, unsigned version, const struct master_keys **out,
	struct err *e)
{
	*out = keyring_find(&h->ring, version);
	return *out ? 0
		    : fault_say(e, FAULT_KEYS, "no such version",
			      _("There are no keys of the version this card was made with; have an "
				"administrator check the key file."));
}

static int
card_answer(struct keyd_holder *h, const struct keyd_request *q, struct keyd_reply *reply,
	struct err *e)
{
	const struct master_keys *m = NULL;
	struct chip_keys module = {0};
	uint8_t digest[HASH_LEN];
	int rc = 0;

	if (!h->psam_keys || !h->psam_mac) {
		rc = masters_find(h, q->key_version, &m, e);
		if (rc == 0)
			rc = diversify_card(&reply->keys, m, &q->id, &q->image, e);
		reply->key_version = m ? m->version : 0;
	}
	if (rc == 0 && h->psam_keys) {
		rc = psam_sector_keys(&h->psam, q->key_version, &q->id, &module, e);
		memcpy(reply->keys.key, module.key, sizeof module.key);
		reply->key_version = q->key_version ? q->key_version : h->psam.setup.key_version;
	}
	if (rc == 0 && h->psam_mac) {
		rc = diversify_digest(digest, &q->id, &q->image, e);
		if (rc == 0)
			rc = psam_card_mac(&h->psam, q->key_version, &q->id, digest, &module, e);
		memcpy(reply->keys.mac, module.mac, sizeof module.mac);
	}
	explicit_bzero(&module, sizeof module);
	return rc;
}

static int
logic_answer(const struct keyd_holder *h, const struct keyd_request *q, struct keyd_reply *reply,
	struct err *e)
{
	const struct master_keys *m;

	if (h->ring.n == 0)
		return fault_say(e, FAULT_KEYS, "memory card",
			_("Memory cards take their keys from the key file; set keys = file in "
			  "cardspool.conf."));
	int rc = masters_find(h, q->key_version, &m, e);
	if (rc == 0)
		rc = diversify_logic(
			&reply->logic, m, q->serial_number, q->logic_mac ? q->logic_data : NULL, e);
	if (rc == 0)
		reply->key_version = m->version;
	return rc;
}

int
keyd_answer(struct keyd_holder *h, const struct keyd_request *q, struct keyd_reply *reply,
	struct err *e)
{
	int rc = q->logic ? logic_answer(h, q, reply, e) : card_answer(h, q, reply, e);

	if (rc) {
		explicit_bzero(&reply->keys, sizeof reply->keys);
		explicit_bzero(&reply->logic, sizeof reply->logic);
	}
	return rc;
}
