/*
 * cmd-failure.c - the commands over the failure log.
 *
 * Owns what people and scripts see of records, notes, reviews and retention. Guarantees: shows
 * masked values only, because the ledger has no others; --json keeps its keys from release to
 * release. On failure nothing of the call is in the ledger.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <getopt.h>
#include <inttypes.h>
#include <libintl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIST_LIMIT = 10000, IDS_MAX = 256 };

struct call {
	struct request q;
	struct failure_filter filter;
	struct json_list json;
	struct textable *table;
	const char *cause, *note, *file, *as, *export, *day, *before;
	bool csv, overdue, dry;
};

/* Every option of the log: its letter, and the text it sets, if it is one. */
static const struct option options[] = {
	{"json", no_argument, NULL, 'j'},
	{"ledger", required_argument, NULL, 'l'},
	{"job", required_argument, NULL, 'J'},
	{"machine", required_argument, NULL, 'm'},
	{"cause", required_argument, NULL, 'c'},
	{"order", required_argument, NULL, 'o'},
	{"person", required_argument, NULL, 'p'},
	{"state", required_argument, NULL, 's'},
	{"from", required_argument, NULL, 'f'},
	{"to", required_argument, NULL, 't'},
	{"limit", required_argument, NULL, 'n'},
	{"csv", no_argument, NULL, 'C'},
	{"overdue", no_argument, NULL, 'O'},
	{"note", required_argument, NULL, 'N'},
	{"file", required_argument, NULL, 'F'},
	{"as", required_argument, NULL, 'a'},
	{"day", required_argument, NULL, 'd'},
	{"export", required_argument, NULL, 'x'},
	{"before", required_argument, NULL, 'b'},
	{"dry-run", no_argument, NULL, 'D'},
	{0},
};
static const struct {
	char letter;
	size_t offset;
} texts[] = {
	{'l', offsetof(struct call, q.ledger_path)},
	{'J', offsetof(struct call, q.job)},
	{'m', offsetof(struct call, filter.machine)},
	{'c', offsetof(struct call, cause)},
	{'o', offsetof(struct call, filter.order)},
	{'p', offsetof(struct call, filter.person)},
	{'N', offsetof(struct call, note)},
	{'F', offsetof(struct call, file)},
	{'a', offsetof(struct call, as)},
	{'d', offsetof(struct call, day)},
	{'x', offsetof(struct call, export)},
	{'b', offsetof(struct call, before)},
};

static int
date_take(const char *text, int64_t *day, struct err *e)
{
	if (day_parse(text, day) == 0)
		return 0;
	return err_set(
		e, ERR_USAGE, _("\"%s\" is not a date. Write for example 2026-11-30."), text);
}

static int
option_take(struct call *c, int option, struct err *e)
{
	int64_t day = 0;
	char *end;
	int state, rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].letter == option)
			*(const char **)(void *)((char *)c + texts[i].offset) = optarg;
	switch (option) {
	case 'j':
		c->q.json = true;
		break;
	case 'C':
		c->csv = true;
		break;
	case 'O':
		c->overdue = true;
		break;
	case 'D':
		c->dry = true;
		break;
	case 's':
		state = failure_state_parse(optarg);
		if (state < 0)
			return err_set(e, ERR_USAGE,
				_("There is no state \"%s\". The states are: any, open, cleared, "
				  "unreviewed, reviewed."),
				optarg);
		c->filter.state = (enum failure_state)state;
		break;
	case 'f':
		rc = date_take(optarg, &day, e);
		c->filter.from_ms = day_begin_ms(day);
		break;
	case 't':
		rc = date_take(optarg, &day, e);
		c->filter.to_ms = day_begin_ms(day + 1);
		break;
	case 'n':
		c->filter.limit = strtoll(optarg, &end, 10);
		if (*end || end == optarg || c->filter.limit < 0)
			return err_set(e, ERR_USAGE, _("--limit takes a number; 0 shows all."));
		break;
	default:
		break;
	}
	return rc;
}

