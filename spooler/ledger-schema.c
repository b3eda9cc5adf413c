/*
 * ledger-schema.c - what a ledger file is made of.
 *
 * Owns the tables and the triggers; the failure log's own part is failure-schema.c, the check of a
 * file and older formats are ledger-convert.c. Guarantees: the file itself refuses to change or
 * delete an event, to move a card on a way that is not in card_transitions, to have two live cards
 * for one record or for one chip, and to change a card, job or failure row other than by an event.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/failure.h"

#include <sqlite3.h>
#include <string.h>

/*
 * An event is the truth; job, card and failure are what the events add up to. The triggers carry an
 * event into these tables within the same statement, so a reader never sees one without the other,
 * and a replay of the events must give the same tables again.
 *
 * seq   1, 2, 3 … without gaps        job, card   what it is about, '' and 0 when neither
 * at    the host's clock, Unix ms     actor       "pass", "recovery" or a person's login
 * up    ms since the host was booted: tells durations when the clock was set in between
 * hash  SHA-256 over the canonical JSON of {actor,at,card,data_hash,job,kind,prev,seq,up}
 * prev  hash of the event before; data_hash = SHA-256 of data, so that data alone can be shown or
 * withheld
 */
static const char *const schema_meta[] = {
	"CREATE TABLE meta (\n"
	"  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),\n"
	"  ledger TEXT NOT NULL,\n"
	"  n_events INTEGER NOT NULL,\n"
	"  head TEXT NOT NULL,\n"
	"  boot TEXT NOT NULL\n"
	") STRICT",
};

static const char *const schema_tables[] = {
	"CREATE TABLE card_state (\n"
	"  name TEXT PRIMARY KEY,\n"
	"  fed INTEGER NOT NULL,\n"
	"  final INTEGER NOT NULL\n"
	") STRICT, WITHOUT ROWID",

	"CREATE TABLE transition (\n"
	"  from_state TEXT NOT NULL REFERENCES card_state (name),\n"
	"  to_state TEXT NOT NULL REFERENCES card_state (name),\n"
	"  why TEXT NOT NULL,\n"
	"  PRIMARY KEY (from_state, to_state)\n"
	") STRICT, WITHOUT ROWID",

	"CREATE TABLE event (\n"
	"  seq INTEGER PRIMARY KEY,\n"
	"  at INTEGER NOT NULL,\n"
	"  up INTEGER NOT NULL,\n"
	"  kind TEXT NOT NULL,\n"
	"  job TEXT NOT NULL,\n"
	"  card INTEGER NOT NULL,\n"
	"  actor TEXT NOT NULL,\n"
	"  data TEXT NOT NULL,\n"
	"  data_hash TEXT NOT NULL,\n"
	"  prev TEXT NOT NULL,\n"
	"  hash TEXT NOT NULL\n"
	") STRICT",

	"CREATE INDEX event_card ON event (card) WHERE card <> 0",

	"CREATE TABLE job (\n"
	"  id INTEGER PRIMARY KEY,\n"
	"  uuid TEXT NOT NULL UNIQUE CHECK (uuid <> ''),\n"
	"  cups_id INTEGER NOT NULL,\n"
	"  \"order\" TEXT NOT NULL,\n"
	"  template TEXT NOT NULL,\n"
	"  batch_hash TEXT NOT NULL,\n"
	"  printer TEXT NOT NULL,\n"
	"  printer_model TEXT NOT NULL,\n"
	"  printer_serial TEXT NOT NULL,\n"
	"  station TEXT NOT NULL,\n"
	"  user TEXT NOT NULL,\n"
	"  n_cards INTEGER NOT NULL,\n"
	"  state TEXT NOT NULL CHECK (state IN ('active', 'held', 'stopped', 'done', "
	"'cancelled')),\n"
	"  started INTEGER NOT NULL,\n"
	"  ended INTEGER NOT NULL,\n"
	"  repeats TEXT NOT NULL,\n"
	"  event INTEGER NOT NULL REFERENCES event (seq)\n"
	") STRICT",

	"CREATE INDEX job_batch ON job (batch_hash) WHERE batch_hash <> ''",
	"CREATE INDEX job_cups_id ON job (cups_id)",

	"CREATE TABLE card (\n"
	"  id INTEGER PRIMARY KEY,\n"
	"  job TEXT NOT NULL REFERENCES job (uuid),\n"
	"  card INTEGER NOT NULL CHECK (card > 0),\n"
	"  copy INTEGER NOT NULL CHECK (copy > 0),\n"
	"  attempt INTEGER NOT NULL CHECK (attempt > 0),\n"
	"  state TEXT NOT NULL REFERENCES card_state (name),\n"
	"  number TEXT NOT NULL,\n"
	"  name TEXT NOT NULL,\n"
	"  record_hash TEXT NOT NULL,\n"
	"  uid TEXT NOT NULL DEFAULT '',\n"
	"  chip_hash TEXT NOT NULL DEFAULT '',\n"
	"  front_hash TEXT NOT NULL DEFAULT '',\n"
	"  back_hash TEXT NOT NULL DEFAULT '',\n"
	"  printer_serial TEXT NOT NULL DEFAULT '',\n"
	"  counter_before INTEGER NOT NULL DEFAULT -1,\n"
	"  cause TEXT NOT NULL DEFAULT '',\n"
	"  replaces INTEGER NOT NULL,\n"
	"  proved INTEGER NOT NULL DEFAULT 0,\n"
	"  changed INTEGER NOT NULL,\n"
	"  event INTEGER NOT NULL REFERENCES event (seq),\n"
	"  UNIQUE (job, card, copy, attempt)\n"
	") STRICT",

	"CREATE UNIQUE INDEX card_one_live ON card (job, card, copy)\n"
	"  WHERE state NOT IN ('rejected', 'spoiled', 'cancelled', 'void')",
	"CREATE UNIQUE INDEX card_one_uid ON card (uid)\n"
	"  WHERE uid <> '' AND state NOT IN ('rejected', 'spoiled', 'cancelled', 'void')",
	"CREATE INDEX card_uid ON card (uid) WHERE uid <> ''",
	"CREATE INDEX card_open ON card (state, printer_serial)",
	"CREATE INDEX card_printer ON card (printer_serial, state)",
};

