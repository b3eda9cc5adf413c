# faultrows.py - one row for each way a printer or a chip can fail, a list for each family.
#
# Owns how a fault is brought about at the emulator's console, and what must become of the cards. The words that a
# person reads come from `cardspool fault list`. What a family cannot say at all stands in its exceptions, with who
# looks at it instead.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import os
import signal

N_RECORDS = 2
# How long a Zebra printer's fault stands: it forgets what it met as soon as it is cleared.
EPCL_SETTINGS = {"fault-hold-ms": "1500"}

# Faults of the table that no row can bring about, and who looks at them instead.
EVOLIS_EXCEPTIONS = {
    "card-marked": "a guard of the driver that the pass never runs into: it rejects such a card first (test-evolis)",
    "magnetic": "a code of the EPCL family, with which no row of this table prints (test-epcl)",
    "ledger": "a disk that is full or a ledger that is locked is no machine's fault (check-bad-input, torture)",
}


# No code of this family says these, or the queue of this test cannot bring them about.
EPCL_EXCEPTIONS = {
    **{code: EVOLIS_EXCEPTIONS[code] for code in ("card-marked", "ledger")},
    "magnetic": "a card of this table has no stripe data (test-epcl)",
    "jam-flipping": "a printer that prints one side has no turning unit (check-epcl runs one that has)",
    "jam-ejecting": "printing and putting out are one list: a jam there is jam-printing",
    "output-full": "shows as a jam: no code for it",
    "reject-full": "shows as a jam: no code for it",
    "ribbon-missing": "a missing ribbon and a used-up one are told as ribbon-end",
    "cleaning-due": "the printer counts passes and stops for none",
}


class Row:
    """arm: lines of the console before the job; {n} is the next card of the hopper, {m} the one behind it.
    stands: the fault waits for a person, who acts by `hand`: lines, or functions of the lab.
    bad: what becomes of the cards that were spent, in ledger states. card: of which record the message speaks.
    records: failure records, (code, step) each. command: the job needs it to go on. own_words: the message says more
    than the table and contains this."""

    def __init__(self, name, code, step, arm, hand=(), stands=None, bad=(), records=None, card=1, command=None,
                 queue="processing", short=False, before=None, end="completed",
                 own_words=None):
        self.name, self.code, self.step, self.arm, self.hand = name, code, step, arm, hand
        self.stands = bool(hand) if stands is None else stands
        self.bad = sorted(bad)
        self.records = records if records is not None else [(code, step)]
        self.card, self.command, self.queue, self.short = card, command, queue, short
        self.before, self.end, self.own_words = before, end, own_words


def kill_worker(lab):
    """SIGKILL to the process that holds the device: the younger child of the supervisor."""
    supervisors = {p for p, exe in lab.processes() if exe == lab.cups.path("bin/backend/cardspool")}
    children = sorted(p for p in supervisors if lab.parent(p) in supervisors)
    os.kill(children[-1], signal.SIGKILL)


def wait_stopped(lab):
    lab.until("the queue stops", lambda: "stopped" in lab.cups.printer().get("printer-state", ""))


def keys_hide(lab):
    os.rename(lab.cups.path("keys/master.keys"), lab.cups.path("keys/away"))


def keys_back(lab):
    os.rename(lab.cups.path("keys/away"), lab.cups.path("keys/master.keys"))


def twin_arm(lab):
    """The next card in the hopper carries the number of a card that was issued."""
    issued = next(c["uid"] for c in lab.truth if c["state"] == "done")
    lab.console(f"chip {lab.next_card()} uid {issued}")


def enable(lab):
    lab.cups.run("cupsenable", lab.cups.queue)


def settle(*verdict):
    """Nothing shows what became of the card: the job is held, and the person who looked says it."""
    def settled(lab):
        lab.until("the job is held", lambda: lab.cups.job_state(lab.job) == "pending-held")
        card = next(c for c in lab.cards(lab.job) if c["state"] == "doubt")
        lab.cups.cardspool("card", "resolve", str(card["id"]), *verdict, "--reason", "looked")
        lab.cups.run("lp", "-i", str(lab.job), "-H", "resume")
    return settled


