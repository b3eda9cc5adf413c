# check-vm.py - a Debian kernel in QEMU drives the emulated printer: real usbfs, usblp, xHCI, udev and serial driver.
#
#   check-vm.py            builddir and srcdir from the environment, as make check-vm sets them
#
# The kernel is the newest of: CARDSPOOL_VM_KERNEL (a linux-image .deb), a .deb in BUILD/vm, one that is installed, one from
# apt-get download. The machine sees this system's own files, read only. Prints a line a promise and "N passed, M failed";
# status 1 if any failed, 77 with one line when QEMU, a kernel or usbredir is missing.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import csv
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

BUILD = os.path.abspath(os.environ.get("builddir", "."))
SOURCE = os.path.abspath(os.environ.get("srcdir", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")))
FOLDER = os.path.join(BUILD, "vm")
LIMIT_S = int(os.environ.get("CARDSPOOL_VM_LIMIT_S", "300"))
CARDS = 2
counts = {True: 0, False: 0}


class Absent(Exception):
    pass


def result(promise, good, why=""):
    counts[bool(good)] += 1
    print(("ok - " if good else "not ok - ") + promise + ("" if good else f": {why}"), flush=True)


def tool(name, package):
    path = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/sbin:/usr/sbin")
    if not path:
        raise Absent(f"{name} is missing (Debian: {package})")
    return path


def download(pattern, package):
    """A package file in BUILD/vm, fetched once; nothing is installed."""
    found = sorted(glob.glob(os.path.join(FOLDER, pattern)))
    if not found and shutil.which("apt-get"):
        subprocess.run(["apt-get", "-qq", "download", package], cwd=FOLDER, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)
        found = sorted(glob.glob(os.path.join(FOLDER, pattern)))
    return found[-1] if found else None


def kernel_package():
    given = os.environ.get("CARDSPOOL_VM_KERNEL")
    if given and not os.path.isfile(given):
        sys.exit(f"check-vm: CARDSPOOL_VM_KERNEL names no file: {given}")
    if given:
        return given
    found = sorted(glob.glob(os.path.join(FOLDER, "linux-image-*.deb")))
    if found:
        return found[-1]
    return None


def kernel_download():
    """The package on which Debian's linux-image-amd64 depends."""
    if not shutil.which("apt-cache"):
        return None
    r = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], stdout=subprocess.PIPE,
                       stderr=subprocess.DEVNULL, text=True, check=False)
    names = re.findall(r"Depends: (linux-image-[0-9][\w.+-]*)", r.stdout)
    return download("linux-image-*.deb", names[0]) if names else None


def kernel():
    """(image, folder with lib/modules, version)"""
    package = kernel_package()
    if not package:
        for image in sorted(glob.glob("/boot/vmlinuz-*"), reverse=True):
            version = image.split("vmlinuz-", 1)[1]
            if os.access(image, os.R_OK) and os.path.isdir(f"/lib/modules/{version}"):
                return image, "/", version
        package = kernel_download()
    if not package:
        raise Absent(f"no kernel: put a Debian linux-image package into {FOLDER}")
    root = os.path.join(FOLDER, "kernel")
    stamp = os.path.join(root, os.path.basename(package) + ".unpacked")
    if not os.path.exists(stamp):
        shutil.rmtree(root, ignore_errors=True)
        os.makedirs(root)
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
        version = os.listdir(os.path.join(root, "lib/modules"))[0]
        subprocess.run([tool("depmod", "kmod"), "-b", root, version], check=True)
        open(stamp, "w", encoding="ascii").close()
    version = os.listdir(os.path.join(root, "lib/modules"))[0]
    return os.path.join(root, "boot", "vmlinuz-" + version), root, version


def udev():
    """A folder with udevd when this system has none, "" otherwise."""
    if os.path.exists("/lib/systemd/systemd-udevd"):
        return ""
    package = download("udev_*.deb", "udev")
    folder = os.path.join(FOLDER, "udev")
    if package and not os.path.isdir(folder):
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
    return folder if package else ""


def initrd(root, version):
    out = os.path.join(FOLDER, "initrd.gz")
    sources = [os.path.join(SOURCE, "tests/vm", name) for name in ("make-initrd", "init")]
    if os.path.exists(out) and all(os.path.getmtime(s) < os.path.getmtime(out) for s in sources):
        return out
    r = subprocess.run(["sh", sources[0], root, version, sources[1], out], stderr=subprocess.PIPE, text=True, check=False)
    if r.returncode:
        raise Absent(r.stderr.strip())
    return out


