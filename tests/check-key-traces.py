#!/usr/bin/env python3
"""check-key-traces.py - where the keys of cards are after they were written: on the chips, and nowhere else.

A job is run to the point where the machine has no more cards, once through libnfc, once through a real pcscd, and once
with keys that an emulated security module derives, on chips with numbers of 7 bytes. Every key of every card made so far
(16 times A and B, the MAC key or the module's session keys) and the masters are computed with the openssl command and
searched for in the memory of all processes of the job, in command lines and environments all the while,
and in every file of the run. Then processes that hold keys are made to crash: no core.

SPDX-License-Identifier: GPL-3.0-or-later
"""
import glob
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.environ.get("srcdir", "."), "tests"))
import chipdecode  # noqa: E402
import machines  # noqa: E402
import pcsccups  # noqa: E402
import privatecups  # noqa: E402
from privatepcscd import PrivatePcscd  # noqa: E402

BUILD = os.path.abspath(os.environ.get("builddir", "."))
READER = "SpringCard H663 Contactless"
PSAM_READER = "Identiv uTrust 4711 F CL SAM Reader"
N_CARDS = 3
IS_ROOT = os.geteuid() == 0
failed = 0


def check(good, what, said=""):
    global failed
    failed += not good
    print(("ok - " if good else "not ok - ") + what + ("" if good else f" ({str(said)[:400]})"), flush=True)


# ---- processes ----

def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return b""


def parent(pid):
    words = read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return int(words[1]) if len(words) > 1 else 0


def descendants(root):
    above = {int(p[6:]): parent(int(p[6:])) for p in glob.glob("/proc/[0-9]*")}
    found = {root}
    while True:
        more = {p for p, up in above.items() if up in found} - found
        if not more:
            return sorted(found - {root})
        found |= more


def name_of(pid):
    return read(f"/proc/{pid}/comm").decode(errors="replace").strip()


def memory(pid):
    """All that a process may write to; ValueError: it does not let itself be looked into."""
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", 0) as f:
            for line in maps:
                words = line.split()
                if not words[1].startswith("rw"):
                    continue
                first, last = (int(x, 16) for x in words[0].split("-"))
                f.seek(first)
                try:
                    yield f.read(last - first)
                except OSError:
                    continue
    except PermissionError as denied:
        raise ValueError(f"{name_of(pid)}: {denied.strerror}") from denied


def limit_core(pid):
    for line in read(f"/proc/{pid}/limits").decode().splitlines():
        if line.startswith("Max core file size"):
            return line.split()[4:6]
    return None


class Watch(threading.Thread):
    """Command lines and environments of everything that runs; searched when the keys are known."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seen, self.looks, self.over = set(), 0, False

    def run(self):
        me = os.getpid()
        while not self.over:
            for p in glob.glob("/proc/[0-9]*"):
                if int(p[6:]) != me:
                    line = read(p + "/cmdline")
                    if not line.startswith((b"openssl\0mac", b"openssl\0enc")):  # with which this test computes the keys
                        self.seen |= {line, read(p + "/environ")}
            self.looks += 1
            time.sleep(0.02)


# ---- keys ----

def masters(cups):
    words = dict(line.split()[:2] for line in read(cups.path("keys/master.keys")).decode().splitlines())
    return bytes.fromhex(words["access-key"]), bytes.fromhex(words["mac-key"])


def card_keys(access, mac, uid):
    """{key: its name}; a key that is a common number by chance would be found everywhere."""
    found = {}
    for sector in range(16):
        for purpose, letter in ((0x0A, "A"), (0x0B, "B")):
            key = chipdecode.cmac(access, b"\x01" + uid + bytes([sector, purpose]) + b"CARDSPOOL-MF1")[:6]
            found[key] = f"{uid.hex()} sector {sector} key {letter}"
    found[chipdecode.cmac(mac, b"\x01" + uid + b"\xff\x0cCARDSPOOL-MF1")] = f"{uid.hex()} MAC key"
    return found


def triple_des(key, data):
    done = subprocess.run(["openssl", "enc", "-des-ede", "-e", "-nopad", "-K", key.hex()], input=data, capture_output=True,
                          check=True)
    return done.stdout


def psam_masters():
    """As tests/emulator/psam.c has them: usage 1 for keys, 2 for the MAC, version 1."""
    return [bytes((0x11 * i + 0x40 * usage + 1) & 255 for i in range(16)) for usage in range(2)]


def psam_keys(uid):
    """The same for a card whose keys the module made, by doc/KEYS.md; the module's session keys are secret too."""
    other = bytes(255 - b for b in (uid + b"\x80" if len(uid) == 7 else uid))
    steps = [uid + b"\x80", other] if len(uid) == 7 else [uid + other] * 2
    found, session = {}, []
    for usage, key in enumerate(psam_masters()):
        for x in steps:
            key = triple_des(key, x + bytes(255 - b for b in x))
            found[key] = f"{uid.hex()} session key, usage {usage + 1}"
        session.append(key)
    names = [(s, p) for s in range(16) for p in (0x0A, 0x0B)]
    blocks = triple_des(session[0], b"".join(bytes([s, p]) + b"CSPOOL" for s, p in names))
    for i, (sector, purpose) in enumerate(names):
        found[blocks[8 * i:8 * i + 6]] = f"{uid.hex()} sector {sector} key {'AB'[purpose - 0x0A]}"
    return found


