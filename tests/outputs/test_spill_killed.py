"""A process that spills is killed: the next one sends what is on the disk first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from rotonda.outputs.overflow import Overflow

from tests.outputs.spiller import QUEUE
from tests.outputs.test_broker import Streams

ENOUGH = 3000
ROOT = Path(__file__).parents[2]


class KilledTests(Streams):
    def test_nothing_that_was_on_disk_is_lost(self) -> None:
        command = [sys.executable, "-m", "tests.outputs.spiller", str(self.folder)]
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'daemons'}"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            told = next((int(line) for line in process.stdout if int(line) >= ENOUGH), 0)
            process.send_signal(signal.SIGKILL)
            more = [int(line) for line in process.stdout.read().split("\n")[:-1]]
        self.assertEqual(process.returncode, -signal.SIGKILL)
        on_disk = [told, *more][-1]
        self.assertGreaterEqual(on_disk, ENOUGH)
        stream = self.stream(Overflow.SPILL)
        found = stream.waiting
        self.assertGreaterEqual(found, on_disk)
        self.sent = 10**6
        self.send(stream, 3)
        self.deliver_all()
        first = self.carrier.arrived[0]
        self.assertLessEqual(first, QUEUE)
        self.assertEqual(self.carrier.arrived, [*range(first, first + found), *range(10**6, 10**6 + 3)])
        self.assertEqual((stream.waiting, stream.dropped, stream.on_disk), (0, 0, 0))
        self.end(stream)
        self.assertFalse([line for line in self.told if "damaged" in line and "left out" not in line])
