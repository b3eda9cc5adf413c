/*
 * charset.c - the three character sets of a roster: UTF-8, GB18030 and, on the chip, GBK (CP936).
 *
 * Guarantees: what comes out is valid; nothing is replaced, guessed or dropped. Conversions to and
 * from GBK go character by character, so that the one which does not fit can be named. On failure
 * out holds nothing that may be used.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/card.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>

size_t
utf8_next(uint32_t *cp, const void *text, size_t len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const uint8_t *in = text;

	if (!len)
		return 0;
	size_t n = in[0] < 0x80   ? 1
		   : in[0] < 0xc2 ? 0
		   : in[0] < 0xe0 ? 2
		   : in[0] < 0xf0 ? 3
		   : in[0] < 0xf5 ? 4
				  : 0;
	if (!n || n > len)
		return 0;
	uint32_t c = n == 1 ? in[0] : in[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((in[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (in[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*cp = c;
	return n;
}

static unsigned
line_at(const uint8_t *in, size_t position)
{
	unsigned line = 1;

	for (size_t i = 0; i < position; i++)
		line += in[i] == '\n';
	return line;
}

/* How much of a text looks like UTF-8 Chinese, and where it first is not UTF-8 at all. */
struct utf8_survey {
	size_t wide;  /* sequences of three and four bytes */
	size_t bad;   /* bytes that belong to no sequence */
	size_t first; /* position of the first of them */
};

static struct utf8_survey
utf8_survey(const uint8_t *in, size_t len)
{
	struct utf8_survey s = {0};
	uint32_t cp;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_next(&cp, in + i, len - i);
		if (n >= 3) {
			s.wide++;
		} else if (!n) {
			if (!s.bad++)
				s.first = i;
			n = 1;
		}
	}
	return s;
}

static int
gb18030_to_utf8(struct buf *out, const uint8_t *in, size_t len, const char *name, struct err *e)
{
	char piece[8192], *from = (char *)(uintptr_t)in;
	size_t left = len;
	iconv_t cd = iconv_open("UTF-8", "GB18030");
	int rc = 0;

	if (cd == (iconv_t)-1)
		return err_set(
			e, ERR_SYSTEM, _("This system cannot read GB18030: %s."), strerror(errno));
	while (left && !rc) {
		char *to = piece;
		size_t room = sizeof piece;
		size_t n = iconv(cd, &from, &left, &to, &room);
		if (n == (size_t)-1 && errno != E2BIG) {
			unsigned line = line_at(in, len - left);
			rc = err_set(e, ERR_INPUT,
				_("%s: line %u: bytes that are neither UTF-8 nor GB18030; save the "
				  "file again as UTF-8."),
				name, line);
		} else {
			rc = buf_append(out, piece, sizeof piece - room, e);
		}
	}
	iconv_close(cd);
	return rc;
}

int
charset_to_utf8(struct buf *out, const uint8_t *in, size_t len, const char *name, struct err *e)
{
	static const uint8_t bom[] = {0xef, 0xbb, 0xbf};
	bool marked = len >= sizeof bom && !memcmp(in, bom, sizeof bom);

	if (len >= 2 && ((in[0] == 0xff && in[1] == 0xfe) || (in[0] == 0xfe && in[1] == 0xff)))
		return err_set(e, ERR_INPUT,
			_("%s: line 1: is written in UTF-16; save it as UTF-8."), name);
	struct utf8_survey s = utf8_survey(in, len);
	if (!s.bad)
		return buf_append(
			out, in + (marked ? sizeof bom : 0), len - (marked ? sizeof bom : 0), e);
	/* Chinese in UTF-8 is three bytes a character and hardly ever arises in GB18030 by chance:
	 * with so many of them this is a UTF-8 file with a few broken bytes, which GB18030 might
	 * take for text. */
	if (marked || s.wide > 4 * s.bad)
		return err_set(e, ERR_INPUT,
			_("%s: line %u: bytes that are not UTF-8; save the file again as UTF-8."),
			name, line_at(in, s.first));
	return gb18030_to_utf8(out, in, len, name, e);
}

