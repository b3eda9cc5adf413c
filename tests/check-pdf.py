# check-pdf.py - PDFs of several makers through a real cupsd onto emulated cards.
#
# The exact pages are written here by hand, object by object; the badge comes from Cairo (pdf-badge) and, where
# Ghostscript is installed, once more through its own PDF writer. The emulator's pictures are read here by hand too.
# Prints one "ok" or "not ok" line a promise. Exit status 1 if any is broken.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import csv
import os
import shutil
import subprocess
import sys
import tempfile

import chipdecode
import privatecups
from pages import BLACK, BLUE, HEAD, RED, WHITE, at, box, frame_errors, near, pdf, picture, png, text

BUILD = os.environ.get("builddir", ".")
failed = 0


def check(promise, good, why=""):
    global failed
    print(("ok - " if good else "not ok - ") + promise + ("" if good else f": {why}"), flush=True)
    failed += not good


# ---- the queue ----

class Desk:
    def __init__(self, cups, work):
        self.cups, self.work, self.seen = cups, work, set(os.listdir(cups.path("out")))

    def at(self, name):
        return os.path.join(self.work, name)

    def print(self, path, *options):
        """(job's state, its line, folders of the new cards in order)"""
        job = self.cups.submit(path, *options)
        state = self.cups.wait_job(job, 60)
        line = self.cups.job(job).get("job-printer-state-message", "")
        new = sorted(set(os.listdir(self.cups.path("out"))) - self.seen)
        self.seen.update(new)
        return state, line, [self.cups.path("out", n) for n in new]

    def held(self, what, path, words, *options):
        state, line, cards = self.print(path, *options)
        check(f"{what}: held, one line, no card", state == "pending-held" and words in line and "\n" not in line and
              not cards, (state, line, cards))

    def panel(self, path, letter, *options):
        out = self.at("panel.png")
        self.cups.cardspool("preview", path, "--panel", letter, "--side", "front", "-o", out, *options)
        return png(out)


ART = "\n".join((box(-5, -5, 1100, 700, "0.902 0.949 1"), box(100, 60, 200, 40, "1 0 0"),
                 box(301, 61, 1, 1, "1 0 0"), box(100, 120, 200, 40, "0 0 0"), picture(400, 60)))


def check_exact(desk):
    sizes = {"the head's size": (HEAD, 0, 0), "the size of CUPS": ((244, 156), 0, 1),
             "85.6 x 54 mm": ((242.65, 153.07), -2, -5), "85.72 x 54 mm": ((242.98, 153.07), -2, -5)}
    for what, ((w, h), dx, dy) in sizes.items():
        state, line, cards = desk.print(pdf(desk.at("exact.pdf"), [(w, h, ART)]))
        if state != "completed" or len(cards) != 1:
            check(f"a page of {what} is printed", False, (state, line))
            continue
        image = png(cards[0] + "/front.png")
        wrong = frame_errors(image, 100 - dx, 60 - dy, 200, 40, RED, BLUE)
        wrong += frame_errors(image, 301 - dx, 61 - dy, 1, 1, RED, BLUE)
        wrong += frame_errors(image, 100 - dx, 120 - dy, 200, 40, BLACK, BLUE)
        corners = [at(image, x, y) for x in (0, 1015) for y in (0, 647)]
        wrong += [c for c in corners if not near(c, BLUE)]
        check(f"a page of {what}: every dot in its place, no white edge", not wrong, wrong[:4])
    turned = f"0 1 -1 0 648 0 cm\n{ART}"  # what lies upright when the card is turned
    state, line, cards = desk.print(pdf(desk.at("portrait.pdf"), [(HEAD[1], HEAD[0], turned)]))
    image = png(cards[0] + "/front.png") if cards else None
    wrong = frame_errors(image, 1016 - 300, 648 - 100, 200, 40, RED, BLUE) if image else [line]
    check("a portrait page is turned, dot for dot", not wrong, wrong[:4])


