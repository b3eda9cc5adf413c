# check-desk.py - the desk reader and the inspector through the real program, real libnfc and an emulated reader.
#
# The cards are made here, by chipdecode.py's tables and the openssl command, not by the encoder; after each change
# the chip is read by chipdecode.py. Prints one "ok" or "not ok" line a promise; exit status 1 if any is broken.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

import chipdecode
import privatecups
import privatepcscd

BUILD = os.path.abspath(os.environ.get("builddir", "."))
SOURCE = os.path.abspath(os.environ.get("srcdir", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")))
ACCESS = bytes.fromhex("00112233445566778899aabbccddeeff")
MAC = bytes.fromhex("ffeeddccbbaa99887766554433221100")
NUMBER = "T110101199003072332"  # check digit by ISO 7064 MOD 11-2
STATUS = {"valid": 0, "review-due": 10, "expired": 11, "not-yet-valid": 12, "not-genuine": 13, "void": 14,
          "unfinished": 15, "unknown": 16}
RECORD = {"证号": NUMBER, "姓名": "欧阳示范", "性别": "男", "文化程度": "高中", "工作单位": "示范省样例市安装公司",
          "单位类别": "国有企业", "通讯地址": "示范省样例市云山大道十八号", "联系电话": "01012345678",
          "作业类别": "电工作业", "准操项目": "低压电工作业", "培训单位": "示范培训中心", "发证机关": "示范省安全生产监督管理局",
          "理论成绩": "92", "实操成绩": "88", "初领日期": "20240301", "发证日期": "20240301",
          "一次复审期": "20270228", "二次复审期": "20300228", "复审记录1": "", "复审记录2": "",
          "有效期从": "20240301", "有效期到": "20300228", "证件标识": "SL2024000001", "复审标识": "0", "本工种工龄": "06"}
failed = 0


def check(promise, good, why=""):
    global failed
    print(("ok - " if good else "not ok - ") + promise + ("" if good else f": {why}"), flush=True)
    failed += not good


class Keys:
    """Keys and MAC of one card, straight from doc/KEYS.md."""

    def __init__(self, uid, access=ACCESS, mac=MAC):
        self.uid = uid

        def key(master, sector, purpose):
            return chipdecode.cmac(master, b"\x01" + uid + bytes([sector, purpose]) + b"CARDSPOOL-MF1")
        self.pairs = [(key(access, s, 0x0A)[:6], key(access, s, 0x0B)[:6]) for s in range(16)]
        self.mac = key(mac, 0xFF, 0x0C)


class Result:
    def __init__(self, done, image):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.image = image

    def __repr__(self):
        return f"status {self.status}: {self.out.strip()} {self.err.strip()}"


class Desk:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="cs-desk.")
        os.mkdir(self.path("ledger"))
        self.keys = self.key_file("master.keys", ACCESS, MAC)
        self.configure()
        self.cards = {}

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def key_file(self, name, access, mac):
        check_value = lambda k: chipdecode.cmac(k, bytes(16))[:3].hex()
        with open(os.open(self.path(name), os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
            f.write(f"cardspool-keys 1\nkey-version 1\naccess-key {access.hex()}\naccess-check {check_value(access)}\n"
                    f"mac-key {mac.hex()}\nmac-check {check_value(mac)}\n")
        return self.path(name)

    def configure(self, keys=None, wait_ms=50):
        with open(self.path("cardspool.conf"), "w") as f:
            f.write(f"[paths]\nledger={self.path('ledger/ledger.db')}\ntemplates={BUILD}/templates\n"
                    f"keys={keys or self.keys}\nrun={self.dir}\n[cards]\nchip-wait-ms={wait_ms}\n")

    def card(self, uid, keys=None, **changes):
        """The memory of a finished card."""
        k = keys or self.cards.setdefault(uid, Keys(uid))
        mem = bytearray(1024)
        mem[0:len(uid)] = uid
        for b, content in chipdecode.expected_blocks({**RECORD, **changes}).items():
            mem[16 * b:16 * b + 16] = content
        for s, (a, b) in enumerate(k.pairs):
            mem[64 * s + 48:64 * s + 64] = a + bytes.fromhex("78778869") + b
        mem[16:48] = chipdecode.mac(k.mac, uid, bytes(mem))
        return bytes(mem)

    def genuine(self, uid, mem):
        k = self.cards[uid]
        trailers = all(mem[64 * s + 48:64 * s + 64] == a + bytes.fromhex("78778869") + b
                       for s, (a, b) in enumerate(k.pairs))
        return trailers and mem[16:48] == chipdecode.mac(k.mac, uid, mem)

    def run(self, *words, uid=bytes.fromhex("04a1b2c3"), mem=None, emulator=(), stdin="", station=True, env=()):
        argv = [f"{BUILD}/tests/emulator-pn532"]
        if "--empty" not in emulator:
            argv += ["--uid", uid.hex().upper()]
        if mem is not None:
            with open(self.path("in.mfd"), "wb") as f:
                f.write(mem)
            argv += ["--load", self.path("in.mfd"), "--image", self.path("out.mfd")]
        argv += [*emulator, self.path("port"), f"{BUILD}/cardspool", *words]
        if station:
            argv += ["--station", f"nfc:pn532_uart:{self.path('port')}:115200"]
        done = subprocess.run(argv, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
                              env={**os.environ, "CARDSPOOL_CONF": self.path("cardspool.conf"), "LC_ALL": "C.UTF-8",
                                   **dict(env)})
        image = None
        if mem is not None:
            with open(self.path("out.mfd"), "rb") as f:
                image = f.read()
        return Result(done, image)

    def cardspool(self, *words, **kw):
        return subprocess.run([f"{BUILD}/cardspool", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=60, env={**os.environ, "CARDSPOOL_CONF": self.path("cardspool.conf"),
                                               "LC_ALL": "C.UTF-8"}, **kw)

    def events(self, kind):
        out = self.cardspool("ledger", "export").stdout
        return [e for e in map(json.loads, out.splitlines()) if e["kind"] == kind]

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)


UID = bytes.fromhex("04a1b2c3")
DAY = ("--date", "20261121")


def check_read(desk):
    mem = desk.card(UID)
    r = desk.run("chip", "read", *DAY, mem=mem)
    check("chip read shows the record masked", r.status == 0 and "电工作业" in r.out and "MAC: good" in r.out and
          "欧阳示范" not in r.out and NUMBER not in r.out and "01012345678" not in r.out, r)
    r = desk.run("chip", "read", "--json", *DAY, mem=mem)
    j = json.loads(r.out)
    check("chip read --json has uid, state, MAC and judgement",
          (j["uid"], j["state"], j["mac"], j["judgement"]["verdict"], j["fields"]["作业类别"]) ==
          (UID.hex(), "written", "good", "valid", "电工作业"), r)
    seven = bytes.fromhex("04a1b2c3d4e5f6")
    r = desk.run("chip", "read", "--json", *DAY, uid=seven, mem=desk.card(seven))
    check("a 7-byte UID", r.status == 0 and json.loads(r.out)["uid"] == seven.hex(), r)
    r = desk.run("chip", "read", *DAY)
    check("a blank chip is status 66", r.status == 66 and "blank" in r.err, r)
    r = desk.run("chip", "read", *DAY, emulator=("--used", "a0a1a2a3a4a5"))
    check("a chip with other keys is status 69", r.status == 69 and "does not open" in r.err, r)
    r = desk.run("chip", "read", *DAY, emulator=("--empty",))
    check("an empty reader is status 69", r.status == 69, r)
    r = desk.run("chip", "read", *DAY, emulator=("--kind", "desfire"))
    check("another type of chip is named", r.status == 69 and len(r.err.splitlines()) == 1, r)
    broken = bytearray(mem)
    broken[64 * 5 + 48 + 6] ^= 0xFF
    r = desk.run("chip", "read", *DAY, mem=bytes(broken))
    check("broken access bits of one sector: refused, not shown", r.status == 69 and "电工" not in r.out, r)
    r = desk.run("chip", "read", "--full", *DAY, mem=mem)
    check("--full shows whole values to root and notes it", (r.status == 0 and NUMBER in r.out and
          len(desk.events("chip-shown")) == 1) if os.geteuid() == 0 else r.status == 77, r)
    if os.geteuid() == 0:
        check_full_denied(desk, mem)


def check_full_denied(desk, mem):
    """As nobody, with files of its own: whoever is not in the group cardspool-desk gets no whole value."""
    os.chmod(desk.dir, 0o777)
    key = desk.key_file("nobody.keys", ACCESS, MAC)
    shutil.chown(key, "nobody")
    shutil.chown(desk.path("ledger"), "nobody")
    for name in os.listdir(desk.path("ledger")):
        shutil.chown(desk.path("ledger", name), "nobody")
    desk.configure(key)
    with open(desk.path("in.mfd"), "wb") as f:
        f.write(mem)
    argv = ["setpriv", "--reuid", "nobody", "--clear-groups", f"{BUILD}/tests/emulator-pn532", "--load",
            desk.path("in.mfd"), desk.path("port-nobody"), f"{BUILD}/cardspool", "chip", "read", "--full", *DAY,
            "--station", f"nfc:pn532_uart:{desk.path('port-nobody')}:115200"]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
                          env={**os.environ, "CARDSPOOL_CONF": desk.path("cardspool.conf"), "LC_ALL": "C.UTF-8"})
    check("--full is refused to others", done.returncode == 77 and "电工" not in done.stdout, done.stderr)
    shutil.chown(desk.path("ledger"), "root")
    for name in os.listdir(desk.path("ledger")):
        shutil.chown(desk.path("ledger", name), "root")
    os.chmod(desk.dir, 0o700)
    desk.configure()


def check_verify(desk):
    mem = desk.card(UID)
    cases = [("20240301", mem, "valid"), ("20270228", mem, "valid"), ("20270301", mem, "review-due"),
             ("20300228", mem, "review-due"), ("20300301", mem, "expired"), ("20240229", mem, "not-yet-valid"),
             ("20270301", desk.card(UID, 复审记录1="20270101 复审合格", 复审标识="1"), "valid")]
    for byte, what in ((16 * 9 + 3, "a field"), (16 * 1, "the MAC"), (16 * 42, "the literal")):
        changed = bytearray(mem)
        changed[byte] ^= 1
        cases.append(("20261121", bytes(changed), "not-genuine"))
    cloned = desk.card(bytes.fromhex("0511223344"[:8]), Keys(UID))
    for day, content, want in cases:
        r = desk.run("chip", "verify", "--date", day, mem=content)
        check(f"verify on {day}: {want}", r.status == STATUS[want] and len(r.out.splitlines()) == 1 and
              not r.err and r.image[16:] == content[16:], r)
    r = desk.run("chip", "verify", *DAY, uid=bytes.fromhex("05112233"), mem=cloned)
    check("another chip's content under a new UID is not genuine", r.status == STATUS["not-genuine"], r)
    r = desk.run("chip", "verify", *DAY)
    check("a blank chip is not genuine", r.status == STATUS["not-genuine"], r)
    r = desk.run("chip", "verify", "--json", *DAY, mem=mem)
    j = json.loads(r.out)
    check("verify --json", (j["verdict"], j["status"], j["date"]) == ("valid", 0, "20261121") and "*" in j["number"], r)
    r = desk.run("chip", "verify", "--date", "20260230", mem=mem)
    check("a day that does not exist is refused", r.status == 64, r)


def check_review(desk):
    mem = desk.card(UID)
    r = desk.run("chip", "review", "--next", "20300101", *DAY, mem=mem)
    want = desk.card(UID, 复审记录1="20261121 复审合格", 复审标识="1", 二次复审期="20300101")
    check("a review stands on the chip byte for byte, with a new MAC", r.status == 0 and r.image[16:] == want[16:] and
          desk.genuine(UID, r.image), r)
    began, done = desk.events("chip-change-began"), desk.events("chip-change-done")
    check("and in the ledger: intent, outcome, no value in clear", len(began) == len(done) == 1 and
          began[0]["data"]["fields"] == ["二次复审期", "复审记录1", "复审标识"] and
          began[0]["data"]["after"] == hashlib.sha256(
              b"".join(chipdecode.block(want, b) for b in chipdecode.DATA_BLOCKS)).hexdigest() and
          "复审合格" not in json.dumps(began, ensure_ascii=False), began)
    check("the ledger's chain holds", desk.cardspool("ledger", "verify").returncode == 0)
    again = desk.run("chip", "review", *DAY, mem=r.image)
    check("the same review twice is refused", again.status == 65 and again.image[16:] == want[16:], again)
    r = desk.run("chip", "review", "--date", "20290601", "--text", "合格", mem=r.image)
    check("the second review", r.status == 0 and chipdecode.fields(r.image)["复审记录2"] == "20290601 合格" and
          chipdecode.fields(r.image)["复审标识"] == "2" and desk.genuine(UID, r.image), r)
    r = desk.run("chip", "review", "--date", "20290701", mem=r.image)
    check("a third review is refused", r.status == 65, r)
    r = desk.run("chip", "review", "--date", "20300301", mem=mem)
    check("an expired certificate is not reviewed", r.status == 65 and r.image[16:] == mem[16:], r)
    r = desk.run("chip", "review", "--text", "很" * 13, *DAY, mem=mem)
    check("a text that does not fit is refused, nothing is written", r.status == 65 and r.image[16:] == mem[16:], r)
    changed = bytearray(mem)
    changed[16 * 9] ^= 1
    r = desk.run("chip", "review", *DAY, mem=bytes(changed))
    check("a card with a wrong MAC is not reviewed", r.status == 65 and r.image[16:] == bytes(changed)[16:], r)


def check_torn(desk):
    """A review writes four data blocks and the two of the MAC: torn at each, gone before each, torn at each and gone."""
    mem = desk.card(UID)
    want = desk.card(UID, 复审记录1="20261121 复审合格", 复审标识="1", 二次复审期="20300101")
    words = ("chip", "review", "--next", "20300101", *DAY)
    writes = sum(chipdecode.block(mem, b) != chipdecode.block(want, b) for b in range(64))
    problems = []
    for fault in ("tear", "remove", "tear and remove"):
        for n in range(1, writes + 1):
            before = len(desk.events("chip-change-done"))
            # Torn and then gone: the block is neither old nor new, only the journal still knows the rest of it.
            first = desk.run(*words, mem=mem, emulator={"tear": ("--tear", str(n)), "remove": ("--remove", str(n))}.get(
                fault, ("--tear", str(n), "--remove", str(n + 1))))
            if first.status == 0:  # a torn write that was noticed and repeated
                if first.image[16:] != want[16:]:
                    problems.append(f"{fault} {n}: called good and is not")
                continue
            if first.image[16:] not in (mem[16:], want[16:]) and desk.genuine(UID, first.image):
                problems.append(f"{fault} {n}: a mixture with a good MAC")
            if "again" not in first.err:
                problems.append(f"{fault} {n}: does not say how to go on: {first}")
            seen = desk.run("chip", "verify", *DAY, mem=first.image)
            if seen.status != STATUS["unfinished"]:
                problems.append(f"{fault} {n}: verify says {seen}")
            second = desk.run(*words, mem=first.image)
            if second.status or second.image[16:] != want[16:] or "interrupted" not in second.out:
                problems.append(f"{fault} {n}: not finished: {second}")
            if len(desk.events("chip-change-done")) != before + 1:
                problems.append(f"{fault} {n}: outcomes in the ledger")
    check(f"a review torn at or removed before each of its {writes} writes is finished byte for byte, never good before",
          not problems and writes >= 5, problems[:4])
    desk.run(*words, mem=mem, emulator=("--remove", "1"))
    r = desk.run(*words, mem=want)
    check("a program that ended between the last write and its outcome: proved, not written again", r.status == 0 and
          r.image[16:] == want[16:] and desk.events("chip-change-done")[-1]["data"]["blocks"] == 0, r)
    other = bytearray(desk.run(*words, mem=mem, emulator=("--remove", "3")).image)
    other[16 * 20] ^= 1
    r = desk.run(*words, mem=bytes(other))
    check("an interrupted card that somebody else changed is left alone", r.status == 69 and
          r.image[16:] == bytes(other)[16:], r)
    r = desk.run(*words, mem=bytes(desk.run(*words, mem=mem).image))
    wipe = desk.run("chip", "verify", *DAY, mem=want)
    check("after all that the card is valid", wipe.status == 0, wipe)
    # A program that is killed in the middle leaves the same as a torn write; the ledger still proves.
    check("the ledger's chain holds after every interruption", desk.cardspool("ledger", "verify").returncode == 0)
    r = desk.run("chip", "read", *DAY, mem=want, emulator=("--control", "drop 20"))
    check("a lost answer of the reader does not disturb", r.status == 0, r)


def check_rewrite(desk):
    mem = desk.card(UID)
    base = ("chip", "rewrite", "--reason", "moved")
    r = desk.run(*base, *DAY, mem=mem, stdin="工作单位=新示范公司\n联系电话=02098765432\n")
    want = desk.card(UID, 工作单位="新示范公司", 联系电话="02098765432")
    check("two fields from standard input", r.status == 0 and r.image[16:] == want[16:] and
          desk.genuine(UID, r.image), r)
    with open(desk.path("values"), "w", encoding="gbk") as f:
        f.write("通讯地址=新址\r\n")
    r = desk.run(*base, "--from", desk.path("values"), *DAY, mem=mem)
    check("a file in GBK", r.status == 0 and chipdecode.fields(r.image)["通讯地址"] == "新址", r)
    r = desk.run(*base, *DAY, mem=mem, stdin="有效期到=2031-02-28\n")
    check("a date is stored as eight digits, and the face is named as different", r.status == 0 and
          chipdecode.fields(r.image)["有效期到"] == "20310228" and "face" in r.out, r)
    refused = [("证号=T11010119900307999X\n", 77), ("姓名=别人\n", 77), ("证件标识=X\n", 77), ("没有=1\n", 65),
               ("备用1=x\n", 65), ("有效期到=20260230\n", 65), ("作业类别=\n", 65), ("性别=甲\n", 65),
               ("工作单位=" + "长" * 17 + "\n", 65), ("工作单位=\U00020000\n", 65), ("工作单位\n", 65), ("", 65),
               ("联系电话=1\n联系电话=2\n", 65), ("电话=" + "1" * 70000, 65), ("作业类别=电工作业\n", 65)]
    problems = []
    for text, status in refused:
        r = desk.run(*base, *DAY, mem=mem, stdin=text)
        if r.status != status or r.image[16:] != mem[16:] or len(r.err.splitlines()) != 1:
            problems.append(f"{text[:20]!r}: {r}")
    check(f"{len(refused)} wrong requests are refused in one line, nothing is written", not problems, problems[:3])
    r = desk.run(*base, "工作单位=新", *DAY, mem=mem)
    check("a value on the command line is refused and not repeated", r.status == 64 and "新" not in r.err, r)
    r = desk.run("chip", "rewrite", *DAY, mem=mem, stdin="工作单位=新\n")
    check("a reason is asked for", r.status == 64, r)


def check_offline(desk):
    """The ledger of this desk knows no card, so the inspector's file is made from rows written here."""
    path = desk.path("inspector.keys")
    r = desk.cardspool("key", "export-inspector", "--output", path)
    check("an inspector's file is made, mode 0600", r.returncode == 0 and os.stat(path).st_mode & 0o777 == 0o600, r.stderr)
    keys = desk.cards.setdefault(UID, Keys(UID))
    gone = bytes.fromhex("05112233")
    void = desk.cards.setdefault(gone, Keys(gone))

    def line(uid, k, state):
        return f"card {uid.hex()} {state} {b''.join(p[0] for p in k.pairs[:11]).hex()} {k.mac.hex()}\n"

    def write(text):
        os.path.exists(path) and os.remove(path)
        with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
            f.write(text + "end " + hashlib.sha256(text.encode()).hexdigest() + "\n")
    head = "cardspool-inspector 1\nmade 20261101\nsectors 07ff\n"
    good = head + line(UID, keys, "good") + line(gone, void, "void")
    write(good)
    mem = desk.card(UID)
    os.rename(desk.path("master.keys"), desk.path("away.keys"))
    os.rename(desk.path("ledger"), desk.path("ledger-away"))
    for day, content, uid, want in (("20261121", mem, UID, "valid"), ("20270301", mem, UID, "review-due"),
                                    ("20310101", mem, UID, "expired"), ("20261121", desk.card(gone), gone, "void"),
                                    ("20261121", desk.card(bytes.fromhex("06aabbcc")), bytes.fromhex("06aabbcc"), "unknown"),
                                    ("20261121", bytes(1024)[:16] + mem[16:160] + b"x" + mem[161:], UID, "not-genuine")):
        r = desk.run("chip", "verify", "--offline", path, "--date", day, uid=uid, mem=content)
        check(f"offline, without masters and ledger: {want}", r.status == STATUS[want] and
              len(r.out.splitlines()) == 1 and not r.err and r.image[16:] == content[16:], r)
    r = desk.run("chip", "verify", "--offline", path, *DAY)
    check("offline, a blank chip of a listed UID is not genuine", r.status == STATUS["not-genuine"], r)
    os.chmod(path, 0o644)
    r = desk.run("chip", "verify", "--offline", path, *DAY, mem=mem)
    check("a file that others can read is refused", r.status == 77, r)
    problems = []
    for text in ("", head, good[:-40], good.replace("card ", "crad "), good.replace("07ff", "03ff"),
                 good.replace("good", "fine"), good + line(UID, keys, "good")[:50] + "\n", "\n" * 50, "x" * 4000):
        write(text)
        if text in (head,):
            continue
        r = desk.run("chip", "verify", "--offline", path, *DAY, mem=mem)
        if r.status != 65 or len(r.err.splitlines()) != 1:
            problems.append(f"{text[:30]!r} {r}")
    with open(path, "w") as f:
        f.write(good + "end " + "0" * 64 + "\n")
    r = desk.run("chip", "verify", "--offline", path, *DAY, mem=mem)
    check("a damaged file is refused in one line", not problems and r.status == 65, problems[:2] or r)
    write(good.replace("20261101", "20991231"))
    r = desk.run("chip", "verify", "--offline", path, mem=mem)
    check("a clock before the file was made is not believed", r.status == 71 and "clock" in r.err, r)
    with open(path, encoding="ascii") as f:
        text = f.read()
    secrets = [ACCESS.hex(), MAC.hex()] + [p[1].hex() for k in (keys, void) for p in k.pairs]
    check("the file holds no master and no key that writes", not [s for s in secrets if s in text])
    os.rename(desk.path("away.keys"), desk.path("master.keys"))
    os.rename(desk.path("ledger-away"), desk.path("ledger"))


def check_compare(desk):
    mem = desk.card(UID)
    r = desk.run("chip", "compare", *(), mem=mem)
    check("a chip that differs from the ledger's last change is told", r.status == 65 and "DIFFERS" in r.out, r)
    last = desk.run("chip", "review", *DAY, mem=mem)
    r = desk.run("chip", "compare", mem=last.image)
    check("a chip as the desk left it agrees", r.status == 0 and "agrees" in r.out, r)


def check_made(desk):
    """A card from the real pass: its row in the ledger, its batch, its face; then void."""
    work = tempfile.mkdtemp(prefix="cs-desk-made.")
    cups = privatecups.PrivateCups(BUILD, ["--model", "dualys3", "--serial", "D1", "--hopper", "5", "--ribbon",
                                           "ymcko:20", "--seed", "3"])
    try:
        cups.run(f"{BUILD}/cardspool-sample", work)
        with open(os.path.join(work, "roster.csv"), encoding="utf-8") as f:
            lines = f.readlines()
        with open(os.path.join(work, "roster.csv"), "w", encoding="utf-8") as f:
            f.writelines(lines[:2])
        batch = os.path.join(work, "b.cards")
        cups.cardspool("pack", os.path.join(work, "roster.csv"), "-o", batch)
        cups.make_keys()
        cups.start()
        cups.add_queue()
        job = cups.submit(batch, "CardRibbon=ymcko")
        cups.wait_job(job, 60)
        card = cups.cardspool_json("card", "list", "--job", str(job))["cards"][0]
        cups.stop()
        folder = sorted(os.listdir(cups.path("out")))[0]
        with open(cups.path("out", folder, "chip.mfd"), "rb") as f:
            mem = f.read()
        shutil.copyfile(cups.path("cardspool.conf"), desk.path("cardspool.conf"))
        uid = bytes.fromhex(card["uid"])
        fields = chipdecode.fields(mem)
        day = ("--date", fields["有效期从"])
        r = desk.run("chip", "verify", *day, uid=uid, mem=mem)
        check("a card from the pass is valid", r.status == 0 and card["state"] == "done", r)
        r = desk.run("chip", "compare", card["front_hash"], "--batch", batch, "--json", uid=uid, mem=mem)
        check("chip, ledger, batch and printed face agree", r.status == 0 and json.loads(r.out)["same"], r)
        r = desk.run("chip", "compare", "0" * 64, uid=uid, mem=mem)
        check("another face is told", r.status == 65 and "DIFFERS" in r.out, r)
        r = desk.run("chip", "rewrite", "--reason", "moved", *day, uid=uid, mem=mem, stdin="工作单位=新单位\n")
        changed = r.image
        check("a rewrite is an event of its card", r.status == 0 and "chip-change-done" in
              cups.cardspool("card", "show", str(card["id"])).stdout, r)
        r = desk.run("chip", "compare", uid=uid, mem=changed)
        check("the changed chip agrees with the ledger", r.status == 0, r)
        r = desk.run("chip", "compare", uid=uid, mem=mem)
        check("the card as it was before does not: an old copy is found", r.status == 65, r)
        r = desk.run("chip", "compare", "--batch", batch, uid=uid, mem=changed)
        check("and differs from its batch in that field only", r.status == 65 and r.out.count("DIFFERS") == 2 and
              "工作单位" in r.out and "新单位" not in r.out, r)
        keys = desk.path("made.keys")
        first = desk.cardspool("key", "export-inspector", "--output", keys)
        r = desk.run("chip", "verify", "--offline", keys, *day, uid=uid, mem=changed)
        check("the exported file finds it valid offline", first.returncode == 0 and r.status == 0, r)
        r = desk.run("chip", "void", uid=uid, mem=changed)
        cleared = r.image
        check("a cleared chip whose card is still good in the ledger: how to say so",
              r.status == 0 and f"card void {card['id']} " in r.out and not any(cleared[16:48]), r)
        r = desk.run("chip", "verify", *day, uid=uid, mem=cleared)
        check("it is not genuine", r.status == STATUS["not-genuine"], r)
        roster = os.path.join(work, "again.csv")
        with open(roster, "w", encoding="utf-8", newline="") as f:
            writer = csv.DictWriter(f, RECORD)
            writer.writeheader()
            writer.writerow(RECORD)
        r = desk.run("chip", "personalise", "--template", "special-operation", roster, uid=uid, mem=cleared)
        check("nor made somebody else's at the desk", r.status == 69 and "issued before" in r.err and r.image == cleared, r)
        cups.cardspool("card", "void", str(card["id"]), "--reason", "test")
        r = desk.run("chip", "verify", *day, uid=uid, mem=changed)
        check("a card declared void is void", r.status == STATUS["void"], r)
        r = desk.run("chip", "review", *day, uid=uid, mem=changed)
        check("and not reviewed", r.status == 77 and r.image == changed, r)
        os.remove(keys)
        desk.cardspool("key", "export-inspector", "--output", keys)
        r = desk.run("chip", "verify", "--offline", keys, *day, uid=uid, mem=changed)
        check("offline with the next file too", r.status == STATUS["void"], r)
        check("the ledger's chain holds", cups.cardspool("ledger", "verify", check=False).returncode == 0)
    except privatecups.Failed as failure:
        check("a card can be made", False, failure)
    finally:
        desk.configure()
        cups.close()
        shutil.rmtree(work, ignore_errors=True)


def check_pcsc(desk):
    """The same desk at a PC/SC reader, through a real pcscd."""
    name, socket = "HID Global OMNIKEY 5022 Smart Card Reader", desk.path("reader.sock")
    mem = desk.card(UID)
    desk.configure(wait_ms=2000)  # pcscd looks for a card about three times a second
    with open(desk.path("in.mfd"), "wb") as f:
        f.write(mem)
    with privatepcscd.PrivatePcscd(BUILD, [(name, socket)]) as daemon:
        env = {**daemon.env(), "CARDSPOOL_CONF": desk.path("cardspool.conf"), "LC_ALL": "C.UTF-8"}

        def run(*words):
            argv = [f"{BUILD}/tests/emulator-pn532", "--reader", name, "--uid", UID.hex().upper(), "--load",
                    desk.path("in.mfd"), "--image", desk.path("out.mfd"), socket, f"{BUILD}/cardspool", *words, "--station",
                    "pcsc:" + name]
            done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, timeout=60)
            with open(desk.path("out.mfd"), "rb") as f:
                return Result(done, f.read())
        r = run("chip", "verify", *DAY)
        check("PC/SC: verify", r.status == 0, r)
        r = run("chip", "review", *DAY)
        want = desk.card(UID, 复审记录1="20261121 复审合格", 复审标识="1")
        check("PC/SC: a review, byte-equal to the one through libnfc", r.status == 0 and r.image[16:] == want[16:], r)
    desk.configure()


def check_secrets(desk):
    planted = [NUMBER.encode(), "欧阳示范".encode(), "欧阳示范".encode("gbk"), ACCESS, ACCESS.hex().encode(), MAC,
               MAC.hex().encode()]
    for k in desk.cards.values():
        planted += [p.hex().encode() for pair in k.pairs for p in pair] + [p for pair in k.pairs for p in pair]
    leaks = []
    for folder, _, names in os.walk(desk.path("ledger")):
        for name in names:
            with open(os.path.join(folder, name), "rb") as f:
                content = f.read()
            leaks += [name for p in planted if p in content]
    check("no key, name or number in the ledger's files", not leaks, sorted(set(leaks)))


def main():
    desk = Desk()
    try:
        for part in (check_read, check_verify, check_review, check_torn, check_rewrite, check_offline, check_compare,
                     check_pcsc, check_secrets, check_made):
            part(desk)
    finally:
        desk.close()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