def enable_then(settled):
    def both(lab):
        enable(lab)
        settled(lab)
    return both


is_good, taken_out, was_rejected = settle("--good"), settle("--spoiled"), settle("--rejected")
CLEAR = ("clear",)

EVOLIS_PRINTER = (
    Row("hopper empty", "hopper-empty", "feed", ["hopper empty"], ["hopper add 1"], short=True),
    Row("jam while feeding", "jam-feeding", "feed", ["jam feed"], CLEAR, bad=["spoiled"]),
    Row("jam at the station", "jam-feeding", "feed", ["jam station"], CLEAR, bad=["spoiled"]),
    Row("jam leaving the station", "jam-station", "print", ["at cmd Si jam station"], CLEAR, bad=["spoiled"]),
    Row("jam while printing", "jam-printing", "print", ["jam print"], CLEAR, bad=["spoiled"], short=True),
    Row("jam while flipping", "jam-printing", "print", ["jam flip"], CLEAR, bad=["spoiled"]),
    Row("jam while flipping, told at once", "jam-flipping", "print", ["say Sv CARD JAM", "at cmd {back} jam now"],
        CLEAR, bad=["spoiled"]),
    Row("jam while ejecting", "jam-printing", "print", ["jam eject"], CLEAR, bad=["spoiled"]),
    Row("exit blocked, told by the exit", "jam-ejecting", "print", ["say Se ERROR HOPPER", "at cmd {finish} jam now"],
        CLEAR, bad=["spoiled"]),
    Row("jam while rejecting", "jam-rejecting", "reject", ["chip {n} dead", "jam reject"], CLEAR, bad=["spoiled"],
        records=[("jam-rejecting", "reject"), ("no-chip", "encode")]),
    Row("cover open before the feed", "cover-open", "feed", ["cover open"], ["cover close"]),
    Row("cover open while it prints", "cover-open", "print", ["at cmd {print} cover open"], ["cover close"],
        bad=["rejected"]),
    Row("ribbon end before a card", "ribbon-end", "feed", ["ribbon end"], ["ribbon new"]),
    Row("ribbon end in the middle of a card", "ribbon-end", "print", ["at cmd {planes} ribbon end"], ["ribbon new"],
        bad=["rejected"], short=True),
    Row("no ribbon", "ribbon-end", "feed", ["ribbon none"], ["ribbon new"]),
    Row("no ribbon, told by its tag", "ribbon-missing", "feed", ["say Rcr ERR RIB DETECTION"], ["say off"]),
    Row("ribbon of the wrong type", "ribbon-wrong", "print", ["ribbon wrong {wrong}:200"],
        ["cover open", "pause", "ribbon new", "cover close"], bad=["rejected"]),
    Row("output hopper full", "output-full", "print", ["output full"], ["output empty"], bad=["rejected"]),
    Row("reject box full", "reject-full", "reject", ["reject full", "chip {n} dead"], ["reject empty"],
        bad=["rejected"], records=[("reject-full", "reject"), ("no-chip", "encode")]),
    Row("head too hot", "head-hot", "print", ["at cmd {print} head hot"], ["head cool"], bad=["rejected"]),
    Row("cleaning due", "cleaning-due", "print", ["say Ss NEED CLEANING", "cleaning due"],
        ["say off", "cleaning done"], bad=["rejected"]),
    Row("mechanical time-out", "mechanical", "print", ["say Se ERROR TIME OUT", "at cmd {finish} jam now"],
        CLEAR, bad=["spoiled"]),
    Row("a command is refused", "command-refused", "print", ["say Ss ERROR CDE"], ["say off"], queue="stopped",
        command=enable, bad=["rejected"]),
    Row("no reply, but done", "no-reply", "print", ["at cmd {finish} mute"], ["mute off"]),
    Row("no reply, not done", "no-reply", "print", ["at cmd {finish} deaf"], ["deaf off"], bad=["rejected"]),
    Row("no reply to the feed", "no-reply", "feed", ["at cmd {station} mute"], ["mute off"]),
    Row("garbled reply", "garbled-reply", "print", ["at cmd {finish} garble"], ["garble off"], short=True),
    Row("garbled reply to the feed", "garbled-reply", "feed", ["at cmd {station} garble"], ["garble off"]),
    Row("slow printer", None, None, ["slow 3000000", "reply-delay 60"], records=[], stands=False),
    Row("stall out", "usb-stall", "print", ["at cmd {print} stall out"], stands=False, bad=["rejected"]),
    Row("stall in", "usb-stall", "print", ["at cmd {finish} stall in"], stands=False),
    Row("unplugged before the job", "printer-absent", None, ["unplug"], ["plug"], records=[], card=None),
    Row("unplugged before the second card", "unplugged", "feed", ["at card {m} unplug"], ["plug"], card=2,
        records=[("unplugged", "feed")]),
    Row("unplugged in the middle of planes", "unplugged", "print", ["at cmd {before} unplug-after {some}"], ["plug"],
        bad=["rejected"], short=True),
    Row("unplugged at Se", "unplugged", "print", ["at cmd {finish} unplug"], ["plug"]),
    Row("switched off and on", "unplugged", "print", ["at cmd {back} power off"], ["power on"], bad=["rejected"]),
)

