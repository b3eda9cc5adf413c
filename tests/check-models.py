# check-models.py - every model of the tables, from discovery to finished cards, through a real cupsd.
#
# For each model one queue with its own PPD. Each common kind of ribbon is put in and printed on, both sides and the
# magnetic stripe where the model has them; then a test card and a cleaning run. Cards are judged by the emulator's
# pictures, which share no code with the drivers. Names of models as arguments: only these.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import subprocess
import sys

import privatecups
from pages import HEAD, at, box, pdf, png, text

BUILD = os.environ.get("builddir", ".")
RIBBONS = ("ymckok", "ymcko", "ymckos", "ko", "k")
# No source has the numbers of most ribbons: the printer is to read their tags.
ZEBRA = "[printer MODELS1]\n" + "".join(f"ribbon-{name}=tag\n" for name in ("ymckok", "ymcko", "ko", "k"))
NO_ENCODER = ("p120i",)  # the emulated one was bought without
STRIPE = ("LI^ANNA", "4711=2612", "00815")
RED, BLACK = (560, 200, 200, 120), (100, 380, 120, 100)  # within the dye of half a panel
failed = 0


def check(promise, good, why=""):
    global failed
    print(("ok - " if good else "not ok - ") + promise + ("" if good else f": {why}"), flush=True)
    failed += not good


def models():
    done = subprocess.run([os.path.join(BUILD, "cardspool"), "printer", "models", "--json"], stdout=subprocess.PIPE, check=True)
    return {m["mdl"].lower().replace(" ", ""): m for m in json.loads(done.stdout)}


class Shop(privatecups.PrivateCups):
    def __init__(self, name, model):
        first = next(r for r in RIBBONS if r in model["ribbons"])
        super().__init__(BUILD, ["--model", name, "--serial", "MODELS1", "--hopper", "50", "--ribbon", f"{first}:50", "--seed", "4"],
                         queue=name, ppd=f"{name}.ppd", config_extra=ZEBRA if model["family"] == "epcl" else "")
        self.name, self.model, self.seen = name, model, set()
        self.stripe = model["magnetic"] and name not in NO_ENCODER
        self.emulator_args += ["--log", self.path("emu/log")]

    def page(self, magnetic):
        escapes = [text(60, 60 * i + 60, 40, f"~{i + 1}{'%;;'[i]}{track}?") for i, track in enumerate(STRIPE)] if magnetic else []
        return (*HEAD, "\n".join([box(*RED, "1 0 0"), box(*BLACK, "0 0 0")] + escapes))

    def new_cards(self):
        new = sorted(set(os.listdir(self.path("out"))) - self.seen - {"printer.json"})
        self.seen.update(new)
        return [self.path("out", card) for card in new]

    def command(self, line):
        self._write("home/commands", f"#CUPS-COMMAND\n{line}\n")
        out = self.run("lp", "-d", self.queue, "-o", "document-format=application/vnd.cups-command", "-o",
                       f"CardRibbon={self.fitted}", self.path("home/commands")).stdout
        return self.wait_job(int(out.split("request id is ")[1].split()[0].rsplit("-", 1)[1]), 60)


def picture_wrong(path, family, red):
    """What a side shows elsewhere than drawn; a Zebra head is 8 dots narrower and 8 lines longer than the card."""
    image = png(path)
    dx, dy = (4, -4) if family == "epcl" else (0, 0)
    wrong = []
    for what, (x, y, w, h), good in (("black", BLACK, lambda p: max(p) < 90), ("red", RED, lambda p: p[0] > 140 and max(p[1:]) < 130)):
        if what == "red" and not red:
            continue
        x, y = x + dx, y + dy
        inside = [(x + 4, y + 4), (x + w - 5, y + 4), (x + 4, y + h - 5), (x + w - 5, y + h - 5)]
        outside = [(x - 6, y + 9), (x + w + 6, y + 9), (x + 9, y - 6), (x + 9, y + h + 6)]
        wrong += [(what, p, at(image, *p)) for p in inside if not good(at(image, *p))]
        wrong += [(f"around {what}", p, at(image, *p)) for p in outside if min(at(image, *p)) < 200]
    return wrong


