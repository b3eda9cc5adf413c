/*
 * test-epcl.c - the Zebra EPCL family: codec vectors, dialogues, and printers that misbehave.
 *
 * The vectors come from the protocol description, sections 2, 4.3, 5 and 9, or were worked out by
 * hand from its rules; planes are read back by a decoder written here from the description alone.
 * The printer at the other end is a small one behind struct transport_ops that takes each write as
 * one command.
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

/* ---- a decoder of both run forms, from the description -------------------------------------- */

/* How many values came out; stops at max. *used: bytes read. */
static size_t
runs_decode(const uint8_t *in, size_t len, uint8_t *out, size_t max, bool mono, size_t *used)
{
	size_t at = 0, n = 0;

	while (at < len && n < max) {
		uint8_t b = in[at++];
		if (b & 0x80) {
			assert_true(at < len);
			for (unsigned i = 0; i < (b & 0x7fu) && n < max; i++)
				out[n++] = in[at];
			at++;
		} else if (!mono) {
			out[n++] = b;
		} else {
			for (unsigned i = 0; i < b && n < max; i++) {
				assert_true(at < len);
				out[n++] = in[at++];
			}
		}
	}
	*used = at;
	return n;
}

static uint32_t
noise(uint32_t *seed)
{
	return (*seed = *seed * 1664525 + 1013904223) >> 24;
}

static void
test_runs_worked(void **state)
{
	static const uint8_t mono_want[] = {0xd1, 0x00, 0x03, 0xff, 0x01, 0x80, 0x85, 0xff};
	static const uint8_t colour_want[] = {
		0x8a, 0x00, 0x05, 0x06, 0x07, 0xff, 0x1f, 0x83, 0x1f, 0x02};
	uint8_t in[256] = {0}, out[300];

	(void)state;
	in[81] = 0xff;
	in[82] = 0x01;
	in[83] = 0x80;
	memset(in + 84, 0xff, 5);
	assert_int_equal(epcl_mono_pack(out, in, 89), sizeof mono_want);
	assert_memory_equal(out, mono_want, sizeof mono_want);
	memset(in, 0, sizeof in);
	in[10] = 5;
	in[11] = 6;
	in[12] = 7;
	memset(in + 13, 31, 130);
	in[143] = 2;
	assert_int_equal(epcl_colour_pack(out, in, 144), sizeof colour_want);
	assert_memory_equal(out, colour_want, sizeof colour_want);
}

/* The beginning of the manual's figure 1-4, whose literal count of 60 a decoder must take. */
static void
test_runs_figure(void **state)
{
	static const uint8_t head[] = {0x99, 0x00, 0x02, 0x03, 0xf0, 0x84, 0x00, 0x02, 0x0f, 0xfc,
		0x84, 0x00, 0x02, 0x1f, 0xfe, 0x84, 0x00, 0x02, 0x3f, 0xff, 0x84, 0x00, 0x02, 0x3f,
		0xff, 0x84, 0x00};
	uint8_t dots[192], again[256];
	size_t used, n = runs_decode(head, sizeof head, dots, sizeof dots, true, &used);

	(void)state;
	assert_int_equal(n, 25 + 5 * 6);
	assert_int_equal(used, sizeof head);
	assert_int_equal(epcl_mono_pack(again, dots, n), sizeof head);
	assert_memory_equal(again, head, sizeof head);
}

/* Blank planes have the lengths that the description's table 4.2 gives. */
static void
test_runs_blank(void **state)
{
	uint8_t *in = calloc(1, 655360), *out = malloc(EPCL_MONO_MAX(655360));

	(void)state;
	assert_int_equal(epcl_colour_pack(out, in, 655360), 10322);
	assert_int_equal(epcl_mono_pack(out, in, 81920), 1292);
	free(in);
	free(out);
}

/* No run byte, value or count that is sent could be taken for CR, ESC or '['. */
static void
mono_controls_check(const uint8_t *out, size_t len)
{
	for (size_t at = 0; at < len;) {
		uint8_t b = out[at++];
		assert_true(b != 13 && b != 27 && b != 91 && b != 0 && b != 0x80);
		assert_true((b & 0x80) || b <= 31);
		at += b & 0x80 ? 1 : b;
	}
}

