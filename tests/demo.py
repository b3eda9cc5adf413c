# demo.py - the main job, shown: a roster becomes finished cards through the programs an office would use.
#
#   demo.py --build BUILD [--printer MODEL] DIR
#
# Runs cardspool-sample, cardspool pack and plain lp against a private cupsd with an emulated printer (an Evolis
# Dualys 3 unless another is named), lets one chip fail and one card jam, and leaves roster, batch, cards, ledger,
# failures and a summary in DIR.
# Exit status 0 only when every record has exactly one good card and the numbers add up; 77 when the kernel does not
# let the emulator run.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import argparse
import hashlib
import json
import os
import shutil
import sys
import time

import machines
import pcsccups
import privatecups

# The two mishaps: the fifth card from the hopper carries a chip that another issuer has used, and the eleventh jams
# under the head until the operator, played by the console, has taken it out.
MISHAPS = """at card 5 chip 5 used
at card 11 jam print for 700
"""
HOPPER = 100
STATE_WORDS = {"rejected": "rejected", "spoiled": "taken out by hand"}


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=False, indent=2)
        f.write("\n")


class Progress:
    """One line for each card that ends, and one for each failure, as they happen."""

    def __init__(self, cups, job, n_cards):
        self.cups, self.job, self.n_cards = cups, job, n_cards
        self.seen = {}

    def poll(self, _state=None):
        try:
            cards = self.cups.cardspool_json("card", "list", "--job", str(self.job))["cards"]
        except (privatecups.Failed, KeyError, ValueError):
            return
        for card in cards:
            if self.seen.get(card["id"]) == card["state"]:
                continue
            self.seen[card["id"]] = card["state"]
            label = f"card {card['card']:>3} of {self.n_cards}"
            if card["state"] == "done":
                print(f"  {label}  good      chip {card['uid']}  {card['number']}  {card['name']}", flush=True)
            elif card["state"] in STATE_WORDS:
                print(f"  {label}  {STATE_WORDS[card['state']]}: {card['cause']}; a fresh card takes its place",
                      flush=True)
            elif card["state"] == "doubt":
                print(f"  {label}  held: look at the card, then cardspool card resolve {card['id']}", flush=True)


def physical_cards(out):
    """Every card that left the emulated machine, in the order of the hopper."""
    found = []
    for name in sorted(os.listdir(out)):
        meta = os.path.join(out, name, "card.json")
        if os.path.isfile(meta):
            with open(meta, encoding="utf-8") as f:
                found.append((os.path.join(out, name), json.load(f)))
    return found


def collect(cups, directory, cards):
    """Joins what the machine made with what the ledger says, by the chip's UID."""
    by_uid = {c["uid"].lower(): c for c in cards if c["uid"]}
    jammed = [c for c in cards if c["state"] in ("spoiled", "rejected") and not c["uid"]]
    rejects = 0
    for folder, meta in physical_cards(cups.path("out")):
        row = by_uid.get(meta["uid"].lower()) or (jammed.pop(0) if jammed else None)
        if row is None:
            raise privatecups.Failed(f"physical card {meta['serial']} is not in the ledger")
        if row["state"] == "done":
            target = os.path.join(directory, "cards", f"{row['card']:04d}")
        else:
            rejects += 1
            target = os.path.join(directory, "rejected", f"{rejects:04d}")
        os.makedirs(target)
        hashes = {}
        for name in ("front.png", "back.png", "chip.mfd"):
            if os.path.exists(os.path.join(folder, name)):
                shutil.copyfile(os.path.join(folder, name), os.path.join(target, name))
                hashes[name] = sha256(os.path.join(target, name))
        write_json(os.path.join(target, "card.json"), {
            "record": row["card"], "copy": row["copy"], "attempt": row["attempt"],
            "number": row["number"], "uid": meta["uid"], "state": row["state"], "cause": row["cause"],
            "bin": meta["bin"], "sha256": hashes,
            "ledger": {"front": row["front_hash"], "back": row["back_hash"], "chip": row["chip_hash"],
                       "record": row["record_hash"]}})


def prepare(directory):
    if os.path.isdir(directory) and os.listdir(directory):
        if not os.path.exists(os.path.join(directory, "summary.json")) and \
                not os.path.exists(os.path.join(directory, "roster.csv")):
            sys.exit(f"demo: {directory} is not empty; name a new folder")
        for name in ("roster.csv", "batch.cards", "ledger.db", "failures.json", "summary.json"):
            if os.path.exists(os.path.join(directory, name)):
                os.remove(os.path.join(directory, name))
        for name in ("cards", "rejected", "photos"):
            shutil.rmtree(os.path.join(directory, name), ignore_errors=True)
    for name in ("cards", "rejected"):
        os.makedirs(os.path.join(directory, name), exist_ok=True)


