/*
 * pcsc-want.c - which PC/SC reader an address means.
 *
 * Owns the words of an address and the names pcscd gives to readers. Pure: no reader is asked. On
 * failure the error says what the address lacks.
 *
 *   NAME   serial=TEXT   NAME;usb=PLUG   usb=PLUG      PLUG: 1-2.4, or 1-2.* for what hangs on hub
 * 1-2
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/pcsc.h"

#include <stdio.h>
#include <string.h>

/* Where "usb=" begins in an address, at its beginning or behind a semicolon; NULL: nowhere. */
static const char *
plug_word(const char *address)
{
	static const char word[] = "usb=";
	const char *at = strncmp(address, word, sizeof word - 1) == 0 ? address : NULL;

	for (const char *next = address; !at && (next = strchr(next, ';')); next++)
		if (strncmp(next + 1, word, sizeof word - 1) == 0)
			at = next + 1;
	return at;
}

int
pcsc_want_parse(struct pcsc_want *out, const char *address, struct err *e)
{
	const char *word = plug_word(address);
	const char *plug = word ? strchr(word, '=') + 1 : "";
	const size_t n_plug = strcspn(plug, ";");
	size_t n_name = word ? (size_t)(word - address) : strlen(address);

	n_name -= n_name > 0 && word; /* its semicolon */
	*out = (struct pcsc_want){.by_plug = word};
	if (n_name >= sizeof out->name || n_plug >= sizeof out->plug)
		return err_set(
			e, ERR_USAGE, _("%s: the name of a chip reader is too long."), address);
	if (word && n_plug == 0)
		return err_set(e, ERR_USAGE, "%s",
			_("\"usb=\" without a place means the reader beside a printer; here name "
			  "the "
			  "place, as cardspool station list shows it: usb=1-2.4"));
	memcpy(out->name, address, n_name);
	memcpy(out->plug, plug, n_plug);
	return 0;
}

/* "OMNIKEY 5022 (AB12) 00 00" carries the serial number AB12. */
static bool
serial_matches(const char *full, const char *serial)
{
	const size_t n = strlen(serial);

	for (const char *at = full; (at = strchr(at, '(')) != NULL; at++)
		if (n > 0 && strncmp(at + 1, serial, n) == 0 && at[1 + n] == ')')
			return true;
	return false;
}

/* "ACS ACR122U 00 00" is called "ACS ACR122U" too, and by its serial number. */
bool
pcsc_want_names(const struct pcsc_want *w, const char *full)
{
	static const char by_serial[] = "serial=";
	size_t n = strlen(w->name);

	if (w->by_plug && n == 0)
		return true;
	if (strncmp(w->name, by_serial, sizeof by_serial - 1) == 0)
		return serial_matches(full, w->name + sizeof by_serial - 1);
	if (strncmp(full, w->name, n) != 0)
		return false;
	full += n;
	return !*full || (strlen(full) == 6 && full[0] == ' ' && full[3] == ' ');
}
