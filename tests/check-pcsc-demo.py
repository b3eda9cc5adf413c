#!/usr/bin/env python3
"""The demo job over PC/SC: real cupsd, real pcscd, a reader with the name of one that printers carry.

Chips tear, leave the field and lose writes on the way through the pass. Every record must end on exactly one good
card, whose chip an independent reader (tests/chipdecode.py) finds as planned; every torn trailer ends in the reject box.

SPDX-License-Identifier: GPL-3.0-or-later
"""
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ.get("srcdir", "."), "tests"))
import chipdecode  # noqa: E402
import demo  # noqa: E402
import pcsccups  # noqa: E402
import privatecups  # noqa: E402

BUILD = os.path.abspath(os.environ.get("builddir", "."))
READER = "SpringCard H663 Contactless"
# Data torn, a write lost, a chip gone for a moment, a trailer torn, a chip that another issuer used.
MISHAPS = """at card 2 chip 2 tear 5
at card 4 chip 4 lose 40
at card 6 chip 6 tear 40
at card 8 chip 8 used
at card 9 chip 9 wrong-type desfire
"""
REJECTED = 3

failed = 0


def check(good, what, said=""):
    global failed
    print(("ok   " if good else "FAIL ") + what + ("" if good else f": {said!r}"), flush=True)
    failed += not good


def chips_check(directory, roster):
    """What of each good card's chip is not as its record says."""
    wrong = []
    for name in sorted(os.listdir(os.path.join(directory, "cards"))):
        with open(os.path.join(directory, "cards", name, "chip.mfd"), "rb") as f:
            dump = f.read()
        number = chipdecode.fields(dump).get("证号")
        if number not in roster:
            wrong.append((name, number))
        roster.discard(number)
        for sector in range(16):
            if chipdecode.trailer(dump, sector)[1][:3] != bytes.fromhex("787788"):
                wrong.append((name, sector))
    return wrong


def main():
    directory = tempfile.mkdtemp(prefix="cs-pcscdemo.")
    try:
        summary, cups = demo.demo(BUILD, directory, MISHAPS, pcsccups.with_reader(READER), quiet=True)
        cups.close()
        with open(os.path.join(directory, "roster.csv"), encoding="utf-8") as f:
            roster = {line.split(",")[0] for line in f.read().splitlines()[1:]}
        n = summary["records"]
        check(summary["job_state"] == "completed", "the job ends", summary)
        check(summary["good"] == n and summary["adds_up"], f"{n} records, {n} good cards", summary)
        check(summary["rejected"] == REJECTED and summary["doubt"] == 0,
              f"{REJECTED} chips in the reject box, none in doubt", summary)
        wrong = chips_check(directory, roster)
        check(not wrong and not roster, "each chip as an independent reader expects it", (wrong, roster))
        print(f"{summary['seconds']} s: {summary['seconds'] / summary['fed']:.2f} s a card")
    except privatecups.Refused as refusal:
        print(refusal)
        sys.exit(privatecups.EXIT_REFUSED)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    sys.exit(1 if failed else 0)


main()
