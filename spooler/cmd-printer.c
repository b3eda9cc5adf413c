/*
 * cmd-printer.c - `cardspool printer list|probe`, and the table of all its verbs.
 *
 * Owns what a person can ask about printers without a job. Guarantees that nothing moves. `status`
 * and `probe` open the printer and therefore fail while a job holds it; `list` always works.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/cmd-printer.h"

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

int
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

json_t *
printer_json(const struct usb_printer *p)
{
	char uri[512];

	if (uri_build(uri, sizeof(uri), p) != 0)
		uri[0] = '\0';
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "uri", uri, "make", p->make,
		"model", p->model, "serial", p->serial, "usb", p->path, "device_id", p->device_id,
		"twin", strchr(p->name, '@') != NULL);
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
		rc = printers_list(&list, &n, e);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		json_t *one = printer_json(&list[i]);

		if (!a.json)
			printf("%s\t%s %s\t%s\tUSB %s%s\n",
				json_string_value(json_object_get(one, "uri")), list[i].make,
				list[i].model, list[i].serial, list[i].path,
				strchr(list[i].name, '@') ? _("\tanother has the same serial "
							      "number: keep to this plug")
							  : "");
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

static void
note_print(const struct printer_driver *d, struct printer *p, bool json)
{
	const char *note = d->note ? d->note(p) : NULL;

	if (note && !json)
		printf("%s\n", note);
}

/* ---- probe ----------------------------------------------------------------- */

struct probe {
	json_t *answers; /* NULL: to the terminal */
};

static void
probe_tell(void *ctx, const char *what, const char *sent, const char *reply)
{
	struct probe *probe = ctx;

	if (probe->answers)
		json_array_append_new(probe->answers,
			json_pack("{s:s, s:s, s:s?}", "what", what, "sent", sent, "reply", reply));
	else
		printf("  %-16s %-32s %s\n", sent, what, reply ? reply : _("(no reply)"));
}

static int
probe_run(const struct printer_driver *d, struct printer *p, const struct usb_printer *u,
	json_t *all, bool json, struct err *e)
{
	struct probe probe = {.answers = json ? json_array() : NULL};
	json_t *one = printer_json(u);
	int rc;

	if (!json)
		printf("%s %s (%s)\n  %s\n", u->make, u->model, u->serial, u->device_id);
	rc = d->probe ? d->probe(p, probe_tell, &probe, e)
		      : err_set(e, ERR_USAGE, _("Printers of the family %s cannot be probed."),
				d->family);
	json_object_set_new(one, "family", json_string(d->family));
	if (json)
		json_object_set_new(one, "answers", probe.answers);
	json_array_append_new(all, one);
	return rc;
}

/* ---- each printer, or the one that was named -------------------------------- */

typedef int printer_look(const struct printer_driver *d, struct printer *p,
	const struct usb_printer *u, json_t *all, bool json, struct err *e);

static int
printer_look_at(const struct usb_printer *u, const struct config *config, const struct ask *a,
	printer_look *look, json_t *all, struct err *e)
{
	struct printer_setup setup = config_setup(config, u);
	const struct printer_driver *d;
	struct printer *p;
	int rc = printer_connect(&p, &d, u, &setup, e);

	if (rc != 0)
		return rc;
	rc = look(d, p, u, all, a->json, e);
	note_print(d, p, a->json);
	d->close(p);
	return rc;
}

static int
printer_each(const struct ask *a, printer_look *look, json_t *all, struct err *e)
{
	struct usb_printer *list = NULL, one;
	struct config *config = NULL;
	size_t n = 0;
	int rc = config_load(&config, e);

	if (rc == 0 && a->uri)
		rc = uri_find(a->uri, &one, e);
	else if (rc == 0)
		rc = printers_list(&list, &n, e);
	if (rc == 0 && a->uri)
		rc = printer_look_at(&one, config, a, look, all, e);
	else if (rc == 0 && n == 0)
		rc = fault_set(e, FAULT_PRINTER_ABSENT, NULL);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = printer_look_at(&list[i], config, a, look, all, e);
	free(list);
	config_destroy(config);
	return rc;
}

static int
printer_ask(int argc, char **argv, printer_look *look, struct err *e)
{
	json_t *all = json_array();
	struct ask a;
	int rc = ask_parse(&a, argc, argv, e);

	if (rc == 0)
		rc = printer_each(&a, look, all, e);
	if (rc == 0 && a.json)
		rc = json_print(json_incref(all), e);
	json_decref(all);
	return rc;
}

static int
printer_probe(int argc, char **argv, struct err *e)
{
	return printer_ask(argc, argv, probe_run, e);
}

const struct command commands_printer[] = {
	{"printer", "list", "[--json]",
		N_("lists the connected card printers with their device addresses"), printer_list},
	{"printer", "status", "[QUEUE | DEVICE-ADDRESS] [--cards N] [--json]",
		N_("shows state, next step, supplies, jobs and the last fault, and whether a batch "
		   "of N "
		   "cards fits; nothing moves"),
		printer_status},
	{"printer", "probe", "[DEVICE-ADDRESS] [--json]",
		N_("asks a printer all that may be asked and shows the bare answers; nothing "
		   "moves"),
		printer_probe},
	{"printer", "add",
		"QUEUE [--uri DEVICE-ADDRESS | --serial NUMBER] [--station ADDRESS | --no-station] "
		"[--template NAME] [--class CLASS] [--json]",
		N_("makes a queue for a printer and pairs its chip reader; nothing moves"),
		printer_add},
	{"printer", "pair", "QUEUE [--json]",
		N_("moves a blank card through the station and proves that the paired reader is in "
		   "that printer"),
		printer_pair},
	{"printer", "remove", "QUEUE", N_("removes a queue and its pairing"), printer_remove},
	{"printer", "models", "[--json] [--doc]",
		N_("lists the printer models that are supported, and how sure we are"),
		printer_models},
	{0},
};
