/*
 * chip-desk.c - one card at a desk reader, from the words of the call to the record on its chip.
 *
 * Owns the options of the commands over a chip, the choice of template, keys and reader, and the
 * reading. Guarantees: nothing on the chip is changed here; an option that a command does not know
 * is refused; values and keys are wiped when the call ends. On failure the error names the file,
 * reader or chip, and desk_end frees what was opened.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/chip-desk.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- words ---- */

static const struct option options[] = {{"station", required_argument, NULL, 's'},
	{"template", required_argument, NULL, 't'}, {"dump", required_argument, NULL, 'd'},
	{"full", no_argument, NULL, 'f'}, {"offline", required_argument, NULL, 'O'},
	{"date", required_argument, NULL, 'D'}, {"ledger", required_argument, NULL, 'l'},
	{"reason", required_argument, NULL, 'r'}, {"from", required_argument, NULL, 'F'},
	{"text", required_argument, NULL, 'T'}, {"next", required_argument, NULL, 'n'},
	{"map", required_argument, NULL, 'F'}, {"batch", required_argument, NULL, 'b'},
	{"output", required_argument, NULL, 'o'}, {"json", no_argument, NULL, 'j'},
	{NULL, 0, NULL, 0}};

static const struct {
	char letter;
	size_t offset;
} words[] = {{'s', offsetof(struct desk, station_word)},
	{'t', offsetof(struct desk, template_word)}, {'d', offsetof(struct desk, dump)},
	{'O', offsetof(struct desk, offline)}, {'D', offsetof(struct desk, date_word)},
	{'l', offsetof(struct desk, ledger_path)}, {'r', offsetof(struct desk, reason)},
	{'F', offsetof(struct desk, from)}, {'T', offsetof(struct desk, text)},
	{'n', offsetof(struct desk, next)}, {'b', offsetof(struct desk, batch)},
	{'o', offsetof(struct desk, output)}};

static void
word_take(struct desk *d, int letter)
{
	d->json |= letter == 'j';
	d->full |= letter == 'f';
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (words[i].letter == letter)
			*(const char **)(void *)((char *)d + words[i].offset) = optarg;
}

static int
words_parse(struct desk *d, const char *verb, int argc, char **argv, const char *allowed,
	int n_names, struct err *e)
{
	int letter;

	optind = 0;
	opterr = 0;
	while ((letter = getopt_long(argc, argv, ":o:", options, NULL)) != -1) {
		const bool known = letter == 'j' || strchr(allowed, letter);
		const int n = known || !optarg || argv[optind - 1] != optarg ? 1 : 2;
		if (letter == '?' || letter == ':' || !known)
			return desk_option_refuse(verb, letter, argv[optind - n], e);
		word_take(d, letter);
	}
	d->names = argv + optind;
	d->n_names = argc - optind;
	if (d->n_names > n_names)
		return err_set(e, ERR_USAGE, _("chip %s takes options only, not \"%s\"."), verb,
			strchr(d->names[0], '=') ? "FIELD=..." : d->names[0]);
	return 0;
}

/* ---- template ---- */

/* The only template with a chip map, or a request to name one. */
static int
template_guess(char *out, size_t max, const char *folder, struct err *e)
{
	DIR *d = opendir(folder);
	unsigned n = 0;

	for (struct dirent *entry; d && (entry = readdir(d));) {
		char file[DESK_PATH_LEN];
		int len = snprintf(file, sizeof file, "%s/%s/chip.map", folder, entry->d_name);
		if (entry->d_name[0] == '.' || len >= (int)sizeof file || access(file, R_OK) != 0)
			continue;
		snprintf(out, max, "%s/%s", folder, entry->d_name);
		n++;
	}
	if (d)
		closedir(d);
	if (n == 1)
		return 0;
	return err_set(e, n ? ERR_USAGE : ERR_MISSING,
		n ? _("%s: holds %u templates with a chip; say which with --template NAME.")
		  : _("%s: holds no template with a chip; say which with --template FOLDER (%u "
		      "found)."),
		folder, n);
}

static int
template_load(struct desk *d, struct err *e)
{
	int rc = d->template_word
			 ? desk_template(d->dir, sizeof d->dir, d->config, d->template_word, e)
			 : template_guess(d->dir, sizeof d->dir, config_templates(d->config), e);

	if (rc)
		return rc;
	snprintf(d->file, sizeof d->file, "%s/record.schema", d->dir);
	rc = schema_load(&d->schema, d->file, e);
	if (rc)
		return rc;
	snprintf(d->file, sizeof d->file, "%s/chip.map", d->dir);
	rc = chip_map_load(&d->map, d->file, d->schema, e);
	if (rc)
		return rc;
	snprintf(d->file, sizeof d->file, "%s/desk.rules", d->dir);
	return desk_rules_load(&d->rules, d->file, d->schema, e);
}

