# torture.py - kills everything at every act and every ledger write, and counts the cards.
#
#   torture.py --build BUILD [--printer MODEL] [--kills N | --long] [--seed S] [--verbose]
#
# Batches of real records run through a private cupsd and the emulated printer. Again and again one process, or all,
# or the whole machine dies at a chosen moment; then the batch is brought to its end by what doc/PASS.md tells an
# operator to do. The judge is the emulator's own count of physical cards: what chip and face carry, not what the
# ledger says. Last line: "kills N good N doubled 0 lost 0 doubt N mismatched 0". Exit status 1 when a card was
# doubled, lost or mismatched, a fed card is not in the ledger with its fate, or doubt is not rare.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import argparse
import collections
import csv
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time

import chipdecode
import machines
import privatecups

HERE = os.path.dirname(os.path.abspath(__file__))
WHO = ("worker", "supervisor", "keyd", "filter", "cupsd", "all", "power")
# What the driver sends for one card; Ser only for a card that is thrown away.
COMMANDS = {
    "evolis": ("Ss#1", "Sic#1", "Db#1", "Db#3", "Db#6", "Se#1", "Ser#1", "Rco#1", "Rlr#1"),
    "epcl": ("MI#1", "dock-contactless#1", "GS#1", "GS#3", "Z#1", "undock-ready#1", "M#1", "undock-eject#1", "V#1",
             "&P#1"),
}
THROWN_AWAY = (" Ser#", " undock-eject#")
CHIP_WRITES = (1, 2, 3, 17, 30, 46, 47, 48, 55, 61)
FIRST_SYNCS = range(1, 33)   # counted from the start of a batch: every write of its first cards
LATER_SYNCS = range(1, 9)    # counted from the kill before: the writes of recovery and of what follows
AT_REST = ("pending-held", "processing-stopped", "aborted", "canceled")
FATES = {"done": "good", "void": "good", "rejected": "reject", "spoiled": "hand"}
DOUBT_GOAL = 0.01
JOB_SECONDS = 60
NONSENSE = ("at sync 0 kill all", "at sync 1 kill nobody", "at cmd Se kill worker during", "at chip-write 3 unplug")
FEW_RECORDS = 6  # of a short run: each face is drawn once more to judge it
# The emulated reader answers at once: a chip that does not is not there.
CONFIG = "[cards]\nchip-wait-ms=150\n"


class Cups(privatecups.PrivateCups):
    """One emulator that outlives its cupsd."""

    def command_inside(self):
        return [sys.executable, os.path.join(HERE, "keeper.py"), *self.cupsd_argv()]

    def stop(self):
        if not self.process:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, 9)
            self.process.wait()
        self.process = None
        self.stderr.close()


class Points:
    """Every kill, in an order that depends on the seed only; the short run takes its beginning."""

    def __init__(self, seed, commands, only=None):
        self.only, self.commands = only, commands
        self.random = random.Random(seed)
        self.first, self.later = [], []

    def _fill(self):
        phases = ("before", "after")
        later = [f"at cmd {c} kill {w} {p}" for c in self.commands for w in WHO for p in phases]
        later += [f"at chip-write {n} kill {w} {p}" for n in CHIP_WRITES for w in WHO for p in phases]
        later += [f"at sync {n} kill {w} {p}" for n in LATER_SYNCS for w in WHO for p in phases]
        first = [f"at sync {n} kill {w} {p}" for n in FIRST_SYNCS for w in WHO for p in phases]
        for target, more in ((self.later, later), (self.first, first)):
            self.random.shuffle(more)
            # one of each victim and kind of moment in turn, so that a short run meets them all
            left = {(w, k): [m for m in more if f" {w} " in m and m.startswith(f"at {k} ")]
                    for k in ("cmd", "sync", "chip-write") for w in WHO}
            while any(left.values()):
                turn = [points.pop() for points in left.values() if points]
                self.random.shuffle(turn)
                target.extend(turn)

    def next(self, first):
        if self.only:
            return self.only
        source = self.first if first else self.later
        if not source:
            self._fill()
        return source.pop(0)


