/*
 * cmd-chip.c - the command `chip read`.
 *
 * Owns its words and what it shows. Guarantees: nothing on a chip is changed; values are shown
 * masked as the template's schema says; no key and no unmasked value reaches the output (a --dump
 * file holds the data and is readable by its owner only). On failure the error says which chip it
 * was and why. The exit status is 0 for a record with a good MAC, 65 for a bad one, 66 for a blank
 * chip, 69 for a chip that does not open or a reader at fault.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_LEN = 4096, VALUE_LEN = 512 };

struct chip_reading {
	const char *station_word, *template_word, *dump;
	bool json;
	char dir[PATH_LEN];
	struct config *config;
	struct schema *schema;
	struct chip_map *map;
	struct station *station;
	struct key_source source;
	pid_t keyd;
	int keyd_fd;
	struct chip_id id;
	struct chip_image image;
	bool blank, mac_present, mac_good;
	struct record record; /* values NULL until parsed */
};

static int
reading_words(struct chip_reading *r, int argc, char **argv, struct err *e)
{
	static const struct option options[] = {{"station", required_argument, NULL, 's'},
		{"template", required_argument, NULL, 't'}, {"dump", required_argument, NULL, 'd'},
		{"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
	int c;

	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "s:t:d:j", options, NULL)) != -1) {
		if (c == 's')
			r->station_word = optarg;
		else if (c == 't')
			r->template_word = optarg;
		else if (c == 'd')
			r->dump = optarg;
		else if (c == 'j')
			r->json = true;
		else
			return err_set(e, ERR_USAGE,
				_("chip read does not know that option. See: cardspool help chip "
				  "read"));
	}
	if (optind != argc)
		return err_set(
			e, ERR_USAGE, _("chip read takes options only, not \"%s\"."), argv[optind]);
	return 0;
}

