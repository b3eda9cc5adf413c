#!/usr/bin/env python3
"""check-setup.py - finding printers and setting them up, with a real cupsd around several emulated printers.

Five printers at once: two Evolis twins with one serial number, an Evolis on USB and on the network, two Zebras. Looks at
what cupsd, CUPS' own usb backend and `cardspool printer` see; makes, changes and removes queues; proves a pairing with a
card, and that a wrong pairing is found out; reads the PPDs, quirks and udev rules against the model tables.

SPDX-License-Identifier: GPL-3.0-or-later
"""
import glob
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pages  # noqa: E402
import privatecups  # noqa: E402

BUILD = os.path.abspath(os.environ.get("builddir", "."))
failed = 0


def check(what, good, why=""):
    global failed
    print(f"{'ok' if good else 'not ok'} - {what}" + ("" if good else f": {why}"), flush=True)
    failed += not good


# ---- programs inside the emulator ----

def inside(root, cupsd):
    """Runs as the emulator's program: cupsd, and whatever a test asks for by way of a socket."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(os.path.join(root, "inside"))
    server.listen(4)
    server.settimeout(0.2)
    daemon = subprocess.Popen(cupsd)
    while daemon.poll() is None:
        try:
            peer, _ = server.accept()
        except TimeoutError:
            continue
        with peer, peer.makefile("rw") as stream:
            ask = json.loads(stream.readline())
            out = subprocess.run(ask["argv"], env=ask["env"], capture_output=True, text=True, check=False)
            stream.write(json.dumps([out.returncode, out.stdout, out.stderr]) + "\n")
    sys.exit(0)


class Setup(privatecups.PrivateCups):
    def command_inside(self):
        return [sys.executable, os.path.abspath(__file__), "--inside", self.root, *self.cupsd_argv()]

    def within(self, *argv):
        """(status, stdout, stderr) of a program that sees the emulated printers."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(self.path("inside"))
            with s.makefile("rw") as stream:
                stream.write(json.dumps({"argv": argv, "env": self.environment()}) + "\n")
                stream.flush()
                return json.loads(stream.readline())

    def card(self, *words):
        return self.within(f"{BUILD}/cardspool", *words)

    def queues(self):
        return dict(re.findall(r"device for (\S+): (\S+)", self.run("lpstat", "-v", check=False).stdout))


def port_free():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# ---- finding ----

def check_finding(c, port):
    listed = json.loads(c.card("printer", "list", "--json")[1])
    seen = {}
    for block in c.run("lpinfo", "-l", "-v").stdout.split("Device: ")[1:]:
        row = dict(re.findall(r"(\S+) = (.*)", block))
        if row.get("uri", "").startswith("cardspool:"):
            seen[row["uri"]] = row
    check("printer list and lpinfo -v have the same five addresses",
          len(listed) == 5 and sorted(seen) == sorted(p["uri"] for p in listed), (sorted(seen), listed))
    check("and the same 1284 ids", all(seen.get(p["uri"], {}).get("device-id") == p["device_id"] != "" for p in listed),
          (listed, seen))
    check("both families are there", {p["make"].upper() for p in listed} == {"EVOLIS", "ZEBRA"}, listed)
    twins = [p for p in listed if p["twin"]]
    check("two with one serial number are told apart by their plug", len(twins) == 2 and
          len({p["uri"] for p in twins}) == 2 and all("&path=" in p["uri"] for p in twins), twins)
    text = c.card("printer", "list")[1]
    check("and the list for people says so", text.count("another has the same serial number") == 2, text)
    own = c.within("env", "CUPS_DATADIR=/usr/share/cups", "/usr/lib/cups/backend/usb")
    names = re.findall(r"^direct (\S+)", own[1], re.M)
    check("without the quirks CUPS' usb backend would take all five", len(names) == 5, own)
    return {p["serial"]: p["uri"] for p in listed}, [p["uri"] for p in twins]


