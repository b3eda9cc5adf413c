#!/usr/bin/env python3
"""check-topology.py - which PC/SC reader is in which printer, by the USB plugs alone.

Five emulated printers on one emulated bus: two with a hub and a reader of their own, as machines are built, two whose
readers share a hub, one on the computer's own port. All readers have one name. Real libusb reads the bus, a real pcscd
asks the readers where they are (SCARD_ATTR_CHANNEL_ID), a real cupsd prints; that the right reader was chosen is proved by
a card that the printer moves and the reader sees.

SPDX-License-Identifier: GPL-3.0-or-later
"""
import csv
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import insidecups  # noqa: E402
import privatecups  # noqa: E402
from privatepcscd import PrivatePcscd  # noqa: E402

BUILD = os.path.abspath(os.environ.get("builddir", "."))
NAME, MEMORY = "ACS ACR122U PICC Interface", "ACS ACR39U ICC Reader"
PLACES = {"A1": ("1-2.3", "1-2.4"), "B2": ("1-3.1", "1-3.2"), "C3": ("1-4.1", "1-4.2"), "D4": ("1-4.3", "1-4.4"),
          "E5": ("1-7", "1-8")}
HOLD = """
import ctypes, sys
pcsc, context, card, protocol = ctypes.CDLL("libpcsclite.so.1"), ctypes.c_long(), ctypes.c_long(), ctypes.c_ulong()
pcsc.SCardEstablishContext(ctypes.c_ulong(2), None, None, ctypes.byref(context))
said = pcsc.SCardConnect(context, sys.argv[1].encode(), ctypes.c_ulong(1), ctypes.c_ulong(3), ctypes.byref(card),
                         ctypes.byref(protocol))
print("held" if said == 0 else hex(said), flush=True)
sys.stdin.read()
"""
failed = 0


def check(what, good, why=""):
    global failed
    print(f"{'ok' if good else 'not ok'} - {what}" + ("" if good else f": {why}"), flush=True)
    failed += not good


class Office(insidecups.InsideCups):
    def __init__(self):
        self.daemon = None
        super().__init__(BUILD, config_extra=f"[paths]\nppds={BUILD}/ppd\n[cards]\nchip-wait-ms=1000\n")
        sockets = {serial: self.path(f"emu/{serial}.sock") for serial in PLACES}
        self.memory = self.path("emu/memory.sock")
        self.daemon = PrivatePcscd(BUILD, [*((NAME, path) for path in sockets.values()), (MEMORY, self.memory)])
        for serial, (port, reader) in PLACES.items():
            self.emulator_args += ["--printer", f"dualys3:serial={serial},port={port},reader-port={reader},hopper=40,"
                                   f"output=40,reject=40,ribbon=ymckok:90,station=pcsc:{sockets[serial]}:{NAME}"]
        with open(self.path("etc/cups-files.conf"), "a", encoding="utf-8") as f:
            f.write("PassEnv PCSCLITE_CSOCK_NAME\n")
        self.pair_by(None)

    def pair_by(self, default):
        with open(self.path("cardspool.conf"), encoding="utf-8") as f:
            lines = [line for line in f if not line.startswith("default")]
        with open(self.path("cardspool.conf"), "w", encoding="utf-8") as f:
            for line in lines:
                f.write(line)
                if default and line == "[station]\n":
                    f.write(f"default={default}\n")

    def conf(self):
        with open(self.path("cardspool.conf"), encoding="utf-8") as f:
            return f.read().replace(" ", "")

    def environment(self):
        env = super().environment()
        if self.daemon:
            env["PCSCLITE_CSOCK_NAME"] = self.daemon.socket
        return env

    def card(self, *words):
        return self.within(f"{BUILD}/cardspool", *words)


def refused(office, what, status, words, *parts):
    code, out, err = office.card(*words)
    check(what, code == status and err.count("\n") == 1 and all(part in err for part in parts), (code, out, err))


