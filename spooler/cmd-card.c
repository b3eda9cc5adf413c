/*
 * cmd-card.c - the commands over cards.
 *
 * Owns the list, the story of one card, and what a person may say about a card. Guarantees: shows
 * masked values only, because the ledger has no others; card void, card resolve and card reprint
 * need a reason and write it under the login of the person.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct textable *
cards_table(void)
{
	return textable_create(9, _("ID"), _("CARD"), _("TRY"), _("STATE"), _("NUMBER"), _("NAME"),
		_("CHIP"), _("CHANGED"), _("CAUSE"));
}

int
visit_card_list(void *ctx, const struct card_row *card)
{
	struct listing *list = ctx;
	char id[24], label[32], attempt[16], changed[40];

	if (list->q->uid && list->q->state >= 0 && (int)card->state != list->q->state)
		return 0;
	if (list->q->uid && list->q->job_row.id &&
		strcmp(card->key.job_uuid, list->q->job_row.uuid) != 0)
		return 0;
	if (list->q->json)
		return json_list_row(&list->json, times_json(columns_json(card_columns, card)));
	snprintf(id, sizeof id, "%" PRId64, card->id);
	card_label(label, sizeof label, card->key.card, card->key.copy);
	snprintf(attempt, sizeof attempt, "%u", card->attempt);
	time_show(changed, sizeof changed, card->changed);
	textable_add(list->table, id, label, attempt, card_states[card->state].name,
		text_or_dash(card->number_masked), text_or_dash(card->name_masked),
		text_or_dash(card->uid), changed, cause_words(card->cause));
	return 0;
}

static int
card_list(int argc, char **argv, struct err *e)
{
	struct request q;
	struct listing list = {.q = &q, .e = e};
	int rc = request_start(&q, card_list, argc, argv, "Jsu", 0, LEDGER_READ, e);

	if (rc != 0)
		return request_end(&q, rc);
	list.table = cards_table();
	if (q.json)
		fputs("{\"cards\":[", stdout);
	if (q.uid)
		rc = ledger_uid_cards(q.ledger, q.uid, visit_card_list, &list, e);
	else
		rc = ledger_cards(q.ledger, q.job ? q.job_row.uuid : NULL, q.state, visit_card_list,
			&list, e);
	if (q.json)
		json_list_end(&list.json, "}");
	else if (textable_rows(list.table) == 0)
		puts(_("There are no such cards."));
	else
		textable_print(list.table, stdout);
	textable_destroy(list.table);
	return request_end(&q, rc);
}

/* A card's story is its events, oldest first. */
static int
visit_story(void *ctx, const json_t *event)
{
	struct listing *list = ctx;
	const json_t *data = json_object_get(event, "data");
	const char *kind = json_string_value(json_object_get(event, "kind"));
	const char *to = json_string_value(json_object_get(data, "to"));
	const char *cause = json_string_value(json_object_get(data, "cause"));
	const char *note = json_string_value(json_object_get(data, "note"));
	char at[40];

	if (list->q->json)
		return json_list_row(&list->json, json_deep_copy(event));
	if (!note)
		note = json_string_value(json_object_get(data, "reason"));
	time_show(at, sizeof at, json_integer_value(json_object_get(event, "at")));
	textable_add(list->table, at, to ? to : kind,
		json_string_value(json_object_get(event, "actor")),
		cause ? cause_words(cause) : "-", note ? note : "-");
	return 0;
}

static int
request_card(struct request *q, struct card_row *card, struct err *e)
{
	char *end;

	errno = 0;
	int64_t id = strtoll(q->names[0], &end, 10);
	if (errno || end == q->names[0] || *end || id <= 0)
		return err_set(e, ERR_USAGE,
			_("\"%s\" is not the id of a card. See: cardspool card list"), q->names[0]);
	return ledger_card_find(q->ledger, id, card, e);
}

