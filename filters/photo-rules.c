/*
 * photo-rules.c - what a schema asks of a photo: size, shape, ground, and that all of it is there.
 *
 * Guarantees: a photo that passes can be decoded later without a surprise. The message says which
 * rule fails and how to mend it; the caller adds record and file.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/card.h"

#include <stdio.h>
#include <string.h>

/*
 * A face in focus measures 250 per mille and more (photo_sharpness), one blurred by 0.5 % of its
 * height (sigma; a tenth of a millimetre on the card) 7 to 27, by 0.75 % 2 to 8, by 1 % 1 to 4:
 * what lies below this shows on the card.
 */
enum { SHARP_LEAST = 6, JUDGED_HEIGHT = 300 };

/* Height to width as the schema has it, the odd side rounded to a whole pixel either way. */
static int
ratio_check(const struct schema *s, unsigned width, unsigned height, struct err *e)
{
	uint64_t rh = s->photo_ratio_h, rw = s->photo_ratio_w;

	if (!rh || !rw)
		return 0;
	uint64_t a = height * rw, b = width * rh;
	if ((a > b ? a - b : b - a) < (rh > rw ? rh : rw))
		return 0;
	/* The largest cut of the right shape. */
	unsigned crop_w = a > b ? width : (unsigned)(a / rh);
	unsigned crop_h = a > b ? (unsigned)(b / rw) : height;
	return err_set(e, ERR_INPUT,
		_("the photo is %u wide and %u high; height to width must be %u:%u. Crop it to %u "
		  "wide "
		  "and %u high."),
		width, height, s->photo_ratio_h, s->photo_ratio_w, crop_w, crop_h);
}

/* A pale grey counts as white, and every blue from the sky's to the navy's as blue. */
static unsigned
colour_ground(uint32_t word)
{
	int red = word >> 16 & 255, green = word >> 8 & 255, blue = word & 255;
	int least = red < green ? red : green, most = red > green ? red : green;

	least = blue < least ? blue : least;
	most = blue > most ? blue : most;
	if (least >= 170 && most - least <= 45)
		return PHOTO_WHITE;
	if (blue >= 60 && blue - red >= 25 && blue - green >= 5)
		return PHOTO_BLUE;
	return 0;
}

/* The upper corners, a sixth of the width and a tenth of the height each, are free of hair and
 * shoulders: most of their pixels must be of one allowed ground. Light or a hat can deceive such a
 * look, so it is a warning unless the schema is strict. */
static int
ground_check(const struct schema *s, const struct photo *p, struct err *warning, struct err *e)
{
	unsigned side = p->width / 6 + 1, depth = p->height / 10 + 1, n = 0, white = 0, blue = 0;

	for (unsigned y = 0; y < depth && y < p->height; y++) {
		for (unsigned x = 0; x < p->width; x++) {
			uint32_t word;
			if (x >= side && x + side < p->width)
				continue;
			memcpy(&word, p->pixels + ((size_t)y * p->width + x) * 4, sizeof word);
			unsigned ground = colour_ground(word) & s->photo_grounds;
			white += ground == PHOTO_WHITE;
			blue += ground == PHOTO_BLUE;
			n++;
		}
	}
	if (!s->photo_grounds || (white > blue ? white : blue) * 3 >= n * 2)
		return 0;
	const char *allowed = s->photo_grounds == PHOTO_WHITE  ? _("white")
			      : s->photo_grounds == PHOTO_BLUE ? _("blue")
							       : _("white or blue");
	if (s->photo_ground_strict)
		return err_set(e, ERR_INPUT,
			_("the ground behind the head is not %s; take the photo before such a "
			  "wall."),
			allowed);
	return err_set(warning, ERR_NONE,
		_("the ground behind the head does not look %s; look at the photo."), allowed);
}

static void
sharpness_check(const struct photo *p, struct err *warning)
{
	char before[ERR_TEXT_MAX] = "";

	if (!warning || photo_sharpness(p) >= SHARP_LEAST)
		return;
	if (warning->text[0])
		snprintf(before, sizeof before, "%s ", warning->text);
	err_set(warning, ERR_NONE, _("%sthe face looks blurred; look at the photo."), before);
}

static int
format_check(const struct schema *s, const uint8_t *bytes, size_t len, struct err *e)
{
	static const struct {
		const char *suffix;
		unsigned format;
		const char *name;
	} rows[] = {
		{"jpg", PHOTO_JPEG, "JPEG"}, {"bmp", PHOTO_BMP, "BMP"}, {"png", PHOTO_PNG, "PNG"}};
	const char *suffix = photo_suffix(bytes, len);
	const char *is = NULL, *wanted = NULL;

	for (size_t i = 0; s->photo_formats && suffix && i < ARRAY_LEN(rows); i++) {
		if (!strcmp(suffix, rows[i].suffix) && !(s->photo_formats & rows[i].format))
			is = rows[i].name;
		if (!wanted && s->photo_formats & rows[i].format)
			wanted = rows[i].name;
	}
	if (!is)
		return 0;
	return err_set(e, ERR_INPUT,
		_("the photo is a %s file, which this card product does not take; save it as %s."),
		is, wanted);
}

int
photo_check(const struct schema *s, const uint8_t *bytes, size_t len, struct err *warning,
	struct err *e)
{
	unsigned width, height;
	struct photo p;
	int rc;

	if (warning)
		*warning = (struct err){0};
	if (s->photo_max_bytes && len > s->photo_max_bytes)
		return err_set(e, ERR_INPUT,
			_("the photo has %zu bytes, at most %u are allowed; save it smaller."), len,
			s->photo_max_bytes);
	if ((rc = format_check(s, bytes, len, e)) ||
		(rc = photo_probe(bytes, len, &width, &height, e)) ||
		(rc = ratio_check(s, width, height, e)))
		return rc;
	/* All of its bytes: a picture that ends early shows only here. */
	rc = photo_decode(&p, bytes, len, 1, JUDGED_HEIGHT, e);
	if (!rc && !(rc = ground_check(s, &p, warning, e)))
		sharpness_check(&p, warning);
	photo_done(&p);
	return rc;
}
