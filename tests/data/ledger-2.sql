PRAGMA application_id = 1128354372;
PRAGMA user_version = 2;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE card_state (
  name TEXT PRIMARY KEY,
  fed INTEGER NOT NULL,
  final INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO card_state VALUES('at-station',1,0);
INSERT INTO card_state VALUES('cancelled',0,1);
INSERT INTO card_state VALUES('done',1,1);
INSERT INTO card_state VALUES('doubt',1,0);
INSERT INTO card_state VALUES('encoded',1,0);
INSERT INTO card_state VALUES('encoding',1,0);
INSERT INTO card_state VALUES('feeding',1,0);
INSERT INTO card_state VALUES('printing',1,0);
INSERT INTO card_state VALUES('queued',0,0);
INSERT INTO card_state VALUES('rejected',1,1);
INSERT INTO card_state VALUES('rejecting',1,0);
INSERT INTO card_state VALUES('spoiled',1,1);
INSERT INTO card_state VALUES('void',1,1);
CREATE TABLE transition (
  from_state TEXT NOT NULL REFERENCES card_state (name),
  to_state TEXT NOT NULL REFERENCES card_state (name),
  why TEXT NOT NULL,
  PRIMARY KEY (from_state, to_state)
) STRICT, WITHOUT ROWID;
INSERT INTO transition VALUES('at-station','doubt','outcome unknown: the card is not where it was');
INSERT INTO transition VALUES('at-station','encoding','intent: write the chip');
INSERT INTO transition VALUES('at-station','printing','intent: print a card without chip');
INSERT INTO transition VALUES('at-station','rejecting','intent: reject');
INSERT INTO transition VALUES('at-station','spoiled','observed: taken out by hand');
INSERT INTO transition VALUES('cancelled','queued','the job was started again');
INSERT INTO transition VALUES('done','void','a person declared the card void');
INSERT INTO transition VALUES('doubt','at-station','observed: its untouched card stands in the machine');
INSERT INTO transition VALUES('doubt','done','settled: the card is good');
INSERT INTO transition VALUES('doubt','encoded','observed: its finished chip is at the station, nothing printed');
INSERT INTO transition VALUES('doubt','queued','settled: no card was used, or it is still blank');
INSERT INTO transition VALUES('doubt','rejected','settled: the card lies in the reject box');
INSERT INTO transition VALUES('doubt','rejecting','intent: reject a card that was found inside');
INSERT INTO transition VALUES('doubt','spoiled','settled: the card is not good and was taken out');
INSERT INTO transition VALUES('encoded','doubt','outcome unknown: the card is not where it was');
INSERT INTO transition VALUES('encoded','printing','intent: print');
INSERT INTO transition VALUES('encoded','rejecting','intent: reject');
INSERT INTO transition VALUES('encoded','spoiled','observed: taken out by hand');
INSERT INTO transition VALUES('encoding','at-station','outcome: the chip was not written, write it again');
INSERT INTO transition VALUES('encoding','doubt','outcome unknown');
INSERT INTO transition VALUES('encoding','encoded','outcome: chip written and proved');
INSERT INTO transition VALUES('encoding','rejecting','intent: reject, the chip is not good');
INSERT INTO transition VALUES('encoding','spoiled','observed: taken out by hand');
INSERT INTO transition VALUES('feeding','at-station','outcome: the printer confirmed the feed');
INSERT INTO transition VALUES('feeding','doubt','outcome unknown');
INSERT INTO transition VALUES('feeding','queued','outcome: the printer says that nothing was fed');
INSERT INTO transition VALUES('feeding','rejecting','intent: reject a card that stands at no known place');
INSERT INTO transition VALUES('feeding','spoiled','observed: jammed and taken out by hand');
INSERT INTO transition VALUES('printing','at-station','outcome: known not printed, a card without chip');
INSERT INTO transition VALUES('printing','done','outcome: printed and ejected, by the printer''s word or its counter');
INSERT INTO transition VALUES('printing','doubt','outcome unknown');
INSERT INTO transition VALUES('printing','encoded','outcome: known not printed, the chip is good');
INSERT INTO transition VALUES('printing','rejecting','intent: reject a misprint');
INSERT INTO transition VALUES('printing','spoiled','observed: jammed and taken out by hand');
INSERT INTO transition VALUES('queued','cancelled','the job was cancelled before the feed');
INSERT INTO transition VALUES('queued','feeding','intent: feed');
INSERT INTO transition VALUES('rejecting','doubt','outcome unknown');
INSERT INTO transition VALUES('rejecting','rejected','outcome: seen to go to the reject box');
INSERT INTO transition VALUES('rejecting','rejecting','intent: reject again, the card is known not to have moved');
INSERT INTO transition VALUES('rejecting','spoiled','observed: taken out by hand');
CREATE TABLE event (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  up INTEGER NOT NULL,
  kind TEXT NOT NULL,
  job TEXT NOT NULL,
  card INTEGER NOT NULL,
  actor TEXT NOT NULL,
  data TEXT NOT NULL,
  data_hash TEXT NOT NULL,
  prev TEXT NOT NULL,
  hash TEXT NOT NULL
) STRICT;
INSERT INTO event VALUES(1,1795261950805,14691534,'ledger-created','',0,'root','{"ledger":"b97d82c2-759c-4f80-9b62-646a42bcd5a9","version":1}','46bacccbafcce379f8b7928a18a8cb142e0c0e92b6f2e8a1eeb90ea332184375','0000000000000000000000000000000000000000000000000000000000000000','a54d99c4a8eb5e70dc8f8bb8d4e8353e2a4f878c269755273c43057179d94c6b');
INSERT INTO event VALUES(2,1795261950813,14691542,'job-admitted','urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',0,'wang','{"batch_hash":"h1","cups_id":12,"ended":0,"id":1,"n_cards":4,"order":"DEMO-1","printer":"cards","printer_model":"Evolis Dualys 3","printer_serial":"S0001","repeats":"","started":0,"state":"","station":"nfc:pn532","template":"special-operation","user":"wang","uuid":"urn:uuid:aaaaaaaa-0000-4000-8000-000000000001"}','390fdb4f10bbe6e683e571be8e73507cb4380a8b5409a3044844e1862983ef68','a54d99c4a8eb5e70dc8f8bb8d4e8353e2a4f878c269755273c43057179d94c6b','21af2ccd1503288a526ea84465e93c8c9244accff7ae45392c14630dc3f9ea09');
INSERT INTO event VALUES(3,1795261950814,14691542,'card-admitted','urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',1,'pass','{"attempt":1,"card":1,"copy":1,"name":"王*","number":"T3301**********01","record_hash":"record-1","replaces":0}','aae897acb72aed2d9cb5e171f168f14c09ff249c6ffc891ac76565429d613271','21af2ccd1503288a526ea84465e93c8c9244accff7ae45392c14630dc3f9ea09','5027c6ee914ddbb6e1d3b73b5a22305bc0c6d6a3ddec585a5a75c3f292116065');
INSERT INTO event VALUES(4,1795261950814,14691543,'card-moved','urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',1,'root','{"from":"queued","to":"feeding"}','0740cd087be26f5f793ac6dbda0d09a95386809b8d158b2d0eec559cc2a6ae2e','5027c6ee914ddbb6e1d3b73b5a22305bc0c6d6a3ddec585a5a75c3f292116065','d710b50cd45f484efc1fa7e9356a9c457f0da4566b228b1d6e6135d009e78205');
INSERT INTO event VALUES(5,1795261950815,14691543,'card-moved','urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',1,'root','{"from":"feeding","to":"at-station"}','73d01caa5bb12fbacdc41f800cf50b637900daa1b93eb835d25cad5831e3ad56','d710b50cd45f484efc1fa7e9356a9c457f0da4566b228b1d6e6135d009e78205','4cd4232ac2b8ddf4327b65de1c870bf8739a30506861741c1336532cc834270d');
INSERT INTO event VALUES(6,1795261950817,14691546,'card-moved','urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',1,'root','{"chip_hash":"c0","from":"at-station","printer_serial":"S0001","to":"encoding","uid":"04aa"}','f3c0ba0c89a06524917089bab7e67fd234e6911c7312dfbe943ba9f5de7cce22','4cd4232ac2b8ddf4327b65de1c870bf8739a30506861741c1336532cc834270d','4a4512b1e4f51e8286fb0ebd68354c24fe2ead2086093853d077fe37e15e09e5');
INSERT INTO event VALUES(7,1795261950818,14691546,'card-moved','urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',1,'root','{"from":"encoding","to":"encoded"}','bad025d249429dea232567e5debb0defa443be08db8d57b3da3bbbca576f163f','4a4512b1e4f51e8286fb0ebd68354c24fe2ead2086093853d077fe37e15e09e5','f6986f3d723270ef0b96d447f21bfa664ae1eb28049c6484a02bec9c797c8715');
INSERT INTO event VALUES(8,1795261950819,14691547,'card-moved','urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',1,'root','{"from":"encoded","to":"printing"}','d39ce40a9d7ffcb5f105f70b0c96297a3eb272505e6e1b6997382e818f9b9dd4','f6986f3d723270ef0b96d447f21bfa664ae1eb28049c6484a02bec9c797c8715','58e77024d6a09c707171f3db4472f0017d8efb1bbd2f587332c847a39201b3b1');
INSERT INTO event VALUES(9,1795261950824,14691552,'card-moved','urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',1,'root','{"from":"printing","to":"done"}','f7f8fdf7b9e61757b9b5418b730876a383270b67392e323890bda112909912b7','58e77024d6a09c707171f3db4472f0017d8efb1bbd2f587332c847a39201b3b1','055fce208f802b0b8899eb8d4a74511d2e8d123ca110991c786e369078c73956');
INSERT INTO event VALUES(10,1795261950825,14691553,'card-admitted','urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',2,'pass','{"attempt":1,"card":2,"copy":1,"name":"王*","number":"T3301**********02","record_hash":"record-2","replaces":0}','dbef453ef8b0dcc39a557c8ac8ff68185ebaf98ad0d417e8a7d686ea849a4ce5','055fce208f802b0b8899eb8d4a74511d2e8d123ca110991c786e369078c73956','08110cf3749b2937ba5ce54d016d20dbcd2f9a31392de5fbb15a28f9519868b9');
INSERT INTO event VALUES(11,1795261950825,14691553,'card-moved','urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',2,'root','{"from":"queued","to":"feeding"}','0740cd087be26f5f793ac6dbda0d09a95386809b8d158b2d0eec559cc2a6ae2e','08110cf3749b2937ba5ce54d016d20dbcd2f9a31392de5fbb15a28f9519868b9','3a8f73c7dddc29ee8ff42aee6941a7afbd399d12bcd1a4041baf299da8f5b89a');
INSERT INTO event VALUES(12,1795261950825,14691554,'card-moved','urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',2,'root','{"from":"feeding","to":"at-station"}','73d01caa5bb12fbacdc41f800cf50b637900daa1b93eb835d25cad5831e3ad56','3a8f73c7dddc29ee8ff42aee6941a7afbd399d12bcd1a4041baf299da8f5b89a','b1461590c400ce8e352611c2dc26fb27403494b2394c7c071bb3d7361b32eebd');
INSERT INTO event VALUES(13,1795261950826,14691554,'failure-recorded','urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',0,'pass','{"at":1795261950826,"attempt":1,"card":2,"cause":"The card is jammed","cleared":0,"code":"jam-feeding","copy":1,"cups_id":12,"done":"","holder":"王*","id":1,"job":"urn:uuid:aaaaaaaa-0000-4000-8000-000000000001","machine":"Evolis Dualys 3","operator":"wang","order":"DEMO-1","raw":"CARD JAM","serial":"S0001","station":"nfc:pn532","step":"feed"}','b477555c5acc9be0a78a08fad8bdcd0daf57dd77b29960440ad37210dc3205d9','b1461590c400ce8e352611c2dc26fb27403494b2394c7c071bb3d7361b32eebd','d4036cb5c39dc0a9e9d257069e2d7bc90d9cbd57800be59783ba75721a7f1bc6');
INSERT INTO event VALUES(14,1795261950826,14691555,'card-moved','urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',2,'root','{"from":"at-station","to":"rejecting"}','de99ad862c328e568ca61a5814193464e46b332029e92feb11316b63abb866d7','d4036cb5c39dc0a9e9d257069e2d7bc90d9cbd57800be59783ba75721a7f1bc6','1065836ec3860728e8b8721d7d1327496f775babcb0c12c798680eb4dad6326a');
INSERT INTO event VALUES(15,1795261950827,14691555,'card-moved','urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',2,'root','{"from":"rejecting","to":"rejected"}','5371c7f1380bfda4f853c2880c1b67c832c074eaf088833a301ac74ee2f78af3','1065836ec3860728e8b8721d7d1327496f775babcb0c12c798680eb4dad6326a','0a565d2c60deafa38ed01d63910d68e46adae732765f58bcef35347fcf3f3811');
INSERT INTO event VALUES(16,1795261950827,14691555,'failure-cleared','urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',0,'pass','{"cleared":1795261950827,"done":"rejected","id":1}','bd6802056b7efc85e70f4c04f500b16a008335db101dc616329c6827b0629e29','0a565d2c60deafa38ed01d63910d68e46adae732765f58bcef35347fcf3f3811','1d84d7f0c6fd391a0dd1c968383495898f84e8465ec29ab793c798a4c2befe4d');
INSERT INTO event VALUES(17,1795261950833,14691562,'card-replaced','urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',3,'pass','{"attempt":2,"card":2,"copy":1,"name":"王*","number":"T3301**********02","record_hash":"record-2","replaces":2}','1f3a1da3fb33d7749ef0547b643fc14d765d015b73898694b2eaf55ece4196cc','1d84d7f0c6fd391a0dd1c968383495898f84e8465ec29ab793c798a4c2befe4d','51f32ceb9f55f9c746441a7318ea4318b480b7bd396d930acddfaab23ca1c120');
INSERT INTO event VALUES(18,1795261950834,14691562,'failure-recorded','urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',0,'pass','{"at":1795261950834,"attempt":0,"card":2,"cause":"","cleared":0,"code":"hopper-empty","copy":1,"cups_id":12,"done":"","holder":"","id":2,"job":"urn:uuid:aaaaaaaa-0000-4000-8000-000000000001","machine":"Evolis Dualys 3","operator":"wang","order":"DEMO-1","raw":"","serial":"S0001","station":"nfc:pn532","step":""}','1275ddce75782c948af04d2c4bbca01ed8f5f5e0551bf53976e6448b602f9f65','51f32ceb9f55f9c746441a7318ea4318b480b7bd396d930acddfaab23ca1c120','dccfc2bb824e532c8dbd88423c73ff1329ba9e7d93a5947b1f9dd9de22e40a3b');
INSERT INTO event VALUES(19,1795283180184,35920913,'host-booted','',0,'root','{"boot":"a3456407-606c-4c63-ace9-2744439120f4"}','f6c98cc551004c1f0ba682529b04bc10b6c575dbf04e2bb9e9c9767bad969101','dccfc2bb824e532c8dbd88423c73ff1329ba9e7d93a5947b1f9dd9de22e40a3b','d97c740401611814ca2d1552efe03334d66d68e1377804e74050d22cd0012008');
INSERT INTO event VALUES(20,1795283180184,35920918,'ledger-converted','',0,'root','{"boot":"a3456407-606c-4c63-ace9-2744439120f4","from":1,"to":2}','8f26f1ea48013291797d54368814dd2c1827a1efeda193ab9149f02dee692721','d97c740401611814ca2d1552efe03334d66d68e1377804e74050d22cd0012008','c908caf4215664fc416a43c3c123d319adeacf17b9dd60af0ed95ee8ef8a40f8');
INSERT INTO event VALUES(21,1795283180197,35920926,'failure-noted','urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',0,'root','{"cause":"","file":"","file_name":"","file_size":0,"id":1,"note":"roller cleaned"}','172053f47f190646f3464d0e415a4cdf7649efb136af01e54511b80462b97d04','c908caf4215664fc416a43c3c123d319adeacf17b9dd60af0ed95ee8ef8a40f8','8a923645c4c9dd95da9e3a0d5a5121ec643a762e6f2470cb6e74049cd2f1f3a7');
CREATE TABLE job (
  id INTEGER PRIMARY KEY,
  uuid TEXT NOT NULL UNIQUE CHECK (uuid <> ''),
  cups_id INTEGER NOT NULL,
  "order" TEXT NOT NULL,
  template TEXT NOT NULL,
  batch_hash TEXT NOT NULL,
  printer TEXT NOT NULL,
  printer_model TEXT NOT NULL,
  printer_serial TEXT NOT NULL,
  station TEXT NOT NULL,
  user TEXT NOT NULL,
  n_cards INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('active', 'held', 'stopped', 'done', 'cancelled')),
  started INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  repeats TEXT NOT NULL,
  event INTEGER NOT NULL REFERENCES event (seq)
) STRICT;
INSERT INTO job VALUES(1,'urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',12,'DEMO-1','special-operation','h1','cards','Evolis Dualys 3','S0001','nfc:pn532','wang',4,'active',1795261950813,0,'',2);
CREATE TABLE card (
  id INTEGER PRIMARY KEY,
  job TEXT NOT NULL REFERENCES job (uuid),
  card INTEGER NOT NULL CHECK (card > 0),
  copy INTEGER NOT NULL CHECK (copy > 0),
  attempt INTEGER NOT NULL CHECK (attempt > 0),
  state TEXT NOT NULL REFERENCES card_state (name),
  number TEXT NOT NULL,
  name TEXT NOT NULL,
  record_hash TEXT NOT NULL,
  uid TEXT NOT NULL DEFAULT '',
  chip_hash TEXT NOT NULL DEFAULT '',
  front_hash TEXT NOT NULL DEFAULT '',
  back_hash TEXT NOT NULL DEFAULT '',
  printer_serial TEXT NOT NULL DEFAULT '',
  counter_before INTEGER NOT NULL DEFAULT -1,
  cause TEXT NOT NULL DEFAULT '',
  replaces INTEGER NOT NULL,
  proved INTEGER NOT NULL DEFAULT 0,
  changed INTEGER NOT NULL,
  event INTEGER NOT NULL REFERENCES event (seq),
  UNIQUE (job, card, copy, attempt)
) STRICT;
INSERT INTO card VALUES(1,'urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',1,1,1,'done','T3301**********01','王*','record-1','04aa','c0','','','S0001',-1,'',0,1,1795261950824,9);
INSERT INTO card VALUES(2,'urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',2,1,1,'rejected','T3301**********02','王*','record-2','','','','','',-1,'',0,0,1795261950827,15);
INSERT INTO card VALUES(3,'urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',2,1,2,'queued','T3301**********02','王*','record-2','','','','','',-1,'',2,0,1795261950833,17);
CREATE TABLE meta (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  ledger TEXT NOT NULL,
  n_events INTEGER NOT NULL,
  head TEXT NOT NULL,
  boot TEXT NOT NULL
) STRICT;
INSERT INTO meta VALUES(1,'b97d82c2-759c-4f80-9b62-646a42bcd5a9',21,'8a923645c4c9dd95da9e3a0d5a5121ec643a762e6f2470cb6e74049cd2f1f3a7','a3456407-606c-4c63-ace9-2744439120f4');
CREATE TABLE failure (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  cleared INTEGER NOT NULL,
  zone INTEGER NOT NULL,
  machine TEXT NOT NULL,
  serial TEXT NOT NULL,
  station TEXT NOT NULL,
  "order" TEXT NOT NULL,
  job TEXT NOT NULL,
  cups_id INTEGER NOT NULL,
  card INTEGER NOT NULL,
  copy INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  holder TEXT NOT NULL,
  step TEXT NOT NULL,
  code TEXT NOT NULL,
  cause TEXT NOT NULL,
  raw TEXT NOT NULL,
  done TEXT NOT NULL,
  operator TEXT NOT NULL,
  cards_lost INTEGER NOT NULL,
  panels_lost INTEGER NOT NULL,
  notes INTEGER NOT NULL,
  reviewer TEXT NOT NULL,
  recorded INTEGER NOT NULL,
  closed INTEGER NOT NULL,
  review INTEGER NOT NULL,
  event INTEGER NOT NULL REFERENCES event (seq)
) STRICT;
INSERT INTO failure VALUES(1,1795261950826,1795261950827,0,'Evolis Dualys 3','S0001','nfc:pn532','DEMO-1','urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',12,2,1,1,'王*','feed','jam-feeding','The card is jammed','CARD JAM','rejected','wang',0,0,1,'',13,16,0,21);
INSERT INTO failure VALUES(2,1795261950834,0,0,'Evolis Dualys 3','S0001','nfc:pn532','DEMO-1','urn:uuid:aaaaaaaa-0000-4000-8000-000000000001',12,2,1,0,'','','hopper-empty','','','','wang',0,0,0,'',18,0,0,18);
CREATE TABLE failure_note (
  event INTEGER PRIMARY KEY REFERENCES event (seq),
  failure INTEGER NOT NULL,
  at INTEGER NOT NULL,
  person TEXT NOT NULL,
  cause TEXT NOT NULL,
  note TEXT NOT NULL,
  file TEXT NOT NULL,
  file_name TEXT NOT NULL,
  file_size INTEGER NOT NULL
) STRICT;
INSERT INTO failure_note VALUES(21,1,1795283180197,'root','','roller cleaned','','',0);
CREATE TABLE review (
  event INTEGER PRIMARY KEY REFERENCES event (seq),
  at INTEGER NOT NULL,
  person TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  text TEXT NOT NULL,
  signature TEXT NOT NULL
) STRICT;
CREATE TABLE person (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (name <> ''),
  role TEXT NOT NULL,
  login TEXT NOT NULL,
  fingerprint TEXT NOT NULL UNIQUE,
  public TEXT NOT NULL,
  sealed TEXT NOT NULL,
  added INTEGER NOT NULL,
  retired INTEGER NOT NULL,
  event INTEGER NOT NULL REFERENCES event (seq)
) STRICT;
CREATE TABLE tombstone (
  event INTEGER PRIMARY KEY REFERENCES event (seq),
  at INTEGER NOT NULL,
  n_records INTEGER NOT NULL,
  first_id INTEGER NOT NULL,
  last_id INTEGER NOT NULL,
  first_hash TEXT NOT NULL,
  last_hash TEXT NOT NULL,
  person TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  text TEXT NOT NULL,
  signature TEXT NOT NULL
) STRICT;
CREATE INDEX event_card ON event (card) WHERE card <> 0;
CREATE INDEX job_batch ON job (batch_hash) WHERE batch_hash <> '';
CREATE INDEX job_cups_id ON job (cups_id);
CREATE UNIQUE INDEX card_one_live ON card (job, card, copy)
  WHERE state NOT IN ('rejected', 'spoiled', 'cancelled', 'void');
