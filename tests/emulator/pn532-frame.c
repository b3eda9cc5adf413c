/*
 * pn532-frame.c - the frames of a PN532 on a serial line (HSU).
 *
 * Pure: bytes in, bytes out. Anything that is not a frame is skipped up to the next start code, so
 * that a host that was killed in mid-frame does not spoil the line for the next one.
 *
 *	normal    00 00 FF LEN LCS TFI data... DCS 00       LEN + LCS = 0, TFI + ... + DCS = 0
 *	extended  00 00 FF FF FF LENM LENL LCS TFI data... DCS 00
 *	ACK       00 00 FF 00 FF 00        NACK  00 00 FF FF 00 00
 *	error     00 00 FF 01 FF 7F 81 00
 * TFI is D4 from the host and D5 from the reader.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/pn532.h"

#include <string.h>

enum { TFI_HOST = 0xD4, TFI_READER = 0xD5, WAKE_UP = 0x55 };

const uint8_t hsu_ack[6] = {0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00};
const uint8_t hsu_error[8] = {0x00, 0x00, 0xFF, 0x01, 0xFF, 0x7F, 0x81, 0x00};

void
hsu_feed(struct hsu_input *in, uint8_t byte)
{
	if (in->len == sizeof(in->bytes))
		in->len = 0;
	if (in->len == 0 && byte == WAKE_UP)
		in->woken = true;
	in->bytes[in->len++] = byte;
}

static void
input_drop(struct hsu_input *in, size_t n)
{
	in->len -= n;
	memmove(in->bytes, in->bytes + n, in->len);
}

/* Brings the start code 00 FF to the front; false if it is not there yet. */
static bool
input_seek(struct hsu_input *in)
{
	size_t i = 0;
	while (i + 1 < in->len && !(in->bytes[i] == 0x00 && in->bytes[i + 1] == 0xFF)) {
		if (in->bytes[i] == WAKE_UP)
			in->woken = true;
		i++;
	}
	if (i < in->len && in->bytes[i] == WAKE_UP) {
		in->woken = true;
		i++;
	}
	input_drop(in, i);
	return in->len >= 2;
}

/* Length of the header behind the start code and of the body; 0 header: more bytes are needed. */
static size_t
header_parse(const struct hsu_input *in, size_t *body_len, bool *good)
{
	const uint8_t *b = in->bytes + 2;
	*good = true;
	if (in->len < 4)
		return 0;
	if (b[0] == 0xFF && b[1] == 0xFF) {
		if (in->len < 7)
			return 0;
		*body_len = (size_t)b[2] << 8 | b[3];
		*good = (uint8_t)(b[2] + b[3] + b[4]) == 0;
		return 5;
	}
	*body_len = b[0];
	*good = (uint8_t)(b[0] + b[1]) == 0;
	return 2;
}

enum hsu_event
hsu_next(struct hsu_input *in, uint8_t body[HSU_BODY_MAX], size_t *body_len)
{
	while (input_seek(in)) {
		size_t len = 0;
		bool good;
		if (in->len >= 4 && in->bytes[2] == 0x00 && in->bytes[3] == 0xFF) {
			input_drop(in, 4);
			return HSU_ACK;
		}
		if (in->len >= 4 && in->bytes[2] == 0xFF && in->bytes[3] == 0x00) {
			input_drop(in, 4);
			return HSU_NACK;
		}
		size_t header = header_parse(in, &len, &good);
		if (header == 0)
			return HSU_NOTHING;
		if (!good || len < 2 || len > HSU_BODY_MAX) {
			input_drop(in, 2);
			continue;
		}
		if (in->len < 2 + header + len + 1)
			return HSU_NOTHING;
		const uint8_t *data = in->bytes + 2 + header;
		uint8_t sum = 0;
		for (size_t i = 0; i <= len; i++)
			sum += data[i];
		bool from_host = data[0] == TFI_HOST;
		*body_len = len - 1;
		memcpy(body, data + 1, len - 1);
		input_drop(in, 2 + header + len + 1);
		return sum == 0 && from_host ? HSU_COMMAND : HSU_BAD_SUM;
	}
	return HSU_NOTHING;
}

size_t
hsu_build(uint8_t out[HSU_FRAME_MAX], const uint8_t *body, size_t body_len)
{
	size_t len = body_len + 1, n = 0;
	uint8_t sum = TFI_READER;
	out[n++] = 0x00;
	out[n++] = 0x00;
	out[n++] = 0xFF;
	if (len > 0xFF) {
		out[n++] = 0xFF;
		out[n++] = 0xFF;
		out[n++] = (uint8_t)(len >> 8);
		out[n++] = (uint8_t)len;
		out[n++] = (uint8_t)(0u - (len >> 8) - (len & 0xFF));
	} else {
		out[n++] = (uint8_t)len;
		out[n++] = (uint8_t)(0u - len);
	}
	out[n++] = TFI_READER;
	for (size_t i = 0; i < body_len; i++) {
		out[n++] = body[i];
		sum += body[i];
	}
	out[n++] = (uint8_t)(0u - sum);
	out[n++] = 0x00;
	return n;
}
