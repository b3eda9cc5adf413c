/*
 * photo-folder.c - the photos beside a roster: finds each record's picture and checks it.
 *
 * Guarantees: a record's photo is a file inside the folder, found by name only (column 照片, else
 * the number, else the record number), one and not two, and it keeps the schema's rules. A name
 * that would show a holder's number or name is masked in messages. Nothing is written.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/card.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define FOLDER_NAMES_MAX 100000

struct photo_folder {
	char path[PATH_MAX]; /* as the user wrote it */
	char real[PATH_MAX];
	char **names; /* sorted without regard to case */
	size_t n_names;
};

static void
folder_done(struct photo_folder *f)
{
	for (size_t i = 0; i < f->n_names; i++)
		free(f->names[i]);
	free(f->names);
}

static int
name_compare(const void *a, const void *b)
{
	return strcasecmp(*(char *const *)a, *(char *const *)b);
}

static int
folder_read(struct photo_folder *f, struct err *e)
{
	DIR *dir = opendir(f->path);
	struct dirent *entry;
	int rc = 0;

	if (!dir || !realpath(f->path, f->real)) {
		rc = err_set(e, errno == EACCES ? ERR_DENIED : ERR_MISSING,
			_("%s: the folder of photos cannot be read: %s. Name another with "
			  "--photos."),
			f->path, strerror(errno));
		goto out;
	}
	while (!rc && (entry = readdir(dir))) {
		char **names = entry->d_name[0] == '.' || f->n_names == FOLDER_NAMES_MAX
				       ? f->names
				       : realloc(f->names, (f->n_names + 1) * sizeof *names);
		if (entry->d_name[0] == '.')
			continue;
		if (f->n_names == FOLDER_NAMES_MAX)
			rc = err_set(e, ERR_INPUT, _("%s: more than %d files."), f->path,
				FOLDER_NAMES_MAX);
		else if (!names || !(names[f->n_names] = strdup(entry->d_name)))
			rc = err_set(e, ERR_SYSTEM, _("Out of memory."));
		if (names)
			f->names = names;
		f->n_names += !rc;
	}
	if (f->n_names)
		qsort(f->names, f->n_names, sizeof *f->names, name_compare);
out:
	if (dir)
		closedir(dir);
	return rc;
}

/* How many files are called stem.jpg, .jpeg, .png or .bmp in any case; *found is one of them. */
static unsigned
folder_find(const struct photo_folder *f, const char *stem, const char **found)
{
	static const char *const suffixes[] = {".jpg", ".jpeg", ".png", ".bmp"};
	unsigned n = 0;

	*found = NULL;
	for (size_t i = 0; *stem && i < ARRAY_LEN(suffixes); i++) {
		char name[NAME_MAX + 1];
		char *key = name;
		if ((size_t)snprintf(name, sizeof name, "%s%s", stem, suffixes[i]) >= sizeof name)
			continue;
		char **hit = f->n_names ? bsearch(&key, f->names, f->n_names, sizeof *f->names,
						  name_compare)
					: NULL;
		if (!hit)
			continue;
		while (hit > f->names && !strcasecmp(hit[-1], name))
			hit--;
		for (; hit < f->names + f->n_names && !strcasecmp(*hit, name); hit++, n++)
			*found = *hit;
	}
	return n;
}

/* The name as a message may show it: not the holder's number, not the holder's name. */
static void
photo_label(char *out, size_t max, const struct schema *s, const struct record *r, const char *name)
{
	const char *number = s->number_field >= 0 ? r->values[s->number_field] : "";
	const char *holder = s->name_field >= 0 ? r->values[s->name_field] : "";
	const char *dot = strrchr(name, '.');
	size_t len = strlen(number);

	if (len && !strncasecmp(name, number, len)) {
		char masked[64];
		value_mask(masked, sizeof masked, MASK_NUMBER, number);
		snprintf(out, max, "%s%s", masked, dot ? dot : "");
	} else if ((len && strcasestr(name, number)) || (*holder && strstr(name, holder))) {
		snprintf(out, max, "*%s", dot ? dot : "");
	} else {
		snprintf(out, max, "%s", name);
	}
}

/* ---- one record ---- */

/* A relative path that stays inside the folder, links followed. */
static int
path_inside(char out[PATH_MAX], const struct photo_folder *f, const char *name, struct err *e)
{
	char joined[PATH_MAX];
	size_t len = strlen(f->real);

	if (*name == '/' || strchr(name, '\\') ||
		(size_t)snprintf(joined, sizeof joined, "%s/%s", f->path, name) >= sizeof joined)
		return err_set(e, ERR_INPUT,
			_("must be a path inside the folder of photos, with / between folders."));
	if (!realpath(joined, out))
		return err_set(e, errno == EACCES ? ERR_DENIED : ERR_MISSING,
			_("the photo cannot be read: %s."), strerror(errno));
	if (strncmp(out, f->real, len) || (out[len] != '/' && strcmp(f->real, "/")))
		return err_set(e, ERR_INPUT,
			_("leads out of the folder of photos; put the photo into it."));
	return 0;
}

/* The file's name in the folder: from the column, by the number, by the record number. */
static int
photo_name(const struct photo_folder *f, const struct schema *s, const struct record *r,
	const char **name, struct err *e)
{
	char position[16];
	const char *number = s->number_field >= 0 ? r->values[s->number_field] : "";

	*name = r->photo;
	if (*r->photo)
		return 0;
	snprintf(position, sizeof position, "%04u", r->number);
	unsigned n = strchr(number, '/') ? 0 : folder_find(f, number, name);
	if (!n)
		n = folder_find(f, position, name);
	if (n > 1)
		return err_set(e, ERR_INPUT,
			_("%u files have this record's name and differ in their endings; keep "
			  "one."),
			n);
	if (!n && s->photo_required)
		return err_set(e, ERR_MISSING,
			_("no photo: neither NUMBER.jpg, .jpeg, .png or .bmp (NUMBER: the "
			  "certificate number) nor %s.jpg, .jpeg, .png or .bmp is in %s."),
			position, f->path);
	return 0;
}