CREATE UNIQUE INDEX card_one_uid ON card (uid)
  WHERE uid <> '' AND state NOT IN ('rejected', 'spoiled', 'cancelled', 'void');
CREATE INDEX card_uid ON card (uid) WHERE uid <> '';
CREATE INDEX card_open ON card (state, printer_serial);
CREATE INDEX card_printer ON card (printer_serial, state);
CREATE INDEX failure_job ON failure (job);
CREATE INDEX failure_at ON failure (at);
CREATE INDEX failure_serial ON failure (serial, at);
CREATE INDEX failure_machine ON failure (machine, at);
CREATE INDEX failure_code ON failure (code, at);
CREATE INDEX failure_order ON failure ("order", at);
CREATE INDEX failure_operator ON failure (operator, at);
CREATE INDEX failure_reviewer ON failure (reviewer, at);
CREATE INDEX failure_open ON failure (at) WHERE cleared = 0;
CREATE INDEX failure_due ON failure (at) WHERE review = 0;
CREATE INDEX failure_review ON failure (review) WHERE review <> 0;
CREATE INDEX failure_note_of ON failure_note (failure);
CREATE INDEX failure_note_file ON failure_note (file) WHERE file <> '';
CREATE UNIQUE INDEX person_login ON person (login) WHERE login <> '' AND retired = 0;
CREATE TRIGGER event_counts AFTER INSERT ON event BEGIN
  UPDATE meta SET n_events = new.seq, head = new.hash,
    ledger = iif(new.kind = 'ledger-created', json_extract(new.data, '$.ledger'), ledger),
    boot = iif(new.kind IN ('ledger-created', 'ledger-converted', 'host-booted'), coalesce(json_extract(new.data, '$.boot'), ''), boot);
