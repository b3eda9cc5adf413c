/*
 * pn532-command.c - what the commands of a PN532 do.
 *
 * Owns the reader's registers, its two targets and the choice of answers. Knows nothing of frames
 * or of the port. A command that this reader does not know is a syntax error (PN532_ERROR_FRAME),
 * as on the real one.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/pn532.h"

#include <string.h>

enum { STATUS_OK = 0x00, STATUS_TIMEOUT = 0x01, STATUS_CONTEXT = 0x27 };

struct reply {
	uint8_t *bytes;
	size_t len;
};

static void
reply_byte(struct reply *r, unsigned byte)
{
	if (r->len < HSU_BODY_MAX - 1)
		r->bytes[r->len++] = (uint8_t)byte;
}

static void
reply_bytes(struct reply *r, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		reply_byte(r, bytes[i]);
}

/* Reset values of the registers that libnfc reads: those it leaves alone, and those it rewrites.
 * All others are 00. */
static const struct register_reset {
	uint16_t address;
	uint8_t quiet, odd;
} register_resets[] = {
	{0x6302, 0x80, 0x13},
	{0x6303, 0x80, 0x0C},
	{0x6305, 0x40, 0x00},
	{0x633C, 0x10, 0x00},
	{0x6338, 0x00, 0x08},
	{0x633D, 0x00, 0x07},
};

static uint8_t *
register_at(struct pn532_core *core, unsigned high, unsigned low)
{
	if (high != 0x63 && high != 0xFF)
		return NULL;
	return &core->register_page[high == 0xFF][low];
}

void
pn532_core_reset(struct pn532_core *core)
{
	memset(core->register_page, 0, sizeof(core->register_page));
	for (size_t i = 0; i < sizeof(register_resets) / sizeof(register_resets[0]); i++) {
		const struct register_reset *r = &register_resets[i];
		*register_at(core, r->address >> 8, r->address & 0xFF) =
			core->registers_odd ? r->odd : r->quiet;
	}
	memset(core->target, 0, sizeof(core->target));
	core->passive_retries = 0xFF;
	core->asleep = true;
	pthread_mutex_lock(&core->field->lock);
	field_switch(core->field, false);
	pthread_mutex_unlock(&core->field->lock);
}

/* ---- the reader itself ---- */

static enum pn532_outcome
command_diagnose(struct pn532_core *core, const uint8_t *arg, size_t n, struct reply *r)
{
	enum { COMMUNICATION_LINE = 0x00, ATTENTION_REQUEST = 0x06 };
	if (arg[0] == COMMUNICATION_LINE)
		reply_bytes(r, arg, n);
	else if (arg[0] == ATTENTION_REQUEST)
		reply_byte(
			r, field_holds(core->field, core->target[0]) ? STATUS_OK : STATUS_TIMEOUT);
	else
		reply_byte(r, STATUS_OK);
	return PN532_REPLY;
}

static enum pn532_outcome
command_firmware(struct pn532_core *core, const uint8_t *arg, size_t n, struct reply *r)
{
	static const uint8_t version[] = {0x32, 0x01, 0x06, 0x07};
	(void)core;
	(void)arg;
	(void)n;
	reply_bytes(r, version, sizeof(version));
	return PN532_REPLY;
}

static enum pn532_outcome
command_accept(struct pn532_core *core, const uint8_t *arg, size_t n, struct reply *r)
{
	(void)core;
	(void)arg;
	(void)n;
	(void)r;
	return PN532_REPLY;
}

static enum pn532_outcome
command_general_status(struct pn532_core *core, const uint8_t *arg, size_t n, struct reply *r)
{
	unsigned targets = 0;
	(void)arg;
	(void)n;
	for (unsigned i = 0; i < 2; i++)
		targets += core->target[i] != NULL;
	reply_byte(r, 0x00);
	reply_byte(r, core->field->on);
	reply_byte(r, targets);
	for (unsigned i = 0; i < 2; i++) {
		const uint8_t speed_and_type[] = {(uint8_t)(i + 1), 0x00, 0x00, 0x10};
		if (core->target[i])
			reply_bytes(r, speed_and_type, sizeof(speed_and_type));
	}
	reply_byte(r, 0x00);
	return PN532_REPLY;
}

