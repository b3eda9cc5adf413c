#!/usr/bin/env python3
"""NDEF tags in the printing pass: real cupsd, an emulated printer stocked with NTAG213, through libnfc and through PC/SC.

The template's ndef.map has a line "pass ntag213". Tags are read by tests/tagdecode.py, which shares nothing with the
encoder. Writes are torn, lost and tags taken away at every write index; the worker is killed at writes; used, wrong and
twin tags lie in the hopper. Every record must end on exactly one good card whose tag says what the record says, with
its number and the message's SHA-256 in the ledger. No key file exists at all.

SPDX-License-Identifier: GPL-3.0-or-later
"""
import hashlib
import json
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ.get("srcdir", "."), "tests"))
import pcsccups  # noqa: E402
import privatecups  # noqa: E402
import tagdecode  # noqa: E402

SOURCE = os.path.abspath(os.environ.get("srcdir", "."))
BUILD = os.path.abspath(os.environ.get("builddir", "."))
READER = "Elyctis CL reader"
HEAD = "工号,姓名,英文名,部门,职务,有效期,权限,照片\n"
NAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"
MAP = "uri https://b.example/{工号}\nvcard FN {姓名}\n"
WRITES = 23  # of one such message: 22 pages, and the first once more for its length
LOCKS = 3    # capability container, dynamic locks, static locks
failed = 0


def check(good, what, said=""):
    global failed
    print(("ok   " if good else "FAIL ") + what + ("" if good else f": {said!r}"), flush=True)
    failed += not good


def number(i):
    return f"E-{i:04d}"


def name(i):
    return NAMES[i % len(NAMES)] + "三"


def wanted(i):
    card = f"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:{name(i)}\r\nEND:VCARD\r\n"
    return [(1, "U", b"\x04b.example/" + number(i).encode()), (2, "text/vcard", card.encode())]


class Office:
    """A private cupsd with its template, whose chips are tags."""

    def __init__(self, cups_class, hopper=100):
        self.cups = cups_class(BUILD, ["--hopper", str(hopper), "--chip", "ntag213", "--ribbon", "ymckok:400",
                                       "--output", str(hopper), "--reject", str(hopper)])
        self.numbers, self.writes = 0, {}
        self.folder = self.cups.path("templates/office-badge")
        self.roster = self.cups.path("home/r.csv")
        shutil.copyfile(os.path.join(SOURCE, "tests/data/photos/0004.jpg"), self.cups.path("home/p.jpg"))
        shutil.copyfile(os.path.join(SOURCE, "templates/office-badge/front.svg"), os.path.join(self.folder, "front.svg"))

    def map(self, text, check_ok=True):
        with open(os.path.join(self.folder, "ndef.map"), "w", encoding="utf-8") as f:
            f.write(text)
        return self.cups.cardspool("template", "build", self.folder, check=check_ok)

    def pack(self, numbers, check_ok=True):
        with open(self.roster, "w", encoding="utf-8") as f:
            f.write(HEAD + "".join(f"{number(i)},{name(i)},,质量部,工程师,20291231,A,p.jpg\n" for i in numbers))
        return self.cups.cardspool("pack", self.roster, "--template", "office-badge", "--photos", self.cups.path("home"),
                                   "-o", self.cups.path("home/b.cards"), check=check_ok)

    def fresh(self, n):
        """Numbers of people that no job had yet: the same batch again would be held."""
        self.numbers += n
        return list(range(self.numbers - n + 1, self.numbers + 1))

    def fed(self):
        return sum(entry.isdigit() for entry in os.listdir(self.cups.path("out")))

    def print(self, numbers, until=("completed",), seconds=300, again=0, options=()):
        """The job's number and its rows; a stopped queue is started again so many times."""
        self.pack(numbers)
        job = self.cups.submit(self.cups.path("home/b.cards"), *options)
        for _ in range(again + 1):
            state = self.cups.wait_job(job, seconds)
            if state not in ("printer-stopped", "processing-stopped"):
                break
            self.cups.run("cupsenable", self.cups.queue)
        rows = self.cups.cardspool_json("card", "list", "--job", str(job))["cards"]
        return state, rows

    def tags(self):
        """{uid: (bin, memory)} of all cards that left the machine."""
        found = {}
        for entry in sorted(os.listdir(self.cups.path("out"))):
            folder = self.cups.path("out", entry)
            if os.path.exists(os.path.join(folder, "card.json")):
                with open(os.path.join(folder, "card.json"), encoding="utf-8") as f:
                    card = json.load(f)
                self.writes[card["uid"].lower()] = card["chip_writes"]
                with open(os.path.join(folder, "chip.mfd"), "rb") as f:
                    found.setdefault(card["uid"].lower(), []).append((card["bin"], f.read()))
        return found

    def wrong(self, numbers, rows, locked=False):
        """What of a job is not as it must be: one good card a record, tag, ledger row and bin agreeing."""
        tags, bad = self.tags(), []
        done = [r for r in rows if r["state"] == "done"]
        if sorted(r["card"] for r in done) != list(range(1, len(numbers) + 1)):
            bad.append(("rows", [(r["card"], r["state"], r["cause"]) for r in rows if r["state"] != "done"]))
        for row in done:
            where, memory = tags[row["uid"].lower()][-1]
            message = tagdecode.message(memory)
            if where != "good" or not message or tagdecode.records(message) != wanted(numbers[row["card"] - 1]):
                bad.append((row["card"], where, message))
            elif hashlib.sha256(message).hexdigest() != row["chip_hash"]:
                bad.append((row["card"], "hash"))
            if tagdecode.locked(memory) != locked:
                bad.append((row["card"], "locks"))
        for row in rows:
            if row["state"] == "rejected" and row["uid"] and "reject" not in [t[0] for t in tags[row["uid"].lower()]]:
                bad.append((row["card"], "not in the reject box"))
        return bad


