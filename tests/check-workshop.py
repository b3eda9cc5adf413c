# check-workshop.py - a machine that stops, seen where people look: a real cupsd, backend and emulated printer.
#
# A batch of three with two blank cards in the feeder: the workshop page, the journal (a socket of our own), the command
# of [notify] and the figures must tell of the empty feeder, and of its end when cards are put in.
# Prints a line per check; exit status 1 when one fails, 77 when the kernel does not let the emulator run.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import re
import select
import socket
import subprocess
import sys
import time

import privatecups
from webclient import PASS, WAIT, Visitor

BUILD = os.path.abspath(os.environ.get("builddir", "."))
failed = 0


def check(what, good, seen=""):
    global failed
    failed += not good
    print(f"{'ok' if good else 'not ok'} - {what}" + ("" if good else f": {seen}"), flush=True)


class Journal:
    """The other end of the journal's socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        os.chmod(path, 0o666)
        self.entries = []

    def wait(self, true):
        end = time.monotonic() + WAIT
        while not any(map(true, self.entries)) and time.monotonic() < end:
            if select.select([self.socket], [], [], 0.5)[0]:
                entry = self.socket.recv(65536).decode("utf-8", "replace")
                self.entries.append(dict(line.split("=", 1) for line in entry.splitlines() if "=" in line))
        return next(filter(true, self.entries), {})


def until(true):
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        got = true()
        if got:
            return got
        time.sleep(0.2)
    return ""


def batch_of(lab, n):
    folder = lab.path("sample")
    os.makedirs(folder)
    lab.run(os.path.join(BUILD, "cardspool-sample"), folder)
    roster = os.path.join(folder, "roster.csv")
    with open(roster, "rb") as f:
        lines = f.read().split(b"\n")
    with open(roster, "wb") as f:
        f.write(b"\n".join(lines[:n + 1]) + b"\n")
    batch = os.path.join(folder, "batch.cards")
    lab.cardspool("pack", roster, "--order", "SHOP-1", "-o", batch)
    return batch


class Page:
    """What webclient.Visitor wants of a shop."""

    def __init__(self, lab):
        self.server = subprocess.Popen([os.path.join(BUILD, "cardspool"), "web", "--listen", "127.0.0.1:0", "--json"],
                                       env=lab.environment(), stdout=subprocess.PIPE, text=True)
        line = self.server.stdout.readline()
        if not line:
            raise privatecups.Failed("the page does not start")
        self.host = re.search(r"//([^/]+)/", json.loads(line)["url"]).group(1)
        self.port = int(self.host.rsplit(":", 1)[1])

    def close(self):
        self.server.terminate()
        self.server.communicate(timeout=WAIT)


def follow(lab, journal, told):
    job = lab.submit(lab.batch, "CardRibbon=ymcko")
    entry = journal.wait(lambda e: e.get("CARDSPOOL_CAUSE") == "hopper-empty")
    check("the journal has the empty feeder, with fields", entry.get("PRIORITY") == "3" and
          entry.get("CARDSPOOL_ORDER") == "SHOP-1" and entry.get("CARDSPOOL_STEP") == "feed", journal.entries)
    # The first job made the ledger; now there can be people.
    done = lab.run(os.path.join(BUILD, "cardspool"), "person", "add", "Chen", "--role", "reviewer", input=PASS + "\n")
    check("a person is added while the machine waits", "fingerprint" in done.stdout.lower(), done.stdout)
    page = lab.page = Page(lab)
    v = Visitor(page)
    check("a reviewer signs in", v.sign_in("Chen").status == 303)
    text = until(lambda: (lambda t: t if "Card feeder empty" in t and "wants somebody" in t else None)(v.get("/").text))
    check("the page shows which machine wants somebody, and what to do", text and "Put blank cards" in text, v.get("/").text)
    check("it shows the supplies that the printer reported", "<meter" in text and "Ribbon" in text, text)
    check("and the order's progress", "SHOP-1" in text and "2 / 3" in text, text)
    text = v.get("/batches").text
    check("the batch is active", ">active<" in text and "2 / 3" in text, text)
    event = until(lambda: os.path.exists(told) and os.path.getsize(told) and json.load(open(told, encoding="utf-8")))
    check("the command was told", event and event["event"] == "stopped" and event["code"] == "hopper-empty" and
          "holder" not in event, event)
    figures = lab.cardspool("metrics").stdout
    check("the figures have it", "cardspool_failures_open 1\n" in figures and 'outcome="good"} 2\n' in figures and
          "cardspool_cups_up 1\n" in figures and "cardspool_supply_percent{" in figures, figures)
    ident = entry["CARDSPOOL_FAILURE"]
    page_text = v.get(f"/record?id={ident}").text
    check("an open record cannot be signed", "It is still open" in page_text and 'name="ids"' not in page_text)

    lab.tell("hopper add 5")
    check("cards are put in, the job ends", lab.wait_job(job) == "completed", lab.job(job))
    entry = journal.wait(lambda e: e.get("PRIORITY") == "6" and e.get("CARDSPOOL_FAILURE") == ident)
    check("the journal has its end", entry.get("CARDSPOOL_CAUSE") == "hopper-empty", journal.entries)
    text = until(lambda: (lambda t: t if "wants somebody" not in t and ">idle<" in t else None)(v.get("/").text))
    check("the page too", text and "3 / 3" in text, v.get("/").text)
    form = v.get(f"/record?id={ident}")
    a = v.post("/sign", {"form": form.field("form"), "ids": ident, "pass": PASS})
    check("the record is signed on the page", a.status == 303, (a.status, a.text))
    check("the whole log verifies", lab.cardspool("failure", "verify", check=False).returncode == 0 and
          lab.cardspool("ledger", "verify", check=False).returncode == 0)
    check("nobody's name went out", not any("王" in str(e) or "CARDSPOOL_HOLDER" in e for e in journal.entries))


def main():
    lab = None
    try:
        lab = privatecups.PrivateCups(BUILD, ["--hopper", "2", "--ribbon", "ymcko:200", "--seed", "3"],
                                      config_extra="[notify]\ncommand=%s\n" % "PLACE")
        lab.page = None
        told = lab.path("run/told.json")
        hook = lab.path("home/hook")
        with open(hook, "w", encoding="ascii") as f:
            f.write(f"#!/bin/sh\ncat >{told}.new && mv {told}.new {told}\n")
        os.chmod(hook, 0o755)
        conf = lab.path("cardspool.conf")
        with open(conf, encoding="utf-8") as f:
            text = f.read().replace("PLACE", hook)
        with open(conf, "w", encoding="utf-8") as f:
            f.write(text)
        journal = Journal(lab.path("run/journal"))
        lab.batch = batch_of(lab, 3)
        lab.make_keys()
        lab.start()
        lab.add_queue()
        follow(lab, journal, told)
    except privatecups.Refused as refusal:
        print(f"check-workshop: {refusal}", file=sys.stderr)
        sys.exit(privatecups.EXIT_REFUSED)
    finally:
        if lab and lab.page:
            lab.page.close()
        if lab:
            lab.close()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
