/*
 * cmd-printer.h - what the files of `cardspool printer` share.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_CMD_PRINTER_H
#define CARDSPOOL_CMD_PRINTER_H

#include "spooler/spooler.h"

/* Writes and releases j; NULL counts as not written. */
int json_print(json_t *j, struct err *e);
json_t *printer_json(const struct usb_printer *p); /* what identifies it */
int printer_status(int argc, char **argv, struct err *e);
/* Whether a batch of so many cards fits what the queue's printer has left: a sentence for a person when it
 * does not, or why nobody can say; "" when it fits. Nothing moves. */
void printer_fit(const char *queue, unsigned cards, char *out, size_t max);
int printer_models(int argc, char **argv, struct err *e);
int printer_add(int argc, char **argv, struct err *e);
int printer_remove(int argc, char **argv, struct err *e);
int printer_pair(int argc, char **argv, struct err *e);

/* The acts of a pairing (pass-pair.c). l NULL: there is no ledger yet, nothing is written. */
int pair_feed(const struct printer_driver *d, struct printer *p, struct ledger *l, const char *serial,
	struct err *e);
int pair_reject(const struct printer_driver *d, struct printer *p, struct ledger *l,
	const char *serial, struct err *e);

/* ---- queues of cupsd (queue.c) ---- */

enum queue_change { QUEUE_MADE, QUEUE_CHANGED, QUEUE_SAME };
/* The device of a card queue. ERR_MISSING: no such queue; ERR_USAGE: it is not one of ours. */
int queue_device(const char *name, char *out, size_t max, struct err *e);
/* 0 when the name is free, or the queue has that device already; else ERR_USAGE. */
int queue_check(const char *name, const char *device, struct err *e);
/* template_name may be NULL: as it is. */
int queue_put(const char *name, const char *device, const char *ppd, const char *model,
	const char *template_name, enum queue_change *change, struct err *e);
int queue_delete(const char *name, struct err *e);
int queue_class_check(const char *class_name, const char *name, struct err *e);
int queue_class_put(const char *class_name, const char *name, struct err *e);

/* ---- cardspool.conf (config-edit.c) ---- */

/* [station] name = address; address NULL: the line goes. ERR_DENIED, ERR_STORAGE name the file. */
int config_station_set(const char *name, const char *address, bool *changed, struct err *e);

#endif
