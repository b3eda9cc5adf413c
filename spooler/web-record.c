/*
 * web-record.c - one record of the failure log with its story.
 *
 * Owns the joining of the record with the events of its card, the notes, the signature and its
 * proof. Guarantees: what is shown as a signature was checked just now; a photo is served only when
 * a note names it and it is a picture. Reads only.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/web.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

enum { STORY_MAX = 200 };

struct story {
	struct line {
		int64_t event, at;
		const char *what;      /* for say() */
		const char *from, *to; /* of a card's move, for say() */
		char actor[64];
		struct failure_note *note;
	} lines[STORY_MAX];
	size_t n;
	struct failure_note *notes;
	size_t n_notes;
};

static struct line *
story_add(struct story *s, int64_t event, int64_t at, const char *what, const char *actor)
{
	struct line *line;

	if (s->n == STORY_MAX || event == 0)
		return NULL;
	line = &s->lines[s->n++];
	*line = (struct line){.event = event, .at = at, .what = what};
	snprintf(line->actor, sizeof line->actor, "%s", actor ? actor : "");
	return line;
}

static const char *
state_word(const json_t *data, const char *key)
{
	const char *name = json_string_value(json_object_get(data, key));
	int state = name ? card_state_parse(name) : -1;

	return state >= 0 ? card_states[state].name : "";
}

static int
visit_event(void *ctx, const json_t *event)
{
	struct story *s = ctx;
	const json_t *data = json_object_get(event, "data");
	const char *kind = json_string_value(json_object_get(event, "kind"));
	struct line *line;

	if (!kind || strcmp(kind, "card-moved") != 0)
		return 0;
	line = story_add(s, json_integer_value(json_object_get(event, "seq")),
		json_integer_value(json_object_get(event, "at")), "the card",
		json_string_value(json_object_get(event, "actor")));
	if (line) {
		line->from = state_word(data, "from");
		line->to = state_word(data, "to");
	}
	return 0;
}

static int
visit_note(void *ctx, const struct failure_note *n)
{
	struct story *s = ctx;
	struct failure_note *more = reallocarray(s->notes, s->n_notes + 1, sizeof *more);

	if (!more)
		return 1;
	s->notes = more;
	s->notes[s->n_notes++] = *n;
	return 0;
}

/* The card of the record, by its number in its job. */
struct card_search {
	const struct failure_row *f;
	int64_t id;
};

static int
visit_card(void *ctx, const struct card_row *c)
{
	struct card_search *s = ctx;

	if (c->key.card != s->f->card || c->key.copy != s->f->copy || c->attempt != s->f->attempt)
		return 0;
	s->id = c->id;
	return 1;
}

static int
line_compare(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return (x->event > y->event) - (x->event < y->event);
}

static int
story_gather(
	struct web_request *q, const struct failure_row *f, const struct review *r, struct story *s)
{
	struct card_search search = {.f = f};
	int rc = failure_notes(q->ledger, f->id, visit_note, s, &q->err);

	if (rc == 0 && f->card > 0)
		rc = ledger_cards(q->ledger, f->job_uuid, -1, visit_card, &search, &q->err);
	if (rc == 0 && search.id)
		rc = ledger_events(q->ledger, search.id, visit_event, s, &q->err);
	story_add(s, f->recorded, f->at, "recorded", "");
	story_add(s, f->closed, f->cleared, "cleared", "");
	for (size_t i = 0; i < s->n_notes; i++) {
		struct line *line = story_add(
			s, s->notes[i].event, s->notes[i].at, "noted", s->notes[i].person);

		if (line)
			line->note = &s->notes[i];
	}
	if (f->review)
		story_add(s, f->review, r->at, "signed", f->reviewer);
	qsort(s->lines, s->n, sizeof s->lines[0], line_compare);
	return rc;
}

/* ---- the page ---- */

static void
fact(struct html *h, const char *name, const char *value)
{
	if (!value[0])
		return;
	html_put(h, "<dt>");
	html_say(h, name);
	html_put(h, "</dt><dd>");
	html_text(h, value);
	html_put(h, "</dd>");
}

