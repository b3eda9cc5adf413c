#!/usr/bin/env python3
# check-templates.py - what a designer meets: template check and build, hostile drawings, writing systems, labels, and
# golden pictures of every template that is shipped.
#
#   check-templates.py            judge
#   check-templates.py --store    write the pictures anew, to be looked at before they are committed
#
# SPDX-License-Identifier: GPL-3.0-or-later
import base64
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib

BUILD = os.path.abspath(os.environ.get("builddir", "."))
SRC = os.path.abspath(os.environ.get("srcdir", "."))
DATA = os.path.join(SRC, "tests/data")
GOLDEN = os.path.join(DATA, "golden-templates")
NS = ('xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
      'xmlns:cs="urn:cardspool:template:1"')
FONT = 'cs:font="Noto Sans CJK SC"'
failures = 0


def check(what, good, detail=""):
    global failures
    print(("ok - " if good else "not ok - ") + what + ("" if good else f": {detail}"))
    failures += not good


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def cardspool(*words):
    return run(os.path.join(BUILD, "cardspool"), *words)


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


SCHEMA = "template t\ncharset utf-8\nnumber 编号\nfield 编号 20 text required mask=show\nfield 姓名 200 text mask=show\n"
SEAL = f'<svg {NS} viewBox="0 0 40 40"><rect width="40" height="20" fill="#f00"/></svg>'
NUMBER = f'<rect x="100" y="500" width="300" height="60" cs:kind="text" cs:field="编号" {FONT} cs:size="30" cs:min-size="20"/>'


def text(place, more='cs:size="30" cs:min-size="20"', field="姓名"):
    return f'<rect {place} cs:kind="text" cs:field="{field}" {FONT} {more}/>'


def folder(work, front, back=None, schema=SCHEMA, seal=SEAL, root="", whole=None):
    path = os.path.join(work, "t")
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    wrap = lambda body: f'<svg {NS} viewBox="0 0 1016 648" cs:dpi="300" {root}>{body}</svg>'
    write(os.path.join(path, "front.svg"), whole if whole is not None else wrap(front))
    if back is not None:
        write(os.path.join(path, "back.svg"), wrap(back))
    write(os.path.join(path, "record.schema"), schema)
    write(os.path.join(path, "seal.svg"), seal)
    return path


GOOD = 'x="300" y="400" width="300" height="60"'
# drawing of the front (beside the number's box), of the back, words of the finding, further folder() arguments
ERRORS = [
    (text('x="0" y="100" width="200" height="60"'), None, "box 姓名: reaches beyond the edge", {}),
    (text('x="150" y="520" width="200" height="60"'), None, "box 姓名: overlaps box 编号", {}),
    (text('x="150" y="250" width="200" height="60"'), None, "under the contacts", {"root": 'cs:chip="contact"'}),
    ("", text('x="150" y="100" width="200" height="60"'), "back.svg: box 姓名: lies on the magnetic stripe",
     {"root": 'cs:stripe="back"'}),
    (text(GOOD).replace("Noto Sans CJK SC", "Kein Zeichensatz"), None, "is not installed", {}),
    (text(GOOD, field="年龄"), None, 'has no field "年龄"', {}),
    (text(GOOD, 'cs:size="30" cs:show-if="年龄=3"'), None, 'has no field "年龄"', {}),
    (text('x="300" y="400" width="300" height="12"'), None, "lower than one line", {}),
    (f'<rect {GOOD} cs:kind="photo"/>', None, "photos are 5:4", {"schema": SCHEMA + "photo required ratio=5:4\n"}),
    ("", None, "no box for the photo", {"schema": SCHEMA + "photo required ratio=5:4\n"}),
    (f'<rect {GOOD} cs:kind="seal"/>', None, "no transparent part",
     {"seal": f'<svg {NS} viewBox="0 0 4 4" preserveAspectRatio="none"><rect width="4" height="4" fill="#f00"/></svg>'}),
    ("", None, "no box shows the field 姓名", {"schema": SCHEMA.replace("姓名 200 text", "姓名 200 text required")}),
    (f'<rect x="500" y="300" width="20" height="20" cs:kind="barcode" cs:barcode="qr" cs:field="编号"/>', None,
     "too small for any code", {}),
]
WARNINGS = [
    (text('x="8" y="100" width="200" height="60"'), "within 1.5 mm of the edge"),
    (text(GOOD, 'cs:size="30" cs:min-size="9"'), "below 1.2 mm"),
    (f'<rect {GOOD} cs:kind="photo"/>', "does not require one"),
]


