# pcsccups.py - a private cupsd whose printer carries a PC/SC reader, behind a private pcscd.
#
# The same as privatecups.py but for the chip station: the emulator's reader has the name of a model, the real pcscd
# loads the emulator's handler, and cardspool.conf names the reader. stop() ends the pcscd too.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import functools

import privatecups
from privatepcscd import PrivatePcscd


class PcscCups(privatecups.PrivateCups):
    def __init__(self, build, emulator_args=(), *args, reader, **kw):
        self.daemon = None
        super().__init__(build, emulator_args, *args, **kw)
        self.reader_socket = self.path("emu/reader.sock")
        self.daemon = PrivatePcscd(self.build, [(reader, self.reader_socket)])
        self.emulator_args += ["--station", f"pcsc:{self.reader_socket}:{reader}"]
        with open(self.path("cardspool.conf"), encoding="utf-8") as f:
            text = f.read()
        nfc = f"default=nfc:pn532_uart:{self.root}/emu/station:115200"
        if nfc not in text:
            raise privatecups.Failed("cardspool.conf does not name the station that was expected")
        self._write("cardspool.conf", text.replace(nfc, f"default=pcsc:{reader}"))
        with open(self.path("etc/cups-files.conf"), "a", encoding="utf-8") as f:
            f.write("PassEnv PCSCLITE_CSOCK_NAME\n")

    def environment(self):
        env = super().environment()
        if self.daemon:
            env["PCSCLITE_CSOCK_NAME"] = self.daemon.socket
        return env

    def start(self):
        self.daemon.__enter__()
        super().start()

    def stop(self):
        super().stop()
        if self.daemon and self.daemon.process:
            self.daemon.__exit__()


def with_reader(name):
    """What privatecups.PrivateCups is, with that reader."""
    return functools.partial(PcscCups, reader=name)
