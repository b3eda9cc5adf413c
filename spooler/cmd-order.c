/*
 * cmd-order.c - the commands over orders that lie ready for the escape ~C.
 *
 * Owns the folder of orders: batches that pdftocards looks a holder's number up in. Guarantees: an
 * order is there whole or not at all, readable by root and the folder's group alone (the group CUPS
 * runs its filters with); no number stands in two orders. On failure the folder is as it was; no
 * message names a holder.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/ndef.h"
#include "spooler/spooler.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <glib.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN = 4096, ORDER_MAX = 1 << 30, FOLDER_MODE = 0750, FILE_MODE = 0640 };
#define ORDER_END   ".cards"
#define ORDER_GROUP "lp"

struct order {
	struct config *config;
	const char *orders, *templates;
	bool json;
	char **names;
	int n_names;
	GHashTable *numbers; /* of the order that is added: number -> "" */
	struct err *e;
};

/* ---- words ---- */

static int
order_start(struct order *o, const char *usage, int argc, char **argv, int n_names, struct err *e)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
	int c;

	*o = (struct order){.e = e};
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "j", options, NULL)) == 'j')
		o->json = true;
	if (c != -1 || argc - optind != n_names)
		return err_set(e, ERR_USAGE, _("The call is: cardspool order %s"), usage);
	o->names = argv + optind;
	o->n_names = n_names;
	int rc = config_load(&o->config, e);
	if (!rc) {
		o->orders = config_orders(o->config);
		o->templates = config_templates(o->config);
	}
	return rc;
}

static int
order_end(struct order *o, int rc)
{
	if (o->numbers)
		g_hash_table_destroy(o->numbers);
	config_destroy(o->config);
	return rc;
}

/* The file's own name without .cards is the order's; it must be a plain one. */
static int
order_path(char out[PATH_LEN], const struct order *o, const char *file, struct err *e)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	const char *slash = strrchr(file, '/');
	const char *name = slash ? slash + 1 : file;
	size_t len = strlen(name), end = strlen(ORDER_END);

	if (len > end && !strcmp(name + len - end, ORDER_END))
		len -= end;
	if (!len || len > 64 || name[0] == '.' || strspn(name, allowed) < len)
		return err_set(e, ERR_INPUT,
			_("%s: an order's name has letters, digits, dots and hyphens, at most 64. "
			  "Rename the file."),
			file);
	int n = snprintf(out, PATH_LEN, "%s/%.*s%s", o->orders, (int)len, name, ORDER_END);
	return n < PATH_LEN ? 0 : err_set(e, ERR_USAGE, _("%s: the path is too long."), o->orders);
}

/* ---- the orders that are there ---- */

typedef int (*order_visit)(struct order *o, const char *name, const char *path);

/* Calls visit for every order in the order of names; stops at the first that is not 0. */
static int
orders_walk(struct order *o, order_visit visit)
{
	struct dirent **entries = NULL;
	int n = scandir(o->orders, &entries, NULL, alphasort), rc = 0;

	if (n < 0)
		return errno == ENOENT ? 0
				       : err_set(o->e, ERR_DENIED, _("%s cannot be read: %s."),
						 o->orders, strerror(errno));
	for (int i = 0; i < n; i++) {
		size_t len = strlen(entries[i]->d_name), end = strlen(ORDER_END);
		char path[PATH_LEN];
		if (!rc && entries[i]->d_name[0] != '.' && len > end &&
			!strcmp(entries[i]->d_name + len - end, ORDER_END) &&
			snprintf(path, sizeof path, "%s/%s", o->orders, entries[i]->d_name) <
				PATH_LEN) {
			entries[i]->d_name[len - end] = '\0';
			rc = visit(o, entries[i]->d_name, path);
		}
		free(entries[i]);
	}
	free(entries);
	return rc;
}

static int
template_of(const struct order *o, const char *name, struct template **out, struct err *e)
{
	char path[PATH_LEN];

	*out = NULL;
	if (snprintf(path, sizeof path, "%s/%s", o->templates, name) >= PATH_LEN)
		return err_set(e, ERR_USAGE, _("%s: the path is too long."), o->templates);
	return template_open(out, path, e);
}