class PsamCups(privatecups.PrivateCups):
    """With a security module behind a private pcscd; the chips are written through libnfc."""

    def __init__(self, *args, **kw):
        self.daemon = self.slot = None
        super().__init__(*args, **kw)
        with open(self.path("cardspool.conf"), "a", encoding="utf-8") as f:
            f.write(f"[keys]\nkeys=psam\nmac=psam\npsam-reader={PSAM_READER}\npsam-application=a000000003435301\n")
        with open(self.path("etc/cups-files.conf"), "a", encoding="utf-8") as f:
            f.write("PassEnv PCSCLITE_CSOCK_NAME\n")

    def environment(self):
        env = super().environment()
        if self.daemon:
            env["PCSCLITE_CSOCK_NAME"] = self.daemon.socket
        return env

    def start(self):
        link = self.path("emu/psam.sock")
        self.slot = subprocess.Popen([f"{BUILD}/tests/emulator-slot", "psam=" + link], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)
        if self.slot.stdout.readline() != "ready\n":
            raise privatecups.Failed("the emulated security module did not start")
        self.daemon = PrivatePcscd(BUILD, [(PSAM_READER, link)]).__enter__()
        super().start()

    def stop(self):
        super().stop()
        if self.slot:
            self.slot.stdin.close()
            self.slot.wait()
            self.slot = None
        if self.daemon and self.daemon.process:
            self.daemon.__exit__()


def spellings(keys):
    for key, name in keys.items():
        for form in (key, key.hex().encode(), key.hex().upper().encode(), key.hex(" ").encode(),
                     key.hex(" ").upper().encode(), key.hex(":").encode()):
            yield form, name


def hits(text, keys):
    return [name for form, name in spellings(keys) if form in text]


# ---- the job ----

def cards_made(cups):
    """The UIDs of all cards, once N_CARDS are good."""
    deadline, rows = time.monotonic() + 120, []
    while time.monotonic() < deadline:
        if os.path.exists(cups.path("ledger/ledger.db")):
            told = cups.run(f"{BUILD}/cardspool", "card", "list", "--json", check=False)
            rows = json.loads(told.stdout)["cards"] if told.returncode == 0 else []
        if sum(r["state"] == "done" for r in rows) == N_CARDS:
            return [bytes.fromhex(r["uid"]) for r in rows if r["uid"]]
        time.sleep(0.2)
    raise privatecups.Failed(f"no {N_CARDS} cards: {rows}")


