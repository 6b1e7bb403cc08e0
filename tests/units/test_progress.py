"""Tests for L{rotonda.units.progress}."""

from __future__ import annotations

from rotonda.units.progress import Progress
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase


class ProgressTests(SynchronousTestCase):
    def test_it_speaks_once_a_second_of_rate_share_and_time_left(self) -> None:
        clock, said = Clock(), list[str]()
        progress = Progress("rib.gz", clock.seconds, said.append)
        clock.advance(0.5)
        progress.add(100_000, 0.1)
        self.assertEqual(said, [])
        clock.advance(1.5)
        progress.add(300_000, 0.4)
        progress.add(1, 0.4)
        self.assertEqual(said, ["rib.gz: 40 %, 400,000 records, 200,000 records/s, 3 s left"])
        self.assertEqual(progress.count, 400_001)

    def test_nothing_is_divided_by_zero(self) -> None:
        self.assertEqual(Progress("x", Clock().seconds, print).line(0), "x: 0 %, 0 records, 0 records/s")