static enum pn532_outcome
command_read_register(struct pn532_core *core, const uint8_t *arg, size_t n, struct reply *r)
{
	if (n % 2 != 0)
		return PN532_ERROR_FRAME;
	for (size_t i = 0; i < n; i += 2) {
		const uint8_t *value = register_at(core, arg[i], arg[i + 1]);
		reply_byte(r, value ? *value : 0x00);
	}
	return PN532_REPLY;
}

static enum pn532_outcome
command_write_register(struct pn532_core *core, const uint8_t *arg, size_t n, struct reply *r)
{
	(void)r;
	if (n % 3 != 0)
		return PN532_ERROR_FRAME;
	for (size_t i = 0; i < n; i += 3) {
		uint8_t *value = register_at(core, arg[i], arg[i + 1]);
		if (value)
			*value = arg[i + 2];
	}
	return PN532_REPLY;
}

static enum pn532_outcome
command_read_gpio(struct pn532_core *core, const uint8_t *arg, size_t n, struct reply *r)
{
	static const uint8_t pins[] = {0x3F, 0x06, 0x01};
	(void)core;
	(void)arg;
	(void)n;
	reply_bytes(r, pins, sizeof(pins));
	return PN532_REPLY;
}

static enum pn532_outcome
command_power_down(struct pn532_core *core, const uint8_t *arg, size_t n, struct reply *r)
{
	(void)arg;
	(void)n;
	field_switch(core->field, false);
	core->asleep = true;
	reply_byte(r, STATUS_OK);
	return PN532_REPLY;
}

static enum pn532_outcome
command_rf_configuration(struct pn532_core *core, const uint8_t *arg, size_t n, struct reply *r)
{
	enum { ITEM_FIELD = 0x01, ITEM_RETRIES = 0x05 };
	(void)r;
	if (arg[0] == ITEM_FIELD && n >= 2)
		field_switch(core->field, arg[1] & 1);
	else if (arg[0] == ITEM_RETRIES && n >= 4)
		core->passive_retries = arg[3];
	return PN532_REPLY;
}

/* ---- targets ---- */

/* Tg 1 or 2 (the upper bits carry options); NULL: no such target. */
static struct chip **
target_slot(struct pn532_core *core, uint8_t tg)
{
	unsigned number = tg & 0x3Fu;
	return number == 1 || number == 2 ? &core->target[number - 1] : NULL;
}

static struct chip *
target_get(struct pn532_core *core, uint8_t tg)
{
	struct chip **slot = target_slot(core, tg);
	return slot ? *slot : NULL;
}

/* Halts one target, or both for Tg 0. forget: the reader drops it too. */
static enum pn532_outcome
targets_halt(struct pn532_core *core, uint8_t tg, bool forget, struct reply *r)
{
	static const uint8_t halt[] = {0x50, 0x00};
	uint8_t none[16];
	size_t none_len;
	for (unsigned i = 0; i < 2; i++) {
		struct chip *c = core->target[i];
		if (tg != 0 && tg != i + 1)
			continue;
		if (c && field_holds(core->field, c))
			chip_exchange(c, halt, sizeof(halt), none, &none_len);
		if (forget)
			core->target[i] = NULL;
	}
	reply_byte(r, tg > 2 ? STATUS_CONTEXT : STATUS_OK);
	return PN532_REPLY;
}

static enum pn532_outcome
command_deselect(struct pn532_core *core, const uint8_t *arg, size_t n, struct reply *r)
{
	(void)n;
	return targets_halt(core, arg[0], false, r);
}

static enum pn532_outcome
command_release(struct pn532_core *core, const uint8_t *arg, size_t n, struct reply *r)
{
	(void)n;
	return targets_halt(core, arg[0], true, r);
}

static enum pn532_outcome
command_select(struct pn532_core *core, const uint8_t *arg, size_t n, struct reply *r)
{
	struct chip *c = target_get(core, arg[0]);
	(void)n;
	if (!c)
		reply_byte(r, STATUS_CONTEXT);
	else if (field_holds(core->field, c) && chip_select(c, c->uid, c->uid_len))
		reply_byte(r, STATUS_OK);
	else
		reply_byte(r, STATUS_TIMEOUT);
	return PN532_REPLY;
}

