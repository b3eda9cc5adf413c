/*
 * access.c - the access conditions of a MIFARE Classic sector.
 *
 * Owns the translation between C1C2C3 of the four blocks and the three bytes of a trailer.
 * Guarantees: whatever access_build makes, access_parse accepts. The chip compares the true and the
 * inverted copy at each access and closes the sector for ever when they disagree, so a wrong byte
 * is refused here.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/driver.h"

/*
 * MF1S50 data sheet, access conditions; bit i belongs to block i, 3 is the trailer, ~ marks an
 * inverted bit:
 *
 *           7     6     5     4     3     2     1     0
 *  byte 6  ~C2.3 ~C2.2 ~C2.1 ~C2.0 ~C1.3 ~C1.2 ~C1.1 ~C1.0
 *  byte 7   C1.3  C1.2  C1.1  C1.0 ~C3.3 ~C3.2 ~C3.1 ~C3.0
 *  byte 8   C3.3  C3.2  C3.1  C3.0  C2.3  C2.2  C2.1  C2.0
 */
struct access_place {
	uint8_t mask; /* of this condition in a C1C2C3 value */
	uint8_t byte, shift;
	uint8_t inverted_byte, inverted_shift;
};

static const struct access_place places[] = {
	{4, 1, 4, 0, 0}, /* C1 */
	{2, 2, 0, 0, 4}, /* C2 */
	{1, 2, 4, 1, 0}, /* C3 */
};

void
access_build(uint8_t out[3], const uint8_t c[4])
{
	out[0] = out[1] = out[2] = 0;
	for (size_t p = 0; p < ARRAY_LEN(places); p++) {
		const struct access_place *place = &places[p];
		for (unsigned block = 0; block < 4; block++) {
			if (c[block] & place->mask)
				out[place->byte] |= (uint8_t)(1u << (place->shift + block));
			else
				out[place->inverted_byte] |=
					(uint8_t)(1u << (place->inverted_shift + block));
		}
	}
}

int
access_parse(uint8_t c[4], const uint8_t in[3], struct err *e)
{
	c[0] = c[1] = c[2] = c[3] = 0;
	for (size_t p = 0; p < ARRAY_LEN(places); p++) {
		const struct access_place *place = &places[p];
		unsigned bits = in[place->byte] >> place->shift & 15u;
		unsigned inverted = in[place->inverted_byte] >> place->inverted_shift & 15u;
		if ((bits ^ inverted) != 15u)
			return err_set(e, ERR_INPUT,
				_("The access conditions of a sector contradict themselves."));
		for (unsigned block = 0; block < 4; block++)
			if (bits >> block & 1u)
				c[block] |= place->mask;
	}
	return 0;
}