CHIP = (
    Row("no chip", "no-chip", "encode", ["chip {n} dead"], bad=["rejected"], short=True),
    Row("wrong chip type", "chip-type", "encode", ["chip {n} wrong-type"], bad=["rejected"]),
    Row("used chip", "chip-used", "encode", ["chip {n} used"], bad=["rejected"]),
    Row("chip removed", "chip-removed", "encode", ["chip {n} remove 5"], bad=["rejected"]),
    Row("one write lost", None, None, ["chip {n} lose 5"], records=[], stands=False),
    Row("every write lost", "chip-verify", "encode", ["chip {n} lose-from 5"], bad=["rejected"]),
    Row("write refused", "chip-write", "encode", ["chip {n} refuse-from 5"], bad=["rejected"]),
    Row("one write torn", None, None, ["chip {n} tear 7"], records=[], stands=False),
    Row("trailer torn", "chip-trailer", "encode", ["chip {n} tear 38"], bad=["rejected"], short=True),
    Row("two cards in the field", "chip-two", "encode", ["chip {n} two"], bad=["rejected"]),
    Row("UID issued before", "uid-issued", "encode", [], bad=["rejected"], before=twin_arm),
    Row("reader absent", "reader-absent", "feed", ["station unplug"], ["station plug"], short=True),
    Row("reader gone and back", "reader-gone", "encode", ["at cmd {station} station unplug"], ["station plug"]),
)

HOST = (
    Row("card keys missing", "keys", "feed", [], [keys_back], before=keys_hide, queue="stopped", command=enable,
        own_words="cardspool key create"),
    Row("worker killed with a card inside", "worker-died", "print", ["at cmd {print} hang"],
        [kill_worker, wait_stopped, "clear"], queue="stopped", command=enable, bad=["rejected"], stands=False),
)




