#!/usr/bin/env python3
"""The release code of the chip station under a real pcscd, against emulated PC/SC readers.

A private pcscd with the emulator's reader handler; the readers have the names of models that printers
are fitted with, and differ as these do. A finished chip is byte-equal to what the data sheet's layout
gives, and to the one that libnfc wrote; what cannot be done is refused with its reason.

SPDX-License-Identifier: GPL-3.0-or-later
"""
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ.get("srcdir", "."), "tests"))
from privatepcscd import PrivatePcscd  # noqa: E402

BUILD = os.path.abspath(os.environ.get("builddir", "."))
EMULATOR = os.path.join(BUILD, "tests", "emulator-pn532")
ENCODE = os.path.join(BUILD, "tests", "station-encode")
READERS = [
    "HID Global OMNIKEY 5022 Smart Card Reader",
    "OMNIKEY AG CardMan 5121",
    "SpringCard H663 Contactless",
    "Elyctis CL reader",
    "Identiv uTrust 4701 F Contactless Reader",
    "ACS ACR122U PICC Interface",
]
TRAILERLESS = "Identiv CLOUD 4700 F Contactless Reader"
UNKNOWN = "Nobody's Chip Reader"

failed = 0


def check(good, what, said=""):
    global failed
    print(("ok   " if good else "FAIL ") + what + ("" if good else f": {said!r}"), flush=True)
    failed += not good


class Rig:
    """Readers 0..n-1 of one pcscd; the emulator of a reader runs while a deed is done."""

    def __init__(self, folder, names):
        self.folder, self.names = folder, names
        self.sockets = [os.path.join(folder, f"reader{i}.sock") for i in range(len(names))]

    def run(self, i, verb, *options, address=None, imitate=None, env=None):
        address = address or "pcsc:" + self.names[i]
        command = [EMULATOR, "--reader", imitate or self.names[i], *options, self.sockets[i],
                   ENCODE, address, verb]
        return subprocess.run(command, env=env or self.daemon.env(), capture_output=True, text=True,
                              timeout=60).stdout.strip()

    def chip(self, name="chip"):
        with open(os.path.join(self.folder, name), "rb") as f:
            return f.read()


def expected(folder, uid):
    path = os.path.join(folder, "expected")
    subprocess.run([ENCODE, "expect", uid, path], check=True)
    with open(path, "rb") as f:
        return f.read()


def check_models(rig, image):
    """Every model of reader, both lengths of UID: the same bytes as libnfc's."""
    for uid in "04A1B2C3", "04A1B2C3D4E5F6":
        want = expected(rig.folder, uid)
        port = os.path.join(rig.folder, "port")
        subprocess.run([EMULATOR, "--uid", uid, "--image", image + ".nfc", port, ENCODE,
                        f"nfc:pn532_uart:{port}:115200", "encode"], check=True, stdout=subprocess.DEVNULL)
        nfc = rig.chip("chip.nfc")
        for i, name in enumerate(READERS):
            said = rig.run(i, "encode", "--uid", uid, "--image", image)
            chip = rig.chip()
            check(said.startswith("ok proved 1") and chip[16:] == want[16:] and chip == nfc,
                  f"{name}: {len(uid) // 2}-byte UID, byte-equal with libnfc's", said)
        said = rig.run(0, "verify", "--uid", uid, "--load", image)
        check(said == "ok same", f"verify, {len(uid) // 2}-byte UID", said)
        said = rig.run(3, "encode", "--uid", uid, "--load", image)
        check(said.startswith("chip-used"), f"a finished chip encoded again, {len(uid) // 2}-byte UID", said)
        said = rig.run(3, "resume", "--uid", uid, "--load", image)
        check(said == "ok proved 1 written 0 trailers 0", "a finished chip resumed", said)


def check_cards(rig):
    """What must not be written on."""
    for i in 0, 3:
        name = rig.names[i]
        for kind in "classic-4k", "classic-mini", "ntag213", "desfire":
            said = rig.run(i, "encode", "--kind", kind)
            check(said.startswith("chip-type"), f"{name}: {kind}", said)
        said = rig.run(i, "encode", "--kind", "classic-1k-infineon")
        check(said.startswith("ok proved 1"), f"{name}: the first maker's 1K", said)
        said = rig.run(i, "encode", "--uid", "04A1B2C3D4E5F6", "--kind", "classic-ev1")
        check(said.startswith("ok proved 1"), f"{name}: a 1K EV1 with 7 bytes", said)
        image = os.path.join(rig.folder, "random")
        said = rig.run(i, "encode", "--kind", "classic-ev1-random", "--image", image)
        blank = all(not any(rig.chip("random")[16 * b:16 * b + 16]) for b in range(1, 64) if b % 4 != 3)
        check(said.startswith("chip-removed") and blank, f"{name}: an EV1 with a random number: nothing is written", said)
        said = rig.run(i, "encode", "--used", "a0a1a2a3a4a5")
        check(said.startswith("chip-used"), f"{name}: a chip with other keys", said)
        said = rig.run(i, "encode", "--empty")
        check(said.startswith("no-chip"), f"{name}: an empty station", said)


def check_faults(rig):
    for n in 1, 40, 90, 200:
        said = rig.run(0, "encode", "--control", f"mute-at {n}")
        check(said.startswith("ok proved 1"), f"answer {n} lost", said)
    said = rig.run(0, "encode", "--control", "unplug-at 60")
    check(said.startswith("reader-gone"), "reader unplugged in the middle", said)
    said = rig.run(0, "encode", "--control", "unplug")
    check(said.startswith("reader-gone"), "reader unplugged before", said)


