# check-hostile.py - PDF pages in every orientation, kinds of black, and PDFs that mean harm.
#
# The pages are written by hand, object by object, and drawn by `cardspool preview`, which reads a PDF in the same child with
# limits as the filter. The bombs run at the same time, for each is ended by the time limit of a page only.
# Prints one "ok" or "not ok" line a promise. Exit status 1 if any is broken.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zlib

from pages import BLACK, WHITE, at, frame_errors, png

BUILD = os.environ.get("builddir", ".")
SECONDS = 75  # of a page's 60, the rest for a busy machine
ART = b"0.24 0 0 -0.24 0 155.52 cm 0 0 0 rg 100 60 200 40 re f "
CARD = b"[0 0 243.84 155.52]"
failed = 0


def check(promise, good, why=""):
    global failed
    print(("ok - " if good else "not ok - ") + promise + ("" if good else f": {why}"), flush=True)
    failed += not good


def stream(data, words=b""):
    return b"<</Length %d%s>>stream\n%s\nendstream" % (len(data), words, data)


def write(path, objects):
    out, places = b"%PDF-1.7\n", []
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


def page(path, content, box=CARD, words=b"", resources=b"", more=(), root=b"", packed=b""):
    """One page; further objects are numbered from 5."""
    return write(path, [b"<</Type/Catalog/Pages 2 0 R" + root + b">>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
                        b"<</Type/Page/Parent 2 0 R/MediaBox" + box + b"/Contents 4 0 R/Resources<<" + resources +
                        b">>" + words + b">>", stream(content, packed), *more])


def preview(path, *words):
    argv = [os.path.join(BUILD, "cardspool"), "preview", path, "--side", "front", "-o", path + ".png", *words]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, "CARDSPOOL_CONF": "/dev/null", "LC_ALL": "C.UTF-8"})


def panel(path, letter):
    preview(path, "--panel", letter).communicate(timeout=SECONDS)
    return png(path + ".png")


def check_places(at_work):
    pages = {"/Rotate 90": dict(box=b"[0 0 155.52 243.84]", words=b"/Rotate 90", content=b"0 1 -1 0 155.52 0 cm " + ART),
             "/Rotate 270": dict(box=b"[0 0 155.52 243.84]", words=b"/Rotate 270", content=b"0 -1 1 0 0 243.84 cm " + ART),
             "/Rotate 180": dict(words=b"/Rotate 180", content=b"-1 0 0 -1 243.84 155.52 cm " + ART),
             "a CropBox on A4": dict(box=b"[0 0 595 842]", words=b"/CropBox[100 200 343.84 355.52]",
                                     content=b"1 0 0 1 100 200 cm " + ART),
             "an origin of its own": dict(box=b"[-50 -20 193.84 135.52]", content=b"1 0 0 1 -50 -20 cm " + ART)}
    for what, words in pages.items():
        wrong = frame_errors(panel(page(at_work("place.pdf"), **words), "K"), 100, 60, 200, 40, BLACK, WHITE)
        check(f"{what}: every dot in its place", not wrong, wrong[:3])


def check_blacks(at_work):
    colours = (("gray 0", b"0 g"), ("RGB 0 0 0", b"0 0 0 rg"), ("CMYK 0 0 0 1", b"0 0 0 1 k"), ("CMYK 1 1 1 1", b"1 1 1 1 k"),
               ("rich black", b"0.75 0.68 0.67 0.9 k"), ("cool black", b"0.6 0 0 1 k"), ("RGB 36 36 36", b"0.141 g"),
               ("a group that multiplies", b"/G gs 0 g"), ("a soft mask", b"/M gs 0 g"))
    content = ART + b" ".join(b"%s 100 %d 200 30 re f" % (c, 120 + 40 * i) for i, (_, c) in enumerate(colours))
    mask = stream(b"1 g 0 0 1000 1000 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 1000 1000]/Group<</S/Transparency/CS/DeviceGray>>")
    path = page(at_work("black.pdf"), content, more=[mask],
                resources=b"/ExtGState<</G<</BM/Multiply/ca 1>>/M<</SMask<</S/Luminosity/G 5 0 R>>>>>>")
    k, c = panel(path, "K"), panel(path, "C")
    for i, (what, _) in enumerate(colours):
        spot = (200, 135 + 40 * i)
        check(f"black by {what} is resin alone", at(k, *spot) == BLACK and at(c, *spot) == WHITE, (at(k, *spot), at(c, *spot)))
    path = page(at_work("gray.pdf"), ART + b"0.15 g 100 120 200 40 re f")
    check("gray 15 % is dye", at(panel(path, "K"), 200, 140) == WHITE and at(panel(path, "C"), 200, 140) != WHITE)
    samples = zlib.compress(b"\0\0\0\xff" * 64)
    picture = stream(samples, b"/Type/XObject/Subtype/Image/Width 8/Height 8/BitsPerComponent 8/ColorSpace/DeviceCMYK/Filter/FlateDecode")
    path = page(at_work("cmyk.pdf"), ART + b"q 200 0 0 -200 400 300 cm /I Do Q", resources=b"/XObject<</I 5 0 R>>", more=[picture])
    k, c = panel(path, "K"), panel(path, "C")
    check("black in a CMYK picture is dye", at(k, 500, 200) == WHITE and at(c, 500, 200) != WHITE,
          (at(k, 500, 200), at(c, 500, 200)))


