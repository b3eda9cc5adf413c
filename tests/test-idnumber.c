/*
 * test-idnumber.c - MOD 11-2. 11010519491231002X and 440524188001010014 are the examples of GB
 * 11643; the others were worked out with the weights 7 9 10 5 8 4 2 1 6 3 7 9 10 5 8 4 2, another
 * way than the code's.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/data.h"

static void
check_digits(void **state)
{
	static const char *const ids[] = {"11010519491231002X", "440524188001010014",
		"110105199003070017", "310115198511240022", "650102197906150031",
		"440306199202290040", "51010419880810007X"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		assert_int_equal(idnumber_check_digit(ids[i]), ids[i][17]);
	assert_int_equal(idnumber_check_digit("1101051990030700a"), 0);
	assert_int_equal(idnumber_check_digit("12"), 0);
}

/* One wrong digit or two neighbours exchanged never pass: that is what MOD 11-2 is for. */
static void
single_errors_are_found(void **state)
{
	static const char good[] = "110105199003070017";

	(void)state;
	for (int i = 0; i < 17; i++)
		for (char c = '0'; c <= '9'; c++) {
			char id[sizeof good];
			memcpy(id, good, sizeof good);
			id[i] = c;
			assert_int_equal(idnumber_check_digit(id) == id[17], c == good[i]);
		}
}

static void
validity(void **state)
{
	static const struct {
		const char *id;
		bool valid;
	} rows[] = {
		{"110105199003070017", true},
		{"11010519491231002X", true},
		{"11010519491231002x", false}, /* the caller makes it upper case */
		{"110105199003070018", false},
		{"440306199202290040", true}, /* 29 February 1992 */
		{"11010519900307001", false},
		{"1101051990030700171", false},
		{"440524188001010014", false}, /* born 1880 */
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(idnumber_valid(rows[i].id), rows[i].valid);
}

/* The check digit may be right and the birth date still impossible. */
static void
birth_dates(void **state)
{
	static const struct {
		const char *digits17;
		bool valid;
	} rows[] = {
		{"11010519910229001", false}, /* no leap year */
		{"11010519901301001", false}, {"11010519900431001", false},
		{"11010519900430001", true}, {"11010529990101001", false}, /* not born yet */
		{"01010519900430001", false},                              /* no such region */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char id[19];
		snprintf(id, sizeof id, "%s%c", rows[i].digits17,
			idnumber_check_digit(rows[i].digits17));
		assert_int_equal(idnumber_valid(id), rows[i].valid);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_digits),
		cmocka_unit_test(single_errors_are_found),
		cmocka_unit_test(validity),
		cmocka_unit_test(birth_dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