class Judge:
    """What the machine made, against what was asked for and what the ledger says."""

    def __init__(self, cups, build, machine):
        self.cups, self.build, self.machine = cups, build, machine
        self.faces = {}  # (number, side) -> hash of the picture that equals the preview
        self.problems = []
        self.good = self.doubled = self.lost = self.mismatched = self.fed = self.astray = self.astray_all = 0

    def problem(self, text):
        self.problems.append(text)
        print("  wrong: " + text, flush=True)

    def face_good(self, folder, side, batch, index, number):
        made = os.path.join(folder, side + ".png")
        if not os.path.exists(made):
            return False
        with open(made, "rb") as f:
            digest = hashlib.sha256(f.read()).hexdigest()
        if self.faces.get((number, side)) == digest:
            return True
        if self.machine.family == "epcl":  # its head is smaller than the preview: one face for each number and no other
            first = (number, side) not in self.faces and digest not in self.faces.values()
            self.faces.setdefault((number, side), digest)
            return first
        preview = self.cups.path("home/preview.png")
        self.cups.cardspool("preview", batch, "--record", str(index), "--side", side, "--ribbon", "ymckok",
                            "-o", preview)
        out = subprocess.run([os.path.join(self.build, "tests/picture-diff"), made, preview],
                             stdout=subprocess.PIPE, check=True).stdout
        found = json.loads(out)
        if not found["same_size"] or found["max"] > 2:
            return False
        self.faces[number, side] = digest
        return True

    def astray_is(self, folder, said):
        """A Zebra printer's way out leads to the reject box only when the printer itself found the card bad."""
        return self.machine.family == "epcl" and said in ([], ["rejected"]) and not os.path.exists(
            os.path.join(folder, "front.png"))

    def card_record(self, folder, records):
        """Index of the record whose fields the chip carries, or None."""
        with open(os.path.join(folder, "chip.mfd"), "rb") as f:
            dump = f.read()
        number = chipdecode.fields(dump)["证号"]
        for i, record in enumerate(records):
            if record["证号"].upper() == number:
                want = chipdecode.expected_blocks(record)
                return i + 1 if all(chipdecode.block(dump, b) == v for b, v in want.items()) else None
        return None

    def batch(self, name, batch, records, job, first_serial):
        cards = [c for c in self.cups.tell("stat")["cards"]
                 if c["serial"] >= first_serial and c["bin"] != "hopper"]
        rows = self.cups.cardspool_json("card", "list", "--job", str(job))["cards"]
        by_uid = collections.defaultdict(list)
        for row in rows:
            if row["uid"]:
                by_uid[row["uid"].lower()].append(row)
        made = collections.Counter()
        self.astray = 0
        for c in cards:
            self.fed += 1
            folder = self.cups.path("out", f"{c['serial']:04d}")
            said = [r["state"] for r in by_uid.get(c["uid"].lower(), [])]
            if c["bin"] == "inside":
                self.problem(f"{name}: card {c['serial']} is still in the machine")
            elif c["bin"] == "good":
                index = self.card_record(folder, records)
                row = next((r for r in by_uid.get(c["uid"].lower(), []) if r["state"] in ("done", "doubt")), None)
                if index is None and self.astray_is(folder, said):
                    self.astray += 1
                    continue
                if index is None or row is None or row["card"] != index or not all(
                        self.face_good(folder, side, batch, index, records[index - 1]["证号"])
                        for side in ("front", "back")[:2 if self.machine.duplex else 1]):
                    self.mismatched += 1
                    self.problem(f"{name}: card {c['serial']} chip of record {index}, ledger {row and row['card']}")
                if index:
                    made[index] += 1
            elif said and not any(FATES.get(s) == c["bin"] for s in said):
                self.problem(f"{name}: card {c['serial']} lies in {c['bin']}, the ledger says {said}")
            shutil.rmtree(folder, ignore_errors=True)
        for i in range(1, len(records) + 1):
            states = [r["state"] for r in rows if r["card"] == i]
            if made[i] > 1:
                self.doubled += 1
                self.problem(f"{name}: record {i} was made {made[i]} times")
            elif made[i] == 1 and states.count("done") == 1:
                self.good += 1
            elif "doubt" not in states:
                self.lost += 1
                self.problem(f"{name}: record {i} has {made[i]} good cards, the ledger says {states}")
        fates = collections.Counter(FATES.get(r["state"]) for r in rows)
        machine = collections.Counter(c["bin"] for c in cards)
        machine["good"], machine["reject"] = machine["good"] - self.astray, machine["reject"] + self.astray
        foreign = self.foreign(job)
        self.astray_all += self.astray
        for fate in ("good", "hand"):
            if machine[fate] != fates[fate]:
                self.problem(f"{name}: {machine[fate]} cards in {fate}, {fates[fate]} in the ledger")
        if machine["reject"] != fates["reject"] + foreign:
            self.problem(f"{name}: {machine['reject']} cards in the reject box, {fates['reject']} in the ledger")

    def foreign(self, job):
        failures = self.cups.cardspool_json("failure", "list", "--job", str(job))["failures"]
        return sum(f["code"] == "foreign-card" for f in failures)

    def ledger(self):
        result = self.cups.cardspool("ledger", "verify", check=False)
        if result.returncode:
            self.problem("ledger verify: " + (result.stdout + result.stderr).strip()[:600])


