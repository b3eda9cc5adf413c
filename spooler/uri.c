/*
 * uri.c - device URIs: cardspool://MAKE/MODEL?serial=SERIAL, percent-encoded as RFC 3986 has it.
 *
 * Owns the way from a printer on the bus to its URI and back. Guarantees that a URI which fits two
 * printers is refused by naming both, never settled by chance.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char scheme[] = "cardspool://";

struct device_uri {
	char make[64], model[64], serial[64];
};

static int
part_encode(char *out, size_t max, size_t *at, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";

	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		bool plain = isalnum(*c) || strchr("-._~", *c);

		if (*at + (plain ? 1 : 3) >= max)
			return ERR_USAGE;
		if (plain) {
			out[(*at)++] = (char)*c;
			continue;
		}
		out[(*at)++] = '%';
		out[(*at)++] = hex[*c >> 4];
		out[(*at)++] = hex[*c & 15];
	}
	out[*at] = '\0';
	return 0;
}

static int
literal_add(char *out, size_t max, size_t *at, const char *text)
{
	size_t len = strlen(text);

	if (*at + len >= max)
		return ERR_USAGE;
	memcpy(out + *at, text, len + 1);
	*at += len;
	return 0;
}

int
uri_build(char *out, size_t max, const struct usb_printer *p)
{
	size_t at = 0;

	if (literal_add(out, max, &at, scheme) != 0 || part_encode(out, max, &at, p->make) != 0 ||
		literal_add(out, max, &at, "/") != 0 || part_encode(out, max, &at, p->model) != 0)
		return ERR_USAGE;
	if (p->serial[0] == '\0')
		return 0;
	if (literal_add(out, max, &at, "?serial=") != 0 ||
		part_encode(out, max, &at, p->serial) != 0)
		return ERR_USAGE;
	return 0;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes [from, end) into out. A NUL or a broken escape is refused. */
static int
part_decode(char *out, size_t max, const char *from, const char *end)
{
	size_t n = 0;

	while (from < end) {
		int c = (unsigned char)*from++;

		if (c == '%') {
			int hi = from < end ? hex_value(*from++) : -1;
			int lo = from < end ? hex_value(*from++) : -1;

			if (hi < 0 || lo < 0)
				return ERR_USAGE;
			c = hi << 4 | lo;
		}
		if (c < ' ' || n + 1 >= max)
			return ERR_USAGE;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return 0;
}

static int
uri_parse(const char *uri, struct device_uri *d)
{
	const char *make, *slash, *query, *end;

	memset(d, 0, sizeof(*d));
	if (strncmp(uri, scheme, sizeof(scheme) - 1) != 0)
		return ERR_USAGE;
	make = uri + sizeof(scheme) - 1;
	end = make + strlen(make);
	query = strchr(make, '?');
	slash = memchr(make, '/', (size_t)((query ? query : end) - make));
	if (!slash || part_decode(d->make, sizeof(d->make), make, slash) != 0 ||
		part_decode(d->model, sizeof(d->model), slash + 1, query ? query : end) != 0)
		return ERR_USAGE;
	if (!query)
		return 0;
	if (strncmp(query, "?serial=", 8) != 0)
		return ERR_USAGE;
	return part_decode(d->serial, sizeof(d->serial), query + 8, end);
}

static bool
device_fits(const struct device_uri *d, const struct usb_printer *p)
{
	if (d->serial[0])
		return strcmp(d->serial, p->serial) == 0 && strcasecmp(d->make, p->make) == 0;
	return (d->make[0] == '\0' || strcasecmp(d->make, p->make) == 0) &&
	       (d->model[0] == '\0' || strcasecmp(d->model, p->model) == 0);
}

static void
printer_label(const struct usb_printer *p, char *out, size_t max)
{
	snprintf(out, max, "%s %s (%s, USB %s)", p->make, p->model,
		p->serial[0] ? p->serial : _("no serial number"), p->path);
}

int
uri_match(const char *uri, const struct usb_printer *list, size_t n, const struct usb_printer **out,
	struct err *e)
{
	struct device_uri d;
	char one[256], two[256];

	*out = NULL;
	if (uri_parse(uri, &d) != 0)
		return err_set(e, ERR_USAGE,
			_("The device address %s is not of the form "
			  "cardspool://MAKE/MODEL?serial=NUMBER. Choose the "
			  "printer again from: lpinfo -v"),
			uri);
	for (size_t i = 0; i < n; i++) {
		if (!device_fits(&d, &list[i]))
			continue;
		if (*out) {
			printer_label(*out, one, sizeof(one));
			printer_label(&list[i], two, sizeof(two));
			*out = NULL;
			return err_set(e, ERR_USAGE,
				_("Two printers fit this queue: %s and %s. Give the queue the "
				  "address of one: lpinfo -v"),
				one, two);
		}
		*out = &list[i];
	}
	if (*out)
		return 0;
	return fault_set(e, FAULT_PRINTER_ABSENT, NULL);
}

int
uri_find(const char *uri, struct usb_printer *out, struct err *e)
{
	struct usb_printer *list = NULL;
	const struct usb_printer *found = NULL;
	size_t n = 0;
	int rc = usb_list(&list, &n, e);

	if (rc != 0)
		return rc;
	rc = uri_match(uri, list, n, &found, e);
	if (rc == 0)
		*out = *found;
	free(list);
	return rc;
}
