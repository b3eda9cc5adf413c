# insidecups.py - a private cupsd beside which programs can run that see the emulated printers.
#
#   insidecups.py ROOT CUPSD [ARG...]     the emulator's program: cupsd, and what is asked for at ROOT/inside
#
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import socket
import subprocess
import sys

import privatecups


class InsideCups(privatecups.PrivateCups):
    def command_inside(self):
        return [sys.executable, os.path.abspath(__file__), self.root, *self.cupsd_argv()]

    def within(self, *argv):
        """(status, stdout, stderr) of a program that sees the emulated printers."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(self.path("inside"))
            with s.makefile("rw") as stream:
                stream.write(json.dumps({"argv": argv, "env": self.environment()}) + "\n")
                stream.flush()
                return json.loads(stream.readline())


def answer(peer):
    with peer, peer.makefile("rw") as stream:
        line = stream.readline()
        if not line:
            return
        ask = json.loads(line)
        out = subprocess.run(ask["argv"], env=ask["env"], capture_output=True, text=True, check=False)
        stream.write(json.dumps([out.returncode, out.stdout, out.stderr]) + "\n")


def main():
    server = socket.socket(socket.AF_UNIX)
    server.bind(os.path.join(sys.argv[1], "inside"))
    server.listen(4)
    server.settimeout(0.2)
    daemon = subprocess.Popen(sys.argv[2:])
    while daemon.poll() is None:
        try:
            peer, _ = server.accept()
        except TimeoutError:
            continue
        answer(peer)


if __name__ == "__main__":
    main()