int
desk_start(struct desk *d, const char *verb, int argc, char **argv, const char *allowed,
	int n_names, struct err *e)
{
	*d = (struct desk){.keyd = -1, .keyd_fd = -1};
	int rc = words_parse(d, verb, argc, argv, allowed, n_names, e);

	if (rc == 0)
		rc = config_load(&d->config, e);
	return rc == 0 ? template_load(d, e) : rc;
}

/* ---- the day ---- */

static void
day_of(char out[9], int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm t;

	localtime_r(&seconds, &t);
	if (strftime(out, 9, "%Y%m%d", &t) != 8)
		out[0] = '\0';
}

int
desk_today(struct desk *d, struct err *e)
{
	/* A clock that starts at its factory date makes every card valid. */
	char known[9] = "20260101", last[9];

	if (d->date_word)
		return desk_day(d->today, "--date", d->date_word, e);
	if (d->inspector && strcmp(inspector_made(d->inspector), known) > 0)
		snprintf(known, sizeof known, "%s", inspector_made(d->inspector));
	if (d->ledger) {
		day_of(last, ledger_last_time(d->ledger, NULL));
		if (strcmp(last, known) > 0)
			memcpy(known, last, sizeof known);
	}
	day_of(d->today, clock_real_ms());
	if (strcmp(d->today, known) >= 0)
		return 0;
	return err_set(e, ERR_SYSTEM,
		_("The clock of this computer says %s, which is before %s; set the clock, or name "
		  "the day with --date."),
		d->today, known);
}

/* ---- keys and reader ---- */

static int
keys_open(struct desk *d, struct err *e)
{
	if (d->inspector) {
		cores_forbid();
		d->source = (struct key_source){inspector_keys, d->inspector};
		return 0;
	}
	int rc = keyd_start_config(d->config, NULL, &d->keyd, &d->keyd_fd, e);
	if (rc)
		return rc;
	d->source = keyd_key_source_ops;
	d->source.ctx = (void *)(intptr_t)d->keyd_fd;
	return 0;
}

static int
reader_open(struct desk *d, const char *address, struct err *e)
{
	int rc = desk_station(&d->station, address, e);

	if (rc == 0)
		rc = chip_select(d->station, config_chip_wait_ms(d->config), &d->id, e);
	if (rc == 0)
		hex_build(d->uid, d->id.uid, d->id.uid_len);
	return rc;
}

/* ---- the chip ---- */

/* The n-th pair of keys this card may have been made with, from 1; false: nobody can have more. */
static bool
keys_choose(struct desk *d, unsigned n)
{
	if (d->inspector)
		return inspector_choose(d->inspector, n);
	d->source.ctx = KEYD_CTX(d->keyd_fd, n);
	return n <= UINT8_MAX;
}

/* Refused keys: a card of earlier masters, a blank chip, or somebody else's. 0 with *open:
 * d->source is set to the keys it opens with. */
static int
closed_chip(struct desk *d, bool *open, struct err *e)
{
	const struct chip_image none = {0};
	struct chip_image seen;
	struct chip_keys keys;
	struct err cause = {0};
	bool blank = false;
	int rc = chip_blank(d->station, &d->id, &blank, e);

	d->found = blank ? CHIP_BLANK : CHIP_FOREIGN;
	for (unsigned n = 1; rc == 0 && !blank && !*open && keys_choose(d, n); n++) {
		/* Most numbers have no masters. */
		if (d->source.card_keys(d->source.ctx, &d->id, &none, &keys, NULL))
			continue;
		rc = chip_read(d->station, &d->id, &keys, UINT64_C(2), &seen, &cause);
		*open = rc == 0;
		if (rc && cause.fault == FAULT_CHIP_USED)
			rc = 0;
		else if (rc && e)
			*e = cause;
	}
	explicit_bzero(&keys, sizeof keys);
	return rc;
}

static int
mac_check(struct desk *d, struct err *e)
{
	struct chip_keys keys;
	static const uint8_t blank[CHIP_BLOCK_LEN];
	const uint64_t blocks = d->image.data | d->image.mac;
	unsigned n = 0, wrong = 0, any = 0;
	int rc = d->source.card_keys(d->source.ctx, &d->id, &d->image, &keys, e);

	for (unsigned b = 0; rc == 0 && b < CHIP_BLOCKS; b++) {
		any |= (blocks >> b & 1u) && memcmp(d->image.block[b], blank, sizeof blank) != 0;
		if (!(d->image.mac >> b & 1u) || n == sizeof keys.mac / CHIP_BLOCK_LEN)
			continue;
		wrong |= CRYPTO_memcmp(d->image.block[b], keys.mac + n * CHIP_BLOCK_LEN,
				 CHIP_BLOCK_LEN) != 0;
		n++;
	}
	explicit_bzero(&keys, sizeof keys);
	d->mac_present = n > 0;
	d->found = !wrong ? CHIP_GENUINE : any ? CHIP_ALTERED : CHIP_EMPTY;
	return rc;
}