def check_quirks(c):
    out = c.within(c.path("bin/backend/usb"))
    names = re.findall(r"^direct (\S+)", out[1], re.M)
    check("CUPS' own usb backend leaves every Evolis alone", out[0] == 0 and
          not [n for n in names if "evolis" in n.lower()], out)
    left = {re.search(r"P\d+i", n).group() for n in names if re.search(r"P\d+i", n)}
    with open(f"{BUILD}/spooler/cardspool.usb-quirks", encoding="ascii") as f:
        quirks = f.read()
    known = {m for m in ("P310i", "P120i") if re.search(rf"# Zebra {m}\n0x0a5f 0x", quirks)}
    check("and every Zebra whose product id is known", not left & known, (left, known))


# ---- queues ----

def check_add(c, uris, twins):
    one = c.card("printer", "add", "primacy", "--serial", "P1", "--template", "office-badge", "--class", "cards")
    check("printer add makes queue and class in one command", one[0] == 0 and
          c.queues().get("primacy") == uris["P1"] and "primacy" in c.run("lpstat", "-c").stdout, one)
    wrong = c.card("printer", "add", "other", "--serial", "P1", "--class", "primacy")
    check("a class by the name of a queue is refused before a queue is made", wrong[0] == 64 and "Choose another name" in wrong[2] and
          "other" not in c.queues(), wrong)
    options = c.run("lpoptions", "-p", "primacy").stdout
    check("with what a card queue needs", "print-scaling=fill" in options and "template=office-badge" in options and
          "job-sheets=none,none" in options, options)
    policy = c.ipp_all("primacy")
    with open(c.path("etc/printers.conf"), encoding="utf-8") as f:
        conf = f.read()
    check("the queue stops on errors", "ErrorPolicy stop-printer" in conf, conf)
    check("its paper is ID-1 without margins", "media-size-supported (1setOf collection) = {x-dimension=5398 y-dimension=8560}"
          in policy and "media-bottom-margin-supported (integer) = 0" in policy, re.findall(r"media-[a-z]+.*", policy))
    check("its PPD is the model's", "Evolis Primacy" in policy, "")
    before = c.queues()
    again = c.card("printer", "add", "primacy", "--serial", "P1", "--class", "cards", "--json")
    check("the same call again changes nothing", again[0] == 0 and json.loads(again[1])["result"] == "unchanged" and
          c.queues() == before, again)
    other = c.card("printer", "add", "primacy", "--serial", "Z120")
    check("a queue of another printer is not taken over", other[0] == 64 and "belongs to another printer" in other[2] and
          c.queues()["primacy"] == uris["P1"], other)
    many = c.card("printer", "add", "some")
    check("without a name several printers are named", many[0] == 64 and all(u in many[2] for u in uris.values() if
          "path" not in u), many)
    both = c.card("printer", "add", "twin", "--serial", "T7")
    check("twins are refused by serial number, both addresses are named", both[0] == 64 and
          all(u in both[2] for u in twins) and "twin" not in c.queues(), both)
    plain = c.card("printer", "add", "twin", "--uri", twins[0].split("&path")[0])
    check("and by an address without a plug", plain[0] == 64 and "twin" not in c.queues(), plain)
    told = c.card("printer", "add", "twin", "--uri", twins[1])
    check("with the plug one of them gets its queue", told[0] == 0 and c.queues().get("twin") == twins[1], told)
    status = json.loads(c.card("printer", "status", twins[1], "--json")[1])
    check("and answers under that address", len(status) == 1 and status[0]["serial"] == "T7", status)
    none = c.card("printer", "add", "gone", "--serial", "NOBODY")
    check("a printer that is not there is said so", none[0] == 69 and "gone" not in c.queues(), none)
    for words in (("printer", "add", "a b"), ("printer", "add"), ("printer", "add", "q", "--colour", "red"),
                  ("printer", "remove", "nothing-here")):
        out = c.card(*words)
        check(f"\"{' '.join(words)}\" is refused in one line", out[0] in (64, 66) and out[2].count("\n") == 1, out)


