/*
 * cmd-printer-add.c - `cardspool printer add|remove`.
 *
 * Owns the way from a printer to a queue that makes cards: device address, PPD of the model, the
 * settings every card queue needs, chip reader, class. Guarantees: the same call twice changes
 * nothing; a queue of another printer or of another kind is never taken over; nothing moves. On
 * failure it says what was not done; what was done before stays, and the same call goes on from
 * there.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/cmd-printer.h"

#include <cups/cups.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct add {
	const char *queue, *uri, *serial, *station, *template_name, *class_name;
	bool no_station, json;
	struct config *config;
	struct usb_printer printer;
	const struct printer_model *model;
	char device[512], ppd[4096], reader[512];
	bool reader_changed;
};

static const struct option options[] = {
	{"uri", required_argument, NULL, 'u'},
	{"serial", required_argument, NULL, 's'},
	{"station", required_argument, NULL, 'r'},
	{"no-station", no_argument, NULL, 'n'},
	{"template", required_argument, NULL, 't'},
	{"class", required_argument, NULL, 'c'},
	{"json", no_argument, NULL, 'j'},
	{0},
};

/* What cupsd takes as a name, and a shell without quotes. */
static bool
name_good(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < 128 && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       n;
}

static int
add_parse(struct add *a, int argc, char **argv, struct err *e)
{
	int c;

	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1)
		switch (c) {
		case 'u':
			a->uri = optarg;
			break;
		case 's':
			a->serial = optarg;
			break;
		case 'r':
			a->station = optarg;
			break;
		case 'n':
			a->no_station = true;
			break;
		case 't':
			a->template_name = optarg;
			break;
		case 'c':
			a->class_name = optarg;
			break;
		case 'j':
			a->json = true;
			break;
		default:
			return err_set(e, ERR_USAGE,
				_("printer %s: %s is not understood. See: cardspool help printer"),
				argv[0], argv[optind - 1]);
		}
	if (argc - optind != 1)
		return err_set(e, ERR_USAGE, _("printer %s: give one name of a queue."), argv[0]);
	a->queue = argv[optind];
	const char *names[] = {a->queue, a->template_name, a->class_name};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i] && !name_good(names[i]))
			return err_set(e, ERR_USAGE,
				_("\"%s\" is no name for a queue, class or template. Use letters, "
				  "digits, '.', '_' and '-'."),
				names[i]);
	if ((a->uri && a->serial) || (a->station && a->no_station))
		return err_set(e, ERR_USAGE, "%s",
			_("Give --uri or --serial, and --station or --no-station, not both."));
	return 0;
}

/* ---- which printer ------------------------------------------------------------ */

/* By serial number, or the only one; twins are named with their addresses. */
static int
add_choose(struct add *a, struct err *e)
{
	struct usb_printer *list = NULL;
	char names[400] = "", one[512];
	size_t n = 0, hits = 0, used = 0;
	int rc = printers_list(&list, &n, e);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		if ((a->serial && strcmp(a->serial, list[i].serial) != 0) ||
			uri_build(one, sizeof(one), &list[i]) != 0)
			continue;
		if (hits++ == 0)
			a->printer = list[i];
		int len = snprintf(names + used, sizeof(names) - used, " %s", one);
		used += len > 0 && (size_t)len < sizeof(names) - used ? (size_t)len : 0;
	}
	free(list);
	if (rc == 0 && hits == 0)
		rc = fault_set(e, FAULT_PRINTER_ABSENT, a->serial);
	else if (rc == 0 && hits > 1)
		rc = err_set(e, ERR_USAGE, _("%s Name one with --uri:%s"),
			a->serial ? _("Several printers have this serial number.")
				  : _("Several printers are connected."),
			names);
	return rc;
}

/* One on the network, or of an unknown model, is asked; what else is on USB may be busy. */
static int
add_ask(struct add *a, struct err *e)
{
	struct printer_setup setup = config_setup(a->config, &a->printer);
	struct printer_status st = {0};
	const struct printer_driver *d;
	struct printer *p;
	int rc = printer_connect(&p, &d, &a->printer, &setup, e);

	if (rc != 0)
		return rc;
	a->model = d->model(p);
	rc = a->printer.host[0] ? d->status(p, &st, e) : 0;
	if (rc == 0 && a->printer.host[0] && st.serial[0]) {
		snprintf(a->printer.serial, sizeof(a->printer.serial), "%s", st.serial);
		snprintf(a->printer.name, sizeof(a->printer.name), "%s", st.serial);
	}
	d->close(p);
	return rc;
}

static int
add_printer(struct add *a, struct err *e)
{
	int rc = a->uri ? uri_find(a->uri, &a->printer, e) : add_choose(a, e);
	const struct printer_driver *d;

	if (rc != 0)
		return rc;
	d = printer_driver_by_vendor(a->printer.vendor);
	if (d && !a->printer.host[0])
		a->model = printer_model_find(d, a->printer.model);
	if (!a->model)
		rc = add_ask(a, e);
	if (rc == 0 && uri_build(a->device, sizeof(a->device), &a->printer) != 0)
		rc = err_set(e, ERR_USAGE, _("The printer's name or serial number is too long."));
	return rc;
}