def check_findings(work):
    for front, back, words, more in ERRORS:
        path = folder(work, NUMBER + front, back, **more)
        done = cardspool("template", "check", path)
        check(f"error: {words}", done.returncode == 65 or done.returncode == 66, done.stderr)
        check(f"  named in one line", any(words in line for line in done.stdout.splitlines()), done.stdout)
        build = cardspool("template", "build", path)
        check("  and not compiled", build.returncode != 0 and not os.path.exists(os.path.join(path, "template.bin")))
    for front, words in WARNINGS:
        path = folder(work, NUMBER + front)
        done = cardspool("template", "check", path)
        check(f"warning: {words}", done.returncode == 0 and words in done.stdout, done.stdout + done.stderr)
        build = cardspool("template", "build", path)
        check("  and compiled", build.returncode == 0 and words in build.stderr, build.stderr)
    path = folder(work, NUMBER + text(GOOD, 'cs:size="30" cs:show-if="编号=1"') + f'<rect {GOOD} cs:kind="barcode" '
                  'cs:barcode="code128" cs:field="编号" cs:show-if="编号!=1"/>')
    check("boxes that are never filled together may share a place", cardspool("template", "check", path).returncode == 0)
    path = folder(work, NUMBER + ERRORS[0][0])
    report = json.loads(cardspool("template", "check", "--json", path).stdout)
    check("--json tells the same", report["good"] is False and report["findings"][0]["kind"] == "error", report)
    for name in ("special-operation", "office-badge", "visitor", "review-label"):
        done = cardspool("template", "check", os.path.join(SRC, "templates", name))
        check(f"{name}: nothing is found", done.returncode == 0 and "0 warnings" in done.stdout, done.stdout + done.stderr)


def png(width, height, body=b""):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b""))