static void
test_runs_round_trip(void **state)
{
	uint32_t seed = 3;

	(void)state;
	for (size_t n = 1; n < 700; n++) {
		unsigned spread = 1 + n % 9;
		uint8_t *in = malloc(n), *out = malloc(EPCL_MONO_MAX(n)), *back = malloc(n);
		size_t used;
		for (size_t i = 0; i < n; i++)
			in[i] = i && noise(&seed) % 10 > spread ? in[i - 1] : (uint8_t)noise(&seed);
		size_t len = epcl_mono_pack(out, in, n);
		assert_true(len <= EPCL_MONO_MAX(n));
		assert_true(out[0] & 0x80);
		mono_controls_check(out, len);
		assert_int_equal(runs_decode(out, len, back, n, true, &used), n);
		assert_int_equal(used, len);
		assert_memory_equal(back, in, n);
		for (size_t i = 0; i < n; i++)
			in[i] %= 32;
		len = epcl_colour_pack(out, in, n);
		assert_true(len <= n + 1);
		assert_int_equal(runs_decode(out, len, back, n, false, &used), n);
		assert_int_equal(used, len);
		assert_memory_equal(back, in, n);
		free(in);
		free(out);
		free(back);
	}
}

static void
test_levels(void **state)
{
	uint8_t table[256];

	(void)state;
	epcl_levels(table, 32);
	assert_int_equal(table[0], 0);
	assert_int_equal(table[255], 31);
	assert_int_equal(table[13 * 255 / 31], 12); /* would be 13 */
	assert_int_equal(table[27 * 255 / 31 + 1], 28);
	for (int v = 0; v < 256; v++) {
		assert_true(table[v] <= 31 && table[v] != 13 && table[v] != 27);
		assert_true(v == 0 || table[v] >= table[v - 1]);
	}
	epcl_levels(table, 256);
	for (int v = 0; v < 256; v++) {
		int want = v == 13 ? 12 : v == 27 ? 28 : v == 91 ? 92 : v;
		assert_int_equal(table[v], want);
	}
}

/* ---- planes -----------------------------------------------------------------------------------
 */

static const struct epcl_format head640 = {.dots = 640, .lines = 1024, .levels = 32};

/* Where artwork pixel (x, y), 1016 x 648, lies in a plane. */
static uint8_t *
plane_dot(struct plane *p, unsigned x, unsigned y)
{
	unsigned dot = p->dots - 1 - y;

	return p->data + x * p->stride + (p->bits == 8 ? dot : dot / 8);
}

/*
 * Index of pixel (x, y) of a W x H landscape image is (W-1-x)*H + y. The artwork of 1016 x 648 lies
 * in the middle of 1024 x 640: its x is 4 further right, its y 4 further up.
 */
static size_t
wire_index(unsigned x, unsigned y)
{
	return (size_t)(1024 - 1 - (x + 4)) * 640 + (y - 4);
}

static void
test_plane_colour(void **state)
{
	static const char head[] = "\033GS 1 30 0 0 1024 640 ";
	struct plane p;
	struct buf out;
	struct err e;
	uint8_t *back = malloc(655360);
	size_t used, lit = 0;

	(void)state;
	assert_int_equal(plane_create(&p, 8, 648, 1016, &e), 0);
	*plane_dot(&p, 0, 4) = 255;      /* left edge, top of what the head reaches */
	*plane_dot(&p, 1015, 643) = 255; /* right edge, bottom */
	*plane_dot(&p, 500, 3) = 255;    /* above the head */
	*plane_dot(&p, 500, 644) = 255;  /* below it */
	buf_init(&out, 1 << 20);
	assert_int_equal(epcl_colour_plane(&out, 1, &p, &head640, &e), 0);
	assert_memory_equal(out.data, head, sizeof head - 1);
	assert_int_equal(out.data[out.len - 1], '\r');
	size_t len = out.len - sizeof head;
	assert_int_equal(
		runs_decode(out.data + sizeof head - 1, len, back, 655360, false, &used), 655360);
	assert_int_equal(used, len);
	assert_int_equal(back[wire_index(0, 4)], 31);
	assert_int_equal(back[wire_index(1015, 643)], 31);
	for (size_t i = 0; i < 655360; i++)
		lit += back[i] != 0;
	assert_int_equal(lit, 2);
	for (size_t i = 1; i + 1 < out.len; i++)
		assert_true(out.data[i] != 0x0d && out.data[i] != 0x1b);
	buf_done(&out);
	plane_done(&p);
	free(back);
}

static void
test_plane_colour_plain(void **state)
{
	static const char head[] = "\033GS 0 32 0 0 1024 640 ";
	struct epcl_format format = {.dots = 640, .lines = 1024, .levels = 256};
	struct plane full = {PLANE_FULL, 8, 648, 1016, 0, NULL};
	struct buf out;
	struct err e;

	(void)state;
	buf_init(&out, 1 << 20);
	assert_int_equal(epcl_colour_plane(&out, 0, &full, &format, &e), 0);
	assert_int_equal(out.len, sizeof head - 1 + 655360 + 1);
	assert_memory_equal(out.data, head, sizeof head - 1);
	assert_int_equal(out.data[sizeof head - 1], 255);
	buf_done(&out);
}

