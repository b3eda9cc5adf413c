# check-faults.py - the short form of tests/faults.py: one fault of each kind. All of them: make faults.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import os
import sys

import faults

sys.exit(faults.status(os.environ.get("builddir", "."), short=True))
