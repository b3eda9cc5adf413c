/*
 * cmd-printer.c - `cardspool printer list|status|models`.
 *
 * Owns what a person can ask about printers without a job. Guarantees that nothing moves. `status`
 * opens the printer and therefore fails while a job holds it; `list` and `models` always work.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct ask {
	bool json;
	const char *uri; /* NULL: every printer */
};

static int
ask_parse(struct ask *a, int argc, char **argv, struct err *e)
{
	*a = (struct ask){0};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			a->json = true;
		else if (argv[i][0] != '-' && !a->uri)
			a->uri = argv[i];
		else
			return err_set(e, ERR_USAGE,
				_("printer %s: %s is not understood. See: cardspool help printer"),
				argv[0], argv[i]);
	}
	return 0;
}

static int
json_print(json_t *j, struct err *e)
{
	int rc = j && json_dumpf(j, stdout, JSON_INDENT(2)) == 0
			 ? 0
			 : err_set(e, ERR_SYSTEM, "%s", _("The answer could not be written."));

	if (rc == 0)
		putchar('\n');
	json_decref(j);
	return rc;
}

static json_t *
printer_json(const struct usb_printer *p)
{
	char uri[512];

	if (uri_build(uri, sizeof(uri), p) != 0)
		uri[0] = '\0';
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "uri", uri, "make", p->make, "model",
		p->model, "serial", p->serial, "usb", p->path);
}

static int
printer_list(int argc, char **argv, struct err *e)
{
	struct usb_printer *list = NULL;
	json_t *all = json_array();
	struct ask a;
	size_t n = 0;
	int rc = ask_parse(&a, argc, argv, e);

	if (rc == 0)
		rc = usb_list(&list, &n, e);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		json_t *one = printer_json(&list[i]);

		if (!a.json)
			printf("%s\t%s %s\t%s\tUSB %s\n",
				json_string_value(json_object_get(one, "uri")), list[i].make,
				list[i].model, list[i].serial, list[i].path);
		json_array_append_new(all, one);
	}
	if (rc == 0 && a.json)
		rc = json_print(json_incref(all), e);
	else if (rc == 0 && n == 0)
		puts(_("No card printer is connected."));
	json_decref(all);
	free(list);
	return rc;
}

static int
status_ask(const struct usb_printer *which, struct printer_status *st, struct err *e)
{
	const struct printer_driver *d = printer_driver_by_vendor(which->vendor);
	struct transport *t;
	struct printer *p;
	int rc;

	if (!d)
		return err_set(e, ERR_DEVICE, _("There is no driver for the printer %s %s."),
			which->make, which->model);
	rc = usb_open(&t, which, e);
	if (rc == 0)
		rc = d->open(&p, t, which, e);
	if (rc != 0)
		return rc;
	memset(st, 0, sizeof(*st));
	rc = d->status(p, st, e);
	d->close(p);
	return rc;
}

static json_t *
status_json(const struct usb_printer *u, const struct printer_status *st)
{
	json_t *j = printer_json(u);

	json_object_set_new(j, "firmware", json_string(st->firmware));
	json_object_set_new(j, "card", json_string(card_place_name(st->place)));
	json_object_set_new(j, "fault", json_string(fault_row((int)st->fault)->code));
	json_object_set_new(j, "cards", json_integer(st->cards));
	json_object_set_new(j, "cleaning_left", json_integer(st->cleaning_left));
	json_object_set_new(j, "ribbon", json_string(st->ribbon.name));
	json_object_set_new(j, "ribbon_left", json_integer(st->ribbon.level));
	json_object_set_new(j, "ribbon_capacity", json_integer(st->ribbon.capacity));
	return j;
}

static void
number_print(const char *label, int64_t value)
{
	if (value < 0)
		printf("  %s: %s\n", label, _("not reported"));
	else
		printf("  %s: %" PRId64 "\n", label, value);
}

static void
status_print(const struct usb_printer *u, const struct printer_status *st)
{
	const struct fault_row *f = fault_row((int)st->fault);

	printf("%s %s (%s)\n", u->make, u->model, u->serial);
	if (st->fault == FAULT_NONE)
		printf("  %s\n", _("ready"));
	else
		printf("  %s. %s.\n", _(f->cause), _(f->remedy));
	printf("  %s: %s\n", _("card inside"), card_place_name(st->place));
	printf("  %s: %s\n", _("firmware"), st->firmware);
	printf("  %s: %s\n", _("ribbon"), st->ribbon.name[0] ? st->ribbon.name : _("not reported"));
	number_print(_("prints left on the ribbon"), st->ribbon.level);
	number_print(_("cards until cleaning"), st->cleaning_left);
	number_print(_("cards printed"), st->cards);
}

static int
printer_status(int argc, char **argv, struct err *e)
{
	struct usb_printer *list = NULL;
	const struct usb_printer *one = NULL;
	json_t *all = json_array();
	struct ask a;
	size_t n = 0;
	int rc = ask_parse(&a, argc, argv, e);

	if (rc == 0)
		rc = usb_list(&list, &n, e);
	if (rc == 0 && a.uri)
		rc = uri_match(a.uri, list, n, &one, e);
	if (rc == 0 && n == 0)
		rc = fault_set(e, FAULT_PRINTER_ABSENT, NULL);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct printer_status st;

		if (one && one != &list[i])
			continue;
		rc = status_ask(&list[i], &st, e);
		if (rc == 0 && a.json)
			json_array_append_new(all, status_json(&list[i], &st));
		else if (rc == 0)
			status_print(&list[i], &st);
	}
	if (rc == 0 && a.json)
		rc = json_print(json_incref(all), e);
	json_decref(all);
	free(list);
	return rc;
}

static int
printer_models(int argc, char **argv, struct err *e)
{
	static const char *const words[] = {"proven", "sourced", "inferred"};
	json_t *all = json_array();
	struct ask a;
	int rc = ask_parse(&a, argc, argv, e);

	for (size_t d = 0; rc == 0 && printer_drivers[d]; d++)
		for (size_t i = 0; i < printer_drivers[d]->n_models; i++) {
			const struct printer_model *m = &printer_drivers[d]->models[i];

			json_array_append_new(all,
				json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:b, s:b, s:b, s:s, s:s}",
					"model", m->name, "family", printer_drivers[d]->family,
					"mdl", m->mdl, "dots", (int)m->head_dots, "lines",
					(int)m->head_lines, "dpi", (int)m->dpi, "duplex", m->duplex,
					"contact", m->contact, "contactless", m->contactless,
					"ribbons", m->ribbons, "confidence", words[m->confidence]));
			if (!a.json)
				printf("%-28s %s, %u x %u dots, %u dpi%s%s%s, %s\n", m->name,
					printer_drivers[d]->family, m->head_dots, m->head_lines,
					m->dpi, m->duplex ? _(", both sides") : "",
					m->contact ? _(", contact chip") : "",
					m->contactless ? _(", contactless chip") : "",
					words[m->confidence]);
		}
	if (rc == 0 && a.json)
		rc = json_print(json_incref(all), e);
	json_decref(all);
	return rc;
}

const struct command commands_printer[] = {
	{"printer", "list", "[--json]",
		N_("lists the connected card printers with their device addresses"), printer_list},
	{"printer", "status", "[DEVICE-ADDRESS] [--json]",
		N_("shows what a printer reports; nothing moves"), printer_status},
	{"printer", "models", "[--json]", N_("lists the printer models that are supported"),
		printer_models},
	{0},
};
