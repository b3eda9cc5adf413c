#!/usr/bin/env python3
# check-barcodes.py - bar codes on cards, read back from the preview by libraries that did not write them:
# zbarimg (QR, Code 128, Code 39), dmtxread (Data Matrix), ZXingReader (QR, PDF417, Data Matrix); and their modules measured.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

BUILD = os.path.abspath(os.environ.get("builddir", "."))
SRC = os.path.abspath(os.environ.get("srcdir", "."))
NS = 'xmlns="http://www.w3.org/2000/svg" xmlns:cs="urn:cardspool:template:1"'
failures = 0


def check(what, good, detail=""):
    global failures
    print(("ok - " if good else "not ok - ") + what + ("" if good else f": {detail}"))
    failures += not good


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def cardspool(*words):
    return run(os.path.join(BUILD, "cardspool"), *words)


def template(folder, kind, width, height, more=""):
    """A dark green card with one code on it, so that the quiet zone has to be made."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "front.svg"), "w", encoding="utf-8") as f:
        f.write(f'<svg {NS} viewBox="0 0 1016 648" cs:dpi="300"><rect width="1016" height="648" fill="#106030"/>'
                f'<rect x="{(1016 - width) // 2}" y="{(648 - height) // 2}" width="{width}" height="{height}" '
                f'cs:kind="barcode" cs:barcode="{kind}" cs:field="内容" cs:align="center" {more}/></svg>')
    with open(os.path.join(folder, "record.schema"), "w", encoding="utf-8") as f:
        f.write("template t\ncharset utf-8\nnumber 内容\nfield 内容 255 text required mask=show\n")


def card(work, kind, value, width=900, height=420, more="", ribbon="ymckok"):
    """(path of the picture, words of the error)"""
    folder, roster, out = (os.path.join(work, n) for n in (kind, "r.csv", kind + ".png"))
    template(folder, kind, width, height, more)
    with open(roster, "w", encoding="utf-8") as f:
        f.write('内容\n"' + value.replace('"', '""') + '"\n')
    for done in (cardspool("template", "build", folder),
                 cardspool("preview", roster, "--template", folder, "--side", "front", "--ribbon", ribbon, "-o", out)):
        if done.returncode:
            return None, done.stderr
    return out, ""


def read_zbar(path):
    return run("zbarimg", "-q", "--raw", "--oneshot", path).stdout.rstrip("\n")


def read_dmtx(path):
    return run("dmtxread", "-n", "-N", "1", "-m", "4000", path).stdout.rstrip("\n")


def read_zxing(path):
    lines = run("ZXingReader", path).stdout.splitlines()
    return next((x.split('"', 1)[1].rsplit('"', 1)[0] for x in lines if x.startswith("Text:")), "")


READERS = {"qr": (read_zbar, read_zxing), "code128": (read_zbar,), "code39": (read_zbar,),
           "pdf417": (read_zxing,), "datamatrix": (read_dmtx, read_zxing)}
VALUES = {"qr": ["V-2026-11-0042", "https://example.org/v?id=42", "欧阳明月 1234", "x" * 200],
          "code128": ["EMP-004217", "0123456789", "a b/c~Z"], "code39": ["EMP-004217", "A B$/+%."],
          "pdf417": ["EMP-004217", "Erika Mustermann, 12.08.1964, Abteilung 7", "y" * 200],
          "datamatrix": ["EMP-004217", "0123456789", "Erika Mustermann 1964", "z" * 120]}


def png_rows(path):
    """(rows of RGB bytes, width, height) of an 8-bit RGB PNG."""
    with open(path, "rb") as f:
        data = f.read()
    width, height, at, body = 0, 0, 8, b""
    while at < len(data):
        n, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", data[at + 8:at + 18])
            assert (depth, colour) == (8, 2)
        if kind == b"IDAT":
            body += data[at + 8:at + 8 + n]
        at += 12 + n
    rows, last, at = [], bytes(3 * width), 0
    plain = zlib.decompress(body)
    for _ in range(height):
        kind, line = plain[at], bytearray(plain[at + 1:at + 1 + 3 * width])
        for i in range(3 * width):
            a = line[i - 3] if i > 2 else 0
            b, c = last[i], last[i - 3] if i > 2 else 0
            if kind == 4:
                p = a + b - c
                pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
                add = a if pa <= pb and pa <= pc else b if pb <= pc else c
            else:
                add = (0, a, b, (a + b) // 2)[kind]
            line[i] = (line[i] + add) & 255
        rows.append(bytes(line))
        last, at = line, at + 1 + 3 * width
    return rows, width, height


def modules_check(work):
    path, error = card(work, "code128", "EMP-004217", 700, 200)
    rows, width, height = png_rows(path)
    line = rows[height // 2]
    colours = [line[3 * x:3 * x + 3] for x in range(width)]
    kinds = {bytes(3): "ink", bytes([255] * 3): "bare"}
    runs = []
    for c in colours:
        kind = kinds.get(c, "ground")
        if runs and runs[-1][0] == kind:
            runs[-1][1] += 1
        else:
            runs.append([kind, 1])
    inner = runs[2:-2]
    widths = {n for _, n in inner}
    module = min(widths)
    check("bars and gaps are whole multiples of one module", all(n % module == 0 and n // module <= 4 for n in widths),
          sorted(widths))
    check("ground, quiet zone of ten modules, code, quiet zone, ground",
          [k for k, _ in runs[:3]] == ["ground", "bare", "ink"] and [k for k, _ in runs[-3:]] == ["ink", "bare", "ground"]
          and runs[1][1] == runs[-2][1] == 10 * module, runs[:3] + runs[-3:])
    check("every row of the code is the same",
          len({rows[y][3 * 200:3 * 800] for y in range(height // 2 - 95, height // 2 + 95)}) == 1)


def smallest_check(work):
    """Each kind in the least place it takes, which the error about a place too small tells."""
    tight = {"qr": (3, 90, 90), "code128": (2, 150, 60), "code39": (2, 150, 60), "pdf417": (2, 190, 90), "datamatrix": (3, 46, 46)}
    for kind, (module, width, height) in tight.items():
        value = "EMP-004217" if kind.startswith("code") else "EMP-004217 DEPARTMENT 7, ROOM 12"
        _, error = card(work, kind, value, width, height)
        told = re.search(r"needs (\d+) x (\d+) dots with modules of (\d+) dots", error)
        check(f"{kind}: the place it needs is told", told and int(told[3]) == module, error)
        if not told:
            continue
        path, error = card(work, kind, value, int(told[1]), max(int(told[2]), height))
        got = [reader(path) for reader in READERS[kind]] if path else error
        check(f"{kind}: modules of {module} dots are read back", path and value in got, got)


def main():
    missing = [p for p in ("zbarimg", "dmtxread", "ZXingReader") if not shutil.which(p)]
    if missing:
        print("skipped: not installed:", *missing)
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="cs-barcodes.") as work:
        for kind, values in VALUES.items():
            for value in values:
                path, error = card(work, kind, value)
                got = [reader(path) for reader in READERS[kind]] if path else error
                # zbar and dmtx know no character sets; what is not ASCII is judged by ZXing
                good = path and (all(g == value for g in got) if value.isascii() else got[-1] == value)
                check(f"{kind}: {value[:24]!r} is read back", good, got)
            path, error = card(work, kind, VALUES[kind][0], ribbon="ko")
            check(f"{kind}: on a ribbon without dye", path and READERS[kind][-1](path) == VALUES[kind][0], error)
        smallest_check(work)
        modules_check(work)
        for kind, value, words in (("code39", "emp-1", "U+0065"), ("code128", "工号1", "U+5DE5"),
                                   ("code128", "x" * 90, "too long"), ("code128", "x" * 30, "needs"), ("qr", "x" * 255, "needs")):
            path, error = card(work, kind, value, 200, 100 if kind != "qr" else 150)
            check(f"{kind}: what it cannot hold is refused by record and field",
                  path is None and "record 1: field 内容" in error and words in error and value not in error, error)
        path, error = card(work, "qr", "x", 40, 40)
        check("a box too small for any code does not compile", path is None and "box 内容" in error, error)
        path, error = card(work, "qr", "x", 300, 300, 'cs:module="65"')
        check("a module of 65 dots is refused", path is None and "module" in error, error)
        for name, field, value in (("office-badge", "工号", "EMP-000038"), ("visitor", "编号", "V-2026-11-0042")):
            folder = os.path.join(BUILD, "templates", name)
            done = cardspool("preview", os.path.join(SRC, "tests/data", name + ".csv"), "--template", folder, "--side",
                             "front", "--photos", os.path.join(SRC, "tests/data/photos"), "-o", os.path.join(work, "c.png"))
            got = [read_zbar(os.path.join(work, "c.png")), read_zxing(os.path.join(work, "c.png"))]
            check(f"{name}: its code is read back", done.returncode == 0 and got == [value] * 2, (got, done.stderr))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
