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
int printer_models(int argc, char **argv, struct err *e);

#endif
