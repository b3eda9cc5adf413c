#!/usr/bin/env python3
"""Whole jobs, as the protocol document describes them byte for byte, through the emulator and back
to pictures. Written by hand from the document; shares nothing with the drivers. Exit 77 when the
kernel refuses what the emulator needs.

SPDX-License-Identifier: GPL-3.0-or-later
"""
import json
import os
import struct
import subprocess
import sys
import tempfile
import zlib

BUILD = os.environ.get("builddir", ".")
EMULATOR, PROBE = f"{BUILD}/cardspool-emulator", f"{BUILD}/tests/usb-probe"
DOTS, LINES = 648, 1016
failures = 0
net = []


def check(good, what):
    global failures
    print(("ok - " if good else "not ok - ") + what)
    failures += not good


def command(text):
    return b"\x1b" + text.encode() + b"\r"


def plane(head, data):
    return b"\x1b" + head.encode() + b";" + data + b"\r"


def pack(values, bits):
    """Most significant bit first, running on over the whole plane."""
    number = 0
    out = bytearray()
    have = 0
    for v in values:
        number = number << bits | v
        have += bits
        while have >= 8:
            have -= 8
            out.append(number >> have & 255)
            number &= (1 << have) - 1
    return bytes(out)


def picture(path):
    """width, height and rows of RGB bytes; the emulator filters with Sub or not at all."""
    data, at, packed = open(path, "rb").read(), 8, b""
    width = height = 0
    while at < len(data):
        n, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height = struct.unpack(">II", data[at + 8:at + 16])
        if kind == b"IDAT":
            packed += data[at + 8:at + 8 + n]
        at += 12 + n
    raw, rows = zlib.decompress(packed), []
    stride = width * 3
    for y in range(height):
        row = bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        if raw[y * (stride + 1)]:
            for i in range(3, stride):
                row[i] = row[i] + row[i - 3] & 255
        rows.append(bytes(row))
    return width, height, rows


