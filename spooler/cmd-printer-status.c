/*
 * cmd-printer-status.c - `cardspool printer status`: what a person wants to know of a printer.
 *
 * Owns the joining of three views: what the printer answers, what its queue says, what the ledger
 * saw. Guarantees that nothing moves, that a printer which a job holds is still shown by what its
 * queue says, and that a figure nobody knows is called unknown. A ledger that may not be read, or a
 * cupsd that does not answer, leaves its part out.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/cmd-printer.h"

#include <cups/cups.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ASKED_CARDS_MAX = 1000000 };

struct look {
	const struct usb_printer *usb;
	char uri[512];
	bool answered; /* st is what the printer said just now */
	struct printer_status st;
	char why_not[ERR_TEXT_MAX]; /* why it did not */
	/* its queue */
	char queue[128], state[32], message[ERR_TEXT_MAX], reasons[512], markers[ERR_TEXT_MAX];
	int jobs; /* waiting or under way, -1 unknown */
	/* the ledger */
	bool recorded;
	struct tally tally;
	struct failure_row last;
	unsigned missing; /* cards of its jobs that were begun and are not over */
	struct fit fit;   /* these, or as many as were asked for, against what is left */
	char fit_text[ERR_TEXT_MAX];
};

/* ---- the queue ---- */

static void
option_take(char *out, size_t max, const cups_dest_t *d, const char *name)
{
	const char *value = cupsGetOption(name, d->num_options, d->options);

	snprintf(out, max, "%s", value ? value : "");
}

static void
queue_look(struct look *l)
{
	static const char *const states[] = {"idle", "processing", "stopped"};
	cups_dest_t *dests = NULL;
	cups_job_t *jobs = NULL;
	int n = cupsGetDests2(CUPS_HTTP_DEFAULT, &dests);
	char number[16];

	l->jobs = -1;
	for (int i = 0; i < n; i++) {
		const char *uri =
			cupsGetOption("device-uri", dests[i].num_options, dests[i].options);

		if (!uri || dests[i].instance || strcmp(uri, l->uri) != 0)
			continue;
		snprintf(l->queue, sizeof(l->queue), "%s", dests[i].name);
		option_take(l->message, sizeof(l->message), &dests[i], "printer-state-message");
		option_take(l->reasons, sizeof(l->reasons), &dests[i], "printer-state-reasons");
		option_take(l->markers, sizeof(l->markers), &dests[i], "marker-message");
		option_take(number, sizeof(number), &dests[i], "printer-state");
		if (number[0] >= '3' && number[0] <= '5')
			snprintf(l->state, sizeof(l->state), "%s", states[number[0] - '3']);
		break;
	}
	cupsFreeDests(n, dests);
	if (!l->queue[0])
		return;
	n = cupsGetJobs2(CUPS_HTTP_DEFAULT, &jobs, l->queue, 0, CUPS_WHICHJOBS_ACTIVE);
	l->jobs = n;
	cupsFreeJobs(n > 0 ? n : 0, jobs);
}

/* ---- the ledger ---- */

static int
visit_last(void *ctx, const struct failure_row *f)
{
	struct look *l = ctx;

	if (strcmp(f->serial, l->usb->name) == 0)
		l->last = *f;
	return 0;
}

struct missing {
	struct ledger *ledger;
	const char *serial;
	unsigned cards;
};

static int
visit_missing(void *ctx, const struct job_row *job)
{
	struct missing *m = ctx;
	struct tally t;
	struct err ignored;

	if (strcmp(job->printer_serial, m->serial) == 0 &&
		(strcmp(job->state, "active") == 0 || strcmp(job->state, "held") == 0) &&
		ledger_tally(m->ledger, job->uuid, &t, &ignored) == 0 && t.good < job->n_cards)
		m->cards += job->n_cards - t.good;
	return 0;
}

/* cards 0: those of the jobs that were begun. A set of panels a card, as nearly every ribbon has.
 */