END;
CREATE TRIGGER event_admits_job AFTER INSERT ON event WHEN new.kind = 'job-admitted' BEGIN
  INSERT INTO job SELECT json_extract(d, '$.id'), new.job, json_extract(d, '$.cups_id'), json_extract(d, '$.order'), json_extract(d, '$.template'),
    json_extract(d, '$.batch_hash'), json_extract(d, '$.printer'), json_extract(d, '$.printer_model'), json_extract(d, '$.printer_serial'),
    json_extract(d, '$.station'), json_extract(d, '$.user'), json_extract(d, '$.n_cards'), 'active', new.at, 0, json_extract(d, '$.repeats'), new.seq
    FROM (SELECT new.data AS d);
END;
CREATE TRIGGER event_admits_job_again AFTER INSERT ON event WHEN new.kind = 'job-again' BEGIN
  UPDATE job SET cups_id = json_extract(new.data, '$.cups_id'), printer = json_extract(new.data, '$.printer'),
    printer_model = json_extract(new.data, '$.printer_model'), printer_serial = json_extract(new.data, '$.printer_serial'),
    station = json_extract(new.data, '$.station'), n_cards = json_extract(new.data, '$.n_cards'),
    state = 'active', ended = 0, event = new.seq WHERE uuid = new.job;
  SELECT RAISE(ABORT, 'no such job') WHERE changes() = 0;
