# check-desk-logic.py - memory cards at the desk reader: real pcscd, emulated SLE4442 reader, the real program.
#
# Prints one "ok" or "not ok" line a promise; exit status 1 if any is broken.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import csv
import importlib.util
import json
import os
import shutil
import sys

here = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("check_keys", os.path.join(here, "check-keys.py"))
keys = importlib.util.module_from_spec(spec)
spec.loader.exec_module(keys)
check = keys.check
STATION = ("--station", "sle4442:" + keys.READER)
DAY = ("--date", "20261121")


def rows(path):
    with open(path, encoding="utf-8-sig") as f:
        return list(csv.DictReader(f))


def own_card(lab):
    status, told = lab.run("chip", "read", *STATION, *DAY)
    check("a card as delivered is blank, status 66", status == 66, told)
    lab.run("chip", "init", *STATION)
    person = keys.roster(lab)
    lab.run("chip", "personalise", *STATION, "--template", "special-operation", lab.path("one.csv"))
    before = lab.card()
    status, told = lab.run("chip", "read", *STATION, *DAY)
    check("a memory card is shown masked, its MAC checked", status == 0 and "MAC: good" in told and
          person["作业类别"] in told and person["姓名"] not in told and person["证号"] not in told, told)
    status, told = lab.run("chip", "verify", "--json", *STATION, "--date", person["有效期从"])
    check("and judged by its dates", status == 0 and json.loads(told)["verdict"] == "valid", told)
    status, told = lab.run("chip", "verify", *STATION, "--date", "20991231")
    check("and expired after them", status == 11, told)
    out = lab.path("converted.csv")
    status, told = lab.run("chip", "convert", *STATION, "--output", out)
    got = rows(out)[0] if status == 0 else {}
    check("its data becomes a roster line, mode 0600", status == 0 and os.stat(out).st_mode & 0o777 == 0o600 and
          all(got[f] == person[f].replace("-", "") for f in ("证号", "姓名", "性别", "作业类别", "准操项目", "有效期到")), told)
    status, told = lab.run("chip", "convert", *STATION, "--output", out)
    check("which is not replaced", status == 64, told)
    status, told = lab.run("chip", "review", *STATION, *DAY)
    check("a memory card is not reviewed but converted", status == 64 and "convert" in told, told)
    check("nothing was written, no code was presented", lab.card() == before)
    lab.say("sle4442 byte 72 41")
    status, told = lab.run("chip", "verify", *STATION, *DAY)
    check("a changed byte is not genuine", status == 13, told)
    status, told = lab.run("chip", "convert", *STATION, "--output", lab.path("no.csv"))
    check("and not converted", status == 65 and not os.path.exists(lab.path("no.csv")), told)


def old_card(lab):
    """Another system's layout, as an office would write it down."""
    lab.say("sle4442 fresh")
    fields = (("证号", 32, 20, "T110101199003072332"), ("姓名", 64, 26, "欧阳示范"), ("作业类别", 100, 32, "电工作业"),
              ("准操项目", 132, 32, "低压电工作业"), ("有效期从", 200, 8, "20240301"), ("有效期到", 208, 8, "20300228"))
    for _, at, length, value in fields:
        for i, byte in enumerate(value.encode("gbk").ljust(length, b" ")):
            lab.say(f"sle4442 byte {at + i} {byte:02x}")
    with open(lab.path("old.map"), "w", encoding="utf-8") as f:
        f.write("# FIELD FIRST LENGTH\n" + "".join(f"{n} {a} {l}\n" for n, a, l, _ in fields))
    out = lab.path("old.csv")
    before = lab.card()
    status, told = lab.run("chip", "convert", "--map", lab.path("old.map"), "--output", out, *STATION)
    got = rows(out)[0] if status == 0 else {}
    check("a card of another system is converted by the office's map", status == 0 and
          all(got[n] == v for n, _, _, v in fields) and "papers" in told, told)
    check("and only read", lab.card() == before)
    bad = ("没有 1 2\n", "证号 250 20\n", "证号 1\n", "证号 1 2 3\n", "", "证号 -1 4\n", "姓名 65 1\n")
    problems = []
    for text in bad:
        with open(lab.path("bad.map"), "w", encoding="utf-8") as f:
            f.write(text)
        status, told = lab.run("chip", "convert", "--map", lab.path("bad.map"), "--output", lab.path("no.csv"), *STATION)
        if status != 65 or os.path.exists(lab.path("no.csv")) or len(told.splitlines()) != 1:
            problems.append((text, status, told))
    check("a wrong map is refused in one line", not problems, problems[:2])


def main():
    lab = keys.Lab()
    try:
        lab.run("key", "create")
        lab.start()
        own_card(lab)
        old_card(lab)
    finally:
        if lab.daemon:
            lab.daemon.__exit__(None, None, None)
            lab.emulator.kill()
        shutil.rmtree(lab.dir, ignore_errors=True)
    sys.exit(1 if keys.failed else 0)


if __name__ == "__main__":
    main()
