/*
 * test-evolis.c - the Evolis family: codec vectors, dialogues, and printers that misbehave.
 *
 * The vectors come from the protocol description, sections 4.2, 4.4 and 9, or were worked out by
 * hand from its rules. The printer at the other end is a small one behind struct transport_ops that
 * takes each write as one command.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/evolis.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- codec ---------------------------------------------------------------------------------- */

static void
test_pack_vector(void **state)
{
	/* Levels 0 0 0 1 1 1 1 1, 2 2 2 2 2 3 3 3 of 128; a dot's value is twice its level. */
	static const uint8_t in[] = {0, 1, 0, 2, 3, 2, 2, 3, 4, 5, 4, 4, 4, 6, 7, 6};
	static const uint8_t want[] = {
		0x00, 0x00, 0x00, 0x10, 0x20, 0x40, 0x81, 0x04, 0x08, 0x10, 0x20, 0x40, 0xc1, 0x83};
	uint8_t out[sizeof want];

	(void)state;
	wire_pack(out, in, sizeof in, 7, false);
	assert_memory_equal(out, want, sizeof want);
}

/* The rule written down bit by bit. */
static void
pack_slowly(uint8_t *out, const uint8_t *in, size_t n, unsigned bits, bool turned)
{
	memset(out, 0, (n * bits + 7) / 8);
	for (size_t i = 0; i < n * bits; i++) {
		size_t value = i / bits;
		uint8_t v = in[turned ? n - 1 - value : value];
		if (v >> (7 - i % bits) & 1)
			out[i / 8] |= (uint8_t)(0x80 >> i % 8);
	}
}

static void
test_pack_equals_slow(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (size_t n = 0; n < 200; n++)
		for (unsigned bits = 5; bits <= 8; bits++)
			for (int turned = 0; turned < 2; turned++) {
				size_t len = (n * bits + 7) / 8;
				uint8_t *in = malloc(n + 1), *fast = malloc(len + 1),
					*slow = malloc(len + 1);
				for (size_t i = 0; i < n; i++)
					in[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >>
							  24);
				fast[len] = slow[len] = 0x5a;
				wire_pack(fast, in, n, bits, turned);
				pack_slowly(slow, in, n, bits, turned);
				assert_memory_equal(fast, slow, len + 1);
				free(in);
				free(fast);
				free(slow);
			}
}

static void
test_squeeze_lines(void **state)
{
	static const struct {
		uint8_t line[81];
		bool short_lines;
		size_t len;
		uint8_t head[4];
	} rows[] = {
		{{0}, true, 1, {0x00}}, {{0}, false, 2, {0x01, 0x00}},
		{{0x10}, false, 2, {0x01, 0x10}}, /* dot 3 only */
		{{0xff, 0x00, 0xff}, false, 4, {0x03, 0xff, 0x00, 0xff}},
		{{[80] = 0x01}, false, 82, {0x51, 0x00, 0x00, 0x00}}, /* dot 647 only */
	};
	uint8_t out[82], full[81];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = rows[i].len < 4 ? rows[i].len : 4;
		assert_int_equal(
			wire_squeeze(NULL, rows[i].line, 81, 1, rows[i].short_lines), rows[i].len);
		assert_int_equal(
			wire_squeeze(out, rows[i].line, 81, 1, rows[i].short_lines), rows[i].len);
		assert_memory_equal(out, rows[i].head, n);
	}
	memset(full, 0xff, sizeof full);
	assert_int_equal(wire_squeeze(out, full, 81, 1, true), 1);
	assert_int_equal(out[0], 0xff);
	assert_int_equal(wire_squeeze(out, full, 81, 1, false), 82);
	assert_int_equal(out[0], 0x51);
	assert_memory_equal(out + 1, full, 81);
}

/* A captured driver's card: 510 lines of 81 bytes and 506 of one byte make Dbc;k;2;42832 and 32
 * bytes of padding (description, 9.1). */
static void
test_plane_squeezed(void **state)
{
	struct wire_plane_format format = {.levels = 2, .compressed = true, .pad = 64};
	static const char head[] = "\033Dbc;k;2;42832;";
	struct plane p;
	struct buf out;
	struct err e;

	(void)state;
	assert_int_equal(plane_create(&p, 1, 648, 1016, &e), 0);
	for (unsigned line = 0; line < 1016; line++)
		memset(p.data + line * p.stride, line < 510 ? 0x55 : 0, 81);
	for (unsigned line = 510; line < 1016; line++)
		p.data[line * p.stride] = 0xa0;
	buf_init(&out, 1 << 20);
	assert_int_equal(wire_plane(&out, 'k', &p, &format, &e), 0);
	assert_int_equal(out.len, 0xa7c1 - 0x41);
	assert_memory_equal(out.data, head, 15);
	assert_int_equal(out.data[15], 0x51);
	assert_int_equal(out.data[15 + 42832], '\r');
	for (size_t i = 15 + 42833; i < out.len; i++)
		assert_int_equal(out.data[i], 0);
	buf_done(&out);
	plane_done(&p);
}