END;
CREATE TRIGGER event_changes_job AFTER INSERT ON event WHEN new.kind = 'job-state' BEGIN
  UPDATE job SET state = json_extract(new.data, '$.state'),
    ended = iif(json_extract(new.data, '$.state') IN ('done', 'cancelled'), new.at, 0), event = new.seq
    WHERE uuid = new.job;
  SELECT RAISE(ABORT, 'no such job') WHERE changes() = 0;
END;
CREATE TRIGGER event_admits_card AFTER INSERT ON event
  WHEN new.kind IN ('card-admitted', 'card-replaced') BEGIN
  SELECT RAISE(ABORT, 'a fresh card replaces a rejected, spoiled or void one of the same record')
    WHERE new.kind = 'card-replaced' AND NOT EXISTS (SELECT 1 FROM card WHERE
      id = json_extract(new.data, '$.replaces') AND job = new.job AND card = json_extract(new.data, '$.card') AND
      copy = json_extract(new.data, '$.copy') AND record_hash = json_extract(new.data, '$.record_hash') AND
      state IN ('rejected', 'spoiled', 'void'));
  INSERT INTO card (id, job, card, copy, attempt, state, number, name, record_hash, replaces,
    changed, event)
    SELECT new.card, new.job, json_extract(d, '$.card'), json_extract(d, '$.copy'), json_extract(d, '$.attempt'), 'queued',
      json_extract(d, '$.number'), json_extract(d, '$.name'), json_extract(d, '$.record_hash'),
      iif(new.kind = 'card-replaced', json_extract(d, '$.replaces'), 0), new.at, new.seq
      FROM (SELECT new.data AS d);
