/*
 * cmd-printer-pair.c - `cardspool printer pair`: is this reader in this printer?
 *
 * Owns the proof: with nothing inside the reader must see no chip, with a card at the station
 * exactly one, and none again when the card is out. A chip that lies on another reader all the time
 * proves nothing. Moves one blank card, writes nothing on it, and puts it into the reject box. The
 * attempt that failed is a record of the failure log, as far as there is a ledger. On failure the
 * card's place is said.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/cmd-printer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SETTLE_MS = 300 };

struct pair {
	struct config *config;
	struct usb_printer usb;
	const struct printer_driver *driver;
	struct printer *printer;
	struct station *station;
	struct ledger *ledger; /* NULL: there is none yet */
	char address[512];
	struct chip_id chip;
	bool begun, inside, json;
};

static void
uid_text(char *out, const struct chip_id *id)
{
	hex_build(out, id->uid, id->uid_len);
}

/* What the reader sees now, after its field was off. */
static int
look(struct pair *p, struct chip_id *out, struct err *e)
{
	int rc = p->station->driver->field_reset(p->station, e);

	nanosleep(&(struct timespec){.tv_nsec = SETTLE_MS * 1000000L}, NULL);
	return rc ? rc : p->station->driver->select(p->station, NULL, out, e);
}

static int
look_empty(struct pair *p, const char *when, struct err *e)
{
	struct chip_id seen = {0};
	char uid[2 * sizeof(seen.uid) + 1];
	int rc = look(p, &seen, e);

	if (rc != 0 || seen.uid_len == 0)
		return rc;
	uid_text(uid, &seen);
	return err_set(e, ERR_DEVICE,
		_("%s the reader %s sees the chip %s: it is another printer's reader, or a card "
		  "lies "
		  "on it. Take cards away, or pair another reader."),
		when, p->address, uid);
}

static int
pair_begin(struct pair *p, struct err *e)
{
	struct printer_status st = {0};
	struct print_job job = {0};
	int rc = p->driver->status(p->printer, &st, e);

	if (rc == 0 && st.fault != FAULT_NONE)
		rc = fault_set(e, st.fault, st.raw);
	if (rc == 0 && st.place != PLACE_NONE && !st.blind)
		rc = err_set(e, ERR_USAGE, "%s",
			_("A card is inside the printer. Take it out, then pair again."));
	if (rc != 0)
		return rc;
	const char *names = p->driver->model(p->printer)->ribbons;
	char first[16];

	snprintf(first, sizeof(first), "%.*s", (int)strcspn(names, " "), names);
	job.ribbon = ribbon_find(st.ribbon.name);
	if (!job.ribbon)
		job.ribbon = ribbon_find(first);
	if (!job.ribbon)
		return err_set(e, ERR_INTERNAL, _("The ribbon %s is not known."), first);
	rc = p->driver->begin(p->printer, &job, e);
	p->begun = rc == 0;
	return rc;
}

/* One card in and out again. */
static int
pair_move(struct pair *p, struct err *e)
{
	int rc = p->driver->reach ? p->driver->reach(p->printer, PLACE_CONTACTLESS, e) : 0;

	if (rc == 0 && !p->driver->reach && !p->driver->model(p->printer)->contactless)
		rc = err_set(e, ERR_USAGE, _("The %s has no contactless station."),
			p->driver->model(p->printer)->name);
	if (rc == 0)
		rc = look_empty(p, _("With no card inside"), e);
	if (rc != 0)
		return rc;
	rc = pair_feed(p->driver, p->printer, p->ledger, p->usb.name, e);
	p->inside = rc == 0 || rc == ERR_DOUBT;
	if (rc != 0)
		return rc;
	struct err seen = {0}, out = {0};
	rc = chip_find(p->station, config_chip_wait_ms(p->config), &p->chip, &seen);
	int left = pair_reject(p->driver, p->printer, p->ledger, p->usb.name, &out);
	p->inside = left != 0;
	*e = rc ? seen : out;
	if (rc == 0 && left == 0)
		rc = look_empty(p, _("After the card went out"), e);
	return rc ? rc : left;
}

