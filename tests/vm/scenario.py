# scenario.py - what happens inside the virtual machine: a real kernel's usbfs and usblp, a real udevd, a real serial port.
#
#   scenario.py --build BUILD --source SOURCE --batches FOLDER [--udev FOLDER]
#
# Runs as root in the guest of check-vm.py. The printer hangs on the emulated xHCI port (usbredir), its chip reader on
# /dev/ttyS1, the emulator's console on /dev/ttyS2; the emulator itself runs on the host. Prints "ok" and "not ok" lines and
# in between one line "ledger {...}" with the cards as the ledger knows them.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import argparse
import array
import fcntl
import glob
import json
import os
import shutil
import socket
import subprocess
import sys
import termios
import threading
import time

SERIAL = "D3-0001"  # as usb-probe expects it
CARDS = 2
LPIOC_GET_DEVICE_ID = 0x84005001 | 1023 << 16
started = time.monotonic()


def check(promise, good, why=""):
    print(("ok - " if good else "not ok - ") + promise + ("" if good else f": {why}"), flush=True)
    return good


def lap(what):
    print(f"# {time.monotonic() - started:5.1f} s: {what}", flush=True)


def run(*argv, **kw):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kw)


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    return condition()


class Console:
    """The emulator's console at the other end of a serial line; visitors of a Unix socket may use it as well."""

    def __init__(self, tty, path):
        self.lock = threading.Lock()
        self.fd = os.open(tty, os.O_RDWR | os.O_NOCTTY)
        raw = termios.tcgetattr(self.fd)
        raw[0] = raw[1] = raw[3] = 0
        raw[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
        raw[4] = raw[5] = termios.B115200
        termios.tcsetattr(self.fd, termios.TCSANOW, raw)
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(path)
        self.server.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def line(self, text):
        with self.lock:
            os.write(self.fd, text + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                answer += os.read(self.fd, 65536)
            return answer

    def visit(self, s):
        words = b""
        while True:
            piece = s.recv(4096)
            if not piece:
                return
            words += piece
            while b"\n" in words:
                text, words = words.split(b"\n", 1)
                s.sendall(self.line(text))

    def serve(self):
        while True:
            threading.Thread(target=self.visit, args=(self.server.accept()[0],), daemon=True).start()


def nodes_open():
    while True:
        for node in glob.glob("/dev/bus/usb/*/*"):
            try:
                os.chmod(node, 0o666)
            except FileNotFoundError:
                pass
        time.sleep(0.1)


def udev_start(folder, build):
    """Debian's udevd with the project's own rules; without its package the nodes are handed over by hand."""
    for top in os.listdir(folder) if folder else ():  # /lib may be a link
        run("cp", "-a", f"{folder}/{top}/.", f"/{top}/")
    daemon = next((d for d in ("/lib/systemd/systemd-udevd", "/usr/lib/systemd/systemd-udevd") if os.path.exists(d)), None)
    if not daemon:
        threading.Thread(target=nodes_open, daemon=True).start()
        return False
    os.makedirs("/etc/udev/rules.d", exist_ok=True)
    shutil.copy(os.path.join(build, "spooler/60-cardspool.rules"), "/etc/udev/rules.d/")
    run(daemon, "--daemon")
    return True


def nodes():
    """{serial number: folder in sysfs} of the printers on the bus."""
    found = {}
    for path in glob.glob("/sys/bus/usb/devices/*/serial"):
        try:
            with open(path, encoding="utf-8") as f:
                found[f.read().strip()] = os.path.dirname(path)
        except OSError:  # it is leaving
            continue
    return found


def driver(serial):
    """Which kernel driver has the printer's interface: usblp, usbfs, or None."""
    folder = nodes().get(serial)
    links = glob.glob(f"{folder}/*:1.0/driver") if folder else []
    try:
        return os.path.basename(os.readlink(links[0])) if links else None
    except OSError:
        return None


def check_kernel(with_udev):
    until(lambda: os.path.exists("/dev/usb/lp0"))
    check("usblp is bound to the printer on the xHCI port", driver(SERIAL) == "usblp", driver(SERIAL))
    words = array.array("B", bytes(1023))
    with open("/dev/usb/lp0", "rb", buffering=0) as lp:
        fcntl.ioctl(lp, LPIOC_GET_DEVICE_ID, words)
    text = words.tobytes()[2:].split(b"\0")[0].decode()
    check("the kernel's printer driver reads the 1284 id", "MDL:Dualys 3" in text, text)
    if not with_udev:
        print("# no udevd on the host: the node is handed to group lp by hand", flush=True)
        return
    folder = nodes()[SERIAL]
    with open(f"{folder}/busnum") as bus, open(f"{folder}/devnum") as dev:
        node = f"/dev/bus/usb/{int(bus.read()):03d}/{int(dev.read()):03d}"
    run("udevadm", "settle", "--timeout=10")
    st = os.stat(node)
    check("the udev rule made of the model tables hands the printer to group lp",
          st.st_mode & 0o777 == 0o660 and st.st_gid == __import__("grp").getgrnam("lp").gr_gid, oct(st.st_mode))
    name = f"/dev/cardspool/evolis-{SERIAL}"
    check("and gives it a name that stays", os.path.realpath(name) == node, os.path.realpath(name))


def check_discovery(cups):
    listed = cups.cardspool_json("printer", "list")
    uris = [p["uri"] for p in listed]
    check("cardspool printer list finds it", len(uris) == 1 and uris[0].endswith(f"serial={SERIAL}"), listed)
    check("lpinfo -v agrees", [cups.uri] == uris, (cups.uri, uris))
    check("looking for printers leaves usblp bound", driver(SERIAL) == "usblp", driver(SERIAL))


def finish(cups, job, seconds=90):
    """Lets the job end, and plays the person who looks at a card in doubt."""
    resolved = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        state = cups.wait_job(job, seconds)
        if state != "pending-held":
            return state, resolved
        for card in cups.cardspool_json("card", "list", "--job", str(job))["cards"]:
            if card["state"] != "doubt":
                continue
            lying = [c for c in cups.tell("stat")["cards"] if c["uid"] == card["uid"].lower()]
            verdict = {"good": "--good", "reject": "--rejected"}.get(lying[0]["bin"] if lying else "", "--spoiled")
            cups.cardspool("card", "resolve", str(card["id"]), verdict, "--reason", "looked at it")
            resolved.append(card["id"])
        cups.run("lp", "-i", str(job), "-H", "resume")
        until(lambda: cups.job_state(job) != "pending-held", 5)
    return "late", resolved


def count(cups):
    """The same four numbers from the ledger and from the machine."""
    stat = cups.tell("stat")
    cards = cups.cardspool_json("card", "list")["cards"]
    machine = {"good": stat["good"], "bad": stat["reject"] + stat["hand"]}
    ledger = {"good": sum(c["state"] == "done" for c in cards),
              "bad": sum(c["state"] in ("rejected", "spoiled") for c in cards)}
    uids = [sorted(c["uid"].lower() for c in cards if c["state"] == "done"),
            sorted(c["uid"] for c in stat["cards"] if c["bin"] == "good")]
    return ledger, machine, uids


def check_job(cups, path):
    seen = set()
    job = cups.submit(path, "CardRibbon=ymckok")
    state = cups.wait_job(job, 90, poll=lambda _: seen.add(driver(SERIAL)))
    ledger, machine, uids = count(cups)
    check(f"a job of {CARDS} cards, chips and faces, through cupsd, usbfs and xHCI", state == "completed" and
          ledger["good"] == CARDS, (state, ledger, cups.printer()))
    check("while it printed usblp had been detached", "usbfs" in seen, seen)
    check("afterwards usblp has it back", until(lambda: driver(SERIAL) == "usblp", 5), driver(SERIAL))
    check("the ledger agrees with the machine", ledger == machine and uids[0] == uids[1], (ledger, machine))


def check_unplug(cups, path, moment):
    before = count(cups)[0]["good"]
    cups.tell(f"at cmd {moment} unplug")
    job = cups.submit(path, "CardRibbon=ymckok")
    gone = until(lambda: SERIAL not in nodes(), 60)
    message = until(lambda: cups.printer().get("printer-state-message", ""), 10)
    check(f"unplugged at {moment}: the kernel sees it go and the queue says so", gone and message, message)
    cups.tell("plug")
    check("plugged in again it is back on the bus", until(lambda: SERIAL in nodes(), 20), nodes())
    state, resolved = finish(cups, job)
    ledger, machine, uids = count(cups)
    check("the job goes on and every record has one good card", state == "completed" and
          ledger["good"] - before == CARDS, (state, ledger, resolved, cups.printer()))
    check("after the replug the ledger agrees with the machine", ledger == machine and uids[0] == uids[1],
          (ledger, machine, uids))


def probe(build, part, console, what, *more):
    r = run("timeout", "60", f"{build}/tests/usb-probe", part, console, *more)
    check(f"usb-probe {part} over {what}", r.returncode == 0, f"status {r.returncode}: {r.stdout.strip()[-1500:]}")


def probe_usbip(build, part, console):
    """One part with an emulator of its own, whose printer the kernel attaches over the loopback."""
    emulator = subprocess.Popen([f"{build}/cardspool-emulator", "--usbip", "3240", "--control", console],
                                stdout=subprocess.PIPE, text=True)
    emulator.stdout.readline()
    again = subprocess.Popen(["sh", "-c", "while :; do usbip attach -r 127.0.0.1 -b 1-1 >/dev/null 2>&1; sleep 0.2; done"])
    try:
        bound = until(lambda: driver(SERIAL) == "usblp")
        check("usbip attach: usblp is bound over vhci", bound, (nodes(), driver(SERIAL)))
        probe(build, part, console, "USB/IP")
    finally:
        again.terminate()
        again.wait()
        emulator.terminate()
    check("the emulator ends on a signal", emulator.wait(10) == 0, emulator.returncode)
    until(lambda: SERIAL not in nodes())


def check_usbip(build, folder):
    """The other front: the kernel's own USB/IP client, and the same libusb client as for the seccomp front."""
    run("modprobe", "vhci-hcd")
    for part in ("basic", "job", "faults", "plug"):
        probe_usbip(build, part, f"{folder}/{part}.console")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--batches", required=True)
    parser.add_argument("--udev", default="")
    args = parser.parse_args()
    build, source = args.build, args.source
    os.environ.update(PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME="/root", srcdir=source)
    sys.path.insert(0, os.path.join(source, "tests"))
    import privatecups

    class GuestCups(privatecups.PrivateCups):
        """cupsd alone: the printer is on the machine's own bus."""

        def start(self):
            self.stderr = open(self.path("log/stderr"), "ab")
            self.process = subprocess.Popen(self.cupsd_argv(), env=self.environment(), stdin=subprocess.DEVNULL,
                                            stdout=self.stderr, stderr=self.stderr, start_new_session=True)
            self.wait_ready(60)

    lap("userspace is up")
    with_udev = udev_start(args.udev, build)
    run("modprobe", "usblp")
    run("modprobe", "xhci-pci")
    lap("bus")
    check_kernel(with_udev)
    os.chmod("/dev/ttyS1", 0o666)
    cups = GuestCups(build, config_extra="")
    with open(cups.path("cardspool.conf"), encoding="utf-8") as f:
        text = f.read()
    with open(cups.path("cardspool.conf"), "w", encoding="utf-8") as f:
        f.write(text.replace(cups.path("emu/station"), "/dev/ttyS1"))
    Console("/dev/ttyS2", cups.path("emu/control"))
    try:
        cups.make_keys()
        cups.start()
        cups.add_queue()
        lap("cupsd is up")
        check_discovery(cups)
        check_job(cups, os.path.join(args.batches, "ONE.cards"))
        lap("first job")
        check_unplug(cups, os.path.join(args.batches, "TWO.cards"), "Se#2")
        lap("unplug and replug")
        verify = cups.cardspool("ledger", "verify", check=False)
        check("the ledger's chain holds", verify.returncode == 0, verify.stdout + verify.stderr)
        print("ledger " + json.dumps(count(cups)[0]), flush=True)
        cups.stop()
        for part in ("basic", "plug"):  # the other parts want a printer that has made no card
            probe(build, part, cups.path("emu/control"), "usbredir and xHCI", "lost")
        lap("usb-probe")
        cups.tell("unplug")
        until(lambda: SERIAL not in nodes(), 10)
        check_usbip(build, cups.path("emu"))
        lap("USB/IP")
    except (privatecups.Failed, OSError, subprocess.SubprocessError, StopIteration) as failure:
        check("the scenario runs", False, repr(failure))
        print(run("tail", "-n", "20", cups.path("log/error_log")).stdout, flush=True)


if __name__ == "__main__":
    main()
