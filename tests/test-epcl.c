/*
 * test-epcl.c - the Zebra EPCL family: dialogues, and printers that misbehave.
 *
 * The dialogues come from the protocol description, sections 2, 5 and 9. The printer at the other
 * end is a small one behind struct transport_ops that takes each write as one command.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/epcl.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a printer to talk to ---------------------------------------------------------------------
 */

enum trick { ANSWER, MUTE, LATE, UNPLUG, TEAR, ENDLESS };
struct rule {
	const char *command; /* how the command begins */
	enum trick trick;
	const char *bytes; /* ANSWER, LATE: the reply */
	int skip, times;   /* skip so many first; times 0 = from now on */
};

struct fake {
	struct transport base;
	struct rule rules[4];
	struct printer_override overrides[8];
	char log[8192]; /* command texts, each followed by '|'; planes without their data */
	char pipe[4096];
	size_t pipe_len, fill; /* fill: bytes that came outside commands */
	const char *version, *latched, *late;
	uint8_t port;
	bool endless, closed, unplugged, waits; /* waits: for the rest of a plane */
};

/* Where artwork pixel (x, y), 1016 x 648, lies in a plane. */
static uint8_t *
plane_dot(struct plane *p, unsigned x, unsigned y)
{
	unsigned dot = p->dots - 1 - y;

	return p->data + x * p->stride + (p->bits == 8 ? dot : dot / 8);
}

static void
mono_bit_set(struct plane *p, unsigned x, unsigned y)
{
	*plane_dot(p, x, y) |= (uint8_t)(0x80 >> (p->dots - 1 - y) % 8);
}

static void
fake_answer(struct fake *f, const char *text)
{
	size_t n = strlen(text);

	memcpy(f->pipe + f->pipe_len, text, n);
	f->pipe_len += n;
}

static const char *
fake_say(struct fake *f, const char *command)
{
	if (strcmp(command, ".") == 0) {
		f->latched = NULL;
		return "\x06";
	}
	if (f->latched)
		return f->latched;
	if (strcmp(command, "V") == 0)
		return f->version;
	if (strcmp(command, "%CLN") == 0)
		return "Cpt imp:00025000 next clean Prn:00004000 nb pass:5\r";
	return "\x06";
}

static struct rule *
fake_rule(struct fake *f, const char *command)
{
	for (size_t i = 0; i < ARRAY_LEN(f->rules); i++) {
		struct rule *r = &f->rules[i];
		if (!r->command || strncmp(command, r->command, strlen(r->command)) != 0 ||
			r->times < 0)
			continue;
		if (r->skip > 0) {
			r->skip--;
			continue;
		}
		if (r->times > 0 && --r->times == 0)
			r->times = -1;
		return r;
	}
	return NULL;
}

/* Every command sent has its row; those that begin with X are this test's settings. */
static void
documented_check(const char *command)
{
	size_t n = strcspn(command, " [");
	bool found = command[0] == 'X';

	for (const struct printer_command *c = printer_epcl.commands; c->name && !found; c++)
		found = strcspn(c->name, " ") == n && strncmp(c->name, command, n) == 0;
	if (!found)
		fail_msg("no row for the command %s", command);
	for (const char *inner = command; command[0] == 'M' && command[1] == ' ' && *inner;) {
		inner += inner == command ? 4 : 1; /* behind "M 1 ", behind '[' */
		if (inner != command + 4 || strncmp(inner, "M ", 2) != 0)
			documented_check(inner);
		inner += strcspn(inner, "[");
	}
}

static void
fake_obey(struct fake *f, const char *command)
{
	documented_check(command);
	struct rule *r = fake_rule(f, command);
	const char *said;

	if (f->late)
		fake_answer(f, f->late);
	f->late = NULL;
	if (r && r->trick == MUTE)
		return;
	if (r && r->trick == ENDLESS) {
		f->endless = true;
		return;
	}
	said = r ? r->bytes : fake_say(f, command);
	if (said[0] == 0x15 &&
		strcmp(said, "\x15"
			     "05\x04") &&
		strcmp(said, "\x15"
			     "06\x04"))
		f->latched = said;
	if (r && r->trick == LATE)
		f->late = said;
	else
		fake_answer(f, said);
}

