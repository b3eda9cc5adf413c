/*
 * test-emulator-epcl.c - the emulator's Zebra dialect with a machine behind it, without USB.
 *
 * Vectors: the worked jobs of the protocol document (sections 2, 5 and 9). The encoders here are
 * written from its rules, the pictures are computed from its index formula.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator-epcl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* ---- encoders, from the reference behaviour of section 4.3 ---- */

static size_t
run_length(const uint8_t *in, size_t i, size_t n)
{
	size_t run = 1;
	while (run < 127 && i + run < n && in[i + run] == in[i])
		run++;
	return run;
}

static size_t
colour_pack(uint8_t *out, const uint8_t *in, size_t n)
{
	size_t at = 0;
	for (size_t i = 0; i < n;) {
		size_t run = run_length(in, i, n);
		if (run > 1 || i == 0)
			out[at++] = (uint8_t)(0x80 + run);
		out[at++] = in[i];
		i += run;
	}
	return at;
}

static size_t
mono_pack(uint8_t *out, const uint8_t *in, size_t n)
{
	size_t at = 0;
	for (size_t i = 0; i < n;) {
		size_t run = run_length(in, i, n), lit = i;
		if (run > 2 || i == 0) {
			out[at++] = (uint8_t)(0x80 + run);
			out[at++] = in[i];
			i += run;
			continue;
		}
		while (lit < n && lit - i < 31 && run_length(in, lit, n) < 3)
			lit++;
		out[at++] = (uint8_t)(lit - i);
		memcpy(out + at, in + i, lit - i);
		at += lit - i;
		i = lit;
	}
	return at;
}

/* The test picture: level 0..31 of dye 0 Y, 1 M, 2 C at pixel (x, y), and black. */
static uint8_t
level_at(int dye, unsigned x, unsigned y)
{
	return (uint8_t)((x / 8 * (unsigned)(dye + 1) + y / 5) % 32);
}

static bool
black_at(unsigned x, unsigned y)
{
	return (x / 16 + y / 16) % 7 == 0 || (x == 1 && y == 2);
}

/* Sends one plane in the document's order; dye 3 = mono by G and Z. */
static void
send_plane(int dye, bool raw)
{
	uint8_t *plane = calloc(1, DOT_N), *packed = malloc(2 * DOT_N + 64);
	assert_true(plane && packed);
	int n;
	size_t len = dye == 3 ? DOT_N / 8 : DOT_N;
	for (unsigned x = 0; x < W; x++) {
		for (unsigned y = 0; y < H; y++) {
			size_t at = (size_t)(W - 1 - x) * H + y;
			if (dye < 3)
				plane[at] = (uint8_t)(level_at(dye, x, y) * (raw ? 8 : 1));
			else if (black_at(x, y))
				plane[at / 8] |= (uint8_t)(0x80 >> at % 8);
		}
	}
	if (dye == 3) {
		ask(raw ? "G 0 0 10 640 1024 1" : "G 0 0 12 640 1024 1", ACK);
		n = snprintf((char *)packed, 64, "Z");
	} else {
		n = snprintf((char *)packed, 64, "GS %d %d 0 0 1024 640 ", dye, raw ? 32 : 30);
	}
	size_t at = (size_t)n;
	if (raw)
		memcpy(packed + at, plane, len);
	else
		len = dye == 3 ? mono_pack(packed + at, plane, len)
			       : colour_pack(packed + at, plane, len);
	ask_bytes(packed, at + len, ACK, 1);
	free(plane);
	free(packed);
}

/* White card, each dye takes its part of light, black over all. */
static void
picture_check(const uint8_t *rgb, bool colour, bool black, bool raw)
{
	assert_non_null(rgb);
	size_t wrong = 0;
	for (unsigned y = 0; y < H; y++) {
		for (unsigned x = 0; x < W; x++) {
			for (int i = 0; i < 3; i++) { /* R G B are taken by C M Y */
				unsigned level = level_at(2 - i, x, y);
				unsigned dye = raw ? level * 8 : (level * 255 + 15) / 31;
				unsigned want = colour ? 255 - dye : 255;
				if (black && black_at(x, y))
					want = 0;
				wrong += rgb[((size_t)y * W + x) * 3 + (size_t)i] != want;
			}
		}
	}
	assert_int_equal(wrong, 0);
}

/* ---- framing ---- */