static int
blocks_read(struct desk *d, struct err *e)
{
	struct chip_keys keys;
	const struct chip_image none = {0};
	uint64_t data, mac;

	chip_map_blocks(d->map, &data, &mac);
	int rc = d->source.card_keys(d->source.ctx, &d->id, &none, &keys, e);
	if (rc == 0)
		rc = chip_read(
			d->station, &d->id, &keys, d->dump ? UINT64_MAX : data | mac, &d->image, e);
	explicit_bzero(&keys, sizeof keys);
	d->image.data = data;
	d->image.mac = mac;
	return rc;
}

static int
blocks_fetch(struct desk *d, struct err *e)
{
	struct err cause = {0};
	bool open = false;
	int rc = blocks_read(d, &cause);

	if (rc == ERR_MISSING && d->inspector) {
		d->found = CHIP_UNKNOWN;
		return 0;
	}
	if (rc && cause.fault == FAULT_CHIP_USED) {
		rc = closed_chip(d, &open, &cause);
		if (rc == 0 && !open)
			return 0;
		rc = rc ? rc : blocks_read(d, &cause);
	}
	if (rc && cause.fault == FAULT_CHIP_USED) {
		d->found = CHIP_FOREIGN; /* one sector opens, another does not */
		return 0;
	}
	if (rc && e)
		*e = cause;
	return rc ? rc : mac_check(d, e);
}

static int
card_fetch(struct desk *d, struct err *e)
{
	const char *address = d->station_word ? d->station_word : config_station(d->config, NULL);

	if (!address)
		return err_set(e, ERR_USAGE,
			_("No chip reader is set; name one with --station or in cardspool.conf."));
	int rc = keys_open(d, e);
	if (rc == 0 && desk_logic_address(address))
		return desk_logic_fetch(d, address, e);
	if (rc == 0)
		rc = reader_open(d, address, e);
	if (rc == 0)
		rc = blocks_fetch(d, e);
	if (rc || d->found > CHIP_ALTERED)
		return rc;
	if (chip_image_parse(&d->image, d->map, d->schema, &d->record, &d->parse_error))
		d->record.values = NULL;
	return 0;
}

int
desk_fetch(struct desk *d, struct err *e)
{
	return desk_words(card_fetch(d, e), e);
}

int
desk_refuse(const struct desk *d, struct err *e)
{
	static const struct {
		int code;
		const char *text;
	} words_of[] = {
		[CHIP_GENUINE] = {ERR_INPUT, N_("%s")},
		[CHIP_ALTERED] = {ERR_INPUT,
			N_("chip %s: the MAC is wrong; the data was changed after it was made.")},
		[CHIP_FOREIGN] = {ERR_FAULT,
			N_("chip %s: does not open with the keys of this site: it was made "
			   "elsewhere, with other keys, or is damaged.")},
		[CHIP_BLANK] = {ERR_MISSING, N_("chip %s: is blank; there is no record on it.")},
		[CHIP_EMPTY] = {ERR_MISSING, N_("chip %s: holds no record; it was initialised, or "
						"cleared by chip void.")},
		[CHIP_UNKNOWN] = {ERR_MISSING,
			N_("chip %s: is not in the inspector's key file; it was made after the "
			   "file, or elsewhere.")},
	};

	if (d->found != CHIP_GENUINE)
		return err_set(e, words_of[d->found].code, _(words_of[d->found].text), d->uid);
	if (d->record.values)
		return 0;
	if (e) {
		*e = d->parse_error;
		err_prefix(e, _("chip %s"), d->uid);
	}
	return d->parse_error.code;
}

/* ---- the ledger ---- */

int
desk_ledger(struct desk *d, enum ledger_mode mode, struct err *e)
{
	const char *path = d->ledger_path ? d->ledger_path : config_ledger(d->config);
	struct err cause = {0};

	/* A named ledger that is not there is a slip, never a wish for a new one. */
	if (d->ledger_path && access(path, F_OK) != 0)
		mode = LEDGER_READ;
	int rc = ledger_open(&d->ledger, path, mode, &cause);
	if (rc && mode == LEDGER_READ && !d->ledger_path && (rc == ERR_MISSING || rc == ERR_DENIED))
		return 0;
	if (rc && e)
		*e = cause;
	return rc;
}

int
desk_known(struct desk *d, struct err *e)
{
	if (!d->ledger)
		return 0;
	int rc = ledger_uid_find(d->ledger, d->uid, &d->card, e);
	return rc ? rc : ledger_chip_change(d->ledger, d->uid, &d->change, e);
}

void
desk_end(struct desk *d)
{
	if (d->record.values)
		record_done(&d->record, d->schema);
	free(d->change.sealed);
	station_close(d->station);
	if (d->keyd_fd >= 0)
		close(d->keyd_fd);
	while (d->keyd > 0 && waitpid(d->keyd, NULL, 0) < 0 && errno == EINTR)
		continue;
	inspector_destroy(d->inspector);
	ledger_close(d->ledger);
	chip_map_destroy(d->map);
	if (d->schema)
		schema_destroy(d->schema);
	if (d->config)
		config_destroy(d->config);
	explicit_bzero(&d->image, sizeof d->image);
}
