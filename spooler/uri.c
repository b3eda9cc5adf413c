/*
 * uri.c - device URIs, percent-encoded as RFC 3986 has it:
 *
 *	cardspool://MAKE/MODEL?serial=SERIAL                      on USB
 *	cardspool://MAKE/MODEL?serial=SERIAL&path=BUS-PORT        the one of twins in that plug
 *	cardspool://MAKE/MODEL?serial=SERIAL&host=HOST&port=9100  on the network
 *
 * Owns the way from a printer to its URI and back. Guarantees that a URI which fits two printers is
 * refused by naming both, never settled by chance.
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
	char make[64], model[64], serial[64], path[32], host[64], port[8];
};

static const struct parameter {
	const char *name;
	size_t at, size;
} parameters[] = {
	{"serial", offsetof(struct device_uri, serial), sizeof(((struct device_uri *)0)->serial)},
	{"path", offsetof(struct device_uri, path), sizeof(((struct device_uri *)0)->path)},
	{"host", offsetof(struct device_uri, host), sizeof(((struct device_uri *)0)->host)},
	{"port", offsetof(struct device_uri, port), sizeof(((struct device_uri *)0)->port)},
};
enum { RAW_PORT = 9100 };

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
	struct device_uri d = {0};
	size_t at = 0;
	const char *mark = "?";

	snprintf(d.serial, sizeof(d.serial), "%s", p->serial);
	snprintf(d.host, sizeof(d.host), "%s", p->host);
	if (p->host[0])
		snprintf(d.port, sizeof(d.port), "%u", p->port);
	else if (strchr(p->name, '@'))
		snprintf(d.path, sizeof(d.path), "%s", p->path);
	if (literal_add(out, max, &at, scheme) != 0 || part_encode(out, max, &at, p->make) != 0 ||
		literal_add(out, max, &at, "/") != 0 || part_encode(out, max, &at, p->model) != 0)
		return ERR_USAGE;
	for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
		const char *value = (const char *)&d + parameters[i].at;

		if (!value[0])
			continue;
		if (literal_add(out, max, &at, mark) != 0 ||
			literal_add(out, max, &at, parameters[i].name) != 0 ||
			literal_add(out, max, &at, "=") != 0 ||
			part_encode(out, max, &at, value) != 0)
			return ERR_USAGE;
		mark = "&";
	}
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

/* "name=value&name=value", each name once. */
static int
query_parse(struct device_uri *d, const char *query)
{
	while (*query) {
		const struct parameter *p = NULL;
		const char *end = query + strcspn(query, "&"),
			   *value = memchr(query, '=', (size_t)(end - query));

		for (size_t i = 0; value && i < ARRAY_LEN(parameters); i++)
			if (strlen(parameters[i].name) == (size_t)(value - query) &&
				!strncmp(parameters[i].name, query, (size_t)(value - query)))
				p = &parameters[i];
		char *out = p ? (char *)d + p->at : NULL;
		if (!out || *out || part_decode(out, p->size, value + 1, end) != 0)
			return ERR_USAGE;
		query = *end ? end + 1 : end;
	}
	if (d->host[0] ? d->path[0] != '\0' : d->port[0] != '\0')
		return ERR_USAGE;
	return d->port[strspn(d->port, "0123456789")] || strlen(d->port) > 5 ? ERR_USAGE : 0;
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
	return query ? query_parse(d, query + 1) : 0;
}

