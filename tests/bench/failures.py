# failures.py - the failure log of a million records, for bench.py: its list and its report against sqlite3.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import sqlite3
import statistics
import time

RECORDS = 1000000
SHOWN = 10000  # what the list shows without --limit
# Half of the records are zhao's, none is reviewed or open: what many match, what none does, and two of them together.
LISTS = (("all", (), "1"),
         ("machine", ("--machine", "60001377"), "serial = '60001377'"),
         ("cause", ("--cause", "hopper-empty"), "code = 'hopper-empty'"),
         ("order", ("--order", "2026-7"), "\"order\" = '2026-7'"),
         ("person", ("--person", "zhao"), "(operator = 'zhao' OR reviewer = 'zhao')"),
         ("reviewed", ("--state", "reviewed"), "review <> 0"),
         ("machine-open", ("--machine", "60001377", "--state", "open"), "serial = '60001377' AND cleared = 0"),
         ("cause-person", ("--cause", "no-chip", "--person", "zhao"),
          "code = 'no-chip' AND (operator = 'zhao' OR reviewer = 'zhao')"))


def log_make(b, path):
    """A million records: a month's own, repeated back in time. Bulk-loaded with triggers and indexes away, then put back."""
    b.run(b.path("tests/failure-history"), path, "--months", "1", "--cards", "4", "--no-reviews", "--end", "2026-11-20")
    db = sqlite3.connect(path)
    db.execute("PRAGMA synchronous = OFF")
    away = db.execute("SELECT type, name, sql FROM sqlite_master WHERE type = 'trigger' OR (type = 'index' AND "
                      "tbl_name = 'failure' AND sql IS NOT NULL)").fetchall()
    for kind, name, _ in away:
        db.execute(f'DROP {kind} "{name}"')
    n = db.execute("SELECT max(id) FROM failure").fetchone()[0]
    other = {"id": f"{n} + k", "at": "f.at - k * 2000", "cleared": "f.cleared - k * 2000", "order": "'2026-' || (k / 500)"}
    columns = [other.get(row[1], f'f."{row[1]}"') for row in db.execute("PRAGMA table_info(failure)")]
    db.execute(f"WITH RECURSIVE c (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM c WHERE k < {RECORDS - n}) INSERT INTO "
               f"failure SELECT {', '.join(columns)} FROM c JOIN failure AS f ON f.id = 1 + k % {n} AND f.id <= {n}")
    for _, _, sql in away:
        db.execute(sql)
    db.commit()
    db.close()


def rows(b, rounds, child):
    """The list of a log of a million records, from call to last byte; the limit is sqlite3 with the same question."""
    log_make(b, b.at("failures.db"))
    for name, words, where in LISTS:
        ask = (f"SELECT count(*) FROM failure WHERE {where}; SELECT * FROM failure WHERE id IN (SELECT id FROM failure "
               f"WHERE {where} ORDER BY at DESC, id DESC LIMIT {SHOWN}) ORDER BY at, id")
        sides = {"ours": (b.path("cardspool"), "failure", "list", "--json", "--ledger", b.at("failures.db"), *words),
                 "limit": ("sqlite3", "-json", b.at("failures.db"), ask)}
        took = {side: [] for side in sides}
        for _ in range(rounds):
            for side, command in sides.items():
                start = time.monotonic()
                b.run(*command, binary=True)
                took[side].append(time.monotonic() - start)
        ours, limit = (statistics.median(took[side]) for side in ("ours", "limit"))
        b.row(f"failure/list-{name}", "s/1M records", ours, "<= 2", ours <= 2, limit=limit)
    report_rows(b, rounds, child)


# What no report can leave out: each record of the period read once, by cause and by machine.
REPORT_LIMIT = ("SELECT code, serial, count(*), sum(cleared - at), sum(cards_lost), sum(review = 0) FROM failure NOT INDEXED "
                "WHERE at >= 0 GROUP BY 1, 2")


def report_rows(b, rounds, child):
    """The report over all of that log, from call to the file; the limit is sqlite3 adding up the same columns."""
    for form in ("html", "pdf"):
        sides = {"ours": (b.path("cardspool"), "failure", "report", "-o", b.at("report." + form), "--from", "2000-01-01",
                          "--ledger", b.at("failures.db")),
                 "limit": ("sqlite3", b.at("failures.db"), REPORT_LIMIT)}
        took = {side: [] for side in sides}
        for _ in range(rounds):
            for side, command in sides.items():
                start = time.monotonic()
                b.run(*command, binary=True)
                took[side].append(time.monotonic() - start)
        ours, limit = (statistics.median(took[side]) for side in ("ours", "limit"))
        b.row(f"failure/report-{form}", "s/1M records", ours, "<= 2", ours <= 2, limit=limit)
    b.row("failure/report/memory", "MiB", child(b, list(sides["ours"]))[1], "<= 128")