END;
CREATE TRIGGER event_moves_card AFTER INSERT ON event WHEN new.kind = 'card-moved' BEGIN
  UPDATE card SET state = json_extract(d, '$.to'),
    uid = iif(json_extract(d, '$.to') = 'queued', '', coalesce(json_extract(d, '$.uid'), uid)),
    chip_hash = iif(json_extract(d, '$.to') = 'queued', '', coalesce(json_extract(d, '$.chip_hash'), chip_hash)),
    front_hash = iif(json_extract(d, '$.to') = 'queued', '', coalesce(json_extract(d, '$.front_hash'), front_hash)),
    back_hash = iif(json_extract(d, '$.to') = 'queued', '', coalesce(json_extract(d, '$.back_hash'), back_hash)),
    printer_serial = iif(json_extract(d, '$.to') = 'queued', '', coalesce(json_extract(d, '$.printer_serial'), printer_serial)),
    counter_before = iif(json_extract(d, '$.to') = 'queued', -1, coalesce(json_extract(d, '$.counter_before'), counter_before)),
    proved = iif(json_extract(d, '$.to') = 'queued', 0, proved OR json_extract(d, '$.to') = 'encoded'),
    cause = coalesce(json_extract(d, '$.cause'), cause), changed = new.at, event = new.seq
    FROM (SELECT new.data AS d)
    WHERE id = new.card AND job = new.job AND state = json_extract(d, '$.from');
  SELECT RAISE(ABORT, 'no such card in that state') WHERE changes() = 0;
END;
CREATE TRIGGER card_starts_queued BEFORE INSERT ON card BEGIN
  SELECT RAISE(ABORT, 'a card starts in the queue') WHERE new.state <> 'queued';
END;
CREATE TRIGGER card_moves BEFORE UPDATE ON card BEGIN
  SELECT RAISE(ABORT, 'illegal transition') WHERE NOT EXISTS (SELECT 1 FROM transition
    WHERE from_state = old.state AND to_state = new.state);
  SELECT RAISE(ABORT, 'the identity of a card never changes') WHERE new.id <> old.id OR
    new.job <> old.job OR new.card <> old.card OR new.copy <> old.copy OR
    new.attempt <> old.attempt OR new.record_hash <> old.record_hash OR
    new.replaces <> old.replaces;
  SELECT RAISE(ABORT, 'the chip of a card never changes') WHERE old.uid <> '' AND
    new.uid <> old.uid AND new.state <> 'queued';