static void
test_framing(void **state)
{
	static const uint8_t text[] = {0x1B, 0x54, 0x20, 0x31, 0x30, 0x30, 0x20, 0x31, 0x30, 0x30,
		0x20, 0x30, 0x20, 0x31, 0x20, 0x32, 0x30, 0x20, 0x33, 0x30, 0x20, 0x31, 0x20, 0x54,
		0x65, 0x78, 0x74, 0x0D};
	(void)state;
	bench_open("p330i", "ymcko:10");
	for (size_t i = 0; i < sizeof text; i++)
		feed(text + i, 1);
	feed("\n", 1); /* one LF behind CR is nothing */
	assert_int_equal(b.reply_len, 1);
	assert_memory_equal(b.reply, ACK, 1);
	assert_non_null(dialect_state()->raster.plane[B_K]);
	ask("+EC8", ACK); /* with and without a space */
	ask("+EC 8", ACK);
	ask("!R 3020", ACK);
	assert_int_equal(b.strict, 0);
	/* a record of the Windows driver: its length counts the initiator that is not there */
	b.reply_len = 0;
	feed("\0\0\0\x03"
	     "F\r",
		6);
	assert_int_equal(b.reply_len, 1);
	assert_int_equal(b.strict, 0);
	/* another initiator; taking it away answers 10 and blocks nothing */
	ask("+X~", ACK);
	b.reply_len = 0;
	feed("~F\r", 3);
	assert_int_equal(b.reply_len, 1);
	ask("!X", "~\x04");
	nack("+X\x01", 10);
	ask("F", ACK);
	b.strict = 0;
	feed("\n\nxx", 4); /* a second LF and words outside */
	ask("F", ACK);
	assert_int_equal(b.strict, 1);
	bench_close();
}

static void
test_answers(void **state)
{
	(void)state;
	bench_open("p330i", "ymcko:10");
	ask("V", "P330i V1.00\x04");
	ask("e", "P330i V1.00\x04");
	ask("V 13", ACK);
	nack("V 70", 10); /* no such part: an answer, not a fault */
	ask("%CLN", "Cpt imp:00000000 next clean Prn:00005000 nb pass:5\x04");
	nack("Nonsense", 14);
	nack("F", 14); /* refused until . */
	ask("e", "\x15"
		 "14\x04");
	ask(".", ACK);
	nack("+EC 25", 10);
	ask(".", ACK);
	nack("Zabc", 30); /* nothing declared that a Z could fill */
	ask(".", ACK);
	nack("L 2000 0 5 5 1", 11);
	ask(".", ACK);
	nack("G 0 0 12 640 1100 1", 31);
	ask(".", ACK);
	nack("G 0 0 12 700 100 1", 32);
	ask(".", ACK);
	ask("M 1 V[%CLN[V 13", "P330i V1.00Cpt imp:00000000 next clean Prn:00005000 nb pass:5\x04");
	nack("M 1 +C 5[Nonsense[+C 7", 14);
	assert_int_equal(json_integer_value(json_object_get(dialect_state()->settings, "+C")), 5);
	ask(".", ACK);
	nack("m 1 Nonsense[+C 7", 14);
	assert_int_equal(json_integer_value(json_object_get(dialect_state()->settings, "+C")), 7);
	option("replies", "off");
	ask(".", "");
	option("replies", "on");
	b.reply_len = 0;
	feed("\x1bGS 0 32 0 0 4 4 ab", 19); /* the rest does not come */
	b.clock_ms += 60000;
	feed("\x1b.\r", 3);
	assert_int_equal(b.reply_len, 5);
	assert_memory_equal(b.reply,
		"\x15"
		"34\x04" ACK,
		5);
	bench_close();
}

/* ---- jobs ---- */

/* Section 9.1: 1B 4D 43 0D and the list as they stand there. */
static void
job_colour(bool raw)
{
	static const char *const settings[] = {"+RIB 0", "+$L 0 5", "+$L 1 5", "+$L 2 5", "+$C 0 5",
		"+$C 1 7", "+$C 2 7", "+C 5", "+CV 3", "$F", "F", "vF"};
	static const uint8_t mc[] = {0x1B, 0x4D, 0x43, 0x0D};
	feed(mc, sizeof mc);
	for (size_t i = 0; i < EMU_LEN(settings); i++)
		ask(settings[i], ACK);
	for (int dye = 0; dye < 4; dye++)
		send_plane(dye, raw);
	ask("vL 0 0 1023 639 1", ACK);
}

