/*
 * failure-schema.c - the failure log's part of a ledger file.
 *
 * Owns the tables and triggers of failures, notes, reviews, people and tombstones. Guarantees: the
 * file itself refuses to change any of them other than by an event, to review a record twice, and
 * to let go of a record that was not reviewed or whose last event is not older than three calendar
 * months, whoever asks.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <string.h>

/*
 * A record of the log is its events: one that records it, then notes, one that clears it, one that
 * reviews it. The row is what they add up to.
 *
 * zone      seconds east of UTC at the station when it was recorded
 * recorded, closed, review   numbers of those events, 0 = not yet
 * event     number of the last one
 */
const char *const failure_tables[] = {
	"CREATE TABLE failure (\n"
	"  id INTEGER PRIMARY KEY,\n"
	"  at INTEGER NOT NULL,\n"
	"  cleared INTEGER NOT NULL,\n"
	"  zone INTEGER NOT NULL,\n"
	"  machine TEXT NOT NULL,\n"
	"  serial TEXT NOT NULL,\n"
	"  station TEXT NOT NULL,\n"
	"  \"order\" TEXT NOT NULL,\n"
	"  job TEXT NOT NULL,\n"
	"  cups_id INTEGER NOT NULL,\n"
	"  card INTEGER NOT NULL,\n"
	"  copy INTEGER NOT NULL,\n"
	"  attempt INTEGER NOT NULL,\n"
	"  holder TEXT NOT NULL,\n"
	"  step TEXT NOT NULL,\n"
	"  code TEXT NOT NULL,\n"
	"  cause TEXT NOT NULL,\n"
	"  raw TEXT NOT NULL,\n"
	"  done TEXT NOT NULL,\n"
	"  operator TEXT NOT NULL,\n"
	"  cards_lost INTEGER NOT NULL,\n"
	"  panels_lost INTEGER NOT NULL,\n"
	"  notes INTEGER NOT NULL,\n"
	"  reviewer TEXT NOT NULL,\n"
	"  recorded INTEGER NOT NULL,\n"
	"  closed INTEGER NOT NULL,\n"
	"  review INTEGER NOT NULL,\n"
	"  event INTEGER NOT NULL REFERENCES event (seq)\n"
	") STRICT",

	/* What a person found and attached. file: SHA-256 of what lies beside the ledger. */
	"CREATE TABLE failure_note (\n"
	"  event INTEGER PRIMARY KEY REFERENCES event (seq),\n"
	"  failure INTEGER NOT NULL,\n"
	"  at INTEGER NOT NULL,\n"
	"  person TEXT NOT NULL,\n"
	"  cause TEXT NOT NULL,\n"
	"  note TEXT NOT NULL,\n"
	"  file TEXT NOT NULL,\n"
	"  file_name TEXT NOT NULL,\n"
	"  file_size INTEGER NOT NULL\n"
	") STRICT",
	"CREATE INDEX failure_note_of ON failure_note (failure)",
	"CREATE INDEX failure_note_file ON failure_note (file) WHERE file <> ''",

	/* A signature under one record or a day's list: text is what was signed, byte for byte. */
	"CREATE TABLE review (\n"
	"  event INTEGER PRIMARY KEY REFERENCES event (seq),\n"
	"  at INTEGER NOT NULL,\n"
	"  person TEXT NOT NULL,\n"
	"  fingerprint TEXT NOT NULL,\n"
	"  text TEXT NOT NULL,\n"
	"  signature TEXT NOT NULL\n"
	") STRICT",

	"CREATE TABLE person (\n"
	"  id INTEGER PRIMARY KEY,\n"
	"  name TEXT NOT NULL UNIQUE CHECK (name <> ''),\n"
	"  role TEXT NOT NULL,\n"
	"  login TEXT NOT NULL,\n"
	"  fingerprint TEXT NOT NULL UNIQUE,\n"
	"  public TEXT NOT NULL,\n"
	"  sealed TEXT NOT NULL,\n"
	"  added INTEGER NOT NULL,\n"
	"  retired INTEGER NOT NULL,\n"
	"  event INTEGER NOT NULL REFERENCES event (seq)\n"
	") STRICT",
	"CREATE UNIQUE INDEX person_login ON person (login) WHERE login <> '' AND retired = 0",

	/* What stands for purged records. */
	"CREATE TABLE tombstone (\n"
	"  event INTEGER PRIMARY KEY REFERENCES event (seq),\n"
	"  at INTEGER NOT NULL,\n"
	"  n_records INTEGER NOT NULL,\n"
	"  first_id INTEGER NOT NULL,\n"
	"  last_id INTEGER NOT NULL,\n"
	"  first_hash TEXT NOT NULL,\n"
	"  last_hash TEXT NOT NULL,\n"
	"  person TEXT NOT NULL,\n"
	"  fingerprint TEXT NOT NULL,\n"
	"  text TEXT NOT NULL,\n"
	"  signature TEXT NOT NULL\n"
	") STRICT",
};
const size_t n_failure_tables = ARRAY_LEN(failure_tables);

