/*
 * mifare.c - a MIFARE Classic 1K behind its antenna.
 *
 * Owns the memory, the access conditions and the states of one chip. Guarantees that nothing is
 * read or written which the access bits of the sector forbid, and that faults strike at the write
 * they were set for. A refused command is a NAK and costs the authentication; a failed
 * authentication halts the chip, as on silicon.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/emulator.h"

#include <string.h>

enum { BLOCK_LEN = 16, BLOCKS = 64, KEY_LEN = 6, ACCESS_AT = 6, KEY_B_AT = 10 };
enum { STATUS_OK = 0x00, STATUS_SILENT = 0x01, STATUS_NAK = 0x13, STATUS_AUTH = 0x14 };
enum { OP_AUTH_A = 0x60, OP_AUTH_B = 0x61, OP_HALT = 0x50 };
enum { RANDOM_ID = 0x08 }; /* ISO/IEC 14443-3: the first byte of a number that is not fixed */

/* Who may do it: key A, key B, either, nobody. */
enum { NO = 0, A = 1, B = 2, AB = 3 };

/* Rows are C1 C2 C3 read as a number. */
static const struct data_rights {
	uint8_t read, write, increment, decrement;
} data_rights[8] = {
	[0] = {AB, AB, AB, AB},
	[1] = {AB, NO, NO, AB},
	[2] = {AB, NO, NO, NO},
	[3] = {B, B, NO, NO},
	[4] = {AB, B, NO, NO},
	[5] = {B, NO, NO, NO},
	[6] = {AB, B, B, AB},
	[7] = {NO, NO, NO, NO},
};

static const struct trailer_rights {
	uint8_t write_a, read_access, write_access, read_b, write_b;
} trailer_rights[8] = {
	[0] = {A, A, NO, A, A},
	[1] = {A, A, A, A, A},
	[2] = {NO, A, NO, A, NO},
	[3] = {B, AB, B, NO, B},
	[4] = {B, AB, NO, NO, B},
	[5] = {NO, AB, B, NO, NO},
	[6] = {NO, AB, NO, NO, NO},
	[7] = {NO, AB, NO, NO, NO},
};

static const struct kind {
	const char *name;
	uint8_t atqa_4, atqa_7, atqa_high, sak;
	bool long_uid, random_uid;
} kinds[] = {
	{"classic-1k", 0x04, 0x44, 0x00, 0x08, false, false},
	{"classic-1k-infineon", 0x04, 0x44, 0x00, 0x88, false, false},
	/* The later generation answers like the first; its customer may have chosen 7 bytes, or a
	 * number that is another one after each loss of the field. */
	{"classic-ev1", 0x04, 0x44, 0x00, 0x08, true, false},
	{"classic-ev1-random", 0x04, 0x44, 0x00, 0x08, false, true},
	{"classic-4k", 0x02, 0x42, 0x00, 0x18, false, false},
	{"classic-mini", 0x04, 0x44, 0x00, 0x09, false, false},
	{"ntag213", 0x44, 0x44, 0x00, 0x00, true, false},
	{"desfire", 0x44, 0x44, 0x03, 0x20, true, false},
};

/* NTAG and Ultralight; the numbers of both have seven bytes. */
static bool
chip_is_tag(const struct chip *c)
{
	return c->sak == 0x00 && c->uid_len == 7;
}