EPCL_PRINTER = (
    Row("hopper empty", "hopper-empty", "feed", ["hopper empty"], ["hopper add 1"], short=True),
    Row("jam while feeding", "jam-feeding", "feed", ["jam feed"], CLEAR, bad=["spoiled"]),
    Row("jam on the way to the station", "jam-station", "feed", ["jam station"], CLEAR, bad=["spoiled"],
        command=taken_out),
    Row("jam leaving the station", "jam-station", "print", ["at cmd undock-ready jam station"], CLEAR,
        bad=["spoiled"], command=taken_out),
    Row("jam while printing", "jam-printing", "print", ["jam print"], CLEAR, bad=["spoiled"], short=True),
    Row("jam while ejecting", "jam-printing", "print", ["jam eject"], CLEAR, bad=["spoiled"]),
    Row("jam while rejecting", "jam-rejecting", "reject", ["chip {n} dead", "jam reject"], CLEAR, bad=["spoiled"],
        records=[("jam-rejecting", "reject"), ("no-chip", "encode")], command=taken_out),
    Row("cover open before the feed", "cover-open", "feed", ["cover open"], ["cover close"]),
    Row("cover open while it prints", "cover-open", "print", ["at cmd IS cover open"], ["cover close"],
        bad=["rejected"]),
    Row("ribbon end", "ribbon-end", "print", ["ribbon end"], ["ribbon new"], bad=["rejected"], short=True),
    Row("no ribbon", "ribbon-end", "print", ["ribbon none"], ["ribbon new"], bad=["rejected"]),
    Row("ribbon of the wrong type", "ribbon-wrong", "print", ["ribbon wrong k:200"], ["ribbon new"], bad=["rejected"]),
    Row("head too hot", "head-hot", "print", ["at cmd IS head hot"], ["head cool"], bad=["rejected"]),
    Row("mechanical", "mechanical", "print", ["say $F -1"], ["say off", "jam now", "clear"], bad=["spoiled"],
        command=taken_out),
    Row("a command is refused", "command-refused", "print", ["say $F 10"], ["say off"], queue="stopped",
        command=enable_then(was_rejected), bad=["rejected"]),
    Row("no reply, but done", "no-reply", "print", ["at cmd MO mute"], ["mute off"], command=is_good),
    Row("no reply, not done", "no-reply", "print", ["at cmd MO deaf"], ["deaf off"], bad=["rejected"]),
    # The card is seen in front of the head, short of the station: no chip answers there.
    Row("no reply to the feed", "no-reply", "feed", ["at cmd MI mute"], ["mute off"], bad=["rejected"],
        records=[("no-reply", "feed"), ("no-chip", "encode")]),
    Row("garbled reply", "garbled-reply", "print", ["at cmd MO garble"], ["garble off"], short=True, command=is_good),
    Row("slow printer", None, None, ["slow 3000000", "reply-delay 60"], records=[], stands=False),
    Row("stall out", "usb-stall", "print", ["at cmd GS stall out"], stands=False, bad=["rejected"],
        command=was_rejected),
    Row("unplugged before the job", "printer-absent", None, ["unplug"], ["plug"], records=[], card=None),
    Row("unplugged before the second card", "unplugged", "feed", ["at card {m} unplug"], ["plug"], card=2,
        records=[("unplugged", "feed"), ("no-chip", "encode")], bad=["rejected"]),
    Row("unplugged in the middle of planes", "unplugged", "print", ["at cmd GS unplug-after 20000"], ["plug"],
        bad=["rejected"], short=True, command=was_rejected),
    Row("switched off and on", "unplugged", "print", ["at cmd IV power off"], ["power on"], bad=["rejected"]),
)


def zebra_killed(command):
    return Row("worker killed with a card inside", "worker-died", "print", ["at cmd IS hang"],
               [kill_worker, wait_stopped, "clear"], queue="stopped", command=command, bad=["rejected"], stands=False)


EPCL_HOST = tuple(row for row in HOST if row.code != "worker-died")


def fits(machine, row):
    """Whether this machine has what the row breaks."""
    arm = " ".join(row.arm)
    turns, docks = "flip" in arm or "{back}" in arm, "chip {" in arm or "station" in row.name or row.code == "keys"
    untold = "Rcr" in machine.lacks and ("Rcr" in arm or row.code == "ribbon-wrong")  # it cannot tell one from the other
    return (machine.duplex or not turns) and (machine.chip or not docks) and not untold


def rows_for(machine):
    """The rows of a machine's family, and {code of the table: who looks at it instead}."""
    zebra = machine.family == "epcl"
    printer, host, exceptions = (EPCL_PRINTER, EPCL_HOST, EPCL_EXCEPTIONS) if zebra else (EVOLIS_PRINTER, HOST, EVOLIS_EXCEPTIONS)
    if zebra:  # the one that turns cards shows where its card is, the others leave it to a person
        host += (zebra_killed(enable if machine.duplex else enable_then(was_rejected)),)
    rows = [row for row in printer + (CHIP if machine.chip else ()) + host if fits(machine, row)]
    said = {row.code for row in rows} | {code for row in rows for code, _step in row.records}
    lacking = {row.code for row in printer + CHIP + host if row.code} - said
    return rows, {**exceptions, **{code: "this model has no such part, or cannot tell it" for code in lacking}}
