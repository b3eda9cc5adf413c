# check-report.py - the failure report: pages, figures, languages, empty periods, hostile text, refused calls.
#
# Figures are added up anew from the tables by sqlite3. Prints a line per check; exit status 1 when one fails.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import html.parser
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile

BUILD = os.environ.get("builddir", ".")
CARDSPOOL = os.path.join(BUILD, "cardspool")
HOSTILE = "<script>alert(1)</script>\"'&\x1b[2J\u202ebad\x01"
VOID_TAGS = {"meta", "br"}
failed = 0


def check(what, good, more=""):
    global failed
    failed += not good
    print(f"{'ok' if good else 'not ok'} - {what}{'' if good else ': ' + str(more)[:600]}", flush=True)


def run(*words, **env):
    return subprocess.run(words, capture_output=True, text=True, timeout=120, env={**os.environ, "TZ": "Asia/Shanghai", **env})


class Page(html.parser.HTMLParser):
    """Marks that open and close in order, their texts, and whatever would reach outside or run."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.stack, self.text, self.bad, self.tags = [], "", [], set()
        self.feed(text)
        self.close()
        self.bad += [f"left open: {self.stack}"] if self.stack else []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.bad += [name for name, _ in attrs if name.startswith("on") or name in ("src", "href", "xlink:href", "srcset")]
        if tag not in VOID_TAGS:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag:
            self.bad.append(f"</{tag}>")

    def handle_data(self, data):
        if "style" not in self.stack:
            self.text += data + "\n"


def pdf_text(path):
    done = run("gs", "-q", "-dSAFER", "-sDEVICE=txtwrite", "-o", "-", path)
    return re.sub(r"[ \t]+", " ", done.stdout)


def triggers_drop(db):
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        db.execute(f'DROP TRIGGER "{name}"')


def sums(ledger, where="1"):
    """The same figures by sqlite3."""
    db = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
    keys = ("failures", "jams", "waiting", "open")
    row = db.execute("SELECT count(*), sum(code LIKE 'jam-%' OR code = 'mechanical'), sum(review = 0), sum(cleared = 0) "
                     f"FROM failure WHERE {where}").fetchone()
    db.close()
    return dict(zip(keys, row))


def main(folder):
    ledger = os.path.join(folder, "ledger.db")
    made = run(os.path.join(BUILD, "tests/failure-history"), ledger, "--months", "1", "--cards", "5", "--seed", "3",
               "--end", "2026-06-30")
    if made.returncode:
        sys.exit(made.stderr)
    run(CARDSPOOL, "failure", "note", "1", "--cause", "a hair on the rollers", "--ledger", ledger)
    period = ("--from", "2026-05-01", "--to", "2026-06-30")

    def report(name, *words, path=ledger, **env):
        path_out = os.path.join(folder, name)
        if name.endswith(".pdf"):  # libcairo 1.16 loses 768 bytes of each font that it puts into a PDF
            env["ASAN_OPTIONS"] = "detect_leaks=0"
        done = run(CARDSPOOL, "failure", "report", "-o", path_out, "--json", "--ledger", path, *words, **env)
        return done, path_out

    # What it says.
    done, path = report("en.html", *period, "--language", "en")
    check("a report is written", done.returncode == 0, done.stderr)
    told = json.loads(done.stdout)
    begin, end = 1777564800000, 1782835200000  # 2026-05-01 and 2026-07-01 in China
    want = sums(ledger, f"at >= {begin} AND at < {end}")
    check("its figures are those of sqlite3", all(told[k] == want[k] for k in want) and want["failures"] > 4, (told, want))
    english = open(path, encoding="utf-8").read()
    page = Page(english)
    check("the HTML is well-formed and reaches nothing outside", not page.bad and "script" not in page.tags
          and not re.search(r"https?://(?!www\.w3\.org/2000/svg\")", english), page.bad)
    check("it has its charts, machines and records", english.count("<svg ") == 5 and "60001377" in page.text
          and "Card feeder empty" in page.text)
    done, path = report("zh.html", *period, "--language", "zh")
    chinese = Page(open(path, encoding="utf-8").read())
    check("the same in Chinese", "故障报告" in chinese.text and "进卡盒无卡" in chinese.text and not chinese.bad, chinese.bad)
    done, path = report("locale.html", *period, LC_ALL="C.UTF-8", LANGUAGE="zh_CN")
    check("the locale chooses the language", "故障报告" in open(path, encoding="utf-8").read())
    done, path = report("locale.html", *period, LC_ALL="C", LANGUAGE="zh_CN")
    check("in the C locale it is English", "Failure report" in open(path, encoding="utf-8").read())

    # Pages.
    for language, words in (("en", ("Failure report", "Card feeder empty", "60001377")), ("zh", ("故障报告", "进卡盒无卡", "60001377"))):
        done, path = report(f"{language}.pdf", *period, "--language", language)
        data = open(path, "rb").read()
        check(f"{language}: a PDF of A4 pages", done.returncode == 0 and data[:5] == b"%PDF-" and b"595." in data, done.stderr)
        text = pdf_text(path)
        check(f"{language}: its text can be searched", all(w in text for w in words), text[:400])
        pages = [int(n) for n in re.findall(r"(?:Page|页) (\d+) / \d+\s*$", text, re.M)]
        check(f"{language}: its pages are numbered", pages and pages == list(range(1, len(pages) + 1)), pages)

    # Ribbon lots: a person enters them.
    check("failures are counted by the lots that were entered", "R2601" in page.text and "R2602" in page.text
          and "Not recorded" not in page.text)
    done = run(CARDSPOOL, "ribbon", "load", "60001377", "--lot", "X-17", "--ledger", ledger)
    check("a lot is entered", done.returncode == 0 and "X-17" in done.stdout, done.stderr)
    for what, status, *words in (("an unknown machine", 66, "NOBODY", "--lot", "X"), ("no lot", 64, "60001377"),
                                 ("an empty lot", 64, "60001377", "--lot", ""), ("a control character", 64, "60001377", "--lot", "a\x1bb"),
                                 ("bytes that are no text", 64, "60001377", "--lot", b"\xff\xfe")):
        done = run(CARDSPOOL, "ribbon", "load", *words, "--ledger", ledger)
        check(f"ribbon load, {what}: status {status}", done.returncode == status and done.stderr.count("\n") == 1,
              (done.returncode, done.stderr))
    check("the ledger still holds", run(CARDSPOOL, "ledger", "verify", "--ledger", ledger).returncode == 0)

    # One machine, and periods with nothing in them.
    done, path = report("one.html", *period, "--machine", "60001377")
    want = sums(ledger, f"at >= {begin} AND at < {end} AND serial = '60001377'")
    told = json.loads(done.stdout)
    text = Page(open(path, encoding="utf-8").read()).text
    check("one machine by its serial number", all(told[k] == want[k] for k in want) and "60001234" not in text, (told, want))
    for name, *words in (("empty.html", "--from", "2020-01-01", "--to", "2020-01-31"),
                         ("empty.pdf", "--from", "2020-01-01", "--to", "2020-01-31")):
        done, path = report(name, *words, "--language", "en")
        text = pdf_text(path) if name.endswith("pdf") else Page(open(path, encoding="utf-8").read()).text
        check(f"{name}: an empty period gives a page that says so", done.returncode == 0
              and "There are no failures in this period." in text, done.stderr + text[:300])

    # Hostile text of a printer, an order, a machine.
    bad = os.path.join(folder, "bad.db")
    db = sqlite3.connect(ledger)
    db.execute("VACUUM INTO ?", (bad,))
    db.close()
    db = sqlite3.connect(bad)
    triggers_drop(db)
    for column in ("machine", "serial", "order", "holder", "code", "cause", "raw", "done", "operator", "reviewer"):
        db.execute(f'UPDATE failure SET "{column}" = ? WHERE id % 3 = 0', (HOSTILE + column,))
    db.execute("UPDATE failure SET raw = CAST(x'fffe80' AS TEXT) WHERE id % 3 = 1")
    db.commit()
    db.close()
    done, path = report("bad.html", *period, path=bad)
    text = open(path, encoding="utf-8").read()
    page = Page(text)
    check("hostile text stays text in HTML", done.returncode == 0 and not page.bad and "script" not in page.tags
          and "<script>alert(1)" in page.text and not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text), (done.stderr, page.bad))
    done, path = report("bad.pdf", *period, path=bad)
    check("and in a PDF", done.returncode == 0 and "alert(1)" in pdf_text(path), done.stderr)

    # Calls that are refused.
    for what, status, *words in (("no file", 64), ("another form", 64, "-o", "report.doc"),
                                 ("a date that is none", 64, "-o", "r.pdf", "--from", "2026-02-30"),
                                 ("a period that ends before it begins", 64, "-o", "r.pdf", "--from", "2026-05-02", "--to", "2026-05-01"),
                                 ("a language it has not", 64, "-o", "r.pdf", "--language", "fr"),
                                 ("a word too many", 64, "-o", "r.pdf", "more"),
                                 ("no such option", 64, "-o", "r.pdf", "--colour")):
        done = run(CARDSPOOL, "failure", "report", "--ledger", ledger, *words)
        check(f"{what}: status {status} and one line", done.returncode == status and done.stderr.count("\n") == 1, (done.returncode, done.stderr))
    done, path = report("no/such/folder.pdf", *period)
    check("a folder that is not there: status 74", done.returncode == 74 and done.stderr.count("\n") == 1, done.stderr)
    done, path = report("machine.pdf", *period, "--machine", "NOBODY")
    check("a machine the ledger never saw: status 66 and no file", done.returncode == 66 and done.stderr.count("\n") == 1
          and not os.path.exists(path), done.stderr)
    done = run(CARDSPOOL, "failure", "list", "--csv", "--ledger", bad)
    check("no control character in CSV", done.returncode == 0 and "\x1b" not in done.stdout and "\x01" not in done.stdout)
    done, path = report("x.pdf", path=os.path.join(folder, "none.db"))
    check("no ledger: status 66 and no file", done.returncode == 66 and not os.path.exists(path), done.stderr)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="cs-report.") as work:
        main(work)
    sys.exit(1 if failed else 0)