def check_escapes(at_work):
    """Text that people hide from the eye is data all the same."""
    font = dict(resources=b"/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>/ExtGState<</H<</ca 0.4>>>>")
    line = b"q 1 0 0 -1 0 0 cm %s BT %s /F 40 Tf 400 -300 Td (~1HELLO) Tj ET Q"
    preview(page(at_work("none.pdf"), ART)).communicate(timeout=SECONDS)
    plain = png(at_work("none.pdf.png"))
    for what, colour, mode in (("black", b"0 g", b""), ("white", b"1 g", b""), ("no", b"", b"3 Tr"), ("half clear", b"/H gs", b"")):
        path = page(at_work("escape.pdf"), ART + line % (colour, mode), **font)
        _, words = preview(path).communicate(timeout=SECONDS)
        check(f"an escape in {what} ink is taken out", not words and png(path + ".png") == plain, words)
    path = page(at_work("outline.pdf"), ART + line % (b"0 G 8 w", b"1 Tr"), **font)
    _, words = preview(path).communicate(timeout=SECONDS)
    check("an escape in outlines is taken out, or refused in one line", not words and png(path + ".png") == plain or
          "cannot be taken out" in words and words.count("\n") == 1, words)


def bomb(mib):
    """So many MiB of blanks."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(b" " * (1 << 20)) for _ in range(mib)) + packer.flush()


def image(words, data):
    return dict(content=ART + b"q 100 0 0 100 0 0 cm /I Do Q", resources=b"/XObject<</I 5 0 R>>",
                more=[stream(data, b"/Type/XObject/Subtype/Image/BitsPerComponent 8/ColorSpace/DeviceRGB/Filter/FlateDecode" + words)])


def check_harm(at_work):
    form = stream(b"/X Do /X Do", b"/Type/XObject/Subtype/Form/BBox[0 0 999 999]/Resources<</XObject<</X 5 0 R>>>>")
    tiles = stream(b"0 0 1 1 re f", b"/Type/Pattern/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 1 1]/XStep 0.0001"
                                    b"/YStep 0.0001/Resources<<>>")
    outside = b"<</Type/XObject/Subtype/Image/Width 8/Height 8/BitsPerComponent 8/ColorSpace/DeviceGray/Length 0" \
              b"/F(/etc/passwd)>>stream\n\nendstream"
    script = b"/OpenAction<</S/JavaScript/JS(while\\(1\\){})>>"
    big = bomb(2048)
    made = {"deep nesting of states": page(at_work("q.pdf"), b"q " * 50000 + ART),
            "deep nesting of arrays": page(at_work("a.pdf"), b"[" * 300000 + ART),
            "a form that draws itself": page(at_work("f.pdf"), ART + b"/X Do", resources=b"/XObject<</X 5 0 R>>", more=[form]),
            "JavaScript": page(at_work("j.pdf"), ART, root=script),
            "a file outside": page(at_work("o.pdf"), ART + b"/I Do", resources=b"/XObject<</I 5 0 R>>", more=[outside]),
            "an image of 100,000 x 100,000": page(at_work("i.pdf"), **image(b"/Width 100000/Height 100000", zlib.compress(b"\0" * 99))),
            "a bomb of text": page(at_work("b.pdf"), big, packed=b"/Filter/FlateDecode"),
            "a bomb of an image": page(at_work("x.pdf"), **image(b"/Width 30000/Height 30000", big)),
            "endless tiles": page(at_work("t.pdf"), ART + b"/Pattern cs /P scn 0 0 999 600 re f",
                                  resources=b"/Pattern<</P 5 0 R>>", more=[tiles]),
            "pages in a circle": write(at_work("c.pdf"), [b"<</Type/Catalog/Pages 2 0 R>>",
                                                          b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2/Parent 2 0 R>>"]),
            "two thousand million pages": write(at_work("m.pdf"), [
                b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 2000000000>>",
                b"<</Type/Page/Parent 2 0 R/MediaBox" + CARD + b">>"])}
    start = time.monotonic()
    running = {what: preview(path) for what, path in made.items()}
    for what, process in running.items():
        try:
            _, words = process.communicate(timeout=max(1, SECONDS - (time.monotonic() - start)))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            check(f"{what}: ends in time", False, f"still running after {SECONDS} s")
            continue
        check(f"{what}: drawn, or refused in one line", process.returncode == 0 and not words or
              process.returncode == 65 and words.count("\n") == 1, (process.returncode, words))


def main():
    work = tempfile.mkdtemp(prefix="cs-hostile.")
    try:
        for part in (check_places, check_blacks, check_escapes, check_harm):
            part(lambda name: os.path.join(work, name))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
