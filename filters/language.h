/*
 * language.h - the language a program speaks to people in.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_LANGUAGE_H
#define CARDSPOOL_LANGUAGE_H

/* At the start of a program: the person's locale, numbers as in C, and the installed translations;
 * $CARDSPOOL_LOCALEDIR names another folder of them (ignored with raised rights). */
void language_begin(void);

#endif