static void
mono_bit_set(struct plane *p, unsigned x, unsigned y)
{
	*plane_dot(p, x, y) |= (uint8_t)(0x80 >> (p->dots - 1 - y) % 8);
}

/* Every dot of one column and one row, and the form without runs. */
static void
test_plane_mono(void **state)
{
	struct epcl_format raw = {.dots = 640, .lines = 1024, .levels = 32, .mono_raw = true};
	uint8_t *back = malloc(81920), *want = calloc(1, 81920);
	char area[48];
	struct plane p;
	struct buf out;
	struct err e;
	size_t used;

	(void)state;
	assert_int_equal(plane_create(&p, 1, 648, 1016, &e), 0);
	for (unsigned y = 4; y < 644; y += 3)
		mono_bit_set(&p, 7, y);
	for (unsigned x = 0; x < 1016; x += 5)
		mono_bit_set(&p, x, 100);
	for (unsigned y = 4; y < 644; y++)
		for (unsigned x = 0; x < 1016; x++)
			if ((x == 7 && (y - 4) % 3 == 0) || (y == 100 && x % 5 == 0))
				want[wire_index(x, y) / 8] |=
					(uint8_t)(0x80 >> wire_index(x, y) % 8);
	buf_init(&out, 1 << 20);
	assert_int_equal(epcl_mono_plane(&out, area, sizeof area, false, &p, &head640, &e), 0);
	assert_string_equal(area, "G 0 0 12 640 1024 1");
	assert_memory_equal(out.data, "\033Z", 2);
	assert_int_equal(runs_decode(out.data + 2, out.len - 3, back, 81920, true, &used), 81920);
	assert_int_equal(used, out.len - 3);
	assert_memory_equal(back, want, 81920);
	out.len = 0;
	assert_int_equal(epcl_mono_plane(&out, area, sizeof area, true, &p, &raw, &e), 0);
	assert_string_equal(area, "vG 0 0 10 640 1024 1");
	assert_int_equal(out.len, 3 + 81920 + 1);
	assert_memory_equal(out.data, "\033vZ", 3);
	assert_memory_equal(out.data + 3, want, 81920);
	raw.escape = true;
	out.len = 0;
	memset(p.data, 0xd8, p.stride); /* backwards and 4 dots on: B1 B1 ... */
	assert_int_equal(epcl_mono_plane(&out, area, sizeof area, false, &p, &raw, &e), 0);
	assert_true(out.len >= 3 + 81920);
	buf_done(&out);
	plane_done(&p);
	free(back);
	free(want);
}

/* A plane smaller than the head gets blank edges, one of the head's own size none. */
static void
test_plane_shapes(void **state)
{
	struct epcl_format small = {.dots = 16, .lines = 3, .levels = 32, .mono_raw = true};
	static const uint8_t want[] = {0x00, 0x00, 0x10, 0x08, 0x00, 0x00};
	char area[48];
	struct plane p;
	struct buf out;
	struct err e;

	(void)state;
	assert_int_equal(plane_create(&p, 1, 10, 1, &e), 0);
	p.data[0] = 0x80; /* dot 0 of 10, at 3 of 16, goes out as dot 12 */
	p.data[1] = 0x40; /* dot 9 goes out as dot 3 */
	buf_init(&out, 4096);
	assert_int_equal(epcl_mono_plane(&out, area, sizeof area, false, &p, &small, &e), 0);
	assert_int_equal(out.len, 2 + 6 + 1);
	assert_memory_equal(out.data + 2, want, sizeof want);
	out.len = 0;
	p.bits = 8;
	assert_int_equal(
		epcl_mono_plane(&out, area, sizeof area, false, &p, &small, &e), ERR_INTERNAL);
	assert_int_equal(out.len, 0);
	assert_int_equal(epcl_command(&out, "MI\r\033MO", &e), ERR_INTERNAL);
	buf_done(&out);
	plane_done(&p);
}

/* ---- replies ----------------------------------------------------------------------------------
 */

