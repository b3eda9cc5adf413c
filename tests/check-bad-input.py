# check-bad-input.py - what a queue answers to bad input, and that it goes on when the cause is gone.
#
# One private cupsd around an emulated printer. Each case is asked for one clear line to the person, for the
# documented state of the job, and for an untouched hopper; what can be repaired is repaired and must then print.
# Prints one "ok" or "not ok" line a promise. Exit status 1 if any is broken.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import csv
import glob
import hashlib
import os
import shutil
import struct
import subprocess
import sys
import time
import zipfile
import zlib

import privatecups

BUILD = os.environ.get("builddir", ".")
BATCH_MIME = "application/vnd.cardspool.batch"
FULL_KIB = 1024
failed = 0


def check(promise, good, why=""):
    global failed
    print(("ok - " if good else "not ok - ") + promise + ("" if good else f": {why}"), flush=True)
    failed += not good


class Cups(privatecups.PrivateCups):
    """Beside the usual tree two small file systems: one that can be filled up, one that is read-only."""

    def command_inside(self):
        full, fixed = self.path("full"), self.path("fixed")
        owner = f",uid={os.stat(self.path('ledger')).st_uid}" if self.is_root else ""
        script = (f'mount -t tmpfs -o size={FULL_KIB}k,mode=0755{owner} none "{full}" && '
                  f'mount -t tmpfs -o ro none "{fixed}" && exec "$@"')
        mounting = ["sh", "-c", script, "sh"]
        if not self.is_root:  # the right to mount in a namespace of our own, given up again before cupsd
            mounting = ["unshare", "--user", "--map-current-user", "--keep-caps", "--mount", *mounting,
                        "setpriv", "--inh-caps=-all", "--ambient-caps=-all"]
        return [*mounting, *self.cupsd_argv()]

    def inside(self, *parts):
        """A path as the private mount namespace has it."""
        return f"/proc/{self.cupsd_pid()}/root" + self.path(*parts)

    def configure(self, **change):
        text = self.settings
        for old, new in change.values():
            if old not in text:
                raise privatecups.Failed(f"cardspool.conf has no {old}")
            text = text.replace(old, new)
        self._write("cardspool.conf", text)