/*
 * One per filter of the list, each in the order of time, and failure_list with all that filters
 * compare: where several filters match many records each, it answers without the records.
 */
const char *const failure_indexes[] = {
	"CREATE INDEX failure_at ON failure (at)",
	"CREATE INDEX failure_job ON failure (job, at)",
	"CREATE INDEX failure_serial ON failure (serial, at)",
	"CREATE INDEX failure_machine ON failure (machine, at)",
	"CREATE INDEX failure_code ON failure (code, at)",
	"CREATE INDEX failure_order ON failure (\"order\", at)",
	"CREATE INDEX failure_operator ON failure (operator, at)",
	"CREATE INDEX failure_reviewer ON failure (reviewer, at)",
	"CREATE INDEX failure_open ON failure (at) WHERE cleared = 0",
	"CREATE INDEX failure_cleared ON failure (at) WHERE cleared <> 0",
	"CREATE INDEX failure_due ON failure (at) WHERE review = 0",
	"CREATE INDEX failure_signed ON failure (at) WHERE review <> 0",
	"CREATE INDEX failure_review ON failure (review) WHERE review <> 0",
	("CREATE INDEX failure_list ON failure (at, cleared, review, serial, machine, code, "
	 "operator, reviewer, \"order\", job)"),
};
const size_t n_failure_indexes = ARRAY_LEN(failure_indexes);

