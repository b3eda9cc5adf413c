#!/usr/bin/env python3
"""Power cut and removal at every write of a chip, through libnfc and through PC/SC, by the release code.

For each of the 48 writes and each transport: the write is torn, the chip leaves the field before it, or the write is
answered and lost. After a resumption the chip's memory is byte-equal to the plan, or the chip was rejected with its
reason and is rejected again; a chip that was called good is never anything else than the plan. A torn write of data is
made good at once; a torn trailer, whose keys nobody can know, is the one case of a reject.

TEAR_WRITES="1 33 48" tries only these.

SPDX-License-Identifier: GPL-3.0-or-later
"""
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ.get("srcdir", "."), "tests"))
from privatepcscd import PrivatePcscd  # noqa: E402

BUILD = os.path.abspath(os.environ.get("builddir", "."))
EMULATOR = os.path.join(BUILD, "tests", "emulator-pn532")
ENCODE = os.path.join(BUILD, "tests", "station-encode")
READER = "HID Global OMNIKEY 5022 Smart Card Reader"
UID = "04A1B2C3D4E5F6"
DATA_WRITES, WRITES = 32, 48
WRITE_NUMBERS = [int(n) for n in os.environ.get("TEAR_WRITES", "").split()] or range(1, WRITES + 1)


class Station:
    def __init__(self, folder, transport):
        self.folder, self.transport = folder, transport
        self.link = os.path.join(folder, transport)
        self.image = os.path.join(folder, "chip")
        self.options, self.address, self.env = [], f"nfc:pn532_uart:{self.link}:115200", None
        if transport == "pcsc":
            self.options, self.address = ["--reader", READER], "pcsc:" + READER

    def run(self, verb, *options):
        done = subprocess.run([EMULATOR, *self.options, "--uid", UID, *options, "--image", self.image, self.link,
                               ENCODE, self.address, verb], env=self.env, capture_output=True, text=True, timeout=60)
        return done.stdout.strip()

    def resume(self):
        return self.run("resume", "--load", self.image)

    def chip(self):
        with open(self.image, "rb") as f:
            return f.read()[16:]


def is_plan(station, said, plan):
    return said.startswith("ok proved 1") and station.chip() == plan


def torn(s, n, plan):
    said = s.run("encode", "--tear", str(n))
    if n <= DATA_WRITES:
        return is_plan(s, said, plan), said
    first = s.chip()
    again = s.resume()
    rejected = said.startswith("chip-trailer") and again.startswith("chip-trailer")
    # the second look changed nothing, and the chip does not pass for a finished one
    verify = s.run("verify", "--load", s.image)
    return rejected and s.chip() == first != plan and verify == "ok other", (said, again, verify)


def removed(s, n, plan):
    said = s.run("encode", "--remove", str(n))
    half = s.chip()
    verify = s.run("verify", "--load", s.image)
    again = s.resume()
    good = said.startswith("chip-removed") and half != plan and verify == "ok other"
    return good and is_plan(s, again, plan), (said, verify, again)


def lost(s, n, plan):
    said = s.run("encode", "--lose", str(n))
    return is_plan(s, said, plan), said


def plan_make(folder):
    path = os.path.join(folder, "plan")
    subprocess.run([ENCODE, "expect", UID, path], check=True)
    with open(path, "rb") as f:
        return f.read()[16:]


def check(station, plan):
    failed = 0
    started = time.monotonic()
    for what in torn, removed, lost:
        bad = []
        for n in WRITE_NUMBERS:
            good, said = what(station, n, plan)
            if not good:
                bad.append((n, said))
        failed += bool(bad)
        print(("FAIL " if bad else "ok   ") + f"{station.transport}: write {what.__name__}, "
              f"{len(WRITE_NUMBERS)} places" + (f": {bad[:3]}" if bad else ""), flush=True)
    print(f"     {station.transport}: {time.monotonic() - started:.0f} s", flush=True)
    return failed


def main():
    with tempfile.TemporaryDirectory(prefix="cs-tear.") as folder:
        os.chmod(folder, 0o755)
        plan = plan_make(folder)
        failed = check(Station(folder, "nfc"), plan)
        station = Station(folder, "pcsc")
        with PrivatePcscd(BUILD, [(READER, station.link)]) as daemon:
            station.env = daemon.env()
            failed += check(station, plan)
    sys.exit(1 if failed else 0)


main()