END;
CREATE TRIGGER event_records_failure AFTER INSERT ON event
  WHEN new.kind = 'failure-recorded' AND new.data <> '' BEGIN
  INSERT INTO failure SELECT json_extract(d, '$.id'), json_extract(d, '$.at'), 0, coalesce(json_extract(d, '$.zone'), 0),
    json_extract(d, '$.machine'), json_extract(d, '$.serial'),
    json_extract(d, '$.station'), json_extract(d, '$.order'), new.job, json_extract(d, '$.cups_id'), json_extract(d, '$.card'), json_extract(d, '$.copy'),
    json_extract(d, '$.attempt'), json_extract(d, '$.holder'), json_extract(d, '$.step'), json_extract(d, '$.code'), json_extract(d, '$.cause'), json_extract(d, '$.raw'),
    json_extract(d, '$.done'), json_extract(d, '$.operator'), 0, 0, 0, '', new.seq, 0, 0, new.seq FROM (SELECT new.data AS d);
END;
CREATE TRIGGER event_clears_failure AFTER INSERT ON event
  WHEN new.kind = 'failure-cleared' AND new.data <> '' BEGIN
  UPDATE failure SET cleared = json_extract(new.data, '$.cleared'), done = coalesce(json_extract(new.data, '$.done'), done),
    cards_lost = coalesce(json_extract(new.data, '$.cards_lost'), 0), panels_lost = coalesce(json_extract(new.data, '$.panels_lost'), 0),
    closed = new.seq, event = new.seq WHERE id = json_extract(new.data, '$.id') AND cleared = 0;
  SELECT RAISE(ABORT, 'no such open failure') WHERE changes() = 0;
END;
CREATE TRIGGER event_notes_failure AFTER INSERT ON event
  WHEN new.kind = 'failure-noted' AND new.data <> '' BEGIN
  UPDATE failure SET notes = notes + 1, event = new.seq
    WHERE id = json_extract(new.data, '$.id') AND review = 0;
  SELECT RAISE(ABORT, 'no such failure without review') WHERE changes() = 0;
  INSERT INTO failure_note SELECT new.seq, json_extract(d, '$.id'), new.at, new.actor,
    json_extract(d, '$.cause'), json_extract(d, '$.note'), json_extract(d, '$.file'),
    json_extract(d, '$.file_name'), json_extract(d, '$.file_size') FROM (SELECT new.data AS d);
END;
CREATE TRIGGER event_reviews_failure AFTER INSERT ON event
  WHEN new.kind = 'failure-reviewed' AND new.data <> '' BEGIN
  SELECT RAISE(ABORT, 'a reviewer is a person who is not retired') WHERE NOT EXISTS
    (SELECT 1 FROM person WHERE name = json_extract(new.data, '$.person') AND retired = 0 AND
      role = 'reviewer' AND fingerprint = json_extract(new.data, '$.fingerprint'));
  SELECT RAISE(ABORT, 'a record is reviewed once, when it is cleared, by another person') WHERE
    json_array_length(new.data, '$.ids') = 0 OR json_array_length(new.data, '$.ids') <>
    (SELECT count(*) FROM failure WHERE review = 0 AND cleared <> 0 AND id IN
      (SELECT value FROM json_each(new.data, '$.ids')) AND operator NOT IN
      (SELECT name FROM person WHERE name = json_extract(new.data, '$.person') UNION
       SELECT login FROM person WHERE name = json_extract(new.data, '$.person')));
  INSERT INTO review SELECT new.seq, json_extract(d, '$.at'), json_extract(d, '$.person'), json_extract(d,
    '$.fingerprint'), json_extract(d, '$.text'), json_extract(d, '$.signature')
    FROM (SELECT new.data AS d);
  UPDATE failure SET review = new.seq, reviewer = json_extract(new.data, '$.person'), event = new.seq
    WHERE id IN (SELECT value FROM json_each(new.data, '$.ids'));
END;
CREATE TRIGGER event_adds_person AFTER INSERT ON event WHEN new.kind = 'person-added' BEGIN
  INSERT INTO person SELECT json_extract(d, '$.id'), json_extract(d, '$.name'), json_extract(d, '$.role'), json_extract(d, '$.login'),
    json_extract(d, '$.fingerprint'), json_extract(d, '$.public'), json_extract(d, '$.sealed'), new.at, 0, new.seq FROM (SELECT new.data AS d);
END;
CREATE TRIGGER event_retires_person AFTER INSERT ON event WHEN new.kind = 'person-retired' BEGIN
  UPDATE person SET retired = new.at, event = new.seq WHERE name = json_extract(new.data, '$.name') AND retired = 0;
  SELECT RAISE(ABORT, 'no such person at work') WHERE changes() = 0;
END;
CREATE TRIGGER event_purges_failures AFTER INSERT ON event WHEN new.kind = 'failure-purged' BEGIN
  DELETE FROM failure_note WHERE event IN (SELECT value FROM json_each(new.data, '$.events'));
  DELETE FROM review WHERE event IN (SELECT value FROM json_each(new.data, '$.events'));
  DELETE FROM failure WHERE id IN (SELECT value FROM json_each(new.data, '$.ids'));
  UPDATE event SET data = '' WHERE seq IN (SELECT value FROM json_each(new.data, '$.events'));
  INSERT INTO tombstone SELECT new.seq, new.at, json_array_length(d, '$.ids'), json_extract(d, '$.first_id'), json_extract(d, '$.last_id'),
    json_extract(d, '$.first_hash'), json_extract(d, '$.last_hash'), json_extract(d, '$.person'), json_extract(d, '$.fingerprint'),
    json_extract(d, '$.text'), json_extract(d, '$.signature') FROM (SELECT new.data AS d);
END;
CREATE TRIGGER event_follows BEFORE INSERT ON event BEGIN
  SELECT RAISE(ABORT, 'an event follows the last one')
    WHERE NOT EXISTS (SELECT 1 FROM meta WHERE n_events + 1 = new.seq AND head = new.prev);
END;
CREATE TRIGGER event_remains BEFORE DELETE ON event BEGIN
  SELECT RAISE(ABORT, 'an event is never deleted');