/* What was done to a chip at a desk is asked for each card of a job. */
static const char *const schema_chips[] = {
	"CREATE INDEX event_chip ON event (" EVENT_CHIP_NUMBER ") WHERE " EVENT_CHIP,
};

/* From an event into the tables, and what a row may become. A replay needs these too. */
static const char *const schema_rules[] = {
	"CREATE TRIGGER event_counts AFTER INSERT ON event BEGIN\n"
	"  UPDATE meta SET n_events = new.seq, head = new.hash,\n"
	"    ledger = iif(new.kind = 'ledger-created', json_extract(new.data, '$.ledger'), "
	"ledger),\n"
	"    boot = iif(new.kind IN ('ledger-created', 'ledger-converted', 'host-booted'), "
	"coalesce(json_extract(new.data, '$.boot'), ''), boot);\n"
	"END",

	"CREATE TRIGGER event_admits_job AFTER INSERT ON event WHEN new.kind = 'job-admitted' "
	"BEGIN\n"
	"  INSERT INTO job SELECT json_extract(d, '$.id'), new.job, json_extract(d, '$.cups_id'), "
	"json_extract(d, '$.order'), json_extract(d, '$.template'),\n"
	"    json_extract(d, '$.batch_hash'), json_extract(d, '$.printer'), json_extract(d, "
	"'$.printer_model'), json_extract(d, '$.printer_serial'),\n"
	"    json_extract(d, '$.station'), json_extract(d, '$.user'), json_extract(d, "
	"'$.n_cards'), 'active', new.at, 0, json_extract(d, '$.repeats'), new.seq\n"
	"    FROM (SELECT new.data AS d);\n"
	"END",

	"CREATE TRIGGER event_admits_job_again AFTER INSERT ON event WHEN new.kind = 'job-again' "
	"BEGIN\n"
	"  UPDATE job SET cups_id = json_extract(new.data, '$.cups_id'), printer = "
	"json_extract(new.data, '$.printer'),\n"
	"    printer_model = json_extract(new.data, '$.printer_model'), printer_serial = "
	"json_extract(new.data, '$.printer_serial'),\n"
	"    station = json_extract(new.data, '$.station'), n_cards = json_extract(new.data, "
	"'$.n_cards'),\n"
	"    state = 'active', ended = 0, event = new.seq WHERE uuid = new.job;\n"
	"  SELECT RAISE(ABORT, 'no such job') WHERE changes() = 0;\n"
	"END",

	"CREATE TRIGGER event_changes_job AFTER INSERT ON event WHEN new.kind = 'job-state' BEGIN\n"
	"  UPDATE job SET state = json_extract(new.data, '$.state'),\n"
	"    ended = iif(json_extract(new.data, '$.state') IN ('done', 'cancelled'), new.at, 0), "
	"event = new.seq\n"
	"    WHERE uuid = new.job;\n"
	"  SELECT RAISE(ABORT, 'no such job') WHERE changes() = 0;\n"
	"END",

	"CREATE TRIGGER event_admits_card AFTER INSERT ON event\n"
	"  WHEN new.kind IN ('card-admitted', 'card-replaced') BEGIN\n"
	"  SELECT RAISE(ABORT, 'a fresh card replaces a rejected, spoiled or void one of the same "
	"record')\n"
	"    WHERE new.kind = 'card-replaced' AND NOT EXISTS (SELECT 1 FROM card WHERE\n"
	"      id = json_extract(new.data, '$.replaces') AND job = new.job AND card = "
	"json_extract(new.data, '$.card') AND\n"
	"      copy = json_extract(new.data, '$.copy') AND record_hash = json_extract(new.data, "
	"'$.record_hash') AND\n"
	"      state IN ('rejected', 'spoiled', 'void'));\n"
	"  INSERT INTO card (id, job, card, copy, attempt, state, number, name, record_hash, "
	"replaces,\n"
	"    changed, event)\n"
	"    SELECT new.card, new.job, json_extract(d, '$.card'), json_extract(d, '$.copy'), "
	"json_extract(d, '$.attempt'), 'queued',\n"
	"      json_extract(d, '$.number'), json_extract(d, '$.name'), json_extract(d, "
	"'$.record_hash'),\n"
	"      iif(new.kind = 'card-replaced', json_extract(d, '$.replaces'), 0), new.at, new.seq\n"
	"      FROM (SELECT new.data AS d);\n"
	"END",

	/* Back in the queue means that no card belongs to the row: what was known of one is left
	   behind. */
	"CREATE TRIGGER event_moves_card AFTER INSERT ON event WHEN new.kind = 'card-moved' BEGIN\n"
	"  UPDATE card SET state = json_extract(d, '$.to'),\n"
	"    uid = iif(json_extract(d, '$.to') = 'queued', '', coalesce(json_extract(d, '$.uid'), "
	"uid)),\n"
	"    chip_hash = iif(json_extract(d, '$.to') = 'queued', '', coalesce(json_extract(d, "
	"'$.chip_hash'), chip_hash)),\n"
	"    front_hash = iif(json_extract(d, '$.to') = 'queued', '', coalesce(json_extract(d, "
	"'$.front_hash'), front_hash)),\n"
	"    back_hash = iif(json_extract(d, '$.to') = 'queued', '', coalesce(json_extract(d, "
	"'$.back_hash'), back_hash)),\n"
	"    printer_serial = iif(json_extract(d, '$.to') = 'queued', '', coalesce(json_extract(d, "
	"'$.printer_serial'), printer_serial)),\n"
	"    counter_before = iif(json_extract(d, '$.to') = 'queued', -1, coalesce(json_extract(d, "
	"'$.counter_before'), counter_before)),\n"
	"    proved = iif(json_extract(d, '$.to') = 'queued', 0, proved OR json_extract(d, '$.to') "
	"= 'encoded'),\n"
	"    cause = coalesce(json_extract(d, '$.cause'), cause), changed = new.at, event = "
	"new.seq\n"
	"    FROM (SELECT new.data AS d)\n"
	"    WHERE id = new.card AND job = new.job AND state = json_extract(d, '$.from');\n"
	"  SELECT RAISE(ABORT, 'no such card in that state') WHERE changes() = 0;\n"
	"END",

	"CREATE TRIGGER card_starts_queued BEFORE INSERT ON card BEGIN\n"
	"  SELECT RAISE(ABORT, 'a card starts in the queue') WHERE new.state <> 'queued';\n"
	"END",

	"CREATE TRIGGER card_moves BEFORE UPDATE ON card BEGIN\n"
	"  SELECT RAISE(ABORT, 'illegal transition') WHERE NOT EXISTS (SELECT 1 FROM transition\n"
	"    WHERE from_state = old.state AND to_state = new.state);\n"
	"  SELECT RAISE(ABORT, 'the identity of a card never changes') WHERE new.id <> old.id OR\n"
	"    new.job <> old.job OR new.card <> old.card OR new.copy <> old.copy OR\n"
	"    new.attempt <> old.attempt OR new.record_hash <> old.record_hash OR\n"
	"    new.replaces <> old.replaces;\n"
	"  SELECT RAISE(ABORT, 'the chip of a card never changes') WHERE old.uid <> '' AND\n"
	"    new.uid <> old.uid AND new.state <> 'queued';\n"
	"END",
};