def check_black(desk):
    page = pdf(desk.at("black.pdf"), [(*HEAD, ART + "\n" + text(100, 260, 60, "Anna Lindqvist"))])
    k, c = desk.panel(page, "K"), desk.panel(page, "C")
    check("a black box is resin", at(k, 150, 140) == BLACK and at(c, 150, 140) == WHITE, at(c, 150, 140))
    check("black in a picture is dye", at(k, 408, 68) == WHITE and at(c, 408, 68) != WHITE,
          (at(k, 408, 68), at(c, 408, 68)))
    dots = [(x, y) for y in range(210, 275) for x in range(95, 520) if at(k, x, y) == BLACK]
    check("black text is resin", len(dots) > 2000, len(dots))
    ground = at(c, 50, 240)
    rim = [at(c, x, y) for y in range(205, 280) for x in range(90, 525)
           if at(k, x, y) == WHITE and at(c, x, y) != ground]
    below = [1 for x, y in dots if at(c, x, y) != WHITE]
    check("no dye below the text and no gray rim around it", not rim and not below, (len(rim), len(below)))


def check_sides(desk):
    pages = [(*HEAD, box(10 * i, 100, 8, 8, "0 0 0")) for i in range(1, 5)]
    four, three = pdf(desk.at("four.pdf"), pages), pdf(desk.at("three.pdf"), pages[:3])
    state, line, cards = desk.print(four)
    check("one side: a page is a card", state == "completed" and len(cards) == 4, (state, line, cards))
    state, line, cards = desk.print(four, "sides=two-sided-long-edge")
    black = lambda card, side, x: at(png(f"{card}/{side}.png"), x, 104) == BLACK
    good = len(cards) == 2 and black(cards[0], "front", 12) and black(cards[0], "back", 22) and \
        black(cards[1], "front", 32) and black(cards[1], "back", 42)
    check("two sides: two pages are a card", state == "completed" and good, (state, line, cards))
    desk.held("two sides and three pages", three, "odd number", "Duplex=DuplexNoTumble")
    desk.held("half a card", four, "one side of a card", "Duplex=DuplexNoTumble", "page-ranges=2-3")
    state, line, cards = desk.print(four, "Duplex=DuplexNoTumble", "page-ranges=3-4")
    check("pages 3 and 4 are the second card", state == "completed" and len(cards) == 1 and
          black(cards[0], "front", 32), (state, line, cards))
    state, line, cards = desk.print(four, "page-ranges=1-2", "copies=2")
    check("copies", state == "completed" and len(cards) == 4, (state, line, cards))
    for what, words, order in (("uncollated", (), [12, 12, 22, 22]), ("collated", ("collate=true",), [12, 22, 12, 22])):
        state, line, cards = desk.print(four, "page-ranges=1-2", "copies=2", *words)
        got = [next((x for x in (12, 22) if black(card, "front", x)), 0) for card in cards]
        check(f"copies {what}: in this order {order}", state == "completed" and got == order, (state, line, got))
    state, line, cards = desk.print(three, "page-ranges=1", "job-sheets=standard,none")
    check("a banner makes no card", len(cards) == 1, (state, line, cards))


def check_escapes(desk):
    log = desk.cups.path("emu/log")
    line = lambda words: [(*HEAD, ART + "\n" + text(60, 300, 40, words))]
    plain = png(desk.print(pdf(desk.at("plain.pdf"), [(*HEAD, ART)]))[2][0] + "/front.png")
    for words, want in (("~1HELLO WORLD", "Dm;1;HELLO WORLD"), ("~1=HELLO=1", "Dm;1;HELLO=1"),
                        ("~1%HELLO^2?", "Dm;1;HELLO^2"), ("~2;0123456789=1?", "Dm;2;0123456789=1"),
                        ("~3=99 ~2 77", None), ("~3=99 ~2=77", "Dm;3;99")):
        if want is None:
            desk.held(f"{words}", pdf(desk.at("track.pdf"), line(words)), "magnetic track 2")
            continue
        state, told, cards = desk.print(pdf(desk.at("track.pdf"), line(words)))
        with open(log, encoding="utf-8", errors="replace") as f:
            sent = f.read()
        check(f"{words}: on the stripe", state == "completed" and want in sent, (state, told))
        check(f"{words}: not on the card", cards and png(cards[0] + "/front.png") == plain, told)
    desk.held("an escape that runs over the edge", pdf(desk.at("bad.pdf"), line("~1" + "LONG NAME " * 7)),
              "edge of the page")
    for words, told in (("~1%BROKEN", "broken into two lines"), ("~7 SEVEN", "not an escape"),
                        ("Name ~1HELLO", "line or a text box of its own"), ("~2ABC", "magnetic track 2"),
                        ("~CT110101199003070000", "No order in"), ("~Cname=x", "names no template")):
        desk.held(words, pdf(desk.at("bad.pdf"), line(words)), told)


