#!/usr/bin/env python3
# check-po.py - the translations: complete, with the same places for values, and really spoken by the programs.
#
# What is to be translated is taken from the sources anew by xgettext. Exit status 1 if any promise is broken.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import glob
import os
import re
import subprocess
import sys
import tempfile

SRC, BUILD = os.environ.get("srcdir", "."), os.environ.get("builddir", ".")
failed = 0


def check(promise, good, why=""):
    global failed
    print(("ok - " if good else "not ok - ") + promise + ("" if good else f": {why}"), flush=True)
    failed += not good


def run(*argv, **env):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **env})


def entries(path):
    """(msgid, msgstr, fuzzy) of each message, as msgcat writes them on one line each."""
    text = run("msgcat", "--no-wrap", "--no-location", path).stdout
    for block in text.split("\n\n"):
        if block.startswith("#~"):
            continue
        strings, key = {}, None
        for line in block.splitlines():
            m = re.match(r'(msgid|msgstr|msgctxt|msgid_plural|msgstr\[\d\])\s+"(.*)"$', line)
            if m:
                key = m.group(1)
                strings[key] = m.group(2)
            elif line.startswith('"') and key:
                strings[key] += line[1:-1]
        if strings.get("msgid"):
            yield strings["msgid"], strings.get("msgstr") or strings.get("msgstr[0]", ""), "#, fuzzy" in block or ", fuzzy" in block.split("\n")[0]


def main():
    with tempfile.TemporaryDirectory(prefix="cs-po.") as work:
        pot = os.path.join(work, "cardspool.pot")
        files = sorted(f for d in ("filters", "drivers", "spooler") for f in glob.glob(os.path.join(SRC, d, "*.[ch]")))
        made = run("xgettext", "--from-code=UTF-8", "-k_", "-kN_", "-o", pot, *files)
        check("the sources give their messages", made.returncode == 0, made.stderr)
        for po in sorted(glob.glob(os.path.join(SRC, "po", "*.po"))):
            name = os.path.basename(po)
            good = run("msgfmt", "--check", "-o", os.devnull, po)
            check(f"{name}: form and places of values are right", good.returncode == 0, good.stderr)
            have = {i: (s, f) for i, s, f in entries(po)}
            want = [i for i, _, _ in entries(pot)]
            missing = [i for i in want if not have.get(i, ("", False))[0] or have[i][1]]
            check(f"{name}: every message is translated ({len(want)})", not missing, f"{len(missing)}: {missing[:3]}")
            wide = [i for i, (s, _) in have.items() if s.count("\\n") != i.count("\\n")]
            check(f"{name}: one line stays one line", not wide, wide[:3])
        folder = os.path.join(BUILD, "po")
        for language, words in (("zh_CN", "卡"),):
            spoken = run(os.path.join(BUILD, "cardspool"), "help", LANGUAGE=language, LC_ALL="C.UTF-8",
                         CARDSPOOL_LOCALEDIR=folder)
            check(f"{language}: the program speaks it", words in spoken.stdout + spoken.stderr,
                  (spoken.stdout + spoken.stderr)[:200])
            wrong = run(os.path.join(BUILD, "cardspool"), "preview", "nothing.cards", LANGUAGE=language,
                        LC_ALL="C.UTF-8", CARDSPOOL_LOCALEDIR=folder)
            check(f"{language}: an error is one line with the same status", wrong.returncode == 64 and
                  wrong.stderr.count("\n") == 1 and re.search("[\u4e00-\u9fff]", wrong.stderr), wrong)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