/* Parses and opens; names: how many words at least and at most. */
static int
call_start(struct call *c, int argc, char **argv, const char *allowed, int min, int max,
	const struct command *self, enum ledger_mode mode, struct err *e)
{
	int option, rc;

	*c = (struct call){.filter.limit = LIST_LIMIT};
	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?' || option == ':' ||
			(!strchr("jl", option) && !strchr(allowed, option)))
			return err_set(e, ERR_USAGE,
				_("\"%s\" is not understood. The call is: cardspool %s %s %s"),
				argv[optind > 0 ? optind - 1 : 0], self->noun, self->verb,
				self->usage);
		rc = option_take(c, option, e);
		if (rc != 0)
			return rc;
	}
	c->q.names = argv + optind;
	c->q.n_names = argc - optind;
	if (c->q.n_names < min || c->q.n_names > max)
		return err_set(e, ERR_USAGE, _("The call is: cardspool %s %s %s"), self->noun,
			self->verb, self->usage);
	return request_open(&c->q, mode, e);
}

static int
id_parse(const char *text, int64_t *id, struct err *e)
{
	char *end;

	*id = strtoll(text, &end, 10);
	if (*end == '\0' && *id > 0)
		return 0;
	return err_set(e, ERR_USAGE,
		_("\"%s\" is not the number of a record. See: cardspool failure list"), text);
}

static unsigned
months_of(const struct call *c)
{
	struct config *own = NULL;
	unsigned months = RETENTION_MONTHS_MIN;

	if (c->q.config)
		return config_retention_months(c->q.config);
	if (config_load(&own, NULL) == 0)
		months = config_retention_months(own);
	config_destroy(own);
	return months;
}

/* ---- list ---- */

static int
visit_record(void *ctx, const struct failure_row *f)
{
	struct call *c = ctx;
	char id[24], job[16], label[32], at[40], cleared[40];

	if (c->csv) {
		failure_csv_row(f);
		return 0;
	}
	if (c->q.json)
		return json_list_row(&c->json, times_json(columns_json(failure_columns, f)));
	snprintf(id, sizeof id, "%" PRId64, f->id);
	snprintf(job, sizeof job, "%d", f->cups_id);
	card_label(label, sizeof label, f->card, f->copy);
	time_show(at, sizeof at, f->at);
	time_show(cleared, sizeof cleared, f->cleared);
	textable_add(c->table, id, at, text_or_dash(f->machine), text_or_dash(f->order), job, label,
		text_or_dash(f->step), f->cause[0] ? _(f->cause) : cause_words(f->code),
		f->done[0] ? _(f->done) : "-", f->cleared ? cleared : _("open"),
		text_or_dash(f->operator_name), text_or_dash(f->reviewer));
	return 0;
}

static const char *
empty_words(const struct call *c)
{
	const struct failure_filter *f = &c->filter;

	if (c->overdue)
		return _("No review is overdue.");
	if (f->job_uuid || f->machine || f->code || f->order || f->person || f->from_ms ||
		f->to_ms || f->state != FAILURE_ANY)
		return _("No record matches.");
	return _("There are no failures.");
}

static int
list_print(struct call *c, struct err *e)
{
	int64_t left_out = 0;
	char rest[48];
	int rc;

	if (c->csv)
		failure_csv_head();
	else if (c->q.json)
		fputs("{\"failures\":[", stdout);
	else
		c->table = textable_create(12, _("ID"), _("WHEN"), _("MACHINE"), _("ORDER"),
			_("JOB"), _("CARD"), _("STEP"), _("CAUSE"), _("WHAT WAS DONE"),
			_("CLEARED"), _("OPERATOR"), _("REVIEWER"));
	rc = failure_find(c->q.ledger, &c->filter, visit_record, c, &left_out, e);
	snprintf(rest, sizeof rest, ",\"left_out\":%" PRId64 "}", left_out);
	if (!c->csv && c->q.json)
		json_list_end(&c->json, rest);
	else if (!c->csv && textable_rows(c->table) == 0)
		puts(empty_words(c));
	else if (!c->csv)
		textable_print(c->table, stdout);
	if (left_out && !c->q.json)
		fprintf(stderr,
			ngettext("%" PRId64 " older one is not shown: --limit 0 shows all.\n",
				"%" PRId64 " older ones are not shown: --limit 0 shows all.\n",
				(unsigned long)left_out),
			left_out);
	textable_destroy(c->table);
	return rc;
}