int
photo_fit_check(const struct schema *s, struct buf *bytes, struct err *warning, struct err *e)
{
	struct buf fitted;
	struct err first = {0};
	int rc = photo_check(s, bytes->data, bytes->len, warning, &first);

	if (!rc || !s->photo_fit) {
		if (rc && e)
			*e = first;
		return rc;
	}
	buf_init(&fitted, PHOTO_FIT_MAX);
	rc = photo_fit(s, bytes->data, bytes->len, &fitted, e);
	if (!rc && !(rc = photo_check(s, fitted.data, fitted.len, warning, e))) {
		buf_done(bytes);
		*bytes = fitted;
		return 0;
	}
	buf_done(&fitted);
	return rc;
}

static int
photo_file_check(const struct schema *s, const char *path, struct err *warning, struct err *e)
{
	struct stat st;
	struct buf bytes;
	size_t max = s->photo_fit         ? PHOTO_FIT_MAX
		     : s->photo_max_bytes ? s->photo_max_bytes
					  : PHOTO_FILE_MAX;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_MISSING, _("the photo is not a file."));
	if ((uintmax_t)st.st_size > max)
		return err_set(e, ERR_INPUT,
			_("the photo has %jd bytes, at most %zu are allowed; save it smaller."),
			(intmax_t)st.st_size, max);
	buf_init(&bytes, max);
	int rc = file_read(&bytes, path, max, NULL);
	if (rc)
		err_set(e, rc, _("the photo cannot be read."));
	else
		rc = photo_fit_check(s, &bytes, warning, e);
	buf_done(&bytes);
	return rc;
}

/* Leaves the path to open in r->photo, "" if there is none and none is needed. */
static int
record_photo(const struct photo_folder *f, const struct schema *s, struct record *r,
	const char *source, const struct problems *problems, struct err *e)
{
	struct err warning = {0};
	char path[PATH_MAX] = "", place[512], label[NAME_MAX + 32] = "";
	const char *name = NULL;
	int rc = photo_name(f, s, r, &name, e);

	if (!rc && name && *name) {
		photo_label(label, sizeof label, s, r, name);
		rc = path_inside(path, f, name, e);
	}
	if (!rc && *path)
		rc = photo_file_check(s, path, &warning, e);
	record_place(place, sizeof place, source, r->number, r->line);
	if (!rc && warning.text[0]) {
		err_prefix(&warning, _("%s: field %s (%s)"), place, COLUMN_PHOTO, label);
		problems_warn(problems, &warning);
	}
	if (rc) {
		return *label ? err_prefix(e, _("%s: field %s (%s)"), place, COLUMN_PHOTO, label)
			      : err_prefix(e, _("%s: field %s"), place, COLUMN_PHOTO);
	}
	char *copy = strdup(path);
	if (!copy)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	free(r->photo);
	r->photo = copy;
	return 0;
}

/* ---- the roster with its photos ---- */

static bool
photos_wanted(const struct schema *s, const struct roster *r)
{
	bool named = false;

	for (size_t i = 0; i < r->n_records; i++)
		named = named || *r->records[i].photo;
	return s->photo_required || named;
}

static void
roster_photos(struct problems *p, struct roster *r, const struct schema *s, const char *source,
	const char *photo_dir)
{
	struct photo_folder *f = calloc(1, sizeof *f);
	const char *slash = strrchr(source, '/');
	const char *base = slash ? slash + 1 : source;
	struct err e = {0};
	struct stat st;

	if (!f) {
		err_set(&e, ERR_SYSTEM, _("Out of memory."));
		problems_add(p, &e);
		return;
	}
	if (photo_dir)
		snprintf(f->path, sizeof f->path, "%s", photo_dir);
	else
		snprintf(f->path, sizeof f->path, "%.*sphotos", (int)(base - source), source);
	if (!photos_wanted(s, r) && stat(f->path, &st) < 0)
		goto out;
	if (folder_read(f, &e)) {
		problems_add(p, &e);
		goto out;
	}
	for (size_t i = 0; i < r->n_records; i++)
		if (record_photo(f, s, &r->records[i], base, p, &e))
			problems_add(p, &e);
out:
	folder_done(f);
	free(f);
}

int
roster_load(struct roster **out, const struct schema *s, const char *csv_path,
	const char *photo_dir, void (*problem)(void *ctx, const struct err *e), void *ctx,
	struct err *e)
{
	struct problems problems = {.sink = problem, .ctx = ctx};
	const char *slash = strrchr(csv_path, '/');
	const char *base = slash ? slash + 1 : csv_path;
	struct roster *roster = NULL;
	struct buf bytes;

	*out = NULL;
	buf_init(&bytes, ROSTER_FILE_MAX);
	int rc = file_read(&bytes, csv_path, ROSTER_FILE_MAX, e);
	if (rc)
		goto out;
	roster_collect(&roster, s, bytes.data, bytes.len, base, 0, &problems);
	if (roster)
		roster_photos(&problems, roster, s, csv_path, photo_dir);
	rc = problems_verdict(&problems, base, roster ? roster->n_records : 0, e);
out:
	buf_done(&bytes);
	if (rc)
		roster_destroy(roster);
	else
		*out = roster;
	return rc;
}
