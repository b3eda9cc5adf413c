# faults.py - every fault of the printer and the chip, on a real cupsd, real libusb, real libnfc and the emulator.
#
#   faults.py --build BUILD [--printer MODEL] [--short] [ROW...]
#
# One row a fault (tests/faultrows.py): it is armed at the emulator's console, a batch of two records is queued with lp, and while the
# fault stands the person at the queue must read what it is; then the operator's hand acts, and the job must go on by
# itself or on the one command that the row names. What is expected of code, keyword and words comes from `cardspool
# fault list --json`, so that test and table cannot drift; a fault of the table without a row fails. Cards are counted
# against the emulator's own. Ends with "N passed, N failed"; exit status 1 when anything failed, 77 when the kernel
# does not let the emulator run.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import argparse
import csv
import hashlib
import json
import os
import re
import sys
import time

import chipdecode
import faultrows
import machines
import privatecups

N_RECORDS = 2
HOPPER = 400
# Patience of the test's administrator, and a poll that keeps a row short.
SETTINGS = """[printer]
reply-timeout-ms=700
move-timeout-ms=2000
plane-timeout-ms=2000
print-timeout-ms=4000
[cards]
chip-wait-ms=400
"""
STAND_S, END_S = 40, 120

class Lab:
    def __init__(self, build, printer="dualys3"):
        self.build = os.path.abspath(build)
        self.machine = machines.MACHINES[printer]
        self.rows, self.exceptions = faultrows.rows_for(self.machine)
        self.machine.settings.update(faultrows.EPCL_SETTINGS if self.machine.family == "epcl" else {})
        self.cups = privatecups.PrivateCups(
            build, ["--model", printer, "--serial", "FAULTS01", "--hopper", str(HOPPER), "--output", "1000",
                    "--reject", "1000", "--ribbon", f"{self.machine.ribbon}:1000", "--seed", "7", "--private-net"],
            script=self.machine.script() or None, queue=printer, ppd=self.machine.ppd(build),
            config_extra=SETTINGS + self.machine.section("FAULTS01"))
        self.n_jobs = 0

    def start(self):
        cups = self.cups
        cups.run(os.path.join(self.build, "cardspool-sample"), cups.path("home"))
        roster = cups.path("home/roster.csv")
        with open(roster, encoding="utf-8", newline="") as f:
            lines = list(csv.reader(f))
        self.numbers = [line[0] for line in lines[1:N_RECORDS + 1]]
        with open(roster, "w", encoding="utf-8", newline="") as f:
            csv.writer(f).writerows(lines[:N_RECORDS + 1])
        cups.make_keys()
        cups.start()
        cups.add_queue()
        table = self.cups.cardspool_json("fault", "list")
        self.table = {f["code"]: f for f in table["faults"]}
        self.answers = table["answers"]

    # ---- seeing ----

    def console(self, line):
        answer = self.cups.tell(line)
        if not answer.get("ok"):
            raise privatecups.Failed(f"console: {line}: {answer}")

    def stat(self):
        return self.cups.tell("stat")

    def next_card(self, ahead=0):
        waiting = [c["serial"] for c in self.stat()["cards"] if c["bin"] == "hopper"]
        return waiting[ahead]

    def failures(self, job):
        found = self.cups.cardspool("failure", "list", "--job", str(job), "--json", check=False)
        return json.loads(found.stdout)["failures"] if found.returncode == 0 else []

    def failsafe_cards(self, job):
        try:
            return self.cards(job)
        except (privatecups.Failed, KeyError, ValueError):
            return []

    def cards(self, job):
        return self.cups.cardspool_json("card", "list", "--job", str(job))["cards"]

    def reasons(self):
        printer = self.cups.printer()
        return printer, printer.get("printer-state-reasons", "").split(",")

    def until(self, what, true, seconds=STAND_S):
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                raise privatecups.Failed(f"not within {seconds} s: {what}")
            time.sleep(0.1)

    def processes(self):
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/cmdline", "rb") as f:
                        argv = f.read().split(b"\0")
                    exe = os.readlink(f"/proc/{name}/exe")
                except OSError:
                    continue
                yield int(name), exe if argv else ""

    @staticmethod
    def parent(pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
                return int(f.read().rpartition(")")[2].split()[1])
        except OSError:
            return 0

    # ---- doing ----

    def queue_batch(self):
        self.n_jobs += 1
        batch = self.cups.path(f"home/{self.n_jobs}.cards")
        self.cups.cardspool("pack", self.cups.path("home/roster.csv"), "--order", f"FAULT-{self.n_jobs}", "-o", batch)
        options = [] if self.machine.chip else ["CardEncode=None"]
        return self.cups.submit(batch, f"CardRibbon={self.machine.ribbon}", *options)

    def truth_take(self):
        """A job without a fault: what each record's card looks like."""
        job = self.queue_batch()
        state = self.cups.wait_job(job, END_S)
        if state != "completed":
            raise privatecups.Failed(f"a job without a fault ended {state}: {self.cups.printer()}")
        self.truth = self.cards(job)
        self.looks = {}
        for row in self.truth:
            card = self.physical(self.stat()["cards"], row, self.truth)
            self.looks[row["card"]] = self.pictures(card["serial"])

    def physical(self, fed, row, rows):
        """The card in the output hopper that a row of the ledger means: by its chip, or by its turn."""
        good = sorted((c for c in fed if c["bin"] == "good"), key=lambda c: c["serial"])
        if self.machine.chip:
            good = [c for c in good if c["uid"] == row["uid"]]
            return good[-1] if good else None
        turn = sorted((r for r in rows if r["state"] == "done"), key=lambda r: r["id"]).index(row)
        return good[turn] if turn < len(good) else None

    def pictures(self, serial):
        with open(self.cups.path("out", f"{serial:04d}", "card.json"), encoding="utf-8") as f:
            card = json.load(f)
        return {name: value for name, value in card["sha256"].items() if name.endswith(".png")}

    def reset(self):
        self.console("clear")
        self.console("ribbon new")
        self.console("plug")
        self.console("station plug")
        if self.stat()["hopper"] < 20:
            self.console("hopper add 40")
        if os.path.exists(self.cups.path("keys/away")):
            faultrows.keys_back(self)
        if "stopped" in self.cups.printer().get("printer-state", ""):
            faultrows.enable(self)

    def act(self, hand):
        for deed in hand:
            if callable(deed):
                deed(self)
            elif deed == "pause":
                time.sleep(0.4)
            else:
                self.console(self.line(deed))

    def line(self, text):
        """A row's line with this hopper's cards and this machine's words in it."""
        if "{" not in text:
            return text
        return text.format(n=self.next_card(), m=self.next_card(1), **self.machine.moments)


# ---- judging ----

def judge_standing(lab, row, job):
    """What the person sees while the fault stands, as a list of what is wrong."""
    fault, seen, wrong = lab.table[row.code], {}, []

    def shown():
        seen["printer"], seen["reasons"] = lab.reasons()
        seen["open"] = [f for f in lab.failures(job) if not f["cleared"]]
        told = fault["reason"] in seen["reasons"] and row.queue in seen["printer"].get("printer-state", "")
        return told and (not row.records or any(f["code"] == row.code for f in seen["open"]))

    try:
        lab.until("", shown)
    except privatecups.Failed:
        wrong.append(f"while it stands: wanted {fault['reason']}, {row.queue}, record {row.code}; saw "
                     f"{seen['reasons']}, {seen['printer'].get('printer-state')}, "
                     f"{[f['code'] for f in seen['open']]}, {seen['printer'].get('printer-state-message')}")
        return wrong
    label = f"Card {row.card}: " if row.card else ""
    message = seen["printer"].get("printer-state-message", "")
    if not message.startswith(label) or (row.own_words or fault["remedy"]) not in message:
        wrong.append(f"message: {message!r}, wanted {label!r} ... {fault['remedy']!r}")
    if label and row.own_words is None and message != f"{label}{fault['cause']}. {fault['remedy']}.":
        wrong.append(f"message: {message!r} is not the table's")
    return wrong


def judge_cards(lab, row, job, before, after):
    """The ledger against the emulator's own count, and each good card against its record."""
    wrong, cards = [], lab.cards(job)
    was = {c["serial"]: c["bin"] for c in before["cards"]}
    fed = [c for c in after["cards"] if c["bin"] != "hopper" and was.get(c["serial"], "hopper") == "hopper"]
    bins = {b: sum(c["bin"] == b for c in fed) for b in ("good", "reject", "hand", "inside")}
    states = {s: sum(c["state"] == s for c in cards) for s in ("done", "rejected", "spoiled", "doubt")}
    if lab.machine.family == "epcl":
        # A Zebra's reject box takes what the printer itself calls bad; the rest falls among the finished ones, and the
        # ledger tells them apart.
        done = {c["uid"] for c in cards if c["state"] == "done"}
        fallen = sum(c["bin"] == "good" and c["uid"] not in done for c in fed)
        bins["good"], bins["reject"] = bins["good"] - fallen, bins["reject"] + fallen
    if (bins["good"], bins["reject"], bins["hand"], bins["inside"]) != \
            (states["done"], states["rejected"], states["spoiled"], 0) or states["doubt"]:
        wrong.append(f"machine {bins}, ledger {states}")
    if sorted(c["state"] for c in cards if c["state"] != "done") != row.bad:
        wrong.append(f"spent {[(c['card'], c['state'], c['cause']) for c in cards]}, wanted {row.bad}")
    for number in range(1, N_RECORDS + 1):
        good = [c for c in cards if c["card"] == number and c["state"] == "done"]
        card = lab.physical(fed, good[0], cards) if len(good) == 1 else None
        if not card:
            wrong.append(f"record {number} has {len(good)} good cards")
            continue
        if lab.pictures(card["serial"]) != lab.looks[number]:
            wrong.append(f"record {number}: another face")
        if not lab.machine.chip:
            continue
        with open(lab.cups.path("out", f"{card['serial']:04d}", "chip.mfd"), "rb") as f:
            dump = f.read()
        data = b"".join(chipdecode.block(dump, b) for b in chipdecode.DATA_BLOCKS)
        if chipdecode.fields(dump)["证号"] != lab.numbers[number - 1] or \
                hashlib.sha256(data).hexdigest() != good[0]["chip_hash"]:
            wrong.append(f"record {number}: another chip's data")
    return wrong


def judge_after(lab, row, job, state):
    wrong, failures = [], lab.failures(job)
    if state != row.end:
        wrong.append(f"the job ended {state}: {lab.cups.printer().get('printer-state-message')}")
    found = sorted((f["code"], f["step"]) for f in failures)
    if found != sorted(row.records):
        wrong.append(f"records {found}, wanted {sorted(row.records)}")
    for f in failures:
        known = lab.table.get(f["code"])
        if not f["cleared"] or f["cleared"] < f["at"]:
            wrong.append(f"record {f['code']} was not cleared")
        if not known or (f["cause"] != known["cause"] and f["code"] not in ("keys", "worker-died")):
            wrong.append(f"record {f['code']} says {f['cause']!r}")
    keywords = {f["reason"] for f in lab.table.values()}
    lab.until("the keywords are gone", lambda: not keywords & set(lab.reasons()[1]), 5)
    return wrong


def row_run(lab, row):
    """Returns a list of what is wrong, empty when the row holds."""
    lab.reset()
    before = lab.stat()
    if callable(row.before):
        row.before(lab)
    for line in row.arm:
        lab.console(lab.line(line))
    job = lab.job = lab.queue_batch()
    wrong = judge_standing(lab, row, job) if row.stands else []
    if not row.stands and row.hand:
        lab.until("the card is printed", lambda: any(c["state"] == "printing" for c in lab.failsafe_cards(job)))
    lab.act(row.hand)
    if row.command:
        row.command(lab)
    try:
        state = lab.cups.wait_job(job, END_S)
        wrong += judge_after(lab, row, job, state)
        wrong += judge_cards(lab, row, job, before, lab.stat())
    except privatecups.Failed as failure:
        wrong.append(str(failure))
    if wrong:
        end_row(lab, job)
    return wrong


def end_row(lab, job):
    """A row that went wrong must not spoil the next one."""
    lab.reset()
    lab.cups.run("cancel", str(job), check=False)
    try:
        lab.cups.wait_job(job, 20, until=("completed", "canceled", "aborted"))
    except privatecups.Failed:
        pass


def coverage(lab):
    exercised = {code for row in lab.rows for code, _step in row.records} | {row.code for row in lab.rows if row.code}
    excepted = set(lab.exceptions)
    missing = set(lab.table) - exercised - excepted
    return [f"no row for {sorted(missing)}"] * bool(missing) + \
        [f"excepted and yet exercised: {sorted(exercised & excepted)}"] * bool(exercised & excepted) + \
        [f"not in the table: {sorted((exercised | excepted) - set(lab.table))}"] * \
        bool((exercised | excepted) - set(lab.table))


def table_rows(text, cells):
    """{first cell: the others} of the lines of a Markdown table with that many cells."""
    rows = [[c.strip() for c in line.strip().strip("|").split(" | ")] for line in text.splitlines() if line.startswith("| ")]
    return {row[0]: row[1:] for row in rows if len(row) == cells}


def documents(lab):
    """doc/FAULTS.md and the manual page against the program's tables and the texts of drivers/evolis-reply.c."""
    source = os.environ.get("srcdir") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")

    def read(name):
        with open(os.path.join(source, name), encoding="utf-8") as f:
            return f.read()

    wrong, page, manual = [], read("doc/FAULTS.md"), read("doc/cardspool-faults.7")
    rows, answers = table_rows(page, 6), table_rows(page.partition("## What the pass answers")[2], 6)
    rows = {code: row for code, row in rows.items() if code not in lab.answers and not code.startswith("the card")}
    rows.pop("code", None)
    if list(rows) != list(lab.table):
        wrong.append(f"FAULTS.md lists other codes: {sorted(set(rows) ^ set(lab.table))}")
    for code, fault in lab.table.items():
        if code in rows and (rows[code][1], rows[code][2]) != (fault["reason"], fault["action"]):
            wrong.append(f"FAULTS.md: {code} is {fault['reason']}, {fault['action']}")
        if f".B {code}\n{fault['cause']}. {fault['remedy']}. " not in manual:
            wrong.append(f"cardspool-faults.7: {code} has other words or is missing")
    for where, row in lab.answers.items():
        if answers.get(where) != list(row.values()):
            wrong.append(f"FAULTS.md: the pass answers otherwise: {where}")
    wire = re.findall(r'\{"([A-Z ]+)", WIRE_([A-Z]+), FAULT_([A-Z_]+)\}', read("drivers/evolis-reply.c"))
    says = " ".join(row[0] for row in rows.values())
    wrong += [f"FAULTS.md: no row for the printer's words {text!r}" for text, kind, _fault in wire
              if kind != "OK" and f"`{text}`" not in says]
    if len(wire) < 20:
        wrong.append("the texts of drivers/evolis-reply.c were not found")
    return wrong


def run(build, short=False, names=(), printer="dualys3"):
    passed = failed = 0

    def tell(name, code, seconds, wrong):
        nonlocal passed, failed
        passed, failed = passed + (not wrong), failed + bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} - {name:<36} {code or '-':<16} {seconds:5.1f} s", flush=True)
        for line in wrong:
            print(f"    {line}", flush=True)

    lab = Lab(build, printer)
    try:
        lab.start()
        lab.truth_take()
        tell("the table of faults is covered", None, 0, coverage(lab))
        tell("the pages say what the tables say", None, 0, documents(lab))
        for row in lab.rows:
            if (names and row.name not in names) or (short and not row.short):
                continue
            started = time.monotonic()
            try:
                wrong = row_run(lab, row)
            except (privatecups.Failed, OSError) as failure:
                here = "" if os.path.isdir(lab.cups.root) else f"; {lab.cups.root} was removed meanwhile"
                wrong = [f"{failure}{here}; the emulator ended: {lab.cups.process.poll()}"]
            tell(row.name, row.code, time.monotonic() - started, wrong)
        verify = lab.cups.cardspool("ledger", "verify", check=False)
        tell("the ledger is sound", None, 0, [verify.stdout] if verify.returncode else [])
    finally:
        lab.cups.close()
    print(f"{passed} passed, {failed} failed")
    return failed


def status(build, short=False, names=(), printer="dualys3"):
    """The exit status: 77 when the kernel does not let the emulator run."""
    try:
        return 1 if run(build, short, names, printer) else 0
    except privatecups.Refused as refusal:
        print(f"skipped: {refusal}")
        return 77


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--printer", choices=sorted(machines.MACHINES), default="dualys3", metavar="MODEL")
    parser.add_argument("--short", action="store_true", help="one row of each kind")
    parser.add_argument("rows", nargs="*", help="names of rows; all when none is given")
    args = parser.parse_args()
    sys.exit(status(args.build, args.short, args.rows, args.printer))


if __name__ == "__main__":
    main()