/* An empty list must not hide a slip of the pen. */
static int
filter_check(const struct call *c, struct err *e)
{
	const struct failure_filter *f = &c->filter, by_code = {.code = f->code};
	int64_t n = 0;
	int rc = 0;

	if (f->from_ms && f->to_ms && f->from_ms >= f->to_ms)
		return err_set(e, ERR_USAGE, "%s", _("The period ends before it begins."));
	if (f->code && !fault_by_code(f->code))
		rc = failure_count(c->q.ledger, &by_code, &n, e);
	if (rc == 0 && f->code && !fault_by_code(f->code) && n == 0)
		rc = err_set(e, ERR_USAGE, _("There is no cause \"%s\". See: cardspool fault list"),
			f->code);
	return rc;
}

static const struct command *self_of(int (*run)(int, char **, struct err *));

static int
failure_list_run(int argc, char **argv, struct err *e)
{
	struct call c;
	int64_t n = 0;
	int rc = call_start(
		&c, argc, argv, "JmcopsftnCO", 0, 0, self_of(failure_list_run), LEDGER_READ, e);

	if (rc != 0)
		return request_end(&c.q, rc);
	c.filter.code = c.cause;
	rc = filter_check(&c, e);
	if (rc != 0)
		return request_end(&c.q, rc);
	c.filter.job_uuid = c.q.job ? c.q.job_row.uuid : NULL;
	if (c.overdue) {
		c.filter.state = FAILURE_UNREVIEWED;
		c.filter.to_ms = overdue_before_ms(c.q.ledger, months_of(&c));
	}
	rc = list_print(&c, e);
	if (rc == 0 && c.overdue)
		rc = failure_count(c.q.ledger, &c.filter, &n, e);
	if (rc == 0 && n > 0)
		rc = err_set(e, ERR_BUSY,
			_("%" PRId64 " records are overdue: they wait for a review. See: cardspool "
			  "failure review"),
			n);
	return request_end(&c.q, rc);
}

/* ---- one record with its story ---- */

static int
visit_note(void *ctx, const struct failure_note *n)
{
	return json_array_append_new(ctx, times_json(columns_json(note_columns, n)));
}

static int
record_json(struct ledger *l, const struct failure_row *f, struct err *e)
{
	json_t *notes = json_array(), *all;
	int rc = failure_notes(l, f->id, visit_note, notes, e);

	all = json_pack("{s:o, s:o}", "failure", times_json(columns_json(failure_columns, f)),
		"notes", notes);
	if (rc == 0) {
		json_dumpf(all, stdout, JSON_COMPACT);
		putchar('\n');
	}
	json_decref(all);
	return rc;
}

static int
failure_show_run(int argc, char **argv, struct err *e)
{
	struct failure_row f;
	struct call c;
	int64_t id;
	int rc = call_start(&c, argc, argv, "", 1, 1, self_of(failure_show_run), LEDGER_READ, e);

	if (rc == 0)
		rc = id_parse(c.q.names[0], &id, e);
	if (rc == 0)
		rc = failure_show(c.q.ledger, id, &f, e);
	if (rc == 0)
		rc = (c.q.json ? record_json : failure_print)(c.q.ledger, &f, e);
	return request_end(&c.q, rc);
}

static int
failure_note_run(int argc, char **argv, struct err *e)
{
	struct call c;
	int64_t id;
	int rc =
		call_start(&c, argc, argv, "cNF", 1, 1, self_of(failure_note_run), LEDGER_WRITE, e);

	if (rc == 0)
		rc = id_parse(c.q.names[0], &id, e);
	if (rc == 0)
		rc = failure_note(c.q.ledger, id, NULL, c.cause, c.note, c.file, e);
	if (rc == 0 && c.q.json)
		puts("{\"noted\":true}");
	return request_end(&c.q, rc);
}

