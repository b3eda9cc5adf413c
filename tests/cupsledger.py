# cupsledger.py - a person's word about cards, and what may happen to the ledger beneath a job. See check-cups.py.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import hashlib
import json
import os
import re
import shutil
import sqlite3
import time

from cupsshop import check, interrupt, next_serial, whole

# ---- a person's word: void, reprint, resolve ----

def check_reprint(s):
    cups, batch = s.cups, s.batch("REPRINT", 3)
    job = s.lp(batch)
    cups.wait_job(job)
    old = next(c for c in cups.cards(job) if c["card"] == 2)
    check("card void wants a reason", cups.cardspool("card", "void", str(old["id"]), check=False).returncode == 64)
    cups.cardspool("card", "void", str(old["id"]), "--reason", "photo of somebody else")
    out = cups.cardspool("card", "reprint", str(old["id"]), "--reason", "new photo").stdout
    fresh = [c for c in cups.cards(job) if c["card"] == 2][-1]
    check("card reprint: a new row, linked to the void card",
          fresh["state"] == "queued" and fresh["replaces"] == old["id"] and fresh["attempt"] == old["attempt"] + 1, fresh)
    check("card reprint says how the card is made", "cardspool-repeat=rest" in out and f"-d {cups.queue}" in out, out)
    story = cups.cardspool("card", "show", str(fresh["id"])).stdout
    check("card show names the old card and the reason", str(old["id"]) in story and "new photo" in story, story)
    s_before = s.good()
    cups.tell(f"chip {next_serial(s)} uid {old['uid']}")
    again = s.lp(batch, "-o", "cardspool-repeat=rest", "-P", "2")
    state = cups.wait_job(again)
    rows = [c for c in cups.cards(job) if c["card"] == 2]
    check("the void card put back into the hopper is noticed by its chip and rejected",
          [(c["state"], c["cause"]) for c in rows[1:]] == [("rejected", "uid-issued"), ("done", "")] or
          ([c["state"] for c in rows] == ["void", "rejected", "done"] and "issued" in rows[1]["cause"]), rows)
    check("the reprint made exactly that card", state == "completed" and s.good() - s_before == 1,
          (state, s.good() - s_before))
    check("the new card has another chip", rows[-1]["uid"] != old["uid"] and rows[-1]["uid"], rows[-1])
    owners = [c["id"] for c in cups.cardspool_json("card", "list", "--uid", old["uid"])["cards"] if c["state"] == "void"]
    check("the old chip stays on record", owners == [old["id"]], owners)
    restart = cups.cards(job)
    cups.run("lp", "-i", str(job), "-H", "restart")
    cups.wait(lambda: cups.job_state(job) in ("pending", "processing"), 2)
    cups.wait_job(job)
    check("the job again: the void card and its reprint are left alone",
          [c["state"] for c in cups.cards(job)] == [c["state"] for c in restart] and s.good() - s_before == 1)
    # A second set of the same batch, and one card of that set anew.
    second = s.lp(batch, "-o", "cardspool-repeat=yes")
    cups.wait_job(second)
    bad = next(c for c in cups.cards(second) if c["card"] == 3)
    cups.cardspool("card", "void", str(bad["id"]), "--reason", "scratched")
    cups.cardspool("card", "reprint", str(bad["id"]), "--reason", "scratched")
    before = s.good()
    state = cups.wait_job(s.lp(batch, "-o", "cardspool-repeat=rest"))
    rows = [c["state"] for c in cups.cards(second) if c["card"] == 3]
    check("a reprint in a second set of a batch is made too", (rows, s.good() - before) == (["void", "done"], 1),
          (rows, s.good() - before, state))
    s.sound("void and reprint")


def check_resolve(s):
    """The cable is pulled while a card jams under the head, and somebody takes it out before the cable is back."""
    cups, before = s.cups, s.good()
    cups.tell("jam print")
    cups.tell("at cmd Se unplug")
    job = s.lp(s.batch("DOUBT", 2))
    cups.wait(lambda: not cups.tell("stat")["plugged"])
    cups.wait(lambda: cups.tell("stat")["jammed"], 2)
    cups.tell("clear")
    cups.tell("plug")
    state = cups.wait_job(job)
    rows = [c for c in cups.cards(job) if c["state"] == "doubt"]
    check("a card nobody can know about holds the job", state == "pending-held" and len(rows) == 1, (state, rows))
    message = cups.printer().get("printer-state-message", "")
    check("the message names the command", f"cardspool card resolve {rows[0]['id']}" in message, message)
    lying = [c for c in cups.tell("stat")["cards"] if c["uid"] == rows[0]["uid"].lower()]
    verdict = "--good" if lying and lying[0]["bin"] == "good" else "--spoiled"
    cups.cardspool("card", "resolve", str(rows[0]["id"]), verdict, "--reason", "looked at it")
    cups.run("lp", "-i", str(job), "-H", "resume")
    cups.wait(lambda: cups.job_state(job) != "pending-held", 5)
    state = cups.wait_job(job)
    s.compare("after card resolve the job goes on, every card once", job, whole(1, (1, 2)), before)
    check("the resolved job completed", state == "completed", state)
    s.sound("resolve")


