/*
 * epcl-fake.c - a small Zebra printer behind struct transport_ops, for the tests.
 *
 * What it understands comes from the protocol description, sections 2, 5 and 9; a command that the
 * driver's table does not list ends the test.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/epcl-fake.h"

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

const struct usb_printer p310i = {
	.vendor = 0x0a5f, .serial = "1", .device_id = "MFG:Zebra;MDL:P310i;CLS:PRINTER;"};
const struct usb_printer p430i = {
	.vendor = 0x0a5f, .serial = "2", .model = "Zebra P430i USB Card Printer"};

void
fake_init(struct fake *f)
{
	*f = (struct fake){.base.ops = &fake_ops, .version = "P310i V2.10\r", .port = 0x18};
	f->overrides[0] = (struct printer_override){"fault-hold-ms", "0"};
	f->base.overrides = f->overrides;
	f->base.n_overrides = 1;
}

void
fake_set(struct fake *f, const char *name, const char *value)
{
	f->overrides[f->base.n_overrides++] = (struct printer_override){name, value};
}

struct printer *
fake_open(struct fake *f, const struct usb_printer *id)
{
	struct printer *p = NULL;
	struct err e = {0};

	assert_int_equal(printer_epcl.open(&p, &f->base, id, &e), 0);
	assert_non_null(p);
	f->log[0] = '\0';
	return p;
}

void
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

const struct ribbon ymcko = {.name = "ymcko", .front = "YMCKO", .back = ""};
const struct ribbon ymckok = {.name = "ymckok", .front = "YMCKO", .back = "K"};
const struct ribbon black = {.name = "k", .front = "K", .back = "K"};

struct printer *
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