/* ---- review ---- */

struct logins {
	char names[3][64];
	const char *list[4];
};

static void
login_add(struct logins *l, size_t i, unsigned long uid)
{
	struct passwd pw, *found = NULL;
	char room[4096];

	if (getpwuid_r((uid_t)uid, &pw, room, sizeof room, &found) == 0 && found)
		snprintf(l->names[i], sizeof l->names[i], "%s", found->pw_name);
}

/* Who is at the keyboard by any account: one too many only makes a refusal stricter. */
static void
logins_fill(struct logins *l)
{
	const char *sudo = getenv("SUDO_USER");
	unsigned long session = (unsigned long)-1;
	FILE *f = fopen("/proc/self/loginuid", "re");
	size_t n = 0;

	*l = (struct logins){.list = {NULL}};
	login_add(l, 0, getuid());
	if (f && fscanf(f, "%lu", &session) == 1 && session < UINT32_MAX)
		login_add(l, 1, session);
	if (f)
		fclose(f);
	if (sudo)
		snprintf(l->names[2], sizeof l->names[2], "%s", sudo);
	for (size_t i = 0; i < 3; i++)
		if (l->names[i][0])
			l->list[n++] = l->names[i];
}

static int
ids_take(struct call *c, int64_t **ids, size_t *n, struct err *e)
{
	int64_t day;
	int rc = 0;

	if (c->day) {
		rc = date_take(c->day, &day, e);
		if (rc == 0)
			rc = review_day_ids(c->q.ledger, day, ids, n, e);
		if (rc == 0 && *n == 0)
			rc = err_set(e, ERR_MISSING,
				_("Nothing of %s waits for a review: no record of that day is "
				  "cleared and unsigned."),
				c->day);
		return rc;
	}
	*ids = calloc(IDS_MAX, sizeof **ids);
	for (int i = 0; *ids && rc == 0 && i < c->q.n_names; i++)
		rc = id_parse(c->q.names[i], &(*ids)[(*n)++], e);
	return rc;
}

static int
failure_review_run(int argc, char **argv, struct err *e)
{
	char pass[PERSON_PASS_MAX + 2] = "";
	struct logins logins;
	struct call c;
	int64_t *ids = NULL;
	size_t n = 0;
	const struct command *self = self_of(failure_review_run);
	int rc = call_start(&c, argc, argv, "adx", 0, IDS_MAX, self, LEDGER_WRITE, e);

	if (rc == 0 && ((c.q.n_names == 0) == !c.day || (!c.as && !c.export) ||
			       (c.export && (c.day || c.q.n_names != 1))))
		rc = err_set(e, ERR_USAGE, _("The call is: cardspool %s %s %s"), self->noun,
			self->verb, self->usage);
	if (rc == 0)
		rc = ids_take(&c, &ids, &n, e);
	if (rc == 0 && c.export)
		rc = review_export(c.q.ledger, ids[0], c.export, e);
	if (rc == 0 && c.as) {
		logins_fill(&logins);
		rc = pass_read(_("Passphrase"), false, pass, e);
		if (rc == 0)
			rc = failure_review(c.q.ledger, ids, n, c.as, pass, logins.list, e);
		explicit_bzero(pass, sizeof pass);
	}
	if (rc == 0 && c.q.json)
		printf("{\"reviewed\":%zu}\n", c.as ? n : 0);
	else if (rc == 0 && c.as)
		printf(ngettext("%zu record reviewed by %s.\n", "%zu records reviewed by %s.\n", n),
			n, c.as);
	free(ids);
	return request_end(&c.q, rc);
}

struct faults_found {
	bool json;
	json_t *lines;
};

static void
problem_take(void *ctx, const char *line)
{
	struct faults_found *p = ctx;

	if (p->json)
		json_array_append_new(p->lines, json_text(line));
	else
		puts(line);
}

