# check-colour.py - the colour options of a queue through a real cupsd onto emulated cards.
#
# Pages are written object by object (pages.py), profiles as tone curves; what was sent is read from the emulator's
# log and its pictures. Prints one "ok" or "not ok" line a promise. Exit status 1 if any is broken.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import os
import shutil
import sys
import tempfile

import privatecups
from pages import HEAD, at, box, pdf, png

BUILD = os.environ.get("builddir", ".")
GRAY, BLUE = (150, 150), (550, 150)
ART = "\n".join((box(100, 100, 200, 100, "0.6 0.6 0.6"), box(500, 100, 200, 100, "0.2 0.2 0.9"),
                 box(100, 300, 200, 100, "0.3 0.3 0.3"), box(500, 300, 200, 100, "0 0 0")))
failed = 0


def check(promise, good, why=""):
    global failed
    print(("ok - " if good else "not ok - ") + promise + ("" if good else f": {why}"), flush=True)
    failed += not good


class Desk:
    def __init__(self, cups, work):
        self.cups, self.work, self.seen = cups, work, set(os.listdir(cups.path("out")))
        self.page = pdf(os.path.join(work, "page.pdf"), [(*HEAD, ART)])

    def print(self, *options):
        """(job's state, its line, picture of its card or None, the lines sent to the printer)"""
        log = self.cups.path("emu/log")
        before = os.path.getsize(log) if os.path.exists(log) else 0
        job = self.cups.submit(self.page, *options)
        state = self.cups.wait_job(job, 60)
        line = self.cups.job(job).get("job-printer-state-message", "")
        new = sorted(set(os.listdir(self.cups.path("out"))) - self.seen)
        self.seen.update(new)
        with open(log, encoding="utf-8", errors="replace") as f:
            f.seek(before)
            sent = f.read()
        return state, line, png(self.cups.path("out", new[0], "front.png")) if new else None, sent

    def held(self, what, words, *options):
        state, line, card, _ = self.print(*options)
        check(f"{what}: held, one line, no card", state == "pending-held" and words in line and "\n" not in line and
              card is None, (state, line))


def check_tone(desk):
    _, line, plain, _ = desk.print()
    _, _, again, _ = desk.print("CardBrightness=0", "CardOverlay=Full", "CardIntent=Perceptual")
    check("without a profile the defaults change no dot", plain and plain == again, line)
    _, _, bright, sent = desk.print("CardBrightness=6")
    check("brightness lightens the dye", at(bright, *GRAY)[0] > at(plain, *GRAY)[0] + 10,
          (at(bright, *GRAY), at(plain, *GRAY)))
    check("bare card stays bare", at(bright, 20, 20) == at(plain, 20, 20), at(bright, 20, 20))
    check("brightness is not set in the printer too", not any(f"Pl;{p};=;" in sent and f"Pl;{p};=;10" not in sent
                                                               for p in "ymc"), sent[-300:])
    _, _, hard, sent = desk.print("CardContrast=-8", "CardResinHeat=3")
    check("contrast changes the dye", at(hard, *BLUE) != at(plain, *BLUE), at(hard, *BLUE))
    check("the resin's heat goes to the printer", "Pc;k;=;13" in sent, sent[-300:])
    for option, words in (("CardBrightness=11", "from -10 to 10"), ("CardContrast=x", "from -10 to 10"),
                          ("CardOverlay=Half", "CardOverlay has no choice"), ("CardBlack=Some", "no choice of that"),
                          ("CardIntent=Nice", "CardIntent has no choice")):
        desk.held(option, words, option)
    return plain


def check_profile(desk, plain):
    folder = desk.cups.path("colour")
    path = os.path.join(folder, "evolis-dualys-3-ymckok.tone")
    with open(path, "w", encoding="utf-8") as f:
        f.write("# half of the cyan\nC 0=0 255=128\n")
    _, line, card, _ = desk.print()
    check("a profile for this printer and ribbon is used", card and at(card, *BLUE)[0] > at(plain, *BLUE)[0] + 50,
          line if not card else (at(card, *BLUE), at(plain, *BLUE)))
    _, line, card, _ = desk.print("CardProfile=none")
    check("none leaves it out", card == plain, line)
    desk.held("a profile that is not there", "is not in", "CardProfile=absent.icc")
    desk.held("a profile outside the folder", "without folders", "CardProfile=../cardspool.conf")
    with open(path, "w", encoding="utf-8") as f:
        f.write("C 9=9 3=3\n")
    desk.held("a damaged tone curve", "line 1: a tone curve is")
    os.unlink(path)
    with open(path.replace(".tone", ".icc"), "wb") as f:
        f.write(b"\0\0\0\x84" + b"\0" * 32 + b"acsp" + b"\xff" * 92)
    desk.held("a hostile ICC profile", "is damaged, or not an ICC profile")
    os.unlink(path.replace(".tone", ".icc"))


