# check-office.py - a badge from LibreOffice Draw, LibreOffice Writer and Chromium, across and upright, on emulated cards.
#
# tests/data/pdf has the badges' sources and the PDFs that the programs made of them. Each PDF goes through a real
# cupsd and pdftocards; the places of the boxes on the card are worked out here from the sources, not taken from a
# print. Where the programs are installed the PDFs are made afresh and must give the same card.
# Prints one "ok" or "not ok" line a promise. Exit status 1 if any is broken.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import os
import shutil
import subprocess
import sys
import tempfile

import privatecups
from pages import BLACK, BLUE, RED, WHITE, at, near, png

BUILD = os.environ.get("builddir", ".")
SOURCE = os.path.join(os.environ.get("srcdir", "."), "tests/data/pdf")
HEAD_W, HEAD_H, BAND = 1016, 648, (31, 95, 153)
DYE_SLACK = 12  # of 255: a program's edge is off by a twentieth of a dot, Chromium writes five figures
failed = 0

# Boxes in dots from the page's upper left corner: x, y, width, height, colour within, colour around.
ACROSS = {"the black frame": (60, 150, 270, 330, BLACK, BLUE), "its inner edge": (63, 153, 264, 324, BLUE, BLACK),
          "the red box": (375, 450, 195, 45, RED, BLUE), "the black box": (375, 525, 195, 45, BLACK, BLUE)}
UPRIGHT = {"the black frame": (180, 150, 270, 330, BLACK, BLUE), "its inner edge": (183, 153, 264, 324, BLUE, BLACK),
           "the red box": (90, 795, 195, 45, RED, BLUE), "the black box": (90, 870, 195, 45, BLACK, BLUE)}
PHOTO = {False: (75, 165, 240, 300), True: (195, 165, 240, 300)}
NAME = {False: (375, 165, 600, 140), True: (90, 520, 500, 150)}  # black text and the Chinese line
# Maker, source, upright, the page's whole dots: LibreOffice keeps 85.6 x 53.98 mm (1011.02 x 637.56 dots), Chromium
# rounds up to whole CSS pixels' quarters (242.88 x 153.12 pt).
BADGES = (("LibreOffice Draw", "badge-draw.fodg", False, (1011, 637)), ("LibreOffice Writer", "badge-writer.fodt", True, (1011, 637)),
          ("Chromium", "badge-web.html", False, (1012, 638)), ("Chromium, upright", "badge-upright.html", True, (1012, 638)))


def check(promise, good, why=""):
    global failed
    print(("ok - " if good else "not ok - ") + promise + ("" if good else f": {why}"), flush=True)
    failed += not good


def place(box, upright, whole):
    """A box of the page on the card: the page lies in the middle of the head's area, an upright one turned clockwise."""
    x, y, w, h = box
    left, top = (HEAD_W - whole[0]) // 2, (HEAD_H - whole[1]) // 2
    return (left + whole[0] - y - h, top + x, h, w) if upright else (left + x, top + y, w, h)


def edges_wrong(image, box, inside, outside, slack):
    """Every dot along both sides of the four edges that has not its colour."""
    x, y, w, h = box
    pairs = [((u, v), inside if (u, v) in ((u, y), (u, y + h - 1)) else outside) for u in range(x, x + w)
             for v in (y - 1, y, y + h - 1, y + h)]
    pairs += [((u, v), inside if u in (x, x + w - 1) else outside) for v in range(y, y + h)
              for u in (x - 1, x, x + w - 1, x + w)]
    return [(p, at(image, *p), want) for p, want in pairs
            if max(abs(a - b) for a, b in zip(at(image, *p), want)) > slack]