/* The only template with a chip map, or a request to name one. */
static int
template_guess(char *out, size_t max, const char *folder, struct err *e)
{
	DIR *d = opendir(folder);
	unsigned n = 0;

	for (struct dirent *entry; d && (entry = readdir(d));) {
		char file[PATH_LEN];
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
template_load(struct chip_reading *r, struct err *e)
{
	char file[PATH_LEN + 16];
	const char *folder = config_templates(r->config), *word = r->template_word;
	int rc = 0;

	if (!word)
		rc = template_guess(r->dir, sizeof r->dir, folder, e);
	else if (strchr(word, '/') || !strcmp(word, "."))
		snprintf(r->dir, sizeof r->dir, "%s", word);
	else
		snprintf(r->dir, sizeof r->dir, "%s/%s", folder, word);
	if (rc)
		return rc;
	snprintf(file, sizeof file, "%s/record.schema", r->dir);
	rc = schema_load(&r->schema, file, e);
	if (rc)
		return rc;
	snprintf(file, sizeof file, "%s/chip.map", r->dir);
	return chip_map_load(&r->map, file, r->schema, e);
}

static int
chip_open(struct chip_reading *r, struct err *e)
{
	const char *address = r->station_word ? r->station_word : config_station(r->config, NULL);

	if (!address)
		return err_set(e, ERR_USAGE,
			_("No chip reader is set; name one with --station or in cardspool.conf."));
	int rc = keyd_start(config_keys(r->config), NULL, &r->keyd, &r->keyd_fd, e);
	if (rc)
		return rc;
	r->source = keyd_key_source_ops;
	r->source.ctx = (void *)(intptr_t)r->keyd_fd;
	rc = station_open(&r->station, address, e);
	if (rc)
		return rc;
	return chip_select(r->station, config_chip_wait_ms(r->config), &r->id, e);
}

/* What is on the chip; r->blank when it never was written. */
static int
chip_fetch(struct chip_reading *r, struct err *e)
{
	struct chip_keys keys;
	const struct chip_image none = {0};
	struct err cause = {0};
	uint64_t data, mac;

	chip_map_blocks(r->map, &data, &mac);
	int rc = r->source.card_keys(r->source.ctx, &r->id, &none, &keys, e);
	if (rc)
		return rc;
	rc = chip_read(
		r->station, &r->id, &keys, r->dump ? UINT64_MAX : data | mac, &r->image, &cause);
	explicit_bzero(&keys, sizeof keys);
	if (rc && cause.fault == FAULT_CHIP_USED) {
		rc = chip_blank(r->station, &r->id, &r->blank, e);
		if (rc == 0 && !r->blank)
			rc = err_set(e, ERR_FAULT,
				_("The chip does not open with the keys of this site: it was made "
				  "elsewhere, or with other keys."));
	} else if (rc && e) {
		*e = cause;
	}
	r->image.data = data;
	r->image.mac = mac;
	return rc;
}

static int
mac_check(struct chip_reading *r, struct err *e)
{
	struct chip_keys keys;
	unsigned n = 0, wrong = 0;
	int rc = r->source.card_keys(r->source.ctx, &r->id, &r->image, &keys, e);

	for (unsigned b = 0; rc == 0 && b < CHIP_BLOCKS; b++) {
		if (!(r->image.mac >> b & 1u) || n == sizeof keys.mac / CHIP_BLOCK_LEN)
			continue;
		wrong |= CRYPTO_memcmp(r->image.block[b], keys.mac + n * CHIP_BLOCK_LEN,
				 CHIP_BLOCK_LEN) != 0;
		n++;
	}
	explicit_bzero(&keys, sizeof keys);
	r->mac_present = n > 0;
	r->mac_good = rc == 0 && n > 0 && !wrong;
	return rc;
}

static const char *
mac_word(const struct chip_reading *r)
{
	return r->blank ? "none" : !r->mac_present ? "none" : r->mac_good ? "good" : "bad";
}

static void
reading_print_json(const struct chip_reading *r, const char *uid)
{
	json_t *fields = json_object();

	for (size_t i = 0; r->record.values && i < r->schema->n_fields; i++) {
		char value[VALUE_LEN];
		record_mask(value, sizeof value, r->schema, &r->record, (int)i);
		json_object_set_new(fields, r->schema->fields[i].name, json_string(value));
	}
	json_t *all = json_pack("{s:s, s:s, s:s, s:s, s:o}", "uid", uid, "state",
		r->blank ? "blank" : "written", "template", r->schema->name, "mac", mac_word(r),
		"fields", fields);
	if (all)
		json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
}

static void
reading_print_text(const struct chip_reading *r, const char *uid)
{
	printf(_("chip %s: %s\n"), uid, r->blank ? _("blank, never written") : r->schema->title);
	for (size_t i = 0; r->record.values && i < r->schema->n_fields; i++) {
		char value[VALUE_LEN];
		record_mask(value, sizeof value, r->schema, &r->record, (int)i);
		if (value[0])
			printf("  %s: %s\n", r->schema->fields[i].name, value);
	}
	if (!r->blank)
		printf(_("MAC: %s\n"), mac_word(r));
}

static void
reading_done(struct chip_reading *r)
{
	if (r->record.values)
		record_done(&r->record, r->schema);
	station_close(r->station);
	if (r->keyd_fd >= 0)
		close(r->keyd_fd);
	while (r->keyd > 0 && waitpid(r->keyd, NULL, 0) < 0 && errno == EINTR)
		continue;
	chip_map_destroy(r->map);
	if (r->schema)
		schema_destroy(r->schema);
	if (r->config)
		config_destroy(r->config);
	explicit_bzero(&r->image, sizeof r->image);
}

/* A wrong MAC is shown with the fields it belongs to, then reported. */
static int
reading_report(struct chip_reading *r, struct err *e)
{
	char uid[2 * sizeof r->id.uid + 1];
	struct err cause = {0};
	int rc = r->blank ? 0 : chip_image_parse(&r->image, r->map, r->schema, &r->record, &cause);

	hex_build(uid, r->id.uid, r->id.uid_len);
	if (rc)
		r->record.values = NULL;
	if (r->json)
		reading_print_json(r, uid);
	else
		reading_print_text(r, uid);
	if (r->blank)
		return err_set(
			e, ERR_MISSING, _("chip %s: is blank; there is no record on it."), uid);
	if (r->mac_present && !r->mac_good)
		return err_set(e, ERR_INPUT,
			_("chip %s: the MAC is wrong; the data was changed after it was made."),
			uid);
	if (rc && e) {
		*e = cause;
		err_prefix(e, _("chip %s"), uid);
	}
	return rc;
}

static int
chip_read_run(int argc, char **argv, struct err *e)
{
	struct chip_reading r = {.keyd = -1, .keyd_fd = -1};
	int rc = reading_words(&r, argc, argv, e);

	if (rc == 0)
		rc = config_load(&r.config, e);
	if (rc == 0)
		rc = template_load(&r, e);
	if (rc == 0)
		rc = chip_open(&r, e);
	if (rc == 0)
		rc = chip_fetch(&r, e);
	if (rc == 0 && !r.blank)
		rc = mac_check(&r, e);
	if (rc == 0 && r.dump && !r.blank)
		rc = file_write(r.dump, r.image.block, sizeof r.image.block, 0600, e);
	if (rc == 0)
		rc = reading_report(&r, e);
	reading_done(&r);
	return rc;
}

const struct command commands_chip[] = {
	{"chip", "read", "[--station ADDRESS] [--template NAME|FOLDER] [--json] [--dump FILE]",
		N_("Show the record on a chip, masked, and whether its MAC is good"),
		chip_read_run},
	{NULL, NULL, NULL, NULL, NULL},
};