static void
fact_number(struct html *h, const char *name, int64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRId64, value);
	fact(h, name, value ? text : "");
}

static void
facts_put(struct html *h, const struct failure_row *f)
{
	char utc[24], at[48], took[32] = "";
	int zone = f->zone < 0 ? -f->zone : f->zone;

	/* The station's own time, as it was then. */
	time_utc(utc, f->at + (int64_t)f->zone * 1000);
	snprintf(at, sizeof at, "%.10s %.8s %c%02d:%02d", utc, utc + 11, f->zone < 0 ? '-' : '+',
		zone / 3600, zone / 60 % 60);
	if (f->cleared)
		say_duration(h->lang, took, sizeof took, f->cleared - f->at);
	html_put(h, "<dl class=\"sheet\">");
	fact(h, "When", at);
	fact(h, "cleared after", f->cleared ? took : say(h->lang, "open"));
	fact(h, "Machine", f->machine);
	fact(h, "Serial number", f->serial);
	fact(h, "Station", f->station);
	fact(h, "Order", f->order);
	fact_number(h, "Job", f->cups_id);
	fact_number(h, "Card", f->card);
	fact_number(h, "Attempt", f->attempt);
	fact(h, "Holder", f->holder_masked);
	fact(h, "Step", say(h->lang, f->step));
	fact(h, "Printer's reply", f->raw);
	fact(h, "What was done", say(h->lang, f->done));
	fact_number(h, "Cards lost", f->cards_lost);
	fact(h, "Operator", f->operator_name);
	html_put(h, "</dl>\n");
}

static void
note_put(struct html *h, const struct failure_note *n)
{
	html_put(h, "<br>");
	html_text(h, n->cause);
	html_put(h, "%s", n->cause[0] && n->note[0] ? " · " : "");
	html_text(h, n->note);
	if (n->file[0]) {
		html_put(h,
			"<img class=\"photo\" loading=\"lazy\" src=\"/photo?id=%" PRId64
			"&amp;event=%" PRId64 "\" alt=\"",
			n->failure, n->event);
		html_text(h, n->file_name);
		html_put(h, "\">");
	}
}

static void
story_put(struct html *h, const struct story *s)
{
	char at[32];

	html_put(h, "<h2>");
	html_say(h, "What happened");
	html_put(h, "</h2><ol class=\"story\">\n");
	for (size_t i = 0; i < s->n; i++) {
		const struct line *line = &s->lines[i];

		say_time(at, sizeof at, line->at);
		html_put(h, "<li><time>%s:%02d", at, (int)(line->at / 1000 % 60));
		html_put(h, "%s", line->actor[0] ? " · " : "");
		html_text(h, line->actor);
		html_put(h, "</time>");
		html_say(h, line->what);
		if (line->to) {
			html_put(h, ": ");
			html_say(h, line->from);
			html_put(h, " → <strong>");
			html_say(h, line->to);
			html_put(h, "</strong>");
		}
		if (line->note)
			note_put(h, line->note);
		html_put(h, "</li>\n");
	}
	html_put(h, "</ol>\n");
}