static void
test_replies(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum epcl_kind kind, closed;
		int code;
		size_t used;
	} rows[] = {
		{"\x06", 1, EPCL_ACK, EPCL_ACK, 0, 1},
		{"\r\n\x06\x06", 4, EPCL_ACK, EPCL_ACK, 0, 3},
		{"\x15\x30\x35\x04", 4, EPCL_NACK, EPCL_NACK, 5, 4},
		{"\x15-1\x04", 4, EPCL_NACK, EPCL_NACK, -1, 4},
		{"\x15"
		 "255\x04",
			5, EPCL_NACK, EPCL_NACK, 255, 5},
		{"\x15"
		 "999\x04",
			5, EPCL_BAD, EPCL_BAD, 0, 5},
		{"\x15\x04", 2, EPCL_BAD, EPCL_BAD, 0, 2},
		{"\x15"
		 "0",
			2, EPCL_NOTHING, EPCL_BAD, 0, 2},
		{"\x15", 1, EPCL_NOTHING, EPCL_BAD, 0, 1},
		{"\x15"
		 "0\x06",
			3, EPCL_BAD, EPCL_BAD, 0, 3},
		{"P330i V1\r\x06", 10, EPCL_TEXT, EPCL_TEXT, 0, 9},
		{"P330i V1", 8, EPCL_NOTHING, EPCL_TEXT, 0, 8},
		{"P330i\x80", 6, EPCL_BAD, EPCL_BAD, 0, 6},
		{"\xff", 1, EPCL_BAD, EPCL_BAD, 0, 1},
		{"\x02", 1, EPCL_BAD, EPCL_BAD, 0, 1},
		{"\x04", 1, EPCL_TEXT, EPCL_TEXT, 0, 1},
		{"", 0, EPCL_NOTHING, EPCL_NOTHING, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct epcl_reply r;
		size_t used;
		epcl_reply_init(&r);
		assert_int_equal(
			epcl_reply_feed(&r, (const uint8_t *)rows[i].bytes, rows[i].len, &used),
			rows[i].kind != EPCL_NOTHING);
		assert_int_equal(r.kind, rows[i].kind);
		assert_int_equal(used, rows[i].used);
		epcl_reply_close(&r);
		assert_int_equal(r.kind, rows[i].closed);
		if (r.kind == EPCL_NACK)
			assert_int_equal(r.code, rows[i].code);
	}
}

static void
test_cleaning(void **state)
{
	int64_t passes = 0, left = 0;

	(void)state;
	assert_int_equal(epcl_cleaning_parse("Cpt imp:00025000 next clean Prn:00005000 nb pass:5",
				 &passes, &left),
		0);
	assert_int_equal(passes, 25000);
	assert_int_equal(left, 5000);
	assert_int_equal(
		epcl_cleaning_parse("Cpt imp: next clean Prn:5", &passes, &left), ERR_PROTOCOL);
	assert_int_equal(
		epcl_cleaning_parse("Cpt imp:1x next clean Prn:5", &passes, &left), ERR_PROTOCOL);
	assert_int_equal(epcl_cleaning_parse("", &passes, &left), ERR_PROTOCOL);
}

static void
test_codes(void **state)
{
	static const struct {
		int code;
		enum epcl_doing doing;
		enum fault fault;
	} rows[] = {
		{-1, EPCL_PRINT, FAULT_JAM_PRINT},
		{1, EPCL_PRINT, FAULT_RIBBON_END},
		{2, EPCL_PRINT, FAULT_HEAD_HOT},
		{3, EPCL_FEED, FAULT_JAM_FEED},
		{3, EPCL_FLIP, FAULT_JAM_FLIP},
		{3, EPCL_REJECT, FAULT_JAM_REJECT},
		{4, EPCL_FEED, FAULT_HOPPER_EMPTY},
		{5, EPCL_SETUP, FAULT_NONE},
		{7, EPCL_PRINT, FAULT_COVER_OPEN},
		{8, EPCL_PRINT, FAULT_RIBBON_END},
		{10, EPCL_SETUP, FAULT_REFUSED},
		{14, EPCL_SETUP, FAULT_REFUSED},
		{22, EPCL_SETUP, FAULT_REFUSED},
		{30, EPCL_SETUP, FAULT_REFUSED},
		{34, EPCL_SETUP, FAULT_STALL},
		{41, EPCL_DOCK, FAULT_MAGNETIC},
		{47, EPCL_PRINT, FAULT_JAM_FLIP},
		{48, EPCL_FEED, FAULT_COVER_OPEN},
		{55, EPCL_DOCK, FAULT_CHIP_WRITE},
		{99, EPCL_SETUP, FAULT_MECHANICAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(epcl_code_fault(rows[i].code, rows[i].doing), rows[i].fault);
}

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
		cmocka_unit_test(test_runs_worked),
		cmocka_unit_test(test_runs_figure),
		cmocka_unit_test(test_runs_blank),
		cmocka_unit_test(test_runs_round_trip),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_plane_colour),
		cmocka_unit_test(test_plane_colour_plain),
		cmocka_unit_test(test_plane_mono),
		cmocka_unit_test(test_plane_shapes),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_cleaning),
		cmocka_unit_test(test_codes),
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
