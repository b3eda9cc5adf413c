# check-lies.py - printers whose USB description lies, beside a good one, through the real libusb.
#
# One line of discovery, list, status and probe each. What is promised of every lie: no program ends by a signal or
# hangs, what it says is one plain line, and the good printer is found and answers as if it were alone.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import subprocess
import sys
import tempfile

BUILD = os.path.abspath(os.environ.get("builddir", "."))
EMULATOR, TOOL, BACKEND = (os.path.join(BUILD, name) for name in ("cardspool-emulator", "cardspool", "backend/cardspool"))
GOOD = "cardspool://EVOLIS/Dualys%203?serial=GOOD1"
ANSWERS, SILENT, UNSEEN = "one that answers", "silent", "not listed"
# What becomes of the liar: it is not listed without a bulk endpoint each way in a printer-class interface.
LIES = {"ok": ANSWERS, "no-in": UNSEEN, "no-endpoints": UNSEEN, "two-out": UNSEEN, "other-endpoints": ANSWERS, "wrong-class": UNSEEN,
        "one-way": ANSWERS, "total-long": ANSWERS, "total-short": UNSEEN, "cut": UNSEEN, "zero-length": UNSEEN,
        "long-endpoint": UNSEEN, "no-serial": ANSWERS, "id-none": ANSWERS, "id-short": ANSWERS, "id-long": ANSWERS,
        "id-other": ANSWERS}
failed = 0


def check(promise, good, why=""):
    global failed
    print(("ok - " if good else "not ok - ") + promise + ("" if good else f": {why}"), flush=True)
    failed += not good


def plain(text):
    lines = text.strip().splitlines()
    return len(lines) <= 1 and "Segmentation" not in text


def inside(folder):
    """Runs below the emulator: every command with its status, as JSON on standard output."""
    def run(*argv):
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr
    told = {"discover": run(BACKEND), "list": run(TOOL, "printer", "list", "--json"), "good": run(TOOL, "printer", "status", GOOD)}
    rows = json.loads(told["list"][1]) if told["list"][0] == 0 else []
    others = [row["uri"] for row in rows if row["uri"] != GOOD]
    told["rows"] = [row["uri"] for row in rows]
    for verb in ("status", "probe"):
        told[verb] = run(TOOL, "printer", verb, others[0]) if others else None
    print(json.dumps(told))


def judge(lie, fate, told):
    ends = [told[k] for k in ("discover", "list", "good", "status", "probe") if told[k]]
    check(f"{lie}: no program ends by a signal, and what it says of an error is one line",
          all(0 <= status < 100 and plain(err) for status, _, err in ends), [(s, e) for s, _, e in ends])
    check(f"{lie}: the good printer is listed, found by CUPS and answers", GOOD in told["rows"] and
          GOOD in told["discover"][1] and told["good"][0] == 0, (told["rows"], told["discover"], told["good"]))
    seen = {None: UNSEEN, 0: ANSWERS}.get(told["status"] and told["status"][0], SILENT)
    check(f"{lie}: the liar is {fate}", seen == fate and len(told["rows"]) == 2 - (fate == UNSEEN), (told["rows"], told["status"]))


def main():
    if len(sys.argv) == 2:
        return inside(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="cs-lies.") as folder:
        with open(f"{folder}/conf", "w", encoding="utf-8") as f:
            f.write(f"[paths]\nledger={folder}/ledger.db\nrun={folder}\n[printer]\nreply-timeout-ms=1500\n")
        env = {**os.environ, "CARDSPOOL_CONF": f"{folder}/conf", "LC_ALL": "C.UTF-8",
               "CUPS_SERVER": f"{folder}/no-cups.sock"}
        if subprocess.run([EMULATOR, "-n", "--run", "true"], stderr=subprocess.DEVNULL).returncode == 77:
            print("ok - printers that lie # SKIP the kernel does not let the emulator run")
            return 77
        for lie, fate in LIES.items():
            done = subprocess.run([EMULATOR, "-n", "--printer", f"primacy:serial=LIAR1,descriptors={lie}", "--printer",
                                   "dualys3:serial=GOOD1", "--run", sys.executable, __file__, folder], env=env, timeout=300,
                                  stdout=subprocess.PIPE, text=True)
            check(f"{lie}: all of it ends", done.returncode == 0, done)
            if done.returncode == 0:
                judge(lie, fate, json.loads(done.stdout))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
