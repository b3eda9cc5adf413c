/*
 * person.c - people who sign.
 *
 * Owns names, roles and public keys. A person is an event of the ledger: added once, retired once,
 * never changed, so that an old signature can be checked for ever. On failure nothing of the call
 * is on disk.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <glib.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <string.h>

#define PERSON(name, kind, member)                                                                 \
	{                                                                                          \
		name, kind, offsetof(struct person, member), sizeof(((struct person *)0)->member)  \
	}

const struct column person_columns[] = {
	PERSON("id", COLUMN_I64, id),
	PERSON("name", COLUMN_TEXT, name),
	PERSON("role", COLUMN_TEXT, role),
	PERSON("login", COLUMN_TEXT, login),
	PERSON("fingerprint", COLUMN_TEXT, fingerprint),
	PERSON("public", COLUMN_TEXT, public_pem),
	PERSON("sealed", COLUMN_TEXT, sealed_pem),
	PERSON("added", COLUMN_I64, added),
	PERSON("retired", COLUMN_I64, retired),
	PERSON("event", COLUMN_I64, event),
	{0},
};
#define PERSON_SELECT                                                                              \
	"SELECT id, name, role, login, fingerprint, public, sealed, added, retired, event FROM "   \
	"person "

/* operator: runs a machine; reviewer: signs failures; custodian: signs what is purged. */
const char *const person_roles[] = {"operator", "reviewer", "custodian", NULL};

int
person_find(struct ledger *l, const char *name, struct person *out, struct err *e)
{
	static const char sql[] = PERSON_SELECT "WHERE name = ?";
	sqlite3_stmt *s = ledger_statement(l, sql, e);

	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "t", name);
	int rc = ledger_step(l, s, e);
	if (rc == 0)
		return err_set(e, ERR_MISSING,
			_("The ledger knows no person \"%s\". See: cardspool person list"), name);
	if (rc < 0)
		return rc;
	columns_read(person_columns, s, out);
	sqlite3_reset(s);
	return 0;
}

int
person_list(struct ledger *l, person_visitor *visit, void *ctx, struct err *e)
{
	struct person p;
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(l->db, PERSON_SELECT "ORDER BY id", -1, &s, NULL);

	if (rc != SQLITE_OK)
		return ledger_error(l, rc, e);
	while ((rc = ledger_step(l, s, e)) == 1) {
		columns_read(person_columns, s, &p);
		if (visit(ctx, &p) != 0)
			break;
	}
	sqlite3_finalize(s);
	return rc < 0 ? rc : 0;
}

int
person_check(const struct person *p, const char *role, struct err *e)
{
	if (p->retired)
		return err_set(
			e, ERR_DENIED, _("%s is retired and signs nothing any more."), p->name);
	if (strcmp(p->role, role) != 0)
		return err_set(e, ERR_DENIED,
			_("%s has the role %s; this takes a person with the role %s."), p->name,
			p->role, role);
	return 0;
}

/* What is shown in one line and stands in a signed text. */
static bool
name_good(const char *name, size_t max)
{
	size_t n = strlen(name);

	if (n == 0 || n >= max || !g_utf8_validate(name, -1, NULL) || name[0] == '-' ||
		name[0] == ' ' || name[n - 1] == ' ')
		return false;
	for (const char *at = name; *at; at = g_utf8_next_char(at))
		if (!g_unichar_isprint(g_utf8_get_char(at)))
			return false;
	return true;
}

static int
person_refuse(struct ledger *l, const char *name, const char *role, const char *login,
	const char *pass, struct err *e)
{
	size_t r = 0;

	if (!name_good(name, sizeof(((struct person *)0)->name)))
		return err_set(e, ERR_USAGE, "%s",
			_("The name of a person is 1 to 63 bytes of ordinary letters in one "
			  "line."));
	if (login[0] && !name_good(login, sizeof(((struct person *)0)->login)))
		return err_set(e, ERR_USAGE, _("\"%s\" is not a login."), login);
	while (person_roles[r] && strcmp(person_roles[r], role) != 0)
		r++;
	if (!person_roles[r])
		return err_set(e, ERR_USAGE,
			_("There is no role \"%s\". The roles are: operator, reviewer, "
			  "custodian."),
			role);
	if (strlen(pass) < PERSON_PASS_MIN || strlen(pass) > PERSON_PASS_MAX)
		return err_set(e, ERR_INPUT, _("A passphrase has %d to %d characters."),
			PERSON_PASS_MIN, PERSON_PASS_MAX);
	static const char sql[] =
		"SELECT name, name = ?1 FROM person WHERE name = ?1 OR (?2 <> '' AND login = ?2 "
		"AND retired = 0) ORDER BY name <> ?1";
	sqlite3_stmt *s = ledger_statement(l, sql, e);
	if (!s)
		return ERR_INTERNAL;
	ledger_bind(s, "tt", name, login);
	int rc = ledger_step(l, s, e);
	if (rc == 1) {
		if (sqlite3_column_int(s, 1))
			rc = err_set(e, ERR_INPUT,
				_("There is a person \"%s\" already. A retired person's name is "
				  "not given again."),
				name);
		else
			rc = err_set(e, ERR_INPUT, _("The login %s belongs to %s already."), login,
				column_text(s, 0));
		sqlite3_reset(s);
	}
	return rc;
}

int
person_add(struct ledger *l, const char *name, const char *role, const char *login,
	const char *pass, struct person *out, struct err *e)
{
	static const char next[] = "SELECT coalesce(max(id), 0) FROM person";
	struct person p = {.id = 0};
	int rc = ledger_begin(l, e);

	if (rc != 0)
		return rc;
	rc = person_refuse(l, name, role, login, pass, e);
	if (rc == 0)
		rc = key_make(&p, pass, e);
	if (rc == 0 && (p.id = ledger_next_id(l, next, e)) == 0)
		rc = e && e->code ? e->code : ERR_INTERNAL;
	if (rc == 0)
		rc = ledger_append(l, "person-added", "", 0, NULL,
			json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s}", "id", (json_int_t)p.id,
				"name", name, "role", role, "login", login, "fingerprint",
				p.fingerprint, "public", p.public_pem, "sealed", p.sealed_pem),
			e);
	if (rc == 0)
		rc = person_find(l, name, &p, e);
	rc = ledger_end(l, rc, e);
	if (rc == 0)
		*out = p;
	return rc;
}

int
person_retire(struct ledger *l, const char *name, struct err *e)
{
	struct person p;
	int rc = ledger_begin(l, e);

	if (rc != 0)
		return rc;
	rc = person_find(l, name, &p, e);
	if (rc == 0 && p.retired)
		rc = err_set(e, ERR_INPUT, _("%s is retired already."), name);
	if (rc == 0)
		rc = ledger_append(
			l, "person-retired", "", 0, NULL, json_pack("{s:s}", "name", name), e);
	return ledger_end(l, rc, e);
}