/* ATQA 2 | SAK | UID length | UID */
static void
reply_target(struct reply *r, const struct chip *c)
{
	reply_bytes(r, c->atqa, 2);
	reply_byte(r, c->sak);
	reply_byte(r, c->uid_len);
	reply_bytes(r, c->uid, c->uid_len);
}

/* MaxTg | BrTy | [UID; one of 7 bytes has the cascade tag 88 before it] */
static enum pn532_outcome
command_list_targets(struct pn532_core *core, const uint8_t *arg, size_t n, struct reply *r)
{
	enum { ISO14443A = 0x00, CASCADE_TAG = 0x88 };
	const uint8_t *uid = arg + 2;
	unsigned uid_len = (unsigned)n - 2;
	unsigned max = arg[0];
	if (max < 1 || max > 2)
		return PN532_ERROR_FRAME;
	memset(core->target, 0, sizeof(core->target));
	if (!core->field->on)
		field_switch(core->field, true);
	if (uid_len == 8 && uid[0] == CASCADE_TAG) {
		uid++;
		uid_len--;
	}
	unsigned found = arg[1] == ISO14443A ? field_select(core->field, uid, uid_len,
						       core->strict_halt, core->target, max)
					     : 0;
	if (found == 0 && arg[1] == ISO14443A && core->passive_retries == 0xFF)
		return PN532_PENDING;
	core->long_uid = found > 0 && core->target[0]->uid_len > 4;
	reply_byte(r, found);
	for (unsigned i = 0; i < found; i++) {
		reply_byte(r, i + 1);
		reply_target(r, core->target[i]);
	}
	return PN532_REPLY;
}

/* PollNr | Period | Type...; one round, whatever was asked. */
static enum pn532_outcome
command_auto_poll(struct pn532_core *core, const uint8_t *arg, size_t n, struct reply *r)
{
	enum { MIFARE = 0x10 };
	bool wanted = false;
	for (size_t i = 2; i < n; i++)
		wanted = wanted || arg[i] == 0x00 || arg[i] == MIFARE;
	memset(core->target, 0, sizeof(core->target));
	if (!core->field->on)
		field_switch(core->field, true);
	unsigned found =
		wanted ? field_select(core->field, NULL, 0, core->strict_halt, core->target, 2) : 0;
	reply_byte(r, found);
	for (unsigned i = 0; i < found; i++) {
		reply_byte(r, MIFARE);
		reply_byte(r, core->target[i]->uid_len + 5u);
		reply_byte(r, i + 1);
		reply_target(r, core->target[i]);
	}
	return PN532_REPLY;
}

/* Tg | card command */
static enum pn532_outcome
command_data_exchange(struct pn532_core *core, const uint8_t *arg, size_t n, struct reply *r)
{
	enum { CARD_HALT = 0x50 };
	struct chip *c = target_get(core, arg[0]);
	uint8_t answer[16];
	size_t answer_len = 0;
	if (!c) {
		reply_byte(r, STATUS_CONTEXT);
		return PN532_REPLY;
	}
	if (!field_holds(core->field, c)) {
		bool auth = n > 1 && (arg[1] == 0x60 || arg[1] == 0x61);
		reply_byte(r, auth ? 0x14 : STATUS_TIMEOUT);
		return PN532_REPLY;
	}
	int status = chip_exchange(c, arg + 1, n - 1, answer, &answer_len);
	if (n > 1 && arg[1] == CARD_HALT)
		return PN532_ERROR_FRAME;
	reply_byte(r, (unsigned)status);
	reply_bytes(r, answer, answer_len);
	return PN532_REPLY;
}

/* Bytes as they are to the first target. Only what libnfc's tools send this way is answered: HALT
 * and the probe for ISO 14443-4, which a MIFARE Classic leaves without an answer. */
static enum pn532_outcome
command_communicate_thru(struct pn532_core *core, const uint8_t *arg, size_t n, struct reply *r)
{
	struct chip *c = core->target[0];
	uint8_t answer[16];
	size_t answer_len = 0;
	int status = STATUS_TIMEOUT;
	if (c && field_holds(core->field, c))
		status = chip_exchange(c, arg, n, answer, &answer_len);
	reply_byte(r, (unsigned)status);
	reply_bytes(r, answer, answer_len);
	return PN532_REPLY;
}