/* An event whose data is empty was purged: a replay has nothing to carry. */
const char *const failure_rules[] = {
	"CREATE TRIGGER event_records_failure AFTER INSERT ON event\n"
	"  WHEN new.kind = 'failure-recorded' AND new.data <> '' BEGIN\n"
	"  INSERT INTO failure SELECT json_extract(d, '$.id'), json_extract(d, '$.at'), 0, "
	"coalesce(json_extract(d, '$.zone'), 0),\n"
	"    json_extract(d, '$.machine'), json_extract(d, '$.serial'),\n"
	"    json_extract(d, '$.station'), json_extract(d, '$.order'), new.job, json_extract(d, "
	"'$.cups_id'), json_extract(d, '$.card'), json_extract(d, '$.copy'),\n"
	"    json_extract(d, '$.attempt'), json_extract(d, '$.holder'), json_extract(d, '$.step'), "
	"json_extract(d, '$.code'), json_extract(d, '$.cause'), json_extract(d, '$.raw'),\n"
	"    json_extract(d, '$.done'), json_extract(d, '$.operator'), 0, 0, 0, '', new.seq, 0, 0, "
	"new.seq FROM (SELECT new.data AS d);\n"
	"END",

	"CREATE TRIGGER event_clears_failure AFTER INSERT ON event\n"
	"  WHEN new.kind = 'failure-cleared' AND new.data <> '' BEGIN\n"
	"  UPDATE failure SET cleared = json_extract(new.data, '$.cleared'), done = "
	"coalesce(json_extract(new.data, '$.done'), done),\n"
	"    cards_lost = coalesce(json_extract(new.data, '$.cards_lost'), 0), panels_lost = "
	"coalesce(json_extract(new.data, '$.panels_lost'), 0),\n"
	"    closed = new.seq, event = new.seq WHERE id = json_extract(new.data, '$.id') AND "
	"cleared = 0;\n"
	"  SELECT RAISE(ABORT, 'no such open failure') WHERE changes() = 0;\n"
	"END",

	"CREATE TRIGGER event_notes_failure AFTER INSERT ON event\n"
	"  WHEN new.kind = 'failure-noted' AND new.data <> '' BEGIN\n"
	"  UPDATE failure SET notes = notes + 1, event = new.seq\n"
	"    WHERE id = json_extract(new.data, '$.id') AND review = 0;\n"
	"  SELECT RAISE(ABORT, 'no such failure without review') WHERE changes() = 0;\n"
	"  INSERT INTO failure_note SELECT new.seq, json_extract(d, '$.id'), new.at, new.actor,\n"
	"    json_extract(d, '$.cause'), json_extract(d, '$.note'), json_extract(d, '$.file'),\n"
	"    json_extract(d, '$.file_name'), json_extract(d, '$.file_size') FROM (SELECT new.data "
	"AS d);\n"
	"END",

	"CREATE TRIGGER event_reviews_failure AFTER INSERT ON event\n"
	"  WHEN new.kind = 'failure-reviewed' AND new.data <> '' BEGIN\n"
	"  SELECT RAISE(ABORT, 'a reviewer is a person who is not retired') WHERE NOT EXISTS\n"
	"    (SELECT 1 FROM person WHERE name = json_extract(new.data, '$.person') AND retired = 0 "
	"AND\n"
	"      role = 'reviewer' AND fingerprint = json_extract(new.data, '$.fingerprint'));\n"
	"  SELECT RAISE(ABORT, 'a record is reviewed once, when it is cleared, by another person') "
	"WHERE\n"
	"    json_array_length(new.data, '$.ids') = 0 OR json_array_length(new.data, '$.ids') <>\n"
	"    (SELECT count(*) FROM failure WHERE review = 0 AND cleared <> 0 AND id IN\n"
	"      (SELECT value FROM json_each(new.data, '$.ids')) AND operator NOT IN\n"
	"      (SELECT name FROM person WHERE name = json_extract(new.data, '$.person') UNION\n"
	"       SELECT login FROM person WHERE name = json_extract(new.data, '$.person')));\n"
	"  INSERT INTO review SELECT new.seq, json_extract(d, '$.at'), json_extract(d, "
	"'$.person'), "
	"json_extract(d,\n"
	"    '$.fingerprint'), json_extract(d, '$.text'), json_extract(d, '$.signature')\n"
	"    FROM (SELECT new.data AS d);\n"
	"  UPDATE failure SET review = new.seq, reviewer = json_extract(new.data, '$.person'), "
	"event = new.seq\n"
	"    WHERE id IN (SELECT value FROM json_each(new.data, '$.ids'));\n"
	"END",

	"CREATE TRIGGER event_adds_person AFTER INSERT ON event WHEN new.kind = 'person-added' "
	"BEGIN\n"
	"  INSERT INTO person SELECT json_extract(d, '$.id'), json_extract(d, '$.name'), "
	"json_extract(d, '$.role'), json_extract(d, '$.login'),\n"
	"    json_extract(d, '$.fingerprint'), json_extract(d, '$.public'), json_extract(d, "
	"'$.sealed'), new.at, 0, new.seq FROM (SELECT new.data AS d);\n"
	"END",

	"CREATE TRIGGER event_retires_person AFTER INSERT ON event WHEN new.kind = "
	"'person-retired' BEGIN\n"
	"  UPDATE person SET retired = new.at, event = new.seq WHERE name = "
	"json_extract(new.data, '$.name') AND retired = 0;\n"
	"  SELECT RAISE(ABORT, 'no such person at work') WHERE changes() = 0;\n"
	"END",

	"CREATE TRIGGER event_purges_failures AFTER INSERT ON event WHEN new.kind = "
	"'failure-purged' BEGIN\n"
	"  DELETE FROM failure_note WHERE event IN (SELECT value FROM json_each(new.data, "
	"'$.events'));\n"
	"  DELETE FROM review WHERE event IN (SELECT value FROM json_each(new.data, '$.events'));\n"
	"  DELETE FROM failure WHERE id IN (SELECT value FROM json_each(new.data, '$.ids'));\n"
	"  UPDATE event SET data = '' WHERE seq IN (SELECT value FROM json_each(new.data, "
	"'$.events'));\n"
	"  INSERT INTO tombstone SELECT new.seq, new.at, json_array_length(d, '$.ids'), "
	"json_extract(d, '$.first_id'), json_extract(d, '$.last_id'),\n"
	"    json_extract(d, '$.first_hash'), json_extract(d, '$.last_hash'), json_extract(d, "
	"'$.person'), json_extract(d, '$.fingerprint'),\n"
	"    json_extract(d, '$.text'), json_extract(d, '$.signature') FROM (SELECT new.data AS "
	"d);\n"
	"END",
};
const size_t n_failure_rules = ARRAY_LEN(failure_rules);