# ---- the ledger ----

def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def event_hashes(event):
    """(data_hash, hash) of an event, as doc/LEDGER.md has it."""
    event = dict(event)
    data = event.pop("data")
    event.pop("hash", None)
    event["data_hash"] = hashlib.sha256(canonical(data)).hexdigest()
    return event["data_hash"], hashlib.sha256(canonical(event)).hexdigest()


def check_export(s):
    events = [json.loads(line) for line in s.cups.cardspool("ledger", "export").stdout.splitlines()]
    prev, broken = "0" * 64, []
    for number, event in enumerate(events, 1):
        data_hash, digest = event_hashes(event)
        if (event["seq"], event["prev"], event["data_hash"], event["hash"]) != (number, prev, data_hash, digest):
            broken.append(event["seq"])
        prev = event["hash"]
    verify = s.cups.cardspool_json("ledger", "verify")
    check(f"an export of {len(events)} events proves itself by code that is not the ledger's",
          len(events) > 20 and not broken and verify["ok"] and (verify["events"], verify["head"]) == (len(events), prev),
          (broken, verify))


GUARDS = ("event_stays", "event_remains", "event_follows", "card_follows", "card_remains", "card_moves",
          "meta_follows", "job_follows", "event_counts")

# What somebody does to a copy with SQL -> what verify must say.
TAMPERINGS = (
    ("an edited event", "UPDATE event SET data = data || ' ' WHERE seq = {n}", r"event {n}\b.*edited"),
    ("a changed time", "UPDATE event SET at = at - 60000 WHERE seq = {n}", r"event {n}\b.*edited"),
    ("a deleted event", "DELETE FROM event WHERE seq = {n}", r"event {n}\b.*deleted"),
    ("two events that changed places", "UPDATE event SET seq = -1 WHERE seq = {n}; UPDATE event SET seq = {n} WHERE seq = {m};"
     "UPDATE event SET seq = {m} WHERE seq = -1", r"event {n}\b.*moved"),
    ("a cut-off end", "DELETE FROM event WHERE seq > {last} - 3", r"cut off at the end"),
    ("an edited card", "UPDATE card SET uid = 'deadbeef' WHERE id = 1", r"card 1\b.*uid"),
    ("a card moved by hand", "UPDATE card SET state = 'queued' WHERE id = 2", r"card 2\b.*state"),
    ("a deleted card", "DELETE FROM card WHERE id = 3", r"card 3\b.*deleted"),
)


