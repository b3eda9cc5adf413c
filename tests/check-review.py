# check-review.py - people, reviews and their proof by plain openssl, through the command line.
#
# Prints a line per check; exit status 1 when one fails.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import pty
import sqlite3
import subprocess
import sys
import tempfile
import time

BUILD = os.environ.get("builddir", ".")
CARDSPOOL = os.path.join(BUILD, "cardspool")
PASS = "correct horse"
failed = 0


def check(what, good, more=""):
    global failed
    failed += not good
    print(f"{'ok' if good else 'not ok'} - {what}{'' if good else ': ' + str(more)}")


def run(*words, stdin="", cwd=None):
    return subprocess.run([*words], input=stdin, capture_output=True, text=True, timeout=60, cwd=cwd)


def main(folder):
    ledger = os.path.join(folder, "ledger.db")
    made = run(os.path.join(BUILD, "tests/failure-history"), ledger, "--months", "1", "--cards", "3", "--no-reviews",
               "--seed", "5")
    if made.returncode:
        sys.exit(made.stderr)

    def cs(*words, stdin=""):
        return run(CARDSPOOL, *words, "--ledger", ledger, stdin=stdin)

    records = json.loads(cs("failure", "list", "--json").stdout)["failures"]
    one, other = records[0], records[1]
    done = cs("person", "add", "Hu Ming", "--role", "reviewer", "--login", "hu", "--json", stdin=PASS + "\n")
    check("a person is added, the passphrase comes by the standard input", done.returncode == 0, done.stderr)
    person = json.loads(done.stdout)
    check("what is shown of a person holds no private key", "sealed" not in person and "PRIVATE" not in done.stdout)
    done = cs("person", "add", "Nobody", "--role", "reviewer")
    check("no passphrase: status 65 and nobody added", done.returncode == 65 and "Nobody" not in cs("person", "list").stdout)

    done = cs("failure", "review", str(one["id"]), "--as", "Hu Ming", stdin="wrong horse\n")
    check("a wrong passphrase: status 77", done.returncode == 77, done.stderr)
    done = cs("failure", "review", str(one["id"]), "--as", one["operator"], stdin=PASS + "\n")
    check("the operator may not review: status 77", done.returncode == 77, done.stderr)
    done = cs("failure", "review", str(one["id"]), "--as", "Hu Ming", stdin=PASS + "\n")
    check("a reviewer signs", done.returncode == 0, done.stderr)
    done = cs("failure", "review", str(one["id"]), "--as", "chen", stdin=PASS + "\n")
    check("a second signature: status 75", done.returncode == 75, done.stderr)
    day = time.strftime("%Y-%m-%d", time.localtime(other["at"] / 1000))
    done = cs("failure", "review", "--day", day, "--as", "chen", stdin=PASS + "\n")
    check("a day's list is signed", done.returncode == 0, done.stderr)
    done = cs("failure", "review", "--day", day, "--as", "chen", stdin=PASS + "\n")
    check("a day without open reviews: status 66", done.returncode == 66, done.stderr)
    check("failure verify holds", cs("failure", "verify").returncode == 0)
    check("ledger verify holds", cs("ledger", "verify").returncode == 0)

    # Offline, with openssl alone.
    out = os.path.join(folder, "proof")
    done = cs("failure", "review", str(one["id"]), "--export", out)
    check("a review is exported", done.returncode == 0, done.stderr)
    script = [name for name in os.listdir(out) if name.endswith(".sh")][0]
    text = os.path.join(out, script.replace(".sh", ".txt"))
    done = run("sh", script, cwd=out)
    check("openssl accepts the signature", done.returncode == 0 and "Success" in done.stdout, done.stdout + done.stderr)
    words = open(text, encoding="utf-8").read()
    check("the text names record, reviewer and key",
          f"record {one['id']}\n" in words and "reviewer: Hu Ming\n" in words and person["fingerprint"] in words)
    with open(text, "w", encoding="utf-8") as f:
        f.write(words.replace(one["code"], "cover-closed"))
    check("openssl refuses a changed text", run("sh", script, cwd=out).returncode != 0)

    # The sealed key is a standard one.
    key = os.path.join(folder, "key.pem")
    db = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
    sealed, public = db.execute("SELECT sealed, public FROM person WHERE name = 'Hu Ming'").fetchone()
    db.close()
    with open(key, "w", encoding="ascii") as f:
        f.write(sealed)
    done = run("openssl", "pkey", "-in", key, "-passin", "stdin", "-pubout", stdin=PASS + "\n")
    check("openssl opens the sealed key with the passphrase", done.returncode == 0 and done.stdout == public, done.stderr)
    check("and not with another", run("openssl", "pkey", "-in", key, "-passin", "stdin", stdin="x\n").returncode != 0)
    form = run("openssl", "asn1parse", "-in", key).stdout
    check("it is sealed by scrypt and AES-256", "PBES2" in form
          and ("scrypt" in form or "11591.4.11" in form) and "aes-256-cbc" in form, form)

    # What a person sees of a record, and what a slip of the pen gives.
    shown = cs("failure", "show", str(one["id"])).stdout
    signed = json.loads(cs("failure", "show", str(one["id"]), "--json").stdout)["failure"]
    check("a record is shown with its cause, its times and who signed", f"record {one['id']}\n" in shown
          and f"({one['code']})" in shown and "reviewed: by Hu Ming, " in shown and signed["at_text"][:10] in shown
          and str(one["at"]) not in shown, shown)
    last = records[-1]["id"]
    photo = os.path.join(folder, "p.jpg")
    with open(photo, "wb") as f:
        f.write(b"photo")
    cs("failure", "note", str(last), "--cause", "=dust\n\x1b[31m", "--note", "-wiped", "--file", photo)
    shown = cs("failure", "show", str(last)).stdout
    check("a note with its file, and no control character", "cause found: =dust" in shown and "p.jpg, 5 B" in shown
          and "\x1b" not in shown and ledger + ".files/" in shown, shown)
    check("an unsigned record says so", "reviewed: not yet" in shown, shown)
    for words, status, said in ((("--cause", "no-such-cause"), 64, "fault list"),
                                (("--from", "2026-11-02", "--to", "2026-11-01"), 64, "ends before"),
                                (("--machine", "nobody's"), 0, "No record matches"), (("--overdue",), 0, "No review is overdue")):
        done = cs("failure", "list", *words)
        check(f"failure list {' '.join(words)}: status {status}, one line", done.returncode == status
              and said in done.stdout + done.stderr and (done.stdout + done.stderr).count("\n") == 1, done.stdout + done.stderr)
    empty = os.path.join(folder, "empty.db")
    open(empty, "wb").close()
    done = run(CARDSPOOL, "failure", "purge", "--dry-run", "--ledger", empty)
    check("an empty file does not become a ledger", done.returncode == 66 and os.path.getsize(empty) == 0, done.stderr)

    # At a terminal: asked twice, without echo.
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(CARDSPOOL, [CARDSPOOL, "person", "add", "Tan", "--role", "operator", "--ledger", ledger])
    seen = b""
    for prompt in (b"New passphrase", b"Once more"):
        while prompt + b": " not in seen:
            seen += os.read(fd, 1024)
        time.sleep(0.2)
        os.write(fd, PASS.encode() + b"\n")
    try:
        while True:
            piece = os.read(fd, 1024)
            if not piece:
                break
            seen += piece
    except OSError:
        pass
    check("at a terminal it is asked twice and not echoed", os.waitpid(pid, 0)[1] == 0 and PASS.encode() not in seen, seen)

    done = cs("person", "retire", "Hu Ming")
    check("a person is retired", done.returncode == 0, done.stderr)
    left = [r for r in records if r["cleared"] and r["id"] not in (one["id"], other["id"])][-1]
    done = cs("failure", "review", str(left["id"]), "--as", "Hu Ming", stdin=PASS + "\n")
    check("a retired person signs nothing: status 77", done.returncode == 77, done.stderr)
    check("what was signed before still holds", cs("failure", "verify").returncode == 0)

    # Filters.
    def ids(*words):
        return [r["id"] for r in json.loads(cs("failure", "list", "--json", *words).stdout)["failures"]]
    for words, keep in (
            (("--cause", one["code"]), lambda r: r["code"] == one["code"]),
            (("--machine", one["serial"]), lambda r: r["serial"] == one["serial"]),
            (("--machine", one["machine"]), lambda r: r["machine"] == one["machine"]),
            (("--order", one["order"]), lambda r: r["order"] == one["order"]),
            (("--person", one["operator"]), lambda r: r["operator"] == one["operator"]),
            (("--person", "Hu Ming"), lambda r: r["id"] == one["id"]),
            (("--from", day, "--to", day), lambda r: time.strftime("%Y-%m-%d", time.localtime(r["at"] / 1000)) == day)):
        check("failure list " + " ".join(words), ids(*words) == [r["id"] for r in records if keep(r)] != [], ids(*words))
    rows = cs("failure", "list", "--csv").stdout.split("\n")
    check("CSV has a head and a row each", len(rows) == len(records) + 2 and rows[0].startswith("id,at,cleared,"), rows[:2])
    cut = json.loads(cs("failure", "list", "--json", "--limit", "2").stdout)
    check("a cut list is the newest and says so",
          [r["id"] for r in cut["failures"]] == [r["id"] for r in records[-2:]] and cut["left_out"] == len(records) - 2, cut)
    for words in (("--from", "2026-02-30"), ("--state", "gone"), ("--limit", "x"), ("--unknown",)):
        done = cs("failure", "list", *words)
        check("failure list " + " ".join(words) + ": status 64, one line",
              done.returncode == 64 and done.stderr.count("\n") == 1, done.stderr)


with tempfile.TemporaryDirectory(prefix="cardspool-review-") as scratch:
    main(scratch)
print(f"{failed} failed" if failed else "all passed")
sys.exit(failed > 0)
