/*
 * config.c - cardspool.conf.
 *
 * Owns the table of settings, which drives reading, checking and defaults alike. Guarantees: every
 * setting has a value within its limits. On failure names the file and the line, and nothing is
 * returned.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_DEFAULT  SYSCONFDIR "/cardspool/cardspool.conf"
#define CONFIG_SIZE_MAX (256 * 1024)

struct config {
	char *ledger, *templates, *ppds, *orders, *colour, *keys, *run, *worker_user;
	char *fit;
	unsigned attempts_max, wait_poll_ms, chip_wait_ms, retention_months;
	struct printer_limits limits;
	GHashTable *stations; /* printer serial or "default" -> address */
	GHashTable *printers; /* printer serial or model -> array of struct printer_override */
	char *web_listen, *web_host, *web_certificate, *web_private_key;
	unsigned web_idle_s, notify_timeout_s;
	char *notify_command, *notify_journal;
	char *key_secret, *key_source, *mac_source, *psam_reader, *psam_application;
	unsigned psam_key_version, psam_key_usage, psam_mac_usage;
};

enum setting_kind { SETTING_PATH, SETTING_WORD, SETTING_NUMBER };

static const struct setting {
	const char *group, *key;
	enum setting_kind kind;
	size_t offset;
	const char *text;          /* default of a path or word */
	unsigned number, min, max; /* default and limits of a number */
} settings[] = {
	{"paths", "ledger", SETTING_PATH, offsetof(struct config, ledger),
		LOCALSTATEDIR "/lib/cardspool/ledger.db", 0, 0, 0},
	{"paths", "templates", SETTING_PATH, offsetof(struct config, templates),
		PKGDATADIR "/templates", 0, 0, 0},
	{"paths", "ppds", SETTING_PATH, offsetof(struct config, ppds), PPDDIR, 0, 0, 0},
	{"paths", "orders", SETTING_PATH, offsetof(struct config, orders),
		LOCALSTATEDIR "/spool/cardspool/orders", 0, 0, 0},
	/* Read by the filters alone (filter_job_folder). */
	{"paths", "colour", SETTING_PATH, offsetof(struct config, colour), PKGDATADIR "/colour", 0,
		0, 0},
	{"paths", "keys", SETTING_PATH, offsetof(struct config, keys),
		SYSCONFDIR "/cardspool/master.keys", 0, 0, 0},
	{"paths", "key-secret", SETTING_PATH, offsetof(struct config, key_secret),
		LOCALSTATEDIR "/lib/cardspool-keys/secret", 0, 0, 0},
	{"keys", "keys", SETTING_WORD, offsetof(struct config, key_source), "file", 0, 0, 0},
	{"keys", "mac", SETTING_WORD, offsetof(struct config, mac_source), "file", 0, 0, 0},
	{"keys", "psam-reader", SETTING_WORD, offsetof(struct config, psam_reader), NULL, 0, 0, 0},
	{"keys", "psam-application", SETTING_WORD, offsetof(struct config, psam_application), NULL,
		0, 0, 0},
	{"keys", "psam-key-version", SETTING_NUMBER, offsetof(struct config, psam_key_version),
		NULL, 1, 1, 255},
	{"keys", "psam-key-usage", SETTING_NUMBER, offsetof(struct config, psam_key_usage), NULL, 1,
		0, 255},
	{"keys", "psam-mac-usage", SETTING_NUMBER, offsetof(struct config, psam_mac_usage), NULL, 2,
		0, 255},
	{"paths", "run", SETTING_PATH, offsetof(struct config, run), RUNDIR "/cardspool", 0, 0, 0},
	{"process", "worker-user", SETTING_WORD, offsetof(struct config, worker_user), "cardspool",
		0, 0, 0},
	{"cards", "attempts-max", SETTING_NUMBER, offsetof(struct config, attempts_max), NULL, 3, 1,
		20},
	{"cards", "wait-poll-ms", SETTING_NUMBER, offsetof(struct config, wait_poll_ms), NULL, 1000,
		10, 60000},
	{"cards", "chip-wait-ms", SETTING_NUMBER, offsetof(struct config, chip_wait_ms), NULL, 2000,
		50, 60000},
	{"cards", "fit", SETTING_WORD, offsetof(struct config, fit), "warn", 0, 0, 0},
	{"failures", "retention-months", SETTING_NUMBER, offsetof(struct config, retention_months),
		NULL, RETENTION_MONTHS_MIN, RETENTION_MONTHS_MIN, 1200},
	{"web", "listen", SETTING_WORD, offsetof(struct config, web_listen), "127.0.0.1:8632", 0, 0,
		0},
	{"web", "host", SETTING_WORD, offsetof(struct config, web_host), NULL, 0, 0, 0},
	{"web", "certificate", SETTING_PATH, offsetof(struct config, web_certificate), NULL, 0, 0,
		0},
	{"web", "private-key", SETTING_PATH, offsetof(struct config, web_private_key), NULL, 0, 0,
		0},
	{"web", "idle-s", SETTING_NUMBER, offsetof(struct config, web_idle_s), NULL, 900, 1, 86400},
	{"notify", "command", SETTING_PATH, offsetof(struct config, notify_command), NULL, 0, 0, 0},
	{"notify", "command-timeout-s", SETTING_NUMBER, offsetof(struct config, notify_timeout_s),
		NULL, 30, 1, 3600},
	{"notify", "journal", SETTING_PATH, offsetof(struct config, notify_journal),
		"/run/systemd/journal/socket", 0, 0, 0},
	/* 0: what the driver knows of the model */
	{"printer", "reply-timeout-ms", SETTING_NUMBER, offsetof(struct config, limits.reply_ms),
		NULL, 0, 0, 600000},
	{"printer", "move-timeout-ms", SETTING_NUMBER, offsetof(struct config, limits.move_ms),
		NULL, 0, 0, 600000},
	{"printer", "plane-timeout-ms", SETTING_NUMBER, offsetof(struct config, limits.plane_ms),
		NULL, 0, 0, 600000},
	{"printer", "print-timeout-ms", SETTING_NUMBER, offsetof(struct config, limits.print_ms),
		NULL, 0, 0, 3600000},
};

