# machines.py - the printers that the whole demo and the whole table of faults run on.
#
# Owns what differs between them for a test: the ribbon, the sides, the settings of the queue, and which command of
# the printer's language stands for a moment of a card's way. Where no document names a command (a Zebra printer's
# way to its chip station), the word is invented here and told to the queue and to the emulator alike; without the
# setting the driver refuses, which tests/check-epcl.py proves.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import os

# Evolis: moments as the emulator's console names them.
EVOLIS_MOMENTS = {"station": "Sic", "print": "Sr", "planes": "Dbc", "finish": "Se", "back": "Sv", "begin": "Ss", "before": "Sr",
                  "some": "200000"}
# EPCL: a card is printed by a list (M), planes come before it (GS), a chip station is invented.
ZEBRA_DOCKS = {"dock-contactless": "GOCHIP", "undock-print": "GOHEAD", "undock-eject": "GOOUT"}
ZEBRA_OPTIONS = {"dock-contactless": "dock-contactless", "undock-print": "undock-ready", "undock-eject": "undock-eject"}


class Machine:
    def __init__(self, model, title, family, ribbon, duplex, moments, settings=None, options=None, chip=True, lacks=""):
        self.model, self.title, self.family, self.ribbon, self.duplex = model, title, family, ribbon, duplex
        self.chip = chip  # has a contactless station
        self.lacks = lacks.split()  # commands of its language that it does not know
        self.moments, self.settings, self.options = moments, settings or {}, options or {}

    def ppd(self, build):
        own = f"{self.model}.ppd"
        return own if os.path.exists(os.path.join(build, "ppd", own)) else "dualys3.ppd"

    def section(self, serial):
        """Lines for cardspool.conf."""
        if not self.settings:
            return ""
        return f"[printer {serial}]\n" + "".join(f"{name}={value}\n" for name, value in self.settings.items())

    def script(self):
        """Lines for the emulator's console."""
        return "".join(f"option {name} {value}\n" for name, value in self.options.items())


def evolis(model, title, ribbon="ymcko", duplex=False, numbered=False, chip=True, lacks=""):
    moments = {**EVOLIS_MOMENTS, "wrong": "k", **({"planes": "Db"} if numbered else {}), **({} if chip else {"station": "Si"}),
               **({"print": "Dbc", "before": "Ss", "some": "8000"} if "Sr" in lacks else {})}
    return Machine(model, title, "evolis", ribbon, duplex, moments, chip=chip, lacks=lacks)


def zebra(model, title, duplex=False, ribbon="ymcko"):
    settings = {**ZEBRA_DOCKS, "place-query": "&P", "fault-hold-ms": "300", "ribbon-ymckok": "tag",
                "reject-setup": "+RB 0 1"}
    options = {ZEBRA_OPTIONS[name]: word for name, word in ZEBRA_DOCKS.items()}
    return Machine(model, title, "epcl", ribbon, duplex, {"station": "dock-contactless"}, settings, options)


# Without the P120i: the emulated one has neither station nor encoder, so nothing tells where a card is, and each of its
# faults ends with a person who looks.
MACHINES = {m.model: m for m in (
    evolis("dualys3", "Evolis Dualys 3", "ymckok", duplex=True),
    evolis("pebble3", "Evolis Pebble 3"),
    evolis("pebble4", "Evolis Pebble 4"),
    evolis("tattoo", "Evolis Tattoo", "k", chip=False, lacks="Rcr Sr"),
    evolis("quantum", "Evolis Quantum", "ymckok", duplex=True),
    evolis("zenius", "Evolis Zenius", numbered=True),
    evolis("primacy", "Evolis Primacy", "ymckok", duplex=True, numbered=True),
    evolis("primacy2", "Evolis Primacy 2", "ymckok", duplex=True, numbered=True),
    evolis("badgy", "Evolis Badgy", numbered=True, chip=False),
    zebra("p310i", "Zebra P310i"),
    zebra("p330i", "Zebra P330i"),
    zebra("p430i", "Zebra P430i", True, "ymckok"),
    zebra("p520i", "Zebra P520i", True, "ymckok"),
)}
WITH_CHIPS = sorted(model for model, machine in MACHINES.items() if machine.chip)
