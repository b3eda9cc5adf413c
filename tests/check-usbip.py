# check-usbip.py - the emulator's USB/IP server (and what usbredir does with noise), seen by a client of its own.
#
# The client speaks the wire from the kernel's documentation and shares nothing with the emulator; where the package usbip is
# installed, `usbip list` looks too. No kernel support is needed: tests/check-vm.py attaches for real. Prints a line a
# promise; exit status 1 if any is broken.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

BUILD = os.path.abspath(os.environ.get("builddir", "."))
EMULATOR = os.path.join(BUILD, "cardspool-emulator")
EP_OUT, EP_IN = 1, 2
EPIPE, ECONNRESET, ESHUTDOWN = -32, -104, -108
MONO_BYTES = 82296  # 648 x 1016 dots
failed = 0


def check(promise, good, why=""):
    global failed
    print(("ok - " if good else "not ok - ") + promise + ("" if good else f": {why}"), flush=True)
    failed += not good


class Emulator:
    def __init__(self, folder, *args):
        self.console = os.path.join(folder, "console")
        self.process = subprocess.Popen([EMULATOR, "--control", self.console, *args], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.said = self.process.stdout.readline()
        self.port = int(self.said.split()[-1]) if self.said else 0

    def tell(self, line):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(self.console)
            s.sendall(line.encode() + b"\n")
            return json.loads(s.makefile().readline())

    def end(self):
        self.process.terminate()
        return self.process.wait(10)


class Link:
    """One TCP connection to the server."""

    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port), 10)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.seqnum = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def take(self, n):
        got = b""
        while len(got) < n:
            piece = self.s.recv(n - len(got))
            if not piece:
                raise EOFError(f"the connection ended after {len(got)} of {n} bytes")
            got += piece
        return got

    def silent(self, seconds=0.1):
        """Nothing comes."""
        self.s.settimeout(seconds)
        try:
            return self.s.recv(1) is None
        except socket.timeout:
            return True
        finally:
            self.s.settimeout(10)

    def ended(self):
        try:
            return self.s.recv(1) == b""
        except ConnectionError:
            return True

    def devlist(self):
        self.s.sendall(struct.pack(">HHI", 0x0111, 0x8005, 0))
        version, code, status, n = struct.unpack(">HHII", self.take(12))
        assert (version, code, status) == (0x0111, 5, 0)
        return [self.record(True) for _ in range(n)]

    def record(self, with_interfaces):
        raw = self.take(312)
        names = ("bus", "dev", "speed", "vendor", "product", "release", "class", "subclass", "protocol", "configuration",
                 "configurations", "interfaces")
        d = dict(zip(names, struct.unpack(">IIIHHHBBBBBB", raw[288:])))
        d["busid"] = raw[256:288].rstrip(b"\0").decode()
        if with_interfaces:
            d["interface"] = [tuple(self.take(4)[:3]) for _ in range(d["interfaces"])]
        return d

    def attach(self, busid):
        """The record, or the status of the refusal."""
        self.s.sendall(struct.pack(">HHI32s", 0x0111, 0x8003, 0, busid.encode()))
        version, code, status = struct.unpack(">HHI", self.take(8))
        assert (version, code) == (0x0111, 3)
        return status or self.record(False)

    def submit(self, endpoint, into, length, setup=bytes(8), data=b"", packets=0):
        self.seqnum += 1
        self.s.sendall(struct.pack(">IIIII", 1, self.seqnum, 1 << 16 | 2, into, endpoint) +
                       struct.pack(">IIIII8s", 0, length, 0, packets, 0, setup) + data)
        return self.seqnum

    def unlink(self, seqnum):
        self.seqnum += 1
        self.s.sendall(struct.pack(">IIIIII24x", 2, self.seqnum, 1 << 16 | 2, 0, 0, seqnum))
        return self.seqnum

    def answer(self, into):
        """(command, seqnum, status, data)"""
        command, seqnum, _, _, _, status, actual = struct.unpack(">IIIIIiI", self.take(48)[:28])
        if command == 4:
            return command, seqnum, status, b""
        return command, seqnum, status, self.take(actual) if into else actual

    def control(self, kind, request, value, index, length):
        setup = struct.pack("<BBHHH", kind, request, value, index, length)
        self.submit(0, kind >> 7, length, setup)
        return self.answer(kind >> 7)[2:]

    def write(self, data):
        self.submit(EP_OUT, 0, len(data), data=data)
        return self.answer(False)[2:]

    def read(self, length=512):
        self.submit(EP_IN, 1, length)
        return self.answer(True)[2:]

    def ask(self, command, binary=b""):
        self.write(b"\x1b" + command + binary + b"\r")
        return self.read()[1].rstrip(b"\0")


