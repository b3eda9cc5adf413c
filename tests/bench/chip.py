# chip.py - how long a chip takes at a PN532 on a serial line of 115200 baud, against the least it could take.
#
# The release encoder talks through libnfc to the emulated reader, whose log gives every frame. Each frame is priced with
# figures of the data sheets, not the emulator's: time on the air and in the chip by command, ten bits a byte on the
# line, 0.3 ms in the reader. The host's own time is measured around the encoding, with a reader that takes no time, and
# added. The floor is what no encoder can leave out: one selection, each of the 16 sectors opened once, each of the 48
# blocks written once and read back once (of a trailer: its access conditions), a field reset, and key A and key B of
# each sector tried. What the encoder does beyond it: it tries every sector before it writes, opens sectors a second
# time because trailers come last, and reads the MAC after the reset.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import os
import statistics
import subprocess

BAUD = 115200
READER_MS, SELECT_MS, RESET_MS = 0.3, 2.47, 12.0
# MF1S50 and ISO 14443-3 at 106 kbit/s; a write with 3.5 ms of EEPROM
CARD_MS = {0x60: 2.11, 0x61: 2.11, 0x30: 2.08, 0xA0: 5.8}
FRAME, ACK = 8, 6  # bytes of a normal frame beside what is between TFI and checksum; an acknowledge frame
DATA, MAC, SECTORS, WRITES = 30, 2, 16, 48
ROUNDS = 9


def price(command, answer):
    """ms of one exchange; command and answer as the bytes behind the TFI."""
    wire = (len(command) + FRAME + ACK + len(answer) + FRAME) * 10 * 1000 / BAUD
    if command[0] == 0x40:
        return wire + READER_MS + CARD_MS.get(command[2], 0)
    return wire + READER_MS + (SELECT_MS if command[0] == 0x4A else 0)


def floor():
    """(exchanges, ms)"""
    auth = price(bytes([0x40, 1, 0x60]) + bytes(11), bytes(2))
    read = price(bytes([0x40, 1, 0x30, 0]), bytes(18))
    write = price(bytes([0x40, 1, 0xA0, 0]) + bytes(16), bytes(2))
    select = price(bytes([0x4A, 1, 0, 0, 0, 0, 0]), bytes(12))
    n_auth = SECTORS + 2 * SECTORS
    return n_auth + 2 * WRITES + 2, n_auth * auth + WRITES * (read + write) + 2 * select + RESET_MS


def exchanges(log):
    """The pairs of command and answer between the first selection by UID and the end of the proof."""
    pairs, command = [], None
    with open(log, encoding="ascii") as f:
        for line in f:
            data = bytes.fromhex("".join(w for w in line.split("  ")[0][1:].split()))
            if line[0] == ">":
                command = data
            elif line[0] == "<" and command:
                pairs.append((command, data))
    cards = [i for i, (c, _) in enumerate(pairs) if c[0] == 0x40]
    first = next(i for i in range(cards[0], -1, -1) if pairs[i][0][0] == 0x4A)
    return pairs[first:cards[-1] + 1]


def encode(build, scratch, *options):
    """ms that the encoder says it took."""
    link = os.path.join(scratch, "port")
    done = subprocess.run([os.path.join(build, "tests/emulator-pn532"), *options, link,
                           os.path.join(build, "tests/station-encode"), f"nfc:pn532_uart:{link}:{BAUD}", "time"],
                          stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    if not done.stdout.startswith("ok proved 1"):
        raise OSError(f"the chip was not encoded: {done.stdout.strip()}")
    return float(done.stdout.rsplit(None, 1)[1])


def measure(build, scratch):
    """{exchanges, ms, host_ms, wall_ms, floor_exchanges, floor_ms}"""
    log = os.path.join(scratch, "chip.log")
    if os.path.exists(log):
        os.unlink(log)
    encode(build, scratch, "--control", f"log {log}")
    found = exchanges(log)
    host = min(encode(build, scratch) for _ in range(ROUNDS))  # the rest is the neighbours
    wall = statistics.median(encode(build, scratch, "--timing") for _ in range(3))
    least = floor()
    return {"exchanges": len(found), "ms": host + sum(price(*pair) for pair in found), "host_ms": host, "wall_ms": wall,
            "floor_exchanges": least[0], "floor_ms": least[1]}