static int
fake_write(struct transport *t, const void *bytes, size_t len, size_t *done, unsigned timeout_ms,
	struct err *e)
{
	struct fake *f = (struct fake *)t;
	const char *b = bytes;
	char command[200];

	(void)timeout_ms;
	*done = 0;
	if (f->unplugged)
		return fault_set(e, FAULT_UNPLUGGED, NULL);
	*done = len;
	if (f->waits || b[0] != 033) {
		f->fill += len;
		f->waits = f->waits && !(len == 1 && b[0] == '\r');
		return 0;
	}
	size_t n = len - 2;
	if (len > 300)
		n = b[1] == 'G' ? 20 : strcspn(b + 1, "Z") + 1;
	snprintf(command, sizeof command, "%.*s", (int)n, b + 1);
	snprintf(f->log + strlen(f->log), sizeof f->log - strlen(f->log), "%s|", command);
	struct rule *r = fake_rule(f, command);
	if (r && (r->trick == TEAR || r->trick == UNPLUG)) {
		*done = r->trick == TEAR ? len / 2 : 0;
		f->unplugged = r->trick == UNPLUG;
		return fault_set(e, r->trick == TEAR ? FAULT_STALL : FAULT_UNPLUGGED, NULL);
	}
	if (r && r->times == -1)
		r->times = 1; /* fake_obey looks it up again */
	fake_obey(f, command);
	return 0;
}

static int
fake_read(struct transport *t, void *bytes, size_t max, size_t *len, unsigned timeout_ms,
	struct err *e)
{
	struct fake *f = (struct fake *)t;
	size_t n = f->pipe_len < max ? f->pipe_len : max;

	(void)timeout_ms;
	*len = 0;
	if (f->unplugged)
		return fault_set(e, FAULT_UNPLUGGED, NULL);
	if (f->endless) {
		memset(bytes, 'A', max);
		*len = max;
		return 0;
	}
	if (n == 0)
		return fault_set(e, FAULT_NO_REPLY, NULL);
	memcpy(bytes, f->pipe, n);
	memmove(f->pipe, f->pipe + n, f->pipe_len - n);
	f->pipe_len -= n;
	*len = n;
	return 0;
}

static int
fake_port_status(struct transport *t, uint8_t *status, struct err *e)
{
	struct fake *f = (struct fake *)t;

	if (f->unplugged)
		return fault_set(e, FAULT_UNPLUGGED, NULL);
	*status = f->port;
	return 0;
}

static void
fake_close(struct transport *t)
{
	((struct fake *)t)->closed = true;
}

static const struct transport_ops fake_ops = {fake_write, fake_read, fake_port_status, fake_close};

static const struct usb_printer p310i = {
	.vendor = 0x0a5f, .serial = "1", .device_id = "MFG:Zebra;MDL:P310i;CLS:PRINTER;"};
static const struct usb_printer p430i = {
	.vendor = 0x0a5f, .serial = "2", .model = "Zebra P430i USB Card Printer"};

static void
fake_init(struct fake *f)
{
	*f = (struct fake){.base.ops = &fake_ops, .version = "P310i V2.10\r", .port = 0x18};
	f->overrides[0] = (struct printer_override){"fault-hold-ms", "0"};
	f->base.overrides = f->overrides;
	f->base.n_overrides = 1;
}

static void
fake_set(struct fake *f, const char *name, const char *value)
{
	f->overrides[f->base.n_overrides++] = (struct printer_override){name, value};
}

static struct printer *
fake_open(struct fake *f, const struct usb_printer *id)
{
	struct printer *p = NULL;
	struct err e = {0};

	assert_int_equal(printer_epcl.open(&p, &f->base, id, &e), 0);
	assert_non_null(p);
	f->log[0] = '\0';
	return p;
}

