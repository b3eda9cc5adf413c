# check-cups.py - what CUPS and a person may do to a job, each judged by the emulator's own count of cards.
#
# One private cupsd for all (cupsshop.py). Names of checks as arguments run these alone. Exit status 1 if any promise
# is broken.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

import cupsjobs as jobs
import cupsledger as ledger
import cupsshop
import privatecups
from cupsshop import BUILD, Cups, HOPPER, SOURCE, Shop, check

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
HALVES = ((jobs.check_copies, jobs.check_ranges, jobs.check_banner, jobs.check_files, jobs.check_personal,
           jobs.check_restart, jobs.check_cancel, jobs.check_hold, jobs.check_disable, jobs.check_sigterm,
           jobs.check_sighup, jobs.check_queues, ledger.check_export, ledger.check_tamper),
          (jobs.check_class, jobs.check_repeat, ledger.check_reprint, ledger.check_resolve, ledger.check_clock,
           ledger.check_locked, ledger.check_disk_full, ledger.check_bad_ledger, check_streams))
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
    sys.exit(1 if cupsshop.failed else 0)


if __name__ == "__main__":
    main()
