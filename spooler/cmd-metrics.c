/*
 * cmd-metrics.c - figures for Prometheus, as a text file.
 *
 * Owns the names of the figures and the form (text format 0.0.4). Guarantees: the file is complete
 * or as it was; a value's text cannot break a line; nothing personal is in it. Reads only. When
 * CUPS does not answer its figures are left out and cardspool_cups_up is 0.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/overview.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define USAGE "[-o FILE] [--json] [--ledger FILE]"

enum { METRICS_MAX = 1024 * 1024, CUPS_TIMEOUT_MS = 3000 };

static int
head_put(struct buf *out, const char *name, const char *help, struct err *e)
{
	return buf_printf(out, e, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

/* name="value" with the three characters that the format escapes. */
static int
label_put(struct buf *out, const char *before, const char *name, const char *value, struct err *e)
{
	int rc = buf_printf(out, e, "%s%s=\"", before, name);

	for (; *value && rc == 0; value++)
		if (*value == '\n')
			rc = buf_append(out, "\\n", 2, e);
		else if (*value == '"' || *value == '\\')
			rc = buf_printf(out, e, "\\%c", *value);
		else if ((unsigned char)*value >= 0x20 && *value != 0x7f)
			rc = buf_append(out, value, 1, e);
	return rc == 0 ? buf_append(out, "\"", 1, e) : rc;
}

static int
value_put(struct buf *out, int64_t value, struct err *e)
{
	return buf_printf(out, e, "} %" PRId64 "\n", value);
}

/* ---- from the ledger ---- */

static int
cards_put(struct buf *out, struct ledger *l, const struct overview *o, struct err *e)
{
	static const struct {
		const char *outcome;
		size_t offset;
	} outcomes[] = {{"good", offsetof(struct tally, good)},
		{"rejected", offsetof(struct tally, rejected)},
		{"spoiled", offsetof(struct tally, spoiled)},
		{"doubt", offsetof(struct tally, doubt)},
		{"inside", offsetof(struct tally, inside)}};
	int rc =
		head_put(out, "cardspool_cards", "Cards that were fed, by what became of them.", e);

	for (unsigned i = 0; i < o->n_machines && rc == 0; i++) {
		struct tally t;

		rc = ledger_tally_printer(l, o->machines[i].serial, &t, e);
		for (size_t k = 0; k < ARRAY_LEN(outcomes) && rc == 0; k++) {
			const unsigned *n = (const unsigned *)(const void *)((const char *)&t +
									     outcomes[k].offset);

			rc = label_put(out, "cardspool_cards{", "serial", o->machines[i].serial, e);
			if (rc == 0)
				rc = label_put(out, ",", "model", o->machines[i].model, e);
			if (rc == 0)
				rc = label_put(out, ",", "outcome", outcomes[k].outcome, e);
			if (rc == 0)
				rc = value_put(out, *n, e);
		}
	}
	return rc;
}

static int
failures_put(struct buf *out, struct ledger *l, struct err *e)
{
	int rc =
		head_put(out, "cardspool_failures", "Failures that the ledger keeps, by cause.", e);

	for (int i = 1; i < FAULT_COUNT && rc == 0; i++) {
		const struct failure_filter f = {.code = fault_row(i)->code};
		int64_t n = 0;

		rc = failure_count(l, &f, &n, e);
		if (rc == 0)
			rc = label_put(out, "cardspool_failures{", "cause", f.code, e);
		if (rc == 0)
			rc = value_put(out, n, e);
	}
	return rc;
}

static int
counts_put(struct buf *out, const struct overview *o, struct err *e)
{
	const struct {
		const char *name, *help;
		int64_t n;
	} counts[] = {{"cardspool_failures_open", "Failures that are not cleared.", o->n_open},
		{"cardspool_reviews_waiting", "Records without a review.", o->n_waiting},
		{"cardspool_reviews_overdue",
			"Records without a review that are older than the retention time.",
			o->n_overdue}};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(counts) && rc == 0; i++) {
		rc = head_put(out, counts[i].name, counts[i].help, e);
		if (rc == 0)
			rc = buf_printf(out, e, "%s %" PRId64 "\n", counts[i].name, counts[i].n);
	}
	return rc;
}

/* ---- from CUPS ---- */

static int
queue_label(struct buf *out, const char *name, const struct queue_row *q, struct err *e)
{
	int rc = buf_printf(out, e, "%s", name);

	if (rc == 0)
		rc = label_put(out, "{", "queue", q->name, e);
	return rc == 0 ? label_put(out, ",", "serial", q->serial, e) : rc;
}

