/*
 * stream-frame.h - the wire format of the card stream, for its writer and its reader.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_STREAM_FRAME_H
#define CARDSPOOL_STREAM_FRAME_H

#include "filters/card.h"
#include "filters/le.h"

#ifdef HAVE_LIBDEFLATE
#include <libdeflate.h>
#else
#include <zlib.h>
#endif

/*
 * All numbers are little-endian.
 *
 *   stream  = head job { card } ( end | error )
 *   card    = CARD [ CHIP | NDEF ] { PLAN } DONE
 *
 *   head    0  8  "CARDSTRM"
 *           8  2  version, 2
 *          10  2  0
 *   frame   0  4  type, four letters
 *           4  4  length n of the payload
 *           8  n  payload
 *         8+n  4  CRC-32 (as in zlib) over type, length and payload
 *
 *   "JOB "  JSON: struct stream_job
 *   "CARD"  JSON: card, copy, chip (bool), number, name (both masked), record (hash); tracks only
 *           for a magnetic stripe: three texts without sentinels
 *   "CHIP"  0  8  mask of data blocks     8  8  mask of MAC blocks     16  1024  the 64 blocks
 *   "NDEF"  0  1  bit 0: lock for ever    1  1  0
 *           2  2  bytes of user memory of the tag       4  n  the message
 *   "PLAN"  0  1  side 0 front 1 back     1  1  panel letter
 *           2  1  fill: 1 blank, 2 full, 3 data                        3  1  bits a dot, 8 or 1
 *           4  4  dots                    8  4  lines
 *          12  n  fill 3 only: ceil(dots * bits / 8) * lines bytes; padding bits are 0
 *   "DONE"  0  4  CRC-32 over the CRCs of this card's frames before it, from CARD on, 4 bytes each
 *   "ERRO"  JSON: code, text for a person
 *   "END "  JSON: cards
 *
 * Planes come in ascending side and panel; CHIP or NDEF is there exactly when CARD says "chip".
 * DONE proves that no frame of the card was lost or swapped. The SHA-256 hashes that the ledger
 * keeps are taken by the reader, of what it read: they cost more than all other work of the writer.
 */
enum {
	STREAM_VERSION = 2,
	STREAM_HEAD_LEN = 12,
	FRAME_HEAD_LEN = 8,
	FRAME_CRC_LEN = 4,
	JSON_MAX = 16384,
	CHIP_PAYLOAD_LEN = 16 + CHIP_BLOCKS * CHIP_BLOCK_LEN,
	TAG_HEAD_LEN = 4,
	PLANE_HEAD_LEN = 12,
	DONE_PAYLOAD_LEN = 4,
	CARD_BYTES_MAX = 40 << 20, /* all planes of one card */
	STREAM_CARDS_MAX = 10000000,
	STREAM_COPIES_MAX = 10000
};

#define FRAME_TYPE(a, b, c, d)                                                                     \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

enum frame_type {
	FRAME_JOB = FRAME_TYPE('J', 'O', 'B', ' '),
	FRAME_CARD = FRAME_TYPE('C', 'A', 'R', 'D'),
	FRAME_CHIP = FRAME_TYPE('C', 'H', 'I', 'P'),
	FRAME_TAG = FRAME_TYPE('N', 'D', 'E', 'F'),
	FRAME_PLANE = FRAME_TYPE('P', 'L', 'A', 'N'),
	FRAME_DONE = FRAME_TYPE('D', 'O', 'N', 'E'),
	FRAME_ERROR = FRAME_TYPE('E', 'R', 'R', 'O'),
	FRAME_END = FRAME_TYPE('E', 'N', 'D', ' ')
};

/* CRC-32 as in zlib; libdeflate's is the same several times faster. Begins with 0. */
static inline uint32_t
frame_crc(uint32_t crc, const void *bytes, size_t len)
{
#ifdef HAVE_LIBDEFLATE
	return libdeflate_crc32(crc, bytes, len);
#else
	return (uint32_t)crc32_z(crc, bytes, len);
#endif
}

#endif
