/*
 * evolis-fake.c - a small Evolis printer behind struct transport_ops, for the tests.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/evolis-fake.h"

void
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
	} said[] = {{"Rsn", "D3-0001"}, {"Rfv", "1021"}, {"Rse;o", "5,00 Volts"},
		{"Rse;f", "5,00 Volts"}, {"Rco;i", "87"}, {"Rco;c", "1234"}, {"Rco;r", "400"}};
	static const struct {
		const char *command, *place;
	} moves[] = {{"Sic", "CONTACTLESS CARD"}, {"Sis", "SMART CARD"}, {"Ser", "NO CARD"},
		{"Si", "CARD"}, {"Se", "NO CARD"}};

	for (size_t i = 0; i < ARRAY_LEN(said); i++)
		if (strcmp(said[i].command, command) == 0)
			return said[i].reply;
	if (strcmp(command, "Rtp") == 0)
		return f->mdl;
	if (strncmp(command, "Rrt;", 4) == 0)
		return f->numbered ? "87" : "ERROR CDE";
	if (strcmp(command, "Rr") == 0)
		return f->numbered ? "ERROR CDE" : "YMCKOK";
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
	if (f->heard && len > 0)
		f->heard(b, len);
	if (b[0] != 033) {
		if (b[0] == '<')
			snprintf(f->tags + strlen(f->tags), sizeof f->tags - strlen(f->tags),
				"%.*s", (int)len, b);
		else
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

const struct usb_printer fake_dualys = {
	.vendor = 0x0f49, .serial = "D3-0001", .device_id = "MFG:EVOLIS ;MDL:Dualys 3;CMD:MP;"};

void
fake_init(struct fake *f)
{
	*f = (struct fake){
		.base.ops = &fake_ops, .place = "NO CARD", .mdl = "Dualys 3", .port = 0x18};
}

struct printer *
fake_open_as(struct fake *f, const char *mdl, bool numbered)
{
	struct usb_printer id = fake_dualys;
	struct printer *p = NULL;
	struct err e = {0};

	if (!f->base.ops)
		fake_init(f);
	f->mdl = mdl;
	f->numbered = numbered;
	snprintf(id.device_id, sizeof id.device_id, "MFG:EVOLIS ;MDL:%s;CMD:MP;", mdl);
	assert_int_equal(printer_evolis.open(&p, &f->base, &id, &e), 0);
	assert_non_null(p);
	f->log[0] = '\0';
	return p;
}

struct printer *
fake_open(struct fake *f)
{
	fake_init(f);
	return fake_open_as(f, "Dualys 3", false);
}

void
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

struct printer *
fake_make_ready(struct printer *p, struct fake *f, enum card_place place)
{
	static const struct ribbon duplex = {.name = "ymckok", .front = "YMCKO", .back = "K"};
	struct print_job job = {.ribbon = &duplex, .duplex = true};
	struct face faces[SIDE_COUNT];
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

struct printer *
fake_ready(struct fake *f, enum card_place place)
{
	return fake_make_ready(fake_open(f), f, place);
}

void
half_faces(struct face faces[SIDE_COUNT], unsigned first, unsigned last)
{
	struct err e;

	memset(faces, 0, sizeof(struct face) * SIDE_COUNT);
	assert_int_equal(plane_create(&faces[0].plane[PANEL_Y], 8, 648, 1016, &e), 0);
	faces[0].plane[PANEL_Y].data[first * faces[0].plane[PANEL_Y].stride + 647] = 255;
	faces[0].plane[PANEL_Y].data[last * faces[0].plane[PANEL_Y].stride] = 255;
}