static void
test_plane_whole(void **state)
{
	static const struct {
		char letter;
		unsigned levels, bits;
		size_t len;
		const char *head;
	} rows[] = {
		{'k', 2, 1, 82296, "\033Db;k;2;"},
		{'y', 32, 8, 411480, "\033Db;y;32;"},
		{'m', 64, 8, 493776, "\033Db;m;64;"},
		{'c', 128, 8, 576072, "\033Db;c;128;"},
		{'y', 256, 8, 658368, "\033Db;y;256;"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wire_plane_format format = {.levels = rows[i].levels, .compressed = true};
		struct plane full = {PLANE_FULL, rows[i].bits, 648, 1016, 0, NULL};
		size_t head = strlen(rows[i].head);
		struct buf out;
		buf_init(&out, 1 << 20);
		assert_int_equal(wire_plane(&out, rows[i].letter, &full, &format, NULL), 0);
		assert_int_equal(out.len, head + rows[i].len + 1);
		assert_memory_equal(out.data, rows[i].head, head);
		assert_int_equal(out.data[head], 0xff);
		assert_int_equal(out.data[out.len - 2], 0xff);
		assert_int_equal(out.data[out.len - 1], '\r');
		buf_done(&out);
	}
}

/* Turned by 180 degrees the first dot is the last: bit 0 of the last byte (description, 4.3). */
static void
test_plane_turned(void **state)
{
	struct wire_plane_format format = {.levels = 2, .turned = true};
	struct plane p;
	struct buf out;
	struct err e;

	(void)state;
	assert_int_equal(plane_create(&p, 1, 648, 1016, &e), 0);
	p.data[0] = 0x80;
	p.data[1] = 0x40;
	buf_init(&out, 1 << 20);
	assert_int_equal(wire_plane(&out, 'k', &p, &format, &e), 0);
	assert_int_equal(out.data[8 + 82296 - 1], 0x01);
	assert_int_equal(out.data[8 + 82296 - 2], 0x02);
	assert_int_equal(out.data[8], 0);
	buf_done(&out);
	plane_done(&p);
}

static void
test_plane_refused(void **state)
{
	static const struct {
		struct plane p;
		unsigned levels;
	} rows[] = {
		{{PLANE_BLANK, 1, 648, 1016, 81, NULL}, 2},
		{{PLANE_FULL, 1, 648, 0, 81, NULL}, 2},
		{{PLANE_FULL, 1, 1024, 1016, 128, NULL}, 2},
		{{PLANE_FULL, 8, 648, 1016, 648, NULL}, 2},
		{{PLANE_FULL, 1, 648, 1016, 81, NULL}, 128},
		{{PLANE_FULL, 8, 648, 1016, 648, NULL}, 65},
	};
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wire_plane_format format = {.levels = rows[i].levels};
		assert_int_equal(wire_plane(&out, 'k', &rows[i].p, &format, NULL), ERR_INTERNAL);
		assert_int_equal(out.len, 0);
	}
	assert_int_equal(wire_command(&out, "Pr;k\r\033Se", NULL), ERR_INTERNAL);
	buf_done(&out);
}

/* ---- replies -------------------------------------------------------------------------------- */

static void
reply_of(struct wire_reply *r, const char *text)
{
	size_t used;

	wire_reply_init(r);
	wire_reply_feed(r, (const uint8_t *)text, strlen(text) + 1, &used);
}

static void
test_reply_texts(void **state)
{
	static const struct {
		const char *text;
		enum wire_class class;
		enum fault fault;
	} rows[] = {
		{"OK", WIRE_OK, FAULT_NONE},
		{" OK  ", WIRE_OK, FAULT_NONE},
		{"ERROR CDE", WIRE_REFUSED, FAULT_REFUSED},
		{"ERROR PARAMETRES", WIRE_REFUSED, FAULT_REFUSED},
		{"OPT NOT AVAILABLE", WIRE_REFUSED, FAULT_REFUSED},
		{"ERROR TIME OUT", WIRE_FAULT, FAULT_MECHANICAL},
		{"NEED CLEANING", WIRE_FAULT, FAULT_CLEANING_DUE},
		{"ERR NEED CLEANING", WIRE_FAULT, FAULT_CLEANING_DUE},
		{"ERROR HOPPER", WIRE_FAULT, FAULT_JAM_EJECT},
		{"HOPPER FULL", WIRE_FULL, FAULT_OUTPUT_FULL},
		{"HOPPER DOOR", WIRE_FAULT, FAULT_COVER_OPEN},
		{"ERROR HEAD", WIRE_FAULT, FAULT_HEAD_HOT},
		{"COVER OPEN", WIRE_FAULT, FAULT_COVER_OPEN},
		{"FEEDER EMPTY", WIRE_FAULT, FAULT_HOPPER_EMPTY},
		{"CARD JAM", WIRE_JAM, FAULT_MECHANICAL},
		{"ERROR RIBBON", WIRE_FAULT, FAULT_RIBBON_END},
		{"ERR RIB DETECTION", WIRE_FAULT, FAULT_RIBBON_NONE},
		{"ERROR FLASH UNKNOW", WIRE_FAULT, FAULT_MECHANICAL},
		{"ERROR CHECKSUM", WIRE_FAULT, FAULT_MECHANICAL},
		{"ERROR MAG", WIRE_FAULT, FAULT_MECHANICAL},
		{"ERROR MAG DATA", WIRE_FAULT, FAULT_MECHANICAL},
		{"ERROR MAG CHECKSUM", WIRE_FAULT, FAULT_MECHANICAL},
		{"ERROR", WIRE_FAULT, FAULT_MECHANICAL},
		{"ERROR UNKNOW(7)", WIRE_FAULT, FAULT_MECHANICAL},
		{"OKAY", WIRE_UNKNOWN, FAULT_NONE},
		{"O", WIRE_UNKNOWN, FAULT_NONE},
		{"ok", WIRE_UNKNOWN, FAULT_NONE},
		{"COVER OPENED", WIRE_UNKNOWN, FAULT_NONE},
		{"\x80OK", WIRE_UNKNOWN, FAULT_NONE},
		{"Evolis", WIRE_UNKNOWN, FAULT_NONE},
	};
	struct wire_reply r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		reply_of(&r, rows[i].text);
		assert_int_equal(wire_text_find(&r)->class, rows[i].class);
		assert_int_equal(wire_text_find(&r)->fault, rows[i].fault);
	}
}