static void
fit_look(struct look *l, const struct printer_model *model, unsigned cards)
{
	const char *name = l->st.ribbon.name;
	const struct ribbon *ribbon = ribbon_find(name[0] ? name : "ymcko");

	if (!l->answered || !ribbon)
		return;
	fit_count(&l->fit, &l->st, model, ribbon, false, cards ? cards : l->missing);
	fit_text(&l->fit, name[0] ? name : _("inside"), l->fit_text, sizeof(l->fit_text));
}

static void
ledger_look(struct look *l, const struct config *config, const struct printer_model *model)
{
	struct ledger *ledger;
	struct missing m = {.serial = l->usb->name};
	struct wear wear = {0};
	struct err ignored;

	if (ledger_open(&ledger, config_ledger(config), LEDGER_READ, &ignored) == 0) {
		m.ledger = ledger;
		l->recorded =
			ledger_wear(ledger, l->usb->name, &wear, &ignored) == 0 &&
			ledger_tally_printer(ledger, l->usb->name, &l->tally, &ignored) == 0 &&
			failure_list(ledger, NULL, visit_last, l, &ignored) == 0 &&
			ledger_jobs(ledger, NULL, visit_missing, &m, &ignored) == 0;
		l->missing = m.cards;
		ledger_close(ledger);
	}
	if (l->answered)
		supply_complete(&l->st, model, &wear);
}

/* ---- for people ---- */

static void
state_print(const struct look *l)
{
	const struct fault_row *f = fault_row((int)l->st.fault);

	printf("%s %s (%s)\n", l->usb->make, l->usb->model, l->usb->serial);
	if (!l->answered)
		printf("  %s\n", l->why_not);
	else if (l->st.fault != FAULT_NONE)
		printf("  %s. %s.\n", _(f->cause), _(f->remedy));
	else
		printf("  %s\n", _("ready"));
	if (l->queue[0])
		printf("  %s %s: %s%s%s\n", _("queue"), l->queue, l->state,
			l->message[0] ? ", " : "", l->message);
	else
		printf("  %s\n", _("no queue; make one with: cardspool printer add NAME"));
	if (l->queue[0] && strcmp(l->state, "stopped") == 0)
		printf("  %s cupsenable %s\n", _("to go on:"), l->queue);
	if (l->jobs >= 0)
		printf("  %s: %d\n", _("jobs waiting"), l->jobs);
	if (l->missing > 0)
		printf("  %s: %u\n", _("cards of begun jobs still to make"), l->missing);
	if (l->fit_text[0])
		printf("  %s\n", l->fit_text);
}

static void
supply_print(const struct supply *s)
{
	char level[64] = "";

	if (s->level < 0)
		snprintf(level, sizeof(level), "%s", _("unknown"));
	else if (s->capacity > 0)
		snprintf(level, sizeof(level), _("%d of %d left"), s->level, s->capacity);
	else
		snprintf(level, sizeof(level), _("%d left"), s->level);
	printf("  %s%s%s: %s%s\n", _(supply_rows[s->kind].name), s->name[0] ? " " : "", s->name,
		level,
		supply_percent(s) >= 0 && supply_percent(s) <= supply_rows[s->kind].low
			? _(", nearly over")
			: "");
}

static void
machine_print(const struct look *l)
{
	if (!l->answered) {
		if (l->markers[0])
			printf("  %s\n", l->markers);
		return;
	}
	printf("  %s: %s\n", _("card inside"), card_place_name(l->st.place));
	printf("  %s: %s\n", _("firmware"), l->st.firmware);
	for (unsigned i = 0; i < l->st.n_supplies; i++)
		supply_print(&l->st.supply[i]);
	if (l->st.cards >= 0)
		printf("  %s: %" PRId64 "\n", _("cards printed"), l->st.cards);
	for (unsigned i = 0; i < l->st.n_counters; i++)
		printf("  %s: %" PRId64 "\n", l->st.counter[i].name, l->st.counter[i].value);
}

