"""Daemons are ended whatever happens, and one that dies is told with the end of its log."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from rotonda.demo.errors import DemoFailed
from rotonda.demo.processes import HTTP, RTR, Daemons
from twisted.trial.unittest import SynchronousTestCase


class DaemonsTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_a_daemon_says_where_it_listens_and_is_gone_afterwards(self) -> None:
        with Daemons(self.folder) as daemons:
            words = ("--west", "127.0.0.1:1", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0")
            rib = daemons.start("rotonda-rib", *words)
            self.assertTrue(0 < rib.port(RTR) != rib.port(HTTP) > 0)
            daemons.check()
            self.assertTrue(rib.memory is None or rib.memory > 1_000_000)
        with self.assertRaises(ProcessLookupError):
            os.kill(rib.pid, 0)
        self.assertIn("Server Shut Down", rib.log.read_text())

    def test_one_that_dies_is_told_with_its_log(self) -> None:
        with Daemons(self.folder) as daemons:
            broken = daemons.start("rotonda-connector", "--mrt", "missing.mrt")
            with self.assertRaisesRegex(
                DemoFailed, r"(?s)rotonda-connector died \(status 1\).*there is no file missing"
            ):
                broken.port(RTR)
            with self.assertRaises(DemoFailed):
                daemons.check()