END;
CREATE TRIGGER meta_follows BEFORE UPDATE ON meta BEGIN
  SELECT RAISE(ABORT, 'the head of the chain is its last event') WHERE NOT EXISTS
    (SELECT 1 FROM event WHERE seq = new.n_events AND hash = new.head AND
      seq = (SELECT max(seq) FROM event))
    OR (new.ledger <> old.ledger AND old.ledger <> '');
END;
CREATE TRIGGER meta_remains BEFORE DELETE ON meta BEGIN
  SELECT RAISE(ABORT, 'the head of the chain is never deleted');
END;
CREATE TRIGGER job_follows BEFORE UPDATE ON job BEGIN
  SELECT RAISE(ABORT, 'a job changes by an event only') WHERE new.event <= old.event OR
    NOT EXISTS (SELECT 1 FROM event WHERE seq = new.event AND job = new.uuid AND
      seq = (SELECT max(seq) FROM event));
END;
CREATE TRIGGER job_enters BEFORE INSERT ON job BEGIN
  SELECT RAISE(ABORT, 'a job enters by an event only') WHERE NOT EXISTS (SELECT 1 FROM event
    WHERE seq = new.event AND kind = 'job-admitted' AND job = new.uuid AND
      seq = (SELECT max(seq) FROM event));
END;
CREATE TRIGGER job_remains BEFORE DELETE ON job BEGIN
  SELECT RAISE(ABORT, 'a job is never deleted');
END;
CREATE TRIGGER card_follows BEFORE UPDATE ON card BEGIN
  SELECT RAISE(ABORT, 'a card changes by an event only') WHERE new.event <= old.event OR
    NOT EXISTS (SELECT 1 FROM event WHERE seq = new.event AND kind = 'card-moved' AND
      card = new.id AND seq = (SELECT max(seq) FROM event));
END;
CREATE TRIGGER card_enters BEFORE INSERT ON card BEGIN
  SELECT RAISE(ABORT, 'a card enters by an event only') WHERE NOT EXISTS (SELECT 1 FROM event
    WHERE seq = new.event AND kind IN ('card-admitted', 'card-replaced') AND card = new.id AND
      seq = (SELECT max(seq) FROM event));
END;
CREATE TRIGGER card_remains BEFORE DELETE ON card BEGIN
  SELECT RAISE(ABORT, 'a card is never deleted');
END;
CREATE TRIGGER card_state_stays BEFORE UPDATE ON card_state BEGIN
  SELECT RAISE(ABORT, 'the states are fixed');
END;
CREATE TRIGGER card_state_remains BEFORE DELETE ON card_state BEGIN
  SELECT RAISE(ABORT, 'the states are fixed');
END;
CREATE TRIGGER card_state_closed BEFORE INSERT ON card_state BEGIN
  SELECT RAISE(ABORT, 'the states are fixed');
END;
CREATE TRIGGER transition_stays BEFORE UPDATE ON transition BEGIN
  SELECT RAISE(ABORT, 'the transitions are fixed');
END;
CREATE TRIGGER transition_remains BEFORE DELETE ON transition BEGIN
  SELECT RAISE(ABORT, 'the transitions are fixed');
END;
CREATE TRIGGER transition_closed BEFORE INSERT ON transition BEGIN
  SELECT RAISE(ABORT, 'the transitions are fixed');
END;
CREATE TRIGGER event_stays BEFORE UPDATE ON event BEGIN
  SELECT RAISE(ABORT, 'an event is never changed')
    WHERE new.data <> '' OR new.seq <> old.seq OR new.at <> old.at OR new.up <> old.up OR
    new.kind <> old.kind OR new.job <> old.job OR new.card <> old.card OR new.actor <> old.actor OR
    new.data_hash <> old.data_hash OR new.prev <> old.prev OR new.hash <> old.hash OR
    old.kind NOT IN ('failure-recorded', 'failure-cleared', 'failure-noted', 'failure-reviewed');
  SELECT RAISE(ABORT, 'an event is kept three calendar months and until it is purged') WHERE NOT EXISTS
    (SELECT 1 FROM event AS t WHERE t.seq = (SELECT max(seq) FROM event) AND
      t.kind = 'failure-purged' AND old.seq IN (SELECT value FROM json_each(t.data, '$.events')) AND min(date(old.at / 1000 + json_extract(t.data, '$.zone_max'), 'unixepoch', 'start of month', (max(3, json_extract(t.data, '$.months')) + 1) || ' months', '-1 day'),
        date(old.at / 1000 + json_extract(t.data, '$.zone_max'), 'unixepoch', max(3, json_extract(t.data, '$.months')) || ' months'))
        < date(t.at / 1000 + json_extract(t.data, '$.zone'), 'unixepoch') AND
      abs(json_extract(t.data, '$.zone')) <= 50400 AND
      json_extract(t.data, '$.zone') <= json_extract(t.data, '$.zone_max'));
END;
CREATE TRIGGER failure_follows BEFORE UPDATE ON failure BEGIN
  SELECT RAISE(ABORT, 'a failure changes by an event only') WHERE new.event <= old.event OR
    NOT EXISTS (SELECT 1 FROM event WHERE seq = new.event AND kind IN ('failure-cleared', 'failure-noted', 'failure-reviewed') AND
      seq = (SELECT max(seq) FROM event));
  SELECT RAISE(ABORT, 'what was recorded is never changed') WHERE new.id <> old.id OR new.at <> old.at OR
    new.machine <> old.machine OR new.serial <> old.serial OR new."order" <> old."order" OR
    new.job <> old.job OR new.card <> old.card OR new.code <> old.code OR new.cause <> old.cause OR
    new.raw <> old.raw OR new.operator <> old.operator OR (old.review <> 0 AND new.review <> old.review);
END;
CREATE TRIGGER failure_enters BEFORE INSERT ON failure BEGIN
  SELECT RAISE(ABORT, 'a failure enters by an event only') WHERE NOT EXISTS
    (SELECT 1 FROM event WHERE seq = new.event AND kind = 'failure-recorded' AND
      seq = (SELECT max(seq) FROM event));