static void
record_print(const struct look *l)
{
	char at[64];

	if (!l->recorded)
		return;
	printf(_("  made here: %u good, %u rejected, %u spoiled, %u in doubt, %u inside\n"),
		l->tally.good, l->tally.rejected, l->tally.spoiled, l->tally.doubt,
		l->tally.inside);
	if (l->last.id == 0)
		return;
	time_show(at, sizeof(at), l->last.at);
	printf("  %s: %s, %s (%s)\n", _("last fault"), at, cause_words(l->last.code),
		l->last.cleared ? _("over") : _("still open"));
}

/* ---- for programs ---- */

static json_t *
supplies_json(const struct printer_status *st)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < st->n_supplies; i++) {
		const struct supply *s = &st->supply[i];

		json_array_append_new(
			list, json_pack("{s:s, s:s, s:i, s:i, s:i, s:b}", "kind",
				      supply_rows[s->kind].word, "name", s->name, "level", s->level,
				      "capacity", s->capacity, "percent", supply_percent(s), "low",
				      supply_percent(s) >= 0 &&
					      supply_percent(s) <= supply_rows[s->kind].low));
	}
	return list;
}

static json_t *
counters_json(const struct printer_status *st)
{
	json_t *all = json_object();

	for (unsigned i = 0; i < st->n_counters; i++)
		json_object_set_new(all, st->counter[i].name, json_integer(st->counter[i].value));
	return all;
}

static void
machine_json(json_t *j, const struct look *l)
{
	const struct printer_status *st = &l->st;
	const struct fault_row *f = fault_row((int)st->fault);

	json_object_set_new(j, "firmware", json_string(st->firmware));
	json_object_set_new(j, "card", json_string(card_place_name(st->place)));
	json_object_set_new(j, "fault", json_string(f->code));
	json_object_set_new(
		j, "next_step", json_string(st->fault == FAULT_NONE ? "" : _(f->remedy)));
	json_object_set_new(j, "cards", json_integer(st->cards));
	json_object_set_new(j, "cleaning_left", json_integer(st->cleaning_left));
	json_object_set_new(j, "ribbon", json_string(st->ribbon.name));
	json_object_set_new(j, "ribbon_left", json_integer(st->ribbon.level));
	json_object_set_new(j, "ribbon_capacity", json_integer(st->ribbon.capacity));
	json_object_set_new(j, "status_words", json_string(st->status_words));
	json_object_set_new(j, "supplies", supplies_json(st));
	json_object_set_new(j, "counters", counters_json(st));
}

static json_t *
look_json(const struct look *l)
{
	json_t *j = printer_json(l->usb);

	json_object_set_new(j, "answered", json_boolean(l->answered));
	json_object_set_new(j, "error", json_text(l->why_not));
	if (l->answered)
		machine_json(j, l);
	json_object_set_new(j, "queue",
		json_pack("{s:s, s:s, s:o, s:s, s:o, s:i}", "name", l->queue, "state", l->state,
			"message", json_text(l->message), "reasons", l->reasons, "markers",
			json_text(l->markers), "jobs", l->jobs));
	if (l->answered)
		json_object_set_new(j, "fit",
			json_pack("{s:i, s:i, s:i, s:b, s:s}", "cards", (int)l->fit.cards, "prints",
				(int)l->fit.prints, "prints_left", l->fit.prints_left, "fits",
				!l->fit.ribbon_short && !l->fit.hopper_short, "text", l->fit_text));
	if (l->recorded)
		json_object_set_new(j, "tally", tally_json(&l->tally));
	if (l->last.id != 0)
		json_object_set_new(
			j, "last_fault", times_json(columns_json(failure_columns, &l->last)));
	return j;
}

/* ---- the command ---- */

/* What was asked for. */
struct wish {
	const char *name;
	unsigned cards; /* will a batch of so many fit? 0: not asked */
	bool json;
};