static void
test_job_colour(void **state)
{
	static const uint8_t list[] = {0x1B, 0x4D, 0x20, 0x31, 0x20, 0x49, 0x53, 0x20, 0x30, 0x5B,
		0x49, 0x53, 0x20, 0x31, 0x5B, 0x49, 0x53, 0x20, 0x32, 0x5B, 0x49, 0x5B, 0x49, 0x56,
		0x20, 0x31, 0x0D};
	(void)state;
	for (int raw = 0; raw < 2; raw++) {
		bench_open("p330i", "ymcko:10");
		job_colour(raw);
		if (raw) {
			b.reply_len = 0;
			feed(list, sizeof list);
			assert_int_equal(b.reply_len, 1);
			ask("MO", ACK);
		} else {
			ask("M 1 IS 0[IS 1[IS 2[I[IV 31[MO", ACK);
			/* 3 s in, 3 x 4 + 3 + 4 s of panels and 5 x 0.2 back, 2 s out */
			assert_int_equal(b.clock_ms, 3000 + 19000 + 1000 + 2000);
		}
		assert_int_equal(b.strict, 0);
		assert_int_equal(dialect_state()->unsafe > 0, !raw); /* levels 13 and 27 */
		picture_check(b.shown[0], true, true, raw);
		assert_null(b.shown[1]);
		assert_int_equal(b.p->cards[0]->panels_used[0], 0x1f);
		assert_int_equal(b.p->good, 1);
		assert_int_equal(b.p->reel.sets, 9);
		for (int i = 0; i < P_COUNT; i++)
			assert_int_equal(b.p->reel.left[i], 9);
		bench_close();
	}
}

/* S3's planes of 645 x 1029: taken, cut at the buffer. */
static void
test_job_oversize(void **state)
{
	static uint8_t gs[32 + 2 * 5300];
	(void)state;
	size_t left = (size_t)645 * 1029;
	size_t at = (size_t)snprintf((char *)gs, 32, "GS 0 30 0 0 1029 645 ");
	for (; left; at += 2) {
		size_t n = left < 127 ? left : 127;
		gs[at] = (uint8_t)(0x80 + n);
		gs[at + 1] = 0x1f;
		left -= n;
	}
	bench_open("p310i", "ymcko:10");
	ask_bytes(gs, at, ACK, 1);
	assert_int_equal(dialect_state()->raster.plane[B_Y][DOT_N - 1], 255);
	option("oversize-refused", "on");
	ask_bytes(gs, at,
		"\x15"
		"31\x04",
		4);
	bench_close();
}

static void
test_job_duplex(void **state)
{
	(void)state;
	bench_open("p430i", "ymcko:10");
	job_colour(false);
	ask("M 1 [IS 0[IS 1[IS 2[I[IV 31", ACK); /* the other way to write a list */
	ask("MF", ACK);
	ask("F", ACK);
	send_plane(3, false);
	ask("M 1 I[MO", ACK);
	picture_check(b.shown[0], true, true, false);
	picture_check(b.shown[1], false, true, false);
	assert_int_equal(b.p->cards[0]->panels_used[1], 1u << P_K);
	/* one side only: the machine has no flipper */
	bench_close();
	bench_open("p330i", "ymcko:10");
	ask("MI", ACK);
	nack("MF", 10);
	bench_close();
}

static void
test_job_magnetic(void **state)
{
	static const char *const job[] = {"+RIB 4", "F", "+C 8", "&R", "&CDEW 0 0", "&CDER 0 0",
		"&SVM 0", "T 80 600 0 1 0 45 1 TEXT", "&B 1 123456^NAME/X^789012", "&E*"};
	(void)state;
	bench_open("p330i", "k:10");
	nack("&P", 6); /* no card in the encoder: an answer */
	for (size_t i = 0; i < EMU_LEN(job); i++)
		ask(job[i], ACK);
	nack("&P", 5);
	ask("&L 1", "123456^NAME/X^789012\x04");
	ask("I 10", ACK);
	ask("MO", ACK);
	assert_string_equal(b.tracks[0], "123456^NAME/X^789012");
	assert_int_equal(b.p->good, 1);
	size_t black = 0, elsewhere = 0;
	for (size_t y = 0; y < H; y++)
		for (size_t x = 0; x < W; x++)
			*(x >= 80 && x < 300 && y >= 600 ? &black : &elsewhere) +=
				b.shown[0][(y * W + x) * 3] == 0;
	assert_true(black > 100);
	assert_int_equal(elsewhere, 0);
	assert_int_equal(b.strict, 0);
	/* what no track may hold, a blank track, a bad write: the card goes to the reject box */
	nack("&B 2 12A", 40);
	ask(".", ACK);
	nack("&L 2", 51);
	ask(".", ACK);
	ask("MO", ACK);
	assert_int_equal(b.p->rejected, 1);
	option("magnetic-fault", "41");
	ask("+RB 1 0", ACK);
	nack("&E*", 41);
	ask(".", ACK);
	ask("MO", ACK);
	assert_int_equal(b.p->rejected, 1);
	assert_int_equal(b.p->good, 2);
	bench_close();
	bench_open("p120i", "k:10");
	nack("&R", 45);
	bench_close();
}

