/*
 * ndef.c - NDEF messages of URI, text and vCard records.
 *
 *   pass  ntag213 lock                          the printing pass writes it to that kind of tag,
 *                                               lock: and makes it read only for ever
 *   uri   https://example.org/staff/{工号}      a value in it is percent-encoded
 *   text  zh {部门} {职务}                      language, then the text
 *   vcard FN {姓名}                             one property a line; all lines make one vCard 3.0
 *
 *   record: | flags 1 | type length 1 | payload length 1 or 4 | type | payload |
 *   flags:  80 first, 40 last, 10 length in one byte, 01 well-known type, 02 media type
 *
 * Guarantees: a map that loads names existing fields; a message that is built has at least one
 * record and parses again; parsing reads no byte outside the message. On failure nothing is handed
 * out.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/ndef.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 16, TEXT_MAX = 512 };
enum { FLAG_FIRST = 0x80, FLAG_LAST = 0x40, FLAG_CHUNK = 0x20, FLAG_SHORT = 0x10, FLAG_ID = 0x08 };
enum { TNF_MASK = 7, TNF_WELL_KNOWN = 1, TNF_MEDIA = 2 };

enum ndef_kind { NDEF_URI, NDEF_TEXT, NDEF_VCARD };
static const char *const kind_words[] = {
	[NDEF_URI] = "uri", [NDEF_TEXT] = "text", [NDEF_VCARD] = "vcard"};
static const char vcard_type[] = "text/vcard";

/* What the first byte of a URI record stands for; longest first within a family. */
static const struct {
	uint8_t code;
	const char *text;
} uri_heads[] = {{2, "https://www."}, {4, "https://"}, {1, "http://www."}, {3, "http://"},
	{5, "tel:"}, {6, "mailto:"}, {0, ""}};

/* NXP's data sheets: user memory, and what a new tag keeps there before the message. */
static const struct tag_kind {
	const char *word;
	unsigned capacity, kept;
} tag_kinds[] = {
	{"ultralight", 48, 0},
	{"ntag213", 144, 5},
	{"ntag215", 496, 0},
	{"ntag216", 872, 0},
};

struct ndef_map {
	const struct tag_kind *pass; /* NULL: at the desk only */
	bool lock;
	struct {
		enum ndef_kind kind;
		char word[16]; /* language, or property */
		char text[TEXT_MAX];
	} line[LINES_MAX];
	size_t n;
};

/* ---- the map ---- */

/* Field of "{NAME}" at text, *len its length with braces; -1: there is none. */
static int
place_find(const struct schema *s, const char *text, size_t *len)
{
	char name[FIELD_NAME_MAX];
	const char *end = text[0] == '{' ? strchr(text, '}') : NULL;
	size_t n = end ? (size_t)(end - text) - 1 : sizeof name;

	if (n >= sizeof name)
		return -1;
	memcpy(name, text + 1, n);
	name[n] = '\0';
	*len = n + 2;
	return schema_field(s, name);
}

static int
pass_take(struct ndef_map *m, struct lines *l, char *rest, struct err *e)
{
	const char *kind = lines_word(&rest), *lock = lines_word(&rest);
	const struct tag_kind *found = NULL;

	for (size_t i = 0; kind && i < ARRAY_LEN(tag_kinds); i++)
		if (strcmp(kind, tag_kinds[i].word) == 0)
			found = &tag_kinds[i];
	if (!found || m->pass || (lock && strcmp(lock, "lock") != 0) || lines_word(&rest))
		return err_set(e, ERR_INPUT,
			_("%s: line %u: one line reads: pass ultralight, ntag213, ntag215 or "
			  "ntag216, then perhaps lock."),
			l->name, l->number);
	m->pass = found;
	m->lock = lock != NULL;
	return 0;
}

