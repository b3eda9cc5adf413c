# check-torture.py - the torture in little: a few kills of each kind, and a console that refuses nonsense.
#
# Prints one "ok" or "not ok" line a promise. Exit status 1 if any is broken.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import os
import sys

import machines
import privatecups
import torture

BUILD = os.environ.get("builddir", ".")
KILLS = 25


def main():
    run = torture.Torture(os.path.abspath(BUILD), machines.MACHINES["dualys3"], KILLS, 3, False)
    try:
        status = run.run()
    except privatecups.Failed as failure:
        sys.exit(f"not ok - the torture runs: {failure}")
    judge = run.judge
    promises = [
        ("every kill found its victim and every batch came to its end", run.kills == KILLS),
        ("each record has one good card", judge.good > KILLS // 5 and not judge.doubled + judge.lost),
        ("no chip lies under another's face", not judge.mismatched),
        ("the ledger knows every card that was fed", not judge.problems),
        ("nobody had to look at a card", status == 0 and run.doubts == 0),
        ("every process was killed", all(any(k.startswith(w) for k in run.by_point) for w in torture.WHO)),
        ("the console refuses what it cannot do", not run.accepted),
    ]
    for promise, good in promises:
        print(("ok - " if good else "not ok - ") + promise)
    sys.exit(0 if all(good for _, good in promises) else 1)


if __name__ == "__main__":
    main()