static int
look_take(struct look *l, const struct usb_printer *u, const struct config *config,
	const struct wish *wish, struct err *e)
{
	struct printer_setup setup = config_setup(config, u);
	const struct printer_driver *d;
	const struct printer_model *model = NULL;
	struct printer *p;
	struct err why = {0};
	int rc;

	*l = (struct look){.usb = u};
	if (uri_build(l->uri, sizeof(l->uri), u) != 0)
		l->uri[0] = '\0';
	queue_look(l);
	rc = printer_connect(&p, &d, u, &setup, &why);
	if (rc == 0) {
		rc = d->status(p, &l->st, &why);
		l->answered = rc == 0;
		model = d->model(p);
	}
	snprintf(l->why_not, sizeof(l->why_not), "%s", l->answered ? "" : why.text);
	ledger_look(l, config, model);
	fit_look(l, model, wish->cards);
	if (rc == 0 || model)
		d->close(p);
	if (l->answered || (why.code == ERR_BUSY && l->queue[0]))
		return 0;
	*e = why;
	return why.code;
}

static int
look_tell(const struct usb_printer *u, const struct config *config, json_t *all,
	const struct wish *wish, struct err *e)
{
	struct look l;
	int rc = look_take(&l, u, config, wish, e);

	if (rc != 0)
		return rc;
	if (wish->json) {
		json_array_append_new(all, look_json(&l));
		return 0;
	}
	state_print(&l);
	machine_print(&l);
	record_print(&l);
	return 0;
}

/* A queue's name, or a device address. */
static int
printer_named(const char *name, struct usb_printer *out, struct err *e)
{
	char device[512];
	int rc;

	if (strstr(name, "://"))
		return uri_find(name, out, e);
	rc = queue_device(name, device, sizeof(device), e);
	return rc == 0 ? uri_find(device, out, e) : rc;
}

static int
cards_parse(const char *word, unsigned *cards, struct err *e)
{
	char *end = NULL;
	unsigned long n = word && word[0] >= '1' && word[0] <= '9' ? strtoul(word, &end, 10) : 0;

	if (n == 0 || *end || n > ASKED_CARDS_MAX)
		return err_set(e, ERR_USAGE,
			_("printer status: --cards is followed by a number from 1 to %d."),
			ASKED_CARDS_MAX);
	*cards = (unsigned)n;
	return 0;
}

static int
words_parse(int argc, char **argv, struct wish *w, struct err *e)
{
	int rc = 0;

	for (int i = 1; i < argc && rc == 0; i++) {
		if (strcmp(argv[i], "--json") == 0)
			w->json = true;
		else if (strcmp(argv[i], "--cards") == 0)
			rc = cards_parse(i + 1 < argc ? argv[++i] : NULL, &w->cards, e);
		else if (argv[i][0] != '-' && !w->name)
			w->name = argv[i];
		else
			return err_set(e, ERR_USAGE,
				_("printer %s: %s is not understood. See: cardspool help printer"),
				argv[0], argv[i]);
	}
	return rc;
}

int
printer_status(int argc, char **argv, struct err *e)
{
	struct usb_printer *list = NULL, one;
	struct config *config = NULL;
	json_t *all = json_array();
	struct wish wish = {0};
	size_t n = 1;
	int rc = words_parse(argc, argv, &wish, e);

	if (rc == 0)
		rc = config_load(&config, e);
	if (rc == 0)
		rc = wish.name ? printer_named(wish.name, &one, e) : printers_list(&list, &n, e);
	if (rc == 0 && n == 0)
		rc = fault_set(e, FAULT_PRINTER_ABSENT, NULL);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = look_tell(wish.name ? &one : &list[i], config, all, &wish, e);
	if (rc == 0 && wish.json)
		rc = json_print(json_incref(all), e);
	json_decref(all);
	free(list);
	config_destroy(config);
	return rc;
}

void
printer_fit(const char *queue, unsigned cards, char *out, size_t max)
{
	struct wish wish = {.name = queue, .cards = cards};
	struct config *config = NULL;
	struct usb_printer one;
	struct look l = {0};
	struct err e = {0};
	int rc = config_load(&config, &e);

	if (rc == 0)
		rc = printer_named(queue, &one, &e);
	if (rc == 0)
		rc = look_take(&l, &one, config, &wish, &e);
	if (rc != 0 || !l.answered)
		snprintf(out, max, _("Whether it fits ribbon and hopper is not known: %s"),
			rc != 0 ? e.text : l.why_not);
	else
		snprintf(out, max, "%s", l.fit_text);
	config_destroy(config);
}