/* A front with all panels and a back in black. */
static void
faces_make(struct face faces[SIDE_COUNT])
{
	struct err e;

	memset(faces, 0, sizeof(struct face) * SIDE_COUNT);
	for (int i = PANEL_Y; i <= PANEL_C; i++)
		assert_int_equal(plane_create(&faces[0].plane[i], 8, 648, 1016, &e), 0);
	assert_int_equal(plane_create(&faces[0].plane[PANEL_K], 1, 648, 1016, &e), 0);
	assert_int_equal(plane_create(&faces[1].plane[PANEL_K], 1, 648, 1016, &e), 0);
	faces[0].plane[PANEL_O].fill = PLANE_FULL;
	faces[0].plane[PANEL_Y].data[0] = 77;
	mono_bit_set(&faces[1].plane[PANEL_K], 5, 50);
}

static const struct ribbon ymcko = {.name = "ymcko", .front = "YMCKO", .back = ""};
static const struct ribbon ymckok = {.name = "ymckok", .front = "YMCKO", .back = "K"};
static const struct ribbon black = {.name = "k", .front = "K", .back = "K"};

static struct printer *
fake_ready(struct fake *f, const struct usb_printer *id, const struct ribbon *ribbon, bool duplex)
{
	struct print_job job = {.ribbon = ribbon, .duplex = duplex};
	struct face faces[SIDE_COUNT];
	struct printer *p = fake_open(f, id);
	struct err e = {0};

	faces_make(faces);
	assert_int_equal(printer_epcl.begin(p, &job, &e), 0);
	assert_int_equal(printer_epcl.feed(p, PLACE_PRINT, &e), 0);
	assert_int_equal(printer_epcl.load(p, faces, &e), 0);
	face_done(&faces[0]);
	face_done(&faces[1]);
	return p;
}

/* ---- dialogues --------------------------------------------------------------------------------
 */

/* The production job of the description, 9.1, in the order of the pass. V proves each move. */
static void
test_job(void **state)
{
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	struct printer *p = fake_ready(&f, &p310i, &ymcko, false);
	assert_string_equal(printer_epcl.model(p)->mdl, "P310i");
	assert_string_equal(f.log,
		"+RIB 0|+$L 0 5|+$L 1 5|+$L 2 5|+$C 0 5|+$C 1 7|+$C 2 7|+C 5|+CV 3|"
		"MC|V|MI|V|$F|F|vF|GS 0 30 0 0 1024 640|GS 1 30 0 0 1024 640|"
		"GS 2 30 0 0 1024 640|G 0 0 12 640 1024 1|Z|vL 0 0 1023 639 1|");
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.print(p, &e), 0);
	assert_string_equal(f.log, "M 1 IS 0[IS 1[IS 2[I[IV 31[MO|V|");
	/* The next card: the path is known to be empty. */
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.feed(p, PLACE_PRINT, &e), 0);
	assert_string_equal(f.log, "MI|V|");
	assert_int_equal(printer_epcl.end(p, &e), 0);
	printer_epcl.close(p);
	assert_true(f.closed);
}

/* The description's bytes of the list in its second form. */
static void
test_list_bytes(void **state)
{
	static const uint8_t want[] = {0x1b, 0x4d, 0x20, 0x31, 0x20, 0x49, 0x53, 0x20, 0x30, 0x5b,
		0x49, 0x53, 0x20, 0x31, 0x5b, 0x49, 0x53, 0x20, 0x32, 0x5b, 0x49, 0x5b, 0x49, 0x56,
		0x20, 0x31, 0x0d};
	struct buf out;

	(void)state;
	buf_init(&out, 256);
	assert_int_equal(epcl_command(&out, "M 1 IS 0[IS 1[IS 2[I[IV 1", NULL), 0);
	assert_int_equal(out.len, sizeof want);
	assert_memory_equal(out.data, want, sizeof want);
	buf_done(&out);
}

static void
test_duplex(void **state)
{
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	f.version = "P430i 1.0\r";
	fake_set(&f, "ribbon-ymckok", "tag");
	struct printer *p = fake_ready(&f, &p430i, &ymckok, true);
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.print(p, &e), 0);
	assert_string_equal(
		f.log, "M 1 IS 0[IS 1[IS 2[I[IV 31|V|MF|V|F|G 0 0 12 640 1024 1|Z|M 1 I[MO|V|");
	printer_epcl.close(p);
}

