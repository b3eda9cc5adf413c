#!/usr/bin/env python3
# check-templates.py - what a designer meets: template check and build, hostile drawings, writing systems, labels, and
# golden pictures of every template that is shipped.
#
#   check-templates.py            judge
#   check-templates.py --store    write the pictures anew, to be looked at before they are committed
#
# SPDX-License-Identifier: GPL-3.0-or-later
import base64
import hashlib
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
    for name, content in (("record.schema", schema), ("seal.svg", seal)):
        if content is not None:
            write(os.path.join(path, name), content)
    return path


UPRIGHT = f'<svg {NS} viewBox="0 0 648 1016" cs:dpi="300" cs:chip="contact">{{}}</svg>'
GOOD = 'x="300" y="400" width="300" height="60"'
# drawing of the front (beside the number's box), of the back, words of the finding, further folder() arguments
ERRORS = [
    (text('x="0" y="100" width="200" height="60"'), None, "box 姓名: reaches beyond the edge", {}),
    (text('x="150" y="520" width="200" height="60"'), None, "box 姓名: overlaps box 编号", {}),
    (text('x="150" y="250" width="200" height="60"'), None, "under the contacts", {"root": 'cs:chip="contact"'}),
    ("", None, "under the contacts", {"whole": UPRIGHT.format(text('x="230" y="760" width="100" height="100"'))}),
    ("", None, "beyond the edge", {"whole": UPRIGHT.format(text('x="100" y="960" width="100" height="56"'))}),
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
    ('<g style="font-family:Kein Zeichensatz;font-size:9px"><text x="300" y="300">x</text></g>', None,
     'front.svg: line 1: the font "Kein Zeichensatz" is not installed', {}),
    ("", f'<text x="300" y="300" font-family="Auch Keiner, serif">x</text>', 'back.svg: line 1: the font "Auch Keiner"', {}),
    (f'<rect {GOOD} cs:kind="seal"/>', None, "has neither seal.svg nor seal.png", {"seal": None}),
    ("", None, "record.schema", {"schema": None}),
    ("", None, "front.svg", {"whole": ""}),
]
OUTSIDE = '<text x="900" y="100" font-family="Noto Sans CJK SC" font-size="40">much too long</text>'
WARNINGS = [
    (OUTSIDE, 'line 1: the words "much too long" reach beyond the edge'),
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
    path = folder(work, NUMBER + text(GOOD))
    copied = path + "-copy"
    shutil.copytree(path, copied)
    done = cardspool("template", "check", copied)
    check("a copied folder whose schema has the old name is told", done.returncode == 0 and "agree" in done.stdout and
          "1 warning." in done.stdout, done.stdout + done.stderr)
    shutil.rmtree(copied)
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
           ("combining marks", "Ǟ̈ e̊x̂ā̧mple"), ("Thai", "นางสาวสมหญิง ใจดี"), ("extension A and B", "㐀㐁 𠮷野家"),
           ("all together", "王 abc عربي 123")]


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


