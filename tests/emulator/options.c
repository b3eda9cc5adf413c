/*
 * options.c - the command line: which printers, what they begin with, where things go.
 *
 * Owns the list of switches. Guarantees that what it accepted can be built, but for names of models
 * and ribbons, which the builder knows.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/options.h"

#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

const char options_usage[] =
	"usage: cardspool-emulator [option...] --run CMD [ARG...]\n"
	"       cardspool-emulator [option...] --usbip [ADDRESS:]PORT | --usbredir SOCKET\n"
	"       cardspool-emulator --tell SOCKET WORD...\n"
	"  --printer MODEL[:KEY=VALUE,...]\n"
	"                     one more printer, up to 16; keys: serial, hopper, chip, output, reject,\n"
	"                     ribbon, station, usbredir, descriptors, port, reader-port (places\n"
	"                     on USB, 1-2.4); the rest as the switches before it say\n"
	"  --model NAME       printer model (dualys3)\n"
	"  --serial TEXT      its serial number\n"
	"  --hopper N         blank cards in the hopper (100)\n"
	"  --chip KIND        their chips: classic-1k, ntag213, ...\n"
	"  --ribbon NAME:N    ribbon and how many sets of panels (ymcko:200)\n"
	"  --output N         what the output hopper holds (100)\n"
	"  --reject N         what the reject box holds (30)\n"
	"  --out DIR          finished cards and printer.json go there\n"
	"  --state FILE       counters and ribbon, from the last run and for the next\n"
	"  --control SOCKET   fault console\n"
	"  --station LINK     chip reader (PN532) under this name\n"
	"  --station pcsc:SOCKET:NAME\n"
	"                     PC/SC reader of that name, for a pcscd with emulator-ifd.so\n"
	"  --tcp PORT         raw TCP port of the printer on 127.0.0.1; as a key too: tcp=PORT\n"
	"  --script FILE      console lines to begin with\n"
	"  --seed N           seed of the card UIDs\n"
	"  --watch-sync DIR   count syncs of files in DIR\n"
	"  --timing           take the time a machine takes\n"
	"  --strict           status 65 when anything was sent that the protocol does not allow\n"
	"  --log FILE         every command and answer; \"strict:\" lines\n"
	"  -n, --private-net  own network, so that plug events stay here\n"
	"  --usbip [ADDRESS:]PORT\n"
	"                     let a Linux kernel attach the printers (127.0.0.1; port 0: any)\n"
	"  --usbip-anyone     let other machines do so; there is no password\n"
	"  --usbredir SOCKET  let a virtual machine attach the printer\n"
	"  --run CMD...       run CMD with the printer plugged in\n";

enum {
	OPT_PRINTER = 256,
	OPT_MODEL,
	OPT_SERIAL,
	OPT_HOPPER,
	OPT_CHIP,
	OPT_RIBBON,
	OPT_OUTPUT,
	OPT_REJECT,
	OPT_OUT,
	OPT_STATE,
	OPT_CONTROL,
	OPT_STATION,
	OPT_TCP,
	OPT_SCRIPT,
	OPT_SEED,
	OPT_TIMING,
	OPT_STRICT,
	OPT_WATCH_SYNC,
	OPT_LOG,
	OPT_USBIP,
	OPT_USBIP_ANYONE,
	OPT_USBREDIR,
	OPT_RUN,
	OPT_TELL,
	OPT_HELP
};

static const struct option long_options[] = {
	{"printer", required_argument, NULL, OPT_PRINTER},
	{"model", required_argument, NULL, OPT_MODEL},
	{"serial", required_argument, NULL, OPT_SERIAL},
	{"hopper", required_argument, NULL, OPT_HOPPER},
	{"chip", required_argument, NULL, OPT_CHIP},
	{"ribbon", required_argument, NULL, OPT_RIBBON},
	{"output", required_argument, NULL, OPT_OUTPUT},
	{"reject", required_argument, NULL, OPT_REJECT},
	{"out", required_argument, NULL, OPT_OUT},
	{"state", required_argument, NULL, OPT_STATE},
	{"control", required_argument, NULL, OPT_CONTROL},
	{"station", required_argument, NULL, OPT_STATION},
	{"tcp", required_argument, NULL, OPT_TCP},
	{"script", required_argument, NULL, OPT_SCRIPT},
	{"seed", required_argument, NULL, OPT_SEED},
	{"watch-sync", required_argument, NULL, OPT_WATCH_SYNC},
	{"timing", no_argument, NULL, OPT_TIMING},
	{"strict", no_argument, NULL, OPT_STRICT},
	{"log", required_argument, NULL, OPT_LOG},
	{"usbip", required_argument, NULL, OPT_USBIP},
	{"usbip-anyone", no_argument, NULL, OPT_USBIP_ANYONE},
	{"usbredir", required_argument, NULL, OPT_USBREDIR},
	{"private-net", no_argument, NULL, 'n'},
	{"run", required_argument, NULL, OPT_RUN},
	{"tell", required_argument, NULL, OPT_TELL},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

/* What a printer is told, as a switch or as a key of --printer. */
static const struct key {
	const char *name;
	int option;
	size_t at, size; /* size 0: a number */
} keys[] = {
#define TEXT(name, option, field)                                                                  \
	{                                                                                          \
		name, option, offsetof(struct printer_spec, field),                                \
			sizeof(((struct printer_spec *)0)->field)                                  \
	}
#define NUMBER(name, option, field)                                                                \
	{                                                                                          \
		name, option, offsetof(struct printer_spec, field), 0                              \
	}
	TEXT("model", OPT_MODEL, model),
	TEXT("serial", OPT_SERIAL, serial),
	TEXT("ribbon", OPT_RIBBON, ribbon),
	TEXT("chip", OPT_CHIP, chip),
	TEXT("station", OPT_STATION, station),
	TEXT("usbredir", OPT_USBREDIR, usbredir),
	TEXT("descriptors", 0, lie),
	TEXT("port", 0, port),
	TEXT("reader-port", 0, reader_port),
	NUMBER("hopper", OPT_HOPPER, hopper),
	NUMBER("output", OPT_OUTPUT, output),
	NUMBER("reject", OPT_REJECT, reject),
	NUMBER("tcp", OPT_TCP, tcp),
#undef TEXT
#undef NUMBER
};