def pack(work):
    """Two batches, made out here where it takes no time."""
    for name in ("ONE", "TWO"):
        folder = os.path.join(work, name)
        os.mkdir(folder)
        subprocess.run([os.path.join(BUILD, "cardspool-sample"), folder], check=True, stdout=subprocess.DEVNULL)
        with open(f"{folder}/roster.csv", encoding="utf-8", newline="") as f:
            rows = list(csv.reader(f))
        with open(f"{folder}/roster.csv", "w", encoding="utf-8", newline="") as f:
            csv.writer(f).writerows(rows[:CARDS + 1])
        subprocess.run([os.path.join(BUILD, "cardspool"), "pack", f"{folder}/roster.csv", "--order", name, "--templates",
                        os.path.join(BUILD, "templates"), "-o", f"{work}/{name}.cards"], check=True, stdout=subprocess.DEVNULL)


def wait_for(path, process):
    end = time.monotonic() + 10
    while not os.path.exists(path):
        if process.poll() is not None or time.monotonic() > end:
            raise Absent("the emulator does not serve a virtual machine: " + process.stderr.read().strip())
        time.sleep(0.02)


def machine_argv(qemu, image, ramdisk, work, command):
    words = ("console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off nokaslr audit=0 apparmor=0 "
             f'vmcmd="{command}"')
    return [qemu, "-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "1", "-m", "1536", "-display", "none", "-no-reboot",
            "-nodefaults", "-serial", "stdio", "-kernel", image, "-initrd", ramdisk, "-append", words,
            "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap",
            "-device", "qemu-xhci,id=x", "-chardev", f"socket,id=r,path={work}/redir",
            "-device", "usb-redir,chardev=r,bus=x.0",
            "-chardev", f"serial,id=s,path={work}/station", "-serial", "chardev:s",
            "-chardev", f"socket,id=c,path={work}/console", "-serial", "chardev:c"]


def judge(work, ledger):
    """At this moment: the guest's ledger against what the emulator counted and heard."""
    with open(f"{work}/out/printer.json", encoding="utf-8") as f:
        seen = json.load(f)
    real = {"good": seen["good"], "bad": seen["reject"] + seen["hand"]}
    result("what the guest's ledger says is what the host's emulator counted", ledger == real, (ledger, real))
    with open(f"{work}/log", encoding="utf-8") as f:
        # by the refusal of this question the driver learns the firmware's generation
        strict = [line.strip() for line in f if line.startswith("strict:") and not line.endswith("CDE: Rrt;count\n")]
    result("nothing was sent that the protocol document does not allow", not strict, strict[:5])


def follow(machine, work):
    """Passes the guest's lines on; true when it came to its end."""
    judged, ended = False, False
    for raw in machine.stdout:
        line = raw.decode("utf-8", "replace").rstrip()
        ok, _, words = line.partition("ok - ")
        if ok in ("", "not ") and words:
            counts[not ok] += 1
            print(line, flush=True)
        elif line.startswith("ledger "):
            judge(work, json.loads(line[7:]))
            judged = True
        elif line.startswith("vm: status 0"):
            ended = True
        elif line.startswith(("#", "vm:", "Traceback", " ", "[")) or os.environ.get("CARDSPOOL_VM_VERBOSE"):
            print(line, flush=True)
    return judged and ended


def drive(work):
    qemu = tool("qemu-system-x86_64", "qemu-system-x86")
    os.makedirs(FOLDER, exist_ok=True)
    image, root, version = kernel()
    ramdisk = initrd(root, version)
    command = f"exec python3 {SOURCE}/tests/vm/scenario.py --build {BUILD} --source {SOURCE} --batches {work}"
    folder = udev()
    command += f" --udev {folder}" if folder else ""
    pack(work)
    emulator = subprocess.Popen(
        [os.path.join(BUILD, "cardspool-emulator"), "--hopper", "40", "--ribbon", "ymckok:100",
         "--out", f"{work}/out", "--control", f"{work}/console", "--station", f"{work}/station",
         "--usbredir", f"{work}/redir", "--log", f"{work}/log"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    machine = None
    started = time.monotonic()
    try:
        for name in ("redir", "station", "console"):
            wait_for(f"{work}/{name}", emulator)
        machine = subprocess.Popen(machine_argv(qemu, image, ramdisk, work, command), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        signal.signal(signal.SIGALRM, lambda *_: machine.kill())
        signal.alarm(LIMIT_S)
        ended = follow(machine, work)
        signal.alarm(0)
        machine.wait(20)
        result(f"the machine ({version}) ran to its end in {time.monotonic() - started:.0f} s", ended, machine.returncode)
    finally:
        if machine and machine.poll() is None:
            machine.kill()
        emulator.terminate()
        try:
            emulator.wait(10)
        except subprocess.TimeoutExpired:
            emulator.kill()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work = tempfile.mkdtemp(prefix="cs-vm.")
    try:
        drive(work)
    except Absent as reason:
        print(f"check-vm: {reason}")
        sys.exit(77)
    finally:
        if os.environ.get("CARDSPOOL_KEEP"):
            print(f"# kept: {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)
    print(f"{counts[True]} passed, {counts[False]} failed")
    sys.exit(1 if counts[False] else 0)


if __name__ == "__main__":
    main()
