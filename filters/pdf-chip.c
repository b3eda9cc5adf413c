/*
 * pdf-chip.c - the chip of a card whose page asks for it by ~C.
 *
 * Owns the way from the escape's text to a record: fields written out, or a holder's number looked
 * up in the orders that were put aside for this. Guarantees: a record passes the same rules as in a
 * batch; a number that two orders have is refused. On failure nothing is filled; no message quotes
 * what the escape says.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/ndef.h"
#include "filters/pdf.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_LEN = 4096 };

struct lookup {
	const char *templates, *orders;
	const char *number;
	struct stream_card *card;
	unsigned found;
};

static int
template_find(struct template **out, const char *folder, const char *name, struct err *e)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	char path[PATH_LEN];

	*out = NULL;
	if (!name || !name[0] || name[0] == '.' || strspn(name, allowed) != strlen(name))
		return err_set(e, ERR_INPUT,
			_("The escape ~C has fields but names no template. Begin it with "
			  "template=NAME; or print with "
			  "cardspool-template=NAME."));
	snprintf(path, sizeof path, "%s/%s", folder, name);
	int rc = template_open(out, path, e);
	if (!rc && !template_chip_map(*out) && !template_tag_map(*out)) {
		template_close(*out);
		*out = NULL;
		rc = err_set(e, ERR_INPUT,
			_("Template %s has neither chip.map nor a tag that the printer writes, so "
			  "there is nothing for ~C."),
			name);
	}
	return rc;
}

/* ---- fields ---- */

static int
field_put(struct record *rec, const struct schema *s, const char *name, const char *value,
	struct err *e)
{
	int field = value ? schema_field(s, name) : -1;

	if (field < 0)
		return err_set(e, ERR_INPUT,
			_("The escape ~C has a field that template %s does not know. Write it as "
			  "name=value;name=value."),
			s->name);
	char *copy = strdup(value);
	if (!copy)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	free(rec->values[field]);
	rec->values[field] = copy;
	return 0;
}

static int
fields_fill(struct stream_card *card, char *text, const char *template, const char *templates,
	struct err *e)
{
	struct record rec = {0};
	struct template *t = NULL;
	char *rest = text, *name = NULL, *value = NULL;
	bool more = escape_field(&rest, &name, &value);

	if (more && value && !strcmp(name, "template")) {
		template = value;
		more = escape_field(&rest, &name, &value);
	}
	int rc = template_find(&t, templates, template, e);
	if (rc)
		return rc;
	const struct schema *s = template_schema(t);
	if ((rc = record_create(&rec, s, e)))
		goto out;
	rec.number = card->card;
	for (; !rc && more; more = escape_field(&rest, &name, &value))
		rc = field_put(&rec, s, name, value, e);
	if (!rc)
		rc = record_check(&rec, s, "~C", 0, e);
	if (!rc)
		rc = stream_card_fill(card, t, &rec, e);
	record_done(&rec, s);
out:
	template_close(t);
	return rc;
}

/* ---- a number ---- */

static int
batch_search(struct lookup *l, const char *path, struct err *e)
{
	struct batch *batch;
	struct template *t = NULL;
	int rc = batch_open(&batch, path, e);

	if (rc)
		return rc;
	const struct batch_info *info = batch_info(batch);
	rc = template_find(&t, l->templates, info->template_name, e);
	const struct schema *s = rc ? NULL : template_schema(t);
	for (unsigned n = 1; !rc && s->number_field >= 0 && n <= info->n_records; n++) {
		struct record rec = {0};
		if ((rc = batch_record(batch, s, n, &rec, e)))
			break;
		if (!strcmp(rec.values[s->number_field], l->number) && !l->found++)
			rc = stream_card_fill(l->card, t, &rec, e);
		record_done(&rec, s);
	}
	template_close(t);
	batch_close(batch);
	return rc;
}

static int
number_fill(struct lookup *l, struct err *e)
{
	DIR *folder = opendir(l->orders);
	const struct dirent *entry;
	char path[PATH_LEN];
	int rc = 0;

	while (folder && !rc && (entry = readdir(folder))) {
		size_t len = strlen(entry->d_name);
		if (entry->d_name[0] == '.' || len < 7 || strcmp(entry->d_name + len - 6, ".cards"))
			continue;
		snprintf(path, sizeof path, "%s/%s", l->orders, entry->d_name);
		rc = batch_search(l, path, e);
	}
	if (folder)
		closedir(folder);
	if (!rc && !l->found)
		rc = err_set(e, ERR_MISSING,
			_("No order in %s has the number that the page's escape ~C asks for. Put "
			  "the "
			  "order's batch there, "
			  "then release the job."),
			l->orders);
	if (!rc && l->found > 1)
		rc = err_set(e, ERR_INPUT,
			_("The number that the page's escape ~C asks for stands %u times in the "
			  "orders of %s. Take the "
			  "old ones away, then release the job."),
			l->found, l->orders);
	return rc;
}

int
pdf_chip_fill(struct stream_card *card, const char *text, const char *template,
	const char *templates, const char *orders, struct err *e)
{
	char copy[ESCAPE_CHIP_MAX];
	struct stream_card filled = *card;
	struct lookup l = {templates, orders, copy, &filled, 0};

	snprintf(copy, sizeof copy, "%s", text);
	int rc = strchr(copy, '=') ? fields_fill(&filled, copy, template, templates, e)
				   : number_fill(&l, e);
	if (!rc)
		*card = filled;
	explicit_bzero(copy, sizeof copy);
	return rc;
}
