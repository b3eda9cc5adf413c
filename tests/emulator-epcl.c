/*
 * emulator-epcl.c - the bench of the Zebra dialect: what the emulator has around it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator-epcl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct bench b;

static void *
idle_create(struct printer *p)
{
	return p;
}

static void
idle_destroy(void *state)
{
	(void)state;
}

const struct dialect dialect_evolis = {"none", idle_create, idle_destroy, .status = NULL};

void
usb_reply(struct usb_device *d, const void *bytes, size_t len)
{
	(void)d;
	if (len <= sizeof b.reply - b.reply_len) {
		memcpy(b.reply + b.reply_len, bytes, len);
		b.reply_len += len;
	}
}

void
usb_babble(struct usb_device *d)
{
	(void)d;
}

void
usb_clear_faults(struct usb_device *d)
{
	(void)d;
}

void
emu_log(struct emu *emu, const char *format, ...)
{
	va_list ap;
	(void)emu;
	b.strict += !strncmp(format, "strict:", 7);
	if (!getenv("EPCL_LOG"))
		return;
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void
emu_wait(struct emu *emu, unsigned ms)
{
	(void)emu;
	b.clock_ms += ms;
}

uint64_t
now_ms(void)
{
	return b.clock_ms;
}

void
console_at_card(struct printer *p, unsigned serial)
{
	(void)p;
	(void)serial;
}

/* The card is looked at just before it may leave. */
void
console_at_command(struct printer *p, const char *name)
{
	struct emu_card *c = p->inside;
	if (!c || strcmp(name, "MO"))
		return;
	for (int side = 0; side < 2; side++) {
		free(b.shown[side]);
		b.shown[side] = c->side_rgb[side] ? malloc(DOT_N * 3) : NULL;
		if (b.shown[side])
			memcpy(b.shown[side], c->side_rgb[side], DOT_N * 3);
	}
	for (int t = 0; t < 3; t++)
		snprintf(b.tracks[t], sizeof b.tracks[t], "%s", c->track[t] ? c->track[t] : "");
}

bool
killer_chip_write(void *emu, bool after)
{
	(void)emu;
	(void)after;
	return false;
}

bool
killer_command(struct emu *emu, const char *name, enum kill_when when)
{
	(void)emu;
	(void)name;
	(void)when;
	return false;
}

void
status_show(struct printer *p)
{
	(void)p;
}

void
bench_open(const char *model, const char *ribbon)
{
	memset(&b, 0, sizeof b);
	pthread_mutex_init(&b.emu.lock, NULL);
	b.emu.n_printers = 1;
	b.p = printer_create(&b.emu, model_find(model), "Z-1", 20, ribbon);
	assert_non_null(b.p);
	b.p->usb = &b.usb;
}

void
bench_close(void)
{
	printer_destroy(b.p);
	free(b.shown[0]);
	free(b.shown[1]);
	pthread_mutex_destroy(&b.emu.lock);
}

void
feed(const void *bytes, size_t len)
{
	b.p->model->dialect->feed(b.p->dialect, bytes, len);
}

void
ask_bytes(const void *command, size_t len, const char *answer, size_t answer_len)
{
	b.reply_len = 0;
	feed("\x1b", 1);
	feed(command, len);
	feed("\r", 1);
	if (b.reply_len != answer_len || memcmp(b.reply, answer, answer_len))
		print_error("%.60s: answer %.*s\n", (const char *)command, (int)b.reply_len,
			(const char *)b.reply);
	assert_int_equal(b.reply_len, answer_len);
	assert_memory_equal(b.reply, answer, answer_len);
}

void
ask(const char *command, const char *answer)
{
	ask_bytes(command, strlen(command), answer, strlen(answer));
}

void
nack(const char *command, int code)
{
	char answer[8];
	snprintf(answer, sizeof answer, "\x15%02d\x04", code);
	ask(command, answer);
}

void
option(const char *name, const char *value)
{
	assert_null(b.p->model->dialect->option(b.p->dialect, name, value));
}

struct epcl *
dialect_state(void)
{
	return b.p->dialect;
}