static int
line_take(struct ndef_map *m, struct lines *l, const struct schema *s, struct err *e)
{
	char *rest = l->text;
	const char *word = lines_word(&rest);
	size_t kind = 0, len;

	if (strcmp(word, "pass") == 0)
		return pass_take(m, l, rest, e);
	while (kind < ARRAY_LEN(kind_words) && strcmp(word, kind_words[kind]) != 0)
		kind++;
	const char *second =
		kind == NDEF_URI || kind == ARRAY_LEN(kind_words) ? "" : lines_word(&rest);
	rest += strspn(rest, " \t");
	if (kind == ARRAY_LEN(kind_words) || !second || !*rest || m->n == LINES_MAX ||
		strlen(second) >= sizeof m->line[0].word || strlen(rest) >= TEXT_MAX)
		return err_set(e, ERR_INPUT,
			_("%s: line %u: a line reads: uri ADDRESS, text LANGUAGE TEXT or vcard "
			  "PROPERTY TEXT."),
			l->name, l->number);
	for (const char *at = strchr(rest, '{'); at; at = strchr(at + 1, '{'))
		if (place_find(s, at, &len) < 0)
			return err_set(e, ERR_INPUT, _("%s: line %u: there is no field %s."),
				l->name, l->number, at);
	m->line[m->n].kind = (enum ndef_kind)kind;
	snprintf(m->line[m->n].word, sizeof m->line[0].word, "%s", second);
	snprintf(m->line[m->n++].text, TEXT_MAX, "%s", rest);
	return 0;
}

int
ndef_map_parse(struct ndef_map **out, const uint8_t *bytes, size_t len, const char *name,
	const struct schema *s, struct err *e)
{
	struct ndef_map *m = calloc(1, sizeof *m);
	struct lines l;
	struct buf text;

	*out = NULL;
	if (!m)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	buf_init(&text, 4 * SCHEMA_FILE_MAX);
	int rc = charset_to_utf8(&text, bytes, len, name, e);
	if (rc == 0) {
		lines_init(&l, text.data, text.len, name);
		while ((rc = lines_next(&l, e)) > 0)
			if ((rc = line_take(m, &l, s, e)))
				break;
	}
	if (rc == 0 && m->n == 0)
		rc = err_set(e, ERR_INPUT, _("%s: puts nothing on the tag."), name);
	buf_done(&text);
	if (rc)
		free(m);
	else
		*out = m;
	return rc;
}

int
ndef_map_load(struct ndef_map **out, const char *path, const struct schema *s, struct err *e)
{
	struct buf bytes;

	*out = NULL;
	buf_init(&bytes, SCHEMA_FILE_MAX);
	int rc = file_read(&bytes, path, SCHEMA_FILE_MAX, e);
	if (rc == 0)
		rc = ndef_map_parse(out, bytes.data, bytes.len, path, s, e);
	buf_done(&bytes);
	return rc;
}

void
ndef_map_destroy(struct ndef_map *m)
{
	free(m);
}

/* ---- building ---- */

static int
value_append(struct buf *out, enum ndef_kind kind, const char *value, struct err *e)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	int rc = 0;

	for (; rc == 0 && *value; value++) {
		if (kind == NDEF_URI && !strchr(plain, *value))
			rc = buf_printf(out, e, "%%%02X", (unsigned char)*value);
		else if (kind == NDEF_VCARD && strchr(",;\\", *value))
			rc = buf_printf(out, e, "\\%c", *value);
		else
			rc = buf_append(out, value, 1, e);
	}
	return rc;
}

static int
line_append(struct buf *out, enum ndef_kind kind, const char *text, const struct schema *s,
	const struct record *r, struct err *e)
{
	size_t len;
	int rc = 0;

	while (rc == 0 && *text) {
		int field = place_find(s, text, &len);
		if (field >= 0)
			rc = value_append(out, kind, r->values[field], e);
		else
			rc = buf_append(out, text, len = 1, e);
		text += len;
	}
	return rc;
}

static int
record_append(
	struct buf *out, uint8_t flags, const char *type, const struct buf *payload, struct err *e)
{
	bool is_short = payload->len < 256;
	const uint8_t head[] = {
		(uint8_t)(flags | (is_short ? FLAG_SHORT : 0)), (uint8_t)strlen(type)};
	const uint8_t size[] = {0, 0, (uint8_t)(payload->len >> 8), (uint8_t)payload->len};
	int rc = buf_append(out, head, sizeof head, e);

	if (rc == 0)
		rc = buf_append(out, is_short ? size + 3 : size, is_short ? 1 : sizeof size, e);
	if (rc == 0)
		rc = buf_append(out, type, strlen(type), e);
	return rc ? rc : buf_append(out, payload->data, payload->len, e);
}