static int
key_set(const struct key *k, struct printer_spec *s, const char *value)
{
	char *rest;
	if (k->size) {
		int n = snprintf((char *)s + k->at, k->size, "%s", value);
		if (n > 0 && (size_t)n < k->size)
			return 0;
		fprintf(stderr, "cardspool-emulator: %s is empty or too long: %s\n", k->name,
			value);
		return -1;
	}
	unsigned long n = strtoul(value, &rest, 10);
	if (!isdigit((unsigned char)*value) || *rest || n > 1000000) {
		fprintf(stderr, "cardspool-emulator: %s: not such a number: %s\n", k->name, value);
		return -1;
	}
	*(unsigned *)(void *)((char *)s + k->at) = (unsigned)n;
	return 0;
}

/* "primacy:serial=P-7,ribbon=ymcko:100" */
static int
printer_parse(struct options *o, const char *text)
{
	char copy[512], *save = NULL;
	if (o->n_printers == PRINTERS_MAX || strlen(text) >= sizeof copy) {
		fprintf(stderr, "cardspool-emulator: --printer %s: too long, or more than %d\n",
			text, PRINTERS_MAX);
		return -1;
	}
	struct printer_spec *s = &o->printer[o->n_printers++];
	*s = o->base;
	snprintf(copy, sizeof copy, "%s", text);
	char *colon = strchr(copy, ':');
	if (colon)
		*colon++ = 0;
	/* two machines share neither a number nor a reader unless somebody says so */
	snprintf(s->serial, sizeof s->serial, "%.20s-%04u", copy, o->n_printers);
	*s->station = *s->usbredir = *s->port = *s->reader_port = 0;
	s->tcp = 0;
	if (key_set(&keys[0], s, copy))
		return -1;
	for (char *word = colon ? strtok_r(colon, ",", &save) : NULL; word;
		word = strtok_r(NULL, ",", &save)) {
		char *equals = strchr(word, '=');
		const struct key *k = NULL;
		for (size_t i = 1; equals && i < EMU_LEN(keys); i++)
			if (!strncmp(keys[i].name, word, (size_t)(equals - word)) &&
				!keys[i].name[equals - word])
				k = &keys[i];
		if (!k) {
			fprintf(stderr, "cardspool-emulator: --printer %s: what is %s?\n", text,
				word);
			return -1;
		}
		if (key_set(k, s, equals + 1))
			return -1;
	}
	return 0;
}

static int
switch_set(struct options *o, struct emu *emu, int c, char **argv, int argc)
{
	switch (c) {
	case OPT_PRINTER:
		return printer_parse(o, optarg);
	case OPT_OUT:
		emu->out_dir = optarg;
		return 0;
	case OPT_STATE:
		emu->state_path = optarg;
		return 0;
	case OPT_CONTROL:
		emu->control_path = optarg;
		return 0;
	case OPT_SCRIPT:
		emu->script_path = optarg;
		return 0;
	case OPT_SEED:
		o->seed = strtoul(optarg, NULL, 10);
		return 0;
	case OPT_WATCH_SYNC:
		o->watch = optarg;
		return 0;
	case OPT_TIMING:
		emu->timing = true;
		return 0;
	case OPT_STRICT:
		emu->strict = true;
		return 0;
	case OPT_LOG:
		o->log = optarg;
		return 0;
	case OPT_USBIP:
		emu->usbip = optarg;
		return 0;
	case OPT_USBIP_ANYONE:
		emu->usbip_anyone = true;
		return 0;
	case 'n':
		emu->private_net = true;
		return 0;
	case OPT_RUN:
		o->run = argv + optind - 1;
		return 0;
	case OPT_TELL:
		o->tell = argv + optind;
		o->tell_n = argc - optind;
		emu->control_path = optarg;
		return 0;
	case OPT_HELP:
		o->help = true;
		return 0;
	}
	for (size_t i = 0; i < EMU_LEN(keys); i++)
		if (keys[i].option == c)
			return key_set(&keys[i], &o->base, optarg);
	return -1;
}

int
options_parse(struct options *o, struct emu *emu, int argc, char **argv)
{
	int c;
	while (!o->run && !o->tell && !o->help &&
		(c = getopt_long(argc, argv, "+n", long_options, NULL)) != -1)
		if (switch_set(o, emu, c, argv, argc))
			return -1;
	if (!o->n_printers)
		o->printer[o->n_printers++] = o->base;
	if (o->run || o->tell || o->help)
		return 0;
	bool served = emu->usbip != NULL;
	for (unsigned i = 0; i < o->n_printers; i++)
		served |= *o->printer[i].usbredir != 0;
	return served && optind == argc ? 0 : -1;
}
