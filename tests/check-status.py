# check-status.py - what a person reads of a printer, and whether a batch fits: a real cupsd, backend and emulator.
#
# For a model of each family: markers and reasons by IPP, `cardspool printer status`, a batch that the ribbon or the
# hopper cannot take, command files (levels, cleaning, test card) under the ledger's rule, a refill.
# Prints a line per check; exit status 1 when one fails, 77 when the kernel does not let the emulator run.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import sys
import time

import insidecups
import machines
import privatecups

BUILD = os.path.abspath(os.environ.get("builddir", "."))
SERIAL = "STATUS01"
failed = 0


def check(what, good, seen=""):
    global failed
    print(f"{'ok' if good else 'not ok'} - {what}" + ("" if good else f": {seen}"), flush=True)
    failed += not good


class Lab(insidecups.InsideCups):
    def __init__(self, model, sets=200, hopper=10, settings=None):
        self.machine = machines.MACHINES[model]
        section = self.machine.section(SERIAL)
        if settings:
            section = (section or f"[printer {SERIAL}]\n") + "".join(f"{k}={v}\n" for k, v in settings.items())
        super().__init__(BUILD, ["--model", model, "--serial", SERIAL, "--hopper", str(hopper),
                                 "--ribbon", f"{self.machine.ribbon}:{sets}", "--seed", "3"],
                         script=self.machine.script() or None, queue=model, ppd=self.machine.ppd(BUILD),
                         config_extra=section)

    def up(self, records):
        folder = self.path("sample")
        os.makedirs(folder)
        self.run(os.path.join(BUILD, "cardspool-sample"), folder)
        roster = os.path.join(folder, "roster.csv")
        with open(roster, "rb") as f:
            lines = f.read().split(b"\n")
        with open(roster, "wb") as f:
            f.write(b"\n".join(lines[:records + 1]) + b"\n")
        self.batch = os.path.join(folder, "batch.cards")
        self.cardspool("pack", roster, "--order", "STATUS-1", "-o", self.batch)
        self.make_keys()
        self.start()
        self.add_queue()
        return self

    def order(self, *options):
        return self.submit(self.batch, f"CardRibbon={self.machine.ribbon}", *options)

    def attributes(self):
        names = ("printer-state-reasons", "printer-state-message", "marker-names", "marker-types", "marker-colors",
                 "marker-levels", "marker-low-levels", "marker-high-levels", "marker-message")
        return self.ipp("Get-Printer-Attributes",
                        f"ATTR uri printer-uri ipp://localhost/printers/{self.queue}", names)

    def status(self):
        code, out, err = self.within(os.path.join(BUILD, "cardspool"), "printer", "status", self.queue, "--json")
        if code:
            raise privatecups.Failed(err)
        return json.loads(out)[0]

    def command(self, *lines):
        path = self.path("home/commands")
        with open(path, "w", encoding="ascii") as f:
            f.write("\n".join(("#CUPS-COMMAND",) + lines) + "\n")
        out = self.run("lp", "-d", self.queue, "-o", "document-format=application/vnd.cups-command",
                       "-o", f"CardRibbon={self.machine.ribbon}", path).stdout
        number = int(out.split("request id is ")[1].split()[0].rsplit("-", 1)[1])
        return self.wait_job(number, 60)

    def until(self, true, what, seconds=40):
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                raise privatecups.Failed(f"not within {seconds} s: {what}: {self.printer()}")
            time.sleep(0.1)

    def until_reason(self, keyword):
        self.until(lambda: keyword in self.printer().get("printer-state-reasons", ""), keyword)

    def services(self):
        lines = self.cardspool("ledger", "export").stdout.splitlines()
        found = [json.loads(line) for line in lines if '"service-' in line]
        return [(e["kind"], e["data"]["what"], e["data"]["outcome"]) for e in found]


def listed(value):
    return [word.strip("\"' ") for word in value.split(",")]


def markers(lab, what, counted):
    """The six lists have one entry a supply, and their figures are those of `printer status`."""
    seen, status = lab.attributes(), lab.status()
    names, levels = listed(seen.get("marker-names", "")), listed(seen.get("marker-levels", ""))
    check(f"{what}: ribbon, cleaning, head and reader are markers",
          [n.split()[0] for n in names] == ["Ribbon", "Cleaning", "Print", "Chip"] or
          sorted(n.split()[0] for n in names) == ["Chip", "Cleaning", "Print", "Ribbon"], seen)
    check(f"{what}: every list of markers has an entry for each",
          all(len(listed(seen.get(f"marker-{k}", ""))) == 4
              for k in ("types", "colors", "levels", "low-levels", "high-levels")), seen)
    supplies = {s["kind"]: s for s in status["supplies"]}
    check(f"{what}: head wear is counted against its rated life", supplies["head"]["capacity"] == 50000 and
          supplies["head"]["level"] == 50000 - counted, supplies["head"])
    shown = {n.split()[0]: level for n, level in zip(names, levels)}
    check(f"{what}: IPP and the command say the same of the head",
          shown.get("Print") == str(supplies["head"]["percent"]), (shown, supplies))
    return supplies


