/*
 * pass-pair.c - the two acts by which a reader is proved to be in a printer: a blank card in, and
 * out to the reject box.
 *
 * Owns them and their entries. Guarantees: where there is a ledger each act has its intent before
 * and its outcome after it; without a written intent nothing moves. On failure err is the act's.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/cmd-printer.h"

static int
pair_event(
	struct ledger *l, const char *kind, const char *serial, const char *outcome, struct err *e)
{
	json_t *data;
	int rc;

	if (!l)
		return 0;
	data = json_pack("{s:s, s:s}", "serial", serial, "outcome", outcome);
	if (!data)
		return err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	rc = ledger_event(l, kind, "", data, e);
	json_decref(data);
	return rc;
}

/* The act's own result goes before that of writing it down. */
static int
pair_over(struct ledger *l, const char *kind, const char *serial, int rc, struct err *e)
{
	struct err why = {0};
	int written = pair_event(l, kind, serial,
		rc == 0           ? "done"
		: rc == ERR_DOUBT ? "unknown"
				  : "failed",
		&why);

	if (rc == 0 && written != 0)
		*e = why;
	return rc ? rc : written;
}

int
pair_feed(const struct printer_driver *d, struct printer *p, struct ledger *l, const char *serial,
	struct err *e)
{
	int rc = pair_event(l, "pair-feeding", serial, "", e);

	return rc ? rc : pair_over(l, "pair-fed", serial, d->feed(p, PLACE_CONTACTLESS, e), e);
}

int
pair_reject(const struct printer_driver *d, struct printer *p, struct ledger *l, const char *serial,
	struct err *e)
{
	struct err own;
	int rc = pair_event(l, "pair-rejecting", serial, "", &own);

	if (rc != 0) {
		*e = own;
		return rc;
	}
	return pair_over(l, "pair-rejected", serial, d->eject(p, EXIT_REJECT, e), e);
}