static const struct kind *
kind_find(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

const char *
chip_kind(const struct chip *c)
{
	return c->kind;
}

bool
chip_has_long_uid(const char *kind)
{
	const struct kind *k = kind_find(kind);

	return k && k->long_uid;
}

bool
chip_set_kind(struct chip *c, const char *kind)
{
	const struct kind *k = kind_find(kind);

	if (!k)
		return false;
	c->kind = k->name;
	c->atqa[0] = k->atqa_high;
	c->atqa[1] = c->uid_len == 7 ? k->atqa_7 : k->atqa_4;
	c->sak = k->sak;
	c->random_uid = k->random_uid && c->uid_len == 4;
	if (c->random_uid)
		c->uid[0] = RANDOM_ID;
	if (chip_is_tag(c))
		ntag_init(c);
	return true;
}

void
chip_set_keys(struct chip *c, const uint8_t key_a[6], const uint8_t key_b[6])
{
	for (unsigned block = 3; block < BLOCKS; block += 4) {
		memcpy(c->mem + block * BLOCK_LEN, key_a, KEY_LEN);
		memcpy(c->mem + block * BLOCK_LEN + KEY_B_AT, key_b, KEY_LEN);
	}
}

/* Block 0, 4-byte UID: UID | BCC | SAK | ATQA | maker's bytes; 7-byte UID: UID | SAK | ATQA | ...
 */
static void
manufacturer_block_build(struct chip *c)
{
	uint8_t *b = c->mem;
	memcpy(b, c->uid, c->uid_len);
	b += c->uid_len;
	if (c->uid_len == 4)
		*b++ = c->uid[0] ^ c->uid[1] ^ c->uid[2] ^ c->uid[3];
	*b++ = c->sak;
	*b++ = c->atqa[1];
	*b++ = c->atqa[0];
	while (b < c->mem + BLOCK_LEN)
		*b++ = 0x62;
}

void
chip_init(struct chip *c, const uint8_t *uid, unsigned uid_len)
{
	static const uint8_t transport[BLOCK_LEN] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x07,
		0x80, 0x69, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
	memset(c, 0, sizeof(*c));
	c->uid_len = uid_len == 7 ? 7 : 4;
	memcpy(c->uid, uid, c->uid_len);
	chip_set_kind(c, "classic-1k");
	for (unsigned block = 3; block < BLOCKS; block += 4)
		memcpy(c->mem + block * BLOCK_LEN, transport, BLOCK_LEN);
	manufacturer_block_build(c);
	c->auth_sector = c->value_block = -1;
	c->tear_at_write = c->lose_at_write = c->remove_at_write = -1;
	c->lose_from_write = c->refuse_from_write = -1;
}

static void
auth_forget(struct chip *c)
{
	c->auth_sector = -1;
	c->value_block = -1;
}

void
chip_field(struct chip *c, bool on)
{
	if (!on || c->absent || c->away) {
		if (c->random_uid && c->power != CHIP_OFF)
			c->uid[3]++;
		c->power = CHIP_OFF;
		auth_forget(c);
	} else if (c->power == CHIP_OFF) {
		c->power = CHIP_IDLE;
	}
}

bool
chip_select(struct chip *c, const uint8_t *uid, unsigned uid_len)
{
	if (c->absent || c->away || c->power == CHIP_OFF)
		return false;
	auth_forget(c);
	if (uid_len > 0 && (uid_len != c->uid_len || memcmp(uid, c->uid, uid_len) != 0)) {
		if (c->power == CHIP_ACTIVE)
			c->power = CHIP_IDLE;
		return false;
	}
	c->power = CHIP_ACTIVE;
	return true;
}

/*
 * Access bytes of a trailer, bit i of each nibble for block i, 3 = the trailer itself:
 *	byte 6: ~C2 | ~C1    byte 7: C1 | ~C3    byte 8: C3 | C2
 * False if the two copies disagree: the sector is dead.
 */
static bool
access_parse(const uint8_t *access, uint8_t condition[4])
{
	unsigned c1 = access[1] >> 4, c2 = access[2] & 15, c3 = access[2] >> 4;
	if ((access[0] & 15u) != (~c1 & 15u) || (access[0] >> 4) != (~c2 & 15u) ||
		(access[1] & 15u) != (~c3 & 15u))
		return false;
	for (unsigned i = 0; i < 4; i++)
		condition[i] = (uint8_t)((c1 >> i & 1) << 2 | (c2 >> i & 1) << 1 | (c3 >> i & 1));
	return true;
}

static uint8_t *
trailer_of(struct chip *c, unsigned sector)
{
	return c->mem + (sector * 4 + 3) * BLOCK_LEN;
}

/* The right of the key that is authenticated (A or B), with the condition of the block; 0 if the
 * block cannot be reached now. */
static unsigned
right_get(struct chip *c, unsigned block, unsigned *condition)
{
	uint8_t conditions[4];
	if (block >= BLOCKS || c->auth_sector != (int)(block / 4) ||
		!access_parse(trailer_of(c, block / 4) + ACCESS_AT, conditions))
		return NO;
	*condition = conditions[block % 4];
	if (c->auth_key == OP_AUTH_A)
		return A;
	return trailer_rights[conditions[3]].read_b ? NO : B;
}

/* A cut in the middle: the first half is programmed, the second only erased, and the result is
 * neither the old nor the new content. */
static void
block_tear(uint8_t *mem, const uint8_t *data)
{
	uint8_t old[BLOCK_LEN];
	memcpy(old, mem, BLOCK_LEN);
	memcpy(mem, data, BLOCK_LEN / 2);
	memset(mem + BLOCK_LEN / 2, 0, BLOCK_LEN / 2);
	for (unsigned i = BLOCK_LEN - 1;
		memcmp(mem, old, BLOCK_LEN) == 0 || memcmp(mem, data, BLOCK_LEN) == 0; i--)
		mem[i] ^= 0x5A;
}

static int
eeprom_write(struct chip *c, unsigned block, const uint8_t *data)
{
	uint8_t *mem = c->mem + block * BLOCK_LEN;
	int n = (int)c->writes + 1;
	if (c->on_write && c->on_write(c->on_write_ctx, false))
		return STATUS_SILENT;
	if (n == c->remove_at_write) {
		c->remove_at_write = -1;
		c->away = true;
		chip_field(c, false);
		return STATUS_SILENT;
	}
	c->writes++;
	if (c->refuse_from_write > 0 && n >= c->refuse_from_write) {
		auth_forget(c);
		c->power = CHIP_IDLE;
		return STATUS_NAK;
	}
	if (n == c->tear_at_write) {
		c->tear_at_write = -1;
		block_tear(mem, data);
		auth_forget(c);
		c->power = CHIP_IDLE;
		return STATUS_SILENT;
	}
	if (n == c->lose_at_write)
		c->lose_at_write = -1;
	else if (c->lose_from_write < 0 || n < c->lose_from_write)
		memcpy(mem, data, BLOCK_LEN);
	if (c->on_write)
		c->on_write(c->on_write_ctx, true);
	return STATUS_OK;
}

/* op | block | key 6 | last four bytes of the UID */
static int
command_auth(struct chip *c, const uint8_t *cmd, uint8_t *reply, size_t *reply_len)
{
	unsigned sector = cmd[1] / 4;
	uint8_t conditions[4];
	bool key_b = cmd[0] == OP_AUTH_B;
	(void)reply;
	(void)reply_len;
	auth_forget(c);
	c->power = CHIP_HALT;
	if (cmd[1] >= BLOCKS || memcmp(cmd + 8, c->uid + c->uid_len - 4, 4) != 0)
		return STATUS_AUTH;
	const uint8_t *trailer = trailer_of(c, sector);
	if (!access_parse(trailer + ACCESS_AT, conditions))
		return STATUS_AUTH;
	if (key_b && trailer_rights[conditions[3]].read_b && !c->readable_b_late)
		return STATUS_AUTH;
	if (memcmp(trailer + (key_b ? KEY_B_AT : 0), cmd + 2, KEY_LEN) != 0)
		return STATUS_AUTH;
	c->power = CHIP_ACTIVE;
	c->auth_sector = (int)sector;
	c->auth_key = cmd[0];
	return STATUS_OK;
}

static int
command_read(struct chip *c, const uint8_t *cmd, uint8_t *reply, size_t *reply_len)
{
	unsigned block = cmd[1], condition = 0, right = right_get(c, block, &condition);
	bool trailer = block % 4 == 3;
	if (!(right & (trailer ? trailer_rights[condition].read_access
			       : data_rights[condition].read)))
		return STATUS_NAK;
	memcpy(reply, c->mem + block * BLOCK_LEN, BLOCK_LEN);
	*reply_len = BLOCK_LEN;
	if (trailer) {
		memset(reply, 0, KEY_LEN);
		if (!(right & trailer_rights[condition].read_b))
			memset(reply + KEY_B_AT, 0, KEY_LEN);
	}
	return STATUS_OK;
}

/* A part of a trailer that this key may not write keeps its content. */
static int
trailer_write(struct chip *c, unsigned block, const uint8_t *data, unsigned right,
	const struct trailer_rights *rights)
{
	uint8_t merged[BLOCK_LEN];
	memcpy(merged, c->mem + block * BLOCK_LEN, BLOCK_LEN);
	if (!(right & (rights->write_a | rights->write_access | rights->write_b)))
		return STATUS_NAK;
	if (right & rights->write_a)
		memcpy(merged, data, KEY_LEN);
	if (right & rights->write_access)
		memcpy(merged + ACCESS_AT, data + ACCESS_AT, KEY_B_AT - ACCESS_AT);
	if (right & rights->write_b)
		memcpy(merged + KEY_B_AT, data + KEY_B_AT, KEY_LEN);
	return eeprom_write(c, block, merged);
}

static int
command_write(struct chip *c, const uint8_t *cmd, uint8_t *reply, size_t *reply_len)
{
	unsigned block = cmd[1], condition = 0, right = right_get(c, block, &condition);
	(void)reply;
	(void)reply_len;
	if (right == NO || block == 0)
		return STATUS_NAK;
	if (block % 4 == 3)
		return trailer_write(c, block, cmd + 2, right, &trailer_rights[condition]);
	if (!(right & data_rights[condition].write))
		return STATUS_NAK;
	return eeprom_write(c, block, cmd + 2);
}

/* A value block: value | ~value | value | address ~address address ~address. */
static bool
value_parse(const uint8_t *b, int32_t *value)
{
	for (unsigned i = 0; i < 4; i++)
		if (b[i] != b[i + 8] || (b[i] ^ b[i + 4]) != 0xFF)
			return false;
	if (b[12] != b[14] || b[13] != b[15] || (b[12] ^ b[13]) != 0xFF)
		return false;
	*value = (int32_t)((uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
			   (uint32_t)b[3] << 24);
	return true;
}

/* Decrement C0, increment C1, restore C2: the result waits for a transfer. */
static int
command_value(struct chip *c, const uint8_t *cmd, uint8_t *reply, size_t *reply_len)
{
	unsigned block = cmd[1], condition = 0, right = right_get(c, block, &condition);
	const struct data_rights *rights = &data_rights[condition];
	uint32_t operand = 0;
	int32_t value;
	(void)reply;
	(void)reply_len;
	if (block % 4 == 3 || !(right & (cmd[0] == 0xC1 ? rights->increment : rights->decrement)))
		return STATUS_NAK;
	if (!value_parse(c->mem + block * BLOCK_LEN, &value))
		return STATUS_NAK;
	if (cmd[0] != 0xC2)
		operand = (uint32_t)cmd[2] | (uint32_t)cmd[3] << 8 | (uint32_t)cmd[4] << 16 |
			  (uint32_t)cmd[5] << 24;
	c->value = (int32_t)((uint32_t)value + (cmd[0] == 0xC0 ? 0u - operand : operand));
	c->value_block = (int)block;
	return STATUS_OK;
}

static int
command_transfer(struct chip *c, const uint8_t *cmd, uint8_t *reply, size_t *reply_len)
{
	unsigned block = cmd[1], condition = 0, right = right_get(c, block, &condition);
	uint8_t data[BLOCK_LEN];
	(void)reply;
	(void)reply_len;
	if (c->value_block < 0 || block == 0 || block % 4 == 3 ||
		!(right & data_rights[condition].decrement))
		return STATUS_NAK;
	for (unsigned i = 0; i < 4; i++) {
		data[i] = data[i + 8] = (uint8_t)((uint32_t)c->value >> 8 * i);
		data[i + 4] = data[i] ^ 0xFF;
	}
	memcpy(data + 12, c->mem + (size_t)c->value_block * BLOCK_LEN + 12, 4);
	return eeprom_write(c, block, data);
}

static int
command_halt(struct chip *c, const uint8_t *cmd, uint8_t *reply, size_t *reply_len)
{
	(void)cmd;
	(void)reply;
	(void)reply_len;
	auth_forget(c);
	c->power = CHIP_HALT;
	return STATUS_SILENT;
}

static const struct command {
	uint8_t op, len_min, len_max;
	int (*run)(struct chip *c, const uint8_t *cmd, uint8_t *reply, size_t *reply_len);
} commands[] = {
	{OP_AUTH_A, 12, 12, command_auth},
	{OP_AUTH_B, 12, 12, command_auth},
	{0x30, 2, 2, command_read},
	{0xA0, 18, 18, command_write},
	{0xC0, 6, 6, command_value},
	{0xC1, 6, 6, command_value},
	{0xC2, 2, 6, command_value},
	{0xB0, 2, 2, command_transfer},
	{OP_HALT, 2, 2, command_halt},
};

static bool
chip_is_classic_1k(const struct chip *c)
{
	return (c->sak & 0x7F) == 0x08;
}

int
chip_exchange(struct chip *c, const uint8_t *cmd, size_t len, uint8_t *reply, size_t *reply_len)
{
	*reply_len = 0;
	/* A reader that hears nothing during an authentication reports it as failed, not as
	 * silence. */
	if (c->power != CHIP_ACTIVE)
		return len > 0 && (cmd[0] == OP_AUTH_A || cmd[0] == OP_AUTH_B) ? STATUS_AUTH
									       : STATUS_SILENT;
	if (chip_is_tag(c))
		return ntag_exchange(c, cmd, len, reply, reply_len);
	for (size_t i = 0; chip_is_classic_1k(c) && i < sizeof(commands) / sizeof(commands[0]);
		i++) {
		if (len < commands[i].len_min || len > commands[i].len_max ||
			cmd[0] != commands[i].op)
			continue;
		if (!chip_is_classic_1k(c) && cmd[0] != OP_HALT)
			break;
		int status = commands[i].run(c, cmd, reply, reply_len);
		if (status == STATUS_NAK) {
			auth_forget(c);
			c->power = CHIP_IDLE;
		}
		return status;
	}
	auth_forget(c);
	c->power = CHIP_IDLE;
	return STATUS_SILENT;
}
