# cupsshop.py - a private cupsd with an emulator, batches to queue, and the comparison of machine and ledger.
#
# After every step each good card of the machine must be one done or void row of the ledger, by its chip, and every
# other card that left the hopper a rejected or spoiled one. check() prints one "ok" or "not ok" line a promise.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import csv
import os
import subprocess
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


def next_serial(s):
    """The number of the blank that comes next from the hopper."""
    return min(c["serial"] for c in s.cups.tell("stat")["cards"] if c["bin"] == "hopper")


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