static void
review_put(struct web_request *q, const struct failure_row *f, const struct review *r)
{
	static const struct {
		const char *part, *name;
	} parts[] = {{"text", "Signed text"}, {"signature", "Signature"}, {"key", "Key"}};
	struct html *h = &q->html;
	struct person p;
	char at[32];
	bool good = person_find(q->ledger, r->person, &p, &q->err) == 0 &&
		    key_verify(p.public_pem, r->text, r->signature) == 0;

	say_time(at, sizeof at, r->at);
	html_put(h, "<h2>");
	html_say(h, "Review");
	html_put(h, "</h2><div class=\"sheet\" id=\"review\"><p>");
	web_state(h, good ? "ok" : "stop",
		good ? "the signature was checked just now and fits"
		     : "the signature does not fit");
	html_put(h, "</p><dl>");
	fact(h, "Signed by", r->person);
	fact(h, "When", at);
	fact(h, "Key", r->fingerprint);
	fact(h, "Signature", r->signature);
	html_put(h, "</dl><details><summary>");
	html_say(h, "Signed text");
	html_put(h, "</summary><pre>");
	for (const char *line = r->text; *line;) {
		char room[1024];
		int n = (int)strcspn(line, "\n");

		snprintf(room, sizeof room, "%.*s", n < 1000 ? n : 1000, line);
		html_text(h, room);
		html_put(h, "\n");
		line += n + (line[n] == '\n');
	}
	html_put(h, "</pre></details><p>");
	html_say(h, "To check it with openssl:");
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		html_put(h, " <a download href=\"/proof?id=%" PRId64 "&amp;part=%s\">", f->id,
			parts[i].part);
		html_say(h, parts[i].name);
		html_put(h, "</a>");
	}
	html_put(h,
		"</p><pre>openssl pkeyutl -verify -pubin -inkey review-%" PRId64
		".pem -rawin -in review-%" PRId64 ".txt -sigfile review-%" PRId64
		".sig</pre></div>\n",
		r->event, r->event, r->event);
}

static void
note_form(struct web_request *q, const struct failure_row *f)
{
	struct html *h = &q->html;

	html_put(h, "<h2>");
	html_say(h, "Add what you found");
	html_put(h, "</h2>");
	web_form_open(q, "/note", "sheet narrow", true);
	html_put(h, "<input type=\"hidden\" name=\"id\" value=\"%" PRId64 "\">", f->id);
	web_input(h, "text", "cause", "Cause", "", "maxlength=\"80\"");
	web_input(h, "text", "note", "Note", "", "maxlength=\"300\"");
	web_input(h, "file", "photo", "Photo", "", "accept=\"image/jpeg,image/png\"");
	html_put(h, "<button class=\"plain\">");
	html_say(h, "Add");
	html_put(h, "</button></form>\n");
}

static void
sign_part(struct web_request *q, const struct failure_row *f)
{
	struct html *h = &q->html;
	const char *refusal = web_sign_refusal(&q->person, f);
	char id[24];

	html_put(h, "<h2>");
	html_say(h, "Review");
	html_put(h, "</h2>");
	if (refusal) {
		html_put(h, "<p class=\"notice\">");
		html_say(h, refusal);
		html_put(h, "</p>");
		return;
	}
	snprintf(id, sizeof id, "%" PRId64, f->id);
	web_sign_form(q, id);
}

static void
record_put(struct web_request *q, const struct failure_row *f, const struct review *r,
	const struct story *s)
{
	static const struct {
		const char *word, *text;
	} said[] = {{"signed", "The signature was made and stands in the ledger."},
		{"noted", "The note stands in the ledger."}};
	struct html *h = &q->html;

	web_page_open(q, "Record");
	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		if (strcmp(web_query(q, "said"), said[i].word) != 0)
			continue;
		html_put(h, "<p class=\"notice ok\" role=\"status\">");
		html_say(h, said[i].text);
		html_put(h, "</p>");
	}
	html_put(h, "<p><strong>%" PRId64 "</strong> · <strong id=\"cause\">", f->id);
	html_text(h, say_fault(q->lang, f->code));
	html_put(h, "</strong> ");
	web_state(h,
		f->cleared == 0  ? "stop"
		: f->review == 0 ? "warn"
				 : "ok",
		f->cleared == 0  ? "open"
		: f->review == 0 ? "unreviewed"
				 : "reviewed");
	html_put(h, "</p><p>");
	html_text(h, say_remedy(q->lang, f->code));
	html_put(h, "</p>\n");
	facts_put(h, f);
	story_put(h, s);
	if (f->review)
		review_put(q, f, r);
	else
		sign_part(q, f);
	if (!f->review)
		note_form(q, f);
	html_put(h, "<p><a href=\"/failures\">");
	html_say(h, "Back to the list");
	html_put(h, "</a></p>");
	web_page_close(q);
}