static void
card_print(const struct card_row *c)
{
	const struct {
		const char *label, *text;
	} lines[] = {
		{_("job"), c->key.job_uuid},
		{_("number"), c->number_masked},
		{_("name"), c->name_masked},
		{_("chip"), c->uid},
		{_("printer"), c->printer_serial},
		{_("record hash"), c->record_hash},
		{_("chip hash"), c->chip_hash},
		{_("front hash"), c->front_hash},
		{_("back hash"), c->back_hash},
	};

	printf(_("Card %u, copy %u, try %u: %s (%s)\n"), c->key.card, c->key.copy, c->attempt,
		card_states[c->state].name, _(card_states[c->state].means));
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (lines[i].text[0])
			printf("  %s: %s\n", lines[i].label, lines[i].text);
	if (c->replaces)
		printf(_("  takes the place of the card with the id %" PRId64 "\n"), c->replaces);
	putchar('\n');
}

static int
card_show(int argc, char **argv, struct err *e)
{
	struct request q;
	struct listing list = {.q = &q, .e = e};
	struct card_row card;
	int rc = request_start(&q, card_show, argc, argv, "", 1, LEDGER_READ, e);

	if (rc == 0)
		rc = request_card(&q, &card, e);
	if (rc != 0)
		return request_end(&q, rc);
	list.table = textable_create(5, _("WHEN"), _("WHAT"), _("BY"), _("CAUSE"), _("NOTE"));
	if (q.json) {
		json_t *row = times_json(columns_json(card_columns, &card));

		fputs("{\"card\":", stdout);
		json_dumpf(row, stdout, JSON_COMPACT);
		fputs(",\"events\":[", stdout);
		json_decref(row);
	} else {
		card_print(&card);
	}
	rc = ledger_events(q.ledger, card.id, visit_story, &list, e);
	if (q.json)
		json_list_end(&list.json, "}");
	else
		textable_print(list.table, stdout);
	textable_destroy(list.table);
	return request_end(&q, rc);
}

/* ---- a person's word about a card ---- */