def check_refusals(rig):
    trailerless, unknown = len(READERS), len(READERS) + 1
    said = rig.run(trailerless, "encode")
    check("refuses to set the keys" in said, "a reader that refuses trailers: never good", said)
    said = rig.run(trailerless, "twice")
    check("refuses to set the keys" in said, "the same reader serves no second card", said)
    said = rig.run(unknown, "select", imitate=READERS[0])
    check("not one that is known" in said and "dialect=part3" in said, "an unknown reader is refused", said)
    said = rig.run(unknown, "encode", imitate=READERS[3], address=f"pcsc:{UNKNOWN};dialect=part3")
    check(said.startswith("ok proved 1"), "an unknown reader with its dialect named", said)
    said = rig.run(unknown, "select", imitate=READERS[3], address=f"pcsc:{UNKNOWN};dialect=klingon")
    check("no such way" in said, "a dialect that does not exist", said)
    said = rig.run(unknown, "encode", imitate=READERS[0], address=f"pcsc:{UNKNOWN};dialect=part3")
    check(said.startswith("reader-") and "6986" in said, "the wrong dialect writes nothing", said)
    said = rig.run(0, "select", address="pcsc:No Such Reader")
    check(said.startswith("reader-absent"), "no reader of that name", said)
    env = dict(os.environ, PCSCLITE_CSOCK_NAME=os.path.join(rig.folder, "nothing"))
    said = rig.run(0, "select", env=env)
    check(said.startswith("reader-absent") and "pcscd" in said, "no pcscd", said)


def check_twins(rig):
    """Two readers of one name: the numbers behind tell them apart, the name alone is refused."""
    a, b = len(READERS) + 2, len(READERS) + 3
    name = rig.names[a]
    said = rig.run(a, "select", imitate=READERS[5])
    check("Two chip readers" in said and said.count(f'"{name} ') == 2, "two readers with one name", said)
    listed = subprocess.run([ENCODE, "list"], env=rig.daemon.env(), capture_output=True, text=True).stdout
    full = [line for line in listed.splitlines() if line.startswith(name)]
    check(len(full) == 2, "both are listed", listed)
    good = {line: [i for i in (a, b) if rig.run(i, "encode", address="pcsc:" + line, imitate=READERS[5])
                   .startswith("ok proved 1")] for line in full}
    check(sorted(good.values()) == [[a], [b]], "each by its full name, and only that one", good)
    said = rig.run(b + 1, "encode", address="pcsc:serial=S42", imitate=READERS[5])
    check(said.startswith("ok proved 1"), "a reader by the serial number in its name", said)
    said = rig.run(b + 1, "select", address="pcsc:serial=S4", imitate=READERS[5])
    check(said.startswith("reader-absent"), "part of a serial number is not enough", said)


def check_commands(rig):
    """What an administrator sees: cardspool station list and check."""
    cardspool = [os.path.join(BUILD, "cardspool"), "station"]
    environment = rig.daemon.env(CARDSPOOL_CONF=os.path.join(rig.folder, "cardspool.conf"), LC_ALL="C.UTF-8")
    with open(environment["CARDSPOOL_CONF"], "w") as f:
        f.write(f"[station]\ndefault=pcsc:{rig.names[0]}\n[cards]\nchip-wait-ms=1500\n")

    def station(*words, before=()):
        command = [EMULATOR, "--reader", rig.names[0], *before, rig.sockets[0], *cardspool, *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout + done.stderr

    status, said = station("list")
    check(status == 0 and all(f"pcsc:{name}" in said for name in rig.names) and "\tomnikey" in said
          and f"pcsc:{UNKNOWN}" in said and "not known" in said, "station list", said)
    time.sleep(0.5)
    status, said = station("check")
    check(status == 0 and "4 bytes" in said, "station check finds the chip", (status, said))
    status, said = station("check", before=["--empty"])
    check(status == 0 and "no chip" in said, "station check at an empty reader", (status, said))
    status, said = station("check", "pcsc:" + UNKNOWN)
    check(status != 0 and said.count("\n") == 1 and "dialect=part3" in said, "station check of an unknown reader",
          (status, said))


def check_conflicts(rig):
    """Somebody else at the reader."""
    holder = [EMULATOR, "--reader", rig.names[0], rig.sockets[0], "sh", "-c",
              '"$1" "$2" hold & sleep 1.5; "$1" "$2;dialect=omnikey" select; kill $!', "sh", ENCODE, "pcsc:" + rig.names[0]]
    said = subprocess.run(holder, env=rig.daemon.env(), capture_output=True, text=True, timeout=30).stdout
    check("in use by another program" in said, "another program holds the card", said)
    holder[6] = '"$1" "$2" hold & sleep 1.5; "$1" "$2" select; kill $!'
    said = subprocess.run(holder, env=rig.daemon.env(), capture_output=True, text=True, timeout=30).stdout
    check("is in use; wait" in said, "another job holds the station", said)


def main():
    with tempfile.TemporaryDirectory(prefix="cs-pcsc.") as folder:
        os.chmod(folder, 0o755)
        names = READERS + [TRAILERLESS, UNKNOWN, "ACS ACR122U Twin", "ACS ACR122U Twin", "ACS ACR122U (S42)"]
        rig = Rig(folder, names)
        started = time.monotonic()
        with PrivatePcscd(BUILD, list(zip(names, rig.sockets))) as rig.daemon:
            check_models(rig, os.path.join(folder, "chip"))
            check_cards(rig)
            check_faults(rig)
            check_refusals(rig)
            check_twins(rig)
            check_commands(rig)
            check_conflicts(rig)
        print(f"{time.monotonic() - started:.0f} s")
    sys.exit(1 if failed else 0)


main()