/* One plane after the other, where the printer holds no more. */
static void
test_standard_memory(void **state)
{
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	fake_set(&f, "memory", "standard");
	struct printer *p = fake_ready(&f, &p310i, &ymcko, false);
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.print(p, &e), 0);
	assert_string_equal(f.log, "$F|GS 0 30 0 0 1024 640|IS 0|V|$F|GS 1 30 0 0 1024 640|IS 1|V|"
				   "$F|GS 2 30 0 0 1024 640|IS 2|V|F|G 0 0 12 640 1024 1|Z|I|V|"
				   "vF|vL 0 0 1023 639 1|IV 31|V|MO|V|");
	printer_epcl.close(p);
}

static void
test_magnetic(void **state)
{
	static const char good[MAGNETIC_TRACKS][MAGNETIC_TRACK_MAX + 1] = {
		"123456^NAME/X^789012", "", "0099"};
	static const char bad[MAGNETIC_TRACKS][MAGNETIC_TRACK_MAX + 1] = {"A[MO", "", ""};
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	struct printer *p = fake_ready(&f, &p310i, &ymcko, false);
	assert_int_equal(printer_epcl.tracks(p, bad, &e), ERR_INPUT);
	assert_int_equal(printer_epcl.tracks(p, good, &e), 0);
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.print(p, &e), 0);
	assert_string_equal(f.log, "&R|&CDEW 0 0|&CDER 0 0|&B 1 123456^NAME/X^789012|&B 3 0099|"
				   "&E*|V|M 1 IS 0[IS 1[IS 2[I[IV 31[MO|V|");
	/* A printer without an encoder says so before anything moves: no jam, no doubt. */
	printer_epcl.close(p);
	fake_init(&f);
	p = fake_ready(&f, &p310i, &ymcko, false);
	assert_int_equal(printer_epcl.tracks(p, good, &e), 0);
	f.rules[0] = (struct rule){"&R", ANSWER,
		"\x15"
		"45\x04",
		0, 1};
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.print(p, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_REFUSED);
	assert_non_null(strstr(e.text, "CardMagnetic"));
	assert_string_equal(e.raw, "NACK 45");
	assert_string_equal(f.log, "&R|");
	printer_epcl.close(p);
}

static void
test_begin(void **state)
{
	static const struct ribbon ko = {.name = "ko", .front = "KO", .back = ""};
	struct print_job job = {.ribbon = &black, .darkness = 3};
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	struct printer *p = fake_open(&f, &p310i);
	assert_int_equal(printer_epcl.begin(p, &job, &e), 0);
	assert_string_equal(f.log, "+RIB 4|+C 10|");
	job.ribbon = &ko;
	assert_int_equal(printer_epcl.begin(p, &job, &e), ERR_USAGE);
	assert_non_null(strstr(e.text, "ribbon-ko"));
	job.ribbon = &ymckok;
	assert_int_equal(printer_epcl.begin(p, &job, &e), ERR_USAGE);
	job = (struct print_job){.ribbon = &black, .duplex = true};
	assert_int_equal(printer_epcl.begin(p, &job, &e), ERR_USAGE);
	/* A refused heat matters only when it was asked for. */
	job.duplex = false;
	f.rules[0] = (struct rule){.command = "+C ",
		.bytes = "\x15"
			 "14\x04"};
	assert_int_equal(printer_epcl.begin(p, &job, &e), 0);
	job.darkness = 2;
	assert_int_equal(printer_epcl.begin(p, &job, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_REFUSED);
	printer_epcl.close(p);
}

/* Without the dock commands a card with a chip is refused before anything moves. */
static void
test_station(void **state)
{
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	struct printer *p = fake_open(&f, &p310i);
	assert_int_equal(printer_epcl.reach(p, PLACE_PRINT, &e), 0);
	assert_int_equal(printer_epcl.reach(p, PLACE_CONTACTLESS, &e), ERR_USAGE);
	assert_non_null(strstr(e.text, "dock-contactless"));
	assert_int_equal(printer_epcl.feed(p, PLACE_CONTACT, &e), ERR_USAGE);
	assert_string_equal(f.log, "");
	printer_epcl.close(p);
	fake_init(&f);
	fake_set(&f, "dock-contactless", "XD");
	fake_set(&f, "undock-print", "XU");
	fake_set(&f, "undock-eject", "XE");
	p = fake_ready(&f, &p310i, &ymcko, false);
	assert_int_equal(printer_epcl.feed(p, PLACE_CONTACTLESS, &e), 0);
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.print(p, &e), 0);
	assert_string_equal(f.log, "XU|V|M 1 IS 0[IS 1[IS 2[I[IV 31[MO|V|");
	assert_int_equal(printer_epcl.feed(p, PLACE_CONTACTLESS, &e), 0);
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.eject(p, EXIT_REJECT, &e), 0);
	assert_string_equal(f.log, "XE|V|");
	assert_int_equal(printer_epcl.eject(p, EXIT_REJECT, &e), ERR_FAULT);
	printer_epcl.close(p);
}