def roster(desk):
    """The rows of the trial order; row 0 is the heading."""
    subprocess.run([os.path.join(BUILD, "cardspool-sample"), desk.work], check=True, stdout=subprocess.DEVNULL)
    with open(desk.at("roster.csv"), encoding="utf-8") as f:
        return list(csv.reader(f))


def order(desk, rows, name):
    with open(desk.at(f"{name}.csv"), "w", encoding="utf-8", newline="") as f:
        csv.writer(f).writerows(rows)
    desk.cups.cardspool("pack", desk.at(f"{name}.csv"), "--order", name, "-o", desk.at(f"{name}.cards"))
    return desk.at(f"{name}.cards")


def chip_page(desk, escape):
    """A badge whose page says something to the chip, written by Cairo: fields may be Chinese."""
    path = desk.at("chip.pdf")
    subprocess.run([os.path.join(BUILD, "tests/pdf-badge"), path, f"line={escape}", "badge"], check=True)
    return path


def check_encoded(desk, what, escape, row, head):
    state, line, cards = desk.print(chip_page(desk, escape))
    if state != "completed" or len(cards) != 1:
        check(f"{what}: encoded", False, (state, line))
        return
    with open(cards[0] + "/chip.mfd", "rb") as f:
        dump = f.read()
    want = chipdecode.expected_blocks({**dict.fromkeys(chipdecode.PIECES, ""), **dict(zip(head, row))})
    wrong = [b for b, v in want.items() if chipdecode.block(dump, b) != v]
    check(f"{what}: every data block of the chip", not wrong, wrong)
    plain = desk.at("plain-badge.pdf")
    subprocess.run([os.path.join(BUILD, "tests/pdf-badge"), plain, "badge"], check=True)
    shown = png(cards[0] + "/front.png")
    check(f"{what}: nothing of it on the card", shown == png(desk.print(plain)[2][0] + "/front.png"))


def check_chip(desk):
    rows = roster(desk)
    head, people = rows[0], rows[1:]
    orders = desk.cups.path("orders")
    tell = lambda *words: desk.cups.cardspool("order", *words, check=False)
    fields = ";".join(f"{name}={value}" for name, value in zip(head, people[4]) if value)
    check_encoded(desk, "~C with fields", f"~Ctemplate=special-operation;{fields}", people[4], head)
    desk.held("~C with a number while no order lies there", chip_page(desk, "~C" + people[0][0]), "No order in")

    batch = order(desk, rows[:4], "NB-1")
    added = tell("add", batch)
    mode = os.stat(os.path.join(orders, "NB-1.cards"))
    check("an order is added, for CUPS' group alone", added.returncode == 0 and "3 records" in added.stdout and
          mode.st_mode & 0o777 == 0o640 and mode.st_gid == os.stat(orders).st_gid and
          os.stat(orders).st_mode & 0o007 == 0, (added, oct(mode.st_mode)))
    again = tell("add", batch)
    check("the same order again is refused, one line", again.returncode == 65 and again.stderr.count("\n") == 1, again)
    with open(desk.at("other.cards"), "wb") as f, open(batch, "rb") as g:
        f.write(g.read())
    other = tell("add", desk.at("other.cards"))
    check("a number of another order is refused, without naming the holder", other.returncode == 65 and
          "order remove NB-1" in other.stderr and people[0][0] not in other.stderr, other)
    listed = tell("list")
    check("the orders are listed", "NB-1" in listed.stdout and "special-operation" in listed.stdout, listed)

    check_encoded(desk, "~C with a number", "~C" + people[1][0], people[1], head)
    desk.held("a number whose card is made already", chip_page(desk, "~C" + people[1][0]), "was made of this record already")
    desk.held("a number that no order has", chip_page(desk, "~C" + people[9][0]), "No order in")
    shutil.copyfile(batch, os.path.join(orders, "copied-by-hand.cards"))
    desk.held("a number that two orders have", chip_page(desk, "~C" + people[0][0]), "stands 2 times")
    check("an order is removed", tell("remove", "copied-by-hand").returncode == 0 and
          tell("remove", "NB-1").returncode == 0 and tell("list", "--json").stdout.strip() == "[]" and
          tell("remove", "NB-1").returncode == 66)
    check("a name cannot leave the folder", tell("remove", "../keys/x").returncode == 66 and
          tell("add", desk.at("..cards")).returncode != 0)


