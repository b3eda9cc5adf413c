/*
 * usb-id.c - what a printer on USB says it is.
 *
 * Owns the IEEE 1284 id, the choice among printers found, and what libusb's error codes mean. Pure:
 * no device is touched. On failure err names every printer that could have been meant.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/usb.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

void
usb_text_clean(char *text)
{
	size_t len = strlen(text), skip = strspn(text, " ");

	while (len > skip && text[len - 1] == ' ')
		len--;
	memmove(text, text + skip, len - skip);
	text[len - skip] = '\0';
	for (char *c = text; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
}

void
usb_device_id_parse(char *out, size_t max, const uint8_t *bytes, size_t len)
{
	size_t n = len > 2 ? len - 2 : 0, said = len > 2 ? (size_t)bytes[0] << 8 | bytes[1] : 0;

	/* Some devices count without the two length bytes or swap them: then the transfer's length
	 * counts. */
	if (said > 2 && said - 2 < n)
		n = said - 2;
	if (n > max - 1)
		n = max - 1;
	if (n > 0)
		memcpy(out, bytes + 2, n);
	out[n] = '\0';
	usb_text_clean(out);
}

int
device_id_get(const char *device_id, const char *key, char *out, size_t max)
{
	static const char *const alias[][2] = {{"MFG", "MANUFACTURER"}, {"MDL", "MODEL"},
		{"CMD", "COMMAND SET"}, {"CLS", "CLASS"}, {"DES", "DESCRIPTION"}, {"SN", "SERN"}};
	const char *at = device_id, *other = key;

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(alias); i++)
		if (strcasecmp(key, alias[i][0]) == 0)
			other = alias[i][1];
	while (*at) {
		at += strspn(at, " ;");
		size_t field = strcspn(at, ";"), name = strcspn(at, ":;");
		bool ours = (name == strlen(key) && strncasecmp(at, key, name) == 0) ||
			    (name == strlen(other) && strncasecmp(at, other, name) == 0);
		if (ours && name < field) {
			size_t n = field - name - 1;
			if (n > max - 1)
				n = max - 1;
			memcpy(out, at + name + 1, n);
			out[n] = '\0';
			usb_text_clean(out);
			return 0;
		}
		at += field;
	}
	return ERR_MISSING;
}

static bool
printer_meant(const struct usb_printer *p, const struct usb_printer *which)
{
	if (!which)
		return true;
	if (which->serial[0])
		return strcmp(p->serial, which->serial) == 0 &&
		       (!which->vendor || p->vendor == which->vendor);
	if (which->path[0] && strcmp(p->path, which->path) != 0)
		return false;
	return (!which->vendor || p->vendor == which->vendor) &&
	       (!which->product || p->product == which->product);
}

int
usb_choose(const struct usb_printer *list, size_t n, const struct usb_printer *which, size_t *index,
	struct err *e)
{
	size_t hits = 0, used = 0, twins = 0;
	char names[256] = "";

	for (size_t i = 0; i < n; i++)
		twins += printer_meant(&list[i], which);

	for (size_t i = 0; i < n; i++) {
		if (!printer_meant(&list[i], which))
			continue;
		if (twins > 1 && which && which->path[0] && strcmp(list[i].path, which->path) != 0)
			continue;
		if (hits++ == 0)
			*index = i;
		int len = snprintf(names + used, sizeof names - used,
			"%s%s %s (serial %s, plug %s)", used ? ", " : "", list[i].make,
			list[i].model, list[i].serial[0] ? list[i].serial : "-", list[i].path);
		used += len > 0 ? (size_t)len : 0;
		if (used > sizeof names - 1)
			used = sizeof names - 1;
	}
	if (hits == 1)
		return 0;
	if (hits == 0)
		return fault_set(e, FAULT_PRINTER_ABSENT, which ? which->serial : NULL);
	if (which && which->serial[0])
		return err_set(e, ERR_USAGE,
			_("Several printers carry the same serial number: %s. Unplug all but one."),
			names);
	return err_set(e, ERR_USAGE,
		_("Several printers are connected: %s. Name one by its serial number."), names);
}
