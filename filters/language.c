/*
 * language.c - the language a program speaks to people in.
 *
 * Owns the choice of the translations' folder. Only a program's main calls it, once, for it sets
 * the process' locale. Numbers stay in C's form: what a machine reads must not change with the
 * person. Cannot fail: what is not translated is shown in English.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/language.h"

#include "config.h"

#include <libintl.h>
#include <locale.h>
#include <stdlib.h>

void
language_begin(void)
{
	const char *folder = secure_getenv("CARDSPOOL_LOCALEDIR");

	setlocale(LC_ALL, "");
	setlocale(LC_NUMERIC, "C");
	bindtextdomain(PACKAGE, folder ? folder : LOCALEDIR);
	bind_textdomain_codeset(PACKAGE, "UTF-8");
	textdomain(PACKAGE);
}
