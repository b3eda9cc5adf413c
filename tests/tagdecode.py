# tagdecode.py - reads the memory of a type 2 tag as the NFC Forum's documents say, apart from the encoder.
#
# SPDX-License-Identifier: GPL-3.0-or-later


def message(mem):
    """The first NDEF TLV of user memory; None if there is none."""
    user = mem[16:16 + 8 * mem[14]]
    at = 0
    while at < len(user) and user[at] != 0xFE:
        if user[at] == 0:
            at += 1
            continue
        kind, length, head = user[at], user[at + 1], 2
        if length == 0xFF:
            length, head = int.from_bytes(user[at + 2:at + 4], "big"), 4
        if kind == 3:
            return user[at + head:at + head + length]
        at += head + length
    return None


def records(data):
    """[(tnf, type, payload)]"""
    out = []
    while data:
        flags, type_len = data[0], data[1]
        short = flags & 0x10
        length = data[2] if short else int.from_bytes(data[2:6], "big")
        at = 3 if short else 6
        out.append((flags & 7, data[at:at + type_len].decode(), data[at + type_len:at + type_len + length]))
        data = data[at + type_len + length:]
        assert bool(flags & 0x80) == (len(out) == 1) and bool(flags & 0x40) == (not data)
    return out


def locked(mem):
    """An NTAG213 that nobody can write again: access nibble, static and dynamic locks."""
    return mem[15] == 0x0F and mem[10:12] == b"\xff\xff" and mem[160:162] == b"\xff\x0f"