/* Hands every record's number to see; NULL b of a template without a number. */
static int
numbers_walk(struct order *o, const char *path, int (*see)(struct order *, const char *, unsigned))
{
	struct batch *b;
	struct template *t = NULL;
	int rc = batch_open(&b, path, o->e);

	if (rc)
		return rc;
	const struct batch_info *info = batch_info(b);
	rc = template_of(o, info->template_name, &t, o->e);
	const struct schema *s = rc ? NULL : template_schema(t);
	const bool chip = !rc && (template_chip_map(t) || template_tag_map(t));
	if (!rc && (s->number_field < 0 || !chip))
		rc = err_set(o->e, ERR_INPUT,
			_("%s: cards of template %s have no %s, so ~C cannot ask for them."), path,
			info->template_name, chip ? _("number") : _("chip"));
	for (unsigned n = 1; !rc && n <= info->n_records; n++) {
		struct record rec = {0};
		rc = batch_record(b, s, n, &rec, o->e);
		if (!rc)
			rc = see(o, rec.values[s->number_field], n);
		record_done(&rec, s);
	}
	template_close(t);
	batch_close(b);
	return rc;
}

/* ---- add ---- */

static int
number_keep(struct order *o, const char *number, unsigned record)
{
	if (g_hash_table_add(o->numbers, g_strdup(number)))
		return 0;
	return err_set(o->e, ERR_INPUT,
		_("Record %u has the number of an earlier one. Pack the order again without it."),
		record);
}

static int
number_compare(struct order *o, const char *number, unsigned record)
{
	return g_hash_table_contains(o->numbers, number)
		       ? err_set(o->e, ERR_INPUT,
				 _("its record %u has a number of the new order too"), record)
		       : 0;
}

static int
order_compare(struct order *o, const char *name, const char *path)
{
	int rc = numbers_walk(o, path, number_compare);

	if (rc == ERR_INPUT) {
		struct err cause = *o->e;
		err_set(o->e, rc,
			_("Order %s stands in the way: %s. Remove it first: cardspool order remove "
			  "%s"),
			name, cause.text, name);
	}
	return rc;
}

/* Made by the first order, or by the package before it. */
static int
folder_make(const char *path, struct err *e)
{
	const struct group *lp = getgrnam(ORDER_GROUP);
	struct stat st;

	if (stat(path, &st) == 0)
		return S_ISDIR(st.st_mode) && !(st.st_mode & S_IRWXO)
			       ? 0
			       : err_set(e, ERR_DENIED,
					 _("%s is open to everybody, but orders hold personal "
					   "data. Run: chmod o= %s"),
					 path, path);
	if (g_mkdir_with_parents(path, FOLDER_MODE) || chmod(path, FOLDER_MODE) ||
		(lp && geteuid() == 0 && chown(path, (uid_t)-1, lp->gr_gid)))
		return err_set(e, errno == EACCES ? ERR_DENIED : ERR_STORAGE,
			_("%s cannot be made: %s."), path, strerror(errno));
	return 0;
}

/* The copy is readable by nobody but its owner until it has the folder's group. */
static int
file_copy(const struct order *o, const char *from, const char *path, struct err *e)
{
	char kept[PATH_LEN + 8];
	struct stat folder;
	struct buf b;

	buf_init(&b, ORDER_MAX);
	snprintf(kept, sizeof kept, "%s.new", path);
	int rc = file_read(&b, from, ORDER_MAX, e);
	if (!rc)
		rc = file_write(kept, b.data, b.len, 0600, e);
	buf_done(&b);
	if (rc)
		return rc;
	if (stat(o->orders, &folder) || chown(kept, (uid_t)-1, folder.st_gid) ||
		chmod(kept, FILE_MODE) || rename(kept, path) || file_folder_sync(path)) {
		rc = err_set(e, ERR_STORAGE, _("%s cannot be written: %s."), path, strerror(errno));
		unlink(kept);
	}
	return rc;
}

