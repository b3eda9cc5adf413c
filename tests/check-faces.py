#!/usr/bin/env python3
# check-faces.py - template, preview and the filter together, judged by code that shares nothing with them:
# the card stream is parsed and hashed here from its description, and the preview must show its dots.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import zlib

BUILD = os.path.abspath(os.environ.get("builddir", "."))
SRC = os.path.abspath(os.environ.get("srcdir", "."))
MIME = "application/vnd.cardspool.batch"
failures = 0


def check(what, good, detail=""):
    global failures
    print(("ok - " if good else "not ok - ") + what + ("" if good else f": {detail}"))
    failures += not good


def run(*command, **kwargs):
    return subprocess.run(command, capture_output=True, timeout=120, **kwargs)


def stream_filter(options, file=None, stdin=None, copies="1", **env):
    words = [os.path.join(BUILD, "filter/batchtocards"), "1", "user", "title", copies, options]
    names = dict(os.environ, CONTENT_TYPE=MIME, CARDSPOOL_TEMPLATES=os.path.join(BUILD, "templates"), **env)
    names = {k: v for k, v in names.items() if v is not None}
    done = subprocess.run(words + ([file] if file else []), input=stdin, capture_output=True, env=names, timeout=120)
    return done.returncode, done.stdout


def frames(data):
    assert data[:12] == b"CARDSTRM\x02\0\0\0", data[:12]
    at = 12
    while at < len(data):
        kind, n = data[at:at + 4], struct.unpack_from("<I", data, at + 4)[0]
        payload = data[at + 8:at + 8 + n]
        crc, = struct.unpack_from("<I", data, at + 8 + n)
        assert crc == zlib.crc32(data[at:at + 8 + n]), kind
        yield kind.decode(), payload, data[at + 8 + n:at + 12 + n]
        at += 12 + n


def parse(data):
    """(job, cards, end): a card is its JSON with planes {(side, letter): (fill, bits, dots, lines, bytes)}."""
    job, cards, end, sums = None, [], None, b""
    for kind, payload, crc in frames(data):
        sums = crc if kind == "CARD" else sums + crc
        if kind == "JOB ":
            job = json.loads(payload)
        elif kind == "CARD":
            cards.append(dict(json.loads(payload), planes={}))
        elif kind == "CHIP":
            cards[-1]["chip-image"] = payload
        elif kind == "PLAN":
            side, letter, fill, bits = payload[:4]
            dots, lines = struct.unpack_from("<II", payload, 4)
            cards[-1]["planes"][side, chr(letter)] = (fill, bits, dots, lines, payload[12:])
        elif kind == "DONE":
            cards[-1]["proved"] = payload == struct.pack("<I", zlib.crc32(sums[:-4]))
        else:
            end = kind, json.loads(payload)
    return job, cards, end


def face_hash(card, side):
    h = hashlib.sha256()
    planes = [(letter, card["planes"][side, letter]) for letter in "YMCKOU" if (side, letter) in card["planes"]]
    for letter, (fill, bits, dots, lines, data) in planes:
        h.update(letter.encode() + bytes([fill, bits, 0]) + struct.pack("<II", dots, lines) + data)
    return h.digest() if planes else bytes(32)


