# check-demo.py - the demo job from end to end, judged by code that is not the encoder's, the driver's or the ledger's.
#
# Prints one "ok" or "not ok" line a promise. Exit status 1 if any is broken.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import csv
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

import chipdecode
import demo
import privatecups

BUILD = os.environ.get("builddir", ".")
SOURCE = os.environ.get("srcdir", os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
GOLDEN = os.path.join(SOURCE, "tests/data/golden")
failed = 0


def check(promise, good, why=""):
    global failed
    print(("ok - " if good else "not ok - ") + promise + ("" if good else f": {why}"), flush=True)
    failed += not good


def difference(a, b):
    out = subprocess.run([os.path.join(BUILD, "tests/picture-diff"), a, b], stdout=subprocess.PIPE,
                         check=True)
    return json.loads(out.stdout)


def png_size(path):
    with open(path, "rb") as f:
        return struct.unpack(">II", f.read(24)[16:])


def masters(cups):
    """Access and MAC master key, read as root or owner from the key file (doc/KEYS.md)."""
    with open(cups.path("keys/master.keys"), encoding="ascii") as f:
        words = dict(line.split()[:2] for line in f if line.strip() and not line.startswith("#"))
    return bytes.fromhex(words["access-key"]), bytes.fromhex(words["mac-key"])


def as_stored(name, value):
    """A roster's spelling as card-products' rules store it: dates as eight digits, a check digit x as X."""
    value = value.strip()
    if value and name in ("初领日期", "发证日期", "一次复审期", "二次复审期", "有效期从", "有效期到"):
        if "-" in value or "/" in value:
            year, month, day = value.replace("/", "-").split("-")
            return f"{int(year):04d}{int(month):02d}{int(day):02d}"
    return value.upper() if name == "证号" else value


def derived(master, uid, sector, purpose):
    return chipdecode.cmac(master, b"\x01" + uid + bytes([sector, purpose]) + b"CARDSPOOL-MF1")


def check_chip(number, folder, record, access_master, mac_master, all_keys):
    """Problems of one chip dump, as a list."""
    with open(os.path.join(folder, "chip.mfd"), "rb") as f:
        dump = f.read()
    with open(os.path.join(folder, "card.json"), encoding="utf-8") as f:
        card = json.load(f)
    problems = []
    uid = bytes.fromhex(card["uid"])
    if len(dump) != 1024 or dump[:len(uid)] != uid:
        return [f"{number}: dump is not this card's"]
    for b, want in chipdecode.expected_blocks(record).items():
        if chipdecode.block(dump, b) != want:
            problems.append(f"{number}: block {b}")
    for name, value in chipdecode.fields(dump).items():
        if value != record[name]:
            problems.append(f"{number}: field {name}")
    for sector in range(16):
        key_a, conditions, purpose_byte, key_b = chipdecode.trailer(dump, sector)
        if key_a != derived(access_master, uid, sector, 0x0A)[:6] or \
                key_b != derived(access_master, uid, sector, 0x0B)[:6]:
            problems.append(f"{number}: keys of sector {sector}")
        if chipdecode.access(conditions) != [0b100, 0b100, 0b100, 0b011]:
            problems.append(f"{number}: access conditions of sector {sector}")
        if sector == 0 and purpose_byte & 0x80:
            problems.append(f"{number}: sector 0 claims a directory")
        all_keys.extend((key_a, key_b))
    mac = chipdecode.mac(derived(mac_master, uid, 0xFF, 0x0C), uid, dump)
    if dump[16:48] != mac:
        problems.append(f"{number}: MAC")
    data = b"".join(chipdecode.block(dump, b) for b in chipdecode.DATA_BLOCKS)
    if demo.hashlib.sha256(data).hexdigest() != card["ledger"]["chip"]:
        problems.append(f"{number}: chip hash in the ledger")
    for name, value in card["sha256"].items():
        if demo.sha256(os.path.join(folder, name)) != value:
            problems.append(f"{number}: hash of {name}")
    return problems


def check_cards(cups, directory, records):
    access_master, mac_master = masters(cups)
    folders = sorted(os.listdir(os.path.join(directory, "cards")))
    check("a folder for each record, in roster order",
          folders == [f"{i + 1:04d}" for i in range(len(records))], folders)
    problems, keys = [], []
    for folder, record in zip(folders, records):
        problems += check_chip(folder, os.path.join(directory, "cards", folder), record, access_master,
                               mac_master, keys)
    check("every chip equals the roster byte for byte and opens with its own keys only", not problems,
          problems[:8])
    check("no two sectors of the batch share a key, none keeps the transport key",
          len(set(keys)) == len(keys) and chipdecode.TRANSPORT_KEY not in keys, f"{len(set(keys))} of {len(keys)}")


def check_pictures(cups, directory, records):
    problems = []
    preview = cups.path("home/preview.png")
    for i in range(1, len(records) + 1):
        for side in ("front", "back"):
            made = os.path.join(directory, "cards", f"{i:04d}", f"{side}.png")
            if png_size(made) != (1016, 648):
                problems.append(f"{i} {side}: size {png_size(made)}")
            if i > 4 and i != len(records):
                continue
            cups.cardspool("preview", os.path.join(directory, "batch.cards"), "--record", str(i), "--side",
                           side, "--ribbon", "ymckok", "-o", preview)
            d = difference(made, preview)
            if not d["same_size"] or d["max"] > 2:  # dye is sent in 7 bits
                problems.append(f"{i} {side}: {d}")
    check("the head put on the card what preview shows, dot for dot", not problems, problems[:5])
    problems = []
    for name in sorted(os.listdir(GOLDEN)):
        number, side = name[:4], name[5:-4]
        d = difference(os.path.join(directory, "cards", number, side + ".png"), os.path.join(GOLDEN, name))
        if not d["same_size"] or d["block"] > 24 or d["differing"] > 6000:
            problems.append(f"{name}: {d}")
    check("pictures equal the stored ones", not problems and os.listdir(GOLDEN), problems)
    other = difference(os.path.join(directory, "cards/0001/front.png"),
                       os.path.join(directory, "cards/0002/front.png"))
    check("the comparison can tell two holders apart", other["differing"] > 6000, other)


def check_ledger(cups, directory, summary):
    copy = os.path.join(directory, "ledger.db")
    verify = cups.cardspool("ledger", "verify", "--ledger", copy, check=False)
    check("the ledger's chain holds", verify.returncode == 0, verify.stdout + verify.stderr)
    with open(os.path.join(directory, "failures.json"), encoding="utf-8") as f:
        codes = sorted(x["code"] for x in json.load(f)["failures"])
    check("each mishap has exactly one record in the failure log", codes == ["chip-used", "jam-printing"], codes)
    check("the numbers add up to the cards fed",
          (summary["fed"], summary["good"], summary["rejected"], summary["doubt"]) == (22, 20, 2, 0), summary)
    check("CUPS counted every printed side", summary["impressions"] == 40, summary["impressions"])


def check_secrets(cups, directory, records):
    """Names, numbers and keys may stand in the batch, on the chip and on the card, nowhere else."""
    planted = [r["证号"].encode() for r in records] + [r["姓名"].encode() for r in records if len(r["姓名"]) > 2]
    for key in masters(cups):
        planted += [key, key.hex().encode(), key.hex().upper().encode()]
    places = [os.path.join(directory, n) for n in ("ledger.db", "failures.json", "summary.json")]
    for base in (cups.path("log"), cups.path("ledger"), cups.path("spool"), cups.path("cache"), cups.path("run")):
        for folder, _, names in os.walk(base):
            places += [os.path.join(folder, n) for n in names]
    leaks = []
    for place in places:
        with open(place, "rb") as f:
            content = f.read()
        leaks += [place for secret in planted if secret in content]
    check(f"no name, number or key in {len(places)} logs, ledgers and spool files", not leaks, sorted(set(leaks)))


def main():
    work = tempfile.mkdtemp(prefix="cs-demo.")
    try:
        directory = os.path.join(work, "with-mishaps")
        summary, cups = demo.demo(BUILD, directory, quiet=True)
        try:
            with open(os.path.join(directory, "roster.csv"), encoding="utf-8") as f:
                records = [{k: as_stored(k, v) for k, v in row.items()} for row in csv.DictReader(f)]
            check("the job completed", summary["job_state"] == "completed", summary)
            check("at least 20 records", len(records) >= 20, len(records))
            check_cards(cups, directory, records)
            check_pictures(cups, directory, records)
            check_ledger(cups, directory, summary)
            check_secrets(cups, directory, records)
        finally:
            cups.close()
        summary, cups = demo.demo(BUILD, os.path.join(work, "quiet"), mishaps="", quiet=True)
        cups.close()
        check("nothing injected: 20 of 20 cards are good",
              (summary["fed"], summary["good"], summary["rejected"], summary["doubt"]) == (20, 20, 0, 0), summary)
    except privatecups.Failed as failure:
        check("the demo runs", False, failure)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