static enum pn532_outcome
command_psl(struct pn532_core *core, const uint8_t *arg, size_t n, struct reply *r)
{
	(void)n;
	reply_byte(r, target_get(core, arg[0]) ? STATUS_OK : STATUS_CONTEXT);
	return PN532_REPLY;
}

/* time_us: on the air and inside, for commands without a card command in them. */
static const struct command {
	uint8_t code, arguments_min;
	uint16_t time_us;
	const char *name;
	enum pn532_outcome (*run)(
		struct pn532_core *core, const uint8_t *arg, size_t n, struct reply *r);
} commands[] = {
	{0x00, 1, 0, "Diagnose", command_diagnose},
	{0x02, 0, 0, "GetFirmwareVersion", command_firmware},
	{0x04, 0, 0, "GetGeneralStatus", command_general_status},
	{0x06, 2, 0, "ReadRegister", command_read_register},
	{0x08, 3, 0, "WriteRegister", command_write_register},
	{0x0C, 0, 0, "ReadGPIO", command_read_gpio},
	{0x0E, 2, 0, "WriteGPIO", command_accept},
	{0x10, 1, 0, "SetSerialBaudRate", command_accept},
	{0x12, 1, 0, "SetParameters", command_accept},
	{0x14, 1, 0, "SAMConfiguration", command_accept},
	{0x16, 1, 0, "PowerDown", command_power_down},
	{0x32, 1, 0, "RFConfiguration", command_rf_configuration},
	{0x40, 1, 0, "InDataExchange", command_data_exchange},
	{0x42, 0, 1000, "InCommunicateThru", command_communicate_thru},
	{0x44, 1, 400, "InDeselect", command_deselect},
	{0x4A, 2, 2470, "InListPassiveTarget", command_list_targets},
	{0x4E, 3, 0, "InPSL", command_psl},
	{0x52, 1, 400, "InRelease", command_release},
	{0x54, 1, 2470, "InSelect", command_select},
	{0x60, 3, 2470, "InAutoPoll", command_auto_poll},
};

/* Card commands inside InDataExchange; a write includes 3.5 ms of EEPROM. */
static const struct card_time {
	uint8_t op;
	uint16_t time_us;
} card_times[] = {
	{0x60, 2110},
	{0x61, 2110},
	{0x30, 2080},
	{0xA0, 5800},
	{0xB0, 4500},
};

static const struct command *
command_find(uint8_t code)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].code == code)
			return &commands[i];
	return NULL;
}

const char *
pn532_command_name(uint8_t code)
{
	const struct command *command = command_find(code);
	return command ? command->name : "?";
}

unsigned
pn532_core_time_us(const struct pn532_core *core, const uint8_t *cmd, size_t len)
{
	enum { CHIP_OVERHEAD_US = 300, SEVEN_BYTE_UID_US = 1000 };
	const struct command *command = len > 0 ? command_find(cmd[0]) : NULL;
	unsigned us = CHIP_OVERHEAD_US + (command ? command->time_us : 0);
	if (len >= 3 && cmd[0] == 0x40)
		for (size_t i = 0; i < sizeof(card_times) / sizeof(card_times[0]); i++)
			us += card_times[i].op == cmd[2] ? card_times[i].time_us : 0;
	if (len > 0 && cmd[0] == 0x4A && core->long_uid)
		us += SEVEN_BYTE_UID_US;
	return us;
}

enum pn532_outcome
pn532_core_run(struct pn532_core *core, const uint8_t *cmd, size_t len, uint8_t reply[HSU_BODY_MAX],
	size_t *reply_len)
{
	struct reply r = {reply, 0};
	const struct command *command = len > 0 ? command_find(cmd[0]) : NULL;
	if (!command || len - 1 < command->arguments_min)
		return PN532_ERROR_FRAME;
	reply_byte(&r, cmd[0] + 1u);
	core->card_commands += cmd[0] == 0x40;
	pthread_mutex_lock(&core->field->lock);
	enum pn532_outcome outcome = command->run(core, cmd + 1, len - 1, &r);
	pthread_mutex_unlock(&core->field->lock);
	*reply_len = r.len;
	return outcome;
}