def finished_job(model):
    with Lab(model, hopper=4) as lab:
        lab.up(3)
        state = lab.wait_job(lab.order(), 90)
        check(f"{model}: a job is completed", state == "completed", (state, lab.attributes()))
        supplies = markers(lab, model, 3)
        check(f"{model}: the ledger counts the reader's operations", "reader" not in supplies or
              supplies["reader"]["capacity"] == 100000, supplies)
        status = lab.status()
        check(f"{model}: status knows queue, jobs and tally", status["queue"]["name"] == model and
              status["queue"]["jobs"] == 0 and status["tally"]["good"] == 3 and status["fault"] in ("none", ""), status)
        text = lab.within(os.path.join(BUILD, "cardspool"), "printer", "status", model)[1]
        check(f"{model}: and says it in words", "Print head" in text and f"queue {model}" in text, text)
        fits = {}
        for cards in (1, 100000):
            out = lab.within(os.path.join(BUILD, "cardspool"), "printer", "status", model, "--cards", str(cards), "--json")
            fits[cards] = json.loads(out[1])[0]["fit"]
        known = supplies["ribbon"]["level"] >= 0
        check(f"{model}: status says whether a batch fits", fits[1]["fits"] and fits[1]["text"] == "" and
              fits[100000]["cards"] == 100000 and fits[100000]["fits"] != known and
              ("100000" in fits[100000]["text"]) == known, fits)
        packed = lab.path("home/fit.cards")
        roster = os.path.join(os.path.dirname(lab.batch), "roster.csv")
        out = lab.within(os.path.join(BUILD, "cardspool"), "pack", roster, "--queue", model, "--json", "-o", packed)
        check(f"{model}: pack asks the queue's printer whether it fits", out[0] == 0 and
              json.loads(out[1])["fit"] == "" and os.path.exists(packed), out)
        wrong = lab.within(os.path.join(BUILD, "cardspool"), "printer", "status", model, "--cards", "many")
        check(f"{model}: a count that is none is one line", wrong[0] == 64 and len(wrong[2].splitlines()) == 1, wrong)
        lab.tell("hopper", "empty")
        again = lab.order("cardspool-repeat=yes")
        lab.until_reason("media-empty-error")
        busy = lab.status()
        check(f"{model}: a printer that a job holds is shown by its queue",
              not busy["answered"] and busy["queue"]["state"] == "processing" and busy["queue"]["jobs"] == 1 and
              busy["last_fault"]["code"] == "hopper-empty", busy)
        lab.tell("hopper", "add", "3")
        check(f"{model}: filled up, the job goes on", lab.wait_job(again, 90) == "completed", lab.attributes())


def fit(model, counts):
    """Too little ribbon: said before the first card, held where that is wanted."""
    settings = None if counts else {"ribbon-prints": "2"}
    with Lab(model, sets=200 if not counts else 2, settings=settings) as lab:
        lab.up(3)
        if counts:
            roster = os.path.join(os.path.dirname(lab.batch), "roster.csv")
            out = lab.within(os.path.join(BUILD, "cardspool"), "pack", roster, "--queue", model, "-o", lab.path("home/fit.cards"))
            check(f"{model}: pack says that the ribbon is too short", out[0] == 0 and "needs 3 prints" in out[1] and
                  "has 2 left" in out[1] and f"lp -d {model}" in out[1], out)
        job = lab.order("cardspool-fit=hold")
        state = lab.wait_job(job, 60)
        seen = lab.attributes()
        check(f"{model}: fit=hold holds a batch that the ribbon cannot print",
              state == "pending-held" and "needs 3 prints" in seen.get("printer-state-message", "") and
              "has 2 left" in seen["printer-state-message"], (state, seen))
        check(f"{model}: with the reason marker-supply-low, and no card touched",
              "marker-supply-low-warning" in seen["printer-state-reasons"] and lab.tell("stat")["hopper"] == 10, seen)
        check(f"{model}: the sentence stays beside the markers", "needs 3 prints" in seen.get("marker-message", ""), seen)
        lab.run("lp", "-i", str(job), "-o", "cardspool-fit=warn", "-H", "resume")
        if counts:
            lab.until_reason("marker-supply-empty-error")
            check(f"{model}: fit=warn prints as far as the ribbon goes", lab.tell("stat")["good"] == 2, lab.tell("stat"))
            lab.run("cancel", str(job))
            return
        state = lab.wait_job(job, 90)
        check(f"{model}: fit=warn lets it print", state == "completed", (state, lab.attributes()))


def commands(model):
    with Lab(model) as lab:
        lab.up(1)
        check(f"{model}: ReportLevels is completed", lab.command("ReportLevels") == "completed", lab.attributes())
        check(f"{model}: and fills the markers", "Ribbon" in lab.attributes().get("marker-names", ""), lab.attributes())
        state = lab.command("PrintSelfTestPage")
        check(f"{model}: a test card", state == "completed" and lab.services() ==
              [("service-begun", "test-card", ""), ("service-ended", "test-card", "done")],
              (state, lab.services(), lab.attributes().get("printer-state-message")))
        stat, tally = lab.tell("stat"), lab.status()["tally"]
        check(f"{model}: it came out and is no card of anybody's", stat["good"] == 1 and tally["fed"] == 0, (stat, tally))
        lab.tell("ribbon", "none")  # as the manual of both families wants it
        state = lab.command("Clean")
        check(f"{model}: a cleaning run", state == "completed" and lab.services()[-1] ==
              ("service-ended", "cleaning", "done"), (state, lab.services(),
                                                      lab.attributes().get("printer-state-message")))
        check(f"{model}: an unknown command is refused before anything is done",
              lab.command("PrintSelfTestPage", "MakeTea") == "canceled" and len(lab.services()) == 4, lab.services())
        check(f"{model}: the ledger is sound", lab.cardspool("ledger", "verify", check=False).returncode == 0)


def main():
    wanted = sys.argv[1:]
    try:
        for model, counts in (("dualys3", True), ("primacy", True), ("p310i", False), ("p330i", False)):
            if wanted and model not in wanted:
                continue
            finished_job(model)
            fit(model, counts)
            commands(model)
    except privatecups.Refused as refusal:
        print(f"check-status: {refusal}", file=sys.stderr)
        sys.exit(privatecups.EXIT_REFUSED)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
