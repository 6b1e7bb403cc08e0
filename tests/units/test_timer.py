"""Tests for L{rotonda.units.timer}."""

from __future__ import annotations

from rotonda.units.timer import Timer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase


class TimerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.calls = Clock(), 0
        self.timer = Timer(self.called, self.clock, 5)
        self.timer.startService()

    def called(self) -> None:
        self.calls += 1
        if self.calls == 1:
            raise ValueError("the first time it fails")

    def test_a_failure_is_told_and_not_the_last_call(self) -> None:
        self.clock.advance(4.9)
        self.assertEqual(self.calls, 0)
        self.clock.pump([0.1, 5, 5])
        self.assertEqual(self.calls, 3)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.timer.stopService()
        self.clock.pump([5, 5])
        self.assertEqual((self.calls, self.clock.getDelayedCalls()), (3, []))

    def test_stopped_before_it_was_started(self) -> None:
        self.timer.stopService()
        self.timer.stopService()
