# check-epcl.py - whole jobs on emulated Zebra printers: a real cupsd, backend and chip station, no hardware.
#
# The emulator reads the protocol document by other hands than the driver and runs in strict mode, so that a byte
# which the document does not allow is a failure here. Prints a line per check; exit status 1 when one fails, 77 when
# the kernel does not let the emulator run.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import hashlib
import json
import os
import sys

import privatecups

BUILD = os.path.abspath(os.environ.get("builddir", "."))
SERIAL = "ZEBRA001"
# The emulator's own names for what no document tells (tests/emulator/model.c).
DOCKS = {"dock-contactless": "SMC 2", "undock-print": "SME 0", "undock-eject": "SME 1"}
CARDS = 2
failed = 0


def check(what, good, seen=""):
    global failed
    print(f"{'ok' if good else 'FAILED'}: {what}" + ("" if good else f" ({seen})"), flush=True)
    failed += not good


class Lab(privatecups.PrivateCups):
    """One printer, one job of CARDS cards."""

    def __init__(self, model, ribbon, settings, script=None, hopper=10):
        lines = dict({"ribbon-ymckok": "tag", "fault-hold-ms": "300"}, **settings)
        self.ribbon = ribbon
        super().__init__(BUILD, ["--model", model, "--serial", SERIAL, "--hopper", str(hopper),
                                 "--ribbon", f"{ribbon}:50", "--seed", "1", "--strict"], script=script,
                         config_extra=f"[printer {SERIAL}]\n" + "".join(f"{k}={v}\n" for k, v in lines.items()))

    def batch(self):
        folder = self.path("sample")
        os.makedirs(folder)
        self.run(os.path.join(BUILD, "cardspool-sample"), folder)
        roster = os.path.join(folder, "roster.csv")
        with open(roster, "rb") as f:
            lines = f.read().split(b"\n")
        with open(roster, "wb") as f:
            f.write(b"\n".join(lines[:CARDS + 1]) + b"\n")
        self.cardspool("pack", roster, "--order", "EPCL-1", "-o", os.path.join(folder, "batch.cards"))
        return os.path.join(folder, "batch.cards")

    def job_run(self, poll=None):
        batch = self.batch()
        self.make_keys()
        self.start()
        self.add_queue()
        self.number = self.submit(batch, f"CardRibbon={self.ribbon}")
        state = self.wait_job(self.number, 60, poll=poll)
        cards = self.cardspool_json("card", "list", "--job", str(self.number))["cards"]
        return state, [c["state"] for c in cards], self.tell("stat")

    def faces(self):
        found = {}
        for folder, _, names in sorted(os.walk(self.path("out"))):
            for name in names:
                if name.endswith(".png"):
                    with open(os.path.join(folder, name), "rb") as f:
                        found[os.path.basename(folder) + "/" + name] = hashlib.sha256(f.read()).hexdigest()
        return found


def good_job(what, model, ribbon, settings):
    """The faces that came out."""
    with Lab(model, ribbon, dict(DOCKS, **settings)) as lab:
        state, cards, stat = lab.job_run()
        check(f"{what}: the job is completed", state == "completed",
              (state, lab.printer().get("printer-state-message")))
        check(f"{what}: every card is good, in the ledger and in the hopper",
              cards == ["done"] * CARDS and stat["good"] == CARDS and stat["hopper"] == 10 - CARDS,
              (cards, stat["good"]))
        check(f"{what}: no byte that the document does not allow",
              stat["strict"] == 0 and stat["dialect"]["strict"] == 0 and stat["dialect"]["errors"] == 0,
              json.dumps(stat["dialect"]))
        return lab.faces()


def encodings():
    """However planes are sent, the same dots come onto the card."""
    runs = good_job("P430i, both sides, chip", "p430i", "ymckok", {})
    check("both sides of each card were printed", len(runs) == 2 * CARDS, sorted(runs))
    for what, settings in (("plane by plane", {"memory": "standard"}), ("without mono runs", {"mono-compressed": "off"})):
        faces = good_job(f"P430i, {what}", "p430i", "ymckok", settings)
        check(f"{what}: the same faces", faces == runs, (faces, runs))
    faces = good_job("P430i, 256 levels", "p430i", "ymckok", {"colour-levels": "256"})
    check("256 levels: the black backs are the same",
          all(faces.get(k) == v for k, v in runs.items() if "back" in k), faces)


def refused():
    with Lab("p430i", "ymckok", {}) as lab:
        state, cards, stat = lab.job_run()
        message = lab.printer().get("printer-state-message", "")
        check("without a dock command the job is held and names the setting",
              state == "pending-held" and "dock-contactless" in message, (state, message))
        check("and no card was touched", cards == ["queued"] and stat["hopper"] == 10, (cards, stat["hopper"]))


def jam():
    with Lab("p430i", "ymckok", DOCKS, script="at card 2 jam print for 700\n") as lab:
        state, cards, stat = lab.job_run()
        check("a jam on a printer that cannot tell where its card is: held for a person",
              state == "pending-held" and cards == ["done", "doubt"], (state, cards))
        check("and nothing was printed twice", stat["hopper"] == 8 and stat["good"] == 1, stat["hopper"])


def main():
    try:
        encodings()
        refused()
        jam()
    except privatecups.Refused as refusal:
        print(f"check-epcl: {refusal}", file=sys.stderr)
        sys.exit(privatecups.EXIT_REFUSED)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
