/*
 * epcl-magnetic.c - the magnetic encoder: three tracks on the card, written and read back.
 *
 * Owns the encoder's write buffer. What a track holds is kept as text without sentinels, which the
 * encoder adds by itself.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/epcl.h"

#include <stdlib.h>
#include <string.h>

/* ISO: track 1 holds 6-bit characters, 2 and 3 only digits and separators. */
static const struct track_form {
	size_t max;
	const char *allowed; /* NULL: 20..5F */
} track_forms[TRACKS] = {{76, NULL}, {37, "0123456789:;<=>?"}, {104, "0123456789:;<=>?"}};

static bool
track_good(const struct track_form *f, bool hex, const char *text)
{
	size_t n = strlen(text);
	if (n == 0 || n >= MAG_TRACK_MAX || (!hex && n > f->max))
		return false;
	if (hex)
		return strspn(text, "0123456789ABCDEFabcdef") == n;
	if (f->allowed)
		return strspn(text, f->allowed) == n;
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x5f)
			return false;
	return true;
}

/* Told to fail now? */
static int
encoder_code(struct epcl *e, bool writes)
{
	const struct faults *f = &e->printer->faults;
	int code = e->mag_fault;
	e->mag_fault = 0;
	if (!code && writes && (f->magnet_write || f->magnet_checksum))
		code = CODE_MAG_WRITE;
	if (!code && !writes && (f->magnet_read || f->magnet_checksum))
		code = CODE_MAG_READ;
	e->encode_failed = e->encode_failed || code;
	return code;
}

static int
run_reset(struct epcl_call *c)
{
	if (!c->e->printer->model->magnetic)
		return CODE_ENCODER_MISSING;
	memset(c->e->track, 0, sizeof c->e->track);
	return 0;
}

/* "&B 2 text", "&B 12 hex", "&B1 text", "&B1text". */
static int
run_load(struct epcl_call *c)
{
	const char *at = c->rest + strspn(c->rest, " ");
	if (!c->e->printer->model->magnetic)
		return CODE_ENCODER_MISSING;
	bool hex = at[0] == '1' && at[1] >= '1' && at[1] <= '3' && at[2] == ' ';
	at += hex;
	if (*at < '1' || *at > '3')
		return CODE_PARAMETER;
	unsigned t = (unsigned)(*at - '1');
	at += 1 + (at[1] == ' ');
	if (!track_good(&track_forms[t], hex, at))
		return CODE_MAG_DATA;
	snprintf(c->e->track[t], sizeof c->e->track[t], "%s%s", hex ? "hex:" : "", at);
	return 0;
}

static int
card_fetch(struct epcl *e)
{
	struct printer *p = e->printer;
	if (!p->inside)
		e->encode_failed = e->print_failed = false;
	int code = epcl_fault(p, machine_move(p, POS_PRINT));
	if (!code)
		code = epcl_fault(p, machine_step(p, STEP_STATION));
	return code;
}

static int
run_write(struct epcl_call *c)
{
	struct epcl *e = c->e;
	bool any = false;
	for (int t = 0; t < TRACKS; t++)
		any = any || e->track[t][0];
	if (!e->printer->model->magnetic)
		return CODE_ENCODER_MISSING;
	if (!any)
		return CODE_MAG_DATA;
	int code = card_fetch(e);
	if (!code)
		code = encoder_code(e, true);
	for (int t = 0; t < TRACKS && !code; t++) {
		if (!e->track[t][0])
			continue;
		free(e->printer->inside->track[t]);
		e->printer->inside->track[t] = strdup(e->track[t]);
	}
	return code;
}

static int
run_read(struct epcl_call *c)
{
	struct epcl *e = c->e;
	if (!e->printer->model->magnetic)
		return CODE_ENCODER_MISSING;
	int code = card_fetch(e);
	if (!code)
		code = encoder_code(e, false);
	if (code)
		return code;
	const char *track = e->printer->inside->track[c->n[0] - 1];
	if (!track) {
		e->encode_failed = true;
		return CODE_BLANK_TRACK;
	}
	epcl_say(c, track);
	return 0;
}

/* An answer in the form of an error. */
static int
run_present(struct epcl_call *c)
{
	if (!c->e->printer->model->magnetic)
		return CODE_ENCODER_MISSING;
	c->passing = true;
	return c->e->printer->inside && c->e->printer->position == POS_PRINT ? CODE_CARD_IN
									     : CODE_CARD_OUT;
}

static int
run_format(struct epcl_call *c)
{
	if (!c->e->printer->model->magnetic)
		return CODE_ENCODER_MISSING;
	json_object_set_new(c->e->settings, c->verb->name, json_string(c->rest));
	return 0;
}

const struct epcl_verb epcl_magnetic_verbs[] = {
	{"&R", 0, 0, 0, 0, REST_NONE, run_reset},
	{"&B", 0, 0, 0, 0, REST_TEXT, run_load},
	{"&E*", 0, 0, 0, 0, REST_NONE, run_write},
	{"&L", 1, 1, 1, 3, REST_NONE, run_read},
	{"&P", 0, 0, 0, 0, REST_NONE, run_present},
	{"&W", 0, 0, 0, 0, REST_TEXT, run_format},
	{"&D", 0, 0, 0, 0, REST_TEXT, run_format},
	{"&CDEW", 0, 0, 0, 0, REST_TEXT, run_format},
	{"&CDER", 0, 0, 0, 0, REST_TEXT, run_format},
	{"&SVM", 0, 0, 0, 0, REST_TEXT, run_format},
};
const size_t n_epcl_magnetic_verbs = EMU_LEN(epcl_magnetic_verbs);
