/*
 * idnumber.c - the resident id number: 17 digits and a check digit (GB 11643, ISO 7064 MOD 11-2).
 *
 *   RRRRRR YYYYMMDD SSS C   region, birth date, sequence (odd = male), check digit 0-9 or X
 *
 * Pure, except that a birth date must not lie in the future by the machine's clock.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/card.h"

#include <string.h>
#include <time.h>

char
idnumber_check_digit(const char *digits17)
{
	unsigned sum = 0;

	/* MOD 11-2 as a Horner scheme: each step doubles what came before. */
	for (int i = 0; i < 17; i++) {
		if (digits17[i] < '0' || digits17[i] > '9')
			return 0;
		sum = (sum + (unsigned)(digits17[i] - '0')) * 2 % 11;
	}
	return "10X98765432"[sum];
}

/* Tomorrow everywhere: a clock a time zone ahead must not refuse a child born today. */
static void
latest_birth(char out[9])
{
	time_t soon = time(NULL) + 24 * 60 * 60;
	struct tm tm;

	if (!gmtime_r(&soon, &tm) || !strftime(out, 9, "%Y%m%d", &tm))
		memcpy(out, "99991231", 9);
}

bool
idnumber_valid(const char *id18)
{
	char birth[9], date[9], latest[9];

	if (strlen(id18) != 18 || id18[0] == '0')
		return false;
	char digit = idnumber_check_digit(id18);
	if (!digit || id18[17] != digit)
		return false;
	memcpy(birth, id18 + 6, 8);
	birth[8] = '\0';
	latest_birth(latest);
	return date_parse(date, birth) && strcmp(date, latest) <= 0;
}