def check_pair(c, uris):
    good = f"nfc:pn532_uart:{c.path('emu/p1')}:115200"
    wrong = f"nfc:pn532_uart:{c.path('emu/p2')}:115200"
    absent = c.card("printer", "add", "primacy", "--serial", "P1", "--station", f"nfc:pn532_uart:{c.path('emu/no')}:115200")
    check("a reader that is not there is not paired", absent[0] == 69, absent)
    out = c.card("printer", "add", "primacy", "--serial", "P1", "--station", good)
    with open(c.path("cardspool.conf"), encoding="utf-8") as f:
        conf = f.read()
    check("a reader is paired in cardspool.conf", out[0] == 0 and f"P1={good}" in conf.replace(" ", ""), (out, conf))
    check("all other settings stay", conf.count("worker-user") == 1 and "wait-poll-ms" in conf, conf)
    before = c.state("P1")
    proof = c.card("printer", "pair", "primacy", "--json")
    check("the pairing is proved with a card", proof[0] == 0 and json.loads(proof[1])["proved"] and
          len(json.loads(proof[1])["uid"]) in (8, 14), proof)
    stat = c.state("P1")
    check("that card lies in the reject box", stat["reject"] == before["reject"] + 1 and
          stat["hopper"] == before["hopper"] - 1 and stat["good"] == before["good"], (before, stat))
    c.card("printer", "add", "primacy", "--serial", "P1", "--station", wrong)
    out = c.card("printer", "pair", "primacy")
    check("another printer's reader is found out", out[0] == 69 and "chip" in out[2].lower(), out)
    stat = c.state("P1")
    check("that card was put out too", stat["reject"] == before["reject"] + 2 and
          stat["hopper"] == before["hopper"] - 2, (before, stat))
    kinds = [json.loads(line)["kind"] for line in c.cardspool("ledger", "export").stdout.splitlines()]
    check("each act has intent and outcome in the ledger", [k for k in kinds if k.startswith("pair-")] ==
          ["pair-feeding", "pair-fed", "pair-rejecting", "pair-rejected"] * 2, kinds)
    check("and the failed attempt its record", "station" in c.cardspool("failure", "list").stdout or
          any(k.startswith("failure") for k in kinds[-6:]), kinds)
    sound = c.cardspool("ledger", "verify", check=False)
    check("the ledger is sound", sound.returncode == 0, sound.stderr)
    out = c.card("printer", "add", "primacy", "--serial", "P1", "--no-station")
    with open(c.path("cardspool.conf"), encoding="utf-8") as f:
        check("--no-station ends the pairing", out[0] == 0 and "P1=" not in f.read().replace(" ", ""), out)


def check_network(c, port):
    uri = f"cardspool://EVOLIS/Primacy?host=127.0.0.1&port={port}"
    out = c.card("printer", "add", "net", "--uri", uri)
    whole = c.queues().get("net", "")
    check("a printer on the network gets a queue; it tells its serial number", out[0] == 0 and "serial=P1" in whole and
          f"host=127.0.0.1&port={port}" in whole, (out, whole))
    status = c.card("printer", "status", whole, "--json")
    check("it answers over TCP as on USB", status[0] == 0 and json.loads(status[1])[0]["serial"] == "P1", status)
    out = c.card("printer", "status", whole.replace("serial=P1", "serial=P9"))
    check("another serial number than the address says is refused", out[0] == 69 and "P1" in out[2] and "P9" in out[2], out)
    out = c.card("printer", "status", "cardspool://EVOLIS/Badgy?host=127.0.0.1")
    check("a model without a network option is refused", out[0] == 64 and "USB" in out[2], out)
    out = c.card("printer", "status", f"cardspool://EVOLIS/Primacy?host=127.0.0.1&port={port_free()}")
    check("nobody there: the printer is absent", out[0] == 69, out)
    with socket.create_connection(("127.0.0.1", port)) as held:
        held.sendall(b"\x1bRsn\r")
        held.settimeout(5)
        check("the emulated port speaks the printer's language", held.recv(64).startswith(b"P1"), "")


