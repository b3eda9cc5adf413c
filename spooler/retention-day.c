/*
 * retention-day.c - days and months of the calendar.
 *
 * Owns the arithmetic that retention rests on. Guarantees: days are days of a stated zone, a month
 * later is never a day too early. Pure but for the zone of the host.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <stdlib.h>
#include <string.h>

enum { DAY_S = 86400 };

int
zone_at(int64_t ms)
{
	time_t at = (time_t)(ms / 1000);
	struct tm tm;

	return localtime_r(&at, &tm) ? (int)tm.tm_gmtoff : 0;
}

int
zone_widest(int64_t ms)
{
	int widest = zone_at(ms);

	for (int month = -6; month <= 6; month++) {
		int zone = zone_at(ms + (int64_t)month * 30 * DAY_S * 1000);

		if (zone > widest)
			widest = zone;
	}
	return widest;
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

int64_t
day_of(int64_t ms, int zone_s)
{
	return floor_div(floor_div(ms, 1000) + zone_s, DAY_S);
}

static bool
year_leap(int64_t y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static int
month_days(int64_t year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && year_leap(year));
}

/* Proleptic Gregorian; years from March on, so that the leap day is the last one. */
static int64_t
day_build(int64_t year, int month, int mday)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = floor_div(y, 400), of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + mday - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void
day_split(int64_t day, int64_t *year, int *month, int *mday)
{
	int64_t z = day + 719468, era = floor_div(z, 146097), of_era = z - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

	*mday = (int)(of_year - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = y + era * 400 + (*month <= 2);
}

int64_t
day_kept(int64_t day, unsigned months)
{
	int64_t year, ahead;
	int month, mday;

	day_split(day, &year, &month, &mday);
	ahead = year * 12 + month - 1 + (int64_t)months;
	year = floor_div(ahead, 12);
	month = (int)(ahead - year * 12) + 1;
	if (mday > month_days(year, month))
		mday = month_days(year, month);
	return day_build(year, month, mday);
}

int
day_parse(const char *text, int64_t *day)
{
	static const char form[] = "0000-00-00";
	long year, month, mday;

	for (size_t i = 0; i < sizeof form; i++)
		if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return -1;
	year = strtol(text, NULL, 10);
	month = strtol(text + 5, NULL, 10);
	mday = strtol(text + 8, NULL, 10);
	if (year < 1970 || month < 1 || month > 12 || mday < 1 ||
		mday > month_days(year, (int)month))
		return -1;
	*day = day_build(year, (int)month, (int)mday);
	return 0;
}

int64_t
day_begin_ms(int64_t day)
{
	int64_t year;
	int month, mday;
	struct tm tm = {.tm_isdst = -1};

	day_split(day, &year, &month, &mday);
	tm.tm_year = (int)(year - 1900);
	tm.tm_mon = month - 1;
	tm.tm_mday = mday;
	return (int64_t)mktime(&tm) * 1000;
}
