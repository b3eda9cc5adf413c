# pages.py - PDF pages written by hand, object by object, and PNG pictures read by hand, for the checks of faces.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import struct
import zlib

PT = 72 / 300
HEAD = (243.84, 155.52)
BLUE, RED, BLACK, WHITE = (230, 242, 255), (255, 0, 0), (0, 0, 0), (255, 255, 255)


# ---- PDF by hand ----

def pdf(path, pages, count=None):
    """pages: (width, height, content) in points; content draws in dots from the upper left corner."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"", b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    kids = []
    for w, h, content in pages:
        data = f"{PT} 0 0 {-PT} 0 {h} cm\n{content}\n".encode()
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(data), data))
        objects.append(f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {w} {h}]/Contents {len(objects)} 0 R"
                       f"/Resources<</Font<</F 3 0 R>>>>>>".encode())
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<</Type/Pages/Kids[{' '.join(kids)}]/Count {len(kids) if count is None else count}>>".encode()
    out, places = b"%PDF-1.4\n", []
    for i, body in enumerate(objects):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (i + 1, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % p for p in places)
    out += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    with open(path, "wb") as f:
        f.write(out)
    return path


def box(x, y, w, h, colour):
    return f"{colour} rg {x} {y} {w} {h} re f"


def text(x, y, size, words, colour="0 0 0"):
    return f"{colour} rg BT {size} 0 0 {-size} {x} {y} Tm /F 1 Tf ({words}) Tj ET"


def picture(x, y):
    """16 x 16 dots of black, as an inline image."""
    return f"q 16 0 0 -16 {x} {y + 16} cm BI /W 16 /H 16 /CS /G /BPC 8 /F /AHx ID " + "00" * 256 + "> EI Q"


# ---- PNG by hand ----

def png(path):
    """(width, height, rows of RGB bytes) of an 8-bit RGB or RGBA picture."""
    with open(path, "rb") as f:
        data = f.read()
    at, packed = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            w, h, bits, form = struct.unpack(">IIBB", body[:10])
        elif kind == b"IDAT":
            packed += body
        at += 12 + size
    depth = {2: 3, 6: 4}[form]
    assert bits == 8
    raw, pitch, rows, last = zlib.decompress(packed), w * depth, [], bytes(w * depth)
    for y in range(h):
        kind = raw[y * (pitch + 1)]
        row = bytearray(raw[y * (pitch + 1) + 1:(y + 1) * (pitch + 1)])
        for i in range(pitch if kind else 0):
            a = row[i - depth] if i >= depth else 0
            b, c = last[i], last[i - depth] if i >= depth else 0
            p = a + b - c
            paeth = a if abs(p - a) <= abs(p - b) and abs(p - a) <= abs(p - c) else b if abs(p - b) <= abs(p - c) else c
            row[i] = (row[i] + (0, a, b, (a + b) // 2, paeth)[kind]) & 255
        rows.append(bytes(row) if depth == 3 else b"".join(row[i:i + 3] for i in range(0, pitch, 4)))
        last = bytes(row)
    return w, h, rows


def at(image, x, y):
    return tuple(image[2][y][3 * x:3 * x + 3])


def near(a, b):
    return max(abs(p - q) for p, q in zip(a, b)) <= 4


def frame_errors(image, x, y, w, h, inside, outside):
    """A rectangle whose edges lie exactly where they should."""
    wrong = []
    for u, v, want in ((x, y, inside), (x + w - 1, y + h - 1, inside), (x - 1, y, outside), (x, y - 1, outside),
                       (x + w, y + h - 1, outside), (x + w - 1, y + h, outside)):
        if 0 <= u < image[0] and 0 <= v < image[1] and not near(at(image, u, v), want):
            wrong.append((u, v, at(image, u, v), want))
    return wrong