/* What a reply to the act, or to the question behind it, says of the card. */
static void
test_print_faults(void **state)
{
	static const struct {
		struct rule rule;
		int rc;
		enum fault fault;
		enum card_place place;
	} rows[] = {
		{{"M 1", ANSWER,
			 "\x15"
			 "08\x04",
			 0, 1},
			ERR_FAULT, FAULT_RIBBON_END, PLACE_PRINT},
		{{"M 1", ANSWER,
			 "\x15"
			 "03\x04",
			 0, 1},
			ERR_FAULT, FAULT_JAM_PRINT, PLACE_UNKNOWN},
		{{"M 1", ANSWER,
			 "\x15"
			 "14\x04",
			 0, 1},
			ERR_FAULT, FAULT_REFUSED, PLACE_PRINT},
		{{"M 1", ANSWER,
			 "\x15"
			 "0",
			 0, 1},
			ERR_DOUBT, FAULT_GARBLED_REPLY, PLACE_UNKNOWN},
		{{"M 1", ANSWER, "HELLO\r", 0, 1}, ERR_DOUBT, FAULT_GARBLED_REPLY, PLACE_UNKNOWN},
		{{"M 1", ANSWER, "\x80\xff", 0, 1}, ERR_DOUBT, FAULT_GARBLED_REPLY, PLACE_UNKNOWN},
		{{"M 1", MUTE, "", 0, 1}, ERR_DOUBT, FAULT_NO_REPLY, PLACE_UNKNOWN},
		{{"M 1", LATE, "\x06", 0, 1}, ERR_DOUBT, FAULT_NO_REPLY, PLACE_UNKNOWN},
		{{"M 1", ENDLESS, "", 0, 1}, ERR_DOUBT, FAULT_GARBLED_REPLY, PLACE_UNKNOWN},
		{{"M 1", UNPLUG, "", 0, 1}, ERR_DOUBT, FAULT_UNPLUGGED, PLACE_UNKNOWN},
		{{"V", ANSWER,
			 "\x15"
			 "03\x04",
			 0, 1},
			ERR_FAULT, FAULT_JAM_PRINT, PLACE_UNKNOWN},
		{{"V", MUTE, "", 0, 1}, ERR_DOUBT, FAULT_NO_REPLY, PLACE_UNKNOWN},
		{{"V", ANSWER, "\x06", 0, 1}, ERR_DOUBT, FAULT_GARBLED_REPLY, PLACE_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fake f;
		struct err e = {0};
		fake_init(&f);
		f.base.limits = (struct printer_limits){5, 5, 5, 5};
		struct printer *p = fake_ready(&f, &p310i, &ymcko, false);
		f.rules[0] = rows[i].rule;
		f.log[0] = '\0';
		assert_int_equal(printer_epcl.print(p, &e), rows[i].rc);
		assert_int_equal(e.fault, rows[i].fault);
		assert_int_equal(p->place, rows[i].place);
		/* Nothing is printed again, whatever happened. */
		f.endless = f.unplugged = false;
		f.rules[0].command = NULL;
		f.log[0] = '\0';
		assert_true(printer_epcl.print(p, &e) < 0);
		assert_null(strstr(f.log, "M 1"));
		printer_epcl.close(p);
	}
}

/* An error is cleared before the next command; an empty hopper leaves the path empty. */
static void
test_feed_empty(void **state)
{
	struct printer_status st;
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	f.overrides[0].value = "60000";
	struct printer *p = fake_open(&f, &p310i);
	f.rules[0] = (struct rule){"MI", ANSWER,
		"\x15"
		"04\x04",
		0, 1};
	assert_int_equal(printer_epcl.feed(p, PLACE_PRINT, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_HOPPER_EMPTY);
	assert_string_equal(e.raw, "NACK 04");
	assert_string_equal(f.log, "MC|V|MI|");
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.status(p, &st, &e), 0);
	assert_string_equal(f.log, ".|V|");
	assert_int_equal(st.fault, FAULT_HOPPER_EMPTY);
	assert_int_equal(st.place, PLACE_NONE);
	p->hold_until_ms = 0;
	assert_int_equal(printer_epcl.status(p, &st, &e), 0);
	assert_int_equal(st.fault, FAULT_NONE);
	assert_int_equal(st.cleaning_left, 800);
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.feed(p, PLACE_PRINT, &e), 0);
	assert_string_equal(f.log, "MI|V|");
	printer_epcl.close(p);
}