def run(folder, job, printer, *words):
    """Sends the job; exit status, the folder of the cards, the log."""
    path, out, log = f"{folder}/job", tempfile.mkdtemp(dir=folder), f"{folder}/log"
    open(path, "wb").write(job)
    open(log, "w").close()
    done = subprocess.run([EMULATOR, *net, "--strict", "--out", out, "--log", log, "--printer", printer,
                           *words, "--run", PROBE, "send", path], timeout=60, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    strict = [line for line in open(log) if line.startswith("strict:")]
    return done.returncode, out, "".join(strict) + done.stdout


def pixel(rows, x, y):
    return tuple(rows[y][3 * x:3 * x + 3])


# ---- section 9.1: the Windows driver, Dualys 3 with a black ribbon ----

def windows_job():
    head = b"".join(map(command, ["Pr;k", "Pmi;F;s", "Pc;k;=;10", "Pdt;DU", "Mr;s", "Ppws;1281761799", "Ss", "Sr"]))
    data = (b"\x51" + b"\x55" * 81) * 510 + b"\x01\xa0" * 506
    dbc = plane("Dbc;k;2;42832", data)
    dbc += bytes(-len(dbc) % 64)
    return head + dbc + command("Se;1") + bytes(32), head, dbc


def check_windows(folder):
    job, head, dbc = windows_job()
    check((len(head), len(job)) == (0x41, 42983) and len(head) + len(dbc) == 0xa7c1, "the Windows job has the offsets of the document")
    status, out, said = run(folder, job, "dualys3:ribbon=k:100")
    check(status == 0 and not said, f"the Windows job is taken without a word: {status} {said}")
    width, height, rows = picture(f"{out}/0001/front.png")
    # stream line 0 is the left edge; dot 1 of it is black, dot 0 is not, and dot 0 is at the bottom
    check((width, height) == (LINES, DOTS) and pixel(rows, 0, 647) == (255,) * 3 and pixel(rows, 0, 646) == (0,) * 3,
          "the first line stands at the left edge")
    black = b"".join(rows).count(0) // 3
    check(black == 510 * 324 + 506 * 2, f"every black dot is there and no other: {black}")


# ---- section 9.2: the vendor's filter, Primacy ----

def primacy_job():
    text = ("~Psync;1;0^<HEADER>~Psmgr;1^~Ppws;1795170840^~Pps;0;n^~Pcla;1^~Psid;2^~Pr;100;t^~Pwres;300;300;100^"
            "~Psk;10^~Piqla;a;d^~Pmc;h^~Peoic;k;D^~Psync;2^</HEADER>"
            "~Psync;12;1^<OPTION Dpi=300x300>~Psync;13;0^</OPTION>"
            "~Psync;3;1^<DOC Duplex=0>~Psync;3;0^~Psync;5;1^<CARD>~Psync;5;0^~Ss^~Mr;s^"
            "~Psync;9;1^<FACE>~Psync;9;0^~Sr^~Pc;a;=;10^~Pl;a;=;10^~Pc;k;=;10^~Pc;o;=;10^"
            "<BINARY Size=82305>~Db;k;2;@^</BINARY>"
            "~Psync;10;1^</FACE>~Psync;10;0^~Se^~Psync;6;1^</CARD>~Psync;6;0^~Psync;4;1^</DOC>~Psync;4;0^"
            "~Pcla;0^~Psid;0^~Psync;11;1^<END>~Psync;11;0^")
    data = bytearray(82296)
    data[-1] = 1  # raster (0,0) of the filter
    head, tail = text.encode().replace(b"~", b"\x1b").replace(b"^", b"\r").split(b"@")
    return head + bytes(data) + tail


def check_primacy(folder):
    job = primacy_job()
    check(len(job) == 82827, f"the Primacy job has the length of the document: {len(job)}")
    status, out, said = run(folder, job, "primacy:ribbon=k:100")
    check(status == 0 and not said, f"the Primacy job with its tags is taken without a word: {status} {said}")
    rows = picture(f"{out}/0001/front.png")[2]
    check(pixel(rows, 1015, 0) == (0,) * 3 and b"".join(rows).count(0) == 3, "its one dot is the last of the stream")
    status, out, said = run(folder, job, "dualys3:ribbon=k:100")
    check(status == 65 and "ERROR CDE: Pwres" in said and "<HEADER>" in said, "an older printer knows neither the tags nor the commands")
    status, out, said = run(folder, windows_job()[0], "primacy:ribbon=k:100")
    check(status == 65 and "Pr;k" in said, "a newer printer takes no ribbon by name")


# ---- every encoding ----

def check_levels(folder):
    for levels, bits in ((32, 5), (64, 6), (128, 7), (256, 8)):
        top = levels - 1
        values = [top if i % DOTS < 2 else top // 3 if i < DOTS else 0 for i in range(DOTS * LINES)]
        data = pack(values, bits)
        job = command("Pr;0;t") + command("Ss") + command("Sr") + plane(f"Db;y;{levels}", data) + command("Se")
        status, out, said = run(folder, job, "primacy:ribbon=ymcko:10")
        rows = picture(f"{out}/0001/front.png")[2]
        third = 255 - (top // 3 * 255 + top // 2) // top
        check(status == 0 and not said and pixel(rows, 7, 647) == (255, 255, 0) and pixel(rows, 0, 0) == (255, 255, third)
              and pixel(rows, 1, 0) == (255,) * 3, f"{levels} levels, plain: {said}")
        if levels == 256:
            continue
        run_bits = {32: 0x60, 64: 0x40, 128: 0}[levels]
        line = {32: bytes([0x80 | run_bits | top // 3, 648 - 512]), 64: bytes([0xc0 | top // 3, 255, 0x80 | top // 3, 137]),
                128: bytes([0x80 | top // 3, 255, 0x80 | top // 3, 255, 0x80 | top // 3, 138])}[levels]
        data = line + b"\x80\x00" * (LINES - 1)
        job = command("Pr;0;t") + command("Ss") + command("Sr") + plane(f"Dbc;m;{levels};{len(data)}", data) + command("Se")
        status, out, said = run(folder, job, "primacy:ribbon=ymcko:10")
        rows = picture(f"{out}/0001/front.png")[2]
        check(status == 0 and not said and pixel(rows, 0, 300) == (255, third, 255) and pixel(rows, 1, 300) == (255,) * 3,
              f"{levels} levels, compressed: {said}")


def check_parts(folder):
    part = pack([127] * DOTS * 2, 7)
    squeezed = (b"\xff\xff" * 2 + b"\xff\x8a") * 3
    job = (command("Pr;ymcko") + command("Ss") + command("Sr") + plane("Dbp;c;128;100;2", part)
           + plane(f"Dbpc;y;128;500;{len(squeezed)}", squeezed) + command("Se"))
    status, out, said = run(folder, job, "pebble4:ribbon=ymcko:10")
    rows = picture(f"{out}/0001/front.png")[2]
    check(status == 0 and not said and pixel(rows, 100, 5) == pixel(rows, 101, 5) == (0, 255, 255)
          and pixel(rows, 99, 5) == pixel(rows, 102, 5) == (255,) * 3 and pixel(rows, 502, 5) == (255, 255, 0)
          and pixel(rows, 503, 5) == (255,) * 3, f"parts of planes, plain and compressed: {said}")
    status, out, said = run(folder, job.replace(b"ymcko", b"k"), "tattoo:ribbon=k:10")
    check(status == 65 and "ERROR CDE: Dbp" in said, "a Tattoo has no parts of planes")
    full = pack([127] * DOTS * LINES, 7)
    job = command("Pr;3;t") + command("Psp;616") + command("Ss") + command("Sr") + plane("Db;y;128", full) + command("Se")
    status, out, said = run(folder, job, "zenius:ribbon=ymckos:10")
    rows = picture(f"{out}/0001/front.png")[2]
    check(status == 65 and "half panel" in said and pixel(rows, 615, 5) == (255,) * 3 and pixel(rows, 616, 5) == (255, 255, 0),
          "a half panel has dye from its start line on, and for no more than it has")


def check_fine(folder):
    for across in (600, 1200):
        lines = LINES * across // 300
        data = bytearray(lines * 81)
        data[81 * 3] = 0x80  # line 3, dot 0
        job = (command("Pr;100;t") + command(f"Pwres;{across};300;100") + command("Ss") + command("Sr")
               + plane(f"Dbx;k;2;{across};300", bytes(data)) + command("Se"))
        status, out, said = run(folder, job, "primacy2:ribbon=k:10")
        width, height, rows = picture(f"{out}/0001/front.png")
        check(status == 0 and not said and (width, height) == (lines, DOTS) and pixel(rows, 3, 647) == (0,) * 3
              and b"".join(rows).count(0) == 3, f"{across} dots per inch along the feed: {said}")


def check_bmp(folder):
    rows = b"\x80\0\0\0" + b"\x40\0\0\0"  # two rows of two dots, the lower one first
    bmp = (b"BM" + struct.pack("<IHHI", 62 + len(rows), 0, 0, 62) + struct.pack("<IiiHHIIiiII", 40, 2, 2, 1, 1, 0, 0, 0, 0, 0, 0)
           + b"\xff\xff\xff\0" + b"\0\0\0\0" + rows)
    job = command("Pr;k") + command("Ss") + plane("Dbmp;k;10;20;0", bmp) + command("Si") + command("Se")
    status, out, said = run(folder, job, "tattoo:ribbon=k:10")
    rows = picture(f"{out}/0001/front.png")[2]
    check(status == 0 and not said and pixel(rows, 10, 21) == pixel(rows, 11, 20) == (0,) * 3 and b"".join(rows).count(0) == 6,
          f"a BMP picture: {said}")


def check_magnetic(folder):
    job = (command("Pr;k") + command("Pmc;h") + command("Ss") + command("Sr") + command("Dm;1;ABC") + command("Dm;2;12;34")
           + plane("Dbc;k;2;2032", b"\x01\xa0" * LINES) + command("Se"))
    status, out, said = run(folder, job.replace(b"12;34", b"12:34"), "dualys3:ribbon=k:10")
    check(status == 0 and not said and open(f"{out}/0001/tracks.txt").read() == "ABC\n12:34\n\n", f"tracks in a job: {said}")
    status, out, said = run(folder, job.replace(b"12;34", b"12AB"), "dualys3:ribbon=k:10")
    check(status == 65 and "track" in said, "letters on track 2 are refused")
    status, out, said = run(folder, job, "badgy:ribbon=k:10")
    check(status == 65 and not os.path.exists(f"{out}/0001/tracks.txt"), "a Badgy has no magnetic head")


def check_models(folder):
    """Each model answers with its own name and runs a card through; what it lacks it says."""
    models = {"dualys3": "Dualys 3", "pebble3": "Pebble 3", "pebble4": "Pebble 4", "tattoo": "Tattoo", "quantum": "Quantum",
              "zenius": "Zenius", "primacy": "Primacy", "primacy2": "Primacy 2", "badgy": "Badgy"}
    new = ("zenius", "primacy", "primacy2", "badgy")
    flips = ("dualys3", "quantum", "primacy", "primacy2")
    for model, title in models.items():
        asks = ["Rtp", title, "Pr;0;t", "ERROR PARAMETRES", "Pr;ymcko", "OK", "Rr", "ymcko", "Pcim;F", "ERROR CDE",
                "Rrt;count", "ERROR CDE"]
        if model in new:
            asks = ["Rtp", title, "Pr;ymcko", "ERROR PARAMETRES", "Pr;0;t", "OK", "Pcim;F", "OK", "Pmi;F", "ERROR CDE",
                    "Rrt;count", "200", "Rrt;qty", "200", "Rrt;zone", "0", "Rrt;nothing", "ERROR PARAMETRES", "Rrt;count", "OK",
                    "Rrt;count", "200"]
        asks += ["Sv", "OK" if model in flips else "ERROR CDE" if model == "tattoo" else "OPT NOT AVAILABLE",
                 "Sk;s", "ERROR CDE", "Rse;o", "5,00 Volts", "Si", "OK", "Rlr;p", "CARD", "Se", "OK", "Rlr;p", "NO CARD", "Rco;c", "1"]
        done = subprocess.run([EMULATOR, *net, "--printer", model, "--run", PROBE, "ask", "Pem;2", "OK", *asks], timeout=60,
                              stdout=subprocess.PIPE, text=True)
        check(done.returncode == 0, f"{title} answers as its row says: {done.stdout}")


def check_faults(folder):
    """Every word of the console that makes something wrong, on an old and a new model."""
    rows = [("cover open", "Si", "COVER OPEN"), ("hopper empty", "Si", "FEEDER EMPTY"), ("ribbon none", "Ss", "ERROR RIBBON"),
            ("ribbon end", "Ss", "ERROR RIBBON"), ("jam feed", "Si", "CARD JAM"), ("jam now", "Si", "CARD JAM"),
            ("jam station", "Sic", "CARD JAM"), ("jam eject", "Sie", "CARD JAM"), ("output full", "Sie", "HOPPER FULL"),
            ("cleaning due", "Rlr;c", "NEED CLEANING"), ("lacks Psp", "Psp;3", "ERROR CDE"),
            ("magnetic-read bad", "Smr;1", "ERROR MAG"), ("say Ss ERROR TIME OUT", "Ss", "ERROR TIME OUT")]
    for model in ("dualys3", "primacy"):
        for line, ask, answer in rows:
            open(f"{folder}/script", "w").write(line + "\n")
            done = subprocess.run([EMULATOR, *net, "--printer", model, "--script", f"{folder}/script", "--run", PROBE, "ask",
                                   "Pem;2", "OK", ask, answer], timeout=60, stdout=subprocess.PIPE, text=True)
            check(done.returncode == 0, f"{model}: {line}: {done.stdout}")
    for line in ("endless", "garble", "mute"):
        open(f"{folder}/script", "w").write(line + "\n")
        done = subprocess.run([EMULATOR, *net, "--script", f"{folder}/script", "--run", PROBE, "ask", "Rtp", "Dualys 3"],
                              timeout=60, stdout=subprocess.PIPE)
        check(done.returncode != 0, f"{line}: no good answer comes")


def check_lies(folder):
    """What lsusb and libusb make of descriptors that lie is theirs; nothing here may hang or break."""
    for lie in ("ok", "no-in", "no-endpoints", "two-out", "other-endpoints", "wrong-class", "one-way", "total-long", "total-short",
                "cut", "zero-length", "long-endpoint", "no-serial", "id-none", "id-short", "id-long", "id-other"):
        done = subprocess.run([EMULATOR, *net, "--printer", f"primacy:descriptors={lie}", "--run", "sh", "-c",
                               "wc -c </sys/bus/usb/devices/1-1/descriptors"], timeout=60, stdout=subprocess.PIPE, text=True)
        size = {"no-in": 43, "no-endpoints": 36, "cut": 40}.get(lie, 50)
        check(done.returncode == 0 and int(done.stdout or 0) == size, f"descriptors={lie}: {done.stdout.strip()} bytes")


def main():
    global net
    net = ["-n"] if subprocess.run([EMULATOR, "-n", "--run", "true"], stderr=subprocess.DEVNULL).returncode == 0 else []
    if subprocess.run([EMULATOR, *net, "--run", "true"]).returncode == 77:
        return 77
    with tempfile.TemporaryDirectory() as folder:
        for one in (check_windows, check_primacy, check_levels, check_parts, check_fine, check_bmp, check_magnetic, check_models,
                    check_faults, check_lies):
            one(folder)
    print(f"{failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