def memory_checks(way, cups, keys, own):
    pids = {p: name_of(p) for p in descendants(cups.process.pid)}
    names = set(pids.values())
    check({"cardspool-work", "cardspool-keyd", "cardspool-super", "batchtocards"} <= names,
          f"{way}: the job waits with all its processes", names)
    found, denied, looked = [], [], 0
    for pid, name in pids.items():
        mine = dict(keys) if name == "cardspool-keyd" and way != "psam" else {**keys, **own}
        try:
            for piece in memory(pid):
                looked += len(piece)
                found += [f"{name}: {what}" for key, what in mine.items() if key in piece]
        except ValueError as why:
            denied.append(str(why))
    check(not found, f"{way}: no key of a card, nor a master outside keyd, in {looked >> 20} MB of memory", found)
    if IS_ROOT:
        check(not denied and looked > 1 << 20, f"{way}: all of them were looked into", denied)
        if way != "psam":  # there the masters are in the module alone
            keyd = b"".join(memory(next(p for p, n in pids.items() if n == "cardspool-keyd")))
            check(all(keyd.count(key) == 1 for key in own), f"{way}: keyd has each master once",
                  [keyd.count(key) for key in own])
    else:
        check({d.split(":")[0] for d in denied} >= {"cardspool-work", "cardspool-keyd", "cardspool-super"},
              f"{way}: nobody may look into them, not even their own user", denied)
    cores = {n: limit_core(p) for p, n in pids.items() if n.startswith("cardspool-")}
    check(all(c == ["0", "0"] for c in cores.values()), f"{way}: none of them may dump core", cores)
    if IS_ROOT:  # what a process that may be dumped has belongs to its own user
        worker = next(p for p, n in pids.items() if n == "cardspool-work")
        check(os.stat(f"/proc/{worker}/limits").st_uid == 0, f"{way}: the worker lets nobody trace it")
    return pids


def files_check(way, cups, keys, own):
    """Everything but the chips themselves and the key file."""
    searched, found = 0, []
    skipped = (cups.path("out"), cups.path("keys"), cups.path("bin"), cups.path("share"))
    for folder, below, names in os.walk(cups.root):
        below[:] = [n for n in below if os.path.join(folder, n) not in skipped]
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                text = read(path)
                searched += 1
                found += [f"{path}: {what}" for what in hits(text, {**keys, **own})]
    logs = read(cups.path("log/error_log"))
    check(not found and len(logs) > 10000, f"{way}: no key in {searched} files, CUPS' log at debug2 among them", found)


def keys_compute(way, cups):
    """({key: name} of all cards, {master: name}) once the cards are made."""
    keys = {}
    if way != "psam":
        access, mac = masters(cups)
        for uid in cards_made(cups):
            keys.update(card_keys(access, mac, uid))
        return keys, {access: "access master", mac: "MAC master"}
    uids = cards_made(cups)
    for uid in uids:
        keys.update(psam_keys(uid))
    check({len(uid) for uid in uids} == {7}, "psam: chips with numbers of 7 bytes", uids)
    return keys, {key: "master of the module" for key in psam_masters()}


def chips_check(way, cups, keys):
    """The keys on the finished chips are the ones that are searched for."""
    chips = [read(path) for path in glob.glob(cups.path("out/[0-9]*/chip.mfd"))]
    have = {chip[64 * s + at:64 * s + at + 6] for chip in chips for s in range(16) for at in (48, 58)}
    check(len(chips) == N_CARDS and len(have) == 32 * N_CARDS and have <= set(keys),
          f"{way}: the {len(have)} keys on the chips are those that openssl computes", (len(chips), len(have - set(keys))))