# A back and front as Inkscape 1.2 saves them: its own name spaces and metadata, layers within layers with matrices, words in
# tspans, a symbol used twice, colours in styles, a hidden layer, a placeholder whose colour stands in a style.
INKSCAPE = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<!-- Created with Inkscape (http://www.inkscape.org/) -->
<svg width="86.02mm" height="54.86mm" viewBox="0 0 1016 648" version="1.1" id="svg5" cs:dpi="300"
   inkscape:version="1.2.2 (b0a84865, 2022-12-01)" sodipodi:docname="front.svg"
   xmlns:cs="urn:cardspool:template:1" xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"
   xmlns:sodipodi="http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd" xmlns:xlink="http://www.w3.org/1999/xlink"
   xmlns="http://www.w3.org/2000/svg" xmlns:svg="http://www.w3.org/2000/svg" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <sodipodi:namedview id="namedview7" pagecolor="#ffffff" inkscape:document-units="mm" showgrid="false"
     inkscape:current-layer="layer1"><inkscape:grid type="xygrid" id="grid1"/></sodipodi:namedview>
  <defs id="defs2"><linearGradient inkscape:collect="always" id="g1"><stop style="stop-color:#00ff00" offset="0" id="s1"/>
    <stop style="stop-color:#00ff00" offset="1" id="s2"/></linearGradient>
    <symbol id="dot"><circle cx="10" cy="10" r="10" style="fill:#0000ff"/></symbol></defs>
  <metadata id="m"><rdf:RDF><rdf:Description rdf:about=""/></rdf:RDF></metadata>
  <g inkscape:label="Layer 1" inkscape:groupmode="layer" id="layer1" transform="translate(0,100)">
    <g id="g10" transform="matrix(0.5,0,0,0.5,0,-50)">
      <rect style="fill:url(#g1);stroke:none" id="rect1" width="200" height="200" x="200" y="100" inkscape:export-xdpi="300"/>
      <rect style="fill:#ff0000;fill-opacity:0.2" id="place" width="800" height="160" x="600" y="500" cs:kind="text"
         cs:field="姓名" cs:font="Noto Sans CJK SC Bold" cs:size="60" cs:ink="dye"/>
    </g>
    <text xml:space="preserve" style="font-size:40px;font-family:'Noto Sans CJK SC';-inkscape-font-specification:'Noto Sans CJK SC';
       fill:#800080" x="600" y="300" id="t1"><tspan sodipodi:role="line" id="ts1" x="600" y="300">two</tspan><tspan
       sodipodi:role="line" id="ts2" x="600" y="350">lines</tspan></text>
    <use xlink:href="#dot" x="400" y="0" width="20" height="20" id="u1"/>
    <use xlink:href="#dot" x="450" y="0" width="20" height="20" id="u2"/>
  </g>
  <g inkscape:groupmode="layer" id="layer2" inkscape:label="notes" style="display:none"><rect width="1016" height="648"
     style="fill:#000000" id="r9"/></g>
  <g inkscape:groupmode="layer" id="layer3" inkscape:label="black" cs:ink="resin"><rect x="700" y="40" width="60" height="30"
     style="fill:#000000" id="r10"/></g>
</svg>
"""


def pixel(rows, x, y):
    return tuple(rows[y][3 * x:3 * x + 3])


def check_inkscape(work):
    path = folder(work, "", whole=INKSCAPE)
    roster, out = os.path.join(work, "r.csv"), os.path.join(work, "i.png")
    write(roster, "编号,姓名\n1,王\n")
    done = cardspool("template", "build", path)
    # 编号 is required and has no box: the designer is told, and adds it beside the other.
    check("Inkscape: what is missing is said", done.returncode == 65 and "no box shows the field 编号" in done.stderr,
          done.stderr)
    write(os.path.join(path, "front.svg"), INKSCAPE.replace("</svg>\n", NUMBER + "</svg>\n"))
    for done in (cardspool("template", "build", path),
                 cardspool("preview", roster, "--template", path, "--side", "front", "-o", out)):
        check("Inkscape: saved, compiled, shown", done.returncode == 0, done.stderr)
    rows = png_rows(out)
    check("Inkscape: gradient below two matrices", pixel(rows, 150, 150) == (0, 255, 0) and
          pixel(rows, 205, 150) == (255, 255, 255), (pixel(rows, 150, 150), pixel(rows, 205, 150)))
    check("Inkscape: a symbol used twice", pixel(rows, 410, 110) == pixel(rows, 460, 110) == (0, 0, 255), pixel(rows, 410, 110))
    check("Inkscape: black layer, hidden layer", pixel(rows, 730, 50) == (0, 0, 0) and
          pixel(rows, 500, 600) == (255, 255, 255), pixel(rows, 730, 50))
    inks = lambda x, y, w, h: {pixel(rows, i, j) for i in range(x, x + w) for j in range(y, y + h)}
    check("Inkscape: words in tspans, both lines", (128, 0, 128) in inks(600, 370, 80, 35) and
          (128, 0, 128) in inks(600, 420, 90, 35))
    check("Inkscape: the placeholder's colour from its style", (255, 0, 0) in inks(300, 300, 60, 80))
    check("Inkscape: nothing is printed of the placeholder itself", pixel(rows, 690, 305) == (255, 255, 255))
    hidden = INKSCAPE.replace("</svg>\n", f'<g style="display:none">{NUMBER}</g></svg>\n')
    done = cardspool("template", "check", folder(work, "", whole=hidden))
    check("Inkscape: a placeholder in a hidden layer is said", "show its layer if it is hidden" in done.stdout, done.stdout)


def png_rows(path):
    """Rows of RGB bytes of an 8-bit RGB PNG."""
    with open(path, "rb") as f:
        data = f.read()
    width, height, at, body = 0, 0, 8, b""
    while at < len(data):
        n, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height = struct.unpack(">II", data[at + 8:at + 16])
        if kind == b"IDAT":
            body += data[at + 8:at + 8 + n]
        at += 12 + n
    plain, rows, last, at = zlib.decompress(body), [], bytes(3 * width), 0
    paeth = lambda a, b, c: min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
    for _ in range(height):
        kind, line = plain[at], bytearray(plain[at + 1:at + 1 + 3 * width])
        for i in range(3 * width) if kind else ():
            a, b, c = (line[i - 3] if i > 2 else 0), last[i], (last[i - 3] if i > 2 else 0)
            line[i] = (line[i] + (0, a, b, (a + b) // 2, paeth(a, b, c) if kind == 4 else 0)[kind]) & 255
        rows.append(bytes(line))
        last, at = line, at + 1 + 3 * width
    return rows


def face_png(width, height, soft=2):
    """A dark head before a white ground, with an edge that is so many pixels wide."""
    body, middle, radius = b"", (width / 2, height * 0.45), width * 0.22
    for y in range(height):
        body += b"\0"
        for x in range(width):
            share = ((x - middle[0]) ** 2 + (y - middle[1]) ** 2) ** 0.5 - radius
            body += bytes([40 + int(210 * min(1, max(0, share / soft + 0.5)))] * 3)
    return png(width, height, body)


def check_photos(work):
    """PNG from the folder to the card, what a schema allows, crop and compression on request, a blurred face."""
    rules = SCHEMA + "photo required max=20480 ratio=5:4 ground=white,blue"
    place = '<rect x="600" y="100" width="240" height="300" cs:kind="photo"/>'
    photos, roster, out = (os.path.join(work, n) for n in ("photos", "r.csv", "p.png"))
    batch = os.path.join(work, "p.cards")
    os.makedirs(photos, exist_ok=True)
    write(roster, "编号,姓名\n1,王\n")

    def photo(data, suffix="png"):
        for name in os.listdir(photos):
            os.unlink(os.path.join(photos, name))
        with open(os.path.join(photos, "0001." + suffix), "wb") as f:
            f.write(data)

    def pack(*more):
        if os.path.exists(batch):
            os.unlink(batch)
        return cardspool("pack", roster, "--template", "t", "--templates", work, "--photos", photos, "-o", batch, *more)

    names = lambda: run("unzip", "-Z1", batch).stdout
    path = folder(work, NUMBER + text(GOOD) + place, schema=rules + "\n")
    cardspool("template", "build", path)
    photo(face_png(240, 300))
    done = cardspool("preview", roster, "--template", path, "--side", "front", "--photos", photos, "-o", out)
    rows = png_rows(out) if not done.returncode else []
    beside = cardspool("preview", roster, "--template", path, "--side", "front", "-o", out + ".2.png")
    check("a roster's photos are looked for beside it", os.path.basename(photos) == "photos" and beside.returncode == 0 and
          open(out, "rb").read() == open(out + ".2.png", "rb").read(), beside.stderr)
    write(roster, "编号,姓名\n1,王\n2,李\n3,陈\n")
    beside = cardspool("preview", roster, "--template", path, "-o", out + ".2.png")
    check("every record without a photo is named", all(f"record {n} (line {n + 1})" in beside.stderr for n in (2, 3)) and
          "2 problems" in beside.stderr, beside.stderr)
    write(roster, "编号,姓名\n1,王\n")
    check("a PNG photo is previewed", rows and pixel(rows, 605, 105) == (250, 250, 250) and
          pixel(rows, 720, 235) == (40, 40, 40), done.stderr)
    done = pack()
    check("  and packed as photos/0001.png", done.returncode == 0 and "photos/0001.png" in names() and
          "blurred" not in done.stderr, done.stderr)
    photo(face_png(240, 300, soft=30))
    done = pack()
    check("a blurred face is a warning", done.returncode == 0 and "the face looks blurred" in done.stderr, done.stderr)
    photo(face_png(300, 300))
    done = pack()
    check("a square photo is refused, and the crop named", done.returncode == 65 and "Crop it to 240 wide and 300 high" in
          done.stderr, done.stderr)
    done = pack("--fit-photos")
    check("--fit-photos crops it", done.returncode == 0 and "photos/0001.jpg" in names(), done.stderr)
    first = open(batch, "rb").read() if os.path.exists(batch) else b""
    pack("--fit-photos")
    check("  the same way each time", first and first == open(batch, "rb").read())
    photo(png(1200, 1500, b"".join(b"\0" + bytes((x * y * 7919 >> 3) % 200 + 55 for x in range(3600)) for y in range(1500))))
    done = pack("--fit-photos")
    jpeg = run("unzip", "-Zl", batch).stdout
    check("--fit-photos compresses two megapixels below 20 KB", done.returncode == 0 and any(
        "photos/0001.jpg" in line and int(line.split()[3]) <= 20480 for line in jpeg.splitlines()), done.stderr + jpeg)
    photo(b"\x89PNG\r\n\x1a\nnothing")
    done = pack("--fit-photos")
    check("--fit-photos names what it cannot mend", done.returncode == 65 and "record 1" in done.stderr and
          "damaged" in done.stderr and not os.path.exists(batch), done.stderr)
    for size in ((0, 300), (100000, 100000), (9999, 9999)):
        photo(png(*size))
        done = pack()
        check(f"a PNG of {size[0]} x {size[1]} is refused by its header", done.returncode == 65 and "claims to be" in done.stderr,
              done.stderr)
    write(os.path.join(path, "record.schema"), rules + " formats=jpeg,bmp\n")
    cardspool("template", "build", path)
    photo(face_png(240, 300))
    done = pack()
    check("a schema that takes JPEG and BMP only refuses PNG", done.returncode == 65 and
          "PNG file, which this card product does not take; save it as JPEG" in done.stderr, done.stderr)
    check("  and --fit-photos makes a JPEG of it", pack("--fit-photos").returncode == 0 and "photos/0001.jpg" in names())


def check_controls(work):
    """A control character in a record is refused by record and field, on the way to a card as in a preview."""
    path = folder(work, NUMBER + text(GOOD))
    roster = os.path.join(work, "r.csv")
    cardspool("template", "build", path)
    for name, value in (("a bell", "a\x07b"), ("an escape", "\x1b[2J"), ("DEL", "a\x7f"), ("C1", "a\u0085b"),
                        ("a new line", '"a\nb"')):
        write(roster, f"编号,姓名\n1,好\n2,{value}\n")
        done = cardspool("pack", roster, "--template", "t", "--templates", work, "-o", os.path.join(work, "c.cards"))
        check(f"control character: {name}", done.returncode == 65 and "record 2" in done.stderr and "姓名" in done.stderr and
              "\x1b" not in done.stderr and not os.path.exists(os.path.join(work, "c.cards")), (done.returncode, done.stderr))


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


# Each is one line on a small card; the names are those of the pictures.
WRITTEN = [("chinese", "特种作业操作证"), ("latin", "Żółć Ångström"), ("mixed", "王 abc عربي 123"), ("arabic", "محمد بن سلمان"),
           ("hebrew", "דוד בן־גוריון"), ("vietnamese", "Nguyễn Thị Ánh"), ("combining", "Ǟ̈ e̊x̂ā̧mple"),
           ("thai", "สมหญิง ใจดี"), ("rare-han", "㐀㐁 𠮷野家")]


def made_with():
    """What decides each dot of a text: the libraries and the font files. Where they are the same, so are all dots."""
    told = [f"{name} {run('pkg-config', '--modversion', name).stdout.strip()}"
            for name in ("cairo", "pangocairo", "harfbuzz", "freetype2", "librsvg-2.0")]
    for font in ("Noto Sans CJK SC", "DejaVu Sans", "Loma"):
        path = run("fc-match", "-f", "%{file}", font).stdout
        with open(path, "rb") as f:
            told.append(f"{font} {hashlib.sha256(f.read()).hexdigest()}")
    return "\n".join(told) + "\n"


def written_draw(work, name, value):
    path = os.path.join(work, "written")
    if not os.path.isdir(path):
        os.makedirs(path)
        write(os.path.join(path, "front.svg"), f'<svg {NS} viewBox="0 0 400 64" cs:dpi="300"><rect width="400" height="64" '
              'fill="#d8ecdc"/>' + text('x="8" y="4" width="384" height="56"', 'cs:size="36" cs:min-size="20"') + "</svg>")
        write(os.path.join(path, "record.schema"), SCHEMA.replace("field 编号 20 text required mask=show\n", "").replace(
            "number 编号", "number 姓名"))
        cardspool("template", "build", path)
    roster, out = os.path.join(work, "w.csv"), os.path.join(work, f"script-{name}.png")
    write(roster, f"姓名\n{value}\n")
    return out, cardspool("preview", roster, "--template", path, "--side", "front", "-o", out)


def template_draw(work, name, ribbon, record):
    out = os.path.join(work, f"{name}-{ribbon}-{record}.png")
    roster = os.path.join(DATA, name + ".csv")
    if name == "review-label":
        roster = os.path.join(work, "label.csv")
        write(roster, "编号\n1\n")
    return out, cardspool("preview", roster, "--template", os.path.join(BUILD, "templates", name), "--side", "front",
                          "--record", str(record), "--ribbon", ribbon, "--photos", os.path.join(DATA, "photos"), "-o", out)


def check_golden(work, store):
    """Dot for dot where libraries and fonts are those of the pictures, else as an eye sees it."""
    drawn = [(f"{n}, record {i}, ribbon {r}",) + template_draw(work, n, r, i) for n, r, i in PICTURES]
    drawn += [(f"writing: {n}",) + written_draw(work, n, v) for n, v in WRITTEN]
    note = os.path.join(GOLDEN, "made-with.txt")
    if store:
        os.makedirs(GOLDEN, exist_ok=True)
        write(note, made_with())
    with open(note, encoding="utf-8") as f:
        exact = f.read() == made_with()
    print("pictures are compared", "dot for dot" if exact else "as an eye sees them: other fonts or libraries than " + note)
    for name, out, done in drawn:
        golden = os.path.join(GOLDEN, os.path.basename(out))
        if done.returncode:
            check(f"{name} is drawn", False, done.stderr)
            continue
        if store:
            shutil.copyfile(out, golden)
            continue
        told = run(os.path.join(BUILD, "tests/picture-diff"), out, golden).stdout
        d = json.loads(told) if told.startswith("{") else {}
        seen = d.get("same_size") and d["block"] <= 24 and d["differing"] <= 6000
        check(f"{name} looks as it did", d.get("same_size") and d["max"] == 0 if exact else seen, told)


def main():
    with tempfile.TemporaryDirectory(prefix="cs-templates.") as work:
        if sys.argv[1:] == ["--store"]:
            check_golden(work, True)
            return
        check_findings(work)
        check_hostile(work)
        check_scripts(work)
        check_inkscape(work)
        check_photos(work)
        check_controls(work)
        check_labels(work)
        check_golden(work, False)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