#define STATION_GROUP   "station"
#define STATION_DEFAULT "default"
#define PRINTER_PREFIX  "printer " /* [printer NAME]: the driver's settings for that printer */

void
config_destroy(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (settings[i].kind != SETTING_NUMBER)
			g_free(*(char **)(void *)((char *)c + settings[i].offset));
	if (c->stations)
		g_hash_table_destroy(c->stations);
	if (c->printers)
		g_hash_table_destroy(c->printers);
	free(c);
}

/* ---- where a mistake is ---- */

/* Line of "[group]" (key NULL) or of key in it, 0 when not found. GKeyFile keeps no line numbers.
 */
static unsigned
line_find(const char *text, const char *group, const char *key)
{
	char **lines = g_strsplit(text, "\n", -1);
	char current[128] = "";
	unsigned found = 0;

	for (unsigned i = 0; lines[i] && !found; i++) {
		char *line = g_strstrip(lines[i]);
		size_t len = strlen(line);

		if (line[0] == '[' && len > 2) {
			snprintf(current, sizeof current, "%.*s", (int)(len - 2), line + 1);
			if (!key && strcmp(current, group) == 0)
				found = i + 1;
		} else if (key && strcmp(current, group) == 0 && g_str_has_prefix(line, key)) {
			const char *rest = line + strlen(key);

			if (rest[strspn(rest, " \t")] == '=')
				found = i + 1;
		}
	}
	g_strfreev(lines);
	return found;
}

/* The first line that is no comment, no group and no key=value, or a key before any group. */
static unsigned
line_broken(const char *text)
{
	char **lines = g_strsplit(text, "\n", -1);
	bool in_group = false;
	unsigned found = 0;

	for (unsigned i = 0; lines[i] && !found; i++) {
		char *line = g_strstrip(lines[i]);

		if (line[0] == '\0' || line[0] == '#')
			continue;
		if (line[0] == '[' && g_str_has_suffix(line, "]"))
			in_group = true;
		else if (!in_group || !strchr(line, '=') || line[0] == '=' || line[0] == '[' ||
			 !g_utf8_validate(line, -1, NULL))
			found = i + 1;
	}
	g_strfreev(lines);
	return found ? found : 1;
}

/* ---- values ---- */

static const struct setting *
setting_find(const char *group, const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (strcmp(settings[i].group, group) == 0 &&
			(!key || strcmp(settings[i].key, key) == 0))
			return &settings[i];
	return NULL;
}

static void
setting_default(struct config *c, const struct setting *s)
{
	void *at = (char *)c + s->offset;

	if (s->kind == SETTING_NUMBER)
		*(unsigned *)at = s->number;
	else
		*(char **)at = g_strdup(s->text);
}

static int
setting_take(struct config *c, const struct setting *s, const char *value, const char *where,
	struct err *e)
{
	void *at = (char *)c + s->offset;
	char *end;

