/*
 * dummy-family.c - a printer family of nothing but its one file.
 *
 * Shows what a new family takes: this file and its name in the Makefile's list. It finds no
 * printer, because its vendor id is one that USB never gives out; every verb says so.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/driver.h"

extern const struct printer_driver printer_dummy_family;

static const struct printer_setting settings[] = {
	{"volume", "3", "how loud nothing happens", CONFIDENCE_INFERRED},
	{NULL, NULL, NULL, CONFIDENCE_INFERRED},
};

static const struct printer_model models[] = {
	{.name = "Dummy One",
		.mdl = "One",
		.head_dots = 640,
		.head_lines = 1000,
		.dpi = 300,
		.ribbons = "k",
		.levels = "2",
		.settings = settings,
		.confidence = CONFIDENCE_INFERRED},
};

static const uint16_t vendors[] = {0xffff, 0};

static const struct printer_command commands[] = {
	{"NOP", "never", "nothing", "this file", CONFIDENCE_INFERRED},
	{NULL, NULL, NULL, NULL, CONFIDENCE_INFERRED},
};

static int
dummy_open(struct printer **out, struct transport *t, const struct usb_printer *id, struct err *e)
{
	(void)id;
	*out = NULL;
	t->ops->close(t);
	return fault_set(e, FAULT_PRINTER_ABSENT, NULL);
}

const struct printer_driver printer_dummy_family = {
	.family = "dummy",
	.vendors = vendors,
	.models = models,
	.n_models = ARRAY_LEN(models),
	.open = dummy_open,
	.commands = commands,
};