static void
pair_record(struct pair *p, const struct err *why)
{
	struct failure_row f = {0};
	struct err e;

	snprintf(f.machine, sizeof(f.machine), "%s", p->usb.model);
	snprintf(f.serial, sizeof(f.serial), "%.63s", p->usb.name);
	snprintf(f.station, sizeof(f.station), "%.63s", p->address);
	snprintf(f.step, sizeof(f.step), "pair");
	snprintf(f.code, sizeof(f.code), "%s",
		why->fault ? fault_row((int)why->fault)->code : "station-not-paired");
	snprintf(f.cause, sizeof(f.cause), "%.255s", why->text);
	snprintf(f.raw, sizeof(f.raw), "%s", why->raw);
	snprintf(f.done, sizeof(f.done), "%.63s",
		p->inside ? _("card still inside") : _("card rejected"));
	if (failure_record(p->ledger, &f, &e) != 0)
		fprintf(stderr, "%s\n", e.text);
}

static int
pair_prove(struct pair *p, struct err *e)
{
	struct printer_setup setup = config_setup(p->config, &p->usb);
	struct err ignored;
	int rc = station_open(&p->station, p->address, e);

	if (rc == 0)
		rc = printer_connect(&p->printer, &p->driver, &p->usb, &setup, e);
	if (rc == 0 && access(config_ledger(p->config), F_OK) == 0)
		rc = ledger_open(&p->ledger, config_ledger(p->config), LEDGER_WRITE, e);
	if (rc == 0)
		rc = pair_begin(p, e);
	bool moving = rc == 0;
	if (rc == 0)
		rc = pair_move(p, e);
	if (p->begun)
		p->driver->end(p->printer, &ignored);
	if (p->printer)
		p->driver->close(p->printer);
	if (p->station)
		station_close(p->station);
	if (rc != 0 && moving && p->ledger)
		pair_record(p, e);
	if (p->ledger)
		ledger_close(p->ledger);
	if (rc != 0 && p->inside)
		fprintf(stderr, "%s\n",
			_("A card may still be inside; take it out before the next job."));
	return rc;
}

static int
pair_tell(const struct pair *p, struct err *e)
{
	char uid[2 * sizeof(p->chip.uid) + 1];

	uid_text(uid, &p->chip);
	if (p->json)
		return json_print(json_pack("{s:s, s:s, s:s, s:b}", "printer", p->usb.name,
					  "station", p->address, "uid", uid, "proved", true),
			e);
	printf(_("Proved: the reader %s is in the printer %s (%s). It saw the chip %s come and go; "
		 "the "
		 "card lies in the reject box, unchanged.\n"),
		p->address, p->usb.name, p->usb.model, uid);
	return 0;
}

int
printer_pair(int argc, char **argv, struct err *e)
{
	struct pair p = {0};
	const char *queue = NULL;
	char device[512];
	int rc = 0;

	for (int i = 1; i < argc && rc == 0; i++)
		if (strcmp(argv[i], "--json") == 0)
			p.json = true;
		else if (argv[i][0] != '-' && !queue)
			queue = argv[i];
		else
			rc = err_set(e, ERR_USAGE,
				_("printer pair: %s is not understood. See: cardspool help "
				  "printer"),
				argv[i]);
	if (rc == 0 && !queue)
		rc = err_set(e, ERR_USAGE, _("printer %s: give one name of a queue."), argv[0]);
	if (rc == 0)
		rc = config_load(&p.config, e);
	if (rc == 0)
		rc = queue_device(queue, device, sizeof(device), e);
	if (rc == 0)
		rc = uri_find(device, &p.usb, e);
	const char *paired = rc == 0 ? config_station(p.config, p.usb.name) : NULL;
	if (rc == 0 && !paired)
		rc = err_set(e, ERR_MISSING,
			_("No chip reader is paired with this printer: cardspool printer add %s "
			  "--station ADDRESS"),
			queue);
	if (rc == 0)
		rc = station_address_beside(p.address, sizeof(p.address), paired, p.usb.path, e);
	if (rc == 0)
		rc = pair_prove(&p, e);
	if (rc == 0)
		rc = pair_tell(&p, e);
	config_destroy(p.config);
	return rc;
}