	if (s->kind == SETTING_NUMBER) {
		errno = 0;
		unsigned long n = strtoul(value, &end, 10);
		if (!g_ascii_isdigit(value[0]) || *end || errno || n < s->min || n > s->max)
			return err_set(e, ERR_INPUT,
				_("%s: %s must be a whole number from %u to %u."), where, s->key,
				s->min, s->max);
		*(unsigned *)at = (unsigned)n;
		return 0;
	}
	if (value[0] == '\0')
		return err_set(e, ERR_INPUT,
			_("%s: %s is empty. Give it a value or remove the line."), where, s->key);
	if (s->kind == SETTING_PATH && value[0] != '/')
		return err_set(e, ERR_INPUT, _("%s: %s must be a full path that begins with /."),
			where, s->key);
	g_free(*(char **)at);
	*(char **)at = g_strdup(value);
	return 0;
}

static int
station_take(
	struct config *c, const char *serial, const char *value, const char *where, struct err *e)
{
	if (!strchr(value, ':'))
		return err_set(e, ERR_INPUT,
			_("%s: \"%s\" is not the address of a reader. Write for example "
			  "nfc:pn532_uart:/dev/ttyUSB0."),
			where, value);
	g_hash_table_replace(c->stations, g_strdup(serial), g_strdup(value));
	return 0;
}

static void
override_clear(gpointer at)
{
	struct printer_override *o = at;

	g_free((char *)(uintptr_t)o->name);
	g_free((char *)(uintptr_t)o->value);
}

static void
overrides_free(gpointer array)
{
	g_array_free(array, TRUE);
}

/* Names and values are the driver's matter: it knows the model and says so when it opens one. */
static int
override_take(struct config *c, const char *group, const char *key, const char *value,
	const char *where, struct err *e)
{
	const char *name = group + strlen(PRINTER_PREFIX) + strspn(group + strlen(PRINTER_PREFIX), " ");
	GArray *list = g_hash_table_lookup(c->printers, name);
	struct printer_override o;

	if (!*name)
		return err_set(e, ERR_INPUT,
			_("%s: the section needs the printer's serial number or model: [printer "
			  "NAME]."),
			where);
	if (!list) {
		list = g_array_new(FALSE, FALSE, sizeof(struct printer_override));
		g_array_set_clear_func(list, override_clear);
		g_hash_table_insert(c->printers, g_strdup(name), list);
	}
	o.name = g_strdup(key);
	o.value = g_strdup(value);
	g_array_append_val(list, o);
	return 0;
}

static int
config_take(struct config *c, GKeyFile *f, const char *path, const char *text, const char *group,
	const char *key, struct err *e)
{
	const struct setting *s = setting_find(group, key);
	char *where = g_strdup_printf(_("%s, line %u"), path, line_find(text, group, key));
	char *value = g_key_file_get_string(f, group, key, NULL);
	int rc;

	if (!value)
		rc = err_set(e, ERR_INPUT, _("%s: the value of %s cannot be read."), where, key);
	else if (strcmp(group, STATION_GROUP) == 0)
		rc = station_take(c, key, g_strstrip(value), where, e);
	else if (g_str_has_prefix(group, PRINTER_PREFIX))
		rc = override_take(c, group, key, g_strstrip(value), where, e);
	else if (!s)
		rc = err_set(e, ERR_INPUT,
			_("%s: there is no setting \"%s\" in [%s]. See cardspool.conf(5)."), where,
			key, group);
	else
		rc = setting_take(c, s, g_strstrip(value), where, e);
	g_free(value);
	g_free(where);
	return rc;
}

static int
config_group(struct config *c, GKeyFile *f, const char *path, const char *text, const char *group,
	struct err *e)
{
	char **keys;
	int rc = 0;

	if (strcmp(group, STATION_GROUP) != 0 && !g_str_has_prefix(group, PRINTER_PREFIX) &&
		!setting_find(group, NULL))
		return err_set(e, ERR_INPUT,
			_("%s, line %u: there is no section [%s]. See cardspool.conf(5)."), path,
			line_find(text, group, NULL), group);
	keys = g_key_file_get_keys(f, group, NULL, NULL);
	for (size_t i = 0; keys && keys[i] && rc == 0; i++)
		rc = config_take(c, f, path, text, group, keys[i], e);
	g_strfreev(keys);
	return rc;
}