def tamper(path, sql):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA foreign_keys = OFF")
    kept = [row for row in db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'") if row[0] in GUARDS]
    for name, _ in kept:
        db.execute(f"DROP TRIGGER {name}")
    last = db.execute("SELECT max(seq) FROM event").fetchone()[0]
    n = last // 2
    db.executescript(sql.format(n=n, m=n + 1, last=last))
    for _, text in kept:
        db.execute(text)
    db.close()
    return n


def check_tamper(s):
    sound = os.path.join(s.work, "sound.db")
    s.cups.cardspool("ledger", "copy", sound)
    for what, sql, wanted in TAMPERINGS:
        path = os.path.join(s.work, "tampered.db")
        shutil.copyfile(sound, path)
        n = tamper(path, sql)
        out = s.cups.cardspool("ledger", "verify", "--ledger", path, check=False)
        check(f"ledger verify names {what}", out.returncode == 65 and
              re.search(wanted.format(n=n), out.stdout + out.stderr), (out.returncode, out.stdout + out.stderr))


def refused(s, order, words):
    """A job that must not be made: the queue stops, says why, and nothing is fed. Returns the job."""
    hopper = s.cups.tell("stat")["hopper"]
    job = s.lp(s.batch(order, 1))
    state = s.cups.wait_job(job)
    message = s.cups.printer().get("printer-state-message", "")
    good = state == "printer-stopped" and hopper == s.cups.tell("stat")["hopper"]
    return job, good and all(re.search(w, message) for w in words), (state, message)


def check_bad_ledger(s):
    """A ledger that was changed, one that is older than the last job, one of a newer version."""
    cups, live = s.cups, s.cups.ledger_path()
    sound = os.path.join(s.work, "before.db")
    cups.cardspool("ledger", "copy", sound)
    stat = os.stat(live)

    def put(path):
        for name in (live + "-wal", live + "-shm"):
            if os.path.exists(name):
                os.unlink(name)
        shutil.copyfile(path, live)
        os.chown(live, stat.st_uid, stat.st_gid)

    tampered = os.path.join(s.work, "tampered.db")
    shutil.copyfile(sound, tampered)
    tamper(tampered, "UPDATE event SET data = replace(data, '\"', ' \"') WHERE seq = {last}")
    put(tampered)
    job, good, why = refused(s, "EDITED", ("changed from outside", "ledger verify"))
    check("a ledger that was changed from outside: no card, and the message says how to go on", good, why)
    cups.run("cupsenable", cups.queue)
    cups.wait(lambda: cups.job_state(job) == "processing", 2)
    state = cups.wait_job(job)
    check("it stays refused", state == "printer-stopped", state)
    put(sound)
    cups.run("cupsenable", cups.queue)
    state = cups.wait_job(job)
    check("the sound copy put back: the job goes on", state == "completed", (state, cups.printer()))
    now = os.path.join(s.work, "now.db")
    cups.cardspool("ledger", "copy", now)
    put(sound)
    job, good, why = refused(s, "OLDER", ("older|changed", "ledger verify"))
    check("an old copy in place of the ledger is refused: cards are missing in it", good, why)
    put(now)
    cups.run("cupsenable", cups.queue)
    state = cups.wait_job(job)
    check("the right ledger put back: the job goes on", state == "completed", (state, cups.printer()))
    cups.cardspool("ledger", "copy", now + "2")
    newer = os.path.join(s.work, "newer.db")
    shutil.copyfile(now + "2", newer)
    db = sqlite3.connect(newer)
    db.execute("PRAGMA user_version = 99")
    db.close()
    put(newer)
    job, good, why = refused(s, "NEWER", ("newer",))
    check("a ledger of a newer version: no card, plain words", good, why)
    put(now + "2")
    cups.run("cupsenable", cups.queue)
    state = cups.wait_job(job)
    check("after that the queue works again", state == "completed", (state, cups.printer()))
    s.compare("machine and ledger agree after all this")


def check_clock(s):
    """An event of tomorrow, written as doc/LEDGER.md says: the next one is older."""
    db = sqlite3.connect(s.cups.ledger_path(), isolation_level=None)
    seq, prev = db.execute("SELECT n_events, head FROM meta").fetchone()
    event = {"seq": seq + 1, "at": int(time.time() * 1000) + 86400000, "up": 1, "kind": "note", "job": "", "card": 0,
             "actor": "test", "data": {"text": "tomorrow"}, "prev": prev}
    event["data_hash"], event["hash"] = event_hashes(event)
    event["data"] = canonical(event["data"]).decode()
    db.execute("INSERT INTO event VALUES (:seq, :at, :up, :kind, :job, :card, :actor, :data, :data_hash, :prev, :hash)",
               event)
    db.close()
    before = s.good()
    job = s.lp(s.batch("CLOCK", 1))
    state = s.cups.wait_job(job)
    events = [json.loads(line) for line in s.cups.cardspool("ledger", "export").stdout.splitlines()]
    back = [e["seq"] for e in events if e["kind"] == "clock-set-back"]
    check("a clock that went back: the order stays, and an event says so",
          state == "completed" and back and back[-1] == seq + 2 and s.good() - before == 1, (state, back, seq))
    s.sound("the clock")


def check_locked(s):
    """Another program holds the ledger in the middle of a batch for longer than the patience."""
    db = sqlite3.connect(s.cups.ledger_path(), isolation_level=None)
    fed = [0]

    def hold(_job):
        db.execute("BEGIN IMMEDIATE")
        s.cups.wait(lambda: "in use" in s.cups.printer().get("printer-state-message", ""), 12)
        fed[0] = s.cups.tell("stat")["hopper"]
        time.sleep(0.2)
        fed[0] -= s.cups.tell("stat")["hopper"]

    job, before = interrupt(s, "LOCKED", hold)
    message = s.cups.printer().get("printer-state-message", "")
    check("a ledger that another program holds: the person is told, nothing is fed",
          "in use by another program" in message and fed[0] == 0, (message, fed))
    db.execute("ROLLBACK")
    db.close()
    state = s.cups.wait_job(job)
    s.compare("when it lets go the job goes on by itself, every card once", job, whole(), before)
    check("that job completed", state == "completed", (state, s.cups.printer()))


def check_disk_full(s):
    """The ledger's disk runs full in the middle of a batch."""
    if not os.path.ismount(s.cups.path("ledger")):
        check("disk full # SKIP a mount of our own needs root", True)
        return
    filler = s.cups.path("ledger/filler")

    def fill(_job):
        with open(filler, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(1 << 16))
            except OSError:
                pass
            try:
                while True:
                    f.write(bytes(512))
            except OSError:
                pass

    # A checkpoint makes the log begin anew in the file it has: only a closed ledger has none.
    before = s.good()
    s.cups.tell("reply-delay 12")
    fill(None)
    os.truncate(filler, os.path.getsize(filler) - (320 << 10))
    job = s.lp(s.batch("FULL", 8))
    state = s.cups.wait_job(job)
    s.cups.tell("reply-delay 0")
    message = s.cups.printer().get("printer-state-message", "")
    made = s.good() - before
    check("a full disk in the middle stops the queue with plain words", state == "printer-stopped" and
          "full" in message and 0 < made < 8, (state, message, made))
    os.unlink(filler)
    s.cups.run("cupsenable", s.cups.queue)
    state = s.cups.wait_job(job)
    s.compare("room made, cupsenable: the job goes on, every card once", job, whole(1, range(1, 9)), before)
    check("that job completed", state == "completed", (state, s.cups.printer()))