class Torture:
    def __init__(self, build, machine, kills, seed, verbose, only=None):
        self.build, self.machine, self.wanted, self.verbose = build, machine, kills, verbose
        self.random = random.Random(seed)
        self.points = Points(seed, COMMANDS[machine.family], only)
        self.seed = seed
        self.kills = self.batches = 0
        self.by_point, self.helped = collections.Counter(), collections.Counter()
        self.doubts, self.doubts_outside = 0, 0
        self.doubt_ids = set()
        self.armed = self.last_kill = None
        self.victims = 0

    def say(self, *words):
        if self.verbose:
            print(f"{time.monotonic() - self.started:7.2f} ", *words, flush=True)

    # ---- one batch ----

    def pack(self):
        n = 3 if self.wanted < 200 else self.random.randint(3, 6)
        records = self.random.sample(self.roster, n)
        self.batches += 1
        name = f"T-{self.seed}-{self.batches}"
        with open(self.at("order.csv"), "w", encoding="utf-8", newline="") as f:
            writer = csv.DictWriter(f, self.roster[0].keys())
            writer.writeheader()
            writer.writerows(records)
        self.cups.cardspool("pack", self.at("order.csv"), "--order", name, "-o", self.at("order.cards"))
        return name, [{k: as_stored(k, v) for k, v in r.items()} for r in records]

    def at(self, name):
        return os.path.join(self.cups.path("home/order"), name)

    def arm(self, first):
        if self.kills >= self.wanted:
            self.armed = None
            return
        if not self.armed:
            self.armed = self.points.next(first)
        if any(c in self.armed for c in THROWN_AWAY):  # somebody has to be thrown away
            stat = self.cups.tell("stat")
            if stat["hopper"]:
                self.tell_ok(f"chip {stat['total'] - stat['hopper'] + 1} used")
        self.say("armed", self.armed)
        self.tell_ok(self.armed)

    def submit(self, *options):
        return self.cups.submit(self.at("order.cards"), f"CardRibbon={self.machine.ribbon}", *options)

    def tell_ok(self, line):
        answer = self.cups.tell(line)
        if not answer.get("ok"):
            raise privatecups.Failed(f"the console refuses {line}: {answer}")

    def fired(self):
        """True when the armed kill has come about; a kill that found nobody does not count."""
        status = self.cups.tell("kills")
        if not self.armed or status["pending"]:
            return False
        hit = status["victims"] > self.victims
        self.victims = status["victims"]
        if hit:
            self.kills += 1
            words = self.armed.split()
            self.by_point[words[4] + " at " + words[1]] += 1
            self.last_kill = self.armed
        self.say("killed" if hit else "nobody there", self.armed)
        self.armed = None
        return True

    def rows(self, job):
        try:
            return self.cups.cardspool_json("card", "list", "--job", str(job))["cards"]
        except (privatecups.Failed, ValueError, KeyError):
            return []

    def help(self, how, *argv):
        self.say("operator:", how)
        self.helped[how] += 1
        self.cups.run(*argv, check=False)

    def doubt_seen(self, job):
        """Counts and settles open doubt as a person with the card in his hand would."""
        found = False
        stat = None
        for row in self.rows(job):
            if row["state"] != "doubt":
                continue
            found = True
            stat = stat or self.cups.tell("stat")
            bins = {c["uid"].lower(): c["bin"] for c in stat["cards"]}
            place = bins.get((row["uid"] or "").lower()) or self.place_counted(job, stat)
            if row["id"] not in self.doubt_ids:
                self.doubt_ids.add(row["id"])
                self.doubts += 1
                inside = " cmd " in (self.last_kill or "")
                self.doubts_outside += not inside
                print(f"  doubt: card {row['card']} of job {job}, lies in {place}; last kill {self.last_kill}",
                      flush=True)
            if place == "inside" and self.machine.family == "epcl":  # the message says to look in the printer
                self.tell_ok("take")
                place = "hand"
            how = {"good": "--good", "reject": "--rejected", "hand": "--spoiled"}.get(place, "--blank")
            self.help("card resolve", f"{self.build}/cardspool", "card", "resolve", str(row["id"]), how,
                      "--reason", "looked at the card")
            self.tell_ok("synced")
        return found

    def place_counted(self, job, stat):
        """Of a card whose chip nobody has read: the box that holds one more than the ledger knows of."""
        machine = collections.Counter(c["bin"] for c in stat["cards"] if c["serial"] >= self.first_serial)
        known = collections.Counter(FATES.get(r["state"]) for r in self.rows(job))
        known["reject"] += self.judge.foreign(job)
        over = [fate for fate in ("inside", "reject", "hand", "good") if machine[fate] > known[fate]]
        return over[0] if over else "hopper"

    def idle(self):
        return not self.cups.tell("stat")["usb"]["claimed"]

    def missing(self, job, n):
        return n - sum(r["state"] in ("done", "void") for r in self.rows(job))

    def end_of(self, current, job, n):
        """One look at CUPS, and what an operator does about it. True: the batch is over."""
        state = self.cups.job_state(current)
        if state == "completed":
            end = time.monotonic() + 20
            while not self.idle() and time.monotonic() < end:
                if self.fired():
                    self.arm(False)
                time.sleep(0.02)
            if self.missing(job, n) == 0:
                return True, current
            if self.doubt_seen(job) or self.missing(job, n) > 0:
                self.helped["lp -o cardspool-repeat=rest"] += 1
                self.say("operator: rest")
                return False, self.submit("cardspool-repeat=rest")
        elif state == "pending":
            if "stopped" in self.cups.printer().get("printer-state", ""):
                self.doubt_seen(job)
                self.help("cupsenable", "cupsenable", self.cups.queue)
        elif state in AT_REST:
            self.doubt_seen(job)
            verb = "resume" if state == "pending-held" else "restart"
            self.help(f"lp -H {verb}", "lp", "-i", str(current), "-H", verb)
            if state == "processing-stopped":
                self.help("cupsenable", "cupsenable", self.cups.queue)
        return False, current

    def batch(self):
        name, records = self.pack()
        stat = self.cups.tell("stat")
        if stat["hopper"] < 60:
            self.tell_ok("hopper add 120")
        first_serial = self.first_serial = stat["total"] - stat["hopper"] + 1
        if self.batches % 3 == 2:  # one card of this batch goes to the reject box
            self.tell_ok(f"chip {first_serial + 1} used")
        self.arm(True)
        current = self.submit()
        job = self.uuid_of(current)
        self.say(f"batch {name}: {len(records)} cards, job {job}")
        end, look = time.monotonic() + JOB_SECONDS, 0
        over = False
        while not over:
            if self.fired():
                end = time.monotonic() + JOB_SECONDS
                self.arm(False)
            now = time.monotonic()
            if now > look:
                over, current = self.end_of(current, job, len(records))
                look = time.monotonic() + 0.06
            if now > end:
                raise privatecups.Failed(f"{name}: job {current} is still {self.cups.job(current)} "
                                         f"{self.cups.printer()} after {self.last_kill}")
            time.sleep(0.01)
        self.judge.batch(name, self.at("order.cards"), records, job, first_serial)
        self.tell_ok("forget")

    def uuid_of(self, number):
        for _ in range(200):  # cupsd may have died with this very job
            uuid = self.cups.job(number).get("job-uuid", "").removeprefix("urn:uuid:")
            if uuid:
                return uuid
            time.sleep(0.02)
        raise privatecups.Failed(f"job {number} has no uuid")

    # ---- all ----

    def run(self):
        self.started = time.monotonic()
        ledger = None
        machine = self.machine
        self.cups = Cups(self.build, ["--model", machine.model, "--serial", "TORTURE1", "--hopper", "120", "--output",
                                      "100000", "--reject", "100000", "--ribbon", f"{machine.ribbon}:100000", "--seed",
                                      str(self.seed + 1)],
                         script=machine.script() or None, queue=machine.model, ppd=machine.ppd(self.build),
                         config_extra=CONFIG + machine.section("TORTURE1"))
        try:
            ledger = self.cups.path("ledger")
            self.cups.emulator_args += ["--watch-sync", ledger]
            os.mkdir(self.cups.path("home/order"))
            self.cups.run(os.path.join(self.build, "cardspool-sample"), self.cups.path("home/order"))
            with open(self.at("roster.csv"), encoding="utf-8") as f:
                self.roster = list(csv.DictReader(f))[:FEW_RECORDS if self.wanted < 200 else None]
            self.judge = Judge(self.cups, self.build, machine)
            self.cups.make_keys()
            self.cups.start()
            self.cups.add_queue()
            self.accepted = [line for line in NONSENSE if self.cups.tell(line).get("ok")]
            while self.kills < self.wanted:
                self.batch()
                if self.batches % 25 == 0:
                    self.judge.ledger()
                    print(f"  {self.kills} kills, {self.batches} batches, "
                          f"{time.monotonic() - self.started:.0f} s", flush=True)
            self.judge.ledger()
        finally:
            if self.judge_failed() and os.environ.get("CARDSPOOL_KEEP"):
                print("  kept " + self.cups.root)
            self.cups.close()
        return self.report()

    def judge_failed(self):
        return not hasattr(self, "judge") or bool(self.judge.problems) or sys.exc_info()[0] is not None

    def report(self):
        judge, seconds = self.judge, time.monotonic() - self.started
        for who in WHO:
            print(f"  killed {who:<11}" + "".join(
                f" {self.by_point[f'{who} at {at}']:4} at {at}" for at in ("cmd", "chip-write", "sync")))
        for how, n in sorted(self.helped.items()):
            print(f"  operator {n:4} x {how}")
        print(f"  {self.batches} batches, {judge.fed} cards fed, {seconds:.0f} s")
        if judge.astray_all:
            print(f"  {judge.astray_all} cards that carry nothing were put out among the good ones")
        outside = self.doubts_outside
        # Without a sensor at the station nobody sees the card of a dead run there but a person.
        goal = 1 if self.machine.family == "epcl" else DOUBT_GOAL
        print(f"  doubt outside of an act: {outside}, goal at most {goal:.0%} of the kills")
        for text in judge.problems[:20]:
            print("  wrong: " + text)
        print(f"kills {self.kills} good {judge.good} doubled {judge.doubled} lost {judge.lost} "
              f"doubt {self.doubts} mismatched {judge.mismatched}")
        return 1 if judge.problems or outside > goal * self.kills else 0


def as_stored(name, value):
    """A roster's spelling as the chip keeps it: dates as eight digits, a check digit x as X."""
    value = value.strip()
    if value and ("日期" in name or "审期" in name or name in ("有效期从", "有效期到")):
        if "-" in value or "/" in value:
            year, month, day = value.replace("/", "-").split("-")
            return f"{int(year):04d}{int(month):02d}{int(day):02d}"
    return value.upper() if name == "证号" else value


def main():
    parser = argparse.ArgumentParser(prog="torture")
    parser.add_argument("--build", default=os.environ.get("builddir", "."))
    parser.add_argument("--printer", choices=machines.WITH_CHIPS, default="dualys3")
    parser.add_argument("--kills", type=int, default=70)
    parser.add_argument("--long", action="store_true", help="at least 1,000 kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="this kill again and again")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    try:
        status = Torture(os.path.abspath(args.build), machines.MACHINES[args.printer], 1000 if args.long else args.kills,
                         args.seed, args.verbose, args.only).run()
    except privatecups.Failed as failure:
        sys.exit(f"torture: {failure}")
    sys.exit(status)


if __name__ == "__main__":
    main()