static void
card_said(const struct request *q, const struct card_row *card)
{
	json_t *row;

	if (!q->json) {
		printf(_("Card %u (id %" PRId64 ") is now: %s.\n"), card->key.card, card->id,
			_(card_states[card->state].means));
		return;
	}
	row = times_json(columns_json(card_columns, card));
	json_dumpf(row, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(row);
}

static int
reason_check(const struct request *q, struct err *e)
{
	if (q->reason && q->reason[strspn(q->reason, " \t")] != '\0')
		return 0;
	return err_set(e, ERR_USAGE, "%s", _("Say why, for the record: --reason TEXT"));
}

static bool
card_inside(enum card_state s)
{
	return card_states[s].fed && !card_states[s].final && card_transition_legal(s, CARD_DOUBT);
}

struct open_records {
	const struct card_row *card;
	int64_t id[16];
	size_t n;
};

static int
visit_open_record(void *ctx, const struct failure_row *f)
{
	struct open_records *o = ctx;

	if (f->cleared == 0 && f->card == o->card->key.card && f->copy == o->card->key.copy &&
		f->attempt == o->card->attempt && o->n < ARRAY_LEN(o->id))
		o->id[o->n++] = f->id;
	return 0;
}

/* Whoever settled the card has looked at what stopped it. */
static int
card_records_clear(struct request *q, const struct card_row *card, struct err *e)
{
	struct open_records o = {.card = card};
	int rc = failure_list(q->ledger, card->key.job_uuid, visit_open_record, &o, e);

	for (size_t i = 0; i < o.n && rc == 0; i++)
		rc = failure_cleared(q->ledger, o.id[i], NULL, e);
	return rc;
}

static int
card_decide(struct request *q, enum card_state from, enum card_state to, struct err *e)
{
	struct card_facts facts = {.note = q->reason};
	struct card_row card = {0};
	int rc = reason_check(q, e);

	if (rc == 0)
		rc = request_card(q, &card, e);
	/* A card in a printer that nobody will switch on again: the person's word ends it too. */
	if (rc == 0 && from == CARD_DOUBT && card_inside(card.state))
		rc = ledger_card_move(q->ledger, &card, CARD_DOUBT, &facts, e);
	if (rc == 0 && card.state != from)
		rc = err_set(e, ERR_USAGE,
			_("Card %u is not \"%s\", it is \"%s\" (%s); nothing was changed."),
			card.key.card, card_states[from].name, card_states[card.state].name,
			_(card_states[card.state].means));
	if (rc == 0)
		rc = ledger_card_move(q->ledger, &card, to, &facts, e);
	if (rc == 0 && from == CARD_DOUBT)
		rc = card_records_clear(q, &card, e);
	if (rc == 0)
		card_said(q, &card);
	return rc;
}

static int
card_void(int argc, char **argv, struct err *e)
{
	struct request q;
	int rc = request_start(&q, card_void, argc, argv, "r", 1, LEDGER_WRITE, e);

	if (rc == 0)
		rc = card_decide(&q, CARD_DONE, CARD_VOID, e);
	return request_end(&q, rc);
}

static int
card_resolve(int argc, char **argv, struct err *e)
{
	struct request q;
	int rc = request_start(&q, card_resolve, argc, argv, "rv", 1, LEDGER_WRITE, e);

	if (rc == 0 && q.verdict == CARD_STATE_COUNT)
		rc = err_set(e, ERR_USAGE, "%s",
			_("Say what became of the card: --good, --rejected (it lies in the reject "
			  "box), --spoiled (not good, taken out) or --blank (no card was used)."));
	if (rc == 0)
		rc = card_decide(&q, CARD_DOUBT, q.verdict, e);
	return request_end(&q, rc);
}

static int
job_take(void *ctx, const struct job_row *job)
{
	*(struct job_row *)ctx = *job;
	return 0;
}

/* The row alone makes no card: the batch has to come again, because the ledger holds no record. */
static int
reprint_said(struct request *q, const struct card_row *fresh, struct err *e)
{
	struct job_row job = {0};
	int rc = ledger_jobs(q->ledger, fresh->key.job_uuid, job_take, &job, e);

	card_said(q, fresh);
	if (rc != 0 || q->json)
		return rc;
	printf(_("To make it, queue the batch of order %s once more: lp -d %s -o "
		 "cardspool-repeat=rest"),
		job.order[0] ? job.order : "-", job.printer);
	if (fresh->key.copy > 1)
		printf(" -n %u", fresh->key.copy);
	printf(" %s\n", _("BATCH.cards"));
	return 0;
}

static int
card_reprint(int argc, char **argv, struct err *e)
{
	struct request q;
	struct card_row card, fresh;
	int rc = request_start(&q, card_reprint, argc, argv, "r", 1, LEDGER_WRITE, e);

	if (rc == 0)
		rc = reason_check(&q, e);
	if (rc == 0)
		rc = request_card(&q, &card, e);
	if (rc == 0)
		rc = ledger_card_reprint(q.ledger, &card, NULL, q.reason, &fresh, e);
	if (rc == 0)
		rc = reprint_said(&q, &fresh, e);
	return request_end(&q, rc);
}

const struct command commands_card[] = {
	{"card", "list",
		"[--job UUID|CUPS-ID] [--state STATE] [--uid UID] [--json] [--ledger FILE]",
		N_("cards, one line each"), card_list},
	{"card", "show", "ID [--json] [--ledger FILE]",
		N_("one card and everything that happened to it"), card_show},
	{"card", "resolve",
		"ID --good|--rejected|--spoiled|--blank --reason TEXT [--json] [--ledger FILE]",
		N_("say what became of a card in doubt"), card_resolve},
	{"card", "void", "ID --reason TEXT [--json] [--ledger FILE]",
		N_("declare a good card void"), card_void},
	{"card", "reprint", "ID --reason TEXT [--json] [--ledger FILE]",
		N_("queue a fresh card for a rejected, spoiled or void one"), card_reprint},
	{0},
};
