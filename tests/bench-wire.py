# bench-wire.py - what the host adds to a printer's own pace, and what goes over the wire; ratios only.
#
#   bench-wire.py --build BUILD [--cards N] [MODEL...]
#
# Runs a batch with plain lp on an emulated printer that takes the time a machine takes (--timing), and reads the
# emulator's log: the host's gap is the time from a card that has left to the feed of the next one, from card 2 on, as
# a share of the cycle. Beside it the bytes on the wire for each card, and the host's processor time, scaled to 16
# printers at full rate on two cores (the time of one printer's processes x 16 / (batch time x 2)). Writes
# bench-wire.json. Exit status 1 when a limit is missed, 77 when the kernel does not let the emulator run.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import argparse
import json
import os
import re
import sys
import time

import machines
import privatecups

# The pass looks at the printer and writes its intent between two cards, on a machine at rest: what that may cost.
GAP_MAX, FLEET, FLEET_MAX = 0.05, 16, 0.05
SERIAL = "WIRE0001"


def processor_seconds(folder):
    """User and system time of the processes whose program stands in that folder, and of their ended children."""
    total = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if not os.readlink(f"/proc/{pid}/exe").startswith(folder + "/"):
                continue
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
                total += sum(int(v) for v in f.read().rpartition(")")[2].split()[11:15])
        except OSError:
            continue
    return total / os.sysconf("SC_CLK_TCK")


def log_times(path):
    """{card: seconds} of the feeds and of the cards that came out."""
    fed, out = {}, {}
    with open(path, encoding="ascii", errors="replace") as f:
        for line in f:
            hit = re.match(r"\s*([0-9.]+)\S* .*?card (\d+): (fed|good)$", line)
            if hit:
                (fed if hit[3] == "fed" else out)[int(hit[2])] = float(hit[1])
    return fed, out


def batch_write(cups, build, cards):
    folder = cups.path("sample")
    os.makedirs(folder)
    cups.run(os.path.join(build, "cardspool-sample"), folder)
    roster = os.path.join(folder, "roster.csv")
    with open(roster, "rb") as f:
        lines = f.read().split(b"\n")
    with open(roster, "wb") as f:
        f.write(b"\n".join(lines[:cards + 1]) + b"\n")
    cups.cardspool("pack", roster, "--order", "WIRE", "-o", os.path.join(folder, "batch.cards"))
    return os.path.join(folder, "batch.cards")


def measure(build, model, cards):
    machine = machines.MACHINES[model]
    with privatecups.PrivateCups(
            build, ["--model", model, "--serial", SERIAL, "--hopper", str(cards + 1), "--ribbon",
                    f"{machine.ribbon}:100", "--timing"], script=machine.script() or None, queue=model,
            ppd=machine.ppd(build), config_extra=machine.section(SERIAL)) as cups:
        log = cups.path("emu/log")
        cups.emulator_args += ["--log", log]
        batch = batch_write(cups, build, cards)
        cups.make_keys()
        cups.start()
        cups.add_queue()
        started, peak = time.monotonic(), 0.0
        job = cups.submit(batch, f"CardRibbon={machine.ribbon}")

        def sample(_state):
            nonlocal peak
            peak = max(peak, processor_seconds(cups.path("bin")))

        state = cups.wait_job(job, 90 * cards, poll=sample)
        seconds = time.monotonic() - started
        stat = cups.tell("stat")
        if state != "completed":
            raise privatecups.Failed(f"{model}: the job ended {state}: {cups.printer()}")
        fed, out = log_times(log)
    unit = 1000.0 if max(out.values()) > 10 * seconds else 1.0
    gaps = [(fed[n + 1] - out[n]) / unit for n in range(1, cards)]
    cycle = (out[cards] - out[1]) / unit / (cards - 1)
    return {"model": model, "cards": cards, "cycle_s": round(cycle, 2), "gap_share": round(max(gaps) / cycle, 5),
            "wire_bytes_a_card": stat["usb"]["bytes_out"] // cards,
            "fleet_share": round(peak * FLEET / (seconds * 2), 4)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--cards", type=int, default=3)
    parser.add_argument("models", nargs="*", default=["dualys3", "primacy", "p310i"])
    args = parser.parse_args()
    rows, missed = [], 0
    try:
        for model in args.models:
            row = measure(os.path.abspath(args.build), model, args.cards)
            rows.append(row)
            good = row["gap_share"] <= GAP_MAX and row["fleet_share"] <= FLEET_MAX
            missed += not good
            print(f"{'ok' if good else 'not ok'} - {model:<8} host gap {100 * row['gap_share']:.2f} % of a cycle of "
                  f"{row['cycle_s']} s (at most {100 * GAP_MAX:.0f} %), {row['wire_bytes_a_card']} bytes a card, "
                  f"{FLEET} printers: {100 * row['fleet_share']:.1f} % of two cores", flush=True)
    except privatecups.Refused as refusal:
        print(f"bench-wire: {refusal}", file=sys.stderr)
        sys.exit(privatecups.EXIT_REFUSED)
    except privatecups.Failed as failure:
        sys.exit(f"bench-wire: {failure}")
    with open("bench-wire.json", "w", encoding="utf-8") as f:
        json.dump(rows, f, indent=2)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