/* The last event is a tombstone t; what names the row in its list. */
#define TOMBSTONE(list, number)                                                                    \
	"(SELECT 1 FROM event AS t WHERE t.seq = (SELECT max(seq) FROM event) AND\n"               \
	"      t.kind = 'failure-purged' AND " number                                              \
	" IN (SELECT value FROM json_each(t.data, '$." list "')) AND "
/*
 * An event is kept through the same day of the third month after its own, or through the last day
 * of that month when it is shorter, as days of the station's zone. SQLite's own "+3 months" runs
 * over into the month behind, so the earlier of both dates is the right one.
 */
#define EXPIRED(at)                                                                                \
	"min(date(" at " / 1000 + json_extract(t.data, '$.zone_max'), 'unixepoch', 'start of "     \
	"month', (max(3, json_extract(t.data, '$.months')) + 1) || ' months', '-1 day'),\n"        \
	"        date(" at " / 1000 + json_extract(t.data, '$.zone_max'), 'unixepoch', max(3, "    \
	"json_extract(t.data, '$.months')) || ' months'))\n"                                       \
	"        < date(t.at / 1000 + json_extract(t.data, '$.zone'), 'unixepoch') AND\n"          \
	"      abs(json_extract(t.data, '$.zone')) <= 50400 AND\n"                                 \
	"      json_extract(t.data, '$.zone') <= json_extract(t.data, '$.zone_max'))"