static int
uri_payload(struct buf *out, const struct buf *text, struct err *e)
{
	size_t i = 0;

	while (strlen(uri_heads[i].text) > text->len ||
		memcmp(text->data, uri_heads[i].text, strlen(uri_heads[i].text)) != 0)
		i++;
	size_t skip = strlen(uri_heads[i].text);
	int rc = buf_append(out, &uri_heads[i].code, 1, e);
	return rc ? rc : buf_append(out, text->data + skip, text->len - skip, e);
}

/* One line, or all of the vCard's when it is its first. */
static int
payload_build(struct buf *out, const struct ndef_map *m, size_t line, const struct schema *s,
	const struct record *r, struct err *e)
{
	enum ndef_kind kind = m->line[line].kind;
	struct buf text;
	int rc;

	if (kind == NDEF_VCARD) {
		rc = buf_printf(out, e, "BEGIN:VCARD\r\nVERSION:3.0\r\n");
		for (size_t i = line; rc == 0 && i < m->n; i++) {
			if (m->line[i].kind != kind)
				continue;
			rc = buf_printf(out, e, "%s:", m->line[i].word);
			if (rc == 0)
				rc = line_append(out, kind, m->line[i].text, s, r, e);
			if (rc == 0)
				rc = buf_printf(out, e, "\r\n");
		}
		return rc ? rc : buf_printf(out, e, "END:VCARD\r\n");
	}
	buf_init(&text, NDEF_MESSAGE_MAX);
	rc = line_append(&text, kind, m->line[line].text, s, r, e);
	if (rc == 0 && kind == NDEF_URI)
		rc = uri_payload(out, &text, e);
	else if (rc == 0) {
		const uint8_t status = (uint8_t)strlen(m->line[line].word);
		rc = buf_append(out, &status, 1, e);
		if (rc == 0)
			rc = buf_append(out, m->line[line].word, status, e);
		if (rc == 0)
			rc = buf_append(out, text.data, text.len, e);
	}
	buf_done(&text);
	return rc;
}

int
ndef_build(struct buf *out, const struct ndef_map *m, const struct schema *s,
	const struct record *r, struct err *e)
{
	static const struct {
		uint8_t tnf;
		const char *type;
	} types[] = {[NDEF_URI] = {TNF_WELL_KNOWN, "U"},
		[NDEF_TEXT] = {TNF_WELL_KNOWN, "T"},
		[NDEF_VCARD] = {TNF_MEDIA, vcard_type}};
	size_t last = 0;
	bool vcard = false;
	int rc = 0;

	buf_init(out, NDEF_MESSAGE_MAX);
	for (size_t i = 0; rc == 0 && i < m->n; i++) {
		enum ndef_kind kind = m->line[i].kind;
		struct buf payload;
		if (kind == NDEF_VCARD && vcard)
			continue;
		vcard |= kind == NDEF_VCARD;
		buf_init(&payload, NDEF_MESSAGE_MAX);
		rc = payload_build(&payload, m, i, s, r, e);
		last = out->len;
		if (rc == 0)
			rc = record_append(out, types[kind].tnf | (last ? 0 : FLAG_FIRST),
				types[kind].type, &payload, e);
		buf_done(&payload);
	}
	if (rc == 0)
		out->data[last] |= FLAG_LAST;
	else
		buf_done(out);
	return rc;
}

/* ---- the tag of a printing pass ---- */

bool
ndef_map_pass(const struct ndef_map *m)
{
	return m->pass != NULL;
}

int
tag_image_build(struct tag_image *out, const struct ndef_map *m, const struct schema *s,
	const struct record *r, struct err *e)
{
	struct buf message;
	int rc = ndef_build(&message, m, s, r, e);

	*out = (struct tag_image){0};
	if (rc)
		return err_prefix(e, _("record %u: ndef.map"), r->number);
	const size_t head = message.len < 255 ? 2 : 4,
		     room = m->pass->capacity - m->pass->kept - head;
	if (message.len > room) {
		rc = err_set(e, ERR_INPUT,
			_("record %u: the message for its tag has %zu bytes; the %s of ndef.map "
			  "holds %zu. Shorten ndef.map or use a larger tag."),
			r->number, message.len, m->pass->word, room);
		goto out;
	}
	out->capacity = m->pass->capacity;
	out->lock = m->lock;
	out->len = message.len;
	memcpy(out->message, message.data, message.len);
out:
	buf_done(&message);
	return rc;
}

