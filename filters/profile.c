/*
 * profile.c - finding the colour profile of a printer and ribbon.
 *
 * Owns the names of profile files. Guarantees: nothing outside the folder is read, whatever a job
 * asks for; without a file and with a plain tone there is no table, and dye is the complement of
 * light. On failure nothing is handed out, and the message names the file.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_LEN = 4096, NAME_LEN = 128 };

/* "Evolis Dualys 3" and ribbon "ymcko": evolis-dualys-3-ymcko */
static void
stem_build(char *out, size_t max, const char *model, const char *ribbon)
{
	size_t n = 0;

	for (const char *p = model; *p && n + 2 < max; p++) {
		char c = *p >= 'A' && *p <= 'Z' ? (char)(*p + 'a' - 'A') : *p;
		bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		if (plain)
			out[n++] = c;
		else if (n && out[n - 1] != '-')
			out[n++] = '-';
	}
	snprintf(out + n, max - n, "%s%s", n && out[n - 1] != '-' ? "-" : "", ribbon);
}

static bool
name_is_plain(const char *name)
{
	return name[0] && name[0] != '.' && !strchr(name, '/') && strlen(name) < NAME_LEN;
}

static int
path_find(char path[PATH_LEN], const char *folder, const char *model, const char *ribbon,
	const char *name, struct err *e)
{
	static const char *const suffixes[] = {".icc", ".tone"};
	char stem[NAME_LEN];

	path[0] = '\0';
	if (name && !strcmp(name, "none"))
		return 0;
	if (name && !name_is_plain(name))
		return err_set(e, ERR_INPUT,
			_("The name of a colour profile is that of a file in %s, without "
			  "folders."),
			folder);
	if (name) {
		snprintf(path, PATH_LEN, "%s/%s", folder, name);
		return access(path, R_OK) == 0 ? 0
					       : err_set(e, ERR_MISSING,
							 _("The colour profile %s is not in %s. "
							   "Install it there, or "
							   "print without the option."),
							 name, folder);
	}
	stem_build(stem, sizeof stem, model ? model : "", ribbon);
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		snprintf(path, PATH_LEN, "%s/%s%s", folder, stem, suffixes[i]);
		if (access(path, R_OK) == 0)
			return 0;
	}
	path[0] = '\0';
	return 0;
}

int
profile_load(struct dye_table **out, const char *folder, const char *model, const char *ribbon,
	const char *name, const struct dye_tone *tone, struct err *e)
{
	char path[PATH_LEN];
	struct buf file;

	*out = NULL;
	buf_init(&file, PROFILE_FILE_MAX);
	int rc = path_find(path, folder, model, ribbon, name, e);
	if (!rc && path[0])
		rc = file_read(&file, path, PROFILE_FILE_MAX, e);
	if (!rc && path[0] && !file.len)
		rc = err_set(
			e, ERR_INPUT, _("%s: is empty; install the colour profile again."), path);
	if (!rc && (file.len || tone->brightness || tone->contrast))
		rc = dye_table_build(out, tone, file.data, file.len, path, e);
	buf_done(&file);
	return rc;
}