static void
test_dock(void **state)
{
	(void)state;
	bench_open("p330i", "ymcko:10");
	ask("SMC 2", ACK);
	assert_int_equal(b.p->position, POS_CONTACTLESS);
	assert_int_equal(b.p->field.n, 1);
	ask("SME 0", ACK);
	assert_int_equal(b.p->position, POS_PRINT);
	option("dock-contact", "MX");
	ask("MX", ACK);
	assert_int_equal(b.p->position, POS_CONTACT);
	ask("SME 1", ACK);
	assert_int_equal(b.p->rejected, 1);
	nack("SME 0", 54);
	ask(".", ACK);
	nack("SMC 1", 14); /* the old name */
	bench_close();
}

/* A panel that has gone by costs the rest of its group. */
static void
test_ribbon_order(void **state)
{
	(void)state;
	bench_open("p330i", "ymcko:3");
	ask("IS 2", ACK); /* over Y and M */
	assert_int_equal(b.p->reel.left[P_M], 2);
	ask("IS 0", ACK); /* K and O of this group are lost */
	assert_int_equal(b.p->reel.sets, 2);
	assert_int_equal(b.p->reel.left[P_O], 2);
	ask("I", ACK);
	ask("IS 0", ACK);
	assert_int_equal(b.p->reel.sets, 1);
	ask("IS 3", ACK);
	ask("IV", ACK); /* the last panel of the last group */
	assert_int_equal(b.p->reel.sets, 0);
	nack("IS 0", 8);
	bench_close();
}

/* ---- faults ---- */

static void
test_faults(void **state)
{
	static const struct {
		const char *name, *command;
		int code;
		uint8_t port;
		size_t at;
	} rows[] = {
		{"cover", "MI", 48, 0x30, offsetof(struct faults, cover_open)},
		{"hopper", "IS 0", 4, 0x38, offsetof(struct faults, hopper_empty)},
		{"head", "IS 0", 2, 0x30, offsetof(struct faults, head_hot)},
		{"output", "MO", 3, 0x30, offsetof(struct faults, output_full)},
		{"reject", "SME 1", 3, 0x30, offsetof(struct faults, reject_full)},
		{"feed", "MI", 3, 0x30, offsetof(struct faults, jam[STEP_FEED])},
		{"station", "SMC 1", 3, 0x30, offsetof(struct faults, jam[STEP_STATION])},
		{"print", "I", 3, 0x30, offsetof(struct faults, jam[STEP_PRINT])},
		{"flip", "MF", 47, 0x30, offsetof(struct faults, jam[STEP_FLIP])},
		{"eject", "MO", 3, 0x30, offsetof(struct faults, jam[STEP_EJECT])},
		{"magnet", "&E*", 41, 0x30, offsetof(struct faults, magnet_write)},
		{"magnet", "&L 1", 42, 0x30, offsetof(struct faults, magnet_read)},
	};
	(void)state;
	for (size_t i = 0; i < EMU_LEN(rows); i++) {
		bench_open("p430i", "ymcko:10");
		assert_int_equal(machine_port_status(b.p), 0x18);
		ask("&B 2 12", ACK);
		if (strchr("MS&", rows[i].command[0]) && strcmp(rows[i].command, "MI"))
			ask("MI", ACK);
		*(bool *)((char *)&b.p->faults + rows[i].at) = true;
		nack(rows[i].command, rows[i].code);
		assert_int_equal(machine_port_status(b.p), rows[i].port);
		nack("V", rows[i].code);
		machine_clear(b.p);
		ask(".", ACK);
		assert_int_equal(machine_port_status(b.p), 0x18);
		ask("MC", ACK);
		assert_int_equal(
			b.p->good + b.p->rejected + b.p->by_hand + printer_hopper(b.p), 20);
		bench_close();
	}
}

