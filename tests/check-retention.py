# check-retention.py - retention through the command line: what is due, the purge, what sqlite3 can and cannot do.
#
# Prints a line per check; exit status 1 when one fails.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import datetime
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

BUILD = os.environ.get("builddir", ".")
CARDSPOOL = os.path.join(BUILD, "cardspool")
PASS = "correct horse\n"
failed = 0


def check(what, good, more=""):
    global failed
    failed += not good
    print(f"{'ok' if good else 'not ok'} - {what}{'' if good else ': ' + str(more)}")


def sql_refused(ledger, statement):
    db = sqlite3.connect(ledger)
    try:
        with db:
            db.execute(statement)
        return False
    except sqlite3.Error:
        return True
    finally:
        db.close()


def main(folder):
    ledger, conf = os.path.join(folder, "ledger.db"), os.path.join(folder, "cardspool.conf")
    yesterday = (datetime.date.today() - datetime.timedelta(days=1)).isoformat()
    # The last week is not reviewed; seven months are.
    subprocess.run([os.path.join(BUILD, "tests/failure-history"), ledger, "--months", "7", "--cards", "2", "--end",
                    yesterday, "--seed", "11"], check=True, stdout=subprocess.DEVNULL, timeout=300)

    def settings(months):
        with open(conf, "w", encoding="utf-8") as f:
            f.write(f"[paths]\nledger = {ledger}\n[failures]\nretention-months = {months}\n")

    def cs(*words, stdin=""):
        return subprocess.run([CARDSPOOL, *words], input=stdin, capture_output=True, text=True, timeout=120,
                              env=dict(os.environ, CARDSPOOL_CONF=conf))

    def records():
        return json.loads(cs("failure", "list", "--json", "--limit", "0").stdout)["failures"]

    settings(2)
    done = cs("failure", "list")
    check("less than three months is a mistake of the configuration: status 65, line named",
          done.returncode == 65 and "line 4" in done.stderr, done.stderr)
    settings(3)
    before = records()
    dry = json.loads(cs("failure", "purge", "--dry-run", "--json").stdout)
    check("a dry run says how many are due and purges none", dry["due"] > 0 and dry["purged"] == 0
          and len(records()) == len(before), dry)
    settings(6)
    longer = json.loads(cs("failure", "purge", "--dry-run", "--json").stdout)
    check("a longer time leaves fewer due", longer["due"] < dry["due"], longer)
    settings(3)
    done = cs("failure", "purge")
    check("no custodian named: status 64, nothing gone", done.returncode == 64 and len(records()) == len(before))
    done = cs("failure", "purge", "--as", "chen", stdin=PASS)
    check("a reviewer is no custodian: status 77", done.returncode == 77, done.stderr)
    for statement in ("DELETE FROM failure", "DELETE FROM event WHERE kind = 'failure-recorded'",
                      "UPDATE event SET data = '' WHERE kind = 'failure-recorded'", "DELETE FROM review",
                      "UPDATE failure SET at = 0"):
        check(f"SQL is refused: {statement}", sql_refused(ledger, statement))
    done = cs("failure", "purge", "--before", before[0]["at_text"][:10], "--as", "retention", "--json", stdin=PASS)
    check("--before the first day purges none", json.loads(done.stdout)["purged"] == 0, done.stdout + done.stderr)
    done = cs("failure", "purge", "--as", "retention", "--json", stdin=PASS)
    check("the purge takes what was due", json.loads(done.stdout)["purged"] == dry["due"], done.stdout + done.stderr)
    after = records()
    check("as many records are left", len(after) == len(before) - dry["due"], len(after))
    done = cs("failure", "show", str(before[0]["id"]))
    check("a record that was purged is not said to have never been: status 66", done.returncode == 66
          and "purged by retention" in done.stderr and "no record" in cs("failure", "show", "99999").stderr, done.stderr)
    limit = datetime.date.today() - datetime.timedelta(days=92)
    check("nothing of the last three months is gone",
          [r["id"] for r in after if r["at_text"][:10] >= limit.isoformat()] ==
          [r["id"] for r in before if r["at_text"][:10] >= limit.isoformat()])
    check("ledger verify holds across the seam", cs("ledger", "verify").returncode == 0)
    check("failure verify holds", cs("failure", "verify").returncode == 0)
    lines = cs("ledger", "export").stdout.splitlines()
    stone = [json.loads(line) for line in lines if '"failure-purged"' in line]
    check("the tombstone is in the export, with count, hashes and signature",
          stone and sum(len(s["data"]["ids"]) for s in stone) == dry["due"] and len(stone[0]["data"]["signature"]) == 128)

    # Overdue: an old ledger without reviews.
    old = os.path.join(folder, "old.db")
    subprocess.run([os.path.join(BUILD, "tests/failure-history"), old, "--months", "1", "--cards", "2", "--end",
                    "2026-03-01", "--no-reviews"], check=True, stdout=subprocess.DEVNULL, timeout=300)
    done = cs("failure", "list", "--overdue", "--json", "--ledger", old)
    check("records that wait for a review too long: status 75 and the list", done.returncode == 75
          and len(json.loads(done.stdout)["failures"]) > 0, done.stderr)
    done = cs("failure", "purge", "--as", "retention", "--json", "--ledger", old, stdin=PASS)
    told = json.loads(done.stdout)
    check("they are not purged but reported", told["purged"] == 0 and told["overdue"] > 0, told)
    check("nothing overdue: status 0", cs("failure", "list", "--overdue").returncode == 0)

    # sqlite3 with the triggers gone.
    db = sqlite3.connect(ledger)
    kept = [row[0] for row in db.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'")]
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        db.execute(f'DROP TRIGGER "{name}"')
    young = after[-1]
    db.execute("UPDATE event SET data = '' WHERE seq IN (?, ?)", (young["recorded"], young["closed"]))
    db.execute("DELETE FROM failure WHERE id = ?", (young["id"],))
    for statement in kept:
        db.execute(statement)
    db.commit()
    db.close()
    done = cs("ledger", "verify")
    check("a record taken out by sqlite3 with the triggers away is named: status 65",
          done.returncode == 65 and f"event {young['recorded']}: its content was taken away" in done.stdout, done.stdout)


with tempfile.TemporaryDirectory(prefix="cardspool-retention-") as scratch:
    main(scratch)
print(f"{failed} failed" if failed else "all passed")
sys.exit(failed > 0)
