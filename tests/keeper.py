# keeper.py - runs a program again whenever it ends, as an init system does.
#
#   keeper.py PROGRAM [ARG...]
#
# Adopts and buries the orphans of the tree. Ends with status 0 on SIGTERM, after it has passed that on.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import ctypes
import os
import signal
import sys

PR_SET_CHILD_SUBREAPER = 36
ended = False


def on_term(*_):
    global ended
    ended = True
    if child:
        os.kill(child, signal.SIGTERM)


def start():
    pid = os.fork()
    if pid == 0:
        os.execv(sys.argv[1], sys.argv[1:])
    return pid


child = 0
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
signal.signal(signal.SIGTERM, on_term)
child = start()
while True:
    pid, _ = os.wait()
    if pid == child:
        if ended:
            sys.exit(0)
        child = start()