class Desk:
    """The person at the queue: sends files and reads what comes back."""

    n_batches = 0

    def __init__(self, cups, work):
        self.cups, self.work = cups, work

    def at(self, name):
        return os.path.join(self.work, name)

    def write(self, name, content):
        with open(self.at(name), "wb") as f:
            f.write(content)
        return self.at(name)

    def hopper(self):
        return self.cups.tell("stat")["hopper"]

    def lp(self, path, *options):
        argv = ["lp", "-d", self.cups.queue]
        for option in options:
            argv += ["-o", option]
        return self.cups.run(*argv, path, check=False)

    def queue(self, path, *options):
        result = self.lp(path, *options)
        if result.returncode:
            raise privatecups.Failed(f"lp {path}: {result.stderr.strip()}")
        return int(result.stdout.split("request id is ")[1].split()[0].rsplit("-", 1)[1])

    def lines(self, job):
        """Everything a person can read about the job: its own message and the printer's."""
        return (self.cups.job(job).get("job-printer-state-message", ""),
                self.cups.printer().get("printer-state-message", ""))

    def wait_line(self, job, text, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            lines = self.lines(job)
            if any(text in line for line in lines):
                return True, lines
            time.sleep(0.05)
        return False, lines


def clear(line):
    """One sentence or a few, without a second line or anything a program says to itself."""
    return line and "\n" not in line and len(line) < 400 and not line.startswith("cfFilter")


# ---- the cases ----

def ends_as(desk, what, job, before, state, text):
    """The job ends in this state with a line that holds text, and feeds nothing."""
    got = desk.cups.wait_job(job, 20)
    lines = desk.lines(job)
    good = got == state and any(text in line and clear(line) for line in lines)
    check(f"{what}: {state}, one line, nothing is fed", good and desk.hopper() == before,
          (got, lines, before - desk.hopper()))
    if os.environ.get("CARDSPOOL_SHOW"):
        print("    " + lines[0])


def ends(desk, what, path, state, text, *options):
    before = desk.hopper()
    job = desk.queue(path, *options)
    ends_as(desk, what, job, before, state, text)
    return job


def prints(desk, what, job=None):
    """The job (or a fresh good one) makes its card."""
    before = desk.hopper()
    job = job or desk.queue(desk.good())
    got = desk.cups.wait_job(job, 20)
    check(f"{what}: the card is made", got == "completed" and before - desk.hopper() == 1,
          (got, desk.lines(job), before - desk.hopper()))


def stops_then_prints(desk, what, text, repair):
    """A cause that stops the queue: the job stays, and prints when the cause is gone."""
    job = ends(desk, what, desk.good(), "printer-stopped", text)
    repair()
    desk.cups.run("cupsenable", desk.cups.queue)
    prints(desk, f"{what}, repaired", job)


def waits_then_prints(desk, what, text, repair):
    """A cause that the job waits for: it says so, and goes on by itself."""
    before = desk.hopper()
    job = desk.queue(desk.good())
    told, lines = desk.wait_line(job, text)
    state = desk.cups.job_state(job)
    check(f"{what}: the job waits and says why, nothing is fed",
          told and state == "processing" and desk.hopper() == before, (state, lines))
    if os.environ.get("CARDSPOOL_SHOW"):
        print("    " + lines[0])
    repair()
    prints(desk, f"{what}, repaired", job)


def changed(source, target, change, mime=BATCH_MIME):
    """A batch packed again by ordinary ZIP code; change(name, bytes) gives new bytes, or None to leave it out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            data = change(info.filename, old.read(info))
            if data is not None:
                new.writestr(zipfile.ZipInfo(info.filename, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_STORED)
    with open(target, "rb") as f:
        assert f.read()[38:38 + len(mime)] == mime.encode()


def png():
    """One white pixel, by hand."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(b"\0\xff")) + chunk(b"IEND", b""))


def dbf(names):
    """A dBASE III table of two short columns, by hand."""
    head = struct.pack("<BBBBIHH20x", 3, 126, 1, 1, len(names), 32 + 2 * 32 + 1, 1 + 2 * 10)
    for name in (b"NUMBER", b"NAME"):
        head += name.ljust(11, b"\0") + b"C" + bytes(4) + bytes([10, 0]) + bytes(14)
    return head + b"\r" + b"".join(b" " + n.encode().ljust(20) for n in names) + b"\x1a"


class Bench(Desk):
    """Makes the files: good batches that no queue has seen, and bad ones from them."""

    def __init__(self, cups, work):
        super().__init__(cups, work)
        cups.run(f"{BUILD}/cardspool-sample", work)
        with open(self.at("roster.csv"), encoding="utf-8", newline="") as f:
            self.rows = list(csv.reader(f))

    def good(self):
        """A batch of one record; its order number makes it another batch than the last one."""
        self.n_batches += 1
        self.roster("one.csv", self.rows[1])
        out = self.at(f"good-{self.n_batches}.cards")
        self.cups.cardspool("pack", self.at("one.csv"), "--order", f"BAD-{self.n_batches}", "-o", out)
        return out

    def roster(self, name, *rows):
        with open(self.at(name), "w", encoding="utf-8", newline="") as f:
            csv.writer(f).writerows([self.rows[0], *rows])
        return self.at(name)

    def patched(self, name, change):
        with open(self.good(), "rb") as f:
            return self.write(name, change(bytearray(f.read())))

    def changed(self, name, change):
        changed(self.good(), self.at(name), change)
        return self.at(name)


def stream_of(desk, path):
    """What our filter would send: a forger has the program too."""
    env = dict(desk.cups.environment(), PPD=f"{BUILD}/ppd/dualys3.ppd", CONTENT_TYPE=BATCH_MIME)
    result = subprocess.run([f"{BUILD}/filter/batchtocards", "1", "u", "t", "1", "CardRibbon=ymckok", path],
                            env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return desk.write("forged.stream", result.stdout)


def check_types(desk):
    """Files of another kind, by their own type, raw, and under a false one."""
    text = desk.write("page.txt", b"Dear printer,\n")
    with open(desk.at("roster.csv"), "rb") as f:
        table = desk.write("table.csv", f.read())
    for what, path in (("plain text", text), ("a CSV", table), ("a DBF", desk.write("table.dbf", dbf(["1", "2"]))),
                       ("a PNG", desk.write("dot.png", png()))):
        result = desk.lp(path)
        if not result.returncode and not path.endswith(".dbf"):  # CUPS would make a PDF of it
            job = int(result.stdout.split("request id is ")[1].split()[0].rsplit("-", 1)[1])
            ends_as(desk, what, job, desk.hopper(), "pending-held", "and card batches, not from ")
        elif result.returncode:
            told = result.stderr.strip()
            check(f"{what}: lp refuses it in one line", "Unsupported" in told and "\n" not in told, told)
        else:  # a kind that CUPS does not know goes on as it is, and meets the backend
            job = int(result.stdout.split("request id is ")[1].split()[0].rsplit("-", 1)[1])
            ends_as(desk, what, job, desk.hopper(), "canceled", "makes cards from card batches")
    stream = stream_of(desk, desk.good())
    for what, path in (("text with -o raw", text), ("a batch with -o raw", desk.good()),
                       ("a forged stream with -o raw", stream)):
        ends(desk, what, path, "canceled", "makes cards from card batches", "raw")
    ends(desk, "a forged stream", stream, "canceled", "makes cards from card batches")
    result = desk.lp(stream, "document-format=application/vnd.cardspool.stream")
    check("a forged stream under its own type: lp refuses it", result.returncode and "Unsupported" in result.stderr,
          result.stdout + result.stderr)
    ends(desk, "text under a batch's type", text, "pending-held", "is not a batch of cards",
         f"document-format={BATCH_MIME}")


def flip(data, at):
    data[at] ^= 0x20
    return data


def photo_middle(data):
    """An offset in the middle of the first photo, which is stored as it is."""
    name = b"photos/0001.jpg"
    at = data.index(name)
    size = struct.unpack("<I", data[at - 12:at - 8])[0]
    return at + len(name) + size // 2


def check_batches(desk):
    names = lambda text: lambda name, data: data.replace(b"special-operation", text) \
        if name == "manifest.json" else data
    woman, man = "女".encode(), "男".encode()
    swap = lambda data: data.replace(man, woman, 1) if man in data else data.replace(woman, man, 1)
    rows = (
        ("a batch cut in half", desk.patched("half.cards", lambda d: d[:len(d) // 2]),
         "cut off, or another program packed it. The batch is damaged"),
        ("a batch with a flipped byte in a photo", desk.patched("flip.cards", lambda d: flip(d, photo_middle(d))),
         "photos/0001.jpg: This entry"),
        ("a ZIP of the right type without a manifest",
         desk.changed("none.cards", lambda n, d: None if n == "manifest.json" else d),
         "another program packed it"),
        ("a batch of an unknown template", desk.changed("gold.cards", names(b"gold")), "card template gold, which is not there"),
        ("a batch of a template outside the folder", desk.changed("up.cards", names(b"../gold")),
         "characters that a template's name cannot have"),
        ("a batch with a changed record",
         desk.changed("record.cards", lambda n, d: swap(d) if n == "records.csv" else d),
         "are not what the manifest says"),
    )
    for what, path, text in rows:
        ends(desk, what, path, "pending-held", text)
    ends(desk, "cards that the batch does not have", desk.good(), "pending-held", "it has 1", "page-ranges=5-9")
    prints(desk, "a good batch after all of these")


def check_machine(desk):
    late, station = desk.cups.path("emu/late"), desk.cups.path("emu/station")
    desk.cups.configure(station=(station, late))
    waits_then_prints(desk, "no chip reader", "chip reader", lambda: os.symlink(os.path.realpath(station), late))
    desk.cups.configure()
    desk.cups.tell("unplug")
    waits_then_prints(desk, "no printer", "printer", lambda: desk.cups.tell("plug"))


def check_keys(desk):
    keys, aside = desk.cups.path("keys/master.keys"), desk.cups.path("keys/aside")
    os.rename(keys, aside)
    stops_then_prints(desk, "no key file", "master.keys", lambda: os.rename(aside, keys))
    os.chmod(keys, 0o644)
    stops_then_prints(desk, "a key file that others can read", "master.keys", lambda: os.chmod(keys, 0o600))
    with open(keys, encoding="ascii") as f:
        good = f.read()
    with open(keys, "w", encoding="ascii") as f:
        f.write(good[:len(good) // 2])

    def mend():
        with open(keys, "w", encoding="ascii") as f:
            f.write(good)
    stops_then_prints(desk, "half a key file", "master.keys", mend)


def check_ledger(desk):
    cups = desk.cups
    ledger = cups.path("ledger/ledger.db")
    cups.configure(ledger=(ledger, cups.path("fixed/ledger.db")))
    stops_then_prints(desk, "a ledger on a read-only disk", "fixed/ledger.db", cups.configure)
    os.mkdir(cups.path("foreign"), 0o700 if cups.is_root else 0o500)
    cups.configure(ledger=(ledger, cups.path("foreign/ledger.db")))
    stops_then_prints(desk, "a ledger in a folder that is not ours to write", "foreign/ledger.db", cups.configure)
    wrong = cups.path("ledger/wrong.db")
    with open(wrong, "wb") as f:
        f.write(b"This is a letter and no ledger.\n" * 200)
    shutil.copystat(ledger, wrong)
    if cups.is_root:
        shutil.chown(wrong, cups.user, cups.group)
    cups.configure(ledger=(ledger, wrong))
    before = hashlib.sha256(open(wrong, "rb").read()).digest()
    stops_then_prints(desk, "a ledger that is none", "wrong.db", cups.configure)
    check("the file that is no ledger is left as it was",
          hashlib.sha256(open(wrong, "rb").read()).digest() == before)
    cups.configure(ledger=(ledger, cups.path("full/ledger.db")))
    fill(cups)
    stops_then_prints(desk, "no room for a new ledger", "full/ledger.db", lambda: os.unlink(cups.inside("full/fill")))
    fill(cups)
    stops_then_prints(desk, "no room left in the ledger", "full/ledger.db",
                      lambda: os.unlink(cups.inside("full/fill")))
    cups.configure()


def fill(cups):
    """Takes what room there is, to the last page."""
    with open(cups.inside("full/fill"), "wb", buffering=0) as f:
        try:
            while True:
                f.write(bytes(4096))
        except OSError:
            pass


def check_pack(desk):
    """At the desk: where a batch cannot be written or a roster cannot be read."""
    def packs(what, status, text, *argv):
        result = desk.cups.cardspool("pack", *argv, check=False)
        lines = (result.stdout + result.stderr).strip().splitlines()
        check(f"pack, {what}: status {status} and one line",
              result.returncode == status and any(text in line for line in lines) and len(lines) <= 2,
              (result.returncode, lines))
    roster, out = desk.roster("pack.csv", desk.rows[1]), desk.at("pack.cards")
    packs("an output folder that is not there", 74, "none/pack.cards", roster, "-o", desk.at("none/pack.cards"))
    packs("a folder for a roster", 65, "photos: is not a file", desk.at("photos"), "-o", out)
    packs("no folder of photos", 66, "no-photos", roster, "--photos", desk.at("no-photos"), "-o", out)
    check("pack: none of these left a file", not glob.glob(desk.at("pack.cards*")), os.listdir(desk.work))
    fill(desk.cups)
    inside = desk.cups.inside("full/pack.cards")
    packs("a full disk", 74, "pack.cards", roster, "-o", inside)
    os.unlink(desk.cups.inside("full/fill"))
    check("pack: a full disk leaves no file", not glob.glob(inside + "*"), os.listdir(desk.cups.inside("full")))


def main():
    work = None
    cups = Cups(BUILD, ["--model", "dualys3", "--serial", "BAD00001", "--hopper", "100", "--ribbon", "ymckok:200",
                        "--seed", "1"], log="debug")
    try:
        for name in ("full", "fixed", "work"):
            os.mkdir(cups.path(name))
        work = cups.path("work")
        with open(cups.path("cardspool.conf"), encoding="utf-8") as f:
            cups.settings = f.read()
        cups.make_keys()
        cups.start()
        cups.add_queue()
        desk = Bench(cups, work)
        prints(desk, "a good batch")
        with open(cups.path("log/error_log"), encoding="utf-8", errors="replace") as f:
            words = [line for line in f if "[Job 1]" in line]
        check("its last word says that it is done",
              any("Done: 1 card of order BAD-1." in line for line in words[-8:]), words[-8:])
        for part in (check_types, check_batches, check_machine, check_keys, check_ledger, check_pack):
            part(desk)
        tally = cups.cardspool_json("job", "list")
        check("no card in doubt, none rejected",
              all(j["tally"]["doubt"] == j["tally"]["rejected"] == 0 for j in tally["jobs"]), tally)
    except privatecups.Failed as failure:
        check("the cases run", False, failure)
    finally:
        cups.close()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
