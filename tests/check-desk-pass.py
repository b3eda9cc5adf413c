#!/usr/bin/env python3
"""One chip, two hands: what the desk did to a chip and what the printing pass makes of it, and the other way round.

Real cupsd, an emulated printer, and a second emulated reader as the desk; one ledger, one key file. A chip that the desk
gave to somebody is rejected by the pass, as itself and as a blank twin; one that was only initialised, or was voided, is
taken, through every torn, lost and broken-off write. What a pass issued, the desk gives to nobody else.

SPDX-License-Identifier: GPL-3.0-or-later
"""
import csv
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ.get("srcdir", "."), "tests"))
import chipdecode  # noqa: E402
import privatecups  # noqa: E402

BUILD = os.path.abspath(os.environ.get("builddir", "."))
WRITES = 32  # of a record on an initialised chip: 30 blocks of data, 2 of MAC
PLACES = (1, 2, 15, WRITES - 2, WRITES - 1, WRITES)
failed = 0


def check(good, what, said=""):
    global failed
    print(("ok - " if good else "not ok - ") + what + ("" if good else f" ({str(said).strip()[:600]})"), flush=True)
    failed += not good


class Office:
    """A private cupsd, and a desk with a reader of its own."""

    def __init__(self, work):
        self.work, self.orders, self.numbers = work, 0, 0
        self.cups = privatecups.PrivateCups(BUILD, ["--model", "dualys3", "--hopper", "400", "--output", "400",
                                                    "--reject", "400", "--ribbon", "ymckok:400", "--seed", "5"])
        with open(self.cups.path("cardspool.conf"), encoding="utf-8") as f:
            text = f.read()
        with open(self.cups.path("cardspool.conf"), "w", encoding="utf-8") as f:
            f.write(text.replace("[paths]\n", f"[paths]\nkey-secret={self.cups.path('keys/secret')}\n"))
        subprocess.run([os.path.join(BUILD, "cardspool-sample"), work], check=True, stdout=subprocess.DEVNULL)
        with open(os.path.join(work, "roster.csv"), encoding="utf-8") as f:
            self.head, *self.rows = csv.reader(f)

    def roster(self, first, n):
        path = os.path.join(self.work, f"r{first}-{n}.csv")
        with open(path, "w", encoding="utf-8", newline="") as f:
            csv.writer(f).writerows([self.head, *self.rows[first:first + n]])
        return path

    def uid(self):
        """A number that no chip of the printer has."""
        self.numbers += 1
        return f"fe{self.numbers:06x}"

    def desk(self, verb, uid, memory=None, *fault, record=0, env=()):
        """Status, what was said, the chip's memory afterwards."""
        path, link, load = os.path.join(self.work, "chip"), os.path.join(self.work, "reader"), []
        if memory is not None:
            with open(path + ".in", "wb") as f:
                f.write(memory)
            load = ["--load", path + ".in"]
        words = ["--template", "special-operation", self.roster(record, 1)] if verb == "personalise" else []
        done = subprocess.run([f"{BUILD}/tests/emulator-pn532", "--uid", uid, *load, *fault, "--image", path, link,
                               f"{BUILD}/cardspool", "chip", verb, "--station", f"nfc:pn532_uart:{link}:115200", *words],
                              env=dict(self.cups.environment(), **dict(env)), capture_output=True, text=True, timeout=60)
        with open(path, "rb") as f:
            return done.returncode, done.stdout + done.stderr, f.read()

    def next(self):
        return min(c["serial"] for c in self.cups.tell("stat")["cards"] if c["bin"] == "hopper")

    def put(self, place, uid, memory=None):
        """The card at that place of the hopper, 0 the next one, has this chip."""
        serial = str(self.next() + place)
        self.cups.tell("chip", serial, "uid", uid)
        if memory is not None:
            path = os.path.join(self.work, f"put-{serial}")
            with open(path, "wb") as f:
                f.write(memory)
            self.cups.tell("chip", serial, "load", path)
        return serial

    def print(self, n, again=0):
        """The job's end, and its rows in the order in which the cards were fed."""
        self.orders += 1
        out = os.path.join(self.work, f"o{self.orders}.cards")
        self.cups.cardspool("pack", self.roster(10, n), "--order", f"O-{self.orders}", "-o", out)
        job = self.cups.submit(out, "-o", "CardRibbon=ymckok")
        for _ in range(again + 1):
            state = self.cups.wait_job(job, 300)
            if state not in ("printer-stopped", "processing-stopped"):
                break
            self.cups.run("cupsenable", self.cups.queue)
        rows = self.cups.cardspool_json("card", "list", "--job", str(job))["cards"]
        return state, sorted(rows, key=lambda row: row["id"])

    def made(self, uid):
        """Bin and memory of the card of that number that came out last."""
        found = None
        for entry in sorted(os.listdir(self.cups.path("out")), key=lambda e: (len(e), e)):
            card = self.cups.path("out", entry, "card.json")
            if not os.path.exists(card):
                continue
            with open(card, encoding="utf-8") as f:
                if json.load(f)["uid"].lower() != uid:
                    continue
            with open(card, encoding="utf-8") as f, open(self.cups.path("out", entry, "chip.mfd"), "rb") as chip:
                found = json.load(f)["bin"], chip.read()
        return found

    def wrong(self, row):
        """None, or what a good card lacks: its bin, its number, a record with a good MAC."""
        where, memory = self.made(row["uid"].lower())
        want = self.rows[10 + row["card"] - 1][self.head.index("证号")].upper()
        status, said, _ = self.desk("read", row["uid"], memory)
        if where != "good" or status != 0 or chipdecode.fields(memory)["证号"] != want:
            return row["card"], where, status, said, chipdecode.fields(memory)["证号"]
        return None