def check_preview(desk):
    """What preview shows for the queue is what the head then lays down."""
    for options in ((), ("CardBrightness=6",), ("CardOverlay=Mask", "CardBlack=Halftone")):
        _, line, card, _ = desk.print(*options)
        out = os.path.join(desk.work, "preview.png")
        words = [w for o in options for w in ("--option", o)]
        shown = desk.cups.cardspool("preview", desk.page, "--queue", desk.cups.queue, *words, "-o", out, check=False)
        picture = png(out) if shown.returncode == 0 else None
        spots = [(x, y) for x in range(4, 1012, 7) for y in range(4, 644, 7)]
        # the printer takes 128 levels a dye, the preview shows all 256
        other = [s for s in spots if not picture or any(abs(a - b) > 3 for a, b in zip(at(picture, *s), at(card, *s)))]
        check(f"preview --queue {' '.join(options) or '(as it is)'} shows the card", picture and not other,
              (shown.stderr, line, other[:3]))
    for what, argv, words in (
            ("a queue that is not there", ("--queue", "nobody"), "There is no card queue nobody"),
            ("an option without a value", ("--queue", desk.cups.queue, "--option", "CardUV"), "NAME=VALUE"),
            ("a card too many", ("--queue", desk.cups.queue, "--record", "9"), "does not have 9 cards"),
            ("an option that is refused", ("--queue", desk.cups.queue, "--option", "CardBrightness=x"), "from -10 to 10")):
        shown = desk.cups.cardspool("preview", desk.page, *argv, "-o", out, check=False)
        check(f"preview: {what} is one line", shown.returncode not in (0, 70) and words in shown.stderr and
              shown.stderr.count("\n") == 1, (shown.returncode, shown.stderr))


def panels(desk, *options):
    """Which downloads of the card were sent."""
    state, line, card, sent = desk.print(*options)
    return {p for p in "ymcko" if f"Db;{p};" in sent or f"Dbc;{p};" in sent}, card, (state, line)


def check_overlay(desk):
    sent, card, told = panels(desk)
    check("the overlay is laid", card and "o" in sent, (told, sent))
    sent, card, told = panels(desk, "CardOverlay=None")
    check("no overlay: no panel O is sent", card and "o" not in sent and "k" in sent, (told, sent))
    sent, card, told = panels(desk, "CardOverlay=Chip")
    check("an overlay with a hole is sent", card and "o" in sent, (told, sent))


def check_resin(desk):
    for options, dark in (((), 0), (("resin=none",), 0), (("CardBlack=Threshold",), 1), (("resin=threshold",), 1)):
        _, line, card, _ = desk.print(*options)
        for what, (x, y), want in (("60 % gray", (150, 150), 0), ("30 % gray", (150, 350), dark)):
            check(f"{' '.join(options) or 'resin=text'}: {what} is {'resin' if want else 'dye'}",
                  card and (at(card, x, y) == (0, 0, 0)) == bool(want), (line, at(card, x, y)))
    sent, card, told = panels(desk)
    check("resin=text: black is resin", card and "k" in sent, (told, sent))
    sent, card, told = panels(desk, "resin=none")
    check("resin=none: black is dye", card and "k" not in sent and at(card, 550, 350) == (0, 0, 0), (told, sent))
    for halftone in ("Floyd", "Ordered", "Clustered"):
        _, line, card, _ = desk.print("resin=halftone", f"CardHalftone={halftone}")
        share = [sum(at(card, x, y) == (0, 0, 0) for x in range(120, 280) for y in range(top, top + 60)) / 9600
                 for top in (120, 320)]
        check(f"halftone {halftone}: grays are dots of resin in their share",
              abs(share[0] - 0.4) < 0.02 and abs(share[1] - 0.7) < 0.02, share)
        check(f"halftone {halftone}: a colour stays dye", at(card, *BLUE)[2] > 150, at(card, *BLUE))


def main():
    work = tempfile.mkdtemp(prefix="cs-colour.")
    cups = privatecups.PrivateCups(BUILD, ["--model", "dualys3", "--serial", "COL00001", "--hopper", "200", "--ribbon",
                                           "ymckok:400", "--seed", "1"])
    cups.emulator_args += ["--log", cups.path("emu/log")]
    os.makedirs(cups.path("colour"))
    with open(cups.path("cardspool.conf"), encoding="utf-8") as f:
        conf = f.read()
    with open(cups.path("cardspool.conf"), "w", encoding="utf-8") as f:
        f.write(conf.replace("[paths]\n", f"[paths]\ncolour={cups.path('colour')}\n"))
    try:
        cups.make_keys()
        cups.start()
        cups.add_queue()
        desk = Desk(cups, work)
        plain = check_tone(desk)
        check_profile(desk, plain)
        check_overlay(desk)
        check_preview(desk)
        check_resin(desk)
    except privatecups.Failed as failure:
        check("the cases run", False, failure)
    finally:
        cups.close()
        shutil.rmtree(work, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