def check_whole(office, way):
    office.map("pass ntag213\n" + MAP)
    numbers = office.fresh(3)
    state, rows = office.print(numbers)
    bad = office.wrong(numbers, rows)
    check(state == "completed" and not bad and len(rows) == 3,
          f"{way}: three badges, each tag as its record, number and hash in the ledger", (state, bad))
    uid = rows[0]["uid"]
    story = office.cups.cardspool("ledger", "export").stdout
    notes = [e for e in map(json.loads, story.splitlines()) if "NDEF tag" in json.dumps(e)]
    check(len(notes) == 3 and len(uid) == 14, f"{way}: the ledger says that it was a tag", (len(notes), uid))
    return {n: office.tags()[r["uid"].lower()][0][1] for n, r in zip(numbers, rows)}


def check_options(office, way):
    """CardEncode, a job's word on chips, holds for tags as well."""
    office.map("pass ntag213\n" + MAP)
    numbers = office.fresh(1)
    state, rows = office.print(numbers, options=("CardEncode=Required",))
    check(state == "completed" and not office.wrong(numbers, rows), f"{way}: CardEncode=Required writes the tag",
          (state, office.wrong(numbers, rows)))
    before = office.fed()
    state, rows = office.print(office.fresh(1), options=("CardEncode=None",))
    with open(office.cups.path("out", f"{before + 1:04d}", "card.json"), encoding="utf-8") as f:
        writes = json.load(f)["chip_writes"]
    check(state == "completed" and [r["state"] for r in rows] == ["done"] and writes == 0,
          f"{way}: CardEncode=None leaves it alone", (state, rows, writes))


def check_locked(office, way):
    office.map("pass ntag213 lock\n" + MAP)
    numbers = office.fresh(2)
    state, rows = office.print(numbers)
    bad = office.wrong(numbers, rows, locked=True)
    check(state == "completed" and not bad, f"{way}: written and locked for ever", (state, bad))
    counts = {office.writes[r["uid"].lower()] for r in rows}
    check(counts == {WRITES + LOCKS}, f"{way}: in {WRITES} writes and {LOCKS} of locks", counts)


def check_mishaps(office, way, what, places, lock):
    """One card for each write index at which something happens."""
    office.map(f"pass ntag213{' lock' if lock else ''}\n" + MAP)
    numbers = office.fresh(len(places))
    serial = office.fed() + 1
    for n in places:
        office.cups.tell("chip", str(serial), what, str(n))
        serial += 1 + (what == "remove")  # a rejected card's place is taken by the next
    state, rows = office.print(numbers)
    bad = office.wrong(numbers, rows, locked=lock)
    rejected = [r for r in rows if r["state"] == "rejected"]
    check(state == "completed" and not bad, f"{way}: {what} at {len(places)} write places{', locks too' if lock else ''}: "
          f"every record on one good card, {len(rejected)} rejected", (state, bad))
    good = len(rejected) == (len(places) if what == "remove" else 0)
    check(good, f"{way}: {what}: " + ("each such tag in the reject box" if what == "remove" else "made good, none rejected"),
          [(r["card"], r["cause"]) for r in rejected])


def check_kills(office, way, places):
    office.map("pass ntag213 lock\n" + MAP)
    for n, phase in places:
        before, numbers = office.fed(), office.fresh(1)
        office.cups.tell("at", "chip-write", str(n), "kill", "worker", phase)
        state, rows = office.print(numbers, again=3)
        bad = office.wrong(numbers, rows, locked=True)
        check(state == "completed" and not bad and office.fed() == before + 1,
              f"{way}: worker killed {phase} write {n}: the same tag is finished", (state, bad, office.fed() - before))
    kills = json.dumps(office.cups.tell("kills"))
    check(str(len(places)) in kills, f"{way}: all kills met the worker", kills)


