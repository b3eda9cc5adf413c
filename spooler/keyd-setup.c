/*
 * keyd-setup.c - where keyd takes keys from, as cardspool.conf says.
 *
 * Owns the meaning of section [keys]. Guarantees: what is not understood is refused before a keyd
 * is started; nothing here is secret.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/keys.h"

#include <string.h>

static int
source_parse(bool *psam, const char *value, const char *name, struct err *e)
{
	*psam = strcmp(value, "psam") == 0;
	if (*psam || strcmp(value, "file") == 0)
		return 0;
	return err_set(e, ERR_INPUT, _("cardspool.conf: %s in [keys] is file or psam, not \"%s\"."),
		name, value);
}

static int
psam_parse(struct psam_setup *out, const struct config *c, struct err *e)
{
	const char *reader = config_text(c, "keys", "psam-reader");
	const char *name = config_text(c, "keys", "psam-application");
	size_t len = name ? strlen(name) / 2 : 0;

	if (!reader || strlen(reader) >= sizeof out->reader)
		return err_set(e, ERR_INPUT, "%s",
			_("cardspool.conf: psam-reader in [keys] must name the reader of the "
			  "security module, as \"pcsc_scan -r\" shows it."));
	if (len == 0 || len > sizeof out->application ||
		hex_parse(out->application, len, name) != 0)
		return err_set(e, ERR_INPUT, "%s",
			_("cardspool.conf: psam-application in [keys] must be the name of the "
			  "module's application, 1 to 16 bytes in hexadecimal."));
	snprintf(out->reader, sizeof out->reader, "%s", reader);
	out->application_len = len;
	out->key_version = (uint8_t)config_number(c, "keys", "psam-key-version");
	out->access_usage = (uint8_t)config_number(c, "keys", "psam-key-usage");
	out->mac_usage = (uint8_t)config_number(c, "keys", "psam-mac-usage");
	return 0;
}

int
keyd_setup_load(struct keyd_setup *out, const struct config *c, struct err *e)
{
	*out = (struct keyd_setup){0};
	snprintf(out->key_path, sizeof out->key_path, "%s", config_keys(c));
	int rc = source_parse(&out->psam_keys, config_text(c, "keys", "keys"), "keys", e);
	if (rc == 0)
		rc = source_parse(&out->psam_mac, config_text(c, "keys", "mac"), "mac", e);
	if (rc == 0 && (out->psam_keys || out->psam_mac))
		rc = psam_parse(&out->psam, c, e);
	return rc;
}

int
keyd_start_config(const struct config *c, const char *run_as, pid_t *pid, int *fd, struct err *e)
{
	struct keyd_setup setup;
	int rc = keyd_setup_load(&setup, c, e);

	cores_forbid();
	*pid = -1;
	*fd = -1;
	return rc ? rc : keyd_start_setup(&setup, run_as, pid, fd, e);
}