/* What keeps a live file from being changed by anything but a following event. */
static const char *const schema_guards[] = {
	"CREATE TRIGGER event_follows BEFORE INSERT ON event BEGIN\n"
	"  SELECT RAISE(ABORT, 'an event follows the last one')\n"
	"    WHERE NOT EXISTS (SELECT 1 FROM meta WHERE n_events + 1 = new.seq AND head = "
	"new.prev);\n"
	"END",
	"CREATE TRIGGER event_remains BEFORE DELETE ON event BEGIN\n"
	"  SELECT RAISE(ABORT, 'an event is never deleted');\n"
	"END",
	"CREATE TRIGGER meta_follows BEFORE UPDATE ON meta BEGIN\n"
	"  SELECT RAISE(ABORT, 'the head of the chain is its last event') WHERE NOT EXISTS\n"
	"    (SELECT 1 FROM event WHERE seq = new.n_events AND hash = new.head AND\n"
	"      seq = (SELECT max(seq) FROM event))\n"
	"    OR (new.ledger <> old.ledger AND old.ledger <> '');\n"
	"END",
	"CREATE TRIGGER meta_remains BEFORE DELETE ON meta BEGIN\n"
	"  SELECT RAISE(ABORT, 'the head of the chain is never deleted');\n"
	"END",
	"CREATE TRIGGER job_follows BEFORE UPDATE ON job BEGIN\n"
	"  SELECT RAISE(ABORT, 'a job changes by an event only') WHERE new.event <= old.event OR\n"
	"    NOT EXISTS (SELECT 1 FROM event WHERE seq = new.event AND job = new.uuid AND\n"
	"      seq = (SELECT max(seq) FROM event));\n"
	"END",
	"CREATE TRIGGER job_enters BEFORE INSERT ON job BEGIN\n"
	"  SELECT RAISE(ABORT, 'a job enters by an event only') WHERE NOT EXISTS (SELECT 1 FROM "
	"event\n"
	"    WHERE seq = new.event AND kind = 'job-admitted' AND job = new.uuid AND\n"
	"      seq = (SELECT max(seq) FROM event));\n"
	"END",
	"CREATE TRIGGER job_remains BEFORE DELETE ON job BEGIN\n"
	"  SELECT RAISE(ABORT, 'a job is never deleted');\n"
	"END",
	"CREATE TRIGGER card_follows BEFORE UPDATE ON card BEGIN\n"
	"  SELECT RAISE(ABORT, 'a card changes by an event only') WHERE new.event <= old.event OR\n"
	"    NOT EXISTS (SELECT 1 FROM event WHERE seq = new.event AND kind = 'card-moved' AND\n"
	"      card = new.id AND seq = (SELECT max(seq) FROM event));\n"
	"END",
	"CREATE TRIGGER card_enters BEFORE INSERT ON card BEGIN\n"
	"  SELECT RAISE(ABORT, 'a card enters by an event only') WHERE NOT EXISTS (SELECT 1 FROM "
	"event\n"
	"    WHERE seq = new.event AND kind IN ('card-admitted', 'card-replaced') AND card = "
	"new.id AND\n"
	"      seq = (SELECT max(seq) FROM event));\n"
	"END",
	"CREATE TRIGGER card_remains BEFORE DELETE ON card BEGIN\n"
	"  SELECT RAISE(ABORT, 'a card is never deleted');\n"
	"END",
	"CREATE TRIGGER card_state_stays BEFORE UPDATE ON card_state BEGIN\n"
	"  SELECT RAISE(ABORT, 'the states are fixed');\n"
	"END",
	"CREATE TRIGGER card_state_remains BEFORE DELETE ON card_state BEGIN\n"
	"  SELECT RAISE(ABORT, 'the states are fixed');\n"
	"END",
	"CREATE TRIGGER card_state_closed BEFORE INSERT ON card_state BEGIN\n"
	"  SELECT RAISE(ABORT, 'the states are fixed');\n"
	"END",
	"CREATE TRIGGER transition_stays BEFORE UPDATE ON transition BEGIN\n"
	"  SELECT RAISE(ABORT, 'the transitions are fixed');\n"
	"END",
	"CREATE TRIGGER transition_remains BEFORE DELETE ON transition BEGIN\n"
	"  SELECT RAISE(ABORT, 'the transitions are fixed');\n"
	"END",
	"CREATE TRIGGER transition_closed BEFORE INSERT ON transition BEGIN\n"
	"  SELECT RAISE(ABORT, 'the transitions are fixed');\n"
	"END",
};

