#!/usr/bin/env python3
"""check-keys.py - keys, security modules and memory cards through a real pcscd, and no key anywhere it must not be.

Drives `cardspool key` and `cardspool chip init | personalise | void` against the emulated memory card and the emulated
PSAM (tests/emulator-slot), and an MF1 card in the emulated PN532. While the calls run, every process of the user is
watched: command lines, environments and the files of the test's folder are searched for every key in use.
The MAC and the code of the memory card are computed again here with the openssl command, apart from the encoder.
"""
import csv
import glob
import io
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time

SRC = os.environ.get("srcdir", ".")
BUILD = os.path.abspath(os.environ.get("builddir", "."))
sys.path.insert(0, os.path.join(SRC, "tests"))
from privatepcscd import PrivatePcscd  # noqa: E402

READER, PSAM_READER = "ACS ACR39U ICC Reader", "Identiv uTrust 4711 F CL SAM Reader"
FIRST = ("00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100")
SECOND = ("a1a2a3a4a5a6a7a8a9aaabacadaeafb0", "b1b2b3b4b5b6b7b8b9babbbcbdbebfc0")
failed = 0


def check(what, good, told=""):
    global failed
    failed += not good
    print(("ok - " if good else "not ok - ") + what + ("" if good else f" ({str(told).strip()[:400]})"), flush=True)


def xor(a, b):
    return bytes(x ^ y for x, y in zip(bytes.fromhex(a), bytes.fromhex(b)))


def openssl_mac(kind, option, key, data):
    r = subprocess.run(["openssl", "mac", *option, "-macopt", "hexkey:" + key.hex(), "-in", "-", kind], input=data,
                       capture_output=True, check=True)
    return bytes.fromhex(r.stdout.decode().strip())


def cmac(key, data):
    return openssl_mac("CMAC", ["-cipher", "AES-128-CBC"], key, data)


def hmac(key, data):
    return openssl_mac("HMAC", ["-digest", "SHA256"], key, data)


def logic_code(access, serial):
    return cmac(access, b"\x01" + serial + b"\xff\x0dCARDSPOOL-SLE")[:3]


def logic_mac(mac, serial, version, data):
    key = cmac(mac, b"\x01" + serial + b"\xff\x0cCARDSPOOL-SLE")
    return hmac(key, serial + bytes([version]) + data)[:8]


class Watch(threading.Thread):
    """Searches command lines and environments of all processes while the calls run."""

    def __init__(self, secrets):
        super().__init__(daemon=True)
        self.words = [w for s in secrets for w in (s.hex().encode(), s.hex().upper().encode(), s)]
        self.found, self.looks, self.over = set(), 0, False

    def run(self):
        me = os.getpid()
        while not self.over:
            for p in glob.glob("/proc/[0-9]*"):
                if int(p[6:]) == me:
                    continue
                for name in ("cmdline", "environ"):
                    try:
                        with open(f"{p}/{name}", "rb") as f:
                            text = f.read()
                    except OSError:
                        continue
                    # the openssl command with which this test computes keys itself
                    if not text.startswith(b"openssl\0mac") and any(w in text for w in self.words):
                        self.found.add(text[:60])
            self.looks += 1
            time.sleep(0.005)

    def files(self, folder):
        hits = []
        for path, _, names in os.walk(folder):
            for name in names:
                try:
                    with open(os.path.join(path, name), "rb") as f:
                        text = f.read()
                except OSError:
                    continue
                hits += [name for w in self.words if w in text]
        return hits


