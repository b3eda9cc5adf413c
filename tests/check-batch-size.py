# check-batch-size.py - a long batch costs what a short one costs before its first card, and damage in the middle of
# it costs no card before it.
#
# Works on the filter's stream, read here by its own rules (filters/stream-frame.h draws them). Prints one "ok" or
# "not ok" line a promise. Exit status 1 if any promise is broken.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib

BUILD = os.path.abspath(os.environ.get("builddir", "."))
SOURCE = os.environ.get("srcdir", os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(SOURCE, "tests"))
import bench  # noqa: E402

SHORT, MIDDLE, LONG = 100, 600, 9999
GROWTH_KIB = 1024
READ_MORE_BYTES = 512 * 1024  # what a long batch may have read more than a short one at its first card
LIMIT_KIB = 64 * 1024
failed = 0


def check(promise, good, why=""):
    global failed
    print(("ok - " if good else "not ok - ") + promise + ("" if good else f": {why}"), flush=True)
    failed += not good


class Filter:
    """batchtocards on a batch; its stream is read frame by frame and every checksum looked at."""

    def __init__(self, work, path, *options):
        env = dict(os.environ, CARDSPOOL_TEMPLATES=os.path.join(BUILD, "templates"), LC_ALL="C.UTF-8")
        env.pop("PPD", None)
        # A name that tells nothing, as in CUPS' spool.
        link = os.path.join(work, "d00001-001")
        if os.path.lexists(link):
            os.unlink(link)
        os.symlink(path, link)
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "filter/batchtocards"), "1", "user", "title", "1",
             " ".join(("CardRibbon=ymckok", *options)), link],
            env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.read(12)

    def read(self, n):
        data = self.process.stdout.read(n)
        if len(data) != n:
            raise EOFError("the stream just stops")
        return data

    def frame(self):
        head = self.read(8)
        kind, n = struct.unpack("<4sI", head)
        body = self.read(n)
        if zlib.crc32(head + body) != struct.unpack("<I", self.read(4))[0]:
            raise ValueError("a frame's sum is wrong")
        return kind, body

    def cards(self, most=None):
        """Numbers of the cards that are whole, and the frame that ended the stream with its JSON."""
        found, card = [], None
        while most is None or len(found) < most:
            kind, body = self.frame()
            if kind == b"CARD":
                card = json.loads(body)["card"]
            elif kind == b"DONE":
                found.append(card)
            elif kind in (b"ERRO", b"END "):
                self.close()
                return found, kind, json.loads(body)
        return found, None, None

    def proc(self, name, field):
        with open(f"/proc/{self.process.pid}/{name}", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith(field))

    def close(self):
        self.process.stdout.close()
        self.process.terminate()
        return self.process.wait()


def pack(work, n):
    out = os.path.join(work, f"{n}.cards")
    roster = os.path.join(work, f"{n}.csv")
    bench.roster_grow(os.path.join(work, "sample"), roster, n)
    subprocess.run([os.path.join(BUILD, "cardspool"), "pack", roster, "--photos", os.path.join(work, "sample/photos"),
                    "--template", bench.TEMPLATE, "--templates", os.path.join(BUILD, "templates"), "--order", "SIZE-1",
                    "-o", out], check=True, stdout=subprocess.DEVNULL)
    return out


def check_first(work):
    """At the first card: bytes read and memory, by the kernel's own count."""
    seen = {}
    for n in (SHORT, LONG):
        one = Filter(work, os.path.join(work, f"{n}.cards"), "page-ranges=1-20" if n == SHORT else "")
        cards, _, _ = one.cards(1)
        seen[n] = one.proc("io", "rchar:"), one.proc("status", "VmHWM:")
        one.close()
        check(f"{n} records: the first card is card 1", cards == [1], cards)
    short, long = seen[SHORT], seen[LONG]
    # The short one is small enough to be proved whole, so it reads more, not less.
    check("the long one reads no more before its first card", long[0] < short[0] + READ_MORE_BYTES, seen)
    check("it takes no more memory", long[1] < short[1] + GROWTH_KIB and long[1] < LIMIT_KIB, seen)


def peak_kib(work, n, options, cards):
    run = Filter(work, os.path.join(work, f"{n}.cards"), options)
    found, _, _ = run.cards(cards)  # one less than there are: the filter is still there
    peak = run.proc("status", "VmHWM:")
    run.close()
    return found, peak


def check_memory(work):
    """As many cards from the front of a short batch and from the end of a long one."""
    first, low = peak_kib(work, SHORT, "", SHORT - 1)
    last, high = peak_kib(work, LONG, f"page-ranges={LONG - SHORT + 1}-{LONG}", SHORT - 1)
    check("cards from the front, cards from the end", first[0] == 1 and last[-1] == LONG - 1 and
          len(first) == len(last), (first, last))
    check("memory for the last cards of 9999 is that for the first of 100", high < low + GROWTH_KIB and high < LIMIT_KIB, (low, high))


def damage(source, target, find, by=0):
    """One byte of the entry that begins with its name, or of the text, turned."""
    with open(source, "rb") as f:
        data = bytearray(f.read())
    at = data.index(find) + len(find) + by
    data[at] ^= 0x01
    with open(target, "wb") as f:
        f.write(data)
    return target


def check_damage(work):
    good = os.path.join(work, f"{MIDDLE}.cards")
    torn = os.path.join(work, "torn.cards")
    rest = f"page-ranges=540-{MIDDLE}"

    def made(path, what, first, bad, word):
        cards, kind, said = Filter(work, path, f"page-ranges={first}-{MIDDLE}").cards()
        check(f"{what}: the cards before it are good", cards == list(range(first, bad)), cards)
        check(f"{what}: an error stands in its place and names it",
              kind == b"ERRO" and word in said["text"] and "pack the roster again" in said["text"], (kind, said))
        check(f"{what}: the error names no file", kind == b"ERRO" and "Batch of job 1:" in said["text"], said)

    cards, kind, said = Filter(work, good, rest).cards()
    check("the whole one has an end", kind == b"END " and cards == list(range(540, MIDDLE + 1)), (kind, said))
    made(damage(good, torn, b"photos/0555.jpg", 3000), "a damaged photo", 540, 555, "photos/0555.jpg")
    made(damage(good, torn, b"photos/0570.jpg", -3), "a damaged name of a photo", 540, 570, "photos/0570.jpg")
    with zipfile.ZipFile(good) as z:
        row = z.read("records.csv").split(b"\r\n")[400]
    made(damage(good, torn, row[:20]), "a damaged record in the middle", 380, 385, "Records 385 to 448")
    made(damage(good, torn, b"  photos/0555.jpg\n", -30), "a damaged line of hashes", 510, 513, "photos.sha256")
    shutil.copyfile(good, torn)
    cards, kind, said = Filter(work, torn, f"page-ranges=555-{MIDDLE}").cards()
    check("the repaired file gives the rest", kind == b"END " and cards == list(range(555, MIDDLE + 1)), (kind, said))


def main():
    with tempfile.TemporaryDirectory(prefix="cardspool-size-") as work:
        subprocess.run([os.path.join(BUILD, "cardspool-sample"), os.path.join(work, "sample"), "20"], check=True,
                       stdout=subprocess.DEVNULL)
        for n in (SHORT, MIDDLE, LONG):
            pack(work, n)
        for part in (check_damage, check_first, check_memory):
            try:
                part(work)
            except (EOFError, ValueError, OSError) as failure:
                check(part.__name__, False, failure)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
