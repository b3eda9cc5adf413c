/*
 * photo-exif.c - which way up a camera held a JPEG picture.
 *
 * Owns the one EXIF tag that matters on a card. Guarantees: every offset is checked before it is
 * followed; a picture without the tag, or with a damaged one, counts as upright. On failure of
 * photo_turn the picture stays as it was.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/card.h"

#include <stdlib.h>
#include <string.h>

/*
 * JPEG: FF D8, then segments FF marker, 2 bytes length (big-endian, with itself). APP1 (E1) with
 * EXIF:
 *
 *   0 "Exif\0\0"   6 "II*\0" little- or "MM\0*" big-endian   10 offset of the directory, from byte
 * 6 directory: 2 number of entries, then 12 bytes each: 2 tag  2 type  4 count  4 value tag 0x0112,
 * type 3: the orientation, 1 to 8, in the first 2 bytes of the value
 */
enum { EXIF_LEN = 6, TIFF_HEAD = 8, ENTRY_LEN = 12, TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3 };

static unsigned
word_get(const uint8_t *p, bool big)
{
	return big ? p[0] << 8 | p[1] : p[1] << 8 | p[0];
}

static unsigned
exif_orientation(const uint8_t *p, size_t len)
{
	if (len < EXIF_LEN + TIFF_HEAD || memcmp(p, "Exif\0\0", EXIF_LEN))
		return 1;
	p += EXIF_LEN;
	len -= EXIF_LEN;
	bool big = p[0] == 'M';
	size_t at = big ? (size_t)word_get(p + 4, big) << 16 | word_get(p + 6, big)
			: (size_t)word_get(p + 6, big) << 16 | word_get(p + 4, big);
	if (memcmp(p, big ? "MM\0*" : "II*\0", 4) || at > len || len - at < 2)
		return 1;
	size_t n = word_get(p + at, big);
	for (at += 2; n && len - at >= ENTRY_LEN; n--, at += ENTRY_LEN) {
		if (word_get(p + at, big) != TAG_ORIENTATION ||
			word_get(p + at + 2, big) != TYPE_SHORT)
			continue;
		unsigned orientation = word_get(p + at + 8, big);
		return orientation >= 1 && orientation <= 8 ? orientation : 1;
	}
	return 1;
}

unsigned
photo_orientation(const uint8_t *bytes, size_t len)
{
	enum { APP1 = 0xe1, SCAN = 0xda };
	size_t at = 2;

	if (len < 4 || bytes[0] != 0xff || bytes[1] != 0xd8)
		return 1;
	while (len - at >= 4 && bytes[at] == 0xff && bytes[at + 1] != SCAN) {
		size_t n = word_get(bytes + at + 2, true);
		if (n < 2 || n > len - at - 2)
			return 1;
		if (bytes[at + 1] == APP1 && n >= 2 + EXIF_LEN &&
			!memcmp(bytes + at + 4, "Exif\0\0", EXIF_LEN))
			return exif_orientation(bytes + at + 4, n - 2);
		at += 2 + n;
	}
	return 1;
}

int
photo_turn(struct photo *p, unsigned orientation, struct err *e)
{
	/* Where the pixel (x, y) of the upright picture is taken from, in the stored one of w x h.
	 */
	static const struct {
		bool swap, from_right, from_bottom;
	} ways[9] = {[2] = {false, true, false},
		[3] = {false, true, true},
		[4] = {false, false, true},
		[5] = {true, false, false},
		[6] = {true, false, true},
		[7] = {true, true, true},
		[8] = {true, true, false}};

	if (orientation < 2 || orientation > 8)
		return 0;
	unsigned w = ways[orientation].swap ? p->height : p->width;
	unsigned h = ways[orientation].swap ? p->width : p->height;
	uint32_t *out = malloc((size_t)w * h * sizeof *out);
	if (!out)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	const uint32_t *in = (const uint32_t *)(const void *)p->pixels;
	for (unsigned y = 0; y < h; y++)
		for (unsigned x = 0; x < w; x++) {
			unsigned column = ways[orientation].swap ? y : x;
			unsigned row = ways[orientation].swap ? x : y;
			if (ways[orientation].from_right)
				column = p->width - 1 - column;
			if (ways[orientation].from_bottom)
				row = p->height - 1 - row;
			out[(size_t)y * w + x] = in[(size_t)row * p->width + column];
		}
	free(p->pixels);
	*p = (struct photo){w, h, (uint8_t *)out};
	return 0;
}
