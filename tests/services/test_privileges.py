"""What a daemon gives up: seen from outside, as who has given it up does not get it back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.data import ROOT

PROGRAM = """
from rotonda.services.privileges import give_up
give_up()
give_up()
print(open("/proc/self/status").read())
"""


class PrivilegesTests(SynchronousTestCase):
    def test_all_of_them(self) -> None:
        if not Path("/proc/self/status").exists():
            self.skipTest("only Linux tells what a process may do")
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'daemons'}"}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=60
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        told = dict(line.split(":\t", 1) for line in done.stdout.splitlines() if ":\t" in line)
        self.assertEqual({name: int(told[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")},
                         dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapAmb"), 0))  # fmt: skip
        self.assertEqual(told["NoNewPrivs"], "1")