END;
CREATE TRIGGER failure_remains BEFORE DELETE ON failure BEGIN
  SELECT RAISE(ABORT, 'a failure is kept until it is reviewed and three calendar months old') WHERE old.review = 0 OR
    NOT EXISTS (SELECT 1 FROM event AS t WHERE t.seq = (SELECT max(seq) FROM event) AND
      t.kind = 'failure-purged' AND old.id IN (SELECT value FROM json_each(t.data, '$.ids')) AND min(date(max(old.at, (SELECT at FROM event WHERE seq = old.event)) / 1000 + json_extract(t.data, '$.zone_max'), 'unixepoch', 'start of month', (max(3, json_extract(t.data, '$.months')) + 1) || ' months', '-1 day'),
        date(max(old.at, (SELECT at FROM event WHERE seq = old.event)) / 1000 + json_extract(t.data, '$.zone_max'), 'unixepoch', max(3, json_extract(t.data, '$.months')) || ' months'))
        < date(t.at / 1000 + json_extract(t.data, '$.zone'), 'unixepoch') AND
      abs(json_extract(t.data, '$.zone')) <= 50400 AND
      json_extract(t.data, '$.zone') <= json_extract(t.data, '$.zone_max'));
END;
CREATE TRIGGER note_enters BEFORE INSERT ON failure_note BEGIN
  SELECT RAISE(ABORT, 'a note enters by an event only') WHERE NOT EXISTS
    (SELECT 1 FROM event WHERE seq = new.event AND kind = 'failure-noted' AND
      seq = (SELECT max(seq) FROM event));
END;
CREATE TRIGGER note_stays BEFORE UPDATE ON failure_note BEGIN
  SELECT RAISE(ABORT, 'a note is never changed');
END;
CREATE TRIGGER note_remains BEFORE DELETE ON failure_note BEGIN
  SELECT RAISE(ABORT, 'a note is kept as long as its failure') WHERE NOT EXISTS
    (SELECT 1 FROM event AS t WHERE t.seq = (SELECT max(seq) FROM event) AND
      t.kind = 'failure-purged' AND old.event IN (SELECT value FROM json_each(t.data, '$.events')) AND min(date(old.at / 1000 + json_extract(t.data, '$.zone_max'), 'unixepoch', 'start of month', (max(3, json_extract(t.data, '$.months')) + 1) || ' months', '-1 day'),
        date(old.at / 1000 + json_extract(t.data, '$.zone_max'), 'unixepoch', max(3, json_extract(t.data, '$.months')) || ' months'))
        < date(t.at / 1000 + json_extract(t.data, '$.zone'), 'unixepoch') AND
      abs(json_extract(t.data, '$.zone')) <= 50400 AND
      json_extract(t.data, '$.zone') <= json_extract(t.data, '$.zone_max'));
END;
CREATE TRIGGER review_enters BEFORE INSERT ON review BEGIN
  SELECT RAISE(ABORT, 'a review enters by an event only') WHERE NOT EXISTS
    (SELECT 1 FROM event WHERE seq = new.event AND kind = 'failure-reviewed' AND
      seq = (SELECT max(seq) FROM event));
END;
CREATE TRIGGER review_stays BEFORE UPDATE ON review BEGIN
  SELECT RAISE(ABORT, 'a review is never changed');
END;
CREATE TRIGGER review_remains BEFORE DELETE ON review BEGIN
  SELECT RAISE(ABORT, 'a review is kept as long as its failures') WHERE NOT EXISTS
    (SELECT 1 FROM event AS t WHERE t.seq = (SELECT max(seq) FROM event) AND
      t.kind = 'failure-purged' AND old.event IN (SELECT value FROM json_each(t.data, '$.events')) AND min(date(old.at / 1000 + json_extract(t.data, '$.zone_max'), 'unixepoch', 'start of month', (max(3, json_extract(t.data, '$.months')) + 1) || ' months', '-1 day'),
        date(old.at / 1000 + json_extract(t.data, '$.zone_max'), 'unixepoch', max(3, json_extract(t.data, '$.months')) || ' months'))
        < date(t.at / 1000 + json_extract(t.data, '$.zone'), 'unixepoch') AND
      abs(json_extract(t.data, '$.zone')) <= 50400 AND
      json_extract(t.data, '$.zone') <= json_extract(t.data, '$.zone_max'));
END;
CREATE TRIGGER person_enters BEFORE INSERT ON person BEGIN
  SELECT RAISE(ABORT, 'a person enters by an event only') WHERE NOT EXISTS
    (SELECT 1 FROM event WHERE seq = new.event AND kind = 'person-added' AND
      seq = (SELECT max(seq) FROM event));
END;
CREATE TRIGGER person_follows BEFORE UPDATE ON person BEGIN
  SELECT RAISE(ABORT, 'a person changes by an event only') WHERE new.event <= old.event OR
    NOT EXISTS (SELECT 1 FROM event WHERE seq = new.event AND kind = 'person-retired' AND
      seq = (SELECT max(seq) FROM event)) OR new.id <> old.id OR new.name <> old.name OR
    new.role <> old.role OR new.login <> old.login OR new.public <> old.public OR
    new.fingerprint <> old.fingerprint OR new.sealed <> old.sealed;
END;
CREATE TRIGGER person_remains BEFORE DELETE ON person BEGIN
  SELECT RAISE(ABORT, 'a person is never deleted');
END;
CREATE TRIGGER tombstone_enters BEFORE INSERT ON tombstone BEGIN
  SELECT RAISE(ABORT, 'a tombstone enters by an event only') WHERE NOT EXISTS
    (SELECT 1 FROM event WHERE seq = new.event AND kind = 'failure-purged' AND
      seq = (SELECT max(seq) FROM event));
END;
CREATE TRIGGER tombstone_stays BEFORE UPDATE ON tombstone BEGIN
  SELECT RAISE(ABORT, 'a tombstone is never changed');
END;
CREATE TRIGGER tombstone_remains BEFORE DELETE ON tombstone BEGIN
  SELECT RAISE(ABORT, 'a tombstone is never deleted');
END;
COMMIT;