def check_ribbon(shop, ribbon):
    model, both = shop.model, shop.model["duplex"] and ribbon == "ymckok"
    pages = [shop.page(shop.stripe)] + [shop.page(False)] * both
    path = pdf(shop.path("home", f"{ribbon}.pdf"), pages)
    shop.tell(f"ribbon wrong {ribbon}:50")
    shop.fitted = ribbon
    job = shop.submit(path, f"CardRibbon={ribbon}", *["Duplex=DuplexNoTumble"] * both)
    state = shop.wait_job(job, 90)
    cards = shop.new_cards()
    what = f"{shop.name}: a card on {ribbon}" + ", both sides" * both + ", magnetic stripe" * shop.stripe
    if state != "completed" or len(cards) != 1:
        check(what, False, (state, cards, shop.job(job).get("job-printer-state-message"), shop.printer()))
        shop.run("cancel", "-a", check=False)
        shop.run("cupsenable", shop.queue, check=False)
        return
    with open(os.path.join(cards[0], "card.json"), encoding="utf-8") as f:
        wrong = [] if json.load(f)["bin"] == "good" else ["not in the output hopper"]
    for side in ("front", "back")[:1 + both]:
        picture = os.path.join(cards[0], f"{side}.png")
        wrong += picture_wrong(picture, model["family"], side == "front" and "y" in ribbon) if os.path.exists(picture) else [side]
    tracks = os.path.join(cards[0], "tracks.txt")
    if shop.stripe and (not os.path.exists(tracks) or open(tracks, encoding="ascii").read().split() != list(STRIPE)):
        wrong.append("stripe")
    check(what, not wrong, wrong)


def check_service(shop):
    state = shop.command("PrintSelfTestPage")
    check(f"{shop.name}: a test card", state == "completed" and len(shop.new_cards()) == 1, (state, shop.printer()))
    shop.tell("ribbon none")  # as the manual of both families wants it
    state = shop.command("Clean")
    check(f"{shop.name}: a cleaning run", state == "completed", (state, shop.printer()))
    verify = shop.cardspool("ledger", "verify", check=False)
    check(f"{shop.name}: the ledger is sound", verify.returncode == 0, verify.stdout)
    with open(shop.path("emu/log"), encoding="utf-8", errors="replace") as f:
        odd = [line for line in f if line.startswith("strict:") and "Rrt;count" not in line]  # asks for the dialect
    check(f"{shop.name}: nothing was sent that the protocol document does not allow", not odd, odd[:3])


def check_encoder(shop):
    """A printer that was bought without an encoder, and a page with stripe data."""
    shop.tell("ribbon wrong k:50")
    job = shop.submit(pdf(shop.path("home/stripe.pdf"), [shop.page(True)]), "CardRibbon=k")
    state, line = shop.wait_job(job, 60), shop.printer().get("printer-state-message", "")
    check(f"{shop.name}: without an encoder the queue stops with one line", state == "printer-stopped" and
          "magnetic encoder is missing" in line and "\n" not in line, (state, line))


def main():
    table, wanted = models(), sys.argv[1:]
    check("every model has its PPD", all(os.path.exists(os.path.join(BUILD, "ppd", f"{name}.ppd")) for name in table), list(table))
    for name, model in table.items():
        if wanted and name not in wanted:
            continue
        with Shop(name, model) as shop:
            try:
                shop.make_keys()
                shop.start()
                shop.add_queue()
                for ribbon in RIBBONS:
                    if ribbon in model["ribbons"]:
                        check_ribbon(shop, ribbon)
                check_service(shop)
                if name in NO_ENCODER:
                    check_encoder(shop)
            except privatecups.Refused as refused:
                print(f"ok - models # SKIP {refused}")
                sys.exit(77)
            except privatecups.Failed as failure:
                check(f"{name}: the cases run", False, failure)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
