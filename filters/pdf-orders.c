/*
 * pdf-orders.c - the orders that lie ready, as a job with ~C looks numbers up in them.
 *
 * Owns an index of every number in every order, made once a job when the first number is asked for,
 * so that a page costs the same however many orders and records there are. Guarantees: a number
 * that two records have is refused; a record is taken only if it still has the number it was found
 * by. On failure nothing is filled; no message quotes a number.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/pdf-chip.h"

#include <dirent.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_LEN = 4096 };

/* Where a number stands, and how often. */
struct place {
	unsigned order, record, times;
};

struct pdf_orders {
	const char *templates, *folder;
	GHashTable *numbers; /* number -> struct place; NULL: not read yet */
	GPtrArray *paths;
	/* The order that was used last stays open. */
	struct batch *batch;
	struct template *template;
	unsigned open;
};

static void
number_free(void *number)
{
	explicit_bzero(number, strlen(number));
	g_free(number);
}

struct pdf_orders *
pdf_orders_create(const char *templates, const char *folder)
{
	struct pdf_orders *o = g_new0(struct pdf_orders, 1);

	o->templates = templates;
	o->folder = folder;
	o->paths = g_ptr_array_new_with_free_func(g_free);
	return o;
}

static void
order_close(struct pdf_orders *o)
{
	template_close(o->template);
	batch_close(o->batch);
	o->template = NULL;
	o->batch = NULL;
}

void
pdf_orders_destroy(struct pdf_orders *o)
{
	if (!o)
		return;
	order_close(o);
	if (o->numbers)
		g_hash_table_destroy(o->numbers);
	g_ptr_array_free(o->paths, TRUE);
	g_free(o);
}

static int
order_open(struct pdf_orders *o, unsigned order, struct err *e)
{
	if (o->batch && o->open == order)
		return 0;
	order_close(o);
	int rc = batch_open(&o->batch, g_ptr_array_index(o->paths, order), e);
	if (!rc)
		rc = pdf_template_find(
			&o->template, o->templates, batch_info(o->batch)->template_name, e);
	o->open = order;
	if (rc)
		order_close(o);
	return rc;
}

/* ---- the index ---- */

static void
number_add(struct pdf_orders *o, const char *number, unsigned order, unsigned record)
{
	struct place *p = g_hash_table_lookup(o->numbers, number);

	if (p) {
		p->times++;
		return;
	}
	p = g_new(struct place, 1);
	*p = (struct place){order, record, 1};
	g_hash_table_insert(o->numbers, g_strdup(number), p);
}

static int
order_read(struct pdf_orders *o, unsigned order, struct err *e)
{
	int rc = order_open(o, order, e);
	const struct schema *s = rc ? NULL : template_schema(o->template);

	for (unsigned n = 1; !rc && s->number_field >= 0 && n <= batch_info(o->batch)->n_records;
		n++) {
		struct record rec = {0};
		if (!(rc = batch_record(o->batch, s, n, &rec, e)))
			number_add(o, rec.values[s->number_field], order, n);
		record_done(&rec, s);
	}
	return rc;
}

static int
orders_read(struct pdf_orders *o, struct err *e)
{
	DIR *folder = opendir(o->folder);
	const struct dirent *entry;
	int rc = 0;

	o->numbers = g_hash_table_new_full(g_str_hash, g_str_equal, number_free, g_free);
	while (folder && (entry = readdir(folder)))
		if (entry->d_name[0] != '.' && g_str_has_suffix(entry->d_name, ".cards"))
			g_ptr_array_add(o->paths, g_strconcat(o->folder, "/", entry->d_name, NULL));
	if (folder)
		closedir(folder);
	for (unsigned i = 0; !rc && i < o->paths->len; i++)
		rc = order_read(o, i, e);
	if (rc) {
		g_hash_table_destroy(o->numbers);
		o->numbers = NULL;
		g_ptr_array_set_size(o->paths, 0);
		order_close(o);
	}
	return rc;
}

/* ---- a number ---- */

static int
record_fill(struct pdf_orders *o, struct stream_card *card, const struct place *p,
	const char *number, struct err *e)
{
	struct record rec = {0};
	int rc = order_open(o, p->order, e);

	if (rc)
		return rc;
	const struct schema *s = template_schema(o->template);
	rc = batch_record(o->batch, s, p->record, &rec, e);
	if (!rc && strcmp(rec.values[s->number_field], number))
		rc = err_set(e, ERR_INPUT,
			_("The orders of %s were changed while the job ran. Release the job."),
			o->folder);
	if (!rc)
		rc = stream_card_fill(card, o->template, &rec, e);
	record_done(&rec, s);
	return rc;
}

int
pdf_orders_fill(struct pdf_orders *o, struct stream_card *card, const char *number, struct err *e)
{
	int rc = o->numbers ? 0 : orders_read(o, e);
	const struct place *p = rc ? NULL : g_hash_table_lookup(o->numbers, number);

	if (rc)
		return rc;
	if (!p)
		return err_set(e, ERR_MISSING,
			_("No order in %s has the number that the page's escape ~C asks for. Put "
			  "the "
			  "order's batch there, "
			  "then release the job."),
			o->folder);
	if (p->times > 1)
		return err_set(e, ERR_INPUT,
			_("The number that the page's escape ~C asks for stands %u times in the "
			  "orders of %s. Take the "
			  "old ones away, then release the job."),
			p->times, o->folder);
	return record_fill(o, card, p, number, e);
}
