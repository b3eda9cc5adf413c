/*
 * err.c - the one error struct.
 *
 * Owns the text that reaches a person and the table of exit statuses. Guarantees: always
 * terminated, cut on a character boundary, never a control byte from a device. Cannot fail.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/card.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	int code, status;
} exit_statuses[] = {
	{ERR_NONE, 0},
	{ERR_USAGE, 64},
	{ERR_INPUT, 65},
	{ERR_MISSING, 66},
	{ERR_DEVICE, 69},
	{ERR_INTERNAL, 70},
	{ERR_SYSTEM, 71},
	{ERR_STORAGE, 74},
	{ERR_BUSY, 75},
	{ERR_PROTOCOL, 76},
	{ERR_DENIED, 77},
	{ERR_FAULT, 69},
	{ERR_DOUBT, 69},
	{ERR_CANCELLED, 130},
};

int
err_exit_status(int code)
{
	for (size_t i = 0; i < ARRAY_LEN(exit_statuses); i++)
		if (exit_statuses[i].code == code)
			return exit_statuses[i].status;
	return 70;
}

/* Drops a UTF-8 sequence that the cut left incomplete. */
static void
text_trim(char *text)
{
	size_t len = strlen(text), start = len;

	while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start == 0)
		return;
	unsigned char lead = (unsigned char)text[start - 1];
	size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
	if (len - (start - 1) < want)
		text[start - 1] = '\0';
}

int
err_set(struct err *e, int code, const char *format, ...)
{
	va_list args;

	if (!e)
		return code;
	e->code = code;
	e->fault = 0;
	e->raw[0] = '\0';
	va_start(args, format);
	int n = vsnprintf(e->text, sizeof e->text, format, args);
	va_end(args);
	if (n < 0)
		e->text[0] = '\0';
	else if ((size_t)n >= sizeof e->text)
		text_trim(e->text);
	return code;
}

int
err_prefix(struct err *e, const char *format, ...)
{
	char old[ERR_TEXT_MAX], prefix[ERR_TEXT_MAX];
	va_list args;

	if (!e)
		return ERR_INTERNAL;
	snprintf(old, sizeof old, "%s", e->text);
	va_start(args, format);
	vsnprintf(prefix, sizeof prefix, format, args);
	va_end(args);
	size_t n = strlen(prefix);
	if (n > sizeof e->text - 3)
		n = sizeof e->text - 3;
	memcpy(e->text, prefix, n);
	e->text[n] = ':';
	e->text[n + 1] = ' ';
	size_t room = sizeof e->text - n - 3, len = strlen(old);
	memcpy(e->text + n + 2, old, len < room ? len : room);
	e->text[n + 2 + (len < room ? len : room)] = '\0';
	if (len > room)
		text_trim(e->text);
	return e->code;
}

void
err_raw(struct err *e, const void *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *in = bytes;
	size_t n = 0;

	if (!e)
		return;
	for (size_t i = 0; i < len && n + 5 < sizeof e->raw; i++) {
		if (in[i] >= 0x20 && in[i] < 0x7f) {
			e->raw[n++] = (char)in[i];
		} else {
			e->raw[n++] = '\\';
			e->raw[n++] = 'x';
			e->raw[n++] = digits[in[i] >> 4];
			e->raw[n++] = digits[in[i] & 15];
		}
	}
	e->raw[n] = '\0';
}
