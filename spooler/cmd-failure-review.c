/*
 * cmd-failure-review.c - signing records of the failure log, and proving the signatures.
 *
 * Owns the question who is at the keyboard. Guarantees: a passphrase is in memory only while it
 * signs. On failure no record of the call is signed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/cmd-failure.h"

#include <inttypes.h>
#include <libintl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
ids_take(struct failure_call *c, int64_t **ids, size_t *n, struct err *e)
{
	int64_t day;
	int rc = 0;

	if (c->day) {
		rc = failure_date_parse(c->day, &day, e);
		if (rc == 0)
			rc = review_day_ids(c->q.ledger, day, ids, n, e);
		if (rc == 0 && *n == 0)
			rc = err_set(e, ERR_MISSING,
				_("Nothing of %s waits for a review: no record of that day is "
				  "cleared and unsigned."),
				c->day);
		return rc;
	}
	*ids = calloc(FAILURE_IDS_MAX, sizeof **ids);
	for (int i = 0; *ids && rc == 0 && i < c->q.n_names; i++)
		rc = failure_id_parse(c->q.names[i], &(*ids)[(*n)++], e);
	return rc;
}

int
failure_review_run(int argc, char **argv, struct err *e)
{
	char pass[PERSON_PASS_MAX + 2] = "";
	struct logins logins;
	struct failure_call c;
	int64_t *ids = NULL;
	size_t n = 0;
	int rc = failure_call_start(
		&c, argc, argv, "adx", 0, FAILURE_IDS_MAX, failure_review_run, LEDGER_WRITE, e);

	if (rc == 0 && ((c.q.n_names == 0) == !c.day || (!c.as && !c.export) ||
			       (c.export && (c.day || c.q.n_names != 1))))
		rc = failure_call_usage(failure_review_run, e);
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

int
failure_verify_run(int argc, char **argv, struct err *e)
{
	struct failure_call c;
	uint64_t n = 0;
	int rc = failure_call_start(&c, argc, argv, "", 0, 0, failure_verify_run, LEDGER_READ, e);
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
