/*
 * forms.h - planes of every kind for the tests that look which form a plane goes out in.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_FORMS_H
#define CARDSPOOL_FORMS_H

#include "drivers/driver.h"

/* Full-speed USB carries this much in practice, of 1.216 MB/s that its frames can hold. */
#define FORMS_FULL_SPEED_BPS 1000000.0

enum forms_kind { FORMS_DOT, FORMS_TEXT, FORMS_PHOTO, FORMS_NOISE, FORMS_KINDS };
extern const char *const forms_names[FORMS_KINDS];
/* A plane of that kind; bits 1 or 8. The caller ends it with plane_done. */
void forms_plane(
	struct plane *p, enum forms_kind kind, unsigned bits, unsigned dots, unsigned lines);
/* One row of the table that the test leaves in its output. */
void forms_print(
	const char *model, const char *panel, enum forms_kind kind, const char *form, size_t len);

#endif