def check_network_jobs(c):
    """Cards over TCP; then the line breaks while one is printed."""
    c.queue = "net"
    page = pages.pdf(c.path("home/page.pdf"), [(*pages.HEAD, pages.box(20, 20, 300, 200, "1 0 0"))])
    before = c.state("P1")
    state = c.wait_job(c.submit(page))
    after = c.state("P1")
    check("a page becomes a card over the network", state == "completed" and after["good"] == before["good"] + 1,
          (state, c.printer(), after))
    c.tell("@P1 unplug-after 400000")
    job = c.submit(page)
    c.wait(lambda: "stopped" in c.printer()["printer-state"] or "unplugged" in str(c.printer()) or
           "absent" in str(c.printer()) or "network" in str(c.printer()), 30)
    told = c.printer()
    check("a line that breaks in the middle of a card is told", c.job_state(job) != "completed", told)
    c.tell("@P1 plug")
    state = c.wait_job(job, 60)
    rows = [row for row in c.cardspool_json("card", "list")["cards"]] if state else []
    last = c.state("P1")
    fed = before["hopper"] - last["hopper"]
    out = sum(last[k] - before[k] for k in ("good", "reject"))
    held = [r for r in rows if r["state"] == "doubt"]
    check("no card is printed twice, and each one fed is accounted for", last["good"] - after["good"] <= 1 and
          fed == out + last["inside"] and (state == "completed" or held or state in ("printer-stopped", "pending-held")),
          (state, c.printer(), before, last, rows))


def check_remove(c):
    for name in [q for q, device in c.queues().items() if device.startswith("cardspool:")]:
        out = c.card("printer", "remove", name)
        check(f"printer remove {name}", out[0] == 0 and name not in c.queues(), out)
    c.run("lpadmin", "-p", "foreign", "-v", "file:///dev/null", "-m", "raw", check=False)
    out = c.card("printer", "remove", "foreign")
    check("a queue that is not ours is left alone", out[0] == 64 and "foreign" in c.queues(), out)


# ---- files made of the model tables ----

def models():
    return json.loads(subprocess.run([f"{BUILD}/cardspool", "printer", "models", "--json"], capture_output=True, text=True,
                                     check=True).stdout)


def check_ppds():
    ppds = sorted(glob.glob(f"{BUILD}/ppd/*.ppd"))
    rows = models()
    check("a PPD for each model", len(ppds) == len(rows), (ppds, len(rows)))
    out = subprocess.run(["cupstestppd", "-I", "filters", *ppds], capture_output=True, text=True, check=False)
    check("all pass cupstestppd", out.returncode == 0 and out.stdout.count("PASS") == len(ppds), out.stdout[-800:])
    bad, words = [], set()
    for m in rows:
        name = re.sub("[^a-z0-9]", "", m["mdl"].lower())
        with open(f"{BUILD}/ppd/{name}.ppd", encoding="utf-8") as f:
            text = f.read()
        ribbons = re.findall(r"^\*CardRibbon (\w+)/", text, re.M)
        colour = any(r.startswith("y") for r in m["ribbons"])
        facts = (ribbons == m["ribbons"], ("*OpenUI *Duplex" in text) == m["duplex"],
                 ("*OpenUI *CardBrightness" in text) == colour, ("*OpenUI *CardIntent" in text) == colour,
                 ("*OpenUI *CardOverlay" in text) == any("o" in r and r != "kgo" for r in m["ribbons"]),
                 re.findall(r"^\*CardSpeed (\w+)/", text, re.M) == (["Printer", *m["speeds"]] if m["speeds"] else []),
                 re.findall(r"^\*CardMagnetic (\w+)/", text, re.M) ==
                 (["Card"] + ["High", "Low"] * m["coercivity"] + ["None"] if m["magnetic"] else []),
                 ("*OpenUI *CardEncode" in text) == (m["contact"] or m["contactless"]),
                 f'*CardspoolMagnetic: "{str(m["magnetic"]).lower()}"' in text, "*OpenUI *CardBlack" in text,
                 "*OpenUI *CardResinHeat" in text, f"MDL:{m['mdl']};" in text)
        if not all(facts):
            bad.append((m["model"], facts))
        english = set(re.findall(r"^\*(?:OpenUI \*)?(Card\w+|Duplex)(?: (\S+))?/([^:]*):", text, re.M))
        chinese = {(o, k): t for o, k, t in re.findall(r"^\*zh_CN\.(Card\w+|Duplex) (\S+)/([^:]*):", text, re.M)}
        words |= {(o, k, t) for o, k, t in english if k and not k.lstrip("-").isdigit() and
                  not re.search("[\u4e00-\u9fff]", chinese.get((o, k), ""))}
    check("each offers what its model can: ribbons, sides, colour, overlay, speed, magnetic, chip", not bad, bad)
    check("every choice has its Chinese words", not words, sorted(words)[:5])


