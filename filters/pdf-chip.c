/*
 * pdf-chip.c - the chip of a card whose page asks for it by ~C.
 *
 * Owns the way from the escape's text to a record: fields written out here, a holder's number
 * by pdf-orders.c. Guarantees: a record passes the same rules as in a batch. On failure nothing is
 * filled; no message quotes what the escape says.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/escape.h"
#include "filters/ndef.h"
#include "filters/pdf-chip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_LEN = 4096 };

int
pdf_template_find(struct template **out, const char *folder, const char *name, struct err *e)
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
	int rc = pdf_template_find(&t, templates, template, e);
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

int
pdf_chip_fill(struct stream_card *card, const char *text, const char *template,
	const char *templates, struct pdf_orders *orders, struct err *e)
{
	char copy[ESCAPE_CHIP_MAX];
	struct stream_card filled = *card;

	snprintf(copy, sizeof copy, "%s", text);
	int rc = strchr(copy, '=') ? fields_fill(&filled, copy, template, templates, e)
				   : pdf_orders_fill(orders, &filled, copy, e);
	if (!rc)
		*card = filled;
	explicit_bzero(copy, sizeof copy);
	return rc;
}