class Badge:
    def __init__(self, cups, work, row):
        self.cups, self.work = cups, work
        self.maker, self.source, self.upright, self.whole = row

    def panel(self, path, letter=None):
        out = os.path.join(self.work, "panel.png")
        self.cups.cardspool("preview", path, "--side", "front", "--ribbon", "ymcko", "-o", out,
                            *(["--panel", letter] if letter else []))
        return png(out)

    def check_dots(self, path):
        image, k, c = self.panel(path), self.panel(path, "K"), self.panel(path, "C")
        for what, (*box, inside, outside) in (UPRIGHT if self.upright else ACROSS).items():
            spot = place(box, self.upright, self.whole)
            wrong = edges_wrong(image, spot, inside, outside, DYE_SLACK)
            check(f"{self.maker}: every edge of {what} on its dot", not wrong, (len(wrong), wrong[:3]))
            if BLACK in (inside, outside):
                wrong = edges_wrong(k, spot, BLACK if inside == BLACK else WHITE, BLACK if outside == BLACK else WHITE, 0)
                check(f"{self.maker}: and in resin", not wrong, (len(wrong), wrong[:3]))
        self.check_photo(image, k)
        self.check_text(k, c)
        self.check_bleed(image)

    def check_photo(self, image, k):
        x, y, w, h = place(PHOTO[self.upright], self.upright, self.whole)
        resin = sum(at(k, u, v) == BLACK for u in range(x, x + w) for v in range(y, y + h))
        check(f"{self.maker}: no resin in the photo", resin == 0, resin)
        corners = [(x - 1, y), (x, y - 1), (x + w, y + h - 1), (x + w - 1, y + h)]
        check(f"{self.maker}: the photo ends on its dots", all(near(at(image, *p), BLUE) for p in corners) and
              not near(at(image, x, y), BLUE) and not near(at(image, x + w - 1, y + h - 1), BLUE))

    def check_text(self, k, c):
        x, y, w, h = place(NAME[self.upright], self.upright, self.whole)
        ground = at(c, x, y)
        dots = [(u, v) for u in range(x, x + w) for v in range(y, y + h)]
        black = [p for p in dots if at(k, *p) == BLACK]
        dyed = [p for p in black if at(c, *p) != WHITE]
        rim = [p for p in dots if at(k, *p) == WHITE and at(c, *p) != ground]
        check(f"{self.maker}: black text, Latin and Chinese, is resin alone, without a rim", len(black) > 10000 and
              not dyed and not rim, (len(black), len(dyed), len(rim)))

    def check_bleed(self, image):
        top = [at(image, HEAD_W - 1, v) for v in range(HEAD_H)] if self.upright else \
            [at(image, u, 0) for u in range(HEAD_W)]
        bottom = [at(image, 0, v) for v in range(HEAD_H)] if self.upright else \
            [at(image, u, HEAD_H - 1) for u in range(HEAD_W)]
        check(f"{self.maker}: full bleed, every dot of both ends", all(near(p, BAND) for p in top) and
              all(near(p, BLUE) for p in bottom), (set(top) - {BAND}, set(bottom) - {BLUE}))

    def check_card(self, path):
        """What lies on the emulated card is what preview shows."""
        before = set(os.listdir(self.cups.path("out")))
        job = self.cups.submit(path)
        state = self.cups.wait_job(job, 60)
        new = sorted(set(os.listdir(self.cups.path("out"))) - before)
        good = state == "completed" and len(new) == 1
        card, seen = (png(self.cups.path("out", new[0]) + "/front.png"), self.panel(path)) if good else (None, None)
        far = max(abs(a - b) for r, s in zip(card[2], seen[2]) for a, b in zip(r, s)) if good else 0
        check(f"{self.maker}: the card shows the picture of preview", good and card[:2] == seen[:2] and far <= 4,
              (state, new, far))

    def check_fresh(self, kept):
        made = make(self.work, os.path.join(SOURCE, self.source))
        if not made:
            print(f"skip - {self.maker} is not installed; the PDF of tests/data/pdf alone was printed", flush=True)
            return
        self.check_dots(made)
        check(f"{self.maker}: a PDF made now gives the same card", self.panel(made) == self.panel(kept))


def make(work, source):
    """The PDF a program makes of the source now; None when the program is not there."""
    office, browser = shutil.which("soffice"), shutil.which("chromium")
    out = os.path.join(work, os.path.splitext(os.path.basename(source))[0] + ".pdf")
    if source.endswith(".html"):
        argv = browser and [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
                            "--disable-background-networking", "--disable-component-update", "--disable-sync",
                            "--no-first-run", f"--user-data-dir={work}/browser", f"--print-to-pdf={out}",
                            "file://" + os.path.abspath(source)]
    else:
        argv = office and [office, f"-env:UserInstallation=file://{work}/office", "--headless", "--convert-to", "pdf",
                           "--outdir", work, os.path.abspath(source)]
    if not argv:
        return None
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120, check=False)
    return out if os.path.exists(out) else None


def main():
    work = tempfile.mkdtemp(prefix="cs-office.")
    cups = privatecups.PrivateCups(BUILD, ["--model", "dualys3", "--serial", "OFF00001", "--hopper", "50", "--ribbon",
                                           "ymcko:100", "--seed", "1"])
    try:
        cups.make_keys()
        cups.start()
        cups.add_queue(options=("CardRibbon=ymcko",))
        for row in BADGES:
            badge = Badge(cups, work, row)
            kept = os.path.join(SOURCE, os.path.splitext(row[1])[0] + ".pdf")
            badge.check_dots(kept)
            badge.check_card(kept)
            badge.check_fresh(kept)
    except privatecups.Failed as failure:
        check("the cases run", False, failure)
    finally:
        cups.close()
        shutil.rmtree(work, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
