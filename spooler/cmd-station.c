/*
 * cmd-station.c - `cardspool station list` and `cardspool station check`.
 *
 * Owns what an administrator sees of chip readers: which there are, under which address each is
 * used, who holds one that cannot be used. Changes nothing; check opens the station as a job would
 * and looks for a chip, without a key. Numbers of chips are not shown.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/chip-desk.h"

#include "drivers/pcsc.h"

#include <stdio.h>
#include <string.h>

static void
nfc_list(void)
{
	struct station_claim list[STATION_CLAIMS_MAX];
	size_t n = station_claims(list, ARRAY_LEN(list), &station_roots);

	for (size_t i = 0; i < n; i++) {
		struct err why = {0};

		printf("nfc:%s\t%s, USB %s", list[i].usb->driver, list[i].usb->name, list[i].plug);
		if (station_claim_tell(&list[i], &why) != 0)
			printf("\t%s", why.text);
		printf("\n");
	}
}

static int
station_list_run(int argc, char **argv, struct err *e)
{
	struct pcsc_list readers;
	struct err why = {0};

	if (argc > 1)
		return err_set(e, ERR_USAGE,
			_("station list: %s is not understood. See: cardspool help station"),
			argv[1]);
	nfc_list();
	if (pcsc_list(&readers, &why) != 0) {
		printf("pcsc:\t%s\n", why.text);
		return 0;
	}
	for (size_t i = 0; i < readers.n; i++) {
		const char *dialect = station_pcsc_dialect(readers.name[i]);

		char plug[PCSC_PLUG_MAX];

		printf("pcsc:%s\t%s", readers.name[i],
			dialect ? dialect : _("not known; see the page STATIONS"));
		if (pcsc_plug(readers.name[i], plug, sizeof plug, &why) == 0)
			printf(", USB %s", plug);
		printf("\n");
	}
	return 0;
}

static int
station_look(const char *address, unsigned wait_ms, struct err *e)
{
	struct station *s = NULL;
	struct chip_id id;
	int rc = desk_station(&s, address, e);

	if (rc != 0)
		return rc;
	rc = chip_find(s, wait_ms, &id, e);
	station_close(s);
	if (rc != 0 && e->fault == FAULT_NO_CHIP) {
		printf(_("The chip reader answers; no chip lies there.\n"));
		return 0;
	}
	if (rc == 0)
		printf(_("The chip reader answers; a chip with a number of %zu bytes lies "
			 "there.\n"),
			id.uid_len);
	return desk_words(rc, e);
}

static int
station_check_run(int argc, char **argv, struct err *e)
{
	struct config *config = NULL;

	if (argc > 2)
		return err_set(e, ERR_USAGE,
			_("station check: %s is not understood. See: cardspool help station"),
			argv[2]);
	int rc = config_load(&config, e);
	if (rc != 0)
		return rc;
	const char *address = argc > 1 ? argv[1] : config_station(config, NULL);
	rc = address ? station_look(address, config_chip_wait_ms(config), e)
		     : err_set(e, ERR_USAGE, "%s",
			       _("No chip reader is set; name one here or in cardspool.conf, as "
				 "cardspool station list shows it."));
	config_destroy(config);
	return rc;
}

const struct command commands_station[] = {
	{"station", "list", "", N_("Chip readers, the address of each, and who holds it"),
		station_list_run},
	{"station", "check", "[ADDRESS]",
		N_("Open a chip reader as a job would and look for a chip"), station_check_run},
	{NULL, NULL, NULL, NULL, NULL},
};
