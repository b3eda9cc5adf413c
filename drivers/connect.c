/*
 * connect.c - opening a printer, wherever it is.
 *
 * Owns the choice of family and transport. Guarantees for a printer on the network that it is the
 * one that was meant: it says its model and serial number itself. On failure nothing is left open
 * and err says which printer it was.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/driver.h"

#include <string.h>

/* On USB the bus tells who it is; an address may have gone to another machine. */
static int
peer_check(const struct printer_driver *d, struct printer *p, const struct usb_printer *which,
	struct err *e)
{
	struct printer_status st = {0};
	const struct printer_model *m = d->model(p);

	if (!m->network)
		return err_set(e, ERR_USAGE,
			_("The %s at %s cannot be driven over the network. Connect it by USB."),
			m->name, which->host);
	int rc = which->serial[0] ? d->status(p, &st, e) : 0;
	if (rc)
		return rc;
	if (which->serial[0] && strcmp(st.serial, which->serial) != 0)
		return err_set(e, ERR_DEVICE,
			_("The printer at %s has the serial number %s, but this queue is for %s. "
			  "Give "
			  "the queue the right address: cardspool printer add"),
			which->host, st.serial[0] ? st.serial : "-", which->serial);
	return 0;
}

int
printer_connect(struct printer **out, const struct printer_driver **driver,
	const struct usb_printer *which, const struct printer_setup *setup, struct err *e)
{
	struct transport *t;

	*out = NULL;
	*driver = printer_driver_by_vendor(which->vendor);
	if (!*driver)
		return err_set(e, ERR_DEVICE, _("There is no driver for the printer %s %s."),
			which->make, which->model);
	int rc = which->host[0] ? net_open(&t, which, e) : usb_open(&t, which, e);
	if (rc)
		return rc;
	t->limits = setup->limits;
	t->overrides = setup->overrides;
	t->n_overrides = setup->n_overrides;
	rc = (*driver)->open(out, t, which, e);
	if (rc || !which->host[0])
		return rc;
	rc = peer_check(*driver, *out, which, e);
	if (rc) {
		(*driver)->close(*out);
		*out = NULL;
	}
	return rc;
}