def png_rows(path):
    data, at, idat = open(path, "rb").read(), 8, b""
    while at < len(data):
        n, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IHDR":
            w, h, depth, colour = struct.unpack_from(">IIBB", data, at + 8)
            assert (depth, colour) == (8, 2)
        elif kind == b"IDAT":
            idat += data[at + 8:at + 8 + n]
        at += 12 + n
    raw, step, rows, before = zlib.decompress(idat), 3 * w + 1, [], bytearray(3 * w)
    for y in range(h):
        kind, row = raw[y * step], bytearray(raw[y * step + 1:(y + 1) * step])
        for i in range(len(row)):
            a, b, c = row[i - 3] if i >= 3 else 0, before[i], before[i - 3] if i >= 3 else 0
            if kind == 4:
                p = a + b - c
                pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
                b = a if pa <= pb and pa <= pc else b if pb <= pc else c
            row[i] = (row[i] + (0, a, b, (a + b) // 2, b)[kind]) & 255
        rows.append(row)
        before = row
    return w, h, rows


def same_dots(card, side, w, rows, top):
    """The first pixel that differs from what the planes of a side would print, or None."""
    planes = card["planes"]

    def dot(letter, line, at):
        fill, bits, _, lines, data = planes.get((side, letter), (1, 1, 0, 0, b""))
        if fill != 3:
            return 255 * (fill == 2)
        if bits == 8:
            return data[line * 648 + at]
        return 255 * (data[line * 81 + at // 8] >> (7 - at % 8) & 1)

    for y in range(0, 648, 11):
        for x in range(w):
            keep = 255 - dot("K", x, 647 - y)
            want = [keep * (255 - dot(c, x, 647 - y)) // 255 for c in "CMY"]
            if list(rows[top + y][3 * x:3 * x + 3]) != want:
                return x, y
    return None


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LC_ALL"] = "C.UTF-8"
        templates = os.path.join(BUILD, "templates")
        special = os.path.join(templates, "special-operation")
        batch, png = os.path.join(folder, "b.cards"), os.path.join(folder, "p.png")
        tool = os.path.join(BUILD, "cardspool")
        run(os.path.join(BUILD, "cardspool-sample"), folder, "5", check=True)
        packed = run(tool, "pack", "--template", "special-operation", "--templates", templates, "--photos",
                     folder + "/photos", "--order", "2026-7", folder + "/roster.csv", "-o", batch)
        check("a batch is packed", packed.returncode == 0, packed.stderr)

        status, data = stream_filter("cardspool-ribbon=ymckok", batch)
        job, cards, end = parse(data)
        check("every card is in the stream", status == 0 and end == ("END ", {"cards": 5}) and len(cards) == 5, end)
        check("the job says what it is", job["order"] == "2026-7" and job["ribbon"] == "ymckok" and job["cards"] == 5, job)
        panels = sorted(cards[0]["planes"])
        check("front YMCKO, back K", panels == [(0, c) for c in "CKMOY"] + [(1, "K")], panels)
        check("each card's end proves its frames", all(c["proved"] for c in cards))
        check("nobody's name or number is in the clear", all("*" in c["name"] and "*" in c["number"] for c in cards))
        check("faces differ", len({face_hash(c, 0) for c in cards}) == 5)
        k, y = cards[0]["planes"][0, "K"], cards[0]["planes"][0, "Y"]
        check("no dye below black", all(not (k[4][i // 648 * 81 + i % 648 // 8] >> (7 - i % 8) & 1) or y[4][i] == 0
                                        for i in range(0, 648 * 1016, 3)))

        shown = run(tool, "preview", batch, "--template", special, "--record", "2", "-o", png, "--json")
        check("preview", shown.returncode == 0, shown.stderr)
        check("preview tells what it did", json.loads(shown.stdout or "{}").get("panels") == {"front": "YMCKO", "back": "K"},
              shown.stdout)
        w, h, rows = png_rows(png)
        check("preview shows both sides at head resolution", w == 1016 and h > 2 * 648, (w, h))
        for side, top in ((0, 0), (1, h - 648)):
            bad = same_dots(cards[1], side, w, rows, top)
            check(f"preview shows the dots of side {side}", bad is None, bad)
        rc = run(tool, "preview", batch, "--template", special, "--side", "back", "--ribbon", "ymcko", "-o", png)
        check("a side that is not printed cannot be shown", rc.returncode == 66, rc)
        rc = run(tool, "preview", batch, "--template", special, "--record", "6", "-o", png)
        check("a record that is not there", rc.returncode == 66, rc)

        _, data = stream_filter("cardspool-ribbon=ymcko page-ranges=2,4-", batch, copies="2")
        _, some, end = parse(data)
        check("ranges and copies", [(c["card"], c["copy"]) for c in some] ==
              [(2, 1), (2, 2), (4, 1), (4, 2), (5, 1), (5, 2)], end)
        _, data = stream_filter("cardspool-ribbon=ymcko", stdin=open(batch, "rb").read(), copies="2")
        _, piped, end = parse(data)
        check("copies are made once, by the filter that has the file", [c["copy"] for c in piped] == [1] * 5, end)
        check("a pipe gives the same faces", [face_hash(c, 0) for c in piped] == [face_hash(c, 0) for c in cards])

        for ppd, options, front, back in (("dualys3", "", "CKMOY", "K"), ("dualys3", "CardRibbon=ko", "KO", ""),
                                          ("dualys3", "CardRibbon=k", "K", "K"), ("pebble3", "CardRibbon=k", "K", "")):
            _, data = stream_filter(options + " page-ranges=1", batch, PPD=os.path.join(BUILD, f"ppd/{ppd}.ppd"))
            _, some, end = parse(data)
            got = ["".join(sorted(c for s, c in some[0]["planes"] if s == side)) for side in (0, 1)] if some else end
            check(f"{ppd} with {options or 'its default'} prints {front}|{back}", got == [front, back], got)

        status, data = stream_filter("", "/dev/null", CUPS_FILETYPE="job-sheet")
        job, some, end = parse(data)
        check("a banner feeds nothing", status == 0 and not some and end == ("END ", {"cards": 0}), end)
        whole = bytearray(open(batch, "rb").read())
        whole[len(whole) // 2] ^= 1
        broken = os.path.join(folder, "broken.cards")
        open(broken, "wb").write(whole)
        for what, options, env, file in (
                ("a damaged batch feeds nothing", "cardspool-ribbon=k", {}, broken),
                ("no batch at all", "cardspool-ribbon=k", {}, folder + "/roster.csv"),
                ("a file that is not there", "cardspool-ribbon=k", {}, folder + "/none"),
                ("another type", "cardspool-ribbon=k", {"CONTENT_TYPE": "text/plain"}, batch),
                ("an unknown ribbon", "cardspool-ribbon=gold", {}, batch),
                ("a range that is none", "cardspool-ribbon=k page-ranges=3-1", {}, batch),
                ("a range beyond the batch", "cardspool-ribbon=k page-ranges=6-", {}, batch),
                ("a template that is not there", "cardspool-ribbon=k", {"CARDSPOOL_TEMPLATES": folder}, batch)):
            names = {"CONTENT_TYPE": MIME, "CARDSPOOL_TEMPLATES": templates, **env}
            command = [os.path.join(BUILD, "filter/batchtocards"), "1", "u", "t", "1", options, file]
            done = subprocess.run(command, capture_output=True, env=dict(os.environ, **names), timeout=60)
            job, some, end = parse(done.stdout)
            check(what, done.returncode == 0 and not some and end[0] == "ERRO" and end[1]["code"] < 0 and end[1]["text"],
                  (done.returncode, end))
    sys.exit(failures > 0)


main()