def demo(build, directory, mishaps=MISHAPS, cups_class=privatecups.PrivateCups, quiet=False, printer="dualys3"):
    """Returns (summary, the stopped PrivateCups); the caller closes it."""
    say = (lambda *a: None) if quiet else (lambda *a: print(*a, flush=True))
    prepare(directory)
    at = lambda name: os.path.join(directory, name)
    machine, serial = machines.MACHINES[printer], "DEMO0001"
    cups = cups_class(build, ["--model", machine.model, "--serial", serial, "--hopper", str(HOPPER),
                              "--ribbon", f"{machine.ribbon}:200", "--seed", "1"], script=machine.script() + mishaps,
                      queue=machine.model, ppd=machine.ppd(build), config_extra=machine.section(serial))
    try:
        cups.run(os.path.join(build, "cardspool-sample"), directory)
        say(f"  sample roster   {at('roster.csv')}")
        packed = json.loads(cups.cardspool("pack", at("roster.csv"), "--order", "DEMO-2026-001", "-o",
                                           at("batch.cards"), "--json").stdout)
        n = packed["records"]
        say(f"  packed          {at('batch.cards')}: {n} records with photos, checked")
        cups.make_keys()
        cups.start()
        cups.add_queue()
        say(f"  printer         {cups.uri}")
        job = cups.submit(at("batch.cards"), f"CardRibbon={machine.ribbon}")
        say(f"  queued          lp -d {cups.queue} -o CardRibbon={machine.ribbon} {at('batch.cards')}   (job {job})")
        progress = Progress(cups, job, n)
        started = time.monotonic()
        state = cups.wait_job(job, 300, poll=None if quiet else progress.poll)
        seconds = time.monotonic() - started
        if not quiet:
            progress.poll()
        cards = cups.cardspool_json("card", "list", "--job", str(job))["cards"]
        failures = cups.cardspool_json("failure", "list", "--job", str(job))
        write_json(at("failures.json"), failures)
        stat = cups.tell("stat")
        printer = cups.printer()
        impressions = int(cups.job(job).get("job-impressions-completed", "0"))
        collect(cups, directory, cards)
        cups.stop()
        cups.cardspool("ledger", "copy", at("ledger.db"))
    except BaseException:
        cups.close()
        raise
    done = sum(c["state"] == "done" for c in cards)
    doubt = sum(c["state"] == "doubt" for c in cards)
    rejected = sum(c["state"] in ("rejected", "spoiled") for c in cards)
    fed = HOPPER - stat["hopper"]
    summary = {"records": n, "fed": fed, "good": done, "rejected": rejected, "doubt": doubt,
               "rejected_by_cause": {}, "job": job, "job_state": state,
               "message": printer.get("printer-state-message", ""), "seconds": round(seconds, 2), "impressions": impressions}
    for c in cards:
        if c["state"] in ("rejected", "spoiled"):
            summary["rejected_by_cause"][c["cause"]] = summary["rejected_by_cause"].get(c["cause"], 0) + 1
    summary["adds_up"] = fed == done + rejected + doubt
    write_json(at("summary.json"), summary)
    return summary, cups


def main():
    parser = argparse.ArgumentParser(prog="run-demo")
    parser.add_argument("--build", required=True)
    parser.add_argument("--printer", choices=machines.WITH_CHIPS, default="dualys3", metavar="MODEL",
                        help="one of: " + ", ".join(machines.WITH_CHIPS))
    parser.add_argument("--no-mishaps", action="store_true", help="nothing jams and no chip fails")
    parser.add_argument("--reader", metavar="NAME",
                        help="chips through a real pcscd and the PC/SC reader of that name, not through libnfc")
    parser.add_argument("directory", nargs="?", default="demo")
    args = parser.parse_args()
    cups_class = pcsccups.with_reader(args.reader) if args.reader else privatecups.PrivateCups
    directory = os.path.abspath(args.directory)
    title = machines.MACHINES[args.printer].title
    print(f"Cardspool demo: a batch of special-operation certificates on an emulated {title}\n")
    try:
        summary, cups = demo(os.path.abspath(args.build), directory, "" if args.no_mishaps else MISHAPS,
                             cups_class, printer=args.printer)
    except privatecups.Refused as refusal:
        print(f"demo: {refusal}", file=sys.stderr)
        sys.exit(privatecups.EXIT_REFUSED)
    except privatecups.Failed as failure:
        sys.exit(f"demo: {failure}")
    cups.close()
    print(f"\n  fed {summary['fed']} = good {summary['good']} + rejected {summary['rejected']} + doubt "
          f"{summary['doubt']}   in {summary['seconds']} s")
    if summary["job_state"] != "completed" or not summary["adds_up"] or summary["good"] != summary["records"]:
        sys.exit(f"demo: the job ended {summary['job_state']}: {summary['message']}")
    print(f"""
Look at
  {directory}/cards/0001/front.png and back.png    what the print head put on the card
  {directory}/cards/0001/card.json                 record, chip UID, hashes
  {directory}/rejected/                            the two cards that went wrong, and why
  {directory}/failures.json, summary.json, ledger.db

Print the next batch on a real printer
  sudo make -C build install && sudo systemctl restart cups
  sudo cardspool key create                        master keys, readable by root alone
  sudo cardspool printer add cards                 the queue of the printer that is connected
  sudo cardspool printer pair cards                proves with one blank card which reader is in it
  cardspool pack roster.csv -o batch.cards && lp -d cards batch.cards""")


if __name__ == "__main__":
    main()
