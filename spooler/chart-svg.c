/*
 * chart-svg.c - text that grows into a page, and charts in it.
 *
 * Owns the escaping of whatever stands between marks. Guarantees: no text of a ledger or a printer
 * becomes a mark, an attribute or a control character of the page; broken UTF-8 becomes U+FFFD.
 * The first error is kept, and what is put afterwards is ignored.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_MAX = 64 * 1024 * 1024 };

void
html_init(struct html *h, enum language l, struct err *e)
{
	*h = (struct html){.e = e, .lang = l};
	buf_init(&h->buf, PAGE_MAX);
}

void
html_put(struct html *h, const char *format, ...)
{
	char room[1024], *text = room;
	va_list ap;
	int n;

	if (h->rc != 0)
		return;
	va_start(ap, format);
	n = vsnprintf(room, sizeof room, format, ap);
	va_end(ap);
	if (n >= (int)sizeof room) {
		va_start(ap, format);
		if (vasprintf(&text, format, ap) < 0)
			text = NULL;
		va_end(ap);
	}
	h->rc = n >= 0 && text ? buf_append(&h->buf, text, (size_t)n, h->e)
			       : err_set(h->e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	if (text != room)
		free(text);
}

static void
bytes_put(struct html *h, const void *bytes, size_t len)
{
	if (h->rc == 0)
		h->rc = buf_append(&h->buf, bytes, len, h->e);
}

void
html_text(struct html *h, const char *text)
{
	static const struct {
		char c;
		const char *entity;
	} entities[] = {
		{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
	size_t left = strlen(text);

	while (left > 0) {
		uint32_t cp = 0;
		size_t n = utf8_next(&cp, text, left);
		const char *entity = NULL;

		for (size_t i = 0; i < ARRAY_LEN(entities); i++)
			if (*text == entities[i].c)
				entity = entities[i].entity;
		/* Controls, and the marks that turn the direction of writing. */
		if (n == 0 || cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0xfffe ||
			cp == 0xffff || (cp >= 0x202a && cp <= 0x202e) ||
			(cp >= 0x2066 && cp <= 0x2069))
			entity = "\xef\xbf\xbd";
		if (entity)
			bytes_put(h, entity, strlen(entity));
		else
			bytes_put(h, text, n);
		n = n ? n : 1;
		text += n;
		left -= n;
	}
}

void
html_say(struct html *h, const char *english)
{
	html_text(h, say(h->lang, english));
}

/* ---- the canvas ---- */

static void
svg_rect(struct canvas *c, double x, double y, double w, double h, const char *colour)
{
	html_put(c->ctx, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"/>",
		x, y, w, h, colour);
}

static void
svg_line(struct canvas *c, double x1, double y1, double x2, double y2, double width,
	const char *colour)
{
	html_put(c->ctx,
		"<line x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\" stroke=\"%s\" "
		"stroke-width=\"%.2f\"/>",
		x1, y1, x2, y2, colour, width);
}

/* Wide characters count twice, so that a name fits without measuring the reader's font. */
static size_t
text_fit(const char *text, double size, double max_width)
{
	size_t left = strlen(text), at = 0;
	double width = 0;

	while (at < left) {
		uint32_t cp = 0;
		size_t n = utf8_next(&cp, text + at, left - at);

		width += size * (cp >= 0x2e80 ? 1.0 : 0.52);
		if (width > max_width)
			return at;
		at += n ? n : 1;
	}
	return at;
}

static void
svg_text(struct canvas *c, double x, double y, double size, enum anchor anchor, bool bold,
	const char *colour, double max_width, const char *text)
{
	static const char *const anchors[] = {"start", "middle", "end"};
	char cut[256];
	size_t n = max_width > 0 ? text_fit(text, size, max_width) : strlen(text);

	snprintf(cut, sizeof cut, "%.*s%s", (int)(n < sizeof cut - 8 ? n : sizeof cut - 8), text,
		n < strlen(text) ? "…" : "");
	html_put(c->ctx,
		"<text x=\"%.2f\" y=\"%.2f\" font-size=\"%.1f\" text-anchor=\"%s\" fill=\"%s\"%s>",
		x, y, size, anchors[anchor], colour, bold ? " font-weight=\"bold\"" : "");
	html_text(c->ctx, cut);
	html_put(c->ctx, "</text>");
}

void
chart_svg(struct html *h, const struct chart *chart, const struct report *r)
{
	struct canvas c = {.rect = svg_rect, .line = svg_line, .text = svg_text, .ctx = h};

	html_put(h, "<figure class=\"chart\" id=\"chart-%s\"><figcaption>", chart->id);
	html_say(h, chart->title);
	html_put(h,
		"</figcaption><svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-2 -2 %.0f "
		"%.0f\" "
		"role=\"img\" font-family=\"sans-serif\"><title>",
		CHART_WIDTH + 4, chart_height(chart, r) + 4);
	html_say(h, chart->title);
	html_put(h, "</title>");
	chart->draw(&c, r, h->lang);
	html_put(h, "</svg></figure>\n");
}
