# bench.py - `make bench`: what a card costs, what it costs the peers, and where the limit is, in one run.
#
#   bench.py --build BUILD
#
# Every round runs all sides in turn, so that a noisy neighbour hurts them alike; medians are compared. Costs are CPU
# time where a process works through a batch and wall time where somebody waits for a first byte. Prints a table and
# writes BUILD/bench.json. Goals that are not met are reported, not failed: exit status 1 only when something could not
# be measured.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import argparse
import csv
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "bench"))
import chip  # noqa: E402
import failures  # noqa: E402
import lp  # noqa: E402
from privatecups import Failed  # noqa: E402

TEMPLATE, RIBBON = "special-operation", "ymckok"
SAMPLE = 20              # cards in the sample roster, all different
WARM_CARDS = 100         # per round of our own way and of the limit
ROUNDS = 3
START_ROUNDS = 7
COUNTED_CARDS = 80
LP_CARDS, LP_ROUNDS = (1, 1000), 8
GROWTH = (1, 20, 100, 1000)
GROWTH_ROUNDS = {1: 3, 20: 3, 100: 3, 1000: 2}
COMMAND_TIMEOUT_S = 150
GS_CUPS = ["-sDEVICE=cups", "-r300", "-dcupsBitsPerColor=8", "-dcupsColorSpace=1", "-dcupsColorOrder=0"]
GS_PPM = ["-sDEVICE=ppmraw", "-r300"]
MIB = 1024.0