static int
order_add(int argc, char **argv, struct err *e)
{
	struct order o;
	char path[PATH_LEN] = "";
	int rc = order_start(&o, "add FILE.cards [--json]", argc, argv, 1, e);

	if (!rc)
		rc = order_path(path, &o, o.names[0], e);
	if (!rc && access(path, F_OK) == 0)
		rc = err_set(e, ERR_INPUT,
			_("An order of that name lies ready already: %s. Remove it, or rename the "
			  "file."),
			path);
	o.numbers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	if (!rc)
		rc = numbers_walk(&o, o.names[0], number_keep);
	if (!rc)
		rc = orders_walk(&o, order_compare);
	if (!rc)
		rc = folder_make(o.orders, e);
	if (!rc)
		rc = file_copy(&o, o.names[0], path, e);
	if (!rc && o.json)
		printf("{\"records\":%u}\n", g_hash_table_size(o.numbers));
	else if (!rc)
		printf(_("%u records lie ready for ~C.\n"), g_hash_table_size(o.numbers));
	return order_end(&o, rc);
}

/* ---- list and remove ---- */

struct order_listing {
	struct order o;
	struct textable *table;
	json_t *rows;
};

static int
order_show(struct order *o, const char *name, const char *path)
{
	struct order_listing *l = (struct order_listing *)o;
	struct batch *b;
	struct stat st = {0};
	char count[16], when[64];
	int rc = batch_open(&b, path, o->e);

	if (rc)
		return rc;
	const struct batch_info *info = batch_info(b);
	stat(path, &st);
	time_show(when, sizeof when, (int64_t)st.st_mtime * 1000);
	snprintf(count, sizeof count, "%u", info->n_records);
	textable_add(l->table, name, info->template_name, info->order, count, when);
	json_array_append_new(l->rows,
		json_pack("{s:s, s:s, s:s, s:I}", "name", name, "template", info->template_name,
			"order", info->order, "records", (json_int_t)info->n_records));
	batch_close(b);
	return 0;
}

static int
order_list(int argc, char **argv, struct err *e)
{
	struct order_listing l = {.rows = json_array()};
	int rc = order_start(&l.o, "list [--json]", argc, argv, 0, e);

	l.table = textable_create(
		5, _("ORDER"), _("TEMPLATE"), _("NUMBER"), _("RECORDS"), _("ADDED"));
	if (!rc)
		rc = orders_walk(&l.o, order_show);
	if (!rc && l.o.json) {
		json_dumpf(l.rows, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (!rc && !textable_rows(l.table)) {
		puts(_("No order lies ready."));
	} else if (!rc) {
		textable_print(l.table, stdout);
	}
	textable_destroy(l.table);
	json_decref(l.rows);
	return order_end(&l.o, rc);
}

static int
order_remove(int argc, char **argv, struct err *e)
{
	struct order o;
	char path[PATH_LEN] = "";
	int rc = order_start(&o, "remove NAME [--json]", argc, argv, 1, e);

	if (!rc)
		rc = order_path(path, &o, o.names[0], e);
	if (!rc && unlink(path))
		rc = err_set(e, errno == ENOENT ? ERR_MISSING : ERR_DENIED,
			_("Order %s cannot be removed: %s. See: cardspool order list"), o.names[0],
			strerror(errno));
	if (!rc && file_folder_sync(path))
		rc = err_set(
			e, ERR_STORAGE, _("%s cannot be written: %s."), o.orders, strerror(errno));
	if (!rc && o.json)
		printf("{\"removed\":true}\n");
	else if (!rc)
		printf(_("Order %s is removed; ~C does not find its records any more.\n"),
			o.names[0]);
	return order_end(&o, rc);
}

const struct command commands_order[] = {
	{"order", "add", "FILE.cards [--json]",
		N_("put a batch aside, for pages that ask for a record by ~C and its number"),
		order_add},
	{"order", "list", "[--json]", N_("the orders that lie ready"), order_list},
	{"order", "remove", "NAME [--json]", N_("take an order away"), order_remove},
	{0},
};