/* The record that the query names. 0, else the answer is made. */
static int
record_take(struct web_request *q, struct failure_row *f, struct review *r)
{
	int rc = failure_show(q->ledger, web_number(web_query(q, "id")), f, &q->err);

	memset(r, 0, sizeof *r);
	if (rc == 0 && f->review)
		rc = review_of(q->ledger, f->id, r, &q->err);
	if (rc == ERR_MISSING)
		web_page_tell(q, MHD_HTTP_NOT_FOUND, "The page was not found.");
	else if (rc != 0)
		q->html.rc = rc;
	return rc;
}

void
web_record(struct web_request *q)
{
	struct failure_row f;
	struct review r;
	struct story *s = calloc(1, sizeof *s);

	if (!s)
		q->html.rc = ERR_SYSTEM;
	else if (record_take(q, &f, &r) == 0) {
		q->html.rc = story_gather(q, &f, &r, s);
		if (q->html.rc == 0)
			record_put(q, &f, &r, s);
		review_done(&r);
	}
	if (s)
		free(s->notes);
	free(s);
}

/* ---- files of a record ---- */

static void
file_name_set(struct web_request *q, int64_t event, const char *suffix)
{
	snprintf(q->file_name, sizeof q->file_name,
		"attachment; filename=\"review-%" PRId64 ".%s\"", event, suffix);
	q->disposition = q->file_name;
}

void
web_proof(struct web_request *q)
{
	const char *part = web_query(q, "part");
	uint8_t signature[(SIGNATURE_TEXT - 1) / 2];
	struct failure_row f;
	struct review r;
	struct person p;

	if (record_take(q, &f, &r) != 0)
		return;
	if (strcmp(part, "text") == 0 && r.text) {
		web_plain(q, "text/plain; charset=utf-8", r.text, strlen(r.text));
		file_name_set(q, r.event, "txt");
	} else if (strcmp(part, "signature") == 0 &&
		   hex_parse(signature, sizeof signature, r.signature) == 0) {
		web_plain(q, "application/octet-stream", signature, sizeof signature);
		file_name_set(q, r.event, "sig");
	} else if (strcmp(part, "key") == 0 && person_find(q->ledger, r.person, &p, &q->err) == 0) {
		web_plain(q, "application/x-pem-file", p.public_pem, strlen(p.public_pem));
		file_name_set(q, r.event, "pem");
	} else {
		web_page_tell(q, MHD_HTTP_NOT_FOUND, "The page was not found.");
	}
	review_done(&r);
}

const char *
web_picture_type(const void *bytes, size_t len)
{
	if (len > 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0)
		return "image/jpeg";
	return len > 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0 ? "image/png" : NULL;
}

struct photo_search {
	int64_t event;
	char file[2 * HASH_LEN + 1];
};

static int
visit_photo(void *ctx, const struct failure_note *n)
{
	struct photo_search *s = ctx;

	if (n->event == s->event)
		snprintf(s->file, sizeof s->file, "%s", n->file);
	return 0;
}

void
web_photo(struct web_request *q)
{
	struct photo_search s = {.event = web_number(web_query(q, "event"))};
	uint8_t hash[HASH_LEN];
	char path[4300], is[2 * HASH_LEN + 1];
	const char *type = NULL;
	struct buf bytes;
	int rc = failure_notes(q->ledger, web_number(web_query(q, "id")), visit_photo, &s, &q->err);

	buf_init(&bytes, ATTACHMENT_MAX);
	if (rc == 0)
		rc = hex_parse(hash, sizeof hash, s.file);
	if (rc == 0)
		rc = attachment_path(q->ledger, s.file, path, sizeof path, &q->err);
	if (rc == 0)
		rc = file_read(&bytes, path, ATTACHMENT_MAX, &q->err);
	/* What lies there under another hash is not what was noted. */
	if (rc == 0) {
		text_hash(is, (const char *)bytes.data, bytes.len);
		type = strcmp(is, s.file) == 0 ? web_picture_type(bytes.data, bytes.len) : NULL;
	}
	if (type)
		web_plain(q, type, bytes.data, bytes.len);
	else
		web_page_tell(q, MHD_HTTP_NOT_FOUND, "The page was not found.");
	buf_done(&bytes);
}