static int
config_parse(struct config *c, const char *path, const char *text, struct err *e)
{
	GKeyFile *f = g_key_file_new();
	char **groups = NULL;
	int rc = 0;

	if (!g_key_file_load_from_data(f, text, (gsize)-1, G_KEY_FILE_NONE, NULL)) {
		rc = err_set(e, ERR_INPUT,
			_("%s, line %u: is neither a [section] nor a setting = value."), path,
			line_broken(text));
		goto out;
	}
	groups = g_key_file_get_groups(f, NULL);
	for (size_t i = 0; groups[i] && rc == 0; i++)
		rc = config_group(c, f, path, text, groups[i], e);
out:
	g_strfreev(groups);
	g_key_file_free(f);
	return rc;
}

const char *
config_path(void)
{
	const char *named = secure_getenv("CARDSPOOL_CONF");

	return named ? named : CONFIG_DEFAULT;
}

int
config_load(struct config **out, struct err *e)
{
	/* A program that runs with raised rights takes no file from its caller's environment. */
	const char *named = secure_getenv("CARDSPOOL_CONF");
	const char *path = config_path();
	struct config *c = calloc(1, sizeof *c);
	struct buf text;
	int rc = 0;

	*out = NULL;
	if (!c)
		return err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	c->stations = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	c->printers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, overrides_free);
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		setting_default(c, &settings[i]);
	buf_init(&text, CONFIG_SIZE_MAX);
	if (named || access(path, F_OK) == 0) {
		rc = file_read(&text, path, CONFIG_SIZE_MAX - 1, e);
		if (rc == 0)
			rc = buf_append(&text, "", 1, e);
		if (rc == 0 && strlen((char *)text.data) + 1 != text.len)
			rc = err_set(e, ERR_INPUT, _("%s is not a text file."), path);
		if (rc == 0)
			rc = config_parse(c, path, (char *)text.data, e);
	}
	buf_done(&text);
	if (rc != 0) {
		config_destroy(c);
		return rc;
	}
	*out = c;
	return 0;
}

const char *
config_ledger(const struct config *c)
{
	return c->ledger;
}

const char *
config_templates(const struct config *c)
{
	return c->templates;
}

const char *
config_ppds(const struct config *c)
{
	return c->ppds;
}

const char *
config_orders(const struct config *c)
{
	return c->orders;
}

const char *
config_keys(const struct config *c)
{
	return c->keys;
}

const char *
config_text(const struct config *c, const char *group, const char *key)
{
	const struct setting *s = setting_find(group, key);

	return s && s->kind != SETTING_NUMBER
		       ? *(char *const *)(const void *)((const char *)c + s->offset)
		       : NULL;
}

unsigned
config_number(const struct config *c, const char *group, const char *key)
{
	const struct setting *s = setting_find(group, key);

	return s && s->kind == SETTING_NUMBER
		       ? *(const unsigned *)(const void *)((const char *)c + s->offset)
		       : 0;
}

const char *
config_run(const struct config *c)
{
	return c->run;
}

const char *
config_worker_user(const struct config *c)
{
	return c->worker_user;
}

const char *
config_station(const struct config *c, const char *printer_serial)
{
	const char *address =
		printer_serial ? g_hash_table_lookup(c->stations, printer_serial) : NULL;

	return address ? address : g_hash_table_lookup(c->stations, STATION_DEFAULT);
}

unsigned
config_attempts_max(const struct config *c)
{
	return c->attempts_max;
}

unsigned
config_wait_poll_ms(const struct config *c)
{
	return c->wait_poll_ms;
}

const char *
config_fit(const struct config *c)
{
	return c->fit;
}

unsigned
config_chip_wait_ms(const struct config *c)
{
	return c->chip_wait_ms;
}

unsigned
config_retention_months(const struct config *c)
{
	return c->retention_months;
}

const struct printer_limits *
config_limits(const struct config *c)
{
	return &c->limits;
}

const struct printer_override *
config_overrides(const struct config *c, const struct usb_printer *printer, size_t *n)
{
	const char *names[] = {printer->name, printer->serial, printer->model};
	GArray *list = NULL;

	for (size_t i = 0; i < ARRAY_LEN(names) && !list; i++)
		list = g_hash_table_lookup(c->printers, names[i]);
	*n = list ? list->len : 0;
	return list ? (const struct printer_override *)(const void *)list->data : NULL;
}

struct printer_setup
config_setup(const struct config *c, const struct usb_printer *printer)
{
	struct printer_setup setup = {.limits = c->limits};

	setup.overrides = config_overrides(c, printer, &setup.n_overrides);
	return setup;
}