/* The answer to a lost command is not taken for the next one's. */
static void
test_late(void **state)
{
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	f.base.limits = (struct printer_limits){5, 5, 5, 5};
	struct printer *p = fake_open(&f, &p310i);
	f.rules[0] = (struct rule){"MC", LATE, "\x06", 0, 1};
	assert_int_equal(printer_epcl.feed(p, PLACE_PRINT, &e), ERR_DOUBT);
	f.rules[1] = (struct rule){"MC", MUTE, "", 0, 1};
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.feed(p, PLACE_PRINT, &e), ERR_DOUBT);
	assert_string_equal(f.log, "V|MC|");
	printer_epcl.close(p);
}

/* A plane that breaks off is sent to its end before anything else. */
static void
test_torn(void **state)
{
	struct print_job job = {.ribbon = &ymcko};
	struct face faces[SIDE_COUNT];
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	struct printer *p = fake_open(&f, &p310i);
	faces_make(faces);
	assert_int_equal(printer_epcl.begin(p, &job, &e), 0);
	f.rules[0] = (struct rule){"GS 1", TEAR, "", 0, 1};
	assert_int_equal(printer_epcl.load(p, faces, &e), ERR_DEVICE);
	assert_int_equal(printer_epcl.print(p, &e), ERR_INTERNAL);
	f.fill = 0;
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.load(p, faces, &e), 0);
	assert_true(f.fill > 5000);
	assert_int_equal(strncmp(f.log, "V|$F|", 5), 0);
	face_done(&faces[0]);
	face_done(&faces[1]);
	printer_epcl.close(p);
}

/* Opening: what it may find, and what it refuses. */
static void
test_open(void **state)
{
	static const struct usb_printer by_product = {.vendor = 0x0a5f, .product = 0x0050};
	static const struct usb_printer nameless = {.vendor = 0x0a5f};
	static const struct usb_printer labels = {
		.vendor = 0x0a5f, .device_id = "MFG:Zebra;CMD:ZPL;MDL:ZD420;"};
	struct printer *p;
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	f.version = "\x06";
	p = fake_open(&f, &by_product);
	assert_string_equal(printer_epcl.model(p)->mdl, "P120i");
	printer_epcl.close(p);
	fake_init(&f);
	f.latched = "\x15"
		    "03\x04"; /* an earlier program's */
	f.version = "ZEBRA P520i 1.2\r";
	p = fake_open(&f, &nameless);
	assert_string_equal(printer_epcl.model(p)->mdl, "P520i");
	printer_epcl.close(p);
	fake_init(&f);
	f.waits = true;
	f.base.limits.reply_ms = 5;
	p = fake_open(&f, &p310i);
	assert_true(f.fill >= 655360);
	printer_epcl.close(p);
	fake_init(&f);
	f.version = "P999 1.0\r";
	assert_int_equal(printer_epcl.open(&p, &f.base, &nameless, &e), ERR_DEVICE);
	assert_true(f.closed);
	fake_init(&f);
	assert_int_equal(printer_epcl.open(&p, &f.base, &labels, &e), ERR_DEVICE);
	assert_string_equal(f.log, "");
	fake_init(&f);
	fake_set(&f, "replies", "off");
	assert_int_equal(printer_epcl.open(&p, &f.base, &p310i, &e), ERR_USAGE);
	fake_init(&f);
	fake_set(&f, "no_such_setting", "1");
	assert_int_equal(printer_epcl.open(&p, &f.base, &p310i, &e), ERR_USAGE);
	fake_init(&f);
	f.endless = true;
	assert_true(printer_epcl.open(&p, &f.base, &p310i, &e) < 0);
	assert_true(f.closed);
}