static void
test_reply_values(void **state)
{
	static const struct {
		const char *text;
		int rc;
		unsigned mv;
	} volts[] = {{"0,00 Volts", 0, 0}, {"5,00 Volts", 0, 5000}, {"3,9 Volts", 0, 3900},
		{"4.17 Volts", 0, 4170}, {"Volts", ERR_PROTOCOL, 0}, {"5,00", ERR_PROTOCOL, 0},
		{"-1,0 Volts", ERR_PROTOCOL, 0}, {"12345 Volts", ERR_PROTOCOL, 0}};
	static const struct {
		const char *text;
		int rc;
		int64_t value;
	} numbers[] = {{"0", 0, 0}, {"42910", 0, 42910}, {"", ERR_PROTOCOL, 0},
		{"-1", ERR_PROTOCOL, 0}, {"12x", ERR_PROTOCOL, 0},
		{"9999999999999", ERR_PROTOCOL, 0}};
	static const struct {
		const char *text;
		enum card_place place;
	} places[] = {{"OK", PLACE_NONE}, {"NO CARD", PLACE_NONE}, {"CARD", PLACE_PRINT},
		{"SMART CARD", PLACE_CONTACT}, {"CONTACTLESS CARD", PLACE_CONTACTLESS},
		{"ERR CARD", PLACE_SOMEWHERE}};
	struct wire_reply r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(volts); i++) {
		unsigned mv = 0;
		reply_of(&r, volts[i].text);
		assert_int_equal(wire_volts(&r, &mv), volts[i].rc);
		assert_int_equal(mv, volts[i].mv);
	}
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		int64_t v = 0;
		reply_of(&r, numbers[i].text);
		assert_int_equal(wire_number(&r, &v), numbers[i].rc);
		assert_int_equal(v, numbers[i].value);
	}
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		enum card_place place = PLACE_UNKNOWN;
		reply_of(&r, places[i].text);
		assert_int_equal(wire_place(&r, &place), 0);
		assert_int_equal(place, places[i].place);
	}
	reply_of(&r, "CARDS");
	enum card_place place;
	assert_int_equal(wire_place(&r, &place), ERR_PROTOCOL);
}

static void
test_reply_ends(void **state)
{
	static const uint8_t two[] = "\0\r\nCOVER OPEN\rOK";
	struct wire_reply r;
	size_t used;

	(void)state;
	wire_reply_init(&r);
	assert_int_equal(wire_reply_feed(&r, two, 0, &used), WIRE_MORE);
	assert_int_equal(wire_reply_feed(&r, two, 3, &used), WIRE_MORE);
	assert_int_equal(wire_reply_feed(&r, two + 3, 5, &used), WIRE_MORE);
	assert_int_equal(wire_reply_feed(&r, two + 8, 8, &used), WIRE_WHOLE);
	assert_string_equal(r.text, "COVER OPEN");
	assert_int_equal(used, 6); /* the OK behind it is another reply */
	wire_reply_init(&r);
	assert_int_equal(wire_reply_feed(&r, (const uint8_t *)"87", 2, &used), WIRE_MORE);
	assert_int_equal(wire_reply_feed(&r, (const uint8_t *)"", 0, &used), WIRE_WHOLE);
	assert_string_equal(r.text, "87");
}

/* Random bytes in pieces of exact size: nothing is read beyond them, nothing written beyond the
 * reply. */
static void
test_reply_noise(void **state)
{
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct wire_reply r;
		enum wire_end end = WIRE_MORE;
		wire_reply_init(&r);
		for (int piece = 0; piece < 6 && end == WIRE_MORE; piece++) {
			size_t len = (seed = seed * 1664525 + 1013904223) >> 23;
			uint8_t *bytes = malloc(len ? len : 1);
			size_t used;
			for (size_t i = 0; i < len; i++) {
				bytes[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
				if (round % 2)
					bytes[i] |= 0x40;
			}
			end = wire_reply_feed(&r, bytes, len, &used);
			assert_true(used <= len);
			free(bytes);
		}
		assert_true(r.len <= WIRE_REPLY_MAX);
		assert_int_equal(strlen(r.text), r.len);
		unsigned mv;
		int64_t number;
		enum card_place place;
		wire_text_find(&r);
		wire_volts(&r, &mv);
		wire_number(&r, &number);
		wire_place(&r, &place);
	}
}

/* ---- a printer to talk to -----------------------------------------------------------------------
 */

enum trick { ANSWER, MUTE, LATE, BREAK_WRITE, ENDLESS };
struct rule {
	const char *command; /* how the command begins */
	enum trick trick;
	const char *text; /* ANSWER, LATE: the reply */
	enum fault fault; /* BREAK_WRITE: what the transport says after `done` bytes */
	size_t done;
	int times; /* 0 = from now on */
};

struct fake {
	struct transport base;
	struct rule rules[4];
	char log[8192]; /* command texts, each followed by a blank; planes without their dots */
	char pipe[4096], late[64];
	size_t pipe_len, piece; /* piece: bytes a read brings, 0 = all */
	size_t fill;            /* 00 bytes that came outside commands */
	const char *place, *end;
	uint8_t port;
	bool endless, closed, unplugged;
};

static void
fake_answer(struct fake *f, const char *text)
{
	size_t n = strlen(text), end = f->end ? strlen(f->end) : 1;

	memcpy(f->pipe + f->pipe_len, text, n);
	memcpy(f->pipe + f->pipe_len + n, f->end ? f->end : "", end);
	f->pipe_len += n + end;
}

static const char *
fake_say(struct fake *f, const char *command)
{
	static const struct {
		const char *command, *reply;
	} said[] = {{"Rsn", "D3-0001"}, {"Rtp", "Dualys 3"}, {"Rfv", "1021"},
		{"Rr", "YMCKOK"}, {"Rse;o", "5,00 Volts"}, {"Rse;f", "5,00 Volts"}, {"Rco;i", "87"},
		{"Rco;c", "1234"}, {"Rco;r", "400"}};
	static const struct {
		const char *command, *place;
	} moves[] = {{"Sic", "CONTACTLESS CARD"}, {"Sis", "SMART CARD"}, {"Ser", "NO CARD"},
		{"Si", "CARD"}, {"Se", "NO CARD"}};

	for (size_t i = 0; i < ARRAY_LEN(said); i++)
		if (strcmp(said[i].command, command) == 0)
			return said[i].reply;
	if (strcmp(command, "Rlr;p") == 0)
		return f->place;
	for (size_t i = 0; i < ARRAY_LEN(moves); i++)
		if (strcmp(moves[i].command, command) == 0)
			f->place = moves[i].place;
	return "OK";
}

