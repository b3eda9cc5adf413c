#!/usr/bin/env python3
"""check-life.py - chip init, personalise and void of MF1 chips, broken off at every single write.

At each write of each verb the power is cut, the chip leaves the field, or the write is carried out nowhere and
answered. The same command, given again, makes the chip byte-equal to one that was never disturbed, or refuses it both
times with its reason (a torn trailer, whose keys nobody can know). A chip that was called done is never anything else
than the plan. Then what interruptions and rotations leave behind: another verb, another record, older masters.

LIFE_WRITES="1 16 48" tries only these.

SPDX-License-Identifier: GPL-3.0-or-later
"""
import csv
import glob
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ.get("srcdir", "."), "tests"))
import chipdecode  # noqa: E402

SRC = os.environ.get("srcdir", ".")
BUILD = os.path.abspath(os.environ.get("builddir", "."))
UID = "04A1B2C3D4E5F6"
TRANSPORT = bytes.fromhex("ffffffffffffff078069ffffffffffff")
failed = 0


def check(good, what, said=""):
    global failed
    failed += not good
    print(("ok - " if good else "not ok - ") + what + ("" if good else f" ({str(said).strip()[:400]})"), flush=True)


def read(path):
    with open(path, "rb") as f:
        return f.read()


class Desk:
    """One chip, one reader, a configuration of its own; the chip's memory lies in a file between the calls."""

    def __init__(self, folder):
        self.folder, self.chip = folder, os.path.join(folder, "chip")
        self.link = os.path.join(folder, "reader")
        self.env = dict(os.environ, CARDSPOOL_CONF=os.path.join(folder, "conf"), LC_ALL="C.UTF-8")
        with open(self.env["CARDSPOOL_CONF"], "w") as f:
            f.write(f"[paths]\nledger={folder}/ledger.db\nkeys={folder}/keys\nkey-secret={folder}/secret\n"
                    f"templates={BUILD}/templates\nrun={folder}\n[station]\n"
                    f"default=nfc:pn532_uart:{self.link}:115200\n[cards]\nchip-wait-ms=300\n")
        with open(os.path.join(SRC, "tests/data/roster.csv"), encoding="utf-8-sig", newline="") as f:
            rows = list(csv.reader(f))
        self.rosters = [os.path.join(folder, f"{i}.csv") for i in (1, 2)]
        for i, path in enumerate(self.rosters):
            with open(path, "w", encoding="utf-8", newline="") as f:
                csv.writer(f).writerows([rows[0], rows[1 + i]])

    def cardspool(self, *words):
        return subprocess.run([f"{BUILD}/cardspool", *words], env=self.env, capture_output=True, timeout=60)

    def words(self, verb, record=0):
        more = ["--template", "special-operation", self.rosters[record]] if verb == "personalise" else []
        return ["chip", verb, *more]

    def run(self, verb, memory, *fault, record=0, keep=False):
        """Status, what was said, and the chip's memory afterwards; memory None: a chip as delivered.

        Each call has a new ledger, for the chip number is always the same; keep: the one of the call before."""
        for path in [] if keep else glob.glob(os.path.join(self.folder, "ledger.db*")):
            os.unlink(path)
        load = []
        if memory is not None:
            with open(self.chip + ".in", "wb") as f:
                f.write(memory)
            load = ["--load", self.chip + ".in"]
        done = subprocess.run([f"{BUILD}/tests/emulator-pn532", "--uid", UID, *load, *fault, "--image", self.chip,
                               self.link, f"{BUILD}/cardspool", *self.words(verb, record)], env=self.env,
                              capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr, read(self.chip)


def disturb(desk, verb, before, plan, n, fault):
    """None, or what went wrong when this fault struck at the n-th write."""
    status, said, half = desk.run(verb, before, "--" + fault, str(n))
    if status == 0:
        return None if half == plan else ("called done", said)
    if said.count("\n") != 1:
        return "more than one line", said
    again, told, memory = desk.run(verb, half)
    if again == 0:
        return None if memory == plan else ("resumed to something else", said, told)
    torn = fault == "tear" and memory == half and "chip" in told.lower() and told.count("\n") == 1
    return None if torn and half != plan else ("not resumed", status, said, again, told)


def every_write(desk, verb, before, plan, name):
    old = before or bytes(16) * 3 + TRANSPORT
    n_writes = 48 if before is None and verb == "personalise" else 16 if before is None else \
        sum(old[16 * b:16 * b + 16] != plan[16 * b:16 * b + 16] for b in range(1, 64))
    wanted = [int(n) for n in os.environ.get("LIFE_WRITES", "").split()]
    places = [n for n in range(1, n_writes + 1) if not wanted or n in wanted]
    for fault in "tear", "remove", "lose":
        bad = [(n, why) for n in places if (why := disturb(desk, verb, before, plan, n, fault))]
        check(not bad and places, f"{name}: {fault} at {len(places)} of {n_writes} writes", bad[:3])


def is_empty(memory):
    return not any(any(memory[16 * b:16 * b + 16]) for b in range(1, 64) if b % 4 != 3)


def others(desk, init, issued, void):
    """What a chip that was left half done is to the next command."""
    half = desk.run("personalise", None, "--remove", "40")[2]
    opened = sum(half[64 * s + 48:64 * s + 64] == TRANSPORT for s in range(16))
    check(0 < opened < 16 and any(half[16:48]), "a chip between two trailers, with its data and MAC", opened)
    status, said, memory = desk.run("init", half)
    check(status == 69 and memory != init and said.count("\n") == 1, "init does not bless what stands in closed sectors",
          (status, said))
    status, said, memory = desk.run("void", half)
    check(status == 0 and is_empty(memory), "void clears it, and closes it", (status, said))
    check(memory == void, "byte-equal to a finished card that was voided")
    status, said, memory = desk.run("personalise", half, record=1)
    with open(desk.rosters[1], encoding="utf-8", newline="") as f:
        other = list(csv.DictReader(f))[0]
    check(status == 0 and chipdecode.fields(memory)["证号"] == other["证号"].upper(),
          "another record takes its place whole", (status, said))
    left = desk.run("personalise", None, "--remove", "20")[2]
    check(not is_empty(left), "a chip with data under transport keys")
    status, said, memory = desk.run("init", left)
    check(status == 0 and memory == init, "init leaves nothing of it", (status, said))
    begun = desk.run("init", None, "--remove", "8")[2]
    status, said, memory = desk.run("personalise", begun)
    check(status == 0 and memory == issued, "personalise finishes an interrupted init", (status, said))
    broken = bytearray(init)
    broken[64 * 9 + 54] ^= 1
    for verb in "init", "personalise", "void":
        status, said, memory = desk.run(verb, bytes(broken))
        check(status == 69 and memory == bytes(broken) and said.count("\n") == 1,
              f"{verb}: contradicting access bits in one sector, nothing written", (status, said))


def somebodys(desk, init, issued, void):
    """A chip that was made somebody's at the desk is nobody else's, until it is voided."""
    desk.run("personalise", init)
    status, said, memory = desk.run("personalise", issued, record=1, keep=True)
    check(status == 69 and memory == issued and "chip void" in said and said.count("\n") == 1,
          "a finished record is not written over", (status, said))
    status, said, memory = desk.run("personalise", issued, keep=True)
    check(status == 0 and memory == issued, "the same record once more is no harm", (status, said))
    status, said, memory = desk.run("personalise", None, keep=True)
    check(status == 69 and not any(memory[16:48]) and UID.lower() in said and said.count("\n") == 1,
          "a blank twin of its number is refused", (status, said))
    inspector = os.path.join(desk.folder, "inspector")
    done = desk.cardspool("key", "export-inspector", "--template", "special-operation", "--output", inspector)
    check(done.returncode == 0 and f"card {UID.lower()} good ".encode() in read(inspector),
          "inspectors know it", done.stderr)
    status, said, memory = desk.run("void", issued, keep=True)
    done = desk.cardspool("key", "export-inspector", "--template", "special-operation", "--output", inspector + "2")
    check(status == 0 and f"card {UID.lower()} void ".encode() in read(inspector + "2"), "and that it is void",
          (said, done.stderr))
    status, said, memory = desk.run("personalise", void, record=1, keep=True)
    check(status == 0 and memory != issued, "voided, it may be made somebody else's", (status, said))


def slips(desk, init, issued):
    """Words for somebody at a desk, one line each, and nothing written."""
    values = os.path.join(desk.folder, "values")
    for name, memory, words, status, part in (
            ("an initialised chip is no altered card", init, ["verify"], 13, "holds no record"),
            ("nor is it reviewed", init, ["review"], 66, "holds no record"),
            ("an unknown field is named with its line, and those there are", issued,
             ["rewrite", "--reason", "x", "--from", values], 65, "values: line 2: There is no field 职业"),
            ("a review on no day", issued, ["review", "--next", "soon"], 64, "--next wants a day")):
        with open(desk.chip + ".in", "wb") as f:
            f.write(memory)
        with open(values, "w", encoding="utf-8") as f:
            f.write("\n职业=电工\n")
        done = subprocess.run([f"{BUILD}/tests/emulator-pn532", "--uid", UID, "--load", desk.chip + ".in", "--image", desk.chip,
                               desk.link, f"{BUILD}/cardspool", "chip", *words], env=desk.env, capture_output=True, text=True,
                              timeout=60)
        said = done.stdout + done.stderr
        check(done.returncode == status and part in said and said.count("\n") == 1 and read(desk.chip) == memory, name,
              (done.returncode, said))
    for verb, memory, fault, words in (
            ("init", issued, [], "not blank"), ("void", None, ["--used", "112233445566"], "not blank"),
            ("personalise", None, ["--used", "112233445566"], "not blank"), ("void", None, [], "blank"),
            ("void", issued, ["--uid", "04010203"], "only one card"),
            ("personalise", None, ["--kind", "desfire"], "another kind of chip")):
        status, said, after = desk.run(verb, memory, *fault)
        check(status in (66, 69) and words in said and said.count("\n") == 1 and "feeder" not in said
              and (memory is None or len(fault) > 0 or after == memory), f"{verb} {' '.join(fault)}: {words}", (status, said))
    for words, status, part in ((["chip", "init", "--code"], 64, "--code"), (["chip", "init", "--burn"], 64, "--burn"),
                                (["chip", "void", "more"], 64, "options only"),
                                (["chip", "personalise", "--template", "nope", desk.rosters[0]], 66, "no template nope"),
                                (["chip", "personalise", "--template", "/tmp", desk.rosters[0]], 66, "no record.schema"),
                                (["chip", "read", "--template", "nope"], 66, "no template nope"),
                                (["chip", "personalise", desk.rosters[0]], 64, "--template"),
                                (["chip", "read", "--template"], 64, "needs a value"),
                                (["chip", "read", "--text", "x"], 64, '"--text"'),
                                (["chip", "void", "--template", "x"], 64, '"--template"'),
                                (["chip", "init", "--station"], 64, "needs a value"),
                                (["chip", "tag", "--nonsense"], 64, '"--nonsense"'),
                                (["chip", "tag", "--batch"], 64, "needs a value"),
                                (["chip", "tag", "--batch", "x", "--record", "1x"], 64, '"1x"'),
                                (["chip", "compare", "zz"], 64, "64 hexadecimal"),
                                (["chip", "verify", "--date", "today"], 64, '--date wants a day'),
                                (["station", "check", "nfc:"], 64, "pn53x_usb"),
                                (["station", "check", "nfc:pn53x_usb"], 69, "nfc:pn53x_usb: No chip reader")):
        done = subprocess.run([f"{BUILD}/tests/emulator-pn532", desk.link, f"{BUILD}/cardspool", *words], env=desk.env,
                              capture_output=True, text=True, timeout=60)
        check(done.returncode == status and part in done.stderr and done.stderr.count("\n") == 1, " ".join(words[:3]),
              (done.returncode, done.stderr))
    done = subprocess.run([f"{BUILD}/tests/emulator-pn532", "--empty", desk.link, f"{BUILD}/cardspool", "chip", "void"],
                          env=desk.env, capture_output=True, text=True, timeout=60)
    check(done.returncode == 69 and "Lay one card" in done.stderr, "no card at the reader", done.stderr)
    done = desk.cardspool("chip", "void")
    check(done.returncode == 69 and desk.link.encode() in done.stderr, "a reader that is not there is named", done.stderr)


def rotated(desk, init, issued):
    desk.cardspool("key", "rotate")
    status, said, memory = desk.run("personalise", init)
    check(status == 0 and memory == issued, "a chip initialised under the older masters is personalised with them", said)
    status, said, memory = desk.run("void", issued)
    check(status == 0 and is_empty(memory), "a card of the older masters is voided", said)
    status, said, memory = desk.run("init", None)
    check(status == 0 and memory != init, "a new chip gets the new ones", said)


def main():
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cs-life.") as folder:
        desk = Desk(folder)
        desk.cardspool("key", "create")
        status, said, init = desk.run("init", None)
        check(status == 0 and is_empty(init), "a blank chip is initialised", said)
        status, said, issued = desk.run("personalise", None)
        check(status == 0 and not is_empty(issued), "a blank chip is personalised", said)
        status, said, void = desk.run("void", issued)
        check(status == 0 and is_empty(void) and void == init, "a card is voided", said)
        every_write(desk, "init", None, init, "init")
        every_write(desk, "personalise", None, issued, "personalise a blank chip")
        every_write(desk, "personalise", init, issued, "personalise an initialised chip")
        every_write(desk, "void", issued, void, "void")
        others(desk, init, issued, void)
        somebodys(desk, init, issued, void)
        slips(desk, init, issued)
        rotated(desk, init, issued)
    print(f"{time.monotonic() - started:.0f} s")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