static void
test_place(void **state)
{
	struct printer_status st;
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	struct printer *p = fake_open(&f, &p310i);
	assert_int_equal(printer_epcl.status(p, &st, &e), 0);
	assert_int_equal(st.place, PLACE_UNKNOWN);
	assert_true(st.blind);
	printer_epcl.close(p);
	fake_init(&f);
	fake_set(&f, "place-query", "&P");
	p = fake_open(&f, &p310i);
	f.rules[0] = (struct rule){"&P", ANSWER,
		"\x15"
		"05\x04",
		0, 1};
	f.rules[1] = (struct rule){"&P", ANSWER,
		"\x15"
		"06\x04",
		0, 1};
	f.rules[2] = (struct rule){"&P", ANSWER,
		"\x15"
		"14\x04",
		0, 1};
	assert_int_equal(printer_epcl.status(p, &st, &e), 0);
	assert_int_equal(st.place, PLACE_PRINT);
	assert_false(st.blind);
	assert_int_equal(printer_epcl.status(p, &st, &e), 0);
	assert_int_equal(st.place, PLACE_NONE);
	assert_int_equal(printer_epcl.status(p, &st, &e), 0);
	assert_true(st.blind);
	printer_epcl.close(p);
}

static void
probe_note(void *ctx, const char *what, const char *sent, const char *reply)
{
	char *text = ctx;

	assert_non_null(what);
	snprintf(text + strlen(text), 2000 - strlen(text), "%s=%s;", sent, reply ? reply : "-");
}

static void
test_probe_and_service(void **state)
{
	char told[2000] = "";
	struct fake f;
	struct err e = {0};

	(void)state;
	fake_init(&f);
	f.base.limits.reply_ms = 5;
	struct printer *p = fake_open(&f, &p310i);
	f.rules[0] = (struct rule){"!X", MUTE, "", 0, 1};
	f.rules[1] = (struct rule){"V 13", ANSWER,
		"\x15"
		"10\x04",
		0, 1};
	assert_int_equal(printer_epcl.probe(p, probe_note, told, &e), 0);
	assert_string_equal(told,
		"V=P310i V2.10;V 12=ACK;V 13=NACK 10;V 20=ACK;V 30=ACK;"
		"V 100=ACK;&P=ACK;%CLN=Cpt imp:00025000 next clean Prn:00004000 nb "
		"pass:5;!X=-;GET_PORT_STATUS=18;");
	assert_null(strstr(f.log, "|M"));
	f.log[0] = '\0';
	assert_int_equal(printer_epcl.service(p, SERVICE_CLEAN, &e), 0);
	assert_int_equal(printer_epcl.service(p, SERVICE_TEST_CARD, &e), 0);
	assert_non_null(strstr(f.log, "MC|V|CLNCARD|V|MC|V|A|V|"));
	printer_epcl.close(p);
}

/* What is documented as sent is what the tables say, and each has a source. */
static void
test_tables(void **state)
{
	(void)state;
	for (const struct printer_command *c = printer_epcl.commands; c->name; c++)
		assert_true(c->when && c->purpose && c->source && c->source[0]);
	for (size_t i = 0; i < printer_epcl.n_models; i++) {
		const struct printer_model *m = &printer_epcl.models[i];
		assert_non_null(m->settings);
		for (const struct printer_setting *s = m->settings; s->name; s++)
			assert_true(s->value && s->purpose);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_job),
		cmocka_unit_test(test_list_bytes),
		cmocka_unit_test(test_duplex),
		cmocka_unit_test(test_standard_memory),
		cmocka_unit_test(test_magnetic),
		cmocka_unit_test(test_begin),
		cmocka_unit_test(test_station),
		cmocka_unit_test(test_print_faults),
		cmocka_unit_test(test_feed_empty),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_probe_and_service),
		cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