static struct rule *
fake_rule(struct fake *f, const char *command)
{
	for (size_t i = 0; i < ARRAY_LEN(f->rules); i++) {
		struct rule *r = &f->rules[i];
		if (!r->command || strncmp(command, r->command, strlen(r->command)) != 0 ||
			r->times < 0)
			continue;
		if (r->times > 0 && --r->times == 0)
			r->times = -1;
		return r;
	}
	return NULL;
}

static int
fake_write(struct transport *t, const void *bytes, size_t len, size_t *done, unsigned timeout_ms,
	struct err *e)
{
	struct fake *f = (struct fake *)t;
	const char *b = bytes;
	char command[64] = "";

	(void)timeout_ms;
	*done = 0;
	if (f->unplugged)
		return fault_set(e, FAULT_UNPLUGGED, NULL);
	if (b[0] != 033) {
		f->fill += len;
		*done = len;
		return 0;
	}
	size_t n = b[1] == 'D' ? 8 : len - 2;
	snprintf(command, sizeof command, "%.*s", (int)n, b + 1);
	snprintf(f->log + strlen(f->log), sizeof f->log - strlen(f->log), "%s ", command);
	struct rule *r = fake_rule(f, command);
	if (r && r->trick == BREAK_WRITE) {
		*done = r->done;
		f->unplugged = r->fault == FAULT_UNPLUGGED;
		return fault_set(e, r->fault, NULL);
	}
	*done = len;
	if (f->late[0])
		fake_answer(f, f->late);
	f->late[0] = '\0';
	if (r && r->trick == LATE) {
		fake_say(f, command);
		snprintf(f->late, sizeof f->late, "%s", r->text);
	} else if (r && r->trick == ENDLESS) {
		f->endless = true;
	} else if (r && r->trick == ANSWER) {
		fake_answer(f, r->text);
	} else if (!r) {
		fake_answer(f, fake_say(f, command));
	}
	return 0;
}

