/*
 * stream-wire.c - frames of a card stream as they come from the pipe.
 *
 * Owns the bytes, the lengths and the checksums, and the fields of a JSON frame. Guarantees:
 * nothing is believed before its length and checksum were checked, and no text has a control
 * character; a stream that just stops is ERR_PROTOCOL. On failure nothing is left to free.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/stream-read.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

int
reader_error(struct err *e, const char *what)
{
	return err_set(e, ERR_PROTOCOL,
		_("The cards did not arrive whole from the filter (%s). Print the job again; what "
		  "is "
		  "made already is not made twice."),
		what);
}

static int
stop_check(const struct stream_reader *r, struct err *e)
{
	struct pollfd p[2] = {
		{.fd = r->fd, .events = POLLIN}, {.fd = r->stop_fd, .events = POLLIN}};

	while (r->stop_fd >= 0 && poll(p, 2, -1) < 0 && errno == EINTR)
		;
	return p[1].revents ? err_set(e, ERR_CANCELLED, "%s", _("The job has ended.")) : 0;
}

int
reader_bytes(struct stream_reader *r, void *out, size_t len, struct err *e)
{
	uint8_t *p = out;

	while (len) {
		int rc = stop_check(r, e);
		if (rc)
			return rc;
		ssize_t n = read(r->fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, ERR_SYSTEM,
				_("The cards cannot be read from the filter: %s."),
				strerror(errno));
		if (n == 0)
			return reader_error(e, _("the stream stopped early"));
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
reader_payload(struct stream_reader *r, void *out, size_t len, struct err *e)
{
	if (len > r->left)
		return reader_error(e, _("a frame is too short"));
	int rc = reader_bytes(r, out, len, e);
	if (rc)
		return rc;
	r->crc = frame_crc(r->crc, out, len);
	r->left -= (uint32_t)len;
	return 0;
}

int
reader_frame_begin(struct stream_reader *r, uint32_t *type, struct err *e)
{
	uint8_t head[FRAME_HEAD_LEN];
	int rc = reader_bytes(r, head, sizeof head, e);

	if (rc)
		return rc;
	*type = le32_get(head);
	r->left = le32_get(head + 4);
	r->crc = frame_crc(0, head, sizeof head);
	return 0;
}

int
reader_frame_end(struct stream_reader *r, struct err *e)
{
	uint8_t tail[FRAME_CRC_LEN];

	if (r->left)
		return reader_error(e, _("a frame is too long"));
	int rc = reader_bytes(r, tail, sizeof tail, e);
	if (!rc && le32_get(tail) != r->crc)
		rc = reader_error(e, _("a checksum is wrong"));
	r->chain = frame_crc(r->chain, tail, sizeof tail);
	return rc;
}

int
reader_json(struct stream_reader *r, json_t **out, struct err *e)
{
	char text[JSON_MAX];
	size_t len = r->left;

	*out = NULL;
	if (len > sizeof text)
		return reader_error(e, _("a frame is too long"));
	int rc = reader_payload(r, text, len, e);
	if (!rc)
		rc = reader_frame_end(r, e);
	if (rc)
		return rc;
	*out = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(*out)) {
		json_decref(*out);
		*out = NULL;
		return reader_error(e, _("a frame is not JSON"));
	}
	return 0;
}

int
reader_text_get(const json_t *object, const char *key, char *out, size_t max, struct err *e)
{
	const json_t *value = json_object_get(object, key);
	size_t len = json_string_length(value);

	if (!json_is_string(value) || len >= max)
		return reader_error(e, _("a text is missing or too long"));
	memcpy(out, json_string_value(value), len + 1);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)out[i] < 0x20 || out[i] == 0x7f)
			return reader_error(e, _("a text has control characters"));
	return 0;
}

int
reader_hash_get(const json_t *object, const char *key, char out[2 * HASH_LEN + 1], bool may_lack,
	struct err *e)
{
	uint8_t hash[HASH_LEN];
	int rc = reader_text_get(object, key, out, 2 * HASH_LEN + 1, e);

	if (rc || (may_lack && !out[0]))
		return rc;
	if (strlen(out) != 2 * HASH_LEN || hex_parse(hash, HASH_LEN, out))
		return reader_error(e, _("a hash is not a hash"));
	return 0;
}

int
reader_number_get(const json_t *object, const char *key, unsigned min, unsigned max, unsigned *out,
	struct err *e)
{
	const json_t *value = json_object_get(object, key);
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < (json_int_t)min || n > (json_int_t)max)
		return reader_error(e, _("a number is missing or out of range"));
	*out = (unsigned)n;
	return 0;
}
