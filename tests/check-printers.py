#!/usr/bin/env python3
"""check-printers.py - the families' tables: complete, the same as doc/PRINTERS.md, and open to one more family.

SPDX-License-Identifier: GPL-3.0-or-later
"""
import json
import os
import subprocess
import sys

SOURCE = os.environ.get("srcdir", os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
BUILD = os.environ.get("builddir", ".")
MARK = "<!-- From here on: cardspool printer models --doc -->\n\n"
CONFIDENCES = {"proven", "sourced", "one source", "inferred"}
WANTED = {"Evolis Pebble 3", "Evolis Pebble 4", "Evolis Dualys 3", "Evolis Tattoo", "Evolis Quantum", "Evolis Zenius",
          "Evolis Primacy", "Evolis Primacy 2", "Evolis Badgy"}
failed = 0


def check(ok, what, detail=""):
    global failed
    print(f"{'ok' if ok else 'not ok'} - {what}" + (f": {detail}" if detail and not ok else ""))
    failed += not ok


def run(program, *words):
    return subprocess.run([os.path.join(BUILD, program), *words], capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C", "LANGUAGE": "C"}, check=False)


def models(program="cardspool"):
    return json.loads(run(program, "printer", "models", "--json").stdout)


def names_check(all_models):
    names = [m["model"] for m in all_models]
    check(WANTED <= set(names), "every promised model is a row", str(WANTED - set(names)))
    check(len(names) == len(set(names)), "no model twice")


def rows_check(all_models):
    bad = [m["model"] for m in all_models
           if m["confidence"] not in CONFIDENCES or not m["ribbons"] or not m["levels"] or m["dots"] * m["lines"] == 0]
    check(not bad, "each has a head, ribbons, levels and a confidence", str(bad))
    bad = [(m["model"], s["name"]) for m in all_models for s in m["settings"]
           if s["confidence"] not in CONFIDENCES or not s["purpose"]]
    check(not bad, "each setting says what it is for and how sure we are", str(bad))
    bad = [m["model"] for m in all_models if len({s["name"] for s in m["settings"]}) != len(m["settings"])]
    check(not bad, "no setting twice", str(bad))
    proven = [m["model"] for m in all_models if m["confidence"] == "proven"]
    check(not proven, "nothing calls itself proven: no real printer has been on the bench", str(proven))


def human_check(all_models):
    out = run("cardspool", "printer", "models").stdout.splitlines()
    check(len(out) == len(all_models) and all(m["model"] in line for m, line in zip(all_models, out)),
          "the table for people has a line for each")
    wrong = run("cardspool", "printer", "models", "--yaml")
    check(wrong.returncode == 64 and "--yaml" in wrong.stderr and not wrong.stdout, "another option is named",
          wrong.stderr)


def page_check():
    with open(os.path.join(SOURCE, "doc", "PRINTERS.md"), encoding="utf-8") as page:
        prose, mark, tables = page.read().partition(MARK)
    fresh = run("cardspool", "printer", "models", "--doc").stdout
    check(bool(mark) and bool(prose), "doc/PRINTERS.md has prose and a mark")
    check(fresh.rstrip() == tables.rstrip(), "doc/PRINTERS.md shows the tables as they are",
          "run tests/check-printers.py --write")


def page_write():
    path = os.path.join(SOURCE, "doc", "PRINTERS.md")
    with open(path, encoding="utf-8") as page:
        prose = page.read().partition(MARK)[0]
    with open(path, "w", encoding="utf-8") as page:
        page.write(prose + MARK + run("cardspool", "printer", "models", "--doc").stdout.rstrip() + "\n")


def family_check(all_models):
    """The same program with one more file in the list of families."""
    more = models("tests/cardspool-family")
    dummy = [m for m in more if m["family"] == "dummy"]
    check(len(more) == len(all_models) + 1 and len(dummy) == 1, "one file and one row add a family")
    check(bool(dummy) and dummy[0]["model"] == "Dummy One" and dummy[0]["settings"][0]["name"] == "volume",
          "it brings its model and its settings")
    check("## Family dummy: commands" in run("tests/cardspool-family", "printer", "models", "--doc").stdout,
          "and its commands")


def main():
    if sys.argv[1:] == ["--write"]:
        page_write()
        return 0
    all_models = models()
    names_check(all_models)
    rows_check(all_models)
    human_check(all_models)
    page_check()
    family_check(all_models)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