int
ledger_schema_run(struct sqlite3 *db, const char *const *sql, size_t n)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; i < n && rc == SQLITE_OK; i++)
		rc = sqlite3_exec(db, sql[i], NULL, NULL, NULL);
	return rc;
}

int
ledger_schema_meta(struct sqlite3 *db)
{
	return ledger_schema_run(db, schema_meta, ARRAY_LEN(schema_meta));
}

/* The C tables become rows, so that the file enforces what the pass walks. */
static int
schema_fill(struct sqlite3 *db)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db, "INSERT INTO card_state VALUES (?, ?, ?)", -1, &s, NULL);

	for (size_t i = 0; i < CARD_STATE_COUNT && rc == SQLITE_OK; i++) {
		sqlite3_bind_text(s, 1, card_states[i].name, -1, SQLITE_STATIC);
		sqlite3_bind_int(s, 2, card_states[i].fed);
		sqlite3_bind_int(s, 3, card_states[i].final);
		sqlite3_step(s);
		rc = sqlite3_reset(s);
	}
	sqlite3_finalize(s);
	s = NULL;
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(
			db, "INSERT INTO transition VALUES (?, ?, ?)", -1, &s, NULL);
	for (size_t i = 0; i < n_card_transitions && rc == SQLITE_OK; i++) {
		const struct card_transition *t = &card_transitions[i];

		sqlite3_bind_text(s, 1, card_states[t->from].name, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 2, card_states[t->to].name, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 3, t->why, -1, SQLITE_STATIC);
		sqlite3_step(s);
		rc = sqlite3_reset(s);
	}
	sqlite3_finalize(s);
	return rc;
}

