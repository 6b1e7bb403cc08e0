"""Tests for L{rotonda.units.watch}."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from rotonda.units.watch import Watch
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase


class WatchTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "table"
        self.path.write_bytes(b"one")
        self.clock, self.calls = Clock(), 0
        self.watch = Watch([self.path], self.called, self.clock, 1.0)
        self.watch.startService()
        self.addCleanup(self.watch.stopService)

    def called(self) -> None:
        self.calls += 1

    def test_a_change_is_told_once_when_it_has_settled(self) -> None:
        self.clock.pump([1.0] * 3)
        self.assertEqual(self.calls, 0)
        self.path.write_bytes(b"longer")
        self.clock.pump([1.0])
        self.assertEqual(self.calls, 0, "it may still be written")
        self.clock.pump([1.0] * 3)
        self.assertEqual(self.calls, 1)

    def test_a_replaced_file_is_a_change(self) -> None:
        other = self.path.with_suffix(".new")
        other.write_bytes(b"one")
        os.utime(other, ns=(self.path.stat().st_atime_ns, self.path.stat().st_mtime_ns))
        os.replace(other, self.path)
        self.clock.pump([1.0] * 2)
        self.assertEqual(self.calls, 1)

    def test_a_file_that_goes_and_comes_back(self) -> None:
        self.path.unlink()
        self.clock.pump([1.0] * 2)
        self.assertEqual(self.calls, 1)
        self.path.write_bytes(b"again")
        self.clock.pump([1.0] * 2)
        self.assertEqual(self.calls, 2)

    def test_stopped(self) -> None:
        self.watch.stopService()
        self.watch.stopService()
        self.path.write_bytes(b"longer")
        self.clock.pump([1.0] * 3)
        self.assertEqual(self.calls, 0)