static int
add_ppd(struct add *a, struct err *e)
{
	char file[64];

	printer_model_file(file, sizeof(file), a->model);
	int n = snprintf(a->ppd, sizeof(a->ppd), "%s/%s.ppd", config_ppds(a->config), file);
	if (n > 0 && (size_t)n < sizeof(a->ppd) && access(a->ppd, R_OK) == 0)
		return 0;
	return err_set(e, ERR_MISSING,
		_("The PPD %s is not there. Install Cardspool again, or set ppds in "
		  "cardspool.conf, "
		  "[paths]."),
		a->ppd);
}

/* ---- the reader ----------------------------------------------------------------- */

static int
station_answers(const struct add *a, const char *address, struct err *e)
{
	char whole[sizeof a->reader];
	struct station *s;
	int rc = station_address_beside(whole, sizeof whole, address, a->printer.path, e);

	if (rc == 0)
		rc = station_open(&s, whole, e);
	if (rc == 0)
		station_close(s);
	return rc;
}

/* The one reader on the printer's hub, libnfc's or pcscd's; two of them are none. */
static bool
station_guess(struct add *a)
{
	struct err ignored;
	int rc = station_usb_beside(a->reader, sizeof(a->reader), a->printer.path, "/sys", "/dev");

	if (rc != ERR_MISSING || !strchr(a->printer.path, '.'))
		return rc == 0;
	snprintf(a->reader, sizeof(a->reader), "%s", "pcsc:usb=");
	return station_answers(a, a->reader, &ignored) == 0;
}

/* Named, already paired, or the one behind the printer's own hub. A named one must answer. */
static int
add_station(struct add *a, struct err *e)
{
	const char *paired = config_station(a->config, a->printer.name);
	int rc = 0;

	if (a->no_station)
		return config_station_set(a->printer.name, NULL, &a->reader_changed, e);
	if (a->station) {
		snprintf(a->reader, sizeof(a->reader), "%s", a->station);
		rc = station_answers(a, a->station, e);
		if (rc == ERR_BUSY)
			rc = 0; /* a job works with it */
	} else if (paired) {
		snprintf(a->reader, sizeof(a->reader), "%s", paired);
		return 0;
	} else if (!station_guess(a)) {
		a->reader[0] = '\0';
		return 0;
	}
	if (rc == 0)
		rc = config_station_set(a->printer.name, a->reader, &a->reader_changed, e);
	return rc;
}

/* ---- what is said ---------------------------------------------------------------- */

static int
add_tell(const struct add *a, enum queue_change change, struct err *e)
{
	static const char *const changes[] = {
		[QUEUE_MADE] = "made", [QUEUE_CHANGED] = "changed", [QUEUE_SAME] = "unchanged"};

	if (a->json)
		return json_print(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "queue", a->queue,
					  "result", changes[change], "uri", a->device, "model",
					  a->model->name, "ppd", a->ppd, "station", a->reader),
			e);
	printf(change == QUEUE_MADE ? _("Queue %s prints on the %s, serial number %s.\n")
		: change == QUEUE_SAME
			? _("Queue %s already prints on the %s, serial number %s.\n")
			: _("Queue %s was set up again for the %s, serial number %s.\n"),
		a->queue, a->model->name, a->printer.serial[0] ? a->printer.serial : "-");
	printf("  %s\n", a->device);
	if (a->reader[0])
		printf(_("  Chip reader: %s. Next: cardspool printer pair %s\n"), a->reader,
			a->queue);
	else if (a->model->contactless && !a->no_station)
		printf(_("  No chip reader is paired; chip cards need one: cardspool printer add "
			 "%s "
			 "--station ADDRESS\n"),
			a->queue);
	if (a->class_name)
		printf(_("  In class %s.\n"), a->class_name);
	return 0;
}

int
printer_add(int argc, char **argv, struct err *e)
{
	struct add a = {0};
	enum queue_change change = QUEUE_SAME;
	int rc = add_parse(&a, argc, argv, e);

	if (rc == 0)
		rc = config_load(&a.config, e);
	if (rc == 0)
		rc = add_printer(&a, e);
	if (rc == 0)
		rc = add_ppd(&a, e);
	if (rc == 0)
		rc = queue_check(a.queue, a.device, e);
	if (rc == 0 && a.class_name)
		rc = queue_class_check(a.class_name, a.queue, e);
	if (rc == 0)
		rc = add_station(&a, e);
	if (rc == 0)
		rc = queue_put(
			a.queue, a.device, a.ppd, a.model->name, a.template_name, &change, e);
	if (rc == 0 && a.class_name)
		rc = queue_class_put(a.class_name, a.queue, e);
	if (rc == 0)
		rc = add_tell(
			&a, change == QUEUE_SAME && a.reader_changed ? QUEUE_CHANGED : change, e);
	config_destroy(a.config);
	return rc;
}

int
printer_remove(int argc, char **argv, struct err *e)
{
	char device[512];
	struct usb_printer printer;
	bool changed;

	if (argc != 2 || !name_good(argv[1]))
		return err_set(e, ERR_USAGE, _("printer %s: give one name of a queue."), argv[0]);
	int rc = queue_device(argv[1], device, sizeof(device), e);
	if (rc == 0)
		rc = queue_delete(argv[1], e);
	if (rc != 0)
		return rc;
	printf(_("Queue %s is removed; the ledger keeps its cards.\n"), argv[1]);
	if (uri_name(device, printer.name, sizeof(printer.name)) == 0 && printer.name[0])
		rc = config_station_set(printer.name, NULL, &changed, e);
	return rc;
}