class Bench:
    def __init__(self, build, scratch):
        self.build, self.scratch = os.path.abspath(build), scratch
        self.rows, self.missing, self.failed = [], [], []
        self.gs, self.valgrind = shutil.which("gs"), shutil.which("valgrind")
        self.env = dict(os.environ, CARDSPOOL_TEMPLATES=self.path("templates"), LC_ALL="C.UTF-8")
        self.env.pop("PPD", None)
        for what, tool, package in ((self.gs, "gs", "ghostscript"), (self.valgrind, "valgrind", "valgrind")):
            if not what:
                self.missing.append(f"{tool} is not installed: its rows are empty (Debian: apt install {package})")

    def path(self, *names):
        return os.path.join(self.build, *names)

    def at(self, name):
        return os.path.join(self.scratch, name)

    def run(self, *command, binary=False):
        """binary: what it writes is not text and not wanted."""
        done = subprocess.run(command, env=self.env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              stdout=subprocess.DEVNULL if binary else subprocess.PIPE, timeout=COMMAND_TIMEOUT_S)
        if done.returncode:
            raise Failed(f"{os.path.basename(command[0])} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
        return done

    def row(self, name, unit, ours, goal="", met=None, peer=None, peer_name=None, limit=None):
        """ratio: how many times the peer's cost ours is; of_limit: how many times the limit's cost ours is."""
        self.rows.append({
            "name": name, "ours": ours, "peer": peer, "peer_name": peer_name,
            "ratio": peer / ours if peer and ours else None,
            "limit": limit, "of_limit": ours / limit if limit and ours else None,
            "unit": unit, "goal": goal, "met": met})
        return self.rows[-1]


# ---- what is measured ----

def roster_grow(source, target, n):
    """n records from the sample's people and photos, each with a certificate number of its own that checks."""
    with open(os.path.join(source, "roster.csv"), encoding="utf-8", newline="") as f:
        people = list(csv.DictReader(f))
    suffix = {os.path.splitext(name)[0]: name for name in os.listdir(os.path.join(source, "photos"))}
    columns = list(people[0]) + ["照片"]
    with open(target, "w", encoding="utf-8", newline="") as f:
        out = csv.DictWriter(f, columns, lineterminator="\n")
        out.writeheader()
        for i in range(n):
            person = dict(people[i % len(people)])
            number = person["证号"]
            found = re.fullmatch(r"(TM?)(\d{14})(\d{3})[\dX]", number)
            if not found:
                raise Failed(f"the sample's certificate number {number} is not a resident's")
            again = i // len(people)
            body = f"{found[2]}{(int(found[3]) + 2 * again) % 1000:03d}"
            weights = [2 ** (17 - k) % 11 for k in range(17)]
            rest = sum(int(d) * w for d, w in zip(body, weights)) % 11
            person["照片"] = suffix[number]
            person["证号"] = found[1] + body + "10X98765432"[rest]
            out.writerow(person)


def batches_make(b):
    b.run(b.path("cardspool-sample"), b.at("sample"), str(SAMPLE))
    for n in GROWTH:
        roster_grow(b.at("sample"), b.at(f"roster{n}.csv"), n)
        b.run(b.path("cardspool"), "pack", b.at(f"roster{n}.csv"), "--photos", b.at("sample/photos"), "--template",
              TEMPLATE, "--templates", b.path("templates"), "--order", "BENCH", "-o", b.at(f"{n}.cards"))


def card_command(b, batch):
    return [b.path("tests/bench/card"), batch, b.path("templates", TEMPLATE), RIBBON]


class Warm:
    """The warm process: one command, one answer."""

    def __init__(self, b):
        self.process = subprocess.Popen(card_command(b, b.at(f"{SAMPLE}.cards")), env=b.env, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, *words):
        try:
            self.process.stdin.write(" ".join(str(w) for w in words) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline().split()
        except BrokenPipeError:
            answer = []
        if len(answer) != 2:
            raise Failed("the warm process stopped")
        return int(answer[0]), int(answer[1])

    def ms(self, way, cards):
        return self.ask(way, cards)[0] / 1000 / cards

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def child(b, command, stdout=subprocess.DEVNULL):
    """Runs a command to its end: CPU in ms and the largest resident set in MiB."""
    process = subprocess.Popen(command, env=b.env, stdin=subprocess.DEVNULL, stdout=stdout,
                               stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Failed(f"{os.path.basename(command[0])} ended with {process.returncode}")
    return (used.ru_utime + used.ru_stime) * 1000, used.ru_maxrss / MIB


def first_last(b, command):
    """Wall milliseconds from exec to the first and to the last byte on stdout, and how many came."""
    start = time.monotonic()
    process = subprocess.Popen(command, env=b.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    first, total = None, 0
    while piece := os.read(process.stdout.fileno(), 1 << 20):
        first = first or (time.monotonic() - start) * 1000
        total += len(piece)
    last = (time.monotonic() - start) * 1000
    process.stdout.close()
    if process.wait() or first is None:
        raise Failed(f"{os.path.basename(command[0])} ended with {process.returncode} after {total} bytes")
    return first, last, total


def gs(b, device, out, pdf):
    return [b.gs, "-q", "-dSAFER", "-dBATCH", "-dNOPAUSE", *device, "-o", out, pdf]


# ---- the rows ----

def pdf_make(b):
    warm = Warm(b)
    try:
        for n in (1, SAMPLE):
            warm.ask("pdf", n, b.at(f"{n}.pdf"))
    finally:
        warm.close()


def bench_card(b):
    """Record to stream bytes, both sides; Ghostscript without its start-up, which a long batch does not feel."""
    found = {name: [] for name in ("ours", "naive", "limit", "cups", "ppm")}
    devices = [("cups", GS_CUPS), ("ppm", GS_PPM)] if b.gs else []
    warm = Warm(b)
    try:
        warm.ms("ours", SAMPLE)
        warm.ms("naive", 2)
        for _ in range(ROUNDS):
            found["ours"].append(warm.ms("ours", WARM_CARDS))
            found["limit"].append(warm.ms("limit", WARM_CARDS))
            found["naive"].append(warm.ms("naive", SAMPLE))
            for name, device in devices:
                one, _ = child(b, gs(b, device, "/dev/null", b.at("1.pdf")))
                many, _ = child(b, gs(b, device, "/dev/null", b.at(f"{SAMPLE}.pdf")))
                found[name].append((many - one) / (SAMPLE - 1))
            found["ours"].append(warm.ms("ours", WARM_CARDS))
    finally:
        warm.close()
    mid = {name: statistics.median(values) if values else None for name, values in found.items()}
    for name, key, label, least in (
            ("card-e2e/gs-cups", "cups", "Ghostscript, cups raster, 300 dpi", 30),
            ("card-e2e/gs-ppm", "ppm", "Ghostscript, ppmraw, 300 dpi", 30),
            ("card-e2e/cairo", "naive", "librsvg, Cairo and Pango anew for each card", 20)):
        row = b.row(name, "ms CPU/card", mid["ours"], f"ratio >= {least}", peer=mid[key], peer_name=label,
                    limit=mid["limit"])
        row["met"] = row["ratio"] >= least if row["ratio"] else None
    row = b.row("card-e2e/limit", "ms CPU/card", mid["ours"], "of_limit <= 4", limit=mid["limit"])
    row["met"] = row["of_limit"] <= 4


def bench_instructions(b):
    """Counted while the sample is made a second time, when every glyph has been seen."""
    if not b.valgrind:
        b.row("card-instructions", "M instr/card", None, "<= 30", peer_name="callgrind")
        return
    done = b.run(b.valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=way_count",
                 *card_command(b, b.at(f"{SAMPLE}.cards")), "count", str(SAMPLE))
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if not collected or int(collected[1]) == 0:
        raise Failed("callgrind counted nothing")
    millions = int(collected[1]) / SAMPLE / 1e6
    b.row("card-instructions", "M instr/card", millions, "<= 30", millions <= 30)


KERNELS = (  # row of tests/bench/dye.c, nanoseconds a pixel at most
    ("rgb-to-planes-photo-best", 3.0), ("rgb-to-planes-photo-portable", 5.5), ("rgb-to-planes-card-best", 3.0),
    ("rgb-to-planes-card-portable", 5.5), ("rgb-to-planes-no-profile", 3.0), ("pack7", 0.25), ("run-length-k", 1.5),
    ("k-knock-out", None))
CARD_PIXELS = 1016 * 648


def bench_kernels(b):
    """Through a 33 x 33 x 33 table, a photo's noise and a whole card; the limit is a copy of what is read."""
    best = {}
    for _ in range(ROUNDS):
        for line in b.run(b.path("tests/bench/dye")).stdout.splitlines():
            name, ours, limit = line.split()
            best[name] = min(best.get(name, (1e9, 1e9)), (float(ours), float(limit)))
    for name, goal in KERNELS:
        ours, limit = best[name]
        b.row(name, "ns/pixel", ours, f"<= {goal}" if goal else "", ours <= goal if goal else None, limit=limit)
    for name, _ in KERNELS[:4] if b.valgrind else ():
        done = b.run(b.valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=row_count*",
                     b.path("tests/bench/dye"), "count", name)
        collected = re.search(r"Collected : (\d+)", done.stderr)
        if not collected or int(collected[1]) == 0:
            raise Failed("callgrind counted nothing")
        b.row(name, "instr/pixel", int(collected[1]) / CARD_PIXELS)


def bench_failures(b):
    failures.rows(b, ROUNDS, child)


def bench_first(b):
    """From exec to bytes on a pipe, one card."""
    ours = [b.path("filter/batchtocards"), "1", "bench", "bench", "1", f"CardRibbon={RIBBON}", b.at("1.cards")]
    size = first_last(b, ours)[2]
    with open(b.at("copy"), "wb") as f:
        f.write(b"\x5a" * size)
    commands = {"ours": ours, "limit": ["/bin/cat", b.at("copy")]}
    if b.gs:
        commands["gs"] = gs(b, GS_CUPS, "-", b.at("1.pdf"))
    found = {name: ([], []) for name in ("ours", "limit", "gs")}
    for _ in range(START_ROUNDS):
        for name, command in commands.items():
            first, last, _ = first_last(b, command)
            found[name][0].append(first)
            found[name][1].append(last)
    for i, what in enumerate(("first-byte", "last-byte")):
        mid = {name: statistics.median(pair[i]) if pair[i] else None for name, pair in found.items()}
        row = b.row(f"first-card/{what}", "ms wall", mid["ours"], peer=mid["gs"],
                    peer_name="Ghostscript, cups raster, one-card PDF", limit=mid["limit"])
        if i == 0:
            row["goal"] = "<= limit + 25 ms"
            row["met"] = mid["ours"] <= mid["limit"] + 25


def bench_growth(b):
    """The filter as CUPS runs it, on batches of different length."""
    command = [b.path("filter/batchtocards"), "1", "bench", "bench", "1", f"CardRibbon={RIBBON}"]
    cpu, rss = {n: [] for n in GROWTH}, {n: [] for n in GROWTH}
    first = {n: [] for n in GROWTH}
    for k in range(max(GROWTH_ROUNDS.values())):
        for n in GROWTH:
            if k < GROWTH_ROUNDS[n]:
                ms, mib = child(b, command + [b.at(f"{n}.cards")])
                cpu[n].append(ms)
                rss[n].append(mib)
    for n in (20, 1000):
        for _ in range(GROWTH_ROUNDS[n]):
            first[n].append(first_byte(b, command + [b.at(f"{n}.cards")]))
    mid = {n: statistics.median(cpu[n]) for n in GROWTH}
    peak = {n: max(rss[n]) for n in GROWTH}
    for n in (20, 1000):
        b.row(f"batch/{n}", "ms CPU/card", mid[n] / n, "start-up included")
        b.row(f"batch/{n}/memory", "MiB", peak[n], "<= 64", peak[n] <= 64)
        b.row(f"batch/{n}/first-byte", "ms wall", statistics.median(first[n]), "independent of length")
    grown = peak[1000] - peak[100]
    b.row("batch/100-1000/memory", "MiB more", grown, "< 1", grown < 1)
    bench_slope(b)


def bench_slope(b):
    """Counted, not timed: callgrind writes down its count before each card of one process. The same twenty people in
    the same order come second, when every character has been seen, and fourth."""
    if not b.valgrind:
        b.row("batch/slope", "x of cards 21-40", None, "0.95 .. 1.05", peer_name="callgrind")
        return
    b.run(b.valgrind, "--tool=callgrind", f"--callgrind-out-file={b.at('count')}", "--dump-before=stream_write_card",
          b.path("filter/batchtocards"), "1", "bench", "bench", "1",
          f"CardRibbon={RIBBON} page-ranges=1-{COUNTED_CARDS}", b.at("100.cards"), binary=True)
    counts = []
    for card in range(1, COUNTED_CARDS + 1):
        with open(b.at(f"count.{card}"), encoding="utf-8", errors="replace") as f:
            counts.append(int(re.search(r"^totals: (\d+)", f.read(), re.M)[1]) / 1e6)
    blocks = [statistics.mean(counts[i:i + SAMPLE]) for i in range(0, COUNTED_CARDS, SAMPLE)]
    slope = blocks[-1] / blocks[1]
    b.row("batch/slope", "x of cards 21-40", slope, "0.95 .. 1.05", 0.95 <= slope <= 1.05)
    b.row("batch/slope/instructions", "M instr/card", blocks[-1])


def bench_lp(b):
    """`lp` to the feeding of the first card, from the start of the filter: ours against one that copies. The least of the
    rounds is judged: what other work on the machine adds is in the medians, and it is larger than the difference."""
    found = {n: ([], []) for n in LP_CARDS}
    with lp.Lp(b.build, RIBBON) as office:
        streams = {n: office.stream(b.at(f"{n}.cards"), f"stream{n}") for n in LP_CARDS}
        for _ in range(LP_ROUNDS + 1):
            for n in LP_CARDS:
                for side, stream in enumerate((None, streams[n])):
                    office.filter(stream)
                    found[n][side].append(office.first_ms(b.at(f"{n}.cards"))[1])
    for n in LP_CARDS:
        ours, copier = (min(values[1:]) for values in found[n])
        b.row(f"lp-to-feed/{n}", "ms wall", ours, "<= limit + 25 ms", ours <= copier + 25, limit=copier)
        ours, copier = (statistics.median(values[1:]) for values in found[n])
        b.row(f"lp-to-feed/{n}-median", "ms wall", ours, limit=copier)


def bench_chip(b):
    """A full chip at 115200 baud against what no encoder can leave out (tests/bench/chip.py)."""
    c = chip.measure(b.build, b.scratch)
    b.row("chip/ratio", "ms modelled", c["ms"], "<= 1.3 x limit", c["ms"] <= 1.3 * c["floor_ms"], limit=c["floor_ms"])
    b.row("chip/exchanges", "exchanges", c["exchanges"], limit=c["floor_exchanges"])
    b.row("chip/host", "ms wall", c["host_ms"])
    b.row("chip/wall-emulated", "ms wall", c["wall_ms"], limit=c["floor_ms"])


def first_byte(b, command):
    """Like first_last, but nobody waits for the rest."""
    start = time.monotonic()
    process = subprocess.Popen(command, env=b.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    piece = os.read(process.stdout.fileno(), 1 << 16)
    ms = (time.monotonic() - start) * 1000
    process.stdout.close()
    process.terminate()
    process.wait()
    if not piece:
        raise Failed("batchtocards wrote nothing")
    return ms


# ---- the report ----

def machine():
    model = ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
            model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), "")
    except OSError:
        pass
    return {"cpu": model, "cores": os.cpu_count(), "machine": platform.machine(), "system": platform.platform(),
            "load": os.getloadavg()[0]}


def number(value):
    return "-" if value is None else f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}"


def table_print(b):
    lines = [("", "ours", "peer", "peer/ours", "limit", "ours/limit", "unit", "goal", "")]
    for r in b.rows:
        met = {True: "met", False: "NOT MET", None: ""}[r["met"]]
        lines.append((r["name"], number(r["ours"]), number(r["peer"]), number(r["ratio"]), number(r["limit"]),
                      number(r["of_limit"]), r["unit"], r["goal"], met))
    widths = [max(len(line[i]) for line in lines) for i in range(9)]
    for line in lines:
        print("  ".join(cell.rjust(w) if 0 < i < 6 else cell.ljust(w)
                        for i, (cell, w) in enumerate(zip(line, widths))).rstrip())


def main():
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--build", default=".")
    args = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cardspool-bench-") as scratch:
        b = Bench(args.build, scratch)
        facts = machine()
        try:
            batches_make(b)
            if b.gs:
                pdf_make(b)
        except (Failed, OSError, subprocess.SubprocessError) as failure:
            sys.exit(f"bench: cannot prepare: {failure}")
        for part in (bench_card, bench_instructions, bench_kernels, bench_first, bench_failures, bench_lp, bench_chip, bench_growth):
            try:
                part(b)
            except (Failed, OSError, subprocess.SubprocessError) as failure:
                b.failed.append(f"{part.__name__.removeprefix('bench_')}: {failure}")
    facts["seconds"] = round(time.monotonic() - started, 1)
    with open(b.path("bench.json"), "w", encoding="utf-8") as f:
        json.dump({"rows": b.rows, "machine": facts, "missing": b.missing, "failed": b.failed}, f, indent=1)
        f.write("\n")
    table_print(b)
    for line in b.missing:
        print(f"bench: {line}")
    for line in b.failed:
        print(f"bench: not measured: {line}")
    missed = sum(r["met"] is False for r in b.rows)
    print(f"bench: {len(b.rows)} rows in {facts['seconds']} s, {missed} goals not met; {b.path('bench.json')}")
    sys.exit(1 if b.failed else 0)


if __name__ == "__main__":
    main()
