/*
 * ntag.c - an NTAG213 behind its antenna.
 *
 * Owns the memory of 45 pages of 4 bytes, which pages are locked, and the commands READ, FAST_READ,
 * WRITE and GET_VERSION. Guarantees: the number, lock and capability pages change only as one-time
 * bits, a locked page not at all, and a fault strikes at the write it was set for. From NXP's data
 * sheet of NTAG213/215/216. Not here: passwords, the counter, the signature; a FAST_READ of more
 * than four pages is refused, because the reader's front hands on sixteen bytes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/emulator.h"

#include <string.h>

enum { PAGE_LEN = 4, PAGES = 45, PAGE_LOCK = 2, PAGE_CC = 3, PAGE_USER = 4, PAGE_DYNAMIC = 40 };
enum { STATUS_OK = 0x00, STATUS_SILENT = 0x01, STATUS_NAK = 0x13 };
enum { OP_READ = 0x30, OP_FAST_READ = 0x3A, OP_WRITE = 0xA2, OP_VERSION = 0x60 };

/* As delivered: number and check bytes, no locks, 144 bytes of user memory, an empty message. */
void
ntag_init(struct chip *c)
{
	static const uint8_t start[] = {0xE1, 0x10, 0x12, 0x00, /* capability container */
		0x01, 0x03, 0xA0, 0x0C, 0x34, 0x03, 0x00, 0xFE};
	uint8_t *m = c->mem;
	memset(m, 0, sizeof(c->mem));
	memcpy(m, c->uid, 3);
	m[3] = 0x88 ^ c->uid[0] ^ c->uid[1] ^ c->uid[2];
	memcpy(m + 4, c->uid + 3, 4);
	m[8] = c->uid[3] ^ c->uid[4] ^ c->uid[5] ^ c->uid[6];
	m[9] = 0x48;
	memcpy(m + PAGE_CC * PAGE_LEN, start, sizeof(start));
	m[43 * PAGE_LEN] = m[43 * PAGE_LEN + 1] = m[43 * PAGE_LEN + 2] = m[43 * PAGE_LEN + 3] =
		0xFF;
}

static bool
page_locked(const struct chip *c, unsigned page)
{
	const uint8_t *m = c->mem;
	if (page < PAGE_CC)
		return page < PAGE_LOCK;
	if (page < 16) /* byte 2: pages 3 (bit 3) to 7; byte 3: pages 8 to 15 */
		return page < 8 ? m[PAGE_LOCK * PAGE_LEN + 2] >> page & 1
				: m[PAGE_LOCK * PAGE_LEN + 3] >> (page - 8) & 1;
	if (page >= PAGE_DYNAMIC)
		return false;
	unsigned bit = (page - 16) / 2;
	return m[PAGE_DYNAMIC * PAGE_LEN + bit / 8] >> bit % 8 & 1;
}

/* Torn: of bits that are set once, half are set; of others the first half is programmed, the second
 * only erased, and the result is neither the old nor the new content. */
static void
page_program(uint8_t *mem, unsigned page, const uint8_t *data, bool tear)
{
	const bool once = page == PAGE_CC || page == PAGE_DYNAMIC || page == PAGE_LOCK;
	uint8_t old[PAGE_LEN];

	memcpy(old, mem, PAGE_LEN);
	for (unsigned i = page == PAGE_LOCK ? 2 : 0; i < PAGE_LEN; i++) {
		const bool done = !tear || i < PAGE_LEN / 2;
		if (once)
			mem[i] |= done ? data[i] : data[i] & 0x0f;
		else
			mem[i] = done ? data[i] : 0;
	}
	for (unsigned i = PAGE_LEN - 1;
		tear && !once && i > 0 &&
		(memcmp(mem, old, PAGE_LEN) == 0 || memcmp(mem, data, PAGE_LEN) == 0);
		i--)
		mem[i] ^= 0x5a;
}

static int
page_write(struct chip *c, unsigned page, const uint8_t *data)
{
	uint8_t *mem = c->mem + (size_t)page * PAGE_LEN;
	int n = (int)c->writes + 1;
	if (page >= PAGES || page_locked(c, page))
		return STATUS_NAK;
	if (c->on_write && c->on_write(c->on_write_ctx, false))
		return STATUS_SILENT;
	if (n == c->remove_at_write) {
		c->remove_at_write = -1;
		c->away = true;
		chip_field(c, false);
		return STATUS_SILENT;
	}
	c->writes++;
	if (c->refuse_from_write > 0 && n >= c->refuse_from_write)
		return STATUS_NAK;
	const bool tear = n == c->tear_at_write;
	if (n == c->lose_at_write)
		c->lose_at_write = -1;
	else if (c->lose_from_write < 0 || n < c->lose_from_write)
		page_program(mem, page, data, tear);
	if (tear) {
		c->tear_at_write = -1;
		c->power = CHIP_IDLE;
		return STATUS_SILENT;
	}
	if (c->on_write)
		c->on_write(c->on_write_ctx, true);
	return STATUS_OK;
}

static int
pages_read(const struct chip *c, unsigned first, unsigned n, uint8_t *reply, size_t *reply_len)
{
	for (unsigned i = 0; i < n; i++)
		memcpy(reply + (size_t)i * PAGE_LEN,
			c->mem + (size_t)((first + i) % PAGES) * PAGE_LEN, PAGE_LEN);
	*reply_len = (size_t)n * PAGE_LEN;
	return STATUS_OK;
}

int
ntag_exchange(struct chip *c, const uint8_t *cmd, size_t len, uint8_t *reply, size_t *reply_len)
{
	static const uint8_t version[] = {0x00, 0x04, 0x04, 0x02, 0x01, 0x00, 0x0F, 0x03};
	int status = STATUS_NAK;
	if (len == 2 && cmd[0] == OP_READ && cmd[1] < PAGES) {
		status = pages_read(c, cmd[1], 4, reply, reply_len);
	} else if (len == 3 && cmd[0] == OP_FAST_READ && cmd[1] <= cmd[2] && cmd[2] < PAGES &&
		   cmd[2] - cmd[1] < 4) {
		status = pages_read(c, cmd[1], cmd[2] - cmd[1] + 1u, reply, reply_len);
	} else if (len == 2 + PAGE_LEN && cmd[0] == OP_WRITE) {
		status = page_write(c, cmd[1], cmd + 2);
	} else if (len == 1 && cmd[0] == OP_VERSION) {
		memcpy(reply, version, sizeof(version));
		*reply_len = sizeof(version);
		status = STATUS_OK;
	} else if (len == 2 && cmd[0] == 0x50) {
		c->power = CHIP_HALT;
		return STATUS_SILENT;
	}
	if (status == STATUS_NAK)
		c->power = CHIP_IDLE;
	return status;
}