def check_list(emulator):
    with Link(emulator.port) as link:
        listed = link.devlist()
        ended = link.ended()
    seen = [(d["busid"], d["vendor"], d["speed"], d["interface"]) for d in listed]
    check("every printer is listed with a bus id of its own",
          seen == [("1-1", 0x0f49, 3, [(7, 1, 2)]), ("1-2", 0x0a5f, seen[1][2] if len(seen) > 1 else 0, [(7, 1, 2)])], seen)
    check("the list ends its connection", ended)
    if shutil.which("usbip", path=os.defpath + ":/usr/sbin:/sbin"):
        r = subprocess.run(["usbip", "--tcp-port", str(emulator.port), "list", "-r", "127.0.0.1"], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, env={**os.environ, "PATH": os.defpath + ":/usr/sbin:/sbin"},
                           check=False)
        check("usbip list shows both", "(0f49:" in r.stdout and "(0a5f:" in r.stdout, r.stdout)


def check_control(link):
    status, device = link.control(0x80, 6, 0x0100, 0, 18)
    check("the device descriptor", status == 0 and len(device) == 18 and device[1] == 1 and device[8:10] == b"\x49\x0f",
          (status, device))
    status, text = link.control(0xa1, 0, 0, 0, 1023)
    check("the 1284 id, with its length", status == 0 and int.from_bytes(text[:2], "big") == len(text) and b"MFG:EVOLIS" in
          text, (status, text))
    status, text = link.control(0xa1, 0, 0, 0, 7)
    check("an answer is cut to what was asked for", status == 0 and len(text) == 7, (status, text))
    check("the port status", link.control(0xa1, 1, 0, 0, 1) == (0, b"\x18"))
    check("a request nobody knows stalls", link.control(0xa1, 99, 0, 0, 8)[0] == EPIPE)
    check("an endpoint that is not there stalls", link.submit(5, 1, 64) and link.answer(True)[2] == EPIPE)


def check_job(emulator, link):
    before = emulator.tell("@U-1 stat")["good"]
    plane = bytes([0xff]) * MONO_BYTES
    words = [link.ask(b"Pem;2"), link.ask(b"Pr;ymcko"), link.ask(b"Ss"), link.ask(b"Sr"), link.ask(b"Db;o;2;", plane),
             link.ask(b"Se")]
    check("a card is made", words == [b"OK"] * 6, words)
    check("and lies in the hopper", emulator.tell("@U-1 stat")["good"] - before == 1)
    start = time.monotonic()
    for _ in range(200):
        link.ask(b"Rok")
    pair_ms = (time.monotonic() - start) * 1000 / 200
    check(f"a question and its answer take {pair_ms:.2f} ms", pair_ms < 20)


def check_unlink(link):
    seqnum = link.submit(EP_IN, 1, 512)
    check("a read without an answer waits", link.silent())
    unlink = link.unlink(seqnum)
    answer = link.answer(False)
    check("taken back it is answered once, by the unlink", answer[:3] == (4, unlink, ECONNRESET) and link.silent(), answer)
    done = link.submit(0, 1, 2, struct.pack("<BBHHH", 0x80, 0, 0, 0, 2))
    link.answer(True)
    unlink = link.unlink(done)
    check("too late to take back is status 0", link.answer(False)[:3] == (4, unlink, 0))
    check("and the line still works", link.ask(b"Rsn") == b"U-1")


def check_stall(emulator, link):
    emulator.tell("stall out")
    check("a stalled pipe", link.write(b"\x1bRok\r")[0] == EPIPE)
    check("says so when asked", link.control(0x82, 0, 0, 0x01, 2) == (0, b"\x01\x00"))
    link.control(0x02, 1, 0, 0x01, 0)
    check("CLEAR_FEATURE ends it", link.ask(b"Rok") == b"OK")


def check_owner(emulator):
    with Link(emulator.port) as link:
        check("a printer that somebody has is refused", link.attach("1-1") == 1)
    with Link(emulator.port) as link:
        check("so is one that does not exist", link.attach("9-9") == 1)
    with Link(emulator.port) as link:
        check("another printer is free meanwhile", isinstance(link.attach("1-2"), dict))