static void
test_faults_ribbon(void **state)
{
	(void)state;
	bench_open("p330i", "ymcko:10");
	b.p->reel.kind = NULL;
	nack("IS 0", 1);
	machine_clear(b.p);
	ask(".", ACK);
	b.p->reel.ended = true;
	nack("I", 8);
	machine_clear(b.p);
	ask(".", ACK);
	ask("+RIB 4", ACK);
	nack("I", 35);
	ask(".", ACK);
	ask("+RIB 0", ACK);
	nack("IH", 35);
	ask(".", ACK);
	/* what the console makes a command answer */
	snprintf(b.p->faults.say_name, sizeof b.p->faults.say_name, "IS");
	snprintf(b.p->faults.say_text, sizeof b.p->faults.say_text, "-1");
	ask("IS 0", "\x15-1\x04");
	ask(".", ACK);
	snprintf(b.p->faults.lacks, sizeof b.p->faults.lacks, " IS ");
	b.p->faults.say_name[0] = 0;
	nack("IS 0", 14);
	bench_close();
}

/* ---- anything at all ---- */

static uint64_t
real_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Mutants of a short session: nothing crashes, every card is somewhere, "." always gets through. */
static void
test_fuzz(void **state)
{
	static const char session[] =
		"\x1bMC\r\x1b+RIB 0\r\x1bGS 0 30 0 0 8 8 \x8a\x01\x05\x06\xb4\x1f\r\x1b"
		"GS 1 32 4 4 2 2 abcd\r\x1bG 0 0 12 16 4 1\r\x1bZ\x84\xff\x04"
		"abcd\r\x1bG 9 9 1 2 2 1\r"
		"\x1bO[[a:\r\x1bvG 0 0 3 1 8 0\r\x1bvZ\x88\x01\x89\r\x1bT 10 10 5 1 0 20 1 Ab\r\x1b"
		"L 0 0 50 60 1\r\x1b"
		"C 5 5 30 30 3 1\r\x1b"
		"D 1 1 90 40\r\x1bP 3 3\r\x1b"
		"B 9 9 0 0 0 3 90 0 12\r\x1bM 2 IS 0[I[IV 1[MF[&L 1\r\x1b.\r\x1b&B 12 AB\r\x1b&E*\r"
		"\x1bSMC 2\r\x1bSME 1\r\x1b+X~\r~F\r\x1b%CLN\r\x1bMO\r";
	const char *text = getenv("FUZZ_MS");
	uint64_t end = real_ms() + (text ? strtoul(text, NULL, 10) : 400), seed = 7;
	unsigned long rounds = 0;
	(void)state;
	bench_open("p430i", "ymcko:1000");
	while (real_ms() < end) {
		uint8_t bytes[sizeof session];
		memcpy(bytes, session, sizeof session);
		for (unsigned i = 0; i < 1 + rounds % 6; i++) {
			uint64_t r = random_next(&seed);
			bytes[r % sizeof bytes] = (uint8_t)(r >> 32);
		}
		if (printer_hopper(b.p) == 0)
			printer_add_cards(b.p, 20);
		size_t cut = random_next(&seed) % sizeof bytes;
		b.reply_len = 0;
		feed(bytes, cut);
		feed(bytes + cut, sizeof bytes - cut);
		b.clock_ms += 60000; /* half a command is given up */
		machine_clear(b.p);
		feed("\x1b.\r", 3);
		ask(".", ACK);
		assert_int_equal(b.p->good + b.p->rejected + b.p->by_hand + (b.p->inside != NULL) +
					 printer_hopper(b.p),
			b.p->n_cards);
		rounds++;
	}
	print_message("fuzz: %lu sessions\n", rounds);
	assert_true(rounds > 20);
	bench_close();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_job_colour),
		cmocka_unit_test(test_job_oversize),
		cmocka_unit_test(test_job_duplex),
		cmocka_unit_test(test_job_magnetic),
		cmocka_unit_test(test_dock),
		cmocka_unit_test(test_ribbon_order),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_faults_ribbon),
		cmocka_unit_test(test_fuzz),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