def fates(rows):
    return [(row["state"], row["cause"] or "") for row in rows]


def stock(o):
    """(what, number, memory, the pass's verdict: "" good or the cause), and the chips of the later tests."""
    elsewhere = {"CARDSPOOL_CONF": os.path.join(o.work, "elsewhere.conf")}
    with open(o.cups.path("cardspool.conf"), encoding="utf-8") as f:
        text = f.read()
    with open(elsewhere["CARDSPOOL_CONF"], "w", encoding="utf-8") as f:
        f.write(text.replace("ledger.db", "elsewhere.db"))
    old, new, mine, twin, freed, half, other = (o.uid() for _ in range(7))
    chips = []
    chips.append(("initialised under the masters before these", old, o.desk("init", old)[2], ""))
    o.cups.cardspool("key", "rotate")
    chips.append(("initialised", new, o.desk("init", new)[2], ""))
    chips.append(("personalised at the desk", mine, o.desk("personalise", mine)[2], "uid-issued"))
    o.desk("personalise", twin, o.desk("init", twin)[2])
    chips.append(("a blank twin of one that was", twin, None, "uid-issued"))
    chips.append(("voided at the desk", freed, o.desk("void", freed, o.desk("personalise", freed)[2])[2], ""))
    chips.append(("its initialisation broken off", half, o.desk("init", half, None, "--remove", "8")[2], "chip-used"))
    chips.append(("somebody's by another office's ledger", other,
                  o.desk("personalise", other, None, env=elsewhere)[2], "chip-used"))
    return chips


def check_pass(o):
    """Each chip lies in front of a record of its own; a rejected one is followed by a blank card."""
    chips, place = stock(o), 0
    for _, uid, memory, cause in chips:
        o.put(place, uid, memory)
        place += 1 + (cause != "")
    state, rows = o.print(len(chips))
    by_uid = {row["uid"].lower(): row for row in rows if row["uid"]}
    check(state == "completed" and len(rows) == place, "every record is made", (state, fates(rows)))
    ordered = sorted(rows, key=lambda row: (row["card"], row["attempt"]))
    for i, (what, uid, memory, cause) in enumerate(chips):
        first = [row for row in ordered if row["card"] == i + 1][0]
        where, after = o.made(uid)
        if cause:
            blank = memory if memory is not None else after
            check((first["state"], first["cause"]) == ("rejected", cause) and where == "reject" and after[16:] == blank[16:],
                  f"{what}: rejected as {cause}, nothing written", (fates([first]), where))
        else:
            check(first["state"] == "done" and uid in by_uid and not o.wrong(first), f"{what}: taken, made good",
                  (fates([first]), where, o.wrong(first) if uid in by_uid else ""))
    said = o.cups.cardspool("failure", "show", "1").stdout
    check("personalised at a desk" in said, "the failure log says whose chip it was", said)


