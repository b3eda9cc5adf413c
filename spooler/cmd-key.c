/*
 * cmd-key.c - the commands over keys.
 *
 * Owns the making of a key file. Never shows a key. On failure no file is left.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <string.h>

static int
key_create(int argc, char **argv, struct err *e)
{
	struct config *c = NULL;
	const char *path;
	int rc = 0;

	if (argc > 2 || (argc == 2 && argv[1][0] == '-'))
		return err_set(e, ERR_USAGE, "%s", _("The call is: cardspool key create [FILE]"));
	if (argc < 2)
		rc = config_load(&c, e);
	path = argc == 2 ? argv[1] : c ? config_keys(c) : NULL;
	if (rc == 0)
		rc = keyfile_create(path, e);
	if (rc == 0)
		printf(_("Made the key file %s. Without it no card made with it can be written "
			 "again: keep a copy "
			 "under lock.\n"),
			path);
	config_destroy(c);
	return rc;
}

const struct command commands_key[] = {
	{"key", "create", "[FILE]", N_("make a file with fresh master keys"), key_create},
	{0},
};
