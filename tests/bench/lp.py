# lp.py - how long the machine waits for the first card's command after `lp`, in a real cupsd.
#
# One private cupsd with the emulated printer. What is timed ends with the line of the emulator's log by which the
# machine is told to feed. It begins with `lp`, or with the start of the filter, which does not wait for cupsd's copy of
# a long batch. The filter is ours, or one that only copies a ready card stream: their difference is what ours adds, and
# nothing of cupsd, backend or machine.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import privatecups  # noqa: E402

FEED = b"Si"
WAIT_S = 20
FILTER = """#!/bin/sh
date +%s%N >"$TMPDIR/started"
exec {command}
"""


class Lp:
    def __init__(self, build, ribbon):
        self.ribbon = ribbon
        self.cups = privatecups.PrivateCups(
            build, ["--model", "dualys3", "--serial", "BENCH001", "--hopper", "1000", "--output", "1000", "--reject", "1000",
                    "--ribbon", f"{ribbon}:1000", "--seed", "1"])
        self.log = self.cups.path("emu/log")
        self.cups.emulator_args += ["--log", self.log]
        self.ours = self.cups.path("bin/filter/batchtocards")
        shutil.copy2(self.ours, self.cups.path("bin/ours"))

    def __enter__(self):
        self.cups.make_keys()
        self.cups.start()
        self.cups.add_queue()
        return self

    def __exit__(self, *_):
        self.cups.close()

    def stream(self, batch, target):
        """What our filter makes of a batch, as a file that the queue's filter can read."""
        env = dict(self.cups.environment(), PPD=f"{self.cups.build}/ppd/{self.cups.ppd}",
                   CARDSPOOL_TEMPLATES=self.cups.path("templates"))
        path = self.cups.path("bin", target)
        with open(path, "wb") as f:
            subprocess.run([self.cups.path("bin/ours"), "1", "u", "t", "1", f"CardRibbon={self.ribbon}", batch],
                           env=env, stdout=f, stderr=subprocess.DEVNULL, check=True)
        os.chmod(path, 0o644)
        return path

    def filter(self, stream=None):
        """Ours behind the queue, or the one that copies this ready stream whatever it is given."""
        command = f"cat {stream}" if stream else f"""{self.cups.path("bin/ours")} "$@\""""
        with open(self.ours + ".new", "w", encoding="ascii") as f:
            f.write(FILTER.format(command=command))
        os.chmod(self.ours + ".new", 0o755)
        os.rename(self.ours + ".new", self.ours)

    def first_ms(self, path):
        """Milliseconds to the feeding of the first card from `lp`, and from the filter; the job is cancelled then."""
        size = os.path.getsize(self.log)
        argv = ["lp", "-d", self.cups.queue, "-o", f"CardRibbon={self.ribbon}", "-o", "cardspool-repeat=yes",
                "-o", "document-format=application/vnd.cardspool.batch", path]
        start, shift = time.monotonic(), time.time() - time.monotonic()
        lp = subprocess.Popen(argv, env=self.cups.environment(), stdout=subprocess.PIPE, text=True)
        with open(self.log, "rb") as log:
            log.seek(size)
            seen = b""
            while FEED not in seen:
                seen += log.read()
                if time.monotonic() > start + WAIT_S:
                    raise privatecups.Failed(f"the machine was not told to feed: {seen[-300:]!r}")
                time.sleep(0.0003)
        fed = time.monotonic()
        with open(self.cups.path("spool/tmp/started"), encoding="ascii") as f:
            started = int(f.read()) / 1e9 - shift
        job = int(lp.communicate()[0].split("request id is ")[1].split()[0].rsplit("-", 1)[1])
        self.cups.run("cancel", f"{self.cups.queue}-{job}", check=False)
        self.cups.wait_job(job)
        end = time.monotonic() + WAIT_S
        while "idle" not in self.cups.printer().get("printer-state", "") and time.monotonic() < end:
            time.sleep(0.02)
        return (fed - start) * 1000, (fed - started) * 1000