class Lab:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="cs-keys.")
        os.chmod(self.dir, 0o755)
        self.conf, self.keys = self.path("conf"), self.path("keys")
        self.slots = self.path("sle.sock"), self.path("psam.sock")
        self.said, self.daemon = b"", None
        self.configure()

    def path(self, name):
        return os.path.join(self.dir, name)

    def configure(self, more=""):
        with open(self.conf, "w") as f:
            f.write(f"[paths]\nledger={self.path('ledger.db')}\nkeys={self.keys}\nkey-secret={self.path('secret')}\n"
                    f"templates={BUILD}/templates\nrun={self.dir}\n" + more)

    def run(self, *words, given="", env=None):
        e = dict(env or (self.daemon.env() if self.daemon else os.environ), CARDSPOOL_CONF=self.conf, LC_ALL="C.UTF-8")
        r = subprocess.run([f"{BUILD}/cardspool", *words], input=given.encode(), capture_output=True, env=e, timeout=60)
        self.said += r.stdout + r.stderr
        return r.returncode, (r.stdout + r.stderr).decode()

    def start(self):
        self.emulator = subprocess.Popen(
            [f"{BUILD}/tests/emulator-slot", "sle4442=" + self.slots[0], "psam=" + self.slots[1]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.emulator.stdout.readline() == "ready\n"
        self.daemon = PrivatePcscd(BUILD, [(READER, self.slots[0]), (PSAM_READER, self.slots[1])]).__enter__()
        time.sleep(1)

    def say(self, line):
        self.emulator.stdin.write(line + "\n")
        self.emulator.stdin.flush()
        return self.emulator.stdout.readline().strip()

    def card(self):
        counter, code, guard, memory = self.say("sle4442 dump").split()[1:]
        return int(counter, 16), bytes.fromhex(code), int(guard, 16), bytes.fromhex(memory)

    def end(self):
        if self.daemon:
            self.daemon.__exit__()
            self.emulator.stdin.close()
            self.emulator.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def roster(lab, n=1):
    """Records of the trial roster that need no photo."""
    with open(os.path.join(SRC, "tests/data/roster.csv"), encoding="utf-8-sig", newline="") as f:
        rows = list(csv.reader(f))
    out = io.StringIO()
    csv.writer(out).writerows(rows[:1 + n])
    with open(lab.path("one.csv"), "w", encoding="utf-8") as f:
        f.write(out.getvalue())
    return dict(zip(rows[0], rows[1]))


def keys_entered(lab):
    status, told = lab.run("key", "part", "--first", given="\n".join(FIRST) + "\n")
    check("the first part is taken, its check values shown", status == 0 and "53e107" in told and "485f5c" in told, told)
    check("the part waits for its owner only", os.stat(lab.keys + ".part").st_mode & 0o7777 == 0o600)
    status, told = lab.run("key", "part", "--second", given=f"{SECOND[0][:30]}\n{SECOND[1]}\n")
    check("a short second part is refused", status == 65 and not os.path.exists(lab.keys), told)
    status, told = lab.run("key", "part", "--second", given="\n".join(FIRST) + "\n")
    check("the same part twice is refused", status == 64 and not os.path.exists(lab.keys), told)
    status, told = lab.run("key", "part", "--second", given="\n".join(SECOND) + "\n")
    access, mac = xor(FIRST[0], SECOND[0]), xor(FIRST[1], SECOND[1])
    good = cmac(access, bytes(16))[:3].hex() in told and cmac(mac, bytes(16))[:3].hex() in told
    check("both parts make the keys that openssl computes", status == 0 and good, told)
    check("the waiting part is gone", not os.path.exists(lab.keys + ".part"))
    status, told = lab.run("key", "part", "--first", "--second")
    check("one part at a time", status == 64, told)
    status, told = lab.run("key", "part", "0123456789abcdef" * 2, given="")
    check("no part among the words of a call", status != 0, told)
    return access, mac


def terminal_quiet(lab):
    """At a terminal the digits do not come back."""
    master, slave = pty.openpty()
    p = subprocess.Popen([f"{BUILD}/cardspool", "key", "part", "--first", lab.path("tty")], stdin=slave, stdout=slave,
                         stderr=slave, env=dict(os.environ, CARDSPOOL_CONF=lab.conf, LC_ALL="C.UTF-8"))
    os.close(slave)
    seen = b""
    for i, line in enumerate(SECOND):
        while seen.count(b"key:") <= i:
            seen += os.read(master, 1024)
        os.write(master, line.encode() + b"\n")
    try:
        while True:
            seen += os.read(master, 1024)
    except OSError:
        pass  # the terminal is closed
    status = p.wait()
    os.close(master)
    lab.said += seen
    check("at a terminal the digits are not shown", status == 0 and b"check value" in seen
          and SECOND[0][:8].encode() not in seen, seen)


def terminal_kept(lab):
    """Somebody breaks off: the terminal shows again what is typed, and nothing is kept."""
    for number in signal.SIGINT, signal.SIGTERM:
        master, slave = pty.openpty()
        p = subprocess.Popen([f"{BUILD}/cardspool", "key", "part", "--first", lab.path("off")], stdin=slave, stdout=slave,
                             stderr=slave, env=dict(os.environ, CARDSPOOL_CONF=lab.conf, LC_ALL="C.UTF-8"))
        seen = b""
        while b"key:" not in seen:
            seen += os.read(master, 1024)
        quiet = not termios.tcgetattr(slave)[3] & termios.ECHO
        p.send_signal(number)
        status = p.wait(30)
        shows = bool(termios.tcgetattr(slave)[3] & termios.ECHO)
        check(f"{number.name}: the terminal shows again what is typed", quiet and shows and status == 65
              and not os.path.exists(lab.path("off.part")), (quiet, shows, status))
        os.close(slave)
        os.close(master)


def torn(lab):
    station = ["--station", "sle4442:" + READER]
    words = ["chip", "personalise", *station, "--template", "special-operation", lab.path("one.csv")]
    lab.say("sle4442 fresh")
    lab.run("chip", "init", *station)
    lab.say("sle4442 tear 80")
    status, told = lab.run(*words)
    check("pulled out while it is written: an error", status == 69 and told.count("\n") == 1, told)
    time.sleep(0.7)  # the reader service looks for cards now and then
    lab.say("sle4442 back")
    time.sleep(0.7)
    status, told = lab.run("chip", "init", *station)
    check("a half written card is not blank", status == 69 and "half written" in told, told)
    status, told = lab.run(*words)
    check("the same command finishes it", status == 0 and lab.card()[3][32] == 0x8E and lab.card()[0] == 7, told)


def sealed_kept(lab):
    with open(lab.keys) as f:
        text = f.read()
    os.rename(lab.path("secret"), lab.path("aside"))
    status, told = lab.run("key", "show")
    check("without the machine's secret the file does not open", status == 66 and "secret" in told, told)
    os.rename(lab.path("aside"), lab.path("secret"))
    at = text.index("sealed ", 20) + 9
    with open(lab.keys, "w") as f:
        f.write(text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1:])
    status, told = lab.run("key", "show")
    check("a changed digit is found", status == 65 and "does not open" in told, told)
    with open(lab.keys, "w") as f:
        f.write(text)
    os.chmod(lab.keys, 0o640)
    status, told = lab.run("key", "show")
    check("a file that others can read is refused", status == 77, told)
    os.chmod(lab.keys, 0o600)


def memory_card(lab, access, mac):
    station = ["--station", "sle4442:" + READER]
    status, told = lab.run("chip", "personalise", *station, "--template", "special-operation", lab.path("one.csv"))
    check("a card that was not initialised is not personalised", status == 69 and "chip init" in told, told)
    status, told = lab.run("chip", "init", *station)
    counter, code, guard, memory = lab.card()
    serial = memory[12:20]
    check("a fresh card is initialised", status == 0 and memory[8:12] == b"CSL1" and counter == 7, told)
    check("its code is the one openssl computes", code == logic_code(access, serial), code.hex())
    check("nothing is burnt without --burn", guard & 0x1FFF00 == 0x1FFF00, hex(guard))
    status, told = lab.run("chip", "init", *station, "--burn")
    check("--burn protects mark, serial and version, last", status == 0 and lab.card()[2] & 0x1FFF00 == 0, told)
    person = roster(lab)
    status, told = lab.run("chip", "personalise", *station, "--template", "special-operation", lab.path("one.csv"))
    counter, code, guard, memory = lab.card()
    check("a record is written", status == 0 and memory[32] == 0x8E, told)
    check("its MAC is the one openssl computes", memory[33:41] == logic_mac(mac, serial, 1, memory[48:]), memory[33:41].hex())
    check("number and name stand there in GBK", memory[48:68].decode("gbk").rstrip() == person["证号"]
          and memory[68:94].decode("gbk").rstrip() == person["姓名"])
    status, told = lab.run("chip", "personalise", *station, "--template", "special-operation", lab.path("one.csv"))
    check("a card that belongs to somebody is refused", status == 69 and "void" in told, told)
    status, told = lab.run("chip", "void", *station)
    check("a void card holds nothing", status == 0 and not any(lab.card()[3][33:]), told)
    check("the counter is full at the end", lab.card()[0] == 7)


def rotation(lab):
    station = ["--station", "sle4442:" + READER]
    lab.say("sle4442 fresh")
    status, told = lab.run("chip", "init", *station)
    check("a card of version 1", status == 0 and lab.card()[3][20] == 1, told)
    status, told = lab.run("key", "rotate")
    check("rotation adds a version", status == 0 and "version 2, makes new cards" in told
          and "version 1, opens older cards" in told, told)
    status, told = lab.run("chip", "void", *station)
    check("the older version still opens its card", status == 0, told)
    lab.say("sle4442 fresh")
    status, told = lab.run("chip", "init", *station)
    check("new cards carry the new version", status == 0 and lab.card()[3][20] == 2, told)
    for words, want in ((["--version", "2"], 64), (["--version", "9"], 66), (["--version", "1x"], 66), ([], 64)):
        before = open(lab.keys, "rb").read()
        status, told = lab.run("key", "retire", *words)
        check(f"key retire {' '.join(words)}: one line, nothing changed", status == want and told.count("\n") == 1
              and open(lab.keys, "rb").read() == before, told)
    shutil.copy(lab.keys, lab.path("both"))
    lab.say("sle4442 fresh")
    lab.run("chip", "init", *station)
    lab.run("key", "rotate")
    status, told = lab.run("key", "retire", "--version", "2")
    check("an old version is taken away", status == 0 and "version 2, opens" not in told and "version 3, makes" in told
          and "version 1, opens" in told, told)
    status, told = lab.run("chip", "void", *station)
    check("its cards open no more, and cost no attempt", status == 69 and told.count("\n") == 1
          and lab.card()[0] == 7, told)
    os.replace(lab.path("both"), lab.keys)
    for _ in range(6):
        lab.run("key", "rotate")
    status, told = lab.run("key", "rotate")
    check("eight versions are enough; the way out is named", status == 64 and "key retire" in told, told)
    for version in range(3, 8):
        lab.run("key", "retire", "--version", str(version))


def refusals(lab):
    station = ["--station", "sle4442:" + READER]
    for counter, word in ((6, "aside"), (4, "aside"), (0, "locked for ever")):
        lab.say("sle4442 fresh")
        lab.say(f"sle4442 counter {counter}")
        status, told = lab.run("chip", "init", *station)
        check(f"error counter {counter}: no code is presented", status == 69 and word in told
              and lab.card()[0] == counter, told)
    lab.say("sle4442 fresh")
    lab.say("sle4442 code 123456")
    status, told = lab.run("chip", "init", *station)
    check("another transport code costs one attempt", status == 69 and lab.card()[0] == 6, told)
    lab.say("sle4442 counter 7")
    status, told = lab.run("chip", "init", *station, "--code", given="123456\n")
    check("a batch's own transport code comes from standard input", status == 0 and lab.card()[0] == 7, told)
    status, told = lab.run("chip", "init", "--station", "sle4442:" + PSAM_READER)
    check("an unknown reader is refused, not guessed at", status == 69 and "not known" in told, told)
    lab.say("sle4442 remove")
    time.sleep(0.7)
    status, told = lab.run("chip", "init", *station)
    check("no card: said in one line", status == 69 and told.count("\n") == 1, told)
    lab.say("sle4442 insert")
    lab.say("sle4442 fresh")
    lab.say("sle4442 byte 70 41")
    time.sleep(0.7)
    status, told = lab.run("chip", "init", *station)
    check("a card with data of another use is refused before an attempt", status == 69 and "not blank" in told
          and lab.card()[0] == 7, told)
    os.rename(lab.keys, lab.path("away"))
    status, told = lab.run("chip", "init", *station)
    check("no key file: nothing is presented", status == 66 and lab.card()[0] == 7, told)
    os.rename(lab.path("away"), lab.keys)


def mifare(lab, image, *words, link="pn532", uid="04a1b2c3", image_in=None):
    env = dict(os.environ, CARDSPOOL_CONF=lab.conf, LC_ALL="C.UTF-8")
    env.update(PCSCLITE_CSOCK_NAME=lab.daemon.socket)
    option = ["--load", image_in] if image_in else []
    r = subprocess.run([f"{BUILD}/tests/emulator-pn532", "--uid", uid, "--image", image, *option, lab.path(link),
                        f"{BUILD}/cardspool", *words], capture_output=True, env=env, timeout=60)
    lab.said += r.stdout + r.stderr
    return r.returncode, (r.stdout + r.stderr).decode()


def mifare_life(lab, access):
    """MF1: blank, initialised, issued, void; each on the image that the step before left."""
    station = ["--station", "nfc:pn532_uart:" + lab.path("pn532") + ":115200"]
    issue = ["chip", "personalise", *station, "--template", "special-operation", lab.path("one.csv")]
    a, b, uid = lab.path("a.img"), lab.path("b.img"), bytes.fromhex("04a1b2c3")

    def block(path, n):
        with open(path, "rb") as f:
            return f.read()[16 * n:16 * n + 16]

    status, told = mifare(lab, a, "chip", "init", *station, "--burn")
    check("an MF1 chip has nothing to burn", status == 64 and block(a, 7)[:6] == b"\xff" * 6, told)
    status, told = mifare(lab, a, "chip", "init", *station)
    key_a = cmac(access, b"\x01" + uid + b"\x07\x0aCARDSPOOL-MF1")[:6]
    check("init gives each sector the key that openssl computes", status == 0 and block(a, 31)[:6] == key_a, told)
    status, told = mifare(lab, b, "chip", "init", *station, image_in=a)
    check("an initialised chip is not blank", status == 69, told)
    status, told = mifare(lab, b, *issue, image_in=a)
    check("an initialised chip is personalised", status == 0 and any(block(b, 1)) and any(block(b, 4)), told)
    status, told = mifare(lab, a, *issue)
    check("a blank twin of an issued chip is refused", status == 69 and uid.hex() in told, told)
    ledger = [(path, path + ".aside") for path in glob.glob(lab.path("ledger.db*"))]
    for path, aside in ledger:  # an office that never saw it
        os.rename(path, aside)
    status, told = mifare(lab, a, *issue)
    for path in glob.glob(lab.path("ledger.db*")):
        if not path.endswith(".aside"):
            os.unlink(path)
    for path, aside in ledger:
        os.rename(aside, path)
    with open(a, "rb") as f, open(b, "rb") as g:
        check("byte-equal to a blank one personalised at once", status == 0 and f.read() == g.read(), told)
    status, told = mifare(lab, a, "chip", "void", *station, image_in=b)
    check("void clears every data block and the MAC", status == 0
          and not any(any(block(a, n)) for n in range(1, 64) if n % 4 != 3), told)
    status, told = mifare(lab, b, "chip", "verify", *station, "--template", "special-operation", image_in=a)
    check("a void chip is not genuine", status in (13, 14), (status, told))
    status, told = mifare(lab, b, "chip", "void", *station)
    check("a blank chip: nothing to void", status == 66, told)
    status, told = mifare(lab, b, *issue, "--burn")
    check("an option of another verb is refused", status == 64, told)
    roster(lab, 2)
    status, told = mifare(lab, b, *issue)
    check("a roster of two is refused before the chip", status == 65 and block(b, 7)[:6] == b"\xff" * 6, told)
    roster(lab)


def module(lab):
    conf = (f"[keys]\nkeys=psam\nmac=psam\npsam-reader={PSAM_READER}\npsam-application=a000000003435301\n")
    station = ["--station", "nfc:pn532_uart:" + lab.path("pn532") + ":115200"]
    words = ["chip", "personalise", *station, "--template", "special-operation", lab.path("one.csv")]
    image = lab.path("psam.img")
    blank = lab.path("blank.img")
    os.rename(lab.keys, lab.path("away"))  # the module alone
    mifare(lab, blank, "key", "show")
    lab.configure(conf)
    for name, fault in (("refuses the application", "psam refuse 1 6a82"), ("refuses to diversify", "psam refuse 2 6982"),
                        ("refuses the MAC", "psam refuse 7 6985"), ("is pulled out in the middle", "psam leave 4"),
                        ("has another key version", "psam versions 7 8")):
        lab.say(fault)
        status, told = mifare(lab, image, *words)
        with open(image, "rb") as a, open(blank, "rb") as b:
            same = a.read() == b.read()
        check(f"module {name}: one line, nothing written", status == 69 and "PSAM" in told and told.count("\n") == 1
              and same, told)
        lab.say("psam back")
        time.sleep(0.7)
    lab.say("psam remove")
    time.sleep(0.7)
    status, told = mifare(lab, image, *words)
    check("no module: one line", status == 69 and "PSAM" in told and told.count("\n") == 1, told)
    lab.say("psam insert")
    lab.say("psam unplug")
    time.sleep(0.7)
    status, told = mifare(lab, image, *words)
    check("module's reader unplugged: one line", status == 69 and "PSAM" in told and told.count("\n") == 1, told)
    lab.say("psam plug")
    time.sleep(0.7)
    status, told = mifare(lab, image, *words)
    with open(image, "rb") as f:
        memory = f.read()
    check("a card with the module's keys", status == 0, told)
    check("key A of sectors 0 and 15 are the openssl vectors of test-psam",
          memory[48:54].hex() == "37770734bb61" and memory[63 * 16:63 * 16 + 6].hex() == "28cd560fa8c7", memory[48:54].hex())
    lab.configure(conf.replace("Identiv", "Nobody's"))
    status, told = mifare(lab, image, *words)
    check("a reader that is not there: one line", status == 69 and "psam-reader" in told, told)
    lab.configure("[keys]\nkeys=card\n")
    status, told = mifare(lab, image, *words)
    check("a setting that means nothing", status == 65 and "file or psam" in told, told)
    lab.configure()
    os.rename(lab.path("away"), lab.keys)


def main():
    lab = Lab()
    secrets = [bytes.fromhex(h) for h in FIRST + SECOND]
    secrets += [xor(FIRST[0], SECOND[0]), xor(FIRST[1], SECOND[1])]
    watch = Watch(secrets)
    watch.start()
    try:
        access, mac = keys_entered(lab)
        terminal_quiet(lab)
        terminal_kept(lab)
        sealed_kept(lab)
        lab.start()
        roster(lab)
        memory_card(lab, access, mac)
        torn(lab)
        mifare_life(lab, access)
        rotation(lab)
        refusals(lab)
        module(lab)
        watch.over = True
        watch.join()
        check(f"no key in any command line or environment ({watch.looks} looks)", not watch.found and watch.looks > 100,
              watch.found)
        check("no key in any file of the run, the ledger and the sealed files among them", not watch.files(lab.dir),
              watch.files(lab.dir))
        check("no key in anything that was printed", not any(w in lab.said for w in watch.words))
        with open(lab.daemon.log.name, "rb") as f:
            text = f.read()
        check("no key in the reader service's log", not any(w in text for w in watch.words))
        cores = glob.glob(lab.dir + "/core*") + glob.glob("core*")
        check("no core dump", not cores, cores)
    finally:
        lab.end()
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