def check_bad(desk):
    good = pdf(desk.at("good.pdf"), [(*HEAD, ART)])
    with open(good, "rb") as f:
        data = f.read()
    with open(desk.at("cut.pdf"), "wb") as f:
        f.write(b"%PDF-1.4\n" + data[300:320])
    desk.held("a damaged PDF", desk.at("cut.pdf"), "PDF is damaged")
    desk.held("a PDF without pages", pdf(desk.at("none.pdf"), []), "no page")
    desk.held("a page of A4", pdf(desk.at("a4.pdf"), [(*HEAD, ART), (595, 842, ART)]), "Page 2: it is 209.9 x 297.0 mm")
    desk.held("a huge page", pdf(desk.at("huge.pdf"), [(200000, 99000, ART)]), "Page 1:")
    state, line, cards = desk.print(pdf(desk.at("a4.pdf"), [(842, 595, ART)]), "print-scaling=fit")
    check("A4 with print-scaling=fit", state == "completed" and len(cards) == 1, (state, line))
    desk.held("two pages on a card", good, "one page per sheet", "number-up=2")
    if shutil.which("qpdf"):
        subprocess.run(["qpdf", "--encrypt", "a", "b", "256", "--", good, desk.at("locked.pdf")], check=True)
        desk.held("a locked PDF", desk.at("locked.pdf"), "password")
    with open(desk.at("page.txt"), "w", encoding="ascii") as f:
        f.write("Dear printer,\n")
    desk.held("plain text, which CUPS would set as a page", desk.at("page.txt"), "not from text/plain")


def check_makers(desk):
    made = desk.at("badge.pdf")
    subprocess.run([os.path.join(BUILD, "tests/pdf-badge"), made, "badge"], check=True)
    makers = {"Cairo": made}
    if shutil.which("gs"):
        makers["Ghostscript"] = desk.at("badge-gs.pdf")
        subprocess.run(["gs", "-q", "-dBATCH", "-dNOPAUSE", "-dSAFER", "-sDEVICE=pdfwrite", "-dAutoRotatePages=/None",
                        "-dAutoFilterColorImages=false", "-dColorImageFilter=/FlateEncode",
                        f"-sOutputFile={makers['Ghostscript']}", made], check=True)
    for maker, path in makers.items():
        state, line, cards = desk.print(path)
        image = png(cards[0] + "/front.png") if cards else None
        wrong = frame_errors(image, 100, 60, 200, 40, RED, BLUE) + frame_errors(image, 100, 120, 200, 40, BLACK, BLUE) \
            if image else [line]
        check(f"a badge of {maker} is aligned to the dot", not wrong, wrong[:4])


def main():
    work = tempfile.mkdtemp(prefix="cs-pdf.")
    cups = privatecups.PrivateCups(BUILD, ["--model", "dualys3", "--serial", "PDF00001", "--hopper", "200", "--ribbon",
                                           "ymckok:400", "--seed", "1"])
    cups.emulator_args += ["--log", cups.path("emu/log")]
    with open(cups.path("cardspool.conf"), "a", encoding="utf-8") as f:
        f.write(f"[paths]\norders={cups.path('orders')}\n")
    try:
        cups.make_keys()
        cups.start()
        cups.add_queue()
        desk = Desk(cups, work)
        for part in (check_exact, check_black, check_sides, check_escapes, check_chip, check_bad, check_makers):
            part(desk)
    except privatecups.Failed as failure:
        check("the cases run", False, failure)
    finally:
        cups.close()
        shutil.rmtree(work, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