static int
record_pass_over(void *ctx, const char *kind, const char *content)
{
	(void)ctx;
	(void)kind;
	(void)content;
	return 0;
}

bool
tag_image_valid(const struct tag_image *t)
{
	size_t i = 0;

	while (i < ARRAY_LEN(tag_kinds) && tag_kinds[i].capacity != t->capacity)
		i++;
	return i < ARRAY_LEN(tag_kinds) && t->len > 0 && t->len < t->capacity &&
	       t->len <= sizeof t->message &&
	       ndef_parse(t->message, t->len, record_pass_over, NULL, NULL) == 0;
}

void
tag_image_hash(uint8_t out[HASH_LEN], const struct tag_image *t)
{
	hash_bytes(out, t->message, t->len);
}

/* ---- parsing ---- */

struct ndef_record {
	uint8_t flags, type_len;
	const uint8_t *type, *payload;
	size_t payload_len;
};

/* Takes one record off the message; false: it is not whole. */
static bool
record_take(struct ndef_record *r, const uint8_t **at, const uint8_t *end)
{
	const uint8_t *p = *at;
	size_t id = 0;

	if (end - p < 3)
		return false;
	r->flags = p[0];
	r->type_len = p[1];
	const size_t head = r->flags & FLAG_SHORT ? 3 : 6;
	if ((size_t)(end - p) < head + (r->flags & FLAG_ID ? 1u : 0u))
		return false;
	r->payload_len = r->flags & FLAG_SHORT ? p[2]
					       : (size_t)p[2] << 24 | (size_t)p[3] << 16 |
							 (size_t)p[4] << 8 | p[5];
	p += head;
	if (r->flags & FLAG_ID)
		id = *p++;
	if (r->payload_len > NDEF_MESSAGE_MAX ||
		(size_t)(end - p) < r->type_len + id + r->payload_len)
		return false;
	r->type = p;
	r->payload = p + r->type_len + id;
	*at = r->payload + r->payload_len;
	return !(r->flags & FLAG_CHUNK);
}

/* A tag is anybody's to write: nothing in it may steer a terminal. */
static void
control_hide(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = *text == '\n' || *text == '\r' ? ' ' : '?';
}

static int
record_tell(const struct ndef_record *r, ndef_visitor *visit, void *ctx)
{
	char kind[256], text[NDEF_MESSAGE_MAX + 32];
	const uint8_t *p = r->payload;
	size_t n = r->payload_len;
	const bool known = (r->flags & TNF_MASK) == TNF_WELL_KNOWN && r->type_len == 1;
	const char *head = "";

	snprintf(kind, sizeof kind, "%.*s", (int)r->type_len, (const char *)r->type);
	control_hide(kind);
	if (known && r->type[0] == 'U' && n > 0) {
		snprintf(kind, sizeof kind, "uri");
		for (size_t i = 0; i < ARRAY_LEN(uri_heads); i++)
			if (uri_heads[i].code == p[0])
				head = uri_heads[i].text;
		p++;
		n--;
	} else if (known && r->type[0] == 'T' && n > 0 && (p[0] & 63u) < n) {
		snprintf(kind, sizeof kind, "text");
		n -= 1 + (p[0] & 63u);
		p += 1 + (p[0] & 63u);
	} else if ((r->flags & TNF_MASK) != TNF_MEDIA || memchr(p, '\0', n)) {
		snprintf(text, sizeof text, "%zu bytes", n);
		return visit(ctx, kind, text);
	}
	snprintf(text, sizeof text, "%s%.*s", head, (int)n, (const char *)p);
	control_hide(text);
	return visit(ctx, kind, text);
}

int
ndef_parse(const uint8_t *message, size_t len, ndef_visitor *visit, void *ctx, struct err *e)
{
	const uint8_t *at = message, *end = message + len;
	struct ndef_record r = {0};
	int rc = 0;

	while (rc == 0 && at < end) {
		if (!record_take(&r, &at, end))
			return err_set(e, ERR_INPUT, _("The tag's message is damaged."));
		rc = record_tell(&r, visit, ctx);
	}
	return rc;
}