static const char *const schema_marks[] = {
	"PRAGMA application_id = 1128354372",
	"PRAGMA user_version = 4",
};
_Static_assert(LEDGER_APPLICATION_ID == 1128354372 && LEDGER_VERSION == 4,
	"the marks above are the numbers of spooler.h");

int
ledger_schema_finish(struct sqlite3 *db)
{
	int rc = ledger_schema_run(db, schema_chips, ARRAY_LEN(schema_chips));

	if (rc == SQLITE_OK)
		rc = ledger_schema_run(db, failure_indexes, n_failure_indexes);
	if (rc == SQLITE_OK)
		rc = ledger_schema_run(db, schema_rules, ARRAY_LEN(schema_rules));
	if (rc == SQLITE_OK)
		rc = ledger_schema_run(db, failure_rules, n_failure_rules);
	if (rc == SQLITE_OK)
		rc = ledger_schema_run(db, schema_guards, ARRAY_LEN(schema_guards));
	if (rc == SQLITE_OK)
		rc = ledger_schema_run(db, failure_guards, n_failure_guards);
	if (rc == SQLITE_OK)
		rc = ledger_schema_run(db, schema_marks, ARRAY_LEN(schema_marks));
	return rc;
}

int
ledger_schema_create(struct sqlite3 *db)
{
	static const char *const start[] = {
		"INSERT INTO meta VALUES (1, '', 0, '" CHAIN_START "', '')"};
	int rc = ledger_schema_meta(db);

	if (rc == SQLITE_OK)
		rc = ledger_schema_run(db, schema_tables, ARRAY_LEN(schema_tables));
	if (rc == SQLITE_OK)
		rc = ledger_schema_run(db, failure_tables, n_failure_tables);
	if (rc == SQLITE_OK)
		rc = ledger_schema_run(db, start, ARRAY_LEN(start));
	if (rc == SQLITE_OK)
		rc = schema_fill(db);
	return rc == SQLITE_OK ? ledger_schema_finish(db) : rc;
}

static int
guards_drop(struct sqlite3 *db, const char *const *guards, size_t n)
{
	static const char begin[] = "CREATE TRIGGER ";
	int rc = SQLITE_OK;

	for (size_t i = 0; i < n && rc == SQLITE_OK; i++) {
		const char *name = guards[i] + strlen(begin);
		char *sql = sqlite3_mprintf("DROP TRIGGER \"%.*w\"", (int)strcspn(name, " "), name);

		rc = sql ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
		sqlite3_free(sql);
	}
	return rc;
}

int
ledger_schema_loosen(struct sqlite3 *db)
{
	int rc = guards_drop(db, schema_guards, ARRAY_LEN(schema_guards));

	return rc == SQLITE_OK ? guards_drop(db, failure_guards, n_failure_guards) : rc;
}
