/*
 * page-preview.c - the pages of a PDF for `cardspool preview`.
 *
 * Owns the choice of pages. Guarantees: the same code draws as in the filter, with the options'
 * defaults. On failure no face is left.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/proof.h"

#include "filters/pdf.h"

#include <string.h>

enum { HEAD_DOTS = 648, HEAD_LINES = 1016, HEAD_DPI = 300 };

int
page_faces(const char *path, unsigned page, const char *side, const struct ribbon *ribbon,
	struct face faces[SIDE_COUNT], struct err *e)
{
	struct pdf_look look = {
		.width = HEAD_LINES, .height = HEAD_DOTS, .dpi = HEAD_DPI, .ribbon = ribbon};
	struct pdf_jail *jail;
	struct escapes x;
	unsigned pages;
	int rc = pdf_jail_open(&jail, path, &pages, e);

	if (rc) {
		err_prefix(e, "%s", path);
		return rc;
	}
	bool both = !strcmp(side, "both");
	for (int s = 0; !rc && s < SIDE_COUNT; s++) {
		unsigned number = page + (both ? (unsigned)s : 0);
		look.side = (enum side)s;
		if ((!both && strcmp(side, side_names[s])) ||
			(both && s == SIDE_BACK && number > pages))
			continue;
		if (number > pages)
			rc = err_set(e, ERR_MISSING, _("%s: has %u pages, not %u."), path, pages,
				number);
		else if (s == SIDE_FRONT || ribbon->back[0])
			rc = pdf_jail_face(jail, number, &look, &faces[s], &x, e);
	}
	pdf_jail_close(jail);
	for (int s = 0; rc && s < SIDE_COUNT; s++)
		face_done(&faces[s]);
	return rc;
}