static int
queues_put(struct buf *out, const struct queue_list *list, struct err *e)
{
	int rc = head_put(out, "cardspool_cups_up", "1 when CUPS answers.", e);

	if (rc == 0)
		rc = buf_printf(out, e, "cardspool_cups_up %d\n", list->answered);
	if (rc == 0 && list->n > 0)
		rc = head_put(out, "cardspool_queue_stopped", "1 when the queue is stopped.", e);
	for (unsigned i = 0; i < list->n && rc == 0; i++) {
		rc = queue_label(out, "cardspool_queue_stopped", &list->rows[i], e);
		if (rc == 0)
			rc = value_put(out, strcmp(list->rows[i].state, "stopped") == 0, e);
	}
	if (rc == 0 && list->n > 0)
		rc = head_put(out, "cardspool_queue_jobs", "Jobs waiting or under way.", e);
	for (unsigned i = 0; i < list->n && rc == 0; i++) {
		if (list->rows[i].jobs < 0)
			continue;
		rc = queue_label(out, "cardspool_queue_jobs", &list->rows[i], e);
		if (rc == 0)
			rc = value_put(out, list->rows[i].jobs, e);
	}
	return rc;
}

static int
supplies_put(struct buf *out, const struct queue_list *list, struct err *e)
{
	int rc = list->n > 0 ? head_put(out, "cardspool_supply_percent",
				       "What is left of a supply, as CUPS last heard.", e)
			     : 0;

	for (unsigned i = 0; i < list->n && rc == 0; i++)
		for (unsigned k = 0; k < list->rows[i].n_supplies && rc == 0; k++) {
			if (list->rows[i].supply[k].level < 0)
				continue;
			rc = queue_label(out, "cardspool_supply_percent", &list->rows[i], e);
			if (rc == 0)
				rc = label_put(out, ",", "supply", list->rows[i].supply[k].name, e);
			if (rc == 0)
				rc = value_put(out, list->rows[i].supply[k].level, e);
		}
	return rc;
}

/* ---- the command ---- */

static int
metrics_build(struct buf *out, struct request *q, struct err *e)
{
	struct overview *o = malloc(sizeof *o);
	struct queue_list *list = malloc(sizeof *list);
	unsigned months =
		q->config ? config_retention_months(q->config) : (unsigned)RETENTION_MONTHS_MIN;
	int rc = o && list ? overview_read(q->ledger, months, o, e)
			   : err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));

	if (rc == 0)
		rc = cards_put(out, q->ledger, o, e);
	if (rc == 0)
		rc = failures_put(out, q->ledger, e);
	if (rc == 0)
		rc = counts_put(out, o, e);
	if (rc == 0) {
		queue_list_read(list, CUPS_TIMEOUT_MS);
		rc = queues_put(out, list, e);
	}
	if (rc == 0)
		rc = supplies_put(out, list, e);
	free(o);
	free(list);
	return rc;
}

static int
call_parse(struct request *q, int argc, char **argv, struct err *e)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"ledger", required_argument, NULL, 'l'},
		{0},
	};
	int option;

	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (option == 'j')
			q->json = true;
		else if (option == 'l')
			q->ledger_path = optarg;
		else if (option == 'o')
			q->out = optarg;
		else
			return err_set(e, ERR_USAGE,
				_("\"%s\" is not understood. The call is: cardspool metrics %s"),
				argv[optind > 0 ? optind - 1 : 0], USAGE);
	}
	if (optind != argc)
		return err_set(e, ERR_USAGE, _("The call is: cardspool metrics %s"), USAGE);
	return 0;
}

static int
metrics_run(int argc, char **argv, struct err *e)
{
	struct request q = {0};
	struct buf out;
	int rc = call_parse(&q, argc, argv, e);

	if (rc != 0)
		return rc;
	buf_init(&out, METRICS_MAX);
	rc = request_open(&q, LEDGER_READ, e);
	if (rc == 0)
		rc = metrics_build(&out, &q, e);
	if (rc == 0 && q.out)
		rc = file_write(q.out, out.data, out.len, 0644, e);
	else if (rc == 0 && !q.json)
		fwrite(out.data, 1, out.len, stdout);
	if (rc == 0 && q.json)
		printf("{\"bytes\":%zu}\n", out.len);
	buf_done(&out);
	return request_end(&q, rc);
}

const struct command commands_metrics[] = {
	{"metrics", NULL, USAGE, N_("figures for Prometheus, as a text file"), metrics_run},
	{0},
};
