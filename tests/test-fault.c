/*
 * test-fault.c - the table of faults is complete and says what people and CUPS need.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/driver.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <ctype.h>
#include <string.h>

static void
test_rows_complete(void **state)
{
	(void)state;
	for (int i = 0; i < FAULT_COUNT; i++) {
		const struct fault_row *r = &faults[i];
		assert_int_equal(r->fault, i);
		assert_true(r->code && r->reason && r->cause && r->remedy);
		assert_true(isupper((unsigned char)r->cause[0]) &&
			    isupper((unsigned char)r->remedy[0]));
		for (const char *c = r->code; *c; c++)
			assert_true(islower((unsigned char)*c) || *c == '-');
		assert_true(strlen(r->code) < 32); /* the ledger's column */
		assert_ptr_equal(fault_by_code(r->code), r);
		if (i != FAULT_NONE)
			assert_string_equal(r->reason + strlen(r->reason) - 6, "-error");
	}
	assert_null(fault_by_code("no such fault"));
}

static void
test_row_of_nonsense(void **state)
{
	(void)state;
	assert_int_equal(fault_row(-1)->fault, FAULT_NONE);
	assert_int_equal(fault_row(FAULT_COUNT)->fault, FAULT_NONE);
	assert_int_equal(fault_row(FAULT_LEDGER)->fault, FAULT_LEDGER);
}

static void
test_set(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(fault_set(&e, FAULT_COVER_OPEN, "COVER\x01OPEN"), ERR_FAULT);
	assert_int_equal(e.code, ERR_FAULT);
	assert_int_equal(e.fault, FAULT_COVER_OPEN);
	assert_string_equal(e.raw, "COVER\\x01OPEN");
	assert_non_null(strstr(e.text, "Close the cover"));
	assert_int_equal(fault_set(&e, FAULT_NO_REPLY, NULL), ERR_DOUBT);
	assert_int_equal(e.code, ERR_DOUBT);
	assert_string_equal(e.raw, "");
	assert_int_equal(fault_set(NULL, FAULT_STALL, "x"), ERR_DOUBT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_complete),
		cmocka_unit_test(test_row_of_nonsense),
		cmocka_unit_test(test_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