def matches(rule, device):
    """The matching half of a udev rule, as udev(7) has it: all of them, with * in values."""
    found = re.findall(r'ATTR\{(\w+)\}=="([^"]*)"', rule)
    return bool(found) and all(re.fullmatch(re.escape(v).replace(r"\*", ".*"), device.get(k, "")) for k, v in found)


def check_udev():
    with open(f"{BUILD}/spooler/60-cardspool.rules", encoding="ascii") as f:
        rules = [line.strip() for line in f if line.strip() and not line.startswith("#")]
    form = re.compile(r'(?:[A-Z]+(?:\{\w+\})?(?:==|!=|\+=|=)"[^"]*"(?:, |$))+|LABEL="\w+"')
    check("every udev rule is well formed", all(form.fullmatch(r) for r in rules), [r for r in rules if not form.fullmatch(r)])
    label = re.findall(r'LABEL="(\w+)"', "\n".join(rules))
    check("every jump has its label", set(re.findall(r'GOTO="(\w+)"', "\n".join(rules))) == set(label), label)
    vendors = {"evolis": "0f49", "epcl": "0a5f"}
    missing = [m["model"] for m in models() if not any(
        matches(r, {"idVendor": vendors[m["family"]], "idProduct": f"{m['product'] or 0xfff0:04x}",
                    "product": m["mdl"] + " USB Card Printer"}) and f'ID_CARDSPOOL}}="{m["family"]}"' in r for r in rules)]
    check("each model of the tables is matched by a rule of its family", not missing, missing)
    label_printer = {"idVendor": "0a5f", "idProduct": "0081", "product": "ZTC GK420t"}
    check("a label printer of the same vendor by none", not any(matches(r, label_printer) for r in rules))
    printers = [r for r in rules if "ID_CARDSPOOL}" in r]
    check("each gives the node to lp and a name by serial number", all('GROUP="lp"' in r and 'MODE="0660"' in r and
          "$attr{serial}" in r for r in printers), printers)


# ---- all ----

class Shop(Setup):
    def wait(self, what, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not what():
            time.sleep(0.1)

    def ipp_all(self, queue):
        uri = "ipp://" + self.path("state/cups.sock").replace("/", "%2F") + f"/printers/{queue}"
        return self.run("ipptool", "-tv", uri, "get-printer-attributes.test", check=False).stdout

    def state(self, serial):
        with open(self.path("out", serial, "printer.json"), encoding="utf-8") as f:
            return json.load(f)


def main():
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2], sys.argv[3:])
    check_ppds()
    check_udev()
    port = port_free()
    shop = Shop(BUILD, config_extra=f"[paths]\nppds={BUILD}/ppd\n")
    for one in (f"primacy:serial=P1,hopper=20,station={shop.path('emu/p1')},ribbon=ymckok:50,tcp={port}",
                f"dualys3:serial=T7,station={shop.path('emu/p2')}", "dualys3:serial=T7", "p120i:serial=Z120",
                "p330i:serial=Z330"):
        shop.emulator_args += ["--printer", one]
    with open(shop.path("cardspool.conf"), encoding="utf-8") as f:
        conf = re.sub(r"default=.*\n", "", f.read())
    with open(shop.path("cardspool.conf"), "w", encoding="utf-8") as f:
        f.write(conf)
    # CUPS' own backend with our quirks among its own.
    os.symlink("/usr/lib/cups/backend/usb", shop.path("bin/backend/usb"))
    os.unlink(shop.path("share/usb"))
    shutil.copytree("/usr/share/cups/usb", shop.path("share/usb"))
    shutil.copy(f"{BUILD}/spooler/cardspool.usb-quirks", shop.path("share/usb"))
    try:
        shop.start()
        uris, twins = check_finding(shop, port)
        check_quirks(shop)
        check_add(shop, uris, twins)
        check_network(shop, port)
        check_network_jobs(shop)
        check_pair(shop, uris)
        check_remove(shop)
    except privatecups.Refused as refused:
        print(f"ok - queues # SKIP {refused}")
        shop.close()
        sys.exit(77)
    except (privatecups.Failed, OSError, ValueError, KeyError) as failure:
        check("the private cupsd runs", False, f"{type(failure).__name__}: {failure}")
    finally:
        shop.close()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