static bool
device_fits(const struct device_uri *d, const struct usb_printer *p)
{
	if (d->path[0] && strcmp(d->path, p->path) != 0)
		return false;
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

static unsigned long
port_number(const struct device_uri *d)
{
	return d->port[0] ? strtoul(d->port, NULL, 10) : RAW_PORT;
}

/* The name stays when a twin comes or goes: the URI decides, not the bus. */
static void
name_build(char *out, size_t max, const struct device_uri *d, const char *serial)
{
	if (d->path[0])
		snprintf(out, max, "%s@%s", serial, d->path);
	else if (d->host[0] && !serial[0])
		snprintf(out, max, "%s:%lu", d->host, port_number(d));
	else
		snprintf(out, max, "%s", serial);
}

static bool
same_printer(const struct usb_printer *a, const struct usb_printer *b)
{
	return strcmp(a->serial, b->serial) == 0 && strcasecmp(a->make, b->make) == 0 &&
	       (a->serial[0] || strcasecmp(a->model, b->model) == 0);
}

int
printers_list(struct usb_printer **list, size_t *n, struct err *e)
{
	int rc = usb_list(list, n, e);

	for (size_t i = 0; rc == 0 && i < *n; i++) {
		struct usb_printer *p = &(*list)[i];
		size_t same = 0;

		for (size_t k = 0; k < *n; k++)
			same += same_printer(p, &(*list)[k]);
		snprintf(p->name, sizeof(p->name), same > 1 ? "%s@%s" : "%s", p->serial, p->path);
	}
	return rc;
}

/* Maker and model choose the family; the printer itself is asked when it is opened. */
static int
host_find(const struct device_uri *u, struct usb_printer *out, struct err *e)
{
	const struct printer_driver *driver = NULL;
	unsigned long port = port_number(u);

	for (size_t i = 0; printer_drivers[i] && !driver; i++) {
		const char *name = printer_drivers[i]->models[0].name;

		if (strlen(u->make) == strcspn(name, " ") &&
			!strncasecmp(u->make, name, strlen(u->make)))
			driver = printer_drivers[i];
	}
	const struct printer_model *m = driver ? printer_model_find(driver, u->model) : NULL;
	if (!m)
		return err_set(e, ERR_USAGE,
			_("There is no driver for the printer %s %s. See: cardspool printer "
			  "models"),
			u->make, u->model);
	if (!m->network)
		return err_set(e, ERR_USAGE,
			_("The %s at %s cannot be driven over the network. Connect it by USB."),
			m->name, u->host);
	if (port == 0 || port > 65535)
		return err_set(e, ERR_USAGE, _("%s is not the number of a port."), u->port);
	*out = (struct usb_printer){.vendor = driver->vendors[0], .port = (uint16_t)port};
	snprintf(out->make, sizeof(out->make), "%s", u->make);
	snprintf(out->model, sizeof(out->model), "%s", u->model);
	snprintf(out->serial, sizeof(out->serial), "%s", u->serial);
	snprintf(out->host, sizeof(out->host), "%s", u->host);
	snprintf(out->device_id, sizeof(out->device_id), "MFG:%s;MDL:%s;", u->make, u->model);
	name_build(out->name, sizeof(out->name), u, u->serial);
	return 0;
}

static int
uri_refused(const char *uri, struct err *e)
{
	return err_set(e, ERR_USAGE,
		_("The device address %s is not of the form cardspool://MAKE/MODEL?serial=NUMBER. "
		  "Choose the printer again from: lpinfo -v"),
		uri);
}

int
uri_match(const char *uri, const struct usb_printer *list, size_t n, const struct usb_printer **out,
	struct err *e)
{
	struct device_uri d;
	char one[256], two[256];

	*out = NULL;
	if (uri_parse(uri, &d) != 0)
		return uri_refused(uri, e);
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
uri_name(const char *uri, char *out, size_t max)
{
	struct device_uri d;

	out[0] = '\0';
	if (uri_parse(uri, &d) != 0)
		return ERR_USAGE;
	name_build(out, max, &d, d.serial);
	return 0;
}

int
uri_find(const char *uri, struct usb_printer *out, struct err *e)
{
	struct usb_printer *list = NULL;
	const struct usb_printer *found = NULL;
	struct device_uri d;
	size_t n = 0;
	int rc;

	if (uri_parse(uri, &d) != 0)
		return uri_refused(uri, e);
	if (d.host[0])
		return host_find(&d, out, e);
	rc = printers_list(&list, &n, e);
	if (rc != 0)
		return rc;
	rc = uri_match(uri, list, n, &found, e);
	if (rc == 0) {
		*out = *found;
		name_build(out->name, sizeof(out->name), &d, found->serial);
	}
	free(list);
	return rc;
}