const char *const failure_guards[] = {
	"CREATE TRIGGER event_stays BEFORE UPDATE ON event BEGIN\n"
	"  SELECT RAISE(ABORT, 'an event is never changed')\n"
	"    WHERE new.data <> '' OR new.seq <> old.seq OR new.at <> old.at OR new.up <> old.up "
	"OR\n"
	"    new.kind <> old.kind OR new.job <> old.job OR new.card <> old.card OR new.actor <> "
	"old.actor OR\n"
	"    new.data_hash <> old.data_hash OR new.prev <> old.prev OR new.hash <> old.hash OR\n"
	"    old.kind NOT IN ('failure-recorded', 'failure-cleared', 'failure-noted', "
	"'failure-reviewed');\n"
	"  SELECT RAISE(ABORT, 'an event is kept three calendar months and until it is purged') "
	"WHERE NOT EXISTS\n"
	"    " TOMBSTONE("events", "old.seq") EXPIRED("old.at") ";\n"
								"END",

	"CREATE TRIGGER failure_follows BEFORE UPDATE ON failure BEGIN\n"
	"  SELECT RAISE(ABORT, 'a failure changes by an event only') WHERE new.event <= old.event "
	"OR\n"
	"    NOT EXISTS (SELECT 1 FROM event WHERE seq = new.event AND kind IN ('failure-cleared', "
	"'failure-noted', 'failure-reviewed') AND\n"
	"      seq = (SELECT max(seq) FROM event));\n"
	"  SELECT RAISE(ABORT, 'what was recorded is never changed') WHERE new.id <> old.id OR "
	"new.at <> old.at OR\n"
	"    new.machine <> old.machine OR new.serial <> old.serial OR new.\"order\" <> "
	"old.\"order\" OR\n"
	"    new.job <> old.job OR new.card <> old.card OR new.code <> old.code OR new.cause <> "
	"old.cause OR\n"
	"    new.raw <> old.raw OR new.operator <> old.operator OR (old.review <> 0 AND new.review "
	"<> old.review);\n"
	"END",
	"CREATE TRIGGER failure_enters BEFORE INSERT ON failure BEGIN\n"
	"  SELECT RAISE(ABORT, 'a failure enters by an event only') WHERE NOT EXISTS\n"
	"    (SELECT 1 FROM event WHERE seq = new.event AND kind = 'failure-recorded' AND\n"
	"      seq = (SELECT max(seq) FROM event));\n"
	"END",
	"CREATE TRIGGER failure_remains BEFORE DELETE ON failure BEGIN\n"
	"  SELECT RAISE(ABORT, 'a failure is kept until it is reviewed and three calendar months "
	"old') WHERE old.review = 0 OR\n"
	"    NOT EXISTS " TOMBSTONE("ids", "old.id")
		EXPIRED("max(old.at, (SELECT at FROM event WHERE seq = old.event))") ";\n"
										     "END",

	"CREATE TRIGGER note_enters BEFORE INSERT ON failure_note BEGIN\n"
	"  SELECT RAISE(ABORT, 'a note enters by an event only') WHERE NOT EXISTS\n"
	"    (SELECT 1 FROM event WHERE seq = new.event AND kind = 'failure-noted' AND\n"
	"      seq = (SELECT max(seq) FROM event));\n"
	"END",
	"CREATE TRIGGER note_stays BEFORE UPDATE ON failure_note BEGIN\n"
	"  SELECT RAISE(ABORT, 'a note is never changed');\n"
	"END",
	"CREATE TRIGGER note_remains BEFORE DELETE ON failure_note BEGIN\n"
	"  SELECT RAISE(ABORT, 'a note is kept as long as its failure') WHERE NOT EXISTS\n"
	"    " TOMBSTONE("events", "old.event") EXPIRED("old.at") ";\n"
								  "END",
	"CREATE TRIGGER review_enters BEFORE INSERT ON review BEGIN\n"
	"  SELECT RAISE(ABORT, 'a review enters by an event only') WHERE NOT EXISTS\n"
	"    (SELECT 1 FROM event WHERE seq = new.event AND kind = 'failure-reviewed' AND\n"
	"      seq = (SELECT max(seq) FROM event));\n"
	"END",
	"CREATE TRIGGER review_stays BEFORE UPDATE ON review BEGIN\n"
	"  SELECT RAISE(ABORT, 'a review is never changed');\n"
	"END",
	"CREATE TRIGGER review_remains BEFORE DELETE ON review BEGIN\n"
	"  SELECT RAISE(ABORT, 'a review is kept as long as its failures') WHERE NOT EXISTS\n"
	"    " TOMBSTONE("events", "old.event") EXPIRED("old.at") ";\n"
								  "END",
	"CREATE TRIGGER person_enters BEFORE INSERT ON person BEGIN\n"
	"  SELECT RAISE(ABORT, 'a person enters by an event only') WHERE NOT EXISTS\n"
	"    (SELECT 1 FROM event WHERE seq = new.event AND kind = 'person-added' AND\n"
	"      seq = (SELECT max(seq) FROM event));\n"
	"END",
	"CREATE TRIGGER person_follows BEFORE UPDATE ON person BEGIN\n"
	"  SELECT RAISE(ABORT, 'a person changes by an event only') WHERE new.event <= old.event "
	"OR\n"
	"    NOT EXISTS (SELECT 1 FROM event WHERE seq = new.event AND kind = 'person-retired' "
	"AND\n"
	"      seq = (SELECT max(seq) FROM event)) OR new.id <> old.id OR new.name <> old.name OR\n"
	"    new.role <> old.role OR new.login <> old.login OR new.public <> old.public OR\n"
	"    new.fingerprint <> old.fingerprint OR new.sealed <> old.sealed;\n"
	"END",
	"CREATE TRIGGER person_remains BEFORE DELETE ON person BEGIN\n"
	"  SELECT RAISE(ABORT, 'a person is never deleted');\n"
	"END",
	"CREATE TRIGGER tombstone_enters BEFORE INSERT ON tombstone BEGIN\n"
	"  SELECT RAISE(ABORT, 'a tombstone enters by an event only') WHERE NOT EXISTS\n"
	"    (SELECT 1 FROM event WHERE seq = new.event AND kind = 'failure-purged' AND\n"
	"      seq = (SELECT max(seq) FROM event));\n"
	"END",
	"CREATE TRIGGER tombstone_stays BEFORE UPDATE ON tombstone BEGIN\n"
	"  SELECT RAISE(ABORT, 'a tombstone is never changed');\n"
	"END",
	"CREATE TRIGGER tombstone_remains BEFORE DELETE ON tombstone BEGIN\n"
	"  SELECT RAISE(ABORT, 'a tombstone is never deleted');\n"
	"END",
};
const size_t n_failure_guards = ARRAY_LEN(failure_guards);

bool
failure_event_kind(const char *kind)
{
	static const char *const kinds[] = {
		"failure-recorded", "failure-cleared", "failure-noted", "failure-reviewed"};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i], kind) == 0)
			return true;
	return false;
}
