# chipdecode.py - an independent reader of chip dumps: written from the specification's table of addresses and
# from doc/KEYS.md, sharing nothing with the encoder.
#
#   python3 tests/chipdecode.py chip.mfd     prints the fields of one dump
#
# SPDX-License-Identifier: GPL-3.0-or-later
import hashlib
import hmac
import subprocess
import sys

# field -> (length, [(block, offset in block, first byte of the field, bytes), ...]), typed in from table 2.4
# of the specification of the special-operation certificate.
PIECES = {
    "证号": (20, [(4, 0, 0, 16), (5, 0, 16, 4)]),
    "姓名": (26, [(5, 4, 0, 12), (6, 0, 12, 14)]),
    "性别": (2, [(6, 14, 0, 2)]),
    "文化程度": (10, [(8, 0, 0, 10)]),
    "工作单位": (32, [(9, 0, 0, 16), (10, 0, 16, 16)]),
    "单位类别": (16, [(12, 0, 0, 16)]),
    "通讯地址": (32, [(13, 0, 0, 16), (14, 0, 16, 16)]),
    "联系电话": (16, [(16, 0, 0, 16)]),
    "作业类别": (32, [(17, 0, 0, 16), (18, 0, 16, 16)]),
    "准操项目": (32, [(20, 0, 0, 16), (21, 0, 16, 16)]),
    "培训单位": (32, [(22, 0, 0, 16), (24, 0, 16, 16)]),
    "发证机关": (32, [(25, 0, 0, 16), (26, 0, 16, 16)]),
    "理论成绩": (14, [(28, 0, 0, 14)]),
    "实操成绩": (14, [(29, 0, 0, 14)]),
    "初领日期": (8, [(30, 0, 0, 8)]),
    "发证日期": (8, [(30, 8, 0, 8)]),
    "一次复审期": (8, [(32, 0, 0, 8)]),
    "二次复审期": (8, [(32, 8, 0, 8)]),
    "复审记录1": (32, [(33, 0, 0, 16), (34, 0, 16, 16)]),
    "复审记录2": (32, [(36, 0, 0, 16), (37, 0, 16, 16)]),
    "有效期从": (8, [(38, 0, 0, 8)]),
    "有效期到": (8, [(38, 8, 0, 8)]),
    "证件标识": (16, [(40, 0, 0, 16)]),
    "复审标识": (1, [(41, 0, 0, 1)]),
    "本工种工龄": (2, [(41, 1, 0, 2)]),
}
LITERAL = "特种作业IC卡".encode("gbk").ljust(16, b"\0")
DATA_BLOCKS = [b for b in range(4, 43) if b % 4 != 3]
TRANSPORT_KEY = b"\xff" * 6


def block(dump, number):
    return dump[16 * number:16 * number + 16]


def fields(dump):
    """{field: GBK text without the padding blanks}; raises ValueError on bytes that are not GBK."""
    out = {}
    for name, (length, pieces) in PIECES.items():
        value = bytearray(length)
        for number, offset, first, count in pieces:
            value[first:first + count] = block(dump, number)[offset:offset + count]
        out[name] = bytes(value).decode("gbk").rstrip(" ")
    return out


def expected_blocks(record):
    """The data blocks a record must give, from {field: text}: bytes of the table, blanks behind, 00 where unused."""
    blocks = {b: bytearray(16) for b in DATA_BLOCKS}
    for name, (length, pieces) in PIECES.items():
        value = record[name].encode("gbk").ljust(length, b" ")
        assert len(value) == length, name
        for number, offset, first, count in pieces:
            blocks[number][offset:offset + count] = value[first:first + count]
    blocks[42][:] = LITERAL
    return {b: bytes(v) for b, v in blocks.items()}


def trailer(dump, sector):
    """(key A, access bytes, general-purpose byte, key B)"""
    t = block(dump, 4 * sector + 3)
    return t[:6], t[6:9], t[9], t[10:]


def access(three):
    """[C1C2C3 of block 0..3]; ValueError if the inverted copies disagree."""
    c1, c2, c3 = three[1] >> 4, three[2] & 15, three[2] >> 4
    if (three[0] & 15) != (~c1 & 15) or (three[0] >> 4) != (~c2 & 15) or (three[1] & 15) != (~c3 & 15):
        raise ValueError("inconsistent access bits")
    return [((c1 >> i & 1) << 2) | ((c2 >> i & 1) << 1) | (c3 >> i & 1) for i in range(4)]


def cmac(key, message):
    out = subprocess.run(["openssl", "mac", "-cipher", "AES-128-CBC", "-macopt", "hexkey:" + key.hex(),
                          "-binary", "CMAC"], input=message, stdout=subprocess.PIPE, check=True)
    return out.stdout


def mac(mac_key, uid, dump):
    message = uid + b"".join(block(dump, b) for b in DATA_BLOCKS)
    return hmac.new(mac_key, message, hashlib.sha256).digest()


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as f:
        content = f.read()
    for field, text in fields(content).items():
        print(f"{field}\t{text}")