/* UTF-8 to GBK, opened by the first character that needs it: most fields hold digits. */
struct gbk_writer {
	iconv_t cd;
	bool open;
};

static int
gbk_open(struct gbk_writer *w, struct err *e)
{
	if (w->open)
		return 0;
	w->cd = iconv_open("GBK", "UTF-8");
	if (w->cd == (iconv_t)-1)
		return err_set(
			e, ERR_SYSTEM, _("This system cannot write GBK: %s."), strerror(errno));
	w->open = true;
	return 0;
}

/* One character to at most two bytes; 0 if GBK has no place for it. Nothing may follow that. */
static size_t
gbk_char(iconv_t cd, uint8_t out[4], const char *utf8, size_t n)
{
	char *from = (char *)(uintptr_t)utf8, *to = (char *)out;
	size_t left = n, room = 4;

	if (iconv(cd, &from, &left, &to, &room) != 0 || left)
		return 0;
	size_t wrote = 4 - room;
	/* CP936 also has the euro sign as the single byte 80; a reader of two-byte GBK would
	 * stumble. */
	return wrote == 2 ? wrote : 0;
}

/* The next character of utf8, which is n bytes long; *wrote bytes of code. */
static int
gbk_next(struct gbk_writer *w, uint8_t code[4], size_t *wrote, const char *utf8, size_t n,
	uint32_t cp, struct err *e)
{
	if (n == 1) { /* ASCII stays as it is */
		code[0] = (uint8_t)cp;
		*wrote = 1;
		return 0;
	}
	int rc = gbk_open(w, e);
	if (rc)
		return rc;
	*wrote = gbk_char(w->cd, code, utf8, n);
	if (!*wrote)
		rc = err_set(e, ERR_INPUT,
			_("the character U+%04X does not exist in GBK, so the chip cannot "
			  "hold "
			  "it; write it another way."),
			(unsigned)cp);
	return rc;
}

int
charset_to_gbk(uint8_t *out, size_t max, size_t *len, const char *utf8, struct err *e)
{
	struct gbk_writer w = {0};
	size_t left = strlen(utf8), need = 0;
	int rc = 0;

	*len = 0;
	for (size_t n; left && !rc; utf8 += n, left -= n) {
		uint8_t code[4];
		uint32_t cp;
		size_t wrote = 0;
		n = utf8_next(&cp, utf8, left);
		if (!n) {
			rc = err_set(e, ERR_INPUT, _("holds bytes that are not UTF-8."));
			break;
		}
		rc = gbk_next(&w, code, &wrote, utf8, n, cp, e);
		for (size_t i = 0; i < wrote; i++, need++)
			if (need < max)
				out[need] = code[i];
	}
	if (w.open)
		iconv_close(w.cd);
	*len = need;
	return rc;
}

int
charset_from_gbk(char *out, size_t max, const uint8_t *gbk, size_t len, struct err *e)
{
	size_t used = 0;
	iconv_t cd = iconv_open("UTF-8", "GBK");
	int rc = 0;

	if (!max)
		return err_set(e, ERR_INTERNAL, "charset_from_gbk: no room");
	out[0] = '\0';
	if (cd == (iconv_t)-1)
		return err_set(
			e, ERR_SYSTEM, _("This system cannot read GBK: %s."), strerror(errno));
	for (size_t i = 0, n; i < len && !rc; i += n) {
		char utf8[8], *from = (char *)(uintptr_t)(gbk + i), *to = utf8;
		n = gbk[i] < 0x80 ? 1 : 2;
		size_t left = n, room = sizeof utf8;
		iconv(cd, NULL, NULL, NULL, NULL);
		if (i + n > len || !gbk[i] || iconv(cd, &from, &left, &to, &room) != 0 || left) {
			rc = err_set(e, ERR_INPUT, _("byte %zu is not GBK text."), i + 1);
		} else if (sizeof utf8 - room >= max - used) {
			rc = err_set(e, ERR_INTERNAL, "charset_from_gbk: no room");
		} else {
			memcpy(out + used, utf8, sizeof utf8 - room);
			used += sizeof utf8 - room;
			out[used] = '\0';
		}
	}
	iconv_close(cd);
	return rc;
}
