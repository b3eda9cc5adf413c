/*
 * test-config.c - cardspool.conf: defaults, values, and mistakes that are named with their line.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char conf_path[] = "/tmp/cardspool-conf-XXXXXX";

static int
conf_load(struct config **c, const char *text, struct err *e)
{
	FILE *f = fopen(conf_path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	setenv("CARDSPOOL_CONF", conf_path, 1);
	return config_load(c, e);
}

static void
an_empty_file_gives_defaults(void **state)
{
	struct config *c;
	struct err e = {0};

	(void)state;
	assert_int_equal(conf_load(&c, "", &e), 0);
	assert_string_equal(config_ledger(c), LOCALSTATEDIR "/lib/cardspool/ledger.db");
	assert_string_equal(config_templates(c), PKGDATADIR "/templates");
	assert_string_equal(config_keys(c), SYSCONFDIR "/cardspool/master.keys");
	assert_string_equal(config_run(c), RUNDIR "/cardspool");
	assert_string_equal(config_worker_user(c), "cardspool");
	assert_int_equal(config_attempts_max(c), 3);
	assert_int_equal(config_wait_poll_ms(c), 1000);
	assert_int_equal(config_chip_wait_ms(c), 2000);
	assert_int_equal(config_limits(c)->reply_ms, 0);
	assert_int_equal(config_limits(c)->print_ms, 0);
	assert_null(config_station(c, "S1"));
	assert_null(config_station(c, NULL));
	config_destroy(c);
}

static void
values_are_taken(void **state)
{
	struct config *c;
	struct err e = {0};

	(void)state;
	assert_int_equal(
		conf_load(&c,
			"# a comment\n[paths]\nledger = /var/l.db \nrun=/run/x\n\n[cards]\n"
			"attempts-max=1\nwait-poll-ms=50\n[process]\nworker-user=lp\n"
			"[printer]\nreply-timeout-ms=1\nmove-timeout-ms=2\nplane-timeout-ms=3\n"
			"print-timeout-ms=4\n"
			"[station]\ndefault=nfc:pn532_uart:/dev/ttyUSB0:115200\nS0001 = "
			"nfc:other\n[printer Primacy 2]\nturn-front = yes\n[printer S0007]\n"
			"colour-levels=64\npad=0\n",
			&e),
		0);
	struct usb_printer usb = {.serial = "S0007", .model = "Primacy 2"};
	const struct printer_override *o;
	size_t n;
	o = config_overrides(c, &usb, &n);
	assert_int_equal(n, 2);
	assert_string_equal(o[0].name, "colour-levels");
	assert_string_equal(o[0].value, "64");
	usb.serial[0] = 'T';
	o = config_overrides(c, &usb, &n);
	assert_int_equal(n, 1);
	assert_string_equal(o[0].name, "turn-front");
	assert_string_equal(o[0].value, "yes");
	usb.model[0] = 'Q';
	assert_null(config_overrides(c, &usb, &n));
	assert_int_equal(n, 0);
	assert_string_equal(config_ledger(c), "/var/l.db");
	assert_string_equal(config_run(c), "/run/x");
	assert_string_equal(config_worker_user(c), "lp");
	assert_int_equal(config_limits(c)->reply_ms, 1);
	assert_int_equal(config_limits(c)->move_ms, 2);
	assert_int_equal(config_limits(c)->plane_ms, 3);
	assert_int_equal(config_limits(c)->print_ms, 4);
	assert_int_equal(config_attempts_max(c), 1);
	assert_int_equal(config_wait_poll_ms(c), 50);
	assert_string_equal(config_station(c, "S0001"), "nfc:other");
	assert_string_equal(config_station(c, "S0002"), "nfc:pn532_uart:/dev/ttyUSB0:115200");
	assert_string_equal(config_station(c, NULL), "nfc:pn532_uart:/dev/ttyUSB0:115200");
	config_destroy(c);
}

static void
mistakes_are_named(void **state)
{
	static const struct {
		const char *text, *line, *words;
	} cases[] = {
		{"[paths]\nledgr=/x\n", "line 2", "\"ledgr\""},
		{"\n[pats]\nledger=/x\n", "line 2", "[pats]"},
		{"[paths]\nledger=x\n", "line 2", "full path"},
		{"[paths]\n\nledger=\n", "line 3", "empty"},
		{"[cards]\nattempts-max=0\n", "line 2", "from 1 to 20"},
		{"[printer]\nreply-timeout-ms=600001\n", "line 2", "from 0 to 600000"},
		{"[cards]\nattempts-max=3x\n", "line 2", "whole number"},
		{"[cards]\nattempts-max=-1\n", "line 2", "whole number"},
		{"[cards]\nwait-poll-ms=99999999999999999999\n", "line 2", "whole number"},
		{"[station]\ndefault=tty\n", "line 2", "address of a reader"},
		{"[paths]\nthis is no setting\n", "line 2", "neither"},
		{"ledger=/x\n", "line 1", "neither"},
		{"[cards]\nledger=/x\n", "line 2", "[cards]"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config *c = (void *)1;
		struct err e = {0};
		int rc = conf_load(&c, cases[i].text, &e);

		if (rc != ERR_INPUT || !strstr(e.text, cases[i].line) ||
			!strstr(e.text, cases[i].words))
			print_error("case %zu: %d %s\n", i, rc, e.text);
		assert_int_equal(rc, ERR_INPUT);
		assert_null(c);
		assert_non_null(strstr(e.text, conf_path));
		assert_non_null(strstr(e.text, cases[i].line));
		assert_non_null(strstr(e.text, cases[i].words));
	}
}

static void
a_named_file_must_be_there(void **state)
{
	struct config *c;
	struct err e = {0};

	(void)state;
	setenv("CARDSPOOL_CONF", "/nowhere/cardspool.conf", 1);
	assert_int_equal(config_load(&c, &e), ERR_MISSING);
	assert_non_null(strstr(e.text, "/nowhere/cardspool.conf"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_gives_defaults),
		cmocka_unit_test(values_are_taken),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(a_named_file_must_be_there),
	};
	int fd = mkstemp(conf_path);

	if (fd < 0)
		return 99;
	close(fd);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(conf_path);
	return rc;
}