def check_bad_stock(office, way, old):
    office.map("pass ntag213\n" + MAP)
    first = office.fed() + 1
    for i, words in enumerate((("used",), ("wrong-type", "classic-1k"), ("wrong-type", "desfire"), ("uid", old), ("dead",))):
        office.cups.tell("chip", str(first + 2 * i), *words)
    numbers = office.fresh(5)
    state, rows = office.print(numbers)
    causes = [r["cause"] for r in sorted(rows, key=lambda r: r["id"]) if r["state"] == "rejected"]
    bad = office.wrong(numbers, rows)
    check(state == "completed" and not bad, f"{way}: bad stock: all five records are made", (state, bad))
    check(causes == ["chip-used", "chip-type", "chip-type", "uid-issued", "no-chip"],
          f"{way}: a tag with data, other chips, a tag of an older card, a dead one: rejected, each with its reason", causes)


def check_refusals(office):
    done = office.map("pass ntag213\npass ntag215\n" + MAP, False)
    template = office.cups.cardspool("template", "check", office.folder, check=False)
    check(done.returncode == 65 and template.returncode == 65 and "line 2" in template.stdout + template.stderr,
          "two lines \"pass\" are refused when the template is checked", (done, template))
    done = office.map("pass ntag999\n" + MAP, False)
    check(done.returncode == 65, "an unknown kind of tag is refused", done)
    shutil.copyfile(os.path.join(SOURCE, "templates/special-operation/chip.map"), os.path.join(office.folder, "chip.map"))
    done = office.map("pass ntag213\n" + MAP, False)
    os.remove(os.path.join(office.folder, "chip.map"))
    check(done.returncode == 65, "a chip.map beside it is refused", done)
    office.map("pass ntag213\ntext zh " + "x" * 120 + "{工号}\n" + MAP)
    done = office.pack([1, 2], False)
    check(done.returncode == 65 and "record 1" in done.stderr and "ntag213" in done.stderr,
          "what does not fit is refused when it is packed, by its record", done)
    office.map("pass ntag215\n" + MAP)
    fed = office.fed()
    office.pack(office.fresh(1))
    job = office.cups.submit(office.cups.path("home/b.cards"))
    state = office.cups.wait_job(job, 300)
    rows = office.cups.cardspool_json("card", "list", "--job", str(job))["cards"]
    causes = {r["cause"] for r in rows if r["state"] == "rejected"}
    check(state == "pending-held" and causes == {"chip-type"}, "stock of another size: held after the limit, none printed",
          (state, causes, office.fed() - fed))
    office.cups.run("cancel", "-a")


def run(way, cups_class, deeds):
    office = Office(cups_class, hopper=300)
    try:
        office.cups.start()
        office.cups.add_queue()
        result = deeds(office, way)
        verdict = office.cups.cardspool("ledger", "verify", check=False)
        check(verdict.returncode == 0, f"{way}: the ledger is whole", verdict)
        with open(office.cups.path("log/error_log"), encoding="utf-8", errors="replace") as f:
            check("Sanitizer" not in f.read(), f"{way}: no sanitizer spoke")
        return result
    finally:
        office.cups.close()


def deeds_nfc(office, way):
    made = check_whole(office, way)
    check_options(office, way)
    check_locked(office, way)
    old = next(iter(office.tags()))
    check_refusals(office)
    check_bad_stock(office, way, old)
    places = list(range(1, WRITES + LOCKS + 1))
    for what in "tear", "lose", "remove":
        check_mishaps(office, way, what, places, True)
    check_kills(office, way, [(1, "before"), (1, "after"), (9, "before"), (WRITES, "before"), (WRITES, "after"),
                              (WRITES + 2, "before")])
    return made


def deeds_pcsc(office, way):
    made = check_whole(office, way)
    check_locked(office, way)
    for what in "tear", "lose", "remove":
        check_mishaps(office, way, what, [1, 2, 11, WRITES], False)
    return made


def main():
    try:
        nfc = run("nfc", privatecups.PrivateCups, deeds_nfc)
        pcsc = run("pcsc", pcsccups.with_reader(READER), deeds_pcsc)
        check(nfc == pcsc, "byte-equal through libnfc and through PC/SC")
    except privatecups.Refused as refusal:
        print(refusal)
        sys.exit(privatecups.EXIT_REFUSED)
    sys.exit(1 if failed else 0)


main()
