/*
 * station-usb.c - the chip readers on USB that stations are built with, by their ids.
 *
 * Owns the table and the choice of the reader that belongs to a printer: the one behind the same
 * hub, as inside a printer's case. Data and look-up only. Sources: libnfc's own table of devices
 * for the readers, the USB id list for the bridges.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/driver.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct station_usb station_usb[] = {
	{0x04cc, 0x0531, STATION_USB_NFC, "pn53x_usb", "NXP PN531"},
	{0x04cc, 0x2533, STATION_USB_NFC, "pn53x_usb", "NXP PN533"},
	{0x04e6, 0x5591, STATION_USB_NFC, "pn53x_usb", "SCM SCL3711"},
	{0x04e6, 0x5594, STATION_USB_NFC, "pn53x_usb", "SCM SCL3712"},
	{0x054c, 0x0193, STATION_USB_NFC, "pn53x_usb", "Sony PN531"},
	{0x054c, 0x02e1, STATION_USB_NFC, "pn53x_usb", "Sony RC-S360"},
	{0x1fd3, 0x0608, STATION_USB_NFC, "pn53x_usb", "ASK LoGO"},
	{0x072f, 0x2200, STATION_USB_NFC, "acr122_usb", "ACS ACR122"},
	{0x072f, 0x90cc, STATION_USB_NFC, "acr122_usb", "ACS Touchatag"},
	/* What stands behind one of these cannot be told from its ids. */
	{0x0403, 0x6001, STATION_USB_SERIAL, "pn532_uart", "FTDI serial bridge"},
	{0x067b, 0x2303, STATION_USB_SERIAL, "pn532_uart", "PL2303 serial bridge"},
	{0x10c4, 0xea60, STATION_USB_SERIAL, "pn532_uart", "CP210x serial bridge"},
	{0x1a86, 0x7523, STATION_USB_SERIAL, "pn532_uart", "CH340 serial bridge"},
	{0, 0, STATION_USB_NFC, NULL, NULL},
};

const struct station_usb *
station_usb_find(uint16_t vendor, uint16_t product)
{
	for (const struct station_usb *s = station_usb; s->vendor; s++)
		if (s->vendor == vendor && s->product == product)
			return s;
	return NULL;
}

/* "1-2.3" and "1-2.4" hang on hub "1-2"; what hangs on a root port shares the computer only. */
bool
usb_same_hub(const char *one, const char *two)
{
	const char *dot = strrchr(one, '.');
	size_t n = dot ? (size_t)(dot - one) : 0;

	return n > 0 && strncmp(one, two, n) == 0 && two[n] == '.' && !strchr(two + n + 1, '.');
}

/* ---- in sysfs ------------------------------------------------------------------ */

static uint16_t
id_read(const char *sys, const char *plug, const char *name)
{
	char path[512], text[16] = "";

	snprintf(path, sizeof path, "%s/bus/usb/devices/%s/%s", sys, plug, name);
	FILE *f = fopen(path, "re");
	if (!f)
		return 0;
	if (!fgets(text, sizeof text, f))
		text[0] = '\0';
	fclose(f);
	return (uint16_t)strtoul(text, NULL, 16);
}

/* A bridge's terminal, ttyUSB0 or ttyACM0, in its first interface. */
static int
tty_find(char *out, size_t max, const char *sys, const char *dev, const char *plug)
{
	char path[512];
	int rc = ERR_MISSING;
	struct dirent *d;

	snprintf(path, sizeof path, "%s/bus/usb/devices/%s:1.0", sys, plug);
	DIR *folder = opendir(path);
	while (folder && rc && (d = readdir(folder)))
		if (!strncmp(d->d_name, "ttyUSB", 6)) {
			snprintf(out, max, "%s/%s", dev, d->d_name);
			rc = 0;
		}
	if (folder)
		closedir(folder);
	return rc;
}

int
station_usb_beside(char *out, size_t max, const char *plug, const char *sys, const char *dev)
{
	char path[512], tty[300];
	unsigned n = 0;
	struct dirent *d;

	snprintf(path, sizeof path, "%s/bus/usb/devices", sys);
	DIR *folder = opendir(path);
	while (folder && (d = readdir(folder))) {
		const struct station_usb *s;

		if (strchr(d->d_name, ':') || !usb_same_hub(plug, d->d_name))
			continue;
		s = station_usb_find(
			id_read(sys, d->d_name, "idVendor"), id_read(sys, d->d_name, "idProduct"));
		if (!s)
			continue;
		if (s->kind == STATION_USB_NFC)
			snprintf(out, max, "nfc:%s", s->driver);
		else if (tty_find(tty, sizeof tty, sys, dev, d->d_name) == 0)
			snprintf(out, max, "nfc:%s:%s:115200", s->driver, tty);
		else
			continue;
		n++;
	}
	if (folder)
		closedir(folder);
	return n == 1 ? 0 : n == 0 ? ERR_MISSING : ERR_USAGE;
}

/* ---- in an address --------------------------------------------------------------- */

bool
usb_plug_fits(const char *plug, const char *wanted)
{
	const size_t n = strlen(wanted);

	if (n < 2 || strcmp(wanted + n - 2, ".*") != 0)
		return plug[0] && strcmp(plug, wanted) == 0;
	return strncmp(plug, wanted, n - 1) == 0 && plug[n - 1] && !strchr(plug + n - 1, '.');
}

int
station_address_beside(char *out, size_t max, const char *address, const char *plug, struct err *e)
{
	static const char pcsc[] = "pcsc:", word[] = "usb=";
	const char *at = strstr(address, word), *dot = strrchr(plug, '.');
	const char *rest = at ? at + sizeof word - 1 : "";
	const bool beside = at && strncmp(address, pcsc, sizeof pcsc - 1) == 0 &&
			    (at[-1] == ':' || at[-1] == ';') && (!*rest || *rest == ';');

	if (beside && !dot)
		return err_set(e, ERR_USAGE,
			_("%s: the printer (USB %s) is on no hub that it shares with a reader; "
			  "name "
			  "the reader itself, as cardspool station list shows it."),
			address, plug[0] ? plug : "-");
	int n = beside ? snprintf(out, max, "%.*s%.*s.*%s", (int)(rest - address), address,
				 (int)(dot - plug), plug, rest)
		       : snprintf(out, max, "%s", address);
	return n >= 0 && (size_t)n < max
		       ? 0
		       : err_set(e, ERR_USAGE, _("%s: the name of a chip reader is too long."),
				 address);
}
