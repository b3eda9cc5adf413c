/*
 * test-station-claim.c - who holds a chip reader: found in an invented sysfs and in real processes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/driver.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

struct rig {
	char top[64], sys[96], dev[96], node[160];
	struct station_roots roots;
};

static void
text_put(const struct rig *r, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", r->top, name);
	for (char *slash = path + strlen(r->top) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* An ACR122 at 1-2 and a keyboard at 1-3. */
static int
rig_init(void **state)
{
	struct rig *r = calloc(1, sizeof *r);

	snprintf(r->top, sizeof r->top, "%s", "/tmp/cs-claim.XXXXXX");
	assert_non_null(mkdtemp(r->top));
	snprintf(r->sys, sizeof r->sys, "%s/sys", r->top);
	snprintf(r->dev, sizeof r->dev, "%s/dev", r->top);
	snprintf(r->node, sizeof r->node, "%s/bus/usb/001/017", r->dev);
	r->roots = (struct station_roots){r->sys, "/proc", r->dev};
	text_put(r, "sys/bus/usb/devices/1-2/idVendor", "072f\n");
	text_put(r, "sys/bus/usb/devices/1-2/idProduct", "2200\n");
	text_put(r, "sys/bus/usb/devices/1-2/busnum", "1\n");
	text_put(r, "sys/bus/usb/devices/1-2/devnum", "17\n");
	text_put(r, "sys/bus/usb/devices/1-2:1.0/bInterfaceNumber", "00\n");
	text_put(r, "sys/bus/usb/devices/1-3/idVendor", "046d\n");
	text_put(r, "sys/bus/usb/devices/1-3/idProduct", "c31c\n");
	text_put(r, "dev/bus/usb/001/017", "");
	*state = r;
	return 0;
}

static int
rig_done(void **state)
{
	struct rig *r = *state;
	char command[128];
	pid_t child = fork();

	snprintf(command, sizeof command, "%s", r->top);
	if (child == 0) {
		execlp("rm", "rm", "-r", command, (char *)NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
	free(r);
	return 0;
}

static void
driver_bind(const struct rig *r, const char *driver)
{
	char path[256], target[128];

	snprintf(path, sizeof path, "%s/bus/usb/devices/1-2:1.0/driver", r->sys);
	snprintf(target, sizeof target, "../../../../bus/usb/drivers/%s", driver);
	unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

/* A process of that name with the reader's node open. */
static pid_t
holder_start(const struct rig *r, const char *name)
{
	int ready[2];
	char c;

	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_NAME, name);
		if (open(r->node, O_RDWR) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return child;
}

static void
holder_stop(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void
test_nobody(void **state)
{
	const struct rig *r = *state;
	struct station_claim list[STATION_CLAIMS_MAX];
	struct err e = {0};

	assert_int_equal(station_claims(list, STATION_CLAIMS_MAX, &r->roots), 1);
	assert_string_equal(list[0].plug, "1-2");
	assert_string_equal(list[0].usb->name, "ACS ACR122");
	assert_int_equal(list[0].holder, CLAIM_FREE);
	assert_int_equal(station_claim_tell(&list[0], &e), 0);
	driver_bind(r, "usbfs");
	assert_int_equal(station_claim_address("acr122_usb", &r->roots, &e), 0);
}

static void
test_kernel(void **state)
{
	const struct rig *r = *state;
	struct err e = {0};

	driver_bind(r, "pn533_usb");
	assert_int_equal(station_claim_address("acr122_usb:001:017", &r->roots, &e), ERR_BUSY);
	assert_non_null(strstr(e.text, "modprobe -r pn533_usb"));
	assert_non_null(strstr(e.text, "blacklist pn533_usb"));
	assert_null(strchr(e.text, '\n'));
	/* another kind of reader is not in the way */
	assert_int_equal(station_claim_address("pn53x_usb", &r->roots, &e), 0);
}

static void
test_programs(void **state)
{
	const struct rig *r = *state;
	struct err e = {0};
	char pid[32];

	pid_t child = holder_start(r, "pcscd");
	assert_int_equal(station_claim_address("acr122_usb", &r->roots, &e), ERR_BUSY);
	assert_non_null(strstr(e.text, "pcscd holds the chip reader ACS ACR122"));
	holder_stop(child);
	assert_int_equal(station_claim_address("acr122_usb", &r->roots, &e), 0);

	child = holder_start(r, "nfc-poll");
	snprintf(pid, sizeof pid, "process %ld)", (long)child);
	assert_int_equal(station_claim_address("acr122_usb", &r->roots, &e), ERR_BUSY);
	assert_non_null(strstr(e.text, "The program nfc-poll"));
	assert_non_null(strstr(e.text, pid));
	holder_stop(child);
}

static void
test_nothing_there(void **state)
{
	const struct station_roots none = {"/nonexistent", "/nonexistent", "/nonexistent"};
	struct station_claim list[STATION_CLAIMS_MAX];
	struct err e = {0};

	(void)state;
	assert_int_equal(station_claims(list, STATION_CLAIMS_MAX, &none), 0);
	assert_int_equal(station_claim_address("pn53x_usb", &none, &e), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nobody, rig_init, rig_done),
		cmocka_unit_test_setup_teardown(test_kernel, rig_init, rig_done),
		cmocka_unit_test_setup_teardown(test_programs, rig_init, rig_done),
		cmocka_unit_test(test_nothing_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