def check_unplug(emulator, link, devnum):
    link.submit(EP_IN, 1, 512)
    emulator.tell("unplug")
    answer = link.answer(True)
    check("unplugged: what waits ends", answer[2] == ESHUTDOWN, answer)
    check("and the connection too", link.ended())
    with Link(emulator.port) as other:
        check("the printer is not listed", [d["busid"] for d in other.devlist()] == ["1-2"])
    with Link(emulator.port) as other:
        check("nor given out", other.attach("1-1") == 1)
    emulator.tell("plug")
    with Link(emulator.port) as other:
        record = other.attach("1-1")
        check("plugged again it can be attached, as a new device", isinstance(record, dict) and record["dev"] > devnum, record)
        check("and talks", other.ask(b"Rsn") == b"U-1")
        other.submit(EP_IN, 1, 512)  # a transfer that nobody will fetch
    time.sleep(0.1)
    with Link(emulator.port) as other:
        record = other.attach("1-1")
        check("a client that just vanishes leaves the printer free", isinstance(record, dict), record)


def hostile(seed):
    """Streams that begin well and go wrong."""
    r = random.Random(seed)
    attach = struct.pack(">HHI32s", 0x0111, 0x8003, 0, b"1-1")
    submit = struct.pack(">IIIIIIIIII8s", 1, 1, 65538, r.randrange(2), r.choice((0, 1, 2, 7)), 0, r.randrange(64), 0, 0, 0,
                         bytes(r.choice((0x80, 0xa1, 0x21, 6, 0, 1, 255)) for _ in range(8)))
    words = bytearray(attach + submit * r.randrange(4) + r.randbytes(r.randrange(100)))
    for _ in range(r.randrange(6)):
        words[r.randrange(len(words))] = r.randrange(256)
    return bytes(words[:r.randrange(1, len(words) + 1)])


def check_noise(emulator, path):
    rounds = int(os.environ.get("CARDSPOOL_FUZZ_ROUNDS", "300"))
    for seed in range(rounds):
        with Link(emulator.port) as link:
            link.s.sendall(hostile(seed))
            if seed % 16 == 0:
                link.silent(0.01)
    cases = {"a transfer of 4 GiB": (1, 0xffffffff, 0), "an isochronous one": (1, 64, 7)}
    for what, (endpoint, length, packets) in cases.items():
        time.sleep(0.1)
        with Link(emulator.port) as link:
            if isinstance(link.attach("1-2"), dict):
                link.submit(endpoint, 0, length, packets=packets)
            check(what + " ends the connection", link.ended())
    with Link(emulator.port) as link:
        link.s.sendall(b"\x01\x06\x80\x05\0\0\0\0")
        check("so does another version of the protocol", link.ended())
    if path:
        for seed in range(rounds // 4):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path)
                s.sendall(random.Random(seed).randbytes(200))
    time.sleep(0.2)
    with Link(emulator.port) as link:
        record = link.attach("1-1")
        check(f"after {rounds} hostile connections the printer is free and talks",
              isinstance(record, dict) and link.ask(b"Rsn") == b"U-1", record)


def check_refusals(folder):
    r = subprocess.run([EMULATOR, "--usbip", "0.0.0.0:0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       timeout=20, check=False)
    check("other machines are let in by an explicit word only",
          r.returncode == 1 and "--usbip-anyone" in r.stderr and r.stderr.count("\n") == 1, r)
    for where in ("70000", "x", "127.0.0.1:", "[::1:5", "a" * 200 + ":1"):
        r = subprocess.run([EMULATOR, "--usbip", where], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           timeout=20, check=False)
        check(f"--usbip {where[:12]} is one clear line", r.returncode == 1 and r.stderr.count("\n") == 1, r)
    e = Emulator(folder, "--usbip", "0.0.0.0:0", "--usbip-anyone")
    check("with it they are", "0.0.0.0" in e.said, e.said)
    check("a signal ends it well", e.end() == 0)


def main():
    folder = tempfile.mkdtemp(prefix="cs-usbip.")
    try:
        redir = os.path.join(folder, "redir")
        emulator = Emulator(folder, "--printer", "dualys3:serial=U-1,usbredir=" + redir, "--printer", "p330i:serial=U-2",
                            "--usbip", "0", "--hopper", "30", "--log", os.path.join(folder, "log"))
        if not emulator.port:  # built without usbredir
            print("# " + emulator.process.stderr.read().strip(), flush=True)
            emulator.end()
            redir = None
            emulator = Emulator(folder, "--printer", "dualys3:serial=U-1", "--printer", "p330i:serial=U-2", "--usbip", "0")
        check_list(emulator)
        with Link(emulator.port) as link:
            record = link.attach("1-1")
            check("import gives the record of the list", isinstance(record, dict) and record["busid"] == "1-1", record)
            check_control(link)
            check_job(emulator, link)
            check_unlink(link)
            check_stall(emulator, link)
            check_owner(emulator)
            check_unplug(emulator, link, record["dev"])
        check_noise(emulator, redir)
        check("a signal ends the server", emulator.end() == 0, emulator.process.returncode)
        check_refusals(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