def job_traces(way, cups_class, each=33, stock=()):
    machine = machines.MACHINES["dualys3"]
    cups = cups_class(BUILD, ["--model", machine.model, "--serial", "TRACES01", "--hopper", str(N_CARDS),
                              "--ribbon", f"{machine.ribbon}:200", *stock], script=machine.script(), queue=machine.model,
                      ppd=machine.ppd(BUILD), config_extra=machine.section("TRACES01"), log="debug2")
    watch = Watch()
    try:
        roster = cups.path("home/sample")
        cups.run(os.path.join(BUILD, "cardspool-sample"), roster)
        cups.cardspool("pack", os.path.join(roster, "roster.csv"), "-o", cups.path("home/batch.cards"))
        if way != "psam":
            cups.make_keys()
        watch.start()
        cups.start()
        cups.add_queue()
        cups.submit(cups.path("home/batch.cards"), f"CardRibbon={machine.ribbon}")
        keys, own = keys_compute(way, cups)
        chips_check(way, cups, keys)
        check(len(keys) == N_CARDS * each, f"{way}: {N_CARDS} cards, {len(keys)} keys of their own", len(keys))
        pids = memory_checks(way, cups, keys, own)
        if way != "nfc":
            found = hits(read(cups.daemon.log.name), keys)
            check(not found, f"{way}: no key in the reader service's log", found)
        files_check(way, cups, keys, own)
        for pid in (p for p, n in pids.items() if n == "cardspool-work"):
            os.kill(pid, signal.SIGSEGV)
        cups.stop()
        cores = [os.path.join(folder, n) for folder, _, names in os.walk(cups.root) for n in names
                 if n == "core" or n.startswith("core.")]
        check(not cores, f"{way}: a worker that crashes leaves no core", cores)
        watch.over = True
        watch.join()
        found = [line[:80] for line in watch.seen if hits(line, {**keys, **own})]
        check(not found and watch.looks > 20, f"{way}: no key in {len(watch.seen)} command lines and environments", found)
    finally:
        watch.over = True
        cups.close()


# ---- a command at the desk ----

def crash(argv, folder, conf, ready):
    """Waits until ready(pid) holds for the command, then crashes it. What it left in the folder."""
    env = dict(os.environ, CARDSPOOL_CONF=conf, LC_ALL="C.UTF-8")
    p = subprocess.Popen(argv, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    pids = []
    while time.monotonic() < deadline and p.poll() is None:
        pids = [q for q in [p.pid, *descendants(p.pid)] if ready(q)]
        if pids:
            break
        time.sleep(0.02)
    limits = [limit_core(q) for q in pids]
    for q in pids:
        os.kill(q, signal.SIGSEGV)
    p.wait(60)
    return limits, glob.glob(os.path.join(folder, "core*"))


def is_waiting(pid):
    """The command itself, once keyd has been asked to start and the reader is being looked at."""
    return name_of(pid) == "cardspool" and any(name_of(q) == "cardspool-keyd" for q in descendants(pid))


def desk_traces():
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="cs-traces.") as folder:
        conf, link = os.path.join(folder, "conf"), os.path.join(folder, "reader")
        with open(conf, "w", encoding="utf-8") as f:
            f.write(f"[paths]\nledger={folder}/ledger.db\nkeys={folder}/keys\nkey-secret={folder}/secret\n"
                    f"templates={BUILD}/templates\nrun={folder}\n[station]\ndefault=nfc:pn532_uart:{link}:115200\n"
                    "[cards]\nchip-wait-ms=60000\n")
        program = shutil.copy(os.path.join(BUILD, "cardspool"), os.path.join(folder, "cardspool"))
        env = dict(os.environ, CARDSPOOL_CONF=conf)
        subprocess.run([program, "key", "create"], env=env, check=True, stdout=subprocess.DEVNULL)
        _, cores = crash(["sleep", "60"], folder, conf, lambda pid: name_of(pid) == "sleep")
        print(f"   a crash here {'leaves' if cores else 'does not leave'} a core in its folder; "
              f"core_pattern {read('/proc/sys/kernel/core_pattern').decode().strip()}")
        for core in cores:
            os.unlink(core)
        for verb in ("init", "read"):
            limits, cores = crash([f"{BUILD}/tests/emulator-pn532", "--empty", link, program, "chip", verb], folder,
                                  conf, is_waiting)
            check(limits == [["0", "0"]] and not cores, f"chip {verb} may not dump core, and does not", (limits, cores))
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def main():
    try:
        job_traces("nfc", privatecups.PrivateCups)
        job_traces("pcsc", pcsccups.with_reader(READER))
        job_traces("psam", PsamCups, each=36, stock=("--chip", "classic-ev1"))
        desk_traces()
    except privatecups.Refused as refusal:
        print(refusal)
        return privatecups.EXIT_REFUSED
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
