# check-cups.py - what CUPS and a person may do to a job, each judged by the emulator's own count of cards.
#
# One private cupsd for all. After every step each good card of the machine must be one done or void row of the
# ledger, by its chip, and every other card that left the hopper a rejected or spoiled one. Prints one "ok" or
# "not ok" line a promise. Names of checks as arguments run these alone. Exit status 1 if any promise is broken.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import csv
import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

import privatecups

BUILD = os.path.abspath(os.environ.get("builddir", "."))
SOURCE = os.environ.get("srcdir", os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
N = 5  # records of a batch
HOPPER = 400
failed = 0


def check(promise, good, why=""):
    global failed
    print(("ok - " if good else "not ok - ") + promise + ("" if good else f": {why}"), flush=True)
    failed += not good


class Cups(privatecups.PrivateCups):
    """A cupsd that is started again whenever it ends, as by systemd; job files are kept, as CUPS does by default."""

    def command_inside(self):
        loop = 'stop=$1; shift; while [ ! -e "$stop" ]; do "$@"; done'
        return ["sh", "-c", loop, "sh", self.path("etc/stop"), *self.cupsd_argv()]

    def prepare(self):
        with open(self.path("etc/cupsd.conf"), encoding="utf-8") as f:
            text = f.read()
        self._write("etc/cupsd.conf", text.replace("PreserveJobFiles No", "PreserveJobFiles Yes"), 0o640)

    def stop(self):
        open(self.path("etc/stop"), "w").close()
        super().stop()

    def ledger_path(self):
        return self.path("ledger/ledger.db")

    def cards(self, job=None):
        argv = ["card", "list"] + (["--job", str(job)] if job else [])
        return self.cardspool_json(*argv)["cards"]

    def states(self, job):
        """Sorted (card, copy, state) of a job."""
        return sorted((c["card"], c["copy"], c["state"]) for c in self.cards(job))

    def wait(self, what, seconds=20):
        end = time.monotonic() + seconds
        while not what():
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def wait_cards(self, n, seconds=20):
        """Until n more good cards lie in the output hopper than when it was called with a mark."""
        return self.wait(lambda: self.tell("stat")["good"] >= n, seconds)


class Shop:
    """The private cupsd, batches to queue, and the comparison of machine and ledger."""

    def __init__(self, cups, work):
        self.cups, self.work = cups, work
        subprocess.run([os.path.join(BUILD, "cardspool-sample"), work], check=True, stdout=subprocess.DEVNULL)
        with open(os.path.join(work, "roster.csv"), encoding="utf-8") as f:
            self.rows = list(csv.reader(f))

    def batch(self, order, n=N):
        roster = os.path.join(self.work, f"roster-{n}.csv")
        with open(roster, "w", encoding="utf-8", newline="") as f:
            csv.writer(f).writerows(self.rows[:n + 1])
        out = os.path.join(self.work, order + ".cards")
        self.cups.cardspool("pack", roster, "--order", order, "-o", out)
        return out

    def lp(self, batch, *words, queue=None):
        out = self.cups.run("lp", "-d", queue or self.cups.queue, "-o", "CardRibbon=ymckok", *words,
                            *([batch] if isinstance(batch, str) else batch)).stdout
        return int(out.split("request id is ")[1].split()[0].rsplit("-", 1)[1])

    def good(self):
        return self.cups.tell("stat")["good"]

    def compare(self, what, job=None, made=None, since=None):
        """Machine against ledger; with made: this job's good cards, and so many more good ones since."""
        stat = self.cups.tell("stat")
        rows = self.cups.cards()
        fed = [c for c in rows if c["state"] not in ("queued", "cancelled")]
        left = [c for c in fed if c["state"] in ("done", "void")]
        problems = []
        if stat["total"] - stat["hopper"] != len(fed) or stat["inside"]:
            problems.append(f"fed {stat['total'] - stat['hopper']}, in the ledger {len(fed)}, inside {stat['inside']}")
        if stat["reject"] + stat["hand"] != len(fed) - len(left):
            problems.append(f"bad {stat['reject'] + stat['hand']}, in the ledger {len(fed) - len(left)}")
        out = sorted(c["uid"] for c in stat["cards"] if c["bin"] == "good")
        if out != sorted(c["uid"].lower() for c in left):
            problems.append(f"good chips differ: machine {len(out)}, ledger {len(left)}")
        if made is not None:
            mine = sorted((c["card"], c["copy"]) for c in self.cups.cards(job) if c["state"] == "done")
            if mine != sorted(made):
                problems.append(f"made {mine}, wanted {sorted(made)}")
            if since is not None and stat["good"] - since != len(made):
                problems.append(f"{stat['good'] - since} good cards came out, wanted {len(made)}")
        check(what, not problems, problems)

    def sound(self, what):
        out = self.cups.cardspool("ledger", "verify", check=False)
        check(f"the ledger is sound after {what}", out.returncode == 0, out.stdout + out.stderr)


def whole(copies=1, cards=range(1, N + 1)):
    return [(card, copy) for card in cards for copy in range(1, copies + 1)]


# ---- what an order may ask for ----

def check_copies(s):
    before = s.good()
    job = s.lp(s.batch("COPIES", 2), "-n", "2")
    state = s.cups.wait_job(job)
    s.compare("lp -n 2: two cards a record, each with a chip of its own", job, whole(2, (1, 2)), before)
    check("the job with copies completed", state == "completed", state)


def check_ranges(s):
    before = s.good()
    job = s.lp(s.batch("RANGES", 6), "-o", "page-ranges=2-3,5")
    s.cups.wait_job(job)
    s.compare("page-ranges are ranges of cards", job, whole(1, (2, 3, 5)), before)
    before = s.good()
    job = s.lp(s.batch("RANGES-P", 6), "-P", "1,6")
    s.cups.wait_job(job)
    s.compare("lp -P is a range of cards too", job, whole(1, (1, 6)), before)


def check_banner(s):
    before = s.good()
    job = s.lp(s.batch("BANNER", 2), "-o", "job-sheets=standard,standard")
    state = s.cups.wait_job(job)
    s.compare("a banner makes no card", job, whole(1, (1, 2)), before)
    check("a job with a banner completes", state == "completed", state)


def check_files(s):
    before = s.good()
    job = s.lp([s.batch("FILE-A", 2), s.batch("FILE-B", 3)])
    state = s.cups.wait_job(job)
    done = [c for c in s.cups.cards() if c["state"] == "done"]
    jobs = [j for j in s.cups.cardspool_json("job", "list")["jobs"] if j["cups_id"] == job]
    made = {j["order"]: sum(c["job"] == j["uuid"] for c in done) for j in jobs}
    check("two files in one lp: both batches are made, each under its own order",
          state == "completed" and made == {"FILE-A": 2, "FILE-B": 3} and s.good() - before == 5,
          (state, made, s.good() - before, s.cups.printer()))
    s.cups.run("lp", "-i", str(job), "-H", "restart")
    s.cups.wait(lambda: s.cups.job_state(job) in ("pending", "processing"), 2)
    state = s.cups.wait_job(job)
    check("the job with two files again: nothing is made twice", (state, s.good() - before) == ("completed", 5),
          (state, s.good() - before))
    s.compare("machine and ledger agree about the two files")


def check_personal(s):
    title = "Zhang-San-110101199003071233"
    folder = os.path.join(s.work, title)
    os.makedirs(folder, exist_ok=True)
    batch = os.path.join(folder, "Li-Si-330106198807260012.cards")
    shutil.copyfile(s.batch("PERSONAL", 1), batch)
    job = s.lp(batch, "-t", title, "-o", "phone=13800138000")
    s.cups.wait_job(job)
    leaks = []
    for base in ("log", "ledger", "run"):
        for name in os.listdir(s.cups.path(base)):
            if name == "page_log":  # CUPS' own: what it holds is PageLogFormat's matter
                continue
            with open(s.cups.path(base, name), "rb") as f:
                content = f.read()
            leaks += [name for secret in (title, "Li-Si-330106198807260012", "13800138000")
                      if secret.encode() in content]
    check("title, file name and options of a job are in no log and not in the ledger", not leaks, leaks)


# ---- stopped, started again ----

def check_restart(s):
    before = s.good()
    job = s.lp(s.batch("RESTART", 3))
    s.cups.wait_job(job)
    s.cups.run("lp", "-i", str(job), "-H", "restart")
    s.cups.wait(lambda: s.cups.job_state(job) in ("pending", "processing"), 2)
    state = s.cups.wait_job(job)
    s.compare("lp -H restart of a completed job makes nothing twice", job, whole(1, (1, 2, 3)), before)
    check("the restarted job completed", state == "completed", state)


def check_cancel(s):
    queued = []

    def cancel(number):
        queued.append(s.lp(s.batch("CANCEL-NEXT", 2)))
        s.cups.run("cancel", str(number))

    job, before = interrupt(s, "CANCEL", cancel)
    state, after = s.cups.wait_job(job), queued[0]
    following = s.cups.wait_job(after)
    states = s.cups.states(job)
    done = [c for c in states if c[2] == "done"]
    check("cancel in the middle: the card inside has a known state, the rest is not made",
          state == "canceled" and 1 <= len(done) < N and {c[2] for c in states} <= {"done", "rejected", "cancelled"},
          (state, states))
    check("after a cancel the next job goes on", following == "completed", following)
    s.compare("machine and ledger agree after the cancel", after, whole(1, (1, 2)))
    s.cups.run("lp", "-i", str(job), "-H", "restart")
    s.cups.wait(lambda: s.cups.job_state(job) in ("pending", "processing"), 2)
    s.cups.wait_job(job)
    s.compare("the cancelled job started again makes the cards that were missing", job, whole(), before + 2)


def interrupt(s, order, act):
    """Queues a batch, does something while its second card is inside, and returns (job, good cards before)."""
    before, batch = s.good(), s.batch(order)
    second = next_serial(s) + 1
    s.cups.tell(f"at card {second} reply-delay 15")
    job = s.lp(batch)
    s.cups.wait(lambda: s.cups.tell("stat")["card"] == second)
    act(job)
    s.cups.tell("reply-delay 0")
    return job, before


def check_hold(s):
    job, before = interrupt(s, "HOLD", lambda j: s.cups.run("lp", "-i", str(j), "-H", "hold"))
    state = s.cups.wait_job(job)
    s.cups.wait(lambda: not s.cups.tell("stat")["inside"])
    check("hold in the middle: the job waits, the machine is empty",
          state == "pending-held" and s.good() - before < N and not s.cups.tell("stat")["inside"],
          (state, s.good() - before))
    s.cups.run("lp", "-i", str(job), "-H", "resume")
    s.cups.wait(lambda: s.cups.job_state(job) != "pending-held", 5)
    state = s.cups.wait_job(job)
    s.compare("hold and resume: every card once", job, whole(), before)
    check("the resumed job completed", state == "completed", (state, s.cups.printer()))


def check_disable(s):
    job, before = interrupt(s, "DISABLE", lambda j: s.cups.run("cupsdisable", s.cups.queue))
    state = s.cups.wait_job(job)
    check("cupsdisable in the middle: the job stays first",
          state in ("printer-stopped", "processing-stopped", "pending-held") and s.good() - before < N,
          (state, s.good() - before))
    s.cups.run("cupsenable", s.cups.queue)
    s.cups.wait(lambda: s.cups.job_state(job) == "processing", 5)
    state = s.cups.wait_job(job)
    s.compare("cupsenable: the job goes on, every card once", job, whole(), before)
    check("the job completed after cupsenable", state == "completed", (state, s.cups.printer()))


def cupsd_signal(s, number):
    def act(_job):
        pid = s.cups.cupsd_pid()
        os.kill(pid, number)
        if number != signal.SIGHUP:
            s.cups.wait(lambda: s.cups.cupsd_pid() not in (None, pid))
            s.cups.wait_ready()
    return act


def check_sigterm(s):
    job, before = interrupt(s, "ROTATE", cupsd_signal(s, signal.SIGTERM))
    state = s.cups.wait_job(job)
    s.compare("cupsd stopped and started in the middle (log rotation): every card once", job, whole(), before)
    check("that job completed by itself", state == "completed", (state, s.cups.printer()))


def check_sighup(s):
    job, before = interrupt(s, "HANGUP", cupsd_signal(s, signal.SIGHUP))
    s.cups.wait_ready()
    state = s.cups.wait_job(job)
    s.compare("SIGHUP to cupsd in the middle: every card once", job, whole(), before)
    check("the job went on over SIGHUP", state == "completed", (state, s.cups.printer()))


# ---- more than one queue ----

def fed_order(s, since):
    """The job of each feed after an event number."""
    out = s.cups.cardspool("ledger", "export").stdout
    events = [json.loads(line) for line in out.splitlines()]
    return [e["job"] for e in events if e["seq"] > since and e["kind"] == "card-moved" and e["data"]["to"] == "feeding"]


def last_event(s):
    return int(s.cups.cardspool_json("ledger", "verify")["events"])


def check_queues(s):
    s.cups.add_queue(s.cups.uri, "second")
    before, since = s.good(), last_event(s)
    one = s.lp(s.batch("QUEUE-1", 3))
    two = s.lp(s.batch("QUEUE-2", 3), queue="second")
    states = [s.cups.wait_job(j) for j in (one, two)]
    order = fed_order(s, since)
    turns = 1 + sum(a != b for a, b in zip(order, order[1:]))
    check("two queues on one printer: one job after the other", states == ["completed"] * 2 and turns == 2 and
          len(order) == 6, (states, turns, len(order)))
    s.compare("two queues on one printer: every card once", one, whole(1, (1, 2, 3)))
    check("so many cards came out", s.good() - before == 6, s.good() - before)


def check_class(s):
    """The emulator has one printer, so the other member of the class is one that is not there."""
    absent = s.cups.uri.rsplit("=", 1)[0] + "=NOT-HERE"
    s.cups.add_queue(absent, "absent")
    s.cups.run("lpadmin", "-p", "absent", "-c", "cards")
    s.cups.run("cupsenable", "cards")
    s.cups.run("cupsaccept", "cards")
    before = s.good()
    job = s.lp(s.batch("CLASS", 3), queue="cards")
    s.cups.wait(lambda: s.cups.job_state(job) == "processing", 5)
    told = s.cups.wait(lambda: "connecting-to-device" in s.cups.run("lpstat", "-l", "-p", "absent").stdout, 5)
    check("a member of a class that is not there says so and waits", told and s.cups.job_state(job) == "processing",
          s.cups.run("lpstat", "-l", "-p", "absent").stdout)
    s.cups.run("lpadmin", "-p", s.cups.queue, "-c", "cards")
    s.cups.run("cupsdisable", "absent")
    s.cups.wait(lambda: s.cups.job_state(job) == "pending", 3)
    s.cups.run("cupsenable", s.cups.queue)  # cupsd looks at waiting jobs every 10 s by itself
    state = s.cups.wait_job(job)
    s.compare("the other member takes the job over, every card once", job, whole(1, (1, 2, 3)), before)
    check("the class's job completed", state == "completed", state)
    s.cups.run("lpadmin", "-x", "cards")
    s.cups.run("lpadmin", "-x", "absent")


# ---- the same batch twice ----

def check_repeat(s):
    before, batch = s.good(), s.batch("REPEAT", 2)
    first = s.lp(batch)
    s.cups.wait_job(first)
    uuid = s.cups.cards(first)[0]["job"]
    second = s.lp(batch)
    state = s.cups.wait_job(second)
    message = s.cups.printer().get("printer-state-message", "")
    shown = s.cups.cardspool("job", "show", str(second)).stdout
    check("the same batch again is held before a card is fed", state == "pending-held" and s.good() - before == 2,
          (state, s.good() - before))
    check("the message names order, earlier job and what to do",
          "REPEAT" in message and uuid in message and "cardspool-repeat=" in message, message)
    check("job show names the earlier job", uuid in shown, shown)
    s.cups.run("lp", "-i", str(second), "-o", "cardspool-repeat=yes", "-H", "resume")
    s.cups.wait(lambda: s.cups.job_state(second) != "pending-held", 5)
    state = s.cups.wait_job(second)
    s.compare("cardspool-repeat=yes makes all of it a second time", second, whole(1, (1, 2)), before + 2)
    third = s.lp(batch, "-o", "cardspool-repeat=rest")
    states = state, s.cups.wait_job(third)
    check("cardspool-repeat=rest makes nothing when nothing is missing",
          states == ("completed", "completed") and s.good() - before == 4, (states, s.good() - before))


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


def next_serial(s):
    """The number of the blank that comes next from the hopper."""
    return min(c["serial"] for c in s.cups.tell("stat")["cards"] if c["bin"] == "hopper")


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


# ---- the backend by itself, inside an emulator of its own ----

def stream_make(s, batch):
    env = dict(s.cups.environment(), CONTENT_TYPE="application/vnd.cardspool.batch",
               PPD=os.path.join(BUILD, "ppd/dualys3.ppd"))
    env.pop("CONTENT_TYPE")
    out = subprocess.run([os.path.join(BUILD, "filter/batchtocards"), "1", "u", "t", "1", "CardRibbon=ymckok", batch],
                         env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return out.stdout


def check_streams(s):
    good = stream_make(s, s.batch("STREAM", 2))
    folder = os.path.join(s.work, "streams")
    os.makedirs(folder)
    options = "job-uuid=urn:uuid:10000000-0000-0000-0000-00000000000%d"
    middle = len(good) // 2
    uri = s.cups.uri.split("?")[0] + "?serial=D3-0001"
    kind = "application/vnd.cardspool.stream"
    with open(os.path.join(SOURCE, "filters/card.h"), encoding="utf-8") as f:
        found = re.search(r'STREAM_MIME\s+"([^"]+)"', f.read())
        kind = found.group(1) if found else kind
    # name, stream, statuses, cards that may be fed, type, options, uri
    cases = [
        ("a stream of another type", good, (5,), 0, "application/vnd.cups-raster", options % 1, uri),
        ("noise", os.urandom(4096), (3,), 0, kind, options % 2, uri),
        ("an empty stream", b"", (3,), 0, kind, options % 3, uri),
        ("a stream cut off in its head", good[:20], (3,), 0, kind, options % 4, uri),
        ("a stream cut off in the first card", good[:len(good) // 4], (3,), 0, kind, options % 5, uri),
        ("a stream with one bit turned in the first card", good[:middle // 2] + bytes([good[middle // 2] ^ 1]) +
         good[middle // 2 + 1:], (3,), 0, kind, options % 6, uri),
        ("a job without uuid", good, (3,), 0, kind, "", uri),
        ("an address of two kinds", good, (4,), 0, kind, options % 7, "usb://Evolis/Dualys%203"),
        ("a stream cut off before its end", good[:-8], (3,), 2, kind, options % 8 + " cardspool-repeat=yes", uri),
    ]
    script = ["i=0"]
    for i, (_, stream, _, _, content, opts, device) in enumerate(cases):
        with open(os.path.join(folder, f"{i}"), "wb") as f:
            f.write(stream)
        script.append(f"FINAL_CONTENT_TYPE='{content}' DEVICE_URI='{device}' PRINTER=direct "
                      f"'{BUILD}/backend/cardspool' 1 u t 1 '{opts}' < '{folder}/{i}' 2> '{folder}/{i}.err'; "
                      f"echo $? > '{folder}/{i}.rc'; cp '{folder}/out/printer.json' '{folder}/{i}.json' 2>/dev/null")
    conf = os.path.join(folder, "conf")
    for name in ("run", "ledger", "out"):
        os.makedirs(os.path.join(folder, name))
        if s.cups.is_root and name != "out":
            shutil.chown(os.path.join(folder, name), s.cups.user)
    os.chmod(s.work, 0o755)
    with open(conf, "w", encoding="utf-8") as f:
        f.write(privatecups.CARDSPOOL_CONF.format(root=folder, build=BUILD, worker=s.cups.user)
                .replace(f"{folder}/keys", s.cups.path("keys")).replace(f"{folder}/emu/", f"{folder}/"))
    emulator = [f"{BUILD}/cardspool-emulator", "--out", f"{folder}/out", "--ribbon", "ymckok:50", "--station", f"{folder}/station",
                "--run", "sh", "-c", "\n".join(script)]
    env = dict(s.cups.environment(), CARDSPOOL_CONF=conf)
    subprocess.run(emulator, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
    fed = 0
    for i, (what, _, statuses, cards, *_) in enumerate(cases):
        with open(f"{folder}/{i}.rc", encoding="ascii") as f:
            rc = int(f.read())
        with open(f"{folder}/{i}.err", encoding="utf-8") as f:
            words = [line for line in f.read().splitlines() if line.startswith("ERROR:")]
        now = fed
        if os.path.exists(f"{folder}/{i}.json"):
            with open(f"{folder}/{i}.json", encoding="utf-8") as f:
                now = 100 - json.load(f)["hopper"]
        check(f"{what}: status {rc}, {cards} cards, and the reason is said",
              rc in statuses and now - fed == cards and words, (rc, now - fed, words))
        fed = now


# Two halves that take as long, each with a cupsd of its own, side by side: most of the time is waiting.
HALVES = ((check_copies, check_ranges, check_banner, check_files, check_personal, check_restart, check_cancel,
           check_hold, check_disable, check_sigterm, check_sighup, check_queues, check_export, check_tamper),
          (check_class, check_repeat, check_reprint, check_resolve, check_clock, check_locked, check_disk_full,
           check_bad_ledger, check_streams))
CHECKS = sum(HALVES, ())


def main():
    mounting = ["unshare", "--mount"]
    if os.geteuid() != 0:
        mounting[1:1] = ["--user", "--map-current-user", "--keep-caps"]
    if "CHECK_CUPS_MOUNTS" not in os.environ and shutil.which("unshare"):
        if subprocess.run([*mounting, "true"], stderr=subprocess.DEVNULL).returncode == 0:
            os.environ["CHECK_CUPS_MOUNTS"] = "1"
            os.execvp("unshare", [*mounting, sys.executable, *sys.argv])
    wanted = sys.argv[1:]
    if not wanted:
        halves = [subprocess.Popen([sys.executable, __file__, *(c.__name__.removeprefix("check_") for c in half)])
                  for half in HALVES]
        sys.exit(max(half.wait() for half in halves))
    work = tempfile.mkdtemp(prefix="cs-cups.")
    cups = Cups(BUILD, ["--model", "dualys3", "--hopper", str(HOPPER), "--output", str(HOPPER), "--ribbon",
                        f"ymckok:{HOPPER}", "--seed", "3"])
    try:
        cups.prepare()
        if "CHECK_CUPS_MOUNTS" in os.environ:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0755", "none", cups.path("ledger")],
                           stderr=subprocess.DEVNULL)
            shutil.chown(cups.path("ledger"), cups.user, cups.group)
        cups.make_keys()
        cups.start()
        cups.add_queue()
        shop = Shop(cups, work)
        for one in CHECKS:
            if wanted and one.__name__.removeprefix("check_") not in wanted:
                continue
            started = time.monotonic()
            try:
                one(shop)
            except (privatecups.Failed, OSError, KeyError, sqlite3.Error, subprocess.SubprocessError) as failure:
                check(f"{one.__name__} runs", False, f"{type(failure).__name__}: {failure}")
                cups.tell("clear")
                cups.run("cancel", "-a", check=False)
                cups.run("cupsenable", cups.queue, check=False)
            if os.environ.get("CHECK_TIMES"):
                print(f"# {one.__name__}: {time.monotonic() - started:.1f} s", flush=True)
    except privatecups.Failed as failure:
        check("the private cupsd runs", False, failure)
    finally:
        cups.close()
        shutil.rmtree(work, ignore_errors=True)
        if os.path.ismount(cups.path("ledger")):
            subprocess.run(["umount", cups.path("ledger")], check=False)
            shutil.rmtree(cups.root, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