def check_mishaps(o):
    """Something happens while the record is written on an initialised chip."""
    for what in "tear", "lose", "remove":
        place, chips = 0, []
        for n in PLACES:
            uid = o.uid()
            serial = o.put(place, uid, o.desk("init", uid)[2])
            o.cups.tell("chip", serial, what, str(n))
            place += 1 + (what == "remove")
            chips.append(uid)
        state, rows = o.print(len(PLACES))
        done = [row for row in rows if row["state"] == "done"]
        bad = [o.wrong(row) for row in done if o.wrong(row)]
        lost = [row for row in rows if row["state"] == "rejected"]
        check(state == "completed" and len(done) == len(PLACES) and not bad,
              f"{what} at {len(PLACES)} of {WRITES} writes: every record is made",
              (state, bad, fates(rows)))
        check([row["uid"].lower() for row in lost] == (chips if what == "remove" else []),
              f"{what}: " + ("each such chip is rejected" if what == "remove" else "on that very chip"), fates(lost))


def check_kills(o):
    for n, phase in ((1, "before"), (1, "after"), (17, "before"), (WRITES, "before"), (WRITES, "after")):
        uid = o.uid()
        o.put(0, uid, o.desk("init", uid)[2])
        o.cups.tell("at", "chip-write", str(n), "kill", "worker", phase)
        state, rows = o.print(1, again=3)
        check(state == "completed" and fates(rows) == [("done", "")] and rows[0]["uid"].lower() == uid and
              not o.wrong(rows[0]), f"worker killed {phase} write {n}: the same chip is finished", (state, fates(rows)))
    kills = o.cups.tell("kills")
    check(kills["victims"] == 5, "each kill met the worker", kills)


def check_desk(o):
    """What the pass issued is nobody else's at the desk: the chip itself, a blank twin, one that was cleared."""
    state, rows = o.print(1)
    uid, card = rows[0]["uid"].lower(), str(rows[0]["id"])
    memory = o.made(uid)[1]

    def refused(what, memory):
        status, said, after = o.desk("personalise", uid, memory)
        blank = not any(after[16 * b:16 * b + 16] != bytes(16) for b in range(1, 64) if b % 4 != 3)
        check(status == 69 and uid in said and "issued before" in said and said.count("\n") == 1 and
              (after == memory if memory else blank), what, (status, said))

    check(state == "completed", "a card of the pass", state)
    refused("the desk gives it to nobody else", memory)
    refused("nor a blank twin of its number", None)
    status, said, cleared = o.desk("void", uid, memory)
    check(status == 0 and f"card void {card}" in said, "chip void clears it and names the command for its card", said)
    refused("cleared, it stays that card's", cleared)
    o.put(0, uid, cleared)
    state, rows = o.print(1)
    check(state == "completed" and fates(rows)[0] == ("rejected", "uid-issued"), "nor does the pass take it again", fates(rows))
    o.cups.cardspool("card", "void", card, "--reason", "cleared at the desk")
    refused("nor is a void card's chip given to anybody", cleared)


def main():
    with tempfile.TemporaryDirectory(prefix="cs-desk-pass.") as work:
        os.chmod(work, 0o755)
        office = Office(work)
        try:
            office.cups.cardspool("key", "create")
            office.cups.start()
            office.cups.add_queue()
            check_pass(office)
            check_desk(office)
            check_kills(office)
            check_mishaps(office)
            verdict = office.cups.cardspool("ledger", "verify", check=False)
            check(verdict.returncode == 0, "the ledger is whole", verdict.stdout + verdict.stderr)
        except privatecups.Refused as refusal:
            print(refusal)
            sys.exit(privatecups.EXIT_REFUSED)
        finally:
            office.cups.close()
    sys.exit(1 if failed else 0)


main()