def check_hostile(work):
    secret = os.path.join(work, "secret.svg")
    write(secret, "<svg/>")
    svg = lambda body: f'<svg {NS} viewBox="0 0 1016 648">{body}</svg>'
    uses = "<defs><g id='a0'><rect width='9' height='9'/></g>" + "".join(
        f"<g id='a{i}'>" + f"<use xlink:href='#a{i - 1}'/>" * 10 + "</g>" for i in range(1, 10)) + "</defs><use xlink:href='#a9'/>"
    rows = {
        "entity": f'<!DOCTYPE svg [<!ENTITY x SYSTEM "file://{secret}">]>' + svg("<text>&x;</text>"),
        "a billion laughs": '<!DOCTYPE svg [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>' + svg("<text>&b;</text>"),
        "a million elements": svg("<g/>" * 1000000),
        "deep nesting": svg("<g>" * 100000 + "</g>" * 100000),
        "a loop of references": svg("<g id='a'><use xlink:href='#a'/></g>"),
        "references that multiply": svg(uses),
        "a huge viewBox": f'<svg {NS} viewBox="0 0 1e9 1e9"/>',
        "a viewBox of nothing": f'<svg {NS} viewBox="0 0 nan -1"/>',
        "a picture that unfolds": svg('<image width="9" height="9" xlink:href="data:image/png;base64,' +
                                      base64.b64encode(png(60000, 60000)).decode() + '"/>'),
        "a picture from a file": svg(f'<image width="9" height="9" xlink:href="file://{secret}"/>'),
        "a picture of SVG": svg('<image width="9" height="9" xlink:href="data:image/svg+xml;base64,PHN2Zy8+"/>'),
        "a script": svg("<script>1</script>"),
        "an event": svg("<rect onclick='x' width='9' height='9'/>"),
        "XInclude": svg(f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{secret}"/>'),
        "a style from outside": svg(f'<style>@import url("{secret}");</style>'),
        "a font from outside": svg('<style>@font-face{font-family:x;src:url(http://a/b)}</style>'),
        "not XML": "<svg",
        "a placeholder at infinity": svg(text('x="1e300" y="0" width="1e300" height="9"')),
        "a size that is no number": svg(text(GOOD, 'cs:size="nan"')),
        "nine megabytes": svg("<!-- " + "x" * (9 << 20) + " -->"),
    }
    for name, drawing in rows.items():
        path = folder(work, "", whole=drawing)
        started = time.monotonic()
        done = cardspool("template", "build", path)
        seconds = time.monotonic() - started
        # A loop is left out by the renderer: harmless, and nothing else may pass.
        refused = done.returncode in (65, 66, 71, 74) and not os.path.exists(os.path.join(path, "template.bin"))
        check(f"hostile: {name}", (refused or name == "a loop of references" and done.returncode == 0) and
              seconds < 70 and len(done.stderr) < 2000, (done.returncode, round(seconds, 1), done.stderr[:300]))


SCRIPTS = [("Arabic", "محمد بن سلمان"), ("Hebrew", "דוד בן־גוריון"), ("Vietnamese", "Nguyễn Thị Ánh Tuyết"),
           ("combining marks", "Ǟ̈ e̊x̂ā̧mple"), ("extension A and B", "㐀㐁 𠮷野家"), ("all together", "王 abc عربي 123")]


def check_scripts(work):
    path = folder(work, NUMBER + text('x="300" y="300" width="420" height="60"', 'cs:size="40" cs:min-size="24"'))
    cardspool("template", "build", path)
    roster, out = os.path.join(work, "r.csv"), os.path.join(work, "s.png")
    seen = set()
    for name, value in SCRIPTS:
        write(roster, f"编号,姓名\n1,{value}\n")
        done = cardspool("preview", roster, "--template", path, "--side", "front", "-o", out)
        with open(out, "rb") as f:
            seen.add(f.read())
        check(f"writing: {name}", done.returncode == 0, done.stderr)
    check("each looks different", len(seen) == len(SCRIPTS))
    for value, words in (("x\U00012000", "U+12000"), ("字" * 30, "too long")):
        write(roster, f"编号,姓名\n1,好\n2,{value}\n")
        done = cardspool("preview", roster, "--template", path, "--side", "front", "--record", "2", "-o", out)
        check(f"refused when drawn: {words}", "record 2: field 姓名" in done.stderr and words in done.stderr, done.stderr)
        done = cardspool("pack", roster, "--template", "t", "--templates", work, "-o", os.path.join(work, "b.cards"))
        check(f"refused by pack: {words}", done.returncode == 65 and "record 2" in done.stderr and words in done.stderr and
              not os.path.exists(os.path.join(work, "b.cards")), done.stderr)
    twice = text('x="300" y="300" width="300" height="90"', 'cs:size="30" cs:min-size="30" cs:fit="wrap"')
    path = folder(work, NUMBER + twice)
    write(roster, "编号,姓名\n1," + "字" * 18 + "\n")
    good = cardspool("template", "build", path).returncode == 0
    check("wrapped when shrinking is not enough", good and cardspool(
        "preview", roster, "--template", path, "--side", "front", "-o", out).returncode == 0)


def check_labels(work):
    out = os.path.join(work, "labels.pdf")
    words = ("label", "sheet", os.path.join(SRC, "templates/review-label"), "-o", out)
    done = cardspool(*words)
    check("a sheet holds 150 labels", done.returncode == 0 and "150 labels on 1 sheets" in done.stdout, done.stderr)
    done = cardspool(*words, "--count", "160", "--skip", "10")
    check("ten places used up, 160 labels: two sheets", "160 labels on 2 sheets" in done.stdout, done.stdout + done.stderr)
    boxes = run("gs", "-q", "-dNOPAUSE", "-dBATCH", "-sDEVICE=bbox", out).stderr
    check("both pages are drawn", boxes.count("%%BoundingBox") == 2, boxes)
    check("a sheet cannot begin behind its end", cardspool(*words, "--skip", "150").returncode == 64)


PICTURES = [("office-badge", "ymckok", 1), ("office-badge", "ko", 1), ("visitor", "ymckok", 1), ("visitor", "ymckok", 2), ("visitor", "ko", 1),
            ("review-label", "ymckok", 1)]


def check_golden(work, store):
    if store:
        os.makedirs(GOLDEN, exist_ok=True)
    for name, ribbon, record in PICTURES:
        out = os.path.join(work, f"{name}-{ribbon}-{record}.png")
        roster = os.path.join(DATA, name + ".csv")
        if name == "review-label":
            roster = os.path.join(work, "label.csv")
            write(roster, "编号\n1\n")
        done = cardspool("preview", roster, "--template", os.path.join(BUILD, "templates", name), "--side", "front",
                         "--record", str(record), "--ribbon", ribbon, "--photos", os.path.join(DATA, "photos"), "-o", out)
        if store:
            shutil.copyfile(out, os.path.join(GOLDEN, os.path.basename(out)))
            continue
        if done.returncode:
            check(f"{name} is drawn", False, done.stderr)
            continue
        told = run(os.path.join(BUILD, "tests/picture-diff"), out, os.path.join(GOLDEN, os.path.basename(out))).stdout
        d = json.loads(told) if told.startswith("{") else {}
        check(f"{name}, record {record}, ribbon {ribbon} looks as it did",
              d.get("same_size") and d["block"] <= 24 and d["differing"] <= 6000, told)


def main():
    with tempfile.TemporaryDirectory(prefix="cs-templates.") as work:
        if sys.argv[1:] == ["--store"]:
            check_golden(work, True)
            return
        check_findings(work)
        check_hostile(work)
        check_scripts(work)
        check_labels(work)
        check_golden(work, False)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
