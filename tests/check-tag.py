# check-tag.py - NDEF on an NTAG213 through the real program, real libnfc and an emulated tag, read back by
# tests/tagdecode.py. Prints one "ok" or "not ok" line a promise; exit status 1 if any is broken.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import shutil
import subprocess
import sys
import tempfile

from tagdecode import message, records

BUILD = os.path.abspath(os.environ.get("builddir", "."))
SOURCE = os.path.abspath(os.environ.get("srcdir", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")))
TEMPLATE = os.path.join(SOURCE, "templates/office-badge")
UID = "04A1B2C3D4E5F6"
failed = 0


def check(promise, good, why=""):
    global failed
    print(("ok - " if good else "not ok - ") + promise + ("" if good else f": {why}"), flush=True)
    failed += not good


WANT = [(1, "U", b"\x04badge.example/staff/E-0042"), (1, "T", b"\x02zh" + "安全, 质量部".encode())]


class Lab:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="cs-tag.")
        with open(self.path("conf"), "w") as f:
            f.write(f"[paths]\nledger={self.path('ledger.db')}\ntemplates={BUILD}/templates\n[cards]\nchip-wait-ms=50\n")
        shutil.copyfile(os.path.join(SOURCE, "tests/data/photos/0004.jpg"), self.path("p.jpg"))
        with open(self.path("r.csv"), "w", encoding="utf-8") as f:
            f.write('工号,姓名,英文名,部门,职务,有效期,权限,照片\nE-0042,张三,,"安全, 质量部",工程师,20271231,A,p.jpg\n'
                    '"E/4 3",李四,"Li, Si",部,工程师,20271231,A,p.jpg\n')
        done = self.cardspool("pack", self.path("r.csv"), "--templates", BUILD + "/templates", "--template", "office-badge",
                              "--photos", self.dir, "-o", self.path("b.cards"))
        if done.returncode:
            raise SystemExit(f"not ok - pack: {done.stderr}")

    def path(self, name):
        return os.path.join(self.dir, name)

    def environment(self):
        return {**os.environ, "CARDSPOOL_CONF": self.path("conf"), "LC_ALL": "C.UTF-8"}

    def cardspool(self, *words):
        return subprocess.run([f"{BUILD}/cardspool", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=self.environment(), timeout=60)

    def tag(self, *words, mem=None, emulator=(), kind="ntag213"):
        argv = [f"{BUILD}/tests/emulator-pn532", "--uid", UID, "--kind", kind]
        if mem is not None:
            with open(self.path("in"), "wb") as f:
                f.write(mem)
            argv += ["--load", self.path("in")]
        argv += ["--image", self.path("out"), *emulator, self.path("port"), f"{BUILD}/cardspool", "chip", "tag", *words,
                 "--station", f"nfc:pn532_uart:{self.path('port')}:115200"]
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment(),
                              timeout=60)
        with open(self.path("out"), "rb") as f:
            return done, f.read()

    def write(self, *words, record="1", template=TEMPLATE, **kw):
        return self.tag("--batch", self.path("b.cards"), "--record", record, "--template", template, *words, **kw)


def main():
    lab = Lab()
    try:
        done, fresh = lab.tag()
        check("a fresh tag is empty and writable", done.returncode == 0 and "144" in done.stdout and "empty" in done.stdout, done)
        done, mem = lab.write()
        check("a record's URI and text stand on the tag", done.returncode == 0 and records(message(mem)) == WANT, done)
        check("what stood before the message stays, the number pages too", mem[:16] == fresh[:16] and mem[16:21] == fresh[16:21])
        done, _ = lab.tag("--json", mem=mem)
        check("and are shown", [(r["kind"], r["content"]) for r in json.loads(done.stdout)["records"]] ==
              [("uri", "https://badge.example/staff/E-0042"), ("text", "安全, 质量部")], done)
        done, again = lab.write(mem=mem, emulator=("--remove", "1"))
        check("the same once more writes nothing", done.returncode == 0 and again == mem, done)
        done, other = lab.write(mem=mem, record="2")
        check("another message is not overwritten", done.returncode == 69 and other == mem and "--replace" in done.stderr, done)
        done, other = lab.write("--replace", mem=mem, record="2")
        check("unless asked for, with the value percent-encoded", done.returncode == 0 and
              records(message(other))[0][2] == b"\x04badge.example/staff/E%2F4%203", done)
        problems = []
        for start, words in ((fresh, ()), (other, ("--replace",))):
            for n in range(1, 40):
                done, torn = lab.write(*words, mem=start, emulator=("--remove", str(n)))
                if done.returncode == 0:
                    break
                if message(torn) not in (b"", message(start)):
                    problems.append(f"removed at {n}: a mixture")
                done, whole = lab.write("--replace", mem=torn)
                if done.returncode or records(message(whole)) != WANT:
                    problems.append(f"removed at {n}: not finished {done}")
            if n < 8:
                problems.append(f"only {n} writes")
        check("removed before each write: old or empty, then finished", not problems, problems[:3])
        done, torn = lab.write(mem=fresh, emulator=("--tear", "3"))
        check("a torn page is written again", done.returncode == 0 and records(message(torn)) == WANT, done)
        done, locked = lab.write("--lock", mem=mem)
        check("--lock makes it read only for ever", done.returncode == 0 and locked[15] == 0x0F and locked[10:12] == b"\xff\xff" and
              locked[160:162] == b"\xff\x0f" and message(locked) == message(mem), done)
        done, same = lab.write("--replace", mem=locked, record="2")
        check("a locked tag is refused and unchanged", done.returncode == 69 and same == locked, done)
        shutil.copytree(TEMPLATE, lab.path("badge"))
        with open(lab.path("badge/ndef.map"), "w") as f:
            f.write("vcard FN {姓名}\nuri mailto:{英文名}@x.example\nvcard NOTE {英文名}\n")
        done, card = lab.write(record="2", template=lab.path("badge"), mem=fresh)
        check("a vCard of all its lines", done.returncode == 0 and records(message(card)) ==
              [(2, "text/vcard", "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:李四\r\nNOTE:Li\\, Si\r\nEND:VCARD\r\n".encode()),
               (1, "U", b"\x06Li%2C%20Si@x.example")], done)
        problems = []
        for text, status in (("uri https://x/{没有}\n", 65), ("url x\n", 65), ("", 65), ("text zh\n", 65),
                             ("text zh " + "x" * 200 + "\n", 65)):
            with open(lab.path("badge/ndef.map"), "w") as f:
                f.write(text)
            done, out = lab.write(template=lab.path("badge"), mem=fresh)
            if done.returncode != status or out != fresh or len(done.stderr.splitlines()) != 1:
                problems.append((text[:30], done))
        check("a wrong map, or more than the tag holds: refused in one line", not problems, problems[:2])
        problems = []
        for seed in range(60):
            junk = bytearray(fresh)
            junk[16:160] = bytes((seed * 131 + i * i * 7 + (i * seed) % 251) & 255 for i in range(144))
            if seed % 2:
                junk[16:19] = bytes((3, seed, 0xD1))
            done, out = lab.tag(mem=bytes(junk))
            if done.returncode not in (0, 65) or out != bytes(junk) or "\x1b" in done.stdout:
                problems.append((seed, done))
        check("60 tags of nonsense are read or refused, nothing else", not problems, problems[:2])
        done, _ = lab.tag(kind="classic-1k")
        check("another type of chip is named", done.returncode == 69, done)
        check("the ledger has it all", lab.cardspool("ledger", "verify").returncode == 0 and
              lab.cardspool("ledger", "export").stdout.count('"chip-tag"') > 10)
    finally:
        shutil.rmtree(lab.dir, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