static int
fake_read(struct transport *t, void *bytes, size_t max, size_t *len, unsigned timeout_ms,
	struct err *e)
{
	struct fake *f = (struct fake *)t;
	size_t n = f->piece && f->piece < f->pipe_len ? f->piece : f->pipe_len;

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
	n = n < max ? n : max;
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

static const struct usb_printer dualys = {
	.vendor = 0x0f49, .serial = "D3-0001", .device_id = "MFG:EVOLIS ;MDL:Dualys 3;CMD:MP;"};

static void
fake_init(struct fake *f)
{
	*f = (struct fake){.base.ops = &fake_ops, .place = "NO CARD", .port = 0x18};
}

static struct printer *
fake_open(struct fake *f)
{
	struct printer *p = NULL;
	struct err e = {0};

	fake_init(f);
	assert_int_equal(printer_evolis.open(&p, &f->base, &dualys, &e), 0);
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
	assert_int_equal(plane_create(&faces[0].plane[PANEL_Y], 8, 648, 1016, &e), 0);
	assert_int_equal(plane_create(&faces[0].plane[PANEL_K], 1, 648, 1016, &e), 0);
	assert_int_equal(plane_create(&faces[1].plane[PANEL_K], 1, 648, 1016, &e), 0);
	faces[0].plane[PANEL_M].fill = PLANE_BLANK;
	faces[0].plane[PANEL_O].fill = PLANE_FULL;
	for (int side = 0; side < SIDE_COUNT; side++)
		for (unsigned line = 0; line < 1016; line++)
			faces[side].plane[PANEL_K].data[line * faces[side].plane[PANEL_K].stride] =
				0xa0;
}

static struct printer *
fake_ready(struct fake *f, enum card_place place)
{
	static const struct ribbon duplex = {.name = "ymckok", .front = "YMCKO", .back = "K"};
	struct print_job job = {.ribbon = &duplex, .duplex = true};
	struct face faces[SIDE_COUNT];
	struct printer *p = fake_open(f);
	struct err e = {0};

	faces_make(faces);
	assert_int_equal(printer_evolis.begin(p, &job, &e), 0);
	assert_int_equal(printer_evolis.load(p, faces, &e), 0);
	face_done(&faces[0]);
	face_done(&faces[1]);
	if (place != PLACE_NONE)
		assert_int_equal(printer_evolis.feed(p, place, &e), 0);
	f->log[0] = '\0';
	return p;
}

/* ---- dialogues --------------------------------------------------------------------------------
 */

static void
test_begin(void **state)
{
	static const struct ribbon colour = {.name = "ymcko", .front = "YMCKO", .back = ""};
	static const struct ribbon wax = {.name = "ka", .front = "K", .back = ""};
	struct print_job job = {.ribbon = &colour, .contrast = 3, .brightness = -12, .darkness = 1};
	struct fake f;
	struct printer *p = fake_open(&f);
	struct err e = {0};

	(void)state;
	assert_int_equal(printer_evolis.begin(p, &job, &e), 0);
	assert_string_equal(f.log,
		"Pem;2 Pr;ymcko Pmi;F Pc;y;=;13 Pc;m;=;13 Pc;c;=;13 Pl;y;=;1 Pl;m;=;1 "
		"Pl;c;=;1 Pc;k;=;11 Pc;o;=;10 ");
	/* A refused setting matters only when it was asked for. */
	f.rules[0] = (struct rule){.command = "Pl;y", .text = "ERROR CDE"};
	assert_int_equal(printer_evolis.begin(p, &job, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_REFUSED);
	job.brightness = 0;
	assert_int_equal(printer_evolis.begin(p, &job, &e), 0);
	f.rules[0] = (struct rule){.command = "Pr;", .text = "ERROR PARAMETRES"};
	assert_int_equal(printer_evolis.begin(p, &job, &e), ERR_FAULT);
	job.ribbon = &wax;
	assert_int_equal(printer_evolis.begin(p, &job, &e), ERR_USAGE);
	printer_evolis.close(p);
	assert_true(f.closed);
}

static void
test_card(void **state)
{
	struct fake f;
	struct printer *p = fake_ready(&f, PLACE_NONE);
	struct err e = {0};

	(void)state;
	assert_string_equal(f.log, ""); /* loading moves nothing: it sends nothing */
	assert_int_equal(printer_evolis.feed(p, PLACE_CONTACTLESS, &e), 0);
	assert_string_equal(f.log, "Rlr;p Sic Rlr;p ");
	f.log[0] = '\0';
	assert_int_equal(printer_evolis.print(p, &e), 0);
	assert_string_equal(f.log,
		"Rlr;p Rcr Rr Si Rlr;p Ss Sr Db;y;128 Dbc;k;2; Db;o;2;\xff Sv Dbc;k;2; Se Rlr;p ");
	/* Nothing is loaded any more: a card is never printed by accident. */
	assert_int_equal(printer_evolis.print(p, &e), ERR_INTERNAL);
	assert_int_equal(printer_evolis.feed(p, PLACE_PRINT, &e), 0);
	f.log[0] = '\0';
	assert_int_equal(printer_evolis.eject(p, EXIT_REJECT, &e), 0);
	assert_string_equal(f.log, "Rlr;p Ser Rlr;p ");
	assert_int_equal(printer_evolis.end(p, &e), 0);
	printer_evolis.close(p);
}

/* Replies without an end mark, byte by byte, and with other end marks are the same replies. */
static void
test_reply_forms(void **state)
{
	static const struct {
		const char *end;
		size_t piece;
	} rows[] = {{NULL, 1}, {"", 0}, {"", 1}, {"\r\n", 0}, {"\r\n", 3}, {"\n", 1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct printer_status st;
		struct err e = {0};
		struct fake f;
		struct printer *p = fake_open(&f);
		f.end = rows[i].end;
		f.piece = rows[i].piece;
		assert_int_equal(printer_evolis.status(p, &st, &e), 0);
		assert_int_equal(st.cards, 1234);
		assert_int_equal(printer_evolis.feed(p, PLACE_PRINT, &e), 0);
		printer_evolis.close(p);
	}
}

/* What the printer says during which act: code and fault. */
static void
test_act_faults(void **state)
{
	static const struct {
		const char *act; /* f feed from the feeder, m move to print, p print, h eject, r
				    reject */
		struct rule rule;
		int rc;
		enum fault fault;
	} rows[] = {
		{"f", {"Sic", ANSWER, "FEEDER EMPTY", 0, 0, 1}, ERR_FAULT, FAULT_HOPPER_EMPTY},
		{"f", {"Sic", ANSWER, "CARD JAM", 0, 0, 1}, ERR_FAULT, FAULT_JAM_FEED},
		{"f", {"Sic", ANSWER, "COVER OPEN", 0, 0, 1}, ERR_FAULT, FAULT_COVER_OPEN},
		{"f", {"Sic", ANSWER, "ERROR CDE", 0, 0, 1}, ERR_FAULT, FAULT_REFUSED},
		{"f", {"Sic", ANSWER, "O?K", 0, 0, 1}, ERR_DOUBT, FAULT_GARBLED_REPLY},
		{"f", {"Sic", MUTE, NULL, 0, 0, 1}, ERR_DOUBT, FAULT_NO_REPLY},
		{"f", {"Sic", ENDLESS, NULL, 0, 0, 1}, ERR_DOUBT, FAULT_GARBLED_REPLY},
		{"f", {"Sic", BREAK_WRITE, NULL, FAULT_STALL, 0, 1}, ERR_FAULT, FAULT_STALL},
		{"f", {"Sic", BREAK_WRITE, NULL, FAULT_UNPLUGGED, 0, 1}, ERR_FAULT,
			FAULT_UNPLUGGED},
		{"f", {"Sic", ANSWER, "OK", 0, 0, 1}, ERR_DOUBT,
			FAULT_GARBLED_REPLY}, /* said, not done */
		{"m", {"Si", ANSWER, "CARD JAM", 0, 0, 1}, ERR_FAULT, FAULT_JAM_STATION},
		{"p", {"Si", ANSWER, "CARD JAM", 0, 0, 1}, ERR_FAULT, FAULT_JAM_STATION},
		{"p", {"Rcr", ANSWER, "ERROR RIBBON", 0, 0, 1}, ERR_FAULT, FAULT_RIBBON_END},
		{"p", {"Db;y", ANSWER, "ERROR RIBBON", 0, 0, 1}, ERR_FAULT, FAULT_RIBBON_WRONG},
		{"p", {"Ss", ANSWER, "ERROR RIBBON", 0, 0, 1}, ERR_FAULT, FAULT_RIBBON_WRONG},
		{"p", {"Sv", ANSWER, "CARD JAM", 0, 0, 1}, ERR_FAULT, FAULT_JAM_FLIP},
		{"p", {"Db;y", MUTE, NULL, 0, 0, 1}, ERR_FAULT, FAULT_NO_REPLY},
		{"p", {"Db;y", BREAK_WRITE, NULL, FAULT_UNPLUGGED, 5000, 1}, ERR_FAULT,
			FAULT_UNPLUGGED},
		{"p", {"Se", ANSWER, "CARD JAM", 0, 0, 1}, ERR_FAULT, FAULT_JAM_PRINT},
		{"p", {"Se", ANSWER, "HOPPER FULL", 0, 0, 1}, ERR_FAULT, FAULT_OUTPUT_FULL},
		{"p", {"Se", ANSWER, "ERROR HEAD", 0, 0, 1}, ERR_FAULT, FAULT_HEAD_HOT},
		{"p", {"Se", MUTE, NULL, 0, 0, 1}, ERR_DOUBT, FAULT_NO_REPLY},
		{"p", {"Se", BREAK_WRITE, NULL, FAULT_UNPLUGGED, 0, 1}, ERR_FAULT, FAULT_UNPLUGGED},
		{"p", {"Se", ANSWER, "\x1bOK", 0, 0, 1}, ERR_DOUBT, FAULT_GARBLED_REPLY},
		{"h", {"Se", ANSWER, "CARD JAM", 0, 0, 1}, ERR_FAULT, FAULT_JAM_EJECT},
		{"r", {"Ser", ANSWER, "CARD JAM", 0, 0, 1}, ERR_FAULT, FAULT_JAM_REJECT},
		{"r", {"Ser", ANSWER, "HOPPER FULL", 0, 0, 1}, ERR_FAULT, FAULT_REJECT_FULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char act = rows[i].act[0];
		struct fake f;
		struct printer *p = fake_ready(&f, act == 'f' ? PLACE_NONE : PLACE_CONTACTLESS);
		struct err e = {0};
		int rc;
		f.rules[0] = rows[i].rule;
		rc = act == 'f'   ? printer_evolis.feed(p, PLACE_CONTACTLESS, &e)
		     : act == 'm' ? printer_evolis.feed(p, PLACE_PRINT, &e)
		     : act == 'p'
			     ? printer_evolis.print(p, &e)
			     : printer_evolis.eject(p, act == 'h' ? EXIT_HOPPER : EXIT_REJECT, &e);
		if (rc != rows[i].rc || e.fault != (int)rows[i].fault)
			print_error("row %zu: %d, fault %d: %s\n", i, rc, e.fault, e.text);
		assert_int_equal(rc, rows[i].rc);
		assert_int_equal(e.code, rows[i].rc);
		assert_int_equal(e.fault, rows[i].fault);
		printer_evolis.close(p);
	}
}

/* A refused ribbon looks like a good one, so the refusal stands until somebody was seen at it. */
static void
test_ribbon_refused(void **state)
{
	static const struct {
		struct rule sign;
		enum fault then;
	} rows[] = {
		{{0}, FAULT_RIBBON_WRONG},
		{{"Rse;f", ANSWER, "0,00 Volts", 0, 0, 1}, FAULT_RIBBON_WRONG},
		{{"Rse;o", ANSWER, "0,00 Volts", 0, 0, 1}, FAULT_NONE},
		{{"Rco;i", ANSWER, "200", 0, 0, 0}, FAULT_NONE},
		{{"Rcr", ANSWER, "ERROR RIBBON", 0, 0, 1}, FAULT_NONE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fake f;
		struct printer *p = fake_ready(&f, PLACE_CONTACTLESS);
		struct printer_status st;
		struct err e = {0};

		f.rules[0] = (struct rule){"Ss", ANSWER, "ERROR RIBBON", 0, 0, 1};
		assert_int_equal(printer_evolis.print(p, &e), ERR_FAULT);
		assert_int_equal(printer_evolis.status(p, &st, &e), 0);
		assert_int_equal(st.fault, FAULT_RIBBON_WRONG);
		f.rules[0] = rows[i].sign;
		assert_int_equal(printer_evolis.status(p, &st, &e), 0);
		assert_int_equal(printer_evolis.status(p, &st, &e), 0);
		assert_int_equal(st.fault, rows[i].then);
		printer_evolis.close(p);
	}
}

/* The answer to an act that was given up comes in the middle of the next command. */
static void
test_late_reply(void **state)
{
	struct fake f;
	struct printer *p = fake_ready(&f, PLACE_NONE);
	struct printer_status st;
	struct err e = {0};

	(void)state;
	f.rules[0] = (struct rule){.command = "Sic", .trick = LATE, .text = "OK", .times = 1};
	assert_int_equal(printer_evolis.feed(p, PLACE_CONTACTLESS, &e), ERR_DOUBT);
	f.place = "NO CARD";
	f.rules[1] = (struct rule){.command = "Sic", .text = "FEEDER EMPTY", .times = 1};
	assert_int_equal(printer_evolis.status(p, &st, &e), 0);
	assert_int_equal(st.place, PLACE_NONE);
	assert_int_equal(st.cards, 1234);
	/* With the late OK still counted, this would look like success. */
	assert_int_equal(printer_evolis.feed(p, PLACE_CONTACTLESS, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_HOPPER_EMPTY);
	printer_evolis.close(p);
}

/* A printer that stays silent gets no act, and answers again when it comes back. */
static void
test_silence(void **state)
{
	struct fake f;
	struct printer *p = fake_ready(&f, PLACE_NONE);
	struct printer_status st;
	struct err e = {0};

	(void)state;
	f.rules[0] = (struct rule){.command = "", .trick = MUTE};
	assert_int_equal(printer_evolis.status(p, &st, &e), ERR_DEVICE);
	assert_int_equal(e.fault, FAULT_NO_REPLY);
	f.log[0] = '\0';
	assert_int_equal(printer_evolis.feed(p, PLACE_PRINT, &e), ERR_FAULT);
	assert_null(strstr(f.log, "Si"));
	f.rules[0] = (struct rule){0};
	assert_int_equal(printer_evolis.status(p, &st, &e), 0);
	assert_int_equal(printer_evolis.feed(p, PLACE_PRINT, &e), 0);
	printer_evolis.close(p);
}

/* A plane that broke off is filled up, and the card that carries a part of it is not printed again.
 */
static void
test_torn_plane(void **state)
{
	struct fake f;
	struct printer *p = fake_ready(&f, PLACE_PRINT);
	struct err e = {0};

	(void)state;
	f.rules[0] = (struct rule){.command = "Db;y",
		.trick = BREAK_WRITE,
		.fault = FAULT_STALL,
		.done = 262144,
		.times = 1};
	assert_int_equal(printer_evolis.print(p, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_STALL);
	assert_null(strstr(f.log, " Se "));
	assert_int_equal(printer_evolis.print(p, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_CARD_MARKED);
	assert_int_equal(f.fill, 10 + 576072 + 1 - 262144);
	assert_int_equal(printer_evolis.eject(p, EXIT_HOPPER, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_CARD_MARKED);
	assert_int_equal(printer_evolis.eject(p, EXIT_REJECT, &e), 0);
	assert_int_equal(printer_evolis.feed(p, PLACE_PRINT, &e), 0);
	assert_int_equal(printer_evolis.print(p, &e), 0);
	printer_evolis.close(p);
}

/* A refusal before the first plane leaves the card clean. */
static void
test_cover_then_print(void **state)
{
	struct fake f;
	struct printer *p = fake_ready(&f, PLACE_PRINT);
	struct err e = {0};

	(void)state;
	f.rules[0] = (struct rule){.command = "Ss", .text = "COVER OPEN", .times = 1};
	assert_int_equal(printer_evolis.print(p, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_COVER_OPEN);
	assert_string_equal(e.raw, "COVER OPEN");
	assert_int_equal(printer_evolis.print(p, &e), 0);
	printer_evolis.close(p);
}

static void
test_no_card(void **state)
{
	struct fake f;
	struct printer *p = fake_ready(&f, PLACE_CONTACTLESS);
	struct err e = {0};

	(void)state;
	f.place = "NO CARD";
	f.log[0] = '\0';
	assert_int_equal(printer_evolis.print(p, &e), ERR_FAULT);
	assert_int_equal(printer_evolis.eject(p, EXIT_REJECT, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_JAM_REJECT);
	assert_string_equal(f.log, "Rlr;p Rlr;p ");
	printer_evolis.close(p);
}

/* A printer that wants cleaning may have obeyed: its sensors decide. */
static void
test_cleaning(void **state)
{
	struct fake f;
	struct printer *p = fake_ready(&f, PLACE_NONE);
	struct printer_status st;
	struct err e = {0};

	(void)state;
	f.rules[0] = (struct rule){.command = "Sic", .text = "NEED CLEANING", .times = 1};
	f.rules[1] = (struct rule){.command = "Rco;r", .text = "0", .times = 1};
	assert_int_equal(printer_evolis.feed(p, PLACE_CONTACTLESS, &e), ERR_FAULT);
	assert_int_equal(e.fault, FAULT_CLEANING_DUE);
	assert_int_equal(printer_evolis.status(p, &st, &e), 0);
	assert_int_equal(st.fault, FAULT_CLEANING_DUE);
	assert_int_equal(printer_evolis.status(p, &st, &e), 0);
	assert_int_equal(st.fault, FAULT_NONE);
	f.rules[0] =
		(struct rule){.command = "Sic", .trick = LATE, .text = "NEED CLEANING", .times = 1};
	assert_int_equal(printer_evolis.feed(p, PLACE_CONTACTLESS, &e), ERR_DOUBT);
	printer_evolis.close(p);
}

static void
test_status(void **state)
{
	static const struct {
		struct rule a, b;
		const char *place;
		uint8_t port;
		int rc;
		enum fault fault;
	} rows[] = {
		{{0}, {0}, "NO CARD", 0x18, 0, FAULT_NONE},
		{{"Rse;o", ANSWER, "0,00 Volts", 0, 0, 0}, {0}, "NO CARD", 0x18, 0,
			FAULT_COVER_OPEN},
		{{"Rse;f", ANSWER, "0,00 Volts", 0, 0, 0}, {0}, "NO CARD", 0x38, 0,
			FAULT_HOPPER_EMPTY},
		{{"Rse;f", ANSWER, "0,00 Volts", 0, 0, 0}, {0}, "CARD", 0x38, 0, FAULT_NONE},
		{{"Rse;f", ANSWER, "ERROR CDE", 0, 0, 0}, {0}, "NO CARD", 0x38, 0,
			FAULT_HOPPER_EMPTY},
		{{"Rcr", ANSWER, "ERROR RIBBON", 0, 0, 0}, {0}, "NO CARD", 0x18, 0,
			FAULT_RIBBON_END},
		{{"Rco;i", ANSWER, "0", 0, 0, 0}, {0}, "NO CARD", 0x18, 0, FAULT_NONE},
		{{"Rco;i", ANSWER, "ERR RIB DETECTION", 0, 0, 0}, {0}, "NO CARD", 0x18, 0,
			FAULT_RIBBON_NONE},
		{{"Rlr", ANSWER, "CARD JAM", 0, 0, 0}, {"Rlr;p", ANSWER, "ERR CARD", 0, 0, 0},
			"CARD", 0x10, 0, FAULT_MECHANICAL},
		{{0}, {0}, "NO CARD", 0x10, 0, FAULT_MECHANICAL},
		{{"Rco;c", ANSWER, "12?4", 0, 0, 0}, {0}, "NO CARD", 0x18, ERR_DEVICE,
			FAULT_GARBLED_REPLY},
		{{"Rlr;p", MUTE, NULL, 0, 0, 0}, {0}, "NO CARD", 0x18, ERR_DEVICE, FAULT_NO_REPLY},
		{{"Rco;i", ANSWER, "OPT NOT AVAILABLE", 0, 0, 0},
			{"Rco", ANSWER, "ERROR CDE", 0, 0, 0}, "NO CARD", 0x18, 0, FAULT_NONE},
		{{"Rco;i", ANSWER, "OK", 0, 0, 1}, {0}, "NO CARD", 0x18, 0, FAULT_NONE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fake f;
		struct printer *p = fake_open(&f);
		struct printer_status st;
		struct err e = {0};
		f.rules[0] = rows[i].b;
		f.rules[1] = rows[i].a;
		f.place = rows[i].place;
		f.port = rows[i].port;
		int rc = printer_evolis.status(p, &st, &e);
		if (rc != rows[i].rc || (rc ? e.fault : (int)st.fault) != (int)rows[i].fault)
			print_error("row %zu: %d, fault %d: %s\n", i, rc,
				rc ? e.fault : (int)st.fault, e.text);
		assert_int_equal(rc, rows[i].rc);
		assert_int_equal(rc ? e.fault : (int)st.fault, rows[i].fault);
		assert_null(strstr(f.log, "Si"));
		printer_evolis.close(p);
	}
}

static void
test_status_values(void **state)
{
	struct fake f;
	struct printer *p = fake_open(&f);
	struct printer_status st;
	struct err e = {0};

	(void)state;
	assert_int_equal(printer_evolis.status(p, &st, &e), 0);
	assert_string_equal(st.serial, "D3-0001");
	assert_string_equal(st.firmware, "1021");
	assert_int_equal(st.cards, 1234);
	assert_int_equal(st.cleaning_left, 400);
	assert_int_equal(st.ribbon.level, 87);
	assert_int_equal(st.ribbon.capacity, -1);
	f.rules[0] = (struct rule){.command = "Rco", .text = "ERROR CDE"};
	assert_int_equal(printer_evolis.status(p, &st, &e), 0);
	assert_int_equal(st.cards, -1);
	assert_int_equal(st.cleaning_left, -1);
	f.log[0] = '\0';
	assert_int_equal(printer_evolis.status(p, &st, &e), 0);
	assert_null(strstr(f.log, "Rco")); /* known not to be known */
	f.unplugged = true;
	assert_int_equal(printer_evolis.status(p, &st, &e), ERR_DEVICE);
	assert_int_equal(e.fault, FAULT_UNPLUGGED);
	printer_evolis.close(p);
}

static void
test_open(void **state)
{
	struct usb_printer other = dualys, unnamed = {.vendor = 0x0f49, .serial = "D3-0001"};
	struct printer *p;
	struct err e = {0};
	struct fake f;

	(void)state;
	/* A stale reply of an earlier program lies in the pipe, and another comes with the first
	 * answer. */
	fake_init(&f);
	fake_answer(&f, "OK");
	snprintf(f.late, sizeof f.late, "CARD JAM");
	assert_int_equal(printer_evolis.open(&p, &f.base, &dualys, &e), 0);
	assert_string_equal(printer_evolis.model(p)->mdl, "Dualys 3");
	printer_evolis.close(p);
	/* The printer still waits for the rest of a plane. */
	fake_init(&f);
	f.rules[0] = (struct rule){.command = "Rsn", .trick = MUTE, .times = 1};
	assert_int_equal(printer_evolis.open(&p, &f.base, &dualys, &e), 0);
	assert_int_equal(f.fill, 658369);
	printer_evolis.close(p);
	/* Without a useful id its own answer tells the model. */
	fake_init(&f);
	assert_int_equal(printer_evolis.open(&p, &f.base, &unnamed, &e), 0);
	printer_evolis.close(p);
	fake_init(&f);
	snprintf(other.device_id, sizeof other.device_id, "MFG:EVOLIS;MDL:Agilia;");
	f.rules[0] = (struct rule){.command = "Rtp", .text = "Agilia"};
	assert_int_equal(printer_evolis.open(&p, &f.base, &other, &e), ERR_DEVICE);
	assert_non_null(strstr(e.text, "Agilia"));
	assert_true(f.closed);
	assert_null(p);
	fake_init(&f);
	f.unplugged = true;
	assert_int_equal(printer_evolis.open(&p, &f.base, &dualys, &e), ERR_DEVICE);
	assert_true(f.closed);
}

static void
test_model_find(void **state)
{
	static const struct {
		const char *mdl, *found;
	} rows[] = {{"Dualys 3", "Dualys 3"}, {"Dualys3", "Dualys 3"},
		{"EVOLIS DUALYS 3", "Dualys 3"}, {"Dualys 3 Duplex", "Dualys 3"},
		{"Dualys", "Dualys 3"}, {"Pebble 4", "Pebble 4"}, {"Pebble 44", NULL},
		{"Zenius", "Zenius"}, {"Zenius 2", "Zenius"},
		{"Primacy 2 Duplex", "Primacy 2"}, {"Primacy", "Primacy"}, {"Agilia", NULL},
		{"", NULL}, {"Evolis", NULL}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct printer_model *m = printer_model_find(&printer_evolis, rows[i].mdl);
		assert_int_equal(m != NULL, rows[i].found != NULL);
		if (m)
			assert_string_equal(m->mdl, rows[i].found);
	}
	assert_ptr_equal(printer_driver_by_vendor(0x0f49), &printer_evolis);
	assert_null(printer_driver_by_vendor(0));
}

static void
test_load_refused(void **state)
{
	static const struct ribbon mono = {.name = "k", .front = "K", .back = "K"};
	struct print_job job = {.ribbon = &mono};
	struct face faces[SIDE_COUNT];
	struct fake f;
	struct printer *p = fake_open(&f);
	struct err e = {0};

	(void)state;
	faces_make(faces);
	assert_int_equal(printer_evolis.load(p, faces, &e), ERR_INTERNAL);
	assert_int_equal(printer_evolis.begin(p, &job, &e), 0);
	assert_int_equal(
		printer_evolis.load(p, faces, &e), ERR_INPUT); /* colour on a black ribbon */
	face_done(&faces[0]);
	assert_int_equal(plane_create(&faces[0].plane[PANEL_K], 1, 640, 1016, &e), 0);
	assert_int_equal(printer_evolis.load(p, faces, &e), ERR_INPUT); /* another head */
	face_done(&faces[0]);
	face_done(&faces[1]);
	printer_evolis.close(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pack_vector),
		cmocka_unit_test(test_pack_equals_slow),
		cmocka_unit_test(test_squeeze_lines),
		cmocka_unit_test(test_plane_squeezed),
		cmocka_unit_test(test_plane_whole),
		cmocka_unit_test(test_plane_turned),
		cmocka_unit_test(test_plane_refused),
		cmocka_unit_test(test_reply_texts),
		cmocka_unit_test(test_reply_values),
		cmocka_unit_test(test_reply_ends),
		cmocka_unit_test(test_reply_noise),
		cmocka_unit_test(test_begin),
		cmocka_unit_test(test_card),
		cmocka_unit_test(test_reply_forms),
		cmocka_unit_test(test_act_faults),
		cmocka_unit_test(test_ribbon_refused),
		cmocka_unit_test(test_late_reply),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_torn_plane),
		cmocka_unit_test(test_cover_then_print),
		cmocka_unit_test(test_no_card),
		cmocka_unit_test(test_cleaning),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_status_values),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_model_find),
		cmocka_unit_test(test_load_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