def check_addresses(o):
    listed = o.card("station", "list")[1]
    check("station list says where each reader is", all(f"USB {reader}\n" in listed for _, reader in PLACES.values()),
          listed)
    for address in "usb=1-2.4", "usb=1-2.*", f"{NAME};usb=1-2.4", "usb=1-2.4;dialect=acs", "dialect", f"{NAME};usb=1-8":
        if address == "dialect":
            address = f"{NAME};dialect=acs;usb=1-3.*"
        code, out, err = o.card("station", "check", f"pcsc:{address}")
        check(f"pcsc:{address} is one reader", code == 0 and "answers" in out, (code, out, err))
    refused(o, "readers of one name stay refused, and the place is offered", 64, ("station", "check", f"pcsc:{NAME}"),
            "Two chip readers", "usb=PLUG")
    refused(o, "two on one hub are named", 64, ("station", "check", "pcsc:usb=1-4.*"), "Two chip readers", "1-4.*",
            f"{NAME} 0")
    for address in "usb=1-2", "usb=1-2.5", "usb=1-9.*", "Omnikey;usb=1-2.4", "usb=1-*", "usb=2-4":
        refused(o, f"pcsc:{address} is no reader", 69, ("station", "check", f"pcsc:{address}"),
                address.rpartition("=")[2], "station list")
    refused(o, "at a desk there is no printer to be beside", 64, ("station", "check", "pcsc:usb="), "usb=1-2.4")
    refused(o, "a dialect that does not exist", 64, ("station", "check", "pcsc:usb=1-2.4;dialect=klingon"), "klingon")


