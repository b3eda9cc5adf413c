/*
 * type2.h - tags of NFC Forum type 2: NTAG21x and MIFARE Ultralight.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_TYPE2_H
#define CARDSPOOL_TYPE2_H

#include "drivers/driver.h"

enum { TYPE2_USER_MAX = 888 }; /* bytes of an NTAG216 */

struct type2_tag {
	struct chip_id id;
	unsigned capacity; /* bytes of user memory */
	bool locked;       /* read only, or in part */
	uint8_t user[TYPE2_USER_MAX];
	size_t message_at, message_len; /* in user; length 0: an empty tag */
	size_t tlv_at;                  /* where the message's TLV begins, or may begin */
};

/* One tag within wait_ms, and all that it holds. FAULT_NO_CHIP, FAULT_CHIP_TWO, FAULT_CHIP_TYPE. */
int type2_read(struct station *s, unsigned wait_ms, struct type2_tag *out, struct err *e);
/*
 * Writes one message over whatever the tag holds and reads the whole tag back after a field reset.
 * The length is the last page written, so an interrupted tag is empty, never half. t is what
 * type2_read gave, and then what is on the tag. FAULT_CHIP_USED: locked. ERR_INPUT: too long for
 * this tag.
 */
int type2_write(
	struct station *s, struct type2_tag *t, const uint8_t *message, size_t len, struct err *e);
/*
 * The printing pass: the tag that was selected gets the image and is proved after a field reset;
 * then the locks, if it asks for them. Written on is only a tag of that size that holds nothing.
 * resume: it may hold a part of this very image, one page torn. FAULT_CHIP_TYPE: another size or
 * kind of chip. FAULT_CHIP_USED: other data, or locked.
 */
int type2_encode(struct station *s, const struct chip_id *id, const struct tag_image *image,
	bool resume, struct err *e);
int type2_type_check(const struct chip_id *id, struct err *e);
/* For ever: no page of it can be changed again. Read back. */
int type2_lock(struct station *s, struct type2_tag *t, struct err *e);

#endif