static int
failure_verify_run(int argc, char **argv, struct err *e)
{
	struct call c;
	uint64_t n = 0;
	int rc = call_start(&c, argc, argv, "", 0, 0, self_of(failure_verify_run), LEDGER_READ, e);
	struct faults_found p = {.json = c.q.json};

	if (rc != 0)
		return request_end(&c.q, rc);
	p.lines = json_array();
	rc = failure_verify(c.q.ledger, problem_take, &p, &n, e);
	if (c.q.json) {
		json_t *all = json_pack("{s:b, s:I, s:O}", "ok", rc == 0, "reviews", (json_int_t)n,
			"problems", p.lines);

		json_dumpf(all, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(all);
	} else if (rc == 0) {
		printf(ngettext("%" PRIu64 " review: every signature fits its records.\n",
			       "%" PRIu64 " reviews: every signature fits its records.\n", n),
			n);
	}
	json_decref(p.lines);
	return request_end(&c.q, rc);
}

/* ---- purge ---- */

static void
purge_print(const struct call *c, const struct purge *p)
{
	if (c->q.json) {
		printf("{\"months\":%u,\"purged\":%" PRId64 ",\"due\":%" PRId64
		       ",\"overdue\":%" PRId64 ",\"clock_ahead_ms\":%" PRId64 "}\n",
			p->months, p->n_purged, p->n_due, p->n_overdue, p->unproved_ms);
		return;
	}
	printf(_("%" PRId64 " records purged, %" PRId64 " due, %" PRId64
		 " overdue without a review (kept %u months).\n"),
		p->n_purged, p->n_due, p->n_overdue, p->months);
	if (p->unproved_ms > 0)
		printf(_("The clock went ahead by %" PRId64
			 " hours that the ledger cannot prove; they do not count.\n"),
			p->unproved_ms / 3600000);
}

static int
failure_purge_run(int argc, char **argv, struct err *e)
{
	char pass[PERSON_PASS_MAX + 2] = "";
	struct call c;
	int rc = call_start(
		&c, argc, argv, "baD", 0, 0, self_of(failure_purge_run), LEDGER_WRITE, e);
	struct purge p = {.dry = c.dry, .name = c.as, .pass = pass};

	if (rc == 0 && c.before)
		rc = date_take(c.before, &p.before_day, e);
	if (rc == 0)
		p.months = months_of(&c);
	if (rc == 0 && c.as && !c.dry)
		rc = pass_read(_("Passphrase"), false, pass, e);
	if (rc == 0)
		rc = failure_purge(c.q.ledger, &p, e);
	explicit_bzero(pass, sizeof pass);
	if (rc == 0)
		purge_print(&c, &p);
	return request_end(&c.q, rc);
}

const struct command commands_failure[] = {
	{"failure", "list",
		"[--job UUID|CUPS-ID] [--machine MODEL|SERIAL] [--cause CODE] [--order ORDER] "
		"[--person NAME] [--from DATE] [--to DATE] [--state STATE] [--overdue] [--limit N] "
		"[--csv] [--json] [--ledger FILE]",
		N_("jams and failures, one line each"), failure_list_run},
	{"failure", "show", "ID [--json] [--ledger FILE]", N_("one record with its notes"),
		failure_show_run},
	{"failure", "note",
		"ID [--cause TEXT] [--note TEXT] [--file FILE] [--json] [--ledger FILE]",
		N_("add the cause you found, a note, a photo"), failure_note_run},
	{"failure", "review",
		"ID...|--day DATE --as NAME [--export FOLDER] [--json] [--ledger FILE]",
		N_("sign that you looked at it; asks for your passphrase"), failure_review_run},
	{"failure", "verify", "[--json] [--ledger FILE]",
		N_("prove that every signature fits its records"), failure_verify_run},
	{"failure", "purge", "[--before DATE] [--as NAME] [--dry-run] [--json] [--ledger FILE]",
		N_("let go of reviewed records that are old enough"), failure_purge_run},
	{0},
};

static const struct command *
self_of(int (*run)(int, char **, struct err *))
{
	const struct command *c = commands_failure;

	while (c->noun && c->run != run)
		c++;
	return c;
}