def check_contacts(o):
    """A reader of memory cards, which shares a device with a contactless one: two slots, one plug."""
    devnum = o.within("cat", "/sys/bus/usb/devices/1-8/devnum")[1].strip()
    slot = subprocess.Popen([f"{BUILD}/tests/emulator-slot", f"sle4442={o.memory}"], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)
    try:
        slot.stdin.write(f"sle4442 place 1 {devnum}\n")
        slot.stdin.flush()
        said = slot.stdout.readline() and slot.stdout.readline()
        check("a reader with contacts is put into the same plug", said == "ok\n", said)
        refused(o, "two slots of one plug are named", 64, ("station", "check", "pcsc:usb=1-8"), NAME, MEMORY)
        refused(o, "its place alone is not enough", 69, ("chip", "init", "--station", f"sle4442:{MEMORY};usb=1-2.4"), "1-2.4")
        end = time.monotonic() + 5
        while time.monotonic() < end:
            code, out, err = o.card("chip", "init", "--station", f"sle4442:{MEMORY};usb=1-8")
            if code != 69:
                break
            time.sleep(0.2)
        check("a memory card at a reader by name and place", code == 0 and "initialised" in out, (code, out, err))
        full = next(line.split("\t")[0][5:] for line in o.card("station", "list")[1].splitlines() if MEMORY in line)
        with subprocess.Popen([sys.executable, "-c", HOLD, full], env=o.environment(), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as holder:
            held = holder.stdout.readline()
            refused(o, f"a reader that another program has alone cannot say where it is ({held.strip()})", 75,
                    ("chip", "init", "--station", f"sle4442:{MEMORY};usb=1-8"), "in use by another program")
            code, out, err = o.card("station", "check", "pcsc:usb=1-8")
            check("what fits beside it is taken", code == 0 and "answers" in out, (code, out, err))
            holder.stdin.close()
    finally:
        slot.stdin.close()
        slot.wait()


def check_pairing(o):
    """What `printer add` finds by itself is proved with a card."""
    for serial in "A1", "B2":
        out = o.card("printer", "add", f"q{serial}", "--serial", serial)
        check(f"{serial}: the reader on its hub is taken", out[0] == 0 and f"{serial}=pcsc:usb=\n" in o.conf(), (out, o.conf()))
        out = o.card("printer", "pair", f"q{serial}")
        check(f"{serial}: and it is in it: it sees the card come and go", out[0] == 0 and "Proved" in out[1], out)
    for serial in "C3", "D4", "E5":
        out = o.card("printer", "add", f"q{serial}", "--serial", serial)
        check(f"{serial}: {'two readers on the hub' if serial != 'E5' else 'no hub of its own'}: none is taken",
              out[0] == 0 and f"{serial}=" not in o.conf(), (out, o.conf()))
    refused(o, "two on the printer's hub are refused", 64, ("printer", "add", "qC3", "--serial", "C3", "--station",
                                                           "pcsc:usb="), "Two chip readers", "1-4.*")
    refused(o, "a printer on no hub is told so", 64, ("printer", "add", "qE5", "--serial", "E5", "--station", "pcsc:usb="),
            "1-7", "no hub")
    out = o.card("printer", "add", "qC3", "--serial", "C3", "--station", "pcsc:usb=1-4.2")
    check("C3: its reader by the plug", out[0] == 0 and "C3=pcsc:usb=1-4.2" in o.conf(), out)
    check("C3: proved", o.card("printer", "pair", "qC3")[0] == 0)
    out = o.card("printer", "add", "qD4", "--serial", "D4", "--station", f"pcsc:{NAME};usb=1-4.2")
    wrong = o.card("printer", "pair", "qD4")
    check("D4: with C3's reader it is found out", out[0] == 0 and wrong[0] == 69, (out, wrong))


def batch(o, work, order, first):
    with open(os.path.join(work, "roster.csv"), encoding="utf-8") as f:
        rows = list(csv.reader(f))
    roster, out = os.path.join(work, f"{order}.csv"), os.path.join(work, f"{order}.cards")
    with open(roster, "w", encoding="utf-8", newline="") as f:
        csv.writer(f).writerows([rows[0], *rows[first:first + 3]])
    o.cardspool("pack", roster, "--order", order, "-o", out)
    return out


def check_jobs(o, work):
    """Both printers at once, each with the reader that its hub gives it; then one pairing for all."""
    jobs = {}
    for i, serial in enumerate(("A1", "B2")):
        out = o.run("lp", "-d", f"q{serial}", "-o", "CardRibbon=ymckok", batch(o, work, f"O-{serial}", 1 + 3 * i)).stdout
        jobs[serial] = int(out.split("request id is ")[1].split()[0].rsplit("-", 1)[1])
    for serial, job in jobs.items():
        state = o.wait_job(job, 120)
        rows = o.cardspool_json("card", "list", "--job", str(job))["cards"]
        check(f"{serial}: three cards with chips, none rejected", state == "completed" and
              [(c["state"], bool(c["uid"])) for c in rows] == [("done", True)] * 3, (state, rows))
    stations = {j["printer_serial"]: j["station"] for j in o.cardspool_json("job", "list")["jobs"]}
    check("the ledger has the place", stations == {"A1": "pcsc:usb=1-2.*", "B2": "pcsc:usb=1-3.*"}, stations)
    o.card("printer", "add", "qB2", "--serial", "B2", "--no-station")
    o.pair_by("pcsc:usb=")
    out = o.card("printer", "pair", "qB2")
    check("one line for every printer: default = pcsc:usb=", out[0] == 0 and "1-3.*" in out[1], out)
    o.run("lp", "-d", "qE5", "-o", "CardRibbon=ymckok", batch(o, work, "O-E5", 7))
    o.queue, end = "qE5", time.monotonic() + 30
    while o.printer().get("printer-state") != "stopped" and time.monotonic() < end:
        time.sleep(0.1)
    said = o.printer()
    check("a printer on no hub stops with that line, nothing fed", said.get("printer-state") == "stopped" and
          "1-7" in said["printer-state-message"] and
          "E5" not in {c["printer_serial"] for c in o.cardspool_json("card", "list")["cards"]}, said)


def main():
    work = tempfile.mkdtemp(prefix="cs-topology.")
    subprocess.run([os.path.join(BUILD, "cardspool-sample"), work], check=True, stdout=subprocess.DEVNULL)
    office = Office()
    try:
        with office.daemon:
            office.make_keys()
            office.start()
            check_addresses(office)
            check_contacts(office)
            check_pairing(office)
            check_jobs(office, work)
            office.stop()
    except privatecups.Refused as refusal:
        print(refusal)
        sys.exit(privatecups.EXIT_REFUSED)
    finally:
        office.close()
        subprocess.run(["rm", "-rf", work], check=False)
    sys.exit(1 if failed else 0)


main()
